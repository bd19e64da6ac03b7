/* What arrived beyond rcv_nxt: stretches of contiguous bytes, each a list of pieces. What came first stays. */
#ifndef TCP_REASSEMBLY_H
#define TCP_REASSEMBLY_H

#include <base/buf.h>
#include <base/list.h>
#include <base/seq.h>
#include <wire/tcp_segment.h>

struct reassembly {
    const struct braid_env *env;
    struct list_node stretches; /* by sequence */
    struct list_node recent;    /* the one that grew last first: the order of SACK blocks (RFC 2018 §4) */
    uint32_t bytes;
    uint32_t pieces;
    uint64_t memory_bytes; /* buffers and bookkeeping */
};

enum reassembly_result {
    REASSEMBLY_ADDED,
    REASSEMBLY_DUPLICATE, /* all of it was there */
    REASSEMBLY_NO_MEMORY, /* a part may have been added */
};

void reassembly_init(struct reassembly *r, const struct braid_env *env);
void reassembly_deinit(struct reassembly *r);
/* Takes over the reference in any case. `*added_bytes` were new. */
enum reassembly_result reassembly_add(struct reassembly *r, seq32 seq, struct braid_slice data,
                                      uint32_t *added_bytes) MUST_USE;
/* Takes out the piece at `rcv_nxt`, without what lies before it; false when there is none. What lies wholly before
 * `rcv_nxt` is released. */
bool reassembly_take(struct reassembly *r, seq32 rcv_nxt, struct braid_slice *out) MUST_USE;
static inline bool reassembly_empty(const struct reassembly *r) { return list_empty(&r->stretches); }
/* Blocks for a SACK option, the newest first. */
uint32_t reassembly_blocks(const struct reassembly *r, struct sack_block *out, uint32_t max);
/* The stretch that holds `seq`. */
bool reassembly_block_of(const struct reassembly *r, seq32 seq, struct sack_block *out) MUST_USE;
/* The end of the last stretch; only when not empty. */
seq32 reassembly_end(const struct reassembly *r);

void reassembly_check(const struct reassembly *r, seq32 rcv_nxt);

#endif
