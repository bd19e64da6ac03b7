/* One connection by the kernel's sockets, as fast as it goes, and the longest time for which its receiver saw no byte:
 *   bench_stream serve PORT tcp|mptcp CONGESTION
 *   bench_stream up|down ADDRESS PORT tcp|mptcp CONGESTION WRITE_BYTES SECONDS
 * The client prints one line of JSON: gigabits a second of the receiver's time, its longest gap, and how many were over 10 ms.
 * The first 0.2 s do not count: they are the start of it, which braid's two halves have twice. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define START_S 0.2
#define STALL_S 0.01
#define CHUNK_BYTES (256u << 10)
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static uint8_t chunk[CHUNK_BYTES];

/* What the client asks for, and what a receiver saw. */
struct request {
    uint32_t down, write_bytes;
    double seconds;
};
struct result {
    uint64_t bytes, all_bytes, stalls; /* all: with those of the start */
    double seconds, longest_s;
};

static void check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench_stream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int socket_new(const char *protocol, const char *congestion) {
    int fd = socket(AF_INET, SOCK_STREAM, strcmp(protocol, "mptcp") == 0 ? IPPROTO_MPTCP : 0), one = 1;
    check(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    check(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, congestion, (socklen_t)strlen(congestion)) == 0, congestion);
    return fd;
}

static struct result take(int fd) {
    struct result result = {0};
    double begin = seconds_now(), last = 0, first = 0;
    ssize_t got;
    while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0) {
        double now = seconds_now();
        result.all_bytes += (uint64_t)got;
        if (now - begin < START_S) continue;
        if (first == 0) {
            first = last = now;
            continue;
        }
        result.bytes += (uint64_t)got;
        if (now - last > result.longest_s) result.longest_s = now - last;
        if (now - last > STALL_S) result.stalls++;
        last = now;
    }
    result.seconds = last - first;
    return result;
}

static void give(int fd, const struct request *request) {
    for (double end = seconds_now() + request->seconds; seconds_now() < end;)
        check(send(fd, chunk, request->write_bytes, 0) > 0, "send");
    check(shutdown(fd, SHUT_WR) == 0, "shutdown");
}

static void answer(int fd) {
    struct request request;
    if (recv(fd, &request, sizeof(request), MSG_WAITALL) != sizeof(request) || request.write_bytes > sizeof(chunk)) exit(0);
    if (request.down) give(fd, &request);
    else {
        struct result result = take(fd);
        check(send(fd, &result, sizeof(result), 0) == sizeof(result), "result");
    }
    exit(0);
}

static _Noreturn void serve(char **arguments) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[2]))};
    int listener = socket_new(arguments[3], arguments[4]);
    signal(SIGCHLD, SIG_IGN);
    check(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 8) == 0, "listen");
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        check(fd >= 0, "accept");
        if (fork() == 0) answer(fd);
        close(fd);
    }
}

static int run(char **arguments) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[3]))};
    struct request request = {strcmp(arguments[1], "down") == 0, (uint32_t)atoi(arguments[6]), atof(arguments[7])};
    struct result result;
    int fd = socket_new(arguments[4], arguments[5]);
    check(request.write_bytes > 0 && request.write_bytes <= sizeof(chunk), "bytes of a write");
    check(inet_pton(AF_INET, arguments[2], &to.sin_addr) == 1 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect");
    check(send(fd, &request, sizeof(request), 0) == sizeof(request), "request");
    if (request.down) result = take(fd);
    else {
        give(fd, &request);
        check(recv(fd, &result, sizeof(result), MSG_WAITALL) == sizeof(result), "result");
    }
    printf("{\"gbps\": %.3f, \"longest_ms\": %.2f, \"stalls\": %llu, \"bytes\": %llu, \"all_bytes\": %llu}\n",
           result.seconds > 0 ? (double)result.bytes * 8 / result.seconds / 1e9 : 0, result.longest_s * 1e3,
           (unsigned long long)result.stalls, (unsigned long long)result.bytes, (unsigned long long)result.all_bytes);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 5 && strcmp(arguments[1], "serve") == 0) serve(arguments);
    if (count == 8 && (strcmp(arguments[1], "up") == 0 || strcmp(arguments[1], "down") == 0)) return run(arguments);
    fprintf(stderr, "usage: bench_stream serve PORT tcp|mptcp CONGESTION\n"
                    "       bench_stream up|down ADDRESS PORT tcp|mptcp CONGESTION WRITE_BYTES SECONDS\n");
    return 2;
}
