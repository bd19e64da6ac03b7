/* The Internet checksum (RFC 1071), in pieces. A sum is the unfolded sum of 16-bit big-endian words. */
#ifndef WIRE_CHECKSUM_H
#define WIRE_CHECKSUM_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <wire/address.h>

/* Sum of `length` bytes that start on an even offset; a last odd byte is padded with zero. */
uint64_t checksum_sum(const void *bytes, size_t length);
/* The same of bytes that it copies to `to` on the way, in one pass over them: the two may not overlap. */
uint64_t checksum_copy(void *restrict to, const void *restrict bytes, size_t length);
/* The ways there are to sum many bytes, of which checksum_sum() takes the widest that the machine can do; NULL behind the
 * last. The sum is of 64-bit words in the machine's order, to be folded; *done says how many bytes it is of. For tests and
 * measurements. */
struct checksum_variant {
    const char *name;
    uint64_t (*sum_words)(const uint8_t *bytes, size_t length, size_t *done);
    uint64_t (*copy_words)(uint8_t *restrict to, const uint8_t *restrict bytes, size_t length, size_t *done);
    bool (*usable)(void);
};
const struct checksum_variant *checksum_variant(unsigned index);
/* The sum by one of them; by none, in words of the machine, with NULL. */
uint64_t checksum_sum_by(const struct checksum_variant *variant, const void *bytes, size_t length);
uint64_t checksum_copy_by(const struct checksum_variant *variant, void *restrict to, const void *restrict bytes, size_t length);
/* The sum of B when it follows `preceding` bytes: swapped if that is odd. */
uint64_t checksum_shift(uint64_t sum, size_t preceding);
/* Adding two partial sums never overflows for anything that fits in memory. */
uint16_t checksum_fold(uint64_t sum);    /* ones' complement sum, 16 bits, host order, not inverted */
uint16_t checksum_finish(uint64_t sum);  /* the inverted fold: what goes on the wire (in host order) */
/* The pseudo-header's sum for `protocol` and `length` bytes of transport header and payload. */
uint64_t checksum_pseudo_header(const struct ip_address *source, const struct ip_address *destination,
                                uint8_t protocol, uint32_t length);

#endif
