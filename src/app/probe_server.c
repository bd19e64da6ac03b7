#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "probe_internal.h"

#define LINE 256

static void answer_download(int fd, uint64_t bytes, uint64_t seed) {
    struct probe_pattern pattern;
    if (!probe_pattern_init(&pattern, seed)) return;
    if (probe_send_stream(fd, &pattern, bytes, 0, 0) == 0) shutdown(fd, SHUT_WR);
    char rest;
    while (read(fd, &rest, 1) > 0)
        continue; /* until the client has closed too */
    probe_pattern_deinit(&pattern);
}

static void answer_upload(int fd, uint64_t seed) {
    struct probe_pattern pattern;
    struct probe_seen seen;
    if (!probe_pattern_init(&pattern, seed)) return;
    probe_receive_stream(fd, &pattern, UINT64_MAX, 0, &seen);
    json_t *object = probe_seen_json(&seen);
    char *text = json_dumps(object, JSON_COMPACT);
    if (text != NULL && probe_write_all(fd, text, strlen(text)) && probe_write_all(fd, "\n", 1))
        shutdown(fd, SHUT_WR);
    free(text);
    json_decref(object);
    probe_pattern_deinit(&pattern);
}

static void answer_echo(int fd) {
    static char buffer[65536];
    probe_no_delay(fd);
    for (;;) {
        ssize_t length = read(fd, buffer, sizeof(buffer));
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0 || !probe_write_all(fd, buffer, (size_t)length)) return;
    }
}

static void answer(int fd) {
    char line[LINE];
    uint64_t bytes, seed;
    if (!probe_read_line(fd, line, sizeof(line))) return;
    if (sscanf(line, "download %" SCNu64 " %" SCNu64, &bytes, &seed) == 2)
        answer_download(fd, bytes, seed);
    else if (sscanf(line, "upload %" SCNu64 " %" SCNu64, &bytes, &seed) == 2)
        answer_upload(fd, seed);
    else if (strncmp(line, "echo ", 5) == 0)
        answer_echo(fd);
}

int probe_serve(const struct probe_options *options) {
    int listener = probe_listen(options);
    if (listener < 0) return 1;
    signal(SIGCHLD, SIG_IGN); /* nobody waits for the children */
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (fd < 0) {
            fprintf(stderr, "braid: no connection can be taken: %s\n", strerror(errno));
            return 1;
        }
        pid_t pid = fork();
        if (pid == 0) {
            close(listener);
            answer(fd);
            _exit(0);
        }
        close(fd);
    }
}

int probe_receive(const struct probe_options *options) {
    static char buffer[65536];
    int listener = probe_listen(options),
        fd = listener < 0 ? -1 : accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) return 1;
    close(listener);
    for (;;) {
        ssize_t length = read(fd, buffer, sizeof(buffer));
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) fprintf(stderr, "braid: the connection broke: %s\n", strerror(errno));
        if (length <= 0) return length == 0 ? 0 : 1;
        if (!probe_write_all(STDOUT_FILENO, buffer, (size_t)length)) return 1;
    }
}
