/* Two stacks joined by wires in virtual time: a client (stack 0) with one address on each of its links, a server
 * (stack 1) with one link and one address, reached by all of them. Each wire has a fixed delay and may be cut. */
#ifndef TWO_STACKS_H
#define TWO_STACKS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <braid/stack.h>
#include <base/prng.h>
#include <wire/address.h>

enum { WIRES_MAX = 4, FLYING_MAX = 8192, PACKET_BYTES_MAX = 2048, BATCH = 16 };

struct flying {
    braid_time at;
    int to, link;
    uint32_t length;
    uint8_t bytes[PACKET_BYTES_MAX];
};

struct world {
    struct braid_env env[2];
    struct prng secret;
    struct braid_stack *stack[2];
    braid_time now;
    braid_time delay[WIRES_MAX]; /* one way, by the client's link */
    bool cut[WIRES_MAX];
    int wires;
    braid_time tick; /* not 0: the host's clock is that coarse; it only sees what is past */
    struct flying *flying;
    size_t flying_count;
    long allocations_left; /* < 0: no limit */
    long live_bytes;
    bool (*spoil)(struct world *w, int from, int wire, uint8_t *bytes, uint32_t *length); /* false: drop */
    uint64_t packets[2]; /* sent by each */
};

static void *world_allocate(void *context, size_t size) {
    struct world *w = context;
    if (w->allocations_left == 0) return NULL;
    if (w->allocations_left > 0) w->allocations_left--;
    void *memory = malloc(size);
    if (memory) w->live_bytes += (long)size;
    return memory;
}

static void world_release(void *context, void *memory, size_t size) {
    struct world *w = context;
    if (!memory) return;
    w->live_bytes -= (long)size;
    free(memory);
}

static bool world_random(void *context, void *out, size_t size) {
    struct world *w = context;
    for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = (uint8_t)prng_next(&w->secret);
    return true;
}

static struct braid_address address_of(uint8_t family, uint8_t net, uint8_t host) {
    struct braid_address a = {.family = family};
    const uint8_t v4[4] = {10, net, 0, host};
    const uint8_t v6[16] = {0xfd, net, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host};
    memcpy(a.bytes, family == 4 ? v4 : v6, family == 4 ? 4 : 16);
    return a;
}

static uint8_t world_family = 4;
static uint16_t world_port_first, world_port_last; /* of the links; 0: as ever */

static struct braid_address client_address(int wire) { return address_of(world_family, (uint8_t)(wire + 1), 2); }
static struct braid_address server_address(void) { return address_of(world_family, 9, 1); }

static void world_init(struct world *w, uint64_t seed, int wires, const struct braid_stack_config *config) {
    memset(w, 0, sizeof(*w));
    w->allocations_left = -1;
    w->wires = wires;
    w->now = BRAID_NS_PER_S;
    prng_seed(&w->secret, seed);
    w->flying = calloc(FLYING_MAX, sizeof(*w->flying));
    for (int side = 0; side < 2; side++) {
        w->env[side] = (struct braid_env){.context = w,
                                          .allocate = world_allocate,
                                          .release = world_release,
                                          .random_secret = world_random,
                                          .jitter_seed = seed + (uint64_t)side};
        struct braid_stack_config own = config ? *config : (struct braid_stack_config){0};
        w->stack[side] = braid_stack_create(&w->env[side], &own);
        assert_non_null(w->stack[side]);
    }
    struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true, .port_first = world_port_first, .port_last = world_port_last};
    struct braid_address here = server_address();
    assert_int_equal(braid_stack_link_add(w->stack[1], &link), 0);
    assert_true(braid_stack_address_add(w->stack[1], 0, &here, false, false, w->now));
    for (int i = 0; i < wires; i++) {
        struct braid_address there = client_address(i);
        w->delay[i] = (braid_time)(15 + 20 * i) * BRAID_NS_PER_MS;
        assert_int_equal(braid_stack_link_add(w->stack[0], &link), i);
        assert_true(braid_stack_address_add(w->stack[0], i, &there, false, false, w->now));
    }
}

static void world_deinit(struct world *w) {
    braid_stack_destroy(w->stack[0]);
    braid_stack_destroy(w->stack[1]);
    free(w->flying);
    assert_int_equal(w->live_bytes, 0);
}

/* The client's wire by which the server's packet goes: told by its destination. */
static int wire_of(const uint8_t *bytes) { return (bytes[0] >> 4) == 4 ? bytes[17] - 1 : bytes[25] - 1; }

static void world_send(struct world *w, int from, struct braid_packet_out *packet) {
    assert_true(w->flying_count < FLYING_MAX);
    struct flying *f = &w->flying[w->flying_count];
    uint32_t length = packet->header_length;
    memcpy(f->bytes, packet->header, length);
    for (unsigned i = 0; i < packet->slice_count; i++) {
        assert_true(length + packet->slices[i].length <= PACKET_BYTES_MAX);
        memcpy(f->bytes + length, packet->slices[i].bytes, packet->slices[i].length);
        length += packet->slices[i].length;
    }
    int wire = from == 0 ? packet->link : wire_of(f->bytes);
    braid_packet_out_release(packet);
    w->packets[from]++;
    if (wire < 0 || wire >= w->wires || w->cut[wire]) return;
    if (w->spoil && !w->spoil(w, from, wire, f->bytes, &length)) return;
    f->length = length;
    f->to = 1 - from;
    f->link = from == 0 ? 0 : wire;
    f->at = w->now + w->delay[wire];
    w->flying_count++;
}

static void world_output(struct world *w) {
    struct braid_packet_out packets[BATCH];
    for (int side = 0; side < 2; side++) {
        size_t n;
        do {
            memset(packets, 0, sizeof(packets));
            n = braid_stack_output(w->stack[side], packets, BATCH, w->now);
            for (size_t i = 0; i < n; i++) world_send(w, side, &packets[i]);
        } while (n == BATCH);
    }
}

/* One step: the next packet or deadline not after `until`. False when nothing is left to happen before it. */
static bool world_step(struct world *w, braid_time until) {
    world_output(w);
    size_t next = w->flying_count;
    braid_time at = BRAID_NEVER;
    for (size_t i = 0; i < w->flying_count; i++)
        if (w->flying[i].at < at) at = w->flying[next = i].at;
    for (int side = 0; side < 2; side++) {
        braid_time deadline = braid_stack_deadline(w->stack[side]);
        if (deadline < at) {
            at = deadline < w->now ? w->now : deadline;
            next = w->flying_count;
        }
    }
    if (at > until) {
        w->now = until;
        return false;
    }
    w->now = w->tick ? (at + w->tick - 1) / w->tick * w->tick : at;
    for (int side = 0; side < 2; side++)
        if (braid_stack_deadline(w->stack[side]) <= w->now) braid_stack_expire(w->stack[side], w->now);
    if (next < w->flying_count) {
        struct flying *f = &w->flying[next];
        struct braid_packet_in in = {.bytes = f->bytes, .length = f->length};
        braid_stack_input(w->stack[f->to], f->link, &in, 1, w->now);
        memmove(f, f + 1, (w->flying_count - next - 1) * sizeof(*f));
        w->flying_count--;
    }
    world_output(w);
    braid_stack_check_invariants(w->stack[0]);
    braid_stack_check_invariants(w->stack[1]);
    return true;
}

static void world_run(struct world *w, braid_time duration) {
    braid_time until = w->now + duration;
    while (world_step(w, until)) continue;
}

/* Runs until an event with one of `bits` comes at `side`; others are passed over. */
static bool world_wait(struct world *w, int side, unsigned bits, struct braid_event *event, braid_time limit) {
    braid_time until = w->now + limit;
    do {
        while (braid_stack_next_event(w->stack[side], event))
            if (event->bits & bits) return true;
    } while (world_step(w, until));
    while (braid_stack_next_event(w->stack[side], event))
        if (event->bits & bits) return true;
    return false;
}

static struct braid_listener *world_listen(struct world *w, uint16_t port, bool multipath, bool deferred) {
    struct braid_listen_config config = {
        .link = -1, .local = {.port = port}, .multipath = multipath, .deferred = deferred};
    return braid_stack_listen(w->stack[1], &config);
}

static struct braid_connection *world_connect(struct world *w, uint16_t port, bool multipath) {
    struct braid_connect_config config = {.remote = {server_address(), port}, .multipath = multipath};
    enum braid_connect_error error;
    return braid_stack_connect(w->stack[0], &config, w->now, &error);
}

static inline uint64_t world_counter(struct world *w, int side, const char *name) {
    const char *found;
    uint64_t value;
    for (unsigned i = 0; (found = braid_stack_counter(w->stack[side], i, &value)); i++)
        if (strcmp(found, name) == 0) return value;
    fail_msg("no counter %s", name);
    return 0;
}

#endif
