/* The kernel's TCP and MPTCP. */
#include "embed.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static int socket_at(const struct embed *e, bool connected) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(EMBED_PORT)};
    int fd = socket(AF_INET, SOCK_STREAM, e->multipath ? IPPROTO_MPTCP : 0), one = 1;
    embed_check(fd >= 0 && inet_pton(AF_INET, EMBED_SERVER_ADDRESS, &at.sin_addr) == 1, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    embed_check((connected ? connect : bind)(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "connect or bind");
    return fd;
}

static void stream_take(struct embed *e, int fd) {
    ssize_t got;
    double start = embed_seconds();
    while ((got = recv(fd, embed_chunk, sizeof(embed_chunk), 0)) > 0) e->shared->bytes += (uint64_t)got;
    e->shared->seconds = embed_seconds() - start;
}

static void answer_all(int fd) {
    char byte;
    while (recv(fd, &byte, 1, 0) == 1 && send(fd, &byte, 1, 0) == 1) continue;
}

static void serve(struct embed *e) {
    int listener = socket_at(e, false);
    embed_check(listen(listener, 64) == 0 && write(e->ready, "r", 1) == 1, "listen");
    unsigned connections = e->what == EMBED_CONNECTIONS ? e->wanted : 1;
    for (unsigned i = 0; i < connections; i++) {
        int fd = accept(listener, NULL, NULL);
        embed_check(fd >= 0, "accept");
        if (e->what == EMBED_STREAM) stream_take(e, fd);
        else answer_all(fd);
        close(fd);
    }
}

static void byte_each_way(int fd) {
    char byte = 'x';
    embed_check(send(fd, &byte, 1, 0) == 1 && recv(fd, &byte, 1, 0) == 1, "a byte each way");
}

static void use(struct embed *e) {
    int fd = -1;
    if (e->what == EMBED_STREAM) {
        fd = socket_at(e, true);
        for (double end = embed_seconds() + e->seconds; embed_seconds() < end;)
            embed_check(send(fd, embed_chunk, EMBED_WRITE_BYTES, 0) > 0, "send");
    }
    if (e->what == EMBED_ROUND_TRIPS) fd = socket_at(e, true);
    while (e->what != EMBED_STREAM && e->count < e->wanted) {
        double start = embed_seconds();
        if (e->what == EMBED_CONNECTIONS) fd = socket_at(e, true);
        byte_each_way(fd);
        if (e->what == EMBED_CONNECTIONS) close(fd);
        embed_sample(e, embed_seconds() - start);
    }
    if (e->what != EMBED_CONNECTIONS) close(fd);
}

const struct embed_ends embed_sockets = {serve, use};
