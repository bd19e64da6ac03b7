/* Data sequence mappings of one subflow, in one direction, in the subflow's order (RFC 8684 §3.3.1). */
#ifndef MPTCP_MAPPING_H
#define MPTCP_MAPPING_H

#include <braid/env.h>
#include <base/ensure.h>
#include <base/seq.h>

/* Immutable once a segment carried it. */
struct mapping {
    seq32 seq;       /* of the first byte, as in the TCP header */
    dsn64 dsn;
    uint32_t length; /* bytes of payload, without a DATA_FIN */
    bool data_fin;
    bool reinjected; /* sent: its unacknowledged part was given to other subflows */
    bool overtaken;  /* sent: it blocked the window, and went by a faster path as well (blocking.c) */
    braid_time sent_at; /* the first time; 0: not yet */
    uint16_t checksum; /* as on the wire */
    uint64_t sum;      /* of the payload summed up so far (with a checksum only) */
    uint32_t summed_bytes;
};

struct mapping_list {
    const struct braid_env *env;
    struct mapping *ring;
    uint32_t capacity, head, count; /* capacity is a power of two */
    uint32_t hint; /* where the last one was found: what comes next is of the same or of the one after it */
};

void mapping_list_init(struct mapping_list *list, const struct braid_env *env);
void mapping_list_deinit(struct mapping_list *list);
static inline struct mapping *mapping_at(const struct mapping_list *list, uint32_t index) {
    return &list->ring[(list->head + index) & (list->capacity - 1)];
}
/* Keeps the order. False: no memory. */
bool mapping_insert(struct mapping_list *list, const struct mapping *mapping) MUST_USE;
/* Makes room, so that one insertion cannot fail. */
bool mapping_reserve(struct mapping_list *list) MUST_USE;
/* The mapping that holds `seq`, or NULL. */
struct mapping *mapping_find(struct mapping_list *list, seq32 seq);
/* Index of the first mapping that ends behind `seq`; count if there is none. */
uint32_t mapping_search(struct mapping_list *list, seq32 seq);
/* Forgets mappings that end at or before `seq`. */
void mapping_drop_before(struct mapping_list *list, seq32 seq);
/* The same, but only those whose data ends at or before `dsn`. */
void mapping_drop_before_both(struct mapping_list *list, seq32 seq, dsn64 dsn);
static inline seq32 mapping_end(const struct mapping *m) { return seq32_add(m->seq, m->length); }
static inline dsn64 mapping_data_end(const struct mapping *m) { return dsn64_add(m->dsn, m->length); }
static inline dsn64 mapping_lift(const struct mapping *m, seq32 seq) {
    return dsn64_add(m->dsn, (uint64_t)(int64_t)seq32_diff(seq, m->seq)); /* seq may lie outside, before or behind */
}

/* The checksum field for a payload whose sum is `sum` (RFC 8684 §3.3.1, figure 10). */
uint16_t mapping_checksum(dsn64 dsn, uint32_t relative_seq, uint32_t data_level_length, uint64_t sum);

#endif
