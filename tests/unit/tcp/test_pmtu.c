/* A path that carries less than its links promise, and says nothing (RFC 4821, RFC 8899): data gets through all the same, and
 * then in the largest segments that pass. */
#include "tcp_pair.h"

static struct pair p;

static void begin(uint64_t seed, bool v6, uint32_t super_segment_bytes, uint32_t mtu_bytes) {
    pair_init(&p, seed);
    p.v6 = v6;
    for (int i = 0; i < 2; i++) {
        p.ends[i].config.super_segment_bytes = super_segment_bytes;
        p.ends[i].config.checksum_offload = super_segment_bytes > 0;
        p.ends[i].wire.queue_bytes = 0;
        p.ends[i].config.receive_window_max_bytes = 300000;
    }
    p.ends[0].wire.mtu_bytes = mtu_bytes;
    pair_establish(&p);
}

static bool first_arrived(const struct pair *world) { return world->ends[1].received > 0; }

/* [R-8899-4.3-1] [R-4821-7.2-1] [R-4821-7.4-1] [R-4821-7.6.1-1] [R-4821-7.6.2-1] [R-4821-7.6.2-2] [R-4821-7.7-1] */
static void a_silent_small_mtu_is_found_to_the_byte(void **state) {
    (void)state;
    const uint32_t sizes[] = {1280, 1281, 1300, 1399, 1400, 1420, 1454, 1492, 1499};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int kind = 0; kind < 4; kind++) {
            begin(1 + i, kind & 1, kind & 2 ? 65536 : 0, sizes[i]);
            p.ends[0].to_send = 10000000;
            braid_time start = p.now;
            assert_true(pair_run_until(&p, first_arrived, 10 * SECOND));
            braid_time recovered = p.now - start;
            while (info_of(&p.ends[0]).mtu_bytes != sizes[i] && p.now < start + 10 * SECOND) pair_run(&p, MS);
            braid_time found = p.now - start;
            struct tcp_info info = info_of(&p.ends[0]);
            if (kind == 0)
                print_message("%u: data after %u ms, found after %u ms by %u probes, %u of them lost\n", sizes[i],
                              (unsigned)(recovered / MS), (unsigned)(found / MS), (unsigned)info.mtu_probes,
                              (unsigned)info.mtu_probes_lost);
            assert_int_equal(info.mtu_bytes, sizes[i]);
            assert_int_equal(info.mtu_black_holes, 1);
            assert_int_equal(info.timeouts, 1);
            assert_true(recovered < 400 * MS);
            assert_true(found < 2 * SECOND);
            assert_true(info.mtu_probes_lost <= 18);
            assert_int_equal(info.fast_recoveries, 0); /* a probe's loss is none of congestion */
            assert_true(pair_run_until(&p, all_received, 20 * SECOND));
            assert_int_equal(p.ends[1].data_wrong, 0);
            pair_destroy(&p);
        }
    }
}

/* In the middle of a connection: by the second timeout. */
static void a_path_that_becomes_narrow_is_noticed(void **state) {
    (void)state;
    begin(1, false, 65536, 0);
    p.ends[0].to_send = 20000000;
    pair_run(&p, SECOND);
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 1500);
    p.ends[0].wire.mtu_bytes = 1400;
    uint64_t before = p.ends[1].received;
    braid_time narrow = p.now;
    while (p.ends[1].received < before + 1000000 && p.now < narrow + 20 * SECOND) pair_run(&p, MS);
    print_message("a megabyte has come %u ms after the path became narrow\n", (unsigned)((p.now - narrow) / MS));
    assert_true(p.now - narrow < 2 * SECOND);
    pair_run(&p, SECOND);
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 1400);
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
}

/* An outage is no narrow path: the first probe is as large as ever, and passes. */
static void after_an_outage_segments_are_as_large_as_before(void **state) {
    (void)state;
    begin(1, false, 0, 0);
    p.ends[0].to_send = 40000000;
    pair_run(&p, SECOND);
    p.ends[0].wire.loss = 1.0;
    pair_run(&p, 5 * SECOND);
    p.ends[0].wire.loss = 0;
    pair_run(&p, 6 * SECOND);
    struct tcp_info info = info_of(&p.ends[0]);
    assert_int_equal(info.mtu_bytes, 1500);
    assert_int_equal(info.mtu_probes, 1);
    assert_int_equal(info.mtu_probes_lost, 0);
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    pair_destroy(&p);
}

/* Less than 1280 is only for IPv4, and takes some more timeouts. */
static void a_very_narrow_path_of_ipv4_carries_data(void **state) {
    (void)state;
    begin(1, false, 0, 576);
    p.ends[0].to_send = 1000000;
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 576);
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
}

/* [R-8201-4-5] A path that has become wider is found so ten minutes later. */
static void a_path_that_becomes_wider_is_found_after_ten_minutes(void **state) {
    (void)state;
    begin(1, false, 0, 1400);
    p.ends[0].to_send = 10000000;
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 1400);
    uint64_t probes = info_of(&p.ends[0]).mtu_probes;
    p.ends[0].wire.mtu_bytes = 0;
    p.ends[0].to_send += 1000000;
    pair_run(&p, 500 * SECOND);
    assert_int_equal(info_of(&p.ends[0]).mtu_probes, probes);
    pair_run(&p, 120 * SECOND);
    p.ends[0].to_send += 1000000;
    pair_run(&p, 5 * SECOND);
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 1500);
    assert_int_equal(info_of(&p.ends[0]).mtu_probes, probes + 1);
    pair_destroy(&p);
}

/* What the peer or the owner cannot take is not tried: a small MSS, boundaries of mappings. */
static void probes_keep_the_peers_mss_and_the_owners_boundaries(void **state) {
    (void)state;
    begin(1, false, 65536, 1400);
    p.ends[0].boundary = 30000;
    p.ends[0].option_bytes = 20;
    p.ends[0].to_send = 10000000;
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 1400);
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
    pair_init(&p, 1);
    p.ends[1].config.mtu_bytes = 1350;
    p.ends[0].wire.mtu_bytes = 1300;
    pair_establish(&p);
    p.ends[0].to_send = 10000000;
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    assert_int_equal(info_of(&p.ends[0]).mtu_bytes, 1300);
    assert_true(p.ends[0].largest_packet <= 1350);
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_silent_small_mtu_is_found_to_the_byte),
        cmocka_unit_test(a_path_that_becomes_narrow_is_noticed),
        cmocka_unit_test(after_an_outage_segments_are_as_large_as_before),
        cmocka_unit_test(a_very_narrow_path_of_ipv4_carries_data),
        cmocka_unit_test(a_path_that_becomes_wider_is_found_after_ten_minutes),
        cmocka_unit_test(probes_keep_the_peers_mss_and_the_owners_boundaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
