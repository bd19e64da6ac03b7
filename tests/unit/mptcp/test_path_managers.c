/* Path managers: which subflows there are, which carry, and when they come and go. Wire 0 is the host's first choice. */
#include "two_hosts.h"

static void begin(struct net *n, uint64_t seed, unsigned wires, const struct path_manager_ops *manager) {
    net_init(n, seed, wires);
    n->check_every = 20;
    for (unsigned i = 0; i < wires; i++) net_set_wire(n, i, 10, (30 + 20 * i) * MS, 100 * MS, 0);
    n->config[CLIENT].path_manager = manager;
    n->host[CLIENT].app.to_send = n->host[SERVER].app.to_send = 100;
    net_connect(n);
    net_run(n, S);
}

static unsigned by_link(struct net *n, unsigned link, bool *backup) {
    struct subflow_info info;
    unsigned count = 0;
    for (unsigned i = 0; connection_subflow_info(n->host[CLIENT].c, i, &info); i++) {
        if (info.link != link || info.status != SUBFLOW_ACTIVE) continue;
        count++;
        if (backup) *backup = info.backup_here;
    }
    return count;
}

static bool is_backup(struct net *n, unsigned link) {
    bool backup = false;
    assert_int_equal(by_link(n, link, &backup), 1);
    return backup;
}

static void every_name_is_found(void **state) {
    unsigned count = 0;
    (void)state;
    assert_string_equal(path_manager_name(0), "fullmesh");
    for (; path_manager_name(count); count++)
        assert_string_equal(path_manager_find(path_manager_name(count))->name, path_manager_name(count));
    assert_int_equal(count, 5);
    assert_null(path_manager_find("full"));
}

static void fullmesh_joins_by_every_path(void **state) {
    struct net n;
    (void)state;
    begin(&n, 1, 3, &path_manager_fullmesh);
    for (unsigned i = 0; i < 3; i++) assert_int_equal(by_link(&n, i, NULL), 1);
    net_deinit(&n);
}

static void endpoint_flags_say_what_is_joined(void **state) {
    struct net n;
    (void)state;
    net_init(&n, 2, 3);
    n.host[SERVER].path_count = 2;
    n.host[SERVER].paths[1] = path_of(&n, SERVER, 1);
    n.host[SERVER].paths[1].announce = n.host[SERVER].path_up[1] = true;
    n.host[CLIENT].paths[1].no_fullmesh = true;
    n.host[CLIENT].paths[2].no_subflow = true;
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100;
    net_connect(&n);
    net_run(&n, 2 * S);
    assert_int_equal(by_link(&n, 0, NULL), 2); /* both of the server's */
    assert_int_equal(by_link(&n, 1, NULL), 1); /* the first only */
    assert_int_equal(by_link(&n, 2, NULL), 0);
    net_deinit(&n);
}

static void limits_bound_subflows_and_accepted_addresses(void **state) {
    (void)state;
    for (unsigned accepted = 0; accepted <= 2; accepted++) {
        struct net n;
        net_init(&n, 3, 2);
        n.host[SERVER].path_count = 3;
        for (unsigned i = 1; i < 3; i++) {
            n.host[SERVER].paths[i] = path_of(&n, SERVER, i);
            n.host[SERVER].paths[i].announce = n.host[SERVER].path_up[i] = true;
        }
        n.config[CLIENT].limits =
            (struct path_limits){.given = true, .subflows = accepted == 2 ? 3 : 31, .add_addr_accepted = (uint8_t)accepted};
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100;
        net_connect(&n);
        net_run(&n, 5 * S);
        /* Echoed all the same: there is nothing wrong with them. */
        assert_int_equal(n.host[SERVER].counters.add_addr_echo_received, 2);
        assert_int_equal(n.host[CLIENT].counters.add_addr_over_limit, 2 - accepted);
        assert_int_equal(active_subflows(n.host[CLIENT].c), accepted == 2 ? 4 : 2 * (1 + accepted));
        net_deinit(&n);
    }
}

/* --- backup --- */

static void of_backup_only_the_most_preferred_path_is_no_backup(void **state) {
    struct net n;
    (void)state;
    begin(&n, 4, 3, &path_manager_backup);
    assert_false(is_backup(&n, 0));
    assert_true(is_backup(&n, 1));
    assert_true(is_backup(&n, 2));
    uint64_t before[2] = {n.host[SERVER].data_by_wire[1], n.host[SERVER].data_by_wire[2]};
    n.host[SERVER].app.to_send += 2000000;
    net_run(&n, 3 * S);
    assert_true(both_received_all(&n));
    assert_int_equal(n.host[SERVER].data_by_wire[1], before[0]); /* the server knows it, too */
    assert_int_equal(n.host[SERVER].data_by_wire[2], before[1]);
    net_deinit(&n);
}

static void of_backup_the_next_takes_over_and_gives_way_again(void **state) {
    struct net n;
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin(&n, seed, 3, &path_manager_backup);
        n.host[SERVER].app.to_send = UINT64_C(1) << 40;
        net_run(&n, 2 * S);
        net_path_down(&n, 0);
        net_run(&n, 2 * S);
        assert_false(is_backup(&n, 1));
        assert_true(is_backup(&n, 2));
        uint64_t before = n.host[SERVER].data_by_wire[1], idle = n.host[SERVER].data_by_wire[2];
        net_run(&n, S);
        assert_true(n.host[SERVER].data_by_wire[1] > before + 1000000);
        assert_int_equal(n.host[SERVER].data_by_wire[2], idle);
        net_path_up(&n, 0);
        net_run(&n, 2 * S);
        assert_false(is_backup(&n, 0));
        assert_true(is_backup(&n, 1));
        before = n.host[SERVER].data_by_wire[1];
        net_run(&n, S);
        assert_int_equal(n.host[SERVER].data_by_wire[1], before);
        net_deinit(&n);
    }
}

/* --- ndiffports --- */

static void ndiffports_makes_as_many_over_one_pair(void **state) {
    (void)state;
    for (uint8_t wanted = 1; wanted <= 6; wanted += 5) {
        struct net n;
        struct subflow_info info;
        net_init(&n, 5, 2);
        n.config[CLIENT].path_manager = &path_manager_ndiffports;
        n.config[CLIENT].limits = (struct path_limits){.given = true, .subflows = 7, .ndiffports = wanted};
        n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100;
        net_connect(&n);
        net_run(&n, S);
        assert_int_equal(by_link(&n, 0, NULL), wanted);
        assert_int_equal(by_link(&n, 1, NULL), 0);
        for (unsigned i = 1; connection_subflow_info(n.host[CLIENT].c, i, &info); i++) {
            assert_int_equal(info.flow.remote_port, 80);
            assert_int_equal(info.local_address_id, 0); /* the address is the first subflow's, and so is its ID */
        }
        net_deinit(&n);
    }
}

static void ndiffports_moves_to_another_pair_and_back(void **state) {
    struct net n;
    (void)state;
    begin(&n, 6, 2, &path_manager_ndiffports);
    n.host[SERVER].app.to_send = UINT64_C(1) << 40;
    net_run(&n, S);
    net_path_down(&n, 0);
    net_run(&n, 2 * S);
    assert_int_equal(by_link(&n, 1, NULL), PATH_NDIFFPORTS);
    net_path_up(&n, 0);
    net_run(&n, 5 * S);
    assert_int_equal(by_link(&n, 0, NULL), PATH_NDIFFPORTS);
    assert_int_equal(by_link(&n, 1, NULL), 0);
    assert_int_equal(connection_close_reason(n.host[CLIENT].c), CONNECTION_OPEN);
    net_deinit(&n);
}

/* One of several over the same pair falls silent, as where a network sends them by different ways: the address is not
 * taken back. */
static uint16_t silent_port;
static bool silence_one(struct net *n, int from, unsigned wire, uint8_t *bytes, uint32_t *length) {
    const uint8_t *tcp = bytes + (bytes[0] & 15) * 4;
    uint16_t source = (uint16_t)(tcp[0] << 8 | tcp[1]), destination = (uint16_t)(tcp[2] << 8 | tcp[3]);
    (void)n, (void)wire, (void)length;
    return silent_port == 0 || silent_port != (from == CLIENT ? source : destination);
}

static void of_ndiffports_one_that_falls_silent_takes_no_other_along(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        struct net n;
        struct subflow_info info;
        silent_port = 0;
        begin(&n, 7, 1, &path_manager_ndiffports);
        n.spoil = silence_one;
        n.host[from].app.to_send = UINT64_C(1) << 40;
        net_run(&n, S);
        assert_true(connection_subflow_info(n.host[CLIENT].c, 1, &info));
        silent_port = info.flow.local_port;
        silence_start(&n.host[1 - from]);
        net_run(&n, 10 * S);
        print_message("one of two ports silent, from %s: %.1f ms\n", from == CLIENT ? "client" : "server",
                      (double)n.host[1 - from].app.silence_ns / 1e6);
        assert_true(n.host[1 - from].app.silence_ns < 600 * MS);
        assert_int_equal(n.host[CLIENT].counters.remove_addr_sent, 0);
        assert_int_equal(by_link(&n, 0, NULL), PATH_NDIFFPORTS); /* the new one has another port */
        net_deinit(&n);
    }
}

/* --- interactive --- */

static void interactive_has_one_path_while_it_is_good(void **state) {
    struct net n;
    (void)state;
    begin(&n, 8, 2, &path_manager_interactive);
    for (unsigned i = 0; i < 100; i++) {
        n.host[CLIENT].app.to_send += 200;
        net_run(&n, 20 * MS);
    }
    assert_int_equal(n.host[CLIENT].counters.join_sent, 0);
    net_deinit(&n);
}

/* A message every 20 ms; the worst of them. */
static braid_time messages(struct net *n, braid_time duration) {
    struct host *writer = &n->host[CLIENT], *reader = &n->host[SERVER];
    braid_time until = n->now + duration, next = n->now, sent_at[2000], worst = 0;
    unsigned sent = 0, received = 0;
    uint64_t base = writer->app.sent;
    while (n->now < until || received < sent) {
        if (n->now >= next && n->now < until) {
            sent_at[sent++] = n->now;
            writer->app.to_send += 200;
            next += 20 * MS;
        }
        net_step(n, n->now < until ? next : n->now + 100 * MS);
        while (received < sent && reader->app.received >= base + (uint64_t)(received + 1) * 200) {
            braid_time took = n->now - sent_at[received++];
            if (took > worst) worst = took;
        }
    }
    return worst;
}

static void interactive_joins_the_next_when_its_path_goes_or_falls_silent_or_slow(void **state) {
    static const char *const what[] = {"down", "silent", "slow"};
    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        struct net n;
        begin(&n, 9, 2, &path_manager_interactive);
        messages(&n, S);
        if (how == 0) net_path_down(&n, 0);
        if (how == 1) n.wires[0].cut = true;
        if (how == 2) n.wires[0].config[CLIENT].delay_ns = n.wires[0].config[SERVER].delay_ns = 400 * MS;
        braid_time worst = messages(&n, 5 * S);
        print_message("interactive, its path %s: worst message %.1f ms\n", what[how], (double)worst / 1e6);
        assert_int_equal(by_link(&n, 1, NULL), 1);
        assert_true(worst < (how == 2 ? 1000 : 500) * MS);
        net_deinit(&n);
    }
}

static void interactive_lets_the_other_go_when_all_is_well_again(void **state) {
    struct net n;
    (void)state;
    begin(&n, 10, 2, &path_manager_interactive);
    messages(&n, S);
    net_path_down(&n, 0);
    messages(&n, S);
    net_path_up(&n, 0);
    messages(&n, 20 * S);
    assert_int_equal(by_link(&n, 1, NULL), 1); /* not yet */
    messages(&n, 20 * S);
    assert_int_equal(by_link(&n, 0, NULL), 1);
    assert_int_equal(by_link(&n, 1, NULL), 0);
    /* That it was let go is nothing against it. */
    net_path_down(&n, 0);
    net_run(&n, S);
    assert_int_equal(by_link(&n, 1, NULL), 1);
    net_deinit(&n);
}

/* --- none: the program does it --- */

static void none_joins_nothing_but_what_the_program_says(void **state) {
    struct net n;
    uint64_t number = 0;
    (void)state;
    begin(&n, 11, 2, &path_manager_none);
    net_run(&n, 10 * S);
    struct braid_connection *c = n.host[CLIENT].c;
    assert_int_equal(n.host[CLIENT].counters.join_sent, 0);
    assert_int_equal(connection_subflow_open(c, &n.host[CLIENT].paths[1], NULL, 0, &number, n.now), CONNECTION_PATH_OK);
    net_run(&n, S);
    assert_int_equal(by_link(&n, 1, NULL), 1);
    assert_int_equal(number, 1);
    assert_false(connection_subflow_backup(c, 7, true, n.now));
    assert_true(connection_subflow_backup(c, number, true, n.now));
    net_run(&n, S);
    assert_true(is_backup(&n, 1));
    assert_int_equal(n.host[SERVER].counters.mp_prio_received, 1);
    assert_true(connection_subflow_close(c, 0, n.now)); /* the first one may go, too */
    net_run(&n, S);
    assert_int_equal(by_link(&n, 0, NULL), 0);
    assert_false(connection_subflow_close(c, number, n.now)); /* but not the last */
    n.host[CLIENT].app.to_send += 100000;
    assert_true(net_run_until(&n, both_received_all, 5 * S));
    net_deinit(&n);
}

static void the_program_is_told_why_not(void **state) {
    struct net n;
    uint64_t number;
    (void)state;
    net_init(&n, 12, 2);
    n.config[CLIENT].limits = (struct path_limits){.given = true, .subflows = 1};
    n.config[CLIENT].path_manager = &path_manager_none;
    net_connect(&n);
    struct braid_connection *c = n.host[CLIENT].c;
    struct local_path *path = &n.host[CLIENT].paths[1];
    assert_int_equal(connection_subflow_open(c, path, NULL, 0, &number, n.now), CONNECTION_PATH_NOT_NOW);
    n.host[CLIENT].app.to_send = n.host[SERVER].app.to_send = 100;
    net_run(&n, S);
    const uint8_t v6[16] = {0xfd, 1};
    struct ip_address other = ip_address_v6(v6);
    assert_int_equal(connection_subflow_open(c, path, &other, 80, &number, n.now), CONNECTION_PATH_UNUSABLE);
    assert_int_equal(connection_subflow_open(c, path, NULL, 0, &number, n.now), CONNECTION_PATH_OK);
    assert_int_equal(connection_subflow_open(c, path, NULL, 0, &number, n.now), CONNECTION_PATH_LIMIT);
    net_deinit(&n);
}

static void what_the_program_closed_is_not_opened_again(void **state) {
    struct net n;
    (void)state;
    begin(&n, 13, 2, &path_manager_fullmesh);
    assert_true(connection_subflow_close(n.host[CLIENT].c, 1, n.now));
    net_run(&n, 200 * S);
    assert_int_equal(by_link(&n, 1, NULL), 0);
    net_path_down(&n, 1);
    net_path_up(&n, 1);
    net_run(&n, S);
    assert_int_equal(by_link(&n, 1, NULL), 1); /* there was news of the path */
    net_deinit(&n);
}

/* RFC 6897 §5.3.1 */
static void an_address_taken_out_is_used_no_more_once_there_is_another(void **state) {
    struct net n;
    (void)state;
    begin(&n, 14, 2, &path_manager_interactive);
    const struct flow before = *connection_flow(n.host[CLIENT].c);
    n.host[SERVER].app.to_send = UINT64_C(1) << 40;
    net_run(&n, S);
    silence_start(&n.host[CLIENT]);
    connection_path_use(n.host[CLIENT].c, n.host[CLIENT].paths[0].address_id, false, n.now);
    net_run(&n, 5 * S);
    print_message("the only address in use taken out: silence %.1f ms\n", (double)n.host[CLIENT].app.silence_ns / 1e6);
    assert_true(n.host[CLIENT].app.silence_ns < 100 * MS);
    assert_int_equal(by_link(&n, 0, NULL), 0);
    assert_int_equal(by_link(&n, 1, NULL), 1);
    assert_true(flow_equal(&before, connection_flow(n.host[CLIENT].c))); /* §4: those of the first subflow */
    connection_path_use(n.host[CLIENT].c, n.host[CLIENT].paths[0].address_id, true, n.now);
    net_run(&n, 2 * S);
    assert_int_equal(by_link(&n, 0, NULL), 1);
    net_deinit(&n);
}

/* --- a path that keeps losing --- */

static uint64_t received_in(struct net *n, int reader, braid_time duration) {
    uint64_t before = n->host[reader].app.received;
    net_run(n, duration);
    return n->host[reader].app.received - before;
}

static void lossy(struct net *n, double loss) {
    n->wires[1].config[CLIENT].loss = n->wires[1].config[SERVER].loss = loss;
}

/* Beside a good path one of a quarter of its packets lost: what the good one alone delivers comes all the same, the bad one is
 * rebuilt less and less often, holds nothing, and serves again when it is good. */
static void a_path_that_keeps_losing_is_rebuilt_and_comes_back(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        uint64_t resets_of_all = 0;
        for (uint64_t seed = 1; seed <= 6; seed++) {
            struct net n;
            begin(&n, seed, 2, &path_manager_fullmesh);
            n.host[from].app.to_send = UINT64_C(1) << 40;
            net_run(&n, 3 * S);
            lossy(&n, 0.25);
            net_run(&n, 5 * S);
            double mbit = (double)received_in(&n, 1 - from, 60 * S) * 8 / 60e6;
            uint64_t resets = n.host[CLIENT].counters.subflow_losing + n.host[SERVER].counters.subflow_losing;
            uint64_t joins = n.host[CLIENT].counters.join_sent;
            print_message("a quarter of it lost, from %s: %.2f of 10 Mbit/s, %llu resets, %llu joins in 65 s\n",
                          from == CLIENT ? "client" : "server", mbit, (unsigned long long)resets,
                          (unsigned long long)joins);
            assert_true(mbit > 0.95 * 9.5);
            resets_of_all += resets + n.host[1 - from].counters.subflow_spared; /* or who receives has asked to spare it */
            assert_true(resets <= 10);
            assert_true(joins < 30);
            lossy(&n, 0);
            net_run(&n, 70 * S); /* it may have to wait for 64, and begins with a window of little */
            assert_int_equal(active_subflows(n.host[CLIENT].c), 2);
            assert_true(received_in(&n, 1 - from, 5 * S) * 8 > 5 * 17000000);
            net_deinit(&n);
        }
        assert_true(resets_of_all >= 6); /* or the joins fail, and it never gets that far */
    }
}

/* Alone, it is all there is. */
static void the_only_path_is_not_reset_for_its_losses(void **state) {
    struct net n;
    (void)state;
    begin(&n, 15, 1, &path_manager_fullmesh);
    n.wires[0].config[CLIENT].loss = n.wires[0].config[SERVER].loss = 0.3;
    n.host[CLIENT].app.to_send = 100000;
    assert_true(net_run_until(&n, both_received_all, 600 * S));
    assert_int_equal(n.host[CLIENT].counters.subflow_losing, 0);
    net_deinit(&n);
}

/* --- a backup: nothing while a regular path works, everything within one probe timeout when none does --- */

/* RFC 8985 §7.2: two round trips, and what the peer may delay its ACK; then the probe has as long as the path takes to
 * answer it (reinject.c). */
static braid_time within(braid_time rtt) { return 2 * rtt + rtt + 4 * (rtt / 8) + 10 * MS; }

static uint64_t backup_before;
static int backup_reader;
static bool backup_carries(struct net *n) { return n->host[1 - backup_reader].data_by_wire[1] > backup_before; }

static void a_backup_carries_nothing_and_then_everything(void **state) {
    (void)state;
    for (int from = 0; from < 2; from++) {
        for (int told = 0; told < 2; told++) {
            braid_time worst = 0;
            for (uint64_t seed = 1; seed <= 20; seed++) {
                struct net n;
                net_init(&n, seed, 2);
                n.check_every = 20;
                net_set_wire(&n, 0, 50, 30 * MS, 15 * MS, 0);
                net_set_wire(&n, 1, 20, 70 * MS, 100 * MS, 0);
                n.host[CLIENT].paths[1].backup = true;
                n.host[from].app.to_send = UINT64_C(1) << 40;
                if (from == SERVER) n.host[CLIENT].app.to_send = 200;
                net_connect(&n);
                net_run(&n, 2 * S + prng_below(&n.prng, 100 * MS));
                assert_int_equal(n.host[from].data_by_wire[1], 0);
                backup_before = 0;
                backup_reader = 1 - from;
                braid_time cut_at = n.now;
                if (told) net_path_down(&n, 0);
                else n.wires[0].cut = true;
                assert_true(net_run_until(&n, backup_carries, 5 * S));
                if (n.now - cut_at > worst) worst = n.now - cut_at;
                net_deinit(&n);
            }
            print_message("backup carries, from %s, path %s: after %.1f ms at worst of 20\n",
                          from == CLIENT ? "client" : "server", told ? "down" : "silent", (double)worst / 1e6);
            /* Told, the client needs no time, and the server's is half a round trip of the backup. */
            assert_true(worst <= (told ? (from == CLIENT ? MS : 35 * MS + MS) : within(45 * MS)));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found),
        cmocka_unit_test(fullmesh_joins_by_every_path),
        cmocka_unit_test(endpoint_flags_say_what_is_joined),
        cmocka_unit_test(limits_bound_subflows_and_accepted_addresses),
        cmocka_unit_test(of_backup_only_the_most_preferred_path_is_no_backup),
        cmocka_unit_test(of_backup_the_next_takes_over_and_gives_way_again),
        cmocka_unit_test(ndiffports_makes_as_many_over_one_pair),
        cmocka_unit_test(ndiffports_moves_to_another_pair_and_back),
        cmocka_unit_test(of_ndiffports_one_that_falls_silent_takes_no_other_along),
        cmocka_unit_test(interactive_has_one_path_while_it_is_good),
        cmocka_unit_test(interactive_joins_the_next_when_its_path_goes_or_falls_silent_or_slow),
        cmocka_unit_test(interactive_lets_the_other_go_when_all_is_well_again),
        cmocka_unit_test(none_joins_nothing_but_what_the_program_says),
        cmocka_unit_test(the_program_is_told_why_not),
        cmocka_unit_test(what_the_program_closed_is_not_opened_again),
        cmocka_unit_test(a_path_that_keeps_losing_is_rebuilt_and_comes_back),
        cmocka_unit_test(the_only_path_is_not_reset_for_its_losses),
        cmocka_unit_test(a_backup_carries_nothing_and_then_everything),
        cmocka_unit_test(an_address_taken_out_is_used_no_more_once_there_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
