/* Packets on their way to one link: gathered so that they leave in batches, and kept while the device has no
 * room. Bounded: what does not fit is dropped and counted, as a device's own queue would. */
#ifndef HOST_PACKET_QUEUE_H
#define HOST_PACKET_QUEUE_H

#include <link/link.h>

struct packet_queue {
    struct braid_packet_out *packets;
    size_t head, tail, capacity;
    uint64_t dropped;
};

void packet_queue_deinit(struct packet_queue *queue);
static inline size_t packet_queue_count(const struct packet_queue *queue) {
    return queue->tail - queue->head;
}
/* Takes over the packet's references. */
void packet_queue_put(struct packet_queue *queue, const struct braid_packet_out *packet);
/* Hands what it can to the link. True: everything went, false: the rest waits until the link is writable. A
 * link that is gone takes everything with it. */
bool packet_queue_flush(struct packet_queue *queue, struct link *link);
void packet_queue_drop_all(struct packet_queue *queue);

#endif
