/* A watch on interfaces, addresses and default routes: keeps a copy of what the kernel has, and tells each
 * change once. After an overrun of the netlink socket it reads everything again and tells the difference. */
#ifndef HOST_NETLINK_WATCH_H
#define HOST_NETLINK_WATCH_H

#include <base/ensure.h>
#include <wire/address.h>

#define NETLINK_NAME_MAX 16

struct netlink_interface {
    uint32_t index;
    char name[NETLINK_NAME_MAX];
    uint32_t mtu;
    uint8_t mac[6];
    bool has_mac;
    bool loopback;
    /* Able to carry packets: set up, with carrier, and its operational state (RFC 2863) up or unknown; so a
     * WiFi that is associated but not yet authenticated is not. */
    bool usable;
};

struct netlink_address {
    uint32_t interface_index;
    struct ip_address address;
    uint8_t prefix_length;
    bool usable;     /* past duplicate-address detection, or spared it */
    bool deprecated; /* still good for what uses it, not for new connections (RFC 4862 §5.5.4) */
    bool temporary;  /* RFC 8981 */
};

struct netlink_default_route {
    uint32_t interface_index;
    enum ip_family family;
    struct ip_address gateway; /* family IP_NONE: on link */
    uint32_t metric;           /* lower is preferred */
    uint32_t table;
};

enum netlink_event_type {
    NETLINK_LINK_ADDED,   /* followed by NETLINK_LINK_UP if it is usable */
    NETLINK_LINK_UP,      /* became usable */
    NETLINK_LINK_DOWN,    /* is no longer */
    NETLINK_LINK_CHANGED, /* name, MTU or link-layer address */
    NETLINK_LINK_REMOVED,
    NETLINK_ADDRESS_ADDED,   /* became usable */
    NETLINK_ADDRESS_REMOVED, /* is no longer */
    NETLINK_ADDRESS_CHANGED, /* deprecated, or no longer so */
    NETLINK_ROUTE_ADDED,
    NETLINK_ROUTE_REMOVED,
};
const char *netlink_event_type_name(enum netlink_event_type type);

struct netlink_event {
    enum netlink_event_type type;
    uint32_t interface_index;
    struct netlink_interface interface; /* of NETLINK_LINK_...: as it is now, or was last */
    struct netlink_address address;     /* of NETLINK_ADDRESS_... */
    struct netlink_default_route route; /* of NETLINK_ROUTE_... */
};

struct netlink_watch;

/* Reads what there is, without telling events about it, in the network namespace of the calling thread.
 * Later, each netlink_watch_dispatch() tells what changed since. 0 or -errno. */
int netlink_watch_create(void (*on_event)(void *context, const struct netlink_event *event), void *context,
                         struct netlink_watch **out) MUST_USE;
void netlink_watch_destroy(struct netlink_watch *watch); /* NULL is fine */
int netlink_watch_fd(const struct netlink_watch *watch); /* readable when there is news */
/* Takes in all news, calling on_event for each change; the watch already shows the state after it. The
 * callback may ask the watch but not destroy it. 0, or -errno when the kernel could not be asked; try again
 * later. */
int netlink_watch_dispatch(struct netlink_watch *watch);

/* NULL if there is none such. Valid until the next dispatch. */
const struct netlink_interface *netlink_watch_interface(const struct netlink_watch *watch, uint32_t index);
const struct netlink_interface *netlink_watch_interface_named(const struct netlink_watch *watch,
                                                              const char *name);
/* The usable addresses of an interface, link-local ones too. Returns how many there are; writes at most
 * `max`. */
size_t netlink_watch_addresses(const struct netlink_watch *watch, uint32_t interface_index,
                               struct netlink_address *out, size_t max);
/* All default routes, of every table but the local one, the preferred ones (lowest metric) first; an
 * interface that has several comes several times. Returns how many there are; writes at most `max`. */
size_t netlink_watch_default_routes(const struct netlink_watch *watch, struct netlink_default_route *out,
                                    size_t max);

#endif
