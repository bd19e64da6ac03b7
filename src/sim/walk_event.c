/* What happens in a walk, and how it heals. */
#include "walk.h"

#include <inttypes.h>

enum kind {
    PATH_DOWN,
    PATH_UP,
    PATH_BLACKHOLE,
    PATH_RENUMBER,
    PATH_BACKUP,
    PATH_SHAPE,
    NAT_FORGET,
    READER_PAUSE,
    READER_RESUME,
    WRITER_SHUT,
    APPLICATION_ABORT,
    APPLICATION_RELEASE,
    KINDS,
};
static const char *const kind_names[KINDS] = {"path down",     "path up",       "path blackhole", "path renumbered",
                                              "path backup",   "path reshaped", "NAT forgets",    "reader pauses",
                                              "reader resumes", "writer shuts", "abort",          "release"};
static const unsigned kind_weights[KINDS] = {20, 20, 15, 8, 5, 5, 4, 8, 8, 3, 2, 2};

static enum kind draw_kind(struct prng *prng) {
    unsigned sum = 0;
    for (unsigned i = 0; i < KINDS; i++) sum += kind_weights[i];
    uint64_t draw = prng_below(prng, sum);
    unsigned kind = 0;
    while (draw >= kind_weights[kind]) draw -= kind_weights[kind++];
    return (enum kind)kind;
}

/* A path's address is gone for good, or what passes is cut off: connections that have nothing else may end. Those that
 * are not MPTCP, or not far enough yet for a second path to know them, have nothing else. */
static void bereave(struct walk *walk) {
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) {
        const struct sim_conversation *c = walk->talks[i];
        struct braid_connection *connection = c ? sim_conversation_connection(c, SIM_UP) : NULL;
        struct braid_connection_info info = {0};
        if (connection != NULL) braid_connection_info(connection, &info);
        /* Once data was acknowledged both sides know that it is MPTCP. */
        bool sure = info.multipath && (info.bytes_acknowledged > 0 || info.bytes_received > 0);
        if (!sure || walk->single_path[i]) walk->may_die[i] = true;
    }
}

static bool has_path(const struct sim_conversation *c) {
    struct braid_path_info path;
    struct braid_connection *connection = sim_conversation_connection(c, SIM_UP);
    for (unsigned i = 0; connection != NULL && braid_connection_path(connection, i, &path); i++)
        if (path.status == BRAID_PATH_ACTIVE || path.status == BRAID_PATH_SUSPECTED) return true;
    return false;
}

void walk_note_pathless(struct walk *walk) {
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++)
        if (walk->talks[i] != NULL && !has_path(walk->talks[i])) walk->was_pathless[i] = true;
}

static void shape(struct walk *walk, unsigned path, struct prng *prng) {
    struct sim_path_config shaped = walk->paths[path];
    shaped.rate_bps = walk_log_uniform(prng, 200000, 100000000);
    shaped.rate_up_bps = 0;
    shaped.rtt_ns = walk_log_uniform(prng, BRAID_NS_PER_MS, 500 * BRAID_NS_PER_MS);
    shaped.queue_bytes = 4500;
    shaped.loss = chance(prng, 0.3) ? prng_unit(prng) * 0.5 : 0;
    sim_path_shape(&walk->phone, path, &shaped);
}

static void path_event(struct walk *walk, enum kind kind, unsigned path, struct prng *prng) {
    struct sim_phone *phone = &walk->phone;
    switch (kind) {
    case PATH_DOWN:
        bereave(walk);
        sim_path_down(phone, path);
        return;
    case PATH_UP: sim_path_up(phone, path); return;
    case PATH_BLACKHOLE: {
        uint64_t ways = 1 + prng_below(prng, 3);
        bereave(walk);
        sim_path_blackhole(phone, path, ways & 1, ways & 2);
        return;
    }
    case PATH_RENUMBER:
        bereave(walk);
        sim_path_renumber(phone, path);
        return;
    case PATH_BACKUP: sim_path_set_backup(phone, path, chance(prng, 0.5)); return;
    case PATH_SHAPE: shape(walk, path, prng); return;
    case NAT_FORGET:
        if (walk->nat[path] == NULL) return;
        /* The server resets what comes by the new port; a subflow that was the last takes its connection along. */
        for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) walk->may_die[i] = true;
        sim_nat_forget(walk->nat[path]);
        return;
    default: return;
    }
}

static void talk_event(struct walk *walk, enum kind kind, unsigned talk, enum sim_direction side) {
    struct sim_conversation *c = walk->talks[talk];
    if (c == NULL) return;
    switch (kind) {
    case READER_PAUSE: sim_conversation_pause_reading(c, side, true); return;
    case READER_RESUME: sim_conversation_pause_reading(c, side, false); return;
    case WRITER_SHUT: sim_conversation_shut(c, side); return;
    case APPLICATION_ABORT:
        walk->may_die[talk] = true;
        sim_conversation_abort(c, side);
        return;
    case APPLICATION_RELEASE:
        walk->may_die[talk] = true;
        sim_conversation_release(c, side);
        return;
    default: return;
    }
}

static void event_happens(void *context, braid_time now) {
    struct walk_event *event = context;
    struct walk *walk = event->walk;
    struct prng prng = walk_prng(walk, SIM_WALK_EVENT + event->number);
    (void)prng_unit(&prng); /* that is when */
    enum kind kind = draw_kind(&prng);
    unsigned path = (unsigned)prng_below(&prng, walk->phone.path_count);
    unsigned talk = (unsigned)prng_below(&prng, WALK_CONVERSATIONS);
    enum sim_direction side = chance(&prng, 0.5) ? SIM_UP : SIM_DOWN;
    if (chance(&prng, 0.5)) talk = 0; /* the one there always is */
    if (kind < READER_PAUSE) {
        walk_log(walk, "%.6f event %u: %s, path %u\n", (double)now / 1e9, event->number, kind_names[kind], path);
        walk_note_pathless(walk);
        path_event(walk, kind, path, &prng);
        walk_note_pathless(walk);
    } else {
        walk_log(walk, "%.6f event %u: %s, conversation %u, %s\n", (double)now / 1e9, event->number, kind_names[kind],
                 talk, side == SIM_UP ? "client" : "server");
        talk_event(walk, kind, talk, side);
    }
}

void walk_draw_events(struct walk *walk) {
    struct prng prng = walk_prng(walk, 61);
    unsigned count = chance(&prng, 0.1) ? 0 : (unsigned)walk_log_uniform(&prng, 1, WALK_EVENTS);
    braid_time span = walk_log_uniform(&prng, 100 * BRAID_NS_PER_MS, 40 * BRAID_NS_PER_S);
    walk->healed_at = 3 * BRAID_NS_PER_S;
    for (unsigned i = 0; i < count; i++) {
        struct prng own = walk_prng(walk, SIM_WALK_EVENT + i);
        braid_time at = BRAID_NS_PER_S + (braid_time)(prng_unit(&own) * (double)span);
        if (!walk_has(walk, SIM_WALK_EVENT + i)) continue;
        walk->events[i] = (struct walk_event){.walk = walk, .number = i};
        sim_world_at(walk->phone.world, at, event_happens, &walk->events[i]);
        if (at > walk->healed_at) walk->healed_at = at + BRAID_NS_PER_MS;
    }
}

void walk_heal(struct walk *walk) {
    static const struct sim_noise_config calm;
    walk_note_pathless(walk);
    for (unsigned i = 0; i < walk->phone.path_count; i++) {
        sim_path_shape(&walk->phone, i, &walk->paths[i]);
        sim_path_up(&walk->phone, i);
        if (walk->noise[i] != NULL) sim_noise_configure(walk->noise[i], &calm);
    }
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) {
        if (walk->talks[i] == NULL) continue;
        sim_conversation_pause_reading(walk->talks[i], SIM_UP, false);
        sim_conversation_pause_reading(walk->talks[i], SIM_DOWN, false);
    }
}
