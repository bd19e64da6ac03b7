/* Reader and writer against memcpy and a counter: the same values, the same moment of failing, and nothing afterwards. */
#include "fuzz.h"
#include <base/reader.h>

static uint64_t big_endian(const uint8_t *at, unsigned size) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) value = value << 8 | at[i];
    return value;
}

static uint64_t read_any(struct reader *r, unsigned size) {
    switch (size) {
    case 1: return read_u8(r);
    case 2: return read_u16(r);
    case 4: return read_u32(r);
    default: return read_u64(r);
    }
}

static void write_any(struct writer *w, unsigned size, uint64_t value) {
    switch (size) {
    case 1: write_u8(w, (uint8_t)value); return;
    case 2: write_u16(w, (uint16_t)value); return;
    case 4: write_u32(w, (uint32_t)value); return;
    default: write_u64(w, value); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    uint8_t source[64], target[64], model[64];
    size_t room = feed_u8(&f) % 65, at = 0, put = 0;
    for (unsigned i = 0; i < sizeof(source); i++) source[i] = (uint8_t)(i * 37 + 1);
    memset(target, 0xee, sizeof(target));
    memset(model, 0xee, sizeof(model));
    struct reader r = reader_of(source, room);
    struct writer w = writer_of(target, room);
    bool read_failed = false, write_failed = false;
    while (feed_left(&f) > 0) {
        uint8_t what = feed_u8(&f);
        unsigned size = 1u << (what & 3);
        size_t span = what >> 3;
        switch (what >> 2 & 1 ? 4 + (what & 3) : 0) {
        case 4: {
            const uint8_t *got = read_span(&r, span);
            read_failed |= at + span > room;
            ENSURE((got == NULL) == read_failed);
            if (!read_failed) ENSURE(got == source + at);
            if (!read_failed) at += span;
            break;
        }
        case 5: {
            uint8_t got[32];
            read_bytes(&r, got, span);
            read_failed |= at + span > room;
            for (size_t i = 0; i < span; i++) ENSURE(got[i] == (read_failed ? 0 : source[at + i]));
            if (!read_failed) at += span;
            break;
        }
        case 6:
        case 7:
            write_bytes(&w, source, span);
            write_failed |= put + span > room;
            if (!write_failed) {
                memcpy(model + put, source, span);
                put += span;
            }
            break;
        default: {
            uint64_t got = read_any(&r, size);
            read_failed |= at + size > room;
            ENSURE(got == (read_failed ? 0 : big_endian(source + at, size)));
            if (!read_failed) at += size;
            write_any(&w, size, UINT64_C(0x0123456789abcdef));
            write_failed |= put + size > room;
            if (!write_failed) {
                for (unsigned i = 0; i < size; i++) model[put + i] = (uint8_t)(UINT64_C(0x0123456789abcdef) >> 8 * (size - 1 - i));
                put += size;
            }
        }
        }
        ENSURE(r.failed == read_failed && w.failed == write_failed);
        ENSURE(read_failed ? reader_left(&r) == 0 : reader_left(&r) == room - at);
        if (!write_failed) ENSURE(writer_length(&w) == put && writer_room(&w) == room - put);
        ENSURE(memcmp(target, model, put) == 0 && memcmp(target + room, model + room, sizeof(target) - room) == 0);
    }
    return 0;
}
