/* Acknowledgements that come in bunches, as radio links send them: how much arrives above the rate that the model of BBR has
 * ("BBR.extra_acked" of draft-ietf-ccwg-bbr). The window is widened by the most of the last ten round trips, or it would be used
 * up between two bunches. */
#ifndef CONGESTION_AGGREGATION_H
#define CONGESTION_AGGREGATION_H

#include "window.h"

#define AGGREGATION_ROUNDS 5u /* of each of two halves: ten round trips in all */

struct aggregation {
    braid_time since;
    uint32_t extra_bytes[2], delivered_bytes;
    uint8_t rounds;
};

static inline void aggregation_begin(struct aggregation *g, braid_time now) {
    g->since = now;
    g->delivered_bytes = 0;
}

static inline uint32_t aggregation_bytes(const struct aggregation *g) {
    return g->extra_bytes[0] > g->extra_bytes[1] ? g->extra_bytes[0] : g->extra_bytes[1];
}

/* rounds: how many round trips make a half, 1 as long as the path is still being found out. */
static inline void aggregation_on_ack(struct aggregation *g, const struct congestion *c, const struct congestion_ack *ack,
                                      uint64_t rate_bytes_per_s, bool round_start, unsigned rounds) {
    uint64_t interval_us = (ack->now - g->since) / BRAID_NS_PER_US;
    if (interval_us > (1u << 26)) interval_us = 1u << 26;
    uint64_t expected = rate_bytes_per_s / 1000 * interval_us / 1000;
    if (g->delivered_bytes <= expected) {
        aggregation_begin(g, ack->now);
        expected = 0;
    }
    g->delivered_bytes = window_bounded((uint64_t)g->delivered_bytes + ack->acked_bytes);
    uint32_t extra = g->delivered_bytes - (uint32_t)expected;
    if (extra > c->cwnd_bytes) extra = c->cwnd_bytes;
    if (round_start && ++g->rounds >= rounds) {
        g->rounds = 0;
        g->extra_bytes[0] = g->extra_bytes[1];
        g->extra_bytes[1] = 0;
    }
    if (extra > g->extra_bytes[1]) g->extra_bytes[1] = extra;
}

#endif
