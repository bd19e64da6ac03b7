/* The socket calls, in any order and with any arguments, on two hosts with a wire of two links between them that may lose,
 * double and spoil packets, while memory may run out: every result is a documented one, nothing hangs, nothing stays. */
#include "fuzz.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <braid/sockets.h>

enum { HOSTS = 2, LINKS = 2, FLYING_MAX = 64, PACKET_MAX = 1500, CALLS_MAX = 120, WAITS_MAX = 200, BUFFER = 4096 };

static struct braid_sockets *hosts[HOSTS];
static struct counted_memory memory;
static braid_time now;
static unsigned waits_left;
static struct flying {
    braid_time at;
    unsigned to;
    int link;
    size_t length;
    uint8_t bytes[PACKET_MAX];
} flying[FLYING_MAX];
static unsigned flying_count;
static struct feed feed;

static braid_time clock_hook(void *context) { return (void)context, now; }

static void transmit(void *context, int link, const uint8_t *packet, size_t length) {
    uint8_t fate = feed_left(&feed) > 0 ? feed_u8(&feed) : 0;
    if (flying_count == FLYING_MAX || length > PACKET_MAX || fate >= 250) return;
    struct flying *p = &flying[flying_count++];
    *p = (struct flying){.at = now + 10 * BRAID_NS_PER_MS, .to = context == &hosts[0] ? 1 : 0, .link = link, .length = length};
    memcpy(p->bytes, packet, length);
    if (fate >= 240) p->bytes[feed_u16(&feed) % length] ^= feed_u8(&feed);
}

static bool let_happen(void *context, braid_time until) {
    (void)context;
    braid_time next = until;
    if (waits_left == 0) return false;
    waits_left--;
    if (flying_count > 0 && flying[0].at < next) next = flying[0].at;
    for (unsigned i = 0; i < HOSTS; i++)
        if (braid_sockets_deadline(hosts[i]) < next) next = braid_sockets_deadline(hosts[i]);
    if (next == BRAID_NEVER) return false;
    if (next > now) now = next;
    if (flying_count > 0 && flying[0].at <= now) {
        struct flying p = flying[0];
        memmove(&flying[0], &flying[1], --flying_count * sizeof(flying[0]));
        ENSURE(braid_sockets_packet_in(hosts[p.to], p.link, p.bytes, p.length) == 0);
    }
    for (unsigned i = 0; i < HOSTS; i++) braid_sockets_tick(hosts[i]);
    return true;
}

static void *take(void *context, size_t size) { return (void)context, counted_allocate(&memory, size); }
static void give_back(void *context, void *bytes, size_t size) { (void)context, counted_release(&memory, bytes, size); }

static bool create(unsigned i, uint64_t seed) {
    struct braid_sockets_hooks hooks = {.context = &hosts[i], .now = clock_hook, .transmit = transmit, .wait = let_happen, .seed = seed,
                                         .allocate = take, .release = give_back};
    struct braid_link_config link = {.mtu_bytes = PACKET_MAX, .uplink = true};
    hosts[i] = braid_sockets_create(&hooks, &(struct braid_stack_config){.time_wait_ns = BRAID_NS_PER_S});
    if (hosts[i] == NULL) return false;
    for (unsigned k = 0; k < LINKS; k++) {
        struct braid_address address = {.family = 4, .bytes = {10, 0, (uint8_t)k, (uint8_t)(1 + i)}};
        if (braid_sockets_link_add(hosts[i], &link) != (int)k) return false;
        if (braid_sockets_address_add(hosts[i], (int)k, &address, k == 1 && seed & 1, i == 1) != 0) return false;
    }
    return true;
}

/* Errors are small negative numbers, and none of those that would tell of a mistake of ours. */
static long result(long got) {
    ENSURE(got > -200 && got != -EFAULT && got != -EIO && got != -ENOSYS);
    return got;
}

static socklen_t draw_address(struct feed *f, struct sockaddr_storage *out) {
    memset(out, 0, sizeof(*out));
    uint8_t what = feed_u8(f);
    uint16_t port = what & 4 ? feed_u16(f) : 80;
    if (what & 1) {
        struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
        if (what & 2) six.sin6_addr.s6_addr[15] = feed_u8(f);
        memcpy(out, &six, sizeof(six));
        return what & 128 ? feed_u8(f) % (socklen_t)sizeof(*out) : (socklen_t)sizeof(six);
    }
    struct sockaddr_in four = {.sin_family = what & 64 ? feed_u8(f) : AF_INET, .sin_port = htons(port)};
    if (what & 2) four.sin_addr.s_addr = htonl(0x0a000000u | (uint32_t)(feed_u8(f) & 1) << 8 | (uint32_t)(1 + (feed_u8(f) & 1)));
    memcpy(out, &four, sizeof(four));
    return what & 128 ? feed_u8(f) % (socklen_t)sizeof(*out) : (socklen_t)sizeof(four);
}

static void options(struct feed *f, struct braid_sockets *net, int fd) {
    static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, 284, IPPROTO_IP};
    static const int numbers[] = {SO_ERROR, SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO, SO_KEEPALIVE, TCP_CONGESTION, TCP_INFO, TCP_MAXSEG,
                                  TCP_USER_TIMEOUT, TCP_KEEPIDLE};
    static uint8_t value[512];
    uint8_t what = feed_u8(f), length_drawn = feed_u8(f);
    int level = levels[what & 3], number = what & 4 ? (int)feed_u8(f) : numbers[(what >> 4) % ARRAY_COUNT(numbers)];
    size_t got;
    socklen_t length = length_drawn;
    const uint8_t *bytes = feed_span(f, length, &got);
    memset(value, 0, sizeof(value));
    if (got > 0) memcpy(value, bytes, got);
    if (what & 8) {
        result(braid_sockets_setsockopt(net, fd, level, number, value, length));
        return;
    }
    memset(value, 0xee, sizeof(value));
    if (result(braid_sockets_getsockopt(net, fd, level, number, value, &length)) == 0) ENSURE(length <= length_drawn);
    for (size_t i = length_drawn; i < sizeof(value); i++) ENSURE(value[i] == 0xee);
}

static void names(struct feed *f, struct braid_sockets *net, int fd) {
    struct sockaddr_storage address;
    uint8_t room = feed_u8(f);
    socklen_t length = room % 2 ? (socklen_t)sizeof(address) : room % 32;
    if (room & 64) result(braid_sockets_getsockname(net, fd, (struct sockaddr *)&address, &length));
    else result(braid_sockets_getpeername(net, fd, (struct sockaddr *)&address, &length));
}

static void transfer(struct feed *f, struct braid_sockets *net, int fd) {
    static uint8_t buffer[BUFFER];
    uint8_t what = feed_u8(f);
    size_t length = feed_u16(f) % BUFFER;
    struct iovec vectors[3] = {{buffer, length / 3}, {buffer, length / 3}, {buffer, 0}};
    long got = 0;
    switch (what % 6) {
    case 0: got = braid_sockets_read(net, fd, buffer, length); break;
    case 1: got = braid_sockets_write(net, fd, buffer, length); break;
    case 2: got = braid_sockets_recv(net, fd, buffer, length, what & 64 ? MSG_DONTWAIT : what & 32 ? MSG_WAITALL : feed_u8(f)); break;
    case 3: got = braid_sockets_send(net, fd, buffer, length, what & 64 ? MSG_DONTWAIT : feed_u8(f)); break;
    case 4: got = braid_sockets_readv(net, fd, vectors, what & 64 ? 3 : (int8_t)feed_u8(f) % 4); break;
    default: got = braid_sockets_writev(net, fd, vectors, what & 64 ? 3 : (int8_t)feed_u8(f) % 4); break;
    }
    ENSURE(result(got) <= (long)length);
}

static void wait_for_some(struct feed *f, struct braid_sockets *net, int fd) {
    struct pollfd fds[3] = {{fd, (short)feed_u8(f), 0}, {4, POLLIN, 0}, {-1, POLLIN, 0}};
    long ready = result(braid_sockets_poll(net, fds, feed_u8(f) % 4, (int8_t)feed_u8(f)));
    ENSURE(ready <= 3 && fds[2].revents == 0);
}

static void call(struct feed *f) {
    uint8_t what = feed_u8(f);
    unsigned h = what >> 7;
    struct braid_sockets *net = hosts[h];
    int fd = 3 + (what >> 4 & 7);
    struct sockaddr_storage address;
    socklen_t length;
    if ((what >> 4 & 7) == 7) fd = (int8_t)feed_u8(f);
    switch (what % 16) {
    case 0: result(braid_sockets_socket(net, what & 64 ? feed_u8(f) : AF_INET, SOCK_STREAM | (what & 32 ? SOCK_NONBLOCK : 0), what & 16 ? 262 : 0)); return;
    case 1: length = draw_address(f, &address); result(braid_sockets_bind(net, fd, (struct sockaddr *)&address, length)); return;
    case 2: result(braid_sockets_listen(net, fd, (int8_t)feed_u8(f))); return;
    case 3: length = sizeof(address); result(braid_sockets_accept(net, fd, (struct sockaddr *)&address, &length, feed_u8(f) & 1 ? SOCK_NONBLOCK : 0)); return;
    case 4: length = draw_address(f, &address); result(braid_sockets_connect(net, fd, (struct sockaddr *)&address, length)); return;
    case 5: result(braid_sockets_shutdown(net, fd, (int8_t)feed_u8(f) % 4)); return;
    case 6: result(braid_sockets_close(net, fd)); return;
    case 7: options(f, net, fd); return;
    case 8: names(f, net, fd); return;
    case 9: wait_for_some(f, net, fd); return;
    case 10: result(braid_sockets_set_nonblocking(net, fd, feed_u8(f) & 1)); return;
    case 11: result(braid_sockets_readable(net, fd)); result(braid_sockets_unacknowledged(net, fd)); return;
    case 12:
        for (unsigned i = feed_u8(f); i > 0 && let_happen(NULL, now + BRAID_NS_PER_S); i--) {}
        return;
    case 13: {
        struct braid_address gone = {.family = 4, .bytes = {10, 0, (uint8_t)(what >> 4 & 1), (uint8_t)(1 + h)}};
        int link = feed_u8(f) % 3;
        if (what & 32) result(braid_sockets_address_remove(net, link, &gone));
        else result(braid_sockets_address_add(net, link, &gone, what & 64, false));
        return;
    }
    default: transfer(f, net, fd); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    feed = feed_of(input, length);
    uint8_t kind = feed_u8(&feed);
    now = 100 * BRAID_NS_PER_S;
    flying_count = 0;
    waits_left = WAITS_MAX;
    counted_memory_init(&memory, -1);
    for (unsigned i = 0; i < HOSTS; i++) ENSURE(create(i, 1 + kind + i));
    if (kind & 128) memory.allocations_left = feed_u8(&feed);
    for (unsigned calls = 0; calls < CALLS_MAX && feed_left(&feed) > 0; calls++) call(&feed);
    for (unsigned i = 0; i < HOSTS; i++) braid_sockets_destroy(hosts[i]);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
