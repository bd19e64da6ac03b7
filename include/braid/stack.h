/* braid's core: many connections over many links, sans I/O.
 *
 * Whoever embeds it moves packets and tells the time:
 *
 *     braid_stack_input(stack, link, packets, n, now)      packets that arrived
 *     braid_stack_output(stack, packets, n, now)           packets to send; call until it returns less than n
 *     braid_stack_deadline(stack)                          when to call
 *     braid_stack_expire(stack, now)                       this
 *     braid_stack_next_event(stack, &event)                what the application wants to know
 *     braid_stack_address_add/remove(...), _link_...       the host's news of its networks
 *
 * After any other call, call output until it is dry, take the events, and ask for the deadline anew. Nothing is
 * called back, so nothing re-enters. One stack belongs to one thread. Nothing here blocks. */
#ifndef BRAID_STACK_H
#define BRAID_STACK_H

#include <braid/address.h>
#include <braid/env.h>
#include <braid/packet.h>

struct braid_stack;
struct braid_connection;
struct braid_listener;
struct braid_steering;

#define BRAID_LINKS_MAX 64
#define BRAID_ADDRESSES_MAX 64

/* As `ip mptcp limits` has them, and one for the path manager ndiffports (docs/paths.md). */
#define BRAID_SUBFLOWS_MAX 31
#define BRAID_ADD_ADDR_ACCEPTED_MAX 15
#define BRAID_NDIFFPORTS_MAX 32
struct braid_path_limits {
    uint8_t subflows;          /* of a connection, beside its first; 0..BRAID_SUBFLOWS_MAX; 7 when nothing is said */
    uint8_t add_addr_accepted; /* of the peer's announcements; 0..BRAID_ADD_ADDR_ACCEPTED_MAX, which is the default */
    uint8_t ndiffports;        /* subflows that manager makes; 1..BRAID_NDIFFPORTS_MAX; 0: 2 */
};

/* Which versions of MPTCP are spoken (docs/decisions/0022-version-0.md). */
enum braid_versions {
    BRAID_VERSIONS_DEFAULT,  /* of a stack: BOTH; of a connection or a listener: the stack's */
    BRAID_VERSIONS_BOTH,     /* 1 (RFC 8684), and 0 (RFC 6824) with peers that ask for it or answer by it */
    BRAID_VERSIONS_DISCOVER, /* as BOTH; and when a peer ignores version 1, the next connection to it asks for version 0 */
    BRAID_VERSION_1,
    BRAID_VERSION_0,
};

/* SYN cookies (docs/decisions/0031-syn-cookies.md): SYN/ACKs after which nothing is kept, for what comes with the third ACK
 * is enough. What does not fit into one (a segment size between the eight there are; window scale, SACK and ECN, if the peer has
 * no timestamps) is not agreed then. */
enum braid_cookies {
    BRAID_COOKIES_WHEN_FULL, /* when there are half_open_max handshakes, of a listener or of the stack */
    BRAID_COOKIES_ALWAYS,
    BRAID_COOKIES_NEVER,     /* then the oldest handshake gives way to the newest */
};

struct braid_stack_config {
    uint32_t connections_max;              /* 0: 65536 */
    uint32_t half_open_max;                /* connections whose handshake is not done, of peers; 0: 4096 */
    enum braid_cookies cookies;            /* of listeners that are not deferred */
    uint32_t send_buffer_bytes;            /* per connection; 0: 4 MiB */
    uint32_t receive_buffer_max_bytes;     /* per connection; 0: 8 MiB */
    uint32_t receive_buffer_initial_bytes; /* 0: 256 KiB */
    uint64_t memory_max_bytes;             /* what all connections may hold together of data that is not acknowledged, not
                                              read, or out of order; 0: no bound but each one's. From half of it on they get
                                              less each, 8 KiB at the limit; what was promised to peers before is dropped
                                              then as it comes, and they send it again */
    enum braid_versions versions;          /* of MPTCP */
    bool checksum;                         /* ask for the DSS checksum, RFC 8684 §3.1 */
    bool checksum_forbidden;               /* fall back to TCP where a peer asks for it; not with `checksum` */
    bool no_join_to_source;                /* tell peers not to join to the address and port of the first subflow, but
                                              to those announced: the C flag, for servers behind a load balancer */
    bool fastclose_by_ack;                 /* abort by MP_FASTCLOSE in an ACK, repeated until the peer's RST answers or
                                              three times, and not by RSTs that carry it (RFC 8684 §3.5, option A): it
                                              arrives for certain, and what is left of the connection waits for it */
    bool ecn;                              /* ask for ECN, RFC 3168; peers that ask get it anyway */
    braid_time time_wait_ns;               /* 0: 60 s */
    braid_time connect_timeout_ns;         /* 0: 127 s */
    const char *congestion;                /* NULL: "cubic" */
    const char *scheduler;                 /* NULL: "lowest-rtt" */
    const char *path_manager;              /* NULL: "fullmesh" */
    bool join_to_clients;                  /* at accepted connections, too: from addresses with SUBFLOW to those that the
                                              client announced. Not by "none" */
    const struct braid_path_limits *path_limits; /* NULL: as said there; copied */
    struct braid_steering *steering;       /* NULL: the host's only stack (braid/steering.h) */
    unsigned steering_place;               /* of this stack among those of the steering */
};

/* What is wrong in a configuration: which field; of several, the first. */
enum braid_config_fault {
    BRAID_CONFIG_OK,
    BRAID_CONFIG_CONGESTION,     /* no such name */
    BRAID_CONFIG_SCHEDULER,      /* no such name */
    BRAID_CONFIG_PATH_MANAGER,   /* no such name */
    BRAID_CONFIG_PATH_LIMITS,    /* out of range */
    BRAID_CONFIG_VERSIONS,       /* no such enumerator */
    BRAID_CONFIG_COOKIES,        /* no such enumerator */
    BRAID_CONFIG_CHECKSUM,       /* asked for and forbidden */
    BRAID_CONFIG_STEERING_PLACE, /* not below the number of the steering's stacks */
    BRAID_CONFIG_LISTENED_TO,    /* of a listener: the same link, address and port are listened to */
    BRAID_CONFIG_LOCAL,          /* of the host API: an address that is none, in text */
    BRAID_CONFIG_MULTIPATH,      /* of the host API: no such enumerator */
};
/* In words, such as "the congestion control is unknown"; "" for BRAID_CONFIG_OK. */
const char *braid_config_fault_text(enum braid_config_fault fault);
/* What that field takes: the i-th of its names, or a range in words; NULL after the last. */
const char *braid_config_takes(enum braid_config_fault fault, unsigned index);

enum braid_config_fault braid_stack_config_check(const struct braid_stack_config *config);
/* NULL: no memory or no randomness, or braid_stack_config_check() says what. `env` must outlive the stack. */
struct braid_stack *braid_stack_create(const struct braid_env *env, const struct braid_stack_config *config);
/* Ends everything without sending anything. */
void braid_stack_destroy(struct braid_stack *stack);
/* As it was created, with what was left to the stack filled in. */
const struct braid_stack_config *braid_stack_config(const struct braid_stack *stack);

/* --- links and addresses --- */

struct braid_link_config {
    uint32_t mtu_bytes;
    uint32_t super_segment_bytes; /* most payload in one packet; 0: the link takes only single segments */
    bool checksum_offload;        /* the link completes TCP checksums */
    bool uplink;                  /* connections go out by it; false: programs' side, where only listeners live */
    uint16_t port_first, port_last; /* local ports to choose from, inclusive; 0: 32768..60999 */
};
/* The new link's number, from 0; -1 when there are BRAID_LINKS_MAX, or the ports end before they begin. */
int braid_stack_link_add(struct braid_stack *stack, const struct braid_link_config *config);
void braid_stack_link_set_mtu(struct braid_stack *stack, int link, uint32_t mtu_bytes, braid_time now);

/* An address is there, on a link that works: connections may use it, those that live may join by it. `backup`: only
 * when nothing else works. `announce`: peers are told of it (ADD_ADDR), whoever made the connection. Adding one that is
 * there changes its flags (MP_PRIO is sent). False: too many, or no such link. */
bool braid_stack_address_add(struct braid_stack *stack, int link, const struct braid_address *address, bool backup,
                             bool announce, braid_time now);
/* The same with the flags of `ip mptcp endpoint`. address_add() sets SUBFLOW and FULLMESH, so that path managers may do
 * as they please. An address with neither serves connections that start from it, and no joins. Flags of an address that
 * is there change; subflows that are there stay. False also for flags that do not exist, or FULLMESH without SUBFLOW. */
enum braid_endpoint_flags {
    BRAID_ENDPOINT_SIGNAL = 1,   /* announced to peers */
    BRAID_ENDPOINT_SUBFLOW = 2,  /* path managers join by it, to the peer's first address */
    BRAID_ENDPOINT_BACKUP = 4,   /* its subflows are backups */
    BRAID_ENDPOINT_FULLMESH = 8, /* and to those that the peer announced */
};
bool braid_stack_endpoint_add(struct braid_stack *stack, int link, const struct braid_address *address,
                              unsigned flags, braid_time now);
/* The address, or the link under it, is gone: subflows by it are given up, their data goes out on the others, and
 * peers are told, all with the next braid_stack_output(). Removing one that is not there does nothing. */
void braid_stack_address_remove(struct braid_stack *stack, int link, const struct braid_address *address,
                                braid_time now);
/* What is particular to an address of a link. Holds for subflows that are begun from now on. */
struct braid_address_terms {
    uint8_t weight;         /* of its turns under round-robin; 0: the link's */
    uint16_t announce_port; /* told with the address when it is announced, to connections to come; 0: theirs, untold */
};
/* False: no such address. */
bool braid_stack_address_terms(struct braid_stack *stack, int link, const struct braid_address *address,
                               const struct braid_address_terms *terms);
/* What a link is to be used for; all its addresses together, so that a new address does not begin from zero, and one of each
 * family does not count twice. `metered`: it costs. The scheduler cost-aware keeps it out as long as any other works, and
 * peers take it for a backup; under the others it is only taken last for a connection's first subflow. The cap holds under any
 * scheduler, in both directions, with a peer that speaks MPTCP or plain TCP: before it is reached peers are asked to use
 * other paths, then the link counts as gone, while there is still room for what they have under way (docs/paths.md). */
struct braid_link_terms {
    uint8_t weight;     /* of its turns under round-robin; 0: 1 */
    bool metered;
    uint64_t cap_bytes; /* of whole packets, both ways, of all that braid_stack_link_used() counts; 0: none */
};
/* Holds for what lives, too: peers are told (MP_PRIO), and a link whose cap was raised is used again. False: no such link. */
bool braid_stack_link_terms(struct braid_stack *stack, int link, const struct braid_link_terms *terms, braid_time now);
/* Bytes of whole packets, both ways: all that the stack sent and got by the link since it was added, whatever became of it,
 * and what braid_stack_link_count() was told. Payload of super-segments counts with headers for each segment. 0: no such link. */
uint64_t braid_stack_link_used(const struct braid_stack *stack, int link);
/* Others sent or got so many bytes by the same link, which its cap is for, too. */
void braid_stack_link_count(struct braid_stack *stack, int link, uint64_t bytes);
/* Its cap is used up, or so near that nothing is sent any more; until there are other terms. */
bool braid_stack_link_used_up(const struct braid_stack *stack, int link);
/* Is the address there, on any link? */
bool braid_stack_has_address(const struct braid_stack *stack, const struct braid_address *address);

/* --- driving --- */

void braid_stack_input(struct braid_stack *stack, int link, const struct braid_packet_in *packets, size_t count,
                       braid_time now);
size_t braid_stack_output(struct braid_stack *stack, struct braid_packet_out *packets, size_t count, braid_time now);
braid_time braid_stack_deadline(const struct braid_stack *stack);
void braid_stack_expire(struct braid_stack *stack, braid_time now);

enum braid_event_bits {
    BRAID_EVENT_INCOMING = 1 << 8,   /* a peer's SYN: accept or refuse it (listener with `deferred`) */
    BRAID_EVENT_ACCEPTED = 1 << 9,   /* a peer's connection is established (any listener) */
    BRAID_EVENT_CONNECTED = 1 << 0,  /* ours is established */
    BRAID_EVENT_READABLE = 1 << 1,   /* data, or the end of the stream, to read */
    BRAID_EVENT_WRITABLE = 1 << 2,   /* room again after a write that came up short */
    BRAID_EVENT_PATHS = 1 << 3,      /* subflows came, went, or changed state */
    BRAID_EVENT_CLOSED = 1 << 4,     /* it is over: see braid_connection_close_reason(); release it */
    BRAID_EVENT_SENT = 1 << 5,       /* all that was written, end of stream included, is acknowledged */
    BRAID_EVENT_URGENT = 1 << 6,     /* the peer called (more) data urgent: see braid_connection_urgent() */
};
struct braid_event {
    struct braid_connection *connection;
    struct braid_listener *listener; /* of INCOMING and ACCEPTED */
    unsigned bits;
};
/* False when there is none. One connection's bits come together. */
bool braid_stack_next_event(struct braid_stack *stack, struct braid_event *event);

/* --- connections --- */

struct braid_connect_config {
    struct braid_endpoint remote;
    struct braid_address local;  /* the address of the first subflow; family 0: the best one of the remote's family,
                                    or, with multipath and a path manager, the first by which there is an answer: then
                                    braid_connection_endpoints() may change until the connection is established */
    uint16_t local_port;         /* of the first subflow; 0: chosen */
    bool bound;                  /* no other address of ours is used, or told to the peer, before
                                    braid_connection_address_use() says so (RFC 6897 §5.3.2) */
    bool multipath;              /* ask for MPTCP (falls back to TCP where the peer does not know it) */
    enum braid_versions versions; /* with multipath */
    bool single_path;            /* with multipath: never join further paths by itself; as the path manager "none" */
    bool no_delay;
    bool fast_open;              /* RFC 7413: what is written before the next braid_stack_output() goes with the SYN if the
                                    server has given a cookie before, else one is asked for. It may be delivered twice if
                                    the network repeats the SYN: only for what does no harm twice */
    const char *congestion;      /* of each subflow; NULL: the stack's */
    const char *scheduler;       /* NULL: the stack's */
    const char *path_manager;    /* NULL: the stack's */
    const struct braid_path_limits *path_limits; /* NULL: the stack's */
};
enum braid_connect_error {
    BRAID_CONNECT_OK,
    BRAID_CONNECT_NO_PATH,
    BRAID_CONNECT_NO_PORT,
    BRAID_CONNECT_NO_MEMORY,
    BRAID_CONNECT_UNKNOWN_CONGESTION,
    BRAID_CONNECT_UNKNOWN_SCHEDULER,
    BRAID_CONNECT_UNKNOWN_PATH_MANAGER,
    BRAID_CONNECT_BAD_LIMITS, /* out of range */
    BRAID_CONNECT_BAD_VERSIONS,
};
struct braid_connection *braid_stack_connect(struct braid_stack *stack, const struct braid_connect_config *config,
                                             braid_time now, enum braid_connect_error *error);

struct braid_listen_config {
    int link;                      /* only SYNs by this link; -1: any */
    struct braid_endpoint local;   /* family 0: any address; port 0: any port */
    bool bound;                    /* what is accepted uses no other address than it came to, nor tells of one, as above */
    bool multipath;                /* answer MP_CAPABLE */
    enum braid_versions versions;  /* of these */
    uint32_t fast_open_pending_max; /* RFC 7413: so many connections may be accepted, read and, without Multipath TCP, be
                                      answered before the client's ACK shows that it is there; more are accepted as usual.
                                      0: none, and no cookies. Not with `deferred` */
    bool deferred;                 /* hold the SYN/ACK until braid_connection_accept() */
    uint8_t dscp, hop_limit;       /* of what is accepted, as in struct braid_tuning */
    uint32_t half_open_max;        /* of its own, below the stack's; 0: the stack's alone */
    const char *congestion;        /* of each subflow of what is accepted; NULL: the stack's */
    const char *scheduler;         /* of what is accepted; NULL: the stack's */
    const char *path_manager;      /* likewise; but only the end that connects joins, so that none has anything to do here */
    const struct braid_path_limits *path_limits; /* likewise: how many subflows may join. NULL: the stack's; copied */
};
enum braid_config_fault braid_listen_config_check(const struct braid_stack *stack, const struct braid_listen_config *config);
/* NULL: no memory, or braid_listen_config_check() says what. More specific listeners win. */
struct braid_listener *braid_stack_listen(struct braid_stack *stack, const struct braid_listen_config *config);
/* Connections whose handshake is not done are reset; accepted ones live on. */
void braid_listener_close(struct braid_listener *listener, braid_time now);

/* Deferred listeners: send the SYN/ACK; or refuse: with a RST (as a closed port would), with an ICMP error
 * (unreachable), or in silence. Refusing releases the connection. */
enum braid_refusal { BRAID_REFUSE_RESET, BRAID_REFUSE_HOST_UNREACHABLE, BRAID_REFUSE_NET_UNREACHABLE,
                     BRAID_REFUSE_PROHIBITED, BRAID_REFUSE_SILENT };
void braid_connection_accept(struct braid_connection *connection, braid_time now);
void braid_connection_refuse(struct braid_connection *connection, enum braid_refusal how, braid_time now);

/* Takes what the send buffer has room for; less than `length` (WRITABLE follows) when it is full; 0 after shutdown. */
uint32_t braid_connection_write(struct braid_connection *connection, const void *bytes, uint32_t length,
                                braid_time now);
/* All of it by reference (taken over), or false: no room at all, no memory, or shut down. */
bool braid_connection_write_slice(struct braid_connection *connection, struct braid_slice slice, braid_time now);
uint32_t braid_connection_write_room(const struct braid_connection *connection);
uint32_t braid_connection_read(struct braid_connection *connection, void *bytes, uint32_t length, braid_time now);
/* The next run of bytes by reference (yours to release); an empty one when there is nothing now. */
struct braid_slice braid_connection_read_slice(struct braid_connection *connection, braid_time now);
uint64_t braid_connection_readable(const struct braid_connection *connection);
/* Bytes from the next one to be read up to the end of what the peer called urgent, of which some may still be under way;
 * 0: none. Urgent data stays in its place in the stream (RFC 6093); under MPTCP none is reported (RFC 8684 §3.3.1). */
uint64_t braid_connection_urgent(const struct braid_connection *connection);
bool braid_connection_at_end(const struct braid_connection *connection); /* end of stream, all read */
void braid_connection_shutdown(struct braid_connection *connection, braid_time now); /* our direction ends */
void braid_connection_abort(struct braid_connection *connection, braid_time now);    /* both, at once: reset */
/* The application lets go: what was written is still delivered and the end of stream sent; nothing more is reported,
 * data that still comes resets the peer. The pointer is dead afterwards. Needed once for every connection, also a
 * CLOSED one. */
void braid_connection_release(struct braid_connection *connection, braid_time now);

/* What may be set while a connection lives, for each of its subflows, those to come too. */
struct braid_tuning {
    bool no_delay;                    /* no Nagle; always so under MPTCP */
    bool cork;                        /* only full segments leave, until it is taken out, or 200 ms have passed */
    braid_time user_timeout_ns;       /* give up a subflow whose peer does not answer, and a connection without a path;
                                         0: 15 min, and as long as the stack waits for paths */
    braid_time keepalive_idle_ns;     /* probe a peer that was silent for so long; 0: never */
    braid_time keepalive_interval_ns; /* between probes; 0: 75 s */
    unsigned keepalive_probes;        /* unanswered ones before it is taken for gone; 0: 9 */
    uint8_t dscp;                     /* differentiated services code point of what is sent, 0..63 (the lower six bits) */
    uint8_t hop_limit;                /* TTL, or hop limit, of what is sent; 0: 64 */
};
/* Between braid_stack_connect() and the next braid_stack_output() it holds for the SYN, too. */
void braid_connection_tune(struct braid_connection *connection, const struct braid_tuning *tuning, braid_time now);
void braid_connection_tuning(const struct braid_connection *connection, struct braid_tuning *out);

enum braid_close_reason {
    BRAID_OPEN,
    BRAID_CLOSED_NORMALLY,
    BRAID_CLOSED_REFUSED,
    BRAID_CLOSED_RESET,
    BRAID_CLOSED_TIMED_OUT,
    BRAID_CLOSED_UNREACHABLE,
    BRAID_CLOSED_ABORTED,
    BRAID_CLOSED_NO_MEMORY,
    BRAID_CLOSED_PROTOCOL_ERROR,
};
enum braid_close_reason braid_connection_close_reason(const struct braid_connection *connection);
const char *braid_close_reason_name(enum braid_close_reason reason);
/* Of an unreachable one: how to pass it on. */
enum braid_refusal braid_connection_refusal(const struct braid_connection *connection);

void braid_connection_set_user(struct braid_connection *connection, void *user);
void *braid_connection_user(const struct braid_connection *connection);
/* Of the first subflow, for the whole life (RFC 6897). */
void braid_connection_endpoints(const struct braid_connection *connection, struct braid_endpoint *local,
                                struct braid_endpoint *remote);

enum braid_path_status { BRAID_PATH_CONNECTING, BRAID_PATH_ACTIVE, BRAID_PATH_SUSPECTED, BRAID_PATH_CLOSING };
struct braid_path_info {
    uint64_t number; /* of the subflow in its connection */
    int link;
    enum braid_path_status status;
    bool backup; /* wanted so by either side */
    struct braid_endpoint local, remote;
    uint64_t rtt_us, min_rtt_us;       /* smoothed; the least of late. 0: not measured */
    uint64_t bytes_sent, bytes_received, bytes_retransmitted; /* payload */
    uint32_t cwnd_bytes, in_flight_bytes;
    uint64_t delivery_bytes_per_s;     /* the newest sample */
    /* As TCP_INFO has them. */
    uint64_t rttvar_us, rto_us;        /* its variation; the retransmission timeout, with its back-off */
    uint32_t ssthresh_bytes;           /* UINT32_MAX: not known yet */
    uint32_t mss_bytes, mtu_bytes;     /* payload of a full segment without options of MPTCP; of the path, as far as known */
    uint32_t lost_bytes, sacked_bytes; /* of what is not acknowledged: taken for lost; reported by SACK */
    uint32_t peer_window_bytes;
    uint64_t pacing_bytes_per_s;       /* 0: not paced */
    uint64_t segments_sent, segments_received, segments_retransmitted, segments_out_of_order;
    uint64_t bytes_received_duplicate;
    uint64_t timeouts, probes;         /* retransmission timers that fired; tail loss probes */
    uint64_t fast_recoveries, spurious_recoveries; /* begun by SACK or duplicate ACKs; that turned out to be none */
    uint64_t marks_received, marks_answered;       /* ECN: on what came; by the peer on what we sent, once a round trip */
    uint64_t reordering_window_us;     /* how long a hole is waited for (RFC 8985) */
    bool reordering_seen;
    bool ecn, sack, timestamps;        /* agreed */
    const char *congestion;            /* the congestion control's name, and what it is at, such as "slow start", "recovery" */
    const char *congestion_state;
};
bool braid_connection_path(const struct braid_connection *connection, unsigned index, struct braid_path_info *out);

/* A program that drives the paths of one connection itself (RFC 6897). These calls hold whatever the path manager;
 * with "none" nothing else happens. The addresses of braid_connection_endpoints() never change by them. */
enum braid_path_result {
    BRAID_PATH_OK,
    BRAID_PATH_NOT_NOW,    /* plain TCP, not confirmed yet (EVENT_PATHS follows), or over */
    BRAID_PATH_NO_ADDRESS, /* that is none of our addresses on that link */
    BRAID_PATH_UNUSABLE,   /* of different families; or the peer takes no joins to its first address */
    BRAID_PATH_LIMIT,      /* there are as many subflows as may be */
    BRAID_PATH_NO_MEMORY,  /* or no port */
};
/* One more subflow, from an address of ours to `remote` (NULL: where the first subflow goes). *number names it in
 * braid_connection_path(), where its fate is seen. At an accepted connection as well, though many a client is out of reach,
 * behind a NAT: `remote` had best be what it announced. */
enum braid_path_result braid_connection_path_add(struct braid_connection *connection, int link,
                                                 const struct braid_address *local,
                                                 const struct braid_endpoint *remote, bool backup, uint64_t *number,
                                                 braid_time now);
/* Ends one; what it has under way is delivered. The path manager does not open it again until there is news of its
 * addresses. False: there is none of that number, or no other is in service. */
bool braid_connection_path_remove(struct braid_connection *connection, uint64_t number, braid_time now);
/* A backup carries nothing while a regular one works; the peer is told (MP_PRIO). False: none of that number. */
bool braid_connection_path_set_backup(struct braid_connection *connection, uint64_t number, bool backup,
                                      braid_time now);
/* Whether this connection may use one of our addresses; all, at first, unless it is `bound`. When it may not any more its
 * subflows from there end, once another one is in service, and the peer is told (REMOVE_ADDR). False: that is none of our addresses on that link. */
bool braid_connection_address_use(struct braid_connection *connection, int link, const struct braid_address *local,
                                  bool use, braid_time now);

struct braid_connection_info {
    uint64_t number;
    bool established, multipath, fallback, checksum;
    uint8_t version; /* of MPTCP, with multipath */
    unsigned paths;
    uint64_t bytes_written, bytes_acknowledged, bytes_received, bytes_reinjected, bytes_copied, bytes_out_of_order;
    uint32_t receive_window_bytes, send_window_bytes;
};
void braid_connection_info(const struct braid_connection *connection, struct braid_connection_info *out);

/* The congestion controls there are, by name; NULL after the last. */
const char *braid_congestion_name(unsigned index);
/* The schedulers (docs/schedulers.md), the default first. */
const char *braid_scheduler_name(unsigned index);

/* What enum braid_versions may be, the default first: "both", "discover", "1", "0". The i-th is the enumerator i + 1. */
const char *braid_versions_name(unsigned index);

/* The path managers (docs/paths.md), the default first. */
const char *braid_path_manager_name(unsigned index);

/* --- counting --- */

/* The i-th counter's name and value; NULL after the last. Packets refused, by reason, and MPTCP's events. */
const char *braid_stack_counter(const struct braid_stack *stack, unsigned index, uint64_t *value);
/* What the i-th counter counts, in a line for people; NULL after the last. */
const char *braid_stack_counter_meaning(const struct braid_stack *stack, unsigned index);
unsigned braid_stack_connections(const struct braid_stack *stack);
/* Of all subflows that ever went by a link, those that are over included. */
struct braid_link_totals {
    uint64_t subflows;
    uint64_t bytes_sent, bytes_received, bytes_retransmitted, bytes_received_duplicate; /* payload */
    uint64_t segments_sent, segments_received, segments_retransmitted, segments_out_of_order;
    uint64_t timeouts, probes, fast_recoveries, spurious_recoveries;
    uint64_t marks_received, marks_answered;
};
/* False: no such link. Looks at every connection that lives. */
bool braid_stack_link_totals(const struct braid_stack *stack, int link, struct braid_link_totals *out);
/* What counts for memory_max_bytes; 0 where that is 0. */
uint64_t braid_stack_memory_bytes(const struct braid_stack *stack);
/* Traps if an invariant does not hold. For tests. */
void braid_stack_check_invariants(const struct braid_stack *stack);

#endif
