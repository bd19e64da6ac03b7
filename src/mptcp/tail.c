/* What every subflow has delivered, and no DATA_ACK covers: the end of what was sent, with nothing behind it that would make
 * the peer say more. It may be only that its program reads slowly; but the kernel's MPTCP at times leaves what arrived lying
 * on a subflow, above the connection's receive buffer, and looks at it with the next segment only (docs/decisions/0020): a
 * stall until somebody's timer runs out. And one byte said again is that segment. So two segments go again after two round
 * trips, a whole mapping if that was not enough, a few times at growing distance; the data level's own timer
 * (outgoing.c) does the rest. [R-3.3.6-2] */
#include "subflow.h"

void tail_init(struct braid_connection *c) { c->send.tail_at = BRAID_NEVER; }

static bool delivered(const struct braid_connection *c) {
    if (c->mode != CONNECTION_MODE_MPTCP || dsn64_eq(c->send.una, c->send.nxt)) return false;
    if (c->send.bytes_acknowledged < TAIL_AFTER_BYTES) return false;
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!sf->closed && (!seq32_eq(tcp_snd_una(sf->t), tcp_snd_nxt(sf->t)) || tcp_unsent(sf->t) > 0)) return false;
    }
    return true;
}

static braid_time patience(const struct braid_connection *c) {
    braid_time longest = 0;
    LIST_EACH(&c->subflows, node, following) {
        struct tcp_info info;
        if (!subflow_carries(SUBFLOW_OF(node))) continue;
        tcp_info(SUBFLOW_OF(node)->t, &info);
        if (subflow_rtt(&info) > longest) longest = subflow_rtt(&info);
    }
    braid_time time = 2 * longest > NS_OF_MS(TAIL_MIN_MS) ? 2 * longest : NS_OF_MS(TAIL_MIN_MS);
    return time << c->send.tail_tries;
}

void tail_acknowledged(const struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    struct sending *s = &c->send;
    if (!seq32_eq(tcp_snd_una(sf->t), tcp_snd_nxt(sf->t)) || !delivered(c)) return;
    if (dsn64_gt(s->una, s->tail_end)) s->tail_tries = 0;
    if (s->tail_tries == 0) s->tail_end = s->nxt;
    if (s->tail_tries < TAIL_TRIES && s->tail_at == BRAID_NEVER) s->tail_at = now + patience(c);
}

void tail_expire(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (s->tail_at > now) return;
    s->tail_at = BRAID_NEVER;
    if (!delivered(c) || outgoing_peer_fell_back(c)) return;
    s->tail_tries++;
    reinject_head(c, s->tail_tries == 1 ? TAIL_FIRST_BYTES : UINT32_MAX, now);
    connection_wake(c);
}
