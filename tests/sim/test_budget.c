/* The memory that a stack's connections may hold together (memory_max_bytes): it is kept, and everyone gets on. */
#include "sim_test.h"

#include <sim/middlebox.h>

enum { TALKS = 40, LEAST = 8192 };

static const struct sim_path_config path = {.rate_bps = 100000000, .rtt_ns = 20 * MS, .queue_ns = 50 * MS};

static struct sim_conversation *talk(struct sim_phone *phone, enum sim_direction way, uint64_t bytes, bool plain) {
    struct sim_conversation_config config = {.plain_client = plain};
    config.streams[way] = (struct sim_stream_config){.bytes = bytes};
    return sim_phone_talk(phone, &config);
}

static uint64_t most_held(struct sim_phone *phone, const struct sim_host *host, braid_time until) {
    uint64_t most = 0;
    while (sim_world_now(phone->world) < until) {
        sim_world_run(phone->world, sim_world_now(phone->world) + 2 * MS);
        uint64_t held = braid_stack_memory_bytes(sim_host_stack(host));
        if (held > most) most = held;
    }
    return most;
}

/* Uploads to applications that do not read, then to ones that do. */
static void what_nobody_reads_is_bounded_for_all_together(void **state) {
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) { /* plain; Multipath TCP on one path; on two */
        struct sim_phone phone;
        struct sim_phone_config config = {.world = {.seed = 1 + kind}, .paths = {path, path}, .path_count = kind == 2 ? 2 : 1};
        config.server.memory_max_bytes = 2 << 20;
        sim_phone_init(&phone, &config);
        struct sim_conversation *c[TALKS];
        for (unsigned i = 0; i < TALKS; i++) {
            c[i] = talk(&phone, SIM_UP, 1 << 20, kind == 0);
            sim_conversation_pause_reading(c[i], SIM_DOWN, true);
        }
        uint64_t most = most_held(&phone, phone.server, sim_world_now(phone.world) + 5 * S);
        uint64_t dropped = sim_host_counter(phone.server, "tcp_over_budget") + sim_host_counter(phone.server, "mptcp_data_over_budget");
        print_message("%u unread uploads: %.2f MB held of 2.10, %llu segments dropped\n", TALKS, (double)most / 1e6,
                      (unsigned long long)dropped);
        assert_true(most > 1 << 20 && most <= (2 << 20) + TALKS * (uint64_t)(LEAST + 65536 / 8));
        for (unsigned i = 0; i < TALKS; i++) sim_conversation_pause_reading(c[i], SIM_DOWN, false);
        sim_world_run_conversations(phone.world, sim_world_now(phone.world) + 300 * S);
        for (unsigned i = 0; i < TALKS; i++) assert_whole(c[i]);
        assert_int_equal(braid_stack_memory_bytes(sim_host_stack(phone.server)), 0);
        phone_end(&phone);
    }
}

/* Downloads to clients that read slowly or not at all do not keep the others from being served. */
static void what_is_written_is_bounded_for_all_together(void **state) {
    (void)state;
    struct sim_phone phone;
    struct sim_phone_config config = {.world = {.seed = 4}, .paths = {path}, .path_count = 1};
    config.server.memory_max_bytes = 1 << 20;
    config.client.receive_buffer_max_bytes = config.client.receive_buffer_initial_bytes = 10000;
    sim_phone_init(&phone, &config);
    struct sim_conversation *c[TALKS];
    for (unsigned i = 0; i < TALKS; i++) {
        c[i] = talk(&phone, SIM_DOWN, 1 << 20, i % 2 == 0);
        if (i < TALKS / 2) sim_conversation_pause_reading(c[i], SIM_UP, true);
    }
    uint64_t most = most_held(&phone, phone.server, sim_world_now(phone.world) + 5 * S);
    print_message("%u downloads, half of them unread: %.2f MB held of 1.05\n", TALKS, (double)most / 1e6);
    assert_true(most > 500000 && most <= (1 << 20) + TALKS * (uint64_t)LEAST);
    sim_world_run(phone.world, sim_world_now(phone.world) + 30 * S);
    for (unsigned i = TALKS / 2; i < TALKS; i++) assert_whole(c[i]);
    for (unsigned i = 0; i < TALKS; i++) sim_conversation_pause_reading(c[i], SIM_UP, false);
    sim_world_run_conversations(phone.world, sim_world_now(phone.world) + 60 * S);
    for (unsigned i = 0; i < TALKS; i++) assert_whole(c[i]);
    phone_end(&phone);
}

/* However small it is, and whatever the paths do. */
static void with_little_memory_everything_arrives(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim_phone phone;
        struct sim_phone_config config = {.world = {.seed = seed}, .paths = {path, path}, .path_count = 1 + (unsigned)(seed % 2)};
        config.paths[1].rtt_ns = (20 + seed * 7 % 200) * MS;
        config.paths[0].loss = 0.02 * (double)(seed % 3);
        config.server.memory_max_bytes = config.client.memory_max_bytes = 1000 << seed % 10;
        sim_phone_init(&phone, &config);
        struct sim_conversation *c[5];
        for (unsigned i = 0; i < 5; i++) {
            struct sim_conversation_config both = {.plain_client = (seed + i) % 3 == 0};
            both.streams[SIM_UP].bytes = 1 + (seed * 7919 + i * 104729) % 100000;
            both.streams[SIM_DOWN].bytes = 1 + (seed * 104729 + i * 7919) % 100000;
            c[i] = sim_phone_talk(&phone, &both);
        }
        sim_world_run_conversations(phone.world, sim_world_now(phone.world) + 600 * S);
        for (unsigned i = 0; i < 5; i++) assert_whole(c[i]);
        phone_end(&phone);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_nobody_reads_is_bounded_for_all_together),
        cmocka_unit_test(what_is_written_is_bounded_for_all_together),
        cmocka_unit_test(with_little_memory_everything_arrives),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
