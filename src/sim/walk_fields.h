/* The numbers a walk's plan is made of, with their names. */
#ifndef WALK_FIELDS_H
#define WALK_FIELDS_H

#include <stddef.h>
#include <sim/walk.h>

enum walk_field_type {
    WALK_FLAG,
    WALK_U8,
    WALK_U16,
    WALK_U32,
    WALK_U64,
    WALK_TIME,       /* braid_time: 12ms, 1.5s */
    WALK_PART,       /* double */
    WALK_CHOICE,     /* an enum, by its names */
    WALK_CONGESTION, /* a string of braid's, by its name */
    WALK_SCHEDULER,
};
struct walk_field {
    const char *name;
    enum walk_field_type type;
    size_t offset; /* in its record */
    const char *const *names; /* of a choice, NULL after the last; "" is not to be read */
};

/* What a line is about. */
enum walk_record { WALK_WORLD, WALK_CLIENT, WALK_SERVER, WALK_PATH, WALK_NOISE, WALK_BOX, WALK_TALK, WALK_EVENT, WALK_RECORDS };
struct walk_record_kind {
    const char *name;
    const struct walk_field *fields;
    unsigned field_count;
};
extern const struct walk_record_kind walk_records[WALK_RECORDS];

/* Calls for each record there is, in the order of the text. `number` counts those of its kind (of its path). */
typedef void walk_record_visit(void *context, enum walk_record kind, void *record, unsigned number);
void walk_each_record(struct sim_walk_plan *plan, walk_record_visit *visit, void *context);

bool walk_field_is_zero(const struct walk_field *field, const void *record);

#endif
