/* backup: one path at a time carries everything, the host's most preferred of those that work; the others stand by. The
 * next takes over when it is lost or in doubt, and it has everything again when it is back. */
#include "scheduler_path.h"

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    int best = 0;
    (void)state, (void)bytes;
    for (int i = 1; i < view->count; i++)
        if (view->paths[i].preference < view->paths[best].preference) best = i;
    return view->paths[best].room_bytes > 0 ? best : SCHEDULER_WAIT;
}

const struct scheduler_ops scheduler_backup = {.name = "backup", .pick = pick, .one_at_a_time = true};
