/* When a connection wants to be woken, and what then. */
#include "subflow.h"

static braid_time earlier(braid_time a, braid_time b) { return a < b ? a : b; }

static braid_time subflow_deadline(const struct subflow *sf) {
    if (sf->closed) return tcp_deadline(sf->t);
    return earlier(earlier(tcp_deadline(sf->t), sf->answer_due), earlier(sf->third_ack_due, sf->disowned_until));
}

braid_time connection_deadline(const struct braid_connection *c) {
    braid_time earliest = c->linger_deadline;
    if (!connection_over(c)) {
        earliest = earlier(earliest, c->send.data_rto_at);
        earliest = earlier(earliest, c->send.tail_at);
        earliest = earlier(earliest, addresses_deadline(c));
        earliest = earlier(earliest, path_manager_deadline(c));
        earliest = earlier(earliest, silence_deadline(c));
        earliest = earlier(earliest, c->race.at);
        earliest = earlier(earliest, copies_deadline(c));
        earliest = earlier(earliest, spare_deadline(c));
        if (c->send.starved_until > c->now) earliest = earlier(earliest, c->send.starved_until);
    }
    LIST_EACH(&c->subflows, node, following) earliest = earlier(earliest, subflow_deadline(SUBFLOW_OF(node)));
    return earliest;
}

void connection_expire(struct braid_connection *c, braid_time now) {
    c->now = now;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (tcp_deadline(sf->t) <= now) tcp_expire(sf->t, now);
        if (sf->closed) continue;
        join_expire(sf, now);
        reinject_expire(sf, now);
        losing_expire(sf, now);
        addresses_disowned_expire(sf, now);
    }
    if (!connection_over(c)) {
        silence_expire(c, now);
        tail_expire(c, now);
        outgoing_expire(c, now);
        path_manager_expire(c, now);
        race_expire(c, now);
        spare_expire(c, now);
    }
    closing_expire(c, now);
    connection_settle(c, now);
}
