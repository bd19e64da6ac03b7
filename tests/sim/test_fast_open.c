/* Fast Open (RFC 7413), between two stacks: a cookie, a round trip saved, and nothing lost where something does not play
 * along; with Multipath TCP (RFC 8684 appendix B) and without. */
#include "sim_test.h"

static const struct sim_path_config path = {.rate_bps = 20000000, .rtt_ns = 100 * MS, .queue_ns = 100 * MS};

/* A request and its answer; how long it took, from the connect to the last byte of the answer. */
struct exchange {
    uint32_t request, answer;
    bool plain;
    uint32_t pending_max;
};

static struct sim_conversation *begin(struct sim_phone *phone, const struct exchange *e) {
    struct sim_conversation_config talk = {.plain_client = e->plain, .fast_open = true, .fast_open_pending_max = e->pending_max};
    talk.streams[SIM_UP] = (struct sim_stream_config){.bytes = e->request};
    talk.streams[SIM_DOWN] = (struct sim_stream_config){.bytes = e->answer, .echo = e->answer == e->request};
    return sim_phone_talk(phone, &talk);
}

static double exchange_ms(struct sim_phone *phone, const struct exchange *e) {
    braid_time began = sim_world_now(phone->world);
    struct sim_conversation *c = begin(phone, e);
    sim_world_run_conversations(phone->world, began + 60 * S);
    assert_whole(c);
    struct sim_stream_result down;
    sim_conversation_result(c, SIM_DOWN, &down);
    return ms_of(down.last_at - began);
}

static uint64_t counted(const struct sim_host *host, const char *name) { return sim_host_counter(host, name); }

static void phone_begin(struct sim_phone *phone, uint64_t seed) {
    struct sim_phone_config config = {.world = {.seed = seed}, .paths = {path}, .path_count = 1};
    sim_phone_init(phone, &config);
}

static void the_second_exchange_takes_a_round_trip_less(void **state) {
    (void)state;
    struct sim_phone phone;
    const struct exchange e = {.request = 200, .answer = 200, .plain = true};
    phone_begin(&phone, 1);
    double first = exchange_ms(&phone, &e), second = exchange_ms(&phone, &e), third = exchange_ms(&phone, &e);
    print_message("200 bytes and back, 100 ms: %.1f ms, then %.1f and %.1f\n", first, second, third);
    assert_true(first > 199 && second < 105 && third < 105);
    assert_int_equal(counted(phone.server, "fast_open_cookies_given"), 1);
    assert_int_equal(counted(phone.server, "fast_open_accepted"), 2);
    assert_int_equal(counted(phone.client, "fast_open_taken"), 2);
    phone_end(&phone);
}

/* What goes with the SYN is outside of the data sequence numbers, whichever way the rest goes. */
static void multipath_tcp_comes_with_it(void **state) {
    (void)state;
    static const uint32_t requests[] = {1, 200, 1300, 1400, 5000, 100000};
    for (unsigned checksum = 0; checksum < 2; checksum++) {
        struct sim_phone phone;
        struct sim_phone_config config = {.world = {.seed = 2}, .paths = {path, path}, .path_count = 2};
        config.client.checksum = checksum == 1;
        sim_phone_init(&phone, &config);
        for (unsigned i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
            const struct exchange e = {.request = requests[i], .answer = 70000};
            double took = exchange_ms(&phone, &e);
            print_message("%u bytes: %.1f ms\n", requests[i], took);
        }
        assert_int_equal(counted(phone.client, "fast_open_taken"), 5);
        assert_int_equal(counted(phone.client, "mptcp_capable_established_active"), 6);
        assert_int_equal(counted(phone.server, "mptcp_capable_established_passive"), 6);
        assert_int_equal(counted(phone.server, "mptcp_fallback_third_ack") + counted(phone.client, "mptcp_dss_checksum_failed") +
                             counted(phone.server, "mptcp_dss_checksum_failed"), 0);
        phone_end(&phone);
    }
}


static void in_the_way(struct sim_phone *phone, struct sim_box *box) { sim_link_insert(phone->links[0], 0, box); }

/* A middlebox drops every SYN with option 34: the connection comes all the same, a second later, and the next ones do not
 * ask. After a while it is tried again. */
static void a_syn_that_is_dropped_is_said_again_without_and_remembered(void **state) {
    (void)state;
    struct sim_phone phone;
    const struct exchange e = {.request = 200, .answer = 200, .plain = true};
    phone_begin(&phone, 3);
    in_the_way(&phone, sim_syn_dropper(phone.world, 34, 0));
    double first = exchange_ms(&phone, &e), second = exchange_ms(&phone, &e);
    print_message("SYNs with option 34 are dropped: %.1f ms, then %.1f\n", first, second);
    assert_true(first > 1150 && first < 1300 && second < 210);
    assert_int_equal(counted(phone.client, "fast_open_syn_lost"), 1);
    phone_end(&phone);
}

static void data_that_a_middlebox_takes_off_a_syn_goes_again(void **state) {
    (void)state;
    for (unsigned plain = 0; plain < 2; plain++) {
        struct sim_phone phone;
        const struct exchange e = {.request = 1000, .answer = 1000, .plain = plain == 1};
        phone_begin(&phone, 4);
        in_the_way(&phone, sim_syn_payload_stripper(phone.world));
        for (unsigned i = 0; i < 3; i++) exchange_ms(&phone, &e);
        assert_int_equal(counted(phone.client, "fast_open_taken"), 0);
        assert_true(counted(phone.client, "fast_open_not_taken") > 0);
        phone_end(&phone);
    }
}

static void no_more_are_pending_than_the_listener_permits(void **state) {
    (void)state;
    struct sim_phone phone;
    const struct exchange e = {.request = 200, .answer = 200, .plain = true, .pending_max = 1};
    phone_begin(&phone, 5);
    exchange_ms(&phone, &e);
    struct sim_conversation *c[4];
    for (unsigned i = 0; i < 4; i++) c[i] = begin(&phone, &e); /* each has a port, and so a listener, of its own */
    sim_world_run_conversations(phone.world, sim_world_now(phone.world) + 10 * S);
    for (unsigned i = 0; i < 4; i++) assert_whole(c[i]);
    assert_int_equal(counted(phone.server, "fast_open_accepted"), 4);
    phone_end(&phone);
}

/* Loss, duplication and reordering of every kind of segment. */
static void nothing_is_lost_or_said_twice_over_bad_paths(void **state) {
    (void)state;
    unsigned taken = 0, worlds = 0;
    for (uint64_t seed = 1; seed <= 150; seed++, worlds++) {
        struct sim_phone phone;
        struct sim_phone_config config = {.world = {.seed = seed}, .paths = {path, path}, .path_count = 1 + (unsigned)(seed % 2)};
        config.paths[0].loss = 0.05 * (double)(seed % 4);
        config.client.cookies = config.server.cookies = seed % 5 == 0 ? BRAID_COOKIES_ALWAYS : BRAID_COOKIES_WHEN_FULL;
        sim_phone_init(&phone, &config);
        for (unsigned i = 0; i < 5; i++) {
            const struct exchange e = {.request = 1 + (uint32_t)(seed * 977 + i * 331) % 4000,
                                       .answer = 1 + (uint32_t)(seed * 613 + i * 577) % 40000, .plain = (seed + i) % 3 == 0};
            struct sim_conversation *c = begin(&phone, &e);
            sim_world_run_conversations(phone.world, sim_world_now(phone.world) + 300 * S);
            assert_whole(c);
        }
        taken += (unsigned)counted(phone.client, "fast_open_taken");
        phone_end(&phone);
    }
    print_message("%u of %u SYNs' data taken\n", taken, worlds * 5);
    assert_true(taken > worlds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_exchange_takes_a_round_trip_less),
        cmocka_unit_test(multipath_tcp_comes_with_it),
        cmocka_unit_test(a_syn_that_is_dropped_is_said_again_without_and_remembered),
        cmocka_unit_test(data_that_a_middlebox_takes_off_a_syn_goes_again),
        cmocka_unit_test(no_more_are_pending_than_the_listener_permits),
        cmocka_unit_test(nothing_is_lost_or_said_twice_over_bad_paths),
    };
    return cmocka_run_group_tests_name("fast open", tests, NULL, NULL);
}
