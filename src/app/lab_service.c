/* Files, services, and commands before a run. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <base/prng.h>
#include "lab_internal.h"

#define READY_POLL_NS (5 * BRAID_NS_PER_MS)
#define BEFORE_TIMEOUT_NS (30 * BRAID_NS_PER_S)
#define LOG_LINES 10

/* ---- files ---- */

static void make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
}

static bool write_all(int fd, const void *bytes, size_t length) {
    for (const char *from = bytes; length > 0;) {
        ssize_t written = write(fd, from, length);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        from += written;
        length -= (size_t)written;
    }
    return true;
}

static bool write_random(int fd, uint64_t bytes, uint64_t seed) {
    static uint64_t block[8192];
    struct prng prng;
    prng_seed(&prng, seed);
    while (bytes > 0) {
        size_t length = bytes < sizeof(block) ? (size_t)bytes : sizeof(block);
        for (size_t i = 0; i < ARRAY_COUNT(block); i++)
            block[i] = prng_next(&prng);
        if (!write_all(fd, block, length)) return false;
        bytes -= length;
    }
    return true;
}

char *lab_expand(const struct lab *lab, const char *text) {
    const char *const names[][2] = {
        {"${TMP}", LAB_TEMPORARY},
        {"${BRAID}", lab->options->braid},
        {"${OUT}", lab->options->out != NULL ? lab->options->out : LAB_TEMPORARY},
    };
    char *out = NULL;
    size_t length;
    FILE *stream = open_memstream(&out, &length);
    if (stream == NULL) return NULL;
    while (*text != '\0') {
        size_t i = 0;
        while (i < ARRAY_COUNT(names) && strncmp(text, names[i][0], strlen(names[i][0])) != 0)
            i++;
        if (i < ARRAY_COUNT(names)) {
            fputs(names[i][1], stream);
            text += strlen(names[i][0]);
        } else {
            fputc(*text++, stream);
        }
    }
    if (fclose(stream) == 0) return out;
    free(out);
    return NULL;
}

static bool make_file(struct lab *lab, const struct scenario_file *file) {
    char path[4096];
    snprintf(path, sizeof(path), LAB_TEMPORARY "/%s", file->path);
    make_folders(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0;
    if (good && file->text != NULL) {
        char *text = lab_expand(lab, file->text);
        good = text != NULL && write_all(fd, text, strlen(text));
        free(text);
    } else if (good) {
        good = write_random(fd, file->bytes, file->seed);
    }
    if (!good) lab_say_at(file->place, "the file %s cannot be made: %s", path, strerror(errno));
    if (fd >= 0) close(fd);
    return good;
}

bool lab_make_files(struct lab *lab) {
    for (size_t i = 0; i < lab->scenario->file_count; i++)
        if (!make_file(lab, &lab->scenario->files[i])) return false;
    return true;
}

/* ---- readiness ---- */

/* Whether a socket of this kind stands at the port, by the host's own table: asking so disturbs nobody. */
static bool port_in_table(struct lab *lab, unsigned host, const char *table, unsigned port, unsigned state) {
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/thread-self/net/%s", table);
    lab_enter_network(lab, (int)host);
    FILE *stream = fopen(path, "re");
    lab_enter_network(lab, -1);
    bool found = false;
    while (stream != NULL && !found && fgets(line, sizeof(line), stream) != NULL) {
        unsigned its_port, its_state;
        if (sscanf(line, " %*[0-9]: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", &its_port, &its_state) != 2)
            continue;
        found = its_port == port && its_state == state;
    }
    if (stream != NULL) fclose(stream);
    return found;
}

#define STATE_LISTEN 0x0a
#define STATE_UNCONNECTED 0x07

static bool command_succeeds(struct lab *lab, const struct scenario_service *service, braid_time deadline) {
    int log = lab_open_log(lab, service->name), status = 1;
    if (log < 0) return false;
    struct lab_start start = {.host = service->host,
                              .shell = service->ready_command,
                              .in = -1,
                              .out = log,
                              .err = log,
                              .own_group = true};
    pid_t pid = lab_start(lab, &start);
    close(log);
    return pid > 0 && lab_wait(lab, pid, deadline, &status) && lab_exit_status(status) == 0;
}

static bool is_ready(struct lab *lab, const struct scenario_service *service, braid_time deadline) {
    unsigned host = service->host, port = service->ready_port;
    switch (service->ready) {
    case SCENARIO_READY_AT_ONCE:
        return true;
    case SCENARIO_READY_TCP:
        return port_in_table(lab, host, "tcp", port, STATE_LISTEN) ||
               port_in_table(lab, host, "tcp6", port, STATE_LISTEN);
    case SCENARIO_READY_UDP:
        return port_in_table(lab, host, "udp", port, STATE_UNCONNECTED) ||
               port_in_table(lab, host, "udp6", port, STATE_UNCONNECTED);
    case SCENARIO_READY_COMMAND:
        return command_succeeds(lab, service, deadline);
    }
    return true;
}

static bool wait_until_ready(struct lab *lab, const struct scenario_service *service, pid_t pid) {
    braid_time deadline = emulator_now() + service->timeout_ns;
    int status;
    while (!is_ready(lab, service, deadline)) {
        bool ended = lab_ended(lab, pid, &status);
        if (lab->ending != 0) return false;
        if (ended || emulator_now() >= deadline) {
            if (ended)
                lab_say_at(service->place, "service %s ended with status %d before it was ready",
                           service->name, lab_exit_status(status));
            else
                lab_say_at(service->place, "service %s is not ready after %.1f s", service->name,
                           (double)service->timeout_ns / 1e9);
            lab_show_log(lab, service->name, LOG_LINES);
            return false;
        }
        lab_poll(lab, -1, emulator_now() + READY_POLL_NS);
    }
    return true;
}

/* ---- services ---- */

static pid_t start_service(struct lab *lab, const struct scenario_service *service, int measured_out) {
    int log = lab_open_log(lab, service->name);
    if (log < 0) return -1;
    struct lab_start start = {.host = service->host,
                              .shell = service->command,
                              .in = -1,
                              .out = measured_out >= 0 ? measured_out : log,
                              .err = log,
                              .own_group = true};
    pid_t pid = lab_start(lab, &start);
    close(log);
    return pid;
}

/* All start at once, so that they get ready beside each other. */
bool lab_start_services(struct lab *lab, const struct scenario_service *services, size_t count,
                        const char *measured, int measured_out) {
    pid_t *pids = calloc(count + 1, sizeof(*pids));
    bool good = pids != NULL;
    for (size_t i = 0; good && i < count; i++) {
        bool this_one = measured != NULL && strcmp(services[i].name, measured) == 0;
        pids[i] = start_service(lab, &services[i], this_one ? measured_out : -1);
        good = pids[i] > 0;
    }
    for (size_t i = 0; good && i < count; i++)
        good = wait_until_ready(lab, &services[i], pids[i]);
    free(pids);
    return good;
}

bool lab_run_before(struct lab *lab, const struct scenario_run *run) {
    for (size_t i = 0; i < run->before_count; i++) {
        const struct scenario_command *command = &run->before[i];
        int log = lab_open_log(lab, run->name), status = 0;
        if (log < 0) return false;
        struct lab_start start = {.host = command->host,
                                  .shell = command->command,
                                  .in = -1,
                                  .out = log,
                                  .err = log,
                                  .own_group = true};
        pid_t pid = lab_start(lab, &start);
        close(log);
        bool ended = pid > 0 && lab_wait(lab, pid, emulator_now() + BEFORE_TIMEOUT_NS, &status);
        if (ended && lab_exit_status(status) == 0) continue;
        if (lab->ending != 0) return false;
        if (ended)
            lab_say_at(command->place, "this has exit status %d: %s", lab_exit_status(status),
                       command->command);
        else
            lab_say_at(command->place, "this does not end: %s", command->command);
        lab_show_log(lab, run->name, LOG_LINES);
        return false;
    }
    return true;
}
