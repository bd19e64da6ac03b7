/* The table of a result, and what `braid report` is asked for. */
#define _GNU_SOURCE
#include "report.h"

#include <base/ensure.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include "report_check.h"
#include "report_svg.h"

#define BAD_USE 2
#define EVENT_COLUMNS_MAX 4
#define CELL 48

static const char help[] = "usage: braid report RESULT.json [--svg PICTURE.svg]\n"
                           "\n"
                           "Shows the figures of a run of braid lab as a table, and draws them as a picture: "
                           "for each run the bytes per path\n"
                           "over time, with the events marked.\n"
                           "\n"
                           "  --svg FILE   writes the picture there\n";

/* ---- the table ---- */

struct table {
    char cells[40][16][CELL];
    unsigned rows, columns;
    bool left[16];
};

static void set(struct table *table, unsigned row, unsigned column, const char *text) {
    if (row >= ARRAY_COUNT(table->cells) || column >= ARRAY_COUNT(table->cells[0])) return;
    snprintf(table->cells[row][column], CELL, "%s", text);
    if (row >= table->rows) table->rows = row + 1;
    if (column >= table->columns) table->columns = column + 1;
}

static void set_number(struct table *table, unsigned row, unsigned column, const json_t *value,
                       int decimals) {
    char text[CELL] = "-";
    if (json_is_number(value)) snprintf(text, sizeof(text), "%.*f", decimals, json_number_value(value));
    set(table, row, column, text);
}

static void print(const struct table *table, FILE *out) {
    for (unsigned row = 0; row < table->rows; row++) {
        char line[1024] = "";
        for (unsigned column = 0; column < table->columns; column++) {
            int width = 0;
            for (unsigned i = 0; i < table->rows; i++) {
                int length = (int)strlen(table->cells[i][column]);
                if (length > width) width = length;
            }
            size_t used = strlen(line);
            snprintf(line + used, sizeof(line) - used, "%s%*s", column == 0 ? "  " : "   ",
                     table->left[column] ? -width : width, table->cells[row][column]);
        }
        for (size_t length = strlen(line); length > 0 && line[length - 1] == ' ';)
            line[--length] = '\0';
        fprintf(out, "%s\n", line);
    }
}

/* The events of all runs, each name once. */
static size_t collect_events(const json_t *result, const json_t *runs, const char **names, const char **whats,
                             double *times, size_t max) {
    size_t count = 0, index, event_index;
    json_t *run_name, *event;
    json_array_foreach(runs, index, run_name) {
        const json_t *run = json_object_get(result, json_string_value(run_name));
        json_array_foreach(json_object_get(run, "events"), event_index, event) {
            const char *name = json_string_value(json_object_get(event, "name"));
            size_t i = 0;
            while (i < count && strcmp(names[i], name) != 0)
                i++;
            if (i < count || count == max || json_object_get(event, "link") == NULL) continue;
            names[count] = name;
            whats[count] = json_string_value(json_object_get(event, "what"));
            times[count++] = json_number_value(json_object_get(event, "at_s"));
        }
    }
    return count;
}

static bool any_run_has(const json_t *result, const json_t *runs, const char *key) {
    size_t index;
    json_t *name;
    json_array_foreach(runs, index, name) {
        const json_t *value = json_object_get(json_object_get(result, json_string_value(name)), key);
        if (value != NULL && !json_is_null(value)) return true;
    }
    return false;
}

static const json_t *latencies(const json_t *run) {
    return json_object_get(json_object_get(run, "output"), "latency_ms");
}

static bool any_run_has_latencies(const json_t *result, const json_t *runs) {
    size_t index;
    json_t *name;
    json_array_foreach(runs, index, name) if (latencies(json_object_get(result, json_string_value(name))) !=
                                              NULL) return true;
    return false;
}

/* With many events, only the longest silence of all. */
static void set_longest_silence(struct table *table, unsigned row, unsigned column, const json_t *run) {
    const char *name;
    json_t *value, *longest = NULL;
    json_object_foreach(json_object_get(run, "silence_ms"), name,
                        value) if (longest == NULL || json_number_value(value) > json_number_value(longest))
        longest = value;
    set_number(table, row, column, longest, 0);
}

static void set_outcome(struct table *table, unsigned row, unsigned column, const json_t *run) {
    char text[CELL];
    double seconds = json_number_value(json_object_get(run, "seconds"));
    if (json_is_true(json_object_get(run, "completed")))
        snprintf(text, sizeof(text), "after %.1f s", seconds);
    else if (json_is_true(json_object_get(run, "timed_out")))
        snprintf(text, sizeof(text), "no: ended after %.0f s", seconds);
    else
        snprintf(text, sizeof(text), "%sexit status %lld",
                 json_is_true(json_object_get(run, "as_expected")) ? "" : "no: ",
                 (long long)json_integer_value(json_object_get(run, "exit_status")));
    set(table, row, column, text);
}

struct columns {
    const char *names[64], *whats[64];
    double times[64];
    size_t events;
    bool goodputs, latencies, hashes;
};

static unsigned set_head(struct table *table, const struct columns *columns) {
    unsigned column = 0;
    table->left[column] = true;
    set(table, 0, column++, "");
    if (columns->goodputs) {
        set(table, 0, column, "goodput");
        set(table, 1, column++, "Mb/s");
    }
    if (columns->latencies) {
        set(table, 0, column, "message, ms:");
        set(table, 1, column++, "median");
        set(table, 1, column++, "worst");
    }
    for (size_t i = 0; i < columns->events && columns->events <= EVENT_COLUMNS_MAX; i++) {
        char text[CELL];
        set(table, 0, column, "longest silence, ms:");
        if (i > 0) set(table, 0, column, "");
        snprintf(text, sizeof(text), "%.24s at %g s", columns->whats[i],
                 (double)(int)(columns->times[i] * 10 + 0.5) / 10);
        set(table, 1, column++, text);
    }
    if (columns->events > EVENT_COLUMNS_MAX) {
        set(table, 0, column, "longest");
        set(table, 1, column++, "silence, ms");
    }
    if (columns->hashes) set(table, 0, column++, "SHA-256");
    table->left[column] = true;
    set(table, 0, column, "completed");
    return column;
}

static void set_row(struct table *table, unsigned row, const struct columns *columns, const char *name,
                    const json_t *run) {
    unsigned column = 0;
    const char *title = json_string_value(json_object_get(run, "title"));
    set(table, row, column++, title != NULL ? title : name);
    if (columns->goodputs) set_number(table, row, column++, json_object_get(run, "goodput_mbps"), 1);
    if (columns->latencies) {
        set_number(table, row, column++, json_object_get(latencies(run), "p50"), 1);
        set_number(table, row, column++, json_object_get(latencies(run), "max"), 1);
    }
    for (size_t i = 0; i < columns->events && columns->events <= EVENT_COLUMNS_MAX; i++)
        set_number(table, row, column++,
                   json_object_get(json_object_get(run, "silence_ms"), columns->names[i]), 0);
    if (columns->events > EVENT_COLUMNS_MAX) set_longest_silence(table, row, column++, run);
    const json_t *equal = json_object_get(run, "sha256_equal");
    if (columns->hashes)
        set(table, row, column++, equal == NULL ? "-" : json_is_true(equal) ? "equal" : "differs");
    set_outcome(table, row, column, run);
}

void report_table(const json_t *result, FILE *out) {
    const json_t *lab = json_object_get(result, "lab"), *runs = json_object_get(lab, "runs");
    struct table *table = calloc(1, sizeof(*table));
    struct columns columns = {.goodputs = any_run_has(result, runs, "goodput_mbps"),
                              .latencies = any_run_has_latencies(result, runs),
                              .hashes = any_run_has(result, runs, "sha256_equal")};
    if (table == NULL) return;
    columns.events =
        collect_events(result, runs, columns.names, columns.whats, columns.times, ARRAY_COUNT(columns.names));
    set_head(table, &columns);
    size_t index;
    json_t *name;
    json_array_foreach(runs, index, name) {
        const char *text = json_string_value(name);
        set_row(table, (unsigned)index + 2, &columns, text, json_object_get(result, text));
    }
    const char *title = json_string_value(json_object_get(lab, "title"));
    fprintf(out, "\n%s\n\n", title != NULL ? title : "");
    print(table, out);
    fputc('\n', out);
    free(table);
}

/* ---- the call ---- */

static int bad_use(const char *what, const char *name) {
    fprintf(stderr, "braid: ");
    fprintf(stderr, what, name);
    fputc('\n', stderr);
    return BAD_USE;
}

/* The library quotes the file, whose line may end there. */
static void in_one_line(char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ') *text = ' ';
}

static json_t *load(const char *file) {
    json_error_t error;
    json_t *result = json_load_file(file, 0, &error);
    in_one_line(error.text);
    if (result == NULL && error.line > 0)
        fprintf(stderr, "%s:%d: this is not JSON: %s\n", file, error.line, error.text);
    else if (result == NULL)
        fprintf(stderr, "braid: the result %s cannot be read: %s\n", file, error.text);
    const char *wrong = result != NULL ? report_check(result) : NULL;
    if (wrong == NULL) return result;
    fprintf(stderr, "%s:1: this is no result of braid lab: %s\n", file, wrong);
    json_decref(result);
    return NULL;
}

int report_main(int argc, char **argv) {
    static const struct option options[] = {
        {"svg", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *svg = NULL;
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option != 's')
            return bad_use("braid report does not understand \"%s\" (see braid report --help)",
                           argv[optind - 1]);
        svg = optarg;
    }
    if (optind + 1 != argc) return bad_use("which result? (see braid report --help)%s", "");
    json_t *result = load(argv[optind]);
    if (result == NULL) return BAD_USE;
    report_table(result, stdout);
    int status = 0;
    if (svg != NULL && !report_svg(result, svg)) status = BAD_USE;
    json_decref(result);
    return status;
}
