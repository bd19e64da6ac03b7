/* The error queue of a UDP socket: what routers and hosts said by ICMP of what was sent, as the kernel keeps it with IP_RECVERR
 * and IPV6_RECVERR. */
#ifndef LINK_UDP_ERROR_H
#define LINK_UDP_ERROR_H

#include <stdbool.h>
#include <stdint.h>
#include <base/ensure.h>
#include <wire/address.h>

enum { UDP_ERROR_PACKET_MAX = 40 + 8 + 128 };

/* False: the system cannot. */
bool udp_error_wanted(int fd, bool v6) MUST_USE;

enum udp_error_result {
    UDP_ERROR_NONE,   /* the queue is empty */
    UDP_ERROR_IGNORED,/* one was taken that says nothing of TCP in UDP: of our own host, or cut off too soon */
    UDP_ERROR_PACKET,
};
/* The next one, as the ICMP packet that would have come if the UDP were TCP: from who complained to `local`, quoting the TCP
 * header. `out` has UDP_ERROR_PACKET_MAX bytes. Whether it is to be believed, TCP finds out by the sequence number. */
enum udp_error_result udp_error_take(int fd, const struct ip_address *local, uint16_t local_port, uint8_t *out,
                                     uint32_t *length) MUST_USE;

#endif
