/* An array in the environment's memory that has as many places as were ever needed, none at first. */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <braid/env.h>
#include <base/ensure.h>

/* Where the items are once there is room for number `count`, of `item_bytes`: they may move, with all before that one.
 * NULL, and nothing has changed, when there is no memory. */
void *array_reserve(const struct braid_env *env, void *items, uint32_t *capacity, uint32_t count, size_t item_bytes)
    MUST_USE;
void array_release(const struct braid_env *env, void *items, uint32_t capacity, size_t item_bytes);

#endif
