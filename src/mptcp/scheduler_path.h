/* What schedulers share: comparisons of paths. */
#ifndef MPTCP_SCHEDULER_PATH_H
#define MPTCP_SCHEDULER_PATH_H

#include <mptcp/scheduler.h>

/* The one with the lowest round-trip time; with_room: of those that have room. SCHEDULER_WAIT if there is none. */
static inline int scheduler_fastest(const struct scheduler_view *view, bool with_room) {
    int best = SCHEDULER_WAIT;
    for (int i = 0; i < view->count; i++) {
        const struct scheduler_path *path = &view->paths[i];
        if (with_room && path->room_bytes == 0) continue;
        if (best == SCHEDULER_WAIT || path->rtt_ns < view->paths[best].rtt_ns) best = i;
    }
    return best;
}

/* Saturating: figures come from measurement and may be absurd. */
static inline braid_time scheduler_time_for(uint64_t bytes, uint64_t bytes_per_s) {
    if (bytes_per_s == 0 || bytes > UINT32_MAX) return BRAID_NEVER / 4;
    return bytes * BRAID_NS_PER_S / bytes_per_s;
}

static inline uint64_t scheduler_bytes_in(braid_time time, uint64_t bytes_per_s) {
    return bytes_per_s / 1000 * (time / BRAID_NS_PER_US) / 1000;
}

#endif
