/* Listeners, SYNs that arrive for them, and what the application answers to a deferred one. */
#include "stack_internal.h"

static bool listened_to(const struct braid_stack *stack, const struct braid_listen_config *config) {
    struct ip_address address = stack_address_in(&config->local.address);
    LIST_EACH(&stack->listeners, node, following) {
        const struct braid_listener *other = LIST_ENTRY(node, struct braid_listener, node);
        if (!other->closed && other->config.link == config->link && other->config.local.port == config->local.port &&
            ip_address_equal(&other->address, &address)) /* [MUST-41] */
            return true;
    }
    return false;
}

enum braid_config_fault braid_listen_config_check(const struct braid_stack *stack, const struct braid_listen_config *config) {
    const struct stack_choices choices = {config->congestion, config->scheduler, config->path_manager, config->path_limits,
                                          config->versions};
    enum braid_config_fault fault = stack_choices_check(&choices);
    if (fault == BRAID_CONFIG_OK && listened_to(stack, config)) fault = BRAID_CONFIG_LISTENED_TO;
    return fault;
}

struct braid_listener *braid_stack_listen(struct braid_stack *stack, const struct braid_listen_config *config) {
    if (braid_listen_config_check(stack, config) != BRAID_CONFIG_OK) return NULL;
    struct braid_listener *listener = stack->env->allocate(stack->env->context, sizeof(*listener));
    if (!listener) return NULL;
    *listener = (struct braid_listener){.stack = stack, .config = *config, .address = stack_address_in(&config->local.address),
                                        .users = 1, .limits = stack->limits};
    listener->congestion = config->congestion ? congestion_find(config->congestion) : stack->congestion;
    listener->scheduler = config->scheduler ? scheduler_find(config->scheduler) : stack->scheduler;
    listener->path_manager = config->path_manager ? path_manager_find(config->path_manager) : stack->path_manager;
    if (config->path_limits) ENSURE(stack_limits_in(config->path_limits, &listener->limits));
    listener->config.congestion = listener->congestion->name; /* ours to keep */
    listener->config.scheduler = listener->scheduler->name;
    listener->config.path_manager = listener->path_manager->name;
    listener->config.path_limits = NULL;
    list_append(&stack->listeners, &listener->node);
    return listener;
}

void listener_unref(struct braid_listener *listener) {
    if (--listener->users > 0) return;
    list_remove(&listener->node);
    listener->stack->env->release(listener->stack->env->context, listener, sizeof(*listener));
}

void braid_listener_close(struct braid_listener *listener, braid_time now) {
    struct braid_stack *stack = listener->stack;
    listener->closed = true;
    LIST_EACH(&stack->connections, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, all);
        if (entry->listener != listener || !entry->half_open) continue;
        connection_abort(entry->connection, now);
        entry_touch(entry);
    }
    listener_unref(listener);
}

/* 0: does not match; else the more specific the higher. */
static unsigned listener_match(const struct braid_listener *l, uint16_t link, const struct flow *flow) {
    unsigned score = 1;
    if (l->closed) return 0;
    if (l->config.link >= 0) {
        if (l->config.link != link) return 0;
        score += 1;
    }
    if (l->address.family != IP_NONE) {
        if (!ip_address_equal(&l->address, &flow->local)) return 0;
        score += 4;
    }
    if (l->config.local.port != 0) {
        if (l->config.local.port != flow->local_port) return 0;
        score += 2;
    }
    return score;
}

/* [MUST-42] */
struct braid_listener *listener_find(struct braid_stack *stack, uint16_t link, const struct flow *flow) {
    struct braid_listener *best = NULL;
    unsigned best_score = 0;
    LIST_EACH(&stack->listeners, node, following) {
        struct braid_listener *listener = LIST_ENTRY(node, struct braid_listener, node);
        unsigned score = listener_match(listener, link, flow);
        if (score > best_score) {
            best = listener;
            best_score = score;
        }
    }
    return best;
}

/* [R-3.2-13] */
/* RFC 8684 §3.2: a join is found by its token, whatever the listener says of its port. True: it was one. */
static bool join_arrived(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                         const struct tcp_segment *syn, braid_time now) {
    for (unsigned i = 0; i < syn->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &syn->options.mptcp[i];
        if (raw->length < 3 || raw->bytes[2] >> 4 != MPTCP_MP_JOIN) continue;
        struct mp_tcprst why = {.reason = MPTCP_RESET_MPTCP_ERROR};
        struct mptcp_option option;
        if (mptcp_option_decode(raw->bytes, raw->length, &option) != MPTCP_DECODE_OK ||
            option.as.mp_join.form != MP_JOIN_SYN) {
            stack->counters.join_malformed++;
            stack_send_reset(stack, link, flow, syn, &why);
            return true;
        }
        struct braid_connection *c = stack_token_find(stack, option.as.mp_join.token);
        if (!c) { /* [R-3.2-7] */
            stack->counters.join_unknown_token++;
            stack->mptcp.join_no_token++;
            stack_send_reset(stack, link, flow, syn, &why);
            return true;
        }
        if (syn->payload_length > 0) stack->counters.syn_data_ignored++;
        struct local_path path = stack_path_for(stack, link, &flow->local);
        if (!connection_join(c, &path, flow, syn, &why.reason, now)) {
            stack->counters.join_refused++;
            stack_send_reset(stack, link, flow, syn, connection_version(c) == 0 ? NULL : &why);
        }
        struct entry *entry = entry_of(c);
        if (entry) entry_touch(entry);
        return true;
    }
    return false;
}

/* [R-6824-3.1-8] Version 0 with the flag B is not understood: who sends it is to try again in another form. */
static bool extensible(const struct braid_listener *listener, const struct braid_stack *stack, const struct tcp_segment *syn) {
    struct mptcp_option option;
    enum braid_versions versions = listener->config.versions ? listener->config.versions : stack->config.versions;
    if (!listener->config.multipath || versions == BRAID_VERSION_1) return false;
    for (unsigned i = 0; i < syn->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &syn->options.mptcp[i];
        if (mptcp_option_decode(raw->bytes, raw->length, &option) == MPTCP_DECODE_OK && option.subtype == MPTCP_MP_CAPABLE)
            return option.as.mp_capable.version == MPTCP_VERSION_0 && option.as.mp_capable.extensibility;
    }
    return false;
}

static bool syn_keep(struct entry *entry, const struct braid_packet_in *packet) {
    const struct braid_env *env = entry->stack->env;
    entry->syn_packet = env->allocate(env->context, STACK_SYN_QUOTE_BYTES);
    if (!entry->syn_packet) return false;
    entry->syn_length = packet->length < STACK_SYN_QUOTE_BYTES ? packet->length : STACK_SYN_QUOTE_BYTES;
    memcpy(entry->syn_packet, packet->bytes, entry->syn_length);
    return true;
}

/* A flood of SYNs must not keep real clients out (RFC 4987 §3.4): the handshake that is oldest makes room, silently,
 * for its SYN may have come in somebody else's name. A real client gets in as long as its round trip is shorter than
 * half_open_max SYNs take to come. Those that the application knows of stay: it has their pointers. */
static bool half_open_evict(struct braid_stack *stack, const struct braid_listener *of) {
    LIST_EACH(&stack->half_open, node, following) {
        struct entry *entry = LIST_ENTRY(node, struct entry, half_open_place);
        if (entry->reported || (of && entry->listener != of)) continue;
        stack->counters.syn_half_open_evicted++;
        entry_destroy(entry);
        return true;
    }
    return false;
}

/* Of a listener that has as many as it may, its own oldest gives way. */
static bool half_open_full(const struct braid_stack *stack, const struct braid_listener *listener) {
    return stack->half_open_count >= stack->config.half_open_max ||
           (listener->config.half_open_max > 0 && listener->half_open >= listener->config.half_open_max);
}

/* Over a limit SYNs are dropped, not refused: the peer tries again. */
static bool room_for_one(struct braid_stack *stack, const struct braid_listener *listener) {
    bool all_full = stack->half_open_count >= stack->config.half_open_max;
    if (half_open_full(stack, listener) && !half_open_evict(stack, all_full ? NULL : listener)) {
        stack->counters.syn_half_open_full++;
        return false;
    }
    return true;
}

static bool cookie_instead(const struct braid_stack *stack, const struct braid_listener *listener) {
    if (listener->config.deferred) return false; /* the application is asked first */
    switch (stack->config.cookies) {
    case BRAID_COOKIES_WHEN_FULL: return half_open_full(stack, listener);
    case BRAID_COOKIES_ALWAYS: return true;
    case BRAID_COOKIES_NEVER: return false;
    }
    return false;
}

struct connection_config listener_connection_config(struct braid_stack *stack, const struct braid_listener *listener,
                                                    uint16_t link, const struct flow *flow) {
    struct local_path path = stack_path_for(stack, link, &flow->local);
    struct connection_config config = stack_connection_config(stack, &path, flow);
    config.multipath = listener->config.multipath;
    if (listener->config.versions) config.versions = stack_versions(listener->config.versions);
    config.congestion = listener->congestion;
    config.scheduler = listener->scheduler;
    config.path_manager = listener->path_manager;
    config.limits = listener->limits;
    config.bound = listener->config.bound;
    config.no_delay = !config.multipath;
    config.dscp = listener->config.dscp;
    config.hop_limit = listener->config.hop_limit;
    return config;
}

void listener_attach(struct braid_listener *listener, struct entry *entry, struct braid_connection *c) {
    entry->listener = listener;
    listener->users++;
    entry_attach(entry, c);
    entry_half_open(entry);
}

static bool entry_accept(struct entry *entry, struct braid_listener *listener, uint16_t link, const struct flow *flow,
                         const struct tcp_segment *syn, const struct braid_packet_in *packet, braid_time now) {
    struct braid_stack *stack = entry->stack;
    if (listener->config.deferred && !syn_keep(entry, packet)) return false;
    struct connection_config config = listener_connection_config(stack, listener, link, flow);
    struct braid_connection *c = connection_accept(stack->env, &config, syn, now);
    if (!c) return false;
    listener_attach(listener, entry, c);
    if (!listener->config.deferred) fast_open_arrived(listener, entry, flow, syn, now);
    if (syn->payload_length > 0 && !entry->fast_opened) stack->counters.syn_data_ignored++;
    return true;
}

void stack_syn_arrived(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                       const struct tcp_segment *syn, const struct braid_packet_in *packet, braid_time now) {
    if (join_arrived(stack, link, flow, syn, now)) return;
    struct braid_listener *listener = listener_find(stack, link, flow);
    if (!listener) {
        stack->counters.syn_no_listener++;
        stack_send_reset(stack, link, flow, syn, NULL);
        return;
    }
    if (extensible(listener, stack, syn)) {
        stack->counters.syn_extensible++;
        return;
    }
    if (stack->connection_count >= stack->config.connections_max) {
        stack->counters.syn_connections_full++;
        return;
    }
    if (cookie_instead(stack, listener)) {
        if (syn->payload_length > 0) stack->counters.syn_data_ignored++;
        stack_cookie_send(stack, listener, link, flow, syn, now);
        return;
    }
    if (!room_for_one(stack, listener)) return;
    struct entry *entry = entry_create(stack);
    if (!entry || !entry_accept(entry, listener, link, flow, syn, packet, now)) {
        stack->counters.syn_no_memory++;
        if (entry) entry_destroy(entry);
        return;
    }
    if (!listener->config.deferred) {
        connection_answer(entry->connection, now);
        return;
    }
    entry->reported = true;
    entry->bits |= BRAID_EVENT_INCOMING;
    list_append(&stack->eventful, &entry->eventful);
}

static void syn_forget(struct entry *entry) {
    const struct braid_env *env = entry->stack->env;
    if (entry->syn_packet) env->release(env->context, entry->syn_packet, STACK_SYN_QUOTE_BYTES);
    entry->syn_packet = NULL;
}

void braid_connection_accept(struct braid_connection *connection, braid_time now) {
    struct entry *entry = entry_of(connection);
    syn_forget(entry);
    connection_answer(connection, now);
    entry_touch(entry);
}

static void refuse_by_reset(struct entry *entry, uint16_t link, const struct flow *flow) {
    struct ip_header ip;
    struct tcp_segment syn;
    if (ip_decode(entry->syn_packet, entry->syn_length, true, &ip) != IP_OK) return;
    if (tcp_segment_decode(entry->syn_packet + ip.header_length, entry->syn_length - ip.header_length, &ip.source,
                           &ip.destination, true, &syn) != TCP_DECODE_OK)
        return;
    stack_send_reset(entry->stack, link, flow, &syn, NULL);
}

void braid_connection_refuse(struct braid_connection *connection, enum braid_refusal how, braid_time now) {
    struct entry *entry = entry_of(connection);
    const struct flow flow = *connection_flow(connection);
    struct subflow_info info;
    uint16_t link = connection_subflow_info(connection, 0, &info) ? info.link : 0;
    (void)now;
    if (entry->syn_packet) {
        switch (how) {
        case BRAID_REFUSE_RESET: refuse_by_reset(entry, link, &flow); break;
        case BRAID_REFUSE_HOST_UNREACHABLE:
        case BRAID_REFUSE_NET_UNREACHABLE:
        case BRAID_REFUSE_PROHIBITED: {
            enum icmp_error_kind kind = how == BRAID_REFUSE_HOST_UNREACHABLE  ? ICMP_HOST_UNREACHABLE
                                        : how == BRAID_REFUSE_NET_UNREACHABLE ? ICMP_NET_UNREACHABLE
                                                                              : ICMP_PROHIBITED;
            /* [R-1122-3.2.2-2] */
            stack_send_icmp(entry->stack, link, kind, &flow, entry->syn_packet, entry->syn_length);
            break;
        }
        case BRAID_REFUSE_SILENT: break;
        }
    }
    entry_destroy(entry);
}
