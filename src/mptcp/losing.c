/* A path that keeps losing. Every timeout on it holds up the data order until others have sent the same again, and what
 * it still retransmits fills its memory though the peer has it long since. So, when it timed out several times within a
 * while and another path works, it is reset, with MP_TCPRST's word for it (RFC 8684 §3.6, reason 5), transient: built
 * anew it starts with a clean slate. After 1 s at first, then 2, 4 ... 60 s as long as it turns out no better. */
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

void losing_expire(struct subflow *sf, braid_time now) {
    if (sf->losing.timeouts < LOSING_TIMEOUTS || sf->retiring || !another_works(sf, now)) return;
    COUNT(sf->c, subflow_losing);
    subflow_reset(sf, MPTCP_RESET_UNACCEPTABLE_PERFORMANCE, true, now);
}

bool losing_ended(const struct subflow *sf) {
    if (sf->closed_reason == TCP_CLOSED_ABORTED) return sf->reset_reason == MPTCP_RESET_UNACCEPTABLE_PERFORMANCE;
    return sf->peer_reset && sf->peer_reset_reason == MPTCP_RESET_UNACCEPTABLE_PERFORMANCE;
}
