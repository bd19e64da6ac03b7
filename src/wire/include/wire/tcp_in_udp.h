/* TCP in UDP (draft-cheshire-tcp-over-udp): the fields of the TCP header in another order, so that a UDP header stands first
 * and whoever looks at packets on their way sees UDP. Of the same length as TCP: the urgent pointer makes room for UDP's
 * length.
 *
 *     source port, destination port, UDP length, UDP checksum                  the UDP header
 *     data offset, flags (URG is 0), window                                    16 + 16 bits
 *     sequence number
 *     acknowledgement number
 *     options, payload                                                         as in TCP
 *
 * Here the UDP header is the socket's affair: these functions deal with what follows it. */
#ifndef WIRE_TCP_IN_UDP_H
#define WIRE_TCP_IN_UDP_H

#include <stddef.h>
#include <stdint.h>
#include <base/ensure.h>

#define UDP_HEADER_BYTES 8
#define TCP_IN_UDP_FIXED_BYTES 12 /* of the header after UDP's */
#define TCP_IN_UDP_HEADER_MAX (60 - UDP_HEADER_BYTES)

/* Writes what follows the UDP header for the TCP header at `tcp`, options included: `tcp_length` - 8 bytes, which is
 * returned. An urgent pointer is lost, and the flag with it. */
size_t tcp_in_udp_encode(const uint8_t *tcp, size_t tcp_length, uint8_t *out);
/* The length of the TCP header that the `length` bytes after a UDP header begin with; 0 if there is none: cut off, or of a
 * length that TCP has not, or urgent. */
size_t tcp_in_udp_header_length(const uint8_t *bytes, size_t length);
/* Writes the TCP header, tcp_in_udp_header_length() bytes, checksum and urgent pointer 0. `tcp` may be the 8 bytes before
 * `bytes`, where the UDP header was. */
void tcp_in_udp_decode(const uint8_t *bytes, size_t tcp_length, uint16_t source_port, uint16_t destination_port, uint8_t *tcp);

#endif
