/* The kernel's view of its networks, asked and changed over rtnetlink. A handle belongs to the network
 * namespace it was opened in. Every call is one request and its answer: short, synchronous, no waiting for
 * the network. */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include <base/ensure.h>
#include <wire/address.h>

struct netlink;

/* A handle in the network namespace of the calling thread. 0 or -errno. */
int netlink_open(struct netlink **out) MUST_USE;
void netlink_close(struct netlink *netlink); /* NULL is fine */

/* ---- asking ---- */

struct netlink_path {
    uint32_t interface_index;
    struct ip_address
        next_hop; /* whose link-layer address is wanted: the gateway, or the destination itself */
    struct ip_address preferred_source; /* the kernel's choice; family IP_NONE if it made none */
};

/* How packets get from `source` (NULL: not known yet) to `destination` by the interface `interface_index` (0:
 * by whichever). 0, or -errno: -ENETUNREACH no route that way; -EHOSTUNREACH the route says unreachable, or
 * leads to this host itself. */
int netlink_path_lookup(struct netlink *netlink, uint32_t interface_index, const struct ip_address *source,
                        const struct ip_address *destination, struct netlink_path *out) MUST_USE;

/* ---- changing: all return 0 or -errno and need CAP_NET_ADMIN (-EPERM) ---- */

int netlink_link_set_up(struct netlink *netlink, uint32_t interface_index, bool up) MUST_USE;
int netlink_link_set_mtu(struct netlink *netlink, uint32_t interface_index, uint32_t mtu) MUST_USE;
/* Packets that may wait in the device's transmit queue. */
int netlink_link_set_queue_length(struct netlink *netlink, uint32_t interface_index,
                                  uint32_t packets) MUST_USE;
int netlink_link_delete(struct netlink *netlink, uint32_t interface_index) MUST_USE;
/* Two new interfaces, each the other's wire. `peer_namespace`: a descriptor of the network namespace the peer
 * is created in, or -1 for this one. */
int netlink_veth_create(struct netlink *netlink, const char *name, const char *peer_name,
                        int peer_namespace) MUST_USE;

/* The address is usable at once: without duplicate-address detection. -EEXIST when it is there already. */
int netlink_address_add(struct netlink *netlink, uint32_t interface_index, const struct ip_address *address,
                        uint8_t prefix_length) MUST_USE;
int netlink_address_delete(struct netlink *netlink, uint32_t interface_index,
                           const struct ip_address *address, uint8_t prefix_length) MUST_USE;

struct netlink_route {
    struct ip_address destination; /* family must be set; all zero with prefix_length 0 for a default route */
    uint8_t prefix_length;
    struct ip_address gateway; /* family IP_NONE: on link */
    uint32_t interface_index;
    uint32_t metric; /* lower is preferred */
    uint32_t table;  /* 0: main */
};
int netlink_route_add(struct netlink *netlink, const struct netlink_route *route) MUST_USE;
int netlink_route_delete(struct netlink *netlink, const struct netlink_route *route) MUST_USE;

/* Has the kernel find out the link-layer address of `next_hop`, or confirm the one it has, as if it had a
 * packet to send there. */
int netlink_neighbour_probe(struct netlink *netlink, uint32_t interface_index,
                            const struct ip_address *next_hop) MUST_USE;

#endif
