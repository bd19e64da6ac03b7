/* The stack's promises: who gets a packet, who may connect, what is refused and how, and nothing left behind. */
#include "two_stacks.h"

#define S BRAID_NS_PER_S
#define MS BRAID_NS_PER_MS

static void a_connection_is_established_and_both_ends_are_told(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    world_init(&w, 1, 1, NULL);
    assert_non_null(world_listen(&w, 80, true, false));
    struct braid_connection *c = world_connect(&w, 80, true);
    assert_non_null(c);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CONNECTED, &event, S));
    assert_ptr_equal(event.connection, c);
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    assert_non_null(event.listener);
    struct braid_connection_info info;
    braid_connection_info(c, &info);
    assert_true(info.multipath);
    braid_connection_release(c, w.now);
    braid_connection_release(event.connection, w.now);
    world_run(&w, 200 * S);
    assert_int_equal(braid_stack_connections(w.stack[0]), 0);
    assert_int_equal(braid_stack_connections(w.stack[1]), 0);
    world_deinit(&w);
}

static void bytes_arrive_in_order_in_both_directions(void **state) {
    (void)state;
    for (world_family = 4; world_family <= 6; world_family += 2) {
        struct world w;
        struct braid_event event;
        uint8_t out[5000], in[5000];
        world_init(&w, 2, 1, NULL);
        world_listen(&w, 80, true, false);
        struct braid_connection *c = world_connect(&w, 80, true), *s;
        assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
        s = event.connection;
        for (size_t i = 0; i < sizeof(out); i++) out[i] = (uint8_t)(i * 7);
        assert_int_equal(braid_connection_write(c, out, sizeof(out), w.now), sizeof(out));
        assert_int_equal(braid_connection_write(s, out, sizeof(out), w.now), sizeof(out));
        braid_connection_shutdown(c, w.now);
        world_run(&w, S);
        assert_int_equal(braid_connection_read(s, in, sizeof(in), w.now), sizeof(in));
        assert_memory_equal(in, out, sizeof(in));
        assert_true(braid_connection_at_end(s));
        assert_int_equal(braid_connection_read(c, in, sizeof(in), w.now), sizeof(in));
        assert_memory_equal(in, out, sizeof(in));
        assert_false(braid_connection_at_end(c)); /* half-closed: the other direction lives */
        world_deinit(&w);
    }
    world_family = 4;
}

static void a_second_path_is_joined_on_its_own(void **state) {
    (void)state;
    struct world w;
    struct braid_path_info path;
    world_init(&w, 3, 2, NULL);
    world_listen(&w, 80, true, false);
    struct braid_connection *c = world_connect(&w, 80, true);
    world_run(&w, S);
    braid_connection_write(c, "x", 1, w.now);
    world_run(&w, S);
    assert_true(braid_connection_path(c, 1, &path));
    assert_int_equal(path.status, BRAID_PATH_ACTIVE);
    assert_int_equal(path.link, 1);
    assert_false(braid_connection_path(c, 2, &path));
    world_deinit(&w);
}

static void without_a_listener_a_connection_is_refused(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    world_init(&w, 4, 1, NULL);
    struct braid_connection *c = world_connect(&w, 81, true);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CLOSED, &event, S));
    assert_int_equal(braid_connection_close_reason(c), BRAID_CLOSED_REFUSED);
    assert_int_equal(world_counter(&w, 1, "syn_no_listener"), 1);
    braid_connection_release(c, w.now);
    world_run(&w, S);
    assert_int_equal(braid_stack_connections(w.stack[0]), 0);
    world_deinit(&w);
}

static struct braid_connection *incoming(struct world *w, struct braid_connection **client) {
    struct braid_event event;
    world_listen(w, 0, false, true);
    *client = world_connect(w, 1234, false);
    assert_true(world_wait(w, 1, BRAID_EVENT_INCOMING, &event, S));
    return event.connection;
}

static void a_deferred_syn_waits_for_the_application(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    struct braid_connection *client, *server;
    struct braid_endpoint here, there;
    world_init(&w, 5, 1, NULL);
    server = incoming(&w, &client);
    braid_connection_endpoints(server, &here, &there);
    assert_int_equal(here.port, 1234);
    assert_false(world_wait(&w, 0, BRAID_EVENT_CONNECTED, &event, 5 * S));
    braid_connection_accept(server, w.now);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CONNECTED, &event, 5 * S));
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, 5 * S));
    world_deinit(&w);
}

/* [R-1122-3.2.2-2] */
static void a_deferred_syn_is_refused_as_the_application_says(void **state) {
    (void)state;
    static const struct {
        enum braid_refusal how;
        enum braid_close_reason seen;
    } cases[] = {
        {BRAID_REFUSE_RESET, BRAID_CLOSED_REFUSED},
        {BRAID_REFUSE_HOST_UNREACHABLE, BRAID_CLOSED_UNREACHABLE},
        {BRAID_REFUSE_NET_UNREACHABLE, BRAID_CLOSED_UNREACHABLE},
        {BRAID_REFUSE_PROHIBITED, BRAID_CLOSED_UNREACHABLE},
    };
    for (world_family = 4; world_family <= 6; world_family += 2)
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct world w;
            struct braid_event event;
            struct braid_connection *client, *server;
            world_init(&w, 6 + i, 1, &(struct braid_stack_config){.connect_timeout_ns = 10 * S});
            server = incoming(&w, &client);
            /* What is soft to TCP (RFC 1122 §4.2.3.9) is asked again until the attempt times out: refuse each. */
            braid_connection_refuse(server, cases[i].how, w.now);
            bool closed = false;
            for (int n = 0; n < 400 && !closed; n++) {
                closed = world_wait(&w, 0, BRAID_EVENT_CLOSED, &event, 100 * MS);
                while (braid_stack_next_event(w.stack[1], &event))
                    if (event.bits & BRAID_EVENT_INCOMING) braid_connection_refuse(event.connection, cases[i].how, w.now);
            }
            assert_true(closed);
            assert_int_equal(braid_connection_close_reason(client), cases[i].seen);
            braid_connection_release(client, w.now);
            world_run(&w, S);
            assert_int_equal(braid_stack_connections(w.stack[0]), 0);
            assert_int_equal(braid_stack_connections(w.stack[1]), 0);
            world_deinit(&w);
        }
    world_family = 4;
}

static void the_more_specific_listener_wins(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    world_init(&w, 10, 1, NULL);
    struct braid_listener *any = world_listen(&w, 0, false, false);
    struct braid_listener *one = world_listen(&w, 80, false, false);
    assert_null(world_listen(&w, 80, false, false)); /* taken */
    world_connect(&w, 80, false);
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    assert_ptr_equal(event.listener, one);
    world_connect(&w, 81, false);
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    assert_ptr_equal(event.listener, any);
    world_deinit(&w);
}

static void a_listener_closed_under_a_handshake_resets_it(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    world_init(&w, 11, 1, NULL);
    struct braid_listener *listener = world_listen(&w, 80, true, false);
    struct braid_connection *c = world_connect(&w, 80, true);
    world_run(&w, 16 * MS); /* the SYN is there, the third ACK is not */
    braid_listener_close(listener, w.now);
    assert_true(world_wait(&w, 0, BRAID_EVENT_CLOSED, &event, 2 * S));
    braid_connection_release(c, w.now);
    world_run(&w, 100 * S);
    assert_int_equal(braid_stack_connections(w.stack[1]), 0);
    world_deinit(&w);
}

static void half_open_connections_are_bounded(void **state) {
    (void)state;
    struct world w;
    struct braid_stack_config config = {.half_open_max = 3};
    world_init(&w, 12, 1, &config);
    world_listen(&w, 80, false, true);
    for (int i = 0; i < 10; i++) assert_non_null(world_connect(&w, 80, false));
    world_run(&w, 100 * MS);
    assert_int_equal(braid_stack_connections(w.stack[1]), 3);
    assert_true(world_counter(&w, 1, "syn_half_open_full") >= 7);
    world_deinit(&w);
}

static void ports_run_out_as_a_clean_error(void **state) {
    (void)state;
    struct world w;
    world_init(&w, 13, 0, NULL);
    struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true, .port_first = 5000, .port_last = 5003};
    struct braid_address here = client_address(0);
    assert_int_equal(braid_stack_link_add(w.stack[0], &link), 0);
    assert_true(braid_stack_address_add(w.stack[0], 0, &here, false, false, w.now));
    for (int i = 0; i < 4; i++) assert_non_null(world_connect(&w, 80, false));
    assert_null(world_connect(&w, 80, false));
    world_deinit(&w);
}

static void without_an_address_of_the_family_there_is_no_path(void **state) {
    (void)state;
    struct world w;
    enum braid_connect_error error;
    world_init(&w, 14, 1, NULL);
    struct braid_connect_config config = {.remote = {address_of(6, 9, 1), 80}, .multipath = true};
    assert_null(braid_stack_connect(w.stack[0], &config, w.now, &error));
    assert_int_equal(error, BRAID_CONNECT_NO_PATH);
    world_deinit(&w);
}

/* A SYN for a port where nobody listens. */
static uint32_t stray_syn(uint8_t bytes[64]) {
    static const uint8_t syn[40] = {0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0xae, 0xc8, 192, 0, 2, 7, 10, 0, 0, 1,
                                    4, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0};
    memcpy(bytes, syn, sizeof(syn));
    return sizeof(syn);
}

/* Resets wait for output in a queue of 64; packets of a link that is none are not looked at. */
static void what_cannot_be_answered_is_counted(void **state) {
    (void)state;
    struct world w;
    uint8_t bytes[64];
    struct braid_packet_out out[BATCH];
    world_init(&w, 19, 1, NULL);
    struct braid_packet_in in = {.bytes = bytes, .length = stray_syn(bytes), .checksum_verified = true};
    for (unsigned i = 0; i < 70; i++) braid_stack_input(w.stack[1], 0, &in, 1, w.now);
    assert_int_equal(world_counter(&w, 1, "syn_no_listener"), 70);
    assert_int_equal(world_counter(&w, 1, "resets_sent"), 64);
    assert_int_equal(world_counter(&w, 1, "control_queue_full"), 6);
    braid_stack_input(w.stack[1], 17, &in, 1, w.now);
    assert_int_equal(world_counter(&w, 1, "unknown_link"), 1);
    size_t n;
    while ((n = braid_stack_output(w.stack[1], out, BATCH, w.now)) > 0)
        for (size_t k = 0; k < n; k++) braid_packet_out_release(&out[k]);
    assert_int_equal(world_counter(&w, 1, "packets_out"), 64);
    world_deinit(&w);
}

static void rubbish_is_counted_and_dropped(void **state) {
    (void)state;
    struct world w;
    struct prng prng;
    uint8_t bytes[100];
    world_init(&w, 15, 1, NULL);
    world_listen(&w, 80, true, false);
    prng_seed(&prng, 15);
    for (int i = 0; i < 20000; i++) {
        uint32_t length = (uint32_t)prng_below(&prng, sizeof(bytes) + 1);
        for (uint32_t k = 0; k < length; k++) bytes[k] = (uint8_t)prng_next(&prng);
        if (length) bytes[0] = (uint8_t)(i & 1 ? 0x45 : 0x60);
        struct braid_packet_in in = {.bytes = bytes, .length = length, .checksum_verified = true};
        braid_stack_input(w.stack[1], 0, &in, 1, w.now);
        struct braid_packet_out out[BATCH];
        size_t n = braid_stack_output(w.stack[1], out, BATCH, w.now);
        for (size_t k = 0; k < n; k++) braid_packet_out_release(&out[k]);
    }
    assert_true(world_counter(&w, 1, "ip_malformed") > 0);
    assert_int_equal(world_counter(&w, 1, "packets_in"), 20000);
    world_deinit(&w);
}

static void a_lost_address_moves_the_transfer_at_once(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    static uint8_t out[200000], in[200000];
    world_init(&w, 16, 2, NULL);
    world_listen(&w, 80, true, false);
    struct braid_connection *c = world_connect(&w, 80, true), *s;
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    s = event.connection;
    for (size_t i = 0; i < sizeof(out); i++) out[i] = (uint8_t)(i * 31 >> 3);
    braid_connection_write(c, out, 1000, w.now);
    world_run(&w, S);
    assert_int_equal(braid_connection_read(s, in, sizeof(in), w.now), 1000);
    braid_connection_write(c, out, sizeof(out), w.now);
    world_run(&w, 5 * MS);
    w.cut[0] = true;
    struct braid_address gone = client_address(0);
    braid_stack_address_remove(w.stack[0], 0, &gone, w.now);
    world_run(&w, 3 * S);
    assert_int_equal(braid_connection_read(s, in, sizeof(in), w.now), sizeof(in));
    assert_memory_equal(in, out, sizeof(in));
    assert_true(world_counter(&w, 1, "mptcp_remove_addr_received") >= 1);
    struct braid_path_info path;
    assert_true(braid_connection_path(c, 0, &path));
    assert_int_equal(path.link, 1);
    assert_false(braid_connection_path(c, 1, &path));
    /* and back: it joins again by itself */
    w.cut[0] = false;
    braid_stack_address_add(w.stack[0], 0, &gone, false, false, w.now);
    world_run(&w, 3 * S);
    assert_true(braid_connection_path(c, 1, &path));
    assert_int_equal(path.link, 0);
    assert_int_equal(path.status, BRAID_PATH_ACTIVE);
    world_deinit(&w);
}

static void every_failed_allocation_leaves_nothing_behind(void **state) {
    (void)state;
    uint64_t syns = 0, segments = 0;
    for (long nth = 0; nth < 400; nth++) {
        struct world w;
        struct braid_event event;
        uint8_t bytes[3000] = {0};
        world_init(&w, 17, 2, NULL);
        struct braid_listener *listener = world_listen(&w, 80, true, false);
        assert_non_null(listener);
        w.allocations_left = nth;
        struct braid_connection *c = world_connect(&w, 80, true), *s = NULL;
        if (c) {
            if (world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, 500 * MS)) {
                s = event.connection;
                braid_connection_write(s, bytes, sizeof(bytes), w.now);
            }
            braid_connection_write(c, bytes, sizeof(bytes), w.now);
            world_run(&w, 2 * S);
            braid_connection_release(c, w.now);
            if (s) braid_connection_release(s, w.now);
            world_run(&w, 2 * S);
        }
        syns += world_counter(&w, 1, "syn_no_memory");
        segments += world_counter(&w, 0, "tcp_no_memory") + world_counter(&w, 1, "tcp_no_memory");
        world_deinit(&w); /* asserts that all memory came back */
    }
    assert_true(syns > 0);
    assert_true(segments > 0);
}

/* tailscale#21303, gvisor#9778: with a clock of a few milliseconds segments sent together seemed to be late, and RACK
 * took them for lost. */
static void a_coarse_clock_makes_no_losses(void **state) {
    (void)state;
    static uint8_t out[1000000], in[1000000];
    for (braid_time tick = 500000; tick <= 16 * MS; tick *= 2) {
        struct world w;
        struct braid_event event;
        struct braid_path_info path;
        world_init(&w, 18, 2, NULL);
        w.tick = tick;
        world_listen(&w, 80, true, false);
        struct braid_connection *c = world_connect(&w, 80, true);
        assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
        assert_int_equal(braid_connection_write(c, out, sizeof(out), w.now), sizeof(out));
        uint32_t got = 0;
        for (int i = 0; i < 100 && got < sizeof(in); i++) {
            world_run(&w, 50 * MS);
            got += braid_connection_read(event.connection, in + got, (uint32_t)sizeof(in) - got, w.now);
        }
        assert_int_equal(got, sizeof(in));
        for (unsigned i = 0; braid_connection_path(c, i, &path); i++) assert_int_equal(path.bytes_retransmitted, 0);
        world_deinit(&w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_established_and_both_ends_are_told),
        cmocka_unit_test(bytes_arrive_in_order_in_both_directions),
        cmocka_unit_test(a_second_path_is_joined_on_its_own),
        cmocka_unit_test(without_a_listener_a_connection_is_refused),
        cmocka_unit_test(a_deferred_syn_waits_for_the_application),
        cmocka_unit_test(a_deferred_syn_is_refused_as_the_application_says),
        cmocka_unit_test(the_more_specific_listener_wins),
        cmocka_unit_test(a_listener_closed_under_a_handshake_resets_it),
        cmocka_unit_test(half_open_connections_are_bounded),
        cmocka_unit_test(ports_run_out_as_a_clean_error),
        cmocka_unit_test(without_an_address_of_the_family_there_is_no_path),
        cmocka_unit_test(what_cannot_be_answered_is_counted),
        cmocka_unit_test(rubbish_is_counted_and_dropped),
        cmocka_unit_test(a_lost_address_moves_the_transfer_at_once),
        cmocka_unit_test(a_coarse_clock_makes_no_losses),
        cmocka_unit_test(every_failed_allocation_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
