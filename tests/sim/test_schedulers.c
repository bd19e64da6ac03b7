/* What the default scheduler is worth, in virtual time: two unlike paths by receive buffer, and paths that get worse in
 * the middle of a transfer. bench/schedulers.c has the same figures for all schedulers, and more of them. */
#include "sim_test.h"

struct degrading {
    struct sim_phone phone;
    struct sim_path_config later;
};

static void degrade(void *context, braid_time now) {
    struct degrading *d = context;
    (void)now;
    sim_path_shape(&d->phone, 0, &d->later);
}

/* Of a download; what counts is [from, until]. later: what becomes of path 0 after 6 s, NULL: nothing. */
static double download_mbps(const struct sim_phone_config *config, bool plain, const struct sim_path_config *later,
                            braid_time from, braid_time until) {
    struct degrading d = {.later = later != NULL ? *later : config->paths[0]};
    struct sim_stream_result before, after;
    sim_phone_init(&d.phone, config);
    if (later != NULL) sim_world_at(d.phone.world, 6 * S, degrade, &d);
    struct sim_conversation_config talk = {.plain_client = plain, .streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
    struct sim_conversation *c = sim_phone_talk(&d.phone, &talk);
    braid_time began = sim_world_now(d.phone.world);
    sim_world_run(d.phone.world, began + from);
    sim_conversation_result(c, SIM_DOWN, &before);
    sim_world_run(d.phone.world, began + until);
    sim_conversation_result(c, SIM_DOWN, &after);
    assert_null(sim_conversation_fault(c));
    phone_end(&d.phone);
    return (double)(after.read - before.read) * 8e3 / (double)(until - from);
}

static void a_slow_path_never_costs_and_helps_when_there_is_a_window_for_it(void **state) {
    (void)state;
    static const struct {
        uint32_t kilobytes;
        double at_least;
    } cases[] = {{50, 7.55}, {100, 7.55}, {200, 8.5}, {350, 9.2}, {1000, 9.2}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_phone_config config = {.world = {.seed = 1},
                                          .paths = {{.rate_bps = 8000000, .rtt_ns = 20 * MS},
                                                    {.rate_bps = 2000000, .rtt_ns = 150 * MS}},
                                          .path_count = 2};
        config.client.receive_buffer_initial_bytes = config.client.receive_buffer_max_bytes = cases[i].kilobytes * 1000;
        double mbps = download_mbps(&config, false, NULL, 5 * S, 25 * S);
        print_message("8 and 2 Mb/s, %u kB: %.2f Mb/s\n", cases[i].kilobytes, mbps);
        assert_true(mbps >= cases[i].at_least);
    }
}

/* Path 0 gets worse; with both no less than with path 1, or with path 0 as it is, alone. */
static void a_path_that_gets_worse_makes_nothing_worse(void **state) {
    (void)state;
    const struct sim_path_config good = {.rate_bps = 12000000, .rtt_ns = 60 * MS, .queue_ns = 100 * MS};
    const struct sim_path_config small = {.rate_bps = 3000000, .rtt_ns = 30 * MS, .queue_ns = 100 * MS};
    struct sim_path_config lossy = small, deep = small, slow = small, far = small;
    lossy.loss = 0.1;
    deep.queue_ns = 2 * S;
    slow.rate_bps = 100000;
    far.rtt_ns = 300 * MS;
    const struct {
        const char *what;
        struct sim_path_config later;
    } cases[] = {{"10 % loss", lossy}, {"a queue of 2 s", deep}, {"0.1 Mb/s", slow}, {"RTT x 10", far}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sim_phone_config both = {.world = {.seed = 5}, .paths = {small, good}, .path_count = 2};
        struct sim_phone_config alone = {.world = {.seed = 5}, .paths = {good}, .path_count = 1};
        double better = download_mbps(&alone, true, NULL, 0, 25 * S);
        double mbps = download_mbps(&both, false, &cases[i].later, 0, 25 * S);
        print_message("one path gets %s: %.2f Mb/s, %.2f of the other alone\n", cases[i].what, mbps, mbps / better);
        assert_true(mbps >= 0.95 * better);
    }
}

/* Unlike a queue, which drains: the window and what may enter the path follow. */
static void a_path_that_becomes_longer_is_used_all_the_same(void **state) {
    (void)state;
    const struct sim_path_config near = {.rate_bps = 10000000, .rtt_ns = 40 * MS, .queue_ns = 100 * MS};
    const struct sim_path_config small = {.rate_bps = 1000000, .rtt_ns = 40 * MS, .queue_ns = 100 * MS};
    struct sim_path_config far = near;
    far.rtt_ns = 400 * MS;
    struct sim_phone_config config = {.world = {.seed = 7}, .paths = {near, small}, .path_count = 2};
    double mbps = download_mbps(&config, false, &far, 20 * S, 40 * S);
    print_message("40 ms become 400: %.2f Mb/s\n", mbps);
    assert_true(mbps > 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_path_never_costs_and_helps_when_there_is_a_window_for_it),
        cmocka_unit_test(a_path_that_gets_worse_makes_nothing_worse),
        cmocka_unit_test(a_path_that_becomes_longer_is_used_all_the_same),
    };
    return cmocka_run_group_tests_name("schedulers", tests, NULL, NULL);
}
