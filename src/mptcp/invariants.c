/* What always holds between two calls. For tests and the simulator. */
#include "subflow.h"

static void check_sending(const struct braid_connection *c) {
    const struct sending *s = &c->send;
    ENSURE(dsn64_le(s->first, s->una) && dsn64_le(s->una, s->nxt) && dsn64_le(s->nxt, outgoing_end(c)));
    ENSURE(!s->data_fin_sent || s->shutdown);
    ENSURE(!s->fin_acknowledged || s->data_fin_sent);
    ENSURE(s->bytes_acknowledged + s->queue.length == s->bytes_written);
    if (c->mode == CONNECTION_MODE_MPTCP && !dsn_ranges_empty(&s->reinject)) {
        struct dsn_range range = dsn_ranges_first(&s->reinject);
        ENSURE(dsn64_lt(range.start, range.end) && dsn64_ge(range.start, s->una) && dsn64_le(range.end, s->nxt));
    }
}

static void check_receiving(const struct braid_connection *c) {
    const struct receiving *r = &c->receive;
    dsn64 at = r->nxt;
    uint64_t bytes = 0;
    LIST_EACH(&r->ahead.runs, node, following) {
        const struct run *run = LIST_ENTRY(node, struct run, node);
        ENSURE(run->data.length > 0 && dsn64_ge(run->dsn, at));
        at = dsn64_add(run->dsn, run->data.length);
        bytes += run->data.length;
    }
    ENSURE(bytes == r->ahead.bytes && dsn64_le(at, dsn64_max(r->nxt, c->window.edge)));
    ENSURE(r->discard || r->bytes_read + r->queue.length == r->bytes_received);
    if (!connection_linear(c)) ENSURE(r->queue.length + r->ahead.bytes <= c->config.receive_buffer_max_bytes);
    ENSURE(c->window.target_bytes <= c->config.receive_buffer_max_bytes);
}

static void check_sent_mappings(const struct subflow *sf) {
    const struct braid_connection *c = sf->c;
    seq32 at = tcp_snd_una(sf->t);
    if (c->mode != CONNECTION_MODE_MPTCP || sf->closed) return;
    for (uint32_t i = 0; i < sf->sent.count; i++) {
        const struct mapping *m = mapping_at(&sf->sent, i);
        ENSURE(m->length > 0 && m->length <= MAPPING_BYTES_MAX);
        ENSURE(i == 0 ? seq32_le(m->seq, at) : seq32_eq(m->seq, at)); /* no byte without a mapping */
        ENSURE(dsn64_ge(m->dsn, c->send.first) && dsn64_le(mapping_data_end(m), c->send.nxt));
        at = mapping_end(m);
    }
    if (tcp_unacknowledged(sf->t) > 0) ENSURE(seq32_eq(at, tcp_send_queue_end(sf->t)));
}

void connection_check_invariants(const struct braid_connection *c) {
    unsigned count = 0;
    uint64_t number = 0;
    check_sending(c);
    check_receiving(c);
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        ENSURE(sf->c == c && (count == 0 || sf->number > number));
        number = sf->number;
        count++;
        check_sent_mappings(sf);
        tcp_check_invariants(sf->t);
    }
    ENSURE(count == c->subflow_count);
    ENSURE(c->mode != CONNECTION_MODE_MPTCP || c->keys.remote_known);
    ENSURE((c->close_reason != CONNECTION_OPEN) == connection_over(c));
}
