#include "run_status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERIOD_MS 100
#define LINES_EVERY 10 /* periods, where lines cannot be refreshed */

/* One uplink. Rates are of all its packets, headers included, over the last period; the live lines show them
 * over the last second. */
struct path {
    const char *interface;
    const char *state;
    bool backup, metered;
    uint64_t used_bytes, cap_bytes;
    uint64_t in_bytes_per_s, out_bytes_per_s, rtt_us;
    unsigned subflows, suspected;
    uint64_t rttvar_us, rto_us, cwnd_bytes, in_flight_bytes, lost_bytes;
    uint64_t in_before, out_before;
    uint64_t in_history[LINES_EVERY], out_history[LINES_EVERY];
};

struct run_status {
    struct engine *engine;
    struct relays *relays;
    uv_timer_t timer;
    bool live, in_place;
    unsigned lines_shown;
    uint64_t periods;
    braid_time last;
    struct path paths[BRAID_LINKS_MAX]; /* by the stack's number of the link */
};

/* ---- measuring ---- */

static void add_subflows(void *context, struct braid_connection *connection) {
    struct run_status *status = context;
    struct braid_path_info info;
    for (unsigned i = 0; braid_connection_path(connection, i, &info); i++) {
        struct path *path = &status->paths[info.link];
        if (info.status != BRAID_PATH_ACTIVE && info.status != BRAID_PATH_SUSPECTED) continue;
        path->subflows++;
        if (info.status == BRAID_PATH_SUSPECTED) path->suspected++;
        path->cwnd_bytes += info.cwnd_bytes;
        path->in_flight_bytes += info.in_flight_bytes;
        path->lost_bytes += info.lost_bytes;
        if (info.rtt_us == 0 || (path->rtt_us != 0 && info.rtt_us >= path->rtt_us)) continue;
        path->rtt_us = info.rtt_us;
        path->rttvar_us = info.rttvar_us;
        path->rto_us = info.rto_us;
    }
}

static const char *state_of(const struct engine_uplink_info *uplink, const struct path *path) {
    bool addressed = uplink->address_v4.family != IP_NONE || uplink->address_v6.family != IP_NONE;
    if (!uplink->present || !addressed) return "down";
    if (uplink->used_up) return "used up";
    if (path->suspected > 0 && path->suspected == path->subflows) return "suspected";
    if (uplink->backup) return "backup";
    return path->subflows > 0 ? "active" : "idle";
}

static void measure(struct run_status *status, const struct engine_uplink_info *uplink, braid_time elapsed) {
    struct path *path = &status->paths[uplink->link];
    uint64_t in = uplink->bytes_in - path->in_before, out = uplink->bytes_out - path->out_before;
    if (uplink->bytes_in < path->in_before) in = uplink->bytes_in; /* another device under the same name */
    if (uplink->bytes_out < path->out_before) out = uplink->bytes_out;
    path->in_before = uplink->bytes_in;
    path->out_before = uplink->bytes_out;
    path->interface = uplink->interface;
    path->backup = uplink->backup;
    path->metered = uplink->metered;
    path->used_bytes = uplink->used_bytes;
    path->cap_bytes = uplink->cap_bytes;
    path->in_history[status->periods % LINES_EVERY] = in;
    path->out_history[status->periods % LINES_EVERY] = out;
    path->in_bytes_per_s = elapsed ? in * BRAID_NS_PER_S / elapsed : 0;
    path->out_bytes_per_s = elapsed ? out * BRAID_NS_PER_S / elapsed : 0;
    path->state = state_of(uplink, path);
}

/* ---- telling ---- */

static void trace_path(struct run_status *status, int link) {
    const struct path *path = &status->paths[link];
    struct braid_link_totals totals;
    if (!braid_stack_link_totals(engine_stack(status->engine), link, &totals)) return;
    const struct braid_trace_field fields[] = {
        {"link", BRAID_TRACE_U64, {.u64 = (uint64_t)link}},
        {"name", BRAID_TRACE_STRING, {.text = path->interface}},
        {"state", BRAID_TRACE_STRING, {.text = path->state}},
        {"backup", BRAID_TRACE_U64, {.u64 = path->backup}},
        {"subflows", BRAID_TRACE_U64, {.u64 = path->subflows}},
        {"in_bytes_per_s", BRAID_TRACE_U64, {.u64 = path->in_bytes_per_s}},
        {"out_bytes_per_s", BRAID_TRACE_U64, {.u64 = path->out_bytes_per_s}},
        {"rtt_us", BRAID_TRACE_U64, {.u64 = path->rtt_us}},
        {"metered", BRAID_TRACE_U64, {.u64 = path->metered}},
        {"used_bytes", BRAID_TRACE_U64, {.u64 = path->used_bytes}},
        {"cap_bytes", BRAID_TRACE_U64, {.u64 = path->cap_bytes}},
        {"rttvar_us", BRAID_TRACE_U64, {.u64 = path->rttvar_us}},
        {"rto_us", BRAID_TRACE_U64, {.u64 = path->rto_us}},
        {"cwnd_bytes", BRAID_TRACE_U64, {.u64 = path->cwnd_bytes}},
        {"in_flight_bytes", BRAID_TRACE_U64, {.u64 = path->in_flight_bytes}},
        {"lost_bytes", BRAID_TRACE_U64, {.u64 = path->lost_bytes}},
        {"bytes_retransmitted", BRAID_TRACE_U64, {.u64 = totals.bytes_retransmitted}},
        {"timeouts", BRAID_TRACE_U64, {.u64 = totals.timeouts}},
        {"fast_recoveries", BRAID_TRACE_U64, {.u64 = totals.fast_recoveries}},
        {"spurious_recoveries", BRAID_TRACE_U64, {.u64 = totals.spurious_recoveries}},
        {"marks_received", BRAID_TRACE_U64, {.u64 = totals.marks_received}},
        {"marks_answered", BRAID_TRACE_U64, {.u64 = totals.marks_answered}},
    };
    engine_trace(status->engine, "path_status", fields, sizeof(fields) / sizeof(fields[0]));
}

static double megabits(const uint64_t history[LINES_EVERY]) {
    uint64_t bytes = 0;
    for (int i = 0; i < LINES_EVERY; i++)
        bytes += history[i];
    return (double)bytes * 8 / 1e6 * 1000 / (PERIOD_MS * LINES_EVERY);
}

static void show_path(const struct run_status *status, const struct path *path) {
    char rtt[32] = "      -";
    if (path->rtt_us > 0) snprintf(rtt, sizeof(rtt), "%7.1f", (double)path->rtt_us / 1000);
    char used[64] = "";
    if (path->cap_bytes > 0)
        snprintf(used, sizeof(used), "  %.1f of %.1f MiB", (double)path->used_bytes / 1048576,
                 (double)path->cap_bytes / 1048576);
    fprintf(stderr, "%-15s %-9s %8.2f Mb/s down %8.2f Mb/s up  rtt %s ms%s%s\n", path->interface, path->state,
            megabits(path->in_history), megabits(path->out_history), rtt, used,
            status->in_place ? "\033[K" : "");
}

static void show(struct run_status *status) {
    struct engine_uplink_info uplink;
    bool due = status->in_place ? status->periods % 2 == 0 : status->periods % LINES_EVERY == LINES_EVERY - 1;
    if (!due) return;
    if (status->in_place && status->lines_shown > 0) fprintf(stderr, "\033[%uA\r", status->lines_shown);
    status->lines_shown = 0;
    for (size_t i = 0; engine_uplink_info(status->engine, i, &uplink); i++, status->lines_shown++)
        show_path(status, &status->paths[uplink.link]);
    fflush(stderr);
}

static void on_period(uv_timer_t *timer) {
    struct run_status *status = timer->data;
    struct engine_uplink_info uplink;
    braid_time now = host_now(), elapsed = now - status->last;
    status->last = now;
    for (size_t i = 0; engine_uplink_info(status->engine, i, &uplink); i++) {
        struct path *path = &status->paths[uplink.link];
        path->rtt_us = path->rttvar_us = path->rto_us = path->subflows = path->suspected = 0;
        path->cwnd_bytes = path->in_flight_bytes = path->lost_bytes = 0;
    }
    relays_each(status->relays, add_subflows, status);
    for (size_t i = 0; engine_uplink_info(status->engine, i, &uplink); i++) {
        measure(status, &uplink, elapsed);
        if (engine_traces(status->engine)) trace_path(status, uplink.link);
    }
    if (status->live) show(status);
    status->periods++;
}

/* ---- life ---- */

struct run_status *run_status_create(struct engine *engine, struct relays *relays, bool live) {
    struct run_status *status = calloc(1, sizeof(*status));
    if (status == NULL) return NULL;
    status->engine = engine;
    status->relays = relays;
    status->live = live;
    status->in_place = live && isatty(STDERR_FILENO);
    status->last = host_now();
    uv_timer_init(engine_loop(engine), &status->timer);
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
