#include "mapping.h"

#include <base/reader.h>
#include <wire/checksum.h>

#define RING_MIN 2
#define RING_FAST_MAX 128 /* up to here it grows fourfold */
#define RING_IDLE_MAX 8   /* and so much is kept when it is empty */

void mapping_list_init(struct mapping_list *list, const struct braid_env *env) {
    *list = (struct mapping_list){.env = env};
}

void mapping_list_deinit(struct mapping_list *list) {
    if (list->ring) list->env->release(list->env->context, list->ring, list->capacity * sizeof(list->ring[0]));
    mapping_list_init(list, list->env);
}

bool mapping_reserve(struct mapping_list *list) {
    if (list->count < list->capacity) return true;
    uint32_t capacity = RING_MIN;
    if (list->capacity > 0) capacity = list->capacity * (list->capacity < RING_FAST_MAX ? 4 : 2);
    struct mapping *ring = list->env->allocate(list->env->context, capacity * sizeof(ring[0]));
    if (!ring) return false;
    for (uint32_t i = 0; i < list->count; i++) ring[i] = *mapping_at(list, i);
    if (list->ring) list->env->release(list->env->context, list->ring, list->capacity * sizeof(ring[0]));
    list->ring = ring;
    list->capacity = capacity;
    list->head = 0;
    return true;
}

/* Is [index] the first that ends behind `seq`? */
static bool first_behind(const struct mapping_list *list, uint32_t index, seq32 seq) {
    if (index >= list->count || seq32_le(mapping_end(mapping_at(list, index)), seq)) return false;
    return index == 0 || seq32_le(mapping_end(mapping_at(list, index - 1)), seq);
}

uint32_t mapping_search(struct mapping_list *list, seq32 seq) {
    uint32_t low = 0, high = list->count;
    if (first_behind(list, list->hint, seq)) return list->hint;
    if (first_behind(list, list->hint + 1, seq)) return ++list->hint;
    /* What arrives in order is of the first, what leaves often of the last. */
    if (high == 0 || seq32_gt(mapping_end(mapping_at(list, 0)), seq)) return list->hint = 0;
    if (high > 1 && seq32_le(mapping_end(mapping_at(list, high - 2)), seq)) low = high - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (seq32_le(mapping_end(mapping_at(list, middle)), seq)) low = middle + 1;
        else high = middle;
    }
    return list->hint = low;
}

bool mapping_insert(struct mapping_list *list, const struct mapping *mapping) {
    if (!mapping_reserve(list)) return false;
    uint32_t place = list->count;
    while (place > 0 && seq32_gt(mapping_at(list, place - 1)->seq, mapping->seq)) {
        *mapping_at(list, place) = *mapping_at(list, place - 1);
        place--;
    }
    *mapping_at(list, place) = *mapping;
    list->count++;
    return true;
}

struct mapping *mapping_find(struct mapping_list *list, seq32 seq) {
    uint32_t index = mapping_search(list, seq);
    if (index == list->count) return NULL;
    struct mapping *m = mapping_at(list, index);
    return seq32_le(m->seq, seq) ? m : NULL;
}

static void drop_first(struct mapping_list *list) {
    list->head = (list->head + 1) & (list->capacity - 1);
    list->count--;
    if (list->hint > 0) list->hint--;
    if (list->count == 0 && list->capacity > RING_IDLE_MAX) mapping_list_deinit(list);
}

void mapping_drop_before(struct mapping_list *list, seq32 seq) {
    while (list->count > 0 && seq32_le(mapping_end(mapping_at(list, 0)), seq)) drop_first(list);
}

/* [R-3.3.2-4] [R-3.3.6-1] [R-3.3.6-2] */
void mapping_drop_before_both(struct mapping_list *list, seq32 seq, dsn64 dsn) {
    while (list->count > 0 && seq32_le(mapping_end(mapping_at(list, 0)), seq) &&
           dsn64_le(mapping_data_end(mapping_at(list, 0)), dsn))
        drop_first(list);
}

uint16_t mapping_checksum(dsn64 dsn, uint32_t relative_seq, uint32_t data_level_length, uint64_t sum) {
    uint8_t pseudo_header[16];
    struct writer w = writer_of(pseudo_header, sizeof(pseudo_header));
    write_u64(&w, dsn.value);
    write_u32(&w, relative_seq);
    write_u16(&w, (uint16_t)data_level_length);
    write_u16(&w, 0);
    return checksum_finish(sum + checksum_sum(pseudo_header, sizeof(pseudo_header)));
}
