/* UDP (RFC 768): datagrams read, and whole packets made, to pass on what programs send. */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include <wire/ip.h>

#define UDP_HEADER_BYTES 8

struct udp_datagram {
    uint16_t source_port, destination_port;
    const uint8_t *payload;
    uint32_t payload_length;
};

/* `bytes` is the payload of an IP packet from `source` to `destination`. The checksum is checked unless
 * `checksum_verified`; IPv4 datagrams may come without one. `out` points into `bytes`. False if it is bad. */
bool udp_decode(const uint8_t *bytes, uint32_t length, const struct ip_address *source,
                const struct ip_address *destination, bool checksum_verified, struct udp_datagram *out) MUST_USE;
/* Writes a whole IP packet, checksums included, with hop limit 64. Returns its length, 0 if `room` is too small or
 * the payload too long for one packet. The addresses are of one family. */
uint32_t udp_packet_encode(const struct ip_address *source, const struct ip_address *destination,
                           uint16_t source_port, uint16_t destination_port, const void *payload,
                           uint32_t payload_length, uint8_t *out, size_t room);

#endif
