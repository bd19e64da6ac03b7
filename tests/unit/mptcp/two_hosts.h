/* Two hosts in virtual time, each with one connection: a client with an address on each of its wires, and a server.
 * A wire has a rate, a delay, a queue and random loss in each direction; it may be cut; and a test may look at, change
 * or drop every packet on it. The applications write and read a known pattern and measure what a person would feel. */
#ifndef TWO_HOSTS_H
#define TWO_HOSTS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <base/buf.h>
#include <base/prng.h>
#include <mptcp/connection.h>
#include <wire/ip.h>

#define MS BRAID_NS_PER_MS
#define S BRAID_NS_PER_S

enum { WIRES_MAX = 4, CLIENT = 0, SERVER = 1, BATCH = 16, PACKET_MAX = 70000 };

struct wire_config {
    uint64_t bytes_per_s; /* 0: no limit */
    braid_time delay_ns;
    uint32_t queue_bytes; /* 0: no limit */
    double loss;
};

struct wire {
    struct wire_config config[2]; /* by the sending side */
    braid_time busy_until[2];
    bool cut;
};

struct flying {
    braid_time at;
    uint64_t order;
    int to, wire;
    uint32_t length;
    uint16_t segment_bytes;
    uint8_t *bytes;
};

struct known_flow {
    struct known_flow *next;
    struct braid_connection *c;
    struct subflow *sf;
    uint16_t link;
    struct flow flow;
};

/* What the application does, and what it saw. */
struct app {
    uint64_t to_send;    /* bytes to write in all */
    uint64_t sent, received;
    uint64_t phase;      /* of the pattern */
    bool shut_when_sent, shut;
    bool no_reading;
    uint64_t read_rate_bytes_per_s; /* 0: at once */
    braid_time started_reading_at;
    bool by_slices;
    bool lenient; /* counts altered bytes instead of failing */
    uint64_t altered;
    braid_time last_progress_at, silence_ns, silence_at; /* longest since silence_from */
    braid_time silence_from;
    bool at_end;
    unsigned events;     /* all that came */
};

struct host {
    struct net *net;
    int side;
    struct braid_env env;
    struct local_path paths[WIRES_MAX];
    bool path_up[WIRES_MAX];
    unsigned path_count;
    struct known_flow *flows;
    uint32_t token;
    bool token_taken;
    unsigned refuse_tokens; /* so many are said to be taken */
    struct braid_connection *c;
    struct app app;
    struct mptcp_counters counters;
    uint16_t next_port;
    uint64_t packets_out, bytes_out, bytes_by_wire[WIRES_MAX], data_by_wire[WIRES_MAX];
};

struct net {
    struct prng prng, secret;
    braid_time now;
    struct wire wires[WIRES_MAX];
    unsigned wire_count;
    struct host host[2];
    struct connection_config config[2]; /* templates */
    struct flying **heap;
    size_t heap_count, heap_capacity;
    uint64_t order;
    long long live_bytes, live_blocks;
    int64_t allocations_left; /* so many succeed, negative: all */
    uint64_t allocations_fail; /* and then so many do not */
    uint64_t allocations;
    bool no_checks;
    unsigned idle_steps;
    uint64_t settled, check_every; /* invariants are checked after so many steps */
    /* False: drop it. May change the packet in place. */
    bool (*spoil)(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length);
    void *spoil_context;
    uint64_t resets_by_server;
    uint32_t last_seq; /* of the packet last sent by the client */
    uint32_t super_segment_bytes;
};

/* --- environment --- */

static inline void *net_allocate(void *context, size_t size) {
    struct net *n = context;
    if (n->allocations_left == 0 && n->allocations_fail > 0) {
        n->allocations_fail--;
        return NULL;
    }
    if (n->allocations_left > 0) n->allocations_left--;
    n->allocations++;
    n->live_bytes += (long long)size;
    n->live_blocks++;
    return malloc(size);
}

static inline void net_release(void *context, void *memory, size_t size) {
    struct net *n = context;
    n->live_bytes -= (long long)size;
    n->live_blocks--;
    free(memory);
}

static inline bool net_random(void *context, void *out, size_t size) {
    struct net *n = context;
    for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = (uint8_t)prng_next(&n->secret);
    return true;
}

static inline void net_trace(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                      size_t count) {
    (void)context;
    if (!getenv("TRACE")) return;
    printf("%10.3f ms %s", (double)now / 1e6, event);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type == BRAID_TRACE_STRING) printf(" %s=%s", fields[i].name, fields[i].value.text);
        else printf(" %s=%llu", fields[i].name, (unsigned long long)fields[i].value.u64);
    }
    printf("\n");
}

/* --- the stack's part --- */

static inline void *host_flow_open(void *context, struct braid_connection *c, struct subflow *sf, uint16_t link,
                            struct flow *flow) {
    struct host *h = context;
    if (flow->local_port == 0) flow->local_port = h->next_port++;
    for (struct known_flow *k = h->flows; k; k = k->next)
        if (k->link == link && flow_equal(&k->flow, flow)) return NULL;
    struct known_flow *k = net_allocate(h->net, sizeof(*k));
    if (!k) return NULL;
    *k = (struct known_flow){.next = h->flows, .c = c, .sf = sf, .link = link, .flow = *flow};
    h->flows = k;
    return k;
}

static inline void host_flow_close(void *context, void *handle) {
    struct host *h = context;
    for (struct known_flow **at = &h->flows; *at; at = &(*at)->next) {
        if (*at != handle) continue;
        *at = (*at)->next;
        net_release(h->net, handle, sizeof(struct known_flow));
        return;
    }
    fail_msg("a flow closed twice");
}

static inline bool host_token_open(void *context, struct braid_connection *c, uint32_t token) {
    struct host *h = context;
    (void)c;
    if (h->refuse_tokens > 0) {
        h->refuse_tokens--;
        return false;
    }
    assert_false(h->token_taken);
    h->token = token;
    h->token_taken = true;
    return true;
}

static inline void host_token_close(void *context, struct braid_connection *c, uint32_t token) {
    struct host *h = context;
    (void)c;
    assert_true(h->token_taken && h->token == token);
    h->token_taken = false;
}

static inline size_t host_paths(void *context, struct local_path *out, size_t max) {
    struct host *h = context;
    size_t count = 0;
    for (unsigned i = 0; i < h->path_count && count < max; i++)
        if (h->path_up[i]) out[count++] = h->paths[i];
    return count;
}

static const struct connection_host_ops host_ops = {
    .flow_open = host_flow_open,
    .flow_close = host_flow_close,
    .token_open = host_token_open,
    .token_close = host_token_close,
    .paths = host_paths,
};

static inline struct ip_address net_address(unsigned net, unsigned host) {
    const uint8_t v4[4] = {10, (uint8_t)net, 0, (uint8_t)host};
    return ip_address_v4(v4);
}

static inline struct local_path path_of(struct net *n, int side, unsigned i) {
    return (struct local_path){
        .link = (uint16_t)i,
        .address_id = (uint8_t)(i + 1),
        .address = side == CLIENT ? net_address(i, 2) : net_address(100 + i, 1),
        .mtu_bytes = 1500,
        .super_segment_bytes = n->super_segment_bytes,
    };
}

/* --- building --- */

static inline void net_init(struct net *n, uint64_t seed, unsigned wires) {
    memset(n, 0, sizeof(*n));
    prng_seed(&n->prng, seed);
    prng_seed(&n->secret, seed ^ 0x5eed);
    n->now = S;
    n->wire_count = wires;
    n->allocations_left = -1;
    n->check_every = 1;
    n->heap_capacity = 65536;
    n->heap = calloc(n->heap_capacity, sizeof(n->heap[0]));
    for (unsigned i = 0; i < wires; i++)
        for (int side = 0; side < 2; side++)
            n->wires[i].config[side] = (struct wire_config){.delay_ns = (15 + 20 * i) * MS};
    for (int side = 0; side < 2; side++) {
        struct host *h = &n->host[side];
        h->net = n;
        h->side = side;
        h->next_port = 40000;
        h->env = (struct braid_env){.context = n,
                                    .allocate = net_allocate,
                                    .release = net_release,
                                    .random_secret = net_random,
                                    .jitter_seed = seed,
                                    .trace = net_trace};
        h->path_count = side == CLIENT ? wires : 1;
        for (unsigned i = 0; i < h->path_count; i++) {
            h->paths[i] = path_of(n, side, i);
            h->path_up[i] = true;
        }
        h->app.phase = (uint64_t)side * 77;
        n->config[side] = (struct connection_config){
            .number = (uint64_t)side,
            .multipath = true,
            .counters = &h->counters,
            .host_ops = &host_ops,
            .host = h,
        };
    }
}

static inline void net_set_wire(struct net *n, unsigned wire, double mbit_per_s, braid_time rtt_ns, braid_time queue_ns,
                         double loss) {
    uint64_t rate = (uint64_t)(mbit_per_s * 1e6 / 8);
    for (int side = 0; side < 2; side++)
        n->wires[wire].config[side] = (struct wire_config){
            .bytes_per_s = rate,
            .delay_ns = rtt_ns / 2,
            .queue_bytes = (uint32_t)(rate * (queue_ns / 1000) / 1000000),
            .loss = loss,
        };
}

static inline void net_connect(struct net *n) {
    struct connection_config config = n->config[CLIENT];
    config.path = n->host[CLIENT].paths[0];
    config.flow = (struct flow){
        .local = config.path.address, .remote = n->host[SERVER].paths[0].address, .remote_port = 80};
    n->host[CLIENT].c = connection_connect(&n->host[CLIENT].env, &config, n->now);
}

static inline void net_deinit(struct net *n) {
    for (int side = 0; side < 2; side++) {
        struct host *h = &n->host[side];
        if (h->c) connection_destroy(h->c);
        assert_null(h->flows);
        assert_false(h->token_taken);
    }
    for (size_t i = 0; i < n->heap_count; i++) {
        free(n->heap[i]->bytes);
        free(n->heap[i]);
    }
    free(n->heap);
    assert_int_equal(n->live_blocks, 0);
    assert_int_equal(n->live_bytes, 0);
}

/* --- flying packets --- */

static inline bool sooner(const struct flying *a, const struct flying *b) {
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static inline void heap_push(struct net *n, struct flying *f) {
    assert_true(n->heap_count < n->heap_capacity);
    size_t i = n->heap_count++;
    while (i > 0 && sooner(f, n->heap[(i - 1) / 2])) {
        n->heap[i] = n->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    n->heap[i] = f;
}

static inline struct flying *heap_pop(struct net *n) {
    struct flying *top = n->heap[0], *last = n->heap[--n->heap_count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n->heap_count) break;
        if (child + 1 < n->heap_count && sooner(n->heap[child + 1], n->heap[child])) child++;
        if (!sooner(n->heap[child], last)) break;
        n->heap[i] = n->heap[child];
        i = child;
    }
    n->heap[i] = last;
    return top;
}

static inline unsigned wire_of(struct net *n, int from, const struct braid_packet_out *p) {
    if (from == CLIENT) return p->link;
    (void)n;
    return p->header[17]; /* the client's network: 10.WIRE.0.2 */
}

static inline void net_launch(struct net *n, int from, unsigned wire, const uint8_t *bytes, uint32_t length,
                       uint16_t segment_bytes) {
    struct wire *w = &n->wires[wire];
    const struct wire_config *config = &w->config[from];
    if (w->cut || prng_unit(&n->prng) < config->loss) return;
    braid_time start = w->busy_until[from] > n->now ? w->busy_until[from] : n->now;
    if (config->bytes_per_s > 0) {
        uint64_t queued = (start - n->now) * config->bytes_per_s / S;
        if (config->queue_bytes > 0 && queued + length > config->queue_bytes) return;
        start += (uint64_t)length * S / config->bytes_per_s;
        w->busy_until[from] = start;
    }
    struct flying *f = calloc(1, sizeof(*f));
    *f = (struct flying){.at = start + config->delay_ns,
                         .order = n->order++,
                         .to = 1 - from,
                         .wire = (int)wire,
                         .length = length,
                         .segment_bytes = segment_bytes,
                         .bytes = malloc(length)};
    memcpy(f->bytes, bytes, length);
    heap_push(n, f);
}

static inline void net_send(struct net *n, int from, struct braid_packet_out *p) {
    static uint8_t bytes[PACKET_MAX];
    uint32_t length = p->header_length;
    memcpy(bytes, p->header, length);
    for (unsigned i = 0; i < p->slice_count; i++) {
        memcpy(bytes + length, p->slices[i].bytes, p->slices[i].length);
        length += p->slices[i].length;
    }
    if (from == CLIENT) {
        const uint8_t *seq = bytes + (bytes[0] & 15) * 4 + 4;
        n->last_seq = (uint32_t)seq[0] << 24 | (uint32_t)seq[1] << 16 | (uint32_t)seq[2] << 8 | seq[3];
    }
    unsigned wire = wire_of(n, from, p);
    struct host *h = &n->host[from];
    h->packets_out++;
    h->bytes_out += length;
    assert_true(wire < n->wire_count);
    h->bytes_by_wire[wire] += length;
    h->data_by_wire[wire] += p->payload_length;
    uint16_t segment_bytes = p->segment_bytes;
    braid_packet_out_release(p);
    if (n->spoil && !n->spoil(n, from, wire, bytes, &length)) return;
    net_launch(n, from, wire, bytes, length, segment_bytes);
}

/* --- arriving --- */

static inline bool has_join(const struct tcp_segment *s, uint32_t *token) {
    for (unsigned i = 0; i < s->options.mptcp_count; i++) {
        struct mptcp_option option;
        if (mptcp_option_decode(s->options.mptcp[i].bytes, s->options.mptcp[i].length, &option) != MPTCP_DECODE_OK)
            continue;
        if (option.subtype != MPTCP_MP_JOIN) continue;
        *token = option.as.mp_join.token;
        return true;
    }
    return false;
}

static inline void host_reset(struct host *h, uint16_t link, const struct flow *flow, const struct tcp_segment *s,
                       const struct mp_tcprst *why) {
    struct braid_packet_out out = {0};
    uint8_t bytes[MPTCP_OPTION_MAX];
    struct mptcp_option option = {.subtype = MPTCP_MP_TCPRST};
    uint32_t length = 0;
    if (why) {
        option.as.mp_tcprst = *why;
        length = mptcp_option_encode(&option, bytes, sizeof(bytes));
    }
    if (h->side == SERVER) h->net->resets_by_server++;
    if (tcp_reset_for(s, &flow->remote, &flow->local, link, false, why ? bytes : NULL, length, &out))
        net_send(h->net, h->side, &out);
}

static inline void host_syn(struct host *h, uint16_t link, const struct flow *flow, const struct tcp_segment *s) {
    struct net *n = h->net;
    uint32_t token;
    struct local_path path = path_of(n, h->side, link);
    if (h->side == SERVER) {
        path.address = flow->local;
        for (unsigned i = 0; i < h->path_count; i++)
            if (ip_address_equal(&h->paths[i].address, &flow->local)) path = h->paths[i];
        path.link = link;
    }
    if (has_join(s, &token)) {
        struct mp_tcprst why = {.reason = MPTCP_RESET_MPTCP_ERROR};
        if (h->c && h->token_taken && token == h->token && connection_join(h->c, &path, flow, s, &why.reason, n->now))
            return;
        host_reset(h, link, flow, s, &why);
        return;
    }
    if (h->side == CLIENT || h->c || flow->local_port != 80) {
        host_reset(h, link, flow, s, NULL);
        return;
    }
    struct connection_config config = n->config[SERVER];
    config.path = path;
    config.flow = *flow;
    h->c = connection_accept(&h->env, &config, s, n->now);
    if (h->c) connection_answer(h->c, n->now);
}

static inline void host_segment(struct host *h, uint16_t link, const struct flow *flow, const struct tcp_segment *s,
                         struct braid_buf *buf) {
    for (struct known_flow *k = h->flows; k; k = k->next) {
        if (!flow_equal(&k->flow, flow) || (h->side == CLIENT && k->link != link)) continue;
        connection_input(k->c, k->sf, s, buf, 0, h->net->now);
        return;
    }
    if ((s->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) host_syn(h, link, flow, s);
    else if (!(s->flags & TCP_RST)) host_reset(h, link, flow, s, NULL);
}

static inline void net_arrive(struct net *n, struct flying *f) {
    struct ip_header ip;
    struct tcp_segment s;
    struct host *h = &n->host[f->to];
    uint16_t link = f->to == CLIENT ? (uint16_t)f->wire : 0;
    struct braid_buf *buf = buf_create(&h->env, f->length);
    const uint8_t *bytes = f->bytes;
    if (buf) {
        memcpy(buf->bytes, f->bytes, f->length);
        bytes = buf->bytes;
    }
    assert_int_equal(ip_decode(bytes, f->length, f->segment_bytes != 0, &ip), IP_OK);
    assert_int_equal(tcp_segment_decode(bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                                        n->spoil != NULL || f->segment_bytes != 0, &s),
                     TCP_DECODE_OK);
    s.segment_bytes = f->segment_bytes;
    struct flow flow = {.local = ip.destination,
                        .remote = ip.source,
                        .local_port = s.destination_port,
                        .remote_port = s.source_port};
    struct path_meter *meter = h->paths[f->wire].meter;
    if (!n->wires[f->wire].cut && meter) meter->used_bytes += f->length;
    if (!n->wires[f->wire].cut) host_segment(h, link, &flow, &s, buf);
    buf_release(buf);
    free(f->bytes);
    free(f);
}

/* --- the applications --- */

static inline uint8_t pattern(uint64_t at) {
    return (uint8_t)((at * 0x9e3779b97f4a7c15u) >> 56 ^ at);
}

static inline void app_verify(struct host *h, const uint8_t *bytes, uint32_t length) {
    uint64_t phase = h->net->host[1 - h->side].app.phase;
    for (uint32_t i = 0; i < length; i++)
        if (bytes[i] != pattern(h->app.received + i + phase)) {
            if (!h->app.lenient) fail_msg("wrong byte at %llu", (unsigned long long)(h->app.received + i));
            h->app.altered++;
        }
    h->app.received += length;
    braid_time now = h->net->now;
    if (h->app.silence_from > 0 && now >= h->app.silence_from) {
        braid_time since = h->app.last_progress_at > h->app.silence_from ? h->app.last_progress_at : h->app.silence_from;
        if (now - since > h->app.silence_ns) {
            h->app.silence_ns = now - since;
            h->app.silence_at = since;
        }
    }
    h->app.last_progress_at = now;
}

static inline uint32_t app_may_read(const struct host *h) {
    const struct app *a = &h->app;
    if (a->no_reading) return 0;
    if (a->read_rate_bytes_per_s == 0) return 65536;
    uint64_t due = (h->net->now - a->started_reading_at) * a->read_rate_bytes_per_s / S;
    return due > a->received ? (uint32_t)(due - a->received < 65536 ? due - a->received : 65536) : 0;
}

static inline bool app_pump(struct host *h) {
    static uint8_t bytes[65536];
    struct app *a = &h->app;
    braid_time now = h->net->now;
    bool did = false;
    if (!h->c) return false;
    a->events |= connection_take_events(h->c);
    uint32_t most = app_may_read(h);
    while (most > 0 && connection_readable(h->c) > 0) {
        did = true;
        if (a->by_slices && a->read_rate_bytes_per_s == 0) {
            struct braid_slice slice = connection_read_slice(h->c, now);
            app_verify(h, slice.bytes, slice.length);
            slice_release(&slice);
        } else {
            uint32_t length = connection_read(h->c, bytes, most, now);
            app_verify(h, bytes, length);
            most = app_may_read(h);
        }
    }
    if (connection_at_end(h->c)) a->at_end = true;
    while (a->sent < a->to_send && connection_established(h->c)) {
        uint64_t left = a->to_send - a->sent;
        uint32_t length = left < sizeof(bytes) ? (uint32_t)left : (uint32_t)sizeof(bytes);
        if (connection_write_room(h->c) < length) length = connection_write_room(h->c);
        for (uint32_t i = 0; i < length; i++) bytes[i] = pattern(a->sent + i + a->phase);
        uint32_t taken = length > 0 ? connection_write(h->c, bytes, length, now) : 0;
        if (taken == 0) break;
        did = true;
        a->sent += taken;
    }
    if (a->shut_when_sent && !a->shut && a->sent == a->to_send) {
        connection_shutdown(h->c, now);
        a->shut = true;
        did = true;
    }
    return did;
}

/* --- time --- */

static inline void net_output(struct net *n) {
    struct braid_packet_out packets[BATCH];
    for (int side = 0; side < 2; side++) {
        struct host *h = &n->host[side];
        size_t count = 0;
        do {
            if (!h->c) break;
            memset(packets, 0, sizeof(packets));
            count = connection_output(h->c, packets, BATCH, n->now);
            for (size_t i = 0; i < count; i++) net_send(n, side, &packets[i]);
        } while (count == BATCH);
    }
}

static inline void net_settle(struct net *n) {
    bool did;
    do {
        did = app_pump(&n->host[CLIENT]);
        did |= app_pump(&n->host[SERVER]);
        net_output(n);
    } while (did);
    if (n->no_checks || n->settled++ % n->check_every != 0) return;
    for (int side = 0; side < 2; side++)
        if (n->host[side].c) connection_check_invariants(n->host[side].c);
}

/* The next thing that happens, not later than `until`. False: nothing did. */
static inline bool net_step(struct net *n, braid_time until) {
    net_settle(n);
    braid_time at = n->heap_count > 0 ? n->heap[0]->at : BRAID_NEVER;
    for (int side = 0; side < 2; side++) {
        if (!n->host[side].c) continue;
        braid_time deadline = connection_deadline(n->host[side].c);
        if (deadline < at) at = deadline;
        if (n->host[side].app.read_rate_bytes_per_s > 0 && connection_readable(n->host[side].c) > 0 &&
            n->now + MS < at)
            at = n->now + MS;
    }
    if (at > until) {
        n->now = until;
        return false;
    }
    n->idle_steps = at > n->now ? 0 : n->idle_steps + 1;
    if (n->idle_steps > 1000) fail_msg("time stands still");
    if (at > n->now) n->now = at;
    for (int side = 0; side < 2; side++)
        if (n->host[side].c && connection_deadline(n->host[side].c) <= n->now)
            connection_expire(n->host[side].c, n->now);
    while (n->heap_count > 0 && n->heap[0]->at <= n->now) net_arrive(n, heap_pop(n));
    net_settle(n);
    return true;
}

static inline void net_run(struct net *n, braid_time duration) {
    braid_time until = n->now + duration;
    while (net_step(n, until)) continue;
}

static inline bool net_run_until(struct net *n, bool (*done)(struct net *n), braid_time limit) {
    braid_time until = n->now + limit;
    while (!done(n)) {
        if (!net_step(n, until)) return done(n);
    }
    return true;
}

static inline bool both_received_all(struct net *n) {
    return n->host[0].app.received == n->host[1].app.to_send && n->host[1].app.received == n->host[0].app.to_send;
}

static inline bool both_closed(struct net *n) {
    return n->host[0].c && n->host[1].c && connection_close_reason(n->host[0].c) != CONNECTION_OPEN &&
           connection_close_reason(n->host[1].c) != CONNECTION_OPEN;
}

/* A path goes away, in the middle of things: the host is told and the wire is cut. */
static inline void net_path_down(struct net *n, unsigned wire) {
    n->wires[wire].cut = true;
    n->host[CLIENT].path_up[wire] = false;
    connection_path_down(n->host[CLIENT].c, n->host[CLIENT].paths[wire].address_id, n->now);
}

static inline void net_path_up(struct net *n, unsigned wire) {
    n->wires[wire].cut = false;
    n->host[CLIENT].path_up[wire] = true;
    connection_path_up(n->host[CLIENT].c, &n->host[CLIENT].paths[wire], n->now);
}

static inline unsigned active_subflows(const struct braid_connection *c) {
    struct subflow_info info;
    unsigned active = 0;
    for (unsigned i = 0; connection_subflow_info(c, i, &info); i++) active += info.status == SUBFLOW_ACTIVE;
    return active;
}

/* From here on the longest silence of the reader is measured. */
static inline void silence_start(struct host *h) {
    h->app.silence_from = h->net->now;
    h->app.silence_ns = 0;
}

#endif
