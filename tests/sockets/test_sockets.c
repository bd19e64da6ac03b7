/* The socket calls of libbraid_sockets.so, against a peer that is a script of packets. */
#include "sockets_world.h"

#include <linux/mptcp.h>
#include <linux/tcp.h>

#define FD_FIRST 3
#define SOL_MPTCP_HERE 284
#define IPPROTO_MPTCP_HERE 262

static int listening(struct sockets_world *w, int protocol) {
    struct sockaddr_in here = sockaddr_of(0, 1, 80);
    int fd = so.socket(w->net, AF_INET, SOCK_STREAM, protocol);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(so.listen(w->net, fd, 5), 0);
    return fd;
}

/* The peer's handshake; returns the sequence number of our first byte. */
static uint32_t handshake(struct sockets_world *w) {
    say(w, .flags = TCP_SYN, .seq = 1000, .mss = 1460);
    struct tcp_segment s = heard(w);
    while (s.destination_port != w->peer.port) s = heard(w); /* of connections before it */
    assert_int_equal(s.flags, TCP_SYN | TCP_ACK);
    assert_int_equal(s.ack.value, 1001);
    pass(w, 10 * BRAID_NS_PER_MS);
    say(w, .flags = TCP_ACK, .seq = 1001, .ack = s.seq.value + 1);
    return s.seq.value + 1;
}

static int accepted(struct sockets_world *w, uint32_t *seq) {
    int server = listening(w, IPPROTO_TCP);
    *seq = handshake(w);
    int fd = so.accept(w->net, server, NULL, NULL, 0);
    assert_true(fd > server);
    return fd;
}

static void a_handshake_of_literal_bytes_is_answered(void **state) {
    /* 10.0.0.2:5000 > 10.0.0.1:80, SYN, sequence number 1000, window 65535, MSS 1460 */
    static const uint8_t syn[] = {0x45, 0x00, 0x00, 0x2c, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0x26,
                                  0xca, 0x0a, 0x00, 0x00, 0x02, 0x0a, 0x00, 0x00, 0x01, 0x13, 0x88,
                                  0x00, 0x50, 0x00, 0x00, 0x03, 0xe8, 0x00, 0x00, 0x00, 0x00, 0x60,
                                  0x02, 0xff, 0xff, 0x6c, 0x64, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4};
    struct sockets_world *w = world_create(1);
    struct sockaddr_in peer;
    socklen_t length = sizeof(peer);
    (void)state;
    int server = listening(w, IPPROTO_TCP);
    assert_int_equal(server, FD_FIRST);
    assert_int_equal(so.packet_in(w->net, 0, syn, sizeof(syn)), 0);
    struct tcp_segment s = heard(w);
    assert_int_equal(s.flags, TCP_SYN | TCP_ACK);
    assert_int_equal(s.options.mss, 1460);
    so.set_nonblocking(w->net, server, true);
    assert_int_equal(so.accept(w->net, server, NULL, NULL, 0), -EAGAIN);
    say(w, .flags = TCP_ACK, .seq = 1001, .ack = s.seq.value + 1);
    int fd = so.accept(w->net, server, (struct sockaddr *)&peer, &length, 0);
    assert_int_equal(fd, FD_FIRST + 1);
    assert_int_equal(length, sizeof(peer));
    assert_int_equal(ntohs(peer.sin_port), 5000);
    assert_int_equal(ntohl(peer.sin_addr.s_addr), 0x0a000002);
    world_destroy(w);
}

static void data_goes_both_ways(void **state) {
    struct sockets_world *w = world_create(1);
    char bytes[32];
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    assert_int_equal(so.recv(w->net, fd, bytes, sizeof(bytes), MSG_DONTWAIT), -EAGAIN);
    assert_true(so.deadline(w->net) > w->now); /* nothing is left to do for now */
    say(w, .flags = TCP_ACK | TCP_PSH, .seq = 1001, .ack = seq, .data = "question");
    assert_int_equal(so.readable(w->net, fd), 8);
    assert_int_equal(so.read(w->net, fd, bytes, 5), 5);
    struct iovec parts[2] = {{bytes + 5, 1}, {bytes + 6, 20}};
    assert_int_equal(so.readv(w->net, fd, parts, 2), 3);
    assert_memory_equal(bytes, "question", 8);

    struct iovec answer[2] = {{(char[]){"ans"}, 3}, {(char[]){"wer"}, 3}};
    assert_int_equal(so.writev(w->net, fd, answer, 2), 6);
    assert_int_equal(so.unacknowledged(w->net, fd), 6);
    struct tcp_segment s = heard(w);
    while (s.payload_length == 0) s = heard(w); /* the question's acknowledgement */
    assert_int_equal(s.seq.value, seq);
    assert_int_equal(s.ack.value, 1009);
    assert_int_equal(s.payload_length, 6); /* what is written at once leaves at once */
    assert_memory_equal(s.payload, "answer", 6);
    say(w, .flags = TCP_ACK, .seq = 1009, .ack = seq + 6);
    assert_int_equal(so.unacknowledged(w->net, fd), 0);
    world_destroy(w);
}

static void half_close_lets_the_other_direction_go_on(void **state) {
    struct sockets_world *w = world_create(1);
    char bytes[32];
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    assert_int_equal(so.shutdown(w->net, fd, SHUT_WR), 0);
    struct tcp_segment s = heard(w);
    assert_true(s.flags & TCP_FIN);
    assert_int_equal(so.write(w->net, fd, "x", 1), -EPIPE);
    say(w, .flags = TCP_ACK | TCP_PSH, .seq = 1001, .ack = seq + 1, .data = "still");
    assert_int_equal(so.read(w->net, fd, bytes, sizeof(bytes)), 5);
    assert_int_equal(so.recv(w->net, fd, bytes, sizeof(bytes), MSG_DONTWAIT), -EAGAIN);
    say(w, .flags = TCP_ACK | TCP_FIN, .seq = 1006, .ack = seq + 1);
    assert_int_equal(so.read(w->net, fd, bytes, sizeof(bytes)), 0);
    struct tcp_info info;
    socklen_t length = sizeof(info);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_state, 6); /* TIME_WAIT */
    assert_int_equal(so.close(w->net, fd), 0);
    assert_int_equal(so.close(w->net, fd), -EBADF);
    world_destroy(w);
}

static void poll_tells_what_a_descriptor_is_ready_for(void **state) {
    struct sockets_world *w = world_create(1);
    uint32_t seq;
    (void)state;
    int server = listening(w, IPPROTO_TCP);
    struct pollfd fds[3] = {{server, POLLIN, 0}, {99, POLLIN, 0}, {-1, POLLIN, 0}};
    assert_int_equal(so.poll(w->net, fds, 1, 0), 0);
    seq = handshake(w);
    assert_int_equal(so.poll(w->net, fds, 3, 0), 2);
    assert_int_equal(fds[0].revents, POLLIN);
    assert_int_equal(fds[1].revents, POLLNVAL);
    assert_int_equal(fds[2].revents, 0);
    int fd = so.accept(w->net, server, NULL, NULL, SOCK_NONBLOCK);
    struct pollfd one = {fd, POLLIN | POLLOUT, 0};
    assert_int_equal(so.poll(w->net, &one, 1, 0), 1);
    assert_int_equal(one.revents, POLLOUT);
    one.events |= POLLPRI;
    say(w, .flags = TCP_ACK | TCP_URG, .seq = 1001, .ack = seq, .urgent = 2);
    assert_int_equal(so.poll(w->net, &one, 1, 0), 1);
    assert_int_equal(one.revents, POLLOUT | POLLPRI);
    one.events &= (short)~POLLPRI;
    say(w, .flags = TCP_ACK | TCP_FIN, .seq = 1001, .ack = seq, .data = "end");
    assert_int_equal(so.poll(w->net, &one, 1, 0), 1);
    assert_int_equal(one.revents, POLLIN | POLLOUT);
    say(w, .flags = TCP_RST | TCP_ACK, .seq = 1005, .ack = seq);
    assert_int_equal(so.poll(w->net, &one, 1, 0), 1);
    assert_int_equal(one.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
    world_destroy(w);
}

/* Time passes by as much as the caller asks for, and then nothing came. */
static bool only_time(struct sockets_world *w, braid_time until) {
    pass(w, until - w->now);
    return true;
}

static void poll_and_timeouts_end_in_virtual_time(void **state) {
    struct sockets_world *w = world_create(1);
    struct timeval limit = {2, 500000};
    char byte;
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    struct pollfd one = {fd, POLLIN, 0};
    braid_time began = w->now;
    w->meanwhile = only_time;
    assert_int_equal(so.poll(w->net, &one, 1, 1500), 0);
    assert_int_equal(w->now - began, 1500 * BRAID_NS_PER_MS);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    assert_int_equal(so.read(w->net, fd, &byte, 1), -EAGAIN);
    assert_int_equal(w->now - began, 4000 * BRAID_NS_PER_MS);
    world_destroy(w);
}

/* A read blocks; meanwhile the peer sends in two pieces with a second between. */
static bool two_pieces(struct sockets_world *w, braid_time until) {
    (void)until;
    if (w->step == 2) return false;
    pass(w, BRAID_NS_PER_S);
    if (w->step++ == 0)
        say(w, .flags = TCP_ACK, .seq = 1001, .ack = w->seq, .data = "one ");
    else
        say(w, .flags = TCP_ACK | TCP_PSH, .seq = 1005, .ack = w->seq, .data = "two");
    return true;
}

static void a_blocking_read_waits_for_what_the_hook_lets_in(void **state) {
    struct sockets_world *w = world_create(1);
    char bytes[8];
    (void)state;
    int fd = accepted(w, &w->seq);
    braid_time began = w->now;
    w->meanwhile = two_pieces;
    assert_int_equal(so.recv(w->net, fd, bytes, 7, MSG_WAITALL), 7);
    assert_memory_equal(bytes, "one two", 7);
    assert_int_equal(w->now - began, 2 * BRAID_NS_PER_S);
    assert_int_equal(so.read(w->net, fd, bytes, 1), -EAGAIN); /* the hook says that nothing will come */
    world_destroy(w);
}

/* A read blocks; meanwhile its descriptor is closed. */
static bool closes_it(struct sockets_world *w, braid_time until) {
    (void)until;
    assert_int_equal(so.close(w->net, (int)w->step), 0);
    return true;
}

static void a_descriptor_closed_meanwhile_ends_the_call(void **state) {
    struct sockets_world *w = world_create(1);
    char byte;
    (void)state;
    w->step = (unsigned)accepted(w, &w->seq);
    w->meanwhile = closes_it;
    assert_int_equal(so.read(w->net, (int)w->step, &byte, 1), -EBADF);
    world_destroy(w);
}

/* The peer answers our SYN. */
static bool peer_answers(struct sockets_world *w, braid_time until) {
    (void)until;
    if (w->left_count == 0) return false;
    struct tcp_segment s = heard(w);
    assert_int_equal(s.flags, TCP_SYN);
    w->peer.their_port = s.source_port;
    w->peer.port = s.destination_port;
    say(w, .flags = TCP_SYN | TCP_ACK, .seq = 7000, .ack = s.seq.value + 1, .mss = 1000);
    return true;
}
static bool peer_refuses(struct sockets_world *w, braid_time until) {
    (void)until;
    struct tcp_segment s = heard(w);
    w->peer.their_port = s.source_port;
    w->peer.port = s.destination_port;
    say(w, .flags = TCP_RST | TCP_ACK, .ack = s.seq.value + 1);
    return true;
}

static void connect_waits_for_the_answer(void **state) {
    struct sockets_world *w = world_create(1);
    struct sockaddr_in there = sockaddr_of(0, 2, 443), here = sockaddr_of(0, 1, 4321), got;
    socklen_t length = sizeof(got);
    (void)state;
    int fd = so.socket(w->net, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&here, sizeof(here)), 0);
    w->meanwhile = peer_refuses;
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&there, sizeof(there)), -ECONNREFUSED);
    w->meanwhile = peer_answers;
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&there, sizeof(there)), 0);
    assert_int_equal(w->peer.their_port, 4321);
    struct tcp_segment s = heard(w);
    assert_int_equal(s.flags, TCP_ACK);
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&there, sizeof(there)), -EISCONN);
    assert_int_equal(so.getpeername(w->net, fd, (struct sockaddr *)&got, &length), 0);
    assert_int_equal(ntohs(got.sin_port), 443);
    assert_int_equal(so.getsockname(w->net, fd, (struct sockaddr *)&got, &length), 0);
    assert_int_equal(ntohs(got.sin_port), 4321);
    world_destroy(w);
}

static void a_non_blocking_connect_reports_by_poll_and_error(void **state) {
    struct sockets_world *w = world_create(1);
    struct sockaddr_in there = sockaddr_of(0, 2, 443);
    int error;
    socklen_t length = sizeof(error);
    (void)state;
    int fd = so.socket(w->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
    struct pollfd one = {fd, POLLOUT, 0};
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&there, sizeof(there)), -EINPROGRESS);
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&there, sizeof(there)), -EALREADY);
    assert_int_equal(so.poll(w->net, &one, 1, 0), 0);
    assert_true(peer_refuses(w, 0));
    assert_int_equal(so.poll(w->net, &one, 1, 0), 1);
    assert_int_equal(one.revents, POLLOUT | POLLERR | POLLHUP);
    assert_int_equal(so.getsockopt(w->net, fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    assert_int_equal(error, ECONNREFUSED);
    assert_int_equal(so.getsockopt(w->net, fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    assert_int_equal(error, 0);
    world_destroy(w);
}

static void a_reset_is_told_once_after_the_data(void **state) {
    struct sockets_world *w = world_create(1);
    char bytes[8];
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    say(w, .flags = TCP_ACK, .seq = 1001, .ack = seq, .data = "last");
    say(w, .flags = TCP_RST | TCP_ACK, .seq = 1005, .ack = seq);
    assert_int_equal(so.read(w->net, fd, bytes, sizeof(bytes)), 4);
    assert_int_equal(so.read(w->net, fd, bytes, sizeof(bytes)), -ECONNRESET);
    assert_int_equal(so.read(w->net, fd, bytes, sizeof(bytes)), 0);
    assert_int_equal(so.write(w->net, fd, "x", 1), -EPIPE);
    world_destroy(w);
}

static void linger_of_zero_resets(void **state) {
    struct sockets_world *w = world_create(1);
    struct linger linger = {1, 0};
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(so.close(w->net, fd), 0);
    assert_true(heard(w).flags & TCP_RST);
    world_destroy(w);
}

static bool peer_acknowledges(struct sockets_world *w, braid_time until) {
    (void)until;
    if (w->step++ > 0) return false;
    struct tcp_segment s = heard(w);
    pass(w, BRAID_NS_PER_S / 10);
    while (w->left_count > 0)
        s = heard(w);
    uint32_t end = s.seq.value + s.payload_length + (s.flags & TCP_FIN ? 1 : 0);
    say(w, .flags = TCP_ACK, .seq = 1001, .ack = end);
    return true;
}

static void linger_waits_until_what_was_written_has_arrived(void **state) {
    struct sockets_world *w = world_create(1);
    struct linger linger = {1, 3};
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(so.write(w->net, fd, "bye", 3), 3);
    w->meanwhile = peer_acknowledges;
    assert_int_equal(so.close(w->net, fd), 0);
    assert_int_equal(w->step, 1);

    w->peer.port++;
    seq = handshake(w);
    fd = so.accept(w->net, FD_FIRST, NULL, NULL, 0);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    assert_int_equal(so.write(w->net, fd, "bye", 3), 3);
    braid_time began = w->now;
    w->meanwhile = only_time;
    assert_int_equal(so.close(w->net, fd), -EAGAIN);
    assert_int_equal(w->now - began, 3 * BRAID_NS_PER_S);
    world_destroy(w);
}

static void connections_beyond_the_backlog_are_reset(void **state) {
    struct sockets_world *w = world_create(1);
    (void)state;
    int server = listening(w, IPPROTO_TCP);
    assert_int_equal(so.listen(w->net, server, 2), 0);
    for (int i = 0; i < 3; i++) {
        handshake(w);
        if (i == 2)
            assert_true(heard(w).flags & TCP_RST);
        else
            assert_int_equal(w->left_count, 0);
        w->peer.port++;
    }
    assert_true(so.accept(w->net, server, NULL, NULL, 0) > 0);
    assert_true(so.accept(w->net, server, NULL, NULL, 0) > 0);
    assert_int_equal(so.accept(w->net, server, NULL, NULL, 0), -EAGAIN);
    world_destroy(w);
}

static void tcp_info_has_what_tcp_measured(void **state) {
    struct sockets_world *w = world_create(1);
    struct tcp_info info;
    socklen_t length = sizeof(info);
    static char bytes[5000];
    uint32_t seq;
    (void)state;
    int fd = accepted(w, &seq);
    assert_int_equal(so.write(w->net, fd, bytes, sizeof(bytes)), sizeof(bytes));
    pass(w, 80 * BRAID_NS_PER_MS);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(length, sizeof(info));
    assert_int_equal(info.tcpi_state, 1);
    assert_int_equal(info.tcpi_snd_mss, 1460);
    assert_int_equal(info.tcpi_snd_cwnd, 10);
    assert_int_equal(info.tcpi_unacked, 4);
    assert_int_equal(info.tcpi_bytes_sent, 5000);
    assert_int_equal(info.tcpi_bytes_acked, 0);
    assert_int_equal(info.tcpi_options, 0);
    assert_int_equal(info.tcpi_snd_wnd, 65535);
    assert_int_equal(info.tcpi_pmtu, 1500);
    assert_int_equal(info.tcpi_ca_state, 0);
    pass(w, 300 * BRAID_NS_PER_MS); /* the timer: all is lost but what went again */
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_ca_state, 4);
    assert_int_equal(info.tcpi_pmtu, 1280); /* a black hole is suspected, and they are counted in smaller segments */
    assert_int_equal(info.tcpi_unacked, 5);
    assert_int_equal(info.tcpi_lost, 4);
    assert_int_equal(info.tcpi_snd_cwnd, 1);
    say(w, .flags = TCP_ACK, .seq = 1001, .ack = seq + 5000);
    length = 8; /* cut off to what the caller has room for */
    memset(&info, 0xee, sizeof(info));
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(length, 8);
    assert_int_equal(info.tcpi_snd_mss, 0xeeeeeeee);
    length = sizeof(info);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_int_equal(info.tcpi_unacked, 0);
    assert_int_equal(info.tcpi_bytes_acked, 5000);
    assert_in_range(info.tcpi_min_rtt, 1, 80000);
    world_destroy(w);
}

/* 100 bytes, and 100 more while those are on their way. */
static unsigned small_segments(struct sockets_world *w, int fd) {
    static const char bytes[100];
    unsigned count = 0;
    while (w->left_count > 0) (void)heard(w);
    assert_int_equal(so.write(w->net, fd, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(so.write(w->net, fd, bytes, sizeof(bytes)), sizeof(bytes));
    for (; w->left_count > 0; count++) (void)heard(w);
    return count;
}

static void options_hold_for_the_connection_and_pass_from_a_listener(void **state) {
    struct sockets_world *w = world_create(1);
    int on = 1, off = 0, seconds = 30, count = 2, value;
    socklen_t length = sizeof(value);
    (void)state;
    int server = listening(w, IPPROTO_TCP);
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    handshake(w);
    int fd = so.accept(w->net, server, NULL, NULL, 0);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
    assert_int_equal(value, 1);
    assert_int_equal(small_segments(w, fd), 2);
    w->peer.port++;
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_TCP, TCP_NODELAY, &off, sizeof(off)), 0);
    handshake(w);
    fd = so.accept(w->net, server, NULL, NULL, 0);
    assert_int_equal(small_segments(w, fd), 1);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)), 0);
    assert_int_equal(w->left_count, 1); /* what waited goes at once */

    w->peer.port++;
    uint32_t seq = handshake(w);
    fd = so.accept(w->net, server, NULL, NULL, 0);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_KEEPIDLE, &off, sizeof(off)), -EINVAL);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof(seconds)), 0);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof(seconds)), 0);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count)), 0);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
    while (w->left_count > 0) (void)heard(w);
    pass(w, 31 * BRAID_NS_PER_S);
    struct tcp_segment s = heard(w);
    while (s.destination_port != w->peer.port) s = heard(w);
    assert_int_equal(s.seq.value, seq - 1);
    pass(w, 60 * BRAID_NS_PER_S);
    char byte;
    assert_int_equal(so.read(w->net, fd, &byte, 1), -ETIMEDOUT);
    world_destroy(w);
}

/* [MUST-48] [MUST-49] [MUST-28] */
static void the_ip_header_is_set_by_options(void **state) {
    struct sockets_world *w = world_create(1);
    int tos = 0xb9, hops = 5, bad = 256, none = 0, value;
    socklen_t length = sizeof(value);
    struct ip_header ip;
    int link;
    (void)state;
    int server = listening(w, IPPROTO_TCP);
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 0);
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)), 0);
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_IP, IP_TTL, &bad, sizeof(bad)), -EINVAL);
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_IP, IP_TTL, &none, sizeof(none)), -EINVAL);
    assert_int_equal(so.setsockopt(w->net, server, IPPROTO_IP, IP_TOS, &bad, sizeof(bad)), -EINVAL);
    handshake(w);
    int fd = so.accept(w->net, server, NULL, NULL, 0);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_IP, IP_TOS, &value, &length), 0);
    assert_int_equal(value, 0xb8); /* the lower two bits are ECN's */
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_IP, IP_TTL, &value, &length), 0);
    assert_int_equal(value, 5);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_KEEPIDLE, &value, &length), 0);
    assert_int_equal(value, 7200);
    while (w->left_count > 0) (void)heard(w);
    assert_int_equal(so.write(w->net, fd, "x", 1), 1);
    (void)heard_by(w, &link, &ip);
    assert_int_equal(ip.traffic_class, 0xb8 >> 2);
    assert_int_equal(ip.ttl, 5);

    struct sockaddr_in there = sockaddr_of(0, 2, 5001);
    int client = so.socket(w->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP);
    assert_int_equal(so.setsockopt(w->net, client, IPPROTO_IP, IP_TTL, &hops, sizeof(hops)), 0);
    assert_int_equal(so.connect(w->net, client, (struct sockaddr *)&there, sizeof(there)), -EINPROGRESS);
    struct tcp_segment syn = heard_by(w, &link, &ip);
    assert_int_equal(syn.flags & TCP_SYN, TCP_SYN);
    assert_int_equal(ip.ttl, 5);
    world_destroy(w);
}

static void scheduler_and_path_manager_are_chosen_by_name(void **state) {
    static const struct {
        int option;
        const char *first, *other;
    } options[] = {{BRAID_MPTCP_SCHEDULER, "lowest-rtt", "ecf"}, {BRAID_MPTCP_PATH_MANAGER, "fullmesh", "backup"}};
    struct sockets_world *w = world_create(1);
    char name[16];
    (void)state;
    int fd = so.socket(w->net, AF_INET, SOCK_STREAM, IPPROTO_MPTCP_HERE);
    for (unsigned i = 0; i < 2; i++) {
        socklen_t length = sizeof(name), other = (socklen_t)strlen(options[i].other);
        assert_int_equal(so.getsockopt(w->net, fd, SOL_MPTCP_HERE, options[i].option, name, &length), 0);
        assert_string_equal(name, options[i].first);
        assert_int_equal(so.setsockopt(w->net, fd, SOL_MPTCP_HERE, options[i].option, "blue", 4), -ENOENT);
        assert_int_equal(so.setsockopt(w->net, fd, SOL_MPTCP_HERE, options[i].option, options[i].other, other), 0);
        length = sizeof(name);
        assert_int_equal(so.getsockopt(w->net, fd, SOL_MPTCP_HERE, options[i].option, name, &length), 0);
        assert_string_equal(name, options[i].other);
    }
    assert_int_equal(so.setsockopt(w->net, fd, SOL_MPTCP_HERE, 9999, "ecf", 3), -ENOPROTOOPT);
    assert_int_equal(so.listen(w->net, fd, 1), 0);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_MPTCP_HERE, BRAID_MPTCP_SCHEDULER, "ecf", 3), -EISCONN);
    world_destroy(w);
}

static void congestion_control_is_chosen_by_name(void **state) {
    struct sockets_world *w = world_create(1);
    char name[16];
    socklen_t length = sizeof(name);
    (void)state;
    int fd = so.socket(w->net, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    assert_string_equal(name, "cubic");
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_CONGESTION, "vegas", 5), -ENOENT);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), 0);
    length = sizeof(name);
    assert_int_equal(so.getsockopt(w->net, fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    assert_string_equal(name, "bbr");
    assert_int_equal(so.listen(w->net, fd, 1), 0);
    assert_int_equal(so.setsockopt(w->net, fd, IPPROTO_TCP, TCP_CONGESTION, "bbr", 3), -EISCONN);
    world_destroy(w);
}

/* --- Multipath TCP --- */

#define PEER_KEY 0x1122334455667788u

struct mptcp_peer {
    uint64_t our_key, idsn, peer_idsn;
    uint32_t token, seq; /* ours; of our next byte */
};

static struct mptcp_option capable(uint64_t sender, uint64_t receiver) {
    struct mptcp_option o = {.subtype = MPTCP_MP_CAPABLE,
                             .as.mp_capable = {.version = 1, .hmac_sha256 = true, .flags = 1}};
    o.as.mp_capable.has_sender_key = sender != 0;
    o.as.mp_capable.has_receiver_key = receiver != 0;
    o.as.mp_capable.sender_key = sender;
    o.as.mp_capable.receiver_key = receiver;
    return o;
}

/* We connect to the peer with two links; the peer takes MP_CAPABLE. */
static int mptcp_connected(struct sockets_world *w, struct mptcp_peer *m) {
    struct sockaddr_in there = sockaddr_of(0, 2, 443);
    uint32_t peer_token;
    int fd = so.socket(w->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP_HERE);
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&there, sizeof(there)), -EINPROGRESS);
    struct tcp_segment s = heard(w);
    assert_int_equal(peer_mptcp(&s, MPTCP_MP_CAPABLE).as.mp_capable.version, 1);
    w->peer.their_port = s.source_port;
    w->peer.port = 443;
    m->seq = s.seq.value + 1;
    struct mptcp_option ours = capable(PEER_KEY, 0);
    say(w, .flags = TCP_SYN | TCP_ACK, .seq = 7000, .ack = m->seq, .mss = 1460, .mptcp = &ours);
    s = heard(w);
    struct mptcp_option third = peer_mptcp(&s, MPTCP_MP_CAPABLE);
    assert_true(third.as.mp_capable.has_sender_key && third.as.mp_capable.receiver_key == PEER_KEY);
    m->our_key = third.as.mp_capable.sender_key;
    mptcp_key_derive(m->our_key, &m->token, &m->idsn);
    mptcp_key_derive(PEER_KEY, &peer_token, &m->peer_idsn);
    return fd;
}

/* The peer acknowledges at the data level, so that MPTCP is beyond doubt, and joins are allowed. */
static void data_acknowledged(struct sockets_world *w, const struct mptcp_peer *m, uint32_t bytes) {
    struct mptcp_option o = {
        .subtype = MPTCP_DSS,
        .as.dss = {.has_data_ack = true, .data_ack_64 = true, .data_ack = m->idsn + 1 + bytes}};
    say(w, .flags = TCP_ACK, .seq = 7001, .ack = m->seq + bytes, .mptcp = &o);
}

static void mptcp_connects_and_joins_by_its_second_link(void **state) {
    struct sockets_world *w = world_create(2);
    struct mptcp_peer m;
    struct mptcp_info info;
    struct ip_header ip;
    struct tcp_segment join;
    socklen_t length = sizeof(info);
    int link = 0;
    (void)state;
    int fd = mptcp_connected(w, &m);
    assert_int_equal(so.write(w->net, fd, "hello", 5), 5);
    struct tcp_segment s = heard(w);
    assert_int_equal(s.payload_length, 5);
    data_acknowledged(w, &m, 5);
    while (link != 1)
        join = heard_by(w, &link, &ip);
    assert_int_equal(join.flags, TCP_SYN);
    struct mptcp_option asked = peer_mptcp(&join, MPTCP_MP_JOIN);
    uint32_t peer_token;
    uint64_t unused;
    mptcp_key_derive(PEER_KEY, &peer_token, &unused);
    assert_int_equal(asked.as.mp_join.token, peer_token);

    struct peer second = {w->peer.here, peer_address("10.0.1.1"), join.destination_port, join.source_port};
    struct mptcp_option answer = {.subtype = MPTCP_MP_JOIN,
                                  .as.mp_join = {.form = MP_JOIN_SYN_ACK, .nonce = 0xabcdef01}};
    uint8_t hmac[20];
    mptcp_join_hmac(PEER_KEY, m.our_key, answer.as.mp_join.nonce, asked.as.mp_join.nonce, hmac);
    for (int i = 0; i < 8; i++)
        answer.as.mp_join.hmac64 = answer.as.mp_join.hmac64 << 8 | hmac[i];
    say_by(w, 1, &second,
           (struct peer_segment){.flags = TCP_SYN | TCP_ACK,
                                 .seq = 9000,
                                 .ack = join.seq.value + 1,
                                 .mss = 1460,
                                 .mptcp = &answer});
    s = heard_by(w, &link, &ip);
    assert_int_equal(link, 1);
    struct mptcp_option third = peer_mptcp(&s, MPTCP_MP_JOIN);
    mptcp_join_hmac(m.our_key, PEER_KEY, asked.as.mp_join.nonce, answer.as.mp_join.nonce, hmac);
    assert_memory_equal(third.as.mp_join.hmac160, hmac, 20);

    assert_int_equal(so.getsockopt(w->net, fd, SOL_MPTCP_HERE, MPTCP_INFO, &info, &length), 0);
    assert_int_equal(info.mptcpi_subflows, 1);
    assert_int_equal(info.mptcpi_subflows_max, 7);
    assert_int_equal(info.mptcpi_add_addr_accepted, 0);
    assert_int_equal(info.mptcpi_token, m.token);
    assert_true(info.mptcpi_snd_una == m.idsn + 6);
    assert_true(info.mptcpi_write_seq == m.idsn + 6);
    assert_true(info.mptcpi_rcv_nxt == m.peer_idsn + 1);
    assert_true(info.mptcpi_flags & MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED);
    struct {
        struct mptcp_subflow_data head;
        struct tcp_info tcp[2];
    } subflows = {.head = {.size_subflow_data = sizeof(subflows.head), .size_user = sizeof(struct tcp_info)}};
    length = sizeof(subflows);
    assert_int_equal(so.getsockopt(w->net, fd, SOL_MPTCP_HERE, MPTCP_TCPINFO, &subflows, &length), 0);
    assert_int_equal(subflows.head.num_subflows, 2);
    assert_int_equal(subflows.tcp[0].tcpi_state, 1);
    assert_int_equal(subflows.tcp[0].tcpi_bytes_acked, 5);
    struct {
        struct mptcp_subflow_data head;
        struct mptcp_subflow_addrs ends[2];
    } addresses = {.head = {.size_subflow_data = sizeof(addresses.head),
                            .size_user = sizeof(struct mptcp_subflow_addrs)}};
    length = sizeof(addresses);
    assert_int_equal(so.getsockopt(w->net, fd, SOL_MPTCP_HERE, MPTCP_SUBFLOW_ADDRS, &addresses, &length), 0);
    assert_int_equal(length, sizeof(addresses));
    assert_int_equal(ntohl(addresses.ends[1].sin_local.sin_addr.s_addr), 0x0a000101);
    assert_int_equal(ntohs(addresses.ends[1].sin_remote.sin_port), 443);
    world_destroy(w);
}

static void mptcp_is_accepted_and_reads_mapped_data(void **state) {
    struct sockets_world *w = world_create(1);
    char bytes[16];
    uint32_t token, peer_token;
    uint64_t idsn, peer_idsn;
    (void)state;
    int server = listening(w, IPPROTO_MPTCP_HERE);
    struct mptcp_option ask = capable(0, 0);
    say(w, .flags = TCP_SYN, .seq = 1000, .mss = 1460, .mptcp = &ask);
    struct tcp_segment s = heard(w);
    uint64_t key = peer_mptcp(&s, MPTCP_MP_CAPABLE).as.mp_capable.sender_key;
    mptcp_key_derive(key, &token, &idsn);
    mptcp_key_derive(PEER_KEY, &peer_token, &peer_idsn);
    struct mptcp_option both = capable(PEER_KEY, key);
    say(w, .flags = TCP_ACK, .seq = 1001, .ack = s.seq.value + 1, .mptcp = &both);
    int fd = so.accept(w->net, server, NULL, NULL, SOCK_NONBLOCK);
    assert_true(fd > 0);
    struct mptcp_option map = {.subtype = MPTCP_DSS,
                               .as.dss = {.has_data_ack = true,
                                          .data_ack_64 = true,
                                          .data_ack = idsn + 1,
                                          .has_mapping = true,
                                          .dsn_64 = true,
                                          .dsn = peer_idsn + 1,
                                          .subflow_seq = 1,
                                          .data_length = 6}};
    say(w, .flags = TCP_ACK | TCP_PSH, .seq = 1001, .ack = s.seq.value + 1, .mptcp = &map, .data = "mapped");
    assert_int_equal(so.read(w->net, fd, bytes, sizeof(bytes)), 6);
    assert_memory_equal(bytes, "mapped", 6);
    s = heard(w);
    assert_true(peer_mptcp(&s, MPTCP_DSS).as.dss.data_ack == peer_idsn + 7);
    world_destroy(w);
}

static void mptcp_that_falls_back_says_so(void **state) {
    struct sockets_world *w = world_create(1);
    struct mptcp_info info;
    socklen_t length = sizeof(info);
    int protocol;
    (void)state;
    int server = listening(w, IPPROTO_MPTCP_HERE);
    handshake(w);
    int fd = so.accept(w->net, server, NULL, NULL, 0);
    assert_int_equal(so.getsockopt(w->net, fd, SOL_MPTCP_HERE, MPTCP_INFO, &info, &length), -EOPNOTSUPP);
    length = sizeof(protocol);
    assert_int_equal(so.getsockopt(w->net, fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length), 0);
    assert_int_equal(protocol, IPPROTO_MPTCP_HERE);
    world_destroy(w);
}

/* --- what is refused --- */

static void every_documented_error_is_given(void **state) {
    struct sockets_world *w = world_create(1);
    struct sockaddr_in here = sockaddr_of(0, 1, 80), elsewhere = sockaddr_of(7, 7, 80),
                       v6 = {.sin_family = AF_INET6};
    struct braid_link_config link = {.mtu_bytes = 100};
    int number = 1;
    char byte;
    (void)state;
    assert_int_equal(so.socket(w->net, AF_UNIX, SOCK_STREAM, 0), -EAFNOSUPPORT);
    assert_int_equal(so.socket(w->net, AF_INET, SOCK_DGRAM, 0), -ESOCKTNOSUPPORT);
    assert_int_equal(so.socket(w->net, AF_INET, SOCK_STREAM, IPPROTO_UDP), -EPROTONOSUPPORT);
    assert_int_equal(so.link_add(w->net, &link), -EINVAL);
    assert_int_equal(so.packet_in(w->net, 1, (uint8_t[]){0}, 1), -EINVAL);
    assert_int_equal(so.packet_in(w->net, 0, (uint8_t[]){0x45}, 1), 0);

    int fd = so.socket(w->net, AF_INET, SOCK_STREAM, 0), other = so.socket(w->net, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(so.bind(w->net, 99, (struct sockaddr *)&here, sizeof(here)), -EBADF);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&here, 4), -EINVAL);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&v6, sizeof(v6)), -EAFNOSUPPORT);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&elsewhere, sizeof(elsewhere)), -EADDRNOTAVAIL);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(so.bind(w->net, fd, (struct sockaddr *)&here, sizeof(here)), -EINVAL);
    assert_int_equal(so.bind(w->net, other, (struct sockaddr *)&here, sizeof(here)), -EADDRINUSE);
    assert_int_equal(so.accept(w->net, fd, NULL, NULL, 0), -EINVAL);
    assert_int_equal(so.read(w->net, fd, &byte, 1), -ENOTCONN);
    assert_int_equal(so.write(w->net, fd, &byte, 1), -ENOTCONN);
    assert_int_equal(so.recv(w->net, fd, &byte, 1, MSG_PEEK), -EOPNOTSUPP);
    assert_int_equal(so.send(w->net, fd, &byte, 1, MSG_OOB), -EOPNOTSUPP);
    assert_int_equal(so.shutdown(w->net, fd, SHUT_WR), -ENOTCONN);
    assert_int_equal(so.shutdown(w->net, fd, 17), -EINVAL);
    assert_int_equal(so.getpeername(w->net, fd, NULL, NULL), -ENOTCONN);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_LINGER, &number, sizeof(number)), -EINVAL);
    assert_int_equal(so.setsockopt(w->net, fd, SOL_SOCKET, SO_ERROR, &number, sizeof(number)), -ENOPROTOOPT);
    assert_int_equal(
        so.setsockopt(w->net, fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 70000}, sizeof(struct linger)),
        -EINVAL);
    assert_int_equal(so.listen(w->net, fd, 1), 0);
    assert_int_equal(so.readable(w->net, fd), -EINVAL);
    assert_int_equal(so.connect(w->net, fd, (struct sockaddr *)&here, sizeof(here)), -EOPNOTSUPP);
    struct braid_address address = world_address(0, 1);
    assert_int_equal(so.address_remove(w->net, 0, &address), 0);
    assert_int_equal(so.connect(w->net, other, (struct sockaddr *)&here, sizeof(here)), -ENETUNREACH);
    world_destroy(w);
}

/* However early memory runs out, every call ends with an error that is documented, and nothing is lost. */
static void memory_that_runs_out_is_an_error(void **state) {
    (void)state;
    for (long left = 0; left < 60; left++) {
        struct sockets_world *w = world_create(1);
        struct sockaddr_in here = sockaddr_of(0, 1, 80), there = sockaddr_of(0, 2, 443);
        w->allocations_left = left;
        int server = so.socket(w->net, AF_INET, SOCK_STREAM, IPPROTO_MPTCP_HERE);
        assert_true(server == FD_FIRST || server == -ENOMEM);
        if (server > 0 && so.bind(w->net, server, (struct sockaddr *)&here, sizeof(here)) == 0) {
            int result = so.listen(w->net, server, 3);
            assert_true(result == 0 || result == -ENOMEM);
        }
        say(w, .flags = TCP_SYN, .seq = 1000, .mss = 1460);
        if (w->left_count > 0) {
            struct tcp_segment s = heard(w);
            if (s.flags & TCP_SYN)
                say(w, .flags = TCP_ACK, .seq = 1001, .ack = s.seq.value + 1, .data = "data");
        }
        int fd = so.accept(w->net, server, NULL, NULL, SOCK_NONBLOCK);
        if (fd > 0) (void)so.write(w->net, fd, "data", 4);
        int client = so.socket(w->net, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_MPTCP_HERE);
        if (client > 0) (void)so.connect(w->net, client, (struct sockaddr *)&there, sizeof(there));
        pass(w, BRAID_NS_PER_S);
        world_destroy(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_of_literal_bytes_is_answered),
        cmocka_unit_test(data_goes_both_ways),
        cmocka_unit_test(half_close_lets_the_other_direction_go_on),
        cmocka_unit_test(poll_tells_what_a_descriptor_is_ready_for),
        cmocka_unit_test(poll_and_timeouts_end_in_virtual_time),
        cmocka_unit_test(a_blocking_read_waits_for_what_the_hook_lets_in),
        cmocka_unit_test(a_descriptor_closed_meanwhile_ends_the_call),
        cmocka_unit_test(connect_waits_for_the_answer),
        cmocka_unit_test(a_non_blocking_connect_reports_by_poll_and_error),
        cmocka_unit_test(a_reset_is_told_once_after_the_data),
        cmocka_unit_test(linger_of_zero_resets),
        cmocka_unit_test(linger_waits_until_what_was_written_has_arrived),
        cmocka_unit_test(connections_beyond_the_backlog_are_reset),
        cmocka_unit_test(tcp_info_has_what_tcp_measured),
        cmocka_unit_test(options_hold_for_the_connection_and_pass_from_a_listener),
        cmocka_unit_test(the_ip_header_is_set_by_options),
        cmocka_unit_test(congestion_control_is_chosen_by_name),
        cmocka_unit_test(scheduler_and_path_manager_are_chosen_by_name),
        cmocka_unit_test(mptcp_connects_and_joins_by_its_second_link),
        cmocka_unit_test(mptcp_is_accepted_and_reads_mapped_data),
        cmocka_unit_test(mptcp_that_falls_back_says_so),
        cmocka_unit_test(every_documented_error_is_given),
        cmocka_unit_test(memory_that_runs_out_is_an_error),
    };
    return cmocka_run_group_tests_name("sockets", tests, load, NULL);
}
