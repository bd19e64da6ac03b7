/* What stays behind if braid is killed: processes of a command whose network is dead. The keeper is a small
 * process that waits for braid's end; if that comes without a word, it ends every process that is in the
 * command's network. */
#ifndef APP_RUN_KEEPER_H
#define APP_RUN_KEEPER_H

#include "run_processes.h"

struct run_keeper {
    pid_t pid;
    int channel;
};

/* To be started before there is anything it should not hold open. 0 or -errno. */
int run_keeper_start(struct run_keeper *keeper);
/* Tells which network to look after. */
void run_keeper_watch(const struct run_keeper *keeper, const struct network_identity *network);
/* Braid ends in order: the keeper has nothing to do. */
void run_keeper_dismiss(struct run_keeper *keeper);

#endif
