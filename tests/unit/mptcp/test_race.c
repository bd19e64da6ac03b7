/* The first SYN, raced over paths. */
#include "two_hosts.h"

static void prepare(struct net *n, uint64_t seed) {
    net_init(n, seed, 2);
    n->config[CLIENT].race = true;
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 20000;
}

static bool client_established(struct net *n) { return connection_established(n->host[CLIENT].c); }

static braid_time until_established(struct net *n) {
    braid_time before = n->now;
    net_connect(n);
    assert_true(net_run_until(n, client_established, 10 * S));
    return n->now - before;
}

static void a_path_that_answers_in_time_has_no_rival(void **state) {
    struct net n;
    (void)state;
    prepare(&n, 1);
    until_established(&n);
    assert_true(net_run_until(&n, both_received_all, 5 * S));
    assert_int_equal(n.host[CLIENT].counters.capable_syn_sent, 1);
    net_deinit(&n);
}

static void a_dead_path_costs_no_more_than_the_bound(void **state) {
    (void)state;
    for (unsigned backup = 0; backup < 2; backup++) {
        struct net n;
        prepare(&n, 2);
        n.wires[0].cut = true;
        n.host[CLIENT].paths[1].backup = backup;
        braid_time took = until_established(&n);
        print_message("preferred path dead, the other %s: established after %.0f ms\n", backup ? "a backup" : "regular",
                      (double)took / 1e6);
        assert_int_equal(took, (backup ? 1500 : 300) * MS + 70 * MS);
        assert_true(net_run_until(&n, both_received_all, 5 * S));
        /* It is the first subflow in every respect. */
        struct subflow_info info;
        assert_true(connection_subflow_info(n.host[CLIENT].c, 0, &info));
        assert_int_equal(info.local_address_id, 0);
        assert_int_equal(info.link, 1);
        assert_true(flow_equal(connection_flow(n.host[CLIENT].c), &info.flow));
        assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_MPTCP);
        /* And the dead path is joined when it is back. */
        n.wires[0].cut = false;
        net_run(&n, 20 * S);
        assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
        net_deinit(&n);
    }
}

/* The answer comes when another was quicker: it is reset, and the path joined. */
static void a_late_answer_is_reset_and_its_path_joined(void **state) {
    struct net n;
    (void)state;
    prepare(&n, 3);
    n.wires[0].config[CLIENT].delay_ns = 800 * MS;
    until_established(&n);
    net_run(&n, 10 * S);
    assert_true(both_received_all(&n));
    assert_int_equal(n.host[CLIENT].counters.race_lost, 1);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    net_deinit(&n);
}

/* Reaches the server once only: each SYN is another connection there. */
static unsigned syn_acks;
static bool two_answers(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    const uint8_t *tcp = bytes + (bytes[0] & 15) * 4;
    (void)n, (void)length, (void)wire;
    syn_acks += from == SERVER && (tcp[13] & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
    return true;
}

static void no_race_without_leave(void **state) {
    (void)state;
    for (unsigned how = 0; how < 2; how++) {
        struct net n;
        prepare(&n, 4);
        n.wires[0].cut = true;
        n.spoil = two_answers;
        if (how == 0) n.config[CLIENT].race = false;
        else n.config[CLIENT].path_manager = &path_manager_none;
        syn_acks = 0;
        net_connect(&n);
        net_run(&n, 5 * S);
        assert_int_equal(syn_acks, 0);
        assert_false(connection_established(n.host[CLIENT].c));
        net_deinit(&n);
    }
}

static void refused_is_refused_by_all(void **state) {
    struct net n;
    (void)state;
    prepare(&n, 5);
    struct connection_config config = n.config[CLIENT];
    config.path = n.host[CLIENT].paths[0];
    config.flow = (struct flow){
        .local = config.path.address, .remote = n.host[SERVER].paths[0].address, .remote_port = 81};
    n.host[CLIENT].c = connection_connect(&n.host[CLIENT].env, &config, n.now);
    net_run(&n, 100 * MS);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_REFUSED);
    assert_int_equal(n.resets_by_server, 1);
    net_deinit(&n);
}

static void a_path_that_goes_is_followed_by_the_next_at_once(void **state) {
    struct net n;
    (void)state;
    prepare(&n, 6);
    n.wires[0].cut = true;
    net_connect(&n);
    net_run(&n, 50 * MS);
    net_path_down(&n, 0);
    assert_true(net_run_until(&n, client_established, 70 * MS));
    net_deinit(&n);
}

static void a_path_that_comes_enters_the_race(void **state) {
    struct net n;
    (void)state;
    prepare(&n, 7);
    n.wires[0].cut = n.wires[1].cut = true;
    n.host[CLIENT].path_up[1] = false;
    net_connect(&n);
    net_run(&n, 5 * S);
    net_path_up(&n, 1);
    assert_true(net_run_until(&n, client_established, 70 * MS));
    net_deinit(&n);
}

static void when_all_fail_it_fails(void **state) {
    struct net n;
    (void)state;
    prepare(&n, 8);
    n.config[CLIENT].connect_timeout_ns = 5 * S;
    n.wires[0].cut = n.wires[1].cut = true;
    net_connect(&n);
    net_run(&n, 5 * S + 200 * MS);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_OPEN);
    net_run(&n, 200 * MS);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_TIMED_OUT);
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_answers_in_time_has_no_rival),
        cmocka_unit_test(a_dead_path_costs_no_more_than_the_bound),
        cmocka_unit_test(a_late_answer_is_reset_and_its_path_joined),
        cmocka_unit_test(no_race_without_leave),
        cmocka_unit_test(refused_is_refused_by_all),
        cmocka_unit_test(a_path_that_goes_is_followed_by_the_next_at_once),
        cmocka_unit_test(a_path_that_comes_enters_the_race),
        cmocka_unit_test(when_all_fail_it_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
