/* poll: what a descriptor is ready for. */
#define _GNU_SOURCE /* POLLRDHUP */
#include "sockets_internal.h"

static short listener_ready(const struct socket *socket) {
    return list_empty(&socket->waiting) ? 0 : POLLIN | POLLRDNORM;
}

static short connection_ready(const struct socket *socket) {
    short ready = 0;
    bool ended = socket->shut_read || (socket->established && braid_connection_at_end(socket->connection));
    if (braid_connection_readable(socket->connection) > 0 || ended || socket->over)
        ready |= POLLIN | POLLRDNORM;
    if (ended || socket->over) ready |= POLLRDHUP;
    if (socket->over || (ended && socket->shut_write)) ready |= POLLHUP;
    if (braid_connection_urgent(socket->connection) > 0) ready |= POLLPRI;
    if (socket->error) ready |= POLLERR;
    bool room =
        socket->established && !socket->shut_write && braid_connection_write_room(socket->connection) > 0;
    if (room || socket->over) ready |= POLLOUT | POLLWRNORM;
    return ready;
}

static short ready_for(const struct braid_sockets *net, const struct pollfd *one) {
    const struct socket *socket = socket_find(net, one->fd);
    short always = POLLERR | POLLHUP, ready;
    if (one->fd < 0) return 0;
    if (!socket) return POLLNVAL;
    if (socket->listener)
        ready = listener_ready(socket);
    else if (socket->connection)
        ready = connection_ready(socket);
    else
        ready = POLLOUT | POLLWRNORM | POLLHUP;
    return (short)(ready & (one->events | always));
}

static int look(const struct braid_sockets *net, struct pollfd *fds, nfds_t count) {
    int found = 0;
    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = ready_for(net, &fds[i]);
        found += fds[i].revents != 0;
    }
    return found;
}

int braid_sockets_poll(struct braid_sockets *net, struct pollfd *fds, nfds_t count, int timeout_ms) {
    braid_time until = timeout_ms == 0  ? 0
                       : timeout_ms < 0 ? BRAID_NEVER
                                        : sockets_until(net, (braid_time)timeout_ms * BRAID_NS_PER_MS);
    for (;;) {
        int found = look(net, fds, count);
        if (found > 0 || !sockets_wait(net, until)) return found;
    }
}
