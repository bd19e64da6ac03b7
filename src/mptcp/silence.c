/* A path that fell silent. A host may never say that a path is gone: the access point's uplink died, a tunnel filled
 * with cars. What is felt instead, by the end that made the connection:
 *
 * - The peer is sending, and one subflow hears nothing while others hear more than fits: the data order waits for what
 *   the silent one has. It is asked (a keepalive probe), and has a round trip and some to answer.
 * - We are sending, and the probe of TCP's went unanswered: the subflow is suspected already (reinject.c), and has as
 *   long again.
 *
 * - A path that was not heard for long while others deliver is asked, too: its RST may have been lost, or a middlebox has
 *   forgotten it. Not backups, which nobody expects to say anything.
 *
 * Without an answer its path counts as gone: the subflow is given up, what it had goes out on the others, and the peer
 * is told by REMOVE_ADDR, so that it does the same instead of waiting for its own timers. The path manager then tries
 * to join by it again, often at first, for the address is still there: the path is back when one such SYN is answered.
 *
 * Not yet, if the peer by itself sends on the others what it owed by this one: then the path may only have become slow, and
 * nobody waits for it. That is borne for SILENCE_ROUND_MS.
 *
 * Only with MPTCP, only where another subflow was heard since, and only at the client, which can join again. */
#include "subflow.h"

static braid_time clamp(braid_time value, braid_time least, braid_time most) {
    return value < least ? least : value > most ? most : value;
}

/* The queue included, in which an answer waits like everything else. */
static braid_time loaded_rtt(const struct tcp_info *info) {
    braid_time rtt = subflow_rtt(info);
    return info->receive_rtt_ns > rtt ? info->receive_rtt_ns : rtt;
}

static braid_time patience(const struct tcp_info *info) {
    return clamp(info->min_rtt_ns + NS_OF_MS(SILENCE_EXTRA_MS), NS_OF_MS(SILENCE_MIN_MS), NS_OF_MS(SILENCE_MAX_MS));
}

static braid_time answer_time(const struct tcp_info *info) {
    return loaded_rtt(info) + 4 * info->rttvar_ns + NS_OF_MS(PROBE_ANSWER_EXTRA_MS);
}

static bool watched(const struct braid_connection *c) {
    return c->client && c->mode == CONNECTION_MODE_MPTCP && c->confirmed && !connection_over(c) &&
           path_manager_acts(c) && c->subflow_count > 1;
}

/* Was another one heard after this one fell silent? */
static bool another_heard_since(const struct subflow *sf, braid_time since) {
    LIST_EACH(&sf->c->subflows, node, following) {
        const struct subflow *other = SUBFLOW_OF(node);
        struct tcp_info info;
        if (other == sf || !subflow_carries(other) || other->status != SUBFLOW_ACTIVE) continue;
        tcp_info(other->t, &info);
        if (info.last_received_at > since) return true;
    }
    return false;
}

/* It brought data, and now the data order waits while others deliver. */
static bool missed(const struct subflow *sf, const struct tcp_info *info) {
    return sf->status == SUBFLOW_ACTIVE && subflow_carries(sf) && info->bytes_received > 0 &&
           sf->c->receive.ahead.bytes > 0 && another_heard_since(sf, info->last_received_at);
}

static void ask(struct subflow *sf, braid_time now) {
    sf->silence_asked_at = now;
    sf->silence_nxt = sf->c->receive.nxt;
    tcp_probe(sf->t);
}

/* What was awaited since it was asked comes by the others: it has become slow rather than gone, and the peer sees to that.
 * It need not be given up yet, and lose what is known of its path. */
static bool peer_goes_round(const struct subflow *sf) {
    const struct receiving *r = &sf->c->receive;
    return r->ahead.bytes == 0 || dsn64_diff(r->nxt, sf->silence_nxt) >= SILENCE_ROUND_BYTES;
}

static braid_time due(const struct subflow *sf) {
    struct tcp_info info;
    if (sf->closed || !subflow_carries(sf)) return BRAID_NEVER;
    bool well = sf->status == SUBFLOW_ACTIVE && sf->silence_asked_at == 0;
    if (well && sf->c->receive.ahead.bytes == 0) return BRAID_NEVER; /* nothing is missed: the usual case */
    tcp_info(sf->t, &info);
    bool asked = sf->silence_asked_at > info.last_received_at;
    if (sf->status == SUBFLOW_SUSPECTED) {
        if (sf->disowned_until != BRAID_NEVER || sf->suspected_at <= info.last_received_at) return BRAID_NEVER;
        return sf->suspected_at + answer_time(&info);
    }
    if (asked) return peer_goes_round(sf) ? sf->silence_asked_at + NS_OF_MS(SILENCE_ROUND_MS)
                                         : sf->silence_asked_at + answer_time(&info);
    if (!missed(sf, &info)) return BRAID_NEVER;
    /* A peer answers such probes only so often: Linux twice a second. */
    braid_time again = sf->silence_asked_at > 0 ? sf->silence_asked_at + NS_OF_MS(SILENCE_ASK_AGAIN_MS) : 0;
    braid_time at = info.last_received_at + patience(&info);
    return at > again ? at : again;
}

braid_time silence_deadline(const struct braid_connection *c) {
    braid_time earliest = BRAID_NEVER;
    if (!watched(c)) return earliest;
    LIST_EACH(&c->subflows, node, following) {
        braid_time at = due(SUBFLOW_OF(node));
        if (at < earliest) earliest = at;
    }
    return earliest;
}

static bool path_in_use(const struct braid_connection *c, uint8_t path_id) {
    LIST_EACH(&c->subflows, node, following)
        if (subflow_carries(SUBFLOW_OF(node)) && SUBFLOW_OF(node)->path_id == path_id) return true;
    return false;
}

static void give_up(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    uint8_t path_id = sf->path_id;
    TRACE(c->env, now, subflow_closed, .connection = c->config.number, .subflow = sf->number, .reason = "silent");
    reinject_gone(sf, "silent", BRAID_NEVER, now);
    path_manager_silent(sf, now);
    subflow_destroy(sf);
    if (!path_in_use(c, path_id)) addresses_path_gone(c, path_id, now);
    window_subflows_changed(c, false);
    connection_raise(c, CONNECTION_PATHS);
}

/* Asked for with every output; looked at now and then. */
void silence_forgotten(struct braid_connection *c, braid_time now) {
    if (now < c->paths.forgotten_at || !watched(c)) return;
    c->paths.forgotten_at = now + NS_OF_MS(FORGOTTEN_LOOK_MS);
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (sf->closed || !subflow_carries(sf) || sf->status != SUBFLOW_ACTIVE || subflow_backup(sf)) continue;
        tcp_info(sf->t, &info);
        if (info.last_received_at + NS_OF_MS(FORGOTTEN_AFTER_MS) > now || sf->silence_asked_at > info.last_received_at)
            continue;
        if (!another_heard_since(sf, now - NS_OF_MS(FORGOTTEN_LOOK_MS))) continue;
        ask(sf, now);
    }
}

void silence_expire(struct braid_connection *c, braid_time now) {
    if (!watched(c)) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (due(sf) > now) continue;
        tcp_info(sf->t, &info);
        bool asked = sf->silence_asked_at > info.last_received_at;
        if (sf->status == SUBFLOW_ACTIVE && !asked) {
            ask(sf, now);
            connection_wake(c);
        } else if (another_heard_since(sf, info.last_received_at)) {
            give_up(sf, now);
            if (!watched(c)) return; /* it was the last but one */
        } else {
            /* All are silent alike: nobody to turn to. Ask again later. */
            sf->silence_asked_at = sf->suspected_at = now;
        }
    }
}
