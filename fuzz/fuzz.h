/* What the fuzz targets share: the fuzzer's bytes as a feed of small decisions, and memory that is counted and can be
 * made to run out. A property that does not hold traps, which the fuzzer reports with the input that did it. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <braid/env.h>
#include <base/ensure.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* Reads decisions off the front of an input; when it has run dry, all are 0. */
struct feed {
    const uint8_t *at, *end;
};

static inline struct feed feed_of(const uint8_t *bytes, size_t length) {
    return (struct feed){bytes, length == 0 ? bytes : bytes + length};
}
static inline size_t feed_left(const struct feed *f) { return (size_t)(f->end - f->at); }
static inline uint8_t feed_u8(struct feed *f) { return f->at < f->end ? *f->at++ : 0; }
static inline uint16_t feed_u16(struct feed *f) {
    uint16_t high = feed_u8(f);
    return (uint16_t)(high << 8 | feed_u8(f));
}
static inline uint32_t feed_u32(struct feed *f) {
    uint32_t high = feed_u16(f);
    return high << 16 | feed_u16(f);
}
/* At most `length` bytes in place. */
static inline const uint8_t *feed_span(struct feed *f, size_t length, size_t *got) {
    const uint8_t *span = f->at;
    *got = length < feed_left(f) ? length : feed_left(f);
    f->at += *got;
    return span;
}

struct counted_memory {
    struct braid_env env;
    size_t live_bytes;
    long allocations_left; /* below 0: no limit */
};

static inline void *counted_allocate(void *context, size_t size) {
    struct counted_memory *memory = context;
    if (memory->allocations_left == 0) return NULL;
    if (memory->allocations_left > 0) memory->allocations_left--;
    void *got = malloc(size);
    if (got) memory->live_bytes += size;
    return got;
}

static inline void counted_release(void *context, void *got, size_t size) {
    struct counted_memory *memory = context;
    if (!got) return;
    ENSURE(memory->live_bytes >= size);
    memory->live_bytes -= size;
    free(got);
}

static inline void counted_memory_init(struct counted_memory *memory, long allocations_left) {
    *memory = (struct counted_memory){.allocations_left = allocations_left};
    memory->env = (struct braid_env){
        .context = memory, .allocate = counted_allocate, .release = counted_release, .jitter_seed = 1};
}

#endif
