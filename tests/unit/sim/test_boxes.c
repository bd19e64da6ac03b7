#include "two_routers.h"
#include <wire/icmp.h>

static const struct sent_segment hello = {.seq = 100, .ack = 1, .flags = TCP_ACK, .payload = "hello"};

static void a_wire_delays_by_rate_and_distance(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 1);
    struct link_model_config up = {.rate_bps = 45 * 8 * 100, .delay_ns = 7 * MS}, down = {.delay_ns = 3 * MS};
    sim_link_append(t.link, sim_wire(t.world, &up, &down));
    braid_time began = sim_world_now(t.world);
    send_segment(&t, SIM_UP, &hello); /* 45 bytes: 10 ms at this rate */
    send_segment(&t, SIM_UP, &hello);
    send_segment(&t, SIM_DOWN, &hello);
    let_pass(&t, S);
    assert_int_equal(t.count, 3);
    assert_int_equal(t.caught[0].at - began, 3 * MS);
    assert_int_equal(t.caught[0].end, 0);
    assert_int_equal(t.caught[1].at - began, 17 * MS);
    assert_int_equal(t.caught[2].at - began, 27 * MS);
    assert_int_equal(t.caught[2].end, 1);
    assert_payload(&t.caught[2], "hello");
    two_routers_deinit(&t);
}

static void a_wire_that_is_down_loses_what_is_on_it(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 1);
    struct link_model_config config = {.delay_ns = 10 * MS};
    struct sim_box *wire = sim_wire(t.world, &config, &config);
    sim_link_append(t.link, wire);
    send_segment(&t, SIM_UP, &hello);
    send_segment(&t, SIM_DOWN, &hello);
    let_pass(&t, MS);
    sim_wire_set_state(wire, SIM_UP, LINK_MODEL_BLACKHOLE);
    send_segment(&t, SIM_UP, &hello);
    let_pass(&t, S);
    assert_int_equal(t.count, 1); /* only the other direction's */
    assert_int_equal(sim_link_dropped(t.link, "blackhole"), 2);
    sim_wire_set_state(wire, SIM_UP, LINK_MODEL_UP);
    send_segment(&t, SIM_UP, &hello);
    let_pass(&t, S);
    assert_int_equal(t.count, 2);
    two_routers_deinit(&t);
}

static void packets_still_under_way_at_the_end_are_given_back(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 1);
    struct link_model_config config = {.delay_ns = 10 * MS};
    struct sim_noise_config noise = {.reorder = 1, .reorder_ns = S, .duplicate = 1};
    sim_link_append(t.link, sim_noise(t.world, &noise));
    sim_link_append(t.link, sim_wire(t.world, &config, &config));
    for (int i = 0; i < 10; i++) send_segment(&t, i % 2 ? SIM_UP : SIM_DOWN, &hello);
    let_pass(&t, 500 * MS);
    two_routers_deinit(&t);
}

static void noise_duplicates_and_reorders(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 3);
    struct sim_noise_config noise = {.reorder = 0.5, .reorder_ns = 50 * MS, .duplicate = 1};
    sim_link_append(t.link, sim_noise(t.world, &noise));
    for (uint32_t i = 0; i < 20; i++) {
        struct sent_segment s = hello;
        s.seq = i;
        send_segment(&t, SIM_UP, &s);
        let_pass(&t, MS);
    }
    let_pass(&t, S);
    assert_int_equal(t.count, 40);
    unsigned seen[20] = {0}, backwards = 0;
    for (unsigned i = 0; i < t.count; i++) {
        seen[t.caught[i].tcp.seq.value]++;
        if (i > 0 && t.caught[i].tcp.seq.value < t.caught[i - 1].tcp.seq.value) backwards++;
    }
    for (unsigned i = 0; i < 20; i++) assert_int_equal(seen[i], 2);
    assert_true(backwards > 3);
    two_routers_deinit(&t);
}

static void jitter_keeps_the_order(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 4);
    struct sim_noise_config noise = {.jitter_ns = 20 * MS};
    sim_link_append(t.link, sim_noise(t.world, &noise));
    for (uint32_t i = 0; i < 20; i++) {
        struct sent_segment s = hello;
        s.seq = i;
        send_segment(&t, SIM_UP, &s);
        let_pass(&t, MS);
    }
    let_pass(&t, S);
    assert_int_equal(t.count, 20);
    for (uint32_t i = 0; i < 20; i++) assert_int_equal(t.caught[i].tcp.seq.value, i);
    two_routers_deinit(&t);
}

static void corruption_is_seen_by_the_checksums(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 5);
    struct sim_noise_config noise = {.corrupt = 1};
    sim_link_append(t.link, sim_noise(t.world, &noise));
    for (int i = 0; i < 50; i++) send_segment(&t, SIM_UP, &hello);
    let_pass(&t, S);
    assert_int_equal(t.count, 50);
    unsigned good = 0;
    for (unsigned i = 0; i < t.count; i++) good += t.caught[i].good;
    assert_true(good <= 10); /* fields of IPv4 that no checksum of TCP covers, and flips that cancel */
    two_routers_deinit(&t);
}

static void bursts_lose_packets_in_a_row(void **state) {
    (void)state;
    static struct two_routers t;
    two_routers_init(&t, 6);
    struct sim_noise_config noise = {.burst_begin = 0.02, .burst_end = 0.2, .burst_loss = 1};
    sim_link_append(t.link, sim_noise(t.world, &noise));
    unsigned passed = 0, runs = 0;
    bool lost_before = false;
    for (int i = 0; i < 2000; i++) {
        t.count = 0;
        send_segment(&t, SIM_UP, &hello);
        passed += t.count;
        runs += t.count == 0 && !lost_before;
        lost_before = t.count == 0;
    }
    unsigned lost = 2000 - passed;
    assert_in_range(lost, 60, 400);          /* one in eleven of the time is in a burst */
    assert_true(lost > 2 * runs && runs > 5); /* five in a row, on average */
    two_routers_deinit(&t);
}

static void what_is_too_big_is_dropped_and_complained_about(void **state) {
    (void)state;
    static struct two_routers t;
    static char large[1400];
    two_routers_init(&t, 7);
    const uint8_t router[4] = {10, 5, 0, 1};
    struct ip_address address = ip_address_v4(router);
    sim_link_append(t.link, sim_mtu(t.world, 1000, &address));
    struct sent_segment s = {.seq = 5, .flags = TCP_ACK, .payload = large, .payload_length = sizeof(large)};
    send_segment(&t, SIM_UP, &s);
    let_pass(&t, S);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.caught[0].end, 0);
    assert_int_equal(t.caught[0].ip.protocol, IP_PROTOCOL_ICMP);
    struct icmp_error error;
    assert_true(icmp_error_decode(&t.caught[0].ip, t.caught[0].bytes + t.caught[0].ip.header_length,
                                  t.caught[0].ip.payload_length, &error));
    assert_int_equal(error.kind, ICMP_PACKET_TOO_BIG);
    assert_int_equal(error.mtu, 1000);
    assert_int_equal(error.seq.value, 5);
    s.payload_length = 960;
    send_segment(&t, SIM_UP, &s);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.caught[1].end, 1);
    two_routers_deinit(&t);
}

static void the_same_seed_gives_the_same_world(void **state) {
    (void)state;
    static struct two_routers t;
    uint64_t hashes[3];
    for (int run = 0; run < 3; run++) {
        two_routers_init(&t, run == 2 ? 12 : 11);
        struct link_model_config config = {.rate_bps = 1000000, .delay_ns = 10 * MS, .loss = 0.3};
        struct sim_noise_config noise = {.reorder = 0.3, .reorder_ns = 30 * MS, .duplicate = 0.3, .corrupt = 0.3};
        sim_link_append(t.link, sim_noise(t.world, &noise));
        sim_link_append(t.link, sim_wire(t.world, &config, &config));
        for (int i = 0; i < 20; i++) send_segment(&t, i % 2 ? SIM_UP : SIM_DOWN, &hello);
        let_pass(&t, S);
        hashes[run] = sim_world_hash(t.world);
        two_routers_deinit(&t);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wire_delays_by_rate_and_distance),
        cmocka_unit_test(a_wire_that_is_down_loses_what_is_on_it),
        cmocka_unit_test(packets_still_under_way_at_the_end_are_given_back),
        cmocka_unit_test(noise_duplicates_and_reorders),
        cmocka_unit_test(jitter_keeps_the_order),
        cmocka_unit_test(corruption_is_seen_by_the_checksums),
        cmocka_unit_test(bursts_lose_packets_in_a_row),
        cmocka_unit_test(what_is_too_big_is_dropped_and_complained_about),
        cmocka_unit_test(the_same_seed_gives_the_same_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
