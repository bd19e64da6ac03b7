/* A packet's way out, and the stack's clockwork: connections that were touched are polled until dry, their events
 * taken and their timers set. */
#include "stack_internal.h"

struct braid_packet_out *stack_control_packet(struct braid_stack *stack) {
    if (stack->control_count == STACK_CONTROL_QUEUE_MAX) {
        stack->counters.control_queue_full++;
        return NULL;
    }
    struct braid_packet_out *packet =
        &stack->control[(stack->control_head + stack->control_count) % STACK_CONTROL_QUEUE_MAX];
    memset(packet, 0, sizeof(*packet));
    return packet;
}

void stack_send_reset(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                      const struct tcp_segment *segment, const struct mp_tcprst *why) {
    uint8_t option[MPTCP_OPTION_MAX];
    uint32_t option_length = 0;
    struct braid_packet_out *packet = stack_control_packet(stack);
    if (!packet) return;
    if (why) {
        struct mptcp_option reset = {.subtype = MPTCP_MP_TCPRST, .as.mp_tcprst = *why};
        option_length = mptcp_option_encode(&reset, option, sizeof(option));
    }
    if (!tcp_reset_for(segment, &flow->remote, &flow->local, link, stack->links[link].config.checksum_offload,
                       option_length ? option : NULL, option_length, packet))
        return;
    stack->control_count++;
    stack->counters.resets_sent++;
}

void stack_send_icmp(struct braid_stack *stack, uint16_t link, enum icmp_error_kind kind, const struct flow *flow,
                     const uint8_t *quoted, uint32_t quoted_length) {
    struct braid_packet_out *packet = stack_control_packet(stack);
    uint8_t bytes[256];
    if (!packet) return;
    uint32_t length = icmp_error_encode(kind, &flow->local, &flow->remote, quoted, quoted_length, bytes, sizeof(bytes));
    if (length == 0) return;
    /* The message is longer than a header may be: the rest travels as payload. */
    uint32_t head = length < BRAID_PACKET_HEADER_MAX ? length : BRAID_PACKET_HEADER_MAX;
    memcpy(packet->header, bytes, head);
    packet->link = link;
    packet->header_length = (uint16_t)head;
    if (length > head) {
        packet->slices[0] = slice_copy(stack->env, bytes + head, length - head);
        if (!packet->slices[0].buf) return;
        packet->slice_count = 1;
        packet->payload_length = length - head;
    }
    stack->control_count++;
}

static size_t control_output(struct braid_stack *stack, struct braid_packet_out *packets, size_t room) {
    size_t count = 0;
    while (count < room && stack->control_count > 0) {
        struct braid_packet_out *packet = &stack->control[stack->control_head];
        if (stack_link_may_send(stack, packet)) packets[count++] = *packet;
        else braid_packet_out_release(packet);
        stack->control_head = (stack->control_head + 1) % STACK_CONTROL_QUEUE_MAX;
        stack->control_count--;
    }
    return count;
}

size_t braid_stack_output(struct braid_stack *stack, struct braid_packet_out *packets, size_t count,
                          braid_time now) {
    stack->seen_at = now;
    size_t filled = control_output(stack, packets, count);
    struct list_node *first;
    while (filled < count && (first = list_first(&stack->ready)) != NULL) {
        struct entry *entry = LIST_ENTRY(first, struct entry, ready);
        filled += connection_output(entry->connection, packets + filled, count - filled, now);
        if (filled == count) break; /* it may have more: it stays first */
        list_remove(&entry->ready);
        entry_settle(entry, now);
    }
    stack->counters.packets_out += filled;
    return filled;
}

braid_time braid_stack_deadline(const struct braid_stack *stack) {
    if (!list_empty(&stack->ready) || stack->control_count > 0) return 0;
    braid_time timers = heap_deadline(&stack->timers), resting = time_wait_deadline(stack);
    return timers < resting ? timers : resting;
}

void braid_stack_expire(struct braid_stack *stack, braid_time now) {
    stack->seen_at = now;
    time_wait_expire(stack, now);
    struct heap_node *first;
    while ((first = heap_first(&stack->timers)) != NULL && first->deadline <= now) {
        struct entry *entry = CONTAINER_OF(first, struct entry, timer);
        heap_remove(&stack->timers, first); /* set anew when it is settled */
        connection_expire(entry->connection, now);
        entry_touch(entry);
    }
}

bool braid_stack_next_event(struct braid_stack *stack, struct braid_event *event) {
    struct list_node *first = list_first(&stack->eventful);
    if (!first) return false;
    struct entry *entry = LIST_ENTRY(first, struct entry, eventful);
    list_remove(first);
    *event = (struct braid_event){
        .connection = entry->connection, .listener = entry->listener, .bits = entry->bits};
    entry->bits = 0;
    return true;
}
