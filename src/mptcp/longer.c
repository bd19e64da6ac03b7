/* A path that has become longer from one moment to the next: another cell, another route. Its round trip grows at once, for
 * what was sent just before the change took as long as ever. A queue does not do that; it grows with what is sent. A pause of
 * the path (a radio that is out of reach for a moment) does, but what is sent after it is quick again. So, if the first that
 * was sent after the long round trip was seen takes as long, the path is longer.
 *
 * What is known of it then: there is no queue; and it carries what it carried before, unless the opposite is seen. So the
 * round trip as it is becomes the base of room.c, and the congestion window may grow by slow start up to the product of
 * the rate as it was and the round trip as it is. Without that it would take CUBIC half a minute to grow from a window for
 * 100 ms to one for a second, and whoever has kept no queue begins with less than others. */
#include "subflow.h"

static braid_time sent_at(const struct tcp_info *info) { return info->latest_rtt_at - info->latest_rtt_ns; }

/* By half, and by enough, and at once. */
static bool jumped(const struct longer *l, const struct tcp_info *info) {
    if (l->latest_at == 0 || info->latest_rtt_ns <= l->latest_ns) return false;
    braid_time rise = info->latest_rtt_ns - l->latest_ns, before = l->latest_at - l->latest_ns;
    braid_time between = sent_at(info) > before ? sent_at(info) - before : 0;
    return rise > l->latest_ns / 2 && rise > NS_OF_MS(LONGER_RISE_MIN_MS) && between < rise / LONGER_AT_ONCE_DIVISOR;
}

static void it_is_longer(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    struct longer *l = &sf->room.longer;
    struct rivals *r = &sf->room.rivals;
    uint64_t product = l->rate_bytes_per_s * (info->latest_rtt_ns / BRAID_NS_PER_US) / 1000000;
    *r = (struct rivals){.base_ns = info->latest_rtt_ns};
    sf->rests = (struct rest){.bytes_per_s = l->rate_bytes_per_s};
    if (product > info->cwnd_bytes && info->ssthresh_bytes != UINT32_MAX) {
        tcp_path_longer(sf->t, product < UINT32_MAX / 4 ? (uint32_t)product : UINT32_MAX / 4);
        sf->room.filled = false;
        sf->room.rounds_without_growth = 0;
        sf->room.full_bytes_per_s = 0;
    }
    TRACE(sf->c->env, now, subflow_longer, .connection = sf->c->config.number, .subflow = sf->number,
          .before_us = l->before_ns / BRAID_NS_PER_US, .rtt_us = info->latest_rtt_ns / BRAID_NS_PER_US, .window_bytes = product);
}

static void look(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    struct longer *l = &sf->room.longer;
    if (info->latest_rtt_ns < l->before_ns + (l->seen_ns - l->before_ns) / 4 * 3) {
        l->seen_at = 0; /* it was a pause */
    } else if (sent_at(info) >= l->seen_at) {
        l->seen_at = 0;
        it_is_longer(sf, info, now);
    }
}

void longer_watch(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    struct longer *l = &sf->room.longer;
    if (info->latest_rtt_at == l->latest_at || info->latest_rtt_at == 0) return;
    if (l->seen_at != 0) {
        look(sf, info, now);
    } else if (jumped(l, info)) {
        l->seen_at = info->latest_rtt_at;
        l->before_ns = l->latest_ns;
        l->seen_ns = info->latest_rtt_ns;
        l->rate_bytes_per_s = info->max_delivery_bytes_per_s;
    }
    l->latest_at = info->latest_rtt_at;
    l->latest_ns = info->latest_rtt_ns;
}
