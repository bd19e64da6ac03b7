/* A cap in bytes holds, whoever sends: what goes by the capped path, both ways, as the phone's interface sees
 * it. */
#include "sim_test.h"

enum { CAPPED, FREE };

/* What went by the phone's capped interface: sent by it, and delivered to it. */
struct watch {
    uint64_t sent, delivered;
    braid_time last_sent_at;
};

static void on_packet(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                      struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    struct watch *w = context;
    (void)link;
    if (interface != CAPPED || strcmp(sim_host_name(host), "phone") != 0) return;
    if (moment == SIM_SENT) w->last_sent_at = now;
    *(moment == SIM_SENT ? &w->sent : &w->delivered) += packet->length;
}

struct story {
    struct watch watch;
    struct sim_phone phone;
    struct sim_conversation *talk;
};

static void cap(struct story *s, uint64_t bytes) {
    struct braid_link_terms terms = {.cap_bytes = bytes};
    assert_true(braid_stack_link_terms(sim_host_stack(s->phone.client), CAPPED, &terms,
                                       sim_world_now(s->phone.world)));
    sim_host_touch(s->phone.client);
}

static uint64_t used(const struct story *s) {
    return s->watch.sent + s->watch.delivered;
}

static uint64_t bytes_read(const struct story *s, enum sim_direction stream) {
    struct sim_stream_result r;
    sim_conversation_result(s->talk, stream, &r);
    return r.read;
}

struct setting {
    struct sim_path_config path;
    unsigned paths;
    uint64_t cap_bytes;
    const char *congestion;
    bool plain;
    enum sim_direction stream;
    uint32_t super_segment_bytes;
    uint32_t message_bytes; /* one every four seconds; 0: all at once */
};

static void begin(struct story *s, const struct setting *set, uint64_t seed) {
    *s = (struct story){0};
    struct sim_phone_config config = {.world = {.seed = seed, .observer = {&s->watch, on_packet}},
                                      .client = {.congestion = set->congestion},
                                      .server = {.congestion = set->congestion},
                                      .paths = {set->path, {.rate_bps = 8000000, .rtt_ns = 40 * MS}},
                                      .path_count = set->paths,
                                      .super_segment_bytes = set->super_segment_bytes};
    struct sim_conversation_config talk = {.plain_client = set->plain};
    talk.streams[set->stream] = (struct sim_stream_config){
        .bytes = UINT64_C(1) << 40, .message_bytes = set->message_bytes, .interval_ns = 4 * S};
    sim_phone_init(&s->phone, &config);
    cap(s, set->cap_bytes);
    s->talk = sim_phone_talk(&s->phone, &talk);
}

static void end(struct story *s) {
    assert_null(sim_conversation_fault(s->talk));
    phone_end(&s->phone);
}

/* The stack's count is what the interface saw, or a little more. */
static void assert_counted(const struct story *s) {
    uint64_t counted = braid_stack_link_used(sim_host_stack(s->phone.client), CAPPED);
    assert_true(counted >= used(s) && counted <= used(s) + used(s) / 10);
}

/* Runs until long after the cap is reached. Returns the share of it that was used. */
static double use_up(struct story *s, const struct setting *set) {
    sim_world_run(s->phone.world, 40 * S);
    double share = (double)used(s) / (double)set->cap_bytes;
    if (used(s) > set->cap_bytes)
        fail_msg("%.0f Mb/s, RTT %.0f ms, queue %.0f ms: %llu bytes by a path whose cap is %llu",
                 (double)set->path.rate_bps / 1e6, ms_of(set->path.rtt_ns), ms_of(set->path.queue_ns),
                 (unsigned long long)used(s), (unsigned long long)set->cap_bytes);
    assert_counted(s);
    return share;
}

static const struct sim_path_config capped_paths[] = {
    {.rate_bps = 2000000, .rtt_ns = 20 * MS, .queue_ns = 100 * MS},
    {.rate_bps = 2000000, .rtt_ns = 300 * MS, .queue_ns = 2 * S},
    {.rate_bps = 20000000, .rtt_ns = 20 * MS, .queue_ns = 100 * MS},
    {.rate_bps = 20000000, .rtt_ns = 70 * MS, .queue_ns = 1 * S},
    {.rate_bps = 20000000, .rtt_ns = 300 * MS, .queue_ns = 100 * MS},
    {.rate_bps = 100000000, .rtt_ns = 10 * MS, .queue_ns = 50 * MS},
    {.rate_bps = 100000000, .rtt_ns = 100 * MS, .queue_ns = 200 * MS},
    {.rate_bps = 300000000, .rtt_ns = 50 * MS, .queue_ns = 100 * MS},
    {.rate_bps = 20000000, .rtt_ns = 70 * MS, .queue_ns = 100 * MS, .loss = 0.01},
};

static void downloads(const char *congestion, bool plain, unsigned paths) {
    for (unsigned i = 0; i < sizeof(capped_paths) / sizeof(capped_paths[0]); i++) {
        for (unsigned tenths = 2; tenths <= 20;
             tenths *= 10) { /* of a second at full rate: from slow start to steady */
            struct setting set = {.path = capped_paths[i],
                                  .paths = paths,
                                  .congestion = congestion,
                                  .plain = plain,
                                  .stream = SIM_DOWN};
            struct story s;
            set.cap_bytes = set.path.rate_bps / 80 * tenths + 300000;
            begin(&s, &set, i + 1);
            double share = use_up(&s, &set);
            print_message("%s%s, %3.0f Mb/s, RTT %3.0f ms: %5.1f %% of %.1f MB\n", congestion,
                          plain ? " (TCP)" : "", (double)set.path.rate_bps / 1e6, ms_of(set.path.rtt_ns),
                          share * 100, (double)set.cap_bytes / MB);
            if (paths > 1)
                assert_true(bytes_read(&s, SIM_DOWN) > set.cap_bytes / 4); /* it goes on by the other */
            end(&s);
        }
    }
}

static void downloads_never_exceed_the_cap(void **state) {
    (void)state;
    downloads("cubic", false, 2);
    downloads("bbr", false, 2);
}

static void downloads_by_the_only_path_never_exceed_the_cap(void **state) {
    (void)state;
    downloads("cubic", false, 1);
}

static void downloads_by_plain_tcp_never_exceed_the_cap(void **state) {
    (void)state;
    downloads("cubic", true, 1);
}

static const struct setting ordinary = {
    .path = {.rate_bps = 20000000, .rtt_ns = 70 * MS}, .paths = 2, .cap_bytes = 8 * MB, .stream = SIM_DOWN};

static void uploads_never_exceed_the_cap(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof(capped_paths) / sizeof(capped_paths[0]); i++) {
        struct setting set = ordinary;
        struct story s;
        set.path = capped_paths[i];
        set.stream = SIM_UP;
        set.cap_bytes = set.path.rate_bps / 8 * 3;
        begin(&s, &set, i + 1);
        assert_true(use_up(&s, &set) > 0.5);
        end(&s);
    }
}

static void super_segments_count_as_what_they_are_on_the_wire(void **state) {
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        struct setting set = ordinary;
        struct story s;
        set.stream = stream == 0 ? SIM_UP : SIM_DOWN;
        set.super_segment_bytes = 65000;
        begin(&s, &set, 1);
        assert_true(use_up(&s, &set) > 0.5);
        end(&s);
    }
}

/* A peer that has been silent may send at once what it could before: BBR remembers it. */
static void bursts_after_pauses_never_exceed_the_cap(void **state) {
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        struct setting set = ordinary;
        struct story s;
        set.paths = 1 + i % 2;
        set.congestion = i % 4 < 2 ? "bbr" : "cubic";
        set.path = (struct sim_path_config){.rate_bps = 200000000, .rtt_ns = 100 * MS, .queue_ns = 500 * MS};
        set.cap_bytes = 10 * MB + i * 700000;
        set.message_bytes = 4 * MB;
        begin(&s, &set, 4);
        use_up(&s, &set);
        assert_true(used(&s) > set.cap_bytes / 4);
        end(&s);
    }
}

static void many_connections_share_one_cap(void **state) {
    enum { CONNECTIONS = 30 };
    struct setting set = ordinary;
    struct story s;
    (void)state;
    begin(&s, &set, 5);
    for (int i = 1; i < CONNECTIONS; i++) {
        struct sim_conversation_config talk = {.streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
        s.talk = sim_phone_talk(&s.phone, &talk);
    }
    assert_true(use_up(&s, &set) > 0.3);
    end(&s);
}

/* As DHCP may have it: the same network by another address. */
static void a_new_address_does_not_begin_from_zero(void **state) {
    struct setting set = ordinary;
    struct story s;
    (void)state;
    begin(&s, &set, 6);
    for (int i = 0; i < 20; i++) {
        sim_world_run(s.phone.world, sim_world_now(s.phone.world) + 300 * MS);
        sim_path_renumber(&s.phone, CAPPED);
    }
    assert_true(use_up(&s, &set) > 0.3);
    end(&s);
}

/* Near its cap it is kept for when the other fails, and then the cap holds all the same. */
static void what_is_left_is_for_when_the_others_fail(void **state) {
    struct setting set = ordinary;
    struct story s;
    (void)state;
    begin(&s, &set, 7);
    sim_world_run(s.phone.world, 20 * S);
    uint64_t before = used(&s), read;
    assert_true(before < set.cap_bytes - 200000);
    sim_path_down(&s.phone, FREE);
    read = bytes_read(&s, SIM_DOWN);
    sim_world_run(s.phone.world, 21 * S);
    assert_true(bytes_read(&s, SIM_DOWN) > read);
    assert_true(used(&s) > before + 100000);
    sim_path_up(&s.phone, FREE);
    use_up(&s, &set);
    end(&s);
}

static void once_it_is_used_up_nothing_is_sent_by_it(void **state) {
    struct setting set = ordinary;
    struct story s;
    (void)state;
    set.paths = 1;
    begin(&s, &set, 8);
    use_up(&s, &set);
    assert_true(braid_stack_link_used_up(sim_host_stack(s.phone.client), CAPPED));
    assert_true(s.watch.last_sent_at < 20 * S);
    end(&s);
}

static void a_cap_that_is_raised_brings_the_path_back(void **state) {
    struct setting set = ordinary;
    struct story s;
    (void)state;
    begin(&s, &set, 9);
    use_up(&s, &set);
    uint64_t before = used(&s);
    cap(&s, 2 * set.cap_bytes);
    sim_world_run(s.phone.world, 70 * S);
    assert_true(used(&s) > before + set.cap_bytes / 2 && used(&s) <= 2 * set.cap_bytes);
    end(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(downloads_never_exceed_the_cap),
        cmocka_unit_test(downloads_by_the_only_path_never_exceed_the_cap),
        cmocka_unit_test(downloads_by_plain_tcp_never_exceed_the_cap),
        cmocka_unit_test(uploads_never_exceed_the_cap),
        cmocka_unit_test(super_segments_count_as_what_they_are_on_the_wire),
        cmocka_unit_test(bursts_after_pauses_never_exceed_the_cap),
        cmocka_unit_test(many_connections_share_one_cap),
        cmocka_unit_test(a_new_address_does_not_begin_from_zero),
        cmocka_unit_test(what_is_left_is_for_when_the_others_fail),
        cmocka_unit_test(once_it_is_used_up_nothing_is_sent_by_it),
        cmocka_unit_test(a_cap_that_is_raised_brings_the_path_back),
    };
    return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
