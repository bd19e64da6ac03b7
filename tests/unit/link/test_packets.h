/* Packets for tests of links: TCP, UDP and ICMP, whole, as they lie on a wire. */
#ifndef TEST_PACKETS_H
#define TEST_PACKETS_H

#include "test_network.h"

#include <wire/checksum.h>
#include <wire/icmp.h>
#include <wire/ip.h>
#include <wire/tcp_segment.h>
#include <wire/udp.h>

static inline struct ip_address test_ip(const char *text) {
    struct ip_address address;
    assert_true(ip_address_parse(text, &address));
    return address;
}

struct test_tcp {
    const char *source, *destination;
    uint16_t source_port, destination_port;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t mss; /* 0: none */
    const void *payload;
    uint32_t payload_length;
};

/* IP and TCP header of `tcp`; the checksum field holds the pseudo-header's sum. Returns their length. */
static inline uint32_t test_tcp_header(const struct test_tcp *tcp, uint8_t *out, size_t room,
                                       uint32_t *ip_header_length) {
    uint8_t header[60];
    struct tcp_segment segment = {.source_port = tcp->source_port,
                                  .destination_port = tcp->destination_port,
                                  .seq = seq32_of(tcp->seq),
                                  .ack = seq32_of(tcp->ack),
                                  .flags = tcp->flags,
                                  .window = 65535,
                                  .options = {.has_mss = tcp->mss != 0, .mss = tcp->mss}};
    uint32_t tcp_length = tcp_segment_encode(&segment, header, sizeof(header));
    assert_true(tcp_length >= 20);
    struct ip_header ip = {.source = test_ip(tcp->source),
                           .destination = test_ip(tcp->destination),
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .dont_fragment = true,
                           .payload_length = tcp_length + tcp->payload_length};
    uint64_t sum = checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_length);
    tcp_checksum_set(header, checksum_fold(sum));
    *ip_header_length = ip_encode(&ip, out, room);
    assert_true(*ip_header_length > 0 && *ip_header_length + tcp_length <= room);
    memcpy(out + *ip_header_length, header, tcp_length);
    return *ip_header_length + tcp_length;
}

/* The whole packet with its checksum. Returns its length. */
static inline uint32_t test_tcp_packet(const struct test_tcp *tcp, uint8_t *out, size_t room) {
    uint32_t ip_length, length = test_tcp_header(tcp, out, room, &ip_length);
    assert_true(length + tcp->payload_length <= room);
    if (tcp->payload_length > 0) memcpy(out + length, tcp->payload, tcp->payload_length);
    length += tcp->payload_length;
    /* The pseudo-header's sum is already in the field, so the sum of everything completes it. */
    tcp_checksum_set(out + ip_length, checksum_finish(checksum_sum(out + ip_length, length - ip_length)));
    return length;
}

/* The same as a packet for a link, its checksum left to the link, its payload in two slices; `segment_bytes`
 * as in struct braid_packet_out. */
static inline struct braid_packet_out test_tcp_out(const struct test_tcp *tcp, uint16_t segment_bytes) {
    struct braid_packet_out packet = {
        .checksum_partial = true, .checksum_offset = 16, .segment_bytes = segment_bytes};
    uint32_t ip_length;
    packet.header_length = (uint16_t)test_tcp_header(tcp, packet.header, sizeof(packet.header), &ip_length);
    packet.checksum_start = (uint16_t)ip_length;
    packet.payload_length = tcp->payload_length;
    if (tcp->payload_length > 1) {
        uint32_t first = tcp->payload_length / 3 + 1;
        packet.slices[packet.slice_count++] = slice_copy(&test_env, tcp->payload, first);
        packet.slices[packet.slice_count++] =
            slice_copy(&test_env, (const uint8_t *)tcp->payload + first, tcp->payload_length - first);
    } else if (tcp->payload_length == 1) {
        packet.slices[packet.slice_count++] = slice_copy(&test_env, tcp->payload, 1);
    }
    return packet;
}

/* Decodes a packet that must be good TCP. */
static inline struct tcp_segment test_decode_tcp(const uint8_t *bytes, uint32_t length, bool coalesced,
                                                 bool verified, struct ip_header *ip) {
    struct tcp_segment segment;
    assert_int_equal(ip_decode(bytes, length, coalesced, ip), IP_OK);
    assert_int_equal(ip->protocol, IP_PROTOCOL_TCP);
    assert_int_equal(tcp_segment_decode(bytes + ip->header_length, ip->payload_length, &ip->source,
                                        &ip->destination, verified, &segment),
                     TCP_DECODE_OK);
    return segment;
}

static inline void test_fill(uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

#endif
