/* Which subflow carries the next bytes: that with the lowest round-trip time which has room.
 *
 * Regular subflows before backups (§3.3.8), those in doubt last. Two refinements:
 *
 * Room. A congestion window that fills a path's queue is no harm to a transfer over one path, but with two it is: what
 * is sent again after one is lost would wait in the other's queue. So while there is a choice, a subflow past slow
 * start has no more in flight than its delivery rate times (min RTT + a little): QUEUE_ALLOWED_MS, or a quarter of the
 * RTT if that is more.
 *
 * Patience. When the fast subflow has no room and the slow one has, little data arrives sooner by waiting: bytes that
 * would be gone by the fast one, and there, before the slow one delivers them, are kept back. */
#include "subflow.h"

struct candidate {
    struct subflow *sf;
    struct tcp_info info;
    braid_time rtt_ns;
    uint32_t room_bytes;
};

enum rank { RANK_REGULAR, RANK_BACKUP, RANK_DOUBTFUL, RANK_NONE };

static enum rank rank_of(const struct subflow *sf) {
    if (!subflow_carries(sf)) return RANK_NONE;
    if (sf->status == SUBFLOW_SUSPECTED) return RANK_DOUBTFUL;
    return subflow_backup(sf) ? RANK_BACKUP : RANK_REGULAR;
}

static enum rank best_rank(const struct braid_connection *c, unsigned *count) {
    enum rank best = RANK_NONE;
    *count = 0;
    LIST_EACH(&c->subflows, node, following) {
        enum rank rank = rank_of(SUBFLOW_OF(node));
        if (rank < best) {
            best = rank;
            *count = 0;
        }
        if (rank == best && rank != RANK_NONE) ++*count;
    }
    return best;
}

static uint64_t rate_of(const struct candidate *k) {
    if (k->info.max_delivery_bytes_per_s > 0) return k->info.max_delivery_bytes_per_s;
    return (uint64_t)k->info.cwnd_bytes * BRAID_NS_PER_S / k->rtt_ns;
}

/* What may still enter the path without building a queue in it. */
static uint32_t room_without_queue(const struct candidate *k) {
    const struct tcp_info *info = &k->info;
    if (info->max_delivery_bytes_per_s == 0 || info->min_rtt_ns == 0 || info->ssthresh_bytes == UINT32_MAX)
        return UINT32_MAX;
    braid_time slack = NS_OF_MS(QUEUE_ALLOWED_MS);
    if (slack < info->min_rtt_ns / 4) slack = info->min_rtt_ns / 4;
    uint64_t limit = info->max_delivery_bytes_per_s * ((info->min_rtt_ns + slack) / BRAID_NS_PER_US) / 1000000;
    uint64_t least = (uint64_t)ROOM_SEGMENTS_MIN * info->mss_bytes;
    uint64_t used = (uint64_t)info->in_flight_bytes + tcp_unsent(k->sf->t);
    if (limit < least) limit = least;
    if (used >= limit) return 0;
    return limit - used < UINT32_MAX ? (uint32_t)(limit - used) : UINT32_MAX;
}

static void candidate_fill(struct candidate *k, struct subflow *sf, bool choice, uint64_t waiting_bytes) {
    k->sf = sf;
    tcp_info(sf->t, &k->info);
    k->rtt_ns = subflow_rtt(&k->info);
    k->room_bytes = tcp_room(sf->t);
    if (choice) {
        uint32_t room = room_without_queue(k);
        if (room < k->room_bytes) k->room_bytes = room;
    }
    /* Crumbs wait until they make a segment, unless nothing else would move the window. */
    uint32_t segment = k->info.mss_bytes > 2 * DSS_BYTES ? k->info.mss_bytes - DSS_BYTES : DSS_BYTES;
    bool busy = k->info.in_flight_bytes > 0 || tcp_unsent(sf->t) > 0;
    if (busy && k->room_bytes < segment && k->room_bytes < waiting_bytes) k->room_bytes = 0;
}

/* Would `waiting_bytes` be there sooner if they waited for the full `fast`? */
static bool better_wait(const struct candidate *fast, const struct candidate *slow, uint64_t waiting_bytes) {
    uint64_t rate = rate_of(fast);
    if (rate == 0) return false;
    if (waiting_bytes > UINT32_MAX) return false;
    return fast->rtt_ns / 2 + waiting_bytes * BRAID_NS_PER_S / rate < slow->rtt_ns / 2;
}

struct subflow *scheduler_pick(const struct braid_connection *c, uint64_t waiting_bytes, uint32_t *room_bytes) {
    unsigned count;
    enum rank rank = best_rank(c, &count);
    struct candidate best = {0}, full = {0};
    if (rank == RANK_NONE) return NULL;
    LIST_EACH(&c->subflows, node, following) {
        struct candidate k;
        if (rank_of(SUBFLOW_OF(node)) != rank) continue;
        candidate_fill(&k, SUBFLOW_OF(node), count > 1, waiting_bytes);
        struct candidate *class = k.room_bytes > 0 ? &best : &full;
        if (!class->sf || k.rtt_ns < class->rtt_ns) *class = k;
    }
    if (!best.sf) return NULL;
    if (full.sf && full.rtt_ns < best.rtt_ns && better_wait(&full, &best, waiting_bytes)) return NULL;
    *room_bytes = best.room_bytes;
    return best.sf;
}

struct subflow *scheduler_for_probe(const struct braid_connection *c) {
    unsigned count;
    enum rank rank = best_rank(c, &count);
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
