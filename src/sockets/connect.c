/* connect, shutdown, close: a connection's beginning and its ends. */
#include "sockets_internal.h"

/* What ICMP said. A port that nobody listens to is refused, whoever says so. */
static int unreachable(enum braid_refusal why) {
    if (why == BRAID_REFUSE_RESET) return ECONNREFUSED;
    return why == BRAID_REFUSE_NET_UNREACHABLE ? ENETUNREACH : EHOSTUNREACH;
}

int socket_reason(const struct socket *socket) {
    switch (braid_connection_close_reason(socket->connection)) {
    case BRAID_OPEN:
    case BRAID_CLOSED_NORMALLY:
        return 0;
    case BRAID_CLOSED_REFUSED:
        return ECONNREFUSED;
    case BRAID_CLOSED_RESET:
        return ECONNRESET;
    case BRAID_CLOSED_TIMED_OUT:
        return ETIMEDOUT;
    case BRAID_CLOSED_UNREACHABLE:
        return unreachable(braid_connection_refusal(socket->connection));
    case BRAID_CLOSED_NO_MEMORY:
        return ENOMEM;
    case BRAID_CLOSED_ABORTED:
    case BRAID_CLOSED_PROTOCOL_ERROR:
        break;
    }
    return ECONNABORTED;
}

int socket_take_error(struct socket *socket) {
    int error = socket->error;
    socket->error = 0;
    return -error;
}

/* The attempt has failed: the socket is as it was before it. */
static int give_up(struct socket *socket) {
    int error = socket_take_error(socket);
    braid_connection_set_user(socket->connection, NULL);
    braid_connection_release(socket->connection, sockets_now(socket->net));
    socket->connection = NULL;
    socket->over = false;
    sockets_settle(socket->net);
    return error;
}

static int await(struct braid_sockets *net, int fd) {
    struct socket *socket = socket_find(net, fd);
    const struct braid_connection *connection = socket->connection;
    braid_time until = sockets_until(net, socket->options.send_timeout_ns);
    for (;; socket = socket_find(net, fd)) {
        if (!socket || socket->connection != connection) return -EBADF;
        if (socket->established) return 0;
        if (socket->over) {
            int error = give_up(socket);
            return error ? error : -ECONNABORTED;
        }
        if (socket->nonblocking || !sockets_wait(net, until)) return -EINPROGRESS;
    }
}

int connect_begin(struct socket *socket, const struct braid_endpoint *remote, bool fast_open) {
    struct braid_connect_config config = {.remote = *remote,
                                          .local = socket->local.address,
                                          .local_port = socket->local.port,
                                          .multipath = socket->multipath,
                                          .no_delay = socket->options.tuning.no_delay,
                                          .fast_open = fast_open,
                                          .congestion = socket->options.congestion,
                                          .scheduler = socket->options.scheduler,
                                          .path_manager = socket->options.path_manager};
    enum braid_connect_error error;
    socket->connection = braid_stack_connect(socket->net->stack, &config, sockets_now(socket->net), &error);
    if (!socket->connection)
        return error == BRAID_CONNECT_NO_PATH   ? -ENETUNREACH
               : error == BRAID_CONNECT_NO_PORT ? -EADDRNOTAVAIL
                                                : -ENOMEM;
    braid_connection_set_user(socket->connection, socket);
    socket_tune(socket);
    return 0;
}

int connect_prepare(struct socket *socket, const struct sockaddr *address, socklen_t length,
                    struct braid_endpoint *remote) {
    if (socket->listener) return -EOPNOTSUPP;
    if (socket->established) return -EISCONN;
    if (socket->connection && !socket->over) return -EALREADY;
    if (socket->connection) {
        int error = give_up(socket);
        if (error < 0) return error;
    }
    int error = address_take(socket, address, length, remote);
    if (error < 0) return error;
    return remote->address.family == 0 ? -ENETUNREACH : 0;
}

int braid_sockets_connect(struct braid_sockets *net, int fd, const struct sockaddr *address,
                          socklen_t length) {
    struct socket *socket = socket_find(net, fd);
    struct braid_endpoint remote;
    int error = socket ? connect_prepare(socket, address, length, &remote) : -EBADF;
    if (error == 0) error = connect_begin(socket, &remote, false);
    if (error < 0) return error;
    sockets_settle(net);
    return await(net, fd);
}

int braid_sockets_shutdown(struct braid_sockets *net, int fd, int how) {
    struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR) return -EINVAL;
    if (!socket->connection || !socket->established || socket->over) return -ENOTCONN;
    if (how != SHUT_WR) socket->shut_read = true;
    if (how != SHUT_RD && !socket->shut_write) {
        socket->shut_write = true;
        socket->sent_all = false;
        braid_connection_shutdown(socket->connection, sockets_now(net));
        sockets_settle(net);
    }
    return 0;
}

/* The descriptor is free from here on; the socket is still told of its connection's events. */
static int linger(struct socket *socket) {
    struct braid_sockets *net = socket->net;
    braid_time until = sockets_until(net, socket->options.linger_s * BRAID_NS_PER_S);
    if (!socket->shut_write) {
        socket->shut_write = true;
        socket->sent_all = false;
        braid_connection_shutdown(socket->connection, sockets_now(net));
        sockets_settle(net);
    }
    while (!socket->sent_all && !socket->over)
        if (socket->nonblocking || !sockets_wait(net, until)) return -EAGAIN;
    return 0;
}

int braid_sockets_close(struct braid_sockets *net, int fd) {
    struct socket *socket = socket_find(net, fd);
    int result = 0;
    if (!socket) return -EBADF;
    net->table[fd - SOCKETS_FIRST_FD] = NULL;
    socket->fd = -1;
    if (socket->connection && !socket->over && socket->options.linger) {
        if (socket->options.linger_s == 0)
            braid_connection_abort(socket->connection, sockets_now(net));
        else if (socket->established)
            result = linger(socket);
    }
    socket_free(socket);
    sockets_settle(net);
    return result;
}
