/* Memory runs out at any moment: the transfer goes on when there is some again, and nothing leaks. */
#include "tcp_pair.h"

static struct pair p;

static void set_up(uint64_t seed, uint64_t bytes) {
    pair_init(&p, seed);
    for (int i = 0; i < 2; i++) {
        p.ends[i].wire.loss = 0.03;
        p.ends[i].wire.reorder = 0.05;
        p.ends[i].wire.reorder_delay = 8 * MS;
        p.ends[i].to_send = bytes;
        p.ends[i].close_when_written = true;
        p.ends[i].config.super_segment_bytes = seed % 2 ? 65536 : 0;
        p.ends[i].config.checksum_offload = seed % 2;
        p.ends[i].config.time_wait_ns = 300 * SECOND;
    }
}

static void each_allocation_may_fail_once(void **state) {
    (void)state;
    set_up(1, 60000);
    pair_establish(&p);
    assert_true(pair_run_until(&p, both_closed, 600 * SECOND));
    uint64_t count = p.world.allocations;
    pair_destroy(&p);
    assert_true(count > 100);
    for (uint64_t n = 1; n <= count; n++) {
        set_up(1, 60000);
        p.world.fail_at = n;
        if (pair_create(&p)) {
            tcp_connect(p.ends[0].t, p.now);
            assert_true(pair_run_until(&p, both_closed, 600 * SECOND));
            assert_true(all_received(&p));
            assert_int_equal(p.ends[0].data_wrong + p.ends[1].data_wrong, 0);
        }
        pair_destroy(&p);
    }
}

static void two_seconds_without_memory_are_survived(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        set_up(seed, 300000);
        assert_true(pair_create(&p));
        tcp_connect(p.ends[0].t, p.now);
        pair_run(&p, 7 * seed * MS);
        p.world.dry = true;
        pair_run(&p, 2 * SECOND);
        p.world.dry = false;
        if (!pair_run_until(&p, both_closed, 600 * SECOND)) {
            fail_msg("seed %u: %s and %s, %u and %u bytes", (unsigned)seed, tcp_state_name(tcp_state(p.ends[0].t)),
                     tcp_state_name(tcp_state(p.ends[1].t)), (unsigned)p.ends[0].received,
                     (unsigned)p.ends[1].received);
        }
        assert_true(all_received(&p));
        assert_int_equal(p.ends[0].data_wrong + p.ends[1].data_wrong, 0);
        pair_destroy(&p);
    }
}

static void destroying_in_any_state_leaks_nothing(void **state) {
    (void)state;
    for (unsigned steps = 0; steps < 300; steps += 3) {
        set_up(steps, 100000);
        assert_true(pair_create(&p));
        tcp_connect(p.ends[0].t, p.now);
        for (unsigned i = 0; i < steps; i++) pair_step(&p, p.now + SECOND);
        pair_destroy(&p);
    }
    tcp_destroy(NULL);
}

static bool no_randomness(void *context, void *out, size_t size) {
    (void)context, (void)out, (void)size;
    return false;
}

static void without_randomness_there_is_no_subflow(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.world.env.random_secret = no_randomness;
    assert_false(pair_create(&p));
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_may_fail_once),
        cmocka_unit_test(two_seconds_without_memory_are_survived),
        cmocka_unit_test(destroying_in_any_state_leaks_nothing),
        cmocka_unit_test(without_randomness_there_is_no_subflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
