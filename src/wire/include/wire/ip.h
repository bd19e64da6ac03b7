/* IPv4 (RFC 791) and IPv6 (RFC 8200) headers: bytes -> struct -> bytes. */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include <base/reader.h>
#include <wire/address.h>

#define IP_PROTOCOL_ICMP 1
#define IP_PROTOCOL_TCP 6
#define IP_PROTOCOL_UDP 17
#define IP_PROTOCOL_ICMPV6 58

struct ip_header {
    struct ip_address source, destination;
    uint8_t protocol; /* of the payload, after IPv6 extension headers */
    uint8_t ttl;
    uint8_t ecn;          /* RFC 3168: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE */
    uint8_t traffic_class; /* DSCP, 6 bits */
    bool dont_fragment;
    bool is_fragment; /* any fragment but a whole datagram: refused by those above */
    uint32_t header_length;  /* with IPv4 options or IPv6 extension headers */
    uint32_t payload_length; /* what follows the header */
};

enum ip_decode_result {
    IP_OK,
    IP_TRUNCATED,
    IP_BAD_VERSION,
    IP_BAD_HEADER_LENGTH,
    IP_BAD_TOTAL_LENGTH,
    IP_BAD_CHECKSUM,
    IP_BAD_EXTENSION,
};
const char *ip_decode_result_name(enum ip_decode_result result);

/* `coalesced`: the packet is a super-segment, whose header may say a total length of 0 or one that is right; the
 * length of the buffer decides. */
enum ip_decode_result ip_decode(const uint8_t *bytes, uint32_t length, bool coalesced, struct ip_header *out) MUST_USE;
/* The start of a packet as an ICMP error quotes it: the rest may be cut off, and the checksum is not looked at, for
 * routers change it. payload_length is what is left of the quotation. */
enum ip_decode_result ip_decode_quoted(const uint8_t *bytes, uint32_t length, struct ip_header *out) MUST_USE;
/* Writes a header for header->payload_length bytes; IPv4's checksum included, no options. For a payload over 65535
 * bytes the length field is 0. Returns the header's length (20 or 40), 0 if `room` is too small. */
uint32_t ip_encode(const struct ip_header *header, uint8_t *out, size_t room);

#endif
