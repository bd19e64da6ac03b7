/* Two subflows joined by a wire, in virtual time: what the tests of the tcp floor play on. The wire has a rate, a
 * delay, a queue, random loss, reordering and duplication, all from one seed. Packets cross it as bytes: built by
 * one end, cut into single segments, decoded and verified for the other. After every step the invariants of both
 * ends are checked. */
#ifndef TESTS_TCP_PAIR_H
#define TESTS_TCP_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/prng.h>
#include <tcp/tcp.h>
#include <wire/checksum.h>
#include <wire/ip.h>

#define MS BRAID_NS_PER_MS
#define SECOND BRAID_NS_PER_S
#define UNUSED __attribute__((unused))

/* --- the world --- */

struct world {
    struct braid_env env;
    struct prng prng;
    uint64_t allocated_bytes, allocations;
    uint64_t fail_at; /* this allocation, counted from 1, fails; 0: none */
    bool dry;         /* every allocation fails */
    bool secret_fixed;
    uint32_t secret;  /* every four secret bytes, if fixed */
};

static void *world_allocate(void *context, size_t size) {
    struct world *w = context;
    w->allocations++;
    if (w->dry || w->allocations == w->fail_at) return NULL;
    w->allocated_bytes += size;
    return malloc(size);
}

static void world_release(void *context, void *memory, size_t size) {
    struct world *w = context;
    w->allocated_bytes -= size;
    free(memory);
}

static bool world_random(void *context, void *out, size_t size) {
    struct world *w = context;
    for (size_t i = 0; i < size; i++) {
        uint8_t fixed = ((const uint8_t *)&w->secret)[i % sizeof(w->secret)];
        ((uint8_t *)out)[i] = w->secret_fixed ? fixed : (uint8_t)prng_next(&w->prng);
    }
    return true;
}

/* --- wires and ends --- */

struct wire_model {
    uint64_t bits_per_s; /* 0: no limit */
    braid_time delay;
    uint32_t queue_bytes; /* 0: no limit */
    uint32_t mtu_bytes;   /* larger packets vanish, and nobody says so; 0: no limit */
    uint32_t mark_bytes;  /* with more than that queued, packets that can carry a mark get one (RFC 3168); 0: never */
    double loss, reorder, duplicate;
    braid_time reorder_delay;
};

struct flight {
    braid_time at;
    uint64_t number;
    int to;
    uint32_t length;
    uint8_t *bytes;
};

struct pair;

struct end {
    struct pair *pair;
    int index;
    struct tcp *t;
    struct tcp_config config;
    struct wire_model wire; /* from here to the other */
    braid_time wire_free_at;
    braid_time tick_ns; /* the process is woken at multiples of this only, as where others have the processor; 0: at once */
    /* The application. */
    uint64_t to_send, written;   /* bytes in all, and given to tcp_send() */
    uint32_t write_bytes;        /* of one tcp_send() */
    bool by_room;                /* write only what tcp_room() allows */
    bool close_when_written, close_on_fin;
    bool reading;                /* else what arrives stays in the window */
    uint64_t received, read;
    uint64_t data_wrong;
    bool established, fin, closed;
    enum tcp_close_reason reason;
    unsigned suspected, recovered;
    unsigned last_timeouts;
    braid_time finished_at; /* when the last expected byte came */
    braid_time fin_at, suspected_at;
    /* What crossed. */
    uint64_t packets, segments, lost, queue_drops, bytes_on_wire, markable, marked;
    /* Hooks of a single test. */
    bool (*drop)(struct end *from, const struct tcp_segment *s, uint32_t nth);
    enum tcp_verdict verdict;
    size_t option_bytes; /* the owner adds an option of so many bytes */
    uint32_t boundary;   /* segments end at multiples of this, counted from the first byte */
    struct tcp_drop_counters drops;
    uint32_t largest_packet;
};

struct pair {
    struct world world;
    braid_time now;
    struct end ends[2];
    struct flight *flights;
    size_t flight_count, flight_capacity;
    uint64_t flight_number;
    bool v6;
    bool unchecked; /* skip the invariants: for long runs */
    void (*watch)(struct pair *p); /* called after every step */
    void (*crossing)(struct end *from, const struct tcp_segment *s); /* every segment that enters the wire */
};

static inline uint8_t pattern(int who, uint64_t offset) {
    uint64_t x = (offset >> 3) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)who;
    x ^= x >> 29;
    return (uint8_t)(x >> (8 * (offset & 7)));
}

/* --- the owner's operations --- */

static size_t end_write_options(void *owner, struct tcp *t, const struct tcp_outgoing *segment, uint8_t *out,
                                size_t room) {
    struct end *e = owner;
    (void)t;
    if (e->option_bytes == 0 || e->option_bytes > room || (segment->flags & TCP_SYN)) return 0;
    memset(out, 0, e->option_bytes);
    out[0] = TCP_OPTION_KIND_MPTCP;
    out[1] = (uint8_t)e->option_bytes;
    out[2] = 0x20; /* DSS */
    return e->option_bytes;
}

static uint32_t end_segment_limit(void *owner, struct tcp *t, seq32 seq, uint32_t want) {
    struct end *e = owner;
    if (e->boundary == 0) return want;
    uint32_t offset = (uint32_t)seq32_diff(seq, tcp_iss(t)) - 1;
    uint32_t left = e->boundary - offset % e->boundary;
    return left < want ? left : want;
}

static enum tcp_verdict end_segment_arrived(void *owner, struct tcp *t, const struct tcp_segment *s, braid_time now) {
    struct end *e = owner;
    (void)t, (void)s, (void)now;
    return e->verdict;
}

static void end_data_arrived(void *owner, struct tcp *t, seq32 seq, struct braid_slice data, braid_time now) {
    struct end *e = owner;
    assert_int_equal((uint32_t)seq32_diff(seq, tcp_irs(t)), (uint32_t)(e->received + 1));
    for (uint32_t i = 0; i < data.length; i++) {
        if (data.bytes[i] != pattern(1 - e->index, e->received + i)) e->data_wrong++;
    }
    e->received += data.length;
    if (e->reading) e->read = e->received;
    if (e->received == e->pair->ends[1 - e->index].to_send) e->finished_at = now;
    slice_release(&data);
}

static void end_established(void *owner, struct tcp *t, braid_time now) {
    (void)t, (void)now;
    ((struct end *)owner)->established = true;
}

static void end_fin_arrived(void *owner, struct tcp *t, braid_time now) {
    struct end *e = owner;
    assert_false(e->fin);
    e->fin = true;
    e->fin_at = now;
    if (e->close_on_fin) tcp_shutdown(t, now);
}

static void end_suspected(void *owner, struct tcp *t, unsigned timeouts, braid_time now) {
    struct end *e = owner;
    (void)t;
    if (e->suspected == 0) e->suspected_at = now;
    e->suspected++;
    e->last_timeouts = timeouts;
}

static void end_recovered(void *owner, struct tcp *t, braid_time now) {
    (void)t, (void)now;
    ((struct end *)owner)->recovered++;
}

static void end_closed(void *owner, struct tcp *t, enum tcp_close_reason reason, braid_time now) {
    struct end *e = owner;
    (void)t, (void)now;
    assert_false(e->closed);
    e->closed = true;
    e->reason = reason;
}

static uint32_t end_receive_window(void *owner, struct tcp *t) {
    struct end *e = owner;
    (void)t;
    uint64_t held = e->received - e->read;
    return held >= e->config.receive_window_max_bytes ? 0 : e->config.receive_window_max_bytes - (uint32_t)held;
}

static const struct tcp_owner_ops end_ops = {
    .write_options = end_write_options,
    .segment_limit = end_segment_limit,
    .segment_arrived = end_segment_arrived,
    .data_arrived = end_data_arrived,
    .established = end_established,
    .fin_arrived = end_fin_arrived,
    .suspected = end_suspected,
    .recovered = end_recovered,
    .closed = end_closed,
    .receive_window = end_receive_window,
};

/* --- making and ending --- */

static struct ip_address end_address(const struct pair *p, int index) {
    uint8_t v4[4] = {10, 0, 0, (uint8_t)(1 + index)};
    uint8_t v6[16] = {0xfd, 0, [15] = (uint8_t)(1 + index)};
    return p->v6 ? ip_address_v6(v6) : ip_address_v4(v4);
}

static struct flow end_flow(const struct pair *p, int index) {
    return (struct flow){
        .local = end_address(p, index),
        .remote = end_address(p, 1 - index),
        .local_port = index == 0 ? 40000 : 80,
        .remote_port = index == 0 ? 80 : 40000,
    };
}

/* 50 Mb/s, 30 ms round trip, 100 ms queue: change ends[].config and .wire before pair_create(). */
static UNUSED void pair_init(struct pair *p, uint64_t seed) {
    memset(p, 0, sizeof(*p));
    p->world.env = (struct braid_env){
        .context = &p->world,
        .allocate = world_allocate,
        .release = world_release,
        .random_secret = world_random,
    };
    prng_seed(&p->world.prng, seed);
    p->now = 1000 * SECOND;
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        e->pair = p;
        e->index = i;
        e->reading = true;
        e->write_bytes = 16384;
        e->wire = (struct wire_model){.bits_per_s = 50000000, .delay = 15 * MS, .queue_bytes = 625000};
        e->config = (struct tcp_config){
            .mtu_bytes = 1500,
            .receive_window_max_bytes = 4 << 20,
            .ops = &end_ops,
            .no_delay = true,
            .time_wait_ns = SECOND,
            .subflow_number = (uint64_t)i,
        };
    }
}

static UNUSED bool pair_create(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        struct end *e = &p->ends[i];
        e->config.flow = end_flow(p, i);
        e->config.owner = e;
        e->t = tcp_create(&p->world.env, &e->config);
        if (e->t == NULL) return false;
        tcp_set_drop_counters(e->t, &e->drops);
    }
    return true;
}

static UNUSED void pair_destroy(struct pair *p) {
    for (int i = 0; i < 2; i++) tcp_destroy(p->ends[i].t);
    for (size_t i = 0; i < p->flight_count; i++) free(p->flights[i].bytes);
    free(p->flights);
    assert_int_equal(p->world.allocated_bytes, 0);
}

/* --- the wire --- */

static bool flight_earlier(const struct flight *a, const struct flight *b) {
    return a->at < b->at || (a->at == b->at && a->number < b->number);
}

static braid_time end_woken(const struct end *e, braid_time at) {
    return e->tick_ns == 0 || at == BRAID_NEVER ? at : (at + e->tick_ns - 1) / e->tick_ns * e->tick_ns;
}

static void flight_push(struct pair *p, struct flight f) {
    if (p->flight_count == p->flight_capacity) {
        p->flight_capacity = p->flight_capacity > 0 ? 2 * p->flight_capacity : 256;
        p->flights = realloc(p->flights, p->flight_capacity * sizeof(f));
    }
    f.number = p->flight_number++;
    size_t i = p->flight_count++;
    for (; i > 0 && flight_earlier(&f, &p->flights[(i - 1) / 2]); i = (i - 1) / 2) {
        p->flights[i] = p->flights[(i - 1) / 2];
    }
    p->flights[i] = f;
}

static struct flight flight_pop(struct pair *p) {
    struct flight first = p->flights[0], last = p->flights[--p->flight_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= p->flight_count) break;
        if (child + 1 < p->flight_count && flight_earlier(&p->flights[child + 1], &p->flights[child])) child++;
        if (!flight_earlier(&p->flights[child], &last)) break;
        p->flights[i] = p->flights[child];
        i = child;
    }
    p->flights[i] = last;
    return first;
}

/* A test's own segment, as if it came from `from`'s side of the wire, arriving at once. */
static UNUSED void pair_inject(struct pair *p, int from, struct tcp_segment *s, const uint8_t *payload,
                               uint32_t length) {
    s->source_port = p->ends[from].config.flow.local_port;
    s->destination_port = p->ends[from].config.flow.remote_port;
    s->payload = payload;
    s->payload_length = length;
    tcp_input(p->ends[1 - from].t, s, NULL, 0, p->now);
    tcp_check_invariants(p->ends[1 - from].t);
}

static void wire_carry(struct end *from, const uint8_t *bytes, uint32_t length) {
    struct pair *p = from->pair;
    struct wire_model *w = &from->wire;
    from->segments++;
    from->bytes_on_wire += length;
    if (length > from->largest_packet) from->largest_packet = length;

    struct ip_header ip;
    assert_int_equal(ip_decode(bytes, length, false, &ip), IP_OK);
    struct tcp_segment s;
    assert_int_equal(tcp_segment_decode(bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                                        false, &s),
                     TCP_DECODE_OK);
    if (p->crossing != NULL) p->crossing(from, &s);
    if (from->drop != NULL && from->drop(from, &s, (uint32_t)from->segments)) {
        from->lost++;
        return;
    }
    if (w->mtu_bytes > 0 && length > w->mtu_bytes) {
        from->lost++;
        return;
    }
    braid_time start = from->wire_free_at > p->now ? from->wire_free_at : p->now;
    bool mark = false;
    if (w->bits_per_s > 0) {
        uint64_t queued = (start - p->now) / 8 * w->bits_per_s / SECOND;
        if (w->queue_bytes > 0 && queued > w->queue_bytes) {
            from->queue_drops++;
            return;
        }
        start += (uint64_t)length * 8 * SECOND / w->bits_per_s;
        from->wire_free_at = start;
        mark = w->mark_bytes > 0 && queued > w->mark_bytes && ip.ecn != 0;
    }
    from->markable += ip.ecn != 0;
    from->marked += mark;
    if (prng_unit(&p->world.prng) < w->loss) {
        from->lost++;
        return;
    }
    int copies = prng_unit(&p->world.prng) < w->duplicate ? 2 : 1;
    braid_time at = start + w->delay;
    if (prng_unit(&p->world.prng) < w->reorder) at += w->reorder_delay;
    while (copies-- > 0) {
        uint8_t *copy = malloc(length);
        memcpy(copy, bytes, length);
        ip.ecn = mark ? 3 : ip.ecn;
        if (mark) assert_true(ip_encode(&ip, copy, length) > 0);
        flight_push(p, (struct flight){end_woken(&p->ends[1 - from->index], at), 0, 1 - from->index, length, copy});
    }
}

/* What a link with segmentation offload does with a super-segment. */
static void wire_cut(struct end *from, const struct braid_packet_out *packet, const uint8_t *payload) {
    uint32_t piece = packet->segment_bytes > 0 ? packet->segment_bytes : packet->payload_length;
    uint32_t ip_length = packet->checksum_start, tcp_length = packet->header_length - ip_length;
    uint32_t offset = 0;
    do {
        uint32_t length = packet->payload_length - offset < piece ? packet->payload_length - offset : piece;
        bool last = offset + length == packet->payload_length;
        uint8_t bytes[BRAID_PACKET_HEADER_MAX + 65536];
        memcpy(bytes, packet->header, packet->header_length);
        memcpy(bytes + packet->header_length, payload + offset, length);
        struct ip_header ip;
        assert_int_equal(ip_decode(bytes, packet->header_length + packet->payload_length, true, &ip), IP_OK);
        ip.payload_length = tcp_length + length;
        assert_int_equal(ip_encode(&ip, bytes, sizeof(bytes)), ip_length);
        uint8_t *tcp = bytes + ip_length;
        uint32_t seq = ((uint32_t)tcp[4] << 24 | (uint32_t)tcp[5] << 16 | (uint32_t)tcp[6] << 8 | tcp[7]) + offset;
        for (int i = 0; i < 4; i++) tcp[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
        if (!last) tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
        if (packet->checksum_partial) {
            tcp_checksum_set(tcp, 0);
            uint64_t sum = checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_length);
            tcp_checksum_set(tcp, checksum_finish(sum + checksum_sum(tcp, ip.payload_length)));
        }
        wire_carry(from, bytes, packet->header_length + length);
        offset += length;
    } while (offset < packet->payload_length);
}

static void wire_take(struct end *from, struct braid_packet_out *packet) {
    static uint8_t payload[65536];
    uint32_t length = 0;
    for (unsigned i = 0; i < packet->slice_count; i++) {
        memcpy(payload + length, packet->slices[i].bytes, packet->slices[i].length);
        length += packet->slices[i].length;
    }
    assert_int_equal(length, packet->payload_length);
    if (packet->segment_bytes > 0) assert_true(packet->checksum_partial && length > packet->segment_bytes);
    from->packets++;
    wire_cut(from, packet, payload);
    braid_packet_out_release(packet);
}

/* --- running --- */

static void end_check(struct end *e) {
    if (!e->pair->unchecked) tcp_check_invariants(e->t);
}

static void end_write(struct end *e) {
    while (e->written < e->to_send) {
        uint64_t length = e->to_send - e->written;
        if (length > e->write_bytes) length = e->write_bytes;
        if (e->by_room) {
            if (tcp_room(e->t) < length) length = tcp_room(e->t);
            if (length == 0) return;
        } else if (tcp_unsent(e->t) >= 262144) {
            return;
        }
        struct braid_buf *buf = buf_create(&e->pair->world.env, (uint32_t)length);
        if (buf == NULL) return;
        for (uint64_t i = 0; i < length; i++) buf->bytes[i] = pattern(e->index, e->written + i);
        struct braid_slice slice = slice_of(buf, buf->bytes, (uint32_t)length);
        buf_release(buf);
        if (!tcp_send(e->t, slice)) {
            slice_release(&slice);
            return;
        }
        e->written += length;
    }
    if (e->close_when_written && e->written == e->to_send) {
        tcp_shutdown(e->t, e->pair->now);
        e->close_when_written = false;
    }
}

static void end_output(struct end *e) {
    static struct braid_packet_out packets[8];
    size_t count;
    do {
        count = tcp_output(e->t, packets, 8, e->pair->now);
        end_check(e);
        for (size_t i = 0; i < count; i++) wire_take(e, &packets[i]);
    } while (count == 8);
    assert_false(tcp_wants_output(e->t, e->pair->now));
}

static UNUSED void pair_settle(struct pair *p) {
    for (int i = 0; i < 2; i++) {
        if (end_woken(&p->ends[i], p->now) > p->now) continue;
        end_write(&p->ends[i]);
        end_output(&p->ends[i]);
        if (p->ends[i].by_room) {
            /* What room says is what goes: nothing may be left in the queue but by the pace. */
            end_write(&p->ends[i]);
            end_output(&p->ends[i]);
        }
    }
    if (p->watch != NULL) p->watch(p);
}

static void pair_deliver(struct pair *p) {
    struct flight f = flight_pop(p);
    struct end *to = &p->ends[f.to];
    struct ip_header ip;
    struct tcp_segment s;
    struct braid_buf *buf = buf_create(&p->world.env, f.length);
    if (buf != NULL) {
        memcpy(buf->bytes, f.bytes, f.length);
        assert_int_equal(ip_decode(buf->bytes, f.length, false, &ip), IP_OK);
        assert_int_equal(tcp_segment_decode(buf->bytes + ip.header_length, ip.payload_length, &ip.source,
                                            &ip.destination, false, &s),
                         TCP_DECODE_OK);
        if (tcp_state(to->t) == TCP_STATE_CLOSED && !to->closed && (s.flags & TCP_SYN) && !(s.flags & TCP_ACK)) {
            if (tcp_accept(to->t, &s, p->now)) tcp_answer(to->t, p->now);
        } else {
            tcp_input(to->t, &s, buf, ip.ecn, p->now);
        }
        buf_release(buf);
        end_check(to);
    }
    free(f.bytes);
}

static braid_time pair_next(const struct pair *p) {
    braid_time next = p->flight_count > 0 ? p->flights[0].at : BRAID_NEVER;
    for (int i = 0; i < 2; i++) {
        braid_time deadline = p->ends[i].tick_ns > 0 ? end_woken(&p->ends[i], p->now + 1) : tcp_deadline(p->ends[i].t);
        if (deadline < next) next = deadline;
    }
    /* Applications that found no memory try again. */
    if ((p->world.fail_at > 0 || p->world.dry) && next > p->now + 10 * MS) next = p->now + 10 * MS;
    return next;
}

/* One moment: the next one at which anything happens, if that is not after `until`. */
static UNUSED bool pair_step(struct pair *p, braid_time until) {
    pair_settle(p);
    braid_time next = pair_next(p);
    if (next > until) {
        p->now = until;
        return false;
    }
    if (next > p->now) p->now = next;
    while (p->flight_count > 0 && p->flights[0].at <= p->now) pair_deliver(p);
    for (int i = 0; i < 2; i++) {
        if (end_woken(&p->ends[i], tcp_deadline(p->ends[i].t)) <= p->now) tcp_expire(p->ends[i].t, p->now);
        end_check(&p->ends[i]);
    }
    pair_settle(p);
    return true;
}

static UNUSED void pair_run(struct pair *p, braid_time duration) {
    braid_time until = p->now + duration;
    while (pair_step(p, until)) {
    }
}

/* Until `done`, or for `limit` at most; false if that passed first. */
static UNUSED bool pair_run_until(struct pair *p, bool (*done)(const struct pair *p), braid_time limit) {
    braid_time until = p->now + limit;
    while (!done(p)) {
        if (!pair_step(p, until)) return done(p);
    }
    return true;
}

static UNUSED bool both_established(const struct pair *p) { return p->ends[0].established && p->ends[1].established; }
static UNUSED bool both_closed(const struct pair *p) { return p->ends[0].closed && p->ends[1].closed; }
static UNUSED bool all_received(const struct pair *p) {
    return p->ends[0].received == p->ends[1].to_send && p->ends[1].received == p->ends[0].to_send;
}

static UNUSED void pair_establish(struct pair *p) {
    assert_true(pair_create(p));
    tcp_connect(p->ends[0].t, p->now);
    assert_true(pair_run_until(p, both_established, 10 * SECOND));
}

static UNUSED struct tcp_info info_of(const struct end *e) {
    struct tcp_info info;
    tcp_info(e->t, &info);
    return info;
}

static UNUSED double mbps(uint64_t bytes, braid_time duration) {
    return (double)bytes * 8 / 1e6 / ((double)duration / (double)SECOND);
}

#endif
