/* Random walks: a whole world drawn from a seed (paths, noise, middleboxes, conversations), and then things happen to it
 * at any moment: paths die and come back, addresses change, applications pause, shut down, abort. At last everything
 * heals. Whatever happened, what was read is what was written, no connection hangs, and all memory comes back.
 *
 * A walk is made of elements with draws of their own, so that one can be left out without changing the others: that is
 * how a walk that fails is made smaller. */
#ifndef SIM_WALK_H
#define SIM_WALK_H

#include <stdio.h>
#include <sim/world.h>

enum sim_walk_element {
    SIM_WALK_NOISE = 0,         /* + path */
    SIM_WALK_MIDDLEBOX = 4,     /* + path */
    SIM_WALK_CONVERSATION = 8,  /* + number */
    SIM_WALK_LOSS = 12,         /* + path */
    SIM_WALK_EVENT = 16,        /* + number */
    SIM_WALK_SECOND_BOX = 48,   /* + path: another middlebox */
    SIM_WALK_ELEMENTS = 52,
};

struct sim_walk_config {
    uint64_t seed;
    uint64_t without; /* elements left out, a bit each */
    /* The n-th allocation of the side's stack fails, and all that follow for a second; below 0: none. */
    int64_t client_allocations, server_allocations;
    FILE *log; /* what it is made of, and what happens; NULL: silence */
    struct sim_world_config world; /* hooks: observer and trace; the rest is drawn */
};

struct sim_walk_result {
    char fault[160]; /* empty: all is well */
    uint64_t elements; /* those that were there */
    uint64_t hash, packets;
    braid_time simulated_ns;
};

void sim_walk(const struct sim_walk_config *config, struct sim_walk_result *out);

#endif
