/* Which subflows there should be. The client's policy is the full mesh: from each of its paths to the peer's first
 * address and to those announced, of the same family, one subflow each. A join that fails is tried again after 1, 2, 4
 * ... 60 s while the path stays; one that the peer refuses for good (MP_TCPRST without T) only when there is news of
 * the path or of the address. A path that fell silent (silence.c) is tried every other second for a minute: it may be
 * back at any moment, and nobody else will say so.
 *
 * A path that goes takes its subflows along, and what they had unacknowledged goes out on the others at once. If none
 * is left the connection waits for one to come (RFC 8684 §3.9, break before make). */
#include "subflow.h"

enum { LOCAL_PATHS_MAX = 64 };

void path_manager_init(struct braid_connection *c) { c->paths.no_path_deadline = BRAID_NEVER; }

/* --- attempts remembered --- */

static struct join_target *target_find(struct braid_connection *c, uint8_t path_id, const struct ip_address *address,
                                       uint16_t port) {
    for (unsigned i = 0; i < c->paths.target_count; i++) {
        struct join_target *t = &c->paths.targets[i];
        if (t->path_id == path_id && t->port == port && ip_address_equal(&t->address, address)) return t;
    }
    return NULL;
}

static struct join_target *target_remember(struct braid_connection *c, uint8_t path_id,
                                           const struct ip_address *address, uint16_t port) {
    struct path_manager *p = &c->paths;
    struct join_target *t = target_find(c, path_id, address, port);
    if (t) return t;
    /* Too many: the one that was added first is forgotten. */
    if (p->target_count == JOIN_TARGETS_MAX)
        memmove(p->targets, p->targets + 1, --p->target_count * sizeof(p->targets[0]));
    t = &p->targets[p->target_count++];
    *t = (struct join_target){.path_id = path_id, .address = *address, .port = port};
    return t;
}

void path_manager_news(struct braid_connection *c, uint8_t path_id) {
    struct path_manager *p = &c->paths;
    for (unsigned i = 0; i < p->target_count; i++) {
        if (p->targets[i].path_id == path_id) p->targets[i--] = p->targets[--p->target_count];
    }
    p->due = true;
}

void path_manager_address_news(struct braid_connection *c, const struct ip_address *address, uint16_t port) {
    struct path_manager *p = &c->paths;
    for (unsigned i = 0; i < p->target_count; i++) {
        if (p->targets[i].port == port && ip_address_equal(&p->targets[i].address, address))
            p->targets[i--] = p->targets[--p->target_count];
    }
    p->due = true;
    connection_wake(c);
}

static void target_failed(struct braid_connection *c, uint8_t path_id, const struct ip_address *address, uint16_t port,
                          bool for_good, braid_time now) {
    struct join_target *t = target_remember(c, path_id, address, port);
    if (t->failures >= JOIN_SILENT_TRIES) t->silent = false;
    braid_time wait = NS_OF_MS(JOIN_RETRY_FIRST_MS) << (t->failures < 6 ? t->failures : 6);
    if (t->silent) wait = NS_OF_MS(JOIN_SILENT_RETRY_MS);
    if (wait > NS_OF_MS(JOIN_RETRY_MAX_MS)) wait = NS_OF_MS(JOIN_RETRY_MAX_MS);
    t->failures++;
    t->not_before = for_good ? BRAID_NEVER : now + wait;
}

/* [R-3.6-1] [R-3.6-2] */
void path_manager_failed(struct subflow *sf, braid_time now) {
    bool refused = sf->peer_reset && !sf->peer_reset_transient;
    bool prohibited = sf->peer_reset && sf->peer_reset_reason == MPTCP_RESET_PROHIBITED;
    /* A RST without a reason is a closed port, or a middlebox: it may pass. */
    bool for_good = prohibited || (refused && sf->peer_reset_reason != MPTCP_RESET_UNSPECIFIED);
    if (sf->closed_reason == TCP_CLOSED_NORMALLY) for_good = true; /* the peer did without it */
    if (sf->closed_reason == TCP_CLOSED_ABORTED && sf->reset_reason == MPTCP_RESET_MIDDLEBOX) for_good = true;
    if (refused && sf->status == SUBFLOW_CONNECTING) COUNT(sf->c, join_rejected_by_peer);
    target_failed(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port, for_good, now);
}

void path_manager_silent(struct subflow *sf, braid_time now) {
    struct join_target *t = target_remember(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port);
    t->silent = true;
    t->not_before = now + NS_OF_MS(JOIN_SILENT_RETRY_MS);
}

bool path_manager_is_silent(const struct braid_connection *c, uint8_t path_id) {
    for (unsigned i = 0; i < c->paths.target_count; i++)
        if (c->paths.targets[i].path_id == path_id && c->paths.targets[i].silent) return true;
    return false;
}

void path_manager_joined(struct subflow *sf) {
    addresses_joined(sf);
    struct join_target *t = target_find(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port);
    if (t) *t = sf->c->paths.targets[--sf->c->paths.target_count];
}

/* --- joining --- */

static bool joins_allowed(const struct braid_connection *c) {
    return c->client && c->config.path_policy == PATH_POLICY_FULLMESH && c->mode == CONNECTION_MODE_MPTCP &&
           /* [R-3.1-10] */
           c->confirmed && !connection_over(c) && !(c->receive.fin_reached && c->send.fin_acknowledged);
}

static bool connected(const struct braid_connection *c, const struct local_path *path,
                      const struct remote_address *to) {
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!sf->closed && sf->path_id == path->address_id && sf->link == path->link &&
            sf->flow.remote_port == to->port && ip_address_equal(&sf->flow.remote, &to->address))
            return true;
    }
    return false;
}

/* [R-3.9.1-1] */
static void join_if_missing(struct braid_connection *c, const struct local_path *path, const struct remote_address *to,
                            braid_time now) {
    if (path->address.family != to->address.family || connected(c, path, to)) return;
    if (path_used_up(path)) return;
    if (ip_address_is_link_local(&path->address) != ip_address_is_link_local(&to->address)) return;
    if (to->id == 0 && c->no_join_to_first) return; /* [R-3.1-14] */
    const struct join_target *t = target_find(c, path->address_id, &to->address, to->port);
    if (t && t->not_before > now) return; /* [R-3.4.1-9] [R-3.9.3-3] */
    if (subflow_live_count(c) >= c->config.subflows_max) return;
    if (!join_open(c, path, to, now)) target_failed(c, path->address_id, &to->address, to->port, false, now);
}

void path_manager_run(struct braid_connection *c, braid_time now) {
    struct local_path paths[LOCAL_PATHS_MAX];
    c->paths.due = false;
    if (subflow_live_count(c) == 0 && c->established && !connection_over(c)) {
        braid_time wait = c->config.user_timeout_ns > 0 ? c->config.user_timeout_ns : NS_OF_MS(NO_PATH_TIMEOUT_MS);
        if (c->paths.no_path_deadline == BRAID_NEVER) c->paths.no_path_deadline = now + wait;
    }
    if (!joins_allowed(c)) return;
    size_t count = c->config.host_ops->paths(c->config.host, paths, LOCAL_PATHS_MAX);
    for (size_t i = 0; i < count; i++) {
        for (unsigned j = 0; j < c->addresses.remote_count; j++)
            join_if_missing(c, &paths[i], &c->addresses.remote[j], now);
    }
}

braid_time path_manager_deadline(const struct braid_connection *c) {
    braid_time earliest = c->paths.no_path_deadline;
    if (!joins_allowed(c)) return earliest;
    for (unsigned i = 0; i < c->paths.target_count; i++) {
        braid_time due = c->paths.targets[i].not_before;
        if (due > 0 && due < earliest) earliest = due;
    }
    return earliest;
}

void path_manager_expire(struct braid_connection *c, braid_time now) {
    if (c->paths.no_path_deadline <= now) {
        c->paths.no_path_deadline = BRAID_NEVER;
        closing_fail(c, CONNECTION_TIMED_OUT, now);
        return;
    }
    for (unsigned i = 0; i < c->paths.target_count; i++) {
        if (c->paths.targets[i].not_before == 0 || c->paths.targets[i].not_before > now) continue;
        c->paths.targets[i].not_before = 0;
        c->paths.due = true;
    }
}

/* --- the host's news --- */

void connection_path_up(struct braid_connection *c, const struct local_path *path, braid_time now) {
    c->now = now;
    addresses_path_back(c, path, now);
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
