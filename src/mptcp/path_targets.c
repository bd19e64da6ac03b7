/* What became of the attempts to join. One that fails is tried again after 1, 2, 4 ... 60 s while the path stays; one that
 * the peer refuses for good (MP_TCPRST without T) only when there is news of the path or of the address. A path that fell
 * silent (silence.c) is tried every other second for a minute: it may be back at any moment, and nobody else will say
 * so. */
#include "subflow.h"

void path_targets_deinit(struct braid_connection *c) {
    array_release(c->env, c->paths.targets, c->paths.target_capacity, sizeof(c->paths.targets[0]));
}

struct join_target *path_target_find(struct braid_connection *c, uint8_t path_id, const struct ip_address *address,
                                     uint16_t port) {
    for (unsigned i = 0; i < c->paths.target_count; i++) {
        struct join_target *t = &c->paths.targets[i];
        if (t->path_id == path_id && t->port == port && ip_address_equal(&t->address, address)) return t;
    }
    return NULL;
}

/* NULL: there is no memory. */
static struct join_target *target_remember(struct braid_connection *c, uint8_t path_id,
                                           const struct ip_address *address, uint16_t port) {
    struct path_manager *p = &c->paths;
    struct join_target *t = path_target_find(c, path_id, address, port);
    if (t) return t;
    void *items = array_reserve(c->env, p->targets, &p->target_capacity, p->target_count, sizeof(p->targets[0]));
    if (items) p->targets = items;
    if (!items && p->target_count == 0) return NULL;
    /* Too many, or no memory: the one that was added first is forgotten. */
    if (!items || p->target_count == JOIN_TARGETS_MAX)
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

void path_target_failed(struct braid_connection *c, uint8_t path_id, const struct ip_address *address, uint16_t port,
                        bool for_good, braid_time now) {
    struct join_target *t = target_remember(c, path_id, address, port);
    if (!t) { /* tried again soon, for nothing will be known of this */
        braid_time at = now + NS_OF_MS(JOIN_RETRY_FIRST_MS);
        if (at < c->paths.ask_again_at) c->paths.ask_again_at = at;
        return;
    }
    if (t->failures >= JOIN_SILENT_TRIES) t->silent = false;
    braid_time wait = NS_OF_MS(JOIN_RETRY_FIRST_MS) << (t->failures < 6 ? t->failures : 6);
    if (t->silent) wait = NS_OF_MS(JOIN_SILENT_RETRY_MS);
    if (wait > NS_OF_MS(JOIN_RETRY_MAX_MS)) wait = NS_OF_MS(JOIN_RETRY_MAX_MS);
    t->failures++;
    t->not_before = for_good ? BRAID_NEVER : now + wait;
}

/* A path that lost too much is remembered while it is in service, too: if it does so again soon it waits longer. */
static void losing_again(struct subflow *sf, braid_time now) {
    struct join_target *t = target_remember(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port);
    if (!t) return;
    if (t->losing && t->joined_at > 0 && now - t->joined_at > NS_OF_MS(LOSING_FORGIVEN_MS)) t->failures = 0;
    t->losing = true;
}

/* [R-3.6-1] [R-3.6-2] */
void path_manager_failed(struct subflow *sf, braid_time now) {
    bool refused = sf->peer_reset && !sf->peer_reset_transient;
    bool prohibited = sf->peer_reset && sf->peer_reset_reason == MPTCP_RESET_PROHIBITED;
    /* A RST without the option is a closed port, or a middlebox: it may pass. */
    bool for_good = prohibited || (refused && sf->peer_reset_said);
    if (sf->closed_reason == TCP_CLOSED_NORMALLY) for_good = true; /* the peer did without it */
    if (sf->closed_reason == TCP_CLOSED_ABORTED && sf->reset_reason == MPTCP_RESET_MIDDLEBOX) for_good = true;
    if (refused && sf->status == SUBFLOW_CONNECTING) COUNT(sf->c, join_rejected_by_peer);
    if (losing_ended(sf)) losing_again(sf, now);
    path_target_failed(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port, for_good, now);
}

void path_manager_silent(struct subflow *sf, braid_time now) {
    struct join_target *t = target_remember(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port);
    if (!t) return;
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
    struct join_target *t = path_target_find(sf->c, sf->path_id, &sf->flow.remote, sf->flow.remote_port);
    if (t && t->losing) {
        t->joined_at = sf->c->now;
        t->not_before = 0;
        t->silent = false;
    } else if (t) {
        *t = sf->c->paths.targets[--sf->c->paths.target_count];
    }
}

static void forbid(const struct subflow *sf, uint16_t port) {
    struct join_target *t = target_remember(sf->c, sf->path_id, &sf->flow.remote, port);
    if (t) t->not_before = BRAID_NEVER;
}

/* One that the peer joined by might be opened again by us, to whichever port is known of that address. */
void path_target_forbid(const struct subflow *sf) {
    const struct braid_connection *c = sf->c;
    if (sf->ours) forbid(sf, sf->flow.remote_port);
    for (uint32_t i = 0; i < c->addresses.remote_count && !sf->ours && path_manager_acts(c); i++)
        if (ip_address_equal(&address_remote(c, i)->address, &sf->flow.remote)) forbid(sf, address_remote(c, i)->port);
}
