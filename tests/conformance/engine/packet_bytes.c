/* Packets as bytes: IP, TCP and TCP's own options, both ways. */
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

static const char flag_names[] = "FSRP.UEC";

static void put(uint8_t *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | in[i];
    return value;
}

uint8_t stream_byte(bool ours, uint64_t offset) { return (uint8_t)(offset * 7 + offset / 251 + (ours ? 17 : 101)); }

/* --- checksums --- */

static uint32_t sum_add(uint32_t sum, const uint8_t *bytes, uint32_t length) {
    for (uint32_t i = 0; i < length; i++) sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* 0 over a segment with its checksum in place. */
static uint16_t tcp_sum(const uint8_t *ip, const uint8_t *tcp, uint32_t length) {
    bool v4 = ip[0] >> 4 == 4;
    uint32_t sum = 6 + length;
    sum = sum_add(sum, v4 ? ip + 12 : ip + 8, v4 ? 8 : 32);
    return (uint16_t)~sum_add(sum, tcp, length);
}

/* --- out of text --- */

static uint32_t ip_header(const struct flow_end *from, const struct flow_end *to, uint32_t payload, uint8_t *out) {
    if (from->address.family == 4) {
        memset(out, 0, 20);
        out[0] = 0x45;
        put(out + 2, 20 + payload, 2);
        out[6] = 0x40;
        out[8] = 64;
        out[9] = 6;
        memcpy(out + 12, from->address.bytes, 4);
        memcpy(out + 16, to->address.bytes, 4);
        put(out + 10, (uint16_t)~sum_add(0, out, 20), 2);
        return 20;
    }
    memset(out, 0, 40);
    out[0] = 0x60;
    put(out + 4, payload, 2);
    out[6] = 6;
    out[7] = 64;
    memcpy(out + 8, from->address.bytes, 16);
    memcpy(out + 24, to->address.bytes, 16);
    return 40;
}

static void ip_service(uint8_t *ip, uint8_t service, uint8_t hops) {
    ip[ip[0] >> 4 == 6 ? 7 : 8] = hops;
    if (ip[0] >> 4 == 6) {
        ip[0] = (uint8_t)(0x60 | service >> 4);
        ip[1] = (uint8_t)(service << 4);
        return;
    }
    ip[1] = service;
    put(ip + 10, 0, 2);
    put(ip + 10, (uint16_t)~sum_add(0, ip, 20), 2);
}

static void ip_spoil(const struct packet_text *p, uint8_t *ip) {
    if (p->has_protocol) ip[9] = (uint8_t)p->protocol;
    if (p->has_fragment) put(ip + 6, p->fragment, 2);
    if (p->has_first_byte) ip[0] = (uint8_t)p->first_byte;
    if (!p->has_protocol && !p->has_fragment && !p->has_ip_sum) return;
    put(ip + 10, 0, 2);
    put(ip + 10, (uint16_t)(~sum_add(0, ip, 20) ^ p->ip_sum), 2);
}

static bool encode_sack(struct script *s, struct words *w, const struct script_flow *flow, uint8_t *out,
                        uint32_t *length) {
    out[0] = 5;
    *length = 2;
    while (w->next < w->count) {
        char *at;
        uint32_t start = (uint32_t)strtoul(words_next(w), &at, 10);
        if (*at != ':') return script_fail(s, "a SACK block is START:END");
        put(out + *length, flow->local_isn + start, 4);
        put(out + *length + 4, flow->local_isn + (uint32_t)strtoul(at + 1, NULL, 10), 4);
        *length += 8;
    }
    out[1] = (uint8_t)*length;
    return true;
}

static bool simple(uint8_t kind, uint64_t value, unsigned bytes, uint8_t *out, uint32_t *length) {
    out[0] = kind;
    out[1] = (uint8_t)(2 + bytes);
    put(out + 2, value, bytes);
    *length = 2 + bytes;
    return true;
}

static bool encode_option(struct script *s, const struct packet_text *p, const char *text, uint8_t *out,
                          uint32_t *length) {
    struct words w;
    uint64_t a, b;
    words_split(&w, text);
    if (words_take(&w, "mptcp")) return mptcp_encode(s, &w, p, false, out, length);
    if (words_take(&w, "mss")) return number_of(s, words_next(&w), &a) && simple(2, a, 2, out, length);
    if (words_take(&w, "wscale")) return number_of(s, words_next(&w), &a) && simple(3, a, 1, out, length);
    if (words_take(&w, "sackOK")) return simple(4, 0, 0, out, length);
    if (words_take(&w, "sack")) return encode_sack(s, &w, p->flow, out, length);
    if (words_take(&w, "nop") || words_take(&w, "eol")) {
        out[0] = strcmp(text, "nop") == 0 ? 1 : 0;
        *length = 1;
        return true;
    }
    if (words_take(&w, "TS") && words_take(&w, "val") && number_of(s, words_next(&w), &a) && words_take(&w, "ecr"))
        return number_of(s, words_next(&w), &b) && simple(8, a << 32 | (b & 0xffffffff), 8, out, length);
    if (words_take(&w, "fastopen")) {
        if (w.next == w.count) return simple(34, 0, 0, out, length);
        return number_of(s, words_next(&w), &a) && simple(34, a, 6, out, length);
    }
    if (words_take(&w, "raw")) {
        const char *hex = words_next(&w);
        for (*length = 0; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
            char digits[3] = {hex[0], hex[1], '\0'};
            out[(*length)++] = (uint8_t)strtoul(digits, NULL, 16);
        }
        return true;
    }
    return script_fail(s, "no option '%s'", text);
}

static bool encode_options(struct script *s, const struct packet_text *p, uint8_t *out, uint32_t *total) {
    *total = 0;
    for (unsigned i = 0; i < p->option_count; i++) {
        uint32_t length = 0;
        if (!encode_option(s, p, p->options[i], out + *total, &length)) return false;
        *total += length;
        if (*total > 40) return script_fail(s, "more than 40 bytes of options");
    }
    while (*total % 4 != 0) out[(*total)++] = 1;
    return true;
}

static void encode_payload(struct script *s, const struct packet_text *p, uint8_t *out) {
    bool syn = strchr(p->flags, 'S') != NULL; /* comes before the first byte */
    uint64_t offset = syn ? 0 : (uint64_t)(int64_t)(int32_t)(p->seq - 1);
    if (p->has_data) offset = p->data.number - 1;
    else mapped_offset(s, p, &offset);
    for (uint32_t i = 0; i < p->length; i++) out[i] = stream_byte(false, offset + i);
}

static uint8_t flags_of(const char *text) {
    unsigned flags = 0;
    for (; *text != '\0'; text++) {
        const char *found = strchr(flag_names, *text);
        if (found != NULL) flags |= 1u << (found - flag_names);
    }
    return (uint8_t)flags;
}

uint32_t packet_encode(struct script *s, const struct packet_text *p, uint8_t *out) {
    const struct script_flow *flow = p->flow;
    uint8_t options[WORD_MAX];
    uint32_t options_length;
    uint64_t ack = 0, window = 65535;
    uint8_t flags = flags_of(p->flags);
    if (!encode_options(s, p, options, &options_length)) return 0;
    if (p->has_ack && !number_of(s, p->ack_text, &ack)) return 0;
    if (p->has_window && !number_of(s, p->window_text, &window)) return 0;
    uint32_t length = 20 + options_length + p->length;
    uint8_t *tcp = out + ip_header(&flow->remote, &flow->local, length, out);
    ip_service(out, (uint8_t)(p->dscp << 2 | p->ecn), p->has_hops ? (uint8_t)p->hops : 64);
    if (length + 40 > PACKET_MAX_BYTES) return script_fail(s, "the packet is too long") ? 1 : 0;
    memset(tcp, 0, 20);
    put(tcp, flow->remote.port, 2);
    put(tcp + 2, flow->local.port, 2);
    put(tcp + 4, flow->remote_isn + p->seq, 4);
    put(tcp + 8, flags & 0x10 ? flow->local_isn + (uint32_t)ack : 0, 4);
    tcp[12] = (uint8_t)((20 + options_length) / 4 << 4);
    tcp[13] = flags;
    put(tcp + 14, window, 2);
    put(tcp + 18, p->urgent, 2);
    memcpy(tcp + 20, options, options_length);
    encode_payload(s, p, tcp + 20 + options_length);
    put(tcp + 16, tcp_sum(out, tcp, length) ^ (p->bad_checksum ? 0x5a5a : 0), 2);
    ip_spoil(p, out);
    return (uint32_t)(tcp - out) + length;
}

/* The MTU stands in the last two bytes of the second word for both: ICMPv6 has all four for it. */
uint32_t icmp_encode(const struct script_flow *flow, uint8_t type, uint8_t code, uint32_t seq, uint16_t mtu,
                     uint8_t *out) {
    bool v4 = flow->local.address.family == 4;
    uint32_t header = v4 ? 20 : 40, length = 8 + header + 20;
    uint8_t *icmp = out + header;
    memset(icmp, 0, length);
    icmp[0] = type;
    icmp[1] = code;
    put(icmp + 6, mtu, 2);
    uint8_t *quoted = icmp + 8 + ip_header(&flow->local, &flow->remote, 20, icmp + 8);
    put(quoted, flow->local.port, 2);
    put(quoted + 2, flow->remote.port, 2);
    put(quoted + 4, flow->local_isn + seq, 4);
    ip_header(&flow->remote, &flow->local, length, out);
    out[v4 ? 9 : 6] = v4 ? 1 : 58;
    if (v4) {
        put(out + 10, 0, 2);
        put(out + 10, (uint16_t)~sum_add(0, out, 20), 2);
    }
    uint32_t pseudo = v4 ? 0 : sum_add(58 + length, out + 8, 32);
    put(icmp + 2, (uint16_t)~sum_add(pseudo, icmp, length), 2);
    return header + length;
}

/* --- into text --- */

static struct script_flow *flow_of(struct script *s, const struct flow_end *from, const struct flow_end *to) {
    for (unsigned learn = 0; learn < 2; learn++) {
        for (unsigned i = 0; i < s->flow_count; i++) {
            struct script_flow *f = &s->flows[i];
            bool port = learn ? f->local.port == 0 : f->local.port == from->port;
            if (!port || f->remote.port != to->port) continue;
            if (memcmp(&f->local.address, &from->address, sizeof(from->address)) != 0) continue;
            if (memcmp(&f->remote.address, &to->address, sizeof(to->address)) != 0) continue;
            f->local.port = from->port;
            return f;
        }
    }
    return NULL;
}

static void decode_sack(const uint8_t *at, uint32_t length, uint32_t base, char *text, size_t room) {
    size_t written = (size_t)snprintf(text, room, "sack");
    for (uint32_t i = 2; i + 8 <= length; i += 8)
        written += (size_t)snprintf(text + written, room - written, " %u:%u", (uint32_t)get(at + i, 4) - base,
                                    (uint32_t)get(at + i + 4, 4) - base);
}

static void decode_option(struct script *s, const uint8_t *at, uint32_t length, const struct packet_text *p, char *text,
                          size_t room) {
    if (at[0] == 30) mptcp_decode(s, at, length, true, text, room);
    else if (at[0] == 2 && length == 4) snprintf(text, room, "mss %u", (unsigned)get(at + 2, 2));
    else if (at[0] == 3 && length == 3) snprintf(text, room, "wscale %u", at[2]);
    else if (at[0] == 4 && length == 2) snprintf(text, room, "sackOK");
    else if (at[0] == 5) decode_sack(at, length, p->flow->remote_isn, text, room);
    else if (at[0] == 8 && length == 10)
        snprintf(text, room, "TS val %u ecr %u", (unsigned)get(at + 2, 4), (unsigned)get(at + 6, 4));
    else if (at[0] == 34 && length == 2) snprintf(text, room, "fastopen");
    else if (at[0] == 34 && length == 8) snprintf(text, room, "fastopen %llu", (unsigned long long)get(at + 2, 6));
    else snprintf(text, room, "kind %u length %u", at[0], length);
}

static bool decode_options(struct script *s, const uint8_t *at, uint32_t left, struct packet_text *out) {
    while (left > 0 && out->option_count < OPTIONS_MAX) {
        char *text = out->options[out->option_count++];
        uint32_t length = at[0] < 2 ? 1 : left > 1 ? at[1] : 0;
        if (length == 0 || length > left || (at[0] > 1 && length < 2)) return script_fail(s, "we sent a malformed option");
        if (at[0] < 2) snprintf(text, sizeof(out->options[0]), at[0] == 1 ? "nop" : "eol");
        else decode_option(s, at, length, out, text, sizeof(out->options[0]));
        at += length;
        left -= length;
    }
    return true;
}

static bool payload_is_right(struct script *s, const struct packet_text *p, const uint8_t *payload) {
    uint64_t offset = strchr(p->flags, 'S') != NULL ? 0 : p->seq - 1;
    mapped_offset(s, p, &offset);
    for (uint32_t i = 0; i < p->length; i++) {
        if (payload[i] == stream_byte(true, offset + i)) continue;
        return script_fail(s, "we sent at %u what was not written there", p->seq + i);
    }
    return true;
}

static bool decode_tcp(struct script *s, const uint8_t *ip, const uint8_t *tcp, uint32_t length, struct packet_text *out) {
    struct script_flow *flow = out->flow;
    uint32_t header = (uint32_t)(tcp[12] >> 4) * 4;
    unsigned at = 0;
    if (length < 20 || header > length || tcp_sum(ip, tcp, length) != 0) return script_fail(s, "we sent a bad segment");
    for (unsigned bit = 0; bit < 8; bit++)
        if (tcp[13] & (1u << bit) && bit != 4) out->flags[at++] = flag_names[bit];
    if (tcp[13] & 0x10) out->flags[at++] = '.';
    if (at == 0) out->flags[at++] = '-';
    if ((tcp[13] & 2) && !flow->local_isn_known) {
        flow->local_isn_known = true;
        flow->local_isn = (uint32_t)get(tcp + 4, 4);
    }
    out->seq = (uint32_t)get(tcp + 4, 4) - flow->local_isn;
    out->length = length - header;
    out->has_ack = (tcp[13] & 0x10) != 0;
    out->ack.number = (uint64_t)(int64_t)(int32_t)((uint32_t)get(tcp + 8, 4) - flow->remote_isn);
    out->has_window = true;
    out->window.number = get(tcp + 14, 2);
    return decode_options(s, tcp + 20, header - 20, out) && payload_is_right(s, out, tcp + header);
}

bool packet_decode(struct script *s, const uint8_t *bytes, uint32_t length, struct packet_text *out) {
    bool v4 = bytes[0] >> 4 == 4;
    uint32_t header = v4 ? 20 : 40, size = v4 ? 4 : 16;
    struct flow_end from = {.address.family = v4 ? 4 : 6}, to = from;
    memset(out, 0, sizeof(*out));
    if (length < header + 20 || bytes[v4 ? 9 : 6] != 6) return script_fail(s, "we sent what is no TCP");
    uint8_t service = v4 ? bytes[1] : (uint8_t)(bytes[0] << 4 | bytes[1] >> 4);
    out->ecn = service & 3;
    out->dscp = service >> 2;
    out->hops = bytes[v4 ? 8 : 7];
    memcpy(from.address.bytes, bytes + (v4 ? 12 : 8), size);
    memcpy(to.address.bytes, bytes + (v4 ? 16 : 24), size);
    from.port = (uint16_t)get(bytes + header, 2);
    to.port = (uint16_t)get(bytes + header + 2, 2);
    out->flow = flow_of(s, &from, &to);
    if (out->flow == NULL) {
        char a[64], b[64];
        return script_fail(s, "we sent from %s port %u to %s port %u, which is no flow of the script",
                           address_text(&from.address, a, sizeof(a)), from.port,
                           address_text(&to.address, b, sizeof(b)), to.port);
    }
    return decode_tcp(s, bytes, bytes + header, length - header, out);
}
