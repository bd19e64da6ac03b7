/* The classic BPF program that lets only our packets reach an AF_PACKET socket. */
#ifndef LINK_PACKET_FILTER_H
#define LINK_PACKET_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#define PACKET_FILTER_MAX 80

struct packet_filter {
    struct sock_filter code[PACKET_FILTER_MAX];
    uint16_t length;
};

/* Takes what is sent to this host, is not in a VLAN, and is TCP to a port in [port_first, port_last], or an
 * ICMP or ICMPv6 error that quotes TCP from such a port. Fragments but the first never match (the stack
 * refuses the first). TCP behind IPv6 extension headers does not match either. `header_bytes`: link-layer
 * header before the IP header. */
void packet_filter_build(struct packet_filter *filter, uint32_t header_bytes, uint16_t port_first,
                         uint16_t port_last);

#endif
