/* Fast Open (RFC 7413): data in the SYN, with a cookie that the server once gave for it.
 *
 * What goes with the SYN is no part of the send queue: it may go this one time, and if the server does not take it, the
 * owner says it again as if it had never left. So the stream of a subflow begins behind what the server took of it, which
 * is how RFC 8684 appendix B.2 counts, too. */
#include "tcp_internal.h"

#include <string.h>

#define COOKIE_LEAST_BYTES 4
#define MSS_DEFAULT_V4 536
#define MSS_DEFAULT_V6 1220
#define MSS_USUAL_V4 1460 /* [R-7413-4.1.3-3] */
#define MSS_USUAL_V6 1440

bool tcp_fast_open(struct tcp *t, const uint8_t *cookie, uint8_t length) {
    if (t->early == NULL) t->early = t->env->allocate(t->env->context, sizeof(*t->early));
    if (t->early == NULL) return false;
    memset(t->early, 0, sizeof(*t->early));
    slice_queue_init(&t->early->data, t->env);
    t->early->length = length <= sizeof(t->early->cookie) ? length : 0;
    memcpy(t->early->cookie, cookie, t->early->length);
    return true;
}

void early_deinit(struct tcp *t) {
    if (t->early == NULL) return;
    slice_queue_deinit(&t->early->data);
    t->env->release(t->env->context, t->early, sizeof(*t->early));
    t->early = NULL;
}

static bool syn_to_come(const struct tcp *t) {
    return t->state == TCP_STATE_SYN_SENT && t->handshake.syns_left == 0 && t->handshake.retransmissions == 0;
}

/* [R-7413-4.1.3-2] [R-7413-4.2.2-2] Of the peer's MSS only what it said the last time is known. */
uint32_t tcp_early_room(const struct tcp *t, uint16_t mss_bytes) {
    bool v6 = t->config.flow.local.family == IP_V6;
    uint32_t usual = v6 ? MSS_USUAL_V6 : MSS_USUAL_V4, most = mss_bytes > 0 ? mss_bytes : v6 ? MSS_DEFAULT_V6 : MSS_DEFAULT_V4;
    uint32_t ours = mss_to_announce(t);
    if (t->early == NULL || t->early->length == 0 || !syn_to_come(t)) return 0; /* [R-7413-4.2.1-1] */
    if (most > usual) most = usual;
    if (most > ours) most = ours;
    most = most > TCP_OPTIONS_MAX ? most - TCP_OPTIONS_MAX : 0;
    return t->early->data.length < most ? most - (uint32_t)t->early->data.length : 0;
}

bool tcp_early(struct tcp *t, struct braid_slice data) {
    return t->early != NULL && syn_to_come(t) && slice_queue_append(&t->early->data, data);
}

/* [R-7413-4.2.2-3] [R-7413-4.2.2-6] What is said again goes without, for something may have dropped it for its sake. */
bool early_goes(const struct tcp *t, uint8_t flags) {
    return t->early != NULL && (flags & TCP_SYN) && t->handshake.retransmissions == 0;
}

uint32_t early_length(const struct tcp *t, uint8_t flags) {
    bool first = t->handshake.syns_left == 0 && !(flags & TCP_ACK);
    return early_goes(t, flags) && first ? (uint32_t)t->early->data.length : 0;
}

void early_options(const struct tcp *t, uint8_t flags, struct tcp_options *o) {
    if (!early_goes(t, flags)) return;
    if ((flags & TCP_ACK) && t->early->length == 0) return;
    o->has_fast_open = true;
    o->fast_open_length = t->early->length;
    memcpy(o->fast_open_cookie, t->early->cookie, t->early->length);
}

void early_left(struct tcp *t, uint32_t bytes) {
    if (t->early != NULL && bytes > 0) t->early->sent_bytes = bytes;
}

/* --- the client: the SYN/ACK --- */

bool early_acknowledges(const struct tcp *t, const struct tcp_segment *s) {
    int32_t bytes = seq32_diff(s->ack, seq32_add(t->iss, 1));
    return bytes >= 0 && (uint32_t)bytes <= (t->early != NULL && t->state == TCP_STATE_SYN_SENT ? t->early->sent_bytes : 0);
}

/* [R-7413-4.1.1-1] [R-7413-4.2.2-5] */
void early_syn_ack(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    struct early *e = t->early;
    if (e == NULL || t->handshake.passive) return;
    uint32_t taken = (uint32_t)seq32_diff(s->ack, seq32_add(t->iss, 1));
    struct tcp_fast_open_result result = {
        .presented = e->length > 0,
        .sent_bytes = e->sent_bytes,
        .taken_bytes = taken,
        .again = t->handshake.retransmissions > 0,
        .mss_bytes = t->peer_mss_bytes,
    };
    const struct tcp_options *o = &s->options;
    if (o->has_fast_open && o->fast_open_length >= COOKIE_LEAST_BYTES) {
        result.cookie_length = o->fast_open_length;
        memcpy(result.cookie, o->fast_open_cookie, o->fast_open_length);
    }
    t->early_sent_bytes = (uint16_t)taken;
    t->snd_nxt = t->queue_start = seq32_add(t->queue_start, taken);
    early_deinit(t);
    if (t->config.ops->early_answered) t->config.ops->early_answered(t->config.owner, t, &result, now);
}

/* --- the server --- */

/* [R-7413-4.2.2-4] The connection may be written to before the client's ACK: within the initial window, and what is lost of
 * that, or of the SYN/ACK, is said again when it is there. */
bool tcp_accept_early(struct tcp *t, const struct tcp_segment *syn, braid_time now) {
    ENSURE(t->state == TCP_STATE_SYN_RECEIVED && t->handshake.answer_held);
    uint32_t length = syn->payload_length < t->config.receive_window_max_bytes ? syn->payload_length : 0;
    if (length > UINT16_MAX) length = 0;
    if (length > 0) {
        struct braid_slice data = slice_copy(t->env, syn->payload, length);
        if (data.buf == NULL) return false;
        t->rcv_nxt = seq32_add(t->rcv_nxt, length);
        t->rcv_adv = seq32_max(t->rcv_adv, t->rcv_nxt);
        t->early_received_bytes = (uint16_t)length;
        t->counts.bytes_received += length;
        owner_early_arrived(t, data, now);
    }
    t->early_open = true;
    handshake_start_sending(t, now);
    return true;
}

bool early_may_send(const struct tcp *t) {
    return t->early_open && t->state == TCP_STATE_SYN_RECEIVED && t->handshake.syns_left > 0;
}

/* Where the stream's numbers count from on this subflow: the SYN's, and what went with it. */
seq32 tcp_send_base(const struct tcp *t) { return seq32_add(t->iss, t->early_sent_bytes); }
seq32 tcp_receive_base(const struct tcp *t) { return seq32_add(t->irs, t->early_received_bytes); }
