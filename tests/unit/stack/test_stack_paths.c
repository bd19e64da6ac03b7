/* The calls by which a program chooses a path manager, or drives the paths of a connection itself (RFC 6897). */
#include "two_stacks.h"

static struct braid_connection *connect_by(struct world *w, const char *manager, const struct braid_path_limits *limits,
                                           struct braid_connection **accepted) {
    struct braid_connect_config config = {
        .remote = {server_address(), 80}, .multipath = true, .path_manager = manager, .path_limits = limits};
    enum braid_connect_error error;
    struct braid_event event;
    if (w->now == BRAID_NS_PER_S) assert_non_null(world_listen(w, 80, true, false));
    struct braid_connection *c = braid_stack_connect(w->stack[0], &config, w->now, &error);
    assert_non_null(c);
    assert_true(world_wait(w, 1, BRAID_EVENT_ACCEPTED, &event, BRAID_NS_PER_S));
    if (accepted) *accepted = event.connection;
    assert_int_equal(braid_connection_write(c, "hello", 5, w->now), 5);
    world_run(w, 2 * BRAID_NS_PER_S);
    return c;
}

static unsigned active(const struct braid_connection *c, int link) {
    struct braid_path_info info;
    unsigned count = 0;
    for (unsigned i = 0; braid_connection_path(c, i, &info); i++)
        count += info.status == BRAID_PATH_ACTIVE && (link < 0 || info.link == link);
    return count;
}

static void a_connection_has_the_path_manager_it_asked_for(void **state) {
    static const struct {
        const char *name;
        unsigned subflows;
    } managers[] = {{NULL, 3}, {"fullmesh", 3}, {"backup", 3}, {"ndiffports", 2}, {"interactive", 1}, {"none", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof(managers) / sizeof(managers[0]); i++) {
        struct world w;
        world_init(&w, 1, 3, NULL);
        assert_int_equal(active(connect_by(&w, managers[i].name, NULL, NULL), -1), managers[i].subflows);
        world_deinit(&w);
    }
}

static void a_stack_has_a_path_manager_and_limits_of_its_own(void **state) {
    const struct braid_path_limits limits = {.subflows = 4, .ndiffports = 4};
    const struct braid_stack_config config = {.path_manager = "ndiffports", .path_limits = &limits};
    struct world w;
    (void)state;
    world_init(&w, 2, 2, &config);
    assert_string_equal(braid_stack_config(w.stack[0])->path_manager, "ndiffports");
    assert_int_equal(active(connect_by(&w, NULL, NULL, NULL), 0), 4);
    const struct braid_path_limits other = {.subflows = 2, .ndiffports = 4};
    assert_int_equal(active(connect_by(&w, NULL, &other, NULL), 0), 3);
    world_deinit(&w);
}

static void what_does_not_exist_is_refused_by_name(void **state) {
    static const struct braid_path_limits bad[] = {{.subflows = BRAID_SUBFLOWS_MAX + 1},
                                                   {.add_addr_accepted = BRAID_ADD_ADDR_ACCEPTED_MAX + 1},
                                                   {.ndiffports = BRAID_NDIFFPORTS_MAX + 1}};
    struct world w;
    (void)state;
    world_init(&w, 3, 1, NULL);
    struct braid_connect_config connect = {.remote = {server_address(), 80}, .multipath = true, .path_manager = "mesh"};
    enum braid_connect_error error;
    assert_null(braid_stack_connect(w.stack[0], &connect, w.now, &error));
    assert_int_equal(error, BRAID_CONNECT_UNKNOWN_PATH_MANAGER);
    assert_null(braid_stack_create(&w.env[0], &(struct braid_stack_config){.path_manager = "mesh"}));
    connect.path_manager = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        connect.path_limits = &bad[i];
        assert_null(braid_stack_connect(w.stack[0], &connect, w.now, &error));
        assert_int_equal(error, BRAID_CONNECT_BAD_LIMITS);
        assert_null(braid_stack_create(&w.env[0], &(struct braid_stack_config){.path_limits = &bad[i]}));
    }
    assert_string_equal(braid_path_manager_name(0), "fullmesh");
    world_deinit(&w);
}

static void endpoints_have_the_flags_of_ip_mptcp(void **state) {
    struct world w;
    struct braid_address first = client_address(0), second = client_address(1), third = client_address(2);
    (void)state;
    world_init(&w, 4, 3, NULL);
    assert_true(braid_stack_endpoint_add(w.stack[0], 1, &second, 0, w.now));
    assert_true(braid_stack_endpoint_add(w.stack[0], 2, &third, BRAID_ENDPOINT_SUBFLOW | BRAID_ENDPOINT_BACKUP, w.now));
    assert_false(braid_stack_endpoint_add(w.stack[0], 0, &first, BRAID_ENDPOINT_FULLMESH, w.now));
    assert_false(braid_stack_endpoint_add(w.stack[0], 0, &first, 16, w.now));
    assert_false(braid_stack_endpoint_add(w.stack[0], 9, &first, BRAID_ENDPOINT_SUBFLOW, w.now));
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    struct braid_path_info info;
    assert_int_equal(active(c, 1), 0);
    assert_int_equal(active(c, 2), 1);
    assert_true(braid_connection_path(c, 1, &info));
    assert_true(info.backup);
    world_deinit(&w);
}

/* --- flags and terms that change while connections live --- */

static void an_address_flagged_signal_later_is_announced_to_connections_that_live(void **state) {
    struct world w;
    struct braid_address second = address_of(4, 9, 2);
    const struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true};
    (void)state;
    world_init(&w, 21, 1, NULL);
    assert_int_equal(braid_stack_link_add(w.stack[1], &link), 1);
    assert_true(braid_stack_endpoint_add(w.stack[1], 1, &second, BRAID_ENDPOINT_SUBFLOW, w.now));
    connect_by(&w, NULL, NULL, NULL);
    assert_int_equal(world_counter(&w, 1, "mptcp_add_addr_sent"), 0);
    unsigned flags = BRAID_ENDPOINT_SUBFLOW | BRAID_ENDPOINT_SIGNAL;
    assert_true(braid_stack_endpoint_add(w.stack[1], 1, &second, flags, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(world_counter(&w, 0, "mptcp_add_addr_received"), 1);
    assert_true(braid_stack_endpoint_add(w.stack[1], 1, &second, flags, w.now)); /* which is no news */
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(world_counter(&w, 0, "mptcp_add_addr_received"), 1);
    world_deinit(&w);
}

static void an_address_flagged_subflow_later_is_joined_by_connections_that_live(void **state) {
    struct world w;
    struct braid_address second = client_address(1);
    (void)state;
    world_init(&w, 22, 2, NULL);
    assert_true(braid_stack_endpoint_add(w.stack[0], 1, &second, 0, w.now));
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    assert_int_equal(active(c, 1), 0);
    assert_true(braid_stack_endpoint_add(w.stack[0], 1, &second, BRAID_ENDPOINT_SUBFLOW, w.now));
    world_run(&w, 500 * BRAID_NS_PER_MS);
    assert_int_equal(active(c, 1), 1);
    world_deinit(&w);
}

static void an_address_flagged_fullmesh_later_is_joined_to_what_the_peer_announced(void **state) {
    struct world w;
    struct braid_address second = client_address(1), further = address_of(4, 9, 2);
    const struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true};
    (void)state;
    world_init(&w, 23, 2, NULL);
    assert_int_equal(braid_stack_link_add(w.stack[1], &link), 1);
    assert_true(braid_stack_endpoint_add(w.stack[1], 1, &further, BRAID_ENDPOINT_SIGNAL, w.now));
    assert_true(braid_stack_endpoint_add(w.stack[0], 1, &second, BRAID_ENDPOINT_SUBFLOW, w.now));
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    assert_int_equal(active(c, 1), 1);
    uint64_t joins = world_counter(&w, 0, "mptcp_join_sent");
    assert_true(braid_stack_endpoint_add(w.stack[0], 1, &second, BRAID_ENDPOINT_SUBFLOW | BRAID_ENDPOINT_FULLMESH, w.now));
    world_run(&w, 500 * BRAID_NS_PER_MS);
    assert_int_equal(world_counter(&w, 0, "mptcp_join_sent"), joins + 1);
    world_deinit(&w);
}

static bool backup_at(const struct braid_connection *c, int link) {
    struct braid_path_info info;
    for (unsigned i = 0; braid_connection_path(c, i, &info); i++)
        if (info.link == link) return info.backup;
    fail_msg("no subflow by link %d", link);
    return false;
}

static void a_price_that_is_set_later_is_told_to_the_peer(void **state) {
    const struct braid_stack_config config = {.scheduler = "cost-aware"};
    struct braid_connection *accepted;
    struct braid_path_info info;
    struct world w;
    (void)state;
    world_init(&w, 24, 2, &config);
    struct braid_connection *c = connect_by(&w, NULL, NULL, &accepted);
    assert_false(backup_at(c, 1));
    assert_true(braid_stack_link_terms(w.stack[0], 1, &(struct braid_link_terms){.metered = true}, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_true(backup_at(c, 1));
    assert_true(braid_connection_path(accepted, 1, &info));
    assert_true(info.backup);
    assert_int_equal(world_counter(&w, 1, "mptcp_mp_prio_received"), 1);
    assert_true(braid_stack_link_terms(w.stack[0], 1, &(struct braid_link_terms){0}, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_true(braid_connection_path(accepted, 1, &info));
    assert_false(info.backup);
    world_deinit(&w);
}

/* Under another scheduler it is the host's affair alone. */
static void a_price_moves_no_path_of_a_scheduler_that_does_not_mind(void **state) {
    struct world w;
    (void)state;
    world_init(&w, 25, 2, NULL);
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    assert_true(braid_stack_link_terms(w.stack[0], 1, &(struct braid_link_terms){.metered = true}, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_false(backup_at(c, 1));
    assert_int_equal(world_counter(&w, 0, "mptcp_mp_prio_sent"), 0);
    world_deinit(&w);
}

static uint64_t sent_by(const struct braid_connection *c, int link) {
    struct braid_path_info info;
    uint64_t bytes = 0;
    for (unsigned i = 0; braid_connection_path(c, i, &info); i++)
        if (info.link == link) bytes += info.bytes_sent;
    return bytes;
}

static void a_links_weight_is_its_turns_from_then_on(void **state) {
    const struct braid_stack_config config = {.scheduler = "round-robin"};
    struct world w;
    (void)state;
    world_init(&w, 29, 2, &config);
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    assert_true(braid_stack_link_terms(w.stack[0], 1, &(struct braid_link_terms){.weight = 3}, w.now));
    uint64_t light = sent_by(c, 0), heavy = sent_by(c, 1);
    for (int i = 0; i < 80; i++) {
        char message[1000] = "";
        assert_int_equal(braid_connection_write(c, message, sizeof(message), w.now), sizeof(message));
        world_run(&w, 200 * BRAID_NS_PER_MS);
    }
    light = sent_by(c, 0) - light;
    heavy = sent_by(c, 1) - heavy;
    assert_int_equal(light + heavy, 80 * 1000);
    assert_true(heavy > light * 26 / 10 && heavy < light * 34 / 10);
    world_deinit(&w);
}

static void a_connection_begins_where_it_costs_nothing(void **state) {
    struct braid_endpoint local, remote;
    struct world w;
    (void)state;
    world_init(&w, 26, 2, NULL);
    assert_true(braid_stack_link_terms(w.stack[0], 0, &(struct braid_link_terms){.metered = true}, w.now));
    braid_connection_endpoints(connect_by(&w, NULL, NULL, NULL), &local, &remote);
    struct braid_address second = client_address(1);
    assert_memory_equal(&local.address, &second, sizeof(second));
    world_deinit(&w);
}

static void a_link_counts_for_all_its_addresses_and_for_others(void **state) {
    struct world w;
    struct braid_address first = client_address(0), other = address_of(4, 1, 3);
    (void)state;
    world_init(&w, 27, 1, NULL);
    connect_by(&w, NULL, NULL, NULL);
    uint64_t used = braid_stack_link_used(w.stack[0], 0);
    assert_true(used > 300); /* both ways: handshake, data and its ACK */
    braid_stack_address_remove(w.stack[0], 0, &first, w.now);
    assert_true(braid_stack_address_add(w.stack[0], 0, &other, false, false, w.now));
    assert_true(braid_stack_link_used(w.stack[0], 0) >= used);
    used = braid_stack_link_used(w.stack[0], 0);
    braid_stack_link_count(w.stack[0], 0, 1000000);
    assert_int_equal(braid_stack_link_used(w.stack[0], 0), used + 1000000);
    assert_int_equal(braid_stack_link_used(w.stack[0], 9), 0);
    assert_false(braid_stack_link_terms(w.stack[0], 9, &(struct braid_link_terms){0}, w.now));
    assert_false(braid_stack_link_used_up(w.stack[0], 0));
    assert_true(braid_stack_link_terms(w.stack[0], 0, &(struct braid_link_terms){.cap_bytes = 1000000}, w.now));
    assert_true(braid_stack_link_used_up(w.stack[0], 0));
    world_deinit(&w);
}

/* Nothing new begins by it, and beyond the cap itself nothing is said at all. */
static void by_a_link_that_is_used_up_nothing_begins(void **state) {
    struct braid_connect_config config = {.remote = {server_address(), 80}, .multipath = true};
    enum braid_connect_error error;
    struct world w;
    (void)state;
    world_init(&w, 28, 1, NULL);
    assert_non_null(world_listen(&w, 80, true, false));
    struct braid_connection *before = braid_stack_connect(w.stack[0], &config, w.now, &error);
    assert_true(braid_stack_link_terms(w.stack[1], 0, &(struct braid_link_terms){.cap_bytes = 200000}, w.now));
    braid_stack_link_count(w.stack[1], 0, 190000);
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(world_counter(&w, 1, "cap_syn_refused"), 1);
    assert_int_equal(braid_connection_close_reason(before), BRAID_CLOSED_REFUSED);
    assert_non_null(braid_stack_connect(w.stack[0], &config, w.now, &error));
    braid_stack_link_count(w.stack[1], 0, 10000);
    uint64_t sent = w.packets[1];
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(w.packets[1], sent);
    assert_true(world_counter(&w, 1, "cap_not_sent") > 0);
    world_deinit(&w);
}

static void a_program_drives_the_paths_itself(void **state) {
    struct world w;
    struct braid_address second = client_address(1), unknown = client_address(3);
    struct braid_connection *accepted;
    struct braid_endpoint local, remote, local_then, remote_then;
    struct braid_path_info info;
    uint64_t number;
    (void)state;
    world_init(&w, 5, 2, NULL);
    struct braid_connection *c = connect_by(&w, "none", NULL, &accepted);
    braid_connection_endpoints(c, &local, &remote);
    assert_int_equal(braid_connection_path_add(c, 1, &unknown, NULL, false, &number, w.now), BRAID_PATH_NO_ADDRESS);
    assert_int_equal(braid_connection_path_add(c, 1, &second, &remote, true, &number, w.now), BRAID_PATH_OK);
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(c, 1), 1);
    assert_true(braid_connection_path(accepted, 1, &info));
    assert_true(info.backup); /* the join said so */
    assert_true(braid_connection_path_set_backup(c, number, false, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_true(braid_connection_path(accepted, 1, &info));
    assert_false(info.backup);
    assert_true(braid_connection_path_remove(c, 0, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(c, 0), 0);
    assert_int_equal(braid_connection_write(c, "again", 5, w.now), 5);
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(braid_connection_readable(accepted), 10);
    /* RFC 6897 §4: whatever became of it, the first subflow's addresses are the connection's. */
    braid_connection_endpoints(c, &local_then, &remote_then);
    assert_memory_equal(&local.address, &local_then.address, sizeof(local.address));
    assert_memory_equal(&remote.address, &remote_then.address, sizeof(remote.address));
    assert_int_equal(local.port, local_then.port);
    assert_int_equal(remote.port, remote_then.port);
    world_deinit(&w);
}

static void an_address_is_taken_out_of_one_connection_only(void **state) {
    struct world w;
    struct braid_address first = client_address(0), unknown = client_address(3);
    (void)state;
    world_init(&w, 6, 2, NULL);
    struct braid_connection *one = connect_by(&w, NULL, NULL, NULL), *other = connect_by(&w, NULL, NULL, NULL);
    assert_false(braid_connection_address_use(one, 0, &unknown, false, w.now));
    assert_true(braid_connection_address_use(one, 0, &first, false, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(one, 0), 0);
    assert_int_equal(active(other, 0), 1);
    assert_true(braid_connection_address_use(one, 0, &first, true, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(one, 0), 1);
    world_deinit(&w);
}

/* RFC 6897 §5.2: an application binds to an address, and the first subflow goes from there. */
static void the_first_subflow_goes_from_where_it_is_bound(void **state) {
    struct world w;
    struct braid_endpoint local, remote;
    enum braid_connect_error error;
    (void)state;
    world_init(&w, 7, 2, NULL);
    assert_non_null(world_listen(&w, 80, true, false));
    struct braid_connect_config config = {
        .remote = {server_address(), 80}, .local = client_address(1), .local_port = 40001, .multipath = true};
    struct braid_connection *c = braid_stack_connect(w.stack[0], &config, w.now, &error);
    world_run(&w, BRAID_NS_PER_S);
    braid_connection_endpoints(c, &local, &remote);
    assert_memory_equal(&local.address, &config.local, sizeof(config.local));
    assert_int_equal(local.port, 40001);
    world_deinit(&w);
}

/* RFC 6897 §5.3.2, §5.3.3: bound to an address, a connection uses no other, until it is told to. */
static void a_bound_connection_uses_the_addresses_it_was_given(void **state) {
    struct world w;
    struct braid_address third = client_address(2);
    enum braid_connect_error error;
    (void)state;
    for (unsigned bound_to = 0; bound_to < 2; bound_to++) { /* an address that was named, or the best one */
        world_init(&w, 10, 3, NULL);
        assert_non_null(world_listen(&w, 80, true, false));
        struct braid_connect_config config = {.remote = {server_address(), 80}, .multipath = true, .bound = true};
        if (bound_to == 1) config.local = client_address(1);
        struct braid_connection *c = braid_stack_connect(w.stack[0], &config, w.now, &error);
        assert_int_equal(braid_connection_write(c, "hello", 5, w.now), 5);
        world_run(&w, 2 * BRAID_NS_PER_S);
        assert_int_equal(active(c, -1), 1);
        assert_int_equal(active(c, (int)bound_to), 1);
        assert_true(braid_connection_address_use(c, 2, &third, true, w.now));
        world_run(&w, 2 * BRAID_NS_PER_S);
        assert_int_equal(active(c, -1), 2);
        assert_int_equal(active(c, 2), 1);
        world_deinit(&w);
    }
}

static void a_bound_connection_is_not_raced(void **state) {
    struct world w;
    struct braid_event event;
    enum braid_connect_error error;
    (void)state;
    world_init(&w, 11, 2, NULL);
    assert_non_null(world_listen(&w, 80, true, false));
    w.cut[0] = true;
    struct braid_connect_config config = {.remote = {server_address(), 80}, .multipath = true, .bound = true};
    assert_non_null(braid_stack_connect(w.stack[0], &config, w.now, &error));
    assert_false(world_wait(&w, 0, BRAID_EVENT_CONNECTED, &event, 10 * BRAID_NS_PER_S));
    world_deinit(&w);
}

/* RFC 6897 §5.3.3: "close any corresponding subflows and signal the removal of the address to the peer". */
static void the_peer_is_told_of_an_address_that_is_taken_out(void **state) {
    struct world w;
    struct braid_address second = client_address(1);
    (void)state;
    world_init(&w, 12, 2, NULL);
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    assert_int_equal(active(c, -1), 2);
    assert_int_equal(world_counter(&w, 1, "mptcp_remove_addr_received"), 0);
    assert_true(braid_connection_address_use(c, 1, &second, false, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(c, 1), 0);
    assert_true(world_counter(&w, 1, "mptcp_remove_addr_received") > 0);
    assert_true(braid_connection_address_use(c, 1, &second, true, w.now));
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(c, 1), 1);
    world_deinit(&w);
}

/* --- the other end joins --- */

/* Any port: a join is known by its token. */
static struct braid_endpoint client_end(int wire) { return (struct braid_endpoint){client_address(wire), 5555}; }

static void a_server_joins_as_its_program_says(void **state) {
    static const enum braid_versions versions[] = {BRAID_VERSION_1, BRAID_VERSION_0};
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        struct braid_address here = server_address(), second = client_address(1);
        struct braid_endpoint there = client_end(1);
        struct braid_connection *accepted;
        uint64_t number;
        world_init(&w, 20 + i, 2, &(struct braid_stack_config){.versions = versions[i], .path_manager = "none"});
        struct braid_connection *c = connect_by(&w, NULL, NULL, &accepted);
        assert_int_equal(braid_connection_path_add(accepted, 0, &second, &there, false, &number, w.now), BRAID_PATH_NO_ADDRESS);
        assert_int_equal(braid_connection_path_add(accepted, 0, &here, &there, false, &number, w.now), BRAID_PATH_OK);
        world_run(&w, BRAID_NS_PER_S);
        assert_int_equal(active(c, 1), 1);
        assert_int_equal(world_counter(&w, 0, "mptcp_join_received"), 1);
        braid_stack_address_remove(w.stack[0], 0, &(struct braid_address){.family = 4, .bytes = {10, 1, 0, 2}}, w.now);
        assert_int_equal(braid_connection_write(c, "up", 2, w.now), 2);
        assert_int_equal(braid_connection_write(accepted, "down", 4, w.now), 4);
        world_run(&w, BRAID_NS_PER_S);
        assert_int_equal(braid_connection_readable(accepted), 7);
        assert_int_equal(braid_connection_readable(c), 4);
        world_deinit(&w);
    }
}

static void address_of_the_client(struct world *w, int wire, unsigned flags) {
    struct braid_address address = client_address(wire);
    assert_true(braid_stack_endpoint_add(w->stack[0], wire, &address, flags, w->now));
}

static void a_server_that_is_told_to_joins_to_what_a_client_announces(void **state) {
    (void)state;
    for (unsigned told = 0; told < 2; told++) {
        struct world w;
        struct braid_address second = client_address(1);
        world_init(&w, 22, 2, &(struct braid_stack_config){.join_to_clients = told});
        address_of_the_client(&w, 1, BRAID_ENDPOINT_SIGNAL);
        struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
        assert_int_equal(world_counter(&w, 0, "mptcp_add_addr_sent"), 1);
        assert_int_equal(world_counter(&w, 1, "mptcp_join_sent"), told);
        assert_int_equal(active(c, 1), told);
        braid_stack_address_remove(w.stack[0], 1, &second, w.now);
        world_run(&w, 5 * BRAID_NS_PER_S);
        assert_int_equal(active(c, 1), 0);
        address_of_the_client(&w, 1, BRAID_ENDPOINT_SIGNAL);
        world_run(&w, 5 * BRAID_NS_PER_S);
        assert_int_equal(active(c, 1), told);
        assert_int_equal(world_counter(&w, 0, "mptcp_join_sent"), 0);
        world_deinit(&w);
    }
}

/* [R-3.9.2-1] The client joins at once, and the server waits and looks. */
static void of_two_addresses_that_both_ends_may_join_comes_one_subflow(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world w;
        world_init(&w, seed, 3, &(struct braid_stack_config){.join_to_clients = true});
        for (int wire = 1; wire < 3; wire++) {
            w.delay[wire] = (braid_time)(1 + seed * 6) * BRAID_NS_PER_MS;
            address_of_the_client(&w, wire, BRAID_ENDPOINT_SIGNAL | BRAID_ENDPOINT_SUBFLOW);
        }
        struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
        world_run(&w, 60 * BRAID_NS_PER_S);
        for (int wire = 0; wire < 3; wire++) assert_int_equal(active(c, wire), 1);
        assert_int_equal(world_counter(&w, 1, "mptcp_join_sent"), 0);
        world_deinit(&w);
    }
}

/* Whoever opened it. */
static void what_the_client_s_program_closed_the_client_does_not_open_again(void **state) {
    struct world w;
    struct braid_connection *accepted;
    struct braid_endpoint there = client_end(1);
    struct braid_address here = server_address();
    uint64_t number;
    (void)state;
    world_init(&w, 23, 2, NULL);
    address_of_the_client(&w, 1, 0);
    struct braid_connection *c = connect_by(&w, NULL, NULL, &accepted);
    assert_int_equal(braid_connection_path_add(accepted, 0, &here, &there, false, &number, w.now), BRAID_PATH_OK);
    world_run(&w, BRAID_NS_PER_S);
    struct braid_path_info info;
    assert_true(braid_connection_path(c, 1, &info));
    address_of_the_client(&w, 1, BRAID_ENDPOINT_SUBFLOW);
    assert_true(braid_connection_path_remove(c, info.number, w.now));
    world_run(&w, 200 * BRAID_NS_PER_S);
    assert_int_equal(active(c, -1), 1);
    assert_int_equal(world_counter(&w, 0, "mptcp_join_sent"), 0);
    world_deinit(&w);
}

/* --- address IDs --- */

enum { NETWORKS = 400 };
static uint8_t id_seen[256]; /* by the last byte of the address: the ID it was joined by; 0: not yet */
static unsigned joins_seen;
static bool note_ids(struct world *w, int from, int wire, uint8_t *bytes, uint32_t *length) {
    (void)w;
    (void)wire;
    const uint8_t *tcp = bytes + 20, *end = tcp + (tcp[12] >> 4) * 4;
    if (from != 0 || (tcp[13] & 0x12) != 0x02 || *length < 40) return true;
    for (const uint8_t *option = tcp + 20; option < end && *option != 0; option += *option == 1 ? 1 : option[1]) {
        if (option[0] != 30 || option[2] >> 4 != 1) continue;
        assert_true(option[3] != 0); /* the first subflow's */
        for (unsigned i = 0; i < 256; i++) assert_true(i == bytes[15] || id_seen[i] != option[3]);
        id_seen[bytes[15]] = option[3];
        joins_seen++;
    }
    return true;
}

/* [R-3.4.1-2] A connection that outlives many networks: IDs of those before are used again as late as can be, and 0 never. */
static void an_address_id_stands_for_one_address(void **state) {
    struct world w;
    struct braid_address first = client_address(0), second = client_address(1), last = {0};
    (void)state;
    world_init(&w, 24, 2, NULL);
    struct braid_connection *c = connect_by(&w, NULL, NULL, NULL);
    memset(id_seen, 0, sizeof(id_seen));
    joins_seen = 0;
    w.spoil = note_ids;
    braid_stack_address_remove(w.stack[0], 0, &first, w.now);
    for (unsigned i = 0; i < NETWORKS; i++) {
        struct braid_address address = second;
        address.bytes[3] = (uint8_t)(10 + i % 180); /* no more than the IDs that are left to them */
        if (i % 180 == 0) memset(id_seen, 0, sizeof(id_seen));
        assert_true(braid_stack_address_add(w.stack[0], 1, &address, false, false, w.now));
        if (i > 0) braid_stack_address_remove(w.stack[0], 1, &last, w.now);
        last = address;
        world_run(&w, BRAID_NS_PER_S);
        assert_true(active(c, 1) >= 1);
    }
    assert_true(joins_seen >= NETWORKS);
    world_deinit(&w);
}

/* At the server: what is accepted tells of no other address, and takes no joins there; then of one. */
static void a_bound_listener_tells_of_no_other_address(void **state) {
    struct world w;
    struct braid_address other = address_of(4, 9, 7);
    struct braid_event event;
    enum braid_connect_error error;
    (void)state;
    world_init(&w, 13, 1, NULL);
    assert_true(braid_stack_address_add(w.stack[1], 0, &other, false, true, w.now));
    struct braid_listen_config listen = {
        .link = -1, .local = {server_address(), 80}, .bound = true, .multipath = true};
    assert_non_null(braid_stack_listen(w.stack[1], &listen));
    struct braid_connect_config config = {.remote = {server_address(), 80}, .multipath = true};
    struct braid_connection *c = braid_stack_connect(w.stack[0], &config, w.now, &error);
    assert_int_equal(braid_connection_write(c, "hello", 5, w.now), 5);
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, BRAID_NS_PER_S));
    struct braid_endpoint there = {other, 80};
    struct braid_address here = client_address(0);
    uint64_t number;
    world_run(&w, 2 * BRAID_NS_PER_S);
    assert_int_equal(active(c, -1), 1);
    assert_int_equal(world_counter(&w, 1, "mptcp_add_addr_sent"), 0);
    assert_int_equal(braid_connection_path_add(c, 0, &here, &there, false, &number, w.now), BRAID_PATH_OK);
    world_run(&w, BRAID_NS_PER_S);
    assert_int_equal(active(c, -1), 1);
    assert_true(braid_connection_address_use(event.connection, 0, &other, true, w.now));
    world_run(&w, 2 * BRAID_NS_PER_S);
    assert_true(world_counter(&w, 1, "mptcp_add_addr_sent") > 0);
    assert_int_equal(active(c, -1), 2);
    assert_true(braid_connection_address_use(event.connection, 0, &other, false, w.now));
    world_run(&w, 2 * BRAID_NS_PER_S);
    assert_int_equal(active(c, -1), 1);
    assert_int_equal(active(event.connection, -1), 1);
    world_deinit(&w);
}

/* RFC 6897 §5.3.5 */
static void every_connection_has_a_number_of_its_own(void **state) {
    struct world w;
    uint64_t numbers[20];
    (void)state;
    world_init(&w, 14, 1, NULL);
    assert_non_null(world_listen(&w, 80, true, false));
    for (unsigned i = 0; i < 20; i++) {
        struct braid_connection_info info;
        braid_connection_info(world_connect(&w, 80, i % 2 == 0), &info);
        numbers[i] = info.number;
        for (unsigned k = 0; k < i; k++) assert_true(numbers[k] != numbers[i]);
    }
    world_deinit(&w);
}

/* RFC 6897 §5.1: Multipath TCP is switched on and off by connection, and by listener. */
static void multipath_is_switched_for_each_connection(void **state) {
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct world w;
        struct braid_connection_info info;
        bool client = i & 1, server = i & 2;
        world_init(&w, 8, 2, NULL);
        assert_non_null(world_listen(&w, 80, server, false));
        struct braid_connection *c = world_connect(&w, 80, client);
        world_run(&w, BRAID_NS_PER_S);
        braid_connection_info(c, &info);
        assert_true(info.established);
        assert_int_equal(info.multipath, client && server);
        assert_int_equal(info.fallback, client && !server);
        world_deinit(&w);
    }
}

/* --- the first SYN, raced over paths --- */

static unsigned loss_percent;
static struct prng loss;
static bool lose(struct world *w, int from, int wire, uint8_t *bytes, uint32_t *length) {
    (void)w, (void)from, (void)wire, (void)bytes, (void)length;
    return prng_below(&loss, 100) >= loss_percent;
}

/* Whatever is lost: it comes to be, by one path or the other, and once the losses end the server has one connection. */
static void a_race_leaves_one_connection(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world w;
        struct braid_event event;
        world_init(&w, seed, 3, NULL);
        prng_seed(&loss, seed);
        loss_percent = 50;
        w.spoil = lose;
        assert_non_null(world_listen(&w, 80, true, false));
        struct braid_connection *c = world_connect(&w, 80, true);
        bool up = world_wait(&w, 0, BRAID_EVENT_CONNECTED, &event, 60 * BRAID_NS_PER_S);
        if (!up) fail_msg("seed %llu: not established", (unsigned long long)seed);
        loss_percent = 0;
        braid_connection_write(c, "hello", 5, w.now);
        world_run(&w, 100 * BRAID_NS_PER_S);
        if (braid_stack_connections(w.stack[1]) != 1 || active(c, -1) < 1)
            fail_msg("seed %llu: %u connections, %u active", (unsigned long long)seed,
                     braid_stack_connections(w.stack[1]), active(c, -1));
        world_deinit(&w);
    }
}

static void a_dead_path_keeps_no_connection_from_being_born(void **state) {
    struct world w;
    struct braid_event event;
    struct braid_endpoint local, remote;
    struct braid_address second = client_address(1);
    (void)state;
    world_init(&w, 9, 2, NULL);
    assert_non_null(world_listen(&w, 80, true, false));
    w.cut[0] = true;
    braid_time before = w.now;
    struct braid_connection *c = world_connect(&w, 80, true);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CONNECTED, &event, BRAID_NS_PER_S));
    assert_int_equal(w.now - before, 370 * BRAID_NS_PER_MS);
    braid_connection_endpoints(c, &local, &remote);
    assert_memory_equal(&local.address, &second, sizeof(second));
    world_deinit(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_has_the_path_manager_it_asked_for),
        cmocka_unit_test(a_stack_has_a_path_manager_and_limits_of_its_own),
        cmocka_unit_test(what_does_not_exist_is_refused_by_name),
        cmocka_unit_test(endpoints_have_the_flags_of_ip_mptcp),
        cmocka_unit_test(a_server_joins_as_its_program_says),
        cmocka_unit_test(a_server_that_is_told_to_joins_to_what_a_client_announces),
        cmocka_unit_test(of_two_addresses_that_both_ends_may_join_comes_one_subflow),
        cmocka_unit_test(what_the_client_s_program_closed_the_client_does_not_open_again),
        cmocka_unit_test(an_address_id_stands_for_one_address),
        cmocka_unit_test(an_address_flagged_signal_later_is_announced_to_connections_that_live),
        cmocka_unit_test(an_address_flagged_subflow_later_is_joined_by_connections_that_live),
        cmocka_unit_test(an_address_flagged_fullmesh_later_is_joined_to_what_the_peer_announced),
        cmocka_unit_test(a_price_that_is_set_later_is_told_to_the_peer),
        cmocka_unit_test(a_price_moves_no_path_of_a_scheduler_that_does_not_mind),
        cmocka_unit_test(a_links_weight_is_its_turns_from_then_on),
        cmocka_unit_test(a_connection_begins_where_it_costs_nothing),
        cmocka_unit_test(a_link_counts_for_all_its_addresses_and_for_others),
        cmocka_unit_test(by_a_link_that_is_used_up_nothing_begins),
        cmocka_unit_test(a_program_drives_the_paths_itself),
        cmocka_unit_test(an_address_is_taken_out_of_one_connection_only),
        cmocka_unit_test(the_first_subflow_goes_from_where_it_is_bound),
        cmocka_unit_test(a_bound_connection_uses_the_addresses_it_was_given),
        cmocka_unit_test(a_bound_connection_is_not_raced),
        cmocka_unit_test(the_peer_is_told_of_an_address_that_is_taken_out),
        cmocka_unit_test(a_bound_listener_tells_of_no_other_address),
        cmocka_unit_test(every_connection_has_a_number_of_its_own),
        cmocka_unit_test(a_race_leaves_one_connection),
        cmocka_unit_test(a_dead_path_keeps_no_connection_from_being_born),
        cmocka_unit_test(multipath_is_switched_for_each_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
