/* RACK and the tail loss probe (RFC 8985): a segment is lost when one sent later was delivered and the reordering
 * window has passed; when no ACK comes at all, a probe asks for one. Only with SACK. */
#include "tcp_internal.h"

#define WINDOW_PERSIST_RECOVERIES 16

void rack_init(struct tcp *t) {
    t->rack = (struct rack){
        .fack = t->snd_una,
        .window_multiplier = 1,
        .deadline = BRAID_NEVER,
    };
}

/* RACK_sent_after() */
static bool sent_after(braid_time sent_at, seq32 end, braid_time other_sent_at, seq32 other_end) {
    return sent_at > other_sent_at || (sent_at == other_sent_at && seq32_gt(end, other_end));
}

/* Is this the answer to an earlier transmission than the last one? (Step 2.) The echoed timestamp can say so only for
 * what the ACK covers: for SACKed data it is that of the last segment in order. */
static bool answers_original(const struct tcp *t, const struct send_record *record, seq32 end,
                             const struct acknowledgement *a) {
    if (!record->retransmitted) return false;
    if (a->now - record->sent_at < rtt_min(t)) return true;
    const struct tcp_options *o = &a->segment->options;
    return t->timestamps.enabled && o->has_timestamps && seq32_le(end, a->segment->ack) &&
           (int32_t)(o->timestamp_echo - timestamps_value(t, record->sent_at)) < 0;
}

void rack_delivered(struct tcp *t, const struct send_record *record, seq32 end, const struct acknowledgement *a) {
    struct rack *k = &t->rack;
    if (seq32_gt(end, k->fack)) {
        k->fack = end;
    } else if (seq32_lt(end, k->fack) && !record->retransmitted) {
        k->reordering_seen = true;
    }
    if (answers_original(t, record, end, a)) return;
    k->rtt_ns = a->now - record->sent_at;
    if (k->valid && !sent_after(record->sent_at, end, k->sent_at, k->end)) return;
    k->valid = true;
    k->sent_at = record->sent_at;
    k->end = end;
}

/* Step 4, first half: each round trip with a DSACK widens the window. */
/* [R-8985-3.3.2-3] [R-8985-4-4] */
void rack_update_window(struct tcp *t, const struct acknowledgement *a) {
    struct rack *k = &t->rack;
    if (k->dsack_round_open && seq32_ge(t->snd_una, k->dsack_round)) k->dsack_round_open = false;
    if (!a->dsack || k->dsack_round_open) return;
    k->dsack_round_open = true;
    k->dsack_round = t->snd_nxt;
    if (k->window_multiplier < 1000) k->window_multiplier++;
    k->window_persist = WINDOW_PERSIST_RECOVERIES;
}

void rack_recovery_ended(struct tcp *t) {
    struct rack *k = &t->rack;
    if (k->window_persist > 0) k->window_persist--;
    if (k->window_persist == 0) k->window_multiplier = 1;
}

void rack_forget(struct tcp *t) {
    t->rack.valid = false;
    t->rack.deadline = BRAID_NEVER;
}

/* Step 4, second half: RACK.reo_wnd. */
/* [R-8985-3.3.2-1] [R-8985-3.3.2-2] [R-8985-3.3.2-4] */
static braid_time reordering_window(const struct tcp *t) {
    const struct rack *k = &t->rack;
    if (!k->reordering_seen && k->window_multiplier == 1) {
        /* The second condition is ours: a DSACK is as good a sight of reordering as an original that comes late. */
        if (t->recovery.phase != RECOVERY_NONE) return 0;
        if (t->board.sacked_pieces >= TCP_DUP_THRESHOLD) return 0;
    }
    braid_time window = k->window_multiplier * rtt_min(t) / 4;
    return window < t->rtt.srtt_ns ? window : t->rtt.srtt_ns;
}
braid_time rack_reordering_window(const struct tcp *t) { return reordering_window(t); }

/* [R-8985-4-1] [R-8985-6.2-2] [R-8985-9.2-1] */
uint32_t rack_detect_losses(struct tcp *t, braid_time now) {
    struct rack *k = &t->rack;
    k->deadline = BRAID_NEVER;
    if (!k->valid || !t->sack_permitted) return 0;
    braid_time patience = k->rtt_ns + reordering_window(t);
    uint32_t before = t->board.lost_bytes, probe_bytes = 0;
    LIST_EACH(&t->board.in_flight, node, following) {
        struct send_record *record = LIST_ENTRY(node, struct send_record, by_state);
        if (record->sent_at > k->sent_at) break;
        if (!sent_after(k->sent_at, k->end, record->sent_at, record->end)) continue;
        if (record->sent_at + patience <= now) {
            bool probe = pmtu_lost(t, record, now);
            scoreboard_lose(&t->board, record);
            if (probe) probe_bytes += record_length(record);
            else rate_lost(t, record, now);
        } else {
            k->deadline = record->sent_at + patience; /* in order of sending: the last one's is the latest */
        }
    }
    return t->board.lost_bytes - before - probe_bytes;
}

/* RFC 8985 §6.3. Without SACK nothing is known of what lies behind the first, and all of it counts as lost. */
/* [R-2018-5-2] [R-2018-5-3] [R-6675-5.1-1] */
void rack_mark_losses_on_timeout(struct tcp *t, braid_time now) {
    const struct rack *k = &t->rack;
    struct send_record *first = scoreboard_first(&t->board);
    bool reneged = first != NULL && first->state == RECORD_SACKED;
    braid_time patience = k->rtt_ns + reordering_window(t);
    if (reneged) COUNT_IGNORED(t, now, "SACK", sack_reneged);
    for (struct send_record *r = first; r != NULL; r = scoreboard_next(&t->board, r)) {
        /* The peer threw away what it had reported, which RFC 2018 §8 allows. */
        if (reneged && r->state == RECORD_SACKED) scoreboard_renege(&t->board, r);
        if (r->state != RECORD_IN_FLIGHT) continue;
        bool old = !k->valid || !t->sack_permitted || r->sent_at + patience <= now;
        if (r == first || old) scoreboard_lose(&t->board, r);
    }
    t->rack.deadline = BRAID_NEVER;
}

/* --- tail loss probe --- */

void probe_reset(struct tcp *t) {
    t->probe.due = false;
    t->probe.outstanding = false;
    t->probe.retransmission = false;
}

/* RFC 8985 §7.2 and the two conditions of §7.3. */
/* [R-8985-7.3-1] */
bool probe_may_be_armed(const struct tcp *t) {
    const struct probe *p = &t->probe;
    return t->sack_permitted && t->recovery.phase == RECOVERY_NONE && t->timeouts == 0 &&
           t->board.sacked_bytes == 0 && t->board.lost_bytes == 0 && !p->due && !p->outstanding &&
           p->rtt_sampled;
}

static bool dsack_matches_probe(const struct tcp *t, const struct acknowledgement *a) {
    return a->dsack && seq32_eq(a->dsack_block.end, t->probe.end);
}

/* TLP_process_ack(), RFC 8985 §7.4.2: was there a loss that the probe itself repaired? */
/* [R-8985-7.4.2-1] */
void probe_on_ack(struct tcp *t, const struct acknowledgement *a) {
    struct probe *p = &t->probe;
    seq32 ack = a->segment->ack;
    if (!p->outstanding || seq32_lt(ack, p->end)) return;
    bool both_arrived = dsack_matches_probe(t, a) || (a->duplicate && a->segment->options.sack_count == 0);
    bool answered = !p->retransmission || both_arrived || seq32_gt(ack, p->end);
    if (!answered) return;
    p->outstanding = false;
    if (p->retransmission && !both_arrived) recovery_repaired_by_probe(t, a->now);
}
