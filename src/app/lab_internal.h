/* Inside of the lab: what its files share.
 *
 * Outside, `braid lab` reads the scenario, and for each run makes a lab (lab_spawn.c): a process that is init
 * of a pid namespace, in namespaces of its own. In there, that process builds hosts (lab_host.c) and links
 * (lab_link.c), starts services (lab_service.c), plays the timeline and measures (lab_run.c), and ends; with
 * it ends all of the lab, since the kernel ends the processes of a pid namespace with its init, and
 * namespaces with their last process. Every run so begins with the same state. */
#ifndef APP_LAB_INTERNAL_H
#define APP_LAB_INTERNAL_H

#include <stdio.h>
#include <sys/types.h>
#include <host/netlink.h>
#include "lab_emulator.h"
#include "scenario.h"

/* The temporary folder of all hosts, ${TMP}: memory, on a mount that only the lab sees. */
#define LAB_TEMPORARY "/run/braid-lab"

struct lab_on {
    unsigned host;
    const char *command;
};

struct lab_options {
    struct scenario *scenario;
    const char *braid;  /* path of this program */
    const char *folder; /* where commands start: ours */
    const char *out;    /* absolute folder for results, NULL: none */
    uint32_t seed;      /* of what links draw by chance */
    bool quiet;         /* no live lines, no notes */
    bool play_events;   /* the timeline also for the one command */
    struct lab_on *on;  /* commands in the background of the one command */
    size_t on_count;
};

/* A host is three namespaces: network, mounts (its /run, /sys, /etc/hosts) and names. */
struct lab_host {
    const struct scenario_host *config;
    int network, mounts, names; /* descriptors */
    int control;                /* a socket in its network, for ioctl */
    struct netlink *netlink;
};

enum lab_link_state { LAB_LINK_UP, LAB_LINK_DOWN, LAB_LINK_BLACKHOLE, LAB_LINK_UNPLUGGED };
struct lab_link {
    const struct scenario_link *config;
    unsigned interfaces[2]; /* of the hosts */
    unsigned emulated[2];   /* their peers, in the emulator's network; 0 on a direct link */
    int number;             /* the emulator's; -1: direct */
    enum lab_link_state state;
    struct scenario_shape shape[2]; /* as events have changed it */
    braid_time began_ns;            /* when traces begin */
    struct scenario_prefix renumbered[2]; /* of ends[0], by family: IPv4, IPv6; IP_NONE: as configured */
};

struct lab_process {
    pid_t pid;
    int status; /* as waitpid() tells */
    bool ended;
};

struct lab {
    const struct lab_options *options;
    struct scenario *scenario;
    struct lab_host *hosts;
    struct lab_link *links;
    struct emulator *emulator;
    struct netlink *netlink; /* of the emulator's network */
    int control;             /* ditto */
    int base_network, base_mounts, base_names;
    int signals;  /* signalfd */
    int lifeline; /* readable when whoever made the lab is gone */
    int requests; /* socket: events told by hand; -1: none */
    bool deaf;    /* the terminal's interrupts are for the command, not for the lab */
    int ending;   /* not 0: the lab shall end, because of this signal */
    struct lab_process *processes;
    size_t process_count, process_capacity;
    const char *log_folder;
};

/* ---- lab_spawn.c ---- */

/* Runs `inside` as init of a new lab and returns its exit status (128 + signal if one ended it), or 2 after
 * having said why there can be no lab. `deaf`: interrupts from the terminal are left to the commands. */
int lab_spawn(int (*inside)(void *context, int lifeline), void *context, bool deaf);

/* ---- lab_host.c: each of these returns false after having said why ---- */

bool lab_prepare(struct lab *lab); /* the base: mounts, /proc, ${TMP} */
bool lab_create_hosts(struct lab *lab);
/* The calling thread's network becomes the host's, or (host -1) the emulator's again. */
void lab_enter_network(struct lab *lab, int host);

/* ---- lab_link.c ---- */

bool lab_connect_links(struct lab *lab);
bool lab_add_routes(struct lab *lab);
/* Does what a link event says; EXEC is not one. */
bool lab_apply(struct lab *lab, const struct scenario_event *event);
struct lab_link_bytes {
    uint64_t bytes[2]; /* carried so far, by direction */
    braid_time queue_delay_ns[2];
};
void lab_link_sample(struct lab *lab, unsigned link, struct lab_link_bytes *out);
const char *lab_link_state_name(enum lab_link_state state);

/* ---- lab_process.c ---- */

struct lab_start {
    unsigned host;
    const char *shell;      /* for sh -c; or */
    char *const *arguments; /* a program and its arguments */
    int in, out, err;       /* -1: /dev/null for `in`, else as ours */
    bool own_group;         /* so that it can be ended with all it started; not for what uses the terminal */
};
/* -1 after having said why. */
pid_t lab_start(struct lab *lab, const struct lab_start *start);
/* Takes in signals, ended children and the end of our maker, and waits for them at most until `deadline`;
 * also for `fd`
 * (-1: none) to be readable: then it returns true. */
bool lab_poll(struct lab *lab, int fd, braid_time deadline);
/* Whether the process has ended, and how. */
bool lab_ended(const struct lab *lab, pid_t pid, int *status);
/* Waits for its end; false when the deadline or the end of the lab came first. */
bool lab_wait(struct lab *lab, pid_t pid, braid_time deadline, int *status);
void lab_kill_group(struct lab *lab, pid_t pid);
int lab_exit_status(int status); /* as shells say it: 128 + signal */
/* Opens NAME.log in the results' folder (or ${TMP}); -1 after having said why. */
int lab_open_log(struct lab *lab, const char *name);
void lab_show_log(struct lab *lab, const char *name, unsigned lines);

/* ---- lab_service.c ---- */

bool lab_make_files(struct lab *lab);
bool lab_start_services(struct lab *lab, const struct scenario_service *services, size_t count,
                        const char *measured, int measured_out);
bool lab_run_before(struct lab *lab, const struct scenario_run *run);
/* ${TMP}, ${BRAID} and ${OUT} replaced; to be freed. NULL: no memory. */
char *lab_expand(const struct lab *lab, const char *text);

/* ---- lab_measure.c, lab_run.c, lab_command.c ---- */

/* Sets all of a lab up: hosts, links, files, services. */
bool lab_set_up(struct lab *lab, const struct lab_options *options, int lifeline);
int lab_run(struct lab *lab, unsigned run, int result_fd);
int lab_command(struct lab *lab, unsigned host, char *const *arguments);

/* ---- lab_request.c ---- */

/* Listens for events told by hand: by `braid lab --tell`, on any host. */
void lab_listen(struct lab *lab);
void lab_take_requests(struct lab *lab);
int lab_tell(const char *words); /* the other side; an exit status */

/* One line to standard error, "braid: ...". */
void lab_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "file:line: ..." */
void lab_say_at(struct scenario_place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
