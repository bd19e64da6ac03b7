/* Attackers off the path, who know addresses and ports and guess the rest (RFC 5961, RFC 5927; RFC 6181 §4
 * and RFC 7430 §3 for Multipath TCP: more subflows must not make it easier). */
#include "attacker.h"

enum { GUESSES = 3000 };

/* Segments of one kind, with numbers drawn from all of their space, by both directions of both subflows. */
static void blindly(uint8_t flags, bool with_data) {
    static const char evil[] = "what the attacker would like to be read";
    for (unsigned i = 0; i < GUESSES; i++) {
        for (unsigned k = 0; k < attack.flow_count; k++) {
            for (int client = 0; client < 2; client++) {
                struct forged f = pretend(&attack.flows[k], client != 0);
                f.flags = flags;
                f.seq = random_seq();
                f.ack = random_seq();
                if (with_data) {
                    f.payload = evil;
                    f.payload_length = sizeof(evil);
                }
                say_as(&attack.flows[k], client != 0, &f);
            }
        }
        if (i % 100 == 0) run_for(50 * MS);
    }
}

static void blind(uint8_t flags, bool with_data) {
    attack_begin(1000 + flags, NULL);
    struct sim_conversation *c = chat(20);
    run_for(3 * S);
    assert_int_equal(attack.flow_count, 2);
    blindly(flags, with_data);
    run_to_silence();
    assert_int_equal(paths_of(c, SIM_UP), 2);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    end_chat(c);
}

static void blind_resets_end_nothing(void **state) {
    (void)state;
    blind(TCP_RST, false);
    blind(TCP_RST | TCP_ACK, false);
}
static void blind_syns_end_nothing(void **state) {
    (void)state;
    blind(TCP_SYN, false);
    blind(TCP_SYN | TCP_ACK, false);
}
static void blind_data_is_not_read(void **state) {
    (void)state;
    blind(TCP_ACK | TCP_PSH, true);
}
static void blind_fins_close_nothing(void **state) {
    (void)state;
    blind(TCP_ACK | TCP_FIN, false);
}

/* RFC 5961 §3: a RST anywhere in the window but at its very start is asked about, and the asking is rationed
 * (§7). */
static void a_reset_inside_the_window_is_only_asked_about(void **state) {
    (void)state;
    attack_begin(1100, NULL);
    struct sim_conversation *c = chat(10);
    run_for(3 * S);
    for (unsigned i = 0; i < 500; i++) {
        run_to_silence();
        struct forged f = pretend(&attack.flows[0], true);
        f.flags = TCP_RST;
        f.seq = seq32_add(f.seq, 1 + (uint32_t)prng_below(&dice, 60000));
        for (unsigned k = 0; k < 20; k++)
            say_as(&attack.flows[0], true, &f);
        if (i == 20) break;
    }
    run_for(100 * MS);
    assert_int_equal(server_counter("tcp_rst_challenged"), 21 * 20);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    end_chat(c);
}

/* RFC 5961 §5: data where it is waited for, but with an ACK that nobody can have sent. */
static void data_with_an_impossible_ack_is_dropped(void **state) {
    (void)state;
    attack_begin(1101, NULL);
    struct sim_conversation *c = chat(10);
    run_for(3 * S);
    static const uint32_t lies[] = {1, 1000, 0x7fffffff, 0x80000000, 0x90000000};
    uint64_t before = server_counter("tcp_bad_ack");
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        run_to_silence();
        struct forged f = pretend(&attack.flows[0], true);
        f.ack = seq32_add(f.ack, lies[i]);
        f.payload = "xxxxxxxxxx";
        f.payload_length = 10;
        say_as(&attack.flows[0], true, &f);
    }
    run_for(100 * MS);
    assert_int_equal(server_counter("tcp_bad_ack") - before, sizeof(lies) / sizeof(lies[0]));
    end_chat(c);
}

/* What is to the left of the window, or far beyond it, is answered but never taken, whatever its ACK. */
static void data_outside_the_window_is_dropped(void **state) {
    (void)state;
    attack_begin(1102, NULL);
    struct sim_conversation *c = chat(10);
    run_for(3 * S);
    static const int32_t places[] = {-2000, -10, 40 << 20, 1 << 30, -(1 << 30)};
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        run_to_silence();
        struct forged f = pretend(&attack.flows[0], true);
        f.seq = seq32_add(f.seq, (uint32_t)places[i]);
        f.payload = "xxxxxxxxxx";
        f.payload_length = 10;
        say_as(&attack.flows[0], true, &f);
    }
    run_for(100 * MS);
    assert_true(server_counter("tcp_outside_window") >= sizeof(places) / sizeof(places[0]));
    end_chat(c);
}

/* RFC 5927: ICMP errors act only if they quote what is in flight, and then never end what is established. */
static void forged_icmp_errors_end_nothing(void **state) {
    (void)state;
    attack_begin(1103, NULL);
    struct sim_conversation *c = chat(10);
    run_for(3 * S);
    static const enum icmp_error_kind kinds[] = {ICMP_HOST_UNREACHABLE, ICMP_PORT_UNREACHABLE,
                                                 ICMP_PROHIBITED, ICMP_NET_UNREACHABLE};
    for (unsigned i = 0; i < 400; i++) {
        const struct watched *w = &attack.flows[i % 2];
        struct forged quoted = pretend(w, true);
        uint8_t inner[2048], bytes[2048];
        if (i % 4 < 2) quoted.seq = random_seq();
        uint32_t inner_length = forge(&quoted, inner);
        uint32_t length = icmp_error_encode(kinds[i / 4 % 4], &w->flow.remote, &w->flow.local, inner,
                                            inner_length, bytes, sizeof(bytes));
        assert_true(length > 0);
        sim_link_inject(attack.phone.links[path_of_flow(w)], SIM_DOWN, bytes, length);
        if (i % 10 == 0) run_for(20 * MS);
    }
    assert_true(client_counter("tcp_icmp_not_in_flight") >= 200);
    assert_int_equal(paths_of(c, SIM_UP), 2);
    end_chat(c);
}

/* An off-path attacker has no port to aim at: SYNs with the four numbers of an established flow change
 * nothing. */
static void a_syn_for_a_flow_that_lives_is_challenged(void **state) {
    (void)state;
    attack_begin(1104, NULL);
    struct sim_conversation *c = chat(10);
    run_for(3 * S);
    run_to_silence();
    uint64_t before = sim_host_memory(attack.phone.server);
    for (unsigned i = 0; i < 1000; i++) {
        struct forged f = syn_from(&attack.flows[0].flow.local, attack.flows[0].flow.local_port,
                                   attack.flows[0].flow.remote_port);
        say_as(&attack.flows[0], true, &f);
    }
    run_for(200 * MS);
    run_to_silence();
    assert_in_range(sim_host_memory(attack.phone.server), before / 2, before + 20000);
    assert_int_equal(paths_of(c, SIM_DOWN), 2);
    end_chat(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blind_resets_end_nothing),
        cmocka_unit_test(blind_syns_end_nothing),
        cmocka_unit_test(blind_data_is_not_read),
        cmocka_unit_test(blind_fins_close_nothing),
        cmocka_unit_test(a_reset_inside_the_window_is_only_asked_about),
        cmocka_unit_test(data_with_an_impossible_ack_is_dropped),
        cmocka_unit_test(data_outside_the_window_is_dropped),
        cmocka_unit_test(forged_icmp_errors_end_nothing),
        cmocka_unit_test(a_syn_for_a_flow_that_lives_is_challenged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
