/* What goes out, when, and in what shape. */
#include "tcp_pair.h"

static struct pair p;

/* --- acknowledging --- */

static void every_second_full_segment_is_acknowledged(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 500000; /* no losses */
    pair_establish(&p);
    p.ends[0].to_send = 10000000;
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    uint64_t data = info_of(&p.ends[0]).segments_sent;
    assert_in_range(p.ends[1].segments, data / 2 - 20, data / 2 + 60);
    pair_destroy(&p);
}

/* The first segment of a connection has MP_CAPABLE beside it, say, and all others a longer DSS. */
static void every_second_full_segment_is_acknowledged_also_when_options_grow(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[1].config.receive_window_max_bytes = 500000;
    pair_establish(&p);
    p.ends[0].to_send = 20000;
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    p.ends[0].option_bytes = 8;
    uint64_t data = info_of(&p.ends[0]).segments_sent, acks = p.ends[1].segments;
    p.ends[0].to_send += 10000000;
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    data = info_of(&p.ends[0]).segments_sent - data;
    assert_in_range(p.ends[1].segments - acks, data / 2 - 20, data / 2 + 60);
    pair_destroy(&p);
}

static void a_single_segment_is_acknowledged_within_40_ms_and_the_first_ones_at_once(void **state) {
    (void)state;
    pair_init(&p, 1);
    pair_establish(&p);
    for (int i = 0; i < 30; i++) {
        uint64_t before = p.ends[1].segments;
        p.ends[0].to_send += 100;
        pair_run(&p, 16 * MS);
        bool at_once = p.ends[1].segments > before;
        if (i < 16) assert_true(at_once);
        pair_run(&p, 41 * MS);
        assert_int_equal(p.ends[1].segments, before + 1);
        pair_run(&p, 100 * MS);
    }
    uint64_t before = p.ends[1].segments;
    p.ends[0].to_send += 100;
    pair_run(&p, 50 * MS);
    assert_int_equal(p.ends[1].segments, before); /* held back by now */
    assert_int_equal(info_of(&p.ends[0]).probes, 0);
    pair_destroy(&p);
}

static void a_super_segment_is_acknowledged_at_once(void **state) {
    (void)state;
    pair_init(&p, 1);
    pair_establish(&p);
    p.ends[0].to_send = 200 * 1448; /* uses up the quick ACKs */
    pair_run(&p, 2 * SECOND);
    static uint8_t data[2 * 1448];
    for (unsigned i = 0; i < sizeof(data); i++) data[i] = pattern(0, 200 * 1448 + i);
    struct tcp_segment s = {.seq = tcp_rcv_nxt(p.ends[1].t), .ack = tcp_snd_nxt(p.ends[1].t), .flags = TCP_ACK,
                            .segment_bytes = 1448};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_true(tcp_wants_output(p.ends[1].t, p.now));
    pair_destroy(&p);
}

/* --- small segments --- */

static void small_writes_are_gathered_unless_no_delay(void **state) {
    (void)state;
    for (int no_delay = 0; no_delay < 2; no_delay++) {
        pair_init(&p, 1);
        p.ends[0].config.no_delay = no_delay;
        pair_establish(&p);
        uint64_t before = p.ends[0].segments;
        p.ends[0].write_bytes = 10;
        for (int i = 0; i < 20; i++) {
            p.ends[0].to_send += 10;
            pair_run(&p, MS);
        }
        pair_run(&p, SECOND);
        assert_int_equal(p.ends[1].received, 200);
        if (no_delay) {
            assert_int_equal(p.ends[0].segments - before, 20);
        } else {
            assert_true(p.ends[0].segments - before <= 3);
        }
        pair_destroy(&p);
    }
}

static uint64_t off_size;
static void count_sizes(struct end *from, const struct tcp_segment *s) {
    if (from->index == 0 && s->payload_length > 0 && s->payload_length != 1448 - 20) off_size++;
}

/* A scheduler that gives exactly what room says gets full segments, and all of it goes at once or by the pace. */
static void room_is_exact(void **state) {
    (void)state;
    for (int super = 0; super < 2; super++) {
        pair_init(&p, 1);
        p.ends[0].by_room = true;
        p.ends[0].write_bytes = 1 << 20;
        p.ends[0].option_bytes = 20;
        p.ends[0].config.super_segment_bytes = super ? 65536 : 0;
        p.ends[0].config.checksum_offload = super;
        pair_establish(&p);
        off_size = 0;
        p.crossing = count_sizes;
        p.ends[0].to_send = 20000000;
        braid_time start = p.now;
        assert_true(pair_run_until(&p, all_received, 30 * SECOND));
        assert_true(mbps(20000000, p.now - start) > 45);
        assert_true(off_size < 60);
        pair_destroy(&p);
    }
}

static bool crossed_boundary;
static void watch_boundary(struct end *from, const struct tcp_segment *s) {
    if (from->index != 0 || s->payload_length == 0) return;
    uint32_t offset = (uint32_t)seq32_diff(s->seq, tcp_iss(p.ends[0].t)) - 1;
    if (offset / 5000 != (offset + s->payload_length - 1) / 5000) crossed_boundary = true;
}

static void segments_never_cross_the_owners_boundary(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].boundary = 5000;
    p.ends[0].wire.loss = 0.03;
    p.ends[0].config.super_segment_bytes = 65536;
    p.ends[0].config.checksum_offload = true;
    pair_establish(&p);
    crossed_boundary = false;
    p.crossing = watch_boundary;
    p.ends[0].to_send = 2000000;
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    assert_false(crossed_boundary);
    pair_destroy(&p);
}

/* --- options --- */

static unsigned sack_and_dss;
static void watch_options(struct end *from, const struct tcp_segment *s) {
    (void)from;
    assert_true(s->header_length <= 60);
    if (s->flags & (TCP_SYN | TCP_RST)) return;
    assert_true(s->options.has_timestamps);
    if (s->options.sack_count > 0 && s->options.mptcp_count > 0) sack_and_dss++;
}

static void a_sack_block_has_its_place_beside_the_owners_option(void **state) {
    (void)state;
    pair_init(&p, 1);
    for (int i = 0; i < 2; i++) {
        p.ends[i].option_bytes = 16; /* 12 for timestamps, 12 for a SACK block */
        p.ends[i].wire.loss = 0.02;
        p.ends[i].to_send = 2000000;
    }
    pair_establish(&p);
    sack_and_dss = 0;
    p.crossing = watch_options;
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    assert_true(sack_and_dss > 20);
    pair_destroy(&p);
}

/* [R-6691-2-2] */
static void segments_fit_the_mtu_whatever_the_options(void **state) {
    (void)state;
    for (size_t option = 0; option <= 28; option += 4) {
        pair_init(&p, 1);
        p.v6 = option % 8 == 0;
        for (int i = 0; i < 2; i++) {
            p.ends[i].option_bytes = option;
            p.ends[i].wire.loss = 0.02;
            p.ends[i].to_send = 500000;
            p.ends[i].config.mtu_bytes = i == 0 ? 1500 : 1400; /* the peer's MSS counts */
        }
        pair_establish(&p);
        assert_true(pair_run_until(&p, all_received, 60 * SECOND));
        assert_true(p.ends[0].largest_packet == 1400 && p.ends[1].largest_packet == 1400);
        pair_destroy(&p);
    }
}

/* --- the path's MTU --- */

/* [R-8201-4-2] [R-8201-4-3] [R-8201-4-4] */
static void packet_too_big_is_obeyed_if_it_is_about_us(void **state) {
    (void)state;
    pair_init(&p, 1);
    pair_establish(&p);
    p.ends[0].to_send = 100000;
    pair_settle(&p); /* the first window is in flight... */
    for (size_t i = 0; i < p.flight_count; i++) free(p.flights[i].bytes);
    p.flight_count = 0; /* ...and too big for the path */
    uint32_t cwnd = info_of(&p.ends[0]).cwnd_bytes;
    struct icmp_error error = {.kind = ICMP_PACKET_TOO_BIG, .mtu = 1300,
                               .seq = seq32_add(tcp_snd_nxt(p.ends[0].t), 1)};
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_int_equal(p.ends[0].drops.icmp_not_in_flight, 1);
    assert_int_equal(info_of(&p.ends[0]).mss_bytes, 1448);
    error.seq = tcp_snd_una(p.ends[0].t);
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_int_equal(info_of(&p.ends[0]).mss_bytes, 1300 - 52);
    p.ends[0].largest_packet = 0;
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 5 * SECOND));
    assert_true(p.now - start < 200 * MS); /* sent again at once */
    assert_int_equal(p.ends[0].largest_packet, 1300);
    assert_true(info_of(&p.ends[0]).cwnd_bytes >= cwnd); /* and it is no congestion */
    error.mtu = 68;
    p.ends[0].to_send += 1000;
    pair_settle(&p);
    error.seq = tcp_snd_una(p.ends[0].t);
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_true(info_of(&p.ends[0]).mss_bytes >= 500);
    pair_destroy(&p);
}

static void unreachable_ends_an_attempt_but_not_a_connection(void **state) {
    (void)state;
    pair_init(&p, 1);
    assert_true(pair_create(&p));
    p.ends[0].wire.loss = 1;
    tcp_connect(p.ends[0].t, p.now);
    pair_settle(&p);
    struct icmp_error error = {.kind = ICMP_TIME_EXCEEDED, .seq = tcp_iss(p.ends[0].t)};
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_false(p.ends[0].closed); /* soft: the attempt goes on, and this is why it failed if it does */
    assert_int_equal(tcp_last_icmp(p.ends[0].t), ICMP_TIME_EXCEEDED);
    pair_run(&p, 200 * SECOND);
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_UNREACHABLE);
    pair_destroy(&p);

    pair_init(&p, 1);
    assert_true(pair_create(&p));
    tcp_connect(p.ends[0].t, p.now);
    pair_settle(&p);
    error = (struct icmp_error){.kind = ICMP_HOST_UNREACHABLE, .seq = seq32_add(tcp_iss(p.ends[0].t), 7)};
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_false(p.ends[0].closed); /* not our SYN */
    error.seq = tcp_iss(p.ends[0].t);
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_UNREACHABLE);
    pair_destroy(&p);

    pair_init(&p, 1);
    pair_establish(&p);
    p.ends[0].to_send = 1000;
    pair_settle(&p);
    error.seq = tcp_snd_una(p.ends[0].t);
    tcp_icmp(p.ends[0].t, &error, p.now);
    assert_false(p.ends[0].closed);
    assert_true(pair_run_until(&p, all_received, SECOND));
    pair_destroy(&p);
}

/* --- pacing --- */

static braid_time burst_start;
static uint64_t burst_bytes, burst_max;
static void watch_bursts(struct end *from, const struct tcp_segment *s) {
    if (from->index != 0) return;
    if (p.now - burst_start > 2 * MS) {
        burst_bytes = 0;
        burst_start = p.now;
    }
    burst_bytes += s->payload_length;
    if (burst_bytes > burst_max) burst_max = burst_bytes;
}

/* ACKs that come in one heap, 20 ms' worth of them, do not become a heap of segments. */
static void bursts_stay_small_on_a_path_with_a_round_trip(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].config.super_segment_bytes = 65536;
    p.ends[0].config.checksum_offload = true;
    pair_establish(&p);
    p.ends[0].to_send = 40000000;
    pair_run(&p, 3 * SECOND); /* slow start is over */
    assert_true(info_of(&p.ends[0]).ssthresh_bytes < UINT32_MAX);
    burst_max = 0;
    p.crossing = watch_bursts;
    for (int i = 0; i < 10; i++) {
        p.ends[1].wire_free_at = p.now + 20 * MS;
        pair_run(&p, 100 * MS);
    }
    /* In 2 ms: what the pace gives in that time, and two bursts of a millisecond's worth each. */
    uint64_t per_ms = (uint64_t)info_of(&p.ends[0]).cwnd_bytes * 12 / 10 * MS / info_of(&p.ends[0]).srtt_ns;
    assert_in_range(burst_max, 2 * 1448, 4 * per_ms + 2 * 1448);
    assert_true(burst_max < 60000);
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    pair_destroy(&p);
}

/* On a busy machine: whoever sends is woken every 7 ms only. BBR paces at the rate of the path itself. */
static void a_process_that_is_woken_late_still_fills_the_path(void **state) {
    (void)state;
    pair_init(&p, 1);
    for (int i = 0; i < 2; i++) {
        p.ends[i].wire = (struct wire_model){.bits_per_s = 20000000, .delay = 25 * MS, .queue_bytes = 125000};
        p.ends[i].config.congestion = &congestion_bbr;
    }
    pair_establish(&p);
    p.ends[0].tick_ns = 7 * MS;
    p.ends[0].to_send = 100000000;
    pair_run(&p, 3 * SECOND);
    uint64_t before = p.ends[1].received;
    pair_run(&p, 10 * SECOND);
    uint64_t percent = (p.ends[1].received - before) * 8 * 100 / 10 / 20000000;
    assert_in_range(percent, 90, 100);
    pair_destroy(&p);
}

/* A request of a few bytes is also a rate, but none that what follows may be paced by. */
static void a_small_request_sets_no_pace_under_any_control(void **state) {
    static const struct congestion_ops *const controls[] = {&congestion_bbr, &congestion_cubic, &congestion_newreno};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        pair_init(&p, 1);
        for (int e = 0; e < 2; e++) {
            p.ends[e].wire = (struct wire_model){.bits_per_s = 20000000, .delay = 25 * MS, .queue_bytes = 125000};
            p.ends[e].config.congestion = controls[i];
        }
        pair_establish(&p);
        p.ends[0].to_send = 17;
        pair_run(&p, 10 * MS);
        p.ends[0].to_send = 1000000;
        assert_true(pair_run_until(&p, all_received, SECOND));
        pair_destroy(&p);
    }
}

static braid_time alone_last;
static unsigned alone_count, sent_count;
static void watch_pairs(struct end *from, const struct tcp_segment *s) {
    if (from->index != 0 || s->payload_length == 0) return;
    sent_count++;
    alone_count += p.now - alone_last > 2 * MS;
    alone_last = p.now;
}

/* Written one by one, as a scheduler gives them: a receiver that delays ACKs acknowledges each second one at once. */
static void where_a_segments_turn_is_long_two_leave_together(void **state) {
    (void)state;
    pair_init(&p, 1);
    for (int i = 0; i < 2; i++) p.ends[i].wire = (struct wire_model){.bits_per_s = 500000, .delay = 100 * MS};
    pair_establish(&p);
    p.ends[0].to_send = 30 * 1448; /* a round trip is measured, and the first window gone */
    pair_run(&p, 2 * SECOND);
    p.crossing = watch_pairs;
    alone_count = sent_count = 0;
    for (int i = 0; i < 400; i++) {
        if (p.ends[0].to_send - p.ends[0].received < 100000) p.ends[0].to_send += 1448;
        pair_run(&p, MS);
    }
    print_message("%u segments, %u of them apart from the one before\n", sent_count, alone_count);
    assert_true(sent_count >= 10);
    assert_in_range(alone_count, sent_count / 2 - 1, sent_count / 2 + 1);
    pair_destroy(&p);
}

static void a_fast_link_is_not_paced_and_gets_super_segments(void **state) {
    (void)state;
    pair_init(&p, 1);
    for (int i = 0; i < 2; i++) {
        p.ends[i].wire = (struct wire_model){.bits_per_s = UINT64_C(10000000000), .delay = 50 * BRAID_NS_PER_US};
        p.ends[i].config.super_segment_bytes = 65536;
        p.ends[i].config.checksum_offload = true;
    }
    p.unchecked = true;
    pair_establish(&p);
    p.ends[0].to_send = 200000000;
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    assert_true(mbps(200000000, p.now - start) > 9000);
    pair_destroy(&p);
}

/* --- measuring --- */

/* [R-6298-3-3] */
static void the_delivery_rate_is_that_of_the_path(void **state) {
    (void)state;
    pair_init(&p, 1);
    pair_establish(&p);
    p.ends[0].to_send = 20000000;
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    uint64_t rate = info_of(&p.ends[0]).max_delivery_bytes_per_s;
    assert_in_range(rate, 48000000 / 8 * 9 / 10, 50000000 / 8 * 11 / 10);
    assert_in_range(info_of(&p.ends[1]).receive_rtt_ns, 25 * MS, 150 * MS);
    /* A message now and then does not make it look slow. */
    for (int i = 0; i < 5; i++) {
        p.ends[0].to_send += 100;
        pair_run(&p, 50 * MS);
    }
    assert_true(info_of(&p.ends[0]).max_delivery_bytes_per_s >= rate / 2);
    pair_destroy(&p);
}

/* --- telling --- */

static unsigned states, losses, timers_fired, drops, congestion_events;
static void take_event(void *context, braid_time at, const char *event, const struct braid_trace_field *fields,
                       size_t count) {
    (void)context, (void)at;
    assert_true(count >= 2);
    assert_non_null(fields[0].name);
    if (strcmp(event, "subflow_state") == 0) states++;
    if (strcmp(event, "loss_detected") == 0) losses++;
    if (strcmp(event, "timer_fired") == 0) timers_fired++;
    if (strcmp(event, "packet_dropped") == 0) drops++;
    if (strcmp(event, "congestion") == 0) congestion_events++;
}

static void what_happens_is_traced(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.world.env.trace = take_event;
    p.ends[0].wire.loss = p.ends[1].wire.loss = 0.05;
    p.ends[0].to_send = 1000000;
    p.ends[0].close_when_written = p.ends[1].close_on_fin = true;
    assert_true(pair_create(&p));
    tcp_connect(p.ends[0].t, p.now);
    assert_true(pair_run_until(&p, both_established, 10 * SECOND));
    struct tcp_segment stray = {.seq = seq32_back(tcp_rcv_nxt(p.ends[1].t), 5), .flags = TCP_RST};
    pair_inject(&p, 0, &stray, NULL, 0);
    assert_int_equal(drops, 1);
    braid_time start = p.now;
    assert_true(pair_run_until(&p, both_closed, 100 * SECOND));
    assert_int_equal(states, 6 + 5); /* each end's way from CLOSED to CLOSED */
    assert_true(losses > 10 && timers_fired > 0);
    assert_true(congestion_events > 10 && congestion_events < (p.now - start) / (30 * MS));
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_second_full_segment_is_acknowledged),
        cmocka_unit_test(every_second_full_segment_is_acknowledged_also_when_options_grow),
        cmocka_unit_test(a_single_segment_is_acknowledged_within_40_ms_and_the_first_ones_at_once),
        cmocka_unit_test(a_super_segment_is_acknowledged_at_once),
        cmocka_unit_test(small_writes_are_gathered_unless_no_delay),
        cmocka_unit_test(room_is_exact),
        cmocka_unit_test(segments_never_cross_the_owners_boundary),
        cmocka_unit_test(a_sack_block_has_its_place_beside_the_owners_option),
        cmocka_unit_test(segments_fit_the_mtu_whatever_the_options),
        cmocka_unit_test(packet_too_big_is_obeyed_if_it_is_about_us),
        cmocka_unit_test(unreachable_ends_an_attempt_but_not_a_connection),
        cmocka_unit_test(bursts_stay_small_on_a_path_with_a_round_trip),
        cmocka_unit_test(a_process_that_is_woken_late_still_fills_the_path),
        cmocka_unit_test(a_small_request_sets_no_pace_under_any_control),
        cmocka_unit_test(where_a_segments_turn_is_long_two_leave_together),
        cmocka_unit_test(a_fast_link_is_not_paced_and_gets_super_segments),
        cmocka_unit_test(the_delivery_rate_is_that_of_the_path),
        cmocka_unit_test(what_happens_is_traced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
