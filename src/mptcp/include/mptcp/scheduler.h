/* Which path carries the next bytes: schedulers, behind one small table of operations. One is a file,
 * src/mptcp/scheduler_NAME.c, that fills the table in; docs/schedulers.md tells how to add one.
 *
 * The connection (scheduler.c) shows a scheduler the paths that may carry something now, as numbers, and how much waits.
 * The scheduler names one of them, and how much, or says that waiting is better; it is asked again until it does, or
 * until nothing has room. It is asked whenever something may have changed: room, an acknowledgement, new data. */
#ifndef MPTCP_SCHEDULER_H
#define MPTCP_SCHEDULER_H

#include <braid/env.h>
#include <base/ensure.h>

#define SCHEDULER_PATHS_MAX 32
#define SCHEDULER_STATE_BYTES 64
#define SCHEDULER_WAIT (-1)

struct subflow;

/* A subflow, as a scheduler sees it. */
struct scheduler_path {
    struct subflow *subflow;    /* whose numbers these are; nothing for a scheduler to look into */
    uint64_t number;            /* of the subflow: never used twice in a connection */
    uint64_t preference;        /* of the host: lower goes first. It stays with the path when that goes and comes back */
    unsigned weight;            /* at least 1 */
    bool metered;
    braid_time rtt_ns;          /* smoothed */
    braid_time rttvar_ns, min_rtt_ns; /* min_rtt_ns 0: not measured */
    uint64_t rate_bytes_per_s;  /* the best it delivered lately; before that, a window a round trip */
    uint32_t segment_bytes;     /* payload of a full one */
    uint32_t cwnd_bytes, in_flight_bytes;
    uint32_t unsent_bytes;      /* given to it, and still here */
    uint32_t room_bytes;        /* what it takes now */
    bool behind;                /* of a scheduler that copies: it has not got all yet that was given to others */
};

struct scheduler_view {
    struct scheduler_path paths[SCHEDULER_PATHS_MAX]; /* in order of number; all of one rank, see below */
    int count;
    uint64_t waiting_bytes;     /* not given to any path yet; or, of what goes again, all of that */
    uint64_t backlog_bytes;     /* the same and what is unacknowledged */
    uint64_t window_bytes;      /* the peer's window, from the first unacknowledged byte on; or our memory if that is less */
    uint64_t window_left_bytes; /* what of it was not used yet */
    bool again;                 /* it was sent before, by another path */
    braid_time now;
};

/* Only the best rank that there is gets into the view: those that cost more than they brought only without better ones
 * or are not worth the wait (harm.c, worth.c), backups only without regular paths (RFC 8684 §3.3.8), those in doubt, which were silent too long, only without
 * any other. */
enum scheduler_rank { SCHEDULER_REGULAR, SCHEDULER_HARMFUL, SCHEDULER_BACKUP, SCHEDULER_METERED, SCHEDULER_DOUBTFUL, SCHEDULER_NONE };

enum { SCHEDULER_SMALL_BYTES = 16384 }; /* on its way, or waiting for it: no more than this is little */
enum scheduler_copies {
    SCHEDULER_COPIES_NONE,
    SCHEDULER_COPIES_ALL,           /* every path gets everything */
    SCHEDULER_COPIES_SMALL_OR_LATE, /* as long as little is on its way; and what does not arrive in time */
};

/* The scheduler's own memory, one for each connection; zero at first. */
struct scheduler_state {
    uint64_t words[SCHEDULER_STATE_BYTES / 8];
};

struct scheduler_ops {
    const char *name;
    /* The index of the path that gets the next portion, of which *bytes says how many at most (its room at first); or
     * SCHEDULER_WAIT. Changes nothing: it is asked more often than it is obeyed. The view holds one path at least. */
    int (*pick)(const struct scheduler_state *state, const struct scheduler_view *view, uint32_t *bytes);
    /* It was obeyed: the path got so many bytes, 0 with SCHEDULER_WAIT. May be NULL. */
    void (*decided)(struct scheduler_state *state, const struct scheduler_view *view, int index, uint32_t bytes);
    /* The peer's window is shut for want of bytes under way, and data waits. Once a round trip at most. May be NULL. */
    void (*blocked)(struct scheduler_state *state, braid_time now);
    enum scheduler_copies copies;
    bool one_at_a_time;  /* what it does not choose stays idle, whoever waits */
    bool spares_waits;   /* paths that are not worth the wait (worth.c) rest */
    bool unguarded;      /* a path's room is twice its congestion window, and nothing is done about one that blocks or harms */
    bool spares_metered; /* metered paths rank behind all that work, backups included */
};

extern const struct scheduler_ops scheduler_lowest_rtt, scheduler_round_robin, scheduler_redundant,
    scheduler_redundant_small, scheduler_blest, scheduler_ecf, scheduler_backup, scheduler_cost_aware,
    scheduler_linux;

/* By name; NULL if there is none such. scheduler_name(i) lists them, the default first, NULL after the last. */
const struct scheduler_ops *scheduler_find(const char *name);
const char *scheduler_name(unsigned index);

#endif
