/* Explicit congestion notification (RFC 3168): routers mark packets that say they can be marked, instead of dropping
 * them; the receiver says so in every ACK (ECE) until it hears that the sender has slowed down (CWR).
 *
 * We ask for it where the configuration says so, and take it whenever a peer asks. Data is marked as able to carry it
 * when it leaves for the first time; never a SYN, a bare ACK, or what is sent again (§6.1.4, §6.1.5). A mark counts as a
 * loss without anything to send again, once in a window (§6.1.2). */
#include "tcp_internal.h"

/* [R-3168-5-1] */
#define ECT0 2
#define CE 3

/* §6.1.1: a SYN that asks may be dropped by old middleboxes: repeated, it does not. */
/* [SHLD-8] */
uint8_t ecn_flags(const struct tcp *t, uint8_t flags) {
    if (flags & TCP_RST) return 0;
    if (flags & TCP_SYN) {
        /* [R-3168-6.1-1] [R-3168-6.1-7] */
        if (flags & TCP_ACK) return t->ecn.agreed ? TCP_ECE : 0;
        return t->config.ecn && t->handshake.retransmissions == 0 ? TCP_ECE | TCP_CWR : 0;
    }
    return t->ecn.echo && (flags & TCP_ACK) ? TCP_ECE : 0;
}

/* The peer's SYN or SYN/ACK. One that answers with both flags only mirrors what it does not know. */
/* [R-3168-6.1-2] [R-3168-6.1-3] [R-3168-6.1-4] */
void ecn_handshake(struct tcp *t, const struct tcp_segment *syn) {
    uint8_t said = syn->flags & (TCP_ECE | TCP_CWR);
    bool answer = (syn->flags & TCP_ACK) != 0, opened_by_both = !answer && t->state == TCP_STATE_SYN_SENT;
    t->ecn.agreed = answer ? t->config.ecn && said == TCP_ECE : said == (TCP_ECE | TCP_CWR) && !opened_by_both;
    t->ecn.point = t->iss;
    if (answer && said == (TCP_ECE | TCP_CWR)) COUNT_IGNORED(t, t->seen_at, "ECN", ecn_mirrored);
}

/* What new data of ours says in the IP header, and whether it tells that we have slowed down. */
uint8_t ecn_of_data(const struct tcp *t) { return t->ecn.agreed ? ECT0 : 0; }

/* [R-3168-6.1-6] [R-3168-6.1.3-1] [R-3168-6.1.5-2] */
void ecn_received(struct tcp *t, const struct tcp_segment *s, uint8_t ecn) {
    if (!t->ecn.agreed || s->payload_length == 0) return;
    if (s->flags & TCP_CWR) t->ecn.echo = false;
    if (ecn != CE) return;
    t->ecn.echo = true;
    t->counts.marks_received++;
    t->acks.now = true;
}

/* [R-3168-6.1-5] */
void ecn_reduced(struct tcp *t) {
    if (!t->ecn.agreed) return;
    t->ecn.cwr_due = true;
    t->ecn.point = t->snd_nxt;
}

/* [R-3168-5-2] [R-3168-6.1.2-1] [R-3168-6.1.2-2] */
void ecn_acknowledged(struct tcp *t, const struct tcp_segment *s, braid_time now) {
    struct congestion *c = &t->congestion;
    if (!t->ecn.agreed || !(s->flags & TCP_ECE)) return;
    if (t->recovery.phase != RECOVERY_NONE || seq32_le(s->ack, t->ecn.point)) return;
    t->counts.marks_answered++;
    if (c->ops->on_mark) {
        c->ops->on_mark(c, now);
    } else {
        c->ops->on_loss(c, recovery_in_flight(t), now);
        c->ops->on_recovered(c, now);
    }
    pacing_update(t);
    ecn_reduced(t);
}
