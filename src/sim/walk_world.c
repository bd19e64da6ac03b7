/* A walk's world, made as its plan has it. */
#include "walk.h"

static struct sim_box *make_nat(struct walk *walk, unsigned i, const struct sim_walk_box *box) {
    struct sim_nat_config nat = box->nat;
    nat.outside = walk->phone.server_address;
    nat.outside.bytes[nat.outside.family == 6 ? 15 : 3] = (uint8_t)(100 + i);
    walk->nat[i] = sim_nat(walk->phone.world, &nat);
    return walk->nat[i];
}

static struct sim_box *make_misdirector(struct walk *walk) {
    if (walk->phone.twin == NULL) return NULL;
    walk->boxes_may_kill = true; /* no join by this path, though it may be the only one left */
    return sim_join_misdirector(walk->phone.world, &walk->phone.twin_address);
}

static struct sim_box *make_box(struct walk *walk, unsigned path, const struct sim_walk_box *box) {
    struct sim_world *world = walk->phone.world;
    switch (box->kind) {
    case SIM_WALK_NAT: return make_nat(walk, path, box);
    case SIM_WALK_SEQUENCE: return sim_sequence_box(world, &box->sequence);
    case SIM_WALK_SPLITTER: return sim_splitter(world, &box->split);
    case SIM_WALK_FIREWALL: return sim_firewall(world, &box->firewall);
    case SIM_WALK_WINDOW: return sim_window_box(world, &box->window);
    case SIM_WALK_OPTION: walk->boxes_may_kill = true; return sim_option_box(world, &box->option);
    case SIM_WALK_COALESCER: return sim_coalescer(world, &box->coalesce);
    case SIM_WALK_PROXY: walk->boxes_may_reset |= !box->proxy.repeats_options; return sim_proxy(world, &box->proxy);
    case SIM_WALK_SYN_DROPPER: return sim_syn_dropper(world, 0, box->syns_dropped);
    case SIM_WALK_SYN_PAYLOAD: return sim_syn_payload_stripper(world);
    case SIM_WALK_MISDIRECTOR: return make_misdirector(walk);
    case SIM_WALK_NO_BOX:
    case SIM_WALK_BOX_KINDS: break;
    }
    return NULL;
}

static void furnish_path(struct walk *walk, unsigned i) {
    const struct sim_walk_path *path = &walk->plan->paths[i];
    if (path->noisy) {
        walk->noise[i] = sim_noise(walk->phone.world, &path->noise);
        sim_link_append(walk->phone.links[i], walk->noise[i]);
    }
    for (unsigned k = 0; k < SIM_WALK_BOXES_MAX; k++) {
        struct sim_box *box = make_box(walk, i, &path->boxes[k]);
        if (box != NULL) sim_link_append(walk->phone.links[i], box);
    }
    if (path->late) sim_path_down(&walk->phone, i);
}

void walk_world_begin(struct walk *walk, struct sim_observer observer) {
    const struct sim_walk_plan *plan = walk->plan;
    struct sim_phone_config phone = {.world = {.seed = plan->seed,
                                               .checksums = plan->checksums,
                                               .check_every = plan->check_every,
                                               .observer = observer,
                                               .trace = walk->hooks->trace},
                                     .client = plan->client.config,
                                     .server = plan->server.config,
                                     .path_count = plan->path_count,
                                     .ipv6 = plan->ipv6,
                                     .super_segment_bytes = plan->super_segment_bytes,
                                     .twin = plan->twin,
                                     .announced = plan->announced,
                                     .client_announces = plan->client_announces};
    for (unsigned i = 0; i < plan->path_count; i++) phone.paths[i] = plan->paths[i].config;
    sim_phone_init(&walk->phone, &phone);
    for (unsigned i = 0; i < plan->path_count; i++) furnish_path(walk, i);
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++)
        if (plan->talks[i].there) walk->talks[i] = sim_phone_talk(&walk->phone, &plan->talks[i].config);
}
