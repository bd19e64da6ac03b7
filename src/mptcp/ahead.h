/* Bytes that arrived ahead of a hole in the data order. */
#ifndef MPTCP_AHEAD_H
#define MPTCP_AHEAD_H

#include <base/buf.h>
#include <base/list.h>
#include <base/seq.h>

struct run {
    struct list_node node;
    dsn64 dsn;
    struct braid_slice data;
    uint32_t spare_bytes; /* behind the data, in a buffer that is ours alone */
};

struct ahead {
    const struct braid_env *env;
    struct list_node runs; /* in order, disjoint */
    uint64_t bytes;
    uint64_t memory_bytes; /* what holding them costs */
};

void ahead_init(struct ahead *r, const struct braid_env *env);
void ahead_deinit(struct ahead *r);
/* Takes over `data`. What is there already is dropped. *hint is where this subflow's last bytes went, NULL if unknown;
 * it is moved on. Returns the number of bytes that were new; *lost is set if there was no memory for some. */
uint32_t ahead_insert(struct ahead *r, struct run **hint, dsn64 dsn, struct braid_slice data, bool *lost);
/* The run at `dsn` or before it, taken out, without bytes below `dsn`; false if the first run starts behind it.
 * *gone is the run that ended: hints at it must be forgotten. */
bool ahead_take(struct ahead *r, dsn64 dsn, struct braid_slice *out, const struct run **gone);

#endif
