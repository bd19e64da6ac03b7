/* What is done about loss: fast recovery paced by proportional rate reduction (RFC 6937), recovery after a timeout by
 * slow start, and taking a reduction back when it proves spurious. What is lost, RACK says (rack.c); without SACK the
 * count of duplicate ACKs (RFC 5681, RFC 6582) stands in for it. */
#include "tcp_internal.h"

uint32_t flight_size(const struct tcp *t) { return (uint32_t)seq32_diff(t->snd_nxt, t->snd_una); }

uint32_t recovery_cwnd(const struct tcp *t) {
    bool proportional = t->recovery.phase == RECOVERY_FAST && !t->congestion.ops->rules_recovery;
    return proportional ? t->recovery.cwnd_bytes : t->congestion.cwnd_bytes;
}

/* Each duplicate ACK says that a segment left the network, though not which. */
/* [R-5681-3.2-4] [R-3042-2-1] [R-3042-2-3] */
uint32_t recovery_in_flight(const struct tcp *t) {
    uint64_t left = (uint64_t)t->recovery.duplicate_acks * t->piece_bytes;
    return left < t->board.in_flight_bytes ? t->board.in_flight_bytes - (uint32_t)left : 0;
}

/* --- beginning --- */

static void begin(struct tcp *t, enum recovery_phase phase) {
    struct recovery *r = &t->recovery;
    r->phase = phase;
    r->point = t->snd_nxt;
    r->flight_bytes = flight_size(t) > 0 ? flight_size(t) : 1;
    r->point_bytes = t->counts.bytes_acknowledged + r->flight_bytes;
    r->delivered_bytes = r->out_bytes = 0;
    r->undo_possible = true;
    r->retransmitted = false;
    r->unexplained_bytes = 0;
    r->undo_from = t->snd_una;
    probe_reset(t);
    ecn_reduced(t);
}

/* RFC 6937 §3. `safe`: the ACK moved snd_una and brought no further loss, so there is room to catch up (PRR-SSRB);
 * else only what left may be replaced (PRR-CRB, with a deviation that is told below). */
/* [R-8985-9.3-2] [R-6937-3-1] [R-6937-3-2] */
static void reduce_proportionally(struct tcp *t, uint32_t delivered_bytes, bool safe) {
    struct recovery *r = &t->recovery;
    r->delivered_bytes += delivered_bytes;
    uint64_t pipe = recovery_in_flight(t), ssthresh = t->congestion.ssthresh_bytes;
    int64_t room;
    if (pipe > ssthresh) {
        uint64_t share = (r->delivered_bytes * ssthresh + r->flight_bytes - 1) / r->flight_bytes;
        room = (int64_t)share - (int64_t)r->out_bytes;
    } else {
        /* At least what was just delivered may be replaced, also where more went out before (RFC 6937 would wait for that to be
         * made up): a retransmission that is lost would else not go again, and nothing but a timeout was left. Linux does so. */
        int64_t limit = (int64_t)r->delivered_bytes - (int64_t)r->out_bytes;
        if (limit < (int64_t)delivered_bytes) limit = delivered_bytes;
        if (safe) limit += t->mss_bytes;
        int64_t missing = (int64_t)(ssthresh - pipe);
        room = missing < limit ? missing : limit;
    }
    /* The first retransmission is not held up. */
    /* [R-6937-3-3] */
    if (r->out_bytes == 0 && room < (int64_t)t->mss_bytes) room = t->mss_bytes;
    r->cwnd_bytes = (uint32_t)(pipe + (room > 0 ? (uint64_t)room : 0));
}

/* [R-2018-5-4] [R-5681-4.3-1] [R-3168-5-2] */
void recovery_on_loss(struct tcp *t, uint32_t lost_bytes, braid_time now, const char *by) {
    TRACE(t->env, now, loss_detected, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number, .bytes = lost_bytes, .by = by);
    struct recovery *r = &t->recovery;
    /* There is less in flight; the room stays. */
    if (r->phase == RECOVERY_FAST) r->cwnd_bytes -= lost_bytes < r->cwnd_bytes ? lost_bytes : r->cwnd_bytes;
    if (r->phase != RECOVERY_NONE) return;
    begin(t, RECOVERY_FAST);
    t->counts.fast_recoveries++;
    t->congestion.ops->on_loss(&t->congestion, recovery_in_flight(t), now);
    reduce_proportionally(t, 0, false);
}

void recovery_on_timeout(struct tcp *t, braid_time now) {
    /* A timeout of what was sent again after a timeout is the same congestion (RFC 5681 §3.1). */
    bool again = t->recovery.phase == RECOVERY_TIMEOUT && t->timeouts > 1;
    frto_on_timeout(t, t->recovery.phase);
    uint32_t before = t->board.lost_bytes;
    rack_mark_losses_on_timeout(t, now);
    t->recovery.duplicate_acks = 0;
    TRACE(t->env, now, loss_detected, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number, .bytes = t->board.lost_bytes - before, .by = "timeout");
    /* [R-5681-3.1-9] */
    if (again) {
        t->recovery.point = t->snd_nxt;
        t->congestion.cwnd_bytes = t->congestion.mss_bytes;
        return;
    }
    begin(t, RECOVERY_TIMEOUT);
    t->congestion.ops->on_timeout(&t->congestion, flight_size(t), now);
}

/* The probe filled the only hole: a loss all the same. */
/* [R-8985-7.4.2-2] */
void recovery_repaired_by_probe(struct tcp *t, braid_time now) {
    if (t->recovery.phase != RECOVERY_NONE) return;
    t->congestion.ops->on_loss(&t->congestion, recovery_in_flight(t), now);
    t->congestion.ops->on_recovered(&t->congestion, now);
}

void recovery_retransmitted(struct tcp *t, uint32_t bytes, braid_time now) {
    struct recovery *r = &t->recovery;
    frto_sent_again(t);
    if (r->phase == RECOVERY_NONE) return;
    if (!r->retransmitted) {
        r->retransmitted = true;
        r->first_retransmission_stamp = timestamps_value(t, now);
    }
    r->unexplained_bytes += bytes;
}

/* --- ending --- */

static void end(struct tcp *t, braid_time now) {
    t->recovery.phase = RECOVERY_NONE;
    t->recovery.duplicate_acks = 0;
    frto_stop(t);
    t->congestion.ops->on_recovered(&t->congestion, now);
    rack_recovery_ended(t);
}

static void take_back(struct tcp *t, braid_time now) {
    t->recovery.undo_possible = false;
    t->counts.spurious_recoveries++;
    t->congestion.ops->on_undo(&t->congestion, now);
    struct send_record *lost;
    while ((lost = scoreboard_first_lost(&t->board)) != NULL) scoreboard_unlose(&t->board, lost);
    if (t->recovery.phase != RECOVERY_NONE) end(t, now);
}

/* Eifel: the first ACK of what was sent again echoes a time before that (RFC 3522). */
static bool original_arrived(const struct tcp *t, const struct acknowledgement *a) {
    const struct recovery *r = &t->recovery;
    const struct tcp_options *o = &a->segment->options;
    return r->phase != RECOVERY_NONE && r->retransmitted && a->retransmitted_acked && t->timestamps.enabled &&
           o->has_timestamps && o->timestamp_echo != 0 &&
           (int32_t)(o->timestamp_echo - r->first_retransmission_stamp) < 0;
}

static void check_spurious(struct tcp *t, const struct acknowledgement *a) {
    struct recovery *r = &t->recovery;
    if (!r->undo_possible) return;
    if (original_arrived(t, a)) {
        take_back(t, a->now);
        return;
    }
    if (!a->dsack || !r->retransmitted || seq32_lt(a->dsack_block.start, r->undo_from)) return;
    r->unexplained_bytes -= seq32_diff(a->dsack_block.end, a->dsack_block.start);
    if (r->unexplained_bytes <= 0) take_back(t, a->now);
}

/* --- without SACK --- */

static uint32_t lose_first_piece(struct tcp *t) {
    struct send_record *first = scoreboard_first(&t->board);
    if (first == NULL || first->state != RECORD_IN_FLIGHT) return 0;
    uint32_t piece = first->piece_bytes > 0 ? first->piece_bytes : t->piece_bytes;
    if (record_length(first) > piece) {
        if (!scoreboard_reserve(&t->board, 1)) return 0;
        (void)scoreboard_split(&t->board, first, seq32_add(first->start, piece));
    }
    scoreboard_lose(&t->board, first);
    return record_length(first);
}

/* Returns what is newly lost; estimates in a->delivered_bytes what an ACK says without naming it. */
/* [R-5681-3.2-3] [R-6582-3.2-1] [R-6582-3.2-2] */
static uint32_t count_duplicates(struct tcp *t, struct acknowledgement *a) {
    struct recovery *r = &t->recovery;
    if (a->duplicate) {
        r->duplicate_acks++;
        a->delivered_bytes = t->piece_bytes;
        bool past_last = seq32_gt(t->snd_una, r->point); /* RFC 6582 §3.2 step 2 */
        if (r->phase != RECOVERY_NONE || r->duplicate_acks != TCP_DUP_THRESHOLD || !past_last) return 0;
        return lose_first_piece(t);
    }
    if (a->acked_bytes == 0) return 0;
    uint32_t known = r->duplicate_acks * t->piece_bytes;
    a->delivered_bytes = a->acked_bytes > known ? a->acked_bytes - known : 0;
    unsigned covered = a->acked_bytes / t->piece_bytes;
    r->duplicate_acks = r->phase == RECOVERY_FAST && r->duplicate_acks > covered ? r->duplicate_acks - covered : 0;
    bool partial = r->phase == RECOVERY_FAST && seq32_lt(t->snd_una, r->point);
    return partial ? lose_first_piece(t) : 0;
}

/* --- each ACK --- */

void recovery_on_ack(struct tcp *t, struct acknowledgement *a) {
    struct recovery *r = &t->recovery;
    bool was_fast = r->phase == RECOVERY_FAST;
    /* [R-5682-3.1-9] */
    if (frto_on_ack(t, a) && r->undo_possible) {
        take_back(t, a->now);
        r->point = seq32_back(t->snd_una, 1);
        rack_forget(t);
    }
    check_spurious(t, a);
    if (r->phase == RECOVERY_NONE) was_fast = false; /* spurious */
    /* [R-6582-3.2-3] */
    if (r->phase != RECOVERY_NONE && seq32_ge(t->snd_una, r->point)) end(t, a->now);
    a->lost_bytes = t->sack_permitted ? rack_detect_losses(t, a->now) : count_duplicates(t, a);
    if (a->lost_bytes > 0) {
        recovery_on_loss(t, a->lost_bytes, a->now, t->sack_permitted ? "rack" : "duplicate acks");
    }
    if (r->phase == RECOVERY_FAST) {
        reduce_proportionally(t, a->delivered_bytes, a->acked_bytes > 0 && a->lost_bytes == 0);
    }
    /* With a window of two segments, what ends a recovery would be half of what lets it grow, and the next loss come a round
     * trip earlier: it does not count. With larger ones that made no difference for good. */
    a->in_recovery = r->phase == RECOVERY_FAST || (was_fast && t->congestion.cwnd_bytes <= 2 * t->mss_bytes);
}
