/* Inside of scenario: what its files read for each other. */
#ifndef APP_SCENARIO_READ_H
#define APP_SCENARIO_READ_H

#include "scenario_yaml.h"

const char *scenario_read_name(struct yaml_source *source, yaml_node_t *node);
unsigned scenario_read_host_name(struct yaml_source *source, yaml_node_t *node);
/* Fills the field of both directions, or of those said. Returns which were, as bits. */
unsigned scenario_read_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape shape[2],
                             enum scenario_shape_bits which);
void scenario_read_links(struct yaml_source *source, yaml_node_t *node);
struct scenario_service *scenario_read_services(struct yaml_source *source, yaml_node_t *node, size_t *count);
void scenario_read_timeline(struct yaml_source *source, yaml_node_t *node,
                            struct scenario_timeline *timeline);
/* `transfer` of a run, and the command that does the same where there is none. */
void scenario_read_transfer(struct yaml_source *source, yaml_node_t *value, struct scenario_run *run);
void scenario_transfer_command(struct yaml_source *source, struct scenario_run *run);
void scenario_read_runs(struct yaml_source *source, yaml_node_t *node);

#endif
