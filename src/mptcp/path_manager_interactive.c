/* interactive: one path, the most preferred that can be had, and the next one only while that is in doubt or has become
 * slow; for messages, and for paths that cost something to keep. What was joined in trouble stays until there was none
 * for a while, so that paths do not come and go with every cloud. */
#include <mptcp/path_manager.h>

enum { CALM_S = 30 };

static void plan(struct path_plan *p) {
    bool well = false;
    unsigned asked = 0;
    for (unsigned i = 0; i < p->count; i++) {
        struct path_pair *pair = &p->pairs[i];
        pair->wanted = 0;
        if (well || !(pair->subflow || pair->first) || !pair->to_first) continue;
        pair->wanted = 1;
        well = pair->works && !pair->poor;
        asked++;
    }
    /* Before the first plan settles there was no trouble: the first subflow may be by a less preferred path. */
    if (asked > 1) p->trouble_until = p->now + CALM_S * BRAID_NS_PER_S;
    if (p->trouble_until <= p->now) return;
    for (unsigned i = 0; i < p->count; i++)
        if (p->pairs[i].wanted == 0 && p->pairs[i].subflows > 0) p->pairs[i].wanted = p->pairs[i].subflows;
    p->ask_again_at = p->trouble_until;
}

const struct path_manager_ops path_manager_interactive = {
    .name = "interactive", .plan = plan, .closes = true, .watches = true};
