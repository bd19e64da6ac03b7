/* BBR in virtual time: it fills a link, keeps its queue short, does not mind random loss, and shares with CUBIC. */
#include "sim_test.h"

static struct sim_phone_config one_path(uint64_t seed, const char *congestion) {
    return (struct sim_phone_config){
        .world = {.seed = seed},
        .server = {.congestion = congestion, .send_buffer_bytes = 16u << 20},
        .paths = {{.rate_bps = 50000000, .rtt_ns = 30 * MS, .queue_ns = 200 * MS}},
        .path_count = 1};
}

/* The rate at which the phone reads what the server writes, from `from` on, and the longest queue meanwhile. */
static double download_mbps(const struct sim_phone_config *config, braid_time from, braid_time to, double *queue_ms) {
    struct sim_phone phone;
    struct sim_stream_result before, after;
    sim_phone_init(&phone, config);
    struct sim_conversation_config talk = {.plain_client = true, .streams[SIM_DOWN] = {.bytes = 4000ull * MB}};
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    braid_time began = sim_world_now(phone.world);
    sim_world_run(phone.world, began + from);
    sim_conversation_result(c, SIM_DOWN, &before);
    double sum = 0;
    unsigned samples = 0;
    for (braid_time at = from; at < to; at += 10 * MS) {
        sim_world_run(phone.world, began + at);
        sum += (double)sim_wire_model(phone.wires[0], SIM_DOWN)->queued_bytes;
        samples++;
    }
    sim_conversation_result(c, SIM_DOWN, &after);
    if (queue_ms) *queue_ms = sum / samples * 8e3 / (double)config->paths[0].rate_bps;
    assert_null(sim_conversation_fault(c));
    phone_end(&phone);
    return (double)(after.read - before.read) * 8e3 / (double)(to - from);
}

static void it_fills_a_link_and_keeps_its_queue_short(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_phone_config config = one_path(seed, "bbr");
        double queue, cubic_queue, rate = download_mbps(&config, 2 * S, 20 * S, &queue);
        config.server.congestion = "cubic";
        double cubic = download_mbps(&config, 2 * S, 20 * S, &cubic_queue);
        print_message("50 Mb/s, 30 ms: bbr %.1f Mb/s, mean queue %.1f ms; cubic %.1f Mb/s, %.1f ms\n", rate, queue, cubic,
                      cubic_queue);
        assert_true(rate > 45);
        assert_true(queue < 15);
    }
}

/* Of single seeds 20 to 43 Mb/s: when losses come decides how soon it dares to probe. */
static void random_loss_of_a_percent_does_not_slow_it(void **state) {
    enum { SEEDS = 16 };
    double sum = 0, cubic_sum = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim_phone_config config = one_path(seed, "bbr");
        config.paths[0].loss = 0.01;
        sum += download_mbps(&config, 2 * S, 20 * S, NULL);
        config.server.congestion = "cubic";
        cubic_sum += download_mbps(&config, 2 * S, 20 * S, NULL);
    }
    print_message("with 1 %% of loss: bbr %.1f Mb/s, cubic %.1f Mb/s\n", sum / SEEDS, cubic_sum / SEEDS);
    assert_true(sum / SEEDS > 35);
    assert_true(sum > 4 * cubic_sum);
}

/* What the kernel calls bbr: no loss is a sign of anything to it. */
static void version_1_does_not_mind_five_percent_either(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct sim_phone_config config = one_path(seed, "bbr1");
        config.paths[0].loss = 0.05;
        double rate = download_mbps(&config, 2 * S, 20 * S, NULL);
        config.server.congestion = "bbr";
        print_message("with 5 %% of loss: version 1 %.1f Mb/s, version 3 %.1f Mb/s\n", rate,
                      download_mbps(&config, 2 * S, 20 * S, NULL));
        assert_true(rate > 40);
    }
}

static void a_shallow_queue_is_enough(void **state) {
    (void)state;
    static const unsigned queues_ms[] = {3, 6, 15, 30};
    for (unsigned i = 0; i < sizeof(queues_ms) / sizeof(queues_ms[0]); i++) {
        struct sim_phone_config config = one_path(11, "bbr");
        config.paths[0].queue_ns = queues_ms[i] * MS;
        double rate = download_mbps(&config, 2 * S, 20 * S, NULL);
        config.server.congestion = "cubic";
        double cubic = download_mbps(&config, 2 * S, 20 * S, NULL);
        print_message("a queue of %u ms: bbr %.1f Mb/s, cubic %.1f Mb/s\n", queues_ms[i], rate, cubic);
        assert_true(rate > 40);
    }
}

static void it_starts_as_fast_as_slow_start(void **state) {
    (void)state;
    struct sim_phone_config config = one_path(1, "bbr");
    double rate = download_mbps(&config, 0, 1 * S, NULL);
    print_message("in the first second: %.1f Mb/s\n", rate);
    assert_true(rate > 30);
}

/* A link that gets slower, then faster again. */
static void it_follows_the_link(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = one_path(5, "bbr");
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {.plain_client = true, .streams[SIM_DOWN] = {.bytes = 4000ull * MB}};
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    struct sim_path_config path = config.paths[0];
    static const struct {
        unsigned mbps;
        double at_least;
    } phases[] = {{50, 44}, {10, 8.5}, {50, 35}, {100, 60}};
    for (unsigned i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        struct sim_stream_result before, after;
        path.rate_bps = phases[i].mbps * 1000000ull;
        sim_path_shape(&phone, 0, &path);
        sim_world_run(phone.world, sim_world_now(phone.world) + 10 * S);
        sim_conversation_result(c, SIM_DOWN, &before);
        sim_world_run(phone.world, sim_world_now(phone.world) + 10 * S);
        sim_conversation_result(c, SIM_DOWN, &after);
        double rate = (double)(after.read - before.read) * 8e3 / (double)(10 * S);
        print_message("%u Mb/s: %.1f\n", phases[i].mbps, rate);
        assert_true(rate >= phases[i].at_least);
    }
    phone_end(&phone);
}

/* Two downloads through one bottleneck whose queue holds two round trips: the shares, from the tenth second on. */
static void share(const char *first, const char *second, uint64_t seed, double mbps[2]) {
    struct sim_phone phone;
    struct sim_phone_config config = one_path(seed, NULL);
    struct sim_conversation *c[2];
    const char *const names[2] = {first, second};
    config.paths[0].queue_ns = 60 * MS;
    sim_phone_init(&phone, &config);
    for (int i = 0; i < 2; i++) {
        struct sim_conversation_config talk = {.plain_client = true,
                                               .congestion = names[i],
                                               .start_ns = sim_world_now(phone.world) + (braid_time)i * 500 * MS,
                                               .streams[SIM_DOWN] = {.bytes = 4000ull * MB}};
        c[i] = sim_phone_talk(&phone, &talk);
    }
    struct sim_stream_result before[2], after;
    sim_world_run(phone.world, sim_world_now(phone.world) + 10 * S);
    for (int i = 0; i < 2; i++) sim_conversation_result(c[i], SIM_DOWN, &before[i]);
    sim_world_run(phone.world, sim_world_now(phone.world) + 40 * S);
    for (int i = 0; i < 2; i++) {
        sim_conversation_result(c[i], SIM_DOWN, &after);
        mbps[i] = (double)(after.read - before[i].read) * 8e3 / (double)(40 * S);
    }
    phone_end(&phone);
}

static void it_shares_with_cubic_and_with_itself(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        double mixed[2], alike[2];
        share("bbr", "cubic", seed, mixed);
        share("bbr", "bbr", seed, alike);
        print_message("one bottleneck of 50 Mb/s: bbr %.1f, cubic %.1f; bbr %.1f, bbr %.1f\n", mixed[0], mixed[1], alike[0],
                      alike[1]);
        assert_true(mixed[0] > 9 && mixed[1] > 9);
        assert_true(alike[0] > 14 && alike[1] > 14);
        assert_true(mixed[0] + mixed[1] > 44 && alike[0] + alike[1] > 44);
    }
}

static void two_paths_under_mptcp(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = {.world = {.seed = 9},
                                      .server = {.congestion = "bbr"},
                                      .client = {.congestion = "bbr"},
                                      .paths = {sim_wifi, sim_cellular},
                                      .path_count = 2};
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {.streams[SIM_DOWN] = {.bytes = 100ull * MB}};
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    braid_time began = sim_world_now(phone.world);
    sim_world_run_conversations(phone.world, began + 60 * S);
    assert_whole(c);
    double rate = read_mbps(c, SIM_DOWN, began);
    print_message("50 and 20 Mb/s together: %.1f Mb/s\n", rate);
    assert_true(rate > 55);
    phone_end(&phone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_fills_a_link_and_keeps_its_queue_short),
        cmocka_unit_test(random_loss_of_a_percent_does_not_slow_it),
        cmocka_unit_test(version_1_does_not_mind_five_percent_either),
        cmocka_unit_test(a_shallow_queue_is_enough),
        cmocka_unit_test(it_starts_as_fast_as_slow_start),
        cmocka_unit_test(it_follows_the_link),
        cmocka_unit_test(it_shares_with_cubic_and_with_itself),
        cmocka_unit_test(two_paths_under_mptcp),
    };
    return cmocka_run_group_tests_name("bbr", tests, NULL, NULL);
}
