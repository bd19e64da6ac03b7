/* Sending again on other subflows what one may have lost (RFC 8684 §3.3.6). The first subflow goes on retransmitting
 * what it has, as long as it lives. */
#include "subflow.h"

static seq32 unacknowledged_start(const struct subflow *sf, const struct mapping *m) {
    return seq32_max(m->seq, tcp_snd_una(sf->t));
}

/* Queues the unacknowledged part of one mapping; at most `limit` bytes of it. */
static uint64_t queue_mapping(struct subflow *sf, const struct mapping *m, uint64_t limit) {
    struct braid_connection *c = sf->c;
    dsn64 start = dsn64_max(mapping_lift(m, unacknowledged_start(sf, m)), c->send.una);
    dsn64 end = mapping_data_end(m);
    if (dsn64_ge(start, end)) return 0;
    if ((uint64_t)dsn64_diff(end, start) > limit) end = dsn64_add(start, limit);
    dsn_ranges_add(&c->send.reinject, start, end);
    return (uint64_t)dsn64_diff(end, start);
}

static void told(struct subflow *sf, uint64_t bytes, const char *reason, braid_time now) {
    struct braid_connection *c = sf->c;
    if (bytes == 0) return;
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = sf->number, .bytes = bytes,
          .reason = reason);
    connection_wake(c);
}

void reinject_subflow(struct subflow *sf, const char *reason, braid_time now) {
    uint64_t bytes = 0;
    if (sf->c->mode != CONNECTION_MODE_MPTCP) return;
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        struct mapping *m = mapping_at(&sf->sent, i);
        if (m->reinjected || seq32_le(mapping_end(m), tcp_snd_una(sf->t))) continue;
        m->reinjected = true;
        bytes += queue_mapping(sf, m, UINT64_MAX);
    }
    told(sf, bytes, reason, now);
}

static const struct mapping *holder(const struct subflow *sf, dsn64 dsn) {
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        if (seq32_le(mapping_end(m), tcp_snd_una(sf->t))) continue;
        if (dsn64_le(mapping_lift(m, unacknowledged_start(sf, m)), dsn) && dsn64_gt(mapping_data_end(m), dsn)) return m;
    }
    return NULL;
}

bool reinject_outstanding(const struct braid_connection *c, dsn64 dsn, const struct subflow *except) {
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (sf != except && !sf->closed && holder(sf, dsn)) return true;
    }
    return false;
}

static bool others_work(const struct subflow *sf) {
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        if (other != sf && subflow_carries(other) && other->status == SUBFLOW_ACTIVE) return true;
    }
    return false;
}

/* A probe was due: nobody knows yet. If everything waits for what this one holds, and others are idle, a little of it
 * goes there too. */
void reinject_opportune(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    uint32_t room;
    if (!others_work(sf) || !dsn_ranges_empty(&c->send.reinject)) return;
    if (!holder(sf, c->send.una) || reinject_outstanding(c, c->send.una, sf)) return;
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sf->sent.count && bytes < OPPORTUNE_BYTES_MAX; i++)
        bytes += queue_mapping(sf, mapping_at(&sf->sent, i), OPPORTUNE_BYTES_MAX - bytes);
    /* It must not come back to where it is stuck. */
    enum subflow_status status = sf->status;
    sf->status = SUBFLOW_SUSPECTED;
    if (scheduler_pick(c, bytes, &room)) outgoing_schedule(c, now);
    sf->status = status;
    dsn_ranges_drop_before(&c->send.reinject, c->send.nxt);
    told(sf, bytes, "probe", now);
}

void reinject_suspected(void *owner, struct tcp *t, unsigned timeouts, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    if (sf->c->mode != CONNECTION_MODE_MPTCP || sf->closed) return;
    if (timeouts == 0) {
        reinject_opportune(sf, now);
        return;
    }
    if (sf->status == SUBFLOW_ACTIVE) subflow_set_status(sf, SUBFLOW_SUSPECTED, now);
    reinject_subflow(sf, "timeout", now);
}

void reinject_recovered(void *owner, struct tcp *t, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    if (sf->status == SUBFLOW_SUSPECTED && sf->disowned_until == BRAID_NEVER)
        subflow_set_status(sf, SUBFLOW_ACTIVE, now);
    for (uint32_t i = 0; i < sf->sent.count; i++) mapping_at(&sf->sent, i)->reinjected = false;
    connection_wake(sf->c);
}

/* No subflow has the head of the data order any more: up to the next byte that one has, it goes again. */
void reinject_head(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (reinject_outstanding(c, s->una, NULL)) return;
    dsn64 end = dsn64_min(s->nxt, dsn64_add(s->una, MAPPING_BYTES_MAX));
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        for (uint32_t i = 0; i < sf->sent.count && !sf->closed; i++) {
            const struct mapping *m = mapping_at(&sf->sent, i);
            if (dsn64_gt(m->dsn, s->una)) end = dsn64_min(end, m->dsn);
        }
    }
    dsn_ranges_add(&s->reinject, s->una, end);
    TRACE(c->env, now, reinjected, .connection = c->config.number, .from_subflow = 0,
          .bytes = (uint64_t)dsn64_diff(end, s->una), .reason = "no DATA_ACK");
}
