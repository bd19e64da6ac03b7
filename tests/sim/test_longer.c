/* Paths whose round trip becomes another in the middle of a transfer: another cell, another route, a satellite. */
#include "sim_test.h"

struct change {
    struct sim_phone phone;
    struct sim_path_config later;
};

static void change(void *context, braid_time now) {
    struct change *c = context;
    (void)now;
    sim_path_shape(&c->phone, 0, &c->later);
}

/* Mb/s by one path of 20 Mb/s whose round trip becomes `after_ms` at 5 s, from 8 s to 28 s. */
static double changed_mbps(unsigned before_ms, unsigned after_ms, enum sim_direction way, uint64_t seed) {
    struct sim_path_config path = {.rate_bps = 20000000, .rtt_ns = before_ms * MS, .queue_ns = 150 * MS};
    struct sim_phone_config config = {.world = {.seed = seed}, .paths = {path}, .path_count = 1};
    struct change c = {.later = path};
    struct sim_stream_result before, after;
    c.later.rtt_ns = after_ms * MS;
    sim_phone_init(&c.phone, &config);
    braid_time began = sim_world_now(c.phone.world);
    sim_world_at(c.phone.world, began + 5 * S, change, &c);
    struct sim_conversation_config talk = {0};
    talk.streams[way].bytes = UINT64_C(1) << 40;
    talk.streams[1 - way] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    struct sim_conversation *conversation = sim_phone_talk(&c.phone, &talk);
    sim_world_run(c.phone.world, began + 8 * S);
    sim_conversation_result(conversation, way, &before);
    sim_world_run(c.phone.world, began + 28 * S);
    sim_conversation_result(conversation, way, &after);
    assert_null(sim_conversation_fault(conversation));
    phone_end(&c.phone);
    return (double)(after.read - before.read) * 8e3 / (double)(20 * S);
}

static void a_path_of_any_length_that_becomes_one_of_any_other_is_used(void **state) {
    (void)state;
    static const unsigned lengths[] = {5, 10, 20, 40, 80, 160, 320, 640};
    enum { COUNT = sizeof(lengths) / sizeof(lengths[0]) };
    print_message("20 Mb/s: Mb/s, by round trip before (down) and after (across), ms\n      ");
    for (unsigned j = 0; j < COUNT; j++) print_message("%6u", lengths[j]);
    print_message("\n");
    for (unsigned i = 0; i < COUNT; i++) {
        print_message("%6u", lengths[i]);
        for (unsigned j = 0; j < COUNT; j++) {
            double mbps = changed_mbps(lengths[i], lengths[j], (i + j) % 2 == 0 ? SIM_UP : SIM_DOWN, 1 + i);
            print_message("%6.1f", mbps);
            if (mbps < (lengths[j] > 320 ? 11 : 17)) fail_msg("%u ms become %u: %.1f Mb/s", lengths[i], lengths[j], mbps);
        }
        print_message("\n");
    }
}

/* A little each second, from 20 ms to 120 ms. */
static void later_still(void *context, braid_time now) {
    struct change *c = context;
    (void)now;
    c->later.rtt_ns += 5 * MS;
    sim_path_shape(&c->phone, 0, &c->later);
}

static void a_path_that_becomes_longer_little_by_little_is_used(void **state) {
    (void)state;
    struct sim_path_config path = {.rate_bps = 20000000, .rtt_ns = 20 * MS, .queue_ns = 150 * MS};
    struct sim_phone_config config = {.world = {.seed = 3}, .paths = {path}, .path_count = 1};
    struct change c = {.later = path};
    struct sim_stream_result result;
    sim_phone_init(&c.phone, &config);
    braid_time began = sim_world_now(c.phone.world);
    for (unsigned second = 3; second < 23; second++) sim_world_at(c.phone.world, began + second * S, later_still, &c);
    struct sim_conversation_config talk = {.streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
    struct sim_conversation *conversation = sim_phone_talk(&c.phone, &talk);
    sim_world_run(c.phone.world, began + 33 * S);
    sim_conversation_result(conversation, SIM_DOWN, &result);
    double mbps = (double)result.read * 8e3 / (double)(33 * S);
    print_message("20 Mb/s, 5 ms longer each second: %.1f Mb/s\n", mbps);
    phone_end(&c.phone);
    assert_true(mbps > 16);
}

static void shorten(void *context, braid_time now) {
    struct sim_phone *phone = context;
    const struct sim_path_config shorter = {.rate_bps = 10000000, .rtt_ns = 1760 * MS};
    (void)now;
    sim_path_shape(phone, 1, &shorter);
}

/* The SYN is said again after a second, and answered again: which of the answers is acknowledged? (It comes before the
 * server would have said its own again, for the path gets a little shorter.) */
static void a_round_trip_above_the_first_timeout_is_measured_right(void **state) {
    (void)state;
    struct sim_phone_config config = {.world = {.seed = 1},
                                      .paths = {{.rate_bps = 10000000, .rtt_ns = 40 * MS}, {.rate_bps = 10000000, .rtt_ns = 1800 * MS}},
                                      .path_count = 2};
    struct sim_phone phone;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {.streams = {{.bytes = 100, .keep_open = true}, {.bytes = 100, .keep_open = true}}};
    sim_world_at(phone.world, sim_world_now(phone.world) + 700 * MS, shorten, &phone);
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, sim_world_now(phone.world) + 10 * S);
    for (int way = 0; way < 2; way++) {
        struct braid_path_info path;
        assert_true(braid_connection_path(sim_conversation_connection(c, way), 1, &path));
        print_message("smallest round trip: %u ms\n", (unsigned)(path.min_rtt_us / 1000));
        assert_in_range(path.min_rtt_us, 1750000, 1850000);
    }
    phone_end(&phone);
}

/* It is held for gone at first, and joined anew. */
static void a_path_of_two_seconds_comes_back(void **state) {
    (void)state;
    struct sim_path_config near = {.rate_bps = 10000000, .rtt_ns = 60 * MS, .queue_ns = 100 * MS};
    struct sim_phone_config config = {.world = {.seed = 2}, .paths = {near, near}, .path_count = 2};
    struct change c = {.later = near};
    struct braid_path_info path;
    unsigned used = 0;
    c.later.rtt_ns = 2000 * MS;
    sim_phone_init(&c.phone, &config);
    braid_time began = sim_world_now(c.phone.world);
    sim_world_at(c.phone.world, began + 5 * S, change, &c);
    struct sim_conversation_config talk = {.streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
    struct sim_conversation *conversation = sim_phone_talk(&c.phone, &talk);
    sim_world_run(c.phone.world, began + 40 * S);
    struct braid_connection *server = sim_conversation_connection(conversation, SIM_DOWN);
    for (unsigned i = 0; braid_connection_path(server, i, &path); i++)
        if (path.rtt_us > 1900000 && path.bytes_sent > 100000) used++;
    phone_end(&c.phone);
    assert_int_equal(used, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_of_any_length_that_becomes_one_of_any_other_is_used),
        cmocka_unit_test(a_path_that_becomes_longer_little_by_little_is_used),
        cmocka_unit_test(a_round_trip_above_the_first_timeout_is_measured_right),
        cmocka_unit_test(a_path_of_two_seconds_comes_back),
    };
    return cmocka_run_group_tests_name("longer paths", tests, NULL, NULL);
}
