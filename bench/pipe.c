/* A memory pipe: one connection between two stacks, over a wire that copies once.
 *
 *     bench_pipe PATHS SUPER CHECKSUM MEGABYTES [SCHEDULER [COPY]]
 *
 * PATHS: 0 is plain TCP, else the subflows of MPTCP. SUPER: 1 for super-segments, 0 for single ones. CHECKSUM: the
 * sum of 1 for DSS checksums and 2 for TCP's in software, both made and verified, as over a link that does neither.
 * SCHEDULER: "" is the default. COPY: 1 for an application that writes and reads by copy, in pieces of 64 KB; else it
 * does so by reference. Prints one line of JSON: gigabits a second of processor time; segments that carried data, and packets in all, both
 * measured after a quarter as much went before; all segments since the beginning; the rate of one copy of the
 * same bytes in the same run. Only functions named measured_* do the stack's work: callgrind
 * --toggle-collect='measured_*' counts its instructions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>

#include "pair.h"

#define CHUNK_BYTES 65536u
#define PORT 80
#define ROUNDS_OF_SILENCE_MAX 100000

enum { CHECKSUM_DSS = 1, CHECKSUM_TCP = 2 };

struct pipe {
    struct pair pair;
    bool copy;
    uint8_t bytes[CHUNK_BYTES]; /* the application's, when it copies */
    struct braid_connection *from, *to;
    struct braid_buf *chunk;
    uint64_t written, read;
};

__attribute__((noinline)) static uint32_t measured_write(struct pipe *pipe, struct braid_slice slice) {
    if (braid_connection_write_slice(pipe->from, slice, pipe->pair.now)) return slice.length;
    buf_release(slice.buf);
    return 0;
}

__attribute__((noinline)) static uint32_t measured_write_copy(struct pipe *pipe) {
    return braid_connection_write(pipe->from, pipe->bytes, CHUNK_BYTES, pipe->pair.now);
}

__attribute__((noinline)) static uint32_t measured_read_copy(struct pipe *pipe) {
    return braid_connection_read(pipe->to, pipe->bytes, CHUNK_BYTES, pipe->pair.now);
}

__attribute__((noinline)) static uint32_t measured_read(struct pipe *pipe) {
    struct braid_slice slice = braid_connection_read_slice(pipe->to, pipe->pair.now);
    uint32_t length = slice.length;
    slice_release(&slice);
    return length;
}

__attribute__((noinline)) static bool measured_event(struct braid_stack *stack, struct braid_event *event) {
    return braid_stack_next_event(stack, event);
}

static void take_events(struct pipe *pipe) {
    struct braid_event event;
    while (measured_event(pipe->pair.client.stack, &event))
        pair_check(!(event.bits & BRAID_EVENT_CLOSED), "closed");
    while (measured_event(pipe->pair.server.stack, &event))
        if (event.bits & BRAID_EVENT_ACCEPTED) pipe->to = event.connection;
}

static uint32_t write_some(struct pipe *pipe) {
    if (!pipe->copy) return measured_write(pipe, slice_of(pipe->chunk, pipe->chunk->bytes, CHUNK_BYTES));
    return measured_write_copy(pipe);
}

static uint32_t read_some(struct pipe *pipe) { return pipe->copy ? measured_read_copy(pipe) : measured_read(pipe); }

static void move(struct pipe *pipe, uint64_t bytes) {
    unsigned silent = 0;
    bytes += pipe->written;
    while (pipe->read < bytes) {
        uint32_t part = 1;
        while (pipe->written < bytes && part > 0)
            pipe->written += part = write_some(pipe);
        pair_round(&pipe->pair);
        take_events(pipe);
        silent++;
        while ((part = read_some(pipe)) > 0) {
            pipe->read += part;
            silent = 0;
        }
        pair_check(silent < ROUNDS_OF_SILENCE_MAX, "stuck");
    }
}

static void open_pipe(struct pipe *pipe, unsigned paths, bool super, int checksum, const char *scheduler) {
    struct pair_config config = {.stack = {.checksum = (checksum & CHECKSUM_DSS) != 0, .scheduler = scheduler, .send_buffer_bytes = 4u << 20},
                                 .client_links = paths > 0 ? paths : 1,
                                 .mtu_bytes = 1500,
                                 .super_segment_bytes = super ? 65535 - BRAID_PACKET_HEADER_MAX : 0,
                                 .round_bytes = 1u << 20,
                                 .software_checksum = (checksum & CHECKSUM_TCP) != 0};
    struct braid_listen_config listen = {.link = -1, .local = {.port = PORT}, .multipath = true};
    struct braid_connect_config connect = {.remote = pair_server_endpoint(PORT), .multipath = paths > 0};
    enum braid_connect_error error;
    pair_init(&pipe->pair, &config);
    pair_check(braid_stack_listen(pipe->pair.server.stack, &listen) != NULL, "no listener");
    pipe->from = braid_stack_connect(pipe->pair.client.stack, &connect, pipe->pair.now, &error);
    pair_check(pipe->from != NULL, "no connection");
    pipe->chunk = buf_create(&pipe->pair.client.env, CHUNK_BYTES);
    pair_check(pipe->chunk != NULL, "no memory");
    memset(pipe->chunk->bytes, 7, CHUNK_BYTES);
    struct braid_connection_info info = {0};
    for (int i = 0; i < 10 && pipe->to == NULL; i++) {
        pair_round(&pipe->pair);
        take_events(pipe);
    }
    pair_check(pipe->to != NULL, "no connection");
    move(pipe, CHUNK_BYTES); /* further paths join once data was acknowledged */
    for (int i = 0; i < 100 && info.paths < paths; i++) {
        pair_round(&pipe->pair);
        braid_connection_info(pipe->from, &info);
    }
    pair_check(paths == 0 || info.paths == paths, "not every path joined");
}

/* What one copy of every byte, from one buffer to the next of a few, costs here and now. */
static double copy_gbps(struct pipe *pipe, uint64_t bytes) {
    enum { BUFFERS = 64 };
    static uint8_t buffers[BUFFERS][CHUNK_BYTES];
    double start = pair_seconds();
    for (uint64_t i = 0; i < bytes / CHUNK_BYTES; i++) {
        memcpy(buffers[i % BUFFERS], pipe->chunk->bytes, CHUNK_BYTES);
        __asm__ volatile("" ::: "memory");
    }
    return (double)bytes * 8 / (pair_seconds() - start) / 1e9;
}

int main(int count, char **arguments) {
    static struct pipe pipe;
    if (count < 5) {
        fprintf(stderr, "usage: bench_pipe PATHS SUPER CHECKSUM MEGABYTES [SCHEDULER [COPY]]\n");
        return 2;
    }
    uint64_t bytes = strtoull(arguments[4], NULL, 10) << 20;
    pipe.copy = count > 6 && atoi(arguments[6]) != 0;
    open_pipe(&pipe, (unsigned)atoi(arguments[1]), atoi(arguments[2]) != 0, atoi(arguments[3]),
              count > 5 && arguments[5][0] != '\0' ? arguments[5] : NULL);
    move(&pipe, bytes / 4); /* up to speed */
    uint64_t segments = pipe.pair.client.data_packets,
             packets = pipe.pair.client.packets + pipe.pair.server.packets;
    double start = pair_seconds();
    move(&pipe, bytes);
    double seconds = pair_seconds() - start;
    printf("{\"gbps\": %.2f, \"segments\": %llu, \"packets\": %llu, \"all_segments\": %llu, \"copy_gbps\": "
           "%.2f}\n",
           (double)bytes * 8 / seconds / 1e9, (unsigned long long)(pipe.pair.client.data_packets - segments),
           (unsigned long long)(pipe.pair.client.packets + pipe.pair.server.packets - packets),
           (unsigned long long)pipe.pair.client.data_packets, copy_gbps(&pipe, bytes));
    return 0;
}
