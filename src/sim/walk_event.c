/* What happens in a walk, and how it heals. */
#include "walk.h"

#include <inttypes.h>

/* A path's address is gone for good, or what passes is cut off: connections that have nothing else may end. Those that
 * are not MPTCP, or not far enough yet for a second path to know them, have nothing else. */
static void bereave(struct walk *walk) {
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) {
        const struct sim_conversation *c = walk->talks[i];
        struct braid_connection *connection = c ? sim_conversation_connection(c, SIM_UP) : NULL;
        struct braid_connection_info info = {0};
        if (connection != NULL) braid_connection_info(connection, &info);
        /* Once data was acknowledged both sides know that it is MPTCP. */
        bool sure = info.multipath && (info.bytes_acknowledged > 0 || info.bytes_received > 0);
        if (!sure || walk->plan->talks[i].config.single_path) walk->may_die[i] = true;
    }
}

static bool has_path(const struct sim_conversation *c) {
    struct braid_path_info path;
    struct braid_connection *connection = sim_conversation_connection(c, SIM_UP);
    for (unsigned i = 0; connection != NULL && braid_connection_path(connection, i, &path); i++)
        if (path.status == BRAID_PATH_ACTIVE || path.status == BRAID_PATH_SUSPECTED) return true;
    return false;
}

static void note_pathless(struct walk *walk) {
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++)
        if (walk->talks[i] != NULL && !has_path(walk->talks[i])) walk->was_pathless[i] = true;
}

/* The server resets what comes by the new port; a subflow that was the last takes its connection along. */
static void nat_forgets(struct walk *walk, unsigned path) {
    if (walk->nat[path] == NULL) return;
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) walk->may_die[i] = true;
    sim_nat_forget(walk->nat[path]);
}

static void path_event(struct walk *walk, const struct sim_walk_event *event) {
    struct sim_phone *phone = &walk->phone;
    switch (event->kind) {
    case SIM_WALK_PATH_DOWN:
        bereave(walk);
        sim_path_down(phone, event->path);
        return;
    case SIM_WALK_PATH_UP: sim_path_up(phone, event->path); return;
    case SIM_WALK_PATH_BLACKHOLE:
        bereave(walk);
        sim_path_blackhole(phone, event->path, event->ways & SIM_ONLY_UP, event->ways & SIM_ONLY_DOWN);
        return;
    case SIM_WALK_PATH_RENUMBER:
        bereave(walk);
        sim_path_renumber(phone, event->path);
        return;
    case SIM_WALK_PATH_BACKUP: sim_path_set_backup(phone, event->path, event->backup); return;
    case SIM_WALK_PATH_SHAPE: sim_path_shape(phone, event->path, &event->shape); return;
    case SIM_WALK_NAT_FORGETS: nat_forgets(walk, event->path); return;
    default: return;
    }
}

static void tune(struct sim_conversation *c, const struct sim_walk_event *event, braid_time now) {
    struct braid_connection *connection = sim_conversation_connection(c, event->side);
    if (connection != NULL) braid_connection_tune(connection, &event->tuning, now);
}

static void talk_event(struct walk *walk, const struct sim_walk_event *event, braid_time now) {
    struct sim_conversation *c = walk->talks[event->talk];
    if (c == NULL) return;
    switch (event->kind) {
    case SIM_WALK_READER_PAUSES: sim_conversation_pause_reading(c, event->side, true); return;
    case SIM_WALK_READER_RESUMES: sim_conversation_pause_reading(c, event->side, false); return;
    case SIM_WALK_WRITER_SHUTS: sim_conversation_shut(c, event->side); return;
    case SIM_WALK_APPLICATION_ABORTS:
        walk->may_die[event->talk] = true;
        sim_conversation_abort(c, event->side);
        return;
    case SIM_WALK_APPLICATION_RELEASES:
        walk->may_die[event->talk] = true;
        sim_conversation_release(c, event->side);
        return;
    case SIM_WALK_APPLICATION_TUNES: tune(c, event, now); return;
    default: return;
    }
}

static void event_happens(void *context, braid_time now) {
    struct walk_event *own = context;
    struct walk *walk = own->walk;
    const struct sim_walk_event *event = own->event;
    walk_log(walk, "%.6f event %u: %s, ", (double)now / 1e9, (unsigned)(event - walk->plan->events),
             walk_event_name(event->kind));
    if (event->kind < SIM_WALK_READER_PAUSES) {
        walk_log(walk, "path %" PRIu32 "\n", event->path);
        note_pathless(walk);
        path_event(walk, event);
        note_pathless(walk);
    } else {
        walk_log(walk, "talk %" PRIu32 ", %s\n", event->talk, event->side == SIM_UP ? "client" : "server");
        talk_event(walk, event, now);
    }
}

void walk_events_begin(struct walk *walk) {
    walk->healed_at = 3 * BRAID_NS_PER_S;
    for (unsigned i = 0; i < walk->plan->event_count; i++) {
        const struct sim_walk_event *event = &walk->plan->events[i];
        walk->events[i] = (struct walk_event){.walk = walk, .event = event};
        sim_world_at(walk->phone.world, event->at_ns, event_happens, &walk->events[i]);
        if (event->at_ns > walk->healed_at) walk->healed_at = event->at_ns + BRAID_NS_PER_MS;
    }
}

void walk_heal(struct walk *walk) {
    static const struct sim_noise_config calm;
    note_pathless(walk);
    for (unsigned i = 0; i < walk->phone.path_count; i++) {
        sim_path_shape(&walk->phone, i, &walk->plan->paths[i].config);
        sim_path_up(&walk->phone, i);
        if (walk->noise[i] != NULL) sim_noise_configure(walk->noise[i], &calm);
    }
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) {
        if (walk->talks[i] == NULL) continue;
        sim_conversation_pause_reading(walk->talks[i], SIM_UP, false);
        sim_conversation_pause_reading(walk->talks[i], SIM_DOWN, false);
    }
}
