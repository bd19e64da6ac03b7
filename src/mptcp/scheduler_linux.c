/* linux: what the Linux kernel's default scheduler does, for comparison, and as a peer to try receivers with. The path goes first
 * on which a byte would leave first: what is queued on it, by its pace. It gets up to 64 kB at once, and more than it can send
 * now; whether others will wait for that is not asked, nothing is sent again on suspicion, no path rests, and no queue is kept short
 * (`unguarded`). */
#include "scheduler_path.h"

enum { BURST_BYTES = 65428 };

static braid_time leaves_in(const struct scheduler_path *path) {
    uint64_t bytes_per_s = path->rtt_ns > 0 ? (uint64_t)path->cwnd_bytes * BRAID_NS_PER_S / path->rtt_ns : 0;
    return scheduler_time_for((uint64_t)path->in_flight_bytes + path->unsent_bytes, bytes_per_s);
}

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    int best = SCHEDULER_WAIT;
    (void)state;
    for (int i = 0; i < view->count; i++)
        if (best == SCHEDULER_WAIT || leaves_in(&view->paths[i]) < leaves_in(&view->paths[best])) best = i;
    if (best == SCHEDULER_WAIT || view->paths[best].room_bytes == 0) return SCHEDULER_WAIT;
    *bytes = BURST_BYTES;
    return best;
}

const struct scheduler_ops scheduler_linux = {.name = "linux", .pick = pick, .unguarded = true};
