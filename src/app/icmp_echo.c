#include "icmp_echo.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <linux/icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wire/checksum.h>

#define ECHO_HEADER_BYTES 8
#define CHECKSUM_AT 2
#define IDENTIFIER_AT 4
#define HOP_LIMIT 64

static uint16_t word_at(const uint8_t *bytes) {
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

bool icmp_echo_is_request(const struct ip_header *ip, const uint8_t *payload, uint16_t *identifier) {
    uint8_t request = ip->source.family == IP_V4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    uint8_t protocol = ip->source.family == IP_V4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6;
    if (ip->protocol != protocol || ip->payload_length < ECHO_HEADER_BYTES || payload[0] != request)
        return false;
    *identifier = word_at(payload + IDENTIFIER_AT);
    return true;
}

/* The kernel hands every ICMP message to every raw socket: only replies, please. */
static void ask_for_replies_only(int fd, enum ip_family family) {
    if (family == IP_V4) {
        struct icmp_filter filter = {.data = ~(1u << ICMP_ECHOREPLY)};
        (void)!setsockopt(fd, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter));
    } else {
        struct icmp6_filter filter;
        ICMP6_FILTER_SETBLOCKALL(&filter);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
        (void)!setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
    }
}

int icmp_echo_open(enum ip_family family, const char *interface) {
    int domain = family == IP_V4 ? AF_INET : AF_INET6,
        protocol = family == IP_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
    int fd = socket(domain, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    ask_for_replies_only(fd, family);
    return fd;
}

const uint8_t *icmp_echo_reply(enum ip_family family, const uint8_t *received, uint32_t length,
                               uint16_t identifier, uint32_t *message_length) {
    struct ip_header ip;
    const uint8_t *message = received;
    if (family == IP_V4) { /* raw sockets of IPv4 show the IP header */
        if (ip_decode(received, length, false, &ip) != IP_OK) return NULL;
        message += ip.header_length;
        length = ip.payload_length;
    }
    if (length < ECHO_HEADER_BYTES || message[0] != (family == IP_V4 ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY))
        return NULL;
    if (word_at(message + IDENTIFIER_AT) != identifier) return NULL;
    *message_length = length;
    return message;
}

uint32_t icmp_echo_packet(const struct ip_address *source, const struct ip_address *destination,
                          const uint8_t *message, uint32_t message_length, uint8_t *out, size_t room) {
    struct ip_header ip = {.source = *source,
                           .destination = *destination,
                           .protocol = source->family == IP_V4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6,
                           .ttl = HOP_LIMIT,
                           .payload_length = message_length};
    uint32_t header = ip_encode(&ip, out, room);
    if (header == 0 || room < header + message_length) return 0;
    uint8_t *copy = out + header;
    memcpy(copy, message, message_length);
    memset(copy + CHECKSUM_AT, 0, 2);
    uint64_t sum = checksum_sum(copy, message_length);
    if (source->family == IP_V6)
        sum += checksum_pseudo_header(source, destination, IP_PROTOCOL_ICMPV6, message_length);
    uint16_t checksum = checksum_finish(sum);
    copy[CHECKSUM_AT] = (uint8_t)(checksum >> 8);
    copy[CHECKSUM_AT + 1] = (uint8_t)checksum;
    return header + message_length;
}
