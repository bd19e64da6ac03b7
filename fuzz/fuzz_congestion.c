/* Every congestion control, alone or coupled with siblings, told of acknowledgements, losses, timeouts, marks, pauses and
 * mistakes in any order that the sender may tell them: the window stays within its bounds, and no arithmetic leaves its
 * type. What the numbers say need not be likely, only possible. */
#include "fuzz.h"
#include <congestion/congestion.h>

enum { MEMBERS_MAX = 3, WINDOW_MAX_BYTES = 1 << 30, STEPS_MAX = 400 };

struct sender {
    struct congestion c;
    uint32_t in_flight_bytes, lost_since_bytes;
    uint64_t delivered_bytes;
    braid_time srtt_ns, min_rtt_ns;
    bool recovering, may_undo;
};

static struct sender senders[MEMBERS_MAX];
static braid_time now;

static void check(const struct sender *s) {
    ENSURE(s->c.cwnd_bytes >= s->c.mss_bytes && s->c.cwnd_bytes <= WINDOW_MAX_BYTES);
    ENSURE(s->c.ssthresh_bytes >= s->c.mss_bytes);
}

static uint32_t part_of(struct feed *f, uint32_t whole) { return (uint32_t)((uint64_t)whole * feed_u8(f) / 255); }

static void send_some(struct feed *f, struct sender *s) {
    uint32_t room = s->c.cwnd_bytes > s->in_flight_bytes ? s->c.cwnd_bytes - s->in_flight_bytes : 0;
    if (s->in_flight_bytes == 0 && s->c.ops->on_flight) s->c.ops->on_flight(&s->c, now);
    s->in_flight_bytes += feed_u8(f) & 1 ? room : part_of(f, room);
}

static braid_time draw_rtt(struct feed *f) {
    /* From a microsecond to half an hour. */
    return (braid_time)1000 * (1 + feed_u8(f)) << feed_u8(f) % 23;
}

static void acknowledge(struct feed *f, struct sender *s) {
    uint8_t bits = feed_u8(f);
    struct congestion_ack ack = {.now = now, .in_flight_bytes = s->in_flight_bytes};
    ack.acked_bytes = bits & 1 ? part_of(f, s->in_flight_bytes) : s->in_flight_bytes < 3000 ? s->in_flight_bytes : 3000;
    ack.lost_bytes = bits & 2 ? part_of(f, s->in_flight_bytes - ack.acked_bytes) : 0;
    if (bits & 4) {
        ack.rtt_ns = draw_rtt(f);
        s->srtt_ns = s->srtt_ns == 0 ? ack.rtt_ns : s->srtt_ns - s->srtt_ns / 8 + ack.rtt_ns / 8;
        if (s->min_rtt_ns == 0 || ack.rtt_ns < s->min_rtt_ns) s->min_rtt_ns = ack.rtt_ns;
    }
    ack.srtt_ns = s->srtt_ns;
    ack.min_rtt_ns = s->min_rtt_ns;
    ack.delivery_bytes_per_s = (uint64_t)feed_u16(f) << feed_u8(f) % 25;
    ack.application_limited = bits & 8;
    ack.cwnd_limited = bits & 16;
    ack.round_start = bits & 32;
    ack.rate_valid = bits & 64;
    ack.sample_bytes_per_s = ack.rate_valid ? ack.delivery_bytes_per_s : 0;
    ack.delivered_before_bytes = s->delivered_bytes - part_of(f, (uint32_t)s->delivered_bytes & 0xffffff);
    s->delivered_bytes += ack.acked_bytes;
    s->in_flight_bytes -= ack.acked_bytes + ack.lost_bytes;
    s->lost_since_bytes = ack.lost_bytes;
    ack.delivered_total_bytes = s->delivered_bytes;
    ack.sent_in_flight_bytes = part_of(f, ack.in_flight_bytes);
    ack.lost_since_bytes = ack.lost_bytes;
    ack.in_flight_now_bytes = s->in_flight_bytes;
    ack.in_recovery = s->recovering;
    s->c.ops->on_ack(&s->c, &ack);
}

static void lose(struct feed *f, struct sender *s) {
    struct congestion_lost lost = {.now = now,
                                   .bytes = part_of(f, s->in_flight_bytes < 65536 ? s->in_flight_bytes : 65536),
                                   .sent_in_flight_bytes = s->in_flight_bytes,
                                   .delivered_total_bytes = s->delivered_bytes,
                                   .application_limited = feed_u8(f) & 1};
    lost.lost_since_bytes = lost.bytes + part_of(f, 1 << 20);
    s->in_flight_bytes -= lost.bytes;
    if (s->c.ops->on_packet_lost) s->c.ops->on_packet_lost(&s->c, &lost);
    if (s->recovering) return;
    s->c.ops->on_loss(&s->c, s->in_flight_bytes, now);
    s->recovering = s->may_undo = true;
}

static void recovered(struct sender *s) {
    if (!s->recovering) return;
    s->recovering = false;
    s->c.ops->on_recovered(&s->c, now);
}

static void mark(struct sender *s) {
    if (s->c.ops->on_mark) {
        s->c.ops->on_mark(&s->c, now);
    } else if (!s->recovering) {
        s->c.ops->on_loss(&s->c, s->in_flight_bytes, now);
        s->c.ops->on_recovered(&s->c, now);
    }
}

static void undo(struct sender *s) {
    if (!s->may_undo) return;
    s->may_undo = false;
    s->c.ops->on_undo(&s->c, now);
    recovered(s);
}

static void step(struct feed *f, unsigned members) {
    uint8_t what = feed_u8(f);
    struct sender *s = &senders[(what >> 4) % members];
    now += (braid_time)feed_u16(f) * 1000 << (feed_u8(f) % 24);
    switch (what % 16) {
    case 0: lose(f, s); break;
    case 1: recovered(s); break;
    case 2:
        s->c.ops->on_timeout(&s->c, s->in_flight_bytes, now);
        s->recovering = false;
        s->may_undo = true;
        s->in_flight_bytes = 0;
        break;
    case 3: undo(s); break;
    case 4: mark(s); break;
    case 5:
        s->in_flight_bytes = 0;
        s->c.ops->on_restart(&s->c, draw_rtt(f), now);
        break;
    default:
        send_some(f, s);
        if (s->in_flight_bytes > 0) acknowledge(f, s);
    }
    for (unsigned i = 0; i < members; i++) check(&senders[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    struct coupled_group group = {0};
    const uint8_t which = feed_u8(&f), mss = feed_u8(&f);
    unsigned kinds = 0, members = 1 + (which >> 4) % MEMBERS_MAX;
    while (congestion_name(kinds) != NULL) kinds++;
    memset(senders, 0, sizeof(senders));
    now = 100 * BRAID_NS_PER_S;
    for (unsigned i = 0; i < members; i++) {
        const struct congestion_ops *ops = congestion_find(congestion_name(which % 16 % kinds));
        congestion_start(&senders[i].c, ops, mss < 8 ? 88u : mss < 16 ? 65495u : 1000u + mss * 2u, now);
        if (members > 1) congestion_couple(&senders[i].c, &group);
        check(&senders[i]);
    }
    for (unsigned steps = 0; feed_left(&f) > 0 && steps < STEPS_MAX; steps++) step(&f, members);
    for (unsigned i = 0; i < members; i++) congestion_uncouple(&senders[i].c);
    ENSURE(members == 1 || group.first == NULL);
    return 0;
}
