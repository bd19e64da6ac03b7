#include <base/reader.h>

#include <string.h>

/* Between the machine's order and the network's: a load and a swap where bytes one by one would be eight. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static uint32_t network_u32(uint32_t value) { return __builtin_bswap32(value); }
static uint64_t network_u64(uint64_t value) { return __builtin_bswap64(value); }
#else
static uint32_t network_u32(uint32_t value) { return value; }
static uint64_t network_u64(uint64_t value) { return value; }
#endif

struct reader reader_of(const void *bytes, size_t length) {
    const uint8_t *start = bytes;
    return (struct reader){.at = start, .end = length > 0 ? start + length : start};
}

/* Nothing is left then, so that a loop over what is left ends, too. */
static const uint8_t *reader_fail(struct reader *r) {
    r->failed = true;
    r->at = r->end;
    return NULL;
}

const uint8_t *read_span(struct reader *r, size_t length) {
    if (r->failed) return NULL;
    if (length > reader_left(r)) return reader_fail(r);
    const uint8_t *span = r->at;
    if (length > 0) r->at += length;
    return span;
}

uint8_t read_u8(struct reader *r) {
    const uint8_t *b = read_span(r, 1);
    return b != NULL ? b[0] : 0;
}

uint16_t read_u16(struct reader *r) {
    const uint8_t *b = read_span(r, 2);
    return b != NULL ? (uint16_t)(b[0] << 8 | b[1]) : 0;
}

uint32_t read_u32(struct reader *r) {
    uint32_t value;
    const uint8_t *b = read_span(r, sizeof(value));
    if (b == NULL) return 0;
    memcpy(&value, b, sizeof(value));
    return network_u32(value);
}

uint64_t read_u64(struct reader *r) {
    uint64_t value;
    const uint8_t *b = read_span(r, sizeof(value));
    if (b == NULL) return 0;
    memcpy(&value, b, sizeof(value));
    return network_u64(value);
}

void read_bytes(struct reader *r, void *out, size_t length) {
    if (length == 0) return;
    const uint8_t *b = read_span(r, length);
    if (b != NULL) memcpy(out, b, length);
    else memset(out, 0, length);
}

struct writer writer_of(void *bytes, size_t capacity) {
    uint8_t *start = bytes;
    return (struct writer){.start = start, .at = start, .end = capacity > 0 ? start + capacity : start};
}

/* Where the next `length` bytes go, or NULL. */
static uint8_t *write_span(struct writer *w, size_t length) {
    if (w->failed || length > writer_room(w)) {
        w->failed = true;
        return NULL;
    }
    uint8_t *span = w->at;
    w->at += length;
    return span;
}

void write_u8(struct writer *w, uint8_t value) {
    uint8_t *b = write_span(w, 1);
    if (b != NULL) b[0] = value;
}

void write_u16(struct writer *w, uint16_t value) {
    uint8_t *b = write_span(w, 2);
    if (b == NULL) return;
    b[0] = (uint8_t)(value >> 8);
    b[1] = (uint8_t)value;
}

void write_u32(struct writer *w, uint32_t value) {
    uint8_t *b = write_span(w, sizeof(value));
    value = network_u32(value);
    if (b != NULL) memcpy(b, &value, sizeof(value));
}

void write_u64(struct writer *w, uint64_t value) {
    uint8_t *b = write_span(w, sizeof(value));
    value = network_u64(value);
    if (b != NULL) memcpy(b, &value, sizeof(value));
}

void write_bytes(struct writer *w, const void *bytes, size_t length) {
    if (length == 0) return;
    uint8_t *b = write_span(w, length);
    if (b != NULL) memcpy(b, bytes, length);
}
