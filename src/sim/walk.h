/* A walk under way. */
#ifndef WALK_H
#define WALK_H

#include <sim/walk.h>
#include "sim_internal.h"

enum walk_limit {
    WALK_FORGOTTEN_S = 1500, /* after everyone is through, nothing may be left of any connection by then */
};

struct walk {
    const struct sim_walk_plan *plan;
    const struct sim_walk_hooks *hooks;
    struct sim_walk_result *result;
    struct sim_phone phone;
    struct sim_box *noise[SIM_PATHS_MAX], *nat[SIM_PATHS_MAX];
    struct sim_conversation *talks[SIM_WALK_TALKS_MAX];
    /* It may end otherwise than whole: it was told to, or no way was left to it. */
    bool may_die[SIM_WALK_TALKS_MAX];
    bool may_end; /* for want of memory, in other ways than it would; but nobody is left waiting */
    /* For a moment the client had no subflow. A server that meanwhile sends to one that was given up, and to an address
     * that is back, is reset by it, and may take that for the end. */
    bool was_pathless[SIM_WALK_TALKS_MAX];
    bool boxes_may_kill;  /* some middlebox breaks what passes */
    bool boxes_may_reset; /* one hides from the ends what they say to each other: they may find no common stream */
    struct walk_witness *witness;
    braid_time healed_at;
    struct walk_event {
        struct walk *walk;
        const struct sim_walk_event *event;
    } events[SIM_WALK_EVENTS_MAX];
};

__attribute__((format(printf, 2, 3))) void walk_log(struct walk *walk, const char *format, ...);
__attribute__((format(printf, 2, 3))) void walk_fault(struct walk *walk, const char *format, ...);

/* walk_world.c */
void walk_world_begin(struct walk *walk, struct sim_observer observer);
/* walk_witness.c */
void walk_witness_begin(struct walk *walk);
void walk_witness_saw(struct walk *walk, enum sim_moment moment, const struct sim_host *host, const struct sim_packet *packet);
void walk_witness_end(struct walk *walk);
/* walk_event.c */
void walk_events_begin(struct walk *walk);
void walk_heal(struct walk *walk);

/* walk_text.c */
const char *walk_event_name(enum sim_walk_event_kind kind);

#endif
