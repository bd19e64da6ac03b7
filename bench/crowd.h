/* Many connections between two stacks in memory, each with one byte said by the client and read, and then quiet. More
 * than the ports of one address go to several ports of the server. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H

#include "pair.h"

struct crowd {
    struct pair pair;
    struct braid_connection **ours, **theirs;
    unsigned count, paths, accepted, closed;
    uint64_t client_before, server_before; /* bytes of memory, with no connection */
    double worst_open_us;                  /* of the calls that opened one */
};

/* `paths`: 0 is plain TCP, else the subflows of MPTCP. */
void crowd_init(struct crowd *crowd, unsigned count, unsigned paths);
void crowd_open(struct crowd *crowd);
/* Each says so many bytes more, one connection after the other. */
void crowd_say(struct crowd *crowd, uint32_t length);
/* Accepts, reads from each that has something, counts those that are closed. */
void crowd_take_events(struct crowd *crowd);

#endif
