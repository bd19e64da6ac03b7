/* Products that outgrow 64 bits on their way to a quotient that does not. Integers of 128 bits would do it, by a function of
 * the compiler's own library, which the core does without. */
#ifndef BASE_MUL_DIV_H
#define BASE_MUL_DIV_H

#include <stdint.h>

/* a * b / c, rounded down; UINT64_MAX if that is too much, or c is 0. */
static inline uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c) {
    uint64_t product;
    if (c == 0) return UINT64_MAX;
    if (!__builtin_mul_overflow(a, b, &product)) return product / c;
    uint64_t a0 = a & UINT32_MAX, a1 = a >> 32, b0 = b & UINT32_MAX, b1 = b >> 32;
    uint64_t middle = (a0 * b0 >> 32) + a1 * b0 % (UINT64_C(1) << 32) + a0 * b1 % (UINT64_C(1) << 32);
    uint64_t low = (middle & UINT32_MAX) << 32 | (a0 * b0 & UINT32_MAX);
    uint64_t high = a1 * b1 + (a1 * b0 >> 32) + (a0 * b1 >> 32) + (middle >> 32);
    if (high >= c) return UINT64_MAX;
    for (int i = 0; i < 64; i++) { /* high is what is left over, always less than c */
        uint64_t over = high >> 63;
        high = (high & INT64_MAX) << 1 | low >> 63;
        low = (low & INT64_MAX) << 1;
        if (over == 0 && high < c) continue;
        high = over == 0 ? high - c : high + (UINT64_MAX - c) + 1;
        low |= 1;
    }
    return low;
}

#endif
