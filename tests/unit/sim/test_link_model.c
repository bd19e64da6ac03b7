#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sim/link_model.h>

#define MS BRAID_NS_PER_MS
#define US BRAID_NS_PER_US

struct memory {
    size_t bytes_out;
    uint64_t allocations_left;
};

static void *allocate(void *context, size_t size) {
    struct memory *memory = context;
    if (memory->allocations_left == 0) return NULL;
    memory->allocations_left--;
    memory->bytes_out += size;
    return malloc(size);
}

static void release(void *context, void *block, size_t size) {
    struct memory *memory = context;
    assert_true(memory->bytes_out >= size);
    memory->bytes_out -= size;
    free(block);
}

static struct memory memory;
static const struct braid_env env = {.context = &memory, .allocate = allocate, .release = release};

static int set_up(void **state) {
    (void)state;
    memory = (struct memory){.allocations_left = UINT64_MAX};
    return 0;
}

static int nothing_leaked(void **state) {
    (void)state;
    return memory.bytes_out == 0 ? 0 : -1;
}

static void start(struct link_model *model, struct link_model_config config) {
    link_model_init(model, &env, &config, 1);
}

static void offer(struct link_model *model, uint32_t bytes, uint64_t tag, braid_time now,
                  enum link_fate expected) {
    assert_int_equal(link_model_offer(model, bytes, tag, now), expected);
}

/* Waits for the next packet, as a driver does: at the deadline and not before it. */
static struct link_model_packet next(struct link_model *model) {
    struct link_model_packet packet;
    braid_time deadline = link_model_deadline(model);
    assert_true(deadline != BRAID_NEVER);
    if (deadline > 0) assert_false(link_model_take(model, deadline - 1, &packet));
    assert_true(link_model_take(model, deadline, &packet));
    return packet;
}

static void expect_next(struct link_model *model, uint64_t tag, enum link_fate fate, braid_time due) {
    struct link_model_packet packet = next(model);
    assert_int_equal(packet.tag, tag);
    assert_int_equal(packet.fate, fate);
    assert_int_equal(packet.due_ns, due);
}

static void a_packet_takes_its_sending_time_and_the_delay(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 8000000, .delay_ns = 10 * MS}); /* 1 byte/us */
    offer(&model, 1000, 7, 5 * MS, LINK_PASSED);
    expect_next(&model, 7, LINK_PASSED, 16 * MS);
    assert_true(link_model_deadline(&model) == BRAID_NEVER);
    link_model_deinit(&model);
}

static void packets_wait_for_those_before_them(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 8000000, .delay_ns = 10 * MS});
    offer(&model, 1000, 1, 0, LINK_PASSED);
    offer(&model, 500, 2, 0, LINK_PASSED);
    assert_int_equal(link_model_queued_bytes(&model), 1500);
    assert_int_equal(link_model_queue_delay_ns(&model, 0), 1500 * US);
    offer(&model, 1000, 3, 5 * MS, LINK_PASSED); /* the queue is empty again by then */
    expect_next(&model, 1, LINK_PASSED, 11 * MS);
    expect_next(&model, 2, LINK_PASSED, 11500 * US);
    expect_next(&model, 3, LINK_PASSED, 16 * MS);
    link_model_deinit(&model);
}

static void without_a_rate_only_the_delay_counts(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.delay_ns = 3 * MS, .queue_ns = 1});
    for (unsigned i = 0; i < 1000; i++)
        offer(&model, 1500, i, i, LINK_PASSED);
    for (unsigned i = 0; i < 1000; i++)
        expect_next(&model, i, LINK_PASSED, 3 * MS + i);
    link_model_deinit(&model);
}

static void the_queue_is_bounded_in_bytes(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 8000000, .queue_bytes = 3000});
    offer(&model, 5000, 1, 0, LINK_PASSED); /* an empty queue takes any packet */
    offer(&model, 1, 2, 0, LINK_DROPPED_QUEUE_FULL);
    offer(&model, 1500, 3, 5 * MS, LINK_PASSED);
    offer(&model, 1500, 4, 5 * MS, LINK_PASSED);
    offer(&model, 1, 5, 5 * MS, LINK_DROPPED_QUEUE_FULL);
    offer(&model, 1500, 6, 5 * MS + 1500 * US, LINK_PASSED); /* one has been sent */
    assert_int_equal(model.counters.packets[LINK_DROPPED_QUEUE_FULL], 2);
    assert_int_equal(model.counters.bytes[LINK_DROPPED_QUEUE_FULL], 2);
    assert_int_equal(model.counters.queue_peak_bytes, 5000);
    link_model_deinit(&model);
}

static void the_queue_is_bounded_in_time_at_the_rate(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 50000000, .queue_ns = 100 * MS}); /* 625,000 bytes */
    for (unsigned i = 0; i < 625; i++)
        offer(&model, 1000, i, 0, LINK_PASSED);
    offer(&model, 1000, 625, 0, LINK_DROPPED_QUEUE_FULL);
    for (unsigned i = 0; i < 625; i++)
        expect_next(&model, i, LINK_PASSED, (i + 1) * 160 * US);
    link_model_deinit(&model);
}

/* A sender that never stops, for ten seconds of virtual time. */
static void a_saturated_link_carries_exactly_its_rate(void **state) {
    (void)state;
    struct link_model model;
    start(&model,
          (struct link_model_config){.rate_bps = 50000000, .delay_ns = 15 * MS, .queue_ns = 100 * MS});
    uint64_t carried = 0;
    for (braid_time now = 0; now < 10 * BRAID_NS_PER_S; now += 100 * US) {
        struct link_model_packet packet;
        while (link_model_offer(&model, 1514, 0, now) == LINK_PASSED)
            continue;
        while (link_model_take(&model, now, &packet)) {
            carried += packet.bytes;
            assert_true(packet.due_ns <= now && packet.due_ns + 100 * US > now);
        }
    }
    double expected = 50e6 / 8 * (10 - 0.015);
    assert_true((double)carried > expected * 0.9995 && (double)carried <= expected);
    link_model_deinit(&model);
}

/* 1500 bytes at 2, 2, 5 and 10 ms, then at 12, 12, 15, 20, ... */
static const uint32_t times_ms[] = {2, 2, 5, 10};
static const struct link_trace trace = {.at_ms = times_ms, .count = 4, .bytes = 1500};

static void a_trace_gives_opportunities_to_send(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.trace = &trace, .trace_begins_ns = 100 * MS, .delay_ns = MS});
    offer(&model, 1500, 1, 0, LINK_PASSED); /* waits for the trace to begin */
    offer(&model, 1000, 2, 101 * MS, LINK_PASSED);
    offer(&model, 600, 3, 101 * MS, LINK_PASSED); /* 500 at once, and 100 at the next */
    offer(&model, 1500, 4, 101 * MS, LINK_PASSED);
    expect_next(&model, 1, LINK_PASSED, 103 * MS);
    expect_next(&model, 2, LINK_PASSED, 103 * MS);
    expect_next(&model, 3, LINK_PASSED, 106 * MS);
    expect_next(&model, 4, LINK_PASSED, 111 * MS);
    link_model_deinit(&model);
}

static void what_a_trace_offers_in_vain_is_lost_and_it_repeats(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.trace = &trace});
    offer(&model, 100, 1, 3 * MS, LINK_PASSED);
    expect_next(&model, 1, LINK_PASSED, 5 * MS);
    offer(&model, 3000, 2, 11 * MS, LINK_PASSED); /* both of the second round's 2 ms */
    offer(&model, 1, 3, 11 * MS, LINK_PASSED);
    expect_next(&model, 2, LINK_PASSED, 12 * MS);
    expect_next(&model, 3, LINK_PASSED, 15 * MS);
    offer(&model, 1500, 4, 1000 * MS, LINK_PASSED); /* the end of the hundredth round is an opportunity too */
    expect_next(&model, 4, LINK_PASSED, 1000 * MS);
    link_model_deinit(&model);
}

static void a_trace_carries_what_it_says_and_bounds_the_queue_in_time(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.trace = &trace, .queue_ns = 20 * MS}); /* 12000 bytes */
    for (unsigned i = 0; i < 24; i++) offer(&model, 500, i, 0, LINK_PASSED);
    offer(&model, 500, 24, 0, LINK_DROPPED_QUEUE_FULL);
    struct link_model_packet packet = {.due_ns = 0};
    for (unsigned i = 0; i < 24; i++) packet = next(&model);
    assert_int_equal(packet.due_ns, 20 * MS); /* two rounds */
    link_model_deinit(&model);
}

static void a_trace_and_a_rate_can_take_turns(void **state) {
    (void)state;
    struct link_model model;
    struct link_model_config by_rate = {.rate_bps = 8000000}, by_trace = {.trace = &trace};
    start(&model, by_rate);
    offer(&model, 4000, 1, 0, LINK_PASSED); /* would take 4 ms */
    offer(&model, 1000, 2, 0, LINK_PASSED);
    link_model_configure(&model, &by_trace, MS);
    expect_next(&model, 1, LINK_PASSED, 5 * MS); /* by the opportunities at 2, 2 and 5 ms; 500 bytes are left of that */
    link_model_configure(&model, &by_rate, 6 * MS);
    expect_next(&model, 2, LINK_PASSED, 7 * MS);
    link_model_deinit(&model);
}

static void losses_take_their_time_and_come_as_often_as_asked(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 8000000000, .delay_ns = MS, .loss = 0.02});
    unsigned lost = 0;
    for (unsigned i = 0; i < 100000; i++)
        offer(&model, 1000, i, 0, LINK_PASSED);
    for (unsigned i = 0; i < 100000; i++) {
        struct link_model_packet packet = next(&model);
        assert_int_equal(packet.tag, i);
        assert_int_equal(packet.due_ns, MS + (i + 1) * US);
        if (packet.fate == LINK_DROPPED_LOSS) lost++;
    }
    assert_in_range(lost, 1800, 2200);
    assert_int_equal(model.counters.packets[LINK_DROPPED_LOSS], lost);
    assert_int_equal(model.counters.packets[LINK_PASSED], 100000 - lost);
    link_model_deinit(&model);
}

static uint64_t fates(uint64_t seed) {
    struct link_model model;
    uint64_t bits = 0;
    link_model_init(&model, &env, &(struct link_model_config){.loss = 0.5}, seed);
    for (unsigned i = 0; i < 64; i++) {
        offer(&model, 1, i, 0, LINK_PASSED);
        bits = bits << 1 | (next(&model).fate == LINK_PASSED);
    }
    link_model_deinit(&model);
    return bits;
}

static void the_same_seed_loses_the_same_packets(void **state) {
    (void)state;
    assert_true(fates(42) == fates(42));
    assert_true(fates(42) != fates(43));
}

static void a_new_rate_holds_from_now_on_also_for_what_waits(void **state) {
    (void)state;
    struct link_model model;
    struct link_model_config config = {.rate_bps = 8000000};
    start(&model, config);
    offer(&model, 1000, 1, 0, LINK_PASSED);
    offer(&model, 1000, 2, 0, LINK_PASSED);
    config.rate_bps = 4000000;
    link_model_configure(&model, &config, 500 * US); /* half of the first packet is sent */
    expect_next(&model, 1, LINK_PASSED, 1500 * US);
    expect_next(&model, 2, LINK_PASSED, 3500 * US);
    offer(&model, 1000, 3, 4 * MS, LINK_PASSED);
    config.rate_bps = 0;
    link_model_configure(&model, &config, 4500 * US);
    expect_next(&model, 3, LINK_PASSED, 4500 * US);
    link_model_deinit(&model);
}

static void a_shorter_delay_lets_nobody_overtake(void **state) {
    (void)state;
    struct link_model model;
    struct link_model_config config = {.delay_ns = 50 * MS};
    start(&model, config);
    offer(&model, 100, 1, 0, LINK_PASSED);
    assert_int_equal(link_model_deadline(&model), 50 * MS);
    config.delay_ns = 10 * MS;
    link_model_configure(&model, &config, 20 * MS);
    offer(&model, 100, 2, 20 * MS, LINK_PASSED);
    offer(&model, 100, 3, 45 * MS, LINK_PASSED);
    expect_next(&model, 1, LINK_PASSED, 50 * MS);
    expect_next(&model, 2, LINK_PASSED, 50 * MS);
    expect_next(&model, 3, LINK_PASSED, 55 * MS);
    link_model_deinit(&model);
}

static void going_dark_gives_every_tag_back(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 8000000, .delay_ns = 10 * MS});
    for (unsigned i = 0; i < 20; i++)
        offer(&model, 1000, i, 0, LINK_PASSED);
    for (unsigned i = 0; i < 3; i++)
        expect_next(&model, i, LINK_PASSED, (11 + i) * MS);
    link_model_set_state(&model, LINK_MODEL_BLACKHOLE, 14 * MS); /* some are on the wire, some wait */
    for (unsigned i = 3; i < 20; i++)
        expect_next(&model, i, LINK_DROPPED_BLACKHOLE, 0);
    assert_int_equal(link_model_queued_bytes(&model), 0);
    offer(&model, 1000, 20, 15 * MS, LINK_DROPPED_BLACKHOLE);
    link_model_set_state(&model, LINK_MODEL_DOWN, 16 * MS);
    offer(&model, 1000, 21, 17 * MS, LINK_DROPPED_DOWN);
    assert_true(link_model_deadline(&model) == BRAID_NEVER);
    link_model_set_state(&model, LINK_MODEL_UP, 18 * MS);
    offer(&model, 1000, 22, 18 * MS, LINK_PASSED);
    expect_next(&model, 22, LINK_PASSED, 29 * MS);
    assert_int_equal(model.counters.packets[LINK_DROPPED_BLACKHOLE], 18);
    assert_int_equal(model.counters.packets[LINK_DROPPED_DOWN], 1);
    link_model_deinit(&model);
}

static void without_memory_packets_are_dropped_and_counted(void **state) {
    (void)state;
    struct link_model model;
    start(&model, (struct link_model_config){.rate_bps = 8000000});
    memory.allocations_left = 0;
    offer(&model, 1000, 1, 0, LINK_DROPPED_NO_MEMORY);
    memory.allocations_left = 1;
    unsigned accepted = 0;
    while (link_model_offer(&model, 1000, accepted, 0) == LINK_PASSED)
        accepted++;
    assert_true(accepted > 0);
    for (unsigned i = 0; i < accepted; i++)
        expect_next(&model, i, LINK_PASSED, (i + 1) * MS);
    assert_int_equal(model.counters.packets[LINK_DROPPED_NO_MEMORY], 2);
    link_model_deinit(&model);
}

/* Against a model that keeps every packet in a list and knows nothing of rings. */
static void it_agrees_with_a_naive_model_under_random_use(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct prng prng;
        struct link_model model;
        prng_seed(&prng, seed);
        start(&model,
              (struct link_model_config){.rate_bps = 10000000, .delay_ns = 5 * MS, .queue_bytes = 20000});
        static struct {
            braid_time sent, due;
            uint32_t bytes;
        } naive[4000];
        unsigned offered = 0, taken = 0, unsent = 0;
        braid_time now = 0, free_at = 0;
        for (unsigned step = 0; step < 4000; step++) {
            now += prng_below(&prng, 2 * MS);
            struct link_model_packet packet;
            while (link_model_take(&model, now, &packet)) {
                assert_true(taken < offered);
                assert_int_equal(packet.tag, taken);
                assert_int_equal(packet.due_ns, naive[taken].due);
                taken++;
            }
            assert_true(taken == offered || naive[taken].due > now);
            uint64_t waiting = 0;
            while (unsent < offered && naive[unsent].sent <= now)
                unsent++;
            for (unsigned i = unsent; i < offered; i++)
                waiting += naive[i].bytes;
            uint32_t bytes = 40 + (uint32_t)prng_below(&prng, 3000);
            bool full = waiting > 0 && waiting + bytes > 20000;
            offer(&model, bytes, offered, now, full ? LINK_DROPPED_QUEUE_FULL : LINK_PASSED);
            if (full) continue;
            free_at = (free_at > now ? free_at : now) + bytes * UINT64_C(800);
            naive[offered].sent = free_at;
            naive[offered].due = free_at + 5 * MS;
            naive[offered].bytes = bytes;
            offered++;
        }
        assert_true(offered > 100);
        link_model_deinit(&model);
    }
}

int main(void) {
#define LINK_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, nothing_leaked)
    const struct CMUnitTest tests[] = {
        LINK_TEST(a_packet_takes_its_sending_time_and_the_delay),
        LINK_TEST(packets_wait_for_those_before_them),
        LINK_TEST(without_a_rate_only_the_delay_counts),
        LINK_TEST(the_queue_is_bounded_in_bytes),
        LINK_TEST(the_queue_is_bounded_in_time_at_the_rate),
        LINK_TEST(a_saturated_link_carries_exactly_its_rate),
        LINK_TEST(a_trace_gives_opportunities_to_send),
        LINK_TEST(what_a_trace_offers_in_vain_is_lost_and_it_repeats),
        LINK_TEST(a_trace_carries_what_it_says_and_bounds_the_queue_in_time),
        LINK_TEST(a_trace_and_a_rate_can_take_turns),
        LINK_TEST(losses_take_their_time_and_come_as_often_as_asked),
        LINK_TEST(the_same_seed_loses_the_same_packets),
        LINK_TEST(a_new_rate_holds_from_now_on_also_for_what_waits),
        LINK_TEST(a_shorter_delay_lets_nobody_overtake),
        LINK_TEST(going_dark_gives_every_tag_back),
        LINK_TEST(without_memory_packets_are_dropped_and_counted),
        LINK_TEST(it_agrees_with_a_naive_model_under_random_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
