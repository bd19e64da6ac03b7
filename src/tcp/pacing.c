/* Pacing keeps bursts small without costing rate. The inequality it keeps: over any interval d, data leaves at
 * most at bytes_per_s * d + burst, where burst is about a millisecond's worth, two segments at least and a
 * super-segment at most. A process that is woken late, as on a busy machine, may send at once what it missed,
 * up to LATE_MAX_US' worth, into a queue that has run empty meanwhile. The rate is a fifth above cwnd/srtt, so that the
 * window is what limits; twice that quotient in slow start. Without a queue a small window is spread less, to a
 * quarter of a round trip: in slow start, where no other subflow carries a part of the stream, that more has left when a loss is heard of; and
 * after a loss, when the window is small for its path, and its last segment would only leave later.
 *
 * Where a segment's turn is so long that the receiver would delay the ACK of each, two leave together: ACKs delayed by the
 * peer look like a queue to whoever goes by round trips. */
#include "tcp_internal.h"

#define UNPACED_BELOW_RTT_NS BRAID_NS_PER_MS
#define BURST_NS BRAID_NS_PER_MS
#define PAIRED_ABOVE_NS (10 * BRAID_NS_PER_MS) /* a segment's turn */
#define LATE_MAX_US 20000
#define SMALL_WINDOW_BYTES (64 << 10)
#define AFTER_LOSS_BYTES (256 << 10)
#define SPREAD_MATTERS_NS (5 * BRAID_NS_PER_MS)

/* There is no queue, and what a window is spread over is long enough to matter. */
static bool small_and_unqueued(const struct tcp *t) {
    braid_time min = rtt_min(t);
    return t->congestion.cwnd_bytes <= SMALL_WINDOW_BYTES && min >= SPREAD_MATTERS_NS && t->rtt.srtt_ns <= min + min / 8;
}

/* Of cwnd/srtt. */
static uint64_t pace_percent(const struct tcp *t) {
    bool slow_start = t->congestion.cwnd_bytes < t->congestion.ssthresh_bytes / 2;
    if (!small_and_unqueued(t)) return slow_start ? 200 : 120;
    if (slow_start) return t->congestion.alone ? 400 : 200;
    return recovery_lately(t, AFTER_LOSS_BYTES) ? 400 : 120;
}

void pacing_update(struct tcp *t) {
    if (t->congestion.pacing_bytes_per_s > 0) {
        t->pacing.bytes_per_s = t->congestion.pacing_bytes_per_s;
        return;
    }
    if (t->rtt.srtt_ns < UNPACED_BELOW_RTT_NS) {
        t->pacing.bytes_per_s = 0;
        return;
    }
    uint64_t percent = pace_percent(t);
    uint64_t cwnd = t->congestion.cwnd_bytes; /* in fast recovery: what it is heading for */
    /* 2^30 * 400 * 10^9 / 100 < 2^62 */
    t->pacing.bytes_per_s = cwnd * percent / 100 * BRAID_NS_PER_S / t->rtt.srtt_ns;
    if (t->pacing.bytes_per_s == 0) t->pacing.bytes_per_s = 1;
}

/* The first window leaves at once: there is nothing to go by yet. */
static bool paced(const struct tcp *t) {
    return t->pacing.bytes_per_s > 0 && t->counts.bytes_sent >= 10 * (uint64_t)t->mss_bytes;
}

uint32_t pacing_burst(const struct tcp *t) {
    if (!paced(t)) return UINT32_MAX;
    uint64_t burst = t->pacing.bytes_per_s / (BRAID_NS_PER_S / BURST_NS);
    uint64_t most = t->config.super_segment_bytes;
    if (burst > most) burst = most;
    uint64_t least = 2 * (uint64_t)t->piece_bytes;
    return (uint32_t)(burst > least ? burst : least);
}

/* One has left, whose ACK waits for the other. */
static bool half_a_pair(const struct tcp *t) {
    return t->pacing.half && t->piece_bytes * BRAID_NS_PER_S / t->pacing.bytes_per_s > PAIRED_ABOVE_NS;
}

bool pacing_holds(const struct tcp *t, braid_time now) {
    return paced(t) && now < t->pacing.next_at && !half_a_pair(t);
}

/* What waited for its turn got it so much later. */
void pacing_woken_late(struct tcp *t, braid_time late_ns) {
    braid_time late_us = late_ns / BRAID_NS_PER_US;
    t->pacing.missed_us = late_us < LATE_MAX_US ? (uint32_t)late_us : LATE_MAX_US;
}

void pacing_sent(struct tcp *t, uint32_t bytes, braid_time now) {
    if (!paced(t)) return;
    t->pacing.half = now >= t->pacing.next_at && bytes <= t->piece_bytes;
    braid_time missed = t->pacing.missed_us * BRAID_NS_PER_US, counts = missed > BURST_NS ? missed : BURST_NS;
    braid_time credit = now > counts ? now - counts : 0;
    if (t->pacing.next_at < credit) t->pacing.next_at = credit;
    t->pacing.next_at += (uint64_t)bytes * BRAID_NS_PER_S / t->pacing.bytes_per_s;
    if (t->pacing.next_at >= now) t->pacing.missed_us = 0;
}
