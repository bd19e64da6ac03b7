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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handshake_over_ipv4),
        cmocka_unit_test(handshake_over_ipv6),
        cmocka_unit_test(ten_megabytes_over_a_clean_wire),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
