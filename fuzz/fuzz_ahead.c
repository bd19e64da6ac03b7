/* What arrived ahead of a hole in the data order, against a byte map, with hints of several subflows. */
#include "fuzz.h"
#include <ahead.h>

enum { SPAN = 4096, SUBFLOWS = 3 };

struct model {
    struct counted_memory memory;
    struct ahead ahead;
    struct run *hints[SUBFLOWS];
    dsn64 base;
    uint32_t next;
    uint8_t known[SPAN];
};

static void add(struct model *m, struct feed *f) {
    uint8_t bytes[256], salt = feed_u8(f);
    uint32_t at = m->next + 1 + feed_u16(f) % 1500, length = 1 + feed_u8(f) % 200, fresh = 0;
    bool lost = false;
    if (at + length > SPAN) return;
    for (uint32_t i = 0; i < length; i++) {
        bytes[i] = (uint8_t)(1 + (at + i + salt) % 255);
        fresh += m->known[at + i] == 0;
    }
    /* In a buffer that is too large for it, as often as not. */
    struct braid_buf *buf = buf_create(&m->memory.env, length * (1 + salt % 4u));
    if (buf == NULL) return;
    memcpy(buf->bytes, bytes, length);
    struct braid_slice slice = slice_of(buf, buf->bytes, length);
    buf_release(buf);
    uint32_t added = ahead_insert(&m->ahead, &m->hints[feed_u8(f) % SUBFLOWS], dsn64_add(m->base, at), slice, &lost);
    ENSURE(lost ? added <= fresh && m->memory.allocations_left == 0 : added == fresh);
    if (!lost) {
        for (uint32_t i = 0; i < length; i++)
            if (m->known[at + i] == 0) m->known[at + i] = bytes[i];
        return;
    }
    /* Which of them: as the runs say. */
    for (struct list_node *n = m->ahead.runs.next; n != &m->ahead.runs; n = n->next) {
        const struct run *run = LIST_ENTRY(n, struct run, node);
        uint32_t start = (uint32_t)dsn64_diff(run->dsn, m->base);
        memcpy(m->known + start, run->data.bytes, run->data.length);
    }
}

static void advance(struct model *m, uint32_t to) {
    struct braid_slice slice;
    const struct run *gone;
    for (; m->next < to; m->next++) m->known[m->next] = 0;
    while (ahead_take(&m->ahead, dsn64_add(m->base, m->next), &slice, &gone)) {
        for (unsigned i = 0; i < SUBFLOWS; i++)
            if (m->hints[i] == gone) m->hints[i] = NULL;
        for (uint32_t i = 0; i < slice.length; i++, m->next++) {
            ENSURE(m->known[m->next] == slice.bytes[i]);
            m->known[m->next] = 0;
        }
        slice_release(&slice);
    }
    ENSURE(m->next >= SPAN || m->known[m->next] == 0);
}

static void check(const struct model *m) {
    uint64_t bytes = 0, held = 0;
    dsn64 at = dsn64_add(m->base, m->next);
    for (uint32_t i = 0; i < SPAN; i++) bytes += m->known[i] != 0;
    for (struct list_node *n = m->ahead.runs.next; n != &m->ahead.runs; n = n->next) {
        const struct run *run = LIST_ENTRY(n, struct run, node);
        ENSURE(run->data.length > 0 && dsn64_ge(run->dsn, at));
        uint32_t start = (uint32_t)dsn64_diff(run->dsn, m->base);
        ENSURE(memcmp(m->known + start, run->data.bytes, run->data.length) == 0);
        at = dsn64_add(run->dsn, run->data.length);
        held += run->data.length;
    }
    ENSURE(held == bytes && m->ahead.bytes == bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    static struct model m;
    memset(&m, 0, sizeof(m));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&m.memory, limit < 200 ? -1 : limit - 200);
    m.base = dsn64_of(UINT64_MAX - 2000);
    m.next = 1;
    ahead_init(&m.ahead, &m.memory.env);
    for (unsigned steps = 0; feed_left(&f) > 0 && steps < 200; steps++) {
        uint8_t what = feed_u8(&f);
        if (what < 200) add(&m, &f);
        else if (m.next + what - 199 < SPAN) advance(&m, m.next + what - 199);
        check(&m);
    }
    ahead_deinit(&m.ahead);
    ENSURE(m.memory.live_bytes == 0);
    return 0;
}
