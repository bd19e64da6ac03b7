/* What an acknowledgement says: cumulatively, by SACK, by DSACK; and who has to know. */
#include "tcp_internal.h"

/* --- is it a duplicate? (RFC 5681 §2) --- */

/* [R-3-1] [R-3.4.1-13] [R-4-2] */
/* RFC 8684 §3: one that carries an MPTCP option other than DSS tells of something else than congestion. */
static bool only_dss(const struct tcp_segment *s) {
    for (unsigned i = 0; i < s->options.mptcp_count; i++) {
        const struct tcp_raw_option *option = &s->options.mptcp[i];
        if (option->length < 3 || option->bytes[2] >> 4 != 2) return false;
    }
    return true;
}

static bool is_duplicate(const struct tcp *t, const struct tcp_segment *s) {
    uint32_t window = (uint32_t)s->window << t->send_scale;
    return seq32_eq(s->ack, t->snd_una) && tcp_segment_length(s) == 0 && window == t->snd_wnd &&
           !scoreboard_empty(&t->board) && only_dss(s);
}

/* --- the scoreboard --- */

/* The part of `record` up to `end` reached the peer, and we did not know. */
static void deliver(struct tcp *t, const struct send_record *record, seq32 end, struct acknowledgement *a) {
    rack_delivered(t, record, end, a);
    frto_delivered(t, record, end, a);
    pmtu_delivered(t, record, end, a->now);
    rate_delivered(t, record, (uint32_t)seq32_diff(end, record->start), a);
}

static void take_cumulative(struct tcp *t, struct acknowledgement *a) {
    seq32 ack = a->segment->ack;
    a->acked_bytes = (uint32_t)seq32_diff(ack, t->snd_una);
    struct send_record *record;
    while ((record = scoreboard_first(&t->board)) != NULL && seq32_lt(record->start, ack)) {
        seq32 end = seq32_min(record->end, ack);
        a->retransmitted_acked |= record->retransmitted;
        if (record->state != RECORD_SACKED) deliver(t, record, end, a);
        if (seq32_lt(end, record->end)) {
            scoreboard_trim(&t->board, record, end);
        } else {
            scoreboard_drop(&t->board, record);
        }
    }
    t->snd_una = ack;
}

static uint32_t pieces_of(const struct send_record *record) {
    uint32_t piece = record->piece_bytes > 0 ? record->piece_bytes : 1;
    return (record_length(record) + piece - 1) / piece;
}

/* A peer that SACKs crumbs must not make us keep a record for each: honest ones report whole segments. */
static bool may_split(const struct tcp *t) {
    return t->board.record_count < flight_size(t) / TCP_MSS_MIN_BYTES + 64;
}

/* The part of `record` in [start, end), as a record of its own; NULL if it may not be cut. Memory is provided for. */
static struct send_record *cut_out(struct tcp *t, struct send_record *record, seq32 start, seq32 end) {
    bool front = seq32_lt(record->start, start), back = seq32_gt(record->end, end);
    if ((front || back) && !may_split(t)) return NULL;
    if (front) record = scoreboard_split(&t->board, record, start);
    if (back) (void)scoreboard_split(&t->board, record, end);
    return record;
}

/* Marks [start, end), which lies within what is outstanding. */
/* [R-2018-5-1] [R-6675-3-1] */
static void take_sack_block(struct tcp *t, seq32 start, seq32 end, struct acknowledgement *a) {
    struct send_record *record = scoreboard_find(&t->board, start);
    while (record != NULL && seq32_lt(record->start, end)) {
        struct send_record *covered = record->state == RECORD_SACKED ? NULL : cut_out(t, record, start, end);
        if (covered != NULL) {
            deliver(t, covered, covered->end, a);
            scoreboard_sack(&t->board, covered, pieces_of(covered));
            record = t->board.touched;
        }
        record = scoreboard_next(&t->board, record);
    }
}

/* RFC 2883 §4: the first block reports a duplicate if it lies below the ACK or within the second block. */
/* [R-2883-5-1] */
static bool first_block_is_dsack(const struct tcp_segment *s) {
    const struct sack_block *block = s->options.sack;
    if (seq32_lt(block[0].start, s->ack)) return seq32_le(block[0].end, s->ack);
    return s->options.sack_count > 1 && seq32_ge(block[0].start, block[1].start) &&
           seq32_le(block[0].end, block[1].end);
}

static bool block_is_usable(const struct tcp *t, const struct sack_block *block) {
    return seq32_lt(block->start, block->end) && seq32_ge(block->start, t->snd_una) &&
           seq32_le(block->end, t->snd_nxt);
}

/* Copies the usable blocks in ascending order, so that what arrived in order is seen to. Returns how many. */
static unsigned sorted_blocks(const struct tcp *t, const struct tcp_segment *s, unsigned from,
                              struct sack_block *out) {
    unsigned count = 0;
    for (unsigned i = from; i < s->options.sack_count; i++) {
        if (!block_is_usable(t, &s->options.sack[i])) continue;
        unsigned at = count++;
        for (; at > 0 && seq32_gt(out[at - 1].start, s->options.sack[i].start); at--) out[at] = out[at - 1];
        out[at] = s->options.sack[i];
    }
    return count;
}

/* Which no honest peer says. The first `from` blocks are a DSACK. */
static void count_lies(const struct tcp *t, const struct tcp_segment *s, unsigned from, braid_time now) {
    for (unsigned i = 0; i < s->options.sack_count; i++) {
        const struct sack_block *block = &s->options.sack[i];
        if (!seq32_lt(block->start, block->end) || seq32_gt(block->end, t->snd_nxt)) {
            COUNT_IGNORED(t, now, "SACK", sack_invalid);
        } else if (i >= from && seq32_lt(block->start, s->ack)) {
            COUNT_IGNORED(t, now, "SACK", sack_below_ack);
        }
    }
}

/* Of something we never sent, or long ago: not to be believed. */
static bool dsack_is_credible(const struct tcp *t, const struct sack_block *block) {
    uint32_t reach = t->snd_wnd_max > 65535 ? t->snd_wnd_max : 65535;
    return seq32_ge(block->start, seq32_back(t->snd_una, reach)) && seq32_gt(block->start, t->iss);
}

static void take_sack(struct tcp *t, struct acknowledgement *a) {
    const struct tcp_segment *s = a->segment;
    if (!t->sack_permitted) {
        COUNT_IGNORED(t, a->now, "SACK", sack_not_permitted);
        return;
    }
    unsigned from = 0;
    if (seq32_lt(s->options.sack[0].start, s->options.sack[0].end) && first_block_is_dsack(s)) {
        a->dsack_block = s->options.sack[0];
        a->dsack = dsack_is_credible(t, &a->dsack_block);
        if (!a->dsack) COUNT_IGNORED(t, a->now, "SACK", dsack_invalid);
        from = 1;
    }
    count_lies(t, s, from, a->now);
    struct sack_block blocks[TCP_SACK_BLOCKS_MAX];
    unsigned count = sorted_blocks(t, s, from, blocks);
    /* No memory to split records: as if this ACK's blocks had not come. */
    if (!scoreboard_reserve(&t->board, 2 * count)) return;
    for (unsigned i = 0; i < count; i++) take_sack_block(t, blocks[i].start, blocks[i].end, a);
}

/* --- what it teaches --- */

/* [MUST-18] */
/* No sample with a DSACK: that ACK answers a duplicate, and the time since the data was first sent is mostly that of
 * the timeout behind which an earlier ACK got lost. Otherwise the echoed timestamp says which transmission is answered
 * after a retransmission; an echo of the first one is a sample too, of a path that became slow. */
/* [R-6298-3-1] [R-6298-3-2] [R-6298-3-3] */
static void take_rtt(struct tcp *t, struct acknowledgement *a) {
    if (!a->rate_valid || a->dsack) return;
    bool ambiguous = a->rate_retransmitted || (!t->sack_permitted && a->retransmitted_acked);
    braid_time since_sent = a->now > a->rate_sent_at ? a->now - a->rate_sent_at : 1;
    if (!ambiguous) {
        a->rtt_ns = since_sent;
    } else if (a->acked_bytes > 0) {
        braid_time echo = timestamps_echo_rtt(t, a->segment, a->now);
        bool of_the_last = echo > 0 && echo <= since_sent + TCP_TICK_NS;
        a->rtt_ns = of_the_last ? since_sent : echo;
    }
    if (a->rtt_ns > 0) rtt_sample(t, a->rtt_ns, a->now);
}

static bool window_was_limit(const struct tcp *t) {
    if (t->window_limits[0] || t->window_limits[1]) return true;
    /* In slow start the window may run ahead of what is in flight by a factor of two. */
    uint32_t max = t->in_flight_max_bytes[0] > t->in_flight_max_bytes[1] ? t->in_flight_max_bytes[0]
                                                                         : t->in_flight_max_bytes[1];
    return t->congestion.cwnd_bytes < t->congestion.ssthresh_bytes && t->congestion.cwnd_bytes / 2 < max;
}

static void begin_round(struct tcp *t, braid_time now) {
    t->window_limits[1] = t->window_limits[0];
    t->in_flight_max_bytes[1] = t->in_flight_max_bytes[0];
    t->window_limits[0] = false;
    t->in_flight_max_bytes[0] = t->board.in_flight_bytes;
    TRACE(t->env, now, congestion, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number, .cwnd_bytes = recovery_cwnd(t),
          .ssthresh_bytes = t->congestion.ssthresh_bytes, .in_flight_bytes = t->board.in_flight_bytes,
          .srtt_us = t->rtt.srtt_ns / BRAID_NS_PER_US);
}

static void inform_congestion(struct tcp *t, const struct acknowledgement *a) {
    const struct congestion_ack ack = {
        .now = a->now,
        .acked_bytes = a->delivered_bytes,
        .in_flight_bytes = a->prior_in_flight_bytes,
        .lost_bytes = a->lost_bytes,
        .rtt_ns = a->rtt_ns,
        .srtt_ns = t->rtt.srtt_ns,
        .min_rtt_ns = rtt_min(t),
        .delivery_bytes_per_s = t->rate.newest_bytes_per_s,
        .application_limited = a->rate_limited,
        /* [R-3042-2-2] Without SACK a duplicate ACK lets a segment go, and does not make the window grow. */
        .cwnd_limited = window_was_limit(t) && (t->sack_permitted || a->acked_bytes > 0),
        .round_start = a->round_start,
        .rate_valid = a->rate_valid,
        .sample_bytes_per_s = a->rate_bytes_per_s,
        .delivered_total_bytes = t->rate.delivered_bytes,
        .delivered_before_bytes = a->rate_valid ? a->rate_prior_delivered : t->rate.delivered_bytes,
        .sent_in_flight_bytes = a->rate_in_flight_bytes,
        .lost_since_bytes = a->rate_valid ? scoreboard_lost_since(&t->board, a->rate_lost_before_bytes) : 0,
        .in_flight_now_bytes = recovery_in_flight(t),
        .in_recovery = a->in_recovery,
    };
    t->congestion.ops->on_ack(&t->congestion, &ack);
    if (a->round_start) begin_round(t, a->now);
    pacing_update(t);
}

/* --- who has to know --- */

static void progress(struct tcp *t, braid_time now) {
    t->progress_at = now;
    t->alive_at = now;
    t->timeouts = 0;
    t->persist_backoff = 0;
    if (t->small_outstanding && seq32_ge(t->snd_una, t->small_end)) t->small_outstanding = false;
}

/* [R-2018-8-3] */
static void release_acknowledged(struct tcp *t, const struct acknowledgement *a) {
    bool fin_acknowledged = t->fin_sent && seq32_gt(t->snd_una, t->fin_seq);
    uint32_t bytes = a->acked_bytes;
    if (fin_acknowledged && a->acked_bytes > 0) bytes--;
    slice_queue_drop(&t->queue, bytes);
    t->queue_start = seq32_add(t->queue_start, bytes);
    t->counts.bytes_acknowledged += bytes;
    if (bytes > 0) owner_acknowledged(t, bytes, a->now);
    if (fin_acknowledged && a->acked_bytes > 0 && t->state != TCP_STATE_CLOSED) {
        close_fin_acknowledged(t, a->now);
    }
}

void ack_process(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    struct acknowledgement a = {
        .now = now,
        .segment = s,
        .prior_in_flight_bytes = t->board.in_flight_bytes,
        .duplicate = is_duplicate(t, s),
    };
    /* [MUST-37] */
    if (t->snd_wnd == 0) t->alive_at = now; /* it answers: zero windows are probed for ever */
    if (seq32_lt(s->ack, t->snd_una)) return;
    window_take(t, s, now);
    take_cumulative(t, &a);
    if (s->options.sack_count > 0) take_sack(t, &a);
    if (a.acked_bytes > 0) progress(t, now);
    if (a.delivered_bytes > 0) t->probe.due = false; /* the answer came after all */
    if (a.delivered_bytes > 0 || a.dsack || a.duplicate) {
        take_rtt(t, &a);
        rack_update_window(t, &a);
        rate_update(t, &a);
        probe_on_ack(t, &a);
        recovery_on_ack(t, &a);
        if (a.delivered_bytes > 0) inform_congestion(t, &a);
    }
    bool recovered = t->suspected && a.delivered_bytes > 0;
    if (a.acked_bytes > 0) release_acknowledged(t, &a);
    if (recovered && t->state != TCP_STATE_CLOSED) owner_recovered(t, now);
}
