/* Packets that are right in most, so that they get deep: a real one is taken apart, some of what it says is changed as
 * the fuzzer's bytes have it, and it is put together again with checksums that hold. */
#ifndef PACKET_MUTATE_H
#define PACKET_MUTATE_H

#include "fuzz.h"
#include <crypto/mptcp_keys.h>
#include <wire/checksum.h>
#include <wire/ip.h>
#include <wire/mptcp_option.h>
#include <wire/mptcp_option_v0.h>
#include <wire/tcp_segment.h>

enum { MUTATED_BYTES_MAX = 1500, MUTATED_OPTIONS_MAX = 8 };

/* A TCP packet, taken apart. */
struct mutated {
    struct ip_header ip;
    struct tcp_segment segment;
    uint8_t options[MUTATED_OPTIONS_MAX][MPTCP_OPTION_MAX];
    uint8_t payload[MUTATED_BYTES_MAX];
};

/* What the fuzzer may use to be believed. */
struct mutate_secrets {
    uint64_t keys[2]; /* the client's, the server's */
    bool version_0;   /* of MPTCP */
};

static inline bool mutate_open(const uint8_t *bytes, uint32_t length, struct mutated *m) {
    if (ip_decode(bytes, length, false, &m->ip) != IP_OK || m->ip.protocol != IP_PROTOCOL_TCP) return false;
    struct tcp_segment *s = &m->segment;
    if (tcp_segment_decode(bytes + m->ip.header_length, m->ip.payload_length, &m->ip.source, &m->ip.destination, true, s) !=
        TCP_DECODE_OK)
        return false;
    if (s->payload_length > MUTATED_BYTES_MAX - 100) s->payload_length = MUTATED_BYTES_MAX - 100;
    memcpy(m->payload, s->payload, s->payload_length);
    s->payload = m->payload;
    for (unsigned i = 0; i < s->options.mptcp_count; i++) {
        memcpy(m->options[i], s->options.mptcp[i].bytes, s->options.mptcp[i].length);
        s->options.mptcp[i].bytes = m->options[i];
    }
    return true;
}

/* 0: it does not fit. */
static inline uint32_t mutate_close(struct mutated *m, uint8_t out[MUTATED_BYTES_MAX + 100]) {
    struct tcp_segment *s = &m->segment;
    uint32_t ip_length = m->ip.source.family == IP_V6 ? 40 : 20;
    uint32_t header = 0;
    for (;;) {
        header = tcp_segment_encode(s, out + ip_length, 60);
        if (header != 0 || s->options.mptcp_count == 0) break;
        s->options.mptcp_count--;
    }
    if (header == 0 || ip_length + header + s->payload_length > MUTATED_BYTES_MAX) return 0;
    memcpy(out + ip_length + header, s->payload, s->payload_length);
    m->ip.payload_length = header + s->payload_length;
    m->ip.ttl = 64;
    ENSURE(ip_encode(&m->ip, out, ip_length) == ip_length);
    uint64_t sum = checksum_pseudo_header(&m->ip.source, &m->ip.destination, IP_PROTOCOL_TCP, m->ip.payload_length);
    tcp_checksum_set(out + ip_length, checksum_finish(sum + checksum_sum(out + ip_length, m->ip.payload_length)));
    return ip_length + m->ip.payload_length;
}

/* A number near another one, or anywhere. */
static inline uint64_t mutate_number(struct feed *f, uint64_t near) {
    uint8_t how = feed_u8(f);
    switch (how % 5) {
    case 0: return near + (uint64_t)(int64_t)(int8_t)feed_u8(f);
    case 1: return near + (uint64_t)(int64_t)(int16_t)feed_u16(f);
    case 2: return near ^ UINT64_C(1) << feed_u8(f) % 64;
    case 3: return (uint64_t)feed_u32(f) << 32 | feed_u32(f);
    default: return near + ((uint64_t)feed_u8(f) << feed_u8(f) % 57);
    }
}

static inline void mutate_address(struct feed *f, struct ip_address *address) {
    const uint8_t bytes[4] = {feed_u8(f), feed_u8(f), 0, feed_u8(f)};
    *address = ip_address_v4(bytes);
}

/* Another value for one field of the option. */
static inline void mutate_option(struct feed *f, struct mptcp_option *o, const struct mutate_secrets *secrets) {
    uint8_t which = feed_u8(f);
    switch (o->subtype) {
    case MPTCP_MP_CAPABLE:
        o->as.mp_capable.data_length = (uint16_t)mutate_number(f, o->as.mp_capable.data_length);
        if (which & 1) o->as.mp_capable.sender_key = mutate_number(f, o->as.mp_capable.sender_key);
        if (which & 2) o->as.mp_capable.has_data_length = !o->as.mp_capable.has_data_length;
        if (which & 4) o->as.mp_capable.checksum_required = !o->as.mp_capable.checksum_required;
        if (which & 8) o->as.mp_capable.version = feed_u8(f) % 16;
        return;
    case MPTCP_MP_JOIN:
        if (which & 1) o->as.mp_join.form = (enum mp_join_form)(feed_u8(f) % 3);
        if (which & 2) o->as.mp_join.token = (uint32_t)mutate_number(f, o->as.mp_join.token);
        if (which & 4) o->as.mp_join.hmac160[feed_u8(f) % 20] ^= feed_u8(f);
        o->as.mp_join.address_id = feed_u8(f);
        return;
    case MPTCP_DSS:
        if (which & 1) o->as.dss.has_mapping = !o->as.dss.has_mapping;
        if (which & 2) o->as.dss.has_data_ack = !o->as.dss.has_data_ack;
        if (which & 4) o->as.dss.dsn = mutate_number(f, o->as.dss.dsn);
        if (which & 8) o->as.dss.subflow_seq = (uint32_t)mutate_number(f, o->as.dss.subflow_seq);
        if (which & 16) o->as.dss.data_length = (uint16_t)mutate_number(f, o->as.dss.data_length);
        if (which & 32) o->as.dss.data_ack = mutate_number(f, o->as.dss.data_ack);
        if (which & 64) o->as.dss.data_fin = !o->as.dss.data_fin;
        if (which & 128) o->as.dss.has_checksum = !o->as.dss.has_checksum;
        if (!o->as.dss.has_mapping) o->as.dss.has_checksum = o->as.dss.dsn_64 = false;
        return;
    case MPTCP_ADD_ADDR: {
        struct add_addr *a = &o->as.add_addr;
        a->address_id = feed_u8(f);
        mutate_address(f, &a->address);
        a->echo = which & 1;
        a->has_port = which & 2;
        a->port = feed_u16(f);
        uint64_t sender = secrets->keys[which >> 2 & 1], receiver = secrets->keys[!(which >> 2 & 1)];
        a->hmac = which & 8 ? feed_u32(f)
                            : mptcp_add_addr_hmac(sender, receiver, a->address_id, a->address.bytes, 4, a->has_port ? a->port : 0);
        return;
    }
    case MPTCP_REMOVE_ADDR:
        o->as.remove_addr.count = (uint8_t)(1 + which % 20);
        for (unsigned i = 0; i < o->as.remove_addr.count; i++) o->as.remove_addr.address_ids[i] = feed_u8(f);
        return;
    case MPTCP_MP_PRIO: o->as.mp_prio.backup = which & 1; return;
    case MPTCP_MP_FAIL: o->as.mp_fail.dsn = mutate_number(f, o->as.mp_fail.dsn); return;
    case MPTCP_MP_FASTCLOSE: o->as.mp_fastclose.receiver_key = which & 3 ? secrets->keys[which & 1] : feed_u32(f); return;
    case MPTCP_MP_TCPRST:
        o->as.mp_tcprst.transient = which & 1;
        o->as.mp_tcprst.flags = which & 15;
        o->as.mp_tcprst.reason = feed_u8(f);
        return;
    }
}

static inline uint32_t mutate_encode(const struct mptcp_option *o, uint8_t *out, const struct mutate_secrets *secrets) {
    return secrets->version_0 ? mptcp_option_encode_v0(o, out, MPTCP_OPTION_MAX) : mptcp_option_encode(o, out, MPTCP_OPTION_MAX);
}

static inline void mutate_add_option(struct feed *f, struct mutated *m, const struct mutate_secrets *secrets) {
    struct tcp_options *options = &m->segment.options;
    struct mptcp_option o = {.subtype = (enum mptcp_subtype)(feed_u8(f) % 9)};
    if (options->mptcp_count == MUTATED_OPTIONS_MAX) return;
    if (o.subtype == MPTCP_MP_CAPABLE) {
        o.as.mp_capable = (struct mp_capable){.version = 1, .hmac_sha256 = true, .has_sender_key = true, .has_receiver_key = true,
                                              .sender_key = secrets->keys[0], .receiver_key = secrets->keys[1]};
    }
    if (o.subtype == MPTCP_DSS) o.as.dss = (struct dss){.has_data_ack = true, .data_ack_64 = true};
    mutate_option(f, &o, secrets);
    uint8_t *bytes = m->options[options->mptcp_count];
    uint32_t length = mutate_encode(&o, bytes, secrets);
    if (length > 0) options->mptcp[options->mptcp_count++] = (struct tcp_raw_option){bytes, (uint8_t)length};
}

static inline void mutate_some_option(struct feed *f, struct mutated *m, const struct mutate_secrets *secrets) {
    struct tcp_options *options = &m->segment.options;
    struct mptcp_option o;
    if (options->mptcp_count == 0) return;
    unsigned i = feed_u8(f) % options->mptcp_count;
    enum mptcp_decode_result result = secrets->version_0
                                          ? mptcp_option_decode_v0(m->options[i], options->mptcp[i].length, &o)
                                          : mptcp_option_decode(m->options[i], options->mptcp[i].length, &o);
    if (result != MPTCP_DECODE_OK) return;
    mutate_option(f, &o, secrets);
    uint32_t length = mutate_encode(&o, m->options[i], secrets);
    if (length > 0) options->mptcp[i].length = (uint8_t)length;
    else m->options[i][feed_u8(f) % options->mptcp[i].length] ^= feed_u8(f);
}

static inline void mutate_sack(struct feed *f, struct tcp_segment *s) {
    s->options.sack_count = feed_u8(f) % (TCP_SACK_BLOCKS_MAX + 1);
    for (unsigned i = 0; i < s->options.sack_count; i++) {
        s->options.sack[i].start = seq32_of((uint32_t)mutate_number(f, s->ack.value));
        s->options.sack[i].end = seq32_of((uint32_t)mutate_number(f, s->options.sack[i].start.value));
    }
}

static inline void mutate_payload(struct feed *f, struct mutated *m) {
    struct tcp_segment *s = &m->segment;
    uint32_t length = feed_u16(f) % (MUTATED_BYTES_MAX - 100);
    for (uint32_t i = s->payload_length; i < length; i++) m->payload[i] = (uint8_t)i;
    s->payload_length = length;
    s->payload = m->payload;
}

/* One change. */
static inline void mutate(struct feed *f, struct mutated *m, const struct mutate_secrets *secrets) {
    struct tcp_segment *s = &m->segment;
    switch (feed_u8(f) % 13) {
    case 0: s->seq = seq32_of((uint32_t)mutate_number(f, s->seq.value)); return;
    case 1: s->ack = seq32_of((uint32_t)mutate_number(f, s->ack.value)); return;
    case 2: s->flags = (uint8_t)(s->flags ^ 1u << feed_u8(f) % 8); return;
    case 3: s->flags = feed_u8(f); return;
    case 4: s->window = feed_u16(f); return;
    case 5: mutate_payload(f, m); return;
    case 6: s->payload_length = 0; return;
    case 7: mutate_add_option(f, m, secrets); return;
    case 8: mutate_some_option(f, m, secrets); return;
    case 9:
        if (s->options.mptcp_count > 0) s->options.mptcp_count--;
        return;
    case 10: mutate_sack(f, s); return;
    case 11:
        s->options.has_timestamps = feed_u8(f) % 4 != 0;
        s->options.timestamp_value = (uint32_t)mutate_number(f, s->options.timestamp_value);
        return;
    default:
        if (s->options.mptcp_count > 0) {
            unsigned i = feed_u8(f) % s->options.mptcp_count;
            m->options[i][2 + feed_u8(f) % (s->options.mptcp[i].length - 2u > 0 ? s->options.mptcp[i].length - 2u : 1u)] ^= feed_u8(f);
        }
        return;
    }
}

#endif
