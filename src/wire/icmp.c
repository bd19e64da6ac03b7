#include <wire/icmp.h>
#include <wire/checksum.h>

#define ICMP_HEADER_BYTES 8
#define ICMP_QUOTED_MAX 128
#define HOP_LIMIT 64

enum icmp_type {
    ICMP4_UNREACHABLE = 3,
    ICMP4_TIME_EXCEEDED = 11,
    ICMP4_PARAMETER_PROBLEM = 12,
    ICMP6_UNREACHABLE = 1,
    ICMP6_PACKET_TOO_BIG = 2,
    ICMP6_TIME_EXCEEDED = 3,
    ICMP6_PARAMETER_PROBLEM = 4,
};

/* RFC 792, and RFC 1122 §3.2.2.1 for codes from 6 on */
static enum icmp_error_kind unreachable_v4(uint8_t code) {
    switch (code) {
    case 0: case 6: case 11: return ICMP_NET_UNREACHABLE;
    case 1: case 7: case 8: case 12: return ICMP_HOST_UNREACHABLE;
    case 3: return ICMP_PORT_UNREACHABLE;
    case 4: return ICMP_PACKET_TOO_BIG;
    case 9: case 10: case 13: return ICMP_PROHIBITED;
    default: return ICMP_OTHER;
    }
}

/* RFC 4443 §3.1 */
static enum icmp_error_kind unreachable_v6(uint8_t code) {
    switch (code) {
    case 0: case 2: return ICMP_NET_UNREACHABLE;
    case 1: case 5: case 6: return ICMP_PROHIBITED;
    case 3: return ICMP_HOST_UNREACHABLE;
    case 4: return ICMP_PORT_UNREACHABLE;
    default: return ICMP_OTHER;
    }
}

static bool kind_v4(uint8_t type, uint8_t code, enum icmp_error_kind *kind) {
    switch (type) {
    case ICMP4_UNREACHABLE: *kind = unreachable_v4(code); return true;
    case ICMP4_TIME_EXCEEDED: *kind = ICMP_TIME_EXCEEDED; return true;
    case ICMP4_PARAMETER_PROBLEM: *kind = ICMP_OTHER; return true;
    default: return false; /* not an error, or source quench, which nobody obeys any more (RFC 6633) */
    }
}

static bool kind_v6(uint8_t type, uint8_t code, enum icmp_error_kind *kind) {
    switch (type) {
    case ICMP6_UNREACHABLE: *kind = unreachable_v6(code); return true;
    case ICMP6_PACKET_TOO_BIG: *kind = ICMP_PACKET_TOO_BIG; return true;
    case ICMP6_TIME_EXCEEDED: *kind = ICMP_TIME_EXCEEDED; return true;
    case ICMP6_PARAMETER_PROBLEM: *kind = ICMP_OTHER; return true;
    default: return false;
    }
}

/* Who sent the packet complained about, to whom, and where in it. Of its transport header at least eight bytes
 * must be there. */
static bool decode_quoted(const uint8_t *bytes, uint32_t length, enum ip_family family, struct icmp_error *out) {
    struct ip_header quoted;
    if (ip_decode_quoted(bytes, length, &quoted) != IP_OK || quoted.source.family != family) return false;
    if (quoted.is_fragment) return false;
    if (quoted.protocol != IP_PROTOCOL_TCP && quoted.protocol != IP_PROTOCOL_UDP) return false;
    struct reader r = reader_of(bytes + quoted.header_length, quoted.payload_length);
    out->flow.local = quoted.source;
    out->flow.remote = quoted.destination;
    out->flow.local_port = read_u16(&r);
    out->flow.remote_port = read_u16(&r);
    uint32_t following = read_u32(&r);
    out->protocol = quoted.protocol;
    if (quoted.protocol == IP_PROTOCOL_TCP) out->seq = seq32_of(following);
    return !r.failed;
}

bool icmp_error_decode(const struct ip_header *header, const uint8_t *bytes, uint32_t length,
                       struct icmp_error *out) {
    struct reader r = reader_of(bytes, length);
    uint8_t type = read_u8(&r);
    uint8_t code = read_u8(&r);
    (void)read_u16(&r); /* checksum */
    uint32_t rest = read_u32(&r);
    if (r.failed) return false;

    struct icmp_error e = {0};
    enum ip_family family = header->source.family;
    uint64_t sum = checksum_sum(bytes, length);
    if (family == IP_V4) {
        if (header->protocol != IP_PROTOCOL_ICMP || !kind_v4(type, code, &e.kind)) return false;
        if (e.kind == ICMP_PACKET_TOO_BIG) e.mtu = rest & 0xffff;
    } else {
        if (header->protocol != IP_PROTOCOL_ICMPV6 || !kind_v6(type, code, &e.kind)) return false;
        if (e.kind == ICMP_PACKET_TOO_BIG) e.mtu = rest;
        sum += checksum_pseudo_header(&header->source, &header->destination, IP_PROTOCOL_ICMPV6, length);
    }
    if (checksum_fold(sum) != 0xffff) return false;
    if (!decode_quoted(r.at, (uint32_t)reader_left(&r), family, &e)) return false;
    *out = e;
    return true;
}

struct icmp_code {
    uint8_t type, code;
};

static struct icmp_code code_v4(enum icmp_error_kind kind) {
    switch (kind) {
    case ICMP_NET_UNREACHABLE: return (struct icmp_code){ICMP4_UNREACHABLE, 0};
    case ICMP_HOST_UNREACHABLE: return (struct icmp_code){ICMP4_UNREACHABLE, 1};
    case ICMP_PORT_UNREACHABLE: return (struct icmp_code){ICMP4_UNREACHABLE, 3};
    case ICMP_PROHIBITED: return (struct icmp_code){ICMP4_UNREACHABLE, 13};
    case ICMP_PACKET_TOO_BIG: return (struct icmp_code){ICMP4_UNREACHABLE, 4};
    case ICMP_TIME_EXCEEDED: return (struct icmp_code){ICMP4_TIME_EXCEEDED, 0};
    case ICMP_OTHER: break;
    }
    return (struct icmp_code){ICMP4_PARAMETER_PROBLEM, 0};
}

static struct icmp_code code_v6(enum icmp_error_kind kind) {
    switch (kind) {
    case ICMP_NET_UNREACHABLE: return (struct icmp_code){ICMP6_UNREACHABLE, 0};
    case ICMP_HOST_UNREACHABLE: return (struct icmp_code){ICMP6_UNREACHABLE, 3};
    case ICMP_PORT_UNREACHABLE: return (struct icmp_code){ICMP6_UNREACHABLE, 4};
    case ICMP_PROHIBITED: return (struct icmp_code){ICMP6_UNREACHABLE, 1};
    case ICMP_PACKET_TOO_BIG: return (struct icmp_code){ICMP6_PACKET_TOO_BIG, 0};
    case ICMP_TIME_EXCEEDED: return (struct icmp_code){ICMP6_TIME_EXCEEDED, 0};
    case ICMP_OTHER: break;
    }
    return (struct icmp_code){ICMP6_PARAMETER_PROBLEM, 0};
}

static uint32_t encode(enum icmp_error_kind kind, uint32_t mtu, const struct ip_address *source,
                       const struct ip_address *destination, const uint8_t *quoted, uint32_t quoted_length,
                       uint8_t *out, size_t room) {
    bool v4 = source->family == IP_V4;
    if (quoted_length > ICMP_QUOTED_MAX) quoted_length = ICMP_QUOTED_MAX;
    struct ip_header header = {.source = *source,
                               .destination = *destination,
                               .protocol = v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6,
                               .ttl = HOP_LIMIT,
                               .payload_length = ICMP_HEADER_BYTES + quoted_length};
    uint32_t header_length = ip_encode(&header, out, room);
    if (header_length == 0 || room - header_length < header.payload_length) return 0;

    uint8_t *message = out + header_length;
    struct icmp_code code = v4 ? code_v4(kind) : code_v6(kind);
    struct writer w = writer_of(message, header.payload_length);
    write_u8(&w, code.type);
    write_u8(&w, code.code);
    write_u16(&w, 0);
    write_u32(&w, v4 && mtu > UINT16_MAX ? UINT16_MAX : mtu);
    write_bytes(&w, quoted, quoted_length);
    uint64_t sum = checksum_sum(message, header.payload_length);
    if (!v4) sum += checksum_pseudo_header(source, destination, IP_PROTOCOL_ICMPV6, header.payload_length);
    struct writer field = writer_of(message + 2, 2);
    write_u16(&field, checksum_finish(sum));
    return header_length + header.payload_length;
}

uint32_t icmp_error_encode(enum icmp_error_kind kind, const struct ip_address *source,
                           const struct ip_address *destination, const uint8_t *quoted, uint32_t quoted_length,
                           uint8_t *out, size_t room) {
    return encode(kind, 0, source, destination, quoted, quoted_length, out, room);
}

uint32_t icmp_packet_too_big_encode(uint32_t mtu, const struct ip_address *source,
                                    const struct ip_address *destination, const uint8_t *quoted,
                                    uint32_t quoted_length, uint8_t *out, size_t room) {
    return encode(ICMP_PACKET_TOO_BIG, mtu, source, destination, quoted, quoted_length, out, room);
}
