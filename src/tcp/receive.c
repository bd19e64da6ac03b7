/* Payload and FIN come in: cut to the window, put in order, handed up. */
#include "tcp_internal.h"

/* What lies beyond rcv_nxt may take the advertised window's worth of memory twice over (small payloads in their
 * buffers), and this much. */
#define REASSEMBLY_SLACK_BYTES 65536u

/* A segment's payload, cut. */
struct arrival {
    seq32 seq;
    const uint8_t *bytes;
    uint32_t length;
    bool fin; /* it is the last, and a FIN follows at seq + length */
};

/* Keeps the buffer if the payload is most of it, else copies: a peer that sends crumbs must not pin full buffers. */
static struct braid_slice take_slice(struct tcp *t, const struct arrival *a, struct braid_buf *buf) {
    if (buf != NULL && a->length >= buf->capacity / 2) return slice_of(buf, a->bytes, a->length);
    return slice_copy(t->env, a->bytes, a->length);
}

/* --- cutting --- */

static void cut_front(struct tcp *t, struct arrival *a) {
    if (!seq32_lt(a->seq, t->rcv_nxt)) return;
    uint32_t known = (uint32_t)seq32_diff(t->rcv_nxt, a->seq);
    if (known > a->length) known = a->length;
    if (known > 0) ack_policy_duplicate(t, a->seq, seq32_add(a->seq, known));
    t->counts.bytes_received_duplicate += known;
    a->seq = seq32_add(a->seq, known);
    a->bytes += known;
    a->length -= known;
}

static void cut_to_window(struct tcp *t, struct arrival *a, braid_time now) {
    if (seq32_le(seq32_add(a->seq, a->length), t->rcv_adv)) return;
    COUNT_DROP(t, now, data_without_room);
    a->length = seq32_gt(t->rcv_adv, a->seq) ? (uint32_t)seq32_diff(t->rcv_adv, a->seq) : 0;
    a->fin = false;
    t->acks.now = true;
}

/* There is one FIN, and nothing comes behind it. */
static void cut_at_fin(struct tcp *t, struct arrival *a, braid_time now) {
    seq32 end = seq32_add(a->seq, a->length);
    if (a->fin && !t->peer_fin_known) {
        if (!reassembly_empty(&t->reassembly) && seq32_gt(reassembly_end(&t->reassembly), end)) {
            COUNT_DROP(t, now, data_after_fin); /* data beyond this FIN is here already: the FIN lies */
        } else {
            t->peer_fin_known = true;
            t->peer_fin = end;
        }
    }
    if (!t->peer_fin_known || seq32_le(end, t->peer_fin)) return;
    COUNT_DROP(t, now, data_after_fin);
    a->length = seq32_gt(t->peer_fin, a->seq) ? (uint32_t)seq32_diff(t->peer_fin, a->seq) : 0;
    t->acks.now = true;
}

/* --- in order, out of order --- */

static void hand_up(struct tcp *t, struct braid_slice data, braid_time now) {
    seq32 seq = t->rcv_nxt;
    t->rcv_nxt = seq32_add(seq, data.length);
    t->counts.bytes_received += data.length;
    owner_data_arrived(t, seq, data, now);
}

/* Returns false when there is no memory: the segment is as good as lost. */
static bool take_in_order(struct tcp *t, const struct arrival *a, struct braid_buf *buf, braid_time now) {
    struct braid_slice data = take_slice(t, a, buf);
    if (data.buf == NULL) return false;
    hand_up(t, data, now);
    while (t->state != TCP_STATE_CLOSED && reassembly_take(&t->reassembly, t->rcv_nxt, &data)) {
        hand_up(t, data, now);
    }
    return true;
}

static bool reassembly_has_room(const struct tcp *t, const struct arrival *a) {
    uint64_t bound = 2 * (uint64_t)t->config.receive_window_max_bytes + REASSEMBLY_SLACK_BYTES;
    return t->reassembly.memory_bytes + a->length <= bound;
}

static bool take_out_of_order(struct tcp *t, const struct arrival *a, struct braid_buf *buf) {
    t->counts.segments_out_of_order++;
    if (!reassembly_has_room(t, a)) return false;
    struct braid_slice data = take_slice(t, a, buf);
    if (data.buf == NULL) return false;
    uint32_t added;
    enum reassembly_result result = reassembly_add(&t->reassembly, a->seq, data, &added);
    t->counts.bytes_received_duplicate += a->length - added;
    if (result == REASSEMBLY_DUPLICATE) ack_policy_duplicate(t, a->seq, seq32_add(a->seq, a->length));
    return result != REASSEMBLY_NO_MEMORY;
}

static void take_fin(struct tcp *t, braid_time now) {
    if (!t->peer_fin_known || t->peer_fin_done || !seq32_eq(t->rcv_nxt, t->peer_fin)) return;
    t->peer_fin_done = true;
    t->rcv_nxt = seq32_add(t->rcv_nxt, 1);
    t->rcv_adv = seq32_max(t->rcv_adv, t->rcv_nxt);
    t->acks.now = true;
    close_peer_fin(t, now);
}

/* [MUST-31] [R-3.3.1-6] */
void receive_payload(struct tcp *t, const struct tcp_segment *s, struct braid_buf *buf, braid_time now) {
    struct arrival a = {s->seq, s->payload, s->payload_length, (s->flags & TCP_FIN) != 0};
    if (a.length == 0 && !a.fin) return;
    if (t->peer_fin_done) {
        COUNT_DROP(t, now, data_after_fin);
        t->acks.now = true;
        return;
    }
    cut_front(t, &a);
    cut_to_window(t, &a, now);
    cut_at_fin(t, &a, now);
    bool in_order = seq32_eq(a.seq, t->rcv_nxt);
    bool filled = in_order && !reassembly_empty(&t->reassembly);
    if (a.length > 0) {
        if (!owner_may_keep(t, in_order)) {
            COUNT_DROP(t, now, over_budget);
            return;
        }
        bool taken = in_order ? take_in_order(t, &a, buf, now) : take_out_of_order(t, &a, buf);
        if (!taken) COUNT_DROP(t, now, no_memory);
        if (t->state == TCP_STATE_CLOSED) return;
    }
    ack_policy_received(t, s, in_order && !filled && a.length > 0, now);
    take_fin(t, now);
}

/* --- the receiver's round-trip time: how long an echo of ours took, data included --- */

void receive_rtt_update(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (s->payload_length + TCP_OPTIONS_MAX < t->acks.segment_bytes || s->payload_length == 0) return;
    if (!s->options.has_timestamps || s->options.timestamp_echo == t->receive_rtt_echo) return;
    braid_time rtt = timestamps_echo_rtt(t, s, now);
    if (rtt == 0) return;
    t->receive_rtt_echo = s->options.timestamp_echo;
    /* A pause of the sender only ever lengthens it: go down at once, up slowly. */
    if (t->receive_rtt_ns == 0 || rtt < t->receive_rtt_ns) {
        t->receive_rtt_ns = rtt;
    } else {
        t->receive_rtt_ns += (rtt - t->receive_rtt_ns) / 8;
    }
}
