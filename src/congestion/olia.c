/* OLIA, the Opportunistic Linked Increases Algorithm (Khalili et al.: "MPTCP is not Pareto-optimal: performance issues and
 * a possible solution", CoNEXT 2012; draft-khalili-mptcp-congestion-control).
 *
 *     increase per byte = segment * ((x / RTT) / (sum of x)^2 + alpha / cwnd)
 *
 * The first part balances, the second responds. The best paths are those that would serve a TCP best, going by how much
 * passes between two losses, l / RTT^2 with l the larger of: since the last loss, and between the last two. If some of
 * them do not have the largest window, these share an alpha of 1/n between them, and those with the largest window one
 * of -1/n, n being the number of subflows; otherwise alpha is 0 everywhere.
 *
 * The paper takes for granted that a path that is full loses something. Here a sender may keep the queue of a path short
 * before anything is lost, and l would grow there for ever: no other path would ever be best again. So of a path that is
 * not held back by its window, no more counts than what a TCP of that window has between two losses, 3/8 of its square in
 * segments. */
#include <base/mul_div.h>

#include "coupled.h"

static uint64_t passes(const struct congestion *c) {
    const struct coupled_state *s = coupled_of_const(c);
    uint64_t most = s->since_loss_bytes > s->between_losses_bytes ? s->since_loss_bytes : s->between_losses_bytes;
    if (s->held_bytes == 0) return most;
    uint64_t sawtooth = (uint64_t)s->held_bytes * s->held_bytes / c->mss_bytes * 3 / 8;
    return sawtooth < most ? sawtooth : most;
}

/* passes(a) / rtt_a^2 >= passes(b) / rtt_b^2, with enough more bits for the ratio of the round-trip times. */
static bool serves_as_well(const struct congestion *a, const struct congestion *b) {
    uint64_t with_a = mul_div(passes(a), (uint64_t)COUPLED_FRACTION * b->srtt_ns, a->srtt_ns);
    uint64_t with_b = mul_div(passes(b), (uint64_t)COUPLED_FRACTION * a->srtt_ns, b->srtt_ns);
    return with_a >= with_b;
}

struct sets {
    unsigned paths, largest, collected; /* collected: best, without a largest window */
    bool is_largest, is_collected;      /* the one it is asked for */
};

static bool has_largest(const struct congestion *c, const struct congestion *path, braid_time now) {
    for (struct congestion *s = coupled_first(c, now); s != NULL; s = coupled_next(c, s, now))
        if (s->cwnd_bytes > path->cwnd_bytes) return false;
    return true;
}

static bool is_best(const struct congestion *c, const struct congestion *path, braid_time now) {
    for (struct congestion *s = coupled_first(c, now); s != NULL; s = coupled_next(c, s, now))
        if (!serves_as_well(path, s)) return false;
    return true;
}

static struct sets sets_of(const struct congestion *c, braid_time now) {
    struct sets sets = {0};
    for (struct congestion *s = coupled_first(c, now); s != NULL; s = coupled_next(c, s, now)) {
        bool largest = has_largest(c, s, now), collected = !largest && is_best(c, s, now);
        sets.paths++;
        sets.largest += largest;
        sets.collected += collected;
        if (s == c) sets.is_largest = largest, sets.is_collected = collected;
    }
    return sets;
}

/* alpha / cwnd * segment * acked */
static int64_t respond(const struct congestion *c, uint64_t acked_bytes, braid_time now) {
    struct sets sets = sets_of(c, now);
    if (sets.collected == 0) return 0;
    int64_t whole = coupled_newreno_increase(c, acked_bytes) / sets.paths;
    if (sets.is_collected) return whole / sets.collected;
    return sets.is_largest ? -(whole / sets.largest) : 0;
}

static void on_ack(struct congestion *c, const struct congestion_ack *ack) {
    coupled_of(c)->since_loss_bytes += ack->acked_bytes;
    coupled_of(c)->held_bytes = ack->cwnd_limited ? 0 : ack->in_flight_bytes;
    uint64_t acked = coupled_avoidance_bytes(c, ack);
    if (acked == 0) return;
    coupled_grow(c, coupled_increase(c, coupled_growth(c), acked, ack->now) + respond(c, acked, ack->now));
}

static void lost(struct congestion *c) {
    struct coupled_state *s = coupled_of(c);
    s->between_losses_bytes = s->since_loss_bytes;
    s->since_loss_bytes = 0;
}

static void on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    lost(c);
    coupled_on_loss(c, in_flight_bytes, now);
}

static void on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    lost(c);
    coupled_on_timeout(c, in_flight_bytes, now);
}

const struct congestion_ops congestion_olia = {
    .name = "olia",
    .coupled = true,
    .init = coupled_init,
    .on_ack = on_ack,
    .on_loss = on_loss,
    .on_recovered = coupled_on_recovered,
    .on_timeout = on_timeout,
    .on_undo = coupled_on_undo,
    .on_restart = coupled_on_restart,
    .on_longer = coupled_on_longer,
};
