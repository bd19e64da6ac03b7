/* A path whose round-trip time is known wrongly. It was bad for a while, or its handshake took several attempts, and so
 * the scheduler would rather wait than use it. Then nothing is sent by it, and nothing is learnt: it would be shunned for
 * ever. So, as long as more data waits than the others take, a path that lies idle gets one segment now and then, of what
 * is under way elsewhere already: if the path is as bad as it seems, nobody has to wait for it. */
#include "subflow.h"

static bool shunned(const struct subflow *sf) {
    struct tcp_info info;
    if (!subflow_carries(sf) || sf->status != SUBFLOW_ACTIVE || subflow_backup(sf)) return false;
    if (!scheduler_may_use(sf) && !(worth_rests(sf) && scheduler_regular(sf))) return false;
    tcp_info(sf->t, &info);
    return info.in_flight_bytes == 0 && tcp_unsent(sf->t) == 0;
}

void stale_refresh(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (now < s->refresh_at || c->subflow_count < 2 || c->mode != CONNECTION_MODE_MPTCP || connection_over(c)) return;
    if (s->starved_until > now || !outgoing_waits(c)) return;
    s->refresh_at = now + NS_OF_MS(STALE_REFRESH_MS);
    LIST_EACH(&c->subflows, node, following) {
        if (shunned(SUBFLOW_OF(node))) (void)outgoing_repeat(SUBFLOW_OF(node), 1, now);
    }
}
