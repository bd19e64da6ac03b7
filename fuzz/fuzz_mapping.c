/* The list of mappings against an array: found by the numbers they hold, forgotten once they are passed. */
#include "fuzz.h"
#include <mapping.h>

enum { MODEL_MAX = 256 };

struct model {
    struct counted_memory memory;
    struct mapping_list list;
    struct mapping all[MODEL_MAX];
    uint32_t first, count; /* those that should be there */
};

static void check(struct model *m, struct feed *f, seq32 base) {
    ENSURE(m->list.count == m->count);
    for (uint32_t i = 0; i < m->count; i++) {
        const struct mapping *is = mapping_at(&m->list, i), *should = &m->all[m->first + i];
        ENSURE(seq32_eq(is->seq, should->seq) && dsn64_eq(is->dsn, should->dsn) && is->length == should->length);
    }
    seq32 seq = seq32_add(base, feed_u16(f));
    uint32_t index = 0;
    while (index < m->count && seq32_le(mapping_end(&m->all[m->first + index]), seq)) index++;
    ENSURE(mapping_search(&m->list, seq) == index);
    bool holds = index < m->count && seq32_le(m->all[m->first + index].seq, seq);
    struct mapping *found = mapping_find(&m->list, seq);
    ENSURE(holds ? found == mapping_at(&m->list, index) : found == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    static struct model m;
    memset(&m, 0, sizeof(m));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&m.memory, limit < 200 ? -1 : limit - 200);
    const seq32 base = seq32_of(UINT32_MAX - 20000);
    mapping_list_init(&m.list, &m.memory.env);
    while (feed_left(&f) > 0) {
        uint8_t what = feed_u8(&f);
        if (what < 180) { /* somewhere between those known, or behind */
            struct mapping fresh = {.seq = seq32_add(base, feed_u16(&f)), .length = 1 + feed_u8(&f)};
            fresh.dsn = dsn64_of(UINT64_MAX - 300 + (uint64_t)feed_u16(&f));
            uint32_t at = 0;
            while (at < m.count && seq32_le(mapping_end(&m.all[m.first + at]), fresh.seq)) at++;
            bool fits = at == m.count || seq32_le(mapping_end(&fresh), m.all[m.first + at].seq);
            if (fits && m.first + m.count < MODEL_MAX) {
                bool reserved = what & 1 && mapping_reserve(&m.list);
                bool inserted = mapping_insert(&m.list, &fresh);
                ENSURE(inserted || !reserved);
                if (inserted) {
                    memmove(&m.all[m.first + at + 1], &m.all[m.first + at], (m.count - at) * sizeof(m.all[0]));
                    m.all[m.first + at] = fresh;
                    m.count++;
                }
            }
        } else {
            seq32 seq = seq32_add(base, feed_u16(&f));
            dsn64 dsn = dsn64_of(UINT64_MAX - 300 + (uint64_t)feed_u16(&f));
            bool both = what & 1;
            if (both) mapping_drop_before_both(&m.list, seq, dsn);
            else mapping_drop_before(&m.list, seq);
            while (m.count > 0 && seq32_le(mapping_end(&m.all[m.first]), seq) &&
                   (!both || dsn64_le(mapping_data_end(&m.all[m.first]), dsn)))
                m.first++, m.count--;
        }
        check(&m, &f, base);
    }
    mapping_list_deinit(&m.list);
    ENSURE(m.memory.live_bytes == 0);
    return 0;
}
