/* Urgent data (RFC 9293 §3.8.5) of plain TCP, as RFC 6093 reads it: it stays in its place in the stream, and the application
 * hears that there is some, and how far it reaches. Nothing of ours is ever called urgent. */
#include "subflow.h"

/* [MUST-32] */
void urgent_arrived(struct subflow *sf, const struct tcp_segment *segment) {
    struct braid_connection *c = sf->c;
    if (!(segment->flags & TCP_URG) || (segment->flags & TCP_RST)) return;
    if ((segment->flags & TCP_SYN) || !connection_linear(c) || c->receive.fin_reached) {
        COUNT(c, urgent_misplaced);
        return;
    }
    seq32 end = seq32_add(segment->seq, segment->urgent_pointer);
    int32_t ahead = seq32_diff(end, tcp_rcv_nxt(sf->t));
    if (ahead <= 0) {
        COUNT(c, urgent_behind);
        return;
    }
    dsn64 urgent_end = dsn64_add(c->receive.nxt, (uint64_t)ahead);
    if (c->receive.urgent_known && dsn64_le(urgent_end, c->receive.urgent_end)) return;
    c->receive.urgent_known = true;
    c->receive.urgent_end = urgent_end;
    COUNT(c, urgent_received);
    connection_raise(c, CONNECTION_URGENT);
}

/* [MUST-33] */
uint64_t connection_urgent(const struct braid_connection *c) {
    const struct receiving *r = &c->receive;
    if (!r->urgent_known) return 0;
    int64_t left = dsn64_diff(r->urgent_end, r->nxt) + (int64_t)r->queue.length;
    return left > 0 ? (uint64_t)left : 0;
}
