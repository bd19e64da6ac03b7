/* fullmesh: from each of our addresses to the peer's first and to those it announced, one subflow each. */
#include <mptcp/path_manager.h>

static void plan(struct path_plan *p) {
    for (unsigned i = 0; i < p->count; i++) {
        struct path_pair *pair = &p->pairs[i];
        pair->wanted = pair->subflow && (pair->to_first || pair->fullmesh) ? 1 : 0;
    }
}

const struct path_manager_ops path_manager_fullmesh = {.name = "fullmesh", .plan = plan};
