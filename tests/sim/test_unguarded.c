/* Downloads from a peer that only schedules, as the Linux kernel does: nothing is sent again on suspicion, no path rests, none is
 * kept from blocking the window (scheduler `linux`). What can be done about it is done by who receives: src/mptcp/spare.c, window.c. */
#include "sim_test.h"

struct story {
    struct sim_phone phone;
    struct sim_conversation *talk;
    struct sim_path_config ill;
};

static void fall_ill(void *context, braid_time now) {
    struct story *s = context;
    (void)now;
    sim_path_shape(&s->phone, 1, &s->ill);
}

static uint64_t bytes_read(const struct story *s) {
    struct sim_stream_result r;
    sim_conversation_result(s->talk, SIM_DOWN, &r);
    return r.read;
}

/* Mb/s from 2 s to 20 s, of a download over 20 Mb/s of 30 ms and 5 Mb/s of 70 ms, the second of which becomes `ill` after 3 s. */
static double download_mbps(struct story *s, uint64_t seed, const struct sim_path_config *ill) {
    static const struct sim_path_config good = {.rate_bps = 20000000, .rtt_ns = 30 * MS, .queue_ns = 100 * MS},
                                        small = {.rate_bps = 5000000, .rtt_ns = 70 * MS, .queue_ns = 100 * MS};
    struct sim_phone_config config = {.world = {.seed = seed}, .server = {.scheduler = "linux"}, .paths = {good, small}, .path_count = 2};
    struct sim_conversation_config talk = {.streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
    sim_phone_init(&s->phone, &config);
    if (ill) s->ill = *ill;
    if (ill) sim_world_at(s->phone.world, 3 * S, fall_ill, s);
    s->talk = sim_phone_talk(&s->phone, &talk);
    sim_world_run(s->phone.world, 2 * S);
    uint64_t before = bytes_read(s);
    sim_world_run(s->phone.world, 20 * S);
    assert_null(sim_conversation_fault(s->talk));
    return (double)(bytes_read(s) - before) * 8e3 / (double)(18 * S);
}

static uint64_t host_counter(const struct story *s, const char *name) { return sim_host_counter(s->phone.client, name); }

/* Of 25 Mb/s 23.8 are payload; without a window that is stretched, 19.7. */
static void a_peer_that_fills_its_queues_gets_the_window_for_both_paths(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct story s;
        double mbps = download_mbps(&s, seed, NULL);
        print_message("both paths well: %.1f Mb/s\n", mbps);
        assert_true(mbps > 21);
        phone_end(&s.phone);
    }
}

static void a_path_that_loses_is_left_alone_by_the_peer(void **state) {
    (void)state;
    const struct sim_path_config ill = {.rate_bps = 5000000, .rtt_ns = 70 * MS, .queue_ns = 100 * MS, .loss = 0.2};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct story s;
        double mbps = download_mbps(&s, seed, &ill);
        print_message("20 %% loss on the small one: %.1f Mb/s, asked %u times\n", mbps, (unsigned)host_counter(&s, "mptcp_subflow_spared"));
        assert_true(mbps > 0.95 * 19);
        phone_end(&s.phone);
    }
}

/* What is under way on it would take 12 s: the peer has to send it on the other. */
static void a_path_that_crawls_is_reset_and_what_it_had_comes_by_the_other(void **state) {
    (void)state;
    const struct sim_path_config ill = {.rate_bps = 100000, .rtt_ns = 70 * MS, .queue_ns = 100 * MS};
    uint64_t asked = 0, reset = 0;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct story s;
        double mbps = download_mbps(&s, seed, &ill);
        print_message("the small one carries 0.1 Mb/s: %.1f Mb/s, asked %u times, reset %u times\n", mbps, (unsigned)host_counter(&s, "mptcp_subflow_spared"),
                      (unsigned)host_counter(&s, "mptcp_subflow_costly"));
        assert_true(mbps > 0.93 * 19); /* of 18 s it takes one to find it out, in which nothing may come at all */
        asked += host_counter(&s, "mptcp_subflow_spared");
        reset += host_counter(&s, "mptcp_subflow_costly");
        phone_end(&s.phone);
    }
    assert_true(asked > 0 && reset > 0); /* where the path was not given up for another reason before */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_that_fills_its_queues_gets_the_window_for_both_paths),
        cmocka_unit_test(a_path_that_loses_is_left_alone_by_the_peer),
        cmocka_unit_test(a_path_that_crawls_is_reset_and_what_it_had_comes_by_the_other),
    };
    return cmocka_run_group_tests_name("unguarded", tests, NULL, NULL);
}
