/* What stateful middleboxes remember of each flow. */
#ifndef MIDDLE_FLOW_H
#define MIDDLE_FLOW_H

#include "sim_internal.h"
#include <sim/middlebox.h>

/* The head of what a kind of middlebox remembers. Ends as seen from inside. */
struct middle_flow {
    struct middle_flow *next;
    struct flow flow;
    braid_time used_at;
};

struct middle_flows {
    struct middle_flow *first;
    size_t size; /* of one */
};

static inline struct flow middle_flow_of(const struct sim_tcp *tcp, enum sim_direction direction) {
    bool up = direction == SIM_UP;
    return (struct flow){.local = up ? tcp->ip.source : tcp->ip.destination,
                         .remote = up ? tcp->ip.destination : tcp->ip.source,
                         .local_port = up ? tcp->segment.source_port : tcp->segment.destination_port,
                         .remote_port = up ? tcp->segment.destination_port : tcp->segment.source_port};
}

/* NULL: it is not known. */
void *middle_flow_find(struct middle_flows *flows, const struct flow *flow);
/* A new one, zeroed but for its head. */
void *middle_flow_add(struct middle_flows *flows, struct sim_world *world, const struct flow *flow);
void middle_flow_remove(struct middle_flows *flows, struct sim_world *world, struct middle_flow *which);
void middle_flows_forget(struct middle_flows *flows, struct sim_world *world);

/* A RST in answer to `tcp`, as RFC 9293 §3.10.7.1 has it; NULL if it is one itself. */
struct sim_packet *middle_reset_for(const struct sim_tcp *tcp);

#endif
