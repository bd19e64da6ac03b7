#include "test_wire.h"
#include <wire/checksum.h>
#include <wire/ip.h>

static struct ip_header header_v4(uint32_t payload_length) {
    return (struct ip_header){.source = address("192.0.2.1"), .destination = address("198.51.100.2"),
                              .protocol = IP_PROTOCOL_TCP, .ttl = 64, .dont_fragment = true,
                              .payload_length = payload_length};
}

static struct ip_header header_v6(uint32_t payload_length) {
    struct ip_header h = header_v4(payload_length);
    h.source = address("2001:db8::1");
    h.destination = address("2001:db8::2");
    return h;
}

static void fix_checksum(uint8_t *header, size_t length) {
    header[10] = header[11] = 0;
    uint16_t checksum = checksum_finish(checksum_sum(header, length));
    header[10] = (uint8_t)(checksum >> 8);
    header[11] = (uint8_t)checksum;
}

static void headers_survive_the_round_trip(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 5000; i++) {
        enum ip_family family = i % 2 == 0 ? IP_V4 : IP_V6;
        struct ip_header in = {.source = random_address(&prng, family),
                               .destination = random_address(&prng, family),
                               .protocol = IP_PROTOCOL_TCP,
                               .ttl = (uint8_t)prng_next(&prng),
                               .ecn = (uint8_t)prng_below(&prng, 4),
                               .traffic_class = (uint8_t)prng_below(&prng, 64),
                               .dont_fragment = family == IP_V6 || prng_below(&prng, 2) == 0,
                               .header_length = family == IP_V4 ? 20 : 40,
                               .payload_length = (uint32_t)prng_below(&prng, 2000)};
        struct ip_header out;
        uint8_t *packet = calloc(1, in.header_length + in.payload_length);
        assert_int_equal(ip_encode(&in, packet, in.header_length), in.header_length);
        assert_int_equal(ip_decode(packet, in.header_length + in.payload_length, false, &out), IP_OK);
        assert_true(ip_address_equal(&in.source, &out.source));
        assert_true(ip_address_equal(&in.destination, &out.destination));
        assert_int_equal(in.protocol, out.protocol);
        assert_int_equal(in.ttl, out.ttl);
        assert_int_equal(in.ecn, out.ecn);
        assert_int_equal(in.traffic_class, out.traffic_class);
        assert_int_equal(in.dont_fragment, out.dont_fragment);
        assert_false(out.is_fragment);
        assert_int_equal(in.header_length, out.header_length);
        assert_int_equal(in.payload_length, out.payload_length);
        free(packet);
    }
}

static void a_header_that_does_not_fit_is_not_written(void **state) {
    (void)state;
    uint8_t out[41];
    struct ip_header v4 = header_v4(10), v6 = header_v6(10);
    for (size_t room = 0; room < 20; room++) assert_int_equal(ip_encode(&v4, out, room), 0);
    for (size_t room = 0; room < 40; room++) assert_int_equal(ip_encode(&v6, out, room), 0);
    assert_int_equal(ip_encode(&v4, out, 20), 20);
    assert_int_equal(ip_encode(&v6, out, 40), 40);
}

/* A header from a real packet (UDP, 192.168.0.1 to 192.168.0.199, DF). */
static void a_known_header_is_read_as_it_is(void **state) {
    (void)state;
    uint8_t packet[0x73] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                            0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    struct ip_header h;
    assert_int_equal(ip_decode(packet, sizeof(packet), false, &h), IP_OK);
    struct ip_address source = address("192.168.0.1"), destination = address("192.168.0.199");
    assert_true(ip_address_equal(&h.source, &source) && ip_address_equal(&h.destination, &destination));
    assert_int_equal(h.protocol, IP_PROTOCOL_UDP);
    assert_int_equal(h.payload_length, 95);
    assert_true(h.dont_fragment);
}

/* [R-1122-3.2.1-1] [R-1122-3.2.1-2] */
static void each_fault_has_its_name(void **state) {
    (void)state;
    uint8_t good[60] = {0}, bad[60];
    struct ip_header h = header_v4(40), out;
    assert_int_equal(ip_encode(&h, good, sizeof(good)), 20);
    assert_int_equal(ip_decode(good, 0, false, &out), IP_TRUNCATED);
    assert_int_equal(ip_decode(good, 19, false, &out), IP_TRUNCATED);
    assert_int_equal(ip_decode(good, 59, false, &out), IP_BAD_TOTAL_LENGTH);
    for (int version = 0; version < 16; version++) {
        if (version == 4 || version == 6) continue;
        memcpy(bad, good, 60);
        bad[0] = (uint8_t)(version << 4 | 5);
        assert_int_equal(ip_decode(bad, 60, false, &out), IP_BAD_VERSION);
    }
    memcpy(bad, good, 60);
    bad[0] = 0x44;
    assert_int_equal(ip_decode(bad, 60, false, &out), IP_BAD_HEADER_LENGTH);
    memcpy(bad, good, 60);
    bad[0] = 0x4f;
    assert_int_equal(ip_decode(bad, 30, false, &out), IP_TRUNCATED);
    memcpy(bad, good, 60);
    bad[3] = 19; /* shorter than the header */
    fix_checksum(bad, 20);
    assert_int_equal(ip_decode(bad, 60, false, &out), IP_BAD_TOTAL_LENGTH);
    memcpy(bad, good, 60);
    bad[8]++;
    assert_int_equal(ip_decode(bad, 60, false, &out), IP_BAD_CHECKSUM);
    for (int result = IP_OK; result <= IP_BAD_EXTENSION; result++)
        assert_string_not_equal(ip_decode_result_name((enum ip_decode_result)result), "?");
}

static void padding_behind_the_packet_is_no_payload(void **state) {
    (void)state;
    uint8_t packet[100] = {0};
    struct ip_header h = header_v4(6), out;
    assert_int_equal(ip_encode(&h, packet, sizeof(packet)), 20);
    assert_int_equal(ip_decode(packet, 46, false, &out), IP_OK); /* as short Ethernet frames arrive */
    assert_int_equal(out.payload_length, 6);
    h = header_v6(6);
    assert_int_equal(ip_encode(&h, packet, sizeof(packet)), 40);
    assert_int_equal(ip_decode(packet, 60, false, &out), IP_OK);
    assert_int_equal(out.payload_length, 6);
    assert_int_equal(ip_decode(packet, 45, false, &out), IP_BAD_TOTAL_LENGTH);
}

/* [MUST-50] */
/* [R-1122-3.2.1-7] */
static void ipv4_options_belong_to_the_header(void **state) {
    (void)state;
    uint8_t packet[64] = {0};
    struct ip_header h = header_v4(44), out;
    assert_int_equal(ip_encode(&h, packet, sizeof(packet)), 20);
    packet[0] = 0x46;
    memset(packet + 20, 1, 4);
    fix_checksum(packet, 24);
    assert_int_equal(ip_decode(packet, 64, false, &out), IP_OK);
    assert_int_equal(out.header_length, 24);
    assert_int_equal(out.payload_length, 40);
}

static void of_a_super_segment_the_buffer_decides_the_length(void **state) {
    (void)state;
    uint8_t *packet = calloc(1, 70040);
    struct ip_header out, v4 = header_v4(70000), v6 = header_v6(70000);
    assert_int_equal(ip_encode(&v4, packet, 20), 20);
    assert_int_equal(packet[2] | packet[3], 0);
    assert_int_equal(ip_decode(packet, 70020, true, &out), IP_OK);
    assert_int_equal(out.payload_length, 70000);
    assert_int_equal(ip_decode(packet, 70020, false, &out), IP_BAD_TOTAL_LENGTH);
    assert_int_equal(ip_encode(&v6, packet, 40), 40);
    assert_int_equal(packet[4] | packet[5], 0);
    assert_int_equal(ip_decode(packet, 70040, true, &out), IP_OK);
    assert_int_equal(out.payload_length, 70000);
    v4.payload_length = 1000; /* a length that is right does no harm */
    assert_int_equal(ip_encode(&v4, packet, 20), 20);
    assert_int_equal(ip_decode(packet, 1020, true, &out), IP_OK);
    assert_int_equal(out.payload_length, 1000);
    free(packet);
}

static void ipv4_fragments_are_recognised(void **state) {
    (void)state;
    uint8_t packet[60] = {0};
    struct ip_header h = header_v4(40), out;
    assert_int_equal(ip_encode(&h, packet, sizeof(packet)), 20);
    static const uint8_t fields[][3] = {{0x20, 0x00, true}, {0x00, 0x01, true}, {0x1f, 0xff, true}, {0x40, 0x00, false},
                                        {0x00, 0x00, false}};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        memcpy(packet + 6, fields[i], 2);
        fix_checksum(packet, 20);
        assert_int_equal(ip_decode(packet, 60, false, &out), IP_OK);
        assert_int_equal(out.is_fragment, fields[i][2]);
        assert_int_equal(out.dont_fragment, fields[i][0] == 0x40);
    }
}

/* An IPv6 packet with these extension headers and 20 bytes behind them. */
static enum ip_decode_result decode_extended(uint8_t first, const uint8_t *extensions, size_t length,
                                             struct ip_header *out) {
    uint8_t packet[40 + 400 + 20] = {0};
    struct ip_header h = header_v6((uint32_t)length + 20);
    h.protocol = first;
    assert_int_equal(ip_encode(&h, packet, sizeof(packet)), 40);
    memcpy(packet + 40, extensions, length);
    uint8_t *copy = exact_copy(packet, 60 + length);
    enum ip_decode_result result = ip_decode(copy, (uint32_t)(60 + length), false, out);
    free(copy);
    return result;
}

static void ipv6_extension_headers_are_walked(void **state) {
    (void)state;
    struct ip_header out;
    static const uint8_t chain[] = {60, 0, 1, 4, 0, 0, 0, 0,                               /* hop by hop: PadN */
                                    43, 1, 0, 0, 0x1e, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   /* a skippable option */
                                    44, 0, 2, 0, 0, 0, 0, 0,                               /* routing, none left */
                                    6,  0, 0, 0, 1, 2, 3, 4};                              /* an atomic fragment */
    assert_int_equal(decode_extended(0, chain, sizeof(chain), &out), IP_OK);
    assert_int_equal(out.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(out.header_length, 40 + sizeof(chain));
    assert_int_equal(out.payload_length, 20);
    assert_false(out.is_fragment);
}

static void ipv6_fragments_are_recognised(void **state) {
    (void)state;
    struct ip_header out;
    static const uint8_t more[] = {6, 0, 0, 1, 0, 0, 0, 1}, later[] = {60, 0, 0, 8, 0, 0, 0, 1};
    assert_int_equal(decode_extended(44, more, 8, &out), IP_OK);
    assert_true(out.is_fragment);
    /* What follows in a later fragment is not a header, though it says 60. */
    assert_int_equal(decode_extended(44, later, 8, &out), IP_OK);
    assert_true(out.is_fragment);
    assert_int_equal(out.payload_length, 20);
}

static void bad_ipv6_extension_headers_are_refused(void **state) {
    (void)state;
    struct ip_header out;
    static const uint8_t too_long[] = {6, 200, 1, 4, 0, 0, 0, 0};
    static const uint8_t not_first[] = {0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0};
    static const uint8_t segments_left[] = {6, 0, 0, 1, 0, 0, 0, 0};
    static const uint8_t must_know[] = {6, 0, 0x9e, 4, 0, 0, 0, 0};
    static const uint8_t overrun[] = {6, 0, 1, 5, 0, 0, 0, 0};
    assert_int_equal(decode_extended(60, too_long, 8, &out), IP_BAD_EXTENSION);
    assert_int_equal(decode_extended(60, not_first, 16, &out), IP_BAD_EXTENSION);
    assert_int_equal(decode_extended(43, segments_left, 8, &out), IP_BAD_EXTENSION);
    assert_int_equal(decode_extended(60, must_know, 8, &out), IP_BAD_EXTENSION);
    assert_int_equal(decode_extended(60, overrun, 8, &out), IP_BAD_EXTENSION);
    uint8_t endless[400] = {0}; /* destination options without end */
    for (size_t i = 0; i < sizeof(endless); i += 8) memcpy(endless + i, (uint8_t[]){60, 0, 1, 4}, 4);
    assert_int_equal(decode_extended(60, endless, sizeof(endless), &out), IP_BAD_EXTENSION);
}

static void quotations_may_be_cut_off(void **state) {
    (void)state;
    uint8_t packet[60] = {0};
    struct ip_header h = header_v4(1000), out;
    assert_int_equal(ip_encode(&h, packet, sizeof(packet)), 20);
    packet[8] = 1; /* its checksum was right before the routers counted down */
    assert_int_equal(ip_decode(packet, 28, false, &out), IP_BAD_TOTAL_LENGTH);
    assert_int_equal(ip_decode_quoted(packet, 28, &out), IP_OK);
    assert_int_equal(out.payload_length, 8);
}

static void no_bytes_make_it_read_out_of_bounds(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 9);
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[120];
        size_t length = prng_below(&prng, sizeof(bytes) + 1);
        random_bytes(&prng, bytes, length);
        if (length > 6 && i % 2 == 0) {
            static const uint8_t nexts[] = {0, 43, 44, 60, 6};
            bytes[0] = 0x60;
            bytes[4] = 0;
            bytes[5] = (uint8_t)prng_below(&prng, 90);
            bytes[6] = nexts[prng_below(&prng, 5)];
            for (size_t k = 40; k < length; k++)
                if (prng_below(&prng, 2) == 0) bytes[k] = nexts[prng_below(&prng, 5)];
        } else if (length > 20) {
            bytes[0] = (uint8_t)(0x40 | prng_below(&prng, 16));
            bytes[2] = 0;
            bytes[3] = (uint8_t)prng_below(&prng, 140);
            if ((bytes[0] & 0xfu) >= 5 && (bytes[0] & 0xfu) * 4 <= length) fix_checksum(bytes, (bytes[0] & 0xfu) * 4);
        }
        uint8_t *copy = exact_copy(bytes, length);
        struct ip_header h;
        if (ip_decode(copy, (uint32_t)length, i % 3 == 0, &h) == IP_OK)
            assert_true(h.header_length + h.payload_length <= length);
        if (ip_decode_quoted(copy, (uint32_t)length, &h) == IP_OK)
            assert_true(h.header_length + h.payload_length <= length);
        free(copy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_survive_the_round_trip),
        cmocka_unit_test(a_header_that_does_not_fit_is_not_written),
        cmocka_unit_test(a_known_header_is_read_as_it_is),
        cmocka_unit_test(each_fault_has_its_name),
        cmocka_unit_test(padding_behind_the_packet_is_no_payload),
        cmocka_unit_test(ipv4_options_belong_to_the_header),
        cmocka_unit_test(of_a_super_segment_the_buffer_decides_the_length),
        cmocka_unit_test(ipv4_fragments_are_recognised),
        cmocka_unit_test(ipv6_extension_headers_are_walked),
        cmocka_unit_test(ipv6_fragments_are_recognised),
        cmocka_unit_test(bad_ipv6_extension_headers_are_refused),
        cmocka_unit_test(quotations_may_be_cut_off),
        cmocka_unit_test(no_bytes_make_it_read_out_of_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
