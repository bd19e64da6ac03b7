/* Short exchanges with Fast Open (RFC 7413) over the kernel's sockets, one connection each: a request of 200 bytes and an
 * answer of 300.
 *
 *     early serve   [--mptcp] PORT COUNT             takes so many, then ends
 *     early connect [--mptcp] ADDRESS PORT COUNT     makes so many
 *
 * Prints how many of them had their request in the SYN: as JSON, {"early": N}. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/tcp.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef MSG_FASTOPEN
#define MSG_FASTOPEN 0x20000000
#endif
#define REQUEST_BYTES 200
#define ANSWER_BYTES 300

static void expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "early: %s (errno: %s)\n", what, strerror(errno));
    exit(1);
}

static void fill(char *bytes, size_t length, int seed) {
    for (size_t i = 0; i < length; i++) bytes[i] = (char)(i * 7 + (size_t)seed);
}

static void take(int fd, size_t length, int seed) {
    char got[ANSWER_BYTES], right[ANSWER_BYTES];
    fill(right, length, seed);
    expect(recv(fd, got, length, MSG_WAITALL) == (ssize_t)length, "too few bytes came");
    expect(memcmp(got, right, length) == 0, "other bytes came than were sent");
}

static bool was_early(int fd) {
    struct tcp_info info;
    socklen_t length = sizeof(info);
    expect(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0, "no TCP_INFO");
    return (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

static int serve(const char *port, int count, int protocol) {
    int listener = socket(AF_INET6, SOCK_STREAM, protocol), on = 1, off = 0, pending = 16, early = 0;
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    expect(listener >= 0, "no socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    expect(bind(listener, (struct sockaddr *)&any, sizeof(any)) == 0, "cannot bind");
    expect(setsockopt(listener, IPPROTO_TCP, TCP_FASTOPEN, &pending, sizeof(pending)) == 0, "no TCP_FASTOPEN");
    expect(listen(listener, 16) == 0, "cannot listen");
    for (int i = 0; i < count; i++) {
        char answer[ANSWER_BYTES];
        int fd = accept(listener, NULL, NULL);
        expect(fd >= 0, "accept failed");
        take(fd, REQUEST_BYTES, i);
        early += was_early(fd);
        fill(answer, sizeof(answer), i + 1);
        expect(send(fd, answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer), "sending failed");
        expect(recv(fd, answer, 1, 0) == 0, "the client did not end as it should");
        close(fd);
    }
    return early;
}

static int connect_to(const char *address, const char *port, int count, int protocol) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    int early = 0;
    expect(getaddrinfo(address, port, &hints, &found) == 0, "bad address");
    for (int i = 0; i < count; i++) {
        char request[REQUEST_BYTES], end;
        int fd = socket(found->ai_family, SOCK_STREAM, protocol);
        fill(request, sizeof(request), i);
        expect(sendto(fd, request, sizeof(request), MSG_FASTOPEN | MSG_NOSIGNAL, found->ai_addr, found->ai_addrlen) ==
                   sizeof(request), "sendto with MSG_FASTOPEN failed");
        take(fd, ANSWER_BYTES, i + 1);
        early += was_early(fd);
        shutdown(fd, SHUT_WR);
        expect(recv(fd, &end, 1, 0) == 0, "the server did not end as it should");
        close(fd);
    }
    freeaddrinfo(found);
    return early;
}

int main(int argc, char **argv) {
    bool mptcp = argc > 2 && strcmp(argv[2], "--mptcp") == 0;
    char **rest = argv + (mptcp ? 3 : 2);
    int count = argc - (mptcp ? 3 : 2), protocol = mptcp ? IPPROTO_MPTCP : 0, early;
    bool server = argc > 1 && strcmp(argv[1], "serve") == 0;
    if (argc < 2 || count != (server ? 2 : 3)) {
        fprintf(stderr, "usage: early serve [--mptcp] PORT COUNT | early connect [--mptcp] ADDRESS PORT COUNT\n");
        return 2;
    }
    early = server ? serve(rest[0], atoi(rest[1]), protocol) : connect_to(rest[0], rest[1], atoi(rest[2]), protocol);
    printf("{\"early\":%d}\n", early);
    return 0;
}
