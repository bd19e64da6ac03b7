/* BBR version 3, after draft-ietf-ccwg-bbr; its section names stand above the pieces.
 *
 * It keeps a model of the path: the most it delivered (max_bw, over the last two probing cycles), its round
 * trip when nothing queues (min_rtt, ten seconds), how much may be in flight without losing more than 2 %
 * (inflight_hi, learnt by probing; inflight_lo and bw_lo, learnt from losses between probes and forgotten
 * with the next). It sends at the model's rate, with about twice its bandwidth-delay product as the window.
 *
 *     STARTUP    doubles the rate each round trip until that brings no more, or loses too much
 *     DRAIN      empties the queue that this has filled
 *     PROBE_BW   DOWN: sends less, to empty what probing has queued; CRUISE: as much as is delivered, leaving
 * room to others; REFILL: fills the pipe for one round trip; UP: sends more, until there is loss or a queue
 *     PROBE_RTT  at most every five seconds, unless the queue was empty anyway: half the window for 200 ms
 *
 * Deviations: the draft's random waits come from the nanosecond at which they begin, so that runs can be
 * repeated; one acknowledgement that reports loss counts as one of the lost ranges that end STARTUP. */
#include <congestion/congestion.h>

#include "bbr.h"

#define NONE_BYTES UINT32_MAX
#define NONE_RATE UINT64_MAX

enum {
    LOSS_THRESHOLD_PERCENT = 2,
    BETA_PERCENT = 70,
    HEADROOM_PERCENT = 15,
    STARTUP_GAIN_PERCENT = 277, /* 4 ln 2 */
    DRAIN_GAIN_PERCENT = 50,
    CWND_GAIN_PERCENT = 200,
    UP_CWND_GAIN_PERCENT = 225,
    PROBE_RTT_CWND_GAIN_PERCENT = 50,
    FULL_BW_ROUNDS = 3,
    FULL_LOSS_RANGES = 6,
    COEXISTENCE_ROUNDS_MAX = 63,
};
#define MIN_RTT_FILTER_NS (10 * BRAID_NS_PER_S)
#define PROBE_RTT_INTERVAL_NS (5 * BRAID_NS_PER_S)
#define PROBE_RTT_DURATION_NS (200 * BRAID_NS_PER_MS)

enum state { STARTUP, DRAIN, DOWN, CRUISE, REFILL, UP, PROBE_RTT };
enum ack_phase { ACKS_INIT, ACKS_REFILLING, ACKS_PROBE_STARTING, ACKS_PROBE_FEEDBACK, ACKS_PROBE_STOPPING };

struct bbr {
    uint8_t state, ack_phase;
    bool idle_restart : 1, conserve : 1; /* packet conservation: in the first round trip of a recovery */
    bool round_start : 1, loss_round_start : 1, loss_in_round : 1;
    bool full_bw_reached : 1, full_bw_now : 1;
    bool probe_rtt_expired : 1, probe_rtt_round_done : 1;
    bool probe_samples : 1; /* what was sent while probing is still being acknowledged */
    uint8_t full_bw_count, loss_ranges;
    uint8_t up_rounds; /* growth of inflight_hi: 2^up_rounds segments a round trip */
    uint8_t rounds_since_probe;
    uint8_t undo_state;

    /* Rounds, in bytes delivered. */
    uint64_t delivered, round_end, loss_round_end, conserve_until;
    /* Bandwidth, in bytes a second. */
    uint64_t max_bw[2]; /* the last cycle's and this one's */
    uint64_t bw_lo, bw_latest, full_bw, undo_bw_lo;
    /* Volumes, in bytes. */
    uint32_t inflight_hi, inflight_lo, inflight_latest, undo_inflight_hi, undo_inflight_lo;
    uint32_t prior_cwnd, up_acked;
    struct aggregation aggregation;
    /* Round trips. */
    braid_time min_rtt, min_rtt_at, probe_rtt_min, probe_rtt_min_at, probe_rtt_done_at;
    braid_time cycle_at, probe_wait;
} __attribute__((may_alias));
_Static_assert(sizeof(struct bbr) <= CONGESTION_STATE_BYTES, "the state fits");

static struct bbr *bbr_of(struct congestion *c) {
    return (struct bbr *)(void *)c->state;
}

static uint64_t most_rate(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}
static uint32_t percent(uint32_t bytes, uint32_t of) {
    return window_bounded((uint64_t)bytes * of / 100);
}

/* --- the model's figures --- */

static uint64_t max_bw(const struct bbr *b) {
    return most_rate(b->max_bw[0], b->max_bw[1]);
}
static uint64_t model_bw(const struct bbr *b) {
    return max_bw(b) < b->bw_lo ? max_bw(b) : b->bw_lo;
}
static bool probing_bw(const struct bbr *b) {
    return b->state >= DOWN && b->state <= UP;
}
static uint32_t product(const struct congestion *c, const struct bbr *b, uint64_t bw) {
    return bbr_product(c, bw, b->min_rtt);
}

/* BBRQuantizationBudget() */
static uint32_t with_budget(const struct congestion *c, const struct bbr *b, uint64_t bytes) {
    uint32_t inflight = window_at_least(bytes, 3 * bbr_send_quantum(c));
    inflight = most(inflight, bbr_pipe_min(c));
    return b->state == UP ? window_bounded((uint64_t)inflight + 2 * c->mss_bytes) : inflight;
}

static uint32_t inflight_at(const struct congestion *c, const struct bbr *b, uint64_t bw,
                            uint32_t gain_percent) {
    return with_budget(c, b, (uint64_t)product(c, b, bw) * gain_percent / 100);
}

static uint32_t inflight_with_headroom(const struct congestion *c, const struct bbr *b) {
    if (b->inflight_hi == NONE_BYTES) return NONE_BYTES;
    uint32_t headroom = most(c->mss_bytes, percent(b->inflight_hi, HEADROOM_PERCENT));
    return b->inflight_hi > headroom + bbr_pipe_min(c) ? b->inflight_hi - headroom : bbr_pipe_min(c);
}

static uint32_t target_inflight(const struct congestion *c, const struct bbr *b) {
    return least(product(c, b, model_bw(b)), c->cwnd_bytes);
}

static uint32_t pacing_gain(const struct bbr *b) {
    switch ((enum state)b->state) {
    case STARTUP:
        return STARTUP_GAIN_PERCENT;
    case DRAIN:
        return DRAIN_GAIN_PERCENT;
    case DOWN:
        return 90;
    case UP:
        return 125;
    case CRUISE:
    case REFILL:
    case PROBE_RTT:
        break;
    }
    return 100;
}

static uint32_t cwnd_gain(const struct bbr *b) {
    if (b->state == UP) return UP_CWND_GAIN_PERCENT;
    return b->state == PROBE_RTT ? PROBE_RTT_CWND_GAIN_PERCENT : CWND_GAIN_PERCENT;
}

/* --- rounds --- */

static void start_round(struct bbr *b, uint64_t delivered) {
    b->round_end = delivered;
}

static void update_round(struct bbr *b, const struct congestion_ack *ack) {
    b->round_start = ack->rate_valid && ack->delivered_before_bytes >= b->round_end;
    if (!b->round_start) return;
    start_round(b, ack->delivered_total_bytes);
    if (b->rounds_since_probe < UINT8_MAX) b->rounds_since_probe++;
}

/* --- short-term model: bw_lo, inflight_lo --- */

static void reset_short_term(struct bbr *b) {
    b->bw_lo = NONE_RATE;
    b->inflight_lo = NONE_BYTES;
}

/* "Updating the Model": BBRUpdateLatestDeliverySignals(), BBRAdaptLowerBoundsFromCongestion() */
static void update_signals(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    uint64_t delivered = ack->delivered_total_bytes - ack->delivered_before_bytes;
    b->loss_round_start = false;
    b->bw_latest = most_rate(b->bw_latest, ack->sample_bytes_per_s);
    if (ack->rate_valid) b->inflight_latest = most(b->inflight_latest, window_bounded(delivered));
    if (ack->rate_valid && ack->delivered_before_bytes >= b->loss_round_end) {
        b->loss_round_end = ack->delivered_total_bytes;
        b->loss_round_start = true;
    }
    bool counts = ack->sample_bytes_per_s >= max_bw(b) || !ack->application_limited;
    if (counts && ack->sample_bytes_per_s > 0)
        b->max_bw[1] = most_rate(b->max_bw[1], ack->sample_bytes_per_s);
    if (ack->lost_bytes > 0) {
        b->loss_in_round = true;
        if (b->loss_ranges < UINT8_MAX) b->loss_ranges++;
    }
    if (!b->loss_round_start) return;
    bool probing = b->state == STARTUP || b->state == REFILL || b->state == UP;
    if (!probing && b->loss_in_round) {
        if (b->bw_lo == NONE_RATE) b->bw_lo = max_bw(b);
        if (b->inflight_lo == NONE_BYTES) b->inflight_lo = c->cwnd_bytes;
        b->bw_lo = most_rate(b->bw_latest, b->bw_lo / 100 * BETA_PERCENT);
        b->inflight_lo = most(b->inflight_latest, percent(b->inflight_lo, BETA_PERCENT));
    }
}

/* After all else has looked at this round's figures. */
static void advance_signals(struct bbr *b, const struct congestion_ack *ack) {
    if (!b->loss_round_start) return;
    b->loss_in_round = false;
    b->loss_ranges = 0;
    b->bw_latest = ack->sample_bytes_per_s;
    b->inflight_latest = window_bounded(ack->delivered_total_bytes - ack->delivered_before_bytes);
}

/* --- "Startup", "Drain" --- */

static void reset_full_bw(struct bbr *b, uint64_t bw) {
    b->full_bw = bw;
    b->full_bw_count = 0;
    b->full_bw_now = false;
}

static void check_full_bw(struct bbr *b, const struct congestion_ack *ack) {
    if (b->full_bw_now || ack->application_limited || b->state == PROBE_RTT || ack->sample_bytes_per_s == 0)
        return;
    if (ack->sample_bytes_per_s >= b->full_bw + b->full_bw / 4) {
        reset_full_bw(b, ack->sample_bytes_per_s);
        return;
    }
    if (!b->round_start) return;
    b->full_bw_now = ++b->full_bw_count >= FULL_BW_ROUNDS;
    if (b->full_bw_now) b->full_bw_reached = true;
}

static bool loses_too_much(uint32_t lost_bytes, uint32_t sent_in_flight_bytes) {
    return (uint64_t)lost_bytes * 100 > (uint64_t)sent_in_flight_bytes * LOSS_THRESHOLD_PERCENT;
}

static void check_startup_loss(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    if (b->state != STARTUP || b->full_bw_reached || !b->loss_round_start || !ack->in_recovery) return;
    if (b->loss_ranges < FULL_LOSS_RANGES ||
        !loses_too_much(ack->lost_since_bytes, ack->sent_in_flight_bytes))
        return;
    b->full_bw_reached = true;
    b->inflight_hi = most(product(c, b, max_bw(b)), b->inflight_latest);
}

/* --- "ProbeBW" --- */

static void start_down(struct bbr *b, uint64_t delivered, braid_time now) {
    uint64_t draw = bbr_draw(now);
    b->state = DOWN;
    b->ack_phase = ACKS_PROBE_STOPPING;
    b->loss_in_round = false;
    b->bw_latest = 0;
    b->inflight_latest = 0;
    b->rounds_since_probe = (uint8_t)(draw >> 63);
    b->probe_wait = 2 * BRAID_NS_PER_S + (draw >> 32) % BRAID_NS_PER_S;
    b->cycle_at = now;
    start_round(b, delivered);
}

static void start_refill(struct bbr *b, uint64_t delivered) {
    reset_short_term(b);
    b->state = REFILL;
    b->ack_phase = ACKS_REFILLING;
    b->up_rounds = 0;
    b->up_acked = 0;
    start_round(b, delivered);
}

static void start_up(struct bbr *b, const struct congestion_ack *ack) {
    b->state = UP;
    b->ack_phase = ACKS_PROBE_STARTING;
    b->cycle_at = ack->now;
    reset_full_bw(b, ack->sample_bytes_per_s);
    start_round(b, ack->delivered_total_bytes);
}

/* BBRCheckTimeToProbeBW(): after two or three seconds, or as often as Reno would have lost. */
static bool probe_is_due(const struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    uint32_t reno_rounds = least(target_inflight(c, b) / c->mss_bytes, COEXISTENCE_ROUNDS_MAX);
    if (ack->now <= b->cycle_at + b->probe_wait && b->rounds_since_probe < reno_rounds) return false;
    start_refill(b, ack->delivered_total_bytes);
    return true;
}

static bool time_to_cruise(const struct congestion *c, const struct bbr *b, uint32_t in_flight_bytes) {
    if (in_flight_bytes > inflight_with_headroom(c, b)) return false;
    return in_flight_bytes <= inflight_at(c, b, max_bw(b), 100);
}

static bool time_to_go_down(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    if (ack->cwnd_limited && c->cwnd_bytes >= b->inflight_hi) {
        reset_full_bw(
            b, ack->sample_bytes_per_s); /* inflight_hi holds it back: no wonder that it gets no faster */
        return false;
    }
    return b->full_bw_now;
}

/* BBRProbeInflightHiUpward(): by a segment in the first round trip, twice as fast in each further one. */
static void raise_inflight_hi(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    if (!ack->cwnd_limited || c->cwnd_bytes < b->inflight_hi) return;
    uint32_t acked_a_segment = most(c->cwnd_bytes >> b->up_rounds, c->mss_bytes);
    b->up_acked = window_bounded((uint64_t)b->up_acked + ack->acked_bytes);
    uint32_t segments = b->up_acked / acked_a_segment;
    b->up_acked -= segments * acked_a_segment;
    b->inflight_hi = window_bounded(b->inflight_hi + (uint64_t)segments * c->mss_bytes);
    if (b->round_start && b->up_rounds < 30) b->up_rounds++;
}

static void too_much_in_flight(struct congestion *c, struct bbr *b, uint32_t in_flight_bytes,
                               bool application_limited, uint64_t delivered, braid_time now) {
    b->probe_samples = false;
    if (!application_limited)
        b->inflight_hi = most(in_flight_bytes, percent(target_inflight(c, b), BETA_PERCENT));
    if (b->state == UP) start_down(b, delivered, now);
}

/* BBRAdaptLongTermModel() */
static void adapt_long_term(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    if (b->ack_phase == ACKS_PROBE_STARTING && b->round_start) b->ack_phase = ACKS_PROBE_FEEDBACK;
    if (b->ack_phase == ACKS_PROBE_STOPPING && b->round_start) {
        b->ack_phase = ACKS_INIT;
        b->probe_samples = false;
        if (probing_bw(b) && !ack->application_limited && b->max_bw[1] > 0) {
            b->max_bw[0] = b->max_bw[1];
            b->max_bw[1] = 0;
        }
    }
    if (!ack->rate_valid) return;
    if (loses_too_much(ack->lost_since_bytes, ack->sent_in_flight_bytes)) {
        if (b->probe_samples)
            too_much_in_flight(c, b, ack->sent_in_flight_bytes, ack->application_limited,
                               ack->delivered_total_bytes, ack->now);
        return;
    }
    if (b->inflight_hi == NONE_BYTES) return;
    b->inflight_hi = most(b->inflight_hi, ack->sent_in_flight_bytes);
    if (b->state == UP) raise_inflight_hi(c, b, ack);
}

static void update_cycle(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    if (!b->full_bw_reached) return;
    adapt_long_term(c, b, ack);
    switch ((enum state)b->state) {
    case DOWN:
        if (!probe_is_due(c, b, ack) && time_to_cruise(c, b, ack->in_flight_now_bytes)) b->state = CRUISE;
        break;
    case CRUISE:
        (void)probe_is_due(c, b, ack);
        break;
    case REFILL:
        if (!b->round_start) break;
        b->probe_samples = true;
        start_up(b, ack);
        break;
    case UP:
        if (time_to_go_down(c, b, ack)) start_down(b, ack->delivered_total_bytes, ack->now);
        break;
    case STARTUP:
    case DRAIN:
    case PROBE_RTT:
        break;
    }
}

/* --- "ProbeRTT" --- */

static void update_min_rtt(struct bbr *b, const struct congestion_ack *ack) {
    b->probe_rtt_expired = ack->now > b->probe_rtt_min_at + PROBE_RTT_INTERVAL_NS;
    if (ack->rtt_ns > 0 && (ack->rtt_ns < b->probe_rtt_min || b->probe_rtt_expired)) {
        b->probe_rtt_min = ack->rtt_ns;
        b->probe_rtt_min_at = ack->now;
    }
    if (b->probe_rtt_min < b->min_rtt || ack->now > b->min_rtt_at + MIN_RTT_FILTER_NS) {
        b->min_rtt = b->probe_rtt_min;
        b->min_rtt_at = b->probe_rtt_min_at;
    }
}

static void save_cwnd(struct congestion *c, struct bbr *b, bool in_recovery) {
    bool whole = !in_recovery && b->state != PROBE_RTT;
    b->prior_cwnd = whole ? c->cwnd_bytes : most(b->prior_cwnd, c->cwnd_bytes);
}

static uint32_t probe_rtt_cwnd(const struct congestion *c, const struct bbr *b) {
    return most(percent(product(c, b, model_bw(b)), PROBE_RTT_CWND_GAIN_PERCENT), bbr_pipe_min(c));
}

static void leave_probe_rtt(struct congestion *c, struct bbr *b, uint64_t delivered, braid_time now) {
    if (b->probe_rtt_done_at == 0 || now <= b->probe_rtt_done_at) return;
    b->probe_rtt_min_at = now;
    c->cwnd_bytes = most(c->cwnd_bytes, b->prior_cwnd);
    reset_short_term(b);
    if (!b->full_bw_reached) {
        b->state = STARTUP;
        return;
    }
    start_down(b, delivered, now);
    b->state = CRUISE;
}

static void check_probe_rtt(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    if (b->state != PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
        save_cwnd(c, b, ack->in_recovery);
        b->state = PROBE_RTT;
        b->probe_rtt_done_at = 0;
        b->ack_phase = ACKS_PROBE_STOPPING;
        start_round(b, ack->delivered_total_bytes);
    }
    if (b->state == PROBE_RTT && b->probe_rtt_done_at == 0) {
        if (ack->in_flight_now_bytes <= probe_rtt_cwnd(c, b)) {
            b->probe_rtt_done_at = ack->now + PROBE_RTT_DURATION_NS;
            b->probe_rtt_round_done = false;
            start_round(b, ack->delivered_total_bytes);
        }
    } else if (b->state == PROBE_RTT) {
        if (b->round_start) b->probe_rtt_round_done = true;
        if (b->probe_rtt_round_done) leave_probe_rtt(c, b, ack->delivered_total_bytes, ack->now);
    }
    b->idle_restart = false;
}

/* --- "Setting the Pacing Rate", "Setting the Congestion Window" --- */

static void set_pacing(struct congestion *c, const struct bbr *b, uint32_t gain_percent, braid_time srtt_ns) {
    bbr_init_pacing(c, srtt_ns, STARTUP_GAIN_PERCENT);
    uint64_t rate = bbr_pacing_rate(model_bw(b), gain_percent);
    if (rate > 0 && (b->full_bw_reached || rate > c->pacing_bytes_per_s)) c->pacing_bytes_per_s = rate;
}

static void bound_by_model(struct congestion *c, const struct bbr *b) {
    uint32_t cap = NONE_BYTES;
    if (probing_bw(b) && b->state != CRUISE)
        cap = b->inflight_hi;
    else if (b->state == PROBE_RTT || b->state == CRUISE)
        cap = inflight_with_headroom(c, b);
    cap = most(least(cap, b->inflight_lo), bbr_pipe_min(c));
    if (b->state == PROBE_RTT) cap = least(cap, probe_rtt_cwnd(c, b));
    c->cwnd_bytes = least(c->cwnd_bytes, cap);
}

static void set_cwnd(struct congestion *c, struct bbr *b, const struct congestion_ack *ack) {
    uint64_t wanted = (uint64_t)product(c, b, model_bw(b)) * cwnd_gain(b) / 100 + aggregation_bytes(&b->aggregation);
    uint32_t limit = with_budget(c, b, wanted);
    uint32_t grown = window_bounded((uint64_t)c->cwnd_bytes + ack->acked_bytes);
    if (b->conserve && ack->rate_valid && ack->delivered_before_bytes >= b->conserve_until)
        b->conserve = false;
    if (b->conserve) {
        /* "Modulating cwnd in Loss Recovery": as much as arrives, for a round trip. */
        uint32_t left = c->cwnd_bytes > ack->lost_bytes ? c->cwnd_bytes - ack->lost_bytes : c->mss_bytes;
        c->cwnd_bytes = most(left, window_bounded((uint64_t)ack->in_flight_now_bytes + ack->acked_bytes));
    } else if (b->full_bw_reached) {
        c->cwnd_bytes = least(grown, limit);
    } else if (c->cwnd_bytes < limit || ack->delivered_total_bytes < window_initial(c->mss_bytes)) {
        c->cwnd_bytes = grown;
    }
    c->cwnd_bytes = most(c->cwnd_bytes, bbr_pipe_min(c));
    bound_by_model(c, b);
    c->ssthresh_bytes =
        b->full_bw_reached ? c->cwnd_bytes : UINT32_MAX; /* for those who ask whether it still starts */
}

/* --- the operations --- */

static void bbr_init(struct congestion *c, braid_time now) {
    struct bbr *b = bbr_of(c);
    *b = (struct bbr){.inflight_hi = NONE_BYTES,
                      .min_rtt = BRAID_NEVER,
                      .probe_rtt_min = BRAID_NEVER,
                      .min_rtt_at = now,
                      .probe_rtt_min_at = now,
                      .aggregation = {.since = now}};
    reset_short_term(b);
}

static void bbr_on_ack(struct congestion *c, const struct congestion_ack *ack) {
    struct bbr *b = bbr_of(c);
    b->delivered = ack->delivered_total_bytes;
    update_round(b, ack);
    update_signals(c, b, ack);
    aggregation_on_ack(&b->aggregation, c, ack, model_bw(b), b->round_start, b->full_bw_reached ? AGGREGATION_ROUNDS : 1);
    check_full_bw(b, ack);
    check_startup_loss(c, b, ack);
    if (b->state == STARTUP && b->full_bw_reached) b->state = DRAIN;
    if (b->state == DRAIN && ack->in_flight_now_bytes <= inflight_at(c, b, max_bw(b), 100))
        start_down(b, ack->delivered_total_bytes, ack->now);
    update_cycle(c, b, ack);
    update_min_rtt(b, ack);
    check_probe_rtt(c, b, ack);
    advance_signals(b, ack);
    set_pacing(c, b, pacing_gain(b), ack->srtt_ns);
    set_cwnd(c, b, ack);
}

/* BBRHandleLostPacket(): while probing, the first packet whose flight lost too much says how much was too
 * much. */
static void bbr_on_packet_lost(struct congestion *c, const struct congestion_lost *lost) {
    struct bbr *b = bbr_of(c);
    b->delivered = lost->delivered_total_bytes;
    if (!b->loss_in_round) b->loss_round_end = lost->delivered_total_bytes;
    b->loss_in_round = true;
    if (!b->probe_samples || !loses_too_much(lost->lost_since_bytes, lost->sent_in_flight_bytes)) return;
    /* BBRInflightAtLoss(): where in this packet the line was crossed. */
    uint32_t before = lost->sent_in_flight_bytes - least(lost->bytes, lost->sent_in_flight_bytes);
    uint32_t lost_before = lost->lost_since_bytes - least(lost->bytes, lost->lost_since_bytes);
    int64_t room = (int64_t)before * LOSS_THRESHOLD_PERCENT - (int64_t)lost_before * 100;
    int64_t prefix = room > 0 ? room / (100 - LOSS_THRESHOLD_PERCENT) : 0;
    too_much_in_flight(c, b, window_bounded(before + (uint64_t)prefix), lost->application_limited,
                       lost->delivered_total_bytes, lost->now);
}

static void remember_for_undo(struct bbr *b) {
    b->undo_state = b->state;
    b->undo_bw_lo = b->bw_lo;
    b->undo_inflight_hi = b->inflight_hi;
    b->undo_inflight_lo = b->inflight_lo;
}

static void bbr_on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    struct bbr *b = bbr_of(c);
    (void)in_flight_bytes, (void)now;
    save_cwnd(c, b, false);
    remember_for_undo(b);
    b->conserve = true;
    b->conserve_until = b->delivered;
}

/* A mark is a loss, as far as the model goes, of a round trip that should not have had so much in flight. */
static void bbr_on_mark(struct congestion *c, braid_time now) {
    struct bbr *b = bbr_of(c);
    b->loss_in_round = true;
    if (b->probe_samples) too_much_in_flight(c, b, b->inflight_latest, false, b->delivered, now);
}

static void bbr_on_recovered(struct congestion *c, braid_time now) {
    struct bbr *b = bbr_of(c);
    (void)now;
    b->conserve = false;
    c->cwnd_bytes = most(c->cwnd_bytes, b->prior_cwnd);
    bound_by_model(c, b);
}

static void bbr_on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    struct bbr *b = bbr_of(c);
    (void)in_flight_bytes, (void)now;
    save_cwnd(c, b, b->conserve);
    remember_for_undo(b);
    b->conserve = false;
    c->cwnd_bytes = c->mss_bytes;
}

/* "Handling Spurious Loss Detection" */
static void bbr_on_undo(struct congestion *c, braid_time now) {
    struct bbr *b = bbr_of(c);
    (void)now;
    b->loss_in_round = false;
    reset_full_bw(b, 0);
    b->bw_lo = most_rate(b->bw_lo, b->undo_bw_lo);
    b->inflight_lo = most(b->inflight_lo, b->undo_inflight_lo);
    b->inflight_hi = most(b->inflight_hi, b->undo_inflight_hi);
    if (b->state != PROBE_RTT && b->undo_state == STARTUP && b->state != STARTUP) {
        b->state = STARTUP;
        b->full_bw_reached = false;
    }
    c->cwnd_bytes = most(c->cwnd_bytes, b->prior_cwnd);
}

/* "Restarting From Idle" */
static void bbr_on_flight(struct congestion *c, braid_time now) {
    struct bbr *b = bbr_of(c);
    b->idle_restart = true;
    aggregation_begin(&b->aggregation, now);
    if (probing_bw(b))
        set_pacing(c, b, 100, 0);
    else if (b->state == PROBE_RTT)
        leave_probe_rtt(c, b, b->delivered, now);
}

static const char *bbr_state(const struct congestion *c) {
    static const char *const names[] = {"startup", "drain", "probing down", "cruising", "refilling", "probing up", "probing rtt"};
    return names[((const struct bbr *)(const void *)c->state)->state];
}

const struct congestion_ops congestion_bbr = {
    .name = "bbr",
    .rules_recovery = true,
    .init = bbr_init,
    .on_ack = bbr_on_ack,
    .on_packet_lost = bbr_on_packet_lost,
    .on_loss = bbr_on_loss,
    .on_recovered = bbr_on_recovered,
    .on_mark = bbr_on_mark,
    .on_timeout = bbr_on_timeout,
    .on_undo = bbr_on_undo,
    .on_restart = bbr_on_restart,
    .on_flight = bbr_on_flight,
    .state = bbr_state,
};
