/* Packet lines: read, written, compared. */
#include "script.h"

#include <stdlib.h>
#include <string.h>
#include <stdio.h>

/* "0:0(0)": where it starts and ends, and how much payload lies between. */
static bool parse_sequence(struct script *s, const char *text, struct packet_text *out) {
    char *at;
    out->seq = (uint32_t)strtoll(text, &at, 10);
    if (*at != ':') return script_fail(s, "'%s' is no START:END(LENGTH)", text);
    uint32_t end = (uint32_t)strtoll(at + 1, &at, 10);
    if (*at != '(') return script_fail(s, "'%s' is no START:END(LENGTH)", text);
    out->length = (uint32_t)strtoul(at + 1, &at, 10);
    if (strcmp(at, ")") != 0) return script_fail(s, "'%s' is no START:END(LENGTH)", text);
    if (end - out->seq != out->length) return script_fail(s, "'%s': END is not START + LENGTH", text);
    return true;
}

/* "<a b,c d>": split at commas outside of brackets. */
static bool parse_options(struct script *s, const char *text, struct packet_text *out) {
    int depth = 0;
    size_t length = 0;
    if (strcmp(text, "*") == 0) {
        out->options_any = true;
        return true;
    }
    for (;; text++) {
        if (*text == '(') depth++;
        if (*text == ')') depth--;
        if (*text != '\0' && (*text != ',' || depth > 0)) {
            if (length == 0 && *text == ' ') continue;
            if (length + 1 < sizeof(out->options[0])) out->options[out->option_count][length++] = *text;
            continue;
        }
        out->options[out->option_count++][length] = '\0';
        length = 0;
        if (*text == '\0') return true;
        if (out->option_count == OPTIONS_MAX) return script_fail(s, "too many options");
    }
}

/* Of the IP header, and the urgent pointer, in any order. */
static bool parse_rest(struct script *s, struct words *line, struct packet_text *out) {
    struct {
        const char *name;
        bool *has;
        uint64_t *value;
    } rest[] = {{"urg", &out->has_urgent, &out->urgent},
                {"ecn", &out->has_ecn, &out->ecn},
                {"dscp", &out->has_dscp, &out->dscp},
                {"hops", &out->has_hops, &out->hops},
                {"protocol", &out->has_protocol, &out->protocol},
                {"fragment", &out->has_fragment, &out->fragment},
                {"version+ihl", &out->has_first_byte, &out->first_byte},
                {"ipsum", &out->has_ip_sum, &out->ip_sum}};
    const unsigned count = sizeof(rest) / sizeof(rest[0]);
    for (unsigned i = 0; i < count;) {
        bool taken = words_take(line, rest[i].name);
        *rest[i].has |= taken;
        if (taken && !number_of(s, words_next(line), rest[i].value)) return false;
        i = taken ? 0 : i + 1;
    }
    return true;
}

bool packet_parse(struct script *s, struct words *line, const char *options, struct packet_text *out) {
    memset(out, 0, sizeof(*out));
    const char *name = words_next(line);
    out->flow = flow_by_name(s, name);
    if (out->flow == NULL) return script_fail(s, "there is no flow '%s'", name);
    const char *flags = words_next(line);
    if (strspn(flags, "FSRP.UEC-") != strlen(flags) || *flags == '\0') return script_fail(s, "'%s' are no flags", flags);
    snprintf(out->flags, sizeof(out->flags), "%s", flags);
    if (!parse_sequence(s, words_next(line), out)) return false;
    if (words_take(line, "ack")) {
        out->has_ack = true;
        snprintf(out->ack_text, sizeof(out->ack_text), "%s", words_next(line));
    }
    if (words_take(line, "win")) {
        out->has_window = true;
        snprintf(out->window_text, sizeof(out->window_text), "%s", words_next(line));
    }
    if (words_take(line, "data")) {
        out->has_data = true;
        if (!value_of(s, words_next(line), &out->data)) return false;
    }
    if (!parse_rest(s, line, out)) return false;
    out->bad_checksum = words_take(line, "badsum");
    if (line->next < line->count) return script_fail(s, "'%s' is left over", words_peek(line));
    return options == NULL || parse_options(s, options, out);
}

void packet_print(const struct packet_text *p, char *text, size_t room) {
    int at = snprintf(text, room, "%s %s %d:%d(%u)", p->flow ? p->flow->name : "?", p->flags, (int32_t)p->seq,
                      (int32_t)(p->seq + p->length), p->length);
    if (p->has_ack) at += snprintf(text + at, room - (size_t)at, " ack %d", (int32_t)p->ack.number);
    if (p->has_window) at += snprintf(text + at, room - (size_t)at, " win %u", (unsigned)p->window.number);
    for (unsigned i = 0; i < p->option_count; i++)
        at += snprintf(text + at, room - (size_t)at, "%s%s", i == 0 ? " <" : ",", p->options[i]);
    if (p->option_count > 0) snprintf(text + at, room - (size_t)at, ">");
}

/* --- comparing --- */

static bool is_number(const char *word) {
    return (word[0] >= '0' && word[0] <= '9' && strchr(word, '.') == NULL && strchr(word, ':') == NULL) || word[0] == '-';
}

static struct value value_seen(const char *word) {
    struct value v = {0};
    if (strncmp(word, "0x", 2) == 0 && strlen(word) == 42) {
        v.length = 20;
        for (unsigned i = 0; i < 20; i++) {
            char digits[3] = {word[2 + 2 * i], word[3 + 2 * i], '\0'};
            v.bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
        }
    } else if (word[0] == '-') v.number = (uint64_t)strtoll(word, NULL, 10);
    else v.number = strtoull(word, NULL, strncmp(word, "0x", 2) == 0 ? 16 : 10);
    return v;
}

static bool word_matches(struct script *s, const char *expected, const char *seen) {
    if (strcmp(expected, seen) == 0 || strcmp(expected, "*") == 0) return true;
    if (!is_number(seen)) return false;
    if (expected[0] != '$' && strchr(expected, '(') == NULL && !is_number(expected)) return false;
    struct value value = value_seen(seen);
    return value_matches(s, expected, &value);
}

static bool option_matches(struct script *s, const char *expected, const char *seen) {
    struct words e, o;
    words_split(&e, expected);
    words_split(&o, seen);
    if (e.count > 0 && strcmp(e.at[e.count - 1], "..") == 0 && o.count + 1 >= e.count) e.count = o.count = e.count - 1;
    if (e.count != o.count) return false;
    /* Variables first: what is computed may need the values they take here. */
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned i = 0; i < e.count; i++)
            if ((e.at[i][0] == '$') == (pass == 0) && !word_matches(s, e.at[i], o.at[i])) return false;
    return true;
}

/* NOPs are only padding, unless the line names them. */
static bool options_match(struct script *s, const struct packet_text *expected, const struct packet_text *seen,
                          char *why, size_t room) {
    unsigned next = 0;
    if (expected->options_any) return true;
    for (unsigned i = 0; i < expected->option_count; i++) {
        bool nop = strcmp(expected->options[i], "nop") == 0;
        while (!nop && next < seen->option_count && strcmp(seen->options[next], "nop") == 0) next++;
        if (next == seen->option_count) {
            snprintf(why, room, "the option '%s' is missing", expected->options[i]);
            return false;
        }
        if (!option_matches(s, expected->options[i], seen->options[next])) {
            snprintf(why, room, "the option '%s' is '%s'", expected->options[i], seen->options[next]);
            return false;
        }
        next++;
    }
    while (next < seen->option_count && strcmp(seen->options[next], "nop") == 0) next++;
    if (next == seen->option_count) return true;
    snprintf(why, room, "the option '%s' is too much", seen->options[next]);
    return false;
}

/* PSH is looked at only where a line names it. */
static bool flags_match(const char *expected, const char *seen) {
    char without[12];
    unsigned length = 0;
    if (strchr(expected, 'P') != NULL) return strcmp(expected, seen) == 0;
    for (; *seen != '\0'; seen++)
        if (*seen != 'P') without[length++] = *seen;
    without[length] = '\0';
    return strcmp(expected, without) == 0;
}

bool packet_matches(struct script *s, const struct packet_text *expected, const struct packet_text *seen, char *why,
                    size_t room) {
    const char *wrong = NULL;
    if (!flags_match(expected->flags, seen->flags)) wrong = "flags";
    else if (expected->seq != seen->seq || expected->length != seen->length) wrong = "sequence numbers";
    else if (expected->has_ack && (!seen->has_ack || !value_matches(s, expected->ack_text, &seen->ack))) wrong = "ack";
    else if (expected->has_window && !value_matches(s, expected->window_text, &seen->window)) wrong = "win";
    else if (expected->has_ecn && expected->ecn != seen->ecn) wrong = "ECN bits";
    else if (expected->has_dscp && expected->dscp != seen->dscp) wrong = "code points (DSCP)";
    else if (expected->has_hops && expected->hops != seen->hops) wrong = "hop limits";
    if (wrong == NULL) return options_match(s, expected, seen, why, room);
    snprintf(why, room, "%s differ", wrong);
    return false;
}
