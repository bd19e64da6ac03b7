#define _GNU_SOURCE
#include "lab_measure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (256 << 10)
#define TEXT_MAX_BYTES (8 << 20)
#define WINDOW_BEFORE_NS (200 * BRAID_NS_PER_MS)
#define WINDOW_AFTER_NS (5 * BRAID_NS_PER_S)

/* ---- life ---- */

bool lab_measurement_init(struct lab_measurement *measurement, struct lab *lab,
                          const struct scenario_run *run) {
    *measurement = (struct lab_measurement){.run = run};
    size_t links = lab->scenario->link_count;
    measurement->paths = calloc(links + 1, sizeof(*measurement->paths));
    measurement->happenings = calloc(run->timeline.count + 1, sizeof(*measurement->happenings));
    bool good = measurement->paths != NULL && measurement->happenings != NULL;
    if (good && run->same_as != NULL) {
        measurement->hash = EVP_MD_CTX_new();
        good = measurement->hash != NULL && EVP_DigestInit_ex(measurement->hash, EVP_sha256(), NULL) == 1;
    }
    for (unsigned i = 0; good && i < links; i++) {
        if (!lab->scenario->links[i].path) continue;
        struct lab_path *path = &measurement->paths[measurement->path_count++];
        path->link = i;
        lab_link_sample(lab, i, &path->now);
        path->before = path->now;
        memcpy(path->at_start, path->now.bytes, sizeof(path->at_start));
    }
    if (!good) lab_say("no memory to measure with");
    return good;
}

void lab_measurement_deinit(struct lab_measurement *measurement) {
    for (size_t i = 0; i < measurement->path_count; i++)
        for (unsigned way = 0; way < 2; way++)
            free(measurement->paths[i].bytes[way].values);
    free(measurement->paths);
    free(measurement->happenings);
    free(measurement->reads);
    free(measurement->text);
    EVP_MD_CTX_free(measurement->hash);
}

/* ---- taking ---- */

/* Makes room for one more entry. */
static bool room(void **entries, size_t count, size_t *capacity, size_t bytes) {
    if (count < *capacity) return true;
    size_t wanted = 2 * *capacity + 1024;
    void *grown = realloc(*entries, wanted * bytes);
    if (grown == NULL) return false;
    *entries = grown;
    *capacity = wanted;
    return true;
}

static void note_read(struct lab_measurement *measurement, braid_time at_ns, uint64_t bytes) {
    measurement->bytes += bytes;
    void *reads = measurement->reads;
    if (room(&reads, measurement->read_count, &measurement->read_capacity, sizeof(struct lab_read))) {
        measurement->reads = reads;
        measurement->reads[measurement->read_count++] = (struct lab_read){at_ns, bytes};
    } else if (measurement->read_count > 0) {
        /* No memory: the last read stands for this one too. */
        measurement->reads[measurement->read_count - 1].bytes += bytes;
        measurement->reads[measurement->read_count - 1].at_ns = at_ns;
    }
}

static void keep_text(struct lab_measurement *measurement, const char *bytes, size_t length) {
    if (measurement->text_length + length > TEXT_MAX_BYTES) return;
    char *text = realloc(measurement->text, measurement->text_length + length + 1);
    if (text == NULL) return;
    memcpy(text + measurement->text_length, bytes, length);
    measurement->text = text;
    measurement->text_length += length;
    text[measurement->text_length] = '\0';
}

bool lab_measure_read(struct lab_measurement *measurement, int fd) {
    static char buffer[READ_BYTES];
    ssize_t length = read(fd, buffer, sizeof(buffer));
    if (length < 0) return errno == EAGAIN || errno == EINTR;
    if (length == 0) return false;
    note_read(measurement, emulator_now() - measurement->started_ns, (uint64_t)length);
    if (measurement->hash != NULL) EVP_DigestUpdate(measurement->hash, buffer, (size_t)length);
    if (measurement->run->output == SCENARIO_OUTPUT_JSON) keep_text(measurement, buffer, (size_t)length);
    return true;
}

static void append(struct lab_series *series, uint64_t value) {
    void *values = series->values;
    if (!room(&values, series->count, &series->capacity, sizeof(uint64_t))) return;
    series->values = values;
    series->values[series->count++] = value;
}

void lab_measure_sample(struct lab_measurement *measurement, struct lab *lab) {
    for (size_t i = 0; i < measurement->path_count; i++) {
        struct lab_path *path = &measurement->paths[i];
        path->before = path->now;
        lab_link_sample(lab, path->link, &path->now);
        for (unsigned way = 0; way < 2; way++)
            append(&path->bytes[way], path->now.bytes[way] - path->before.bytes[way]);
    }
    measurement->sample_count++;
}

void lab_measure_event(struct lab_measurement *measurement, const struct scenario_event *event) {
    measurement->happenings[measurement->happening_count++] =
        (struct lab_happening){event, emulator_now() - measurement->started_ns};
}

/* ---- silence ---- */

static void consider(struct lab_gap gap, struct lab_gap window, struct lab_gap *longest) {
    if (gap.to_ns <= window.from_ns || gap.from_ns >= window.to_ns) return;
    if (gap.to_ns - gap.from_ns > longest->to_ns - longest->from_ns) *longest = gap;
}

static struct lab_gap window_of(const struct lab_measurement *measurement, size_t happening) {
    braid_time at = measurement->happenings[happening].at_ns;
    struct lab_gap window = {at > WINDOW_BEFORE_NS ? at - WINDOW_BEFORE_NS : 0, at + WINDOW_AFTER_NS};
    for (size_t i = happening + 1; i < measurement->happening_count; i++) {
        if (measurement->happenings[i].event->at_ns <= measurement->happenings[happening].event->at_ns)
            continue; /* meant to be at the same time */
        if (measurement->happenings[i].at_ns < window.to_ns) window.to_ns = measurement->happenings[i].at_ns;
        break;
    }
    return window;
}

bool lab_measure_silence(const struct lab_measurement *measurement, size_t happening, struct lab_gap *out) {
    struct lab_gap window = window_of(measurement, happening);
    braid_time last = 0;
    *out = (struct lab_gap){0};
    for (size_t i = 0; i < measurement->read_count; i++) {
        braid_time next = measurement->reads[i].at_ns;
        consider((struct lab_gap){last, next}, window, out);
        last = next;
    }
    if (!measurement->completed)
        consider((struct lab_gap){last, measurement->ended_ns - measurement->started_ns}, window, out);
    return out->to_ns > out->from_ns;
}

/* Of a command that measured by itself, at the far end maybe: "gaps" as pairs of seconds on CLOCK_MONOTONIC.
 */
static bool silence_of_output(const struct lab_measurement *measurement, const json_t *gaps, size_t happening,
                              struct lab_gap *out) {
    struct lab_gap window = window_of(measurement, happening);
    size_t index;
    json_t *pair;
    *out = (struct lab_gap){0};
    json_array_foreach(gaps, index, pair) {
        double start = (double)measurement->started_ns;
        double from = json_number_value(json_array_get(pair, 0)) * 1e9 - start;
        double to = json_number_value(json_array_get(pair, 1)) * 1e9 - start;
        if (from >= 0 && to >= from)
            consider((struct lab_gap){(braid_time)from, (braid_time)to}, window, out);
    }
    return out->to_ns > out->from_ns;
}

/* ---- the result ---- */

static double milliseconds(braid_time ns) {
    return (double)(int64_t)(ns / 10000) / 100;
}
static double seconds(braid_time ns) {
    return (double)(int64_t)(ns / 10000) / 100000;
}
static json_t *rounded(double value, double step) {
    return json_real((double)(int64_t)(value / step + 0.5) * step);
}

static json_t *series_json(const struct lab_series *series) {
    json_t *array = json_array();
    for (size_t i = 0; i < series->count; i++)
        json_array_append_new(array, json_integer((json_int_t)series->values[i]));
    return array;
}

static json_t *paths_json(const struct lab_measurement *measurement, const struct lab *lab) {
    json_t *paths = json_array();
    for (size_t i = 0; i < measurement->path_count; i++) {
        const struct lab_path *path = &measurement->paths[i];
        const struct scenario_link *link = &lab->scenario->links[path->link];
        json_t *object = json_object();
        json_object_set_new(object, "name", json_string(link->name));
        json_object_set_new(object, "from", json_string(lab->scenario->hosts[link->ends[0].host].name));
        json_object_set_new(object, "to", json_string(lab->scenario->hosts[link->ends[1].host].name));
        for (unsigned way = 0; way < 2; way++) {
            bool down = way == SCENARIO_DOWN;
            json_object_set_new(object, down ? "down_total_bytes" : "up_total_bytes",
                                json_integer((json_int_t)(path->now.bytes[way] - path->at_start[way])));
            json_object_set_new(object, down ? "down_bytes" : "up_bytes", series_json(&path->bytes[way]));
        }
        json_array_append_new(paths, object);
    }
    return paths;
}

/* The output's bytes in the same intervals as the paths'. */
static json_t *stream_json(const struct lab_measurement *measurement) {
    json_t *array = json_array();
    size_t next = 0;
    for (size_t i = 0; i < measurement->sample_count; i++) {
        uint64_t bytes = 0;
        while (next < measurement->read_count && measurement->reads[next].at_ns < (i + 1) * LAB_SAMPLE_NS)
            bytes += measurement->reads[next++].bytes;
        json_array_append_new(array, json_integer((json_int_t)bytes));
    }
    return array;
}

static void add_events(const struct lab_measurement *measurement, const struct lab *lab, json_t *result,
                       const json_t *output) {
    json_t *events = json_array(), *silences = json_object();
    const json_t *gaps = json_object_get(output, "gaps");
    for (size_t i = 0; i < measurement->happening_count; i++) {
        const struct lab_happening *happening = &measurement->happenings[i];
        struct lab_gap gap;
        char text[256];
        scenario_event_text(lab->scenario, happening->event, text, sizeof(text));
        json_t *event = json_pack("{s:s, s:s, s:f}", "name", happening->event->name, "what", text, "at_s",
                                  seconds(happening->at_ns));
        json_array_append_new(events, event);
        if (happening->event->action == SCENARIO_EXEC) continue;
        bool silent = gaps != NULL ? silence_of_output(measurement, gaps, i, &gap)
                                   : lab_measure_silence(measurement, i, &gap);
        json_object_set_new(event, "link", json_string(lab->scenario->links[happening->event->link].name));
        json_object_set_new(silences, happening->event->name,
                            silent ? json_real(milliseconds(gap.to_ns - gap.from_ns)) : json_null());
        if (silent)
            json_object_set_new(event, "silence_s",
                                json_pack("[f, f]", seconds(gap.from_ns), seconds(gap.to_ns)));
    }
    json_object_set_new(result, "silence_ms", silences);
    json_object_set_new(result, "events", events);
}

static bool hash_file(const char *path, unsigned char *digest) {
    static char buffer[READ_BYTES];
    char full[4096];
    snprintf(full, sizeof(full), LAB_TEMPORARY "/%s", path);
    FILE *stream = fopen(full, "re");
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool good = stream != NULL && hash != NULL && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) == 1;
    for (size_t length; good && (length = fread(buffer, 1, sizeof(buffer), stream)) > 0;)
        good = EVP_DigestUpdate(hash, buffer, length) == 1;
    good = good && !ferror(stream) && EVP_DigestFinal_ex(hash, digest, NULL) == 1;
    EVP_MD_CTX_free(hash);
    if (stream != NULL) fclose(stream);
    return good;
}

static bool add_hash(const struct lab_measurement *measurement, json_t *result) {
    if (measurement->hash == NULL) return false;
    unsigned char digest[32], wanted[32];
    char text[65] = "";
    bool good = EVP_DigestFinal_ex(measurement->hash, digest, NULL) == 1 &&
                hash_file(measurement->run->same_as, wanted);
    for (unsigned i = 0; good && i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    bool equal = good && memcmp(digest, wanted, sizeof(wanted)) == 0;
    json_object_set_new(result, "sha256_equal", json_boolean(equal));
    json_object_set_new(result, "sha256", json_string(text));
    return equal;
}

static json_t *emulator_json(struct lab *lab) {
    struct emulator_timing timing;
    emulator_timing(lab->emulator, &timing);
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "frames", (json_int_t)timing.frames,
                     "late_p50_us", (json_int_t)timing.late_p50_us, "late_p99_us",
                     (json_int_t)timing.late_p99_us, "late_max_us", (json_int_t)timing.late_max_us,
                     "overruns", (json_int_t)timing.overruns, "refused", (json_int_t)timing.refused,
                     "cpu_seconds", rounded(timing.cpu_seconds, 0.001));
}

static void add_goodput(const struct lab_measurement *measurement, json_t *result, const json_t *output) {
    const struct lab_read *reads = measurement->reads;
    size_t count = measurement->read_count;
    double last = count > 0 ? (double)reads[count - 1].at_ns / 1e9 : 0;
    json_t *own = json_object_get(output, "goodput_mbps");
    json_object_set_new(result, "bytes", json_integer((json_int_t)measurement->bytes));
    json_object_set_new(result, "seconds",
                        json_real(seconds(measurement->ended_ns - measurement->started_ns)));
    if (own != NULL)
        json_object_set(result, "goodput_mbps", own);
    else if (measurement->run->output == SCENARIO_OUTPUT_JSON)
        json_object_set_new(result, "goodput_mbps", json_null());
    else
        json_object_set_new(result, "goodput_mbps",
                            rounded(last > 0 ? (double)measurement->bytes * 8 / last / 1e6 : 0, 0.001));
    if (own == NULL && count > 0)
        json_object_set_new(result, "first_byte_ms", json_real(milliseconds(reads[0].at_ns)));
}

json_t *lab_measure_result(struct lab_measurement *measurement, struct lab *lab) {
    const struct scenario_run *run = measurement->run;
    json_t *result = json_object();
    json_t *output = measurement->text != NULL ? json_loads(measurement->text, 0, NULL) : NULL;
    json_object_set_new(result, "title", json_string(run->title));
    json_object_set_new(result, "completed", json_boolean(measurement->completed));
    bool equal = add_hash(measurement, result);
    add_goodput(measurement, result, output);
    add_events(measurement, lab, result, output);
    json_object_set_new(result, "started_s", json_real((double)measurement->started_ns / 1e9));
    json_object_set_new(result, "exit_status", json_integer(measurement->exit_status));
    json_object_set_new(result, "timed_out", json_boolean(measurement->timed_out));
    bool as_expected =
        (!run->expects_exit || (!measurement->timed_out && measurement->exit_status == run->expected_exit)) &&
        (!run->expects_same || equal);
    json_object_set_new(result, "as_expected", json_boolean(as_expected));
    if (output != NULL) json_object_set_new(result, "output", output);
    json_object_set_new(result, "sample_ms", json_integer((json_int_t)(LAB_SAMPLE_NS / BRAID_NS_PER_MS)));
    if (run->output == SCENARIO_OUTPUT_STREAM)
        json_object_set_new(result, "stream_bytes", stream_json(measurement));
    json_object_set_new(result, "paths", paths_json(measurement, lab));
    json_object_set_new(result, "emulator", emulator_json(lab));
    return result;
}
