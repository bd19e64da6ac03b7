/* Inside of scenario: what its files read for each other. */
#ifndef APP_SCENARIO_READ_H
#define APP_SCENARIO_READ_H

#include "scenario_yaml.h"

const char *scenario_read_name(struct yaml_source *source, yaml_node_t *node);
unsigned scenario_read_host_name(struct yaml_source *source, yaml_node_t *node);
/* The keys of a shape, for a table of keys: READ is called with their bit. */
#define SCENARIO_SHAPE_KEYS(READ) \
    {"rate", .read_which = READ, .which = SCENARIO_RATE}, {"delay", .read_which = READ, .which = SCENARIO_DELAY}, \
    {"queue", .read_which = READ, .which = SCENARIO_QUEUE}, {"loss", .read_which = READ, .which = SCENARIO_LOSS}, \
    {"trace", .read_which = READ, .which = SCENARIO_TRACE}, {"jitter", .read_which = READ, .which = SCENARIO_JITTER}, \
    {"burst", .read_which = READ, .which = SCENARIO_BURST}, {"reorder", .read_which = READ, .which = SCENARIO_REORDER}, \
    {"duplicate", .read_which = READ, .which = SCENARIO_DUPLICATE}, \
    {"corrupt", .read_which = READ, .which = SCENARIO_CORRUPT}
/* Fills the field of both directions, or of those said. Returns which were, as bits. */
unsigned scenario_read_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape shape[2],
                             unsigned which);
bool scenario_is_shaped(const struct scenario_shape *shape);
/* A file of delivery opportunities; NULL when it is no good. */
const struct link_trace *scenario_read_trace(struct yaml_source *source, yaml_node_t *value);
void scenario_read_boxes(struct yaml_source *source, yaml_node_t *value, struct scenario_link *link);
void scenario_read_links(struct yaml_source *source, yaml_node_t *node);
struct scenario_service *scenario_read_services(struct yaml_source *source, yaml_node_t *node, size_t *count);
void scenario_read_timeline(struct yaml_source *source, yaml_node_t *node,
                            struct scenario_timeline *timeline);
/* `transfer` of a run, and the command that does the same where there is none. */
void scenario_read_transfer(struct yaml_source *source, yaml_node_t *value, struct scenario_run *run);
void scenario_transfer_command(struct yaml_source *source, struct scenario_run *run);
void scenario_read_runs(struct yaml_source *source, yaml_node_t *node);

#endif
