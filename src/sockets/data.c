/* Reading and writing. */
#include "sockets_internal.h"

#define VECTORS_MAX 1024

static uint32_t piece(size_t length) {
    return length < UINT32_MAX / 2 ? (uint32_t)length : UINT32_MAX / 2;
}

/* --- reading --- */

/* A count, 0 for the end, -EAGAIN for nothing yet, or the reason there will be no more. */
static ssize_t read_now(struct socket *socket, void *bytes, size_t length) {
    struct braid_sockets *net = socket->net;
    if (!socket->connection)
        return socket->listener ? -ENOTCONN : socket->error ? socket_take_error(socket) : -ENOTCONN;
    if (socket->shut_read) return 0;
    uint32_t got = braid_connection_read(socket->connection, bytes, piece(length), sockets_now(net));
    sockets_settle(net); /* also when nothing was there: the stack counts the call as news */
    if (got > 0) return got;
    if (length == 0 || (socket->established && braid_connection_at_end(socket->connection))) return 0;
    if (socket->over) return socket_take_error(socket);
    return -EAGAIN;
}

/* At least `least` bytes, unless something comes between. */
static ssize_t receive(struct braid_sockets *net, int fd, uint8_t *bytes, size_t length, size_t least,
                       bool now_only) {
    struct socket *socket = socket_find(net, fd);
    braid_time until = socket ? sockets_until(net, socket->options.receive_timeout_ns) : 0;
    size_t done = 0;
    for (;; socket = socket_find(net, fd)) {
        ssize_t got = socket ? read_now(socket, bytes + done, length - done) : -EBADF;
        if (got > 0) done += (size_t)got;
        if (done >= least || got == 0) return (ssize_t)done;
        if (got > 0) continue;
        if (got != -EAGAIN || now_only || socket->nonblocking || !sockets_wait(net, until))
            return done > 0 ? (ssize_t)done : got;
    }
}

ssize_t braid_sockets_recv(struct braid_sockets *net, int fd, void *bytes, size_t length, int flags) {
    if (flags & ~(MSG_DONTWAIT | MSG_WAITALL)) return socket_find(net, fd) ? -EOPNOTSUPP : -EBADF;
    size_t least = flags & MSG_WAITALL ? length : length > 0;
    return receive(net, fd, bytes, length, least, (flags & MSG_DONTWAIT) != 0);
}

ssize_t braid_sockets_read(struct braid_sockets *net, int fd, void *bytes, size_t length) {
    return braid_sockets_recv(net, fd, bytes, length, 0);
}

ssize_t braid_sockets_readv(struct braid_sockets *net, int fd, const struct iovec *vectors, int count) {
    ssize_t done = 0;
    if (!socket_find(net, fd)) return -EBADF;
    if (count < 0 || count > VECTORS_MAX) return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (vectors[i].iov_len == 0) continue;
        ssize_t got = receive(net, fd, vectors[i].iov_base, vectors[i].iov_len, 1, done > 0);
        if (got < 0) return done > 0 ? done : got;
        done += got;
        if ((size_t)got < vectors[i].iov_len) break;
    }
    return done;
}

/* --- writing --- */

/* `more`: another part of the same call follows, and leaves together with this one. */
static ssize_t write_now(struct socket *socket, const void *bytes, size_t length, bool more) {
    struct braid_sockets *net = socket->net;
    if (!socket->connection) return -ENOTCONN;
    if (socket->over) return socket->error ? socket_take_error(socket) : -EPIPE;
    if (socket->shut_write) return -EPIPE;
    if (!socket->established) return -EAGAIN;
    uint32_t taken = braid_connection_write(socket->connection, bytes, piece(length), sockets_now(net));
    if (taken > 0) socket->sent_all = false;
    if (!more || taken < length) sockets_settle(net);
    return taken > 0 || length == 0 ? (ssize_t)taken : -EAGAIN;
}

static ssize_t transmit(struct braid_sockets *net, int fd, const uint8_t *bytes, size_t length,
                        bool now_only, bool more) {
    struct socket *socket = socket_find(net, fd);
    braid_time until = socket ? sockets_until(net, socket->options.send_timeout_ns) : 0;
    size_t done = 0;
    for (;; socket = socket_find(net, fd)) {
        ssize_t taken = socket ? write_now(socket, bytes + done, length - done, more) : -EBADF;
        if (taken >= 0) done += (size_t)taken;
        if (done >= length && taken >= 0) return (ssize_t)done;
        if (taken > 0) continue;
        if (taken != -EAGAIN || now_only || socket->nonblocking || !sockets_wait(net, until))
            return done > 0 ? (ssize_t)done : taken;
    }
}

ssize_t braid_sockets_send(struct braid_sockets *net, int fd, const void *bytes, size_t length, int flags) {
    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL)) return socket_find(net, fd) ? -EOPNOTSUPP : -EBADF;
    return transmit(net, fd, bytes, length, (flags & MSG_DONTWAIT) != 0, false);
}

/* [R-7413-2-1] The first of it goes with the SYN, and the rest as soon as it may. */
static ssize_t open_fast(struct braid_sockets *net, int fd, const void *bytes, size_t length, int flags,
                         const struct sockaddr *address, socklen_t address_length) {
    struct socket *socket = socket_find(net, fd);
    struct braid_endpoint remote;
    int error = connect_prepare(socket, address, address_length, &remote);
    if (error == 0) error = connect_begin(socket, &remote, true);
    if (error < 0) return error;
    uint32_t taken = braid_connection_write(socket->connection, bytes, piece(length), sockets_now(net));
    sockets_settle(net);
    if (taken == length) return (ssize_t)taken;
    ssize_t rest = transmit(net, fd, (const uint8_t *)bytes + taken, length - taken, (flags & MSG_DONTWAIT) != 0, false);
    return rest > 0 ? rest + taken : taken > 0 ? (ssize_t)taken : rest;
}

ssize_t braid_sockets_sendto(struct braid_sockets *net, int fd, const void *bytes, size_t length, int flags,
                             const struct sockaddr *address, socklen_t address_length) {
    const struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    if (!address) return flags & MSG_FASTOPEN ? -EINVAL : braid_sockets_send(net, fd, bytes, length, flags);
    if (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_FASTOPEN)) return -EOPNOTSUPP;
    if (flags & MSG_FASTOPEN) return open_fast(net, fd, bytes, length, flags, address, address_length);
    return socket->connection ? -EISCONN : -ENOTCONN;
}

ssize_t braid_sockets_write(struct braid_sockets *net, int fd, const void *bytes, size_t length) {
    return braid_sockets_send(net, fd, bytes, length, 0);
}

ssize_t braid_sockets_writev(struct braid_sockets *net, int fd, const struct iovec *vectors, int count) {
    ssize_t done = 0;
    if (!socket_find(net, fd)) return -EBADF;
    if (count < 0 || count > VECTORS_MAX) return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (vectors[i].iov_len == 0) continue;
        ssize_t taken = transmit(net, fd, vectors[i].iov_base, vectors[i].iov_len, false, i + 1 < count);
        if (taken < 0) return done > 0 ? done : taken;
        done += taken;
        if ((size_t)taken < vectors[i].iov_len) break;
    }
    sockets_settle(net); /* when the last part was empty */
    return done;
}

int braid_sockets_readable(struct braid_sockets *net, int fd) {
    const struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    if (socket->listener) return -EINVAL;
    return socket->connection ? (int)braid_connection_readable(socket->connection) : 0;
}

int braid_sockets_unacknowledged(struct braid_sockets *net, int fd) {
    const struct socket *socket = socket_find(net, fd);
    struct braid_connection_info info;
    if (!socket) return -EBADF;
    if (socket->listener) return -EINVAL;
    if (!socket->connection) return 0;
    braid_connection_info(socket->connection, &info);
    return (int)(info.bytes_written - info.bytes_acknowledged);
}
