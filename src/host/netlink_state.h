/* Inside of the netlink watch: what is known of interfaces, addresses and default routes, and which change of
 * it is news. Knows nothing of netlink's messages. */
#ifndef HOST_NETLINK_STATE_H
#define HOST_NETLINK_STATE_H

#include <host/netlink_watch.h>

struct link_entry {
    struct netlink_interface interface;
    uint32_t round; /* of reading everything, in which it was seen last */
};
struct address_entry {
    struct netlink_address address;
    uint32_t round;
};
struct route_entry {
    struct netlink_default_route route;
    uint32_t round;
};

struct netlink_state {
    struct link_entry *links;
    size_t link_count, link_capacity;
    struct address_entry *addresses;
    size_t address_count, address_capacity;
    struct route_entry *routes;
    size_t route_count, route_capacity;
    uint32_t round;
    bool silent; /* tell nothing */
    void (*on_event)(void *context, const struct netlink_event *event);
    void *context;
};

void netlink_state_deinit(struct netlink_state *state);

/* What was seen or told. `..._seen` return false when there is no memory. */
bool netlink_state_link_seen(struct netlink_state *state, const struct netlink_interface *interface) MUST_USE;
void netlink_state_link_gone(struct netlink_state *state, uint32_t interface_index);
bool netlink_state_address_seen(struct netlink_state *state, const struct netlink_address *address) MUST_USE;
void netlink_state_address_gone(struct netlink_state *state, const struct netlink_address *address);
bool netlink_state_route_seen(struct netlink_state *state,
                              const struct netlink_default_route *route) MUST_USE;
void netlink_state_route_gone(struct netlink_state *state, const struct netlink_default_route *route);

/* Reading everything: what is not seen between begin and forget is gone. */
void netlink_state_round_begin(struct netlink_state *state);
void netlink_state_forget_unseen_links(struct netlink_state *state);
void netlink_state_forget_unseen_addresses(struct netlink_state *state);
void netlink_state_forget_unseen_routes(struct netlink_state *state);

#endif
