/* A path that stands still for some hundred milliseconds lets the timer fire for nothing. That is seen, with timestamps and
 * without, and then neither is the window lost nor what was under way sent again. */
#include "tcp_pair.h"

static struct pair p;
static bool with_sack, with_timestamps;

static enum tcp_verdict without_options(void *owner, struct tcp *t, const struct tcp_segment *s, braid_time now) {
    (void)owner, (void)t, (void)now;
    struct tcp_options *o = &((struct tcp_segment *)(uintptr_t)s)->options;
    o->sack_permitted &= with_sack;
    o->has_timestamps &= with_timestamps;
    return TCP_VERDICT_ACCEPT;
}

static void begin(uint64_t seed, bool sack, bool timestamps) {
    static struct tcp_owner_ops ops;
    ops = end_ops;
    ops.segment_arrived = without_options;
    with_sack = sack;
    with_timestamps = timestamps;
    pair_init(&p, seed);
    for (int i = 0; i < 2; i++) {
        p.ends[i].config.ops = &ops;
        p.ends[i].wire.queue_bytes = 0;
        p.ends[i].config.receive_window_max_bytes = 300000; /* one and a half times what the path holds */
    }
    pair_establish(&p);
}

static void stand_still(int from, braid_time how_long) { p.ends[from].wire_free_at = p.now + how_long; }

/* [R-5682-3.1-5] [R-5682-3.1-6] [R-5682-3.1-8] [R-5682-3.1-9] */
static void a_spurious_timeout_is_seen_without_timestamps(void **state) {
    (void)state;
    for (int sack = 0; sack < 2; sack++) {
        begin(1, sack, false);
        p.ends[0].to_send = 20000000;
        pair_run(&p, SECOND);
        struct tcp_info before = info_of(&p.ends[0]);
        assert_int_equal(before.timeouts, 0);
        stand_still(0, 450 * MS);
        pair_run(&p, 700 * MS);
        struct tcp_info after = info_of(&p.ends[0]);
        assert_in_range(after.timeouts, 1, 2);
        assert_int_equal(after.spurious_recoveries, 1);
        assert_true(after.cwnd_bytes >= before.cwnd_bytes);
        assert_int_equal(after.timeouts_in_a_row, 0);
        assert_true(after.rto_ns < 2 * SECOND);
        assert_true(after.bytes_retransmitted - before.bytes_retransmitted <= 3 * 1460);
        assert_true(pair_run_until(&p, all_received, 20 * SECOND));
        assert_int_equal(p.ends[1].data_wrong, 0);
        pair_destroy(&p);
    }
}

static uint64_t lost_now;
static bool drop_all(struct end *from, const struct tcp_segment *s, uint32_t nth) {
    (void)from, (void)nth;
    lost_now += s->payload_length;
    return true;
}

/* What is under way is gone indeed: the first ACK looks as if it were not, the second says so. */
/* [R-5682-3.1-7] */
static void a_real_loss_is_not_taken_for_a_spurious_one(void **state) {
    (void)state;
    for (int options = 0; options < 4; options++) {
        begin(1, options & 1, options & 2);
        p.ends[0].to_send = 20000000;
        pair_run(&p, SECOND);
        lost_now = 0;
        p.ends[0].drop = drop_all;
        pair_run(&p, 100 * MS);
        assert_true(lost_now > 0);
        p.ends[0].drop = NULL;
        assert_true(pair_run_until(&p, all_received, 60 * SECOND));
        struct tcp_info info = info_of(&p.ends[0]);
        assert_true(info.timeouts + info.fast_recoveries >= 1);
        assert_int_equal(info.spurious_recoveries, 0);
        assert_int_equal(p.ends[1].data_wrong, 0);
        pair_destroy(&p);
    }
}

/* Ten standstills: what the path still carried of 50 Mb/s, and what was sent twice. Without F-RTO it was 31.8 and 28.6 Mb/s
 * (neither SACK nor timestamps), 40.8 and 33.6 (SACK alone). */
struct figures {
    double mbps;
    uint64_t twice_bytes, timeouts, spurious;
};
static struct figures standstills(bool sack, bool timestamps, braid_time how_long) {
    const uint64_t bytes = 100000000;
    begin(1, sack, timestamps);
    p.unchecked = true;
    p.ends[0].to_send = bytes;
    braid_time start = p.now;
    for (int i = 0; i < 10; i++) {
        pair_run(&p, SECOND);
        stand_still(i % 2, how_long);
    }
    assert_true(pair_run_until(&p, all_received, 120 * SECOND));
    struct tcp_info info = info_of(&p.ends[0]);
    struct figures f = {mbps(bytes, p.now - start), info.bytes_retransmitted, info.timeouts, info.spurious_recoveries};
    print_message("%s, %s, %3u ms: %5.1f Mb/s, %8llu bytes twice, %llu timeouts, %llu undone\n", sack ? "SACK" : "no SACK",
                  timestamps ? "timestamps" : "no timestamps", (unsigned)(how_long / MS), f.mbps,
                  (unsigned long long)f.twice_bytes, (unsigned long long)f.timeouts, (unsigned long long)f.spurious);
    pair_destroy(&p);
    return f;
}

static void standstills_cost_what_they_last(void **state) {
    (void)state;
    for (int options = 0; options < 4; options++) {
        struct figures f = standstills(options & 1, options & 2, 300 * MS);
        assert_true(f.mbps > 40 && f.twice_bytes < 20000);
        assert_int_equal(f.spurious, f.timeouts);
        f = standstills(options & 1, options & 2, 600 * MS);
        assert_true(f.mbps > 34 && f.twice_bytes < 40000);
        assert_int_equal(f.spurious, f.timeouts);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spurious_timeout_is_seen_without_timestamps),
        cmocka_unit_test(a_real_loss_is_not_taken_for_a_spurious_one),
        cmocka_unit_test(standstills_cost_what_they_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
