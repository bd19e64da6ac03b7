/* What the uplinks carry: of one thread, and of all together. */
#ifndef APP_RUN_PATHS_H
#define APP_RUN_PATHS_H

#include <host/engine.h>
#include "relay.h"

#define RUN_PATH_NAME_MAX 16

struct run_path {
    char interface[RUN_PATH_NAME_MAX];
    int link; /* the stack's number of it */
    bool backup, down, metered, used_up;
    uint64_t in_bytes, out_bytes; /* of all its packets, headers included */
    uint64_t used_bytes, cap_bytes; /* of a cap; 0: there is none */
    uint64_t rtt_us, rttvar_us, rto_us; /* of the subflow whose round trip is the shortest; 0: none is known */
    uint64_t cwnd_bytes, in_flight_bytes, lost_bytes; /* of its subflows together */
    unsigned subflows, suspected;
    struct braid_link_totals totals; /* of all connections that ever went by it */
};

/* In order of preference. */
struct run_paths {
    size_t count;
    struct run_path paths[BRAID_LINKS_MAX];
};

/* As they are now. In the engine's thread. */
void run_paths_measure(const struct engine *engine, const struct relays *relays, struct run_paths *out);
void run_paths_add_totals(struct braid_link_totals *sum, const struct braid_link_totals *other);
/* Adds what another thread measured of the same uplinks to `sum`. */
void run_paths_add(struct run_paths *sum, const struct run_paths *other);

#endif
