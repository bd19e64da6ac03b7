#include <host/environment.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static void *allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

static bool random_secret(void *context, void *out, size_t size) {
    uint8_t *at = out;
    (void)context;
    while (size > 0) {
        ssize_t got = getrandom(at, size, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += got;
        size -= (size_t)got;
    }
    return true;
}

static void trace(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                  size_t count) {
    struct environment *environment = context;
    trace_json_event(environment->trace, now, event, fields, count);
}

void environment_init(struct environment *environment) {
    *environment = (struct environment){.env = {.context = environment,
                                                .allocate = allocate,
                                                .release = release,
                                                .random_secret = random_secret}};
    /* Without randomness there will be no connections; jitter alone can do with the clock. */
    if (!random_secret(NULL, &environment->env.jitter_seed, sizeof(environment->env.jitter_seed)))
        environment->env.jitter_seed = host_now();
}

int environment_trace_to(struct environment *environment, const char *path) {
    int error = trace_json_create(path, host_now(), host_unix_ns(), &environment->trace);
    if (error == 0) environment->env.trace = trace;
    return error;
}

int environment_trace_end(struct environment *environment) {
    struct trace_json *ended = environment->trace;
    environment->trace = NULL;
    environment->env.trace = NULL;
    return trace_json_close(ended);
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * BRAID_NS_PER_S + (uint64_t)time.tv_nsec;
}

braid_time host_now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t host_unix_ns(void) {
    return read_clock(CLOCK_REALTIME);
}
