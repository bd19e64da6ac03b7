/* The scoreboard against an array with a state for each byte sent. */
#include "fuzz.h"
#include <scoreboard.h>

enum { SPAN = 8192, NOTHING = 0xff };

struct model {
    struct counted_memory memory;
    struct scoreboard board;
    seq32 base;
    uint32_t una, nxt;
    uint8_t state[SPAN];
    braid_time now;
};

static uint32_t index_of(const struct model *m, seq32 seq) { return seq.value - m->base.value; }

static void set(struct model *m, const struct send_record *record, uint8_t state) {
    for (uint32_t i = index_of(m, record->start); i < index_of(m, record->end); i++) m->state[i] = state;
}

static struct send_record *pick(struct model *m, struct feed *f) {
    if (m->una == m->nxt) return NULL;
    return scoreboard_find(&m->board, seq32_add(m->base, m->una + feed_u16(f) % (m->nxt - m->una)));
}

static void check(const struct model *m) {
    uint32_t bytes[3] = {0}, at = m->una;
    scoreboard_check(&m->board, seq32_add(m->base, m->una), seq32_add(m->base, m->nxt));
    for (uint32_t i = m->una; i < m->nxt; i++) bytes[m->state[i]]++;
    ENSURE(bytes[RECORD_IN_FLIGHT] == m->board.in_flight_bytes && bytes[RECORD_LOST] == m->board.lost_bytes &&
           bytes[RECORD_SACKED] == m->board.sacked_bytes);
    for (struct send_record *r = scoreboard_first(&m->board); r != NULL; r = scoreboard_next(&m->board, r)) {
        ENSURE(index_of(m, r->start) == at);
        for (; at < index_of(m, r->end); at++) ENSURE(m->state[at] == r->state);
    }
    ENSURE(at == m->nxt);
    struct send_record *lost = scoreboard_first_lost(&m->board);
    for (uint32_t i = m->una; i < m->nxt; i++) {
        if (m->state[i] != RECORD_LOST) continue;
        ENSURE(lost != NULL && index_of(m, lost->start) == i);
        lost = NULL;
        return;
    }
    ENSURE(lost == NULL);
}

static void step(struct model *m, struct feed *f) {
    uint8_t what = feed_u8(f) % 8;
    struct send_record *r;
    m->now += feed_u8(f);
    if (!scoreboard_reserve(&m->board, 2)) return;
    if (what == 0) {
        uint32_t length = 1 + feed_u16(f) % 600;
        if (m->nxt + length > SPAN) return;
        scoreboard_sent(&m->board, seq32_add(m->base, m->nxt), seq32_add(m->base, m->nxt + length), 1 + feed_u8(f), m->now);
        memset(m->state + m->nxt, RECORD_IN_FLIGHT, length);
        m->nxt += length;
        return;
    }
    if (what == 1) { /* a cumulative ACK */
        uint32_t to = m->una + (m->nxt > m->una ? feed_u16(f) % (m->nxt - m->una + 1) : 0);
        while ((r = scoreboard_first(&m->board)) != NULL && index_of(m, r->start) < to) {
            if (index_of(m, r->end) <= to) scoreboard_drop(&m->board, r);
            else scoreboard_trim(&m->board, r, seq32_add(m->base, to));
        }
        m->una = to;
        return;
    }
    r = pick(m, f);
    if (r == NULL) return;
    if (what == 2 && record_length(r) > 1) {
        r = scoreboard_split(&m->board, r, seq32_add(r->start, 1 + feed_u16(f) % (record_length(r) - 1)));
        if (feed_u8(f) & 1) return;
    }
    switch (what) {
    case 3:
        if (r->state != RECORD_IN_FLIGHT) return;
        set(m, r, RECORD_LOST);
        scoreboard_lose(&m->board, r);
        return;
    case 4:
        if (r->state == RECORD_SACKED) return;
        set(m, r, RECORD_IN_FLIGHT);
        scoreboard_send_again(&m->board, r, m->now);
        return;
    case 5:
        if (r->state != RECORD_LOST) return;
        set(m, r, RECORD_IN_FLIGHT);
        scoreboard_unlose(&m->board, r);
        return;
    case 6:
    case 2:
        if (r->state == RECORD_SACKED) return;
        set(m, r, RECORD_SACKED);
        scoreboard_sack(&m->board, r, 1 + feed_u8(f) % 4);
        return;
    default:
        if (r->state != RECORD_SACKED) return;
        set(m, r, RECORD_LOST);
        scoreboard_renege(&m->board, r);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    static struct model m;
    memset(&m, 0, sizeof(m));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&m.memory, limit < 200 ? -1 : limit - 200);
    m.base = seq32_of(UINT32_MAX - 3000);
    m.now = 1;
    scoreboard_init(&m.board, &m.memory.env);
    for (unsigned steps = 0; feed_left(&f) > 0 && steps < 300; steps++) {
        step(&m, &f);
        check(&m);
    }
    scoreboard_deinit(&m.board);
    ENSURE(m.memory.live_bytes == 0);
    return 0;
}
