/* The stack's own life, its links, and its counters. */
#include "stack_internal.h"

static void config_defaults(struct braid_stack_config *config) {
    if (config->connections_max == 0) config->connections_max = 65536;
    if (config->half_open_max == 0) config->half_open_max = 4096;
    if (config->send_buffer_bytes == 0) config->send_buffer_bytes = 4u << 20;
    if (config->receive_buffer_max_bytes == 0) config->receive_buffer_max_bytes = 8u << 20;
    if (config->receive_buffer_initial_bytes == 0) config->receive_buffer_initial_bytes = 256u << 10;
    if (!config->versions) config->versions = BRAID_VERSIONS_BOTH;
    if (!config->congestion) config->congestion = "cubic";
    if (!config->scheduler) config->scheduler = scheduler_name(0);
    if (!config->path_manager) config->path_manager = path_manager_name(0);
}

static bool tables_init(struct braid_stack *stack) {
    if (!hash_table_init(&stack->flows, stack->env)) return false;
    if (hash_table_init(&stack->tokens, stack->env)) {
        if (hash_table_init(&stack->time_waits, stack->env)) return true;
        hash_table_deinit(&stack->tokens);
    }
    hash_table_deinit(&stack->flows);
    return false;
}

struct braid_stack *braid_stack_create(const struct braid_env *env, const struct braid_stack_config *config) {
    struct braid_stack_config filled = *config;
    config_defaults(&filled);
    const struct congestion_ops *congestion = congestion_find(filled.congestion);
    const struct scheduler_ops *scheduler = scheduler_find(filled.scheduler);
    const struct path_manager_ops *path_manager = path_manager_find(filled.path_manager);
    struct path_limits limits;
    if (braid_stack_config_check(config) != BRAID_CONFIG_OK || !stack_limits_in(filled.path_limits, &limits)) return NULL;
    filled.congestion = congestion->name; /* ours to keep */
    filled.scheduler = scheduler->name;
    filled.path_manager = path_manager->name;
    filled.path_limits = NULL;
    struct braid_stack *stack = env->allocate(env->context, sizeof(*stack));
    if (!stack) return NULL;
    memset(stack, 0, sizeof(*stack));
    stack->env = env;
    stack->config = filled;
    stack->congestion = congestion;
    stack->scheduler = scheduler;
    stack->path_manager = path_manager;
    stack->limits = limits;
    stack->budget.limit_bytes = filled.memory_max_bytes;
    list_init(&stack->connections);
    list_init(&stack->ready);
    list_init(&stack->eventful);
    list_init(&stack->listeners);
    list_init(&stack->half_open);
    list_init(&stack->resting);
    heap_init(&stack->timers, env);
    prng_seed(&stack->prng, env->jitter_seed);
    if (!env->random_secret(env->context, stack->hash_key, sizeof(stack->hash_key)) ||
        !env->random_secret(env->context, stack->initial_key, sizeof(stack->initial_key)) || !tables_init(stack)) {
        env->release(env->context, stack, sizeof(*stack));
        return NULL;
    }
    return stack;
}

void braid_stack_destroy(struct braid_stack *stack) {
    if (!stack) return;
    LIST_EACH(&stack->connections, node, following) entry_destroy(LIST_ENTRY(node, struct entry, all));
    LIST_EACH(&stack->listeners, node, following) {
        struct braid_listener *listener = LIST_ENTRY(node, struct braid_listener, node);
        list_remove(node);
        stack->env->release(stack->env->context, listener, sizeof(*listener));
    }
    for (; stack->control_count > 0; stack->control_count--)
        braid_packet_out_release(&stack->control[stack->control_head++ % STACK_CONTROL_QUEUE_MAX]);
    heap_deinit(&stack->timers);
    time_wait_expire(stack, BRAID_NEVER);
    hash_table_deinit(&stack->time_waits);
    hash_table_deinit(&stack->flows);
    hash_table_deinit(&stack->tokens);
    stack->env->release(stack->env->context, stack, sizeof(*stack));
}

const char *braid_congestion_name(unsigned index) { return congestion_name(index); }
const char *braid_scheduler_name(unsigned index) { return scheduler_name(index); }
const char *braid_versions_name(unsigned index) {
    static const char *const names[] = {"both", "discover", "1", "0"};
    return index < ARRAY_COUNT(names) ? names[index] : NULL;
}
const char *braid_path_manager_name(unsigned index) { return path_manager_name(index); }

const struct braid_stack_config *braid_stack_config(const struct braid_stack *stack) { return &stack->config; }

struct counter_words {
    const char *name, *meaning;
};
static const struct counter_words stack_counter_words[] = {
#define COUNTER_NAME(name, meaning) {#name, meaning},
    STACK_COUNTERS(COUNTER_NAME)};
static const struct counter_words tcp_drop_words[] = {
#define TCP_DROP_NAME(name, meaning) {"tcp_" #name, meaning},
    TCP_DROP_REASONS(TCP_DROP_NAME)};
static const struct counter_words mptcp_counter_words[] = {
#define MPTCP_NAME(name, meaning) {"mptcp_" #name, meaning},
    MPTCP_COUNTERS(MPTCP_NAME)};

static const struct counter_words *counter(const struct braid_stack *stack, unsigned index, uint64_t *value) {
    const struct {
        const struct counter_words *words;
        const void *values;
        size_t count;
    } groups[] = {
        {stack_counter_words, &stack->counters, ARRAY_COUNT(stack_counter_words)},
        {tcp_drop_words, &stack->tcp_drops, ARRAY_COUNT(tcp_drop_words)},
        {mptcp_counter_words, &stack->mptcp, ARRAY_COUNT(mptcp_counter_words)},
    };
    for (size_t g = 0; g < ARRAY_COUNT(groups); g++) {
        if (index < groups[g].count) {
            memcpy(value, (const uint8_t *)groups[g].values + index * sizeof(uint64_t), sizeof(uint64_t));
            return &groups[g].words[index];
        }
        index -= (unsigned)groups[g].count;
    }
    return NULL;
}

const char *braid_stack_counter(const struct braid_stack *stack, unsigned index, uint64_t *value) {
    const struct counter_words *words = counter(stack, index, value);
    return words ? words->name : NULL;
}

const char *braid_stack_counter_meaning(const struct braid_stack *stack, unsigned index) {
    uint64_t value;
    const struct counter_words *words = counter(stack, index, &value);
    return words ? words->meaning : NULL;
}

uint64_t braid_stack_memory_bytes(const struct braid_stack *stack) { return stack->budget.held_bytes; }

unsigned braid_stack_connections(const struct braid_stack *stack) { return stack->connection_count; }

void braid_stack_check_invariants(const struct braid_stack *stack) {
    uint32_t connections = 0, half_open = 0;
    LIST_EACH(&stack->connections, node, following) {
        const struct entry *entry = LIST_ENTRY(node, struct entry, all);
        connections++;
        half_open += entry->half_open;
        ENSURE(entry->connection != NULL);
        connection_check_invariants(entry->connection);
    }
    ENSURE(connections == stack->connection_count);
    ENSURE(half_open == stack->half_open_count);
    ENSURE(stack->control_count <= STACK_CONTROL_QUEUE_MAX);
}
