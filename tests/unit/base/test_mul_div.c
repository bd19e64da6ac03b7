#include "test_env.h"
#include <base/mul_div.h>
#include <base/prng.h>

/* What the compiler's own integers of 128 bits say; tests may use them. */
__extension__ typedef unsigned __int128 wide;

static uint64_t expected(uint64_t a, uint64_t b, uint64_t c) {
    if (c == 0 || (wide)a * b / c > UINT64_MAX) return UINT64_MAX;
    return (uint64_t)((wide)a * b / c);
}

/* Of any number of bits, and near the powers of two. */
static uint64_t draw(struct prng *prng) {
    uint64_t bits = prng_below(prng, 65), value = bits == 64 ? prng_next(prng) : prng_next(prng) & ((UINT64_C(1) << bits) - 1);
    if (prng_below(prng, 4) > 0) return value;
    uint64_t power = bits == 64 ? UINT64_MAX : UINT64_C(1) << bits, step = prng_below(prng, 2);
    return power > step ? power - step : power;
}

static void a_product_is_divided_as_if_it_had_128_bits(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 7);
    for (int i = 0; i < 200000; i++) {
        uint64_t a = draw(&prng), b = draw(&prng), c = draw(&prng);
        if (mul_div(a, b, c) == expected(a, b, c)) continue;
        fail_msg("%llx * %llx / %llx is not %llx", (unsigned long long)a, (unsigned long long)b, (unsigned long long)c,
                 (unsigned long long)mul_div(a, b, c));
    }
}

static void a_quotient_that_is_too_large_is_the_largest(void **state) {
    (void)state;
    assert_true(mul_div(UINT64_MAX, UINT64_MAX, 0) == UINT64_MAX);
    assert_true(mul_div(5, 7, 0) == UINT64_MAX);
    assert_true(mul_div(UINT64_MAX, 2, 1) == UINT64_MAX);
    assert_true(mul_div(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(mul_div(UINT64_MAX, UINT64_MAX - 1, UINT64_MAX) == UINT64_MAX - 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_is_divided_as_if_it_had_128_bits),
        cmocka_unit_test(a_quotient_that_is_too_large_is_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
