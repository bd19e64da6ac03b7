/* Sums of many bytes with wide vectors. The same few lines for each width; which one the machine can do is settled once, when
 * the program is loaded (checksum_wide.c), for the core keeps no variable to remember it in. */
#ifndef WIRE_CHECKSUM_WIDE_H
#define WIRE_CHECKSUM_WIDE_H

#include <wire/checksum.h>

/* Below this a call costs more than it saves. */
#define CHECKSUM_WIDE_BYTES 256

/* The sum of 64-bit words as the machine reads them, folded to less than 2^37; a length that is no multiple of 8 is rounded
 * down to what was summed, which is returned in *done. */
uint64_t checksum_words_wide(const uint8_t *bytes, size_t length, size_t *done);
/* The same, and copies what it sums; the two may not overlap. */
uint64_t checksum_copy_wide(uint8_t *restrict to, const uint8_t *restrict bytes, size_t length, size_t *done);

#endif
