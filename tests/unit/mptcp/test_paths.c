/* Several paths: used together, lost one by one, and taken again. WiFi is wire 0, cellular wire 1, as in the demo. */
#include "two_hosts.h"

enum { WIFI, CELLULAR };
#define WIFI_RTT (30 * MS)
#define CELLULAR_RTT (70 * MS)

static void home(struct net *n, uint64_t seed) {
    net_init(n, seed, 2);
    net_set_wire(n, WIFI, 50, WIFI_RTT, 100 * MS, 0);
    net_set_wire(n, CELLULAR, 20, CELLULAR_RTT, 100 * MS, 0);
}

static void bulk(struct net *n, int from, uint64_t bytes) {
    n->host[from].app.to_send = bytes;
    /* The client speaks first, as ever; it is what makes joins possible. */
    if (from == SERVER) n->host[CLIENT].app.to_send = 200;
    net_connect(n);
}

static double goodput(struct net *n, int reader, braid_time duration) {
    uint64_t before = n->host[reader].app.received;
    net_run(n, duration);
    return (double)(n->host[reader].app.received - before) * 8 * 1e9 / (double)duration / 1e6;
}

static void two_paths_carry_what_both_can(int from) {
    struct net n;
    home(&n, 1);
    n.no_checks = true;
    bulk(&n, from, UINT64_C(1) << 40);
    net_run(&n, 2 * S);
    double mbit = goodput(&n, 1 - from, 10 * S);
    print_message("both paths, from %s: %.1f Mbit/s\n", from == CLIENT ? "client" : "server", mbit);
    assert_true(mbit > 0.90 * 70);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    net_deinit(&n);
}
static void upload_carries_what_both_paths_can(void **state) {
    (void)state;
    two_paths_carry_what_both_can(CLIENT);
}
static void download_carries_what_both_paths_can(void **state) {
    (void)state;
    two_paths_carry_what_both_can(SERVER);
}

static braid_time handover(uint64_t seed, int from, unsigned lost, bool backup) {
    struct net n;
    home(&n, seed);
    n.host[CLIENT].paths[CELLULAR].backup = backup;
    bulk(&n, from, UINT64_C(1) << 40);
    net_run(&n, 3 * S + prng_below(&n.prng, 200 * MS));
    if (getenv("DEBUG")) {
        struct subflow_info i;
        for (unsigned k = 0; connection_subflow_info(n.host[from].c, k, &i); k++)
            printf("before: sf %u cwnd %u ssthresh %u inflight %u srtt %.1f min %.1f maxrate %.2f rate %.2f retx %lu\n", k, i.tcp.cwnd_bytes, i.tcp.ssthresh_bytes, i.tcp.in_flight_bytes, i.tcp.srtt_ns/1e6, i.tcp.min_rtt_ns/1e6, i.tcp.max_delivery_bytes_per_s*8/1e6, i.tcp.delivery_bytes_per_s*8/1e6, i.tcp.segments_retransmitted);
        struct connection_info ci;
        connection_info(n.host[1-from].c, &ci);
        printf("reader window %u ooo %lu\n", ci.receive_window_bytes, ci.bytes_out_of_order);
    }
    silence_start(&n.host[1 - from]);
    net_path_down(&n, lost);
    net_run(&n, 2 * S);
    braid_time silence = n.host[1 - from].app.silence_ns;
    double mbit = goodput(&n, 1 - from, S);
    print_message("lost %s, from %s%s: silence %.1f ms, then %.1f Mbit/s\n", lost == WIFI ? "WiFi" : "cellular",
                  from == CLIENT ? "client" : "server", backup ? ", backup" : "", (double)silence / 1e6, mbit);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 1);
    assert_true(mbit > 0.85 * (lost == WIFI ? 20 : 50));
    silence_start(&n.host[1 - from]);
    net_path_up(&n, lost);
    net_run(&n, 3 * S);
    assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
    assert_int_equal(active_subflows(n.host[SERVER].c), 2);
    assert_true(n.host[1 - from].app.silence_ns < 100 * MS);
    net_deinit(&n);
    return silence;
}

static void an_upload_that_loses_wifi_is_silent_for_half_a_round_trip(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        assert_true(handover(seed, CLIENT, WIFI, false) <= CELLULAR_RTT / 2 + 30 * MS);
}
static void an_upload_that_loses_cellular_goes_on(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++)
        assert_true(handover(seed, CLIENT, CELLULAR, false) <= WIFI_RTT / 2 + 30 * MS);
}
static void a_download_that_loses_wifi_is_silent_for_a_round_trip(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++)
        assert_true(handover(seed, SERVER, WIFI, false) <= CELLULAR_RTT + 30 * MS);
}
static void a_backup_takes_over_at_once(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        assert_true(handover(seed, CLIENT, WIFI, true) <= CELLULAR_RTT / 2 + 30 * MS);
        assert_true(handover(seed, SERVER, WIFI, true) <= CELLULAR_RTT + 30 * MS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upload_carries_what_both_paths_can),
        cmocka_unit_test(download_carries_what_both_paths_can),
        cmocka_unit_test(an_upload_that_loses_wifi_is_silent_for_half_a_round_trip),
        cmocka_unit_test(an_upload_that_loses_cellular_goes_on),
        cmocka_unit_test(a_download_that_loses_wifi_is_silent_for_a_round_trip),
        cmocka_unit_test(a_backup_takes_over_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
