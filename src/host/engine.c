#include "engine_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <host/config_text.h>
#include <link/link_tun.h>

/* ---- a turn: everything there is to do now ---- */

static void distribute(struct engine *engine, const struct braid_packet_out *packets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        struct engine_port *port = engine->ports[packets[i].link];
        packet_queue_put(&port->queue, &packets[i]);
        if (packet_queue_count(&port->queue) >= LINK_BATCH_MAX) port_flush(port);
    }
}

static void send_all(struct engine *engine) {
    static _Thread_local struct braid_packet_out packets[ENGINE_OUTPUT_BATCH];
    size_t count;
    do {
        count = braid_stack_output(engine->stack, packets, ENGINE_OUTPUT_BATCH, engine->now);
        distribute(engine, packets, count);
    } while (count == ENGINE_OUTPUT_BATCH);
}

static bool deliver_events(struct engine *engine) {
    struct braid_event event;
    bool any = false;
    while (braid_stack_next_event(engine->stack, &event)) {
        engine->application.on_event(engine->application.context, &event, engine->now);
        any = true;
    }
    return any;
}

static void settle(struct engine *engine) {
    if (engine->uplinks_changed) {
        engine->uplinks_changed = false;
        if (engine->application.on_uplinks != NULL)
            engine->application.on_uplinks(engine->application.context, engine->now);
    }
    do
        send_all(engine);
    while (deliver_events(engine));
    for (int i = 0; i < engine->port_count; i++)
        if (engine->ports[i] != NULL) port_flush(engine->ports[i]);
}

void engine_settle(struct engine *engine) {
    engine->now = host_now();
    settle(engine);
}

static void take_network_news(struct engine *engine) {
    if (engine->networks_ready) {
        engine->networks_ready = false;
        /* What could not be read now is read with the next news. */
        (void)!netlink_watch_dispatch(engine->networks);
    }
    for (size_t i = 0; i < engine->uplink_count; i++) {
        struct engine_uplink *uplink = engine->uplinks[i];
        if (!uplink->neighbours_ready) continue;
        uplink->neighbours_ready = false;
        if (uplink->uplink != NULL) uplink_dispatch(uplink->uplink);
    }
}

static bool receive_round(struct engine *engine) {
    bool more = false;
    engine_team_receive(engine);
    for (int i = 0; i < engine->port_count; i++) {
        struct engine_port *port = engine->ports[i];
        if (port == NULL || !port->readable) continue;
        port->readable = port_receive(port);
        more |= port->readable;
    }
    return more;
}

static void turn(struct engine *engine) {
    engine->now = host_now();
    rest_begin_turn(&engine->rest);
    take_network_news(engine);
    for (int round = 0; round < ENGINE_ROUNDS_MAX; round++) {
        bool more = receive_round(engine);
        if (braid_stack_deadline(engine->stack) <= engine->now)
            braid_stack_expire(engine->stack, engine->now);
        settle(engine);
        if (!more) break;
        engine->now = host_now();
    }
}

/* ---- the loop ---- */

/* A timer that is due too early only costs a turn; one that is due too late must be set anew. */
static void set_timer(struct engine *engine, braid_time deadline) {
    if (deadline >= engine->timer_set_for) return;
    struct itimerspec when = {.it_value = {.tv_sec = (time_t)(deadline / BRAID_NS_PER_S),
                                           .tv_nsec = (long)(deadline % BRAID_NS_PER_S)}};
    if (deadline == 0) when.it_value.tv_nsec = 1; /* all zero would mean never */
    timerfd_settime(engine->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
    engine->timer_set_for = deadline;
}

static void on_timer(void *context, int events) {
    struct engine *engine = context;
    uint64_t expirations;
    (void)events;
    (void)!read(engine->timer_fd, &expirations, sizeof(expirations));
    engine->timer_set_for = BRAID_NEVER;
}

/* Before the loop waits: what other callbacks asked of the stack goes out, and the next deadline is known. */
static void on_prepare(uv_prepare_t *prepare) {
    struct engine *engine = prepare->data;
    if (braid_stack_deadline(engine->stack) == 0 || engine->uplinks_changed) {
        engine->now = host_now();
        settle(engine);
    }
    braid_time deadline = braid_stack_deadline(engine->stack);
    if (engine->wake_at < deadline) deadline = engine->wake_at;
    if (engine->may_rest) rest_now(&engine->rest, deadline);
    set_timer(engine, deadline);
}

static void on_check(uv_check_t *check) {
    turn(check->data);
}

static void on_networks(void *context, int events) {
    (void)events;
    ((struct engine *)context)->networks_ready = true;
}

static bool loop_start(struct engine *engine) {
    if (uv_loop_init(&engine->loop) != 0) return false;
    uv_check_init(&engine->loop, &engine->check);
    uv_prepare_init(&engine->loop, &engine->prepare);
    uv_timer_init(&engine->loop, &engine->later);
    engine->loop.data = engine; /* from here on there is something to end */
    engine->check.data = engine->prepare.data = engine->later.data = engine;
    uv_check_start(&engine->check, on_check);
    uv_prepare_start(&engine->prepare, on_prepare);
    engine->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (engine->timer_fd < 0) return false;
    engine->timer = fd_watch_create(&engine->loop, engine->timer_fd, UV_READABLE, on_timer, engine);
    engine->networks_watch =
        fd_watch_create(&engine->loop, netlink_watch_fd(engine->networks), UV_READABLE, on_networks, engine);
    return engine->timer != NULL && engine->networks_watch != NULL;
}

static void loop_end(struct engine *engine) {
    if (engine->loop.data == NULL) return;
    fd_watch_destroy(engine->timer);
    fd_watch_destroy(engine->networks_watch);
    uv_close((uv_handle_t *)&engine->check, NULL);
    uv_close((uv_handle_t *)&engine->prepare, NULL);
    uv_close((uv_handle_t *)&engine->later, NULL);
    uv_run(&engine->loop, UV_RUN_NOWAIT);
    uv_loop_close(&engine->loop);
    if (engine->timer_fd >= 0) close(engine->timer_fd);
}

/* ---- life ---- */

static bool say(char text[ENGINE_TEXT_MAX], const char *what, const char *which, int error) {
    snprintf(text, ENGINE_TEXT_MAX, "%s%s%s%s%s", what, which ? " " : "", which ? which : "",
             error ? ": " : "", error ? strerror(-error) : "");
    return false;
}

static bool files_open(struct engine *engine, const struct engine_options *options,
                       char text[ENGINE_TEXT_MAX]) {
    int error;
    if (options->threads > 1)
        environment_trace_of_thread(&engine->environment, options->first != NULL ? &options->first->environment : NULL,
                                    options->thread);
    if (options->first != NULL) {
        engine->capture = options->first->capture;
        engine->files_are_anothers = true;
        return true;
    }
    if (options->trace_path != NULL &&
        (error = environment_trace_to(&engine->environment, options->trace_path)) != 0)
        return say(text, "cannot write the trace", options->trace_path, error);
    if (options->pcap_path != NULL &&
        (error = pcapng_file_create(options->pcap_path, NULL, &engine->capture)) != 0)
        return say(text, "cannot write the capture", options->pcap_path, error);
    return true;
}

/* ---- what links are to be used for ---- */

const char *engine_scheduler(const char *named, bool metered) {
    return named == NULL && metered ? "cost-aware" : named;
}

static bool anything_metered(const struct engine_options *options) {
    bool metered = false;
    for (size_t i = 0; i < options->uplink_count; i++)
        metered |= engine_cost(false, &options->uplinks[i].terms) > 0;
    for (size_t i = 0; i < options->udp_count; i++)
        metered |= engine_cost(false, &options->udp[i].terms) > 0;
    return metered;
}

void engine_terms(struct engine *engine, int link, const struct braid_link_terms *terms) {
    struct braid_link_terms own = *terms;
    own.metered |= own.cap_bytes > 0;
    (void)braid_stack_link_terms(engine->stack, link, &own, engine->now);
}

bool engine_uplink_spend(struct engine *engine, int link, uint64_t bytes) {
    braid_stack_link_count(engine->stack, link, bytes);
    return !braid_stack_link_used_up(engine->stack, link);
}

static bool parts_create(struct engine *engine, const struct engine_options *options,
                         char text[ENGINE_TEXT_MAX]) {
    int error = netlink_watch_create(uplinks_on_network, engine, &engine->networks);
    if (error != 0) return say(text, "cannot ask the kernel about its networks", NULL, error);
    if (!loop_start(engine)) return say(text, "cannot set up the event loop", NULL, -errno);
    if (!files_open(engine, options, text)) return false;
    struct braid_stack_config stack = options->stack;
    stack.scheduler = engine_scheduler(stack.scheduler, anything_metered(options));
    if (options->team != NULL) {
        if (!engine_team_join(engine, options, text)) return false;
        stack.steering = team_steering(options->team);
        stack.steering_place = options->team_place;
    }
    enum braid_config_fault fault = braid_stack_config_check(&stack);
    config_fault_say(fault, text, ENGINE_TEXT_MAX);
    if (fault != BRAID_CONFIG_OK) return false;
    engine->stack = braid_stack_create(&engine->environment.env, &stack);
    if (engine->stack == NULL) return say(text, "out of memory", NULL, 0);
    engine->now = host_now(); /* not before the trace began */
    engine->starting = true;
    if (!(options->udp_count > 0 ? udp_start(engine, options, text) : uplinks_start(engine, options, text))) return false;
    engine->starting = false;
    return true;
}

bool engine_create(const struct engine_options *options, char text[ENGINE_TEXT_MAX], struct engine **out) {
    struct engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) return say(text, "out of memory", NULL, 0);
    environment_init(&engine->environment);
    engine->application = options->application;
    engine->policy = options->policy;
    engine->announce = options->announce;
    engine->every_default_route = options->uplink_count == 0 && options->udp_count == 0;
    engine->timer_fd = -1;
    rest_init(&engine->rest);
    engine->timer_set_for = engine->wake_at = BRAID_NEVER;
    engine->now = host_now();
    if (!parts_create(engine, options, text)) {
        engine_destroy(engine);
        return false;
    }
    *out = engine;
    return true;
}

/* Every port that is no uplink's: TUN, UDP. */
static void others_close(struct engine *engine) {
    for (int i = 0; i < engine->port_count; i++) {
        struct engine_port *port = engine->ports[i];
        if (port == NULL) continue;
        struct link *device = port->device;
        port_close(port);
        link_close(device);
        free(port);
    }
}

int engine_destroy(struct engine *engine) {
    if (engine == NULL) return 0;
    braid_stack_destroy(engine->stack);
    uplinks_end(engine);
    others_close(engine);
    engine_team_leave(engine);
    rest_deinit(&engine->rest);
    loop_end(engine);
    netlink_watch_destroy(engine->networks);
    int capture_error = engine->files_are_anothers ? 0 : pcapng_file_close(engine->capture);
    int trace_error = environment_trace_end(&engine->environment);
    environment_deinit(&engine->environment);
    free(engine);
    return trace_error != 0 ? trace_error : capture_error;
}

uv_loop_t *engine_loop(const struct engine *engine) {
    return (uv_loop_t *)(uintptr_t)&engine->loop;
}
struct braid_stack *engine_stack(const struct engine *engine) {
    return engine->stack;
}
const struct braid_env *engine_env(const struct engine *engine) {
    return &engine->environment.env;
}
const struct netlink_watch *engine_networks(const struct engine *engine) {
    return engine->networks;
}
braid_time engine_now(const struct engine *engine) {
    return engine->now;
}
bool engine_traces(const struct engine *engine) {
    return engine->environment.trace != NULL;
}

void engine_trace(struct engine *engine, const char *event, const struct braid_trace_field *fields,
                  size_t count) {
    const struct braid_env *env = &engine->environment.env;
    if (env->trace != NULL) env->trace(env->context, engine->now, event, fields, count);
}

void engine_ports(const struct engine *engine, uint16_t *first, uint16_t *last) {
    bool udp = engine->udp_port_first > 0;
    *first = udp ? engine->udp_port_first : uplinks_port_first(engine->shared);
    *last = udp ? engine->udp_port_last : uplinks_port_last(engine->shared);
}

void engine_run(struct engine *engine) {
    uv_run(&engine->loop, UV_RUN_DEFAULT);
}

void engine_stop(struct engine *engine) {
    uv_stop(&engine->loop);
}

void engine_run_once(struct engine *engine, braid_time timeout_ns) {
    braid_time now = host_now();
    bool waits = timeout_ns > 0 && timeout_ns < BRAID_NEVER - now; /* else no timer need be set for its end */
    engine->wake_at = waits ? now + timeout_ns : BRAID_NEVER;
    engine->may_rest = timeout_ns > 0;
    uv_run(&engine->loop, timeout_ns == 0 ? UV_RUN_NOWAIT : UV_RUN_ONCE);
    engine->wake_at = BRAID_NEVER;
    engine->may_rest = false;
}

/* ---- TUN ---- */

int engine_add_tun(struct engine *engine, int fd, uint32_t mtu,
                   bool (*intercept)(void *context, const struct braid_packet_in *packet), void *context) {
    struct engine_port *port = calloc(1, sizeof(*port));
    struct link *device = NULL;
    struct braid_link_config config = {.uplink = false};
    if (port == NULL) return -ENOMEM;
    port->intercept = intercept;
    port->context = context;
    int error = link_tun_create(engine_env(engine), fd, mtu, &device);
    if (error == 0 && engine->capture != NULL) {
        struct link *wrapper;
        error = link_pcapng_create(engine_env(engine), device, engine->capture, "programs", &wrapper);
        if (error == 0) device = wrapper;
    }
    if (error == 0 && !port_add(engine, port, device->capabilities, &config)) error = -ENOSPC;
    if (error == 0 && !port_open(port, device)) error = -ENOMEM;
    if (error == 0) return port->number;
    link_close(device);
    free(port);
    return error;
}

void engine_send(struct engine *engine, const struct braid_packet_out *packet) {
    packet_queue_put(&engine->ports[packet->link]->queue, packet);
}
