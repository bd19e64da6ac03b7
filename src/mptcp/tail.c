/* What every subflow has delivered, and no DATA_ACK covers: the end of what was sent, with nothing behind it that would make
 * the peer say more. Two stories:
 *
 * - Data. It may be only that the peer's program reads slowly; but the kernel's MPTCP at times leaves what arrived lying on a
 *   subflow, above the connection's receive buffer, and looks at it with the next segment only (docs/decisions/0020): a stall
 *   until somebody's timer runs out. And one byte said again is that segment. So two segments go again after two round
 *   trips, a whole mapping if that was not enough, a few times at growing distance. [R-3.3.6-2]
 * - A DATA_FIN without data, on an ACK, which may be lost as any ACK, and no subflow's timer runs for it. The peer's program
 *   waits for the end. It goes again at the same distances. [R-3.3.3-2]
 *
 * The data level's own timer (outgoing.c) does the rest. */
#include "subflow.h"

void tail_init(struct braid_connection *c) { c->send.tail_at = BRAID_NEVER; }

static bool data_waits(const struct braid_connection *c) {
    return !dsn64_eq(c->send.una, c->send.nxt) && c->send.bytes_acknowledged >= TAIL_AFTER_BYTES;
}

/* Once the only subflow has seen a FIN the peer may have fallen back, which is found out more slowly (fallback_fin_ask()). */
static bool fin_waits(const struct braid_connection *c) {
    const struct subflow *only = subflow_only(c);
    if (only != NULL && subflow_fin_arrived(only)) return false;
    return dsn64_eq(c->send.una, c->send.nxt) && c->send.data_fin_sent && !c->send.fin_acknowledged;
}

static bool delivered(const struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!sf->closed && (!seq32_eq(tcp_snd_una(sf->t), tcp_snd_nxt(sf->t)) || tcp_unsent(sf->t) > 0)) return false;
    }
    return true;
}

static bool waits(const struct braid_connection *c) {
    return c->mode == CONNECTION_MODE_MPTCP && (data_waits(c) || fin_waits(c)) && delivered(c);
}

static braid_time patience(const struct braid_connection *c) {
    braid_time longest = 0;
    LIST_EACH(&c->subflows, node, following) {
        struct tcp_info info;
        if (!subflow_carries(SUBFLOW_OF(node))) continue;
        tcp_info(SUBFLOW_OF(node)->t, &info);
        if (subflow_rtt(&info) > longest) longest = subflow_rtt(&info);
    }
    if (longest == 0) longest = NS_OF_MS(TAIL_UNKNOWN_MS);
    return (2 * longest + NS_OF_MS(TAIL_SLACK_MS)) << c->send.tail_tries;
}

static void arm(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (dsn64_gt(s->una, s->tail_end)) s->tail_tries = 0;
    if (s->tail_tries == 0) s->tail_end = s->nxt;
    unsigned tries = fin_waits(c) ? TAIL_FIN_TRIES : TAIL_TRIES;
    if (s->tail_tries < tries && s->tail_at == BRAID_NEVER) s->tail_at = now + patience(c);
}

void tail_acknowledged(const struct subflow *sf, braid_time now) {
    if (seq32_eq(tcp_snd_una(sf->t), tcp_snd_nxt(sf->t)) && waits(sf->c)) arm(sf->c, now);
}

void tail_fin_sent(struct braid_connection *c, braid_time now) {
    c->send.tail_tries = 0;
    c->send.tail_at = BRAID_NEVER;
    arm(c, now);
}

void tail_expire(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (s->tail_at > now) return;
    s->tail_at = BRAID_NEVER;
    if (!waits(c) || outgoing_peer_fell_back(c)) return;
    s->tail_tries++;
    if (fin_waits(c)) {
        outgoing_fin_again(c);
        arm(c, now);
    } else {
        reinject_head(c, s->tail_tries == 1 ? TAIL_FIRST_BYTES : UINT32_MAX, now);
    }
    connection_wake(c);
}
