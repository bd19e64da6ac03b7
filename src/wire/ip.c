#include <wire/ip.h>
#include <wire/checksum.h>

#include <string.h>

#define IPV4_HEADER_BYTES 20
#define IPV6_HEADER_BYTES 40
#define IPV4_DONT_FRAGMENT 0x4000
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

/* IPv6 extension headers (RFC 8200 §4) */
#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_FRAGMENT 44
#define IPV6_DESTINATION_OPTIONS 60
#define IPV6_EXTENSIONS_MAX 8 /* none we could be talking to sends more */

/* How strictly a packet is looked at. */
enum ip_form { IP_FORM_PLAIN, IP_FORM_COALESCED, IP_FORM_QUOTED };

const char *ip_decode_result_name(enum ip_decode_result result) {
    switch (result) {
    case IP_OK: return "ok";
    case IP_TRUNCATED: return "IP header truncated";
    case IP_BAD_VERSION: return "bad IP version";
    case IP_BAD_HEADER_LENGTH: return "bad IP header length";
    case IP_BAD_TOTAL_LENGTH: return "bad IP total length";
    case IP_BAD_CHECKSUM: return "bad IP header checksum";
    case IP_BAD_EXTENSION: return "bad IPv6 extension header";
    }
    return "?";
}

/* [MUST-50] */
/* [R-1122-3.2.1-2] [R-1122-3.2.1-6] [R-1122-3.2.1-7] */
static enum ip_decode_result decode_v4(const uint8_t *bytes, uint32_t length, enum ip_form form,
                                       struct ip_header *out) {
    if (length < IPV4_HEADER_BYTES) return IP_TRUNCATED;
    struct reader r = reader_of(bytes, length);
    struct ip_header h = {0};
    h.header_length = (read_u8(&r) & 0xfu) * 4;
    uint8_t service = read_u8(&r);
    h.ecn = service & 3;
    h.traffic_class = service >> 2;
    uint32_t total_length = read_u16(&r);
    (void)read_u16(&r); /* identification */
    uint16_t fragment = read_u16(&r);
    h.dont_fragment = (fragment & IPV4_DONT_FRAGMENT) != 0;
    h.is_fragment = (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) != 0;
    h.ttl = read_u8(&r);
    h.protocol = read_u8(&r);
    (void)read_u16(&r); /* checksum */
    h.source.family = h.destination.family = IP_V4;
    read_bytes(&r, h.source.bytes, 4);
    read_bytes(&r, h.destination.bytes, 4);

    if (h.header_length < IPV4_HEADER_BYTES) return IP_BAD_HEADER_LENGTH;
    if (h.header_length > length) return IP_TRUNCATED;
    if (form != IP_FORM_PLAIN) total_length = length;
    if (total_length < h.header_length || total_length > length) return IP_BAD_TOTAL_LENGTH;
    if (form != IP_FORM_QUOTED && checksum_fold(checksum_sum(bytes, h.header_length)) != 0xffff)
        return IP_BAD_CHECKSUM;
    h.payload_length = total_length - h.header_length;
    *out = h;
    return IP_OK;
}

/* RFC 8200 §4.2: an option we do not know says in its top two bits whether the packet may pass. */
static bool extension_options_pass(const uint8_t *bytes, size_t length) {
    struct reader r = reader_of(bytes, length);
    while (reader_left(&r) > 0) {
        uint8_t type = read_u8(&r);
        if (type == 0) continue; /* Pad1 */
        (void)read_span(&r, read_u8(&r));
        /* The jumbo payload option (0xc2) stands in super-segments; the buffer's length already says it all. */
        if ((type & 0xc0) != 0 && type != 0xc2) return false;
    }
    return !r.failed;
}

/* Reads one extension header of kind `h->protocol`. False if it is bad. */
static bool decode_extension(struct reader *r, struct ip_header *h) {
    struct reader fixed = *r;
    uint8_t next = read_u8(&fixed);
    size_t size = 8;
    if (h->protocol != IPV6_FRAGMENT) size += read_u8(&fixed) * (size_t)8;
    const uint8_t *bytes = read_span(r, size);
    if (bytes == NULL) return false;
    switch (h->protocol) {
    case IPV6_FRAGMENT:
        /* With neither offset nor more to come it is a whole datagram (RFC 6946). */
        if (((bytes[2] << 8 | bytes[3]) & 0xfff9) != 0) h->is_fragment = true;
        break;
    case IPV6_ROUTING:
        if (bytes[3] != 0) return false; /* segments left: it is on its way to somebody else */
        break;
    default:
        if (!extension_options_pass(bytes + 2, size - 2)) return false;
    }
    h->protocol = next;
    return true;
}

static bool is_extension(uint8_t protocol) {
    return protocol == IPV6_HOP_BY_HOP || protocol == IPV6_ROUTING || protocol == IPV6_FRAGMENT ||
           protocol == IPV6_DESTINATION_OPTIONS;
}

static bool decode_extensions(struct reader *r, struct ip_header *h) {
    for (int count = 0; is_extension(h->protocol) && !h->is_fragment; count++) {
        if (count == IPV6_EXTENSIONS_MAX) return false;
        if (h->protocol == IPV6_HOP_BY_HOP && count > 0) return false;
        if (!decode_extension(r, h)) return false;
    }
    return true;
}

static enum ip_decode_result decode_v6(const uint8_t *bytes, uint32_t length, enum ip_form form,
                                       struct ip_header *out) {
    if (length < IPV6_HEADER_BYTES) return IP_TRUNCATED;
    struct reader r = reader_of(bytes, length);
    struct ip_header h = {.dont_fragment = true};
    uint32_t first = read_u32(&r);
    h.ecn = first >> 20 & 3;
    h.traffic_class = first >> 22 & 0x3f;
    uint32_t payload_length = read_u16(&r);
    h.protocol = read_u8(&r);
    h.ttl = read_u8(&r);
    h.source.family = h.destination.family = IP_V6;
    read_bytes(&r, h.source.bytes, 16);
    read_bytes(&r, h.destination.bytes, 16);

    if (form != IP_FORM_PLAIN) payload_length = length - IPV6_HEADER_BYTES;
    if (payload_length > length - IPV6_HEADER_BYTES) return IP_BAD_TOTAL_LENGTH;
    r = reader_of(bytes + IPV6_HEADER_BYTES, payload_length);
    if (!decode_extensions(&r, &h)) return IP_BAD_EXTENSION;
    h.payload_length = (uint32_t)reader_left(&r);
    h.header_length = IPV6_HEADER_BYTES + payload_length - h.payload_length;
    *out = h;
    return IP_OK;
}

/* [R-1122-3.2.1-1] */
static enum ip_decode_result decode(const uint8_t *bytes, uint32_t length, enum ip_form form,
                                    struct ip_header *out) {
    if (length == 0) return IP_TRUNCATED;
    switch (bytes[0] >> 4) {
    case 4: return decode_v4(bytes, length, form, out);
    case 6: return decode_v6(bytes, length, form, out);
    default: return IP_BAD_VERSION;
    }
}

enum ip_decode_result ip_decode(const uint8_t *bytes, uint32_t length, bool coalesced, struct ip_header *out) {
    return decode(bytes, length, coalesced ? IP_FORM_COALESCED : IP_FORM_PLAIN, out);
}

enum ip_decode_result ip_decode_quoted(const uint8_t *bytes, uint32_t length, struct ip_header *out) {
    return decode(bytes, length, IP_FORM_QUOTED, out);
}

static uint32_t encode_v4(const struct ip_header *h, uint8_t *out, size_t room) {
    struct writer w = writer_of(out, room);
    uint64_t total_length = (uint64_t)h->payload_length + IPV4_HEADER_BYTES;
    write_u8(&w, 0x45);
    write_u8(&w, (uint8_t)(h->traffic_class << 2 | (h->ecn & 3)));
    write_u16(&w, total_length > UINT16_MAX ? 0 : (uint16_t)total_length);
    write_u16(&w, 0); /* an atomic datagram's identification means nothing (RFC 6864) */
    write_u16(&w, h->dont_fragment ? IPV4_DONT_FRAGMENT : 0);
    write_u8(&w, h->ttl);
    write_u8(&w, h->protocol);
    write_u16(&w, 0);
    write_bytes(&w, h->source.bytes, 4);
    write_bytes(&w, h->destination.bytes, 4);
    if (w.failed) return 0;
    struct writer checksum = writer_of(out + 10, 2);
    write_u16(&checksum, checksum_finish(checksum_sum(out, IPV4_HEADER_BYTES)));
    return IPV4_HEADER_BYTES;
}

static uint32_t encode_v6(const struct ip_header *h, uint8_t *out, size_t room) {
    struct writer w = writer_of(out, room);
    write_u32(&w, UINT32_C(6) << 28 | (h->traffic_class & 0x3fu) << 22 | (h->ecn & 3u) << 20);
    write_u16(&w, h->payload_length > UINT16_MAX ? 0 : (uint16_t)h->payload_length);
    write_u8(&w, h->protocol);
    write_u8(&w, h->ttl);
    write_bytes(&w, h->source.bytes, 16);
    write_bytes(&w, h->destination.bytes, 16);
    return w.failed ? 0 : IPV6_HEADER_BYTES;
}

uint32_t ip_encode(const struct ip_header *header, uint8_t *out, size_t room) {
    ENSURE(header->source.family == header->destination.family && header->source.family != IP_NONE);
    return header->source.family == IP_V4 ? encode_v4(header, out, room) : encode_v6(header, out, room);
}
