/* none: the program drives the paths itself, or wants no more than one (path_calls.c). */
#include <mptcp/path_manager.h>

const struct path_manager_ops path_manager_none = {.name = "none"};
