/* TIME-WAIT (RFC 9293 §3.6.1) of flows whose connection is gone: a few bytes each, in a table of their own. A SYN that
 * cannot be an old one opens the flow again (RFC 6191); a RST is ignored (RFC 1337); everything else is answered as ever. */
#include "stack_internal.h"

#define TIME_WAIT_NS (60 * BRAID_NS_PER_S) /* [MUST-13] */
#define CHALLENGE_LEAST_NS (500 * BRAID_NS_PER_MS)
#define REUSE_AFTER_NS BRAID_NS_PER_S

struct time_wait *time_wait_find(const struct braid_stack *stack, uint16_t link, const struct flow *flow) {
    if (stack->resting_count == 0) return NULL;
    uint64_t hash = stack_flow_hash(stack->hash_key, link, flow);
    for (struct hash_node *n = hash_table_first(&stack->time_waits, hash); n; n = hash_table_next(n)) {
        struct time_wait *wait = CONTAINER_OF(n, struct time_wait, node);
        if (wait->link == link && flow_equal(&wait->flow, flow)) return wait;
    }
    return NULL;
}

void time_wait_forget(struct braid_stack *stack, struct time_wait *wait) {
    if (stack->reopening == wait) stack->reopening = NULL;
    hash_table_remove(&stack->time_waits, &wait->node);
    list_remove(&wait->by_age);
    stack->resting_count--;
    stack->env->release(stack->env->context, wait, sizeof(*wait));
}

/* All last equally long: what begins now ends last. */
static void begin(struct braid_stack *stack, struct time_wait *wait, braid_time now) {
    braid_time how_long = stack->config.time_wait_ns > 0 ? stack->config.time_wait_ns : TIME_WAIT_NS;
    wait->expires_at = now + how_long;
    list_remove(&wait->by_age);
    list_append(&stack->resting, &wait->by_age);
}

/* As many as there may be connections; beyond that the oldest goes. */
bool time_wait_enter(struct braid_stack *stack, const struct flow_entry *flow, const struct tcp_rest *rest, braid_time now) {
    if (stack->resting_count >= stack->config.connections_max) {
        stack->counters.time_wait_evicted++;
        time_wait_forget(stack, LIST_ENTRY(list_first(&stack->resting), struct time_wait, by_age));
    }
    struct time_wait *wait = stack->env->allocate(stack->env->context, sizeof(*wait));
    if (!wait) return false;
    *wait = (struct time_wait){.flow = flow->flow, .link = flow->link, .rest = *rest, .entered_at = now};
    hash_table_insert(&stack->time_waits, &wait->node, stack_flow_hash(stack->hash_key, flow->link, &flow->flow));
    begin(stack, wait, now);
    stack->resting_count++;
    stack->counters.time_wait_entered++;
    return true;
}

static void acknowledge(struct braid_stack *stack, struct time_wait *wait, braid_time now) {
    struct braid_packet_out *packet = stack_control_packet(stack);
    bool offload = stack->links[wait->link].config.checksum_offload;
    wait->acknowledged_at = now;
    if (packet && tcp_rest_ack(&wait->rest, &wait->flow, wait->link, offload, now, packet)) stack->control_count++;
}

bool time_wait_input(struct braid_stack *stack, struct time_wait *wait, const struct tcp_segment *s, braid_time now) {
    switch (tcp_rest_input(&wait->rest, s)) {
    case TCP_REST_IGNORE:
        if (s->flags & TCP_RST) stack->counters.time_wait_rst++;
        return true;
    case TCP_REST_CHALLENGE:
        stack->counters.time_wait_challenged++;
        if (wait->acknowledged_at == 0 || now - wait->acknowledged_at >= CHALLENGE_LEAST_NS) acknowledge(stack, wait, now);
        return true;
    case TCP_REST_AGAIN:
        acknowledge(stack, wait, now);
        begin(stack, wait, now);
        return true;
    case TCP_REST_REOPEN:
        stack->counters.time_wait_reopened++;
        stack->reopening = wait;
        return false;
    }
    return true;
}

/* RFC 6191 §3, as the client: timestamps keep old segments out of the new connection, and a second later ours are newer
 * than all that the old one can have sent; its numbers begin behind (initial.c). */
bool time_wait_reusable(const struct braid_stack *stack, const struct time_wait *wait) {
    return wait->rest.timestamps && stack->seen_at >= wait->entered_at + REUSE_AFTER_NS;
}

braid_time time_wait_deadline(const struct braid_stack *stack) {
    struct list_node *first = list_first(&stack->resting);
    return first ? LIST_ENTRY(first, struct time_wait, by_age)->expires_at : BRAID_NEVER;
}

void time_wait_expire(struct braid_stack *stack, braid_time now) {
    struct list_node *first;
    while ((first = list_first(&stack->resting)) != NULL) {
        struct time_wait *wait = LIST_ENTRY(first, struct time_wait, by_age);
        if (wait->expires_at > now) return;
        time_wait_forget(stack, wait);
    }
}
