/* How much an application may write. What is written stays until it is DATA_ACKed, and, on a subflow, until that subflow's own
 * acknowledgement is there, which comes later by a slow path. Both count, up to a bound that follows what the paths have under
 * way, below send_buffer_bytes, and shrinks when memory is short (budget.c). */
#include "subflow.h"

void send_buffer_init(struct braid_connection *c) {
    c->send.buffer_bytes = c->config.send_buffer_bytes;
    if (c->send.buffer_bytes > SEND_BUFFER_INITIAL_BYTES) c->send.buffer_bytes = SEND_BUFFER_INITIAL_BYTES;
}

/* Where the bytes end that are DATA_ACKed, and wait for the subflow's own acknowledgement. Usually these are its first. */
static seq32 lingering_end(const struct subflow *sf) {
    seq32 end = tcp_snd_una(sf->t);
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        int64_t acknowledged = dsn64_diff(sf->c->send.una, m->dsn);
        if (acknowledged < (int64_t)m->length) return acknowledged > 0 ? seq32_add(m->seq, (uint32_t)acknowledged) : end;
        end = mapping_end(m);
    }
    return end;
}

uint64_t send_buffer_held(const struct braid_connection *c) {
    uint64_t held = c->send.queue.length;
    if (connection_linear(c)) return held;
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        int32_t lingering = seq32_diff(lingering_end(sf), tcp_snd_una(sf->t));
        if (lingering > 0) held += (uint32_t)lingering;
    }
    return held;
}

/* What lingers are crumbs of many buffers, for their neighbours went by other paths: the slowest path's keep all that went
 * anywhere in half a round trip. Where the application waits for room they are copied, and the buffers are free. */
static void compact(struct braid_connection *c) {
    if (connection_linear(c) || c->subflow_count < 2) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->sent.count > 0) tcp_compact(sf->t, lingering_end(sf));
    }
}

uint32_t send_buffer_bound(const struct braid_connection *c) { return budget_bounded(c, c->send.buffer_bytes); }

uint32_t connection_write_room(const struct braid_connection *c) {
    if (c->send.shutdown || c->state == STATE_CLOSED) return 0;
    uint32_t bound = send_buffer_bound(c);
    uint64_t held = send_buffer_held(c);
    return held < bound ? bound - (uint32_t)held : 0;
}

static bool room_again(const struct braid_connection *c) {
    uint32_t bound = send_buffer_bound(c), enough = bound / WRITABLE_PART;
    return c->send.queue.length + enough <= bound && connection_write_room(c) >= enough;
}

void send_buffer_settle(struct braid_connection *c) {
    if (c->send.write_short && room_again(c)) {
        compact(c);
        c->send.write_short = false;
        connection_raise(c, CONNECTION_WRITABLE);
    }
    budget_settle(c);
}

/* What all paths carry in the round trip of the longest: for as long bytes stay, as the DATA_ACK waits for the slowest. */
static uint64_t under_way(const struct braid_connection *c) {
    uint64_t bytes_per_ms = 0, longest_ms = 1;
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (sf->closed || sf->status == SUBFLOW_CONNECTING) continue;
        tcp_info_sending(sf->t, &info);
        uint64_t ms = subflow_rtt(&info) / NS_OF_MS(1) + 1;
        bytes_per_ms += info.cwnd_bytes / ms;
        if (ms > longest_ms) longest_ms = ms;
    }
    uint64_t now = (uint64_t)dsn64_diff(c->send.nxt, c->send.una);
    return bytes_per_ms * longest_ms > now ? bytes_per_ms * longest_ms : now;
}

/* Where the application fills it: room for twice what is under way, so that it can double in a round trip, and for what
 * waits behind it. */
void send_buffer_grow(struct braid_connection *c) {
    struct sending *s = &c->send;
    if (s->buffer_bytes == c->config.send_buffer_bytes || s->queue.length < s->buffer_bytes / 2) return;
    uint64_t wanted = 2 * under_way(c) + SEND_BUFFER_INITIAL_BYTES;
    if (wanted > c->config.send_buffer_bytes) wanted = c->config.send_buffer_bytes;
    if (wanted > s->buffer_bytes) s->buffer_bytes = (uint32_t)wanted;
}
