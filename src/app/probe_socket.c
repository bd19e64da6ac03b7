#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include "probe_internal.h"

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

double probe_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int open_socket(const struct probe_options *options, int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, options->mptcp ? IPPROTO_MPTCP : IPPROTO_TCP);
    const char *name = options->congestion;
    if (fd >= 0 && options->receive_buffer_bytes > 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &options->receive_buffer_bytes, sizeof(int)) != 0) {
        fprintf(stderr, "braid: the kernel refuses a receive buffer of %d bytes: %s\n", options->receive_buffer_bytes, strerror(errno));
        close(fd);
        return -1;
    }
    if (fd < 0 || name == NULL || setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name)) == 0)
        return fd;
    fprintf(stderr, "braid: the kernel refuses the congestion control %s: %s\n", name, strerror(errno));
    close(fd);
    return -1;
}

static int failed(int fd, const char *what, const char *where) {
    fprintf(stderr, "braid: %s %s: %s\n", what, where, strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
}

int probe_connect(const struct probe_options *options) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *addresses = NULL;
    int error = getaddrinfo(options->host, options->port, &hints, &addresses), fd = -1;
    if (error != 0) {
        fprintf(stderr, "braid: %s port %s: %s\n", options->host, options->port, gai_strerror(error));
        return -1;
    }
    for (struct addrinfo *address = addresses; address != NULL && fd < 0; address = address->ai_next) {
        fd = open_socket(options, address->ai_family);
        if (fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) == 0) break;
        int saved = errno;
        if (fd >= 0) close(fd);
        fd = -1;
        errno = saved;
    }
    freeaddrinfo(addresses);
    return fd >= 0 ? fd : failed(-1, "no connection to", options->host);
}

/* IPv6 takes IPv4 too; where there is no IPv6, IPv4 alone. */
int probe_listen(const struct probe_options *options) {
    struct addrinfo hints = {.ai_family = AF_INET6, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                    *address = NULL;
    int yes = 1, no = 0, fd = open_socket(options, AF_INET6);
    if (fd < 0) {
        hints.ai_family = AF_INET;
        fd = open_socket(options, AF_INET);
    }
    if (fd < 0 || getaddrinfo(NULL, options->port, &hints, &address) != 0)
        return failed(fd, "port", options->port);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (hints.ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no));
    bool good = bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, 1024) == 0;
    int saved = errno;
    freeaddrinfo(address);
    errno = saved;
    return good ? fd : failed(fd, "port", options->port);
}

bool probe_write_all(int fd, const void *bytes, size_t length) {
    for (const char *from = bytes; length > 0;) {
        ssize_t written = write(fd, from, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        from += written;
        length -= (size_t)written;
    }
    return true;
}

bool probe_read_line(int fd, char *line, size_t size) {
    for (size_t length = 0; length < size; length++) {
        ssize_t got;
        do
            got = read(fd, line + length, 1);
        while (got < 0 && errno == EINTR);
        if (got != 1) return false;
        if (line[length] != '\n') continue;
        line[length] = '\0';
        return true;
    }
    return false;
}

void probe_set_timeout(int fd, double seconds) {
    struct timeval limit = {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
}

void probe_no_delay(int fd) {
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}
