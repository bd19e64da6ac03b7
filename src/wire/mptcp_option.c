#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>

#include <string.h>

#define DSS_HAS_ACK 0x01    /* A */
#define DSS_ACK_64 0x02     /* a */
#define DSS_HAS_MAPPING 0x04 /* M */
#define DSS_DSN_64 0x08     /* m */
#define DSS_DATA_FIN 0x10   /* F */

#define CAPABLE_CHECKSUM_REQUIRED 0x80 /* A */
#define CAPABLE_EXTENSIBILITY 0x40     /* B */
#define CAPABLE_NO_JOIN_TO_SOURCE 0x20 /* C */
#define CAPABLE_HMAC_SHA256 0x01       /* H */

/* The lowest bit of the third byte means something in four of them: B, B, E and T. */
#define LOW_FLAG 0x01

const char *mptcp_subtype_name(enum mptcp_subtype subtype) {
    switch (subtype) {
    case MPTCP_MP_CAPABLE: return "MP_CAPABLE";
    case MPTCP_MP_JOIN: return "MP_JOIN";
    case MPTCP_DSS: return "DSS";
    case MPTCP_ADD_ADDR: return "ADD_ADDR";
    case MPTCP_REMOVE_ADDR: return "REMOVE_ADDR";
    case MPTCP_MP_PRIO: return "MP_PRIO";
    case MPTCP_MP_FAIL: return "MP_FAIL";
    case MPTCP_MP_FASTCLOSE: return "MP_FASTCLOSE";
    case MPTCP_MP_TCPRST: return "MP_TCPRST";
    }
    return "?";
}

/* Decoders get a reader that stands behind kind and length, and the option's whole length where it says which form it
 * is; they return false if there is no such form. That all was there, and no more, is checked once for all. */

static bool decode_mp_capable(struct reader *r, uint32_t length, struct mp_capable *o) {
    o->version = read_u8(r) & 0xf;
    o->flags = read_u8(r);
    o->checksum_required = (o->flags & CAPABLE_CHECKSUM_REQUIRED) != 0;
    o->extensibility = (o->flags & CAPABLE_EXTENSIBILITY) != 0;
    o->no_join_to_source = (o->flags & CAPABLE_NO_JOIN_TO_SOURCE) != 0;
    o->hmac_sha256 = (o->flags & CAPABLE_HMAC_SHA256) != 0;
    if (length < 4) return false;
    /* [R-6824-3.1-2] RFC 6824 has one key with a SYN, both without. Of versions above ours we know no lengths; what fits is read, so that
     * they can be answered (§3.1). */
    if (o->version == MPTCP_VERSION_0 && length != 12 && length != 20) return false;
    if (o->version == MPTCP_VERSION && length != 4 && length != 12 && length != 20 && length != 22 && length != 24)
        return false;
    o->has_sender_key = length >= 12;
    o->has_receiver_key = length >= 20;
    o->has_data_length = o->version == MPTCP_VERSION && length >= 22;
    o->has_checksum = o->version == MPTCP_VERSION && length == 24;
    if (o->has_sender_key) o->sender_key = read_u64(r);
    if (o->has_receiver_key) o->receiver_key = read_u64(r);
    if (o->has_data_length) o->data_length = read_u16(r);
    if (o->has_checksum) o->checksum = read_u16(r);
    return true;
}

/* [R-3.1-12] [R-3.1-15] [R-3.1-16] */
static void encode_mp_capable(struct writer *w, const struct mp_capable *o) {
    write_u8(w, (uint8_t)(MPTCP_MP_CAPABLE << 4 | (o->version & 0xf)));
    write_u8(w, (uint8_t)((o->checksum_required ? CAPABLE_CHECKSUM_REQUIRED : 0) |
                          (o->extensibility ? CAPABLE_EXTENSIBILITY : 0) |
                          (o->no_join_to_source ? CAPABLE_NO_JOIN_TO_SOURCE : 0) |
                          (o->hmac_sha256 ? CAPABLE_HMAC_SHA256 : 0)));
    if (o->has_sender_key) write_u64(w, o->sender_key);
    if (o->has_receiver_key) write_u64(w, o->receiver_key);
    if (o->has_data_length) write_u16(w, o->data_length);
    if (o->has_checksum) write_u16(w, o->checksum);
    /* Each field presumes the ones before it. */
    if ((o->has_receiver_key && !o->has_sender_key) || (o->has_data_length && !o->has_receiver_key) ||
        (o->has_checksum && !o->has_data_length))
        w->failed = true;
}

static bool decode_mp_join(struct reader *r, uint32_t length, struct mp_join *o) {
    uint8_t flags = read_u8(r);
    uint8_t address_id = read_u8(r);
    if (length == 24) { /* no flags, no address ID: reserved */
        o->form = MP_JOIN_ACK;
        read_bytes(r, o->hmac160, sizeof(o->hmac160));
        return true;
    }
    o->backup = (flags & LOW_FLAG) != 0;
    o->address_id = address_id;
    if (length == 12) {
        o->form = MP_JOIN_SYN;
        o->token = read_u32(r);
    } else {
        o->form = MP_JOIN_SYN_ACK;
        o->hmac64 = read_u64(r);
    }
    o->nonce = read_u32(r);
    return length == 12 || length == 16;
}

/* [R-3.2-2] [R-3.2-6] */
static void encode_mp_join(struct writer *w, const struct mp_join *o) {
    if (o->form == MP_JOIN_ACK) {
        write_u8(w, MPTCP_MP_JOIN << 4);
        write_u8(w, 0);
        write_bytes(w, o->hmac160, sizeof(o->hmac160));
        return;
    }
    write_u8(w, (uint8_t)(MPTCP_MP_JOIN << 4 | (o->backup ? LOW_FLAG : 0)));
    write_u8(w, o->address_id);
    if (o->form == MP_JOIN_SYN) write_u32(w, o->token);
    else write_u64(w, o->hmac64);
    write_u32(w, o->nonce);
}

static bool decode_dss(struct reader *r, struct dss *o) {
    (void)read_u8(r); /* reserved */
    uint8_t flags = read_u8(r);
    o->data_fin = (flags & DSS_DATA_FIN) != 0;
    o->has_data_ack = (flags & DSS_HAS_ACK) != 0;
    o->data_ack_64 = o->has_data_ack && (flags & DSS_ACK_64) != 0;
    o->has_mapping = (flags & DSS_HAS_MAPPING) != 0;
    o->dsn_64 = o->has_mapping && (flags & DSS_DSN_64) != 0;
    if (o->has_data_ack) o->data_ack = o->data_ack_64 ? read_u64(r) : read_u32(r);
    if (o->has_mapping) {
        o->dsn = o->dsn_64 ? read_u64(r) : read_u32(r);
        o->subflow_seq = read_u32(r);
        o->data_length = read_u16(r);
        o->has_checksum = reader_left(r) == 2; /* §3.3: "inferred from the length of the option" */
        if (o->has_checksum) o->checksum = read_u16(r);
    }
    return true;
}

/* [R-3.3-1] */
static void encode_dss(struct writer *w, const struct dss *o) {
    write_u8(w, MPTCP_DSS << 4);
    write_u8(w, (uint8_t)((o->has_data_ack ? DSS_HAS_ACK : 0) | (o->has_data_ack && o->data_ack_64 ? DSS_ACK_64 : 0) |
                          (o->has_mapping ? DSS_HAS_MAPPING : 0) | (o->has_mapping && o->dsn_64 ? DSS_DSN_64 : 0) |
                          (o->data_fin ? DSS_DATA_FIN : 0)));
    if (o->has_data_ack) {
        if (o->data_ack_64) write_u64(w, o->data_ack);
        else write_u32(w, (uint32_t)o->data_ack);
    }
    if (!o->has_mapping) return;
    if (o->dsn_64) write_u64(w, o->dsn);
    else write_u32(w, (uint32_t)o->dsn);
    write_u32(w, o->subflow_seq);
    write_u16(w, o->data_length);
    if (o->has_checksum) write_u16(w, o->checksum);
}

/* [R-3.4.1-8] */
static bool decode_add_addr(struct reader *r, uint32_t length, struct add_addr *o) {
    o->echo = (read_u8(r) & LOW_FLAG) != 0;
    o->address_id = read_u8(r);
    uint32_t hmac_length = o->echo ? 0 : 8;
    if (length < 4 + hmac_length) return false;
    uint32_t address_length = length - 4 - hmac_length; /* and the port */
    o->has_port = address_length == 4 + 2 || address_length == 16 + 2;
    if (o->has_port) address_length -= 2;
    if (address_length != 4 && address_length != 16) return false;
    o->address.family = address_length == 4 ? IP_V4 : IP_V6;
    read_bytes(r, o->address.bytes, address_length);
    if (o->has_port) o->port = read_u16(r);
    if (!o->echo) o->hmac = read_u64(r);
    return true;
}

/* [R-3.4.1-7] */
static void encode_add_addr(struct writer *w, const struct add_addr *o) {
    ENSURE(o->address.family != IP_NONE);
    write_u8(w, (uint8_t)(MPTCP_ADD_ADDR << 4 | (o->echo ? LOW_FLAG : 0)));
    write_u8(w, o->address_id);
    write_bytes(w, o->address.bytes, o->address.family == IP_V4 ? 4 : 16);
    if (o->has_port) write_u16(w, o->port);
    if (!o->echo) write_u64(w, o->hmac);
}

static bool decode_remove_addr(struct reader *r, uint32_t length, struct remove_addr *o) {
    (void)read_u8(r);
    if (length < 4 || length - 3 > REMOVE_ADDR_IDS_MAX) return false;
    o->count = (uint8_t)(length - 3);
    read_bytes(r, o->address_ids, o->count);
    return true;
}

static void encode_remove_addr(struct writer *w, const struct remove_addr *o) {
    ENSURE(o->count >= 1 && o->count <= REMOVE_ADDR_IDS_MAX);
    write_u8(w, MPTCP_REMOVE_ADDR << 4);
    write_bytes(w, o->address_ids, o->count);
}

static bool decode_mp_prio(struct reader *r, uint32_t length, struct mp_prio *o) {
    o->backup = (read_u8(r) & LOW_FLAG) != 0;
    o->has_address_id = length == 4;
    if (o->has_address_id) o->address_id = read_u8(r);
    return true;
}

static void encode_mp_prio(struct writer *w, const struct mp_prio *o) {
    write_u8(w, (uint8_t)(MPTCP_MP_PRIO << 4 | (o->backup ? LOW_FLAG : 0)));
    if (o->has_address_id) write_u8(w, o->address_id);
}

static bool decode_mp_fail(struct reader *r, struct mp_fail *o) {
    (void)read_u16(r);
    o->dsn = read_u64(r);
    return true;
}

static bool decode_mp_fastclose(struct reader *r, struct mp_fastclose *o) {
    (void)read_u16(r);
    o->receiver_key = read_u64(r);
    return true;
}

/* [R-3.6-4] */
static bool decode_mp_tcprst(struct reader *r, struct mp_tcprst *o) {
    o->flags = read_u8(r) & 0xf;
    o->transient = (o->flags & LOW_FLAG) != 0;
    o->reason = read_u8(r);
    return true;
}

/* [R-3.6-3] */
static void encode_mp_tcprst(struct writer *w, const struct mp_tcprst *o) {
    write_u8(w, (uint8_t)(MPTCP_MP_TCPRST << 4 | (o->flags & 0xe) | (o->transient ? LOW_FLAG : 0)));
    write_u8(w, o->reason);
}

enum mptcp_decode_result mptcp_option_decode(const uint8_t *bytes, uint32_t length, struct mptcp_option *out) {
    struct reader r = reader_of(bytes, length);
    uint8_t kind = read_u8(&r);
    uint8_t said_length = read_u8(&r);
    if (length < 3 || kind != TCP_OPTION_KIND_MPTCP || said_length != length) return MPTCP_DECODE_BAD_LENGTH;

    struct mptcp_option option;
    memset(&option, 0, sizeof(option));
    option.subtype = (enum mptcp_subtype)(bytes[2] >> 4);
    bool good = false;
    switch (option.subtype) {
    case MPTCP_MP_CAPABLE: good = decode_mp_capable(&r, length, &option.as.mp_capable); break;
    case MPTCP_MP_JOIN: good = decode_mp_join(&r, length, &option.as.mp_join); break;
    case MPTCP_DSS: good = decode_dss(&r, &option.as.dss); break;
    case MPTCP_ADD_ADDR: good = decode_add_addr(&r, length, &option.as.add_addr); break;
    case MPTCP_REMOVE_ADDR: good = decode_remove_addr(&r, length, &option.as.remove_addr); break;
    case MPTCP_MP_PRIO: good = decode_mp_prio(&r, length, &option.as.mp_prio); break;
    case MPTCP_MP_FAIL: good = decode_mp_fail(&r, &option.as.mp_fail); break;
    case MPTCP_MP_FASTCLOSE: good = decode_mp_fastclose(&r, &option.as.mp_fastclose); break;
    case MPTCP_MP_TCPRST: good = decode_mp_tcprst(&r, &option.as.mp_tcprst); break;
    default: return MPTCP_DECODE_UNKNOWN_SUBTYPE;
    }
    /* Too short fails the reader; too long leaves something over, which only a foreign MP_CAPABLE may. */
    bool foreign = option.subtype == MPTCP_MP_CAPABLE && option.as.mp_capable.version != MPTCP_VERSION;
    if (!good || r.failed || (reader_left(&r) > 0 && !foreign)) return MPTCP_DECODE_BAD_LENGTH;
    *out = option;
    return MPTCP_DECODE_OK;
}

static void encode_body(struct writer *w, const struct mptcp_option *option) {
    switch (option->subtype) {
    case MPTCP_MP_CAPABLE: encode_mp_capable(w, &option->as.mp_capable); return;
    case MPTCP_MP_JOIN: encode_mp_join(w, &option->as.mp_join); return;
    case MPTCP_DSS: encode_dss(w, &option->as.dss); return;
    case MPTCP_ADD_ADDR: encode_add_addr(w, &option->as.add_addr); return;
    case MPTCP_REMOVE_ADDR: encode_remove_addr(w, &option->as.remove_addr); return;
    case MPTCP_MP_PRIO: encode_mp_prio(w, &option->as.mp_prio); return;
    case MPTCP_MP_TCPRST: encode_mp_tcprst(w, &option->as.mp_tcprst); return;
    case MPTCP_MP_FAIL:
        write_u16(w, MPTCP_MP_FAIL << 12);
        write_u64(w, option->as.mp_fail.dsn);
        return;
    case MPTCP_MP_FASTCLOSE:
        write_u16(w, MPTCP_MP_FASTCLOSE << 12);
        write_u64(w, option->as.mp_fastclose.receiver_key);
        return;
    }
    w->failed = true;
}

uint32_t mptcp_option_encode(const struct mptcp_option *option, uint8_t *out, size_t room) {
    struct writer w = writer_of(out, room < MPTCP_OPTION_MAX ? room : MPTCP_OPTION_MAX);
    write_u8(&w, TCP_OPTION_KIND_MPTCP);
    write_u8(&w, 0);
    encode_body(&w, option);
    if (w.failed) return 0;
    out[1] = (uint8_t)writer_length(&w);
    return out[1];
}
