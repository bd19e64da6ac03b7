/* What is known of interfaces, addresses and default routes, against a plain table of what was told to it:
 * whoever only hears the events knows the same, whatever came, went, was said twice, or had gone unseen when
 * everything was read again. */
#include "fuzz.h"
#include <netlink_state.h>

enum { LINKS = 3, ADDRESSES = 6, ROUTES = 4 };

/* Of each thing: is it there, is it usable, and was it seen in this round. */
struct thing {
    bool there, usable, seen;
};
struct table {
    struct thing links[LINKS], addresses[ADDRESSES], routes[ROUTES];
};
static struct table truth, heard;

static struct netlink_interface link_of(unsigned i, uint8_t what) {
    struct netlink_interface interface = {
        .index = i + 1, .name = "eth", .mtu = what & 2 ? 1500 : 1400, .usable = what & 1};
    interface.name[3] = (char)(what & 4 ? 'x' : '0' + i);
    return interface;
}
static struct netlink_address address_of(unsigned i, uint8_t what) {
    const uint8_t bytes[4] = {10, 0, 0, (uint8_t)i};
    return (struct netlink_address){.interface_index = i % LINKS + 1,
                                    .address = ip_address_v4(bytes),
                                    .prefix_length = 24,
                                    .usable = what & 1,
                                    .deprecated = what & 2};
}
static struct netlink_default_route route_of(unsigned i) {
    return (struct netlink_default_route){
        .interface_index = i % LINKS + 1, .family = IP_V4, .metric = i, .table = 254};
}

/* Nothing is told twice. */
static void change(bool *what, bool to) {
    ENSURE(*what != to);
    *what = to;
}

static void on_event(void *context, const struct netlink_event *e) {
    (void)context;
    unsigned link = e->interface_index - 1;
    ENSURE(link < LINKS);
    struct thing *l = &heard.links[link],
                 *address = &heard.addresses[e->address.address.bytes[3] % ADDRESSES];
    struct thing *route = &heard.routes[e->route.metric % ROUTES];
    switch (e->type) {
    case NETLINK_LINK_ADDED:
        change(&l->there, true);
        return;
    case NETLINK_LINK_UP:
        ENSURE(l->there);
        change(&l->usable, true);
        return;
    case NETLINK_LINK_DOWN:
        change(&l->usable, false);
        return;
    case NETLINK_LINK_CHANGED:
        ENSURE(l->there);
        return;
    case NETLINK_LINK_REMOVED:
        ENSURE(!l->usable);
        change(&l->there, false);
        return;
    case NETLINK_ADDRESS_ADDED:
        change(&address->usable, true);
        return;
    case NETLINK_ADDRESS_REMOVED:
        change(&address->usable, false);
        return;
    case NETLINK_ADDRESS_CHANGED:
        ENSURE(address->usable);
        return;
    case NETLINK_ROUTE_ADDED:
        change(&route->there, true);
        return;
    case NETLINK_ROUTE_REMOVED:
        change(&route->there, false);
        return;
    }
}

static void link_gone(unsigned i) {
    if (!truth.links[i].there) return;
    truth.links[i] = (struct thing){0};
    for (unsigned k = i; k < ADDRESSES; k += LINKS)
        truth.addresses[k] = (struct thing){0};
    for (unsigned k = i; k < ROUTES; k += LINKS)
        truth.routes[k] = (struct thing){0};
}

static void compare(const struct netlink_state *state) {
    unsigned links = 0, addresses = 0, routes = 0;
    for (unsigned i = 0; i < LINKS; i++) {
        ENSURE(truth.links[i].there == heard.links[i].there &&
               truth.links[i].usable == heard.links[i].usable);
        links += truth.links[i].there;
    }
    for (unsigned i = 0; i < ADDRESSES; i++) {
        ENSURE(truth.addresses[i].usable == heard.addresses[i].usable);
        addresses += truth.addresses[i].there;
    }
    for (unsigned i = 0; i < ROUTES; i++) {
        ENSURE(truth.routes[i].there == heard.routes[i].there);
        routes += truth.routes[i].there;
    }
    ENSURE(state->link_count == links && state->address_count == addresses && state->route_count == routes);
}

static void forget_unseen(struct netlink_state *state) {
    netlink_state_forget_unseen_routes(state);
    for (unsigned i = 0; i < ROUTES; i++)
        if (!truth.routes[i].seen) truth.routes[i] = (struct thing){0};
    netlink_state_forget_unseen_addresses(state);
    for (unsigned i = 0; i < ADDRESSES; i++)
        if (!truth.addresses[i].seen) truth.addresses[i] = (struct thing){0};
    netlink_state_forget_unseen_links(state);
    for (unsigned i = 0; i < LINKS; i++)
        if (!truth.links[i].seen) link_gone(i);
}

static void begin_round(struct netlink_state *state) {
    netlink_state_round_begin(state);
    for (unsigned i = 0; i < LINKS; i++)
        truth.links[i].seen = false;
    for (unsigned i = 0; i < ADDRESSES; i++)
        truth.addresses[i].seen = false;
    for (unsigned i = 0; i < ROUTES; i++)
        truth.routes[i].seen = false;
}

static void step(struct netlink_state *state, struct feed *f) {
    uint8_t what = feed_u8(f), how = what >> 3;
    unsigned link = feed_u8(f), address = link % ADDRESSES, route = link % ROUTES;
    link %= LINKS;
    switch (what % 8) {
    case 0: {
        struct netlink_interface interface = link_of(link, how);
        ENSURE(netlink_state_link_seen(state, &interface));
        truth.links[link] = (struct thing){true, interface.usable, true};
        return;
    }
    case 1:
        netlink_state_link_gone(state, link + 1), link_gone(link);
        return;
    case 2: {
        struct netlink_address seen = address_of(address, how);
        ENSURE(netlink_state_address_seen(state, &seen));
        truth.addresses[address] = (struct thing){true, seen.usable, true};
        return;
    }
    case 3: {
        struct netlink_address gone = address_of(address, how);
        netlink_state_address_gone(state, &gone);
        truth.addresses[address] = (struct thing){0};
        return;
    }
    case 4: {
        struct netlink_default_route seen = route_of(route);
        ENSURE(netlink_state_route_seen(state, &seen));
        truth.routes[route] = (struct thing){true, true, true};
        return;
    }
    case 5: {
        struct netlink_default_route gone = route_of(route);
        netlink_state_route_gone(state, &gone);
        truth.routes[route] = (struct thing){0};
        return;
    }
    case 6:
        begin_round(state);
        return;
    default:
        forget_unseen(state);
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    struct netlink_state state = {.on_event = on_event};
    truth = heard = (struct table){0};
    while (feed_left(&f) > 0) {
        step(&state, &f);
        compare(&state);
    }
    netlink_state_deinit(&state);
    return 0;
}
