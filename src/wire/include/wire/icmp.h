/* ICMP (RFC 792) and ICMPv6 (RFC 4443) errors about TCP packets: read, and made for programs behind us. */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include <wire/ip.h>
#include <wire/tcp_segment.h>

enum icmp_error_kind {
    ICMP_NET_UNREACHABLE,
    ICMP_HOST_UNREACHABLE,
    ICMP_PORT_UNREACHABLE,
    ICMP_PROHIBITED,
    ICMP_PACKET_TOO_BIG,
    ICMP_TIME_EXCEEDED,
    ICMP_OTHER,
};

struct icmp_error {
    enum icmp_error_kind kind;
    uint32_t mtu; /* of ICMP_PACKET_TOO_BIG */
    struct flow flow; /* of the packet complained about: local is its source */
    uint8_t protocol; /* of that packet: TCP or UDP */
    seq32 seq; /* of that segment, if TCP */
};

/* `bytes` is the ICMP message; `header` its IP header. False if it is not an error about TCP or UDP, or is bad. */
bool icmp_error_decode(const struct ip_header *header, const uint8_t *bytes, uint32_t length,
                       struct icmp_error *out) MUST_USE;
/* A whole IP packet with the error, quoting `quoted` (an IP packet's start, at most 128 bytes are used), from
 * `source` to `destination`. Returns its length, 0 if `room` is too small. */
uint32_t icmp_error_encode(enum icmp_error_kind kind, const struct ip_address *source,
                           const struct ip_address *destination, const uint8_t *quoted, uint32_t quoted_length,
                           uint8_t *out, size_t room);
/* The same for ICMP_PACKET_TOO_BIG, saying what would fit. */
uint32_t icmp_packet_too_big_encode(uint32_t mtu, const struct ip_address *source,
                                    const struct ip_address *destination, const uint8_t *quoted,
                                    uint32_t quoted_length, uint8_t *out, size_t room);

#endif
