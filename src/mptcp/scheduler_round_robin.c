/* round-robin: the paths take turns, of as many segments as their weight says. One without room is passed over. Good for
 * comparison, and for paths that are alike; on others, everything waits for the slowest. */
#include "scheduler_path.h"

struct turn {
    uint64_t number; /* of the subflow whose turn it is */
    uint64_t left_bytes;
} __attribute__((may_alias));
_Static_assert(sizeof(struct turn) <= SCHEDULER_STATE_BYTES, "the state fits");

static uint32_t turn_bytes(const struct scheduler_path *path) { return path->weight * path->segment_bytes; }

/* The first one with room that comes after subflow `number`, around in a circle; that itself last. */
static int next_after(const struct scheduler_view *view, uint64_t number) {
    int first = SCHEDULER_WAIT;
    for (int i = 0; i < view->count; i++) {
        if (view->paths[i].room_bytes == 0) continue;
        if (view->paths[i].number > number) return i;
        if (first == SCHEDULER_WAIT) first = i;
    }
    return first;
}

static int pick(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes) {
    const struct turn *turn = (const struct turn *)(const void *)state->words;
    for (int i = 0; i < view->count && turn->left_bytes > 0; i++) {
        if (view->paths[i].number != turn->number || view->paths[i].room_bytes == 0) continue;
        *bytes = (uint32_t)turn->left_bytes;
        return i;
    }
    int next = next_after(view, turn->number);
    if (next != SCHEDULER_WAIT) *bytes = turn_bytes(&view->paths[next]);
    return next;
}

static void decided(struct scheduler_state *state, const struct scheduler_view *view, int index, uint32_t bytes) {
    struct turn *turn = (struct turn *)(void *)state->words;
    if (index == SCHEDULER_WAIT) return;
    const struct scheduler_path *path = &view->paths[index];
    if (path->number != turn->number || turn->left_bytes == 0)
        *turn = (struct turn){.number = path->number, .left_bytes = turn_bytes(path)};
    turn->left_bytes = bytes < turn->left_bytes ? turn->left_bytes - bytes : 0;
}

const struct scheduler_ops scheduler_round_robin = {.name = "round-robin", .pick = pick, .decided = decided};
