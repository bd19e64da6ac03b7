/* The calls of the public face that the other tests have no need of. */
#include "two_stacks.h"
#include <base/buf.h>

#define S BRAID_NS_PER_S
#define MS BRAID_NS_PER_MS

static struct braid_connection *connected(struct world *w, bool multipath, struct braid_connection **server) {
    struct braid_event event;
    world_listen(w, 80, multipath, false);
    struct braid_connection *c = world_connect(w, 80, multipath);
    assert_true(world_wait(w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    *server = event.connection;
    return c;
}

static void slices_are_written_by_reference_until_there_is_no_room(void **state) {
    (void)state;
    struct world w;
    struct braid_connection *s;
    static const uint8_t bytes[1000] = {1, 2, 3};
    uint8_t in[1000];
    world_init(&w, 1, 1, &(struct braid_stack_config){.send_buffer_bytes = 5000});
    struct braid_connection *c = connected(&w, true, &s);
    assert_int_equal(braid_connection_write_room(c), 5000);
    unsigned taken = 0;
    for (;; taken++) {
        struct braid_slice slice = slice_copy(&w.env[0], bytes, sizeof(bytes));
        if (braid_connection_write_slice(c, slice, w.now)) continue;
        slice_release(&slice); /* ours still */
        break;
    }
    assert_int_equal(taken, 5);
    assert_int_equal(braid_connection_write_room(c), 0);
    world_run(&w, S);
    assert_int_equal(braid_connection_write_room(c), 5000);
    assert_int_equal(braid_connection_readable(s), 5000);
    for (unsigned i = 0; i < taken; i++) {
        assert_int_equal(braid_connection_read(s, in, sizeof(in), w.now), sizeof(in));
        assert_memory_equal(in, bytes, sizeof(in));
    }
    world_deinit(&w);
}

static void a_call_that_moves_nothing_leaves_the_stack_at_rest(void **state) {
    (void)state;
    struct world w;
    struct braid_connection *s;
    static uint8_t bytes[6000];
    world_init(&w, 1, 1, &(struct braid_stack_config){.send_buffer_bytes = 5000, .receive_buffer_max_bytes = 5000});
    struct braid_connection *c = connected(&w, true, &s);
    assert_int_equal(braid_connection_write(c, bytes, sizeof(bytes), w.now), 5000);
    world_run(&w, S);
    assert_int_equal(braid_connection_write(c, bytes, sizeof(bytes), w.now), 5000); /* the server does not read: it stays */
    world_run(&w, S);
    assert_true(braid_stack_deadline(w.stack[0]) > w.now);
    assert_int_equal(braid_connection_write(c, bytes, 1, w.now), 0);
    struct braid_slice slice = slice_copy(&w.env[0], bytes, 1);
    assert_false(braid_connection_write_slice(c, slice, w.now));
    slice_release(&slice);
    assert_int_equal(braid_connection_read(c, bytes, 1, w.now), 0);
    assert_int_equal(braid_connection_read_slice(c, w.now).length, 0);
    assert_true(braid_stack_deadline(w.stack[0]) > w.now);
    world_deinit(&w);
}

static void what_was_tuned_can_be_asked_for(void **state) {
    (void)state;
    struct world w;
    struct braid_connection *s;
    struct braid_tuning in = {.no_delay = true, .cork = false, .user_timeout_ns = 5 * S, .keepalive_idle_ns = 10 * S,
                              .keepalive_interval_ns = 2 * S, .keepalive_probes = 3},
                        out;
    world_init(&w, 2, 1, NULL);
    struct braid_connection *c = connected(&w, false, &s);
    braid_connection_tune(c, &in, w.now);
    braid_connection_tuning(c, &out);
    assert_int_equal(out.no_delay, in.no_delay);
    assert_int_equal(out.cork, in.cork);
    assert_int_equal(out.user_timeout_ns, in.user_timeout_ns);
    assert_int_equal(out.keepalive_idle_ns, in.keepalive_idle_ns);
    assert_int_equal(out.keepalive_interval_ns, in.keepalive_interval_ns);
    assert_int_equal(out.keepalive_probes, in.keepalive_probes);
    world_deinit(&w);
}

static uint32_t longest;
static bool measure(struct world *w, int from, int wire, uint8_t *bytes, uint32_t *length) {
    (void)w;
    (void)wire;
    (void)bytes;
    if (from == 0 && *length > longest) longest = *length;
    return true;
}

static void a_smaller_mtu_counts_from_the_next_packet_on(void **state) {
    (void)state;
    struct world w;
    struct braid_connection *s;
    static uint8_t bytes[20000];
    for (int multipath = 0; multipath < 2; multipath++) {
        world_init(&w, 3, 1, NULL);
        w.spoil = measure;
        struct braid_connection *c = connected(&w, multipath, &s);
        braid_connection_write(c, bytes, sizeof(bytes), w.now);
        longest = 0;
        world_run(&w, S);
        assert_int_equal(longest, 1500);
        braid_stack_link_set_mtu(w.stack[0], 0, 1280, w.now);
        braid_stack_link_set_mtu(w.stack[0], 7, 1280, w.now); /* there is none */
        braid_connection_write(c, bytes, sizeof(bytes), w.now);
        longest = 0;
        world_run(&w, S);
        assert_in_range(longest, 1200, 1280);
        assert_int_equal(braid_connection_readable(s), 2 * sizeof(bytes));
        world_deinit(&w);
    }
}

static void every_reason_has_a_name(void **state) {
    (void)state;
    for (int i = 0; i <= BRAID_CLOSED_PROTOCOL_ERROR; i++) {
        const char *name = braid_close_reason_name((enum braid_close_reason)i);
        assert_true(strlen(name) > 2);
        for (int k = 0; k < i; k++) assert_string_not_equal(name, braid_close_reason_name((enum braid_close_reason)k));
    }
}

static void an_end_is_passed_on_as_it_came(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    struct braid_connection *s;
    world_init(&w, 4, 1, &(struct braid_stack_config){.connect_timeout_ns = 3 * S});
    struct braid_connection *reset = connected(&w, false, &s), *silent;
    braid_connection_abort(s, w.now);
    braid_connection_release(s, w.now);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CLOSED, &event, S));
    assert_int_equal(braid_connection_refusal(reset), BRAID_REFUSE_RESET);
    braid_connection_release(reset, w.now);
    w.cut[0] = true;
    silent = world_connect(&w, 80, false);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CLOSED, &event, 10 * S));
    assert_int_equal(braid_connection_refusal(silent), BRAID_REFUSE_SILENT);
    braid_connection_release(silent, w.now);
    world_deinit(&w);
}

static void a_stack_that_cannot_be_made_leaves_nothing(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 5, 0, NULL);
    long before = w.live_bytes;
    assert_null(braid_stack_create(&w.env[0], &(struct braid_stack_config){.congestion = "no such thing"}));
    static const struct braid_path_limits limits[] = {
        {.subflows = BRAID_SUBFLOWS_MAX + 1},
        {.add_addr_accepted = BRAID_ADD_ADDR_ACCEPTED_MAX + 1},
        {.ndiffports = BRAID_NDIFFPORTS_MAX + 1},
    };
    const struct braid_stack_config wrong[] = {
        {.scheduler = "no such thing"},
        {.path_manager = "no such thing"},
        {.versions = BRAID_VERSION_0 + 1},
        {.cookies = BRAID_COOKIES_NEVER + 1},
        {.checksum = true, .checksum_forbidden = true},
        {.path_limits = &limits[0]},
        {.path_limits = &limits[1]},
        {.path_limits = &limits[2]},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_null(braid_stack_create(&w.env[0], &wrong[i]));
        assert_int_equal(w.live_bytes, before);
    }
    for (long n = 0; n < 3; n++) {
        w.allocations_left = n;
        struct braid_stack *stack = braid_stack_create(&w.env[0], &(struct braid_stack_config){0});
        if (n < 3 && stack == NULL) assert_int_equal(w.live_bytes, before);
        braid_stack_destroy(stack);
        assert_int_equal(w.live_bytes, before);
    }
    w.allocations_left = -1;
    world_deinit(&w);
}

static void what_is_wrong_in_a_configuration_is_named_and_what_it_takes(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 9, 1, NULL);
    const struct braid_path_limits much = {.subflows = 32};
    const struct {
        struct braid_stack_config config;
        enum braid_config_fault fault;
        const char *takes; /* among others */
    } cases[] = {
        {{0}, BRAID_CONFIG_OK, NULL},
        {{.congestion = "blue"}, BRAID_CONFIG_CONGESTION, "bbr"},
        {{.scheduler = "blue"}, BRAID_CONFIG_SCHEDULER, "lowest-rtt"},
        {{.path_manager = "blue"}, BRAID_CONFIG_PATH_MANAGER, "none"},
        {{.path_limits = &much}, BRAID_CONFIG_PATH_LIMITS, "subflows 0 to 31"},
        {{.versions = (enum braid_versions)9}, BRAID_CONFIG_VERSIONS, "discover"},
        {{.cookies = (enum braid_cookies)9}, BRAID_CONFIG_COOKIES, "always"},
        {{.checksum = true, .checksum_forbidden = true}, BRAID_CONFIG_CHECKSUM, "neither"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum braid_config_fault fault = braid_stack_config_check(&cases[i].config);
        struct braid_stack *stack = braid_stack_create(&w.env[0], &cases[i].config);
        assert_int_equal(fault, cases[i].fault);
        assert_int_equal(stack != NULL, fault == BRAID_CONFIG_OK);
        assert_int_equal(braid_config_fault_text(fault)[0] != 0, fault != BRAID_CONFIG_OK);
        braid_stack_destroy(stack);
        bool found = cases[i].takes == NULL;
        for (unsigned k = 0; braid_config_takes(fault, k) != NULL; k++)
            found |= !found && strcmp(braid_config_takes(fault, k), cases[i].takes) == 0;
        assert_true(found);
    }
    world_deinit(&w);
}

static void every_counter_has_a_name_and_a_meaning(void **state) {
    (void)state;
    struct world w;
    uint64_t value;
    unsigned count = 0;
    world_init(&w, 12, 1, NULL);
    for (const char *name; (name = braid_stack_counter(w.stack[0], count, &value)) != NULL; count++) {
        const char *meaning = braid_stack_counter_meaning(w.stack[0], count);
        assert_non_null(meaning);
        assert_true(strlen(name) > 3 && strlen(meaning) > 8 && strlen(meaning) < 100);
    }
    assert_true(count > 100);
    assert_null(braid_stack_counter_meaning(w.stack[0], count));
    world_deinit(&w);
}

static uint32_t lossy_packets;
static bool lose_some(struct world *w, int from, int wire, uint8_t *bytes, uint32_t *length) {
    (void)w, (void)wire, (void)bytes;
    return from == 1 || *length < 1000 || ++lossy_packets % 20 != 0;
}

static void a_path_tells_what_tcp_measures(void **state) {
    (void)state;
    struct world w;
    struct braid_connection *s;
    struct braid_path_info sender, receiver;
    struct braid_link_totals totals;
    static uint8_t bytes[200000];
    world_init(&w, 13, 1, NULL);
    struct braid_connection *c = connected(&w, true, &s);
    w.spoil = lose_some;
    assert_int_equal(braid_connection_write(c, bytes, sizeof(bytes), w.now), sizeof(bytes));
    world_run(&w, 60 * MS);
    assert_true(braid_connection_path(c, 0, &sender) && braid_connection_path(s, 0, &receiver));
    assert_true(sender.rtt_us >= 30000 && sender.rttvar_us > 0 && sender.rto_us > sender.rtt_us);
    assert_true(sender.mss_bytes > 1400 && sender.mtu_bytes == 1500 && sender.peer_window_bytes > 0);
    assert_true(sender.sack && sender.timestamps && !sender.ecn);
    assert_string_equal(sender.congestion, "cubic");
    assert_string_equal(sender.congestion_state, "slow start");
    assert_int_equal(sender.ssthresh_bytes, UINT32_MAX);
    world_run(&w, 5 * S);
    assert_true(braid_connection_path(c, 0, &sender) && braid_connection_path(s, 0, &receiver));
    assert_true(sender.segments_retransmitted > 3 && sender.fast_recoveries > 0 && sender.ssthresh_bytes < UINT32_MAX);
    assert_true(sender.bytes_retransmitted > 3000 && sender.pacing_bytes_per_s > 0);
    assert_true(receiver.segments_out_of_order > 0 && receiver.bytes_received == sizeof(bytes));
    assert_string_equal(sender.congestion_state, "congestion avoidance");
    /* The link's totals are the path's, and outlive it. */
    assert_true(braid_stack_link_totals(w.stack[0], 0, &totals));
    assert_int_equal(totals.bytes_sent, sender.bytes_sent);
    assert_int_equal(totals.segments_retransmitted, sender.segments_retransmitted);
    braid_connection_abort(c, w.now);
    braid_connection_release(c, w.now);
    world_run(&w, S);
    assert_int_equal(braid_stack_connections(w.stack[0]), 0);
    assert_true(braid_stack_link_totals(w.stack[0], 0, &totals));
    assert_int_equal(totals.subflows, 1);
    assert_int_equal(totals.segments_retransmitted, sender.segments_retransmitted);
    assert_int_equal(totals.fast_recoveries, sender.fast_recoveries);
    assert_false(braid_stack_link_totals(w.stack[0], 1, &totals));
    assert_false(braid_stack_link_totals(w.stack[0], -1, &totals));
    world_deinit(&w);
}

/* A hop of 1300 bytes that says nothing. */
static bool narrow(struct world *w, int from, int wire, uint8_t *bytes, uint32_t *length) {
    (void)w, (void)from, (void)wire, (void)bytes;
    return *length <= 1300;
}

static uint32_t mtu_of_a_new_connection(struct world *w, uint32_t bytes) {
    struct braid_event event;
    struct braid_path_info path;
    static uint8_t in[1000000];
    struct braid_connection *c = world_connect(w, 80, false);
    assert_true(world_wait(w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    assert_true(braid_connection_path(c, 0, &path));
    uint32_t mtu = path.mtu_bytes;
    uint32_t written = 0, read = 0;
    for (unsigned i = 0; read < bytes && i < 1000; i++) {
        uint32_t part = bytes - written < sizeof(in) ? bytes - written : sizeof(in);
        written += braid_connection_write(c, in, part, w->now);
        world_run(w, 10 * MS);
        read += braid_connection_read(event.connection, in, sizeof(in), w->now);
    }
    assert_int_equal(read, bytes);
    braid_connection_abort(c, w->now);
    braid_connection_release(c, w->now);
    braid_connection_release(event.connection, w->now);
    world_run(w, S);
    return mtu;
}

static void the_next_connection_begins_with_the_mtu_that_was_found(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 14, 2, NULL);
    w.spoil = narrow;
    world_listen(&w, 80, true, false);
    assert_int_equal(mtu_of_a_new_connection(&w, 4000000), 1500);
    assert_int_equal(mtu_of_a_new_connection(&w, 10000), 1300);
    /* Of another path nothing is known. */
    struct braid_address first = client_address(0);
    braid_stack_address_remove(w.stack[0], 0, &first, w.now);
    assert_int_equal(mtu_of_a_new_connection(&w, 10000), 1500);
    world_deinit(&w);
}

static void a_known_mtu_is_forgotten(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 15, 1, NULL);
    w.spoil = narrow;
    world_listen(&w, 80, true, false);
    assert_int_equal(mtu_of_a_new_connection(&w, 4000000), 1500);
    world_run(&w, 500 * S);
    assert_int_equal(mtu_of_a_new_connection(&w, 10000), 1300);
    world_run(&w, 200 * S); /* ten minutes after it was found out */
    assert_int_equal(mtu_of_a_new_connection(&w, 4000000), 1500);
    assert_int_equal(mtu_of_a_new_connection(&w, 10000), 1300);
    /* With the network, too. */
    struct braid_address only = client_address(0);
    braid_stack_address_remove(w.stack[0], 0, &only, w.now);
    assert_true(braid_stack_address_add(w.stack[0], 0, &only, false, false, w.now));
    assert_int_equal(mtu_of_a_new_connection(&w, 10000), 1500);
    world_deinit(&w);
}

static void what_is_wrong_in_a_listener_is_named(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 10, 1, NULL);
    const struct braid_path_limits much = {.add_addr_accepted = 16};
    const struct {
        struct braid_listen_config config;
        enum braid_config_fault fault;
    } cases[] = {
        {{.link = -1, .local.port = 80}, BRAID_CONFIG_OK},
        {{.link = -1, .local.port = 80}, BRAID_CONFIG_LISTENED_TO},
        {{.link = -1, .local.port = 81, .congestion = "blue"}, BRAID_CONFIG_CONGESTION},
        {{.link = -1, .local.port = 81, .scheduler = "blue"}, BRAID_CONFIG_SCHEDULER},
        {{.link = -1, .local.port = 81, .path_manager = "blue"}, BRAID_CONFIG_PATH_MANAGER},
        {{.link = -1, .local.port = 81, .path_limits = &much}, BRAID_CONFIG_PATH_LIMITS},
        {{.link = -1, .local.port = 81, .versions = (enum braid_versions)9}, BRAID_CONFIG_VERSIONS},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(braid_listen_config_check(w.stack[1], &cases[i].config), cases[i].fault);
        assert_int_equal(braid_stack_listen(w.stack[1], &cases[i].config) != NULL, cases[i].fault == BRAID_CONFIG_OK);
    }
    world_deinit(&w);
}

static void a_listener_has_limits_of_its_own(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    struct braid_connection_info info;
    world_init(&w, 11, 3, NULL);
    const struct braid_path_limits none = {.subflows = 0}, one = {.subflows = 1};
    struct braid_listen_config alone = {.link = -1, .local.port = 80, .multipath = true, .path_limits = &none};
    struct braid_listen_config pair = {.link = -1, .local.port = 81, .multipath = true, .path_limits = &one};
    assert_non_null(braid_stack_listen(w.stack[1], &alone));
    assert_non_null(braid_stack_listen(w.stack[1], &pair));
    for (uint16_t port = 80; port <= 81; port++) {
        struct braid_connection *c = world_connect(&w, port, true);
        assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
        assert_int_equal(braid_connection_write(c, "x", 1, w.now), 1); /* its acknowledgement lets joins begin */
        world_run(&w, S);
        braid_connection_info(event.connection, &info);
        assert_int_equal(info.paths, port - 79);
    }
    assert_true(world_counter(&w, 1, "mptcp_join_refused_limit") >= 3);
    world_deinit(&w);
}

static void there_are_only_so_many_links_and_addresses(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 6, 0, NULL);
    struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true};
    const struct braid_link_config backwards = {.mtu_bytes = 1500, .port_first = 5003, .port_last = 5000};
    assert_int_equal(braid_stack_link_add(w.stack[0], &backwards), -1);
    for (int i = 0; i < BRAID_LINKS_MAX; i++) assert_int_equal(braid_stack_link_add(w.stack[0], &link), i);
    assert_int_equal(braid_stack_link_add(w.stack[0], &link), -1);
    for (int i = 0; i < BRAID_ADDRESSES_MAX; i++) {
        struct braid_address address = address_of(4, (uint8_t)i, 2);
        assert_true(braid_stack_address_add(w.stack[0], i % BRAID_LINKS_MAX, &address, false, false, w.now));
    }
    struct braid_address more = address_of(4, 99, 2), gone = address_of(4, 5, 2), none = {0};
    assert_false(braid_stack_address_add(w.stack[0], 0, &more, false, false, w.now));
    assert_false(braid_stack_address_add(w.stack[0], -1, &more, false, false, w.now));
    assert_false(braid_stack_address_add(w.stack[0], 0, &none, false, false, w.now));
    /* One that is away gives its place. */
    braid_stack_address_remove(w.stack[0], 5, &gone, w.now);
    braid_stack_address_remove(w.stack[0], 5, &gone, w.now);
    assert_true(braid_stack_address_add(w.stack[0], 0, &more, false, false, w.now));
    world_deinit(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slices_are_written_by_reference_until_there_is_no_room),
        cmocka_unit_test(a_call_that_moves_nothing_leaves_the_stack_at_rest),
        cmocka_unit_test(what_was_tuned_can_be_asked_for),
        cmocka_unit_test(a_smaller_mtu_counts_from_the_next_packet_on),
        cmocka_unit_test(every_reason_has_a_name),
        cmocka_unit_test(an_end_is_passed_on_as_it_came),
        cmocka_unit_test(a_stack_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(there_are_only_so_many_links_and_addresses),
        cmocka_unit_test(what_is_wrong_in_a_configuration_is_named_and_what_it_takes),
        cmocka_unit_test(what_is_wrong_in_a_listener_is_named),
        cmocka_unit_test(the_next_connection_begins_with_the_mtu_that_was_found),
        cmocka_unit_test(a_known_mtu_is_forgotten),
        cmocka_unit_test(every_counter_has_a_name_and_a_meaning),
        cmocka_unit_test(a_path_tells_what_tcp_measures),
        cmocka_unit_test(a_listener_has_limits_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
