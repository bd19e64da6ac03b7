/* Which subflow carries the next bytes: that with the lowest round-trip time which has room (room.c).
 *
 * Regular subflows go before backups (RFC 8684 §3.3.8), those in doubt last. And there is patience: when the fast
 * subflow has no room and the slow one has, little data arrives sooner by waiting. Bytes that would be gone by the fast
 * one, and there, before the slow one delivers them, are kept back. */
#include "subflow.h"

struct candidate {
    struct subflow *sf;
    struct tcp_info info;
    braid_time rtt_ns;
    uint32_t room_bytes;
};

enum rank { RANK_REGULAR, RANK_BACKUP, RANK_DOUBTFUL, RANK_NONE };

/* [R-3.3.8-1] [R-3.3.8-2] */
static enum rank rank_of(const struct subflow *sf) {
    if (!subflow_carries(sf)) return RANK_NONE;
    if (sf->status == SUBFLOW_SUSPECTED) return RANK_DOUBTFUL;
    return subflow_backup(sf) ? RANK_BACKUP : RANK_REGULAR;
}

static enum rank best_rank(const struct braid_connection *c, const struct subflow *except) {
    enum rank best = RANK_NONE;
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (sf != except && rank_of(sf) < best) best = rank_of(sf);
    }
    return best;
}

static uint64_t rate_of(const struct candidate *k) {
    if (k->info.max_delivery_bytes_per_s > 0) return k->info.max_delivery_bytes_per_s;
    return (uint64_t)k->info.cwnd_bytes * BRAID_NS_PER_S / k->rtt_ns;
}

static void candidate_fill(struct candidate *k, struct subflow *sf, uint64_t waiting_bytes) {
    k->sf = sf;
    tcp_info(sf->t, &k->info);
    k->rtt_ns = subflow_rtt(&k->info);
    k->room_bytes = room_of(sf, &k->info, sf->c->now);
    /* Crumbs wait until they make a segment, unless nothing else would move the window. */
    uint32_t segment = k->info.mss_bytes > 2 * DSS_BYTES ? k->info.mss_bytes - DSS_BYTES : DSS_BYTES;
    bool busy = k->info.in_flight_bytes > 0 || tcp_unsent(sf->t) > 0;
    if (busy && k->room_bytes < segment && k->room_bytes < waiting_bytes) k->room_bytes = 0;
    /* Idle and without room: the peer's window is too small for a segment. TCP gets one all the same, for it alone knows
     * when to send less (RFC 9293 §3.8.6.2.1), and nothing would wake us if the window never grew. */
    if (!busy && k->room_bytes == 0) k->room_bytes = segment;
}

/* Would `waiting_bytes` be there sooner if they waited for the full `fast`? */
static bool better_wait(const struct candidate *fast, const struct candidate *slow, uint64_t waiting_bytes) {
    uint64_t rate = rate_of(fast);
    if (rate == 0) return false;
    if (waiting_bytes > UINT32_MAX) return false;
    return fast->rtt_ns / 2 + waiting_bytes * BRAID_NS_PER_S / rate < slow->rtt_ns / 2;
}

struct subflow *scheduler_pick(const struct braid_connection *c, const struct subflow *except, uint64_t waiting_bytes,
                               uint32_t *room_bytes) {
    enum rank rank = best_rank(c, except);
    struct candidate best = {0}, full = {0};
    if (rank == RANK_NONE) return NULL;
    LIST_EACH(&c->subflows, node, following) {
        struct candidate k;
        if (SUBFLOW_OF(node) == except || rank_of(SUBFLOW_OF(node)) != rank) continue;
        candidate_fill(&k, SUBFLOW_OF(node), waiting_bytes);
        struct candidate *class = k.room_bytes > 0 ? &best : &full;
        if (!class->sf || k.rtt_ns < class->rtt_ns) *class = k;
    }
    if (!best.sf) return NULL;
    if (full.sf && full.rtt_ns < best.rtt_ns && better_wait(&full, &best, waiting_bytes)) return NULL;
    *room_bytes = best.room_bytes;
    return best.sf;
}

bool scheduler_has_other(const struct braid_connection *c, const struct subflow *except) {
    return best_rank(c, except) != RANK_NONE;
}

struct subflow *scheduler_for_probe(const struct braid_connection *c) {
    enum rank rank = best_rank(c, NULL);
    struct subflow *best = NULL;
    braid_time best_rtt = BRAID_NEVER;
    if (rank == RANK_NONE) return NULL;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (rank_of(sf) != rank) continue;
        tcp_info(sf->t, &info);
        if (subflow_rtt(&info) >= best_rtt) continue;
        best = sf;
        best_rtt = subflow_rtt(&info);
    }
    return best;
}
