/* Fast Open (RFC 7413) on both sides: the cookies that we give, and those that we were given.
 *
 * A cookie is a keyed hash of both addresses, six bytes long, so that it fits beside MP_CAPABLE and timestamps (RFC 8684
 * appendix B.1). Keys change every four hours, and the last one is accepted for as long.
 *
 * A client remembers a cookie for each server, and where Fast Open does harm: where the SYN with it had to be said again
 * without, or a cookie was not taken. The first is not done again for ten minutes, then twenty, up to a day: it may be
 * some middlebox, or bad luck. Of a network that is new nothing is known. */
#include "stack_internal.h"

#include <crypto/mptcp_keys.h>

#define KEY_PERIOD_NS (UINT64_C(4) * 3600 * BRAID_NS_PER_S)
#define FORGIVING_NS (UINT64_C(600) * BRAID_NS_PER_S)
#define BACKOFF_MAX 7 /* 21 h */
enum { COOKIE_BYTES = 6 };

/* --- the server --- */

/* [R-7413-4.1.2-5] */
static bool keys_ready(struct braid_stack *stack, braid_time now) {
    struct stack_fast_open *f = &stack->fast_open;
    const struct braid_env *env = stack->env;
    if (f->keys > 0 && now - f->drawn_at < KEY_PERIOD_NS) return true;
    uint64_t fresh[2];
    if (!env->random_secret(env->context, fresh, sizeof(fresh))) return f->keys > 0;
    bool recent = f->keys > 0 && now - f->drawn_at < 2 * KEY_PERIOD_NS;
    memcpy(f->secrets[1], f->secrets[0], sizeof(fresh));
    memcpy(f->secrets[0], fresh, sizeof(fresh));
    f->keys = recent ? 2 : 1;
    f->drawn_at = now;
    return true;
}

/* [R-7413-4.1.2-1] [R-7413-4.1.2-2] */
static void cookie_of(const uint64_t secret[2], const struct flow *flow, uint8_t out[COOKIE_BYTES]) {
    struct words {
        uint8_t local[16], remote[16];
        uint64_t family;
    } words;
    memcpy(words.local, flow->local.bytes, 16);
    memcpy(words.remote, flow->remote.bytes, 16);
    words.family = flow->local.family;
    uint64_t hash = hash_bytes(secret, &words, sizeof(words));
    memcpy(out, &hash, COOKIE_BYTES);
}

static bool cookie_good(const struct stack_fast_open *f, const struct flow *flow, const struct tcp_options *o) {
    bool good = false;
    for (unsigned i = 0; i < f->keys; i++) {
        uint8_t right[COOKIE_BYTES];
        cookie_of(f->secrets[i], flow, right);
        good |= crypto_equal(right, o->fast_open_cookie, COOKIE_BYTES);
    }
    return good && o->fast_open_length == COOKIE_BYTES;
}

/* [R-7413-4.2-1] [R-7413-4.2-2] */
void fast_open_arrived(struct braid_listener *listener, struct entry *entry, const struct flow *flow,
                       const struct tcp_segment *syn, braid_time now) {
    struct braid_stack *stack = listener->stack;
    const struct tcp_options *o = &syn->options;
    if (listener->config.fast_open_pending_max == 0 || !o->has_fast_open || !keys_ready(stack, now)) return;
    bool good = o->fast_open_length > 0 && cookie_good(&stack->fast_open, flow, o);
    uint8_t fresh[COOKIE_BYTES];
    cookie_of(stack->fast_open.secrets[0], flow, fresh);
    bool newest = good && crypto_equal(fresh, o->fast_open_cookie, COOKIE_BYTES);
    if (!newest) {
        stack->counters.fast_open_cookies_given++;
        connection_give_cookie(entry->connection, fresh, COOKIE_BYTES);
    }
    if (o->fast_open_length > 0 && !good) {
        stack->counters.fast_open_cookie_bad++;
    } else if (good && listener->fast_open_pending >= listener->config.fast_open_pending_max) {
        stack->counters.fast_open_pending_full++; /* [R-7413-5.1-1] */
    } else if (good && connection_accept_early(entry->connection, syn, now)) {
        stack->counters.fast_open_accepted++;
        entry->fast_opened = true;
        listener->fast_open_pending++;
    }
}

/* --- the client --- */

static struct fast_open_peer *find(struct stack_fast_open *f, uint8_t path_id, const struct flow *flow) {
    for (unsigned i = 0; i < f->count; i++) {
        struct fast_open_peer *p = &f->peers[i];
        if (p->path_id == path_id && p->port == flow->remote_port && ip_address_equal(&p->remote, &flow->remote)) return p;
    }
    return NULL;
}

/* What drops SYNs does so on the way to all ports. */
static bool avoided(const struct stack_fast_open *f, uint8_t path_id, const struct flow *flow, braid_time now) {
    for (unsigned i = 0; i < f->count; i++) {
        const struct fast_open_peer *p = &f->peers[i];
        if (p->path_id == path_id && now < p->until && ip_address_equal(&p->remote, &flow->remote)) return true;
    }
    return false;
}

/* Cookies are for hosts, though whether they are taken is up to each port. */
static const struct fast_open_peer *cookie_for(const struct stack_fast_open *f, uint8_t path_id, const struct flow *flow) {
    for (unsigned i = 0; i < f->count; i++) {
        const struct fast_open_peer *p = &f->peers[i];
        if (p->path_id == path_id && p->cookie_length > 0 && ip_address_equal(&p->remote, &flow->remote)) return p;
    }
    return NULL;
}

/* [R-7413-4.1.3-1] The one that was not used for longest gives way. */
static struct fast_open_peer *find_or_make(struct stack_fast_open *f, uint8_t path_id, const struct flow *flow) {
    struct fast_open_peer *p = find(f, path_id, flow);
    if (p) return p;
    if (f->count < STACK_FAST_OPEN_PEERS_MAX) {
        p = &f->peers[f->count++];
    } else {
        p = &f->peers[0];
        for (unsigned i = 1; i < f->count; i++)
            if (f->peers[i].used_at < p->used_at) p = &f->peers[i];
    }
    *p = (struct fast_open_peer){.path_id = path_id, .port = flow->remote_port, .remote = flow->remote};
    return p;
}

void fast_open_choose(struct braid_stack *stack, struct connection_config *config, braid_time now) {
    struct fast_open_peer *own = find(&stack->fast_open, config->path.address_id, &config->flow);
    if (avoided(&stack->fast_open, config->path.address_id, &config->flow, now)) {
        stack->counters.fast_open_avoided++;
        return;
    }
    const struct fast_open_peer *p = own ? own : cookie_for(&stack->fast_open, config->path.address_id, &config->flow);
    config->fast_open.asks = true;
    config->race = false; /* what goes with the SYN must not go twice */
    if (own) own->used_at = now;
    if (!p) return;
    config->fast_open.length = p->cookie_length;
    config->fast_open.mss_bytes = p->mss_bytes;
    memcpy(config->fast_open.cookie, p->cookie, p->cookie_length);
}

/* [R-7413-4.1.3.1-1] [R-7413-4.1.3.1-2] */
static void learn(struct braid_stack *stack, struct fast_open_peer *p, const struct tcp_fast_open_result *result, braid_time now) {
    bool taken = result->taken_bytes > 0 || (result->presented && result->sent_bytes == 0 && !result->again);
    p->used_at = now;
    p->mss_bytes = result->mss_bytes;
    if (result->cookie_length > 0 && result->cookie_length <= STACK_FAST_OPEN_COOKIE_MAX) {
        p->cookie_length = result->cookie_length;
        memcpy(p->cookie, result->cookie, result->cookie_length);
    } else if (result->presented && !taken && !result->again) {
        p->cookie_length = 0; /* it is asked for anew. What answered a SYN without a cookie says nothing of it */
    }
    if (taken || (result->cookie_length > 0 && !result->again)) p->failures = 0;
    if (!result->again || taken) return;
    stack->counters.fast_open_syn_lost++;
    p->until = now + (FORGIVING_NS << p->failures);
    if (p->failures < BACKOFF_MAX) p->failures++;
}

void fast_open_answered(void *host, struct braid_connection *c, const struct tcp_fast_open_result *result) {
    struct braid_stack *stack = host;
    struct flow flow = *connection_flow(c);
    uint8_t path_id;
    (void)connection_capable_outcome(c, &path_id);
    learn(stack, find_or_make(&stack->fast_open, path_id, &flow), result, connection_now(c));
    if (result->taken_bytes > 0) stack->counters.fast_open_taken++;
    else if (result->sent_bytes > 0) stack->counters.fast_open_not_taken++;
}

/* [R-7413-4.1.3.1-3] The SYNs were never answered at all. */
void fast_open_unanswered(struct braid_stack *stack, const struct braid_connection *c, braid_time now) {
    uint8_t path_id;
    (void)connection_capable_outcome(c, &path_id);
    const struct tcp_fast_open_result nothing = {.presented = true, .again = true};
    learn(stack, find_or_make(&stack->fast_open, path_id, connection_flow(c)), &nothing, now);
}

void fast_open_network_new(struct braid_stack *stack, uint8_t path_id) {
    struct stack_fast_open *f = &stack->fast_open;
    for (unsigned i = f->count; i > 0; i--)
        if (f->peers[i - 1].path_id == path_id) f->peers[i - 1] = f->peers[--f->count];
}
