/* What `braid run` is made of, and the order in which it begins and ends. */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <host/fd_watch.h>
#include "privileges.h"
#include "resolver.h"
#include "run_command.h"
#include "run_keeper.h"
#include "run_options.h"
#include "run_statistics.h"
#include "run_status.h"
#include "run_threads.h"

#define EXIT_USAGE 2
/* What the command has sent is delivered after it has ended, as the kernel does for those it serves itself;
 * unless nothing moves any more for so long. */
#define LINGER_NS (10 * BRAID_NS_PER_S)
#define LINGER_CHECK_MS 10
#define LINGER_CHECKS_PER_LOOK 20 /* at the processes that are left */
#define MTU_DEFAULT 1500
#define MTU_LEAST 1280 /* IPv6 wants it */
#define DESCRIPTORS_WANTED 65536

struct run {
    struct run_options options;
    struct run_keeper keeper;
    struct run_command command;
    struct network_identity network; /* the command's */
    struct run_threads *threads;
    struct resolver resolver;
    struct namespace_plan plan;
    char resolv_conf[RESOLVER_TEXT_MAX];
    struct run_status *status;
    struct run_statistics statistics;
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

/* ---- the end ---- */

static void on_undelivered(void *context, unsigned undelivered, uint64_t arrived_bytes) {
    struct run *run = context;
    if (undelivered != run->lingering || arrived_bytes != run->lingering_arrived_bytes)
        run->linger_until = host_now() + LINGER_NS;
    run->lingering = undelivered;
    run->lingering_arrived_bytes = arrived_bytes;
    if (undelivered == 0 || host_now() >= run->linger_until) run_threads_stop(run->threads);
}

static void on_linger(uv_timer_t *timer) {
    struct run *run = timer->data;
    if (run->linger_checks++ % LINGER_CHECKS_PER_LOOK == 0)
        run->alone = network_processes(&run->network, 0) == 0;
    run_threads_ask_undelivered(run->threads, run->alone, on_undelivered, run);
}

static void on_signals(void *context, int events) {
    struct run *run = context;
    (void)events;
    if (run_command_signals(&run->command) != 0) run_threads_stop(run->threads);
    if (!run->command.ended || run->linger_until != 0) return;
    run->linger_until = host_now() + LINGER_NS;
    /* The command's last packets may still be on their way here. */
    uv_timer_start(&run->linger, on_linger, LINGER_CHECK_MS, LINGER_CHECK_MS);
}

/* ---- the beginning ---- */

/* Programs shall see a network as large, and of such families, as the uplinks have. */
static void plan_network(struct run *run) {
    const struct engine *engine = run_threads_engine(run->threads, 0);
    struct engine_uplink_info uplink;
    namespace_plan_addresses(&run->plan, engine_networks(engine));
    run->plan.queues = run->options.threads;
    run->plan.mtu = 0;
    for (size_t i = 0; engine_uplink_info(engine, i, &uplink); i++) {
        if (uplink.address_v6.family != IP_NONE) run->plan.with_v6 = true;
        if (run->plan.mtu == 0 || uplink.mtu_bytes < run->plan.mtu) run->plan.mtu = uplink.mtu_bytes;
    }
    if (run->plan.mtu > MTU_DEFAULT || run->plan.mtu == 0) run->plan.mtu = MTU_DEFAULT;
    if (run->plan.mtu < MTU_LEAST) run->plan.mtu = MTU_LEAST;
    resolver_read(&run->resolver, &run->plan.name_server);
    if (resolver_text(&run->resolver, run->resolv_conf)) run->plan.resolv_conf = run->resolv_conf;
}

static bool start_services(struct run *run) {
    char namespace_text[NAMESPACE_TEXT_MAX], text[ENGINE_TEXT_MAX];
    int tun_fds[NAMESPACE_QUEUES_MAX];
    if (!run_command_start(&run->command, &run->plan, run->options.command, tun_fds, namespace_text))
        return complain(namespace_text);
    if (network_identity_of(run->command.pid, &run->network)) run_keeper_watch(&run->keeper, &run->network);
    return run_threads_serve(run->threads, &run->resolver, tun_fds, run->plan.mtu, text) || complain(text);
}

static bool start_watching(struct run *run) {
    struct engine *engine = run_threads_engine(run->threads, 0);
    char text[ENGINE_TEXT_MAX];
    uv_timer_init(engine_loop(engine), &run->linger);
    run->linger.data = run;
    run->signals = fd_watch_create(engine_loop(engine), run->command.signals, UV_READABLE, on_signals, run);
    if (run->options.live || engine_traces(engine))
        run->status = run_status_create(run->threads, run->options.live);
    if (run->signals == NULL) return complain("out of memory");
    return run_threads_begin(run->threads, text) || complain(text);
}

static void raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    if (limit.rlim_cur >= DESCRIPTORS_WANTED) return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static bool open_statistics(struct run *run) {
    const char *path = run->options.statistics_path;
    int error = path != NULL ? run_statistics_open(&run->statistics, path) : 0;
    if (error != 0) fprintf(stderr, "braid run: cannot write the statistics %s: %s\n", path, strerror(-error));
    return error == 0;
}

static bool start(struct run *run) {
    char text[ENGINE_TEXT_MAX];
    raise_descriptor_limit();
    if (!open_statistics(run)) return false;
    run->threads = run_threads_create(&run->options, text);
    if (run->threads == NULL) return complain(text);
    plan_network(run);
    return start_services(run) && start_watching(run);
}

/* ---- all of it ---- */

static int finish(struct run *run) {
    int status = EXIT_USAGE;
    if (run->threads != NULL) {
        run_status_destroy(run->status);
        run_threads_end(run->threads);
        int unwritten = run_statistics_write(&run->statistics, run->threads);
        if (unwritten != 0) fprintf(stderr, "braid run: cannot write the statistics: %s\n", strerror(-unwritten));
        fd_watch_destroy(run->signals);
        if (run->linger.data != NULL) uv_close((uv_handle_t *)&run->linger, NULL);
        int error = run_threads_destroy(run->threads);
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
        run_threads_run(run.threads);
    }
    return finish(&run);
}
