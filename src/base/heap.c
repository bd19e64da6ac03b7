#include <base/heap.h>

#include <string.h>

void heap_init(struct heap *heap, const struct braid_env *env) { *heap = (struct heap){.env = env}; }

void heap_deinit(struct heap *heap) {
    for (uint32_t i = 0; i < heap->count; i++) heap->nodes[i]->place = 0;
    if (heap->nodes != NULL) {
        heap->env->release(heap->env->context, heap->nodes, heap->capacity * sizeof(heap->nodes[0]));
    }
    *heap = (struct heap){.env = heap->env};
}

bool heap_reserve(struct heap *heap, uint32_t count) {
    if (count <= heap->capacity) return true;
    if (count > UINT32_MAX / 2) return false;
    uint32_t capacity = heap->capacity > 0 ? heap->capacity : 16;
    while (capacity < count) capacity *= 2;
    struct heap_node **nodes = heap->env->allocate(heap->env->context, capacity * sizeof(nodes[0]));
    if (nodes == NULL) return false;
    if (heap->nodes != NULL) {
        memcpy(nodes, heap->nodes, heap->count * sizeof(nodes[0]));
        heap->env->release(heap->env->context, heap->nodes, heap->capacity * sizeof(nodes[0]));
    }
    heap->nodes = nodes;
    heap->capacity = capacity;
    return true;
}

static void place_node(struct heap *heap, struct heap_node *node, uint32_t index) {
    heap->nodes[index] = node;
    node->place = index + 1;
}

static void sift_up(struct heap *heap, struct heap_node *node, uint32_t index) {
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (heap->nodes[parent]->deadline <= node->deadline) break;
        place_node(heap, heap->nodes[parent], index);
        index = parent;
    }
    place_node(heap, node, index);
}

static void sift_down(struct heap *heap, struct heap_node *node, uint32_t index) {
    for (;;) {
        uint64_t left = 2 * (uint64_t)index + 1;
        if (left >= heap->count) break;
        uint32_t child = (uint32_t)left;
        if (child + 1 < heap->count && heap->nodes[child + 1]->deadline < heap->nodes[child]->deadline) child++;
        if (node->deadline <= heap->nodes[child]->deadline) break;
        place_node(heap, heap->nodes[child], index);
        index = child;
    }
    place_node(heap, node, index);
}

/* Finds the right place for a node whose old place is `index` (or a hole there). */
static void settle(struct heap *heap, struct heap_node *node, uint32_t index) {
    if (index > 0 && node->deadline < heap->nodes[(index - 1) / 2]->deadline) sift_up(heap, node, index);
    else sift_down(heap, node, index);
}

void heap_set(struct heap *heap, struct heap_node *node, braid_time deadline) {
    if (deadline == BRAID_NEVER) {
        heap_remove(heap, node);
        node->deadline = BRAID_NEVER;
        return;
    }
    node->deadline = deadline;
    if (node->place == 0) {
        ENSURE(heap->count < heap->capacity);
        sift_up(heap, node, heap->count++);
    } else {
        ENSURE(node->place <= heap->count && heap->nodes[node->place - 1] == node);
        settle(heap, node, node->place - 1);
    }
}

void heap_remove(struct heap *heap, struct heap_node *node) {
    if (node->place == 0) return;
    uint32_t index = node->place - 1;
    ENSURE(index < heap->count && heap->nodes[index] == node);
    node->place = 0;
    struct heap_node *last = heap->nodes[--heap->count];
    if (last != node) settle(heap, last, index);
}

struct heap_node *heap_first(const struct heap *heap) { return heap->count > 0 ? heap->nodes[0] : NULL; }

braid_time heap_deadline(const struct heap *heap) {
    return heap->count > 0 ? heap->nodes[0]->deadline : BRAID_NEVER;
}
