/* A sorted set of disjoint ranges of data sequence numbers: what waits to be sent once more. */
#ifndef MPTCP_DSN_RANGES_H
#define MPTCP_DSN_RANGES_H

#include <braid/env.h>
#include <base/seq.h>

struct dsn_range {
    dsn64 start, end;
};

struct dsn_ranges {
    const struct braid_env *env;
    struct dsn_range *array;
    uint32_t count, capacity, first; /* first: index of the lowest range */
    struct dsn_range spare;          /* the array of one that needs no memory */
};

void dsn_ranges_init(struct dsn_ranges *set, const struct braid_env *env);
void dsn_ranges_deinit(struct dsn_ranges *set);
/* Never fails: without memory, or with too many ranges, neighbours become one and what lies between them is in. */
void dsn_ranges_add(struct dsn_ranges *set, dsn64 start, dsn64 end);
/* Takes out everything below `dsn`. */
void dsn_ranges_drop_before(struct dsn_ranges *set, dsn64 dsn);
static inline bool dsn_ranges_empty(const struct dsn_ranges *set) { return set->count == 0; }
/* The lowest range; the set must not be empty. */
struct dsn_range dsn_ranges_first(const struct dsn_ranges *set);
uint64_t dsn_ranges_bytes(const struct dsn_ranges *set);

#endif
