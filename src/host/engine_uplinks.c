/* The uplinks: which interfaces they are, and which of their addresses the stack may use now.
 *
 * An address may be used when its interface can carry packets, it is past duplicate-address detection, and a
 * default route leads out by the interface: announced any earlier, what is sent from it would be lost. Where
 * no default route was ever seen (a network that leads nowhere else), the address itself is enough after a
 * moment. */
#include "engine_internal.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long an address waits for its first default route. */
#define ROUTE_GRACE_NS BRAID_NS_PER_S

static const enum ip_family families[FAMILIES] = {IP_V4, IP_V6};

static struct braid_address public_address(const struct ip_address *address) {
    struct braid_address out = {.family = (uint8_t)address->family};
    memcpy(out.bytes, address->bytes, sizeof(out.bytes));
    return out;
}

/* ---- addresses ---- */

static bool has_default_route(const struct engine *engine, uint32_t interface_index, enum ip_family family) {
    struct netlink_default_route routes[ENGINE_ROUTES_MAX];
    size_t count = netlink_watch_default_routes(engine->networks, routes, ENGINE_ROUTES_MAX);
    if (count > ENGINE_ROUTES_MAX) count = ENGINE_ROUTES_MAX;
    for (size_t i = 0; i < count; i++)
        if (routes[i].interface_index == interface_index && routes[i].family == family) return true;
    return false;
}

/* Higher is better; 0: not to be used. The one in use is kept while it lives; of IPv6's the temporary ones
 * are for connections of one's own (RFC 8981). */
static int address_rank(const struct netlink_address *address, const struct ip_address *in_use) {
    const struct ip_address *ip = &address->address;
    if (ip_address_is_link_local(ip) || ip_address_is_loopback(ip) || ip_address_is_multicast(ip)) return 0;
    if (address->deprecated) return ip_address_equal(ip, in_use) ? 1 : 0;
    if (ip_address_equal(ip, in_use)) return 4;
    return address->temporary ? 3 : 2;
}

/* The best address of a family; IP_NONE if there is none. */
static struct ip_address best_address(const struct engine *engine, uint32_t interface_index,
                                      enum ip_family family, const struct ip_address *in_use) {
    struct netlink_address addresses[ENGINE_ADDRESSES_MAX];
    struct ip_address best = {.family = IP_NONE};
    int best_rank = 0;
    size_t count =
        netlink_watch_addresses(engine->networks, interface_index, addresses, ENGINE_ADDRESSES_MAX);
    if (count > ENGINE_ADDRESSES_MAX) count = ENGINE_ADDRESSES_MAX;
    for (size_t i = 0; i < count; i++) {
        int rank = addresses[i].address.family == family ? address_rank(&addresses[i], in_use) : 0;
        if (rank <= best_rank) continue;
        best = addresses[i].address;
        best_rank = rank;
    }
    return best;
}

static void on_later(uv_timer_t *timer) {
    struct engine *engine = timer->data;
    engine->now = host_now();
    uplinks_look_again(engine);
}

static bool route_is_there(struct engine *engine, struct engine_uplink *uplink, int f) {
    if (has_default_route(engine, uplink_interface_index(uplink->uplink), families[f])) {
        uplink->route_seen[f] = true;
        uplink->on_link_since[f] = 0;
        return true;
    }
    if (uplink->route_seen[f]) return false;
    if (engine->starting || uplink->active[f].family != IP_NONE) return true;
    if (uplink->on_link_since[f] == 0) uplink->on_link_since[f] = engine->now;
    if (engine->now - uplink->on_link_since[f] >= ROUTE_GRACE_NS) return true;
    if (!uv_is_active((uv_handle_t *)&engine->later)) uv_timer_start(&engine->later, on_later, 100, 0);
    return false;
}

static struct ip_address wanted_address(struct engine *engine, struct engine_uplink *uplink, int f) {
    struct ip_address none = {.family = IP_NONE};
    if (uplink->uplink == NULL) return none;
    uint32_t index = uplink_interface_index(uplink->uplink);
    const struct netlink_interface *interface = netlink_watch_interface(engine->networks, index);
    struct ip_address wanted = none;
    if (interface != NULL && interface->usable)
        wanted = best_address(engine, index, families[f], &uplink->active[f]);
    if (wanted.family == IP_NONE) {
        uplink->on_link_since[f] = 0;
        return none;
    }
    return route_is_there(engine, uplink, f) ? wanted : none;
}

/* Tells the stack what changed: first what is gone, so that nothing more goes that way. */
static void reconsider(struct engine *engine, struct engine_uplink *uplink) {
    for (int f = 0; f < FAMILIES; f++) {
        struct ip_address wanted = wanted_address(engine, uplink, f), *active = &uplink->active[f];
        if (ip_address_equal(&wanted, active)) continue;
        if (active->family != IP_NONE) {
            struct braid_address gone = public_address(active);
            braid_stack_address_remove(engine->stack, uplink->port.number, &gone, engine->now);
        }
        *active = wanted;
        engine->uplinks_changed = true;
        if (wanted.family == IP_NONE) continue;
        struct braid_address added = public_address(&wanted);
        if (!braid_stack_address_add(engine->stack, uplink->port.number, &added, uplink->backup,
                                     engine->announce, engine->now))
            active->family = IP_NONE;
    }
}

void uplinks_look_again(struct engine *engine) {
    for (size_t i = 0; i < engine->uplink_count; i++)
        reconsider(engine, engine->uplinks[i]);
}

/* ---- interfaces ---- */

static void on_neighbours(void *context, int events) {
    (void)events;
    ((struct engine_uplink *)context)->neighbours_ready = true;
}

static void interface_lost(struct engine_uplink *uplink) {
    fd_watch_destroy(uplink->neighbours);
    uplink->neighbours = NULL;
    uplink->neighbours_ready = false;
    port_close(&uplink->port);
    uplink_close(uplink->uplink);
    uplink->uplink = NULL;
}

static struct uplink_result watch_descriptors(struct engine *engine, struct engine_uplink *uplink) {
    static const struct uplink_result no_memory = {UPLINK_NO_MEMORY, ENOMEM};
    if (!port_open(&uplink->port, uplink_link(uplink->uplink))) return no_memory;
    int fd = uplink_fd(uplink->uplink);
    if (fd < 0) return (struct uplink_result){UPLINK_OK, 0};
    uplink->neighbours = fd_watch_create(&engine->loop, fd, UV_READABLE, on_neighbours, uplink);
    return uplink->neighbours != NULL ? (struct uplink_result){UPLINK_OK, 0} : no_memory;
}

/* The interface is there: opens it, and makes a link of the stack's for it if it has none yet. */
static struct uplink_result interface_found(struct engine *engine, struct engine_uplink *uplink) {
    struct uplink_result result = uplink_open(engine->shared, uplink->interface, &uplink->uplink);
    if (result.problem != UPLINK_OK) return result;
    if (engine->capture != NULL && uplink_capture(uplink->uplink, engine->capture) != 0)
        result = (struct uplink_result){UPLINK_NO_MEMORY, ENOMEM};
    struct braid_link_config config = {.uplink = true,
                                       .port_first = uplinks_port_first(engine->shared),
                                       .port_last = uplinks_port_last(engine->shared)};
    if (result.problem == UPLINK_OK && uplink->port.number < 0 &&
        !port_add(engine, &uplink->port, uplink_link(uplink->uplink)->capabilities, &config))
        result = (struct uplink_result){UPLINK_FAILED, ENOSPC};
    if (result.problem == UPLINK_OK) engine_terms(engine, uplink->port.number, &uplink->terms);
    if (result.problem == UPLINK_OK) result = watch_descriptors(engine, uplink);
    if (result.problem != UPLINK_OK) interface_lost(uplink);
    return result;
}

static void interface_changed(struct engine *engine, struct engine_uplink *uplink) {
    uplink_refresh(uplink->uplink);
    braid_stack_link_set_mtu(engine->stack, uplink->port.number,
                             uplink_link(uplink->uplink)->capabilities->mtu, engine->now);
}

static struct engine_uplink *uplink_named(const struct engine *engine, const char *interface) {
    for (size_t i = 0; i < engine->uplink_count; i++)
        if (strcmp(engine->uplinks[i]->interface, interface) == 0) return engine->uplinks[i];
    return NULL;
}

static struct engine_uplink *uplink_of_index(const struct engine *engine, uint32_t index) {
    for (size_t i = 0; i < engine->uplink_count; i++) {
        const struct uplink *uplink = engine->uplinks[i]->uplink;
        if (uplink != NULL && uplink_interface_index(uplink) == index) return engine->uplinks[i];
    }
    return NULL;
}

/* With handover the first uplink of least cost carries, and the others stand by. */
static void decide_backup(struct engine *engine) {
    const struct engine_uplink *first = engine->uplinks[0];
    for (size_t i = 1; i < engine->uplink_count; i++) {
        const struct engine_uplink *uplink = engine->uplinks[i];
        if (engine_cost(uplink->backup_asked, &uplink->terms) <
            engine_cost(first->backup_asked, &first->terms))
            first = uplink;
    }
    for (size_t i = 0; i < engine->uplink_count; i++) {
        struct engine_uplink *uplink = engine->uplinks[i];
        uplink->backup = engine->policy == ENGINE_POLICY_HANDOVER ? uplink != first : uplink->backup_asked;
    }
}

static struct uplink_result uplink_add(struct engine *engine, const struct engine_uplink_choice *choice) {
    if (engine->uplink_count == BRAID_LINKS_MAX - 1) return (struct uplink_result){UPLINK_FAILED, ENOSPC};
    struct engine_uplink *uplink = calloc(1, sizeof(*uplink));
    if (uplink == NULL) return (struct uplink_result){UPLINK_NO_MEMORY, ENOMEM};
    uplink->port.engine = engine;
    uplink->port.number = -1;
    uplink->backup_asked = choice->backup;
    uplink->terms = choice->terms;
    snprintf(uplink->interface, sizeof(uplink->interface), "%s", choice->interface);
    struct uplink_result result = interface_found(engine, uplink);
    if (result.problem != UPLINK_OK) {
        if (uplink->port.number >= 0) engine->ports[uplink->port.number] = NULL;
        free(uplink);
        return result;
    }
    engine->uplinks[engine->uplink_count++] = uplink;
    decide_backup(engine);
    return result;
}

/* ---- news ---- */

/* A default route by an interface that is no uplink yet: it becomes one, if every one is wanted. */
static void route_appeared(struct engine *engine, uint32_t interface_index) {
    const struct netlink_interface *interface = netlink_watch_interface(engine->networks, interface_index);
    if (!engine->every_default_route || interface == NULL || interface->loopback) return;
    if (uplink_named(engine, interface->name) != NULL) return;
    if (uplink_add(engine, &(struct engine_uplink_choice){.interface = interface->name}).problem == UPLINK_OK)
        reconsider(engine, engine->uplinks[engine->uplink_count - 1]);
}

static void interface_appeared(struct engine *engine, const char *name) {
    struct engine_uplink *uplink = uplink_named(engine, name);
    if (uplink == NULL || uplink->uplink != NULL) return;
    if (interface_found(engine, uplink).problem == UPLINK_OK) interface_changed(engine, uplink);
}

void uplinks_on_network(void *context, const struct netlink_event *event) {
    struct engine *engine = context;
    if (event->type == NETLINK_LINK_ADDED) interface_appeared(engine, event->interface.name);
    if (event->type == NETLINK_ROUTE_ADDED) route_appeared(engine, event->interface_index);
    struct engine_uplink *uplink = uplink_of_index(engine, event->interface_index);
    if (uplink == NULL) return;
    if (event->type == NETLINK_LINK_UP || event->type == NETLINK_LINK_CHANGED)
        interface_changed(engine, uplink);
    if (event->type == NETLINK_LINK_REMOVED) interface_lost(uplink);
    reconsider(engine, uplink);
}

/* ---- life ---- */

static bool explain(struct uplink_result result, const char *interface, char text[ENGINE_TEXT_MAX]) {
    _Static_assert(ENGINE_TEXT_MAX >= UPLINK_TEXT_MAX, "no room for what the uplink says");
    if (result.problem != UPLINK_OK) uplink_explain(result, interface, text);
    return result.problem == UPLINK_OK;
}

static bool add_chosen(struct engine *engine, const struct engine_options *options,
                       char text[ENGINE_TEXT_MAX]) {
    for (size_t i = 0; i < options->uplink_count; i++) {
        const struct engine_uplink_choice *choice = &options->uplinks[i];
        struct uplink_result result = {UPLINK_OK, 0};
        if (uplink_named(engine, choice->interface) == NULL) result = uplink_add(engine, choice);
        if (!explain(result, choice->interface, text)) return false;
    }
    return true;
}

static bool add_default_routes(struct engine *engine, char text[ENGINE_TEXT_MAX]) {
    struct netlink_default_route routes[ENGINE_ROUTES_MAX];
    struct uplink_result problem = {UPLINK_NONE_FOUND, 0};
    char which[NETLINK_NAME_MAX] = "";
    size_t count = netlink_watch_default_routes(engine->networks, routes, ENGINE_ROUTES_MAX);
    if (count > ENGINE_ROUTES_MAX) count = ENGINE_ROUTES_MAX;
    for (size_t i = 0; i < count; i++) {
        const struct netlink_interface *interface =
            netlink_watch_interface(engine->networks, routes[i].interface_index);
        if (interface == NULL || interface->loopback || uplink_named(engine, interface->name) != NULL)
            continue;
        struct uplink_result result =
            uplink_add(engine, &(struct engine_uplink_choice){.interface = interface->name});
        if (result.problem == UPLINK_OK) continue;
        problem = result;
        snprintf(which, sizeof(which), "%s", interface->name);
    }
    return engine->uplink_count > 0 || explain(problem, which[0] != 0 ? which : NULL, text);
}

bool uplinks_start(struct engine *engine, const struct engine_options *options, char text[ENGINE_TEXT_MAX]) {
    for (size_t i = 0; i < options->uplink_count; i++)
        if (netlink_watch_interface_named(engine->networks, options->uplinks[i].interface) == NULL)
            return explain((struct uplink_result){UPLINK_NO_SUCH_INTERFACE, 0}, options->uplinks[i].interface,
                           text);
    struct uplink_result result =
        uplinks_create_at(engine_env(engine), options->port_first, options->port_count, &engine->shared);
    if (!explain(result, NULL, text)) return false;
    bool added =
        options->uplink_count > 0 ? add_chosen(engine, options, text) : add_default_routes(engine, text);
    if (added) uplinks_look_again(engine);
    return added;
}

void uplinks_end(struct engine *engine) {
    for (size_t i = 0; i < engine->uplink_count; i++) {
        struct engine_uplink *uplink = engine->uplinks[i];
        if (uplink->uplink != NULL) interface_lost(uplink);
        if (uplink->port.number >= 0) engine->ports[uplink->port.number] = NULL;
        free(uplink);
    }
    engine->uplink_count = 0;
    uplinks_destroy(engine->shared);
}

bool engine_uplink_info(const struct engine *engine, size_t index, struct engine_uplink_info *out) {
    if (index >= engine->uplink_count) return false;
    const struct engine_uplink *uplink = engine->uplinks[index];
    const struct netlink_interface *interface =
        netlink_watch_interface_named(engine->networks, uplink->interface);
    *out = (struct engine_uplink_info){
        .interface = uplink->interface,
        .interface_index = interface != NULL ? interface->index : 0,
        .link = uplink->port.number,
        .backup = uplink->backup,
        .present = uplink->uplink != NULL && interface != NULL && interface->usable,
        .address_v4 = uplink->active[FAMILY_V4],
        .address_v6 = uplink->active[FAMILY_V6],
        .metered = engine_cost(false, &uplink->terms) > 0,
        .used_up = braid_stack_link_used_up(engine->stack, uplink->port.number),
        .used_bytes = braid_stack_link_used(engine->stack, uplink->port.number),
        .cap_bytes = uplink->terms.cap_bytes,
    };
    if (uplink->uplink != NULL) {
        const struct link *link = uplink_link(uplink->uplink);
        out->mtu_bytes = link->capabilities->mtu;
        out->bytes_in = link->statistics->bytes_in;
        out->bytes_out = link->statistics->bytes_out;
    }
    return true;
}
