/* The options of an outgoing segment: what goes with what in 40 bytes (RFC 8684 Appendix A). With timestamps 28 are
 * left. A data segment gives all of them to its DSS; everything else waits for an ACK of its own:
 *
 *   SYN, SYN/ACK        MP_CAPABLE, or MP_JOIN
 *   first ACKs          MP_CAPABLE with both keys, or MP_JOIN's HMAC, until the peer shows that it has them
 *   data                DSS with mapping and DATA_ACK; the first mapping as MP_CAPABLE until it is confirmed; beside a
 *                       SACK block only the mapping, for without that the data is nothing
 *   pure ACK, FIN       DSS with DATA_ACK, and a DATA_FIN not acknowledged yet; beside it as much as fits of MP_FAIL,
 *                       REMOVE_ADDR, MP_PRIO, ADD_ADDR (an IPv6 one even without the DSS, and with a port
 *                       without timestamps)
 *   RST                 MP_FASTCLOSE, or MP_FAIL, and MP_TCPRST
 *   ACKs of an abort    MP_FASTCLOSE and nothing else, if it is to be said so (fastclose.c) */
#include "subflow.h"
#include "version.h"

struct pen {
    uint8_t *out;
    size_t room, length;
    uint8_t version;
};

static bool put(struct pen *pen, const struct mptcp_option *option) {
    uint32_t length = version_encode(pen->version, option, pen->out + pen->length, pen->room - pen->length);
    pen->length += length;
    return length > 0;
}

static bool put_capable(struct pen *pen, const struct subflow *sf, const struct mapping *first) {
    const struct braid_connection *c = sf->c;
    struct mptcp_option option = {.subtype = MPTCP_MP_CAPABLE, .as.mp_capable = handshake_capable(c)};
    struct mp_capable *m = &option.as.mp_capable;
    m->has_receiver_key = true;
    m->receiver_key = c->keys.remote;
    if (first) {
        m->has_data_length = true;
        m->data_length = (uint16_t)first->length;
        m->has_checksum = c->checksum;
        m->checksum = first->checksum;
    }
    return put(pen, &option);
}

static void dss_ack(struct braid_connection *c, struct dss *dss) {
    /* [R-3.3.2-1] Always 64 bits: so wide is the DSN that the peers we know send, and §3.3.2 asks for the same. */
    dss->has_data_ack = dss->data_ack_64 = true;
    dss->data_ack = c->receive.nxt.value;
    c->receive.told = c->receive.nxt;
    window_said(c);
}

static void dss_mapping(const struct subflow *sf, struct dss *dss, dsn64 dsn, uint32_t relative_seq,
                        uint32_t length, uint16_t checksum) {
    dss->has_mapping = dss->dsn_64 = true; /* [R-3.3.1-11] */
    dss->dsn = dsn.value;
    dss->subflow_seq = relative_seq;
    dss->data_length = (uint16_t)length;
    dss->has_checksum = sf->c->checksum;
    dss->checksum = checksum;
}

static uint32_t relative(const struct subflow *sf, seq32 seq) {
    return (uint32_t)seq32_diff(seq, tcp_send_base(sf->t));
}

/* [R-3.7-2] */
static void write_data(struct pen *pen, struct subflow *sf, seq32 seq) {
    struct braid_connection *c = sf->c;
    struct mapping *m = mapping_find(&sf->sent, seq);
    struct mptcp_option option = {.subtype = MPTCP_DSS};
    struct dss *dss = &option.as.dss;
    ENSURE(m);
    if (m->sent_at == 0) m->sent_at = c->now;
    bool first = c->client && sf->first && !c->confirmed && !version_0(c) && relative(sf, m->seq) == 1; /* said again it is not */
    if (first && put_capable(pen, sf, m)) return; /* [R-3.1-31] */
    dss_ack(c, dss);
    dss_mapping(sf, dss, m->dsn, relative(sf, m->seq), m->length, m->checksum);
    if (put(pen, &option)) return;
    dss->has_data_ack = false;
    if (put(pen, &option)) return;
    dss->dsn_64 = false;
    put(pen, &option);
}

/* [R-3.3.3-1] [R-6824-3.3.3-1] §3.3.3: without data beside it a DATA_FIN has subflow sequence number 0 and length 1. */
static void dss_data_fin(const struct subflow *sf, struct dss *dss) {
    const struct braid_connection *c = sf->c;
    if (!c->send.data_fin_sent || c->send.fin_acknowledged) return;
    dsn64 fin = outgoing_end(c);
    dss->data_fin = true;
    dss_mapping(sf, dss, fin, 0, 1, c->checksum ? mapping_checksum(fin, 0, 1, 0) : 0);
}

static void write_removals(struct pen *pen, struct subflow *sf) {
    struct signals *s = &sf->signals;
    struct mptcp_option option = {.subtype = MPTCP_REMOVE_ADDR};
    if (s->remove_count == 0) return;
    option.as.remove_addr.count = (uint8_t)s->remove_count;
    memcpy(option.as.remove_addr.address_ids, s->remove_ids, s->remove_count);
    if (!put(pen, &option)) return;
    COUNT(sf->c, remove_addr_sent);
    s->remove_count = 0;
}

static void write_prio(struct pen *pen, struct subflow *sf) {
    struct mptcp_option option = {.subtype = MPTCP_MP_PRIO, .as.mp_prio.backup = sf->backup_here || spare_asked(sf)};
    if (!sf->signals.prio || !put(pen, &option)) return;
    COUNT(sf->c, mp_prio_sent);
    sf->signals.prio = false;
}

static void write_fail(struct pen *pen, struct subflow *sf) {
    struct mptcp_option option = {.subtype = MPTCP_MP_FAIL, .as.mp_fail.dsn = sf->signals.fail_dsn.value};
    if (!sf->signals.fail || !put(pen, &option)) return;
    COUNT(sf->c, mp_fail_sent);
    sf->signals.fail = false;
}

/* Echoes before our own; one address at a time. `alone`: it will not find more room. */
static void write_address(struct pen *pen, struct subflow *sf, bool alone) {
    struct signals *s = &sf->signals;
    struct mptcp_option option = {.subtype = MPTCP_ADD_ADDR};
    if (s->echo_count > 0) {
        option.as.add_addr = s->echoes[0];
        if (!put(pen, &option)) return;
        COUNT(sf->c, add_addr_echo_sent);
        memmove(s->echoes, s->echoes + 1, --s->echo_count * sizeof(s->echoes[0]));
        if (s->echo_count == 0) addresses_echoes_release(sf);
    } else if (s->announce) {
        option.as.add_addr = s->announcement;
        bool written = put(pen, &option);
        if (!written && alone && s->announcement.has_port) {
            addresses_announcement_shorten(sf->c, &s->announcement);
            option.as.add_addr = s->announcement;
            written = put(pen, &option);
        }
        if (!written) return;
        COUNT(sf->c, add_addr_sent);
        s->announce = false;
        addresses_announcement_written(sf->c, &s->announcement);
    }
}

/* An address that would never fit beside a DSS goes without it. */
static bool address_needs_all(const struct subflow *sf) {
    const struct signals *s = &sf->signals;
    const struct add_addr *next = s->echo_count > 0 ? &s->echoes[0] : s->announce ? &s->announcement : NULL;
    if (!next) return false;
    return next->address.family == IP_V6 || (!next->echo && next->has_port);
}

/* Not in the place of a DATA_ACK that is waited for: that goes first, and the address after it. */
static bool address_goes_alone(const struct subflow *sf) {
    return address_needs_all(sf) && dsn64_eq(sf->c->receive.told, sf->c->receive.nxt);
}

static bool is_urgent(const struct subflow *sf) { return sf->signals.remove_count > 0 || sf->signals.fail; }

/* [R-3.1-8] */
static bool capable_due(const struct subflow *sf) {
    const struct braid_connection *c = sf->c;
    return c->client && sf->first && !c->confirmed;
}

static void put_fastclose(struct pen *pen, const struct braid_connection *c) {
    struct mptcp_option option = {.subtype = MPTCP_MP_FASTCLOSE, .as.mp_fastclose.receiver_key = c->keys.remote};
    put(pen, &option);
}

static void write_ack(struct pen *pen, struct subflow *sf) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option = {.subtype = MPTCP_DSS};
    if (sf->fastclosing) {
        put_fastclose(pen, c);
        return;
    }
    if (sf->third_ack_pending) {
        pen->length += join_write_ack(sf, pen->out, pen->room);
        return;
    }
    /* A DATA_FIN does not fit beside the keys, and the peer, that may have neither, needs both: one ACK each. */
    if (capable_due(sf) && !sf->signals.data_fin) {
        put_capable(pen, sf, NULL);
        sf->third_packet_due = false;
        /* The kernel's MPTCP, if it has an answer ready to what came with the SYN, lets it lie until a DATA_ACK comes. */
        sf->signals.data_fin = c->early_taken || (c->send.data_fin_sent && !c->send.fin_acknowledged);
        return;
    }
    sf->signals.data_fin = false;
    bool urgent = is_urgent(sf);
    if (!urgent && address_goes_alone(sf)) {
        if (version_0(c)) { /* what vouches for it, as short as it can be */
            dss_ack(c, &option.as.dss);
            option.as.dss.data_ack_64 = false;
            put(pen, &option);
        }
        write_address(pen, sf, true);
        return;
    }
    dss_ack(c, &option.as.dss);
    /* An ACK that is sent for signals' sake has room for them: with a checksum a DATA_FIN takes it all. */
    const struct signals *s = &sf->signals;
    bool for_signals = s->acks_in_a_row > 0 && (s->prio || s->echo_count > 0 || s->announce);
    if (!urgent && !for_signals) dss_data_fin(sf, &option.as.dss);
    if (!put(pen, &option)) {
        option.as.dss.data_fin = option.as.dss.has_mapping = false;
        put(pen, &option);
    }
    write_fail(pen, sf);
    write_removals(pen, sf);
    write_prio(pen, sf);
    write_address(pen, sf, false);
}

static void write_reset(struct pen *pen, struct subflow *sf) {
    struct braid_connection *c = sf->c;
    struct mptcp_option option = {.subtype = MPTCP_MP_TCPRST};
    if (sf->reset_fastclose && c->keys.remote_known && !version_0(c)) {
        put_fastclose(pen, c);
        return;
    }
    if (sf->reset_fail) {
        sf->signals.fail = true;
        write_fail(pen, sf);
    }
    option.as.mp_tcprst.reason = sf->reset_reason;
    /* What had no answer may have one later. */
    option.as.mp_tcprst.transient = sf->reset_transient || sf->closed_reason == TCP_CLOSED_TIMEOUT;
    if (put(pen, &option)) COUNT(c, tcprst_sent);
}

/* [R-3.7-15] After fallback nothing is said but what leads to it: MP_FAIL, and one infinite mapping (§3.7): on data, or, if
 * there is no more, on the FIN, for how else is the peer to learn whose end that is. */
static void write_fallback(struct pen *pen, struct subflow *sf, const struct tcp_outgoing *segment) {
    struct braid_connection *c = sf->c;
    if (segment->flags & TCP_RST && sf->reset_reason != 0) write_reset(pen, sf); /* one who contradicts still speaks MPTCP */
    if (segment->payload_limit == 0 && !(segment->flags & TCP_RST)) write_fail(pen, sf);
    if (segment->payload_limit == 0 && (!(segment->flags & TCP_FIN) || subflow_fin_arrived(sf))) return;
    if (!c->send.infinite_due) return;
    struct mptcp_option option = {.subtype = MPTCP_DSS};
    dss_mapping(sf, &option.as.dss, c->send.infinite_dsn, relative(sf, c->send.infinite_seq), 0, 0);
    if (!put(pen, &option) || c->send.infinite_said) return;
    COUNT(c, infinite_mapping_sent);
    c->send.infinite_said = true;
    c->send.infinite_said_at = segment->seq;
}

/* An IPv6 address with a port takes 30 bytes, and beside timestamps there are 28. */
bool options_need_whole_room(void *owner) {
    const struct subflow *sf = owner;
    const struct signals *s = &sf->signals;
    if (!s->announce || !s->announce_whole || s->echo_count > 0 || is_urgent(sf) || !address_goes_alone(sf)) return false;
    if (sf->c->mode != CONNECTION_MODE_MPTCP || sf->fastclosing || sf->third_ack_pending || capable_due(sf)) return false;
    return s->announcement.address.family == IP_V6 && s->announcement.has_port;
}

size_t options_write(void *owner, struct tcp *t, const struct tcp_outgoing *segment, uint8_t *out, size_t room) {
    struct subflow *sf = owner;
    struct braid_connection *c = sf->c;
    struct pen pen = {.out = out, .room = room, .version = c->version};
    (void)t;
    if (c->mode == CONNECTION_MODE_TCP) return 0;
    if (segment->flags & TCP_SYN) {
        if (sf->first) return handshake_write_syn(sf, segment, out, room);
        return join_write_syn(sf, (segment->flags & TCP_ACK) != 0, out, room);
    }
    if (c->mode == CONNECTION_MODE_FALLBACK) write_fallback(&pen, sf, segment);
    if (c->mode != CONNECTION_MODE_MPTCP) return pen.length;
    if (segment->flags & TCP_RST) write_reset(&pen, sf);
    else if (segment->payload_limit > 0) write_data(&pen, sf, segment->seq);
    else write_ack(&pen, sf);
    return pen.length;
}

bool signals_pending(const struct subflow *sf) {
    const struct signals *s = &sf->signals;
    if (sf->closed || sf->fastclosing || sf->third_ack_pending || sf->status == SUBFLOW_CONNECTING) return false;
    if (s->acks_in_a_row >= SIGNAL_ACKS_IN_A_ROW) return false;
    if (s->fail) return true;
    if (sf->c->mode != CONNECTION_MODE_MPTCP) return false;
    if (capable_due(sf)) return s->data_fin;
    return s->prio || s->remove_count > 0 || s->echo_count > 0 || s->announce;
}
