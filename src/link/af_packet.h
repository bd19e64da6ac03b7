/* Inside of the AF_PACKET link: what its receiving and its sending half share. */
#ifndef LINK_AF_PACKET_H
#define LINK_AF_PACKET_H

#include <linux/if_packet.h>
#include <link/link_af_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>

#include "packet_gather.h"
#include "receive_buffers.h"
#include "virtio_header.h"

/* Packets that wait for a next hop. A burst of SYNs to new destinations fits; more are dropped. */
#define AF_PACKET_HELD_MAX 64
#define AF_PACKET_RUNS_MAX (PACKET_GATHER_MAX + 1)

/* What stands before the IP header on its way to and from the kernel. */
struct af_packet_prefix {
    struct virtio_net_hdr virtio;
    struct ether_header ethernet; /* not there on raw-IP devices */
};
_Static_assert(sizeof(struct af_packet_prefix) == sizeof(struct virtio_net_hdr) + sizeof(struct ether_header),
               "the kernel reads both without padding between");

struct link_af_packet {
    struct link link;
    const struct braid_env *env;
    int interface_index;
    bool virtio_headers;
    bool ethernet;    /* or raw IP */
    bool no_next_hop; /* Ethernet without ARP: everything goes to one peer, whatever the address */
    uint8_t own_mac[6];
    struct link_next_hop_resolver next_hop;
    struct link_capabilities capabilities;
    struct link_statistics statistics;
    struct receive_buffers buffers;
    bool wide;         /* what came last were super-segments */
    int receive_error; /* -errno that came behind packets, for the next call; 0: none */

    size_t held_count;
    struct braid_packet_out held[AF_PACKET_HELD_MAX];

    /* Scratch of one batch. */
    struct mmsghdr messages[LINK_BATCH_MAX];
    struct iovec runs[LINK_BATCH_MAX][AF_PACKET_RUNS_MAX];
    struct af_packet_prefix prefixes[LINK_BATCH_MAX];
    struct sockaddr_ll address_v4, address_v6;
};

static inline struct link_af_packet *af_packet_of(struct link *link) {
    return CONTAINER_OF(link, struct link_af_packet, link);
}

int af_packet_send(struct link *link, struct braid_packet_out *packets, size_t count);
void af_packet_release_held(struct link_af_packet *self);

#endif
