#include <base/array.h>

#include <string.h>

void *array_reserve(const struct braid_env *env, void *items, uint32_t *capacity, uint32_t count, size_t item_bytes) {
    ENSURE(count <= *capacity && *capacity < UINT32_MAX / 2);
    if (count < *capacity) return items;
    uint32_t larger = *capacity > 0 ? 2 * *capacity : 1;
    void *moved = env->allocate(env->context, larger * item_bytes);
    if (moved == NULL) return NULL;
    if (count > 0) memcpy(moved, items, count * item_bytes);
    array_release(env, items, *capacity, item_bytes);
    *capacity = larger;
    return moved;
}

void array_release(const struct braid_env *env, void *items, uint32_t capacity, size_t item_bytes) {
    if (items != NULL) env->release(env->context, items, capacity * item_bytes);
}
