#include "hystart.h"

/* RFC 9406 §4.3 */
#define MIN_RTT_THRESHOLD_NS (4 * BRAID_NS_PER_MS)
#define MAX_RTT_THRESHOLD_NS (16 * BRAID_NS_PER_MS)
#define MIN_RTT_DIVISOR 8
#define ROUND_SAMPLES 8
#define CONSERVATIVE_GROWTH_DIVISOR 4
#define CONSERVATIVE_ROUNDS 5

void hystart_init(struct hystart *h) {
    *h = (struct hystart){
        .phase = HYSTART_SLOW_START,
        .last_min_rtt_ns = BRAID_NEVER,
        .current_min_rtt_ns = BRAID_NEVER,
        .baseline_min_rtt_ns = BRAID_NEVER,
    };
}

static void begin_round(struct hystart *h) {
    h->last_min_rtt_ns = h->current_min_rtt_ns;
    h->current_min_rtt_ns = BRAID_NEVER;
    h->samples = 0;
    if (h->phase != HYSTART_CONSERVATIVE) return;
    if (h->rounds_left > 0) h->rounds_left--;
    if (h->rounds_left == 0) h->phase = HYSTART_DONE;
}

static braid_time rtt_threshold_ns(braid_time last_min_rtt_ns) {
    braid_time threshold = last_min_rtt_ns / MIN_RTT_DIVISOR;
    if (threshold < MIN_RTT_THRESHOLD_NS) return MIN_RTT_THRESHOLD_NS;
    return threshold < MAX_RTT_THRESHOLD_NS ? threshold : MAX_RTT_THRESHOLD_NS;
}

static void judge(struct hystart *h) {
    if (h->samples < ROUND_SAMPLES || h->current_min_rtt_ns == BRAID_NEVER) return;
    if (h->phase == HYSTART_SLOW_START && h->last_min_rtt_ns != BRAID_NEVER &&
        h->current_min_rtt_ns >= h->last_min_rtt_ns + rtt_threshold_ns(h->last_min_rtt_ns)) {
        h->baseline_min_rtt_ns = h->current_min_rtt_ns;
        h->rounds_left = CONSERVATIVE_ROUNDS;
        h->phase = HYSTART_CONSERVATIVE;
    } else if (h->phase == HYSTART_CONSERVATIVE && h->current_min_rtt_ns < h->baseline_min_rtt_ns) {
        /* The delay went away again: it was jitter, not a queue. */
        h->baseline_min_rtt_ns = BRAID_NEVER;
        h->phase = HYSTART_SLOW_START;
    }
}

uint32_t hystart_on_ack(struct hystart *h, const struct congestion_ack *ack, uint32_t acked_bytes) {
    if (ack->round_start) begin_round(h);
    if (ack->rtt_ns > 0) {
        if (ack->rtt_ns < h->current_min_rtt_ns) h->current_min_rtt_ns = ack->rtt_ns;
        h->samples++;
        judge(h);
    }
    if (h->phase != HYSTART_CONSERVATIVE) return acked_bytes;
    return acked_bytes / CONSERVATIVE_GROWTH_DIVISOR;
}
