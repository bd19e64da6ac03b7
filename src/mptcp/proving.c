/* A path that did harm is tried again, but not with what others would have to wait for: it gets copies of what is under way by
 * them. Only after PROVING_ROUNDS round trips of PROVING_SEGMENTS without a loss is it one of them again; if it loses any, it
 * rests again, twice as long. While nothing is under way it cannot be proved, and is only used if there is no better one. */
#include "subflow.h"

static bool due(const struct subflow *sf, braid_time now) {
    return sf->harm.unproved && now >= sf->harm.until && scheduler_regular(sf);
}

static void prove(struct subflow *sf, braid_time now) {
    struct harm *h = &sf->harm;
    struct tcp_info info;
    tcp_info(sf->t, &info);
    if (h->rounds == 0) h->retransmitted_bytes = info.bytes_retransmitted;
    if (info.bytes_retransmitted > h->retransmitted_bytes) {
        harm_again(sf, "it loses", now);
        return;
    }
    if (info.in_flight_bytes > 0 || tcp_unsent(sf->t) > 0) return;
    if (h->rounds == PROVING_ROUNDS) {
        h->unproved = false;
        h->until = now;
        sf->c->send.paths_looked_at = 0; /* whether it is worth it, before anything is given to it */
        return;
    }
    if (outgoing_repeat(sf, PROVING_SEGMENTS, now)) h->rounds++;
}

void harm_prove(struct braid_connection *c, braid_time now) {
    if (c->subflow_count < 2 || c->mode != CONNECTION_MODE_MPTCP || connection_over(c) || c->send.starved_until > now) return;
    LIST_EACH(&c->subflows, node, following)
        if (due(SUBFLOW_OF(node), now)) prove(SUBFLOW_OF(node), now);
}
