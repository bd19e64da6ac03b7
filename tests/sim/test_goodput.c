/* Goodput over lossy and long paths, for each congestion control: docs/goodput.md is generated from what is
 * measured here, and each of its figures is a lower bound from then on (less TOLERANCE).
 *
 *     sim_test_goodput            measures, compares, fails where something became worse
 *     sim_test_goodput --write    measures, writes the table
 *     sim_test_goodput --json FILE    measures, compares, writes the same figures as JSON
 *
 * One download by plain TCP through a link of 20 Mb/s; and two of them, for how they share. */
#include "sim_test.h"

#include <sim/link.h>
#include <sim/middlebox.h>

#define TABLE "docs/goodput.md"
#define RATE_BPS 20000000

enum { SECONDS = 20, START_SECONDS = 5, TOLERANCE = 5, CONTROLS = 4, COUPLED = 3, CELLS_MAX = 8, REORDER_SEEDS = 4 };

static const char *const controls[CONTROLS] = {"newreno", "cubic", "bbr", "bbr1"};
static const char *const coupled_controls[COUPLED] = {"lia", "olia", "balia"};

/* What a link is like; a row of a table varies one of these. */
struct course {
    unsigned rtt_ms;
    double loss, reorder; /* probabilities */
    double queue_bdp;
};

static struct sim_phone_config phone_of(const struct course *course, uint64_t seed) {
    double queue_ns = course->queue_bdp * course->rtt_ms * (double)MS;
    double least_ns = 8.0 * 2 * 1500 * 1e9 / RATE_BPS; /* two packets: fewer is no queue */
    if (queue_ns < least_ns) queue_ns = least_ns;
    return (struct sim_phone_config){.world = {.seed = seed},
                                     .client = {.receive_buffer_max_bytes = 64u << 20},
                                     .server = {.send_buffer_bytes = 64u << 20},
                                     .paths = {{.rate_bps = RATE_BPS,
                                                .rtt_ns = course->rtt_ms * MS,
                                                .queue_ns = (braid_time)queue_ns,
                                                .loss = course->loss}},
                                     .path_count = 1};
}

static void course_begin(struct sim_phone *phone, const struct course *course, uint64_t seed) {
    struct sim_phone_config config = phone_of(course, seed);
    sim_phone_init(phone, &config);
    struct sim_noise_config noise = {.reorder = course->reorder, .reorder_ns = course->rtt_ms * MS / 4};
    if (course->reorder > 0) sim_link_append(phone->links[0], sim_noise(phone->world, &noise));
}

static struct sim_conversation *download(struct sim_phone *phone, const char *control) {
    struct sim_conversation_config talk = {
        .plain_client = true, .congestion = control, .streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
    return sim_phone_talk(phone, &talk);
}

/* Percent of the link that `count` downloads get together after their start, and Jain's index of their
 * shares. */
static double goodput_percent(const struct course *course, const char *const *names, unsigned count,
                              uint64_t seed, unsigned seconds, double *jain) {
    struct sim_phone phone;
    struct sim_conversation *c[2];
    double share[2], sum = 0, squares = 0;
    uint64_t before[2];
    struct sim_stream_result r;
    course_begin(&phone, course, seed);
    braid_time began = sim_world_now(phone.world);
    for (unsigned i = 0; i < count; i++) {
        c[i] = download(&phone, names[i]);
        sim_world_run(phone.world, began + (i + 1) * seed * 37 * MS);
    }
    braid_time measured = began + START_SECONDS * S;
    sim_world_run(phone.world, measured);
    for (unsigned i = 0; i < count; i++) {
        sim_conversation_result(c[i], SIM_DOWN, &r);
        before[i] = r.read;
    }
    sim_world_run(phone.world, measured + seconds * S);
    for (unsigned i = 0; i < count; i++) {
        sim_conversation_result(c[i], SIM_DOWN, &r);
        share[i] = (double)(r.read - before[i]) * 8;
        sum += share[i];
        squares += share[i] * share[i];
        assert_null(sim_conversation_fault(c[i]));
    }
    if (jain != NULL) *jain = squares > 0 ? sum * sum / ((double)count * squares) : 0;
    phone_end(&phone);
    return sum * 100 / (double)RATE_BPS / seconds;
}

/* --- the tables --- */

struct table {
    const char *title, *heads[CELLS_MAX + 1];
    struct course courses[CELLS_MAX];
    bool coupled; /* the coupled controls, alone, in place of the others */
};

static const struct table tables[] = {
    {"Loss, at a round trip of 50 ms and a queue of one bandwidth-delay product",
     {"0 %", "0.01 %", "0.1 %", "0.5 %", "1 %", "2 %", "5 %"},
     {{50, 0, 0, 1},
      {50, .0001, 0, 1},
      {50, .001, 0, 1},
      {50, .005, 0, 1},
      {50, .01, 0, 1},
      {50, .02, 0, 1},
      {50, .05, 0, 1}}},
    {"Loss of 0.1 %, by round trip",
     {"1 ms", "10 ms", "30 ms", "100 ms", "200 ms", "600 ms"},
     {{1, .001, 0, 1},
      {10, .001, 0, 1},
      {30, .001, 0, 1},
      {100, .001, 0, 1},
      {200, .001, 0, 1},
      {600, .001, 0, 1}}},
    {"No loss, by round trip",
     {"1 ms", "10 ms", "30 ms", "100 ms", "200 ms", "600 ms"},
     {{1, 0, 0, 1}, {10, 0, 0, 1}, {30, 0, 0, 1}, {100, 0, 0, 1}, {200, 0, 0, 1}, {600, 0, 0, 1}}},
    {"Queue, in bandwidth-delay products, at 50 ms",
     {"0.1", "0.25", "0.5", "1", "2", "4"},
     {{50, 0, 0, .1}, {50, 0, 0, .25}, {50, 0, 0, .5}, {50, 0, 0, 1}, {50, 0, 0, 2}, {50, 0, 0, 4}}},
    {"Reordered packets, by up to a quarter of the round trip of 50 ms",
     {"0 %", "0.1 %", "1 %", "5 %", "20 %"},
     {{50, 0, 0, 1}, {50, 0, .001, 1}, {50, 0, .01, 1}, {50, 0, .05, 1}, {50, 0, .2, 1}}},
    {"The coupled controls, alone: loss of 0, 0.1 and 1 % at 50 ms, none at 200 ms, and a queue of a quarter "
     "at 50 ms",
     {"0 %", "0.1 %", "1 %", "200 ms", "0.25"},
     {{50, 0, 0, 1}, {50, .001, 0, 1}, {50, .01, 0, 1}, {200, 0, 0, 1}, {50, 0, 0, .25}},
     .coupled = true},
};
enum { TABLES = sizeof(tables) / sizeof(tables[0]) };

static unsigned table_columns(const struct table *table) {
    unsigned n = 0;
    while (n < CELLS_MAX && table->heads[n] != NULL)
        n++;
    return n;
}

enum { ROWS_MAX = 64 };

/* What was measured, row by row as it is written, and what stood there before. */
struct figures {
    int percent[ROWS_MAX][CELLS_MAX];
    unsigned columns[ROWS_MAX], rows;
    const char *titles[ROWS_MAX], *names[ROWS_MAX]; /* of what was measured */
    const char *const *heads[ROWS_MAX];
    const char *title;
    const char *const *title_heads;
};

static void write_row(FILE *out, struct figures *figures, const char *name, const int *cells,
                      unsigned columns) {
    fprintf(out, "| %s |", name);
    for (unsigned i = 0; i < columns; i++) {
        figures->percent[figures->rows][i] = cells[i];
        fprintf(out, " %d |", cells[i]);
    }
    fprintf(out, "\n");
    figures->titles[figures->rows] = figures->title;
    figures->heads[figures->rows] = figures->title_heads;
    figures->names[figures->rows] = name;
    figures->columns[figures->rows++] = columns;
}

static void write_heads(FILE *out, struct figures *figures, const char *title, const char *corner, const char *const *heads,
                        unsigned columns) {
    figures->title = title;
    figures->title_heads = heads;
    fprintf(out, "\n## %s\n\n| %s |", title, corner);
    for (unsigned i = 0; i < columns; i++)
        fprintf(out, " %s |", heads[i]);
    fprintf(out, "\n|---|");
    for (unsigned i = 0; i < columns; i++)
        fprintf(out, "---|");
    fprintf(out, "\n");
}

static void measure_table(FILE *out, struct figures *figures, const struct table *table) {
    unsigned columns = table_columns(table);
    write_heads(out, figures, table->title, "% of the link", table->heads, columns);
    const char *const *names = table->coupled ? coupled_controls : controls;
    for (unsigned k = 0; k < (table->coupled ? COUPLED : CONTROLS); k++) {
        int cells[CELLS_MAX];
        for (unsigned i = 0; i < columns; i++) {
            const struct course *course = &table->courses[i];
            uint64_t seeds = course->reorder > 0 ? REORDER_SEEDS : 1; /* where much depends on chance */
            double sum = 0;
            for (uint64_t seed = 1; seed <= seeds; seed++)
                sum += goodput_percent(course, &names[k], 1, seed, SECONDS, NULL);
            cells[i] = (int)(sum / (double)seeds + .5);
        }
        write_row(out, figures, names[k], cells, columns);
    }
}

/* Two of a kind, a second or so apart: Jain's index, in percent, of the minute after. */
static void measure_fairness(FILE *out, struct figures *figures) {
    static const char *const heads[] = {"10 ms", "50 ms", "200 ms"};
    static const struct course courses[] = {{10, 0, 0, 1}, {50, 0, 0, 1}, {200, 0, 0, 1}};
    write_heads(out, figures, "Two downloads of a kind: Jain's index of their shares, times 100", "of 100", heads, 3);
    for (unsigned k = 0; k < CONTROLS; k++) {
        const char *const names[] = {controls[k], controls[k]};
        int cells[3];
        for (unsigned i = 0; i < 3; i++) {
            double jain = 0;
            for (uint64_t seed = 1; seed <= 3; seed++) {
                double one;
                goodput_percent(&courses[i], names, 2, seed, 60, &one);
                jain += one / 3;
            }
            cells[i] = (int)(jain * 100 + .5);
        }
        write_row(out, figures, controls[k], cells, 3);
    }
}

static void write_text(FILE *out, struct figures *figures) {
    fprintf(out,
            "# Goodput of plain TCP over lossy and long paths\n\n"
            "Measured in virtual time by tests/sim/test_goodput.c, which writes this file (`sim_test_goodput "
            "--write`)\n"
            "and fails when a figure is more than %d lower than it stands here. A link of %d Mb/s; %d s "
            "after the first %d.\n"
            "Headers take 3.5 %% of it.\n",
            TOLERANCE, RATE_BPS / 1000000, SECONDS, START_SECONDS);
    for (unsigned i = 0; i < TABLES; i++)
        measure_table(out, figures, &tables[i]);
    measure_fairness(out, figures);
}

static bool begins_with_one_of(const char *line, const char *const *names, unsigned count) {
    for (unsigned k = 0; k < count; k++)
        if (line[0] == '|' && strncmp(line + 2, names[k], strlen(names[k])) == 0) return true;
    return false;
}

/* The figures of the file as it stands: rows whose first cell is the name of a congestion control. */
static void read_figures(struct figures *figures) {
    char line[512];
    FILE *file = fopen(TABLE, "r");
    if (file == NULL) {
        perror(TABLE);
        exit(1);
    }
    while (fgets(line, sizeof(line), file) != NULL && figures->rows < ROWS_MAX) {
        if (!begins_with_one_of(line, controls, CONTROLS) && !begins_with_one_of(line, coupled_controls, COUPLED)) continue;
        unsigned n = 0;
        strtok(line, "|");
        for (char *cell; n < CELLS_MAX && (cell = strtok(NULL, "|\n")) != NULL; n++)
            figures->percent[figures->rows][n] = atoi(cell);
        figures->columns[figures->rows++] = n;
    }
    fclose(file);
}

static unsigned compare(const struct figures *was, const struct figures *is) {
    unsigned faults = was->rows != is->rows;
    if (faults > 0) printf("FAULT: %s has %u rows, not %u\n", TABLE, was->rows, is->rows);
    for (unsigned row = 0; row < is->rows && row < was->rows; row++)
        for (unsigned i = 0; i < is->columns[row]; i++) {
            int before = was->percent[row][i], now = is->percent[row][i];
            if (now >= before - TOLERANCE) continue;
            faults++;
            printf("FAULT: row %u, column %u was %d, is %d\n", row + 1, i + 1, before, now);
        }
    return faults;
}

/* A line for each row of each table: its title, the control, and what was measured where. */
static bool write_json(const struct figures *figures, const char *path) {
    FILE *file = fopen(path, "w");
    if (file == NULL) return false;
    for (unsigned row = 0; row < figures->rows; row++) {
        fprintf(file, "%s{\"table\": \"%s\", \"congestion\": \"%s\", \"cells\": [", row == 0 ? "[\n" : ",\n",
                figures->titles[row], figures->names[row]);
        for (unsigned i = 0; i < figures->columns[row]; i++)
            fprintf(file, "%s{\"at\": \"%s\", \"percent\": %d}", i == 0 ? "" : ", ", figures->heads[row][i],
                    figures->percent[row][i]);
        fprintf(file, "]}");
    }
    fprintf(file, "\n]\n");
    return fclose(file) == 0;
}

int main(int argc, char **argv) {
    static struct figures was, is;
    bool write = argc == 2 && strcmp(argv[1], "--write") == 0;
    const char *json = argc == 3 && strcmp(argv[1], "--json") == 0 ? argv[2] : NULL;
    if (argc > 1 && !write && json == NULL) {
        fprintf(stderr, "usage: sim_test_goodput [--write | --json FILE]\n");
        return 2;
    }
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL) return 1;
    write_text(memory, &is);
    fclose(memory);
    unsigned faults = 0;
    if (json != NULL && !write_json(&is, json)) {
        perror(json);
        return 1;
    }
    if (write) {
        FILE *file = fopen(TABLE, "w");
        if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
            perror(TABLE);
            return 1;
        }
    } else {
        read_figures(&was);
        faults = compare(&was, &is);
        if (faults > 0) printf("%s", text);
    }
    free(text);
    printf("%u faults\n", faults);
    return faults > 0 ? 1 : 0;
}
