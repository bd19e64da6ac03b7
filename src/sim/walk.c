/* A random walk from its beginning to its end, and what must hold there. */
#include "walk.h"

#include <stdarg.h>

void walk_log(struct walk *walk, const char *format, ...) {
    if (walk->hooks->log == NULL) return;
    va_list arguments;
    va_start(arguments, format);
    vfprintf(walk->hooks->log, format, arguments);
    va_end(arguments);
}

void walk_fault(struct walk *walk, const char *format, ...) {
    if (walk->result->fault[0] != '\0') return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(walk->result->fault, sizeof(walk->result->fault), format, arguments);
    va_end(arguments);
}

/* Memory that runs out comes back when all heals. */
static void memory_returns(void *context, braid_time now) {
    struct sim_host *host = context;
    (void)now;
    sim_host_fail_allocations_after(host, -1);
}

static void fail_allocations(struct walk *walk) {
    struct sim_world *world = walk->phone.world;
    const struct sim_walk_stack *stacks[2] = {&walk->plan->client, &walk->plan->server};
    struct sim_host *hosts[2] = {walk->phone.client, walk->phone.server};
    for (int side = 0; side < 2; side++) {
        if (stacks[side]->fails_at == 0) continue;
        sim_host_fail_some_allocations_after(hosts[side], (int64_t)stacks[side]->fails_at - 1,
                                             stacks[side]->fails != 0 ? stacks[side]->fails : UINT64_MAX);
        sim_world_at(world, walk->healed_at, memory_returns, hosts[side]);
        walk->may_end = true;
        /* Someone who cannot even send a RST leaves the other one waiting. */
        for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) walk->may_die[i] |= stacks[side]->fails == 0;
    }
}

static bool all_through(const struct walk *walk) {
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++)
        if (walk->talks[i] != NULL && !sim_conversation_finished(walk->talks[i])) return false;
    return true;
}

static bool excused(const struct walk *walk, unsigned i) { return walk->may_die[i] || walk->boxes_may_kill; }

/* Someone who was cut off may wait for ever for a peer who knows nothing of it: that is TCP. The application gives up. */
static void give_up_the_excused(struct walk *walk) {
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) {
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
    if (sim_conversation_fault(c) != NULL) walk_fault(walk, "conversation %u: %s", i, sim_conversation_fault(c));
    if (!sim_conversation_finished(c))
        walk_fault(walk, "conversation %u hangs: up %llu of %llu, down %llu of %llu", i, (unsigned long long)up.read,
                   (unsigned long long)up.written, (unsigned long long)down.read, (unsigned long long)down.written);
    bool reset = sim_conversation_close_reason(c, SIM_UP) == BRAID_CLOSED_RESET ||
                 sim_conversation_close_reason(c, SIM_DOWN) == BRAID_CLOSED_RESET;
    bool reset_excused = walk->was_pathless[i] || walk->boxes_may_reset;
    if (!excused(walk, i) && !walk->may_end && !(reset && reset_excused) && !sim_conversation_complete(c))
        walk_fault(walk, "conversation %u is not whole: up %llu of %llu (%s), down %llu of %llu (%s)", i,
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
        if (left > 0) walk_fault(walk, "%u connections left at the %s", left, sim_host_name(hosts[i]));
        braid_stack_check_invariants(sim_host_stack(hosts[i]));
    }
}

static void packet_seen(void *context, enum sim_moment moment, struct sim_host *host, int interface, struct sim_link *link,
                        const struct sim_packet *packet, braid_time now) {
    struct walk *walk = context;
    const struct sim_observer *observer = &walk->hooks->observer;
    if (observer->packet != NULL) observer->packet(observer->context, moment, host, interface, link, packet, now);
    walk_witness_saw(walk, moment, host, packet);
}

void sim_walk(const struct sim_walk_plan *plan, const struct sim_walk_hooks *hooks, struct sim_walk_result *out) {
    static const struct sim_walk_hooks none;
    struct walk walk = {.plan = plan, .hooks = hooks != NULL ? hooks : &none, .result = out};
    *out = (struct sim_walk_result){0};
    walk_witness_begin(&walk);
    walk_world_begin(&walk, (struct sim_observer){.context = &walk, .packet = packet_seen});
    struct sim_world *world = walk.phone.world;
    walk_events_begin(&walk);
    fail_allocations(&walk);
    sim_world_run(world, walk.healed_at);
    walk_heal(&walk);
    walk_log(&walk, "%.6f all is well again\n", (double)sim_world_now(world) / 1e9);
    run_until_through(&walk, walk.healed_at + SIM_WALK_HEALED_S * BRAID_NS_PER_S);
    out->simulated_ns = sim_world_now(world);
    give_up_the_excused(&walk);
    run_until_through(&walk, sim_world_now(world) + BRAID_NS_PER_S);
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) check_conversation(&walk, i);
    out->hash = sim_world_hash(world);
    out->packets = sim_world_packets(world);
    if (out->fault[0] == '\0') {
        sim_world_run(world, sim_world_now(world) + WALK_FORGOTTEN_S * BRAID_NS_PER_S);
        check_forgotten(&walk);
    }
    out->allocations[0] = sim_host_allocations(walk.phone.client);
    out->allocations[1] = sim_host_allocations(walk.phone.server);
    walk_witness_end(&walk);
    uint64_t leaked = sim_phone_deinit(&walk.phone);
    if (leaked > 0) walk_fault(&walk, "%llu bytes were not given back", (unsigned long long)leaked);
}
