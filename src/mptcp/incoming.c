/* A byte's way in: mappings are noted when a segment arrives, its payload follows in subflow order, is lifted into the
 * data order, and waits there for holes to be filled and for the application to read. With DSS checksums a mapping's
 * bytes are held back until all of them are there and prove to be right. */
#include "subflow.h"
#include "version.h"

#include <wire/checksum.h>

void incoming_init(struct braid_connection *c) {
    slice_queue_init(&c->receive.queue, c->env);
    ahead_init(&c->receive.ahead, c->env);
}

void incoming_deinit(struct braid_connection *c) {
    slice_queue_deinit(&c->receive.queue);
    ahead_deinit(&c->receive.ahead);
}

/* Where the peer's numbers start; what our SYN/ACK offered counts from there. */
void incoming_start(struct braid_connection *c, dsn64 first) {
    c->window.edge = dsn64_add(first, (uint64_t)dsn64_diff(c->window.edge, c->receive.nxt));
    c->receive.nxt = c->receive.told = first;
}

/* --- mappings --- */

static enum tcp_verdict broken(struct subflow *sf, uint8_t reason) {
    sf->reset_reason = reason;
    sf->reset_transient = false;
    return TCP_VERDICT_RESET;
}

/* With no checksum to verify, only what is new of a mapping is noted, if it says the same as those known. */
static bool clip(const struct subflow *sf, struct mapping *m) {
    if (seq32_lt(m->seq, sf->held_seq)) {
        uint32_t past = (uint32_t)seq32_diff(sf->held_seq, m->seq);
        if (past >= m->length) return false;
        *m = (struct mapping){.seq = sf->held_seq, .dsn = dsn64_add(m->dsn, past), .length = m->length - past};
    }
    return true;
}

/* What [m->seq, ...) has in common with mappings known already. Returns false if they contradict. Shortens *m to the
 * part before the first one known, *rest gets what is behind it. */
static bool overlap(struct subflow *sf, struct mapping *m, struct mapping *rest) {
    *rest = (struct mapping){0};
    uint32_t index = mapping_search(&sf->mapped, m->seq);
    if (index == sf->mapped.count) return true;
    const struct mapping *known = mapping_at(&sf->mapped, index);
    if (seq32_ge(known->seq, mapping_end(m))) return true;
    if (!dsn64_eq(mapping_lift(m, known->seq), known->dsn)) return false;
    int32_t before = seq32_diff(known->seq, m->seq);
    int32_t behind = seq32_diff(mapping_end(m), mapping_end(known));
    if (behind > 0)
        *rest = (struct mapping){
            .seq = mapping_end(known), .dsn = mapping_data_end(known), .length = (uint32_t)behind};
    m->length = before > 0 ? (uint32_t)before : 0;
    return true;
}

static enum tcp_verdict contradiction(struct subflow *sf) {
    struct braid_connection *c = sf->c;
    COUNT(c, dss_mapping_contradicts);
    TRACE(c->env, c->now, option_refused, .connection = c->config.number, .subflow = sf->number, .option = "DSS",
          .reason = "contradicts a mapping");
    return TCP_VERDICT_ACCEPT; /* "fixed after it has been processed": the first one holds */
}

static bool same(const struct mapping *a, const struct mapping *b) {
    return seq32_eq(a->seq, b->seq) && dsn64_eq(a->dsn, b->dsn) && a->length == b->length &&
           a->data_fin == b->data_fin && a->checksum == b->checksum;
}

static enum tcp_verdict insert(struct subflow *sf, const struct mapping *m) {
    if (sf->mapped.count >= MAPPINGS_RECEIVED_MAX) {
        COUNT(sf->c, dss_mappings_full);
        return TCP_VERDICT_DROP;
    }
    return mapping_insert(&sf->mapped, m) ? TCP_VERDICT_ACCEPT : TCP_VERDICT_DROP;
}

/* A checksum binds a mapping as a whole. */
static enum tcp_verdict note_whole(struct subflow *sf, const struct mapping *m) {
    if (seq32_le(mapping_end(m), sf->held_seq)) return TCP_VERDICT_ACCEPT; /* of the past */
    uint32_t index = mapping_search(&sf->mapped, m->seq);
    const struct mapping *known = index < sf->mapped.count ? mapping_at(&sf->mapped, index) : NULL;
    if (known && same(known, m)) return TCP_VERDICT_ACCEPT;
    if (seq32_lt(m->seq, sf->held_seq) || (known && seq32_lt(known->seq, mapping_end(m)))) return contradiction(sf);
    return insert(sf, m);
}

static enum tcp_verdict note(struct subflow *sf, struct mapping *m) {
    if (sf->c->checksum) return note_whole(sf, m);
    while (m->length > 0 && clip(sf, m)) {
        struct mapping rest;
        if (!overlap(sf, m, &rest)) return contradiction(sf);
        if (m->length > 0) {
            enum tcp_verdict verdict = insert(sf, m);
            if (verdict != TCP_VERDICT_ACCEPT) return verdict;
        }
        *m = rest;
    }
    return TCP_VERDICT_ACCEPT;
}

/* §3.3.1: it "MUST apply to some or all of the subflow sequence space in the TCP segment". */
/* [R-3.3.1-14] */
static bool applies(const struct tcp_segment *segment, const struct mapping *m) {
    return segment->payload_length > 0 && seq32_lt(m->seq, seq32_add(segment->seq, segment->payload_length)) &&
           seq32_gt(mapping_end(m), segment->seq);
}

static enum tcp_verdict mapping_arrived(struct subflow *sf, const struct tcp_segment *segment, struct mapping *m,
                                        braid_time now) {
    struct braid_connection *c = sf->c;
    (void)now;
    if (!applies(segment, m)) {
        /* A segment trimmed to nothing new, or one sent again without its payload, is no fault of the mapping. */
        if (segment->payload_length > 0) COUNT(c, dss_bad_mapping);
        return TCP_VERDICT_ACCEPT;
    }
    c->mapped = true;
    return note(sf, m);
}

enum tcp_verdict incoming_dss(struct subflow *sf, const struct tcp_segment *segment, const struct dss *dss,
                              braid_time now) {
    struct braid_connection *c = sf->c;
    if (dss->has_data_ack) {
        sf->ack_arrived = true;
        sf->arrived_ack = dss->data_ack_64 ? dsn64_of(dss->data_ack) /* [R-3.3.1-10] [R-3.3.2-2] */
                                           : dsn64_expand(c->send.una, (uint32_t)dss->data_ack);
    }
    handshake_confirmed(c, now);
    if (!dss->has_mapping) return TCP_VERDICT_ACCEPT;
    if (dss->data_length == 0) return fallback_infinite_arrived(sf, now);
    bool surplus = dss->has_checksum && version_0(c); /* [R-6824-3.3-1] */
    if (dss->has_checksum != c->checksum && !surplus) { /* [R-3.3-2] [R-3.3-3] [R-3.3-4] [R-6824-3.3-2] */
        COUNT(c, dss_checksum_presence);
        return broken(sf, MPTCP_RESET_MPTCP_ERROR);
    }
    dsn64 dsn = dss->dsn_64 ? dsn64_of(dss->dsn) : dsn64_expand(c->receive.nxt, (uint32_t)dss->dsn);
    struct mapping m = {.seq = seq32_add(tcp_receive_base(sf->t), dss->subflow_seq),
                        .dsn = dsn,
                        .length = dss->data_length - (dss->data_fin ? 1u : 0u),
                        .data_fin = dss->data_fin,
                        .checksum = dss->checksum};
    enum tcp_verdict verdict = TCP_VERDICT_ACCEPT;
    dsn64 fin = mapping_data_end(&m);
    if (m.length > 0) {
        fallback_mapping_arrived(sf, segment, dss);
        verdict = mapping_arrived(sf, segment, &m, now);
    }
    if (verdict == TCP_VERDICT_ACCEPT && dss->data_fin) {
        bool known = c->receive.fin_known;
        incoming_fin(c, fin, now);
        /* Said again it is answered only once it can be acknowledged: two ends that both wait for data before the
         * other's DATA_FIN would answer each other's ACKs for ever. */
        if (!known || c->receive.fin_reached) tcp_ack_now(sf->t);
    }
    return verdict;
}

enum tcp_verdict incoming_capable(struct subflow *sf, const struct tcp_segment *segment,
                                  const struct mp_capable *capable, braid_time now) {
    struct braid_connection *c = sf->c;
    if (!sf->first || c->client) COUNT(c, option_misplaced);
    if (!sf->first || c->client || !capable->has_data_length || capable->data_length == 0) return TCP_VERDICT_ACCEPT;
    if (capable->has_checksum != c->checksum) {
        COUNT(c, dss_checksum_presence);
        return broken(sf, MPTCP_RESET_MPTCP_ERROR);
    }
    handshake_confirmed(c, now);
    struct mapping m = {.seq = seq32_add(tcp_receive_base(sf->t), 1),
                        .dsn = dsn64_add(c->keys.remote_idsn, 1),
                        .length = capable->data_length,
                        .checksum = capable->checksum};
    return mapping_arrived(sf, segment, &m, now);
}

/* --- the data order --- */

static void out_of_memory(struct braid_connection *c, braid_time now) {
    /* At the data level the peer sends what it has no DATA_ACK for once more; plain TCP knows no such thing. */
    if (connection_linear(c)) closing_abort(c, CONNECTION_NO_MEMORY, now);
}

/* A slice that pins much more memory than it has bytes is copied together with its neighbours. */
static bool queue_append(struct braid_connection *c, struct braid_slice *data) {
    struct slice_queue *queue = &c->receive.queue;
    if (data->length < data->buf->capacity / 2) {
        if (!slice_queue_append_copy(queue, data->bytes, data->length)) return false;
        slice_release(data);
        return true;
    }
    return slice_queue_append(queue, *data);
}

/* In order: takes over `data`. False if there was no memory. */
static bool accept_in_order(struct braid_connection *c, struct braid_slice data) {
    uint32_t length = data.length;
    if (!queue_append(c, &data)) {
        slice_release(&data);
        return false;
    }
    c->receive.nxt = dsn64_add(c->receive.nxt, length);
    c->receive.bytes_received += length;
    return true;
}

/* [R-3.3.3-5] */
static void fin_reached(struct braid_connection *c) {
    struct receiving *r = &c->receive;
    if (!r->fin_known || r->fin_reached || !dsn64_eq(r->nxt, r->fin)) return;
    r->fin_reached = true;
    if (!connection_linear(c)) r->nxt = dsn64_add(r->nxt, 1);
    connection_raise(c, CONNECTION_READABLE);
}

static void hints_forget(struct braid_connection *c, const struct run *gone) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->hint == gone) sf->hint = NULL;
    }
}

static void pull_from_ahead(struct braid_connection *c, braid_time now) {
    struct braid_slice data;
    const struct run *gone;
    while (ahead_take(&c->receive.ahead, c->receive.nxt, &data, &gone)) {
        hints_forget(c, gone);
        if (data.length > 0 && !accept_in_order(c, data)) {
            out_of_memory(c, now);
            return;
        }
    }
}

static void data_readable(struct braid_connection *c, braid_time now) {
    fin_reached(c);
    if (!c->receive.discard) {
        connection_raise(c, CONNECTION_READABLE);
        return;
    }
    /* [SHLD-3] */
    closing_abort(c, CONNECTION_ABORTED, now); /* nobody will read it: as close() does with data that still comes */
}

/* Out of order: bounded by the window in bytes, and in memory too, whatever way a peer cuts its bytes. */
static void accept_ahead(struct subflow *sf, dsn64 dsn, struct braid_slice data) {
    struct braid_connection *c = sf->c;
    uint32_t length = data.length;
    bool lost = false;
    bool permitted = budget_may_wait(c);
    if (!permitted) COUNT(c, data_over_budget);
    if (!permitted || c->receive.ahead.memory_bytes > 2 * (uint64_t)c->config.receive_buffer_max_bytes) {
        if (permitted) COUNT(c, data_outside_window);
        slice_release(&data);
        return;
    }
    uint32_t added = ahead_insert(&c->receive.ahead, &sf->hint, dsn, data, &lost);
    if (added < length && !lost) COUNT(c, data_duplicate);
}

/* `data` is at `dsn`. Takes it over. */
static void accept(struct subflow *sf, dsn64 dsn, struct braid_slice data, braid_time now) {
    struct braid_connection *c = sf->c;
    struct receiving *r = &c->receive;
    int64_t known = dsn64_diff(r->nxt, dsn);
    if (connection_over(c)) {
        slice_release(&data);
        return;
    }
    if (known > 0) {
        if (known >= (int64_t)data.length || r->fin_reached) { /* [R-3.3.1-2] [R-3.3.1-3] */
            COUNT(c, data_duplicate);
            slice_release(&data);
            return;
        }
        slice_drop_front(&data, (uint32_t)known);
        dsn = r->nxt;
    }
    /* [R-3.8-2] §3.3.4: what lies outside the window is not accepted, nor what lies behind the peer's own end. */
    dsn64 edge = r->fin_known ? dsn64_min(r->fin, c->window.edge) : c->window.edge;
    int64_t inside = dsn64_diff(edge, dsn);
    if (inside < (int64_t)data.length) COUNT(c, data_outside_window);
    if (inside <= 0 || r->fin_reached) {
        slice_release(&data);
        return;
    }
    if (inside < (int64_t)data.length) slice_truncate(&data, (uint32_t)inside);
    if (!dsn64_eq(dsn, r->nxt)) {
        accept_ahead(sf, dsn, data);
        return;
    }
    if (!accept_in_order(c, data)) {
        out_of_memory(c, now);
        return;
    }
    pull_from_ahead(c, now);
    data_readable(c, now);
}

void incoming_fin(struct braid_connection *c, dsn64 fin, braid_time now) {
    struct receiving *r = &c->receive;
    (void)now;
    if (r->fin_reached) return;
    if ((r->fin_known && !dsn64_eq(r->fin, fin)) || dsn64_lt(fin, r->nxt)) {
        COUNT(c, dss_bad_mapping);
        return;
    }
    r->fin_known = true;
    r->fin = fin;
    fin_reached(c);
}

void incoming_linear_fin(struct braid_connection *c, braid_time now) { incoming_fin(c, c->receive.nxt, now); }

/* --- lifting --- */

static void linear_data(struct braid_connection *c, struct braid_slice data, braid_time now) {
    if (data.length == 0 || connection_over(c) || c->receive.fin_reached) {
        slice_release(&data);
        return;
    }
    if (!accept_in_order(c, data)) out_of_memory(c, now);
    else data_readable(c, now);
}

/* Fast Open's are in front of all that has a number. */
void incoming_early(struct braid_connection *c, struct braid_slice data, braid_time now) {
    uint32_t length = data.length;
    if (!queue_append(c, &data)) {
        slice_release(&data);
        closing_abort(c, CONNECTION_NO_MEMORY, now);
        return;
    }
    c->receive.bytes_received += length;
    connection_raise(c, CONNECTION_READABLE);
}

/* Takes `length` bytes off the held ones, whose subflow sequence number is held_seq, to the data order. */
static void lift(struct subflow *sf, dsn64 dsn, uint32_t length, braid_time now) {
    while (length > 0 && sf->held.length > 0) {
        struct braid_slice slice;
        uint32_t held = sf->held.length < length ? (uint32_t)sf->held.length : length; /* the mapping may go on */
        slice_queue_gather(&sf->held, 0, held, &slice, 1);
        slice_queue_drop(&sf->held, slice.length);
        sf->held_seq = seq32_add(sf->held_seq, slice.length);
        uint32_t lifted = slice.length;
        accept(sf, dsn, slice, now);
        dsn = dsn64_add(dsn, lifted);
        length -= lifted;
    }
}

static uint64_t sum_of(struct slice_queue *queue, uint32_t length) {
    struct braid_slice slices[GATHER_SLICES];
    uint64_t sum = 0;
    uint32_t done = 0;
    while (done < length) {
        size_t count = slice_queue_gather(queue, done, length - done, slices, GATHER_SLICES);
        for (size_t i = 0; i < count; i++) {
            sum += checksum_shift(checksum_sum(slices[i].bytes, slices[i].length), done);
            done += slices[i].length;
            slice_release(&slices[i]);
        }
    }
    return sum;
}

static bool verified(struct subflow *sf, const struct mapping *m) {
    uint32_t data_level_length = m->length + (m->data_fin ? 1u : 0u);
    uint32_t relative_seq = (uint32_t)seq32_diff(m->seq, tcp_receive_base(sf->t));
    return mapping_checksum(m->dsn, relative_seq, data_level_length, sum_of(&sf->held, m->length)) == m->checksum;
}

/* Nothing maps what lies at held_seq. It is kept for a while: its mapping may still come. */
/* [R-3.3.1-7] */
static void unmapped(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    if (!c->mapped && sf->first && fallback_possible(sf)) {
        COUNT(c, fallback_first_data);
        fallback_enter(sf, "first data without DSS", now);
        return;
    }
    if (sf->held.length < c->window.target_bytes) return;
    COUNT(c, dss_unmapped_data); /* [R-3.3.1-8] [R-3.7-6] [R-3.7-7] */
    subflow_reset(sf, MPTCP_RESET_MIDDLEBOX, false, now);
}

/* What lies at held_seq has no mapping, but what comes later in the subflow's order has one: its own was lost with a
 * segment's options, as middleboxes lose them that put segments together. It goes; it will not be DATA_ACKed, so its
 * sender says it again. True if so. */
/* [R-3.3.1-7] */
static bool skip_unmapped(struct subflow *sf) {
    struct braid_connection *c = sf->c;
    seq32 held_end = seq32_add(sf->held_seq, (uint32_t)sf->held.length);
    if (!c->mapped || sf->mapped.count == 0) return false;
    seq32 next = mapping_at(&sf->mapped, 0)->seq;
    if (seq32_ge(next, held_end)) return false;
    uint32_t length = (uint32_t)seq32_diff(next, sf->held_seq);
    COUNT_N(c, dss_unmapped_bytes_skipped, length);
    slice_queue_drop(&sf->held, length);
    sf->held_seq = next;
    return true;
}

void incoming_lift(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    while (sf->held.length > 0 && !sf->closed && !connection_over(c)) {
        if (connection_linear(c)) {
            sf->held_seq = seq32_add(sf->held_seq, (uint32_t)sf->held.length);
            while (sf->held.length > 0) linear_data(c, slice_queue_pop(&sf->held), now);
            return;
        }
        mapping_drop_before(&sf->mapped, sf->held_seq);
        const struct mapping *found = mapping_find(&sf->mapped, sf->held_seq);
        if (!found) {
            if (skip_unmapped(sf)) continue;
            unmapped(sf, now);
            if (!connection_linear(c)) return;
            continue;
        }
        struct mapping m = *found;
        if (c->checksum) {
            if (sf->held.length < m.length) return;
            if (!verified(sf, &m)) {
                fallback_checksum_failed(sf, m.dsn, now);
                continue;
            }
        }
        uint32_t length = (uint32_t)seq32_diff(mapping_end(&m), sf->held_seq);
        lift(sf, mapping_lift(&m, sf->held_seq), length, now);
    }
}

/* Most data needs no holding: it is there with its mapping, and nothing is to be verified. */
static bool lift_directly(struct subflow *sf, seq32 seq, struct braid_slice *data, braid_time now) {
    const struct mapping *m = mapping_find(&sf->mapped, seq);
    if (sf->held.length > 0 || sf->c->checksum || !m) return false;
    if (seq32_lt(mapping_end(m), seq32_add(seq, data->length))) return false;
    dsn64 dsn = mapping_lift(m, seq);
    sf->held_seq = seq32_add(seq, data->length);
    mapping_drop_before(&sf->mapped, sf->held_seq);
    accept(sf, dsn, *data, now);
    return true;
}

void incoming_data(void *owner, struct tcp *t, seq32 seq, struct braid_slice data, braid_time now) {
    struct subflow *sf = owner;
    struct braid_connection *c = sf->c;
    (void)t;
    if (sf->closed || connection_over(c)) {
        slice_release(&data);
    } else if (connection_linear(c)) {
        sf->held_seq = seq32_add(seq, data.length);
        linear_data(c, data, now);
    } else if (!lift_directly(sf, seq, &data, now)) {
        if (slice_queue_append(&sf->held, data)) {
            incoming_lift(sf, now);
        } else { /* a hole in the subflow's own bytes cannot be mended */
            slice_release(&data);
            subflow_reset(sf, MPTCP_RESET_NO_RESOURCES, true, now);
        }
    }
}

/* --- the application --- */

uint32_t connection_read(struct braid_connection *c, void *bytes, uint32_t length, braid_time now) {
    struct slice_queue *queue = &c->receive.queue;
    uint32_t part = queue->length < length ? (uint32_t)queue->length : length;
    c->now = now;
    if (part == 0) return 0;
    slice_queue_peek(queue, 0, bytes, part);
    slice_queue_drop(queue, part);
    c->receive.bytes_read += part;
    budget_settle(c);
    window_read(c, part, now);
    return part;
}

struct braid_slice connection_read_slice(struct braid_connection *c, braid_time now) {
    struct braid_slice slice = slice_queue_pop(&c->receive.queue);
    c->now = now;
    c->receive.bytes_read += slice.length;
    budget_settle(c);
    if (slice.length > 0) window_read(c, slice.length, now);
    return slice;
}

uint64_t connection_readable(const struct braid_connection *c) { return c->receive.queue.length; }

bool connection_at_end(const struct braid_connection *c) {
    return c->receive.fin_reached && c->receive.queue.length == 0;
}
