/* How much may enter a path now. The congestion window is the upper bound, but one that fills a path's queue does harm
 * here: what is sent again by it after another path was lost waits in that queue, and so does every message. So a
 * subflow has no more in flight than
 *
 *     delivery rate * (min RTT + slack)
 *
 * the slack being QUEUE_ALLOWED_MS, or a quarter of the RTT if that is more; twice as much while the rate still grows
 * (by a quarter in a round trip; three rounds without it end that, as in BBR's start-up), so that slow start is not held
 * up; but only a quarter more once slow start itself feels a queue, which would overflow a round trip later. Now and
 * then a round gets a tenth more, to find out whether there is more to be had.
 *
 * All that only as long as the queue is ours: rivals.c finds that out. Where others fill it, the queue may grow, and then
 * the congestion window is what limits, as for everyone. The bound is then the round trip as it is and the slack; a little
 * less for coupled subflows: of several in one queue some are spared when it overflows, and together they would take more
 * than the one share that they are to take. */
#include "subflow.h"

static braid_time slack_of(braid_time base) {
    braid_time slack = NS_OF_MS(QUEUE_ALLOWED_MS);
    return slack > base / 4 ? slack : base / 4;
}

/* Once a round trip: has the rate grown, if the bound or the window was what held it? */
static void judge_growth(struct room *r, const struct tcp_info *info, braid_time now) {
    if (r->filled || now - r->round_start < info->srtt_ns) return;
    bool limited = r->limited;
    r->round_start = now;
    r->limited = false;
    if (info->max_delivery_bytes_per_s * 100 >= r->full_bytes_per_s * ROOM_GROWTH_PERCENT) {
        r->full_bytes_per_s = info->max_delivery_bytes_per_s;
        r->rounds_without_growth = 0;
    } else if (limited && ++r->rounds_without_growth >= ROOM_ROUNDS_WITHOUT_GROWTH) {
        r->filled = true;
    }
}

bool room_starting(const struct room *r, const struct tcp_info *info) {
    return !r->filled && info->cwnd_bytes < info->ssthresh_bytes;
}

static braid_time span_of(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    struct room *r = &sf->room;
    braid_time base = rivals_base(&r->rivals, info), slack = slack_of(base), span = base + slack;
    if (room_starting(r, info)) return info->queue_felt ? span + span / 4 : 2 * span;
    rivals_watch(sf, info, slack, now);
    unsigned percent = info->coupled ? CROWDED_SPAN_COUPLED_PERCENT : CROWDED_SPAN_PERCENT;
    if (r->rivals.competing) return info->srtt_ns * percent / 100 + slack;
    bool probing = info->srtt_ns > 0 && now / info->srtt_ns % ROOM_PROBE_ROUNDS == 0;
    return probing ? span + span / 10 : span;
}

uint32_t room_of(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    uint32_t room = tcp_room(sf->t);
    struct room *r = &sf->room;
    if (info->max_delivery_bytes_per_s == 0 || info->min_rtt_ns == 0) return room;
    longer_watch(sf, info, now);
    judge_growth(r, info, now);
    uint64_t limit = info->max_delivery_bytes_per_s * (span_of(sf, info, now) / BRAID_NS_PER_US) / 1000000;
    uint64_t least = (uint64_t)ROOM_SEGMENTS_MIN * info->mss_bytes;
    uint64_t used = (uint64_t)info->in_flight_bytes + tcp_unsent(sf->t);
    if (limit < least) limit = least;
    r->rivals.bound = limit < used + room;
    if (limit > rivals_limit(&r->rivals)) limit = rivals_limit(&r->rivals);
    if (used >= limit) room = 0;
    else if (limit - used < room) room = (uint32_t)(limit - used);
    /* Also when the scheduler holds it back: with the pipe full and more, the rate would have grown. */
    bool full = used >= info->max_delivery_bytes_per_s * ((info->min_rtt_ns + slack_of(info->min_rtt_ns)) / BRAID_NS_PER_US) / 1000000;
    if (room < info->mss_bytes || full) r->limited = true;
    return room;
}
