#define _GNU_SOURCE
#include "udp_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_BYTES_MAX 65536
#define QUOTED_BYTES_MAX 512
#define BUFFER_BYTES (1 << 20)

struct udp_batch_memory {
    struct mmsghdr messages[UDP_BATCH_MAX];
    struct iovec runs[UDP_BATCH_MAX];
    struct sockaddr_storage peers[UDP_BATCH_MAX];
    uint8_t bytes[UDP_BATCH_MAX][DATAGRAM_BYTES_MAX];
};

struct udp_batch *udp_batch_create(void) {
    struct udp_batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL) return NULL;
    batch->memory = malloc(sizeof(*batch->memory));
    if (batch->memory != NULL) return batch;
    free(batch);
    return NULL;
}

void udp_batch_destroy(struct udp_batch *batch) {
    if (batch == NULL) return;
    free(batch->memory);
    free(batch);
}

socklen_t udp_socket_address(const struct ip_address *address, uint16_t port, struct sockaddr_storage *out) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memset(out, 0, sizeof(*out));
    if (address->family == IP_V4) {
        memcpy(&v4.sin_addr, address->bytes, sizeof(v4.sin_addr));
        memcpy(out, &v4, sizeof(v4));
        return sizeof(v4);
    }
    memcpy(&v6.sin6_addr, address->bytes, sizeof(v6.sin6_addr));
    memcpy(out, &v6, sizeof(v6));
    return sizeof(v6);
}

static struct udp_peer peer_of(const struct sockaddr_storage *address) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (address->ss_family == AF_INET) {
        memcpy(&v4, address, sizeof(v4));
        uint8_t bytes[4];
        memcpy(bytes, &v4.sin_addr, sizeof(bytes));
        return (struct udp_peer){ip_address_v4(bytes), ntohs(v4.sin_port)};
    }
    memcpy(&v6, address, sizeof(v6));
    return (struct udp_peer){ip_address_v6(v6.sin6_addr.s6_addr), ntohs(v6.sin6_port)};
}

int udp_socket_open(enum ip_family family, const char *interface) {
    int yes = 1, bytes = BUFFER_BYTES;
    int fd = socket(family == IP_V4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (interface != NULL &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    /* Without these, errors stay unheard and bursts are lost; it works all the same. */
    if (family == IP_V4)
        (void)setsockopt(fd, IPPROTO_IP, IP_RECVERR, &yes, sizeof(yes));
    else
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &yes, sizeof(yes));
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    return fd;
}

unsigned udp_socket_receive(int fd, struct udp_batch *batch) {
    struct udp_batch_memory *memory = batch->memory;
    for (unsigned i = 0; i < UDP_BATCH_MAX; i++) {
        memory->runs[i] = (struct iovec){memory->bytes[i], DATAGRAM_BYTES_MAX};
        memory->messages[i].msg_hdr = (struct msghdr){.msg_name = &memory->peers[i],
                                                      .msg_namelen = sizeof(memory->peers[i]),
                                                      .msg_iov = &memory->runs[i],
                                                      .msg_iovlen = 1};
    }
    int got = recvmmsg(fd, memory->messages, UDP_BATCH_MAX, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++)
        batch->datagrams[i] = (struct udp_arrived){.peer = peer_of(&memory->peers[i]),
                                                   .payload = memory->bytes[i],
                                                   .length = memory->messages[i].msg_len};
    return got > 0 ? (unsigned)got : 0;
}

/* ---- errors ---- */

static bool kind_of_v4(const struct sock_extended_err *error, enum icmp_error_kind *out) {
    if (error->ee_type != ICMP_DEST_UNREACH) return false;
    switch (error->ee_code) {
    case ICMP_NET_UNREACH:
        *out = ICMP_NET_UNREACHABLE;
        return true;
    case ICMP_PORT_UNREACH:
        *out = ICMP_PORT_UNREACHABLE;
        return true;
    case ICMP_FRAG_NEEDED:
        *out = ICMP_PACKET_TOO_BIG;
        return true;
    case ICMP_NET_ANO:
    case ICMP_HOST_ANO:
    case ICMP_PKT_FILTERED:
        *out = ICMP_PROHIBITED;
        return true;
    default:
        *out = ICMP_HOST_UNREACHABLE;
        return true;
    }
}

static bool kind_of_v6(const struct sock_extended_err *error, enum icmp_error_kind *out) {
    *out = ICMP_PACKET_TOO_BIG;
    if (error->ee_type == ICMP6_PACKET_TOO_BIG) return true;
    if (error->ee_type != ICMP6_DST_UNREACH) return false;
    switch (error->ee_code) {
    case ICMP6_DST_UNREACH_NOROUTE:
        *out = ICMP_NET_UNREACHABLE;
        return true;
    case ICMP6_DST_UNREACH_NOPORT:
        *out = ICMP_PORT_UNREACHABLE;
        return true;
    case ICMP6_DST_UNREACH_ADMIN:
        *out = ICMP_PROHIBITED;
        return true;
    default:
        *out = ICMP_HOST_UNREACHABLE;
        return true;
    }
}

static bool kind_of(const struct sock_extended_err *error, enum icmp_error_kind *out) {
    switch (error->ee_origin) {
    case SO_EE_ORIGIN_ICMP:
        return kind_of_v4(error, out);
    case SO_EE_ORIGIN_ICMP6:
        return kind_of_v6(error, out);
    case SO_EE_ORIGIN_LOCAL:
        *out = ICMP_PACKET_TOO_BIG;
        return error->ee_errno == EMSGSIZE;
    default:
        return false;
    }
}

static const struct sock_extended_err *error_in(struct msghdr *message) {
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
        bool v6 = header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
        if (v4 || v6) return (const void *)CMSG_DATA(header);
    }
    return NULL;
}

bool udp_socket_take_error(int fd, struct udp_batch *batch, struct udp_error *out) {
    struct udp_batch_memory *memory = batch->memory;
    union {
        struct cmsghdr header;
        char bytes[512];
    } control;
    for (;;) {
        struct iovec run = {memory->bytes[0], QUOTED_BYTES_MAX};
        struct msghdr message = {.msg_name = &memory->peers[0],
                                 .msg_namelen = sizeof(memory->peers[0]),
                                 .msg_iov = &run,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof(control)};
        ssize_t length = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (length < 0) return false;
        const struct sock_extended_err *error = error_in(&message);
        if (error == NULL || message.msg_namelen == 0 || !kind_of(error, &out->kind)) continue;
        out->mtu = error->ee_info;
        out->destination = peer_of(&memory->peers[0]);
        out->payload = memory->bytes[0];
        out->payload_length = (uint32_t)length;
        return true;
    }
}
