/* Which of several stacks a packet is for. The table of flows away from home is an array of words in buckets: the upper
 * bits of a word are of the flow's hash, the lowest six are the stack's place, 0 is a free word. A stack writes words of
 * its own only; all are read and written atomically, and a reader that meets a word half a moment too early or too late
 * finds what was true then. */
#include <braid/steering.h>

#include "stack_internal.h"

enum { BUCKET_WORDS = 8, PLACE_BITS = 6 };
#define PLACE_MASK ((UINT64_C(1) << PLACE_BITS) - 1)

struct braid_steering {
    const struct braid_env *env;
    uint64_t key[2];
    struct braid_steering_home home;
    uint32_t bucket_count; /* a power of two */
    uint64_t *words;
};

struct braid_steering *braid_steering_create(const struct braid_env *env, unsigned stacks, uint32_t guests_max) {
    if (stacks == 0 || stacks > BRAID_STEERING_STACKS_MAX || guests_max > UINT32_MAX / 2) return NULL;
    struct braid_steering *s = env->allocate(env->context, sizeof(*s));
    if (!s) return NULL;
    *s = (struct braid_steering){.env = env, .home.stacks = stacks, .bucket_count = 1};
    /* Half empty, so that buckets overflow rarely. */
    while (s->bucket_count * (uint64_t)BUCKET_WORDS < 2 * (uint64_t)guests_max) s->bucket_count *= 2;
    size_t bytes = (size_t)s->bucket_count * BUCKET_WORDS * sizeof(s->words[0]);
    s->words = env->allocate(env->context, bytes);
    if (s->words) memset(s->words, 0, bytes);
    bool good = s->words && env->random_secret(env->context, s->key, sizeof(s->key)) &&
                env->random_secret(env->context, &s->home.key, sizeof(s->home.key)) &&
                env->random_secret(env->context, &s->home.factor, sizeof(s->home.factor));
    s->home.factor |= 1; /* nothing is lost by it */
    if (good) return s;
    braid_steering_destroy(s);
    return NULL;
}

void braid_steering_destroy(struct braid_steering *s) {
    if (!s) return;
    if (s->words) s->env->release(s->env->context, s->words, (size_t)s->bucket_count * BUCKET_WORDS * sizeof(s->words[0]));
    s->env->release(s->env->context, s, sizeof(*s));
}

uint32_t braid_steering_guests(const struct braid_steering *s) {
    uint32_t count = 0;
    for (uint64_t i = 0; i < (uint64_t)s->bucket_count * BUCKET_WORDS; i++)
        count += __atomic_load_n(&s->words[i], __ATOMIC_RELAXED) != 0;
    return count;
}

/* --- flows --- */

static uint64_t hash_of(const struct braid_steering *s, const struct flow *flow) {
    struct {
        uint8_t local[16], remote[16];
        uint16_t local_port, remote_port, family, zero;
    } key;
    memset(&key, 0, sizeof(key));
    memcpy(key.local, flow->local.bytes, 16);
    memcpy(key.remote, flow->remote.bytes, 16);
    key.local_port = flow->local_port;
    key.remote_port = flow->remote_port;
    key.family = (uint16_t)flow->local.family;
    uint64_t hash = hash_bytes(s->key, &key, sizeof(key));
    return hash > PLACE_MASK ? hash : hash + PLACE_MASK + 1; /* no word is 0 */
}

static uint32_t home_word(const struct braid_steering_home *home, uint32_t h, uint32_t word) {
    h = (uint32_t)((uint64_t)(h ^ word) * home->factor);
    return h ^ h >> 15;
}

static uint32_t word_of(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static unsigned home_of(const struct braid_steering *s, const struct flow *flow) {
    uint32_t h = s->home.key;
    for (unsigned i = 0; i < (flow->remote.family == IP_V4 ? 1 : 4); i++) h = home_word(&s->home, h, word_of(flow->remote.bytes + 4 * i));
    return home_word(&s->home, h, (uint32_t)flow->remote_port << 16 | flow->local_port) % s->home.stacks;
}

struct braid_steering_home braid_steering_home(const struct braid_steering *s) { return s->home; }

static uint64_t *bucket_of(const struct braid_steering *s, uint64_t hash) {
    return &s->words[(hash >> PLACE_BITS & (s->bucket_count - 1)) * BUCKET_WORDS];
}

static unsigned place_of(const struct braid_steering *s, const struct flow *flow) {
    uint64_t hash = hash_of(s, flow);
    const uint64_t *bucket = bucket_of(s, hash);
    for (int i = 0; i < BUCKET_WORDS; i++) {
        uint64_t word = __atomic_load_n(&bucket[i], __ATOMIC_RELAXED);
        if ((word & ~PLACE_MASK) == (hash & ~PLACE_MASK)) return (unsigned)(word & PLACE_MASK);
    }
    return home_of(s, flow);
}

bool steering_is_home(const struct braid_steering *s, unsigned place, const struct flow *flow) {
    return home_of(s, flow) == place;
}

bool steering_guest_add(struct braid_steering *s, unsigned place, const struct flow *flow) {
    uint64_t hash = hash_of(s, flow), word = (hash & ~PLACE_MASK) | place;
    uint64_t *bucket = bucket_of(s, hash);
    for (int i = 0; i < BUCKET_WORDS; i++) {
        uint64_t expected = 0;
        if (__atomic_compare_exchange_n(&bucket[i], &expected, word, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return true;
    }
    return false;
}

void steering_guest_remove(struct braid_steering *s, unsigned place, const struct flow *flow) {
    uint64_t hash = hash_of(s, flow), word = (hash & ~PLACE_MASK) | place;
    uint64_t *bucket = bucket_of(s, hash);
    for (int i = 0; i < BUCKET_WORDS; i++) {
        uint64_t expected = word;
        if (__atomic_compare_exchange_n(&bucket[i], &expected, 0, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return;
    }
}

/* --- tokens --- */

bool steering_token_fits(const struct braid_steering *s, unsigned place, uint32_t token) { return token % s->home.stacks == place; }

unsigned steering_stacks(const struct braid_steering *s) { return s->home.stacks; }

/* Of a SYN that joins. */
static bool token_of(const struct tcp_segment *syn, uint32_t *token) {
    for (unsigned i = 0; i < syn->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &syn->options.mptcp[i];
        struct mptcp_option option;
        if (mptcp_option_decode(raw->bytes, raw->length, &option) != MPTCP_DECODE_OK || option.subtype != MPTCP_MP_JOIN ||
            option.as.mp_join.form != MP_JOIN_SYN)
            continue;
        *token = option.as.mp_join.token;
        return true;
    }
    return false;
}

/* --- packets --- */

static unsigned tcp_place(const struct braid_steering *s, const uint8_t *tcp, const struct ip_header *ip) {
    enum { PORTS_AND_FLAGS_BYTES = 14, FLAGS = 13 };
    uint32_t token;
    struct tcp_segment syn;
    if (ip->payload_length < PORTS_AND_FLAGS_BYTES) return 0;
    if ((tcp[FLAGS] & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
        tcp_segment_decode(tcp, ip->payload_length, &ip->source, &ip->destination, true, &syn) == TCP_DECODE_OK &&
        token_of(&syn, &token))
        return token % s->home.stacks;
    struct flow flow = {.local = ip->destination,
                        .remote = ip->source,
                        .local_port = (uint16_t)(tcp[2] << 8 | tcp[3]),
                        .remote_port = (uint16_t)(tcp[0] << 8 | tcp[1])};
    return place_of(s, &flow);
}

unsigned braid_steering_stack(const struct braid_steering *s, const struct braid_packet_in *packet) {
    struct ip_header ip;
    struct icmp_error error;
    if (ip_decode(packet->bytes, packet->length, packet->segment_bytes != 0, &ip) != IP_OK || ip.is_fragment) return 0;
    const uint8_t *payload = packet->bytes + ip.header_length;
    if (ip.protocol == IP_PROTOCOL_TCP) return tcp_place(s, payload, &ip);
    if (ip.protocol != IP_PROTOCOL_ICMP && ip.protocol != IP_PROTOCOL_ICMPV6) return 0;
    return icmp_error_decode(&ip, payload, ip.payload_length, &error) ? place_of(s, &error.flow) : 0;
}
