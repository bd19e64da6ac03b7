/* A slice queue against a plain array of bytes, with memory that may run out. */
#include "fuzz.h"
#include <base/slice_queue.h>

enum { BYTES_MAX = 1 << 18, HELD_MAX = 16 };

struct model {
    struct counted_memory memory;
    struct slice_queue queue;
    size_t start, end; /* of what the queue should hold, in `bytes` */
    struct {
        struct braid_slice slice;
        size_t place;
    } held[HELD_MAX]; /* references given out: they keep saying what they said */
    unsigned held_count;
};

static uint8_t bytes[BYTES_MAX], scratch[BYTES_MAX];

static void fill(size_t from, size_t length, uint8_t salt) {
    for (size_t i = 0; i < length; i++) bytes[from + i] = (uint8_t)((from + i) * 167 + salt + (i >> 8));
}

static void hold(struct model *m, struct braid_slice slice, size_t place) {
    ENSURE(slice.length > 0 && memcmp(slice.bytes, bytes + place, slice.length) == 0);
    if (m->held_count == HELD_MAX) {
        slice_release(&slice);
        return;
    }
    m->held[m->held_count].slice = slice;
    m->held[m->held_count++].place = place;
}

static void step_append(struct model *m, struct feed *f, bool copy) {
    uint32_t length = feed_u8(f) & 1 ? feed_u16(f) : feed_u8(f);
    if (m->end + length > BYTES_MAX) return;
    fill(m->end, length, feed_u8(f));
    if (copy) {
        if (slice_queue_append_copy(&m->queue, bytes + m->end, length)) m->end += length;
        return;
    }
    struct braid_slice slice = slice_copy(&m->memory.env, bytes + m->end, length);
    if (slice.buf == NULL && length > 0) return;
    if (slice_queue_append(&m->queue, slice)) m->end += length;
    else slice_release(&slice);
}

static void step_gather(struct model *m, struct feed *f) {
    struct braid_slice out[8];
    size_t size = m->end - m->start, offset = feed_u32(f) % (size + 1), max = feed_u8(f) % 9;
    uint32_t length = (uint32_t)(feed_u32(f) % (size - offset + 1));
    size_t count = slice_queue_gather(&m->queue, offset, length, out, max), sum = 0;
    ENSURE(count <= max);
    for (size_t i = 0; i < count; i++) {
        uint32_t piece = out[i].length;
        hold(m, out[i], m->start + offset + sum);
        sum += piece;
    }
    ENSURE(sum == length || count == max);
}

static void step(struct model *m, struct feed *f) {
    size_t size = m->end - m->start;
    switch (feed_u8(f) % 6) {
    case 0: step_append(m, f, true); return;
    case 1: step_append(m, f, false); return;
    case 2: {
        size_t count = feed_u32(f) % (size + 1);
        slice_queue_drop(&m->queue, count);
        m->start += count;
        return;
    }
    case 3: {
        size_t offset = feed_u32(f) % (size + 1);
        uint32_t length = (uint32_t)(feed_u32(f) % (size - offset + 1));
        slice_queue_peek(&m->queue, offset, scratch, length);
        ENSURE(memcmp(scratch, bytes + m->start + offset, length) == 0);
        return;
    }
    case 4: step_gather(m, f); return;
    default: {
        struct braid_slice slice = slice_queue_pop(&m->queue);
        uint32_t length = slice.length;
        ENSURE((length == 0) == (size == 0));
        if (length > 0) hold(m, slice, m->start);
        m->start += length;
    }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    static struct model m;
    memset(&m, 0, sizeof(m));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&m.memory, limit < 128 ? -1 : limit - 128);
    slice_queue_init(&m.queue, &m.memory.env);
    while (feed_left(&f) > 0) {
        step(&m, &f);
        ENSURE(m.queue.length == m.end - m.start);
    }
    for (unsigned i = 0; i < m.held_count; i++) {
        ENSURE(memcmp(m.held[i].slice.bytes, bytes + m.held[i].place, m.held[i].slice.length) == 0);
        slice_release(&m.held[i].slice);
    }
    slice_queue_deinit(&m.queue);
    ENSURE(m.memory.live_bytes == 0);
    return 0;
}
