/* A path that blocks the connection: the peer's window is full, more waits, and the window does not move because its
 * first byte is on its way by a slow path. (Raiciu et al.: "How Hard Can It Be? Designing and Implementing a Deployable
 * Multipath TCP", NSDI 2012, §4.2.) Two things are done about it:
 *
 * - Opportunistic reinjection: what blocks goes once more, by a path that has room and delivers it sooner.
 * - Penalising: the path that blocks has had too much; for two of its round trips it gets no more than half of that. */
#include "subflow.h"

static bool blocked(const struct braid_connection *c) {
    const struct sending *s = &c->send;
    return outgoing_unassigned(c) > 0 && dsn64_ge(s->nxt, s->window_edge) && dsn64_lt(s->una, s->nxt);
}

static void tell_scheduler(struct braid_connection *c, const struct tcp_info *slow, braid_time now) {
    if (now - c->send.blocked_at < subflow_rtt(slow)) return;
    c->send.blocked_at = now;
    COUNT(c, window_blocked);
    if (c->config.scheduler->blocked) c->config.scheduler->blocked(&c->scheduler, now);
}

static void penalise(struct subflow *slow, const struct tcp_info *info, braid_time now) {
    struct penalty *p = &slow->penalty;
    if (now < p->until) return;
    uint32_t used = info->in_flight_bytes + info->unsent_bytes;
    *p = (struct penalty){.since = now, .until = now + 2 * subflow_rtt(info), .limit_bytes = used / 2};
    COUNT(slow->c, subflow_penalised);
}

uint32_t blocking_bounded(const struct subflow *sf, const struct tcp_info *info, uint32_t room, braid_time now) {
    if (now >= sf->penalty.until) return room;
    uint32_t used = info->in_flight_bytes + info->unsent_bytes;
    if (used >= sf->penalty.limit_bytes) return 0;
    return room < sf->penalty.limit_bytes - used ? room : sf->penalty.limit_bytes - used;
}

static braid_time time_for(uint64_t bytes, uint64_t bytes_per_s) {
    return bytes_per_s > 0 ? bytes * BRAID_NS_PER_S / bytes_per_s : BRAID_NS_PER_S;
}

/* Would it be there sooner by `fast`? The slow one goes by what it delivers at the moment, for it may have become slow
 * just now. What it has lost, or is overdue by far, comes a round trip later at the soonest. */
static bool overtakes(const struct mapping *m, uint64_t bytes, const struct tcp_info *slow, const struct tcp_info *fast,
                      braid_time now) {
    braid_time expected = (m->sent_at > 0 ? m->sent_at : now) + subflow_rtt(slow);
    braid_time overdue = expected + slow->rttvar_ns + time_for(m->length, slow->max_delivery_bytes_per_s);
    if (now > overdue + NS_OF_MS(PROBE_ANSWER_EXTRA_MS)) return true;
    if (slow->recovering) expected = now + subflow_rtt(slow);
    if (expected < now) expected = now;
    braid_time by_fast = now + subflow_rtt(fast) + time_for(bytes, fast->max_delivery_bytes_per_s);
    return by_fast < expected + time_for(bytes, slow->delivery_bytes_per_s);
}

bool blocking_relieve(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    struct tcp_info slow_info, fast_info;
    dsn64 held_until;
    if (!blocked(c) || !dsn_ranges_empty(&s->reinject) || s->starved_until > now) return false;
    struct subflow *slow = reinject_holder(c, s->una, NULL, &held_until);
    if (!slow) return false;
    tcp_info(slow->t, &slow_info);
    tell_scheduler(c, &slow_info, now);
    struct mapping *m = reinject_mapping(slow, s->una);
    struct subflow *fast = scheduler_other(c, s->una);
    if (!fast || m->overtaken) return false;
    tcp_info(fast->t, &fast_info);
    if (!overtakes(m, (uint64_t)dsn64_diff(held_until, s->una), &slow_info, &fast_info, now)) return false;
    m->overtaken = true;
    if (subflow_rtt(&slow_info) > 2 * subflow_rtt(&fast_info)) penalise(slow, &slow_info, now);
    dsn_ranges_add(&s->reinject, s->una, held_until);
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = slow->number,
          .bytes = (uint64_t)dsn64_diff(held_until, s->una), .reason = "window shut");
    return true;
}
