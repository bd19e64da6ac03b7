/* redundant: every path gets everything, and the first to deliver wins. What was DATA_ACKed before its turn came on a
 * slow path is passed over there (copies.c). The price is that the paths together carry no more than the best of them.
 *
 * redundant-small: copies only as long as little is on its way, as with messages and keystrokes, and of what is late; a
 * long transfer goes as by lowest-rtt. */
#include "scheduler_path.h"

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    int best = SCHEDULER_WAIT;
    (void)state, (void)bytes;
    for (int i = 0; i < view->count; i++) {
        const struct scheduler_path *path = &view->paths[i];
        if (path->room_bytes == 0 || (path->behind && !view->again)) continue;
        if (best == SCHEDULER_WAIT || path->rtt_ns < view->paths[best].rtt_ns) best = i;
    }
    return best;
}

const struct scheduler_ops scheduler_redundant = {
    .name = "redundant", .pick = pick, .copies = SCHEDULER_COPIES_ALL};

static int pick_small(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    if (view->backlog_bytes > SCHEDULER_SMALL_BYTES) return scheduler_lowest_rtt.pick(state, view, bytes);
    return scheduler_fastest(view, true); /* no patience: the others get it, too, as soon as they have room */
}

const struct scheduler_ops scheduler_redundant_small = {
    .name = "redundant-small", .pick = pick_small, .copies = SCHEDULER_COPIES_SMALL_OR_LATE};
