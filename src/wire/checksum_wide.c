#include "checksum_wide.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/* Where the loader asks a function which of several to take, and nothing watches what runs before main(). */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define WATCHED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED 1
#endif
#if defined(__x86_64__) && defined(__linux__) && defined(__ELF__) && !defined(WATCHED)
#define CHOSEN_WHEN_LOADED 1
#endif

/* Words of 64 bits modulo 2^64, and their upper halves apart, of which there may be 2^32. The sum of the lower halves then
 * is the difference, exactly. Two vectors at a time, so that one addition need not wait for the other. STORE is done with each
 * two that were loaded. */
#define SUM_WORDS(BYTES, STORE)                                                                          \
    typedef uint64_t lanes __attribute__((vector_size(BYTES)));                                                   \
    lanes words = {0}, high = {0}, words2 = {0}, high2 = {0};                                                     \
    size_t at = 0;                                                                                                \
    for (; length - at >= 2 * (BYTES); at += 2 * (BYTES)) {                                                       \
        lanes a, b;                                                                                               \
        memcpy(&a, bytes + at, sizeof(a));                                                                        \
        memcpy(&b, bytes + at + (BYTES), sizeof(b));                                                              \
        STORE;                                                                                                    \
        words += a;                                                                                               \
        high += a >> 32;                                                                                          \
        words2 += b;                                                                                              \
        high2 += b >> 32;                                                                                         \
    }                                                                                                             \
    high += high2;                                                                                                \
    words += words2 - (high << 32);                                                                               \
    uint64_t sum = 0;                                                                                             \
    for (size_t i = 0; i < (BYTES) / 8; i++)                                                                      \
        sum += (words[i] & UINT32_MAX) + (words[i] >> 32) + (high[i] & UINT32_MAX) + (high[i] >> 32);             \
    *done = at;                                                                                                   \
    return sum;

#define BOTH_WAYS(BYTES, TARGET)                                                                                 \
    TARGET static uint64_t words_##BYTES(const uint8_t *bytes, size_t length, size_t *done) {                     \
        SUM_WORDS(BYTES, )                                                                                \
    }                                                                                                             \
    TARGET static uint64_t copy_##BYTES(uint8_t *restrict to, const uint8_t *restrict bytes, size_t length,       \
                                        size_t *done) {                                                           \
        SUM_WORDS(BYTES, memcpy(to + at, &a, sizeof(a)); memcpy(to + at + (BYTES), &b, sizeof(b)))        \
    }

BOTH_WAYS(16, ) /* what every x86-64 (SSE2) and every ARMv8 (NEON) has; else the compiler takes words */

#if defined(__x86_64__)
BOTH_WAYS(32, __attribute__((target("avx2"))))
BOTH_WAYS(64, __attribute__((target("avx512f"))))

/* Does the system keep the registers over a switch of tasks? 6: of AVX; 0xe6: of AVX-512. */
static bool registers_kept(unsigned mask) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return (low & mask) == mask;
}

static bool machine_has(unsigned feature_ebx, unsigned registers) {
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || !registers_kept(registers)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & feature_ebx) != 0;
}

static bool has_32(void) { return machine_has(bit_AVX2, 0x6); }
static bool has_64(void) { return machine_has(bit_AVX512F, 0xe6); }
#endif

static bool has_16(void) { return true; }

static const struct checksum_variant variants[] = {
    {"16 bytes", words_16, copy_16, has_16},
#if defined(__x86_64__)
    {"AVX2", words_32, copy_32, has_32},
    {"AVX-512", words_64, copy_64, has_64},
#endif
};

const struct checksum_variant *checksum_variant(unsigned index) {
    return index < sizeof(variants) / sizeof(variants[0]) ? &variants[index] : NULL;
}

#if defined(CHOSEN_WHEN_LOADED)
typedef uint64_t sum_words(const uint8_t *bytes, size_t length, size_t *done);
typedef uint64_t copy_words(uint8_t *restrict to, const uint8_t *restrict bytes, size_t length, size_t *done);

/* These run before anything else does: they may call nothing that is not in this file. */
__attribute__((used)) static sum_words *widest_sum(void) {
    if (has_64()) return words_64;
    return has_32() ? words_32 : words_16;
}

__attribute__((used)) static copy_words *widest_copy(void) {
    if (has_64()) return copy_64;
    return has_32() ? copy_32 : copy_16;
}

uint64_t checksum_words_wide(const uint8_t *bytes, size_t length, size_t *done) __attribute__((ifunc("widest_sum")));
uint64_t checksum_copy_wide(uint8_t *restrict to, const uint8_t *restrict bytes, size_t length, size_t *done)
    __attribute__((ifunc("widest_copy")));
#else
uint64_t checksum_words_wide(const uint8_t *bytes, size_t length, size_t *done) { return words_16(bytes, length, done); }
uint64_t checksum_copy_wide(uint8_t *restrict to, const uint8_t *restrict bytes, size_t length, size_t *done) {
    return copy_16(to, bytes, length, done);
}
#endif
