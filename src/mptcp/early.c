/* Fast Open under a connection (RFC 7413, RFC 8684 appendix B): what goes with the SYN is outside of the data sequence
 * numbers. So it is neither mapped nor DATA_ACKed: what the SYN/ACK takes is gone from the front of the queue, and all that
 * follows, or follows again, is numbered as if it had never been there.
 *
 * A server answers before the third ACK only without Multipath TCP: with it, nobody knows the client's key before. */
#include "subflow.h"

static void ask(struct braid_connection *c, struct subflow *sf) {
    const struct fast_open_ask *ask = &c->config.fast_open;
    c->early_asked = true;
    if (!tcp_fast_open(sf->t, ask->cookie, ask->length)) return;
    uint32_t room = tcp_early_room(sf->t, ask->mss_bytes);
    uint32_t length = c->send.queue.length < room ? (uint32_t)c->send.queue.length : room;
    struct braid_slice slices[GATHER_SLICES];
    size_t count = length > 0 ? slice_queue_gather(&c->send.queue, 0, length, slices, GATHER_SLICES) : 0;
    for (size_t i = 0; i < count; i++)
        if (!tcp_early(sf->t, slices[i])) slice_release(&slices[i]);
}

void early_ask(struct braid_connection *c) {
    struct subflow *sf = subflow_only(c);
    if (!c->config.fast_open.asks || c->early_asked || !c->client || c->established || !sf || c->version == 0) return;
    ask(c, sf);
}

void early_answered(void *owner, struct tcp *t, const struct tcp_fast_open_result *result, braid_time now) {
    struct subflow *sf = owner;
    struct braid_connection *c = sf->c;
    struct sending *s = &c->send;
    (void)t, (void)now;
    slice_queue_drop(&s->queue, result->taken_bytes);
    s->bytes_acknowledged += result->taken_bytes;
    c->early_taken = result->taken_bytes > 0;
    if (c->config.host_ops->fast_open_answered) c->config.host_ops->fast_open_answered(c->config.host, c, result);
    if (s->write_short) {
        s->write_short = false;
        connection_raise(c, CONNECTION_WRITABLE);
    }
}

void early_arrived(void *owner, struct tcp *t, struct braid_slice data, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    sf->held_seq = seq32_add(sf->held_seq, data.length);
    incoming_early(sf->c, data, now);
}

bool connection_accept_early(struct braid_connection *c, const struct tcp_segment *syn, braid_time now) {
    struct subflow *sf = subflow_only(c);
    c->now = now;
    if (!sf || !tcp_accept_early(sf->t, syn, now)) return false;
    c->early_open = true;
    c->send.window_edge = dsn64_add(c->send.una, tcp_peer_window(sf->t));
    connection_raise(c, CONNECTION_ESTABLISHED);
    return true;
}

void connection_give_cookie(struct braid_connection *c, const uint8_t *cookie, uint8_t length) {
    struct subflow *sf = subflow_only(c);
    if (sf) (void)tcp_fast_open(sf->t, cookie, length); /* without memory there is none */
}

bool early_may_write(const struct braid_connection *c) { return c->early_open && connection_linear(c); }
