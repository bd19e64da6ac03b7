/* Events told by hand, while a lab runs: `braid lab --tell 'down: wlan0'` on any of its hosts. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "lab_internal.h"

#define SOCKET_PATH LAB_TEMPORARY "/.events"
#define WORDS_MAX 1024

static const struct sockaddr_un place = {.sun_family = AF_UNIX, .sun_path = SOCKET_PATH};

void lab_listen(struct lab *lab) {
    lab->requests = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (lab->requests < 0) return;
    if (bind(lab->requests, (const struct sockaddr *)&place, sizeof(place)) == 0 &&
        listen(lab->requests, 8) == 0)
        return;
    close(lab->requests);
    lab->requests = -1;
}

static bool obey(struct lab *lab, const char *words) {
    const struct scenario_event *event = scenario_parse_event(lab->scenario, words);
    if (event == NULL) return false;
    if (event->action != SCENARIO_EXEC) return lab_apply(lab, event);
    struct lab_start start = {.host = event->host, .shell = event->command, .in = -1, .out = -1, .err = -1};
    return lab_start(lab, &start) > 0;
}

void lab_take_requests(struct lab *lab) {
    int client = accept4(lab->requests, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) return;
    struct timeval patience = {.tv_usec = 200000};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    char words[WORDS_MAX];
    ssize_t length = recv(client, words, sizeof(words) - 1, 0);
    if (length > 0) {
        words[length] = '\0';
        unsigned char status = obey(lab, words) ? 0 : 2;
        send(client, &status, 1, MSG_NOSIGNAL);
    }
    close(client);
}

int lab_tell(const char *words) {
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    unsigned char status = 2;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&place, sizeof(place)) != 0) {
        lab_say("there is no lab here to be told: --tell is for commands that run on a lab's host");
    } else if (strlen(words) >= WORDS_MAX || send(fd, words, strlen(words), MSG_NOSIGNAL) < 0 ||
               recv(fd, &status, 1, 0) != 1) {
        lab_say("the lab did not take it: %s", strerror(errno));
        status = 2;
    }
    if (fd >= 0) close(fd);
    return status;
}
