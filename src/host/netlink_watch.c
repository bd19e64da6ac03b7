/* The watch: netlink's messages, as they come and as dumps, into what netlink_state.c compares. */
#include <host/netlink_watch.h>

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if.h>
#include <stdlib.h>
#include <string.h>

#include "netlink_socket.h"
#include "netlink_state.h"

#define NEWS_BUFFER_BYTES (1 << 20)

struct netlink_watch {
    struct mnl_socket *news;
    struct netlink *netlink; /* for asking */
    struct netlink_state state;
    bool everything_stale; /* news were lost, or memory was short */
    bool routes_stale;     /* the kernel removes IPv4 routes without a word when a link or an address goes */
};

const char *netlink_event_type_name(enum netlink_event_type type) {
    switch (type) {
    case NETLINK_LINK_ADDED:
        return "link added";
    case NETLINK_LINK_UP:
        return "link up";
    case NETLINK_LINK_DOWN:
        return "link down";
    case NETLINK_LINK_CHANGED:
        return "link changed";
    case NETLINK_LINK_REMOVED:
        return "link removed";
    case NETLINK_ADDRESS_ADDED:
        return "address added";
    case NETLINK_ADDRESS_REMOVED:
        return "address removed";
    case NETLINK_ADDRESS_CHANGED:
        return "address changed";
    case NETLINK_ROUTE_ADDED:
        return "route added";
    case NETLINK_ROUTE_REMOVED:
        return "route removed";
    }
    return "?";
}

/* ---- interfaces ---- */

struct link_message {
    struct netlink_interface interface;
    uint8_t operstate;
};

static int take_link_attribute(const struct nlattr *attribute, void *context) {
    struct link_message *link = context;
    uint16_t length = mnl_attr_get_payload_len(attribute);
    switch (mnl_attr_get_type(attribute)) {
    case IFLA_IFNAME:
        if (length > 0 && length <= NETLINK_NAME_MAX)
            memcpy(link->interface.name, mnl_attr_get_str(attribute), length - 1u);
        break;
    case IFLA_MTU:
        link->interface.mtu = mnl_attr_get_u32(attribute);
        break;
    case IFLA_OPERSTATE:
        link->operstate = mnl_attr_get_u8(attribute);
        break;
    case IFLA_ADDRESS:
        if (length == sizeof(link->interface.mac)) {
            memcpy(link->interface.mac, mnl_attr_get_payload(attribute), length);
            link->interface.has_mac = true;
        }
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void take_link(struct netlink_watch *watch, const struct nlmsghdr *message) {
    const struct ifinfomsg *header = mnl_nlmsg_get_payload(message);
    if (header->ifi_family != AF_UNSPEC) return; /* a bridge speaking of its ports */
    uint32_t index = (uint32_t)header->ifi_index;
    if (message->nlmsg_type == RTM_DELLINK) {
        netlink_state_link_gone(&watch->state, index);
        return;
    }
    struct link_message link = {.interface.index = index, .operstate = IF_OPER_UNKNOWN};
    mnl_attr_parse(message, sizeof(*header), take_link_attribute, &link);
    bool operational = link.operstate == IF_OPER_UP || link.operstate == IF_OPER_UNKNOWN;
    link.interface.loopback = (header->ifi_flags & IFF_LOOPBACK) != 0;
    link.interface.usable =
        (header->ifi_flags & IFF_UP) != 0 && (header->ifi_flags & IFF_LOWER_UP) != 0 && operational;
    if (!link.interface.usable) watch->routes_stale = true;
    if (!netlink_state_link_seen(&watch->state, &link.interface)) watch->everything_stale = true;
}

/* ---- addresses ---- */

struct address_message {
    struct ip_address local, prefix;
    uint32_t flags;
};

static int take_address_attribute(const struct nlattr *attribute, void *context) {
    struct address_message *address = context;
    switch (mnl_attr_get_type(attribute)) {
    case IFA_LOCAL:
        address->local = netlink_attribute_address(attribute);
        break;
    case IFA_ADDRESS:
        address->prefix = netlink_attribute_address(attribute);
        break;
    case IFA_FLAGS:
        address->flags = mnl_attr_get_u32(attribute);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void take_address(struct netlink_watch *watch, const struct nlmsghdr *message) {
    const struct ifaddrmsg *header = mnl_nlmsg_get_payload(message);
    struct address_message taken = {.flags = header->ifa_flags};
    mnl_attr_parse(message, sizeof(*header), take_address_attribute, &taken);
    /* On point-to-point links IFA_ADDRESS is the other end; IPv6 may give IFA_ADDRESS only. */
    struct netlink_address address = {.interface_index = header->ifa_index,
                                      .prefix_length = header->ifa_prefixlen,
                                      .address = taken.local.family != IP_NONE ? taken.local : taken.prefix};
    if (address.address.family == IP_NONE) return;
    if (message->nlmsg_type == RTM_DELADDR) {
        netlink_state_address_gone(&watch->state, &address);
        watch->routes_stale = true;
        return;
    }
    bool tentative = (taken.flags & IFA_F_TENTATIVE) != 0 && (taken.flags & IFA_F_OPTIMISTIC) == 0;
    address.usable = !tentative && (taken.flags & IFA_F_DADFAILED) == 0;
    address.deprecated = (taken.flags & IFA_F_DEPRECATED) != 0;
    address.temporary = address.address.family == IP_V6 && (taken.flags & IFA_F_TEMPORARY) != 0;
    if (!netlink_state_address_seen(&watch->state, &address)) watch->everything_stale = true;
}

/* ---- default routes ---- */

#define HOPS_MAX 16

struct route_message {
    struct netlink_default_route hops[HOPS_MAX]; /* the first is the route's own */
    size_t hop_count;
    uint32_t metric, table;
};

static void take_gateway(struct netlink_default_route *hop, const struct nlattr *attribute) {
    if (mnl_attr_get_type(attribute) == RTA_GATEWAY) hop->gateway = netlink_attribute_address(attribute);
    if (mnl_attr_get_type(attribute) == RTA_VIA && mnl_attr_get_payload_len(attribute) >= 18)
        hop->gateway = ip_address_v6((const uint8_t *)mnl_attr_get_payload(attribute) + 2);
}

static void take_hops(struct route_message *route, const struct nlattr *attribute) {
    const struct rtnexthop *hop = mnl_attr_get_payload(attribute);
    int left = mnl_attr_get_payload_len(attribute);
    while (RTNH_OK(hop, left) && route->hop_count < HOPS_MAX) {
        struct netlink_default_route *out = &route->hops[route->hop_count++];
        *out = (struct netlink_default_route){.interface_index = (uint32_t)hop->rtnh_ifindex};
        const struct nlattr *attr = (const void *)(hop + 1);
        int attributes_left = (int)(hop->rtnh_len - sizeof(*hop));
        for (; mnl_attr_ok(attr, attributes_left);
             attributes_left -= MNL_ALIGN(attr->nla_len), attr = mnl_attr_next(attr))
            take_gateway(out, attr);
        left -= (int)RTNH_ALIGN(hop->rtnh_len);
        hop = (const void *)((const char *)hop + RTNH_ALIGN(hop->rtnh_len));
    }
}

static int take_route_attribute(const struct nlattr *attribute, void *context) {
    struct route_message *route = context;
    switch (mnl_attr_get_type(attribute)) {
    case RTA_OIF:
        route->hops[0].interface_index = mnl_attr_get_u32(attribute);
        route->hop_count = 1;
        break;
    case RTA_GATEWAY:
    case RTA_VIA:
        take_gateway(&route->hops[0], attribute);
        break;
    case RTA_MULTIPATH:
        take_hops(route, attribute);
        break;
    case RTA_PRIORITY:
        route->metric = mnl_attr_get_u32(attribute);
        break;
    case RTA_TABLE:
        route->table = mnl_attr_get_u32(attribute);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static void take_route(struct netlink_watch *watch, const struct nlmsghdr *message) {
    const struct rtmsg *header = mnl_nlmsg_get_payload(message);
    bool known_family = header->rtm_family == AF_INET || header->rtm_family == AF_INET6;
    if (!known_family || header->rtm_dst_len != 0 || header->rtm_src_len != 0) return;
    if (header->rtm_type != RTN_UNICAST || (header->rtm_flags & RTM_F_CLONED) != 0) return;
    struct route_message route = {.table = header->rtm_table};
    mnl_attr_parse(message, sizeof(*header), take_route_attribute, &route);
    if (route.table == RT_TABLE_LOCAL) return;
    /* The route that was replaced is not told about. */
    if (message->nlmsg_flags & NLM_F_REPLACE) watch->routes_stale = true;
    for (size_t i = 0; i < route.hop_count; i++) {
        struct netlink_default_route *hop = &route.hops[i];
        hop->family = header->rtm_family == AF_INET ? IP_V4 : IP_V6;
        hop->metric = route.metric;
        hop->table = route.table;
        if (message->nlmsg_type == RTM_DELROUTE)
            netlink_state_route_gone(&watch->state, hop);
        else if (!netlink_state_route_seen(&watch->state, hop))
            watch->everything_stale = true;
    }
}

/* ---- messages, as they come and as dumps ---- */

static int take_message(const struct nlmsghdr *message, void *context) {
    switch (message->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        take_link(context, message);
        break;
    case RTM_NEWADDR:
    case RTM_DELADDR:
        take_address(context, message);
        break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        take_route(context, message);
        break;
    default:
        break;
    }
    return MNL_CB_OK;
}

static int dump(struct netlink_watch *watch, uint16_t type, size_t header_bytes) {
    char buffer[NETLINK_REQUEST_BYTES];
    struct nlmsghdr *request = netlink_begin(buffer, type, NLM_F_DUMP);
    mnl_nlmsg_put_extra_header(request, header_bytes);
    return netlink_request(watch->netlink, request, take_message, watch);
}

static int read_routes(struct netlink_watch *watch) {
    netlink_state_round_begin(&watch->state);
    watch->routes_stale = false;
    int error = dump(watch, RTM_GETROUTE, sizeof(struct rtmsg));
    if (error == 0) netlink_state_forget_unseen_routes(&watch->state);
    watch->routes_stale = error != 0;
    return error;
}

static int read_everything(struct netlink_watch *watch) {
    netlink_state_round_begin(&watch->state);
    watch->everything_stale = false;
    int error = dump(watch, RTM_GETLINK, sizeof(struct ifinfomsg));
    if (error == 0) error = dump(watch, RTM_GETADDR, sizeof(struct ifaddrmsg));
    if (error == 0) error = dump(watch, RTM_GETROUTE, sizeof(struct rtmsg));
    if (error == 0 && watch->everything_stale) error = -ENOMEM;
    watch->everything_stale = error != 0;
    if (error != 0) return error;
    watch->routes_stale = false;
    netlink_state_forget_unseen_routes(&watch->state);
    netlink_state_forget_unseen_addresses(&watch->state);
    netlink_state_forget_unseen_links(&watch->state);
    return 0;
}

static int read_news(struct netlink_watch *watch) {
    static _Thread_local char buffer[NETLINK_ANSWER_BYTES] __attribute__((aligned(8)));
    for (;;) {
        ssize_t length = recv(mnl_socket_get_fd(watch->news), buffer, sizeof(buffer), MSG_DONTWAIT);
        if (length < 0 && errno == EAGAIN) return 0;
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == ENOBUFS) {
            watch->everything_stale = true;
            continue;
        }
        if (length < 0) return -errno;
        if (mnl_cb_run(buffer, (size_t)length, 0, 0, take_message, watch) < 0) watch->everything_stale = true;
    }
}

int netlink_watch_dispatch(struct netlink_watch *watch) {
    int error = read_news(watch);
    if (error != 0) return error;
    if (watch->everything_stale) return read_everything(watch);
    return watch->routes_stale ? read_routes(watch) : 0;
}

static int open_news(struct netlink_watch *watch) {
    watch->news = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (watch->news == NULL) return -errno;
    unsigned groups =
        RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE;
    if (mnl_socket_bind(watch->news, groups, MNL_SOCKET_AUTOPID) < 0) return -errno;
    int bytes = NEWS_BUFFER_BYTES; /* an overrun costs reading everything, no more: so a refusal is fine */
    (void)!setsockopt(mnl_socket_get_fd(watch->news), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    return 0;
}

int netlink_watch_create(void (*on_event)(void *context, const struct netlink_event *event), void *context,
                         struct netlink_watch **out) {
    struct netlink_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) return -ENOMEM;
    watch->state.on_event = on_event;
    watch->state.context = context;
    watch->state.silent = true;
    int error = open_news(watch); /* first, so that nothing falls between reading and listening */
    if (error == 0) error = netlink_open(&watch->netlink);
    if (error == 0) error = read_everything(watch);
    watch->state.silent = false;
    if (error != 0) {
        netlink_watch_destroy(watch);
        return error;
    }
    *out = watch;
    return 0;
}

void netlink_watch_destroy(struct netlink_watch *watch) {
    if (watch == NULL) return;
    if (watch->news != NULL) mnl_socket_close(watch->news);
    netlink_close(watch->netlink);
    netlink_state_deinit(&watch->state);
    free(watch);
}

int netlink_watch_fd(const struct netlink_watch *watch) {
    return mnl_socket_get_fd(watch->news);
}

/* ---- asking the watch ---- */

const struct netlink_interface *netlink_watch_interface(const struct netlink_watch *watch, uint32_t index) {
    for (size_t i = 0; i < watch->state.link_count; i++)
        if (watch->state.links[i].interface.index == index) return &watch->state.links[i].interface;
    return NULL;
}

const struct netlink_interface *netlink_watch_interface_named(const struct netlink_watch *watch,
                                                              const char *name) {
    for (size_t i = 0; i < watch->state.link_count; i++)
        if (strcmp(watch->state.links[i].interface.name, name) == 0) return &watch->state.links[i].interface;
    return NULL;
}

size_t netlink_watch_addresses(const struct netlink_watch *watch, uint32_t interface_index,
                               struct netlink_address *out, size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < watch->state.address_count; i++) {
        const struct netlink_address *address = &watch->state.addresses[i].address;
        if (address->interface_index != interface_index || !address->usable) continue;
        if (count < max) out[count] = *address;
        count++;
    }
    return count;
}

static void insert_by_metric(struct netlink_default_route *routes, size_t count,
                             const struct netlink_default_route *route) {
    size_t at = count;
    while (at > 0 && routes[at - 1].metric > route->metric) {
        routes[at] = routes[at - 1];
        at--;
    }
    routes[at] = *route;
}

size_t netlink_watch_default_routes(const struct netlink_watch *watch, struct netlink_default_route *out,
                                    size_t max) {
    size_t count = 0;
    for (size_t i = 0; i < watch->state.route_count; i++) {
        const struct netlink_default_route *route = &watch->state.routes[i].route;
        if (count < max)
            insert_by_metric(out, count, route);
        else if (max > 0 && out[max - 1].metric > route->metric)
            insert_by_metric(out, max - 1, route);
        count++;
    }
    return count;
}
