/* One connection over many subflows: Multipath TCP (RFC 8684), or plain TCP where a peer or a middlebox does not play
 * along. It is what an application reads from and writes to; a connection that never asked for MPTCP is the same
 * thing over its one subflow, without options.
 *
 * Like everything below the stack it does no I/O: packets enter by connection_input(), leave by connection_output(),
 * time enters as `now`. The stack gives it what only the stack knows by struct connection_host_ops. */
#ifndef MPTCP_CONNECTION_H
#define MPTCP_CONNECTION_H

#include <mptcp/budget.h>
#include <mptcp/meter.h>
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
    bool announce; /* tell peers of it by ADD_ADDR */
    bool no_subflow;  /* path managers do not join by it ... */
    bool no_fullmesh; /* ... or to the peer's first address only */
    struct ip_address address;
    uint32_t mtu_bytes;
    uint32_t super_segment_bytes;
    bool checksum_offload;
    uint16_t announce_port;   /* told with it; 0: none */
    uint8_t weight;           /* of its turns under round-robin; 0: 1 */
    struct path_meter *meter; /* of its link; NULL: it costs nothing */
};

/* Its meter's cap is reached: nothing goes by it any more. */
bool path_used_up(const struct local_path *path);
/* What costs nothing before what does, regular before backup, then in the order of the links and the addresses. */
static inline bool local_path_better(const struct local_path *a, const struct local_path *b) {
    unsigned cost_a = path_meter_costs(a->meter) * 2u + a->backup, cost_b = path_meter_costs(b->meter) * 2u + b->backup;
    if (cost_a != cost_b) return cost_a < cost_b;
    return a->link != b->link ? a->link < b->link : a->address_id < b->address_id;
}

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
    /* The meter's cap is near, or used up: all connections should be asked for output, for they are to say so. May be NULL. */
    void (*meter_news)(void *host, struct path_meter *meter);
    /* What came of Fast Open, when the SYN is answered. May be NULL. */
    void (*fast_open_answered)(void *host, struct braid_connection *c, const struct tcp_fast_open_result *result);
    /* What is known of the path's MTU from our address to that host: 0 nothing, else *until when. May be NULL. */
    uint32_t (*path_mtu)(void *host, uint8_t address_id, const struct ip_address *remote, braid_time *until);
    /* And what was found out now. May be NULL. */
    void (*path_mtu_found)(void *host, uint8_t address_id, const struct ip_address *remote, uint32_t mtu_bytes, bool all,
                           braid_time now); /* all: both ends take no more */
    /* A subflow by that link is about to be freed: the last chance to look at it. May be NULL. */
    void (*subflow_over)(void *host, uint16_t link, const struct tcp *t);
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
    const struct path_manager_ops *path_manager; /* NULL: fullmesh */
    bool join_to_clients;   /* server: join, too, to addresses that the client announced */
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

/* Counted for a named reason, shared by the connections of a stack (the kernel's MPTcpExt is the model); and what it means,
 * for people. */
#define MPTCP_COUNTERS(X)                                                                                      \
    X(capable_syn_sent, "SYNs with MP_CAPABLE sent")                                                           \
    X(capable_syn_received, "SYNs with MP_CAPABLE that came")                                                  \
    X(capable_established_active, "connections of ours that became Multipath TCP")                             \
    X(capable_established_passive, "connections of peers that became Multipath TCP")                           \
    X(capable_version_0, "connections of version 0 among them")                                                \
    X(fallback_syn_no_option, "plain TCP: no MP_CAPABLE in SYN or SYN/ACK, or one of no use")                  \
    X(fallback_syn_version, "plain TCP: an unknown version, or no common algorithm")                           \
    X(fallback_third_ack, "plain TCP: no MP_CAPABLE in the third ACK")                                         \
    X(fallback_first_data, "plain TCP: the first data came without a DSS")                                     \
    X(fallback_key_mirrored, "plain TCP: the SYN/ACK has no key, or ours")                                     \
    X(fallback_checksum_refused, "plain TCP: the peer asks for checksums, which are forbidden")                \
    X(fallback_no_dss, "plain TCP: no DSS came back")                                                          \
    X(fallback_checksum, "plain TCP: a checksum was wrong")                                                    \
    X(fallback_mp_fail_received, "plain TCP: the peer said MP_FAIL")                                           \
    X(infinite_mapping_sent, "infinite mappings sent")                                                         \
    X(infinite_mapping_received, "infinite mappings that came")                                                \
    X(race_lost, "first SYNs that another path's overtook")                                                    \
    X(join_sent, "joins sent")                                                                                 \
    X(join_established, "joins that succeeded, either way")                                                    \
    X(join_received, "joins that came")                                                                        \
    X(join_no_token, "joins whose token is no connection's")                                                   \
    X(join_bad_hmac, "joins whose HMAC is wrong")                                                              \
    X(join_refused_limit, "joins refused: as many subflows as may be")                                         \
    X(join_half_open_full, "joins forgotten before their HMAC came, the oldest, to make room")                 \
    X(join_refused_rate, "joins refused: too many in a second")                                                \
    X(join_rejected_by_peer, "joins of ours that the peer refused")                                            \
    X(fallback_contradicted, "subflows ended: Multipath TCP from a peer after plain TCP was agreed")           \
    X(dss_bad_mapping, "mappings that do not fit their segment")                                               \
    X(dss_mapping_contradicts, "mappings that contradict one before")                                          \
    X(dss_unmapped_data, "data that no mapping covers")                                                        \
    X(dss_checksum_failed, "mappings whose checksum is wrong")                                                 \
    X(dss_unmapped_bytes_skipped, "bytes skipped that no mapping covers")                                      \
    X(dss_checksum_presence, "DSS with a checksum that was not agreed, or without one that was")               \
    X(data_ack_outside, "DATA_ACKs of what was never sent")                                                    \
    X(data_outside_window, "data beyond the connection's receive window")                                      \
    X(data_over_budget, "data dropped: no memory left of what all connections may hold")                       \
    X(data_duplicate, "data that had come already")                                                            \
    X(add_addr_received, "ADD_ADDRs that came")                                                                \
    X(add_addr_bad_hmac, "ADD_ADDRs whose HMAC is wrong")                                                      \
    X(add_addr_not_vouched, "ADD_ADDRs of version 0 beside no DATA_ACK that fits")                             \
    X(add_addr_over_limit, "ADD_ADDRs above the limit")                                                        \
    X(add_addr_echo_sent, "echoes of ADD_ADDR sent")                                                           \
    X(add_addr_sent, "ADD_ADDRs sent")                                                                         \
    X(add_addr_echo_received, "echoes of ADD_ADDR that came")                                                  \
    X(remove_addr_received, "REMOVE_ADDRs that came")                                                          \
    X(remove_addr_unknown, "REMOVE_ADDRs of an ID that is not known")                                          \
    X(remove_addr_sent, "REMOVE_ADDRs sent")                                                                   \
    X(mp_prio_received, "MP_PRIOs that came")                                                                  \
    X(mp_prio_sent, "MP_PRIOs sent")                                                                           \
    X(mp_fail_received, "MP_FAILs that came")                                                                  \
    X(mp_fail_sent, "MP_FAILs sent")                                                                           \
    X(fastclose_received, "MP_FASTCLOSEs that came")                                                           \
    X(fastclose_bad_key, "MP_FASTCLOSEs with a wrong key")                                                     \
    X(fastclose_sent, "MP_FASTCLOSEs sent")                                                                    \
    X(tcprst_received, "RSTs that said a reason (MP_TCPRST)")                                                  \
    X(tcprst_sent, "RSTs sent with a reason (MP_TCPRST)")                                                      \
    X(option_bad_length, "MPTCP options of a wrong length")                                                    \
    X(option_unknown, "MPTCP options of an unknown subtype")                                                   \
    X(option_misplaced, "MPTCP options where they do not belong")                                              \
    X(dss_mappings_full, "segments dropped: too many mappings without their data")                             \
    X(add_addr_id_in_use, "ADD_ADDRs of an ID that another address has")                                       \
    X(add_addr_unusable, "ADD_ADDRs of an address that no one host has")                                       \
    X(add_addr_echo_unknown, "echoes of what was not announced")                                               \
    X(reinjected_segments, "segments sent again by another subflow")                                           \
    X(reinjected_bytes, "bytes sent again by another subflow")                                                 \
    X(copied_bytes, "bytes sent by two subflows on purpose")                                                   \
    X(urgent_received, "urgent pointers that said something new")                                              \
    X(window_blocked, "times the peer's window was full because of one slow subflow")                          \
    X(subflow_penalised, "subflows given less for that")                                                       \
    X(subflow_losing, "subflows reset because they kept losing")                                               \
    X(subflow_harmful, "times a subflow cost more than it brought, and rested")                                \
    X(subflow_rested, "times a subflow was not worth its delay, and rested")                                   \
    X(subflow_spared, "times the peer was asked to spare a subflow that cost more than it brought")            \
    X(subflow_costly, "subflows reset because they went on costing more than they brought")                    \
    X(urgent_behind, "urgent pointers to what had come already")                                               \
    X(urgent_misplaced, "urgent pointers on a subflow of Multipath TCP, in a SYN, or behind the end")          \
    X(window_shrunk, "windows that plain TCP's peer took back")
struct mptcp_counters {
#define MPTCP_COUNTER_FIELD(name, meaning) uint64_t name;
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
void connection_path_backup(struct braid_connection *c, const struct local_path *path, braid_time now);
/* So did what else a path is to be used for: weight, price or cap. Subflows by it are told apart from those the program
 * gave a priority itself; where they stand by from now on, or no longer, MP_PRIO says so. */
void connection_path_terms(struct braid_connection *c, const struct local_path *path, braid_time now);
/* It may be used for more than before: joins by it are considered; `announce`: and the peer is told of it now. */
void connection_path_wider(struct braid_connection *c, const struct local_path *path, bool announce, braid_time now);
/* A program that drives the paths of a connection itself; path_calls.c. Each holds whatever the path manager. */
enum connection_path_result {
    CONNECTION_PATH_OK,
    CONNECTION_PATH_NOT_NOW,  /* plain TCP, not confirmed by the peer yet, or over */
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
 * peer is told. Nor are joins taken by it, and it is not announced. */
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
    struct tcp_words words;
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
