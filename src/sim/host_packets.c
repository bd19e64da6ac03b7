/* Packets at a host: which way they go out, and what becomes of them when they come in. */
#include "sim_internal.h"

#include <wire/icmp.h>

void sim_host_route_add(struct sim_host *host, const struct ip_address *prefix, unsigned length,
                        struct sim_link *link) {
    ENSURE(host->route_count < SIM_ROUTES_MAX);
    host->routes[host->route_count++] = (struct sim_route){*prefix, length, link};
}

static bool address_of(const struct sim_packet *packet, struct ip_address *out, bool source) {
    if (packet->length < 20) return false;
    switch (packet->bytes[0] >> 4) {
    case 4: *out = ip_address_v4(packet->bytes + (source ? 12 : 16)); return true;
    case 6:
        if (packet->length < 40) return false;
        *out = ip_address_v6(packet->bytes + (source ? 8 : 24));
        return true;
    default: return false;
    }
}

/* By which of its interfaces the host is at the link; -1: not at all. */
static int interface_at(const struct sim_host *host, const struct sim_link *link, unsigned *end) {
    for (unsigned i = 0; i < host->link_count; i++) {
        if (host->links[i].link != link) continue;
        *end = host->links[i].end;
        return link->ends[*end].interface;
    }
    return -1;
}

static bool prefix_holds(const struct sim_route *route, const struct ip_address *address) {
    if (route->prefix.family != address->family) return false;
    unsigned whole = route->length / 8, rest = route->length % 8;
    if (memcmp(route->prefix.bytes, address->bytes, whole) != 0) return false;
    return rest == 0 || ((route->prefix.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static void hear(struct sim_host *host, const struct ip_address *source, struct sim_link *link) {
    for (unsigned i = 0; i < host->heard_count; i++) {
        if (!ip_address_equal(&host->heard[i].address, source)) continue;
        host->heard[i].link = link;
        return;
    }
    unsigned i = host->heard_next++ % SIM_HEARD_MAX;
    if (host->heard_count < SIM_HEARD_MAX) host->heard_count++;
    host->heard[i].address = *source;
    host->heard[i].link = link;
}

/* The link for a packet that may only leave by `interface` (-1: by any). */
static struct sim_link *route_of(struct sim_host *host, int interface, const struct ip_address *destination,
                                 unsigned *end) {
    for (unsigned i = 0; i < host->heard_count; i++) {
        if (!ip_address_equal(&host->heard[i].address, destination)) continue;
        int at = interface_at(host, host->heard[i].link, end);
        if (interface < 0 || at == interface) return host->heard[i].link;
    }
    const struct sim_route *best = NULL;
    for (unsigned i = 0; i < host->route_count; i++) {
        const struct sim_route *route = &host->routes[i];
        if (!prefix_holds(route, destination) || (best != NULL && best->length >= route->length)) continue;
        int at = interface_at(host, route->link, end);
        if (interface < 0 || at == interface) best = route;
    }
    if (best != NULL) {
        (void)interface_at(host, best->link, end);
        return best->link;
    }
    struct sim_link *only = NULL;
    for (unsigned i = 0; i < host->link_count; i++) {
        struct sim_link *link = host->links[i].link;
        if (interface >= 0 && link->ends[host->links[i].end].interface != interface) continue;
        if (only != NULL) return NULL;
        only = link;
        *end = host->links[i].end;
    }
    return only;
}

/* The packet does not fit where it should go: its sender is told, by the way it came. */
static void complain_too_big(struct sim_host *host, struct sim_link *from, const struct sim_packet *packet,
                             uint32_t mtu_bytes) {
    struct ip_address source;
    unsigned end;
    int interface = interface_at(host, from, &end);
    if (interface < 0 || !address_of(packet, &source, true)) return;
    for (unsigned i = 0; i < SIM_ADDRESSES_MAX; i++) {
        const struct braid_address *own = &host->interfaces[interface].addresses[i].address;
        if (!host->interfaces[interface].addresses[i].used || own->family != (uint8_t)source.family) continue;
        struct ip_address address = own->family == 4 ? ip_address_v4(own->bytes) : ip_address_v6(own->bytes);
        struct sim_packet *answer = sim_packet_create(&host->world->pool);
        answer->length = icmp_packet_too_big_encode(mtu_bytes, &address, &source, packet->bytes, packet->length,
                                                    answer->bytes, sim_packet_room(answer));
        world_saw(host->world, SIM_SENT, host, interface, from, answer);
        link_packet(from, end, answer, host->world->now);
        return;
    }
}

/* `from`: the link it came by, which it does not go back on. */
static void send(struct sim_host *host, int interface, struct sim_link *from, struct sim_packet *packet) {
    struct ip_address destination;
    unsigned end = 0;
    struct sim_link *link = NULL;
    if (address_of(packet, &destination, false)) link = route_of(host, interface, &destination, &end);
    if (link == NULL || link == from || !host->interfaces[link->ends[end].interface].up) {
        host->packets_without_route++;
        sim_packet_release(packet);
        return;
    }
    uint32_t mtu_bytes = host->interfaces[link->ends[end].interface].mtu_bytes;
    if (packet->length > mtu_bytes) {
        if (from != NULL) complain_too_big(host, from, packet, mtu_bytes);
        sim_packet_release(packet);
        return;
    }
    world_saw(host->world, SIM_SENT, host, link->ends[end].interface, link, packet);
    link_packet(link, end, packet, host->world->now);
}

/* --- out of a stack --- */

static void send_out(struct sim_host *host, struct braid_packet_out *out) {
    const struct sim_interface *interface = &host->interfaces[out->link];
    int number = out->link;
    ENSURE(number < host->interface_count);
    struct sim_packet *packet = sim_packet_flatten(&host->world->pool, out);
    while (packet != NULL) {
        struct sim_packet *next = packet->next;
        ENSURE(packet->length <= interface->mtu_bytes); /* a stack never sends more than its link takes */
        packet->next = NULL;
        send(host, number, NULL, packet);
        packet = next;
    }
}

static void output(struct sim_host *host) {
    struct braid_packet_out packets[SIM_OUTPUT_BATCH];
    size_t count;
    do {
        count = braid_stack_output(host->stack, packets, SIM_OUTPUT_BATCH, host->world->now);
        for (size_t i = 0; i < count; i++) send_out(host, &packets[i]);
    } while (count == SIM_OUTPUT_BATCH);
}

static bool events(struct sim_host *host) {
    struct braid_event event;
    bool any = false;
    while (braid_stack_next_event(host->stack, &event)) {
        any = true;
        if (host->listener.event != NULL) host->listener.event(host->listener.context, host, &event, host->world->now);
    }
    return any;
}

void host_settle(struct sim_host *host) {
    unsigned rounds = 0;
    do {
        output(host);
        ENSURE(++rounds < SIM_STEPS_WITHOUT_TIME);
    } while (events(host));
    sim_timer_set(host->world, &host->timer, braid_stack_deadline(host->stack));
}

/* --- into a host --- */

enum { BY_REFERENCE_BYTES = 256 }; /* smaller packets a link hands in without their buffer */

static void stack_input(struct sim_host *host, int interface, const struct sim_packet *packet) {
    struct braid_packet_in in = {.buf = packet->length >= BY_REFERENCE_BYTES ? packet->buf : NULL,
                                 .bytes = packet->bytes,
                                 .length = packet->length,
                                 .checksum_verified = packet->checksum_partial};
    braid_stack_input(host->stack, interface, &in, 1, host->world->now);
    sim_host_touch(host);
}

static void forward(struct sim_host *host, struct sim_link *from, struct sim_packet *packet) {
    bool v4 = packet->bytes[0] >> 4 == 4;
    uint8_t *hops = &packet->bytes[v4 ? 8 : 7];
    if (packet->length < 40 || *hops <= 1) {
        sim_packet_release(packet);
        return;
    }
    (*hops)--;
    if (v4) { /* RFC 1141: one less up there is one more down here */
        uint32_t sum = ((uint32_t)packet->bytes[10] << 8 | packet->bytes[11]) + 0x100;
        sum += sum >> 16;
        packet->bytes[10] = (uint8_t)(sum >> 8);
        packet->bytes[11] = (uint8_t)sum;
    }
    send(host, -1, from, packet);
}

void host_packet(struct sim_host *host, int interface, struct sim_link *link, struct sim_packet *packet) {
    struct ip_address source;
    if (!host->interfaces[interface].up) {
        sim_packet_release(packet);
        return;
    }
    world_saw(host->world, SIM_DELIVERED, host, interface, link, packet);
    if (host->link_count > 1 && address_of(packet, &source, true)) hear(host, &source, link);
    if (host->stack == NULL) {
        forward(host, link, packet);
        return;
    }
    stack_input(host, interface, packet);
    sim_packet_release(packet);
}
