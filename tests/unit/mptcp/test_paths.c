/* Several paths: used together, lost one by one, and taken again. WiFi is wire 0, cellular wire 1, as in the demo. */
#include "two_hosts.h"

enum { WIFI, CELLULAR };
#define WIFI_RTT (30 * MS)
#define CELLULAR_RTT (70 * MS)

static void home(struct net *n, uint64_t seed) {
    net_init(n, seed, 2);
    n->check_every = 20;
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
        /* The second flight of slow start comes a round trip after the first. */
        assert_true(handover(seed, CLIENT, WIFI, true) <= CELLULAR_RTT);
        assert_true(handover(seed, SERVER, WIFI, true) <= CELLULAR_RTT + 30 * MS);
    }
}

/* --- messages: fifty a second, each timed --- */

enum { MESSAGE_BYTES = 200, MESSAGES_MAX = 1000 };
struct messages {
    braid_time sent_at[MESSAGES_MAX];
    unsigned sent, received;
    braid_time worst_ns, sum_ns;
};

static void messages_run(struct net *n, int from, struct messages *m, braid_time duration) {
    struct host *writer = &n->host[from], *reader = &n->host[1 - from];
    braid_time until = n->now + duration, next = n->now;
    uint64_t base = writer->app.sent - (uint64_t)m->sent * MESSAGE_BYTES;
    while (n->now < until) {
        if (n->now >= next) {
            m->sent_at[m->sent++] = n->now;
            writer->app.to_send += MESSAGE_BYTES;
            next += 20 * MS;
        }
        net_step(n, next < until ? next : until);
        while (reader->app.received >= base + (uint64_t)(m->received + 1) * MESSAGE_BYTES) {
            braid_time took = n->now - m->sent_at[m->received++];
            m->sum_ns += took;
            if (took > m->worst_ns) m->worst_ns = took;
        }
    }
}

static void both_speak_once(struct net *n) {
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 100;
    net_connect(n);
    net_run(n, S);
    assert_int_equal(active_subflows(n->host[CLIENT].c), 2);
}

static braid_time worst_message(int from, bool told, bool backup) {
    struct net n;
    struct messages m = {0};
    home(&n, 3);
    n.host[CLIENT].paths[CELLULAR].backup = backup;
    both_speak_once(&n);
    messages_run(&n, from, &m, 3 * S);
    assert_true(m.received + 1 >= m.sent);
    assert_true(m.worst_ns < WIFI_RTT / 2 + 2 * MS); /* all by the fast path */
    m.worst_ns = 0;
    if (told) net_path_down(&n, WIFI);
    else n.wires[WIFI].cut = true;
    messages_run(&n, from, &m, 5 * S);
    messages_run(&n, from, &m, S);
    assert_true(m.received + 3 >= m.sent);
    print_message("messages from %s, WiFi %s%s: worst %.1f ms\n", from == CLIENT ? "client" : "server",
                  told ? "down" : "silent", backup ? ", backup" : "", (double)m.worst_ns / 1e6);
    net_deinit(&n);
    return m.worst_ns;
}

static void messages_move_over_when_wifi_goes_down(void **state) {
    (void)state;
    assert_true(worst_message(CLIENT, true, false) <= CELLULAR_RTT / 2 + 30 * MS);
    assert_true(worst_message(SERVER, true, false) <= CELLULAR_RTT + 30 * MS);
    assert_true(worst_message(CLIENT, true, true) <= CELLULAR_RTT / 2 + 30 * MS);
    assert_true(worst_message(SERVER, true, true) <= CELLULAR_RTT + 30 * MS);
}

/* Nobody says anything: the tail loss probe is the first to notice. */
static void messages_move_over_when_wifi_falls_silent(void **state) {
    (void)state;
    assert_true(worst_message(CLIENT, false, false) <= 200 * MS);
    assert_true(worst_message(SERVER, false, false) <= 200 * MS);
    assert_true(worst_message(CLIENT, false, true) <= 200 * MS);
}

static void a_bulk_transfer_survives_a_silent_path(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct net n;
        home(&n, 5);
        bulk(&n, from, UINT64_C(1) << 40);
        net_run(&n, 3 * S);
        silence_start(&n.host[1 - from]);
        n.wires[WIFI].cut = true;
        net_run(&n, 5 * S);
        print_message("bulk from %s, WiFi silent: silence %.1f ms\n", from == CLIENT ? "client" : "server",
                      (double)n.host[1 - from].app.silence_ns / 1e6);
        assert_true(n.host[1 - from].app.silence_ns < 300 * MS);
        n.wires[WIFI].cut = false;
        net_run(&n, 20 * S);
        assert_int_equal(active_subflows(n.host[from].c), 2); /* it was probed all the time */
        double mbit = goodput(&n, 1 - from, 3 * S);
        assert_true(mbit > 0.85 * 70);
        net_deinit(&n);
    }
}

/* --- backup --- */

static void a_backup_carries_nothing_while_it_is_not_needed(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct net n;
        home(&n, 6);
        n.host[CLIENT].paths[CELLULAR].backup = true;
        bulk(&n, from, 20000000);
        net_run(&n, 3 * S);
        assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
        assert_int_equal(n.host[from].data_by_wire[CELLULAR], 0);
        assert_true(n.host[from].data_by_wire[WIFI] > 5000000);
        net_deinit(&n);
    }
}

static void priorities_change_while_it_runs(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct net n;
        home(&n, 7);
        bulk(&n, from, UINT64_C(1) << 40);
        net_run(&n, 2 * S);
        uint64_t before = n.host[from].data_by_wire[CELLULAR];
        assert_true(before > 0);
        n.host[CLIENT].paths[CELLULAR].backup = true;
        connection_path_backup(n.host[CLIENT].c, &n.host[CLIENT].paths[CELLULAR], n.now);
        net_run(&n, S);
        assert_int_equal(n.host[CLIENT].counters.mp_prio_sent, 1);
        assert_int_equal(n.host[SERVER].counters.mp_prio_received, 1);
        before = n.host[from].data_by_wire[CELLULAR];
        net_run(&n, S);
        assert_int_equal(n.host[from].data_by_wire[CELLULAR], before);
        n.host[CLIENT].paths[CELLULAR].backup = false;
        connection_path_backup(n.host[CLIENT].c, &n.host[CLIENT].paths[CELLULAR], n.now);
        net_run(&n, S);
        assert_true(n.host[from].data_by_wire[CELLULAR] > before + 100000);
        net_deinit(&n);
    }
}

static void a_first_path_that_is_a_backup_is_said_to_be_one(void **state) {
    (void)state;
    struct net n;
    struct subflow_info info;
    home(&n, 8);
    n.host[CLIENT].paths[WIFI].backup = true;
    bulk(&n, SERVER, UINT64_C(1) << 40);
    net_run(&n, 2 * S);
    assert_true(connection_subflow_info(n.host[SERVER].c, 0, &info));
    assert_true(info.backup_there);
    uint64_t before = n.host[SERVER].data_by_wire[WIFI];
    net_run(&n, S);
    assert_int_equal(n.host[SERVER].data_by_wire[WIFI], before);
    net_deinit(&n);
}

/* --- losing everything --- */

static void it_waits_without_any_path_and_goes_on(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        for (unsigned back = 0; back < 2; back++) {
            struct net n;
            home(&n, 9 + back);
            bulk(&n, from, 40000000);
            net_run(&n, 2 * S);
            net_path_down(&n, WIFI);
            net_run(&n, 20 * MS);
            net_path_down(&n, CELLULAR);
            net_run(&n, 20 * S);
            assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_OPEN);
            assert_int_equal(active_subflows(n.host[CLIENT].c), 0);
            net_path_up(&n, back);
            assert_true(net_run_until(&n, both_received_all, 60 * S));
            net_deinit(&n);
        }
    }
}

/* A connection that speaks by two paths, which then both fall silent, with 100 bytes to say. */
static void both_fall_silent(struct net *n, uint64_t seed) {
    home(n, seed);
    both_speak_once(n);
    n->wires[WIFI].cut = n->wires[CELLULAR].cut = true;
    n->host[CLIENT].app.to_send += 100;
}

static void what_a_silent_path_has_is_not_given_to_it_again(void **state) {
    (void)state;
    struct net n;
    both_fall_silent(&n, 13);
    uint64_t packets = n.host[CLIENT].data_by_wire[WIFI] + n.host[CLIENT].data_by_wire[CELLULAR];
    net_run(&n, 600 * S);
    packets = n.host[CLIENT].data_by_wire[WIFI] + n.host[CLIENT].data_by_wire[CELLULAR] - packets;
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_OPEN);
    assert_int_equal(n.host[CLIENT].counters.reinjected_bytes, 100); /* once, to the other one */
    assert_true(packets <= 2 * 20 * 100);                            /* and each says it with its own timer */
    net_deinit(&n);
}

static void what_all_silent_paths_have_goes_by_one_that_comes(void **state) {
    (void)state;
    struct net n;
    both_fall_silent(&n, 14);
    net_run(&n, 60 * S);
    net_path_down(&n, CELLULAR);
    n.wires[CELLULAR].cut = false;
    net_path_up(&n, CELLULAR);
    assert_true(net_run_until(&n, both_received_all, 5 * S));
    net_deinit(&n);
}

static void it_does_not_wait_for_ever(void **state) {
    (void)state;
    struct net n;
    home(&n, 11);
    bulk(&n, CLIENT, 40000000);
    net_run(&n, 2 * S);
    net_path_down(&n, WIFI);
    net_path_down(&n, CELLULAR);
    net_run(&n, 59 * S);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_OPEN);
    net_run(&n, 2 * S);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_TIMED_OUT);
    net_deinit(&n);
}

static void wifi_comes_and_goes_all_the_time(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct net n;
        int from = seed % 2;
        home(&n, seed);
        n.wires[CELLULAR].config[CLIENT].loss = n.wires[CELLULAR].config[SERVER].loss = seed > 5 ? 0.01 : 0;
        n.config[CLIENT].checksum = seed % 3 == 0;
        bulk(&n, from, 30000000);
        net_run(&n, S);
        for (unsigned i = 0; i < 10; i++) {
            net_path_down(&n, WIFI);
            net_run(&n, 100 * MS + prng_below(&n.prng, S));
            net_path_up(&n, WIFI);
            net_run(&n, 100 * MS + prng_below(&n.prng, S));
        }
        if (!net_run_until(&n, both_received_all, 60 * S)) fail_msg("seed %llu", (unsigned long long)seed);
        assert_int_equal(connection_mode(n.host[CLIENT].c), CONNECTION_MODE_MPTCP);
        net_deinit(&n);
    }
}

/* --- never worse than one path, whatever the second is like --- */

static void a_bad_second_path_does_no_harm(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct net n;
        net_init(&n, 12, 2);
        net_set_wire(&n, 0, 8, 20 * MS, 80 * MS, 0);
        net_set_wire(&n, 1, 2, 150 * MS, 2 * S, 0);
        bulk(&n, from, UINT64_C(1) << 40);
        net_run(&n, 3 * S);
        double mbit = goodput(&n, 1 - from, 10 * S);
        print_message("8 + 2 Mbit/s from %s: %.2f Mbit/s\n", from == CLIENT ? "client" : "server", mbit);
        assert_true(mbit > 0.90 * 10);
        net_deinit(&n);
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
        cmocka_unit_test(messages_move_over_when_wifi_goes_down),
        cmocka_unit_test(messages_move_over_when_wifi_falls_silent),
        cmocka_unit_test(a_bulk_transfer_survives_a_silent_path),
        cmocka_unit_test(a_backup_carries_nothing_while_it_is_not_needed),
        cmocka_unit_test(priorities_change_while_it_runs),
        cmocka_unit_test(a_first_path_that_is_a_backup_is_said_to_be_one),
        cmocka_unit_test(it_waits_without_any_path_and_goes_on),
        cmocka_unit_test(what_a_silent_path_has_is_not_given_to_it_again),
        cmocka_unit_test(what_all_silent_paths_have_goes_by_one_that_comes),
        cmocka_unit_test(it_does_not_wait_for_ever),
        cmocka_unit_test(wifi_comes_and_goes_all_the_time),
        cmocka_unit_test(a_bad_second_path_does_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
