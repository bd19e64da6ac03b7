/* Transfers over links of many kinds: every byte arrives, in order, and all memory comes back. */
#include "sim_test.h"

static struct sim_phone_config two_paths(uint64_t seed) {
    return (struct sim_phone_config){.world = {.seed = seed, .checksums = true, .check_every = 64},
                                     .paths = {sim_wifi, sim_cellular},
                                     .path_count = 2};
}

static const struct sim_conversation_config both_ways = {
    .streams = {{.bytes = 3 * MB + 7}, {.bytes = 5 * MB + 1}}};

/* Runs one conversation; the phone is left for the caller to look at. */
static struct sim_conversation *run(struct sim_phone *phone, const struct sim_phone_config *config,
                                    const struct sim_conversation_config *talk, braid_time limit) {
    sim_phone_init(phone, config);
    struct sim_conversation *c = sim_phone_talk(phone, talk);
    bool finished = sim_world_run_conversations(phone->world, sim_world_now(phone->world) + limit);
    assert_whole(c);
    assert_true(finished);
    return c;
}

static void bytes_arrive_over_two_paths(void **state) {
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        struct sim_phone phone;
        struct sim_phone_config config = two_paths(1 + (uint64_t)kind);
        config.ipv6 = kind & 1;
        config.client.checksum = config.server.checksum = (kind & 2) != 0;
        config.super_segment_bytes = kind & 4 ? 60000 : 0;
        struct sim_conversation *c = run(&phone, &config, &both_ways, 20 * S);
        assert_int_equal(sim_conversation_close_reason(c, SIM_UP), BRAID_CLOSED_NORMALLY);
        assert_int_equal(sim_conversation_close_reason(c, SIM_DOWN), BRAID_CLOSED_NORMALLY);
        assert_int_equal(sim_host_counter(phone.client, "mptcp_join_established"), 1);
        phone_end(&phone);
    }
}

static void without_mptcp_on_either_side_it_is_tcp(void **state) {
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct sim_phone phone;
        struct sim_phone_config config = two_paths(10 + (uint64_t)kind);
        struct sim_conversation_config talk = both_ways;
        talk.plain_client = kind >= 1;
        talk.plain_server = kind != 1;
        run(&phone, &config, &talk, 20 * S);
        assert_int_equal(sim_host_counter(phone.client, "mptcp_join_sent"), 0);
        assert_int_equal(sim_host_counter(phone.client, "mptcp_fallback_syn_no_option"), kind == 0 ? 1 : 0);
        phone_end(&phone);
    }
}

static void small_writes_and_small_reads(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(20);
    struct sim_conversation_config talk = {
        .streams = {{.bytes = 200000, .write_bytes = 37, .read_bytes = 11},
                    {.bytes = 200000, .write_bytes = 1, .read_bytes = 1000}}};
    run(&phone, &config, &talk, 20 * S);
    phone_end(&phone);
}

static void nothing_at_all_is_transferred_too(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(21);
    struct sim_conversation_config talk = {.streams = {{.bytes = 0}, {.bytes = 0}}};
    run(&phone, &config, &talk, 5 * S);
    phone_end(&phone);
}

static void a_deferred_answer_comes_through(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(22);
    struct sim_conversation_config talk = both_ways;
    talk.deferred = true;
    talk.answer_ns = 300 * MS;
    run(&phone, &config, &talk, 20 * S);
    phone_end(&phone);
}

static void add_noise(struct sim_phone *phone, const struct sim_noise_config *noise) {
    for (unsigned i = 0; i < phone->path_count; i++) sim_link_append(phone->links[i], sim_noise(phone->world, noise));
}

static void loss_reordering_duplication_and_corruption_are_survived(void **state) {
    (void)state;
    static const struct sim_noise_config noises[] = {
        {.duplicate = 0.05, .reorder_ns = 20 * MS},
        {.reorder = 0.05, .reorder_ns = 20 * MS},
        {.corrupt = 0.01},
        {.jitter_ns = 30 * MS},
        {.burst_begin = 0.002, .burst_end = 0.1, .burst_loss = 0.8},
        {.duplicate = 0.02, .reorder = 0.02, .corrupt = 0.005, .reorder_ns = 10 * MS, .jitter_ns = 2 * MS,
         .burst_begin = 0.001, .burst_end = 0.2, .burst_loss = 0.5},
    };
    for (unsigned i = 0; i < 2 * sizeof(noises) / sizeof(noises[0]); i++) {
        struct sim_phone phone;
        struct sim_phone_config config = two_paths(30 + i);
        config.client.checksum = config.server.checksum = i % 2 != 0;
        config.paths[0].loss = config.paths[1].loss = 0.005;
        sim_phone_init(&phone, &config);
        add_noise(&phone, &noises[i / 2]);
        struct sim_conversation_config talk = both_ways;
        struct sim_conversation *c = sim_phone_talk(&phone, &talk);
        bool finished = sim_world_run_conversations(phone.world, 300 * S);
        assert_whole(c);
        assert_true(finished);
        phone_end(&phone);
    }
}

static void a_hop_with_a_small_mtu_is_found(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(50);
    sim_phone_init(&phone, &config);
    const uint8_t router[4] = {10, 1, 0, 1};
    struct ip_address address = ip_address_v4(router);
    sim_link_append(phone.links[0], sim_mtu(phone.world, 1300, &address));
    struct sim_conversation *c = sim_phone_talk(&phone, &both_ways);
    bool finished = sim_world_run_conversations(phone.world, 60 * S);
    assert_whole(c);
    assert_true(finished);
    assert_true(sim_link_dropped(phone.links[0], "too big") < 200);
    phone_end(&phone);
}

/* Nobody says so: both subflows find it out, and mappings of 64 KB are cut right. */
static void a_silent_hop_with_a_small_mtu_is_found(void **state) {
    (void)state;
    const struct ip_address nobody = {.family = IP_NONE};
    for (unsigned i = 0; i < 2; i++) {
        struct sim_phone phone;
        struct sim_phone_config config = two_paths(55 + i);
        config.client.checksum = config.server.checksum = i == 1;
        sim_phone_init(&phone, &config);
        for (unsigned link = 0; link < 2; link++) sim_link_append(phone.links[link], sim_mtu(phone.world, 1300 + 50 * link, &nobody));
        struct sim_conversation *c = sim_phone_talk(&phone, &both_ways);
        bool finished = sim_world_run_conversations(phone.world, 60 * S);
        assert_whole(c);
        assert_true(finished);
        for (unsigned link = 0; link < 2; link++) {
            print_message("link %u: %llu packets too big\n", link, (unsigned long long)sim_link_dropped(phone.links[link], "too big"));
            assert_true(sim_link_dropped(phone.links[link], "too big") < 200);
        }
        phone_end(&phone);
    }
}

static void what_is_echoed_comes_back_after_a_round_trip(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(51);
    struct sim_stream_config messages = {.bytes = 100 * 200, .message_bytes = 200, .interval_ns = 20 * MS};
    struct sim_conversation_config talk = {.no_delay = true, .streams = {messages, messages}};
    talk.streams[SIM_DOWN].echo = true;
    struct sim_conversation *c = run(&phone, &config, &talk, 20 * S);
    double median = ms_of(sim_conversation_message_ns(c, SIM_DOWN, 0, BRAID_NEVER, 0.5));
    assert_true(median >= 30 && median < 31);
    phone_end(&phone);
}

/* 100 kb/s: a packet every 121 ms, more of these silences than are kept; the long one comes after them. */
static void a_long_silence_is_known_also_after_many_short_ones(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(52);
    config.path_count = 1;
    config.paths[0].rate_bps = 100000;
    config.world.check_every = 0;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {.streams = {{0}, {.bytes = 3 * MB}}};
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, 200 * S);
    sim_path_blackhole(&phone, 0, true, true);
    sim_world_run(phone.world, 203 * S);
    sim_path_up(&phone, 0);
    assert_true(sim_world_run_conversations(phone.world, 600 * S));
    assert_whole(c);
    assert_true(sim_conversation_silence_ns(c, SIM_DOWN, 201 * S, 202 * S) >= 3 * S);
    phone_end(&phone);
}

static void two_paths_together_reach_ninety_percent_of_their_sum(void **state) {
    (void)state;
    for (int up = 0; up < 2; up++) {
        struct sim_phone phone;
        struct sim_phone_config config = two_paths(60);
        config.world.checksums = false;
        config.world.check_every = 0;
        struct sim_conversation_config talk = {0};
        talk.streams[up ? SIM_UP : SIM_DOWN].bytes = 200 * (uint64_t)MB;
        struct sim_conversation *c = run(&phone, &config, &talk, 60 * S);
        double rate = read_mbps(c, up ? SIM_UP : SIM_DOWN, S);
        print_message("%s over 50 and 20 Mb/s: %.1f Mb/s\n", up ? "upload" : "download", rate);
        assert_true(rate >= 63); /* of 70; headers leave 66 at most */
        phone_end(&phone);
    }
}

static void the_same_seed_gives_the_same_packets(void **state) {
    (void)state;
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        struct sim_phone phone;
        struct sim_phone_config config = two_paths(i == 2 ? 71 : 70);
        config.paths[0].loss = 0.01;
        sim_phone_init(&phone, &config);
        struct sim_noise_config noise = {.reorder = 0.01, .reorder_ns = 5 * MS, .jitter_ns = MS};
        add_noise(&phone, &noise);
        struct sim_conversation *c = sim_phone_talk(&phone, &both_ways);
        sim_world_run_conversations(phone.world, 60 * S);
        assert_whole(c);
        hashes[i] = sim_world_hash(phone.world);
        phone_end(&phone);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

static void many_connections_share_two_paths(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = two_paths(80);
    struct sim_conversation *c[20];
    config.world.check_every = 512;
    sim_phone_init(&phone, &config);
    for (int i = 0; i < 20; i++) {
        struct sim_conversation_config talk = {.streams = {{.bytes = 100000}, {.bytes = 1 * MB}}};
        talk.start_ns = S + (braid_time)i * 10 * MS;
        talk.plain_client = i % 4 == 3;
        c[i] = sim_phone_talk(&phone, &talk);
    }
    bool finished = sim_world_run_conversations(phone.world, 60 * S);
    for (int i = 0; i < 20; i++) assert_whole(c[i]);
    assert_true(finished);
    phone_end(&phone);
}

/* A figure, not a bound: what this machine does at this moment. */
static void how_fast_virtual_time_passes(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_path_config path = {.rate_bps = 10000000, .rtt_ns = 30 * MS}, slower = path;
    slower.rtt_ns = 70 * MS;
    struct sim_phone_config config = {.world = {.seed = 90}, .paths = {path, slower}, .path_count = 2};
    config.super_segment_bytes = 0;
    struct sim_conversation_config talk = {.streams = {{.bytes = 0}, {.bytes = 100 * (uint64_t)MB}}};
    double began = seconds_of_real_time();
    run(&phone, &config, &talk, 100 * S);
    double real = seconds_of_real_time() - began, simulated = (double)(sim_world_now(phone.world) - S) / (double)S;
    print_message("two paths of 10 Mb/s: %.0f simulated seconds a second\n", simulated / real);
    phone_end(&phone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_arrive_over_two_paths),
        cmocka_unit_test(without_mptcp_on_either_side_it_is_tcp),
        cmocka_unit_test(small_writes_and_small_reads),
        cmocka_unit_test(nothing_at_all_is_transferred_too),
        cmocka_unit_test(a_deferred_answer_comes_through),
        cmocka_unit_test(loss_reordering_duplication_and_corruption_are_survived),
        cmocka_unit_test(a_hop_with_a_small_mtu_is_found),
        cmocka_unit_test(a_silent_hop_with_a_small_mtu_is_found),
        cmocka_unit_test(what_is_echoed_comes_back_after_a_round_trip),
        cmocka_unit_test(a_long_silence_is_known_also_after_many_short_ones),
        cmocka_unit_test(two_paths_together_reach_ninety_percent_of_their_sum),
        cmocka_unit_test(the_same_seed_gives_the_same_packets),
        cmocka_unit_test(many_connections_share_two_paths),
        cmocka_unit_test(how_fast_virtual_time_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
