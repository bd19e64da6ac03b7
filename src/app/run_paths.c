#include "run_paths.h"

#include <stdio.h>
#include <string.h>

static void add_subflow(struct run_path *path, const struct braid_path_info *info) {
    if (info->status != BRAID_PATH_ACTIVE && info->status != BRAID_PATH_SUSPECTED) return;
    path->subflows++;
    if (info->status == BRAID_PATH_SUSPECTED) path->suspected++;
    path->cwnd_bytes += info->cwnd_bytes;
    path->in_flight_bytes += info->in_flight_bytes;
    path->lost_bytes += info->lost_bytes;
    if (info->rtt_us == 0 || (path->rtt_us != 0 && info->rtt_us >= path->rtt_us)) return;
    path->rtt_us = info->rtt_us;
    path->rttvar_us = info->rttvar_us;
    path->rto_us = info->rto_us;
}

static void add_connection(void *context, struct braid_connection *connection) {
    struct run_paths *paths = context;
    struct braid_path_info info;
    for (unsigned i = 0; braid_connection_path(connection, i, &info); i++)
        for (size_t p = 0; p < paths->count; p++)
            if (paths->paths[p].link == (int)info.link) add_subflow(&paths->paths[p], &info);
}

void run_paths_measure(const struct engine *engine, const struct relays *relays, struct run_paths *out) {
    struct engine_uplink_info uplink;
    *out = (struct run_paths){.count = 0};
    while (out->count < BRAID_LINKS_MAX && engine_uplink_info(engine, out->count, &uplink)) {
        struct run_path *path = &out->paths[out->count++];
        bool addressed = uplink.address_v4.family != IP_NONE || uplink.address_v6.family != IP_NONE;
        *path = (struct run_path){.link = uplink.link,
                                  .backup = uplink.backup,
                                  .down = !uplink.present || !addressed,
                                  .metered = uplink.metered,
                                  .used_up = uplink.used_up,
                                  .used_bytes = uplink.used_bytes,
                                  .cap_bytes = uplink.cap_bytes,
                                  .in_bytes = uplink.bytes_in,
                                  .out_bytes = uplink.bytes_out};
        (void)!braid_stack_link_totals(engine_stack(engine), uplink.link, &path->totals);
        snprintf(path->interface, sizeof(path->interface), "%s", uplink.interface);
    }
    relays_each(relays, add_connection, out);
}

void run_paths_add_totals(struct braid_link_totals *sum, const struct braid_link_totals *other) {
    sum->subflows += other->subflows;
    sum->bytes_sent += other->bytes_sent;
    sum->bytes_received += other->bytes_received;
    sum->bytes_retransmitted += other->bytes_retransmitted;
    sum->bytes_received_duplicate += other->bytes_received_duplicate;
    sum->segments_sent += other->segments_sent;
    sum->segments_received += other->segments_received;
    sum->segments_retransmitted += other->segments_retransmitted;
    sum->segments_out_of_order += other->segments_out_of_order;
    sum->timeouts += other->timeouts;
    sum->probes += other->probes;
    sum->fast_recoveries += other->fast_recoveries;
    sum->spurious_recoveries += other->spurious_recoveries;
    sum->marks_received += other->marks_received;
    sum->marks_answered += other->marks_answered;
}

void run_paths_add(struct run_paths *sum, const struct run_paths *other) {
    for (size_t i = 0; i < sum->count; i++) {
        struct run_path *path = &sum->paths[i];
        for (size_t j = 0; j < other->count; j++) {
            const struct run_path *theirs = &other->paths[j];
            if (strcmp(path->interface, theirs->interface) != 0) continue;
            path->in_bytes += theirs->in_bytes;
            path->out_bytes += theirs->out_bytes;
            path->subflows += theirs->subflows;
            path->suspected += theirs->suspected;
            path->cwnd_bytes += theirs->cwnd_bytes;
            path->in_flight_bytes += theirs->in_flight_bytes;
            path->lost_bytes += theirs->lost_bytes;
            run_paths_add_totals(&path->totals, &theirs->totals);
            if (theirs->rtt_us == 0 || (path->rtt_us != 0 && theirs->rtt_us >= path->rtt_us)) continue;
            path->rtt_us = theirs->rtt_us;
            path->rttvar_us = theirs->rttvar_us;
            path->rto_us = theirs->rto_us;
        }
    }
}
