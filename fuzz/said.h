/* What is told to a person: standard error is listened to, and a complaint must be one line. And files that are only
 * there while they are asked for. */
#ifndef SAID_H
#define SAID_H

#ifndef _GNU_SOURCE
#error "_GNU_SOURCE is for whoever includes this to define, before anything else"
#endif
#include "fuzz.h"
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static char said[8192];
static FILE *said_before;

static inline void listen_to_stderr(void) {
    said_before = stderr;
    memset(said, 0, sizeof(said));
    stderr = fmemopen(said, sizeof(said) - 1, "w");
    ENSURE(stderr != NULL);
}

static inline void stop_listening(void) {
    fclose(stderr);
    stderr = said_before;
}

static inline bool said_one_line(void) {
    const char *end = strchr(said, '\n');
    return end != NULL && end > said && end[1] == '\0';
}

/* Standard output goes nowhere, from the first call on. */
static inline void be_quiet(void) {
    static FILE *nowhere;
    if (nowhere == NULL) stdout = nowhere = fopen("/dev/null", "we");
    ENSURE(nowhere != NULL);
}

/* A file in memory, and a path to it. */
struct memory_file {
    int fd;
    char path[40];
};

static inline void memory_file_write(struct memory_file *file, const void *bytes, size_t length) {
    if (file->path[0] == '\0') {
        file->fd = memfd_create("fuzz", MFD_CLOEXEC);
        ENSURE(file->fd >= 0);
        snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
    }
    ENSURE(ftruncate(file->fd, 0) == 0 && pwrite(file->fd, bytes, length, 0) == (ssize_t)length);
}

/* The input's lines as words of a command line: at most `max`, and a NULL behind them. `text` has room for length + 1. */
static inline int words_of(char *text, const uint8_t *bytes, size_t length, char **words, int max) {
    int count = 0;
    memcpy(text, bytes, length);
    text[length] = '\0';
    for (char *at = text; at != NULL && count < max;) {
        words[count++] = at;
        at = strchr(at, '\n');
        if (at != NULL) *at++ = '\0';
    }
    words[count] = NULL;
    return count;
}

#endif
