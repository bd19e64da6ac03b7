/* SYN cookies: SYN/ACKs after which nothing is kept (RFC 4987 §3.6, RFC 8684 §3.1).
 *
 * A SYN is first reduced to what the third ACK will tell again: our initial sequence number has room for the time and for
 * one of eight segment sizes, the low six bits of our timestamp for the window scale, SACK and ECN; and MP_CAPABLE is said
 * again by the peer. The reduced SYN opens a connection with secrets that are hashes of the flow, the SYN's number and the
 * time; its SYN/ACK goes out, and the connection is forgotten. When the third ACK comes, and its number verifies, the same
 * reduced SYN opens the same connection with the same secrets, whose SYN/ACK is not sent again; and the ACK goes in. So a
 * cookie can agree on nothing that a connection would not.
 *
 * The number: one bit that tells which of two time slots, three for the segment size, 28 of a keyed hash. Where both use
 * timestamps the echo has to be one of our clock's last two slots, too, which makes guessing a few thousand times harder. */
#include "stack_internal.h"

#define SLOT_NS (64 * BRAID_NS_PER_S)
#define SLOT_TICKS (SLOT_NS / TCP_TICK_NS)

enum {
    NUMBER_HASH_BITS = 28,
    NUMBER_SLOT_SHIFT = 31,
    STAMP_MASK = 63,
    STAMP_SCALE_MASK = 15,
    STAMP_NO_SCALE = 15, /* RFC 7323 §2.3: it is 14 at most */
    STAMP_SACK = 16,
    STAMP_ECN = 32,
};

/* Common sizes, each the largest that is not above what the peer said. The first is what we send at least. */
static const uint16_t segment_sizes[8] = {88, 536, 1220, 1340, 1400, 1440, 1460, 8940};

/* --- hashes --- */

struct cookie_words {
    uint8_t local[16], remote[16];
    uint64_t slot;
    uint32_t peer_isn, our_isn, attempt;
    uint16_t local_port, remote_port, link;
    uint8_t family, size, stamped, zero[3];
};

static struct cookie_words words_of(uint16_t link, const struct flow *flow) {
    struct cookie_words words;
    memset(&words, 0, sizeof(words));
    memcpy(words.local, flow->local.bytes, 16);
    memcpy(words.remote, flow->remote.bytes, 16);
    words.local_port = flow->local_port;
    words.remote_port = flow->remote_port;
    words.link = link;
    words.family = (uint8_t)flow->local.family;
    return words;
}

static bool secrets_draw(struct braid_stack *stack) {
    struct stack_cookies *k = &stack->cookies;
    const struct braid_env *env = stack->env;
    if (k->drawn) return true;
    k->drawn = env->random_secret(env->context, k->number_secret, sizeof(k->number_secret)) &&
               env->random_secret(env->context, k->clock_secret, sizeof(k->clock_secret)) &&
               env->random_secret(env->context, k->key_secret, sizeof(k->key_secret));
    return k->drawn;
}

struct cookie {
    struct connection_cookie given; /* first: the key is asked for by it */
    const struct braid_stack *stack;
    struct cookie_words words;
    unsigned first_attempt;
};

_Static_assert(offsetof(struct cookie, given) == 0, "cookie_key() gets there from it");

static uint64_t cookie_key(const struct connection_cookie *given, unsigned attempt) {
    const struct cookie *cookie = (const struct cookie *)(const void *)given;
    struct cookie_words words = cookie->words;
    words.our_isn = given->secrets.iss.value;
    words.attempt = cookie->first_attempt + attempt;
    return hash_bytes(cookie->stack->cookies.key_secret, &words, sizeof(words));
}

static uint32_t number_of(const struct braid_stack *stack, const struct cookie_words *words) {
    uint64_t hash = hash_bytes(stack->cookies.number_secret, words, sizeof(*words));
    return (uint32_t)(words->slot & 1) << NUMBER_SLOT_SHIFT | (uint32_t)words->size << NUMBER_HASH_BITS |
           (uint32_t)(hash & ((1u << NUMBER_HASH_BITS) - 1));
}

/* The same for all connections of a flow: its clock does not go back. */
static uint32_t clock_of(const struct braid_stack *stack, uint16_t link, const struct flow *flow) {
    const struct cookie_words words = words_of(link, flow);
    return (uint32_t)hash_bytes(stack->cookies.clock_secret, &words, sizeof(words));
}

static uint32_t ticks_of(braid_time now) { return (uint32_t)(now / TCP_TICK_NS); }

/* --- what a cookie can say --- */

static uint8_t size_of(const struct tcp_segment *syn, const struct flow *flow) {
    uint16_t mss = syn->options.has_mss ? syn->options.mss : flow->local.family == IP_V6 ? 1220 : 536;
    uint8_t size = 0;
    while (size < 7 && segment_sizes[size + 1] <= mss) size++;
    return size;
}

static uint32_t stamp_bits_of(const struct tcp_segment *syn) {
    const struct tcp_options *o = &syn->options;
    uint32_t bits = o->has_window_scale ? (o->window_scale < 14 ? o->window_scale : 14) : STAMP_NO_SCALE;
    if (o->sack_permitted) bits |= STAMP_SACK;
    if ((syn->flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR)) bits |= STAMP_ECN;
    return bits;
}

/* Not after the clock, so that later ones do not go back. */
static uint32_t stamp_of(uint32_t clock, uint32_t bits) {
    uint32_t stamp = (clock & ~(uint32_t)STAMP_MASK) | bits;
    return (int32_t)(stamp - clock) > 0 ? stamp - (STAMP_MASK + 1) : stamp;
}

/* The SYN as it may come again. `like` is the SYN or the third ACK; without its options of MPTCP. */
static struct tcp_segment reduced_syn(const struct tcp_segment *like, seq32 isn, uint8_t size, uint32_t stamp_bits) {
    struct tcp_segment syn = {
        .source_port = like->source_port,
        .destination_port = like->destination_port,
        .seq = isn,
        .flags = TCP_SYN,
        .window = like->window,
        .options = {.has_mss = true, .mss = segment_sizes[size]},
    };
    struct tcp_options *o = &syn.options;
    if (!like->options.has_timestamps) return syn;
    o->has_timestamps = true;
    o->timestamp_value = like->options.timestamp_value;
    o->has_window_scale = (stamp_bits & STAMP_SCALE_MASK) != STAMP_NO_SCALE;
    o->window_scale = stamp_bits & STAMP_SCALE_MASK;
    o->sack_permitted = (stamp_bits & STAMP_SACK) != 0;
    if (stamp_bits & STAMP_ECN) syn.flags |= TCP_ECE | TCP_CWR;
    return syn;
}

/* --- out --- */

static struct cookie cookie_make(const struct braid_stack *stack, uint16_t link, const struct flow *flow,
                                 const struct tcp_segment *syn, uint8_t size, braid_time now) {
    struct cookie cookie = {.stack = stack, .words = words_of(link, flow), .given = {.key = cookie_key}};
    cookie.words.slot = now / SLOT_NS;
    cookie.words.peer_isn = syn->seq.value;
    cookie.words.size = size;
    cookie.words.stamped = syn->options.has_timestamps;
    uint32_t clock = ticks_of(now) + clock_of(stack, link, flow);
    cookie.given.secrets = (struct tcp_secrets){
        .given = true,
        .iss = seq32_of(number_of(stack, &cookie.words)),
        .timestamp_offset = stamp_of(clock, stamp_bits_of(syn)) - ticks_of(now),
    };
    return cookie;
}

/* Into the queue of what the stack itself says. */
static bool answer_once(struct braid_stack *stack, const struct connection_config *config,
                        const struct tcp_segment *syn, braid_time now) {
    struct braid_env quiet = *stack->env;
    struct braid_packet_out *packet = stack_control_packet(stack);
    quiet.trace = NULL;
    if (!packet) return true; /* counted */
    struct braid_connection *c = connection_accept(&quiet, config, syn, now);
    if (!c) return false;
    connection_answer(c, now);
    bool said = connection_output(c, packet, 1, now) == 1;
    connection_destroy(c);
    if (!said) return false;
    stack->control_count++;
    stack->counters.cookies_sent++;
    stack->cookies.sent_at = now;
    return true;
}

/* [R-3.1-6] [R-3.1-7] A key whose token is another connection's is not told: see handshake_keys_draw(). */
void stack_cookie_send(struct braid_stack *stack, const struct braid_listener *listener, uint16_t link,
                       const struct flow *flow, const struct tcp_segment *syn, braid_time now) {
    if (!secrets_draw(stack)) {
        stack->counters.syn_no_memory++;
        return;
    }
    uint8_t size = size_of(syn, flow);
    struct tcp_segment reduced = reduced_syn(syn, syn->seq, size, stamp_bits_of(syn));
    reduced.options.mptcp_count = syn->options.mptcp_count;
    memcpy(reduced.options.mptcp, syn->options.mptcp, sizeof(reduced.options.mptcp));
    const struct cookie cookie = cookie_make(stack, link, flow, syn, size, now);
    struct connection_config config = listener_connection_config(stack, listener, link, flow);
    stack->next_number--; /* it is nobody's */
    config.cookie = &cookie.given;
    config.counters = NULL; /* they count when it comes back */
    config.tcp_drops = NULL;
    if (!answer_once(stack, &config, &reduced, now)) stack->counters.syn_no_memory++;
}

/* --- in --- */

static bool number_verifies(const struct braid_stack *stack, const struct flow *flow, uint16_t link,
                            const struct tcp_segment *ack, struct cookie_words *words, braid_time now) {
    uint32_t number = seq32_back(ack->ack, 1).value;
    uint64_t slot = now / SLOT_NS;
    *words = words_of(link, flow);
    words->slot = slot - ((slot & 1) != number >> NUMBER_SLOT_SHIFT);
    words->peer_isn = seq32_back(ack->seq, 1).value;
    words->size = number >> NUMBER_HASH_BITS & 7;
    words->stamped = ack->options.has_timestamps;
    return number_of(stack, words) == number;
}

static bool echo_is_recent(const struct braid_stack *stack, const struct flow *flow, uint16_t link,
                           const struct tcp_segment *ack, braid_time now) {
    uint32_t clock = ticks_of(now) + clock_of(stack, link, flow);
    return !ack->options.has_timestamps || clock - ack->options.timestamp_echo <= 2 * SLOT_TICKS;
}

/* What the third ACK says of MPTCP. */
enum said { SAID_NOTHING, SAID_KEYS, SAID_WRONG_KEY, SAID_DSS };

static enum said capable_find(const struct tcp_segment *ack, const struct cookie *cookie, unsigned attempts,
                              struct mp_capable *out, unsigned *attempt) {
    enum said said = SAID_NOTHING;
    for (unsigned i = 0; i < ack->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &ack->options.mptcp[i];
        struct mptcp_option option;
        if (mptcp_option_decode(raw->bytes, raw->length, &option) != MPTCP_DECODE_OK) continue;
        if (option.subtype == MPTCP_DSS && said == SAID_NOTHING) said = SAID_DSS;
        if (option.subtype != MPTCP_MP_CAPABLE || !option.as.mp_capable.has_receiver_key) continue;
        *out = option.as.mp_capable;
        for (*attempt = 0; *attempt < attempts; (*attempt)++) {
            if (cookie_key(&cookie->given, *attempt) == out->receiver_key) return SAID_KEYS;
        }
        said = SAID_WRONG_KEY;
    }
    return said;
}

/* MP_CAPABLE as the SYN must have had it: version 0 tells its key there. */
static void capable_again(struct tcp_segment *syn, const struct mp_capable *third, uint8_t *bytes, size_t room) {
    struct mptcp_option option = {.subtype = MPTCP_MP_CAPABLE, .as.mp_capable = *third};
    struct mp_capable *m = &option.as.mp_capable;
    m->has_sender_key = m->version == 0;
    m->has_receiver_key = m->has_data_length = m->has_checksum = false;
    uint32_t length = mptcp_option_encode(&option, bytes, room);
    syn->options.mptcp_count = length > 0;
    syn->options.mptcp[0] = (struct tcp_raw_option){bytes, (uint8_t)length};
}

/* The connection as it was, its SYN/ACK sent. */
static struct braid_connection *come_back(struct braid_stack *stack, const struct connection_config *config,
                                          const struct tcp_segment *syn, braid_time now) {
    struct braid_packet_out said;
    struct braid_connection *c = connection_accept(stack->env, config, syn, now);
    if (!c) return NULL;
    connection_answer(c, now);
    if (connection_output(c, &said, 1, now) == 1) {
        braid_packet_out_release(&said);
        return c;
    }
    connection_destroy(c);
    return NULL;
}

static struct entry *entry_come_back(struct braid_stack *stack, struct braid_listener *listener, uint16_t link,
                                     const struct flow *flow, const struct tcp_segment *syn,
                                     const struct cookie *cookie, braid_time now) {
    struct entry *entry = entry_create(stack);
    if (!entry) return NULL;
    struct connection_config config = listener_connection_config(stack, listener, link, flow);
    config.cookie = &cookie->given;
    struct braid_connection *c = come_back(stack, &config, syn, now);
    if (c) {
        listener_attach(listener, entry, c);
        return entry;
    }
    entry_destroy(entry);
    return NULL;
}

/* True: there are keys, or there is no MPTCP in it. */
static bool keys_take(struct braid_stack *stack, const struct tcp_segment *ack, struct cookie *cookie,
                      struct tcp_segment *syn, uint8_t *bytes, size_t room) {
    struct mp_capable third;
    unsigned stacks = stack->config.steering ? steering_stacks(stack->config.steering) : 1;
    switch (capable_find(ack, cookie, CONNECTION_KEY_TRIES * stacks, &third, &cookie->first_attempt)) {
    case SAID_NOTHING: return true;
    case SAID_WRONG_KEY: stack->counters.cookie_wrong_key++; return true; /* plain TCP, as for any other third ACK */
    case SAID_DSS: stack->counters.cookie_without_keys++; return false; /* it overtook the one that has them */
    case SAID_KEYS: capable_again(syn, &third, bytes, room); return true;
    }
    return false;
}

static void cookie_accept(struct braid_stack *stack, struct braid_listener *listener, uint16_t link,
                          const struct flow *flow, const struct tcp_segment *ack, const struct cookie_words *words,
                          const struct braid_packet_in *packet, uint8_t ecn, braid_time now) {
    uint8_t bytes[MPTCP_OPTION_MAX];
    struct cookie cookie = {.stack = stack, .words = *words, .given = {.key = cookie_key}};
    cookie.given.secrets = (struct tcp_secrets){
        .given = true,
        .resumed = true,
        .iss = seq32_back(ack->ack, 1),
        .timestamp_offset = clock_of(stack, link, flow),
    };
    uint32_t bits = ack->options.timestamp_echo & STAMP_MASK;
    struct tcp_segment syn = reduced_syn(ack, seq32_back(ack->seq, 1), words->size, bits);
    if (!keys_take(stack, ack, &cookie, &syn, bytes, sizeof(bytes))) return;
    struct entry *entry = entry_come_back(stack, listener, link, flow, &syn, &cookie, now);
    struct flow_entry *found = entry ? stack_flow_find(stack, link, flow) : NULL;
    if (!found) {
        stack->counters.syn_no_memory++;
        return;
    }
    stack->counters.cookies_accepted++;
    connection_input(found->connection, found->subflow, ack, packet->buf, ecn, now);
    entry_touch(entry);
}

bool stack_cookie_arrived(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                          const struct tcp_segment *segment, const struct braid_packet_in *packet, uint8_t ecn,
                          braid_time now) {
    struct cookie_words words;
    if (!stack->cookies.drawn || now - stack->cookies.sent_at > 2 * SLOT_NS) return false;
    struct braid_listener *listener = listener_find(stack, link, flow);
    if (!listener || listener->config.deferred) return false;
    if (!number_verifies(stack, flow, link, segment, &words, now)) {
        stack->counters.cookie_bad++;
    } else if (!echo_is_recent(stack, flow, link, segment, now)) {
        stack->counters.cookie_stale++;
    } else if (stack->connection_count >= stack->config.connections_max) {
        stack->counters.syn_connections_full++;
    } else {
        cookie_accept(stack, listener, link, flow, segment, &words, packet, ecn, now);
    }
    return true;
}
