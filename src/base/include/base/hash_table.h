/* Intrusive chained hash table, growing by doubling. The hash is keyed with a secret, so that a peer cannot aim
 * for one bucket. What is in it moves to the larger place a little with each insertion: no single one takes long. */
#ifndef BASE_HASH_TABLE_H
#define BASE_HASH_TABLE_H

#include <braid/env.h>
#include <base/ensure.h>

struct hash_node {
    struct hash_node *next;
    uint64_t hash;
};

struct hash_table {
    const struct braid_env *env;
    struct hash_node **buckets;
    uint32_t bucket_count, count;
    struct hash_node **old_buckets; /* half as many; NULL unless it grows just now */
    uint32_t moved;                 /* so many of them are empty for good */
};

/* False when there is no memory. */
bool hash_table_init(struct hash_table *table, const struct braid_env *env) MUST_USE;
void hash_table_deinit(struct hash_table *table);
/* Never fails: if growing is not possible, chains get longer. The node must not be in a table. */
void hash_table_insert(struct hash_table *table, struct hash_node *node, uint64_t hash);
/* The node must be in this table. */
void hash_table_remove(struct hash_table *table, struct hash_node *node);
/* First node with `hash`, then the following ones with the same hash: compare the keys yourself. */
struct hash_node *hash_table_first(const struct hash_table *table, uint64_t hash);
struct hash_node *hash_table_next(const struct hash_node *node);

/* SipHash-2-4 of `length` bytes under a 16-byte key. */
uint64_t hash_bytes(const uint64_t key[2], const void *bytes, size_t length);

#endif
