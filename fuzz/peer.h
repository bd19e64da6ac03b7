/* The peer of a stack, played by the fuzzer: what it knows of its connections and their subflows is what it
 * hears, and with that it opens, joins, says data and signals, each as it should be or changed on the way. */
#ifndef PEER_H
#define PEER_H

#include "packet_mutate.h"
#include <braid/stack.h>
#include <crypto/mptcp_keys_v0.h>

enum { LINKS = 2, SLOTS = 12, TALKS = 6, SAID_MAX = 1400 };

/* What the peer knows of a connection, and of each of its subflows. */
struct talk {
    uint64_t keys[2]; /* the peer's, the stack's; 0: not known yet */
    uint64_t dsn, data_ack;
    uint32_t tokens[2];
};
struct slot {
    bool used, joined;
    unsigned talk;
    int link;
    struct ip_address here, there; /* the peer's, the stack's */
    uint16_t port, their_port;
    uint32_t seq, ack, first_seq;
    uint32_t nonces[2];
};

static struct braid_stack *stack;
static braid_time now;
static bool version_0; /* of MPTCP, spoken by the peer */
static struct talk talks[TALKS];
static struct slot slots[SLOTS];
static unsigned next_talk, next_slot;
static const struct braid_address addresses[LINKS] = {{4, {10, 0, 0, 1}}, {4, {10, 0, 1, 1}}};

static void derive(uint64_t key, uint32_t *token, uint64_t *idsn) {
    if (version_0)
        mptcp_v0_key_derive(key, token, idsn);
    else
        mptcp_key_derive(key, token, idsn);
}
static void join_hmac(const struct talk *talk, const struct slot *slot, uint8_t out[20]) {
    if (version_0)
        mptcp_v0_join_hmac(talk->keys[0], talk->keys[1], slot->nonces[0], slot->nonces[1], out);
    else
        mptcp_join_hmac(talk->keys[0], talk->keys[1], slot->nonces[0], slot->nonces[1], out);
}
static struct mutate_secrets secrets_of(const struct slot *slot) {
    struct mutate_secrets secrets = {.version_0 = version_0};
    if (slot->talk < TALKS) memcpy(secrets.keys, talks[slot->talk].keys, sizeof(secrets.keys));
    return secrets;
}

/* --- what the peer hears --- */

static struct slot *slot_new(void) {
    for (unsigned i = 0; i < SLOTS; i++)
        if (!slots[i].used) return &slots[i];
    return &slots[next_slot++ % SLOTS];
}

static unsigned talk_new(void) {
    unsigned i = next_talk++ % TALKS;
    talks[i] = (struct talk){.keys = {0x1122334455667788u + next_talk, 0}};
    derive(talks[i].keys[0], &talks[i].tokens[0], &talks[i].dsn);
    talks[i].dsn++;
    return i;
}

static struct slot *slot_of(const struct ip_header *ip, const struct tcp_segment *s, int link) {
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        if (slot->used && slot->port == s->destination_port && slot->their_port == s->source_port &&
            ip_address_equal(&slot->here, &ip->destination))
            return slot;
    }
    if (s->flags != TCP_SYN) return NULL;
    struct slot *slot = slot_new();
    *slot = (struct slot){.used = true,
                          .talk = TALKS,
                          .link = link,
                          .here = ip->destination,
                          .there = ip->source,
                          .port = s->destination_port,
                          .their_port = s->source_port,
                          .seq = 5000,
                          .first_seq = 5000};
    return slot;
}

static void hear_option(struct slot *slot, const struct mptcp_option *o) {
    if (o->subtype == MPTCP_MP_JOIN && o->as.mp_join.form == MP_JOIN_SYN) {
        slot->joined = true;
        slot->nonces[1] = o->as.mp_join.nonce;
        for (unsigned i = 0; i < TALKS; i++)
            if (talks[i].tokens[0] == o->as.mp_join.token) slot->talk = i;
    }
    if (slot->talk >= TALKS) return;
    struct talk *talk = &talks[slot->talk];
    if (o->subtype == MPTCP_MP_JOIN && o->as.mp_join.form == MP_JOIN_SYN_ACK)
        slot->nonces[1] = o->as.mp_join.nonce;
    if (o->subtype == MPTCP_MP_CAPABLE && o->as.mp_capable.has_sender_key) {
        if (talk->keys[1] == 0) {
            derive(o->as.mp_capable.sender_key, &talk->tokens[1], &talk->data_ack);
            talk->data_ack++;
        }
        talk->keys[1] = o->as.mp_capable.sender_key;
    }
    if (o->subtype == MPTCP_DSS && o->as.dss.has_mapping && o->as.dss.dsn_64)
        talk->data_ack = o->as.dss.dsn + o->as.dss.data_length;
}

static void hear(const uint8_t *bytes, uint32_t length, int link) {
    struct ip_header ip;
    struct tcp_segment s;
    if (ip_decode(bytes, length, true, &ip) != IP_OK || ip.protocol != IP_PROTOCOL_TCP) return;
    ENSURE(tcp_segment_decode(bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination, true,
                              &s) == TCP_DECODE_OK);
    struct slot *slot = slot_of(&ip, &s, link);
    if (slot == NULL) return;
    if (s.flags & TCP_RST) {
        slot->used = false;
        return;
    }
    slot->ack = s.seq.value + tcp_segment_length(&s);
    for (unsigned i = 0; i < s.options.mptcp_count; i++) {
        struct mptcp_option o;
        const struct tcp_raw_option *raw = &s.options.mptcp[i];
        if (mptcp_option_decode(raw->bytes, raw->length, &o) == MPTCP_DECODE_OK) hear_option(slot, &o);
    }
}

static void take_output(void) {
    static struct braid_packet_out packets[8];
    static uint8_t flat[BRAID_PACKET_HEADER_MAX + 65536];
    size_t count;
    do {
        count = braid_stack_output(stack, packets, 8, now);
        for (size_t i = 0; i < count; i++) {
            uint32_t length = packets[i].header_length;
            memcpy(flat, packets[i].header, length);
            for (unsigned k = 0; k < packets[i].slice_count; k++) {
                memcpy(flat + length, packets[i].slices[k].bytes, packets[i].slices[k].length);
                length += packets[i].slices[k].length;
            }
            ENSURE(length == packets[i].header_length + packets[i].payload_length);
            hear(flat, length, packets[i].link);
            braid_packet_out_release(&packets[i]);
        }
    } while (count == 8);
}

/* --- what it says --- */

static void say(struct feed *f, struct slot *slot, struct mutated *m, uint8_t changes) {
    static uint8_t bytes[MUTATED_BYTES_MAX + 100];
    struct mutate_secrets secrets = secrets_of(slot);
    m->ip = (struct ip_header){
        .source = slot->here, .destination = slot->there, .protocol = IP_PROTOCOL_TCP, .ttl = 64};
    m->segment.source_port = slot->port;
    m->segment.destination_port = slot->their_port;
    m->segment.payload = m->payload;
    for (; changes > 0; changes--)
        mutate(f, m, &secrets);
    uint32_t length = mutate_close(m, bytes);
    if (length == 0) return;
    struct braid_packet_in packet = {.bytes = bytes, .length = length};
    braid_stack_input(stack, slot->link, &packet, 1, now);
    take_output();
}

static struct mutated *segment(const struct slot *slot, uint8_t flags) {
    static struct mutated m;
    m.segment = (struct tcp_segment){.seq = seq32_of(slot->seq),
                                     .ack = seq32_of(flags & TCP_ACK ? slot->ack : 0),
                                     .flags = flags,
                                     .window = 60000};
    return &m;
}

static void with(struct mutated *m, const struct mptcp_option *o) {
    struct tcp_options *options = &m->segment.options;
    uint8_t *bytes = m->options[options->mptcp_count];
    uint32_t length = version_0 ? mptcp_option_encode_v0(o, bytes, MPTCP_OPTION_MAX)
                                : mptcp_option_encode(o, bytes, MPTCP_OPTION_MAX);
    ENSURE(length > 0);
    options->mptcp[options->mptcp_count++] = (struct tcp_raw_option){bytes, (uint8_t)length};
}

static void with_syn_options(struct mutated *m, uint8_t what) {
    m->segment.options.has_mss = true;
    m->segment.options.mss = what & 1 ? 536 : 1460;
    m->segment.options.sack_permitted = what & 2;
    m->segment.options.has_window_scale = what & 4;
    m->segment.options.window_scale = 7;
}

static struct mptcp_option capable(const struct talk *talk, bool sender, bool receiver) {
    return (struct mptcp_option){.subtype = MPTCP_MP_CAPABLE,
                                 .as.mp_capable = {.version = version_0 ? 0 : 1,
                                                   .hmac_sha256 = true,
                                                   .has_sender_key = sender,
                                                   .has_receiver_key = receiver,
                                                   .sender_key = talk->keys[0],
                                                   .receiver_key = talk->keys[1]}};
}

static void say_open(struct feed *f, uint8_t what, uint8_t changes) {
    struct slot *slot = slot_new();
    unsigned talk = talk_new();
    *slot = (struct slot){.used = true,
                          .talk = talk,
                          .link = what & 1,
                          .seq = feed_u16(f) * 0x10001u,
                          .port = (uint16_t)(1000 + feed_u8(f) % 8),
                          .their_port = (uint16_t)(80 + (what >> 1) % 3)};
    const uint8_t here[4] = {10, 9, 0, 9};
    slot->here = ip_address_v4(here);
    slot->there = ip_address_v4(addresses[what & 1].bytes);
    slot->first_seq = slot->seq;
    struct mutated *m = segment(slot, TCP_SYN);
    with_syn_options(m, what >> 3);
    if (!(what & 128)) {
        struct mptcp_option o = capable(&talks[talk], version_0, false);
        with(m, &o);
    }
    slot->seq++;
    say(f, slot, m, changes);
}

static void say_join(struct feed *f, struct slot *from, uint8_t what, uint8_t changes) {
    if (from->talk >= TALKS) return;
    unsigned talk = from->talk;
    struct slot *slot = slot_new();
    *slot = (struct slot){.used = true,
                          .joined = true,
                          .talk = talk,
                          .link = what & 1,
                          .seq = feed_u8(f),
                          .port = (uint16_t)(2000 + feed_u8(f) % 8),
                          .their_port = from->their_port,
                          .nonces = {0x5eed0001, 0}};
    const uint8_t here[4] = {10, 9, 1, 9};
    slot->here = ip_address_v4(here);
    slot->there = ip_address_v4(addresses[what & 1].bytes);
    slot->first_seq = slot->seq;
    struct mutated *m = segment(slot, TCP_SYN);
    struct mptcp_option o = {.subtype = MPTCP_MP_JOIN,
                             .as.mp_join = {.form = MP_JOIN_SYN,
                                            .backup = what & 2,
                                            .address_id = 3,
                                            .token = talks[talk].tokens[1],
                                            .nonce = slot->nonces[0]}};
    with_syn_options(m, what >> 3);
    with(m, &o);
    slot->seq++;
    say(f, slot, m, changes);
}

/* The answer to a SYN of the stack's. */
static void say_syn_ack(struct feed *f, struct slot *slot, uint8_t what, uint8_t changes) {
    struct mutated *m = segment(slot, TCP_SYN | TCP_ACK);
    with_syn_options(m, what);
    if (slot->talk >= TALKS) slot->talk = talk_new();
    struct talk *talk = &talks[slot->talk];
    struct mptcp_option o = capable(talk, true, false);
    if (slot->joined) {
        uint8_t hmac[20];
        slot->nonces[0] = 0x5eed0002;
        join_hmac(talk, slot, hmac);
        o = (struct mptcp_option){
            .subtype = MPTCP_MP_JOIN,
            .as.mp_join = {.form = MP_JOIN_SYN_ACK, .address_id = 4, .nonce = slot->nonces[0]}};
        for (unsigned i = 0; i < 8; i++)
            o.as.mp_join.hmac64 = o.as.mp_join.hmac64 << 8 | hmac[i];
    }
    if (!(what & 64)) with(m, &o);
    m->segment.seq = seq32_of(slot->first_seq);
    slot->seq = slot->first_seq + 1;
    say(f, slot, m, changes);
}

/* The third ACK, with what it should bear. */
static void say_third(struct feed *f, struct slot *slot, uint8_t changes) {
    if (slot->talk >= TALKS) return;
    struct mutated *m = segment(slot, TCP_ACK);
    struct talk *talk = &talks[slot->talk];
    struct mptcp_option o = capable(talk, true, true);
    if (slot->joined) {
        o = (struct mptcp_option){.subtype = MPTCP_MP_JOIN, .as.mp_join.form = MP_JOIN_ACK};
        join_hmac(talk, slot, o.as.mp_join.hmac160);
    }
    with(m, &o);
    say(f, slot, m, changes);
}

static void say_data(struct feed *f, struct slot *slot, uint8_t what, uint8_t changes) {
    if (slot->talk >= TALKS) return;
    struct talk *talk = &talks[slot->talk];
    uint32_t length = what & 1 ? 0 : 1 + feed_u16(f) % SAID_MAX;
    struct mutated *m =
        segment(slot, (uint8_t)(TCP_ACK | (what & 2 ? TCP_PSH : 0) | (what & 4 ? TCP_FIN : 0)));
    struct mptcp_option o = {
        .subtype = MPTCP_DSS,
        .as.dss = {.has_data_ack = true, .data_ack_64 = true, .data_ack = talk->data_ack}};
    o.as.dss.data_fin = (what & 24) == 24;
    if (length > 0 || o.as.dss.data_fin) {
        o.as.dss.has_mapping = o.as.dss.dsn_64 = true;
        o.as.dss.dsn = talk->dsn;
        o.as.dss.subflow_seq = length > 0 ? slot->seq - slot->first_seq : 0;
        o.as.dss.data_length = (uint16_t)(length + o.as.dss.data_fin);
        talk->dsn += o.as.dss.data_length;
    }
    for (uint32_t i = 0; i < length; i++)
        m->payload[i] = (uint8_t)i;
    m->segment.payload_length = length;
    if (!(what & 128)) with(m, &o);
    slot->seq += length + (what & 4 ? 1 : 0);
    say(f, slot, m, changes);
}

/* An ACK, or a RST, with any options. */
static void say_signal(struct feed *f, struct slot *slot, uint8_t what) {
    struct mutated *m = segment(slot, what & 64 ? TCP_RST | TCP_ACK : TCP_ACK);
    struct mutate_secrets secrets = secrets_of(slot);
    for (unsigned i = 0; i <= (what & 1); i++)
        mutate_add_option(f, m, &secrets);
    say(f, slot, m, 0);
}

static void peer_step(struct feed *f, uint8_t what) {
    struct slot *slot = &slots[feed_u8(f) % SLOTS];
    uint8_t how = feed_u8(f), changes = what & 64 ? feed_u8(f) % 4 : 0;
    if (what % 8 == 0) say_open(f, how, changes);
    if (!slot->used) return;
    switch (what % 8) {
    case 0:
        return;
    case 1:
        say_third(f, slot, changes);
        return;
    case 2:
        say_join(f, slot, how, changes);
        return;
    case 3:
        say_syn_ack(f, slot, how, changes);
        return;
    case 4:
        say_signal(f, slot, how);
        return;
    default:
        say_data(f, slot, how, changes);
        return;
    }
}

#endif
