/* Both windows: never overrun, never silly, never a deadlock. */
#include "tcp_pair.h"

static struct pair p;

static void read_all(struct end *e) {
    e->read = e->received;
    tcp_window_opened(e->t, e->pair->now);
}

static void a_closed_window_holds_everything_and_opens_again(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 50000;
    p.ends[1].reading = false;
    pair_establish(&p);
    p.ends[0].to_send = 200000;
    pair_run(&p, 5 * SECOND);
    assert_in_range(p.ends[1].received, 48000, 50000);
    assert_int_equal(info_of(&p.ends[0]).in_flight_bytes, 0);
    assert_int_equal(tcp_room(p.ends[0].t), 0);
    braid_time start = p.now;
    p.ends[1].reading = true;
    read_all(&p.ends[1]);
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_true(p.now - start < 500 * MS); /* the update came at once, no probe was needed */
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
}

static void a_closed_window_is_probed_for_ever_while_the_peer_answers(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].config.user_timeout_ns = 60 * SECOND;
    p.ends[1].config.receive_window_max_bytes = 20000;
    p.ends[1].reading = false;
    pair_establish(&p);
    p.ends[0].to_send = 100000;
    pair_run(&p, 10 * SECOND);
    uint64_t before = p.ends[0].segments;
    pair_run(&p, 3600 * SECOND);
    assert_false(p.ends[0].closed);
    assert_in_range(p.ends[0].segments - before, 55, 70); /* once a minute in the end */
    /* The update is lost: the next probe finds out. */
    p.ends[1].wire.loss = 1;
    p.ends[1].reading = true;
    read_all(&p.ends[1]);
    pair_run(&p, 50 * MS);
    p.ends[1].wire.loss = 0;
    assert_true(pair_run_until(&p, all_received, 120 * SECOND));
    pair_destroy(&p);
}

static void a_closed_window_without_answers_ends_by_the_user_timeout(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].config.user_timeout_ns = 60 * SECOND;
    p.ends[1].config.receive_window_max_bytes = 20000;
    p.ends[1].reading = false;
    pair_establish(&p);
    p.ends[0].to_send = 100000;
    pair_run(&p, 10 * SECOND);
    p.ends[1].wire.loss = 1;
    pair_run(&p, 300 * SECOND);
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_TIMEOUT);
    pair_destroy(&p);
}

/* The user timeout counts from when there is something to say, not from the last thing said. */
static void data_after_a_long_silence_is_not_late(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].config.user_timeout_ns = 60 * SECOND;
    p.ends[1].config.receive_window_max_bytes = 20000;
    p.ends[1].reading = false;
    pair_establish(&p);
    p.ends[0].to_send = 20000; /* fills the window exactly */
    pair_run(&p, 600 * SECOND);
    assert_int_equal(p.ends[1].received, 20000);
    p.ends[0].to_send += 1000;
    pair_run(&p, 20 * SECOND);
    assert_false(p.ends[0].closed);
    p.ends[1].reading = true;
    read_all(&p.ends[1]);
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    pair_run(&p, 600 * SECOND);
    p.ends[0].to_send += 1000;
    assert_true(pair_run_until(&p, all_received, SECOND));
    pair_destroy(&p);
}

/* An application that reads a byte now and then does not draw small segments (RFC 9293 §3.8.6.2). */
static uint64_t small_segments, small_steps;
static seq32 last_edge;
static void count_small(struct end *from, const struct tcp_segment *s) {
    if (from->index == 0 && s->payload_length > 0 && s->payload_length < 1448) small_segments++;
    if (from->index == 0) return;
    seq32 edge = seq32_add(s->ack, s->window); /* the scale is 0 */
    int32_t step = seq32_diff(edge, last_edge);
    if (step > 0 && step < 1448) small_steps++;
    last_edge = edge;
}

static void a_slow_reader_draws_no_small_segments(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 20000;
    p.ends[1].reading = false;
    pair_establish(&p);
    pair_run(&p, SECOND);
    small_segments = small_steps = 0;
    last_edge = seq32_add(tcp_rcv_nxt(p.ends[1].t), 20000);
    p.crossing = count_small;
    p.ends[0].to_send = 1000 * 1448;
    for (int i = 0; i < 4000; i++) {
        pair_run(&p, 5 * MS);
        struct end *e = &p.ends[1];
        uint64_t step = 100 + 37 * (uint64_t)(i % 7);
        e->read = e->read + step < e->received ? e->read + step : e->received;
        tcp_window_opened(e->t, p.now);
    }
    assert_true(p.ends[1].received > 500000);
    assert_true(small_segments < 40);
    assert_int_equal(small_steps, 0);
    pair_destroy(&p);
}

/* The right edge never goes back but by rounding, and no more than advertised is accepted. */
static seq32 edge_max;
static bool edge_known;
static void watch_edge(struct end *from, const struct tcp_segment *s) {
    if (from->index != 1 || (s->flags & TCP_SYN)) return;
    seq32 edge = seq32_add(s->ack, (uint32_t)s->window << 7);
    if (edge_known) assert_true(seq32_diff(edge, edge_max) > -128);
    if (!edge_known || seq32_gt(edge, edge_max)) edge_max = edge;
    edge_known = true;
}

static void the_right_edge_never_goes_back(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 8000000; /* scale 7 */
    p.ends[1].reading = false;
    pair_establish(&p);
    edge_known = false;
    p.crossing = watch_edge;
    p.ends[0].to_send = 20000000;
    p.ends[0].wire.loss = 0.005;
    for (int i = 0; i < 300; i++) {
        pair_run(&p, 20 * MS);
        if (i % 3 == 0) {
            p.ends[1].read += (p.ends[1].received - p.ends[1].read) / 2;
            tcp_window_opened(p.ends[1].t, p.now);
        }
    }
    assert_true(p.ends[1].received - p.ends[1].read <= 8000000);
    assert_true(edge_known);
    pair_destroy(&p);
}

/* The peer takes back what it offered: what was sent beyond is repeated when it may, and nothing is lost. */
static void a_shrinking_window_is_survived(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 1000000;
    pair_establish(&p);
    p.ends[0].to_send = 3000000;
    pair_run(&p, 100 * MS);
    /* A forged but valid ACK says: no window. */
    struct tcp_segment s = {
        .seq = tcp_snd_nxt(p.ends[1].t),
        .ack = tcp_snd_una(p.ends[0].t),
        .flags = TCP_ACK,
        .window = 0,
    };
    pair_inject(&p, 1, &s, NULL, 0);
    assert_int_equal(tcp_peer_window(p.ends[0].t), 0);
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
}

/* Both ends have data and both windows are closed: ACKs must pass all the same. */
static void two_closed_windows_do_not_lock(void **state) {
    (void)state;
    pair_init(&p, 1);
    for (int i = 0; i < 2; i++) {
        p.ends[i].config.receive_window_max_bytes = 10000;
        p.ends[i].reading = false;
        p.ends[i].to_send = 60000;
    }
    pair_establish(&p);
    pair_run(&p, 20 * SECOND);
    for (int i = 0; i < 2; i++) {
        p.ends[i].reading = true;
        read_all(&p.ends[i]);
    }
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    pair_destroy(&p);
}

/* A peer that ignores the window gets rid of nothing: what is beyond is counted and dropped. */
static void data_beyond_the_window_is_cut_off(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 1000;
    p.ends[1].reading = false;
    pair_establish(&p);
    static uint8_t data[3000];
    for (unsigned i = 0; i < sizeof(data); i++) data[i] = pattern(0, i);
    struct tcp_segment s = {.seq = tcp_rcv_nxt(p.ends[1].t), .ack = tcp_snd_nxt(p.ends[1].t), .flags = TCP_ACK};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(p.ends[1].received, 1000);
    assert_int_equal(p.ends[1].drops.data_without_room, 1);
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
}

/* One-byte segments behind a hole may not take memory without bound. */
static void crumbs_out_of_order_are_bounded_in_memory(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 100000;
    pair_establish(&p);
    uint64_t before = p.world.allocated_bytes;
    seq32 base = tcp_rcv_nxt(p.ends[1].t);
    const uint8_t data[1] = {0};
    p.unchecked = true;
    for (uint32_t i = 1; i < 49000; i++) {
        struct tcp_segment s = {.seq = seq32_add(base, 2 * i), .ack = tcp_snd_nxt(p.ends[1].t), .flags = TCP_ACK,
                                .source_port = 40000, .destination_port = 80,
                                .payload = data, .payload_length = 1};
        tcp_input(p.ends[1].t, &s, NULL, 0, p.now);
    }
    tcp_check_invariants(p.ends[1].t);
    assert_true(p.world.allocated_bytes - before < 4 * 100000 + 200000);
    assert_true(p.ends[1].drops.no_memory > 0);
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_closed_window_holds_everything_and_opens_again),
        cmocka_unit_test(a_closed_window_is_probed_for_ever_while_the_peer_answers),
        cmocka_unit_test(a_closed_window_without_answers_ends_by_the_user_timeout),
        cmocka_unit_test(data_after_a_long_silence_is_not_late),
        cmocka_unit_test(a_slow_reader_draws_no_small_segments),
        cmocka_unit_test(the_right_edge_never_goes_back),
        cmocka_unit_test(a_shrinking_window_is_survived),
        cmocka_unit_test(two_closed_windows_do_not_lock),
        cmocka_unit_test(data_beyond_the_window_is_cut_off),
        cmocka_unit_test(crumbs_out_of_order_are_bounded_in_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
