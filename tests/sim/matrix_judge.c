/* What may come of a case and what never, and tables that are kept in files. */
#include "matrix.h"

#include <string.h>

static bool is_whole(const struct matrix_outcome *outcome) {
    return outcome->kind == MATRIX_MPTCP || outcome->kind == MATRIX_TCP || outcome->kind == MATRIX_ALTERED;
}

/* With all paths spoilt no fallback is left, for data was not contiguous on one: the connection goes, and RSTs say why
 * (RFC 8684 §3.7). Version 0 has no option to say it by. */
static bool is_clean_reset(const struct matrix_case *which, const struct matrix_outcome *outcome) {
    return outcome->kind == MATRIX_RESET && which->box->may_reset &&
           (which->manner == MATRIX_VERSION_0 || outcome->reasons & 1u << 6);
}

const char *matrix_complaint(const struct matrix_case *which, const struct matrix_outcome *outcome,
                             const struct matrix_outcome *plain) {
    bool may_be_wrong = which->box->changes_payload && (!which->checksum || which->plain);
    if (outcome->leaked_bytes != 0) return "memory was not given back";
    if (outcome->kind == MATRIX_WRONG) return may_be_wrong ? NULL : "wrong bytes";
    if (outcome->kind == MATRIX_SILENT) return "it is not over";
    if (is_whole(outcome) || which->plain || is_clean_reset(which, outcome)) return NULL;
    /* The other path is as good as ever. */
    if (which->path == MATRIX_SECOND) return "the box is on the second path only";
    return is_whole(plain) ? "TCP gets through" : NULL;
}

void matrix_complain(const struct matrix_case *which, const struct matrix_outcome *outcome, const char *what) {
    printf("FAULT: ");
    matrix_print_case(stdout, which);
    printf(": %s: %s%s%s\n", matrix_outcome_text(outcome, which->path), what, outcome->fault != NULL ? ": " : "",
           outcome->fault != NULL ? outcome->fault : "");
}

static void show_difference(const char *file, const char *is, const char *was) {
    while (*is != '\0' || *was != '\0') {
        size_t is_line = strcspn(is, "\n"), was_line = strcspn(was, "\n");
        if (is_line != was_line || memcmp(is, was, is_line) != 0) {
            printf("FAULT: %s differs; run this test with --write if it should\n- %.*s\n+ %.*s\n", file, (int)was_line, was,
                   (int)is_line, is);
            return;
        }
        is += is_line + (is[is_line] != '\0');
        was += was_line + (was[was_line] != '\0');
    }
}

bool matrix_keep(const char *text, const char *name, bool write) {
    static char was[1 << 17];
    FILE *file = fopen(name, write ? "w" : "r");
    if (write) {
        bool done = file != NULL && fputs(text, file) >= 0;
        if (file == NULL || fclose(file) != 0 || !done) perror(name);
        return done;
    }
    size_t length = file != NULL ? fread(was, 1, sizeof(was) - 1, file) : 0;
    if (file != NULL) fclose(file);
    was[length] = '\0';
    if (strcmp(text, was) == 0) return true;
    show_difference(name, text, was);
    return false;
}
