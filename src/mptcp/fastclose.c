/* MP_FASTCLOSE (RFC 8684 §3.5): the peer's, and ours in ACKs (option A). One subflow says it, and says it again, a
 * retransmission timeout later and so on, until the peer's RST answers; the others are reset at once. When the last
 * repetition is not answered either, a RST with MP_FASTCLOSE takes leave. The RSTs of option R are closing.c's. */
#include "subflow.h"

static braid_time timeout(const struct subflow *sf, unsigned times) {
    struct tcp_info info;
    tcp_info(sf->t, &info);
    braid_time interval = info.rto_ns << times, most = NS_OF_MS(FASTCLOSE_RETRY_MAX_MS);
    return interval < most ? interval : most;
}

/* [R-3.5-1] [R-6824-3.5-1] */
static void say(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    COUNT(c, fastclose_sent);
    c->linger_deadline = now + timeout(sf, c->fastcloses++);
    tcp_ack_now(sf->t);
    connection_wake(c);
}

struct subflow *fastclose_begin(struct braid_connection *c, braid_time now) {
    struct subflow *sf = c->mode == CONNECTION_MODE_MPTCP && c->keys.remote_known ? subflow_best(c, UINT64_MAX) : NULL;
    if (!sf || sf->peer_reset) return NULL;
    sf->fastclosing = true;
    tcp_silence(sf->t);
    subflow_set_status(sf, SUBFLOW_CLOSING, now);
    say(sf, now);
    return sf;
}

static struct subflow *asking(const struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) {
        if (SUBFLOW_OF(node)->fastclosing && !SUBFLOW_OF(node)->closed) return SUBFLOW_OF(node);
    }
    return NULL;
}

/* [R-3.5-2] [R-3.5-4] [R-6824-3.5-2] */
void fastclose_expire(struct braid_connection *c, braid_time now) {
    struct subflow *sf = asking(c);
    if (!sf) return;
    if (c->fastcloses < FASTCLOSE_TIMES) {
        say(sf, now);
        return;
    }
    sf->reset_fastclose = true;
    tcp_abort(sf->t, now);
}

void fastclose_arrived(struct subflow *sf, uint64_t receiver_key, braid_time now) {
    struct braid_connection *c = sf->c;
    if (receiver_key != c->keys.local) { /* [R-3.5-6] */
        COUNT(c, fastclose_bad_key);
        return;
    }
    COUNT(c, fastclose_received); /* [R-3.5-5] [R-6824-3.5-3] */
    /* Both at the same time: a RST is the answer, as it would have been. */
    if (sf->fastclosing) subflow_reset(sf, MPTCP_RESET_UNSPECIFIED, false, now);
    closing_fastclosed(c, now);
}
