/* What a walk is made of, drawn from its seed. */
#include <sim/walk.h>

#include "sim_internal.h"

enum element { NOISE = 0, BOX = 4, TALK = 8, LOSS = 12, EVENT = 16, MEMORY = 56, COOKIES = 57, VERSIONS = 58, EARLY = 59, WORLD = 60, EVENTS = 61, STACKS = 62, JOINS = 63, PATH = 64, BOX_AGAIN = 68 };

/* Draws for one element, the same whatever others there are. */
static struct prng element_prng(uint64_t seed, unsigned element) {
    struct prng prng;
    prng_seed(&prng, seed * UINT64_C(0x9e3779b97f4a7c15) + element);
    return prng;
}

static bool chance(struct prng *prng, double probability) { return prng_unit(prng) < probability; }

/* Between the two, each order of magnitude as likely as the next. */
static uint64_t log_uniform(struct prng *prng, uint64_t least, uint64_t most) {
    unsigned doublings = 0;
    if (least == 0) least = 1;
    if (least >= most) return least;
    while (least << doublings < most) doublings++;
    uint64_t from = least << prng_below(prng, doublings);
    uint64_t span = from < most - from ? from : most - from;
    return from + prng_below(prng, span + 1);
}


/* Each draw is a statement of its own: C does not say in which order the parts of an initializer are evaluated, and the
 * same seed is to be the same walk by every compiler. */

/* --- paths --- */

static void draw_path(uint64_t seed, unsigned i, struct sim_path_config *path) {
    struct prng prng = element_prng(seed, PATH + i), loss = element_prng(seed, LOSS + i);
    path->rate_bps = log_uniform(&prng, 500000, 100000000);
    path->rtt_ns = log_uniform(&prng, 1 * BRAID_NS_PER_MS, 300 * BRAID_NS_PER_MS);
    path->queue_ns = log_uniform(&prng, 10 * BRAID_NS_PER_MS, 500 * BRAID_NS_PER_MS);
    path->backup = chance(&prng, 0.2);
    path->mtu_bytes = chance(&prng, 0.2) ? 1280 : 1500;
    if (chance(&prng, 0.3)) path->rate_up_bps = log_uniform(&prng, 300000, path->rate_bps);
    /* Three packets always fit: less is no link at all. */
    if (path->queue_ns * (path->rate_up_bps ? path->rate_up_bps : path->rate_bps) / BRAID_NS_PER_S / 8 < 4500) {
        path->queue_ns = 0;
        path->queue_bytes = 4500;
    }
    if (chance(&loss, 0.4)) {
        path->loss = prng_unit(&loss) * 0.05;
        path->loss *= prng_unit(&loss);
    }
}

static void draw_noise(uint64_t seed, unsigned i, struct sim_walk_path *path) {
    struct prng prng = element_prng(seed, NOISE + i);
    struct sim_noise_config *noise = &path->noise;
    path->late = i > 0 && chance(&prng, 0.1);
    path->noisy = chance(&prng, 0.5);
    if (!path->noisy) return;
    noise->reorder_ns = log_uniform(&prng, 1 * BRAID_NS_PER_MS, 100 * BRAID_NS_PER_MS);
    if (chance(&prng, 0.4)) noise->reorder = prng_unit(&prng) * 0.1;
    if (chance(&prng, 0.4)) noise->duplicate = prng_unit(&prng) * 0.1;
    if (chance(&prng, 0.3)) noise->corrupt = prng_unit(&prng) * 0.02;
    if (chance(&prng, 0.3)) noise->mark = prng_unit(&prng) * 0.1;
    if (chance(&prng, 0.3)) noise->jitter_ns = log_uniform(&prng, 1 * BRAID_NS_PER_MS, 50 * BRAID_NS_PER_MS);
    if (chance(&prng, 0.2)) {
        noise->burst_begin = prng_unit(&prng) * 0.005;
        noise->burst_end = 0.05 + prng_unit(&prng) * 0.5;
        noise->burst_loss = prng_unit(&prng);
    }
}

/* --- middleboxes --- */

static unsigned draw_directions(struct prng *prng) { return 1 + (unsigned)prng_below(prng, 3); }

static void draw_option(struct prng *prng, struct sim_option_config *option) {
    option->action = (enum sim_option_action)prng_below(prng, 4);
    option->segments = 1 + (unsigned)prng_below(prng, 15);
    option->directions = draw_directions(prng);
    if (chance(prng, 0.5)) option->after = log_uniform(prng, 1, 1000);
}

static void draw_split(struct prng *prng, struct sim_split_config *split) {
    split->directions = draw_directions(prng);
    split->payload_bytes = 100 + (uint32_t)prng_below(prng, 1300);
    split->options_once = chance(prng, 0.5);
}

static void draw_coalesce(struct prng *prng, struct sim_coalesce_config *coalesce) {
    coalesce->directions = draw_directions(prng);
    coalesce->payload_bytes = 1000 + (uint32_t)prng_below(prng, 3000);
    coalesce->wait_ns = log_uniform(prng, 1000, 20 * BRAID_NS_PER_MS);
    coalesce->last_options = chance(prng, 0.5);
}

static void draw_proxy(struct prng *prng, struct sim_proxy_config *proxy) {
    proxy->directions = draw_directions(prng);
    proxy->buffer_bytes = (uint32_t)log_uniform(prng, 3000, 1000000);
    proxy->repeats_options = chance(prng, 0.5);
}

static void draw_firewall(struct prng *prng, struct sim_firewall_config *firewall) {
    firewall->in_order = chance(prng, 0.3);
    firewall->outward_only = chance(prng, 0.5);
    firewall->no_unseen_ack = chance(prng, 0.3);
    firewall->resets = chance(prng, 0.3);
}

static void draw_window(struct prng *prng, struct sim_window_config *window) {
    window->directions = draw_directions(prng);
    window->strip_scale = chance(prng, 0.3);
    if (window->strip_scale) window->directions = SIM_BOTH;
    else window->most = (uint16_t)log_uniform(prng, 500, 65535);
}

static void draw_box(uint64_t seed, unsigned element, double probability, struct sim_walk_box *box) {
    struct prng prng = element_prng(seed, element);
    if (!chance(&prng, probability)) return;
    box->kind = (enum sim_walk_box_kind)(1 + prng_below(&prng, SIM_WALK_BOX_KINDS - 1));
    switch (box->kind) {
    case SIM_WALK_SEQUENCE: box->sequence.leave_sack = chance(&prng, 0.3); return;
    case SIM_WALK_SPLITTER: draw_split(&prng, &box->split); return;
    case SIM_WALK_FIREWALL: draw_firewall(&prng, &box->firewall); return;
    case SIM_WALK_WINDOW: draw_window(&prng, &box->window); return;
    case SIM_WALK_OPTION: draw_option(&prng, &box->option); return;
    case SIM_WALK_COALESCER: draw_coalesce(&prng, &box->coalesce); return;
    case SIM_WALK_PROXY: draw_proxy(&prng, &box->proxy); return;
    case SIM_WALK_SYN_DROPPER: box->syns_dropped = 1 + prng_below(&prng, 3); return;
    default: return;
    }
}

/* --- stacks --- */

static const char *draw_name(struct prng *prng, const char *(*name_of)(unsigned index)) {
    unsigned count = 0;
    while (name_of(count) != NULL) count++;
    return name_of((unsigned)prng_below(prng, count));
}

static void draw_stack(struct braid_stack_config *config, struct prng *prng) {
    config->checksum = chance(prng, 0.3);
    config->ecn = chance(prng, 0.3);
    config->time_wait_ns = 2 * BRAID_NS_PER_S;
    if (chance(prng, 0.6)) config->congestion = draw_name(prng, braid_congestion_name);
    if (chance(prng, 0.5)) config->scheduler = draw_name(prng, braid_scheduler_name);
    if (chance(prng, 0.3)) config->send_buffer_bytes = (uint32_t)log_uniform(prng, 3000, 4000000);
    if (chance(prng, 0.3)) {
        config->receive_buffer_initial_bytes = (uint32_t)log_uniform(prng, 3000, 1000000);
        config->receive_buffer_max_bytes =
            config->receive_buffer_initial_bytes + (uint32_t)log_uniform(prng, 3000, 4000000);
    }
}

/* Some peers know version 0 of MPTCP only, some version 1 only. */
static void draw_versions(uint64_t seed, struct sim_walk_plan *out) {
    static const enum braid_versions versions[] = {BRAID_VERSIONS_BOTH, BRAID_VERSIONS_DISCOVER, BRAID_VERSION_1,
                                                   BRAID_VERSION_0, BRAID_VERSION_0};
    struct prng prng = element_prng(seed, VERSIONS);
    if (!chance(&prng, 0.3)) return;
    out->client.config.versions = versions[prng_below(&prng, 5)];
    out->server.config.versions = versions[prng_below(&prng, 5)];
}

static void draw_memory(uint64_t seed, struct sim_walk_plan *out) {
    struct prng prng = element_prng(seed, MEMORY);
    if (!chance(&prng, 0.2)) return;
    if (chance(&prng, 0.7)) out->client.config.memory_max_bytes = log_uniform(&prng, 1000, 4000000);
    if (chance(&prng, 0.7)) out->server.config.memory_max_bytes = log_uniform(&prng, 1000, 4000000);
}

static void draw_cookies(uint64_t seed, struct sim_walk_plan *out) {
    struct prng prng = element_prng(seed, COOKIES);
    if (chance(&prng, 0.1)) out->server.config.cookies = BRAID_COOKIES_ALWAYS;
}

/* The client announces, and the server may join to that. */
static void draw_joins(uint64_t seed, struct sim_walk_plan *out) {
    struct prng prng = element_prng(seed, JOINS);
    out->client_announces = chance(&prng, 0.2);
    out->server.config.join_to_clients = out->client_announces && chance(&prng, 0.7);
}

static void draw_world(uint64_t seed, struct sim_walk_plan *out) {
    static const unsigned counts[] = {1, 2, 2, 2, 2, 3, 3, 4};
    struct prng prng = element_prng(seed, WORLD), stacks = element_prng(seed, STACKS);
    out->ipv6 = chance(&prng, 0.3);
    out->seed = prng_next(&prng);
    out->checksums = chance(&prng, 0.5);
    out->check_every = chance(&prng, 0.1) ? 1 : 64;
    out->twin = chance(&prng, 0.1);
    out->announced = chance(&prng, 0.2);
    out->path_count = counts[prng_below(&prng, 8)];
    if (chance(&prng, 0.3)) out->super_segment_bytes = (uint32_t)log_uniform(&prng, 3000, 64000);
    draw_stack(&out->client.config, &stacks);
    draw_stack(&out->server.config, &stacks);
    draw_versions(seed, out);
    draw_memory(seed, out);
    draw_cookies(seed, out);
    draw_joins(seed, out);
}

/* --- conversations --- */

static void draw_stream(struct prng *prng, struct sim_stream_config *stream) {
    stream->bytes = chance(prng, 0.15) ? 0 : log_uniform(prng, 1, 2000000);
    stream->slices = chance(prng, 0.2);
    if (chance(prng, 0.3)) stream->write_bytes = (uint32_t)log_uniform(prng, 1 + stream->bytes / 20000, 65536);
    if (chance(prng, 0.3)) stream->read_bytes = (uint32_t)log_uniform(prng, 1 + stream->bytes / 20000, 65536);
    if (chance(prng, 0.2) && stream->bytes > 0) {
        stream->message_bytes = (uint32_t)log_uniform(prng, 1 + stream->bytes / 1000, 10000);
        stream->interval_ns = log_uniform(prng, 1 * BRAID_NS_PER_MS, 20 * BRAID_NS_PER_MS);
    }
}

static void draw_talk(uint64_t seed, unsigned i, struct sim_walk_talk *talk) {
    struct prng prng = element_prng(seed, TALK + i);
    struct sim_conversation_config *config = &talk->config;
    talk->there = i == 0 || chance(&prng, 0.3);
    if (!talk->there) return;
    draw_stream(&prng, &config->streams[SIM_UP]);
    draw_stream(&prng, &config->streams[SIM_DOWN]);
    config->plain_client = chance(&prng, 0.1);
    config->plain_server = chance(&prng, 0.1);
    config->single_path = chance(&prng, 0.1);
    config->no_delay = chance(&prng, 0.5);
    config->deferred = chance(&prng, 0.2);
    if (chance(&prng, 0.1)) config->congestion = draw_name(&prng, braid_congestion_name);
    if (chance(&prng, 0.1)) config->scheduler = draw_name(&prng, braid_scheduler_name);
    if (config->deferred) config->answer_ns = log_uniform(&prng, 1000, 500 * BRAID_NS_PER_MS);
    config->start_ns = BRAID_NS_PER_S + prng_below(&prng, 2000 * BRAID_NS_PER_MS);
}

/* Of what one host has with another the first asks for a cookie, and those after it use it. */
static void draw_early(uint64_t seed, struct sim_walk_plan *out) {
    struct prng prng = element_prng(seed, EARLY);
    if (!chance(&prng, 0.2)) return;
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) out->talks[i].config.fast_open = !out->talks[i].config.deferred;
}

/* --- events --- */

static const unsigned weights[SIM_WALK_EVENT_KINDS] = {20, 20, 15, 8, 7, 5, 4, 8, 8, 3, 2, 2, 5};

static enum sim_walk_event_kind draw_kind(struct prng *prng) {
    unsigned sum = 0;
    for (unsigned i = 0; i < SIM_WALK_EVENT_KINDS; i++) sum += weights[i];
    uint64_t draw = prng_below(prng, sum);
    unsigned kind = 0;
    while (draw >= weights[kind]) draw -= weights[kind++];
    return (enum sim_walk_event_kind)kind;
}

static void draw_shape(struct prng *prng, const struct sim_path_config *path, struct sim_path_config *shape) {
    *shape = *path;
    shape->rate_bps = log_uniform(prng, 200000, 100000000);
    shape->rate_up_bps = 0;
    shape->rtt_ns = log_uniform(prng, BRAID_NS_PER_MS, 500 * BRAID_NS_PER_MS);
    shape->queue_bytes = 4500;
    if (chance(prng, 0.3)) shape->loss = prng_unit(prng) * 0.5;
}

/* A user timeout would end what would go on without it. */
static void draw_tuning(struct prng *prng, struct braid_tuning *tuning) {
    tuning->no_delay = chance(prng, 0.5);
    tuning->cork = chance(prng, 0.3);
    if (!chance(prng, 0.5)) return;
    tuning->keepalive_idle_ns = log_uniform(prng, 100 * BRAID_NS_PER_MS, 10 * BRAID_NS_PER_S);
    tuning->keepalive_interval_ns = log_uniform(prng, 100 * BRAID_NS_PER_MS, 10 * BRAID_NS_PER_S);
    tuning->keepalive_probes = 1000;
}

static void draw_event(uint64_t seed, unsigned i, braid_time span, struct sim_walk_plan *plan) {
    struct prng prng = element_prng(seed, EVENT + i);
    struct sim_walk_event *event = &plan->events[i];
    event->at_ns = BRAID_NS_PER_S + prng_below(&prng, span);
    event->kind = draw_kind(&prng);
    if (event->kind < SIM_WALK_READER_PAUSES) event->path = (uint32_t)prng_below(&prng, plan->path_count);
    else {
        event->talk = (uint32_t)prng_below(&prng, SIM_WALK_TALKS_MAX);
        if (!plan->talks[event->talk].there) event->talk = 0; /* the one there always is */
        event->side = chance(&prng, 0.5) ? SIM_UP : SIM_DOWN;
    }
    if (event->kind == SIM_WALK_PATH_BLACKHOLE) event->ways = draw_directions(&prng);
    if (event->kind == SIM_WALK_PATH_BACKUP) event->backup = chance(&prng, 0.5);
    if (event->kind == SIM_WALK_PATH_SHAPE) draw_shape(&prng, &plan->paths[event->path].config, &event->shape);
    if (event->kind == SIM_WALK_APPLICATION_TUNES) draw_tuning(&prng, &event->tuning);
}

static void draw_events(uint64_t seed, struct sim_walk_plan *out) {
    struct prng prng = element_prng(seed, EVENTS);
    out->event_count = chance(&prng, 0.1) ? 0 : (unsigned)log_uniform(&prng, 1, SIM_WALK_EVENTS_MAX);
    braid_time span = log_uniform(&prng, 100 * BRAID_NS_PER_MS, 40 * BRAID_NS_PER_S);
    for (unsigned i = 0; i < out->event_count; i++) draw_event(seed, i, span, out);
}

void sim_walk_draw(uint64_t seed, struct sim_walk_plan *out) {
    *out = (struct sim_walk_plan){0};
    draw_world(seed, out);
    for (unsigned i = 0; i < out->path_count; i++) {
        draw_path(seed, i, &out->paths[i].config);
        draw_noise(seed, i, &out->paths[i]);
        draw_box(seed, BOX + i, 0.3, &out->paths[i].boxes[0]);
        draw_box(seed, BOX_AGAIN + i, 0.12, &out->paths[i].boxes[1]);
    }
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) draw_talk(seed, i, &out->talks[i]);
    draw_early(seed, out);
    draw_events(seed, out);
}
