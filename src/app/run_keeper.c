#define _GNU_SOURCE
#include "run_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 50 /* processes may be born while others are ended */
#define ROUND_MS 10

static void keep(int channel) {
    struct network_identity network = {0}, own;
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
    if (!known || !network_identity_of(0, &own)) return;
    if (own.device == network.device && own.inode == network.inode) return; /* never our own */
    for (unsigned i = 0; i < ROUNDS_MAX && network_processes(&network, SIGKILL) > 0; i++)
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

void run_keeper_watch(const struct run_keeper *keeper, const struct network_identity *network) {
    struct network_identity copy;
    memset(&copy, 0, sizeof(copy)); /* padding too: it is sent */
    copy.device = network->device;
    copy.inode = network->inode;
    (void)!send(keeper->channel, &copy, sizeof(copy), MSG_NOSIGNAL);
}

void run_keeper_dismiss(struct run_keeper *keeper) {
    (void)!send(keeper->channel, "d", 1, MSG_NOSIGNAL);
    close(keeper->channel);
    waitpid(keeper->pid, NULL, 0);
}
