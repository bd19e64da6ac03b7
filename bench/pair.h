/* Two stacks and what lies between them, in one process and in virtual time: no device, no system call. The
 * wire copies every packet once, as any link does, and gives what it may carry in a round to the other side.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <braid/stack.h>
#include <host/environment.h>

#define PAIR_LINKS_MAX 16
#define PAIR_ROUND_NS (100 * BRAID_NS_PER_US) /* a packet arrives in the round after it was sent */

struct pair_memory {
    uint64_t bytes, blocks; /* allocated now, as the stack asked for them */
};

struct pair_queue {
    struct braid_packet_in *packets;
    uint32_t head, count, capacity;
    uint64_t round_bytes; /* carried in a round; more waits */
};

struct pair_side {
    struct environment environment;
    struct braid_env env;
    struct pair_memory memory;
    uint64_t random;
    struct braid_stack *stack;
    int links;
    bool checksum_offload;
    struct pair_queue out[PAIR_LINKS_MAX];         /* on the way from here */
    uint64_t packets, data_packets, payload_bytes; /* sent from here */
};

struct pair_config {
    struct braid_stack_config stack;
    unsigned client_links; /* paths of the client; the server has one link */
    uint32_t mtu_bytes;
    uint32_t super_segment_bytes;
    uint64_t round_bytes; /* of all links together, each way */
    uint16_t port_first;
    bool software_checksum; /* TCP's own: the wire neither completes nor vouches for it */
};

struct pair {
    struct pair_side client, server;
    braid_time now;
};

void pair_init(struct pair *pair, const struct pair_config *config);
void pair_deinit(struct pair *pair);
struct braid_address pair_client_address(unsigned index);
struct braid_endpoint pair_server_endpoint(uint16_t port);

/* One round: what either side has to say leaves, what was sent in the round before arrives, time passes. */
void pair_round(struct pair *pair);
/* The pieces of it. */
void pair_send(struct pair *pair, struct pair_side *side);
void pair_deliver(struct pair *pair, struct pair_side *from, struct pair_side *to);
void pair_expire(struct pair *pair);

double pair_seconds(void); /* of this process's processor time */
void pair_check(bool good, const char *what);

#endif
