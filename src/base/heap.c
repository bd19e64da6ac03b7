#include <base/heap.h>

#include <string.h>

void heap_init(struct heap *heap, const struct braid_env *env) { *heap = (struct heap){.env = env}; }

static void release_places(struct heap *heap) {
    if (heap->places == NULL) return;
    heap->env->release(heap->env->context, heap->places, heap->capacity * sizeof(heap->places[0]));
}

void heap_deinit(struct heap *heap) {
    for (uint32_t i = 0; i < heap->count; i++) heap->places[i].node->place = 0;
    release_places(heap);
    *heap = (struct heap){.env = heap->env};
}

bool heap_reserve(struct heap *heap, uint32_t count) {
    if (count <= heap->capacity) return true;
    if (count > UINT32_MAX / 2) return false;
    uint32_t capacity = heap->capacity > 0 ? heap->capacity : 16;
    while (capacity < count) capacity *= 2;
    struct heap_place *places = heap->env->allocate(heap->env->context, capacity * sizeof(places[0]));
    if (places == NULL) return false;
    if (heap->count > 0) memcpy(places, heap->places, heap->count * sizeof(places[0]));
    release_places(heap);
    heap->places = places;
    heap->capacity = capacity;
    return true;
}

static void put(struct heap *heap, struct heap_place place, uint32_t index) {
    heap->places[index] = place;
    place.node->place = index + 1;
}

static void sift_up(struct heap *heap, struct heap_place place, uint32_t index) {
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (heap->places[parent].deadline <= place.deadline) break;
        put(heap, heap->places[parent], index);
        index = parent;
    }
    put(heap, place, index);
}

static void sift_down(struct heap *heap, struct heap_place place, uint32_t index) {
    for (;;) {
        uint64_t left = 2 * (uint64_t)index + 1;
        if (left >= heap->count) break;
        uint32_t child = (uint32_t)left;
        if (child + 1 < heap->count && heap->places[child + 1].deadline < heap->places[child].deadline) child++;
        if (place.deadline <= heap->places[child].deadline) break;
        put(heap, heap->places[child], index);
        index = child;
    }
    put(heap, place, index);
}

/* Finds the right place for a node whose old place is `index` (or a hole there). */
static void settle(struct heap *heap, struct heap_place place, uint32_t index) {
    if (index > 0 && place.deadline < heap->places[(index - 1) / 2].deadline) sift_up(heap, place, index);
    else sift_down(heap, place, index);
}

static bool is_in(const struct heap *heap, const struct heap_node *node) {
    return node->place <= heap->count && heap->places[node->place - 1].node == node;
}

void heap_set(struct heap *heap, struct heap_node *node, braid_time deadline) {
    if (deadline == BRAID_NEVER) {
        heap_remove(heap, node);
        node->deadline = BRAID_NEVER;
        return;
    }
    node->deadline = deadline;
    struct heap_place place = {deadline, node};
    if (node->place == 0) {
        ENSURE(heap->count < heap->capacity);
        sift_up(heap, place, heap->count++);
    } else {
        ENSURE(is_in(heap, node));
        settle(heap, place, node->place - 1);
    }
}

void heap_remove(struct heap *heap, struct heap_node *node) {
    if (node->place == 0) return;
    ENSURE(is_in(heap, node));
    uint32_t index = node->place - 1;
    node->place = 0;
    struct heap_place last = heap->places[--heap->count];
    if (last.node != node) settle(heap, last, index);
}

struct heap_node *heap_first(const struct heap *heap) { return heap->count > 0 ? heap->places[0].node : NULL; }

braid_time heap_deadline(const struct heap *heap) {
    return heap->count > 0 ? heap->places[0].deadline : BRAID_NEVER;
}
