/* From Multipath TCP to plain TCP: at the handshake, when options do not pass, when payload is altered (RFC 8684
 * §3.7). There is no way back up. After fallback the one subflow's bytes are the connection's bytes. */
#include "subflow.h"

/* [R-3.7-16] */
static void set_mode(struct braid_connection *c, const char *reason, braid_time now) {
    c->mode = CONNECTION_MODE_FALLBACK;
    handshake_keys_close(c); /* nobody can join any more */
    TRACE(c->env, now, connection_fallback, .connection = c->config.number, .reason = reason);
    connection_raise(c, CONNECTION_PATHS);
}

/* [R-3.1-9] [R-3.7-1] [R-6-1] */
void fallback_handshake(struct braid_connection *c, const char *reason, braid_time now) { set_mode(c, reason, now); }

/* Every byte that was taken from the subflow is in the stream, at its place. Not so if one was dropped after TCP had
 * acknowledged it, for want of memory or of a mapping: it was to be said again at the data level. */
static bool received_whole(const struct subflow *sf) {
    const struct braid_connection *c = sf->c;
    if (!c->keys.remote_known || connection_over(c)) return true;
    uint32_t taken = (uint32_t)seq32_diff(sf->held_seq, seq32_add(tcp_receive_base(sf->t), 1));
    uint32_t in_stream = (uint32_t)dsn64_diff(c->receive.nxt, c->keys.remote_idsn) - 1 - c->receive.fin_reached;
    return in_stream == taken;
}

/* Is each byte of the mapping where it would be if this subflow had carried the whole stream, once? */
static bool in_place(const struct braid_connection *c, const struct dss *dss) {
    seq32 place = seq32_back(seq32_of((uint32_t)dss->dsn), (uint32_t)c->keys.remote_idsn.value);
    return place.value == dss->subflow_seq;
}

/* A mapping that is out of place, believed or not, speaks of bytes said again. As long as its segment's are still to be
 * lifted, what is held must not become the stream as it lies there. Behind that received_whole() knows of them. */
void fallback_mapping_arrived(struct subflow *sf, const struct tcp_segment *segment, const struct dss *dss) {
    seq32 end = seq32_add(segment->seq, segment->payload_length);
    if (sf->astray && seq32_le(sf->astray_end, sf->held_seq)) sf->astray = false;
    if (in_place(sf->c, dss) || seq32_le(end, sf->held_seq)) return;
    if (!sf->astray || seq32_gt(end, sf->astray_end)) sf->astray_end = end;
    sf->astray = true;
}

static bool holds_astray(const struct subflow *sf) { return sf->astray && seq32_gt(sf->astray_end, sf->held_seq); }

/* All that is under way is contiguous, there is nobody else, and no FIN of ours has cut the stream short. */
bool fallback_possible(const struct subflow *sf) {
    return sf->first && !sf->retiring && sf->c->contiguous && subflow_only(sf->c) == sf &&
           list_empty(&sf->c->receive.ahead.runs) && received_whole(sf) && !holds_astray(sf);
}

/* Attempts to join: there is nothing to join any more. */
static void attempts_abort(struct subflow *only, braid_time now) {
    LIST_EACH(&only->c->subflows, node, following) {
        if (SUBFLOW_OF(node) != only) subflow_reset(SUBFLOW_OF(node), MPTCP_RESET_UNSPECIFIED, false, now);
    }
}

void fallback_enter(struct subflow *sf, const char *reason, braid_time now) {
    struct braid_connection *c = sf->c;
    struct sending *s = &c->send;
    ENSURE(fallback_possible(sf));
    /* Everything given was given to this subflow, in order: what it has unacknowledged ends at nxt. */
    s->linear_acknowledged = dsn64_back(s->nxt, tcp_unacknowledged(sf->t));
    s->infinite_due = true;
    s->infinite_dsn = s->una;
    s->infinite_seq = seq32_back(tcp_send_queue_end(sf->t), (uint32_t)dsn64_diff(s->nxt, s->una));
    s->data_rto_at = BRAID_NEVER;
    s->data_fin_sent = tcp_state(sf->t) == TCP_STATE_LAST_ACK; /* a FIN says it now */
    /* The peer's DATA_FIN, if it came, took a number that no byte has. */
    if (c->receive.fin_known && !c->receive.fin_reached) c->receive.fin_known = false;
    set_mode(c, reason, now);
    attempts_abort(sf, now);
    if (dsn64_gt(s->linear_acknowledged, s->una)) outgoing_linear_acknowledged(c, 0, now);
    incoming_lift(sf, now);
    if (subflow_fin_arrived(sf)) incoming_linear_fin(c, now); /* what was the subflow's end is the stream's now */
    connection_wake(c);
}

/* The peer has mapped data, and now its options are gone. It may have fallen back; or it knows of nothing, and a middlebox
 * takes them off: then it will say again what it has no DATA_ACK for, and nothing tells that from more of the stream. Until
 * it says something itself, or acknowledges that we have fallen back, bytes without a word of MPTCP are not to be had. */
static void doubt_the_peer(struct subflow *sf) { sf->c->receive.doubtful = sf->c->mapped; }

static bool holds_unmapped(struct subflow *sf) {
    return sf->c->mapped && sf->held.length > 0 && mapping_find(&sf->mapped, sf->held_seq) == NULL;
}

/* [R-3.7-4] */
enum tcp_verdict fallback_no_data_ack(struct subflow *sf, braid_time now) {
    COUNT(sf->c, fallback_no_dss);
    if (fallback_possible(sf) && !holds_unmapped(sf)) {
        doubt_the_peer(sf);
        fallback_enter(sf, "data acknowledged without DSS", now);
        return TCP_VERDICT_ACCEPT;
    }
    sf->reset_reason = MPTCP_RESET_MIDDLEBOX;
    return TCP_VERDICT_RESET;
}

static enum tcp_verdict no_stream(struct subflow *sf, uint8_t reason) {
    COUNT(sf->c, fallback_contradicted);
    sf->reset_reason = reason;
    return TCP_VERDICT_RESET;
}

/* Payload for one who has fallen back. A peer that has not yet heard of it still maps; what it says again at the data level
 * is not more of the stream, and the two can no longer agree on one. */
enum tcp_verdict fallback_payload_arrived(struct subflow *sf, const struct tcp_segment *segment) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option;
    seq32 end = seq32_add(segment->seq, segment->payload_length);
    if (!c->keys.remote_known || seq32_le(end, sf->held_seq)) return TCP_VERDICT_ACCEPT;
    if (segment->options.mptcp_count == 0)
        return c->receive.doubtful && c->send.infinite_due ? no_stream(sf, MPTCP_RESET_MIDDLEBOX) : TCP_VERDICT_ACCEPT;
    if (!arrival_find(sf, segment, MPTCP_DSS, &option) || !option.as.dss.has_mapping) return TCP_VERDICT_ACCEPT;
    const struct dss *dss = &option.as.dss;
    if (dss->data_length == 0) {
        c->receive.doubtful = false;
        return TCP_VERDICT_ACCEPT;
    }
    return in_place(c, dss) ? TCP_VERDICT_ACCEPT : no_stream(sf, MPTCP_RESET_MPTCP_ERROR);
}

/* The only subflow has seen the peer's FIN, and our DATA_FIN is not answered: the peer may have fallen back, and know of
 * no DATA_FIN. All that we have to say has arrived, so that our FIN is right whatever the peer's meant; and how it is
 * acknowledged tells. */
void fallback_fin_ask(struct braid_connection *c, braid_time now) {
    struct subflow *only = subflow_only(c);
    if (only && subflow_fin_arrived(only) && fallback_possible(only)) tcp_shutdown(only->t, now);
}

void fallback_fin_answered(struct subflow *sf, braid_time now) {
    if (tcp_state(sf->t) != TCP_STATE_LAST_ACK || !fallback_possible(sf)) return;
    COUNT(sf->c, fallback_no_dss);
    fallback_enter(sf, "FIN acknowledged without DSS", now);
}

/* [R-3.7-9] [R-3.7-11] [R-3.7-17] [R-6824-3.6-1] */
/* The mapping at `dsn` is not what was sent. Its bytes may still be a stream, of a middlebox's making: with one
 * subflow that stream goes on without mappings; with more, this one goes. */
void fallback_checksum_failed(struct subflow *sf, dsn64 dsn, braid_time now) {
    struct braid_connection *c = sf->c;
    COUNT(c, dss_checksum_failed);
    sf->signals.fail_dsn = dsn;
    if (fallback_possible(sf)) {
        COUNT(c, fallback_checksum);
        sf->signals.fail = true;
        tcp_ack_now(sf->t);
        fallback_enter(sf, "checksum", now);
        return;
    }
    sf->reset_fail = true;
    subflow_reset(sf, MPTCP_RESET_MIDDLEBOX, true, now);
}

enum tcp_verdict fallback_fail_arrived(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    COUNT(c, mp_fail_received);
    sf->failed = true;
    if (sf->peer_reset || connection_over(c)) return TCP_VERDICT_ACCEPT; /* with a RST: the subflow goes, that is all */
    if (subflow_only(c) != sf) return TCP_VERDICT_ACCEPT; /* of several subflows it comes with a RST only */
    if (!fallback_possible(sf)) {
        /* The peer has fallen back, and all we say from here on would be more of the stream to it. */
        sf->reset_reason = MPTCP_RESET_MIDDLEBOX;
        return TCP_VERDICT_RESET;
    }
    COUNT(c, fallback_mp_fail_received);
    sf->signals.fail = true; /* [R-3.7-10] "MUST also respond with an MP_FAIL in the reverse direction" */
    sf->signals.fail_dsn = c->receive.nxt;
    tcp_ack_now(sf->t);
    fallback_enter(sf, "MP_FAIL", now);
    return TCP_VERDICT_ACCEPT;
}

enum tcp_verdict fallback_infinite_arrived(struct subflow *sf, braid_time now) {
    COUNT(sf->c, infinite_mapping_received);
    if (connection_over(sf->c)) return TCP_VERDICT_ACCEPT;
    if (fallback_possible(sf)) {
        fallback_enter(sf, "infinite mapping", now);
        return TCP_VERDICT_ACCEPT;
    }
    sf->reset_reason = MPTCP_RESET_MPTCP_ERROR;
    return TCP_VERDICT_RESET;
}
