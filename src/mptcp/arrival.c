/* What a segment's options say, before TCP looks at its ACK and payload. TCP has checked it already (RFC 5961), as
 * RFC 8684 §3 demands before any option acts. */
#include "subflow.h"
#include "version.h"

/* [R-3.8-1] False if it is to be ignored, which is counted. */
static bool decode(struct subflow *sf, const struct tcp_raw_option *raw, struct mptcp_option *out) {
    struct braid_connection *c = sf->c;
    const char *reason;
    switch (version_decode(c->version, raw, out)) {
    case MPTCP_DECODE_OK: return true;
    case MPTCP_DECODE_BAD_LENGTH:
        COUNT(c, option_bad_length);
        reason = "bad length";
        break;
    case MPTCP_DECODE_UNKNOWN_SUBTYPE:
    default:
        COUNT(c, option_unknown);
        reason = "unknown subtype";
        break;
    }
    TRACE(c->env, c->now, option_refused, .connection = c->config.number, .subflow = sf->number,
          .option = raw->length > 2 ? mptcp_subtype_name((enum mptcp_subtype)(raw->bytes[2] >> 4)) : "?",
          .reason = reason);
    return false;
}

bool arrival_find(struct subflow *sf, const struct tcp_segment *segment, enum mptcp_subtype subtype,
                  struct mptcp_option *out) {
    for (unsigned i = 0; i < segment->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &segment->options.mptcp[i];
        if (raw->length < 3 || raw->bytes[2] >> 4 != (int)subtype) continue;
        if (decode(sf, raw, out)) return true;
    }
    return false;
}

static enum tcp_verdict handshake_segment(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    bool ack = (segment->flags & TCP_ACK) != 0;
    if (segment->flags & TCP_SYN) {
        if (sf->first)
            return ack ? handshake_syn_ack_arrived(sf, segment, now) : handshake_syn_arrived(sf, segment);
        return ack ? join_syn_ack_arrived(sf, segment, now) : join_syn_arrived(sf, segment);
    }
    if (sf->ours || !ack) return TCP_VERDICT_ACCEPT;
    return sf->first ? handshake_third_ack_arrived(sf, segment, now) : join_third_ack_arrived(sf, segment, now);
}

static bool is_handshake(const struct subflow *sf, const struct tcp_segment *segment) {
    if (segment->flags & TCP_RST) return false;
    enum tcp_state state = tcp_state(sf->t);
    return state == TCP_STATE_CLOSED || state == TCP_STATE_SYN_SENT || state == TCP_STATE_SYN_RECEIVED;
}

static void reset_reason_take(struct subflow *sf, const struct mp_tcprst *option) {
    COUNT(sf->c, tcprst_received);
    sf->peer_reset_said = true;
    sf->peer_reset_transient = option->transient;
    sf->peer_reset_reason = option->reason;
}

static enum tcp_verdict option_arrived(struct subflow *sf, const struct tcp_segment *segment,
                                       const struct mptcp_option *option, braid_time now) {
    if (sf->fastclosing && option->subtype != MPTCP_MP_FASTCLOSE) return TCP_VERDICT_ACCEPT; /* we listen no more */
    switch (option->subtype) {
    case MPTCP_DSS: return incoming_dss(sf, segment, &option->as.dss, now);
    case MPTCP_MP_CAPABLE: return incoming_capable(sf, segment, &option->as.mp_capable, now);
    case MPTCP_MP_JOIN: /* the third ACK once more: ours in answer was lost */
        if (!sf->first && !sf->ours && option->as.mp_join.form == MP_JOIN_ACK) tcp_ack_now(sf->t);
        else COUNT(sf->c, option_misplaced);
        break;
    case MPTCP_ADD_ADDR: addresses_add_arrived(sf, segment, &option->as.add_addr, now); break;
    case MPTCP_REMOVE_ADDR: addresses_remove_arrived(sf, &option->as.remove_addr, now); break;
    case MPTCP_MP_PRIO: priority_arrived(sf, &option->as.mp_prio, now); break;
    case MPTCP_MP_FAIL: return fallback_fail_arrived(sf, now);
    case MPTCP_MP_FASTCLOSE: fastclose_arrived(sf, option->as.mp_fastclose.receiver_key, now); break;
    case MPTCP_MP_TCPRST: reset_reason_take(sf, &option->as.mp_tcprst); break;
    }
    return TCP_VERDICT_ACCEPT;
}

/* Anything but a RST from the peer of a join whose third ACK was under way says that it arrived. */
static void third_ack_confirmed(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    if (sf->third_ack_pending && (segment->flags & (TCP_ACK | TCP_RST | TCP_SYN)) == TCP_ACK) join_confirmed(sf, now);
}

static bool acknowledges_data(const struct subflow *sf, const struct tcp_segment *segment) {
    if (!(segment->flags & TCP_ACK) || (segment->flags & TCP_RST)) return false;
    return seq32_gt(segment->ack, seq32_add(tcp_send_base(sf->t), 1)) && seq32_gt(segment->ack, tcp_snd_una(sf->t));
}

static enum tcp_verdict options_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    struct braid_connection *c = sf->c;
    for (unsigned i = 0; i < segment->options.mptcp_count; i++) {
        struct mptcp_option option;
        if (!decode(sf, &segment->options.mptcp[i], &option)) continue;
        enum tcp_verdict verdict = option_arrived(sf, segment, &option, now);
        if (verdict != TCP_VERDICT_ACCEPT) return verdict;
        if (connection_linear(c) || sf->closed) return TCP_VERDICT_ACCEPT;
    }
    return TCP_VERDICT_ACCEPT;
}

/* The first data of all, and nothing says where it belongs: a middlebox strips options from what is no SYN (§3.7). Nor
 * does a peer of MPTCP end a subflow by a bare FIN before it has said anything else. */
static bool first_data_unmapped(const struct subflow *sf, const struct tcp_segment *segment) {
    const struct braid_connection *c = sf->c;
    bool speaks = segment->payload_length > 0 || ((segment->flags & TCP_FIN) && !c->confirmed);
    return speaks && sf->first && !c->mapped && segment->options.mptcp_count == 0 &&
           seq32_eq(segment->seq, seq32_add(tcp_receive_base(sf->t), 1)) && fallback_possible(sf);
}

enum tcp_verdict arrival_segment(void *owner, struct tcp *t, const struct tcp_segment *segment, braid_time now) {
    struct subflow *sf = owner;
    struct braid_connection *c = sf->c;
    enum tcp_verdict verdict = TCP_VERDICT_ACCEPT;
    (void)t;
    if (segment->flags & TCP_RST) sf->peer_reset = true;
    else if (segment->flags & TCP_SYN) sf->held_seq = seq32_add(segment->seq, 1);
    if (c->mode == CONNECTION_MODE_TCP) {
        urgent_arrived(sf, segment);
        window_arrived(sf, segment->payload_length, now);
        return verdict;
    }
    if (is_handshake(sf, segment)) verdict = handshake_segment(sf, segment, now);
    if (verdict != TCP_VERDICT_ACCEPT) return verdict;
    urgent_arrived(sf, segment);
    window_arrived(sf, segment->payload_length, now);
    if (c->mode == CONNECTION_MODE_FALLBACK && segment->payload_length > 0) return fallback_payload_arrived(sf, segment);
    if (c->mode != CONNECTION_MODE_MPTCP || (segment->flags & TCP_SYN)) return verdict;

    third_ack_confirmed(sf, segment, now);
    verdict = options_arrived(sf, segment, now);
    if (verdict != TCP_VERDICT_ACCEPT || c->mode != CONNECTION_MODE_MPTCP || sf->closed || sf->fastclosing)
        return verdict;
    /* [R-3.7-2] Of a segment that we sent: a DATA_ACK before that only shows that the peer's options pass. */
    bool acknowledges = acknowledges_data(sf, segment);
    if (sf->ack_arrived && acknowledges) sf->data_ack_seen = true;
    if (acknowledges) sf->acknowledged_bare = segment->options.mptcp_count == 0;
    /* [R-3.7-3] [R-3.7-5] An option of whatever kind shows that they pass; only an ACK without any is a bad sign. */
    if (!sf->data_ack_seen && sf->acknowledged_bare && acknowledges)
        return fallback_no_data_ack(sf, now);
    if (sf->acknowledged_bare && acknowledges) fallback_fin_answered(sf, now);
    if (first_data_unmapped(sf, segment)) {
        COUNT(c, fallback_first_data);
        fallback_enter(sf, "first data without DSS", now);
    }
    return TCP_VERDICT_ACCEPT;
}
