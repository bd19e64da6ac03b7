/* UDP over the kernel's sockets.
 *
 *     dgram serve PORT                          sends everything back to where it came from
 *     dgram ask ADDRESS PORT COUNT EVERY_MS     sends numbered datagrams, each from the same port, and prints
 * how many came back dgram refused ADDRESS PORT                sending must end in ECONNREFUSED */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
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

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "serve") == 0) return serve(argv[2]);
    int fd = argc >= 4 ? connect_to(argv[2], argv[3]) : -1;
    if (fd >= 0 && argc == 6 && strcmp(argv[1], "ask") == 0)
        return ask(fd, (unsigned)atoi(argv[4]), atoi(argv[5]));
    if (fd >= 0 && argc == 4 && strcmp(argv[1], "refused") == 0) return refused(fd);
    fprintf(stderr, "usage: dgram serve PORT | ask ADDRESS PORT COUNT EVERY_MS | refused ADDRESS PORT\n");
    return 2;
}
