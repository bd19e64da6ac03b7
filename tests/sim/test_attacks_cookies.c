/* SYN cookies: floods that nothing is kept of, what clients that come meanwhile get, and what forged, old and strange
 * cookies are worth. */
#include "attacker.h"

enum { HALF_OPEN_BYTES_MAX = 10 << 10, HALF_OPEN_MAX = 256, FLOOD = 100000 };

static struct forged mptcp_syn(const struct ip_address *source, uint16_t port, uint16_t server_port) {
    struct forged f = syn_from(source, port, server_port);
    struct mptcp_option option = {.subtype = MPTCP_MP_CAPABLE,
                                  .as.mp_capable = {.version = MPTCP_VERSION, .hmac_sha256 = true}};
    add_option(&f, &option);
    return f;
}

static struct sim_conversation *honest(bool plain) {
    return sim_phone_talk(&attack.phone, &(struct sim_conversation_config){
                                             .plain_client = plain,
                                             .streams = {{.bytes = 50000}, {.bytes = 50000}}});
}

/* Of 100,000 SYNs, 4000 a second, every other with MP_CAPABLE. Clients get in by cookies, with all they ask for. */
static void a_flood_is_answered_by_cookies_and_clients_get_mptcp(void **state) {
    (void)state;
    attack_begin(3100, &(struct braid_stack_config){.half_open_max = HALF_OPEN_MAX});
    struct sim_conversation *c = chat(30), *late[8];
    unsigned count = 0;
    run_for(2 * S);
    run_to_silence();
    uint64_t before = sim_host_memory(attack.phone.server);
    for (uint32_t i = 0; i < FLOOD; i++) {
        struct ip_address source = stranger(i);
        uint16_t port = (uint16_t)(1024 + i % 60000);
        struct forged f = i % 2 ? syn_from(&source, port, 1000) : mptcp_syn(&source, port, 1000);
        send_to_server(&f);
        run_for(250 * BRAID_NS_PER_US);
        if (i >= 8000 && i % 10000 == 0 && count < 8) late[count] = honest(count % 2 == 1), count++;
    }
    uint64_t peak = sim_host_memory_peak(attack.phone.server);
    print_message("memory: %llu bytes at most; cookies: %llu sent, %llu came back\n", (unsigned long long)(peak - before),
                  (unsigned long long)server_counter("cookies_sent"),
                  (unsigned long long)server_counter("cookies_accepted"));
    assert_true(peak <= before + HALF_OPEN_MAX * (uint64_t)HALF_OPEN_BYTES_MAX + 500000);
    assert_true(server_counter("cookies_sent") > FLOOD * 9 / 10);
    assert_true(server_counter("cookies_accepted") >= count);
    assert_int_equal(server_counter("syn_half_open_evicted"), 0);
    assert_int_equal(server_counter("mptcp_capable_established_passive"), 1 + count / 2); /* all that asked */
    assert_int_equal(client_counter("mptcp_fallback_syn_no_option"), 0);
    for (unsigned i = 0; i < count; i++) assert_whole(late[i]);
    assert_true(attack.to_attacker <= FLOOD + 8 * HALF_OPEN_MAX);
    end_chat(c);
}

/* Every connection of many begins with a cookie. */
static void conversations_that_begin_with_cookies_are_whole(void **state) {
    (void)state;
    for (uint64_t seed = 3110; seed < 3120; seed++) {
        attack_begin(seed, &(struct braid_stack_config){.cookies = BRAID_COOKIES_ALWAYS});
        struct sim_conversation *c[6];
        for (unsigned i = 0; i < 6; i++) {
            c[i] = honest(i % 3 == 2);
            run_for(seed * 7 % 50 * MS);
        }
        assert_true(sim_world_run_conversations(attack.phone.world, 60 * S));
        for (unsigned i = 0; i < 6; i++) assert_whole(c[i]);
        assert_int_equal(server_counter("cookies_accepted"), 6);
        assert_int_equal(server_counter("mptcp_capable_established_passive"), 4);
        assert_int_equal(server_counter("cookie_bad") + server_counter("cookie_stale"), 0);
        attack_end();
    }
}

static struct forged answer_to(const struct forged *syn) {
    struct forged f = {.flow = syn->flow, .seq = seq32_add(syn->seq, 1), .flags = TCP_ACK, .window = 1000};
    f.ack = seq32_add(attack.last_to_attacker.seq, 1);
    f.options.has_timestamps = syn->options.has_timestamps;
    f.options.timestamp_value = syn->options.timestamp_value + 1;
    f.options.timestamp_echo = attack.last_to_attacker.options.timestamp_value;
    return f;
}

/* ACKs that answer nothing, while cookies are out: a hash each, nothing is kept, nothing goes out. */
static void a_flood_of_acks_opens_nothing_and_draws_nothing(void **state) {
    (void)state;
    attack_begin(3120, &(struct braid_stack_config){.cookies = BRAID_COOKIES_ALWAYS});
    struct sim_conversation *c = chat(30);
    run_for(2 * S);
    run_to_silence();
    uint64_t before = sim_host_memory(attack.phone.server), sent = attack.to_attacker;
    uint16_t port = sim_conversation_port(c);
    for (uint32_t i = 0; i < FLOOD; i++) {
        struct ip_address source = stranger(i);
        struct forged f = syn_from(&source, (uint16_t)(1024 + i % 60000), port);
        f.flags = i % 3 ? TCP_ACK : TCP_ACK | TCP_PSH;
        f.options = (struct tcp_options){.has_timestamps = i % 2 == 0, .timestamp_echo = (uint32_t)prng_next(&dice)};
        f.ack = random_seq();
        send_to_server(&f);
        if (i % 20 == 0) run_for(MS);
    }
    run_for(20 * MS);
    assert_int_equal(attack.to_attacker, sent);
    assert_int_equal(server_counter("cookie_bad"), FLOOD);
    run_to_silence();
    assert_true(sim_host_memory(attack.phone.server) <= before + 10000);
    end_chat(c);
}

/* Who answers its own cookie gets in; the same answer from another port, of another SYN, for another segment size, with
 * another clock, or too late, does not. */
static void a_cookie_counts_for_its_own_syn_and_for_two_minutes(void **state) {
    (void)state;
    attack_begin(3121, &(struct braid_stack_config){.cookies = BRAID_COOKIES_ALWAYS});
    struct sim_conversation *c = chat(30);
    run_for(2 * S);
    struct ip_address source = stranger(1);
    struct forged syn = syn_from(&source, 5000, sim_conversation_port(c));
    syn.options.has_timestamps = true;
    syn.options.timestamp_value = 77;
    unsigned connections = braid_stack_connections(sim_host_stack(attack.phone.server));
    send_to_server(&syn);
    run_for(20 * MS);
    assert_int_equal(braid_stack_connections(sim_host_stack(attack.phone.server)), connections);
    const struct forged right = answer_to(&syn);
    struct forged wrong[5] = {right, right, right, right, right};
    wrong[0].flow.local_port++;
    wrong[1].seq = seq32_add(right.seq, 1);
    wrong[2].ack = seq32_of(right.ack.value ^ UINT32_C(1) << 28);
    wrong[3].ack = seq32_of(right.ack.value ^ UINT32_C(1) << 31);
    wrong[4].options.has_timestamps = false;
    for (unsigned i = 0; i < 5; i++) send_to_server(&wrong[i]);
    run_for(20 * MS);
    assert_int_equal(server_counter("cookie_bad"), 5);
    wrong[0] = right;
    wrong[0].options.timestamp_echo -= 130000;
    send_to_server(&wrong[0]);
    run_for(20 * MS);
    assert_int_equal(server_counter("cookie_stale"), 1);
    assert_int_equal(server_counter("cookies_accepted"), 1); /* the phone's */
    struct forged again = syn;
    again.flow.local_port = 5001;
    run_for(100 * S);
    send_to_server(&again); /* so that cookies are out, and looked at */
    run_for(60 * S);
    send_to_server(&right);
    run_for(20 * MS);
    assert_int_equal(server_counter("cookies_accepted"), 1);
    assert_true(server_counter("cookie_bad") >= 6);
    send_to_server(&again);
    run_for(20 * MS);
    struct forged in_time = answer_to(&again);
    send_to_server(&in_time);
    run_for(20 * MS);
    assert_int_equal(server_counter("cookies_accepted"), 2);
    in_time.flags = TCP_RST;
    send_to_server(&in_time);
    end_chat(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_is_answered_by_cookies_and_clients_get_mptcp),
        cmocka_unit_test(conversations_that_begin_with_cookies_are_whole),
        cmocka_unit_test(a_flood_of_acks_opens_nothing_and_draws_nothing),
        cmocka_unit_test(a_cookie_counts_for_its_own_syn_and_for_two_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
