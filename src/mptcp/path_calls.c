/* Paths driven by the program: subflows added, removed and given priority one by one, and local addresses kept out of a
 * connection and taken in again (RFC 6897 §5.3.1). */
#include "subflow.h"

static struct subflow *of_number(const struct braid_connection *c, uint64_t number) {
    LIST_EACH(&c->subflows, node, following)
        if (SUBFLOW_OF(node)->number == number && !SUBFLOW_OF(node)->closed) return SUBFLOW_OF(node);
    return NULL;
}

/* The address ID by which the peer announced it; unknown ones go by 0, and are joined all the same. */
static uint8_t remote_id_of(const struct braid_connection *c, const struct ip_address *remote, uint16_t port) {
    for (unsigned i = 0; i < c->addresses.remote_count; i++) {
        const struct remote_address *known = address_remote(c, i);
        if (known->port == port && ip_address_equal(&known->address, remote)) return known->id;
    }
    return 0;
}

enum connection_path_result connection_subflow_open(struct braid_connection *c, const struct local_path *path,
                                                    const struct ip_address *remote, uint16_t remote_port,
                                                    uint64_t *number, braid_time now) {
    struct remote_address to = {0, c->flow.remote, c->flow.remote_port};
    c->now = now;
    if (c->mode != CONNECTION_MODE_MPTCP || !c->confirmed || connection_over(c)) return CONNECTION_PATH_NOT_NOW;
    if (remote) to = (struct remote_address){remote_id_of(c, remote, remote_port), *remote, remote_port};
    if (path->address.family != to.address.family || path_forbidden(c, &to)) return CONNECTION_PATH_UNUSABLE;
    if (path_places_taken(c) >= c->config.subflows_max) return CONNECTION_PATH_LIMIT;
    *number = c->subflow_next_number;
    if (!join_open(c, path, &to, now)) return CONNECTION_PATH_NO_MEMORY;
    of_number(c, *number)->backup_by_program = true;
    connection_wake(c);
    return CONNECTION_PATH_OK;
}

static bool another_in_service(const struct subflow *sf) {
    LIST_EACH(&sf->c->subflows, node, following)
        if (SUBFLOW_OF(node) != sf && subflow_carries(SUBFLOW_OF(node))) return true;
    return false;
}

bool connection_subflow_close(struct braid_connection *c, uint64_t number, braid_time now) {
    struct subflow *sf = of_number(c, number);
    c->now = now;
    if (!sf || connection_linear(c) || !another_in_service(sf)) return false;
    if (sf->retiring) return true;
    path_target_forbid(sf);
    subflow_dismiss(sf, now);
    connection_wake(c);
    return true;
}

bool connection_subflow_backup(struct braid_connection *c, uint64_t number, bool backup, braid_time now) {
    struct subflow *sf = of_number(c, number);
    c->now = now;
    if (!sf) return false;
    sf->backup_by_program = true;
    priority_set(sf, backup, now);
    return true;
}

static void exclude(struct braid_connection *c, uint8_t path_id, bool excluded) {
    uint8_t bit = (uint8_t)(1u << (path_id % 8));
    if (excluded) c->paths.excluded[path_id / 8] |= bit;
    else c->paths.excluded[path_id / 8] &= (uint8_t)~bit;
}

void path_exclude_others(struct braid_connection *c, uint8_t path_id) {
    memset(c->paths.excluded, 0xff, sizeof(c->paths.excluded));
    exclude(c, path_id, false);
}

static bool in_use(const struct braid_connection *c, uint8_t path_id) {
    LIST_EACH(&c->subflows, node, following)
        if (SUBFLOW_OF(node)->path_id == path_id && !SUBFLOW_OF(node)->closed) return true;
    return false;
}

void connection_path_use(struct braid_connection *c, uint8_t address_id, bool use, braid_time now) {
    struct local_path paths[LOCAL_PATHS_MAX];
    c->now = now;
    if (path_excluded(c, address_id) != use) return;
    exclude(c, address_id, !use);
    path_manager_news(c, address_id);
    size_t count = use ? c->config.host_ops->paths(c->config.host, paths, LOCAL_PATHS_MAX) : 0;
    for (size_t i = 0; i < count; i++)
        if (paths[i].address_id == address_id) addresses_path_back(c, &paths[i], now);
    /* Of one in use the peer is told when its subflows end (path_manager.c). */
    if (!use && !in_use(c, address_id)) addresses_path_gone(c, address_id, now);
    connection_wake(c);
}
