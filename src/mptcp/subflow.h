/* One subflow as the connection sees it, and what the connection's files do with one. */
#ifndef MPTCP_SUBFLOW_H
#define MPTCP_SUBFLOW_H

#include "connection_internal.h"

/* Options waiting for an ACK of this subflow to carry them. */
struct signals {
    bool data_fin; /* after an ACK with MP_CAPABLE; or a DATA_ACK there */
    bool prio;
    bool fail;
    bool announce;
    bool announce_whole; /* at the cost of the ACK's timestamps */
    dsn64 fail_dsn;
    unsigned remove_count;
    uint8_t remove_ids[SIGNAL_IDS_MAX];
    unsigned echo_count;
    struct add_addr *echoes; /* SIGNAL_ECHOES_MAX; NULL while there is none */
    struct add_addr announcement;
    unsigned acks_in_a_row; /* for signals alone, since the peer last said something */
};

/* rivals.c: less for a moment, to see whose the queue is */
struct trial {
    enum trial_phase { TRIAL_NONE, TRIAL_DRAINING, TRIAL_HOLDING } phase;
    uint32_t limit_bytes, from_bytes;
    braid_time began, held_since, seen_since; /* seen_since 0: nothing was heard of what left since held_since */
    braid_time before_ns, lowest_ns;          /* round trips */
    braid_time not_before;                    /* the next one */
};

struct rivals {
    bool competing;       /* others are in the queue, and the congestion window alone decides */
    bool doubted;         /* the last trial said that they are gone */
    bool descending;      /* base_ns is an upper bound: the queue in it was ours */
    braid_time base_ns;   /* the round trip without a queue of ours, if the smallest one is out of date; 0: it is not */
    bool bound;           /* room.c's bound, not the congestion window, is what limits */
    uint64_t fitting_bytes_per_s; /* what it delivered when the round trip was not too long for the bound */
    braid_time queued_since; /* 0: the round trip is not too long */
    struct trial trial;
};

/* longer.c */
struct longer {
    braid_time latest_at, latest_ns;                 /* the newest round trip looked at */
    braid_time seen_at;                              /* a jump from before_ns to seen_ns; 0: none */
    braid_time before_ns, seen_ns;
    uint64_t rate_bytes_per_s;                       /* before it */
};

/* room.c */
struct room {
    bool limited; /* in this round trip */
    bool filled;  /* the rate has stopped growing */
    unsigned rounds_without_growth;
    uint64_t full_bytes_per_s;
    braid_time round_start;
    struct rivals rivals;
    struct longer longer;
};

/* blocking.c */
struct penalty {
    braid_time since, until;
    uint32_t limit_bytes; /* in flight and unsent, until then */
};

/* harm.c */
struct harm {
    braid_time since, looked_from; /* looked_from 0: not yet */
    uint64_t cost_bytes, brought_bytes, acknowledged_bytes; /* the last of the subflow, at `since` */
    braid_time until;              /* it gets nothing */
    unsigned times;
    bool unproved;                 /* proving.c: it gets copies, then, so many rounds of them */
    uint8_t rounds;
    uint64_t retransmitted_bytes;  /* of the subflow, before them */
};

/* spare.c */
struct spare {
    uint64_t cost_bytes, brought_bytes;
    uint64_t peak_bytes_per_s;
    braid_time since, told_at, costly_since; /* the last is 0 when it costs nothing worth mentioning */
    braid_time until;         /* the peer is asked to take it for a backup; 0: it is not */
    braid_time forgiven_from; /* the last time that was over */
    uint8_t times;
    bool had_hole;            /* its own data had one when the segment came, ... */
    uint64_t ahead_bytes;     /* ... and so much of the connection's had come ahead of its turn */
};

/* worth.c */
struct rest {
    uint64_t bytes_per_s; /* what it carries, or did before it rested; 0: not known yet */
    braid_time until;     /* 0: it does not rest */
};

/* losing.c */
struct losing {
    braid_time since;
    unsigned timeouts;
};

struct subflow {
    struct list_node node;
    struct braid_connection *c;
    struct tcp *t;
    void *flow_handle;
    uint64_t number;
    struct flow flow; /* [MUST-45] */
    uint16_t link;
    uint8_t path_id; /* the host's number of our path */
    uint8_t local_id, remote_id; /* [R-3.2-1] */
    uint8_t weight;
    uint8_t reset_reason; /* of ours: goes out in MP_TCPRST */
    uint8_t peer_reset_reason;
    uint32_t mtu_bytes, super_segment_bytes;
    uint32_t expected_bytes; /* meter.c: its part of what the meter expects */
    struct path_meter *path_meter;
    enum subflow_status status;
    enum tcp_close_reason closed_reason;

    /* What is so or not, side by side for want of memory */
    bool first;     /* begun by MP_CAPABLE, not MP_JOIN */
    bool ours;      /* we sent the SYN */
    bool backup_here, backup_there;
    bool backup_by_program; /* which the path manager does not change */
    bool dismissed; /* we have no use for it; that is no failure of its path */
    bool retiring;  /* it carries no new data: the peer closed or disowned it, or we do */
    bool third_packet_due; /* version 0: no data before an ACK with both keys */
    bool third_ack_pending; /* PRE_ESTABLISHED: our HMAC is not known to have arrived */
    bool unanswered;
    bool data_ack_seen;
    bool acknowledged_bare; /* the last ACK of data bore no MPTCP option */
    bool ack_arrived; /* a DATA_ACK in the segment being processed */
    bool copied_known;
    bool astray; /* the peer has said bytes up to astray_end that are not, in this subflow's order, its stream */
    bool closed;   /* TCP says so */
    bool buried;   /* the connection has drawn its conclusions */
    bool reset_transient, reset_fail, reset_fastclose;
    bool fastclosing; /* every ACK says MP_FASTCLOSE, and nothing else */
    bool peer_reset, peer_reset_transient;
    bool peer_reset_said; /* by MP_TCPRST, so that its flag and its reason are the peer's word */
    bool failed; /* MP_FAIL came: the peer threw away what it had acknowledged */
    uint8_t capable_syns, plain_syns; /* SYNs of the first subflow, with MP_CAPABLE and then without */

    /* MP_JOIN */
    uint8_t third_acks;
    uint8_t disowned_probes; /* of those below */
    uint32_t local_nonce, remote_nonce;
    uint32_t round_most_bytes; /* meter.c: the most that ever came in a round trip */
    braid_time third_ack_due;

    /* Sending */
    struct mapping_list sent;
    braid_time probed_at, answer_due; /* reinject.c */
    braid_time silence_asked_at, suspected_at; /* silence.c; 0: never */
    dsn64 silence_nxt; /* the next in the data order when it was asked */
    dsn64 arrived_ack;
    struct room room;
    dsn64 copied;      /* copies.c: everything before went to it, or is DATA_ACKed */
    struct penalty penalty;
    struct losing losing;
    struct harm harm;
    struct rest rests;

    /* Receiving: in subflow order, but not lifted yet for want of a mapping or of its end */
    struct mapping_list mapped;
    struct slice_queue held;
    seq32 held_seq; /* next byte to lift */
    seq32 astray_end; /* fallback.c */
    struct run *hint;
    struct rate_meter meter;
    struct spare *spare; /* NULL: no data came by it beside another path */

    struct signals signals;
    /* REMOVE_ADDR came: if nothing is heard until then, it goes. */
    braid_time disowned_until, disowned_at;
};

#define SUBFLOW_OF(node_) LIST_ENTRY(node_, struct subflow, node)
/* subflow.c */
struct subflow *subflow_create(struct braid_connection *c, const struct local_path *path, const struct flow *flow,
                               bool first, bool ours) MUST_USE;
/* At once, sending nothing. */
/* What the application set holds for it from now on. */
void subflow_tune(struct subflow *sf);
void subflow_destroy(struct subflow *sf);
void subflow_set_status(struct subflow *sf, enum subflow_status to, braid_time now);
/* RST with MP_TCPRST. */
void subflow_reset(struct subflow *sf, uint8_t reason, bool transient, braid_time now);
/* Draws the conclusions from its end: reinjects, tells, plans another. */
void subflow_bury(struct subflow *sf, braid_time now);
/* FIN, nothing new by it from here on. */
void subflow_retire(struct subflow *sf, braid_time now);
/* It is not needed: ended politely, and its path is no worse for it. */
void subflow_dismiss(struct subflow *sf, braid_time now);
static inline bool subflow_backup(const struct subflow *sf) { return sf->backup_here || sf->backup_there; }
/* The peer's join, whose HMAC has not come: it may be anybody's, and counts for nothing. */
static inline bool subflow_half_open(const struct subflow *sf) {
    return !sf->first && !sf->ours && sf->status == SUBFLOW_CONNECTING;
}
static inline bool subflow_metered(const struct subflow *sf) { return sf->path_meter && sf->path_meter->metered; }
/* Payload of a full segment. */
static inline uint32_t subflow_segment_bytes(const struct tcp_info *info) {
    return info->mss_bytes > 2 * DSS_BYTES ? info->mss_bytes - DSS_BYTES : DSS_BYTES;
}
/* It may carry data now. */
bool subflow_carries(const struct subflow *sf);
/* Of those that live, the best to carry a signal; NULL if there is none. `not_on`: rather not this one. */
struct subflow *subflow_best(const struct braid_connection *c, uint64_t not_on);
/* The one that lives, NULL if there are more or none. A join that was not answered yet is none. */
struct subflow *subflow_only(const struct braid_connection *c);
bool subflow_fin_arrived(const struct subflow *sf); /* the peer's, with everything before it */
unsigned subflow_live_count(const struct braid_connection *c); /* half-open ones left out */
braid_time subflow_rtt(const struct tcp_info *info);

/* options.c */
size_t options_write(void *owner, struct tcp *t, const struct tcp_outgoing *segment, uint8_t *out, size_t room);
bool options_need_whole_room(void *owner);
bool signals_pending(const struct subflow *sf);

/* arrival.c */
enum tcp_verdict arrival_segment(void *owner, struct tcp *t, const struct tcp_segment *segment, braid_time now);
/* The first option of this kind, decoded; false if there is none or it is bad. */
bool arrival_find(struct subflow *sf, const struct tcp_segment *segment, enum mptcp_subtype subtype,
                  struct mptcp_option *out);

/* handshake.c */
enum tcp_verdict handshake_syn_arrived(struct subflow *sf, const struct tcp_segment *syn);
enum tcp_verdict handshake_syn_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now);
enum tcp_verdict handshake_third_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now);
size_t handshake_write_syn(struct subflow *sf, const struct tcp_outgoing *segment, uint8_t *out, size_t room);
void handshake_established(struct subflow *sf, braid_time now);
void handshake_confirmed(struct braid_connection *c, braid_time now);
struct mp_capable handshake_capable(const struct braid_connection *c);

/* join.c */
bool join_open(struct braid_connection *c, const struct local_path *path, const struct remote_address *to,
               braid_time now) MUST_USE;
enum tcp_verdict join_syn_arrived(struct subflow *sf, const struct tcp_segment *syn);
enum tcp_verdict join_syn_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now);
enum tcp_verdict join_third_ack_arrived(struct subflow *sf, const struct tcp_segment *segment, braid_time now);
size_t join_write_syn(struct subflow *sf, bool answer, uint8_t *out, size_t room);
size_t join_write_ack(struct subflow *sf, uint8_t *out, size_t room);
void join_established(struct subflow *sf, braid_time now);
void join_confirmed(struct subflow *sf, braid_time now);
void join_expire(struct subflow *sf, braid_time now);

/* incoming.c */
enum tcp_verdict incoming_dss(struct subflow *sf, const struct tcp_segment *segment, const struct dss *dss,
                              braid_time now);
/* MP_CAPABLE with a data length maps as a DSS does (§3.1). */
enum tcp_verdict incoming_capable(struct subflow *sf, const struct tcp_segment *segment,
                                  const struct mp_capable *capable, braid_time now);
void incoming_data(void *owner, struct tcp *t, seq32 seq, struct braid_slice data, braid_time now);
void incoming_lift(struct subflow *sf, braid_time now);

/* outgoing.c */
/* Maps [dsn, dsn + length) on the subflow. Returns how many bytes were given; fewer if memory ran out. */
uint32_t outgoing_give(struct subflow *sf, dsn64 dsn, uint32_t length, braid_time now);
uint32_t outgoing_segment_limit(void *owner, struct tcp *t, seq32 seq, uint32_t want);
/* More could go than has been given to any subflow. */
bool outgoing_waits(const struct braid_connection *c);
/* What the peer waits for first, up to so many segments, once more on this one. False: nothing was given. */
bool outgoing_repeat(struct subflow *sf, unsigned segments, braid_time now);
void outgoing_acknowledged(void *owner, struct tcp *t, uint32_t bytes, braid_time now);

/* scheduler.c */
/* Good for many choices in a row: its paths are looked at once, and then again each when something was given to it. To be
 * begun with filled = false, and whenever something else has changed them. */
struct scheduler_choice {
    bool filled;
    const struct subflow *except; /* of its paths */
    uint32_t offered_bytes[SCHEDULER_PATHS_MAX];
    int index;
    uint32_t room_bytes; /* may go now */
    struct scheduler_view view;
};
/* For `waiting_bytes`, which were sent before (`again`) or not. NULL: nothing has room, or waiting is better. */
struct subflow *scheduler_pick(const struct braid_connection *c, const struct subflow *except, uint64_t waiting_bytes,
                               bool again, struct scheduler_choice *choice);
/* So many bytes were given as it chose. */
void scheduler_decided(struct braid_connection *c, struct scheduler_choice *choice, uint32_t bytes);
bool scheduler_has_other(const struct braid_connection *c, const struct subflow *except);
/* The fastest with room that does not have `dsn` under way; NULL if there is none. */
struct subflow *scheduler_other(const struct braid_connection *c, dsn64 dsn);
/* One that has room, the one of the highest rate; not `except`. NULL: there is none. */
struct subflow *scheduler_idle(const struct braid_connection *c, const struct subflow *except);
struct subflow *scheduler_for_probe(const struct braid_connection *c);
bool scheduler_copies_to(const struct subflow *sf);
/* It may carry something although others work as well. */
bool scheduler_may_use(const struct subflow *sf);
/* It would carry something although others work as well, were it not for what it costs them. */
bool scheduler_regular(const struct subflow *sf);
uint32_t scheduler_room(struct subflow *sf, uint64_t waiting_bytes);

/* copies.c */
bool copies_behind(const struct subflow *sf);
void copies_given(struct subflow *sf, dsn64 dsn, uint32_t length);
braid_time copies_deadline(const struct braid_connection *c);
bool copies_schedule(struct braid_connection *c, braid_time now);

/* blocking.c */
/* True: something is to be sent again by a path that is better. */
bool blocking_relieve(struct braid_connection *c, braid_time now);
/* The same, window or not, of a path that has slowed down: whoever reads waits for it. */
void blocking_look(struct braid_connection *c, braid_time now);
uint32_t blocking_bounded(const struct subflow *sf, const struct tcp_info *info, uint32_t room, braid_time now);

/* early.c */
/* With the SYN, if there is a cookie, goes what is written by now. */
void early_ask(struct braid_connection *c);
void early_answered(void *owner, struct tcp *t, const struct tcp_fast_open_result *result, braid_time now);
void early_arrived(void *owner, struct tcp *t, struct braid_slice data, braid_time now);
/* Before it is established. */
bool early_may_write(const struct braid_connection *c);

/* harm.c */
bool harm_done(const struct subflow *sf);
/* It rests, longer than the last time. */
void harm_again(struct subflow *sf, const char *reason, braid_time now);
/* The window is shut, and `holder` has what is awaited while `idle` has room; NULL: it is not. */
void harm_watch(struct braid_connection *c, struct subflow *holder, struct subflow *idle, braid_time now);

/* spare.c */
/* The peer is asked to take it for a backup. */
bool spare_asked(const struct subflow *sf);
/* Before and after TCP took a segment with data; `awaited_before`: what the connection waited for before. */
static inline void spare_arriving(struct subflow *sf) {
    if (!sf->spare) return;
    sf->spare->had_hole = tcp_reassembly_bytes(sf->t) > 0;
    sf->spare->ahead_bytes = sf->c->receive.ahead.bytes;
}
void spare_data_arrived(struct subflow *sf, dsn64 awaited_before, braid_time now);
static inline void spare_arrived(struct subflow *sf, dsn64 awaited_before, braid_time now) {
    if (sf->spare || sf->c->subflow_count > 1) spare_data_arrived(sf, awaited_before, now);
}
void spare_deinit(struct subflow *sf);
braid_time spare_deadline(const struct braid_connection *c);
void spare_expire(struct braid_connection *c, braid_time now);

/* proving.c */
void harm_prove(struct braid_connection *c, braid_time now);

/* worth.c */
bool worth_rests(const struct subflow *sf);
void worth_watch(struct braid_connection *c, braid_time now);

/* meter.c */
bool meter_exhausted(const struct subflow *sf);
uint32_t meter_bounded(const struct subflow *sf, uint32_t room);
void meter_sent(struct subflow *sf, const struct braid_packet_out *packets, size_t count);
size_t meter_packets(const struct subflow *sf, size_t room);
/* So much may still come by it. */
void meter_expect(struct subflow *sf, uint32_t bytes);
void meter_enforce(struct braid_connection *c, braid_time now);

/* rivals.c */
/* The round trip without a queue of ours. */
braid_time rivals_base(const struct rivals *r, const struct tcp_info *info);
/* Looks whether others fill the queue, and tries it out if need be. */
void rivals_watch(struct subflow *sf, const struct tcp_info *info, braid_time slack_ns, braid_time now);
/* How much may be in flight while it is being tried. */
uint64_t rivals_limit(const struct rivals *r);

/* longer.c */
void longer_watch(struct subflow *sf, const struct tcp_info *info, braid_time now);

/* room.c */
/* Its rate is not known yet: it has not been full since it began, or since it became longer. */
bool room_starting(const struct room *r, const struct tcp_info *info);
uint32_t room_of(struct subflow *sf, const struct tcp_info *info, braid_time now);

/* reinject.c */
void reinject_subflow(struct subflow *sf, const char *reason, braid_time now);
/* The same of a subflow whose path worked until `cut_at`. */
void reinject_cut(struct subflow *sf, const char *reason, braid_time cut_at, braid_time now);
/* And of one that is no more: everything that is not DATA_ACKed. */
void reinject_gone(struct subflow *sf, const char *reason, braid_time cut_at, braid_time now);
/* DATA_ACK moved: does it stop at what was held to have arrived? */
void reinject_doubts_resolve(struct braid_connection *c, braid_time now);
/* The subflow, other than `except`, on which it is under way, and what follows it until *held_until; NULL if there is
 * none. */
struct subflow *reinject_holder(const struct braid_connection *c, dsn64 dsn, const struct subflow *except,
                                dsn64 *held_until);
/* Has the subflow got it under way, and until where? */
bool reinject_held_by(const struct subflow *sf, dsn64 dsn, dsn64 *held_until);
/* The mapping by which it has. */
struct mapping *reinject_mapping(struct subflow *sf, dsn64 dsn);
/* The subflow that is no good for sending it again: it has it under way (*held, until *held_until), or acknowledged it
 * and to no avail. NULL if any will do. */
const struct subflow *reinject_avoid(const struct braid_connection *c, dsn64 dsn, bool *held, dsn64 *held_until);
void reinject_head(struct braid_connection *c, uint32_t bytes_max, braid_time now);
void reinject_expire(struct subflow *sf, braid_time now);
/* A probe had no answer in time, and there was nobody else to turn to. */
bool reinject_unanswered(const struct subflow *sf);
/* Now there is. */
void reinject_joined(struct subflow *joined, braid_time now);
void reinject_suspected(void *owner, struct tcp *t, unsigned timeouts, braid_time now);
void reinject_recovered(void *owner, struct tcp *t, braid_time now);

/* silence.c */
braid_time silence_deadline(const struct braid_connection *c);
void silence_forgotten(struct braid_connection *c, braid_time now);
void silence_expire(struct braid_connection *c, braid_time now);

/* losing.c */
void losing_timeout(struct subflow *sf, braid_time now);
void losing_expire(struct subflow *sf, braid_time now);
/* It was ended for its losses, by us or by the peer. */
bool losing_ended(const struct subflow *sf);

/* stale.c */
void stale_refresh(struct braid_connection *c, braid_time now);

/* tail.c */
void tail_init(struct braid_connection *c);
/* The subflow's data was acknowledged. */
void tail_acknowledged(const struct subflow *sf, braid_time now);
/* On an ACK. */
void tail_fin_sent(struct braid_connection *c, braid_time now);
void tail_expire(struct braid_connection *c, braid_time now);

/* window.c */
void window_arrived(struct subflow *sf, uint32_t bytes, braid_time now);
uint32_t window_receive(void *owner, struct tcp *t);
/* What comes by it in a round trip as long as they are now: lately at most, or in this one. */
uint64_t window_round_bytes(const struct subflow *sf, braid_time now);
void window_shrunk(void *owner);

/* The longest round trip that a window for paths of this one permits. */
braid_time window_span(braid_time rtt_ns);
/* The most that arrived by it in a round trip, of the last ones. */
/* Made when there is a second path; NULL: no memory. */
struct stretch *window_stretch(struct braid_connection *c);
void window_deinit(struct braid_connection *c);
/* So far the peer's data goes now. There is a stretch. */
void window_reached(struct subflow *sf, dsn64 highest, uint32_t bytes, braid_time now);
uint64_t window_rate(const struct subflow *sf, braid_time now);
/* Its round trip without a queue. */
braid_time window_base(const struct subflow *sf);

/* crowd.c */
/* A rate was measured, in a round trip: the best one lately. */
void crowd_arrived(struct subflow *sf, uint64_t bytes_per_s, braid_time now);
/* Is anybody still there? */
void crowd_try(struct braid_connection *c, braid_time now);

/* addresses.c */
/* In version 0 the segment's DATA_ACK vouches for it. */
void addresses_add_arrived(struct subflow *sf, const struct tcp_segment *segment, const struct add_addr *option,
                           braid_time now);
void addresses_remove_arrived(struct subflow *sf, const struct remove_addr *option, braid_time now);
/* Its address is in use again: nothing is to be said of its removal any more. */
void addresses_joined(struct subflow *sf);
void addresses_subflow_up(struct braid_connection *c, braid_time now);
void addresses_disowned_expire(struct subflow *sf, braid_time now);
void addresses_echoes_release(struct subflow *sf);
/* Without its port, for want of room. A join finds its connection by the token, whatever port it comes to. */
void addresses_announcement_shorten(const struct braid_connection *c, struct add_addr *option);
void addresses_announcement_written(struct braid_connection *c, const struct add_addr *option);

/* path_manager.c */
void path_manager_joined(struct subflow *sf);
void path_manager_failed(struct subflow *sf, braid_time now);
/* The program closed it: not again by this pair of addresses, unless there is news of one of them. */
void path_target_forbid(const struct subflow *sf);
/* Its path does not answer; it is tried again soon, and often at first. */
void path_manager_silent(struct subflow *sf, braid_time now);

/* race.c */
/* The SYN/ACK came by this one: the others are forgotten. */
void race_won(struct subflow *winner, braid_time now);
/* True: one that failed is not the end, there are others. */
bool race_goes_on(const struct subflow *failed, braid_time now);

/* priority.c */
void priority_arrived(struct subflow *sf, const struct mp_prio *option, braid_time now);
void priority_signal(struct subflow *sf);
void priority_set(struct subflow *sf, bool backup, braid_time now);
/* What goes by the path is a backup: the host wants it so, it costs and the scheduler spares it, or its cap is near. */
bool path_stands_by(const struct braid_connection *c, const struct local_path *path);
/* Has the peer spare what costs; under a path manager that sets no priorities itself. */
void priority_spare(struct braid_connection *c, braid_time now);

/* fallback.c */
void fallback_handshake(struct braid_connection *c, const char *reason, braid_time now);
bool fallback_possible(const struct subflow *sf);
void fallback_enter(struct subflow *sf, const char *reason, braid_time now);
/* An ACK for data came without DATA_ACK; what to do with its segment. */
void fallback_mapping_arrived(struct subflow *sf, const struct tcp_segment *segment, const struct dss *dss);
enum tcp_verdict fallback_payload_arrived(struct subflow *sf, const struct tcp_segment *segment);
enum tcp_verdict fallback_no_data_ack(struct subflow *sf, braid_time now);
void fallback_fin_ask(struct braid_connection *c, braid_time now);
void fallback_fin_answered(struct subflow *sf, braid_time now); /* its acknowledgement bore no option */
void fallback_checksum_failed(struct subflow *sf, dsn64 dsn, braid_time now);
enum tcp_verdict fallback_fail_arrived(struct subflow *sf, braid_time now);
enum tcp_verdict fallback_infinite_arrived(struct subflow *sf, braid_time now);

/* urgent.c */
void urgent_arrived(struct subflow *sf, const struct tcp_segment *segment);

/* closing.c */
void closing_fin_arrived(void *owner, struct tcp *t, braid_time now);
/* Those whose peer said FIN while they were the last may go now. */
void closing_subflow_joined(struct subflow *joined, braid_time now);

#endif
