/* The two ends of a TCP or MPTCP connection over the kernel's sockets, each checking what it sees of the other.
 *
 *     ends serve   [--mptcp] PORT HOW            takes one connection; exit status 0 when all went as HOW says
 *     ends connect [--mptcp] ADDRESS PORT HOW    the other end, likewise
 *
 * HOW, as the server does it (the client does what fits):
 *     closes_first     sends a megabyte, ends its direction, then takes the client's megabyte
 *     closes_last      takes the client's megabyte up to its end, then sends one
 *     both_close       both send a megabyte and end their direction at the same time
 *     resets           takes a little and resets; the client must learn of it by ECONNRESET
 *     is_reset         the client resets; the server must learn of it by ECONNRESET
 *     small_writes     both send 10,000 writes of 1 to 1400 bytes at the same time
 *     refuses          (client only) connecting must end in ECONNREFUSED
 *     is_unreachable   (client only) connecting must end in EHOSTUNREACH or ENETUNREACH */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#define WRITES 10000u
#define WRITE_MAX_BYTES 1400u

static const char *me;
static uint64_t megabyte = 1000000; /* or as many bytes as the environment's ENDS_BYTES says */

static void expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s: %s (errno: %s)\n", me, what, strerror(errno));
    exit(1);
}

/* Byte `i` of what the server (client) sends: no two stretches alike, each direction its own. */
static uint8_t byte_at(uint64_t i, bool of_server) {
    uint64_t x = (i / 251 + 1) * (of_server ? UINT64_C(0x9e3779b97f4a7c15) : UINT64_C(0xd1b54a32d192ed03));
    return (uint8_t)((x >> 32) + i);
}

static void send_bytes(int fd, uint64_t *sent, size_t count, bool of_server) {
    static uint8_t block[65536];
    while (count > 0) {
        size_t now = count < sizeof block ? count : sizeof block;
        for (size_t i = 0; i < now; i++) block[i] = byte_at(*sent + i, of_server);
        ssize_t written = send(fd, block, now, MSG_NOSIGNAL);
        expect(written > 0, "sending failed");
        *sent += (uint64_t)written;
        count -= (size_t)written;
    }
}

/* Takes bytes until the other end closes its direction, checking each. */
static void take_all(int fd, uint64_t expected, bool of_server) {
    static uint8_t block[65536];
    uint64_t taken = 0;
    ssize_t count;
    while ((count = recv(fd, block, sizeof block, 0)) > 0) {
        for (ssize_t i = 0; i < count; i++)
            expect(block[i] == byte_at(taken + (uint64_t)i, of_server), "a byte that arrived is not the one sent");
        taken += (uint64_t)count;
    }
    expect(count == 0, "the stream did not end as it should");
    if (taken != expected) fprintf(stderr, "%s: %llu bytes came\n", me, (unsigned long long)taken);
    expect(taken == expected, "the stream does not have the length it should");
}

/* Sizes of the small writes are the same at both ends. */
static size_t write_size(unsigned i, bool of_server) {
    return 1 + (i * 2654435761u + (of_server ? 12345u : 0)) / 7 % WRITE_MAX_BYTES;
}

static uint64_t small_writes_bytes(bool of_server) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < WRITES; i++) bytes += write_size(i, of_server);
    return bytes;
}

static void send_small_writes(int fd, bool of_server) {
    uint64_t sent = 0;
    for (unsigned i = 0; i < WRITES; i++) {
        send_bytes(fd, &sent, write_size(i, of_server), of_server);
        if (i % 100 == 0) usleep(1000); /* lets the sender run dry now and then */
    }
}

static void send_and_end(int fd, bool server, bool small) {
    uint64_t sent = 0;
    if (small) {
        send_small_writes(fd, server);
    } else {
        const char *pause_ms = getenv("ENDS_PAUSE_MS"); /* for subflows to be joined before all is over */
        if (pause_ms != NULL) {
            send_bytes(fd, &sent, 1000, server);
            usleep((useconds_t)atoi(pause_ms) * 1000);
        }
        send_bytes(fd, &sent, megabyte - sent, server);
    }
    expect(shutdown(fd, SHUT_WR) == 0, "shutdown failed");
}

static void both_at_once(int fd, bool server, bool small) {
    pid_t child = fork();
    expect(child >= 0, "fork failed");
    if (child == 0) {
        send_and_end(fd, server, small);
        _exit(0);
    }
    take_all(fd, small ? small_writes_bytes(!server) : megabyte, !server);
    int status;
    expect(waitpid(child, &status, 0) == child && status == 0, "the sending half failed");
}

static void reset(int fd, bool server) {
    uint64_t sent = 0;
    uint8_t some[1000];
    send_bytes(fd, &sent, 1000, server);
    expect(recv(fd, some, sizeof some, MSG_WAITALL) == sizeof some, "nothing came before the reset");
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    expect(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0, "SO_LINGER failed");
    close(fd);
}

static void expect_reset(int fd, bool server) {
    uint64_t sent = 0;
    uint8_t some[1000];
    send_bytes(fd, &sent, 1000, server);
    ssize_t count;
    while ((count = recv(fd, some, sizeof some, 0)) > 0) {
    }
    expect(count < 0 && errno == ECONNRESET, "the connection ended otherwise than by a reset");
}

static void converse(int fd, bool server, const char *how) {
    bool first = strcmp(how, "closes_first") == 0, last = strcmp(how, "closes_last") == 0;
    bool small = strcmp(how, "small_writes") == 0;
    if (first || last) {
        if (first == server) send_and_end(fd, server, false);
        take_all(fd, megabyte, !server);
        if (first != server) send_and_end(fd, server, false);
    } else if (strcmp(how, "both_close") == 0 || small) {
        both_at_once(fd, server, small);
    } else if ((strcmp(how, "resets") == 0) == server) {
        reset(fd, server);
    } else {
        expect_reset(fd, server);
    }
}

static int accept_one(const char *port, int protocol) {
    int listener = socket(AF_INET6, SOCK_STREAM, protocol), off = 0, on = 1;
    expect(listener >= 0, "no socket");
    setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(port))};
    expect(bind(listener, (struct sockaddr *)&any, sizeof any) == 0 && listen(listener, 8) == 0, "cannot listen");
    int fd = accept(listener, NULL, NULL);
    expect(fd >= 0, "accept failed");
    close(listener);
    return fd;
}

static int connect_to(const char *address, const char *port, int protocol, const char *how) {
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found;
    expect(getaddrinfo(address, port, &hints, &found) == 0, "bad address");
    int fd = socket(found->ai_family, SOCK_STREAM, protocol);
    expect(fd >= 0, "no socket");
    int result = connect(fd, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (strcmp(how, "refuses") == 0) {
        expect(result != 0 && errno == ECONNREFUSED, "connecting did not end in ECONNREFUSED");
        exit(0);
    }
    if (strcmp(how, "is_unreachable") == 0) {
        expect(result != 0 && (errno == EHOSTUNREACH || errno == ENETUNREACH), "connecting did not end in unreachable");
        exit(0);
    }
    expect(result == 0, "connecting failed");
    return fd;
}

int main(int argc, char **argv) {
    bool mptcp = argc > 2 && strcmp(argv[2], "--mptcp") == 0;
    char **rest = argv + (mptcp ? 3 : 2);
    int count = argc - (mptcp ? 3 : 2), protocol = mptcp ? IPPROTO_MPTCP : 0;
    bool server = argc > 1 && strcmp(argv[1], "serve") == 0;
    if (argc < 2 || count != (server ? 2 : 3)) {
        fprintf(stderr, "usage: ends serve [--mptcp] PORT HOW | ends connect [--mptcp] ADDRESS PORT HOW\n");
        return 2;
    }
    if (getenv("ENDS_BYTES") != NULL) megabyte = strtoull(getenv("ENDS_BYTES"), NULL, 10);
    me = server ? "server" : "client";
    int fd = server ? accept_one(rest[0], protocol) : connect_to(rest[0], rest[1], protocol, rest[2]);
    converse(fd, server, rest[count - 1]);
    return 0;
}
