/* NewReno's window (RFC 5681, RFC 6582; byte counting of RFC 3465). What to retransmit is the sender's business. */
#include <congestion/congestion.h>

#include "window.h"

struct newreno {
    uint64_t acked_bytes; /* in congestion avoidance, towards the next segment of growth */
    uint32_t undo_cwnd_bytes, undo_ssthresh_bytes;
} __attribute__((may_alias));
_Static_assert(sizeof(struct newreno) <= CONGESTION_STATE_BYTES, "the state fits");

static struct newreno *newreno_of(struct congestion *c) { return (struct newreno *)(void *)c->state; }

static void newreno_init(struct congestion *c, braid_time now) {
    (void)now;
    *newreno_of(c) = (struct newreno){0};
}

/* [R-5681-3.1-1] */
static void newreno_on_ack(struct congestion *c, const struct congestion_ack *ack) {
    if (ack->in_recovery || !ack->cwnd_limited) return;
    uint64_t acked = ack->acked_bytes;
    if (window_in_slow_start(c)) {
        uint64_t until_threshold = c->ssthresh_bytes - c->cwnd_bytes;
        uint64_t growth = acked < until_threshold ? acked : until_threshold;
        c->cwnd_bytes = window_bounded(c->cwnd_bytes + growth);
        acked -= growth;
        window_fill(c, ack);
    }
    struct newreno *reno = newreno_of(c);
    reno->acked_bytes += acked;
    for (uint32_t whole; reno->acked_bytes >= (whole = window_in_segments(c));) {
        reno->acked_bytes -= whole;
        c->cwnd_bytes = window_bounded((uint64_t)c->cwnd_bytes + c->mss_bytes);
    }
}

static void reduce(struct congestion *c) {
    struct newreno *reno = newreno_of(c);
    reno->undo_cwnd_bytes = c->cwnd_bytes;
    reno->undo_ssthresh_bytes = c->ssthresh_bytes;
    reno->acked_bytes = 0;
    /* Half the window instead of half of what is in flight: the window only grows while it is what limits, and an
     * application that pauses should not be taken for a narrow path. */
    c->ssthresh_bytes = window_at_least(c->cwnd_bytes / 2, 2 * c->mss_bytes);
}

static void newreno_on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes, (void)now;
    reduce(c);
    c->cwnd_bytes = c->ssthresh_bytes;
}

static void newreno_on_recovered(struct congestion *c, braid_time now) { (void)c, (void)now; }

static void newreno_on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes, (void)now;
    reduce(c);
    c->cwnd_bytes = c->mss_bytes;
}

static void newreno_on_undo(struct congestion *c, braid_time now) {
    (void)now;
    const struct newreno *reno = newreno_of(c);
    if (c->cwnd_bytes < reno->undo_cwnd_bytes) c->cwnd_bytes = reno->undo_cwnd_bytes;
    if (c->ssthresh_bytes < reno->undo_ssthresh_bytes) c->ssthresh_bytes = reno->undo_ssthresh_bytes;
}

static void newreno_on_restart(struct congestion *c, braid_time idle_ns, braid_time now) {
    (void)idle_ns, (void)now;
    window_restart(c);
}

const struct congestion_ops congestion_newreno = {
    .name = "newreno",
    .init = newreno_init,
    .on_ack = newreno_on_ack,
    .on_loss = newreno_on_loss,
    .on_recovered = newreno_on_recovered,
    .on_timeout = newreno_on_timeout,
    .on_undo = newreno_on_undo,
    .on_restart = newreno_on_restart,
    .on_longer = window_longer,
};
