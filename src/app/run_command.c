#define _GNU_SOURCE
#include "run_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* As shells have it. */
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128

static const int taken_signals[] = {SIGINT,  SIGQUIT, SIGTERM, SIGHUP,   SIGTSTP,
                                    SIGCONT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};

bool run_command_prepare(struct run_command *command) {
    sigset_t set;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    *command = (struct run_command){.channel = -1, .signals = -1};
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(taken_signals) / sizeof(taken_signals[0]); i++)
        sigaddset(&set, taken_signals[i]);
    if (getrlimit(RLIMIT_NOFILE, &command->old_descriptors) < 0) return false;
    if (sigprocmask(SIG_BLOCK, &set, &command->old_mask) < 0) return false;
    sigaction(SIGPIPE, &ignore, &command->old_pipe);
    command->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return command->signals >= 0;
}

/* ---- the child ---- */

#define DESCRIPTORS_BYTES (NAMESPACE_QUEUES_MAX * sizeof(int))

/* The answer of the child: what went wrong (empty: nothing), with the TUN device's descriptors beside it. */
static void answer(int channel, const int *tun_fds, unsigned count, char text[NAMESPACE_TEXT_MAX]) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(DESCRIPTORS_BYTES)];
    } control = {0};
    struct iovec run = {text, NAMESPACE_TEXT_MAX};
    struct msghdr message = {.msg_iov = &run, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), tun_fds, count * sizeof(int));
    }
    (void)!sendmsg(channel, &message, MSG_NOSIGNAL);
}

/* When braid dies the command's network is dead: the command goes with it. Forgotten when identity changes,
 * so to be said after that. */
static void die_with_parent(pid_t parent) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(STATUS_SIGNAL + SIGKILL);
}

static void become(const struct run_command *command, char **argv) {
    setrlimit(RLIMIT_NOFILE, &command->old_descriptors);
    sigaction(SIGPIPE, &command->old_pipe, NULL);
    sigprocmask(SIG_SETMASK, &command->old_mask, NULL);
    execvp(argv[0], argv);
    if (errno == ENOENT) {
        fprintf(stderr, "braid: %s: command not found\n", argv[0]);
        _exit(STATUS_NOT_FOUND);
    }
    fprintf(stderr, "braid: %s: %s\n", argv[0], strerror(errno));
    _exit(STATUS_NOT_EXECUTABLE);
}

static void child(const struct run_command *command, int channel, const struct namespace_plan *plan,
                  char **argv, pid_t parent) {
    char text[NAMESPACE_TEXT_MAX] = "", go;
    int tun_fds[NAMESPACE_QUEUES_MAX];
    die_with_parent(parent);
    bool entered = namespace_enter(plan, tun_fds, text);
    answer(channel, tun_fds, entered ? plan->queues : 0, text);
    if (!entered) _exit(2);
    for (unsigned i = 0; i < plan->queues; i++)
        close(tun_fds[i]);
    die_with_parent(parent);
    if (recv(channel, &go, 1, 0) != 1) _exit(2);
    become(command, argv);
}

/* ---- the parent ---- */

/* False: it has no descriptors, or not as many as there are queues, in which case none is kept. */
static bool take_descriptors(struct msghdr *message, int *tun_fds, unsigned queues) {
    int fds[NAMESPACE_QUEUES_MAX];
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return false;
    unsigned count = (unsigned)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    if (count == queues) memcpy(tun_fds, fds, count * sizeof(int));
    for (unsigned i = 0; count != queues && i < count; i++)
        close(fds[i]);
    return count == queues;
}

static bool take_answer(int channel, int *tun_fds, unsigned queues, char text[NAMESPACE_TEXT_MAX]) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(DESCRIPTORS_BYTES)];
    } control;
    struct iovec run = {text, NAMESPACE_TEXT_MAX};
    struct msghdr message = {
        .msg_iov = &run, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control.bytes)};
    ssize_t length;
    do
        length = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length != NAMESPACE_TEXT_MAX) {
        snprintf(text, NAMESPACE_TEXT_MAX, "the command's process ended before it began");
        return false;
    }
    text[NAMESPACE_TEXT_MAX - 1] = 0;
    if (take_descriptors(&message, tun_fds, queues)) return true;
    if (text[0] == 0)
        snprintf(text, NAMESPACE_TEXT_MAX, "too few file descriptors: raise the limit (ulimit -n)");
    return false;
}

bool run_command_start(struct run_command *command, const struct namespace_plan *plan, char **argv,
                       int tun_fds[NAMESPACE_QUEUES_MAX], char text[NAMESPACE_TEXT_MAX]) {
    int pair[2];
    pid_t parent = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
        fflush(NULL);
        command->pid = fork();
        if (command->pid == 0) {
            close(pair[0]);
            child(command, pair[1], plan, argv, parent);
        }
        close(pair[1]);
        command->channel = pair[0];
        if (command->pid > 0) return take_answer(pair[0], tun_fds, plan->queues, text);
        command->pid = 0;
    }
    snprintf(text, NAMESPACE_TEXT_MAX, "cannot start a process: %s", strerror(errno));
    return false;
}

void run_command_go(struct run_command *command) {
    (void)!send(command->channel, "g", 1, MSG_NOSIGNAL);
    close(command->channel);
    command->channel = -1;
}

/* ---- signals ---- */

static void note_end(struct run_command *command) {
    int status;
    if (command->ended || command->pid <= 0) return;
    if (waitpid(command->pid, &status, WNOHANG) != command->pid) return;
    command->ended = true;
    command->status = status;
}

/* What the terminal sends goes to the whole foreground process group, so the command has it already. Of such
 * a stop braid itself must take part, for the shell waits for it. */
static void pass_on(const struct run_command *command, const struct signalfd_siginfo *info) {
    int signal = (int)info->ssi_signo;
    if (info->ssi_code != SI_KERNEL && command->pid > 0 && !command->ended) kill(command->pid, signal);
    if (signal == SIGTSTP) raise(SIGSTOP);
}

int run_command_signals(struct run_command *command) {
    struct signalfd_siginfo info;
    int to_end = 0;
    while (read(command->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int signal = (int)info.ssi_signo;
        if (signal == SIGCHLD)
            note_end(command);
        else
            pass_on(command, &info);
        if (signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT) to_end = signal;
    }
    return command->ended || command->pid <= 0 ? to_end : 0;
}

/* Who started braid sees what it would have seen of the command; but there is one core dump, not two. */
static void die_alike(int signal) {
    struct rlimit none = {0, 0};
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t set;
    setrlimit(RLIMIT_CORE, &none);
    sigaction(signal, &standard, NULL);
    sigemptyset(&set);
    sigaddset(&set, signal);
    fflush(NULL);
    raise(signal);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int run_command_exit_status(const struct run_command *command) {
    if (WIFEXITED(command->status)) return WEXITSTATUS(command->status);
    if (!WIFSIGNALED(command->status)) return 1;
    die_alike(WTERMSIG(command->status));
    return STATUS_SIGNAL + WTERMSIG(command->status);
}
