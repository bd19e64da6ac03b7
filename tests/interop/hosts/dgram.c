/* UDP over the kernel's sockets.
 *
 *     dgram serve PORT                          sends everything back to where it came from
 *     dgram ask ADDRESS PORT COUNT EVERY_MS     sends numbered datagrams, each from the same port, and prints
 * how many came back dgram refused ADDRESS PORT                sending must end in ECONNREFUSED
 *     dgram mirrors PORT COUNT                  so many ports, each of which answers by the port that it was asked from
 *     dgram seen ADDRESS PORT COUNT             asks all of them from one port, and prints each answer
 *     dgram ping ADDRESS COUNT                  so many echo requests, of an identifier each, must be answered */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BYTES 1200

static int fail(const char *what) {
    fprintf(stderr, "dgram: %s: %s\n", what, strerror(errno));
    return 1;
}

static int serve(const char *port) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0) return fail("bind");
    for (;;) {
        static char bytes[65536];
        struct sockaddr_in6 from;
        socklen_t length = sizeof(from);
        ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length);
        if (got >= 0) (void)!sendto(fd, bytes, (size_t)got, 0, (struct sockaddr *)&from, length);
    }
}

static int connect_to(const char *address, const char *port) {
    struct addrinfo hints = {.ai_socktype = SOCK_DGRAM}, *found;
    if (getaddrinfo(address, port, &hints, &found) != 0) return -1;
    int fd = socket(found->ai_family, SOCK_DGRAM, 0);
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) < 0) return -1;
    freeaddrinfo(found);
    return fd;
}

/* What comes within `wait_ms`, but no more than `most`. */
static unsigned take(int fd, int wait_ms, unsigned most) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    unsigned count = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    while (count < most) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        int left =
            wait_ms - (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
        if (left < 0 || poll(&poll_fd, 1, left) <= 0) return count;
        char bytes[BYTES + 1];
        ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
        if (got == BYTES) count++;
    }
    return count;
}

static int ask(int fd, unsigned count, int every_ms) {
    unsigned back = 0;
    for (unsigned i = 0; i < count; i++) {
        char bytes[BYTES];
        memset(bytes, (int)i, sizeof(bytes));
        memcpy(bytes, &i, sizeof(i));
        (void)!send(fd, bytes, sizeof(bytes), 0);
        back += take(fd, every_ms, UINT32_MAX);
    }
    back += take(fd, 3000, count - back);
    printf("%u\n", back);
    return 0;
}

static int refused(int fd) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    char byte = 0;
    if (send(fd, "x", 1, 0) != 1) return fail("send");
    if (poll(&poll_fd, 1, 3000) != 1) return fail("nothing was told");
    return recv(fd, &byte, 1, 0) < 0 && errno == ECONNREFUSED ? 0 : fail("told otherwise");
}

static int bound_to(int port) {
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0;
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    return bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ? -1 : fd;
}

#define MIRRORS_MAX 256

static int mirrors(int port, int count) {
    struct pollfd fds[MIRRORS_MAX];
    if (count > MIRRORS_MAX) return fail("too many");
    for (int i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = bound_to(port + i), .events = POLLIN};
        if (fds[i].fd < 0) return fail("bind");
    }
    while (poll(fds, (nfds_t)count, -1) > 0)
        for (int i = 0; i < count; i++) {
            struct sockaddr_in6 from;
            socklen_t length = sizeof(from);
            char byte;
            if (recvfrom(fds[i].fd, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &length) < 0) continue;
            (void)!sendto(fds[i].fd, &from.sin6_port, 2, 0, (struct sockaddr *)&from, length);
        }
    return fail("poll");
}

static int seen(const char *address, int port, int count) {
    struct sockaddr_in6 to = {.sin6_family = AF_INET6};
    char text[80];
    int fd = bound_to(0);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    snprintf(text, sizeof(text), strchr(address, ':') ? "%s" : "::ffff:%s", address);
    if (fd < 0 || inet_pton(AF_INET6, text, &to.sin6_addr) != 1) return fail(address);
    for (int i = 0; i < count; i++) {
        uint16_t ours;
        to.sin6_port = htons((uint16_t)(port + i));
        if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1) return fail("send");
        if (poll(&poll_fd, 1, 3000) != 1 || recv(fd, &ours, 2, 0) != 2) return fail("no answer");
        printf("%u\n", ntohs(ours));
    }
    return 0;
}

static int ping(const char *address, int count) {
    bool v6 = strchr(address, ':') != NULL;
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST}, *found;
    if (getaddrinfo(address, NULL, &hints, &found) != 0) return fail(address);
    for (int i = 0; i < count; i++) {
        uint8_t message[64] = {v6 ? 128 : 8}, reply[64]; /* the system fills in checksum and identifier */
        int fd = socket(found->ai_family, SOCK_DGRAM, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        message[7] = (uint8_t)i; /* the sequence number */
        if (fd < 0 || sendto(fd, message, sizeof(message), 0, found->ai_addr, found->ai_addrlen) < 0) return fail("send");
        if (poll(&poll_fd, 1, 3000) != 1 || recv(fd, reply, sizeof(reply), 0) != sizeof(reply)) return fail("no reply");
        if (reply[0] != (v6 ? 129 : 0) || reply[7] != i) return fail("another reply");
        close(fd);
    }
    freeaddrinfo(found);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
    if (argc == 4 && strcmp(argv[1], "mirrors") == 0) return mirrors(atoi(argv[2]), atoi(argv[3]));
    if (argc == 5 && strcmp(argv[1], "seen") == 0) return seen(argv[2], atoi(argv[3]), atoi(argv[4]));
    if (argc == 4 && strcmp(argv[1], "ping") == 0) return ping(argv[2], atoi(argv[3]));
    int fd = argc >= 4 ? connect_to(argv[2], argv[3]) : -1;
    if (fd >= 0 && argc == 6 && strcmp(argv[1], "ask") == 0)
        return ask(fd, (unsigned)atoi(argv[4]), atoi(argv[5]));
    if (fd >= 0 && argc == 4 && strcmp(argv[1], "refused") == 0) return refused(fd);
    fprintf(stderr, "usage: dgram serve PORT | ask ADDRESS PORT COUNT EVERY_MS | refused ADDRESS PORT | mirrors PORT COUNT | "
                    "seen ADDRESS PORT COUNT | ping ADDRESS COUNT\n");
    return 2;
}
