/* The options of RFC 8684 §3 as words and as bytes:
 *
 *     capable v1 H [key K [rkey K [len N [csum C]]]]         flags A..H, - for none; key is the sender's
 *     join syn [backup] id N token T nonce N
 *     join syn-ack [backup] id N hmac H nonce N
 *     join ack hmac H
 *     dss [fin] [ack N | ack32 N] [seq N | seq32 N sub N len N [csum C]]
 *     add-addr [echo] id N ADDRESS [port N] [hmac H]
 *     rem-addr id N [id N ...]
 *     prio [backup] [id N]
 *     fail seq N
 *     fastclose key K
 *     rst [transient] reason N
 *     raw HEX                                                all of it, kind and length included
 *
 * `rsv N` at the end sets bits of the third byte, `rsv3 N` of the fourth. Data sequence numbers count from the IDSN: the
 * first byte is 1. A csum is a number, `ok`, or `bad`. */
#include "script.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

struct bytes {
    uint8_t *at;
    uint32_t length;
};

static void put(struct bytes *b, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) b->at[b->length++] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | in[i];
    return value;
}

/* `WORD VALUE`: false if the word is not there, or the value makes no sense. */
static bool named(struct script *s, struct words *w, const char *word, uint64_t *out) {
    return words_take(w, word) && number_of(s, words_next(w), out);
}

static bool must(struct script *s, struct words *w, const char *word, uint64_t *out) {
    if (!words_take(w, word)) return script_fail(s, "'%s' is missing before '%s'", word, words_peek(w));
    return number_of(s, words_next(w), out);
}

/* --- checksums --- */

static uint32_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

uint16_t mapping_sum(uint64_t dsn, uint32_t subflow_seq, uint16_t length, bool ours, uint64_t offset,
                     uint32_t data_length) {
    uint32_t sum = length;
    for (unsigned i = 0; i < 4; i++) sum += (uint16_t)(dsn >> (16 * i));
    sum += (subflow_seq >> 16) + (subflow_seq & 0xffff);
    for (uint32_t i = 0; i < data_length; i++) {
        uint8_t byte = stream_byte(ours, offset + i);
        sum = fold(sum + (i % 2 == 0 ? (uint32_t)byte << 8 : byte));
    }
    return (uint16_t)~fold(sum);
}

static bool checksum_of(struct script *s, struct words *w, uint16_t right, uint64_t *out) {
    const char *text = words_next(w);
    *out = right;
    if (strcmp(text, "ok") == 0) return true;
    if (strcmp(text, "bad") != 0) return number_of(s, text, out);
    *out = right ^ 0x5a5a;
    return true;
}

/* --- words to bytes --- */

static bool encode_capable(struct script *s, struct words *w, bool ours, struct bytes *b) {
    uint64_t version, key, length, sum, flags = 0;
    const char *text = words_next(w);
    if (text[0] != 'v' || !number_of(s, text + 1, &version)) return script_fail(s, "'%s' is no version", text);
    for (text = words_next(w); *text != '\0' && *text != '-'; text++) flags |= 0x80u >> (*text - 'A');
    put(b, version, 1);
    put(b, flags, 1);
    if (named(s, w, "key", &key)) put(b, key, 8);
    if (named(s, w, "rkey", &key)) put(b, key, 8);
    if (!named(s, w, "len", &length)) return !script_failed(s);
    put(b, length, 2);
    if (!words_take(w, "csum")) return true;
    uint16_t right = mapping_sum(data_base(s, ours) + 1, 1, (uint16_t)length, ours, 0, (uint32_t)length);
    if (!checksum_of(s, w, right, &sum)) return false;
    put(b, sum, 2);
    return true;
}

static bool encode_join(struct script *s, struct words *w, struct bytes *b) {
    uint64_t id = 0, token, nonce;
    struct value hmac;
    char form[WORD_MAX];
    snprintf(form, sizeof(form), "%s", words_next(w));
    if (strcmp(form, "ack") == 0) {
        put(b, 0x10, 1);
        put(b, 0, 1);
        if (!words_take(w, "hmac") || !value_of(s, words_next(w), &hmac)) return script_fail(s, "no hmac");
        memcpy(b->at + b->length, hmac.bytes, 20);
        b->length += 20;
        return true;
    }
    put(b, 0x10 | (words_take(w, "backup") ? 1 : 0), 1);
    if (!must(s, w, "id", &id)) return false;
    put(b, id, 1);
    if (strcmp(form, "syn") == 0) {
        if (!must(s, w, "token", &token)) return false;
        put(b, token, 4);
    } else {
        if (!words_take(w, "hmac") || !value_of(s, words_next(w), &hmac)) return script_fail(s, "no hmac");
        put(b, hmac.number, 8);
    }
    if (!must(s, w, "nonce", &nonce)) return false;
    put(b, nonce, 4);
    return true;
}

/* Reads what a DSS says, relative numbers as they stand. */
struct dss_words {
    bool fin, ack, ack32, map, map32, csum;
    uint64_t data_ack, seq, sub, length;
};

static bool read_dss(struct script *s, struct words *w, struct dss_words *d) {
    memset(d, 0, sizeof(*d));
    d->fin = words_take(w, "fin");
    if (named(s, w, "ack", &d->data_ack)) d->ack = true;
    else if (named(s, w, "ack32", &d->data_ack)) d->ack = d->ack32 = true;
    if (named(s, w, "seq", &d->seq)) d->map = true;
    else if (named(s, w, "seq32", &d->seq)) d->map = d->map32 = true;
    if (script_failed(s)) return false;
    if (d->map && (!must(s, w, "sub", &d->sub) || !must(s, w, "len", &d->length))) return false;
    d->csum = words_take(w, "csum");
    return true;
}

static uint16_t dss_sum(struct script *s, const struct dss_words *d, bool ours) {
    uint32_t data = d->length > 0 && d->fin ? (uint32_t)d->length - 1 : (uint32_t)d->length;
    return mapping_sum(data_base(s, ours) + d->seq, (uint32_t)d->sub, (uint16_t)d->length, ours, d->seq - 1, data);
}

static bool encode_dss(struct script *s, struct words *w, bool ours, struct bytes *b) {
    struct dss_words d;
    uint64_t sum;
    if (!read_dss(s, w, &d)) return false;
    put(b, 0x20, 1);
    put(b, (d.fin ? 0x10u : 0) | (d.map && !d.map32 ? 8u : 0) | (d.map ? 4u : 0) | (d.ack && !d.ack32 ? 2u : 0) | d.ack, 1);
    if (d.ack) put(b, data_base(s, !ours) + d.data_ack, d.ack32 ? 4 : 8);
    if (!d.map) return true;
    put(b, data_base(s, ours) + d.seq, d.map32 ? 4 : 8);
    put(b, d.sub, 4);
    put(b, d.length, 2);
    if (!d.csum) return true;
    if (!checksum_of(s, w, dss_sum(s, &d, ours), &sum)) return false;
    put(b, sum, 2);
    return true;
}

static bool encode_add_addr(struct script *s, struct words *w, struct bytes *b) {
    uint64_t id, port, hmac;
    struct braid_address address;
    uint8_t *third = b->at + b->length;
    put(b, 0x30 | (words_take(w, "echo") ? 1 : 0), 1);
    if (!must(s, w, "id", &id)) return false;
    put(b, id, 1);
    if (!address_of(words_next(w), &address)) return script_fail(s, "add-addr without an address");
    if (s->version_0) *third = (uint8_t)(0x30 | address.family);
    for (unsigned i = 0; i < (address.family == 4 ? 4u : 16u); i++) put(b, address.bytes[i], 1);
    if (named(s, w, "port", &port)) put(b, port, 2);
    if (named(s, w, "hmac", &hmac)) put(b, hmac, 8);
    return !script_failed(s);
}

static bool encode_raw(struct words *w, uint8_t *out, uint32_t *length) {
    const char *text = words_next(w);
    for (*length = 0; text[0] != '\0' && text[1] != '\0'; text += 2) {
        char digits[3] = {text[0], text[1], '\0'};
        out[(*length)++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return true;
}

static bool encode_small(struct script *s, const char *name, struct words *w, bool ours, struct bytes *b) {
    uint64_t number = 0;
    if (strcmp(name, "rem-addr") == 0) {
        put(b, 0x40, 1);
        while (named(s, w, "id", &number)) put(b, number, 1);
    } else if (strcmp(name, "prio") == 0) {
        put(b, 0x50 | (words_take(w, "backup") ? 1 : 0), 1);
        if (named(s, w, "id", &number)) put(b, number, 1);
    } else if (strcmp(name, "fail") == 0) {
        put(b, 0x6000, 2);
        if (must(s, w, "seq", &number)) put(b, data_base(s, !ours) + number, 8);
    } else if (strcmp(name, "fastclose") == 0) {
        put(b, 0x7000, 2);
        if (must(s, w, "key", &number)) put(b, number, 8);
    } else if (strcmp(name, "rst") == 0) {
        put(b, 0x80 | (words_take(w, "transient") ? 1 : 0), 1);
        if (must(s, w, "reason", &number)) put(b, number, 1);
    } else {
        return script_fail(s, "no MPTCP option '%s'", name);
    }
    return !script_failed(s);
}

bool mptcp_encode(struct script *s, struct words *w, const struct packet_text *p, bool ours, uint8_t *out,
                  uint32_t *length) {
    struct bytes b = {out, 2};
    char name[WORD_MAX];
    bool good;
    (void)p;
    snprintf(name, sizeof(name), "%s", words_next(w));
    if (strcmp(name, "raw") == 0) return encode_raw(w, out, length);
    if (strcmp(name, "capable") == 0) good = encode_capable(s, w, ours, &b);
    else if (strcmp(name, "join") == 0) good = encode_join(s, w, &b);
    else if (strcmp(name, "dss") == 0) good = encode_dss(s, w, ours, &b);
    else if (strcmp(name, "add-addr") == 0) good = encode_add_addr(s, w, &b);
    else good = encode_small(s, name, w, ours, &b);
    uint64_t bits;
    if (good && named(s, w, "rsv", &bits)) out[2] |= (uint8_t)bits;
    if (good && named(s, w, "rsv3", &bits)) out[3] |= (uint8_t)bits;
    if (good && w->next < w->count) return script_fail(s, "'%s' is left over", words_peek(w));
    out[0] = 30;
    out[1] = (uint8_t)b.length;
    *length = b.length;
    return good && !script_failed(s);
}

bool mapped_offset(struct script *s, const struct packet_text *p, uint64_t *offset) {
    for (unsigned i = 0; i < p->option_count; i++) {
        struct words w;
        struct dss_words d;
        words_split(&w, p->options[i]);
        if (!words_take(&w, "mptcp") || !words_take(&w, "dss")) continue;
        if (!read_dss(s, &w, &d) || !d.map || d.length == 0) return false;
        *offset = d.seq - 1 + (uint32_t)(p->seq - (uint32_t)d.sub);
        return true;
    }
    return false;
}

/* --- bytes to words --- */

struct out {
    char *text;
    size_t room, length;
};

__attribute__((format(printf, 2, 3))) static void say(struct out *o, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(o->text + o->length, o->room - o->length, format, arguments);
    va_end(arguments);
    if (length > 0 && o->length + (size_t)length < o->room) o->length += (size_t)length;
}

static void say_sum(struct out *o, uint16_t sum, uint16_t right) {
    if (sum == right) say(o, " csum ok");
    else say(o, " csum 0x%04x", sum);
}

static void decode_capable(struct script *s, const uint8_t *b, uint32_t length, bool ours, struct out *o) {
    say(o, "capable v%u ", b[2] & 15);
    for (unsigned i = 0; i < 8; i++)
        if (b[3] & (0x80u >> i)) say(o, "%c", 'A' + (int)i);
    if (b[3] == 0) say(o, "-");
    if (length >= 12) say(o, " key 0x%016llx", (unsigned long long)get(b + 4, 8));
    if (length >= 20) say(o, " rkey 0x%016llx", (unsigned long long)get(b + 12, 8));
    if (length < 22) return;
    uint16_t size = (uint16_t)get(b + 20, 2);
    say(o, " len %u", size);
    if (length == 24) say_sum(o, (uint16_t)get(b + 22, 2), mapping_sum(data_base(s, ours) + 1, 1, size, ours, 0, size));
}

static void decode_join(const uint8_t *b, uint32_t length, struct out *o) {
    if (length == 24) {
        say(o, "join ack hmac 0x");
        for (unsigned i = 0; i < 20; i++) say(o, "%02x", b[4 + i]);
        return;
    }
    say(o, "join %s%s id %u", length == 12 ? "syn" : "syn-ack", b[2] & 1 ? " backup" : "", b[3]);
    if (length == 12) say(o, " token 0x%08x", (unsigned)get(b + 4, 4));
    else say(o, " hmac 0x%016llx", (unsigned long long)get(b + 4, 8));
    say(o, " nonce 0x%08x", (unsigned)get(b + length - 4, 4));
    if (b[2] & 14) say(o, " rsv %u", b[2] & 14u);
}

/* A number of `bytes` bytes, counted from `base`. */
static long long relative(const uint8_t *at, unsigned bytes, uint64_t base) {
    uint64_t value = get(at, bytes) - base;
    return bytes == 4 ? (int32_t)value : (long long)value;
}

static void decode_dss(struct script *s, const uint8_t *b, uint32_t length, bool ours, struct out *o) {
    const uint8_t *at = b + 4, *end = b + length;
    unsigned ack_bytes = b[3] & 2 ? 8 : 4, seq_bytes = b[3] & 8 ? 8 : 4;
    uint32_t need = (b[3] & 1 ? ack_bytes : 0) + (b[3] & 4 ? seq_bytes + 6 : 0);
    if (length < 4 + need) {
        say(o, "dss cut short");
        return;
    }
    say(o, "dss%s", b[3] & 0x10 ? " fin" : "");
    if (b[3] & 1) {
        say(o, " ack%s %lld", ack_bytes == 4 ? "32" : "", relative(at, ack_bytes, data_base(s, !ours)));
        at += ack_bytes;
    }
    if (b[3] & 4) {
        struct dss_words d = {.fin = (b[3] & 0x10) != 0};
        d.seq = (uint64_t)relative(at, seq_bytes, data_base(s, ours));
        d.sub = get(at + seq_bytes, 4);
        d.length = get(at + seq_bytes + 4, 2);
        say(o, " seq%s %lld sub %u len %u", seq_bytes == 4 ? "32" : "", (long long)d.seq, (unsigned)d.sub,
            (unsigned)d.length);
        at += seq_bytes + 6;
        if (end - at == 2) say_sum(o, (uint16_t)get(at, 2), dss_sum(s, &d, ours));
    }
    if (b[2] & 15) say(o, " rsv %u", b[2] & 15u);
    if (b[3] & 0xe0) say(o, " rsv3 %u", b[3] & 0xe0u);
}

static void decode_add_addr_v0(const uint8_t *b, uint32_t length, struct out *o) {
    struct braid_address address = {.family = b[2] & 15};
    char text[64];
    uint32_t size = address.family == 6 ? 16 : 4;
    if ((address.family != 4 && address.family != 6) || (length != 4 + size && length != 6 + size)) {
        say(o, "add-addr of no form");
        return;
    }
    memcpy(address.bytes, b + 4, size);
    say(o, "add-addr id %u %s", b[3], address_text(&address, text, sizeof(text)));
    if (length == 6 + size) say(o, " port %u", (unsigned)get(b + 4 + size, 2));
}

static void decode_add_addr(const uint8_t *b, uint32_t length, struct out *o) {
    bool echo = b[2] & 1;
    uint32_t rest = length - 4 - (echo ? 0 : 8);
    struct braid_address address = {.family = rest >= 16 ? 6 : 4};
    char text[64];
    unsigned size = address.family == 6 ? 16 : 4;
    memcpy(address.bytes, b + 4, size);
    say(o, "add-addr%s id %u %s", echo ? " echo" : "", b[3], address_text(&address, text, sizeof(text)));
    if (rest == size + 2) say(o, " port %u", (unsigned)get(b + 4 + size, 2));
    if (!echo) say(o, " hmac 0x%016llx", (unsigned long long)get(b + length - 8, 8));
    if (b[2] & 14) say(o, " rsv %u", b[2] & 14u);
}

static void decode_raw(const uint8_t *b, uint32_t length, struct out *o) {
    say(o, "raw ");
    for (uint32_t i = 0; i < length; i++) say(o, "%02x", b[i]);
}

static bool length_is_known(unsigned subtype, uint32_t length) {
    switch (subtype) {
    case 0: return length == 4 || length == 12 || length == 20 || length == 22 || length == 24;
    case 1: return length == 12 || length == 16 || length == 24;
    case 2: return length >= 4;
    case 3: return length >= 8;
    case 4: return length >= 4;
    case 5: return length == 3 || length == 4;
    case 6:
    case 7: return length == 12;
    case 8: return length == 4;
    default: return false;
    }
}

void mptcp_decode(struct script *s, const uint8_t *b, uint32_t length, bool ours, char *text, size_t room) {
    struct out o = {text, room, 0};
    say(&o, "mptcp ");
    unsigned subtype = length > 2 ? b[2] >> 4 : 16;
    if (!length_is_known(subtype, length)) {
        decode_raw(b, length, &o);
        return;
    }
    switch (subtype) {
    case 0: decode_capable(s, b, length, ours, &o); break;
    case 1: decode_join(b, length, &o); break;
    case 2: decode_dss(s, b, length, ours, &o); break;
    case 3:
        if (s->version_0) decode_add_addr_v0(b, length, &o);
        else decode_add_addr(b, length, &o);
        break;
    case 4:
        say(&o, "rem-addr");
        for (uint32_t i = 3; i < length; i++) say(&o, " id %u", b[i]);
        break;
    case 5:
        say(&o, "prio%s", b[2] & 1 ? " backup" : "");
        if (length == 4) say(&o, " id %u", b[3]);
        break;
    case 6: say(&o, "fail seq %lld", relative(b + 4, 8, data_base(s, !ours))); break;
    case 7: say(&o, "fastclose key 0x%016llx", (unsigned long long)get(b + 4, 8)); break;
    case 8: say(&o, "rst%s reason %u", b[2] & 1 ? " transient" : "", b[3]); break;
    default: break;
    }
    if (subtype >= 4 && subtype != 5 && subtype != 8 && (b[2] & 15)) say(&o, " rsv %u", b[2] & 15u);
    if (subtype == 8 && (b[2] & 14)) say(&o, " rsv %u", b[2] & 14u);
}
