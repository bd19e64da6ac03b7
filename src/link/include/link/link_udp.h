/* TCP in UDP (wire/tcp_in_udp.h) by ordinary UDP sockets: needs no privilege, and middleboxes see UDP. It looks like a link
 * for IP packets from one address; a connection's ports are the ports of the UDP datagrams, so there is a socket for each
 * local port. Super-segments pass both ways (UDP_SEGMENT, UDP_GRO). A packet is as long as in plain TCP, and so the MSS is
 * the same.
 *
 * ICMP errors about our datagrams, which the kernel keeps for each socket (IP_RECVERR, IPV6_RECVERR), are handed in as the ICMP
 * packets that TCP would have got, quoting a TCP header: TCP judges them by their sequence number as any others. So a closed
 * UDP port is refused at once, and a packet too big is heard of. Of links that share ports (`shared`) the kernel gives an error
 * to any one. While only errors wait, the descriptor of a link of one port shows an error, and is not readable. */
#ifndef LINK_LINK_UDP_H
#define LINK_LINK_UDP_H

#include <braid/steering.h>
#include <link/link.h>
#include <wire/address.h>

#define LINK_UDP_PORTS_MAX 256
#define LINK_UDP_MTU_MIN 576 /* and at most LINK_PACKET_MAX */

struct link_udp_options {
    struct ip_address local;        /* an address of this host */
    uint16_t port_first, port_last; /* ours, both included; as many connections to one port of one host */
    uint32_t mtu_bytes;             /* of the way, LINK_UDP_MTU_MIN to LINK_PACKET_MAX; 0: 1500 */
    uint32_t buffer_bytes;          /* of each socket, each way; 0: a default */
    /* Shared with other links of this process, one of each thread, and opened in the order of their places: a packet comes
     * to the one where its flow is at home. NULL: they are ours alone. */
    const struct braid_steering_home *shared;
};

/* Opens the sockets in the network namespace of the calling thread. 0, or -errno: -EADDRINUSE, -EADDRNOTAVAIL, -EACCES as
 * bind(2) has them; -EINVAL too many ports or none, or an MTU no link has; -ENOMEM. */
int link_udp_open(const struct braid_env *env, const struct link_udp_options *options, struct link **out) MUST_USE;

#endif
