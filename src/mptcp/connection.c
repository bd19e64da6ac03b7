/* A connection's life, how it is driven, and what it tells about itself. */
#include "subflow.h"
#include "version.h"

static void config_fill(struct connection_config *config) {
    struct path_limits *limits = &config->limits;
    if (config->subflows_max == 0) config->subflows_max = limits->given ? limits->subflows + 1 : SUBFLOWS_DEFAULT;
    if (!limits->given) limits->add_addr_accepted = PATH_ADDRESSES_ACCEPTED_MAX;
    if (!limits->given || limits->ndiffports == 0) limits->ndiffports = PATH_NDIFFPORTS;
    if (!config->path_manager) config->path_manager = &path_manager_fullmesh;
    if (config->send_buffer_bytes == 0) config->send_buffer_bytes = SEND_BUFFER_DEFAULT_BYTES;
    if (config->receive_buffer_max_bytes == 0) config->receive_buffer_max_bytes = RECEIVE_BUFFER_MAX_DEFAULT_BYTES;
    if (config->receive_buffer_initial_bytes == 0)
        config->receive_buffer_initial_bytes = RECEIVE_BUFFER_INITIAL_DEFAULT_BYTES;
    if (config->receive_buffer_initial_bytes > config->receive_buffer_max_bytes)
        config->receive_buffer_initial_bytes = config->receive_buffer_max_bytes;
    if (!config->scheduler) config->scheduler = &scheduler_lowest_rtt;
}

void connection_tune(struct braid_connection *c, const struct tcp_tuning *tuning, braid_time now) {
    c->now = now;
    c->tuning = *tuning;
    c->config.user_timeout_ns = tuning->user_timeout_ns;
    c->config.no_delay = tuning->no_delay;
    LIST_EACH(&c->subflows, node, following) subflow_tune(SUBFLOW_OF(node));
}

void connection_tuning(const struct braid_connection *c, struct tcp_tuning *out) { *out = c->tuning; }

static struct braid_connection *create(const struct braid_env *env, const struct connection_config *config,
                                       bool client, braid_time now) {
    struct braid_connection *c = env->allocate(env->context, sizeof(*c));
    if (!c) return NULL;
    memset(c, 0, sizeof(*c));
    c->env = env;
    c->config = *config;
    config_fill(&c->config);
    c->tuning = (struct tcp_tuning){.no_delay = config->no_delay,
                                    .user_timeout_ns = config->user_timeout_ns,
                                    .dscp = config->dscp,
                                    .hop_limit = config->hop_limit};
    c->now = now;
    c->client = client;
    c->version = version_to_ask(&c->config);
    c->mode = config->multipath ? CONNECTION_MODE_UNDECIDED : CONNECTION_MODE_TCP;
    c->icmp_kind = ICMP_OTHER;
    c->contiguous = true;
    c->linger_deadline = BRAID_NEVER;
    list_init(&c->subflows);
    outgoing_init(c);
    incoming_init(c);
    window_init(c);
    path_manager_init(c);
    if (config->bound) path_exclude_others(c, config->path.address_id);
    c->race.at = BRAID_NEVER;
    outgoing_start(c, dsn64_of(1));
    incoming_start(c, dsn64_of(1));
    return c;
}

struct braid_connection *connection_connect(const struct braid_env *env, const struct connection_config *config,
                                            braid_time now) {
    struct braid_connection *c = create(env, config, true, now);
    if (!c) return NULL;
    struct subflow *sf = NULL;
    if (!config->multipath || handshake_keys_draw(c))
        sf = subflow_create(c, &config->path, &config->flow, true, true);
    if (!sf) {
        connection_destroy(c);
        return NULL;
    }
    c->flow = sf->flow;
    race_begin(c, now);
    tcp_connect(sf->t, now);
    return c;
}

struct braid_connection *connection_accept(const struct braid_env *env, const struct connection_config *config,
                                           const struct tcp_segment *syn, braid_time now) {
    struct braid_connection *c = create(env, config, false, now);
    if (!c) return NULL;
    struct subflow *sf = subflow_create(c, &config->path, &config->flow, true, false);
    if (sf) c->flow = sf->flow;
    if (!sf || !tcp_accept(sf->t, syn, now)) {
        connection_destroy(c);
        return NULL;
    }
    c->config.cookie = NULL;
    return c;
}

void connection_answer(struct braid_connection *c, braid_time now) {
    c->now = now;
    if (list_empty(&c->subflows)) return;
    tcp_answer(SUBFLOW_OF(c->subflows.next)->t, now);
    connection_wake(c);
}

void connection_destroy(struct braid_connection *c) {
    LIST_EACH(&c->subflows, node, following) subflow_destroy(SUBFLOW_OF(node));
    handshake_keys_close(c);
    outgoing_deinit(c);
    addresses_deinit(c);
    path_targets_deinit(c);
    incoming_deinit(c);
    window_deinit(c);
    budget_leave(c);
    c->env->release(c->env->context, c, sizeof(*c));
}

void connection_wake(struct braid_connection *c) {
    if (c->config.host_ops->wake) c->config.host_ops->wake(c->config.host, c);
}

void connection_raise(struct braid_connection *c, unsigned events) {
    c->events |= events;
    connection_wake(c);
}

unsigned connection_take_events(struct braid_connection *c) {
    unsigned events = c->events;
    c->events = 0;
    return events;
}

/* --- driving --- */

static void subflows_bury(struct braid_connection *c, braid_time now) {
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed && !sf->buried) subflow_bury(sf, now);
    }
}

/* Of a connection that is over, what is in TIME-WAIT is kept by the host, in less room. */
static void subflows_rest(struct braid_connection *c, braid_time now) {
    struct tcp_rest rest;
    if (!connection_over(c) || !c->config.host_ops->flow_rest) return;
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->closed || !tcp_may_rest(sf->t, &rest, now)) continue;
        if (c->config.host_ops->flow_rest(c->config.host, sf->flow_handle, &rest, now)) tcp_leave_time_wait(sf->t, now);
    }
}

void connection_rest(struct braid_connection *c, braid_time now) {
    c->now = now;
    connection_settle(c, now);
}

/* A subflow that ended stays until its last packet, a RST as a rule, is out. */
static void subflows_sweep(struct braid_connection *c, braid_time now) {
    subflows_rest(c, now);
    subflows_bury(c, now);
    LIST_EACH(&c->subflows, node, following) {
        struct subflow *sf = SUBFLOW_OF(node);
        if (sf->buried && (!tcp_wants_output(sf->t, now) || meter_packets(sf, 1) == 0)) subflow_destroy(sf);
    }
}

void connection_settle(struct braid_connection *c, braid_time now) {
    subflows_bury(c, now);
    closing_progress(c, now); /* the one that just ended may be what says that our FIN was acknowledged */
    subflows_sweep(c, now);   /* closing may have ended some */
    send_buffer_settle(c);
}

void connection_input(struct braid_connection *c, struct subflow *sf, const struct tcp_segment *segment,
                      struct braid_buf *buf, uint8_t ecn, braid_time now) {
    c->now = now;
    sf->ack_arrived = false;
    sf->signals.acks_in_a_row = 0;
    dsn64 awaited = c->receive.nxt;
    spare_arriving(sf);
    tcp_input(sf->t, segment, buf, ecn, now);
    /* The window in the header counts from the DATA_ACK beside it: that one, though for the subflow the segment may be an
     * old one, whose window TCP does not take. */
    /* [R-3.3.2-3] [R-3.3.2-6] [R-4-1] */
    if (sf->ack_arrived && !connection_linear(c))
        outgoing_data_ack(c, sf->arrived_ack, tcp_window_of(sf->t, segment), now);
    if (segment->payload_length > 0) {
        spare_arrived(sf, awaited, now);
        window_update(c, now);
    }
    connection_settle(c, now);
}

void connection_icmp(struct braid_connection *c, struct subflow *sf, const struct icmp_error *error, braid_time now) {
    c->now = now;
    tcp_icmp(sf->t, error, now);
    connection_settle(c, now);
}

static size_t subflow_output(struct subflow *sf, struct braid_packet_out *packets, size_t room, braid_time now) {
    room = meter_packets(sf, room);
    size_t filled = tcp_output(sf->t, packets, room, now);
    while (filled < room && signals_pending(sf)) {
        /* What did not fit beside data goes by an ACK of its own. */
        sf->signals.acks_in_a_row++;
        tcp_ack_now(sf->t);
        size_t more = tcp_output(sf->t, packets + filled, room - filled, now);
        if (more == 0) break;
        filled += more;
    }
    meter_sent(sf, packets, filled);
    return filled;
}

/* Now and then: what need not be looked at with every segment. */
static void look_at_paths(struct braid_connection *c, braid_time now) {
    if (now < c->send.paths_looked_at || c->subflow_count < 2 || c->mode != CONNECTION_MODE_MPTCP) return;
    c->send.paths_looked_at = now + NS_OF_MS(PATHS_LOOK_MS);
    worth_watch(c, now);
    blocking_look(c, now);
}

size_t connection_output(struct braid_connection *c, struct braid_packet_out *packets, size_t room, braid_time now) {
    size_t filled = 0, before;
    c->now = now;
    do {
        before = filled;
        meter_enforce(c, now);
        if (path_manager_wants(c, now)) path_manager_run(c, now);
        addresses_assign(c, now);
        look_at_paths(c, now);
        outgoing_schedule(c, now);
        harm_prove(c, now);
        stale_refresh(c, now);
        silence_forgotten(c, now);
        closing_progress(c, now);
        LIST_EACH(&c->subflows, node, following) {
            if (filled == room) break;
            filled += subflow_output(SUBFLOW_OF(node), packets + filled, room - filled, now);
        }
        subflows_sweep(c, now);
    } while (filled < room && filled > before);
    return filled;
}

bool connection_finished(const struct braid_connection *c) {
    return connection_over(c) && list_empty(&c->subflows);
}

/* --- what it tells --- */

enum connection_close_reason connection_close_reason(const struct braid_connection *c) { return c->close_reason; }

const char *connection_close_reason_name(enum connection_close_reason reason) {
    switch (reason) {
    case CONNECTION_OPEN: return "open";
    case CONNECTION_CLOSED_NORMALLY: return "closed normally";
    case CONNECTION_REFUSED: return "refused";
    case CONNECTION_RESET: return "reset by peer";
    case CONNECTION_TIMED_OUT: return "timed out";
    case CONNECTION_UNREACHABLE: return "unreachable";
    case CONNECTION_ABORTED: return "aborted";
    case CONNECTION_NO_MEMORY: return "no memory";
    case CONNECTION_PROTOCOL_ERROR: return "protocol error";
    }
    return "?";
}

enum icmp_error_kind connection_icmp_kind(const struct braid_connection *c) { return c->icmp_kind; }
enum connection_mode connection_mode(const struct braid_connection *c) { return c->mode; }
uint8_t connection_version(const struct braid_connection *c) { return c->version; }
braid_time connection_now(const struct braid_connection *c) { return c->now; }

bool connection_established(const struct braid_connection *c) { return c->established; }
uint64_t connection_number(const struct braid_connection *c) { return c->config.number; }
const struct flow *connection_flow(const struct braid_connection *c) { return &c->flow; }
void connection_set_user(struct braid_connection *c, void *user) { c->user = user; }
void *connection_user(const struct braid_connection *c) { return c->user; }
void connection_set_host_data(struct braid_connection *c, void *data) { c->host_data = data; }
void *connection_host_data(const struct braid_connection *c) { return c->host_data; }

bool connection_subflow_info(const struct braid_connection *c, unsigned i, struct subflow_info *out) {
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        if (i-- > 0) continue;
        *out = (struct subflow_info){
            .number = sf->number,
            .link = sf->link,
            .status = sf->status,
            .backup_here = sf->backup_here,
            .backup_there = sf->backup_there,
            .flow = sf->flow,
            .local_address_id = sf->local_id,
            .remote_address_id = sf->remote_id,
        };
        tcp_info(sf->t, &out->tcp);
        tcp_info_words(sf->t, &out->words);
        return true;
    }
    return false;
}

void connection_info(const struct braid_connection *c, struct connection_info *out) {
    int64_t send_window = dsn64_diff(c->send.window_edge, c->send.una);
    int64_t receive_window = dsn64_diff(c->window.edge, c->receive.nxt);
    *out = (struct connection_info){
        .mode = c->mode,
        .established = c->established,
        .checksum = c->checksum,
        .subflows = c->subflow_count,
        .bytes_written = c->send.bytes_written,
        .bytes_acknowledged = c->send.bytes_acknowledged,
        .bytes_received = c->receive.bytes_received,
        .bytes_read = c->receive.bytes_read,
        .bytes_reinjected = c->send.bytes_reinjected,
        .bytes_copied = c->send.bytes_copied,
        .bytes_out_of_order = c->receive.ahead.bytes,
        .receive_window_bytes = receive_window > 0 ? (uint32_t)receive_window : 0,
        .send_window_bytes = send_window > 0 ? (uint32_t)send_window : 0,
        .memory_bytes = sizeof(*c) + c->send.queue.length + c->receive.queue.length + c->receive.ahead.memory_bytes,
        .token = c->keys.local_token,
        .announced = (uint8_t)c->addresses.announced_count,
        .addresses_known = (uint8_t)(c->addresses.remote_count > 0 ? c->addresses.remote_count - 1 : 0),
        .subflows_max = c->config.subflows_max,
        .write_dsn = outgoing_end(c).value,
        .unacknowledged_dsn = c->send.una.value,
        .next_dsn = c->receive.nxt.value,
    };
    LIST_EACH(&c->subflows, node, following) {
        const struct subflow *sf = SUBFLOW_OF(node);
        out->memory_bytes += sizeof(*sf) + sf->held.length +
                             (sf->sent.capacity + sf->mapped.capacity) * sizeof(struct mapping);
    }
}
