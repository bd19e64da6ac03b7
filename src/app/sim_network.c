#include "sim_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/ensure.h>
#include "scenario_box.h"

/* A bare wire takes a little time too, so that nothing happens infinitely often at one moment. */
static const struct link_model_config direct_wire = {
    .rate_bps = UINT64_C(10000000000), .delay_ns = 10 * BRAID_NS_PER_US, .queue_bytes = 10000000};

static bool say(struct scenario_place place, const char *what, const char *name) {
    fprintf(stderr, "%s:%u: %s: %s\n", place.file, place.line, name, what);
    return false;
}

/* ---- what virtual time does not have ---- */

static unsigned interfaces_of(const struct scenario *scenario, unsigned host) {
    unsigned count = 0;
    for (size_t i = 0; i < scenario->link_count; i++)
        for (unsigned e = 0; e < 2; e++)
            count += scenario->links[i].ends[e].host == host;
    return count;
}

static bool check(const struct sim_network_config *config) {
    const struct scenario *scenario = config->scenario;
    unsigned ends[] = {config->run->command.host, config->transfer->server};
    if (scenario->link_count > SIM_LINKS_MAX)
        return say(scenario->links[SIM_LINKS_MAX].place, "more links than virtual time has",
                   scenario->links[SIM_LINKS_MAX].name);
    for (unsigned i = 0; i < scenario->host_count; i++)
        if (interfaces_of(scenario, i) > SIM_INTERFACES_MAX)
            return say(scenario->hosts[i].place, "more interfaces than a host in virtual time has",
                       scenario->hosts[i].name);
    for (size_t i = 0; i < 2 * scenario->link_count; i++) {
        const struct scenario_end *end = &scenario->links[i / 2].ends[i % 2];
        if (end->address_count > SIM_ADDRESSES_MAX)
            return say(end->place, "more addresses than an interface in virtual time has", end->interface);
    }
    for (unsigned i = 0; i < 2; i++)
        if (scenario->hosts[ends[i]].forwarding)
            return say(config->transfer->place,
                       "in virtual time a host that forwards has no connections of its own",
                       scenario->hosts[ends[i]].name);
    if (ends[0] == ends[1])
        return say(config->transfer->place, "this host is its own server", scenario->hosts[ends[0]].name);
    return true;
}

static bool check_uplinks(const struct sim_network_config *config) {
    const struct scenario *scenario = config->scenario;
    for (size_t u = 0; u < config->transfer->uplink_count; u++) {
        bool found = false;
        for (size_t i = 0; i < 2 * scenario->link_count; i++) {
            const struct scenario_end *end = &scenario->links[i / 2].ends[i % 2];
            found = found || (end->host == config->run->command.host &&
                              strcmp(end->interface, config->transfer->uplinks[u].interface) == 0);
        }
        if (!found)
            return say(config->transfer->place, "the run's host has no such interface",
                       config->transfer->uplinks[u].interface);
    }
    return true;
}

/* ---- uplinks ---- */

static int by_metric(const void *a, const void *b) {
    const struct scenario_end *const *x = a, *const *y = b;
    if ((*x)->metric != (*y)->metric) return (*x)->metric < (*y)->metric ? -1 : 1;
    return (*x)->place.line < (*y)->place.line ? -1 : (*x)->place.line > (*y)->place.line;
}

/* The ends of links at a host: those with a gateway first, by metric; then the others. */
static size_t ends_of(const struct scenario *scenario, unsigned host, const struct scenario_end **out) {
    size_t count = 0, with_gateway;
    for (int gateway = 1; gateway >= 0; gateway--) {
        with_gateway = count;
        for (size_t i = 0; i < 2 * scenario->link_count; i++) {
            const struct scenario_end *end = &scenario->links[i / 2].ends[i % 2];
            if (end->host == host && (end->gateway_count > 0) == (gateway == 1)) out[count++] = end;
        }
        qsort(out + with_gateway, count - with_gateway, sizeof(out[0]), by_metric);
    }
    return count;
}

static bool has_gateway(const struct scenario_end *end) {
    return end->gateway_count > 0;
}

/* As braid run decides: with the policy handover all but the first of least cost stand by. */
static void decide_backup(struct engine_uplink_choice *choices, size_t count) {
    size_t first = 0;
    for (size_t i = 1; i < count; i++)
        if (engine_cost(choices[i].backup, &choices[i].terms) < engine_cost(choices[first].backup, &choices[first].terms))
            first = i;
    for (size_t i = 0; i < count; i++)
        choices[i].backup = i != first;
}

/* The interfaces braid uses on a host, in order of preference, and for what; others follow them, as none. */
static size_t uplinks_first(const struct sim_network_config *config, unsigned host,
                            const struct scenario_end **ends, size_t count, struct engine_uplink_choice *choices) {
    const struct scenario_transfer *transfer = config->transfer;
    size_t used = 0;
    if (host != config->run->command.host) return count;
    if (transfer->uplink_count == 0) {
        while (used < count && has_gateway(ends[used]))
            used++;
        used = used != 0 ? used : count;
    }
    for (size_t u = 0; u < transfer->uplink_count; u++) {
        for (size_t i = used; i < count; i++) {
            if (strcmp(ends[i]->interface, transfer->uplinks[u].interface) != 0) continue;
            const struct scenario_end *found = ends[i];
            memmove(&ends[used + 1], &ends[used], (i - used) * sizeof(ends[0]));
            ends[used] = found;
            choices[used++] = transfer->uplinks[u];
            break;
        }
    }
    if (!transfer->aggregate) decide_backup(choices, used);
    return used;
}

/* ---- hosts ---- */

static struct braid_address public_address(const struct ip_address *address) {
    struct braid_address out = {.family = (uint8_t)address->family};
    memcpy(out.bytes, address->bytes, sizeof(out.bytes));
    return out;
}

struct place {
    unsigned link, side;
};
static struct place place_of(const struct scenario *scenario, const struct scenario_end *end) {
    unsigned i = 0;
    while (&scenario->links[i / 2].ends[i % 2] != end)
        i++;
    return (struct place){i / 2, i % 2};
}

static void add_interfaces(struct sim_network *network, const struct sim_network_config *config,
                           unsigned host) {
    const struct scenario *scenario = config->scenario;
    const struct scenario_end *ends[2 * SIM_LINKS_MAX];
    struct engine_uplink_choice choices[2 * SIM_LINKS_MAX] = {0};
    size_t count = ends_of(scenario, host, ends), used = uplinks_first(config, host, ends, count, choices);
    for (size_t i = 0; i < count; i++) {
        struct place place = place_of(scenario, ends[i]);
        struct sim_interface_config interface = {.name = ends[i]->interface,
                                                 .mtu_bytes = scenario->links[place.link].mtu};
        int number = sim_host_interface_add(network->hosts[host], &interface);
        network->links[place.link].interfaces[place.side] = number;
        for (size_t k = 0; i < used && k < ends[i]->address_count; k++) {
            struct braid_address address = public_address(&ends[i]->addresses[k].address);
            sim_host_address_add(network->hosts[host], number, &address, choices[i].backup, false);
        }
        if (host != config->run->command.host) continue;
        struct braid_link_terms terms = choices[i].terms;
        terms.metered |= terms.cap_bytes > 0;
        ENSURE(braid_stack_link_terms(sim_host_stack(network->hosts[host]), number, &terms, sim_world_now(network->world)));
    }
}

static bool any_metered(const struct scenario_transfer *transfer) {
    bool metered = false;
    for (size_t i = 0; i < transfer->uplink_count; i++)
        metered |= engine_cost(false, &transfer->uplinks[i].terms) > 0;
    return metered;
}

static void add_hosts(struct sim_network *network, const struct sim_network_config *config) {
    const struct scenario *scenario = config->scenario;
    for (unsigned i = 0; i < scenario->host_count; i++) {
        const char *name = scenario->hosts[i].name;
        struct braid_stack_config stack = {0};
        if (i == config->run->command.host) {
            stack.checksum = config->transfer->checksum;
            stack.versions = config->transfer->versions;
            stack.congestion = config->transfer->congestion;
            stack.scheduler = engine_scheduler(config->transfer->scheduler, any_metered(config->transfer));
        }
        if (i == config->transfer->server) {
            stack.congestion = config->transfer->server_congestion;
            stack.scheduler = config->transfer->server_scheduler;
        }
        network->hosts[i] = scenario->hosts[i].forwarding ? sim_router_add(network->world, name)
                                                          : sim_host_add(network->world, name, &stack);
        add_interfaces(network, config, i);
    }
}

/* ---- links ---- */

static struct link_model_config model_of(const struct sim_network *network,
                                         const struct scenario_shape *shape) {
    return scenario_shape_model(shape, network->began_ns);
}

/* From the beginning, or by an event. */
static bool is_noisy(const struct sim_network *network, unsigned link) {
    const struct scenario_timeline *timeline = &network->run->timeline;
    const struct scenario_shape *shape = network->scenario->links[link].shape;
    bool noisy = !sim_noise_is_none(&shape[0].noise) || !sim_noise_is_none(&shape[1].noise);
    for (size_t i = 0; i < timeline->count && !noisy; i++) {
        const struct scenario_event *event = &timeline->events[i];
        noisy = event->action == SCENARIO_LINK_SHAPE && event->link == link &&
                ((event->shape_bits[0] | event->shape_bits[1]) & SCENARIO_NOISE) != 0;
    }
    return noisy;
}

/* Noise befalls what has left the wire: one box of it at either end. */
static void append_noise(struct sim_network *network, struct sim_network_link *link,
                         enum sim_direction direction) {
    static const struct sim_noise_config none;
    const struct sim_noise_config *own =
        &link->shape[direction == SIM_UP ? SCENARIO_UP : SCENARIO_DOWN].noise;
    link->noise[direction] = sim_noise_each_way(network->world, direction == SIM_UP ? own : &none,
                                                direction == SIM_DOWN ? own : &none);
    sim_link_append(link->link, link->noise[direction]);
}

static void append_wire(struct sim_network *network, struct sim_network_link *link) {
    struct link_model_config up = model_of(network, &link->shape[SCENARIO_UP]),
                             down = model_of(network, &link->shape[SCENARIO_DOWN]);
    link->wire = link->config->direct ? sim_wire(network->world, &direct_wire, &direct_wire)
                                      : sim_wire(network->world, &up, &down);
    sim_wire_set_overhead(link->wire, SIM_FRAME_OVERHEAD);
    sim_link_append(link->link, link->wire);
}

static struct ip_address address_of(const struct scenario_end *end, enum ip_family family) {
    for (size_t i = 0; i < end->address_count; i++)
        if (end->addresses[i].address.family == family) return end->addresses[i].address;
    return (struct ip_address){.family = IP_NONE};
}

/* The hop in the middle speaks for the end that a packet was going to. */
static void append_path_mtu(struct sim_network *network, struct sim_network_link *link) {
    static const struct ip_address nobody = {.family = IP_NONE};
    const struct scenario_link *config = link->config;
    if (config->path_mtu == 0) return;
    struct sim_box *box = sim_mtu(network->world, config->path_mtu, &nobody);
    for (unsigned e = 0; e < 2 && !config->path_mtu_silent; e++) {
        struct ip_address v4 = address_of(&config->ends[e], IP_V4), v6 = address_of(&config->ends[e], IP_V6);
        sim_mtu_answer_from(box, e == 1 ? SIM_UP : SIM_DOWN, &v4);
        sim_mtu_answer_from(box, e == 1 ? SIM_UP : SIM_DOWN, &v6);
    }
    sim_link_append(link->link, box);
}

static void append_boxes(struct sim_network *network, struct sim_network_link *link) {
    for (size_t i = 0; i < link->config->box_count; i++) {
        const struct scenario_box *box = &link->config->boxes[i];
        link->boxes[i] = box->kind->create(network->world, box->config);
        sim_link_append(link->link, link->boxes[i]);
    }
}

static void add_links(struct sim_network *network) {
    const struct scenario *scenario = network->scenario;
    for (unsigned i = 0; i < scenario->link_count; i++) {
        struct sim_network_link *link = &network->links[i];
        struct sim_link_end ends[2];
        link->config = &scenario->links[i];
        memcpy(link->shape, link->config->shape, sizeof(link->shape));
        for (unsigned e = 0; e < 2; e++)
            ends[e] = (struct sim_link_end){network->hosts[link->config->ends[e].host], link->interfaces[e]};
        link->link = sim_link_add(network->world, link->config->name, ends[0], ends[1]);
        bool noisy = is_noisy(network, i);
        if (noisy) append_noise(network, link, SIM_DOWN);
        append_wire(network, link);
        if (noisy) append_noise(network, link, SIM_UP);
        append_path_mtu(network, link);
        append_boxes(network, link);
    }
}

/* ---- routes ---- */

static bool prefix_holds(const struct scenario_prefix *prefix, const struct ip_address *address) {
    unsigned whole = prefix->length / 8, rest = prefix->length % 8;
    if (prefix->address.family != address->family ||
        memcmp(prefix->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((prefix->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

/* The link at a host by which `via` is reached, or that of the interface. */
static struct sim_link *link_for(struct sim_network *network, unsigned host,
                                 const struct scenario_route *route) {
    for (unsigned i = 0; i < 2 * network->scenario->link_count; i++) {
        const struct scenario_end *end = &network->scenario->links[i / 2].ends[i % 2];
        if (end->host != host) continue;
        if (route->interface != NULL) {
            if (strcmp(route->interface, end->interface) == 0) return network->links[i / 2].link;
            continue;
        }
        for (size_t k = 0; k < end->address_count; k++)
            if (prefix_holds(&end->addresses[k], &route->via)) return network->links[i / 2].link;
    }
    return NULL;
}

static bool add_static_routes(struct sim_network *network, unsigned host) {
    const struct scenario_host *config = &network->scenario->hosts[host];
    for (size_t i = 0; i < config->route_count; i++) {
        const struct scenario_route *route = &config->routes[i];
        struct sim_link *link = link_for(network, host, route);
        if (link == NULL) return say(route->place, "this route leads nowhere", config->name);
        sim_host_route_add(network->hosts[host], &route->to.address, route->to.length, link);
    }
    return true;
}

static void add_end_routes(struct sim_network *network, unsigned host) {
    const struct scenario_end *ends[2 * SIM_LINKS_MAX];
    size_t count = ends_of(network->scenario, host, ends);
    for (size_t i = 0; i < count; i++) {
        struct sim_link *to = network->links[place_of(network->scenario, ends[i]).link].link;
        for (size_t k = 0; k < ends[i]->address_count; k++)
            sim_host_route_add(network->hosts[host], &ends[i]->addresses[k].address,
                               ends[i]->addresses[k].length, to);
        for (size_t k = 0; k < ends[i]->gateway_count; k++) {
            struct ip_address any = {.family = ends[i]->gateways[k].family};
            sim_host_route_add(network->hosts[host], &any, 0, to);
        }
    }
}

static bool add_routes(struct sim_network *network) {
    for (unsigned i = 0; i < network->scenario->host_count; i++) {
        if (!add_static_routes(network, i)) return false;
        add_end_routes(network, i);
    }
    return true;
}

/* ---- life ---- */

bool sim_network_init(struct sim_network *network, const struct sim_network_config *config) {
    *network = (struct sim_network){.scenario = config->scenario, .run = config->run};
    if (!check(config) || !check_uplinks(config)) return false;
    network->hosts = calloc(config->scenario->host_count, sizeof(struct sim_host *));
    ENSURE(network->hosts != NULL);
    network->world = sim_world_create(&config->world);
    network->began_ns = sim_world_now(network->world);
    add_hosts(network, config);
    add_links(network);
    if (add_routes(network)) return true;
    sim_network_deinit(network);
    return false;
}

void sim_network_deinit(struct sim_network *network) {
    if (network->world != NULL) sim_world_destroy(network->world);
    free(network->hosts);
    network->world = NULL;
    network->hosts = NULL;
}

/* ---- events ---- */

static void set_states(struct sim_network_link *link, unsigned directions, enum link_model_state state) {
    if (directions & 1) sim_wire_set_state(link->wire, SIM_UP, state);
    if (directions & 2) sim_wire_set_state(link->wire, SIM_DOWN, state);
}

static void set_interface(struct sim_network *network, struct sim_network_link *link, bool up) {
    sim_host_interface_set(network->hosts[link->config->ends[0].host], link->interfaces[0], up);
}

static void reshape(struct sim_network *network, struct sim_network_link *link,
                    const struct scenario_event *event) {
    for (unsigned way = 0; way < 2; way++) {
        enum sim_direction direction = way == SCENARIO_UP ? SIM_UP : SIM_DOWN;
        scenario_shape_change(&link->shape[way], &event->shape[way], event->shape_bits[way]);
        struct link_model_config model = model_of(network, &link->shape[way]);
        sim_wire_configure(link->wire, direction, &model);
        if (link->noise[direction] != NULL)
            sim_noise_configure_way(link->noise[direction], direction, &link->shape[way].noise);
    }
}

static void renumber(struct sim_network *network, struct sim_network_link *link,
                     const struct scenario_event *event) {
    struct braid_address address = public_address(&event->address.address);
    sim_host_address_replace(network->hosts[link->config->ends[0].host], link->interfaces[0], &address);
}

static void forget(struct sim_network_link *link) {
    for (size_t i = 0; i < link->config->box_count; i++)
        if (link->config->boxes[i].kind->forget != NULL) link->config->boxes[i].kind->forget(link->boxes[i]);
}

void sim_network_apply(struct sim_network *network, const struct scenario_event *event) {
    struct sim_network_link *link = &network->links[event->link];
    switch (event->action) {
    case SCENARIO_LINK_DOWN:
    case SCENARIO_LINK_UNPLUG:
        set_interface(network, link, false);
        break;
    case SCENARIO_LINK_UP:
        set_states(link, 3, LINK_MODEL_UP);
        set_interface(network, link, true);
        break;
    case SCENARIO_LINK_BLACKHOLE:
        set_states(link, event->directions, LINK_MODEL_BLACKHOLE);
        break;
    case SCENARIO_LINK_SHAPE:
        reshape(network, link, event);
        break;
    case SCENARIO_LINK_RENUMBER:
        renumber(network, link, event);
        break;
    case SCENARIO_LINK_FORGET:
        forget(link);
        break;
    case SCENARIO_EXEC:
        break;
    }
}

void sim_network_carried(const struct sim_network *network, unsigned link, uint64_t bytes[2]) {
    const struct sim_box *wire = network->links[link].wire;
    bytes[SCENARIO_UP] = sim_wire_model(wire, SIM_UP)->counters.bytes[LINK_PASSED];
    bytes[SCENARIO_DOWN] = sim_wire_model(wire, SIM_DOWN)->counters.bytes[LINK_PASSED];
}
