/* Making a lab: new namespaces, with a process in them that is their init.
 *
 *     braid lab  ->  keeper  ->  init
 *
 * The keeper exists because a process that creates a pid namespace does not get into it: its child does. When
 * braid lab dies, however it dies, the kernel kills the keeper (PR_SET_PDEATHSIG), then init, and with init
 * the whole lab. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lab_internal.h"

#define NAMESPACES (CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC)

/* What keeper and maker tell each other: an errno value. */
static void tell(int fd, int error) {
    ssize_t done;
    do
        done = write(fd, &error, sizeof(error));
    while (done < 0 && errno == EINTR);
}

static int hear(int fd) {
    int error;
    ssize_t done;
    do
        done = read(fd, &error, sizeof(error));
    while (done < 0 && errno == EINTR);
    return done == sizeof(error) ? error : EPIPE;
}

static int write_file(pid_t pid, const char *name, const char *text) {
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);
    return error;
}

/* In there root is whoever made the lab. Where that is root, everybody else keeps their number too. */
static int map_users(pid_t keeper) {
    const char everybody[] = "0 0 4294967295";
    if (geteuid() == 0 && write_file(keeper, "uid_map", everybody) == 0)
        return write_file(keeper, "gid_map", everybody);
    char user[32], group[32];
    snprintf(user, sizeof(user), "0 %u 1", geteuid());
    snprintf(group, sizeof(group), "0 %u 1", getegid());
    int error = write_file(keeper, "setgroups", "deny");
    if (error == 0) error = write_file(keeper, "uid_map", user);
    return error != 0 ? error : write_file(keeper, "gid_map", group);
}

static void die_with(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (parent != 0 && getppid() != parent) _exit(128 + SIGKILL);
}

/* ---- the keeper ---- */

static volatile sig_atomic_t ward; /* whom signals are passed on to */

static void pass_on(int signal) {
    if (ward > 0) kill((pid_t)ward, signal);
}

static void handle(int signal, void (*handler)(int)) {
    struct sigaction action = {.sa_handler = handler};
    sigaction(signal, &action, NULL);
}

static int wait_for(pid_t pid) {
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return 1;
    return lab_exit_status(status);
}

struct spawn {
    int (*inside)(void *context, int lifeline);
    void *context;
    bool user_namespace;
    int to_maker[2], to_keeper[2], lifeline[2];
};

static _Noreturn void keep(struct spawn *spawn, pid_t maker) {
    close(spawn->lifeline[1]);
    close(spawn->to_maker[0]);
    close(spawn->to_keeper[1]);
    int error = spawn->user_namespace && unshare(CLONE_NEWUSER) != 0 ? errno : 0;
    tell(spawn->to_maker[1], error);
    if (error != 0 || hear(spawn->to_keeper[0]) != 0) _exit(1);
    die_with(maker);
    error = unshare(NAMESPACES) != 0 ? errno : 0;
    tell(spawn->to_maker[1], error);
    if (error != 0) _exit(1);

    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t init = fork();
    if (init == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(spawn->to_maker[1]);
        close(spawn->to_keeper[0]);
        int status = spawn->inside(spawn->context, spawn->lifeline[0]);
        fflush(NULL);
        _exit(status); /* the kernel tidies up better than we could */
    }
    if (init < 0) _exit(1);
    ward = init;
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(spawn->lifeline[0]);
    _exit(wait_for(init));
}

/* ---- the maker ---- */

static void close_pair(int pair[2]) {
    if (pair[0] >= 0) close(pair[0]);
    if (pair[1] >= 0) close(pair[1]);
    pair[0] = pair[1] = -1;
}

/* 0, or the errno value of what the system does not allow; then the keeper is gone. */
static int start_keeper(struct spawn *spawn, pid_t *keeper) {
    if (pipe2(spawn->to_maker, O_CLOEXEC) != 0 || pipe2(spawn->to_keeper, O_CLOEXEC) != 0 ||
        pipe2(spawn->lifeline, O_CLOEXEC) != 0)
        return errno;
    pid_t maker = getpid();
    fflush(NULL);
    *keeper = fork();
    if (*keeper < 0) return errno;
    if (*keeper == 0) keep(spawn, maker);
    ward = *keeper;
    /* The emulator inherits it; in there nobody could give it any more. Where this is refused, it does
     * without. */
    struct sched_param priority = {.sched_priority = 1};
    if (sched_setscheduler(*keeper, SCHED_FIFO, &priority) != 0) errno = 0;
    close(spawn->to_maker[1]);
    spawn->to_maker[1] = -1;
    int error = hear(spawn->to_maker[0]);
    if (error == 0 && spawn->user_namespace) error = map_users(*keeper);
    if (error == 0) {
        tell(spawn->to_keeper[1], 0);
        error = hear(spawn->to_maker[0]);
    } else {
        tell(spawn->to_keeper[1], error);
    }
    if (error != 0) wait_for(*keeper);
    return error;
}

static int attempt(struct spawn *spawn, pid_t *keeper) {
    memset(spawn->to_maker, -1, sizeof(spawn->to_maker));
    memset(spawn->to_keeper, -1, sizeof(spawn->to_keeper));
    memset(spawn->lifeline, -1, sizeof(spawn->lifeline));
    int error = start_keeper(spawn, keeper);
    close_pair(spawn->to_maker);
    close_pair(spawn->to_keeper);
    if (error != 0) close_pair(spawn->lifeline);
    return error;
}

int lab_spawn(int (*inside)(void *context, int lifeline), void *context, bool deaf) {
    static bool no_user_namespace; /* said once, for all the labs of this program */
    struct spawn spawn = {.inside = inside, .context = context, .user_namespace = !no_user_namespace};
    pid_t keeper = 0;
    handle(SIGTERM, pass_on);
    handle(SIGHUP, pass_on);
    handle(SIGINT, deaf ? SIG_IGN : pass_on);
    int error = attempt(&spawn, &keeper);
    if (error != 0 && spawn.user_namespace && geteuid() == 0) {
        lab_say("this system allows no user namespace (%s): the lab uses root's own rights", strerror(error));
        no_user_namespace = true;
        spawn.user_namespace = false;
        error = attempt(&spawn, &keeper);
    }
    int status = 2;
    if (error == 0)
        status = wait_for(keeper);
    else
        lab_say("a lab needs namespaces, and this system allows none here (%s)%s", strerror(error),
                geteuid() == 0 ? "" : ": try it as root, with sudo");
    ward = 0;
    close_pair(spawn.lifeline);
    return status;
}
