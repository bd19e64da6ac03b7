#include "dsn_ranges.h"

#include <string.h>
#include <base/ensure.h>

#include "limits.h"

#define CAPACITY_MIN 16u

void dsn_ranges_init(struct dsn_ranges *set, const struct braid_env *env) {
    *set = (struct dsn_ranges){.env = env};
}

static struct dsn_range *ranges(const struct dsn_ranges *set) {
    /* Without an array the set is its spare range, which only dsn_ranges_add() and _drop_before() write to. */
    return set->array ? set->array + set->first : (struct dsn_range *)(uintptr_t)&set->spare;
}

void dsn_ranges_deinit(struct dsn_ranges *set) {
    if (set->array) set->env->release(set->env->context, set->array, set->capacity * sizeof(set->array[0]));
    dsn_ranges_init(set, set->env);
}

/* Room for one more range behind the last one. */
static bool grow(struct dsn_ranges *set) {
    if (set->array && set->first + set->count < set->capacity) return true;
    if (set->array && set->first > set->capacity / 2) {
        memmove(set->array, set->array + set->first, set->count * sizeof(set->array[0]));
        set->first = 0;
        return true;
    }
    uint32_t capacity = set->capacity > 0 ? 2 * set->capacity : CAPACITY_MIN;
    if (capacity > REINJECT_RANGES_MAX) return false;
    struct dsn_range *array = set->env->allocate(set->env->context, capacity * sizeof(array[0]));
    if (!array) return false;
    memcpy(array, ranges(set), set->count * sizeof(array[0]));
    if (set->array) set->env->release(set->env->context, set->array, set->capacity * sizeof(array[0]));
    set->array = array;
    set->capacity = capacity;
    set->first = 0;
    return true;
}

/* Index of the first range that ends at or behind `dsn`. */
static uint32_t search(const struct dsn_ranges *set, dsn64 dsn) {
    uint32_t low = 0, high = set->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (dsn64_lt(ranges(set)[middle].end, dsn)) low = middle + 1;
        else high = middle;
    }
    return low;
}

static void remove_at(struct dsn_ranges *set, uint32_t index, uint32_t count) {
    struct dsn_range *r = ranges(set);
    memmove(r + index, r + index + count, (set->count - index - count) * sizeof(r[0]));
    set->count -= count;
}

/* Widens the range at `index` to hold [start, end), swallowing those that it then touches. */
static void widen(struct dsn_ranges *set, uint32_t index, dsn64 start, dsn64 end) {
    struct dsn_range *r = ranges(set);
    r[index].start = dsn64_min(r[index].start, start);
    r[index].end = dsn64_max(r[index].end, end);
    uint32_t swallowed = 0;
    while (index + 1 + swallowed < set->count && dsn64_le(r[index + 1 + swallowed].start, r[index].end)) {
        r[index].end = dsn64_max(r[index].end, r[index + 1 + swallowed].end);
        swallowed++;
    }
    if (swallowed > 0) remove_at(set, index + 1, swallowed);
}

void dsn_ranges_add(struct dsn_ranges *set, dsn64 start, dsn64 end) {
    if (dsn64_ge(start, end)) return;
    uint32_t index = search(set, start);
    if (index < set->count && dsn64_le(ranges(set)[index].start, end)) {
        widen(set, index, start, end);
        return;
    }
    bool fits = set->count == 0 && !set->array ? true : grow(set);
    if (!fits) {
        widen(set, index < set->count ? index : index - 1, start, end);
        return;
    }
    struct dsn_range *r = ranges(set);
    memmove(r + index + 1, r + index, (set->count - index) * sizeof(r[0]));
    r[index] = (struct dsn_range){start, end};
    set->count++;
}

void dsn_ranges_drop_before(struct dsn_ranges *set, dsn64 dsn) {
    while (set->count > 0) {
        struct dsn_range *lowest = ranges(set);
        if (dsn64_gt(lowest->end, dsn)) {
            lowest->start = dsn64_max(lowest->start, dsn);
            return;
        }
        set->count--;
        if (set->array) set->first = set->count > 0 ? set->first + 1 : 0;
    }
}

struct dsn_range dsn_ranges_first(const struct dsn_ranges *set) {
    ENSURE(set->count > 0);
    return ranges(set)[0];
}

uint64_t dsn_ranges_bytes(const struct dsn_ranges *set) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < set->count; i++) bytes += (uint64_t)dsn64_diff(ranges(set)[i].end, ranges(set)[i].start);
    return bytes;
}
