#include "hystart.h"

#include "window.h"

/* RFC 9406 §4.3 */
#define MIN_RTT_THRESHOLD_NS (4 * BRAID_NS_PER_MS)
#define MAX_RTT_THRESHOLD_NS (16 * BRAID_NS_PER_MS)
#define MIN_RTT_DIVISOR 8
#define ROUND_SAMPLES 8
#define CONSERVATIVE_GROWTH_DIVISOR 4
#define CONSERVATIVE_ROUNDS 5
/* Of the bandwidth-delay product that a round's acknowledgements show: so large a window leaves half of it queued. */
#define TRAIN_WINDOW_PERCENT 150
#define TRAIN_SAMPLES 4

void hystart_init(struct hystart *h) {
    *h = (struct hystart){
        .phase = HYSTART_SLOW_START,
        .last_min_rtt_ns = BRAID_NEVER,
        .current_min_rtt_ns = BRAID_NEVER,
        .baseline_min_rtt_ns = BRAID_NEVER,
        .group_min_rtt_ns = BRAID_NEVER,
    };
}

static braid_time risen_from(braid_time min_rtt_ns) {
    braid_time threshold = min_rtt_ns / MIN_RTT_DIVISOR;
    if (threshold < MIN_RTT_THRESHOLD_NS) threshold = MIN_RTT_THRESHOLD_NS;
    if (threshold > MAX_RTT_THRESHOLD_NS) threshold = MAX_RTT_THRESHOLD_NS;
    return min_rtt_ns + threshold;
}

/* A round without a queue: it was jitter. */
static void judge_round(struct hystart *h) {
    if (h->phase != HYSTART_CONSERVATIVE) return;
    if (--h->rounds_left == 0) {
        h->phase = HYSTART_DONE;
    } else if (h->samples >= ROUND_SAMPLES && !h->risen) {
        h->baseline_min_rtt_ns = BRAID_NEVER;
        h->phase = HYSTART_SLOW_START;
    }
}

static void begin_round(struct hystart *h, braid_time now) {
    judge_round(h);
    h->round_at = now;
    h->round_acked_bytes = 0;
    h->last_min_rtt_ns = h->current_min_rtt_ns;
    h->current_min_rtt_ns = h->group_min_rtt_ns = BRAID_NEVER;
    h->samples = 0;
    h->risen = false;
}

static void slow_down(struct hystart *h, braid_time base) {
    if (h->phase != HYSTART_SLOW_START) return;
    h->baseline_min_rtt_ns = base;
    h->rounds_left = CONSERVATIVE_ROUNDS;
    h->phase = HYSTART_CONSERVATIVE;
}

/* The least of eight samples in a row, again and again: jitter leaves one of them as it was, a queue raises all. Against
 * the last round's, as RFC 9406 has it; and against this round's, for a round is sent in half a round-trip time (see
 * tcp/pacing.c), so that its first packets always find the queue drained, until it is too late. */
static void judge_group(struct hystart *h) {
    braid_time base = h->phase == HYSTART_CONSERVATIVE ? h->baseline_min_rtt_ns : h->last_min_rtt_ns;
    braid_time group = h->group_min_rtt_ns;
    h->group_min_rtt_ns = BRAID_NEVER;
    if (base == BRAID_NEVER) return;
    if (h->current_min_rtt_ns < base) base = h->current_min_rtt_ns;
    if (group < risen_from(base)) return;
    h->risen = true;
    if (h->phase == HYSTART_CONSERVATIVE) {
        /* The first of a round finds a queue, which stood there while nothing was sent: the path is full. */
        if (h->samples == ROUND_SAMPLES && h->rounds_left < CONSERVATIVE_ROUNDS) h->phase = HYSTART_DONE;
        return;
    }
    slow_down(h, base);
}

/* What left within half a round trip (tcp/pacing.c) is acknowledged within half a round trip, unless something on the way takes
 * longer to pass it on: that is the bottleneck, and its rate is known long before a queue of four milliseconds is. On a path of
 * ten, with a queue for one round trip, those come too late. It speaks only of what has begun to queue, by an eighth of the
 * round trip: a train may be long because the application, or a scheduler, had no more to send. Acknowledgements in bunches
 * make the rate look higher, and then this does not speak; one that was held back makes it look lower, so a longer time than a
 * round trip does not count. */
static void judge_train(struct hystart *h, const struct congestion_ack *ack, uint32_t cwnd_bytes) {
    braid_time lasted = ack->now - h->round_at;
    if (h->phase == HYSTART_DONE || h->samples < TRAIN_SAMPLES) return;
    if (ack->rtt_ns < ack->min_rtt_ns + ack->min_rtt_ns / MIN_RTT_DIVISOR) return;
    if (lasted < ack->min_rtt_ns / 4 || lasted > ack->min_rtt_ns) return;
    uint64_t product = (uint64_t)h->round_acked_bytes * (ack->min_rtt_ns / BRAID_NS_PER_US) / (lasted / BRAID_NS_PER_US + 1);
    if ((uint64_t)cwnd_bytes * 100 < product * TRAIN_WINDOW_PERCENT) return;
    h->risen = true;
    slow_down(h, ack->min_rtt_ns);
}

uint32_t hystart_on_ack(struct hystart *h, const struct congestion_ack *ack, uint32_t cwnd_bytes, uint32_t acked_bytes) {
    if (ack->round_start) begin_round(h, ack->now);
    else h->round_acked_bytes = window_bounded((uint64_t)h->round_acked_bytes + acked_bytes);
    if (ack->rtt_ns > 0) {
        if (ack->rtt_ns < h->current_min_rtt_ns) h->current_min_rtt_ns = ack->rtt_ns;
        if (ack->rtt_ns < h->group_min_rtt_ns) h->group_min_rtt_ns = ack->rtt_ns;
        if (++h->samples % ROUND_SAMPLES == 0) judge_group(h);
    }
    judge_train(h, ack, cwnd_bytes);
    if (h->phase != HYSTART_CONSERVATIVE) return acked_bytes;
    return acked_bytes / CONSERVATIVE_GROWTH_DIVISOR;
}
