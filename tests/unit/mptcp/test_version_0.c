/* Version 0 of MPTCP (RFC 6824), stack against stack: which version two ends agree on, and that with the old one all is as
 * with the new one: joins, addresses, checksums, fallback, the end. */
#include "packet_edit.h"

#include <wire/mptcp_option_v0.h>

/* What was seen on the wire. */
static struct seen {
    unsigned subtypes;
    bool echo, long_add_addr, capable_with_length, fastclose_in_rst;
    unsigned versions; /* of MP_CAPABLE, a bit each */
    unsigned add_addrs;
} seen;

static void look(uint8_t *option, void *context) {
    bool rst = *(const bool *)context;
    unsigned subtype = option[2] >> 4;
    seen.subtypes |= 1u << subtype;
    if (subtype == MPTCP_MP_CAPABLE) {
        seen.versions |= 1u << (option[2] & 0xf);
        seen.capable_with_length |= option[1] > 20;
    }
    if (subtype == MPTCP_ADD_ADDR) {
        seen.add_addrs++;
        seen.echo |= (option[2] & 0xf) == 1;
        seen.long_add_addr |= option[1] >= 16 && (option[2] & 0xf) != 6;
    }
    if (subtype == MPTCP_MP_FASTCLOSE) seen.fastclose_in_rst |= rst;
}

static bool looking_box(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)from;
    (void)wire;
    (void)length;
    bool rst = flags_of(bytes) & TCP_RST;
    each_option(bytes, look, &rst);
    return true;
}

static void assert_only_version_0_was_spoken(void) {
    assert_int_equal(seen.versions, 1u << 0);
    assert_false(seen.subtypes & 1u << MPTCP_MP_TCPRST);
    assert_false(seen.echo || seen.long_add_addr || seen.capable_with_length || seen.fastclose_in_rst);
}

static void old_net(struct net *n, uint64_t seed, unsigned wires) {
    net_init(n, seed, wires);
    n->config[CLIENT].versions = MPTCP_VERSIONS_0;
    n->spoil = looking_box;
    memset(&seen, 0, sizeof(seen));
}

static void both_exchange(struct net *n, uint64_t up, uint64_t down) {
    n->host[CLIENT].app.to_send = up;
    n->host[SERVER].app.to_send = down;
    net_connect(n);
    assert_true(net_run_until(n, both_received_all, 60 * S));
}

static void both_close(struct net *n) {
    for (int side = 0; side < 2; side++) connection_shutdown(n->host[side].c, n->now);
    assert_true(net_run_until(n, both_closed, 20 * S));
    for (int side = 0; side < 2; side++)
        assert_int_equal(connection_close_reason(n->host[side].c), CONNECTION_CLOSED_NORMALLY);
}

/* [R-3.1-2] [R-6824-3.1-1] */
static void two_ends_agree_on_the_highest_version_that_both_speak(void **state) {
    (void)state;
    enum { NONE = -1 };
    static const int agreed[3][3] = {/* server: both, 1, 0 */
                                     [MPTCP_VERSIONS_BOTH] = {1, 1, 0},
                                     [MPTCP_VERSIONS_1] = {1, 1, NONE},
                                     [MPTCP_VERSIONS_0] = {0, NONE, 0}};
    for (unsigned client = 0; client < 3; client++) {
        for (unsigned server = 0; server < 3; server++) {
            struct net n;
            net_init(&n, 1 + 3 * client + server, 2);
            n.config[CLIENT].versions = (enum mptcp_versions)client;
            n.config[SERVER].versions = (enum mptcp_versions)server;
            both_exchange(&n, 50000, 50000);
            net_run(&n, S);
            int expected = agreed[client][server];
            for (int side = 0; side < 2; side++) {
                enum connection_mode mode = connection_mode(n.host[side].c);
                assert_int_equal(mode, expected == NONE ? CONNECTION_MODE_FALLBACK : CONNECTION_MODE_MPTCP);
                if (expected != NONE) assert_int_equal(connection_version(n.host[side].c), expected);
                assert_int_equal(active_subflows(n.host[side].c), expected == NONE ? 1 : 2);
                assert_int_equal(n.host[side].counters.capable_version_0, expected == 0);
            }
            both_close(&n);
            net_deinit(&n);
        }
    }
}

static void a_peer_known_to_be_old_is_asked_for_version_0(void **state) {
    (void)state;
    for (unsigned server = 0; server < 3; server++) {
        struct net n;
        net_init(&n, 20 + server, 1);
        n.config[CLIENT].ask_version_0 = true;
        n.config[SERVER].versions = (enum mptcp_versions)server;
        both_exchange(&n, 50000, 50000);
        bool spoken = server != MPTCP_VERSIONS_1;
        assert_int_equal(connection_mode(n.host[CLIENT].c), spoken ? CONNECTION_MODE_MPTCP : CONNECTION_MODE_FALLBACK);
        net_deinit(&n);
    }
}

static void whoever_speaks_first(void **state) {
    (void)state;
    static const struct {
        uint64_t up, down;
    } cases[] = {{100000, 0}, {0, 100000}, {100000, 200000}, {1, 0}, {0, 1}, {1, 1}};
    for (unsigned checksum = 0; checksum < 2; checksum++) {
        for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
            struct net n;
            old_net(&n, 30 + i, 2);
            n.config[SERVER].checksum = checksum;
            both_exchange(&n, cases[i].up, cases[i].down);
            net_run(&n, S);
            assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
            assert_int_equal(active_subflows(n.host[SERVER].c), 2);
            both_close(&n);
            assert_only_version_0_was_spoken();
            net_deinit(&n);
        }
    }
}

static bool lose_third_acks(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    unsigned *left = n->spoil_context;
    (void)wire;
    (void)length;
    if (from == SERVER || (flags_of(bytes) & TCP_SYN) || *left == 0) return true;
    --*left;
    return false;
}

static void a_lost_third_ack_is_made_up_for(void **state) {
    (void)state;
    for (unsigned client_speaks = 0; client_speaks < 2; client_speaks++) {
        for (unsigned lost = 1; lost <= 5; lost++) {
            struct net n;
            unsigned left = lost;
            old_net(&n, 50 + lost, 1);
            n.spoil = lose_third_acks;
            n.spoil_context = &left;
            both_exchange(&n, client_speaks ? 50000 : 0, 50000);
            assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_MPTCP);
            assert_int_equal(connection_mode(n.host[SERVER].c), CONNECTION_MODE_MPTCP);
            net_deinit(&n);
        }
    }
}

enum strip_what { STRIP_NONE, STRIP_SYN, STRIP_OTHERS, STRIP_ALL };
static enum strip_what strip_by[2];

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
                old_net(&n, 60 + client * 16 + server * 4 + talk, 2);
                strip_by[CLIENT] = client;
                strip_by[SERVER] = server;
                n.spoil = stripping_box;
                both_exchange(&n, talk == 1 ? 0 : 200000, talk == 2 ? 0 : 200000);
                net_run(&n, S);
                bool passes = client == STRIP_NONE && server == STRIP_NONE;
                for (int side = 0; side < 2; side++)
                    assert_int_equal(connection_mode(n.host[side].c) == CONNECTION_MODE_MPTCP, passes);
                both_close(&n);
                net_deinit(&n);
            }
        }
    }
}

static void mirror_option(uint8_t *option, void *context) {
    const uint8_t *key = context;
    if (option[2] >> 4 == MPTCP_MP_CAPABLE && option[1] == 12) memcpy(option + 4, key, 8);
}
static uint8_t clients_key[8];
static void take_key(uint8_t *option, void *context) {
    (void)context;
    if (option[2] >> 4 == MPTCP_MP_CAPABLE) memcpy(clients_key, option + 4, 8);
}
static bool mirroring_box(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)wire;
    (void)length;
    if (!(flags_of(bytes) & TCP_SYN)) return true;
    if (from == CLIENT) each_option(bytes, take_key, NULL);
    else each_option(bytes, mirror_option, clients_key);
    return true;
}

static void a_mirrored_option_is_not_believed(void **state) {
    (void)state;
    struct net n;
    old_net(&n, 200, 1);
    n.spoil = mirroring_box;
    both_exchange(&n, 10000, 10000);
    assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_FALLBACK);
    assert_int_equal(n.host[CLIENT].counters.fallback_key_mirrored, 1);
    net_deinit(&n);
}

static void a_lost_path_is_left_and_joined_again(void **state) {
    (void)state;
    struct net n;
    old_net(&n, 210, 2);
    for (unsigned i = 0; i < 2; i++) net_set_wire(&n, i, 10, 40 * MS, 100 * MS, 0.005);
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 3000000;
    net_connect(&n);
    net_run(&n, 500 * MS);
    net_path_down(&n, 0);
    net_run(&n, 500 * MS);
    net_path_up(&n, 0);
    assert_true(net_run_until(&n, both_received_all, 60 * S));
    assert_true(n.host[CLIENT].counters.join_established >= 2);
    assert_true(n.host[CLIENT].counters.remove_addr_sent > 0);
    both_close(&n);
    assert_only_version_0_was_spoken();
    net_deinit(&n);
}

/* --- addresses --- */

static void more_addresses(struct net *n, unsigned count) {
    struct host *h = &n->host[SERVER];
    for (unsigned i = 1; i < count; i++) {
        h->paths[i] = path_of(n, SERVER, i);
        h->paths[i].announce = true;
        h->path_up[i] = true;
    }
    h->path_count = count;
}

static void announced_addresses_are_joined_but_no_more_than_two(void **state) {
    (void)state;
    for (unsigned count = 2; count <= 4; count++) {
        struct net n;
        old_net(&n, 220 + count, 1);
        more_addresses(&n, count);
        both_exchange(&n, 1000, 1000);
        net_run(&n, 5 * S);
        unsigned accepted = count - 1 < 2 ? count - 1 : 2;
        assert_int_equal(active_subflows(n.host[CLIENT].c), 1 + accepted);
        assert_int_equal(n.host[CLIENT].counters.add_addr_not_vouched, 0);
        assert_int_equal(n.host[CLIENT].counters.add_addr_echo_sent, 0);
        /* Up to twice: no echo says that they came, and no more than two ACKs in a row are only for options. */
        assert_in_range(seen.add_addrs, count - 1, 2 * (count - 1));
        assert_only_version_0_was_spoken();
        net_deinit(&n);
    }
}

/* --- the end --- */

static void an_abort_is_said_in_acks(void **state) {
    (void)state;
    for (int side = 0; side < 2; side++) {
        struct net n;
        old_net(&n, 230, 2);
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100000;
        net_connect(&n);
        net_run(&n, 2 * S);
        connection_abort(n.host[side].c, n.now);
        assert_true(net_run_until(&n, both_closed, 5 * S));
        assert_int_equal(connection_close_reason(n.host[1 - side].c), CONNECTION_RESET);
        assert_int_equal(n.host[1 - side].counters.fastclose_received, 1);
        net_run(&n, 5 * S);
        assert_true(connection_finished(n.host[side].c));
        assert_only_version_0_was_spoken();
        net_deinit(&n);
    }
}

static bool altering_box(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    if (from == SERVER && n->now > 1200 * MS && payload_of(bytes, *length) > 100 && wire == 0)
        bytes[*length - 1] ^= 0x55;
    return looking_box(n, from, wire, bytes, length);
}

static void altered_data_leads_to_tcp_or_ends_the_subflow(void **state) {
    (void)state;
    for (unsigned wires = 1; wires <= 2; wires++) {
        struct net n;
        old_net(&n, 240, wires);
        n.spoil = altering_box;
        n.config[SERVER].checksum = true;
        n.host[CLIENT].app.lenient = true;
        for (unsigned i = 0; i < wires; i++) net_set_wire(&n, i, 10, 40 * MS, 100 * MS, 0);
        both_exchange(&n, 0, 2000000);
        if (wires == 1) assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_FALLBACK);
        else assert_int_equal(n.host[CLIENT].app.altered, 0);
        assert_int_equal(n.host[SERVER].counters.mp_fail_received > 0, true);
        both_close(&n);
        assert_only_version_0_was_spoken();
        net_deinit(&n);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_ends_agree_on_the_highest_version_that_both_speak),
        cmocka_unit_test(a_peer_known_to_be_old_is_asked_for_version_0),
        cmocka_unit_test(whoever_speaks_first),
        cmocka_unit_test(a_lost_third_ack_is_made_up_for),
        cmocka_unit_test(options_that_do_not_pass_lead_to_tcp),
        cmocka_unit_test(a_mirrored_option_is_not_believed),
        cmocka_unit_test(a_lost_path_is_left_and_joined_again),
        cmocka_unit_test(announced_addresses_are_joined_but_no_more_than_two),
        cmocka_unit_test(an_abort_is_said_in_acks),
        cmocka_unit_test(altered_data_leads_to_tcp_or_ends_the_subflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
