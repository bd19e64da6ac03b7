/* ndiffports: several subflows, which differ by their ports alone, over one pair of addresses: that of the first subflow
 * as long as we have the address, else the most preferred to be had. For networks that send them by different ways. */
#include <mptcp/path_manager.h>

static void plan(struct path_plan *p) {
    struct path_pair *over = NULL;
    for (unsigned i = 0; i < p->count; i++) {
        struct path_pair *pair = &p->pairs[i];
        pair->wanted = 0;
        if (pair->first) over = pair;
        else if (!over && pair->subflow) over = pair;
    }
    if (over) over->wanted = p->ndiffports;
}

const struct path_manager_ops path_manager_ndiffports = {.name = "ndiffports", .plan = plan, .closes = true};
