#include "test_env.h"
#include <base/prng.h>
#include <base/seq.h>

static void order_holds_across_the_wrap(void **state) {
    (void)state;
    seq32 before = seq32_of(0xfffffff0u), after = seq32_add(before, 0x20);
    assert_int_equal(after.value, 0x10);
    assert_true(seq32_lt(before, after) && seq32_le(before, after) && seq32_gt(after, before));
    assert_int_equal(seq32_diff(after, before), 0x20);
    assert_int_equal(seq32_diff(before, after), -0x20);
    assert_true(seq32_eq(seq32_back(after, 0x20), before));
    assert_true(seq32_eq(seq32_max(before, after), after) && seq32_eq(seq32_min(before, after), before));
    dsn64 last = dsn64_of(UINT64_MAX), next = dsn64_add(last, 1);
    assert_true(next.value == 0 && dsn64_lt(last, next) && dsn64_ge(next, last));
    assert_true(dsn64_eq(dsn64_max(last, next), next) && dsn64_eq(dsn64_back(next, 1), last));
}

static void a_32_bit_dsn_expands_to_the_nearest_64_bit_one(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 3);
    for (int i = 0; i < 100000; i++) {
        dsn64 near = dsn64_of(prng_next(&prng));
        int64_t distance = (int64_t)prng_below(&prng, UINT64_C(0xffffffff)) - INT64_C(0x7fffffff);
        dsn64 meant = dsn64_of(near.value + (uint64_t)distance);
        assert_true(dsn64_eq(dsn64_expand(near, (uint32_t)meant.value), meant));
    }
    dsn64 edge = dsn64_of(UINT64_C(0x00000001fffffff0));
    assert_true(dsn64_expand(edge, 5).value == UINT64_C(0x0000000200000005));
    assert_true(dsn64_expand(dsn64_of(UINT64_C(0x200000005)), 0xfffffff0u).value == UINT64_C(0x1fffffff0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_holds_across_the_wrap),
        cmocka_unit_test(a_32_bit_dsn_expands_to_the_nearest_64_bit_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
