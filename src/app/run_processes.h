/* The processes that live in a network namespace, found in /proc. */
#ifndef APP_RUN_PROCESSES_H
#define APP_RUN_PROCESSES_H

#include <stdbool.h>
#include <sys/types.h>

struct network_identity {
    dev_t device;
    ino_t inode;
};

/* The network of a process; of the caller's own if `pid` is 0. False: there is no such process. */
bool network_identity_of(pid_t pid, struct network_identity *out);
/* Sends `signal` (0: none) to every process of the network. Returns how many there are. */
unsigned network_processes(const struct network_identity *network, int signal);

#endif
