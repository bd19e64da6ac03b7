/* Many idle connections in one process: what one costs in memory, and what all of them cost in time.
 *
 *     bench_idle CONNECTIONS PATHS
 *
 * PATHS: 0 is plain TCP, else the subflows of MPTCP. Opens them between two stacks in memory, each with one
 * byte said by the client and read, and prints one line of JSON. Memory is what the stack asked its
 * environment for, on each side, per connection, and what the process has resident for both sides. Times are
 * of the processor, for all of them: to open, to look at each (path, counters, deadline), to let the client's
 * time out when the peer does not answer one more byte, and to close on the server's side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pair.h"

#define PORT_FIRST 1024
#define PORTS 60000u /* of the client, for each port of the server */
#define OPENING_AT_ONCE 500u
#define ROUNDS_MAX 200
#define TIME_OUT_STEP_NS (30 * BRAID_NS_PER_S)
#define TIME_OUT_MAX_NS (3600 * BRAID_NS_PER_S)

struct crowd {
    struct pair pair;
    struct braid_connection **ours, **theirs;
    unsigned count, paths, accepted, closed;
};

static void take_events(struct crowd *crowd) {
    struct braid_event event;
    uint8_t byte[16];
    while (braid_stack_next_event(crowd->pair.client.stack, &event))
        if (event.bits & BRAID_EVENT_CLOSED) crowd->closed++;
    while (braid_stack_next_event(crowd->pair.server.stack, &event)) {
        if (event.bits & BRAID_EVENT_ACCEPTED) crowd->theirs[crowd->accepted++] = event.connection;
        if (event.bits & BRAID_EVENT_READABLE)
            (void)braid_connection_read(event.connection, byte, sizeof(byte), crowd->pair.now);
    }
}

static void open_one(struct crowd *crowd, unsigned index) {
    struct braid_connect_config connect = {.remote = pair_server_endpoint((uint16_t)(1 + index / PORTS)),
                                           .multipath = crowd->paths > 0,
                                           .local = pair_client_address(0)};
    enum braid_connect_error error;
    crowd->ours[index] = braid_stack_connect(crowd->pair.client.stack, &connect, crowd->pair.now, &error);
    pair_check(crowd->ours[index] != NULL, "no connection");
    pair_check(braid_connection_write(crowd->ours[index], "x", 1, crowd->pair.now) == 1,
               "no room for a byte");
}

static bool all_there(const struct crowd *crowd, unsigned count) {
    struct braid_connection_info info;
    if (crowd->accepted < count) return false;
    braid_connection_info(crowd->ours[count - 1], &info);
    return info.bytes_acknowledged == 1 && (crowd->paths == 0 || info.paths == crowd->paths);
}

static void open_all(struct crowd *crowd) {
    for (unsigned opened = 0; opened < crowd->count;) {
        for (unsigned i = 0; i < OPENING_AT_ONCE && opened < crowd->count; i++)
            open_one(crowd, opened++);
        int rounds = 0;
        while (!all_there(crowd, opened)) {
            pair_round(&crowd->pair);
            take_events(crowd);
            pair_check(rounds++ < ROUNDS_MAX, "not every connection opened");
        }
    }
    for (int i = 0; i < 3000; i++) { /* what is delayed is said, so that all is quiet */
        pair_round(&crowd->pair);
        take_events(crowd);
    }
}

static void look_at_each(struct crowd *crowd) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < crowd->count; i++) {
        struct braid_path_info path;
        struct braid_connection_info info;
        braid_connection_info(crowd->ours[i], &info);
        for (unsigned k = 0; k < info.paths; k++)
            sum += braid_connection_path(crowd->ours[i], k, &path) ? path.rtt_us : 0;
    }
    sum += braid_stack_deadline(crowd->pair.client.stack);
    __asm__ volatile("" ::"r"(sum));
}

/* Nothing of the client's arrives any more. */
static void drop_all_sent(struct crowd *crowd) {
    static struct braid_packet_out packets[32];
    size_t count;
    do {
        count = braid_stack_output(crowd->pair.client.stack, packets, 32, crowd->pair.now);
        for (size_t i = 0; i < count; i++)
            braid_packet_out_release(&packets[i]);
    } while (count > 0);
}

static void time_out_all(struct crowd *crowd) {
    braid_time end = crowd->pair.now + TIME_OUT_MAX_NS;
    for (unsigned i = 0; i < crowd->count; i++)
        (void)braid_connection_write(crowd->ours[i], "y", 1, crowd->pair.now);
    while (crowd->closed < crowd->count && crowd->pair.now < end) {
        drop_all_sent(crowd);
        crowd->pair.now += TIME_OUT_STEP_NS;
        braid_stack_expire(crowd->pair.client.stack, crowd->pair.now);
        drop_all_sent(crowd);
        take_events(crowd);
    }
    pair_check(crowd->closed == crowd->count, "not every connection timed out");
}

static void close_all(struct crowd *crowd) {
    for (unsigned i = 0; i < crowd->count; i++) {
        braid_connection_abort(crowd->theirs[i], crowd->pair.now);
        braid_connection_release(crowd->theirs[i], crowd->pair.now);
    }
    pair_send(&crowd->pair, &crowd->pair.server);
    pair_check(braid_stack_connections(crowd->pair.server.stack) == 0, "a connection was not closed");
}

static uint64_t resident_bytes(void) {
    unsigned long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
    if (file != NULL) fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

int main(int count, char **arguments) {
    static struct crowd crowd;
    if (count < 3) {
        fprintf(stderr, "usage: bench_idle CONNECTIONS PATHS\n");
        return 2;
    }
    crowd.count = (unsigned)atoi(arguments[1]);
    crowd.paths = (unsigned)atoi(arguments[2]);
    crowd.ours = calloc(crowd.count, sizeof(*crowd.ours));
    crowd.theirs = calloc(crowd.count, sizeof(*crowd.theirs));
    pair_check(crowd.ours != NULL && crowd.theirs != NULL, "no memory");
    struct pair_config config = {
        .stack = {.connections_max = crowd.count + 1, .half_open_max = crowd.count + 1},
        .client_links = crowd.paths > 0 ? crowd.paths : 1,
        .mtu_bytes = 1500,
        .round_bytes = UINT64_C(1) << 40,
        .port_first = PORT_FIRST};
    struct braid_listen_config listen = {.link = -1, .multipath = true};
    pair_init(&crowd.pair, &config);
    pair_check(braid_stack_listen(crowd.pair.server.stack, &listen) != NULL, "no listener");

    uint64_t client_before = crowd.pair.client.memory.bytes, server_before = crowd.pair.server.memory.bytes;
    uint64_t resident_before = resident_bytes();
    double start = pair_seconds();
    open_all(&crowd);
    double opened = pair_seconds();
    double n = crowd.count;
    double client = (double)(crowd.pair.client.memory.bytes - client_before) / n;
    double server = (double)(crowd.pair.server.memory.bytes - server_before) / n;
    double resident = (double)(resident_bytes() - resident_before) / n;
    double looking = pair_seconds();
    look_at_each(&crowd);
    double looked = pair_seconds();
    time_out_all(&crowd);
    double timed_out = pair_seconds();
    close_all(&crowd);
    double closed = pair_seconds();
    printf("{\"connections\": %u, \"paths\": %u, \"client_bytes\": %.0f, \"server_bytes\": %.0f, "
           "\"resident_bytes_both\": %.0f, \"open_s\": %.4f, \"scan_s\": %.4f, \"time_out_s\": %.4f, "
           "\"close_s\": %.4f}\n",
           crowd.count, crowd.paths, client, server, resident, opened - start, looked - looking,
           timed_out - looked, closed - timed_out);
    return 0;
}
