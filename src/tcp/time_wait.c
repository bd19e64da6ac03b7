/* TIME-WAIT without the subflow: what of it is kept, and what a segment means to it. */
#include "tcp_internal.h"

bool tcp_may_rest(const struct tcp *t, struct tcp_rest *out, braid_time now) {
    if (t->state != TCP_STATE_TIME_WAIT || tcp_wants_output(t, now)) return false;
    uint32_t field = window_left(t) >> t->receive_scale;
    *out = (struct tcp_rest){
        .snd_nxt = t->snd_nxt,
        .rcv_nxt = t->rcv_nxt,
        .timestamp_offset = t->timestamps.offset,
        .timestamp_recent = t->timestamps.recent,
        .window = (uint16_t)(field < UINT16_MAX ? field : UINT16_MAX),
        .timestamps = t->timestamps.enabled,
    };
    return true;
}

void tcp_leave_time_wait(struct tcp *t, braid_time now) {
    if (t->state == TCP_STATE_TIME_WAIT) state_close(t, TCP_CLOSED_NORMALLY, now);
}

/* RFC 6191 §2: a newer timestamp, or, where the two connections cannot be told by that, a sequence number beyond. */
/* [SHLD-4] [R-6191-2-1] [R-6191-2-2] [R-6191-2-3] [R-6191-2-4] [R-6191-2-5] */
static bool syn_is_new(const struct tcp_rest *rest, const struct tcp_segment *s) {
    bool beyond = seq32_gt(s->seq, rest->rcv_nxt);
    if (!s->options.has_timestamps) return beyond;
    if (!rest->timestamps) return true;
    int32_t newer = (int32_t)(s->options.timestamp_value - rest->timestamp_recent);
    return newer > 0 || (newer == 0 && beyond);
}

/* [R-1337-3-1] [R-6191-2-6] */
enum tcp_rest_verdict tcp_rest_input(const struct tcp_rest *rest, const struct tcp_segment *s) {
    seq32 end = seq32_add(s->seq, tcp_segment_length(s));
    if (s->flags & TCP_RST) return TCP_REST_IGNORE;
    if (s->flags & TCP_SYN) return !(s->flags & TCP_ACK) && syn_is_new(rest, s) ? TCP_REST_REOPEN : TCP_REST_CHALLENGE;
    if (seq32_eq(end, rest->rcv_nxt)) {
        if (s->flags & TCP_FIN) return TCP_REST_AGAIN;
        if (tcp_segment_length(s) == 0) return TCP_REST_IGNORE;
    }
    return TCP_REST_CHALLENGE;
}

bool tcp_rest_ack(const struct tcp_rest *rest, const struct flow *flow, uint16_t link, bool checksum_offload, braid_time now,
                  struct braid_packet_out *out) {
    const struct tcp_segment ack = {
        .source_port = flow->local_port,
        .destination_port = flow->remote_port,
        .seq = rest->snd_nxt,
        .ack = rest->rcv_nxt,
        .flags = TCP_ACK,
        .window = rest->window,
        .options = {.has_timestamps = rest->timestamps,
                    .timestamp_value = (uint32_t)(now / TCP_TICK_NS) + rest->timestamp_offset,
                    .timestamp_echo = rest->timestamp_recent},
    };
    out->link = link;
    out->slice_count = 0;
    out->payload_length = 0;
    out->segment_bytes = 0;
    return packet_headers(flow, checksum_offload, (struct service){0}, &ack, out);
}
