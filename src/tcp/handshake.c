/* Opening: active, passive, simultaneous (RFC 9293 §3.5). */
#include "tcp_internal.h"

#define SYN_RTO_NS BRAID_NS_PER_S
#define RTO_AFTER_SYN_TIMEOUT_NS (3 * BRAID_NS_PER_S)
#define SYN_RTO_MAX_NS (60 * BRAID_NS_PER_S)
#define CONNECT_TIMEOUT_NS (127 * BRAID_NS_PER_S)
#define PEER_MSS_DEFAULT_V4 536 /* RFC 9293 §3.7.1 */
#define PEER_MSS_DEFAULT_V6 1220

/* --- SYN out --- */

static void begin(struct tcp *t, bool passive, braid_time now) {
    braid_time limit = t->config.connect_timeout_ns;
    t->handshake.passive = passive;
    t->handshake.started_at = now;
    t->handshake.syn_due = true;
    t->snd_nxt = seq32_add(t->iss, 1);
    timer_set(t, TIMER_CONNECT, now + (limit > 0 ? limit : CONNECT_TIMEOUT_NS));
}

void tcp_connect(struct tcp *t, braid_time now) {
    ENSURE(t->state == TCP_STATE_CLOSED && !t->closed_for_good);
    saw_time(t, now);
    state_set(t, TCP_STATE_SYN_SENT, now);
    begin(t, false, now);
}

void handshake_syn_left(struct tcp *t, braid_time now) {
    struct handshake *h = &t->handshake;
    braid_time wait = SYN_RTO_NS;
    for (unsigned i = 0; i < h->retransmissions && wait < SYN_RTO_MAX_NS && !t->config.syn_every_second; i++) wait *= 2;
    h->syn_due = false;
    h->syns_left++;
    h->syn_sent_at = now;
    timer_set(t, TIMER_RETRANSMIT, now + (wait < SYN_RTO_MAX_NS ? wait : SYN_RTO_MAX_NS));
}

void handshake_retransmit(struct tcp *t, braid_time now) {
    (void)now;
    t->handshake.retransmissions++;
    t->handshake.syn_due = true;
    t->counts.timeouts++;
}

void handshake_give_up(struct tcp *t, braid_time now) {
    state_close(t, t->icmp_seen ? TCP_CLOSED_UNREACHABLE : TCP_CLOSED_TIMEOUT, now);
}

/* --- SYN in --- */

void handshake_take_options(struct tcp *t, const struct tcp_segment *syn) {
    const struct tcp_options *o = &syn->options;
    /* [MUST-15] */
    uint32_t fallback = t->config.flow.local.family == IP_V6 ? PEER_MSS_DEFAULT_V6 : PEER_MSS_DEFAULT_V4;
    t->peer_mss_bytes = o->has_mss ? o->mss : fallback;
    if (t->peer_mss_bytes < TCP_MSS_MIN_BYTES) {
        COUNT_IGNORED(t, t->seen_at, "MSS", mss_too_small);
        t->peer_mss_bytes = TCP_MSS_MIN_BYTES;
    }
    t->sack_permitted &= o->sack_permitted;
    t->timestamps.enabled &= o->has_timestamps;
    /* [R-7323-2.2-2] [R-7323-2.2-3] */
    t->scaling &= o->has_window_scale;
    t->timestamps.recent = o->has_timestamps ? o->timestamp_value : 0;
    t->timestamps.recent_at = t->seen_at;
    if (t->scaling) {
        /* [R-7323-2.3-3] */
        t->send_scale = o->window_scale;
        if (o->window_scale > TCP_WINDOW_SCALE_MAX) {
            COUNT_IGNORED(t, t->seen_at, "window scale", window_scale_too_large);
            t->send_scale = TCP_WINDOW_SCALE_MAX;
        }
    } else {
        t->send_scale = 0;
        t->receive_scale = 0;
    }
    mss_update(t);
}

static void take_syn(struct tcp *t, const struct tcp_segment *syn) {
    t->irs = syn->seq;
    t->rcv_nxt = t->rcv_adv = t->acks.last_sent = seq32_add(syn->seq, 1);
    handshake_take_options(t, syn);
    ecn_handshake(t, syn);
    /* [R-7323-2.2-4] */
    t->snd_wnd = t->snd_wnd_max = syn->window; /* never scaled in a SYN */
    t->snd_wl1 = syn->seq;
    t->snd_wl2 = syn->ack;
}

bool tcp_accept(struct tcp *t, const struct tcp_segment *syn, braid_time now) {
    ENSURE(t->state == TCP_STATE_CLOSED && !t->closed_for_good);
    saw_time(t, now);
    t->counts.segments_received++;
    t->counts.last_received_at = now;
    if (owner_segment_arrived(t, syn, now) != TCP_VERDICT_ACCEPT) {
        COUNT_DROP(t, now, refused_by_owner);
        return false;
    }
    if (t->closed_for_good) return false; /* the owner aborted in there */
    take_syn(t, syn);
    state_set(t, TCP_STATE_SYN_RECEIVED, now);
    t->handshake.passive = true;
    t->handshake.answer_held = true;
    return true;
}

void tcp_answer(struct tcp *t, braid_time now) {
    saw_time(t, now);
    if (t->state != TCP_STATE_SYN_RECEIVED || !t->handshake.answer_held) return;
    t->handshake.answer_held = false;
    begin(t, true, now);
}

/* --- done --- */

static void take_rtt(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (t->config.secrets.resumed) return;
    if (t->handshake.syns_left <= 1) { /* or it is not known which one was answered */
        rtt_sample(t, now - t->handshake.syn_sent_at, now);
    } else {
        braid_time rtt = timestamps_echo_rtt(t, s, now);
        if (rtt > 0) rtt_sample(t, rtt, now);
        else t->rtt.rto_ns = RTO_AFTER_SYN_TIMEOUT_NS; /* [R-6298-5-4] */
    }
}

void handshake_start_sending(struct tcp *t, braid_time now) {
    /* [R-5681-3.1-3] [R-5681-3.1-6] */
    congestion_start(&t->congestion, t->config.congestion, t->mss_bytes, now);
    if (t->config.coupled != NULL) congestion_couple(&t->congestion, t->config.coupled);
    /* RFC 5681 §3.1: a lost SYN is a sign of congestion; one may have been a spurious timeout. */
    /* [R-5681-3.1-4] */
    if (t->handshake.retransmissions > 1) t->congestion.cwnd_bytes = t->mss_bytes;
    rack_init(t);
    t->recovery.point = t->iss;
}

/* Our SYN is acknowledged and the peer's is here. */
void handshake_completed(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    timer_clear(t, TIMER_CONNECT);
    timer_clear(t, TIMER_RETRANSMIT);
    t->snd_una = seq32_add(t->iss, 1u + t->early_sent_bytes);
    take_rtt(t, s, now);
    if (!t->early_open) handshake_start_sending(t, now);
    if (t->handshake.passive) early_deinit(t);
    t->progress_at = t->alive_at = now;
    t->icmp_seen = false;
    t->congestion.alone = owner_alone(t);
    pacing_update(t);
    state_set(t, TCP_STATE_ESTABLISHED, now);
}

/* --- SYN-SENT (RFC 9293 §3.10.7.3) --- */

static bool acknowledges_syn(const struct tcp *t, const struct tcp_segment *s) {
    return early_acknowledges(t, s); /* and what went with it */
}

/* [R-5961-3.2-5] */
static void refused(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    bool acceptable = (s->flags & TCP_ACK) && acknowledges_syn(t, s);
    if (!acceptable) {
        COUNT_DROP(t, now, rst_out_of_window);
        return;
    }
    if (owner_segment_arrived(t, s, now) == TCP_VERDICT_DROP) {
        COUNT_DROP(t, now, refused_by_owner);
        return;
    }
    state_close(t, TCP_CLOSED_REFUSED, now);
}

static void take_syn_in_syn_sent(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    take_syn(t, s);
    if (s->flags & TCP_ACK) early_syn_ack(t, s, now);
    /* What a SYN carries beyond itself is not taken: the peer will send it again. */
    if (s->payload_length > 0) COUNT_IGNORED(t, now, "SYN", syn_ack_data_ignored);
    if (s->flags & TCP_ACK) {
        handshake_completed(t, s, now);
        t->acks.now = true;
        owner_established(t, now);
    } else {
        state_set(t, TCP_STATE_SYN_RECEIVED, now);
        t->handshake.syn_due = true;
    }
}

void handshake_input(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (s->flags & TCP_RST) {
        refused(t, s, now);
        return;
    }
    if ((s->flags & TCP_ACK) && !acknowledges_syn(t, s)) {
        COUNT_DROP(t, now, bad_ack);
        reset_reply(t, s, now);
        return;
    }
    if (!(s->flags & TCP_SYN)) {
        COUNT_DROP(t, now, outside_window);
        return;
    }
    switch (owner_segment_arrived(t, s, now)) {
    case TCP_VERDICT_ACCEPT: break;
    case TCP_VERDICT_DROP: COUNT_DROP(t, now, refused_by_owner); return;
    case TCP_VERDICT_RESET:
        COUNT_DROP(t, now, refused_by_owner);
        t->rcv_nxt = seq32_add(s->seq, 1);
        close_abort(t, (s->flags & TCP_ACK) != 0, now);
        return;
    }
    if (t->state == TCP_STATE_SYN_SENT) take_syn_in_syn_sent(t, s, now); /* the owner may have aborted */
}
