/* Which way packets go: the kernel's routing decision, asked for. */
#include "netlink_socket.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>

struct lookup {
    struct netlink_path path;
    struct ip_address gateway;
    uint32_t table;
    uint8_t type;
};

static int take_attribute(const struct nlattr *attribute, void *context) {
    struct lookup *lookup = context;
    switch (mnl_attr_get_type(attribute)) {
    case RTA_OIF:
        lookup->path.interface_index = mnl_attr_get_u32(attribute);
        break;
    case RTA_GATEWAY:
        lookup->gateway = netlink_attribute_address(attribute);
        break;
    case RTA_VIA: { /* RFC 5549: an IPv6 gateway of an IPv4 route */
        const struct rtvia *via = mnl_attr_get_payload(attribute);
        if (mnl_attr_get_payload_len(attribute) >= sizeof(*via) + 16 && via->rtvia_family == AF_INET6)
            lookup->gateway = ip_address_v6(via->rtvia_addr);
        break;
    }
    case RTA_PREFSRC:
        lookup->path.preferred_source = netlink_attribute_address(attribute);
        break;
    case RTA_TABLE:
        lookup->table = mnl_attr_get_u32(attribute);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int take_route(const struct nlmsghdr *message, void *context) {
    struct lookup *lookup = context;
    const struct rtmsg *route = mnl_nlmsg_get_payload(message);
    if (message->nlmsg_type != RTM_NEWROUTE) return MNL_CB_OK;
    lookup->type = route->rtm_type;
    lookup->table = route->rtm_table;
    return mnl_attr_parse(message, sizeof(*route), take_attribute, lookup);
}

static int ask(struct netlink *netlink, uint32_t interface_index, const struct ip_address *source,
               const struct ip_address *destination, struct lookup *lookup) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request = netlink_begin(buffer, RTM_GETROUTE, NLM_F_ACK);
    struct rtmsg *route = mnl_nlmsg_put_extra_header(request, sizeof(*route));
    route->rtm_family = (uint8_t)netlink_family(destination->family);
    route->rtm_dst_len = (uint8_t)(8 * netlink_address_bytes(destination->family));
    if (destination->family == IP_V4) route->rtm_flags = RTM_F_LOOKUP_TABLE; /* IPv6 tells it always */
    netlink_put_address(request, RTA_DST, destination);
    if (source != NULL) {
        route->rtm_src_len = route->rtm_dst_len;
        netlink_put_address(request, RTA_SRC, source);
    }
    if (interface_index != 0) mnl_attr_put_u32(request, RTA_OIF, interface_index);
    *lookup = (struct lookup){.gateway.family = IP_NONE};
    return netlink_request(netlink, request, take_route, lookup);
}

int netlink_path_lookup(struct netlink *netlink, uint32_t interface_index, const struct ip_address *source,
                        const struct ip_address *destination, struct netlink_path *out) {
    struct lookup lookup;
    int error = ask(netlink, interface_index, source, destination, &lookup);
    /* For IPv6 the interface is only a wish when a source is named: the answer is the preferred route, whatever its
     * interface. Without a source it is an order; rules about sources are then not looked at. */
    bool elsewhere = interface_index != 0 && lookup.path.interface_index != interface_index;
    if (destination->family == IP_V6 && source != NULL && elsewhere)
        error = ask(netlink, interface_index, NULL, destination, &lookup);
    if (error != 0) return error;
    /* Asked for a certain interface, IPv4 answers "on link" when no route leads there at all; its table then
     * is 0. */
    if (lookup.table == RT_TABLE_UNSPEC) return -ENETUNREACH;
    if (lookup.type != RTN_UNICAST) return -EHOSTUNREACH;
    *out = lookup.path;
    out->next_hop = lookup.gateway.family != IP_NONE ? lookup.gateway : *destination;
    return 0;
}

int netlink_neighbour_probe(struct netlink *netlink, uint32_t interface_index,
                            const struct ip_address *next_hop) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request = netlink_begin(buffer, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE);
    struct ndmsg *neighbour = mnl_nlmsg_put_extra_header(request, sizeof(*neighbour));
    neighbour->ndm_family = (uint8_t)netlink_family(next_hop->family);
    neighbour->ndm_ifindex = (int)interface_index;
    neighbour->ndm_flags = NTF_USE;
    netlink_put_address(request, NDA_DST, next_hop);
    return netlink_request(netlink, request, NULL, NULL);
}
