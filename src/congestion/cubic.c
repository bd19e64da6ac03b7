/* CUBIC (RFC 9438) in integers.
 *
 * Windows are bytes, times milliseconds, and W_cubic(t) = C (t - K)^3 + W_max is worked out in 1/1024 segments.
 * Every product below has its bound beside it: this is the place where an overflow once made a stack's windows
 * collapse after an idle hour. */
#include <congestion/congestion.h>

#include "hystart.h"
#include "window.h"

/* C = 0.4 segments/s^3 and beta = 0.7 (RFC 9438 §4.1). */
#define BETA_NUMERATOR 7
#define BETA_DENOMINATOR 10
/* (1 + beta) / 2 */
#define CONVERGENCE_NUMERATOR 17
#define CONVERGENCE_DENOMINATOR 20
/* ms^3 that make 1/1024 segment: 10^9 / 0.4 / 1024. */
/* [R-9438-5-1] */
#define MS_CUBED_PER_UNIT UINT64_C(2441406)
#define UNITS_PER_SEGMENT 1024
/* |t - K| is cut off here: 2^20 ms are 17 minutes, 2^60 ms^3 fit 64 bits. */
#define OFFSET_MAX_MS (UINT64_C(1) << 20)

struct cubic {
    struct hystart hystart;
    bool epoch_open;
    bool after_timeout;     /* the next epoch starts with K = 0 (RFC 9438 §4.8) */
    braid_time epoch_start; /* moved forward by the time the window was not what limited */
    braid_time last_ack_at;
    uint64_t k_ms;
    uint32_t w_max_bytes;
    uint32_t cwnd_prior_bytes;  /* when ssthresh was last set */
    uint32_t w_est_bytes;       /* what Reno would have */
    uint64_t w_est_fraction;    /* numerator over 17 cwnd */
    uint64_t growth_fraction;   /* numerator over cwnd */
    struct {
        bool possible;
        uint32_t cwnd_bytes, ssthresh_bytes, w_max_bytes, cwnd_prior_bytes, w_est_bytes;
        uint64_t k_ms;
        braid_time epoch_start;
        bool epoch_open;
    } undo;
} __attribute__((may_alias));
_Static_assert(sizeof(struct cubic) <= CONGESTION_STATE_BYTES, "the state fits");

static struct cubic *cubic_of(struct congestion *c) { return (struct cubic *)(void *)c->state; }

static void cubic_init(struct congestion *c, braid_time now) {
    struct cubic *q = cubic_of(c);
    *q = (struct cubic){.last_ack_at = now};
    hystart_init(&q->hystart);
}

/* Largest r with r^3 <= value, up to 2^22 - 1. Dividing instead of cubing keeps clear of an overflow. */
static uint64_t cube_root(uint64_t value) {
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 21; bit > 0; bit >>= 1) {
        uint64_t r = root | bit;
        if (r * r <= value / r) root = r;
    }
    return root;
}

static void epoch_begin(struct congestion *c, braid_time now) {
    struct cubic *q = cubic_of(c);
    q->epoch_open = true;
    q->epoch_start = now;
    /* [R-9438-4.8-1] */
    q->w_est_bytes = c->cwnd_bytes;
    q->w_est_fraction = 0;
    q->growth_fraction = 0;
    if (q->after_timeout || q->w_max_bytes <= c->cwnd_bytes) {
        q->w_max_bytes = c->cwnd_bytes;
        q->k_ms = 0;
    } else {
        /* K^3 = (W_max - cwnd) / C: 2^30 * 2.5 * 10^9 < 2^62. */
        uint64_t missing = q->w_max_bytes - c->cwnd_bytes;
        q->k_ms = cube_root(missing * (MS_CUBED_PER_UNIT * UNITS_PER_SEGMENT) / c->mss_bytes);
    }
    q->after_timeout = false;
}

/* W_cubic at `t_ms` after the epoch's start, in bytes. */
static uint64_t w_cubic_bytes(const struct congestion *c, const struct cubic *q, uint64_t t_ms) {
    bool before = t_ms < q->k_ms;
    uint64_t offset = before ? q->k_ms - t_ms : t_ms - q->k_ms;
    if (offset > OFFSET_MAX_MS) offset = OFFSET_MAX_MS;
    uint64_t units = offset * offset * offset / MS_CUBED_PER_UNIT;   /* < 2^60 / 2^21 */
    uint64_t delta = units * c->mss_bytes / UNITS_PER_SEGMENT;       /* < 2^39 * 2^17 */
    if (!before) return q->w_max_bytes + delta;
    return delta < q->w_max_bytes ? q->w_max_bytes - delta : 0;
}

/* RFC 9438 §4.2: between cwnd and 1.5 cwnd. */
/* [R-9438-4.4-1] */
static uint64_t target_bytes(const struct congestion *c, const struct cubic *q, const struct congestion_ack *ack) {
    uint64_t t_ms = (ack->now - q->epoch_start + ack->srtt_ns) / BRAID_NS_PER_MS;
    uint64_t target = w_cubic_bytes(c, q, t_ms);
    uint64_t most = c->cwnd_bytes + c->cwnd_bytes / 2;
    if (target < c->cwnd_bytes) return c->cwnd_bytes;
    return target < most ? target : most;
}

/* RFC 9438 §4.3: W_est += alpha * acked / cwnd, in segments; alpha = 9/17 until W_est reaches cwnd_prior, then 1. */
/* [R-9438-4.3-2] */
static void update_w_est(const struct congestion *c, struct cubic *q, uint32_t acked_bytes) {
    uint64_t alpha_17ths = q->w_est_bytes < q->cwnd_prior_bytes ? 9 : 17;
    /* 2^30 * 2^17 * 17 < 2^52, and the fraction kept is below 17 cwnd < 2^35. */
    q->w_est_fraction += alpha_17ths * acked_bytes * c->mss_bytes;
    uint64_t cwnd_17ths = UINT64_C(17) * window_in_segments(c), whole = q->w_est_fraction / cwnd_17ths;
    q->w_est_fraction -= whole * cwnd_17ths;
    q->w_est_bytes = window_bounded(q->w_est_bytes + whole);
}

static void congestion_avoidance(struct congestion *c, const struct congestion_ack *ack, uint32_t acked_bytes) {
    struct cubic *q = cubic_of(c);
    if (!q->epoch_open) epoch_begin(c, ack->now);
    update_w_est(c, q, acked_bytes);
    uint64_t t_ms = (ack->now - q->epoch_start) / BRAID_NS_PER_MS;
    /* [R-9438-4.3-1] */
    if (w_cubic_bytes(c, q, t_ms) < q->w_est_bytes) {
        if (c->cwnd_bytes < q->w_est_bytes) c->cwnd_bytes = q->w_est_bytes;
        return;
    }
    /* cwnd += (target - cwnd) / cwnd for each segment: 2^29 * 2^30. */
    q->growth_fraction += (target_bytes(c, q, ack) - c->cwnd_bytes) * acked_bytes;
    uint64_t cwnd = window_in_segments(c), whole = q->growth_fraction / cwnd;
    q->growth_fraction -= whole * cwnd;
    c->cwnd_bytes = window_bounded(c->cwnd_bytes + whole);
}

/* Grows in slow start; returns the acknowledged bytes that are left for congestion avoidance. */
/* [R-9438-4.10-1] [R-9438-4.10-2] */
static uint32_t slow_start(struct congestion *c, const struct congestion_ack *ack, uint32_t acked_bytes) {
    struct cubic *q = cubic_of(c);
    uint32_t growth = acked_bytes;
    if (c->ssthresh_bytes == UINT32_MAX) growth = hystart_on_ack(&q->hystart, ack, c->cwnd_bytes, acked_bytes);
    c->queue_felt = q->hystart.phase == HYSTART_CONSERVATIVE;
    uint32_t until_threshold = c->ssthresh_bytes - c->cwnd_bytes;
    uint32_t left = growth > until_threshold ? growth - until_threshold : 0;
    c->cwnd_bytes = window_bounded((uint64_t)c->cwnd_bytes + (growth - left));
    window_fill(c, ack);
    if (c->ssthresh_bytes == UINT32_MAX && q->hystart.phase == HYSTART_DONE) {
        c->ssthresh_bytes = c->cwnd_bytes;
        q->cwnd_prior_bytes = c->cwnd_bytes;
    }
    return left;
}

static void cubic_on_ack(struct congestion *c, const struct congestion_ack *ack) {
    struct cubic *q = cubic_of(c);
    if (ack->in_recovery) {
        q->last_ack_at = ack->now;
        return;
    }
    if (!ack->cwnd_limited) {
        /* [R-9438-4.2-1] [R-9438-4.6-3] */
        /* RFC 9438 §5.8: time in which the window did not limit does not count. */
        if (q->epoch_open && ack->now > q->last_ack_at) q->epoch_start += ack->now - q->last_ack_at;
        if (q->epoch_start > ack->now) q->epoch_start = ack->now;
        q->last_ack_at = ack->now;
        return;
    }
    q->last_ack_at = ack->now;
    uint32_t acked = ack->acked_bytes < WINDOW_MAX_BYTES ? ack->acked_bytes : WINDOW_MAX_BYTES;
    if (window_in_slow_start(c)) acked = slow_start(c, ack, acked);
    if (acked > 0 && !window_in_slow_start(c)) congestion_avoidance(c, ack, acked);
}

static void remember_for_undo(const struct congestion *c, struct cubic *q) {
    q->undo.possible = true;
    q->undo.cwnd_bytes = c->cwnd_bytes;
    q->undo.ssthresh_bytes = c->ssthresh_bytes;
    q->undo.w_max_bytes = q->w_max_bytes;
    q->undo.cwnd_prior_bytes = q->cwnd_prior_bytes;
    q->undo.w_est_bytes = q->w_est_bytes;
    q->undo.k_ms = q->k_ms;
    q->undo.epoch_start = q->epoch_start;
    q->undo.epoch_open = q->epoch_open;
}

static void reduce(struct congestion *c) {
    struct cubic *q = cubic_of(c);
    remember_for_undo(c, q);
    /* Fast convergence (RFC 9438 §4.7): leave room for a newcomer when the saturation point went down. */
    /* [R-9438-4.7-1] */
    bool lower = c->cwnd_bytes < q->w_max_bytes;
    q->w_max_bytes = lower ? c->cwnd_bytes / CONVERGENCE_DENOMINATOR * CONVERGENCE_NUMERATOR : c->cwnd_bytes;
    q->cwnd_prior_bytes = c->cwnd_bytes;
    q->epoch_open = false;
    /* The window instead of what is in flight, as §4.6 allows: it grows only while it is what limits. */
    uint64_t reduced = (uint64_t)c->cwnd_bytes * BETA_NUMERATOR / BETA_DENOMINATOR;
    c->ssthresh_bytes = window_at_least(reduced, 2 * c->mss_bytes);
}

/* [R-9438-4.6-1] [R-9438-4.6-2] */
static void cubic_on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes, (void)now;
    reduce(c);
    c->cwnd_bytes = c->ssthresh_bytes;
}

static void cubic_on_recovered(struct congestion *c, braid_time now) {
    /* The epoch opens with the first acknowledgement after recovery. */
    cubic_of(c)->last_ack_at = now;
}

/* [R-5681-3.1-8] */
static void cubic_on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes, (void)now;
    reduce(c);
    cubic_of(c)->after_timeout = true;
    c->cwnd_bytes = c->mss_bytes;
}

static void cubic_on_undo(struct congestion *c, braid_time now) {
    struct cubic *q = cubic_of(c);
    if (!q->undo.possible) return;
    q->undo.possible = false;
    /* RFC 9438 §4.9.2: only while the window is still lower than it was. */
    /* [R-9438-4.9-1] */
    if (c->cwnd_bytes >= q->cwnd_prior_bytes) return;
    c->cwnd_bytes = q->undo.cwnd_bytes;
    c->ssthresh_bytes = q->undo.ssthresh_bytes;
    q->w_max_bytes = q->undo.w_max_bytes;
    q->cwnd_prior_bytes = q->undo.cwnd_prior_bytes;
    q->w_est_bytes = q->undo.w_est_bytes;
    q->k_ms = q->undo.k_ms;
    q->epoch_start = q->undo.epoch_start;
    q->epoch_open = q->undo.epoch_open;
    q->after_timeout = false;
    q->last_ack_at = now;
}

static void cubic_on_restart(struct congestion *c, braid_time idle_ns, braid_time now) {
    struct cubic *q = cubic_of(c);
    if (q->epoch_open) q->epoch_start += idle_ns;
    if (q->epoch_start > now) q->epoch_start = now;
    q->last_ack_at = now;
    window_restart(c);
}

static void cubic_on_longer(struct congestion *c, uint32_t ssthresh_bytes) {
    struct cubic *q = cubic_of(c);
    c->ssthresh_bytes = ssthresh_bytes;
    q->epoch_open = false; /* the next begins there */
    q->undo.possible = false;
}

const struct congestion_ops congestion_cubic = {
    .name = "cubic",
    .init = cubic_init,
    .on_ack = cubic_on_ack,
    .on_loss = cubic_on_loss,
    .on_recovered = cubic_on_recovered,
    .on_timeout = cubic_on_timeout,
    .on_undo = cubic_on_undo,
    .on_restart = cubic_on_restart,
    .on_longer = cubic_on_longer,
};
