/* Reassembly against a byte map: what came first stays, what is taken out is what was put in, in order, without a gap; the
 * blocks for SACK are its stretches. Numbers wrap in the middle. */
#include "fuzz.h"
#include <reassembly.h>

enum { SPAN = 4096 };

struct model {
    struct counted_memory memory;
    struct reassembly r;
    seq32 base;           /* number of byte 0 */
    uint32_t next;        /* rcv_nxt, as an index */
    uint8_t known[SPAN];  /* 0: not there; else the value, which is never 0 */
};

static uint8_t value_of(uint8_t salt, uint32_t at) { return (uint8_t)(1 + (at * 7 + salt) % 255); }

static void add(struct model *m, struct feed *f) {
    uint8_t bytes[256], salt = feed_u8(f);
    uint32_t at = m->next + 1 + feed_u16(f) % 1024, length = 1 + feed_u8(f) % 200, fresh = 0, added;
    if (at + length > SPAN) return;
    for (uint32_t i = 0; i < length; i++) bytes[i] = value_of(salt, at + i);
    for (uint32_t i = 0; i < length; i++) fresh += m->known[at + i] == 0;
    struct braid_slice slice = slice_copy(&m->memory.env, bytes, length);
    if (slice.buf == NULL) return;
    enum reassembly_result result = reassembly_add(&m->r, seq32_add(m->base, at), slice, &added);
    if (result == REASSEMBLY_NO_MEMORY) {
        ENSURE(m->memory.allocations_left == 0 && added <= fresh);
        /* A part from the front was added. */
        for (uint32_t i = 0; i < length && added > 0; i++)
            if (m->known[at + i] == 0) m->known[at + i] = bytes[i], added--;
        return;
    }
    ENSURE(added == fresh && (result == REASSEMBLY_DUPLICATE) == (fresh == 0));
    for (uint32_t i = 0; i < length; i++)
        if (m->known[at + i] == 0) m->known[at + i] = bytes[i];
}

/* Bytes up to `to` came in order: what is behind them comes out. */
static void advance(struct model *m, uint32_t to) {
    struct braid_slice slice;
    for (; m->next < to; m->next++) m->known[m->next] = 0;
    while (reassembly_take(&m->r, seq32_add(m->base, m->next), &slice)) {
        ENSURE(slice.length > 0);
        for (uint32_t i = 0; i < slice.length; i++, m->next++) {
            ENSURE(m->known[m->next] == slice.bytes[i]);
            m->known[m->next] = 0;
        }
        slice_release(&slice);
    }
    ENSURE(m->next >= SPAN || m->known[m->next] == 0);
}

static void check_blocks(struct model *m) {
    struct sack_block blocks[64];
    uint32_t count = reassembly_blocks(&m->r, blocks, 64), stretches = 0, bytes = 0;
    for (uint32_t i = 1; i < SPAN; i++) {
        stretches += m->known[i] != 0 && m->known[i - 1] == 0;
        bytes += m->known[i] != 0;
    }
    ENSURE(m->r.bytes == bytes && count == (stretches < 64 ? stretches : 64));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t start = blocks[i].start.value - m->base.value, end = blocks[i].end.value - m->base.value;
        ENSURE(start < end && end <= SPAN && m->known[start - 1] == 0 && (end == SPAN || m->known[end] == 0));
        for (uint32_t k = start; k < end; k++) ENSURE(m->known[k] != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    static struct model m;
    memset(&m, 0, sizeof(m));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&m.memory, limit < 200 ? -1 : limit - 200);
    m.base = seq32_of(UINT32_MAX - 2000);
    m.next = 1;
    reassembly_init(&m.r, &m.memory.env);
    for (unsigned steps = 0; feed_left(&f) > 0 && steps < 200; steps++) {
        uint8_t what = feed_u8(&f);
        if (what < 200) add(&m, &f);
        else if (m.next + what - 199 < SPAN) advance(&m, m.next + what - 199);
        reassembly_check(&m.r, seq32_add(m.base, m.next));
        check_blocks(&m);
    }
    reassembly_deinit(&m.r);
    ENSURE(m.memory.live_bytes == 0);
    return 0;
}
