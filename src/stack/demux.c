/* Which connection a packet belongs to: flows and tokens, both found by a keyed hash. And which local port a new
 * flow gets. */
#include "stack_internal.h"

struct flow_key {
    uint8_t local[16], remote[16];
    uint16_t local_port, remote_port, link;
    uint8_t family, zero;
};

uint64_t stack_flow_hash(const uint64_t secret[2], uint16_t link, const struct flow *flow) {
    struct flow_key key;
    memset(&key, 0, sizeof(key));
    memcpy(key.local, flow->local.bytes, 16);
    memcpy(key.remote, flow->remote.bytes, 16);
    key.local_port = flow->local_port;
    key.remote_port = flow->remote_port;
    key.link = link;
    key.family = (uint8_t)flow->local.family;
    return hash_bytes(secret, &key, sizeof(key));
}

static uint64_t flow_hash(const struct braid_stack *stack, uint16_t link, const struct flow *flow) {
    return stack_flow_hash(stack->hash_key, link, flow);
}

static uint64_t token_hash(const struct braid_stack *stack, uint32_t token) {
    return hash_bytes(stack->hash_key, &token, sizeof(token));
}

static struct flow_entry *flow_find(const struct braid_stack *stack, uint64_t hash, uint16_t link,
                                    const struct flow *flow) {
    for (struct hash_node *n = hash_table_first(&stack->flows, hash); n; n = hash_table_next(n)) {
        struct flow_entry *entry = CONTAINER_OF(n, struct flow_entry, node);
        if (entry->link == link && flow_equal(&entry->flow, flow)) return entry;
    }
    return NULL;
}

struct flow_entry *stack_flow_find(const struct braid_stack *stack, uint16_t link, const struct flow *flow) {
    return flow_find(stack, flow_hash(stack, link, flow), link, flow);
}

/* Packets of a link come in trains: most belong where the last one did. */
struct flow_entry *stack_flow_of_packet(struct braid_stack *stack, uint16_t link, const struct flow *flow) {
    struct flow_entry *last = stack->links[link].last;
    if (last && flow_equal(&last->flow, flow)) return last;
    last = stack_flow_find(stack, link, flow);
    if (last) stack->links[link].last = last;
    return last;
}

static bool at_home(const struct braid_stack *stack, const struct flow *flow) {
    const struct braid_stack_config *config = &stack->config;
    return !config->steering || steering_is_home(config->steering, config->steering_place, flow);
}

static bool port_is_free(const struct braid_stack *stack, uint16_t link, const struct flow *flow, bool reuse) {
    if (!at_home(stack, flow) || stack_flow_find(stack, link, flow)) return false;
    const struct time_wait *wait = time_wait_find(stack, link, flow);
    return !wait || (reuse && time_wait_reusable(stack, wait));
}

static bool port_choose_among(struct braid_stack *stack, uint16_t link, struct flow *flow, bool reuse) {
    const struct braid_link_config *config = &stack->links[link].config;
    uint32_t count = (uint32_t)config->port_last - config->port_first + 1u;
    flow->local_port = 0;
    uint64_t place = flow_hash(stack, link, flow);
    for (uint32_t i = 0; i < count; i++) {
        flow->local_port = (uint16_t)(config->port_first + (place + stack->ports_chosen++) % count);
        if (port_is_free(stack, link, flow, reuse)) return true;
    }
    flow->local_port = 0;
    return false;
}

/* RFC 6056 §3.3.3: a secret place in the range for each destination, and from there on one after the other. So a port is
 * used again as late as can be: the peer may still have the connection that had it before. One that rests in TIME-WAIT is
 * used only when there is no other. */
static bool port_choose(struct braid_stack *stack, uint16_t link, struct flow *flow) {
    return port_choose_among(stack, link, flow, false) ||
           (stack->resting_count > 0 && port_choose_among(stack, link, flow, true));
}

/* The flow of a connection to be is that of one in TIME-WAIT: its numbers begin behind the old one's. */
static void time_wait_succeed(struct braid_stack *stack, struct time_wait *wait) {
    stack->initial_behind = wait != NULL;
    if (!wait) return;
    stack->initial_after = wait->rest.snd_nxt;
    if (wait != stack->reopening) stack->counters.time_wait_reused++;
    time_wait_forget(stack, wait);
}

static void *host_flow_open(void *host, struct braid_connection *c, struct subflow *subflow, uint16_t link,
                            struct flow *flow) {
    struct braid_stack *stack = host;
    bool chosen = flow->local_port == 0;
    if (chosen && !port_choose(stack, link, flow)) return NULL;
    uint64_t hash = flow_hash(stack, link, flow);
    struct time_wait *wait = time_wait_find(stack, link, flow);
    if (flow_find(stack, hash, link, flow)) return NULL;
    if (wait && wait != stack->reopening && !time_wait_reusable(stack, wait)) return NULL;
    struct flow_entry *entry = stack->env->allocate(stack->env->context, sizeof(*entry));
    if (!entry) return NULL;
    *entry = (struct flow_entry){.connection = c, .subflow = subflow, .link = link, .guest = !at_home(stack, flow), .flow = *flow};
    if (entry->guest && !steering_guest_add(stack->config.steering, stack->config.steering_place, flow)) {
        stack->env->release(stack->env->context, entry, sizeof(*entry));
        return NULL;
    }
    time_wait_succeed(stack, wait);
    hash_table_insert(&stack->flows, &entry->node, hash);
    return entry;
}

static void host_flow_initial(void *host, void *handle, struct tcp_secrets *out) {
    const struct flow_entry *entry = handle;
    stack_initial(host, &entry->flow, out);
}

/* Not as long as the application may look at the connection, unless a SYN comes for it; and what another stack's steering
 * does not know as ours would be answered there with a RST. */
static bool host_flow_rest(void *host, void *handle, const struct tcp_rest *rest, braid_time now) {
    struct braid_stack *stack = host;
    const struct flow_entry *flow = handle;
    const struct entry *entry = entry_of(flow->connection);
    bool looked_at = entry && entry->reported && !entry->released;
    return !flow->guest && (!looked_at || stack->rest_forced) && time_wait_enter(stack, flow, rest, now);
}

static void host_flow_close(void *host, void *handle) {
    struct braid_stack *stack = host;
    struct flow_entry *entry = handle;
    hash_table_remove(&stack->flows, &entry->node);
    if (entry->guest) steering_guest_remove(stack->config.steering, stack->config.steering_place, &entry->flow);
    if (stack->links[entry->link].last == entry) stack->links[entry->link].last = NULL;
    stack->env->release(stack->env->context, entry, sizeof(*entry));
}

static struct token_entry *token_find(const struct braid_stack *stack, uint32_t token) {
    uint64_t hash = token_hash(stack, token);
    for (struct hash_node *n = hash_table_first(&stack->tokens, hash); n; n = hash_table_next(n)) {
        struct token_entry *entry = CONTAINER_OF(n, struct token_entry, node);
        if (entry->token == token) return entry;
    }
    return NULL;
}

struct braid_connection *stack_token_find(const struct braid_stack *stack, uint32_t token) {
    struct token_entry *entry = token_find(stack, token);
    return entry ? entry->connection : NULL;
}

static bool host_token_open(void *host, struct braid_connection *c, uint32_t token) {
    struct braid_stack *stack = host;
    const struct braid_stack_config *config = &stack->config;
    if (config->steering && !steering_token_fits(config->steering, config->steering_place, token)) return false;
    if (token_find(stack, token)) return false;
    struct token_entry *entry = stack->env->allocate(stack->env->context, sizeof(*entry));
    if (!entry) return false;
    *entry = (struct token_entry){.connection = c, .token = token};
    hash_table_insert(&stack->tokens, &entry->node, token_hash(stack, token));
    return true;
}

static void host_token_close(void *host, struct braid_connection *c, uint32_t token) {
    struct braid_stack *stack = host;
    struct token_entry *entry = token_find(stack, token);
    if (!entry || entry->connection != c) return;
    hash_table_remove(&stack->tokens, &entry->node);
    stack->env->release(stack->env->context, entry, sizeof(*entry));
}

static size_t host_paths(void *host, struct local_path *out, size_t max) {
    const struct braid_stack *stack = host;
    size_t count = 0;
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX && count < max; i++) {
        const struct stack_path *path = &stack->paths[i];
        if (path->present && stack->links[path->path.link].config.uplink) out[count++] = path->path;
    }
    return count;
}

static void host_wake(void *host, struct braid_connection *c) {
    (void)host;
    struct entry *entry = entry_of(c);
    if (entry) entry_touch(entry);
}

const struct connection_host_ops stack_host_ops = {
    .flow_open = host_flow_open,
    .flow_close = host_flow_close,
    .flow_initial = host_flow_initial,
    .flow_rest = host_flow_rest,
    .token_open = host_token_open,
    .token_close = host_token_close,
    .paths = host_paths,
    .wake = host_wake,
    .meter_news = stack_meter_news,
    .fast_open_answered = fast_open_answered,
    .path_mtu = mtu_memory_known,
    .path_mtu_found = mtu_memory_found,
    .subflow_over = totals_subflow_over,
};
