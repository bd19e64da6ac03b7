/* A heap of deadlines against a plain array searched from end to end. */
#include "fuzz.h"
#include <base/heap.h>

enum { NODES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    struct counted_memory memory;
    struct heap heap;
    struct heap_node nodes[NODES];
    braid_time deadlines[NODES];
    memset(nodes, 0, sizeof(nodes));
    counted_memory_init(&memory, -1);
    heap_init(&heap, &memory.env);
    ENSURE(heap_reserve(&heap, NODES));
    for (unsigned i = 0; i < NODES; i++) deadlines[i] = BRAID_NEVER;
    while (feed_left(&f) > 0) {
        unsigned n = feed_u8(&f) % NODES;
        uint8_t what = feed_u8(&f);
        if (what >= 0xf0) {
            struct heap_node *first = heap_first(&heap);
            if (first) {
                n = (unsigned)(first - nodes);
                heap_remove(&heap, first);
                deadlines[n] = BRAID_NEVER;
            }
        } else if (what >= 0xd0) {
            heap_remove(&heap, &nodes[n]);
            deadlines[n] = BRAID_NEVER;
        } else {
            deadlines[n] = what >= 0xc0 ? BRAID_NEVER : feed_u16(&f);
            heap_set(&heap, &nodes[n], deadlines[n]);
        }
        braid_time least = BRAID_NEVER;
        uint32_t count = 0;
        for (unsigned i = 0; i < NODES; i++) {
            if (deadlines[i] != BRAID_NEVER) count++;
            if (deadlines[i] < least) least = deadlines[i];
            ENSURE((deadlines[i] != BRAID_NEVER) == (nodes[i].place != 0));
        }
        ENSURE(heap_deadline(&heap) == least && heap.count == count);
        ENSURE((heap_first(&heap) == NULL) == (least == BRAID_NEVER));
        if (heap_first(&heap)) ENSURE(heap_first(&heap)->deadline == least);
    }
    heap_deinit(&heap);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
