#include <link/trace_json.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define FLUSH_INTERVAL_NS (100 * BRAID_NS_PER_MS)
#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

struct trace_json {
    pthread_mutex_t lock; /* an event is written in one piece */
    FILE *file;
    braid_time flushed_at;
};

/* How many bytes the UTF-8 sequence at `text` has (RFC 3629 §4); 0 when it is not one. */
static size_t utf8_length(const unsigned char *text) {
    unsigned char first = text[0], low = 0x80, high = 0xBF;
    size_t length;
    if (first < 0x80) return 1;
    if (first >= 0xC2 && first <= 0xDF)
        length = 2;
    else if (first >= 0xE0 && first <= 0xEF)
        length = 3;
    else if (first >= 0xF0 && first <= 0xF4)
        length = 4;
    else
        return 0;
    if (first == 0xE0) low = 0xA0;  /* overlong */
    if (first == 0xED) high = 0x9F; /* surrogates */
    if (first == 0xF0) low = 0x90;  /* overlong */
    if (first == 0xF4) high = 0x8F; /* beyond U+10FFFF */
    for (size_t i = 1; i < length; i++) {
        if (text[i] < low || text[i] > high) return 0;
        low = 0x80;
        high = 0xBF;
    }
    return length;
}

static void write_string(FILE *file, const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    fputc('"', file);
    while (*at != 0) {
        size_t length = utf8_length(at);
        if (length == 0) {
            fputs(REPLACEMENT, file);
            length = 1;
        } else if (*at == '"' || *at == '\\') {
            fprintf(file, "\\%c", *at);
        } else if (*at < 0x20 || *at == 0x7F) {
            fprintf(file, "\\u%04x", *at);
        } else {
            fwrite(at, 1, length, file);
        }
        at += length;
    }
    fputc('"', file);
}

static void write_seconds(FILE *file, uint64_t ns) {
    fprintf(file, "%" PRIu64 ".%09" PRIu64, ns / BRAID_NS_PER_S, ns % BRAID_NS_PER_S);
}

static void write_field(FILE *file, const struct braid_trace_field *field) {
    fputc(',', file);
    write_string(file, field->name);
    fputc(':', file);
    switch (field->type) {
    case BRAID_TRACE_U64:
        fprintf(file, "%" PRIu64, field->value.u64);
        return;
    case BRAID_TRACE_I64:
        fprintf(file, "%" PRId64, field->value.i64);
        return;
    case BRAID_TRACE_STRING:
        if (field->value.text == NULL)
            fputs("null", file);
        else
            write_string(file, field->value.text);
        return;
    }
}

int trace_json_create(const char *path, braid_time now, uint64_t unix_ns, struct trace_json **out) {
    struct trace_json *trace = malloc(sizeof(*trace));
    if (trace == NULL) return -ENOMEM;
    *trace = (struct trace_json){.file = fopen(path, "we"), .flushed_at = now};
    if (trace->file == NULL) {
        int error = errno;
        free(trace);
        return -error;
    }
    pthread_mutex_init(&trace->lock, NULL);
    fputs("{\"time\":", trace->file);
    write_seconds(trace->file, now);
    fputs(",\"event\":\"trace_start\",\"unix_time\":", trace->file);
    write_seconds(trace->file, unix_ns);
    fputs("}\n", trace->file);
    *out = trace;
    return 0;
}

int trace_json_close(struct trace_json *trace) {
    if (trace == NULL) return 0;
    bool failed = ferror(trace->file) != 0; /* stdio keeps no more than that */
    int error = fclose(trace->file) != 0 ? -errno : failed ? -EIO : 0;
    pthread_mutex_destroy(&trace->lock);
    free(trace);
    return error;
}

void trace_json_event(struct trace_json *trace, braid_time now, const char *event,
                      const struct braid_trace_field *fields, size_t count) {
    FILE *file = trace->file;
    pthread_mutex_lock(&trace->lock);
    fputs("{\"time\":", file);
    write_seconds(file, now);
    fputs(",\"event\":", file);
    write_string(file, event);
    for (size_t i = 0; i < count; i++)
        write_field(file, &fields[i]);
    fputs("}\n", file);
    if (now >= trace->flushed_at + FLUSH_INTERVAL_NS) {
        trace->flushed_at = now;
        trace_json_flush(trace);
    }
    pthread_mutex_unlock(&trace->lock);
}

void trace_json_flush(struct trace_json *trace) {
    fflush(trace->file);
}
