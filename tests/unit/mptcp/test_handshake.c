/* The birth of a connection: with MPTCP, and every way to come down to plain TCP instead. */
#include "two_hosts.h"

static void both_ends_agree_on_mptcp(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 1, 1);
    net_connect(&n);
    net_run(&n, S);
    assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_MPTCP);
    assert_int_equal(connection_mode(n.host[SERVER].c), CONNECTION_MODE_MPTCP);
    assert_true(n.host[CLIENT].app.events & CONNECTION_ESTABLISHED);
    assert_true(n.host[SERVER].app.events & CONNECTION_ESTABLISHED);
    net_deinit(&n);
}

static void bytes_pass_both_ways(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 2, 1);
    n.host[CLIENT].app.to_send = 100000;
    n.host[SERVER].app.to_send = 200000;
    net_connect(&n);
    assert_true(net_run_until(&n, both_received_all, 10 * S));
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_agree_on_mptcp),
        cmocka_unit_test(bytes_pass_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
