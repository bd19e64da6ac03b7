/* Trace events, declared once: name and typed fields. From here they reach JSON lines, reports and tests.
 * TRACE(...) costs one test of a pointer when nobody listens. */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <braid/env.h>

/* EVENT(name, FIELDS) where FIELDS is a list of U(name), I(name), S(name). `connection` and `subflow` are the
 * numbers the stack gives them (a connection's lives as long as the stack; a subflow's counts within it). */
#define TRACE_EVENTS(EVENT, U, I, S)                                                                             \
    EVENT(connection_state, U(connection) S(from) S(to))                                                         \
    EVENT(connection_fallback, U(connection) S(reason))                                                          \
    EVENT(connection_closed, U(connection) S(reason))                                                            \
    EVENT(connection_window, U(connection) U(window_bytes) U(rate_bytes_per_s) U(rtt_us))                        \
    EVENT(subflow_opened, U(connection) U(subflow) U(link) S(local) S(remote) S(how))                            \
    EVENT(subflow_state, U(connection) U(subflow) S(from) S(to))                                                 \
    EVENT(subflow_closed, U(connection) U(subflow) S(reason))                                                    \
    EVENT(subflow_suspected, U(connection) U(subflow) U(unacknowledged_bytes))                                   \
    EVENT(subflow_recovered, U(connection) U(subflow))                                                           \
    EVENT(subflow_spared, U(connection) U(subflow) U(spared) U(cost_bytes) U(brought_bytes))                    \
    EVENT(subflow_harmful, U(connection) U(subflow) U(cost_bytes) U(brought_bytes) U(until_us))                 \
    EVENT(subflow_rests, U(connection) U(subflow) U(rtt_us) U(delivery_bytes_per_s))                            \
    EVENT(subflow_longer, U(connection) U(subflow) U(before_us) U(rtt_us) U(window_bytes))                      \
    EVENT(subflow_rivals, U(connection) U(subflow) U(competes) U(rtt_us) U(base_us))                             \
    EVENT(path_crowded, U(connection) U(subflow) U(crowded) U(rtt_us))                                          \
    EVENT(subflow_priority, U(connection) U(subflow) U(backup) S(by))                                            \
    EVENT(reinjected, U(connection) U(from_subflow) U(bytes) S(reason))                                          \
    EVENT(loss_detected, U(connection) U(subflow) U(bytes) S(by))                                                \
    EVENT(timer_fired, U(connection) U(subflow) S(timer))                                                        \
    EVENT(congestion, U(connection) U(subflow) U(cwnd_bytes) U(ssthresh_bytes) U(in_flight_bytes) U(srtt_us))    \
    EVENT(address_announced, U(connection) U(address_id) S(address) S(by))                                       \
    EVENT(address_removed, U(connection) U(address_id) S(by))                                                    \
    EVENT(option_refused, U(connection) U(subflow) S(option) S(reason))                                          \
    EVENT(packet_dropped, U(link) S(reason))                                                                     \
    EVENT(meter_state, U(link) S(state) U(used_bytes) U(cap_bytes) U(expected_bytes))                            \
    EVENT(link_change, U(link) S(change))

#define TRACE_FIELD_U(name) uint64_t name;
#define TRACE_FIELD_I(name) int64_t name;
#define TRACE_FIELD_S(name) const char *name;
#define TRACE_STRUCT(event, FIELDS)                                                                              \
    struct trace_##event {                                                                                       \
        FIELDS                                                                                                   \
    };
TRACE_EVENTS(TRACE_STRUCT, TRACE_FIELD_U, TRACE_FIELD_I, TRACE_FIELD_S)

#define TRACE_VALUE_U(field) {.name = #field, .type = BRAID_TRACE_U64, .value.u64 = e->field},
#define TRACE_VALUE_I(field) {.name = #field, .type = BRAID_TRACE_I64, .value.i64 = e->field},
#define TRACE_VALUE_S(field) {.name = #field, .type = BRAID_TRACE_STRING, .value.text = e->field},
#define TRACE_FUNCTION(event, VALUES)                                                                            \
    static inline void trace_##event(const struct braid_env *env, braid_time now,                                \
                                     const struct trace_##event *e) {                                            \
        const struct braid_trace_field fields[] = {VALUES};                                                      \
        env->trace(env->context, now, #event, fields, sizeof(fields) / sizeof(fields[0]));                       \
    }
TRACE_EVENTS(TRACE_FUNCTION, TRACE_VALUE_U, TRACE_VALUE_I, TRACE_VALUE_S)

/* TRACE(env, now, subflow_closed, .connection = 1, .subflow = 0, .reason = "reset by peer"); */
#define TRACE(env_, now_, event, ...)                                                                            \
    do {                                                                                                         \
        if ((env_)->trace) trace_##event((env_), (now_), &(struct trace_##event){__VA_ARGS__});                  \
    } while (0)

#endif
