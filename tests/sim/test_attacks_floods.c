/* Floods and other ways to make a server work, and remember, for nothing. What is bounded is measured: the
 * memory of the server's stack, and what it sends. */
#include "attacker.h"

/* What one handshake that is not done may cost: the connection, its subflow and TCP, its places in the
 * tables. */
enum { HALF_OPEN_BYTES_MAX = 10 << 10, HALF_OPEN_MAX = 256 };

static void syn_flood(bool multipath) {
    attack_begin(3000 + (uint64_t)multipath, &(struct braid_stack_config){
                                                  .half_open_max = HALF_OPEN_MAX, .cookies = BRAID_COOKIES_NEVER});
    struct sim_conversation *c = chat(10), *late = NULL;
    run_for(2 * S);
    run_to_silence();
    uint64_t before = sim_host_memory(attack.phone.server);
    for (uint32_t i = 0; i < 20000; i++) {
        struct ip_address source = stranger(i);
        struct forged f = syn_from(&source, (uint16_t)(1024 + i % 60000), 1000);
        struct mptcp_option option = {.subtype = MPTCP_MP_CAPABLE,
                                      .as.mp_capable = {.version = MPTCP_VERSION, .hmac_sha256 = true}};
        if (multipath) add_option(&f, &option);
        send_to_server(&f);
        run_for(250 * BRAID_NS_PER_US); /* 4000 a second: 256 are 64 ms, and the phone is 30 ms away */
        if (i == 8000)
            late = sim_phone_talk(&attack.phone, &(struct sim_conversation_config){
                                                     .streams = {{.bytes = 50000}, {.bytes = 50000}}});
    }
    run_for(5 * MS);
    uint64_t peak = sim_host_memory_peak(attack.phone.server);
    print_message("%d half-open connections took %llu bytes at most\n", HALF_OPEN_MAX,
                  (unsigned long long)(peak - before));
    assert_true(peak <= before + HALF_OPEN_MAX * (uint64_t)HALF_OPEN_BYTES_MAX + 200000);
    assert_true(server_counter("syn_half_open_evicted") > 10000);
    assert_whole(late);
    /* Not more goes out than came in, but for the few that are repeated. */
    assert_true(attack.to_attacker <= 20000 + 2 * HALF_OPEN_MAX);
    end_chat(c);
}

/* RFC 4987, without cookies (those: test_attacks_cookies.c). A real client gets in meanwhile. */
static void a_flood_of_syns_is_bounded_and_a_client_gets_in(void **state) {
    (void)state;
    syn_flood(false);
}
static void a_flood_of_mptcp_syns_is_bounded_and_a_client_gets_in(void **state) {
    (void)state;
    syn_flood(true);
}

/* SYN/ACKs are not sent for ever to whom a SYN named as its sender. */
static void an_unanswered_syn_ack_is_repeated_a_few_times_and_forgotten(void **state) {
    (void)state;
    attack_begin(3002, NULL);
    struct sim_conversation *c = chat(3);
    run_for(S);
    struct ip_address victim = stranger(1);
    struct forged f = syn_from(&victim, 5555, 1000);
    send_to_server(&f);
    run_for(200 * S);
    assert_true(attack.to_attacker_syn_acks <= 8);
    assert_int_equal(braid_stack_connections(sim_host_stack(attack.phone.server)), 0);
    end_chat(c);
}

/* Of whatever belongs to nothing: at most one RST for a packet, no longer than it. */
static void stray_segments_draw_at_most_a_reset(void **state) {
    (void)state;
    attack_begin(3003, NULL);
    struct sim_conversation *c = chat(10);
    run_for(S);
    uint64_t before = sim_host_memory(attack.phone.server);
    for (uint32_t i = 0; i < 10000; i++) {
        struct ip_address source = stranger(i);
        struct forged f = syn_from(&source, (uint16_t)(1024 + i % 60000), (uint16_t)(1000 + i % 50));
        f.flags = (uint8_t)prng_next(&dice);
        if (f.flags == TCP_SYN) f.flags = TCP_FIN;
        f.options = (struct tcp_options){0};
        f.ack = random_seq();
        if ((f.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) f.flags = TCP_ACK;
        send_to_server(&f);
        if (i % 20 == 0) run_for(MS);
    }
    run_for(20 * MS);
    assert_int_equal(attack.to_attacker, attack.to_attacker_resets);
    assert_true(attack.to_attacker <= 10000 && attack.to_attacker_bytes <= 10000 * 40);
    run_to_silence();
    assert_true(sim_host_memory(attack.phone.server) <= before + 10000);
    end_chat(c);
}

/* --- a peer that is hostile --- */

static struct sim_conversation *download(uint64_t seed) {
    attack_begin(seed, NULL);
    struct sim_conversation_config talk = {.streams = {{0}, {.bytes = 20 * MB}}};
    return sim_phone_talk(&attack.phone, &talk);
}

/* Savage et al.: ACKs for what has not arrived yet would make the sender faster than the path. Those beyond
 * what was sent are refused; what was sent is all that can be acknowledged. */
static void optimistic_acks_do_not_outrun_what_was_sent(void **state) {
    (void)state;
    struct sim_conversation *c = download(3010);
    run_for(S);
    uint64_t refused = server_counter("tcp_bad_ack");
    for (unsigned i = 0; i < 200; i++) {
        struct forged f = pretend(&attack.flows[0], true);
        f.ack = seq32_add(attack.flows[0].sides[1].next, 100000 + (uint32_t)prng_below(&dice, 10 * MB));
        say_as(&attack.flows[0], true, &f);
        run_for(MS);
    }
    run_for(20 * MS);
    assert_true(server_counter("tcp_bad_ack") - refused >= 190);
    struct braid_connection_info info;
    braid_connection_info(sim_conversation_connection(c, SIM_DOWN), &info);
    assert_true(info.bytes_acknowledged <= info.bytes_written);
    bool finished = sim_world_run_conversations(attack.phone.world, 100 * S);
    assert_whole(c);
    assert_true(finished);
    attack_end();
}

/* SACK blocks of what was never sent, was acknowledged long ago, or ends before it begins. */
static void sacks_of_what_was_never_sent_are_ignored(void **state) {
    (void)state;
    struct sim_conversation *c = download(3011);
    run_for(S);
    for (unsigned i = 0; i < 1000; i++) {
        const struct watched *w = &attack.flows[i % attack.flow_count];
        struct forged f = pretend(w, true);
        seq32 next = w->sides[1].next;
        const struct sack_block lies[4] = {
            {seq32_add(next, 1), seq32_add(next, 1000000)},
            {next, seq32_add(next, UINT32_C(1) << 31)},
            {seq32_back(f.ack, 3000000), seq32_back(f.ack, 2000000)},
            {seq32_add(f.ack, 20), seq32_add(f.ack, 10)},
        };
        f.options.sack_count = 3;
        for (unsigned k = 0; k < 3; k++)
            f.options.sack[k] = lies[(i + k) % 4];
        say_as(w, true, &f);
        run_for(500 * BRAID_NS_PER_US);
    }
    bool finished = sim_world_run_conversations(attack.phone.world, 100 * S);
    assert_whole(c);
    assert_true(finished);
    attack_end();
}

/* The application has not answered the SYN yet; nobody can have seen our number. */
static void what_comes_before_the_answer_is_not_looked_at(void **state) {
    (void)state;
    attack_begin(3021, NULL);
    struct sim_conversation *c = sim_phone_talk(&attack.phone, &(struct sim_conversation_config){
                                                                   .streams = {{.bytes = 5000}, {.bytes = 5000}},
                                                                   .deferred = true,
                                                                   .answer_ns = 200 * MS});
    run_for(100 * MS);
    for (unsigned i = 0; i < 5; i++) {
        struct forged f = pretend(&attack.flows[0], true);
        f.seq = attack.flows[0].sides[0].next;
        f.ack = random_seq();
        say_as(&attack.flows[0], true, &f);
    }
    run_for(50 * MS);
    assert_int_equal(server_counter("tcp_before_answer"), 5);
    end_chat(c);
}

/* Every byte mapped singly, behind a hole: the list of mappings has an end, and with it the segments that count. */
static void a_peer_that_maps_every_byte_singly_is_ignored_at_last(void **state) {
    (void)state;
    attack_begin(3020, NULL);
    struct sim_conversation *c = chat(3);
    run_for(S);
    run_to_silence();
    const struct watched *w = &attack.flows[0];
    const seq32 next = w->sides[0].next;
    uint32_t token;
    uint64_t idsn;
    mptcp_key_derive(attack.keys[0], &token, &idsn);
    uint64_t before = sim_host_memory(attack.phone.server);
    for (uint32_t i = 0; i < 20000; i++) {
        static const uint8_t byte[1];
        struct forged f = pretend(w, true);
        f.seq = seq32_add(next, 1 + 2 * i);
        f.payload = byte;
        f.payload_length = 1;
        struct mptcp_option option = {.subtype = MPTCP_DSS,
                                      .as.dss = {.has_mapping = true,
                                                 .dsn_64 = true,
                                                 .dsn = idsn + 100000 + 3 * i,
                                                 .subflow_seq = f.seq.value - attack.client_isn.value,
                                                 .data_length = 1}};
        add_option(&f, &option);
        say_as(w, true, &f);
        if (i % 100 == 0) run_for(MS);
    }
    run_for(50 * MS);
    assert_true(server_counter("mptcp_dss_mappings_full") > 1000);
    assert_true(sim_host_memory(attack.phone.server) < before + 16 * MB);
    (void)c;
    attack_end();
}

/* A window of a few bytes for ever: the sender waits and probes, it does not send crumbs without end. */
static void tiny_windows_cost_few_packets(void **state) {
    (void)state;
    static const uint16_t windows[] = {1, 7, 100};
    for (unsigned i = 0; i < 3; i++) {
        attack_begin(3012 + i, NULL);
        for (unsigned k = 0; k < 2; k++) {
            struct sim_window_config config = {
                .directions = SIM_ONLY_UP, .most = windows[i], .strip_scale = true};
            sim_link_append(attack.phone.links[k], sim_window_box(attack.phone.world, &config));
        }
        struct sim_conversation_config talk = {.streams = {{0}, {.bytes = 100000}}};
        struct sim_conversation *c = sim_phone_talk(&attack.phone, &talk);
        run_for(60 * S);
        uint64_t packets = 0;
        for (unsigned k = 0; k < attack.flow_count; k++)
            packets += attack.flows[k].sides[1].packets;
        struct sim_stream_result result;
        sim_conversation_result(c, SIM_DOWN, &result);
        print_message("window %u: %llu packets, %llu bytes in a minute\n", windows[i],
                      (unsigned long long)packets, (unsigned long long)result.read);
        assert_true(result.read >= (uint64_t)windows[i] * 800);
        assert_true(packets <= 60 * 60); /* two paths, round trips of 30 and 70 ms: one packet each at most */
        assert_true(sim_host_memory_peak(attack.phone.server) < 1 * MB);
        assert_null(sim_conversation_fault(c));
        attack_end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_syns_is_bounded_and_a_client_gets_in),
        cmocka_unit_test(a_flood_of_mptcp_syns_is_bounded_and_a_client_gets_in),
        cmocka_unit_test(an_unanswered_syn_ack_is_repeated_a_few_times_and_forgotten),
        cmocka_unit_test(stray_segments_draw_at_most_a_reset),
        cmocka_unit_test(optimistic_acks_do_not_outrun_what_was_sent),
        cmocka_unit_test(sacks_of_what_was_never_sent_are_ignored),
        cmocka_unit_test(a_peer_that_maps_every_byte_singly_is_ignored_at_last),
        cmocka_unit_test(what_comes_before_the_answer_is_not_looked_at),
        cmocka_unit_test(tiny_windows_cost_few_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
