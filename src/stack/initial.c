/* Where the numbers of a flow begin (RFC 6528): a clock of four microseconds plus a keyed hash of addresses and ports. So
 * nobody can guess them, and the next connection of the same flow begins behind the last. The same goes for timestamps (RFC
 * 7323 §5.4), whose clock is TCP's own. */
#include "stack_internal.h"

#define CLOCK_NS 4000
#define BEYOND 65537u /* RFC 1122 §4.2.2.13: larger than any that the old connection used */

/* [R-6528-3-1] [R-6528-3-2] [MUST-8] [MUST-9] [SHLD-1] [R-7323-7-1] */
void stack_initial(const struct braid_stack *stack, const struct flow *flow, struct tcp_secrets *out) {
    out->given = true;
    uint64_t hash = stack_flow_hash(stack->initial_key, 0, flow);
    out->iss = seq32_add(seq32_of((uint32_t)hash), (uint32_t)(stack->seen_at / CLOCK_NS));
    out->timestamp_offset = (uint32_t)(hash >> 32);
    if (!stack->initial_behind) return; /* [R-1122-4.2.2.13-1] */
    seq32 least = seq32_add(stack->initial_after, BEYOND);
    if (seq32_lt(out->iss, least)) out->iss = least;
}
