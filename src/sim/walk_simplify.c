/* A walk's numbers, made simpler one by one. */
#include "walk_fields.h"

/* Leading digits stay, the rest become zeros. */
static uint64_t rounded_down(uint64_t value, uint64_t below) {
    uint64_t unit = 1;
    while (value / unit >= below) unit *= 10;
    return value - value % unit;
}

static uint64_t simpler(uint64_t value, unsigned how) {
    switch (how) {
    case 0: return 0;
    case 1: return rounded_down(value / 2, 10);
    case 2: return rounded_down(value, 10);
    case 3: return rounded_down(value, 100);
    case 4: return rounded_down(value, 1000);
    default: return value - 1;
    }
}
enum { WAYS = 6, PARTS_OF_ONE = 10000 };

/* False: this way changes nothing. */
static bool simplify(const struct walk_field *field, void *at, unsigned how) {
    uint64_t value;
    switch (field->type) {
    case WALK_FLAG: *(bool *)at = false; return how == 0;
    case WALK_CHOICE: *(uint32_t *)at = 0; return how == 0;
    case WALK_CONGESTION:
    case WALK_SCHEDULER: *(const char **)at = NULL; return how == 0;
    case WALK_PART: {
        double part = *(double *)at;
        *(double *)at = (double)simpler((uint64_t)(part * PARTS_OF_ONE), how) / PARTS_OF_ONE;
        return *(double *)at < part;
    }
    case WALK_U8: value = *(uint8_t *)at, *(uint8_t *)at = (uint8_t)simpler(value, how); break;
    case WALK_U16: value = *(uint16_t *)at, *(uint16_t *)at = (uint16_t)simpler(value, how); break;
    case WALK_U32: value = *(uint32_t *)at, *(uint32_t *)at = (uint32_t)simpler(value, how); break;
    case WALK_U64:
    case WALK_TIME: value = *(uint64_t *)at, *(uint64_t *)at = simpler(value, how); break;
    default: return false;
    }
    /* One less is worth a try only for small numbers. */
    return simpler(value, how) != value && (how < WAYS - 1 || value <= 10);
}

struct search {
    unsigned index, how, seen;
    bool found, changed;
};

static void visit(void *context, enum walk_record kind, void *record, unsigned number) {
    struct search *search = context;
    const struct walk_record_kind *own = &walk_records[kind];
    (void)number;
    for (unsigned i = 0; i < own->field_count; i++) {
        const struct walk_field *field = &own->fields[i];
        if (walk_field_is_zero(field, record)) continue;
        if (search->seen++ != search->index || search->found) continue;
        search->found = true;
        search->changed = simplify(field, (char *)record + field->offset, search->how);
    }
}

unsigned sim_walk_number_count(const struct sim_walk_plan *plan) {
    struct sim_walk_plan copy = *plan;
    struct search search = {.index = UINT32_MAX};
    walk_each_record(&copy, visit, &search);
    return search.seen;
}

enum sim_walk_simpler sim_walk_number_simplify(struct sim_walk_plan *plan, unsigned index, unsigned how) {
    struct sim_walk_plan changed = *plan;
    struct search search = {.index = index, .how = how};
    if (how >= WAYS) return SIM_WALK_NO_MORE_WAYS;
    walk_each_record(&changed, visit, &search);
    if (!search.found) return SIM_WALK_NO_MORE_WAYS;
    if (!search.changed || sim_walk_wrong(&changed) != NULL) return SIM_WALK_AS_IT_WAS;
    *plan = changed;
    return SIM_WALK_SIMPLER;
}
