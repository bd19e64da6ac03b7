/* The first SYN, raced over paths. A preferred path that leads nowhere must not keep a connection from being born: when
 * the SYN by it has no answer within a bound, another goes by the next path, and so on; the first SYN/ACK decides (as
 * RFC 8305 does for addresses). To the server each is a connection of its own, with a key of its own, so that the others
 * cannot become joins: they are forgotten, and their SYN/ACKs answered by a RST. Their paths are joined later like any.
 *
 * A path that fails outright (unreachable, gone) is followed by the next at once. Refused is refused: no other path would
 * make a closed port an open one. Not for connections whose application chose the address. */
#include "subflow.h"

static bool tried(const struct braid_connection *c, const struct local_path *path) {
    LIST_EACH(&c->subflows, node, following)
        if (SUBFLOW_OF(node)->path_id == path->address_id) return true;
    return c->race.tried[path->address_id / 8] >> (path->address_id % 8) & 1;
}

static void note_tried(struct braid_connection *c, uint8_t path_id) {
    c->race.tried[path_id / 8] |= (uint8_t)(1u << (path_id % 8));
}

static bool costs(const struct local_path *path) { return path->backup || path_meter_costs(path->meter); }

static bool candidate_next(struct braid_connection *c, struct local_path *out) {
    struct local_path paths[LOCAL_PATHS_MAX];
    const struct local_path *best = NULL;
    size_t count = c->config.host_ops->paths(c->config.host, paths, LOCAL_PATHS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct local_path *path = &paths[i];
        if (path->address.family != c->flow.remote.family || path_used_up(path) || tried(c, path)) continue;
        if (ip_address_is_link_local(&path->address) != ip_address_is_link_local(&c->flow.remote)) continue;
        if (!best || local_path_better(path, best)) best = path;
    }
    if (best) *out = *best;
    return best != NULL;
}

void race_begin(struct braid_connection *c, braid_time now) {
    c->race.at = BRAID_NEVER;
    if (!c->config.race || !path_manager_acts(c)) return;
    c->race.on = true;
    c->race.began_at = now;
    c->race.at = now + NS_OF_MS(RACE_AFTER_MS);
    note_tried(c, c->config.path.address_id);
}

static bool enter(struct braid_connection *c, const struct local_path *path, braid_time now) {
    struct flow flow = {.local = path->address, .remote = c->flow.remote, .remote_port = c->flow.remote_port};
    note_tried(c, path->address_id);
    struct subflow *sf = subflow_create(c, path, &flow, true, true);
    if (!sf) return false;
    sf->local_id = 0; /* of the first subflow, which this one will be or nothing */
    tcp_connect(sf->t, now);
    connection_wake(c);
    return true;
}

/* False: there is nobody left to enter. */
static bool next(struct braid_connection *c, bool at_once, braid_time now) {
    struct local_path path;
    if (!candidate_next(c, &path)) return false;
    braid_time earliest = c->race.began_at + NS_OF_MS(RACE_COSTLY_AFTER_MS);
    if (!at_once && costs(&path) && now < earliest) {
        c->race.at = earliest;
        return true;
    }
    c->race.at = now + NS_OF_MS(RACE_AFTER_MS);
    return enter(c, &path, now);
}

void race_expire(struct braid_connection *c, braid_time now) {
    if (c->race.at > now) return;
    c->race.at = BRAID_NEVER;
    if (c->race.on && !c->established) (void)next(c, false, now);
}

void race_news(struct braid_connection *c, braid_time now) {
    if (c->race.on && !c->established) c->race.at = now;
}

void race_won(struct subflow *winner, braid_time now) {
    struct braid_connection *c = winner->c;
    struct local_path paths[LOCAL_PATHS_MAX];
    if (!c->race.on) return;
    c->race.on = false;
    c->race.at = BRAID_NEVER;
    c->flow = winner->flow;
    size_t count = c->config.host_ops->paths(c->config.host, paths, LOCAL_PATHS_MAX);
    for (size_t i = 0; i < count; i++)
        if (paths[i].address_id == winner->path_id) c->config.path = paths[i];
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf == winner) continue;
        TRACE(c->env, now, subflow_closed, .connection = c->config.number, .subflow = sf->number,
              .reason = "lost the race");
        COUNT(c, race_lost);
        subflow_destroy(sf);
    }
}

bool race_goes_on(const struct subflow *failed, braid_time now) {
    struct braid_connection *c = failed->c;
    if (!c->race.on) return false;
    if (failed->closed_reason == TCP_CLOSED_REFUSED) c->race.refused = true;
    bool another = false;
    LIST_EACH(&c->subflows, node, following) another |= !SUBFLOW_OF(node)->closed;
    if (!c->race.refused && next(c, true, now)) return true;
    return another;
}
