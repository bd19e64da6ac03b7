#include <base/hash_table.h>

#include <string.h>

#define BUCKETS_MIN 16
#define BUCKETS_MAX (UINT32_C(1) << 30)
#define MOVED_AT_ONCE 2 /* buckets with each insertion: done long before it grows again */

static struct hash_node **buckets_create(const struct braid_env *env, uint32_t count) {
    return env->allocate(env->context, count * sizeof(struct hash_node *));
}

static void buckets_release(const struct braid_env *env, struct hash_node **buckets, uint32_t count) {
    if (buckets != NULL) env->release(env->context, buckets, count * sizeof(buckets[0]));
}

/* While it grows, a bucket that has not moved yet is the only place for its hashes; the two that follow from it are not
 * even set. */
static struct hash_node **bucket_of(const struct hash_table *table, uint64_t hash) {
    if (table->old_buckets != NULL) {
        uint64_t old = hash & (table->bucket_count / 2 - 1);
        if (old >= table->moved) return &table->old_buckets[old];
    }
    return &table->buckets[hash & (table->bucket_count - 1)];
}

bool hash_table_init(struct hash_table *table, const struct braid_env *env) {
    *table = (struct hash_table){.env = env, .buckets = buckets_create(env, BUCKETS_MIN)};
    if (table->buckets == NULL) return false;
    memset(table->buckets, 0, BUCKETS_MIN * sizeof(table->buckets[0]));
    table->bucket_count = BUCKETS_MIN;
    return true;
}

void hash_table_deinit(struct hash_table *table) {
    buckets_release(table->env, table->buckets, table->bucket_count);
    buckets_release(table->env, table->old_buckets, table->bucket_count / 2);
    *table = (struct hash_table){.env = table->env};
}

/* The chains keep their order, so that nodes with the same hash come out as they went in. */
static void append_to_chain(struct hash_node **link, struct hash_node *node) {
    while (*link != NULL) link = &(*link)->next;
    node->next = NULL;
    *link = node;
}

static void grow(struct hash_table *table) {
    if (table->bucket_count >= BUCKETS_MAX) return;
    struct hash_node **larger = buckets_create(table->env, table->bucket_count * 2);
    if (larger == NULL) return;
    table->old_buckets = table->buckets;
    table->buckets = larger;
    table->bucket_count *= 2;
    table->moved = 0;
}

static void move_bucket(struct hash_table *table) {
    uint32_t old_count = table->bucket_count / 2, index = table->moved++;
    struct hash_node *node = table->old_buckets[index];
    table->buckets[index] = table->buckets[index + old_count] = NULL;
    while (node != NULL) {
        struct hash_node *next = node->next;
        append_to_chain(bucket_of(table, node->hash), node);
        node = next;
    }
    if (table->moved < old_count) return;
    buckets_release(table->env, table->old_buckets, old_count);
    table->old_buckets = NULL;
}

void hash_table_insert(struct hash_table *table, struct hash_node *node, uint64_t hash) {
    if (table->old_buckets == NULL && table->count >= table->bucket_count) grow(table);
    for (int i = 0; i < MOVED_AT_ONCE && table->old_buckets != NULL; i++) move_bucket(table);
    node->hash = hash;
    append_to_chain(bucket_of(table, hash), node);
    table->count++;
}

void hash_table_remove(struct hash_table *table, struct hash_node *node) {
    struct hash_node **link = bucket_of(table, node->hash);
    while (*link != node) {
        ENSURE(*link != NULL);
        link = &(*link)->next;
    }
    *link = node->next;
    node->next = NULL;
    table->count--;
}

static struct hash_node *with_hash(struct hash_node *node, uint64_t hash) {
    while (node != NULL && node->hash != hash) node = node->next;
    return node;
}

struct hash_node *hash_table_first(const struct hash_table *table, uint64_t hash) {
    return with_hash(*bucket_of(table, hash), hash);
}

struct hash_node *hash_table_next(const struct hash_node *node) { return with_hash(node->next, node->hash); }

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotate_left(uint64_t x, int bits) { return (x << bits) | (x >> (64 - bits)); }

static void sip_rounds(struct sip_state *s, int rounds) {
    while (rounds-- > 0) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotate_left(s->v1, 13) ^ s->v0;
        s->v3 = rotate_left(s->v3, 16) ^ s->v2;
        s->v0 = rotate_left(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotate_left(s->v1, 17) ^ s->v2;
        s->v3 = rotate_left(s->v3, 21) ^ s->v0;
        s->v2 = rotate_left(s->v2, 32);
    }
}

static void sip_absorb(struct sip_state *s, uint64_t word) {
    s->v3 ^= word;
    sip_rounds(s, 2);
    s->v0 ^= word;
}

static uint64_t little_endian(const uint8_t *bytes, size_t length) {
    uint64_t word = 0;
    for (size_t i = 0; i < length; i++) word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

static uint64_t load_word(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

uint64_t hash_bytes(const uint64_t key[2], const void *bytes, size_t length) {
    struct sip_state s = {
        .v0 = key[0] ^ UINT64_C(0x736f6d6570736575),
        .v1 = key[1] ^ UINT64_C(0x646f72616e646f6d),
        .v2 = key[0] ^ UINT64_C(0x6c7967656e657261),
        .v3 = key[1] ^ UINT64_C(0x7465646279746573),
    };
    const uint8_t *at = bytes;
    size_t left = length;
    for (; left >= 8; left -= 8, at += 8) sip_absorb(&s, load_word(at));
    sip_absorb(&s, little_endian(at, left) | (uint64_t)length << 56);
    s.v2 ^= 0xff;
    sip_rounds(&s, 4);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
