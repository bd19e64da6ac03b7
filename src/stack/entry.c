/* The stack's side of a connection: what is ready for output, what has events, when its timer is due, and when it
 * may go. */
#include "stack_internal.h"

struct entry *entry_of(const struct braid_connection *connection) { return connection_host_data(connection); }

struct entry *entry_create(struct braid_stack *stack) {
    if (!heap_reserve(&stack->timers, stack->connection_count + 1)) return NULL;
    struct entry *entry = stack->env->allocate(stack->env->context, sizeof(*entry));
    if (!entry) return NULL;
    memset(entry, 0, sizeof(*entry));
    entry->stack = stack;
    entry->timer.deadline = BRAID_NEVER;
    list_init(&entry->ready);
    list_init(&entry->eventful);
    list_init(&entry->half_open_place);
    list_append(&stack->connections, &entry->all);
    stack->connection_count++;
    return entry;
}

void entry_attach(struct entry *entry, struct braid_connection *connection) {
    entry->connection = connection;
    connection_set_host_data(connection, entry);
    entry_touch(entry);
}

void entry_half_open(struct entry *entry) {
    entry->half_open = true;
    if (entry->listener) entry->listener->half_open++;
    list_append(&entry->stack->half_open, &entry->half_open_place);
    entry->stack->half_open_count++;
}

static void entry_not_half_open(struct entry *entry) {
    if (!entry->half_open) return;
    entry->half_open = false;
    if (entry->fast_opened) entry->listener->fast_open_pending--;
    if (entry->listener) entry->listener->half_open--;
    list_remove(&entry->half_open_place);
    entry->stack->half_open_count--;
}

void entry_destroy(struct entry *entry) {
    struct braid_stack *stack = entry->stack;
    if (entry->connection) {
        connection_set_host_data(entry->connection, NULL);
        connection_destroy(entry->connection);
    }
    entry_not_half_open(entry);
    heap_remove(&stack->timers, &entry->timer);
    list_remove(&entry->all);
    list_remove(&entry->ready);
    list_remove(&entry->eventful);
    if (entry->listener) listener_unref(entry->listener);
    if (entry->syn_packet) stack->env->release(stack->env->context, entry->syn_packet, STACK_SYN_QUOTE_BYTES);
    stack->connection_count--;
    stack->env->release(stack->env->context, entry, sizeof(*entry));
}

void entry_touch(struct entry *entry) {
    if (!list_linked(&entry->ready)) list_append(&entry->stack->ready, &entry->ready);
}

/* The application hears of a peer's connection when it is established; one that ends before was never there for it,
 * unless it was told of the SYN. */
static unsigned entry_events(struct entry *entry, braid_time now) {
    unsigned bits = connection_take_events(entry->connection);
    if (entry->half_open && connection_established(entry->connection)) entry_not_half_open(entry);
    if (bits & CONNECTION_ESTABLISHED) {
        if (entry->listener) {
            bits = (bits & ~(unsigned)CONNECTION_ESTABLISHED) | BRAID_EVENT_ACCEPTED;
            entry->reported = true;
        } else {
            uint8_t path_id;
            enum capable_outcome outcome = connection_capable_outcome(entry->connection, &path_id);
            const struct ip_address *remote = &connection_flow(entry->connection)->remote;
            capable_memory_result(&entry->stack->capable, path_id, remote, outcome, now);
            if (entry->discovers)
                version_memory_result(&entry->stack->versions, path_id, remote, entry->asked_version_0, outcome, now);
        }
    }
    if (bits & CONNECTION_CLOSED) entry_not_half_open(entry);
    if ((bits & CONNECTION_CLOSED) && entry->fast_opened && !entry->listener && !connection_established(entry->connection) &&
        connection_close_reason(entry->connection) == CONNECTION_TIMED_OUT)
        fast_open_unanswered(entry->stack, entry->connection, now);
    return entry->reported && !entry->released ? bits : 0;
}

void entry_settle(struct entry *entry, braid_time now) {
    struct braid_stack *stack = entry->stack;
    entry->bits |= entry_events(entry, now);
    if (entry->bits && !list_linked(&entry->eventful)) list_append(&stack->eventful, &entry->eventful);
    bool known = entry->reported && !entry->released;
    if (!known && connection_finished(entry->connection)) {
        entry_destroy(entry);
        return;
    }
    heap_set(&stack->timers, &entry->timer, connection_deadline(entry->connection));
}

enum mptcp_versions stack_versions(enum braid_versions versions) {
    switch (versions) {
    case BRAID_VERSIONS_DEFAULT:
    case BRAID_VERSIONS_BOTH:
    case BRAID_VERSIONS_DISCOVER: return MPTCP_VERSIONS_BOTH;
    case BRAID_VERSION_1: return MPTCP_VERSIONS_1;
    case BRAID_VERSION_0: return MPTCP_VERSIONS_0;
    }
    return MPTCP_VERSIONS_BOTH;
}

struct connection_config stack_connection_config(struct braid_stack *stack, const struct local_path *path,
                                                 const struct flow *flow) {
    return (struct connection_config){
        .number = ++stack->next_number,
        .path = *path,
        .flow = *flow,
        .versions = stack_versions(stack->config.versions),
        .checksum = stack->config.checksum,
        .checksum_forbidden = stack->config.checksum_forbidden,
        .no_join_to_source = stack->config.no_join_to_source,
        .fastclose_by_ack = stack->config.fastclose_by_ack,
        .congestion = stack->congestion,
        .ecn = stack->config.ecn,
        .scheduler = stack->scheduler,
        .path_manager = stack->path_manager,
        .limits = stack->limits,
        .join_to_clients = stack->config.join_to_clients,
        .send_buffer_bytes = stack->config.send_buffer_bytes,
        .receive_buffer_max_bytes = stack->config.receive_buffer_max_bytes,
        .receive_buffer_initial_bytes = stack->config.receive_buffer_initial_bytes,
        .connect_timeout_ns = stack->config.connect_timeout_ns,
        .time_wait_ns = stack->config.time_wait_ns,
        .key_tries_times = stack->config.steering ? steering_stacks(stack->config.steering) : 0,
        .budget = stack->config.memory_max_bytes > 0 ? &stack->budget : NULL,
        .tcp_drops = &stack->tcp_drops,
        .counters = &stack->mptcp,
        .host_ops = &stack_host_ops,
        .host = stack,
    };
}
