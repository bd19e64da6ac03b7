/* Multipath TCP for programs that only want connections: braid's stack with the host's networks behind it.
 *
 *     char text[BRAID_TEXT_MAX];
 *     struct braid_host *host = braid_host_create(&(struct braid_host_config){0}, text);
 *     struct braid_stream *stream = braid_open(host, "example.org", 80, BRAID_NEVER, &error);
 *     braid_send(stream, request, length, BRAID_NEVER);
 *     while ((got = braid_recv(stream, buffer, sizeof(buffer), BRAID_NEVER)) > 0) ...
 *     braid_close(stream);
 *     braid_host_destroy(host, 10 * BRAID_NS_PER_S);
 *
 * Two styles: every call that may have to wait takes a time-out in nanoseconds, BRAID_NEVER to wait as long
 * as it takes, 0 not to wait at all; or braid_wait() tells which stream can go on, and all other calls get 0.
 * Connections only live while one of these calls runs: a program that does long work of its own calls
 * braid_wait() in between, or polls braid_host_fd() beside its own descriptors.
 *
 * Results are 0 or a count where all is well, and -errno where it is not: -EAGAIN the time-out came first;
 * -ECONNREFUSED, -ECONNRESET, -ETIMEDOUT, -EHOSTUNREACH, -ENETUNREACH as the network said; -ECONNABORTED the
 * peer broke the protocol; -ENOMEM. A host belongs to one thread.
 *
 * Needs CAP_NET_ADMIN and CAP_NET_RAW, unless it goes by UDP (struct braid_udp_link). Nothing that is set up outlives the process. */
#ifndef BRAID_BRAID_H
#define BRAID_BRAID_H

#include <braid/stack.h>

struct braid_host;
struct braid_stream;
struct braid_server;

#define BRAID_TEXT_MAX 320

/* ---- the host ---- */

struct braid_uplink {
    const char *interface;
    bool backup; /* only when nothing else works */
    /* All 0: nothing particular. A cap makes an uplink metered; what is metered is used only while nothing else works, backups
     * included. Counted is what this host's connections send and get, from when it was created on, whatever addresses the
     * interface has and had; not what other programs do. */
    struct braid_link_terms terms;
};

/* TCP in UDP (draft-cheshire-tcp-over-udp), by ordinary UDP sockets on an address of this host: passes where TCP options do
 * not, and needs no privilege. The peer must do the same. Such an address counts as there for as long as the host lives. */
struct braid_udp_link {
    const char *address; /* in text, IPv4 or IPv6 */
    uint32_t mtu_bytes;  /* of the way; 0: 1500 */
    bool backup;
    struct braid_link_terms terms; /* as of an uplink; each host of a team counts for itself */
};

/* Hosts of one process that serve the same addresses and ports together, each in a thread of its own, so that a program can use
 * several cores: a connection lives in one of them with all its paths, the system gives each packet to the thread whose flow it
 * is, and what joins a connection of another thread is handed on. They share nothing else. Only by UDP. */
struct braid_team;

enum braid_multipath { BRAID_MULTIPATH_DEFAULT, BRAID_MULTIPATH_ON, BRAID_MULTIPATH_OFF /* plain TCP */ };

/* What a connection is to be. Where nothing is said (0, NULL), as the host is configured; there, as is said here. */
struct braid_choices {
    enum braid_multipath multipath; /* on: Multipath TCP with those that speak it */
    enum braid_versions versions;   /* of Multipath TCP; both */
    const char *congestion;         /* of each path: a name of braid_congestion_name(); "cubic" */
    const char *scheduler;          /* a name of braid_scheduler_name(); the first */
    const char *path_manager;       /* a name of braid_path_manager_name(); the first. Only the end that connects joins */
    const struct braid_path_limits *path_limits; /* subflows beside the first, and so on; as said there. Copied */
};

struct braid_host_config {
    struct braid_choices choices;    /* of all connections, unless they say otherwise */
    bool ecn;                        /* ask for explicit congestion notification (RFC 3168); who asks gets it anyway */
    const struct braid_uplink *uplinks; /* in order of preference */
    unsigned uplink_count;           /* 0: every interface that has a default route, now and as they come */
    const struct braid_udp_link *udp; /* instead of uplinks, which there are none of then */
    unsigned udp_count;
    bool handover;                   /* one uplink carries everything, the others are backup: the first that is neither metered nor
                                        a backup, else the first that is not metered, else the first */
    bool announce;                   /* tell peers of every address */
    uint16_t port_first, port_count; /* the ports to use, for connecting and listening; 0: any free range */
    bool checksum;                   /* ask for the DSS checksum, RFC 8684 §3.1 */
    uint64_t memory_max_bytes;       /* what all connections may hold together of data, as in struct braid_stack_config; 0: no
                                        bound but each one's */
    uint32_t fast_open_pending_max;  /* of each server (RFC 7413): so many connections may be accepted, with the bytes that
                                        came with the SYN, before it is known that the client is there. Such bytes may
                                        come twice: only for requests that do no harm twice. 0: none, and no cookies */
    enum braid_cookies cookies;      /* of servers: SYN/ACKs after which nothing is kept */
    const char *trace_path, *pcap_path; /* JSON lines; pcapng. NULL: none */
    struct braid_team *team;         /* NULL: on its own */
    unsigned team_place;             /* 0, then 1, and so on; with the same addresses in the same order, and the same ports (0: the first one's) */
};

/* For `hosts` of them, 1..64. To be destroyed after its hosts; NULL is fine. NULL: out of range, no memory. */
struct braid_team *braid_team_create(unsigned hosts);
void braid_team_destroy(struct braid_team *team);
struct braid_team_info {
    uint64_t handed_over; /* packets that came to another thread than theirs */
    uint64_t dropped;     /* of these, more than a thread took in time */
    uint32_t guests;      /* flows that joined a connection of another thread than the system would give them to */
};
/* From any thread. */
void braid_team_info(struct braid_team *team, struct braid_team_info *out);

/* NULL: `text` (of BRAID_TEXT_MAX bytes) says in one line what is wrong and what to do; of a field that is out of range, which
 * one, and its range or names. */
struct braid_host *braid_host_create(const struct braid_host_config *config, char *text);
/* Waits until what was written on closed streams has arrived, at most `timeout_ns`; then resets what is still
 * open. Streams and servers are gone afterwards. 0, or the first error met in writing trace or capture. NULL
 * is fine. */
int braid_host_destroy(struct braid_host *host, braid_time timeout_ns);

/* Readable when braid_wait() has something to do; also to be called when braid_host_timeout() has passed. */
int braid_host_fd(const struct braid_host *host);
/* From now, in nanoseconds; BRAID_NEVER. */
braid_time braid_host_timeout(const struct braid_host *host);

/* The stack below, for its counters (braid_stack_counter()). */
struct braid_stack *braid_host_stack(struct braid_host *host);

/* After -EINVAL: which field the call found wrong; and in one line, with what it takes. Until the next call. */
enum braid_config_fault braid_host_fault(const struct braid_host *host);
const char *braid_host_fault_text(const struct braid_host *host);

/* ---- streams ---- */

/* Connects to a name or an address in text; of a name's addresses each is tried in turn. Looking up a name
 * blocks whatever the time-out. NULL with the reason in *error (-EADDRNOTAVAIL: no such name, or no uplink
 * for its family). With time-out 0 it returns at once (only the first address is tried): wait for
 * BRAID_READY_CONNECTED. */
struct braid_stream *braid_open(struct braid_host *host, const char *name, uint16_t port,
                                braid_time timeout_ns, int *error);
struct braid_open_config {
    struct braid_choices choices;
    const char *local; /* the address, in text, to start from: one of an uplink's. NULL: the best one */
    bool bound;        /* no other address of ours is used (RFC 6897 §5.3.2), until braid_connection_address_use() says so */
    /* What is to be sent first; NULL: nothing. If the server has given a cookie before (RFC 7413), the first of it goes with
     * the SYN, which spares a round trip, and may be delivered twice if the network repeats it: only for what does no harm
     * twice. Else a cookie is asked for, and it goes after the handshake. */
    const void *early;
    size_t early_length;
};
/* The same, as configured; NULL is as braid_open(). Beside its errors: -EINVAL a field is out of range, see braid_host_fault();
 * -EADDRNOTAVAIL also: `local` is no address of ours, or of another family than the name's; -EMSGSIZE: `early` is more than
 * the send buffer takes; 64 kB always fit. */
struct braid_stream *braid_open_with(struct braid_host *host, const char *name, uint16_t port,
                                     const struct braid_open_config *config, braid_time timeout_ns, int *error);
/* Gives bytes to the stream; returns how many it took: all, unless the time-out came first. */
int64_t braid_send(struct braid_stream *stream, const void *bytes, size_t length, braid_time timeout_ns);
/* Takes what is there, at most `length` bytes. 0: the peer has ended its direction, and everything was read.
 */
int64_t braid_recv(struct braid_stream *stream, void *bytes, size_t length, braid_time timeout_ns);
/* Ends our direction: the peer reads what was sent and then the end. */
int braid_shutdown(struct braid_stream *stream);
/* Waits until everything sent has been acknowledged by the peer, the end of our direction included if there
 * is one. */
int braid_drain(struct braid_stream *stream, braid_time timeout_ns);
/* Lets go of a stream: what was sent is still delivered, while the host runs. */
void braid_close(struct braid_stream *stream);
/* Resets it, and lets go. */
void braid_abort(struct braid_stream *stream);

/* What it is in the stack: for braid_connection_info(), braid_connection_path(),
 * braid_connection_endpoints(). Valid as long as the stream. */
struct braid_connection *braid_stream_connection(struct braid_stream *stream);
void braid_stream_set_user(struct braid_stream *stream, void *user);
void *braid_stream_user(const struct braid_stream *stream);

/* ---- servers ---- */

/* Takes connections to a port, on the addresses of all uplinks. The port must be one of the host's
 * (port_first; 0 takes the first of them). NULL with the reason in *error: -EADDRNOTAVAIL, -EADDRINUSE,
 * -ENOMEM. */
struct braid_server *braid_listen(struct braid_host *host, uint16_t port, int *error);
struct braid_server_config {
    struct braid_choices choices; /* of what is accepted */
    const char *local;            /* only what comes to this address, in text; NULL: any */
    bool bound;                   /* what is accepted uses no other address than it came to, nor tells of one */
    uint32_t fast_open_pending_max; /* as in struct braid_host_config; 0: as there */
};
/* The same, as configured; NULL is as braid_listen(). Beside its errors: -EINVAL a field is out of range, see
 * braid_host_fault(). */
struct braid_server *braid_listen_with(struct braid_host *host, uint16_t port, const struct braid_server_config *config,
                                       int *error);
uint16_t braid_server_port(const struct braid_server *server);
/* NULL with *error -EAGAIN when the time-out came first. */
struct braid_stream *braid_accept(struct braid_server *server, braid_time timeout_ns, int *error);
/* Connections that were not accepted yet are reset; the others live on. */
void braid_server_close(struct braid_server *server);

/* ---- waiting for any of them ---- */

enum braid_ready_bits {
    BRAID_READY_CONNECTED = 1 << 0,
    BRAID_READY_READABLE = 1 << 1, /* data, or the end */
    BRAID_READY_WRITABLE = 1 << 2, /* room again after braid_send() took less than all */
    BRAID_READY_PATHS = 1 << 3,    /* subflows came, went, or changed state */
    BRAID_READY_CLOSED = 1 << 4,   /* over; braid_recv() has what is left, and then the reason */
    BRAID_READY_SENT = 1 << 5,     /* all that was sent, the end included, is acknowledged */
    BRAID_READY_ACCEPT = 1 << 6,   /* a server has a connection to accept */
};
struct braid_ready {
    struct braid_stream *stream; /* NULL if it is about a server */
    struct braid_server *server;
    unsigned bits;
};
/* The next stream or server about which there is news. False: the time-out came first. */
bool braid_wait(struct braid_host *host, struct braid_ready *ready, braid_time timeout_ns);

#endif
