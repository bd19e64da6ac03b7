/* What the files of the connection share: its state by concern, and who offers what. */
#ifndef MPTCP_CONNECTION_INTERNAL_H
#define MPTCP_CONNECTION_INTERNAL_H

#include <string.h>
#include <base/array.h>
#include <base/list.h>
#include <base/slice_queue.h>
#include <base/trace.h>
#include <mptcp/connection.h>

#include "dsn_ranges.h"
#include "limits.h"
#include "mapping.h"
#include "ahead.h"
#include "window.h"

#define NS_OF_MS(ms) ((braid_time)(ms)*BRAID_NS_PER_MS)

/* Appendix D of RFC 8684, with the handshake before it and fast close beside it. Derived from what was sent and
 * received (closing.c), for plain TCP as well. */
enum connection_state {
    STATE_OPENING,
    STATE_ESTABLISHED,
    STATE_FIN_WAIT_1,
    STATE_FIN_WAIT_2,
    STATE_CLOSING,
    STATE_CLOSE_WAIT,
    STATE_LAST_ACK,
    STATE_TIME_WAIT, /* both ends said and acknowledged; subflows are on their way out */
    STATE_FASTCLOSE_WAIT, /* MP_FASTCLOSE was said in an ACK, and no RST has come (fastclose.c) */
    STATE_CLOSED,    /* by failure or abort */
};

struct keys {
    uint64_t local, remote;
    uint32_t local_token, remote_token;
    dsn64 local_idsn, remote_idsn;
    bool token_open, remote_known;
};

/* outgoing.c. The queue holds [una, una + queue.length); [una, nxt) was given to subflows. */
struct sending {
    struct slice_queue queue;
    dsn64 first, una, nxt;
    dsn64 window_edge; /* largest DATA_ACK + window the peer offered */
    uint32_t buffer_bytes; /* how much may be written: it follows what is under way, up to send_buffer_bytes */
    bool shutdown;     /* the application writes no more */
    bool write_short;  /* owed: WRITABLE */
    bool write_starved; /* and nothing but memory was in the way */
    bool data_fin_sent, fin_acknowledged; /* DATA_FIN, or FIN without MPTCP */
    bool sent_reported;
    bool turn_of_new;
    bool infinite_due, infinite_said; /* see below */
    struct dsn_ranges reinject;
    struct dsn_ranges doubtful; /* unacknowledged on a path that was cut, but probably there (reinject.c) */
    braid_time refresh_at;       /* stale.c */
    braid_time paths_looked_at;  /* connection.c */
    braid_time cut_doubts_until; /* a path was cut a moment ago (reinject.c) */
    braid_time data_rto_at; /* BRAID_NEVER when nothing is unacknowledged */
    unsigned data_rto_backoff;
    unsigned unanswered; /* timeouts since the last DATA_ACK in which the peer was heard */
    braid_time data_rto_began_at;
    braid_time tail_at; /* tail.c; BRAID_NEVER: nothing to say again */
    dsn64 tail_end;      /* tried for what is before it */
    braid_time heard_at; /* the last DATA_ACK, or when a DATA_FIN began to wait for one */
    braid_time starved_until; /* memory ran out */
    uint64_t bytes_written, bytes_acknowledged, bytes_reinjected, bytes_copied;
    braid_time held_up_since; /* harm.c; 0: nobody holds it up */
    uint64_t held_up_by;      /* subflow's number */
    uint64_t held_up_bytes_per_s;
    braid_time blocked_at; /* the scheduler was last told that the window is shut */
    /* Fallback: subflow acknowledgements are what counts (§3.7). */
    dsn64 linear_acknowledged;
    dsn64 infinite_dsn;
    seq32 infinite_seq, infinite_said_at;
    unsigned tail_tries;
};

/* incoming.c. The queue holds [nxt - queue.length, nxt), unread (DATA_FIN not counted). */
struct receiving {
    struct slice_queue queue;
    dsn64 nxt; /* DATA_ACK */
    dsn64 told; /* the last one that was said */
    struct ahead ahead;
    bool fin_known, fin_reached;
    bool urgent_known;
    bool doubtful; /* after fallback: the peer may not know of it (fallback.c) */
    bool discard; /* the application let go: what still comes resets the connection */
    dsn64 fin;
    dsn64 urgent_end; /* urgent.c */
    uint64_t bytes_received, bytes_read;
};

/* addresses.c */
struct remote_address {
    uint8_t id;
    struct ip_address address;
    uint16_t port;
};
struct announcement { /* ours, by ADD_ADDR */
    uint8_t id;
    struct ip_address address;
    uint16_t port; /* 0: none */
    unsigned tries;
    braid_time due, said_at;
    bool echoed;
};
struct removal { /* ours, by REMOVE_ADDR */
    uint8_t id;
    unsigned times_left;
    uint64_t last_subflow; /* number of the one it was said on, plus one */
    braid_time due;
};
struct addresses {
    struct remote_address first; /* the first subflow's; address_remote() counts it as 0 */
    struct remote_address *further;
    struct announcement *announced;
    struct removal *removals;
    uint32_t remote_count; /* with the first */
    uint32_t announced_count, removal_count;
    uint32_t further_capacity, announced_capacity, removal_capacity;
    braid_time announce_turn; /* the next one may be said from then on */
    uint8_t used_ids[256 / 8]; /* of ours, the peer knows of by a join or ADD_ADDR */
};

/* path_targets.c: what became of the attempts to join from one of our paths to one of the peer's addresses. */
struct join_target {
    uint8_t path_id;
    struct ip_address address;
    uint16_t port;
    unsigned failures;
    bool losing; /* it was joined, and lost too much; joined_at since when it is again */
    braid_time joined_at;
    bool silent; /* nobody answered by this path, though the host has it */
    braid_time not_before; /* 0: now, or it is under way; BRAID_NEVER: not again without news */
};
struct path_manager {
    bool due; /* something changed: look again */
    bool crossing; /* not before ask_again_at, for the client may join first */
    bool meter_near; /* of one of its subflows, when that was last looked at */
    bool spares;     /* one of them costs, and others were told apart from it (priority.c) */
    struct join_target *targets;
    uint32_t target_count, target_capacity;
    braid_time no_path_deadline; /* BRAID_NEVER while there is a subflow */
    braid_time forgotten_at; /* silence.c */
    braid_time trouble_until, ask_again_at, asked_at; /* of the plan */
    uint8_t excluded[256 / 8];   /* path IDs that the program took out of this connection (path_calls.c) */
};

/* race.c */
struct race {
    bool on;
    bool refused;  /* on one of the paths */
    braid_time began_at, at; /* when the next path enters; BRAID_NEVER */
    uint8_t tried[256 / 8];  /* path IDs */
};

struct braid_connection {
    const struct braid_env *env;
    struct connection_config config;
    struct tcp_tuning tuning;
    struct flow flow;
    void *user, *host_data;
    braid_time now; /* of the call being served: some callbacks are not told */
    bool client;
    enum connection_mode mode;
    enum connection_state state;
    enum connection_close_reason close_reason;
    enum icmp_error_kind icmp_kind;
    bool established;
    bool app_closed; /* connection_close() */
    unsigned events;

    struct list_node subflows; /* in order of number */
    unsigned subflow_count;
    uint64_t subflow_next_number;

    uint8_t version; /* of MPTCP: what we ask for, then what was agreed */
    struct keys keys;
    bool checksum;
    bool confirmed;  /* a DSS came: MPTCP works both ways, joins are allowed (§3.1) */
    bool mapped;     /* the peer mapped data */
    bool contiguous; /* one subflow carried all, in order: fallback by infinite mapping is possible (§3.7) */
    bool no_join_to_first; /* the peer's C flag */
    unsigned plain_syns; /* client: of the first subflow's, those that did not ask for MPTCP */
    bool capable_ignored; /* client: the SYN/ACK had no MP_CAPABLE */
    braid_time joins_since; /* what joins_count counts from */
    unsigned joins_count;

    struct coupled_group coupled;
    bool early_asked, early_open; /* early.c */
    bool early_taken; /* some of what went with the SYN was acknowledged */
    struct scheduler_state scheduler;
    struct sending send;
    struct receiving receive;
    struct window window;
    struct addresses addresses;
    struct path_manager paths;
    struct race race;
    uint64_t held_bytes;        /* of the budget */
    braid_time linger_deadline; /* BRAID_NEVER until closing needs one */
    unsigned fastcloses;        /* ACKs with MP_FASTCLOSE asked for */
};

#define COUNT(c, counter)                                                                                       \
    do {                                                                                                        \
        if ((c)->config.counters) (c)->config.counters->counter++;                                              \
    } while (0)
#define COUNT_N(c, counter, n)                                                                                  \
    do {                                                                                                        \
        if ((c)->config.counters) (c)->config.counters->counter += (n);                                         \
    } while (0)

static inline bool connection_linear(const struct braid_connection *c) {
    return c->mode == CONNECTION_MODE_TCP || c->mode == CONNECTION_MODE_FALLBACK;
}
static inline bool connection_over(const struct braid_connection *c) {
    switch (c->state) {
    case STATE_TIME_WAIT:
    case STATE_FASTCLOSE_WAIT:
    case STATE_CLOSED: return true;
    case STATE_OPENING:
    case STATE_ESTABLISHED:
    case STATE_FIN_WAIT_1:
    case STATE_FIN_WAIT_2:
    case STATE_CLOSING:
    case STATE_CLOSE_WAIT:
    case STATE_LAST_ACK: return false;
    }
    return false;
}

/* connection.c */
void connection_raise(struct braid_connection *c, unsigned events);
void connection_wake(struct braid_connection *c);
/* After every entry: buries closed subflows, moves closing on, asks for what is missing. */
void connection_settle(struct braid_connection *c, braid_time now);

/* budget.c */
/* After whatever may have changed what is held. */
void budget_settle(struct braid_connection *c);
void budget_leave(struct braid_connection *c);
/* `bytes`, or less when memory is short. */
uint32_t budget_bounded(const struct braid_connection *c, uint32_t bytes);
/* Whether payload that came on a subflow may be kept; and what lies ahead in the data order. */
bool budget_may_keep(void *owner, bool in_order);
bool budget_may_wait(const struct braid_connection *c);

/* handshake.c */
bool handshake_keys_draw(struct braid_connection *c) MUST_USE;
void handshake_keys_close(struct braid_connection *c);

/* closing.c */
void closing_fail(struct braid_connection *c, enum connection_close_reason reason, braid_time now);
void closing_progress(struct braid_connection *c, braid_time now);
void closing_abort(struct braid_connection *c, enum connection_close_reason reason, braid_time now);
/* The peer's MP_FASTCLOSE. */
void closing_fastclosed(struct braid_connection *c, braid_time now);
void closing_expire(struct braid_connection *c, braid_time now);

/* fastclose.c */
/* Begins FASTCLOSE_WAIT on the best subflow there is, and returns it; NULL if there is none. */
struct subflow *fastclose_begin(struct braid_connection *c, braid_time now);
void fastclose_expire(struct braid_connection *c, braid_time now);
void fastclose_arrived(struct subflow *sf, uint64_t receiver_key, braid_time now);

/* send_buffer.c */
void send_buffer_init(struct braid_connection *c);
uint64_t send_buffer_held(const struct braid_connection *c);
uint32_t send_buffer_bound(const struct braid_connection *c);
void send_buffer_grow(struct braid_connection *c); /* before what was acknowledged is let go */
void send_buffer_settle(struct braid_connection *c); /* after every entry: there may be room */

/* written_sums.c */
/* The send queue's copier where there are checksums: it notes the sums of whole pieces of the buffer. */
void written_copy(struct braid_buf *buf, uint32_t offset, const uint8_t *bytes, uint32_t length);
/* The sum of `slice`, by such notes as far as there are any. */
uint64_t written_sum(const struct braid_slice *slice);

/* outgoing.c */
bool outgoing_init(struct braid_connection *c);
void outgoing_deinit(struct braid_connection *c);
void outgoing_start(struct braid_connection *c, dsn64 first);
void outgoing_schedule(struct braid_connection *c, braid_time now);
void outgoing_data_ack(struct braid_connection *c, dsn64 data_ack, uint32_t window, braid_time now);
void outgoing_linear_acknowledged(struct braid_connection *c, uint32_t bytes, braid_time now);
void outgoing_rto_restart(struct braid_connection *c, braid_time now);
void outgoing_expire(struct braid_connection *c, braid_time now);
/* The DATA_FIN, on an ACK of every subflow. */
void outgoing_fin_again(struct braid_connection *c);
/* The only subflow there is acknowledges data, but no longer says a word of MPTCP. */
bool outgoing_peer_fell_back(const struct braid_connection *c);
static inline dsn64 outgoing_end(const struct braid_connection *c) {
    return dsn64_add(c->send.una, c->send.queue.length);
}
static inline uint64_t outgoing_unassigned(const struct braid_connection *c) {
    return (uint64_t)dsn64_diff(outgoing_end(c), c->send.nxt);
}

/* incoming.c */
void incoming_init(struct braid_connection *c);
void incoming_deinit(struct braid_connection *c);
void incoming_start(struct braid_connection *c, dsn64 first);
void incoming_fin(struct braid_connection *c, dsn64 fin, braid_time now);
void incoming_linear_fin(struct braid_connection *c, braid_time now);
void incoming_early(struct braid_connection *c, struct braid_slice data, braid_time now);

/* window.c */
void window_init(struct braid_connection *c);
void window_start(struct braid_connection *c);
uint32_t window_offer(struct braid_connection *c);
/* It goes out now, beside a DATA_ACK. */
void window_said(struct braid_connection *c);
void window_subflows_changed(struct braid_connection *c, bool more);
void window_update(struct braid_connection *c, braid_time now);
void window_read(struct braid_connection *c, uint64_t bytes, braid_time now);

/* addresses.c */
uint8_t address_local_id(const struct braid_connection *c, uint8_t path_id);
void address_id_used(struct braid_connection *c, uint8_t local_id);
void addresses_deinit(struct braid_connection *c);
const struct remote_address *address_remote(const struct braid_connection *c, uint32_t index);
void addresses_path_gone(struct braid_connection *c, uint8_t path_id, braid_time now);
void addresses_path_back(struct braid_connection *c, const struct local_path *path, braid_time now);
void addresses_announce_all(struct braid_connection *c, braid_time now);
void addresses_assign(struct braid_connection *c, braid_time now);
braid_time addresses_deadline(const struct braid_connection *c);

/* path_manager.c */
void path_manager_init(struct braid_connection *c);
void path_manager_run(struct braid_connection *c, braid_time now);
bool path_manager_wants(const struct braid_connection *c, braid_time now);
unsigned path_places_taken(const struct braid_connection *c);
/* The peer takes no joins to its first address. */
bool path_forbidden(const struct braid_connection *c, const struct remote_address *to);
/* It joins of its own accord. */
bool path_manager_acts(const struct braid_connection *c);
bool path_manager_is_silent(const struct braid_connection *c, uint8_t path_id);
void path_manager_news(struct braid_connection *c, uint8_t path_id);
void path_manager_address_news(struct braid_connection *c, const struct ip_address *address, uint16_t port);
braid_time path_manager_deadline(const struct braid_connection *c);
void path_manager_expire(struct braid_connection *c, braid_time now);

/* path_targets.c */
void path_targets_deinit(struct braid_connection *c);
struct join_target *path_target_find(struct braid_connection *c, uint8_t path_id, const struct ip_address *address,
                                     uint16_t port);
void path_target_failed(struct braid_connection *c, uint8_t path_id, const struct ip_address *address, uint16_t port,
                        bool for_good, braid_time now);

/* race.c */
void race_begin(struct braid_connection *c, braid_time now);
void race_expire(struct braid_connection *c, braid_time now);
void race_news(struct braid_connection *c, braid_time now); /* paths came or went */

/* path_calls.c */
void path_exclude_others(struct braid_connection *c, uint8_t path_id);
static inline bool path_excluded(const struct braid_connection *c, uint8_t path_id) {
    return c->paths.excluded[path_id / 8] >> (path_id % 8) & 1;
}

#endif
