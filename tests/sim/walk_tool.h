/* What the files of the program of random walks share. */
#ifndef WALK_TOOL_H
#define WALK_TOOL_H

#include <sim/walk.h>

/* A walk in a process of its own, so that a trap or an endless loop is only a fault like others. True: all is well. */
bool walk_apart(const struct sim_walk_plan *plan, struct sim_walk_result *result);

/* Makes a plan that fails as small as it still fails in the same way. `best` is what became of it. */
void walk_shrink(struct sim_walk_plan *plan, struct sim_walk_result *best);

#endif
