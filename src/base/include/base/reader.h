/* Bounds-checked byte reader and writer in network order. Both fail sticky: after the first step out of bounds
 * every read gives 0 and nothing is left, every write does nothing, and `failed` stays true. Decode into a local,
 * test once, then use. */
#ifndef BASE_READER_H
#define BASE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reader {
    const uint8_t *at, *end;
    bool failed;
};

struct reader reader_of(const void *bytes, size_t length);
static inline size_t reader_left(const struct reader *r) { return (size_t)(r->end - r->at); }
uint8_t read_u8(struct reader *r);
uint16_t read_u16(struct reader *r);
uint32_t read_u32(struct reader *r);
uint64_t read_u64(struct reader *r);
void read_bytes(struct reader *r, void *out, size_t length);
/* The next `length` bytes in place, or NULL. */
const uint8_t *read_span(struct reader *r, size_t length);

struct writer {
    uint8_t *start, *at, *end;
    bool failed;
};

struct writer writer_of(void *bytes, size_t capacity);
static inline size_t writer_length(const struct writer *w) { return (size_t)(w->at - w->start); }
static inline size_t writer_room(const struct writer *w) { return (size_t)(w->end - w->at); }
void write_u8(struct writer *w, uint8_t value);
void write_u16(struct writer *w, uint16_t value);
void write_u32(struct writer *w, uint32_t value);
void write_u64(struct writer *w, uint64_t value);
void write_bytes(struct writer *w, const void *bytes, size_t length);

#endif
