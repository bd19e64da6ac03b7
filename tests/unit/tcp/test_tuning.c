/* What an application may set while a connection lives: cork, keepalive, user timeout, Nagle. */
#include "tcp_pair.h"

static struct pair p;
static unsigned data_segments, small_segments;

static void watch(struct end *from, const struct tcp_segment *s) {
    if (from->index != 0 || s->payload_length == 0) return;
    data_segments++;
    small_segments += s->payload_length < 1448;
}

static void begin(const struct tcp_tuning *tuning) {
    pair_init(&p, 5);
    p.crossing = watch;
    data_segments = small_segments = 0;
    pair_establish(&p);
    tcp_tune(p.ends[0].t, tuning, p.now);
}

static void write_more(uint64_t bytes) {
    p.ends[0].to_send += bytes;
    pair_settle(&p);
}

static void a_cork_holds_what_is_no_full_segment(void **state) {
    (void)state;
    begin(&(struct tcp_tuning){.no_delay = true, .cork = true});
    for (int i = 0; i < 10; i++) {
        write_more(500);
        pair_run(&p, 5 * MS);
    }
    assert_int_equal(data_segments, 3); /* 5000 bytes are three full ones, and a rest */
    assert_int_equal(small_segments, 0);
    tcp_tune(p.ends[0].t, &(struct tcp_tuning){.no_delay = true}, p.now);
    pair_run(&p, 50 * MS);
    assert_int_equal(p.ends[1].received, 5000);
    assert_int_equal(small_segments, 1);
    pair_destroy(&p);
}

static void a_cork_holds_for_200_ms_at_most(void **state) {
    (void)state;
    begin(&(struct tcp_tuning){.no_delay = true, .cork = true});
    for (int i = 0; i < 2; i++) {
        write_more(100);
        pair_run(&p, 199 * MS);
        assert_int_equal(p.ends[1].received, 100 * (uint64_t)i);
        pair_run(&p, 20 * MS);
        assert_int_equal(p.ends[1].received, 100 * (uint64_t)(i + 1));
        pair_run(&p, 100 * MS);
    }
    pair_destroy(&p);
}

static void the_end_of_the_stream_pulls_the_cork(void **state) {
    (void)state;
    begin(&(struct tcp_tuning){.no_delay = true, .cork = true});
    p.ends[0].close_when_written = true;
    write_more(100);
    pair_run(&p, 20 * MS);
    assert_int_equal(p.ends[1].received, 100);
    assert_true(p.ends[1].fin);
    pair_destroy(&p);
}

static void nagle_is_set_and_taken_back(void **state) {
    (void)state;
    begin(&(struct tcp_tuning){0});
    write_more(100);
    write_more(100);
    assert_int_equal(data_segments, 1); /* the second waits for the first */
    tcp_tune(p.ends[0].t, &(struct tcp_tuning){.no_delay = true}, p.now);
    pair_settle(&p);
    assert_int_equal(data_segments, 2);
    pair_destroy(&p);
}

static const struct tcp_tuning keepalive = {
    .keepalive_idle_ns = 10 * SECOND, .keepalive_interval_ns = 2 * SECOND, .keepalive_probes = 3};

static void an_idle_peer_is_probed_and_answers(void **state) {
    (void)state;
    begin(&keepalive);
    uint64_t before = p.ends[1].segments;
    pair_run(&p, 65 * SECOND);
    assert_int_equal(p.ends[1].segments - before, 6); /* answers, ten seconds and a round trip apart */
    assert_false(p.ends[0].closed);
    pair_destroy(&p);
}

static bool all_of_it(struct end *from, const struct tcp_segment *s, uint32_t nth) {
    (void)from, (void)s, (void)nth;
    return true;
}

static void a_peer_that_answers_no_probe_is_gone(void **state) {
    (void)state;
    begin(&keepalive);
    pair_run(&p, SECOND);
    p.ends[1].drop = all_of_it;
    uint64_t before = p.ends[0].segments;
    pair_run(&p, 14 * SECOND);
    assert_false(p.ends[0].closed);
    pair_run(&p, 3 * SECOND);
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_TIMEOUT);
    assert_int_equal(p.ends[0].segments - before, 3);
    pair_destroy(&p);
}

static void without_keepalive_nothing_is_sent(void **state) {
    (void)state;
    begin(&(struct tcp_tuning){0});
    uint64_t before = p.ends[0].segments;
    pair_run(&p, 20000 * SECOND);
    assert_int_equal(p.ends[0].segments, before);
    assert_int_equal(tcp_deadline(p.ends[0].t), BRAID_NEVER);
    pair_destroy(&p);
}

static void the_user_timeout_ends_a_subflow_whose_data_is_not_acknowledged(void **state) {
    (void)state;
    begin(&(struct tcp_tuning){.user_timeout_ns = 5 * SECOND});
    p.ends[1].drop = all_of_it;
    write_more(1000);
    pair_run(&p, 4900 * MS);
    assert_false(p.ends[0].closed);
    pair_run(&p, 5 * SECOND); /* it is looked at when a timer fires */
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_TIMEOUT);
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cork_holds_what_is_no_full_segment),
        cmocka_unit_test(a_cork_holds_for_200_ms_at_most),
        cmocka_unit_test(the_end_of_the_stream_pulls_the_cork),
        cmocka_unit_test(nagle_is_set_and_taken_back),
        cmocka_unit_test(an_idle_peer_is_probed_and_answers),
        cmocka_unit_test(a_peer_that_answers_no_probe_is_gone),
        cmocka_unit_test(without_keepalive_nothing_is_sent),
        cmocka_unit_test(the_user_timeout_ends_a_subflow_whose_data_is_not_acknowledged),
    };
    return cmocka_run_group_tests_name("tuning", tests, NULL, NULL);
}
