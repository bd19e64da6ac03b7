#define _GNU_SOURCE
/* TCP in UDP against sockets that know nothing of it, and against itself. */
#include "test_packets.h"

#include <base/prng.h>
#include <link/link_udp.h>
#include <wire/icmp.h>
#include <netinet/in.h>
#include <netinet/ip.h>

#define LOCAL_V4 "127.0.0.1"
#define LOCAL_V6 "::1"
#define OUR_PORT 40000
#define PEER_PORT 443
#define HEADER_BYTES 12 /* behind UDP's, without options */

static int fresh(void **state) {
    int error = test_fresh_network(state);
    if (error == 0) test_link_set("lo", true);
    return error;
}

static struct link *open_link(const char *local, uint16_t first, uint16_t last) {
    struct link *link = NULL;
    struct link_udp_options options = {.local = test_ip(local), .port_first = first, .port_last = last};
    assert_int_equal(link_udp_open(&test_env, &options, &link), 0);
    return link;
}

/* Somebody else's socket at LOCAL_V4 : PEER_PORT. */
static int open_socket(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PEER_PORT)};
    assert_int_equal(inet_pton(AF_INET, LOCAL_V4, &address.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_raw(int fd, uint16_t port, const void *bytes, size_t length) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    assert_int_equal(inet_pton(AF_INET, LOCAL_V4, &to.sin_addr), 1);
    assert_int_equal(sendto(fd, bytes, length, 0, (struct sockaddr *)&to, sizeof(to)), length);
}

static void send_tcp(struct link *link, const struct test_tcp *tcp, uint16_t segment_bytes) {
    struct braid_packet_out packet = test_tcp_out(tcp, segment_bytes);
    assert_int_equal(link_send(link, &packet, 1), 1);
    assert_int_equal(packet.slice_count, 0);
}

static size_t receive_all(struct link *link, struct braid_packet_in *packets, size_t max) {
    assert_true(test_readable(link_fd(link), WAIT_MS));
    int got = link_receive(link, packets, max);
    assert_true(got >= 0);
    return (size_t)got;
}

/* seq 0x01020304, ack 0x11121314, ACK, window 0xabcd, as the format has it. */
static const uint8_t by_hand[] = {0x50, 0x10, 0xab, 0xcd, 0x01, 0x02, 0x03, 0x04, 0x11, 0x12, 0x13, 0x14, 'h', 'e', 'l', 'l', 'o'};

static void a_datagram_made_by_hand_is_a_tcp_packet(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    int fd = open_socket();
    struct braid_packet_in packet;
    struct ip_header ip;
    send_raw(fd, OUR_PORT, by_hand, sizeof(by_hand));
    assert_int_equal(receive_all(link, &packet, 1), 1);
    assert_true(packet.checksum_verified); /* UDP's was looked at */
    struct tcp_segment segment = test_decode_tcp(packet.bytes, packet.length, false, true, &ip);
    assert_int_equal(segment.source_port, PEER_PORT);
    assert_int_equal(segment.destination_port, OUR_PORT);
    assert_int_equal(segment.seq.value, 0x01020304);
    assert_int_equal(segment.ack.value, 0x11121314);
    assert_int_equal(segment.flags, TCP_ACK);
    assert_int_equal(segment.window, 0xabcd);
    assert_int_equal(segment.payload_length, 5);
    assert_memory_equal(segment.payload, "hello", 5);
    close(fd);
    link_close(link);
}

static void our_packet_is_what_the_format_says(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    int fd = open_socket();
    uint8_t got[100];
    struct sockaddr_in from;
    socklen_t from_length = sizeof(from);
    send_tcp(link, &(struct test_tcp){LOCAL_V4, LOCAL_V4, OUR_PORT, PEER_PORT, 0x01020304, 0x11121314, TCP_ACK, 0, "hello", 5}, 0);
    assert_true(test_readable(fd, WAIT_MS));
    assert_int_equal(recvfrom(fd, got, sizeof(got), 0, (struct sockaddr *)&from, &from_length), sizeof(by_hand));
    uint8_t expected[sizeof(by_hand)];
    memcpy(expected, by_hand, sizeof(expected));
    expected[2] = expected[3] = 0xff; /* the window of such a test's packet */
    assert_memory_equal(got, expected, sizeof(expected));
    assert_int_equal(ntohs(from.sin_port), OUR_PORT);
    close(fd);
    link_close(link);
}

/* What a peer without any of our offloads sees of a super-segment. */
static void a_super_segment_leaves_as_segments(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    int fd = open_socket();
    static uint8_t payload[100000], got[2000];
    uint32_t length = 60000 - 123, at = 0;
    test_fill(payload, sizeof(payload));
    send_tcp(link,
             &(struct test_tcp){LOCAL_V4, LOCAL_V4, OUR_PORT, PEER_PORT, 0xffffff00, 7, TCP_ACK | TCP_PSH | TCP_FIN, 0, payload,
                                length},
             1000);
    while (at < length) {
        uint32_t part = length - at < 1000 ? length - at : 1000;
        assert_true(test_readable(fd, WAIT_MS));
        assert_int_equal(recv(fd, got, sizeof(got), 0), HEADER_BYTES + part);
        uint32_t seq = (uint32_t)got[4] << 24 | (uint32_t)got[5] << 16 | (uint32_t)got[6] << 8 | got[7];
        assert_int_equal(seq, (uint32_t)(UINT64_C(0xffffff00) + at));
        assert_int_equal(got[1], at + part == length ? TCP_ACK | TCP_PSH | TCP_FIN : TCP_ACK);
        assert_memory_equal(got + HEADER_BYTES, payload + at, part);
        at += part;
    }
    assert_int_equal(link->statistics->super_segments_out, 1);
    close(fd);
    link_close(link);
}

static void super_segments_pass_whole(const char *local) {
    struct link *a = open_link(local, OUR_PORT, OUR_PORT), *b = open_link(local, PEER_PORT, PEER_PORT);
    static uint8_t payload[60000];
    uint32_t payload_bytes = a->capabilities->super_segment_bytes - BRAID_PACKET_HEADER_MAX;
    struct braid_packet_in packet;
    struct ip_header ip;
    assert_in_range(payload_bytes, 50000, sizeof(payload) + 3000);
    test_fill(payload, sizeof(payload));
    for (uint32_t length = sizeof(payload); length > 20000; length -= 7777) {
        send_tcp(a, &(struct test_tcp){local, local, OUR_PORT, PEER_PORT, 1000, 7, TCP_ACK | TCP_PSH, 0, payload, length}, 1400);
        assert_int_equal(receive_all(b, &packet, 1), 1);
        assert_int_equal(packet.segment_bytes, 1400);
        assert_non_null(packet.buf);
        struct tcp_segment segment = test_decode_tcp(packet.bytes, packet.length, true, true, &ip);
        assert_int_equal(segment.seq.value, 1000);
        assert_int_equal(segment.flags, TCP_ACK | TCP_PSH);
        assert_int_equal(segment.payload_length, length);
        assert_memory_equal(segment.payload, payload, length);
    }
    assert_int_equal(link_receive(b, &packet, 1), 0);
    link_close(a);
    link_close(b);
}

static void super_segments_pass_whole_v4(void **state) {
    (void)state;
    super_segments_pass_whole(LOCAL_V4);
}

static void super_segments_pass_whole_v6(void **state) {
    (void)state;
    super_segments_pass_whole(LOCAL_V6);
}

/* So that the program reads it, and the sender hears of it, while it is in the cache. What is left shows in the descriptor. */
static void what_has_piled_up_is_received_in_parts(void **state) {
    enum { SENT = 10, BYTES = 60000 };
    struct link *a = open_link(LOCAL_V4, OUR_PORT, OUR_PORT), *b = open_link(LOCAL_V4, PEER_PORT, PEER_PORT);
    static uint8_t payload[BYTES];
    struct braid_packet_in packets[LINK_BATCH_MAX];
    struct test_tcp tcp = {LOCAL_V4, LOCAL_V4, OUR_PORT, PEER_PORT, 0, 7, TCP_ACK, 0, payload, BYTES};
    (void)state;
    for (uint32_t i = 0; i < SENT; i++, tcp.seq += BYTES) send_tcp(a, &tcp, 1400);
    size_t part = receive_all(b, packets, LINK_BATCH_MAX), all = part;
    assert_in_range(part, 1, SENT / 2);
    while (all < SENT) {
        part = receive_all(b, packets, LINK_BATCH_MAX);
        assert_in_range(part, 1, SENT / 2);
        all += part;
    }
    assert_int_equal(all, SENT);
    assert_int_equal(link_receive(b, packets, 1), 0);
    link_close(a);
    link_close(b);
}

/* UDP's coalescing asks only for addresses and lengths: what TCP would not have coalesced comes apart again. */
static void datagrams_that_do_not_follow_each_other_stay_packets(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    int fd = open_socket();
    enum { COUNT = 50 };
    uint8_t bytes[COUNT * sizeof(by_hand)];
    struct braid_packet_in packets[LINK_BATCH_MAX];
    struct ip_header ip;
    for (unsigned i = 0; i < COUNT; i++) {
        memcpy(bytes + i * sizeof(by_hand), by_hand, sizeof(by_hand));
        bytes[i * sizeof(by_hand) + 7] = (uint8_t)i; /* of the sequence number: they overlap */
    }
    int piece = sizeof(by_hand);
    assert_int_equal(setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &piece, sizeof(piece)), 0);
    send_raw(fd, OUR_PORT, bytes, sizeof(bytes));
    for (unsigned seen = 0; seen < COUNT;) {
        size_t got = receive_all(link, packets, 3);
        if (seen + 3 <= COUNT) assert_int_equal(got, 3); /* those that are left wait for the next call */
        for (size_t i = 0; i < got; i++, seen++) {
            struct tcp_segment segment = test_decode_tcp(packets[i].bytes, packets[i].length, false, true, &ip);
            assert_int_equal(segment.seq.value, 0x01020300 + seen);
            assert_int_equal(packets[i].segment_bytes, 0);
            assert_memory_equal(segment.payload, "hello", 5);
        }
        if (seen == COUNT) assert_int_equal(link_receive(link, packets, 3), 0);
        else if (got == 0) fail_msg("%u of %d came", seen, COUNT);
        /* The socket is empty, the link is not: as its contract says, one asks until less than asked for comes. */
        while (seen < COUNT && !test_readable(link_fd(link), 0)) {
            got = (size_t)link_receive(link, packets, 3);
            assert_true(got > 0);
            for (size_t i = 0; i < got; i++, seen++)
                assert_int_equal(test_decode_tcp(packets[i].bytes, packets[i].length, false, true, &ip).seq.value, 0x01020300 + seen);
        }
    }
    close(fd);
    link_close(link);
}

/* ---- what is coalesced is what was sent ---- */

/* Datagrams of one message, made by hand: of a length and with options that change from message to message, some of them
 * with a hole before them. What comes out, put together, is the same, as super-segments or not. */
struct script {
    struct prng prng;
    uint32_t seq;
    uint8_t bytes[65000];
    uint32_t length, piece, header;
};

static uint8_t byte_at(uint32_t seq) { return (uint8_t)(seq * 31 + (seq >> 8)); }

static uint32_t message_make(struct script *s, bool new_kind) {
    if (new_kind) {
        s->header = prng_below(&s->prng, 2) ? HEADER_BYTES : HEADER_BYTES + 12;
        s->piece = s->header + 1 + (uint32_t)prng_below(&s->prng, 1400);
    }
    uint32_t most = sizeof(s->bytes) / s->piece < 64 ? sizeof(s->bytes) / s->piece : 64, payload = 0;
    uint32_t count = 1 + (uint32_t)prng_below(&s->prng, most);
    s->length = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *at = s->bytes + s->length;
        uint32_t bytes = i + 1 < count ? s->piece : s->header + 1 + (uint32_t)prng_below(&s->prng, s->piece - s->header);
        if (prng_below(&s->prng, 60) == 0) s->seq += 1000;
        memcpy(at, by_hand, HEADER_BYTES);
        memset(at + HEADER_BYTES, 1, s->header - HEADER_BYTES); /* NOPs */
        at[0] = (uint8_t)((s->header + 8) / 4 << 4);
        for (int b = 0; b < 4; b++) at[4 + b] = (uint8_t)(s->seq >> (24 - 8 * b));
        for (uint32_t b = s->header; b < bytes; b++) at[b] = byte_at(s->seq++);
        payload += bytes - s->header;
        s->length += bytes;
    }
    return payload;
}

static void what_is_coalesced_is_what_was_sent(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    int fd = open_socket();
    static struct script script;
    struct braid_packet_in packets[5];
    struct ip_header ip;
    uint32_t seen = 0;
    prng_seed(&script.prng, 11);
    for (int i = 0; i < 400; i++) {
        uint32_t expected = message_make(&script, i % 4 == 0), got_bytes = 0;
        int piece = (int)script.piece;
        assert_int_equal(setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &piece, sizeof(piece)), 0);
        send_raw(fd, OUR_PORT, script.bytes, script.length);
        while (got_bytes < expected) {
            int got = link_receive(link, packets, 5);
            if (got == 0) assert_true(test_readable(link_fd(link), WAIT_MS));
            for (int p = 0; p < got; p++) {
                bool super = packets[p].segment_bytes != 0;
                struct tcp_segment segment = test_decode_tcp(packets[p].bytes, packets[p].length, super, true, &ip);
                assert_true(seq32_ge(segment.seq, seq32_of(seen))); /* in order */
                seen = segment.seq.value + segment.payload_length;
                got_bytes += segment.payload_length;
                if (super) assert_int_equal(packets[p].segment_bytes, script.piece - script.header);
                for (uint32_t b = 0; b < segment.payload_length; b++)
                    if (segment.payload[b] != byte_at(segment.seq.value + b)) fail_msg("message %d, byte %u is wrong", i, b);
            }
        }
        assert_int_equal(got_bytes, expected);
        assert_int_equal(seen, script.seq);
    }
    assert_in_range(link->statistics->super_segments_in, 300, 2000); /* one a message and more, where a hole parts them */
    close(fd);
    link_close(link);
}

static void what_is_no_tcp_is_dropped_and_counted(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    int fd = open_socket();
    struct braid_packet_in packets[4];
    send_raw(fd, OUR_PORT, "no TCP", 6);
    send_raw(fd, OUR_PORT, "", 0);
    send_raw(fd, OUR_PORT, by_hand, sizeof(by_hand));
    assert_int_equal(receive_all(link, packets, 4), 1);
    assert_int_equal(link->statistics->dropped_in, 1);
    close(fd);
    link_close(link);
}

static void marks_of_congestion_pass_both_ways(void **state) {
    (void)state;
    struct link *a = open_link(LOCAL_V4, OUR_PORT, OUR_PORT), *b = open_link(LOCAL_V4, PEER_PORT, PEER_PORT);
    struct test_tcp tcp = {LOCAL_V4, LOCAL_V4, OUR_PORT, PEER_PORT, 1, 2, TCP_ACK, 0, "x", 1};
    struct braid_packet_out out = test_tcp_out(&tcp, 0);
    struct braid_packet_in packet;
    struct ip_header ip;
    out.header[1] = 2; /* ECT(0) */
    assert_int_equal(link_send(a, &out, 1), 1);
    assert_int_equal(receive_all(b, &packet, 1), 1);
    (void)test_decode_tcp(packet.bytes, packet.length, false, true, &ip);
    assert_int_equal(ip.ecn, 2);
    link_close(a);
    link_close(b);
}

static void each_local_port_is_a_socket(void **state) {
    (void)state;
    struct link *a = open_link(LOCAL_V4, OUR_PORT, OUR_PORT + 9), *b = open_link(LOCAL_V4, PEER_PORT, PEER_PORT);
    struct braid_packet_in packets[16];
    struct ip_header ip;
    for (uint16_t i = 0; i < 11; i++) /* the last is not ours */
        send_tcp(a, &(struct test_tcp){LOCAL_V4, LOCAL_V4, (uint16_t)(OUR_PORT + i), PEER_PORT, i, 2, TCP_ACK, 0, "x", 1}, 0);
    assert_int_equal(a->statistics->dropped_out, 1);
    assert_int_equal(receive_all(b, packets, 16), 10);
    for (uint16_t i = 0; i < 10; i++) {
        struct tcp_segment segment = test_decode_tcp(packets[i].bytes, packets[i].length, false, true, &ip);
        assert_int_equal(segment.source_port, OUR_PORT + i);
        send_tcp(b, &(struct test_tcp){LOCAL_V4, LOCAL_V4, PEER_PORT, segment.source_port, i, 2, TCP_ACK, 0, "y", 1}, 0);
    }
    assert_int_equal(receive_all(a, packets, 16), 10);
    assert_false(test_readable(link_fd(a), 0));
    link_close(a);
    link_close(b);
}

/* Something waits, be it an error. */
static bool something_waits(struct link *link, int timeout_ms) {
    struct pollfd poll_fd = {.fd = link_fd(link), .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* An error about what was sent as `tcp`, out of the link: its kind, and that it quotes that. */
static enum icmp_error_kind expect_error(struct link *link, const struct test_tcp *tcp) {
    struct braid_packet_in packet;
    struct ip_header ip;
    struct icmp_error error;
    assert_true(something_waits(link, WAIT_MS));
    assert_int_equal(link_receive(link, &packet, 1), 1);
    assert_int_equal(ip_decode(packet.bytes, packet.length, false, &ip), IP_OK);
    assert_true(icmp_error_decode(&ip, packet.bytes + ip.header_length, ip.payload_length, &error));
    assert_int_equal(error.protocol, IP_PROTOCOL_TCP);
    assert_int_equal(error.seq.value, tcp->seq);
    assert_int_equal(error.flow.local_port, tcp->source_port);
    assert_int_equal(error.flow.remote_port, tcp->destination_port);
    return error.kind;
}

static void a_closed_port_is_told(const char *local, uint16_t ports) {
    struct link *link = open_link(local, OUR_PORT, (uint16_t)(OUR_PORT + ports - 1));
    struct braid_packet_in packet;
    struct test_tcp tcp = {local, local, OUR_PORT, PEER_PORT, 0x01020304, 0, TCP_SYN, 0, NULL, 0};
    send_tcp(link, &tcp, 0);
    assert_int_equal(expect_error(link, &tcp), ICMP_PORT_UNREACHABLE);
    assert_int_equal(link_receive(link, &packet, 1), 0);
    assert_false(something_waits(link, 0)); /* the queue is empty again */
    /* An error keeps nothing from going out, to others and in the other order. */
    struct link *peer = open_link(local, PEER_PORT + 1, PEER_PORT + 1);
    send_tcp(link, &tcp, 0);
    assert_true(something_waits(link, WAIT_MS));
    send_tcp(link, &(struct test_tcp){local, local, OUR_PORT, PEER_PORT + 1, 7, 0, TCP_ACK, 0, "x", 1}, 0);
    assert_int_equal(receive_all(peer, &packet, 1), 1);
    assert_int_equal(link->statistics->dropped_out, 0);
    assert_int_equal(expect_error(link, &tcp), ICMP_PORT_UNREACHABLE);
    link_close(peer);
    link_close(link);
}

static void a_closed_port_is_told_as_an_icmp_error_v4(void **state) {
    (void)state;
    a_closed_port_is_told(LOCAL_V4, 1);
    a_closed_port_is_told(LOCAL_V4, 4);
}

static void a_closed_port_is_told_as_an_icmp_error_v6(void **state) {
    (void)state;
    a_closed_port_is_told(LOCAL_V6, 1);
}

/* What a router says of a datagram of ours that begins with the bytes made by hand, of which it quotes so many. */
static void router_says(uint32_t mtu, uint32_t quoted_bytes) {
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct ip_address here = test_ip(LOCAL_V4);
    struct ip_header ip = {.source = here, .destination = here, .protocol = IP_PROTOCOL_UDP, .ttl = 64, .dont_fragment = true,
                           .payload_length = 8 + 1400};
    const uint8_t udp[8] = {OUR_PORT >> 8, OUR_PORT & 255, PEER_PORT >> 8, PEER_PORT & 255, 1408 >> 8, 1408 & 255};
    uint8_t quoted[60], icmp[200];
    uint32_t length = ip_encode(&ip, quoted, sizeof(quoted));
    memcpy(quoted + length, udp, 8);
    memcpy(quoted + length + 8, by_hand, quoted_bytes);
    length = icmp_packet_too_big_encode(mtu, &here, &here, quoted, length + 8 + quoted_bytes, icmp, sizeof(icmp));
    assert_int_equal(inet_pton(AF_INET, LOCAL_V4, &to.sin_addr), 1);
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    assert_int_equal(sendto(fd, icmp + 20, length - 20, 0, (struct sockaddr *)&to, sizeof(to)), length - 20);
    close(fd);
}

static void a_packet_too_big_is_told_with_the_mtu(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT);
    struct braid_packet_in packet;
    struct ip_header ip;
    struct icmp_error error;
    router_says(1280, 8); /* up to the sequence number */
    assert_true(something_waits(link, WAIT_MS));
    assert_int_equal(link_receive(link, &packet, 1), 1);
    assert_int_equal(ip_decode(packet.bytes, packet.length, false, &ip), IP_OK);
    assert_true(icmp_error_decode(&ip, packet.bytes + ip.header_length, ip.payload_length, &error));
    assert_int_equal(error.kind, ICMP_PACKET_TOO_BIG);
    assert_int_equal(error.mtu, 1280);
    assert_int_equal(error.seq.value, 0x01020304);
    assert_int_equal(error.flow.local_port, OUR_PORT);
    assert_int_equal(error.flow.remote_port, PEER_PORT);
    router_says(1280, 7); /* not enough of it to be believed */
    assert_true(something_waits(link, WAIT_MS));
    assert_int_equal(link_receive(link, &packet, 1), 0);
    assert_false(something_waits(link, 0));
    link_close(link);
}

static void many_errors_are_told_one_by_one(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT + 3);
    struct braid_packet_in packets[8];
    size_t told = 0;
    for (uint32_t i = 0; i < 12; i++)
        send_tcp(link, &(struct test_tcp){LOCAL_V4, LOCAL_V4, (uint16_t)(OUR_PORT + i % 4), PEER_PORT, i, 0, TCP_SYN, 0, NULL, 0}, 0);
    while (something_waits(link, told < 12 ? WAIT_MS / 10 : 0)) {
        int got = link_receive(link, packets, 2);
        assert_in_range(got, 0, 2);
        told += (size_t)got;
    }
    assert_in_range(told, 4, 12); /* the kernel says no more than so many in a second */
    link_close(link);
}

static void what_cannot_be_opened_is_told(void **state) {
    (void)state;
    struct link *link = open_link(LOCAL_V4, OUR_PORT, OUR_PORT), *none = NULL;
    struct link_udp_options options = {.local = test_ip(LOCAL_V4), .port_first = OUR_PORT - 1, .port_last = OUR_PORT};
    assert_int_equal(link_udp_open(&test_env, &options, &none), -EADDRINUSE);
    options.port_last = OUR_PORT - 2;
    assert_int_equal(link_udp_open(&test_env, &options, &none), -EINVAL);
    options = (struct link_udp_options){.local = test_ip("192.0.2.1"), .port_first = 1, .port_last = 1};
    assert_int_equal(link_udp_open(&test_env, &options, &none), -EADDRNOTAVAIL);
    assert_null(none);
    link_close(link);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fresh, test_nothing_leaked)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_datagram_made_by_hand_is_a_tcp_packet),
        TEST(our_packet_is_what_the_format_says),
        TEST(a_super_segment_leaves_as_segments),
        TEST(super_segments_pass_whole_v4),
        TEST(super_segments_pass_whole_v6),
        TEST(what_has_piled_up_is_received_in_parts),
        TEST(datagrams_that_do_not_follow_each_other_stay_packets),
        TEST(what_is_coalesced_is_what_was_sent),
        TEST(what_is_no_tcp_is_dropped_and_counted),
        TEST(marks_of_congestion_pass_both_ways),
        TEST(each_local_port_is_a_socket),
        TEST(a_closed_port_is_told_as_an_icmp_error_v4),
        TEST(a_closed_port_is_told_as_an_icmp_error_v6),
        TEST(a_packet_too_big_is_told_with_the_mtu),
        TEST(many_errors_are_told_one_by_one),
        TEST(what_cannot_be_opened_is_told),
    };
    if (!test_become_root()) return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
