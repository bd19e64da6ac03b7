/* packetdrill's way in: its table, the threads it uses, and virtual time. */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/ioctl.h>

#include "packetdrill.h"
#include "peer.h"

static void (*table_init)(const char *flags, struct packetdrill_interface *table);

static int load(void **state) {
    void *library = dlopen(BRAID_SOCKETS_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    (void)state;
    if (!library) fail_msg("%s", dlerror());
    *(void **)&table_init = dlsym(library, "packetdrill_interface_init");
    assert_non_null(table_init);
    return 0;
}

static struct packetdrill_interface t;
static struct peer peer;

static void begin(const char *flags) {
    table_init(flags, &t);
    peer = (struct peer){peer_address("192.0.2.1"), peer_address("192.168.0.1"), 5000, 8080};
}

static long long now_us(void) {
    struct timeval time;
    assert_int_equal(t.gettimeofday(t.userdata, &time, NULL), 0);
    return (long long)time.tv_sec * 1000000 + time.tv_usec;
}

static void say_it(struct peer_segment what) {
    uint8_t bytes[PEER_PACKET_BYTES];
    size_t length = peer_encode(&peer, &what, bytes);
    assert_int_equal(t.netdev_send(t.userdata, bytes, length), 0);
}
#define say(...) say_it((struct peer_segment){__VA_ARGS__})

static uint8_t heard_bytes[PEER_PACKET_BYTES];
static struct tcp_segment heard(long long *at_us) {
    struct ip_header ip;
    size_t length = sizeof(heard_bytes);
    assert_int_equal(t.netdev_receive(t.userdata, heard_bytes, &length, at_us), 0);
    if (length == 0) fail_msg("nothing left");
    return peer_decode(heard_bytes, length, &ip);
}

static int listening(void) {
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(8080)};
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    assert_int_equal(t.bind(t.userdata, fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(t.listen(t.userdata, fd, 1), 0);
    return fd;
}

static uint32_t handshake(void) {
    long long at;
    say(.flags = TCP_SYN, .seq = 0, .mss = 1000, .window = 32792);
    struct tcp_segment s = heard(&at);
    assert_int_equal(s.flags, TCP_SYN | TCP_ACK);
    say(.flags = TCP_ACK, .seq = 1, .ack = s.seq.value + 1);
    return s.seq.value + 1;
}

static void the_table_drives_a_connection(void **state) {
    long long at;
    char bytes[16];
    int readable;
    (void)state;
    begin(NULL);
    int server = listening();
    uint32_t seq = handshake();
    int fd = t.accept(t.userdata, server, NULL, NULL);
    assert_true(fd > server);
    say(.flags = TCP_ACK, .seq = 1, .ack = seq, .data = "in");
    assert_int_equal(t.ioctl(t.userdata, fd, FIONREAD, &readable), 0);
    assert_int_equal(readable, 2);
    assert_int_equal(t.read(t.userdata, fd, bytes, sizeof(bytes)), 2);
    assert_int_equal(t.fcntl(t.userdata, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    assert_int_equal(t.fcntl(t.userdata, fd, F_GETFL), O_RDWR | O_NONBLOCK);
    errno = 0;
    assert_int_equal(t.read(t.userdata, fd, bytes, sizeof(bytes)), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(t.send(t.userdata, fd, "out", 3, 0), 3);
    struct tcp_segment s = heard(&at);
    while (s.payload_length == 0)
        s = heard(&at);
    assert_memory_equal(s.payload, "out", 3);
    assert_int_equal(t.close(t.userdata, 77), -1);
    assert_int_equal(errno, EBADF);
    t.free(t.userdata);
}

static void time_passes_only_as_the_table_is_used(void **state) {
    long long at, began;
    (void)state;
    begin("seed=7,congestion=newreno,mtu=1400");
    began = now_us();
    while (now_us() < began + 20)
        continue; /* as packetdrill spins */
    assert_int_equal(t.usleep(t.userdata, 1000000), 0);
    assert_in_range(now_us() - began, 1000020, 1000030);
    /* A SYN that nobody answers: it comes again after a second of virtual time. */
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons(80)};
    inet_pton(AF_INET, "192.0.2.1", &there.sin_addr);
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
    assert_int_equal(t.connect(t.userdata, fd, (struct sockaddr *)&there, sizeof(there)), -1);
    assert_int_equal(errno, EINPROGRESS);
    struct tcp_segment s = heard(&began);
    assert_int_equal(s.options.mss, 1360);
    s = heard(&at);
    assert_int_equal(s.flags, TCP_SYN);
    assert_in_range(at - began, 1000000, 1000100);
    t.free(t.userdata);
}

static struct {
    int server, fd;
    ssize_t got;
    char bytes[8];
} blocked;

static void *accept_and_read(void *unused) {
    (void)unused;
    blocked.fd = t.accept(t.userdata, blocked.server, NULL, NULL);
    blocked.got = t.read(t.userdata, blocked.fd, blocked.bytes, sizeof(blocked.bytes));
    return NULL;
}

static void calls_that_block_do_so_in_a_thread_of_their_own(void **state) {
    pthread_t thread;
    (void)state;
    begin("local=192.168.0.1");
    blocked.server = listening();
    assert_int_equal(pthread_create(&thread, NULL, accept_and_read, NULL), 0);
    uint32_t seq = handshake();
    say(.flags = TCP_ACK, .seq = 1, .ack = seq, .data = "waited");
    pthread_join(thread, NULL);
    assert_int_equal(blocked.got, 6);
    assert_memory_equal(blocked.bytes, "waited", 6);
    t.free(t.userdata);
}

static void nothing_to_hear_is_a_packet_of_length_zero(void **state) {
    size_t length = PEER_PACKET_BYTES;
    long long at;
    (void)state;
    begin(NULL);
    assert_int_equal(t.netdev_receive(t.userdata, heard_bytes, &length, &at), 0);
    assert_int_equal(length, 0);
    t.free(t.userdata);
}

static void flags_that_make_no_sense_make_every_call_fail(void **state) {
    static const char *const bad[] = {"local=nowhere", "mtu=70000", "mtu=", "colour=red", "congestion=none"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        begin(bad[i]);
        assert_int_equal(t.socket(t.userdata, AF_INET, SOCK_STREAM, 0), -1);
        assert_int_equal(errno, EINVAL);
        t.free(t.userdata);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_drives_a_connection),
        cmocka_unit_test(time_passes_only_as_the_table_is_used),
        cmocka_unit_test(calls_that_block_do_so_in_a_thread_of_their_own),
        cmocka_unit_test(nothing_to_hear_is_a_packet_of_length_zero),
        cmocka_unit_test(flags_that_make_no_sense_make_every_call_fail),
    };
    return cmocka_run_group_tests_name("packetdrill", tests, load, NULL);
}
