/* The application's calls on a connection. */
#include "stack_internal.h"

static struct braid_endpoint endpoint_of(const struct ip_address *address, uint16_t port) {
    return (struct braid_endpoint){.address = stack_address_out(address), .port = port};
}

struct braid_connection *braid_stack_connect(struct braid_stack *stack, const struct braid_connect_config *config,
                                             braid_time now, enum braid_connect_error *error) {
    stack->seen_at = now;
    struct ip_address remote = stack_address_in(&config->remote.address);
    struct ip_address local = stack_address_in(&config->local);
    const struct local_path *path = stack_path_choose(stack, &remote, &local); /* [MUST-43] [MUST-44] */
    const struct congestion_ops *congestion = config->congestion ? congestion_find(config->congestion) : stack->congestion;
    const struct scheduler_ops *scheduler = config->scheduler ? scheduler_find(config->scheduler) : stack->scheduler;
    const struct path_manager_ops *manager = config->path_manager ? path_manager_find(config->path_manager) : stack->path_manager;
    struct path_limits limits = stack->limits;
    *error = congestion ? BRAID_CONNECT_UNKNOWN_SCHEDULER : BRAID_CONNECT_UNKNOWN_CONGESTION;
    if (!congestion || !scheduler) return NULL;
    *error = manager ? BRAID_CONNECT_BAD_LIMITS : BRAID_CONNECT_UNKNOWN_PATH_MANAGER;
    if (!manager || (config->path_limits && !stack_limits_in(config->path_limits, &limits))) return NULL;
    *error = BRAID_CONNECT_BAD_VERSIONS;
    if (!stack_versions_known(config->versions)) return NULL;
    *error = BRAID_CONNECT_NO_PATH;
    if (!path || ip_address_is_multicast(&remote) || ip_address_is_unspecified(&remote)) return NULL; /* [MUST-46] */
    *error = BRAID_CONNECT_NO_MEMORY;
    if (stack->connection_count >= stack->config.connections_max) return NULL;
    struct entry *entry = entry_create(stack);
    if (!entry) return NULL;
    struct flow flow = {.local = path->address,
                        .local_port = config->local_port,
                        .remote = remote,
                        .remote_port = config->remote.port};
    struct connection_config details = stack_connection_config(stack, path, &flow);
    details.multipath = config->multipath &&
                        capable_memory_ask(&stack->capable, path->address_id, &remote, now, &details.capable_syns);
    if (config->multipath && !details.multipath) stack->counters.capable_not_asked++;
    enum braid_versions versions = config->versions ? config->versions : stack->config.versions;
    details.versions = stack_versions(versions);
    entry->discovers = details.multipath && versions == BRAID_VERSIONS_DISCOVER;
    entry->asked_version_0 = details.ask_version_0 =
        entry->discovers && version_memory_ask_0(&stack->versions, path->address_id, &remote, now);
    details.path_manager = config->single_path ? &path_manager_none : manager;
    details.limits = limits;
    details.bound = config->bound;
    details.race = config->multipath && !config->bound && local.family == IP_NONE && config->local_port == 0;
    details.no_delay = config->no_delay;
    details.congestion = congestion;
    details.scheduler = scheduler;
    if (config->fast_open) fast_open_choose(stack, &details, now); /* [R-7413-2-1] */
    entry->fast_opened = details.fast_open.asks;
    struct braid_connection *c = connection_connect(stack->env, &details, now);
    if (!c) {
        *error = BRAID_CONNECT_NO_PORT;
        entry_destroy(entry);
        return NULL;
    }
    entry->reported = true;
    entry_attach(entry, c);
    *error = BRAID_CONNECT_OK;
    return c;
}

void braid_connection_tune(struct braid_connection *c, const struct braid_tuning *tuning, braid_time now) {
    const struct tcp_tuning inner = {
        .no_delay = tuning->no_delay,
        .cork = tuning->cork,
        .user_timeout_ns = tuning->user_timeout_ns,
        .keepalive_idle_ns = tuning->keepalive_idle_ns,
        .keepalive_interval_ns = tuning->keepalive_interval_ns,
        .keepalive_probes = tuning->keepalive_probes,
        .dscp = tuning->dscp,
        .hop_limit = tuning->hop_limit,
    };
    connection_tune(c, &inner, now);
    entry_touch(entry_of(c));
}

void braid_connection_tuning(const struct braid_connection *c, struct braid_tuning *out) {
    struct tcp_tuning inner;
    connection_tuning(c, &inner);
    *out = (struct braid_tuning){
        .no_delay = inner.no_delay,
        .cork = inner.cork,
        .user_timeout_ns = inner.user_timeout_ns,
        .keepalive_idle_ns = inner.keepalive_idle_ns,
        .keepalive_interval_ns = inner.keepalive_interval_ns,
        .keepalive_probes = inner.keepalive_probes,
        .dscp = inner.dscp,
        .hop_limit = inner.hop_limit,
    };
}

/* Whoever writes until there is room again would otherwise keep the stack awake. */
static void touch_unless_full(struct braid_connection *c, bool taken) {
    if (taken || connection_write_room(c) > 0) entry_touch(entry_of(c)); /* with room: memory is short, which a timer is for */
}

uint32_t braid_connection_write(struct braid_connection *c, const void *bytes, uint32_t length, braid_time now) {
    uint32_t taken = connection_write(c, bytes, length, now);
    touch_unless_full(c, taken > 0);
    return taken;
}

bool braid_connection_write_slice(struct braid_connection *c, struct braid_slice slice, braid_time now) {
    bool taken = connection_write_slice(c, slice, now);
    touch_unless_full(c, taken);
    return taken;
}

uint32_t braid_connection_write_room(const struct braid_connection *c) { return connection_write_room(c); }

uint32_t braid_connection_read(struct braid_connection *c, void *bytes, uint32_t length, braid_time now) {
    uint32_t got = connection_read(c, bytes, length, now);
    if (got > 0) entry_touch(entry_of(c));
    return got;
}

struct braid_slice braid_connection_read_slice(struct braid_connection *c, braid_time now) {
    struct braid_slice slice = connection_read_slice(c, now);
    if (slice.length > 0) entry_touch(entry_of(c));
    return slice;
}

uint64_t braid_connection_readable(const struct braid_connection *c) { return connection_readable(c); }
uint64_t braid_connection_urgent(const struct braid_connection *c) { return connection_urgent(c); }
bool braid_connection_at_end(const struct braid_connection *c) { return connection_at_end(c); }

void braid_connection_shutdown(struct braid_connection *c, braid_time now) {
    connection_shutdown(c, now);
    entry_touch(entry_of(c));
}

void braid_connection_abort(struct braid_connection *c, braid_time now) {
    connection_abort(c, now);
    entry_touch(entry_of(c));
}

void braid_connection_release(struct braid_connection *c, braid_time now) {
    struct entry *entry = entry_of(c);
    entry->released = true;
    entry->bits = 0;
    list_remove(&entry->eventful);
    connection_close(c, now);
    entry_touch(entry);
}

/* The two enumerations are one list, told twice: once for the public, once below. */
_Static_assert((int)BRAID_CLOSED_PROTOCOL_ERROR == (int)CONNECTION_PROTOCOL_ERROR, "close reasons have diverged");
_Static_assert((int)BRAID_CLOSED_UNREACHABLE == (int)CONNECTION_UNREACHABLE, "close reasons have diverged");
_Static_assert((int)BRAID_EVENT_CONNECTED == (int)CONNECTION_ESTABLISHED, "events have diverged");
_Static_assert((int)BRAID_EVENT_SENT == (int)CONNECTION_SENT, "events have diverged");
_Static_assert((int)BRAID_EVENT_URGENT == (int)CONNECTION_URGENT, "events have diverged");
_Static_assert((int)BRAID_PATH_CLOSING == (int)SUBFLOW_CLOSING, "path states have diverged");

enum braid_close_reason braid_connection_close_reason(const struct braid_connection *c) {
    return (enum braid_close_reason)connection_close_reason(c);
}

const char *braid_close_reason_name(enum braid_close_reason reason) {
    return connection_close_reason_name((enum connection_close_reason)reason);
}

enum braid_refusal braid_connection_refusal(const struct braid_connection *c) {
    switch (connection_close_reason(c)) {
    case CONNECTION_UNREACHABLE: break;
    case CONNECTION_TIMED_OUT: return BRAID_REFUSE_SILENT;
    default: return BRAID_REFUSE_RESET;
    }
    switch (connection_icmp_kind(c)) {
    case ICMP_NET_UNREACHABLE: return BRAID_REFUSE_NET_UNREACHABLE;
    case ICMP_PROHIBITED: return BRAID_REFUSE_PROHIBITED;
    case ICMP_PORT_UNREACHABLE: return BRAID_REFUSE_RESET; /* nobody listens, as Linux reads it, too */
    default: return BRAID_REFUSE_HOST_UNREACHABLE;
    }
}

void braid_connection_set_user(struct braid_connection *c, void *user) { connection_set_user(c, user); }
void *braid_connection_user(const struct braid_connection *c) { return connection_user(c); }

void braid_connection_endpoints(const struct braid_connection *c, struct braid_endpoint *local,
                                struct braid_endpoint *remote) {
    const struct flow *flow = connection_flow(c);
    *local = endpoint_of(&flow->local, flow->local_port);
    *remote = endpoint_of(&flow->remote, flow->remote_port);
}

static void path_tcp(const struct tcp_info *tcp, struct braid_path_info *out) {
    out->rttvar_us = tcp->rttvar_ns / BRAID_NS_PER_US;
    out->rto_us = tcp->rto_ns / BRAID_NS_PER_US;
    out->ssthresh_bytes = tcp->ssthresh_bytes;
    out->mss_bytes = tcp->mss_bytes;
    out->mtu_bytes = tcp->mtu_bytes;
    out->lost_bytes = tcp->lost_bytes;
    out->sacked_bytes = tcp->sacked_bytes;
    out->peer_window_bytes = tcp->peer_window_bytes;
    out->pacing_bytes_per_s = tcp->pacing_bytes_per_s;
    out->segments_sent = tcp->segments_sent;
    out->segments_received = tcp->segments_received;
    out->segments_retransmitted = tcp->segments_retransmitted;
    out->segments_out_of_order = tcp->segments_out_of_order;
    out->bytes_received_duplicate = tcp->bytes_received_duplicate;
    out->timeouts = tcp->timeouts;
    out->probes = tcp->probes;
    out->fast_recoveries = tcp->fast_recoveries;
    out->spurious_recoveries = tcp->spurious_recoveries;
    out->marks_received = tcp->marks_received;
    out->marks_answered = tcp->marks_answered;
    out->ecn = tcp->ecn;
    out->sack = tcp->sack;
    out->timestamps = tcp->timestamps;
}

bool braid_connection_path(const struct braid_connection *c, unsigned index, struct braid_path_info *out) {
    struct subflow_info info;
    if (!connection_subflow_info(c, index, &info)) return false;
    *out = (struct braid_path_info){
        .number = info.number,
        .link = info.link,
        .status = (enum braid_path_status)info.status,
        .backup = info.backup_here || info.backup_there,
        .local = endpoint_of(&info.flow.local, info.flow.local_port),
        .remote = endpoint_of(&info.flow.remote, info.flow.remote_port),
        .rtt_us = info.tcp.srtt_ns / BRAID_NS_PER_US,
        .min_rtt_us = info.tcp.min_rtt_ns / BRAID_NS_PER_US,
        .bytes_sent = info.tcp.bytes_sent,
        .bytes_received = info.tcp.bytes_received,
        .bytes_retransmitted = info.tcp.bytes_retransmitted,
        .cwnd_bytes = info.tcp.cwnd_bytes,
        .in_flight_bytes = info.tcp.in_flight_bytes,
        .delivery_bytes_per_s = info.tcp.delivery_bytes_per_s,
    };
    path_tcp(&info.tcp, out);
    out->reordering_window_us = info.words.reordering_window_ns / BRAID_NS_PER_US;
    out->reordering_seen = info.words.reordering_seen;
    out->congestion = info.words.congestion;
    out->congestion_state = info.words.congestion_state;
    return true;
}

void braid_connection_info(const struct braid_connection *c, struct braid_connection_info *out) {
    struct connection_info info;
    connection_info(c, &info);
    *out = (struct braid_connection_info){
        .number = connection_number(c),
        .established = info.established,
        .multipath = info.mode == CONNECTION_MODE_MPTCP,
        .fallback = info.mode == CONNECTION_MODE_FALLBACK,
        .checksum = info.checksum,
        .version = connection_version(c),
        .paths = info.subflows,
        .bytes_written = info.bytes_written,
        .bytes_acknowledged = info.bytes_acknowledged,
        .bytes_received = info.bytes_received,
        .bytes_reinjected = info.bytes_reinjected,
        .bytes_copied = info.bytes_copied,
        .bytes_out_of_order = info.bytes_out_of_order,
        .receive_window_bytes = info.receive_window_bytes,
        .send_window_bytes = info.send_window_bytes,
    };
}
