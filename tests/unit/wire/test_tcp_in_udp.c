/* TCP in UDP, against packets made by hand from its definition. */
#include "test_wire.h"
#include <wire/tcp_in_udp.h>
#include <wire/tcp_segment.h>

/* 40000 -> 443, seq 0x01020304, ack 0x11121314, offset 8, ACK|PSH, window 0xabcd, timestamps. */
static const uint8_t as_tcp[] = {
    0x9c, 0x40, 0x01, 0xbb,             /* ports */
    0x01, 0x02, 0x03, 0x04,             /* sequence number */
    0x11, 0x12, 0x13, 0x14,             /* acknowledgement number */
    0x80, 0x18, 0xab, 0xcd,             /* offset, flags, window */
    0x00, 0x00, 0x00, 0x00,             /* checksum, urgent pointer */
    0x01, 0x01, 0x08, 0x0a, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed, 0xfa, 0xce,
};
/* The same after the UDP header. */
static const uint8_t in_udp[] = {
    0x80, 0x18, 0xab, 0xcd,             /* offset, flags, window */
    0x01, 0x02, 0x03, 0x04,             /* sequence number */
    0x11, 0x12, 0x13, 0x14,             /* acknowledgement number */
    0x01, 0x01, 0x08, 0x0a, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed, 0xfa, 0xce,
};

static void the_header_is_rearranged_as_defined(void **state) {
    (void)state;
    uint8_t out[TCP_IN_UDP_HEADER_MAX];
    assert_int_equal(tcp_in_udp_encode(as_tcp, sizeof(as_tcp), out), sizeof(in_udp));
    assert_memory_equal(out, in_udp, sizeof(in_udp));
    /* UDP header and what follows are as long as TCP's header: the MSS is the same. */
    assert_int_equal(UDP_HEADER_BYTES + sizeof(in_udp), sizeof(as_tcp));
}

static void and_back_in_place(void **state) {
    (void)state;
    uint8_t packet[UDP_HEADER_BYTES + sizeof(in_udp)];
    memset(packet, 0x55, sizeof(packet));
    memcpy(packet + UDP_HEADER_BYTES, in_udp, sizeof(in_udp));
    assert_int_equal(tcp_in_udp_header_length(packet + UDP_HEADER_BYTES, sizeof(in_udp)), sizeof(as_tcp));
    tcp_in_udp_decode(packet + UDP_HEADER_BYTES, sizeof(as_tcp), 40000, 443, packet);
    assert_memory_equal(packet, as_tcp, sizeof(as_tcp));
    struct tcp_segment segment;
    struct ip_address none = {.family = IP_V4};
    assert_int_equal(tcp_segment_decode(packet, sizeof(packet), &none, &none, true, &segment), TCP_DECODE_OK);
    assert_int_equal(segment.source_port, 40000);
    assert_int_equal(segment.window, 0xabcd);
    assert_true(segment.options.has_timestamps);
}

static void what_is_no_such_header_is_told(void **state) {
    (void)state;
    uint8_t bytes[sizeof(in_udp)];
    memcpy(bytes, in_udp, sizeof(bytes));
    for (size_t length = 0; length < sizeof(bytes); length++)
        assert_int_equal(tcp_in_udp_header_length(bytes, length), 0); /* cut off, the options or more */
    bytes[0] = 0x40; /* 16 bytes */
    assert_int_equal(tcp_in_udp_header_length(bytes, sizeof(bytes)), 0);
    bytes[0] = 0xf0; /* 60 bytes */
    assert_int_equal(tcp_in_udp_header_length(bytes, sizeof(bytes)), 0);
    bytes[0] = 0x50; /* without options: the rest is payload */
    assert_int_equal(tcp_in_udp_header_length(bytes, sizeof(bytes)), 20);
    bytes[1] |= 0x20; /* URG, which the format has not */
    assert_int_equal(tcp_in_udp_header_length(bytes, sizeof(bytes)), 0);
}

static void an_urgent_pointer_is_left_behind(void **state) {
    (void)state;
    uint8_t urgent[sizeof(as_tcp)], out[TCP_IN_UDP_HEADER_MAX];
    memcpy(urgent, as_tcp, sizeof(urgent));
    urgent[13] |= 0x20;
    urgent[19] = 7;
    assert_int_equal(tcp_in_udp_encode(urgent, sizeof(urgent), out), sizeof(in_udp));
    assert_memory_equal(out, in_udp, sizeof(in_udp));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_header_is_rearranged_as_defined),
        cmocka_unit_test(and_back_in_place),
        cmocka_unit_test(what_is_no_such_header_is_told),
        cmocka_unit_test(an_urgent_pointer_is_left_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
