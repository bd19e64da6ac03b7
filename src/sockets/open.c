/* socket, bind, listen, accept: what there is before a connection. */
#include "sockets_internal.h"

#include <netinet/in.h>

static int protocol_known(int protocol) {
    return protocol == 0 || protocol == IPPROTO_TCP || protocol == SOCKETS_IPPROTO_MPTCP;
}

int braid_sockets_socket(struct braid_sockets *net, int domain, int type, int protocol) {
    if (domain != AF_INET && domain != AF_INET6) return -EAFNOSUPPORT;
    if ((type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM) return -ESOCKTNOSUPPORT;
    if (!protocol_known(protocol)) return -EPROTONOSUPPORT;
    struct socket *socket = socket_create(net, domain);
    if (!socket) return -ENOMEM;
    socket->multipath = protocol == SOCKETS_IPPROTO_MPTCP;
    socket->nonblocking = (type & SOCK_NONBLOCK) != 0;
    int fd = socket_open(socket);
    if (fd < 0) socket_free(socket);
    return fd;
}

/* --- bind --- */

/* A connection keeps others from its port only if it was bound to it, or accepted there by a listener that is
 * gone: then the flows themselves tell who is who. */
static bool in_the_way(const struct socket *socket, const struct socket *other,
                       const struct braid_endpoint *wanted) {
    if (other == socket || !other->bound || other->local.port != wanted->port) return false;
    const struct braid_address *a = &wanted->address, *b = &other->local.address;
    if (a->family != 0 && b->family != 0 && !address_same(a, b)) return false;
    return !(socket->options.reuse_address && other->options.reuse_address && !other->listener);
}

static bool port_free(const struct socket *socket, const struct braid_endpoint *wanted) {
    const struct braid_sockets *net = socket->net;
    for (size_t i = 0; i < net->capacity; i++)
        if (net->table[i] && in_the_way(socket, net->table[i], wanted)) return false;
    return true;
}

static int bind_to(struct socket *socket, struct braid_endpoint wanted) {
    bool chosen = wanted.port == 0;
    uint32_t place = chosen ? (uint32_t)prng_below(&socket->net->ports, SOCKETS_PORT_COUNT) : 0;
    for (uint32_t tries = 0; tries < (chosen ? SOCKETS_PORT_COUNT : 1); tries++) {
        if (chosen) wanted.port = (uint16_t)(SOCKETS_PORT_FIRST + (place + tries) % SOCKETS_PORT_COUNT);
        if (!port_free(socket, &wanted)) continue;
        socket->local = wanted;
        socket->bound = true;
        return 0;
    }
    return -EADDRINUSE;
}

int braid_sockets_bind(struct braid_sockets *net, int fd, const struct sockaddr *address, socklen_t length) {
    struct socket *socket = socket_find(net, fd);
    struct braid_endpoint wanted;
    if (!socket) return -EBADF;
    if (socket->bound || socket->connection || socket->listener) return -EINVAL;
    int error = address_take(socket, address, length, &wanted);
    if (error < 0) return error;
    if (wanted.address.family != 0 && !braid_stack_has_address(net->stack, &wanted.address))
        return -EADDRNOTAVAIL;
    return bind_to(socket, wanted);
}

/* --- listen and accept --- */

int braid_sockets_listen(struct braid_sockets *net, int fd, int backlog) {
    struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    if (socket->connection) return -EISCONN;
    int error = socket->bound ? 0 : bind_to(socket, (struct braid_endpoint){0});
    if (error < 0) return error;
    socket->backlog = backlog > 0 ? (unsigned)backlog : 1;
    if (socket->listener) return 0;
    struct braid_listen_config config = {.link = -1,
                                         .local = socket->local,
                                         .multipath = socket->multipath,
                                         .dscp = socket->options.tuning.dscp,
                                         .hop_limit = socket->options.tuning.hop_limit,
                                         .fast_open_pending_max = socket->options.fast_open_pending_max,
                                         .congestion = socket->options.congestion,
                                         .scheduler = socket->options.scheduler,
                                         .path_manager = socket->options.path_manager};
    socket->listener = braid_stack_listen(net->stack, &config);
    return socket->listener ? 0 : port_free(socket, &socket->local) ? -ENOMEM : -EADDRINUSE;
}

static int accept_first(struct socket *listening, struct sockaddr *address, socklen_t *length, int flags) {
    struct socket *socket = LIST_ENTRY(list_first(&listening->waiting), struct socket, waiting);
    struct braid_endpoint local, remote;
    int fd = socket_open(socket);
    if (fd < 0) return fd; /* it goes on waiting */
    list_remove(&socket->waiting);
    listening->waiting_count--;
    socket->nonblocking = (flags & SOCK_NONBLOCK) != 0;
    braid_connection_endpoints(socket->connection, &local, &remote);
    socket->domain = remote.address.family == 4 ? AF_INET : AF_INET6;
    address_give(socket->domain, &remote, address, length);
    return fd;
}

int braid_sockets_accept(struct braid_sockets *net, int fd, struct sockaddr *address, socklen_t *length,
                         int flags) {
    struct socket *listening = socket_find(net, fd);
    braid_time until = listening ? sockets_until(net, listening->options.receive_timeout_ns) : 0;
    for (;; listening = socket_find(net, fd)) {
        if (!listening) return -EBADF;
        if (!listening->listener) return -EINVAL;
        if (!list_empty(&listening->waiting)) return accept_first(listening, address, length, flags);
        if (listening->nonblocking || !sockets_wait(net, until)) return -EAGAIN;
    }
}
