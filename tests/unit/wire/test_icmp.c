#include "test_wire.h"
#include <wire/checksum.h>
#include <wire/icmp.h>

/* The start of a TCP or UDP packet, as a router would quote it. */
static uint32_t quoted_packet(const struct flow *flow, uint8_t protocol, uint32_t seq, uint8_t *out, size_t room) {
    struct ip_header h = {.source = flow->local, .destination = flow->remote, .protocol = protocol, .ttl = 1,
                          .dont_fragment = true, .payload_length = 1000};
    uint32_t length = ip_encode(&h, out, room);
    struct writer w = writer_of(out + length, room - length);
    write_u16(&w, flow->local_port);
    write_u16(&w, flow->remote_port);
    write_u32(&w, seq);
    assert_false(w.failed);
    return length + 8;
}

static struct flow random_flow(struct prng *prng, enum ip_family family) {
    return (struct flow){random_address(prng, family), random_address(prng, family), (uint16_t)prng_next(prng),
                         (uint16_t)prng_next(prng)};
}

static bool decode_packet(const uint8_t *packet, uint32_t length, struct icmp_error *out) {
    struct ip_header h;
    uint8_t *copy = exact_copy(packet, length);
    assert_int_equal(ip_decode(copy, length, false, &h), IP_OK);
    bool good = icmp_error_decode(&h, copy + h.header_length, h.payload_length, out);
    free(copy);
    return good;
}

static void errors_survive_the_round_trip(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 2000; i++) {
        enum ip_family family = i % 2 == 0 ? IP_V4 : IP_V6;
        enum icmp_error_kind kind = (enum icmp_error_kind)prng_below(&prng, ICMP_OTHER + 1);
        uint8_t protocol = prng_below(&prng, 2) == 0 ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP;
        struct flow flow = random_flow(&prng, family);
        struct ip_address router = random_address(&prng, family);
        uint32_t seq = (uint32_t)prng_next(&prng);
        uint8_t quoted[100], packet[300];
        uint32_t quoted_length = quoted_packet(&flow, protocol, seq, quoted, sizeof(quoted));
        uint32_t length =
            icmp_error_encode(kind, &router, &flow.local, quoted, quoted_length, packet, sizeof(packet));
        assert_int_equal(length, (family == IP_V4 ? 28 : 48) + quoted_length);
        struct icmp_error e;
        assert_true(decode_packet(packet, length, &e));
        assert_int_equal(e.kind, kind);
        assert_true(flow_equal(&e.flow, &flow));
        assert_int_equal(e.protocol, protocol);
        if (protocol == IP_PROTOCOL_TCP) assert_int_equal(e.seq.value, seq);
    }
}

static void packet_too_big_says_what_would_fit(void **state) {
    (void)state;
    struct prng prng;
    uint8_t quoted[100], packet[300];
    struct icmp_error e;
    prng_seed(&prng, 2);
    for (int i = 0; i < 2; i++) {
        struct flow flow = random_flow(&prng, i == 0 ? IP_V4 : IP_V6);
        uint32_t quoted_length = quoted_packet(&flow, IP_PROTOCOL_TCP, 7, quoted, sizeof(quoted));
        uint32_t length = icmp_packet_too_big_encode(1280, &flow.remote, &flow.local, quoted, quoted_length, packet,
                                                     sizeof(packet));
        assert_true(decode_packet(packet, length, &e));
        assert_int_equal(e.kind, ICMP_PACKET_TOO_BIG);
        assert_int_equal(e.mtu, 1280);
    }
}

/* Fills in a message by hand: type, code and second word, then the quotation. */
static bool decode_raw(enum ip_family family, uint8_t type, uint8_t code, uint32_t second, uint8_t protocol,
                       uint32_t quoted_cut, struct icmp_error *e) {
    struct prng prng;
    uint8_t message[200] = {type, code, 0, 0, (uint8_t)(second >> 24), (uint8_t)(second >> 16), (uint8_t)(second >> 8),
                            (uint8_t)second};
    prng_seed(&prng, 3);
    struct flow flow = random_flow(&prng, family);
    uint32_t length = 8 + quoted_packet(&flow, protocol, 7, message + 8, sizeof(message) - 8) - quoted_cut;
    struct ip_header h = {.source = flow.remote, .destination = flow.local, .payload_length = length,
                          .protocol = family == IP_V4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6};
    uint64_t sum = checksum_sum(message, length);
    if (family == IP_V6) sum += checksum_pseudo_header(&h.source, &h.destination, IP_PROTOCOL_ICMPV6, length);
    message[2] = (uint8_t)(checksum_finish(sum) >> 8);
    message[3] = (uint8_t)checksum_finish(sum);
    uint8_t *copy = exact_copy(message, length);
    bool good = icmp_error_decode(&h, copy, length, e);
    free(copy);
    return good;
}

static void every_code_has_its_meaning(void **state) {
    (void)state;
    static const struct {
        enum ip_family family;
        uint8_t type, code;
        enum icmp_error_kind kind;
    } cases[] = {
        {IP_V4, 3, 0, ICMP_NET_UNREACHABLE},   {IP_V4, 3, 1, ICMP_HOST_UNREACHABLE}, {IP_V4, 3, 2, ICMP_OTHER},
        {IP_V4, 3, 3, ICMP_PORT_UNREACHABLE},  {IP_V4, 3, 4, ICMP_PACKET_TOO_BIG},   {IP_V4, 3, 6, ICMP_NET_UNREACHABLE},
        {IP_V4, 3, 7, ICMP_HOST_UNREACHABLE},  {IP_V4, 3, 9, ICMP_PROHIBITED},       {IP_V4, 3, 10, ICMP_PROHIBITED},
        {IP_V4, 3, 13, ICMP_PROHIBITED},       {IP_V4, 11, 0, ICMP_TIME_EXCEEDED},   {IP_V4, 12, 0, ICMP_OTHER},
        {IP_V6, 1, 0, ICMP_NET_UNREACHABLE},   {IP_V6, 1, 1, ICMP_PROHIBITED},       {IP_V6, 1, 3, ICMP_HOST_UNREACHABLE},
        {IP_V6, 1, 4, ICMP_PORT_UNREACHABLE},  {IP_V6, 1, 5, ICMP_PROHIBITED},       {IP_V6, 1, 6, ICMP_PROHIBITED},
        {IP_V6, 2, 0, ICMP_PACKET_TOO_BIG},    {IP_V6, 3, 0, ICMP_TIME_EXCEEDED},    {IP_V6, 4, 1, ICMP_OTHER},
    };
    struct icmp_error e;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_true(decode_raw(cases[i].family, cases[i].type, cases[i].code, 1400, IP_PROTOCOL_TCP, 0, &e));
        assert_int_equal(e.kind, cases[i].kind);
        assert_int_equal(e.mtu, cases[i].kind == ICMP_PACKET_TOO_BIG ? 1400 : 0);
    }
}

/* [R-1122-3.2.2-1] */
static void what_is_no_error_about_tcp_or_udp_is_refused(void **state) {
    (void)state;
    struct icmp_error e;
    assert_false(decode_raw(IP_V4, 8, 0, 0, IP_PROTOCOL_TCP, 0, &e));   /* echo request */
    assert_false(decode_raw(IP_V4, 0, 0, 0, IP_PROTOCOL_TCP, 0, &e));
    assert_false(decode_raw(IP_V4, 4, 0, 0, IP_PROTOCOL_TCP, 0, &e));   /* source quench, RFC 6633 */
    assert_false(decode_raw(IP_V4, 5, 0, 0, IP_PROTOCOL_TCP, 0, &e));   /* redirect */
    assert_false(decode_raw(IP_V6, 128, 0, 0, IP_PROTOCOL_TCP, 0, &e)); /* echo request */
    assert_false(decode_raw(IP_V6, 135, 0, 0, IP_PROTOCOL_TCP, 0, &e)); /* neighbour solicitation */
    assert_false(decode_raw(IP_V4, 3, 1, 0, IP_PROTOCOL_ICMP, 0, &e));
}

static void too_short_a_quotation_is_refused(void **state) {
    (void)state;
    struct icmp_error e;
    for (int i = 0; i < 2; i++) {
        enum ip_family family = i == 0 ? IP_V4 : IP_V6;
        uint8_t type = i == 0 ? 3 : 1;
        assert_true(decode_raw(family, type, 1, 0, IP_PROTOCOL_TCP, 0, &e));
        for (uint32_t cut = 1; cut <= (i == 0 ? 28u : 48u); cut++)
            assert_false(decode_raw(family, type, 1, 0, IP_PROTOCOL_TCP, cut, &e));
    }
}

static void any_damage_to_the_message_is_noticed(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 4);
    for (int i = 0; i < 2; i++) {
        struct flow flow = random_flow(&prng, i == 0 ? IP_V4 : IP_V6);
        uint8_t quoted[100], packet[300];
        uint32_t quoted_length = quoted_packet(&flow, IP_PROTOCOL_TCP, 7, quoted, sizeof(quoted));
        uint32_t length = icmp_error_encode(ICMP_HOST_UNREACHABLE, &flow.remote, &flow.local, quoted, quoted_length,
                                            packet, sizeof(packet));
        struct icmp_error e;
        for (uint32_t bit = (i == 0 ? 20 : 40) * 8; bit < length * 8; bit++) {
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(decode_packet(packet, length, &e));
            packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void quotations_are_cut_and_small_room_is_respected(void **state) {
    (void)state;
    struct ip_address a = address("192.0.2.1");
    uint8_t quoted[1500] = {0x45}, out[300];
    assert_int_equal(icmp_error_encode(ICMP_PORT_UNREACHABLE, &a, &a, quoted, sizeof(quoted), out, sizeof(out)), 156);
    for (size_t room = 0; room < 156; room++)
        assert_int_equal(icmp_error_encode(ICMP_PORT_UNREACHABLE, &a, &a, quoted, sizeof(quoted), out, room), 0);
}

static void no_bytes_make_it_read_out_of_bounds(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 5);
    for (int i = 0; i < 50000; i++) {
        enum ip_family family = i % 2 == 0 ? IP_V4 : IP_V6;
        struct flow flow = random_flow(&prng, family);
        uint8_t message[200] = {family == IP_V4 ? 3 : 1};
        uint32_t length = 8 + quoted_packet(&flow, IP_PROTOCOL_TCP, 1, message + 8, sizeof(message) - 8);
        damage(&prng, message, length);
        length = (uint32_t)prng_below(&prng, length + 1);
        struct ip_header h = {.source = flow.remote, .destination = flow.local,
                              .protocol = family == IP_V4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6};
        if (length >= 4) { /* so that the checksum does not shield the rest */
            message[2] = message[3] = 0;
            uint64_t sum = checksum_sum(message, length);
            if (family == IP_V6) sum += checksum_pseudo_header(&h.source, &h.destination, IP_PROTOCOL_ICMPV6, length);
            message[2] = (uint8_t)(checksum_finish(sum) >> 8);
            message[3] = (uint8_t)checksum_finish(sum);
        }
        uint8_t *copy = exact_copy(message, length);
        struct icmp_error e;
        if (icmp_error_decode(&h, copy, length, &e)) assert_true(e.protocol == 6 || e.protocol == 17);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_survive_the_round_trip),
        cmocka_unit_test(packet_too_big_says_what_would_fit),
        cmocka_unit_test(every_code_has_its_meaning),
        cmocka_unit_test(what_is_no_error_about_tcp_or_udp_is_refused),
        cmocka_unit_test(too_short_a_quotation_is_refused),
        cmocka_unit_test(any_damage_to_the_message_is_noticed),
        cmocka_unit_test(quotations_are_cut_and_small_room_is_respected),
        cmocka_unit_test(no_bytes_make_it_read_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
