/* Further subflows: MP_JOIN (RFC 8684 §3.2). The initiator's HMAC travels only in the third ACK, which is repeated
 * until the peer is heard again; before that the subflow carries nothing. */
#include "subflow.h"
#include "version.h"

#include <crypto/mptcp_keys.h>

/* HMAC of what we send, or of what the peer should. */
static void hmac_of(const struct subflow *sf, bool local, uint8_t out[20]) {
    const struct keys *k = &sf->c->keys;
    uint8_t version = sf->c->version;
    if (local) version_join_hmac(version, k->local, k->remote, sf->local_nonce, sf->remote_nonce, out);
    else version_join_hmac(version, k->remote, k->local, sf->remote_nonce, sf->local_nonce, out);
}

static bool nonce_draw(struct subflow *sf) {
    const struct braid_env *env = sf->c->env;
    return env->random_secret(env->context, &sf->local_nonce, sizeof(sf->local_nonce));
}

bool join_open(struct braid_connection *c, const struct local_path *path, const struct remote_address *to,
               braid_time now) {
    struct flow flow = {.local = path->address, .remote = to->address, .remote_port = to->port};
    struct subflow *sf = subflow_create(c, path, &flow, false, true);
    if (!sf) return false;
    sf->remote_id = to->id;
    if (!nonce_draw(sf)) {
        subflow_destroy(sf);
        return false;
    }
    COUNT(c, join_sent);
    address_id_used(c, sf->local_id);
    tcp_connect(sf->t, now);
    return true;
}

/* The peer's joins whose HMAC has not come do not count as subflows: whoever overheard the token could keep the real
 * ones out by them. Instead there are only so many, and the oldest makes room, silently: its SYN may have come in
 * somebody else's name. A real one is safe as long as fewer come in its round trip (RFC 6181 §5). */
static void half_open_make_room(struct braid_connection *c) {
    struct subflow *oldest = NULL;
    unsigned count = 0;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!subflow_half_open(sf)) continue;
        if (!oldest) oldest = sf;
        count++;
    }
    if (count < JOINS_HALF_OPEN_MAX) return;
    COUNT(c, join_half_open_full);
    subflow_destroy(oldest);
}

static bool too_many_at_once(struct braid_connection *c, braid_time now) {
    if (c->joins_count == 0 || now - c->joins_since >= BRAID_NS_PER_S) {
        c->joins_since = now;
        c->joins_count = 0;
    }
    if (c->joins_count >= JOINS_PER_SECOND_MAX) return true;
    c->joins_count++;
    return false;
}

bool connection_join(struct braid_connection *c, const struct local_path *path, const struct flow *flow,
                     const struct tcp_segment *syn, uint8_t *reset_reason, braid_time now) {
    c->now = now;
    COUNT(c, join_received);
    *reset_reason = MPTCP_RESET_MPTCP_ERROR;
    if (c->mode != CONNECTION_MODE_MPTCP || !c->established || connection_over(c)) return false;
    if (subflow_live_count(c) >= c->config.subflows_max || path_excluded(c, path->address_id)) {
        COUNT(c, join_refused_limit);
        *reset_reason = MPTCP_RESET_PROHIBITED;
        return false;
    }
    *reset_reason = MPTCP_RESET_NO_RESOURCES;
    if (too_many_at_once(c, now)) {
        COUNT(c, join_refused_rate);
        return false;
    }
    half_open_make_room(c);
    struct subflow *sf = subflow_create(c, path, flow, false, false);
    if (!sf) return false;
    if (!nonce_draw(sf) || !tcp_accept(sf->t, syn, now)) {
        subflow_destroy(sf);
        return false;
    }
    tcp_answer(sf->t, now);
    connection_wake(c);
    return true;
}

enum tcp_verdict join_syn_arrived(struct subflow *sf, const struct tcp_segment *syn) {
    struct mptcp_option option;
    if (!arrival_find(sf, syn, MPTCP_MP_JOIN, &option) || option.as.mp_join.form != MP_JOIN_SYN)
        return TCP_VERDICT_DROP;
    sf->remote_nonce = option.as.mp_join.nonce;
    sf->remote_id = option.as.mp_join.address_id;
    sf->backup_there = option.as.mp_join.backup;
    return TCP_VERDICT_ACCEPT;
}

static enum tcp_verdict refuse(struct subflow *sf) {
    sf->reset_reason = MPTCP_RESET_MPTCP_ERROR; /* [R-3.2-9] */
    sf->reset_transient = false;
    return TCP_VERDICT_RESET;
}

enum tcp_verdict join_syn_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    struct mptcp_option option;
    uint8_t hmac[20], got[8];
    (void)now;
    /* [R-3.2-11] [R-3.2-12] */
    if (!arrival_find(sf, segment, MPTCP_MP_JOIN, &option) || option.as.mp_join.form != MP_JOIN_SYN_ACK) {
        COUNT(sf->c, join_rejected_by_peer);
        return refuse(sf);
    }
    const struct mp_join *m = &option.as.mp_join;
    sf->remote_nonce = m->nonce;
    hmac_of(sf, false, hmac);
    struct writer w = writer_of(got, sizeof(got));
    write_u64(&w, m->hmac64);
    if (!crypto_equal(got, hmac, sizeof(got))) { /* [R-3.2-8] [R-3.9.3-2] [R-6824-3.2-2] */
        COUNT(sf->c, join_bad_hmac);
        return refuse(sf);
    }
    sf->backup_there = m->backup;
    if (sf->remote_id == 0) sf->remote_id = m->address_id;
    return TCP_VERDICT_ACCEPT;
}

/* [R-3.2-10] */
enum tcp_verdict join_third_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    struct mptcp_option option;
    uint8_t hmac[20];
    (void)now;
    hmac_of(sf, false, hmac);
    if (arrival_find(sf, segment, MPTCP_MP_JOIN, &option) && option.as.mp_join.form == MP_JOIN_ACK &&
        crypto_equal(option.as.mp_join.hmac160, hmac, sizeof(hmac))) {
        if (subflow_live_count(sf->c) < sf->c->config.subflows_max) return TCP_VERDICT_ACCEPT;
        COUNT(sf->c, join_refused_limit);
        sf->reset_reason = MPTCP_RESET_PROHIBITED;
        return TCP_VERDICT_RESET;
    }
    COUNT(sf->c, join_bad_hmac);
    return refuse(sf);
}

/* [R-3.2-3] */
size_t join_write_syn(struct subflow *sf, bool answer, uint8_t *out, size_t room) {
    struct mptcp_option option = {.subtype = MPTCP_MP_JOIN};
    struct mp_join *m = &option.as.mp_join;
    m->form = answer ? MP_JOIN_SYN_ACK : MP_JOIN_SYN;
    m->backup = sf->backup_here;
    m->address_id = sf->local_id;
    m->nonce = sf->local_nonce;
    m->token = sf->c->keys.remote_token;
    if (answer) {
        uint8_t hmac[20];
        hmac_of(sf, true, hmac);
        struct reader r = reader_of(hmac, sizeof(hmac));
        m->hmac64 = read_u64(&r);
    }
    return mptcp_option_encode(&option, out, room);
}

size_t join_write_ack(struct subflow *sf, uint8_t *out, size_t room) {
    struct mptcp_option option = {.subtype = MPTCP_MP_JOIN, .as.mp_join.form = MP_JOIN_ACK};
    hmac_of(sf, true, option.as.mp_join.hmac160);
    return mptcp_option_encode(&option, out, room);
}

static void third_ack_schedule(struct subflow *sf, braid_time now) {
    struct tcp_info info;
    tcp_info(sf->t, &info);
    braid_time wait = info.rto_ns;
    if (wait < NS_OF_MS(THIRD_ACK_RETRY_MIN_MS)) wait = NS_OF_MS(THIRD_ACK_RETRY_MIN_MS);
    sf->third_ack_due = now + (wait << sf->third_acks);
    sf->third_acks++;
}

static void in_service(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    COUNT(c, join_established);
    c->contiguous = false;
    c->paths.no_path_deadline = BRAID_NEVER;
    subflow_set_status(sf, SUBFLOW_ACTIVE, now);
    closing_subflow_joined(sf, now);
    reinject_joined(sf, now);
}

void join_established(struct subflow *sf, braid_time now) {
    if (sf->ours) {
        sf->third_ack_pending = true;
        third_ack_schedule(sf, now);
        tcp_ack_now(sf->t);
        return;
    }
    /* [R-3.2-4] */
    tcp_ack_now(sf->t); /* "receipt of this packet MUST trigger a regular TCP ACK" */
    in_service(sf, now);
}

void join_confirmed(struct subflow *sf, braid_time now) {
    sf->third_ack_pending = false;
    sf->third_ack_due = BRAID_NEVER;
    path_manager_joined(sf);
    in_service(sf, now);
}

/* [R-3.2-5] */
void join_expire(struct subflow *sf, braid_time now) {
    if (sf->third_ack_due > now) return;
    if (sf->third_acks >= THIRD_ACK_TRIES) {
        sf->third_ack_due = BRAID_NEVER;
        subflow_reset(sf, MPTCP_RESET_MIDDLEBOX, true, now);
        return;
    }
    third_ack_schedule(sf, now);
    tcp_ack_now(sf->t);
}
