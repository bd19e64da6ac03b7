/* Links that carry TCP in UDP: one for each address that was named, for as long as the engine lives. Needs no privilege, and
 * so has no news from the kernel: what an address that is gone had under way is found out by silence. */
#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <link/link_udp.h>

enum {
    PORTS_DEFAULT = 16,
    RANGES_TRIED = 64, /* where any will do */
    RANGE_FIRST = 32768,
    RANGE_LAST = 60999,
};

static bool refuse(char text[ENGINE_TEXT_MAX], const char *address, int error) {
    const char *why = error == -EINVAL ? "no address of a host" : strerror(-error);
    snprintf(text, ENGINE_TEXT_MAX, "cannot open UDP sockets on %.60s: %s", address, why);
    return false;
}

static bool say_ports(char text[ENGINE_TEXT_MAX], uint16_t first, uint16_t last) {
    snprintf(text, ENGINE_TEXT_MAX, "the hosts of a team have the same ports: %u to %u, or 0 for those of the first", first, last);
    return false;
}

/* What is out of range, and the range. */
static bool in_range(const struct engine_options *options, char text[ENGINE_TEXT_MAX]) {
    if (options->udp_count >= BRAID_LINKS_MAX) {
        snprintf(text, ENGINE_TEXT_MAX, "%zu UDP links; there may be 1 to %d", options->udp_count, BRAID_LINKS_MAX - 1);
        return false;
    }
    if (options->port_count > LINK_UDP_PORTS_MAX || options->port_first + options->port_count > UINT16_MAX) {
        snprintf(text, ENGINE_TEXT_MAX, "%u ports from %u on; by UDP there may be 1 to %d, up to %d", options->port_count,
                 options->port_first, LINK_UDP_PORTS_MAX, UINT16_MAX - 1);
        return false;
    }
    for (size_t i = 0; i < options->udp_count; i++) {
        uint32_t mtu = options->udp[i].mtu_bytes;
        if (mtu == 0 || (mtu >= LINK_UDP_MTU_MIN && mtu <= LINK_PACKET_MAX)) continue;
        snprintf(text, ENGINE_TEXT_MAX, "the MTU of %.60s is %u; it may be %d to %d", options->udp[i].address, mtu,
                 LINK_UDP_MTU_MIN, LINK_PACKET_MAX);
        return false;
    }
    return true;
}

static void links_close(struct link **links, size_t count) {
    for (size_t i = 0; i < count; i++) link_close(links[i]);
}

/* The same ports on every address. 0, or -errno with the index of the address in *failed. */
static int links_open(const struct engine *engine, const struct engine_options *options, struct link **links, size_t *failed) {
    struct braid_steering_home home = {0};
    if (engine->team != NULL) home = braid_steering_home(team_steering(engine->team));
    for (size_t i = 0; i < options->udp_count; i++) {
        struct link_udp_options udp = {.port_first = engine->udp_port_first,
                                       .port_last = engine->udp_port_last,
                                       .mtu_bytes = options->udp[i].mtu_bytes,
                                       .shared = engine->team != NULL ? &home : NULL};
        int error = ip_address_parse(options->udp[i].address, &udp.local) ? link_udp_open(engine_env(engine), &udp, &links[i])
                                                                         : -EINVAL;
        if (error == 0) continue;
        links_close(links, i);
        *failed = i;
        return error;
    }
    return 0;
}

static int links_open_anywhere(struct engine *engine, const struct engine_options *options, struct link **links, size_t *failed) {
    unsigned count = options->port_count > 0 ? options->port_count : PORTS_DEFAULT;
    if (options->port_count == 0 && engine->team != NULL) count *= team_hosts(engine->team);
    if (count > LINK_UDP_PORTS_MAX) count = LINK_UDP_PORTS_MAX;
    int error = -EADDRINUSE;
    for (int i = 0; i < RANGES_TRIED && error == -EADDRINUSE; i++) {
        uint16_t random;
        const struct braid_env *env = engine_env(engine);
        if (!env->random_secret(env->context, &random, sizeof(random))) return -EIO;
        engine->udp_port_first = (uint16_t)(RANGE_FIRST + random % (RANGE_LAST - RANGE_FIRST + 1 - count));
        engine->udp_port_last = (uint16_t)(engine->udp_port_first + count - 1);
        error = links_open(engine, options, links, failed);
    }
    return error;
}

/* The first of least cost. */
static size_t first_of(const struct engine_options *options) {
    size_t first = 0;
    for (size_t i = 1; i < options->udp_count; i++) {
        const struct engine_udp_choice *best = &options->udp[first], *choice = &options->udp[i];
        if (engine_cost(choice->backup, &choice->terms) < engine_cost(best->backup, &best->terms)) first = i;
    }
    return first;
}

static bool port_make(struct engine *engine, const struct engine_options *options, size_t index, struct link *link) {
    struct engine_port *port = calloc(1, sizeof(*port));
    struct braid_link_config config = {.uplink = true, .port_first = engine->udp_port_first, .port_last = engine->udp_port_last};
    const struct engine_udp_choice *choice = &options->udp[index];
    struct ip_address address;
    bool backup = options->policy == ENGINE_POLICY_HANDOVER ? index != first_of(options) : choice->backup;
    if (port == NULL || !ip_address_parse(choice->address, &address) ||
        !port_add(engine, port, link->capabilities, &config)) {
        free(port);
        return false;
    }
    struct braid_address public = {.family = address.family};
    memcpy(public.bytes, address.bytes, sizeof(public.bytes));
    engine_terms(engine, port->number, &choice->terms);
    if (port_open(port, link) &&
        braid_stack_address_add(engine->stack, port->number, &public, backup, engine->announce, engine->now))
        return true;
    port_close(port);
    engine->ports[port->number] = NULL;
    free(port);
    return false;
}

bool udp_start(struct engine *engine, const struct engine_options *options, char text[ENGINE_TEXT_MAX]) {
    struct link *links[BRAID_LINKS_MAX];
    size_t failed = 0;
    if (!in_range(options, text)) return false;
    engine->udp_port_first = options->port_first;
    engine->udp_port_last = (uint16_t)(options->port_first + (options->port_count > 0 ? options->port_count - 1 : 0));
    uint16_t first, last;
    bool chosen = options->port_first > 0;
    if (engine->team != NULL && team_ports(engine->team, &first, &last)) {
        if (chosen && (first != engine->udp_port_first || last != engine->udp_port_last))
            return say_ports(text, first, last);
        engine->udp_port_first = first;
        engine->udp_port_last = last;
        chosen = true;
    }
    int error = chosen ? links_open(engine, options, links, &failed) : links_open_anywhere(engine, options, links, &failed);
    if (error == 0 && engine->team != NULL) team_ports_set(engine->team, engine->udp_port_first, engine->udp_port_last);
    if (error != 0) return refuse(text, options->udp[failed].address, error);
    for (size_t i = 0; i < options->udp_count; i++) {
        struct link *wrapper;
        if (engine->capture != NULL &&
            link_pcapng_create(engine_env(engine), links[i], engine->capture, options->udp[i].address, &wrapper) == 0)
            links[i] = wrapper;
        if (port_make(engine, options, i, links[i])) continue;
        links_close(links + i, options->udp_count - i); /* those before are the engine's now */
        return refuse(text, options->udp[i].address, -ENOMEM);
    }
    return true;
}
