/* Outcomes as words, and docs/middleboxes.md. */
#include "matrix.h"

#include <string.h>
#include <wire/mptcp_option.h>

static const char *const path_names[] = {"first", "second", "both", "only"};
static const char *const moment_names[] = {"begin", "join", "middle", "end"};
static const char *const way_names[] = {"up", "down", "each way"};
static const char *const manner_names[MATRIX_MANNERS] = {"usual",   "version 0",  "Fast Open", "cookies",
                                                         "priorities", "addresses", "IPv6"};
static const char *const manner_texts[MATRIX_MANNERS] = {
    "", "both ends speak RFC 6824 only.",
    "the first bytes go with the SYN, by a cookie that a connection before has got (RFC 7413; RFC 8684, appendix B).",
    "the server keeps nothing before the third ACK, not even its key.",
    "the second subflow is backup (the B of its MP_JOIN); in the middle it becomes regular and the first backup, by MP_PRIO.",
    ("the server announces a second address by ADD_ADDR, which is joined over both paths; in the middle the phone's second address\n"
     "  gives way to another, so that there is a REMOVE_ADDR, and joins by a new address ID."),
    "everything by IPv6."};

enum { TEXT_ROOM = 256 };

void matrix_print_case(FILE *out, const struct matrix_case *which) {
    fprintf(out, "%s: path %s, from %s, %s, %s%s%s", which->box->name, path_names[which->path],
            moment_names[which->moment], way_names[which->way], manner_names[which->manner],
            which->checksum ? ", checksums" : "", which->plain ? ", plain TCP" : "");
}

const char *matrix_manner_name(enum matrix_manner manner) { return manner_names[manner]; }

static unsigned place_of(const char *name, const char *const *names, unsigned count) {
    unsigned i = 0;
    while (i < count && strcmp(name, names[i]) != 0)
        i++;
    return i;
}

bool matrix_parse_case(struct matrix_case *out, const char *box, const char *path, const char *moment,
                       const char *way) {
    unsigned i = 0;
    while (i < matrix_box_count && strcmp(box, matrix_boxes[i].name) != 0)
        i++;
    *out = (struct matrix_case){.box = &matrix_boxes[i],
                                .path = (enum matrix_path)place_of(path, path_names, MATRIX_PATHS),
                                .moment = (enum matrix_moment)place_of(moment, moment_names, MATRIX_MOMENTS),
                                .way = (enum matrix_way)place_of(way, way_names, MATRIX_WAYS)};
    return i < matrix_box_count && out->path < MATRIX_PATHS && out->moment < MATRIX_MOMENTS &&
           out->way < MATRIX_WAYS;
}

const char *matrix_outcome_text(const struct matrix_outcome *outcome, enum matrix_path path) {
    switch (outcome->kind) {
    case MATRIX_NONE: return "";
    case MATRIX_MPTCP: return outcome->joined || path == MATRIX_ONLY ? "MPTCP" : "no join";
    case MATRIX_TCP: return "TCP";
    case MATRIX_ALTERED: return "altered";
    case MATRIX_RESET: return outcome->reasons & 1u << MPTCP_RESET_MIDDLEBOX ? "reset 6" : "reset";
    case MATRIX_GIVEN_UP: return "given up";
    case MATRIX_SILENT: return "silence";
    case MATRIX_WRONG: return "wrong bytes";
    }
    return "?";
}

/* What is equal is said once: "a" for all, or "up, down: a; each way: b". Names without text are left out. */
static void group(char *out, size_t room, const char *const *names, char texts[][TEXT_ROOM], unsigned count) {
    bool said[8] = {false};
    unsigned distinct = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < count; i++) {
        bool known = texts[i][0] == '\0';
        for (unsigned j = 0; j < i; j++)
            known |= strcmp(texts[i], texts[j]) == 0;
        distinct += !known;
    }
    for (unsigned i = 0; i < count; i++) {
        if (texts[i][0] == '\0' || said[i]) continue;
        if (distinct == 1) {
            snprintf(out, room, "%s", texts[i]);
            return;
        }
        const char *separator = out[0] != '\0' ? "; " : "";
        for (unsigned j = i; j < count; j++) {
            if (strcmp(texts[i], texts[j]) != 0) continue;
            said[j] = true;
            snprintf(out + strlen(out), room - strlen(out), "%s%s", separator, names[j]);
            separator = ", ";
        }
        snprintf(out + strlen(out), room - strlen(out), ": %s", texts[i]);
    }
}

static void ways_text(char *text, const struct matrix_outcome of[MATRIX_WAYS], enum matrix_path path) {
    char texts[MATRIX_WAYS][TEXT_ROOM];
    for (unsigned way = 0; way < MATRIX_WAYS; way++)
        snprintf(texts[way], TEXT_ROOM, "%s", matrix_outcome_text(&of[way], path));
    group(text, TEXT_ROOM, way_names, texts, MATRIX_WAYS);
}

static void cell_text(char *text, size_t room, const struct matrix_outcome of[MATRIX_MOMENTS][MATRIX_WAYS],
                      enum matrix_path path) {
    char texts[MATRIX_MOMENTS][TEXT_ROOM];
    for (unsigned moment = 0; moment < MATRIX_MOMENTS; moment++) {
        ways_text(texts[moment], of[moment], path);
        if (strchr(texts[moment], ':') != NULL) { /* "begin: (up: a; down: b)" */
            char inner[TEXT_ROOM];
            memcpy(inner, texts[moment], TEXT_ROOM);
            snprintf(texts[moment], TEXT_ROOM, "(%.*s)", TEXT_ROOM - 3, inner);
        }
    }
    group(text, room, moment_names, texts, MATRIX_MOMENTS);
}

enum { ROW_ROOM = 4096 };

static void row_text(char *row, const struct matrix_results *results, bool checksum) {
    char text[4 * TEXT_ROOM];
    row[0] = '\0';
    for (unsigned path = 0; path < MATRIX_PATHS; path++) {
        cell_text(text, sizeof(text), results->of[checksum][path], (enum matrix_path)path);
        snprintf(row + strlen(row), ROW_ROOM - strlen(row), " %s |", text);
    }
}

static void write_box(FILE *out, const struct matrix_box *box, const struct matrix_results *results) {
    char rows[2][ROW_ROOM], plain[4 * TEXT_ROOM];
    row_text(rows[0], results, false);
    row_text(rows[1], results, true);
    cell_text(plain, sizeof(plain), results->plain, MATRIX_ONLY);
    bool two = strcmp(rows[0], rows[1]) != 0;
    fprintf(out, "| %s%s |%s %s |\n", box->name, two ? ", no checksums" : "", rows[0], plain);
    if (two) fprintf(out, "| %s, checksums |%s |\n", box->name, rows[1]);
}

/* clang-format off */
static const char head[] =
    "# Middleboxes\n"
    "\n"
    "What becomes of a connection of braid with braid when one of the boxes below stands on the first of its two paths, on\n"
    "the second, on both; or on the only one, where the client joins no second. Both sides write 1 MB, read it, and then end\n"
    "their streams. Written by `sim_test_matrix --write`, and compared by the same test with what it finds. Each case was\n"
    "run with and without DSS checksums; where that makes a difference there are two rows. The same with version 0, Fast Open, SYN\n"
    "cookies, backup subflows, announced and changing addresses, and IPv6: [all options](middleboxes-options.md).\n"
    "\n"
    "- **MPTCP**: every byte and both ends arrived, over MPTCP, by whatever subflows were left.\n"
    "- **no join**: the same, but no second subflow came about.\n"
    "- **TCP**: every byte and both ends arrived, after fallback to TCP on one path.\n"
    "- **altered**: the same, but the bytes have the change that the box made: DSS checksums found it while there was only\n"
    "  one subflow, and from there on the stream is what it would have been over TCP, as RFC 8684 §3.7 has it.\n"
    "- **reset**: the applications were told of a reset; what they had read until then was right. **reset 6**: with that\n"
    "  reason in MP_TCPRST, a middlebox (RFC 8684 §3.6).\n"
    "- **given up**: nothing came through any more, and after a quarter of an hour they were told so, as with TCP.\n"
    "- **wrong bytes**: an application read bytes that nobody wrote. Only without DSS checksums.\n"
    "\n"
    "A box begins its work at the **begin**, before the first SYN; at the **join**, when the first subflow is\n"
    "established and the second is not; in the **middle** of the data; at the **end**, when all data has been read and\n"
    "neither stream has been ended. It acts on what goes **up** (from the client), **down**, or **each way**. What is\n"
    "equal for all of them is said once. The last column is plain TCP over the first path alone: where that fails too, no\n"
    "more is asked of a connection that has no other path. Where it does not, a reset is right only with reason 6: options\n"
    "were lost in the midst, or checksums failed, on all there was, and RFC 8684 §3.7 leaves no fallback but with the first\n"
    "subflow alone, whose data is contiguous.\n"
    "\n"
    "| box | first path | second path | both | only path | TCP |\n"
    "|---|---|---|---|---|---|\n";
/* clang-format on */

void matrix_write(FILE *out, const struct matrix_results *results) {
    fputs(head, out);
    for (unsigned i = 0; i < matrix_box_count; i++) write_box(out, &matrix_boxes[i], &results[i]);
    fputs("\n## The boxes\n\n", out);
    for (unsigned i = 0; i < matrix_box_count; i++)
        fprintf(out, "- **%s**: %s\n", matrix_boxes[i].name, matrix_boxes[i].what);
}

/* --- other options --- */

/* clang-format off */
static const char manners_head[] =
    "# Middleboxes, and all options\n"
    "\n"
    "The matrix of [middleboxes](middleboxes.md) again, with more of the protocol in play. Written by\n"
    "`sim_test_matrix_options --write`, and compared by the same test with what it finds. Each box acts in all directions that it can\n"
    "(each way, or up and then down), with and without DSS checksums.\n"
    "\n";
/* clang-format on */

/* Version 0 has no option to give a reason by. */
static bool equal_outcomes(const struct matrix_outcome *usual, const struct matrix_outcome *here, const struct matrix_case *which) {
    bool unsaid = which->manner == MATRIX_VERSION_0 && usual->kind == MATRIX_RESET && here->kind == MATRIX_RESET;
    return unsaid || strcmp(matrix_outcome_text(usual, which->path), matrix_outcome_text(here, which->path)) == 0;
}

struct difference {
    bool is;
    const char *without, *with;
};

static struct difference difference_of(const struct matrix_case *which, const struct matrix_results *usual,
                                       const struct matrix_results *here) {
    const struct matrix_outcome *is = &here->of[which->checksum][which->path][which->moment][which->way];
    const struct matrix_outcome *was = &usual->of[which->checksum][which->path][which->moment][which->way];
    return (struct difference){is->kind != MATRIX_NONE && !equal_outcomes(was, is, which), matrix_outcome_text(was, which->path),
                               matrix_outcome_text(is, which->path)};
}

static bool same(const struct difference *a, const struct difference *b) {
    return a->is && b->is && strcmp(a->with, b->with) == 0 && strcmp(a->without, b->without) == 0;
}

static void write_difference(FILE *out, const struct matrix_case *which, const char *checksums, const struct difference *d) {
    if (!d->is) return;
    fprintf(out, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", manner_names[which->manner], which->box->name,
            path_names[which->path], moment_names[which->moment], way_names[which->way], checksums, d->without, d->with);
}

struct tally {
    unsigned cases, equal;
};

/* `out` may be NULL. */
static struct tally compare_box(FILE *out, struct matrix_case which, const struct matrix_results *usual,
                                const struct matrix_results *here) {
    struct tally tally = {0, 0};
    for (unsigned path = 0; path < MATRIX_PATHS; path++)
        for (unsigned moment = 0; moment < MATRIX_MOMENTS; moment++)
            for (unsigned way = 0; way < MATRIX_WAYS; way++) {
                struct difference differences[2];
                which.path = (enum matrix_path)path;
                which.moment = (enum matrix_moment)moment;
                which.way = (enum matrix_way)way;
                for (unsigned checksum = 0; checksum < 2; checksum++) {
                    which.checksum = checksum != 0;
                    differences[checksum] = difference_of(&which, usual, here);
                    if (here->of[checksum][path][moment][way].kind == MATRIX_NONE) continue;
                    tally.cases++;
                    tally.equal += !differences[checksum].is;
                }
                if (out == NULL) continue;
                bool both = same(&differences[0], &differences[1]);
                write_difference(out, &which, both ? "" : "no", &differences[0]);
                if (!both) write_difference(out, &which, "yes", &differences[1]);
            }
    return tally;
}

void matrix_write_manners(FILE *out, struct matrix_results *const *results) {
    fputs(manners_head, out);
    for (unsigned manner = MATRIX_USUAL + 1; manner < MATRIX_MANNERS; manner++) {
        struct tally all = {0, 0};
        for (unsigned i = 0; i < matrix_box_count; i++) {
            struct tally one = compare_box(NULL, (struct matrix_case){.box = &matrix_boxes[i], .manner = (enum matrix_manner)manner},
                                           &results[MATRIX_USUAL][i],
                                           &results[manner][i]);
            all.cases += one.cases;
            all.equal += one.equal;
        }
        fprintf(out, "- **%s**: %s\n  %u cases, %u as without it.\n", manner_names[manner], manner_texts[manner], all.cases,
                all.equal);
    }
    fputs("\nWhat comes of the others, in the same words. Nothing under checksums: with and without. A reset of version 0 has no reason, and\n"
          "counts as the same. Some of these hang on which path had the last word, where only one of two is in time.\n\n"
          "| with | box | path | from | way | checksums | without it | with it |\n|---|---|---|---|---|---|---|---|\n", out);
    for (unsigned manner = MATRIX_USUAL + 1; manner < MATRIX_MANNERS; manner++)
        for (unsigned i = 0; i < matrix_box_count; i++)
            compare_box(out, (struct matrix_case){.box = &matrix_boxes[i], .manner = (enum matrix_manner)manner},
                        &results[MATRIX_USUAL][i], &results[manner][i]);
}
