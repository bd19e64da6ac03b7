/* The host's news of its paths. A path that goes takes its subflows along, and what they had unacknowledged goes out on
 * the others at once. If none is left the connection waits for one to come (RFC 8684 §3.9, break before make). */
#include "subflow.h"

/* The first subflow's address went by 0, and is forgotten: the host has given its ID to another one. That one is not 0, and
 * not in use where nothing but the first is. */
static void first_forgotten(struct braid_connection *c, const struct local_path *path) {
    if (path->address_id != c->config.path.address_id || ip_address_equal(&path->address, &c->flow.local)) return;
    c->config.path.address_id = 0;
    if (c->config.bound) path_exclude_others(c, 0);
}

void connection_path_up(struct braid_connection *c, const struct local_path *path, braid_time now) {
    c->now = now;
    first_forgotten(c, path);
    addresses_path_back(c, path, now);
    path_manager_news(c, path->address_id);
    race_news(c, now);
    connection_wake(c);
}

void connection_path_wider(struct braid_connection *c, const struct local_path *path, bool announce, braid_time now) {
    c->now = now;
    if (announce) addresses_path_back(c, path, now);
    path_manager_news(c, path->address_id);
    connection_wake(c);
}

/* Only where another path may take over is a subflow given up: plain TCP, and a connection too young to be joined,
 * keep theirs, for the address may come back in time. */
static bool replaceable(const struct braid_connection *c) {
    return c->mode == CONNECTION_MODE_MPTCP && c->confirmed;
}

void connection_path_down(struct braid_connection *c, uint8_t address_id, braid_time now) {
    bool lost = false;
    c->now = now;
    path_manager_news(c, address_id);
    race_news(c, now);
    if (!replaceable(c)) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->path_id != address_id) continue;
        if (!sf->closed) {
            TRACE(c->env, now, subflow_closed, .connection = c->config.number, .subflow = sf->number,
                  .reason = "path down");
            reinject_gone(sf, "path down", now, now);
        }
        subflow_destroy(sf);
        lost = true;
    }
    addresses_path_gone(c, address_id, now);
    if (lost) window_subflows_changed(c, false);
    connection_raise(c, CONNECTION_PATHS);
}

void connection_path_mtu(struct braid_connection *c, uint8_t address_id, uint32_t mtu_bytes, braid_time now) {
    c->now = now;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->path_id == address_id && !sf->closed) tcp_set_mtu(sf->t, mtu_bytes);
    }
    connection_wake(c);
}
