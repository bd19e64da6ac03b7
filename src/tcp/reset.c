/* RST: received (RFC 5961 §3), sent in refusal (RFC 9293 §3.10.7.1), and the challenge ACK (RFC 5961 §7). */
#include "tcp_internal.h"

/* One allowance per subflow, not one for all of them: a shared one tells an attacker who else is there. When it is used
 * up, as a burst of ACKs out of order can do, one remains every TCP_CHALLENGE_LEAST_NS: a keepalive probe is answered
 * from it, and who gets no answer gives the path up. */
/* [R-5961-7-1] */
static bool may_challenge(struct tcp *t, braid_time now) {
    if (now - t->challenges_since >= TCP_CHALLENGE_PERIOD_NS || t->challenges_since == 0) {
        t->challenges_since = now > 0 ? now : 1;
        t->challenges = 0;
    }
    if (t->challenges >= TCP_CHALLENGES_MAX && now - t->challenged_at < TCP_CHALLENGE_LEAST_NS) {
        COUNT_DROP(t, now, challenge_limited);
        return false;
    }
    t->challenges++;
    t->challenged_at = now;
    return true;
}

void reset_challenge(struct tcp *t, braid_time now) {
    if (may_challenge(t, now)) t->acks.now = true;
}

/* True if the segment is dealt with, which a RST always is. */
/* [R-5961-3.2-1] [R-5961-3.2-2] [R-5961-3.2-3] [R-5961-3.2-4] [R-5961-4.2-3] [R-7323-5.2-5] [SHLD-2] */
bool reset_input(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (t->state == TCP_STATE_TIME_WAIT) {
        COUNT_DROP(t, now, rst_in_time_wait); /* RFC 1337 §3: an old one would end what keeps old ones out */
    } else if (seq32_lt(s->seq, t->rcv_nxt) || seq32_gt(s->seq, t->rcv_adv)) {
        COUNT_DROP(t, now, rst_out_of_window);
    } else if (!seq32_eq(s->seq, t->rcv_nxt)) {
        COUNT_DROP(t, now, rst_challenged);
        reset_challenge(t, now);
    } else if (owner_segment_arrived(t, s, now) == TCP_VERDICT_DROP) {
        COUNT_DROP(t, now, refused_by_owner);
    } else if (t->state == TCP_STATE_SYN_RECEIVED && !t->handshake.passive) {
        state_close(t, TCP_CLOSED_REFUSED, now);
    } else {
        state_close(t, TCP_CLOSED_RESET, now);
    }
    return true;
}

/* What the RST that answers `s` says. */
static struct reset_answer answer_of(const struct tcp_segment *s) {
    struct reset_answer answer = {.has_timestamps = s->options.has_timestamps,
                                  .timestamp_echo = s->options.timestamp_value};
    if (s->flags & TCP_ACK) {
        answer.seq = s->ack;
        answer.flags = TCP_RST;
    } else {
        answer.ack = seq32_add(s->seq, tcp_segment_length(s));
        answer.flags = TCP_RST | TCP_ACK;
    }
    return answer;
}

/* [R-7323-5.2-2] [R-7323-5.2-3] Its timestamp is 0, and it echoes that of the segment. */
struct tcp_segment reset_segment(const struct reset_answer *answer, uint16_t from_port, uint16_t to_port) {
    return (struct tcp_segment){
        .source_port = from_port,
        .destination_port = to_port,
        .seq = answer->seq,
        .ack = answer->ack,
        .flags = answer->flags,
        .options = {.has_timestamps = answer->has_timestamps, .timestamp_echo = answer->timestamp_echo},
    };
}

void reset_reply(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (t->config.reset_silently || !may_challenge(t, now)) return;
    t->reply_reset_due = true;
    t->reply_reset = answer_of(s);
}

bool tcp_reset_for(const struct tcp_segment *s, const struct ip_address *source, const struct ip_address *destination,
                   uint16_t link, bool checksum_offload, const uint8_t *mptcp_option, size_t option_length,
                   struct braid_packet_out *out) {
    if (s->flags & TCP_RST) return false;
    const struct reset_answer answer = answer_of(s);
    struct tcp_segment reset = reset_segment(&answer, s->destination_port, s->source_port);
    if (mptcp_option != NULL && option_length > 0) {
        reset.options.mptcp_count = 1;
        reset.options.mptcp[0] = (struct tcp_raw_option){mptcp_option, (uint8_t)option_length};
    }
    const struct flow flow = {
        .local = *destination,
        .remote = *source,
        .local_port = s->destination_port,
        .remote_port = s->source_port,
    };
    out->link = link;
    out->slice_count = 0;
    out->payload_length = 0;
    out->segment_bytes = 0;
    return packet_headers(&flow, checksum_offload, (struct service){0}, &reset, out);
}
