/* The timers of a subflow, all of them:
 *
 * CONNECT      From tcp_connect() or tcp_answer(): the attempt is given up.
 * RETRANSMIT   While SYN or SYN/ACK is unanswered: it is sent again, after 1 s, 2 s, 4 s, ... Later, while anything
 *              is unacknowledged and PROBE is not running: the retransmission timeout, counted from the last
 *              progress of snd_una, or from when the flight began (RFC 6298), doubled with every firing in a row.
 * PROBE        Before RETRANSMIT, once a flight: two round trips without progress ask for a tail loss probe
 *              (RFC 8985 §7). Afterwards RETRANSMIT counts from the probe. Unlike in the RFC, sending more data does
 *              not put it off: an answer to the oldest byte is overdue however much was sent behind it, and a stream
 *              of small messages into a dead path would otherwise be noticed only by the timeout.
 * REORDER      While segments wait for RACK's reordering window to pass (RFC 8985 §6.2): then they are lost.
 * PERSIST      While nothing is unacknowledged and the peer's window holds data or FIN back: a probe, at intervals
 *              that double up to a minute, for ever as long as the peer answers (RFC 9293 §3.8.6.1).
 * DELAYED_ACK  40 ms after the first segment that was not acknowledged at once.
 * PACE         When the pace, or a shortage of memory, lets new data go. Nothing happens in here: tcp_output() is
 *              called after it anyway.
 * TIME_WAIT    The end.
 * CORK, KEEPALIVE  See tuning.c.
 *
 * RETRANSMIT, PROBE, REORDER, PERSIST, PACE, CORK and KEEPALIVE are worked out anew, by timers_rearm(), after everything that could
 * have changed them; the others are set where they begin. */
#include "tcp_internal.h"

#define RTO_MAX_NS (60 * BRAID_NS_PER_S)
#define PROBE_MIN_NS (4 * BRAID_NS_PER_MS) /* a peer may be busy for so long */
#define PEER_ACK_DELAY_NS (45 * BRAID_NS_PER_MS) /* common stacks delay by 40 ms */
#define PROMPT_SEGMENTS UINT32_C(16)
/* [SHLD-11] */
#define USER_TIMEOUT_NS (UINT64_C(900) * BRAID_NS_PER_S)

void timers_init(struct tcp *t) {
    for (unsigned i = 0; i < TIMER_COUNT; i++) t->timers[i] = BRAID_NEVER;
}

void timer_set(struct tcp *t, enum tcp_timer timer, braid_time deadline) { t->timers[timer] = deadline; }
void timer_clear(struct tcp *t, enum tcp_timer timer) { t->timers[timer] = BRAID_NEVER; }

braid_time tcp_deadline(const struct tcp *t) {
    braid_time first = BRAID_NEVER;
    for (unsigned i = 0; i < TIMER_COUNT; i++) {
        if (t->timers[i] < first) first = t->timers[i];
    }
    return first;
}

static braid_time backed_off(braid_time interval, unsigned times) {
    for (unsigned i = 0; i < times && interval < RTO_MAX_NS; i++) interval *= 2;
    return interval < RTO_MAX_NS ? interval : RTO_MAX_NS;
}

/* [R-6298-5-3] */
braid_time timers_rto(const struct tcp *t) { return backed_off(t->rtt.rto_ns, t->timeouts); }

/* --- arming --- */

/* A peer that had a hole acknowledges what comes then at once (Linux sixteen segments), and where segments have just been
 * lost so may the last one be, which nothing but a probe tells of. */
/* [R-8985-7.2-3] */
static braid_time probe_timeout(const struct tcp *t) {
    braid_time timeout = 2 * t->rtt.srtt_ns;
    bool prompt = t->board.in_flight_bytes > t->piece_bytes || recovery_lately(t, PROMPT_SEGMENTS * t->piece_bytes);
    if (!prompt) timeout += PEER_ACK_DELAY_NS;
    return timeout > PROBE_MIN_NS ? timeout : PROBE_MIN_NS;
}

static void arm_loss(struct tcp *t) {
    timer_clear(t, TIMER_PERSIST);
    timer_set(t, TIMER_REORDER, t->rack.deadline);
    /* [R-6298-5-1] */
    braid_time timeout_at = t->progress_at + timers_rto(t);
    /* [R-8985-7.2-1] [R-8985-7.2-2] [R-8985-7.3-2] [R-8985-7.3-6] [R-8985-8-1] */
    if (!probe_may_be_armed(t)) {
        timer_set(t, TIMER_RETRANSMIT, timeout_at);
        return;
    }
    braid_time probe_at = t->progress_at + probe_timeout(t);
    timer_set(t, TIMER_PROBE, probe_at < timeout_at ? probe_at : timeout_at);
}

/* [MUST-35] [MUST-36] [SHLD-29] [SHLD-30] */
static void arm_persist(struct tcp *t, braid_time now) {
    if (!output_window_blocks(t)) {
        timer_clear(t, TIMER_PERSIST);
    } else if (t->timers[TIMER_PERSIST] == BRAID_NEVER) {
        if (t->persist_backoff == 0) t->alive_at = now;
        timer_set(t, TIMER_PERSIST, now + backed_off(t->rtt.rto_ns, t->persist_backoff));
    }
}

void timers_rearm(struct tcp *t, braid_time now) {
    if (!state_is_synchronized(t->state)) return;
    timer_clear(t, TIMER_RETRANSMIT);
    timer_clear(t, TIMER_PROBE);
    timer_clear(t, TIMER_REORDER);
    if (t->silenced) {
        timer_clear(t, TIMER_PERSIST);
        timer_clear(t, TIMER_PACE);
        timer_clear(t, TIMER_CORK);
        timer_clear(t, TIMER_KEEPALIVE);
        return;
    }
    if (scoreboard_empty(&t->board)) {
        arm_persist(t, now);
    } else {
        arm_loss(t);
    }
    if (t->timers[TIMER_PACE] <= now) pacing_woken_late(t, now - t->timers[TIMER_PACE]);
    timer_set(t, TIMER_PACE, output_pace_release(t));
    if (t->tuning.cork || t->tuning.keepalive_idle_ns > 0) tuning_rearm(t, now);
}

/* --- firing --- */

/* [MUST-20] [MUST-21] True if the peer has been silent for too long. */
static bool user_timeout(struct tcp *t, braid_time now) {
    braid_time limit = t->tuning.user_timeout_ns > 0 ? t->tuning.user_timeout_ns : USER_TIMEOUT_NS;
    if (now - t->alive_at < limit) return false;
    state_close(t, TCP_CLOSED_TIMEOUT, now);
    return true;
}

static void fire_retransmit(struct tcp *t, braid_time now) {
    if (!state_is_synchronized(t->state)) {
        handshake_retransmit(t, now);
        return;
    }
    if (user_timeout(t, now)) return;
    t->timeouts++;
    t->counts.timeouts++;
    t->progress_at = now;
    recovery_on_timeout(t, now);
    pmtu_on_timeout(t, now);
    pacing_update(t);
    owner_suspected(t, t->timeouts, now);
}

static void fire_probe(struct tcp *t, braid_time now) {
    t->probe.due = true;
    t->progress_at = now;
    owner_suspected(t, 0, now);
}

static void fire_reorder(struct tcp *t, braid_time now) {
    uint32_t lost = rack_detect_losses(t, now);
    if (lost > 0) recovery_on_loss(t, lost, now, "rack timer");
}

static void fire_persist(struct tcp *t, braid_time now) {
    if (user_timeout(t, now)) return;
    t->persist_backoff++;
    if (window_usable(t) > 0) {
        t->persist_override = true;
    } else {
        t->probe_ack_due = true;
    }
}

static const char *timer_name(enum tcp_timer timer) {
    switch (timer) {
    case TIMER_RETRANSMIT: return "retransmit";
    case TIMER_PROBE: return "probe";
    case TIMER_REORDER: return "reorder";
    case TIMER_PERSIST: return "persist";
    case TIMER_DELAYED_ACK: return "delayed ack";
    case TIMER_PACE: return "pace";
    case TIMER_TIME_WAIT: return "time-wait";
    case TIMER_CONNECT: return "connect";
    case TIMER_CORK: return "cork";
    case TIMER_KEEPALIVE: return "keepalive";
    case TIMER_COUNT: break;
    }
    return "unknown";
}

static void fire(struct tcp *t, enum tcp_timer timer, braid_time now) {
    switch (timer) {
    case TIMER_RETRANSMIT: fire_retransmit(t, now); break;
    case TIMER_PROBE: fire_probe(t, now); break;
    case TIMER_REORDER: fire_reorder(t, now); break;
    case TIMER_PERSIST: fire_persist(t, now); break;
    case TIMER_DELAYED_ACK: ack_policy_delayed(t); break;
    case TIMER_PACE: break;
    case TIMER_TIME_WAIT: state_close(t, TCP_CLOSED_NORMALLY, now); break;
    case TIMER_CONNECT: handshake_give_up(t, now); break;
    case TIMER_CORK: tuning_cork_fired(t); break;
    case TIMER_KEEPALIVE: tuning_keepalive_fired(t, now); break;
    case TIMER_COUNT: break;
    }
}

void tcp_expire(struct tcp *t, braid_time now) {
    saw_time(t, now);
    for (enum tcp_timer timer = 0; timer < TIMER_COUNT; timer++) {
        if (t->timers[timer] > now) continue;
        if (timer == TIMER_PACE) pacing_woken_late(t, now - t->timers[TIMER_PACE]);
        timer_clear(t, timer);
        if (timer != TIMER_PACE && timer != TIMER_DELAYED_ACK) {
            TRACE(t->env, now, timer_fired, .connection = t->config.connection_number,
                  .subflow = t->config.subflow_number, .timer = timer_name(timer));
        }
        fire(t, timer, now);
        if (t->state == TCP_STATE_CLOSED) return;
    }
    timers_rearm(t, now);
}
