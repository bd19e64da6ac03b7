/* BALIA, the Balanced Linked Adaptation (Peng, Walid, Hwang, Low: "Multipath TCP: Analysis, Design, and Implementation",
 * IEEE/ACM Transactions on Networking 2016; draft-walid-mptcp-congestion-control):
 *
 *     alpha = max(x) / x
 *     increase per byte = segment * (x / RTT) / (sum of x)^2 * (1 + alpha) / 2 * (4 + alpha) / 5
 *     decrease at a loss = cwnd / 2 * min(alpha, 1.5) */
#include "coupled.h"

enum { ALPHA_ONE = 1024, ALPHA_MAX = 64 * ALPHA_ONE };

static uint64_t alpha_of(const struct congestion *c, braid_time now) {
    uint64_t best = 0, own = coupled_rate(c);
    for (struct congestion *s = coupled_first(c, now); s != NULL; s = coupled_next(c, s, now))
        if (coupled_rate(s) > best) best = coupled_rate(s);
    uint64_t alpha = best / own >= ALPHA_MAX / ALPHA_ONE ? ALPHA_MAX : best * ALPHA_ONE / own;
    return alpha < ALPHA_ONE ? ALPHA_ONE : alpha;
}

static void on_ack(struct congestion *c, const struct congestion_ack *ack) {
    uint64_t acked = coupled_avoidance_bytes(c, ack);
    if (acked == 0) return;
    int64_t alpha = (int64_t)alpha_of(c, ack->now);
    int64_t increase = coupled_increase(c, coupled_growth(c), acked, ack->now);
    increase = increase * (ALPHA_ONE + alpha) / (2 * ALPHA_ONE) * (4 * ALPHA_ONE + alpha) / (5 * ALPHA_ONE);
    coupled_grow(c, increase);
}

static void reduce(struct congestion *c, braid_time now) {
    uint64_t alpha = alpha_of(c, now), most = ALPHA_ONE * 3 / 2;
    if (alpha > most) alpha = most;
    coupled_reduce(c, c->cwnd_bytes - (uint32_t)((uint64_t)c->cwnd_bytes * alpha / (2 * ALPHA_ONE)));
}

static void on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes;
    reduce(c, now);
    c->cwnd_bytes = c->ssthresh_bytes;
}

static void on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes;
    reduce(c, now);
    c->cwnd_bytes = c->mss_bytes;
}

const struct congestion_ops congestion_balia = {
    .name = "balia",
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
