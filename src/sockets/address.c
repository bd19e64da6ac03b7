/* Addresses as the socket calls have them, and as the stack has them. */
#include "sockets_internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>

int address_take(const struct socket *socket, const struct sockaddr *address, socklen_t length,
                 struct braid_endpoint *out) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    *out = (struct braid_endpoint){0};
    if (!address || length < sizeof(address->sa_family)) return -EINVAL;
    sa_family_t family;
    memcpy(&family, address, sizeof(family));
    if (family != socket->domain) return -EAFNOSUPPORT;
    if (family == AF_INET) {
        if (length < sizeof(v4)) return -EINVAL;
        memcpy(&v4, address, sizeof(v4));
        out->port = ntohs(v4.sin_port);
        memcpy(out->address.bytes, &v4.sin_addr, 4);
        out->address.family = v4.sin_addr.s_addr != INADDR_ANY ? 4 : 0;
        return 0;
    }
    if (length < sizeof(v6)) return -EINVAL;
    memcpy(&v6, address, sizeof(v6));
    out->port = ntohs(v6.sin6_port);
    memcpy(out->address.bytes, &v6.sin6_addr, 16);
    out->address.family = IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr) ? 0 : 6;
    return 0;
}

static void give(const void *from, socklen_t size, void *to, socklen_t *length) {
    memcpy(to, from, *length < size ? *length : size);
    *length = size;
}

void address_give(int domain, const struct braid_endpoint *endpoint, struct sockaddr *address,
                  socklen_t *length) {
    if (!address || !length) return;
    if (endpoint->address.family == 4 || (endpoint->address.family == 0 && domain == AF_INET)) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
        memcpy(&v4.sin_addr, endpoint->address.bytes, 4);
        give(&v4, sizeof(v4), address, length);
        return;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
    memcpy(&v6.sin6_addr, endpoint->address.bytes, 16);
    give(&v6, sizeof(v6), address, length);
}

bool address_same(const struct braid_address *a, const struct braid_address *b) {
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

struct braid_endpoint address_of(const struct socket *socket) {
    struct braid_endpoint local = socket->local, remote;
    if (socket->connection) braid_connection_endpoints(socket->connection, &local, &remote);
    return local;
}

int braid_sockets_getsockname(struct braid_sockets *net, int fd, struct sockaddr *address,
                              socklen_t *length) {
    const struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    struct braid_endpoint local = address_of(socket);
    address_give(socket->domain, &local, address, length);
    return 0;
}

int braid_sockets_getpeername(struct braid_sockets *net, int fd, struct sockaddr *address,
                              socklen_t *length) {
    const struct socket *socket = socket_find(net, fd);
    if (!socket) return -EBADF;
    if (!socket->connection || !socket->established) return -ENOTCONN;
    struct braid_endpoint local, remote;
    braid_connection_endpoints(socket->connection, &local, &remote);
    address_give(socket->domain, &remote, address, length);
    return 0;
}
