/* setsockopt and getsockopt: one row an option. */
#include "sockets_internal.h"

#include <limits.h>
#include <linux/mptcp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/time.h>

#ifndef SOL_MPTCP
#define SOL_MPTCP 284
#endif
#define LINGER_MAX_S 65535
#define FAST_OPEN_PENDING_MAX 65535
#define KEEPALIVE_IDLE_NS (7200 * BRAID_NS_PER_S) /* [MUST-28] RFC 9293 §3.8.4 */

/* --- values --- */

int option_give(const void *from, size_t size, void *value, socklen_t *length) {
    if (*length < size) size = *length;
    memcpy(value, from, size);
    *length = (socklen_t)size;
    return 0;
}

static int give_int(int number, void *value, socklen_t *length) {
    if (*length < sizeof(number)) return -EINVAL;
    return option_give(&number, sizeof(number), value, length);
}

static int take_bool(const void *value, socklen_t length, bool *out) {
    int number;
    if (length < sizeof(number)) return -EINVAL;
    memcpy(&number, value, sizeof(number));
    *out = number != 0;
    return 0;
}

static int take_time(const void *value, socklen_t length, braid_time *out) {
    struct timeval time;
    if (length < sizeof(time)) return -EINVAL;
    memcpy(&time, value, sizeof(time));
    if (time.tv_sec < 0 || time.tv_sec > 1 << 30 || time.tv_usec < 0 || time.tv_usec > 999999) return -EINVAL;
    *out = (braid_time)time.tv_sec * BRAID_NS_PER_S + (braid_time)time.tv_usec * BRAID_NS_PER_US;
    return 0;
}

static int give_time(braid_time ns, void *value, socklen_t *length) {
    struct timeval time = {.tv_sec = (time_t)(ns / BRAID_NS_PER_S),
                           .tv_usec = (suseconds_t)(ns % BRAID_NS_PER_S / BRAID_NS_PER_US)};
    return *length < sizeof(time) ? -EINVAL : option_give(&time, sizeof(time), value, length);
}

static int take_linger(struct socket_options *options, const void *value, socklen_t length) {
    struct linger linger;
    if (length < sizeof(linger)) return -EINVAL;
    memcpy(&linger, value, sizeof(linger));
    if (linger.l_onoff && (linger.l_linger < 0 || linger.l_linger > LINGER_MAX_S)) return -EINVAL;
    options->linger = linger.l_onoff != 0;
    options->linger_s = options->linger ? (unsigned)linger.l_linger : 0;
    return 0;
}

static int give_linger(const struct socket_options *options, void *value, socklen_t *length) {
    struct linger linger = {.l_onoff = options->linger, .l_linger = (int)options->linger_s};
    return *length < sizeof(linger) ? -EINVAL : option_give(&linger, sizeof(linger), value, length);
}

/* --- setting --- */

void socket_tune(struct socket *socket) {
    struct braid_tuning tuning = socket->options.tuning;
    if (!socket->options.keep_alive) tuning.keepalive_idle_ns = 0;
    else if (tuning.keepalive_idle_ns == 0) tuning.keepalive_idle_ns = KEEPALIVE_IDLE_NS;
    if (socket->connection) braid_connection_tune(socket->connection, &tuning, sockets_now(socket->net));
}

static int set_socket_level(struct socket *socket, int option, const void *value, socklen_t length) {
    struct socket_options *options = &socket->options;
    switch (option) {
    case SO_REUSEADDR: return take_bool(value, length, &options->reuse_address);
    case SO_KEEPALIVE: return take_bool(value, length, &options->keep_alive);
    case SO_LINGER: return take_linger(options, value, length);
    case SO_RCVTIMEO: return take_time(value, length, &options->receive_timeout_ns);
    case SO_SNDTIMEO: return take_time(value, length, &options->send_timeout_ns);
    default: return -ENOPROTOOPT;
    }
}

static int take_number(const void *value, socklen_t length, int least, int most, int *out) {
    if (length < sizeof(*out)) return -EINVAL;
    memcpy(out, value, sizeof(*out));
    return *out < least || *out > most ? -EINVAL : 0;
}

static int take_interval(const void *value, socklen_t length, int least, int most, braid_time unit, braid_time *out) {
    int number, error = take_number(value, length, least, most, &number);
    if (error == 0) *out = (braid_time)number * unit;
    return error;
}

/* One of the names there are, for a socket that has not begun. */
static int take_name(const struct socket *socket, const char *value, socklen_t length, const char *(*name_of)(unsigned index),
                     const char **out) {
    const char *name;
    if (socket->connection || socket->listener) return -EISCONN;
    for (unsigned i = 0; (name = name_of(i)) != NULL; i++) {
        size_t own = strlen(name);
        if (own > length || memcmp(name, value, own) != 0 || (own < length && value[own] != 0)) continue;
        *out = name;
        return 0;
    }
    return -ENOENT;
}

static int set_tcp_level(struct socket *socket, int option, const void *value, socklen_t length) {
    struct braid_tuning *tuning = &socket->options.tuning;
    int number, error;
    switch (option) {
    case TCP_NODELAY: return take_bool(value, length, &tuning->no_delay);
    case TCP_CORK: return take_bool(value, length, &tuning->cork);
    case TCP_USER_TIMEOUT: return take_interval(value, length, 0, INT_MAX, BRAID_NS_PER_MS, &tuning->user_timeout_ns);
    case TCP_KEEPIDLE: return take_interval(value, length, 1, 32767, BRAID_NS_PER_S, &tuning->keepalive_idle_ns);
    case TCP_KEEPINTVL: return take_interval(value, length, 1, 32767, BRAID_NS_PER_S, &tuning->keepalive_interval_ns);
    case TCP_KEEPCNT:
        error = take_number(value, length, 1, 127, &number);
        if (error == 0) tuning->keepalive_probes = (unsigned)number;
        return error;
    case TCP_FASTOPEN:
        error = take_number(value, length, 0, FAST_OPEN_PENDING_MAX, &number);
        if (error == 0 && (socket->connection || socket->listener)) error = -EISCONN;
        if (error == 0) socket->options.fast_open_pending_max = (uint32_t)number;
        return error;
    case TCP_CONGESTION:
        return take_name(socket, value, length, braid_congestion_name, &socket->options.congestion);
    default: return -ENOPROTOOPT;
    }
}

static int set_mptcp_level(struct socket *socket, int option, const void *value, socklen_t length) {
    struct socket_options *options = &socket->options;
    switch (option) {
    case BRAID_MPTCP_SCHEDULER: return take_name(socket, value, length, braid_scheduler_name, &options->scheduler);
    case BRAID_MPTCP_PATH_MANAGER: return take_name(socket, value, length, braid_path_manager_name, &options->path_manager);
    default: return -ENOPROTOOPT;
    }
}

/* Of TOS and traffic class the upper six bits; the lower two are ECN's, and TCP's own. */
static int set_ip_level(struct socket *socket, int level, int option, const void *value, socklen_t length) {
    struct braid_tuning *tuning = &socket->options.tuning;
    bool service = level == IPPROTO_IP ? option == IP_TOS : option == IPV6_TCLASS;
    bool hops = level == IPPROTO_IP ? option == IP_TTL : option == IPV6_UNICAST_HOPS;
    int number, error = service || hops ? take_number(value, length, hops ? -1 : 0, 255, &number) : -ENOPROTOOPT;
    if (error < 0) return error;
    if (hops && number == 0) return -EINVAL;
    if (hops) tuning->hop_limit = number < 0 ? 0 : (uint8_t)number;
    else tuning->dscp = (uint8_t)(number >> 2);
    return 0;
}

int braid_sockets_setsockopt(struct braid_sockets *net, int fd, int level, int option, const void *value,
                             socklen_t length) {
    struct socket *socket = socket_find(net, fd);
    int error = -ENOPROTOOPT;
    if (!socket) return -EBADF;
    if (level == SOL_SOCKET) error = set_socket_level(socket, option, value, length);
    if (level == IPPROTO_TCP) error = set_tcp_level(socket, option, value, length);
    if (level == SOL_MPTCP) error = set_mptcp_level(socket, option, value, length);
    if (level == IPPROTO_IP || level == IPPROTO_IPV6) error = set_ip_level(socket, level, option, value, length);
    if (error < 0) return error;
    socket_tune(socket);
    sockets_settle(net);
    return 0;
}

/* --- getting --- */

static int get_socket_level(struct socket *socket, int option, void *value, socklen_t *length) {
    const struct socket_options *options = &socket->options;
    const struct braid_stack_config *config = braid_stack_config(socket->net->stack);
    switch (option) {
    case SO_ERROR:
        return give_int(-socket_take_error(socket), value, length);
    case SO_TYPE:
        return give_int(SOCK_STREAM, value, length);
    case SO_DOMAIN:
        return give_int(socket->domain, value, length);
    case SO_PROTOCOL:
        return give_int(socket->multipath ? SOCKETS_IPPROTO_MPTCP : IPPROTO_TCP, value, length);
    case SO_ACCEPTCONN:
        return give_int(socket->listener != NULL, value, length);
    case SO_KEEPALIVE:
        return give_int(options->keep_alive, value, length);
    case SO_REUSEADDR:
        return give_int(options->reuse_address, value, length);
    case SO_LINGER:
        return give_linger(options, value, length);
    case SO_RCVTIMEO:
        return give_time(options->receive_timeout_ns, value, length);
    case SO_SNDTIMEO:
        return give_time(options->send_timeout_ns, value, length);
    case SO_SNDBUF:
        return give_int((int)config->send_buffer_bytes, value, length);
    case SO_RCVBUF:
        return give_int((int)config->receive_buffer_max_bytes, value, length);
    default:
        return -ENOPROTOOPT;
    }
}

static int seconds_or(braid_time set_ns, braid_time otherwise_ns) {
    return (int)((set_ns ? set_ns : otherwise_ns) / BRAID_NS_PER_S);
}

static int give_name(const char *chosen, const char *otherwise, void *value, socklen_t *length) {
    const char *name = chosen ? chosen : otherwise;
    return option_give(name, strlen(name) + 1, value, length);
}

static int get_mptcp_level(const struct socket *socket, int option, void *value, socklen_t *length) {
    const struct braid_stack_config *config = braid_stack_config(socket->net->stack);
    const struct socket_options *options = &socket->options;
    if (option == BRAID_MPTCP_SCHEDULER) return give_name(options->scheduler, config->scheduler, value, length);
    if (option == BRAID_MPTCP_PATH_MANAGER) return give_name(options->path_manager, config->path_manager, value, length);
    return info_mptcp(socket, option, value, length);
}

static int get_tcp_level(const struct socket *socket, int option, void *value, socklen_t *length) {
    const struct braid_stack_config *config = braid_stack_config(socket->net->stack);
    const struct braid_tuning *tuning = &socket->options.tuning;
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    switch (option) {
    case TCP_NODELAY:
        return give_int(tuning->no_delay, value, length);
    case TCP_CORK:
        return give_int(tuning->cork, value, length);
    case TCP_USER_TIMEOUT:
        return give_int((int)(tuning->user_timeout_ns / BRAID_NS_PER_MS), value, length);
    case TCP_KEEPIDLE:
        return give_int(seconds_or(tuning->keepalive_idle_ns, KEEPALIVE_IDLE_NS), value, length);
    case TCP_KEEPINTVL:
        return give_int(seconds_or(tuning->keepalive_interval_ns, 75 * BRAID_NS_PER_S), value, length);
    case TCP_KEEPCNT:
        return give_int(tuning->keepalive_probes ? (int)tuning->keepalive_probes : 9, value, length);
    case TCP_CONGESTION:
        return give_name(socket->options.congestion, config->congestion, value, length);
    case TCP_FASTOPEN:
        return give_int((int)socket->options.fast_open_pending_max, value, length);
    case TCP_INFO:
        return info_tcp(socket, value, length);
    case TCP_MAXSEG:
        (void)info_tcp(socket, &info, &size);
        return give_int((int)info.tcpi_snd_mss, value, length);
    default:
        return -ENOPROTOOPT;
    }
}

static int get_ip_level(const struct socket *socket, int level, int option, void *value, socklen_t *length) {
    const struct braid_tuning *tuning = &socket->options.tuning;
    if (option == (level == IPPROTO_IP ? IP_TOS : IPV6_TCLASS)) return give_int(tuning->dscp << 2, value, length);
    if (option == (level == IPPROTO_IP ? IP_TTL : IPV6_UNICAST_HOPS))
        return give_int(tuning->hop_limit > 0 ? tuning->hop_limit : 64, value, length);
    return -ENOPROTOOPT;
}

int braid_sockets_getsockopt(struct braid_sockets *net, int fd, int level, int option, void *value,
                             socklen_t *length) {
    struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    if (level == SOL_SOCKET) return get_socket_level(socket, option, value, length);
    if (level == IPPROTO_TCP) return get_tcp_level(socket, option, value, length);
    if (level == IPPROTO_IP || level == IPPROTO_IPV6) return get_ip_level(socket, level, option, value, length);
    if (level == SOL_MPTCP) return get_mptcp_level(socket, option, value, length);
    return -ENOPROTOOPT;
}

/* --- what is like an option --- */

int braid_sockets_set_nonblocking(struct braid_sockets *net, int fd, bool on) {
    struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    socket->nonblocking = on;
    return 0;
}

int braid_sockets_nonblocking(struct braid_sockets *net, int fd) {
    const struct socket *socket = socket_find(net, fd);
    return socket ? socket->nonblocking : -EBADF;
}

struct braid_connection *braid_sockets_connection(struct braid_sockets *net, int fd) {
    const struct socket *socket = socket_find(net, fd);
    return socket ? socket->connection : NULL;
}
