/* The same bytes by several paths, for schedulers that want it: the first to deliver them wins. Each subflow goes through
 * the data order by itself, from sf->copied on; it skips what was DATA_ACKed meanwhile. New bytes are given first to one
 * that has all of the old ones, so that nobody has to go back. */
#include "subflow.h"

static enum scheduler_copies kind(const struct braid_connection *c) { return c->config.scheduler->copies; }

static dsn64 next_of(const struct subflow *sf) {
    return sf->copied_known ? dsn64_max(sf->copied, sf->c->send.una) : sf->c->send.una;
}

bool copies_behind(const struct subflow *sf) {
    return kind(sf->c) == SCHEDULER_COPIES_ALL && dsn64_lt(next_of(sf), sf->c->send.nxt);
}

void copies_given(struct subflow *sf, dsn64 dsn, uint32_t length) {
    dsn64 end = dsn64_add(dsn, length);
    if (kind(sf->c) == SCHEDULER_COPIES_NONE) return;
    if (dsn64_gt(dsn, next_of(sf)) && kind(sf->c) == SCHEDULER_COPIES_ALL) return;
    sf->copied = dsn64_max(end, next_of(sf));
    sf->copied_known = true;
}

static bool small(const struct braid_connection *c) { return c->send.queue.length <= SCHEDULER_SMALL_BYTES; }

/* When the first unacknowledged byte should have been acknowledged; BRAID_NEVER if that does not matter. */
static braid_time late_at(const struct braid_connection *c, const struct mapping **of) {
    const struct sending *s = &c->send;
    struct tcp_info info;
    *of = NULL;
    if (kind(c) != SCHEDULER_COPIES_SMALL_OR_LATE || dsn64_eq(s->una, s->nxt)) return BRAID_NEVER;
    dsn64 held_until;
    struct subflow *sf = reinject_holder(c, s->una, NULL, &held_until);
    if (!sf || scheduler_other(c, s->una) == NULL) return BRAID_NEVER;
    const struct mapping *m = reinject_mapping(sf, s->una);
    if (m->sent_at == 0) return BRAID_NEVER;
    tcp_info(sf->t, &info);
    *of = m;
    return m->sent_at + subflow_rtt(&info) + 4 * info.rttvar_ns + NS_OF_MS(COPY_LATE_EXTRA_MS);
}

braid_time copies_deadline(const struct braid_connection *c) {
    const struct mapping *m;
    if (connection_linear(c)) return BRAID_NEVER;
    braid_time at = late_at(c, &m);
    return at > c->now ? at : BRAID_NEVER; /* what is due already waits for room */
}

static uint32_t copy(struct subflow *sf, dsn64 from, dsn64 until, braid_time now) {
    uint64_t length = (uint64_t)dsn64_diff(until, from);
    uint32_t room = scheduler_room(sf, length);
    if (room == 0) return 0;
    uint32_t given = outgoing_give(sf, from, room < length ? room : (uint32_t)length, now);
    if (given == 0) return 0;
    sf->c->contiguous = false;
    sf->c->send.bytes_copied += given;
    COUNT_N(sf->c, copied_bytes, given);
    return given;
}

static bool copy_late(struct braid_connection *c, braid_time now) {
    const struct mapping *m;
    braid_time at = late_at(c, &m);
    if (at > now || !m) return false;
    dsn64 until = dsn64_min(mapping_data_end(m), dsn64_add(c->send.una, COPY_LATE_BYTES));
    return copy(scheduler_other(c, c->send.una), c->send.una, until, now) > 0;
}

bool copies_schedule(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (kind(c) == SCHEDULER_COPIES_NONE || s->starved_until > now) return false;
    bool all = kind(c) == SCHEDULER_COPIES_ALL || small(c);
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!all || dsn64_ge(next_of(sf), s->nxt) || !scheduler_copies_to(sf)) continue;
        dsn64 from = next_of(sf);
        dsn64 held_until;
        /* What went to it out of turn, sent again for another, is no copy's business. */
        while (dsn64_lt(from, s->nxt) && reinject_held_by(sf, from, &held_until)) from = dsn64_min(held_until, s->nxt);
        sf->copied = from;
        sf->copied_known = true;
        if (dsn64_lt(from, s->nxt) && copy(sf, from, s->nxt, now) > 0) return true;
    }
    return copy_late(c, now);
}
