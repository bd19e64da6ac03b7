/* One subflow: a TCP connection (RFC 9293) without any I/O of its own.
 *
 * It does not know Multipath TCP. Whoever owns it hands in a table of operations: options to add to a segment, data
 * that arrived, acknowledged, suspected, closed. Time enters as `now`, packets by tcp_input(), and it answers when
 * asked: tcp_output(), tcp_deadline(), tcp_expire().
 *
 * Callbacks may call tcp_send(), tcp_shutdown(), tcp_abort(), tcp_ack_soon() and the getters on any subflow, but
 * never tcp_input(), tcp_output(), tcp_expire() or tcp_destroy(). */
#ifndef TCP_TCP_H
#define TCP_TCP_H

#include <braid/env.h>
#include <braid/packet.h>
#include <base/buf.h>
#include <base/seq.h>
#include <congestion/congestion.h>
#include <wire/icmp.h>
#include <wire/tcp_segment.h>

struct tcp;

enum tcp_state {
    TCP_STATE_CLOSED, /* before connect/accept, and for good afterwards */
    TCP_STATE_SYN_SENT,
    TCP_STATE_SYN_RECEIVED,
    TCP_STATE_ESTABLISHED,
    TCP_STATE_FIN_WAIT_1,
    TCP_STATE_FIN_WAIT_2,
    TCP_STATE_CLOSE_WAIT,
    TCP_STATE_CLOSING,
    TCP_STATE_LAST_ACK,
    TCP_STATE_TIME_WAIT,
};
const char *tcp_state_name(enum tcp_state state);

enum tcp_close_reason {
    TCP_CLOSED_NORMALLY, /* both FINs acknowledged (and TIME-WAIT over) */
    TCP_CLOSED_REFUSED,  /* RST in answer to our SYN */
    TCP_CLOSED_RESET,    /* RST by the peer later on */
    TCP_CLOSED_TIMEOUT,  /* the peer did not answer */
    TCP_CLOSED_UNREACHABLE, /* an ICMP error that ended the connect attempt, or the last word when it timed out */
    TCP_CLOSED_ABORTED,  /* by us */
    TCP_CLOSED_NO_MEMORY,
};
const char *tcp_close_reason_name(enum tcp_close_reason reason);

/* What the owner says to a segment that passed TCP's own checks (RFC 9293 §3.10.7, RFC 5961). */
enum tcp_verdict {
    TCP_VERDICT_ACCEPT,
    TCP_VERDICT_DROP,  /* as if it never came */
    TCP_VERDICT_RESET, /* answer with RST and close (TCP_CLOSED_ABORTED) */
};

/* A segment about to be sent, as the owner sees it when asked for options. */
struct tcp_outgoing {
    seq32 seq;
    uint8_t flags;
    uint32_t payload_limit; /* the most payload that may go in it, before options; 0: a pure ACK, SYN, FIN or RST */
    bool retransmission;
};

/* How a Fast Open ended. */
struct tcp_fast_open_result {
    bool presented;         /* a cookie; else one was asked for */
    bool again;             /* the SYN had to be said again, without */
    uint32_t sent_bytes, taken_bytes; /* what is not taken was not sent, for the stream */
    uint8_t cookie_length;  /* of the one that came; 0: none */
    uint8_t cookie[16];
    uint16_t mss_bytes;     /* the peer's */
};

struct tcp_owner_ops {
    /* Writes options of kind 30 (whole options, unpadded) for the segment into out[room]. Returns their length.
     * Every segment asks: SYN, SYN/ACK, data, pure ACK, FIN, RST. A retransmission asks again. For a super-segment
     * the options are repeated on every piece. */
    size_t (*write_options)(void *owner, struct tcp *t, const struct tcp_outgoing *segment, uint8_t *out, size_t room);
    /* Asked of a pure ACK: what the owner has to say needs the room that timestamps take, and they are to be left out this
     * once. NULL: never. */
    bool (*needs_whole_room)(void *owner);
    /* How many payload bytes from `seq` may travel in one (super-)segment: at least 1, at most `want`. Segments never
     * cross the boundary, also when retransmitted. NULL: no boundaries. */
    uint32_t (*segment_limit)(void *owner, struct tcp *t, seq32 seq, uint32_t want);
    /* An acceptable segment came (SYN, SYN/ACK and a RST that counts included). Called before its ACK and payload are
     * processed. What was there already, in full, is not acceptable. A RST can only be accepted or dropped. */
    enum tcp_verdict (*segment_arrived)(void *owner, struct tcp *t, const struct tcp_segment *segment, braid_time now);
    /* Payload in subflow order. The reference passes to the owner. */
    void (*data_arrived)(void *owner, struct tcp *t, seq32 seq, struct braid_slice data, braid_time now);
    /* Fast Open: what the SYN carried; what follows counts from behind it (tcp_receive_base()). The reference passes to the
     * owner. May be NULL where tcp_accept_early() is never called. */
    void (*early_arrived)(void *owner, struct tcp *t, struct braid_slice data, braid_time now);
    /* Fast Open, of the end that asked for it: what the SYN/ACK said. Called before established(). May be NULL. */
    void (*early_answered)(void *owner, struct tcp *t, const struct tcp_fast_open_result *result, braid_time now);
    /* snd_una advanced by `bytes` of payload. */
    void (*acknowledged)(void *owner, struct tcp *t, uint32_t bytes, braid_time now);
    /* Three-way handshake done (for a passive open: the third ACK came). */
    void (*established)(void *owner, struct tcp *t, braid_time now);
    /* The peer's FIN came in order: no more data_arrived. */
    void (*fin_arrived)(void *owner, struct tcp *t, braid_time now);
    /* A tail loss probe was due (`timeouts` 0) or the retransmission timer fired (`timeouts` in a row, from 1) and
     * data is unacknowledged: the path may be gone. The first comes two round trips (and the delay of an ACK, if only
     * one segment is in flight) after the peer last acknowledged something new, however much is sent meanwhile. */
    void (*suspected)(void *owner, struct tcp *t, unsigned timeouts, braid_time now);
    /* After suspected(): the peer acknowledged something new. */
    void (*recovered)(void *owner, struct tcp *t, braid_time now);
    /* State is CLOSED for good; called once. The owner calls tcp_destroy() later, not from in here. */
    void (*closed)(void *owner, struct tcp *t, enum tcp_close_reason reason, braid_time now);
    /* The window to advertise now, in bytes; must not make the right edge go back by more than rounding. Called when
     * a segment is built. Increases of less than a segment are held back (silly window avoidance); data up to the
     * largest right edge ever advertised is accepted. */
    uint32_t (*receive_window)(void *owner, struct tcp *t);
    /* Whether payload may be kept that came within the window, in the subflow's order or not; else it is as good as lost.
     * NULL: always. */
    bool (*may_keep)(void *owner, bool in_order);
    /* Asked when the handshake is done: will nobody else carry a part of the stream? How much is sent before the first loss is
     * heard of is then a matter of time, and not of whose path it should have gone by. NULL: yes. */
    bool (*alone)(const void *owner);
    /* The path's MTU is found out, by data or by ICMP. `all`: it is as much as both ends take. NULL: nobody wants to know. */
    void (*path_mtu_found)(void *owner, uint32_t mtu_bytes, bool all, braid_time now);
    /* By this subflow's own numbers, the peer takes back a part of the window it gave, more than rounding. May be NULL. */
    void (*window_shrunk)(void *owner);
};

/* Of the timestamp clock: RFC 7323 §5.4 wants 1 ms to 1 s. */
#define TCP_TICK_NS BRAID_NS_PER_MS

/* Where numbers begin, which else would be drawn at random: by a clock and a hash (RFC 6528), or, for a passive open whose
 * SYN/ACK was sent without keeping anything (SYN cookies), as that said. */
struct tcp_secrets {
    bool given;
    bool resumed; /* the SYN/ACK went out at some other time: nothing is known of the round trip */
    seq32 iss;
    uint32_t timestamp_offset; /* our timestamps are the ticks of `now` and this */
};

struct tcp_config {
    struct flow flow;
    uint16_t link;                 /* number to put into packets */
    uint32_t mtu_bytes;            /* of the link: our MSS and the bound of what we send */
    uint32_t super_segment_bytes;  /* most payload of one packet_out; 0: only single segments */
    bool checksum_offload;         /* leave packets' checksums partial */
    bool reset_silently;           /* never send a RST (link is gone or unfit) */
    const struct congestion_ops *congestion; /* NULL: CUBIC */
    struct coupled_group *coupled;           /* its siblings, for coupled congestion control; NULL: none */
    uint32_t receive_window_max_bytes;       /* the largest window ever advertised: decides the scale offered */
    braid_time time_wait_ns;                 /* 0: 60 s */
    bool syn_every_second;         /* SYNs wait no longer each time: only for a few of them */
    braid_time connect_timeout_ns;           /* give up SYN/SYN-ACK retransmission after this; 0: 127 s */
    braid_time user_timeout_ns;              /* give up on unacknowledged data after this; 0: 15 min */
    bool ecn;                                /* ask for RFC 3168; a peer that asks gets it anyway */
    bool no_delay;                           /* no Nagle (always on for a subflow of MPTCP) */
    struct tcp_secrets secrets;
    uint64_t connection_number, subflow_number; /* for traces */
    const struct tcp_owner_ops *ops;
    void *owner;
};

/* What may be set at any time; a new subflow has no_delay and user_timeout_ns of its configuration, and no others. */
struct tcp_tuning {
    bool no_delay;
    bool cork;                        /* only full segments leave, for 200 ms at most */
    braid_time user_timeout_ns;       /* 0: 15 min (RFC 5482 is not spoken) */
    braid_time keepalive_idle_ns;     /* 0: no keepalive */
    braid_time keepalive_interval_ns; /* 0: 75 s */
    unsigned keepalive_probes;        /* 0: 9 */
    uint8_t dscp;                     /* differentiated services code point of all that is sent */
    uint8_t hop_limit;                /* its TTL; 0: 64 */
};

/* What remains of a subflow in TIME-WAIT once its last ACK is out (RFC 9293 §3.10.7.4, RFC 6191, RFC 1337): whoever keeps
 * this need not keep the subflow. */
struct tcp_rest {
    seq32 snd_nxt, rcv_nxt;
    uint32_t timestamp_offset, timestamp_recent;
    uint16_t window;
    bool timestamps;
};
enum tcp_rest_verdict {
    TCP_REST_IGNORE,    /* an ACK of our FIN, or a RST */
    TCP_REST_CHALLENGE, /* an ACK is due, if there was none just now (RFC 5961) */
    TCP_REST_AGAIN,     /* the peer's FIN came again: an ACK is due, and TIME-WAIT begins anew */
    TCP_REST_REOPEN,    /* a SYN that cannot be an old one: a new connection may begin */
};
/* False unless the subflow is in TIME-WAIT and has nothing to send. */
bool tcp_may_rest(const struct tcp *t, struct tcp_rest *out, braid_time now) MUST_USE;
/* TIME-WAIT is over for this subflow: state CLOSED, closed() is called with TCP_CLOSED_NORMALLY. */
void tcp_leave_time_wait(struct tcp *t, braid_time now);
enum tcp_rest_verdict tcp_rest_input(const struct tcp_rest *rest, const struct tcp_segment *s);
bool tcp_rest_ack(const struct tcp_rest *rest, const struct flow *flow, uint16_t link, bool checksum_offload, braid_time now,
                  struct braid_packet_out *out) MUST_USE;

/* NULL when there is no memory or no randomness. */
struct tcp *tcp_create(const struct braid_env *env, const struct tcp_config *config) MUST_USE;
/* Frees everything, in any state, sending nothing and calling nobody. NULL is fine. */
void tcp_destroy(struct tcp *t);

/* Active open: SYN goes out with the next tcp_output(). State must be CLOSED, fresh. */
void tcp_connect(struct tcp *t, braid_time now);
/* Passive open with the peer's SYN (its ports and addresses match config.flow). The SYN/ACK is held back until
 * tcp_answer(); retransmitted SYNs meanwhile are ignored. segment_arrived() is called for the SYN in here; false if
 * the owner's verdict was not ACCEPT. */
bool tcp_accept(struct tcp *t, const struct tcp_segment *syn, braid_time now) MUST_USE;
void tcp_answer(struct tcp *t, braid_time now);

/* Fast Open (RFC 7413). Client: after tcp_connect(), before the SYN leaves, asks for a cookie (length 0) or presents one.
 * Server: before tcp_answer(), the cookie that the SYN/ACK gives; 0: none. False: no memory. */
bool tcp_fast_open(struct tcp *t, const uint8_t *cookie, uint8_t length);
/* How much more the SYN may carry, to a peer that last announced `mss_bytes` (0: not known); and a piece of it, whose
 * reference is taken over. False: no memory, or it has left; the reference stays with the caller. */
uint32_t tcp_early_room(const struct tcp *t, uint16_t mss_bytes);
bool tcp_early(struct tcp *t, struct braid_slice data) MUST_USE;
/* Server, whose cookie it is: after tcp_accept() and before tcp_answer(), takes what the SYN carries, and lets data go before
 * the client has acknowledged. False: no memory; then it is an ordinary handshake. */
bool tcp_accept_early(struct tcp *t, const struct tcp_segment *syn, braid_time now);
/* What went with the SYN is outside of the stream's numbers (RFC 8684 appendix B.2): they count from these. */
seq32 tcp_send_base(const struct tcp *t);
seq32 tcp_receive_base(const struct tcp *t);

/* One segment for this subflow (the flow was matched, IP and TCP headers decoded and verified). `buf` may be NULL;
 * else the payload lies in it and may be kept by reference. ecn: the IP header's two bits. */
void tcp_input(struct tcp *t, const struct tcp_segment *segment, struct braid_buf *buf, uint8_t ecn, braid_time now);
/* An ICMP error about one of our segments, its flow matched. Ignored unless its sequence number is in flight
 * (RFC 5927). */
void tcp_icmp(struct tcp *t, const struct icmp_error *error, braid_time now);

/* Fills at most `room` packets to be sent now; returns how many. Call until it returns less than `room`. */
size_t tcp_output(struct tcp *t, struct braid_packet_out *packets, size_t room, braid_time now) MUST_USE;
/* Is there something for tcp_output() to do at `now`? (False negatives never, false positives rarely.) */
bool tcp_wants_output(const struct tcp *t, braid_time now);
/* When tcp_expire() is due; BRAID_NEVER. A pacing release counts as a deadline. */
braid_time tcp_deadline(const struct tcp *t);
void tcp_expire(struct tcp *t, braid_time now);

/* --- data --- */

/* Appends to the send queue, taking over the reference. Any state up to CLOSE_WAIT, before tcp_shutdown(). False:
 * no memory, or not in such a state; the caller still owns the slice. No bound: see tcp_room(). */
bool tcp_send(struct tcp *t, struct braid_slice data) MUST_USE;
/* Bytes that tcp_output() could put on the wire if they were queued, at once or as the pace lets them: congestion
 * window and the peer's window, less what is in flight, lost and queued unsent. What the congestion window leaves is
 * rounded down to whole segments. 0 unless data may flow (ESTABLISHED, CLOSE_WAIT). */
uint32_t tcp_room(const struct tcp *t);
/* Queued but never sent. */
uint32_t tcp_unsent(const struct tcp *t);
/* Queued or sent, and not acknowledged. */
uint32_t tcp_unacknowledged(const struct tcp *t);
/* Bytes before `seq` are kept only for the peer's acknowledgement: they shall not hold buffers that are much larger. */
void tcp_compact(struct tcp *t, seq32 seq);
/* Memory that payload out of order takes. */
uint64_t tcp_reassembly_bytes(const struct tcp *t);
/* Sequence number the next byte given to tcp_send() will have. */
seq32 tcp_send_queue_end(const struct tcp *t);
/* FIN after what is queued. */
void tcp_shutdown(struct tcp *t, braid_time now);
/* RST on the next tcp_output() (unless reset_silently, or none is due in this state), state CLOSED at once, closed()
 * is called with TCP_CLOSED_ABORTED. Options for the RST are asked for when it is built. */
void tcp_abort(struct tcp *t, braid_time now);
/* Of what is queued nothing is sent any more, nor again; ACKs are, and what comes is acknowledged. For good. */
void tcp_silence(struct tcp *t);
/* An ACK goes out with the next tcp_output(), or later with the delayed ACK timer. */
void tcp_ack_now(struct tcp *t);
void tcp_ack_soon(struct tcp *t, braid_time now);
/* The owner freed receive space: sends a window update if it is worth one (RFC 9293 §3.8.6.2.2). */
void tcp_window_opened(struct tcp *t, braid_time now);
/* The peer has room for `bytes` after what it has acknowledged here, as it said elsewhere: subflows of one connection
 * share a receive window (RFC 8684 §3.3.4), and this one's own word may be old. Only ever makes the window larger, until
 * the next segment comes. */
void tcp_share_window(struct tcp *t, uint32_t bytes);
/* A keepalive probe (RFC 9293 §3.8.4): an ACK with sequence snd_una - 1, which the peer has to answer also while data
 * is in flight. */
void tcp_probe(struct tcp *t);
/* A cork pulled out lets what waited go with the next tcp_output(). */
void tcp_tune(struct tcp *t, const struct tcp_tuning *tuning, braid_time now);
/* Before it connects or accepts: the path's MTU, as others found out, and from when on it is tried whether it has become more. */
void tcp_begin_with_mtu(struct tcp *t, uint32_t mtu_bytes, braid_time until);
/* The link changed its mind about the MTU. */
void tcp_set_mtu(struct tcp *t, uint32_t mtu_bytes);

/* --- facts --- */

enum tcp_state tcp_state(const struct tcp *t);
seq32 tcp_iss(const struct tcp *t); /* our initial sequence number: the SYN's */
seq32 tcp_irs(const struct tcp *t); /* the peer's */
seq32 tcp_snd_una(const struct tcp *t);
seq32 tcp_snd_nxt(const struct tcp *t);
seq32 tcp_rcv_nxt(const struct tcp *t);
uint32_t tcp_peer_window(const struct tcp *t); /* scaled, from the newest segment */
uint32_t tcp_window_of(const struct tcp *t, const struct tcp_segment *s); /* scaled, what this segment says */
/* Everything queued (and a FIN, if one was asked for) is acknowledged. */
bool tcp_all_acknowledged(const struct tcp *t);
/* The only or final error is soft ICMP etc.: kind to show the application; ICMP_OTHER if none. */
enum icmp_error_kind tcp_last_icmp(const struct tcp *t);

/* The path's round trip has grown, and not by a queue: the congestion window may grow by slow start up to so much. */
void tcp_path_longer(struct tcp *t, uint32_t ssthresh_bytes);

struct tcp_info {
    enum tcp_state state;
    uint32_t mss_bytes; /* payload per full segment before MPTCP options, timestamps already taken off */
    uint32_t cwnd_bytes, ssthresh_bytes, in_flight_bytes, peer_window_bytes;
    bool coupled;    /* its congestion control minds its siblings */
    bool queue_felt; /* slow start feels a queue build up (RFC 9406) */
    braid_time srtt_ns, rttvar_ns, min_rtt_ns, rto_ns; /* 0: not measured */
    braid_time latest_rtt_ns, latest_rtt_at; /* the newest sample, and when it was taken */
    braid_time receive_rtt_ns;     /* as the receiver sees it, from timestamps or a window's worth; 0 unknown */
    uint64_t delivery_bytes_per_s; /* newest sample of the sender's delivery rate */
    uint64_t max_delivery_bytes_per_s; /* windowed maximum over about ten round trips */
    uint64_t bytes_sent, bytes_retransmitted, bytes_acknowledged, bytes_received; /* payload */
    uint64_t segments_sent, segments_received, segments_retransmitted;
    uint64_t timeouts, probes, fast_recoveries, spurious_recoveries;
    uint64_t bytes_received_duplicate, segments_out_of_order;
    braid_time last_received_at, last_sent_at;
    unsigned timeouts_in_a_row;
    bool recovering;               /* something was lost, and is sent again */
    bool recovering_by_timeout;    /* and the timer found it */
    uint32_t mtu_bytes;            /* of the path, as far as it is known */
    uint32_t mtu_probes, mtu_probes_lost, mtu_black_holes; /* found out by data (RFC 4821) */
    uint32_t lost_bytes, sacked_bytes; /* of what is not acknowledged in order */
    uint64_t pacing_bytes_per_s;   /* 0: not paced */
    uint32_t unsent_bytes;
    uint64_t marks_received, marks_answered; /* ECN: congestion seen by the network, theirs to us and ours to them */
    bool timestamps, sack, scaling, ecn; /* agreed in the handshake */
    uint8_t send_scale, receive_scale;
};
void tcp_info(const struct tcp *t, struct tcp_info *out);
/* What only people want to know. */
struct tcp_words {
    bool reordering_seen;              /* RACK's, RFC 8985: originals came after what was sent later */
    braid_time reordering_window_ns;   /* how long a hole is waited for */
    const char *congestion;            /* the name */
    const char *congestion_state;      /* "recovery", "loss" (by a timeout), or what the algorithm is at */
};
void tcp_info_words(const struct tcp *t, struct tcp_words *out);
/* Of it only what a scheduler looks at: segment, windows, in flight, unsent, RTTs, largest rate, and
 * whether it recovers or is coupled. The rest is left alone. */
void tcp_info_sending(const struct tcp *t, struct tcp_info *out);
/* Three of them alone, for those who ask with every segment. */
braid_time tcp_rto(const struct tcp *t);
braid_time tcp_min_rtt(const struct tcp *t);
braid_time tcp_receive_rtt(const struct tcp *t);

/* Segments refused, and what is ignored in one that is not, by reason: one counter each, for all subflows that share the
 * struct; and what it means, for people. May be NULL in tests. */
#define TCP_DROP_REASONS(X)                                                                                    \
    X(outside_window, "segments that are old, or beyond the receive window")                                   \
    X(bad_ack, "segments that acknowledge what was never sent, or much too old")                               \
    X(no_ack, "segments without ACK")                                                                          \
    X(paws, "segments whose timestamp is too old (RFC 7323)")                                                  \
    X(syn_in_window, "SYNs on an established connection (RFC 5961)")                                           \
    X(rst_out_of_window, "RSTs outside of the receive window")                                                 \
    X(rst_challenged, "RSTs within the window that are not exact, answered with an ACK (RFC 5961)")            \
    X(rst_in_time_wait, "RSTs in TIME-WAIT")                                                                   \
    X(data_after_fin, "data behind the peer's FIN")                                                            \
    X(data_without_room, "data beyond the receive window, cut off")                                            \
    X(refused_by_owner, "segments that Multipath TCP refused")                                                 \
    X(no_memory, "payload dropped for want of memory")                                                         \
    X(icmp_not_in_flight, "ICMP errors about what is not in flight")                                           \
    X(icmp_mtu_too_small, "ICMP claims of an MTU below IPv6's least")                                          \
    X(icmp_mtu_not_smaller, "ICMP claims of an MTU that is no smaller")                                        \
    X(sack_invalid, "SACK blocks that end before they begin, or of what was never sent")                       \
    X(before_answer, "segments before the SYN/ACK was sent")                                                   \
    X(after_close, "segments after the subflow was over")                                                      \
    X(challenge_limited, "challenge ACKs not sent, as there were too many (RFC 5961)")                         \
    X(over_budget, "payload dropped: no memory left of what all connections may hold")                         \
    X(sack_below_ack, "SACK blocks below the ACK beside them that are no DSACK")                               \
    X(sack_not_permitted, "SACK blocks though SACK was not agreed")                                            \
    X(sack_reneged, "times a peer threw away what it had reported by SACK")                                    \
    X(dsack_invalid, "DSACKs of what was never sent, or too long ago")                                         \
    X(window_scale_too_large, "window scales above 14, which count as 14")                                     \
    X(mss_too_small, "MSS options below 88, which count as 88")                                                \
    X(timestamps_missing, "segments without the timestamp that was agreed")                                    \
    X(timestamps_not_agreed, "segments with a timestamp that was not agreed")                                  \
    X(ecn_mirrored, "SYN/ACKs with ECE and CWR, which only mirror the SYN")                                    \
    X(syn_ack_data_ignored, "SYN/ACKs whose data was not taken")
struct tcp_drop_counters {
#define TCP_DROP_FIELD(name, meaning) uint64_t name;
    TCP_DROP_REASONS(TCP_DROP_FIELD)
#undef TCP_DROP_FIELD
};
void tcp_set_drop_counters(struct tcp *t, struct tcp_drop_counters *counters);

/* Every invariant of the subflow's state; traps if one does not hold. For tests and the simulator. */
void tcp_check_invariants(const struct tcp *t);

/* A RST for a segment that belongs to nothing (RFC 9293 §3.10.7.1), into `out`. `mptcp_option` (may be NULL) is put
 * into it. False if none is due (the segment was a RST itself). */
bool tcp_reset_for(const struct tcp_segment *segment, const struct ip_address *source,
                   const struct ip_address *destination, uint16_t link, bool checksum_offload,
                   const uint8_t *mptcp_option, size_t option_length, struct braid_packet_out *out) MUST_USE;

#endif
