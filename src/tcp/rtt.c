/* Round-trip time and retransmission timeout (RFC 6298).
 *
 * Nearly every ACK gives a sample. The mean follows each; the deviation is taken over a round trip as the largest
 * seen in it, because with many samples a round the plain filter forgets within one (RFC 7323 appendix G). */
#include "tcp_internal.h"

#define RTO_INITIAL_NS BRAID_NS_PER_S
#define RTO_MAX_NS (60 * BRAID_NS_PER_S)
/* Never closer to the mean than this: peers delay ACKs by up to 200 ms. */
#define RTO_VARIANCE_MIN_NS (200 * BRAID_NS_PER_MS)
#define RTT_OUTDATED_NS (900 * BRAID_NS_PER_MS)
/* The smallest round trip is that of the last one to two periods. */
#define MIN_PERIOD_NS (60 * BRAID_NS_PER_S)

/* [R-6298-2-1] */
void rtt_init(struct tcp *t) {
    t->rtt = (struct rtt){.rto_ns = RTO_INITIAL_NS, .min_ns = {BRAID_NEVER, BRAID_NEVER}};
}

/* [R-8985-6.2-1] */
static void update_min(struct rtt *r, braid_time rtt_ns, braid_time now) {
    if (now - r->min_period_start >= MIN_PERIOD_NS) {
        r->min_ns[1] = r->min_ns[0];
        r->min_ns[0] = BRAID_NEVER;
        r->min_period_start = now;
    }
    if (rtt_ns < r->min_ns[0]) r->min_ns[0] = rtt_ns;
}

braid_time rtt_min(const struct tcp *t) {
    const struct rtt *r = &t->rtt;
    braid_time min = r->min_ns[0] < r->min_ns[1] ? r->min_ns[0] : r->min_ns[1];
    return min == BRAID_NEVER ? 0 : min;
}

/* [R-7323-4.2-1] */
static void update_deviation(struct tcp *t, braid_time error_ns) {
    struct rtt *r = &t->rtt;
    r->deviation_ns += error_ns / 4;
    r->deviation_ns -= r->deviation_ns / 4 < r->deviation_ns ? r->deviation_ns / 4 : 0;
    if (r->deviation_ns > r->deviation_max_ns) r->deviation_max_ns = r->deviation_ns;
    if (r->deviation_max_ns > r->rttvar_ns) r->rttvar_ns = r->deviation_max_ns;
    if (seq32_lt(t->snd_una, r->round_end)) return;
    if (r->deviation_max_ns < r->rttvar_ns) r->rttvar_ns -= (r->rttvar_ns - r->deviation_max_ns) / 4;
    r->round_end = t->snd_nxt;
    r->deviation_max_ns = 0;
}

void rtt_sample(struct tcp *t, braid_time rtt_ns, braid_time now) {
    struct rtt *r = &t->rtt;
    if (rtt_ns == 0) rtt_ns = 1;
    update_min(r, rtt_ns, now);
    /* After a pause the path may be another: if it has become that much better, what was known of it does not count. */
    bool outdated = now - r->sampled_at >= RTT_OUTDATED_NS && rtt_ns < r->srtt_ns / 2;
    r->sampled_at = now;
    r->sample_ns = rtt_ns;
    /* [R-6298-2-2] */
    if (r->srtt_ns == 0 || outdated) {
        r->deviation_max_ns = 0;
        r->srtt_ns = rtt_ns;
        r->rttvar_ns = r->deviation_ns = rtt_ns / 2;
        r->round_end = t->snd_nxt;
    } else {
        braid_time error = rtt_ns > r->srtt_ns ? rtt_ns - r->srtt_ns : r->srtt_ns - rtt_ns;
        /* [R-6298-2-3] */
        update_deviation(t, error);
        r->srtt_ns = r->srtt_ns - r->srtt_ns / 8 + rtt_ns / 8;
        if (r->srtt_ns == 0) r->srtt_ns = 1;
    }
    /* [R-6298-2-5] [R-6298-4-1] */
    braid_time variance = 4 * r->rttvar_ns;
    if (variance < RTO_VARIANCE_MIN_NS) variance = RTO_VARIANCE_MIN_NS;
    r->rto_ns = r->srtt_ns + variance;
    if (r->rto_ns > RTO_MAX_NS) r->rto_ns = RTO_MAX_NS;
    t->probe.rtt_sampled = true;
}
