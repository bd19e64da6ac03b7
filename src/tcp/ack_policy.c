/* When to acknowledge: at once what is out of order, what fills a hole, every second full segment (one with more
 * options has less payload) and the first ones of a connection; the rest within 40 ms (RFC 9293 §3.8.6.3, RFC 5681 §4.2). A super-segment counts as the segments
 * it was made of, and what is small for want of more as if it were full: nobody knows whether more comes. But where two take turns,
 * the ACK goes with the answer. */
#include "tcp_internal.h"

#define DELAY_NS (40 * BRAID_NS_PER_MS) /* [MUST-40] [SHLD-18] */
#define DUPLICATES_MAX 8
#define EXCHANGES 2           /* so many in a row are a conversation */
#define CONVERSATION_BYTES 536 /* more at once is no turn in one */

static void learn_segment_size(struct tcp *t, const struct tcp_segment *s) {
    uint32_t piece = s->segment_bytes > 0 ? s->segment_bytes : s->payload_length;
    if (piece > t->mss_bytes) piece = t->mss_bytes;
    if (piece > t->acks.segment_bytes) t->acks.segment_bytes = piece;
}

static bool conversing(const struct ack_policy *p) {
    return p->exchanges >= EXCHANGES && p->unacked_bytes <= CONVERSATION_BYTES;
}

void ack_policy_received(struct tcp *t, const struct tcp_segment *s, bool in_order, braid_time now) {
    struct ack_policy *p = &t->acks;
    learn_segment_size(t, s);
    p->unacked_bytes += s->payload_length;
    p->unanswered = true;
    /* [R-2018-4-4] [R-5681-3.2-1] [R-5681-3.2-2] */
    if (!in_order) {
        p->now = true;
        if (!t->sack_permitted && p->duplicates < DUPLICATES_MAX) p->duplicates++;
    } else if (p->quick_left > 0) {
        p->quick_left--;
        p->now = true;
    /* [R-5681-4.2-3] */
    } else if (!conversing(p) && p->unacked_bytes + 2 * TCP_OPTIONS_MAX >= 2 * p->segment_bytes) { /* [SHLD-19] */
        p->now = true;
    } else {
        tcp_ack_soon(t, now);
    }
}

/* RFC 2883 §4: reported once, in the next ACK. */
/* [R-2883-4-1] */
void ack_policy_duplicate(struct tcp *t, seq32 start, seq32 end) {
    struct ack_policy *p = &t->acks;
    if (!t->sack_permitted) return;
    if (p->dsack_count == TCP_DSACKS_MAX) return;
    p->dsacks[p->dsack_count++] = (struct sack_block){start, end};
    p->now = true;
}

/* [R-5681-4.2-4] */
void ack_policy_sent(struct tcp *t) {
    struct ack_policy *p = &t->acks;
    if (p->duplicates > 0) p->duplicates--;
    p->now = p->dsack_count > 0 || p->duplicates > 0;
    p->unacked_bytes = 0;
    p->last_sent = t->rcv_nxt;
    timer_clear(t, TIMER_DELAYED_ACK);
}

void ack_policy_data_sent(struct tcp *t, braid_time now) {
    struct ack_policy *p = &t->acks;
    p->unanswered = false;
    if (now - t->counts.last_received_at >= DELAY_NS) p->exchanges = 0;
    else if (p->exchanges < EXCHANGES) p->exchanges++;
}

/* No answer came in time to take the ACK along. */
void ack_policy_delayed(struct tcp *t) {
    t->acks.now = true;
    t->acks.exchanges = 0;
}

void tcp_ack_now(struct tcp *t) {
    if (state_is_synchronized(t->state)) t->acks.now = true;
}

/* [R-5681-4.2-1] [R-5681-4.2-2] */
void tcp_ack_soon(struct tcp *t, braid_time now) {
    saw_time(t, now);
    if (!state_is_synchronized(t->state) || t->timers[TIMER_DELAYED_ACK] != BRAID_NEVER) return;
    timer_set(t, TIMER_DELAYED_ACK, now + DELAY_NS);
}
