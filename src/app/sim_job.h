/* What a run does, as far as virtual time knows it: a transfer between its host and a server, over braid. */
#ifndef APP_SIM_JOB_H
#define APP_SIM_JOB_H

#include "scenario.h"

enum sim_job_verdict {
    SIM_JOB_READY,
    SIM_JOB_NOT_OURS, /* something else than braid does it */
    SIM_JOB_BAD,      /* what is wrong was said */
};

/* From the run's `transfer`, or else from its command where that is `braid run ... -- braid probe
 * bulk|messages ...`. `reason`: why it is not ours. */
enum sim_job_verdict sim_job_of(const struct scenario *scenario, const struct scenario_run *run,
                                struct scenario_transfer *out, const char **reason);

#endif
