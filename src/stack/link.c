/* Links: what they are like, what they are to be used for, and what went by them. */
#include "stack_internal.h"

int braid_stack_link_add(struct braid_stack *stack, const struct braid_link_config *config) {
    if (stack->link_count == BRAID_LINKS_MAX || config->port_first > config->port_last) return -1;
    struct stack_link *link = &stack->links[stack->link_count];
    link->config = *config;
    if (link->config.port_first == 0) {
        link->config.port_first = 32768;
        link->config.port_last = 60999;
    }
    return stack->link_count++;
}

void braid_stack_link_set_mtu(struct braid_stack *stack, int link, uint32_t mtu_bytes, braid_time now) {
    if (link < 0 || link >= stack->link_count) return;
    stack->links[link].config.mtu_bytes = mtu_bytes;
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++) {
        struct stack_path *path = &stack->paths[i];
        if (!path->used || path->path.link != link) continue;
        path->path.mtu_bytes = mtu_bytes;
        if (!path->present) continue;
        LIST_EACH(&stack->connections, node, following) {
            struct entry *entry = LIST_ENTRY(node, struct entry, all);
            connection_path_mtu(entry->connection, path->path.address_id, mtu_bytes, now);
            entry_touch(entry);
        }
    }
}

static bool known(const struct braid_stack *stack, int link) {
    return link >= 0 && link < stack->link_count;
}

static void path_terms(struct braid_stack *stack, struct stack_path *path, braid_time now) {
    path->path.weight = path->weight > 0 ? path->weight : stack->links[path->path.link].weight;
    if (!path->present) return;
    LIST_EACH(&stack->connections, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, all);
        connection_path_terms(entry->connection, &path->path, now);
        entry_touch(entry);
    }
}

bool braid_stack_link_terms(struct braid_stack *stack, int link, const struct braid_link_terms *terms,
                            braid_time now) {
    if (!known(stack, link)) return false;
    stack->links[link].weight = terms->weight;
    path_meter_set(&stack->links[link].meter, terms->metered, terms->cap_bytes);
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++)
        if (stack->paths[i].used && stack->paths[i].path.link == link)
            path_terms(stack, &stack->paths[i], now);
    return true;
}

uint64_t braid_stack_link_used(const struct braid_stack *stack, int link) {
    return known(stack, link) ? stack->links[link].meter.used_bytes : 0;
}

/* All connections look at their meters. */
void stack_meter_news(void *host, struct path_meter *meter) {
    struct braid_stack *stack = host;
    (void)meter;
    LIST_EACH(&stack->connections, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, all);
        if (entry->connection) entry_touch(entry);
    }
}

void braid_stack_link_count(struct braid_stack *stack, int link, uint64_t bytes) {
    if (!known(stack, link)) return;
    struct path_meter *meter = &stack->links[link].meter;
    meter->used_bytes += bytes;
    if (meter->used_up || !stack_link_closed(stack, link)) return;
    meter->near = meter->used_up = true;
    stack_meter_news(stack, meter);
}

bool braid_stack_link_used_up(const struct braid_stack *stack, int link) {
    return known(stack, link) && stack_link_closed(stack, link);
}

bool stack_link_closed(const struct braid_stack *stack, int link) {
    struct local_path path = {.meter = (struct path_meter *)(uintptr_t)&stack->links[link].meter,
                              .mtu_bytes = stack->links[link].config.mtu_bytes,
                              .super_segment_bytes = stack->links[link].config.super_segment_bytes};
    return path_used_up(&path);
}

bool stack_link_may_send(struct braid_stack *stack, const struct braid_packet_out *packet) {
    struct path_meter *meter = &stack->links[packet->link].meter;
    uint64_t bytes = (uint64_t)packet->header_length + packet->payload_length;
    if (path_meter_forbids(meter, bytes)) {
        stack->counters.cap_not_sent++;
        return false;
    }
    meter->used_bytes += bytes;
    return true;
}
