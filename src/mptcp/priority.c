/* Backup or not: MP_PRIO (RFC 8684 §3.3.8). */
#include "subflow.h"

static void trace_priority(const struct subflow *sf, bool backup, const char *by, braid_time now) {
    TRACE(sf->c->env, now, subflow_priority, .connection = sf->c->config.number, .subflow = sf->number,
          .backup = backup, .by = by);
}

void priority_arrived(struct subflow *sf, const struct mp_prio *option, braid_time now) {
    COUNT(sf->c, mp_prio_received);
    if (sf->backup_there == option->backup) return;
    sf->backup_there = option->backup;
    trace_priority(sf, option->backup, "peer", now);
    connection_raise(sf->c, CONNECTION_PATHS);
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
