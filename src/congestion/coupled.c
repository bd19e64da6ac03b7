#include "coupled.h"

#include <base/mul_div.h>

#include "window.h"

/* --- siblings --- */

void congestion_couple(struct congestion *c, struct coupled_group *group) {
    ENSURE(c->group == NULL);
    c->group = group;
    c->next_sibling = group->first;
    group->first = c;
}

void congestion_uncouple(struct congestion *c) {
    if (c->group == NULL) return;
    struct congestion **at = &c->group->first;
    while (*at != c) at = &(*at)->next_sibling;
    *at = c->next_sibling;
    c->next_sibling = NULL;
    c->group = NULL;
}

static bool takes_part(const struct congestion *c, const struct congestion *sibling, braid_time now) {
    if (sibling == c) return true;
    return sibling->ops == c->ops && sibling->srtt_ns > 0 && now - sibling->acked_at < COUPLED_IDLE_NS;
}

static struct congestion *skip_to(const struct congestion *c, struct congestion *at, braid_time now) {
    while (at != NULL && !takes_part(c, at, now)) at = at->next_sibling;
    return at;
}

struct congestion *coupled_first(const struct congestion *c, braid_time now) {
    if (c->group == NULL) return (struct congestion *)(uintptr_t)c;
    return skip_to(c, c->group->first, now);
}

struct congestion *coupled_next(const struct congestion *c, struct congestion *after, braid_time now) {
    return skip_to(c, after->next_sibling, now);
}

/* --- rates --- */

static braid_time rtt_of(const struct congestion *c) { return c->srtt_ns > 0 ? c->srtt_ns : BRAID_NS_PER_MS; }

uint64_t coupled_rate(const struct congestion *c) {
    uint64_t rate = (uint64_t)c->cwnd_bytes * BRAID_NS_PER_S / rtt_of(c); /* cwnd is below 2^30 */
    return rate > 0 ? rate : 1;
}

uint64_t coupled_rate_sum(const struct congestion *c, braid_time now) {
    uint64_t sum = 0;
    for (struct congestion *s = coupled_first(c, now); s != NULL; s = coupled_next(c, s, now)) sum += coupled_rate(s);
    return sum;
}

uint64_t coupled_growth(const struct congestion *c) {
    return mul_div(coupled_rate(c), BRAID_NS_PER_S, rtt_of(c));
}

int64_t coupled_increase(const struct congestion *c, uint64_t growth, uint64_t acked_bytes, braid_time now) {
    uint64_t sum = coupled_rate_sum(c, now);
    uint64_t share = mul_div(growth, (uint64_t)c->mss_bytes * COUPLED_FRACTION, sum);
    uint64_t increase = mul_div(share, acked_bytes, sum), most = acked_bytes * COUPLED_FRACTION; /* as fast as slow start */
    return (int64_t)(increase < most ? increase : most);
}

int64_t coupled_newreno_increase(const struct congestion *c, uint64_t acked_bytes) {
    return (int64_t)mul_div(acked_bytes, (uint64_t)c->mss_bytes * COUPLED_FRACTION, window_in_segments(c));
}

/* --- the window --- */

void coupled_init(struct congestion *c, braid_time now) {
    (void)now;
    *coupled_of(c) = (struct coupled_state){0};
}

uint64_t coupled_avoidance_bytes(struct congestion *c, const struct congestion_ack *ack) {
    c->srtt_ns = ack->srtt_ns;
    c->acked_at = ack->now;
    if (ack->in_recovery || !ack->cwnd_limited) return 0;
    if (!window_in_slow_start(c)) return ack->acked_bytes;
    uint64_t until_threshold = c->ssthresh_bytes - c->cwnd_bytes;
    uint64_t growth = ack->acked_bytes < until_threshold ? ack->acked_bytes : until_threshold;
    c->cwnd_bytes = window_bounded(c->cwnd_bytes + growth);
    return ack->acked_bytes - growth;
}

void coupled_grow(struct congestion *c, int64_t increase) {
    struct coupled_state *s = coupled_of(c);
    int64_t segment = (int64_t)c->mss_bytes * COUPLED_FRACTION;
    s->credit += increase;
    for (; s->credit >= segment; s->credit -= segment) c->cwnd_bytes = window_bounded((uint64_t)c->cwnd_bytes + c->mss_bytes);
    for (; s->credit <= -segment; s->credit += segment)
        c->cwnd_bytes = window_at_least(c->cwnd_bytes > c->mss_bytes ? c->cwnd_bytes - c->mss_bytes : 0, c->mss_bytes);
}

void coupled_reduce(struct congestion *c, uint32_t to_bytes) {
    struct coupled_state *s = coupled_of(c);
    s->undo_cwnd_bytes = c->cwnd_bytes;
    s->undo_ssthresh_bytes = c->ssthresh_bytes;
    s->credit = 0;
    c->ssthresh_bytes = window_at_least(to_bytes, 2 * c->mss_bytes);
}

void coupled_on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes, (void)now;
    coupled_reduce(c, c->cwnd_bytes / 2);
    c->cwnd_bytes = c->ssthresh_bytes;
}

void coupled_on_recovered(struct congestion *c, braid_time now) { (void)c, (void)now; }

void coupled_on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    (void)in_flight_bytes, (void)now;
    coupled_reduce(c, c->cwnd_bytes / 2);
    c->cwnd_bytes = c->mss_bytes;
}

void coupled_on_undo(struct congestion *c, braid_time now) {
    const struct coupled_state *s = coupled_of(c);
    (void)now;
    if (c->cwnd_bytes < s->undo_cwnd_bytes) c->cwnd_bytes = s->undo_cwnd_bytes;
    if (c->ssthresh_bytes < s->undo_ssthresh_bytes) c->ssthresh_bytes = s->undo_ssthresh_bytes;
}

void coupled_on_restart(struct congestion *c, braid_time idle_ns, braid_time now) {
    (void)idle_ns, (void)now;
    window_restart(c);
}

void coupled_on_longer(struct congestion *c, uint32_t ssthresh_bytes) { window_longer(c, ssthresh_bytes); }
