/* Processes on hosts, and the lab's waiting for them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "lab_internal.h"

void lab_say(const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "braid: %s\n", text);
}

void lab_say_at(struct scenario_place place, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "%s:%u: %s\n", place.file, place.line, text);
}

int lab_exit_status(int status) {
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- starting ---- */

static _Noreturn void fail_in_child(const char *what, int status) {
    dprintf(STDERR_FILENO, "braid: %s: %s\n", what, strerror(errno));
    _exit(status);
}

static void use_as(int fd, int number) {
    if (fd == number || fd < 0) return;
    if (dup2(fd, number) < 0) _exit(126);
}

static void restore_signals(void) {
    sigset_t none;
    for (int signal = 1; signal < NSIG; signal++) {
        struct sigaction usual = {.sa_handler = SIG_DFL};
        sigaction(signal, &usual, NULL); /* SIGKILL and SIGSTOP say no, which is fine */
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_environment(const struct lab *lab, const struct lab_host *host) {
    setenv("BRAID", lab->options->braid, 1);
    setenv("TMP", LAB_TEMPORARY, 1);
    setenv("OUT", lab->options->out != NULL ? lab->options->out : LAB_TEMPORARY, 1);
    setenv("LAB_HOST", host->config->name, 1);
}

static _Noreturn void become(struct lab *lab, const struct lab_start *start) {
    const struct lab_host *host = &lab->hosts[start->host];
    if (start->own_group) setpgid(0, 0);
    if (setns(host->network, CLONE_NEWNET) != 0 || setns(host->names, CLONE_NEWUTS) != 0 ||
        setns(host->mounts, CLONE_NEWNS) != 0)
        fail_in_child(host->config->name, 126);
    /* Entering the mounts led to /. A folder under /run is not there any more. */
    if (lab->options->folder == NULL || chdir(lab->options->folder) != 0) errno = 0;
    int in = start->in >= 0 ? start->in : open("/dev/null", O_RDONLY | O_CLOEXEC);
    use_as(in, STDIN_FILENO);
    use_as(start->out, STDOUT_FILENO);
    use_as(start->err, STDERR_FILENO);
    set_environment(lab, host);
    restore_signals();
    if (start->shell != NULL) {
        execl("/bin/sh", "sh", "-c", start->shell, (char *)NULL);
        fail_in_child("/bin/sh", 127);
    }
    execvp(start->arguments[0], start->arguments);
    fail_in_child(start->arguments[0], errno == ENOENT ? 127 : 126);
}

static bool room_for_process(struct lab *lab) {
    if (lab->process_count < lab->process_capacity) return true;
    size_t capacity = 2 * lab->process_capacity + 16;
    struct lab_process *processes = realloc(lab->processes, capacity * sizeof(*processes));
    if (processes == NULL) return false;
    lab->processes = processes;
    lab->process_capacity = capacity;
    return true;
}

pid_t lab_start(struct lab *lab, const struct lab_start *start) {
    pid_t pid = -1;
    if (room_for_process(lab)) {
        fflush(NULL);
        pid = fork();
        if (pid == 0) become(lab, start);
    }
    if (pid < 0) lab_say("a command cannot be started: %s", strerror(errno));
    if (pid > 0) {
        if (start->own_group) setpgid(pid, pid); /* whoever comes first */
        lab->processes[lab->process_count++] = (struct lab_process){.pid = pid};
    }
    return pid;
}

void lab_kill_group(struct lab *lab, pid_t pid) {
    (void)lab;
    kill(-pid, SIGTERM);
    kill(-pid, SIGCONT);
    struct timespec moment = {.tv_nsec = 20 * 1000 * 1000};
    nanosleep(&moment, NULL);
    kill(-pid, SIGKILL);
}

/* ---- waiting ---- */

static void reap(struct lab *lab) {
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        for (size_t i = 0; i < lab->process_count; i++) {
            struct lab_process *process = &lab->processes[i];
            if (process->pid != pid || process->ended) continue;
            process->ended = true;
            process->status = status;
        }
    }
}

static void take_signals(struct lab *lab) {
    struct signalfd_siginfo info;
    while (read(lab->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        int signal = (int)info.ssi_signo;
        if (signal == SIGCHLD || (signal == SIGINT && lab->deaf)) continue;
        lab->ending = signal;
    }
    reap(lab);
}

static struct timespec time_left(braid_time deadline) {
    braid_time now = emulator_now(), left = deadline > now ? deadline - now : 0;
    return (struct timespec){(time_t)(left / BRAID_NS_PER_S), (long)(left % BRAID_NS_PER_S)};
}

bool lab_poll(struct lab *lab, int fd, braid_time deadline) {
    struct pollfd fds[] = {{.fd = lab->signals, .events = POLLIN},
                           {.fd = lab->lifeline, .events = POLLIN},
                           {.fd = lab->requests, .events = POLLIN},
                           {.fd = fd, .events = POLLIN}};
    struct timespec timeout = {0};
    if (deadline != BRAID_NEVER) timeout = time_left(deadline);
    if (ppoll(fds, ARRAY_COUNT(fds), deadline != BRAID_NEVER ? &timeout : NULL, NULL) <= 0) return false;
    if (fds[0].revents != 0) take_signals(lab);
    if (fds[1].revents != 0) lab->ending = SIGKILL;
    if (fds[2].revents != 0) lab_take_requests(lab);
    return fd >= 0 && fds[3].revents != 0;
}

bool lab_ended(const struct lab *lab, pid_t pid, int *status) {
    for (size_t i = 0; i < lab->process_count; i++) {
        if (lab->processes[i].pid != pid || !lab->processes[i].ended) continue;
        *status = lab->processes[i].status;
        return true;
    }
    return false;
}

bool lab_wait(struct lab *lab, pid_t pid, braid_time deadline, int *status) {
    while (!lab_ended(lab, pid, status)) {
        if (lab->ending != 0 || emulator_now() >= deadline) return false;
        lab_poll(lab, -1, deadline);
    }
    return true;
}

/* ---- logs ---- */

static void log_path(const struct lab *lab, const char *name, char *path, size_t room) {
    snprintf(path, room, "%s/%s.log", lab->log_folder, name);
}

int lab_open_log(struct lab *lab, const char *name) {
    char path[4096];
    log_path(lab, name, path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) lab_say("%s cannot be written: %s", path, strerror(errno));
    return fd;
}

void lab_show_log(struct lab *lab, const char *name, unsigned lines) {
    char path[4096], text[8192];
    log_path(lab, name, path, sizeof(path));
    FILE *stream = fopen(path, "re");
    if (stream == NULL) return;
    if (fseek(stream, -(long)(sizeof(text) - 1), SEEK_END) != 0) rewind(stream);
    size_t length = fread(text, 1, sizeof(text) - 1, stream);
    fclose(stream);
    while (length > 0 && text[length - 1] == '\n')
        length--;
    text[length] = '\0';
    char *from = text + length;
    for (unsigned seen = 0; from > text; from--)
        if (from[-1] == '\n' && ++seen == lines) break;
    for (char *line = strtok(from, "\n"); line != NULL; line = strtok(NULL, "\n"))
        fprintf(stderr, "  | %s\n", line);
}
