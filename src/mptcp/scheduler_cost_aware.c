/* cost-aware: like lowest-rtt over the paths that cost nothing; those that are metered are kept out as long as any other
 * works, be it a backup. Their cap in bytes holds under every scheduler (meter.c). */
#include "scheduler_path.h"

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    return scheduler_lowest_rtt.pick(state, view, bytes);
}

const struct scheduler_ops scheduler_cost_aware = {.name = "cost-aware", .pick = pick, .spares_waits = true, .spares_metered = true};
