/* What each end knows of the other's addresses: ADD_ADDR and REMOVE_ADDR (RFC 8684 §3.4). */
#include "subflow.h"
#include "version.h"

#include <crypto/mptcp_keys.h>

/* In a connection the address of the first subflow goes by ID 0 (§3.2). */
/* [R-3.4.1-2] */
uint8_t address_local_id(const struct braid_connection *c, uint8_t path_id) {
    return path_id == c->config.path.address_id ? 0 : path_id;
}

void addresses_deinit(struct braid_connection *c) {
    struct addresses *a = &c->addresses;
    array_release(c->env, a->further, a->further_capacity, sizeof(a->further[0]));
    array_release(c->env, a->announced, a->announced_capacity, sizeof(a->announced[0]));
    array_release(c->env, a->removals, a->removal_capacity, sizeof(a->removals[0]));
}

const struct remote_address *address_remote(const struct braid_connection *c, uint32_t index) {
    return index == 0 ? &c->addresses.first : &c->addresses.further[index - 1];
}

static bool id_is_used(const struct braid_connection *c, uint8_t id) {
    return id == 0 || (c->addresses.used_ids[id / 8] >> (id % 8) & 1);
}

void address_id_used(struct braid_connection *c, uint8_t local_id) {
    c->addresses.used_ids[local_id / 8] |= (uint8_t)(1u << (local_id % 8));
}

/* --- ours, announced --- */

static uint64_t hmac_of(uint64_t from, uint64_t to, const struct add_addr *a) {
    return mptcp_add_addr_hmac(from, to, a->address_id, a->address.bytes, a->address.family == IP_V4 ? 4 : 16,
                               a->has_port ? a->port : 0);
}

/* Without memory it is not announced, and the peer does without. */
static struct announcement *announcement_add(struct braid_connection *c) {
    struct addresses *a = &c->addresses;
    if (a->announced_count == ANNOUNCEMENTS_MAX) return NULL;
    void *items = array_reserve(c->env, a->announced, &a->announced_capacity, a->announced_count, sizeof(a->announced[0]));
    if (!items) return NULL;
    a->announced = items;
    return &a->announced[a->announced_count++];
}

static void announce(struct braid_connection *c, const struct local_path *path, braid_time now) {
    struct addresses *a = &c->addresses;
    uint8_t id = address_local_id(c, path->address_id);
    if (!path->announce || id == 0 || path_excluded(c, path->address_id) || c->mode != CONNECTION_MODE_MPTCP) return;
    struct announcement *entry = NULL;
    for (uint32_t i = 0; i < a->announced_count; i++) {
        if (a->announced[i].id == id) entry = &a->announced[i];
    }
    if (!entry) entry = announcement_add(c);
    if (!entry) return;
    *entry = (struct announcement){.id = id, .address = path->address, .port = path->announce_port, .due = now};
    address_id_used(c, id);
    connection_wake(c);
}

void addresses_announce_all(struct braid_connection *c, braid_time now) {
    struct local_path paths[ANNOUNCEMENTS_MAX];
    size_t count = c->config.host_ops->paths(c->config.host, paths, ANNOUNCEMENTS_MAX);
    /* Those of the connection's own family first: a peer may be able to join by no others. */
    for (int other = 0; other < 2; other++) {
        for (size_t i = 0; i < count; i++) {
            if ((paths[i].address.family != c->config.path.address.family) == other) announce(c, &paths[i], now);
        }
    }
}

static unsigned announcement_times(const struct braid_connection *c) {
    return version_0(c) ? ADD_ADDR_V0_TIMES : ADD_ADDR_TRIES;
}

static braid_time announcement_wait(const struct braid_connection *c, const struct announcement *a) {
    braid_time wait = NS_OF_MS(ADD_ADDR_RETRY_MS);
    for (unsigned i = 1; i < a->tries && wait < NS_OF_MS(ADD_ADDR_RETRY_MAX_MS) && !version_0(c); i++) wait *= 2;
    return wait < NS_OF_MS(ADD_ADDR_RETRY_MAX_MS) ? wait : NS_OF_MS(ADD_ADDR_RETRY_MAX_MS);
}

/* What an ACK could not carry for a long time (a peer that says nothing is not said much) is repeated from then on. */
void addresses_announcement_written(struct braid_connection *c, const struct add_addr *option) {
    char text[IP_ADDRESS_TEXT_MAX];
    TRACE(c->env, c->now, address_announced, .connection = c->config.number, .address_id = option->address_id,
          .address = ip_address_format(&option->address, text), .by = "us");
    for (unsigned i = 0; i < c->addresses.announced_count; i++) {
        struct announcement *a = &c->addresses.announced[i];
        if (a->id != option->address_id || a->due == BRAID_NEVER) continue;
        a->said_at = c->now;
        a->due = c->now + announcement_wait(c, a);
    }
}

/* The best that has nothing to announce yet. */
static struct subflow *announcer(const struct braid_connection *c) {
    struct subflow *sf = subflow_best(c, UINT64_MAX);
    if (sf && sf->signals.announce) sf = subflow_best(c, sf->number);
    return sf && !sf->signals.announce ? sf : NULL;
}

/* One after the other, each when the one before was echoed or has had the time to be: Linux drops an ADD_ADDR that comes
 * while its worker has another one in hand, and by the time it is repeated a short transfer is over. */
static void announcement_assign(struct braid_connection *c, struct announcement *a, braid_time now) {
    struct subflow *sf = announcer(c);
    struct tcp_info info;
    if (!sf) return;
    struct add_addr option = {.address_id = a->id, .address = a->address, .has_port = a->port != 0, .port = a->port};
    option.hmac = hmac_of(c->keys.local, c->keys.remote, &option);
    sf->signals.announce = true;
    sf->signals.announcement = option;
    tcp_info(sf->t, &info);
    c->addresses.announce_turn = now + 2 * subflow_rtt(&info) + NS_OF_MS(ADD_ADDR_TURN_MS);
    a->said_at = now;
    a->tries++;
    sf->signals.announce_whole = a->tries % ADD_ADDR_PLAIN_EVERY != 0 && (a->tries < announcement_times(c) || !version_0(c));
    a->due = a->tries < announcement_times(c) ? now + announcement_wait(c, a) : BRAID_NEVER; /* [R-3.4.1-15] */
}

/* A path that was silent is back, or there is another one: what has no echo may never have got through. */
void addresses_subflow_up(struct braid_connection *c, braid_time now) {
    struct addresses *known = &c->addresses;
    for (unsigned i = 0; i < known->announced_count && !version_0(c); i++) {
        struct announcement *a = &known->announced[i];
        braid_time soon = a->said_at + NS_OF_MS(ADD_ADDR_RETRY_MS);
        if (a->echoed || a->tries == 0) continue;
        if (a->tries == ADD_ADDR_TRIES) a->tries--;
        if (soon < now) soon = now;
        if (soon < a->due) a->due = soon;
    }
    connection_wake(c);
}

void addresses_announcement_shorten(const struct braid_connection *c, struct add_addr *option) {
    option->has_port = false;
    option->port = 0;
    option->hmac = hmac_of(c->keys.local, c->keys.remote, option);
}

static void echo_arrived(struct braid_connection *c, const struct add_addr *option) {
    bool known = false;
    COUNT(c, add_addr_echo_received);
    for (unsigned i = 0; i < c->addresses.announced_count; i++) {
        struct announcement *a = &c->addresses.announced[i];
        if (a->id != option->address_id) continue;
        known = true;
        if (!a->echoed) c->addresses.announce_turn = 0;
        a->echoed = true;
        a->due = BRAID_NEVER;
    }
    if (!known) COUNT(c, add_addr_echo_unknown);
    LIST_EACH(&c->subflows, node, following) {
        struct signals *s = &SUBFLOW_OF(node)->signals;
        if (s->announce && s->announcement.address_id == option->address_id) s->announce = false;
    }
    connection_wake(c);
}

/* --- ours, removed --- */

static void removal_forget(struct braid_connection *c, uint8_t id) {
    struct addresses *a = &c->addresses;
    for (unsigned i = 0; i < a->removal_count; i++) {
        if (a->removals[i].id == id) a->removals[i--] = a->removals[--a->removal_count];
    }
    LIST_EACH(&c->subflows, node, following) {
        struct signals *s = &SUBFLOW_OF(node)->signals;
        for (unsigned i = 0; i < s->remove_count; i++) {
            if (s->remove_ids[i] == id) s->remove_ids[i--] = s->remove_ids[--s->remove_count];
        }
    }
}

/* [R-3.4.2-1] [R-3.4.2-2] */
void addresses_path_gone(struct braid_connection *c, uint8_t path_id, braid_time now) {
    struct addresses *a = &c->addresses;
    uint8_t id = address_local_id(c, path_id);
    for (unsigned i = 0; i < a->announced_count; i++) {
        if (a->announced[i].id == id) a->announced[i--] = a->announced[--a->announced_count];
    }
    if (!id_is_used(c, id) || c->mode != CONNECTION_MODE_MPTCP) return;
    removal_forget(c, id);
    if (a->removal_count == REMOVALS_MAX) return;
    void *items = array_reserve(c->env, a->removals, &a->removal_capacity, a->removal_count, sizeof(a->removals[0]));
    if (!items) return; /* the peer finds out when it uses the address */
    a->removals = items;
    a->removals[a->removal_count++] = (struct removal){.id = id, .times_left = REMOVE_ADDR_TIMES, .due = now};
    TRACE(c->env, now, address_removed, .connection = c->config.number, .address_id = id, .by = "us");
}

void addresses_joined(struct subflow *sf) { removal_forget(sf->c, sf->local_id); }

/* It must not be said of an address that is there again. */
void addresses_path_back(struct braid_connection *c, const struct local_path *path, braid_time now) {
    removal_forget(c, address_local_id(c, path->address_id));
    if (c->confirmed) announce(c, path, now);
}

static bool has_room_for_removal(const struct subflow *sf) { return sf->signals.remove_count < SIGNAL_IDS_MAX; }

/* On another subflow than the last time, if there is one. */
static struct subflow *removal_subflow(const struct braid_connection *c, const struct removal *r) {
    return subflow_best(c, r->last_subflow > 0 ? r->last_subflow - 1 : UINT64_MAX);
}

static void removal_assign(struct braid_connection *c, struct removal *r, braid_time now) {
    struct subflow *sf = removal_subflow(c, r);
    struct tcp_info info;
    if (!sf || !has_room_for_removal(sf)) return;
    sf->signals.remove_ids[sf->signals.remove_count++] = r->id;
    sf->signals.acks_in_a_row = 0;
    tcp_info(sf->t, &info);
    r->last_subflow = sf->number + 1;
    r->times_left--;
    r->due = now + 2 * subflow_rtt(&info);
}

/* Gives what is due to subflows to say. */
void addresses_assign(struct braid_connection *c, braid_time now) {
    struct addresses *a = &c->addresses;
    if (c->mode != CONNECTION_MODE_MPTCP || !c->confirmed || connection_over(c)) return;
    for (unsigned i = 0; i < a->removal_count; i++) {
        if (a->removals[i].due <= now) removal_assign(c, &a->removals[i], now);
        if (a->removals[i].times_left == 0) a->removals[i--] = a->removals[--a->removal_count];
    }
    for (unsigned i = 0; i < a->announced_count; i++) {
        if (a->announced[i].due <= now && a->announce_turn <= now) announcement_assign(c, &a->announced[i], now);
    }
}

braid_time addresses_deadline(const struct braid_connection *c) {
    const struct addresses *a = &c->addresses;
    braid_time earliest = BRAID_NEVER;
    if (a->removal_count == 0 && a->announced_count == 0) return BRAID_NEVER;
    if (c->mode != CONNECTION_MODE_MPTCP || !c->confirmed || connection_over(c)) return BRAID_NEVER;
    for (unsigned i = 0; i < a->removal_count; i++) {
        const struct subflow *sf = removal_subflow(c, &a->removals[i]);
        if (sf && has_room_for_removal(sf) && a->removals[i].due < earliest) earliest = a->removals[i].due;
    }
    if (!announcer(c)) return earliest; /* what there is to say yet is said when it may be */
    for (unsigned i = 0; i < a->announced_count; i++) {
        braid_time due = a->announced[i].due > a->announce_turn ? a->announced[i].due : a->announce_turn;
        if (due < earliest) earliest = due;
    }
    return earliest;
}

/* --- theirs --- */

/* Somebody can be reached there, for all we know. */
static bool usable(const struct add_addr *option) {
    return ip_address_is_unicast(&option->address) && !(option->has_port && option->port == 0);
}

/* [R-3.2-1] [R-3.4.1-3] False: there is no memory, so it is not echoed, and said again. */
static bool remember(struct braid_connection *c, const struct add_addr *option, uint16_t port) {
    struct addresses *a = &c->addresses;
    struct remote_address fresh = {option->address_id, option->address, port};
    for (uint32_t i = 1; i < a->remote_count; i++) {
        struct remote_address *known = &a->further[i - 1];
        if (known->id != option->address_id) continue;
        /* [R-3.4.1-10] [R-3.4.1-12] §3.4.1: an ID in use keeps its address; the port may be another one. */
        if (!ip_address_equal(&known->address, &option->address)) {
            COUNT(c, add_addr_id_in_use);
            return true;
        }
        *known = fresh; /* [R-3.4.1-11] */
        path_manager_address_news(c, &fresh.address, port);
        return true;
    }
    unsigned most = c->config.limits.add_addr_accepted;
    if (version_0(c) && most > ADDRESSES_V0_MAX) most = ADDRESSES_V0_MAX;
    if (a->remote_count > most || a->remote_count == REMOTE_ADDRESSES_MAX) {
        COUNT(c, add_addr_over_limit);
        return true;
    }
    if (option->address_id == 0) {
        COUNT(c, add_addr_id_in_use); /* the first subflow's */
        return true;
    }
    if (a->remote_count == 0) return false;
    void *items = array_reserve(c->env, a->further, &a->further_capacity, a->remote_count - 1, sizeof(a->further[0]));
    if (!items) return false;
    a->further = items;
    a->further[a->remote_count++ - 1] = fresh;
    path_manager_address_news(c, &fresh.address, port);
    return true;
}

/* Few connections ever owe one. False: no memory. */
static bool echoes_reserve(const struct braid_connection *c, struct signals *s) {
    const struct braid_env *env = c->env;
    if (s->echoes == NULL) s->echoes = env->allocate(env->context, SIGNAL_ECHOES_MAX * sizeof(s->echoes[0]));
    return s->echoes != NULL;
}

void addresses_echoes_release(struct subflow *sf) {
    struct signals *s = &sf->signals;
    const struct braid_env *env = sf->c->env;
    if (s->echoes != NULL) env->release(env->context, s->echoes, SIGNAL_ECHOES_MAX * sizeof(s->echoes[0]));
    s->echoes = NULL;
    s->echo_count = 0;
}

/* Version 0 has none. What cannot be noted now the peer asks again. */
static void echo(struct subflow *sf, const struct add_addr *option) {
    struct signals *s = &sf->signals;
    if (version_0(sf->c)) return;
    for (unsigned i = 0; i < s->echo_count; i++) {
        if (s->echoes[i].address_id == option->address_id) return;
    }
    if (s->echo_count == SIGNAL_ECHOES_MAX || !echoes_reserve(sf->c, s)) return;
    s->echoes[s->echo_count] = *option;
    s->echoes[s->echo_count].echo = true;
    s->echo_count++;
    connection_wake(sf->c);
}

/* Version 0: an ADD_ADDR without an HMAC might be anybody's who guesses ports and a sequence number, and would lead our
 * joins to him (RFC 7430 §3.1). What he cannot see is how far our data is acknowledged: without a DATA_ACK that could be
 * the peer's next one it is not believed. [R-6824-3.4.1-2] [R-6824-5-1] */
static bool vouched(struct subflow *sf, const struct tcp_segment *segment) {
    const struct sending *s = &sf->c->send;
    struct mptcp_option option;
    if (!arrival_find(sf, segment, MPTCP_DSS, &option) || !option.as.dss.has_data_ack) return false;
    const struct dss *dss = &option.as.dss;
    dsn64 ack = dss->data_ack_64 ? dsn64_of(dss->data_ack) : dsn64_expand(s->una, (uint32_t)dss->data_ack);
    return dsn64_ge(ack, s->una) && dsn64_le(ack, dsn64_add(s->nxt, s->data_fin_sent ? 1 : 0));
}

static bool genuine(struct subflow *sf, const struct tcp_segment *segment, const struct add_addr *option) {
    struct braid_connection *c = sf->c;
    if (version_0(c)) {
        if (vouched(sf, segment)) return true;
        COUNT(c, add_addr_not_vouched);
        return false;
    }
    uint64_t expected = hmac_of(c->keys.remote, c->keys.local, option);
    if (crypto_equal(&expected, &option->hmac, sizeof(expected))) return true;
    COUNT(c, add_addr_bad_hmac); /* [R-3.4.1-6] */
    return false;
}

void addresses_add_arrived(struct subflow *sf, const struct tcp_segment *segment, const struct add_addr *option,
                           braid_time now) {
    struct braid_connection *c = sf->c;
    char text[IP_ADDRESS_TEXT_MAX];
    if (option->echo) {
        echo_arrived(c, option);
        return;
    }
    COUNT(c, add_addr_received);
    if (!genuine(sf, segment, option)) return;
    if (!usable(option)) {
        COUNT(c, add_addr_unusable);
        echo(sf, option);
        return;
    }
    TRACE(c->env, now, address_announced, .connection = c->config.number, .address_id = option->address_id,
          .address = ip_address_format(&option->address, text), .by = "peer");
    if (remember(c, option, option->has_port ? option->port : sf->flow.remote_port)) echo(sf, option); /* [R-3.4.1-5] */
}

/* Twice as long for each, for one may be lost, and so may its answer. */
static void disowned_probe(struct subflow *sf, braid_time now) {
    struct tcp_info info;
    tcp_info(sf->t, &info);
    braid_time wait = 2 * subflow_rtt(&info);
    if (wait < NS_OF_MS(REMOVE_PROBE_MIN_MS)) wait = NS_OF_MS(REMOVE_PROBE_MIN_MS);
    sf->disowned_until = now + (wait << sf->disowned_probes++);
    tcp_probe(sf->t);
}

/* [R-3.4.2-3] [R-3.4.2-4] [R-6824-3.4.2-1] */
/* §3.4.2: a peer that answers a probe has not lost the address. Until then nothing is trusted to the subflow: what it
 * had goes out on the others at once. */
static void disown(struct subflow *sf, const struct subflow *told_on, braid_time now) {
    struct tcp_info info;
    tcp_info(told_on->t, &info);
    braid_time half = subflow_rtt(&info) / 2, cut_at = now > half ? now - half : 0;
    sf->disowned_at = now;
    sf->disowned_probes = 0;
    if (sf->status == SUBFLOW_ACTIVE) subflow_set_status(sf, SUBFLOW_SUSPECTED, now);
    reinject_cut(sf, "REMOVE_ADDR", cut_at, now);
    disowned_probe(sf, now);
}

static bool remove_one(const struct subflow *told_on, uint8_t id, braid_time now) {
    struct braid_connection *c = told_on->c;
    struct addresses *a = &c->addresses;
    bool known = false;
    for (unsigned i = 1; i < a->remote_count; i++) {
        if (a->further[i - 1].id != id) continue;
        a->further[i-- - 1] = a->further[--a->remote_count - 1]; /* [R-3.4.2-5] */
        known = true;
    }
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed || sf->remote_id != id) continue;
        known = true;
        if (sf->disowned_until == BRAID_NEVER) disown(sf, told_on, now);
    }
    return known;
}

void addresses_remove_arrived(struct subflow *sf, const struct remove_addr *option, braid_time now) {
    struct braid_connection *c = sf->c;
    COUNT(c, remove_addr_received);
    for (unsigned i = 0; i < option->count; i++) {
        uint8_t id = option->address_ids[i];
        if (remove_one(sf, id, now))
            TRACE(c->env, now, address_removed, .connection = c->config.number, .address_id = id, .by = "peer");
        else
            COUNT(c, remove_addr_unknown); /* [R-3.8-3] */
    }
}

void addresses_disowned_expire(struct subflow *sf, braid_time now) {
    struct tcp_info info;
    if (sf->disowned_until > now) return;
    tcp_info(sf->t, &info);
    if (info.last_received_at > sf->disowned_at) {
        sf->disowned_until = BRAID_NEVER;
        if (sf->status == SUBFLOW_SUSPECTED && info.timeouts_in_a_row == 0)
            subflow_set_status(sf, SUBFLOW_ACTIVE, now);
        return;
    }
    if (sf->disowned_probes < REMOVE_PROBES) {
        disowned_probe(sf, now);
        connection_wake(sf->c);
        return;
    }
    sf->disowned_until = BRAID_NEVER;
    subflow_reset(sf, MPTCP_RESET_UNSPECIFIED, true, now);
}
