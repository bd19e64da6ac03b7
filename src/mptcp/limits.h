/* Every adjustable constant of the connection, except the receive window's, which window.c tells with its story. */
#ifndef MPTCP_LIMITS_H
#define MPTCP_LIMITS_H

enum mptcp_limit {
    SUBFLOWS_DEFAULT = 8,
    SEND_BUFFER_DEFAULT_BYTES = 4 << 20, /* [R-3.3.5-3] */
    SEND_BUFFER_INITIAL_BYTES = 1 << 20,
    RECEIVE_BUFFER_MAX_DEFAULT_BYTES = 8 << 20,
    RECEIVE_BUFFER_INITIAL_DEFAULT_BYTES = 256 << 10,
    WRITABLE_PART = 4,             /* WRITABLE follows when a quarter of the send buffer is free again */

    /* [R-3.9.3-1] */
    CAPABLE_SYNS = 3,              /* SYNs with MP_CAPABLE; later ones go without, in case a middlebox drops them */

    MAPPING_BYTES_MAX = 65400,     /* what goes into one super-segment; the Data-Level Length could say 65535 */
    DSS_BYTES = 28,                /* of the longest DSS, padded: what a data segment's payload loses */
    MAPPINGS_RECEIVED_MAX = 16384, /* of one subflow: a peer that maps every byte singly is ignored from here on */
    GATHER_SLICES = 16,            /* given to a subflow at once */

    /* [R-3-2] [R-3.4.1-14] [R-4-3] */
    SIGNAL_ACKS_IN_A_ROW = 2,      /* ACKs only for an option's sake, RFC 8684 §3 */
    SIGNAL_IDS_MAX = 8,
    SIGNAL_ECHOES_MAX = 4,

    LOCAL_PATHS_MAX = 64,
    REMOTE_ADDRESSES_MAX = 16, /* [R-3.4.1-4] */
    ANNOUNCEMENTS_MAX = 16,
    ADD_ADDR_TRIES = 12,           /* without an echo; about five minutes, and once more when a subflow comes up */
    ADD_ADDR_V0_TIMES = 2,         /* version 0 has no echo */
    ADDRESSES_V0_MAX = 2,          /* of the peer's, as nobody signs for them */
    ADD_ADDR_RETRY_MS = 1000,      /* doubled each time up to ... */
    ADD_ADDR_RETRY_MAX_MS = 60000,
    ADD_ADDR_PLAIN_EVERY = 3,      /* so often the ACK keeps its timestamps: some peers drop what has none */
    ADD_ADDR_TURN_MS = 50,         /* and two round trips, for an echo before the next one is said */
    REMOVALS_MAX = 16,
    REMOVE_ADDR_TIMES = 2,         /* it has no echo: it is said once more on another subflow, or a round trip later */
    REMOVE_PROBES = 3,             /* of a subflow that the peer disowned, before it goes; ... */
    REMOVE_PROBE_MIN_MS = 200,     /* ... how long the peer has to answer the first one; twice as long the next */

    PATH_SLOWER_MS = 100,          /* path_manager.c: a path that takes so much longer than it can is poor */
    PATH_WATCH_MS = 100,           /* managers that watch are asked so often */

    /* race.c: most answers come sooner. A path that costs something, or is the only backup there is, must not be taken
     * for the sake of one SYN that was lost: two have to be. */
    RACE_AFTER_MS = 300,
    RACE_COSTLY_AFTER_MS = 1500,

    LOSING_TIMEOUTS = 4,           /* losing.c: so many, within ... */
    LOSING_WITHIN_MS = 10000,
    LOSING_FORGIVEN_MS = 60000,    /* how long it has to be good for its past to be forgotten */

    JOINS_HALF_OPEN_MAX = 32,      /* of the peer's, before their HMAC: one more, and the oldest is forgotten */
    JOINS_PER_SECOND_MAX = 400,    /* of the peer's: more are refused for now, before anything is computed for them. At this
                                      rate the bound above makes real ones lose, too, on paths of 80 ms */
    JOIN_CROSSING_MIN_MS = 200,    /* path_manager.c: before a server joins, for the client may ... */
    JOIN_CROSSING_SPAN_MS = 800,   /* ... and as much at most, drawn, beyond that */
    JOIN_TARGETS_MAX = 32,         /* pairs of addresses whose attempts are remembered */
    JOIN_RETRY_FIRST_MS = 1000,
    JOIN_RETRY_MAX_MS = 60000,
    JOIN_CONNECT_TIMEOUT_MS = 15000,
    JOIN_SILENT_TIMEOUT_MS = 5500, /* of one that fell silent: a SYN every second, for it may be slow now, ... */
    JOIN_SILENT_RETRY_MS = 500,    /* ... and from another port after this, so often ... */
    JOIN_SILENT_TRIES = 10,        /* ... before it is tried as rarely as any other */
    THIRD_ACK_TRIES = 8,
    THIRD_ACK_RETRY_MIN_MS = 200,

    DATA_RTO_MIN_MS = 200,         /* nothing DATA_ACKed, though no subflow has it any more */
    DATA_RTO_BACKOFF_MAX = 6,
    DATA_RTO_UNANSWERED_MAX = 8,   /* about 40 s of ACKs without DATA_ACKs: no peer says them, or none comes through */
    TAIL_SLACK_MS = 2,             /* tail.c: delivered by all subflows, or a DATA_FIN, and so long after two round trips */
    TAIL_UNKNOWN_MS = 100,         /* no round trip was measured */
    TAIL_TRIES = 4,
    TAIL_FIN_TRIES = 2,
    TAIL_AFTER_BYTES = 14000,      /* DATA_ACKed before: one who falls back does so sooner, and would take it for more data */
    TAIL_FIRST_BYTES = 2900,       /* two segments: one alone may wait for a delayed ACK */
    DATA_FIN_TIMEOUT_MS = 900000,  /* as long as TCP waits for what it sent */
    REINJECT_RANGES_MAX = 4096,    /* above it neighbouring ranges become one */
    OPPORTUNE_BYTES_MAX = 65535,   /* reinjected on suspicion alone */
    SLOWED_QUEUE_MS = 50,          /* blocking.c */

    QUEUE_ALLOWED_MS = 15,         /* room.c, whose story they belong to */
    ROOM_SEGMENTS_MIN = 10,
    ROOM_GROWTH_PERCENT = 125,
    ROOM_ROUNDS_WITHOUT_GROWTH = 3,
    ROOM_PROBE_ROUNDS = 10,
    CROWDED_TOLERANCE_MS = 5,
    CROWDED_ROUNDS = 4,
    CROWDED_SPAN_PERCENT = 116,    /* of the round trip as it is, for a subflow that competes */
    CROWDED_SPAN_COUPLED_PERCENT = 87,
    STARVED_PERCENT = 60,          /* of what was delivered before */
    TRIAL_CUT_PERCENT = 25,        /* rivals.c, whose story they belong to */
    TRIAL_CUT_MAX_PERCENT = 50,
    TRIAL_OURS_PERCENT = 75,
    TRIAL_ROUNDS_MAX = 6,
    TRIAL_AGAIN_ROUNDS = 8,
    TRIAL_INTERVAL_MS = 2000,
    TRIAL_INTERVAL_ROUNDS = 30,
    TRIAL_SEGMENTS_MIN = 6,
    LONGER_RISE_MIN_MS = 8,        /* longer.c: less is no other path */
    LONGER_AT_ONCE_DIVISOR = 4,    /* of the rise: sent within so much of each other */
    PROBE_ANSWER_EXTRA_MS = 10,    /* beyond a round trip and its variation */
    ARRIVAL_MARGIN_MS = 1,         /* reinject.c: of the guess what had arrived when a path was cut */

    STALE_REFRESH_MS = 1000,       /* stale.c */

    COPY_LATE_EXTRA_MS = 5,        /* copies.c: beyond a round trip and its variation */
    COPY_LATE_BYTES = 16384,       /* at once, of what is late */

    HARM_PERIOD_MS = 1000,         /* harm.c */
    HARM_LEAST_BYTES = 65536,
    HARM_FIRST_MS = 4000,
    HARM_BACKOFF_MAX = 4,
    HARM_FORGIVEN_MS = 30000,
    SPARE_SHUT_BYTES = 3000,       /* spare.c */
    SPARE_PILE_BYTES = 131072,
    SPARE_PERIOD_MS = 1000,
    SPARE_PEAK_DIVISOR = 16,
    SPARE_ANSWER_EXTRA_MS = 200,
    SPARE_LEAST_BYTES = 65536,
    SPARE_PATIENCE_MS = 400,
    SPARE_FIRST_MS = 8000,
    SPARE_BACKOFF_MAX = 2,
    SPARE_FORGIVEN_MS = 30000,
    PROVING_SEGMENTS = 10,         /* proving.c */
    PROVING_ROUNDS = 8,

    PATHS_LOOK_MS = 100,           /* connection.c */
    WORTH_WITHIN_MS = 3000,        /* worth.c */
    WORTH_AGAIN_MS = 2500,
    WORTH_FALLEN_DIVISOR = 4,
    WORTH_FORGOTTEN_MS = 60000,

    METER_MARGIN_BYTES = 65536,    /* meter.c */
    METER_HEADERS_BYTES = 100,
    METER_GROWTH = 4,              /* what may come in the next round trip, of what came in this one */
    METER_GROWTH_PAUSED = 2,       /* ... and after a pause, of the most that ever did */
    METER_SUBFLOW_BYTES = 512,     /* to say that it is over */
    METER_HEADERS_DIVISOR = 8,     /* headers beside the payload that comes */
    METER_ACKS_DIVISOR = 16,       /* ACKs of what is in flight */

    SILENCE_EXTRA_MS = 30,         /* silence.c */
    SILENCE_MIN_MS = 50,
    SILENCE_MAX_MS = 1000,
    SILENCE_ASK_AGAIN_MS = 600,
    SILENCE_ROUND_BYTES = 4096,
    SILENCE_ROUND_MS = 3000,
    FORGOTTEN_AFTER_MS = 15000,
    FORGOTTEN_LOOK_MS = 1000,

    MEMORY_RETRY_MS = 10,
    BUDGET_PARTS = 1 << 16,        /* budget.c */
    BUDGET_LEAST_BYTES = 8192,
    NO_PATH_TIMEOUT_MS = 60000,    /* connection without any subflow */
    FASTCLOSE_TIMES = 4,           /* [R-3.5-2] [R-3.5-3] the first and three repetitions, a timeout apart, that doubles */
    FASTCLOSE_RETRY_MAX_MS = 10000,
    SUBFLOW_LINGER_MS = 10000,     /* for a subflow's FIN once the connection is closed */
    ORPHAN_TIMEOUT_MS = 60000,     /* for the peer's DATA_FIN once the application let go */
};

#endif
