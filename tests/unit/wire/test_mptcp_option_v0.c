/* Options of version 0 (RFC 6824): the lengths, the layout of ADD_ADDR, and what does not exist. */
#include "test_wire.h"

#include <wire/mptcp_option_v0.h>
#include <wire/tcp_segment.h>

#define KEY_A 1, 2, 3, 4, 5, 6, 7, 8
#define KEY_B 9, 10, 11, 12, 13, 14, 15, 16
#define OPTION(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static struct mptcp_option decoded(const uint8_t *bytes, size_t length) {
    struct mptcp_option o;
    assert_int_equal(mptcp_option_decode_v0(bytes, (uint32_t)length, &o), MPTCP_DECODE_OK);
    return o;
}

static enum mptcp_decode_result result_of(const uint8_t *bytes, size_t length) {
    struct mptcp_option o;
    return mptcp_option_decode_v0(bytes, (uint32_t)length, &o);
}

static void mp_capable_has_a_key_with_a_syn_and_two_without(void **state) {
    (void)state;
    struct mp_capable c = decoded(OPTION(30, 12, 0x00, 0x81, KEY_A)).as.mp_capable;
    assert_true(c.version == 0 && c.checksum_required && c.hmac_sha256 && c.has_sender_key && !c.has_receiver_key);
    assert_true(c.sender_key == UINT64_C(0x0102030405060708));
    c = decoded(OPTION(30, 20, 0x00, 0x01, KEY_A, KEY_B)).as.mp_capable;
    assert_true(c.has_receiver_key && c.receiver_key == UINT64_C(0x090a0b0c0d0e0f10) && !c.has_data_length);
    assert_int_equal(result_of(OPTION(30, 4, 0x00, 0x81)), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(result_of(OPTION(30, 22, 0x00, 0x81, KEY_A, KEY_B, 0, 1)), MPTCP_DECODE_BAD_LENGTH);
}

/* [R-6824-3.4.1-1] */
static void add_addr_says_its_ip_version_and_has_no_hmac(void **state) {
    (void)state;
    struct add_addr a = decoded(OPTION(30, 8, 0x34, 7, 10, 0, 0, 1)).as.add_addr;
    assert_true(!a.echo && a.address_id == 7 && a.address.family == IP_V4 && !a.has_port);
    assert_memory_equal(a.address.bytes, "\x0a\x00\x00\x01", 4);
    a = decoded(OPTION(30, 10, 0x34, 7, 10, 0, 0, 1, 0x1f, 0x90)).as.add_addr;
    assert_true(a.has_port && a.port == 8080);
    a = decoded(OPTION(30, 20, 0x36, 9, KEY_A, KEY_B)).as.add_addr;
    assert_true(a.address.family == IP_V6 && a.address_id == 9 && !a.has_port);
    a = decoded(OPTION(30, 22, 0x36, 9, KEY_A, KEY_B, 0, 80)).as.add_addr;
    assert_true(a.has_port && a.port == 80);
    /* Family and length contradict; version 1's layout; no such family. */
    assert_int_equal(result_of(OPTION(30, 20, 0x34, 9, KEY_A, KEY_B)), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(result_of(OPTION(30, 8, 0x36, 9, 1, 2, 3, 4)), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(result_of(OPTION(30, 16, 0x30, 9, 1, 2, 3, 4, KEY_A)), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(result_of(OPTION(30, 16, 0x34, 9, 1, 2, 3, 4, KEY_A)), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(result_of(OPTION(30, 8, 0x35, 9, 1, 2, 3, 4)), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(result_of(OPTION(30, 3, 0x34)), MPTCP_DECODE_BAD_LENGTH);
}

static void there_is_neither_mp_tcprst_nor_echo(void **state) {
    (void)state;
    uint8_t out[MPTCP_OPTION_MAX];
    struct mptcp_option o = {.subtype = MPTCP_MP_TCPRST};
    assert_int_equal(result_of(OPTION(30, 4, 0x80, 1)), MPTCP_DECODE_UNKNOWN_SUBTYPE);
    assert_int_equal(mptcp_option_encode_v0(&o, out, sizeof(out)), 0);
    o = (struct mptcp_option){.subtype = MPTCP_ADD_ADDR, .as.add_addr = {.echo = true, .address.family = IP_V4}};
    assert_int_equal(mptcp_option_encode_v0(&o, out, sizeof(out)), 0);
}

static void an_hmac_is_left_out(void **state) {
    (void)state;
    uint8_t out[MPTCP_OPTION_MAX];
    struct mptcp_option o = {.subtype = MPTCP_ADD_ADDR,
                             .as.add_addr = {.address_id = 3, .address.family = IP_V4, .hmac = UINT64_MAX}};
    assert_int_equal(mptcp_option_encode_v0(&o, out, 7), 0);
    assert_int_equal(mptcp_option_encode_v0(&o, out, 8), 8);
    assert_memory_equal(out, "\x1e\x08\x34\x03\x00\x00\x00\x00", 8);
}

/* Each option that both versions have in common is read alike, whatever its bytes. */
static void all_else_is_as_in_version_1(void **state) {
    (void)state;
    struct prng prng;
    int good = 0;
    prng_seed(&prng, 1);
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[MPTCP_OPTION_MAX];
        uint32_t length = 3 + (uint32_t)prng_below(&prng, MPTCP_OPTION_MAX - 2);
        random_bytes(&prng, bytes, sizeof(bytes));
        bytes[0] = 30;
        bytes[1] = (uint8_t)length;
        unsigned subtype = bytes[2] >> 4;
        struct mptcp_option zero = {0}, one = {0};
        if (subtype == MPTCP_ADD_ADDR || subtype == MPTCP_MP_TCPRST) continue;
        enum mptcp_decode_result result = mptcp_option_decode(bytes, length, &one);
        assert_int_equal(mptcp_option_decode_v0(bytes, length, &zero), result);
        if (result != MPTCP_DECODE_OK) continue;
        assert_memory_equal(&zero, &one, sizeof(one));
        good++;
    }
    assert_true(good > 3000);
}

/* [R-6824-3.1-2] Whatever decodes encodes into the same bytes. */
static void random_options_survive_the_round_trip(void **state) {
    (void)state;
    struct prng prng;
    int good = 0;
    prng_seed(&prng, 2);
    for (int i = 0; i < 300000; i++) {
        uint8_t bytes[MPTCP_OPTION_MAX], again[MPTCP_OPTION_MAX];
        static const uint8_t lengths[] = {8, 10, 12, 20, 22};
        uint32_t length = lengths[prng_below(&prng, sizeof(lengths))];
        random_bytes(&prng, bytes, sizeof(bytes));
        bytes[0] = 30;
        bytes[1] = (uint8_t)length;
        bytes[2] = i % 2 == 0 ? (uint8_t)(0x30 | (bytes[2] & 0xf)) : 0x00;
        if (i % 2 == 1) bytes[3] &= 0xe1; /* the flags that have names */
        struct mptcp_option o;
        if (mptcp_option_decode_v0(bytes, length, &o) != MPTCP_DECODE_OK) continue;
        assert_int_equal(mptcp_option_encode_v0(&o, again, sizeof(again)), length);
        assert_memory_equal(bytes, again, length);
        assert_int_equal(mptcp_option_encode_v0(&o, again, length - 1), 0);
        good++;
    }
    assert_true(good > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_capable_has_a_key_with_a_syn_and_two_without),
        cmocka_unit_test(add_addr_says_its_ip_version_and_has_no_hmac),
        cmocka_unit_test(there_is_neither_mp_tcprst_nor_echo),
        cmocka_unit_test(an_hmac_is_left_out),
        cmocka_unit_test(all_else_is_as_in_version_1),
        cmocka_unit_test(random_options_survive_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
