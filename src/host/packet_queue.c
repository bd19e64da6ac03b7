#include "packet_queue.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64
#define PACKETS_MAX 1024

void packet_queue_deinit(struct packet_queue *queue) {
    packet_queue_drop_all(queue);
    free(queue->packets);
    *queue = (struct packet_queue){0};
}

/* Makes room for one more at the tail. */
static bool make_room(struct packet_queue *queue) {
    if (queue->tail < queue->capacity) return true;
    if (queue->head > 0) {
        memmove(queue->packets, queue->packets + queue->head,
                packet_queue_count(queue) * sizeof(*queue->packets));
        queue->tail -= queue->head;
        queue->head = 0;
        return true;
    }
    if (queue->capacity == PACKETS_MAX) return false;
    size_t capacity = queue->capacity ? queue->capacity * 2 : FIRST_CAPACITY;
    struct braid_packet_out *packets = realloc(queue->packets, capacity * sizeof(*packets));
    if (packets == NULL) return false;
    queue->packets = packets;
    queue->capacity = capacity;
    return true;
}

void packet_queue_put(struct packet_queue *queue, const struct braid_packet_out *packet) {
    if (!make_room(queue)) {
        struct braid_packet_out dropped = *packet;
        braid_packet_out_release(&dropped);
        queue->dropped++;
        return;
    }
    /* Most packets use a fraction of the slices they might: only those are copied. */
    size_t used = offsetof(struct braid_packet_out, slices) + packet->slice_count * sizeof(packet->slices[0]);
    memcpy(&queue->packets[queue->tail++], packet, used);
}

bool packet_queue_flush(struct packet_queue *queue, struct link *link) {
    while (queue->head < queue->tail) {
        size_t offered = packet_queue_count(queue);
        if (offered > LINK_BATCH_MAX) offered = LINK_BATCH_MAX;
        int taken = link_send(link, queue->packets + queue->head, offered);
        if (taken < 0) {
            packet_queue_drop_all(queue);
            return true;
        }
        queue->head += (size_t)taken;
        if ((size_t)taken < offered) return false;
    }
    queue->head = queue->tail = 0;
    return true;
}

void packet_queue_drop_all(struct packet_queue *queue) {
    for (; queue->head < queue->tail; queue->head++)
        braid_packet_out_release(&queue->packets[queue->head]);
    queue->head = queue->tail = 0;
}
