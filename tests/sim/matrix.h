/* The matrix: every middlebox, on the first path, the second, or both, beginning at four moments of a
 * connection's life, acting in one direction or both; and what becomes of the connection. */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>
#include <stdio.h>
#include <sim/middlebox.h>
#include <sim/phone.h>

enum matrix_path {
    MATRIX_FIRST,
    MATRIX_SECOND,
    MATRIX_BOTH,
    MATRIX_ONLY, /* the client joins no second one */
    MATRIX_PATHS,
};
enum matrix_moment { MATRIX_BEGIN, MATRIX_JOIN, MATRIX_MIDDLE, MATRIX_END, MATRIX_MOMENTS };
enum matrix_way { MATRIX_UP, MATRIX_DOWN, MATRIX_EACH_WAY, MATRIX_WAYS };

/* What of the protocol is in play beside the usual: two subflows from the phone's two addresses. */
enum matrix_manner {
    MATRIX_USUAL,
    MATRIX_VERSION_0,  /* both speak only that one */
    MATRIX_EARLY,      /* Fast Open: the first bytes go with the SYN, by a cookie of a connection before */
    MATRIX_COOKIES,    /* the server keeps nothing before the third ACK */
    MATRIX_PRIORITIES, /* the second subflow is backup; in the middle it becomes the regular one, and the first backup */
    MATRIX_ADDRESSES,  /* the server announces a second address; in the middle the phone's second one is another */
    MATRIX_IPV6,
    MATRIX_MANNERS,
};

/* --- the boxes (matrix_boxes.c) --- */

/* Where a box is to stand, and what it acts upon. */
struct matrix_place {
    struct sim_phone *phone;
    unsigned path;
    unsigned directions; /* enum sim_directions */
};

struct matrix_box {
    const char *name;
    const char *what; /* what it does and who does so, as a sentence */
    /* Puts it on its link. */
    struct sim_box *(*put)(const struct matrix_place *place);
    /* It stands there from the beginning, and at the moment this happens to it. NULL: it comes at the moment.
     */
    void (*strike)(struct sim_box *box);
    const char *ways;     /* of "udb", which make sense; NULL: it does not ask for directions */
    bool changes_payload; /* without them wrong bytes are to be expected */
    int32_t grow;         /* by so many bytes, once in each flow */
    bool may_reset;       /* nothing of MPTCP is left on the paths that it stands on */
    bool lossy;           /* paths lose 1 % */
    bool needs_twin;      /* another server */
    bool idle;            /* the connection says nothing for 5 s before it ends */
};
extern const struct matrix_box matrix_boxes[];
extern const unsigned matrix_box_count;

/* --- one run (matrix_run.c) --- */

struct matrix_case {
    const struct matrix_box *box;
    enum matrix_path path;
    enum matrix_moment moment;
    enum matrix_way way;
    enum matrix_manner manner;
    bool checksum;
    bool plain; /* the client never asks for MPTCP */
    bool told;  /* packets and events are printed */
};

enum matrix_kind {
    MATRIX_NONE,     /* not run */
    MATRIX_MPTCP,    /* all bytes and both ends arrived, by MPTCP */
    MATRIX_TCP,      /* they arrived, after fallback */
    MATRIX_ALTERED,  /* after fallback, with the change that the box made in the only subflow, and no other */
    MATRIX_RESET,    /* both applications, or the one that lived, were told of a reset */
    MATRIX_GIVEN_UP, /* told that nothing came through any more */
    MATRIX_SILENT,   /* not over when the time was up */
    MATRIX_WRONG,    /* an application read bytes that were not written */
};
struct matrix_outcome {
    enum matrix_kind kind;
    bool joined;      /* a second subflow was there, be it for a while */
    uint16_t reasons; /* of MP_TCPRST, as bits */
    const char *fault;
    uint64_t leaked_bytes;
    bool used; /* what its manner brings in was seen to work */
};
bool matrix_makes_sense(const struct matrix_case *which);
/* It acts in all the directions in which it can. */
bool matrix_is_widest(const struct matrix_case *which);
struct matrix_outcome matrix_run(const struct matrix_case *which);
/* The case in one line, as messages have it. */
/* As it is printed: "BOX: path P, from M, W" is BOX, P, M, W here. False: no such case. */
bool matrix_parse_case(struct matrix_case *out, const char *box, const char *path, const char *moment,
                       const char *way);
void matrix_print_case(FILE *out, const struct matrix_case *which);

/* --- all of it (matrix_table.c) --- */

struct matrix_results {
    struct matrix_outcome of[2][MATRIX_PATHS][MATRIX_MOMENTS][MATRIX_WAYS]; /* [checksum] first */
    struct matrix_outcome plain[MATRIX_MOMENTS][MATRIX_WAYS];
};
/* docs/middleboxes.md, of results for each box. */
void matrix_write(FILE *out, const struct matrix_results *results);
/* docs/middleboxes-options.md: [manner][box], of the widest ways only. */
void matrix_write_manners(FILE *out, struct matrix_results *const *results);
/* What should never come of a case: NULL, if all is as it may be. `plain`: what came of TCP with the same box. */
const char *matrix_complaint(const struct matrix_case *which, const struct matrix_outcome *outcome,
                             const struct matrix_outcome *plain);
void matrix_complain(const struct matrix_case *which, const struct matrix_outcome *outcome, const char *what);
/* Writes `text` to `file`, or compares it with what is there and shows the first difference: false. */
bool matrix_keep(const char *text, const char *file, bool write);
const char *matrix_manner_name(enum matrix_manner manner);
/* In words, without what hangs on the scheduler's whims. */
const char *matrix_outcome_text(const struct matrix_outcome *outcome, enum matrix_path path);

#endif
