/* Memory runs out anywhere and nothing is left behind; peers cannot make us hold more than we offered; and the window
 * never goes back. */
#include "packet_edit.h"

/* --- the n-th allocation fails, and those after it, for a while --- */

static void run_scenario(struct net *n) {
    net_connect(n);
    if (!n->host[CLIENT].c) return;
    net_run(n, 600 * MS);
    if (n->host[CLIENT].path_up[1]) net_path_down(n, 1);
    net_run(n, 300 * MS);
    net_path_up(n, 1);
    net_run(n, 20 * S);
}

static void scenario_init(struct net *n, uint64_t seed, bool multipath) {
    net_init(n, seed, 2);
    for (unsigned i = 0; i < 2; i++) net_set_wire(n, i, 10, (20 + 10 * i) * MS, 100 * MS, 0.005);
    n->config[CLIENT].multipath = n->config[SERVER].multipath = multipath;
    n->config[CLIENT].checksum = seed % 2;
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 100000;
    n->host[CLIENT].app.shut_when_sent = n->host[SERVER].app.shut_when_sent = true;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (unsigned multipath = 0; multipath < 2; multipath++) {
        struct net n;
        scenario_init(&n, 1, multipath);
        run_scenario(&n);
        uint64_t all = n.allocations;
        assert_true(both_received_all(&n));
        net_deinit(&n);
        for (uint64_t i = 0; i < all; i += 1 + i / 50) {
            scenario_init(&n, 1 + i % 2, multipath);
            n.allocations_left = (int64_t)i;
            n.allocations_fail = 1 + i % 4; /* so many fail; then there is memory again */
            run_scenario(&n);
            net_deinit(&n);
        }
    }
}

static void a_shortage_that_passes_does_no_harm(void **state) {
    (void)state;
    unsigned complete = 0, runs = 0;
    for (uint64_t i = 200; i < 1200; i += 37) {
        struct net n;
        scenario_init(&n, i, true);
        n.allocations_left = (int64_t)i;
        n.allocations_fail = 1;
        run_scenario(&n);
        complete += both_received_all(&n);
        runs++;
        net_deinit(&n);
    }
    assert_true(complete >= runs * 9 / 10);
}

/* --- bounded memory --- */

/* A peer whose segments carry one byte each, the first of which is lost again and again. */
static bool crumble(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    (void)n;
    (void)wire;
    return from == SERVER || payload_of(bytes, *length) == 0 || prng_below(&n->prng, 10) > 0;
}

static void crumbs_cost_no_more_than_they_should(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 3, 2);
    n.spoil = crumble;
    n.config[SERVER].receive_buffer_initial_bytes = n.config[SERVER].receive_buffer_max_bytes = 20000;
    n.host[SERVER].app.no_reading = true;
    net_connect(&n);
    uint64_t sent = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t byte = pattern(sent);
        sent += connection_write(n.host[CLIENT].c, &byte, 1, n.now);
        net_run(&n, MS / 4);
        if (i % 100 != 0 || !n.host[SERVER].c) continue;
        struct connection_info info;
        connection_info(n.host[SERVER].c, &info);
        assert_true(info.memory_bytes < 4 * 20000 + 50000);
    }
    n.host[CLIENT].app.to_send = n.host[CLIENT].app.sent = sent;
    n.host[SERVER].app.no_reading = false;
    assert_true(net_run_until(&n, both_received_all, 60 * S));
    net_deinit(&n);
}

static void idle_connections_hold_little(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 4, 2);
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 5000000;
    net_connect(&n);
    assert_true(net_run_until(&n, both_received_all, 60 * S));
    net_run(&n, 5 * S);
    print_message("two idle ends with two subflows each: %lld bytes\n", n.live_bytes);
    assert_true(n.live_bytes < 250000);
    net_deinit(&n);
}

/* --- the window --- */

struct edge {
    bool known;
    uint64_t highest;
    unsigned shrunk, seen;
    uint8_t scale;
    uint64_t data_ack;
};

static void find_data_ack(uint8_t *option, void *context) {
    struct edge *e = context;
    if (option[2] >> 4 != MPTCP_DSS || (option[3] & 3) != 3) return;
    e->data_ack = 0;
    for (unsigned i = 0; i < 8; i++) e->data_ack = e->data_ack << 8 | option[4 + i];
}

/* DATA_ACK + window of everything the server says. It may say less than before by a segment and a unit of the scale: each
 * subflow moves its own edge in steps of a segment (RFC 9293 §3.8.6.2.2). The peer goes by the largest. */
static bool watch_edge(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    struct edge *e = n->spoil_context;
    uint8_t *tcp = tcp_of(bytes);
    (void)wire;
    (void)length;
    if (from != SERVER) return true;
    if (tcp[13] & TCP_SYN) {
        for (uint8_t *at = tcp + 20; at < tcp + (tcp[12] >> 4) * 4 && *at != 0; at += *at == 1 ? 1 : at[1])
            if (*at == 3) e->scale = at[2];
        return true;
    }
    e->data_ack = 0;
    each_option(bytes, find_data_ack, e);
    if (e->data_ack == 0) return true;
    uint64_t edge = e->data_ack + ((uint64_t)(tcp[14] << 8 | tcp[15]) << e->scale);
    e->seen++;
    if (e->known && (int64_t)(edge - e->highest) < -(int64_t)(1460 + (1u << e->scale))) e->shrunk++;
    if (!e->known || (int64_t)(edge - e->highest) > 0) e->highest = edge;
    e->known = true;
    return true;
}

static void the_window_never_goes_back(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net n;
        struct edge edge = {0};
        net_init(&n, seed, 2);
        net_set_wire(&n, 0, 40, 20 * MS, 100 * MS, 0.002);
        net_set_wire(&n, 1, 10, 60 * MS, 100 * MS, 0.002);
        n.spoil = watch_edge;
        n.spoil_context = &edge;
        n.check_every = 10;
        n.host[CLIENT].app.to_send = 10000000;
        n.host[SERVER].app.read_rate_bytes_per_s = seed % 2 ? 1000000 : 0;
        net_connect(&n);
        n.host[SERVER].app.started_reading_at = n.now;
        net_run(&n, 800 * MS);
        net_path_down(&n, seed % 3 == 0);
        net_run(&n, 500 * MS);
        net_path_up(&n, seed % 3 == 0);
        net_run(&n, 2 * S);
        assert_true(edge.seen > 500);
        assert_int_equal(edge.shrunk, 0);
        net_deinit(&n);
    }
}

/* The story that window.c tells: it follows the paths, and the peer's queues stay short. */
static void the_window_follows_the_paths(void **state) {
    (void)state;
    struct net n;
    struct connection_info info;
    net_init(&n, 20, 2);
    n.no_checks = true;
    net_set_wire(&n, 0, 50, 30 * MS, 100 * MS, 0);
    net_set_wire(&n, 1, 20, 70 * MS, 100 * MS, 0);
    n.host[SERVER].app.to_send = UINT64_C(1) << 40;
    n.host[CLIENT].app.to_send = 100;
    net_connect(&n);
    net_run(&n, 5 * S);
    connection_info(n.host[CLIENT].c, &info);
    uint64_t ideal = (uint64_t)(70e6 / 8 * 0.070);
    print_message("window %u, the paths hold %llu bytes\n", info.receive_window_bytes, (unsigned long long)ideal);
    assert_true(info.receive_window_bytes > ideal && info.receive_window_bytes < ideal * 3 / 2);
    net_path_down(&n, 0);
    net_run(&n, 5 * S);
    connection_info(n.host[CLIENT].c, &info);
    assert_true(info.receive_window_bytes <= 270000); /* what it started with */
    net_deinit(&n);
}

static void plain_tcp_gets_a_generous_window(void **state) {
    (void)state;
    struct net n;
    net_init(&n, 21, 1);
    n.no_checks = true;
    n.config[CLIENT].multipath = false;
    net_set_wire(&n, 0, 100, 100 * MS, 50 * MS, 0);
    n.host[SERVER].app.to_send = UINT64_C(1) << 40;
    net_connect(&n);
    net_run(&n, 3 * S);
    uint64_t before = n.host[CLIENT].app.received;
    net_run(&n, 5 * S);
    double mbit = (double)(n.host[CLIENT].app.received - before) * 8 / 5 / 1e6;
    print_message("100 Mbit/s, 100 ms: %.1f Mbit/s\n", mbit);
    assert_true(mbit > 85);
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(a_shortage_that_passes_does_no_harm),
        cmocka_unit_test(crumbs_cost_no_more_than_they_should),
        cmocka_unit_test(idle_connections_hold_little),
        cmocka_unit_test(the_window_never_goes_back),
        cmocka_unit_test(the_window_follows_the_paths),
        cmocka_unit_test(plain_tcp_gets_a_generous_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
