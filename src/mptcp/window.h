/* The receive window, shared by all subflows. Its story is told in window.c. */
#ifndef MPTCP_WINDOW_H
#define MPTCP_WINDOW_H

#include <braid/env.h>
#include <base/seq.h>

#define RATE_INTERVALS 10

/* crowd.c: are others in the path's queue? */
struct crowd {
    bool crowded;
    uint64_t peak_bytes_per_s;
    braid_time low_since;  /* 0: it is not short */
    braid_time high_since; /* 0: the round trip is not too long */
    braid_time lowest_ns, last_lowest_ns; /* round trips in this trial, and in the last one */
    braid_time base_ns;    /* the round trip it has come to; 0: the smallest one */
};

/* How fast bytes arrive on one subflow: the best of the last RATE_INTERVALS round trips. */
struct rate_meter {
    braid_time interval_start; /* 0: nothing came yet */
    uint64_t interval_bytes;
    struct {
        uint64_t bytes_per_s;
        braid_time at;
    } best[RATE_INTERVALS];
    unsigned next;
    struct crowd crowd;
};

/* spare.c: what is awaited holds the others up. */
struct held_up {
    braid_time since; /* 0: it does not */
    uint64_t bytes;   /* that came since then */
    bool shut;        /* the window is what holds them */
    uint8_t spared;   /* subflows that the peer is asked to spare */
};

/* How much larger than the paths need: for a peer that gives a path more than it can send soon. */
enum { WINDOW_EDGES = 16, WINDOW_EDGES_A_ROUND = 4 };
struct stretch {
    uint16_t percent;
    uint8_t rounds_open, rounds; /* without being too small; after so many there is less of it */
    bool eased;                  /* that was done, and since then the window was not too small */
    struct held_up held_up;
    braid_time shut_ns;          /* in this round trip */
    uint64_t arrived_bytes, limited_bytes; /* the same; and what came when the peer had used all it could know of */
    braid_time fast_ns;          /* the shortest path's round trip */
    dsn64 edges[WINDOW_EDGES];   /* of the window, every quarter of that, from edge_next on */
    braid_time edge_at;
    unsigned edge_next;
};

struct window {
    dsn64 edge;            /* largest DATA_ACK + window ever offered: never goes back */
    dsn64 told;            /* DATA_ACK + window as last said, which may be less */
    uint32_t target_bytes; /* what the window would be with nothing left unread */
    bool starting;         /* rates still grow */
    bool rate_news;        /* an interval ended since it was last looked at */
    unsigned rounds_without_growth, trial_backoff;
    braid_time round_start;
    braid_time round_ns;       /* how long a round trip was when that was last looked at */
    braid_time trial_at, trial_until; /* crowd.c; 0: none is due; none goes on */
    braid_time base_ns;        /* the same without others' queues */
    uint64_t full_bytes_per_s; /* the most seen when growth was last judged */
    uint64_t round_bytes;      /* plain TCP: arrived in this round trip */
    uint64_t opened_bytes;     /* read by the application since it was last considered to tell the peer */
    struct stretch *stretch;   /* NULL: there never was a second path by which data could come, or no memory */
};

#endif
