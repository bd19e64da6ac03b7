#define _GNU_SOURCE
/* A TUN link against the kernel's own TCP and UDP at its other end. */
#include "test_packets.h"

#include <link/link_tun.h>
#include <sys/wait.h>

#define KERNEL_V4 "10.9.0.1"
#define OURS_V4 "10.9.0.2"
#define KERNEL_V6 "fd09::1"
#define OURS_V6 "fd09::2"
#define OUR_PORT 40000

static struct link *open_tun(void) {
    int fd = -1;
    assert_int_equal(tun_device_create("/dev/net/tun", "braid%d", &fd), 0);
    char name[TUN_DEVICE_NAME_MAX];
    assert_int_equal(tun_device_name(fd, name), 0);
    assert_string_equal(name, "braid0");
    test_write_file("/proc/sys/net/ipv6/conf/braid0/addr_gen_mode", "1");
    test_link_set(name, true);
    test_address_v4(name, KERNEL_V4);
    test_address_v6(name, KERNEL_V6);
    struct link *link = NULL;
    assert_int_equal(link_tun_create(&test_env, fd, 1500, &link), 0);
    return link;
}

/* The next TCP packet the kernel sends to us; other chatter is passed over. */
static struct tcp_segment receive_tcp(struct link *link, struct braid_packet_in *packet,
                                      struct ip_header *ip) {
    while (test_readable(link_fd(link), WAIT_MS)) {
        if (link_receive(link, packet, 1) != 1) continue;
        if (ip_decode(packet->bytes, packet->length, packet->segment_bytes != 0, ip) != IP_OK) continue;
        if (ip->protocol != IP_PROTOCOL_TCP) continue;
        return test_decode_tcp(packet->bytes, packet->length, packet->segment_bytes != 0,
                               packet->checksum_verified, ip);
    }
    fail_msg("no TCP packet came");
    return (struct tcp_segment){0};
}

static void send_tcp(struct link *link, const struct test_tcp *tcp, uint16_t segment_bytes) {
    struct braid_packet_out packet = test_tcp_out(tcp, segment_bytes);
    assert_int_equal(link_send(link, &packet, 1), 1);
    assert_int_equal(packet.slice_count, 0);
}

static socklen_t socket_address(const char *text, uint16_t port, struct sockaddr_storage *out) {
    memset(out, 0, sizeof(*out));
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        return sizeof(*v6);
    }
    assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    return sizeof(*v4);
}

/* The kernel connects to us and writes 32 KB: what comes in one piece, larger than the MTU, is a
 * super-segment. */
static void kernel_sends_super_segments(const char *kernel, const char *ours) {
    struct link *link = open_tun();
    struct sockaddr_storage address;
    socklen_t length = socket_address(ours, 80, &address);
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, length), -1);
    assert_int_equal(errno, EINPROGRESS);

    struct braid_packet_in packet;
    struct ip_header ip;
    struct tcp_segment syn = receive_tcp(link, &packet, &ip);
    assert_int_equal(syn.flags & (TCP_SYN | TCP_ACK), TCP_SYN);
    struct test_tcp reply = {ours, kernel, 80, syn.source_port, 1000, syn.seq.value + 1, TCP_SYN | TCP_ACK,
                             1400};
    send_tcp(link, &reply, 0);
    assert_int_equal(receive_tcp(link, &packet, &ip).flags & TCP_ACK, TCP_ACK);

    static uint8_t payload[32768];
    test_fill(payload, sizeof(payload));
    assert_true(write(fd, payload, sizeof(payload)) > 1400);
    struct tcp_segment data = receive_tcp(link, &packet, &ip);
    assert_true(data.payload_length > 1500);
    assert_int_equal(packet.segment_bytes, 1400);
    assert_true(packet.checksum_verified);
    assert_memory_equal(data.payload, payload, data.payload_length);
    assert_true(link->statistics->super_segments_in >= 1);
    close(fd);
    link_close(link);
}

static void the_kernels_super_segments_come_in_whole_v4(void **state) {
    (void)state;
    kernel_sends_super_segments(KERNEL_V4, OURS_V4);
}

static void the_kernels_super_segments_come_in_whole_v6(void **state) {
    (void)state;
    kernel_sends_super_segments(KERNEL_V6, OURS_V6);
}

/* A listening socket of the kernel, and a handshake of ours with it. Returns the accepted socket. */
static int handshake(struct link *link, const char *kernel, const char *ours, uint32_t *kernel_seq) {
    struct sockaddr_storage address;
    socklen_t length = socket_address(kernel, 80, &address);
    int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 1), 0);
    send_tcp(link, &(struct test_tcp){ours, kernel, OUR_PORT, 80, 999, 0, TCP_SYN, 1400}, 0);
    struct braid_packet_in packet;
    struct ip_header ip;
    struct tcp_segment answer = receive_tcp(link, &packet, &ip);
    assert_int_equal(answer.flags & (TCP_SYN | TCP_ACK), TCP_SYN | TCP_ACK);
    *kernel_seq = answer.seq.value + 1;
    send_tcp(link, &(struct test_tcp){ours, kernel, OUR_PORT, 80, 1000, *kernel_seq, TCP_ACK, 0}, 0);
    assert_true(test_readable(listener, WAIT_MS));
    int fd = accept(listener, NULL, NULL);
    assert_true(fd >= 0);
    close(listener);
    return fd;
}

static void we_send_a_super_segment(const char *kernel, const char *ours) {
    struct link *link = open_tun();
    uint32_t kernel_seq;
    int fd = handshake(link, kernel, ours, &kernel_seq);
    static uint8_t payload[28000], got[28000];
    test_fill(payload, sizeof(payload));
    struct test_tcp data = {ours, kernel,  OUR_PORT,       80, 1000, kernel_seq, TCP_ACK | TCP_PSH,
                            0,    payload, sizeof(payload)};
    send_tcp(link, &data, 1400);
    assert_true(test_readable(fd, WAIT_MS));
    assert_int_equal(recv(fd, got, sizeof(got), MSG_WAITALL), sizeof(got));
    assert_memory_equal(got, payload, sizeof(payload));
    assert_int_equal(link->statistics->super_segments_out, 1);
    close(fd);
    link_close(link);
}

static void the_kernel_takes_our_super_segments_v4(void **state) {
    (void)state;
    we_send_a_super_segment(KERNEL_V4, OURS_V4);
}

static void the_kernel_takes_our_super_segments_v6(void **state) {
    (void)state;
    we_send_a_super_segment(KERNEL_V6, OURS_V6);
}

static void a_datagram_comes_in_whole(void **state) {
    (void)state;
    struct link *link = open_tun();
    struct sockaddr_storage address;
    socklen_t length = socket_address(OURS_V4, 53, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(sendto(fd, "question", 8, 0, (struct sockaddr *)&address, length), 8);
    struct braid_packet_in packet;
    struct ip_header ip = {0};
    while (ip.protocol != IP_PROTOCOL_UDP) {
        assert_true(test_readable(link_fd(link), WAIT_MS));
        assert_int_equal(link_receive(link, &packet, 1), 1);
        if (ip_decode(packet.bytes, packet.length, false, &ip) != IP_OK) ip.protocol = 0;
    }
    struct udp_datagram datagram;
    assert_true(udp_decode(packet.bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                           packet.checksum_verified, &datagram));
    assert_int_equal(datagram.destination_port, 53);
    assert_int_equal(datagram.payload_length, 8);
    assert_memory_equal(datagram.payload, "question", 8);
    close(fd);
    link_close(link);
}

static void a_large_packet_may_be_kept_and_a_small_one_is_not_offered(void **state) {
    (void)state;
    struct link *link = open_tun();
    test_link_set_mtu("braid0", 30000);
    struct sockaddr_storage address;
    socklen_t length = socket_address(OURS_V4, 53, &address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    static uint8_t large[20000];
    uint8_t small[100];
    struct braid_packet_in packets[2], kept;
    memset(large, 'x', sizeof(large));
    memset(small, 'y', sizeof(small));

    sendto(fd, large, sizeof(large), 0, (struct sockaddr *)&address, length);
    assert_true(test_readable(link_fd(link), WAIT_MS));
    assert_int_equal(link_receive(link, packets, 2), 1);
    kept = packets[0];
    assert_non_null(kept.buf);
    assert_true(kept.bytes >= kept.buf->bytes &&
                kept.bytes + kept.length <= kept.buf->bytes + kept.buf->capacity);
    buf_ref(kept.buf);

    sendto(fd, small, sizeof(small), 0, (struct sockaddr *)&address, length);
    assert_true(test_readable(link_fd(link), WAIT_MS));
    assert_int_equal(link_receive(link, packets, 2), 1);
    assert_null(packets[0].buf);
    assert_ptr_not_equal(packets[0].bytes, kept.bytes);
    link_close(link);
    assert_memory_equal(kept.bytes + 28, large, sizeof(large)); /* outlives even the link */
    buf_release(kept.buf);
    close(fd);
}

static void a_device_that_is_down_loses_packets_and_counts_them(void **state) {
    (void)state;
    struct link *link = open_tun();
    test_link_set("braid0", false);
    send_tcp(link, &(struct test_tcp){OURS_V4, KERNEL_V4, OUR_PORT, 80, 1, 0, TCP_SYN, 0, "ab", 2}, 0);
    assert_int_equal(link->statistics->dropped_out, 1);
    assert_int_equal(link->statistics->packets_out, 0);
    link_close(link);
}

static void nothing_waiting_is_no_error(void **state) {
    (void)state;
    struct link *link = open_tun();
    struct braid_packet_in packets[LINK_BATCH_MAX + 1];
    while (test_readable(link_fd(link), 0))
        assert_true(link_receive(link, packets, LINK_BATCH_MAX + 1) >= 0);
    assert_int_equal(link_receive(link, packets, LINK_BATCH_MAX + 1), 0);
    link_close(link);
}

/* ---- several queues ---- */

enum { QUEUES = 3, FLOWS = 40 };

/* Which queue the next datagram to `port` comes by; whatever else waits in them is passed over. */
static int queue_of_datagram(struct link **queues, uint16_t port) {
    for (int tries = 0; tries < WAIT_MS; tries++) {
        for (int q = 0; q < QUEUES; q++) {
            struct braid_packet_in packet;
            struct ip_header ip;
            struct udp_datagram datagram;
            if (link_receive(queues[q], &packet, 1) != 1) continue;
            if (ip_decode(packet.bytes, packet.length, false, &ip) != IP_OK || ip.protocol != IP_PROTOCOL_UDP) continue;
            assert_true(udp_decode(packet.bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                                   packet.checksum_verified, &datagram));
            if (datagram.destination_port == port) return q;
        }
        poll(NULL, 0, 1);
    }
    fail_msg("no datagram to port %u came", port);
    return -1;
}

static void send_datagram(struct link *queue, uint16_t source_port, uint16_t destination_port) {
    struct braid_packet_out packet = {0};
    struct ip_address ours = test_ip(OURS_V4), kernel = test_ip(KERNEL_V4);
    uint32_t length = udp_packet_encode(&ours, &kernel, source_port, destination_port, (const uint8_t *)"x", 1, packet.header,
                                        sizeof(packet.header));
    assert_true(length > 0);
    packet.header_length = (uint16_t)length;
    assert_int_equal(link_send(queue, &packet, 1), 1);
}

static void open_queues(struct link **queues) {
    int fds[QUEUES];
    assert_int_equal(tun_device_create_queues("/dev/net/tun", "braid%d", QUEUES, fds), 0);
    test_write_file("/proc/sys/net/ipv6/conf/braid0/addr_gen_mode", "1");
    test_link_set("braid0", true);
    test_address_v4("braid0", KERNEL_V4);
    for (int q = 0; q < QUEUES; q++) {
        char name[TUN_DEVICE_NAME_MAX];
        assert_int_equal(tun_device_name(fds[q], name), 0);
        assert_string_equal(name, "braid0");
        assert_int_equal(link_tun_create(&test_env, fds[q], 1500, &queues[q]), 0);
    }
}

static void a_flow_keeps_to_the_queue_that_last_answered_it(void **state) {
    struct link *queues[QUEUES];
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons(5000)};
    struct sockaddr_storage to;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    unsigned used[QUEUES] = {0};
    (void)state;
    open_queues(queues);
    assert_int_equal(inet_pton(AF_INET, KERNEL_V4, &from.sin_addr), 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
    for (uint16_t flow = 0; flow < FLOWS; flow++) {
        uint16_t port = (uint16_t)(7000 + flow);
        socklen_t length = socket_address(OURS_V4, port, &to);
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, length), 1);
        int first = queue_of_datagram(queues, port), other = (first + 1) % QUEUES;
        used[first]++;
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, length), 1);
        assert_int_equal(queue_of_datagram(queues, port), first);
        send_datagram(queues[other], port, 5000);
        assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, length), 1);
        assert_int_equal(queue_of_datagram(queues, port), other);
    }
    for (int q = 0; q < QUEUES; q++) assert_true(used[q] > 0); /* by chance not so once in three million */
    close(fd);
    for (int q = 0; q < QUEUES; q++) link_close(queues[q]);
}

static void queues_that_cannot_be_had_leave_nothing_open(void **state) {
    int fds[300], before = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void)state;
    close(before);
    assert_int_equal(tun_device_create_queues("/dev/net/tun", "braid%d", 0, fds), -EINVAL);
    assert_int_equal(tun_device_create_queues("/dev/net/tun", "a-name-of-16-chr", 2, fds), -EINVAL);
    assert_int_equal(tun_device_create_queues("/dev/net/tun", "braid%d", 300, fds), -E2BIG);
    assert_int_equal(if_nametoindex("braid0"), 0);
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, before);
    close(after);
}

static void a_missing_device_path_is_named(void **state) {
    (void)state;
    int fd = -1;
    assert_int_equal(tun_device_create("/dev/net/nowhere", "braid0", &fd), -ENOENT);
    assert_int_equal(tun_device_create("/dev/net/tun", "a-name-of-16-chr", &fd), -EINVAL);
    assert_int_equal(fd, -1);
}

int main(void) {
    if (!test_become_root() || !test_can_make_tun()) return 0;
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_fresh_network, test_nothing_leaked)
    const struct CMUnitTest tests[] = {
        TEST(the_kernels_super_segments_come_in_whole_v4),
        TEST(the_kernels_super_segments_come_in_whole_v6),
        TEST(the_kernel_takes_our_super_segments_v4),
        TEST(the_kernel_takes_our_super_segments_v6),
        TEST(a_datagram_comes_in_whole),
        TEST(a_large_packet_may_be_kept_and_a_small_one_is_not_offered),
        TEST(a_device_that_is_down_loses_packets_and_counts_them),
        TEST(nothing_waiting_is_no_error),
        TEST(a_flow_keeps_to_the_queue_that_last_answered_it),
        TEST(queues_that_cannot_be_had_leave_nothing_open),
        TEST(a_missing_device_path_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
