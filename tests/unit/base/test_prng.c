#include "test_env.h"
#include <base/prng.h>

/* The authors' xoshiro256** started from 1, 2, 3, 4. */
static void the_generator_is_xoshiro256starstar(void **state) {
    (void)state;
    struct prng prng = {.state = {1, 2, 3, 4}};
    assert_true(prng_next(&prng) == UINT64_C(11520));
    assert_true(prng_next(&prng) == UINT64_C(0));
    assert_true(prng_next(&prng) == UINT64_C(1509978240));
    assert_true(prng_next(&prng) == UINT64_C(1215971899390074240));
}

static void the_same_seed_gives_the_same_numbers(void **state) {
    (void)state;
    struct prng a, b, c;
    prng_seed(&a, 42);
    prng_seed(&b, 42);
    prng_seed(&c, 43);
    int differing = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t value = prng_next(&a);
        assert_true(value == prng_next(&b));
        if (value != prng_next(&c)) differing++;
    }
    assert_int_equal(differing, 100);
}

static void a_seed_of_zero_works(void **state) {
    (void)state;
    struct prng prng;
    uint64_t any = 0;
    prng_seed(&prng, 0);
    for (int i = 0; i < 4; i++) any |= prng_next(&prng);
    assert_true(any != 0);
}

static void bounded_numbers_stay_in_bounds_and_are_even(void **state) {
    (void)state;
    struct prng prng;
    int counts[7] = {0};
    prng_seed(&prng, 7);
    for (int i = 0; i < 70000; i++) counts[prng_below(&prng, 7)]++;
    for (int i = 0; i < 7; i++) assert_in_range(counts[i], 9500, 10500);
    for (int i = 0; i < 100; i++) assert_int_equal(prng_below(&prng, 1), 0);
    uint64_t large = UINT64_C(3) << 62; /* where taking the remainder alone would favour the lower third */
    int low = 0;
    for (int i = 0; i < 30000; i++) {
        uint64_t value = prng_below(&prng, large);
        assert_true(value < large);
        if (value < UINT64_C(1) << 62) low++;
    }
    assert_in_range(low, 9500, 10500);
}

static void unit_numbers_are_below_one_and_average_a_half(void **state) {
    (void)state;
    struct prng prng;
    double sum = 0;
    prng_seed(&prng, 8);
    for (int i = 0; i < 100000; i++) {
        double value = prng_unit(&prng);
        assert_true(value >= 0 && value < 1);
        sum += value;
    }
    assert_true(sum > 49500 && sum < 50500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_generator_is_xoshiro256starstar),
        cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(a_seed_of_zero_works),
        cmocka_unit_test(bounded_numbers_stay_in_bounds_and_are_even),
        cmocka_unit_test(unit_numbers_are_below_one_and_average_a_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
