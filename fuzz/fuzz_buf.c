/* Slices against offsets into a plain array: what a slice says never changes, whatever becomes of the others, and the last
 * one to let go frees the buffer. */
#include "fuzz.h"
#include <base/buf.h>

enum { HELD_MAX = 32, BYTES = 256 };

struct held {
    struct braid_slice slice;
    uint32_t offset;
    uint8_t salt;
};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    struct counted_memory memory;
    struct held held[HELD_MAX];
    unsigned count = 0;
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&memory, limit < 128 ? -1 : limit - 128);
    while (feed_left(&f) > 0) {
        uint8_t what = feed_u8(&f) % 6;
        struct held *h = count > 0 ? &held[feed_u8(&f) % count] : NULL;
        if (what == 0 && count < HELD_MAX) { /* a copy of fresh bytes */
            uint8_t bytes[BYTES], salt = feed_u8(&f);
            uint32_t size = feed_u8(&f);
            for (unsigned i = 0; i < BYTES; i++) bytes[i] = (uint8_t)(i * 31 + salt);
            struct braid_slice slice = slice_copy(&memory.env, bytes, size);
            ENSURE((slice.buf == NULL) <= (size == 0 || limit >= 128));
            if (slice.buf != NULL) held[count++] = (struct held){slice, 0, salt};
        } else if (what == 1 && h != NULL && count < HELD_MAX) {
            uint32_t offset = feed_u8(&f) % (h->slice.length + 1), size = feed_u8(&f) % (h->slice.length - offset + 1);
            held[count++] = (struct held){slice_part(&h->slice, offset, size), h->offset + offset, h->salt};
        } else if (what == 2 && h != NULL) {
            uint32_t drop = feed_u8(&f) % (h->slice.length + 1);
            slice_drop_front(&h->slice, drop);
            h->offset += drop;
        } else if (what == 3 && h != NULL) {
            slice_truncate(&h->slice, feed_u8(&f) % (h->slice.length + 1));
        } else if (what == 4 && h != NULL && count < HELD_MAX && h->slice.buf != NULL) {
            held[count++] = (struct held){slice_of(h->slice.buf, h->slice.bytes, h->slice.length), h->offset, h->salt};
        } else if (h != NULL) {
            slice_release(&h->slice);
            ENSURE(h->slice.buf == NULL && h->slice.length == 0);
            *h = held[--count];
        }
        for (unsigned i = 0; i < count; i++)
            for (uint32_t k = 0; k < held[i].slice.length; k++)
                ENSURE(held[i].slice.bytes[k] == (uint8_t)((held[i].offset + k) * 31 + held[i].salt));
    }
    for (unsigned i = 0; i < count; i++) slice_release(&held[i].slice);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
