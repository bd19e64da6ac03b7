/* Bytes arrive as they were sent, in order, over one subflow and over two, whatever the wires do to packets. */
#include "two_hosts.h"

enum { SEEDS = 20 };

static void transfer(uint64_t seed, unsigned wires, bool checksum, double loss, uint64_t up, uint64_t down) {
    struct net n;
    net_init(&n, seed, wires);
    net_set_wire(&n, 0, 20, 20 * MS, 100 * MS, loss);
    if (wires > 1) net_set_wire(&n, 1, 10, 60 * MS, 100 * MS, loss / 2);
    n.config[CLIENT].checksum = checksum;
    for (int side = 0; side < 2; side++) {
        n.host[side].app.to_send = side == CLIENT ? up : down;
        n.host[side].app.shut_when_sent = true;
        n.host[side].app.by_slices = seed % 2;
    }
    net_connect(&n);
    if (!net_run_until(&n, both_closed, 120 * S))
        fail_msg("seed %llu: %llu of %llu up, %llu of %llu down", (unsigned long long)seed,
                 (unsigned long long)n.host[1].app.received, (unsigned long long)up,
                 (unsigned long long)n.host[0].app.received, (unsigned long long)down);
    for (int side = 0; side < 2; side++) {
        assert_int_equal(n.host[side].app.received, n.host[1 - side].app.to_send);
        assert_true(n.host[side].app.at_end);
        assert_true(n.host[side].app.events & CONNECTION_SENT);
        assert_int_equal(connection_close_reason(n.host[side].c), CONNECTION_CLOSED_NORMALLY);
        assert_int_equal(n.host[side].counters.dss_mapping_contradicts, 0);
        assert_int_equal(n.host[side].counters.data_ack_outside, 0);
        assert_int_equal(n.host[side].counters.data_outside_window, 0);
        assert_int_equal(n.host[side].counters.dss_checksum_failed, 0);
    }
    net_run(&n, 70 * S);
    assert_true(connection_finished(n.host[CLIENT].c));
    assert_true(connection_finished(n.host[SERVER].c));
    net_deinit(&n);
}

static void over_one_subflow(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) transfer(seed, 1, seed % 2, 0, 300000, 500000);
}

static void over_one_subflow_with_loss(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) transfer(seed, 1, seed % 2, 0.03, 300000, 200000);
}

static void over_two_subflows(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) transfer(seed, 2, seed % 2, 0, 1000000, 1500000);
}

static void over_two_subflows_with_loss(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) transfer(seed, 2, seed % 2, 0.02, 1000000, 700000);
}

static void ten_thousand_small_writes(void **state) {
    (void)state;
    struct net n;
    uint64_t sent = 0;
    uint8_t bytes[200];
    net_init(&n, 7, 2);
    net_connect(&n);
    net_run(&n, 100 * MS);
    for (unsigned i = 0; i < 10000; i++) {
        uint32_t length = 1 + (uint32_t)prng_below(&n.prng, sizeof(bytes));
        for (uint32_t k = 0; k < length; k++) bytes[k] = pattern(sent + k);
        uint32_t taken = connection_write(n.host[CLIENT].c, bytes, length, n.now);
        sent += taken;
        net_run(&n, prng_below(&n.prng, 2 * MS));
    }
    n.host[CLIENT].app.to_send = n.host[CLIENT].app.sent = sent;
    assert_true(net_run_until(&n, both_received_all, 10 * S));
    assert_true(connection_mode(n.host[CLIENT].c) == CONNECTION_MODE_MPTCP);
    net_deinit(&n);
}

/* Of any size, by copy and by reference in turn, so that mappings begin and end anywhere in what was summed while it was copied.
 * What verifies them at the other end sums every byte anew. */
static uint32_t write_mixed(struct net *n, uint64_t sent) {
    static uint8_t bytes[70000];
    static const uint32_t sizes[] = {1, 700, 1024, 3000, 20000, 70000};
    struct host *host = &n->host[CLIENT];
    uint32_t length = 1 + (uint32_t)prng_below(&n->prng, sizes[prng_below(&n->prng, 6)]);
    for (uint32_t k = 0; k < length; k++) bytes[k] = pattern(sent + k);
    if (prng_below(&n->prng, 4) != 0) return connection_write(host->c, bytes, length, n->now);
    struct braid_slice slice = slice_copy(&host->env, bytes, length);
    assert_non_null(slice.buf);
    if (connection_write_slice(host->c, slice, n->now)) return length;
    slice_release(&slice);
    return 0;
}

static void mixed_writes(uint64_t seed, uint32_t super_segment_bytes) {
    struct net n;
    uint64_t sent = 0;
    net_init(&n, seed, 2);
    net_set_wire(&n, 0, 200, 5 * MS, 100 * MS, 0.002);
    net_set_wire(&n, 1, 100, 10 * MS, 100 * MS, 0.002);
    n.config[CLIENT].checksum = true;
    n.super_segment_bytes = super_segment_bytes;
    net_connect(&n);
    net_run(&n, 100 * MS);
    while (sent < 3000000) {
        sent += write_mixed(&n, sent);
        net_run(&n, prng_below(&n.prng, 4 * MS));
        assert_int_equal(n.host[SERVER].counters.dss_checksum_failed, 0);
    }
    n.host[CLIENT].app.to_send = n.host[CLIENT].app.sent = sent;
    assert_true(net_run_until(&n, both_received_all, 60 * S));
    assert_int_equal(n.host[SERVER].counters.dss_checksum_failed, 0);
    assert_true(connection_mode(n.host[CLIENT].c) == CONNECTION_MODE_MPTCP);
    net_deinit(&n);
}

static void checksums_hold_for_every_mix_of_writes(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) mixed_writes(seed, seed % 2 ? 65000 : 0);
}

static void super_segments_carry_their_mapping(void **state) {
    (void)state;
    for (unsigned checksum = 0; checksum < 2; checksum++) {
        struct net n;
        net_init(&n, 9, 2);
        n.super_segment_bytes = 65535;
        for (unsigned i = 0; i < 2; i++) {
            n.host[CLIENT].paths[i].super_segment_bytes = 60000;
            net_set_wire(&n, i, 200, (10 + 10 * i) * MS, 100 * MS, 0);
        }
        n.host[SERVER].paths[0].super_segment_bytes = 60000;
        n.config[CLIENT].checksum = checksum;
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 5000000;
        net_connect(&n);
        assert_true(net_run_until(&n, both_received_all, 20 * S));
        assert_true(n.host[CLIENT].packets_out < 5000);
        net_deinit(&n);
    }
}

static void super_segments_survive_loss(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct net n;
        net_init(&n, seed, 2);
        for (unsigned i = 0; i < 2; i++) {
            n.host[CLIENT].paths[i].super_segment_bytes = 60000;
            net_set_wire(&n, i, 100, (10 + 10 * i) * MS, 100 * MS, 0.02);
        }
        n.host[SERVER].paths[0].super_segment_bytes = 60000;
        n.config[CLIENT].checksum = seed % 2;
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000000;
        net_connect(&n);
        assert_true(net_run_until(&n, both_received_all, 60 * S));
        net_deinit(&n);
    }
}

static void a_checksum_is_used_if_either_side_asks(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct net n;
        struct connection_info info;
        net_init(&n, 11 + i, 2);
        n.config[CLIENT].checksum = i & 1;
        n.config[SERVER].checksum = i & 2;
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100000;
        net_connect(&n);
        assert_true(net_run_until(&n, both_received_all, 20 * S));
        for (int side = 0; side < 2; side++) {
            connection_info(n.host[side].c, &info);
            assert_int_equal(info.checksum, i != 0);
            assert_int_equal(info.mode, CONNECTION_MODE_MPTCP);
        }
        net_deinit(&n);
    }
}

static void a_reader_that_stops_stops_the_writer(void **state) {
    (void)state;
    struct net n;
    struct connection_info info;
    net_init(&n, 13, 2);
    n.config[CLIENT].send_buffer_bytes = 300000;
    n.config[SERVER].receive_buffer_initial_bytes = n.config[SERVER].receive_buffer_max_bytes = 200000;
    n.host[CLIENT].app.to_send = 3000000;
    n.host[SERVER].app.no_reading = true;
    net_connect(&n);
    net_run(&n, 30 * S);
    assert_true(n.host[CLIENT].app.sent <= 500000);
    connection_info(n.host[SERVER].c, &info);
    assert_true(connection_readable(n.host[SERVER].c) <= 200000);
    assert_true(info.memory_bytes <= 2 * 200000 + 20000);
    uint64_t packets = n.host[CLIENT].packets_out;
    net_run(&n, 30 * S); /* window probes only */
    assert_true(n.host[CLIENT].packets_out - packets < 60);
    n.host[SERVER].app.no_reading = false;
    assert_true(net_run_until(&n, both_received_all, 30 * S));
    net_deinit(&n);
}

static void a_lost_window_update_does_not_stop_it_for_good(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 14, 1);
    n.config[SERVER].receive_buffer_initial_bytes = n.config[SERVER].receive_buffer_max_bytes = 50000;
    n.host[CLIENT].app.to_send = 200000;
    n.host[SERVER].app.no_reading = true;
    net_connect(&n);
    net_run(&n, 10 * S);
    n.wires[0].cut = true;
    n.host[SERVER].app.no_reading = false;
    net_run(&n, 10 * MS); /* reads all, and tells nobody */
    n.wires[0].cut = false;
    assert_true(net_run_until(&n, both_received_all, 120 * S));
    net_deinit(&n);
}

static void a_slow_reader_gets_everything(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 15, 2);
    n.config[SERVER].receive_buffer_initial_bytes = 30000;
    n.config[SERVER].receive_buffer_max_bytes = 60000;
    n.host[CLIENT].app.to_send = 1000000;
    n.host[SERVER].app.read_rate_bytes_per_s = 200000;
    net_connect(&n);
    n.host[SERVER].app.started_reading_at = n.now;
    assert_true(net_run_until(&n, both_received_all, 30 * S));
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_one_subflow),
        cmocka_unit_test(over_one_subflow_with_loss),
        cmocka_unit_test(over_two_subflows),
        cmocka_unit_test(over_two_subflows_with_loss),
        cmocka_unit_test(ten_thousand_small_writes),
        cmocka_unit_test(checksums_hold_for_every_mix_of_writes),
        cmocka_unit_test(super_segments_carry_their_mapping),
        cmocka_unit_test(super_segments_survive_loss),
        cmocka_unit_test(a_checksum_is_used_if_either_side_asks),
        cmocka_unit_test(a_reader_that_stops_stops_the_writer),
        cmocka_unit_test(a_lost_window_update_does_not_stop_it_for_good),
        cmocka_unit_test(a_slow_reader_gets_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
