/* What the uplinks carry, of all threads together. */
#include "said.h"
#include <run_paths.h>

static struct run_path path(const char *interface, uint64_t bytes, uint64_t rtt_us, unsigned subflows) {
    struct run_path out = {.in_bytes = bytes, .out_bytes = 2 * bytes, .rtt_us = rtt_us, .subflows = subflows, .suspected = 1};
    snprintf(out.interface, sizeof(out.interface), "%s", interface);
    return out;
}

static void bytes_and_subflows_add_up_and_the_shortest_rtt_counts(void **state) {
    struct run_paths sum = {2, {path("wlan0", 100, 30000, 3), path("wwan0", 1000, 0, 1)}};
    /* Another thread may have met them in another order, or not yet have one. */
    struct run_paths second = {3, {path("wwan0", 5, 70000, 1), path("eth7", 9, 1, 1), path("wlan0", 7, 20000, 2)}};
    struct run_paths third = {1, {path("wlan0", 1, 0, 0)}};
    (void)state;
    run_paths_add(&sum, &second);
    run_paths_add(&sum, &third);
    assert_int_equal(sum.count, 2);
    assert_string_equal(sum.paths[0].interface, "wlan0");
    assert_int_equal(sum.paths[0].in_bytes, 108);
    assert_int_equal(sum.paths[0].out_bytes, 216);
    assert_int_equal(sum.paths[0].subflows, 5);
    assert_int_equal(sum.paths[0].suspected, 3);
    assert_int_equal(sum.paths[0].rtt_us, 20000);
    assert_int_equal(sum.paths[1].in_bytes, 1005);
    assert_int_equal(sum.paths[1].rtt_us, 70000);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_and_subflows_add_up_and_the_shortest_rtt_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
