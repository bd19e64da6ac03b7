#include "test_wire.h"
#include <wire/mptcp_option.h>

#define OPTION(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})
#define KEY_A 1, 2, 3, 4, 5, 6, 7, 8
#define KEY_B 9, 10, 11, 12, 13, 14, 15, 16

static enum mptcp_decode_result decode(const uint8_t *bytes, size_t length, struct mptcp_option *out) {
    uint8_t *copy = exact_copy(bytes, length);
    enum mptcp_decode_result result = mptcp_option_decode(copy, (uint32_t)length, out);
    free(copy);
    return result;
}

/* Decodes, and checks that encoding gives the same bytes again. */
static struct mptcp_option decoded(const uint8_t *bytes, size_t length) {
    struct mptcp_option option;
    uint8_t again[MPTCP_OPTION_MAX];
    assert_int_equal(decode(bytes, length, &option), MPTCP_DECODE_OK);
    assert_int_equal(mptcp_option_encode(&option, again, sizeof(again)), length);
    assert_memory_equal(again, bytes, length);
    for (size_t room = 0; room < length; room++) assert_int_equal(mptcp_option_encode(&option, again, room), 0);
    return option;
}

static void mp_capable_has_five_forms(void **state) {
    (void)state;
    struct mp_capable c = decoded(OPTION(30, 4, 0x01, 0x81)).as.mp_capable;
    assert_int_equal(c.version, 1);
    assert_true(c.checksum_required && c.hmac_sha256 && !c.extensibility && !c.no_join_to_source);
    assert_false(c.has_sender_key || c.has_receiver_key || c.has_data_length || c.has_checksum);
    c = decoded(OPTION(30, 12, 0x01, 0x61, KEY_A)).as.mp_capable;
    assert_true(c.extensibility && c.no_join_to_source && !c.checksum_required);
    assert_true(c.has_sender_key && !c.has_receiver_key && c.sender_key == UINT64_C(0x0102030405060708));
    c = decoded(OPTION(30, 20, 0x01, 0x01, KEY_A, KEY_B)).as.mp_capable;
    assert_true(c.has_receiver_key && !c.has_data_length && c.receiver_key == UINT64_C(0x090a0b0c0d0e0f10));
    c = decoded(OPTION(30, 22, 0x01, 0x01, KEY_A, KEY_B, 0x05, 0xa0)).as.mp_capable;
    assert_true(c.has_data_length && !c.has_checksum && c.data_length == 1440);
    c = decoded(OPTION(30, 24, 0x01, 0x01, KEY_A, KEY_B, 0x05, 0xa0, 0xbe, 0xef)).as.mp_capable;
    assert_true(c.has_checksum && c.checksum == 0xbeef);
}

static void mp_capable_keeps_all_flags_as_received(void **state) {
    (void)state;
    struct mptcp_option o;
    assert_int_equal(decode(OPTION(30, 4, 0x01, 0x3f), &o), MPTCP_DECODE_OK);
    assert_int_equal(o.as.mp_capable.flags, 0x3f);
}

static void mp_capable_of_another_version_can_be_answered(void **state) {
    (void)state;
    struct mptcp_option o;
    assert_int_equal(decode(OPTION(30, 12, 0x00, 0x81, KEY_A), &o), MPTCP_DECODE_OK);
    assert_int_equal(o.as.mp_capable.version, 0);
    assert_true(o.as.mp_capable.has_sender_key && o.as.mp_capable.sender_key == UINT64_C(0x0102030405060708));
    assert_int_equal(decode(OPTION(30, 20, 0x00, 0x01, KEY_A, KEY_B), &o), MPTCP_DECODE_OK);
    assert_true(o.as.mp_capable.has_receiver_key && !o.as.mp_capable.has_data_length);
    assert_int_equal(decode(OPTION(30, 7, 0x0f, 0x81, 1, 2, 3), &o), MPTCP_DECODE_OK);
    assert_int_equal(o.as.mp_capable.version, 15);
    assert_false(o.as.mp_capable.has_sender_key);
    assert_int_equal(decode(OPTION(30, 3, 0x02), &o), MPTCP_DECODE_BAD_LENGTH);
}

static void mp_join_has_three_forms(void **state) {
    (void)state;
    struct mp_join j = decoded(OPTION(30, 12, 0x11, 7, 0xde, 0xad, 0xbe, 0xef, 1, 2, 3, 4)).as.mp_join;
    assert_int_equal(j.form, MP_JOIN_SYN);
    assert_true(j.backup);
    assert_int_equal(j.address_id, 7);
    assert_int_equal(j.token, 0xdeadbeef);
    assert_int_equal(j.nonce, 0x01020304);
    j = decoded(OPTION(30, 16, 0x10, 8, KEY_A, 0, 0, 0, 9)).as.mp_join;
    assert_int_equal(j.form, MP_JOIN_SYN_ACK);
    assert_false(j.backup);
    assert_true(j.hmac64 == UINT64_C(0x0102030405060708));
    assert_int_equal(j.nonce, 9);
    j = decoded(OPTION(30, 24, 0x10, 0, KEY_A, KEY_B, 17, 18, 19, 20)).as.mp_join;
    assert_int_equal(j.form, MP_JOIN_ACK);
    for (int i = 0; i < 20; i++) assert_int_equal(j.hmac160[i], i + 1);
}

static void dss_fields_follow_from_its_flags(void **state) {
    (void)state;
    struct dss d = decoded(OPTION(30, 8, 0x20, 0x01, 1, 2, 3, 4)).as.dss;
    assert_true(d.has_data_ack && !d.data_ack_64 && !d.has_mapping && d.data_ack == 0x01020304);
    d = decoded(OPTION(30, 12, 0x20, 0x03, KEY_A)).as.dss;
    assert_true(d.data_ack_64 && d.data_ack == UINT64_C(0x0102030405060708));
    d = decoded(OPTION(30, 14, 0x20, 0x04, 1, 2, 3, 4, 0, 0, 0, 5, 0, 6)).as.dss;
    assert_true(d.has_mapping && !d.dsn_64 && !d.has_checksum && !d.has_data_ack && d.dsn == 0x01020304);
    assert_int_equal(d.subflow_seq, 5);
    assert_int_equal(d.data_length, 6);
    d = decoded(OPTION(30, 16, 0x20, 0x04, 1, 2, 3, 4, 0, 0, 0, 5, 0, 6, 0xca, 0xfe)).as.dss;
    assert_true(d.has_checksum && d.checksum == 0xcafe);
    d = decoded(OPTION(30, 28, 0x20, 0x1f, KEY_A, KEY_B, 0, 0, 0, 1, 0xff, 0xff, 1, 2)).as.dss;
    assert_true(d.data_fin && d.data_ack_64 && d.dsn_64 && d.has_checksum && d.dsn == UINT64_C(0x090a0b0c0d0e0f10));
    d = decoded(OPTION(30, 26, 0x20, 0x0f, KEY_A, KEY_B, 0, 0, 0, 1, 0xff, 0xff)).as.dss;
    assert_false(d.data_fin || d.has_checksum);
    assert_int_equal(d.data_length, 0xffff);
}

static void reserved_bits_are_ignored(void **state) {
    (void)state;
    struct mptcp_option o;
    assert_int_equal(decode(OPTION(30, 8, 0x2f, 0xe1, 1, 2, 3, 4), &o), MPTCP_DECODE_OK);
    assert_true(o.as.dss.has_data_ack && !o.as.dss.has_mapping);
    assert_int_equal(decode(OPTION(30, 8, 0x20, 0x09, 1, 2, 3, 4), &o), MPTCP_DECODE_OK); /* m without M */
    assert_false(o.as.dss.dsn_64);
    assert_int_equal(decode(OPTION(30, 12, 0x1e, 7, 0, 0, 0, 1, 0, 0, 0, 2), &o), MPTCP_DECODE_OK);
    assert_false(o.as.mp_join.backup);
    assert_int_equal(decode(OPTION(30, 12, 0x6f, 0xff, KEY_A), &o), MPTCP_DECODE_OK);
    assert_int_equal(decode(OPTION(30, 3, 0x5f), &o), MPTCP_DECODE_OK);
    assert_true(o.as.mp_prio.backup);
}

static void add_addr_has_eight_forms(void **state) {
    (void)state;
    struct ip_address v4 = address("192.0.2.1"), v6 = address("2001:db8::1");
#define V4_BYTES 192, 0, 2, 1
#define V6_BYTES 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1
    struct add_addr a = decoded(OPTION(30, 16, 0x30, 5, V4_BYTES, KEY_A)).as.add_addr;
    assert_true(!a.echo && !a.has_port && ip_address_equal(&a.address, &v4));
    assert_int_equal(a.address_id, 5);
    assert_true(a.hmac == UINT64_C(0x0102030405060708));
    a = decoded(OPTION(30, 18, 0x30, 5, V4_BYTES, 0x1f, 0x90, KEY_A)).as.add_addr;
    assert_true(a.has_port && a.port == 8080 && a.hmac == UINT64_C(0x0102030405060708));
    a = decoded(OPTION(30, 28, 0x30, 5, V6_BYTES, KEY_A)).as.add_addr;
    assert_true(!a.has_port && ip_address_equal(&a.address, &v6));
    a = decoded(OPTION(30, 30, 0x30, 5, V6_BYTES, 0x1f, 0x90, KEY_A)).as.add_addr;
    assert_true(a.has_port && a.port == 8080);
    a = decoded(OPTION(30, 8, 0x31, 5, V4_BYTES)).as.add_addr;
    assert_true(a.echo && !a.has_port && ip_address_equal(&a.address, &v4));
    a = decoded(OPTION(30, 10, 0x31, 5, V4_BYTES, 0x1f, 0x90)).as.add_addr;
    assert_true(a.echo && a.has_port && a.port == 8080);
    a = decoded(OPTION(30, 20, 0x31, 5, V6_BYTES)).as.add_addr;
    assert_true(a.echo && !a.has_port && ip_address_equal(&a.address, &v6));
    a = decoded(OPTION(30, 22, 0x31, 5, V6_BYTES, 0x1f, 0x90)).as.add_addr;
    assert_true(a.echo && a.has_port && a.port == 8080);
}

static void remove_addr_lists_as_many_as_there_is_room(void **state) {
    (void)state;
    struct remove_addr r = decoded(OPTION(30, 4, 0x40, 9)).as.remove_addr;
    assert_int_equal(r.count, 1);
    assert_int_equal(r.address_ids[0], 9);
    uint8_t most[40] = {30, 40, 0x40};
    for (uint8_t i = 3; i < 40; i++) most[i] = i;
    r = decoded(most, 40).as.remove_addr;
    assert_int_equal(r.count, 37);
    assert_int_equal(r.address_ids[36], 39);
}

static void the_short_options_are_read(void **state) {
    (void)state;
    struct mptcp_option o = decoded(OPTION(30, 3, 0x51));
    assert_true(o.as.mp_prio.backup && !o.as.mp_prio.has_address_id);
    o = decoded(OPTION(30, 4, 0x50, 6));
    assert_true(!o.as.mp_prio.backup && o.as.mp_prio.has_address_id && o.as.mp_prio.address_id == 6);
    o = decoded(OPTION(30, 12, 0x60, 0, KEY_A));
    assert_true(o.as.mp_fail.dsn == UINT64_C(0x0102030405060708));
    o = decoded(OPTION(30, 12, 0x70, 0, KEY_A));
    assert_true(o.as.mp_fastclose.receiver_key == UINT64_C(0x0102030405060708));
    o = decoded(OPTION(30, 4, 0x81, 3));
    assert_true(o.as.mp_tcprst.transient && o.as.mp_tcprst.reason == MPTCP_RESET_PROHIBITED);
    o = decoded(OPTION(30, 4, 0x8e, 0));
    assert_true(!o.as.mp_tcprst.transient && o.as.mp_tcprst.flags == 0xe);
}

static bool length_is_right(uint8_t subtype, uint8_t third, uint8_t fourth, uint32_t length) {
    uint32_t ack, map;
    switch (subtype) {
    case MPTCP_MP_CAPABLE:
        if ((third & 0xf) == MPTCP_VERSION_0) return length == 12 || length == 20;
        if ((third & 0xf) != MPTCP_VERSION) return length >= 4;
        return length == 4 || length == 12 || length == 20 || length == 22 || length == 24;
    case MPTCP_MP_JOIN: return length == 12 || length == 16 || length == 24;
    case MPTCP_DSS:
        ack = fourth & 1 ? (fourth & 2 ? 8 : 4) : 0;
        map = fourth & 4 ? (fourth & 8 ? 14 : 10) : 0;
        return length == 4 + ack + map || (map > 0 && length == 4 + ack + map + 2);
    case MPTCP_ADD_ADDR:
        if (third & 1) return length == 8 || length == 10 || length == 20 || length == 22;
        return length == 16 || length == 18 || length == 28 || length == 30;
    case MPTCP_REMOVE_ADDR: return length >= 4;
    case MPTCP_MP_PRIO: return length == 3 || length == 4;
    case MPTCP_MP_FAIL: return length == 12;
    case MPTCP_MP_FASTCLOSE: return length == 12;
    default: return length == 4;
    }
}

/* All subtypes, all values of the two bytes that steer, all lengths. */
static void only_the_rfcs_lengths_are_taken(void **state) {
    (void)state;
    uint8_t bytes[MPTCP_OPTION_MAX] = {30};
    struct mptcp_option o;
    for (unsigned third = 0; third < 256; third++) {
        for (unsigned fourth = 0; fourth < 256; fourth++) {
            bytes[2] = (uint8_t)third;
            bytes[3] = (uint8_t)fourth;
            for (uint32_t length = 3; length <= MPTCP_OPTION_MAX; length++) {
                uint8_t subtype = (uint8_t)(third >> 4);
                bytes[1] = (uint8_t)length;
                enum mptcp_decode_result expected = MPTCP_DECODE_UNKNOWN_SUBTYPE;
                if (subtype <= MPTCP_MP_TCPRST)
                    expected = length_is_right(subtype, (uint8_t)third, (uint8_t)fourth, length)
                                   ? MPTCP_DECODE_OK
                                   : MPTCP_DECODE_BAD_LENGTH;
                if (mptcp_option_decode(bytes, length, &o) != expected)
                    fail_msg("third byte %02x, fourth %02x, length %u", third, fourth, length);
            }
        }
    }
}

static void what_is_no_whole_mptcp_option_is_refused(void **state) {
    (void)state;
    struct mptcp_option o;
    assert_int_equal(decode(NULL, 0, &o), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(decode(OPTION(30), &o), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(decode(OPTION(30, 2), &o), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(decode(OPTION(30, 4, 0x81), &o), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(decode(OPTION(30, 3, 0x81, 0), &o), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(decode(OPTION(29, 4, 0x81, 0), &o), MPTCP_DECODE_BAD_LENGTH);
    assert_int_equal(decode(OPTION(30, 3, 0xf0), &o), MPTCP_DECODE_UNKNOWN_SUBTYPE);
}

static void fields_that_need_others_are_not_sent_alone(void **state) {
    (void)state;
    uint8_t out[MPTCP_OPTION_MAX];
    struct mptcp_option o = {.subtype = MPTCP_MP_CAPABLE, .as.mp_capable = {.version = 1, .has_receiver_key = true}};
    assert_int_equal(mptcp_option_encode(&o, out, sizeof(out)), 0);
    o.as.mp_capable = (struct mp_capable){.version = 1, .has_data_length = true};
    assert_int_equal(mptcp_option_encode(&o, out, sizeof(out)), 0);
    o.as.mp_capable = (struct mp_capable){
        .version = 1, .has_sender_key = true, .has_receiver_key = true, .has_checksum = true};
    assert_int_equal(mptcp_option_encode(&o, out, sizeof(out)), 0);
}

static void every_subtype_has_a_name(void **state) {
    (void)state;
    for (int subtype = MPTCP_MP_CAPABLE; subtype <= MPTCP_MP_TCPRST; subtype++)
        assert_string_not_equal(mptcp_subtype_name((enum mptcp_subtype)subtype), "?");
    assert_string_equal(mptcp_subtype_name((enum mptcp_subtype)0xf), "?");
}

/* Whatever decodes encodes into something that decodes into the same. */
static void random_options_survive_the_round_trip(void **state) {
    (void)state;
    struct prng prng;
    int good = 0;
    prng_seed(&prng, 1);
    for (int i = 0; i < 300000; i++) {
        uint8_t bytes[MPTCP_OPTION_MAX], first[MPTCP_OPTION_MAX], second[MPTCP_OPTION_MAX];
        uint32_t length = (uint32_t)prng_below(&prng, MPTCP_OPTION_MAX + 1);
        random_bytes(&prng, bytes, sizeof(bytes));
        if (i % 10 != 0) {
            bytes[0] = 30;
            bytes[1] = (uint8_t)length;
            bytes[2] %= 0x90;
        }
        struct mptcp_option a, b;
        if (decode(bytes, length, &a) != MPTCP_DECODE_OK) continue;
        if (a.subtype == MPTCP_MP_CAPABLE && a.as.mp_capable.version != MPTCP_VERSION) continue;
        uint32_t first_length = mptcp_option_encode(&a, first, sizeof(first));
        assert_int_equal(first_length, length);
        assert_int_equal(decode(first, first_length, &b), MPTCP_DECODE_OK);
        assert_int_equal(mptcp_option_encode(&b, second, sizeof(second)), length);
        assert_memory_equal(first, second, length);
        good++;
    }
    assert_true(good > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mp_capable_has_five_forms),
        cmocka_unit_test(mp_capable_keeps_all_flags_as_received),
        cmocka_unit_test(mp_capable_of_another_version_can_be_answered),
        cmocka_unit_test(mp_join_has_three_forms),
        cmocka_unit_test(dss_fields_follow_from_its_flags),
        cmocka_unit_test(reserved_bits_are_ignored),
        cmocka_unit_test(add_addr_has_eight_forms),
        cmocka_unit_test(remove_addr_lists_as_many_as_there_is_room),
        cmocka_unit_test(the_short_options_are_read),
        cmocka_unit_test(only_the_rfcs_lengths_are_taken),
        cmocka_unit_test(what_is_no_whole_mptcp_option_is_refused),
        cmocka_unit_test(fields_that_need_others_are_not_sent_alone),
        cmocka_unit_test(every_subtype_has_a_name),
        cmocka_unit_test(random_options_survive_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
