/* Interfaces, addresses and routes: made, changed, removed. */
#include "netlink_socket.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

/* ---- interfaces ---- */

static struct ifinfomsg *begin_link(char *buffer, struct nlmsghdr **request, uint16_t type, uint16_t flags,
                                    uint32_t interface_index) {
    *request = netlink_begin(buffer, type, (uint16_t)(NLM_F_ACK | flags));
    struct ifinfomsg *link = mnl_nlmsg_put_extra_header(*request, sizeof(*link));
    link->ifi_family = AF_UNSPEC;
    link->ifi_index = (int)interface_index;
    return link;
}

int netlink_link_set_up(struct netlink *netlink, uint32_t interface_index, bool up) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request;
    struct ifinfomsg *link = begin_link(buffer, &request, RTM_NEWLINK, 0, interface_index);
    link->ifi_change = IFF_UP;
    link->ifi_flags = up ? IFF_UP : 0;
    return netlink_request(netlink, request, NULL, NULL);
}

static int set_number(struct netlink *netlink, uint32_t interface_index, uint16_t attribute, uint32_t value) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request;
    begin_link(buffer, &request, RTM_NEWLINK, 0, interface_index);
    mnl_attr_put_u32(request, attribute, value);
    return netlink_request(netlink, request, NULL, NULL);
}

int netlink_link_set_mtu(struct netlink *netlink, uint32_t interface_index, uint32_t mtu) {
    return set_number(netlink, interface_index, IFLA_MTU, mtu);
}

int netlink_link_set_queue_length(struct netlink *netlink, uint32_t interface_index, uint32_t packets) {
    return set_number(netlink, interface_index, IFLA_TXQLEN, packets);
}

int netlink_link_delete(struct netlink *netlink, uint32_t interface_index) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request;
    begin_link(buffer, &request, RTM_DELLINK, 0, interface_index);
    return netlink_request(netlink, request, NULL, NULL);
}

int netlink_veth_create(struct netlink *netlink, const char *name, const char *peer_name,
                        int peer_namespace) {
    if (strlen(name) >= IFNAMSIZ || strlen(peer_name) >= IFNAMSIZ) return -EINVAL;
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request;
    begin_link(buffer, &request, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
    mnl_attr_put_strz(request, IFLA_IFNAME, name);
    struct nlattr *info = mnl_attr_nest_start(request, IFLA_LINKINFO);
    mnl_attr_put_strz(request, IFLA_INFO_KIND, "veth");
    struct nlattr *data = mnl_attr_nest_start(request, IFLA_INFO_DATA);
    struct nlattr *peer = mnl_attr_nest_start(request, VETH_INFO_PEER);
    mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(request, IFLA_IFNAME, peer_name);
    if (peer_namespace >= 0) mnl_attr_put_u32(request, IFLA_NET_NS_FD, (uint32_t)peer_namespace);
    mnl_attr_nest_end(request, peer);
    mnl_attr_nest_end(request, data);
    mnl_attr_nest_end(request, info);
    return netlink_request(netlink, request, NULL, NULL);
}

/* ---- addresses ---- */

static int change_address(struct netlink *netlink, uint16_t type, uint16_t flags, uint32_t interface_index,
                          const struct ip_address *address, uint8_t prefix_length) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request = netlink_begin(buffer, type, (uint16_t)(NLM_F_ACK | flags));
    struct ifaddrmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    header->ifa_family = (uint8_t)netlink_family(address->family);
    header->ifa_prefixlen = prefix_length;
    header->ifa_index = interface_index;
    header->ifa_scope = ip_address_is_link_local(address) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    if (address->family == IP_V6) header->ifa_flags = IFA_F_NODAD;
    netlink_put_address(request, IFA_LOCAL, address);
    netlink_put_address(request, IFA_ADDRESS, address);
    return netlink_request(netlink, request, NULL, NULL);
}

int netlink_address_add(struct netlink *netlink, uint32_t interface_index, const struct ip_address *address,
                        uint8_t prefix_length) {
    return change_address(netlink, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, interface_index, address,
                          prefix_length);
}

int netlink_address_delete(struct netlink *netlink, uint32_t interface_index,
                           const struct ip_address *address, uint8_t prefix_length) {
    return change_address(netlink, RTM_DELADDR, 0, interface_index, address, prefix_length);
}

/* ---- routes ---- */

static int change_route(struct netlink *netlink, uint16_t type, uint16_t flags,
                        const struct netlink_route *route) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request = netlink_begin(buffer, type, (uint16_t)(NLM_F_ACK | flags));
    struct rtmsg *header = mnl_nlmsg_put_extra_header(request, sizeof(*header));
    bool gateway = route->gateway.family != IP_NONE;
    header->rtm_family = (uint8_t)netlink_family(route->destination.family);
    header->rtm_dst_len = route->prefix_length;
    header->rtm_table = RT_TABLE_UNSPEC; /* in RTA_TABLE, which has room for all of them */
    header->rtm_type = RTN_UNICAST;
    if (type == RTM_NEWROUTE) header->rtm_protocol = RTPROT_STATIC;
    header->rtm_scope = gateway || route->destination.family == IP_V6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    if (type == RTM_DELROUTE) header->rtm_scope = RT_SCOPE_NOWHERE; /* whatever it was */
    if (route->prefix_length > 0) netlink_put_address(request, RTA_DST, &route->destination);
    if (gateway) netlink_put_address(request, RTA_GATEWAY, &route->gateway);
    if (route->interface_index != 0) mnl_attr_put_u32(request, RTA_OIF, route->interface_index);
    if (route->metric != 0) mnl_attr_put_u32(request, RTA_PRIORITY, route->metric);
    mnl_attr_put_u32(request, RTA_TABLE, route->table != 0 ? route->table : RT_TABLE_MAIN);
    return netlink_request(netlink, request, NULL, NULL);
}

int netlink_route_add(struct netlink *netlink, const struct netlink_route *route) {
    return change_route(netlink, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route);
}

int netlink_route_delete(struct netlink *netlink, const struct netlink_route *route) {
    return change_route(netlink, RTM_DELROUTE, 0, route);
}
