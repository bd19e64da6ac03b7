/* What a segment may carry: RFC 9293 §3.7.1, RFC 6691. */
#include "tcp_internal.h"

uint32_t mss_header_bytes(const struct tcp *t) {
    return (t->config.flow.local.family == IP_V6 ? 40u : 20u) + TCP_HEADER_BYTES;
}

/* [MUST-14] [MUST-67] */
/* [R-6691-2-1] */
static uint32_t mss_of(const struct tcp *t, uint32_t mtu_bytes) {
    uint32_t mss = mtu_bytes > mss_header_bytes(t) ? mtu_bytes - mss_header_bytes(t) : 0;
    if (mss < TCP_MSS_MIN_BYTES) return TCP_MSS_MIN_BYTES;
    return mss < UINT16_MAX ? mss : UINT16_MAX;
}

/* What our link takes: the way from the peer may be another than the way to it. */
uint32_t mss_to_announce(const struct tcp *t) { return mss_of(t, t->config.mtu_bytes); }

void mss_update(struct tcp *t) {
    uint32_t mss = mss_of(t, t->mtu_bytes);
    if (t->peer_mss_bytes < mss) mss = t->peer_mss_bytes; /* [MUST-16] */
    if (t->timestamps.enabled) mss -= 12;
    t->mss_bytes = mss;
    if (t->piece_bytes == 0 || t->piece_bytes > mss) t->piece_bytes = mss;
    t->congestion.mss_bytes = mss;
}

/* Everything in flight that went out in larger segments is lost, but not to congestion (RFC 1191 §6.5). */
/* [R-8201-5.4-1] */
static void resend_too_large(struct tcp *t) {
    for (struct send_record *r = scoreboard_first(&t->board); r != NULL; r = scoreboard_next(&t->board, r)) {
        if (r->state == RECORD_IN_FLIGHT && r->piece_bytes > t->mss_bytes) scoreboard_lose(&t->board, r);
    }
}

/* [R-7323-5.7-1] [R-8201-4-1] [R-8201-4-3] */
void mss_set_mtu(struct tcp *t, uint32_t mtu_bytes) {
    bool smaller = mtu_bytes < t->mtu_bytes;
    t->mtu_bytes = mtu_bytes;
    mss_update(t);
    if (!smaller) t->piece_bytes = t->mss_bytes;
    if (smaller) resend_too_large(t);
}

void tcp_set_mtu(struct tcp *t, uint32_t mtu_bytes) {
    t->config.mtu_bytes = mtu_bytes;
    pmtu_init(t);
    mss_set_mtu(t, mtu_bytes);
}
