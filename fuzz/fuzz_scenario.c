/* Any bytes as a scenario file: it is read, or refused with one line that names a line of it. */
#define _GNU_SOURCE
#include "fuzz.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>
#include <scenario.h>

static int file = -1;
static char path[40];

static void begin(void) {
    file = memfd_create("scenario", 0);
    ENSURE(file >= 0);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    char said[4096];
    if (file < 0) begin();
    if (memmem(bytes, length, "trace", 5) != NULL) return 0; /* it names another file, which may be any */
    ENSURE(ftruncate(file, 0) == 0 && pwrite(file, bytes, length, 0) == (ssize_t)length);
    FILE *real = stderr;
    memset(said, 0, sizeof(said));
    stderr = fmemopen(said, sizeof(said) - 1, "w");
    ENSURE(stderr != NULL);
    struct scenario *scenario = scenario_read(path);
    fclose(stderr);
    stderr = real;
    if (scenario != NULL) {
        scenario_free(scenario);
        return 0;
    }
    const char *end = strchr(said, '\n');
    ENSURE(end != NULL && end[1] == '\0' && end > said); /* one line */
    return 0;
}
