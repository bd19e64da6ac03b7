#include "byte_size.h"

#include <string.h>

bool byte_size_parse_in(const char *text, uint64_t least, uint64_t most, uint64_t *out) {
    static const char units[] = "KMG";
    size_t digits = strspn(text, "0123456789");
    uint64_t value = 0;
    for (size_t i = 0; i < digits && value <= most; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    const char *unit = text[digits] != 0 ? strchr(units, text[digits]) : NULL;
    bool plain = text[digits] == 0, scaled = unit != NULL && text[digits + 1] == 0;
    unsigned shift = scaled ? 10 * (unsigned)(unit - units + 1) : 0;
    if (digits == 0 || (!plain && !scaled) || value > most >> shift) return false;
    *out = value << shift;
    return *out >= least;
}

bool byte_size_parse(const char *text, uint64_t *out) { return byte_size_parse_in(text, BYTE_SIZE_MIN, BYTE_SIZE_MAX, out); }
