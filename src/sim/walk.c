/* A random walk from its beginning to its end, and what must hold there. */
#include "walk.h"

#include <stdarg.h>

struct prng walk_prng(const struct walk *walk, unsigned element) {
    struct prng prng;
    prng_seed(&prng, walk->config->seed * UINT64_C(0x9e3779b97f4a7c15) + element);
    return prng;
}

bool walk_has(struct walk *walk, unsigned element) {
    if (walk->config->without >> element & 1) return false;
    walk->result->elements |= UINT64_C(1) << element;
    return true;
}

void walk_log(struct walk *walk, const char *format, ...) {
    if (walk->config->log == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(walk->config->log, format, arguments);
    va_end(arguments);
}

uint64_t walk_log_uniform(struct prng *prng, uint64_t least, uint64_t most) {
    unsigned doublings = 0;
    if (least == 0) least = 1;
    if (least >= most) return least;
    while (least << doublings < most) doublings++;
    uint64_t from = least << prng_below(prng, doublings);
    uint64_t span = from < most - from ? from : most - from;
    return from + prng_below(prng, span + 1);
}

__attribute__((format(printf, 2, 3))) static void fault(struct walk *walk, const char *format, ...) {
    if (walk->result->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(walk->result->fault, sizeof(walk->result->fault), format, arguments);
    va_end(arguments);
}

/* Memory that runs out comes back a second later. */
static void memory_returns(void *context, braid_time now) {
    struct sim_host *host = context;
    (void)now;
    sim_host_fail_allocations_after(host, -1);
}

static void fail_allocations(struct walk *walk) {
    struct sim_world *world = walk->phone.world;
    const struct sim_walk_config *config = walk->config;
    if (config->client_allocations >= 0) sim_host_fail_allocations_after(walk->phone.client, config->client_allocations);
    if (config->server_allocations >= 0) sim_host_fail_allocations_after(walk->phone.server, config->server_allocations);
    if (config->client_allocations < 0 && config->server_allocations < 0) return;
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) walk->may_die[i] = true;
    sim_world_at(world, walk->healed_at, memory_returns, walk->phone.client);
    sim_world_at(world, walk->healed_at, memory_returns, walk->phone.server);
}

static bool all_through(const struct walk *walk) {
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++)
        if (walk->talks[i] != NULL && !sim_conversation_finished(walk->talks[i])) return false;
    return true;
}

static bool excused(const struct walk *walk, unsigned i) { return walk->may_die[i] || walk->boxes_may_kill; }

/* Someone who was cut off may wait for ever for a peer who knows nothing of it: that is TCP. The application gives up. */
static void give_up_the_excused(struct walk *walk) {
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) {
        if (walk->talks[i] == NULL || !excused(walk, i)) continue;
        sim_conversation_abort(walk->talks[i], SIM_UP);
        sim_conversation_abort(walk->talks[i], SIM_DOWN);
    }
}

static void check_conversation(struct walk *walk, unsigned i) {
    const struct sim_conversation *c = walk->talks[i];
    struct sim_stream_result up, down;
    if (c == NULL) return;
    sim_conversation_result(c, SIM_UP, &up);
    sim_conversation_result(c, SIM_DOWN, &down);
    if (sim_conversation_fault(c) != NULL) fault(walk, "conversation %u: %s", i, sim_conversation_fault(c));
    if (!sim_conversation_finished(c))
        fault(walk, "conversation %u hangs: up %llu of %llu, down %llu of %llu", i, (unsigned long long)up.read,
              (unsigned long long)up.written, (unsigned long long)down.read, (unsigned long long)down.written);
    bool reset = sim_conversation_close_reason(c, SIM_UP) == BRAID_CLOSED_RESET ||
                 sim_conversation_close_reason(c, SIM_DOWN) == BRAID_CLOSED_RESET;
    if (!excused(walk, i) && !(walk->was_pathless[i] && reset) && !sim_conversation_complete(c))
        fault(walk, "conversation %u is not whole: up %llu of %llu (%s), down %llu of %llu (%s)", i,
              (unsigned long long)up.read, (unsigned long long)up.written,
              braid_close_reason_name(sim_conversation_close_reason(c, SIM_UP)), (unsigned long long)down.read,
              (unsigned long long)down.written, braid_close_reason_name(sim_conversation_close_reason(c, SIM_DOWN)));
}

static void run_until_through(struct walk *walk, braid_time limit) {
    while (!all_through(walk) && sim_world_step(walk->phone.world, limit)) continue;
}

static void check_forgotten(struct walk *walk) {
    const struct sim_host *hosts[2] = {walk->phone.client, walk->phone.server};
    for (int i = 0; i < 2; i++) {
        unsigned left = braid_stack_connections(sim_host_stack(hosts[i]));
        if (left > 0) fault(walk, "%u connections left at the %s", left, sim_host_name(hosts[i]));
        braid_stack_check_invariants(sim_host_stack(hosts[i]));
    }
}

void sim_walk(const struct sim_walk_config *config, struct sim_walk_result *out) {
    struct walk walk = {.config = config, .result = out};
    *out = (struct sim_walk_result){0};
    walk_draw_world(&walk);
    struct sim_world *world = walk.phone.world;
    walk_draw_conversations(&walk);
    walk_draw_events(&walk);
    fail_allocations(&walk);
    sim_world_run(world, walk.healed_at);
    walk_heal(&walk);
    walk_log(&walk, "%.6f all is well again\n", (double)sim_world_now(world) / 1e9);
    run_until_through(&walk, walk.healed_at + WALK_HEALED_S * BRAID_NS_PER_S);
    out->simulated_ns = sim_world_now(world);
    give_up_the_excused(&walk);
    run_until_through(&walk, sim_world_now(world) + BRAID_NS_PER_S);
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) check_conversation(&walk, i);
    out->hash = sim_world_hash(world);
    out->packets = sim_world_packets(world);
    if (out->fault[0] == '\0') {
        sim_world_run(world, sim_world_now(world) + WALK_FORGOTTEN_S * BRAID_NS_PER_S);
        check_forgotten(&walk);
    }
    uint64_t leaked = sim_phone_deinit(&walk.phone);
    if (leaked > 0) fault(&walk, "%llu bytes were not given back", (unsigned long long)leaked);
}
