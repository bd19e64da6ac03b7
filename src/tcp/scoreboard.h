/* What was sent and is not cumulatively acknowledged: one record for what left at the same moment, up to 64 KiB.
 * A record is split when only a part of it is SACKed, lost or sent again; SACKed neighbours are merged, so that a
 * walk from the front passes holes, not segments. */
#ifndef TCP_SCOREBOARD_H
#define TCP_SCOREBOARD_H

#include <braid/env.h>
#include <base/list.h>
#include <base/seq.h>

#define RECORD_BYTES_MAX 65536u

enum record_state { RECORD_IN_FLIGHT, RECORD_LOST, RECORD_SACKED };

struct send_record {
    struct list_node by_sequence; /* in scoreboard.records */
    struct list_node by_state;    /* in scoreboard.in_flight or .lost; a SACKed one in neither */
    seq32 start, end;             /* a FIN counts as one */
    enum record_state state;
    bool retransmitted;
    uint32_t piece_bytes;   /* payload of each segment it went out in */
    uint32_t sacked_pieces; /* how many segments SACK reported in it */
    braid_time sent_at;     /* last time */
    /* For the delivery rate (rate.c): how things stood when it was sent. */
    bool application_limited;
    uint32_t sent_in_flight_bytes; /* itself included */
    uint32_t lost_before_bytes;    /* board->lost_ever_bytes */
    uint64_t delivered_bytes;
    braid_time delivered_at, first_sent_at;
};

struct scoreboard {
    const struct braid_env *env;
    struct list_node records;   /* by sequence */
    struct list_node in_flight; /* by time of sending, as RACK wants them */
    struct list_node lost;      /* by sequence: to be sent again */
    struct list_node spare;
    struct send_record *touched; /* SACKed last: where the next SACK probably falls */
    uint32_t spare_count, record_count;
    uint32_t in_flight_bytes, lost_bytes, sacked_bytes, sacked_pieces;
    uint32_t lost_ever_bytes; /* wraps */
};

void scoreboard_init(struct scoreboard *board, const struct braid_env *env);
void scoreboard_deinit(struct scoreboard *board);

/* Makes sure that `count` records can be made (by sending or splitting) without fail. */
bool scoreboard_reserve(struct scoreboard *board, uint32_t count) MUST_USE;

/* [start, end) left for the first time; one record must have been reserved. It may become part of the last record. */
struct send_record *scoreboard_sent(struct scoreboard *board, seq32 start, seq32 end, uint32_t piece_bytes,
                                    braid_time now);
/* Cuts the record at `at`, inside it; returns the part behind. One record must have been reserved. */
struct send_record *scoreboard_split(struct scoreboard *board, struct send_record *record, seq32 at);

/* From in flight to lost. */
void scoreboard_lose(struct scoreboard *board, struct send_record *record);
/* From lost, or in flight, to in flight. */
void scoreboard_send_again(struct scoreboard *board, struct send_record *record, braid_time now);
/* From lost back to in flight, as if nothing had been: it was a mistake. */
void scoreboard_unlose(struct scoreboard *board, struct send_record *record);
/* From any other state to SACKed, as so many segments. The record may be merged into its neighbour: board->touched is
 * where it is now. */
void scoreboard_sack(struct scoreboard *board, struct send_record *record, uint32_t pieces);
/* Bytes marked lost since lost_ever_bytes was `lost_before_bytes`; 0 where more losses were taken back than came. */
uint32_t scoreboard_lost_since(const struct scoreboard *board, uint32_t lost_before_bytes);
/* From SACKed to lost: the peer threw it away. */
void scoreboard_renege(struct scoreboard *board, struct send_record *record);

/* The cumulative acknowledgement passed it, or a part at its front. */
void scoreboard_drop(struct scoreboard *board, struct send_record *record);
void scoreboard_trim(struct scoreboard *board, struct send_record *record, seq32 to);

static inline uint32_t record_length(const struct send_record *record) {
    return (uint32_t)seq32_diff(record->end, record->start);
}
struct send_record *scoreboard_first(const struct scoreboard *board);
struct send_record *scoreboard_last(const struct scoreboard *board);
struct send_record *scoreboard_next(const struct scoreboard *board, const struct send_record *record);
struct send_record *scoreboard_first_lost(const struct scoreboard *board);
/* The first record that ends behind `seq`, searched from where the last SACK fell. */
struct send_record *scoreboard_find(const struct scoreboard *board, seq32 seq);
static inline bool scoreboard_empty(const struct scoreboard *board) { return list_empty(&board->records); }

void scoreboard_check(const struct scoreboard *board, seq32 una, seq32 nxt);

#endif
