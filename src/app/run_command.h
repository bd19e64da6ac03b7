/* The command that runs behind braid: its process, its signals, its end. */
#ifndef APP_RUN_COMMAND_H
#define APP_RUN_COMMAND_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include "run_namespace.h"

struct run_command {
    pid_t pid;   /* 0: not started */
    int channel; /* to the child until it becomes the command */
    int signals; /* a signalfd */
    bool ended;
    int status; /* as from waitpid() */
    sigset_t old_mask;
    struct sigaction old_pipe;
    struct rlimit old_descriptors;
};

/* Signals come by run_command.signals from now on. To be called first: what the process was started with is
 * what the command gets. False with errno set. */
bool run_command_prepare(struct run_command *command);

/* Starts the child, which sets up its network by the plan and waits. `tun_fds` gets a descriptor for each
 * queue of the TUN device, plan->queues of them. False: there are none, and `text` says in one line why. */
bool run_command_start(struct run_command *command, const struct namespace_plan *plan, char **argv,
                       int tun_fds[NAMESPACE_QUEUES_MAX], char text[NAMESPACE_TEXT_MAX]);
/* Lets it become the command. */
void run_command_go(struct run_command *command);

/* Takes the signals that came: passes them on to the command, or notes its end. Returns a signal that asks
 * braid to end while there is no command to pass it on to; 0 if none. */
int run_command_signals(struct run_command *command);

/* Ends the process the way the command ended. */
int run_command_exit_status(const struct run_command *command);

#endif
