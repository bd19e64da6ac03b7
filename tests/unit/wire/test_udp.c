#include "test_wire.h"
#include <wire/udp.h>

static void datagrams_survive_the_round_trip(void **state) {
    (void)state;
    struct prng prng;
    static uint8_t payload[3000], packet[4000];
    prng_seed(&prng, 1);
    for (int i = 0; i < 3000; i++) {
        enum ip_family family = i % 2 == 0 ? IP_V4 : IP_V6;
        struct ip_address source = random_address(&prng, family), destination = random_address(&prng, family);
        uint16_t from = (uint16_t)prng_next(&prng), to = (uint16_t)prng_next(&prng);
        uint32_t length = (uint32_t)prng_below(&prng, sizeof(payload));
        random_bytes(&prng, payload, length);
        uint32_t packet_length =
            udp_packet_encode(&source, &destination, from, to, payload, length, packet, sizeof(packet));
        struct ip_header h;
        struct udp_datagram d;
        assert_int_equal(ip_decode(packet, packet_length, false, &h), IP_OK);
        assert_int_equal(h.protocol, IP_PROTOCOL_UDP);
        assert_true(udp_decode(packet + h.header_length, h.payload_length, &h.source, &h.destination, false, &d));
        assert_int_equal(d.source_port, from);
        assert_int_equal(d.destination_port, to);
        assert_int_equal(d.payload_length, length);
        assert_memory_equal(d.payload, payload, length);
    }
}

static void any_damage_is_noticed(void **state) {
    (void)state;
    struct ip_address source = address("192.0.2.1"), destination = address("192.0.2.2");
    uint8_t packet[100];
    uint32_t length = udp_packet_encode(&source, &destination, 53, 1053, "hello", 5, packet, sizeof(packet));
    struct udp_datagram d;
    assert_int_equal(length, 33);
    for (uint32_t bit = 20 * 8; bit < length * 8; bit++) {
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(udp_decode(packet + 20, length - 20, &source, &destination, false, &d));
        packet[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    packet[30] ^= 1;
    assert_true(udp_decode(packet + 20, length - 20, &source, &destination, true, &d)); /* vouched for */
}

static void only_ipv4_may_go_without_a_checksum(void **state) {
    (void)state;
    static const uint8_t bytes[] = {0, 53, 0, 54, 0, 10, 0, 0, 'h', 'i'};
    struct ip_address v4 = address("192.0.2.1"), v6 = address("2001:db8::1");
    struct udp_datagram d;
    assert_true(udp_decode(bytes, sizeof(bytes), &v4, &v4, false, &d));
    assert_false(udp_decode(bytes, sizeof(bytes), &v6, &v6, false, &d));
}

static void a_checksum_of_zero_is_sent_as_all_ones(void **state) {
    (void)state;
    struct ip_address a = address("192.0.2.1"), b = address("192.0.2.2");
    uint8_t packet[64];
    struct udp_datagram d;
    int seen = 0;
    for (uint32_t value = 0; value < 65536; value++) {
        const uint8_t payload[2] = {(uint8_t)(value >> 8), (uint8_t)value};
        uint32_t length = udp_packet_encode(&a, &b, 1, 2, payload, 2, packet, sizeof(packet));
        assert_true(packet[26] != 0 || packet[27] != 0);
        if (packet[26] != 0xff || packet[27] != 0xff) continue;
        assert_true(udp_decode(packet + 20, length - 20, &a, &b, false, &d));
        seen++;
    }
    assert_true(seen >= 1);
}

static void lengths_that_lie_are_refused(void **state) {
    (void)state;
    struct ip_address a = address("192.0.2.1");
    uint8_t bytes[] = {0, 53, 0, 54, 0, 10, 0, 0, 'h', 'i'};
    struct udp_datagram d;
    for (uint32_t length = 0; length < 10; length++) assert_false(udp_decode(bytes, length, &a, &a, false, &d));
    bytes[5] = 7;
    assert_false(udp_decode(bytes, sizeof(bytes), &a, &a, false, &d));
    bytes[5] = 9; /* a byte of padding */
    assert_true(udp_decode(bytes, sizeof(bytes), &a, &a, false, &d));
    assert_int_equal(d.payload_length, 1);
}

static void what_does_not_fit_is_not_written(void **state) {
    (void)state;
    struct ip_address v4 = address("192.0.2.1"), v6 = address("2001:db8::1");
    uint8_t *out = malloc(70000), *payload = calloc(1, 70000);
    assert_int_equal(udp_packet_encode(&v4, &v4, 1, 2, payload, 65507, out, 70000), 65535);
    assert_int_equal(udp_packet_encode(&v4, &v4, 1, 2, payload, 65508, out, 70000), 0);
    assert_int_equal(udp_packet_encode(&v6, &v6, 1, 2, payload, 65527, out, 70000), 65575);
    assert_int_equal(udp_packet_encode(&v6, &v6, 1, 2, payload, 65528, out, 70000), 0);
    for (size_t room = 0; room < 38; room++)
        assert_int_equal(udp_packet_encode(&v4, &v4, 1, 2, payload, 10, out, room), 0);
    assert_int_equal(udp_packet_encode(&v4, &v4, 1, 2, payload, 10, out, 38), 38);
    free(out);
    free(payload);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_survive_the_round_trip),
        cmocka_unit_test(any_damage_is_noticed),
        cmocka_unit_test(only_ipv4_may_go_without_a_checksum),
        cmocka_unit_test(a_checksum_of_zero_is_sent_as_all_ones),
        cmocka_unit_test(lengths_that_lie_are_refused),
        cmocka_unit_test(what_does_not_fit_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
