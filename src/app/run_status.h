/* What each uplink does right now: into the trace ten times a second, and onto the terminal. */
#ifndef APP_RUN_STATUS_H
#define APP_RUN_STATUS_H

#include "run_threads.h"

struct run_status;

/* `live`: lines on standard error, in place if that is a terminal, once a second otherwise. NULL: no memory.
 */
struct run_status *run_status_create(struct run_threads *threads, bool live);
void run_status_destroy(struct run_status *status); /* NULL is fine */

#endif
