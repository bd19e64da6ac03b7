/* The subflow's whole state, by concept, and who offers what within the floor. Names in capitals of RFC 9293 §3.3.1
 * are kept in small letters (snd_una, rcv_nxt, ...). */
#ifndef TCP_TCP_INTERNAL_H
#define TCP_TCP_INTERNAL_H

#include <base/slice_queue.h>
#include <base/trace.h>
#include <tcp/tcp.h>

#include "reassembly.h"
#include "scoreboard.h"

enum {
    TCP_WINDOW_SCALE_MAX = 14,       /* RFC 7323 §2.3 */
    TCP_MSS_MIN_BYTES = 88,          /* a peer that asks for less gets this: headers would be most of the traffic */
    TCP_SUPER_SEGMENT_MAX = 65400,   /* with IPv6 and TCP headers below 65535 */
    TCP_DUP_THRESHOLD = 3,
    TCP_QUICK_ACKS = 16,             /* segments acknowledged at once when a connection starts */
    TCP_DSACKS_MAX = 4,              /* pending duplicates to report */
    TCP_CHALLENGES_MAX = 10,         /* per TCP_CHALLENGE_PERIOD_NS (RFC 5961 §7) */
};
#define TCP_CHALLENGE_PERIOD_NS (5 * BRAID_NS_PER_S)
#define TCP_CHALLENGE_LEAST_NS (500 * BRAID_NS_PER_MS)

enum tcp_timer {
    TIMER_RETRANSMIT, /* RTO, of data and of SYN */
    TIMER_PROBE,      /* tail loss probe */
    TIMER_REORDER,    /* RACK's reordering window */
    TIMER_PERSIST,    /* zero-window probe */
    TIMER_DELAYED_ACK,
    TIMER_PACE,       /* pacing release, and another try after memory ran out */
    TIMER_TIME_WAIT,
    TIMER_CONNECT,    /* the attempt to connect is over */
    TIMER_CORK,
    TIMER_KEEPALIVE,
    TIMER_COUNT,
};

struct handshake {
    bool passive; /* [MUST-11] */
    bool answer_held; /* passive open, before tcp_answer() */
    bool syn_due;
    unsigned retransmissions; /* because nothing came in time */
    unsigned syns_left;       /* and because the other side said its SYN again */
    braid_time started_at, syn_sent_at;
};

/* fast_open.c; there only while it matters. */
struct early {
    uint8_t cookie[16];
    uint8_t length;
    struct slice_queue data; /* for the SYN */
    uint32_t sent_bytes;
};

/* Counts what may go out as a pure ACK, and when (receive.c, ack_policy). */
struct ack_policy {
    /* [MUST-58] [MUST-59] */
    bool now;                /* an ACK is due */
    bool unanswered;         /* data has come since we sent some */
    uint8_t exchanges;       /* times in a row that it was answered before a delayed ACK would have left; counted to a few */
    unsigned duplicates;     /* further ACKs due, for a peer that counts duplicates for want of SACK */
    unsigned quick_left;
    uint32_t unacked_bytes;  /* received since the last ACK we sent */
    uint32_t segment_bytes;  /* largest payload of one segment seen: what counts as full */
    seq32 last_sent;         /* rcv_nxt in the last ACK we sent (Last.ACK.sent of RFC 7323) */
    uint32_t dsack_count;
    struct sack_block dsacks[TCP_DSACKS_MAX];
};

/* RFC 7323 */
struct timestamps {
    bool enabled;
    uint32_t offset;   /* secret: the clock of no two subflows starts alike */
    uint32_t recent;   /* TS.Recent */
    braid_time recent_at;
};

struct rtt {
    braid_time srtt_ns, rttvar_ns; /* 0: nothing measured */
    braid_time deviation_ns, deviation_max_ns; /* smoothed; largest of this round (rtt.c) */
    seq32 round_end;
    braid_time min_ns[2]; /* this period's and the last one's */
    braid_time min_period_start;
    braid_time rto_ns;    /* without back-off */
    braid_time sampled_at, sample_ns; /* the newest */
};

/* RFC 3168 */
struct ecn {
    bool agreed;
    bool echo;    /* a mark came, and no CWR since: our ACKs say so */
    bool cwr_due; /* we have slowed down: the next new data says so */
    seq32 point;  /* snd_nxt when we last did */
};

/* RFC 8985 */
struct rack {
    bool valid;
    braid_time sent_at; /* RACK.xmit_ts */
    seq32 end;          /* RACK.end_seq */
    braid_time rtt_ns;
    seq32 fack;
    bool reordering_seen;
    bool dsack_round_open;
    seq32 dsack_round;
    unsigned window_multiplier, window_persist;
    braid_time deadline; /* when the reordering window of those waiting is over; BRAID_NEVER */
};

/* Tail loss probe (RFC 8985 §7). */
struct probe {
    bool due;
    bool outstanding;    /* TLP.end_seq is set */
    bool retransmission; /* TLP.is_retrans */
    seq32 end;
    bool rtt_sampled;    /* since the last probe */
};

enum recovery_phase { RECOVERY_NONE, RECOVERY_FAST, RECOVERY_TIMEOUT };

struct recovery {
    enum recovery_phase phase;
    seq32 point;      /* snd_nxt when it began: what ends it */
    unsigned duplicate_acks; /* without SACK */
    /* Proportional rate reduction (RFC 6937). */
    uint32_t cwnd_bytes;
    uint64_t delivered_bytes, out_bytes;
    uint64_t point_bytes; /* counts.bytes_acknowledged when the point is reached */
    /* Undo: by timestamps (RFC 3522) or when every retransmission was reported as a duplicate (RFC 3708). */
    bool undo_possible, retransmitted;
    uint32_t first_retransmission_stamp;
    int64_t unexplained_bytes; /* retransmitted and not reported as duplicate */
    seq32 undo_from;
    uint32_t flight_bytes; /* when it began */
};

/* The path's MTU, found out by data (RFC 4821, RFC 8899). Sizes are of whole IP packets. */
struct pmtu {
    uint32_t confirmed_piece_bytes; /* the largest payload of one segment that has arrived */
    uint32_t failed_bytes;          /* the smallest size that did not pass; 0: none known */
    braid_time next_at;             /* no probe before; BRAID_NEVER: none */
    bool probing;                   /* one is on its way: */
    seq32 probe_start, probe_end;
    uint32_t probe_bytes;
    unsigned losses; /* of probes of that size */
};

/* RFC 5682 */
enum frto_step {
    FRTO_OFF,
    FRTO_FIRST_AGAIN, /* a timeout fired, and of the first segment there is no word yet */
    FRTO_NEW_DATA,    /* there is, and new data is to go, or has gone */
};
struct frto {
    enum frto_step step;
    seq32 point;        /* snd_nxt when the timer fired: RecoveryPoint */
    uint32_t new_bytes; /* sent since the first ACK */
};

/* Delivery rate (draft-cheng-iccrg-delivery-rate-estimation). */
#define RATE_ROUNDS 10
struct rate {
    uint64_t delivered_bytes;
    braid_time delivered_at, first_sent_at;
    uint64_t application_limited_until; /* in delivered_bytes; 0: not limited */
    uint64_t round_end;
    uint32_t round;
    uint64_t newest_bytes_per_s;
    uint64_t round_max[RATE_ROUNDS];
    uint64_t max_bytes_per_s; /* of round_max */
};

struct pacing {
    braid_time next_at;   /* when new data may leave */
    uint64_t bytes_per_s; /* 0: unpaced */
    uint32_t missed_us;   /* by the last wake-up */
    bool half;            /* of two segments that leave together, the first has */
};

/* What one incoming acknowledgement did (ack.c); handed from step to step. */
struct acknowledgement {
    braid_time now;
    const struct tcp_segment *segment;
    uint32_t acked_bytes;      /* snd_una's advance in sequence space */
    uint32_t delivered_bytes;  /* newly, cumulatively or by SACK */
    uint32_t lost_bytes;       /* newly */
    uint32_t prior_in_flight_bytes;
    bool duplicate;            /* nothing new and nothing else in it either (RFC 5681 §2) */
    bool retransmitted_acked;  /* snd_una passed data that was sent more than once */
    bool dsack;
    struct sack_block dsack_block;
    bool frto_original_delivered, frto_new_delivered; /* from before the timeout and sent once; from after it */
    braid_time rtt_ns;         /* 0: none could be taken */
    bool round_start;
    bool in_recovery; /* fast recovery; also where it ends with the least window, see recovery.c */
    /* Of the newest record delivered: for the rate. */
    bool rate_valid, rate_limited, rate_retransmitted;
    uint64_t rate_prior_delivered, rate_bytes_per_s;
    uint32_t rate_in_flight_bytes, rate_lost_before_bytes;
    braid_time rate_prior_at, rate_first_sent_at, rate_sent_at;
};

/* What a RST says that refuses one segment. */
struct reset_answer {
    seq32 seq, ack;
    uint8_t flags;
    bool has_timestamps;
    uint32_t timestamp_echo;
};

/* As struct tcp_info has them. */
struct counts {
    uint64_t bytes_sent, bytes_retransmitted, bytes_acknowledged, bytes_received;
    uint64_t segments_sent, segments_received, segments_retransmitted;
    uint64_t timeouts, probes, fast_recoveries, spurious_recoveries;
    uint64_t bytes_received_duplicate, segments_out_of_order;
    uint64_t marks_received, marks_answered;
    uint32_t mtu_probes, mtu_probes_lost, mtu_black_holes;
    braid_time last_received_at, last_sent_at;
};

struct tcp {
    const struct braid_env *env;
    struct tcp_config config;
    struct tcp_drop_counters *drops;
    struct tcp_tuning tuning;
    bool silenced;             /* no data, no FIN, and no timers for them */
    bool cork_expired;         /* what waits may go, until nothing waits */
    unsigned keepalive_sent;   /* unanswered */
    braid_time keepalive_sent_at;
    enum tcp_state state;
    bool closed_for_good;
    braid_time seen_at; /* latest time anyone told us */
    bool rearm_due;     /* something changed without anyone telling the time: tcp_output() sees to the timers */
    braid_time timers[TIMER_COUNT];

    struct handshake handshake;
    struct early *early;
    uint16_t early_sent_bytes, early_received_bytes; /* that the other side took */
    bool early_open;
    bool sack_permitted, scaling; /* offered, and from the peer's SYN on: agreed */
    struct timestamps timestamps;
    struct ecn ecn;
    uint8_t send_scale, receive_scale;
    uint32_t mtu_bytes;       /* of the path as far as we know */
    uint32_t peer_mss_bytes;  /* as announced */
    uint32_t mss_bytes;       /* payload of a full segment before the owner's options */
    uint32_t piece_bytes;     /* payload of the last full segment, after them */

    /* Sending. The queue holds [queue_start, queue_start + length), SYN and FIN not counted. */
    seq32 iss, snd_una, snd_nxt;
    uint32_t snd_wnd, snd_wnd_max;
    seq32 snd_wl1, snd_wl2;
    struct slice_queue queue;
    seq32 queue_start;
    bool shutdown, fin_sent;
    seq32 fin_seq;
    seq32 small_end;           /* end of the last segment that was not full (Nagle, Minshall) */
    bool small_outstanding;
    struct scoreboard board;
    struct rack rack;
    struct probe probe;
    struct recovery recovery;
    struct frto frto;
    struct pmtu pmtu;
    struct rtt rtt;
    struct rate rate;
    struct pacing pacing;
    struct congestion congestion;
    /* Congestion window validation (RFC 7661's concern): this round's and the last one's. */
    uint32_t in_flight_max_bytes[2];
    bool window_limits[2]; /* the window was full at some moment */
    braid_time progress_at;    /* what the retransmission timer and the tail loss probe count from */
    braid_time alive_at;       /* user timeout: last sign that the peer makes progress or answers */
    braid_time data_sent_at;   /* new data, the last time */
    unsigned timeouts;         /* in a row */
    unsigned persist_backoff;
    bool persist_override;     /* send what the window allows, however little */
    bool suspected;
    bool probe_ack_due;        /* keepalive or zero-window probe */
    braid_time starved_until;  /* memory ran out: no try before */

    /* Receiving. */
    seq32 irs, rcv_nxt;
    seq32 rcv_adv;             /* the largest right edge ever advertised */
    bool peer_fin_known, peer_fin_done;
    seq32 peer_fin;
    struct reassembly reassembly;
    struct ack_policy acks;
    uint32_t receive_rtt_echo;
    braid_time receive_rtt_ns;

    /* Refusing. */
    bool reset_due;            /* ours, to end the subflow */
    bool reply_reset_due;      /* to one segment */
    struct reset_answer reply_reset;
    unsigned challenges;
    braid_time challenges_since;
    braid_time challenged_at;
    bool icmp_seen;
    enum icmp_error_kind last_icmp;

    struct counts counts;
};

/* --- state.c --- */
void state_set(struct tcp *t, enum tcp_state to, braid_time now);
void state_close(struct tcp *t, enum tcp_close_reason reason, braid_time now);
bool state_is_synchronized(enum tcp_state state);   /* the handshake is behind us */
bool state_may_send_data(enum tcp_state state);     /* new data and our FIN */
bool state_may_receive_data(enum tcp_state state);
static inline void saw_time(struct tcp *t, braid_time now) {
    if (now > t->seen_at) t->seen_at = now;
}
#define COUNT_DROP(t, now, reason_)                                                                             \
    do {                                                                                                        \
        if ((t)->drops != NULL) (t)->drops->reason_++;                                                          \
        TRACE((t)->env, (now), packet_dropped, .link = (t)->config.link, .reason = #reason_);                   \
    } while (0)

/* Something wrong in a segment that is taken all the same, without it. */
#define COUNT_IGNORED(t, now, option, reason)                                                                   \
    count_ignored((t), offsetof(struct tcp_drop_counters, reason), (option), #reason, (now))
void count_ignored(const struct tcp *t, size_t counter, const char *option, const char *reason, braid_time now);

/* --- owner.c: the owner's operations, any of which may be missing --- */
size_t owner_write_options(struct tcp *t, const struct tcp_outgoing *segment, uint8_t *out, size_t room);
uint32_t owner_segment_limit(struct tcp *t, seq32 seq, uint32_t want);
enum tcp_verdict owner_segment_arrived(struct tcp *t, const struct tcp_segment *segment, braid_time now);
void owner_data_arrived(struct tcp *t, seq32 seq, struct braid_slice data, braid_time now);
void owner_acknowledged(struct tcp *t, uint32_t bytes, braid_time now);
void owner_established(struct tcp *t, braid_time now);
void owner_fin_arrived(struct tcp *t, braid_time now);
void owner_suspected(struct tcp *t, unsigned timeouts, braid_time now);
void owner_recovered(struct tcp *t, braid_time now);
void owner_closed(struct tcp *t, enum tcp_close_reason reason, braid_time now);
uint32_t owner_receive_window(const struct tcp *t);
bool owner_alone(const struct tcp *t);
bool owner_may_keep(const struct tcp *t, bool in_order);
void owner_window_shrunk(const struct tcp *t);
void owner_path_mtu_found(const struct tcp *t, braid_time now);

/* --- handshake.c --- */
void handshake_input(struct tcp *t, const struct tcp_segment *s, braid_time now); /* in SYN_SENT */
void handshake_take_options(struct tcp *t, const struct tcp_segment *syn);
/* The congestion window and what counts losses: with the handshake's end, or with Fast Open before it. */
void handshake_start_sending(struct tcp *t, braid_time now);
void handshake_completed(struct tcp *t, const struct tcp_segment *s, braid_time now);
void handshake_retransmit(struct tcp *t, braid_time now); /* its timer fired */
void handshake_syn_left(struct tcp *t, braid_time now);
void handshake_give_up(struct tcp *t, braid_time now);

/* --- mss.c --- */
uint32_t mss_to_announce(const struct tcp *t);
void mss_update(struct tcp *t);
void mss_set_mtu(struct tcp *t, uint32_t mtu_bytes);
uint32_t mss_header_bytes(const struct tcp *t); /* of IP and TCP, without options */

/* --- pmtu.c --- */
void pmtu_init(struct tcp *t);
uint32_t pmtu_least(const struct tcp *t); /* no smaller claim is believed */
/* mss_bytes of the probe to be sent now, of at most `allow` bytes; 0: none */
uint32_t pmtu_probe_mss(const struct tcp *t, uint32_t allow, braid_time now);
void pmtu_probe_sent(struct tcp *t, seq32 start, seq32 end, uint32_t mss_bytes);
void pmtu_probe_postpone(struct tcp *t, braid_time now); /* the owner's boundaries leave no room */
void pmtu_delivered(struct tcp *t, const struct send_record *record, seq32 end, braid_time now);
bool pmtu_lost(struct tcp *t, const struct send_record *record, braid_time now); /* true: it was (of) a probe */
void pmtu_on_timeout(struct tcp *t, braid_time now);
void pmtu_told(struct tcp *t, uint32_t mtu_bytes, braid_time now); /* by ICMP */

/* --- timestamps.c --- */
uint32_t timestamps_value(const struct tcp *t, braid_time now);
bool timestamps_too_old(const struct tcp *t, const struct tcp_segment *s, braid_time now); /* PAWS */
void timestamps_remember(struct tcp *t, const struct tcp_segment *s, braid_time now);
/* Round-trip time of a segment's echo; 0 if there is none that makes sense. */
braid_time timestamps_echo_rtt(const struct tcp *t, const struct tcp_segment *s, braid_time now);

/* --- ecn.c --- */
uint8_t ecn_flags(const struct tcp *t, uint8_t flags); /* to be added to an outgoing segment with these */
uint8_t ecn_of_data(const struct tcp *t);              /* the IP header's bits for new data */
void ecn_handshake(struct tcp *t, const struct tcp_segment *syn);
void ecn_received(struct tcp *t, const struct tcp_segment *s, uint8_t ecn);
void ecn_acknowledged(struct tcp *t, const struct tcp_segment *s, braid_time now);
void ecn_reduced(struct tcp *t); /* the window was cut, for whatever reason */

/* --- receive.c, ack_policy.c --- */
void receive_payload(struct tcp *t, const struct tcp_segment *s, struct braid_buf *buf, braid_time now);
void receive_rtt_update(struct tcp *t, const struct tcp_segment *s, braid_time now);
void ack_policy_received(struct tcp *t, const struct tcp_segment *s, bool in_order, braid_time now);
void ack_policy_duplicate(struct tcp *t, seq32 start, seq32 end);
void ack_policy_sent(struct tcp *t); /* a segment with ACK left */
/* New data leaves, and with it an ACK; if acks.unanswered. */
void ack_policy_data_sent(struct tcp *t, braid_time now);
void ack_policy_delayed(struct tcp *t);

/* --- window.c --- */
uint16_t window_field(struct tcp *t, bool syn);  /* what to advertise now; moves rcv_adv */
uint32_t window_left(const struct tcp *t);       /* of what was advertised */
void window_take(struct tcp *t, const struct tcp_segment *s, braid_time now); /* the peer's */
uint32_t window_usable(const struct tcp *t);     /* of the peer's, beyond snd_nxt */

/* --- frto.c --- */
void frto_stop(struct tcp *t);
void frto_on_timeout(struct tcp *t, enum recovery_phase before);
void frto_sent_new(struct tcp *t, uint32_t bytes);
void frto_sent_again(struct tcp *t);
bool frto_wants_new(const struct tcp *t);     /* rather than sending anything again, if there is some */
uint32_t frto_new_left(const struct tcp *t);  /* and so much */
void frto_delivered(const struct tcp *t, const struct send_record *record, seq32 end, struct acknowledgement *a);
bool frto_on_ack(struct tcp *t, const struct acknowledgement *a);

/* --- ack.c, rack.c, recovery.c, rtt.c, rate.c, pacing.c --- */
void ack_process(struct tcp *t, const struct tcp_segment *s, braid_time now);
void rack_init(struct tcp *t);
void rack_delivered(struct tcp *t, const struct send_record *record, seq32 end, const struct acknowledgement *a);
void rack_update_window(struct tcp *t, const struct acknowledgement *a);
braid_time rack_reordering_window(const struct tcp *t);
void rack_recovery_ended(struct tcp *t);
void rack_forget(struct tcp *t); /* what was taken for the answer to a retransmission may have been none */
uint32_t rack_detect_losses(struct tcp *t, braid_time now); /* returns the bytes newly lost, sets rack.deadline */
void rack_mark_losses_on_timeout(struct tcp *t, braid_time now);
void probe_reset(struct tcp *t);
void probe_on_ack(struct tcp *t, const struct acknowledgement *a);
bool probe_may_be_armed(const struct tcp *t);
void recovery_on_ack(struct tcp *t, struct acknowledgement *a);
void recovery_on_loss(struct tcp *t, uint32_t lost_bytes, braid_time now, const char *by);
void recovery_on_timeout(struct tcp *t, braid_time now);
void recovery_repaired_by_probe(struct tcp *t, braid_time now);
void recovery_retransmitted(struct tcp *t, uint32_t bytes, braid_time now);
uint32_t recovery_cwnd(const struct tcp *t); /* the window that holds now */
uint32_t recovery_in_flight(const struct tcp *t);
/* There is a fast recovery, or was: no more than so many bytes were acknowledged since the end of the last one. */
static inline bool recovery_lately(const struct tcp *t, uint32_t bytes) {
    return t->counts.fast_recoveries > 0 && t->counts.bytes_acknowledged < t->recovery.point_bytes + bytes;
}
uint32_t flight_size(const struct tcp *t);
void rtt_init(struct tcp *t);
void rtt_sample(struct tcp *t, braid_time rtt_ns, braid_time now);
braid_time rtt_min(const struct tcp *t);
void rate_sent(struct tcp *t, struct send_record *record, braid_time now);
void rate_delivered(struct tcp *t, const struct send_record *record, uint32_t bytes, struct acknowledgement *a);
void rate_lost(struct tcp *t, const struct send_record *record, braid_time now); /* tells the congestion control */
void rate_update(struct tcp *t, struct acknowledgement *a);
void rate_check_application_limited(struct tcp *t);
uint64_t rate_max(const struct tcp *t);
void pacing_update(struct tcp *t);
bool pacing_holds(const struct tcp *t, braid_time now);
uint32_t pacing_burst(const struct tcp *t);
void pacing_woken_late(struct tcp *t, braid_time late_ns);
void pacing_sent(struct tcp *t, uint32_t bytes, braid_time now);

/* --- output.c, packet.c --- */
struct outgoing { /* a packet in the making */
    seq32 seq;
    uint8_t flags;
    uint32_t limit_bytes;   /* most payload it may have; 0: it has none */
    bool cut;               /* the limit is not where data ends: stop at a whole piece */
    bool fin_allowed;       /* a FIN may follow the last byte */
    uint32_t probe_mss_bytes; /* instead of the path's; 0: it is no probe of the path's MTU */
    bool retransmission;
    uint32_t payload_bytes; /* result: what it got */
    uint32_t piece_bytes;   /* result: of each segment */
};
/* Puts the packet together. False when the owner's options leave no room. */
bool packet_build(struct tcp *t, struct outgoing *o, struct braid_packet_out *out, braid_time now) MUST_USE;
/* What the IP header says beside addresses. */
struct service {
    uint8_t ecn, dscp, hop_limit; /* 0: 64 */
};
struct service packet_service(const struct tcp *t, uint8_t ecn);
/* IP and TCP headers and the checksum; the payload's slices are in `out` already. */
bool packet_headers(const struct flow *flow, bool checksum_offload, struct service service,
                    const struct tcp_segment *segment, struct braid_packet_out *out) MUST_USE;
/* Is it the peer's window that keeps data or FIN from leaving? */
bool output_window_blocks(const struct tcp *t);
/* When new data held back by nothing but the pace may leave; BRAID_NEVER. */
braid_time output_pace_release(const struct tcp *t);

/* --- timers.c --- */
void timers_init(struct tcp *t);
void timer_set(struct tcp *t, enum tcp_timer timer, braid_time deadline);
void timer_clear(struct tcp *t, enum tcp_timer timer);
/* Sets RETRANSMIT, PROBE, REORDER, PERSIST and PACE anew from the state of things. */
void timers_rearm(struct tcp *t, braid_time now);
braid_time timers_rto(const struct tcp *t); /* with back-off */

/* --- tuning.c --- */
bool tuning_corked(const struct tcp *t);
void tuning_rearm(struct tcp *t, braid_time now);
void tuning_cork_fired(struct tcp *t);
void tuning_keepalive_fired(struct tcp *t, braid_time now);

/* --- close.c, reset.c --- */
void close_fin_acknowledged(struct tcp *t, braid_time now);
void close_fin_sent(struct tcp *t, braid_time now);
void close_peer_fin(struct tcp *t, braid_time now);
void close_time_wait(struct tcp *t, braid_time now); /* enters it, or begins its time anew */
void close_abort(struct tcp *t, bool with_reset, braid_time now);
bool reset_input(struct tcp *t, const struct tcp_segment *s, braid_time now);
void reset_reply(struct tcp *t, const struct tcp_segment *s, braid_time now); /* refuses one segment */
struct tcp_segment reset_segment(const struct reset_answer *answer, uint16_t from_port, uint16_t to_port);
void reset_challenge(struct tcp *t, braid_time now); /* an ACK, rate limited (RFC 5961 §7) */

/* fast_open.c */
void early_deinit(struct tcp *t);
bool early_goes(const struct tcp *t, uint8_t flags);
uint32_t early_length(const struct tcp *t, uint8_t flags);
void early_options(const struct tcp *t, uint8_t flags, struct tcp_options *o);
void early_left(struct tcp *t, uint32_t bytes);
bool early_acknowledges(const struct tcp *t, const struct tcp_segment *s);
void early_syn_ack(struct tcp *t, const struct tcp_segment *s, braid_time now);
bool early_may_send(const struct tcp *t);
void owner_early_arrived(struct tcp *t, struct braid_slice data, braid_time now);

#endif
