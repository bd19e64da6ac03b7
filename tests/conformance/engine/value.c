/* Variables, numbers, and the cryptography of RFC 8684, or RFC 6824 (version 0), straight from libcrypto. */
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

struct variable *variable_find(struct script *s, const char *name) {
    for (unsigned i = 0; i < s->variable_count; i++)
        if (strcmp(s->variables[i].name, name) == 0) return &s->variables[i];
    if (s->variable_count == VARIABLES_MAX) return NULL;
    struct variable *v = &s->variables[s->variable_count++];
    memset(v, 0, sizeof(*v));
    snprintf(v->name, sizeof(v->name), "%s", name);
    return v;
}

static void put(uint8_t *out, uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

static uint64_t get(const uint8_t *in, unsigned bytes) {
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) value = value << 8 | in[i];
    return value;
}

static const EVP_MD *hash_of(const struct script *s) { return s->version_0 ? EVP_sha1() : EVP_sha256(); }

/* Returns the digest's length. */
static unsigned key_hash(const struct script *s, uint64_t key, uint8_t out[32]) {
    uint8_t bytes[8];
    unsigned length = 32;
    put(bytes, key, 8);
    EVP_Digest(bytes, 8, out, &length, hash_of(s), NULL);
    return length;
}

static uint64_t idsn_of(const struct script *s, uint64_t key) {
    uint8_t hash[32];
    unsigned length = key_hash(s, key, hash);
    return get(hash + length - 8, 8);
}

uint64_t data_base(struct script *s, bool ours) {
    const struct variable *v = variable_find(s, ours ? "local" : "peer");
    if (v == NULL || !v->set) return 0;
    return idsn_of(s, v->value.number);
}

static void hmac(const struct script *s, uint64_t first, uint64_t second, const uint8_t *message, size_t length, uint8_t out[32]) {
    uint8_t key[16];
    unsigned size = 32;
    put(key, first, 8);
    put(key + 8, second, 8);
    HMAC(hash_of(s), key, 16, message, length, out, &size);
}

/* --- functions: arguments by text --- */

struct arguments {
    unsigned count;
    char at[6][WORD_MAX];
};

static bool call_number(struct script *s, const struct arguments *a, unsigned index, uint64_t *out) {
    if (index < a->count) return number_of(s, a->at[index], out);
    return script_fail(s, "an argument is missing");
}

static bool call_hmac(struct script *s, const struct arguments *a, bool whole, struct value *out) {
    uint64_t key[2] = {0}, nonce[2] = {0};
    uint8_t message[8], digest[32];
    for (unsigned i = 0; i < 2; i++)
        if (!call_number(s, a, i, &key[i]) || !call_number(s, a, 2 + i, &nonce[i])) return false;
    put(message, nonce[0], 4);
    put(message + 4, nonce[1], 4);
    hmac(s, key[0], key[1], message, 8, digest);
    *out = (struct value){.number = get(digest, 8), .length = whole ? 20 : 0};
    memcpy(out->bytes, digest, 20);
    return true;
}

static bool call_add_hmac(struct script *s, const struct arguments *a, struct value *out) {
    uint64_t key[2] = {0}, id = 0, port = 0;
    struct braid_address address;
    uint8_t message[19], digest[32];
    for (unsigned i = 0; i < 2; i++)
        if (!call_number(s, a, i, &key[i])) return false;
    if (!call_number(s, a, 2, &id)) return false;
    if (a->count < 4 || !address_of(a->at[3], &address)) return script_fail(s, "add_hmac() without an address");
    if (a->count > 4 && !call_number(s, a, 4, &port)) return false;
    unsigned length = address.family == 4 ? 4 : 16;
    message[0] = (uint8_t)id;
    memcpy(message + 1, address.bytes, length);
    put(message + 1 + length, port, 2);
    hmac(s, key[0], key[1], message, length + 3, digest);
    *out = (struct value){.number = get(digest + 24, 8)};
    return true;
}

static bool call(struct script *s, const char *name, const struct arguments *a, struct value *out) {
    uint8_t hash[32];
    uint64_t key = 0;
    if (strcmp(name, "hmac64") == 0) return call_hmac(s, a, false, out);
    if (strcmp(name, "hmac160") == 0) return call_hmac(s, a, true, out);
    if (strcmp(name, "add_hmac") == 0) return call_add_hmac(s, a, out);
    if (strcmp(name, "isn") == 0) {
        const struct script_flow *flow = flow_by_name(s, a->at[0]);
        if (flow == NULL) return script_fail(s, "there is no flow '%s'", a->at[0]);
        *out = (struct value){.number = flow->local_isn};
        return true;
    }
    if (!call_number(s, a, 0, &key)) return false;
    key_hash(s, key, hash);
    if (strcmp(name, "token") == 0) *out = (struct value){.number = get(hash, 4)};
    else if (strcmp(name, "idsn") == 0) *out = (struct value){.number = idsn_of(s, key)};
    else return script_fail(s, "no function '%s'", name);
    return true;
}

/* "(a,b,c)", from behind the bracket; returns what follows its end, NULL if it has none. */
static const char *arguments_split(const char *text, struct arguments *out) {
    int depth = 1;
    size_t length = 0;
    out->count = 0;
    for (; *text != '\0'; text++) {
        bool end = (*text == ')' && --depth == 0) || (*text == ',' && depth == 1);
        if (*text == '(') depth++;
        if (!end) {
            if (length + 1 < WORD_MAX) out->at[out->count][length++] = *text;
            continue;
        }
        out->at[out->count++][length] = '\0';
        length = 0;
        if (*text == ')') return text + 1;
        if (out->count == 6) return NULL;
    }
    return NULL;
}

/* --- expressions --- */

static bool term(struct script *s, const char **text, struct value *out) {
    char name[WORD_MAX];
    size_t length = 0;
    const char *at = *text;
    *out = (struct value){0};
    if (isdigit((unsigned char)*at) || *at == '-') {
        char *end;
        if (*at == '-') out->number = (uint64_t)strtoll(at, &end, 10);
        else out->number = strtoull(at, &end, at[0] == '0' && at[1] == 'x' ? 16 : 10);
        *text = end;
        return true;
    }
    bool variable = *at == '$';
    if (variable) at++;
    while ((isalnum((unsigned char)*at) || *at == '_') && length + 1 < sizeof(name)) name[length++] = *at++;
    name[length] = '\0';
    if (variable) {
        struct variable *v = variable_find(s, name);
        *text = at;
        if (v == NULL || !v->set) return script_fail(s, "$%s has no value", name);
        *out = v->value;
        return true;
    }
    struct arguments arguments;
    if (*at != '(' || length == 0) return script_fail(s, "'%s' is no value", *text);
    at = arguments_split(at + 1, &arguments);
    if (at == NULL) return script_fail(s, "'%s' does not end", *text);
    *text = at;
    return call(s, name, &arguments, out);
}

bool value_of(struct script *s, const char *text, struct value *out) {
    if (!term(s, &text, out)) return false;
    while (*text == '+' || *text == '-' || *text == '^') {
        char operator = *text++;
        struct value more;
        if (!term(s, &text, &more)) return false;
        out->number = operator == '+' ? out->number + more.number
                    : operator == '-' ? out->number - more.number
                                      : out->number ^ more.number;
        if (out->length > 0) out->bytes[19] ^= (uint8_t)more.number; /* of an HMAC only "a wrong one" makes sense */
    }
    if (*text != '\0') return script_fail(s, "'%s' is left over", text);
    return true;
}

bool number_of(struct script *s, const char *text, uint64_t *out) {
    struct value value;
    if (!value_of(s, text, &value)) return false;
    *out = value.number;
    return true;
}

bool value_matches(struct script *s, const char *text, const struct value *seen) {
    struct value expected;
    if (strcmp(text, "*") == 0) return true;
    if (text[0] == '$' && strpbrk(text, "+-(^") == NULL) {
        struct variable *v = variable_find(s, text + 1);
        if (v != NULL && !v->set) {
            v->set = true;
            v->value = *seen;
            return true;
        }
    }
    if (!value_of(s, text, &expected)) return false;
    if (expected.length != seen->length) return false;
    if (seen->length > 0) return memcmp(expected.bytes, seen->bytes, seen->length) == 0;
    return expected.number == seen->number;
}
