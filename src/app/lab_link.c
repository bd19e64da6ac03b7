/* Links between hosts: interfaces, addresses, routes, and what happens to them. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include "lab_internal.h"

#define RUNNING_TIMEOUT_NS (3 * BRAID_NS_PER_S)

const char *lab_link_state_name(enum lab_link_state state) {
    switch (state) {
    case LAB_LINK_UP:
        return "up";
    case LAB_LINK_DOWN:
        return "down";
    case LAB_LINK_BLACKHOLE:
        return "blackhole";
    case LAB_LINK_UNPLUGGED:
        return "unplugged";
    }
    return "?";
}

static bool said(const struct lab_link *link, const char *what, int error) {
    if (error >= 0) return true;
    lab_say_at(link->config->place, "link %s: %s: %s", link->config->name, what, strerror(-error));
    return false;
}

/* ---- interfaces ---- */

static unsigned index_of(int control, const char *name) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return ioctl(control, SIOCGIFINDEX, &request) == 0 ? (unsigned)request.ifr_ifindex : 0;
}

/* Frames cross the emulator as they would cross a wire: none larger than the MTU, each with its checksum.
 * What an interface cannot switch off it does not have. */
static void switch_offloads_off(int control, const char *name) {
    static const uint32_t commands[] = {ETHTOOL_STSO, ETHTOOL_SUFO,    ETHTOOL_SGSO,   ETHTOOL_SGRO,
                                        ETHTOOL_SSG,  ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM};
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
        struct ethtool_value value = {.cmd = commands[i], .data = 0};
        struct ifreq request = {0};
        snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
        request.ifr_data = (char *)&value;
        if (ioctl(control, SIOCETHTOOL, &request) != 0) errno = 0;
    }
}

/* The kernel tells an interface's users late that it has a carrier, up to a second; asking for it brings that
 * about. Returns whether they know. */
static bool is_running(int control, const char *name) {
    struct ethtool_value value = {.cmd = ETHTOOL_GLINK};
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    request.ifr_data = (char *)&value;
    if (ioctl(control, SIOCETHTOOL, &request) != 0) errno = 0;
    request.ifr_flags = 0;
    return ioctl(control, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
}

static int wait_until_running(struct lab *lab, const struct scenario_end *end) {
    braid_time deadline = emulator_now() + RUNNING_TIMEOUT_NS;
    while (!is_running(lab->hosts[end->host].control, end->interface)) {
        if (emulator_now() > deadline) return -ENETDOWN;
        struct timespec moment = {.tv_nsec = 1000000};
        nanosleep(&moment, NULL);
    }
    return 0;
}

/* A wire from the end's host into another network; sets the indices of its two interfaces. */
static int create_wire(const struct lab_host *host, const char *name, int peer_network, int peer_control,
                       const char *peer_name, uint32_t mtu, unsigned indices[2]) {
    int error = netlink_veth_create(host->netlink, name, peer_name, peer_network);
    if (error != 0) return error;
    indices[0] = index_of(host->control, name);
    indices[1] = index_of(peer_control, peer_name);
    if (indices[0] == 0 || indices[1] == 0) return -ENODEV;
    return mtu == 1500 ? 0 : netlink_link_set_mtu(host->netlink, indices[0], mtu);
}

static int set_up_peer(struct netlink *netlink, unsigned interface, uint32_t mtu) {
    int error = mtu == 1500 ? 0 : netlink_link_set_mtu(netlink, interface, mtu);
    return error != 0 ? error : netlink_link_set_up(netlink, interface, true);
}

static int create_direct(struct lab *lab, struct lab_link *link) {
    const struct scenario_end *ends = link->config->ends;
    struct lab_host *a = &lab->hosts[ends[0].host], *b = &lab->hosts[ends[1].host];
    int error = create_wire(a, ends[0].interface, b->network, b->control, ends[1].interface,
                            link->config->mtu, link->interfaces);
    if (error == 0) error = netlink_link_set_up(a->netlink, link->interfaces[0], true);
    return error != 0 ? error : set_up_peer(b->netlink, link->interfaces[1], link->config->mtu);
}

static void emulator_shapes(const struct lab_link *link, struct emulator_shape out[2]) {
    for (unsigned way = 0; way < 2; way++) {
        out[way].model = scenario_shape_model(&link->shape[way], link->began_ns);
        out[way].noise = link->shape[way].noise;
    }
}

/* Who complains of packets that are too big for the middle of the link: a hop that speaks for the end they were going to. (An
 * end's own host would not take packets from its own address.) */
static void hop_addresses(const struct scenario_end *end, struct ip_address out[2]) {
    for (size_t i = 0; i < end->address_count; i++) {
        const struct ip_address *address = &end->addresses[i].address;
        struct ip_address *place = &out[address->family == IP_V6];
        if (place->family == IP_NONE) *place = *address;
    }
}

static int create_emulated(struct lab *lab, struct lab_link *link) {
    unsigned number = (unsigned)(link - lab->links);
    for (unsigned e = 0; e < 2; e++) {
        const struct scenario_end *end = &link->config->ends[e];
        struct lab_host *host = &lab->hosts[end->host];
        char peer[IFNAMSIZ];
        unsigned indices[2];
        snprintf(peer, sizeof(peer), "%c%u", e == 0 ? 'a' : 'b', number);
        int error = create_wire(host, end->interface, lab->base_network, lab->control, peer,
                                link->config->mtu, indices);
        if (error != 0) return error;
        link->interfaces[e] = indices[0];
        link->emulated[e] = indices[1];
        switch_offloads_off(host->control, end->interface);
        switch_offloads_off(lab->control, peer);
        error = set_up_peer(lab->netlink, indices[1], link->config->mtu);
        if (error == 0) error = netlink_link_set_up(host->netlink, indices[0], true);
        if (error != 0) return error;
    }
    struct emulator_link_config config = {.interfaces = {link->emulated[0], link->emulated[1]},
                                          .mtu = link->config->mtu,
                                          .path_mtu = link->config->path_mtu,
                                          .seed = (uint64_t)lab->options->seed << 16 | (number + 1)};
    link->began_ns = emulator_now();
    emulator_shapes(link, config.shape);
    for (unsigned way = 0; way < 2 && !link->config->path_mtu_silent; way++)
        hop_addresses(&link->config->ends[1 - way], config.hop[way]);
    link->number = emulator_add_link(lab->emulator, &config);
    return link->number < 0 ? link->number : 0;
}

/* ---- addresses and routes ---- */

/* The i-th address of an end, as it is now. */
static const struct scenario_prefix *address_at(const struct lab_link *link, unsigned e, size_t i) {
    const struct scenario_prefix *prefix = &link->config->ends[e].addresses[i];
    const struct scenario_prefix *instead = &link->renumbered[prefix->address.family == IP_V6];
    return e == 0 && instead->address.family != IP_NONE ? instead : prefix;
}

static int add_addresses(struct lab *lab, struct lab_link *link, unsigned e) {
    const struct scenario_end *end = &link->config->ends[e];
    for (size_t i = 0; i < end->address_count; i++) {
        const struct scenario_prefix *prefix = address_at(link, e, i);
        int error = netlink_address_add(lab->hosts[end->host].netlink, link->interfaces[e], &prefix->address,
                                        prefix->length);
        if (error != 0 && error != -EEXIST) return error;
    }
    return 0;
}

static int add_default_routes(struct lab *lab, struct lab_link *link, unsigned e) {
    const struct scenario_end *end = &link->config->ends[e];
    for (size_t i = 0; i < end->gateway_count; i++) {
        struct netlink_route route = {.destination.family = end->gateways[i].family,
                                      .gateway = end->gateways[i],
                                      .interface_index = link->interfaces[e],
                                      .metric = end->metric};
        int error = netlink_route_add(lab->hosts[end->host].netlink, &route);
        if (error != 0 && error != -EEXIST) return error;
    }
    return 0;
}

static unsigned interface_named(struct lab *lab, unsigned host, const char *name) {
    return name == NULL ? 0 : index_of(lab->hosts[host].control, name);
}

/* Routes of the host itself; `only` one interface's, or all (0). Routes by a gateway whose interface is not
 * named are looked up by the kernel; one that it has already is left alone. */
static bool add_host_routes(struct lab *lab, unsigned host, unsigned only, bool quiet) {
    const struct scenario_host *config = &lab->scenario->hosts[host];
    for (size_t i = 0; i < config->route_count; i++) {
        const struct scenario_route *wanted = &config->routes[i];
        struct netlink_route route = {.destination = wanted->to.address,
                                      .prefix_length = wanted->to.length,
                                      .gateway = wanted->via,
                                      .interface_index = interface_named(lab, host, wanted->interface),
                                      .metric = wanted->metric};
        if (only != 0 && route.interface_index != 0 && route.interface_index != only) continue;
        int error = netlink_route_add(lab->hosts[host].netlink, &route);
        if (error == 0 || error == -EEXIST || quiet) continue;
        lab_say_at(wanted->place, "host %s: this route cannot be added: %s", config->name, strerror(-error));
        return false;
    }
    return true;
}

bool lab_add_routes(struct lab *lab) {
    for (size_t i = 0; i < lab->scenario->link_count; i++) {
        struct lab_link *link = &lab->links[i];
        for (unsigned e = 0; e < 2; e++)
            if (!said(link, "default route", add_default_routes(lab, link, e))) return false;
    }
    for (unsigned i = 0; i < lab->scenario->host_count; i++)
        if (!add_host_routes(lab, i, 0, false)) return false;
    return true;
}

bool lab_connect_links(struct lab *lab) {
    size_t count = lab->scenario->link_count;
    lab->links = calloc(count + 1, sizeof(*lab->links));
    if (lab->links == NULL) {
        lab_say("no room for the links: %s", strerror(errno));
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        struct lab_link *link = &lab->links[i];
        link->config = &lab->scenario->links[i];
        link->number = -1;
        memcpy(link->shape, link->config->shape, sizeof(link->shape));
        if (!said(link, "interfaces",
                  link->config->direct ? create_direct(lab, link) : create_emulated(lab, link)))
            return false;
        for (unsigned e = 0; e < 2; e++)
            if (!said(link, "carrier", wait_until_running(lab, &link->config->ends[e])) ||
                !said(link, "addresses", add_addresses(lab, link, e)))
                return false;
    }
    return true;
}

/* ---- events ---- */

static int restore(struct lab *lab, struct lab_link *link) {
    const struct scenario_end *end = &link->config->ends[0];
    struct netlink *netlink = lab->hosts[end->host].netlink;
    if (link->number >= 0) {
        emulator_set_state(lab->emulator, link->number, 3, LINK_MODEL_UP);
        int error = netlink_link_set_up(lab->netlink, link->emulated[0], true);
        if (error != 0) return error;
    } else {
        int error =
            netlink_link_set_up(lab->hosts[link->config->ends[1].host].netlink, link->interfaces[1], true);
        if (error != 0) return error;
    }
    /* What a network manager does when the interface is there again: the kernel has dropped the routes, and
     * the IPv6 addresses. */
    int error = netlink_link_set_up(netlink, link->interfaces[0], true);
    is_running(lab->hosts[end->host].control, end->interface);
    if (error == 0) error = add_addresses(lab, link, 0);
    if (error == 0) error = add_default_routes(lab, link, 0);
    if (error == 0) add_host_routes(lab, end->host, link->interfaces[0], true);
    return error;
}

static int unplug(struct lab *lab, struct lab_link *link) {
    if (link->number >= 0) return netlink_link_set_up(lab->netlink, link->emulated[0], false);
    return netlink_link_set_up(lab->hosts[link->config->ends[1].host].netlink, link->interfaces[1], false);
}

static void reshape(struct lab *lab, struct lab_link *link, const struct scenario_event *event) {
    for (unsigned way = 0; way < 2; way++) {
        scenario_shape_change(&link->shape[way], &event->shape[way], event->shape_bits[way]);
    }
    struct emulator_shape shapes[2];
    emulator_shapes(link, shapes);
    emulator_configure(lab->emulator, link->number, shapes);
}

/* The kernel drops the routes with the last address, so they are added again. */
static int renumber(struct lab *lab, struct lab_link *link, const struct scenario_event *event) {
    const struct scenario_end *end = &link->config->ends[0];
    struct netlink *netlink = lab->hosts[end->host].netlink;
    enum ip_family family = event->address.address.family;
    for (size_t i = 0; i < end->address_count; i++) {
        const struct scenario_prefix *old = address_at(link, 0, i);
        if (old->address.family != family) continue;
        int error = netlink_address_delete(netlink, link->interfaces[0], &old->address, old->length);
        if (error != 0 && error != -EADDRNOTAVAIL) return error;
    }
    link->renumbered[family == IP_V6] = event->address;
    if (link->state == LAB_LINK_DOWN) return 0; /* `up` brings it */
    int error = add_addresses(lab, link, 0);
    if (error == 0) error = add_default_routes(lab, link, 0);
    if (error == 0) add_host_routes(lab, end->host, link->interfaces[0], true);
    return error;
}

bool lab_apply(struct lab *lab, const struct scenario_event *event) {
    struct lab_link *link = &lab->links[event->link];
    int error = 0;
    switch (event->action) {
    case SCENARIO_LINK_DOWN:
        error =
            netlink_link_set_up(lab->hosts[link->config->ends[0].host].netlink, link->interfaces[0], false);
        link->state = LAB_LINK_DOWN;
        break;
    case SCENARIO_LINK_UP:
        error = restore(lab, link);
        link->state = LAB_LINK_UP;
        break;
    case SCENARIO_LINK_BLACKHOLE:
        emulator_set_state(lab->emulator, link->number, event->directions, LINK_MODEL_BLACKHOLE);
        link->state = LAB_LINK_BLACKHOLE;
        break;
    case SCENARIO_LINK_UNPLUG:
        error = unplug(lab, link);
        link->state = LAB_LINK_UNPLUGGED;
        break;
    case SCENARIO_LINK_SHAPE:
        reshape(lab, link, event);
        break;
    case SCENARIO_LINK_RENUMBER:
        error = renumber(lab, link, event);
        break;
    case SCENARIO_LINK_FORGET: /* only links with middleboxes, which there are none of here */
    case SCENARIO_EXEC:
        break;
    }
    return said(link, event->name, error);
}

/* ---- measuring ---- */

/* Bytes received and sent by an interface, as its host counts them. */
static void read_interface(struct lab *lab, const struct lab_link *link, uint64_t bytes[2]) {
    lab_enter_network(lab, (int)link->config->ends[0].host);
    FILE *stream = fopen("/proc/thread-self/net/dev", "re");
    lab_enter_network(lab, -1);
    char line[512], name[64];
    unsigned long long in, out;
    while (stream != NULL && fgets(line, sizeof(line), stream) != NULL) {
        if (sscanf(line, " %63[^:]: %llu %*u %*u %*u %*u %*u %*u %*u %llu", name, &in, &out) != 3) continue;
        if (strcmp(name, link->config->ends[0].interface) != 0) continue;
        bytes[SCENARIO_UP] = out;
        bytes[SCENARIO_DOWN] = in;
    }
    if (stream != NULL) fclose(stream);
}

void lab_link_sample(struct lab *lab, unsigned index, struct lab_link_bytes *out) {
    const struct lab_link *link = &lab->links[index];
    *out = (struct lab_link_bytes){0};
    if (link->number < 0) {
        read_interface(lab, link, out->bytes);
        return;
    }
    struct emulator_sample samples[2];
    emulator_sample(lab->emulator, link->number, samples);
    for (unsigned way = 0; way < 2; way++) {
        out->bytes[way] = samples[way].counters.bytes[LINK_PASSED];
        out->queue_delay_ns[way] = samples[way].queue_delay_ns;
    }
}
