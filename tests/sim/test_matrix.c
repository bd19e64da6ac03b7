/* Every middlebox, on every path, from every moment, in every direction (see matrix.h): all bytes arrive,
 * over MPTCP or after a clean fallback, wherever they would have arrived by TCP; never others, never silence.
 * The outcomes are those of docs/middleboxes.md.
 *
 *     sim_test_matrix             runs all and compares
 *     sim_test_matrix --write     writes the table anew
 *     sim_test_matrix --only BOX  runs one box and prints what comes of each case
 *     sim_test_matrix --tell BOX PATH MOMENT WAY [checksums] [plain] [MANNER]
 *                                 runs one case and prints packets and events; manners are those of
 *                                 docs/middleboxes-options.md */
#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#define TABLE "docs/middleboxes.md"

static unsigned faults;

static void judge(const struct matrix_case *which, const struct matrix_outcome *outcome,
                  const struct matrix_outcome *plain) {
    const char *what = matrix_complaint(which, outcome, plain);
    if (what == NULL) return;
    faults++;
    matrix_complain(which, outcome, what);
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
                                 &(struct matrix_case){.box = box,
                                                       .path = (enum matrix_path)path,
                                                       .moment = (enum matrix_moment)moment,
                                                       .way = (enum matrix_way)way,
                                                       .checksum = checksum,
                                                       .plain = plain},
                                 print);
}

static int tell(int argc, char **argv) {
    struct matrix_case which;
    if (argc < 6 || !matrix_parse_case(&which, argv[2], argv[3], argv[4], argv[5])) {
        fprintf(stderr, "sim_test_matrix --tell BOX first|second|both|only begin|join|middle|end up|down|'each "
                        "way' [checksums] [plain] [MANNER]\n");
        return 2;
    }
    which.told = true;
    for (int i = 6; i < argc; i++) {
        which.plain |= strcmp(argv[i], "plain") == 0;
        which.checksum |= strcmp(argv[i], "checksums") == 0;
        for (unsigned manner = 0; manner < MATRIX_MANNERS; manner++)
            if (strcmp(argv[i], matrix_manner_name((enum matrix_manner)manner)) == 0) which.manner = (enum matrix_manner)manner;
    }
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
    if (only == NULL) faults += !matrix_keep(text, TABLE, write);
    free(text);
    printf("%u faults\n", faults);
    return faults > 0 ? 1 : 0;
}
