/* Opening and closing in every order (RFC 9293 §3.5, §3.6). */
#include "tcp_pair.h"

static struct pair p;

static void begin(void) {
    pair_init(&p, 3);
    pair_establish(&p);
}

static enum tcp_state state_of(int i) { return tcp_state(p.ends[i].t); }

static void each_end_may_close_first(void **state) {
    (void)state;
    for (int first = 0; first < 2; first++) {
        begin();
        p.ends[1 - first].close_on_fin = true;
        tcp_shutdown(p.ends[first].t, p.now);
        assert_true(pair_run_until(&p, both_closed, 10 * SECOND));
        assert_int_equal(p.ends[0].reason, TCP_CLOSED_NORMALLY);
        assert_int_equal(p.ends[1].reason, TCP_CLOSED_NORMALLY);
        assert_true(p.ends[first].fin && p.ends[1 - first].fin);
        assert_true(tcp_all_acknowledged(p.ends[0].t) && tcp_all_acknowledged(p.ends[1].t));
        pair_destroy(&p);
    }
}

static void a_half_closed_connection_still_carries_the_other_way(void **state) {
    (void)state;
    begin();
    tcp_shutdown(p.ends[0].t, p.now);
    pair_run(&p, SECOND);
    assert_int_equal(state_of(0), TCP_STATE_FIN_WAIT_2);
    assert_int_equal(state_of(1), TCP_STATE_CLOSE_WAIT);
    struct braid_slice slice = slice_copy(&p.world.env, "x", 1);
    assert_false(tcp_send(p.ends[0].t, slice));
    slice_release(&slice);
    p.ends[1].to_send = 1000000;
    p.ends[1].close_when_written = true;
    assert_true(pair_run_until(&p, both_closed, 30 * SECOND));
    assert_int_equal(p.ends[0].received, 1000000);
    assert_int_equal(p.ends[0].data_wrong, 0);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_NORMALLY);
    pair_destroy(&p);
}

static void both_close_at_the_same_moment(void **state) {
    (void)state;
    begin();
    tcp_shutdown(p.ends[0].t, p.now);
    tcp_shutdown(p.ends[1].t, p.now);
    pair_settle(&p);
    assert_int_equal(state_of(0), TCP_STATE_FIN_WAIT_1);
    assert_int_equal(state_of(1), TCP_STATE_FIN_WAIT_1);
    pair_run(&p, 16 * MS);
    assert_int_equal(state_of(0), TCP_STATE_CLOSING);
    pair_run(&p, 30 * MS);
    assert_int_equal(state_of(0), TCP_STATE_TIME_WAIT);
    assert_int_equal(state_of(1), TCP_STATE_TIME_WAIT);
    assert_true(pair_run_until(&p, both_closed, 10 * SECOND));
    pair_destroy(&p);
}

static void both_open_at_the_same_moment(void **state) {
    (void)state;
    for (int lossy = 0; lossy < 2; lossy++) {
        pair_init(&p, 3);
        assert_true(pair_create(&p));
        for (int i = 0; i < 2; i++) p.ends[i].wire.loss = lossy ? 0.3 : 0;
        tcp_connect(p.ends[0].t, p.now);
        tcp_connect(p.ends[1].t, p.now);
        p.ends[0].to_send = p.ends[1].to_send = 10000;
        assert_true(pair_run_until(&p, both_established, 200 * SECOND));
        assert_true(pair_run_until(&p, all_received, 200 * SECOND));
        assert_int_equal(p.ends[0].data_wrong + p.ends[1].data_wrong, 0);
        pair_destroy(&p);
    }
}

static void data_written_before_the_handshake_is_sent_after_it(void **state) {
    (void)state;
    pair_init(&p, 3);
    assert_true(pair_create(&p));
    p.ends[0].to_send = 5000;
    p.ends[0].close_when_written = true;
    p.ends[1].close_on_fin = true;
    tcp_connect(p.ends[0].t, p.now);
    pair_settle(&p);
    assert_int_equal(tcp_unsent(p.ends[0].t), 5000);
    assert_int_equal(tcp_room(p.ends[0].t), 0);
    assert_true(pair_run_until(&p, both_closed, 20 * SECOND));
    assert_int_equal(p.ends[1].received, 5000);
    pair_destroy(&p);
}

static void time_wait_answers_a_repeated_fin_and_starts_anew(void **state) {
    (void)state;
    begin();
    p.ends[1].close_on_fin = true;
    tcp_shutdown(p.ends[0].t, p.now);
    pair_run(&p, 35 * MS); /* FIN, FIN and ACK; the last ACK is on its way */
    assert_int_equal(state_of(0), TCP_STATE_TIME_WAIT);
    assert_int_equal(state_of(1), TCP_STATE_LAST_ACK);
    for (size_t i = 0; i < p.flight_count; i++) free(p.flights[i].bytes);
    p.flight_count = 0; /* and is lost */
    pair_run(&p, 900 * MS);
    assert_int_equal(state_of(0), TCP_STATE_TIME_WAIT);
    assert_true(p.ends[1].closed);
    assert_int_equal(p.ends[1].reason, TCP_CLOSED_NORMALLY);
    pair_run(&p, 600 * MS);
    assert_true(p.ends[0].closed);
    pair_destroy(&p);
}

static void an_abort_resets_the_peer(void **state) {
    (void)state;
    begin();
    p.ends[0].to_send = 1000000;
    pair_run(&p, 100 * MS);
    p.ends[0].to_send = p.ends[0].written;
    tcp_abort(p.ends[0].t, p.now);
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_ABORTED);
    pair_run(&p, SECOND);
    assert_true(p.ends[1].closed);
    assert_int_equal(p.ends[1].reason, TCP_CLOSED_RESET);
    pair_destroy(&p);
}

static void a_silent_reset_says_nothing(void **state) {
    (void)state;
    pair_init(&p, 3);
    p.ends[0].config.reset_silently = true;
    pair_establish(&p);
    uint64_t before = p.ends[0].segments;
    tcp_abort(p.ends[0].t, p.now);
    pair_run(&p, SECOND);
    assert_int_equal(p.ends[0].segments, before);
    assert_false(p.ends[1].closed);
    pair_destroy(&p);
}

static void an_abort_before_any_answer_says_nothing(void **state) {
    (void)state;
    pair_init(&p, 3);
    assert_true(pair_create(&p));
    p.ends[0].wire.loss = 1;
    tcp_connect(p.ends[0].t, p.now);
    pair_run(&p, 100 * MS);
    assert_int_equal(p.ends[0].segments, 1);
    tcp_abort(p.ends[0].t, p.now);
    pair_run(&p, 10 * SECOND);
    assert_int_equal(p.ends[0].segments, 1);
    pair_destroy(&p);
}

static void a_connect_nobody_answers_times_out(void **state) {
    (void)state;
    pair_init(&p, 3);
    p.ends[0].config.connect_timeout_ns = 20 * SECOND;
    assert_true(pair_create(&p));
    p.ends[0].wire.loss = 1;
    braid_time start = p.now;
    tcp_connect(p.ends[0].t, p.now);
    while (!p.ends[0].closed) assert_true(pair_step(&p, start + 100 * SECOND));
    assert_int_equal(p.now - start, 20 * SECOND);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_TIMEOUT);
    assert_int_equal(p.ends[0].segments, 5); /* at 0, 1, 3, 7 and 15 s */
    pair_destroy(&p);
}

static void a_lost_syn_or_syn_ack_is_sent_again(void **state) {
    (void)state;
    for (int who = 0; who < 2; who++) {
        pair_init(&p, 3);
        assert_true(pair_create(&p));
        p.ends[who].wire.loss = 1;
        tcp_connect(p.ends[0].t, p.now);
        pair_run(&p, 500 * MS);
        p.ends[who].wire.loss = 0;
        assert_true(pair_run_until(&p, both_established, 2 * SECOND));
        pair_destroy(&p);
    }
}

/* The third ACK is lost: the first data does its work. */
static void a_lost_third_ack_does_not_matter(void **state) {
    (void)state;
    pair_init(&p, 3);
    assert_true(pair_create(&p));
    tcp_connect(p.ends[0].t, p.now);
    while (!p.ends[0].established) {
        assert_true(pair_step(&p, p.now + SECOND));
        if (tcp_state(p.ends[1].t) == TCP_STATE_SYN_RECEIVED) p.ends[0].wire.loss = 1;
    }
    p.ends[0].wire.loss = 0;
    p.ends[0].to_send = 100;
    assert_true(pair_run_until(&p, all_received, 100 * MS));
    assert_true(p.ends[1].established);
    pair_destroy(&p);
}

static void a_full_transfer_and_close_with_every_packet_tried_lost_once(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed < 60; seed++) {
        pair_init(&p, seed);
        for (int i = 0; i < 2; i++) {
            p.ends[i].wire.loss = 0.25;
            p.ends[i].to_send = 3000;
            p.ends[i].close_when_written = true;
            p.ends[i].config.time_wait_ns = 300 * SECOND;
            p.ends[i].config.no_delay = seed % 2;
        }
        assert_true(pair_create(&p));
        tcp_connect(p.ends[0].t, p.now);
        assert_true(pair_run_until(&p, both_closed, 3000 * SECOND));
        assert_true(all_received(&p));
        assert_int_equal(p.ends[0].reason, TCP_CLOSED_NORMALLY);
        assert_int_equal(p.ends[1].reason, TCP_CLOSED_NORMALLY);
        pair_destroy(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_end_may_close_first),
        cmocka_unit_test(a_half_closed_connection_still_carries_the_other_way),
        cmocka_unit_test(both_close_at_the_same_moment),
        cmocka_unit_test(both_open_at_the_same_moment),
        cmocka_unit_test(data_written_before_the_handshake_is_sent_after_it),
        cmocka_unit_test(time_wait_answers_a_repeated_fin_and_starts_anew),
        cmocka_unit_test(an_abort_resets_the_peer),
        cmocka_unit_test(a_silent_reset_says_nothing),
        cmocka_unit_test(an_abort_before_any_answer_says_nothing),
        cmocka_unit_test(a_connect_nobody_answers_times_out),
        cmocka_unit_test(a_lost_syn_or_syn_ack_is_sent_again),
        cmocka_unit_test(a_lost_third_ack_does_not_matter),
        cmocka_unit_test(a_full_transfer_and_close_with_every_packet_tried_lost_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
