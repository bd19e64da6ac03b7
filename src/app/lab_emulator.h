/* The lab's link emulator: one thread that carries Ethernet frames between pairs of interfaces, through a
 * link model each way, in real time.
 *
 * Each emulated link has two interfaces in the emulator's network namespace, one towards each host. A frame
 * that arrives by one is offered to the model of that direction and leaves by the other when the model says
 * so, and when the noise model has had its say. Address resolution (ARP and its IPv6 kin) skips queue and delay, because the neighbour of a real host
 * is its access point, not the far end of the path; it does not skip a link that carries nothing.
 *
 * All calls but create and destroy may come while the thread runs. */
#ifndef APP_LAB_EMULATOR_H
#define APP_LAB_EMULATOR_H

#include <sim/link_model.h>
#include <sim/noise_model.h>
#include <wire/address.h>

struct emulator;

/* Starts the thread. It keeps the caller's network namespace and, if it has one, its real-time priority.
 * NULL: no memory, or no descriptors left. */
struct emulator *emulator_create(void);
/* Ends the thread. */
void emulator_destroy(struct emulator *emulator);

/* What is emulated of a link, one way. */
struct emulator_shape {
    struct link_model_config model;
    struct sim_noise_config noise; /* befalls what the model has let through */
};

struct emulator_link_config {
    unsigned interfaces[2]; /* of the calling thread's network namespace */
    uint32_t mtu;
    struct emulator_shape shape[2]; /* [0] is the way from interfaces[0] to interfaces[1] */
    uint32_t path_mtu;              /* larger packets are dropped; 0: none is */
    struct ip_address hop[2][2];    /* who tells their sender, by direction: IPv4, IPv6; IP_NONE: nobody */
    uint64_t seed;
};
/* Adds a link. Returns its number, or -errno. */
int emulator_add_link(struct emulator *emulator, const struct emulator_link_config *config) MUST_USE;

void emulator_configure(struct emulator *emulator, int link, const struct emulator_shape shape[2]);
/* `directions`, bits: 1 is the way from the first interface, 2 the other one. */
void emulator_set_state(struct emulator *emulator, int link, unsigned directions, enum link_model_state state);

struct emulator_sample {
    struct link_model_counters counters;
    braid_time queue_delay_ns;
};
void emulator_sample(struct emulator *emulator, int link, struct emulator_sample out[2]);

/* How well the emulator kept time since it started. */
struct emulator_timing {
    uint64_t frames;
    uint64_t late_p50_us, late_p99_us, late_max_us; /* a frame left so long after it was due */
    uint64_t overruns;                              /* frames lost before the emulator saw them */
    uint64_t refused;                               /* frames an interface did not take, because it is down */
    double cpu_seconds;
};
void emulator_timing(struct emulator *emulator, struct emulator_timing *out);

braid_time emulator_now(void); /* the clock all of the lab goes by: CLOCK_MONOTONIC */

#endif
