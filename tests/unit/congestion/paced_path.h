/* A path of a few lines for what paces by a model: packets leave as window and pace allow, queue, and are acknowledged. */
#ifndef TESTS_UNIT_CONGESTION_PACED_PATH_H
#define TESTS_UNIT_CONGESTION_PACED_PATH_H

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

static void begin(const char *name, uint64_t bytes_per_s, braid_time rtt) {
    memset(&p, 0, sizeof(p));
    p.now = p.next_send = p.wire_free = p.delivered_at = 100 * SECOND;
    p.rate = bytes_per_s;
    p.rtt = rtt;
    congestion_start(&p.c, congestion_find(name), MSS, p.now);
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
    if (p.c.ops->on_packet_lost) p.c.ops->on_packet_lost(&p.c, &lost);
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

#endif
