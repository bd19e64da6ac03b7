/* What `braid run --statistics` writes at the end: totals of each uplink, and every counter of the
 * stack with its meaning, of all threads together. */
#ifndef APP_RUN_STATISTICS_H
#define APP_RUN_STATISTICS_H

#include "run_threads.h"

#include <stdio.h>

struct run_statistics {
    FILE *file; /* NULL: none are wanted */
    braid_time began;
};

/* 0, or -errno. Before anything is started, so that a file that cannot be written is told at once. */
int run_statistics_open(struct run_statistics *statistics, const char *path);
/* Writes and closes, when the threads have ended. 0, or -errno. */
int run_statistics_write(struct run_statistics *statistics, struct run_threads *threads);

#endif
