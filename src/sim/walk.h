/* A walk under way. */
#ifndef WALK_H
#define WALK_H

#include <sim/middlebox.h>
#include <sim/phone.h>
#include <sim/walk.h>
#include "sim_internal.h"

enum walk_limit {
    WALK_CONVERSATIONS = 4,
    WALK_EVENTS = SIM_WALK_SECOND_BOX - SIM_WALK_EVENT,
    WALK_HEALED_S = 600,  /* by then, after all is well again, everyone must be through */
    WALK_FORGOTTEN_S = 1500, /* and after that, nothing may be left of any connection */
};

struct walk {
    const struct sim_walk_config *config;
    struct sim_walk_result *result;
    struct sim_phone phone;
    struct sim_path_config paths[SIM_PATHS_MAX]; /* as drawn: what they heal to */
    struct sim_box *noise[SIM_PATHS_MAX], *nat[SIM_PATHS_MAX];
    struct sim_conversation *talks[WALK_CONVERSATIONS];
    /* It may end otherwise than whole: it was told to, or no way was left to it. */
    bool may_die[WALK_CONVERSATIONS];
    /* For a moment the client had no subflow. A server that meanwhile sends to one that was given up, and to an address
     * that is back, is reset by it, and may take that for the end. */
    bool was_pathless[WALK_CONVERSATIONS];
    bool single_path[WALK_CONVERSATIONS]; /* nobody joins for it */
    bool boxes_may_kill; /* some middlebox breaks what passes */
    braid_time events_from, healed_at;
    struct walk_event {
        struct walk *walk;
        unsigned number;
    } events[WALK_EVENTS];
};

/* Draws for one element, the same whatever others there are. */
struct prng walk_prng(const struct walk *walk, unsigned element);
bool walk_has(struct walk *walk, unsigned element);
__attribute__((format(printf, 2, 3))) void walk_log(struct walk *walk, const char *format, ...);
static inline bool chance(struct prng *prng, double probability) { return prng_unit(prng) < probability; }
/* Between the two, each order of magnitude as likely as the next. */
uint64_t walk_log_uniform(struct prng *prng, uint64_t least, uint64_t most);

/* walk_draw.c */
void walk_draw_world(struct walk *walk);
void walk_draw_conversations(struct walk *walk);
/* walk_event.c */
void walk_draw_events(struct walk *walk);
void walk_heal(struct walk *walk);
void walk_note_pathless(struct walk *walk);

#endif
