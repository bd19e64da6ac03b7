/* One connection over many subflows: Multipath TCP (RFC 8684), or plain TCP where a peer or a middlebox does not play
 * along. It is what an application reads from and writes to; a connection that never asked for MPTCP is the same
 * thing over its one subflow, without options.
 *
 * Like everything below the stack it does no I/O: packets enter by connection_input(), leave by connection_output(),
 * time enters as `now`. The stack gives it what only the stack knows by struct connection_host_ops. */
#ifndef MPTCP_CONNECTION_H
#define MPTCP_CONNECTION_H

#include <mptcp/budget.h>
#include <braid/env.h>
#include <braid/packet.h>
#include <mptcp/path_manager.h>
#include <mptcp/scheduler.h>
#include <tcp/tcp.h>
#include <wire/mptcp_option.h>

struct braid_connection;
struct subflow;

/* --- what the stack offers to a connection --- */

/* One of our addresses on one link, by which a subflow may be opened. The stack numbers them: address_id is 1..255,
 * unique in the stack, and stays the same as long as the address is there. (In a connection the address of the first
 * subflow goes by ID 0, RFC 8684 §3.2; the connection translates.) */
struct local_path {
    uint16_t link;
    uint8_t address_id;
    bool backup;
    bool announce; /* tell peers of it by ADD_ADDR (servers) */
    bool no_subflow;  /* path managers do not join by it ... */
    bool no_fullmesh; /* ... or to the peer's first address only */
    struct ip_address address;
    uint32_t mtu_bytes;
    uint32_t super_segment_bytes;
    bool checksum_offload;
    uint16_t announce_port;   /* told with it; 0: none */
    uint8_t weight;           /* of its turns under round-robin; 0: 1 */
    struct path_meter *meter; /* NULL: it costs nothing. Outlives the connections */
};

/* Its meter's cap is reached: nothing goes by it any more. */
bool path_used_up(const struct local_path *path);

struct connection_host_ops {
    /* Makes the flow known for demultiplexing and keeps `subflow` to be handed back in connection_input(). If
     * flow->local_port is 0 an unpredictable free port is chosen and filled in. Returns a handle, NULL if no port is
     * free, the flow is taken, or memory is out. */
    void *(*flow_open)(void *host, struct braid_connection *c, struct subflow *subflow, uint16_t link,
                       struct flow *flow);
    void (*flow_close)(void *host, void *handle);
    /* Where the numbers of the flow opened last begin. NULL: anywhere. */
    void (*flow_initial)(void *host, void *handle, struct tcp_secrets *out);
    /* The flow is in TIME-WAIT, and from flow_close() on the host keeps that. False: it cannot. NULL: never. */
    bool (*flow_rest)(void *host, void *handle, const struct tcp_rest *rest, braid_time now);
    /* Makes the token findable. False: taken (draw another key), or no memory. */
    bool (*token_open)(void *host, struct braid_connection *c, uint32_t token);
    void (*token_close)(void *host, struct braid_connection *c, uint32_t token);
    /* Local paths now usable, for joins. Returns how many were written (at most `max`). */
    size_t (*paths)(void *host, struct local_path *out, size_t max);
    /* Something to do: output waits, the deadline moved, or events are pending. Cheap; may be called often. */
    void (*wake)(void *host, struct braid_connection *c);
    /* What came of Fast Open, when the SYN is answered. May be NULL. */
    void (*fast_open_answered)(void *host, struct braid_connection *c, const struct tcp_fast_open_result *result);
};

/* Which versions of MPTCP a connection speaks: 1 (RFC 8684), 0 (RFC 6824). */
enum mptcp_versions {
    MPTCP_VERSIONS_BOTH, /* the highest that the peer does */
    MPTCP_VERSIONS_1,
    MPTCP_VERSIONS_0,
};

/* Keys that are drawn until one's token is free; times `key_tries_times`. */
enum { CONNECTION_KEY_TRIES = 16 };

/* A server's secrets that can be computed again from the third ACK, for SYN/ACKs after which nothing is kept (RFC 8684
 * §3.1). The attempts at a key, from 0, are different keys. */
struct connection_cookie {
    struct tcp_secrets secrets;
    uint64_t (*key)(const struct connection_cookie *cookie, unsigned attempt);
};

/* Fast Open: with a cookie, or, of length 0, asking for one. */
struct fast_open_ask {
    bool asks;
    uint8_t length;
    uint8_t cookie[16];
    uint16_t mss_bytes; /* that the peer last announced; 0: not known */
};

struct connection_config {
    uint64_t number; /* for traces, unique in the stack */
    struct local_path path; /* of the first subflow */
    struct flow flow;       /* local_port 0: choose one (client) */
    bool bound;             /* all paths but `path` are out of use, see connection_path_use() */
    bool multipath;         /* ask for, or accept, MPTCP */
    enum mptcp_versions versions;
    bool ask_version_0;     /* client that speaks both: the peer is known not to answer version 1 */
    bool race;              /* client: the first SYN may go by other paths as well, and win (race.c) */
    bool checksum;          /* ask for the DSS checksum (the A bit); the peer's A binds us too */
    bool checksum_forbidden; /* fall back to TCP rather than compute it (§3.1); `checksum` is false */
    bool no_join_to_source; /* say so: the C flag of MP_CAPABLE */
    uint8_t capable_syns;   /* SYNs that ask for MPTCP before one goes without; 0: 3 */
    bool fastclose_by_ack;  /* abort by MP_FASTCLOSE in ACKs until a RST answers, instead of in RSTs (§3.5) */
    const struct path_manager_ops *path_manager; /* NULL: fullmesh. It joins at the client only */
    struct path_limits limits;
    uint8_t subflows_max;   /* at one time, the first included; 0: as the limits say, or 8 */
    const struct congestion_ops *congestion;
    const struct scheduler_ops *scheduler; /* NULL: lowest-rtt */
    uint32_t send_buffer_bytes;         /* bound of unacknowledged and unsent data; 0: 4 MiB */
    uint32_t receive_buffer_max_bytes;  /* bound of the window that is tuned below it; 0: 8 MiB */
    uint32_t receive_buffer_initial_bytes; /* 0: 256 KiB */
    bool no_delay;
    uint8_t dscp, hop_limit; /* until they are tuned; see struct tcp_tuning */
    bool ecn; /* ask for it on each subflow */
    struct fast_open_ask fast_open; /* client, of the first subflow; what is written before the first output goes along */
    braid_time connect_timeout_ns, time_wait_ns, user_timeout_ns;
    const struct connection_cookie *cookie; /* server; NULL: secrets are drawn. Looked at in connection_accept() only */
    unsigned key_tries_times; /* more keys are drawn before there is none: token_open() takes one of so many; 0: 1 */
    struct memory_budget *budget; /* NULL: none */
    struct tcp_drop_counters *tcp_drops;
    struct mptcp_counters *counters;
    const struct connection_host_ops *host_ops;
    void *host;
};

/* Counted for a named reason, shared by the connections of a stack (the kernel's MPTcpExt is the model). */
#define MPTCP_COUNTERS(X)                                                                                        \
    X(capable_syn_sent) X(capable_syn_received) X(capable_established_active) X(capable_established_passive)     \
    X(capable_version_0) X(fallback_syn_no_option) X(fallback_syn_version) X(fallback_third_ack) X(fallback_first_data)               \
    X(fallback_key_mirrored) X(fallback_checksum_refused) X(fallback_no_dss) X(fallback_checksum) X(fallback_mp_fail_received)                \
    X(infinite_mapping_sent) X(infinite_mapping_received)                                                        \
    X(race_lost) X(join_sent) X(join_established) X(join_received) X(join_no_token) X(join_bad_hmac)                 \
    X(join_refused_limit) X(join_half_open_full) X(join_refused_rate) X(join_rejected_by_peer)                   \
    X(fallback_contradicted) X(dss_bad_mapping) X(dss_mapping_contradicts) X(dss_unmapped_data) X(dss_checksum_failed)                     \
    X(dss_unmapped_bytes_skipped) X(dss_checksum_presence) X(data_ack_outside) X(data_outside_window) X(data_over_budget) X(data_duplicate) \
    X(add_addr_received) X(add_addr_bad_hmac) X(add_addr_not_vouched) X(add_addr_over_limit) X(add_addr_echo_sent) X(add_addr_sent) X(add_addr_echo_received)   \
    X(remove_addr_received) X(remove_addr_unknown) X(remove_addr_sent)                                           \
    X(mp_prio_received) X(mp_prio_sent) X(mp_fail_received) X(mp_fail_sent)                                      \
    X(fastclose_received) X(fastclose_bad_key) X(fastclose_sent) X(tcprst_received) X(tcprst_sent)               \
    X(option_bad_length) X(option_unknown) X(option_misplaced) X(dss_mappings_full)                               \
    X(add_addr_id_in_use) X(add_addr_unusable) X(add_addr_echo_unknown) X(reinjected_segments) X(reinjected_bytes) \
    X(copied_bytes) X(urgent_received) X(window_blocked) X(subflow_penalised) X(subflow_losing) X(subflow_harmful) X(subflow_rested) X(subflow_spared) X(subflow_costly)
struct mptcp_counters {
#define MPTCP_COUNTER_FIELD(name) uint64_t name;
    MPTCP_COUNTERS(MPTCP_COUNTER_FIELD)
#undef MPTCP_COUNTER_FIELD
};

/* --- life --- */

/* Client: the SYN goes out with the next connection_output(). NULL: no memory, no port, no randomness. */
struct braid_connection *connection_connect(const struct braid_env *env, const struct connection_config *config,
                                            braid_time now) MUST_USE;
/* Server: a SYN for a listener (config->flow and path tell where it came). The SYN/ACK is held back until
 * connection_answer(). NULL: no memory or no randomness. */
struct braid_connection *connection_accept(const struct braid_env *env, const struct connection_config *config,
                                           const struct tcp_segment *syn, braid_time now) MUST_USE;
void connection_answer(struct braid_connection *c, braid_time now);
/* Before connection_answer(). Fast Open: takes what the SYN carries, and the connection may be read and, if it is plain TCP,
 * written: CONNECTION_ESTABLISHED is raised now, and not again. False: no memory; then it is as if this had not been asked. */
bool connection_accept_early(struct braid_connection *c, const struct tcp_segment *syn, braid_time now);
/* And this goes into the SYN/ACK. */
void connection_give_cookie(struct braid_connection *c, const uint8_t *cookie, uint8_t length);
/* A SYN with MP_JOIN whose token is this connection's. Answers it, or gives false with an MP_TCPRST reason for the
 * reset that the stack then sends. */
bool connection_join(struct braid_connection *c, const struct local_path *path, const struct flow *flow,
                     const struct tcp_segment *syn, uint8_t *reset_reason, braid_time now) MUST_USE;
/* Frees everything at once, sends nothing. Handles and tokens are given back to the host. */
void connection_destroy(struct braid_connection *c);

/* --- driven by the stack --- */

void connection_input(struct braid_connection *c, struct subflow *subflow, const struct tcp_segment *segment,
                      struct braid_buf *buf, uint8_t ecn, braid_time now);
/* Offers the host what is in TIME-WAIT (flow_rest). */
void connection_rest(struct braid_connection *c, braid_time now);
void connection_icmp(struct braid_connection *c, struct subflow *subflow, const struct icmp_error *error,
                     braid_time now);
/* Schedules what may go and fills packets; call until it returns less than `room`. */
size_t connection_output(struct braid_connection *c, struct braid_packet_out *packets, size_t room,
                         braid_time now) MUST_USE;
braid_time connection_deadline(const struct braid_connection *c);
void connection_expire(struct braid_connection *c, braid_time now);

/* News of the host's paths. `up`: a path appeared or came back: the policy may join by it. `down`: the link or the
 * address is gone: its subflows are given up at once, silently, what they had unacknowledged is reinjected, and
 * REMOVE_ADDR goes out on a surviving path, all with the next connection_output(). If no path is left the connection
 * waits (RFC 8684 §3.9 permits it) up to user_timeout for one to come back, and joins again by it. */
void connection_path_up(struct braid_connection *c, const struct local_path *path, braid_time now);
void connection_path_down(struct braid_connection *c, uint8_t address_id, braid_time now);
/* Backup changed: MP_PRIO on each subflow by that path. */
void connection_path_backup(struct braid_connection *c, uint8_t address_id, bool backup, braid_time now);
/* A program that drives the paths of a connection itself; path_calls.c. Each holds whatever the path manager. */
enum connection_path_result {
    CONNECTION_PATH_OK,
    CONNECTION_PATH_NOT_NOW,  /* plain TCP, accepted by us, not confirmed by the peer yet, or over */
    CONNECTION_PATH_UNUSABLE, /* of different families, or the peer takes no joins to its first address */
    CONNECTION_PATH_LIMIT,    /* as many subflows as may be */
    CONNECTION_PATH_NO_MEMORY,/* or no port */
};
/* Joins by `path`, to `remote` and `remote_port`; NULL: the first subflow's. *number is the new subflow's. */
enum connection_path_result connection_subflow_open(struct braid_connection *c, const struct local_path *path,
                                                    const struct ip_address *remote, uint16_t remote_port,
                                                    uint64_t *number, braid_time now) MUST_USE;
/* Ends a subflow politely; what it has under way is still delivered. The path manager does not open it again by itself.
 * False: there is none of that number, or it is the last in service. */
bool connection_subflow_close(struct braid_connection *c, uint64_t number, braid_time now) MUST_USE;
/* MP_PRIO. False: there is none of that number. */
bool connection_subflow_backup(struct braid_connection *c, uint64_t number, bool backup, braid_time now) MUST_USE;
/* RFC 6897 §5.3.1: this connection is to use a path, as from the beginning, or not: then others are opened first, and the
 * peer is told. A server takes no joins by it, and does not announce it. */
void connection_path_use(struct braid_connection *c, uint8_t address_id, bool use, braid_time now);
void connection_path_mtu(struct braid_connection *c, uint8_t address_id, uint32_t mtu_bytes, braid_time now);

/* Of each subflow, there and to come. Under MPTCP no_delay is always on. */
void connection_tune(struct braid_connection *c, const struct tcp_tuning *tuning, braid_time now);
void connection_tuning(const struct braid_connection *c, struct tcp_tuning *out);

/* Everything is said and done: the stack may destroy it (the application having let go of it). */
bool connection_finished(const struct braid_connection *c);

/* --- driven by the application --- */

enum connection_event {
    CONNECTION_ESTABLISHED = 1 << 0,
    CONNECTION_READABLE = 1 << 1, /* data, or end of stream, to read */
    CONNECTION_WRITABLE = 1 << 2, /* room again after a write that came up short */
    CONNECTION_PATHS = 1 << 3,    /* a subflow came, went or changed its state: see connection_subflow_info() */
    CONNECTION_CLOSED = 1 << 4,   /* over, see connection_close_reason() */
    CONNECTION_SENT = 1 << 5,     /* everything written, and the end of stream, is acknowledged */
    CONNECTION_URGENT = 1 << 6,   /* the peer called more data urgent: see connection_urgent() */
};
/* Takes the pending events. */
unsigned connection_take_events(struct braid_connection *c);

/* Accepts at most what the send buffer has room for. 0 when full (WRITABLE follows), or after shutdown. */
uint32_t connection_write(struct braid_connection *c, const void *bytes, uint32_t length, braid_time now);
/* All or nothing, taking over the reference; allowed to exceed the bound by one slice if there is any room. */
bool connection_write_slice(struct braid_connection *c, struct braid_slice slice, braid_time now) MUST_USE;
uint32_t connection_write_room(const struct braid_connection *c);
/* Copies what is there, in order; 0: nothing now, or connection_at_end(). */
uint32_t connection_read(struct braid_connection *c, void *bytes, uint32_t length, braid_time now);
/* The first slice in order; the reference passes to the caller. Empty: nothing now. The window opens at once. */
struct braid_slice connection_read_slice(struct braid_connection *c, braid_time now);
uint64_t connection_readable(const struct braid_connection *c);
/* Bytes from the next one to be read up to the end of what the peer called urgent, some of which may still be under
 * way; 0: none is. Always 0 under MPTCP, whose subflows' urgent pointers mean nothing to the stream (RFC 8684 §3.3.1). */
uint64_t connection_urgent(const struct braid_connection *c);
/* The peer closed its direction and everything was read. */
bool connection_at_end(const struct braid_connection *c);
void connection_shutdown(struct braid_connection *c, braid_time now); /* no more writes: DATA_FIN, or FIN */
/* Shutdown, and no interest in what still comes: data arriving afterwards resets the connection, as close() does. */
void connection_close(struct braid_connection *c, braid_time now);
/* At once: MP_FASTCLOSE (RFC 8684 §3.5) or RST. CLOSED follows. */
void connection_abort(struct braid_connection *c, braid_time now);

enum connection_close_reason {
    CONNECTION_OPEN, /* not closed */
    CONNECTION_CLOSED_NORMALLY,
    CONNECTION_REFUSED,
    CONNECTION_RESET, /* by the peer: RST on the last subflow, or MP_FASTCLOSE */
    CONNECTION_TIMED_OUT,
    CONNECTION_UNREACHABLE, /* see connection_icmp_kind() */
    CONNECTION_ABORTED,
    CONNECTION_NO_MEMORY,
    CONNECTION_PROTOCOL_ERROR,
};
enum connection_close_reason connection_close_reason(const struct braid_connection *c);
const char *connection_close_reason_name(enum connection_close_reason reason);
enum icmp_error_kind connection_icmp_kind(const struct braid_connection *c);

enum connection_mode {
    CONNECTION_MODE_TCP,      /* never asked for MPTCP */
    CONNECTION_MODE_UNDECIDED,/* asked, not answered yet */
    CONNECTION_MODE_MPTCP,
    CONNECTION_MODE_FALLBACK, /* asked, and it came to plain TCP */
};
enum connection_mode connection_mode(const struct braid_connection *c);
/* Of a client: what SYNs with MP_CAPABLE met with, by the path of the first subflow. */
enum capable_outcome {
    CAPABLE_UNKNOWN,
    CAPABLE_GRANTED,
    CAPABLE_IGNORED, /* answered by a SYN/ACK without it */
    CAPABLE_UNANSWERED, /* only a SYN without it was answered, and not by MPTCP */
};
enum capable_outcome connection_capable_outcome(const struct braid_connection *c, uint8_t *path_id);
uint8_t connection_version(const struct braid_connection *c); /* of MPTCP; of a client that has no answer, the one it asked for */
bool connection_established(const struct braid_connection *c);
/* When it was last driven. */
braid_time connection_now(const struct braid_connection *c);
uint64_t connection_number(const struct braid_connection *c);
/* Addresses of the first subflow, for ever (RFC 6897 §4). */
const struct flow *connection_flow(const struct braid_connection *c);
/* A place for the stack and one for the application to keep a pointer. */
void connection_set_user(struct braid_connection *c, void *user);
void *connection_user(const struct braid_connection *c);
void connection_set_host_data(struct braid_connection *c, void *data);
void *connection_host_data(const struct braid_connection *c);

enum subflow_status { SUBFLOW_CONNECTING, SUBFLOW_ACTIVE, SUBFLOW_SUSPECTED, SUBFLOW_CLOSING };
struct subflow_info {
    uint64_t number;
    uint16_t link;
    enum subflow_status status;
    bool backup_here, backup_there; /* as we, or the peer, want it */
    struct flow flow;
    uint8_t local_address_id, remote_address_id;
    struct tcp_info tcp;
};
/* The i-th subflow, in order of number. False when there are fewer. */
bool connection_subflow_info(const struct braid_connection *c, unsigned i, struct subflow_info *out);

struct connection_info {
    enum connection_mode mode;
    bool established;
    bool checksum;
    unsigned subflows;
    uint64_t bytes_written, bytes_acknowledged, bytes_received, bytes_read, bytes_reinjected, bytes_copied;
    uint64_t bytes_out_of_order;  /* held at the data level, waiting for a hole to be filled */
    uint32_t receive_window_bytes, send_window_bytes;
    uint64_t memory_bytes;
    uint32_t token;              /* ours, by which the peer's joins find us; 0 without MPTCP */
    uint8_t announced, addresses_known; /* by ADD_ADDR: ours that were, theirs that are */
    uint8_t subflows_max;
    uint64_t write_dsn, unacknowledged_dsn, next_dsn; /* of the next byte written, DATA_ACKed, and expected */
};
void connection_info(const struct braid_connection *c, struct connection_info *out);
/* Traps if an invariant does not hold; for tests and the simulator. */
void connection_check_invariants(const struct braid_connection *c);

#endif
