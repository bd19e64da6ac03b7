/* What befalls packets on their way besides rate, delay and queue, as numbers: loss in bursts, reordering,
 * duplication, corruption, jitter. Like the link model it does no I/O, reads no clock and holds no packets:
 * it only says what becomes of each, so that the simulator and the lab's emulator do the same. The same calls
 * and draws give the same fates. */
#ifndef SIM_NOISE_MODEL_H
#define SIM_NOISE_MODEL_H

#include <braid/env.h>
#include <base/prng.h>

/* Probabilities are of each packet. */
struct sim_noise_config {
    double reorder; /* held back for up to reorder_ns, others overtake it */
    braid_time reorder_ns;
    double duplicate;     /* a copy follows, up to reorder_ns later */
    double corrupt;       /* up to three bits in a row flip, anywhere in the packet */
    double mark;          /* a packet of a sender that takes part in ECN says "congestion experienced" */
    braid_time jitter_ns; /* every packet waits up to that long, and keeps its place */
    /* Bursts of loss (Gilbert and Elliott): chances a packet to fall into a burst, and in one to leave it; in
     * one, all are lost with the given probability. */
    double burst_begin, burst_end, burst_loss;
};
bool sim_noise_is_none(const struct sim_noise_config *config);

struct noise_model {
    struct sim_noise_config config;
    struct prng *prng; /* may be shared */
    bool burst;
    braid_time free_at; /* jitter keeps the order: none leaves before the one ahead of it */
};

struct noise_fate {
    bool lost;   /* then nothing else applies */
    bool copied; /* a copy, unharmed, leaves at copy_ns */
    braid_time copy_ns;
    uint32_t flip_from, flip_count; /* so many bits, from that one on, flip; 0: none */
    bool marked;                    /* noise_mark() */
    bool waits;                     /* until pass_ns; else it leaves at once */
    braid_time pass_ns;
};
void noise_model_judge(struct noise_model *model, uint32_t length_bytes, braid_time now,
                       struct noise_fate *out);
void noise_flip(uint8_t *bytes, const struct noise_fate *fate);
/* Says "congestion experienced" in an IP packet whose sender takes part in ECN (RFC 3168 §5); leaves others alone. */
void noise_mark(uint8_t *bytes, uint32_t length);

#endif
