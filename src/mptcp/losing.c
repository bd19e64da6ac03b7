/* A path that keeps losing. Every timeout on it holds up the data order until others have sent the same again, and what
 * it still retransmits fills its memory though the peer has it long since. So, when it timed out several times within a
 * while and another path works, it is reset, with MP_TCPRST's word for it (RFC 8684 §3.6), transient: reason 4 if most of
 * what it still has to retransmit the peer has from the others, else 5. Built anew it starts with a clean slate. After 1 s at first, then 2, 4 ... 60 s as long as it turns out no better. */
#include "subflow.h"

/* And has shown it: one that just joined may turn out to be no good for data. */
static bool another_works(const struct subflow *sf, braid_time now) {
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        if (other != sf && subflow_carries(other) && other->status == SUBFLOW_ACTIVE && other->data_ack_seen &&
            (other->losing.timeouts == 0 || now - other->losing.since > NS_OF_MS(LOSING_WITHIN_MS)))
            return true;
    }
    return false;
}

void losing_timeout(struct subflow *sf, braid_time now) {
    struct losing *l = &sf->losing;
    if (now - l->since > NS_OF_MS(LOSING_WITHIN_MS)) *l = (struct losing){.since = now};
    l->timeouts++;
}

/* Of what it holds that its peer has not acknowledged on it: is most DATA_ACKed, as it came by others? */
static bool delivered_by_others(struct subflow *sf) {
    uint64_t held = 0, delivered = 0;
    seq32 una = tcp_snd_una(sf->t);
    for (uint32_t i = mapping_search(&sf->sent, una); i < sf->sent.count; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        dsn64 from = seq32_gt(una, m->seq) ? mapping_lift(m, una) : m->dsn;
        dsn64 until = dsn64_min(mapping_data_end(m), sf->c->send.una);
        held += (uint64_t)dsn64_diff(mapping_data_end(m), from);
        if (dsn64_gt(until, from)) delivered += (uint64_t)dsn64_diff(until, from);
    }
    return delivered > held / 2;
}

/* [R-3.3.6-3] */
void losing_expire(struct subflow *sf, braid_time now) {
    if (sf->losing.timeouts < LOSING_TIMEOUTS || sf->retiring || !another_works(sf, now)) return;
    COUNT(sf->c, subflow_losing);
    subflow_reset(sf, delivered_by_others(sf) ? MPTCP_RESET_TOO_MUCH_DATA : MPTCP_RESET_UNACCEPTABLE_PERFORMANCE, true, now);
}

bool losing_ended(const struct subflow *sf) {
    bool ours = sf->closed_reason == TCP_CLOSED_ABORTED;
    uint8_t reason = ours ? sf->reset_reason : sf->peer_reset_reason;
    return (ours || sf->peer_reset) && (reason == MPTCP_RESET_TOO_MUCH_DATA || reason == MPTCP_RESET_UNACCEPTABLE_PERFORMANCE);
}
