#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <base/buf.h>

#define BATCH 32
/* The stack keeps a reference to larger ones; smaller ones are copied. */
#define WORTH_A_BLOCK 16384u

void pair_check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

double pair_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the environment: memory is counted, randomness repeats ---- */

static void *allocate(void *context, size_t size) {
    struct pair_side *side = context;
    void *memory = side->environment.env.allocate(side->environment.env.context, size);
    if (memory == NULL) return NULL;
    side->memory.bytes += size;
    side->memory.blocks++;
    return memory;
}

static void release(void *context, void *memory, size_t size) {
    struct pair_side *side = context;
    if (memory != NULL) {
        side->memory.bytes -= size;
        side->memory.blocks--;
    }
    side->environment.env.release(side->environment.env.context, memory, size);
}

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static bool random_secret(void *context, void *out, size_t size) {
    struct pair_side *side = context;
    for (size_t done = 0; done < size;) {
        uint64_t word = next_random(&side->random);
        size_t part = size - done < sizeof(word) ? size - done : sizeof(word);
        memcpy((uint8_t *)out + done, &word, part);
        done += part;
    }
    return true;
}

/* ---- both ends ---- */

static struct braid_address address_v4(uint8_t net, uint8_t b, uint8_t host) {
    struct braid_address address = {.family = 4};
    memcpy(address.bytes, (uint8_t[]){10, net, b, host}, 4);
    return address;
}

struct braid_address pair_client_address(unsigned index) {
    return address_v4(1, (uint8_t)(index >> 8), (uint8_t)((index & 255) + 1));
}

struct braid_endpoint pair_server_endpoint(uint16_t port) {
    return (struct braid_endpoint){.address = address_v4(2, 0, 1), .port = port};
}

static void side_init(struct pair_side *side, const struct pair_config *config, unsigned links, bool client) {
    struct braid_link_config link = {.mtu_bytes = config->mtu_bytes,
                                     .super_segment_bytes = config->super_segment_bytes,
                                     .checksum_offload = !config->software_checksum,
                                     .uplink = true,
                                     .port_first = config->port_first,
                                     .port_last = config->port_first ? 65535 : 0};
    *side = (struct pair_side){.random = client ? 1 : 2, .links = (int)links, .checksum_offload = link.checksum_offload};
    environment_init(&side->environment);
    side->env = (struct braid_env){.context = side,
                                   .allocate = allocate,
                                   .release = release,
                                   .random_secret = random_secret,
                                   .jitter_seed = side->random};
    side->stack = braid_stack_create(&side->env, &config->stack);
    pair_check(side->stack != NULL, "no stack");
    for (unsigned i = 0; i < links; i++) {
        struct braid_address address = client ? pair_client_address(i) : pair_server_endpoint(0).address;
        pair_check(braid_stack_link_add(side->stack, &link) == (int)i, "no link");
        pair_check(braid_stack_address_add(side->stack, (int)i, &address, false, false, BRAID_NS_PER_S),
                   "no address");
        side->out[i].round_bytes = config->round_bytes / links;
    }
}

void pair_init(struct pair *pair, const struct pair_config *config) {
    pair->now = BRAID_NS_PER_S;
    side_init(&pair->client, config, config->client_links, true);
    side_init(&pair->server, config, 1, false);
}

static void side_deinit(struct pair_side *side) {
    braid_stack_destroy(side->stack);
    for (int i = 0; i < side->links; i++) {
        struct pair_queue *queue = &side->out[i];
        for (; queue->count > 0; queue->count--)
            buf_release(queue->packets[queue->head++].buf);
        free(queue->packets);
    }
}

/* What is on its way may be memory of either side. */
void pair_deinit(struct pair *pair) {
    side_deinit(&pair->client);
    side_deinit(&pair->server);
    environment_deinit(&pair->client.environment);
    environment_deinit(&pair->server.environment);
}

/* ---- the wire ---- */

static void queue_put(struct pair_queue *queue, struct braid_packet_in packet) {
    if (queue->head + queue->count == queue->capacity) {
        if (queue->count > 0)
            memmove(queue->packets, queue->packets + queue->head, queue->count * sizeof(*queue->packets));
        queue->head = 0;
        if (queue->count > queue->capacity / 2) {
            queue->capacity *= 2;
            queue->packets = realloc(queue->packets, queue->capacity * sizeof(*queue->packets));
        }
        if (queue->capacity == 0) {
            queue->capacity = 1024;
            queue->packets = malloc(queue->capacity * sizeof(*queue->packets));
        }
        pair_check(queue->packets != NULL, "no memory");
    }
    queue->packets[queue->head + queue->count++] = packet;
}

/* The one copy that a link makes. */
static struct braid_packet_in carry(struct pair_side *side, const struct braid_packet_out *out) {
    uint32_t length = out->header_length + out->payload_length;
    struct braid_buf *buf = buf_create(&side->env, length > WORTH_A_BLOCK ? 65536 : length);
    pair_check(buf != NULL, "no memory");
    uint8_t *at = buf->bytes;
    memcpy(at, out->header, out->header_length);
    at += out->header_length;
    for (uint16_t i = 0; i < out->slice_count; i++) {
        memcpy(at, out->slices[i].bytes, out->slices[i].length);
        at += out->slices[i].length;
    }
    return (struct braid_packet_in){.buf = buf,
                                    .bytes = buf->bytes,
                                    .length = length,
                                    .segment_bytes = out->segment_bytes,
                                    .checksum_verified = side->checksum_offload};
}

/* What instructions are counted in has a name of its own. */
__attribute__((noinline)) static size_t measured_output(struct pair_side *side,
                                                        struct braid_packet_out *packets, braid_time now) {
    return braid_stack_output(side->stack, packets, BATCH, now);
}

__attribute__((noinline)) static void measured_input(struct pair_side *side, int link,
                                                     const struct braid_packet_in *packets, size_t count,
                                                     braid_time now) {
    braid_stack_input(side->stack, link, packets, count, now);
}

__attribute__((noinline)) static void measured_expire(struct pair_side *side, braid_time now) {
    if (braid_stack_deadline(side->stack) <= now) braid_stack_expire(side->stack, now);
}

void pair_send(struct pair *pair, struct pair_side *side) {
    static struct braid_packet_out packets[BATCH];
    size_t count;
    do {
        count = measured_output(side, packets, pair->now);
        for (size_t i = 0; i < count; i++) {
            side->packets++;
            side->data_packets += packets[i].payload_length > 0;
            side->payload_bytes += packets[i].payload_length;
            queue_put(&side->out[packets[i].link], carry(side, &packets[i]));
            braid_packet_out_release(&packets[i]);
        }
    } while (count == BATCH);
}

/* The client's links all lead to the server's one; the other way each address has its link. */
static int link_to(const struct pair_side *to, const struct braid_packet_in *packet) {
    if (to->links == 1) return 0;
    return (packet->bytes[18] << 8) + packet->bytes[19] - 1;
}

static void deliver_from(struct pair *pair, struct pair_queue *queue, struct pair_side *to) {
    uint64_t carried = 0;
    while (queue->count > 0 && carried < queue->round_bytes) {
        size_t n = 0;
        int link = link_to(to, &queue->packets[queue->head]);
        while (n < queue->count && n < BATCH && carried < queue->round_bytes &&
               link_to(to, &queue->packets[queue->head + n]) == link)
            carried += queue->packets[queue->head + n++].length;
        measured_input(to, link, queue->packets + queue->head, n, pair->now);
        for (size_t i = 0; i < n; i++)
            buf_release(queue->packets[queue->head + i].buf);
        queue->head += (uint32_t)n;
        queue->count -= (uint32_t)n;
    }
}

void pair_deliver(struct pair *pair, struct pair_side *from, struct pair_side *to) {
    for (int i = 0; i < from->links; i++)
        deliver_from(pair, &from->out[i], to);
}

void pair_expire(struct pair *pair) {
    measured_expire(&pair->client, pair->now);
    measured_expire(&pair->server, pair->now);
}

void pair_round(struct pair *pair) {
    pair_send(pair, &pair->client);
    pair_send(pair, &pair->server);
    pair->now += PAIR_ROUND_NS;
    pair_deliver(pair, &pair->client, &pair->server);
    pair_deliver(pair, &pair->server, &pair->client);
    pair_expire(pair);
}
