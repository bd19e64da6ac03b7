/* Hosts: a stack with interfaces, addresses and routes; or a router, which has only the latter. */
#include "sim_internal.h"

/* --- what a stack gets from its world --- */

static void *host_allocate(void *context, size_t size) {
    struct sim_host *host = context;
    if (host->allocations_left == 0) {
        if (--host->failures_left == 0) host->allocations_left = -1;
        return NULL;
    }
    if (host->allocations_left > 0) host->allocations_left--;
    void *memory = malloc(size);
    if (memory == NULL) return NULL;
    host->allocations++;
    host->live_bytes += size;
    if (host->live_bytes > host->peak_bytes) host->peak_bytes = host->live_bytes;
    return memory;
}

static void host_release(void *context, void *memory, size_t size) {
    struct sim_host *host = context;
    if (memory == NULL) return;
    ENSURE(host->live_bytes >= size);
    host->live_bytes -= size;
    free(memory);
}

static bool host_random(void *context, void *out, size_t size) {
    struct sim_host *host = context;
    for (size_t done = 0; done < size; done += 8) {
        uint64_t word = prng_next(&host->secret);
        memcpy((uint8_t *)out + done, &word, size - done < 8 ? size - done : 8);
    }
    return true;
}

static void host_trace(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                       size_t count) {
    const struct sim_host *host = context;
    const struct sim_world_config *config = &host->world->config;
    config->trace(config->trace_context, host->name, now, event, fields, count);
}

/* --- life --- */

static void host_wake(struct sim_timer *timer, braid_time now) {
    struct sim_host *host = CONTAINER_OF(timer, struct sim_host, timer);
    braid_stack_expire(host->stack, now);
    sim_host_touch(host);
}

struct sim_host *host_create(struct sim_world *world, const char *name) {
    struct sim_host *host = calloc(1, sizeof(*host));
    ENSURE(host != NULL);
    host->world = world;
    host->name = name;
    host->allocations_left = -1;
    host->timer.fire = host_wake;
    prng_seed(&host->secret, prng_next(&world->prng));
    host->env = (struct braid_env){.context = host,
                                   .allocate = host_allocate,
                                   .release = host_release,
                                   .random_secret = host_random,
                                   .jitter_seed = prng_next(&world->prng),
                                   .trace = world->config.trace != NULL ? host_trace : NULL};
    struct sim_host **place = &world->hosts;
    while (*place != NULL) place = &(*place)->next;
    *place = host;
    world->host_count++;
    return host;
}

void host_destroy(struct sim_host *host) {
    sim_timer_set(host->world, &host->timer, BRAID_NEVER);
    free(host);
}

struct sim_host *sim_router_add(struct sim_world *world, const char *name) { return host_create(world, name); }

struct sim_host *sim_host_add(struct sim_world *world, const char *name, const struct braid_stack_config *config) {
    struct sim_host *host = host_create(world, name);
    host->stack = braid_stack_create(&host->env, config);
    ENSURE(host->stack != NULL);
    return host;
}

const char *sim_host_name(const struct sim_host *host) { return host->name; }
struct braid_stack *sim_host_stack(const struct sim_host *host) { return host->stack; }
void sim_host_set_listener(struct sim_host *host, struct sim_listener listener) { host->listener = listener; }

uint64_t sim_host_memory(const struct sim_host *host) { return host->live_bytes; }
uint64_t sim_host_memory_peak(const struct sim_host *host) { return host->peak_bytes; }
uint64_t sim_host_allocations(const struct sim_host *host) { return host->allocations; }
void sim_host_fail_allocations_after(struct sim_host *host, int64_t after) {
    sim_host_fail_some_allocations_after(host, after, UINT64_MAX);
}

void sim_host_fail_some_allocations_after(struct sim_host *host, int64_t after, uint64_t count) {
    host->allocations_left = after;
    host->failures_left = count;
}

uint64_t sim_host_counter(const struct sim_host *host, const char *name) {
    const char *found;
    uint64_t value;
    for (unsigned i = 0; (found = braid_stack_counter(host->stack, i, &value)) != NULL; i++)
        if (strcmp(found, name) == 0) return value;
    ENSURE(false); /* there is no such counter */
    return 0;
}

/* --- interfaces and addresses --- */

struct braid_address sim_address(const char *text) {
    struct ip_address ip;
    ENSURE(ip_address_parse(text, &ip));
    struct braid_address address = {.family = (uint8_t)ip.family};
    memcpy(address.bytes, ip.bytes, sizeof(address.bytes));
    return address;
}

int sim_host_interface_add(struct sim_host *host, const struct sim_interface_config *config) {
    struct sim_world *world = host->world;
    ENSURE(host->interface_count < SIM_INTERFACES_MAX);
    struct sim_interface *interface = &host->interfaces[host->interface_count];
    interface->name = config->name;
    interface->mtu_bytes = config->mtu_bytes != 0 ? config->mtu_bytes : 1500;
    interface->up = true;
    if (interface->mtu_bytes + 100 > world->pool.room) world->pool.room = interface->mtu_bytes + 100;
    if (host->stack != NULL) {
        struct braid_link_config link = {.mtu_bytes = interface->mtu_bytes,
                                         .super_segment_bytes = config->super_segment_bytes,
                                         .checksum_offload = !world->config.checksums,
                                         .uplink = true};
        ENSURE(braid_stack_link_add(host->stack, &link) == host->interface_count);
    }
    return host->interface_count++;
}

const char *sim_host_interface_name(const struct sim_host *host, int number) { return host->interfaces[number].name; }

static bool address_equal(const struct braid_address *a, const struct braid_address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

void sim_host_address_add(struct sim_host *host, int number, const struct braid_address *address, bool backup,
                          bool announce) {
    struct sim_interface *interface = &host->interfaces[number];
    unsigned i = 0;
    while (i < SIM_ADDRESSES_MAX && interface->addresses[i].used &&
           !address_equal(&interface->addresses[i].address, address))
        i++;
    ENSURE(i < SIM_ADDRESSES_MAX);
    interface->addresses[i].used = true;
    interface->addresses[i].address = *address;
    interface->addresses[i].backup = backup;
    interface->addresses[i].announce = announce;
    if (host->stack == NULL || !interface->up) return;
    ENSURE(braid_stack_address_add(host->stack, number, address, backup, announce, host->world->now));
    sim_host_touch(host);
}

void sim_host_address_remove(struct sim_host *host, int number, const struct braid_address *address) {
    struct sim_interface *interface = &host->interfaces[number];
    for (unsigned i = 0; i < SIM_ADDRESSES_MAX; i++)
        if (interface->addresses[i].used && address_equal(&interface->addresses[i].address, address))
            interface->addresses[i].used = false;
    if (host->stack == NULL || !interface->up) return;
    braid_stack_address_remove(host->stack, number, address, host->world->now);
    sim_host_touch(host);
}

void sim_host_address_replace(struct sim_host *host, int number, const struct braid_address *address) {
    struct sim_interface *interface = &host->interfaces[number];
    bool any = false, backup = false, announce = false;
    for (unsigned i = 0; i < SIM_ADDRESSES_MAX; i++) {
        if (!interface->addresses[i].used || interface->addresses[i].address.family != address->family) continue;
        struct braid_address old = interface->addresses[i].address;
        if (!any) backup = interface->addresses[i].backup;
        if (!any) announce = interface->addresses[i].announce;
        any = true;
        sim_host_address_remove(host, number, &old);
    }
    if (any) sim_host_address_add(host, number, address, backup, announce);
}

void sim_host_interface_set(struct sim_host *host, int number, bool up) {
    struct sim_interface *interface = &host->interfaces[number];
    if (interface->up == up) return;
    interface->up = up;
    if (host->stack == NULL) return;
    for (unsigned i = 0; i < SIM_ADDRESSES_MAX; i++) {
        if (!interface->addresses[i].used) continue;
        const struct braid_address *address = &interface->addresses[i].address;
        if (up)
            ENSURE(braid_stack_address_add(host->stack, number, address, interface->addresses[i].backup,
                                           interface->addresses[i].announce, host->world->now));
        else
            braid_stack_address_remove(host->stack, number, address, host->world->now);
    }
    sim_host_touch(host);
}
