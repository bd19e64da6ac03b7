/* A segment comes in (RFC 9293 §3.10.7.4, with RFC 5961 and RFC 7323): every check has its reason and counter. */
#include "tcp_internal.h"

enum acceptability { ACCEPTABLE, OLD_DATA, OLD_EMPTY, BEYOND };

/* [MUST-66] */
/* RFC 9293 §3.10.7.4, first. Two liberties: a segment without data may be as old as our last ACK, so that an ACK
 * overtaken by data still counts; and one at the very edge of the window passes, its data cut off later, so that its
 * ACK counts while our window is closed. */
static enum acceptability judge(const struct tcp *t, const struct tcp_segment *s) {
    uint32_t length = tcp_segment_length(s);
    if (seq32_gt(s->seq, t->rcv_adv)) return BEYOND;
    if (length > 0) return seq32_gt(seq32_add(s->seq, length), t->rcv_nxt) ? ACCEPTABLE : OLD_DATA;
    return seq32_ge(s->seq, t->acks.last_sent) ? ACCEPTABLE : OLD_EMPTY;
}

/* The peer sent what we have: our ACK got lost, or it probes. */
static void refuse_old_data(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    COUNT_DROP(t, now, outside_window);
    t->counts.bytes_received_duplicate += s->payload_length;
    if (s->payload_length > 0) ack_policy_duplicate(t, s->seq, seq32_add(s->seq, s->payload_length));
    t->acks.now = true;
    if (t->state == TCP_STATE_TIME_WAIT && (s->flags & TCP_FIN)) close_time_wait(t, now);
}

/* A retransmitted SYN, or the SYN/ACK of a simultaneous open. True if `s` is dealt with. */
static bool repeated_syn(struct tcp *t, const struct tcp_segment *s) {
    if (t->state != TCP_STATE_SYN_RECEIVED || !(s->flags & TCP_SYN) || !seq32_eq(s->seq, t->irs)) return false;
    if (s->flags & (TCP_ACK | TCP_RST)) return false;
    t->handshake.syn_due = true;
    return true;
}

/* False if the segment is refused by where it stands in time or sequence. */
static bool in_place(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    /* [R-7323-5.3-2] */
    if (timestamps_too_old(t, s, now)) {
        COUNT_DROP(t, now, paws);
        if (s->payload_length > 0) {
            t->acks.now = true;
        } else {
            reset_challenge(t, now);
        }
        return false;
    }
    switch (judge(t, s)) {
    case ACCEPTABLE: return true;
    case OLD_DATA: refuse_old_data(t, s, now); return false;
    case OLD_EMPTY:
    case BEYOND:
        COUNT_DROP(t, now, outside_window);
        reset_challenge(t, now);
        return false;
    }
    return false;
}

/* RFC 5961 §5, and RFC 9293's rule for SYN-RECEIVED. */
static bool ack_is_valid(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (!(s->flags & TCP_ACK)) {
        COUNT_DROP(t, now, no_ack);
        return false;
    }
    if (t->state == TCP_STATE_SYN_RECEIVED) {
        if (seq32_gt(s->ack, t->iss) && seq32_le(s->ack, t->snd_nxt)) return true; /* beyond our SYN only with Fast Open */
        COUNT_DROP(t, now, bad_ack);
        reset_reply(t, s, now);
        return false;
    }
    /* [R-5961-5.2-1] */
    bool too_new = seq32_gt(s->ack, t->snd_nxt);
    bool too_old = seq32_lt(s->ack, seq32_back(t->snd_una, t->snd_wnd_max));
    if (!too_new && !too_old) return true;
    COUNT_DROP(t, now, bad_ack);
    reset_challenge(t, now);
    return false;
}

/* The owner's word. False if the segment ends here. */
static bool owner_accepts(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    switch (owner_segment_arrived(t, s, now)) {
    case TCP_VERDICT_ACCEPT: return t->state != TCP_STATE_CLOSED;
    case TCP_VERDICT_DROP: COUNT_DROP(t, now, refused_by_owner); return false;
    case TCP_VERDICT_RESET:
        COUNT_DROP(t, now, refused_by_owner);
        close_abort(t, true, now);
        return false;
    }
    return false;
}

static void establish(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    handshake_completed(t, s, now);
    t->snd_wnd = (uint32_t)s->window << ((s->flags & TCP_SYN) ? 0 : t->send_scale);
    t->snd_wnd_max = t->snd_wnd;
    t->snd_wl1 = s->seq;
    t->snd_wl2 = s->ack;
    owner_established(t, now);
}

/* [MUST-10] Both SYNs crossed, and so may the SYN/ACKs: theirs acknowledges ours, and nothing else will. Its own SYN we
 * have already, so the check of sequence numbers would refuse it as old. */
static bool crossed_syn_ack(const struct tcp *t, const struct tcp_segment *s) {
    return t->state == TCP_STATE_SYN_RECEIVED && !t->handshake.passive && seq32_eq(s->seq, t->irs) &&
           (s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == (TCP_SYN | TCP_ACK) && seq32_eq(s->ack, t->snd_nxt);
}

static void input_after_syn(struct tcp *t, const struct tcp_segment *s, struct braid_buf *buf, uint8_t ecn,
                            braid_time now) {
    if (s->flags & TCP_RST) {
        if (reset_input(t, s, now)) return;
    }
    if (crossed_syn_ack(t, s)) {
        if (!owner_accepts(t, s, now)) return;
        establish(t, s, now);
        t->acks.now = true;
        return;
    }
    if (repeated_syn(t, s) || !in_place(t, s, now)) return;
    if (s->flags & TCP_SYN) {
        /* [R-5961-4.2-1] [R-5961-4.2-2] */
        COUNT_DROP(t, now, syn_in_window); /* RFC 5961 §4: whatever its sequence number */
        reset_challenge(t, now);
        return;
    }
    if (!ack_is_valid(t, s, now) || !owner_accepts(t, s, now)) return; /* [R-3-3] [R-3.4.1-1] [R-3.4.2-6] */
    timestamps_remember(t, s, now);
    if (t->state == TCP_STATE_SYN_RECEIVED) {
        establish(t, s, now);
        if (t->state == TCP_STATE_CLOSED) return;
    }
    ack_process(t, s, now);
    if (t->state == TCP_STATE_CLOSED) return;
    ecn_acknowledged(t, s, now);
    ecn_received(t, s, ecn);
    receive_rtt_update(t, s, now);
    receive_payload(t, s, buf, now);
}

void tcp_input(struct tcp *t, const struct tcp_segment *s, struct braid_buf *buf, uint8_t ecn, braid_time now) {
    saw_time(t, now);
    t->counts.segments_received++;
    switch (t->state) {
    case TCP_STATE_CLOSED:
        COUNT_DROP(t, now, after_close);
        if (t->closed_for_good && !(s->flags & TCP_RST)) reset_reply(t, s, now);
        return;
    case TCP_STATE_SYN_SENT: handshake_input(t, s, now); break;
    case TCP_STATE_SYN_RECEIVED:
        /* Before tcp_answer() the peer can only repeat its SYN, or take it back. */
        if (t->handshake.answer_held && !(s->flags & TCP_RST)) {
            if ((s->flags & TCP_SYN) == 0) COUNT_DROP(t, now, before_answer);
            return;
        }
        input_after_syn(t, s, buf, ecn, now);
        break;
    case TCP_STATE_ESTABLISHED:
    case TCP_STATE_FIN_WAIT_1:
    case TCP_STATE_FIN_WAIT_2:
    case TCP_STATE_CLOSE_WAIT:
    case TCP_STATE_CLOSING:
    case TCP_STATE_LAST_ACK:
    case TCP_STATE_TIME_WAIT: input_after_syn(t, s, buf, ecn, now); break;
    }
    t->counts.last_received_at = now;
    t->keepalive_sent = 0;
    timers_rearm(t, now);
}
