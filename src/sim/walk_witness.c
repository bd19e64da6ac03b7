/* Someone who looks at every packet of a walk and keeps books of his own, from what the packets say alone: what a host
 * acknowledges has been delivered to it; what it sends is mapped, its mappings never contradict each other, the bytes are
 * those of the stream at that place, and the peer's window had room for them. And what a side holds to be acknowledged at
 * the data level is there at the other side. */
#include "walk.h"

#include <crypto/mptcp_keys.h>
#include <crypto/mptcp_keys_v0.h>
#include <wire/mptcp_option.h>

enum witness_limit { HOLES_MAX = 256, MAPPINGS_MAX = 4096, TALLY = 2, PROBE_BYTES_MAX = 1460 };

/* Numbers of a stream count from its initial one; streams of walks are shorter than 2^31. */
struct range {
    uint32_t from, to;
};
struct said {
    uint32_t at, length, data_at;
};

/* A connection as one host sees it. */
struct ward {
    struct ward *next;
    int side; /* 0: the client's */
    struct sim_conversation *talk;
    bool version_0, local_known, remote_known, linear;
    uint32_t local_token, remote_token;
    uint32_t local_idsn, remote_idsn; /* low 32 bits */
    uint32_t acknowledged, edge;      /* of its data, by what was delivered to it */
    uint32_t early;                   /* bytes of its stream that went with the SYN and were taken: before the first DSN */
};
/* A subflow as one host sees it. */
struct trail {
    struct trail *next;
    int side;
    uint16_t local_port, remote_port;
    struct ip_address local, remote;
    struct ward *ward; /* NULL: not MPTCP, or not known yet */
    bool syn_sent, syn_got, scaled_sent, scaled_got;
    uint8_t scale;
    uint32_t iss, irs, got; /* all before `got` was delivered */
    uint32_t early;         /* bytes the peer took from our SYN: mappings count from behind them (RFC 8684 appendix B) */
    struct range holes[HOLES_MAX]; /* what was delivered behind it, in order */
    unsigned hole_count;
    bool blind; /* more than we can remember */
    struct said *said;
    unsigned said_count;
};
struct walk_witness {
    struct walk *walk;
    struct ward *wards;
    struct trail *trails;
};

/* --- books --- */

/* Where a number of the wire stands in its stream: they wrap. */
static uint32_t place(uint32_t number, uint32_t initial) { return (uint32_t)((uint64_t)number + (UINT64_C(1) << 32) - initial); }

static struct trail *trail_of(struct walk_witness *w, int side, const struct ip_header *ip, const struct tcp_segment *s,
                              bool sent) {
    const struct ip_address *local = sent ? &ip->source : &ip->destination, *remote = sent ? &ip->destination : &ip->source;
    uint16_t local_port = sent ? s->source_port : s->destination_port, remote_port = sent ? s->destination_port : s->source_port;
    struct trail *t = w->trails;
    for (; t != NULL; t = t->next)
        if (t->side == side && t->local_port == local_port && t->remote_port == remote_port &&
            ip_address_equal(&t->local, local) && ip_address_equal(&t->remote, remote))
            return t;
    t = calloc(1, sizeof(*t));
    ENSURE(t != NULL);
    *t = (struct trail){.next = w->trails, .side = side, .local_port = local_port, .remote_port = remote_port,
                        .local = *local, .remote = *remote};
    w->trails = t;
    return t;
}

/* Its port is used again. */
static void trail_anew(struct trail *t) {
    t->ward = NULL;
    t->syn_sent = t->syn_got = t->blind = t->scaled_sent = t->scaled_got = false;
    t->hole_count = t->said_count = t->early = 0;
}

static struct ward *ward_new(struct walk_witness *w, const struct trail *t) {
    struct ward *ward = calloc(1, sizeof(*ward));
    ENSURE(ward != NULL);
    *ward = (struct ward){.next = w->wards, .side = t->side, .edge = 1, .acknowledged = 1};
    uint16_t port = t->side == 0 ? t->remote_port : t->local_port;
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++)
        if (w->walk->talks[i] != NULL && sim_conversation_port(w->walk->talks[i]) == port) ward->talk = w->walk->talks[i];
    w->wards = ward;
    return ward;
}

static void ward_key(struct ward *ward, bool local, uint64_t key) {
    uint64_t idsn;
    bool *known = local ? &ward->local_known : &ward->remote_known;
    if (*known) return;
    *known = true;
    (ward->version_0 ? mptcp_v0_key_derive : mptcp_key_derive)(key, local ? &ward->local_token : &ward->remote_token, &idsn);
    *(local ? &ward->local_idsn : &ward->remote_idsn) = (uint32_t)idsn;
}

/* Who joins names the other one's token. */
static struct ward *ward_by_token(const struct walk_witness *w, int side, bool sent, uint32_t token) {
    struct ward *ward = w->wards;
    while (ward != NULL && (ward->side != side || (sent ? ward->remote_token : ward->local_token) != token))
        ward = ward->next;
    return ward;
}

static void deliver(struct trail *t, uint32_t from, uint32_t to) {
    unsigned i = 0;
    if (to <= t->got) return;
    while (i < t->hole_count && t->holes[i].to < from) i++;
    if (i == t->hole_count || t->holes[i].from > to) {
        t->blind |= t->hole_count == HOLES_MAX;
        if (t->blind) return;
        memmove(&t->holes[i + 1], &t->holes[i], (t->hole_count - i) * sizeof(t->holes[0]));
        t->holes[i] = (struct range){from, to};
        t->hole_count++;
    } else {
        if (from < t->holes[i].from) t->holes[i].from = from;
        if (to > t->holes[i].to) t->holes[i].to = to;
        while (i + 1 < t->hole_count && t->holes[i + 1].from <= t->holes[i].to) {
            if (t->holes[i + 1].to > t->holes[i].to) t->holes[i].to = t->holes[i + 1].to;
            t->hole_count--;
            memmove(&t->holes[i + 1], &t->holes[i + 2], (t->hole_count - i - 1) * sizeof(t->holes[0]));
        }
    }
    if (t->holes[0].from > t->got) return;
    t->got = t->holes[0].to;
    t->hole_count--;
    memmove(&t->holes[0], &t->holes[1], t->hole_count * sizeof(t->holes[0]));
}

/* --- what options say --- */

/* Those that are looked at are the same in both versions. */
static bool option_of(const struct tcp_segment *s, enum mptcp_subtype subtype, struct mptcp_option *out) {
    for (unsigned i = 0; i < s->options.mptcp_count; i++)
        if (mptcp_option_decode(s->options.mptcp[i].bytes, s->options.mptcp[i].length, out) == MPTCP_DECODE_OK &&
            out->subtype == subtype)
            return true;
    return false;
}

/* Keys and tokens say which connection it is. */
static void introduce(struct walk_witness *w, struct trail *t, const struct tcp_segment *s, bool sent) {
    struct mptcp_option option;
    if (option_of(s, MPTCP_MP_CAPABLE, &option)) {
        const struct mp_capable *capable = &option.as.mp_capable;
        if (!capable->has_sender_key) return;
        if (t->ward == NULL) t->ward = ward_new(w, t);
        if (!t->ward->local_known && !t->ward->remote_known) t->ward->version_0 = capable->version == 0;
        ward_key(t->ward, sent, capable->sender_key);
        if (capable->has_receiver_key) ward_key(t->ward, !sent, capable->receiver_key);
    } else if ((s->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN && option_of(s, MPTCP_MP_JOIN, &option)) {
        t->ward = ward_by_token(w, t->side, sent, option.as.mp_join.token);
    }
}

/* --- what a host gets --- */

static void window_got(struct trail *t, const struct tcp_segment *s) {
    struct ward *ward = t->ward;
    struct mptcp_option option;
    if (ward == NULL || !(s->flags & TCP_ACK)) return;
    uint32_t acknowledged = ward->acknowledged;
    if (ward->local_known && option_of(s, MPTCP_DSS, &option) && option.as.dss.has_data_ack)
        acknowledged = place((uint32_t)option.as.dss.data_ack, ward->local_idsn);
    if (acknowledged > INT32_MAX) return;
    if (acknowledged > ward->acknowledged) ward->acknowledged = acknowledged;
    bool scaled = t->scaled_sent && t->scaled_got && !(s->flags & TCP_SYN);
    uint32_t edge = acknowledged + ((uint32_t)s->window << (scaled ? t->scale : 0));
    if (edge > ward->edge) ward->edge = edge;
}

static void got(struct walk_witness *w, struct trail *t, const struct tcp_segment *s) {
    bool answer = (s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && t->syn_sent && !t->syn_got;
    if (s->flags & TCP_SYN) {
        if (t->syn_got && (t->irs == s->seq.value || s->flags & TCP_ACK)) return; /* again, or not what it waits for */
        if (!(s->flags & TCP_ACK)) trail_anew(t);
        t->syn_got = true;
        t->irs = s->seq.value;
        t->got = 1 + s->payload_length;
        t->scaled_got = s->options.has_window_scale;
        t->scale = s->options.window_scale < 14 ? s->options.window_scale : 14;
        if (answer) t->early = place(s->ack.value, t->iss) - 1;
        if (s->flags & TCP_ACK) t->syn_sent = t->scaled_sent = true;
    } else if (t->syn_got) {
        uint32_t from = place(s->seq.value, t->irs);
        if (from < INT32_MAX && tcp_segment_length(s) > 0) deliver(t, from, from + tcp_segment_length(s));
    }
    introduce(w, t, s, false);
    if (answer && t->ward != NULL && t->early > 0) t->ward->early = t->early;
    window_got(t, s);
}

/* --- what a host sends --- */

static const struct said *said_at(const struct trail *t, uint32_t at) {
    for (unsigned i = t->said_count; i > 0; i--) {
        const struct said *said = &t->said[i - 1];
        if (at >= said->at && at - said->at < said->length) return said;
    }
    return NULL;
}

static void note_said(struct walk *walk, struct trail *t, uint32_t at, uint32_t length, uint32_t data_at) {
    const struct said *known = said_at(t, at);
    if (length == 0) return;
    if (known != NULL && known->data_at + (at - known->at) != data_at)
        walk_fault(walk, "a mapping contradicts one that was said before: %u at %u", data_at, at);
    if (known != NULL && at + length <= known->at + known->length) return;
    if (t->said == NULL) t->said = calloc(MAPPINGS_MAX, sizeof(t->said[0]));
    ENSURE(t->said != NULL);
    if (t->said_count == MAPPINGS_MAX) { /* the older half is done with */
        t->said_count /= 2;
        memmove(t->said, t->said + t->said_count, t->said_count * sizeof(t->said[0]));
    }
    t->said[t->said_count++] = (struct said){at, length, data_at};
}

static bool falls_back(const struct ward *ward) {
    struct braid_connection *connection = ward->talk ? sim_conversation_connection(ward->talk, (enum sim_direction)ward->side) : NULL;
    struct braid_connection_info info;
    if (connection == NULL) return true; /* nobody to ask any more */
    braid_connection_info(connection, &info);
    return info.fallback || !info.multipath;
}

static void check_payload(struct walk *walk, struct trail *t, const struct tcp_segment *s) {
    struct ward *ward = t->ward;
    uint32_t at = place(s->seq.value, t->iss), done = 0;
    while (done < s->payload_length) {
        const struct said *said = said_at(t, at + done);
        if (said == NULL) {
            ward->linear = falls_back(ward) || t->said_count >= MAPPINGS_MAX / 2;
            if (!ward->linear) walk_fault(walk, "%s sent byte %u without a mapping", t->side ? "server" : "client", at + done);
            return;
        }
        uint32_t part = said->at + said->length - (at + done), data_at = said->data_at + (at + done - said->at);
        if (part > s->payload_length - done) part = s->payload_length - done;
        if (ward->talk != NULL && !sim_conversation_wrote(ward->talk, (enum sim_direction)t->side, ward->early + data_at - 1, s->payload + done, part))
            walk_fault(walk, "%s sent other bytes at %u than were written", t->side ? "server" : "client", data_at);
        /* What asks whether a shut window has opened is a segment at most. */
        if (data_at > ward->edge || data_at + part > ward->edge + PROBE_BYTES_MAX)
            walk_fault(walk, "%s sent %u bytes at %u, the window ends at %u", t->side ? "server" : "client", part, data_at, ward->edge);
        done += part;
    }
}

static void payload_sent(struct walk *walk, struct trail *t, const struct tcp_segment *s) {
    struct ward *ward = t->ward;
    struct mptcp_option option;
    if (ward == NULL || !ward->local_known || !ward->remote_known || ward->linear || s->payload_length == 0) return;
    if (option_of(s, MPTCP_DSS, &option) && option.as.dss.has_mapping) {
        const struct dss *dss = &option.as.dss;
        if (dss->data_length == 0) {
            ward->linear = true;
            return;
        }
        note_said(walk, t, t->early + dss->subflow_seq, dss->data_length - dss->data_fin, place((uint32_t)dss->dsn, ward->local_idsn));
    } else if (option_of(s, MPTCP_MP_CAPABLE, &option) && option.as.mp_capable.has_data_length) {
        note_said(walk, t, t->early + 1, option.as.mp_capable.data_length, 1);
    }
    check_payload(walk, t, s);
}

static void sent(struct walk_witness *w, struct trail *t, const struct tcp_segment *s) {
    if (s->flags & TCP_SYN) {
        if (t->syn_sent && t->iss != s->seq.value && t->iss != 0 && !(s->flags & TCP_ACK)) trail_anew(t);
        t->syn_sent = true;
        t->iss = s->seq.value;
        t->scaled_sent = s->options.has_window_scale;
    }
    introduce(w, t, s, true);
    if (!t->syn_got || !t->syn_sent || s->flags & TCP_RST) return;
    if ((s->flags & TCP_ACK) && !t->blind && place(s->ack.value, t->irs) > t->got)
        walk_fault(w->walk, "%s acknowledged byte %u, and has got those before %u", t->side ? "server" : "client",
                   place(s->ack.value, t->irs), t->got);
    if (!(s->flags & TCP_SYN)) payload_sent(w->walk, t, s);
}

/* --- what both sides know --- */

static void check_acknowledged(struct walk *walk, const struct sim_conversation *c) {
    struct braid_connection_info info[TALLY];
    for (int side = 0; side < TALLY; side++) {
        struct braid_connection *connection = sim_conversation_connection(c, (enum sim_direction)side);
        if (connection == NULL) return;
        braid_connection_info(connection, &info[side]);
        if (info[side].fallback || !info[side].multipath) return; /* TCP's ACKs count, and a middlebox may give them */
    }
    for (int side = 0; side < TALLY; side++)
        if (info[side].bytes_acknowledged > info[1 - side].bytes_received)
            walk_fault(walk, "%s holds %llu bytes to be acknowledged, %llu have arrived", side ? "server" : "client",
                       (unsigned long long)info[side].bytes_acknowledged, (unsigned long long)info[1 - side].bytes_received);
}

void walk_witness_saw(struct walk *walk, enum sim_moment moment, const struct sim_host *host, const struct sim_packet *packet) {
    int side = host == walk->phone.client ? 0 : 1;
    struct ip_header ip;
    struct tcp_segment segment;
    if (host != walk->phone.client && host != walk->phone.server) return;
    if (ip_decode(packet->bytes, packet->length, false, &ip) != IP_OK || ip.protocol != IP_PROTOCOL_TCP) return;
    if (tcp_segment_decode(packet->bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                           packet->checksum_partial || moment == SIM_SENT, &segment) != TCP_DECODE_OK)
        return;
    struct trail *t = trail_of(walk->witness, side, &ip, &segment, moment == SIM_SENT);
    if (moment == SIM_SENT) sent(walk->witness, t, &segment);
    else got(walk->witness, t, &segment);
    if (moment == SIM_SENT && t->ward != NULL && t->ward->talk != NULL) check_acknowledged(walk, t->ward->talk);
}

void walk_witness_begin(struct walk *walk) {
    walk->witness = calloc(1, sizeof(*walk->witness));
    ENSURE(walk->witness != NULL);
    walk->witness->walk = walk;
}

void walk_witness_end(struct walk *walk) {
    struct walk_witness *w = walk->witness;
    while (w->trails != NULL) {
        struct trail *t = w->trails;
        w->trails = t->next;
        free(t->said);
        free(t);
    }
    while (w->wards != NULL) {
        struct ward *ward = w->wards;
        w->wards = ward->next;
        free(ward);
    }
    free(w);
}
