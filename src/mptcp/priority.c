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

bool path_stands_by(const struct braid_connection *c, const struct local_path *path) {
    const struct path_meter *meter = path->meter;
    if (path->backup) return true;
    /* The peer's scheduler is told of the price in the only words there are for it. */
    return meter && (meter->near || (meter->metered && c->config.scheduler->spares_metered));
}

static bool costs(const struct subflow *sf) {
    const struct path_meter *meter = sf->path_meter;
    return meter && (meter->near || (meter->metered && sf->c->config.scheduler->spares_metered));
}

/* The host wants it to stand by, whatever the others cost. */
static bool wished_backup(const struct subflow *sf, const struct local_path *paths, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (paths[i].address_id == sf->path_id && paths[i].link == sf->link) return paths[i].backup;
    return false;
}

/* A peer knows regular subflows and backups, and would take those that cost for as good as any other backup. So where no
 * regular one works, the backups that cost nothing are said to be regular. */
void priority_spare(struct braid_connection *c, braid_time now) {
    struct local_path paths[LOCAL_PATHS_MAX];
    bool costly = false, regular = false;
    LIST_EACH(&c->subflows, node, following)
        if (subflow_carries(SUBFLOW_OF(node))) costly |= costs(SUBFLOW_OF(node));
    if (!costly && !c->paths.spares) return;
    c->paths.spares = costly;
    size_t count = c->config.host_ops->paths(c->config.host, paths, LOCAL_PATHS_MAX);
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!subflow_carries(sf)) continue;
        regular |= !costs(sf) && sf->status == SUBFLOW_ACTIVE && !wished_backup(sf, paths, count);
    }
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!subflow_carries(sf) || costs(sf) || sf->backup_by_program || !wished_backup(sf, paths, count)) continue;
        priority_set(sf, regular || !costly, now);
    }
}

void connection_path_backup(struct braid_connection *c, const struct local_path *path, braid_time now) {
    bool backup = path_stands_by(c, path);
    c->now = now;
    if (c->config.path.address_id == path->address_id) c->config.path.backup = path->backup;
    LIST_EACH(&c->subflows, node, following)
        if (SUBFLOW_OF(node)->path_id == path->address_id) priority_set(SUBFLOW_OF(node), backup, now);
    c->paths.due = true;
    connection_wake(c);
}

void connection_path_terms(struct braid_connection *c, const struct local_path *path, braid_time now) {
    bool backup = path_stands_by(c, path);
    c->now = now;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->path_id != path->address_id) continue;
        sf->weight = path->weight;
        if (!sf->backup_by_program) priority_set(sf, backup, now);
    }
    path_manager_news(c, path->address_id); /* a cap that was raised makes it a path again */
    connection_wake(c);
}
