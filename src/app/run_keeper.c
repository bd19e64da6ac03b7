#define _GNU_SOURCE
#include "run_keeper.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 50 /* processes may be born while others are ended */
#define ROUND_MS 10

struct network {
    dev_t device;
    ino_t inode;
};

static bool network_of(const char *pid, struct network *out) {
    char path[300];
    struct stat status;
    snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
    if (stat(path, &status) != 0) return false;
    *out = (struct network){status.st_dev, status.st_ino};
    return true;
}

/* Returns how many processes of the network there were. */
static unsigned end_all(const struct network *network) {
    unsigned found = 0;
    DIR *processes = opendir("/proc");
    if (processes == NULL) return 0;
    const struct dirent *entry;
    while ((entry = readdir(processes)) != NULL) {
        struct network theirs;
        if (!isdigit((unsigned char)entry->d_name[0]) || !network_of(entry->d_name, &theirs)) continue;
        if (theirs.device != network->device || theirs.inode != network->inode) continue;
        found++;
        kill((pid_t)atol(entry->d_name), SIGKILL);
    }
    closedir(processes);
    return found;
}

static void keep(int channel) {
    struct network network = {0}, own;
    bool known = false;
    char word;
    ssize_t length;
    for (;;) {
        length = recv(channel, &network, sizeof(network), 0);
        if (length < 0 && errno == EINTR) continue;
        if (length != (ssize_t)sizeof(network)) break;
        known = true;
    }
    memcpy(&word, &network, 1);
    if (length == 1 && word == 'd') return; /* dismissed */
    if (!known || !network_of("self", &own)) return;
    if (own.device == network.device && own.inode == network.inode) return; /* never our own */
    for (unsigned i = 0; i < ROUNDS_MAX && end_all(&network) > 0; i++)
        nanosleep(&(struct timespec){.tv_nsec = ROUND_MS * 1000000L}, NULL);
}

/* Holds nothing of braid's open, and is of no terminal. */
static void let_go_of_everything(int channel) {
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    dup2(channel, 3);
    close_range(4, ~0u, 0);
    setsid();
    (void)!chdir("/");
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    prctl(PR_SET_NAME, "braid-keeper");
}

int run_keeper_start(struct run_keeper *keeper) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
    keeper->pid = fork();
    if (keeper->pid == 0) {
        close(pair[0]);
        let_go_of_everything(pair[1]);
        keep(3);
        _exit(0);
    }
    close(pair[1]);
    keeper->channel = pair[0];
    if (keeper->pid > 0) return 0;
    close(pair[0]);
    return -EAGAIN;
}

void run_keeper_watch(const struct run_keeper *keeper, pid_t pid) {
    struct network network;
    char text[32];
    memset(&network, 0, sizeof(network));
    snprintf(text, sizeof(text), "%d", (int)pid);
    if (network_of(text, &network)) (void)!send(keeper->channel, &network, sizeof(network), MSG_NOSIGNAL);
}

void run_keeper_dismiss(struct run_keeper *keeper) {
    (void)!send(keeper->channel, "d", 1, MSG_NOSIGNAL);
    close(keeper->channel);
    waitpid(keeper->pid, NULL, 0);
}
