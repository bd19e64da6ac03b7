/* A rest before an event loop waits, while much comes quickly: rest.c says why. */
#ifndef HOST_REST_H
#define HOST_REST_H

#include <braid/env.h>

struct rest {
    int fd;                 /* a timer; -1: there was no need of one yet */
    uint64_t bytes;         /* that came in the last turn */
    braid_time none_before; /* rests took too long here */
};

void rest_init(struct rest *rest);
void rest_deinit(struct rest *rest);

/* A turn begins: nothing has come yet. */
void rest_begin_turn(struct rest *rest);
void rest_count(struct rest *rest, uint64_t bytes);

/* Before a wait until `deadline` at most (host_now()'s time): sleeps a moment if the turn brought much, and nothing else is due
 * soon. */
void rest_now(struct rest *rest, braid_time deadline);

#endif
