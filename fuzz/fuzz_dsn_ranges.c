/* The set of ranges against a bit for each number. Without memory ranges may grow together, but never lose a number. */
#include "fuzz.h"
#include <dsn_ranges.h>

enum { SPAN = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    struct counted_memory memory;
    struct dsn_ranges set;
    static bool in[SPAN];
    memset(in, 0, sizeof(in));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&memory, limit < 200 ? -1 : limit - 200);
    const dsn64 base = dsn64_of(UINT64_MAX - 1000);
    dsn_ranges_init(&set, &memory.env);
    for (unsigned steps = 0; feed_left(&f) > 0 && steps < 500; steps++) {
        uint32_t at = feed_u16(&f) % SPAN;
        uint8_t size = feed_u8(&f);
        if (size > 240) {
            dsn_ranges_drop_before(&set, dsn64_add(base, at));
            memset(in, 0, at);
        } else if (at + size <= SPAN) {
            dsn_ranges_add(&set, dsn64_add(base, at), dsn64_add(base, at + size));
            memset(in + at, 1, size);
        }
        uint64_t bytes = 0;
        uint32_t first = SPAN;
        for (uint32_t i = SPAN; i-- > 0;)
            if (in[i]) bytes++, first = i;
        bool exact = memory.allocations_left != 0;
        ENSURE(exact ? dsn_ranges_bytes(&set) == bytes : dsn_ranges_bytes(&set) >= bytes);
        ENSURE(dsn_ranges_empty(&set) == (bytes == 0) || !exact);
        if (dsn_ranges_empty(&set)) {
            ENSURE(bytes == 0);
            continue;
        }
        struct dsn_range range = dsn_ranges_first(&set);
        uint64_t start = (uint64_t)dsn64_diff(range.start, base), end = (uint64_t)dsn64_diff(range.end, base);
        ENSURE(start < end && end <= SPAN && (exact ? start == first : start <= first));
        for (uint64_t i = start; exact && i < end; i++) ENSURE(in[i]);
        if (exact) ENSURE(end == SPAN || !in[end]);
    }
    dsn_ranges_deinit(&set);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
