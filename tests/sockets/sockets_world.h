/* libbraid_sockets.so, loaded, with a clock that the test moves and a wire that keeps what leaves. */
#ifndef SOCKETS_WORLD_H
#define SOCKETS_WORLD_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <braid/sockets.h>

#include "peer.h"

#define CALLS(X)                                                                                             \
    X(create)                                                                                                \
    X(destroy) X(link_add) X(address_add) X(address_remove) X(packet_in) X(deadline) X(tick) X(stack)        \
        X(socket) X(bind) X(listen) X(accept) X(connect) X(read) X(readv) X(recv) X(write) X(writev) X(send) \
            X(sendto) X(shutdown) X(close) X(getsockname) X(getpeername) X(set_nonblocking) X(nonblocking) X(readable) \
                X(unacknowledged) X(poll) X(setsockopt) X(getsockopt) X(connection)
static struct {
#define CALL_POINTER(name) __typeof__(&braid_sockets_##name) name;
    CALLS(CALL_POINTER)
#undef CALL_POINTER
} so;

enum { LEFT_MAX = 512 };

struct left {
    int link;
    braid_time at;
    size_t length;
    uint8_t bytes[PEER_PACKET_BYTES];
};

struct sockets_world {
    braid_time now;
    struct braid_sockets *net;
    struct left left[LEFT_MAX]; /* what left, oldest first */
    size_t left_first, left_count;
    struct peer peer;
    /* What happens while a call blocks, one step each time it waits; NULL: nothing will. */
    bool (*meanwhile)(struct sockets_world *w, braid_time until);
    unsigned step;
    uint32_t seq;          /* of our next byte, for it */
    long allocations_left; /* < 0: no limit */
    long live;
};

static inline int load(void **state) {
    void *library = dlopen(BRAID_SOCKETS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    (void)state;
    if (!library) fail_msg("%s", dlerror());
#define CALL_LOAD(name)                                          \
    *(void **)&so.name = dlsym(library, "braid_sockets_" #name); \
    assert_non_null(so.name);
    CALLS(CALL_LOAD)
#undef CALL_LOAD
    return 0;
}

static braid_time world_now(void *context) {
    return ((struct sockets_world *)context)->now;
}

static void world_transmit(void *context, int link, const uint8_t *packet, size_t length) {
    struct sockets_world *w = context;
    assert_true(w->left_count < LEFT_MAX && length <= PEER_PACKET_BYTES);
    struct left *left = &w->left[(w->left_first + w->left_count++) % LEFT_MAX];
    *left = (struct left){.link = link, .at = w->now, .length = length};
    memcpy(left->bytes, packet, length);
}

static bool world_wait(void *context, braid_time until) {
    struct sockets_world *w = context;
    return w->meanwhile != NULL && w->meanwhile(w, until);
}

static void *world_allocate(void *context, size_t size) {
    struct sockets_world *w = context;
    if (w->allocations_left == 0) return NULL;
    if (w->allocations_left > 0) w->allocations_left--;
    w->live++;
    return malloc(size);
}

static void world_release(void *context, void *memory, size_t size) {
    struct sockets_world *w = context;
    (void)size;
    if (memory) w->live--;
    free(memory);
}

static inline struct braid_address world_address(uint8_t net, uint8_t host) {
    return (struct braid_address){.family = 4, .bytes = {10, 0, net, host}};
}

static inline struct sockets_world *world_create(unsigned links) {
    struct sockets_world *w = calloc(1, sizeof(*w));
    *w = (struct sockets_world){.now = BRAID_NS_PER_S, .allocations_left = -1};
    struct braid_sockets_hooks hooks = {.context = w,
                                        .now = world_now,
                                        .transmit = world_transmit,
                                        .wait = world_wait,
                                        .seed = 1,
                                        .allocate = world_allocate,
                                        .release = world_release};
    w->net = so.create(&hooks, &(struct braid_stack_config){0});
    assert_non_null(w->net);
    struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true};
    for (unsigned i = 0; i < links; i++) {
        struct braid_address address = world_address((uint8_t)i, 1);
        assert_int_equal(so.link_add(w->net, &link), i);
        assert_int_equal(so.address_add(w->net, (int)i, &address, false, false), 0);
    }
    w->peer = (struct peer){peer_address("10.0.0.2"), peer_address("10.0.0.1"), 5000, 80};
    return w;
}

static inline void world_destroy(struct sockets_world *w) {
    so.destroy(w->net);
    assert_int_equal(w->live, 0);
    free(w);
}

static inline struct sockaddr_in sockaddr_of(uint8_t net, uint8_t host, uint16_t port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons(port),
                                .sin_addr.s_addr = htonl(10u << 24 | (uint32_t)net << 8 | host)};
}

static inline void say_by(struct sockets_world *w, int link, const struct peer *peer,
                          struct peer_segment what) {
    uint8_t bytes[PEER_PACKET_BYTES];
    size_t length = peer_encode(peer, &what, bytes);
    assert_int_equal(so.packet_in(w->net, link, bytes, length), 0);
}
/* The peer says something. */
#define say(w, ...) say_by(w, 0, &(w)->peer, (struct peer_segment){__VA_ARGS__})

/* Lets time pass, doing what is due. */
static inline void pass(struct sockets_world *w, braid_time ns) {
    braid_time end = w->now + ns, next;
    while ((next = so.deadline(w->net)) <= end) {
        if (next > w->now) w->now = next;
        so.tick(w->net);
    }
    w->now = end;
    so.tick(w->net);
}

/* The next segment that left, waiting for it up to a second; fails if there is none. */
static inline struct tcp_segment heard_by(struct sockets_world *w, int *link, struct ip_header *ip) {
    braid_time end = w->now + BRAID_NS_PER_S;
    while (w->left_count == 0 && so.deadline(w->net) <= end)
        pass(w, so.deadline(w->net) - w->now);
    if (w->left_count == 0) fail_msg("nothing left");
    const struct left *left = &w->left[w->left_first];
    w->left_first = (w->left_first + 1) % LEFT_MAX;
    w->left_count--;
    *link = left->link;
    return peer_decode(left->bytes, left->length, ip);
}
static inline struct tcp_segment heard(struct sockets_world *w) {
    struct ip_header ip;
    int link;
    return heard_by(w, &link, &ip);
}

#endif
