/* One direction of a link, as numbers: a queue in front of a wire.
 *
 * A packet offered waits in a bounded FIFO queue, is sent at `rate_bps`, may be lost there, and arrives
 * `delay_ns` after its last bit was sent. Packets never overtake each other, also when the delay shrinks. The
 * model does no I/O and reads no clock: whoever drives it says what time it is, so that the same model serves
 * an emulator in real time and a simulator in virtual time. The same calls with the same seed give the same
 * fates.
 *
 *     link_model_offer(model, bytes, tag, now)     a packet wants to pass
 *     link_model_deadline(model)                   when to ask for packets
 *     link_model_take(model, now, &packet)         those whose time has come: call until it returns false
 *
 * The model holds no packets, only their sizes and the caller's `tag`s. Every tag that was accepted comes
 * back from link_model_take() exactly once: arrived, or dropped on the way. */
#ifndef SIM_LINK_MODEL_H
#define SIM_LINK_MODEL_H

#include <braid/env.h>
#include <base/ensure.h>
#include <base/prng.h>

/* A rate that changes from moment to moment, as delivery opportunities: at each, so many bytes may be sent; what is not
 * used is lost. After the last one it begins again, and the last one's time is the new beginning. (The format of
 * mahimahi's link shells.) */
struct link_trace {
    const uint32_t *at_ms; /* in order; the last one is not 0 */
    uint32_t count;
    uint32_t bytes;        /* of each opportunity */
};

struct link_model_config {
    uint64_t rate_bps;   /* 0: unlimited */
    braid_time delay_ns; /* of the wire, one way */
    /* Most bytes that may wait, the packet being sent included; `queue_ns` says the same as time at the rate.
     * The smaller of the two counts; both 0: unlimited. An empty queue takes a packet of any size. */
    uint64_t queue_bytes;
    braid_time queue_ns;
    double loss; /* probability that a packet sent is lost on the wire, independent of all others */
    const struct link_trace *trace; /* not NULL: instead of the rate; the caller's for as long as it is used */
    braid_time trace_begins_ns;
};

enum link_model_state {
    LINK_MODEL_UP,
    LINK_MODEL_DOWN,      /* the interface is down, and its users can see it */
    LINK_MODEL_BLACKHOLE, /* looks up, carries nothing */
};

enum link_fate {
    LINK_PASSED, /* of an offer: accepted; of a take: arrived */
    LINK_DROPPED_QUEUE_FULL,
    LINK_DROPPED_LOSS,
    LINK_DROPPED_DOWN,
    LINK_DROPPED_BLACKHOLE,
    LINK_DROPPED_NO_MEMORY,
};
#define LINK_FATES 6
const char *link_fate_name(enum link_fate fate); /* "passed", "queue_full", "loss", ... */

struct link_model_counters {
    uint64_t offered_packets, offered_bytes;
    uint64_t packets[LINK_FATES], bytes[LINK_FATES]; /* by fate, once it is known */
    uint64_t queue_peak_bytes;
};

/* What became of a packet. */
struct link_model_packet {
    uint64_t tag;
    uint32_t bytes;
    enum link_fate fate;
    braid_time due_ns; /* when it arrived: never later than `now`; of one dropped by a change of state, 0 */
};

struct link_model_record;

struct link_model {
    const struct braid_env *env;
    struct link_model_config config;
    enum link_model_state state;
    struct prng prng;
    uint64_t queue_limit_bytes; /* of both bounds; UINT64_MAX: none */
    /* A ring of records in order: first those flushed, then those on the wire, then those in the queue. */
    struct link_model_record *records;
    uint32_t capacity, head, flushed, on_wire, queued;
    uint64_t queued_bytes;
    uint64_t opportunity;       /* of the trace: the next one that has anything left, and how much */
    uint32_t opportunity_bytes;
    braid_time sent_at_ns;      /* when the last bit of the first packet in the queue leaves */
    braid_time last_arrival_ns; /* of the packets on the wire */
    struct link_model_counters counters;
};

/* `env` gives memory (for the records) and must outlive the model. An empty model owns no memory. */
void link_model_init(struct link_model *model, const struct braid_env *env,
                     const struct link_model_config *config, uint64_t seed);
/* Forgets all packets: tags not taken yet are not given back. */
void link_model_deinit(struct link_model *model);

/* LINK_PASSED: `tag` is the model's until it comes back. Any other fate: the packet was dropped here and now,
 * and the tag stays the caller's. `now` may not be before that of an earlier call. */
enum link_fate link_model_offer(struct link_model *model, uint32_t bytes, uint64_t tag,
                                braid_time now) MUST_USE;
/* The next packet that has come to its end by `now`, in order. False when there is none yet. */
bool link_model_take(struct link_model *model, braid_time now, struct link_model_packet *out) MUST_USE;
/* When link_model_take() will have something; BRAID_NEVER: not before the next offer or change. */
braid_time link_model_deadline(const struct link_model *model);

/* Changes at run time. Packets in the queue are sent at the new rate from `now` on, the one being sent
 * included; those on the wire arrive as they would have. A new bound of the queue drops nothing that waits
 * already. */
void link_model_configure(struct link_model *model, const struct link_model_config *config, braid_time now);
/* Anything but up drops all that waits and all that is on the wire. */
void link_model_set_state(struct link_model *model, enum link_model_state state, braid_time now);

/* How long a packet offered now would wait before its first bit is sent. */
braid_time link_model_queue_delay_ns(const struct link_model *model, braid_time now);
static inline uint64_t link_model_queued_bytes(const struct link_model *model) {
    return model->queued_bytes;
}

#endif
