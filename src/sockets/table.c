/* Descriptors: which socket has which. */
#include "sockets_internal.h"

struct socket *socket_create(struct braid_sockets *net, int domain) {
    struct socket *socket = net->env.allocate(net->env.context, sizeof(*socket));
    if (!socket) return NULL;
    *socket = (struct socket){.net = net, .fd = -1, .domain = domain};
    list_init(&socket->waiting);
    return socket;
}

static bool table_grow(struct braid_sockets *net) {
    size_t capacity = net->capacity ? 2 * net->capacity : 16;
    struct socket **table = net->env.allocate(net->env.context, capacity * sizeof(struct socket *));
    if (!table) return false;
    memset(table, 0, capacity * sizeof(struct socket *));
    if (net->table) {
        memcpy(table, net->table, net->capacity * sizeof(struct socket *));
        net->env.release(net->env.context, net->table, net->capacity * sizeof(struct socket *));
    }
    net->table = table;
    net->capacity = capacity;
    return true;
}

int socket_open(struct socket *socket) {
    struct braid_sockets *net = socket->net;
    size_t place = 0;
    while (place < net->capacity && net->table[place])
        place++;
    if (place == BRAID_SOCKETS_MAX) return -EMFILE;
    if (place == net->capacity && !table_grow(net)) return -ENOMEM;
    net->table[place] = socket;
    return socket->fd = (int)place + SOCKETS_FIRST_FD;
}

struct socket *socket_find(const struct braid_sockets *net, int fd) {
    if (fd < SOCKETS_FIRST_FD || (size_t)(fd - SOCKETS_FIRST_FD) >= net->capacity) return NULL;
    return net->table[fd - SOCKETS_FIRST_FD];
}

void socket_free(struct socket *socket) {
    struct braid_sockets *net = socket->net;
    if (socket->fd >= 0) net->table[socket->fd - SOCKETS_FIRST_FD] = NULL;
    if (socket->listener) {
        LIST_EACH(&socket->waiting, node, following) {
            struct socket *one = LIST_ENTRY(node, struct socket, waiting);
            braid_connection_abort(one->connection, sockets_now(net));
            socket_free(one);
        }
        braid_listener_close(socket->listener, sockets_now(net));
    }
    list_remove(&socket->waiting);
    if (socket->connection) {
        braid_connection_set_user(socket->connection, NULL);
        braid_connection_release(socket->connection, sockets_now(net));
    }
    net->env.release(net->env.context, socket, sizeof(*socket));
}
