/* What the world outside gives to braid's core, which has no other way to reach it.
 *
 * Everything up to the stack does no I/O, reads no clock, owns no thread, keeps no global and prints nothing.
 * Memory, secret randomness, seeded randomness and the trace sink come in through struct braid_env; time comes in
 * as an argument. The same inputs and the same env answers give the same outputs. */
#ifndef BRAID_ENV_H
#define BRAID_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Monotonic nanoseconds since a moment of the caller's choosing. Never goes back between two calls. */
typedef uint64_t braid_time;

#define BRAID_NEVER UINT64_MAX
#define BRAID_NS_PER_US UINT64_C(1000)
#define BRAID_NS_PER_MS UINT64_C(1000000)
#define BRAID_NS_PER_S UINT64_C(1000000000)

enum braid_trace_type { BRAID_TRACE_U64, BRAID_TRACE_I64, BRAID_TRACE_STRING };

/* One typed field of a trace event. `text` lives only for the call to the sink. */
struct braid_trace_field {
    const char *name;
    enum braid_trace_type type;
    union {
        uint64_t u64;
        int64_t i64;
        const char *text;
    } value;
};

struct braid_env {
    void *context; /* handed back in every call below */

    /* Memory. `allocate` returns NULL when there is none: a normal result. `size` in `release` equals what was
     * asked for. */
    void *(*allocate)(void *context, size_t size);
    void (*release)(void *context, void *memory, size_t size);

    /* Secret randomness (keys, nonces, initial sequence numbers, ports). Returns false when there is none; the
     * operation that wanted it then fails. */
    bool (*random_secret)(void *context, void *out, size_t size);

    /* Seed of everything that is only jitter. The core keeps its own generator from here on. */
    uint64_t jitter_seed;

    /* Where trace events go; NULL for nowhere. `fields` live only for the call. */
    void (*trace)(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                  size_t count);
};

#endif
