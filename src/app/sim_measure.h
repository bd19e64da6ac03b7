/* What is measured of a run in virtual time: the same that the lab measures (lab_measure.h), and said in the
 * same words, so that `braid report` shows either. */
#ifndef APP_SIM_MEASURE_H
#define APP_SIM_MEASURE_H

#include <jansson.h>
#include "sim_network.h"

#define SIM_SAMPLE_NS (50 * BRAID_NS_PER_MS)

struct sim_samples {
    uint64_t *values; /* in each interval of SIM_SAMPLE_NS */
    uint64_t last;    /* the counter at the last sample */
};

struct sim_measurement {
    const struct scenario_run *run;
    const struct scenario_transfer *transfer;
    struct sim_network *network;
    struct sim_conversation *talk;
    struct sim_timer timer;
    braid_time started_ns, ended_ns;
    size_t sample_count, sample_capacity;
    struct sim_samples stream, paths[SIM_LINKS_MAX][2];
    bool finished;
    uint64_t seed, hash, packets, leaked_bytes;
    double processor_seconds;
};

/* From now on; the conversation has been started. */
void sim_measure_start(struct sim_measurement *measurement);
/* The run's object of the result. */
json_t *sim_measure_result(const struct sim_measurement *measurement);
void sim_measure_end(struct sim_measurement *measurement);

#endif
