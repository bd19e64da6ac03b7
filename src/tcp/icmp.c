/* ICMP errors about our segments. Believed only when they quote what is in flight (RFC 5927 §4.1), and then only a
 * connection that is not established yet dies of one (RFC 5461), or one of which nothing but its last ACK is missing. */
#include "tcp_internal.h"

/* [R-8201-4-4] [R-5927-4.1-1] */
static bool in_flight(const struct tcp *t, seq32 seq) {
    if (t->state == TCP_STATE_SYN_SENT || t->state == TCP_STATE_SYN_RECEIVED) return seq32_eq(seq, t->iss);
    return seq32_ge(seq, t->snd_una) && seq32_lt(seq, t->snd_nxt);
}

static void take_mtu(struct tcp *t, uint32_t mtu, braid_time now) {
    uint32_t least = pmtu_least(t);
    /* RFC 8201 §4: discarded. IPv4 has routers that say 0 or little, and mean it (RFC 1191 §5): then it is the least. */
    /* [R-8201-4-2] [R-8201-4-6] */
    if (mtu < least && t->config.flow.local.family == IP_V6) {
        COUNT_DROP(t, now, icmp_mtu_too_small);
        return;
    }
    if (mtu < least) mtu = least;
    if (mtu >= t->mtu_bytes && !(t->pmtu.probing && mtu < t->pmtu.probe_bytes)) {
        COUNT_DROP(t, now, icmp_mtu_not_smaller);
        return;
    }
    if (state_is_synchronized(t->state)) {
        pmtu_told(t, mtu, now);
        timers_rearm(t, now);
    } else {
        t->mtu_bytes = mtu;
    }
}

/* RFC 1122 §4.2.3.9 calls net and host unreachable soft. An attempt ends by them all the same, as RFC 5461 §4.1 describes
 * and Linux does: whoever asked has other addresses, or uplinks, to try, and should not wait two minutes to hear. */
static bool ends_attempt(enum icmp_error_kind kind) {
    switch (kind) {
    case ICMP_PORT_UNREACHABLE:
    case ICMP_PROHIBITED:
    case ICMP_NET_UNREACHABLE:
    case ICMP_HOST_UNREACHABLE: return true;
    case ICMP_PACKET_TOO_BIG:
    case ICMP_TIME_EXCEEDED:
    case ICMP_OTHER: return false;
    }
    return false;
}

/* The peer's end has come, all data is acknowledged, and of our FIN, sent again, we hear that nobody is there any more: a program
 * that had the stack in itself has ended. */
static bool nobody_left(const struct tcp *t, const struct icmp_error *error) {
    bool last = t->state == TCP_STATE_LAST_ACK || t->state == TCP_STATE_CLOSING;
    return last && error->kind == ICMP_PORT_UNREACHABLE && t->timeouts > 0 && seq32_eq(t->snd_una, error->seq) &&
           seq32_eq(seq32_add(t->snd_una, 1), t->snd_nxt);
}

/* [MUST-54] [MUST-55] */
/* [R-5927-6.2-1] */
void tcp_icmp(struct tcp *t, const struct icmp_error *error, braid_time now) {
    saw_time(t, now);
    if (t->state == TCP_STATE_CLOSED || t->state == TCP_STATE_TIME_WAIT) return;
    if (!in_flight(t, error->seq)) {
        COUNT_DROP(t, now, icmp_not_in_flight);
        return;
    }
    if (error->kind == ICMP_PACKET_TOO_BIG) {
        take_mtu(t, error->mtu, now);
        return;
    }
    t->icmp_seen = true;
    t->last_icmp = error->kind;
    /* [MUST-56] [SHLD-25] */
    /* [R-5927-5.2-1] */
    if (ends_attempt(error->kind) && !state_is_synchronized(t->state)) state_close(t, TCP_CLOSED_UNREACHABLE, now);
    else if (nobody_left(t, error)) state_close(t, TCP_CLOSED_NORMALLY, now);
}
