/* F-RTO with SACK (RFC 5682 §3): was the timeout for nothing? After it only the first segment is sent again. The ACK of that
 * is answered by up to two segments of new data; if the next one then reports data that was sent once only, and before the
 * timeout, nothing was lost: the path has become slow, and what the timeout did is taken back. No timestamps are needed.
 *
 * Without SACK the same holds of the cumulative acknowledgement alone (§2); a duplicate says that there is a hole. */
#include "tcp_internal.h"

#define NEW_SEGMENTS 2

void frto_stop(struct tcp *t) { t->frto.step = FRTO_OFF; }

/* A timeout; `before` is what was going on until it. In another recovery what arrives may have been sent again by that one.
 * A further timeout of the same segment changes nothing. */
/* [R-5682-3.1-2] [R-5682-3.1-3] [R-5682-3.1-4] */
void frto_on_timeout(struct tcp *t, enum recovery_phase before) {
    struct frto *f = &t->frto;
    bool same_segment = before == RECOVERY_TIMEOUT && f->step == FRTO_FIRST_AGAIN;
    f->step = before == RECOVERY_NONE || same_segment ? FRTO_FIRST_AGAIN : FRTO_OFF;
    f->point = t->snd_nxt;
    f->new_bytes = 0;
}

void frto_sent_new(struct tcp *t, uint32_t bytes) {
    if (t->frto.step == FRTO_NEW_DATA) t->frto.new_bytes += bytes;
}

/* More than the first was sent again: what comes may be the answer to that. */
void frto_sent_again(struct tcp *t) {
    if (t->frto.step == FRTO_NEW_DATA) frto_stop(t);
}

bool frto_wants_new(const struct tcp *t) { return t->frto.step == FRTO_NEW_DATA; }

/* [R-5682-3.1-6] */
uint32_t frto_new_left(const struct tcp *t) {
    uint32_t most = NEW_SEGMENTS * t->piece_bytes;
    return t->frto.new_bytes < most ? most - t->frto.new_bytes : 0;
}

/* `end` is that of a stretch newly reported as delivered. */
void frto_delivered(const struct tcp *t, const struct send_record *record, seq32 end, struct acknowledgement *a) {
    if (t->frto.step == FRTO_OFF) return;
    if (seq32_gt(end, t->frto.point)) a->frto_new_delivered = true;
    else if (!record->retransmitted) a->frto_original_delivered = true;
}

/* Step 2. */
/* [R-5682-3.1-5] */
static void first_arrived(struct tcp *t, const struct acknowledgement *a) {
    if (a->acked_bytes == 0) return;
    t->frto.step = seq32_lt(t->snd_una, t->frto.point) ? FRTO_NEW_DATA : FRTO_OFF;
}

/* True: the timeout was spurious. */
/* [R-5682-3.1-7] [R-5682-3.1-8] */
bool frto_on_ack(struct tcp *t, const struct acknowledgement *a) {
    if (t->frto.step == FRTO_FIRST_AGAIN) {
        first_arrived(t, a);
        return false;
    }
    if (t->frto.step != FRTO_NEW_DATA || (a->delivered_bytes == 0 && !a->duplicate)) return false;
    bool spurious = t->frto.new_bytes > 0 && a->frto_original_delivered && !a->frto_new_delivered;
    frto_stop(t);
    return spurious;
}
