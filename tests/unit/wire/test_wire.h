/* What the tests of packet formats share. */
#ifndef TEST_WIRE_H
#define TEST_WIRE_H

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <base/prng.h>
#include <wire/address.h>

static inline struct ip_address address(const char *text) {
    struct ip_address a;
    if (!ip_address_parse(text, &a)) fail_msg("not an address: %s", text);
    return a;
}

static inline void random_bytes(struct prng *prng, void *out, size_t length) {
    uint8_t *bytes = out;
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)prng_next(prng);
}

static inline struct ip_address random_address(struct prng *prng, enum ip_family family) {
    uint8_t bytes[16];
    random_bytes(prng, bytes, sizeof(bytes));
    return family == IP_V4 ? ip_address_v4(bytes) : ip_address_v6(bytes);
}

/* A copy in memory that ends where the bytes end, so that a sanitizer sees any read beyond. */
static inline uint8_t *exact_copy(const void *bytes, size_t length) {
    uint8_t *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    if (length > 0) memcpy(copy, bytes, length);
    return copy;
}

/* Changes a few bytes anywhere. */
static inline void damage(struct prng *prng, uint8_t *bytes, size_t length) {
    for (uint64_t n = prng_below(prng, 4); n > 0 && length > 0; n--)
        bytes[prng_below(prng, length)] = (uint8_t)prng_next(prng);
}

#endif
