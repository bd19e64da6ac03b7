/* BBR version 3 against a path of a few lines. */
#include "paced_path.h"

static void startup_finds_the_rate_within_a_dozen_round_trips(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    run(12 * RTT);
    uint64_t before = p.delivered;
    run(SECOND);
    assert_true(p.delivered - before > RATE * 93 / 100);
}

static void the_queue_of_startup_is_drained(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    run(3 * SECOND);
    run(SECOND);
    assert_true(p.queue_max < PRODUCT / 2); /* even while it probes */
    assert_in_range(p.c.cwnd_bytes, PRODUCT, 3 * PRODUCT);
    assert_in_range(p.c.pacing_bytes_per_s, RATE * 85 / 100, RATE * 130 / 100);
}

static void probing_finds_a_rate_that_has_become_higher(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    run(3 * SECOND);
    p.rate = 2 * RATE;
    run(12 * SECOND);
    uint64_t before = p.delivered;
    run(2 * SECOND);
    assert_true(p.delivered - before > 2 * 2 * RATE * 85 / 100);
}

static void a_rate_that_has_become_lower_is_forgotten_after_two_cycles(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    run(3 * SECOND);
    p.rate = RATE / 4;
    run(12 * SECOND);
    run(2 * SECOND);
    assert_true(p.c.pacing_bytes_per_s < RATE / 4 * 130 / 100);
    assert_true(p.queue_max < PRODUCT);
}

static void losses_bound_what_is_in_flight(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    p.lose_above = (uint32_t)PRODUCT * 12 / 10; /* a queue of a fifth of the product */
    run(3 * SECOND);
    uint64_t before = p.delivered;
    uint32_t lost = p.lost;
    run(20 * SECOND);
    print_message("%.1f %% of the rate, %.2f %% lost\n",
                  (double)(p.delivered - before) * 100 / (double)(20 * RATE),
                  (p.lost - lost) * 100.0 / (double)(p.delivered - before));
    assert_true(p.delivered - before > 20 * RATE * 75 / 100);
    assert_true((uint64_t)(p.lost - lost) * 100 < 2 * (p.delivered - before)); /* less than 2 % */
}

static void the_round_trip_is_probed_when_it_was_not_seen_for_five_seconds(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    run(2 * SECOND);
    p.rtt = 50 * MS; /* the path has become longer: min_rtt is not seen again */
    run(9 * SECOND);
    assert_true(p.cwnd_min <= PRODUCT * 6 / 10);
    run(5 * SECOND);
    assert_true(p.c.cwnd_bytes > PRODUCT * 50 / 30 * 15 / 10); /* the window is that of the longer path */
}

static void a_timeout_begins_again_and_its_undo_puts_back(void **state) {
    (void)state;
    begin("bbr", RATE, RTT);
    run(3 * SECOND);
    uint32_t window = p.c.cwnd_bytes;
    p.c.ops->on_timeout(&p.c, p.in_flight, p.now);
    assert_int_equal(p.c.cwnd_bytes, MSS);
    p.c.ops->on_undo(&p.c, p.now);
    assert_int_equal(p.c.cwnd_bytes, window);
}

/* A round trip of nanoseconds, as between two stacks without a wire: the sanitizer that watches for integers that wrap
 * found one here. */
static void rates_beyond_measure_do_not_overflow(void **state) {
    (void)state;
    begin("bbr", 1000000, MS);
    static const uint64_t rates[] = {20937211199998, UINT64_C(1) << 45, UINT64_C(1) << 50, UINT64_MAX / BRAID_NS_PER_S};
    for (unsigned i = 0; i < 400; i++) {
        p.now += 1000;
        p.delivered += 10 * MSS;
        const struct congestion_ack ack = {.now = p.now,
                                           .acked_bytes = 10 * MSS,
                                           .in_flight_bytes = 20 * MSS,
                                           .rtt_ns = 1 + i % 3,
                                           .srtt_ns = 2,
                                           .min_rtt_ns = 1,
                                           .delivery_bytes_per_s = rates[i / 100],
                                           .round_start = true};
        p.c.ops->on_ack(&p.c, &ack);
        assert_true(p.c.cwnd_bytes >= 2 * MSS && p.c.pacing_bytes_per_s > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_finds_the_rate_within_a_dozen_round_trips),
        cmocka_unit_test(the_queue_of_startup_is_drained),
        cmocka_unit_test(probing_finds_a_rate_that_has_become_higher),
        cmocka_unit_test(a_rate_that_has_become_lower_is_forgotten_after_two_cycles),
        cmocka_unit_test(rates_beyond_measure_do_not_overflow),
        cmocka_unit_test(losses_bound_what_is_in_flight),
        cmocka_unit_test(the_round_trip_is_probed_when_it_was_not_seen_for_five_seconds),
        cmocka_unit_test(a_timeout_begins_again_and_its_undo_puts_back),
    };
    return cmocka_run_group_tests_name("bbr", tests, NULL, NULL);
}
