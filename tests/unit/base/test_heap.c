#include "test_env.h"
#include <base/heap.h>
#include <base/prng.h>

#define NODES 200

struct model {
    struct heap heap;
    struct heap_node nodes[NODES];
    braid_time deadlines[NODES]; /* BRAID_NEVER: not in the heap */
};

static braid_time earliest(const struct model *m) {
    braid_time best = BRAID_NEVER;
    for (int i = 0; i < NODES; i++)
        if (m->deadlines[i] < best) best = m->deadlines[i];
    return best;
}

static void step(struct model *m, struct prng *prng) {
    size_t i = (size_t)prng_below(prng, NODES);
    switch (prng_below(prng, 6)) {
    case 0:
        heap_remove(&m->heap, &m->nodes[i]);
        m->deadlines[i] = BRAID_NEVER;
        return;
    case 1:
        heap_set(&m->heap, &m->nodes[i], BRAID_NEVER);
        m->deadlines[i] = BRAID_NEVER;
        return;
    case 2:
        if (heap_first(&m->heap) == NULL) return;
        i = (size_t)(heap_first(&m->heap) - m->nodes);
        heap_remove(&m->heap, &m->nodes[i]);
        m->deadlines[i] = BRAID_NEVER;
        return;
    default:
        m->deadlines[i] = prng_below(prng, 500); /* with equal ones among them */
        heap_set(&m->heap, &m->nodes[i], m->deadlines[i]);
    }
}

static void the_earliest_deadline_is_always_first(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng;
        struct model m = {0};
        prng_seed(&prng, seed);
        heap_init(&m.heap, &env);
        assert_true(heap_reserve(&m.heap, NODES));
        memset(m.deadlines, 0xff, sizeof(m.deadlines));
        for (int i = 0; i < 5000; i++) {
            step(&m, &prng);
            if (heap_deadline(&m.heap) != earliest(&m)) fail_msg("seed %d, step %d", (int)seed, i);
            struct heap_node *first = heap_first(&m.heap);
            if (first != NULL) assert_int_equal(first->deadline, earliest(&m));
        }
        heap_deinit(&m.heap);
    }
    assert_nothing_leaked(&memory);
}

static void deadlines_come_out_in_order(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct prng prng;
    struct heap heap;
    static struct heap_node nodes[1000];
    prng_seed(&prng, 4);
    heap_init(&heap, &env);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_true(heap_reserve(&heap, i + 1)); /* growing with nodes in it */
        heap_set(&heap, &nodes[i], prng_next(&prng) >> 1);
    }
    braid_time last = 0;
    for (int i = 0; i < 1000; i++) {
        struct heap_node *first = heap_first(&heap);
        assert_true(first->deadline >= last);
        last = first->deadline;
        heap_remove(&heap, first);
        assert_int_equal(first->place, 0);
    }
    assert_null(heap_first(&heap));
    assert_true(heap_deadline(&heap) == BRAID_NEVER);
    heap_deinit(&heap);
    assert_nothing_leaked(&memory);
}

static void setting_what_was_reserved_needs_no_memory(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct heap heap;
    struct heap_node nodes[40] = {0};
    heap_init(&heap, &env);
    assert_true(heap_reserve(&heap, 40));
    memory.fail_after = 0;
    for (int i = 0; i < 40; i++) heap_set(&heap, &nodes[i], (braid_time)(100 - i));
    assert_ptr_equal(heap_first(&heap), &nodes[39]);
    assert_false(heap_reserve(&heap, 1000));
    assert_ptr_equal(heap_first(&heap), &nodes[39]); /* a failed reservation changes nothing */
    heap_deinit(&heap);
    assert_nothing_leaked(&memory);
}

static void removing_a_node_that_is_not_in_does_nothing(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct heap heap;
    struct heap_node node = {0};
    heap_init(&heap, &env);
    heap_remove(&heap, &node);
    heap_set(&heap, &node, BRAID_NEVER);
    assert_null(heap_first(&heap));
    heap_deinit(&heap);
    assert_int_equal(memory.allocations, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_earliest_deadline_is_always_first),
        cmocka_unit_test(deadlines_come_out_in_order),
        cmocka_unit_test(setting_what_was_reserved_needs_no_memory),
        cmocka_unit_test(removing_a_node_that_is_not_in_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
