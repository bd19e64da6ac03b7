/* Schedulers, one by one, in virtual time: which path carries what, what it costs, and who waits. Wire 0 is fast, wire 1
 * slow. */
#include "two_hosts.h"

enum { FAST, SLOW };

static void begin(struct net *n, uint64_t seed, const char *scheduler) {
    net_init(n, seed, 2);
    n->check_every = 50;
    net_set_wire(n, FAST, 8, 20 * MS, 100 * MS, 0);
    net_set_wire(n, SLOW, 2, 150 * MS, 100 * MS, 0);
    for (int side = 0; side < 2; side++) n->config[side].scheduler = scheduler_find(scheduler);
    assert_non_null(n->config[CLIENT].scheduler);
}

static void both_connected(struct net *n) {
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 1;
    net_connect(n);
    net_run(n, S);
    assert_int_equal(active_subflows(n->host[CLIENT].c), 2);
}

static void receive_buffer(struct net *n, uint32_t bytes) {
    n->config[SERVER].receive_buffer_initial_bytes = n->config[SERVER].receive_buffer_max_bytes = bytes;
}

static double upload_mbps(struct net *n, braid_time duration) {
    uint64_t before = n->host[SERVER].app.received;
    n->host[CLIENT].app.to_send = UINT64_C(1) << 40;
    net_run(n, duration);
    return (double)(n->host[SERVER].app.received - before) * 8 * 1e9 / (double)duration / 1e6;
}

static uint64_t twice(const struct net *n) {
    struct connection_info info;
    connection_info(n->host[CLIENT].c, &info);
    return info.bytes_reinjected + info.bytes_copied;
}

/* Messages of 200 bytes, one every 20 ms. Returns the slowest. */
static braid_time messages(struct net *n, unsigned count) {
    struct app *writer = &n->host[CLIENT].app, *reader = &n->host[SERVER].app;
    braid_time worst = 0;
    for (unsigned i = 0; i < count; i++) {
        braid_time began = n->now;
        writer->to_send += 200;
        while (reader->received < writer->to_send) {
            assert_true(net_step(n, began + 10 * S));
            if (n->now - began > worst) worst = n->now - began;
        }
        if (n->now < began + 20 * MS) net_run(n, began + 20 * MS - n->now);
    }
    return worst;
}

static void names_are_known_and_others_are_not(void **state) {
    (void)state;
    unsigned count = 0;
    assert_string_equal(scheduler_name(0), "lowest-rtt");
    for (; scheduler_name(count) != NULL; count++)
        assert_string_equal(scheduler_find(scheduler_name(count))->name, scheduler_name(count));
    assert_int_equal(count, 9);
    assert_null(scheduler_find("fastest"));
    assert_null(scheduler_find(""));
}

static void every_scheduler_delivers_everything(void **state) {
    (void)state;
    for (unsigned i = 0; scheduler_name(i) != NULL; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            struct net n;
            begin(&n, seed, scheduler_name(i));
            for (int side = 0; side < 2; side++)
                n.wires[FAST].config[side].loss = n.wires[SLOW].config[side].loss = seed == 1 ? 0 : 0.02;
            receive_buffer(&n, seed == 3 ? 30000 : 300000);
            n.config[CLIENT].checksum = seed == 2;
            n.host[CLIENT].app.to_send = 1000000;
            n.host[SERVER].app.to_send = 500000;
            n.host[CLIENT].app.shut_when_sent = n.host[SERVER].app.shut_when_sent = true;
            net_connect(&n);
            assert_true(net_run_until(&n, both_closed, 120 * S));
            assert_true(both_received_all(&n));
            net_deinit(&n);
        }
    }
}

static void with_both_paths_idle_no_message_takes_the_slow_one(void **state) {
    (void)state;
    static const char *const names[] = {"lowest-rtt", "blest", "ecf", "backup", "cost-aware"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        struct net n;
        begin(&n, 1, names[i]);
        both_connected(&n);
        uint64_t before = n.host[CLIENT].data_by_wire[SLOW];
        assert_true(messages(&n, 200) <= 11 * MS);
        assert_int_equal(n.host[CLIENT].data_by_wire[SLOW], before);
        assert_int_equal(twice(&n), 0);
        net_deinit(&n);
    }
}

static void round_robin_gives_by_weight(void **state) {
    (void)state;
    struct net n;
    begin(&n, 1, "round-robin");
    net_set_wire(&n, FAST, 0, 20 * MS, 0, 0);
    net_set_wire(&n, SLOW, 0, 20 * MS, 0, 0);
    n.host[CLIENT].paths[FAST].weight = 3;
    both_connected(&n);
    uint64_t fast = n.host[CLIENT].data_by_wire[FAST], slow = n.host[CLIENT].data_by_wire[SLOW];
    messages(&n, 400); /* less than a turn each: a turn is as many segments as the weight says */
    fast = n.host[CLIENT].data_by_wire[FAST] - fast;
    slow = n.host[CLIENT].data_by_wire[SLOW] - slow;
    assert_int_equal(fast + slow, 400 * 200);
    assert_true(fast > slow * 28 / 10 && fast < slow * 32 / 10);
    net_deinit(&n);
}

static void redundant_loses_nothing_to_a_path_that_loses(void **state) {
    (void)state;
    static const char *const names[] = {"redundant", "redundant-small"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        struct net n;
        begin(&n, 2, names[i]);
        both_connected(&n);
        n.wires[FAST].config[CLIENT].loss = 0.1;
        uint64_t before = n.host[CLIENT].data_by_wire[SLOW];
        braid_time worst = messages(&n, 200);
        print_message("%s: worst %.1f ms\n", names[i], (double)worst / 1e6);
        assert_true(worst <= 80 * MS); /* as by the slow one, at worst */
        uint64_t slow = n.host[CLIENT].data_by_wire[SLOW] - before;
        assert_true(slow >= 200 * 200 && slow <= 210 * 200);
        print_message("%s: %u messages twice\n", names[i], (unsigned)twice(&n) / 200);
        assert_true(twice(&n) >= 190 * 200 && twice(&n) <= 215 * 200);
        net_deinit(&n);
    }
}

static void redundant_is_as_fast_as_the_better_path(void **state) {
    (void)state;
    struct net n;
    begin(&n, 1, "redundant");
    both_connected(&n);
    double mbps = upload_mbps(&n, 10 * S);
    assert_true(mbps > 0.97 * 7.7 && mbps < 8);
    /* The slow one is never idle: it gets what is not acknowledged yet when it has room. */
    assert_true(n.host[CLIENT].data_by_wire[SLOW] > 1800000);
    assert_true(n.host[CLIENT].counters.copied_bytes > 1800000);
    net_deinit(&n);
}

static void redundant_small_spares_long_transfers(void **state) {
    (void)state;
    struct net n;
    begin(&n, 1, "redundant-small");
    both_connected(&n);
    double mbps = upload_mbps(&n, 10 * S);
    print_message("redundant-small: %.2f Mb/s, %.2f MB twice\n", mbps, (double)twice(&n) / 1e6);
    assert_true(mbps > 9.0); /* its beginning counts */
    assert_true(twice(&n) < 200000);
    net_deinit(&n);
}

static void a_small_window_is_left_to_the_fast_path(void **state) {
    (void)state;
    static const char *const names[] = {"lowest-rtt", "blest"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        struct net n;
        begin(&n, 1, names[i]);
        receive_buffer(&n, 50000);
        both_connected(&n);
        assert_true(upload_mbps(&n, 10 * S) > 0.98 * 7.7);
        assert_true(n.host[CLIENT].data_by_wire[SLOW] < 100000);
        net_deinit(&n);
    }
}

static void a_large_window_is_for_both(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t bytes;
    } cases[] = {{"lowest-rtt", 200000}, {"blest", 400000}, {"ecf", 200000}, {"round-robin", 200000}};
    for (unsigned i = 0; i < ARRAY_COUNT(cases); i++) {
        struct net n;
        begin(&n, 1, cases[i].name);
        receive_buffer(&n, cases[i].bytes);
        both_connected(&n);
        net_run(&n, S);
        upload_mbps(&n, 3 * S);
        assert_true(upload_mbps(&n, 10 * S) > 9.2);
        net_deinit(&n);
    }
}

/* Twenty segments: sooner there by the fast path alone, though it takes several of its round trips. */
static void a_burst_is_over_sooner_by_waiting(void **state) {
    (void)state;
    static const char *const names[] = {"lowest-rtt", "redundant-small", "cost-aware"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        struct net n;
        begin(&n, 1, names[i]);
        both_connected(&n);
        uint64_t before = n.host[CLIENT].data_by_wire[SLOW];
        n.host[CLIENT].app.to_send += 30000;
        braid_time began = n.now;
        assert_true(net_run_until(&n, both_received_all, 10 * S));
        print_message("30 kB by %s: %.1f ms, %u bytes by the slow path\n", names[i], (double)(n.now - began) / 1e6,
                      (unsigned)(n.host[CLIENT].data_by_wire[SLOW] - before));
        assert_true(n.now - began < 85 * MS);
        /* But for a segment that asks how the slow one is doing (stale.c). */
        uint64_t slow = n.host[CLIENT].data_by_wire[SLOW] - before;
        assert_true(slow <= 1448 || n.config[CLIENT].scheduler->copies != SCHEDULER_COPIES_NONE);
        net_deinit(&n);
    }
}

static void a_path_that_blocks_the_window_is_helped_and_held_back(void **state) {
    (void)state;
    struct net n;
    begin(&n, 1, "round-robin");
    receive_buffer(&n, 60000);
    both_connected(&n);
    double mbps = upload_mbps(&n, 10 * S);
    print_message("round-robin with 60 kB: %.2f Mb/s, %.2f MB twice\n", mbps, (double)twice(&n) / 1e6);
    assert_true(n.host[CLIENT].counters.window_blocked > 5);
    assert_true(n.host[CLIENT].counters.subflow_penalised > 0);
    assert_true(n.host[CLIENT].counters.subflow_harmful > 0); /* it costs more than it brings: no more of that */
    assert_true(twice(&n) > 0);
    assert_true(mbps > 7);
    net_deinit(&n);
}

static void backup_uses_one_path_at_a_time_and_goes_back(void **state) {
    (void)state;
    struct net n;
    begin(&n, 1, "backup");
    both_connected(&n);
    uint64_t slow = n.host[CLIENT].data_by_wire[SLOW];
    assert_true(upload_mbps(&n, 3 * S) > 7.4);
    assert_int_equal(n.host[CLIENT].data_by_wire[SLOW], slow);
    net_path_down(&n, FAST);
    net_run(&n, S);
    assert_true(upload_mbps(&n, 3 * S) > 1.7);
    net_path_up(&n, FAST);
    net_run(&n, 2 * S);
    slow = n.host[CLIENT].data_by_wire[SLOW];
    assert_true(upload_mbps(&n, 3 * S) > 7);
    assert_true(n.host[CLIENT].data_by_wire[SLOW] - slow < 3000);
    net_deinit(&n);
}

/* --- what costs --- */

static void a_metered_path_is_kept_out_until_nothing_else_works(void **state) {
    (void)state;
    struct net n;
    struct path_meter meter = {.metered = true};
    begin(&n, 1, "cost-aware");
    n.host[CLIENT].paths[FAST].meter = &meter;
    n.host[CLIENT].paths[SLOW].backup = true; /* still better than one that costs */
    both_connected(&n);
    uint64_t fast = n.host[CLIENT].data_by_wire[FAST];
    assert_true(upload_mbps(&n, 3 * S) > 1.7);
    assert_int_equal(n.host[CLIENT].data_by_wire[FAST], fast);
    net_path_down(&n, SLOW);
    net_run(&n, S);
    assert_true(upload_mbps(&n, 3 * S) > 7);
    assert_true(meter.used_bytes > 2500000);
    net_path_up(&n, SLOW);
    net_run(&n, 2 * S);
    fast = n.host[CLIENT].data_by_wire[FAST];
    upload_mbps(&n, 3 * S);
    assert_true(n.host[CLIENT].data_by_wire[FAST] - fast < 3000);
    net_deinit(&n);
}

/* The peer has no word for a price: for it one backup is as good as another. */
static void a_peer_spares_what_is_metered_though_all_others_are_backups(void **state) {
    (void)state;
    struct net n;
    struct path_meter meter = {.metered = true};
    begin(&n, 1, "cost-aware");
    net_set_wire(&n, SLOW, 20, 20 * MS, 100 * MS, 0);
    n.host[CLIENT].paths[FAST].meter = &meter;
    n.host[CLIENT].paths[SLOW].backup = true;
    both_connected(&n);
    uint64_t fast = n.host[SERVER].data_by_wire[FAST];
    n.host[SERVER].app.to_send = UINT64_C(1) << 40;
    net_run(&n, 5 * S);
    assert_int_equal(n.host[SERVER].data_by_wire[FAST], fast);
    assert_true(n.host[SERVER].data_by_wire[SLOW] > 5000000);
    net_path_down(&n, SLOW);
    net_run(&n, 3 * S);
    assert_true(n.host[SERVER].data_by_wire[FAST] > fast + 1000000);
    net_path_up(&n, SLOW);
    net_run(&n, 2 * S);
    fast = n.host[SERVER].data_by_wire[FAST];
    net_run(&n, 3 * S);
    assert_int_equal(n.host[SERVER].data_by_wire[FAST], fast);
    net_deinit(&n);
}

/* And where a regular one works, a backup that costs nothing is a backup again. */
static void a_backup_that_stood_in_for_what_is_metered_stands_by_again(void **state) {
    (void)state;
    struct net n;
    struct path_meter meter = {.metered = true};
    net_init(&n, 2, 3);
    for (int side = 0; side < 2; side++) n.config[side].scheduler = scheduler_find("cost-aware");
    for (unsigned wire = 0; wire < 3; wire++) net_set_wire(&n, wire, 8, 20 * MS, 100 * MS, 0);
    n.host[CLIENT].paths[1].backup = true;
    n.host[CLIENT].paths[2].meter = &meter;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 1;
    net_connect(&n);
    net_run(&n, S);
    n.host[SERVER].app.to_send = UINT64_C(1) << 40;
    net_run(&n, 2 * S);
    assert_int_equal(n.host[SERVER].data_by_wire[1] + n.host[SERVER].data_by_wire[2], 0);
    net_path_down(&n, 0);
    net_run(&n, 2 * S);
    assert_true(n.host[SERVER].data_by_wire[1] > 1000000);
    assert_int_equal(n.host[SERVER].data_by_wire[2], 0);
    net_path_up(&n, 0);
    net_run(&n, 2 * S);
    uint64_t backup = n.host[SERVER].data_by_wire[1];
    net_run(&n, 2 * S);
    assert_int_equal(n.host[SERVER].data_by_wire[1], backup);
    assert_int_equal(n.host[SERVER].data_by_wire[2], 0);
    net_deinit(&n);
}

static void a_cap_holds_under_every_scheduler(void **state) {
    (void)state;
    for (unsigned i = 0; scheduler_name(i) != NULL; i++) {
        struct net n;
        struct path_meter meter = {.metered = true, .cap_bytes = 1000000};
        begin(&n, 1, scheduler_name(i));
        n.wires[FAST].config[CLIENT].loss = 0.01; /* what is sent again counts, too */
        n.host[CLIENT].paths[FAST].meter = &meter;
        both_connected(&n);
        upload_mbps(&n, 10 * S);
        assert_true(n.host[CLIENT].bytes_by_wire[FAST] <= meter.cap_bytes);
        assert_true(meter.used_bytes <= meter.cap_bytes);
        if (scheduler_find(scheduler_name(i))->spares_metered) assert_true(meter.used_bytes < 10000);
        else assert_true(n.host[CLIENT].bytes_by_wire[FAST] > 700000);
        /* And everything goes on by the other. */
        assert_true(upload_mbps(&n, 5 * S) > 1.7);
        net_deinit(&n);
    }
}

static void a_used_up_cap_ends_a_connection_without_another_path(void **state) {
    (void)state;
    struct net n;
    struct path_meter meter = {.metered = true, .cap_bytes = 500000};
    begin(&n, 1, "lowest-rtt");
    n.config[CLIENT].multipath = false;
    n.host[CLIENT].paths[FAST].meter = &meter;
    n.host[CLIENT].app.to_send = 10000000;
    net_connect(&n);
    net_run(&n, 10 * S);
    assert_true(n.host[CLIENT].bytes_by_wire[FAST] <= meter.cap_bytes);
    assert_true(connection_close_reason(n.host[CLIENT].c) != CONNECTION_OPEN);
    net_deinit(&n);
}

/* A peer that paused may go on as fast as it was, and need not: what came in a round trip then is expected twice. */
static void what_came_before_a_pause_is_expected_after_it(void **state) {
    (void)state;
    struct net n;
    struct path_meter meter = {.cap_bytes = 1000000000};
    begin(&n, 1, "lowest-rtt");
    n.host[CLIENT].paths[FAST].meter = &meter;
    both_connected(&n);
    assert_true(meter.expected_bytes < 20000);
    n.host[SERVER].app.to_send += 2000000;
    assert_true(net_run_until(&n, both_received_all, 10 * S));
    net_run(&n, 30 * S);
    n.host[CLIENT].app.to_send++;
    net_run(&n, S);
    assert_true(meter.expected_bytes > 2 * 20000 && meter.expected_bytes < 1000000);
    net_deinit(&n);
    assert_int_equal(meter.expected_bytes, 0);
}

/* --- a window that is shut --- */

/* The reader stops until the window is shut, and reads on when the path that would tell of it is dead without anybody
 * knowing. */
static void news_of_the_window_are_asked_for_on_every_path(void **state) {
    (void)state;
    struct net n;
    begin(&n, 1, "lowest-rtt");
    receive_buffer(&n, 100000);
    both_connected(&n);
    n.host[SERVER].app.no_reading = true;
    upload_mbps(&n, 5 * S);
    n.wires[FAST].cut = true;
    n.host[SERVER].app.no_reading = false;
    /* What is read now is told on both, but the news by the slow one are lost. */
    n.wires[SLOW].config[SERVER].loss = 1;
    net_run(&n, 200 * MS);
    n.wires[SLOW].config[SERVER].loss = 0;
    assert_true(upload_mbps(&n, 10 * S) > 0.5);
    net_deinit(&n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_and_others_are_not),
        cmocka_unit_test(every_scheduler_delivers_everything),
        cmocka_unit_test(with_both_paths_idle_no_message_takes_the_slow_one),
        cmocka_unit_test(round_robin_gives_by_weight),
        cmocka_unit_test(redundant_loses_nothing_to_a_path_that_loses),
        cmocka_unit_test(redundant_is_as_fast_as_the_better_path),
        cmocka_unit_test(redundant_small_spares_long_transfers),
        cmocka_unit_test(a_small_window_is_left_to_the_fast_path),
        cmocka_unit_test(a_large_window_is_for_both),
        cmocka_unit_test(a_burst_is_over_sooner_by_waiting),
        cmocka_unit_test(a_path_that_blocks_the_window_is_helped_and_held_back),
        cmocka_unit_test(backup_uses_one_path_at_a_time_and_goes_back),
        cmocka_unit_test(a_metered_path_is_kept_out_until_nothing_else_works),
        cmocka_unit_test(a_peer_spares_what_is_metered_though_all_others_are_backups),
        cmocka_unit_test(a_backup_that_stood_in_for_what_is_metered_stands_by_again),
        cmocka_unit_test(a_cap_holds_under_every_scheduler),
        cmocka_unit_test(a_used_up_cap_ends_a_connection_without_another_path),
        cmocka_unit_test(what_came_before_a_pause_is_expected_after_it),
        cmocka_unit_test(news_of_the_window_are_asked_for_on_every_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
