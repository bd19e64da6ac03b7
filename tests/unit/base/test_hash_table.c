#include "test_env.h"
#include <base/hash_table.h>
#include <base/prng.h>

#define ENTRIES 600

struct entry {
    struct hash_node node;
    bool in;
};

static bool found(const struct hash_table *table, const struct entry *entry, uint64_t hash) {
    for (struct hash_node *n = hash_table_first(table, hash); n != NULL; n = hash_table_next(n))
        if (n == &entry->node) return true;
    return false;
}

/* Hashes repeat (every third entry shares one), and their low bits collide. */
static uint64_t hash_of(int i) { return (uint64_t)(i / 3) * 0x9000000000000010u; }

static void every_entry_is_found_while_it_is_in_and_not_after(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    static struct entry entries[ENTRIES];
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct prng prng;
        struct hash_table table;
        uint32_t count = 0;
        memset(entries, 0, sizeof(entries));
        prng_seed(&prng, seed);
        assert_true(hash_table_init(&table, &env));
        for (int i = 0; i < 5000; i++) {
            int k = (int)prng_below(&prng, ENTRIES);
            struct entry *e = &entries[k];
            if (e->in) hash_table_remove(&table, &e->node);
            else hash_table_insert(&table, &e->node, hash_of(k));
            e->in = !e->in;
            count += e->in ? 1 : UINT32_MAX;
            assert_int_equal(table.count, count);
            int other = (int)prng_below(&prng, ENTRIES);
            if (found(&table, &entries[other], hash_of(other)) != entries[other].in)
                fail_msg("seed %d, step %d", (int)seed, i);
        }
        for (int k = 0; k < ENTRIES; k++) assert_int_equal(found(&table, &entries[k], hash_of(k)), entries[k].in);
        hash_table_deinit(&table);
    }
    assert_nothing_leaked(&memory);
}

static void entries_of_one_hash_come_out_as_they_went_in(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct hash_table table;
    static struct entry entries[100];
    memset(entries, 0, sizeof(entries));
    assert_true(hash_table_init(&table, &env));
    for (int i = 0; i < 100; i++) hash_table_insert(&table, &entries[i].node, (uint64_t)(i % 5));
    int expected = 2;
    for (struct hash_node *n = hash_table_first(&table, 2); n != NULL; n = hash_table_next(n), expected += 5)
        assert_ptr_equal(n, &entries[expected].node);
    assert_int_equal(expected, 102);
    hash_table_deinit(&table);
    assert_nothing_leaked(&memory);
}

static void a_table_that_cannot_grow_still_works(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct hash_table table;
    static struct entry entries[500];
    memset(entries, 0, sizeof(entries));
    assert_true(hash_table_init(&table, &env));
    memory.fail_after = 0;
    for (int i = 0; i < 500; i++) hash_table_insert(&table, &entries[i].node, (uint64_t)i);
    for (int i = 0; i < 500; i++) assert_ptr_equal(hash_table_first(&table, (uint64_t)i), &entries[i].node);
    for (int i = 0; i < 500; i++) hash_table_remove(&table, &entries[i].node);
    assert_int_equal(table.count, 0);
    assert_null(hash_table_first(&table, 3));
    hash_table_deinit(&table);
    assert_nothing_leaked(&memory);
}

/* Each is looked for, there or removed, at every step of the growth. */
static void entries_are_found_and_removed_while_the_table_grows(void **state) {
    (void)state;
    enum { COUNT = 400 };
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct hash_table table;
    static struct entry entries[COUNT];
    memset(entries, 0, sizeof(entries));
    assert_true(hash_table_init(&table, &env));
    for (int i = 0; i < COUNT; i++) {
        hash_table_insert(&table, &entries[i].node, (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15));
        entries[i].in = true;
        if (i % 4 == 3) {
            hash_table_remove(&table, &entries[i / 2].node);
            entries[i / 2].in = false;
        }
        for (int k = 0; k <= i; k++)
            assert_int_equal(found(&table, &entries[k], (uint64_t)k * UINT64_C(0x9e3779b97f4a7c15)), entries[k].in);
    }
    hash_table_deinit(&table);
    assert_nothing_leaked(&memory);
}

static void a_table_is_dropped_in_the_middle_of_its_growth_without_a_leak(void **state) {
    (void)state;
    for (int count = 1; count < 80; count++) {
        struct test_memory memory;
        struct braid_env env = test_env(&memory);
        struct hash_table table;
        static struct entry entries[80];
        memset(entries, 0, sizeof(entries));
        assert_true(hash_table_init(&table, &env));
        for (int i = 0; i < count; i++) hash_table_insert(&table, &entries[i].node, (uint64_t)i);
        hash_table_deinit(&table);
        assert_nothing_leaked(&memory);
    }
}

static void creating_a_table_without_memory_fails(void **state) {
    (void)state;
    struct test_memory memory;
    struct braid_env env = test_env(&memory);
    struct hash_table table;
    memory.fail_after = 0;
    assert_false(hash_table_init(&table, &env));
    hash_table_deinit(&table);
}

/* From the SipHash paper (appendix A) and its authors' test program: key 00 01 .. 0f, message 00 01 02 ... */
static void hash_is_siphash_2_4(void **state) {
    (void)state;
    const uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    uint8_t message[15];
    for (uint8_t i = 0; i < 15; i++) message[i] = i;
    assert_true(hash_bytes(key, message, 15) == UINT64_C(0xa129ca6149be45e5));
    assert_true(hash_bytes(key, message, 0) == UINT64_C(0x726fdb47dd0e0e31));
    assert_true(hash_bytes(key, message, 1) == UINT64_C(0x74f839c593dc67fd));
    assert_true(hash_bytes(key, message, 8) == UINT64_C(0x93f5f5799a932462));
}

static void the_hash_depends_on_its_key(void **state) {
    (void)state;
    const uint64_t one[2] = {1, 2}, other[2] = {1, 3};
    assert_true(hash_bytes(one, "abc", 3) != hash_bytes(other, "abc", 3));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_entry_is_found_while_it_is_in_and_not_after),
        cmocka_unit_test(entries_of_one_hash_come_out_as_they_went_in),
        cmocka_unit_test(a_table_that_cannot_grow_still_works),
        cmocka_unit_test(entries_are_found_and_removed_while_the_table_grows),
        cmocka_unit_test(a_table_is_dropped_in_the_middle_of_its_growth_without_a_leak),
        cmocka_unit_test(creating_a_table_without_memory_fails),
        cmocka_unit_test(hash_is_siphash_2_4),
        cmocka_unit_test(the_hash_depends_on_its_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
