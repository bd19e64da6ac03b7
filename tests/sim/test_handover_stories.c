/* Everything that can befall a phone's paths, with everything an application may be doing meanwhile: all bytes arrive, and
 * the application waits no longer than it must. The paths are slower than those of the benchmarks (10 and 4 Mb/s), so that
 * many stories are told in a short time. */
#include "sim_test.h"

enum { WIFI, CELLULAR };
#define BEGIN_AT (2 * S) /* of what befalls it; the application begins at one second */

static struct sim_phone phone;

/* --- what an application does --- */

struct workload {
    const char *name;
    bool up, down, messages;
};
static const struct workload workloads[] = {
    {"bulk download", false, true, false}, {"bulk upload", true, false, false}, {"bulk both ways", true, true, false},
    {"messages up", true, false, true},    {"messages down", false, true, true},
};
enum { WORKLOADS = sizeof(workloads) / sizeof(workloads[0]), MESSAGE_BYTES = 100, MESSAGES = 50 * 14 };

static struct sim_stream_config stream_of(const struct workload *workload, bool used) {
    if (!used) return (struct sim_stream_config){0};
    if (!workload->messages) return (struct sim_stream_config){.bytes = 14 * MB};
    return (struct sim_stream_config){
        .bytes = MESSAGES * MESSAGE_BYTES, .message_bytes = MESSAGE_BYTES, .interval_ns = 20 * MS};
}

static struct sim_conversation *begin(const struct workload *workload, uint64_t seed, bool backup) {
    struct sim_phone_config config = {.world = {.seed = seed, .check_every = 1024},
                                      .paths = {sim_wifi, sim_cellular},
                                      .path_count = 2};
    config.paths[WIFI].rate_bps = 10000000;
    config.paths[CELLULAR].rate_bps = 4000000;
    config.paths[CELLULAR].backup = backup;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {
        .streams = {stream_of(workload, workload->up), stream_of(workload, workload->down)}};
    return sim_phone_talk(&phone, &talk);
}

/* The longest silence of a stream, or the slowest message, from a moment on. */
static braid_time longest_wait(const struct sim_conversation *c, const struct workload *workload) {
    braid_time most = 0;
    for (int way = 0; way < 2; way++) {
        if (way == SIM_UP ? !workload->up : !workload->down) continue;
        braid_time wait = workload->messages
                              ? sim_conversation_message_ns(c, (enum sim_direction)way, BEGIN_AT - S / 2, BRAID_NEVER, 1)
                              : sim_conversation_silence_ns(c, (enum sim_direction)way, BEGIN_AT - S / 2, BRAID_NEVER);
        if (wait > most) most = wait;
    }
    return most;
}

/* --- what befalls the paths --- */

/* One thing at a time, after the one before. */
enum fate { DOWN, UP, BLACKHOLE, NOTHING_UP, NOTHING_DOWN, RENUMBER, ELSEWHERE, LOSSY };
struct happening {
    braid_time at;
    enum fate fate;
    unsigned path;
    double loss;
};

static void happen(void *context, braid_time now) {
    const struct happening *h = context;
    struct sim_path_config path = phone.paths[h->path];
    (void)now;
    switch (h->fate) {
    case DOWN: sim_path_down(&phone, h->path); break;
    case UP: sim_path_up(&phone, h->path); break;
    case BLACKHOLE: sim_path_blackhole(&phone, h->path, true, true); break;
    case NOTHING_UP: sim_path_blackhole(&phone, h->path, true, false); break;
    case NOTHING_DOWN: sim_path_blackhole(&phone, h->path, false, true); break;
    case RENUMBER: sim_path_renumber(&phone, h->path); break;
    case ELSEWHERE:
        sim_path_renumber(&phone, h->path);
        sim_path_up(&phone, h->path);
        break;
    case LOSSY:
        path.loss = h->loss;
        sim_path_shape(&phone, h->path, &path);
        break;
    }
}

enum { HAPPENINGS_MAX = 128 };
struct story {
    struct happening happenings[HAPPENINGS_MAX];
    unsigned count;
    braid_time at; /* of the next one */
};

static void then(struct story *story, braid_time wait, enum fate fate, unsigned path) {
    assert_true(story->count < HAPPENINGS_MAX);
    story->at += wait;
    story->happenings[story->count++] = (struct happening){.at = story->at, .fate = fate, .path = path};
}

/* Every story on every workload, with cellular active and in reserve. `bound_ms`: for streams and for messages. */
static void tell(const char *name, const struct story *story, uint64_t seed, const unsigned bound_ms[2]) {
    for (int w = 0; w < WORKLOADS; w++) {
        braid_time waits[2];
        for (int backup = 0; backup < 2; backup++) {
            struct story own = *story;
            struct sim_conversation *c = begin(&workloads[w], seed + (uint64_t)(2 * w + backup), backup);
            for (unsigned i = 0; i < own.count; i++)
                sim_world_at(phone.world, own.happenings[i].at, happen, &own.happenings[i]);
            bool finished = sim_world_run_conversations(phone.world, 300 * S);
            assert_whole(c);
            assert_true(finished);
            waits[backup] = longest_wait(c, &workloads[w]);
            sim_world_run(phone.world, own.at + S); /* what is to happen yet happens while `own` is there */
            phone_end(&phone);
        }
        unsigned bound = bound_ms[workloads[w].messages];
        print_message("%-34s %-15s longest wait %7.0f ms, cellular in reserve %7.0f ms (bound %u)\n", name,
                      workloads[w].name, ms_of(waits[0]), ms_of(waits[1]), bound);
        assert_true(waits[0] <= bound * MS && waits[1] <= bound * MS);
    }
}

static struct story begin_story(void) { return (struct story){.at = BEGIN_AT}; }

static void wifi_goes_down_and_comes_back(void **state) {
    (void)state;
    struct story s = begin_story();
    then(&s, 0, DOWN, WIFI);
    then(&s, 4 * S, UP, WIFI);
    tell("down, and up again", &s, 1000, (unsigned[]){600, 150});
}

static void wifi_falls_silent_and_comes_back(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum fate fate;
    } kinds[] = {{"silent", BLACKHOLE}, {"silent upwards", NOTHING_UP}, {"silent downwards", NOTHING_DOWN}};
    for (unsigned i = 0; i < 3; i++) {
        struct story s = begin_story();
        then(&s, 0, kinds[i].fate, WIFI);
        then(&s, 4 * S, UP, WIFI);
        tell(kinds[i].name, &s, 1100 + 20 * i, (unsigned[]){600, 400});
    }
}

static void wifi_flaps(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum fate fate;
        braid_time half_ns;
        unsigned times;
    } kinds[] = {{"down every second, ten times", DOWN, 500 * MS, 10},
                 {"silent every second, ten times", BLACKHOLE, 500 * MS, 10},
                 {"down every 74 ms, fifty times", DOWN, 37 * MS, 50}};
    for (unsigned i = 0; i < 3; i++) {
        struct story s = begin_story();
        for (unsigned k = 0; k < kinds[i].times; k++) {
            then(&s, k == 0 ? 0 : kinds[i].half_ns, kinds[i].fate, WIFI);
            then(&s, kinds[i].half_ns, UP, WIFI);
        }
        tell(kinds[i].name, &s, 1200 + 20 * i, (unsigned[]){900, 400});
    }
}

static void both_paths_are_dead_for_thirty_seconds(void **state) {
    (void)state;
    /* Who is told tries again at once; who is not, when its timers next say so: they have doubled up to ten seconds. */
    static const unsigned bounds_ms[2][2] = {{45000, 45000}, {31000, 31000}};
    for (unsigned told = 0; told < 2; told++) {
        for (unsigned back = 0; back < 2; back++) {
            struct story s = begin_story();
            then(&s, 0, told ? DOWN : BLACKHOLE, WIFI);
            then(&s, 0, told ? DOWN : BLACKHOLE, CELLULAR);
            then(&s, 30 * S, UP, back);
            char name[64];
            snprintf(name, sizeof(name), "both %s 30 s, %s returns", told ? "down" : "silent", back ? "cell." : "WiFi");
            tell(name, &s, 1300 + 20 * (2 * told + back), bounds_ms[told]);
        }
    }
}

static void addresses_are_renumbered(void **state) {
    (void)state;
    struct story s = begin_story();
    for (unsigned i = 0; i < 6; i++) then(&s, i == 0 ? 0 : S, RENUMBER, i % 2);
    tell("six new addresses", &s, 1400, (unsigned[]){500, 150});
}

static void wifi_returns_with_another_address(void **state) {
    (void)state;
    struct story s = begin_story();
    then(&s, 0, DOWN, WIFI);
    then(&s, 3 * S, ELSEWHERE, WIFI);
    tell("back with another address", &s, 1500, (unsigned[]){600, 150});
}

static void wifi_turns_lossy_over_ten_seconds_and_dies(void **state) {
    (void)state;
    struct story s = begin_story();
    for (unsigned i = 0; i <= 50; i++) {
        then(&s, 200 * MS, LOSSY, WIFI);
        s.happenings[i].loss = i / 50.0;
    }
    tell("lossier and lossier, and dead", &s, 1600, (unsigned[]){5000, 1000});
}

static void nothing_down(void *context, braid_time now) {
    (void)now;
    sim_path_blackhole(context, WIFI, false, true);
}
static void all_well(void *context, braid_time now) {
    (void)now;
    sim_path_up(context, WIFI);
}

/* The server hears the client all the while, and cannot know that it is not heard. */
static void an_address_announced_into_a_black_hole_is_known_when_that_has_passed(void **state) {
    struct sim_phone_config config = {.world = {.seed = 31}, .paths = {sim_wifi}, .path_count = 1, .announced = true};
    struct sim_conversation_config talk = {.streams[SIM_UP] = {.bytes = UINT64_C(1) << 40}};
    (void)state;
    sim_phone_init(&phone, &config);
    sim_world_at(phone.world, S + 50 * MS, nothing_down, &phone);
    sim_world_at(phone.world, 9 * S, all_well, &phone);
    sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, 8900 * MS);
    assert_true(sim_host_counter(phone.server, "mptcp_add_addr_sent") >= 3);
    assert_int_equal(sim_host_counter(phone.client, "mptcp_add_addr_received"), 0);
    sim_world_run(phone.world, 25 * S);
    assert_int_equal(sim_host_counter(phone.server, "mptcp_add_addr_echo_received"), 1);
    phone_end(&phone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wifi_goes_down_and_comes_back),
        cmocka_unit_test(wifi_falls_silent_and_comes_back),
        cmocka_unit_test(wifi_flaps),
        cmocka_unit_test(both_paths_are_dead_for_thirty_seconds),
        cmocka_unit_test(addresses_are_renumbered),
        cmocka_unit_test(wifi_returns_with_another_address),
        cmocka_unit_test(wifi_turns_lossy_over_ten_seconds_and_dies),
        cmocka_unit_test(an_address_announced_into_a_black_hole_is_known_when_that_has_passed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
