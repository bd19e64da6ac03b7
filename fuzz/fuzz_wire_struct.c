/* The other way round: structs drawn from the fuzzer's bytes, encoded, and decoded again to what they said. */
#include "fuzz.h"
#include <wire/checksum.h>
#include <wire/ip.h>
#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>
#include <wire/udp.h>

static uint64_t feed_u64(struct feed *f) {
    uint64_t high = feed_u32(f);
    return high << 32 | feed_u32(f);
}

static struct ip_address draw_address(struct feed *f, bool v6) {
    struct ip_address address = {.family = v6 ? IP_V6 : IP_V4};
    for (unsigned i = 0; i < (v6 ? 16 : 4); i++) address.bytes[i] = feed_u8(f);
    return address;
}

/* Only what the option's form can carry, so that all of it must come back. */
static struct mptcp_option draw_option(struct feed *f) {
    struct mptcp_option o;
    memset(&o, 0, sizeof(o));
    uint8_t which = feed_u8(f), form = feed_u8(f);
    o.subtype = (enum mptcp_subtype)(which % 9);
    switch (o.subtype) {
    case MPTCP_MP_CAPABLE: {
        struct mp_capable *m = &o.as.mp_capable;
        *m = (struct mp_capable){.version = MPTCP_VERSION, .checksum_required = form & 1, .no_join_to_source = form & 2, .hmac_sha256 = true};
        m->has_sender_key = form % 5 >= 1;
        m->has_receiver_key = form % 5 >= 2;
        m->has_data_length = form % 5 >= 3;
        m->has_checksum = form % 5 >= 4;
        if (m->has_sender_key) m->sender_key = feed_u64(f);
        if (m->has_receiver_key) m->receiver_key = feed_u64(f);
        if (m->has_data_length) m->data_length = feed_u16(f);
        if (m->has_checksum) m->checksum = feed_u16(f);
        m->flags = (uint8_t)((m->checksum_required ? 0x80 : 0) | (m->no_join_to_source ? 0x20 : 0) | 1);
        break;
    }
    case MPTCP_MP_JOIN: {
        struct mp_join *m = &o.as.mp_join;
        m->form = (enum mp_join_form)(form % 3);
        if (m->form == MP_JOIN_ACK) {
            for (unsigned i = 0; i < 20; i++) m->hmac160[i] = feed_u8(f);
            break;
        }
        m->backup = form & 128;
        m->address_id = feed_u8(f);
        m->nonce = feed_u32(f);
        if (m->form == MP_JOIN_SYN) m->token = feed_u32(f);
        else m->hmac64 = feed_u64(f);
        break;
    }
    case MPTCP_DSS: {
        struct dss *d = &o.as.dss;
        d->has_data_ack = form & 1;
        d->data_ack_64 = d->has_data_ack && form & 2;
        d->has_mapping = form & 4;
        d->dsn_64 = d->has_mapping && form & 8;
        d->has_checksum = d->has_mapping && form & 16;
        d->data_fin = d->has_mapping && form & 32;
        if (d->has_data_ack) d->data_ack = d->data_ack_64 ? feed_u64(f) : feed_u32(f);
        if (d->has_mapping) {
            d->dsn = d->dsn_64 ? feed_u64(f) : feed_u32(f);
            d->subflow_seq = feed_u32(f);
            d->data_length = feed_u16(f);
            if (d->has_checksum) d->checksum = feed_u16(f);
        }
        break;
    }
    case MPTCP_ADD_ADDR:
        o.as.add_addr = (struct add_addr){.echo = form & 1, .address_id = feed_u8(f), .has_port = form & 2};
        o.as.add_addr.address = draw_address(f, form & 4);
        if (form & 2) o.as.add_addr.port = feed_u16(f);
        if (!(form & 1)) o.as.add_addr.hmac = feed_u64(f);
        break;
    case MPTCP_REMOVE_ADDR:
        o.as.remove_addr.count = (uint8_t)(1 + form % REMOVE_ADDR_IDS_MAX);
        for (unsigned i = 0; i < o.as.remove_addr.count; i++) o.as.remove_addr.address_ids[i] = feed_u8(f);
        break;
    case MPTCP_MP_PRIO: o.as.mp_prio.backup = form & 1; break;
    case MPTCP_MP_FAIL: o.as.mp_fail.dsn = feed_u64(f); break;
    case MPTCP_MP_FASTCLOSE: o.as.mp_fastclose.receiver_key = feed_u64(f); break;
    case MPTCP_MP_TCPRST:
        o.as.mp_tcprst = (struct mp_tcprst){.flags = form & 1, .transient = form & 1, .reason = feed_u8(f)};
        break;
    }
    return o;
}

static void option_comes_back(struct feed *f) {
    struct mptcp_option out = draw_option(f), in;
    uint8_t bytes[MPTCP_OPTION_MAX];
    memset(&in, 0, sizeof(in));
    uint32_t length = mptcp_option_encode(&out, bytes, sizeof(bytes));
    ENSURE(length >= 3 && length <= MPTCP_OPTION_MAX);
    ENSURE(mptcp_option_decode(bytes, length, &in) == MPTCP_DECODE_OK && in.subtype == out.subtype);
    switch (in.subtype) {
    case MPTCP_MP_CAPABLE: {
        const struct mp_capable *a = &in.as.mp_capable, *b = &out.as.mp_capable;
        ENSURE(a->version == b->version && a->checksum_required == b->checksum_required &&
               a->no_join_to_source == b->no_join_to_source && a->hmac_sha256 && a->has_sender_key == b->has_sender_key &&
               a->has_receiver_key == b->has_receiver_key && a->has_data_length == b->has_data_length &&
               a->has_checksum == b->has_checksum && a->sender_key == b->sender_key && a->receiver_key == b->receiver_key &&
               a->data_length == b->data_length && a->checksum == b->checksum);
        return;
    }
    case MPTCP_MP_JOIN: {
        const struct mp_join *a = &in.as.mp_join, *b = &out.as.mp_join;
        ENSURE(a->form == b->form && a->token == b->token && a->nonce == b->nonce && a->hmac64 == b->hmac64 &&
               a->address_id == b->address_id && a->backup == b->backup && memcmp(a->hmac160, b->hmac160, 20) == 0);
        return;
    }
    case MPTCP_DSS: {
        const struct dss *a = &in.as.dss, *b = &out.as.dss;
        ENSURE(a->has_data_ack == b->has_data_ack && a->data_ack_64 == b->data_ack_64 && a->data_ack == b->data_ack &&
               a->has_mapping == b->has_mapping && a->dsn_64 == b->dsn_64 && a->dsn == b->dsn &&
               a->subflow_seq == b->subflow_seq && a->data_length == b->data_length && a->has_checksum == b->has_checksum &&
               a->checksum == b->checksum && a->data_fin == b->data_fin);
        return;
    }
    case MPTCP_ADD_ADDR: {
        const struct add_addr *a = &in.as.add_addr, *b = &out.as.add_addr;
        ENSURE(a->echo == b->echo && a->address_id == b->address_id && ip_address_equal(&a->address, &b->address) &&
               a->has_port == b->has_port && a->port == b->port && a->hmac == b->hmac);
        return;
    }
    case MPTCP_REMOVE_ADDR:
        ENSURE(in.as.remove_addr.count == out.as.remove_addr.count);
        ENSURE(memcmp(in.as.remove_addr.address_ids, out.as.remove_addr.address_ids, in.as.remove_addr.count) == 0);
        return;
    case MPTCP_MP_PRIO: ENSURE(in.as.mp_prio.backup == out.as.mp_prio.backup); return;
    case MPTCP_MP_FAIL: ENSURE(in.as.mp_fail.dsn == out.as.mp_fail.dsn); return;
    case MPTCP_MP_FASTCLOSE: ENSURE(in.as.mp_fastclose.receiver_key == out.as.mp_fastclose.receiver_key); return;
    case MPTCP_MP_TCPRST:
        ENSURE(in.as.mp_tcprst.reason == out.as.mp_tcprst.reason && in.as.mp_tcprst.transient == out.as.mp_tcprst.transient);
        return;
    }
}

static void header_comes_back(struct feed *f) {
    uint8_t which = feed_u8(f), bytes[100];
    struct ip_header out = {.source = draw_address(f, which & 1),
                            .destination = draw_address(f, which & 1),
                            .protocol = which & 2 ? IP_PROTOCOL_TCP : IP_PROTOCOL_UDP,
                            .ttl = feed_u8(f),
                            .ecn = which >> 2 & 3,
                            .traffic_class = feed_u8(f) & 63,
                            .dont_fragment = true,
                            .payload_length = feed_u8(f) % 50},
                     in;
    uint32_t length = ip_encode(&out, bytes, sizeof(bytes));
    ENSURE(length == (which & 1 ? 40u : 20u));
    memset(bytes + length, 0, sizeof(bytes) - length);
    ENSURE(ip_decode(bytes, length + out.payload_length, false, &in) == IP_OK);
    ENSURE(ip_address_equal(&in.source, &out.source) && ip_address_equal(&in.destination, &out.destination));
    ENSURE(in.protocol == out.protocol && in.ttl == out.ttl && in.ecn == out.ecn && in.traffic_class == out.traffic_class);
    ENSURE(in.payload_length == out.payload_length && !in.is_fragment);
}

static void segment_comes_back(struct feed *f) {
    struct ip_address any = {.family = IP_V4};
    uint8_t which = feed_u8(f), bytes[60];
    struct tcp_segment out = {.source_port = feed_u16(f), .destination_port = feed_u16(f), .seq = seq32_of(feed_u32(f)),
                              .ack = seq32_of(feed_u32(f)), .flags = feed_u8(f), .window = feed_u16(f)},
                       in;
    struct tcp_options *o = &out.options;
    o->has_mss = which & 1;
    o->has_window_scale = which & 2;
    o->sack_permitted = which & 4;
    o->has_timestamps = which & 8;
    o->mss = o->has_mss ? feed_u16(f) : 0;
    o->window_scale = o->has_window_scale ? feed_u8(f) : 0;
    if (o->has_timestamps) o->timestamp_value = feed_u32(f), o->timestamp_echo = feed_u32(f);
    o->sack_count = which >> 4 & 3;
    for (unsigned i = 0; i < o->sack_count; i++) o->sack[i] = (struct sack_block){seq32_of(feed_u32(f)), seq32_of(feed_u32(f))};
    uint32_t length = tcp_segment_encode(&out, bytes, sizeof(bytes));
    if (length == 0) return;
    ENSURE(tcp_segment_decode(bytes, length, &any, &any, true, &in) == TCP_DECODE_OK && in.header_length == length);
    ENSURE(in.source_port == out.source_port && in.destination_port == out.destination_port && seq32_eq(in.seq, out.seq) &&
           seq32_eq(in.ack, out.ack) && in.flags == out.flags && in.window == out.window);
    ENSURE(in.options.has_mss == o->has_mss && in.options.mss == o->mss && in.options.window_scale == o->window_scale &&
           in.options.sack_permitted == o->sack_permitted && in.options.timestamp_value == o->timestamp_value &&
           in.options.timestamp_echo == o->timestamp_echo && in.options.sack_count <= o->sack_count);
    for (unsigned i = 0; i < in.options.sack_count; i++)
        ENSURE(seq32_eq(in.options.sack[i].start, o->sack[i].start) && seq32_eq(in.options.sack[i].end, o->sack[i].end));
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    switch (feed_u8(&f) % 3) {
    case 0: option_comes_back(&f); return 0;
    case 1: header_comes_back(&f); return 0;
    default: segment_comes_back(&f); return 0;
    }
}
