/* Plays conformance scripts: `conform SCRIPT...`. Speaks TAP; a script that fails tells file, line, and what was
 * expected and seen. `conform --wrong SCRIPT...`: each must fail, with the words of its first line's comment. */
#include "script.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#define TOLERANCE_NS BRAID_NS_PER_MS

bool script_fail(struct script *s, const char *format, ...) {
    if (script_failed(s)) return false;
    int at = snprintf(s->problem, sizeof(s->problem), "%s:%u: ", s->path, s->line);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->problem + at, sizeof(s->problem) - (size_t)at, format, arguments);
    va_end(arguments);
    return false;
}

static double seconds(const struct script *s, braid_time at) { return (double)(int64_t)(at - s->started) / 1e9; }

/* --- times --- */

struct when {
    bool any;
    braid_time earliest, latest;
};

static bool is_time(const char *word) { return word[0] == '+' || (word[0] >= '0' && word[0] <= '9'); }

/* "+0.2" after the line before, "+0.2~0.4" not exactly known, "+*" whenever, "1.5" since the start. */
static bool parse_when(struct script *s, struct words *w, struct when *out) {
    *out = (struct when){.earliest = s->now, .latest = s->now};
    const char *text = words_peek(w);
    if (!is_time(text)) return true;
    words_next(w);
    if (strcmp(text, "+*") == 0) {
        out->any = true;
        out->latest = s->now + 3600 * BRAID_NS_PER_S;
        return true;
    }
    char *end;
    braid_time base = text[0] == '+' ? s->now : s->started;
    out->earliest = out->latest = base + (braid_time)(strtod(text + (text[0] == '+'), &end) * 1e9 + 0.5);
    if (*end == '~') out->latest = base + (braid_time)(strtod(end + 1, &end) * 1e9 + 0.5);
    if (*end != '\0') return script_fail(s, "'%s' is no time", text);
    return out->earliest >= s->now || script_fail(s, "'%s' is past", text);
}

/* --- lines --- */

static bool nothing_unexpected(struct script *s) {
    if (s->sent_count == 0) return true;
    return script_fail(s, "at %.4f s was sent, and not expected:\n    > %s", seconds(s, s->sent[0].at), s->sent[0].text);
}

static unsigned sent_on(const struct script *s, const struct script_flow *flow) {
    unsigned i = 0;
    while (i < s->sent_count && s->sent[i].flow != flow) i++;
    return i;
}

static bool play_sent(struct script *s, const struct when *when, const struct packet_text *expected, const char *line) {
    char why[TEXT_MAX_BYTES];
    braid_time latest = when->any ? when->latest : when->latest + TOLERANCE_NS;
    unsigned index;
    while ((index = sent_on(s, expected->flow)) == s->sent_count && s->now < latest) {
        if (s->sent_count > 0) return nothing_unexpected(s);
        if (!world_run_to_packet(s, latest)) return false;
    }
    if (index == s->sent_count) {
        if (s->sent_count > 0) return nothing_unexpected(s);
        return script_fail(s, "nothing was sent until %.4f s; expected:\n    %s", seconds(s, latest), line);
    }
    const struct sent_packet *sent = &s->sent[index];
    if (!packet_matches(s, expected, &sent->packet, why, sizeof(why)))
        return script_fail(s, "%s; expected:\n    %s\nat %.4f s was sent:\n    > %s", script_failed(s) ? "" : why, line,
                           seconds(s, sent->at), sent->text);
    if (!when->any && sent->at + TOLERANCE_NS < when->earliest)
        return script_fail(s, "sent at %.4f s, expected at %.4f s:\n    %s", seconds(s, sent->at),
                           seconds(s, when->earliest), line);
    s->sent_count--;
    memmove(&s->sent[index], &s->sent[index + 1], (s->sent_count - index) * sizeof(s->sent[0]));
    return true;
}

static bool play_line(struct script *s, char *line);

/* `each TEXT`: the text, or NULL. */
static const char *row_of(const char *line) {
    line += strspn(line, " \t");
    return strncmp(line, "each ", 5) == 0 ? line + 5 + strspn(line + 5, " \t") : NULL;
}

/* @ stands for the row that is played, % for the number of the round. */
static bool put_row_in(struct script *s, const char *line, char *out) {
    size_t length = 0;
    for (; *line != '\0'; line++) {
        const char *text = *line == '@' ? s->row : *line == '%' && s->round[0] != '\0' ? s->round : NULL;
        size_t more = text != NULL ? strlen(text) : 1;
        if (length + more >= LINE_MAX_BYTES) return script_fail(s, "the line is too long");
        if (text != NULL) memcpy(out + length, text, more);
        else out[length] = *line;
        length += more;
    }
    out[length] = '\0';
    return true;
}

static bool play_file(struct script *s, const char *path) {
    char line[LINE_MAX_BYTES], filled[LINE_MAX_BYTES];
    FILE *file = fopen(path, "r");
    if (file == NULL) return script_fail(s, "there is no %s", path);
    const char *path_before = s->path;
    unsigned line_before = s->line;
    s->path = path;
    s->line = 0;
    bool good = true;
    while (good && fgets(line, sizeof(line), file) != NULL) {
        s->line++;
        line[strcspn(line, "#\r\n")] = '\0';
        if (row_of(line) == NULL) good = put_row_in(s, line, filled) && play_line(s, filled);
    }
    fclose(file);
    if (good) {
        s->path = path_before;
        s->line = line_before;
    }
    return good;
}

/* `use NAME`: parts/NAME.txt, beside the folder of the script. */
static bool play_use(struct script *s, const char *name) {
    char path[LINE_MAX_BYTES];
    const char *slash = strrchr(s->path, '/');
    int length = slash != NULL ? (int)(slash - s->path) : 0;
    snprintf(path, sizeof(path), "%.*s/../parts/%s.txt", length, s->path, name);
    return play_file(s, path);
}

/* `times N LINE`. */
static bool play_times(struct script *s, struct words *w, const char *line) {
    char filled[LINE_MAX_BYTES];
    uint64_t rounds;
    if (s->round[0] != '\0') return script_fail(s, "times within times");
    if (!number_of(s, words_next(w), &rounds)) return false;
    line = strstr(line, w->at[1]) + strlen(w->at[1]);
    bool good = true;
    for (uint64_t i = 0; i < rounds && good; i++) {
        snprintf(s->round, sizeof(s->round), "%llu", (unsigned long long)i);
        good = put_row_in(s, line, filled) && play_line(s, filled);
    }
    s->round[0] = '\0';
    return good;
}

static bool play_packet(struct script *s, bool in, const struct when *when, struct words *w, const char *options,
                        const char *line) {
    struct packet_text packet;
    if (s->stack == NULL) return script_fail(s, "a packet before there is a network");
    if (!packet_parse(s, w, options, &packet)) return false;
    if (!in) return play_sent(s, when, &packet, line);
    if (!s->together && (!world_run(s, when->latest) || !nothing_unexpected(s))) return false;
    return world_inject(s, &packet);
}

static bool play_line(struct script *s, char *line) {
    char whole[LINE_MAX_BYTES], name[WORD_MAX];
    struct words w;
    struct when when;
    snprintf(whole, sizeof(whole), "%s", line + strspn(line, " \t"));
    words_split(&w, line);
    if (w.count == 0) return true;
    if (words_take(&w, "times")) return play_times(s, &w, whole);
    if (!parse_when(s, &w, &when)) return false;
    bool in = words_take(&w, "<"), out = !in && words_take(&w, ">");
    if (in || out) {
        /* The options stand between the brackets at the end; the words before them are split anew. */
        char *options = strstr(line, " <"), *from = strchr(line, in ? '<' : '>') + 1;
        if (options != NULL && options < from) options = strstr(from, " <");
        if (options != NULL) {
            char *end = strrchr(options, '>');
            if (end == NULL) return script_fail(s, "the options do not end");
            *end = *options = '\0';
            options += 2;
        }
        words_split(&w, from);
        return play_packet(s, in, &when, &w, options, whole);
    }
    unsigned long times = words_take(&w, "repeat") ? strtoul(words_next(&w), NULL, 10) : 1;
    if (words_take(&w, "use")) {
        snprintf(name, sizeof(name), "%s", words_next(&w));
        while (times > 0 && play_use(s, name)) times--;
        return times == 0;
    }
    if (times != 1) return script_fail(s, "repeat N use NAME");
    if (when.any || when.earliest != when.latest) return script_fail(s, "a command needs an exact time");
    bool declares = strcmp(words_peek(&w), "flow") == 0 || strcmp(words_peek(&w), "let") == 0 || s->together;
    if (s->stack != NULL && !declares && (!world_run(s, when.latest) || !nothing_unexpected(s))) return false;
    if (!command_run(s, &w)) return script_fail(s, "failed");
    return w.next == w.count || script_fail(s, "'%s' is left over", words_peek(&w));
}

/* --- scripts --- */

static void play(struct script *s, const char *path, const char *row) {
    memset(s, 0, sizeof(*s));
    s->path = path;
    s->row = row;
    s->random = 42;
    bool good = play_file(s, path);
    if (good && s->stack == NULL) good = script_fail(s, "it says nothing");
    if (good && world_flush(s)) nothing_unexpected(s);
    world_stop(s);
}

/* What a wrong script's first line, "# WORDS", says its failure will. */
static bool fails_as_it_says(const struct script *s, const char *path) {
    char line[LINE_MAX_BYTES] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL || fgets(line, sizeof(line), file) == NULL) line[0] = '\0';
    if (file != NULL) fclose(file);
    line[strcspn(line, "\r\n")] = '\0';
    if (strncmp(line, "# ", 2) == 0 && strstr(s->problem, line + 2) != NULL) return true;
    printf("# it should fail with '%s'\n", line);
    return false;
}

/* Row `number` of the script's table, without what surrounds it. */
static bool find_row(const char *path, unsigned number, char *out) {
    char line[LINE_MAX_BYTES];
    bool found = false;
    FILE *file = fopen(path, "r");
    while (!found && file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "#\r\n")] = '\0';
        const char *row = row_of(line);
        if (row == NULL) continue;
        found = number == 0;
        if (!found) {
            number--;
            continue;
        }
        snprintf(out, LINE_MAX_BYTES, "%s", row);
        for (size_t end = strlen(out); end > 0 && out[end - 1] == ' '; end--) out[end - 1] = '\0';
    }
    if (file != NULL) fclose(file);
    return found;
}

/* A script with a table is played once for each row. */
static void play_rows(struct script *s, const char *path, char *row) {
    unsigned number = 0;
    row[0] = '\0';
    bool table = find_row(path, number, row);
    do {
        play(s, path, row);
    } while (table && !script_failed(s) && find_row(path, ++number, row));
}

static bool report(const struct script *s, const char *path, int number, bool wrong) {
    const char *slash = strrchr(path, '/');
    bool good = wrong ? fails_as_it_says(s, path) : !script_failed(s);
    printf("%s %d - %s\n", good ? "ok" : "not ok", number, slash != NULL ? slash + 1 : path);
    if (!good && s->row[0] != '\0') printf("with '%s':\n", s->row);
    if (!good) printf("%s\n", s->problem);
    return good;
}

int main(int count, char **arguments) {
    bool wrong = count > 1 && strcmp(arguments[1], "--wrong") == 0, good = true;
    int first = wrong ? 2 : 1;
    if (count <= first) {
        fprintf(stderr, "conform: which scripts?\n");
        return 2;
    }
    printf("1..%d\n", count - first);
    for (int i = first; i < count; i++) {
        struct script *s = calloc(1, sizeof(*s));
        if (s == NULL) abort();
        char row[LINE_MAX_BYTES];
        play_rows(s, arguments[i], row);
        good &= report(s, arguments[i], i - first + 1, wrong);
        free(s);
    }
    return good ? 0 : 1;
}
