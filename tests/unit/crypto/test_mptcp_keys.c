#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <base/prng.h>
#include <base/reader.h>
#include <crypto/mptcp_keys.h>
#include <crypto/mptcp_keys_v0.h>

/* Computed with Python's hashlib and hmac. */
static void tokens_and_idsns_are_the_known_ones(void **state) {
    (void)state;
    static const struct {
        uint64_t key;
        uint32_t token;
        uint64_t idsn;
    } cases[] = {
        {0, 0xaf5570f5, UINT64_C(0xe5b2328de0e83dfc)},
        {UINT64_C(0x0102030405060708), 0x66840dda, UINT64_C(0xf5a101d3d29d6f72)},
        {UINT64_MAX, 0x12a3ae44, UINT64_C(0x57fb595bbbacf0ca)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t token;
        uint64_t idsn;
        mptcp_key_derive(cases[i].key, &token, &idsn);
        assert_int_equal(token, cases[i].token);
        assert_true(idsn == cases[i].idsn);
    }
}

static void join_hmacs_are_the_known_ones(void **state) {
    (void)state;
    static const uint8_t expected[20] = {0xc7, 0x62, 0x01, 0x5f, 0x08, 0x66, 0x8d, 0xde, 0xcd, 0x8e,
                                         0x5c, 0xf5, 0x2f, 0x87, 0x9d, 0x6f, 0x8a, 0xb1, 0x87, 0xb4};
    static const uint8_t zeros[8] = {0xf3, 0x75, 0x18, 0x0a, 0xba, 0x92, 0x88, 0x84};
    uint8_t out[20];
    mptcp_join_hmac(UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908), 0x01020304, 0x05060708, out);
    assert_memory_equal(out, expected, 20);
    mptcp_join_hmac(0, 0, 0, 0, out);
    assert_memory_equal(out, zeros, 8);
}

static void add_addr_hmacs_are_the_known_ones(void **state) {
    (void)state;
    static const uint8_t v4[4] = {10, 0, 0, 1};
    static const uint8_t v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
    uint64_t sender = UINT64_C(0x0706050403020100), receiver = UINT64_C(0x0f0e0d0c0b0a0908);
    assert_true(mptcp_add_addr_hmac(sender, receiver, 1, v4, 4, 0) == UINT64_C(0x4eefbb185ea899d0));
    assert_true(mptcp_add_addr_hmac(sender, receiver, 2, v6, 16, 8080) == UINT64_C(0xad19f6ff02c56445));
}

/* [R-6824-3.1-4] [R-6824-3.1-5] [R-6824-3.2-1] Version 0: SHA-1 in both places. */
static void those_of_version_0_are_the_known_ones(void **state) {
    (void)state;
    static const struct {
        uint64_t key;
        uint32_t token;
        uint64_t idsn;
    } cases[] = {
        {0, 0x05fe4057, UINT64_C(0xac558654f107c7e9)},
        {UINT64_C(0x0102030405060708), 0xdd5783bc, UINT64_C(0x3a95ed6e4ebb4ad5)},
        {UINT64_MAX, 0xbe673e8a, UINT64_C(0x866701c11ef8e089)},
    };
    static const uint8_t expected[20] = {0xbf, 0xa8, 0x0d, 0x00, 0x79, 0x5d, 0x72, 0xfd, 0x15, 0x31,
                                         0xf8, 0xe1, 0x47, 0x2d, 0x90, 0x2d, 0x14, 0x0c, 0x6f, 0xbe};
    uint8_t out[20];
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t token;
        uint64_t idsn;
        mptcp_v0_key_derive(cases[i].key, &token, &idsn);
        assert_int_equal(token, cases[i].token);
        assert_true(idsn == cases[i].idsn);
    }
    mptcp_v0_join_hmac(UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908), 0x01020304, 0x05060708, out);
    assert_memory_equal(out, expected, 20);
}

/* The same through libcrypto's own HMAC and EVP. */
static void everything_agrees_with_libcryptos_own_hmac(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 500; i++) {
        uint64_t a = prng_next(&prng), b = prng_next(&prng);
        uint32_t na = (uint32_t)prng_next(&prng), nb = (uint32_t)prng_next(&prng);
        uint8_t keys[16], message[19], digest[32], out[20];
        unsigned digest_length = sizeof(digest);
        struct writer w = writer_of(keys, sizeof(keys)), m = writer_of(message, sizeof(message));
        write_u64(&w, a);
        write_u64(&w, b);
        write_u32(&m, na);
        write_u32(&m, nb);
        assert_non_null(HMAC(EVP_sha256(), keys, 16, message, 8, digest, &digest_length));
        mptcp_join_hmac(a, b, na, nb, out);
        assert_memory_equal(out, digest, 20);
        uint8_t sha1[20];
        unsigned sha1_length = sizeof(sha1);
        assert_non_null(HMAC(EVP_sha1(), keys, 16, message, 8, sha1, &sha1_length));
        mptcp_v0_join_hmac(a, b, na, nb, out);
        assert_memory_equal(out, sha1, 20);

        uint8_t id = (uint8_t)na, address[16];
        uint16_t port = (uint16_t)nb;
        size_t length = i % 2 == 0 ? 4 : 16;
        for (size_t k = 0; k < length; k++) address[k] = (uint8_t)prng_next(&prng);
        m = writer_of(message, sizeof(message));
        write_u8(&m, id);
        write_bytes(&m, address, length);
        write_u16(&m, port);
        assert_non_null(HMAC(EVP_sha256(), keys, 16, message, writer_length(&m), digest, &digest_length));
        struct reader low = reader_of(digest + 24, 8);
        assert_true(mptcp_add_addr_hmac(a, b, id, address, length, port) == read_u64(&low));

        uint32_t token;
        uint64_t idsn;
        assert_int_equal(EVP_Digest(keys, 8, digest, &digest_length, EVP_sha256(), NULL), 1);
        mptcp_key_derive(a, &token, &idsn);
        struct reader top = reader_of(digest, 4);
        low = reader_of(digest + 24, 8);
        assert_int_equal(token, read_u32(&top));
        assert_true(idsn == read_u64(&low));
    }
}

/* A's HMAC at B: who is "own" and who "peer" changes sides with the direction (RFC 8684 figure 8). */
static void the_two_directions_have_different_hmacs(void **state) {
    (void)state;
    uint8_t a[20], b[20];
    mptcp_join_hmac(1, 2, 3, 4, a);
    mptcp_join_hmac(2, 1, 4, 3, b);
    assert_memory_not_equal(a, b, 20);
}

static void comparison_looks_at_every_byte(void **state) {
    (void)state;
    uint8_t a[20] = {0}, b[20] = {0};
    assert_true(crypto_equal(a, b, sizeof(a)));
    assert_true(crypto_equal(a, b, 0));
    for (size_t i = 0; i < sizeof(b); i++) {
        b[i] = 0x80;
        assert_false(crypto_equal(a, b, sizeof(a)));
        assert_true(crypto_equal(a, b, i));
        b[i] = 0;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_and_idsns_are_the_known_ones),
        cmocka_unit_test(join_hmacs_are_the_known_ones),
        cmocka_unit_test(add_addr_hmacs_are_the_known_ones),
        cmocka_unit_test(those_of_version_0_are_the_known_ones),
        cmocka_unit_test(everything_agrees_with_libcryptos_own_hmac),
        cmocka_unit_test(the_two_directions_have_different_hmacs),
        cmocka_unit_test(comparison_looks_at_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
