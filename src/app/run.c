/* What `braid run` is made of, and the order in which it begins and ends. */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <host/fd_watch.h>
#include <host/netlink.h>
#include "name_tcp.h"
#include "privileges.h"
#include "relay.h"
#include "resolver.h"
#include "run_command.h"
#include "run_keeper.h"
#include "run_options.h"
#include "run_status.h"
#include "udp_forward.h"

#define EXIT_USAGE 2
/* What the command has sent is delivered after it has ended, as the kernel does for those it serves itself;
 * unless nothing moves any more for so long. */
#define LINGER_NS (10 * BRAID_NS_PER_S)
#define LINGER_CHECK_MS 10
#define LINGER_CHECKS_PER_LOOK 20 /* at the processes that are left */
#define MTU_DEFAULT 1500
#define MTU_LEAST 1280 /* IPv6 wants it */
#define DESCRIPTORS_WANTED 65536
/* As many connections may be open, or have been closed a moment ago, to one port of one host. Each takes a
 * descriptor. */
#define PORTS_WANTED 4096
/* Long enough to acknowledge FINs that come again; the usual minute would use up the ports too soon. */
#define TIME_WAIT_NS (10 * BRAID_NS_PER_S)

struct run {
    struct run_options options;
    struct run_keeper keeper;
    struct run_command command;
    struct network_identity network; /* the command's */
    struct engine *engine;
    struct resolver resolver;
    struct namespace_plan plan;
    char resolv_conf[RESOLVER_TEXT_MAX];
    struct relays *relays;
    struct udp_forward *udp;
    struct run_status *status;
    struct netlink *routes;
    struct fd_watch *signals;
    uv_timer_t linger;
    braid_time linger_until; /* 0: the command has not ended */
    unsigned linger_checks, lingering;
    bool alone; /* nobody is left in the command's network */
    uint64_t lingering_arrived_bytes;
};

static bool complain(const char *what) {
    fprintf(stderr, "braid run: %s\n", what);
    return false;
}

/* ---- events ---- */

static void on_event(void *context, const struct braid_event *event, braid_time now) {
    struct run *run = context;
    if (run->relays != NULL)
        relays_event(run->relays, event, now); /* at the very end nobody listens any more */
}

static void on_uplinks(void *context, braid_time now) {
    struct run *run = context;
    (void)now;
    if (run->udp != NULL) udp_forward_uplinks_changed(run->udp);
}

static bool serve(void *context, struct braid_connection *connection,
                  const struct braid_endpoint *destination, braid_time now) {
    struct run *run = context;
    struct ip_address address = {.family = (enum ip_family)destination->address.family};
    unsigned which;
    memcpy(address.bytes, destination->address.bytes, sizeof(address.bytes));
    if (!resolver_stands_in(&run->resolver, &address, &which)) return false;
    if (destination->port == RESOLVER_PORT)
        name_tcp_serve(run->engine, &run->resolver, which, connection, now);
    else
        braid_connection_refuse(connection, BRAID_REFUSE_RESET, now);
    return true;
}

/* The host's own addresses cannot be reached by its uplinks. A destination on the network of an uplink is
 * reached by that one; anything else by whichever the stack chooses. */
static struct relay_route route(void *context, const struct braid_address *destination) {
    struct run *run = context;
    struct relay_route out = {.reachable = true};
    struct ip_address to = {.family = (enum ip_family)destination->family};
    struct netlink_path path;
    struct engine_uplink_info uplink;
    memcpy(to.bytes, destination->bytes, sizeof(to.bytes));
    int error = netlink_path_lookup(run->routes, 0, NULL, &to, &path);
    if (error == -EHOSTUNREACH) return (struct relay_route){.refusal = BRAID_REFUSE_HOST_UNREACHABLE};
    if (error != 0 || !ip_address_equal(&path.next_hop, &to)) return out;
    for (size_t i = 0; engine_uplink_info(run->engine, i, &uplink); i++) {
        const struct ip_address *own = to.family == IP_V4 ? &uplink.address_v4 : &uplink.address_v6;
        if (uplink.interface_index != path.interface_index || own->family == IP_NONE) continue;
        out.local.family = (uint8_t)own->family;
        memcpy(out.local.bytes, own->bytes, sizeof(out.local.bytes));
    }
    return out;
}

/* ---- the end ---- */

static void on_linger(uv_timer_t *timer) {
    struct run *run = timer->data;
    uint64_t arrived_bytes;
    if (run->linger_checks++ % LINGER_CHECKS_PER_LOOK == 0)
        run->alone = network_processes(&run->network, 0) == 0;
    unsigned undelivered = relays_undelivered(run->relays, run->alone, &arrived_bytes);
    if (undelivered != run->lingering || arrived_bytes != run->lingering_arrived_bytes)
        run->linger_until = host_now() + LINGER_NS;
    run->lingering = undelivered;
    run->lingering_arrived_bytes = arrived_bytes;
    if (undelivered == 0 || host_now() >= run->linger_until) engine_stop(run->engine);
}

static void on_signals(void *context, int events) {
    struct run *run = context;
    (void)events;
    if (run_command_signals(&run->command) != 0) engine_stop(run->engine);
    if (!run->command.ended || run->linger_until != 0) return;
    run->linger_until = host_now() + LINGER_NS;
    /* The command's last packets may still be on their way here. */
    uv_timer_start(&run->linger, on_linger, LINGER_CHECK_MS, LINGER_CHECK_MS);
}

/* ---- the beginning ---- */

static uint16_t ports_wanted(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= 2 * PORTS_WANTED) return PORTS_WANTED;
    return 0; /* the usual number */
}

static bool start_engine(struct run *run) {
    char text[ENGINE_TEXT_MAX];
    struct engine_options options = {
        .uplinks = run->options.uplinks,
        .uplink_count = run->options.uplink_count,
        .policy = run->options.policy,
        .port_count = ports_wanted(),
        .stack = {.checksum = run->options.checksum,
                  .memory_max_bytes = run->options.memory_bytes,
                  .receive_buffer_max_bytes = run->options.receive_buffer_bytes,
                  .congestion = run->options.congestion,
                  .scheduler = run->options.scheduler,
                  .versions = run->options.versions,
                  .path_manager = run->options.path_manager,
                  .path_limits = run->options.limited ? &run->options.limits : NULL,
                  .time_wait_ns = TIME_WAIT_NS},
        .trace_path = run->options.trace_path,
        .pcap_path = run->options.pcap_path,
        .application = {.context = run, .on_event = on_event, .on_uplinks = on_uplinks},
    };
    if (!engine_create(&options, text, &run->engine)) return complain(text);
    return true;
}

/* Programs shall see a network as large, and of such families, as the uplinks have. */
static void plan_network(struct run *run) {
    struct engine_uplink_info uplink;
    namespace_plan_addresses(&run->plan, engine_networks(run->engine));
    run->plan.mtu = 0;
    for (size_t i = 0; engine_uplink_info(run->engine, i, &uplink); i++) {
        if (uplink.address_v6.family != IP_NONE) run->plan.with_v6 = true;
        if (run->plan.mtu == 0 || uplink.mtu_bytes < run->plan.mtu) run->plan.mtu = uplink.mtu_bytes;
    }
    if (run->plan.mtu > MTU_DEFAULT || run->plan.mtu == 0) run->plan.mtu = MTU_DEFAULT;
    if (run->plan.mtu < MTU_LEAST) run->plan.mtu = MTU_LEAST;
    resolver_read(&run->resolver, &run->plan.name_server);
    if (resolver_text(&run->resolver, run->resolv_conf)) run->plan.resolv_conf = run->resolv_conf;
}

static bool start_services(struct run *run) {
    struct relay_hooks hooks = {.context = run, .serve = serve, .route = route};
    struct braid_listen_config listen = {.link = -1, .deferred = true};
    run->udp = udp_forward_create(run->engine, &run->resolver);
    run->relays = relays_create(run->engine, &hooks);
    if (run->udp == NULL || run->relays == NULL) return complain("out of memory");
    if (netlink_open(&run->routes) != 0) return complain("cannot ask the kernel about its routes");
    char text[NAMESPACE_TEXT_MAX];
    int fd = run_command_start(&run->command, &run->plan, run->options.command, text);
    if (fd < 0) return complain(text);
    if (network_identity_of(run->command.pid, &run->network)) run_keeper_watch(&run->keeper, &run->network);
    listen.link = engine_add_tun(run->engine, fd, run->plan.mtu, udp_forward_intercept, run->udp);
    if (listen.link < 0) return complain(strerror(-listen.link));
    udp_forward_set_tun(run->udp, listen.link);
    if (braid_stack_listen(engine_stack(run->engine), &listen) == NULL) return complain("out of memory");
    return true;
}

static bool start_watching(struct run *run) {
    uv_timer_init(engine_loop(run->engine), &run->linger);
    run->linger.data = run;
    run->signals =
        fd_watch_create(engine_loop(run->engine), run->command.signals, UV_READABLE, on_signals, run);
    if (run->options.live || engine_traces(run->engine))
        run->status = run_status_create(run->engine, run->relays, run->options.live);
    return run->signals != NULL || complain("out of memory");
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    if (limit.rlim_cur >= DESCRIPTORS_WANTED) return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool start(struct run *run) {
    raise_descriptor_limit();
    if (!start_engine(run)) return false;
    plan_network(run);
    return start_services(run) && start_watching(run);
}

/* ---- all of it ---- */

static int finish(struct run *run) {
    int status = EXIT_USAGE;
    if (run->engine != NULL) {
        run_status_destroy(run->status);
        relays_destroy(run->relays);
        run->relays = NULL;
        engine_settle(run->engine); /* the resets of what was still open */
        udp_forward_destroy(run->udp);
        fd_watch_destroy(run->signals);
        if (run->linger.data != NULL) uv_close((uv_handle_t *)&run->linger, NULL);
        netlink_close(run->routes);
        int error = engine_destroy(run->engine);
        if (error != 0) fprintf(stderr, "braid run: cannot write trace or capture: %s\n", strerror(-error));
    }
    run_keeper_dismiss(&run->keeper);
    if (run->command.ended) status = run_command_exit_status(&run->command);
    return status;
}

int run_main(int argc, char **argv) {
    static struct run run;
    if (!run_options_parse(argc, argv, &run.options)) return EXIT_USAGE;
    if (run.options.help) {
        run_options_help();
        return 0;
    }
    if (!privileges_suffice()) {
        privileges_explain("run");
        return EXIT_USAGE;
    }
    if (!run_command_prepare(&run.command) || run_keeper_start(&run.keeper) != 0) {
        complain(strerror(errno));
        return EXIT_USAGE;
    }
    if (start(&run)) {
        run_command_go(&run.command);
        engine_run(run.engine);
    }
    return finish(&run);
}
