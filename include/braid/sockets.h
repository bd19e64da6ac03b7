/* braid as if it were a kernel: the socket calls over the stack, with the caller's clock and the caller's
 * wires.
 *
 * Nothing in here does I/O, sleeps, or reads a clock. Whoever uses it says what time it is, is handed every
 * packet that leaves, and hands in every packet that arrives, so that a tool with a script of packets can
 * drive a whole TCP and Multipath TCP in virtual time, from a shared library it loads (libbraid_sockets.so):
 *
 *     struct braid_sockets *net = braid_sockets_create(&hooks, &(struct braid_stack_config){0});
 *     int link = braid_sockets_link_add(net, &(struct braid_link_config){.mtu_bytes = 1500, .uplink = true});
 *     braid_sockets_address_add(net, link, &address, false, false);
 *     int fd = braid_sockets_socket(net, AF_INET, SOCK_STREAM, IPPROTO_MPTCP);
 *     braid_sockets_connect(net, fd, (struct sockaddr *)&server, sizeof(server));
 *     ... braid_sockets_packet_in(net, link, bytes, length); braid_sockets_tick(net); ...
 *
 * Results are 0, a count or a descriptor where all is well, and -errno where it is not; errno itself is left
 * alone. Constants (AF_INET, SO_ERROR, POLLIN, ...) are the system's. Every call that takes a descriptor
 * gives -EBADF for one that is not open, and every call may give -ENOMEM; the errors said below are those
 * besides.
 *
 * A call that would have to wait, on a descriptor that is not O_NONBLOCK, calls the `wait` hook over and over
 * until it is done or the hook says that nothing more will happen. The hook may call anything in here: it is
 * what lets time pass and packets arrive. A descriptor that is closed meanwhile ends the call with -EBADF.
 *
 * One struct braid_sockets belongs to one thread at a time. docs/sockets.md shows how to use it, and the
 * table of entry points for packetdrill's --so_filename that stands beside it (packetdrill_interface_init).
 */
#ifndef BRAID_SOCKETS_H
#define BRAID_SOCKETS_H

#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <braid/stack.h>

struct braid_sockets;

#define BRAID_SOCKETS_MAX 65536 /* descriptors at one time */

struct braid_sockets_hooks {
    void *context; /* handed back in every call below */

    /* The time. May stand still, never goes back. */
    braid_time (*now)(void *context);

    /* A packet leaves by `link`: a whole IP packet with its checksums, which lives only for the call. Must
     * not call back into the sockets. */
    void (*transmit)(void *context, int link, const uint8_t *packet, size_t length);

    /* A call would block. Lets something happen: time go on to `until` (BRAID_NEVER: as long as it takes) or
     * to braid_sockets_deadline() if that is sooner, a packet come in by braid_sockets_packet_in(). True: try
     * again; false: nothing will happen, and the call ends as if its descriptor were non-blocking. NULL: as
     * if always false. */
    bool (*wait)(void *context, braid_time until);

    /* Randomness of keys, initial sequence numbers and ports. NULL: from `seed`, the same at every run, which
     * is what scripts of packets want and nobody else. */
    bool (*random)(void *context, void *out, size_t size);
    uint64_t seed;

    /* Memory; NULL, NULL: malloc() and free(). */
    void *(*allocate)(void *context, size_t size);
    void (*release)(void *context, void *memory, size_t size);

    /* Trace events; NULL: nowhere. As in struct braid_env. */
    void (*trace)(void *context, braid_time now, const char *event, const struct braid_trace_field *fields,
                  size_t count);
};

/* --- the world around --- */

/* NULL: no memory, no randomness, or a congestion control that does not exist. The hooks are copied. */
struct braid_sockets *braid_sockets_create(const struct braid_sockets_hooks *hooks,
                                           const struct braid_stack_config *config);
/* Ends everything without sending anything. NULL is fine. */
void braid_sockets_destroy(struct braid_sockets *net);

/* A link, numbered from 0. Packets are whole ones here: super_segment_bytes and checksum_offload are taken as
 * 0 and false. -ENOSPC: there are BRAID_LINKS_MAX. -EINVAL: an MTU below 576 or above 65535. */
int braid_sockets_link_add(struct braid_sockets *net, const struct braid_link_config *config);
/* An address on a link; see braid_stack_address_add(). -EINVAL: no such link or family; -ENOSPC: too many. */
int braid_sockets_address_add(struct braid_sockets *net, int link, const struct braid_address *address,
                              bool backup, bool announce);
/* It is gone, and what it carried goes elsewhere. -EINVAL: no such link. */
int braid_sockets_address_remove(struct braid_sockets *net, int link, const struct braid_address *address);

/* A packet arrived by `link`, one whole IP packet. -EINVAL: no such link. What is wrong with the packet
 * itself is counted (braid_stack_counter()) and is no error of this call. */
int braid_sockets_packet_in(struct braid_sockets *net, int link, const uint8_t *packet, size_t length);
/* When braid_sockets_tick() is to be called next; BRAID_NEVER. Not before the present: what is due at once
 * has been done when any call returns. */
braid_time braid_sockets_deadline(const struct braid_sockets *net);
/* Does what is due by now. */
void braid_sockets_tick(struct braid_sockets *net);
/* The stack below, for its counters. */
struct braid_stack *braid_sockets_stack(struct braid_sockets *net);

/* --- the calls --- */

/* domain: AF_INET or AF_INET6, else -EAFNOSUPPORT. type: SOCK_STREAM, perhaps with SOCK_NONBLOCK
 * (SOCK_CLOEXEC means nothing), else -ESOCKTNOSUPPORT. protocol: 0 or IPPROTO_TCP for TCP, IPPROTO_MPTCP
 * (262) for Multipath TCP with TCP where the peer knows no better, else -EPROTONOSUPPORT. -EMFILE:
 * BRAID_SOCKETS_MAX. The lowest descriptor that is free, from 3. */
int braid_sockets_socket(struct braid_sockets *net, int domain, int type, int protocol);

/* -EINVAL: bound already, connected, or an address too short. -EAFNOSUPPORT: of another family.
 * -EADDRNOTAVAIL: not one of our addresses, which the wildcard always is. -EADDRINUSE: another socket is
 * bound to it (and not both of them have SO_REUSEADDR while neither listens), or no port is free. Port 0
 * chooses one. */
int braid_sockets_bind(struct braid_sockets *net, int fd, const struct sockaddr *address, socklen_t length);

/* Connections that are established wait to be accepted, `backlog` of them (at least one); those beyond are
 * reset. Again: changes the backlog. A wildcard of either family takes connections of both. -EISCONN:
 * connected or connecting; -EADDRINUSE as bind. */
int braid_sockets_listen(struct braid_sockets *net, int fd, int backlog);

/* The next connection, in order of establishment, with its peer's address in address and *length, unless
 * those are NULL: cut off to *length, which then says how long it is. `flags`: SOCK_NONBLOCK. Options of the
 * listener pass to it. -EAGAIN: none, non-blocking, or SO_RCVTIMEO is over; -EINVAL: not listening. */
int braid_sockets_accept(struct braid_sockets *net, int fd, struct sockaddr *address, socklen_t *length,
                         int flags);

/* -EINPROGRESS: begun, and non-blocking or SO_SNDTIMEO is over: poll for POLLOUT, then SO_ERROR. -EALREADY:
 * still at it. -EISCONN: is connected. -EINVAL: address too short. -EOPNOTSUPP: listening. -EAFNOSUPPORT: of
 * another family. -ENETUNREACH: no address of ours of that family, or not that which it is bound to.
 * -EADDRNOTAVAIL: no port is free, or the one bound to is in use to that peer. And of an attempt that failed,
 * once: -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH, -ECONNRESET, -ECONNABORTED; the next call
 * tries anew. */
int braid_sockets_connect(struct braid_sockets *net, int fd, const struct sockaddr *address,
                          socklen_t length);

/* What is there, at most `length` bytes; waits for the first of them. 0: the peer has ended its direction, or
 * we have shut down reading. -EAGAIN: nothing there, non-blocking, or SO_RCVTIMEO is over. -ENOTCONN: never
 * was connected. The reason of a connection's failure, once, after what was there: -ECONNRESET, -ETIMEDOUT,
 * -EHOSTUNREACH, -ENETUNREACH, -ECONNABORTED; thereafter 0. -EINVAL: a count below 0 or above 1024 of
 * vectors. */
ssize_t braid_sockets_read(struct braid_sockets *net, int fd, void *bytes, size_t length);
ssize_t braid_sockets_readv(struct braid_sockets *net, int fd, const struct iovec *vectors, int count);
/* flags: MSG_DONTWAIT; MSG_WAITALL waits for all of `length`. -EOPNOTSUPP: any other, MSG_PEEK too. */
ssize_t braid_sockets_recv(struct braid_sockets *net, int fd, void *bytes, size_t length, int flags);

/* Gives bytes to the connection; waits until all are taken. Less than `length`: non-blocking, SO_SNDTIMEO, or
 * the connection failed in between. -EAGAIN: no room for any. -EPIPE: after shutdown, or a connection that is
 * over (no signal is raised). -ENOTCONN: never was connected. A failure's reason, once, as with read. */
ssize_t braid_sockets_write(struct braid_sockets *net, int fd, const void *bytes, size_t length);
ssize_t braid_sockets_writev(struct braid_sockets *net, int fd, const struct iovec *vectors, int count);
/* flags: MSG_DONTWAIT, MSG_NOSIGNAL. -EOPNOTSUPP: any other. */
ssize_t braid_sockets_send(struct braid_sockets *net, int fd, const void *bytes, size_t length, int flags);
/* With MSG_FASTOPEN beside these: connect and send in one (RFC 7413). If the server has given a cookie before, the first of
 * the bytes go with the SYN, and may be delivered twice if the network repeats it; else a cookie is asked for, and all goes
 * after the handshake. Does not wait for that: a handshake that fails is told by the next call, as a connection's failure is.
 * Errors as with connect. Without MSG_FASTOPEN: as send if there is no address; -EISCONN: connected; -ENOTCONN: not.
 * -EINVAL: MSG_FASTOPEN without an address. */
ssize_t braid_sockets_sendto(struct braid_sockets *net, int fd, const void *bytes, size_t length, int flags,
                             const struct sockaddr *address, socklen_t address_length);

/* how: SHUT_RD, SHUT_WR, SHUT_RDWR, else -EINVAL. -ENOTCONN: not connected. */
int braid_sockets_shutdown(struct braid_sockets *net, int fd, int how);

/* The descriptor is free afterwards whatever the result. What was written is still delivered, unless
 * SO_LINGER with 0 seconds resets the connection, or more of them wait for its delivery (-EAGAIN: not in that
 * time, or non-blocking: it goes on). Bytes that were not read, or come later, reset the connection. */
int braid_sockets_close(struct braid_sockets *net, int fd);

/* As accept fills in an address. -ENOTCONN (peer): not connected. A socket not bound has the wildcard and
 * port 0. */
int braid_sockets_getsockname(struct braid_sockets *net, int fd, struct sockaddr *address, socklen_t *length);
int braid_sockets_getpeername(struct braid_sockets *net, int fd, struct sockaddr *address, socklen_t *length);

/* O_NONBLOCK. The getter gives 0 or 1. */
int braid_sockets_set_nonblocking(struct braid_sockets *net, int fd, bool on);
int braid_sockets_nonblocking(struct braid_sockets *net, int fd);

/* Bytes to read (FIONREAD, SIOCINQ); bytes written and not acknowledged (SIOCOUTQ). -EINVAL: listening. */
int braid_sockets_readable(struct braid_sockets *net, int fd);
int braid_sockets_unacknowledged(struct braid_sockets *net, int fd);

/* revents of each: POLLIN (data, end, failure, or a connection to accept), POLLOUT (connected, and there is
 * room; or failed), POLLPRI (what the peer called urgent is not read yet; it stays in its place in the stream),
 * POLLRDHUP (the peer has ended its direction and all was read), POLLHUP (both directions
 * have ended, or never connected), POLLERR (a failure that SO_ERROR has), POLLNVAL (not open; a descriptor
 * below 0 is passed over). Returns how many are not 0, waiting for the first of them at most `timeout_ms`
 * (below 0: as long as it takes), and 0 after it, or when the `wait` hook gave up. */
int braid_sockets_poll(struct braid_sockets *net, struct pollfd *fds, nfds_t count, int timeout_ms);

/* The options, by level. Values are ints unless said; -EINVAL: too short, or out of the range said;
 * -ENOPROTOOPT: not one of these, or only to be read.
 *
 * - SOL_SOCKET: SO_ERROR (get; clears), SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN (get), SO_REUSEADDR, SO_KEEPALIVE,
 *   SO_LINGER (struct linger, 0..65535 s), SO_RCVTIMEO, SO_SNDTIMEO (struct timeval; 0: none), SO_SNDBUF and
 *   SO_RCVBUF (get: the bounds of the stack).
 * - IPPROTO_TCP: TCP_NODELAY, TCP_CORK, TCP_USER_TIMEOUT (ms), TCP_KEEPIDLE and TCP_KEEPINTVL (1..32767 s),
 *   TCP_KEEPCNT (1..127); TCP_FASTOPEN (0..65535, of a listener: connections that are accepted by RFC 7413 before the ACK
 *   is there; 0: none, and no cookies) before listen (-EISCONN afterwards); TCP_CONGESTION (a name; -ENOENT: unknown) before connect or listen (-EISCONN
 *   afterwards); TCP_MAXSEG and TCP_INFO (struct tcp_info of <linux/tcp.h>) of the first subflow (get).
 * - IPPROTO_IP: IP_TOS (0..255, of which the lower two bits stay TCP's), IP_TTL (1..255; -1: 64); IPPROTO_IPV6:
 *   IPV6_TCLASS and IPV6_UNICAST_HOPS, the same two by other names. Before connect they hold from the SYN on, before
 *   listen from the SYN/ACK on.
 * - SOL_MPTCP (284): MPTCP_INFO (struct mptcp_info of <linux/mptcp.h>; -EOPNOTSUPP: the connection is, or
 *   became, plain TCP), MPTCP_TCPINFO and MPTCP_SUBFLOW_ADDRS (struct mptcp_subflow_data and as many as there
 *   is room for) (get); BRAID_MPTCP_SCHEDULER and BRAID_MPTCP_PATH_MANAGER (a name; -ENOENT: unknown) before connect or
 *   listen (-EISCONN afterwards), numbers of braid's own.
 *
 * A getter writes at most *length bytes, and then says in it how many. Structs are cut off to it:
 * docs/sockets.md says which of their fields are filled in; the others are 0. */
#define BRAID_MPTCP_SCHEDULER 1001
#define BRAID_MPTCP_PATH_MANAGER 1002
int braid_sockets_setsockopt(struct braid_sockets *net, int fd, int level, int option, const void *value,
                             socklen_t length);
int braid_sockets_getsockopt(struct braid_sockets *net, int fd, int level, int option, void *value,
                             socklen_t *length);

/* What it is in the stack, for what has no option: braid_connection_info(), braid_connection_path(). NULL:
 * not connected. Valid until the next call in here; never to be released or closed. */
struct braid_connection *braid_sockets_connection(struct braid_sockets *net, int fd);

#endif
