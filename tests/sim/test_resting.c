/* Beside a good path one that becomes too poor to be waited for, and is well again later: the stream must not stand for it, and
 * the path must come back. */
#include "sim_test.h"

struct story {
    struct sim_phone phone;
    struct sim_conversation *talk;
    struct sim_path_config well, ill;
};

static void fall_ill(void *context, braid_time now) {
    struct story *s = context;
    (void)now;
    sim_path_shape(&s->phone, 0, &s->ill);
}
static void recover(void *context, braid_time now) {
    struct story *s = context;
    (void)now;
    sim_path_shape(&s->phone, 0, &s->well);
}

/* A download without end; path 0 is ill from 6 s on, and well again at `until`. */
static void begin(struct story *s, const struct sim_path_config *good, braid_time until, uint64_t seed) {
    struct sim_phone_config config = {.world = {.seed = seed}, .paths = {s->well, *good}, .path_count = 2};
    struct sim_conversation_config talk = {.streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
    sim_phone_init(&s->phone, &config);
    sim_world_at(s->phone.world, 6 * S, fall_ill, s);
    sim_world_at(s->phone.world, until, recover, s);
    s->talk = sim_phone_talk(&s->phone, &talk);
}

static uint64_t bytes_read(const struct story *s) {
    struct sim_stream_result r;
    sim_conversation_result(s->talk, SIM_DOWN, &r);
    return r.read;
}

/* How long nothing was read, at most, until then. */
static braid_time longest_pause(struct story *s, braid_time until) {
    braid_time longest = 0, last = sim_world_now(s->phone.world);
    uint64_t read = bytes_read(s);
    while (sim_world_now(s->phone.world) < until) {
        sim_world_run(s->phone.world, sim_world_now(s->phone.world) + 10 * MS);
        if (bytes_read(s) == read) continue;
        read = bytes_read(s);
        if (sim_world_now(s->phone.world) - last > longest) longest = sim_world_now(s->phone.world) - last;
        last = sim_world_now(s->phone.world);
    }
    return longest;
}

/* What the server has of path 0, whose subflow may have been another. */
static struct braid_path_info first_path(const struct story *s) {
    struct braid_connection *server = sim_conversation_connection(s->talk, SIM_DOWN);
    struct braid_path_info path;
    for (unsigned i = 0; braid_connection_path(server, i, &path); i++)
        if (memcmp(&path.remote.address, &s->phone.addresses[0], sizeof(path.remote.address)) == 0) return path;
    fail_msg("the path is gone");
    return path;
}

static void end(struct story *s) {
    assert_null(sim_conversation_fault(s->talk));
    phone_end(&s->phone);
}

/* 1.3 of 20 Mb/s, for which everything would have to wait half a second. */
static void a_small_path_that_becomes_far_rests_until_it_is_near_again(void **state) {
    (void)state;
    const struct sim_path_config good = {.rate_bps = 18300000, .rtt_ns = 84 * MS, .queue_ns = 52 * MS};
    struct story s = {.well = {.rate_bps = 1300000, .rtt_ns = 112 * MS, .queue_ns = 111 * MS}};
    s.ill = s.well;
    s.ill.rtt_ns *= 10;
    begin(&s, &good, 25 * S, 73);
    sim_world_run(s.phone.world, 6 * S);
    uint64_t number = first_path(&s).number;
    braid_time at_first = longest_pause(&s, 10 * S), later = longest_pause(&s, 25 * S);
    uint64_t before = first_path(&s).bytes_sent;
    print_message("RTT x 10: nothing read for %.0f ms at first, %.0f ms later\n", ms_of(at_first), ms_of(later));
    assert_true(sim_host_counter(s.phone.server, "mptcp_subflow_rested") > 0);
    assert_int_equal(first_path(&s).number, number); /* slow is not gone */
    assert_true(at_first < 500 * MS && later < 200 * MS);
    sim_world_run(s.phone.world, 45 * S);
    uint64_t after = first_path(&s).bytes_sent;
    print_message("well again: %.2f MB by it in 20 s\n", (double)(after - before) / MB);
    assert_true(after - before > 1500000);
    end(&s);
}

/* What it had taken is at once sent again by the other, all of it. */
static void a_path_that_slows_to_a_crawl_holds_nothing_up(void **state) {
    (void)state;
    const struct sim_path_config good = {.rate_bps = 11800000, .rtt_ns = 187 * MS, .queue_ns = 34 * MS};
    struct story s = {.well = {.rate_bps = 1700000, .rtt_ns = 23 * MS, .queue_ns = 117 * MS}};
    s.ill = s.well;
    s.ill.rate_bps = 100000;
    begin(&s, &good, 60 * S, 90);
    sim_world_run(s.phone.world, 6 * S);
    braid_time pause = longest_pause(&s, 25 * S);
    print_message("0.1 Mb/s: nothing read for %.0f ms\n", ms_of(pause));
    assert_true(pause < 900 * MS);
    end(&s);
}

/* It is tried again with copies, which nobody has to wait for. */
static void a_path_that_loses_is_tried_at_nobodys_cost_and_comes_back(void **state) {
    (void)state;
    const struct sim_path_config good = {.rate_bps = 29700000, .rtt_ns = 121 * MS, .queue_ns = 100 * MS};
    struct story s = {.well = {.rate_bps = 3000000, .rtt_ns = 180 * MS, .queue_ns = 100 * MS}};
    s.ill = s.well;
    s.ill.loss = 0.05;
    begin(&s, &good, 30 * S, 168);
    sim_world_run(s.phone.world, 10 * S);
    assert_true(sim_host_counter(s.phone.server, "mptcp_subflow_harmful") > 0);
    braid_time pause = longest_pause(&s, 30 * S);
    uint64_t before = first_path(&s).bytes_sent;
    print_message("5 %% loss: nothing read for %.0f ms while it is tried again\n", ms_of(pause));
    assert_true(pause <= 30 * MS);
    sim_world_run(s.phone.world, 75 * S);
    uint64_t after = first_path(&s).bytes_sent;
    print_message("without loss again: %.2f MB by it in 45 s\n", (double)(after - before) / MB);
    assert_true(after - before > 2 * MB);
    end(&s);
}

/* Copies are for paths that would carry something: a backup carries nothing while a regular one works. */
static void a_path_that_rests_and_is_made_a_backup_gets_no_copies(void **state) {
    (void)state;
    const struct sim_path_config good = {.rate_bps = 29700000, .rtt_ns = 121 * MS, .queue_ns = 100 * MS};
    struct story s = {.well = {.rate_bps = 3000000, .rtt_ns = 180 * MS, .queue_ns = 100 * MS}};
    s.ill = s.well;
    s.ill.loss = 0.05;
    begin(&s, &good, 30 * S, 168);
    sim_world_run(s.phone.world, 9 * S);
    assert_true(sim_host_counter(s.phone.server, "mptcp_subflow_harmful") > 0);
    sim_path_set_backup(&s.phone, 0, true);
    sim_world_run(s.phone.world, 10 * S);
    uint64_t before = first_path(&s).bytes_sent;
    sim_world_run(s.phone.world, 40 * S);
    assert_int_equal(first_path(&s).bytes_sent, before);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_path_that_becomes_far_rests_until_it_is_near_again),
        cmocka_unit_test(a_path_that_slows_to_a_crawl_holds_nothing_up),
        cmocka_unit_test(a_path_that_loses_is_tried_at_nobodys_cost_and_comes_back),
        cmocka_unit_test(a_path_that_rests_and_is_made_a_backup_gets_no_copies),
    };
    return cmocka_run_group_tests_name("resting paths", tests, NULL, NULL);
}
