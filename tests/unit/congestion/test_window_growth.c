/* What the congestion windows do: grow, shrink, remember, and never overflow. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <congestion/congestion.h>

#define MSS 1448u
#define MS BRAID_NS_PER_MS
#define SECOND BRAID_NS_PER_S

static struct congestion c;
static braid_time now;
static braid_time rtt;

static void begin(const struct congestion_ops *ops, braid_time round_trip) {
    now = 1000 * SECOND;
    rtt = round_trip;
    congestion_start(&c, ops, MSS, now);
}

static void acknowledge(uint32_t bytes, braid_time rtt_ns, bool round_start, bool limited) {
    const struct congestion_ack ack = {
        .now = now,
        .acked_bytes = bytes,
        .in_flight_bytes = c.cwnd_bytes,
        .rtt_ns = rtt_ns,
        .srtt_ns = rtt,
        .min_rtt_ns = rtt,
        .cwnd_limited = limited,
        .round_start = round_start,
    };
    c.ops->on_ack(&c, &ack);
}

/* A round trip in which the whole window is acknowledged, two segments at a time, within `lasts` of it. */
static void round_that_lasts(braid_time rtt_ns, braid_time lasts) {
    uint32_t left = c.cwnd_bytes;
    unsigned acks = left / (2 * MSS) + 1;
    braid_time began = now;
    bool first = true;
    while (left > 0) {
        uint32_t bytes = left < 2 * MSS ? left : 2 * MSS;
        acknowledge(bytes, rtt_ns, first, true);
        first = false;
        left -= bytes;
        now += lasts / acks;
    }
    now = began + rtt;
}

/* As it is while nothing queues and slow start is paced: within half a round trip. */
static void one_round(braid_time rtt_ns) { round_that_lasts(rtt_ns, rtt / 2); }

static void algorithms_are_found_by_name(void **state) {
    (void)state;
    assert_ptr_equal(congestion_find("cubic"), &congestion_cubic);
    assert_ptr_equal(congestion_find("newreno"), &congestion_newreno);
    assert_null(congestion_find("cubi"));
    assert_null(congestion_find(""));
    unsigned count = 0;
    while (congestion_name(count) != NULL) assert_non_null(congestion_find(congestion_name(count++)));
    assert_int_equal(count, 7);
}

/* [R-6928-2-1] */
static void the_initial_window_is_that_of_rfc_6928(void **state) {
    (void)state;
    const uint32_t sizes[][2] = {{536, 5360}, {1448, 14480}, {1460, 14600}, {8948, 17896}, {65483, 130966}};
    for (unsigned i = 0; i < ARRAY_COUNT(sizes); i++) {
        congestion_start(&c, &congestion_cubic, sizes[i][0], 0);
        assert_int_equal(c.cwnd_bytes, sizes[i][1]);
        assert_int_equal(c.ssthresh_bytes, UINT32_MAX);
    }
}

static void slow_start_doubles(const struct congestion_ops *ops) {
    begin(ops, 50 * MS);
    assert_int_equal(c.ssthresh_bytes, UINT32_MAX);
    for (int i = 0; i < 5; i++) {
        uint32_t before = c.cwnd_bytes;
        one_round(50 * MS);
        assert_in_range(c.cwnd_bytes, 2 * before - 2 * MSS, 2 * before);
    }
}

/* [R-5681-3.1-1] [R-5681-3.1-6] [R-9438-4.10-1] */
static void slow_start_doubles_each_round_trip(void **state) {
    (void)state;
    slow_start_doubles(&congestion_cubic);
    slow_start_doubles(&congestion_newreno);
}

/* Sixteen bytes and nine segments: as much as ten segments may follow in their place, and no more, in the end. */
static void first_round_with_a_short_segment(const struct congestion_ops *ops, bool is_alone) {
    begin(ops, 50 * MS);
    c.alone = is_alone;
    for (int i = 0; i < 10; i++)
        acknowledge(i == 2 ? 16 : MSS, 50 * MS, i == 0, true);
    assert_int_equal(c.cwnd_bytes, 19 * MSS + 16);
    now += rtt;
    acknowledge(MSS, 50 * MS, true, true);
}

static void what_a_short_segment_lacks_is_made_good_a_round_trip_later(void **state) {
    static const struct congestion_ops *const all[] = {&congestion_cubic, &congestion_newreno, &congestion_bbr1};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        first_round_with_a_short_segment(all[i], true);
        assert_int_equal(c.cwnd_bytes, 21 * MSS);
        first_round_with_a_short_segment(all[i], false);
        assert_int_equal(c.cwnd_bytes, 20 * MSS + 16);
    }
}

/* [R-9438-4.6-3] */
static void a_window_that_does_not_limit_does_not_grow(void **state) {
    (void)state;
    const struct congestion_ops *both[] = {&congestion_cubic, &congestion_newreno};
    for (int i = 0; i < 2; i++) {
        begin(both[i], 50 * MS);
        uint32_t before = c.cwnd_bytes;
        for (int k = 0; k < 100; k++) acknowledge(MSS, 50 * MS, true, false);
        assert_int_equal(c.cwnd_bytes, before);
    }
}

/* [R-9438-4.10-2] */
static void rising_round_trips_end_slow_start_before_loss(void **state) {
    (void)state;
    begin(&congestion_cubic, 50 * MS);
    for (int i = 0; i < 4; i++) one_round(50 * MS);
    one_round(60 * MS); /* more than an eighth above: conservative slow start */
    uint32_t before = c.cwnd_bytes;
    one_round(62 * MS);
    assert_true(c.cwnd_bytes < before + before / 3);
    for (int i = 0; i < 6; i++) one_round(62 * MS);
    assert_true(c.ssthresh_bytes < UINT32_MAX);
}

static void a_passing_delay_does_not_end_slow_start(void **state) {
    (void)state;
    begin(&congestion_cubic, 50 * MS);
    for (int i = 0; i < 3; i++) one_round(50 * MS);
    one_round(60 * MS);
    for (int i = 0; i < 3; i++) one_round(50 * MS);
    uint32_t before = c.cwnd_bytes;
    one_round(50 * MS);
    assert_true(c.cwnd_bytes > before + before * 3 / 4);
    assert_int_equal(c.ssthresh_bytes, UINT32_MAX);
}

/* On a path of ten milliseconds a queue of four is half of what it carries, and a queue for one round trip full before the rise is
 * seen; but the first twenty segments were acknowledged at the pace that the path has. */
static void a_train_as_long_as_the_round_trip_ends_slow_start_before_a_queue_does(void **state) {
    (void)state;
    begin(&congestion_cubic, 10 * MS);
    round_that_lasts(10 * MS, 5 * MS);
    uint32_t before = c.cwnd_bytes;
    assert_in_range(before, 19 * MSS, 20 * MSS);
    round_that_lasts(12 * MS, 10 * MS); /* twenty in a round trip, and a queue of two milliseconds: the path is full */
    assert_in_range(c.cwnd_bytes, before * 14 / 10, before * 18 / 10);
    before = c.cwnd_bytes;
    round_that_lasts(12 * MS, 10 * MS);
    assert_true(c.cwnd_bytes <= before * 13 / 10);
    assert_int_equal(c.ssthresh_bytes, UINT32_MAX); /* it may have been wrong */
}

/* The same without a queue: whoever sends had no more to send. */
static void a_long_train_without_a_queue_says_nothing(void **state) {
    (void)state;
    begin(&congestion_cubic, 10 * MS);
    for (int i = 0; i < 3; i++) {
        uint32_t before = c.cwnd_bytes;
        round_that_lasts(10 * MS, 10 * MS);
        assert_in_range(c.cwnd_bytes, 2 * before - 2 * MSS, 2 * before);
    }
}

/* The last of a round is alone, and the peer waits forty milliseconds with its acknowledgement. */
static void an_acknowledgement_held_back_says_nothing_of_the_pace(void **state) {
    (void)state;
    begin(&congestion_cubic, 10 * MS);
    for (int i = 0; i < 4; i++) {
        uint32_t before = c.cwnd_bytes;
        c.cwnd_bytes -= MSS;
        round_that_lasts(10 * MS, 2 * MS);
        now += 40 * MS;
        acknowledge(MSS, 50 * MS, false, true);
        c.cwnd_bytes = 2 * before;
        assert_int_equal(c.ssthresh_bytes, UINT32_MAX);
        assert_false(c.queue_felt);
    }
}

/* Ten and a half segments: only ten can be under way, and once they are acknowledged there is room for an eleventh. */
static void half_a_segment_is_not_waited_for(void **state) {
    (void)state;
    begin(&congestion_newreno, 50 * MS);
    c.cwnd_bytes = 21 * MSS;
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    assert_int_equal(c.cwnd_bytes, 10 * MSS + MSS / 2);
    for (int i = 0; i < 10; i++) acknowledge(MSS, 50 * MS, i == 0, true);
    assert_int_equal(c.cwnd_bytes, 11 * MSS + MSS / 2);
}

static void newreno_adds_a_segment_a_round_trip(void **state) {
    (void)state;
    begin(&congestion_newreno, 50 * MS);
    c.cwnd_bytes = 100 * MSS;
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    assert_int_equal(c.cwnd_bytes, 50 * MSS);
    for (int i = 1; i <= 20; i++) {
        one_round(50 * MS);
        assert_in_range(c.cwnd_bytes, (50 + i - 1) * MSS, (50 + i) * MSS);
    }
}

/* RFC 9438 eq. 1 in floating point beside ours in integers, a loss at 1000 segments, 100 ms. */
/* [R-5681-4.3-1] [R-9438-4.4-1] [R-9438-4.6-1] [R-9438-4.6-2] [R-9438-5-1] */
static void cubic_follows_its_function(void **state) {
    (void)state;
    begin(&congestion_cubic, 100 * MS);
    c.cwnd_bytes = 1000 * MSS;
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    assert_int_equal(c.cwnd_bytes, 700 * MSS);
    c.ops->on_recovered(&c, now);
    braid_time epoch = now;
    double k = cbrt(300 / 0.4);
    for (int i = 0; i < 150; i++) {
        one_round(100 * MS);
        double t = (double)(now - epoch) / (double)SECOND;
        double expected = 0.4 * pow(t - k, 3) + 1000;
        double have = (double)c.cwnd_bytes / MSS;
        assert_true(have > expected * 0.97 && have < expected * 1.03);
    }
}

/* Short round trips, small windows: at least what Reno gets (RFC 9438 §4.3). */
/* [R-9438-4.3-1] [R-9438-4.3-2] */
static void cubic_is_no_slower_than_reno_where_reno_is_fast(void **state) {
    (void)state;
    begin(&congestion_cubic, 5 * MS);
    c.cwnd_bytes = 20 * MSS;
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    assert_int_equal(c.cwnd_bytes, 14 * MSS);
    for (int i = 0; i < 100; i++) one_round(5 * MS);
    /* alpha is 9/17 up to 20 segments, then 1: 6 / 0.53 rounds, and the rest one by one. */
    assert_in_range(c.cwnd_bytes, 100 * MSS, 112 * MSS);
}

/* [R-9438-4.7-1] */
static void fast_convergence_leaves_room(void **state) {
    (void)state;
    begin(&congestion_cubic, 100 * MS);
    c.cwnd_bytes = 1000 * MSS;
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    for (int i = 0; i < 10; i++) one_round(100 * MS);
    uint32_t below = c.cwnd_bytes;
    assert_true(below < 1000 * MSS);
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    /* The plateau is at 0.85 of the window, not at it. */
    uint32_t plateau = 0;
    for (int i = 0; i < 200 && plateau == 0; i++) {
        uint32_t before = c.cwnd_bytes;
        one_round(100 * MS);
        if (c.cwnd_bytes - before < MSS / 4) plateau = c.cwnd_bytes;
    }
    assert_in_range(plateau, below / 100 * 82, below / 100 * 88);
}

/* [R-5681-3.1-8] [R-9438-4.8-1] */
static void a_timeout_leaves_one_segment_and_remembers_half_way(void **state) {
    (void)state;
    begin(&congestion_cubic, 50 * MS);
    c.cwnd_bytes = 100 * MSS;
    c.ops->on_timeout(&c, c.cwnd_bytes, now);
    assert_int_equal(c.cwnd_bytes, MSS);
    assert_int_equal(c.ssthresh_bytes, 70 * MSS);
    for (int i = 0; i < 10; i++) one_round(50 * MS);
    assert_in_range(c.cwnd_bytes, 70 * MSS, 80 * MSS);
    begin(&congestion_newreno, 50 * MS);
    c.cwnd_bytes = 100 * MSS;
    c.ops->on_timeout(&c, c.cwnd_bytes, now);
    assert_int_equal(c.cwnd_bytes, MSS);
    assert_int_equal(c.ssthresh_bytes, 50 * MSS);
}

static void the_window_never_falls_below_its_floor(void **state) {
    (void)state;
    const struct congestion_ops *both[] = {&congestion_cubic, &congestion_newreno};
    for (int i = 0; i < 2; i++) {
        begin(both[i], 50 * MS);
        for (int k = 0; k < 100; k++) c.ops->on_loss(&c, 0, now);
        assert_int_equal(c.cwnd_bytes, 2 * MSS);
        for (int k = 0; k < 100; k++) c.ops->on_timeout(&c, 0, now);
        assert_int_equal(c.cwnd_bytes, MSS);
        assert_int_equal(c.ssthresh_bytes, 2 * MSS);
    }
}

/* [R-9438-4.9-1] */
static void a_spurious_reduction_is_taken_back(void **state) {
    (void)state;
    const struct congestion_ops *both[] = {&congestion_cubic, &congestion_newreno};
    for (int i = 0; i < 2; i++) {
        begin(both[i], 50 * MS);
        c.cwnd_bytes = 100 * MSS;
        c.ops->on_loss(&c, c.cwnd_bytes, now);
        c.ops->on_undo(&c, now);
        assert_int_equal(c.cwnd_bytes, 100 * MSS);
        assert_int_equal(c.ssthresh_bytes, UINT32_MAX);
        c.ops->on_timeout(&c, c.cwnd_bytes, now);
        c.ops->on_undo(&c, now);
        assert_int_equal(c.cwnd_bytes, 100 * MSS);
    }
}

/* An idle hour must neither count as growth nor overflow. */
/* [R-9438-4.2-1] */
static void an_idle_hour_is_not_growth(void **state) {
    (void)state;
    begin(&congestion_cubic, 50 * MS);
    c.cwnd_bytes = 200 * MSS;
    c.ops->on_loss(&c, c.cwnd_bytes, now);
    for (int i = 0; i < 10; i++) one_round(50 * MS);
    uint32_t before = c.cwnd_bytes;
    now += 3600 * SECOND;
    c.ops->on_restart(&c, 3600 * SECOND, now);
    assert_true(c.cwnd_bytes <= 10 * MSS && c.ssthresh_bytes >= before / 2);
    for (int i = 0; i < 6; i++) one_round(50 * MS);
    assert_true(c.cwnd_bytes < before + before / 4);
    /* The same without a restart, only with a window that did not limit. */
    now += 3600 * SECOND;
    acknowledge(MSS, 50 * MS, true, false);
    before = c.cwnd_bytes;
    one_round(50 * MS);
    assert_true(c.cwnd_bytes < before + before / 4);
}

/* Largest and smallest of everything: windows stay between one segment and 2^30, and never jump down. */
static void extremes_do_not_overflow(void **state) {
    (void)state;
    const uint32_t sizes[] = {88, 1448, 65483};
    const braid_time round_trips[] = {1000, MS, 600 * MS, 100 * SECOND};
    for (unsigned s = 0; s < ARRAY_COUNT(sizes); s++) {
        for (unsigned r = 0; r < ARRAY_COUNT(round_trips); r++) {
            begin(&congestion_cubic, round_trips[r]);
            congestion_start(&c, &congestion_cubic, sizes[s], now);
            c.cwnd_bytes = 1u << 30;
            c.ops->on_loss(&c, c.cwnd_bytes, now);
            c.cwnd_bytes = 2 * sizes[s];
            c.ssthresh_bytes = 2 * sizes[s];
            c.ops->on_recovered(&c, now);
            for (int i = 0; i < 400; i++) {
                uint32_t before = c.cwnd_bytes;
                acknowledge(i % 3 == 0 ? UINT32_MAX : c.cwnd_bytes, round_trips[r], true, true);
                now += round_trips[r] * (i % 50 == 0 ? 100000 : 1);
                assert_true(c.cwnd_bytes >= before && c.cwnd_bytes <= 1u << 30);
            }
            c.ops->on_loss(&c, UINT32_MAX, now);
            assert_true(c.cwnd_bytes >= 2 * sizes[s] && c.cwnd_bytes < 1u << 30);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(algorithms_are_found_by_name),
        cmocka_unit_test(the_initial_window_is_that_of_rfc_6928),
        cmocka_unit_test(slow_start_doubles_each_round_trip),
        cmocka_unit_test(what_a_short_segment_lacks_is_made_good_a_round_trip_later),
        cmocka_unit_test(a_window_that_does_not_limit_does_not_grow),
        cmocka_unit_test(rising_round_trips_end_slow_start_before_loss),
        cmocka_unit_test(a_passing_delay_does_not_end_slow_start),
        cmocka_unit_test(a_train_as_long_as_the_round_trip_ends_slow_start_before_a_queue_does),
        cmocka_unit_test(a_long_train_without_a_queue_says_nothing),
        cmocka_unit_test(an_acknowledgement_held_back_says_nothing_of_the_pace),
        cmocka_unit_test(half_a_segment_is_not_waited_for),
        cmocka_unit_test(newreno_adds_a_segment_a_round_trip),
        cmocka_unit_test(cubic_follows_its_function),
        cmocka_unit_test(cubic_is_no_slower_than_reno_where_reno_is_fast),
        cmocka_unit_test(fast_convergence_leaves_room),
        cmocka_unit_test(a_timeout_leaves_one_segment_and_remembers_half_way),
        cmocka_unit_test(the_window_never_falls_below_its_floor),
        cmocka_unit_test(a_spurious_reduction_is_taken_back),
        cmocka_unit_test(an_idle_hour_is_not_growth),
        cmocka_unit_test(extremes_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
