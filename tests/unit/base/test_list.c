#include "test_env.h"
#include <base/list.h>
#include <base/prng.h>

#define ITEMS 50

struct item {
    int value;
    struct list_node node;
};

static void assert_list_is(const struct list_node *list, const int *values, int count) {
    int i = 0;
    LIST_EACH(list, node, next) {
        assert_true(i < count);
        assert_int_equal(LIST_ENTRY(node, struct item, node)->value, values[i++]);
    }
    assert_int_equal(i, count);
    assert_int_equal(list_empty(list), count == 0);
    struct list_node *first = list_first(list), *last = list_last(list);
    assert_int_equal(first == NULL, count == 0);
    if (count == 0) return;
    assert_int_equal(LIST_ENTRY(first, struct item, node)->value, values[0]);
    assert_int_equal(LIST_ENTRY(last, struct item, node)->value, values[count - 1]);
    assert_null(list_next(list, last));
}

/* Against an array that is shifted by hand. */
static void a_list_holds_what_was_put_in_where_it_was_put(void **state) {
    (void)state;
    struct prng prng;
    prng_seed(&prng, 5);
    struct item items[ITEMS] = {0};
    struct list_node list;
    int model[ITEMS], count = 0;
    list_init(&list);
    for (int i = 0; i < ITEMS; i++) items[i].value = i;
    for (int step = 0; step < 5000; step++) {
        int k = (int)prng_below(&prng, ITEMS);
        if (list_linked(&items[k].node)) {
            int at = 0;
            while (model[at] != k) at++;
            memmove(&model[at], &model[at + 1], (size_t)(--count - at) * sizeof(int));
            list_remove(&items[k].node);
        } else if (prng_below(&prng, 2) == 0) {
            model[count++] = k;
            list_append(&list, &items[k].node);
        } else {
            memmove(&model[1], &model[0], (size_t)count++ * sizeof(int));
            model[0] = k;
            list_prepend(&list, &items[k].node);
        }
        assert_list_is(&list, model, count);
    }
}

static void entries_may_be_removed_while_walking(void **state) {
    (void)state;
    struct item items[4] = {{.value = 0}, {.value = 1}, {.value = 2}, {.value = 3}};
    struct list_node list;
    list_init(&list);
    for (int i = 0; i < 4; i++) list_append(&list, &items[i].node);
    LIST_EACH(&list, node, next) {
        if (LIST_ENTRY(node, struct item, node)->value % 2 == 0) list_remove(node);
    }
    assert_list_is(&list, (int[]){1, 3}, 2);
}

static void removing_what_is_not_linked_does_nothing(void **state) {
    (void)state;
    struct item never = {0}, twice = {0};
    struct list_node list;
    list_init(&list);
    list_remove(&never.node);
    list_append(&list, &twice.node);
    list_remove(&twice.node);
    list_remove(&twice.node);
    assert_false(list_linked(&never.node) || list_linked(&twice.node));
    assert_true(list_empty(&list));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_holds_what_was_put_in_where_it_was_put),
        cmocka_unit_test(entries_may_be_removed_while_walking),
        cmocka_unit_test(removing_what_is_not_linked_does_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
