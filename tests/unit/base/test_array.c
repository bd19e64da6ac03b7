#include "test_env.h"
#include <base/array.h>

static void an_array_keeps_what_is_in_it_as_it_grows(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    void *items = NULL;
    uint32_t capacity = 0;
    for (uint32_t i = 0; i < 100; i++) {
        items = array_reserve(&env, items, &capacity, i, sizeof(uint64_t));
        assert_non_null(items);
        assert_true(capacity > i);
        ((uint64_t *)items)[i] = 3 * (uint64_t)i;
    }
    for (uint32_t i = 0; i < 100; i++) assert_true(((uint64_t *)items)[i] == 3 * (uint64_t)i);
    array_release(&env, items, capacity, sizeof(uint64_t));
    assert_nothing_leaked(&memory);
}

static void an_array_without_items_takes_no_memory(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    array_release(&env, NULL, 0, sizeof(uint64_t));
    assert_nothing_leaked(&memory);
}

static void an_array_that_cannot_grow_stays_as_it_is(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    void *items = NULL;
    uint32_t capacity = 0;
    items = array_reserve(&env, items, &capacity, 0, sizeof(uint64_t));
    assert_non_null(items);
    *(uint64_t *)items = 7;
    memory.fail_after = 0;
    assert_null(array_reserve(&env, items, &capacity, 1, sizeof(uint64_t)));
    assert_int_equal(capacity, 1);
    assert_true(*(uint64_t *)items == 7);
    array_release(&env, items, capacity, sizeof(uint64_t));
    assert_nothing_leaked(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_array_keeps_what_is_in_it_as_it_grows),
        cmocka_unit_test(an_array_without_items_takes_no_memory),
        cmocka_unit_test(an_array_that_cannot_grow_stays_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
