#include "netlink_state.h"

#include <stdlib.h>
#include <string.h>

void netlink_state_deinit(struct netlink_state *state) {
    free(state->links);
    free(state->addresses);
    free(state->routes);
}

/* Room for one more in an array of `count` entries. NULL when there is no memory; else the array. */
static void *grown(void *entries, size_t count, size_t *capacity, size_t entry_bytes) {
    if (count < *capacity) return entries;
    size_t wanted = *capacity == 0 ? 8 : 2 * *capacity;
    void *larger = realloc(entries, wanted * entry_bytes);
    if (larger != NULL) *capacity = wanted;
    return larger;
}

/* ---- interfaces ---- */

static void tell_link(const struct netlink_state *state, enum netlink_event_type type,
                      const struct netlink_interface *interface) {
    if (state->silent) return;
    struct netlink_event event = {.type = type, .interface_index = interface->index, .interface = *interface};
    state->on_event(state->context, &event);
}

static bool link_looks_the_same(const struct netlink_interface *a, const struct netlink_interface *b) {
    return strcmp(a->name, b->name) == 0 && a->mtu == b->mtu && a->has_mac == b->has_mac &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0;
}

static bool link_added(struct netlink_state *state, const struct netlink_interface *interface) {
    struct link_entry *links = grown(state->links, state->link_count, &state->link_capacity, sizeof(*links));
    if (links == NULL) return false;
    state->links = links;
    links[state->link_count++] = (struct link_entry){*interface, state->round};
    tell_link(state, NETLINK_LINK_ADDED, interface);
    if (interface->usable) tell_link(state, NETLINK_LINK_UP, interface);
    return true;
}

bool netlink_state_link_seen(struct netlink_state *state, const struct netlink_interface *interface) {
    for (size_t i = 0; i < state->link_count; i++) {
        struct link_entry *entry = &state->links[i];
        if (entry->interface.index != interface->index) continue;
        struct netlink_interface before = entry->interface;
        *entry = (struct link_entry){*interface, state->round};
        if (before.usable && !interface->usable) tell_link(state, NETLINK_LINK_DOWN, interface);
        if (!link_looks_the_same(&before, interface)) tell_link(state, NETLINK_LINK_CHANGED, interface);
        if (!before.usable && interface->usable) tell_link(state, NETLINK_LINK_UP, interface);
        return true;
    }
    return link_added(state, interface);
}

static void addresses_of_link_gone(struct netlink_state *state, uint32_t interface_index) {
    for (size_t i = state->address_count; i-- > 0;) {
        struct netlink_address address = state->addresses[i].address;
        if (address.interface_index == interface_index) netlink_state_address_gone(state, &address);
    }
}

static void routes_of_link_gone(struct netlink_state *state, uint32_t interface_index) {
    for (size_t i = state->route_count; i-- > 0;) {
        struct netlink_default_route route = state->routes[i].route;
        if (route.interface_index == interface_index) netlink_state_route_gone(state, &route);
    }
}

void netlink_state_link_gone(struct netlink_state *state, uint32_t interface_index) {
    for (size_t i = 0; i < state->link_count; i++) {
        struct netlink_interface interface = state->links[i].interface;
        if (interface.index != interface_index) continue;
        bool was_usable = interface.usable;
        interface.usable = false;
        state->links[i] = state->links[--state->link_count];
        if (was_usable) tell_link(state, NETLINK_LINK_DOWN, &interface);
        routes_of_link_gone(state, interface_index);
        addresses_of_link_gone(state, interface_index);
        tell_link(state, NETLINK_LINK_REMOVED, &interface);
        return;
    }
}

/* ---- addresses ---- */

static void tell_address(const struct netlink_state *state, enum netlink_event_type type,
                         const struct netlink_address *address) {
    if (state->silent) return;
    struct netlink_event event = {
        .type = type, .interface_index = address->interface_index, .address = *address};
    state->on_event(state->context, &event);
}

static bool same_address(const struct netlink_address *a, const struct netlink_address *b) {
    return a->interface_index == b->interface_index && a->prefix_length == b->prefix_length &&
           ip_address_equal(&a->address, &b->address);
}

bool netlink_state_address_seen(struct netlink_state *state, const struct netlink_address *address) {
    for (size_t i = 0; i < state->address_count; i++) {
        struct address_entry *entry = &state->addresses[i];
        if (!same_address(&entry->address, address)) continue;
        struct netlink_address before = entry->address;
        *entry = (struct address_entry){*address, state->round};
        if (before.usable != address->usable)
            tell_address(state, address->usable ? NETLINK_ADDRESS_ADDED : NETLINK_ADDRESS_REMOVED, address);
        else if (address->usable && before.deprecated != address->deprecated)
            tell_address(state, NETLINK_ADDRESS_CHANGED, address);
        return true;
    }
    struct address_entry *addresses =
        grown(state->addresses, state->address_count, &state->address_capacity, sizeof(*addresses));
    if (addresses == NULL) return false;
    state->addresses = addresses;
    addresses[state->address_count++] = (struct address_entry){*address, state->round};
    if (address->usable) tell_address(state, NETLINK_ADDRESS_ADDED, address);
    return true;
}

void netlink_state_address_gone(struct netlink_state *state, const struct netlink_address *address) {
    for (size_t i = 0; i < state->address_count; i++) {
        struct netlink_address gone = state->addresses[i].address;
        if (!same_address(&gone, address)) continue;
        bool was_usable = gone.usable;
        gone.usable = false;
        state->addresses[i] = state->addresses[--state->address_count];
        if (was_usable) tell_address(state, NETLINK_ADDRESS_REMOVED, &gone);
        return;
    }
}

/* ---- default routes ---- */

static void tell_route(const struct netlink_state *state, enum netlink_event_type type,
                       const struct netlink_default_route *route) {
    if (state->silent) return;
    struct netlink_event event = {.type = type, .interface_index = route->interface_index, .route = *route};
    state->on_event(state->context, &event);
}

static bool same_route(const struct netlink_default_route *a, const struct netlink_default_route *b) {
    return a->interface_index == b->interface_index && a->family == b->family && a->metric == b->metric &&
           a->table == b->table && ip_address_equal(&a->gateway, &b->gateway);
}

bool netlink_state_route_seen(struct netlink_state *state, const struct netlink_default_route *route) {
    for (size_t i = 0; i < state->route_count; i++) {
        if (!same_route(&state->routes[i].route, route)) continue;
        state->routes[i].round = state->round;
        return true;
    }
    struct route_entry *routes =
        grown(state->routes, state->route_count, &state->route_capacity, sizeof(*routes));
    if (routes == NULL) return false;
    state->routes = routes;
    routes[state->route_count++] = (struct route_entry){*route, state->round};
    tell_route(state, NETLINK_ROUTE_ADDED, route);
    return true;
}

void netlink_state_route_gone(struct netlink_state *state, const struct netlink_default_route *route) {
    for (size_t i = 0; i < state->route_count; i++) {
        struct netlink_default_route gone = state->routes[i].route;
        if (!same_route(&gone, route)) continue;
        state->routes[i] = state->routes[--state->route_count];
        tell_route(state, NETLINK_ROUTE_REMOVED, &gone);
        return;
    }
}

/* ---- reading everything ---- */

void netlink_state_round_begin(struct netlink_state *state) {
    state->round++;
}

void netlink_state_forget_unseen_links(struct netlink_state *state) {
    for (size_t i = state->link_count; i-- > 0;)
        if (state->links[i].round != state->round)
            netlink_state_link_gone(state, state->links[i].interface.index);
}

void netlink_state_forget_unseen_addresses(struct netlink_state *state) {
    for (size_t i = state->address_count; i-- > 0;) {
        struct address_entry entry = state->addresses[i];
        if (entry.round != state->round) netlink_state_address_gone(state, &entry.address);
    }
}

void netlink_state_forget_unseen_routes(struct netlink_state *state) {
    for (size_t i = state->route_count; i-- > 0;) {
        struct route_entry entry = state->routes[i];
        if (entry.round != state->round) netlink_state_route_gone(state, &entry.route);
    }
}
