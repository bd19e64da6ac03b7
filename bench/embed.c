/* Two programs in two namespaces joined by a veth, each with the stack in itself, beside the kernel's own and beside what the
 * way can carry at best.
 *
 *     bench_embed stream WAY SECONDS                      as fast as it goes, one connection, one way
 *     bench_embed connections|round_trips WAY COUNT       open, a byte each way, close; or a byte each way, again and again
 *
 * WAY: packet, packet_tcp   the host API over AF_PACKET at both ends, by MPTCP and by plain TCP
 *      udp, udp_tcp         the same over TCP in UDP
 *      mptcp, tcp           the kernel's sockets, writes of 64 KB
 *      bare_packet          stream: AF_PACKET with virtio headers that only moves super-segments of 60 KB
 *
 * Prints one line of JSON: gigabits a second of the receiver's time and the processor time of both ends for a gigabyte; or how
 * many a second, median and 99th percentile. With BENCH_OFFLOADS=off neither end of the veth takes super-segments. */
#define _GNU_SOURCE
#include "embed.h"

#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint8_t embed_chunk[EMBED_CHUNK_BYTES];

void embed_check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench_embed: %s: %s\n", what, strerror(errno));
    exit(1);
}

double embed_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const struct way {
    const char *name;
    const struct embed_ends *ends;
    bool multipath, udp;
} ways[] = {
    {"packet", &embed_braid, true, false}, {"packet_tcp", &embed_braid, false, false}, {"udp", &embed_braid, true, true},
    {"udp_tcp", &embed_braid, false, true}, {"mptcp", &embed_sockets, true, false},    {"tcp", &embed_sockets, false, false},
    {"bare_packet", &embed_bare, false, false},
};

static const struct way *way_find(const char *name) {
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(ways[i].name, name) == 0) return &ways[i];
    return NULL;
}

static const struct {
    const char *name;
    enum embed_what what;
} whats[] = {{"stream", EMBED_STREAM}, {"connections", EMBED_CONNECTIONS}, {"round_trips", EMBED_ROUND_TRIPS}};

/* ---- what both processes see ---- */

static void run(const char *command) { embed_check(system(command) == 0, command); }

static double seconds_used(void) {
    struct rusage own;
    getrusage(RUSAGE_SELF, &own);
    return (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) + (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
}

static void configure(const char *interface, const char *address) {
    char command[400];
    const char *offloads = getenv("BENCH_OFFLOADS");
    snprintf(command, sizeof(command), "ip link set lo up; ip address add %s/24 dev %s; ip link set %s up", address, interface,
             interface);
    run(command);
    if (offloads == NULL || strcmp(offloads, "off") != 0) return;
    snprintf(command, sizeof(command), "ethtool -K %s tso off gso off gro off", interface);
    run(command);
}

static _Noreturn void server_run(struct embed *e, int ready, int go) {
    char byte;
    embed_check(unshare(CLONE_NEWNET) == 0 && write(ready, "n", 1) == 1 && read(go, &byte, 1) == 1, "namespace");
    configure("there", EMBED_SERVER_ADDRESS);
    e->ready = ready;
    e->ends->serve(e);
    e->shared->server_used_s = seconds_used();
    exit(0);
}

static pid_t server_start(struct embed *e) {
    int ready[2], go[2];
    char byte, command[200];
    embed_check(unshare(CLONE_NEWNET) == 0, "a network namespace (root, or unshare -r)");
    embed_check(pipe(ready) == 0 && pipe(go) == 0, "pipe");
    pid_t server = fork();
    embed_check(server >= 0, "fork");
    if (server == 0) server_run(e, ready[1], go[0]);
    close(ready[1]);
    embed_check(read(ready[0], &byte, 1) == 1, "server");
    snprintf(command, sizeof(command), "ip link add here type veth peer name there address " EMBED_SERVER_MAC " && ip link set there netns %d",
             server);
    run(command);
    configure("here", EMBED_CLIENT_ADDRESS);
    embed_check(write(go[1], "g", 1) == 1 && read(ready[0], &byte, 1) == 1, "server");
    usleep(100000);
    return server;
}

/* ---- the figures ---- */

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

void embed_sample(struct embed *e, double took_s) {
    if (e->count < e->wanted) e->samples[e->count++] = (float)(took_s * 1e6);
}

static void print_exchange(struct embed *e, const char *what, const char *way) {
    double sum_us = 0;
    for (unsigned i = 0; i < e->count; i++) sum_us += (double)e->samples[i];
    qsort(e->samples, e->count, sizeof(*e->samples), compare);
    printf("{\"what\": \"%s\", \"client\": \"%s\", \"per_second\": %.0f, \"median_us\": %.1f, \"p99_us\": %.1f}\n", what, way,
           e->count / sum_us * 1e6, (double)e->samples[e->count / 2], (double)e->samples[(uint64_t)e->count * 99 / 100]);
}

int main(int count, char **arguments) {
    struct embed e = {0};
    const struct way *way = count == 4 ? way_find(arguments[2]) : NULL;
    unsigned what = 0;
    while (way != NULL && what < 3 && strcmp(whats[what].name, arguments[1]) != 0) what++;
    if (way == NULL || what == 3 || (way->ends == &embed_bare && whats[what].what != EMBED_STREAM)) {
        fprintf(stderr, "usage: bench_embed stream packet|packet_tcp|udp|udp_tcp|mptcp|tcp|bare_packet SECONDS\n"
                        "       bench_embed connections|round_trips packet|packet_tcp|udp|udp_tcp|mptcp|tcp COUNT\n");
        return 2;
    }
    e.what = whats[what].what;
    e.ends = way->ends;
    e.multipath = way->multipath;
    e.udp = way->udp;
    e.seconds = atof(arguments[3]);
    e.wanted = e.what == EMBED_STREAM ? 1 : (unsigned)atoi(arguments[3]);
    e.samples = calloc(e.wanted, sizeof(*e.samples));
    e.shared = mmap(NULL, sizeof(*e.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    embed_check(e.samples != NULL && e.shared != MAP_FAILED, "memory");
    pid_t server = server_start(&e);
    e.ends->use(&e);
    int status;
    embed_check(waitpid(server, &status, 0) == server && status == 0, "the server failed");
    if (e.what != EMBED_STREAM) print_exchange(&e, arguments[1], way->name);
    else
        printf("{\"way\": \"%s\", \"gbps\": %.2f, \"cpu_s_per_gb\": %.3f}\n", way->name,
               (double)e.shared->bytes * 8 / e.shared->seconds / 1e9,
               (e.shared->server_used_s + seconds_used()) * 1e9 / (double)e.shared->bytes);
    return 0;
}
