/* Both windows: what we advertise, and what the peer does. */
#include "tcp_internal.h"

uint32_t window_left(const struct tcp *t) {
    int32_t left = seq32_diff(t->rcv_adv, t->rcv_nxt);
    return left > 0 ? (uint32_t)left : 0;
}

/* [MUST-39] [SHLD-14] */
/* RFC 9293 §3.8.6.2.2: the edge moves only by a full segment or half the buffer, so that nobody sends crumbs. */
static uint32_t worth_advertising(const struct tcp *t, uint32_t window) {
    uint32_t left = window_left(t);
    uint32_t step = t->config.receive_window_max_bytes / 2;
    if (step > t->mss_bytes) step = t->mss_bytes;
    if (window > left && window - left < step) return left;
    return window;
}

uint16_t window_field(struct tcp *t, bool syn) {
    uint32_t window = owner_receive_window(t);
    /* [R-7323-2.2-4] [R-7323-2.3-2] */
    uint32_t scale = syn ? 0 : t->receive_scale;
    if (!syn) window = worth_advertising(t, window);
    uint32_t field = window >> scale;
    if (field > UINT16_MAX) field = UINT16_MAX;
    /* Rounding takes the edge back by less than one unit. Rounding up instead would let it creep ahead of the
     * buffer with every small segment. */
    /* [R-7323-2.4-1] [R-7323-2.4-2] */
    t->rcv_adv = seq32_max(t->rcv_adv, seq32_add(t->rcv_nxt, field << scale));
    return (uint16_t)field;
}

void tcp_window_opened(struct tcp *t, braid_time now) {
    saw_time(t, now);
    if (!state_may_receive_data(t->state)) return;
    uint32_t window = owner_receive_window(t), left = window_left(t);
    if (window <= left) return;
    /* The peer may be stuck below two segments; otherwise the ACKs of data tell it in time. */
    uint32_t full = 2 * t->mss_bytes, half = t->config.receive_window_max_bytes / 2;
    uint32_t least = full < half ? full : half;
    uint32_t worth = left < least ? t->mss_bytes : window / 2;
    if (worth > half) worth = half;
    if (window - left >= worth) t->acks.now = true;
}

/* [R-3.3.5-2] */
/* [MUST-34] */
/* [R-7323-2.4-3] */
uint32_t window_usable(const struct tcp *t) {
    int32_t usable = seq32_diff(seq32_add(t->snd_una, t->snd_wnd), t->snd_nxt);
    return usable > 0 ? (uint32_t)usable : 0;
}

/* [R-7323-2.3-2] */
uint32_t tcp_window_of(const struct tcp *t, const struct tcp_segment *s) {
    uint32_t scale = (s->flags & TCP_SYN) ? 0 : t->send_scale;
    return (uint32_t)s->window << scale; /* [MUST-1] */
}

/* The right edge goes back by more than a window's unit. */
static bool takes_back(const struct tcp *t, const struct tcp_segment *s, uint32_t window) {
    seq32 before = seq32_add(t->snd_una, t->snd_wnd), edge = seq32_add(s->ack, window);
    return seq32_diff(before, edge) >= (int32_t)(1u << t->send_scale);
}

/* RFC 9293 §3.10.7.4, step five: only from the newest segment. */
void window_take(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    bool newer = seq32_lt(t->snd_wl1, s->seq) || (seq32_eq(t->snd_wl1, s->seq) && seq32_le(t->snd_wl2, s->ack));
    if (!newer) return;
    uint32_t window = tcp_window_of(t, s);
    t->snd_wl1 = s->seq;
    t->snd_wl2 = s->ack;
    (void)now;
    if (window == t->snd_wnd) return;
    if (t->snd_wnd == 0) t->persist_backoff = 0;
    if (window < t->snd_wnd && takes_back(t, s, window)) owner_window_shrunk(t);
    t->snd_wnd = window;
    if (window > t->snd_wnd_max) t->snd_wnd_max = window;
}

void tcp_share_window(struct tcp *t, uint32_t bytes) {
    if (bytes <= t->snd_wnd) return;
    if (t->snd_wnd == 0) t->persist_backoff = 0;
    t->snd_wnd = bytes;
    if (bytes > t->snd_wnd_max) t->snd_wnd_max = bytes;
}
