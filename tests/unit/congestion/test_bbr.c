/* BBR against a path of a few lines: packets leave as window and pace allow, queue, and are acknowledged. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include <congestion/congestion.h>

#define MSS 1448u
#define MS BRAID_NS_PER_MS
#define SECOND BRAID_NS_PER_S

enum { PACKETS_MAX = 1 << 14 };

struct packet {
    braid_time acked_at;
    uint64_t delivered_before;
    braid_time delivered_at, sent_at;
    uint32_t in_flight, lost_before;
    bool lost;
};

static struct path {
    struct congestion c;
    braid_time now, rtt, next_send, wire_free, delivered_at, base;
    uint64_t rate, sent, delivered, round_end;
    uint32_t in_flight, lost, lose_above; /* lose_above: more than that in flight is lost; 0: no bound */
    braid_time srtt;
    struct packet packets[PACKETS_MAX];
    uint64_t first, count;
    uint32_t queue_max, cwnd_min;
    bool recovering;
    uint64_t recovery_end;
} p;

static void begin(uint64_t bytes_per_s, braid_time rtt) {
    memset(&p, 0, sizeof(p));
    p.now = p.next_send = p.wire_free = p.delivered_at = 100 * SECOND;
    p.rate = bytes_per_s;
    p.rtt = rtt;
    congestion_start(&p.c, congestion_find("bbr"), MSS, p.now);
}

static void send_one(void) {
    struct packet *k = &p.packets[p.count++ % PACKETS_MAX];
    if (p.in_flight == 0) p.delivered_at = p.now;
    if (p.in_flight == 0 && p.c.ops->on_flight) p.c.ops->on_flight(&p.c, p.now);
    p.in_flight += MSS;
    if (p.wire_free < p.now) p.wire_free = p.now;
    bool full = p.lose_above > 0 && p.in_flight > p.lose_above;
    if (!full) p.wire_free += MSS * SECOND / p.rate;
    *k = (struct packet){.acked_at = p.wire_free + p.rtt,
                         .sent_at = p.now,
                         .delivered_before = p.delivered,
                         .delivered_at = p.delivered_at,
                         .in_flight = p.in_flight,
                         .lost_before = p.lost,
                         .lost = full};
    p.sent += MSS;
    if (p.c.pacing_bytes_per_s > 0) p.next_send = p.now + MSS * SECOND / p.c.pacing_bytes_per_s;
}

static void lose(const struct packet *k) {
    p.in_flight -= MSS;
    p.lost += MSS;
    const struct congestion_lost lost = {.now = p.now,
                                         .bytes = MSS,
                                         .sent_in_flight_bytes = k->in_flight,
                                         .lost_since_bytes = p.lost - k->lost_before,
                                         .delivered_total_bytes = p.delivered};
    p.c.ops->on_packet_lost(&p.c, &lost);
    if (!p.recovering) p.c.ops->on_loss(&p.c, p.in_flight, p.now);
    p.recovering = true;
    p.recovery_end = p.sent;
}

static void acknowledge(const struct packet *k, uint32_t lost) {
    uint32_t before = p.in_flight;
    p.in_flight -= MSS;
    p.delivered += MSS;
    p.delivered_at = p.now;
    if (p.recovering && p.delivered + p.lost >= p.recovery_end) {
        p.recovering = false;
        p.c.ops->on_recovered(&p.c, p.now);
    }
    p.srtt = p.now - k->sent_at;
    const struct congestion_ack ack = {
        .now = p.now,
        .acked_bytes = MSS,
        .in_flight_bytes = before,
        .in_flight_now_bytes = p.in_flight,
        .lost_bytes = lost,
        .rtt_ns = p.now - k->sent_at,
        .srtt_ns = p.srtt,
        .min_rtt_ns = p.rtt,
        .rate_valid = true,
        .sample_bytes_per_s = (p.delivered - k->delivered_before) * SECOND / (p.now - k->delivered_at),
        .delivered_total_bytes = p.delivered,
        .delivered_before_bytes = k->delivered_before,
        .sent_in_flight_bytes = k->in_flight,
        .lost_since_bytes = p.lost - k->lost_before,
        .cwnd_limited = p.in_flight + 2 * MSS > p.c.cwnd_bytes,
        .in_recovery = p.recovering,
    };
    p.c.ops->on_ack(&p.c, &ack);
    if (p.c.cwnd_bytes < p.cwnd_min) p.cwnd_min = p.c.cwnd_bytes;
}

static void run(braid_time duration) {
    braid_time end = p.now + duration;
    p.queue_max = 0;
    p.cwnd_min = UINT32_MAX;
    while (p.now < end) {
        braid_time acked = p.first < p.count ? p.packets[p.first % PACKETS_MAX].acked_at : BRAID_NEVER;
        bool room = p.in_flight + MSS <= p.c.cwnd_bytes;
        if (room && p.next_send <= acked) {
            if (p.next_send > p.now) p.now = p.next_send;
            send_one();
            uint32_t queued = p.wire_free > p.now ? (uint32_t)((p.wire_free - p.now) * p.rate / SECOND) : 0;
            if (queued > p.queue_max) p.queue_max = queued;
            continue;
        }
        p.now = acked;
        uint32_t lost = 0;
        for (; p.first < p.count && p.packets[p.first % PACKETS_MAX].lost; p.first++, lost += MSS)
            lose(&p.packets[p.first % PACKETS_MAX]);
        if (p.first < p.count) acknowledge(&p.packets[p.first++ % PACKETS_MAX], lost);
    }
}

#define RATE UINT64_C(6250000) /* 50 Mb/s */
#define RTT (30 * MS)
#define PRODUCT (RATE * 30 / 1000)

static void startup_finds_the_rate_within_a_dozen_round_trips(void **state) {
    (void)state;
    begin(RATE, RTT);
    run(12 * RTT);
    uint64_t before = p.delivered;
    run(SECOND);
    assert_true(p.delivered - before > RATE * 93 / 100);
}

static void the_queue_of_startup_is_drained(void **state) {
    (void)state;
    begin(RATE, RTT);
    run(3 * SECOND);
    run(SECOND);
    assert_true(p.queue_max < PRODUCT / 2); /* even while it probes */
    assert_in_range(p.c.cwnd_bytes, PRODUCT, 3 * PRODUCT);
    assert_in_range(p.c.pacing_bytes_per_s, RATE * 85 / 100, RATE * 130 / 100);
}

static void probing_finds_a_rate_that_has_become_higher(void **state) {
    (void)state;
    begin(RATE, RTT);
    run(3 * SECOND);
    p.rate = 2 * RATE;
    run(12 * SECOND);
    uint64_t before = p.delivered;
    run(2 * SECOND);
    assert_true(p.delivered - before > 2 * 2 * RATE * 85 / 100);
}

static void a_rate_that_has_become_lower_is_forgotten_after_two_cycles(void **state) {
    (void)state;
    begin(RATE, RTT);
    run(3 * SECOND);
    p.rate = RATE / 4;
    run(12 * SECOND);
    run(2 * SECOND);
    assert_true(p.c.pacing_bytes_per_s < RATE / 4 * 130 / 100);
    assert_true(p.queue_max < PRODUCT);
}

static void losses_bound_what_is_in_flight(void **state) {
    (void)state;
    begin(RATE, RTT);
    p.lose_above = (uint32_t)PRODUCT * 12 / 10; /* a queue of a fifth of the product */
    run(3 * SECOND);
    uint64_t before = p.delivered;
    uint32_t lost = p.lost;
    run(20 * SECOND);
    print_message("%.1f %% of the rate, %.2f %% lost\n",
                  (double)(p.delivered - before) * 100 / (double)(20 * RATE),
                  (p.lost - lost) * 100.0 / (double)(p.delivered - before));
    assert_true(p.delivered - before > 20 * RATE * 75 / 100);
    assert_true((uint64_t)(p.lost - lost) * 100 < 2 * (p.delivered - before)); /* less than 2 % */
}

static void the_round_trip_is_probed_when_it_was_not_seen_for_five_seconds(void **state) {
    (void)state;
    begin(RATE, RTT);
    run(2 * SECOND);
    p.rtt = 50 * MS; /* the path has become longer: min_rtt is not seen again */
    run(9 * SECOND);
    assert_true(p.cwnd_min <= PRODUCT * 6 / 10);
    run(5 * SECOND);
    assert_true(p.c.cwnd_bytes > PRODUCT * 50 / 30 * 15 / 10); /* the window is that of the longer path */
}

static void a_timeout_begins_again_and_its_undo_puts_back(void **state) {
    (void)state;
    begin(RATE, RTT);
    run(3 * SECOND);
    uint32_t window = p.c.cwnd_bytes;
    p.c.ops->on_timeout(&p.c, p.in_flight, p.now);
    assert_int_equal(p.c.cwnd_bytes, MSS);
    p.c.ops->on_undo(&p.c, p.now);
    assert_int_equal(p.c.cwnd_bytes, window);
}

/* A round trip of nanoseconds, as between two stacks without a wire: the sanitizer that watches for integers that wrap
 * found one here. */
static void rates_beyond_measure_do_not_overflow(void **state) {
    (void)state;
    begin(1000000, MS);
    static const uint64_t rates[] = {20937211199998, UINT64_C(1) << 45, UINT64_C(1) << 50, UINT64_MAX / BRAID_NS_PER_S};
    for (unsigned i = 0; i < 400; i++) {
        p.now += 1000;
        p.delivered += 10 * MSS;
        const struct congestion_ack ack = {.now = p.now,
                                           .acked_bytes = 10 * MSS,
                                           .in_flight_bytes = 20 * MSS,
                                           .rtt_ns = 1 + i % 3,
                                           .srtt_ns = 2,
                                           .min_rtt_ns = 1,
                                           .delivery_bytes_per_s = rates[i / 100],
                                           .round_start = true};
        p.c.ops->on_ack(&p.c, &ack);
        assert_true(p.c.cwnd_bytes >= 2 * MSS && p.c.pacing_bytes_per_s > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(startup_finds_the_rate_within_a_dozen_round_trips),
        cmocka_unit_test(the_queue_of_startup_is_drained),
        cmocka_unit_test(probing_finds_a_rate_that_has_become_higher),
        cmocka_unit_test(a_rate_that_has_become_lower_is_forgotten_after_two_cycles),
        cmocka_unit_test(rates_beyond_measure_do_not_overflow),
        cmocka_unit_test(losses_bound_what_is_in_flight),
        cmocka_unit_test(the_round_trip_is_probed_when_it_was_not_seen_for_five_seconds),
        cmocka_unit_test(a_timeout_begins_again_and_its_undo_puts_back),
    };
    return cmocka_run_group_tests_name("bbr", tests, NULL, NULL);
}
