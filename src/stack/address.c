/* Our addresses: which there are, which one a connection starts from, and the news of their coming and going. */
#include "stack_internal.h"

struct ip_address stack_address_in(const struct braid_address *address) {
    struct ip_address out = {.family = IP_NONE};
    if (address->family == 4) out = ip_address_v4(address->bytes);
    if (address->family == 6) out = ip_address_v6(address->bytes);
    return out;
}

struct braid_address stack_address_out(const struct ip_address *address) {
    struct braid_address out = {.family = (uint8_t)address->family};
    memcpy(out.bytes, address->bytes, sizeof(out.bytes));
    return out;
}

static struct stack_path *path_find(const struct braid_stack *stack, int link, const struct ip_address *address) {
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++) {
        struct stack_path *path = (struct stack_path *)(uintptr_t)&stack->paths[i];
        if (path->used && path->path.link == link && ip_address_equal(&path->path.address, address)) return path;
    }
    return NULL;
}

/* A place never used, or the first one whose address is away. */
static struct stack_path *path_place(struct braid_stack *stack) {
    struct stack_path *away = NULL;
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++) {
        if (!stack->paths[i].used) return &stack->paths[i];
        if (!stack->paths[i].present && !away) away = &stack->paths[i];
    }
    return away;
}

static bool address_id_taken(const struct braid_stack *stack, uint8_t id) {
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++)
        if (stack->paths[i].used && stack->paths[i].path.address_id == id) return true;
    return false;
}

/* The table is smaller than there are IDs, and each is given away as late as can be: connections know addresses by them.
 * 0 is none. [R-3.4.1-2] */
static uint8_t address_id_next(struct braid_stack *stack) {
    do stack->address_id_last = (uint8_t)(stack->address_id_last % UINT8_MAX + 1);
    while (address_id_taken(stack, stack->address_id_last));
    return stack->address_id_last;
}

static void path_fill(const struct braid_stack *stack, struct local_path *path, uint16_t link) {
    const struct braid_link_config *config = &stack->links[link].config;
    path->link = link;
    path->mtu_bytes = config->mtu_bytes;
    path->super_segment_bytes = config->super_segment_bytes;
    path->checksum_offload = config->checksum_offload;
    path->meter = (struct path_meter *)(uintptr_t)&stack->links[link].meter;
}

/* The flags of an address that is there have changed from what they were. */
static void path_flags_news(struct braid_stack *stack, const struct stack_path *path, const struct local_path *before,
                            braid_time now) {
    const struct local_path *after = &path->path;
    bool backup = before->backup != after->backup;
    bool wider = (after->announce && !before->announce) || (before->no_subflow && !after->no_subflow) ||
                 (before->no_fullmesh && !after->no_fullmesh);
    if (!backup && !wider) return;
    LIST_EACH(&stack->connections, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, all);
        if (backup) connection_path_backup(entry->connection, after, now);
        if (wider) connection_path_wider(entry->connection, after, after->announce && !before->announce, now);
        entry_touch(entry);
    }
}

static void path_appear(struct braid_stack *stack, struct stack_path *path, braid_time now) {
    path->present = true;
    capable_memory_network_new(&stack->capable, path->path.address_id);
    fast_open_network_new(stack, path->path.address_id);
    version_memory_network_new(&stack->versions, path->path.address_id);
    mtu_memory_network_new(&stack->mtus, path->path.address_id);
    TRACE(stack->env, now, link_change, .link = path->path.link, .change = "address up");
    LIST_EACH(&stack->connections, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, all);
        connection_path_up(entry->connection, &path->path, now);
        entry_touch(entry);
    }
}

enum {
    ENDPOINT_FLAGS =
        BRAID_ENDPOINT_SIGNAL | BRAID_ENDPOINT_SUBFLOW | BRAID_ENDPOINT_BACKUP | BRAID_ENDPOINT_FULLMESH
};

bool braid_stack_endpoint_add(struct braid_stack *stack, int link, const struct braid_address *address,
                              unsigned flags, braid_time now) {
    struct ip_address ip = stack_address_in(address);
    if (link < 0 || link >= stack->link_count || ip.family == IP_NONE || (flags & ~(unsigned)ENDPOINT_FLAGS)) return false;
    if ((flags & BRAID_ENDPOINT_FULLMESH) && !(flags & BRAID_ENDPOINT_SUBFLOW)) return false;
    struct stack_path *path = path_find(stack, link, &ip);
    if (!path) {
        path = path_place(stack);
        if (!path) return false;
        uint8_t address_id = address_id_next(stack);
        *path = (struct stack_path){.used = true};
        path->path.address = ip;
        path->path.weight = stack->links[link].weight;
        path->path.address_id = address_id;
    }
    struct local_path before = path->path;
    path_fill(stack, &path->path, (uint16_t)link);
    path->path.backup = flags & BRAID_ENDPOINT_BACKUP;
    path->path.announce = flags & BRAID_ENDPOINT_SIGNAL;
    path->path.no_subflow = !(flags & BRAID_ENDPOINT_SUBFLOW);
    path->path.no_fullmesh = !(flags & BRAID_ENDPOINT_FULLMESH);
    if (path->present) path_flags_news(stack, path, &before, now);
    else path_appear(stack, path, now);
    return true;
}

bool braid_stack_address_add(struct braid_stack *stack, int link, const struct braid_address *address, bool backup,
                             bool announce, braid_time now) {
    unsigned flags = BRAID_ENDPOINT_SUBFLOW | BRAID_ENDPOINT_FULLMESH;
    if (backup) flags |= BRAID_ENDPOINT_BACKUP;
    if (announce) flags |= BRAID_ENDPOINT_SIGNAL;
    return braid_stack_endpoint_add(stack, link, address, flags, now);
}

const struct local_path *stack_path_of(const struct braid_stack *stack, int link, const struct braid_address *address) {
    struct ip_address ip = stack_address_in(address);
    const struct stack_path *path = path_find(stack, link, &ip);
    return path && path->present ? &path->path : NULL;
}

void braid_stack_address_remove(struct braid_stack *stack, int link, const struct braid_address *address,
                                braid_time now) {
    struct ip_address ip = stack_address_in(address);
    struct stack_path *path = path_find(stack, link, &ip);
    if (!path || !path->present) return;
    path->present = false;
    TRACE(stack->env, now, link_change, .link = (uint64_t)link, .change = "address gone");
    LIST_EACH(&stack->connections, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, all);
        connection_path_down(entry->connection, path->path.address_id, now);
        entry_touch(entry);
    }
}

bool braid_stack_address_terms(struct braid_stack *stack, int link, const struct braid_address *address,
                               const struct braid_address_terms *terms) {
    struct ip_address ip = stack_address_in(address);
    struct stack_path *path = path_find(stack, link, &ip);
    if (!path) return false;
    path->weight = terms->weight;
    path->path.weight = terms->weight > 0 ? terms->weight : stack->links[link].weight;
    path->path.announce_port = terms->announce_port;
    return true;
}

bool braid_stack_has_address(const struct braid_stack *stack, const struct braid_address *address) {
    struct ip_address ip = stack_address_in(address);
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++)
        if (stack->paths[i].present && ip_address_equal(&stack->paths[i].path.address, &ip)) return true;
    return false;
}

struct local_path stack_path_for(const struct braid_stack *stack, uint16_t link, const struct ip_address *address) {
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++) {
        const struct stack_path *path = &stack->paths[i];
        if (path->present && path->path.link == link && ip_address_equal(&path->path.address, address))
            return path->path;
    }
    struct local_path made_up = {.address = *address};
    path_fill(stack, &made_up, link);
    return made_up;
}

const struct local_path *stack_path_choose(const struct braid_stack *stack, const struct ip_address *remote,
                                           const struct ip_address *local) {
    const struct local_path *best = NULL;
    for (unsigned i = 0; i < BRAID_ADDRESSES_MAX; i++) {
        const struct stack_path *candidate = &stack->paths[i];
        const struct local_path *path = &candidate->path;
        if (!candidate->present || !stack->links[path->link].config.uplink) continue;
        if (path->address.family != remote->family || path_used_up(path)) continue;
        if (local->family != IP_NONE && !ip_address_equal(local, &path->address)) continue;
        if (ip_address_is_link_local(&path->address) != ip_address_is_link_local(remote)) continue;
        if (!best || local_path_better(path, best)) best = path;
    }
    return best;
}
