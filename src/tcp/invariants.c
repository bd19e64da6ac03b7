/* What holds between any two calls. */
#include "tcp_internal.h"

static void check_sending(const struct tcp *t) {
    if (t->state == TCP_STATE_CLOSED || t->state == TCP_STATE_SYN_SENT || t->state == TCP_STATE_SYN_RECEIVED) return;
    ENSURE(seq32_le(t->snd_una, t->snd_nxt));
    scoreboard_check(&t->board, t->snd_una, t->snd_nxt);
    seq32 end = tcp_send_queue_end(t);
    bool fin_acknowledged = t->fin_sent && seq32_gt(t->snd_una, t->fin_seq);
    ENSURE(seq32_eq(t->snd_una, fin_acknowledged ? seq32_add(end, 1) : t->queue_start));
    ENSURE(seq32_le(t->snd_nxt, t->fin_sent ? seq32_add(end, 1) : end));
    ENSURE(!t->fin_sent || (t->shutdown && seq32_eq(t->fin_seq, end)));
    ENSURE(t->congestion.cwnd_bytes > 0 && t->congestion.ssthresh_bytes > 0);
    ENSURE(t->piece_bytes > 0 && t->piece_bytes <= t->mss_bytes);
}

static void check_receiving(const struct tcp *t) {
    reassembly_check(&t->reassembly, t->rcv_nxt);
    if (!state_is_synchronized(t->state)) return;
    ENSURE(seq32_le(t->rcv_nxt, t->rcv_adv) && seq32_le(t->acks.last_sent, t->rcv_nxt));
    if (!reassembly_empty(&t->reassembly)) ENSURE(seq32_le(reassembly_end(&t->reassembly), t->rcv_adv));
    if (t->peer_fin_done) ENSURE(seq32_eq(t->rcv_nxt, seq32_add(t->peer_fin, 1)) && reassembly_empty(&t->reassembly));
}

/* What is outstanding or blocked has a timer: nothing waits for ever. */
static void check_timers(const struct tcp *t) {
    if (!state_is_synchronized(t->state)) return;
    bool loss = t->timers[TIMER_RETRANSMIT] != BRAID_NEVER || t->timers[TIMER_PROBE] != BRAID_NEVER;
    if (!scoreboard_empty(&t->board) && !t->silenced) ENSURE(loss);
    if (t->state == TCP_STATE_TIME_WAIT) ENSURE(t->timers[TIMER_TIME_WAIT] != BRAID_NEVER);
}

void tcp_check_invariants(const struct tcp *t) {
    check_sending(t);
    if (t->state != TCP_STATE_CLOSED) check_receiving(t);
    check_timers(t);
    ENSURE(t->closed_for_good == false || t->state == TCP_STATE_CLOSED);
    if (t->closed_for_good) ENSURE(tcp_deadline(t) == BRAID_NEVER);
}
