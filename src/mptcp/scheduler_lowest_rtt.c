/* lowest-rtt: the path with the lowest round-trip time that has room.
 *
 * And there is patience, twofold, when the fast path has no room and a slower one has:
 *
 * - Little data arrives sooner by waiting: bytes that would be gone by the fast one, and there, before the slow one
 *   delivers them, are kept back.
 * - Much data may arrive later by not waiting. What the slow path carries is awaited by everything that is sent after it:
 *   until its DATA_ACK is here, which comes by the fast path as a rule, the others use up the peer's window. If that is
 *   too small for it, they stand still, and lose more than the slow one brings. So it only gets what leaves them enough:
 *
 *       (sum of the others' rates) * (there by the slow one, back by the fast) + (what the slow one has and gets) <= window */
#include "scheduler_path.h"

enum { SOME_SEGMENTS = 8, TRIAL_SEGMENTS = 10 };
#define DELAYED_ACK_NS (40 * BRAID_NS_PER_MS) /* of a segment that goes alone */

/* Would what waits be there sooner by the full `fast`? */
static bool arrives_sooner(const struct scheduler_path *fast, const struct scheduler_path *slow, uint64_t waiting_bytes) {
    return fast->rtt_ns / 2 + scheduler_time_for(waiting_bytes, fast->rate_bytes_per_s) < slow->rtt_ns / 2;
}

static uint64_t rate_of_others(const struct scheduler_view *view, int index) {
    uint64_t rate = 0;
    for (int i = 0; i < view->count; i++)
        if (i != index) rate += view->paths[i].rate_bytes_per_s;
    return rate;
}

/* From when it is given to the path until its DATA_ACK could be here: the way, and what it finds queued there. A smoothed
 * round-trip time would tell of the queue too late; if it is far from all that, though, the queue is somebody else's. */
static braid_time missing_for(const struct scheduler_path *slow, const struct scheduler_path *fast, uint64_t has) {
    braid_time base = slow->min_rtt_ns > 0 ? slow->min_rtt_ns : slow->rtt_ns;
    /* A path that had little to do delivered little: a rate is only believed if a few segments may show it wrong. */
    bool no_queue = slow->rtt_ns < base + base / 2 + DELAYED_ACK_NS;
    uint64_t least = !no_queue ? 1 : (uint64_t)TRIAL_SEGMENTS * slow->segment_bytes * BRAID_NS_PER_S / base;
    braid_time drained = scheduler_time_for(has, slow->rate_bytes_per_s > least ? slow->rate_bytes_per_s : least);
    braid_time queued = drained > base ? drained - base : 0;
    if (base + queued < slow->rtt_ns / 4 * 3) return (slow->rtt_ns + fast->rtt_ns) / 2;
    return base / 2 + queued + fast->rtt_ns / 2;
}

/* Would the others have to stand still for so much more on the slow path? */
static bool blocks(const struct scheduler_view *view, int fastest, int index, uint32_t bytes) {
    const struct scheduler_path *slow = &view->paths[index];
    uint64_t has = (uint64_t)slow->in_flight_bytes + slow->unsent_bytes + bytes;
    braid_time missing = missing_for(slow, &view->paths[fastest], has);
    return scheduler_bytes_in(missing, rate_of_others(view, index)) + has > view->window_bytes;
}

/* Portion after portion, would each of them still go by the slow path? What is under way there only grows meanwhile, and
 * what waits only shrinks, so the last one is the one to ask about. */
static bool all_go(const struct scheduler_view *view, int fastest, int index, uint32_t some) {
    const struct scheduler_path *slow = &view->paths[index];
    uint64_t all = slow->room_bytes < view->waiting_bytes ? slow->room_bytes : view->waiting_bytes;
    uint64_t before_last = all > some ? all - some : 0;
    if (arrives_sooner(&view->paths[fastest], slow, view->waiting_bytes - before_last)) return false;
    return !blocks(view, fastest, index, (uint32_t)all);
}

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    int fastest = scheduler_fastest(view, false), ready = scheduler_fastest(view, true);
    (void)state;
    if (ready == SCHEDULER_WAIT || ready == fastest) return ready;
    const struct scheduler_path *slow = &view->paths[ready];
    if (arrives_sooner(&view->paths[fastest], slow, view->waiting_bytes)) return SCHEDULER_WAIT;
    if (view->again) return ready;
    uint32_t some = SOME_SEGMENTS * slow->segment_bytes; /* and asked again for the next */
    if (all_go(view, fastest, ready, some)) return ready;
    *bytes = blocks(view, fastest, ready, some) ? slow->segment_bytes : some;
    return blocks(view, fastest, ready, slow->segment_bytes) ? SCHEDULER_WAIT : ready;
}

const struct scheduler_ops scheduler_lowest_rtt = {.name = "lowest-rtt", .pick = pick, .spares_waits = true};
