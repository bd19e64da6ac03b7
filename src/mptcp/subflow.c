/* A subflow's life: made, in service, suspected, given up. */
#include "subflow.h"

static void on_established(void *owner, struct tcp *t, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    if (sf->first) handshake_established(sf, now);
    else join_established(sf, now);
}

static void on_closed(void *owner, struct tcp *t, enum tcp_close_reason reason, braid_time now) {
    struct subflow *sf = owner;
    (void)t;
    (void)now;
    sf->closed = true;
    sf->closed_reason = reason;
    connection_wake(sf->c);
}

static void on_path_mtu_found(void *owner, uint32_t mtu_bytes, bool all, braid_time now) {
    const struct subflow *sf = owner;
    const struct connection_config *config = &sf->c->config;
    if (config->host_ops->path_mtu_found)
        config->host_ops->path_mtu_found(config->host, sf->path_id, &sf->flow.remote, mtu_bytes, all, now);
}

static bool alone(const void *owner) {
    const struct subflow *sf = owner;
    return connection_linear(sf->c);
}

static const struct tcp_owner_ops owner_ops = {
    .write_options = options_write,
    .needs_whole_room = options_need_whole_room,
    .segment_limit = outgoing_segment_limit,
    .segment_arrived = arrival_segment,
    .data_arrived = incoming_data,
    .early_arrived = early_arrived,
    .early_answered = early_answered,
    .acknowledged = outgoing_acknowledged,
    .established = on_established,
    .fin_arrived = closing_fin_arrived,
    .suspected = reinject_suspected,
    .recovered = reinject_recovered,
    .closed = on_closed,
    .receive_window = window_receive,
    .may_keep = budget_may_keep,
    .window_shrunk = window_shrunk,
    .alone = alone,
    .path_mtu_found = on_path_mtu_found,
};

static struct tcp_config tcp_config_of(const struct subflow *sf, const struct local_path *path) {
    const struct connection_config *config = &sf->c->config;
    struct tcp_config out = {
        .flow = sf->flow,
        .link = path->link,
        .mtu_bytes = path->mtu_bytes,
        .super_segment_bytes = path->super_segment_bytes,
        .checksum_offload = path->checksum_offload,
        .congestion = config->congestion,
        .coupled = &sf->c->coupled,
        .receive_window_max_bytes = config->receive_buffer_max_bytes,
        .time_wait_ns = config->time_wait_ns,
        .connect_timeout_ns = config->connect_timeout_ns,
        .user_timeout_ns = config->user_timeout_ns,
        .ecn = config->ecn,
        .no_delay = config->multipath || config->no_delay,
        .connection_number = config->number,
        .subflow_number = sf->number,
        .ops = &owner_ops,
        .owner = (struct subflow *)(uintptr_t)sf,
    };
    if (config->cookie) out.secrets = config->cookie->secrets;
    if (!sf->first) {
        bool silent = path_manager_is_silent(sf->c, sf->path_id);
        braid_time limit = NS_OF_MS(silent ? JOIN_SILENT_TIMEOUT_MS : JOIN_CONNECT_TIMEOUT_MS);
        out.syn_every_second = silent;
        if (out.connect_timeout_ns == 0 || out.connect_timeout_ns > limit) out.connect_timeout_ns = limit;
    }
    return out;
}

static void trace_opened(const struct subflow *sf) {
    char local[FLOW_END_TEXT_MAX], remote[FLOW_END_TEXT_MAX];
    const struct braid_connection *c = sf->c;
    if (!c->env->trace) return;
    TRACE(c->env, c->now, subflow_opened, .connection = c->config.number, .subflow = sf->number, .link = sf->link,
          .local = flow_end_format(&sf->flow.local, sf->flow.local_port, local),
          .remote = flow_end_format(&sf->flow.remote, sf->flow.remote_port, remote),
          .how = sf->first ? (sf->ours ? "connect" : "accept") : (sf->ours ? "join" : "joined"));
}

/* What others found out of the path. */
static void begin_with_mtu(struct subflow *sf) {
    const struct connection_config *config = &sf->c->config;
    braid_time until;
    if (!config->host_ops->path_mtu) return;
    uint32_t known = config->host_ops->path_mtu(config->host, sf->path_id, &sf->flow.remote, &until);
    if (known > 0) tcp_begin_with_mtu(sf->t, known, until);
}

void subflow_tune(struct subflow *sf) {
    struct tcp_tuning tuning = sf->c->tuning;
    tuning.no_delay |= sf->c->config.multipath;
    tcp_tune(sf->t, &tuning, sf->c->now);
}

struct subflow *subflow_create(struct braid_connection *c, const struct local_path *path, const struct flow *flow,
                               bool first, bool ours) {
    struct subflow *sf = c->env->allocate(c->env->context, sizeof(*sf));
    if (!sf) return NULL;
    memset(sf, 0, sizeof(*sf));
    sf->c = c;
    sf->number = c->subflow_next_number;
    sf->flow = *flow;
    sf->link = path->link;
    sf->path_id = path->address_id;
    sf->local_id = address_local_id(c, path->address_id);
    sf->backup_here = path_stands_by(c, path);
    sf->weight = path->weight;
    sf->mtu_bytes = path->mtu_bytes;
    sf->super_segment_bytes = path->super_segment_bytes;
    sf->path_meter = path->meter;
    sf->first = first;
    sf->ours = ours;
    sf->third_ack_due = sf->disowned_until = sf->answer_due = BRAID_NEVER;
    mapping_list_init(&sf->sent, c->env);
    mapping_list_init(&sf->mapped, c->env);
    slice_queue_init(&sf->held, c->env);
    sf->flow_handle = c->config.host_ops->flow_open(c->config.host, c, sf, path->link, &sf->flow);
    if (sf->flow_handle) {
        struct tcp_config config = tcp_config_of(sf, path);
        if (!config.secrets.given && c->config.host_ops->flow_initial)
            c->config.host_ops->flow_initial(c->config.host, sf->flow_handle, &config.secrets);
        sf->t = tcp_create(c->env, &config);
    }
    if (!sf->t) {
        if (sf->flow_handle) c->config.host_ops->flow_close(c->config.host, sf->flow_handle);
        c->env->release(c->env->context, sf, sizeof(*sf));
        return NULL;
    }
    tcp_set_drop_counters(sf->t, c->config.tcp_drops);
    begin_with_mtu(sf);
    subflow_tune(sf);
    list_append(&c->subflows, &sf->node);
    c->subflow_count++;
    c->subflow_next_number++;
    connection_raise(c, CONNECTION_PATHS);
    trace_opened(sf);
    return sf;
}

void subflow_destroy(struct subflow *sf) {
    struct braid_connection *c = sf->c;
    meter_expect(sf, 0);
    if (c->config.host_ops->subflow_over) c->config.host_ops->subflow_over(c->config.host, sf->link, sf->t);
    tcp_destroy(sf->t);
    c->config.host_ops->flow_close(c->config.host, sf->flow_handle);
    mapping_list_deinit(&sf->sent);
    mapping_list_deinit(&sf->mapped);
    slice_queue_deinit(&sf->held);
    addresses_echoes_release(sf);
    spare_deinit(sf);
    list_remove(&sf->node);
    c->subflow_count--;
    c->events |= CONNECTION_PATHS;
    c->env->release(c->env->context, sf, sizeof(*sf));
}

static const char *status_name(enum subflow_status status) {
    switch (status) {
    case SUBFLOW_CONNECTING: return "connecting";
    case SUBFLOW_ACTIVE: return "active";
    case SUBFLOW_SUSPECTED: return "suspected";
    case SUBFLOW_CLOSING: return "closing";
    }
    return "?";
}

void subflow_set_status(struct subflow *sf, enum subflow_status to, braid_time now) {
    struct braid_connection *c = sf->c;
    if (sf->status == to) return;
    TRACE(c->env, now, subflow_state, .connection = c->config.number, .subflow = sf->number,
          .from = status_name(sf->status), .to = status_name(to));
    sf->status = to;
    if (to == SUBFLOW_SUSPECTED) sf->suspected_at = now;
    if (to == SUBFLOW_ACTIVE) addresses_subflow_up(c, now);
    if (path_manager_acts(c)) c->paths.due = true;
    window_subflows_changed(c, to == SUBFLOW_ACTIVE);
    connection_raise(c, CONNECTION_PATHS);
}

void subflow_reset(struct subflow *sf, uint8_t reason, bool transient, braid_time now) {
    if (sf->closed) return;
    sf->reset_reason = reason;
    sf->reset_transient = transient;
    tcp_abort(sf->t, now);
}

void subflow_retire(struct subflow *sf, braid_time now) {
    sf->retiring = true;
    if (sf->closed) return;
    subflow_set_status(sf, SUBFLOW_CLOSING, now);
    tcp_shutdown(sf->t, now);
}

void subflow_dismiss(struct subflow *sf, braid_time now) {
    sf->dismissed = true;
    if (sf->status == SUBFLOW_CONNECTING) subflow_reset(sf, MPTCP_RESET_UNSPECIFIED, true, now);
    else subflow_retire(sf, now);
}

/* [MUST-12] [MUST-47] How the end of the handshake's subflow, or of plain TCP's, is the end of the connection. */
static enum connection_close_reason reason_of(enum tcp_close_reason reason) {
    switch (reason) {
    case TCP_CLOSED_NORMALLY: return CONNECTION_CLOSED_NORMALLY;
    case TCP_CLOSED_REFUSED: return CONNECTION_REFUSED;
    case TCP_CLOSED_RESET: return CONNECTION_RESET;
    case TCP_CLOSED_TIMEOUT: return CONNECTION_TIMED_OUT;
    case TCP_CLOSED_UNREACHABLE: return CONNECTION_UNREACHABLE;
    case TCP_CLOSED_ABORTED: return CONNECTION_PROTOCOL_ERROR; /* our own abort has closed the connection before */
    case TCP_CLOSED_NO_MEMORY: return CONNECTION_NO_MEMORY;
    }
    return CONNECTION_PROTOCOL_ERROR;
}

/* Everything that mattered has been said: the peer's end came, ours went out, and nothing but its
 * acknowledgement is missing. */
static bool nothing_left_to_lose(const struct braid_connection *c) {
    return c->receive.fin_reached && c->send.data_fin_sent && c->send.queue.length == 0;
}

static void bury_mptcp(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    if (subflow_half_open(sf)) return;
    reinject_gone(sf, tcp_close_reason_name(sf->closed_reason), BRAID_NEVER, now);
    /* An attempt that failed, or a subflow that one of us had no use for: not again at once. */
    bool unwanted = sf->closed_reason == TCP_CLOSED_NORMALLY || sf->closed_reason == TCP_CLOSED_ABORTED ||
                    (sf->peer_reset && !sf->first) || losing_ended(sf);
    if (sf->ours && !sf->dismissed && (sf->status == SUBFLOW_CONNECTING || unwanted)) path_manager_failed(sf, now);
    c->paths.due = true;
    if (subflow_live_count(c) > 0) return;
    /* A join that fails while the connection waits for a path is no end of the connection, unless the peer says that it
     * knows of no such connection. What a client announces may be an address of its own network only, and who answers for it
     * here somebody else. */
    if (sf->status == SUBFLOW_CONNECTING) {
        bool unknown = c->client && sf->peer_reset && !sf->peer_reset_transient && sf->peer_reset_reason == MPTCP_RESET_MPTCP_ERROR;
        if (unknown) closing_fail(c, CONNECTION_RESET, now);
        return;
    }
    switch (sf->closed_reason) {
    case TCP_CLOSED_RESET:
    case TCP_CLOSED_ABORTED:
    case TCP_CLOSED_NO_MEMORY:
        closing_fail(c, nothing_left_to_lose(c) ? CONNECTION_CLOSED_NORMALLY : reason_of(sf->closed_reason), now);
        return;
    case TCP_CLOSED_NORMALLY:
    case TCP_CLOSED_REFUSED:
    case TCP_CLOSED_TIMEOUT:
    case TCP_CLOSED_UNREACHABLE: return; /* §3.3.3: break before make; another path may come in time */
    }
}

void subflow_bury(struct subflow *sf, braid_time now) {
    struct braid_connection *c = sf->c;
    sf->buried = true;
    connection_raise(c, CONNECTION_PATHS);
    if (!connection_over(c)) {
        if (sf->first && !c->established && race_goes_on(sf, now)) {
            c->icmp_kind = tcp_last_icmp(sf->t);
        } else if (sf->first && !c->established) {
            c->icmp_kind = tcp_last_icmp(sf->t);
            closing_fail(c, c->race.refused ? CONNECTION_REFUSED : reason_of(sf->closed_reason), now);
        } else if (!connection_linear(c)) {
            bury_mptcp(sf, now);
        } else if (subflow_live_count(c) == 0 && (sf->closed_reason != TCP_CLOSED_NORMALLY || !c->send.shutdown)) {
            c->icmp_kind = tcp_last_icmp(sf->t);
            closing_fail(c, nothing_left_to_lose(c) ? CONNECTION_CLOSED_NORMALLY : reason_of(sf->closed_reason), now);
        }
    }
    subflow_set_status(sf, SUBFLOW_CLOSING, now);
}

bool subflow_carries(const struct subflow *sf) {
    if (sf->closed || sf->retiring || sf->third_ack_pending || sf->third_packet_due) return false; /* [R-3.2-14] */
    return sf->status == SUBFLOW_ACTIVE || sf->status == SUBFLOW_SUSPECTED;
}

braid_time subflow_rtt(const struct tcp_info *info) {
    if (info->srtt_ns > 0) return info->srtt_ns;
    return info->min_rtt_ns > 0 ? info->min_rtt_ns : 100 * BRAID_NS_PER_MS;
}

struct subflow *subflow_best(const struct braid_connection *c, uint64_t not_on) {
    struct subflow *best = NULL;
    uint64_t best_cost = UINT64_MAX;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        struct tcp_info info;
        if (sf->closed || sf->third_ack_pending || sf->status == SUBFLOW_CONNECTING) continue;
        tcp_info(sf->t, &info);
        uint64_t cost = subflow_rtt(&info) / 2;
        if (sf->status != SUBFLOW_ACTIVE) cost += BRAID_NEVER / 4;
        if (sf->number == not_on) cost += BRAID_NEVER / 8;
        if (cost < best_cost) {
            best = sf;
            best_cost = cost;
        }
    }
    return best;
}

unsigned subflow_live_count(const struct braid_connection *c) {
    unsigned count = 0;
    LIST_EACH(&c->subflows, node, following) {
        if (!SUBFLOW_OF(node)->closed && !subflow_half_open(SUBFLOW_OF(node))) count++;
    }
    return count;
}

struct subflow *subflow_only(const struct braid_connection *c) {
    struct subflow *only = NULL;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        /* Once our third ACK is out, the peer may have it in service. */
        bool attempt = !sf->first && sf->status == SUBFLOW_CONNECTING && !sf->third_ack_pending;
        if (sf->closed || attempt) continue;
        if (only) return NULL;
        only = sf;
    }
    return only;
}

bool subflow_fin_arrived(const struct subflow *sf) {
    switch (tcp_state(sf->t)) {
    case TCP_STATE_CLOSE_WAIT:
    case TCP_STATE_CLOSING:
    case TCP_STATE_LAST_ACK:
    case TCP_STATE_TIME_WAIT: return true;
    default: return false;
    }
}
