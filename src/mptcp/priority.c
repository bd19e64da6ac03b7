/* Backup or not: MP_PRIO (RFC 8684 §3.3.8). */
#include "subflow.h"
#include "version.h"

static void trace_priority(const struct subflow *sf, bool backup, const char *by, braid_time now) {
    TRACE(sf->c->env, now, subflow_priority, .connection = sf->c->config.number, .subflow = sf->number,
          .backup = backup, .by = by);
}

static void peer_wants(struct subflow *sf, bool backup, braid_time now) {
    if (sf->closed || sf->backup_there == backup) return;
    sf->backup_there = backup;
    trace_priority(sf, backup, "peer", now);
    connection_raise(sf->c, CONNECTION_PATHS);
}

/* [R-6824-3.3.8-1] RFC 6824's long form is for every subflow of an address of the peer's. RFC 8684 took it out, for whoever is
 * on one path can draw all data to it; in version 1 it counts for the subflow that brings it. */
void priority_arrived(struct subflow *sf, const struct mp_prio *option, braid_time now) {
    struct braid_connection *c = sf->c;
    COUNT(c, mp_prio_received);
    if (!option->has_address_id || !version_0(c)) {
        peer_wants(sf, option->backup, now);
        return;
    }
    LIST_EACH(&c->subflows, node, following)
        if (SUBFLOW_OF(node)->remote_id == option->address_id) peer_wants(SUBFLOW_OF(node), option->backup, now);
}

void priority_signal(struct subflow *sf) {
    sf->signals.prio = true;
    connection_wake(sf->c);
}

void priority_set(struct subflow *sf, bool backup, braid_time now) {
    struct braid_connection *c = sf->c;
    if (sf->backup_here == backup || sf->closed) return;
    sf->backup_here = backup;
    trace_priority(sf, backup, "us", now);
    if (c->mode == CONNECTION_MODE_MPTCP) priority_signal(sf);
    connection_raise(c, CONNECTION_PATHS);
}

void connection_path_backup(struct braid_connection *c, uint8_t address_id, bool backup, braid_time now) {
    c->now = now;
    if (c->config.path.address_id == address_id) c->config.path.backup = backup;
    LIST_EACH(&c->subflows, node, following)
        if (SUBFLOW_OF(node)->path_id == address_id) priority_set(SUBFLOW_OF(node), backup, now);
    if (c->config.path_manager->prioritises) c->paths.due = true;
}
