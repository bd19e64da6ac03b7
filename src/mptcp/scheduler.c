/* Shows the paths to the connection's scheduler, and does as it says. The schedulers themselves: scheduler_*.c. */
#include "subflow.h"

static const struct scheduler_ops *const schedulers[] = {
    &scheduler_lowest_rtt, &scheduler_round_robin, &scheduler_redundant, &scheduler_redundant_small,
    &scheduler_blest,      &scheduler_ecf,         &scheduler_backup,    &scheduler_cost_aware,
    &scheduler_linux};

static bool same_text(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) a++, b++;
    return *a == *b;
}

const struct scheduler_ops *scheduler_find(const char *name) {
    for (unsigned i = 0; i < ARRAY_COUNT(schedulers); i++)
        if (same_text(schedulers[i]->name, name)) return schedulers[i];
    return NULL;
}

const char *scheduler_name(unsigned index) {
    return index < ARRAY_COUNT(schedulers) ? schedulers[index]->name : NULL;
}

/* --- the view --- */

/* [R-3.3.8-1] [R-3.3.8-2] */
static enum scheduler_rank rank_of(const struct subflow *sf) {
    if (!subflow_carries(sf) || meter_exhausted(sf)) return SCHEDULER_NONE;
    if (sf->status == SUBFLOW_SUSPECTED) return SCHEDULER_DOUBTFUL;
    if (sf->c->config.scheduler->spares_metered && subflow_metered(sf)) return SCHEDULER_METERED;
    if (subflow_backup(sf)) return SCHEDULER_BACKUP;
    return harm_done(sf) || worth_rests(sf) ? SCHEDULER_HARMFUL : SCHEDULER_REGULAR;
}

bool scheduler_regular(const struct subflow *sf) {
    enum scheduler_rank rank = rank_of(sf);
    return rank == SCHEDULER_REGULAR || rank == SCHEDULER_HARMFUL;
}

static enum scheduler_rank best_rank(const struct braid_connection *c, const struct subflow *except) {
    enum scheduler_rank best = SCHEDULER_NONE;
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (sf != except && rank_of(sf) < best) best = rank_of(sf);
    }
    return best;
}

/* What may be given to it now. Crumbs wait until they make a segment, unless nothing else would move the window. */
static uint32_t room_for(const struct scheduler_path *path, uint32_t room, uint64_t waiting_bytes) {
    bool busy = path->in_flight_bytes > 0 || path->unsent_bytes > 0;
    if (busy && room < path->segment_bytes && room < waiting_bytes) return 0;
    /* Idle and without room: the peer's window is too small for a segment. TCP gets one all the same, for it alone knows
     * when to send less (RFC 9293 §3.8.6.2.1), and nothing would wake us if the window never grew. */
    return !busy && room == 0 ? path->segment_bytes : room;
}

/* What was delivered tells, once the path was ever full. Before that, and if only little was ever sent, the congestion
 * window is the better guess. */
static uint64_t rate_of(const struct subflow *sf, const struct tcp_info *info) {
    uint64_t delivered = info->max_delivery_bytes_per_s;
    uint64_t window = (uint64_t)info->cwnd_bytes * BRAID_NS_PER_S / subflow_rtt(info);
    return delivered == 0 || (room_starting(&sf->room, info) && window > delivered) ? window : delivered;
}

/* The server knows a path by the client's address on it, the client by its own: the order is the same. */
static uint64_t preference_of(const struct subflow *sf) {
    uint64_t id = sf->c->client ? sf->path_id : sf->remote_id;
    return id << 48 | (sf->number & 0xffffffffffff);
}

static uint32_t unguarded_room(const struct tcp_info *info) {
    uint64_t used = (uint64_t)info->in_flight_bytes + info->unsent_bytes, buffer = 2 * (uint64_t)info->cwnd_bytes;
    return used < buffer ? (uint32_t)(buffer - used) : 0;
}

/* All of it but the room that it shows, which depends on how much waits: what there is of that is returned. */
static uint32_t path_fill(struct scheduler_path *path, struct subflow *sf) {
    struct tcp_info info;
    tcp_info_sending(sf->t, &info);
    *path = (struct scheduler_path){
        .subflow = sf,
        .number = sf->number,
        .preference = preference_of(sf),
        .weight = sf->weight > 0 ? sf->weight : 1,
        .metered = subflow_metered(sf),
        .rtt_ns = subflow_rtt(&info),
        .rttvar_ns = info.rttvar_ns,
        .min_rtt_ns = info.min_rtt_ns,
        .rate_bytes_per_s = rate_of(sf, &info),
        .segment_bytes = subflow_segment_bytes(&info),
        .cwnd_bytes = info.cwnd_bytes,
        .in_flight_bytes = info.in_flight_bytes,
        .unsent_bytes = info.unsent_bytes,
        .behind = copies_behind(sf),
    };
    if (sf->c->config.scheduler->unguarded) return meter_bounded(sf, unguarded_room(&info));
    return blocking_bounded(sf, &info, meter_bounded(sf, room_of(sf, &info, sf->c->now)), sf->c->now);
}

static void paths_fill(struct scheduler_choice *choice, const struct braid_connection *c, const struct subflow *except) {
    struct scheduler_view *view = &choice->view;
    enum scheduler_rank rank = best_rank(c, except);
    choice->filled = true;
    choice->except = except;
    view->count = 0;
    if (rank == SCHEDULER_NONE) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf == except || rank_of(sf) != rank || view->count == SCHEDULER_PATHS_MAX) continue;
        choice->offered_bytes[view->count] = path_fill(&view->paths[view->count], sf);
        view->count++;
    }
}

static void view_build(struct scheduler_choice *choice, const struct braid_connection *c, const struct subflow *except,
                       uint64_t waiting_bytes, bool again) {
    const struct sending *s = &c->send;
    struct scheduler_view *view = &choice->view;
    int64_t window = dsn64_diff(s->window_edge, s->una), left = dsn64_diff(s->window_edge, s->nxt);
    view->waiting_bytes = waiting_bytes;
    view->backlog_bytes = s->queue.length;
    view->window_bytes = window > 0 ? (uint64_t)window : 0;
    uint64_t memory = c->config.send_buffer_bytes - c->config.send_buffer_bytes / WRITABLE_PART;
    if (view->window_bytes > memory) view->window_bytes = memory;
    view->window_left_bytes = left > 0 ? (uint64_t)left : 0;
    view->again = again;
    view->now = c->now;
    if (!choice->filled || choice->except != except) paths_fill(choice, c, except);
    for (int i = 0; i < view->count; i++)
        view->paths[i].room_bytes = room_for(&view->paths[i], choice->offered_bytes[i], waiting_bytes);
}

/* --- asking --- */

static int ask(const struct braid_connection *c, const struct scheduler_view *view, uint32_t *bytes) {
    if (view->count == 0) return SCHEDULER_WAIT;
    *bytes = UINT32_MAX;
    int index = c->config.scheduler->pick(&c->scheduler, view, bytes);
    ENSURE(index == SCHEDULER_WAIT || (index >= 0 && index < view->count));
    if (index == SCHEDULER_WAIT) return SCHEDULER_WAIT;
    if (*bytes > view->paths[index].room_bytes) *bytes = view->paths[index].room_bytes;
    return *bytes > 0 ? index : SCHEDULER_WAIT;
}

struct subflow *scheduler_pick(const struct braid_connection *c, const struct subflow *except, uint64_t waiting_bytes,
                               bool again, struct scheduler_choice *choice) {
    view_build(choice, c, except, waiting_bytes, again);
    choice->index = ask(c, &choice->view, &choice->room_bytes);
    return choice->index == SCHEDULER_WAIT ? NULL : choice->view.paths[choice->index].subflow;
}

/* Giving changes the path that was given to, and no other, unless the others' copies are now behind. */
void scheduler_decided(struct braid_connection *c, struct scheduler_choice *choice, uint32_t bytes) {
    const struct scheduler_ops *ops = c->config.scheduler;
    struct scheduler_view *view = &choice->view;
    int i = choice->index;
    if (ops->decided && view->count > 0) ops->decided(&c->scheduler, view, i, bytes);
    if (i == SCHEDULER_WAIT) return;
    if (ops->copies != SCHEDULER_COPIES_NONE) choice->filled = false;
    else choice->offered_bytes[i] = path_fill(&view->paths[i], view->paths[i].subflow);
}

bool scheduler_has_other(const struct braid_connection *c, const struct subflow *except) {
    return best_rank(c, except) != SCHEDULER_NONE;
}

struct subflow *scheduler_for_probe(const struct braid_connection *c) {
    enum scheduler_rank rank = best_rank(c, NULL);
    struct subflow *best = NULL;
    braid_time best_rtt = BRAID_NEVER;
    if (rank == SCHEDULER_NONE) return NULL;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (rank_of(sf) != rank) continue;
        tcp_info_sending(sf->t, &info);
        if (subflow_rtt(&info) >= best_rtt) continue;
        best = sf;
        best_rtt = subflow_rtt(&info);
    }
    return best;
}

struct subflow *scheduler_other(const struct braid_connection *c, dsn64 dsn) {
    struct subflow *best = NULL;
    struct scheduler_choice choice;
    choice.filled = false;
    const struct scheduler_view *view = &choice.view;
    braid_time best_rtt = BRAID_NEVER;
    dsn64 held_until;
    view_build(&choice, c, NULL, UINT64_MAX, true);
    for (int i = 0; i < view->count; i++) {
        const struct scheduler_path *path = &view->paths[i];
        if (path->room_bytes == 0 || path->rtt_ns >= best_rtt) continue;
        if (reinject_held_by(path->subflow, dsn, &held_until)) continue;
        best = path->subflow;
        best_rtt = path->rtt_ns;
    }
    return best;
}

struct subflow *scheduler_idle(const struct braid_connection *c, const struct subflow *except) {
    struct subflow *best = NULL;
    struct scheduler_choice choice;
    uint64_t best_rate = 0;
    choice.filled = false;
    view_build(&choice, c, except, UINT64_MAX, false);
    for (int i = 0; i < choice.view.count; i++) {
        const struct scheduler_path *path = &choice.view.paths[i];
        if (path->room_bytes == 0 || path->rate_bytes_per_s <= best_rate) continue;
        best = path->subflow;
        best_rate = path->rate_bytes_per_s;
    }
    return best;
}

/* Those that get copies: of the best rank. */
bool scheduler_copies_to(const struct subflow *sf) {
    return rank_of(sf) != SCHEDULER_NONE && rank_of(sf) == best_rank(sf->c, NULL);
}

bool scheduler_may_use(const struct subflow *sf) {
    return scheduler_copies_to(sf) && !sf->c->config.scheduler->one_at_a_time;
}

uint32_t scheduler_room(struct subflow *sf, uint64_t waiting_bytes) {
    struct scheduler_path path;
    uint32_t offered = path_fill(&path, sf);
    return room_for(&path, offered, waiting_bytes);
}
