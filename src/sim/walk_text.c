/* A walk's plan as text, and back. */
#include "walk_fields.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- writing --- */

/* Exact: nanoseconds are as many digits behind the point as it takes. */
static void print_time(FILE *file, braid_time ns) {
    bool seconds = ns >= BRAID_NS_PER_S;
    uint64_t unit = seconds ? BRAID_NS_PER_S : BRAID_NS_PER_MS, rest = ns % unit;
    int digits = seconds ? 9 : 6;
    fprintf(file, "%" PRIu64, ns / unit);
    while (rest != 0 && rest % 10 == 0) rest /= 10, digits--;
    if (rest != 0) fprintf(file, ".%0*" PRIu64, digits, rest);
    fprintf(file, seconds ? "s" : "ms");
}

static void print_part(FILE *file, double part) {
    char text[40];
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, part);
        if (strtod(text, NULL) == part) break;
    }
    fputs(text, file);
}

static void print_value(FILE *file, const struct walk_field *field, const void *at) {
    switch (field->type) {
    case WALK_FLAG: fprintf(file, "%d", *(const bool *)at); return;
    case WALK_U8: fprintf(file, "%u", *(const uint8_t *)at); return;
    case WALK_U16: fprintf(file, "%u", *(const uint16_t *)at); return;
    case WALK_U32: fprintf(file, "%" PRIu32, *(const uint32_t *)at); return;
    case WALK_U64: fprintf(file, "%" PRIu64, *(const uint64_t *)at); return;
    case WALK_TIME: print_time(file, *(const braid_time *)at); return;
    case WALK_PART: print_part(file, *(const double *)at); return;
    case WALK_CHOICE: fputs(field->names[*(const uint32_t *)at], file); return;
    case WALK_CONGESTION:
    case WALK_SCHEDULER: fputs(*(const char *const *)at, file); return;
    }
}

static void print_record(void *context, enum walk_record kind, void *record, unsigned number) {
    const struct walk_record_kind *own = &walk_records[kind];
    FILE *file = context;
    fprintf(file, "%s%s", kind == WALK_NOISE || kind == WALK_BOX ? "  " : "", own->name);
    if (kind == WALK_TALK) fprintf(file, " %u", number);
    for (unsigned i = 0; i < own->field_count; i++) {
        const struct walk_field *field = &own->fields[i];
        bool always = field->type == WALK_CHOICE && strcmp(field->name, "kind") == 0;
        if (!always && walk_field_is_zero(field, record)) continue;
        fprintf(file, " %s=", field->name);
        print_value(file, field, (const char *)record + field->offset);
    }
    fputc('\n', file);
}

void sim_walk_print(const struct sim_walk_plan *plan, FILE *file) {
    struct sim_walk_plan copy = *plan; /* the visitor takes what may be changed */
    walk_each_record(&copy, print_record, file);
}

/* --- reading --- */

struct reading {
    struct sim_walk_plan *plan;
    unsigned line;
    char *complaint;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static bool complain(const struct reading *reading, const char *format, ...) {
    int length = snprintf(reading->complaint, reading->room, "line %u: ", reading->line);
    if (length < 0 || (size_t)length >= reading->room) return false;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reading->complaint + length, reading->room - (size_t)length, format, arguments);
    va_end(arguments);
    return false;
}

static bool read_number(const char *text, uint64_t most, uint64_t *out) {
    char *end;
    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0' && *text != '-' && *out <= most;
}

static bool read_time(const char *text, braid_time *out) {
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {{"s", BRAID_NS_PER_S}, {"ms", BRAID_NS_PER_MS}, {"us", 1000}, {"ns", 1}};
    char *end;
    uint64_t whole = strtoull(text, &end, 10), part = 0, of = 1;
    if (end == text || *text == '-' || whole > UINT32_MAX) return false;
    if (*end == '.')
        for (end++; *end >= '0' && *end <= '9' && of < BRAID_NS_PER_S; end++) part = 10 * part + (uint64_t)(*end - '0'), of *= 10;
    for (unsigned i = 0; i < 4; i++) {
        if (strcmp(end, units[i].name) != 0) continue;
        *out = whole * units[i].ns + part * units[i].ns / of;
        return true;
    }
    return false;
}

static bool read_part(const char *text, double *out) {
    char *end;
    *out = strtod(text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= 1;
}

static bool read_choice(const char *text, const char *const *names, uint32_t *out) {
    for (*out = 0; names[*out] != NULL; ++*out)
        if (names[*out][0] != '\0' && strcmp(names[*out], text) == 0) return true;
    return false;
}

static bool read_name(const char *text, const char *(*name_of)(unsigned index), const char **out) {
    for (unsigned i = 0; (*out = name_of(i)) != NULL; i++)
        if (strcmp(*out, text) == 0) return true;
    return false;
}

static bool read_value(const struct walk_field *field, const char *text, void *at) {
    uint64_t number = 0;
    switch (field->type) {
    case WALK_FLAG:
        if (!read_number(text, 1, &number)) return false;
        *(bool *)at = number;
        return true;
    case WALK_U8:
        if (!read_number(text, UINT8_MAX, &number)) return false;
        *(uint8_t *)at = (uint8_t)number;
        return true;
    case WALK_U16:
        if (!read_number(text, UINT16_MAX, &number)) return false;
        *(uint16_t *)at = (uint16_t)number;
        return true;
    case WALK_U32:
        if (!read_number(text, UINT32_MAX, &number)) return false;
        *(uint32_t *)at = (uint32_t)number;
        return true;
    case WALK_U64: return read_number(text, UINT64_MAX, at);
    case WALK_TIME: return read_time(text, at);
    case WALK_PART: return read_part(text, at);
    case WALK_CHOICE: return read_choice(text, field->names, at);
    case WALK_CONGESTION: return read_name(text, braid_congestion_name, at);
    case WALK_SCHEDULER: return read_name(text, braid_scheduler_name, at);
    }
    return false;
}

/* The record a line's first word begins, and what else that word says. NULL: there can be no such. */
static void *begin_record(struct sim_walk_plan *plan, enum walk_record kind, unsigned number) {
    struct sim_walk_path *path = plan->path_count > 0 ? &plan->paths[plan->path_count - 1] : NULL;
    switch (kind) {
    case WALK_WORLD: return plan;
    case WALK_CLIENT: return &plan->client;
    case WALK_SERVER: return &plan->server;
    case WALK_PATH: return plan->path_count < SIM_PATHS_MAX ? &plan->paths[plan->path_count++] : NULL;
    case WALK_NOISE:
        if (path == NULL) return NULL;
        path->noisy = true;
        return &path->noise;
    case WALK_BOX:
        for (unsigned k = 0; path != NULL && k < SIM_WALK_BOXES_MAX; k++)
            if (path->boxes[k].kind == SIM_WALK_NO_BOX) return &path->boxes[k];
        return NULL;
    case WALK_TALK:
        if (number >= SIM_WALK_TALKS_MAX) return NULL;
        plan->talks[number].there = true;
        return &plan->talks[number];
    case WALK_EVENT: return plan->event_count < SIM_WALK_EVENTS_MAX ? &plan->events[plan->event_count++] : NULL;
    case WALK_RECORDS: break;
    }
    return NULL;
}

static bool read_field(const struct reading *reading, const struct walk_record_kind *kind, void *record, char *word) {
    char *value = strchr(word, '=');
    if (value == NULL) return complain(reading, "%s is not NAME=VALUE", word);
    *value++ = '\0';
    for (unsigned i = 0; i < kind->field_count; i++) {
        const struct walk_field *field = &kind->fields[i];
        if (strcmp(field->name, word) != 0) continue;
        if (read_value(field, value, (char *)record + field->offset)) return true;
        return complain(reading, "%s is no value for %s", value, word);
    }
    return complain(reading, "a %s has no %s", kind->name, word);
}

static bool read_line(const struct reading *reading, char *line) {
    static const char blanks[] = " \t\r\n";
    char *rest, *word = strtok_r(line, blanks, &rest);
    unsigned kind = 0, number = 0;
    if (word == NULL) return true;
    while (kind < WALK_RECORDS && strcmp(walk_records[kind].name, word) != 0) kind++;
    if (kind == WALK_RECORDS) return complain(reading, "what is %s?", word);
    word = strtok_r(NULL, blanks, &rest);
    if (kind == WALK_TALK && word != NULL && strchr(word, '=') == NULL) {
        uint64_t value;
        if (!read_number(word, SIM_WALK_TALKS_MAX - 1, &value)) return complain(reading, "no talk can be %s", word);
        number = (unsigned)value;
        word = strtok_r(NULL, blanks, &rest);
    }
    void *record = begin_record(reading->plan, (enum walk_record)kind, number);
    if (record == NULL) return complain(reading, "there is no place for this %s", walk_records[kind].name);
    for (; word != NULL; word = strtok_r(NULL, blanks, &rest))
        if (!read_field(reading, &walk_records[kind], record, word)) return false;
    return true;
}

bool sim_walk_read(FILE *file, struct sim_walk_plan *out, char *complaint, size_t room) {
    struct reading reading = {.plan = out, .complaint = complaint, .room = room};
    char *line = NULL;
    size_t line_room = 0;
    bool good = true;
    *out = (struct sim_walk_plan){0};
    while (good && getline(&line, &line_room, file) >= 0) {
        reading.line++;
        line[strcspn(line, "#")] = '\0';
        good = read_line(&reading, line);
    }
    free(line);
    const char *wrong = good ? sim_walk_wrong(out) : NULL;
    if (wrong != NULL) snprintf(complaint, room, "%s", wrong);
    return good && wrong == NULL;
}

static bool stream_wrong(const struct sim_stream_config *stream) {
    return stream->message_bytes != 0 && stream->interval_ns == 0;
}

const char *sim_walk_wrong(const struct sim_walk_plan *plan) {
    if (plan->path_count == 0) return "there is no path";
    for (unsigned i = 0; i < plan->path_count; i++) {
        const struct sim_path_config *path = &plan->paths[i].config;
        if (path->mtu_bytes != 0 && path->mtu_bytes < 1280) return "the MTU of a path is less than 1280";
        for (unsigned k = 0; k < SIM_WALK_BOXES_MAX; k++) {
            const struct sim_walk_box *box = &plan->paths[i].boxes[k];
            if (box->kind == SIM_WALK_SPLITTER && box->split.payload_bytes == 0) return "a splitter without bytes";
            if (box->kind == SIM_WALK_COALESCER && box->coalesce.payload_bytes == 0) return "a coalescer without bytes";
        }
    }
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++)
        if (stream_wrong(&plan->talks[i].config.streams[0]) || stream_wrong(&plan->talks[i].config.streams[1]))
            return "messages without an interval";
    for (unsigned i = 0; i < plan->event_count; i++)
        if (plan->events[i].path >= plan->path_count || plan->events[i].talk >= SIM_WALK_TALKS_MAX)
            return "an event of a path or a talk that is not there";
    return NULL;
}
