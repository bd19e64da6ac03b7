#include <wire/checksum.h>

#include <string.h>

#include "checksum_wide.h"

/* Ones' complement addition of 64-bit words: a carry out of the top comes back in at the bottom. */
static uint64_t add_carry(uint64_t a, uint64_t b) {
    uint64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? sum + 1 : sum;
}

static uint64_t load_word(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* The ones' complement sum does not care about byte order as long as the result is swapped back (RFC 1071 §2), so
 * the words are added as the machine reads them; and 2^16 is 1 modulo 2^16 - 1, so words of 64 bits do as well. */
static uint16_t to_big_endian(uint16_t folded) {
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(folded) : folded;
}

/* `a` and the words of the rest. */
static uint64_t sum_rest(const uint8_t *at, size_t length, uint64_t a) {
    uint64_t b = 0;
    for (; length >= 32; length -= 32, at += 32) {
        a = add_carry(a, load_word(at));
        b = add_carry(b, load_word(at + 8));
        a = add_carry(a, load_word(at + 16));
        b = add_carry(b, load_word(at + 24));
    }
    for (; length >= 8; length -= 8, at += 8) a = add_carry(a, load_word(at));
    if (length > 0) {
        uint8_t last[8] = {0};
        memcpy(last, at, length);
        b = add_carry(b, load_word(last));
    }
    return to_big_endian(checksum_fold(add_carry(a, b)));
}

uint64_t checksum_sum_by(const struct checksum_variant *variant, const void *bytes, size_t length) {
    size_t done = 0;
    uint64_t sum = variant != NULL ? variant->sum_words(bytes, length, &done) : 0;
    return sum_rest((const uint8_t *)bytes + done, length - done, sum);
}

uint64_t checksum_sum(const void *bytes, size_t length) {
    size_t done = 0;
    uint64_t sum = length >= CHECKSUM_WIDE_BYTES ? checksum_words_wide(bytes, length, &done) : 0;
    return sum_rest((const uint8_t *)bytes + done, length - done, sum);
}

/* What is left of a copy is short, and is read again while it is in the nearest cache. */
static uint64_t copy_rest(uint8_t *restrict to, const uint8_t *restrict from, size_t length, uint64_t sum) {
    memcpy(to, from, length);
    return sum_rest(from, length, sum);
}

uint64_t checksum_copy_by(const struct checksum_variant *variant, void *restrict to, const void *restrict bytes, size_t length) {
    size_t done = 0;
    uint64_t sum = variant != NULL ? variant->copy_words(to, bytes, length, &done) : 0;
    return copy_rest((uint8_t *)to + done, (const uint8_t *)bytes + done, length - done, sum);
}

uint64_t checksum_copy(void *restrict to, const void *restrict bytes, size_t length) {
    size_t done = 0;
    uint64_t sum = length >= CHECKSUM_WIDE_BYTES ? checksum_copy_wide(to, bytes, length, &done) : 0;
    return copy_rest((uint8_t *)to + done, (const uint8_t *)bytes + done, length - done, sum);
}

uint64_t checksum_shift(uint64_t sum, size_t preceding) {
    if (preceding % 2 == 0) return sum;
    return __builtin_bswap16(checksum_fold(sum));
}

uint16_t checksum_fold(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

uint16_t checksum_finish(uint64_t sum) { return (uint16_t)~checksum_fold(sum); }

uint64_t checksum_pseudo_header(const struct ip_address *source, const struct ip_address *destination,
                                uint8_t protocol, uint32_t length) {
    size_t address_length = source->family == IP_V4 ? 4 : 16;
    return checksum_sum(source->bytes, address_length) + checksum_sum(destination->bytes, address_length) +
           protocol + (length >> 16) + (length & 0xffff);
}
