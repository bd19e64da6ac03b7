/* How fast the path delivers, measured at each ACK (draft-cheng-iccrg-delivery-rate-estimation): what was delivered
 * between the sending of the newest delivered record and its delivery, over the longer of how long the sending and
 * how long the acknowledging of it took. */
#include "tcp_internal.h"

void rate_sent(struct tcp *t, struct send_record *record, braid_time now) {
    struct rate *r = &t->rate;
    if (t->board.in_flight_bytes == record_length(record)) {
        /* Nothing else was in flight: a new flight begins. */
        r->first_sent_at = now;
        r->delivered_at = now;
    }
    record->first_sent_at = r->first_sent_at;
    record->delivered_at = r->delivered_at;
    record->delivered_bytes = r->delivered_bytes;
    record->application_limited = r->application_limited_until > 0;
}

void rate_delivered(struct tcp *t, const struct send_record *record, uint32_t bytes, struct acknowledgement *a) {
    struct rate *r = &t->rate;
    r->delivered_bytes += bytes;
    r->delivered_at = a->now;
    a->delivered_bytes += bytes;
    if (a->rate_valid && record->delivered_bytes < a->rate_prior_delivered) return;
    a->rate_valid = true;
    a->rate_prior_delivered = record->delivered_bytes;
    a->rate_prior_at = record->delivered_at;
    a->rate_first_sent_at = record->first_sent_at;
    a->rate_sent_at = record->sent_at;
    a->rate_limited = record->application_limited;
    a->rate_retransmitted = record->retransmitted;
    a->rate_in_flight_bytes = record->sent_in_flight_bytes;
    a->rate_lost_before_bytes = record->lost_before_bytes;
    r->first_sent_at = record->sent_at;
}

void rate_lost(struct tcp *t, const struct send_record *record, braid_time now) {
    const struct congestion_lost lost = {
        .now = now,
        .bytes = record_length(record),
        .sent_in_flight_bytes = record->sent_in_flight_bytes,
        .lost_since_bytes = scoreboard_lost_since(&t->board, record->lost_before_bytes),
        .delivered_total_bytes = t->rate.delivered_bytes,
        .application_limited = record->application_limited,
    };
    if (t->congestion.ops->on_packet_lost) t->congestion.ops->on_packet_lost(&t->congestion, &lost);
}

static uint64_t bytes_per_s(uint64_t bytes, braid_time interval_ns) {
    /* bytes < 2^33 (what is in flight twice over), 10^9 < 2^30. */
    return bytes * BRAID_NS_PER_S / interval_ns;
}

static void begin_round(struct tcp *t, struct acknowledgement *a) {
    struct rate *r = &t->rate;
    a->round_start = true;
    r->round_end = r->delivered_bytes;
    r->round++;
    r->round_max[r->round % RATE_ROUNDS] = 0;
    r->max_bytes_per_s = 0;
    for (unsigned i = 0; i < RATE_ROUNDS; i++)
        if (r->round_max[i] > r->max_bytes_per_s) r->max_bytes_per_s = r->round_max[i];
}

void rate_update(struct tcp *t, struct acknowledgement *a) {
    struct rate *r = &t->rate;
    if (r->application_limited_until > 0 && r->delivered_bytes > r->application_limited_until) {
        r->application_limited_until = 0;
    }
    if (!a->rate_valid) return;
    if (a->rate_prior_delivered >= r->round_end) begin_round(t, a);
    braid_time sending = a->rate_sent_at - a->rate_first_sent_at;
    braid_time acknowledging = a->now - a->rate_prior_at;
    braid_time interval = sending > acknowledging ? sending : acknowledging;
    /* Faster than the smallest round trip: several ACKs came at once, nothing to learn from that. */
    if (interval == 0 || interval < rtt_min(t)) return;
    r->newest_bytes_per_s = bytes_per_s(r->delivered_bytes - a->rate_prior_delivered, interval);
    a->rate_bytes_per_s = r->newest_bytes_per_s;
    if (a->rate_limited && r->newest_bytes_per_s < rate_max(t)) return;
    uint64_t *max = &r->round_max[r->round % RATE_ROUNDS];
    if (r->newest_bytes_per_s > *max) *max = r->newest_bytes_per_s;
    if (r->newest_bytes_per_s > r->max_bytes_per_s) r->max_bytes_per_s = r->newest_bytes_per_s;
}

uint64_t rate_max(const struct tcp *t) { return t->rate.max_bytes_per_s; }

void rate_check_application_limited(struct tcp *t) {
    if (tcp_unsent(t) > 0 || t->board.lost_bytes > 0) return;
    if (recovery_in_flight(t) + t->piece_bytes > recovery_cwnd(t)) return;
    t->rate.application_limited_until = t->rate.delivered_bytes + t->board.in_flight_bytes;
    if (t->rate.application_limited_until == 0) t->rate.application_limited_until = 1;
}
