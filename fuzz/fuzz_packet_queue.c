/* The queue before a link against a plain list of numbers: what is put comes out in order, whatever part of
 * it the link takes each time, and what is dropped, for want of room or because the link is gone, is counted
 * and given back. */
#include "fuzz.h"
#include <base/buf.h>
#include <packet_queue.h>

enum { PUT_MAX = 4096, QUEUE_MAX = 1024 };

static uint32_t expected[PUT_MAX]; /* numbers that are in the queue, in order */
static unsigned first, last;
static struct feed *feed;

static int model_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    (void)link;
    uint8_t what = feed_u8(feed);
    if (what == 255) return -1;
    size_t taken = what & 1 ? count : what % (count + 1);
    for (size_t i = 0; i < taken; i++) {
        ENSURE(first < last && packets[i].payload_length == expected[first]);
        ENSURE(packets[i].slices[0].length == expected[first] % 7 + 1);
        first++;
        braid_packet_out_release(&packets[i]);
    }
    return (int)taken;
}

static bool put(struct packet_queue *queue, const struct braid_env *env, uint32_t number) {
    static const uint8_t bytes[8];
    struct braid_packet_out packet = {.payload_length = number, .slice_count = 1};
    packet.slices[0] = slice_copy(env, bytes, number % 7 + 1);
    if (packet.slices[0].buf == NULL) return false;
    uint64_t dropped = queue->dropped;
    packet_queue_put(queue, &packet);
    if (queue->dropped == dropped)
        expected[last++] = number;
    else
        ENSURE(last - first == QUEUE_MAX);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    static const struct link_ops ops = {.send = model_send};
    struct link link = {.ops = &ops};
    struct packet_queue queue = {0};
    struct counted_memory memory;
    counted_memory_init(&memory, -1);
    feed = &f;
    first = last = 0;
    uint32_t number = 0;
    while (feed_left(&f) > 0 && last + 256 < PUT_MAX) {
        uint8_t what = feed_u8(&f);
        if (what == 254)
            packet_queue_drop_all(&queue), first = last;
        else if (what >= 200) {
            unsigned before = first;
            bool all = packet_queue_flush(&queue, &link);
            ENSURE(first >= before);
            if (all) first = last; /* what a link that is gone took along */
            ENSURE(all == (packet_queue_count(&queue) == 0) || first == last);
        } else
            for (unsigned i = 0; i < what; i++)
                ENSURE(put(&queue, &memory.env, number++));
        ENSURE(packet_queue_count(&queue) == last - first);
    }
    packet_queue_deinit(&queue);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
