/* Intrusive binary min-heap of deadlines, in memory from env. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <braid/env.h>
#include <base/ensure.h>

struct heap_node {
    braid_time deadline;
    uint32_t place; /* index + 1; 0 when not in the heap */
};

/* The deadline stands beside the pointer: of a million nodes, each in memory of its own, none is fetched to compare. */
struct heap_place {
    braid_time deadline;
    struct heap_node *node;
};

struct heap {
    const struct braid_env *env;
    struct heap_place *places;
    uint32_t count, capacity;
};

void heap_init(struct heap *heap, const struct braid_env *env);
void heap_deinit(struct heap *heap);
/* Makes room for `count` nodes, so that heap_set() of that many cannot fail. */
bool heap_reserve(struct heap *heap, uint32_t count) MUST_USE;
/* Puts the node in, or moves it, to `deadline`; BRAID_NEVER takes it out. Room must have been reserved. */
void heap_set(struct heap *heap, struct heap_node *node, braid_time deadline);
void heap_remove(struct heap *heap, struct heap_node *node);
struct heap_node *heap_first(const struct heap *heap); /* NULL when empty */
braid_time heap_deadline(const struct heap *heap);     /* BRAID_NEVER when empty */

#endif
