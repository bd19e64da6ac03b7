/* The timestamps option (RFC 7323). The clock ticks in milliseconds; round-trip times come from the send records, and
 * from here only where a retransmission makes those ambiguous. */
#include "tcp_internal.h"

/* TS.Recent is not trusted after 24 days of silence (RFC 7323 §5.5). */
#define RECENT_VALID_NS (UINT64_C(24) * 24 * 3600 * BRAID_NS_PER_S)

/* [R-7323-4.1-1] [R-7323-5.4-1] */
uint32_t timestamps_value(const struct tcp *t, braid_time now) {
    return (uint32_t)(now / TCP_TICK_NS) + t->timestamps.offset;
}

/* A segment without the option is let pass, where RFC 7323 §3.2 would rather drop it: middleboxes that answer keepalives
 * themselves leave it out. */
static bool stray(const struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (t->timestamps.enabled == s->options.has_timestamps || (s->flags & TCP_RST)) return false;
    if (t->timestamps.enabled) COUNT_IGNORED(t, now, "timestamps", timestamps_missing);
    else COUNT_IGNORED(t, now, "timestamps", timestamps_not_agreed);
    return false;
}

/* [R-7323-5.3-1] [R-7323-3.2-7] [R-7323-3.2-8] */
bool timestamps_too_old(const struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (!t->timestamps.enabled || !s->options.has_timestamps) return stray(t, s, now);
    if ((int32_t)(s->options.timestamp_value - t->timestamps.recent) >= 0) return false;
    return now - t->timestamps.recent_at <= RECENT_VALID_NS;
}

/* [R-7323-4.3-1] [R-7323-4.3-2] [R-7323-4.3-3] [R-7323-5.2-1] */
void timestamps_remember(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (!t->timestamps.enabled || !s->options.has_timestamps) return;
    if (seq32_gt(s->seq, t->acks.last_sent)) return; /* RFC 7323 §4.3 (2) */
    bool newer = (int32_t)(s->options.timestamp_value - t->timestamps.recent) >= 0;
    if (!newer && now - t->timestamps.recent_at <= RECENT_VALID_NS) return;
    t->timestamps.recent = s->options.timestamp_value;
    t->timestamps.recent_at = now;
}

/* [R-7323-3.2-3] */
braid_time timestamps_echo_rtt(const struct tcp *t, const struct tcp_segment *s, braid_time now) {
    if (!t->timestamps.enabled || !s->options.has_timestamps || s->options.timestamp_echo == 0) return 0;
    uint32_t ticks = timestamps_value(t, now) - s->options.timestamp_echo;
    if (ticks > 600000) return 0; /* nobody echoes after ten minutes: an echo of something we never sent */
    return (ticks > 0 ? ticks : 1) * TCP_TICK_NS;
}
