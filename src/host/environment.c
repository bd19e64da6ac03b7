#include <host/environment.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* What links receive into comes and goes with every batch. Given back to libc, it would be given back to the
 * kernel, and its pages would have to be made anew. */
#define BLOCK_BYTES_LEAST 65536u
#define BLOCK_BYTES (65536u + 256u)
#define SPARE_BLOCKS_MAX 256u
#define TRACE_FIELDS_MAX 32

struct environment_block {
    struct environment_block *next;
};

static bool is_block(size_t size) {
    return size >= BLOCK_BYTES_LEAST && size <= BLOCK_BYTES;
}

static void *allocate(void *context, size_t size) {
    struct environment *environment = context;
    struct environment_block *block = environment->spare;
    if (!is_block(size)) return malloc(size);
    if (block == NULL) return malloc(BLOCK_BYTES);
    environment->spare = block->next;
    environment->spare_count--;
    return block;
}

static void release(void *context, void *memory, size_t size) {
    struct environment *environment = context;
    struct environment_block *block = memory;
    if (block == NULL || !is_block(size) || environment->spare_count == SPARE_BLOCKS_MAX) {
        free(memory);
        return;
    }
    block->next = environment->spare;
    environment->spare = block;
    environment->spare_count++;
}

void environment_deinit(struct environment *environment) {
    while (environment->spare != NULL) {
        struct environment_block *block = environment->spare;
        environment->spare = block->next;
        free(block);
    }
    environment->spare_count = 0;
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
    if (!environment->several) {
        trace_json_event(environment->trace, now, event, fields, count);
        return;
    }
    struct braid_trace_field with_thread[TRACE_FIELDS_MAX + 1] = {{"thread", BRAID_TRACE_U64, {.u64 = environment->thread}}};
    if (count > TRACE_FIELDS_MAX) count = TRACE_FIELDS_MAX;
    memcpy(&with_thread[1], fields, count * sizeof(fields[0]));
    trace_json_event(environment->trace, now, event, with_thread, count + 1);
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

void environment_trace_of_thread(struct environment *environment, const struct environment *first, unsigned thread) {
    environment->several = true;
    environment->thread = thread;
    if (first == NULL || first->trace == NULL) return;
    environment->trace = first->trace;
    environment->trace_is_anothers = true;
    environment->env.trace = trace;
}

int environment_trace_end(struct environment *environment) {
    struct trace_json *ended = environment->trace_is_anothers ? NULL : environment->trace;
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
