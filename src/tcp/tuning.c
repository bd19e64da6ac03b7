/* What an application may set while the connection lives: Nagle's delay, corking, keepalive, how long to wait for a peer
 * that does not answer.
 *
 * CORK       Corked, only full segments leave: until the cork is pulled, the stream ends, or 200 ms have passed since
 *            there was a rest that is no full segment.
 * KEEPALIVE  Nothing came for keepalive_idle: a probe, which the peer has to answer (RFC 9293 §3.8.4); after
 *            keepalive_probes of them, keepalive_interval apart, the peer is taken for gone. Data in flight has timers
 *            of its own, and is not probed. */
#include "tcp_internal.h"

#define CORK_NS (200 * BRAID_NS_PER_MS)
#define KEEPALIVE_INTERVAL_NS (75 * BRAID_NS_PER_S)
#define KEEPALIVE_PROBES 9

void tcp_tune(struct tcp *t, const struct tcp_tuning *tuning, braid_time now) {
    saw_time(t, now);
    t->tuning = *tuning;
    t->cork_expired = false;
    t->keepalive_sent = 0;
    timer_clear(t, TIMER_CORK);
    timer_clear(t, TIMER_KEEPALIVE);
    t->rearm_due = true;
}

bool tuning_corked(const struct tcp *t) { return t->tuning.cork && !t->shutdown && !t->cork_expired; }

static void arm_cork(struct tcp *t, braid_time now) {
    uint32_t unsent = tcp_unsent(t);
    if (unsent == 0) t->cork_expired = false;
    if (!tuning_corked(t) || unsent % t->piece_bytes == 0) {
        timer_clear(t, TIMER_CORK);
    } else if (t->timers[TIMER_CORK] == BRAID_NEVER) {
        timer_set(t, TIMER_CORK, now + CORK_NS);
    }
}

void tuning_cork_fired(struct tcp *t) { t->cork_expired = true; }

/* [MUST-24] [MUST-25] [MUST-26] [MUST-27] [MUST-29] */
static braid_time keepalive_at(const struct tcp *t) {
    braid_time interval = t->tuning.keepalive_interval_ns > 0 ? t->tuning.keepalive_interval_ns : KEEPALIVE_INTERVAL_NS;
    bool waits = t->tuning.keepalive_idle_ns > 0 && t->state != TCP_STATE_TIME_WAIT && scoreboard_empty(&t->board);
    if (!waits) return BRAID_NEVER;
    if (t->keepalive_sent > 0) return t->keepalive_sent_at + interval;
    return t->counts.last_received_at + t->tuning.keepalive_idle_ns;
}

void tuning_keepalive_fired(struct tcp *t, braid_time now) {
    unsigned most = t->tuning.keepalive_probes > 0 ? t->tuning.keepalive_probes : KEEPALIVE_PROBES;
    if (keepalive_at(t) > now) return; /* something came since */
    if (t->keepalive_sent >= most) {
        state_close(t, TCP_CLOSED_TIMEOUT, now);
        return;
    }
    t->keepalive_sent++;
    t->keepalive_sent_at = now;
    t->probe_ack_due = true;
}

void tuning_rearm(struct tcp *t, braid_time now) {
    arm_cork(t, now);
    timer_set(t, TIMER_KEEPALIVE, keepalive_at(t));
}
