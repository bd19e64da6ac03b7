/* The attacks of RFC 6181 and RFC 7430 on Multipath TCP itself: on joins, on addresses, on what its options
 * say. The attacker is off the path, or saw part of the handshake, or is the peer, as each test says. */
#include "attacker.h"

/* What one flow may cost before its HMAC holds: the subflow, its TCP, its place in the table of flows. */
enum { JOIN_BYTES_MAX = 4096, HALF_OPEN_JOINS_MAX = 32 };

static struct forged join_syn(const struct ip_address *source, uint16_t port, uint32_t token) {
    struct forged f = syn_from(source, port, 1000);
    struct mptcp_option option = {
        .subtype = MPTCP_MP_JOIN,
        .as.mp_join = {
            .form = MP_JOIN_SYN, .address_id = 9, .token = token, .nonce = (uint32_t)prng_next(&dice)}};
    f.options.mptcp_count = 0;
    add_option(&f, &option);
    return f;
}

/* The third ACK of a join whose SYN/ACK has just come to the attacker. */
static struct forged join_ack(const struct forged *syn, const uint8_t hmac[20]) {
    struct forged f = {.flow = syn->flow,
                       .seq = seq32_add(syn->seq, 1),
                       .ack = seq32_add(attack.last_to_attacker.seq, 1),
                       .flags = TCP_ACK,
                       .window = 1000};
    struct mptcp_option option = {.subtype = MPTCP_MP_JOIN, .as.mp_join.form = MP_JOIN_ACK};
    memcpy(option.as.mp_join.hmac160, hmac, 20);
    add_option(&f, &option);
    return f;
}

/* --- joins --- */

/* RFC 7430 §4: nothing is kept for a token that is nobody's. */
static void joins_with_unknown_tokens_leave_nothing_behind(void **state) {
    (void)state;
    attack_begin(2000, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    run_to_silence();
    uint64_t before = sim_host_memory(attack.phone.server);
    for (uint32_t i = 0; i < 20000; i++) {
        struct ip_address source = stranger(i);
        uint32_t token = (uint32_t)prng_next(&dice);
        if (token == attack.token) continue;
        struct forged f = join_syn(&source, (uint16_t)(1024 + i % 60000), token);
        send_to_server(&f);
        if (i % 50 == 0) run_for(MS);
    }
    run_for(10 * MS);
    run_to_silence();
    assert_true(sim_host_memory(attack.phone.server) <= before + 1000);
    assert_true(server_counter("join_unknown_token") >= 19990);
    assert_int_equal(attack.to_attacker_syn_acks, 0);
    assert_true(attack.to_attacker <= 20000); /* at most a RST for a SYN: nothing is amplified */
    end_chat(c);
}

/* RFC 6181 §5: the token was overheard. Half-open joins are bounded, and do not keep real ones out: here 200
 * a second come, and the phone's round trip is 70 ms. */
static void a_flood_of_joins_with_the_right_token_is_bounded_and_the_phone_still_joins(void **state) {
    (void)state;
    attack_begin(2001, NULL);
    struct sim_conversation *c = chat(40);
    run_for(3 * S);
    run_to_silence();
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    uint64_t before = sim_host_memory(attack.phone.server);
    uint64_t most = 0;
    sim_path_down(&attack.phone, 1);
    run_for(S);
    for (uint32_t i = 0; i < 4000; i++) {
        struct ip_address source = stranger(i);
        struct forged f = join_syn(&source, (uint16_t)(1024 + i % 60000), attack.token);
        send_to_server(&f);
        run_for(5 * MS);
        uint64_t now = sim_host_memory(attack.phone.server);
        if (now > most) most = now;
        if (i == 1000) sim_path_up(&attack.phone, 1);
    }
    print_message("half-open joins took %llu bytes at most\n", (unsigned long long)(most - before));
    assert_true(most <= before + HALF_OPEN_JOINS_MAX * JOIN_BYTES_MAX);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    assert_true(server_counter("mptcp_join_half_open_full") > 3000);
    assert_int_equal(attack.to_attacker_payload, 0);
    end_chat(c);
}

/* A thousand at once: nothing is computed for most of them, and a second later the phone joins. */
static void joins_are_limited_in_rate(void **state) {
    enum { BURST = 1000, A_SECOND = 400 };
    (void)state;
    attack_begin(2011, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    run_to_silence();
    sim_path_down(&attack.phone, 1);
    run_for(S);
    for (uint32_t i = 0; i < BURST; i++) {
        struct ip_address source = stranger(i);
        struct forged f = join_syn(&source, (uint16_t)(1024 + i), attack.token);
        send_to_server(&f);
    }
    run_for(100 * MS);
    assert_int_equal(server_counter("mptcp_join_refused_rate"), BURST - A_SECOND);
    run_for(S);
    sim_path_up(&attack.phone, 1);
    run_for(S);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    assert_int_equal(server_counter("mptcp_join_refused_rate"), BURST - A_SECOND);
    end_chat(c);
}

/* The attacker answers its SYN/ACKs, but has not the keys. */
static void joins_with_a_wrong_hmac_are_reset_and_forgotten(void **state) {
    (void)state;
    attack_begin(2002, NULL);
    struct sim_conversation *c = chat(40);
    run_for(3 * S);
    run_to_silence();
    uint64_t before = sim_host_memory(attack.phone.server);
    for (uint32_t i = 0; i < 500; i++) {
        struct ip_address source = stranger(i);
        uint8_t hmac[20];
        uint64_t answers = attack.to_attacker_syn_acks, resets = attack.to_attacker_resets;
        struct forged syn = join_syn(&source, 2000, attack.token);
        send_to_server(&syn);
        run_for(20 * MS);
        assert_int_equal(attack.to_attacker_syn_acks, answers + 1);
        for (unsigned k = 0; k < sizeof(hmac); k++)
            hmac[k] = (uint8_t)prng_next(&dice);
        /* A right one of another connection's keys would be as wrong; and so is the server's own half. */
        if (i % 3 == 1) mptcp_join_hmac(attack.keys[0] ^ 1, attack.keys[1], 1, 2, hmac);
        if (i % 3 == 2) memset(hmac, 0, sizeof(hmac));
        struct forged ack = join_ack(&syn, hmac);
        send_to_server(&ack);
        run_for(20 * MS);
        assert_int_equal(attack.to_attacker_resets, resets + 1);
    }
    assert_int_equal(server_counter("mptcp_join_bad_hmac"), 500);
    run_to_silence();
    assert_true(sim_host_memory(attack.phone.server) <= before + 1000);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    assert_int_equal(attack.to_attacker_payload, 0);
    end_chat(c);
}

/* Whoever knows a token has still to answer the nonce: a join that was recorded is worth nothing the next
 * time. */
static void a_recorded_join_cannot_be_played_again(void **state) {
    (void)state;
    attack_begin(2003, NULL);
    attack.tape_subtype = MPTCP_MP_JOIN;
    struct sim_conversation *c = chat(40);
    run_for(5 * S);
    attack.tape_subtype = -1;
    assert_true(attack.taped >= 2); /* SYN and third ACK */
    uint64_t joined = server_counter("mptcp_join_established");
    /* At once, while the subflow lives; and after its path has gone, from its own address. */
    for (int gone = 0; gone < 2; gone++) {
        if (gone) sim_path_blackhole(&attack.phone, 1, false, true);
        if (gone) sim_path_down(&attack.phone, 1);
        run_for(5 * S);
        for (unsigned round = 0; round < 5; round++) {
            for (unsigned i = 0; i < attack.taped; i++) {
                sim_link_inject(attack.link, SIM_UP, attack.tape[i].bytes, attack.tape[i].length);
                run_for(100 * MS);
            }
        }
        run_for(20 * S * (unsigned)gone);
        assert_int_equal(server_counter("mptcp_join_established"), joined);
        assert_int_equal(paths_of(c, SIM_DOWN), gone ? 1 : 2);
    }
    end_chat(c);
}

/* RFC 6181 §5: a join in the name of a third party brings that party a few SYN/ACKs and not one byte of data.
 */
static void a_join_from_a_spoofed_address_brings_its_owner_no_data(void **state) {
    (void)state;
    attack_begin(2004, NULL);
    struct sim_conversation_config talk = {.streams = {{0}, {.bytes = 100 * (uint64_t)MB}}};
    struct sim_conversation *c = sim_phone_talk(&attack.phone, &talk);
    run_for(2 * S);
    struct ip_address victim = stranger(7);
    struct forged syn = join_syn(&victim, 2000, attack.token);
    send_to_server(&syn);
    run_for(2 * S);
    uint8_t guess[20] = {0};
    struct forged ack = join_ack(&syn, guess);
    ack.ack = random_seq(); /* it does not see the SYN/ACK */
    send_to_server(&ack);
    run_for(60 * S);
    assert_int_equal(attack.to_attacker_payload, 0);
    assert_true(attack.to_attacker <= 8);
    assert_true(attack.to_attacker_bytes <= 8 * 80);
    end_chat(c);
}

/* --- addresses --- */

static struct mptcp_option announcement(uint8_t id, const struct ip_address *address, uint64_t sender,
                                        uint64_t receiver) {
    return (struct mptcp_option){
        .subtype = MPTCP_ADD_ADDR,
        .as.add_addr = {.address_id = id,
                        .address = *address,
                        .hmac = mptcp_add_addr_hmac(sender, receiver, id, address->bytes, 4, 0)}};
}

static void announce_as_server(const struct mptcp_option *option) {
    run_to_silence();
    struct forged f = pretend(&attack.flows[0], false);
    add_option(&f, option);
    say_as(&attack.flows[0], false, &f);
}

/* RFC 7430 §2, the hijack that version 1's HMAC ends: in the window, in the server's name, but without the
 * keys. */
static void an_announced_address_is_not_believed_without_the_keys(void **state) {
    (void)state;
    attack_begin(2010, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    uint64_t syns = attack.client_syns;
    struct ip_address evil = stranger(1);
    struct mptcp_option options[4] = {
        announcement(5, &evil, attack.keys[1] ^ 1, attack.keys[0]),
        announcement(5, &evil, attack.keys[0], attack.keys[1]), /* the client's own direction, reflected */
        announcement(5, &evil, attack.keys[1], attack.keys[0]), /* right, but for another ID */
        announcement(5, &evil, attack.keys[1], attack.keys[0]), /* right, but with another port */
    };
    options[2].as.add_addr.address_id = 6;
    options[3].as.add_addr.has_port = true;
    options[3].as.add_addr.port = 4444;
    for (unsigned i = 0; i < 4; i++)
        announce_as_server(&options[i]);
    run_for(S);
    assert_int_equal(client_counter("mptcp_add_addr_bad_hmac"), 4);
    assert_int_equal(attack.client_syns, syns);
    /* RFC 6824's form has no HMAC at all: in version 1 that is an option of a wrong length. */
    run_to_silence();
    struct forged f = pretend(&attack.flows[0], false);
    const uint8_t bare[8] = {TCP_OPTION_KIND_MPTCP, 8, 0x30, 5, 172, 16, 0, 1};
    f.options.mptcp[f.options.mptcp_count++] = (struct tcp_raw_option){bare, sizeof(bare)};
    say_as(&attack.flows[0], false, &f);
    run_for(S);
    assert_true(client_counter("mptcp_option_bad_length") >= 1);
    assert_int_equal(attack.client_syns, syns);
    end_chat(c);
}

/* A valid announcement that was overheard is of that connection only; played again there, it opens nothing
 * twice. */
static void an_announcement_played_again_opens_nothing_more(void **state) {
    (void)state;
    attack_begin(2011, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    struct ip_address other = stranger(1);
    struct mptcp_option genuine = announcement(5, &other, attack.keys[1], attack.keys[0]);
    uint64_t syns = attack.client_syns;
    announce_as_server(&genuine);
    run_for(500 * MS);
    assert_int_equal(attack.client_syns, syns + 2); /* from both paths, as announced */
    for (unsigned i = 0; i < 20; i++)
        announce_as_server(&genuine);
    run_for(500 * MS);
    /* SYNs are sent again in their own time, but not more of them. */
    assert_true(attack.client_syns <= syns + 2 * 4);
    struct sim_conversation *second = chat(10);
    run_for(3 * S);
    const struct watched *w = &attack.flows[attack.flow_count - 2];
    syns = attack.client_syns;
    run_to_silence();
    struct forged f = pretend(w, false);
    add_option(&f, &genuine);
    say_as(w, false, &f);
    run_for(S);
    assert_int_equal(client_counter("mptcp_add_addr_bad_hmac"), 1);
    assert_true(sim_conversation_connected(second));
    end_chat(c);
}

/* The peer itself is hostile and announces address after address, to have the phone flood others with SYNs.
 */
static void a_peer_that_announces_without_end_costs_little(void **state) {
    (void)state;
    attack_begin(2012, NULL);
    struct sim_conversation *c = chat(60);
    run_for(3 * S);
    uint64_t before = sim_host_memory(attack.phone.client), syns = attack.client_syns;
    enum { ANNOUNCED = 3000 };
    for (unsigned i = 0; i < ANNOUNCED; i++) {
        struct ip_address target = stranger(i);
        struct mptcp_option option =
            announcement((uint8_t)(1 + i % 250), &target, attack.keys[1], attack.keys[0]);
        if (i % 2 == 1) { /* one address, ever new ports */
            target = stranger(1);
            option.as.add_addr =
                (struct add_addr){.address_id = 5, .address = target, .has_port = true, .port = (uint16_t)i};
            option.as.add_addr.hmac =
                mptcp_add_addr_hmac(attack.keys[1], attack.keys[0], 5, target.bytes, 4, (uint16_t)i);
        }
        struct forged f = pretend(&attack.flows[0], false);
        add_option(&f, &option);
        say_as(&attack.flows[0], false, &f);
        run_for(10 * MS);
    }
    assert_true(client_counter("mptcp_add_addr_received") > ANNOUNCED / 2);
    assert_true(sim_host_memory(attack.phone.client) <= before + 16 * JOIN_BYTES_MAX);
    uint64_t sent = attack.client_syns - syns;
    print_message("%d announcements in 30 s: %llu SYNs\n", ANNOUNCED, (unsigned long long)sent);
    assert_true(sent <= 200);
    end_chat(c);
}

/* RFC 8684 §3.4.2: a subflow whose address is said to be gone is asked first; it answers, and stays. */
static void a_forged_removal_closes_no_path_that_works(void **state) {
    (void)state;
    attack_begin(2013, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    for (unsigned i = 0; i < 20; i++) {
        run_to_silence();
        struct forged f = pretend(&attack.flows[i % 2], i % 4 < 2);
        struct mptcp_option option = {.subtype = MPTCP_REMOVE_ADDR};
        option.as.remove_addr.count = 20;
        for (unsigned k = 0; k < 20; k++)
            option.as.remove_addr.address_ids[k] = (uint8_t)k;
        add_option(&f, &option);
        say_as(&attack.flows[i % 2], i % 4 < 2, &f);
    }
    run_for(3 * S);
    assert_true(server_counter("mptcp_remove_addr_received") + client_counter("mptcp_remove_addr_received") >=
                20);
    assert_int_equal(paths_of(c, SIM_UP), 2);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    end_chat(c);
}

/* --- what ends or changes connections --- */

static void a_fastclose_with_a_wrong_key_closes_nothing(void **state) {
    (void)state;
    attack_begin(2020, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    const uint64_t keys[] = {0, UINT64_MAX, attack.keys[0], attack.keys[1] + 1, prng_next(&dice)};
    for (unsigned i = 0; i < 5; i++) {
        run_to_silence();
        struct forged f = pretend(&attack.flows[0], true); /* to the server, whose key is keys[1] */
        struct mptcp_option option = {.subtype = MPTCP_MP_FASTCLOSE, .as.mp_fastclose = {keys[i]}};
        add_option(&f, &option);
        say_as(&attack.flows[0], true, &f);
    }
    run_for(100 * MS);
    assert_int_equal(server_counter("mptcp_fastclose_bad_key"), 5);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    end_chat(c);
}

static void fail_as(bool client, unsigned path, int32_t offset) {
    run_to_silence();
    struct forged f = pretend(&attack.flows[path], client);
    struct mptcp_option option = {.subtype = MPTCP_MP_FAIL, .as.mp_fail = {prng_next(&dice)}};
    add_option(&f, &option);
    f.seq = seq32_add(f.seq, (uint32_t)offset);
    say_as(&attack.flows[path], client, &f);
}

/* Outside the window it is not heard; of one of two subflows it changes nothing. Only whoever sees the
 * numbers of the last subflow can bring about fallback by it, as he could by stripping options, and even then
 * the stream stays whole. */
static void a_forged_mp_fail_costs_at_most_the_second_path(void **state) {
    (void)state;
    attack_begin(2021, NULL);
    struct sim_conversation *c = chat(30);
    run_for(3 * S);
    struct braid_connection_info info;
    for (int kind = 0; kind < 8; kind++)
        fail_as(kind & 1, kind >> 1 & 1, kind & 4 ? 50 << 20 : 0);
    run_for(S);
    for (int side = 0; side < 2; side++) {
        braid_connection_info(sim_conversation_connection(c, (enum sim_direction)side), &info);
        assert_true(info.multipath);
        assert_int_equal(paths_of(c, (enum sim_direction)side), 2);
    }
    end_chat(c);

    attack_begin(2024, NULL);
    sim_path_down(&attack.phone, 1);
    c = chat(20);
    run_for(3 * S);
    fail_as(true, 0, 0);
    run_for(S);
    braid_connection_info(sim_conversation_connection(c, SIM_DOWN), &info);
    assert_true(info.fallback);
    end_chat(c);
}

static void send_dss(bool as_client, const struct dss *dss, const void *payload, uint32_t length) {
    run_to_silence();
    struct forged f = pretend(&attack.flows[0], as_client);
    struct mptcp_option option = {.subtype = MPTCP_DSS, .as.dss = *dss};
    add_option(&f, &option);
    f.payload = payload;
    f.payload_length = length;
    say_as(&attack.flows[0], as_client, &f);
}

/* A DATA_ACK of what was never sent would free bytes that are still to go out. */
static void a_data_ack_beyond_what_was_sent_is_not_believed(void **state) {
    (void)state;
    attack_begin(2022, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    uint32_t token;
    uint64_t idsn;
    mptcp_key_derive(attack.keys[1], &token, &idsn); /* the server's data starts there */
    static const uint64_t beyond[] = {
        100000, UINT64_C(1) << 31, UINT64_C(1) << 40, UINT64_C(1) << 62, UINT64_C(1) << 63, UINT64_MAX - 10};
    for (unsigned i = 0; i < 6; i++) {
        struct dss dss = {.has_data_ack = true, .data_ack_64 = true, .data_ack = idsn + beyond[i]};
        send_dss(true, &dss, NULL, 0);
    }
    run_for(S);
    struct braid_connection_info info;
    braid_connection_info(sim_conversation_connection(c, SIM_DOWN), &info);
    assert_true(info.bytes_acknowledged <= info.bytes_written);
    assert_true(server_counter("mptcp_data_ack_outside") >= 4);
    end_chat(c);
}

/* A mapping far outside the window, or on top of what has been read: TCP takes the bytes, the stream does
 * not. */
static void mappings_outside_the_window_reach_nobody(void **state) {
    (void)state;
    attack_begin(2023, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    uint32_t token;
    uint64_t idsn;
    mptcp_key_derive(attack.keys[0], &token, &idsn);
    const struct watched *w = &attack.flows[1]; /* the idle subflow: what TCP takes there disturbs nobody */
    static const uint64_t places[] = {0, 1, UINT64_C(1) << 30, UINT64_C(1) << 45, UINT64_C(1) << 63};
    uint64_t before = sim_host_memory(attack.phone.server);
    uint32_t sent = 0;
    for (unsigned i = 0; i < 5; i++) {
        run_to_silence();
        struct forged f = pretend(w, true);
        struct mptcp_option option = {.subtype = MPTCP_DSS,
                                      .as.dss = {.has_mapping = true,
                                                 .dsn_64 = true,
                                                 .dsn = idsn + 1 + places[i],
                                                 .subflow_seq = 1 + sent,
                                                 .data_length = 10}};
        add_option(&f, &option);
        f.payload = "0123456789";
        f.payload_length = 10;
        say_as(w, true, &f);
        sent += 10;
        run_for(60 * MS);
    }
    assert_true(server_counter("mptcp_data_outside_window") >= 3);
    assert_true(server_counter("mptcp_data_duplicate") >= 2);
    assert_true(sim_host_memory(attack.phone.server) <= before + 2000);
    end_chat(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joins_with_unknown_tokens_leave_nothing_behind),
        cmocka_unit_test(a_flood_of_joins_with_the_right_token_is_bounded_and_the_phone_still_joins),
        cmocka_unit_test(joins_are_limited_in_rate),
        cmocka_unit_test(joins_with_a_wrong_hmac_are_reset_and_forgotten),
        cmocka_unit_test(a_recorded_join_cannot_be_played_again),
        cmocka_unit_test(a_join_from_a_spoofed_address_brings_its_owner_no_data),
        cmocka_unit_test(an_announced_address_is_not_believed_without_the_keys),
        cmocka_unit_test(an_announcement_played_again_opens_nothing_more),
        cmocka_unit_test(a_peer_that_announces_without_end_costs_little),
        cmocka_unit_test(a_forged_removal_closes_no_path_that_works),
        cmocka_unit_test(a_fastclose_with_a_wrong_key_closes_nothing),
        cmocka_unit_test(a_forged_mp_fail_costs_at_most_the_second_path),
        cmocka_unit_test(a_data_ack_beyond_what_was_sent_is_not_believed),
        cmocka_unit_test(mappings_outside_the_window_reach_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
