/* What the files of the stack share. */
#ifndef STACK_INTERNAL_H
#define STACK_INTERNAL_H

#include <string.h>
#include <braid/stack.h>
#include <base/hash_table.h>
#include <base/heap.h>
#include <base/list.h>
#include <base/prng.h>
#include <base/trace.h>
#include <mptcp/connection.h>
#include <wire/ip.h>

enum stack_limit {
    STACK_CONTROL_QUEUE_MAX = 64,  /* resets and ICMP errors waiting for output; more are not sent */
    STACK_CAPABLE_FAILURES_MAX = 64,
    STACK_VERSION_NOTES_MAX = 64,
    STACK_MTU_NOTES_MAX = 64,
    STACK_SYN_QUOTE_BYTES = 128,   /* kept of a deferred SYN, to refuse it in its own words */
};

/* Packets the stack itself refuses, by reason, and what it means, for people; TCP's and MPTCP's own counters stand beside
 * these. */
#define STACK_COUNTERS(X)                                                                                      \
    X(packets_in, "packets that came")                                                                         \
    X(packets_out, "packets that were sent")                                                                   \
    X(ip_malformed, "packets whose IP header is wrong")                                                        \
    X(ip_fragment, "IP fragments, which are not put together")                                                 \
    X(ip_other_protocol, "packets that are neither TCP nor ICMP")                                              \
    X(ip_bad_source, "packets from an address that no one host has")                                           \
    X(tcp_malformed, "segments whose header is wrong")                                                         \
    X(tcp_option_ignored, "TCP options of a wrong length, said twice, or too many")                            \
    X(tcp_bad_checksum, "segments with a wrong checksum")                                                      \
    X(tcp_no_flow, "segments that belong to no connection")                                                    \
    X(syn_no_listener, "SYNs to a port that is not listened to")                                               \
    X(syn_half_open_full, "SYNs dropped: too many handshakes, and none may give way")                          \
    X(syn_half_open_evicted, "handshakes forgotten, the oldest, to make room")                                 \
    X(syn_connections_full, "SYNs dropped: as many connections as may be")                                     \
    X(syn_no_memory, "SYNs dropped for want of memory")                                                        \
    X(join_unknown_token, "joins whose token is no connection's")                                              \
    X(join_malformed, "SYNs whose MP_JOIN is wrong")                                                           \
    X(time_wait_entered, "flows that went into TIME-WAIT")                                                     \
    X(time_wait_evicted, "flows whose TIME-WAIT was cut short, the oldest, to make room")                      \
    X(time_wait_reopened, "connections that a peer began on a flow in TIME-WAIT")                              \
    X(time_wait_reused, "connections of ours on a flow in TIME-WAIT")                                          \
    X(time_wait_rst, "RSTs to a flow in TIME-WAIT, which are ignored")                                         \
    X(time_wait_challenged, "segments to a flow in TIME-WAIT that were answered with an ACK")                  \
    X(join_refused, "joins to a connection that takes no more, or none")                                       \
    X(icmp_ignored, "ICMP messages about nothing of ours")                                                     \
    X(cookies_sent, "SYN/ACKs after which nothing was kept")                                                   \
    X(cookies_accepted, "connections made of a SYN cookie that came back")                                     \
    X(cookie_bad, "ACKs whose SYN cookie is wrong")                                                            \
    X(cookie_stale, "ACKs whose SYN cookie is too old")                                                        \
    X(cookie_wrong_key, "third ACKs with a key that no SYN cookie gave")                                       \
    X(cookie_without_keys, "data that overtook the third ACK of a SYN cookie")                                 \
    X(fast_open_accepted, "SYNs whose data was taken")                                                         \
    X(fast_open_cookie_bad, "Fast Open cookies that are not ours, or too old")                                 \
    X(fast_open_cookies_given, "Fast Open cookies given to clients")                                           \
    X(fast_open_pending_full, "SYNs whose data was not taken: too many wait for their third ACK")              \
    X(fast_open_taken, "connections of ours whose data with the SYN was taken")                                \
    X(fast_open_not_taken, "connections of ours whose data with the SYN was not taken")                        \
    X(fast_open_syn_lost, "SYNs with Fast Open that had to be said again without")                             \
    X(fast_open_avoided, "Fast Open not tried, as SYNs with it were lost before")                              \
    X(capable_not_asked, "Multipath TCP not asked for, as the peer ignored it before")                         \
    X(resets_sent, "RSTs sent for segments that belong to nothing")                                            \
    X(control_queue_full, "RSTs and ICMP errors not sent: too many at once")                                   \
    X(unknown_link, "packets by a link that is not known")                                                     \
    X(syn_data_ignored, "SYNs whose data was not taken: no Fast Open cookie, or none that holds")              \
    X(syn_extensible, "SYNs of version 0 with the B bit, which are dropped")                                   \
    X(cap_not_sent, "packets of the stack's own not sent, as the link's cap is used up")                       \
    X(cap_syn_refused, "SYNs refused by a link whose cap is used up")
struct stack_counters {
#define STACK_COUNTER_FIELD(name, meaning) uint64_t name;
    STACK_COUNTERS(STACK_COUNTER_FIELD)
#undef STACK_COUNTER_FIELD
};

struct stack_link {
    struct braid_link_config config;
    struct flow_entry *last; /* to which the last packet belonged; may be NULL */
    uint8_t weight;
    struct path_meter meter;
    struct braid_link_totals totals; /* of subflows that are over */
};

/* An address by which connections go. It keeps its place, and its address ID, while it is away, so that it comes back by the
 * same ID. One that takes its place has another. */
struct stack_path {
    bool used, present;
    uint8_t weight; /* 0: the link's */
    struct local_path path;
};

/* capable_memory.c */
struct capable_failure {
    struct ip_address remote;
    uint8_t path_id;
    unsigned times;   /* in a row */
    braid_time until; /* not to be asked again, from the second time on */
};
struct stack_capable_memory {
    struct capable_failure failures[STACK_CAPABLE_FAILURES_MAX];
    unsigned count;
};
/* Shall MPTCP be asked for, and by how many SYNs (0: as many as ever)? */
bool capable_memory_ask(struct stack_capable_memory *m, uint8_t path_id, const struct ip_address *remote, braid_time now,
                        uint8_t *syns) MUST_USE;
void capable_memory_result(struct stack_capable_memory *m, uint8_t path_id, const struct ip_address *remote,
                           enum capable_outcome outcome, braid_time now);
void capable_memory_network_new(struct stack_capable_memory *m, uint8_t path_id);

/* version_memory.c */
struct version_note {
    struct ip_address remote;
    uint8_t path_id;
    bool ask_0; /* or 1, as if there were no note */
    braid_time until;
};
struct stack_version_memory {
    struct version_note notes[STACK_VERSION_NOTES_MAX];
    unsigned count;
};
bool version_memory_ask_0(struct stack_version_memory *m, uint8_t path_id, const struct ip_address *remote,
                          braid_time now) MUST_USE;
void version_memory_result(struct stack_version_memory *m, uint8_t path_id, const struct ip_address *remote,
                           bool asked_0, enum capable_outcome outcome, braid_time now);
void version_memory_network_new(struct stack_version_memory *m, uint8_t path_id);

/* mtu_memory.c */
struct mtu_note {
    struct ip_address remote;
    uint8_t path_id;
    uint32_t mtu_bytes;
    braid_time until;
};
struct stack_mtu_memory {
    struct mtu_note notes[STACK_MTU_NOTES_MAX];
    unsigned count;
};
/* As struct connection_host_ops has them. */
uint32_t mtu_memory_known(void *host, uint8_t path_id, const struct ip_address *remote, braid_time *until);
void mtu_memory_found(void *host, uint8_t path_id, const struct ip_address *remote, uint32_t mtu_bytes, bool all,
                      braid_time now);
void mtu_memory_network_new(struct stack_mtu_memory *m, uint8_t path_id);

/* cookie.c */
struct stack_cookies {
    bool drawn;
    uint64_t number_secret[2], clock_secret[2], key_secret[2];
    braid_time sent_at; /* the last one */
};

/* fast_open.c */
#define STACK_FAST_OPEN_PEERS_MAX 32
#define STACK_FAST_OPEN_COOKIE_MAX 14 /* more, and MP_CAPABLE does not fit beside it */
struct fast_open_peer {
    struct ip_address remote;
    uint16_t port, mss_bytes;
    uint8_t path_id, cookie_length;
    uint8_t cookie[STACK_FAST_OPEN_COOKIE_MAX];
    unsigned failures;  /* in a row */
    braid_time until;   /* not asked, nor sent */
    braid_time used_at;
};
struct stack_fast_open {
    unsigned keys; /* of ours, the newest first; 0: none yet */
    uint64_t secrets[2][2];
    braid_time drawn_at;
    unsigned count;
    struct fast_open_peer peers[STACK_FAST_OPEN_PEERS_MAX];
};

struct braid_listener {
    struct braid_stack *stack;
    struct list_node node;
    struct braid_listen_config config;
    struct ip_address address; /* family IP_NONE: any */
    const struct congestion_ops *congestion;
    const struct scheduler_ops *scheduler;
    const struct path_manager_ops *path_manager;
    struct path_limits limits;
    bool closed;               /* kept until the last entry that names it is gone */
    uint32_t users;
    uint32_t half_open;
    uint32_t fast_open_pending; /* of them */
};

/* The stack's side of a connection. */
struct entry {
    struct braid_stack *stack;
    struct braid_connection *connection;
    struct list_node all, ready, eventful, half_open_place;
    struct heap_node timer;
    struct braid_listener *listener; /* NULL for connections of ours */
    unsigned bits;                   /* events not yet taken */
    bool half_open;                  /* counted in half_open_count, and listed */
    bool reported;                   /* the application knows of it */
    bool released;                   /* the application let go of it */
    bool fast_opened;                /* and counted in fast_open_pending while half open; a client: it asked */
    bool discovers, asked_version_0; /* for version_memory.c */
    uint8_t *syn_packet;             /* deferred: the SYN as it came; STACK_SYN_QUOTE_BYTES, from env */
    uint32_t syn_length;
};

/* A subflow's place in the demultiplexing table. */
struct flow_entry {
    struct hash_node node;
    struct braid_connection *connection;
    struct subflow *subflow;
    uint16_t link;
    bool guest; /* the steering's table knows of it */
    struct flow flow;
};

/* A flow in TIME-WAIT, instead of the whole connection (time_wait.c). */
struct time_wait {
    struct hash_node node;
    struct list_node by_age; /* in braid_stack.resting: what ends first stands first */
    braid_time expires_at, entered_at, acknowledged_at;
    struct flow flow;
    uint16_t link;
    struct tcp_rest rest;
};

struct token_entry {
    struct hash_node node;
    struct braid_connection *connection;
    uint32_t token;
};

struct braid_stack {
    const struct braid_env *env;
    struct braid_stack_config config;
    const struct congestion_ops *congestion;
    const struct scheduler_ops *scheduler;
    const struct path_manager_ops *path_manager;
    struct path_limits limits;
    uint64_t hash_key[2];
    uint64_t ports_chosen; /* counts the places looked at */
    struct prng prng;
    struct stack_link links[BRAID_LINKS_MAX];
    int link_count;
    struct stack_path paths[BRAID_ADDRESSES_MAX];
    uint8_t address_id_last; /* given away */
    struct stack_capable_memory capable;
    struct stack_version_memory versions;
    struct stack_mtu_memory mtus;
    struct stack_cookies cookies;
    struct stack_fast_open fast_open;
    struct memory_budget budget;
    struct hash_table flows, tokens, time_waits;
    struct list_node resting;
    uint32_t resting_count;
    braid_time seen_at;         /* the latest time anyone told */
    uint64_t initial_key[2];    /* RFC 6528's secret */
    bool rest_forced;            /* what can rest does so */
    struct time_wait *reopening; /* by the SYN that came last */
    bool initial_behind;        /* the flow opened last was in TIME-WAIT, and its numbers begin behind ... */
    seq32 initial_after;        /* ... this one */
    struct list_node connections, ready, eventful, listeners;
    struct list_node half_open; /* the oldest first */
    uint32_t connection_count, half_open_count;
    uint64_t next_number;
    struct heap timers;
    struct braid_packet_out control[STACK_CONTROL_QUEUE_MAX];
    uint32_t control_head, control_count;
    struct stack_counters counters;
    struct tcp_drop_counters tcp_drops;
    struct mptcp_counters mptcp;
};

/* address.c */
struct ip_address stack_address_in(const struct braid_address *address);
struct braid_address stack_address_out(const struct ip_address *address);
/* The local path for packets that arrive by `link` for `address`: a known one, or one made up for this packet. */
struct local_path stack_path_for(const struct braid_stack *stack, uint16_t link, const struct ip_address *address);
/* One of ours that is there now; NULL. */
const struct local_path *stack_path_of(const struct braid_stack *stack, int link, const struct braid_address *address);
/* The best path to start a connection from, NULL if there is none. */
const struct local_path *stack_path_choose(const struct braid_stack *stack, const struct ip_address *remote,
                                           const struct ip_address *local);

/* link.c */
/* One of the stack's own must not go if that is false. */
bool stack_link_may_send(struct braid_stack *stack, const struct braid_packet_out *packet);
/* By this link nothing new may begin. */
bool stack_link_closed(const struct braid_stack *stack, int link);
void stack_meter_news(void *host, struct path_meter *meter);
/* config.c */
/* The first of them that is there and unknown, or out of range. */
struct stack_choices {
    const char *congestion, *scheduler, *path_manager;
    const struct braid_path_limits *path_limits;
    enum braid_versions versions;
};
enum braid_config_fault stack_choices_check(const struct stack_choices *choices);

/* connection_paths.c */
/* False: out of range. */
bool stack_limits_in(const struct braid_path_limits *limits, struct path_limits *out) MUST_USE;

/* demux.c */
extern const struct connection_host_ops stack_host_ops;
uint64_t stack_flow_hash(const uint64_t secret[2], uint16_t link, const struct flow *flow);
struct flow_entry *stack_flow_find(const struct braid_stack *stack, uint16_t link, const struct flow *flow);
struct flow_entry *stack_flow_of_packet(struct braid_stack *stack, uint16_t link, const struct flow *flow);
struct braid_connection *stack_token_find(const struct braid_stack *stack, uint32_t token);

/* time_wait.c */
struct time_wait *time_wait_find(const struct braid_stack *stack, uint16_t link, const struct flow *flow);
/* False: no memory. */
bool time_wait_enter(struct braid_stack *stack, const struct flow_entry *flow, const struct tcp_rest *rest,
                     braid_time now) MUST_USE;
void time_wait_forget(struct braid_stack *stack, struct time_wait *wait);
/* A segment of a flow in TIME-WAIT. False: it begins a new connection. */
bool time_wait_input(struct braid_stack *stack, struct time_wait *wait, const struct tcp_segment *s,
                     braid_time now) MUST_USE;
/* A connection of ours may begin on its port. */
bool time_wait_reusable(const struct braid_stack *stack, const struct time_wait *wait);
braid_time time_wait_deadline(const struct braid_stack *stack);
void time_wait_expire(struct braid_stack *stack, braid_time now);

/* initial.c: where the numbers of a flow begin. */
void stack_initial(const struct braid_stack *stack, const struct flow *flow, struct tcp_secrets *out);

/* totals.c */
void totals_subflow_over(void *host, uint16_t link, const struct tcp *t);

/* steering.c */
bool steering_is_home(const struct braid_steering *s, unsigned place, const struct flow *flow);
/* For a flow that is not at home there. False: there is no place. */
bool steering_guest_add(struct braid_steering *s, unsigned place, const struct flow *flow) MUST_USE;
void steering_guest_remove(struct braid_steering *s, unsigned place, const struct flow *flow);
bool steering_token_fits(const struct braid_steering *s, unsigned place, uint32_t token);
unsigned steering_stacks(const struct braid_steering *s);

/* fast_open.c */
/* Of a connection that was accepted and not answered yet. */
void fast_open_arrived(struct braid_listener *listener, struct entry *entry, const struct flow *flow,
                       const struct tcp_segment *syn, braid_time now);
/* Fills in config->fast_open. */
void fast_open_choose(struct braid_stack *stack, struct connection_config *config, braid_time now);
void fast_open_answered(void *host, struct braid_connection *c, const struct tcp_fast_open_result *result);
void fast_open_unanswered(struct braid_stack *stack, const struct braid_connection *c, braid_time now);
void fast_open_network_new(struct braid_stack *stack, uint8_t path_id);

/* entry.c */
struct entry *entry_create(struct braid_stack *stack) MUST_USE;
void entry_attach(struct entry *entry, struct braid_connection *connection);
/* A peer's, whose handshake is not done. */
void entry_half_open(struct entry *entry);
void entry_destroy(struct entry *entry);
struct entry *entry_of(const struct braid_connection *connection);
/* Something about it may have changed: it is looked at with the next output. */
void entry_touch(struct entry *entry);
/* Takes its events and sets its timer, or destroys it if nobody needs it any more. */
void entry_settle(struct entry *entry, braid_time now);
/* What the connection is told; `versions` is one of the enumeration. */
enum mptcp_versions stack_versions(enum braid_versions versions);
static inline bool stack_versions_known(enum braid_versions versions) {
    return (unsigned)versions <= (unsigned)BRAID_VERSION_0;
}
struct connection_config stack_connection_config(struct braid_stack *stack, const struct local_path *path,
                                                 const struct flow *flow);

/* listen.c */
void stack_syn_arrived(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                       const struct tcp_segment *syn, const struct braid_packet_in *packet, braid_time now);
void listener_unref(struct braid_listener *listener);
/* The most specific one for what comes by `link` for that flow; NULL. */
struct braid_listener *listener_find(struct braid_stack *stack, uint16_t link, const struct flow *flow);
struct connection_config listener_connection_config(struct braid_stack *stack, const struct braid_listener *listener,
                                                    uint16_t link, const struct flow *flow);
/* The connection, one of the listener's, is the entry's from now on. */
void listener_attach(struct braid_listener *listener, struct entry *entry, struct braid_connection *c);

/* cookie.c */
/* The SYN/ACK that carries all there is to know. */
void stack_cookie_send(struct braid_stack *stack, const struct braid_listener *listener, uint16_t link,
                       const struct flow *flow, const struct tcp_segment *syn, braid_time now);
/* A segment with ACK, and neither SYN nor RST, that belongs to no flow. True: it is dealt with, as the answer to such a
 * SYN/ACK or as one that pretends to be. */
bool stack_cookie_arrived(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                          const struct tcp_segment *segment, const struct braid_packet_in *packet, uint8_t ecn,
                          braid_time now);

/* output.c */
/* A free place in the queue of resets and ICMP errors, NULL when it is full (counted). */
struct braid_packet_out *stack_control_packet(struct braid_stack *stack);
void stack_send_reset(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                      const struct tcp_segment *segment, const struct mp_tcprst *why);
void stack_send_icmp(struct braid_stack *stack, uint16_t link, enum icmp_error_kind kind, const struct flow *flow,
                     const uint8_t *quoted, uint32_t quoted_length);

#endif
