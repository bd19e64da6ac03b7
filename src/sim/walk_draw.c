/* What a walk's world is made of. */
#include "walk.h"

#include <inttypes.h>

static struct sim_path_config draw_path(struct walk *walk, unsigned i) {
    struct prng prng = walk_prng(walk, 64 + i), loss = walk_prng(walk, SIM_WALK_LOSS + i);
    struct sim_path_config path = {.rate_bps = walk_log_uniform(&prng, 500000, 100000000),
                                   .rtt_ns = walk_log_uniform(&prng, 1 * BRAID_NS_PER_MS, 300 * BRAID_NS_PER_MS),
                                   .queue_ns = walk_log_uniform(&prng, 10 * BRAID_NS_PER_MS, 500 * BRAID_NS_PER_MS),
                                   .backup = chance(&prng, 0.2),
                                   .mtu_bytes = chance(&prng, 0.2) ? 1280 : 1500};
    if (chance(&prng, 0.3)) path.rate_up_bps = walk_log_uniform(&prng, 300000, path.rate_bps);
    /* Three packets always fit: less is no link at all. */
    if (path.queue_ns * (path.rate_up_bps ? path.rate_up_bps : path.rate_bps) / BRAID_NS_PER_S / 8 < 4500) {
        path.queue_ns = 0;
        path.queue_bytes = 4500;
    }
    if (chance(&loss, 0.4) && walk_has(walk, SIM_WALK_LOSS + i)) path.loss = prng_unit(&loss) * prng_unit(&loss) * 0.05;
    walk_log(walk, "path %u: %" PRIu64 " b/s (up %" PRIu64 "), rtt %.1f ms, queue %.1f ms %" PRIu64 " B, loss %.4f, mtu %u%s\n",
             i, path.rate_bps, path.rate_up_bps, (double)path.rtt_ns / 1e6, (double)path.queue_ns / 1e6,
             path.queue_bytes, path.loss, path.mtu_bytes, path.backup ? ", backup" : "");
    return path;
}

static void draw_stack(struct braid_stack_config *config, struct prng *prng) {
    config->checksum = chance(prng, 0.3);
    config->time_wait_ns = 2 * BRAID_NS_PER_S;
    double draw = prng_unit(prng);
    config->congestion = draw < 0.2 ? "newreno" : draw < 0.4 ? "bbr" : "cubic";
    if (chance(prng, 0.3)) config->send_buffer_bytes = (uint32_t)walk_log_uniform(prng, 3000, 4000000);
    if (chance(prng, 0.3)) {
        config->receive_buffer_initial_bytes = (uint32_t)walk_log_uniform(prng, 3000, 1000000);
        config->receive_buffer_max_bytes =
            config->receive_buffer_initial_bytes + (uint32_t)walk_log_uniform(prng, 3000, 4000000);
    }
}

static void draw_noise(struct walk *walk, unsigned i) {
    struct prng prng = walk_prng(walk, SIM_WALK_NOISE + i);
    struct sim_noise_config noise = {.reorder_ns = walk_log_uniform(&prng, 1 * BRAID_NS_PER_MS, 100 * BRAID_NS_PER_MS)};
    if (!chance(&prng, 0.5) || !walk_has(walk, SIM_WALK_NOISE + i)) return;
    if (chance(&prng, 0.4)) noise.reorder = prng_unit(&prng) * 0.1;
    if (chance(&prng, 0.4)) noise.duplicate = prng_unit(&prng) * 0.1;
    if (chance(&prng, 0.3)) noise.corrupt = prng_unit(&prng) * 0.02;
    if (chance(&prng, 0.3)) noise.jitter_ns = walk_log_uniform(&prng, 1 * BRAID_NS_PER_MS, 50 * BRAID_NS_PER_MS);
    if (chance(&prng, 0.2)) {
        noise.burst_begin = prng_unit(&prng) * 0.005;
        noise.burst_end = 0.05 + prng_unit(&prng) * 0.5;
        noise.burst_loss = prng_unit(&prng);
    }
    walk_log(walk, "noise on path %u: reorder %.3f (%.1f ms), duplicate %.3f, corrupt %.4f, jitter %.1f ms, bursts %.4f %.2f %.2f\n",
             i, noise.reorder, (double)noise.reorder_ns / 1e6, noise.duplicate, noise.corrupt,
             (double)noise.jitter_ns / 1e6, noise.burst_begin, noise.burst_end, noise.burst_loss);
    walk->noise[i] = sim_noise(walk->phone.world, &noise);
    sim_link_append(walk->phone.links[i], walk->noise[i]);
}

static struct sim_box *draw_nat(struct walk *walk, unsigned i) {
    struct sim_nat_config nat = {.outside = walk->phone.server_address};
    nat.outside.bytes[nat.outside.family == 6 ? 15 : 3] = (uint8_t)(100 + i);
    walk->nat[i] = sim_nat(walk->phone.world, &nat);
    return walk->nat[i];
}

static struct sim_box *draw_killer(struct walk *walk, struct prng *prng) {
    struct sim_world *world = walk->phone.world;
    unsigned directions = 1 + (unsigned)prng_below(prng, 3);
    switch (prng_below(prng, 3)) {
    case 0: {
        walk->boxes_may_kill = true;
        struct sim_option_config option = {.action = (enum sim_option_action)prng_below(prng, 4),
                                           .segments = 1 + (unsigned)prng_below(prng, 15),
                                           .directions = directions,
                                           .after = chance(prng, 0.5) ? walk_log_uniform(prng, 1, 1000) : 0};
        walk_log(walk, "  options: action %d, segments %u, directions %u, after %" PRIu64 "\n", (int)option.action,
                 option.segments, option.directions, option.after);
        return sim_option_box(world, &option);
    }
    case 1: {
        struct sim_coalesce_config coalesce = {.directions = directions,
                                               .payload_bytes = 1000 + (uint32_t)prng_below(prng, 3000),
                                               .wait_ns = walk_log_uniform(prng, 1000, 20 * BRAID_NS_PER_MS)};
        walk_log(walk, "  coalescer: directions %u, %u bytes, %.3f ms\n", directions, coalesce.payload_bytes,
                 (double)coalesce.wait_ns / 1e6);
        return sim_coalescer(world, &coalesce);
    }
    default: {
        struct sim_sequence_config sequence = {.leave_sack = true};
        walk_log(walk, "  sequence numbers, SACK left\n");
        return sim_sequence_box(world, &sequence);
    }
    }
}

static void draw_middlebox(struct walk *walk, unsigned i) {
    struct prng prng = walk_prng(walk, SIM_WALK_MIDDLEBOX + i);
    struct sim_world *world = walk->phone.world;
    struct sim_box *box = NULL;
    if (!chance(&prng, 0.25) || !walk_has(walk, SIM_WALK_MIDDLEBOX + i)) return;
    uint64_t kind = prng_below(&prng, 6);
    walk_log(walk, "middlebox on path %u: kind %" PRIu64 "\n", i, kind);
    switch (kind) {
    case 0: box = draw_nat(walk, i); break;
    case 1: box = sim_sequence_box(world, &(struct sim_sequence_config){0}); break;
    case 2: {
        struct sim_split_config split = {.directions = 1 + (unsigned)prng_below(&prng, 3),
                                         .payload_bytes = 100 + (uint32_t)prng_below(&prng, 1300),
                                         .options_once = chance(&prng, 0.5)};
        box = sim_splitter(world, &split);
        break;
    }
    case 3: box = sim_firewall(world, &(struct sim_firewall_config){.in_order = chance(&prng, 0.3)}); break;
    case 4: {
        struct sim_window_config window = {.directions = 1 + (unsigned)prng_below(&prng, 3),
                                           .most = (uint16_t)walk_log_uniform(&prng, 500, 65535)};
        box = sim_window_box(world, &window);
        break;
    }
    default: box = draw_killer(walk, &prng); break;
    }
    sim_link_append(walk->phone.links[i], box);
}

static struct sim_box *draw_proxy(struct walk *walk, struct prng *prng) {
    struct sim_proxy_config proxy = {.directions = 1 + (unsigned)prng_below(prng, 3),
                                     .buffer_bytes = (uint32_t)walk_log_uniform(prng, 3000, 1000000),
                                     .repeats_options = chance(prng, 0.5)};
    walk_log(walk, "  proxy: directions %u, %u bytes%s\n", proxy.directions, proxy.buffer_bytes,
             proxy.repeats_options ? ", options repeated" : "");
    return sim_proxy(walk->phone.world, &proxy);
}

/* Those that are not in draw_middlebox(), whose draws stay as they are: seeds that failed once mean the same for ever. */
static void draw_second_box(struct walk *walk, unsigned i) {
    struct prng prng = walk_prng(walk, SIM_WALK_SECOND_BOX + 64 + i);
    struct sim_world *world = walk->phone.world;
    struct sim_box *box = NULL;
    if (!chance(&prng, 0.12) || !walk_has(walk, SIM_WALK_SECOND_BOX + i)) return;
    uint64_t kind = prng_below(&prng, 6);
    walk_log(walk, "second middlebox on path %u: kind %" PRIu64 "\n", i, kind);
    switch (kind) {
    case 0: box = draw_proxy(walk, &prng); break;
    case 1: {
        struct sim_coalesce_config coalesce = {.directions = 1 + (unsigned)prng_below(&prng, 3),
                                               .payload_bytes = 1000 + (uint32_t)prng_below(&prng, 3000),
                                               .wait_ns = walk_log_uniform(&prng, 1000, 20 * BRAID_NS_PER_MS),
                                               .last_options = true};
        box = sim_coalescer(world, &coalesce);
        break;
    }
    case 2: box = sim_syn_dropper(world, 0, 1 + prng_below(&prng, 3)); break;
    case 3: {
        struct sim_window_config window = {.directions = SIM_BOTH, .strip_scale = true};
        box = sim_window_box(world, &window);
        break;
    }
    case 4: {
        struct sim_firewall_config firewall = {
            .outward_only = true, .no_unseen_ack = chance(&prng, 0.5), .resets = chance(&prng, 0.3)};
        box = sim_firewall(world, &firewall);
        break;
    }
    default:
        walk->boxes_may_kill |= walk->phone.twin != NULL; /* no join by this path, though it may be the only one left */
        box = walk->phone.twin != NULL ? sim_join_misdirector(world, &walk->phone.twin_address)
                                       : sim_syn_payload_stripper(world);
        break;
    }
    sim_link_append(walk->phone.links[i], box);
}

static bool draw_twin(struct walk *walk) {
    struct prng prng = walk_prng(walk, 62);
    return chance(&prng, 0.1);
}

void walk_draw_world(struct walk *walk) {
    struct prng prng = walk_prng(walk, 60);
    struct sim_phone_config phone = {.world = walk->config->world, .ipv6 = chance(&prng, 0.3)};
    static const unsigned counts[] = {1, 2, 2, 2, 2, 3, 3, 4};
    phone.world.seed = prng_next(&prng);
    phone.world.checksums = chance(&prng, 0.5);
    phone.world.check_every = chance(&prng, 0.1) ? 1 : 64;
    phone.twin = draw_twin(walk);
    phone.path_count = counts[prng_below(&prng, 8)];
    phone.super_segment_bytes = chance(&prng, 0.3) ? (uint32_t)walk_log_uniform(&prng, 3000, 64000) : 0;
    draw_stack(&phone.client, &prng);
    draw_stack(&phone.server, &prng);
    walk_log(walk, "%u paths, IPv%d, super-segments of %u, DSS checksum %d/%d, %s/%s, buffers %u %u/%u %u\n",
             phone.path_count, phone.ipv6 ? 6 : 4, phone.super_segment_bytes, phone.client.checksum,
             phone.server.checksum, phone.client.congestion, phone.server.congestion,
             phone.client.send_buffer_bytes, phone.client.receive_buffer_max_bytes, phone.server.send_buffer_bytes,
             phone.server.receive_buffer_max_bytes);
    for (unsigned i = 0; i < phone.path_count; i++) walk->paths[i] = phone.paths[i] = draw_path(walk, i);
    sim_phone_init(&walk->phone, &phone);
    for (unsigned i = 0; i < phone.path_count; i++) {
        draw_noise(walk, i);
        draw_middlebox(walk, i);
        draw_second_box(walk, i);
    }
}

/* --- conversations --- */

static struct sim_stream_config draw_stream(struct prng *prng) {
    struct sim_stream_config stream = {.bytes = chance(prng, 0.15) ? 0 : walk_log_uniform(prng, 1, 2000000)};
    if (chance(prng, 0.3)) stream.write_bytes = (uint32_t)walk_log_uniform(prng, 1 + stream.bytes / 20000, 65536);
    if (chance(prng, 0.3)) stream.read_bytes = (uint32_t)walk_log_uniform(prng, 1 + stream.bytes / 20000, 65536);
    if (chance(prng, 0.2) && stream.bytes > 0) {
        stream.message_bytes = (uint32_t)walk_log_uniform(prng, 1 + stream.bytes / 1000, 10000);
        stream.interval_ns = walk_log_uniform(prng, 1 * BRAID_NS_PER_MS, 20 * BRAID_NS_PER_MS);
    }
    return stream;
}

static void draw_conversation(struct walk *walk, unsigned i) {
    struct prng prng = walk_prng(walk, SIM_WALK_CONVERSATION + i);
    struct sim_conversation_config talk = {.streams = {draw_stream(&prng), draw_stream(&prng)},
                                           .plain_client = chance(&prng, 0.1),
                                           .plain_server = chance(&prng, 0.1),
                                           .single_path = chance(&prng, 0.1),
                                           .no_delay = chance(&prng, 0.5),
                                           .deferred = chance(&prng, 0.2),
                                           .answer_ns = walk_log_uniform(&prng, 1000, 500 * BRAID_NS_PER_MS),
                                           .start_ns = BRAID_NS_PER_S + prng_below(&prng, 2000 * BRAID_NS_PER_MS)};
    if ((i > 0 && !chance(&prng, 0.3)) || !walk_has(walk, SIM_WALK_CONVERSATION + i)) return;
    walk_log(walk, "conversation %u at %.3f: up %" PRIu64 " (message %u), down %" PRIu64 " (message %u)%s%s%s%s\n", i,
             (double)talk.start_ns / 1e9, talk.streams[0].bytes, talk.streams[0].message_bytes, talk.streams[1].bytes,
             talk.streams[1].message_bytes, talk.plain_client ? ", plain client" : "",
             talk.plain_server ? ", plain server" : "", talk.single_path ? ", single path" : "",
             talk.deferred ? ", deferred" : "");
    walk->single_path[i] = talk.single_path;
    walk->talks[i] = sim_phone_talk(&walk->phone, &talk);
}

void walk_draw_conversations(struct walk *walk) {
    for (unsigned i = 0; i < WALK_CONVERSATIONS; i++) draw_conversation(walk, i);
}
