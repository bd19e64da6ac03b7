#include <wire/mptcp_option_v0.h>
#include <wire/tcp_segment.h>

#include <string.h>

#define HEAD_BYTES 4 /* kind, length, subtype and IP version, address ID */

static uint32_t address_bytes(enum ip_family family) { return family == IP_V4 ? 4 : 16; }

/* [R-6824-3.4.1-1] */
static bool decode_add_addr(struct reader *r, uint32_t length, struct add_addr *o) {
    uint8_t ip_version = read_u8(r) & 0xf;
    o->address_id = read_u8(r);
    if (ip_version != 4 && ip_version != 6) return false;
    o->address.family = ip_version == 4 ? IP_V4 : IP_V6;
    uint32_t without_port = HEAD_BYTES + address_bytes(o->address.family);
    o->has_port = length == without_port + 2;
    if (!o->has_port && length != without_port) return false;
    read_bytes(r, o->address.bytes, address_bytes(o->address.family));
    if (o->has_port) o->port = read_u16(r);
    return !r->failed && reader_left(r) == 0;
}

static void encode_add_addr(struct writer *w, const struct add_addr *o) {
    ENSURE(o->address.family != IP_NONE);
    write_u8(w, (uint8_t)(MPTCP_ADD_ADDR << 4 | (o->address.family == IP_V4 ? 4 : 6)));
    write_u8(w, o->address_id);
    write_bytes(w, o->address.bytes, address_bytes(o->address.family));
    if (o->has_port) write_u16(w, o->port);
}

enum mptcp_decode_result mptcp_option_decode_v0(const uint8_t *bytes, uint32_t length, struct mptcp_option *out) {
    uint8_t subtype = length >= 3 ? bytes[2] >> 4 : 0xff;
    if (subtype == MPTCP_MP_TCPRST) return MPTCP_DECODE_UNKNOWN_SUBTYPE;
    if (subtype != MPTCP_ADD_ADDR) return mptcp_option_decode(bytes, length, out);

    struct reader r = reader_of(bytes, length);
    struct mptcp_option option;
    memset(&option, 0, sizeof(option));
    option.subtype = MPTCP_ADD_ADDR;
    if (read_u8(&r) != TCP_OPTION_KIND_MPTCP || read_u8(&r) != length ||
        !decode_add_addr(&r, length, &option.as.add_addr))
        return MPTCP_DECODE_BAD_LENGTH;
    *out = option;
    return MPTCP_DECODE_OK;
}

uint32_t mptcp_option_encode_v0(const struct mptcp_option *option, uint8_t *out, size_t room) {
    if (option->subtype == MPTCP_MP_TCPRST) return 0;
    if (option->subtype != MPTCP_ADD_ADDR) return mptcp_option_encode(option, out, room);
    if (option->as.add_addr.echo) return 0;

    struct writer w = writer_of(out, room < MPTCP_OPTION_MAX ? room : MPTCP_OPTION_MAX);
    write_u8(&w, TCP_OPTION_KIND_MPTCP);
    write_u8(&w, 0);
    encode_add_addr(&w, &option->as.add_addr);
    if (w.failed) return 0;
    out[1] = (uint8_t)writer_length(&w);
    return out[1];
}
