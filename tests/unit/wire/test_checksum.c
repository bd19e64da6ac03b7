#include "test_wire.h"
#include <wire/checksum.h>

/* RFC 1071 §1, word for word. */
static uint16_t naive_fold(const uint8_t *bytes, size_t length) {
    uint64_t sum = 0;
    for (size_t i = 0; i < length; i++) sum += i % 2 == 0 ? (uint64_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static void the_example_of_rfc_1071_comes_out(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(checksum_fold(checksum_sum(bytes, sizeof(bytes))), 0xddf2);
    assert_int_equal(checksum_finish(checksum_sum(bytes, sizeof(bytes))), 0x220d);
}

static void every_length_and_alignment_gives_the_naive_sum(void **state) {
    (void)state;
    struct prng prng;
    uint8_t bytes[400];
    prng_seed(&prng, 1);
    for (int fill = 0; fill < 3; fill++) {
        if (fill == 0) random_bytes(&prng, bytes, sizeof(bytes));
        else memset(bytes, fill == 1 ? 0xff : 0, sizeof(bytes)); /* every carry, and none */
        for (size_t start = 0; start < 16; start++)
            for (size_t length = 0; length < 300; length++)
                assert_int_equal(checksum_fold(checksum_sum(bytes + start, length)),
                                 naive_fold(bytes + start, length));
    }
}

/* Whatever this machine can do, and what it took by itself. */
static void every_way_to_sum_gives_the_naive_sum(void **state) {
    (void)state;
    struct prng prng;
    static uint8_t bytes[70000];
    unsigned usable = 0;
    prng_seed(&prng, 4);
    for (int fill = 0; fill < 3; fill++) {
        if (fill == 0) random_bytes(&prng, bytes, sizeof(bytes));
        else memset(bytes, fill == 1 ? 0xff : 0, sizeof(bytes));
        for (unsigned i = 0; checksum_variant(i) != NULL; i++) {
            const struct checksum_variant *variant = checksum_variant(i);
            if (!variant->usable()) continue;
            usable++;
            for (size_t start = 0; start < 70; start += start < 17 ? 1 : 13)
                for (size_t length = 0; length < 700; length++)
                    assert_int_equal(checksum_fold(checksum_sum_by(variant, bytes + start, length)),
                                     naive_fold(bytes + start, length));
            for (size_t length = 65000; length < 69900; length += 97)
                assert_int_equal(checksum_fold(checksum_sum_by(variant, bytes + length % 64, length)),
                                 naive_fold(bytes + length % 64, length));
        }
        for (size_t length = 200; length < 1500; length += 7)
            assert_int_equal(checksum_fold(checksum_sum(bytes + length % 64, length)), naive_fold(bytes + length % 64, length));
        assert_int_equal(checksum_fold(checksum_sum_by(NULL, bytes, 1500)), naive_fold(bytes, 1500));
    }
    assert_true(usable >= 3); /* one at least, with each filling */
}

/* Copies `length` bytes to `to` between two guards, and expects the copy, its sum and nothing else. */
static void copy_and_check(const struct checksum_variant *variant, bool chosen, uint8_t *to, const uint8_t *from, size_t length) {
    uint64_t sum;
    memset(to - 64, 0x5a, length + 128);
    sum = chosen ? checksum_copy(to, from, length) : checksum_copy_by(variant, to, from, length);
    assert_int_equal(checksum_fold(sum), checksum_fold(checksum_sum(from, length)));
    assert_int_equal(checksum_fold(sum), naive_fold(to, length));
    assert_memory_equal(to, from, length);
    for (size_t i = 1; i <= 64; i++) {
        assert_int_equal(to[-(ptrdiff_t)i], 0x5a);
        assert_int_equal(to[length + i - 1], 0x5a);
    }
}

/* With i = the number of ways: in words of the machine; with one more, what checksum_copy() takes by itself. */
static void copy_every_length(unsigned i, unsigned ways, const uint8_t *from, uint8_t *to) {
    const struct checksum_variant *variant = checksum_variant(i);
    for (size_t length = 0; length < 600; length++)
        copy_and_check(variant, i > ways, to + 64 + length % 67, from + (length * 7) % 65, length);
    for (size_t start = 0; start < 65; start++)
        for (size_t target = 0; target < 65; target += start % 2 ? 1 : 3)
            copy_and_check(variant, i > ways, to + 64 + target, from + start, 250 + start + target);
    for (size_t length = 65000; length < 69900; length += 701)
        copy_and_check(variant, i > ways, to + 64 + length % 64, from + length % 61, length);
}

static void a_copy_that_sums_is_a_copy_and_its_sum(void **state) {
    (void)state;
    struct prng prng;
    static uint8_t from[70100], to[70300];
    unsigned ways = 0;
    prng_seed(&prng, 5);
    while (checksum_variant(ways) != NULL) ways++;
    for (int fill = 0; fill < 3; fill++) {
        if (fill == 0) random_bytes(&prng, from, sizeof(from));
        else memset(from, fill == 1 ? 0xff : 0, sizeof(from));
        for (unsigned i = 0; i <= ways + 1; i++)
            if (i >= ways || checksum_variant(i)->usable()) copy_every_length(i, ways, from, to);
    }
}

static void super_segments_are_summed_right(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 2);
    uint8_t *bytes = malloc(70000);
    random_bytes(&prng, bytes, 70000);
    for (int i = 0; i < 20; i++) {
        size_t length = 60000 + prng_below(&prng, 10000);
        assert_int_equal(checksum_fold(checksum_sum(bytes, length)), naive_fold(bytes, length));
    }
    memset(bytes, 0xff, 70000);
    assert_int_equal(checksum_fold(checksum_sum(bytes, 70000)), 0xffff);
    free(bytes);
}

static void pieces_add_up_to_the_whole(void **state) {
    (void)state;
    struct prng prng;
    uint8_t bytes[3000];
    prng_seed(&prng, 3);
    random_bytes(&prng, bytes, sizeof(bytes));
    for (int round = 0; round < 2000; round++) {
        size_t length = prng_below(&prng, sizeof(bytes) + 1), at = 0;
        uint64_t sum = 0;
        while (at < length) {
            size_t piece = 1 + prng_below(&prng, length - at);
            if (piece > 97) piece = 97;
            sum += checksum_shift(checksum_sum(bytes + at, piece), at);
            at += piece;
        }
        assert_int_equal(checksum_fold(sum), naive_fold(bytes, length));
    }
}

/* The sum of anything but zeros is never the "positive" zero, or a receiver's comparison would depend on how the
 * sum was made. */
static void only_zeros_fold_to_zero(void **state) {
    (void)state;
    static const uint8_t negative_zero[] = {0xff, 0xff}, pair[] = {0x12, 0x34, 0xed, 0xcb}, zeros[64];
    assert_int_equal(checksum_fold(checksum_sum(negative_zero, 2)), 0xffff);
    assert_int_equal(checksum_fold(checksum_sum(pair, 4)), 0xffff);
    assert_int_equal(checksum_fold(checksum_sum(zeros, 64)), 0);
    assert_int_equal(checksum_fold(UINT64_MAX), 0xffff);
    assert_int_equal(checksum_fold(checksum_shift(0xffff, 1)), 0xffff);
}

static void the_pseudo_header_is_the_rfcs(void **state) {
    (void)state;
    struct ip_address a = address("192.0.2.1"), b = address("198.51.100.2");
    static const uint8_t v4[] = {192, 0, 2, 1, 198, 51, 100, 2, 0, 6, 0x12, 0x34}; /* RFC 9293 §3.1 */
    assert_int_equal(checksum_fold(checksum_pseudo_header(&a, &b, 6, 0x1234)), naive_fold(v4, sizeof(v4)));
    struct ip_address c = address("2001:db8::1"), d = address("2001:db8:ffff::2");
    uint8_t v6[40] = {0}; /* RFC 8200 §8.1: upper-layer length in 32 bits, three zeros, next header */
    memcpy(v6, c.bytes, 16);
    memcpy(v6 + 16, d.bytes, 16);
    v6[33] = 0x01;
    v6[34] = 0x23;
    v6[35] = 0x45;
    v6[39] = 17;
    assert_int_equal(checksum_fold(checksum_pseudo_header(&c, &d, 17, 0x12345)), naive_fold(v6, sizeof(v6)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_1071_comes_out),
        cmocka_unit_test(every_length_and_alignment_gives_the_naive_sum),
        cmocka_unit_test(every_way_to_sum_gives_the_naive_sum),
        cmocka_unit_test(a_copy_that_sums_is_a_copy_and_its_sum),
        cmocka_unit_test(super_segments_are_summed_right),
        cmocka_unit_test(pieces_add_up_to_the_whole),
        cmocka_unit_test(only_zeros_fold_to_zero),
        cmocka_unit_test(the_pseudo_header_is_the_rfcs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
