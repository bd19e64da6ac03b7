#include "run_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PERIOD_MS 100
#define LINES_EVERY 10 /* periods, where lines cannot be refreshed */

/* One uplink, as it was. Rates are of all its packets, headers included, over the last period; the live lines
 * show them over the last second. */
struct path {
    uint64_t in_before, out_before;
    uint64_t in_history[LINES_EVERY], out_history[LINES_EVERY];
};

struct run_status {
    struct run_threads *threads;
    uv_timer_t timer;
    bool live, in_place;
    unsigned lines_shown;
    uint64_t periods;
    braid_time last;
    struct run_paths now;
    struct path paths[BRAID_LINKS_MAX]; /* by the stack's number of the link */
};

/* ---- measuring ---- */

static const char *state_of(const struct run_path *path) {
    if (path->down) return "down";
    if (path->used_up) return "used up";
    if (path->suspected > 0 && path->suspected == path->subflows) return "suspected";
    if (path->backup) return "backup";
    return path->subflows > 0 ? "active" : "idle";
}

static uint64_t since(uint64_t now, uint64_t *before) {
    uint64_t grown = now < *before ? now : now - *before; /* less: another device under the same name */
    *before = now;
    return grown;
}

static void measure(struct run_status *status, const struct run_path *now) {
    struct path *path = &status->paths[now->link];
    path->in_history[status->periods % LINES_EVERY] = since(now->in_bytes, &path->in_before);
    path->out_history[status->periods % LINES_EVERY] = since(now->out_bytes, &path->out_before);
}

/* ---- telling ---- */

static void trace_path(struct run_status *status, const struct run_path *now, braid_time elapsed) {
    const struct path *path = &status->paths[now->link];
    uint64_t in = path->in_history[status->periods % LINES_EVERY],
             out = path->out_history[status->periods % LINES_EVERY];
    const struct braid_trace_field fields[] = {
        {"link", BRAID_TRACE_U64, {.u64 = (uint64_t)now->link}},
        {"name", BRAID_TRACE_STRING, {.text = now->interface}},
        {"state", BRAID_TRACE_STRING, {.text = state_of(now)}},
        {"backup", BRAID_TRACE_U64, {.u64 = now->backup}},
        {"subflows", BRAID_TRACE_U64, {.u64 = now->subflows}},
        {"in_bytes_per_s", BRAID_TRACE_U64, {.u64 = elapsed ? in * BRAID_NS_PER_S / elapsed : 0}},
        {"out_bytes_per_s", BRAID_TRACE_U64, {.u64 = elapsed ? out * BRAID_NS_PER_S / elapsed : 0}},
        {"rtt_us", BRAID_TRACE_U64, {.u64 = now->rtt_us}},
        {"metered", BRAID_TRACE_U64, {.u64 = now->metered}},
        {"used_bytes", BRAID_TRACE_U64, {.u64 = now->used_bytes}},
        {"cap_bytes", BRAID_TRACE_U64, {.u64 = now->cap_bytes}},
        {"rttvar_us", BRAID_TRACE_U64, {.u64 = now->rttvar_us}},
        {"rto_us", BRAID_TRACE_U64, {.u64 = now->rto_us}},
        {"cwnd_bytes", BRAID_TRACE_U64, {.u64 = now->cwnd_bytes}},
        {"in_flight_bytes", BRAID_TRACE_U64, {.u64 = now->in_flight_bytes}},
        {"lost_bytes", BRAID_TRACE_U64, {.u64 = now->lost_bytes}},
        {"bytes_retransmitted", BRAID_TRACE_U64, {.u64 = now->totals.bytes_retransmitted}},
        {"timeouts", BRAID_TRACE_U64, {.u64 = now->totals.timeouts}},
        {"fast_recoveries", BRAID_TRACE_U64, {.u64 = now->totals.fast_recoveries}},
        {"spurious_recoveries", BRAID_TRACE_U64, {.u64 = now->totals.spurious_recoveries}},
        {"marks_received", BRAID_TRACE_U64, {.u64 = now->totals.marks_received}},
        {"marks_answered", BRAID_TRACE_U64, {.u64 = now->totals.marks_answered}},
    };
    engine_trace(run_threads_engine(status->threads, 0), "path_status", fields,
                 sizeof(fields) / sizeof(fields[0]));
}

static double megabits(const uint64_t history[LINES_EVERY]) {
    uint64_t bytes = 0;
    for (int i = 0; i < LINES_EVERY; i++)
        bytes += history[i];
    return (double)bytes * 8 / 1e6 * 1000 / (PERIOD_MS * LINES_EVERY);
}

static void show_path(const struct run_status *status, const struct run_path *now) {
    const struct path *path = &status->paths[now->link];
    char rtt[32] = "      -";
    if (now->rtt_us > 0) snprintf(rtt, sizeof(rtt), "%7.1f", (double)now->rtt_us / 1000);
    char used[64] = "";
    if (now->cap_bytes > 0)
        snprintf(used, sizeof(used), "  %.1f of %.1f MiB", (double)now->used_bytes / 1048576, (double)now->cap_bytes / 1048576);
    fprintf(stderr, "%-15s %-9s %8.2f Mb/s down %8.2f Mb/s up  rtt %s ms%s%s\n", now->interface, state_of(now),
            megabits(path->in_history), megabits(path->out_history), rtt, used, status->in_place ? "\033[K" : "");
}

static void show(struct run_status *status) {
    bool due = status->in_place ? status->periods % 2 == 0 : status->periods % LINES_EVERY == LINES_EVERY - 1;
    if (!due) return;
    if (status->in_place && status->lines_shown > 0) fprintf(stderr, "\033[%uA\r", status->lines_shown);
    status->lines_shown = (unsigned)status->now.count;
    for (size_t i = 0; i < status->now.count; i++)
        show_path(status, &status->now.paths[i]);
    fflush(stderr);
}

static void on_period(uv_timer_t *timer) {
    struct run_status *status = timer->data;
    braid_time now = host_now(), elapsed = now - status->last;
    status->last = now;
    run_threads_paths(status->threads, &status->now);
    for (size_t i = 0; i < status->now.count; i++) {
        measure(status, &status->now.paths[i]);
        trace_path(status, &status->now.paths[i], elapsed);
    }
    if (status->live) show(status);
    status->periods++;
}

/* ---- life ---- */

struct run_status *run_status_create(struct run_threads *threads, bool live) {
    struct run_status *status = calloc(1, sizeof(*status));
    if (status == NULL) return NULL;
    status->threads = threads;
    status->live = live;
    status->in_place = live && isatty(STDERR_FILENO);
    status->last = host_now();
    uv_timer_init(engine_loop(run_threads_engine(threads, 0)), &status->timer);
    status->timer.data = status;
    uv_timer_start(&status->timer, on_period, PERIOD_MS, PERIOD_MS);
    return status;
}

static void on_closed(uv_handle_t *timer) {
    free(timer->data);
}

void run_status_destroy(struct run_status *status) {
    if (status == NULL) return;
    uv_close((uv_handle_t *)&status->timer, on_closed);
}
