#include "run_thread.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <host/netlink.h>
#include "name_tcp.h"

/* As many connections may be open, or have been closed a moment ago, to one port of one host, in all threads
 * together. Each takes a descriptor. */
#define PORTS_WANTED 4096
#define PORTS_WITH_FEW_DESCRIPTORS 1024
#define PORTS_LEAST 256 /* of a thread */
/* Long enough to acknowledge FINs that come again; the usual minute would use up the ports too soon. */
#define TIME_WAIT_NS (10 * BRAID_NS_PER_S)

static bool say(char text[ENGINE_TEXT_MAX], const char *what) {
    snprintf(text, ENGINE_TEXT_MAX, "%s", what);
    return false;
}

/* ---- events ---- */

static void on_event(void *context, const struct braid_event *event, braid_time now) {
    struct run_thread *thread = context;
    if (thread->relays != NULL)
        relays_event(thread->relays, event, now); /* at the very end nobody listens any more */
}

static void on_uplinks(void *context, braid_time now) {
    struct run_thread *thread = context;
    (void)now;
    if (thread->udp != NULL) udp_forward_uplinks_changed(thread->udp);
}

static bool serve(void *context, struct braid_connection *connection,
                  const struct braid_endpoint *destination, braid_time now) {
    struct run_thread *thread = context;
    struct ip_address address = {.family = (enum ip_family)destination->address.family};
    unsigned which;
    memcpy(address.bytes, destination->address.bytes, sizeof(address.bytes));
    if (!resolver_stands_in(&thread->resolver, &address, &which)) return false;
    if (destination->port == RESOLVER_PORT)
        name_tcp_serve(thread->engine, &thread->resolver, which, connection, now);
    else
        braid_connection_refuse(connection, BRAID_REFUSE_RESET, now);
    return true;
}

/* The host's own addresses cannot be reached by its uplinks. A destination on the network of an uplink is
 * reached by that one; anything else by whichever the stack chooses. */
static struct relay_route route(void *context, const struct braid_address *destination) {
    struct run_thread *thread = context;
    struct relay_route out = {.reachable = true};
    struct ip_address to = {.family = (enum ip_family)destination->family};
    struct netlink_path path;
    struct engine_uplink_info uplink;
    memcpy(to.bytes, destination->bytes, sizeof(to.bytes));
    int error = netlink_path_lookup(thread->routes, 0, NULL, &to, &path);
    if (error == -EHOSTUNREACH) return (struct relay_route){.refusal = BRAID_REFUSE_HOST_UNREACHABLE};
    if (error != 0 || !ip_address_equal(&path.next_hop, &to)) return out;
    for (size_t i = 0; engine_uplink_info(thread->engine, i, &uplink); i++) {
        const struct ip_address *own = to.family == IP_V4 ? &uplink.address_v4 : &uplink.address_v6;
        if (uplink.interface_index != path.interface_index || own->family == IP_NONE) continue;
        out.local.family = (uint8_t)own->family;
        memcpy(out.local.bytes, own->bytes, sizeof(out.local.bytes));
    }
    return out;
}

/* ---- the beginning ---- */

/* A range for each thread: so the filters of their sockets tell whose a packet is. */
static uint16_t ports_wanted(unsigned threads) {
    struct rlimit limit;
    bool many = getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 2 * PORTS_WANTED;
    unsigned share = (many ? PORTS_WANTED : PORTS_WITH_FEW_DESCRIPTORS) / threads;
    return (uint16_t)(share > PORTS_LEAST ? share : PORTS_LEAST);
}

bool run_thread_create(struct run_thread *thread, const struct run_options *options, unsigned number,
                       const struct engine *first, char text[ENGINE_TEXT_MAX]) {
    struct engine_options engine = {
        .uplinks = options->uplinks,
        .uplink_count = options->uplink_count,
        .policy = options->policy,
        .port_count = ports_wanted(options->threads),
        .stack = {.checksum = options->checksum,
                  .memory_max_bytes = options->memory_bytes / options->threads,
                  .receive_buffer_max_bytes = options->receive_buffer_bytes,
                  .congestion = options->congestion,
                  .scheduler = options->scheduler,
                  .versions = options->versions,
                  .ecn = options->ecn,
                  .path_manager = options->path_manager,
                  .path_limits = options->limited ? &options->limits : NULL,
                  .time_wait_ns = TIME_WAIT_NS},
        .trace_path = options->trace_path,
        .pcap_path = options->pcap_path,
        .threads = options->threads,
        .thread = number,
        .first = first,
        .application = {.context = thread, .on_event = on_event, .on_uplinks = on_uplinks},
    };
    thread->number = number;
    thread->plain = options->plain;
    return engine_create(&engine, text, &thread->engine);
}

static bool listen_to_programs(struct run_thread *thread, int tun_fd, uint32_t mtu,
                               char text[ENGINE_TEXT_MAX]) {
    int link = engine_add_tun(thread->engine, tun_fd, mtu, udp_forward_intercept, thread->udp);
    if (link < 0) {
        close(tun_fd);
        return say(text, strerror(-link));
    }
    struct braid_listen_config listen = {.link = link, .deferred = true};
    udp_forward_set_tun(thread->udp, link);
    return braid_stack_listen(engine_stack(thread->engine), &listen) != NULL || say(text, "out of memory");
}

bool run_thread_serve(struct run_thread *thread, const struct resolver *resolver,
                      const struct udp_homes *homes, int tun_fd, uint32_t mtu, char text[ENGINE_TEXT_MAX]) {
    struct relay_hooks hooks = {.context = thread, .serve = serve, .route = route, .plain = thread->plain};
    bool good = false;
    thread->resolver = *resolver;
    thread->udp = udp_forward_create(thread->engine, &thread->resolver, homes, thread->number);
    thread->relays = relays_create(thread->engine, &hooks);
    if (thread->udp == NULL || thread->relays == NULL)
        say(text, "out of memory");
    else if (netlink_open(&thread->routes) != 0)
        say(text, "cannot ask the kernel about its routes");
    else
        good = true;
    if (good) return listen_to_programs(thread, tun_fd, mtu, text);
    close(tun_fd);
    return false;
}

/* ---- the end ---- */

void run_thread_reset(struct run_thread *thread) {
    if (thread->engine == NULL) return;
    relays_destroy(thread->relays);
    thread->relays = NULL;
    engine_settle(thread->engine); /* the resets of what was still open */
}

int run_thread_destroy(struct run_thread *thread) {
    udp_forward_destroy(thread->udp);
    netlink_close(thread->routes);
    int error = engine_destroy(thread->engine);
    *thread = (struct run_thread){.number = thread->number};
    return error;
}
