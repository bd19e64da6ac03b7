#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <base/ensure.h>
#include "probe_internal.h"

#define LINE 256
#define ANSWER_BYTES 65536
#define SLOWEST 20
#define SAMPLES_MAX 20000
#define PATIENCE_S 30 /* for the last echoes */

static int print(json_t *object, bool good) {
    json_object_set_new(object, "completed", json_boolean(good));
    json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
    putchar('\n');
    json_decref(object);
    return good && fflush(stdout) == 0 ? 0 : 1;
}

/* ---- bulk ---- */

static json_t *download(int fd, const struct probe_options *options, const struct probe_pattern *pattern) {
    struct probe_seen seen;
    double end_s = options->for_s > 0 ? probe_now() + options->for_s : 0;
    probe_receive_stream(fd, pattern, options->for_s > 0 ? UINT64_MAX : options->bytes, end_s, &seen);
    return probe_seen_json(&seen);
}

static json_t *upload(int fd, const struct probe_options *options, const struct probe_pattern *pattern) {
    static char answer[ANSWER_BYTES];
    if (options->write_max != 0) probe_no_delay(fd);
    double end_s = options->for_s > 0 ? probe_now() + options->for_s : 0;
    uint64_t bytes = options->for_s > 0 ? UINT64_MAX : options->bytes;
    int error = probe_send_stream(fd, pattern, bytes, end_s, options->write_max);
    if (error == 0) shutdown(fd, SHUT_WR);
    json_t *object =
        error == 0 && probe_read_line(fd, answer, sizeof(answer)) ? json_loads(answer, 0, NULL) : NULL;
    if (object != NULL) return object;
    return json_pack("{s:s}", "error", strerror(error != 0 ? error : errno != 0 ? errno : ECONNRESET));
}

int probe_bulk(const struct probe_options *options) {
    struct probe_pattern pattern;
    char line[LINE];
    double started = probe_now();
    if (!probe_pattern_init(&pattern, options->seed)) return 1;
    int fd = probe_connect(options);
    if (fd < 0) {
        probe_pattern_deinit(&pattern);
        return print(json_pack("{s:s}", "error", strerror(errno)), false);
    }
    double connected = probe_now();
    probe_set_timeout(fd, options->timeout_s);
    snprintf(line, sizeof(line), "%s %" PRIu64 " %" PRIu64 "\n", options->upload ? "upload" : "download",
             options->for_s > 0 ? UINT64_MAX : options->bytes, options->seed);
    errno = 0;
    json_t *object = !probe_write_all(fd, line, strlen(line)) ? json_pack("{s:s}", "error", strerror(errno))
                     : options->upload                        ? upload(fd, options, &pattern)
                                                              : download(fd, options, &pattern);
    double last = json_number_value(json_object_get(object, "last_s"));
    uint64_t bytes = (uint64_t)json_integer_value(json_object_get(object, "bytes"));
    bool good = (options->for_s > 0 ? bytes > 0 : bytes == options->bytes) && json_is_true(json_object_get(object, "verified"));
    json_object_set_new(object, "started_s", json_real(started));
    json_object_set_new(object, "connect_ms", json_real((connected - started) * 1000));
    json_object_set_new(object, "seconds", json_real(last > started ? last - started : 0));
    json_object_set_new(object, "goodput_mbps",
                        json_real(last > started ? (double)bytes * 8 / (last - started) / 1e6 : 0));
    close(fd);
    probe_pattern_deinit(&pattern);
    return print(object, good);
}

/* ---- messages ---- */

struct messages {
    const struct probe_options *options;
    int fd, error;
    double started_s;
    size_t count, sent, echoed; /* whole messages */
    size_t sent_part, echoed_part;
    double *latency_s, last_echo_s;
    struct probe_seen seen; /* for its gaps */
    char *message, *buffer;
};

static double due_s(const struct messages *messages, size_t number) {
    return messages->started_s + (double)number / messages->options->rate;
}

/* A message is its number, and filling. */
static void fill(const struct messages *messages, size_t number) {
    memset(messages->message, (int)(number & 0xff), messages->options->size);
    memcpy(messages->message, &number, sizeof(number));
}

static void send_what_is_due(struct messages *messages) {
    size_t size = messages->options->size;
    while (messages->sent < messages->count && due_s(messages, messages->sent) <= probe_now()) {
        fill(messages, messages->sent);
        ssize_t written = send(messages->fd, messages->message + messages->sent_part,
                               size - messages->sent_part, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (written < 0 && errno != EAGAIN && errno != EINTR) messages->error = errno;
        if (written < 0) return;
        messages->sent_part += (size_t)written;
        if (messages->sent_part < size) continue;
        messages->sent_part = 0;
        messages->sent++;
    }
}

static void take_echo(struct messages *messages, double now) {
    size_t number;
    memcpy(&number, messages->buffer, sizeof(number));
    if (number != messages->echoed) messages->error = EBADMSG;
    messages->latency_s[messages->echoed] = now - due_s(messages, messages->echoed);
    if (messages->echoed > 0 && messages->seen.gap_count < ARRAY_COUNT(messages->seen.gaps) &&
        now - messages->last_echo_s > 1.5 / messages->options->rate) {
        messages->seen.gaps[messages->seen.gap_count][0] = messages->last_echo_s;
        messages->seen.gaps[messages->seen.gap_count++][1] = now;
    }
    messages->last_echo_s = now;
    messages->echoed++;
}

static void receive_echoes(struct messages *messages) {
    size_t size = messages->options->size;
    for (;;) {
        ssize_t length = recv(messages->fd, messages->buffer + messages->echoed_part,
                              size - messages->echoed_part, MSG_DONTWAIT);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (length <= 0) {
            messages->error = length == 0 ? ECONNRESET : errno;
            return;
        }
        messages->echoed_part += (size_t)length;
        if (messages->echoed_part < size) continue;
        messages->echoed_part = 0;
        take_echo(messages, probe_now());
    }
}

static void exchange(struct messages *messages) {
    double end = messages->started_s + messages->options->seconds + PATIENCE_S;
    while (messages->error == 0 && messages->echoed < messages->count && probe_now() < end) {
        send_what_is_due(messages);
        double next = messages->sent < messages->count ? due_s(messages, messages->sent) : end;
        double left = next - probe_now();
        if (left < 0) left = messages->sent_part != 0 ? 0.01 : 0;
        struct timespec timeout = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
        struct pollfd poll = {.fd = messages->fd, .events = POLLIN};
        if (ppoll(&poll, 1, &timeout, NULL) > 0) receive_echoes(messages);
    }
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static json_t *slowest(const struct messages *messages, double at_least_s) {
    json_t *array = json_array();
    for (size_t i = 0; i < messages->echoed && json_array_size(array) < SLOWEST; i++)
        if (messages->latency_s[i] >= at_least_s)
            json_array_append_new(array, json_pack("[f, f]", due_s(messages, i) - messages->started_s,
                                                   messages->latency_s[i] * 1000));
    return array;
}

static json_t *samples(const struct messages *messages) {
    json_t *array = json_array();
    for (size_t i = 0; i < messages->echoed && i < SAMPLES_MAX; i++)
        json_array_append_new(array, json_pack("[f, f]", due_s(messages, i), messages->latency_s[i] * 1000));
    return array;
}

static json_t *messages_json(struct messages *messages) {
    static const struct {
        const char *name;
        double share;
    } percentiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    json_t *object = json_object(), *latency = json_object(), *gaps = json_array();
    double *sorted = calloc(messages->count + 1, sizeof(*sorted));
    size_t n = messages->echoed;
    if (sorted != NULL && n > 0) {
        memcpy(sorted, messages->latency_s, n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), by_size);
        for (size_t i = 0; i < ARRAY_COUNT(percentiles); i++)
            json_object_set_new(latency, percentiles[i].name,
                                json_real(sorted[(size_t)((double)(n - 1) * percentiles[i].share)] * 1000));
        json_object_set_new(object, "slowest_at_s_ms",
                            slowest(messages, sorted[n > SLOWEST ? n - SLOWEST : 0]));
    }
    for (size_t i = 0; i < messages->seen.gap_count; i++)
        json_array_append_new(gaps,
                              json_pack("[f, f]", messages->seen.gaps[i][0], messages->seen.gaps[i][1]));
    json_object_set_new(object, "messages", json_integer((json_int_t)messages->count));
    json_object_set_new(object, "echoed", json_integer((json_int_t)n));
    json_object_set_new(object, "latency_ms", latency);
    json_object_set_new(object, "started_s", json_real(messages->started_s));
    json_object_set_new(object, "gaps", gaps);
    json_object_set_new(object, "samples_s_ms", samples(messages));
    if (messages->error != 0) json_object_set_new(object, "error", json_string(strerror(messages->error)));
    free(sorted);
    return object;
}

int probe_messages(const struct probe_options *options) {
    static struct messages messages;
    char line[LINE];
    messages = (struct messages){.options = options, .count = (size_t)(options->rate * options->seconds)};
    messages.latency_s = calloc(messages.count + 1, sizeof(double));
    messages.message = malloc(options->size);
    messages.buffer = malloc(options->size);
    messages.fd = probe_connect(options);
    if (messages.fd < 0 || messages.latency_s == NULL || messages.message == NULL || messages.buffer == NULL)
        return print(json_pack("{s:s}", "error", strerror(errno)), false);
    probe_no_delay(messages.fd);
    snprintf(line, sizeof(line), "echo %u\n", options->size);
    if (!probe_write_all(messages.fd, line, strlen(line))) messages.error = errno;
    messages.started_s = probe_now();
    exchange(&messages);
    int status = print(messages_json(&messages), messages.error == 0 && messages.echoed == messages.count);
    close(messages.fd);
    free(messages.latency_s);
    free(messages.message);
    free(messages.buffer);
    return status;
}

/* ---- copying ---- */

int probe_send(const struct probe_options *options) {
    static char buffer[65536];
    int fd = probe_connect(options);
    if (fd < 0) return 1;
    for (;;) {
        ssize_t length = read(STDIN_FILENO, buffer, sizeof(buffer));
        if (length < 0 && errno == EINTR) continue;
        if (length <= 0) break;
        if (!probe_write_all(fd, buffer, (size_t)length)) {
            fprintf(stderr, "braid: the connection broke: %s\n", strerror(errno));
            return 1;
        }
    }
    shutdown(fd, SHUT_WR);
    ssize_t length;
    while ((length = read(fd, buffer, sizeof(buffer))) > 0 || (length < 0 && errno == EINTR))
        continue;
    if (length < 0) fprintf(stderr, "braid: the connection broke: %s\n", strerror(errno));
    return length == 0 ? 0 : 1;
}
