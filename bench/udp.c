/* UDP encapsulation between two braids in two namespaces joined by a veth, as fast as it goes, beside what the same machine
 * can do at best:
 *   braid    the host API over TCP in UDP, one connection, MPTCP
 *   bare     UDP sockets with UDP_SEGMENT and UDP_GRO that only move bytes, 64 KB a call
 *   tcp, mptcp   the kernel's own, 64 KB writes
 * Prints one line of JSON: gigabits a second of wall time, and the processor time of both ends for a gigabyte.
 *
 *   team     two connections at once, of two clients, to a server of one host (HOSTS 1) or of so many, a thread each
 *
 *   bench_udp braid|bare|tcp|mptcp|team SECONDS [HOSTS] */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <braid/braid.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CLIENT_ADDRESS "10.8.0.1"
#define SERVER_ADDRESS "10.8.0.2"
#define PORT 5001
#define CHUNK_BYTES (256u << 10)
#define PIECE_BYTES 1472
#define PIECES 44
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

static uint8_t chunk[CHUNK_BYTES];

static void check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench_udp: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool counts_children; /* that are clients, and no ip(8) */

static double seconds_used(void) {
    struct rusage own;
    struct rusage ended; /* of the other clients */
    getrusage(RUSAGE_SELF, &own);
    getrusage(RUSAGE_CHILDREN, &ended);
    if (!counts_children) ended = (struct rusage){0};
    return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec + ended.ru_utime.tv_sec + ended.ru_stime.tv_sec) +
           (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec + ended.ru_utime.tv_usec + ended.ru_stime.tv_usec) / 1e6;
}

static void run(const char *command) { check(system(command) == 0, command); }

/* ---- the ends, each a way to move bytes ---- */

struct result {
    uint64_t bytes;
    double seconds, used_s;
};

static struct braid_host *host_on(const char *address, uint16_t port) {
    char text[BRAID_TEXT_MAX] = "";
    struct braid_udp_link link = {.address = address};
    struct braid_host_config config = {.udp = &link, .udp_count = 1, .port_first = port, .port_count = 1};
    struct braid_host *host = braid_host_create(&config, text);
    check(host != NULL, text);
    return host;
}

static void braid_take(struct result *result, int ready) {
    int error;
    struct braid_host *host = host_on(SERVER_ADDRESS, PORT);
    struct braid_server *server = braid_listen(host, PORT, &error);
    check(server != NULL && write(ready, "r", 1) == 1, "listen");
    struct braid_stream *stream = braid_accept(server, BRAID_NEVER, &error);
    check(stream != NULL, "accept");
    int64_t got;
    double start = seconds_now();
    while ((got = braid_recv(stream, chunk, sizeof(chunk), BRAID_NEVER)) > 0) result->bytes += (uint64_t)got;
    result->seconds = seconds_now() - start;
    braid_close(stream);
    braid_host_destroy(host, BRAID_NS_PER_S);
}

static void braid_give(double seconds) {
    int error;
    struct braid_host *host = host_on(CLIENT_ADDRESS, 0);
    struct braid_stream *stream = braid_open(host, SERVER_ADDRESS, PORT, BRAID_NEVER, &error);
    check(stream != NULL, "open");
    for (double end = seconds_now() + seconds; seconds_now() < end;)
        check(braid_send(stream, chunk, sizeof(chunk), BRAID_NEVER) == sizeof(chunk), "send");
    braid_close(stream);
    braid_host_destroy(host, 5 * BRAID_NS_PER_S);
}

/* ---- two connections, and a server of several hosts ---- */

enum { CONNECTIONS = 2, HOSTS_MAX = 8 };

static struct braid_team *team;
static unsigned team_hosts = 1;
static atomic_uint team_ready, team_over;
static atomic_uint_fast64_t team_bytes;
static atomic_flag team_started = ATOMIC_FLAG_INIT;
static double team_start, team_end;

static void team_drain(struct braid_stream *stream) {
    static _Thread_local uint8_t bytes[CHUNK_BYTES];
    int64_t got;
    while ((got = braid_recv(stream, bytes, sizeof(bytes), 0)) > 0) team_bytes += (uint64_t)got;
    if (got == -EAGAIN) return;
    braid_close(stream);
    if (++team_over == CONNECTIONS) team_end = seconds_now();
}

static void team_read(struct braid_host *host, struct braid_server *server) {
    struct braid_ready news;
    struct braid_stream *stream;
    int error;
    while (team_over < CONNECTIONS) {
        if (!braid_wait(host, &news, 10 * BRAID_NS_PER_MS)) continue;
        if (news.stream != NULL) team_drain(news.stream);
        while (news.server != NULL && (stream = braid_accept(server, 0, &error)) != NULL) {
            if (!atomic_flag_test_and_set(&team_started)) team_start = seconds_now();
            team_drain(stream);
        }
    }
}

static void *team_member(void *argument) {
    unsigned place = (unsigned)(uintptr_t)argument;
    char text[BRAID_TEXT_MAX] = "";
    int error;
    struct braid_udp_link link = {.address = SERVER_ADDRESS};
    struct braid_host_config config = {
        .udp = &link, .udp_count = 1, .port_first = PORT, .port_count = 1, .team = team, .team_place = place};
    while (team_ready != place) sched_yield();
    struct braid_host *host = braid_host_create(&config, text);
    check(host != NULL, text);
    struct braid_server *server = braid_listen(host, PORT, &error);
    check(server != NULL, "listen");
    team_ready++;
    team_read(host, server);
    braid_host_destroy(host, BRAID_NS_PER_S);
    return NULL;
}

static void team_take(struct result *result, int ready) {
    pthread_t threads[HOSTS_MAX];
    team = braid_team_create(team_hosts);
    check(team != NULL, "team");
    for (unsigned i = 0; i < team_hosts; i++) pthread_create(&threads[i], NULL, team_member, (void *)(uintptr_t)i);
    while (team_ready < team_hosts) usleep(1000);
    check(write(ready, "r", 1) == 1, "ready");
    for (unsigned i = 0; i < team_hosts; i++) pthread_join(threads[i], NULL);
    result->bytes = team_bytes;
    result->seconds = team_end - team_start;
    braid_team_destroy(team);
}

static void team_give(double seconds) {
    pid_t others[CONNECTIONS - 1];
    for (unsigned i = 0; i < CONNECTIONS - 1; i++) {
        others[i] = fork();
        if (others[i] == 0) {
            braid_give(seconds);
            _exit(0);
        }
    }
    braid_give(seconds);
    for (unsigned i = 0; i < CONNECTIONS - 1; i++) waitpid(others[i], NULL, 0);
}

static int socket_at(int type, int protocol, const char *address, uint16_t port, bool connected) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    check(inet_pton(AF_INET, address, &to.sin_addr) == 1, "address");
    int fd = socket(AF_INET, type, protocol), one = 1, size = 8 << 20;
    check(fd >= 0, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (type == SOCK_DGRAM) setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    check((connected ? connect : bind)(fd, (struct sockaddr *)&to, sizeof(to)) == 0, "connect or bind");
    return fd;
}

static void bare_take(struct result *result, int ready) {
    int fd = socket_at(SOCK_DGRAM, 0, SERVER_ADDRESS, PORT, false), one = 1;
    check(setsockopt(fd, IPPROTO_UDP, 104 /* UDP_GRO */, &one, sizeof(one)) == 0 && write(ready, "r", 1) == 1, "UDP_GRO");
    ssize_t got;
    double start = 0;
    while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 1) {
        if (start == 0) start = seconds_now();
        result->bytes += (uint64_t)got;
    }
    result->seconds = seconds_now() - start;
}

static void bare_give(double seconds) {
    int fd = socket_at(SOCK_DGRAM, 0, SERVER_ADDRESS, PORT, true), piece = PIECE_BYTES;
    check(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &piece, sizeof(piece)) == 0, "UDP_SEGMENT");
    for (double end = seconds_now() + seconds; seconds_now() < end;)
        check(send(fd, chunk, PIECES * PIECE_BYTES, 0) > 0 || errno == EAGAIN || errno == ENOBUFS, "send");
    for (int i = 0; i < 100; i++) { /* one of them arrives */
        (void)!send(fd, chunk, 1, 0);
        usleep(2000);
    }
}

static void stream_take(struct result *result, int ready, int protocol) {
    int listener = socket_at(SOCK_STREAM, protocol, SERVER_ADDRESS, PORT, false);
    check(listen(listener, 1) == 0 && write(ready, "r", 1) == 1, "listen");
    int fd = accept(listener, NULL, NULL);
    ssize_t got;
    double start = seconds_now();
    while ((got = recv(fd, chunk, sizeof(chunk), 0)) > 0) result->bytes += (uint64_t)got;
    result->seconds = seconds_now() - start;
}

static void stream_give(double seconds, int protocol) {
    int fd = socket_at(SOCK_STREAM, protocol, SERVER_ADDRESS, PORT, true);
    for (double end = seconds_now() + seconds; seconds_now() < end;)
        check(send(fd, chunk, 65536, 0) > 0, "send");
    close(fd);
}

/* ---- both in their namespaces ---- */

static void take(const char *way, struct result *result, int ready) {
    if (strcmp(way, "braid") == 0) braid_take(result, ready);
    else if (strcmp(way, "team") == 0) team_take(result, ready);
    else if (strcmp(way, "bare") == 0) bare_take(result, ready);
    else stream_take(result, ready, strcmp(way, "mptcp") == 0 ? IPPROTO_MPTCP : 0);
}

static void give(const char *way, double seconds) {
    if (strcmp(way, "braid") == 0) braid_give(seconds);
    else if (strcmp(way, "team") == 0) team_give(seconds);
    else if (strcmp(way, "bare") == 0) bare_give(seconds);
    else stream_give(seconds, strcmp(way, "mptcp") == 0 ? IPPROTO_MPTCP : 0);
}

static void server_run(const char *way, int ready, int go, int results) {
    char byte;
    struct result result = {0};
    check(unshare(CLONE_NEWNET) == 0 && write(ready, "n", 1) == 1 && read(go, &byte, 1) == 1, "namespace");
    run("ip link set lo up; ip address add " SERVER_ADDRESS "/24 dev there; ip link set there up");
    take(way, &result, ready);
    result.used_s = seconds_used();
    check(write(results, &result, sizeof(result)) == sizeof(result), "result");
    exit(0);
}

int main(int count, char **arguments) {
    int ready[2], go[2], results[2];
    char byte, command[200];
    if (count < 3) {
        fprintf(stderr, "usage: bench_udp braid|bare|tcp|mptcp|team SECONDS [HOSTS]\n");
        return 2;
    }
    if (count > 3) team_hosts = (unsigned)atoi(arguments[3]);
    check(team_hosts > 0 && team_hosts <= HOSTS_MAX, "hosts: 1 to 8");
    const char *way = arguments[1];
    check(unshare(CLONE_NEWNET) == 0, "a network namespace (root, or unshare -r)");
    check(pipe(ready) == 0 && pipe(go) == 0 && pipe(results) == 0, "pipe");
    pid_t server = fork();
    if (server == 0) server_run(way, ready[1], go[0], results[1]);
    close(results[1]);
    check(read(ready[0], &byte, 1) == 1, "server");
    run("ip link set lo up; ip link add here type veth peer name there; ip address add " CLIENT_ADDRESS "/24 dev here");
    snprintf(command, sizeof(command), "ip link set here up; ip link set there netns %d", server);
    run(command);
    check(write(go[1], "g", 1) == 1 && read(ready[0], &byte, 1) == 1, "server");
    usleep(100000);
    struct result result;
    counts_children = strcmp(way, "team") == 0;
    give(way, atof(arguments[2]));
    check(read(results[0], &result, sizeof(result)) == sizeof(result), "no result");
    printf("{\"way\": \"%s%.0u\", \"gbps\": %.2f, \"cpu_s_per_gb\": %.3f}\n", way, counts_children ? team_hosts : 0, (double)result.bytes * 8 / result.seconds / 1e9,
           (result.used_s + seconds_used()) * 1e9 / (double)result.bytes);
    waitpid(server, NULL, 0);
    return 0;
}
