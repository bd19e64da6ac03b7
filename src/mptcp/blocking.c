/* A path that blocks the connection: the peer's window is full, more waits, and the window does not move because its
 * first byte is on its way by a slow path. Our own memory is such a window, too. (Raiciu et al.: "How Hard Can It Be? Designing and Implementing a Deployable
 * Multipath TCP", NSDI 2012, §4.2.) Two things are done about it:
 *
 * - Opportunistic reinjection: what blocks goes once more, by a path that has room and delivers it sooner.
 * - Penalising: the path that blocks has had too much; for two of its round trips it gets no more than half of that. */
#include "subflow.h"

static bool blocked(const struct braid_connection *c) {
    const struct sending *s = &c->send;
    if (dsn64_ge(s->una, s->nxt)) return false;
    if (outgoing_unassigned(c) > 0) return dsn64_ge(s->nxt, s->window_edge);
    return s->write_short;
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

static bool overdue(const struct mapping *m, const struct tcp_info *slow, braid_time now) {
    braid_time expected = (m->sent_at > 0 ? m->sent_at : now) + subflow_rtt(slow);
    braid_time due = expected + slow->rttvar_ns + time_for(m->length, slow->max_delivery_bytes_per_s);
    return now > due + NS_OF_MS(PROBE_ANSWER_EXTRA_MS);
}

/* Would it be there sooner by `fast`? The slow one goes by what it delivers at the moment, for it may have become slow
 * just now. What it has lost, or is overdue by far, comes a round trip later at the soonest. */
static bool overtakes(const struct mapping *m, uint64_t bytes, const struct tcp_info *slow, const struct tcp_info *fast,
                      braid_time now) {
    if (overdue(m, slow, now)) return true;
    braid_time expected = (m->sent_at > 0 ? m->sent_at : now) + subflow_rtt(slow);
    if (slow->recovering) expected = now + subflow_rtt(slow);
    if (expected < now) expected = now;
    braid_time by_fast = now + subflow_rtt(fast) + time_for(bytes, fast->max_delivery_bytes_per_s);
    return by_fast < expected + time_for(bytes, slow->delivery_bytes_per_s);
}

/* It delivers so much less than it did that what it has under way takes it several round trips: no round trip that was
 * measured says so yet. */
static bool slowed(const struct subflow *sf, const struct tcp_info *slow) {
    if (slow->delivery_bytes_per_s == 0) return false;
    if (!slow->recovering && slow->srtt_ns <= rivals_base(&sf->room.rivals, slow) + NS_OF_MS(SLOWED_QUEUE_MS)) return false;
    return time_for(slow->in_flight_bytes, slow->delivery_bytes_per_s) > 2 * subflow_rtt(slow);
}

/* The same of what stands in the queue of such a path, `queued` bytes from its front. */
static bool overtakes_queued(uint64_t queued, uint64_t bytes, const struct tcp_info *slow, const struct tcp_info *fast) {
    braid_time by_fast = subflow_rtt(fast) + time_for(bytes, fast->max_delivery_bytes_per_s);
    return by_fast < time_for(queued, slow->delivery_bytes_per_s);
}

/* What blocks; and if it is late, or its path has slowed down, what comes after it on the same path as long as that would be
 * overtaken, too: one by one each would cost a round trip. */
static uint64_t overtake(struct braid_connection *c, struct subflow *slow, const struct tcp_info *slow_info,
                         const struct tcp_info *fast_info, braid_time now) {
    struct sending *s = &c->send;
    uint64_t bytes = 0, queued = 0;
    bool all = slowed(slow, slow_info);
    for (uint32_t i = 0; i < slow->sent.count && bytes < OPPORTUNE_BYTES_MAX; i++) {
        struct mapping *m = mapping_at(&slow->sent, i);
        dsn64 start = dsn64_max(m->dsn, s->una);
        if (seq32_le(mapping_end(m), tcp_snd_una(slow->t))) continue;
        queued += m->length;
        if (m->overtaken || dsn64_le(mapping_data_end(m), s->una)) continue;
        uint64_t length = (uint64_t)dsn64_diff(mapping_data_end(m), start);
        bool by_queue = all && overtakes_queued(queued, bytes + length, slow_info, fast_info);
        if (!by_queue && !overtakes(m, bytes + length, slow_info, fast_info, now)) break;
        m->overtaken = true;
        dsn_ranges_add(&s->reinject, start, mapping_data_end(m));
        bytes += length;
        if (!by_queue && !slow_info->recovering && !overdue(m, slow_info, now)) break;
    }
    return bytes;
}

/* It had it first; another may have got it again since. */
static struct subflow *first_holder(const struct braid_connection *c) {
    struct subflow *first = NULL;
    braid_time first_at = BRAID_NEVER;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        const struct mapping *m = sf->closed ? NULL : reinject_mapping(sf, c->send.una);
        if (!m) continue;
        braid_time sent_at = m->sent_at > 0 ? m->sent_at : c->now; /* or it has not left yet */
        if (sent_at >= first_at) continue;
        first = sf;
        first_at = sent_at;
    }
    return first;
}

bool blocking_relieve(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    struct tcp_info slow_info, fast_info;
    if (c->config.scheduler->unguarded) return false;
    if (!blocked(c) || s->starved_until > now) {
        if (s->held_up_since != 0) harm_watch(c, NULL, NULL, now);
        return false;
    }
    struct subflow *slow = first_holder(c);
    harm_watch(c, slow, slow ? scheduler_idle(c, slow) : NULL, now);
    if (!slow || !dsn_ranges_empty(&s->reinject)) return false;
    tcp_info(slow->t, &slow_info);
    tell_scheduler(c, &slow_info, now);
    struct subflow *fast = scheduler_other(c, s->una);
    if (!fast) return false;
    tcp_info(fast->t, &fast_info);
    uint64_t bytes = overtake(c, slow, &slow_info, &fast_info, now);
    if (bytes == 0) return false;
    if (subflow_rtt(&slow_info) > 2 * subflow_rtt(&fast_info)) penalise(slow, &slow_info, now);
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = slow->number, .bytes = bytes,
          .reason = "window shut");
    return true;
}

void blocking_look(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    struct tcp_info slow_info, fast_info;
    if (c->config.scheduler->unguarded) return;
    if (dsn64_ge(s->una, s->nxt) || !dsn_ranges_empty(&s->reinject) || s->starved_until > now) return;
    struct subflow *slow = first_holder(c), *fast = scheduler_for_probe(c);
    if (!slow || !fast || slow == fast) return;
    tcp_info(slow->t, &slow_info);
    if (!slowed(slow, &slow_info)) return;
    tcp_info(fast->t, &fast_info);
    uint64_t bytes = overtake(c, slow, &slow_info, &fast_info, now);
    if (bytes == 0) return;
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = slow->number, .bytes = bytes,
          .reason = "slowed down");
}
