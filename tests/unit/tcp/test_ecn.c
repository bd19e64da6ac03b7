/* Explicit congestion notification (RFC 3168). */
#include "tcp_pair.h"

static struct pair p;
static struct {
    unsigned syn_asks, syn_plain, answers, echoes, reduced, reduced_with_payload, pieces;
    uint8_t syn_flags[8];
    unsigned syns;
} seen;

static void watch(struct end *from, const struct tcp_segment *s) {
    (void)from;
    uint8_t said = s->flags & (TCP_ECE | TCP_CWR);
    if (s->flags & TCP_SYN) {
        if (seen.syns < 8) seen.syn_flags[seen.syns++] = s->flags;
        return;
    }
    if (said & TCP_ECE) seen.echoes++;
    if (said & TCP_CWR) {
        seen.reduced++;
        seen.reduced_with_payload += s->payload_length > 0;
    }
}

static void begin(bool first_asks, bool second_asks) {
    memset(&seen, 0, sizeof(seen));
    pair_init(&p, 7);
    p.crossing = watch;
    p.ends[0].config.ecn = first_asks;
    p.ends[1].config.ecn = second_asks;
}

static bool agreed(int i) {
    struct tcp_info info;
    tcp_info(p.ends[i].t, &info);
    return info.ecn;
}

static void it_is_agreed_when_the_client_asks(void **state) {
    (void)state;
    for (int asks = 0; asks < 4; asks++) {
        begin(asks & 1, asks & 2);
        pair_establish(&p);
        assert_int_equal(agreed(0), asks & 1);
        assert_int_equal(agreed(1), asks & 1);
        assert_int_equal(seen.syn_flags[0], asks & 1 ? TCP_SYN | TCP_ECE | TCP_CWR : TCP_SYN);
        assert_int_equal(seen.syn_flags[1], asks & 1 ? TCP_SYN | TCP_ACK | TCP_ECE : TCP_SYN | TCP_ACK);
        pair_destroy(&p);
    }
}

static bool drop_asking_syn(struct end *from, const struct tcp_segment *s, uint32_t nth) {
    (void)from, (void)nth;
    return s->flags == (TCP_SYN | TCP_ECE | TCP_CWR);
}

static void a_syn_that_is_lost_asks_no_more(void **state) {
    (void)state;
    begin(true, false);
    p.ends[0].drop = drop_asking_syn;
    assert_true(pair_create(&p));
    tcp_connect(p.ends[0].t, p.now);
    assert_true(pair_run_until(&p, both_established, 10 * SECOND));
    assert_int_equal(seen.syn_flags[1], TCP_SYN);
    assert_false(agreed(0) || agreed(1));
    pair_destroy(&p);
}

/* [R-3168-6.1-4] */
static void a_peer_that_mirrors_the_flags_has_not_agreed(void **state) {
    (void)state;
    begin(true, false);
    assert_true(pair_create(&p));
    tcp_connect(p.ends[0].t, p.now);
    static struct braid_packet_out packet;
    assert_int_equal(tcp_output(p.ends[0].t, &packet, 1, p.now), 1);
    struct tcp_segment s = {.flags = TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR,
                            .seq = seq32_of(500),
                            .ack = seq32_add(tcp_iss(p.ends[0].t), 1),
                            .window = 65535};
    pair_inject(&p, 1, &s, NULL, 0);
    assert_int_equal(tcp_state(p.ends[0].t), TCP_STATE_ESTABLISHED);
    assert_false(agreed(0));
    pair_destroy(&p);
}

/* Ten megabytes over a wire that marks above 20 ms of queue and drops above 100 ms. */
static void transfer(const struct congestion_ops *congestion, bool ecn, uint32_t super_segment_bytes) {
    begin(ecn, false);
    for (int i = 0; i < 2; i++) {
        p.ends[i].config.congestion = congestion;
        p.ends[i].config.super_segment_bytes = super_segment_bytes;
        p.ends[i].config.checksum_offload = super_segment_bytes > 0;
    }
    p.ends[0].wire.mark_bytes = 125000;
    p.ends[0].to_send = 20000000;
    pair_establish(&p);
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    assert_int_equal(p.ends[1].data_wrong, 0);
}

/* [R-3168-5-2] [R-3168-6.1.2-2] */
static void marks_keep_the_queue_from_overflowing(void **state) {
    (void)state;
    static const char *const names[] = {"cubic", "newreno", "bbr"};
    for (int i = 0; i < 3; i++) {
        for (uint32_t super = 0; super < 2; super++) {
            transfer(congestion_find(names[i]), true, super * 60000);
            struct tcp_info info, other;
            tcp_info(p.ends[0].t, &info);
            tcp_info(p.ends[1].t, &other);
            assert_int_equal(p.ends[0].queue_drops, 0);
            assert_int_equal(info.bytes_retransmitted, 0);
            assert_int_equal(other.marks_received, p.ends[0].marked);
            if (i < 2) assert_true(p.ends[0].marked > 0);
            assert_int_equal(seen.reduced, info.marks_answered);
            assert_int_equal(seen.reduced, seen.reduced_with_payload);
            assert_true(info.marks_answered < 30); /* once a window, not once a mark */
            double mbps = 20000000 * 8e3 / (double)(p.ends[1].finished_at - 1000 * SECOND);
            print_message("%s: %llu marks, %llu answered, %.1f Mb/s\n", names[i], (unsigned long long)p.ends[0].marked,
                          (unsigned long long)info.marks_answered, mbps);
            assert_true(mbps > 42);
            pair_destroy(&p);
        }
    }
}

static void without_it_nothing_is_marked(void **state) {
    (void)state;
    transfer(NULL, false, 0);
    assert_int_equal(p.ends[0].markable, 0);
    assert_int_equal(seen.echoes + seen.reduced, 0);
    pair_destroy(&p);
}

/* [R-3168-5.2-1] [R-3168-6.1.5-1] [R-3168-6.1.6-1] */
static void only_new_data_can_be_marked(void **state) {
    (void)state;
    begin(true, false);
    p.ends[0].wire.loss = 0.02;
    p.ends[0].to_send = 2000000;
    pair_establish(&p);
    assert_true(pair_run_until(&p, all_received, 60 * SECOND));
    struct tcp_info info;
    tcp_info(p.ends[0].t, &info);
    assert_true(info.segments_retransmitted > 0);
    assert_true(p.ends[0].markable <= info.segments_sent - info.segments_retransmitted);
    assert_int_equal(p.ends[1].markable, 0); /* bare ACKs */
    pair_destroy(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_agreed_when_the_client_asks),
        cmocka_unit_test(a_syn_that_is_lost_asks_no_more),
        cmocka_unit_test(a_peer_that_mirrors_the_flags_has_not_agreed),
        cmocka_unit_test(marks_keep_the_queue_from_overflowing),
        cmocka_unit_test(without_it_nothing_is_marked),
        cmocka_unit_test(only_new_data_can_be_marked),
    };
    return cmocka_run_group_tests_name("ecn", tests, NULL, NULL);
}
