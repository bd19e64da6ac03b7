/* BBR version 1, after draft-cardwell-iccrg-bbr-congestion-control-00; its section names stand above the pieces. It is what the
 * Linux kernel calls "bbr".
 *
 * It keeps two figures of the path: the most it delivered in the last ten round trips, and its round trip when nothing queues
 * (ten seconds). It sends at that rate, with twice their product as the window, and takes no loss for a sign of anything: on a
 * path that loses by itself nothing is faster, and in a queue shorter than the product it makes others lose. Version 3 (bbr.c)
 * minds both, and is the one to take where nothing speaks for this one.
 *
 *     STARTUP    doubles the rate each round trip until that brings no more
 *     DRAIN      empties the queue that this has filled
 *     PROBE_BW   eight phases of a round trip each: more, less, and six at the rate
 *     PROBE_RTT  when the round trip is ten seconds old: four segments in flight for 200 ms
 *
 * Deviations: acknowledgements that come in bunches widen the window (aggregation.h), as the kernel has it; a mark (RFC 3168), of
 * which the draft says nothing, ends STARTUP and the phase that sends more; the phase that a cycle begins with comes from the
 * nanosecond at which it begins, so that runs can be repeated. */
#include <congestion/congestion.h>

#include "bbr.h"

enum {
    HIGH_GAIN_PERCENT = 289, /* 2 / ln 2 */
    DRAIN_GAIN_PERCENT = 35, /* its inverse */
    CWND_GAIN_PERCENT = 200,
    FULL_PIPE_ROUNDS = 3,
    BW_ROUNDS = 10,
    PHASES = 8,
    PHASE_LESS = 1,
};
#define RT_PROP_FILTER_NS (10 * BRAID_NS_PER_S)
#define PROBE_RTT_NS (200 * BRAID_NS_PER_MS)

enum state { STARTUP, DRAIN, PROBE_BW, PROBE_RTT };
static const uint8_t phase_gains[PHASES] = {125, 75, 100, 100, 100, 100, 100, 100};

struct bbr1 {
    uint8_t state, phase;
    bool filled_pipe, idle_restart, conserve, round_start;
    bool rt_prop_expired, probe_rtt_round_done;
    uint8_t full_bw_count;
    uint8_t round, rounds_passed; /* of BW_ROUNDS: the newest, and how many there were since */
    uint32_t prior_cwnd;
    uint64_t delivered, round_end, conserve_until; /* bytes */
    uint64_t round_max[BW_ROUNDS], btl_bw, full_bw; /* bytes a second; btl_bw: the most of round_max */
    braid_time rt_prop, rt_prop_at, cycle_at, probe_rtt_done_at;
    struct aggregation aggregation;
} __attribute__((may_alias));
_Static_assert(sizeof(struct bbr1) <= CONGESTION_STATE_BYTES, "the state fits");

static struct bbr1 *bbr1_of(struct congestion *c) { return (struct bbr1 *)(void *)c->state; }

/* --- the model --- */

/* What an application sends of itself says nothing of the path, unless it is more than was known: rounds of that make nothing
 * older. */
static void note_rate(struct bbr1 *b, uint64_t bytes_per_s) {
    for (; b->rounds_passed > 0; b->rounds_passed--) {
        b->round = (uint8_t)((b->round + 1) % BW_ROUNDS);
        b->round_max[b->round] = 0;
    }
    if (bytes_per_s > b->round_max[b->round]) b->round_max[b->round] = bytes_per_s;
    b->btl_bw = 0;
    for (unsigned i = 0; i < BW_ROUNDS; i++)
        if (b->round_max[i] > b->btl_bw) b->btl_bw = b->round_max[i];
}

/* "Rounds", "BBR.BtlBw" */
static void update_btl_bw(struct bbr1 *b, const struct congestion_ack *ack) {
    uint64_t rate = ack->sample_bytes_per_s;
    b->delivered = ack->delivered_total_bytes;
    b->round_start = ack->rate_valid && ack->delivered_before_bytes >= b->round_end;
    if (b->round_start) b->round_end = b->delivered;
    if (b->round_start && b->rounds_passed < BW_ROUNDS) b->rounds_passed++;
    if (rate > 0 && (!ack->application_limited || rate >= b->btl_bw)) note_rate(b, rate);
}

/* "BBR.RTprop" */
static void update_rt_prop(struct bbr1 *b, const struct congestion_ack *ack) {
    b->rt_prop_expired = ack->now > b->rt_prop_at + RT_PROP_FILTER_NS;
    if (ack->rtt_ns == 0 || (ack->rtt_ns > b->rt_prop && !b->rt_prop_expired)) return;
    b->rt_prop = ack->rtt_ns;
    b->rt_prop_at = ack->now;
}

/* BBRInflight() */
static uint32_t inflight_at(const struct congestion *c, const struct bbr1 *b, uint32_t gain_percent) {
    if (b->rt_prop == BRAID_NEVER) return window_initial(c->mss_bytes);
    uint64_t product = bbr_product(c, b->btl_bw, b->rt_prop);
    return window_bounded(product * gain_percent / 100 + 3 * bbr_send_quantum(c));
}

/* --- "Startup", "Drain" --- */

static void check_full_pipe(struct bbr1 *b, const struct congestion_ack *ack) {
    if (b->filled_pipe || !b->round_start || ack->application_limited) return;
    uint64_t bw = b->btl_bw;
    if (bw >= b->full_bw + b->full_bw / 4) {
        b->full_bw = bw;
        b->full_bw_count = 0;
    } else if (++b->full_bw_count >= FULL_PIPE_ROUNDS) {
        b->filled_pipe = true;
    }
}

/* --- "ProbeBW" --- */

/* A cycle may begin with any phase but the one that sends less. */
static void enter_probe_bw(struct bbr1 *b, braid_time now) {
    uint64_t draw = bbr_draw(now) >> 32;
    b->state = PROBE_BW;
    b->phase = (uint8_t)((PHASE_LESS + 1 + draw % (PHASES - 1)) % PHASES);
    b->cycle_at = now;
}

/* BBRIsNextCyclePhase() */
static bool phase_is_over(const struct congestion *c, const struct bbr1 *b, const struct congestion_ack *ack) {
    bool full_length = b->rt_prop != BRAID_NEVER && ack->now - b->cycle_at > b->rt_prop;
    uint8_t gain = phase_gains[b->phase];
    if (gain > 100) return full_length && (ack->lost_bytes > 0 || ack->in_flight_bytes >= inflight_at(c, b, gain));
    if (gain < 100) return full_length || ack->in_flight_bytes <= inflight_at(c, b, 100);
    return full_length;
}

static void next_phase(struct bbr1 *b, braid_time now) {
    b->phase = (uint8_t)((b->phase + 1) % PHASES);
    b->cycle_at = now;
}

static void update_state(const struct congestion *c, struct bbr1 *b, const struct congestion_ack *ack) {
    if (b->state == PROBE_BW && phase_is_over(c, b, ack)) next_phase(b, ack->now);
    check_full_pipe(b, ack);
    if (b->state == STARTUP && b->filled_pipe) b->state = DRAIN;
    if (b->state == DRAIN && ack->in_flight_now_bytes <= inflight_at(c, b, 100)) enter_probe_bw(b, ack->now);
}

/* --- "ProbeRTT" --- */

static void save_cwnd(const struct congestion *c, struct bbr1 *b, bool in_recovery) {
    bool whole = !in_recovery && b->state != PROBE_RTT;
    b->prior_cwnd = whole ? c->cwnd_bytes : most(b->prior_cwnd, c->cwnd_bytes);
}

static void leave_probe_rtt(struct congestion *c, struct bbr1 *b, braid_time now) {
    b->rt_prop_at = now;
    c->cwnd_bytes = most(c->cwnd_bytes, b->prior_cwnd);
    if (b->filled_pipe) enter_probe_bw(b, now);
    else b->state = STARTUP;
}

static void check_probe_rtt(struct congestion *c, struct bbr1 *b, const struct congestion_ack *ack) {
    if (b->state != PROBE_RTT && b->rt_prop_expired && !b->idle_restart) {
        save_cwnd(c, b, ack->in_recovery);
        b->state = PROBE_RTT;
        b->probe_rtt_done_at = 0;
    }
    if (b->state == PROBE_RTT && b->probe_rtt_done_at == 0) {
        if (ack->in_flight_now_bytes <= bbr_pipe_min(c)) {
            b->probe_rtt_done_at = ack->now + PROBE_RTT_NS;
            b->probe_rtt_round_done = false;
            b->round_end = b->delivered;
        }
    } else if (b->state == PROBE_RTT) {
        if (b->round_start) b->probe_rtt_round_done = true;
        if (b->probe_rtt_round_done && ack->now > b->probe_rtt_done_at) leave_probe_rtt(c, b, ack->now);
    }
    b->idle_restart = false;
}

/* --- "Pacing Rate", "Congestion Window" --- */

static uint32_t pacing_gain(const struct bbr1 *b) {
    if (b->state == STARTUP) return HIGH_GAIN_PERCENT;
    if (b->state == DRAIN) return DRAIN_GAIN_PERCENT;
    return b->state == PROBE_BW ? phase_gains[b->phase] : 100;
}

static void set_pacing(struct congestion *c, const struct bbr1 *b, uint32_t gain_percent) {
    uint64_t rate = bbr_pacing_rate(b->btl_bw, gain_percent);
    if (rate > 0 && (b->filled_pipe || rate > c->pacing_bytes_per_s)) c->pacing_bytes_per_s = rate;
}

static void set_cwnd(struct congestion *c, struct bbr1 *b, const struct congestion_ack *ack) {
    bool probing = b->state == STARTUP || b->state == DRAIN;
    uint32_t target = inflight_at(c, b, probing ? HIGH_GAIN_PERCENT : CWND_GAIN_PERCENT);
    target = window_bounded((uint64_t)target + aggregation_bytes(&b->aggregation));
    uint32_t grown = window_bounded((uint64_t)c->cwnd_bytes + ack->acked_bytes);
    if (ack->lost_bytes > 0)
        c->cwnd_bytes = c->cwnd_bytes > ack->lost_bytes + c->mss_bytes ? c->cwnd_bytes - ack->lost_bytes : c->mss_bytes;
    if (b->conserve && ack->rate_valid && ack->delivered_before_bytes >= b->conserve_until) b->conserve = false;
    if (b->conserve) c->cwnd_bytes = most(c->cwnd_bytes, window_bounded((uint64_t)ack->in_flight_now_bytes + ack->acked_bytes));
    else if (b->filled_pipe) c->cwnd_bytes = least(most(grown, c->cwnd_bytes), target);
    else if (c->cwnd_bytes < target || ack->delivered_total_bytes < window_initial(c->mss_bytes)) {
        c->cwnd_bytes = grown;
        window_fill(c, ack);
    }
    c->cwnd_bytes = most(c->cwnd_bytes, bbr_pipe_min(c));
    if (b->state == PROBE_RTT) c->cwnd_bytes = least(c->cwnd_bytes, bbr_pipe_min(c));
    c->ssthresh_bytes = b->filled_pipe ? c->cwnd_bytes : UINT32_MAX; /* for those who ask whether it still starts */
}

/* --- the operations --- */

static void bbr1_init(struct congestion *c, braid_time now) {
    *bbr1_of(c) = (struct bbr1){.rt_prop = BRAID_NEVER, .rt_prop_at = now, .aggregation = {.since = now}};
}

static void bbr1_on_ack(struct congestion *c, const struct congestion_ack *ack) {
    struct bbr1 *b = bbr1_of(c);
    update_btl_bw(b, ack);
    aggregation_on_ack(&b->aggregation, c, ack, b->btl_bw, b->round_start, b->filled_pipe ? AGGREGATION_ROUNDS : 1);
    update_state(c, b, ack);
    update_rt_prop(b, ack);
    check_probe_rtt(c, b, ack);
    bbr_init_pacing(c, ack->srtt_ns, HIGH_GAIN_PERCENT);
    set_pacing(c, b, pacing_gain(b));
    set_cwnd(c, b, ack);
}

/* "Modulating cwnd in Loss Recovery": as much as arrives, for a round trip, and a segment at once. */
static void bbr1_on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    struct bbr1 *b = bbr1_of(c);
    (void)now;
    save_cwnd(c, b, false);
    b->conserve = true;
    b->conserve_until = b->delivered;
    c->cwnd_bytes = most(window_bounded((uint64_t)in_flight_bytes + c->mss_bytes), bbr_pipe_min(c));
}

static void bbr1_on_recovered(struct congestion *c, braid_time now) {
    struct bbr1 *b = bbr1_of(c);
    (void)now;
    b->conserve = false;
    c->cwnd_bytes = most(c->cwnd_bytes, b->prior_cwnd);
}

static void bbr1_on_mark(struct congestion *c, braid_time now) {
    struct bbr1 *b = bbr1_of(c);
    (void)c;
    if (b->state == STARTUP) b->filled_pipe = true;
    if (b->state != PROBE_BW || phase_gains[b->phase] <= 100) return;
    b->phase = PHASE_LESS;
    b->cycle_at = now;
}

static void bbr1_on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    struct bbr1 *b = bbr1_of(c);
    (void)in_flight_bytes, (void)now;
    save_cwnd(c, b, b->conserve);
    b->conserve = false;
    c->cwnd_bytes = c->mss_bytes;
}

static void bbr1_on_undo(struct congestion *c, braid_time now) {
    struct bbr1 *b = bbr1_of(c);
    (void)now;
    b->full_bw = 0;
    b->full_bw_count = 0;
    c->cwnd_bytes = most(c->cwnd_bytes, b->prior_cwnd);
}

/* "Restarting From Idle" */
static void bbr1_on_flight(struct congestion *c, braid_time now) {
    struct bbr1 *b = bbr1_of(c);
    b->idle_restart = true;
    aggregation_begin(&b->aggregation, now);
    if (b->state == PROBE_BW) set_pacing(c, b, 100);
}

static const char *bbr1_state(const struct congestion *c) {
    static const char *const names[] = {"startup", "drain", "probing bandwidth", "probing rtt"};
    return names[((const struct bbr1 *)(const void *)c->state)->state];
}

const struct congestion_ops congestion_bbr1 = {
    .name = "bbr1",
    .rules_recovery = true,
    .init = bbr1_init,
    .on_ack = bbr1_on_ack,
    .on_loss = bbr1_on_loss,
    .on_recovered = bbr1_on_recovered,
    .on_mark = bbr1_on_mark,
    .on_timeout = bbr1_on_timeout,
    .on_undo = bbr1_on_undo,
    .on_restart = bbr_on_restart,
    .on_flight = bbr1_on_flight,
    .state = bbr1_state,
};
