/* What a configuration has wrong, as a line for people: "the scheduler is unknown; possible are lowest-rtt, ...". */
#ifndef HOST_CONFIG_TEXT_H
#define HOST_CONFIG_TEXT_H

#include <braid/stack.h>

void config_fault_say(enum braid_config_fault fault, char *text, size_t room);

#endif
