/* Losses are found fast, repaired once, and not seen where there are none. */
#include "tcp_pair.h"

static struct pair p;

static void begin(uint64_t seed, uint32_t super_segment_bytes) {
    pair_init(&p, seed);
    for (int i = 0; i < 2; i++) {
        p.ends[i].config.super_segment_bytes = super_segment_bytes;
        p.ends[i].config.checksum_offload = super_segment_bytes > 0;
    }
    pair_establish(&p);
    pair_run(&p, SECOND);
}

/* Writes `bytes` at once and forgets the statistics of what came before. */
static void write_at_once(struct end *e, uint64_t bytes) {
    e->to_send += bytes;
    e->write_bytes = (uint32_t)bytes;
}

static bool nth_data_segments[64];
static unsigned data_segments_seen;

/* Drops the data segments marked above, counted from the first after drop_begin(). */
static bool drop_marked(struct end *from, const struct tcp_segment *s, uint32_t nth) {
    (void)from, (void)nth;
    if (s->payload_length == 0) return false;
    unsigned n = data_segments_seen++;
    return n < 64 && nth_data_segments[n];
}

static void drop_begin(void) {
    memset(nth_data_segments, 0, sizeof(nth_data_segments));
    data_segments_seen = 0;
    p.ends[0].drop = drop_marked;
}

/* [R-8985-7.3-1] [R-8985-7.3-3] [R-8985-7.3-4] [R-8985-7.3-5] [R-8985-7.4.2-1] [R-8985-7.4.2-2] */
static void a_lost_tail_is_repaired_by_a_probe_within_three_round_trips(void **state) {
    (void)state;
    begin(1, 0);
    drop_begin();
    nth_data_segments[4] = true; /* the last of five */
    write_at_once(&p.ends[0], 5 * 1448);
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    /* The ACK of the fourth restarts the probe's timer: one round trip, then two and the peer's delay of an ACK. */
    assert_true(p.now - start < 31 * MS + 61 * MS + 45 * MS + 16 * MS);
    pair_run(&p, SECOND);
    struct tcp_info info = info_of(&p.ends[0]);
    assert_int_equal(info.probes, 1);
    assert_int_equal(info.timeouts, 0);
    assert_int_equal(info.segments_retransmitted, 1);
    write_at_once(&p.ends[0], 1448);
    pair_run(&p, SECOND);
    assert_true(info_of(&p.ends[0]).ssthresh_bytes < UINT32_MAX); /* a loss all the same */
    pair_destroy(&p);
}

static void a_longer_lost_tail_needs_no_timeout_either(void **state) {
    (void)state;
    begin(1, 0);
    drop_begin();
    for (int i = 6; i < 10; i++) nth_data_segments[i] = true;
    write_at_once(&p.ends[0], 10 * 1448);
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_true(p.now - start < 6 * 30 * MS);
    assert_int_equal(info_of(&p.ends[0]).timeouts, 0);
    assert_int_equal(info_of(&p.ends[0]).segments_retransmitted, 4);
    pair_destroy(&p);
}

/* [R-6937-3-2] [R-6937-3-3] */
static void a_hole_is_filled_in_one_round_trip(void **state) {
    (void)state;
    begin(1, 0);
    drop_begin();
    nth_data_segments[3] = nth_data_segments[5] = true;
    write_at_once(&p.ends[0], 10 * 1448);
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_true(p.now - start < 50 * MS);
    pair_run(&p, SECOND);
    struct tcp_info info = info_of(&p.ends[0]);
    assert_int_equal(info.segments_retransmitted, 2);
    assert_int_equal(info.fast_recoveries, 1);
    assert_int_equal(info.timeouts + info.probes, 0);
    pair_destroy(&p);
}

/* [R-8985-4-2] [R-8985-4-3] */
static void a_lost_retransmission_is_sent_again_without_a_timeout(void **state) {
    (void)state;
    begin(1, 0);
    p.ends[0].to_send = 3000000;
    pair_run(&p, 300 * MS);
    drop_begin();
    nth_data_segments[0] = true;
    pair_run(&p, 16 * MS);
    /* The retransmission of the first one: the first data segment whose number is not new. */
    pair_run(&p, 200 * MS);
    uint64_t before = info_of(&p.ends[0]).segments_retransmitted;
    assert_true(before >= 1);
    p.ends[0].drop = NULL;
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_int_equal(info_of(&p.ends[0]).timeouts, 0);
    pair_destroy(&p);
}

static seq32 victim;
static unsigned victim_left;

/* Drops the first `victim_left` transmissions of the segment that starts at `victim`. */
static bool drop_victim(struct end *from, const struct tcp_segment *s, uint32_t nth) {
    (void)from, (void)nth;
    if (s->payload_length == 0 || !seq32_eq(s->seq, victim) || victim_left == 0) return false;
    victim_left--;
    return true;
}

static void a_segment_lost_three_times_needs_no_timeout_while_others_arrive(void **state) {
    (void)state;
    begin(1, 0);
    victim = seq32_add(tcp_snd_nxt(p.ends[0].t), 100 * 1448);
    victim_left = 3;
    p.ends[0].drop = drop_victim;
    p.ends[0].to_send = 5000000;
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_int_equal(victim_left, 0);
    assert_int_equal(info_of(&p.ends[0]).timeouts, 0);
    pair_destroy(&p);
}

/* A retransmitted super-segment counts as what it is: bytes; and the ACKs of its pieces start nothing new. */
static void a_lost_super_segment_is_sent_again_once(void **state) {
    (void)state;
    begin(1, 65536);
    p.ends[0].to_send = 2000000;
    pair_run(&p, 300 * MS);
    uint64_t packets = p.ends[0].packets;
    drop_begin();
    for (int i = 0; i < 24; i++) nth_data_segments[i] = true;
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    pair_run(&p, SECOND);
    struct tcp_info info = info_of(&p.ends[0]);
    assert_int_equal(info.segments_retransmitted, 24);
    assert_int_equal(info.bytes_retransmitted, 24 * 1448);
    assert_int_equal(info.fast_recoveries, 1);
    assert_int_equal(info.timeouts, 0);
    assert_true(p.ends[0].packets - packets < 1200);
    assert_int_equal(p.ends[1].data_wrong, 0);
    pair_destroy(&p);
}

static void part_of_a_super_segment_lost_means_that_part_sent_again(void **state) {
    (void)state;
    begin(3, 65536);
    p.ends[0].to_send = 2000000;
    pair_run(&p, 300 * MS);
    drop_begin();
    nth_data_segments[3] = nth_data_segments[7] = nth_data_segments[8] = true;
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    pair_run(&p, SECOND);
    assert_int_equal(info_of(&p.ends[0]).bytes_retransmitted, 3 * 1448);
    pair_destroy(&p);
}

/* Reordering by a few milliseconds: hardly a segment is sent again in vain, and almost none once RACK has learnt. */
/* [R-8985-3.3.2-1] [R-8985-3.3.2-3] [R-8985-3.3.2-4] */
static void reordering_is_learnt(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        pair_init(&p, seed);
        p.ends[0].wire.reorder = 0.05;
        p.ends[0].wire.reorder_delay = 6 * MS;
        p.ends[1].config.receive_window_max_bytes = 300000; /* the queue never overflows */
        pair_establish(&p);
        p.ends[0].to_send = 3000000;
        assert_true(pair_run_until(&p, all_received, 60 * SECOND));
        uint64_t first = info_of(&p.ends[0]).segments_retransmitted;
        assert_true(first <= 5); /* of 2,000, 100 came late */
        p.ends[0].to_send += 20000000;
        assert_true(pair_run_until(&p, all_received, 60 * SECOND));
        assert_true(info_of(&p.ends[0]).segments_retransmitted <= first + 5); /* of 14,000, 700 came late */
        assert_int_equal(info_of(&p.ends[0]).timeouts, 0);
        pair_destroy(&p);
    }
}

/* Reordering by two thirds of a round trip: DSACKs widen the window, and what was spurious is taken back. */
/* [R-2883-5-1] [R-8985-3.3.2-4] [R-8985-4-4] */
static void deep_reordering_costs_little(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].wire.reorder = 0.02;
    p.ends[0].wire.reorder_delay = 20 * MS;
    p.ends[1].config.receive_window_max_bytes = 300000;
    pair_establish(&p);
    p.ends[0].to_send = 20000000;
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    assert_true(mbps(20000000, p.now - start) > 45);
    struct tcp_info info = info_of(&p.ends[0]);
    assert_true(info.segments_retransmitted < 60); /* of 14,000, 280 came late */
    assert_int_equal(info.spurious_recoveries, info.fast_recoveries);
    assert_true(info.cwnd_bytes < 2000000); /* growing only while it limits */
    pair_destroy(&p);
}

/* A delay spike makes a timeout fire for nothing: the window comes back. */
static void a_spurious_timeout_is_undone(void **state) {
    (void)state;
    begin(1, 0);
    p.ends[0].to_send = 20000000;
    pair_run(&p, 400 * MS);
    uint32_t cwnd = info_of(&p.ends[0]).cwnd_bytes;
    p.ends[1].wire.queue_bytes = 0;
    p.ends[1].wire_free_at = p.now + 700 * MS; /* ACKs queue up behind a stall */
    pair_run(&p, 650 * MS);
    assert_true(info_of(&p.ends[0]).timeouts >= 1);
    pair_run(&p, 400 * MS);
    assert_true(info_of(&p.ends[0]).spurious_recoveries >= 1);
    assert_true(info_of(&p.ends[0]).cwnd_bytes >= cwnd / 2);
    assert_true(pair_run_until(&p, all_received, 20 * SECOND));
    pair_destroy(&p);
}

static uint32_t most_lost_since;
static void note_ack(struct congestion *c, const struct congestion_ack *ack) {
    if (ack->lost_since_bytes > most_lost_since) most_lost_since = ack->lost_since_bytes;
    congestion_cubic.on_ack(c, ack);
}
static void note_lost(struct congestion *c, const struct congestion_lost *lost) {
    (void)c;
    if (lost->lost_since_bytes > most_lost_since) most_lost_since = lost->lost_since_bytes;
}

/* What left after a loss that is taken back has fewer losses behind it than were counted when it left: that is none, and
 * not 4 GB of them (which made BBR shy). */
static void losses_taken_back_are_not_told_as_losses(void **state) {
    (void)state;
    struct congestion_ops noting = congestion_cubic;
    noting.on_ack = note_ack;
    noting.on_packet_lost = note_lost;
    most_lost_since = 0;
    pair_init(&p, 1);
    p.ends[0].config.congestion = &noting;
    pair_establish(&p);
    pair_run(&p, SECOND);
    p.ends[0].to_send = 20000000;
    pair_run(&p, 400 * MS);
    p.ends[1].wire.queue_bytes = 0;
    p.ends[1].wire_free_at = p.now + 700 * MS; /* a timeout for nothing, as above */
    pair_run(&p, 1050 * MS);
    assert_true(info_of(&p.ends[0]).spurious_recoveries > 0);
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    print_message("lost since: %u bytes at most\n", most_lost_since);
    assert_true(most_lost_since < 2000000);
    pair_destroy(&p);
}

/* [R-8985-7.3-2] [R-8985-7.3-6] [SHLD-9] */
static void silence_is_suspected_after_two_round_trips_and_recovery_told(void **state) {
    (void)state;
    begin(1, 0);
    p.ends[0].to_send = 50000000;
    pair_run(&p, 1500 * MS); /* slow start is over: a round trip is as long as the last one */
    p.ends[0].wire.loss = 1.0;
    braid_time gone = p.now, last_ack_at = gone;
    braid_time srtt = info_of(&p.ends[0]).srtt_ns;
    while (p.ends[0].suspected == 0 && p.now < gone + SECOND) {
        seq32 before = tcp_snd_una(p.ends[0].t);
        pair_run(&p, MS);
        if (!seq32_eq(before, tcp_snd_una(p.ends[0].t))) last_ack_at = p.now;
    }
    assert_true(p.ends[0].suspected >= 1);
    /* ACKs of what was under way keep coming for up to a round trip; of an odd segment it is delayed. */
    assert_true(last_ack_at - gone <= srtt + 60 * MS);
    assert_true(p.ends[0].suspected_at - last_ack_at <= 2 * srtt + 20 * MS);
    pair_run(&p, 3 * SECOND);
    assert_true(p.ends[0].last_timeouts >= 1);
    assert_int_equal(p.ends[0].recovered, 0);
    p.ends[0].wire.loss = 0;
    pair_run(&p, 10 * SECOND);
    assert_int_equal(p.ends[0].recovered, 1);
    pair_destroy(&p);
}

/* Small messages into a path that just died: noticed although each of them restarts nothing. */
static void silence_is_suspected_though_messages_keep_being_sent(void **state) {
    (void)state;
    begin(1, 0);
    for (int i = 0; i < 50; i++) {
        p.ends[0].to_send += 100;
        pair_run(&p, 20 * MS);
    }
    p.ends[0].wire.loss = 1.0;
    braid_time gone = p.now;
    unsigned before = p.ends[0].suspected;
    for (int i = 0; i < 10; i++) {
        p.ends[0].to_send += 100;
        pair_run(&p, 20 * MS);
    }
    assert_int_equal(before, 0);
    assert_true(p.ends[0].suspected >= 1);
    assert_true(p.ends[0].suspected_at - gone < 150 * MS);
    pair_destroy(&p);
}

/* [R-6298-5-3] [R-5681-3.1-9] */
static void timeouts_back_off_and_the_user_timeout_ends_it(void **state) {
    (void)state;
    pair_init(&p, 1);
    p.ends[0].config.user_timeout_ns = 20 * SECOND;
    pair_establish(&p);
    p.ends[0].to_send = 100000;
    p.ends[0].wire.loss = 1.0;
    pair_run(&p, 60 * SECOND);
    assert_true(p.ends[0].closed);
    assert_int_equal(p.ends[0].reason, TCP_CLOSED_TIMEOUT);
    assert_in_range(info_of(&p.ends[0]).timeouts, 4, 9);
    pair_destroy(&p);
}

/* Takes options out of what TCP sees of the SYNs, as if the peer did not know them. */
static bool with_sack, with_timestamps, with_scale;
static enum tcp_verdict without_options(void *owner, struct tcp *t, const struct tcp_segment *s, braid_time now) {
    (void)owner, (void)t, (void)now;
    struct tcp_options *o = &((struct tcp_segment *)(uintptr_t)s)->options;
    o->sack_permitted &= with_sack;
    o->has_timestamps &= with_timestamps;
    o->has_window_scale &= with_scale;
    return TCP_VERDICT_ACCEPT;
}

/* Duplicate ACKs are counted where there is no SACK (RFC 5681, 6582). */
/* [R-8985-4-1] [R-8985-9.2-1] [R-2018-5-4] */
static void losses_are_repaired_whatever_the_peer_knows(void **state) {
    (void)state;
    struct tcp_owner_ops ops = end_ops;
    ops.segment_arrived = without_options;
    for (uint64_t seed = 0; seed < 24; seed++) {
        with_sack = seed & 1;
        with_timestamps = seed & 2;
        with_scale = seed & 4;
        pair_init(&p, seed);
        for (int i = 0; i < 2; i++) {
            p.ends[i].config.ops = &ops;
            p.ends[i].wire.loss = 0.01;
        }
        pair_establish(&p);
        p.ends[0].to_send = 1000000;
        braid_time start = p.now;
        assert_true(pair_run_until(&p, all_received, 60 * SECOND));
        assert_true(mbps(1000000, p.now - start) > 1.0);
        assert_int_equal(p.ends[1].data_wrong, 0);
        assert_true(info_of(&p.ends[0]).fast_recoveries > 0);
        pair_destroy(&p);
    }
}

/* --- goodput --- */

static double goodput(uint64_t seed, double loss, uint64_t bytes, uint32_t super_segment_bytes,
                      const struct congestion_ops *congestion) {
    pair_init(&p, seed);
    for (int i = 0; i < 2; i++) {
        p.ends[i].config.super_segment_bytes = super_segment_bytes;
        p.ends[i].config.checksum_offload = super_segment_bytes > 0;
        p.ends[i].config.congestion = congestion;
    }
    p.ends[0].wire.loss = loss;
    p.unchecked = true;
    pair_establish(&p);
    p.ends[0].to_send = bytes;
    braid_time start = p.now;
    assert_true(pair_run_until(&p, all_received, 600 * SECOND));
    double result = mbps(bytes, p.now - start);
    pair_destroy(&p);
    return result;
}

static void a_clean_path_is_filled(void **state) {
    (void)state;
    double most = 50.0 * 1448 / 1500;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        assert_true(goodput(seed, 0, 40 << 20, 0, &congestion_cubic) > 0.95 * most);
        assert_true(goodput(seed, 0, 40 << 20, 65536, &congestion_cubic) > 0.95 * most);
        assert_true(goodput(seed, 0, 40 << 20, 65536, &congestion_newreno) > 0.95 * most);
    }
}

/* One segment in a hundred lost: what Reno's formula allows, 1.22 MSS / (RTT sqrt(p)), is 4.7 Mb/s. */
/* [R-8985-9.3-1] [R-8985-9.3-2] [R-6937-3-1] */
static void one_percent_loss_leaves_what_the_formula_allows(void **state) {
    (void)state;
    assert_true(goodput(1, 0.01, 10 << 20, 0, &congestion_cubic) > 4.0);
    assert_true(goodput(2, 0.01, 10 << 20, 65536, &congestion_cubic) > 4.0);
}

/* In hundredths of what the window gives in a round trip. */
static unsigned pace(void) {
    struct tcp_info info = info_of(&p.ends[0]);
    return (unsigned)(info.pacing_bytes_per_s * 100 * (info.srtt_ns / 1000) / ((uint64_t)info.cwnd_bytes * 1000000) + 1);
}

static bool not_alone(const void *owner) {
    (void)owner;
    return false;
}

/* Who has one path only hears of an early loss when it has sent as much as one that does not pace. */
static void slow_start_without_a_queue_leaves_in_a_quarter_of_a_round_trip_if_alone(void **state) {
    (void)state;
    for (int among_others = 0; among_others < 2; among_others++) {
        pair_init(&p, 1);
        struct tcp_owner_ops ops = *p.ends[0].config.ops;
        if (among_others) ops.alone = not_alone;
        p.ends[0].config.ops = &ops;
        pair_establish(&p);
        p.ends[0].to_send = 1 << 20;
        p.ends[0].write_bytes = 65536;
        pair_run(&p, 70 * MS);
        assert_int_equal(info_of(&p.ends[0]).ssthresh_bytes, UINT32_MAX);
        assert_in_range(pace(), among_others ? 198 : 398, among_others ? 201 : 401);
        assert_true(pair_run_until(&p, all_received, 10 * SECOND));
        assert_in_range(pace(), 118, 201); /* the window is large now, or slow start over */
        pair_destroy(&p);
    }
}

static uint32_t told_in_flight, flight_then;
static void note_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now) {
    told_in_flight = in_flight_bytes;
    flight_then = (uint32_t)seq32_diff(tcp_snd_nxt(p.ends[0].t), tcp_snd_una(p.ends[0].t));
    assert_int_equal(in_flight_bytes, info_of(&p.ends[0]).in_flight_bytes);
    congestion_cubic.on_loss(c, in_flight_bytes, now);
}

/* What was lost, and what has arrived behind it, is not: three segments at least. */
static void what_is_in_flight_at_a_loss_is_told_without_what_has_left(void **state) {
    (void)state;
    struct congestion_ops noting = congestion_cubic;
    noting.on_loss = note_loss;
    told_in_flight = flight_then = 0;
    pair_init(&p, 1);
    p.ends[0].config.congestion = &noting;
    pair_establish(&p);
    drop_begin();
    nth_data_segments[4] = true;
    p.ends[0].to_send = 1 << 20;
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_true(told_in_flight > 0 && told_in_flight + 3 * 1448 <= flight_then);
    pair_destroy(&p);
}

/* What is left after a loss would otherwise be spread over a whole round trip, and a transfer's last segment with it. */
static void after_a_loss_without_a_queue_the_window_leaves_quickly_for_a_while(void **state) {
    (void)state;
    begin(1, 0);
    drop_begin();
    nth_data_segments[4] = true;
    p.ends[0].to_send += 1 << 20;
    p.ends[0].write_bytes = 16384;
    pair_run(&p, 200 * MS);
    assert_int_equal(info_of(&p.ends[0]).fast_recoveries, 1);
    assert_in_range(pace(), 390, 401);
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    assert_in_range(pace(), 118, 121);
    pair_destroy(&p);
}

static bool just_recovered;
static unsigned ended_at_least, ended_above;
static void note_recovered(struct congestion *c, braid_time now) {
    just_recovered = true;
    congestion_newreno.on_recovered(c, now);
}
static void note_last_ack(struct congestion *c, const struct congestion_ack *ack) {
    uint32_t before = c->cwnd_bytes;
    bool ends = just_recovered;
    just_recovered = false;
    congestion_newreno.on_ack(c, ack);
    if (!ends) return;
    bool least = before <= 2 * c->mss_bytes;
    if (least) ended_at_least++;
    else ended_above++;
    assert_int_equal(ack->in_recovery, least);
    if (least) assert_int_equal(c->cwnd_bytes, before);
}

static bool every_sixth(struct end *from, const struct tcp_segment *s, uint32_t nth) {
    (void)from, (void)nth;
    return s->payload_length > 0 && ++data_segments_seen % 6 == 0;
}

/* It would be half of what lets a window of two grow, and the next loss come a round trip earlier. */
static void what_ends_a_recovery_does_not_make_the_least_window_grow(void **state) {
    (void)state;
    struct congestion_ops noting = congestion_newreno;
    noting.on_ack = note_last_ack;
    noting.on_recovered = note_recovered;
    just_recovered = false;
    ended_at_least = ended_above = 0;
    data_segments_seen = 0;
    pair_init(&p, 1);
    p.ends[0].config.congestion = &noting;
    pair_establish(&p);
    p.ends[0].drop = every_sixth;
    p.ends[0].to_send = 200 * 1448;
    assert_true(pair_run_until(&p, all_received, 600 * SECOND));
    print_message("recoveries that ended with the least window: %u, with more: %u\n", ended_at_least, ended_above);
    assert_true(ended_at_least > 0 && ended_above > 0);
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_tail_is_repaired_by_a_probe_within_three_round_trips),
        cmocka_unit_test(a_longer_lost_tail_needs_no_timeout_either),
        cmocka_unit_test(a_hole_is_filled_in_one_round_trip),
        cmocka_unit_test(a_lost_retransmission_is_sent_again_without_a_timeout),
        cmocka_unit_test(a_segment_lost_three_times_needs_no_timeout_while_others_arrive),
        cmocka_unit_test(a_lost_super_segment_is_sent_again_once),
        cmocka_unit_test(part_of_a_super_segment_lost_means_that_part_sent_again),
        cmocka_unit_test(reordering_is_learnt),
        cmocka_unit_test(deep_reordering_costs_little),
        cmocka_unit_test(a_spurious_timeout_is_undone),
        cmocka_unit_test(losses_taken_back_are_not_told_as_losses),
        cmocka_unit_test(silence_is_suspected_after_two_round_trips_and_recovery_told),
        cmocka_unit_test(silence_is_suspected_though_messages_keep_being_sent),
        cmocka_unit_test(timeouts_back_off_and_the_user_timeout_ends_it),
        cmocka_unit_test(losses_are_repaired_whatever_the_peer_knows),
        cmocka_unit_test(a_clean_path_is_filled),
        cmocka_unit_test(one_percent_loss_leaves_what_the_formula_allows),
        cmocka_unit_test(slow_start_without_a_queue_leaves_in_a_quarter_of_a_round_trip_if_alone),
        cmocka_unit_test(what_is_in_flight_at_a_loss_is_told_without_what_has_left),
        cmocka_unit_test(after_a_loss_without_a_queue_the_window_leaves_quickly_for_a_while),
        cmocka_unit_test(what_ends_a_recovery_does_not_make_the_least_window_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
