/* From a file to delivery opportunities: one time in milliseconds a line, as mahimahi's link shells take
 * them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scenario_read.h"

#define OPPORTUNITY_BYTES 1514 /* 1500 of IP, in an Ethernet frame */
#define LINES_MAX 4000000u

/* Names are meant from the scenario's folder. */
static const char *path_of(struct yaml_source *source, const char *name) {
    const char *slash = strrchr(source->file, '/');
    if (name[0] == '/' || slash == NULL) return name;
    return arena_format(source->arena, "%.*s%s", (int)(slash - source->file + 1), source->file, name);
}

struct times {
    uint32_t *at_ms;
    uint32_t count, capacity;
};

static bool append(struct times *times, uint32_t at_ms) {
    if (times->count == times->capacity) {
        uint32_t capacity = times->capacity == 0 ? 4096 : 2 * times->capacity;
        uint32_t *grown = realloc(times->at_ms, capacity * sizeof(*grown));
        if (grown == NULL) return false;
        times->at_ms = grown;
        times->capacity = capacity;
    }
    times->at_ms[times->count++] = at_ms;
    return true;
}

/* What is wrong with a line; NULL: nothing. */
static const char *take_line(struct times *times, const char *line) {
    char *end;
    errno = 0;
    unsigned long at = strtoul(line, &end, 10);
    if (line[strspn(line, " \t\r\n")] == '\0') return NULL;
    if (errno != 0 || end == line || strchr(line, '-') != NULL || end[strspn(end, " \t\r\n")] != '\0' ||
        at > INT32_MAX)
        return "this is no time in milliseconds";
    if (times->count > 0 && at < times->at_ms[times->count - 1])
        return "this is earlier than the line before";
    if (times->count == LINES_MAX) return "there are too many lines";
    return append(times, (uint32_t)at) ? NULL : "no memory";
}

static bool take_lines(struct yaml_source *source, yaml_node_t *value, const char *path, FILE *file,
                       struct times *times) {
    char line[64];
    for (unsigned number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
        const char *wrong = take_line(times, line);
        if (wrong == NULL) continue;
        yaml_fail(source, value, "%s:%u: %s", path, number, wrong);
        return false;
    }
    if (times->count > 0 && times->at_ms[times->count - 1] > 0) return true;
    yaml_fail(source, value, "%s: no time after 0 is in it", path);
    return false;
}

const struct link_trace *scenario_read_trace(struct yaml_source *source, yaml_node_t *value) {
    const char *path = path_of(source, yaml_text(source, value));
    struct times times = {0};
    struct link_trace *trace = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        yaml_fail(source, value, "the trace %s cannot be read: %s", path, strerror(errno));
        return NULL;
    }
    if (take_lines(source, value, path, file, &times)) {
        uint32_t *at_ms = arena_array(source->arena, times.count, sizeof(*at_ms));
        memcpy(at_ms, times.at_ms, times.count * sizeof(*at_ms));
        trace = arena_array(source->arena, 1, sizeof(*trace));
        *trace = (struct link_trace){.at_ms = at_ms, .count = times.count, .bytes = OPPORTUNITY_BYTES};
    }
    free(times.at_ms);
    fclose(file);
    return trace;
}
