/* The clock of a world, and what is due by it. */
#include "sim_internal.h"

static void *world_allocate(void *context, size_t size) {
    struct sim_world *world = context;
    void *memory = malloc(size);
    if (memory != NULL) world->live_bytes += size;
    return memory;
}

static void world_release(void *context, void *memory, size_t size) {
    struct sim_world *world = context;
    if (memory == NULL) return;
    ENSURE(world->live_bytes >= size);
    world->live_bytes -= size;
    free(memory);
}

void *sim_allocate(struct sim_world *world, size_t size) {
    void *memory = world_allocate(world, size);
    ENSURE(memory != NULL);
    return memset(memory, 0, size);
}

void sim_release(struct sim_world *world, void *memory, size_t size) { world_release(world, memory, size); }
const struct braid_env *sim_world_env(struct sim_world *world) { return &world->env; }

struct sim_world *sim_world_create(const struct sim_world_config *config) {
    struct sim_world *world = calloc(1, sizeof(*world));
    ENSURE(world != NULL);
    world->config = *config;
    world->env = (struct braid_env){.context = world, .allocate = world_allocate, .release = world_release};
    world->now = BRAID_NS_PER_S;
    world->touched_end = &world->touched;
    prng_seed(&world->prng, config->seed);
    heap_init(&world->timers, &world->env);
    sim_pool_init(&world->pool, &world->env);
    return world;
}

/* Calls that were set by sim_world_at() and never came. */
static void world_forget_calls(struct sim_world *world);

uint64_t sim_world_destroy(struct sim_world *world) {
    uint64_t leaked = 0;
    conversations_destroy(world);
    while (world->links != NULL) {
        struct sim_link *link = world->links;
        world->links = link->next;
        link_destroy(link);
    }
    while (world->hosts != NULL) {
        struct sim_host *host = world->hosts;
        world->hosts = host->next;
        braid_stack_destroy(host->stack);
        leaked += host->live_bytes;
        host_destroy(host);
    }
    world_forget_calls(world);
    heap_deinit(&world->timers);
    sim_pool_deinit(&world->pool);
    leaked += world->live_bytes;
    free(world);
    return leaked;
}

braid_time sim_world_now(const struct sim_world *world) { return world->now; }
struct prng *sim_world_prng(struct sim_world *world) { return &world->prng; }
uint64_t sim_world_steps(const struct sim_world *world) { return world->steps; }
uint64_t sim_world_packets(const struct sim_world *world) { return world->packets; }

/* --- timers --- */

void sim_timer_set(struct sim_world *world, struct sim_timer *timer, braid_time at) {
    if (at != BRAID_NEVER && at < world->now) at = world->now;
    ENSURE(heap_reserve(&world->timers, world->timers.count + 1));
    heap_set(&world->timers, &timer->node, at);
}

struct later {
    struct sim_timer timer;
    struct sim_world *world;
    void (*call)(void *context, braid_time now);
    void *context;
};

static void later_fire(struct sim_timer *timer, braid_time now) {
    struct later later = *(struct later *)timer;
    sim_release(later.world, timer, sizeof(later));
    later.call(later.context, now);
}

void sim_world_at(struct sim_world *world, braid_time at, void (*call)(void *context, braid_time now), void *context) {
    struct later *later = sim_allocate(world, sizeof(*later));
    *later = (struct later){.timer = {.fire = later_fire}, .world = world, .call = call, .context = context};
    sim_timer_set(world, &later->timer, at);
}

static void world_forget_calls(struct sim_world *world) {
    struct heap_node *node;
    while ((node = heap_first(&world->timers)) != NULL) {
        struct sim_timer *timer = CONTAINER_OF(node, struct sim_timer, node);
        heap_remove(&world->timers, node);
        if (timer->fire == later_fire) sim_release(world, timer, sizeof(struct later));
    }
}

/* --- steps --- */

static void check_invariants(struct sim_world *world) {
    if (world->config.check_every == 0 || world->steps % world->config.check_every != 0) return;
    for (struct sim_host *host = world->hosts; host != NULL; host = host->next)
        if (host->stack != NULL) braid_stack_check_invariants(host->stack);
}

static void settle(struct sim_world *world) {
    while (world->touched != NULL) {
        struct sim_host *host = world->touched;
        world->touched = host->next_touched;
        if (world->touched == NULL) world->touched_end = &world->touched;
        host->touched = false;
        host_settle(host);
    }
}

void sim_host_touch(struct sim_host *host) {
    struct sim_world *world = host->world;
    if (host->touched || host->stack == NULL) return;
    host->touched = true;
    host->next_touched = NULL;
    *world->touched_end = host;
    world->touched_end = &host->next_touched;
}

bool sim_world_step(struct sim_world *world, braid_time until) {
    settle(world);
    struct heap_node *first = heap_first(&world->timers);
    if (first == NULL || first->deadline > until) {
        if (until > world->now) world->now = until;
        return false;
    }
    struct sim_timer *timer = CONTAINER_OF(first, struct sim_timer, node);
    if (first->deadline > world->now) world->steps_at_now = 0;
    ENSURE(++world->steps_at_now < SIM_STEPS_WITHOUT_TIME);
    world->now = first->deadline;
    world->steps++;
    heap_remove(&world->timers, first);
    timer->fire(timer, world->now);
    settle(world);
    check_invariants(world);
    return true;
}

void sim_world_run(struct sim_world *world, braid_time until) {
    while (sim_world_step(world, until)) continue;
}

/* --- what was seen --- */

enum { HASHED_BYTES = 80 }; /* headers and options; the payload is its readers' to check */

static uint64_t mix(uint64_t hash, uint64_t word) {
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static uint64_t mix_bytes(uint64_t hash, const uint8_t *bytes, uint32_t length) {
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = mix(hash, word);
    }
    for (; length > 0; bytes++, length--) hash = mix(hash, *bytes);
    return hash;
}

void world_saw(struct sim_world *world, enum sim_moment moment, struct sim_host *host, int interface,
               struct sim_link *link, const struct sim_packet *packet) {
    uint64_t where = (uint64_t)link->number << 32 | (uint64_t)interface << 8 | (uint64_t)moment;
    uint64_t hash = mix(mix(world->hash, world->now), where << 16 ^ packet->length);
    world->hash = mix_bytes(hash, packet->bytes, packet->length < HASHED_BYTES ? packet->length : HASHED_BYTES);
    world->packets++;
    const struct sim_observer *observer = &world->config.observer;
    if (observer->packet != NULL)
        observer->packet(observer->context, moment, host, interface, link, packet, world->now);
}

uint64_t sim_world_hash(const struct sim_world *world) { return mix(world->hash, world->now); }
