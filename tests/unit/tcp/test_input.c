/* Every rule for a segment that should not be believed: refused for its named reason, and nothing else moves.
 * RFC 9293 §3.10.7, RFC 5961, RFC 7323, and the failures TCP-Fuzz found in other stacks. */
#include "tcp_pair.h"

static struct pair p;
static struct end *here;  /* whose rules are tested */
static struct end *there; /* whose segments are forged */

static uint32_t peer_clock; /* TSval of the peer's last segment */
static void note_clock(struct end *from, const struct tcp_segment *s) {
    if (from == there) peer_clock = s->options.timestamp_value;
}

/* A segment from the peer that would be in order: tests spoil one thing in it. */
static struct tcp_segment forged(uint8_t flags) {
    return (struct tcp_segment){
        .seq = tcp_rcv_nxt(here->t),
        .ack = tcp_snd_nxt(here->t),
        .flags = flags,
        .window = 1000,
        .options = {.has_timestamps = true, .timestamp_value = peer_clock},
    };
}

static void begin(void) {
    pair_init(&p, 7);
    here = &p.ends[1];
    there = &p.ends[0];
    p.crossing = note_clock;
    pair_establish(&p);
    there->to_send = 1000;
    pair_run(&p, SECOND);
    memset(&here->drops, 0, sizeof(here->drops));
}

/* What `here` answers at once; -1: nothing. */
static int answer(struct braid_packet_out *packet, struct tcp_segment *out) {
    size_t count = tcp_output(here->t, packet, 1, p.now);
    if (count == 0) return -1;
    struct ip_header ip;
    static uint8_t bytes[2000];
    memcpy(bytes, packet->header, packet->header_length);
    assert_int_equal(ip_decode(bytes, packet->header_length + packet->payload_length, true, &ip), IP_OK);
    assert_int_equal(tcp_segment_decode(bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                                        true, out),
                     TCP_DECODE_OK);
    braid_packet_out_release(packet);
    return out->flags;
}

static int answers(void) {
    static struct braid_packet_out packet;
    struct tcp_segment s;
    return answer(&packet, &s);
}

static void a_rst_with_the_exact_number_resets(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_RST);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_true(here->closed);
    assert_int_equal(here->reason, TCP_CLOSED_RESET);
    assert_int_equal(answers(), -1);
    pair_destroy(&p);
}

static void a_rst_elsewhere_in_the_window_is_challenged(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_RST);
    s.seq = seq32_add(s.seq, 1);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_false(here->closed);
    assert_int_equal(here->drops.rst_challenged, 1);
    assert_int_equal(answers(), TCP_ACK);
    pair_destroy(&p);
}

static void a_rst_outside_the_window_is_ignored(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_RST);
    seq32 next = s.seq;
    s.seq = seq32_back(next, 1);
    pair_inject(&p, 0, &s, NULL, 0);
    s.seq = seq32_add(next, 100 << 20);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_false(here->closed);
    assert_int_equal(here->drops.rst_out_of_window, 2);
    assert_int_equal(answers(), -1);
    pair_destroy(&p);
}

static void a_syn_is_challenged_wherever_it_stands(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_SYN);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(here->drops.syn_in_window, 1);
    assert_int_equal(answers(), TCP_ACK);
    s = forged(TCP_SYN | TCP_ACK);
    s.seq = seq32_add(s.seq, 5);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(here->drops.syn_in_window, 2);
    assert_int_equal(answers(), TCP_ACK);
    assert_int_equal(tcp_state(here->t), TCP_STATE_ESTABLISHED);
    pair_destroy(&p);
}

static void challenges_are_rate_limited(void **state) {
    (void)state;
    begin();
    unsigned answered = 0;
    for (int i = 0; i < 100; i++) {
        struct tcp_segment s = forged(TCP_SYN);
        pair_inject(&p, 0, &s, NULL, 0);
        if (answers() == TCP_ACK) answered++;
    }
    assert_int_equal(answered, 10);
    p.now += 6 * SECOND;
    struct tcp_segment s = forged(TCP_SYN);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(answers(), TCP_ACK);
    pair_destroy(&p);
}

/* A burst of what is out of place must not use up the answer to a keepalive probe. */
static void a_keepalive_probe_is_answered_after_many_challenges(void **state) {
    (void)state;
    begin();
    for (int i = 0; i < 100; i++) {
        struct tcp_segment s = forged(TCP_SYN);
        pair_inject(&p, 0, &s, NULL, 0);
        (void)answers();
    }
    for (int i = 0; i < 5; i++) {
        p.now += 510 * MS;
        struct tcp_segment s = forged(TCP_ACK);
        s.seq = seq32_back(s.seq, 1);
        pair_inject(&p, 0, &s, NULL, 0);
        assert_int_equal(answers(), TCP_ACK);
    }
    pair_destroy(&p);
}

static void an_ack_of_what_was_never_sent_is_refused(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_ACK);
    s.ack = seq32_add(s.ack, 1);
    uint8_t data[10] = {0};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.bad_ack, 1);
    assert_int_equal(here->received, 1000); /* its data neither */
    assert_int_equal(answers(), TCP_ACK);
    pair_destroy(&p);
}

static void an_ack_from_before_the_largest_window_is_refused(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_ACK);
    s.ack = seq32_back(s.ack, 64 << 20);
    uint8_t data[10] = {0};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.bad_ack, 1);
    assert_int_equal(here->received, 1000);
    pair_destroy(&p);
}

static void a_segment_without_ack_is_refused(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(0);
    uint8_t data[10] = {0};
    pair_inject(&p, 0, &s, data, sizeof(data));
    s = forged(TCP_FIN);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(here->drops.no_ack, 2);
    assert_int_equal(here->received, 1000);
    assert_false(here->fin);
    pair_destroy(&p);
}

static void an_old_timestamp_is_refused(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_ACK);
    s.options.timestamp_value = peer_clock - 1;
    uint8_t data[10] = {0};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.paws, 1);
    assert_int_equal(here->received, 1000);
    assert_int_equal(answers(), TCP_ACK);
    /* Not a RST: RFC 7323 §5.2. */
    s = forged(TCP_RST);
    s.options.timestamp_value = peer_clock - 1;
    pair_inject(&p, 0, &s, NULL, 0);
    assert_true(here->closed);
    pair_destroy(&p);
}

static void after_weeks_of_silence_timestamps_start_anew(void **state) {
    (void)state;
    begin();
    p.now += UINT64_C(25) * 24 * 3600 * SECOND;
    struct tcp_segment s = forged(TCP_ACK);
    s.options.timestamp_value = peer_clock - 5;
    uint8_t data[1] = {pattern(0, 1000)};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.paws, 0);
    assert_int_equal(here->received, 1001);
    pair_destroy(&p);
}

static void data_outside_the_window_is_refused_and_acknowledged(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_ACK);
    uint8_t data[10] = {0};
    s.seq = seq32_add(s.seq, 5 << 20);
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.outside_window, 1);
    assert_int_equal(answers(), TCP_ACK);
    s = forged(TCP_ACK);
    s.seq = seq32_back(s.seq, 10);
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.outside_window, 2);
    assert_int_equal(answers(), TCP_ACK);
    assert_int_equal(here->received, 1000);
    pair_destroy(&p);
}

static void a_duplicate_is_reported_by_dsack(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_ACK);
    uint8_t data[10] = {0};
    s.seq = seq32_back(s.seq, 10);
    seq32 start = s.seq;
    pair_inject(&p, 0, &s, data, sizeof(data));
    struct braid_packet_out packet;
    struct tcp_segment out;
    assert_int_equal(answer(&packet, &out), TCP_ACK);
    assert_int_equal(out.options.sack_count, 1);
    assert_true(seq32_eq(out.options.sack[0].start, start));
    assert_int_equal(seq32_diff(out.options.sack[0].end, start), 10);
    pair_destroy(&p);
}

/* RFC 2018 §4: the newest block first, and each block as large as it is by now. */
static void sack_blocks_name_the_newest_first(void **state) {
    (void)state;
    begin();
    uint8_t data[100];
    seq32 base = tcp_rcv_nxt(here->t);
    const uint32_t offsets[] = {200, 600, 400, 300};
    struct braid_packet_out packet;
    struct tcp_segment out;
    for (int i = 0; i < 4; i++) {
        struct tcp_segment s = forged(TCP_ACK);
        s.seq = seq32_add(base, offsets[i]);
        for (int k = 0; k < 100; k++) data[k] = pattern(0, 1000 + offsets[i] + (uint32_t)k);
        pair_inject(&p, 0, &s, data, sizeof(data));
        assert_int_equal(answer(&packet, &out), TCP_ACK);
        assert_int_equal(seq32_diff(out.ack, base), 0);
    }
    assert_int_equal(out.options.sack_count, 2);
    assert_int_equal(seq32_diff(out.options.sack[0].start, base), 200); /* 200..500 grew together */
    assert_int_equal(seq32_diff(out.options.sack[0].end, base), 500);
    assert_int_equal(seq32_diff(out.options.sack[1].start, base), 600);
    struct tcp_segment s = forged(TCP_ACK);
    for (int k = 0; k < 100; k++) data[k] = pattern(0, 1000 + (uint32_t)k);
    pair_inject(&p, 0, &s, data, sizeof(data));
    for (int k = 0; k < 100; k++) data[k] = pattern(0, 1100 + (uint32_t)k);
    s = forged(TCP_ACK);
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->received, 1500);
    assert_int_equal(here->data_wrong, 0);
    pair_destroy(&p);
}

static void data_behind_the_fin_is_refused(void **state) {
    (void)state;
    begin();
    uint8_t data[10] = {0};
    struct tcp_segment s = forged(TCP_ACK | TCP_FIN);
    s.seq = seq32_add(s.seq, 100); /* a FIN ahead of a hole */
    pair_inject(&p, 0, &s, NULL, 0);
    assert_false(here->fin);
    s = forged(TCP_ACK);
    s.seq = seq32_add(s.seq, 95);
    pair_inject(&p, 0, &s, data, sizeof(data)); /* half of it behind the FIN */
    assert_int_equal(here->drops.data_after_fin, 1);
    uint8_t rest[95];
    for (int k = 0; k < 95; k++) rest[k] = pattern(0, 1000 + (uint32_t)k);
    s = forged(TCP_ACK);
    pair_inject(&p, 0, &s, rest, sizeof(rest));
    assert_int_equal(here->received, 1100);
    assert_true(here->fin);
    s = forged(TCP_ACK);
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->drops.data_after_fin, 2);
    assert_int_equal(here->received, 1100);
    pair_destroy(&p);
}

static void a_second_fin_elsewhere_changes_nothing(void **state) {
    (void)state;
    begin();
    struct tcp_segment s = forged(TCP_ACK | TCP_FIN);
    s.seq = seq32_add(s.seq, 100);
    pair_inject(&p, 0, &s, NULL, 0);
    s = forged(TCP_ACK | TCP_FIN);
    s.seq = seq32_add(s.seq, 50);
    pair_inject(&p, 0, &s, NULL, 0);
    uint8_t data[50];
    for (int k = 0; k < 50; k++) data[k] = pattern(0, 1000 + (uint32_t)k);
    s = forged(TCP_ACK);
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_false(here->fin);
    assert_int_equal(tcp_state(here->t), TCP_STATE_ESTABLISHED);
    pair_destroy(&p);
}

static void a_fin_below_data_that_came_is_a_lie(void **state) {
    (void)state;
    begin();
    uint8_t data[10] = {0};
    struct tcp_segment s = forged(TCP_ACK);
    s.seq = seq32_add(s.seq, 100);
    pair_inject(&p, 0, &s, data, sizeof(data));
    s = forged(TCP_ACK | TCP_FIN);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_false(here->fin);
    assert_int_equal(here->drops.data_after_fin, 1);
    pair_destroy(&p);
}

static void sack_blocks_that_lie_are_ignored(void **state) {
    (void)state;
    begin();
    here->to_send = 20000;
    pair_settle(&p);
    seq32 una = tcp_snd_una(here->t), nxt = tcp_snd_nxt(here->t);
    assert_true(seq32_gt(nxt, una));
    const struct sack_block lies[] = {
        {seq32_add(nxt, 1), seq32_add(nxt, 1000)}, {seq32_add(una, 500), seq32_add(una, 500)},
        {seq32_add(una, 900), seq32_add(una, 100)}, {seq32_back(una, 1u << 30), seq32_add(nxt, 1u << 30)},
        {seq32_add(una, 100), seq32_add(nxt, 1)},
    };
    for (unsigned i = 0; i < ARRAY_COUNT(lies); i++) {
        struct tcp_segment s = forged(TCP_ACK);
        s.ack = una;
        s.options.sack_count = 1;
        s.options.sack[0] = lies[i];
        pair_inject(&p, 0, &s, NULL, 0);
    }
    assert_int_equal(info_of(here).in_flight_bytes, (uint32_t)seq32_diff(nxt, una));
    assert_true(pair_run_until(&p, all_received, 10 * SECOND));
    pair_destroy(&p);
}

/* SACK of every second byte: believed or not, it costs no memory to speak of. */
static void sack_of_crumbs_is_bounded_in_memory(void **state) {
    (void)state;
    begin();
    here->to_send = 3000000;
    pair_run(&p, 300 * MS);
    seq32 una = tcp_snd_una(here->t);
    uint32_t flight = (uint32_t)seq32_diff(tcp_snd_nxt(here->t), una);
    assert_true(flight > 100000);
    uint64_t before = p.world.allocated_bytes;
    for (uint32_t i = 2; i + 8 < flight; i += 8) {
        struct tcp_segment s = forged(TCP_ACK);
        s.source_port = here->config.flow.remote_port;
        s.ack = una;
        s.options.sack_count = 4;
        for (uint32_t k = 0; k < 4; k++) {
            s.options.sack[k].start = seq32_add(una, i + 2 * k);
            s.options.sack[k].end = seq32_add(una, i + 2 * k + 1);
        }
        tcp_input(here->t, &s, NULL, 0, p.now);
    }
    tcp_check_invariants(here->t);
    assert_true(p.world.allocated_bytes - before < 2 * flight + 50000);
    pair_destroy(&p);
}

/* A peer may forget what it SACKed (RFC 2018 §8): what it still wants is sent again. */
/* [R-2018-5-2] [R-2018-5-3] [R-2018-8-3] [R-6675-5.1-1] */
static void a_peer_that_reneges_gets_its_data(void **state) {
    (void)state;
    begin();
    here->to_send = 10 * 1448;
    pair_settle(&p);
    seq32 una = tcp_snd_una(here->t);
    here->drop = NULL;
    for (size_t i = 0; i < p.flight_count; i++) free(p.flights[i].bytes);
    p.flight_count = 0; /* all of it is lost... */
    struct tcp_segment s = forged(TCP_ACK);
    s.ack = una;
    s.window = 60000;
    s.options.sack_count = 1;
    s.options.sack[0] = (struct sack_block){seq32_add(una, 1448), seq32_add(una, 10 * 1448)}; /* ...but SACKed */
    pair_inject(&p, 0, &s, NULL, 0);
    assert_true(pair_run_until(&p, all_received, 30 * SECOND));
    assert_int_equal(there->data_wrong, 0);
    pair_destroy(&p);
}

/* Random segments around the right numbers: no invariant breaks, and nothing but what the peer sent gets through. */
static void random_segments_break_nothing(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        pair_init(&p, seed);
        here = &p.ends[seed % 2];
        there = &p.ends[1 - seed % 2];
        p.ends[0].to_send = p.ends[1].to_send = 200000;
        pair_establish(&p);
        struct prng r;
        prng_seed(&r, seed);
        uint8_t data[3000] = {0};
        for (int i = 0; i < 2000 && !here->closed; i++) {
            if (i % 10 == 0) pair_step(&p, p.now + 5 * MS);
            struct tcp_segment s = {
                .seq = seq32_add(tcp_rcv_nxt(here->t), (uint32_t)prng_below(&r, 40000) - 20000),
                .ack = seq32_add(tcp_snd_una(here->t), (uint32_t)prng_below(&r, 40000) - 20000),
                .flags = (uint8_t)(prng_next(&r) & (prng_below(&r, 50) == 0 ? 0xff : 0xf9)),
                .window = (uint16_t)prng_next(&r),
                .segment_bytes = prng_below(&r, 4) == 0 ? 700 : 0,
            };
            s.options.has_timestamps = prng_below(&r, 2);
            s.options.timestamp_value = (uint32_t)prng_next(&r);
            s.options.timestamp_echo = (uint32_t)prng_next(&r);
            s.options.sack_count = (uint8_t)prng_below(&r, 5);
            for (int k = 0; k < s.options.sack_count; k++) {
                s.options.sack[k].start = seq32_add(tcp_snd_una(here->t), (uint32_t)prng_below(&r, 30000) - 5000);
                s.options.sack[k].end = seq32_add(s.options.sack[k].start, (uint32_t)prng_below(&r, 5000));
            }
            pair_inject(&p, there->index, &s, data, (uint32_t)prng_below(&r, sizeof(data)));
        }
        pair_destroy(&p);
    }
}

/* --- handshake --- */

static void a_syn_ack_for_another_syn_gets_a_reset(void **state) {
    (void)state;
    pair_init(&p, 7);
    assert_true(pair_create(&p));
    here = &p.ends[0];
    tcp_connect(here->t, p.now);
    assert_int_equal(answers(), TCP_SYN);
    struct tcp_segment s = {.seq = {5}, .ack = seq32_add(tcp_iss(here->t), 2), .flags = TCP_SYN | TCP_ACK};
    pair_inject(&p, 1, &s, NULL, 0);
    assert_int_equal(tcp_state(here->t), TCP_STATE_SYN_SENT);
    assert_int_equal(here->drops.bad_ack, 1);
    assert_int_equal(answers(), TCP_RST);
    /* And a RST that acknowledges something else is nobody's. */
    s = (struct tcp_segment){.ack = seq32_add(tcp_iss(here->t), 2), .flags = TCP_RST | TCP_ACK};
    pair_inject(&p, 1, &s, NULL, 0);
    assert_false(here->closed);
    s = (struct tcp_segment){.ack = seq32_add(tcp_iss(here->t), 1), .flags = TCP_RST};
    pair_inject(&p, 1, &s, NULL, 0);
    assert_false(here->closed);
    s.flags = TCP_RST | TCP_ACK;
    pair_inject(&p, 1, &s, NULL, 0);
    assert_true(here->closed);
    assert_int_equal(here->reason, TCP_CLOSED_REFUSED);
    pair_destroy(&p);
}

static void a_syn_without_options_and_with_data_opens_all_the_same(void **state) {
    (void)state;
    pair_init(&p, 7);
    assert_true(pair_create(&p));
    here = &p.ends[1];
    uint8_t data[10] = {0};
    struct tcp_segment s = {.seq = {77}, .flags = TCP_SYN, .window = 8000, .payload = data, .payload_length = 10};
    assert_true(tcp_accept(here->t, &s, p.now));
    assert_int_equal(answers(), -1); /* held back */
    tcp_answer(here->t, p.now);
    struct braid_packet_out packet;
    struct tcp_segment out;
    assert_int_equal(answer(&packet, &out), TCP_SYN | TCP_ACK);
    assert_int_equal(out.ack.value, 78); /* the SYN alone */
    assert_false(out.options.has_timestamps || out.options.sack_permitted || out.options.has_window_scale);
    assert_true(out.options.has_mss);
    assert_int_equal(info_of(here).mss_bytes, 536);
    s = (struct tcp_segment){.seq = {78}, .ack = tcp_snd_nxt(here->t), .flags = TCP_ACK, .window = 8000};
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(tcp_state(here->t), TCP_STATE_ESTABLISHED);
    assert_int_equal(here->received, 0);
    pair_destroy(&p);
}

/* [R-7323-2.3-3] */
static void a_window_scale_above_14_is_taken_for_14(void **state) {
    (void)state;
    pair_init(&p, 7);
    assert_true(pair_create(&p));
    here = &p.ends[1];
    struct tcp_segment s = {.seq = {77}, .flags = TCP_SYN, .window = 8000,
                            .options = {.has_window_scale = true, .window_scale = 200}};
    assert_true(tcp_accept(here->t, &s, p.now));
    assert_int_equal(info_of(here).send_scale, 14);
    pair_destroy(&p);
}

static void tiny_mss_is_raised(void **state) {
    (void)state;
    pair_init(&p, 7);
    assert_true(pair_create(&p));
    here = &p.ends[1];
    struct tcp_segment s = {.seq = {77}, .flags = TCP_SYN, .window = 8000, .options = {.has_mss = true, .mss = 0}};
    assert_true(tcp_accept(here->t, &s, p.now));
    assert_int_equal(info_of(here).mss_bytes, 88);
    pair_destroy(&p);
}

static void a_wrong_third_ack_gets_a_reset_and_the_right_one_still_counts(void **state) {
    (void)state;
    pair_init(&p, 7);
    assert_true(pair_create(&p));
    here = &p.ends[1];
    struct tcp_segment s = {.seq = {77}, .flags = TCP_SYN, .window = 8000};
    assert_true(tcp_accept(here->t, &s, p.now));
    tcp_answer(here->t, p.now);
    assert_int_equal(answers(), TCP_SYN | TCP_ACK);
    s = (struct tcp_segment){.seq = {78}, .ack = seq32_add(tcp_snd_nxt(here->t), 9), .flags = TCP_ACK};
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(here->drops.bad_ack, 1);
    assert_int_equal(answers(), TCP_RST);
    s.ack = tcp_snd_nxt(here->t);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_true(here->established);
    pair_destroy(&p);
}

static void a_repeated_syn_gets_the_syn_ack_again(void **state) {
    (void)state;
    pair_init(&p, 7);
    assert_true(pair_create(&p));
    here = &p.ends[1];
    struct tcp_segment s = {.seq = {77}, .flags = TCP_SYN, .window = 8000};
    assert_true(tcp_accept(here->t, &s, p.now));
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(answers(), -1); /* nothing before tcp_answer() */
    tcp_answer(here->t, p.now);
    assert_int_equal(answers(), TCP_SYN | TCP_ACK);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_int_equal(answers(), TCP_SYN | TCP_ACK);
    pair_destroy(&p);
}

/* --- the owner's word --- */

static void what_the_owner_drops_never_came(void **state) {
    (void)state;
    begin();
    here->verdict = TCP_VERDICT_DROP;
    struct tcp_segment s = forged(TCP_ACK | TCP_FIN);
    uint8_t data[10] = {0};
    pair_inject(&p, 0, &s, data, sizeof(data));
    assert_int_equal(here->received, 1000);
    assert_false(here->fin);
    assert_int_equal(here->drops.refused_by_owner, 1);
    pair_destroy(&p);
}

static void what_the_owner_refuses_resets(void **state) {
    (void)state;
    begin();
    here->verdict = TCP_VERDICT_RESET;
    struct tcp_segment s = forged(TCP_ACK);
    pair_inject(&p, 0, &s, NULL, 0);
    assert_true(here->closed);
    assert_int_equal(here->reason, TCP_CLOSED_ABORTED);
    assert_int_equal(answers(), TCP_RST | TCP_ACK);
    assert_int_equal(answers(), -1);
    pair_destroy(&p);
}

static void a_keepalive_probe_is_answered(void **state) {
    (void)state;
    begin();
    uint64_t before = here->segments;
    tcp_probe(there->t);
    pair_run(&p, 100 * MS);
    assert_int_equal(here->segments, before + 1);
    pair_destroy(&p);
}

static void a_reset_for_a_stray_segment_is_what_the_rfc_says(void **state) {
    (void)state;
    uint8_t a[4] = {10, 0, 0, 1}, b[4] = {10, 0, 0, 2};
    struct ip_address source = ip_address_v4(a), destination = ip_address_v4(b);
    struct tcp_segment s = {.source_port = 1, .destination_port = 2, .seq = {100}, .ack = {500}, .flags = TCP_ACK,
                            .payload_length = 10};
    struct braid_packet_out packet;
    struct ip_header ip;
    struct tcp_segment out;
    const uint8_t option[4] = {TCP_OPTION_KIND_MPTCP, 4, 0x80, 1};
    assert_true(tcp_reset_for(&s, &source, &destination, 3, false, option, 4, &packet));
    assert_int_equal(packet.link, 3);
    assert_int_equal(ip_decode(packet.header, packet.header_length, false, &ip), IP_OK);
    assert_true(ip_address_equal(&ip.destination, &source));
    assert_int_equal(tcp_segment_decode(packet.header + 20, ip.payload_length, &ip.source, &ip.destination, false, &out),
                     TCP_DECODE_OK);
    assert_int_equal(out.flags, TCP_RST);
    assert_int_equal(out.seq.value, 500);
    assert_int_equal(out.destination_port, 1);
    assert_int_equal(out.options.mptcp_count, 1);
    s.flags = TCP_SYN;
    assert_true(tcp_reset_for(&s, &source, &destination, 3, true, NULL, 0, &packet));
    assert_true(packet.checksum_partial);
    assert_int_equal(tcp_segment_decode(packet.header + 20, packet.header_length - 20u, &ip.source, &ip.destination,
                                        true, &out),
                     TCP_DECODE_OK);
    assert_int_equal(out.flags, TCP_RST | TCP_ACK);
    assert_int_equal(out.seq.value, 0);
    assert_int_equal(out.ack.value, 111);
    s.flags = TCP_RST;
    assert_false(tcp_reset_for(&s, &source, &destination, 3, true, NULL, 0, &packet));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rst_with_the_exact_number_resets),
        cmocka_unit_test(a_rst_elsewhere_in_the_window_is_challenged),
        cmocka_unit_test(a_rst_outside_the_window_is_ignored),
        cmocka_unit_test(a_syn_is_challenged_wherever_it_stands),
        cmocka_unit_test(challenges_are_rate_limited),
        cmocka_unit_test(a_keepalive_probe_is_answered_after_many_challenges),
        cmocka_unit_test(an_ack_of_what_was_never_sent_is_refused),
        cmocka_unit_test(an_ack_from_before_the_largest_window_is_refused),
        cmocka_unit_test(a_segment_without_ack_is_refused),
        cmocka_unit_test(an_old_timestamp_is_refused),
        cmocka_unit_test(after_weeks_of_silence_timestamps_start_anew),
        cmocka_unit_test(data_outside_the_window_is_refused_and_acknowledged),
        cmocka_unit_test(a_duplicate_is_reported_by_dsack),
        cmocka_unit_test(sack_blocks_name_the_newest_first),
        cmocka_unit_test(data_behind_the_fin_is_refused),
        cmocka_unit_test(a_second_fin_elsewhere_changes_nothing),
        cmocka_unit_test(a_fin_below_data_that_came_is_a_lie),
        cmocka_unit_test(sack_blocks_that_lie_are_ignored),
        cmocka_unit_test(sack_of_crumbs_is_bounded_in_memory),
        cmocka_unit_test(a_peer_that_reneges_gets_its_data),
        cmocka_unit_test(random_segments_break_nothing),
        cmocka_unit_test(a_syn_ack_for_another_syn_gets_a_reset),
        cmocka_unit_test(a_syn_without_options_and_with_data_opens_all_the_same),
        cmocka_unit_test(a_window_scale_above_14_is_taken_for_14),
        cmocka_unit_test(tiny_mss_is_raised),
        cmocka_unit_test(a_wrong_third_ack_gets_a_reset_and_the_right_one_still_counts),
        cmocka_unit_test(a_repeated_syn_gets_the_syn_ack_again),
        cmocka_unit_test(what_the_owner_drops_never_came),
        cmocka_unit_test(what_the_owner_refuses_resets),
        cmocka_unit_test(a_keepalive_probe_is_answered),
        cmocka_unit_test(a_reset_for_a_stray_segment_is_what_the_rfc_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
