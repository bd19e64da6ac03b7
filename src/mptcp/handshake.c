/* The first subflow's handshake: MP_CAPABLE in SYN, SYN/ACK, third ACK and first data (RFC 8684 §3.1). Whatever is
 * wrong with it leads to plain TCP, never to a failed connection. */
#include "subflow.h"
#include "version.h"

static bool key_choose(struct braid_connection *c, unsigned attempt) {
    const struct connection_cookie *cookie = c->config.cookie;
    if (!cookie) return c->env->random_secret(c->env->context, &c->keys.local, sizeof(c->keys.local));
    c->keys.local = cookie->key(cookie, attempt);
    return true;
}

bool handshake_keys_draw(struct braid_connection *c) {
    struct keys *k = &c->keys;
    unsigned tries = CONNECTION_KEY_TRIES * (c->config.key_tries_times > 0 ? c->config.key_tries_times : 1);
    for (unsigned i = 0; i < tries && !k->token_open; i++) {
        uint64_t idsn;
        /* [R-3.1-3] [R-3.1-30] */
        if (!key_choose(c, i)) return false;
        version_key_derive(c->version, k->local, &k->local_token, &idsn);
        k->local_idsn = dsn64_of(idsn);
        /* [R-3.1-4] [R-3.1-5] */
        k->token_open = c->config.host_ops->token_open(c->config.host, c, k->local_token);
    }
    /* The SYN takes the first octet of the data sequence space. */
    if (k->token_open) outgoing_start(c, dsn64_add(k->local_idsn, 1));
    return k->token_open;
}

void handshake_keys_close(struct braid_connection *c) {
    if (!c->keys.token_open) return;
    c->keys.token_open = false;
    c->config.host_ops->token_close(c->config.host, c, c->keys.local_token);
}

static void remote_key_take(struct braid_connection *c, uint64_t key) {
    struct keys *k = &c->keys;
    uint64_t idsn;
    k->remote = key;
    k->remote_known = true;
    version_key_derive(c->version, key, &k->remote_token, &idsn);
    k->remote_idsn = dsn64_of(idsn);
    incoming_start(c, dsn64_add(k->remote_idsn, 1));
}

struct mp_capable handshake_capable(const struct braid_connection *c) {
    return (struct mp_capable){
        .version = c->version,
        .checksum_required = c->config.checksum || c->checksum, /* [R-3.1-23] */
        .no_join_to_source = c->config.no_join_to_source && !version_0(c),
        .hmac_sha256 = true,
        .has_sender_key = true,
        .sender_key = c->keys.local,
    };
}

size_t handshake_write_syn(struct subflow *sf, const struct tcp_outgoing *segment, uint8_t *out, size_t room) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option = {.subtype = MPTCP_MP_CAPABLE, .as.mp_capable = handshake_capable(c)};
    if (c->mode != CONNECTION_MODE_UNDECIDED && c->mode != CONNECTION_MODE_MPTCP) return 0;
    if (segment->flags & TCP_ACK) return mptcp_option_encode(&option, out, room);
    if (sf->capable_syns >= (c->config.capable_syns > 0 ? c->config.capable_syns : CAPABLE_SYNS)) {
        sf->plain_syns++; /* perhaps a middlebox drops SYNs with it */
        return 0;
    }
    sf->capable_syns++;
    COUNT(c, capable_syn_sent);
    option.as.mp_capable.has_sender_key = version_0(c); /* [R-6824-3.1-1] */
    return mptcp_option_encode(&option, out, room);
}

/* [R-3.1-13] [R-3.1-17] [R-3.1-25] §3.1 on flags: B set, or no algorithm we know, and the option counts as absent. */
static bool acceptable(const struct mp_capable *m) { return !m->extensibility && m->hmac_sha256; }

/* [R-3.1-24] §3.1: checksums are asked for, and not to be had here. */
static bool checksum_refused(struct braid_connection *c, const struct mp_capable *m) {
    if (!m->checksum_required || !c->config.checksum_forbidden) return false;
    COUNT(c, fallback_checksum_refused);
    return true;
}

/* Version 0 sends its key with the SYN, version 1 does not; what a higher one does we do not know. */
static bool syn_form(const struct mp_capable *m) {
    if (m->version == MPTCP_VERSION_0) return m->has_sender_key && !m->has_receiver_key;
    return m->version != MPTCP_VERSION || !m->has_sender_key;
}

/* Server: what the client's SYN asks for. */
enum tcp_verdict handshake_syn_arrived(struct subflow *sf, const struct tcp_segment *syn) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option;
    if (c->mode != CONNECTION_MODE_UNDECIDED) return TCP_VERDICT_ACCEPT;
    if (!arrival_find(sf, syn, MPTCP_MP_CAPABLE, &option)) {
        /* [R-3.1-27] */
        c->mode = CONNECTION_MODE_TCP; /* it never asked */
        return TCP_VERDICT_ACCEPT;
    }
    const struct mp_capable *m = &option.as.mp_capable;
    COUNT(c, capable_syn_received);
    if (!version_to_answer(&c->config, m, &c->version)) {
        COUNT(c, fallback_syn_version);
        fallback_handshake(c, "version", c->now);
    } else if (!acceptable(m) || !syn_form(m)) {
        COUNT(c, fallback_syn_no_option);
        fallback_handshake(c, "unusable MP_CAPABLE", c->now);
    } else if (checksum_refused(c, m)) {
        fallback_handshake(c, "checksums refused", c->now);
    } else if (!handshake_keys_draw(c)) {
        fallback_handshake(c, "no free token", c->now); /* [R-3.1-7] */
    } else {
        c->checksum = c->config.checksum || m->checksum_required; /* [R-3.1-22] [R-6824-3.1-3] */
        c->no_join_to_first = m->no_join_to_source && !version_0(c);
        if (m->version == MPTCP_VERSION_0) remote_key_take(c, m->sender_key);
    }
    return TCP_VERDICT_ACCEPT;
}

static const char *syn_ack_fault(struct subflow *sf, const struct tcp_segment *segment, struct mp_capable *m) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option;
    if (!arrival_find(sf, segment, MPTCP_MP_CAPABLE, &option)) {
        COUNT(c, fallback_syn_no_option);
        c->capable_ignored = true;
        return "no MP_CAPABLE in SYN/ACK"; /* [R-3.1-26] [R-6824-3.1-6] */
    }
    *m = option.as.mp_capable;
    if (!version_acceptable(c, m->version)) {
        COUNT(c, fallback_syn_version);
        return "version";
    }
    /* Some middleboxes send unknown options back as they came: then there is no key, or it is ours. */
    if (!m->has_sender_key || m->sender_key == c->keys.local) {
        COUNT(c, fallback_key_mirrored);
        return "MP_CAPABLE mirrored";
    }
    if (acceptable(m) && checksum_refused(c, m)) return "checksums refused";
    if (acceptable(m) && !m->has_receiver_key) return NULL;
    COUNT(c, fallback_syn_no_option);
    return "unusable MP_CAPABLE";
}

/* The peer wants another version than the SYN's: token and IDSN are others. Our SYN did not tell the key, so that it can be
 * another one, too. */
static bool version_change(struct braid_connection *c, uint8_t version) {
    handshake_keys_close(c);
    c->version = version;
    return handshake_keys_draw(c);
}

/* Client: what the server's SYN/ACK grants. */
enum tcp_verdict handshake_syn_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    struct braid_connection *c = sf->c;
    struct mp_capable m = {0};
    race_won(sf, now);
    c->plain_syns = sf->plain_syns;
    if (c->mode != CONNECTION_MODE_UNDECIDED) return TCP_VERDICT_ACCEPT;
    const char *fault = syn_ack_fault(sf, segment, &m);
    if (fault) {
        fallback_handshake(c, fault, now);
        return TCP_VERDICT_ACCEPT;
    }
    if (m.version != c->version && !version_change(c, m.version)) {
        fallback_handshake(c, "no free token", now);
        return TCP_VERDICT_ACCEPT;
    }
    remote_key_take(c, m.sender_key);
    c->checksum = c->config.checksum || m.checksum_required;
    c->no_join_to_first = m.no_join_to_source && !version_0(c);
    c->mode = CONNECTION_MODE_MPTCP;
    return TCP_VERDICT_ACCEPT;
}

/* [R-3.1-28] [R-3.1-29] Server: the third packet decides. */
enum tcp_verdict handshake_third_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option;
    const struct mp_capable *m = &option.as.mp_capable;
    if (c->mode != CONNECTION_MODE_UNDECIDED) return TCP_VERDICT_ACCEPT;
    bool good = arrival_find(sf, segment, MPTCP_MP_CAPABLE, &option) && m->version == c->version &&
                m->has_receiver_key && m->receiver_key == c->keys.local && acceptable(m) && !checksum_refused(c, m) &&
                (!c->keys.remote_known || m->sender_key == c->keys.remote); /* version 0 said it before */
    /* A DSS: options pass, and the peer speaks MPTCP. It is not the third packet, but one that overtook it, or outlived
     * it. The keys come again with our next SYN/ACK's answer, or before. */
    if (!good && arrival_find(sf, segment, MPTCP_DSS, &option)) {
        if (!c->keys.remote_known) return TCP_VERDICT_DROP;
        c->mode = CONNECTION_MODE_MPTCP; /* in version 0 it has nothing to tell us that we do not know */
        return TCP_VERDICT_ACCEPT;
    }
    if (!good) {
        COUNT(c, fallback_third_ack);
        fallback_handshake(c, "no MP_CAPABLE in third ACK", now);
        return TCP_VERDICT_ACCEPT;
    }
    if (!c->keys.remote_known) remote_key_take(c, m->sender_key);
    c->checksum = c->checksum || m->checksum_required;
    c->no_join_to_first |= m->no_join_to_source && !version_0(c);
    c->mode = CONNECTION_MODE_MPTCP;
    return TCP_VERDICT_ACCEPT;
}

enum capable_outcome connection_capable_outcome(const struct braid_connection *c, uint8_t *path_id) {
    *path_id = c->config.path.address_id;
    if (!c->client || !c->established) return CAPABLE_UNKNOWN;
    if (c->mode == CONNECTION_MODE_MPTCP) return CAPABLE_GRANTED;
    if (c->plain_syns > 0) return CAPABLE_UNANSWERED;
    return c->capable_ignored ? CAPABLE_IGNORED : CAPABLE_UNKNOWN;
}

void handshake_established(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    if (c->mode == CONNECTION_MODE_MPTCP) {
        if (c->client) COUNT(c, capable_established_active);
        else COUNT(c, capable_established_passive);
        if (version_0(c)) COUNT(c, capable_version_0);
    }
    c->established = true;
    c->send.window_edge = dsn64_add(c->send.una, tcp_peer_window(sf->t));
    c->addresses.first = (struct remote_address){0, sf->flow.remote, sf->flow.remote_port};
    if (c->addresses.remote_count == 0) c->addresses.remote_count = 1;
    window_start(c);
    if (c->client && c->mode == CONNECTION_MODE_MPTCP && version_0(c)) {
        sf->third_packet_due = true; /* [R-6824-3.1-9] */
        tcp_ack_now(sf->t);
    }
    subflow_set_status(sf, SUBFLOW_ACTIVE, now);
    if (!c->early_open) connection_raise(c, CONNECTION_ESTABLISHED); /* else it was told already */
}

void handshake_confirmed(struct braid_connection *c, braid_time now) {
    if (c->confirmed) return;
    c->confirmed = true;
    c->paths.due = true;
    addresses_announce_all(c, now);
    /* MP_CAPABLE has no B flag: that the first path is a backup is said now. */
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->first && sf->backup_here) priority_signal(sf);
    }
    connection_wake(c);
}
