/* Middleboxes as a scenario names them: a table of kinds, each with the fields of its configuration.
 *
 * A new kind is one table of keys, one line of `kinds` and one function of two lines in scenario_box.c. */
#ifndef APP_SCENARIO_BOX_H
#define APP_SCENARIO_BOX_H

#include <sim/middlebox.h>
#include "scenario.h"

enum box_type {
    BOX_FLAG, /* bool */
    BOX_U8,
    BOX_U16,
    BOX_U32,
    BOX_U64,
    BOX_I32,
    BOX_TIME,       /* braid_time */
    BOX_ADDRESS,    /* struct braid_address */
    BOX_SEGMENTS,   /* unsigned, enum sim_segments: one or a list of syn, syn_ack, data, empty; or any */
    BOX_DIRECTIONS, /* unsigned, enum sim_directions: up, down or both */
    BOX_DIRECTION,  /* enum sim_direction: up or down */
    BOX_ACTION,     /* enum sim_option_action: strip, nop, eol or mirror */
};

struct box_key {
    const char *name;
    enum box_type type;
    size_t offset; /* in the kind's configuration */
    bool required;
};

struct box_kind {
    const char *name;
    const struct box_key *keys;
    size_t key_count;
    const void *defaults; /* of the configuration; NULL: zeros */
    size_t config_bytes;
    struct sim_box *(*create)(struct sim_world *world, const void *config);
    void (*forget)(struct sim_box *box); /* what it knows of flows; NULL: nothing */
};

struct scenario_box {
    struct scenario_place place;
    const struct box_kind *kind;
    void *config;
};

#endif
