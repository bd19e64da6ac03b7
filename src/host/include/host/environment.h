/* What the host gives to the core: memory, secret randomness, a jitter seed, and a place for trace events. */
#ifndef HOST_ENVIRONMENT_H
#define HOST_ENVIRONMENT_H

#include <braid/env.h>
#include <link/trace_json.h>

struct environment_block;

struct environment {
    struct braid_env env;
    struct environment_block *spare; /* blocks of the size that links receive into, kept to be used again */
    unsigned spare_count;
    struct trace_json *trace; /* NULL: trace events go nowhere */
    bool trace_is_anothers;
    bool several; /* of the trace: events say which thread they are of */
    unsigned thread;
};

void environment_init(struct environment *environment);
void environment_deinit(struct environment *environment);
/* From now on trace events are written to `path`. 0 or -errno. */
int environment_trace_to(struct environment *environment, const char *path) MUST_USE;
/* Trace events are one thread's of several: they bear its number in a field "thread". `first`: whose trace they go to, which
 * ends after this one's; NULL: to this one's own. */
void environment_trace_of_thread(struct environment *environment, const struct environment *first, unsigned thread);
/* Ends the trace, if it is this one's own. Returns the first error met in writing it, as -errno. */
int environment_trace_end(struct environment *environment);

/* The time that drives everything: CLOCK_MONOTONIC. */
braid_time host_now(void);
uint64_t host_unix_ns(void);

#endif
