#include <wire/address.h>

#include <string.h>

struct ip_address ip_address_v4(const uint8_t bytes[4]) {
    struct ip_address a = {.family = IP_V4};
    memcpy(a.bytes, bytes, 4);
    return a;
}

struct ip_address ip_address_v6(const uint8_t bytes[16]) {
    struct ip_address a = {.family = IP_V6};
    memcpy(a.bytes, bytes, 16);
    return a;
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool flow_equal(const struct flow *a, const struct flow *b) {
    return a->local_port == b->local_port && a->remote_port == b->remote_port &&
           ip_address_equal(&a->remote, &b->remote) && ip_address_equal(&a->local, &b->local);
}

static bool all_zero(const uint8_t *bytes, size_t length) {
    uint8_t any = 0;
    for (size_t i = 0; i < length; i++) any |= bytes[i];
    return any == 0;
}

/* ::ffff:a.b.c.d (RFC 4291 §2.5.5.2) */
static bool is_v4_mapped(const struct ip_address *a) {
    return a->family == IP_V6 && all_zero(a->bytes, 10) && a->bytes[10] == 0xff && a->bytes[11] == 0xff;
}

/* The four bytes of an IPv4 or IPv4-mapped address, NULL for any other. */
static const uint8_t *v4_bytes(const struct ip_address *a) {
    if (a->family == IP_V4) return a->bytes;
    return is_v4_mapped(a) ? a->bytes + 12 : NULL;
}

bool ip_address_is_loopback(const struct ip_address *a) {
    const uint8_t *v4 = v4_bytes(a);
    if (v4 != NULL) return v4[0] == 127;
    return a->family == IP_V6 && all_zero(a->bytes, 15) && a->bytes[15] == 1;
}

bool ip_address_is_multicast(const struct ip_address *a) {
    const uint8_t *v4 = v4_bytes(a);
    if (v4 != NULL) return (v4[0] & 0xf0) == 0xe0 || (v4[0] & v4[1] & v4[2] & v4[3]) == 0xff;
    return a->family == IP_V6 && a->bytes[0] == 0xff;
}

bool ip_address_is_unspecified(const struct ip_address *a) {
    const uint8_t *v4 = v4_bytes(a);
    if (v4 != NULL) return all_zero(v4, 4);
    return a->family != IP_V6 || all_zero(a->bytes, 16);
}

bool ip_address_is_unicast(const struct ip_address *a) {
    const uint8_t *v4 = v4_bytes(a);
    if (v4 != NULL && (v4[0] == 0 || v4[0] >= 240)) return false;
    return !ip_address_is_loopback(a) && !ip_address_is_multicast(a) && !ip_address_is_unspecified(a);
}

bool ip_address_is_link_local(const struct ip_address *a) {
    const uint8_t *v4 = v4_bytes(a);
    if (v4 != NULL) return v4[0] == 169 && v4[1] == 254;
    return a->family == IP_V6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static char *put_decimal(char *at, unsigned value) {
    char digits[10];
    int count = 0;
    do digits[count++] = (char)('0' + value % 10);
    while ((value /= 10) > 0);
    while (count > 0) *at++ = digits[--count];
    return at;
}

static char *put_hex(char *at, unsigned value) {
    bool started = false;
    for (int shift = 12; shift >= 0; shift -= 4) {
        unsigned digit = value >> shift & 0xf;
        started = started || digit > 0 || shift == 0;
        if (started) *at++ = "0123456789abcdef"[digit];
    }
    return at;
}

static char *put_v4(char *at, const uint8_t bytes[4]) {
    for (int i = 0; i < 4; i++) {
        if (i > 0) *at++ = '.';
        at = put_decimal(at, bytes[i]);
    }
    return at;
}

/* The longest run of at least two zero groups, the first of equals (RFC 5952 §4.2). */
static void longest_zero_run(const uint16_t groups[8], int *start, int *length) {
    *start = -1;
    *length = 1;
    for (int i = 0; i < 8; i++) {
        int end = i;
        while (end < 8 && groups[end] == 0) end++;
        if (end - i > *length) {
            *start = i;
            *length = end - i;
        }
        if (end > i) i = end;
    }
}

static char *put_v6(char *at, const struct ip_address *a) {
    uint16_t groups[8];
    for (size_t i = 0; i < 8; i++) groups[i] = (uint16_t)(a->bytes[2 * i] << 8 | a->bytes[2 * i + 1]);
    int run_start, run_length;
    longest_zero_run(groups, &run_start, &run_length);
    int end = is_v4_mapped(a) ? 6 : 8;
    for (int i = 0; i < end;) {
        if (i == run_start) {
            *at++ = ':';
            *at++ = ':';
            i += run_length;
            continue;
        }
        at = put_hex(at, groups[i++]);
        if (i < end && i != run_start) *at++ = ':';
    }
    if (end == 6) {
        *at++ = ':';
        at = put_v4(at, a->bytes + 12);
    }
    return at;
}

static char *put_address(char *at, const struct ip_address *a) {
    if (a->family == IP_V4) return put_v4(at, a->bytes);
    if (a->family == IP_V6) return put_v6(at, a);
    *at++ = '-';
    return at;
}

const char *ip_address_format(const struct ip_address *a, char *text) {
    *put_address(text, a) = '\0';
    return text;
}

const char *flow_end_format(const struct ip_address *a, uint16_t port, char *text) {
    char *at = text;
    if (a->family == IP_V6) *at++ = '[';
    at = put_address(at, a);
    if (a->family == IP_V6) *at++ = ']';
    *at++ = ':';
    *put_decimal(at, port) = '\0';
    return text;
}

/* Four decimal numbers, no leading zeros, up to the end of the text. */
static bool parse_v4(const char *at, uint8_t out[4]) {
    for (int i = 0; i < 4; i++) {
        if (i > 0 && *at++ != '.') return false;
        unsigned value = 0;
        const char *start = at;
        for (; *at >= '0' && *at <= '9'; at++) {
            if (at - start == 3 || (at > start && *start == '0')) return false;
            value = value * 10 + (unsigned)(*at - '0');
        }
        if (at == start || value > 255) return false;
        out[i] = (uint8_t)value;
    }
    return *at == '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

struct v6_parse {
    uint8_t bytes[16];
    int filled; /* bytes so far */
    int gap;    /* where "::" stands, -1 while there is none */
};

/* One group of up to four hexadecimal digits, or an IPv4 address that ends the text. Returns the first character
 * behind it, NULL if it is neither. */
static const char *parse_group(const char *at, struct v6_parse *p) {
    unsigned value = 0;
    const char *start = at;
    for (; hex_digit(*at) >= 0; at++) {
        if (at - start == 4) return NULL;
        value = value << 4 | (unsigned)hex_digit(*at);
    }
    if (at == start) return NULL;
    if (*at == '.') {
        if (p->filled > 12 || !parse_v4(start, p->bytes + p->filled)) return NULL;
        p->filled += 4;
        while (*at != '\0') at++;
        return at;
    }
    if (p->filled > 14) return NULL;
    p->bytes[p->filled++] = (uint8_t)(value >> 8);
    p->bytes[p->filled++] = (uint8_t)value;
    return at;
}

static bool parse_v6(const char *at, uint8_t out[16]) {
    struct v6_parse p = {.gap = -1};
    if (at[0] == ':') {
        if (at[1] != ':') return false;
        p.gap = 0;
        at += 2;
    }
    while (*at != '\0') {
        at = parse_group(at, &p);
        if (at == NULL) return false;
        if (*at == '\0') break;
        if (*at++ != ':') return false;
        if (*at == ':') {
            if (p.gap >= 0) return false;
            p.gap = p.filled;
            at++;
        } else if (*at == '\0') {
            return false;
        }
    }
    if (p.gap < 0 ? p.filled != 16 : p.filled > 14) return false;
    size_t before = p.gap < 0 ? 16 : (size_t)p.gap;
    size_t behind = (size_t)p.filled - before;
    memset(out, 0, 16);
    memcpy(out, p.bytes, before);
    if (behind > 0) memcpy(out + 16 - behind, p.bytes + before, behind);
    return true;
}

bool ip_address_parse(const char *text, struct ip_address *out) {
    struct ip_address a = {0};
    if (parse_v4(text, a.bytes)) {
        a.family = IP_V4;
    } else {
        if (!parse_v6(text, a.bytes)) return false;
        a.family = IP_V6;
    }
    *out = a;
    return true;
}
