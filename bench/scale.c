/* Cost that does not grow: what an operation takes with few and with many connections in the process.
 *
 *     bench_scale CONNECTIONS PATHS
 *
 * PATHS: 0 is plain TCP, else the subflows of MPTCP. Prints one line of JSON, nanoseconds of processor time. Each
 * operation is on a connection picked at random, so that what it needs is in no cache, as it would be:
 *
 *  - exchange: a byte written, carried, read and acknowledged, both ends (two packets demultiplexed, timers set and
 *    cleared);
 *  - stray: a packet of no flow, and its reset;
 *  - token: a SYN to join by a token that nobody has, and its reset;
 *  - timer: one of as many deadlines as there are connections set anew, and the earliest asked for;
 *  - worst_open: the longest that opening one took, in microseconds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/heap.h>
#include <base/prng.h>
#include <wire/ip.h>
#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>

#include "crowd.h"

#define OPERATIONS 40000u
#define AT_ONCE 32u

static double nanoseconds(double start, unsigned operations) {
    return (pair_seconds() - start) / operations * 1e9;
}

static double exchange(struct crowd *crowd, struct prng *prng) {
    unsigned at_once = crowd->count < AT_ONCE ? crowd->count : AT_ONCE, done = 0;
    double start = pair_seconds();
    for (; done < OPERATIONS; done += at_once) {
        for (unsigned i = 0; i < at_once; i++) {
            struct braid_connection *c = crowd->ours[prng_below(prng, crowd->count)];
            pair_check(braid_connection_write(c, "x", 1, crowd->pair.now) == 1, "no room for a byte");
        }
        for (int i = 0; i < 2; i++) {
            pair_round(&crowd->pair);
            crowd_take_events(crowd);
        }
    }
    return nanoseconds(start, done);
}

/* A packet from the client's first address; its source port and, in a SYN that joins, its token are drawn. */
static struct braid_packet_in packet(const struct crowd *crowd, struct prng *prng, bool join) {
    struct braid_endpoint server = pair_server_endpoint(1);
    struct braid_address client = pair_client_address(0);
    struct tcp_segment segment = {.source_port = (uint16_t)(1 + prng_below(prng, 1000)),
                                  .destination_port = server.port,
                                  .flags = join ? TCP_SYN : TCP_ACK,
                                  .window = 1000};
    struct mptcp_option option = {.subtype = MPTCP_MP_JOIN,
                                  .as.mp_join = {.form = MP_JOIN_SYN, .token = (uint32_t)prng_next(prng)}};
    struct ip_header ip = {.source = ip_address_v4(client.bytes),
                           .destination = ip_address_v4(server.address.bytes),
                           .protocol = 6,
                           .ttl = 64,
                           .dont_fragment = true};
    uint8_t option_bytes[MPTCP_OPTION_MAX], tcp[60];
    if (join) {
        segment.options.mptcp_count = 1;
        segment.options.mptcp[0] = (struct tcp_raw_option){
            option_bytes, (uint8_t)mptcp_option_encode(&option, option_bytes, sizeof(option_bytes))};
    }
    ip.payload_length = tcp_segment_encode(&segment, tcp, sizeof(tcp));
    struct braid_buf *buf = buf_create(&crowd->pair.server.env, 128);
    pair_check(buf != NULL, "no memory");
    uint32_t header = ip_encode(&ip, buf->bytes, 128);
    memcpy(buf->bytes + header, tcp, ip.payload_length);
    return (struct braid_packet_in){
        .buf = buf, .bytes = buf->bytes, .length = header + ip.payload_length, .checksum_verified = true};
}

static double refused(struct crowd *crowd, struct prng *prng, bool join) {
    struct braid_packet_in packets[AT_ONCE];
    struct braid_packet_out answers[AT_ONCE];
    double took = 0;
    size_t refusals = 0;
    for (unsigned done = 0; done < OPERATIONS; done += AT_ONCE) {
        for (unsigned i = 0; i < AT_ONCE; i++)
            packets[i] = packet(crowd, prng, join);
        double start = pair_seconds();
        braid_stack_input(crowd->pair.server.stack, 0, packets, AT_ONCE, crowd->pair.now);
        size_t count = braid_stack_output(crowd->pair.server.stack, answers, AT_ONCE, crowd->pair.now);
        took += pair_seconds() - start;
        refusals += count;
        for (unsigned i = 0; i < AT_ONCE; i++) {
            if (i < count) braid_packet_out_release(&answers[i]);
            buf_release(packets[i].buf);
        }
    }
    /* With a million of them, some of the tokens that are drawn are there. */
    pair_check(refusals >= OPERATIONS - OPERATIONS / 100, "not every packet was refused");
    return took / OPERATIONS * 1e9;
}

static double timers(const struct crowd *crowd, struct prng *prng) {
    struct heap heap;
    struct heap_node *nodes = calloc(crowd->count, sizeof(*nodes));
    uint64_t sum = 0;
    heap_init(&heap, &crowd->pair.client.env);
    pair_check(nodes != NULL && heap_reserve(&heap, crowd->count), "no memory");
    for (unsigned i = 0; i < crowd->count; i++)
        heap_set(&heap, &nodes[i], prng_below(prng, 1u << 30));
    double start = pair_seconds();
    for (unsigned i = 0; i < OPERATIONS; i++) {
        heap_set(&heap, &nodes[prng_below(prng, crowd->count)], prng_below(prng, 1u << 30));
        sum += heap_deadline(&heap);
    }
    double took = nanoseconds(start, OPERATIONS);
    __asm__ volatile("" ::"r"(sum));
    heap_deinit(&heap);
    free(nodes);
    return took;
}

int main(int count, char **arguments) {
    static struct crowd crowd;
    struct prng prng;
    if (count < 3) {
        fprintf(stderr, "usage: bench_scale CONNECTIONS PATHS\n");
        return 2;
    }
    prng_seed(&prng, 1);
    crowd_init(&crowd, (unsigned)atoi(arguments[1]), (unsigned)atoi(arguments[2]));
    crowd_open(&crowd);
    double exchange_ns = exchange(&crowd, &prng);
    double stray_ns = refused(&crowd, &prng, false), token_ns = refused(&crowd, &prng, true);
    printf("{\"connections\": %u, \"paths\": %u, \"exchange_ns\": %.0f, \"stray_ns\": %.0f, \"token_ns\": %.0f, "
           "\"timer_ns\": %.0f, \"worst_open_us\": %.1f}\n",
           crowd.count, crowd.paths, exchange_ns, stray_ns, token_ns, timers(&crowd, &prng), crowd.worst_open_us);
    return 0;
}
