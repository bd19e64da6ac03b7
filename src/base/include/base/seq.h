/* Sequence numbers as types, so that mixing them with integers, or with each other, does not compile.
 * seq32: TCP's, modulo 2^32 (RFC 9293 §3.4). dsn64: MPTCP's data sequence numbers, modulo 2^64 (RFC 8684 §3.3). */
#ifndef BASE_SEQ_H
#define BASE_SEQ_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t value;
} seq32;

static inline seq32 seq32_of(uint32_t value) { return (seq32){value}; }
static inline seq32 seq32_add(seq32 a, uint32_t n) { return (seq32){a.value + n}; }
static inline seq32 seq32_back(seq32 a, uint32_t n) { return (seq32){a.value - n}; }
/* a - b, as a signed distance: right while the two are within 2^31 of each other. */
static inline int32_t seq32_diff(seq32 a, seq32 b) { return (int32_t)(a.value - b.value); }
static inline bool seq32_eq(seq32 a, seq32 b) { return a.value == b.value; }
static inline bool seq32_lt(seq32 a, seq32 b) { return seq32_diff(a, b) < 0; }
static inline bool seq32_le(seq32 a, seq32 b) { return seq32_diff(a, b) <= 0; }
static inline bool seq32_gt(seq32 a, seq32 b) { return seq32_diff(a, b) > 0; }
static inline bool seq32_ge(seq32 a, seq32 b) { return seq32_diff(a, b) >= 0; }
static inline seq32 seq32_max(seq32 a, seq32 b) { return seq32_gt(a, b) ? a : b; }
static inline seq32 seq32_min(seq32 a, seq32 b) { return seq32_lt(a, b) ? a : b; }

typedef struct {
    uint64_t value;
} dsn64;

static inline dsn64 dsn64_of(uint64_t value) { return (dsn64){value}; }
static inline dsn64 dsn64_add(dsn64 a, uint64_t n) { return (dsn64){a.value + n}; }
static inline dsn64 dsn64_back(dsn64 a, uint64_t n) { return (dsn64){a.value - n}; }
static inline int64_t dsn64_diff(dsn64 a, dsn64 b) { return (int64_t)(a.value - b.value); }
static inline bool dsn64_eq(dsn64 a, dsn64 b) { return a.value == b.value; }
static inline bool dsn64_lt(dsn64 a, dsn64 b) { return dsn64_diff(a, b) < 0; }
static inline bool dsn64_le(dsn64 a, dsn64 b) { return dsn64_diff(a, b) <= 0; }
static inline bool dsn64_gt(dsn64 a, dsn64 b) { return dsn64_diff(a, b) > 0; }
static inline bool dsn64_ge(dsn64 a, dsn64 b) { return dsn64_diff(a, b) >= 0; }
static inline dsn64 dsn64_max(dsn64 a, dsn64 b) { return dsn64_gt(a, b) ? a : b; }
static inline dsn64 dsn64_min(dsn64 a, dsn64 b) { return dsn64_lt(a, b) ? a : b; }

/* The 64-bit number nearest to `near` whose low 32 bits are `low` (RFC 8684 §3.3.1: 32-bit forms on the wire). */
/* [R-3.3.1-9] [R-3.3.1-12] [R-3.3.1-13] */
static inline dsn64 dsn64_expand(dsn64 near, uint32_t low) {
    return dsn64_of(near.value + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)near.value));
}

#endif
