/* The birth of a connection: with MPTCP, and every way to come down to plain TCP instead. */
#include "packet_edit.h"

static void both_exchange(struct net *n, uint64_t up, uint64_t down) {
    n->host[CLIENT].app.to_send = up;
    n->host[SERVER].app.to_send = down;
    net_connect(n);
    assert_true(net_run_until(n, both_received_all, 60 * S));
}

static void assert_modes(struct net *n, enum connection_mode client, enum connection_mode server) {
    assert_int_equal(connection_mode(n->host[CLIENT].c), client);
    assert_int_equal(connection_mode(n->host[SERVER].c), server);
}

static void both_ends_agree_on_mptcp(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 1, 1);
    net_connect(&n);
    net_run(&n, S);
    assert_modes(&n, CONNECTION_MODE_MPTCP, CONNECTION_MODE_MPTCP);
    assert_true(n.host[CLIENT].app.events & CONNECTION_ESTABLISHED);
    assert_true(n.host[SERVER].app.events & CONNECTION_ESTABLISHED);
    assert_int_equal(n.host[CLIENT].counters.capable_established_active, 1);
    assert_int_equal(n.host[SERVER].counters.capable_established_passive, 1);
    net_deinit(&n);
}

static void whoever_speaks_first(void **state) {
    (void)state;
    static const struct {
        uint64_t up, down;
    } cases[] = {{100000, 0}, {0, 100000}, {100000, 200000}, {1, 0}, {0, 1}, {1, 1}};
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        struct net n;
        net_init(&n, 2 + i, 2);
        both_exchange(&n, cases[i].up, cases[i].down);
        assert_modes(&n, CONNECTION_MODE_MPTCP, CONNECTION_MODE_MPTCP);
        net_run(&n, S);
        assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
        assert_int_equal(active_subflows(n.host[SERVER].c), 2);
        net_deinit(&n);
    }
}

static bool lose_third_ack(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    unsigned *left = n->spoil_context;
    (void)wire;
    if (from == SERVER || (flags_of(bytes) & TCP_SYN) || *left == 0) return true;
    (void)length;
    --*left;
    return false;
}

static void a_lost_third_ack_is_made_up_for(void **state) {
    (void)state;
    for (unsigned client_speaks = 0; client_speaks < 2; client_speaks++) {
        /* With nothing to say there is one ACK for each SYN/ACK, and those come ever more rarely. */
        for (unsigned lost = 1; lost <= (client_speaks ? 12 : 5); lost++) {
            struct net n;
            unsigned left = lost;
            net_init(&n, 10 + lost, 1);
            n.spoil = lose_third_ack;
            n.spoil_context = &left;
            both_exchange(&n, client_speaks ? 50000 : 0, 50000);
            assert_modes(&n, CONNECTION_MODE_MPTCP, CONNECTION_MODE_MPTCP);
            net_deinit(&n);
        }
    }
}

/* --- plain TCP through the same object --- */

static void without_asking_it_is_plain_tcp(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct net n;
        net_init(&n, 30, 2);
        n.config[CLIENT].multipath = i & 1;
        n.config[SERVER].multipath = i & 2;
        both_exchange(&n, 300000, 300000);
        enum connection_mode client = i & 1 ? CONNECTION_MODE_FALLBACK : CONNECTION_MODE_TCP;
        assert_modes(&n, client, CONNECTION_MODE_TCP);
        assert_int_equal(active_subflows(n.host[CLIENT].c), 1);
        net_deinit(&n);
    }
}

/* --- middleboxes at the handshake --- */

enum strip_what { STRIP_NONE, STRIP_SYN, STRIP_OTHERS, STRIP_ALL };
static enum strip_what strip_by[2]; /* by who sends */

static bool stripping_box(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)wire;
    (void)length;
    bool syn = flags_of(bytes) & TCP_SYN;
    enum strip_what what = strip_by[from];
    if (what == STRIP_ALL || (what == STRIP_SYN && syn) || (what == STRIP_OTHERS && !syn)) strip_mptcp(bytes);
    return true;
}

static void options_that_do_not_pass_lead_to_tcp(void **state) {
    (void)state;
    for (unsigned client = 0; client < 4; client++) {
        for (unsigned server = 0; server < 4; server++) {
            for (unsigned talk = 0; talk < 3; talk++) {
                struct net n;
                net_init(&n, 40 + client * 16 + server * 4 + talk, 2);
                strip_by[CLIENT] = client;
                strip_by[SERVER] = server;
                n.spoil = stripping_box;
                both_exchange(&n, talk == 1 ? 0 : 200000, talk == 2 ? 0 : 200000);
                net_run(&n, S);
                enum connection_mode c = connection_mode(n.host[CLIENT].c), s = connection_mode(n.host[SERVER].c);
                if (client == STRIP_NONE && server == STRIP_NONE) {
                    assert_modes(&n, CONNECTION_MODE_MPTCP, CONNECTION_MODE_MPTCP);
                } else {
                    assert_int_not_equal(c, CONNECTION_MODE_MPTCP);
                    assert_int_not_equal(s, CONNECTION_MODE_MPTCP);
                }
                connection_shutdown(n.host[CLIENT].c, n.now);
                connection_shutdown(n.host[SERVER].c, n.now);
                assert_true(net_run_until(&n, both_closed, 10 * S));
                assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_CLOSED_NORMALLY);
                assert_int_equal(connection_close_reason(n.host[SERVER].c), CONNECTION_CLOSED_NORMALLY);
                net_deinit(&n);
            }
        }
    }
}

static void mirror_option(uint8_t *option, void *context) {
    (void)context;
    if (option[2] >> 4 != MPTCP_MP_CAPABLE || option[1] != 12) return;
    option[1] = 4; /* as it came in the SYN, the rest blank */
    memset(option + 4, 1, 8);
}
static bool mirroring_box(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)wire;
    (void)length;
    if (from == SERVER && (flags_of(bytes) & TCP_SYN)) each_option(bytes, mirror_option, NULL);
    return true;
}

static void a_mirrored_option_is_not_believed(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 200, 1);
    n.spoil = mirroring_box;
    both_exchange(&n, 10000, 10000);
    assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_FALLBACK);
    assert_int_equal(n.host[CLIENT].counters.fallback_key_mirrored, 1);
    net_deinit(&n);
}

static void set_version(uint8_t *option, void *context) {
    if (option[2] >> 4 == MPTCP_MP_CAPABLE) option[2] = (uint8_t)(*(int *)context);
}
static bool other_version(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)wire;
    (void)length;
    int version = 0;
    if (from == *(int *)n->spoil_context && (flags_of(bytes) & TCP_SYN)) each_option(bytes, set_version, &version);
    return true;
}

static void another_version_is_not_spoken(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct net n;
        net_init(&n, 210, 1);
        n.config[CLIENT].versions = from == CLIENT ? MPTCP_VERSIONS_0 : MPTCP_VERSIONS_1;
        n.config[SERVER].versions = MPTCP_VERSIONS_1;
        n.spoil = other_version;
        n.spoil_context = &from;
        both_exchange(&n, 10000, 10000);
        assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_FALLBACK);
        assert_int_equal(n.host[0].counters.fallback_syn_version + n.host[1].counters.fallback_syn_version, 1);
        net_deinit(&n);
    }
}

static uint8_t flags_to_set;
static void set_flags(uint8_t *option, void *context) {
    (void)context;
    if (option[2] >> 4 == MPTCP_MP_CAPABLE) option[3] = flags_to_set;
}
static bool other_flags(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)wire;
    (void)length;
    if (from == *(int *)n->spoil_context && (flags_of(bytes) & TCP_SYN)) each_option(bytes, set_flags, NULL);
    return true;
}

static void unknown_extensions_and_algorithms_are_ignored(void **state) {
    (void)state;
    static const uint8_t flags[] = {0x41, 0x00}; /* B and H; nothing at all */
    for (unsigned i = 0; i < ARRAY_COUNT(flags); i++) {
        for (int from = 0; from < 2; from++) {
            struct net n;
            net_init(&n, 220, 1);
            flags_to_set = flags[i];
            n.spoil = other_flags;
            n.spoil_context = &from;
            both_exchange(&n, 10000, 10000);
            assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_FALLBACK);
            net_deinit(&n);
        }
    }
}

static void no_joins_to_an_address_that_takes_none(void **state) {
    (void)state;
    struct net n;
    int from = SERVER;
    net_init(&n, 230, 2);
    flags_to_set = 0x21; /* C and H */
    n.spoil = other_flags;
    n.spoil_context = &from;
    both_exchange(&n, 100000, 100000);
    net_run(&n, 2 * S);
    assert_modes(&n, CONNECTION_MODE_MPTCP, CONNECTION_MODE_MPTCP);
    assert_int_equal(n.host[CLIENT].counters.join_sent, 0);
    net_deinit(&n);
}

static bool drop_capable_syns(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)wire;
    (void)length;
    return from == SERVER || !(flags_of(bytes) & TCP_SYN) || subtypes_of(bytes) == 0;
}

static void a_middlebox_that_drops_mptcp_syns_is_got_past(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 240, 1);
    n.spoil = drop_capable_syns;
    both_exchange(&n, 10000, 10000);
    assert_true(n.now < 12 * S);
    assert_int_equal(n.host[CLIENT].counters.capable_syn_sent, 3);
    assert_modes(&n, CONNECTION_MODE_FALLBACK, CONNECTION_MODE_TCP);
    net_deinit(&n);
}

static void a_taken_token_leads_to_another_key(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct net n;
        net_init(&n, 250, 1);
        n.host[side].refuse_tokens = 5;
        both_exchange(&n, 1000, 1000);
        assert_modes(&n, CONNECTION_MODE_MPTCP, CONNECTION_MODE_MPTCP);
        net_deinit(&n);
    }
}

static void a_server_without_a_free_token_speaks_tcp(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 260, 1);
    n.host[SERVER].refuse_tokens = 1000;
    both_exchange(&n, 1000, 1000);
    assert_modes(&n, CONNECTION_MODE_FALLBACK, CONNECTION_MODE_FALLBACK);
    net_deinit(&n);
}

/* --- not at all --- */

static void refused_is_refused(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 270, 1);
    n.host[SERVER].c = NULL;
    struct connection_config config = n.config[CLIENT];
    config.path = n.host[CLIENT].paths[0];
    config.flow = (struct flow){
        .local = config.path.address, .remote = n.host[SERVER].paths[0].address, .remote_port = 81};
    n.host[CLIENT].c = connection_connect(&n.host[CLIENT].env, &config, n.now);
    net_run(&n, S);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_REFUSED);
    assert_true(n.host[CLIENT].app.events & CONNECTION_CLOSED);
    assert_true(connection_finished(n.host[CLIENT].c));
    net_deinit(&n);
}

static void silence_times_out(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 280, 1);
    n.wires[0].cut = true;
    n.config[CLIENT].connect_timeout_ns = 20 * S;
    net_connect(&n);
    net_run(&n, 25 * S);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_TIMED_OUT);
    net_deinit(&n);
}

static void unreachable_is_passed_on(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 290, 1);
    n.wires[0].cut = true;
    n.config[CLIENT].connect_timeout_ns = 20 * S;
    net_connect(&n);
    net_run(&n, 10 * MS);
    struct known_flow *k = n.host[CLIENT].flows;
    struct icmp_error error = {.kind = ICMP_HOST_UNREACHABLE, .flow = k->flow, .protocol = IP_PROTOCOL_TCP};
    error.seq = seq32_of(n.last_seq);
    connection_icmp(k->c, k->sf, &error, n.now);
    net_run(&n, 25 * S);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_UNREACHABLE);
    assert_int_equal(connection_icmp_kind(n.host[CLIENT].c), ICMP_HOST_UNREACHABLE);
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_agree_on_mptcp),
        cmocka_unit_test(whoever_speaks_first),
        cmocka_unit_test(a_lost_third_ack_is_made_up_for),
        cmocka_unit_test(without_asking_it_is_plain_tcp),
        cmocka_unit_test(options_that_do_not_pass_lead_to_tcp),
        cmocka_unit_test(a_mirrored_option_is_not_believed),
        cmocka_unit_test(another_version_is_not_spoken),
        cmocka_unit_test(unknown_extensions_and_algorithms_are_ignored),
        cmocka_unit_test(no_joins_to_an_address_that_takes_none),
        cmocka_unit_test(a_middlebox_that_drops_mptcp_syns_is_got_past),
        cmocka_unit_test(a_taken_token_leads_to_another_key),
        cmocka_unit_test(a_server_without_a_free_token_speaks_tcp),
        cmocka_unit_test(refused_is_refused),
        cmocka_unit_test(silence_times_out),
        cmocka_unit_test(unreachable_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
