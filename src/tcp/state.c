#include "tcp_internal.h"

const char *tcp_state_name(enum tcp_state state) {
    switch (state) {
    case TCP_STATE_CLOSED: return "CLOSED";
    case TCP_STATE_SYN_SENT: return "SYN-SENT";
    case TCP_STATE_SYN_RECEIVED: return "SYN-RECEIVED";
    case TCP_STATE_ESTABLISHED: return "ESTABLISHED";
    case TCP_STATE_FIN_WAIT_1: return "FIN-WAIT-1";
    case TCP_STATE_FIN_WAIT_2: return "FIN-WAIT-2";
    case TCP_STATE_CLOSE_WAIT: return "CLOSE-WAIT";
    case TCP_STATE_CLOSING: return "CLOSING";
    case TCP_STATE_LAST_ACK: return "LAST-ACK";
    case TCP_STATE_TIME_WAIT: return "TIME-WAIT";
    }
    return "unknown";
}

const char *tcp_close_reason_name(enum tcp_close_reason reason) {
    switch (reason) {
    case TCP_CLOSED_NORMALLY: return "normally";
    case TCP_CLOSED_REFUSED: return "refused";
    case TCP_CLOSED_RESET: return "reset by peer";
    case TCP_CLOSED_TIMEOUT: return "timeout";
    case TCP_CLOSED_UNREACHABLE: return "unreachable";
    case TCP_CLOSED_ABORTED: return "aborted";
    case TCP_CLOSED_NO_MEMORY: return "no memory";
    }
    return "unknown";
}

/* Where one may go from each state (RFC 9293 §3.3.2, figure 5). CLOSED is reached from everywhere. */
static bool transition_is_legal(enum tcp_state from, enum tcp_state to) {
    if (to == TCP_STATE_CLOSED) return true;
    switch (from) {
    case TCP_STATE_CLOSED: return to == TCP_STATE_SYN_SENT || to == TCP_STATE_SYN_RECEIVED;
    case TCP_STATE_SYN_SENT: return to == TCP_STATE_SYN_RECEIVED || to == TCP_STATE_ESTABLISHED;
    case TCP_STATE_SYN_RECEIVED: return to == TCP_STATE_ESTABLISHED;
    case TCP_STATE_ESTABLISHED: return to == TCP_STATE_FIN_WAIT_1 || to == TCP_STATE_CLOSE_WAIT;
    case TCP_STATE_FIN_WAIT_1:
        return to == TCP_STATE_FIN_WAIT_2 || to == TCP_STATE_CLOSING || to == TCP_STATE_TIME_WAIT;
    case TCP_STATE_FIN_WAIT_2: return to == TCP_STATE_TIME_WAIT;
    case TCP_STATE_CLOSE_WAIT: return to == TCP_STATE_LAST_ACK;
    case TCP_STATE_CLOSING: return to == TCP_STATE_TIME_WAIT;
    case TCP_STATE_LAST_ACK: return false;
    case TCP_STATE_TIME_WAIT: return false;
    }
    return false;
}

void state_set(struct tcp *t, enum tcp_state to, braid_time now) {
    ENSURE(transition_is_legal(t->state, to));
    TRACE(t->env, now, subflow_state, .connection = t->config.connection_number,
          .subflow = t->config.subflow_number, .from = tcp_state_name(t->state), .to = tcp_state_name(to));
    t->state = to;
}

void state_close(struct tcp *t, enum tcp_close_reason reason, braid_time now) {
    if (t->closed_for_good) return;
    t->closed_for_good = true;
    t->rearm_due = false;
    timers_init(t);
    state_set(t, TCP_STATE_CLOSED, now);
    owner_closed(t, reason, now);
}

bool state_is_synchronized(enum tcp_state state) {
    switch (state) {
    case TCP_STATE_CLOSED:
    case TCP_STATE_SYN_SENT:
    case TCP_STATE_SYN_RECEIVED: return false;
    case TCP_STATE_ESTABLISHED:
    case TCP_STATE_FIN_WAIT_1:
    case TCP_STATE_FIN_WAIT_2:
    case TCP_STATE_CLOSE_WAIT:
    case TCP_STATE_CLOSING:
    case TCP_STATE_LAST_ACK:
    case TCP_STATE_TIME_WAIT: return true;
    }
    return false;
}

bool state_may_send_data(enum tcp_state state) {
    return state == TCP_STATE_ESTABLISHED || state == TCP_STATE_CLOSE_WAIT;
}

bool state_may_receive_data(enum tcp_state state) {
    return state == TCP_STATE_ESTABLISHED || state == TCP_STATE_FIN_WAIT_1 || state == TCP_STATE_FIN_WAIT_2;
}

/* Out of line: what is rare shall not cost those who ask for it. */
void count_ignored(const struct tcp *t, size_t counter, const char *option, const char *reason, braid_time now) {
    if (t->drops != NULL) ++*(uint64_t *)((uint8_t *)t->drops + counter);
    TRACE(t->env, now, option_refused, .connection = t->config.connection_number, .subflow = t->config.subflow_number,
          .option = option, .reason = reason);
}
