/* blest: BLocking ESTimation (Ferlin, Alay, Mehani, Boreli: "BLEST: Blocking Estimation-based MPTCP Scheduler for
 * Heterogeneous Networks", IFIP Networking 2016).
 *
 * While a slow path carries a segment, the fast one could send
 *
 *     X = segment * (cwnd_fast + (r - 1) / 2) * r,   r = rtt_slow / rtt_fast   (its window grows by one a round trip)
 *
 * and all of it, and what the slow one has under way already, lies in the peer's window until that segment is there. If
 * X * lambda is more than the window holds beside it, the fast path would stand still: then the slow one is left alone.
 * lambda makes up for what the estimate does not know: it grows when the window was shut all the same, and shrinks back
 * to one otherwise. */
#include "scheduler_path.h"

enum { LAMBDA_ONE = 1000, LAMBDA_STEP = 10, LAMBDA_MAX = 3000 };
#define LAMBDA_INTERVAL_NS (100 * BRAID_NS_PER_MS)

struct blest {
    uint64_t lambda_extra; /* lambda - 1, in thousandths */
    braid_time judged_at;
} __attribute__((may_alias));
_Static_assert(sizeof(struct blest) <= SCHEDULER_STATE_BYTES, "the state fits");

static uint64_t fast_sends_meanwhile(const struct scheduler_path *fast, const struct scheduler_path *slow) {
    uint64_t ratio = slow->rtt_ns * 100 / (fast->rtt_ns > 0 ? fast->rtt_ns : 1); /* in hundredths */
    uint64_t growth = (uint64_t)fast->segment_bytes * (ratio > 100 ? ratio - 100 : 0) / 200;
    if (ratio > 100000) ratio = 100000;
    /* Of the window, what is made use of: a subflow here is held to what its path carries (room.c). */
    uint64_t used = (uint64_t)fast->in_flight_bytes + fast->unsent_bytes + fast->room_bytes;
    if (used > fast->cwnd_bytes) used = fast->cwnd_bytes;
    return (used + growth) * ratio / 100;
}

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    const struct blest *blest = (const struct blest *)(const void *)state->words;
    int fastest = scheduler_fastest(view, false), ready = scheduler_fastest(view, true);
    if (ready == SCHEDULER_WAIT || ready == fastest || view->again) return ready;
    const struct scheduler_path *slow = &view->paths[ready];
    uint64_t meanwhile = fast_sends_meanwhile(&view->paths[fastest], slow) * (LAMBDA_ONE + blest->lambda_extra) / LAMBDA_ONE;
    uint64_t beside = (uint64_t)slow->in_flight_bytes + slow->unsent_bytes + slow->segment_bytes;
    *bytes = slow->segment_bytes; /* and asked again for the next */
    return beside + meanwhile > view->window_bytes ? SCHEDULER_WAIT : ready;
}

static void decided(struct scheduler_state *state, const struct scheduler_view *view, int index, uint32_t bytes) {
    struct blest *blest = (struct blest *)(void *)state->words;
    (void)index, (void)bytes;
    if (view->now - blest->judged_at < LAMBDA_INTERVAL_NS) return;
    blest->judged_at = view->now;
    if (blest->lambda_extra > 0) blest->lambda_extra -= LAMBDA_STEP;
}

static void blocked(struct scheduler_state *state, braid_time now) {
    struct blest *blest = (struct blest *)(void *)state->words;
    blest->judged_at = now;
    if (blest->lambda_extra < LAMBDA_MAX) blest->lambda_extra += LAMBDA_STEP;
}

const struct scheduler_ops scheduler_blest = {
    .name = "blest", .pick = pick, .decided = decided, .blocked = blocked};
