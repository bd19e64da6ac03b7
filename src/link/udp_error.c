#include "udp_error.h"

#include <errno.h>
#include <time.h> /* which the next wants */
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <wire/icmp.h>
#include <wire/ip.h>
#include <wire/tcp_in_udp.h>

enum { SEQ_END = 8, TCP_BYTES = 20, IP_BYTES_MAX = 40, TTL = 64 };

struct complaint {
    struct sock_extended_err error;
    struct ip_address from; /* family IP_NONE: not known */
    struct ip_address to;   /* of the datagram */
    uint16_t to_port;
    uint8_t header[TCP_IN_UDP_FIXED_BYTES]; /* as far as it was quoted; the rest 0 */
};

bool udp_error_wanted(int fd, bool v6) {
    const int on = 1;
    return setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &on, sizeof(on)) == 0;
}

/* The port, 0 if it is no address. */
static uint16_t address_take(const void *from, size_t length, struct ip_address *out) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memset(out, 0, sizeof(*out));
    if (length < sizeof(v4)) return 0;
    memcpy(&v4, from, sizeof(v4));
    if (v4.sin_family == AF_INET) {
        out->family = IP_V4;
        memcpy(out->bytes, &v4.sin_addr, 4);
        return ntohs(v4.sin_port);
    }
    if (v4.sin_family != AF_INET6 || length < sizeof(v6)) return 0;
    memcpy(&v6, from, sizeof(v6));
    out->family = IP_V6;
    memcpy(out->bytes, &v6.sin6_addr, 16);
    return ntohs(v6.sin6_port);
}

static bool control_take(struct msghdr *message, struct complaint *out) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        bool v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        bool v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if ((!v4 && !v6) || c->cmsg_len < CMSG_LEN(sizeof(out->error))) continue;
        memcpy(&out->error, CMSG_DATA(c), sizeof(out->error));
        size_t behind = c->cmsg_len - CMSG_LEN(sizeof(out->error));
        (void)address_take((const uint8_t *)CMSG_DATA(c) + sizeof(out->error), behind, &out->from);
        return out->error.ee_origin == (v4 ? SO_EE_ORIGIN_ICMP : SO_EE_ORIGIN_ICMP6);
    }
    return false;
}

/* What the kernel makes of type and code of either family (ip_icmp_error(), icmpv6_err_convert()), by its errno. */
static enum icmp_error_kind kind_of(const struct sock_extended_err *error) {
    switch (error->ee_errno) {
    case ECONNREFUSED: return ICMP_PORT_UNREACHABLE;
    case EMSGSIZE: return ICMP_PACKET_TOO_BIG;
    case ENETUNREACH: return ICMP_NET_UNREACHABLE;
    case EHOSTUNREACH:
        return error->ee_type == (error->ee_origin == SO_EE_ORIGIN_ICMP ? 11 : 3) ? ICMP_TIME_EXCEEDED : ICMP_HOST_UNREACHABLE;
    case EACCES: return ICMP_PROHIBITED;
    default: return ICMP_OTHER;
    }
}

/* The packet complained about, had it been TCP. */
static uint32_t quote(const struct complaint *c, const struct ip_address *local, uint16_t local_port, uint8_t *out, size_t room) {
    struct ip_header ip = {.source = *local,
                           .destination = c->to,
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = TTL,
                           .dont_fragment = true,
                           .payload_length = TCP_BYTES};
    uint32_t length = ip_encode(&ip, out, room);
    if (length == 0 || room - length < TCP_BYTES) return 0;
    tcp_in_udp_decode(c->header, TCP_BYTES, local_port, c->to_port, out + length);
    return length + TCP_BYTES;
}

static bool packet_write(const struct complaint *c, const struct ip_address *local, uint16_t local_port, uint8_t *out,
                         uint32_t *length) {
    uint8_t quoted[IP_BYTES_MAX + TCP_BYTES];
    const struct ip_address *from = c->from.family == local->family ? &c->from : &c->to;
    enum icmp_error_kind kind = kind_of(&c->error);
    uint32_t quoted_length = quote(c, local, local_port, quoted, sizeof(quoted));
    if (quoted_length == 0) return false;
    *length = kind == ICMP_PACKET_TOO_BIG
                  ? icmp_packet_too_big_encode(c->error.ee_info, from, local, quoted, quoted_length, out, UDP_ERROR_PACKET_MAX)
                  : icmp_error_encode(kind, from, local, quoted, quoted_length, out, UDP_ERROR_PACKET_MAX);
    return *length > 0;
}

enum udp_error_result udp_error_take(int fd, const struct ip_address *local, uint16_t local_port, uint8_t *out,
                                     uint32_t *length) {
    struct complaint c = {0};
    struct sockaddr_in6 to;
    union {
        struct cmsghdr aligned;
        uint8_t bytes[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(struct sockaddr_in6)) + CMSG_SPACE(64)];
    } control;
    struct iovec into = {c.header, sizeof(c.header)};
    struct msghdr message = {.msg_name = &to,
                             .msg_namelen = sizeof(to),
                             .msg_iov = &into,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0) return UDP_ERROR_NONE;
    if (got < SEQ_END || !control_take(&message, &c)) return UDP_ERROR_IGNORED;
    c.to_port = address_take(&to, message.msg_namelen, &c.to);
    if (c.to.family != local->family) return UDP_ERROR_IGNORED;
    return packet_write(&c, local, local_port, out, length) ? UDP_ERROR_PACKET : UDP_ERROR_IGNORED;
}
