/* Congestion control behind one small table of operations: an algorithm is one file that fills the table in.
 * The sender (src/tcp) detects loss, measures, and keeps in flight at most cwnd_bytes; the algorithm moves cwnd_bytes,
 * ssthresh_bytes and, if it paces, pacing_bytes_per_s. Proportional rate reduction during recovery is the sender's. */
#ifndef CONGESTION_CONGESTION_H
#define CONGESTION_CONGESTION_H

#include <braid/env.h>
#include <base/ensure.h>

#define CONGESTION_STATE_BYTES 208

/* The subflows of one connection, for the algorithms that couple them. Whoever owns it outlives its members. */
struct coupled_group {
    struct congestion *first;
};

struct congestion {
    const struct congestion_ops *ops;
    uint32_t mss_bytes;
    uint32_t cwnd_bytes;
    uint32_t ssthresh_bytes;         /* UINT32_MAX: slow start has not ended yet */
    bool queue_felt;                 /* slow start feels a queue build up, and has slowed down (RFC 9406 §4.2) */
    bool alone;                      /* no other subflow carries a part of the stream, as it was when the handshake was done */
    uint64_t pacing_bytes_per_s;     /* 0: the sender derives it from cwnd and RTT */
    struct coupled_group *group;     /* NULL: it is coupled with none */
    struct congestion *next_sibling;
    braid_time srtt_ns, acked_at;    /* as siblings see it */
    uint64_t state[CONGESTION_STATE_BYTES / 8]; /* the algorithm's own */
};

/* What one acknowledgement taught. */
struct congestion_ack {
    braid_time now;
    uint32_t acked_bytes;        /* newly acknowledged, cumulatively or selectively */
    uint32_t in_flight_bytes;    /* before this acknowledgement */
    uint32_t lost_bytes;         /* newly marked lost by it */
    braid_time rtt_ns;           /* of this acknowledgement, 0 if none could be taken */
    braid_time srtt_ns, min_rtt_ns;
    uint64_t delivery_bytes_per_s; /* of the newest delivered segment, 0 if unknown */
    bool application_limited;    /* that rate was bounded by the application, not by the path */
    bool cwnd_limited;           /* the window was what held the sender back */
    bool round_start;            /* first acknowledgement of a new round trip */
    /* Of the newest record it delivered; rate_valid: there is one. */
    bool rate_valid;
    uint64_t sample_bytes_per_s;     /* of this acknowledgement, 0: none to be had */
    uint64_t delivered_total_bytes;  /* ever, this acknowledgement included */
    uint64_t delivered_before_bytes; /* of them, when that record was sent */
    uint32_t sent_in_flight_bytes;   /* when it was sent, itself included */
    uint32_t lost_since_bytes;       /* marked lost since then */
    uint32_t in_flight_now_bytes;    /* after this acknowledgement */
    bool in_recovery;            /* fast recovery: proportional rate reduction decides, cwnd must not grow; also when it
                                    ends with the least window. After a timeout it is false: the window comes back by slow start */
};

/* Something is marked lost. */
struct congestion_lost {
    braid_time now;
    uint32_t bytes;
    uint32_t sent_in_flight_bytes, lost_since_bytes; /* as above; both with what is lost now */
    uint64_t delivered_total_bytes;
    bool application_limited; /* when it was sent */
};

struct congestion_ops {
    const char *name;
    bool coupled;        /* minds its siblings */
    bool rules_recovery; /* cwnd_bytes holds in fast recovery too, in place of proportional rate reduction */
    void (*init)(struct congestion *c, braid_time now);
    void (*on_ack)(struct congestion *c, const struct congestion_ack *ack);
    /* For each record that loss detection (not a timeout) marks; may be NULL. */
    void (*on_packet_lost)(struct congestion *c, const struct congestion_lost *lost);
    /* Fast recovery begins (once a window): set ssthresh_bytes and, where it applies, the target cwnd. `in_flight_bytes`: without
     * what is lost or has arrived. */
    void (*on_loss)(struct congestion *c, uint32_t in_flight_bytes, braid_time now);
    /* Recovery is over. */
    void (*on_recovered)(struct congestion *c, braid_time now);
    /* The network marked packets (RFC 3168), told once a window. NULL: as on_loss and on_recovered. */
    void (*on_mark)(struct congestion *c, braid_time now);
    /* The retransmission timer fired (RFC 5681 §3.1 (4)). */
    void (*on_timeout)(struct congestion *c, uint32_t in_flight_bytes, braid_time now);
    /* The last reduction was spurious: put back what was there. */
    void (*on_undo)(struct congestion *c, braid_time now);
    /* Sending starts again after `idle_ns` of nothing in flight. */
    void (*on_restart)(struct congestion *c, braid_time idle_ns, braid_time now);
    /* The path's round trip has become another, and a window of ssthresh_bytes is what it takes to do as before: it may
     * grow up to there by slow start. NULL: it is found out by itself. */
    void (*on_longer)(struct congestion *c, uint32_t ssthresh_bytes);
    /* Sending starts with nothing in flight, however short the pause; may be NULL. */
    void (*on_flight)(struct congestion *c, braid_time now);
    /* What it is at, in a word for people. NULL: slow start or congestion avoidance, by ssthresh_bytes. */
    const char *(*state)(const struct congestion *c);
};

extern const struct congestion_ops congestion_cubic; /* RFC 9438, with HyStart++ (RFC 9406) */
extern const struct congestion_ops congestion_newreno;
extern const struct congestion_ops congestion_bbr;  /* version 3: draft-ietf-ccwg-bbr */
extern const struct congestion_ops congestion_bbr1; /* version 1: draft-cardwell-iccrg-bbr-congestion-control-00 */
extern const struct congestion_ops congestion_lia;   /* coupled: RFC 6356 */
extern const struct congestion_ops congestion_olia;  /* draft-khalili-mptcp-congestion-control */
extern const struct congestion_ops congestion_balia; /* draft-walid-mptcp-congestion-control */

/* By name; NULL if there is none such. congestion_name(i) lists them, NULL after the last. */
const struct congestion_ops *congestion_find(const char *name);
const char *congestion_name(unsigned index);

/* Initial window: RFC 6928. */
void congestion_start(struct congestion *c, const struct congestion_ops *ops, uint32_t mss_bytes, braid_time now);

/* What it is at outside of recovery, in a word or two. */
const char *congestion_state_name(const struct congestion *c);

/* After congestion_start(): it is a member until congestion_uncouple(), and may not move. The algorithms that are not
 * coupled do not mind. */
void congestion_couple(struct congestion *c, struct coupled_group *group);
void congestion_uncouple(struct congestion *c);

#endif
