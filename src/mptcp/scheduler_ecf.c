/* ecf: Earliest Completion First (Lim, Nahum, Towsley, Gibbens: "ECF: An MPTCP Path Scheduler to Manage Heterogeneous
 * Paths", CoNEXT 2017).
 *
 * With k bytes left to send, and the fast path full: is everything over sooner if k waits for the fast one, which needs
 * 1 + k/cwnd of its round trips, than if the slow one, which needs one of its own, takes part? Then wait, unless the
 * slow one with all of k would be through before the fast one has even begun. Having waited makes waiting a little more
 * likely (beta), so that the verdict does not flutter. */
#include "scheduler_path.h"

enum { BETA_PERCENT = 25 };

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    bool waiting = state->words[0] != 0;
    int fastest = scheduler_fastest(view, false), ready = scheduler_fastest(view, true);
    (void)bytes;
    if (ready == SCHEDULER_WAIT || ready == fastest) return ready;
    const struct scheduler_path *fast = &view->paths[fastest], *slow = &view->paths[ready];
    uint64_t k = view->waiting_bytes < UINT32_MAX ? view->waiting_bytes : UINT32_MAX;
    braid_time margin = fast->rttvar_ns > slow->rttvar_ns ? fast->rttvar_ns : slow->rttvar_ns;
    braid_time by_fast = fast->rtt_ns + k * (fast->rtt_ns / BRAID_NS_PER_US) / (fast->cwnd_bytes + 1) * BRAID_NS_PER_US;
    braid_time by_slow = slow->rtt_ns + margin;
    if (waiting) by_slow += by_slow / 100 * BETA_PERCENT;
    if (by_fast >= by_slow) return ready;
    braid_time slow_alone = k * (slow->rtt_ns / BRAID_NS_PER_US) / (slow->cwnd_bytes + 1) * BRAID_NS_PER_US;
    return slow_alone >= 2 * fast->rtt_ns + margin ? SCHEDULER_WAIT : ready;
}

static void decided(struct scheduler_state *state, const struct scheduler_view *view, int index, uint32_t bytes) {
    (void)bytes;
    int fastest = scheduler_fastest(view, false), ready = scheduler_fastest(view, true);
    if (ready == SCHEDULER_WAIT || index == fastest) return; /* no verdict was asked for */
    state->words[0] = index == SCHEDULER_WAIT;
}

const struct scheduler_ops scheduler_ecf = {.name = "ecf", .pick = pick, .decided = decided};
