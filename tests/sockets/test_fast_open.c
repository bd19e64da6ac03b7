/* Fast Open (RFC 7413) by the socket calls: two hosts on one wire of 50 ms each way. */
#include <stdarg.h>
#include <stdlib.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <linux/tcp.h>
#include "sockets_world.h"

#define MS BRAID_NS_PER_MS
enum { CLIENT, SERVER, FLYING_MAX = 8192 };

struct flying {
    braid_time at;
    int to;
    size_t length;
    uint8_t bytes[2048];
};

static struct wire {
    braid_time now;
    struct braid_sockets *net[2];
    struct flying flying[FLYING_MAX]; /* in order */
    size_t first, count;
} wire;

static braid_time wire_now(void *context) {
    (void)context;
    return wire.now;
}
static void leave(int to, const uint8_t *packet, size_t length) {
    assert_true(wire.count < FLYING_MAX && length <= sizeof(wire.flying[0].bytes));
    struct flying *f = &wire.flying[(wire.first + wire.count++) % FLYING_MAX];
    *f = (struct flying){.at = wire.now + 50 * MS, .to = to, .length = length};
    memcpy(f->bytes, packet, length);
}
static void client_transmit(void *context, int link, const uint8_t *packet, size_t length) {
    (void)context, (void)link;
    leave(SERVER, packet, length);
}
static void server_transmit(void *context, int link, const uint8_t *packet, size_t length) {
    (void)context, (void)link;
    leave(CLIENT, packet, length);
}

/* The next packet arrives, or the next timer runs. */
static bool next(void *context, braid_time until) {
    braid_time at = wire.count > 0 ? wire.flying[wire.first].at : BRAID_NEVER;
    (void)context;
    for (int i = 0; i < 2; i++)
        if (so.deadline(wire.net[i]) < at) at = so.deadline(wire.net[i]);
    if (at > until || at == BRAID_NEVER) return false;
    if (at > wire.now) wire.now = at;
    if (wire.count > 0 && wire.flying[wire.first].at <= wire.now) {
        struct flying f = wire.flying[wire.first];
        wire.first = (wire.first + 1) % FLYING_MAX;
        wire.count--;
        so.packet_in(wire.net[f.to], 0, f.bytes, f.length);
    }
    for (int i = 0; i < 2; i++) so.tick(wire.net[i]);
    return true;
}

static const struct braid_address addresses[] = {{4, {10, 0, 0, 1}}, {4, {10, 0, 0, 2}}};

static struct sockaddr_in endpoint(int host, uint16_t port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    memcpy(&a.sin_addr, addresses[host].bytes, 4);
    return a;
}

static void wire_begin(void) {
    struct braid_stack_config config = {0};
    struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true};
    wire.now = 100 * BRAID_NS_PER_S;
    wire.first = wire.count = 0;
    for (int i = 0; i < 2; i++) {
        struct braid_sockets_hooks hooks = {
            .now = wire_now, .wait = next, .seed = (uint64_t)i + 1, .transmit = i == CLIENT ? client_transmit : server_transmit};
        wire.net[i] = so.create(&hooks, &config);
        assert_non_null(wire.net[i]);
        assert_int_equal(so.link_add(wire.net[i], &link), 0);
        assert_int_equal(so.address_add(wire.net[i], 0, &addresses[i], false, false), 0);
    }
}
static void wire_end(void) {
    for (int i = 0; i < 2; i++) so.destroy(wire.net[i]);
}

static int listening_fast(int protocol, int pending_max) {
    struct sockaddr_in any = endpoint(SERVER, 80);
    int fd = so.socket(wire.net[SERVER], AF_INET, SOCK_STREAM, protocol);
    assert_int_equal(so.bind(wire.net[SERVER], fd, (struct sockaddr *)&any, sizeof(any)), 0);
    assert_int_equal(so.setsockopt(wire.net[SERVER], fd, IPPROTO_TCP, TCP_FASTOPEN, &pending_max, sizeof(pending_max)), 0);
    assert_int_equal(so.listen(wire.net[SERVER], fd, 8), 0);
    return fd;
}

/* A request, read by the server; how long that took, in ms. */
static unsigned request_ms(int listener, int protocol) {
    struct sockaddr_in to = endpoint(SERVER, 80);
    braid_time began = wire.now;
    char got[300];
    int fd = so.socket(wire.net[CLIENT], AF_INET, SOCK_STREAM, protocol);
    assert_int_equal(so.sendto(wire.net[CLIENT], fd, "is anybody there?", 17, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), 17);
    int other = so.accept(wire.net[SERVER], listener, NULL, NULL, 0);
    assert_true(other > 0);
    assert_int_equal(so.read(wire.net[SERVER], other, got, sizeof(got)), 17);
    assert_memory_equal(got, "is anybody there?", 17);
    unsigned ms = (unsigned)((wire.now - began) / MS);
    assert_int_equal(so.write(wire.net[SERVER], other, "yes", 3), 3);
    assert_int_equal(so.read(wire.net[CLIENT], fd, got, sizeof(got)), 3);
    so.close(wire.net[CLIENT], fd);
    so.close(wire.net[SERVER], other);
    return ms;
}

/* [R-7413-2-1] */
static void the_second_request_comes_with_the_syn(void **state) {
    (void)state;
    for (int multipath = 0; multipath < 2; multipath++) {
        int protocol = multipath ? 262 : IPPROTO_TCP;
        wire_begin();
        int listener = listening_fast(protocol, 8);
        assert_int_equal(request_ms(listener, protocol), 150);
        assert_int_equal(request_ms(listener, protocol), 50);
        assert_int_equal(request_ms(listener, protocol), 50);
        wire_end();
    }
}

static void a_server_that_does_not_permit_it_gets_the_request_later(void **state) {
    (void)state;
    wire_begin();
    int listener = listening_fast(IPPROTO_TCP, 0);
    for (int i = 0; i < 2; i++) assert_int_equal(request_ms(listener, IPPROTO_TCP), 150);
    wire_end();
}

static void what_cannot_be_is_an_error(void **state) {
    (void)state;
    wire_begin();
    struct braid_sockets *net = wire.net[CLIENT];
    struct sockaddr_in to = endpoint(SERVER, 80), nowhere = endpoint(SERVER, 81);
    int listener = listening_fast(IPPROTO_TCP, 8), number = 65536;
    socklen_t length = sizeof(number);
    assert_int_equal(so.setsockopt(wire.net[SERVER], listener, IPPROTO_TCP, TCP_FASTOPEN, &number, sizeof(number)), -EINVAL);
    number = 9;
    assert_int_equal(so.setsockopt(wire.net[SERVER], listener, IPPROTO_TCP, TCP_FASTOPEN, &number, sizeof(number)), -EISCONN);
    assert_int_equal(so.getsockopt(wire.net[SERVER], listener, IPPROTO_TCP, TCP_FASTOPEN, &number, &length), 0);
    assert_int_equal(number, 8);
    int fd = so.socket(net, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(so.sendto(net, 99, "a", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), -EBADF);
    assert_int_equal(so.sendto(net, fd, "a", 1, MSG_FASTOPEN, NULL, 0), -EINVAL);
    assert_int_equal(so.sendto(net, fd, "a", 1, MSG_FASTOPEN | MSG_OOB, (struct sockaddr *)&to, sizeof(to)), -EOPNOTSUPP);
    assert_int_equal(so.sendto(net, fd, "a", 1, 0, (struct sockaddr *)&to, sizeof(to)), -ENOTCONN);
    /* Nobody listens there: told by the next call, and the descriptor may be used anew. */
    assert_int_equal(so.sendto(net, fd, "a", 1, MSG_FASTOPEN, (struct sockaddr *)&nowhere, sizeof(nowhere)), 1);
    char got[8];
    assert_int_equal(so.read(net, fd, got, sizeof(got)), -ECONNREFUSED);
    assert_int_equal(so.sendto(net, fd, "a", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), 1);
    assert_int_equal(so.sendto(net, fd, "b", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), -EALREADY);
    int other = so.accept(wire.net[SERVER], listener, NULL, NULL, 0);
    assert_true(other > 0);
    assert_int_equal(so.write(net, fd, "b", 1), 1);
    assert_int_equal(so.sendto(net, fd, "c", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)), -EISCONN);
    assert_int_equal(so.recv(wire.net[SERVER], other, got, 2, MSG_WAITALL), 2);
    assert_memory_equal(got, "ab", 2);
    wire_end();
}

/* More than a segment, and more than the send buffer takes at once: a blocking call has it all on the way. */
static void a_long_write_goes_on_after_the_handshake(void **state) {
    (void)state;
    static uint8_t bytes[6 << 20], got[6 << 20];
    wire_begin();
    struct sockaddr_in to = endpoint(SERVER, 80);
    int listener = listening_fast(IPPROTO_TCP, 8);
    request_ms(listener, IPPROTO_TCP);
    for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)(i * 7 + i / 251);
    int fd = so.socket(wire.net[CLIENT], AF_INET, SOCK_STREAM, 0);
    so.set_nonblocking(wire.net[CLIENT], fd, true);
    ssize_t sent = so.sendto(wire.net[CLIENT], fd, bytes, sizeof(bytes), MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to));
    assert_true(sent >= 65536 && sent < (ssize_t)sizeof(bytes));
    int other = so.accept(wire.net[SERVER], listener, NULL, NULL, 0);
    assert_int_equal(so.recv(wire.net[SERVER], other, got, (size_t)sent, MSG_WAITALL), sent);
    assert_memory_equal(got, bytes, (size_t)sent);
    wire_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_request_comes_with_the_syn),
        cmocka_unit_test(a_server_that_does_not_permit_it_gets_the_request_later),
        cmocka_unit_test(what_cannot_be_is_an_error),
        cmocka_unit_test(a_long_write_goes_on_after_the_handshake),
    };
    return cmocka_run_group_tests_name("fast open by sockets", tests, load, NULL);
}
