/* When an event loop rests: a timer of its own is made at the first time, which shows that there was one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <host/environment.h>
#include <host/rest.h>

#define MUCH 100000

static bool rests(struct rest *rest, braid_time deadline) {
    braid_time start = host_now();
    rest_now(rest, deadline);
    bool rested = rest->fd >= 0;
    if (rested) assert_true(host_now() - start >= 30 * BRAID_NS_PER_US);
    rest_deinit(rest);
    return rested;
}

static void after_a_turn_that_brought_much(void **state) {
    struct rest rest;
    (void)state;
    rest_init(&rest);
    rest_count(&rest, MUCH - 1);
    assert_false(rests(&rest, BRAID_NEVER));
    rest_count(&rest, 1);
    assert_true(rests(&rest, BRAID_NEVER));
    rest_begin_turn(&rest);
    assert_false(rests(&rest, BRAID_NEVER));
}

static void not_when_a_timer_is_due_soon(void **state) {
    struct rest rest;
    (void)state;
    rest_init(&rest);
    rest_count(&rest, MUCH);
    assert_false(rests(&rest, host_now()));
    assert_false(rests(&rest, host_now() + 100 * BRAID_NS_PER_US));
    assert_true(rests(&rest, host_now() + BRAID_NS_PER_S));
}

static void not_where_rests_are_long(void **state) {
    struct rest rest;
    (void)state;
    rest_init(&rest);
    rest_count(&rest, MUCH);
    rest.none_before = host_now() + BRAID_NS_PER_S;
    assert_false(rests(&rest, BRAID_NEVER));
    rest.none_before = host_now();
    assert_true(rests(&rest, BRAID_NEVER));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_a_turn_that_brought_much),
        cmocka_unit_test(not_when_a_timer_is_due_soon),
        cmocka_unit_test(not_where_rests_are_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
