/* Closing: our FIN, the peer's FIN, TIME-WAIT, abort (RFC 9293 §3.6). */
#include "tcp_internal.h"

#define TIME_WAIT_NS (60 * BRAID_NS_PER_S) /* [MUST-13] */

void tcp_shutdown(struct tcp *t, braid_time now) {
    saw_time(t, now);
    if (t->closed_for_good) return;
    t->shutdown = true; /* output sends the FIN when the queue is empty */
    t->rearm_due = true;
}

void tcp_silence(struct tcp *t) {
    t->silenced = true;
    t->tuning.keepalive_idle_ns = 0;
    t->rearm_due = true;
}

void close_fin_sent(struct tcp *t, braid_time now) {
    t->fin_sent = true;
    t->fin_seq = seq32_add(t->queue_start, (uint32_t)t->queue.length);
    state_set(t, t->state == TCP_STATE_CLOSE_WAIT ? TCP_STATE_LAST_ACK : TCP_STATE_FIN_WAIT_1, now);
}

void close_time_wait(struct tcp *t, braid_time now) {
    if (t->state != TCP_STATE_TIME_WAIT) state_set(t, TCP_STATE_TIME_WAIT, now);
    timer_set(t, TIMER_TIME_WAIT, now + (t->config.time_wait_ns > 0 ? t->config.time_wait_ns : TIME_WAIT_NS));
}

void close_fin_acknowledged(struct tcp *t, braid_time now) {
    switch (t->state) {
    case TCP_STATE_FIN_WAIT_1: state_set(t, TCP_STATE_FIN_WAIT_2, now); break;
    case TCP_STATE_CLOSING: close_time_wait(t, now); break;
    case TCP_STATE_LAST_ACK: state_close(t, TCP_CLOSED_NORMALLY, now); break;
    case TCP_STATE_CLOSED:
    case TCP_STATE_SYN_SENT:
    case TCP_STATE_SYN_RECEIVED:
    case TCP_STATE_ESTABLISHED:
    case TCP_STATE_FIN_WAIT_2:
    case TCP_STATE_CLOSE_WAIT:
    case TCP_STATE_TIME_WAIT: break; /* our FIN has not left, or was acknowledged before */
    }
}

void close_peer_fin(struct tcp *t, braid_time now) {
    switch (t->state) {
    case TCP_STATE_ESTABLISHED: state_set(t, TCP_STATE_CLOSE_WAIT, now); break;
    case TCP_STATE_FIN_WAIT_1: state_set(t, TCP_STATE_CLOSING, now); break;
    case TCP_STATE_FIN_WAIT_2: close_time_wait(t, now); break;
    case TCP_STATE_CLOSED:
    case TCP_STATE_SYN_SENT:
    case TCP_STATE_SYN_RECEIVED:
    case TCP_STATE_CLOSE_WAIT:
    case TCP_STATE_CLOSING:
    case TCP_STATE_LAST_ACK:
    case TCP_STATE_TIME_WAIT: return; /* it came before */
    }
    owner_fin_arrived(t, now);
}

/* RFC 9293 §3.10.5: where the peer believes in a connection that is not closing on both sides. */
static bool reset_is_due(enum tcp_state state) {
    switch (state) {
    case TCP_STATE_SYN_RECEIVED:
    case TCP_STATE_ESTABLISHED:
    case TCP_STATE_FIN_WAIT_1:
    case TCP_STATE_FIN_WAIT_2:
    case TCP_STATE_CLOSE_WAIT: return true;
    case TCP_STATE_CLOSED:
    case TCP_STATE_SYN_SENT:
    case TCP_STATE_CLOSING:
    case TCP_STATE_LAST_ACK:
    case TCP_STATE_TIME_WAIT: return false;
    }
    return false;
}

void close_abort(struct tcp *t, bool with_reset, braid_time now) {
    if (t->closed_for_good) return;
    t->reset_due = with_reset && !t->config.reset_silently;
    state_close(t, TCP_CLOSED_ABORTED, now);
}

void tcp_abort(struct tcp *t, braid_time now) {
    saw_time(t, now);
    close_abort(t, reset_is_due(t->state), now);
}
