/* An AF_PACKET socket on an existing interface: the way between braid and the network. It works beside the
 * kernel's own stack: it takes a copy of what is ours (TCP to the reserved ports, and ICMP errors about it)
 * and sends from the interface's own addresses. Keeping the kernel from answering the same packets is the
 * host floor's work (uplink.h).
 *
 * The socket must listen for ETH_P_ALL: such taps see a packet before the netdev ingress hook, where the
 * kernel's copy is dropped; taps for one protocol come after it.
 *
 * VLANs: on an interface that carries tagged frames, those with a VLAN ID other than 0 are not ours and are
 * left alone; use the VLAN's own interface as the uplink instead, where frames appear untagged. */
#ifndef LINK_LINK_AF_PACKET_H
#define LINK_LINK_AF_PACKET_H

#include <link/link.h>
#include <wire/address.h>

enum link_next_hop_state {
    LINK_NEXT_HOP_KNOWN,
    LINK_NEXT_HOP_PENDING, /* being resolved: link_af_packet_next_hop_changed() is called when that ends */
    LINK_NEXT_HOP_UNREACHABLE, /* packets to it are dropped */
};

/* Who knows the link-layer address that leads from a source address to a destination. Called for each batch
 * and pair of addresses; must be quick. Not asked on devices without link-layer addresses. */
struct link_next_hop_resolver {
    void *context;
    enum link_next_hop_state (*resolve)(void *context, const struct ip_address *source,
                                        const struct ip_address *destination, uint8_t mac[6]);
};

struct link_af_packet_options {
    const char *interface;
    uint16_t port_first, port_last; /* ours: both included, host order */
    struct link_next_hop_resolver next_hop;
    uint32_t send_buffer_bytes;    /* 0: a default. Bounds what waits in the device's queue */
    uint32_t receive_buffer_bytes; /* 0: a default */
};

/* Opens the socket in the network namespace of the calling thread. 0, or -errno: -EPERM needs CAP_NET_RAW;
 * -ENODEV no such interface; -EPFNOSUPPORT an interface that is neither like Ethernet nor raw IP; -ENOMEM. */
int link_af_packet_open(const struct braid_env *env, const struct link_af_packet_options *options,
                        struct link **out) MUST_USE;

/* Whether packets need a next hop's link-layer address: not on raw-IP devices, nor on those without ARP. */
bool link_af_packet_needs_next_hop(const struct link *link);

/* Sends the packets that waited for a next hop now known, drops those whose next hop turned out unreachable.
 */
void link_af_packet_next_hop_changed(struct link *link);

/* Reads MTU and link-layer address of the interface again: to be called when netlink tells that the link
 * changed. */
void link_af_packet_refresh(struct link *link);

#endif
