/* An AF_PACKET link on an interface whose wire is in the test's hand: a TAP for Ethernet, a TUN for raw IP.
 */
#define _GNU_SOURCE
#include "test_packets.h"

#include <linux/capability.h>
#include <link/link_af_packet.h>
#include <net/ethernet.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define US_V4 "10.8.0.1"
#define PEER_V4 "10.8.0.2"
#define US_V6 "fd08::1"
#define PEER_V6 "fd08::2"
#define PORT_FIRST 20000
#define PORT_LAST 20999

static const uint8_t peer_mac[6] = {2, 0, 0, 0, 0, 9};

/* ---- the link under test, and its next hops ---- */

static enum link_next_hop_state next_hop_state;
static int next_hop_questions;

static enum link_next_hop_state resolve(void *context, const struct ip_address *source,
                                        const struct ip_address *destination, uint8_t mac[6]) {
    (void)context;
    char text[IP_ADDRESS_TEXT_MAX];
    assert_string_equal(ip_address_format(source, text), source->family == IP_V4 ? US_V4 : US_V6);
    assert_string_equal(ip_address_format(destination, text), source->family == IP_V4 ? PEER_V4 : PEER_V6);
    next_hop_questions++;
    memcpy(mac, peer_mac, 6);
    return next_hop_state;
}

static const struct link_af_packet_options options = {
    .interface = "wan0", .port_first = PORT_FIRST, .port_last = PORT_LAST, .next_hop = {NULL, resolve}};

struct wire {
    int fd;
    bool ethernet;
    struct link *link;
    uint8_t our_mac[6];
};

static struct wire open_wire(int flags, unsigned offloads) {
    struct wire wire = {.fd = test_wire_create("wan0", flags, offloads), .ethernet = flags == IFF_TAP};
    test_link_set("wan0", true);
    struct ifreq request = test_request("wan0");
    test_control(SIOCGIFHWADDR, &request);
    memcpy(wire.our_mac, request.ifr_hwaddr.sa_data, 6);
    next_hop_state = LINK_NEXT_HOP_KNOWN;
    next_hop_questions = 0;
    assert_int_equal(link_af_packet_open(&test_env, &options, &wire.link), 0);
    return wire;
}

static void close_wire(struct wire *wire) {
    link_close(wire->link);
    close(wire->fd);
}

/* ---- the wire's side ---- */

struct frame {
    struct virtio_net_hdr virtio;
    uint8_t bytes[66000]; /* Ethernet header first, if there is one */
    uint32_t length;
};

static void put_frame(const struct wire *wire, const struct virtio_net_hdr *virtio, const uint8_t *mac,
                      uint16_t vlan, const uint8_t *ip, uint32_t length) {
    static uint8_t frame[66000];
    uint32_t at = sizeof(*virtio);
    memcpy(frame, virtio, sizeof(*virtio));
    if (wire->ethernet) {
        memcpy(frame + at, mac, 6);
        memcpy(frame + at + 6, peer_mac, 6);
        at += 12;
        if (vlan != 0) {
            const uint8_t tag[4] = {0x81, 0x00, (uint8_t)(vlan >> 8), (uint8_t)vlan};
            memcpy(frame + at, tag, 4);
            at += 4;
        }
        uint16_t type = htons(ip[0] >> 4 == 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
        memcpy(frame + at, &type, 2);
        at += 2;
    }
    memcpy(frame + at, ip, length);
    assert_int_equal(write(wire->fd, frame, at + length), at + length);
}

static void put_packet(const struct wire *wire, const uint8_t *ip, uint32_t length) {
    put_frame(wire, &(struct virtio_net_hdr){0}, wire->our_mac, 0, ip, length);
}

static void put_tcp(const struct wire *wire, const struct test_tcp *tcp) {
    uint8_t packet[2000];
    put_packet(wire, packet, test_tcp_packet(tcp, packet, sizeof(packet)));
}

/* The next IP frame the interface sends that is TCP. */
static bool get_tcp_frame(const struct wire *wire, struct frame *frame, int timeout_ms) {
    while (test_readable(wire->fd, timeout_ms)) {
        struct iovec runs[2] = {{&frame->virtio, sizeof(frame->virtio)},
                                {frame->bytes, sizeof(frame->bytes)}};
        ssize_t length = readv(wire->fd, runs, 2);
        if (length < 40) continue;
        frame->length = (uint32_t)length - (uint32_t)sizeof(frame->virtio);
        const uint8_t *ip = frame->bytes + (wire->ethernet ? 14 : 0);
        if ((ip[0] >> 4 == 4 && ip[9] == 6) || (ip[0] >> 4 == 6 && ip[6] == 6)) return true;
    }
    return false;
}

/* ---- what is taken ---- */

/* Whether the link takes what `put` has put on the wire: a marker that is surely taken follows it. */
static bool taken(const struct wire *wire, const uint8_t *ip, uint32_t length, uint16_t vlan,
                  const uint8_t *mac) {
    put_frame(wire, &(struct virtio_net_hdr){0}, mac, vlan, ip, length);
    put_tcp(wire, &(struct test_tcp){PEER_V4, US_V4, 1, PORT_FIRST, 77, 0, TCP_RST});
    int before_marker = 0;
    while (test_readable(link_fd(wire->link), WAIT_MS)) {
        struct braid_packet_in packet;
        if (link_receive(wire->link, &packet, 1) != 1) continue;
        if (packet.length >= 40 && packet.bytes[0] >> 4 == 4 && packet.bytes[9] == 6 &&
            packet.bytes[27] == 77)
            return before_marker == 1;
        before_marker++;
    }
    fail_msg("the marker did not come");
    return false;
}

static bool tcp_taken(const struct wire *wire, const char *from, const char *to, uint16_t port) {
    uint8_t packet[200];
    struct test_tcp tcp = {from, to, 443, port, 1, 1, TCP_ACK};
    return taken(wire, packet, test_tcp_packet(&tcp, packet, sizeof(packet)), 0, wire->our_mac);
}

static void takes_tcp_to_its_ports_and_to_no_others(struct wire *wire) {
    assert_true(tcp_taken(wire, PEER_V4, US_V4, PORT_FIRST));
    assert_true(tcp_taken(wire, PEER_V4, US_V4, PORT_LAST));
    assert_false(tcp_taken(wire, PEER_V4, US_V4, PORT_FIRST - 1));
    assert_false(tcp_taken(wire, PEER_V4, US_V4, PORT_LAST + 1));
    assert_true(tcp_taken(wire, PEER_V6, US_V6, PORT_FIRST));
    assert_true(tcp_taken(wire, PEER_V6, US_V6, PORT_LAST));
    assert_false(tcp_taken(wire, PEER_V6, US_V6, PORT_FIRST - 1));
    assert_false(tcp_taken(wire, PEER_V6, US_V6, PORT_LAST + 1));
}

static void tcp_to_its_ports_and_to_no_others(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    takes_tcp_to_its_ports_and_to_no_others(&wire);
    close_wire(&wire);
}

static void tcp_to_its_ports_and_to_no_others_on_raw_ip(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TUN, 0);
    takes_tcp_to_its_ports_and_to_no_others(&wire);
    close_wire(&wire);
}

static bool error_taken(const struct wire *wire, const char *from, const char *to, uint16_t quoted_port) {
    uint8_t quoted[200], packet[400];
    struct test_tcp tcp = {to, from, quoted_port, 443, 1, 1, TCP_SYN};
    uint32_t quoted_length = test_tcp_packet(&tcp, quoted, sizeof(quoted));
    struct ip_address source = test_ip(from), destination = test_ip(to);
    uint32_t length = icmp_error_encode(ICMP_HOST_UNREACHABLE, &source, &destination, quoted, quoted_length,
                                        packet, sizeof(packet));
    assert_true(length > 0);
    return taken(wire, packet, length, 0, wire->our_mac);
}

static void icmp_errors_about_its_ports_and_no_others(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    assert_true(error_taken(&wire, PEER_V4, US_V4, PORT_FIRST));
    assert_false(error_taken(&wire, PEER_V4, US_V4, PORT_FIRST - 1));
    assert_true(error_taken(&wire, PEER_V6, US_V6, PORT_LAST));
    assert_false(error_taken(&wire, PEER_V6, US_V6, PORT_LAST + 1));
    close_wire(&wire);
}

static void nothing_that_is_not_for_this_host(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    const uint8_t other_mac[6] = {2, 0, 0, 0, 0, 77};
    uint8_t packet[200];
    struct test_tcp tcp = {PEER_V4, US_V4, 443, PORT_FIRST, 1, 1, TCP_ACK};
    uint32_t length = test_tcp_packet(&tcp, packet, sizeof(packet));
    assert_true(taken(&wire, packet, length, 0, wire.our_mac));
    assert_false(taken(&wire, packet, length, 0, other_mac));
    assert_false(taken(&wire, packet, length, 7, wire.our_mac)); /* VLAN 7 */
    assert_true(
        taken(&wire, packet, length, 0x6000, wire.our_mac)); /* VLAN 0 with a priority: not in a VLAN */
    packet[6] = 0x00, packet[7] = 0x05;                      /* a later fragment: no TCP header in it */
    assert_false(taken(&wire, packet, length, 0, wire.our_mac));
    struct ip_address from = test_ip(PEER_V4), to = test_ip(US_V4);
    length = udp_packet_encode(&from, &to, 53, PORT_FIRST, "x", 1, packet, sizeof(packet));
    assert_false(taken(&wire, packet, length, 0, wire.our_mac));
    close_wire(&wire);
}

static void put_super_segment(const struct wire *wire, const uint8_t *packet, uint32_t length) {
    struct virtio_net_hdr virtio = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                    .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                                    .gso_size = 1448,
                                    .hdr_len = 54,
                                    .csum_start = 34,
                                    .csum_offset = 16};
    put_frame(wire, &virtio, wire->our_mac, 0, packet, length);
}

static void a_super_segment_comes_in_whole(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, TEST_OFFLOADS_ALL);
    static uint8_t payload[30000], packet[31000];
    test_fill(payload, sizeof(payload));
    struct test_tcp tcp = {PEER_V4, US_V4, 443, PORT_FIRST, 1, 1, TCP_ACK, 0, payload, sizeof(payload)};
    uint32_t length = test_tcp_packet(&tcp, packet, sizeof(packet));
    put_super_segment(&wire, packet, length);
    assert_true(test_readable(link_fd(wire.link), WAIT_MS));
    struct braid_packet_in in[4];
    assert_int_equal(link_receive(wire.link, in, 4), 1);
    assert_int_equal(in[0].segment_bytes, 1448);
    assert_int_equal(in[0].length, length);
    assert_true(in[0].checksum_verified);
    assert_non_null(in[0].buf);
    assert_memory_equal(in[0].bytes + 40, payload, sizeof(payload));
    close_wire(&wire);
}

/* Numbered from `next` on, with something missing between any two: they stay apart. */
static uint32_t take_super_segments(const struct wire *wire, uint32_t next, int count, int *longest_batch) {
    static uint8_t payload[60000], packet[61000];
    for (int i = 0; i < count; i++) {
        struct test_tcp tcp = {PEER_V4, US_V4, 443, PORT_FIRST, (next + (uint32_t)i) * 100000, 1, TCP_ACK, 0, payload, sizeof(payload)};
        put_super_segment(wire, packet, test_tcp_packet(&tcp, packet, sizeof(packet)));
    }
    struct braid_packet_in in[LINK_BATCH_MAX];
    *longest_batch = 0;
    while (count > 0) {
        struct ip_header ip;
        assert_true(test_readable(link_fd(wire->link), WAIT_MS));
        int got = link_receive(wire->link, in, LINK_BATCH_MAX);
        if (got > *longest_batch) *longest_batch = got;
        for (int i = 0; i < got; i++, next++, count--)
            assert_int_equal(test_decode_tcp(in[i].bytes, in[i].length, true, true, &ip).seq.value, next * 100000);
    }
    return next;
}

/* What comes is read while it is still in the caches, and answered in time. */
static void a_batch_of_super_segments_is_short(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, TEST_OFFLOADS_ALL);
    int longest;
    uint32_t next = take_super_segments(&wire, 0, 2, &longest);
    next = take_super_segments(&wire, next, 20, &longest);
    assert_in_range(longest, 1, LINK_BATCH_BYTES / 60000 + 1);
    put_tcp(&wire, &(struct test_tcp){PEER_V4, US_V4, 443, PORT_FIRST, next * 100000, 1, TCP_ACK});
    struct braid_packet_in in;
    assert_true(test_readable(link_fd(wire.link), WAIT_MS));
    assert_int_equal(link_receive(wire.link, &in, 1), 1);
    close_wire(&wire);
}

static void packets_of_a_batch_come_in_order(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    for (uint32_t i = 0; i < 2 * LINK_BATCH_MAX; i++)
        put_tcp(&wire, &(struct test_tcp){PEER_V4, US_V4, 443, PORT_FIRST, i, 1, TCP_ACK});
    struct braid_packet_in in[100];
    for (uint32_t next = 0; next < 2 * LINK_BATCH_MAX;) {
        assert_true(test_readable(link_fd(wire.link), WAIT_MS));
        int count = link_receive(wire.link, in, 100);
        assert_in_range(count, 1, LINK_BATCH_MAX);
        for (int i = 0; i < count; i++, next++) {
            struct ip_header ip;
            assert_int_equal(test_decode_tcp(in[i].bytes, in[i].length, false, false, &ip).seq.value, next);
        }
    }
    close_wire(&wire);
}

/* ---- what is sent ---- */

static void send_one(struct link *link, const struct test_tcp *tcp, uint16_t segment_bytes) {
    struct braid_packet_out packet = test_tcp_out(tcp, segment_bytes);
    assert_int_equal(link_send(link, &packet, 1), 1);
    assert_int_equal(packet.slice_count, 0);
}

static void sends_with_a_good_checksum(struct wire *wire, const char *from, const char *to) {
    struct test_tcp tcp = {from, to, PORT_FIRST, 443, 5, 6, TCP_ACK, 0, "hello", 5};
    send_one(wire->link, &tcp, 0);
    static struct frame frame;
    assert_true(get_tcp_frame(wire, &frame, WAIT_MS));
    uint32_t offset = 0;
    if (wire->ethernet) {
        assert_memory_equal(frame.bytes, peer_mac, 6);
        assert_memory_equal(frame.bytes + 6, wire->our_mac, 6);
        offset = 14;
    }
    struct ip_header ip;
    struct tcp_segment segment =
        test_decode_tcp(frame.bytes + offset, frame.length - offset, false, false, &ip);
    assert_int_equal(segment.payload_length, 5);
    assert_memory_equal(segment.payload, "hello", 5);
}

static void the_device_gets_frames_to_the_next_hop(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    sends_with_a_good_checksum(&wire, US_V4, PEER_V4);
    sends_with_a_good_checksum(&wire, US_V6, PEER_V6);
    assert_int_equal(wire.link->statistics->packets_out, 2);
    /* What we send does not come back to us. */
    struct braid_packet_in in;
    assert_int_equal(link_receive(wire.link, &in, 1), 0);
    close_wire(&wire);
}

static void a_raw_ip_device_needs_no_next_hop(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TUN, 0);
    sends_with_a_good_checksum(&wire, US_V4, PEER_V4);
    sends_with_a_good_checksum(&wire, US_V6, PEER_V6);
    assert_int_equal(next_hop_questions, 0);
    close_wire(&wire);
}

/* The device takes no super-segments, so the kernel cuts them: each piece must be a good segment. */
static void super_segment_is_cut_right(struct wire *wire, const char *from, const char *to) {
    static uint8_t payload[20000], got[20000];
    test_fill(payload, sizeof(payload));
    struct test_tcp tcp = {from, to, PORT_FIRST, 443, 1000, 6, TCP_ACK, 0, payload, sizeof(payload)};
    send_one(wire->link, &tcp, 1300);
    uint32_t offset = wire->ethernet ? 14 : 0, count = 0;
    for (uint32_t received = 0; received < sizeof(payload); count++) {
        static struct frame frame;
        struct ip_header ip;
        assert_true(get_tcp_frame(wire, &frame, WAIT_MS));
        struct tcp_segment segment =
            test_decode_tcp(frame.bytes + offset, frame.length - offset, false, false, &ip);
        assert_int_equal(segment.seq.value, 1000 + received);
        assert_true(segment.payload_length == 1300 || received + segment.payload_length == sizeof(payload));
        memcpy(got + received, segment.payload, segment.payload_length);
        received += segment.payload_length;
    }
    assert_int_equal(count, (sizeof(payload) + 1299) / 1300);
    assert_memory_equal(got, payload, sizeof(payload));
}

static void a_super_segment_is_cut_for_a_device_that_takes_none(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    super_segment_is_cut_right(&wire, US_V4, PEER_V4);
    super_segment_is_cut_right(&wire, US_V6, PEER_V6);
    close_wire(&wire);
    test_fresh_network(NULL);
    wire = open_wire(IFF_TUN, 0);
    super_segment_is_cut_right(&wire, US_V4, PEER_V4);
    super_segment_is_cut_right(&wire, US_V6, PEER_V6);
    close_wire(&wire);
}

static void a_super_segment_leaves_whole_where_the_device_takes_it(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, TEST_OFFLOADS_ALL);
    static uint8_t payload[60000];
    test_fill(payload, sizeof(payload));
    struct test_tcp tcp = {US_V4, PEER_V4, PORT_FIRST, 443, 1000, 6, TCP_ACK, 0, payload, sizeof(payload)};
    send_one(wire.link, &tcp, 1400);
    static struct frame frame;
    assert_true(get_tcp_frame(&wire, &frame, WAIT_MS));
    assert_int_equal(frame.length, 14 + 40 + sizeof(payload));
    assert_int_equal(frame.virtio.gso_size, 1400);
    assert_int_equal(frame.virtio.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_memory_equal(frame.bytes + 54, payload, sizeof(payload));
    assert_int_equal(wire.link->statistics->super_segments_out, 1);
    close_wire(&wire);
}

/* ---- next hops that take their time ---- */

static void packets_wait_in_order_for_their_next_hop(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    next_hop_state = LINK_NEXT_HOP_PENDING;
    for (uint32_t i = 0; i < 3; i++)
        send_one(wire.link, &(struct test_tcp){US_V4, PEER_V4, PORT_FIRST, 443, i, 0, TCP_SYN, 0, "xy", 2},
                 0);
    link_af_packet_next_hop_changed(wire.link); /* still pending */
    static struct frame frame;
    assert_false(get_tcp_frame(&wire, &frame, 0));
    next_hop_state = LINK_NEXT_HOP_KNOWN;
    link_af_packet_next_hop_changed(wire.link);
    for (uint32_t i = 0; i < 3; i++) {
        struct ip_header ip;
        assert_true(get_tcp_frame(&wire, &frame, WAIT_MS));
        assert_int_equal(test_decode_tcp(frame.bytes + 14, frame.length - 14, false, false, &ip).seq.value,
                         i);
    }
    close_wire(&wire);
}

static void packets_to_an_unreachable_next_hop_are_dropped_and_counted(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    struct test_tcp tcp = {US_V4, PEER_V4, PORT_FIRST, 443, 1, 0, TCP_SYN, 0, "xy", 2};
    next_hop_state = LINK_NEXT_HOP_PENDING;
    send_one(wire.link, &tcp, 0);
    next_hop_state = LINK_NEXT_HOP_UNREACHABLE;
    link_af_packet_next_hop_changed(wire.link);
    assert_int_equal(wire.link->statistics->dropped_unresolved, 1);
    send_one(wire.link, &tcp, 0);
    assert_int_equal(wire.link->statistics->dropped_unresolved, 2);
    static struct frame frame;
    assert_false(get_tcp_frame(&wire, &frame, 0));
    close_wire(&wire);
}

static void waiting_packets_are_bounded_and_freed(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    next_hop_state = LINK_NEXT_HOP_PENDING;
    for (int i = 0; i < 1000; i++)
        send_one(wire.link, &(struct test_tcp){US_V4, PEER_V4, PORT_FIRST, 443, 1, 0, TCP_SYN, 0, "xy", 2},
                 0);
    assert_in_range(wire.link->statistics->dropped_unresolved, 900, 999);
    close_wire(&wire); /* the teardown finds what is not freed */
}

/* ---- the interface changes ---- */

static void down_and_up_again_keeps_the_link(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    struct test_tcp tcp = {US_V4, PEER_V4, PORT_FIRST, 443, 1, 0, TCP_SYN, 0, "xy", 2};
    struct braid_packet_in in;
    test_link_set("wan0", false);
    send_one(wire.link, &tcp, 0);
    assert_int_equal(wire.link->statistics->dropped_out, 1);
    assert_int_equal(link_receive(wire.link, &in, 1), 0);
    test_link_set("wan0", true);
    sends_with_a_good_checksum(&wire, US_V4, PEER_V4);
    assert_true(tcp_taken(&wire, PEER_V4, US_V4, PORT_FIRST));
    close_wire(&wire);
}

static void an_interface_that_is_down_can_be_opened(void **state) {
    (void)state;
    struct wire wire = {.fd = test_wire_create("wan0", IFF_TAP, 0), .ethernet = true};
    struct ifreq request = test_request("wan0");
    test_control(SIOCGIFHWADDR, &request);
    memcpy(wire.our_mac, request.ifr_hwaddr.sa_data, 6);
    assert_int_equal(link_af_packet_open(&test_env, &options, &wire.link), 0);
    test_link_set("wan0", true);
    assert_true(tcp_taken(&wire, PEER_V4, US_V4, PORT_FIRST));
    close_wire(&wire);
}

static void a_removed_interface_is_told(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    close(wire.fd);
    struct braid_packet_in in;
    assert_int_equal(link_receive(wire.link, &in, 1), -ENODEV);
    struct braid_packet_out packet =
        test_tcp_out(&(struct test_tcp){US_V4, PEER_V4, PORT_FIRST, 443, 1, 0, TCP_SYN, 0, "xy", 2}, 0);
    assert_int_equal(link_send(wire.link, &packet, 1), -ENODEV);
    assert_int_equal(packet.slice_count, 2); /* not taken: still ours */
    braid_packet_out_release(&packet);
    link_close(wire.link);
}

static void a_changed_mtu_is_learnt(void **state) {
    (void)state;
    struct wire wire = open_wire(IFF_TAP, 0);
    assert_int_equal(wire.link->capabilities->mtu, 1500);
    test_link_set_mtu("wan0", 1280);
    link_af_packet_refresh(wire.link);
    assert_int_equal(wire.link->capabilities->mtu, 1280);
    close_wire(&wire);
}

static void errors_say_what_is_wrong(void **state) {
    (void)state;
    struct link *link = NULL;
    assert_int_equal(link_af_packet_open(&test_env, &options, &link), -ENODEV);
    struct link_af_packet_options loopback = options;
    loopback.interface = "lo";
    assert_int_equal(link_af_packet_open(&test_env, &loopback, &link), -EPFNOSUPPORT);

    int fd = test_wire_create("wan0", IFF_TAP, 0);
    pid_t child = fork();
    if (child == 0) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct none[2] = {0};
        if (syscall(SYS_capset, &header, none) != 0) _exit(9);
        _exit(-link_af_packet_open(&test_env, &options, &link));
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EPERM);
    close(fd);
}

/* ---- receive coalescing ---- */

#define PIECE_BYTES 1000

static uint8_t stream[8 * PIECE_BYTES];

static struct test_tcp piece(const char *from, const char *to, unsigned index) {
    return (struct test_tcp){from,    to, 443, PORT_FIRST, 5000 + index * PIECE_BYTES, 9, TCP_ACK, 0, stream + index * PIECE_BYTES,
                             PIECE_BYTES};
}

/* All that has been put on the wire, taken at once. */
static int take_all(const struct wire *wire, struct braid_packet_in *packets) {
    assert_true(test_readable(link_fd(wire->link), WAIT_MS));
    return link_receive(wire->link, packets, LINK_BATCH_MAX);
}

static void segments_that_follow_each_other_are_one(const char *from, const char *to) {
    struct wire wire = open_wire(IFF_TAP, 0);
    struct braid_packet_in packets[LINK_BATCH_MAX];
    struct ip_header ip;
    test_fill(stream, sizeof(stream));
    for (unsigned i = 0; i < 8; i++) {
        struct test_tcp tcp = piece(from, to, i);
        if (i == 7) {
            tcp.flags |= TCP_PSH;
            tcp.payload_length = 10;
        }
        put_tcp(&wire, &tcp);
    }
    assert_int_equal(take_all(&wire, packets), 1);
    struct tcp_segment segment = test_decode_tcp(packets[0].bytes, packets[0].length, true, true, &ip);
    assert_int_equal(packets[0].segment_bytes, PIECE_BYTES);
    assert_true(packets[0].checksum_verified);
    assert_int_equal(segment.seq.value, 5000);
    assert_int_equal(segment.flags, TCP_ACK | TCP_PSH);
    assert_int_equal(segment.payload_length, 7 * PIECE_BYTES + 10);
    assert_memory_equal(segment.payload, stream, segment.payload_length);
    assert_int_equal(wire.link->statistics->packets_in, 8);
    close_wire(&wire);
}

static void ipv4_segments_that_arrive_together_become_one_super_segment(void **state) {
    (void)state;
    segments_that_follow_each_other_are_one(PEER_V4, US_V4);
}

static void ipv6_segments_that_arrive_together_become_one_super_segment(void **state) {
    (void)state;
    segments_that_follow_each_other_are_one(PEER_V6, US_V6);
}

/* More than the link takes from the kernel by one call, with a packet of another conversation between. */
static void a_long_train_of_segments_becomes_few_super_segments(void **state) {
    enum { PIECES = 120, STRANGER = 40 };
    static uint8_t train[PIECES * PIECE_BYTES];
    struct wire wire = open_wire(IFF_TAP, 0);
    struct braid_packet_in packets[LINK_BATCH_MAX];
    struct ip_header ip;
    uint32_t got = 0;
    (void)state;
    test_fill(train, sizeof(train));
    for (unsigned i = 0; i < PIECES; i++) {
        struct test_tcp tcp = piece(PEER_V4, US_V4, 0), other = tcp;
        tcp.seq = 5000 + i * PIECE_BYTES;
        tcp.payload = train + i * PIECE_BYTES;
        other.source_port = 444;
        put_tcp(&wire, &tcp);
        if (i == STRANGER) put_tcp(&wire, &other);
    }
    int count = take_all(&wire, packets);
    assert_int_equal(count, 4); /* up to the stranger, it, and the rest, of which 64 KB are one */
    for (int i = 0; i < count; i++) {
        struct tcp_segment segment = test_decode_tcp(packets[i].bytes, packets[i].length, true, true, &ip);
        if (segment.source_port == 444) continue;
        assert_int_equal(segment.seq.value, 5000 + got);
        assert_memory_equal(segment.payload, train + got, segment.payload_length);
        got += segment.payload_length;
    }
    assert_int_equal(got, sizeof(train));
    assert_int_equal(wire.link->statistics->packets_in, PIECES + 1);
    close_wire(&wire);
}

/* Two segments of which the second is changed by one byte of the packet, its checksums made right again or not. */
static int packets_when_changed(uint32_t at, uint8_t to, bool right) {
    struct wire wire = open_wire(IFF_TAP, 0);
    struct braid_packet_in packets[LINK_BATCH_MAX];
    struct test_tcp first = piece(PEER_V4, US_V4, 0), second = piece(PEER_V4, US_V4, 1);
    uint8_t bytes[2000];
    uint32_t length = test_tcp_packet(&second, bytes, sizeof(bytes));
    bytes[at] = to;
    if (right) {
        struct ip_address source = ip_address_v4(bytes + 12), destination = ip_address_v4(bytes + 16);
        bytes[10] = bytes[11] = bytes[36] = bytes[37] = 0;
        uint16_t sum = checksum_finish(checksum_sum(bytes, 20));
        bytes[10] = (uint8_t)(sum >> 8);
        bytes[11] = (uint8_t)sum;
        tcp_checksum_set(bytes + 20, checksum_finish(checksum_sum(bytes + 20, length - 20) +
                                                     checksum_pseudo_header(&source, &destination, IP_PROTOCOL_TCP, length - 20)));
    }
    put_tcp(&wire, &first);
    put_packet(&wire, bytes, length);
    int count = take_all(&wire, packets);
    assert_int_equal(packets[0].segment_bytes, count == 1 ? PIECE_BYTES : 0);
    close_wire(&wire);
    return count;
}

static void segments_that_say_something_else_stay_apart(void **state) {
    (void)state;
    enum { TOS = 1, TTL = 8, SOURCE_PORT = 21, SEQ = 27, ACK = 31, FLAGS = 33, WINDOW = 35, PAYLOAD = 40 };
    assert_int_equal(packets_when_changed(PAYLOAD, 1, true), 1);
    assert_int_equal(packets_when_changed(TOS, 3, true), 2); /* congestion was experienced */
    assert_int_equal(packets_when_changed(TTL, 3, true), 2);
    assert_int_equal(packets_when_changed(SOURCE_PORT, 3, true), 2);
    assert_int_equal(packets_when_changed(SEQ, 3, true), 2);
    assert_int_equal(packets_when_changed(ACK, 3, true), 2);
    assert_int_equal(packets_when_changed(WINDOW, 3, true), 2);
    assert_int_equal(packets_when_changed(FLAGS, TCP_ACK | TCP_FIN, true), 2);
    assert_int_equal(packets_when_changed(FLAGS, TCP_ACK | TCP_URG, true), 2);
}

static void a_segment_whose_checksum_is_wrong_stays_apart(void **state) {
    (void)state;
    enum { IDENTIFICATION = 4, PAYLOAD = 40 };
    assert_int_equal(packets_when_changed(PAYLOAD, 77, false), 2);
    assert_int_equal(packets_when_changed(IDENTIFICATION, 77, false), 2); /* IP's */
}

int main(void) {
    if (!test_become_root() || !test_can_make_tun()) return 0;
#define TEST(name) cmocka_unit_test_setup_teardown(name, test_fresh_network, test_nothing_leaked)
    const struct CMUnitTest tests[] = {
        TEST(ipv4_segments_that_arrive_together_become_one_super_segment),
        TEST(ipv6_segments_that_arrive_together_become_one_super_segment),
        TEST(a_long_train_of_segments_becomes_few_super_segments),
        TEST(segments_that_say_something_else_stay_apart),
        TEST(a_segment_whose_checksum_is_wrong_stays_apart),
        TEST(tcp_to_its_ports_and_to_no_others),
        TEST(tcp_to_its_ports_and_to_no_others_on_raw_ip),
        TEST(icmp_errors_about_its_ports_and_no_others),
        TEST(nothing_that_is_not_for_this_host),
        TEST(a_super_segment_comes_in_whole),
        TEST(a_batch_of_super_segments_is_short),
        TEST(packets_of_a_batch_come_in_order),
        TEST(the_device_gets_frames_to_the_next_hop),
        TEST(a_raw_ip_device_needs_no_next_hop),
        TEST(a_super_segment_is_cut_for_a_device_that_takes_none),
        TEST(a_super_segment_leaves_whole_where_the_device_takes_it),
        TEST(packets_wait_in_order_for_their_next_hop),
        TEST(packets_to_an_unreachable_next_hop_are_dropped_and_counted),
        TEST(waiting_packets_are_bounded_and_freed),
        TEST(down_and_up_again_keeps_the_link),
        TEST(an_interface_that_is_down_can_be_opened),
        TEST(a_removed_interface_is_told),
        TEST(a_changed_mtu_is_learnt),
        TEST(errors_say_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
