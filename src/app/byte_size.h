/* Sizes as people write them: a number, and K, M or G (of 1024) behind it. */
#ifndef APP_BYTE_SIZE_H
#define APP_BYTE_SIZE_H

#include <stdbool.h>
#include <stdint.h>

/* What the command line takes: from 1M to 1024G. */
#define BYTE_SIZE_MIN (UINT64_C(1) << 20)
#define BYTE_SIZE_MAX (UINT64_C(1) << 40)
#define BYTE_SIZE_RANGE "1M to 1024G"

/* False: not a size, or out of that range. */
bool byte_size_parse(const char *text, uint64_t *out);
/* The same with a range of its own. */
bool byte_size_parse_in(const char *text, uint64_t least, uint64_t most, uint64_t *out);

#endif
