/* A walk that fails is made smaller: thing after thing is left out, and number after number made simpler, for as long as the
 * fault stays the same. */
#include "walk_tool.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct shrinking {
    struct sim_walk_plan *plan;
    struct sim_walk_result *best;
};

/* Two faults are of a kind if they differ in numbers only. */
static bool same_kind(const char *a, const char *b) {
    for (;;) {
        while (isdigit((unsigned char)*a)) a++;
        while (isdigit((unsigned char)*b)) b++;
        if (*a != *b) return false;
        if (*a == '\0') return true;
        a++, b++;
    }
}

static bool takes(const struct shrinking *s, const struct sim_walk_plan *smaller) {
    struct sim_walk_result result;
    if (sim_walk_wrong(smaller) != NULL || walk_apart(smaller, &result)) return false;
    if (!same_kind(result.fault, s->best->fault)) return false;
    *s->plan = *smaller;
    *s->best = result;
    return true;
}

static void without_event(struct sim_walk_plan *plan, unsigned i) {
    plan->event_count--;
    memmove(&plan->events[i], &plan->events[i + 1], (plan->event_count - i) * sizeof(plan->events[0]));
    plan->events[plan->event_count] = (struct sim_walk_event){0};
}

static bool fewer_events(const struct shrinking *s) {
    bool any = false;
    for (unsigned i = s->plan->event_count; i-- > 0;) {
        struct sim_walk_plan smaller = *s->plan;
        without_event(&smaller, i);
        any |= takes(s, &smaller);
    }
    return any;
}

static bool fewer_talks(const struct shrinking *s) {
    bool any = false;
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++) {
        struct sim_walk_plan smaller = *s->plan;
        if (!smaller.talks[i].there) continue;
        smaller.talks[i] = (struct sim_walk_talk){0};
        any |= takes(s, &smaller);
    }
    return any;
}

static void without_path(struct sim_walk_plan *plan, unsigned path) {
    plan->path_count--;
    memmove(&plan->paths[path], &plan->paths[path + 1], (plan->path_count - path) * sizeof(plan->paths[0]));
    plan->paths[plan->path_count] = (struct sim_walk_path){0};
    for (unsigned i = plan->event_count; i-- > 0;) {
        struct sim_walk_event *event = &plan->events[i];
        if (event->kind < SIM_WALK_READER_PAUSES && event->path == path) without_event(plan, i);
        else if (event->path > path || event->path >= plan->path_count) event->path = event->path > 0 ? event->path - 1 : 0;
    }
}

static bool fewer_paths(const struct shrinking *s) {
    bool any = false;
    for (unsigned i = s->plan->path_count; i-- > 0 && s->plan->path_count > 1;) {
        struct sim_walk_plan smaller = *s->plan;
        without_path(&smaller, i);
        any |= takes(s, &smaller);
    }
    return any;
}

static bool less_on_paths(const struct shrinking *s) {
    bool any = false;
    for (unsigned i = 0; i < s->plan->path_count; i++) {
        for (unsigned k = 0; k < SIM_WALK_BOXES_MAX; k++) {
            struct sim_walk_plan smaller = *s->plan;
            if (smaller.paths[i].boxes[k].kind == SIM_WALK_NO_BOX) continue;
            smaller.paths[i].boxes[k] = (struct sim_walk_box){0};
            any |= takes(s, &smaller);
        }
        struct sim_walk_plan smaller = *s->plan;
        if (!smaller.paths[i].noisy) continue;
        smaller.paths[i].noisy = false;
        smaller.paths[i].noise = (struct sim_noise_config){0};
        any |= takes(s, &smaller);
    }
    return any;
}

/* Bold ways first; what is left as it was is not tried again in this round. */
static bool simpler_numbers(const struct shrinking *s) {
    bool any = false;
    for (unsigned i = sim_walk_number_count(s->plan); i-- > 0;) {
        enum sim_walk_simpler came = SIM_WALK_AS_IT_WAS;
        for (unsigned how = 0; came != SIM_WALK_NO_MORE_WAYS; how++) {
            struct sim_walk_plan smaller = *s->plan;
            came = sim_walk_number_simplify(&smaller, i, how);
            if (came == SIM_WALK_SIMPLER && takes(s, &smaller)) {
                any = true;
                break;
            }
        }
    }
    return any;
}

void walk_shrink(struct sim_walk_plan *plan, struct sim_walk_result *best) {
    const struct shrinking s = {plan, best};
    bool smaller = true;
    while (smaller) {
        smaller = fewer_events(&s);
        smaller |= fewer_paths(&s);
        smaller |= fewer_talks(&s);
        smaller |= less_on_paths(&s);
        smaller |= simpler_numbers(&s);
        fprintf(stderr, "# %u events, %u numbers: %s\n", plan->event_count, sim_walk_number_count(plan), best->fault);
    }
}
