/* Many idle connections in one process: what one costs in memory, and what all of them cost in time.
 *
 *     bench_idle CONNECTIONS PATHS [BYTES]
 *
 * PATHS: 0 is plain TCP, else the subflows of MPTCP. Opens them between two stacks in memory, each with one
 * byte said by the client and read, and BYTES more, and prints one line of JSON. Memory is what the stack
 * asked its environment for, on each side, per connection, and what the process has resident for both sides.
 * Times are of the processor, for all of them: to open, to look at each (path, counters, deadline), to let
 * the client's time out when the peer does not answer one more byte (and how many packets each says in
 * vain), and to close on the server's side. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crowd.h"

#define TIME_OUT_STEP_NS (30 * BRAID_NS_PER_S)
#define TIME_OUT_MAX_NS (3600 * BRAID_NS_PER_S)

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
static uint64_t drop_all_sent(struct crowd *crowd) {
    static struct braid_packet_out packets[32];
    uint64_t dropped = 0;
    size_t count;
    do {
        count = braid_stack_output(crowd->pair.client.stack, packets, 32, crowd->pair.now);
        for (size_t i = 0; i < count; i++)
            braid_packet_out_release(&packets[i]);
        dropped += count;
    } while (count > 0);
    return dropped;
}

/* Returns the packets that the client said in vain. */
static uint64_t time_out_all(struct crowd *crowd) {
    braid_time end = crowd->pair.now + TIME_OUT_MAX_NS;
    uint64_t dropped = 0;
    for (unsigned i = 0; i < crowd->count; i++)
        (void)braid_connection_write(crowd->ours[i], "y", 1, crowd->pair.now);
    while (crowd->closed < crowd->count && crowd->pair.now < end) {
        dropped += drop_all_sent(crowd);
        crowd->pair.now += TIME_OUT_STEP_NS;
        braid_stack_expire(crowd->pair.client.stack, crowd->pair.now);
        dropped += drop_all_sent(crowd);
        crowd_take_events(crowd);
    }
    pair_check(crowd->closed == crowd->count, "not every connection timed out");
    return dropped;
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
        fprintf(stderr, "usage: bench_idle CONNECTIONS PATHS [BYTES]\n");
        return 2;
    }
    crowd_init(&crowd, (unsigned)atoi(arguments[1]), (unsigned)atoi(arguments[2]));
    uint64_t resident_before = resident_bytes();
    double start = pair_seconds();
    crowd_open(&crowd);
    double opened = pair_seconds();
    if (count > 3) crowd_say(&crowd, (uint32_t)atoi(arguments[3]));
    double n = crowd.count;
    double client = (double)(crowd.pair.client.memory.bytes - crowd.client_before) / n;
    double server = (double)(crowd.pair.server.memory.bytes - crowd.server_before) / n;
    double resident = (double)(resident_bytes() - resident_before) / n;
    double looking = pair_seconds();
    look_at_each(&crowd);
    double looked = pair_seconds();
    uint64_t dropped = time_out_all(&crowd);
    double timed_out = pair_seconds();
    close_all(&crowd);
    double closed = pair_seconds();
    printf("{\"connections\": %u, \"paths\": %u, \"client_bytes\": %.0f, \"server_bytes\": %.0f, "
           "\"resident_bytes_both\": %.0f, \"open_s\": %.4f, \"scan_s\": %.4f, \"time_out_s\": %.4f, "
           "\"time_out_packets\": %.1f, \"close_s\": %.4f}\n",
           crowd.count, crowd.paths, client, server, resident, opened - start, looked - looking,
           timed_out - looked, (double)dropped / n, closed - timed_out);
    return 0;
}
