#include <link/link_udp.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wire/ip.h>

#include "coalesce.h"
#include "receive_buffers.h"
#include "steering_filter.h"
#include "udp_error.h"
#include "udp_message.h"
#include "udp_scatter.h"

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
    BUFFER_DEFAULT_BYTES = 4 << 20,
    MTU_DEFAULT_BYTES = 1500,
    SINGLES_BYTES_MIN = 2048,
    PACKET_TTL = 64,
    READY_MAX = 32, /* sockets asked for at once */
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* What one recvmsg() brought: datagrams of one length, the last perhaps shorter, from one sender. */
struct arrival {
    size_t buffer;
    uint32_t at, end;     /* what of it was not looked at yet, in the buffer */
    uint32_t piece_bytes; /* of each datagram */
    uint16_t local_port;
    uint8_t ecn_and_class;
    bool scattered; /* the pieces from `at` on lie as udp_scatter.h has it */
    union socket_address from;
};

struct link_udp {
    struct link link;
    const struct braid_env *env;
    struct link_capabilities capabilities;
    struct link_statistics statistics;
    struct receive_buffers buffers;
    struct ip_address local;
    uint32_t headroom_bytes; /* for the IP header, and the UDP header that becomes TCP's */
    uint16_t port_first, port_count;
    uint16_t ready[READY_MAX], ready_count; /* sockets that had something when they were last asked for */
    int *sockets;
    bool *complained; /* by socket: its error queue may hold something */
    bool any_complained;
    bool arrived; /* not all of `arrival` was taken */
    struct arrival arrival;
    uint8_t *singles; /* datagrams that could not stay where they came, one for each packet of a batch */
    uint32_t single_bytes;
    struct udp_message message;
    struct udp_scatter scatter;
};

static struct link_udp *udp_of(struct link *link) { return CONTAINER_OF(link, struct link_udp, link); }

/* ---- addresses ---- */

static socklen_t socket_address_fill(union socket_address *out, const uint8_t *address, bool v6, uint16_t port) {
    memset(out, 0, sizeof(*out));
    if (v6) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons(port);
        memcpy(&out->v6.sin6_addr, address, 16);
        return sizeof(out->v6);
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons(port);
    memcpy(&out->v4.sin_addr, address, 4);
    return sizeof(out->v4);
}

static uint16_t load16(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static bool link_is_v6(const struct link_udp *udp) { return udp->local.family == IP_V6; }

/* ---- sending ---- */

static void control_add(struct msghdr *header, int level, int type, const void *value, size_t length) {
    struct cmsghdr *c = (struct cmsghdr *)(void *)((uint8_t *)header->msg_control + header->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(c), value, length);
    header->msg_controllen += CMSG_SPACE(length);
}

static void complaint_note(struct link_udp *udp, unsigned index) { udp->complained[index] = udp->any_complained = true; }

/* What ICMP said of an earlier datagram, to whomever, is the result of the next call on the socket, which then does nothing. */
static bool is_of_another(int error) { return error != EAGAIN && error != ENOBUFS && error != EINTR; }

/* 1: taken, or refused for good; 0: no room now. */
static int message_send(struct link_udp *udp, unsigned index, union socket_address *to, socklen_t to_length, int ecn_and_class) {
    union {
        struct cmsghdr aligned;
        uint8_t bytes[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr header = {.msg_name = to,
                            .msg_namelen = to_length,
                            .msg_iov = udp->message.runs,
                            .msg_iovlen = udp->message.runs_count,
                            .msg_control = control.bytes};
    if (udp->message.segment_bytes != 0)
        control_add(&header, IPPROTO_UDP, UDP_SEGMENT, &udp->message.segment_bytes, sizeof(uint16_t));
    if (ecn_and_class != 0)
        control_add(&header, link_is_v6(udp) ? IPPROTO_IPV6 : IPPROTO_IP, link_is_v6(udp) ? IPV6_TCLASS : IP_TOS,
                    &ecn_and_class, sizeof(int));
    if (header.msg_controllen == 0) header.msg_control = NULL;
    ssize_t sent;
    do
        sent = sendmsg(udp->sockets[index], &header, MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    if (sent < 0 && is_of_another(errno)) {
        complaint_note(udp, index);
        sent = sendmsg(udp->sockets[index], &header, MSG_DONTWAIT);
    }
    if (sent >= 0) return 1;
    if ((errno == EAGAIN || errno == ENOBUFS) && udp->port_count == 1) return 0;
    udp->statistics.dropped_out++; /* with many sockets nobody would tell which of them has room again */
    return 1;
}

/* False: no room now, and nothing of it was sent. */
static bool packet_send(struct link_udp *udp, const struct braid_packet_out *packet) {
    const uint8_t *ip = packet->header, *tcp = ip + packet->checksum_start;
    bool v6 = ip[0] >> 4 == 6;
    unsigned index = (unsigned)load16(tcp) - udp->port_first;
    union socket_address to;
    socklen_t to_length = socket_address_fill(&to, ip + (v6 ? 24 : 16), v6, load16(tcp + 2));
    int ecn_and_class = v6 ? (ip[0] & 15) << 4 | ip[1] >> 4 : ip[1];
    uint32_t limit = LINK_PACKET_MAX - udp->headroom_bytes, offset = 0;
    if (v6 != link_is_v6(udp) || index >= udp->port_count) {
        udp->statistics.dropped_out++;
        return true;
    }
    do {
        uint32_t carried = udp_message_fill(&udp->message, packet, offset, limit);
        if (message_send(udp, index, &to, to_length, ecn_and_class) == 0) {
            if (offset == 0) return false;
            udp->statistics.dropped_out++; /* the rest of it: TCP sends it again */
            return true;
        }
        offset += carried;
    } while (offset < packet->payload_length);
    udp->statistics.packets_out++;
    udp->statistics.bytes_out += packet->header_length + packet->payload_length;
    if (packet->segment_bytes != 0 && packet->payload_length > packet->segment_bytes) udp->statistics.super_segments_out++;
    return true;
}

static int udp_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    struct link_udp *udp = udp_of(link);
    size_t taken = 0;
    if (count > LINK_BATCH_MAX) count = LINK_BATCH_MAX;
    for (; taken < count && packet_send(udp, &packets[taken]); taken++) braid_packet_out_release(&packets[taken]);
    return (int)taken;
}

/* ---- receiving ---- */

static void arrival_read_control(struct arrival *a, struct msghdr *header) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        int value = 0;
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            a->ecn_and_class = *CMSG_DATA(c);
            continue;
        }
        if (c->cmsg_len < CMSG_LEN(sizeof(value))) continue;
        memcpy(&value, CMSG_DATA(c), sizeof(value));
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) a->ecn_and_class = (uint8_t)value;
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && value > 0) a->piece_bytes = (uint32_t)value;
    }
}

/* Was it as expected? */
static void arrival_judge(struct link_udp *udp, uint32_t length) {
    struct arrival *a = &udp->arrival;
    struct udp_scatter *s = &udp->scatter;
    if (a->piece_bytes >= length) { /* a single one */
        udp_scatter_undo(s, 1, length);
        return;
    }
    size_t tcp_length = tcp_in_udp_header_length(udp->buffers.bufs[a->buffer]->bytes + a->at, a->piece_bytes);
    uint32_t header_bytes = tcp_length > 0 ? (uint32_t)tcp_length - UDP_HEADER_BYTES : 0;
    a->scattered = s->pieces > 0 && length <= s->pieces * s->piece_bytes && a->piece_bytes == s->piece_bytes &&
                   header_bytes == s->header_bytes;
    if (!a->scattered) udp_scatter_undo(s, 1, length);
    if (header_bytes > 0 && header_bytes < a->piece_bytes) udp_scatter_expect(s, a->piece_bytes, header_bytes);
}

/* False: nothing waits on this socket. */
static bool arrival_read(struct link_udp *udp, uint16_t socket, size_t buffer) {
    struct arrival *a = &udp->arrival;
    union {
        struct cmsghdr aligned;
        uint8_t bytes[2 * CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec runs[UDP_SCATTER_RUNS_MAX];
    size_t runs_count = udp_scatter_runs(&udp->scatter, udp->buffers.bufs[buffer]->bytes + udp->headroom_bytes,
                                         LINK_PACKET_MAX - udp->headroom_bytes, runs);
    *a = (struct arrival){.buffer = buffer, .local_port = (uint16_t)(udp->port_first + socket)};
    struct msghdr header = {.msg_name = &a->from,
                            .msg_namelen = sizeof(a->from),
                            .msg_iov = runs,
                            .msg_iovlen = runs_count,
                            .msg_control = control.bytes,
                            .msg_controllen = sizeof(control)};
    ssize_t length;
    do
        length = recvmsg(udp->sockets[socket], &header, MSG_DONTWAIT);
    while (length < 0 && errno == EINTR);
    if (length < 0 && is_of_another(errno)) {
        complaint_note(udp, socket);
        length = recvmsg(udp->sockets[socket], &header, MSG_DONTWAIT);
    }
    if (length < 0) return false;
    a->at = udp->headroom_bytes;
    a->end = a->at + (uint32_t)length;
    a->piece_bytes = (uint32_t)length;
    arrival_read_control(a, &header);
    arrival_judge(udp, (uint32_t)length);
    udp->arrived = length > 0;
    return true;
}

/* Which sockets have something: all are not read in turn, for there are as many as there were connections lately. */
static void ready_find(struct link_udp *udp) {
    struct epoll_event events[READY_MAX];
    int count = epoll_wait(udp->link.fd, events, READY_MAX, 0);
    for (int i = 0; i < count; i++) udp->ready[i] = (uint16_t)events[i].data.u32;
    udp->ready_count = count > 0 ? (uint16_t)count : 0;
}

static bool ready_read(struct link_udp *udp, size_t buffer) {
    for (; udp->ready_count > 0; udp->ready_count--)
        if (arrival_read(udp, udp->ready[udp->ready_count - 1], buffer)) return true;
    return false;
}

/* Reads from a socket that has something. False: none has. */
static bool arrival_next(struct link_udp *udp, size_t buffer) {
    if (udp->port_count == 1) return arrival_read(udp, 0, buffer);
    if (ready_read(udp, buffer)) return true;
    ready_find(udp);
    return ready_read(udp, buffer);
}

/* The IP header for what is to be a packet of `length` bytes at `out`. */
static void ip_write(const struct link_udp *udp, const struct arrival *a, uint32_t length, uint8_t *out) {
    bool v6 = link_is_v6(udp);
    struct ip_header ip = {.destination = udp->local,
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = PACKET_TTL,
                           .ecn = a->ecn_and_class & 3,
                           .traffic_class = a->ecn_and_class >> 2,
                           .dont_fragment = true,
                           .payload_length = length - udp->headroom_bytes + UDP_HEADER_BYTES};
    ip.source.family = udp->local.family;
    if (v6) memcpy(ip.source.bytes, &a->from.v6.sin6_addr, 16);
    else memcpy(ip.source.bytes, &a->from.v4.sin_addr, 4);
    uint32_t written = ip_encode(&ip, out, udp->headroom_bytes);
    ENSURE(written == udp->headroom_bytes - UDP_HEADER_BYTES);
}

/* The next datagram of the arrival as a TCP packet: at the front of its buffer, or, for what follows there, in the memory for
 * single ones. False: it is none. */
static bool piece_unpack(struct link_udp *udp, size_t index, struct braid_packet_in *packet, uint8_t **bytes) {
    struct arrival *a = &udp->arrival;
    uint8_t *buffer = udp->buffers.bufs[a->buffer]->bytes, *from = buffer + a->at;
    uint32_t left = a->end - a->at, piece = a->piece_bytes < left ? a->piece_bytes : left;
    bool first = a->at == udp->headroom_bytes;
    uint16_t from_port = ntohs(link_is_v6(udp) ? a->from.v6.sin6_port : a->from.v4.sin_port);
    size_t tcp_length = tcp_in_udp_header_length(from, piece);
    a->at += piece;
    if (a->at >= a->end) udp->arrived = false;
    if (tcp_length == 0 || (!first && udp->headroom_bytes + piece > udp->single_bytes)) return false;
    *bytes = first ? buffer : udp->singles + index * udp->single_bytes;
    uint8_t *tcp = *bytes + udp->headroom_bytes - UDP_HEADER_BYTES;
    uint32_t payload = piece - (uint32_t)(tcp_length - UDP_HEADER_BYTES);
    if (!first) memcpy(tcp + tcp_length, from + piece - payload, payload);
    tcp_in_udp_decode(from, tcp_length, from_port, a->local_port, tcp);
    uint32_t length = udp->headroom_bytes + piece;
    ip_write(udp, a, length, *bytes);
    *packet = (struct braid_packet_in){.bytes = *bytes, .length = length, .checksum_verified = true};
    return true;
}

struct piece {
    const uint8_t *header, *payload;
    uint32_t tcp_length, payload_bytes; /* tcp_length 0: it is none */
    uint32_t bytes;
};

static struct piece piece_next(const struct link_udp *udp) {
    const struct arrival *a = &udp->arrival;
    uint32_t left = a->end - a->at, index = (a->at - udp->headroom_bytes) / a->piece_bytes;
    struct piece p = {.bytes = a->piece_bytes < left ? a->piece_bytes : left};
    p.header = a->scattered ? udp_scatter_header(&udp->scatter, index) : udp->buffers.bufs[a->buffer]->bytes + a->at;
    p.tcp_length = (uint32_t)tcp_in_udp_header_length(p.header, p.bytes);
    uint32_t header_bytes = p.tcp_length > 0 ? p.tcp_length - UDP_HEADER_BYTES : 0;
    p.payload = a->scattered ? udp_scatter_payload(&udp->scatter, index) : p.header + header_bytes;
    p.payload_bytes = p.bytes - header_bytes;
    return p;
}

/* Adds the datagrams that continue the packet, as far as they do. */
static void pieces_coalesce(struct link_udp *udp, struct braid_packet_in *packet, uint8_t *bytes) {
    struct arrival *a = &udp->arrival;
    struct coalesced coalesced;
    uint32_t ip_length = udp->headroom_bytes - UDP_HEADER_BYTES;
    uint32_t room = bytes == udp->buffers.bufs[a->buffer]->bytes ? LINK_PACKET_MAX : udp->single_bytes;
    coalesce_begin(&coalesced, packet, bytes, room, ip_length);
    while (udp->arrived && coalesced.packet != NULL) {
        uint8_t tcp[60];
        struct piece p = piece_next(udp);
        if (p.tcp_length != coalesced.tcp_length) break;
        tcp_in_udp_decode(p.header, p.tcp_length, 0, 0, tcp);
        memcpy(tcp, bytes + ip_length, 4); /* one arrival, one flow */
        if (!coalesce_add(&coalesced, tcp, p.tcp_length, p.payload, p.payload_bytes)) break;
        a->at += p.bytes;
        udp->arrived = a->at < a->end;
    }
    if (!a->scattered) return;
    a->scattered = false; /* what is left is looked at one by one */
    if (udp->arrived)
        udp_scatter_undo(&udp->scatter, (a->at - udp->headroom_bytes) / a->piece_bytes, a->end - udp->headroom_bytes);
}

static void packet_finish(struct link_udp *udp, struct braid_packet_in *packet, const uint8_t *bytes) {
    struct braid_buf *buf = udp->buffers.bufs[udp->arrival.buffer];
    bool worth_keeping = bytes == buf->bytes && packet->length >= RECEIVE_BUFFER_BYTES / RECEIVE_BUFFER_WASTE_MAX;
    packet->buf = worth_keeping ? buf : NULL;
    udp->statistics.packets_in++;
    udp->statistics.bytes_in += packet->length;
    if (packet->segment_bytes != 0) udp->statistics.super_segments_in++;
}

/* What was left over stays in the first buffer. */
static void arrival_keep(struct link_udp *udp) {
    struct braid_buf **bufs = udp->buffers.bufs, *kept = bufs[udp->arrival.buffer];
    bufs[udp->arrival.buffer] = bufs[0];
    bufs[0] = kept;
    udp->arrival.buffer = 0;
}

/* Errors come as the ICMP packets that TCP would have had. They lie in the memory for single datagrams, of which each packet
 * of a batch has its own. */
static size_t complaints_take(struct link_udp *udp, struct braid_packet_in *packets, size_t count, size_t max) {
    udp->any_complained = false;
    for (unsigned i = 0; i < udp->port_count; i++) {
        while (udp->complained[i] && count < max) {
            uint8_t *bytes = udp->singles + count * udp->single_bytes;
            uint32_t length;
            enum udp_error_result result =
                udp_error_take(udp->sockets[i], &udp->local, (uint16_t)(udp->port_first + i), bytes, &length);
            udp->complained[i] = result != UDP_ERROR_NONE;
            if (result != UDP_ERROR_PACKET) continue;
            packets[count++] = (struct braid_packet_in){.bytes = bytes, .length = length, .checksum_verified = true};
            udp->statistics.packets_in++;
            udp->statistics.bytes_in += length;
        }
        udp->any_complained |= udp->complained[i];
    }
    return count;
}

static int udp_receive(struct link *link, struct braid_packet_in *packets, size_t max) {
    struct link_udp *udp = udp_of(link);
    size_t count = 0, buffer = 0, room, taken_bytes = 0;
    if (max > LINK_BATCH_MAX) max = LINK_BATCH_MAX;
    if (udp->arrived) { /* not to be prepared: it is full */
        arrival_keep(udp);
        buffer = 1;
    }
    room = receive_buffers_prepare_from(&udp->buffers, buffer, max);
    while (count < max && (udp->arrived || taken_bytes < LINK_BATCH_BYTES)) {
        uint8_t *bytes;
        if (!udp->arrived && (buffer >= room || !arrival_next(udp, buffer++))) break;
        if (!udp->arrived) continue; /* an empty datagram */
        if (!piece_unpack(udp, count, &packets[count], &bytes)) {
            udp->statistics.dropped_in++;
            continue;
        }
        pieces_coalesce(udp, &packets[count], bytes);
        packet_finish(udp, &packets[count], bytes);
        taken_bytes += packets[count].length;
        count++;
    }
    if (udp->any_complained) count = complaints_take(udp, packets, count, max);
    return (int)count;
}

/* ---- life ---- */

static void sockets_close(struct link_udp *udp) {
    for (unsigned i = 0; i < udp->port_count; i++)
        if (udp->sockets[i] >= 0) close(udp->sockets[i]);
    if (udp->port_count > 1 && udp->link.fd >= 0) close(udp->link.fd);
}

static void udp_free(struct link_udp *udp) {
    const struct braid_env *env = udp->env;
    if (udp->sockets != NULL) env->release(env->context, udp->sockets, udp->port_count * sizeof(int));
    if (udp->complained != NULL) env->release(env->context, udp->complained, udp->port_count * sizeof(bool));
    if (udp->singles != NULL) env->release(env->context, udp->singles, (size_t)udp->single_bytes * LINK_BATCH_MAX);
    receive_buffers_deinit(&udp->buffers);
    env->release(env->context, udp, sizeof(*udp));
}

static void udp_close(struct link *link) {
    sockets_close(udp_of(link));
    udp_free(udp_of(link));
}

static const struct link_ops udp_ops = {udp_receive, udp_send, udp_close};

static bool option_set(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

/* Which of the sockets of a port gets a packet. Without it, one that is not the right one. */
static bool filter_attach(int fd, const struct braid_steering_home *shared, bool v6) {
    struct sock_filter instructions[STEERING_FILTER_MAX];
    struct sock_fprog program = {.filter = instructions};
    program.len = (unsigned short)steering_filter(shared, v6, instructions);
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0;
}

/* A descriptor, or -errno. */
static int socket_open(const struct link_udp *udp, uint16_t port, int buffer_bytes, const struct braid_steering_home *shared) {
    union socket_address address;
    bool v6 = link_is_v6(udp);
    socklen_t length = socket_address_fill(&address, udp->local.bytes, v6, port);
    int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    bool good = option_set(fd, IPPROTO_UDP, UDP_GRO, 1) && udp_error_wanted(fd, v6) &&
                (v6 ? option_set(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, 1) &&
                          option_set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)
                    : option_set(fd, IPPROTO_IP, IP_RECVTOS, 1) &&
                          option_set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE));
    /* As much as the system allows; more needs a privilege. */
    if (!option_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, buffer_bytes)) (void)option_set(fd, SOL_SOCKET, SO_RCVBUF, buffer_bytes);
    if (!option_set(fd, SOL_SOCKET, SO_SNDBUFFORCE, buffer_bytes)) (void)option_set(fd, SOL_SOCKET, SO_SNDBUF, buffer_bytes);
    if (shared != NULL) good = good && option_set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (good && bind(fd, &address.any, length) == 0 && (shared == NULL || filter_attach(fd, shared, v6))) return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int sockets_open(struct link_udp *udp, const struct link_udp_options *options) {
    int buffer_bytes = options->buffer_bytes > 0 ? (int)options->buffer_bytes : BUFFER_DEFAULT_BYTES;
    for (unsigned i = 0; i < udp->port_count; i++) {
        udp->sockets[i] = socket_open(udp, (uint16_t)(udp->port_first + i), buffer_bytes, options->shared);
        if (udp->sockets[i] < 0) return udp->sockets[i];
    }
    if (udp->port_count == 1) {
        udp->link.fd = udp->sockets[0];
        return 0;
    }
    udp->link.fd = epoll_create1(EPOLL_CLOEXEC);
    if (udp->link.fd < 0) return -errno;
    for (unsigned i = 0; i < udp->port_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = i};
        if (epoll_ctl(udp->link.fd, EPOLL_CTL_ADD, udp->sockets[i], &event) != 0) return -errno;
    }
    return 0;
}

static bool memory_get(struct link_udp *udp) {
    const struct braid_env *env = udp->env;
    udp->sockets = env->allocate(env->context, udp->port_count * sizeof(int));
    udp->singles = env->allocate(env->context, (size_t)udp->single_bytes * LINK_BATCH_MAX);
    udp->complained = env->allocate(env->context, udp->port_count * sizeof(bool));
    if (udp->complained != NULL) memset(udp->complained, 0, udp->port_count * sizeof(bool));
    for (unsigned i = 0; udp->sockets != NULL && i < udp->port_count; i++) udp->sockets[i] = -1;
    return udp->sockets != NULL && udp->singles != NULL && udp->complained != NULL;
}

/* What leaves as one message, whatever its options. */
static uint32_t super_segment_bytes(const struct link_udp *udp, uint32_t mtu) {
    uint32_t piece = mtu - udp->headroom_bytes;
    uint32_t pieces = (LINK_PACKET_MAX - udp->headroom_bytes) / piece;
    if (pieces > UDP_MESSAGE_PIECES_MAX) pieces = UDP_MESSAGE_PIECES_MAX;
    return pieces * (piece - TCP_IN_UDP_HEADER_MAX) + BRAID_PACKET_HEADER_MAX;
}

int link_udp_open(const struct braid_env *env, const struct link_udp_options *options, struct link **out) {
    uint32_t mtu = options->mtu_bytes > 0 ? options->mtu_bytes : MTU_DEFAULT_BYTES;
    bool family_known = options->local.family == IP_V4 || options->local.family == IP_V6;
    if (!family_known || mtu < LINK_UDP_MTU_MIN || mtu > LINK_PACKET_MAX || options->port_first == 0 || options->port_last < options->port_first ||
        options->port_last - options->port_first >= LINK_UDP_PORTS_MAX)
        return -EINVAL;
    struct link_udp *udp = env->allocate(env->context, sizeof(*udp));
    if (udp == NULL) return -ENOMEM;
    memset(udp, 0, sizeof(*udp));
    udp->env = env;
    udp->local = options->local;
    udp->port_first = options->port_first;
    udp->port_count = (uint16_t)(options->port_last - options->port_first + 1);
    udp->headroom_bytes = (link_is_v6(udp) ? 40 : 20) + UDP_HEADER_BYTES;
    udp->single_bytes = mtu > SINGLES_BYTES_MIN ? mtu : SINGLES_BYTES_MIN;
    udp->capabilities = (struct link_capabilities){mtu, super_segment_bytes(udp, mtu), true};
    udp->link = (struct link){&udp_ops, &udp->capabilities, &udp->statistics, -1};
    receive_buffers_init(&udp->buffers, env);
    int error = memory_get(udp) ? sockets_open(udp, options) : -ENOMEM;
    if (error == 0) {
        *out = &udp->link;
        return 0;
    }
    if (udp->sockets != NULL) sockets_close(udp);
    udp_free(udp);
    return error;
}
