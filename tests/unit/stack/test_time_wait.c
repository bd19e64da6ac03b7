/* TIME-WAIT: small, and in nobody's way. */
#include "two_stacks.h"

#define S BRAID_NS_PER_S
#define MS BRAID_NS_PER_MS

/* Opens a connection and closes it, `first` before the other. False: it was not opened, or not within `limit`. */
static bool open_and_close(struct world *w, int first, bool multipath, braid_time limit) {
    struct braid_event event;
    struct braid_connection *ends[2];
    ends[0] = world_connect(w, 80, multipath);
    if (!ends[0]) return false;
    if (!world_wait(w, 1, BRAID_EVENT_ACCEPTED, &event, limit)) return false;
    ends[1] = event.connection;
    braid_connection_shutdown(ends[first], w->now);
    world_run(w, 40 * MS);
    braid_connection_shutdown(ends[1 - first], w->now);
    braid_connection_release(ends[0], w->now);
    braid_connection_release(ends[1], w->now);
    world_run(w, 80 * MS);
    return true;
}

static void begin(struct world *w, uint16_t ports) {
    world_port_first = 50000;
    world_port_last = (uint16_t)(50000 + ports - 1);
    world_init(w, 1, 1, NULL);
    world_listen(w, 80, true, false);
}

/* Of the connection nothing remains but what tells an old segment from a new one. */
static void in_time_wait_a_connection_is_a_few_bytes(void **state) {
    (void)state;
    for (int multipath = 0; multipath < 2; multipath++) {
        struct world w;
        begin(&w, 1000);
        assert_true(open_and_close(&w, 0, multipath, S));
        long before = w.live_bytes;
        for (int i = 0; i < 200; i++) assert_true(open_and_close(&w, 0, multipath, S));
        uint64_t waits = world_counter(&w, 0, "time_wait_entered") + world_counter(&w, 1, "time_wait_entered");
        assert_true(waits >= 200);
        long bytes = (w.live_bytes - before) / 200;
        print_message("%s: %ld bytes a connection in TIME-WAIT\n", multipath ? "MPTCP" : "TCP", bytes);
        assert_true(bytes > 0 && bytes < 300); /* with MPTCP both sides may have one */
        assert_int_equal(braid_stack_connections(w.stack[0]), 0);
        world_run(&w, 61 * S);
        assert_true(w.live_bytes < before + 200 * 24); /* the table keeps its size */
        world_deinit(&w);
    }
}

/* [R-6191-2-1] Eight ports; each is used again a second after its connection closed. */
static void ports_in_time_wait_are_used_again_when_all_are(void **state) {
    (void)state;
    struct world w;
    begin(&w, 8);
    for (int i = 0; i < 100; i++) {
        if (open_and_close(&w, 0, false, S)) continue;
        world_run(&w, S);
        assert_true(open_and_close(&w, 0, false, S));
    }
    assert_int_equal(world_counter(&w, 0, "time_wait_entered"), 100);
    assert_int_equal(world_counter(&w, 0, "time_wait_reused"), 92);
    assert_true(w.now < 60 * S);
    world_deinit(&w);
}

/* The server closes first and has the TIME-WAITs; our next connection by the same port opens at once. */
static void a_server_in_time_wait_opens_the_same_flow_again(void **state) {
    (void)state;
    struct world w;
    begin(&w, 1);
    for (int i = 0; i < 20; i++) assert_true(open_and_close(&w, 1, false, 100 * MS));
    assert_int_equal(world_counter(&w, 1, "time_wait_reopened"), 19);
    assert_int_equal(world_counter(&w, 0, "time_wait_entered"), 0);
    world_deinit(&w);
}

/* No memory for the record: then the connection stays for its TIME-WAIT, as it was. */
static void without_memory_the_connection_itself_waits(void **state) {
    (void)state;
    struct world w;
    struct braid_event event;
    begin(&w, 10);
    struct braid_connection *c = world_connect(&w, 80, false);
    assert_true(world_wait(&w, 1, BRAID_EVENT_ACCEPTED, &event, S));
    braid_connection_shutdown(event.connection, w.now);
    braid_connection_release(event.connection, w.now);
    world_run(&w, 40 * MS);
    braid_connection_shutdown(c, w.now);
    world_run(&w, MS); /* its FIN is under way */
    braid_connection_release(c, w.now);
    w.allocations_left = 0;
    world_run(&w, 10 * S);
    assert_int_equal(world_counter(&w, 0, "time_wait_entered") + world_counter(&w, 1, "time_wait_entered"), 0);
    w.allocations_left = -1;
    world_run(&w, 60 * S);
    assert_int_equal(braid_stack_connections(w.stack[0]) + braid_stack_connections(w.stack[1]), 0);
    world_deinit(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_time_wait_a_connection_is_a_few_bytes),
        cmocka_unit_test(ports_in_time_wait_are_used_again_when_all_are),
        cmocka_unit_test(a_server_in_time_wait_opens_the_same_flow_again),
        cmocka_unit_test(without_memory_the_connection_itself_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
