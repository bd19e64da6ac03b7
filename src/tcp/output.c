/* What goes out next. next_step() decides, and touches nothing; perform() does it. tcp_wants_output() asks the
 * same next_step(), so that the two cannot disagree. */
#include "tcp_internal.h"

#define STARVED_NS (10 * BRAID_NS_PER_MS)

enum step_kind {
    STEP_NONE,
    STEP_REPLY_RESET, /* refusing one segment */
    STEP_RESET,       /* ending the subflow */
    STEP_SYN,
    STEP_TAIL_PROBE,
    STEP_RETRANSMIT,
    STEP_DATA,
    STEP_FIN,
    STEP_PROBE_ACK, /* keepalive or zero-window probe */
    STEP_ACK,
};

struct step {
    enum step_kind kind;
    uint32_t allow_bytes;
};

static uint32_t least(uint32_t a, uint32_t b) { return a < b ? a : b; }

/* --- what is allowed --- */

/* [MUST-19] */
static uint32_t congestion_room(const struct tcp *t) {
    uint32_t cwnd = recovery_cwnd(t), in_flight = recovery_in_flight(t);
    uint32_t room = cwnd > in_flight ? cwnd - in_flight : 0;
    return in_flight == 0 && room < t->piece_bytes ? t->piece_bytes : room;
}

/* [MUST-38] RFC 9293 §3.8.6.2.1: less than a segment only if it is much for this peer, or nothing else helped. */
static bool small_window_will_do(const struct tcp *t, uint32_t usable) {
    return usable > 0 && (usable >= t->snd_wnd_max / 2 || t->persist_override);
}

/* [MUST-17] [SHLD-7] */
/* RFC 9293 §3.7.4, in Minshall's reading: only a small segment waits, and only for another small one. */
static bool nagle_holds(const struct tcp *t, uint32_t unsent) {
    if (unsent < t->piece_bytes && tuning_corked(t)) return true;
    return !t->tuning.no_delay && !t->shutdown && unsent < t->piece_bytes && t->small_outstanding;
}

/* How much new data may leave by the peer's word. */
static uint32_t allowed_by_peer(const struct tcp *t, uint32_t unsent) {
    uint32_t usable = window_usable(t);
    if (usable < least(unsent, t->piece_bytes) && !small_window_will_do(t, usable)) return 0;
    return usable;
}

/* How much by everyone's but the pace's. */
/* [R-5681-2-1] */
/* [SHLD-28] */
static uint32_t allowed_unpaced(const struct tcp *t) {
    uint32_t unsent = tcp_unsent(t);
    if (unsent == 0 || !(state_may_send_data(t->state) || early_may_send(t)) || nagle_holds(t, unsent)) return 0;
    uint32_t peer = allowed_by_peer(t, unsent), room = congestion_room(t);
    if (room < least(unsent, t->piece_bytes)) return 0;
    if (tuning_corked(t)) peer = least(peer, unsent - unsent % t->piece_bytes);
    return least(peer, room);
}

static bool fin_is_due(const struct tcp *t) {
    return t->shutdown && !t->fin_sent && state_may_send_data(t->state) && tcp_unsent(t) == 0;
}

bool output_window_blocks(const struct tcp *t) {
    if (!state_may_send_data(t->state) || t->fin_sent) return false;
    uint32_t unsent = tcp_unsent(t);
    if (unsent > 0) return allowed_by_peer(t, unsent) == 0;
    return fin_is_due(t) && window_usable(t) == 0;
}

/* The first lost record may go again, so much of it, by everyone's word but the pace's; 0: not now. */
/* [R-8985-9.3-1] */
static uint32_t allowed_again(const struct tcp *t) {
    const struct send_record *lost = scoreboard_first_lost(&t->board);
    if (lost == NULL) return 0;
    /* A peer that took its window back throws it away; the first one asks whether it still does. */
    bool in_window = seq32_lt(lost->start, seq32_add(t->snd_una, t->snd_wnd));
    if (!in_window && !seq32_eq(lost->start, t->snd_una)) return 0;
    uint32_t room = congestion_room(t);
    return room < least(record_length(lost), t->piece_bytes) ? 0 : room;
}

braid_time output_pace_release(const struct tcp *t) {
    braid_time at = t->starved_until;
    bool ready = allowed_again(t) > 0 || allowed_unpaced(t) > 0;
    if (ready && pacing_holds(t, t->seen_at) && t->pacing.next_at > at) at = t->pacing.next_at;
    return at > t->seen_at ? at : BRAID_NEVER;
}

/* --- deciding --- */

/* RFC 5682: new data rather than what is to be sent again, and then nothing until an ACK comes. */
static bool frto_rules(const struct tcp *t) {
    return frto_wants_new(t) && (t->frto.new_bytes > 0 || allowed_unpaced(t) > 0);
}

static struct step data_step(const struct tcp *t, braid_time now) {
    if (now < t->starved_until || t->silenced) return (struct step){STEP_NONE, 0};
    if (t->probe.due) return (struct step){STEP_TAIL_PROBE, t->piece_bytes};
    /* Recovery begins at once, whatever the pace. */
    bool held = pacing_holds(t, now), first = t->recovery.phase != RECOVERY_NONE && t->recovery.out_bytes == 0;
    bool frto = frto_rules(t);
    uint32_t allow = frto || (held && !first) ? 0 : allowed_again(t);
    if (allow > 0) return (struct step){STEP_RETRANSMIT, least(allow, pacing_burst(t))};
    allow = held ? 0 : allowed_unpaced(t);
    if (frto) allow = least(allow, frto_new_left(t));
    if (allow > 0) return (struct step){STEP_DATA, least(allow, pacing_burst(t))};
    if (fin_is_due(t) && window_usable(t) > 0) return (struct step){STEP_FIN, 0};
    return (struct step){STEP_NONE, 0};
}

static struct step next_step(const struct tcp *t, braid_time now) {
    if (t->reply_reset_due) return (struct step){STEP_REPLY_RESET, 0};
    if (t->reset_due) return (struct step){STEP_RESET, 0};
    switch (t->state) {
    case TCP_STATE_CLOSED: return (struct step){STEP_NONE, 0};
    case TCP_STATE_SYN_SENT:
    case TCP_STATE_SYN_RECEIVED:
        if (t->handshake.syn_due && !t->handshake.answer_held) return (struct step){STEP_SYN, 0};
        if (early_may_send(t) && allowed_unpaced(t) > 0) return (struct step){STEP_DATA, allowed_unpaced(t)};
        break;
    case TCP_STATE_ESTABLISHED:
    case TCP_STATE_FIN_WAIT_1:
    case TCP_STATE_FIN_WAIT_2:
    case TCP_STATE_CLOSE_WAIT:
    case TCP_STATE_CLOSING:
    case TCP_STATE_LAST_ACK:
    case TCP_STATE_TIME_WAIT: {
        struct step step = data_step(t, now);
        if (step.kind != STEP_NONE) return step;
        if (t->probe_ack_due) return (struct step){STEP_PROBE_ACK, 0};
        break;
    }
    }
    bool may_acknowledge = t->state != TCP_STATE_SYN_SENT && !t->handshake.answer_held;
    return (struct step){t->acks.now && may_acknowledge ? STEP_ACK : STEP_NONE, 0};
}

bool tcp_wants_output(const struct tcp *t, braid_time now) {
    return t->rearm_due || next_step(t, now).kind != STEP_NONE;
}

/* --- doing --- */

static void count_sent(struct tcp *t, const struct outgoing *o, braid_time now) {
    uint32_t piece = o->piece_bytes > 0 ? o->piece_bytes : 1;
    uint32_t segments = o->payload_bytes > piece ? (o->payload_bytes + piece - 1) / piece : 1;
    t->counts.segments_sent += segments;
    t->counts.bytes_sent += o->payload_bytes;
    t->counts.last_sent_at = now;
    if (o->retransmission) {
        t->counts.segments_retransmitted += segments;
        t->counts.bytes_retransmitted += o->payload_bytes;
    }
    if (o->flags & TCP_ACK) ack_policy_sent(t);
}

static bool send_bare(struct tcp *t, seq32 seq, uint8_t flags, struct braid_packet_out *out, braid_time now) {
    struct outgoing o = {.seq = seq, .flags = flags};
    if (!packet_build(t, &o, out, now)) return false;
    count_sent(t, &o, now);
    return true;
}

static bool send_reply_reset(struct tcp *t, struct braid_packet_out *out) {
    const struct flow *flow = &t->config.flow;
    const struct tcp_segment segment = reset_segment(&t->reply_reset, flow->local_port, flow->remote_port);
    t->reply_reset_due = false;
    out->link = t->config.link;
    out->slice_count = 0;
    out->payload_length = 0;
    out->segment_bytes = 0;
    return packet_headers(flow, t->config.checksum_offload, packet_service(t, 0), &segment, out);
}

static bool send_reset(struct tcp *t, struct braid_packet_out *out, braid_time now) {
    t->reset_due = false;
    return send_bare(t, t->snd_nxt, TCP_RST | TCP_ACK, out, now);
}

static bool send_syn(struct tcp *t, struct braid_packet_out *out, braid_time now) {
    bool again = t->handshake.retransmissions > 0;
    uint8_t flags = t->state == TCP_STATE_SYN_RECEIVED ? TCP_SYN | TCP_ACK : TCP_SYN;
    struct outgoing o = {.seq = t->iss, .flags = flags, .retransmission = again, .limit_bytes = early_length(t, flags)};
    if (!packet_build(t, &o, out, now)) return false;
    early_left(t, o.payload_bytes);
    count_sent(t, &o, now);
    handshake_syn_left(t, now);
    return true;
}

static bool send_probe_ack(struct tcp *t, struct braid_packet_out *out, braid_time now) {
    t->probe_ack_due = false;
    return send_bare(t, seq32_back(t->snd_una, 1), TCP_ACK, out, now);
}

/* A flight begins: from here count the timers, and after a pause the window is old news. */
static void begin_flight(struct tcp *t, braid_time now) {
    t->progress_at = t->alive_at = now;
    if (t->congestion.ops->on_flight) t->congestion.ops->on_flight(&t->congestion, now);
    braid_time idle = now - t->data_sent_at;
    if (t->data_sent_at > 0 && idle > t->rtt.rto_ns) {
        /* [R-5681-4.1-1] */
        t->congestion.ops->on_restart(&t->congestion, idle, now);
        pacing_update(t);
    }
}

/* [o->seq, +length) left, for the first time or again. */
static void note_in_flight(struct tcp *t, uint32_t length) {
    t->recovery.out_bytes += length;
    uint32_t in_flight = recovery_in_flight(t);
    if (in_flight > t->in_flight_max_bytes[0]) t->in_flight_max_bytes[0] = in_flight;
}

static void note_new_data(struct tcp *t, const struct outgoing *o, braid_time now) {
    uint32_t length = o->payload_bytes + ((o->flags & TCP_FIN) ? 1 : 0);
    seq32 end = seq32_add(o->seq, length);
    struct send_record *record = scoreboard_sent(&t->board, o->seq, end, o->piece_bytes, now);
    if (seq32_eq(record->start, o->seq)) rate_sent(t, record, now);
    t->snd_nxt = end;
    t->data_sent_at = now;
    if (t->acks.unanswered) ack_policy_data_sent(t, now);
    if (o->payload_bytes > 0 && o->probe_mss_bytes == 0) t->piece_bytes = o->piece_bytes;
    if (o->payload_bytes % o->piece_bytes != 0) {
        t->small_outstanding = true;
        t->small_end = end;
    }
    note_in_flight(t, length);
    frto_sent_new(t, length);
    count_sent(t, o, now);
    pacing_sent(t, o->payload_bytes, now);
    t->persist_override = false;
    if (o->flags & TCP_FIN) close_fin_sent(t, now);
}

/* A segment larger than the path is known to carry (RFC 4821 §7.3): real data, in a packet of its own. */
static bool send_mtu_probe(struct tcp *t, uint32_t mss, struct braid_packet_out *out, braid_time now) {
    struct outgoing o = {
        .seq = t->snd_nxt, .flags = TCP_ACK, .limit_bytes = mss, .cut = true, .probe_mss_bytes = mss};
    if (owner_segment_limit(t, t->snd_nxt, mss) < mss || !packet_build(t, &o, out, now)) return false;
    if (o.payload_bytes == o.piece_bytes) pmtu_probe_sent(t, o.seq, seq32_add(o.seq, o.payload_bytes), mss);
    note_new_data(t, &o, now);
    return true;
}

static bool send_data(struct tcp *t, uint32_t allow, struct braid_packet_out *out, braid_time now) {
    if (!scoreboard_reserve(&t->board, 1)) return false;
    if (scoreboard_empty(&t->board)) begin_flight(t, now);
    uint32_t probe_mss = pmtu_probe_mss(t, allowed_unpaced(t), now);
    if (probe_mss > 0) {
        if (send_mtu_probe(t, probe_mss, out, now)) return true;
        pmtu_probe_postpone(t, now);
    }
    uint32_t unsent = tcp_unsent(t);
    if (t->ecn.cwr_due) allow = least(allow, t->piece_bytes); /* said once, not in every piece */
    uint32_t want = least(unsent, least(allow, TCP_SUPER_SEGMENT_MAX));
    uint32_t limit = owner_segment_limit(t, t->snd_nxt, want);
    struct outgoing o = {
        .seq = t->snd_nxt,
        .flags = TCP_ACK,
        .limit_bytes = limit,
        .cut = limit == want && want < unsent,
        .fin_allowed = t->shutdown && window_usable(t) > unsent,
    };
    if (!packet_build(t, &o, out, now)) return false;
    note_new_data(t, &o, now);
    return true;
}

static bool send_fin(struct tcp *t, struct braid_packet_out *out, braid_time now) {
    if (!scoreboard_reserve(&t->board, 1)) return false;
    if (scoreboard_empty(&t->board)) begin_flight(t, now);
    struct outgoing o = {.seq = t->snd_nxt, .flags = TCP_ACK | TCP_FIN};
    if (!packet_build(t, &o, out, now)) return false;
    note_new_data(t, &o, now);
    return true;
}

static uint32_t payload_of(const struct tcp *t, const struct send_record *record) {
    return (uint32_t)seq32_diff(seq32_min(record->end, tcp_send_queue_end(t)), record->start);
}

/* Sends the front of `record` again, at most `allow` of it, and cuts the record where that ends. */
static bool send_again(struct tcp *t, struct send_record *record, uint32_t allow, struct braid_packet_out *out,
                       braid_time now) {
    if (!scoreboard_reserve(&t->board, 1)) return false;
    uint32_t payload = payload_of(t, record);
    uint32_t want = least(payload, least(allow, TCP_SUPER_SEGMENT_MAX));
    uint32_t limit = want > 0 ? owner_segment_limit(t, record->start, want) : 0;
    struct outgoing o = {
        .seq = record->start,
        .flags = payload > 0 ? TCP_ACK : TCP_ACK | TCP_FIN,
        .limit_bytes = limit,
        .cut = limit == want && want < payload,
        .fin_allowed = payload < record_length(record),
        .retransmission = true,
    };
    if (!packet_build(t, &o, out, now)) return false;
    uint32_t length = o.payload_bytes + ((o.flags & TCP_FIN) ? 1 : 0);
    if (length < record_length(record)) {
        (void)scoreboard_split(&t->board, record, seq32_add(record->start, length));
    }
    record->piece_bytes = o.piece_bytes;
    scoreboard_send_again(&t->board, record, now);
    rate_sent(t, record, now);
    recovery_retransmitted(t, length, now);
    note_in_flight(t, length);
    count_sent(t, &o, now);
    pacing_sent(t, o.payload_bytes, now);
    return true;
}

/* RFC 8985 §7.3: new data if there is some and the peer has room, else the last segment again. */
/* [R-8985-7.3-3] [R-8985-7.3-4] */
static bool send_tail_probe(struct tcp *t, struct braid_packet_out *out, braid_time now) {
    struct probe *p = &t->probe;
    uint32_t unsent = state_may_send_data(t->state) ? tcp_unsent(t) : 0;
    bool fresh = unsent > 0 && window_usable(t) >= least(unsent, t->piece_bytes);
    struct send_record *last = scoreboard_last(&t->board);
    p->due = false;
    if (!fresh && (last == NULL || last->state != RECORD_IN_FLIGHT)) return false;
    if (!fresh && record_length(last) > t->piece_bytes) {
        if (!scoreboard_reserve(&t->board, 2)) return false;
        last = scoreboard_split(&t->board, last, seq32_back(last->end, t->piece_bytes));
    }
    bool sent = fresh ? send_data(t, t->piece_bytes, out, now) : send_again(t, last, UINT32_MAX, out, now);
    if (!sent) return false;
    p->outstanding = true;
    p->retransmission = !fresh;
    p->rtt_sampled = false;
    p->end = t->snd_nxt;
    t->counts.probes++;
    return true;
}

static bool perform(struct tcp *t, const struct step *step, struct braid_packet_out *out, braid_time now) {
    switch (step->kind) {
    case STEP_NONE: return false;
    case STEP_REPLY_RESET: return send_reply_reset(t, out);
    case STEP_RESET: return send_reset(t, out, now);
    case STEP_SYN: return send_syn(t, out, now);
    case STEP_TAIL_PROBE: return send_tail_probe(t, out, now);
    case STEP_RETRANSMIT: return send_again(t, scoreboard_first_lost(&t->board), step->allow_bytes, out, now);
    case STEP_DATA: return send_data(t, step->allow_bytes, out, now);
    case STEP_FIN: return send_fin(t, out, now);
    case STEP_PROBE_ACK: return send_probe_ack(t, out, now);
    case STEP_ACK: return send_bare(t, t->snd_nxt, TCP_ACK, out, now);
    }
    return false;
}

/* All that could go is gone: who held the rest back? */
static void note_limits(struct tcp *t) {
    /* In fast recovery the window is always full, which says nothing about the window after it. */
    bool full = recovery_in_flight(t) + t->piece_bytes > recovery_cwnd(t);
    if (full && (t->recovery.phase != RECOVERY_FAST || t->congestion.ops->rules_recovery)) t->window_limits[0] = true;
    rate_check_application_limited(t);
}

size_t tcp_output(struct tcp *t, struct braid_packet_out *packets, size_t room, braid_time now) {
    bool rearm = t->rearm_due;
    size_t count = 0;
    saw_time(t, now);
    t->rearm_due = false;
    while (count < room) {
        struct step step = next_step(t, now);
        if (step.kind == STEP_NONE) break;
        if (perform(t, &step, &packets[count], now)) {
            count++;
        } else if (now < t->starved_until) {
            break;
        } else {
            rearm = true;
            t->starved_until = now + STARVED_NS; /* memory is short: data waits, ACKs need not */
        }
    }
    if (t->state == TCP_STATE_CLOSED || (count == 0 && !rearm)) return count;
    if (state_is_synchronized(t->state)) note_limits(t);
    timers_rearm(t, now);
    return count;
}
