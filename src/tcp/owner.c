#include "tcp_internal.h"

static const struct tcp_owner_ops *ops_of(const struct tcp *t) { return t->config.ops; }

size_t owner_write_options(struct tcp *t, const struct tcp_outgoing *segment, uint8_t *out, size_t room) {
    if (ops_of(t)->write_options == NULL) return 0;
    size_t length = ops_of(t)->write_options(t->config.owner, t, segment, out, room);
    ENSURE(length <= room);
    return length;
}

uint32_t owner_segment_limit(struct tcp *t, seq32 seq, uint32_t want) {
    if (ops_of(t)->segment_limit == NULL) return want;
    uint32_t limit = ops_of(t)->segment_limit(t->config.owner, t, seq, want);
    ENSURE(limit >= 1 && limit <= want);
    return limit;
}

enum tcp_verdict owner_segment_arrived(struct tcp *t, const struct tcp_segment *segment, braid_time now) {
    if (ops_of(t)->segment_arrived == NULL) return TCP_VERDICT_ACCEPT;
    return ops_of(t)->segment_arrived(t->config.owner, t, segment, now);
}

void owner_data_arrived(struct tcp *t, seq32 seq, struct braid_slice data, braid_time now) {
    if (ops_of(t)->data_arrived != NULL) {
        ops_of(t)->data_arrived(t->config.owner, t, seq, data, now);
    } else {
        slice_release(&data);
    }
}

void owner_early_arrived(struct tcp *t, struct braid_slice data, braid_time now) {
    if (t->config.ops->early_arrived != NULL) t->config.ops->early_arrived(t->config.owner, t, data, now);
    else slice_release(&data);
}

void owner_acknowledged(struct tcp *t, uint32_t bytes, braid_time now) {
    if (ops_of(t)->acknowledged != NULL) ops_of(t)->acknowledged(t->config.owner, t, bytes, now);
}

void owner_established(struct tcp *t, braid_time now) {
    if (ops_of(t)->established != NULL) ops_of(t)->established(t->config.owner, t, now);
}

void owner_fin_arrived(struct tcp *t, braid_time now) {
    if (ops_of(t)->fin_arrived != NULL) ops_of(t)->fin_arrived(t->config.owner, t, now);
}

/* [SHLD-9] */
void owner_suspected(struct tcp *t, unsigned timeouts, braid_time now) {
    t->suspected = true;
    TRACE(t->env, now, subflow_suspected, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number, .unacknowledged_bytes = tcp_unacknowledged(t));
    if (ops_of(t)->suspected != NULL) ops_of(t)->suspected(t->config.owner, t, timeouts, now);
}

void owner_recovered(struct tcp *t, braid_time now) {
    t->suspected = false;
    TRACE(t->env, now, subflow_recovered, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number);
    if (ops_of(t)->recovered != NULL) ops_of(t)->recovered(t->config.owner, t, now);
}

void owner_closed(struct tcp *t, enum tcp_close_reason reason, braid_time now) {
    TRACE(t->env, now, subflow_closed, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number, .reason = tcp_close_reason_name(reason));
    if (ops_of(t)->closed != NULL) ops_of(t)->closed(t->config.owner, t, reason, now);
}

bool owner_may_keep(const struct tcp *t, bool in_order) {
    return ops_of(t)->may_keep == NULL || ops_of(t)->may_keep(t->config.owner, in_order);
}

bool owner_alone(const struct tcp *t) { return ops_of(t)->alone == NULL || ops_of(t)->alone(t->config.owner); }

void owner_path_mtu_found(const struct tcp *t, braid_time now) {
    if (ops_of(t)->path_mtu_found != NULL) ops_of(t)->path_mtu_found(t->config.owner, t->mtu_bytes, t->pmtu.next_at == BRAID_NEVER, now);
}

void owner_window_shrunk(const struct tcp *t) {
    if (ops_of(t)->window_shrunk != NULL) ops_of(t)->window_shrunk(t->config.owner);
}

uint32_t owner_receive_window(const struct tcp *t) {
    if (ops_of(t)->receive_window == NULL) return t->config.receive_window_max_bytes;
    /* The owner's operation gets the subflow as all of them do, and by contract only reads it. */
    return ops_of(t)->receive_window(t->config.owner, (struct tcp *)(uintptr_t)t);
}
