/* The matrix again with each of the other options in play (enum matrix_manner): nothing comes of it that should not, and
 * the outcomes are those of docs/middleboxes-options.md.
 *
 *     sim_test_matrix_options            runs all and compares
 *     sim_test_matrix_options --write    writes the table anew */
#include "matrix.h"

#include <stdlib.h>
#include <string.h>

#define TABLE "docs/middleboxes-options.md"
enum { BOXES_MAX = 64 };

static unsigned faults;

static void run_case(struct matrix_results *results, const struct matrix_case *which) {
    struct matrix_outcome *outcome = &results->of[which->checksum][which->path][which->moment][which->way];
    const struct matrix_outcome *plain = &results->plain[which->moment][which->way];
    if (which->plain) outcome = &results->plain[which->moment][which->way];
    if (!matrix_makes_sense(which) || !matrix_is_widest(which)) return;
    *outcome = matrix_run(which);
    const char *what = matrix_complaint(which, outcome, plain);
    if (what == NULL) return;
    faults++;
    matrix_complain(which, outcome, what);
}

static void run_box(struct matrix_results *results, const struct matrix_box *box, enum matrix_manner manner) {
    struct matrix_case which = {.box = box, .manner = manner};
    for (unsigned plain = 2; plain-- > 0;) /* TCP first: it is what the others are measured by */
        for (unsigned checksum = 0; checksum < 2 - plain; checksum++)
            for (unsigned path = 0; path < MATRIX_PATHS; path++)
                for (unsigned moment = 0; moment < MATRIX_MOMENTS; moment++)
                    for (unsigned way = 0; way < MATRIX_WAYS; way++) {
                        which.plain = plain != 0;
                        which.checksum = checksum != 0;
                        which.path = (enum matrix_path)path;
                        which.moment = (enum matrix_moment)moment;
                        which.way = (enum matrix_way)way;
                        run_case(results, &which);
                    }
}

/* Nothing is shown by options that are not used: a box that does no harm leaves them in peace. */
static void expect_used(enum matrix_manner manner) {
    struct matrix_case which;
    ENSURE(matrix_parse_case(&which, "NAT", "second", "end", "each way"));
    which.manner = manner;
    struct matrix_outcome outcome = matrix_run(&which);
    if (outcome.used) return;
    faults++;
    matrix_complain(&which, &outcome, "what is to be in play is not");
}

int main(int argc, char **argv) {
    static struct matrix_results results[MATRIX_MANNERS][BOXES_MAX];
    struct matrix_results *manners[MATRIX_MANNERS];
    bool write = argc == 2 && strcmp(argv[1], "--write") == 0;
    if (argc > 1 && !write) {
        fprintf(stderr, "usage: sim_test_matrix_options [--write]\n");
        return 2;
    }
    ENSURE(matrix_box_count <= BOXES_MAX);
    for (unsigned manner = 0; manner < MATRIX_MANNERS; manner++) {
        manners[manner] = results[manner];
        expect_used((enum matrix_manner)manner);
        for (unsigned i = 0; i < matrix_box_count; i++) run_box(&results[manner][i], &matrix_boxes[i], (enum matrix_manner)manner);
    }
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL) return 1;
    matrix_write_manners(memory, manners);
    fclose(memory);
    faults += !matrix_keep(text, TABLE, write);
    free(text);
    printf("%u faults\n", faults);
    return faults > 0 ? 1 : 0;
}
