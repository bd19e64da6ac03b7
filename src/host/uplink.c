#include <host/uplink.h>

#include <errno.h>
#include <host/firewall.h>
#include <host/neighbour.h>
#include <host/ports.h>
#include <link/link_af_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

struct uplinks {
    const struct braid_env *env;
    struct port_reservation *ports;
    struct firewall *firewall;
};

struct uplink {
    struct uplinks *uplinks;
    char interface[IF_NAMESIZE];
    uint32_t interface_index;
    struct neighbours *neighbours; /* NULL where packets need no next hop */
    struct link *af_packet;
    struct link *link; /* the same, or a wrapper of it, which owns it */
};

/* ---- results in words ---- */

static enum uplink_problem problem_of(int error) {
    switch (error) {
    case 0:
        return UPLINK_OK;
    case -ENODEV:
        return UPLINK_NO_SUCH_INTERFACE;
    case -EPERM:
    case -EACCES:
        return UPLINK_NOT_PERMITTED;
    case -EPFNOSUPPORT:
        return UPLINK_KIND_UNSUPPORTED;
    case -EOPNOTSUPP:
        return UPLINK_NO_NFTABLES;
    case -EADDRINUSE:
        return UPLINK_NO_PORTS;
    case -EMFILE:
    case -ENFILE:
        return UPLINK_NO_DESCRIPTORS;
    case -ENOMEM:
        return UPLINK_NO_MEMORY;
    default:
        return UPLINK_FAILED;
    }
}

static struct uplink_result result_of(int error) {
    return (struct uplink_result){problem_of(error), -error};
}

static const char *advice(enum uplink_problem problem) {
    switch (problem) {
    case UPLINK_OK:
        return "nothing is wrong";
    case UPLINK_NO_SUCH_INTERFACE:
        return "there is no such interface; \"ip link\" lists those there are";
    case UPLINK_NONE_FOUND:
        return "no interface has a default route; connect one, or name one with --uplink";
    case UPLINK_NOT_PERMITTED:
        return "needs CAP_NET_ADMIN and CAP_NET_RAW: run as root, or give braid these";
    case UPLINK_KIND_UNSUPPORTED:
        return "is neither like Ethernet nor raw IP; use another interface";
    case UPLINK_NO_NFTABLES:
        return "this kernel lacks nftables or its netdev ingress hook (CONFIG_NF_TABLES_NETDEV)";
    case UPLINK_NO_PORTS:
        return "no free range of ports is left; end other braids or programs that hold many ports";
    case UPLINK_NO_DESCRIPTORS:
        return "too few file descriptors: raise the hard limit (ulimit -Hn)";
    case UPLINK_NO_MEMORY:
        return "out of memory";
    case UPLINK_FAILED:
        return "could not be set up";
    }
    return "?";
}

const char *uplink_explain(struct uplink_result result, const char *interface, char text[UPLINK_TEXT_MAX]) {
    bool reason = result.problem == UPLINK_FAILED && result.error != 0;
    snprintf(text, UPLINK_TEXT_MAX, "uplink%s%s: %s%s%s", interface != NULL ? " " : "",
             interface != NULL ? interface : "", advice(result.problem), reason ? ": " : "",
             reason ? strerror(result.error) : "");
    return text;
}

/* ---- what all share ---- */

struct uplink_result uplinks_create_at(const struct braid_env *env, uint16_t port_first, uint16_t port_count,
                                       struct uplinks **out) {
    struct uplinks *uplinks = env->allocate(env->context, sizeof(*uplinks));
    if (uplinks == NULL) return result_of(-ENOMEM);
    *uplinks = (struct uplinks){.env = env};
    uint16_t count = port_count != 0 ? port_count : PORTS_COUNT_DEFAULT;
    int error = port_first != 0 ? ports_reserve_range(port_first, count, &uplinks->ports)
                                : ports_reserve(count, &uplinks->ports);
    if (error == 0) {
        struct firewall_options options = {.port_first = ports_first(uplinks->ports),
                                           .port_last = ports_last(uplinks->ports)};
        error = firewall_create(&options, &uplinks->firewall);
    }
    if (error != 0) {
        uplinks_destroy(uplinks);
        return result_of(error);
    }
    *out = uplinks;
    return result_of(0);
}

struct uplink_result uplinks_create(const struct braid_env *env, uint16_t port_count, struct uplinks **out) {
    return uplinks_create_at(env, 0, port_count, out);
}

void uplinks_destroy(struct uplinks *uplinks) {
    if (uplinks == NULL) return;
    firewall_destroy(uplinks->firewall);
    ports_release(uplinks->ports);
    uplinks->env->release(uplinks->env->context, uplinks, sizeof(*uplinks));
}

uint16_t uplinks_port_first(const struct uplinks *uplinks) {
    return ports_first(uplinks->ports);
}

uint16_t uplinks_port_last(const struct uplinks *uplinks) {
    return ports_last(uplinks->ports);
}

/* ---- one uplink ---- */

static enum link_next_hop_state resolve(void *context, const struct ip_address *source,
                                        const struct ip_address *destination, uint8_t mac[6]) {
    struct uplink *uplink = context;
    if (uplink->neighbours == NULL)
        return LINK_NEXT_HOP_UNREACHABLE; /* ARP was turned on since the uplink was opened */
    return neighbours_resolve(uplink->neighbours, source, destination, mac);
}

static void on_neighbour_change(void *context) {
    struct uplink *uplink = context;
    link_af_packet_next_hop_changed(uplink->af_packet);
}

/* The kernel's copy is dropped before the first packet is ours to answer. */
static int set_up(struct uplink *uplink) {
    const struct uplinks *uplinks = uplink->uplinks;
    int error = firewall_guard(uplinks->firewall, uplink->interface);
    if (error != 0) return error;
    struct link_af_packet_options options = {.interface = uplink->interface,
                                             .port_first = uplinks_port_first(uplinks),
                                             .port_last = uplinks_port_last(uplinks),
                                             .next_hop = {uplink, resolve}};
    error = link_af_packet_open(uplinks->env, &options, &uplink->af_packet);
    if (error != 0) return error;
    uplink->link = uplink->af_packet;
    if (!link_af_packet_needs_next_hop(uplink->af_packet)) return 0;
    return neighbours_create(uplinks->env, uplink->interface_index, on_neighbour_change, uplink,
                             &uplink->neighbours);
}

struct uplink_result uplink_open(struct uplinks *uplinks, const char *interface, struct uplink **out) {
    uint32_t interface_index = if_nametoindex(interface);
    if (interface_index == 0 || strlen(interface) >= IF_NAMESIZE) return result_of(-ENODEV);
    struct uplink *uplink = uplinks->env->allocate(uplinks->env->context, sizeof(*uplink));
    if (uplink == NULL) return result_of(-ENOMEM);
    *uplink = (struct uplink){.uplinks = uplinks, .interface_index = interface_index};
    snprintf(uplink->interface, sizeof(uplink->interface), "%s", interface);
    int error = set_up(uplink);
    if (error != 0) {
        uplink_close(uplink);
        return result_of(error);
    }
    *out = uplink;
    return result_of(0);
}

void uplink_close(struct uplink *uplink) {
    if (uplink == NULL) return;
    struct uplinks *uplinks = uplink->uplinks;
    link_close(uplink->link);
    neighbours_destroy(uplink->neighbours);
    firewall_unguard(uplinks->firewall, uplink->interface);
    uplinks->env->release(uplinks->env->context, uplink, sizeof(*uplink));
}

struct link *uplink_link(const struct uplink *uplink) {
    return uplink->link;
}

const char *uplink_interface(const struct uplink *uplink) {
    return uplink->interface;
}

uint32_t uplink_interface_index(const struct uplink *uplink) {
    return uplink->interface_index;
}

int uplink_capture(struct uplink *uplink, struct pcapng_file *file) {
    struct link *wrapper;
    int error = link_pcapng_create(uplink->uplinks->env, uplink->link, file, uplink->interface, &wrapper);
    if (error == 0) uplink->link = wrapper;
    return error;
}

int uplink_fd(const struct uplink *uplink) {
    return uplink->neighbours != NULL ? neighbours_fd(uplink->neighbours) : -1;
}

void uplink_dispatch(struct uplink *uplink) {
    if (uplink->neighbours != NULL) neighbours_dispatch(uplink->neighbours);
}

void uplink_refresh(struct uplink *uplink) {
    link_af_packet_refresh(uplink->af_packet);
}
