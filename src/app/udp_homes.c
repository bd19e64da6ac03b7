#include "udp_homes.h"

#include <stdlib.h>
#include <string.h>
#include <base/hash_table.h>

struct udp_homes {
    unsigned threads;
    struct packet_box *boxes[];
};

struct udp_homes *udp_homes_create(unsigned threads) {
    struct udp_homes *homes = calloc(1, sizeof(*homes) + threads * sizeof(homes->boxes[0]));
    if (homes == NULL) return NULL;
    for (; homes->threads < threads; homes->threads++) {
        homes->boxes[homes->threads] = packet_box_create();
        if (homes->boxes[homes->threads] != NULL) continue;
        udp_homes_destroy(homes);
        return NULL;
    }
    return homes;
}

void udp_homes_destroy(struct udp_homes *homes) {
    if (homes == NULL) return;
    for (unsigned i = 0; i < homes->threads; i++)
        packet_box_destroy(homes->boxes[i]);
    free(homes);
}

unsigned udp_homes_of(const struct udp_homes *homes, const struct ip_address *program, uint16_t port) {
    /* Whoever chooses the ports has only its own work to share out badly: the key need not be secret. */
    static const uint64_t key[2] = {0x6272616964, 0x7564702d686f6d65};
    uint8_t flow[18];
    memcpy(flow, program->bytes, 16);
    memcpy(flow + 16, &port, 2);
    return (unsigned)(hash_bytes(key, flow, sizeof(flow)) % homes->threads);
}

struct packet_box *udp_homes_box(const struct udp_homes *homes, unsigned thread) {
    return homes->boxes[thread];
}
