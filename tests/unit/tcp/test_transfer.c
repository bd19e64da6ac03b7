/* Data gets across, all of it and unchanged, whatever the wire does to it. */
#include "tcp_pair.h"

static void handshake(bool v6) {
    struct pair p;
    pair_init(&p, 1);
    p.v6 = v6;
    pair_establish(&p);
    assert_int_equal(tcp_state(p.ends[0].t), TCP_STATE_ESTABLISHED);
    assert_int_equal(tcp_state(p.ends[1].t), TCP_STATE_ESTABLISHED);
    assert_int_equal(info_of(&p.ends[0]).mss_bytes, v6 ? 1428 : 1448);
    braid_time srtt = info_of(&p.ends[0]).srtt_ns;
    assert_true(srtt > 30 * MS && srtt < 31 * MS);
    pair_destroy(&p);
}

static void handshake_over_ipv4(void **state) {
    (void)state;
    handshake(false);
}

static void handshake_over_ipv6(void **state) {
    (void)state;
    handshake(true);
}

static void transfer(uint64_t seed, uint64_t bytes, double loss, uint32_t super_segment_bytes, bool v6) {
    struct pair p;
    pair_init(&p, seed);
    p.v6 = v6;
    for (int i = 0; i < 2; i++) {
        p.ends[i].wire.loss = loss;
        p.ends[i].config.super_segment_bytes = super_segment_bytes;
        p.ends[i].config.checksum_offload = super_segment_bytes > 0;
        p.ends[i].config.time_wait_ns = 300 * SECOND; /* FINs get lost too */
    }
    p.ends[0].to_send = bytes;
    p.ends[0].close_when_written = true;
    p.ends[1].close_on_fin = true;
    assert_true(pair_create(&p));
    tcp_connect(p.ends[0].t, p.now);
    if (!pair_run_until(&p, both_closed, 3600 * SECOND) || p.ends[1].received != bytes || p.ends[1].data_wrong) {
        fail_msg("seed %llu: %llu of %llu bytes, %llu wrong", (unsigned long long)seed,
                 (unsigned long long)p.ends[1].received, (unsigned long long)bytes,
                 (unsigned long long)p.ends[1].data_wrong);
    }
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_NORMALLY);
    assert_int_equal(p.ends[1].reason, TCP_CLOSED_NORMALLY);
    pair_destroy(&p);
}

static void ten_megabytes_over_a_clean_wire(void **state) {
    (void)state;
    transfer(1, 10 << 20, 0, 0, false);
    transfer(2, 10 << 20, 0, 65536, true);
}

static void losses(double loss, uint64_t bytes, unsigned seeds) {
    for (unsigned seed = 1; seed <= seeds; seed++) {
        bool super = seed % 2 == 0;
        transfer(seed, bytes, loss, super ? 65536 : 0, seed % 3 == 0);
    }
}

static void byte_exact_at_one_percent_loss(void **state) {
    (void)state;
    losses(0.01, 10 << 20, 10);
    losses(0.01, 1 << 20, 20);
}

static void byte_exact_at_five_percent_loss(void **state) {
    (void)state;
    losses(0.05, 10 << 20, 3);
    losses(0.05, 1 << 20, 20);
}

static void byte_exact_at_twenty_percent_loss(void **state) {
    (void)state;
    losses(0.20, 10 << 20, 1);
    losses(0.20, 200000, 20);
}

/* Loss, duplication and reordering by more than a round trip, both directions full, small odd writes, the peer
 * without SACK or timestamps now and then. */
static void byte_exact_on_a_bad_wire(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct pair p;
        pair_init(&p, seed);
        p.v6 = seed % 2;
        for (int i = 0; i < 2; i++) {
            struct end *e = &p.ends[i];
            e->wire = (struct wire_model){
                .bits_per_s = 20000000,
                .delay = 10 * MS,
                .queue_bytes = 60000,
                .loss = 0.02,
                .duplicate = 0.02,
                .reorder = 0.05,
                .reorder_delay = (1 + seed % 4) * 10 * MS,
            };
            e->to_send = 700001 + 1000 * seed;
            e->write_bytes = 1 + (uint32_t)(seed * 977) % 20000;
            e->close_when_written = true;
            e->option_bytes = seed % 3 == 0 ? 20 : 0;
            e->boundary = seed % 4 == 0 ? 10007 : 0;
            e->by_room = seed % 5 == 0;
            e->config.no_delay = seed % 2;
            e->config.super_segment_bytes = seed % 3 ? 65536 : 0;
            e->config.checksum_offload = seed % 3;
            e->config.receive_window_max_bytes = seed % 6 == 0 ? 20000 : 500000;
            e->config.congestion = seed % 2 ? &congestion_newreno : &congestion_cubic;
        }
        assert_true(pair_create(&p));
        tcp_connect(p.ends[0].t, p.now);
        bool done = pair_run_until(&p, both_closed, 600 * SECOND);
        if (!done || !all_received(&p) || p.ends[0].data_wrong || p.ends[1].data_wrong) {
            fail_msg("seed %llu: %llu and %llu bytes arrived", (unsigned long long)seed,
                     (unsigned long long)p.ends[0].received, (unsigned long long)p.ends[1].received);
        }
        pair_destroy(&p);
    }
}

/* Sequence numbers and timestamps pass 2^32 and 2^31 wherever they like. */
static void byte_exact_where_numbers_wrap(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        struct pair p;
        pair_init(&p, i);
        p.world.secret_fixed = true;
        p.world.secret = (i % 2 ? UINT32_MAX : UINT32_MAX / 2) - i * 7001;
        p.now = ((uint64_t)p.world.secret % 1000) * MS + SECOND; /* the clock's tick wraps within the transfer */
        for (int k = 0; k < 2; k++) {
            p.ends[k].wire.loss = 0.02;
            p.ends[k].wire.reorder = 0.02;
            p.ends[k].wire.reorder_delay = 5 * MS;
            p.ends[k].to_send = 300000;
            p.ends[k].close_when_written = true;
            p.ends[k].config.time_wait_ns = 300 * SECOND;
        }
        assert_true(pair_create(&p));
        tcp_connect(p.ends[0].t, p.now);
        assert_true(pair_run_until(&p, both_closed, 400 * SECOND));
        assert_true(all_received(&p));
        assert_int_equal(p.ends[0].data_wrong + p.ends[1].data_wrong, 0);
        assert_int_equal(p.ends[0].reason, TCP_CLOSED_NORMALLY);
        pair_destroy(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_exact_at_one_percent_loss),
        cmocka_unit_test(byte_exact_at_five_percent_loss),
        cmocka_unit_test(byte_exact_at_twenty_percent_loss),
        cmocka_unit_test(byte_exact_on_a_bad_wire),
        cmocka_unit_test(byte_exact_where_numbers_wrap),
        cmocka_unit_test(handshake_over_ipv4),
        cmocka_unit_test(handshake_over_ipv6),
        cmocka_unit_test(ten_megabytes_over_a_clean_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
