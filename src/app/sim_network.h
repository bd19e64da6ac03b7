/* A scenario's hosts and links in virtual time. */
#ifndef APP_SIM_NETWORK_H
#define APP_SIM_NETWORK_H

#include <sim/conversation.h>
#include <sim/link.h>
#include "scenario.h"

/* Frames of a link count against its rate and queue as they would on an Ethernet. */
#define SIM_FRAME_OVERHEAD 14

enum sim_network_limit { SIM_LINKS_MAX = 64 };

struct sim_network_link {
    const struct scenario_link *config;
    struct sim_link *link;
    struct sim_box *wire;
    struct sim_box *noise[2]; /* what befalls packets behind the wire, by direction; NULL: nothing ever */
    struct sim_box *boxes[SIM_BOXES_MAX];
    struct scenario_shape shape[2]; /* as events have changed it */
    int interfaces[2];
};

struct sim_network {
    const struct scenario *scenario;
    const struct scenario_run *run;
    struct sim_world *world;
    braid_time began_ns;
    struct sim_host **hosts; /* as the scenario's */
    struct sim_network_link links[SIM_LINKS_MAX];
};

struct sim_network_config {
    const struct scenario *scenario;
    const struct scenario_run *run;
    const struct scenario_transfer *transfer;
    struct sim_world_config world;
};
/* False after having said, with file and line, what virtual time does not have. */
bool sim_network_init(struct sim_network *network, const struct sim_network_config *config);
void sim_network_deinit(struct sim_network *network);

/* What an event does to it; EXEC does nothing. */
void sim_network_apply(struct sim_network *network, const struct scenario_event *event);
/* Bytes that a link has delivered so far, by direction, as frames. */
void sim_network_carried(const struct sim_network *network, unsigned link, uint64_t bytes[2]);

#endif
