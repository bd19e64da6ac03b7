/* What the window-based algorithms share. */
#ifndef CONGESTION_WINDOW_H
#define CONGESTION_WINDOW_H

#include <congestion/congestion.h>

/* No window ever exceeds what 32-bit sequence numbers can keep apart. */
#define WINDOW_MAX_BYTES (UINT32_C(1) << 30)

/* RFC 6928 §2: min(10 MSS, max(2 MSS, 14600)). */
/* [R-6928-2-1] */
static inline uint32_t window_initial(uint32_t mss_bytes) {
    uint32_t bound = 2 * mss_bytes > 14600 ? 2 * mss_bytes : 14600;
    return 10 * mss_bytes < bound ? 10 * mss_bytes : bound;
}

static inline uint32_t window_bounded(uint64_t bytes) {
    return bytes < WINDOW_MAX_BYTES ? (uint32_t)bytes : WINDOW_MAX_BYTES;
}

static inline uint32_t window_at_least(uint64_t bytes, uint32_t minimum) {
    return bytes > minimum ? window_bounded(bytes) : minimum;
}

static inline bool window_in_slow_start(const struct congestion *c) { return c->cwnd_bytes < c->ssthresh_bytes; }

/* What of it can be used, for only whole segments leave: a round trip acknowledges so much, and no more. Half a segment that is
 * waited for in vain is a fourteenth of a window of seven. */
static inline uint32_t window_in_segments(const struct congestion *c) {
    return c->cwnd_bytes > c->mss_bytes ? c->cwnd_bytes - c->cwnd_bytes % c->mss_bytes : c->mss_bytes;
}

/* In slow start: where a short segment was acknowledged, what lacks of a whole one is made good, once a round trip. A part of a
 * segment is of no use to this round, and would lack twice in the next. */
static inline void window_fill(struct congestion *c, const struct congestion_ack *ack) {
    if (!ack->round_start || !c->alone || !window_in_slow_start(c)) return;
    uint32_t beyond = c->cwnd_bytes % c->mss_bytes;
    uint32_t whole = window_bounded((uint64_t)c->cwnd_bytes + (beyond > 0 ? c->mss_bytes - beyond : 0));
    c->cwnd_bytes = whole < c->ssthresh_bytes ? whole : c->ssthresh_bytes;
}

/* RFC 5681 §4.1: after idling longer than a retransmission timeout nothing is known of the path but what it once
 * carried, which ssthresh keeps. */
static inline void window_restart(struct congestion *c) {
    uint32_t initial = window_initial(c->mss_bytes);
    if (c->cwnd_bytes <= initial) return;
    uint32_t remembered = c->cwnd_bytes - c->cwnd_bytes / 4;
    if (c->ssthresh_bytes < remembered) c->ssthresh_bytes = remembered;
    c->cwnd_bytes = initial;
}

static inline void window_longer(struct congestion *c, uint32_t ssthresh_bytes) { c->ssthresh_bytes = ssthresh_bytes; }

#endif
