#include "uplink_choice.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "byte_size.h"

#define WEIGHT_MAX 255
#define CHOICES ":backup, :metered, :cap=SIZE (" BYTE_SIZE_RANGE ") and :weight=N (1 to 255)"

static bool complain(char problem[UPLINK_CHOICE_TEXT_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool complain(char problem[UPLINK_CHOICE_TEXT_MAX], const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, UPLINK_CHOICE_TEXT_MAX, format, arguments);
    va_end(arguments);
    return false;
}

static bool take_weight(struct engine_uplink_choice *out, const char *text,
                        char problem[UPLINK_CHOICE_TEXT_MAX]) {
    unsigned value = 0;
    bool good = *text != 0;
    for (const char *at = text; *at != 0 && good; at++) {
        good = *at >= '0' && *at <= '9' && value <= WEIGHT_MAX;
        if (good) value = value * 10 + (unsigned)(*at - '0');
    }
    if (!good || value < 1 || value > WEIGHT_MAX)
        return complain(problem, "uplink %.32s: weight wants a number from 1 to %d, not %.64s",
                        out->interface, WEIGHT_MAX, text);
    out->terms.weight = (uint8_t)value;
    return true;
}

static bool take_cap(struct engine_uplink_choice *out, const char *text,
                     char problem[UPLINK_CHOICE_TEXT_MAX]) {
    if (byte_size_parse(text, &out->terms.cap_bytes)) return true;
    return complain(problem,
                    "uplink %.32s: cap wants a size from " BYTE_SIZE_RANGE ", such as 500M, not %.64s",
                    out->interface, text);
}

/* What follows `name` in the suffix; NULL: it is another one. */
static const char *value_of(const char *suffix, const char *name) {
    size_t length = strlen(name);
    return strncmp(suffix, name, length) == 0 ? suffix + length : NULL;
}

static bool take_suffix(struct engine_uplink_choice *out, const char *suffix, unsigned *seen,
                        char problem[UPLINK_CHOICE_TEXT_MAX]) {
    static const char *const names[] = {"backup", "metered", "cap=", "weight="};
    const char *value = NULL;
    unsigned which = 0;
    for (; which < 4; which++) {
        value = value_of(suffix, names[which]);
        if (value != NULL && (which >= 2 || *value == 0)) break;
    }
    if (which == 4)
        return complain(problem, "uplink %.32s: :%.64s is unknown; there are " CHOICES, out->interface,
                        suffix);
    if (*seen >> which & 1)
        return complain(problem, "uplink %.32s: %.*s is said twice", out->interface,
                        (int)strcspn(names[which], "="), names[which]);
    *seen |= 1u << which;
    if (which == 0) out->backup = true;
    if (which == 1) out->terms.metered = true;
    if (which == 2) return take_cap(out, value, problem);
    return which == 3 ? take_weight(out, value, problem) : true;
}

bool uplink_choice_parse(char *text, struct engine_uplink_choice *out, char problem[UPLINK_CHOICE_TEXT_MAX]) {
    unsigned seen = 0;
    char *suffix = strchr(text, ':');
    *out = (struct engine_uplink_choice){.interface = text};
    if (*text == 0 || suffix == text)
        return complain(problem, "--uplink wants the name of an interface, and behind it any of " CHOICES);
    while (suffix != NULL) {
        *suffix++ = 0;
        char *next = strchr(suffix, ':');
        if (next != NULL) *next = 0;
        if (!take_suffix(out, suffix, &seen, problem)) return false;
        suffix = next;
    }
    return true;
}

bool uplink_choice_format(const struct engine_uplink_choice *choice, char *out, size_t size) {
    char cap[32] = "", weight[16] = "";
    if (choice->terms.cap_bytes > 0)
        snprintf(cap, sizeof(cap), ":cap=%llu", (unsigned long long)choice->terms.cap_bytes);
    if (choice->terms.weight > 0) snprintf(weight, sizeof(weight), ":weight=%d", choice->terms.weight);
    int length = snprintf(out, size, "%s%s%s%s%s", choice->interface, choice->backup ? ":backup" : "",
                          choice->terms.metered ? ":metered" : "", cap, weight);
    return length >= 0 && (size_t)length < size;
}
