/* What a link costs: how many bytes went by it, and how many may. One meter counts for all addresses,
 * connections and subflows of a link; whoever owns the link owns it, and it outlives them. The story is told
 * in meter.c. */
#ifndef MPTCP_METER_H
#define MPTCP_METER_H

#include <stdbool.h>
#include <stdint.h>

struct path_meter {
    uint64_t cap_bytes; /* of whole packets, both ways; 0: none */
    /* Connections count what they send; the host what arrives, and what it sends itself. */
    uint64_t used_bytes;
    /* May still come, by all subflows together, if they are told to stop now. */
    uint64_t expected_bytes;
    bool metered; /* the host says that it costs */
    /* The connections say so, until path_meter_set(): the cap is near, and what goes by the link stands by; it is
     * used up, and nothing goes by it any more. */
    bool near, used_up;
};

/* New terms; what was used stays used. */
void path_meter_set(struct path_meter *meter, bool metered, uint64_t cap_bytes);
/* More would break the cap. Not true of a margin before it, which is for what must be said. */
bool path_meter_forbids(const struct path_meter *meter, uint64_t bytes);
/* It costs, or will be used up soon: others first. */
static inline bool path_meter_costs(const struct path_meter *meter) {
    return meter && (meter->metered || meter->near);
}

#endif
