/* A path that is not worth its wait. Bytes that are sent by a longer path are there later than what the others bring
 * meanwhile, and the stream stands for them once:
 *
 *     wait      half the difference of the round trips, at the rate of the faster ones
 *     brings    its own rate, as long as the transfer goes on
 *
 * How long that is nobody knows. A path that does not bring back what the wait for it costs within WORTH_WITHIN_MS rests. It is
 * asked for its round trip now and then (stale.c); when that has become short enough, it carries again what it carried
 * before. Only a path whose rate is known is judged, and only against others that are worth it; and not for ever, for its rate
 * may have grown. */
#include "subflow.h"

bool worth_rests(const struct subflow *sf) { return sf->rests.until != 0; }

static bool concerned(const struct subflow *sf) {
    return !sf->closed && scheduler_regular(sf) && !harm_done(sf);
}

/* In how much time it would bring back what the wait costs. */
static braid_time repaid_in(const struct subflow *sf, const struct tcp_info *info) {
    uint64_t bytes_per_s = sf->rests.bytes_per_s;
    uint64_t waiting = 0; /* bytes of the others, for the difference */
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        struct tcp_info theirs;
        if (other == sf || !concerned(other) || worth_rests(other)) continue;
        tcp_info_sending(other->t, &theirs);
        if (subflow_rtt(&theirs) >= subflow_rtt(info)) continue;
        braid_time later = (subflow_rtt(info) - subflow_rtt(&theirs)) / 2;
        waiting += theirs.max_delivery_bytes_per_s * (later / BRAID_NS_PER_US) / 1000000;
    }
    return waiting / bytes_per_s < UINT32_MAX ? waiting * BRAID_NS_PER_MS / bytes_per_s * 1000 : BRAID_NEVER;
}

/* It delivers far less than it did, though a queue stands in it: that is all it carries now. */
static bool fallen(const struct subflow *sf, const struct tcp_info *info) {
    const struct room *r = &sf->room;
    return info->delivery_bytes_per_s > 0 && info->delivery_bytes_per_s < info->max_delivery_bytes_per_s / WORTH_FALLEN_DIVISOR &&
           info->srtt_ns > rivals_base(&r->rivals, info) + NS_OF_MS(SLOWED_QUEUE_MS);
}

/* What is known of it: in its beginnings nothing, and when it begins again what it carried before. */
static void learn(struct subflow *sf, const struct tcp_info *info) {
    uint64_t delivered = info->max_delivery_bytes_per_s;
    if (fallen(sf, info)) delivered = info->delivery_bytes_per_s;
    bool starting = room_starting(&sf->room, info);
    if (!starting || (sf->rests.bytes_per_s > 0 && sf->rests.bytes_per_s < delivered)) sf->rests.bytes_per_s = delivered;
}

static void rest(struct subflow *sf, const struct tcp_info *info, braid_time now) {
    sf->rests.until = now + NS_OF_MS(WORTH_FORGOTTEN_MS);
    COUNT(sf->c, subflow_rested);
    TRACE(sf->c->env, now, subflow_rests, .connection = sf->c->config.number, .subflow = sf->number,
          .rtt_us = subflow_rtt(info) / BRAID_NS_PER_US, .delivery_bytes_per_s = sf->rests.bytes_per_s);
}

static void judge(struct subflow *sf, braid_time now) {
    struct rest *r = &sf->rests;
    struct tcp_info info;
    tcp_info(sf->t, &info);
    if (!worth_rests(sf)) {
        learn(sf, &info);
        if (r->bytes_per_s > 0 && repaid_in(sf, &info) > NS_OF_MS(WORTH_WITHIN_MS)) rest(sf, &info, now);
    } else if (now >= r->until) {
        *r = (struct rest){0};
    } else if (repaid_in(sf, &info) <= NS_OF_MS(WORTH_AGAIN_MS)) {
        r->until = 0;
    }
}

/* Which room.c does of those that are used. */
static void watch_length(struct subflow *sf, braid_time now) {
    struct tcp_info info;
    if (sf->closed) return;
    tcp_info(sf->t, &info);
    longer_watch(sf, &info, now);
}

void worth_watch(struct braid_connection *c, braid_time now) {
    if (!c->config.scheduler->spares_waits) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (worth_rests(sf) || harm_done(sf)) watch_length(sf, now);
        if (concerned(sf)) judge(sf, now);
        else sf->rests.until = 0;
    }
}
