/* What the files of the sockets share. */
#ifndef SOCKETS_INTERNAL_H
#define SOCKETS_INTERNAL_H

#include <braid/sockets.h>

#include <errno.h>
#include <string.h>
#include <base/list.h>
#include <base/prng.h>

enum {
    SOCKETS_FIRST_FD = 3,
    SOCKETS_PORT_FIRST = 32768, /* for bind to port 0 */
    SOCKETS_PORT_COUNT = 28232,
};
#define SOCKETS_IPPROTO_MPTCP 262

/* What passes from a listener to what it accepts. */
struct socket_options {
    struct braid_tuning tuning;
    bool keep_alive; /* SO_KEEPALIVE: else the intervals only wait for it */
    bool reuse_address, linger;
    unsigned linger_s;
    const char *congestion, *scheduler, *path_manager; /* NULL: the stack's */
    uint32_t fast_open_pending_max; /* of a listener */
    braid_time receive_timeout_ns, send_timeout_ns; /* 0: none */
};

/* One of three: a listener, a connection (coming up, there, or over), or neither yet. */
struct socket {
    struct braid_sockets *net;
    int fd; /* -1: waits to be accepted */
    int domain;
    bool multipath, nonblocking;
    struct socket_options options;
    bool bound;
    struct braid_endpoint local;

    struct braid_listener *listener;
    unsigned backlog, waiting_count;
    struct list_node waiting; /* a listener's queue, or a place in one */

    struct braid_connection *connection;
    bool established, over; /* over: CLOSED was reported */
    bool sent_all;          /* since the last write */
    bool shut_read, shut_write;
    int error; /* positive errno, not told yet */
};

struct braid_sockets {
    struct braid_sockets_hooks hooks;
    struct braid_env env;
    struct prng secret; /* without a random hook */
    struct prng ports;
    struct braid_stack *stack;
    int links;
    struct socket **table; /* by descriptor less SOCKETS_FIRST_FD */
    size_t capacity;
    uint8_t packet[65536];
};

/* sockets.c */
braid_time sockets_now(const struct braid_sockets *net);
/* Does what is due, sends what is to be sent, takes the events. After every call into the stack. */
void sockets_settle(struct braid_sockets *net);
/* Lets something happen. False: the hook gave up, or `until` has come. */
bool sockets_wait(struct braid_sockets *net, braid_time until);
/* `timeout_ns` from now; 0: BRAID_NEVER. */
braid_time sockets_until(const struct braid_sockets *net, braid_time timeout_ns);

/* table.c */
struct socket *socket_create(struct braid_sockets *net,
                             int domain); /* without a descriptor; NULL: no memory */
int socket_open(struct socket *socket);   /* gives it one; or -errno */
struct socket *socket_find(const struct braid_sockets *net, int fd);
void socket_free(
    struct socket *socket); /* gives its descriptor back; lets go of its connection, gracefully */

/* address.c */
int address_take(const struct socket *socket, const struct sockaddr *address, socklen_t length,
                 struct braid_endpoint *out);
void address_give(int domain, const struct braid_endpoint *endpoint, struct sockaddr *address,
                  socklen_t *length);
bool address_same(const struct braid_address *a, const struct braid_address *b);
/* The address a connection or a listener has, the wildcard if none. */
struct braid_endpoint address_of(const struct socket *socket);

/* connect.c */
/* Where it may go, and with no attempt of its own behind it; or -errno. */
int connect_prepare(struct socket *socket, const struct sockaddr *address, socklen_t length, struct braid_endpoint *remote);
/* Nothing leaves before the next sockets_settle(). */
int connect_begin(struct socket *socket, const struct braid_endpoint *remote, bool fast_open);
int socket_reason(
    const struct socket *socket); /* of a connection that is over, as a positive errno; 0: in order */
int socket_take_error(struct socket *socket); /* the failure not told yet, as -errno, or 0 */

/* options.c */
void socket_tune(struct socket *socket); /* its connection gets what was set */

/* info.c */
int info_tcp(const struct socket *socket, void *value, socklen_t *length);
int info_mptcp(const struct socket *socket, int option, void *value, socklen_t *length);
/* Copies what there is room for. */
int option_give(const void *from, size_t size, void *value, socklen_t *length);

#endif
