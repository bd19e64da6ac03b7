/* Streams of bytes that can be told from any others, sent and received. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <base/ensure.h>
#include <base/prng.h>
#include "probe_internal.h"

#define READ_BYTES (256 << 10)
#define WRITE_BYTES (256 << 10)
#define GAP_MIN_S 0.005

bool probe_pattern_init(struct probe_pattern *pattern, uint64_t seed) {
    struct prng prng;
    *pattern =
        (struct probe_pattern){.bytes = malloc(2 * PROBE_PATTERN_BYTES + sizeof(uint64_t)), .seed = seed};
    if (pattern->bytes == NULL) return false;
    prng_seed(&prng, seed);
    for (size_t i = 0; i < PROBE_PATTERN_BYTES; i += sizeof(uint64_t)) {
        uint64_t value = prng_next(&prng);
        memcpy(pattern->bytes + i, &value, sizeof(value));
    }
    memcpy(pattern->bytes + PROBE_PATTERN_BYTES, pattern->bytes, PROBE_PATTERN_BYTES);
    return true;
}

void probe_pattern_deinit(struct probe_pattern *pattern) {
    free(pattern->bytes);
}

int probe_send_stream(int fd, const struct probe_pattern *pattern, uint64_t bytes, double end_s, uint32_t write_max) {
    struct prng sizes;
    prng_seed(&sizes, pattern->seed + 1);
    for (uint64_t sent = 0; sent < bytes && (end_s == 0 || probe_now() < end_s);) {
        uint64_t length = write_max != 0 ? 1 + prng_below(&sizes, write_max) : WRITE_BYTES;
        if (length > bytes - sent) length = bytes - sent;
        if (!probe_write_all(fd, pattern->bytes + sent % PROBE_PATTERN_BYTES, length)) return errno;
        sent += length;
    }
    return 0;
}

/* Where there is no room, the shortest gives way. */
static void note_gap(struct probe_seen *seen, double from, double to) {
    if (to - from > seen->longest_gap_s) seen->longest_gap_s = to - from;
    if (to - from < GAP_MIN_S) return;
    size_t place = seen->gap_count;
    if (place == ARRAY_COUNT(seen->gaps)) {
        place = 0;
        for (size_t i = 1; i < ARRAY_COUNT(seen->gaps); i++)
            if (seen->gaps[i][1] - seen->gaps[i][0] < seen->gaps[place][1] - seen->gaps[place][0]) place = i;
        if (to - from <= seen->gaps[place][1] - seen->gaps[place][0]) return;
    } else {
        seen->gap_count++;
    }
    seen->gaps[place][0] = from;
    seen->gaps[place][1] = to;
}

void probe_receive_stream(int fd, const struct probe_pattern *pattern, uint64_t bytes, double end_s,
                          struct probe_seen *seen) {
    static uint8_t buffer[READ_BYTES];
    *seen = (struct probe_seen){.as_sent = true};
    while (seen->bytes < bytes && (end_s == 0 || seen->last_s < end_s)) {
        ssize_t length = read(fd, buffer, sizeof(buffer));
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) seen->error = errno;
        if (length <= 0) break;
        double now = probe_now();
        if (seen->bytes == 0)
            seen->first_s = now;
        else
            note_gap(seen, seen->last_s, now);
        seen->last_s = now;
        if (memcmp(buffer, pattern->bytes + seen->bytes % PROBE_PATTERN_BYTES, (size_t)length) != 0)
            seen->as_sent = false;
        seen->bytes += (uint64_t)length;
    }
}

json_t *probe_seen_json(const struct probe_seen *seen) {
    json_t *object = json_object(), *gaps = json_array();
    for (size_t i = 0; i < seen->gap_count; i++)
        json_array_append_new(gaps, json_pack("[f, f]", seen->gaps[i][0], seen->gaps[i][1]));
    json_object_set_new(object, "bytes", json_integer((json_int_t)seen->bytes));
    json_object_set_new(object, "verified", json_boolean(seen->as_sent));
    if (seen->error != 0) json_object_set_new(object, "error", json_string(strerror(seen->error)));
    json_object_set_new(object, "first_s", json_real(seen->first_s));
    json_object_set_new(object, "last_s", json_real(seen->last_s));
    json_object_set_new(object, "longest_gap_ms", json_real(seen->longest_gap_s * 1000));
    json_object_set_new(object, "gaps", gaps);
    return object;
}
