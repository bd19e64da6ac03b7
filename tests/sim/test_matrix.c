/* Every middlebox, on every path, from every moment, in every direction (see matrix.h): all bytes arrive,
 * over MPTCP or after a clean fallback, wherever they would have arrived by TCP; never others, never silence.
 * The outcomes are those of docs/middleboxes.md.
 *
 *     sim_test_matrix             runs all and compares
 *     sim_test_matrix --write     writes the table anew
 *     sim_test_matrix --only BOX  runs one box and prints what comes of each case
 *     sim_test_matrix --tell BOX PATH MOMENT WAY [checksums] [plain]
 *                                 runs one case and prints packets and events */
#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#define TABLE "docs/middleboxes.md"

static unsigned faults;

static void complain(const struct matrix_case *which, const struct matrix_outcome *outcome,
                     const char *what) {
    faults++;
    printf("FAULT: ");
    matrix_print_case(stdout, which);
    printf(": %s: %s%s%s\n", matrix_outcome_text(outcome, which->path), what, outcome->fault != NULL ? ": " : "",
           outcome->fault != NULL ? outcome->fault : "");
}

static bool is_whole(const struct matrix_outcome *outcome) {
    return outcome->kind == MATRIX_MPTCP || outcome->kind == MATRIX_TCP || outcome->kind == MATRIX_ALTERED;
}

/* With all paths spoilt no fallback is left, for data was not contiguous on one: the connection goes, and
 * RSTs say why (RFC 8684 §3.7). */
static bool is_clean_reset(const struct matrix_case *which, const struct matrix_outcome *outcome) {
    return outcome->kind == MATRIX_RESET && which->box->may_reset && outcome->reasons & 1u << 6;
}

/* `plain`: what came of TCP with the same box. */
static void judge(const struct matrix_case *which, const struct matrix_outcome *outcome,
                  const struct matrix_outcome *plain) {
    bool may_be_wrong = which->box->changes_payload && (!which->checksum || which->plain);
    if (outcome->leaked_bytes != 0) complain(which, outcome, "memory was not given back");
    if (outcome->kind == MATRIX_WRONG) {
        if (!may_be_wrong) complain(which, outcome, "wrong bytes");
        return;
    }
    if (outcome->kind == MATRIX_SILENT) complain(which, outcome, "it is not over");
    if (is_whole(outcome) || which->plain || is_clean_reset(which, outcome)) return;
    /* The other path is as good as ever. */
    if (which->path == MATRIX_SECOND)
        complain(which, outcome, "the box is on the second path only");
    else if (is_whole(plain))
        complain(which, outcome, "TCP gets through");
}

static void run_case(struct matrix_results *results, const struct matrix_case *which, bool print) {
    struct matrix_outcome *outcome = &results->of[which->checksum][which->path][which->moment][which->way];
    if (which->plain) outcome = &results->plain[which->moment][which->way];
    if (!matrix_makes_sense(which)) return;
    *outcome = matrix_run(which);
    judge(which, outcome, &results->plain[which->moment][which->way]);
    if (!print) return;
    matrix_print_case(stdout, which);
    printf(": %s\n", matrix_outcome_text(outcome, which->path));
}

static void run_box(struct matrix_results *results, const struct matrix_box *box, bool print) {
    for (unsigned plain = 2; plain-- > 0;) /* TCP first: it is what the others are measured by */
        for (unsigned checksum = 0; checksum < 2 - plain; checksum++)
            for (unsigned path = 0; path < MATRIX_PATHS; path++)
                for (unsigned moment = 0; moment < MATRIX_MOMENTS; moment++)
                    for (unsigned way = 0; way < MATRIX_WAYS; way++)
                        run_case(results,
                                 &(struct matrix_case){box, (enum matrix_path)path,
                                                       (enum matrix_moment)moment, (enum matrix_way)way,
                                                       checksum, plain},
                                 print);
}

/* The first line in which two texts differ. */
static void show_difference(const char *is, const char *was) {
    while (*is != '\0' || *was != '\0') {
        size_t is_line = strcspn(is, "\n"), was_line = strcspn(was, "\n");
        if (is_line != was_line || memcmp(is, was, is_line) != 0) {
            printf("FAULT: %s differs; run sim_test_matrix --write if it should\n- %.*s\n+ %.*s\n", TABLE,
                   (int)was_line, was, (int)is_line, is);
            return;
        }
        is += is_line + (is[is_line] != '\0');
        was += was_line + (was[was_line] != '\0');
    }
}

static void compare(const char *text) {
    static char was[1 << 17];
    FILE *file = fopen(TABLE, "r");
    size_t length = file != NULL ? fread(was, 1, sizeof(was) - 1, file) : 0;
    if (file != NULL) fclose(file);
    was[length] = '\0';
    if (strcmp(text, was) == 0) return;
    faults++;
    show_difference(text, was);
}

static void write_table(const char *text) {
    FILE *file = fopen(TABLE, "w");
    if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0) {
        perror(TABLE);
        exit(1);
    }
}

static int tell(int argc, char **argv) {
    struct matrix_case which;
    if (argc < 6 || !matrix_parse_case(&which, argv[2], argv[3], argv[4], argv[5])) {
        fprintf(stderr, "sim_test_matrix --tell BOX first|second|both|only begin|join|middle|end up|down|'each "
                        "way' [checksums] [plain]\n");
        return 2;
    }
    which.told = true;
    for (int i = 6; i < argc; i++)
        *(strcmp(argv[i], "plain") == 0 ? &which.plain : &which.checksum) = true;
    struct matrix_outcome outcome = matrix_run(&which);
    printf("%s\n", matrix_outcome_text(&outcome, which.path));
    return 0;
}

int main(int argc, char **argv) {
    static struct matrix_results results[64];
    if (argc > 1 && strcmp(argv[1], "--tell") == 0) return tell(argc, argv);
    const char *only = argc == 3 && strcmp(argv[1], "--only") == 0 ? argv[2] : NULL;
    bool write = argc == 2 && strcmp(argv[1], "--write") == 0;
    if (argc > 1 && only == NULL && !write) {
        fprintf(stderr, "usage: sim_test_matrix [--write | --only BOX | --tell CASE]\n");
        return 2;
    }
    for (unsigned i = 0; i < matrix_box_count; i++)
        if (only == NULL || strcmp(only, matrix_boxes[i].name) == 0)
            run_box(&results[i], &matrix_boxes[i], only != NULL);
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL) return 1;
    matrix_write(memory, results);
    fclose(memory);
    if (write)
        write_table(text);
    else if (only == NULL)
        compare(text);
    free(text);
    printf("%u faults\n", faults);
    return faults > 0 ? 1 : 0;
}
