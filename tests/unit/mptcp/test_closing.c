/* The end of a connection, in every order, in peace and by force, with MPTCP and without. */
#include "packet_edit.h"

enum kind { OVER_MPTCP, OVER_TWO, OVER_TCP, OVER_FALLBACK, KINDS };

static bool strip_all(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)from;
    (void)wire;
    (void)length;
    if (!(flags_of(bytes) & TCP_SYN)) strip_mptcp(bytes);
    return true;
}

static void begin(struct net *n, uint64_t seed, enum kind kind) {
    net_init(n, seed, kind == OVER_TWO ? 2 : 1);
    n->config[CLIENT].multipath = n->config[SERVER].multipath = kind != OVER_TCP;
    if (kind == OVER_FALLBACK) n->spoil = strip_all;
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 1000;
    net_connect(n);
    net_run(n, S);
    assert_true(both_received_all(n));
}

static void assert_gone(struct net *n) {
    net_run(n, 100 * S);
    for (int side = 0; side < 2; side++) {
        assert_true(connection_finished(n->host[side].c));
        assert_null(n->host[side].flows);
    }
}

static enum connection_close_reason reason(struct net *n, int side) {
    return connection_close_reason(n->host[side].c);
}

static void whoever_closes_first(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (unsigned order = 0; order < 3; order++) {
            struct net n;
            begin(&n, 1 + kind * 3 + order, kind);
            int first = order == 1;
            connection_shutdown(n.host[first].c, n.now);
            if (order < 2) {
                net_run(&n, 300 * MS);
                assert_true(n.host[1 - first].app.at_end);
                assert_true(n.host[first].app.events & CONNECTION_SENT);
                assert_int_equal(reason(&n, first), CONNECTION_OPEN);
            }
            connection_shutdown(n.host[1 - first].c, n.now);
            assert_true(net_run_until(&n, both_closed, 2 * S));
            for (int side = 0; side < 2; side++) {
                assert_int_equal(reason(&n, side), CONNECTION_CLOSED_NORMALLY);
                assert_true(n.host[side].app.events & CONNECTION_CLOSED);
                assert_true(n.host[side].app.at_end);
            }
            assert_gone(&n);
            assert_int_equal(n.resets_by_server, 0);
            net_deinit(&n);
        }
    }
}

static void half_closed_it_still_carries_the_other_direction(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (int first = 0; first < 2; first++) {
            struct net n;
            begin(&n, 20 + kind * 2 + (unsigned)first, kind);
            connection_shutdown(n.host[first].c, n.now);
            net_run(&n, S);
            assert_int_equal(connection_write(n.host[first].c, "x", 1, n.now), 0);
            n.host[1 - first].app.to_send += 300000;
            n.host[1 - first].app.shut_when_sent = true;
            assert_true(net_run_until(&n, both_received_all, 10 * S));
            assert_true(net_run_until(&n, both_closed, 10 * S));
            assert_gone(&n);
            net_deinit(&n);
        }
    }
}

static void a_shutdown_before_the_handshake_is_done_still_delivers(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct net n;
        net_init(&n, 40 + kind, 1);
        n.config[CLIENT].multipath = n.config[SERVER].multipath = kind != OVER_TCP;
        if (kind == OVER_FALLBACK) n.spoil = strip_all;
        net_connect(&n);
        uint8_t bytes[100];
        for (unsigned i = 0; i < sizeof(bytes); i++) bytes[i] = pattern(i);
        assert_int_equal(connection_write(n.host[CLIENT].c, bytes, sizeof(bytes), n.now), sizeof(bytes));
        connection_shutdown(n.host[CLIENT].c, n.now);
        net_run(&n, S);
        assert_int_equal(n.host[SERVER].app.received, sizeof(bytes));
        assert_true(n.host[SERVER].app.at_end);
        connection_shutdown(n.host[SERVER].c, n.now);
        assert_true(net_run_until(&n, both_closed, 2 * S));
        net_deinit(&n);
    }
}

static void closing_survives_loss(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct net n;
        begin(&n, seed, (enum kind)(seed % KINDS));
        for (unsigned w = 0; w < n.wire_count; w++)
            for (int side = 0; side < 2; side++) n.wires[w].config[side].loss = 0.3;
        connection_shutdown(n.host[seed % 2].c, n.now);
        if (seed % 3 == 0) net_run(&n, S);
        connection_shutdown(n.host[1 - seed % 2].c, n.now);
        if (!net_run_until(&n, both_closed, 400 * S)) fail_msg("seed %llu", (unsigned long long)seed);
        assert_int_equal(reason(&n, 0), CONNECTION_CLOSED_NORMALLY);
        assert_int_equal(reason(&n, 1), CONNECTION_CLOSED_NORMALLY);
        assert_gone(&n);
        net_deinit(&n);
    }
}

static void an_abort_reaches_the_peer(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        for (int side = 0; side < 2; side++) {
            struct net n;
            begin(&n, 50 + kind * 2 + (unsigned)side, kind);
            n.host[side].app.to_send += 1000000;
            net_run(&n, 20 * MS);
            connection_abort(n.host[side].c, n.now);
            assert_int_equal(reason(&n, side), CONNECTION_ABORTED);
            net_run(&n, S);
            assert_int_equal(reason(&n, 1 - side), CONNECTION_RESET);
            assert_true(n.host[1 - side].app.events & CONNECTION_CLOSED);
            bool fast = kind == OVER_MPTCP || kind == OVER_TWO;
            assert_int_equal(n.host[side].counters.fastclose_sent, fast);
            if (fast) assert_true(n.host[1 - side].counters.fastclose_received >= 1);
            assert_gone(&n);
            net_deinit(&n);
        }
    }
}

static void spoil_key(uint8_t *option, void *context) {
    (void)context;
    if (option[2] >> 4 == MPTCP_MP_FASTCLOSE) option[5] ^= 1;
}
static bool spoil_fastclose(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)from;
    (void)length;
    if (wire == 1 && (flags_of(bytes) & TCP_RST)) each_option(bytes, spoil_key, NULL);
    return wire == 1 || !(flags_of(bytes) & TCP_RST);
}

static void a_fastclose_without_the_key_closes_one_subflow_only(void **state) {
    (void)state;
    struct net n;
    begin(&n, 60, OVER_TWO);
    n.spoil = spoil_fastclose; /* on the other wire resets are lost */
    connection_abort(n.host[CLIENT].c, n.now);
    net_run(&n, 300 * MS);
    assert_int_equal(n.host[SERVER].counters.fastclose_bad_key, 1);
    assert_int_equal(n.host[SERVER].counters.fastclose_received, 0);
    assert_int_equal(reason(&n, SERVER), CONNECTION_OPEN);
    assert_int_equal(active_subflows(n.host[SERVER].c), 1);
    net_deinit(&n);
}

static void nobody_reads_any_more(struct net *n, int side) { n->host[side].app.no_reading = true; }

static void let_go_it_delivers_what_was_written(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct net n;
        begin(&n, 70 + kind, kind);
        n.host[CLIENT].app.to_send += 300000;
        net_step(&n, n.now); /* written, not sent */
        nobody_reads_any_more(&n, CLIENT);
        connection_close(n.host[CLIENT].c, n.now);
        net_run(&n, 5 * S);
        assert_int_equal(n.host[SERVER].app.received, n.host[CLIENT].app.to_send);
        assert_true(n.host[SERVER].app.at_end);
        connection_close(n.host[SERVER].c, n.now);
        assert_gone(&n);
        assert_int_equal(reason(&n, CLIENT), CONNECTION_CLOSED_NORMALLY);
        net_deinit(&n);
    }
}

static void let_go_it_resets_a_peer_that_goes_on(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct net n;
        begin(&n, 80 + kind, kind);
        nobody_reads_any_more(&n, CLIENT);
        connection_close(n.host[CLIENT].c, n.now);
        net_run(&n, 100 * MS);
        assert_int_equal(reason(&n, SERVER), CONNECTION_OPEN);
        n.host[SERVER].app.to_send += 100000;
        net_run(&n, S);
        assert_int_equal(reason(&n, SERVER), CONNECTION_RESET);
        assert_gone(&n);
        net_deinit(&n);
    }
}

static void let_go_it_does_not_wait_for_ever_for_the_peers_end(void **state) {
    (void)state;
    for (enum kind kind = 0; kind < KINDS; kind++) {
        struct net n;
        begin(&n, 90 + kind, kind);
        connection_close(n.host[CLIENT].c, n.now);
        net_run(&n, 50 * S);
        assert_false(connection_finished(n.host[CLIENT].c));
        net_run(&n, 20 * S);
        assert_true(connection_finished(n.host[CLIENT].c));
        assert_int_equal(reason(&n, SERVER), CONNECTION_RESET);
        net_deinit(&n);
    }
}

static void a_reset_of_the_last_subflow_is_a_reset(void **state) {
    (void)state;
    struct net n;
    begin(&n, 100, OVER_MPTCP);
    connection_destroy(n.host[SERVER].c); /* the server crashed: it knows nothing of the flow any more */
    n.host[SERVER].c = NULL;
    n.host[CLIENT].app.to_send += 1000;
    net_run(&n, S);
    assert_int_equal(reason(&n, CLIENT), CONNECTION_RESET);
    net_deinit(&n);
}

static void a_dead_peer_is_given_up_in_the_end(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 110, 2);
    n.config[CLIENT].user_timeout_ns = 30 * S;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1000;
    net_connect(&n);
    net_run(&n, S);
    n.wires[0].cut = n.wires[1].cut = true;
    n.host[CLIENT].app.to_send += 100000;
    net_run(&n, 200 * S);
    assert_int_equal(reason(&n, CLIENT), CONNECTION_TIMED_OUT);
    assert_true(connection_finished(n.host[CLIENT].c));
    net_deinit(&n);
}

static void a_dead_second_path_does_not_hold_up_the_end(void **state) {
    (void)state;
    struct net n;
    begin(&n, 120, OVER_TWO);
    n.wires[1].cut = true;
    connection_shutdown(n.host[CLIENT].c, n.now);
    connection_shutdown(n.host[SERVER].c, n.now);
    assert_true(net_run_until(&n, both_closed, S));
    assert_gone(&n);
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_closes_first),
        cmocka_unit_test(half_closed_it_still_carries_the_other_direction),
        cmocka_unit_test(a_shutdown_before_the_handshake_is_done_still_delivers),
        cmocka_unit_test(closing_survives_loss),
        cmocka_unit_test(an_abort_reaches_the_peer),
        cmocka_unit_test(a_fastclose_without_the_key_closes_one_subflow_only),
        cmocka_unit_test(let_go_it_delivers_what_was_written),
        cmocka_unit_test(let_go_it_resets_a_peer_that_goes_on),
        cmocka_unit_test(let_go_it_does_not_wait_for_ever_for_the_peers_end),
        cmocka_unit_test(a_reset_of_the_last_subflow_is_a_reset),
        cmocka_unit_test(a_dead_peer_is_given_up_in_the_end),
        cmocka_unit_test(a_dead_second_path_does_not_hold_up_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
