/* The end: DATA_FIN both ways and then the subflows' FINs (RFC 8684 §3.3.3), or MP_FASTCLOSE (§3.5, fastclose.c);
 * without MPTCP,
 * FIN or RST. */
#include "subflow.h"
#include "version.h"

static const char *state_name(enum connection_state state) {
    switch (state) {
    case STATE_OPENING: return "opening";
    case STATE_ESTABLISHED: return "established";
    case STATE_FIN_WAIT_1: return "fin_wait_1";
    case STATE_FIN_WAIT_2: return "fin_wait_2";
    case STATE_CLOSING: return "closing";
    case STATE_CLOSE_WAIT: return "close_wait";
    case STATE_LAST_ACK: return "last_ack";
    case STATE_TIME_WAIT: return "time_wait";
    case STATE_FASTCLOSE_WAIT: return "fastclose_wait";
    case STATE_CLOSED: return "closed";
    }
    return "?";
}

static void set_state(struct braid_connection *c, enum connection_state to, braid_time now) {
    if (c->state == to) return;
    TRACE(c->env, now, connection_state, .connection = c->config.number, .from = state_name(c->state),
          .to = state_name(to));
    c->state = to;
}

/* Figure 22 as a function of who said and acknowledged what. */
static enum connection_state state_of(const struct braid_connection *c) {
    bool ours = c->send.data_fin_sent, acknowledged = c->send.fin_acknowledged, theirs = c->receive.fin_reached;
    if (!c->established) return STATE_OPENING;
    if (!ours) return theirs ? STATE_CLOSE_WAIT : STATE_ESTABLISHED;
    if (!acknowledged) {
        if (!theirs) return STATE_FIN_WAIT_1;
        return c->state == STATE_CLOSE_WAIT || c->state == STATE_LAST_ACK ? STATE_LAST_ACK : STATE_CLOSING;
    }
    return theirs ? STATE_TIME_WAIT : STATE_FIN_WAIT_2;
}

static void report(struct braid_connection *c, enum connection_close_reason reason, braid_time now) {
    c->close_reason = reason;
    TRACE(c->env, now, connection_closed, .connection = c->config.number,
          .reason = connection_close_reason_name(reason));
    handshake_keys_close(c);
    connection_raise(c, CONNECTION_CLOSED | CONNECTION_READABLE);
}

/* --- in peace --- */

static void data_fin_send(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (connection_linear(c)) {
        struct subflow *sf = subflow_only(c);
        if (!sf) return;
        s->data_fin_sent = true;
        tcp_shutdown(sf->t, now);
        return;
    }
    struct subflow *best = subflow_best(c, UINT64_MAX);
    if (!best) return; /* it goes when there is one again */
    s->data_fin_sent = true;
    s->heard_at = now;
    tcp_ack_now(best->t);
    outgoing_rto_restart(c, now);
    tail_fin_sent(c, now);
}

static void linear_fin_acknowledged(struct braid_connection *c) {
    if (!connection_linear(c) || !c->send.data_fin_sent || c->send.fin_acknowledged) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed ? sf->closed_reason == TCP_CLOSED_NORMALLY : tcp_all_acknowledged(sf->t)) c->send.fin_acknowledged = true;
    }
}

static void close_subflows(struct braid_connection *c, braid_time now) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed) continue;
        if (sf->status == SUBFLOW_CONNECTING) subflow_reset(sf, MPTCP_RESET_UNSPECIFIED, true, now);
        else subflow_retire(sf, now);
    }
    c->linger_deadline = now + NS_OF_MS(SUBFLOW_LINGER_MS);
}

static bool everything_sent(const struct braid_connection *c) {
    if (!c->send.shutdown || outgoing_unassigned(c) > 0) return false;
    return connection_linear(c) || (dsn_ranges_empty(&c->send.reinject) && dsn_ranges_empty(&c->send.doubtful));
}

void closing_progress(struct braid_connection *c, braid_time now) {
    struct sending *s = &c->send;
    if (!c->established || connection_over(c)) return;
    if (!s->data_fin_sent && everything_sent(c)) data_fin_send(c, now);
    linear_fin_acknowledged(c);
    if (s->fin_acknowledged && !s->sent_reported) {
        s->sent_reported = true;
        connection_raise(c, CONNECTION_SENT);
        if (c->app_closed) c->linger_deadline = now + NS_OF_MS(ORPHAN_TIMEOUT_MS);
    }
    set_state(c, state_of(c), now);
    if (c->state != STATE_TIME_WAIT) return; /* [R-3.3.3-2] [R-3.3.3-3] [R-3.3.3-4] */
    report(c, CONNECTION_CLOSED_NORMALLY, now);
    close_subflows(c, now);
}

static bool in_service_beside(const struct subflow *sf) {
    LIST_EACH(&sf->c->subflows, node, following) {
        if (SUBFLOW_OF(node) != sf && subflow_carries(SUBFLOW_OF(node))) return true;
    }
    return false;
}

void closing_fin_arrived(void *owner, struct tcp *t, braid_time now) {
    struct subflow *sf = owner;
    struct braid_connection *c = sf->c;
    (void)t;
    if (connection_linear(c)) incoming_linear_fin(c, now);
    /* §3.3.3: with MPTCP a FIN ends only its subflow. Ours follows what is unacknowledged there, if another is in
     * service. The last one still carries what we have to say; and it may be a plain FIN, of a peer that fell back to
     * TCP and would take ours for the end of the stream. */
    else if (in_service_beside(sf)) subflow_retire(sf, now);
    connection_wake(c);
}

void closing_subflow_joined(struct subflow *joined, braid_time now) {
    LIST_EACH(&joined->c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf != joined && !sf->closed && !sf->retiring && subflow_fin_arrived(sf)) subflow_retire(sf, now);
    }
}

void connection_shutdown(struct braid_connection *c, braid_time now) {
    c->now = now;
    if (c->send.shutdown) return;
    c->send.shutdown = true;
    closing_progress(c, now);
    connection_wake(c);
}

void connection_close(struct braid_connection *c, braid_time now) {
    c->now = now;
    c->app_closed = true;
    c->receive.discard = true;
    slice_queue_deinit(&c->receive.queue);
    if (!c->established && !connection_over(c)) {
        /* Nothing was promised to anyone yet, unless there are bytes to deliver. */
        if (c->send.queue.length == 0) {
            closing_abort(c, CONNECTION_ABORTED, now);
            return;
        }
    }
    connection_shutdown(c, now);
    if (c->send.fin_acknowledged && !connection_over(c)) c->linger_deadline = now + NS_OF_MS(ORPHAN_TIMEOUT_MS);
}

/* --- by force --- */

/* [R-3.5-4] §3.5, option R: every subflow is reset, and each RST says that the whole connection goes. In option A the one
 * that says so in ACKs stays, and the others' RSTs are those of subflows. */
static void reset_all(struct braid_connection *c, const struct subflow *except, bool fastclose, braid_time now) {
    bool sent = false;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf == except || sf->closed || sf->peer_reset) continue; /* a RST is not answered */
        sf->reset_fastclose = fastclose && c->mode == CONNECTION_MODE_MPTCP;
        sent |= sf->reset_fastclose;
        tcp_abort(sf->t, now);
    }
    if (sent) COUNT(c, fastclose_sent);
}

static void end(struct braid_connection *c, enum connection_close_reason reason, bool fastclose, braid_time now) {
    if (connection_over(c)) return;
    struct subflow *asking = fastclose && (c->config.fastclose_by_ack || version_0(c)) ? fastclose_begin(c, now) : NULL;
    set_state(c, asking ? STATE_FASTCLOSE_WAIT : STATE_CLOSED, now);
    report(c, reason, now);
    reset_all(c, asking, fastclose && !asking, now);
}

void closing_fail(struct braid_connection *c, enum connection_close_reason reason, braid_time now) {
    end(c, reason, reason != CONNECTION_RESET, now);
}

void closing_abort(struct braid_connection *c, enum connection_close_reason reason, braid_time now) {
    end(c, reason, true, now);
}

void connection_abort(struct braid_connection *c, braid_time now) {
    c->now = now;
    closing_abort(c, CONNECTION_ABORTED, now);
}

void closing_fastclosed(struct braid_connection *c, braid_time now) { end(c, CONNECTION_RESET, false, now); }

void closing_expire(struct braid_connection *c, braid_time now) {
    if (c->linger_deadline > now) return;
    c->linger_deadline = BRAID_NEVER;
    if (!connection_over(c)) {
        closing_abort(c, CONNECTION_TIMED_OUT, now); /* nobody waits for the peer's end any more */
        return;
    }
    if (c->state == STATE_FASTCLOSE_WAIT) {
        fastclose_expire(c, now);
        return;
    }
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!sf->closed && tcp_state(sf->t) != TCP_STATE_TIME_WAIT) subflow_reset(sf, MPTCP_RESET_UNSPECIFIED, true, now);
    }
}
