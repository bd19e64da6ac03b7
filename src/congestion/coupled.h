/* What the coupled algorithms share: the sight of their siblings, and all but the increase in congestion avoidance, which
 * is NewReno's. They differ in how fast a window grows, and in how far it falls.
 *
 * With x = cwnd / RTT of a subflow, all of them grow by a multiple of
 *
 *     segment * (x / RTT) / (sum of all x)^2      per byte acknowledged,
 *
 * which for a subflow without siblings is NewReno's segment / cwnd. Rates are bytes a second, increases are counted in
 * 1/65536 of a byte. */
#ifndef CONGESTION_COUPLED_H
#define CONGESTION_COUPLED_H

#include <congestion/congestion.h>

#define COUPLED_FRACTION 65536
/* A sibling that had nothing acknowledged for so long lies idle, and takes nothing. */
#define COUPLED_IDLE_NS (2 * BRAID_NS_PER_S)

struct coupled_state {
    int64_t credit; /* of growth, in 1/65536 of a byte */
    uint32_t undo_cwnd_bytes, undo_ssthresh_bytes;
    uint64_t since_loss_bytes, between_losses_bytes; /* acknowledged; olia.c */
    uint32_t held_bytes; /* in flight, when the window is not what holds it back; olia.c */
} __attribute__((may_alias));
_Static_assert(sizeof(struct coupled_state) <= CONGESTION_STATE_BYTES, "the state fits");

static inline struct coupled_state *coupled_of(struct congestion *c) {
    return (struct coupled_state *)(void *)c->state;
}
static inline const struct coupled_state *coupled_of_const(const struct congestion *c) {
    return (const struct coupled_state *)(const void *)c->state;
}

/* The first of those that send by the same algorithm, itself included; the next one; NULL after the last. */
struct congestion *coupled_first(const struct congestion *c, braid_time now);
struct congestion *coupled_next(const struct congestion *c, struct congestion *after, braid_time now);

uint64_t coupled_rate(const struct congestion *c);        /* x */
uint64_t coupled_rate_sum(const struct congestion *c, braid_time now);
/* x / RTT: how fast the rate would grow with a window more each round trip. */
uint64_t coupled_growth(const struct congestion *c);
/* segment * growth / sum^2 * acked, in 1/65536 of a byte. */
int64_t coupled_increase(const struct congestion *c, uint64_t growth, uint64_t acked_bytes, braid_time now);
/* What NewReno would add: segment / cwnd * acked, in the same unit. */
int64_t coupled_newreno_increase(const struct congestion *c, uint64_t acked_bytes);

void coupled_init(struct congestion *c, braid_time now);
/* Slow start, and what it leaves of the acknowledged bytes for congestion avoidance; 0: the window may not grow. */
uint64_t coupled_avoidance_bytes(struct congestion *c, const struct congestion_ack *ack);
/* Adds so much to the window, whole segments at a time. May be negative. */
void coupled_grow(struct congestion *c, int64_t increase);
void coupled_reduce(struct congestion *c, uint32_t to_bytes);

void coupled_on_loss(struct congestion *c, uint32_t in_flight_bytes, braid_time now);
void coupled_on_recovered(struct congestion *c, braid_time now);
void coupled_on_timeout(struct congestion *c, uint32_t in_flight_bytes, braid_time now);
void coupled_on_undo(struct congestion *c, braid_time now);
void coupled_on_restart(struct congestion *c, braid_time idle_ns, braid_time now);
void coupled_on_longer(struct congestion *c, uint32_t ssthresh_bytes);

#endif
