/* A hash table against a plain array, with hashes that collide and memory that may run out. */
#include "fuzz.h"
#include <base/hash_table.h>

enum { NODES = 256 };

struct item {
    struct hash_node node;
    bool in;
    uint64_t hash;
};

static void check(const struct hash_table *table, const struct item *items, uint64_t hash) {
    unsigned expected = 0, found = 0;
    for (unsigned i = 0; i < NODES; i++) expected += items[i].in && items[i].hash == hash;
    for (struct hash_node *n = hash_table_first(table, hash); n; n = hash_table_next(n)) {
        const struct item *item = CONTAINER_OF(n, struct item, node);
        ENSURE(item->in && item->hash == hash);
        found++;
    }
    ENSURE(found == expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    struct counted_memory memory;
    struct hash_table table;
    static struct item items[NODES];
    uint32_t count = 0;
    memset(items, 0, sizeof(items));
    uint8_t limit = feed_u8(&f);
    counted_memory_init(&memory, limit < 128 ? -1 : limit - 128);
    if (!hash_table_init(&table, &memory.env)) {
        ENSURE(memory.live_bytes == 0);
        return 0;
    }
    while (feed_left(&f) > 0) {
        struct item *item = &items[feed_u8(&f)];
        if (item->in) {
            hash_table_remove(&table, &item->node);
            item->in = false;
            count--;
        } else {
            uint16_t draw = feed_u16(&f);
            item->hash = (uint64_t)(draw % 100) << (draw % 4 * 16); /* few values: chains with equal hashes */
            hash_table_insert(&table, &item->node, item->hash);
            item->in = true;
            count++;
        }
        ENSURE(table.count == count);
        check(&table, items, item->hash);
    }
    for (unsigned i = 0; i < NODES; i++) {
        check(&table, items, items[i].hash);
        if (items[i].in) hash_table_remove(&table, &items[i].node);
        items[i].in = false;
    }
    ENSURE(table.count == 0);
    hash_table_deinit(&table);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
