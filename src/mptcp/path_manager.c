/* Shows the pairs of addresses to the connection's path manager, and does as it says: joins by what is missing, closes
 * what is too much, tells the peer what stands by. The managers themselves: path_manager_*.c.
 *
 * By default only the end that made the connection joins: to it most peers are out of reach, behind NATs. The other one does
 * if it is told to (join_to_clients), and then only to addresses that the client announced, one subflow from each of ours,
 * and after a random wait: the client may be about to join between the same two. */
#include "subflow.h"

static const struct path_manager_ops *const managers[] = {&path_manager_fullmesh, &path_manager_backup,
                                                          &path_manager_ndiffports, &path_manager_interactive,
                                                          &path_manager_none};

static bool same_text(const char *a, const char *b) {
    while (*a != '\0' && *a == *b) a++, b++;
    return *a == *b;
}

const struct path_manager_ops *path_manager_find(const char *name) {
    for (unsigned i = 0; i < ARRAY_COUNT(managers); i++)
        if (same_text(managers[i]->name, name)) return managers[i];
    return NULL;
}

const char *path_manager_name(unsigned index) {
    return index < ARRAY_COUNT(managers) ? managers[index]->name : NULL;
}

/* None, where it is not for us to join. */
static const struct path_manager_ops *manager_of(const struct braid_connection *c) {
    const struct path_manager_ops *ops = c->config.path_manager;
    if (c->client) return ops;
    return c->config.join_to_clients && ops->plan ? &path_manager_fullmesh : &path_manager_none;
}

void path_manager_init(struct braid_connection *c) {
    c->paths.no_path_deadline = BRAID_NEVER;
    c->paths.ask_again_at = BRAID_NEVER;
}

/* --- the plan --- */

/* What a plan is made from, beside it: whose pair it is. */
struct survey {
    struct path_plan plan;
    struct local_path paths[LOCAL_PATHS_MAX];
    struct {
        uint8_t path, remote; /* indices */
    } of[PATH_PAIRS_MAX];
};

static bool fits(const struct braid_connection *c, const struct local_path *path, const struct remote_address *to) {
    if (path->address.family != to->address.family || path_used_up(path)) return false;
    if (ip_address_is_link_local(&path->address) != ip_address_is_link_local(&to->address)) return false;
    return !path_excluded(c, path->address_id);
}

/* What the peer joined by comes from whatever port it chose. */
static bool by_pair(const struct subflow *sf, const struct local_path *path, const struct remote_address *to) {
    bool chosen = !sf->ours && !sf->first;
    return !sf->closed && !sf->dismissed && sf->path_id == path->address_id && sf->link == path->link &&
           (chosen || sf->flow.remote_port == to->port) && ip_address_equal(&sf->flow.remote, &to->address);
}

static uint64_t preference_of(const struct local_path *path, unsigned remote) {
    uint64_t metered = path_meter_costs(path->meter);
    return metered << 49 | (uint64_t)path->backup << 48 | (uint64_t)path->link << 32 |
           (uint64_t)path->address_id << 16 | remote;
}

/* It takes three times as long as it can, and that is felt. */
static bool slow(const struct subflow *sf) {
    struct tcp_info info;
    tcp_info(sf->t, &info);
    braid_time rtt = info.srtt_ns > info.receive_rtt_ns ? info.srtt_ns : info.receive_rtt_ns;
    return info.min_rtt_ns > 0 && rtt > 3 * info.min_rtt_ns && rtt > info.min_rtt_ns + NS_OF_MS(PATH_SLOWER_MS);
}

static void pair_fill(const struct braid_connection *c, struct path_pair *pair, const struct local_path *path,
                      unsigned remote) {
    const struct remote_address *to = address_remote(c, remote);
    *pair = (struct path_pair){
        .preference = preference_of(path, remote),
        .subflow = !path->no_subflow,
        .fullmesh = !path->no_subflow && (!path->no_fullmesh || !c->client),
        .backup = path_stands_by(c, path),
        .to_first = remote == 0,
        .first = remote == 0 && path->address_id == c->config.path.address_id && path->link == c->config.path.link,
    };
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (!by_pair(sf, path, to)) continue;
        pair->subflows++;
        if (!subflow_carries(sf)) continue;
        if (sf->status == SUBFLOW_ACTIVE) pair->works = true;
        if (sf->status == SUBFLOW_SUSPECTED || reinject_unanswered(sf) || slow(sf)) pair->poor = true;
    }
    pair->wanted = pair->subflows;
    pair->standby = pair->backup;
}

static void pair_add(const struct braid_connection *c, struct survey *s, unsigned path, unsigned remote) {
    struct path_plan *plan = &s->plan;
    struct path_pair pair;
    if (plan->count == PATH_PAIRS_MAX) return;
    pair_fill(c, &pair, &s->paths[path], remote);
    unsigned at = plan->count++;
    for (; at > 0 && plan->pairs[at - 1].preference > pair.preference; at--) {
        plan->pairs[at] = plan->pairs[at - 1];
        s->of[at] = s->of[at - 1];
    }
    plan->pairs[at] = pair;
    s->of[at].path = (uint8_t)path;
    s->of[at].remote = (uint8_t)remote;
}

static void survey_make(struct braid_connection *c, struct survey *s, braid_time now) {
    size_t count = c->config.host_ops->paths(c->config.host, s->paths, LOCAL_PATHS_MAX);
    s->plan.count = 0;
    s->plan.ndiffports = c->config.limits.ndiffports;
    s->plan.now = now;
    s->plan.trouble_until = c->paths.trouble_until;
    s->plan.ask_again_at = BRAID_NEVER;
    for (unsigned i = 0; i < count; i++)
        for (unsigned j = c->client ? 0 : 1; j < c->addresses.remote_count; j++)
            if (fits(c, &s->paths[i], address_remote(c, j))) pair_add(c, s, i, j);
}

/* --- doing as it says --- */

/* Those we are done with, in TIME_WAIT perhaps, are in nobody's way. */
unsigned path_places_taken(const struct braid_connection *c) {
    unsigned count = subflow_live_count(c);
    LIST_EACH(&c->subflows, node, following)
        if (!SUBFLOW_OF(node)->closed && SUBFLOW_OF(node)->dismissed) count--;
    return count;
}

/* [R-3.1-14] */
bool path_forbidden(const struct braid_connection *c, const struct remote_address *to) {
    return c->no_join_to_first && to->port == c->flow.remote_port && ip_address_equal(&to->address, &c->flow.remote);
}

/* [R-3.9.1-1] */
static bool join_one(struct braid_connection *c, const struct survey *s, unsigned pair, braid_time now) {
    struct local_path path = s->paths[s->of[pair].path];
    const struct remote_address *to = address_remote(c, s->of[pair].remote);
    if (path_forbidden(c, to)) return false;
    const struct join_target *t = path_target_find(c, path.address_id, &to->address, to->port);
    if (t && t->not_before > now) return false; /* [R-3.4.1-9] [R-3.9.3-3] */
    if (path_places_taken(c) >= c->config.subflows_max) return false;
    path.backup = s->plan.pairs[pair].standby;
    if (join_open(c, &path, to, now)) return true;
    path_target_failed(c, path.address_id, &to->address, to->port, false, now);
    return false;
}

static void joins_make(struct braid_connection *c, const struct survey *s, braid_time now) {
    for (unsigned i = 0; i < s->plan.count; i++) {
        const struct path_pair *pair = &s->plan.pairs[i];
        unsigned missing = pair->wanted > pair->subflows ? pair->wanted - pair->subflows : 0;
        while (missing > 0 && join_one(c, s, i, now)) missing--;
    }
}

/* What is in service, is wanted, and is not about to go. */
static bool kept_in_service(const struct braid_connection *c, const struct subflow *except) {
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (sf != except && subflow_carries(sf) && sf->status == SUBFLOW_ACTIVE && !path_excluded(c, sf->path_id))
            return true;
    }
    return false;
}

/* The youngest first; never the last that works. */
static void surplus_close(struct braid_connection *c, const struct survey *s, unsigned pair, braid_time now) {
    const struct local_path *path = &s->paths[s->of[pair].path];
    const struct remote_address *to = address_remote(c, s->of[pair].remote);
    unsigned wanted = s->plan.pairs[pair].wanted, seen = 0;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (!by_pair(sf, path, to) || sf->retiring || ++seen <= wanted || !kept_in_service(c, sf)) continue;
        subflow_dismiss(sf, now);
    }
}

static void standby_tell(struct braid_connection *c, const struct survey *s, unsigned pair, braid_time now) {
    const struct local_path *path = &s->paths[s->of[pair].path];
    const struct remote_address *to = address_remote(c, s->of[pair].remote);
    bool standby = s->plan.pairs[pair].standby || (path->meter && path->meter->near);
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (by_pair(sf, path, to) && subflow_carries(sf) && !sf->backup_by_program) priority_set(sf, standby, now);
    }
}

/* [R-3.4.2-8] RFC 6897: of an address that was taken out of the connection, once another one is in service. Its subflows end
 * by FIN, and only then the peer is told. */
static void excluded_close(struct braid_connection *c, braid_time now) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed || sf->retiring || !path_excluded(c, sf->path_id) || !kept_in_service(c, sf)) continue;
        subflow_dismiss(sf, now);
        addresses_path_gone(c, sf->path_id, now);
    }
}

static bool paths_change(const struct braid_connection *c) {
    return c->mode == CONNECTION_MODE_MPTCP && c->confirmed && !connection_over(c);
}

static bool joins_allowed(const struct braid_connection *c) {
    return path_manager_acts(c) && c->mode == CONNECTION_MODE_MPTCP &&
           /* [R-3.1-10] */
           c->confirmed && !connection_over(c) && !(c->receive.fin_reached && c->send.fin_acknowledged);
}

static void plan_carry_out(struct braid_connection *c, braid_time now) {
    const struct path_manager_ops *ops = manager_of(c);
    struct survey s;
    survey_make(c, &s, now);
    ops->plan(&s.plan);
    c->paths.trouble_until = s.plan.trouble_until;
    c->paths.ask_again_at = s.plan.ask_again_at;
    c->paths.asked_at = now;
    joins_make(c, &s, now);
    for (unsigned i = 0; i < s.plan.count; i++) {
        if (ops->closes) surplus_close(c, &s, i, now);
        if (ops->prioritises) standby_tell(c, &s, i, now);
    }
}

/* [R-3.9.2-1] The end that did not make the connection waits, so that two subflows do not come of one pair of addresses. */
static bool lets_the_client_go_first(struct braid_connection *c, braid_time wait_until, braid_time now) {
    struct path_manager *p = &c->paths;
    uint32_t drawn;
    if (c->client) return false;
    if (!p->crossing || wait_until == BRAID_NEVER) {
        if (!c->env->random_secret(c->env->context, &drawn, sizeof(drawn))) drawn = UINT32_MAX;
        wait_until = now + NS_OF_MS(JOIN_CROSSING_MIN_MS) + NS_OF_MS(JOIN_CROSSING_SPAN_MS) * drawn / UINT32_MAX;
    }
    p->crossing = wait_until > now;
    if (p->crossing) p->ask_again_at = wait_until;
    return p->crossing;
}

static bool anywhere_to_join(const struct braid_connection *c) { return c->client || c->addresses.remote_count > 1; }

void path_manager_run(struct braid_connection *c, braid_time now) {
    braid_time wait_until = c->paths.ask_again_at;
    c->paths.due = false;
    c->paths.ask_again_at = BRAID_NEVER;
    if (subflow_live_count(c) == 0 && c->established && !connection_over(c)) {
        braid_time wait = c->config.user_timeout_ns > 0 ? c->config.user_timeout_ns : NS_OF_MS(NO_PATH_TIMEOUT_MS);
        if (c->paths.no_path_deadline == BRAID_NEVER) c->paths.no_path_deadline = now + wait;
    }
    if (joins_allowed(c) && anywhere_to_join(c) && !lets_the_client_go_first(c, wait_until, now)) plan_carry_out(c, now);
    if (paths_change(c)) excluded_close(c, now);
    if (paths_change(c) && !c->config.path_manager->prioritises) priority_spare(c, now);
}

/* A manager that watches is asked while there is output anyway, but not with every packet. */
bool path_manager_wants(const struct braid_connection *c, braid_time now) {
    if (c->paths.due) return true;
    return manager_of(c)->watches && joins_allowed(c) && now >= c->paths.asked_at + NS_OF_MS(PATH_WATCH_MS);
}

bool path_manager_acts(const struct braid_connection *c) { return manager_of(c)->plan != NULL; }

braid_time path_manager_deadline(const struct braid_connection *c) {
    braid_time earliest = c->paths.no_path_deadline;
    if (!joins_allowed(c)) return earliest;
    if (c->paths.ask_again_at < earliest) earliest = c->paths.ask_again_at;
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
    if (c->paths.ask_again_at <= now) c->paths.due = true;
    for (unsigned i = 0; i < c->paths.target_count; i++) {
        if (c->paths.targets[i].not_before == 0 || c->paths.targets[i].not_before > now) continue;
        c->paths.targets[i].not_before = 0;
        c->paths.due = true;
    }
}
