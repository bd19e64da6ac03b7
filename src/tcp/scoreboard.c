#include "scoreboard.h"

#include <string.h>

#define SPARE_MAX 64
#define SPARE_IDLE_MAX 1 /* with nothing to be acknowledged */

#define BY_SEQUENCE(node) LIST_ENTRY(node, struct send_record, by_sequence)
#define BY_STATE(node) LIST_ENTRY(node, struct send_record, by_state)

void scoreboard_init(struct scoreboard *board, const struct braid_env *env) {
    *board = (struct scoreboard){.env = env};
    list_init(&board->records);
    list_init(&board->in_flight);
    list_init(&board->lost);
    list_init(&board->spare);
}

static void release_all(struct scoreboard *board, struct list_node *list) {
    LIST_EACH(list, node, following) {
        list_remove(node);
        board->env->release(board->env->context, BY_SEQUENCE(node), sizeof(struct send_record));
    }
}

void scoreboard_deinit(struct scoreboard *board) {
    release_all(board, &board->records);
    release_all(board, &board->spare);
    scoreboard_init(board, board->env);
}

bool scoreboard_reserve(struct scoreboard *board, uint32_t count) {
    while (board->spare_count < count) {
        struct send_record *record = board->env->allocate(board->env->context, sizeof(*record));
        if (record == NULL) return false;
        memset(record, 0, sizeof(*record));
        list_append(&board->spare, &record->by_sequence);
        board->spare_count++;
    }
    return true;
}

static struct send_record *take_spare(struct scoreboard *board) {
    struct list_node *node = list_first(&board->spare);
    ENSURE(node != NULL);
    list_remove(node);
    board->spare_count--;
    board->record_count++;
    struct send_record *record = BY_SEQUENCE(node);
    memset(record, 0, sizeof(*record));
    return record;
}

static void give_back(struct scoreboard *board, struct send_record *record) {
    list_remove(&record->by_state);
    list_remove(&record->by_sequence);
    board->record_count--;
    if (board->touched == record) board->touched = NULL;
    if (board->spare_count < SPARE_MAX) {
        list_append(&board->spare, &record->by_sequence);
        board->spare_count++;
    } else {
        board->env->release(board->env->context, record, sizeof(*record));
    }
    while (board->record_count == 0 && board->spare_count > SPARE_IDLE_MAX) {
        struct list_node *spare = list_first(&board->spare);
        list_remove(spare);
        board->spare_count--;
        board->env->release(board->env->context, BY_SEQUENCE(spare), sizeof(*record));
    }
}

static uint32_t *bytes_in_state(struct scoreboard *board, enum record_state state) {
    switch (state) {
    case RECORD_IN_FLIGHT: return &board->in_flight_bytes;
    case RECORD_LOST: return &board->lost_bytes;
    case RECORD_SACKED: return &board->sacked_bytes;
    }
    __builtin_unreachable();
}

struct send_record *scoreboard_first(const struct scoreboard *board) {
    struct list_node *node = list_first(&board->records);
    return node != NULL ? BY_SEQUENCE(node) : NULL;
}

struct send_record *scoreboard_last(const struct scoreboard *board) {
    struct list_node *node = list_last(&board->records);
    return node != NULL ? BY_SEQUENCE(node) : NULL;
}

struct send_record *scoreboard_next(const struct scoreboard *board, const struct send_record *record) {
    struct list_node *node = list_next(&board->records, &record->by_sequence);
    return node != NULL ? BY_SEQUENCE(node) : NULL;
}

static struct send_record *previous_of(const struct scoreboard *board, const struct send_record *record) {
    return record->by_sequence.previous != &board->records ? BY_SEQUENCE(record->by_sequence.previous) : NULL;
}

struct send_record *scoreboard_first_lost(const struct scoreboard *board) {
    struct list_node *node = list_first(&board->lost);
    return node != NULL ? BY_STATE(node) : NULL;
}

struct send_record *scoreboard_find(const struct scoreboard *board, seq32 seq) {
    struct send_record *record = scoreboard_first(board);
    if (board->touched != NULL && seq32_le(board->touched->start, seq)) record = board->touched;
    while (record != NULL && seq32_le(record->end, seq)) record = scoreboard_next(board, record);
    return record;
}

/* Can what leaves now be told together with the last record? */
static bool joins(const struct send_record *last, seq32 start, seq32 end, uint32_t piece_bytes, braid_time now) {
    return last != NULL && last->state == RECORD_IN_FLIGHT && !last->retransmitted && last->sent_at == now &&
           last->piece_bytes == piece_bytes && seq32_eq(last->end, start) &&
           seq32_diff(end, last->start) <= (int32_t)RECORD_BYTES_MAX;
}

/* [R-8985-4-2] */
struct send_record *scoreboard_sent(struct scoreboard *board, seq32 start, seq32 end, uint32_t piece_bytes,
                                    braid_time now) {
    struct send_record *last = scoreboard_last(board);
    board->in_flight_bytes += (uint32_t)seq32_diff(end, start);
    if (joins(last, start, end, piece_bytes, now)) {
        last->end = end;
        last->sent_in_flight_bytes = board->in_flight_bytes;
        return last;
    }
    struct send_record *record = take_spare(board);
    record->start = start;
    record->end = end;
    record->state = RECORD_IN_FLIGHT;
    record->piece_bytes = piece_bytes;
    record->sent_at = now;
    record->sent_in_flight_bytes = board->in_flight_bytes;
    record->lost_before_bytes = board->lost_ever_bytes;
    list_append(&board->records, &record->by_sequence);
    list_append(&board->in_flight, &record->by_state);
    return record;
}

struct send_record *scoreboard_split(struct scoreboard *board, struct send_record *record, seq32 at) {
    ENSURE(seq32_lt(record->start, at) && seq32_lt(at, record->end));
    struct send_record *behind = take_spare(board);
    *behind = *record;
    behind->by_state = (struct list_node){NULL, NULL};
    list_insert_after(&record->by_sequence, &behind->by_sequence);
    if (record->state != RECORD_SACKED) list_insert_after(&record->by_state, &behind->by_state);
    record->end = at;
    behind->start = at;
    behind->sacked_pieces = 0; /* all are counted in front */
    return behind;
}

static void leave_state(struct scoreboard *board, struct send_record *record) {
    *bytes_in_state(board, record->state) -= record_length(record);
    list_remove(&record->by_state);
}

static void enter_state(struct scoreboard *board, struct send_record *record, enum record_state state) {
    record->state = state;
    *bytes_in_state(board, state) += record_length(record);
}

/* Losses are found in order of sending, which mostly is that of sequence: search from the end. */
static void insert_lost(struct scoreboard *board, struct send_record *record) {
    struct list_node *at = board->lost.previous;
    while (at != &board->lost && seq32_gt(BY_STATE(at)->start, record->start)) at = at->previous;
    list_insert_after(at, &record->by_state);
}

/* Modulo 2^32: only differences are looked at. */
static void count_lost(struct scoreboard *board, const struct send_record *record) {
    board->lost_ever_bytes += record_length(record);
}
static void count_unlost(struct scoreboard *board, const struct send_record *record) {
    board->lost_ever_bytes -= record_length(record);
}

uint32_t scoreboard_lost_since(const struct scoreboard *board, uint32_t lost_before_bytes) {
    int32_t since = (int32_t)(board->lost_ever_bytes - lost_before_bytes);
    return since > 0 ? (uint32_t)since : 0;
}

void scoreboard_lose(struct scoreboard *board, struct send_record *record) {
    ENSURE(record->state == RECORD_IN_FLIGHT);
    leave_state(board, record);
    enter_state(board, record, RECORD_LOST);
    insert_lost(board, record);
    count_lost(board, record);
}

/* [R-8985-4-3] [R-8985-7.3-5] */
void scoreboard_send_again(struct scoreboard *board, struct send_record *record, braid_time now) {
    ENSURE(record->state != RECORD_SACKED);
    leave_state(board, record);
    enter_state(board, record, RECORD_IN_FLIGHT);
    list_append(&board->in_flight, &record->by_state);
    record->retransmitted = true;
    record->sent_at = now;
    record->sent_in_flight_bytes = board->in_flight_bytes;
    record->lost_before_bytes = board->lost_ever_bytes;
}

void scoreboard_unlose(struct scoreboard *board, struct send_record *record) {
    ENSURE(record->state == RECORD_LOST);
    leave_state(board, record);
    count_unlost(board, record);
    enter_state(board, record, RECORD_IN_FLIGHT);
    struct list_node *at = board->in_flight.previous;
    while (at != &board->in_flight && BY_STATE(at)->sent_at > record->sent_at) at = at->previous;
    list_insert_after(at, &record->by_state);
}

/* Takes what stands behind `record` into it. */
static void merge_with_next(struct scoreboard *board, struct send_record *record) {
    struct send_record *next = scoreboard_next(board, record);
    if (next == NULL || next->state != RECORD_SACKED) return;
    record->end = next->end;
    record->sacked_pieces += next->sacked_pieces;
    record->retransmitted |= next->retransmitted;
    give_back(board, next);
}

void scoreboard_sack(struct scoreboard *board, struct send_record *record, uint32_t pieces) {
    ENSURE(record->state != RECORD_SACKED);
    leave_state(board, record);
    enter_state(board, record, RECORD_SACKED);
    record->sacked_pieces = pieces;
    board->sacked_pieces += pieces;
    merge_with_next(board, record);
    struct send_record *previous = previous_of(board, record);
    if (previous != NULL && previous->state == RECORD_SACKED) {
        merge_with_next(board, previous);
        record = previous;
    }
    board->touched = record;
}

static void forget_sacked_pieces(struct scoreboard *board, struct send_record *record) {
    board->sacked_pieces -= record->sacked_pieces;
    record->sacked_pieces = 0;
}

void scoreboard_renege(struct scoreboard *board, struct send_record *record) {
    ENSURE(record->state == RECORD_SACKED);
    forget_sacked_pieces(board, record);
    leave_state(board, record);
    enter_state(board, record, RECORD_LOST);
    insert_lost(board, record);
    count_lost(board, record); /* it may be taken back as any other loss */
}

void scoreboard_drop(struct scoreboard *board, struct send_record *record) {
    forget_sacked_pieces(board, record);
    leave_state(board, record);
    give_back(board, record);
}

void scoreboard_trim(struct scoreboard *board, struct send_record *record, seq32 to) {
    ENSURE(seq32_lt(record->start, to) && seq32_lt(to, record->end));
    *bytes_in_state(board, record->state) -= (uint32_t)seq32_diff(to, record->start);
    record->start = to;
}

/* --- invariants --- */

static void check_order_of_states(const struct scoreboard *board) {
    const struct send_record *previous = NULL;
    LIST_EACH(&board->in_flight, node, following) {
        const struct send_record *record = BY_STATE(node);
        ENSURE(record->state == RECORD_IN_FLIGHT);
        ENSURE(previous == NULL || previous->sent_at <= record->sent_at);
        previous = record;
    }
    previous = NULL;
    LIST_EACH(&board->lost, lost_node, lost_following) {
        const struct send_record *record = BY_STATE(lost_node);
        ENSURE(record->state == RECORD_LOST);
        ENSURE(previous == NULL || seq32_lt(previous->start, record->start));
        previous = record;
    }
}

void scoreboard_check(const struct scoreboard *board, seq32 una, seq32 nxt) {
    uint32_t bytes[3] = {0}, count = 0, pieces = 0;
    seq32 at = una;
    bool touched_found = board->touched == NULL;
    LIST_EACH(&board->records, node, following) {
        const struct send_record *record = BY_SEQUENCE(node);
        ENSURE(seq32_eq(record->start, at) && seq32_lt(record->start, record->end));
        at = record->end;
        bytes[record->state] += record_length(record);
        pieces += record->sacked_pieces;
        count++;
        touched_found |= record == board->touched;
    }
    ENSURE(seq32_eq(at, nxt) && touched_found);
    ENSURE(bytes[RECORD_IN_FLIGHT] == board->in_flight_bytes && bytes[RECORD_LOST] == board->lost_bytes &&
           bytes[RECORD_SACKED] == board->sacked_bytes);
    ENSURE(count == board->record_count && pieces == board->sacked_pieces);
    check_order_of_states(board);
}
