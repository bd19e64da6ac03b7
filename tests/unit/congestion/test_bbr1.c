/* BBR version 1 against a path of a few lines. */
#include "paced_path.h"

static void begun(void) {
    begin("bbr1", RATE, RTT);
    run(3 * SECOND);
}

static void startup_finds_the_rate_within_a_dozen_round_trips(void **state) {
    (void)state;
    begin("bbr1", RATE, RTT);
    run(12 * RTT);
    uint64_t before = p.delivered;
    run(SECOND);
    assert_true(p.delivered - before > RATE * 95 / 100);
}

static void the_queue_of_startup_is_drained(void **state) {
    (void)state;
    begun();
    run(SECOND);
    assert_true(p.queue_max < PRODUCT / 2); /* even while it probes */
    assert_in_range(p.c.cwnd_bytes, PRODUCT, 3 * PRODUCT);
    assert_in_range(p.c.pacing_bytes_per_s, RATE * 70 / 100, RATE * 130 / 100);
}

static void one_phase_of_eight_sends_more_and_the_next_less(void **state) {
    unsigned more = 0, less = 0, same = 0;
    (void)state;
    begun();
    for (unsigned i = 0; i < 1600; i++) {
        run(5 * MS);
        uint64_t percent = p.c.pacing_bytes_per_s * 100 / RATE;
        if (percent > 112) more++;
        else if (percent < 87) less++;
        else same++;
    }
    assert_in_range(more, 100, 320);
    assert_in_range(less, 30, 250);
    assert_true(same > 1000);
}

static void probing_finds_a_rate_that_has_become_higher(void **state) {
    (void)state;
    begun();
    p.rate = 2 * RATE;
    run(3 * SECOND); /* 1.25 in eight round trips */
    uint64_t before = p.delivered;
    run(2 * SECOND);
    assert_true(p.delivered - before > 2 * 2 * RATE * 90 / 100);
}

static void a_rate_that_has_become_lower_is_forgotten_after_ten_round_trips(void **state) {
    (void)state;
    begun();
    p.rate = RATE / 4;
    run(5 * SECOND);
    run(2 * SECOND);
    assert_true(p.c.pacing_bytes_per_s < RATE / 4 * 130 / 100);
    assert_true(p.queue_max < PRODUCT);
}

/* What version 3 takes for a bound: a queue of a fifth of the product. The window stays, and what it has too much is lost. */
static void losses_are_no_sign_of_anything(void **state) {
    (void)state;
    begun();
    uint32_t window = p.c.cwnd_bytes;
    p.lose_above = (uint32_t)PRODUCT * 12 / 10;
    run(20 * SECOND);
    uint64_t before = p.delivered;
    run(10 * SECOND);
    print_message("%.1f %% of the rate\n", (double)(p.delivered - before) * 100 / (double)(10 * RATE));
    assert_true(p.delivered - before > 10 * RATE * 85 / 100);
    assert_true(p.c.cwnd_bytes > window / 2);
}

static void the_round_trip_is_probed_when_it_was_not_seen_for_ten_seconds(void **state) {
    (void)state;
    begun();
    run(SECOND);
    p.rtt = 50 * MS; /* the path has become longer: the smallest one is not seen again */
    p.c.ops->on_flight(&p.c, p.now); /* a start from idle puts it off, for one acknowledgement */
    run(12 * SECOND);
    assert_int_equal(p.cwnd_min, 4 * MSS);
    run(3 * SECOND);
    assert_true(p.c.cwnd_bytes > PRODUCT * 50 / 30 * 15 / 10); /* the window is that of the longer path */
}

/* A second of a program that sends a packet now and then: the path is what it was. */
static void what_an_application_sends_of_itself_makes_nothing_older(void **state) {
    (void)state;
    begun();
    uint64_t pace = 0;
    for (unsigned i = 0; i < 40; i++) {
        p.now += RTT;
        p.delivered += MSS;
        const struct congestion_ack ack = {.now = p.now, .acked_bytes = MSS, .rtt_ns = RTT, .srtt_ns = RTT, .min_rtt_ns = RTT,
                                           .application_limited = true, .rate_valid = true, .sample_bytes_per_s = MSS * 1000 / 30,
                                           .delivered_total_bytes = p.delivered, .delivered_before_bytes = p.delivered - MSS};
        p.c.ops->on_ack(&p.c, &ack);
        if (p.c.pacing_bytes_per_s > pace) pace = p.c.pacing_bytes_per_s;
    }
    assert_true(pace > RATE * 90 / 100 && p.c.pacing_bytes_per_s > RATE * 70 / 100);
}

static void a_mark_ends_startup_and_the_phase_that_sends_more(void **state) {
    (void)state;
    begin("bbr1", RATE, RTT);
    run(4 * RTT);
    assert_true(p.c.ssthresh_bytes == UINT32_MAX);
    p.c.ops->on_mark(&p.c, p.now);
    run(RTT);
    assert_true(p.c.ssthresh_bytes != UINT32_MAX);
    begun();
    while (p.c.pacing_bytes_per_s * 100 / RATE < 115) run(5 * MS);
    p.c.ops->on_mark(&p.c, p.now);
    run(MS);
    assert_true(p.c.pacing_bytes_per_s * 100 / RATE <= 100);
}

/* A loss that a full queue caused: another segment than what has left would only be the next. */
static void of_a_loss_follows_what_is_in_flight_and_one_more(void **state) {
    (void)state;
    begun();
    p.c.ops->on_loss(&p.c, 20 * MSS, p.now);
    assert_int_equal(p.c.cwnd_bytes, 21 * MSS);
}

static void a_timeout_begins_again_and_its_undo_puts_back(void **state) {
    (void)state;
    begun();
    uint32_t window = p.c.cwnd_bytes;
    p.c.ops->on_timeout(&p.c, p.in_flight, p.now);
    assert_int_equal(p.c.cwnd_bytes, MSS);
    p.c.ops->on_undo(&p.c, p.now);
    assert_int_equal(p.c.cwnd_bytes, window);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_finds_the_rate_within_a_dozen_round_trips),
        cmocka_unit_test(the_queue_of_startup_is_drained),
        cmocka_unit_test(one_phase_of_eight_sends_more_and_the_next_less),
        cmocka_unit_test(probing_finds_a_rate_that_has_become_higher),
        cmocka_unit_test(a_rate_that_has_become_lower_is_forgotten_after_ten_round_trips),
        cmocka_unit_test(losses_are_no_sign_of_anything),
        cmocka_unit_test(the_round_trip_is_probed_when_it_was_not_seen_for_ten_seconds),
        cmocka_unit_test(what_an_application_sends_of_itself_makes_nothing_older),
        cmocka_unit_test(a_mark_ends_startup_and_the_phase_that_sends_more),
        cmocka_unit_test(of_a_loss_follows_what_is_in_flight_and_one_more),
        cmocka_unit_test(a_timeout_begins_again_and_its_undo_puts_back),
    };
    return cmocka_run_group_tests_name("bbr1", tests, NULL, NULL);
}
