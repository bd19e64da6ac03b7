#include "run_statistics.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

int run_statistics_open(struct run_statistics *statistics, const char *path) {
    statistics->began = host_now();
    statistics->file = fopen(path, "we");
    return statistics->file != NULL ? 0 : -errno;
}

static void set(json_t *object, const char *name, uint64_t value) {
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

/* Of the first thread's uplink, and of those of the same name in the others. */
static json_t *uplink_json(struct run_threads *threads, struct engine_uplink_info *uplink) {
    struct braid_link_totals t = {0}, part;
    struct engine_uplink_info other;
    const struct engine *engine;
    json_t *out = json_object();
    uint64_t bytes_in = 0, bytes_out = 0;
    for (unsigned n = 0; (engine = run_threads_engine(threads, n)) != NULL; n++)
        for (size_t i = 0; engine_uplink_info(engine, i, &other); i++) {
            if (strcmp(other.interface, uplink->interface) != 0) continue;
            if (braid_stack_link_totals(engine_stack(engine), other.link, &part)) run_paths_add_totals(&t, &part);
            bytes_in += other.bytes_in;
            bytes_out += other.bytes_out;
        }
    json_object_set_new(out, "interface", json_string(uplink->interface));
    json_object_set_new(out, "backup", json_boolean(uplink->backup));
    json_object_set_new(out, "present", json_boolean(uplink->present));
    set(out, "link", (uint64_t)uplink->link);
    set(out, "packet_bytes_in", bytes_in);
    set(out, "packet_bytes_out", bytes_out);
    set(out, "subflows", t.subflows);
    set(out, "bytes_sent", t.bytes_sent);
    set(out, "bytes_received", t.bytes_received);
    set(out, "bytes_retransmitted", t.bytes_retransmitted);
    set(out, "bytes_received_duplicate", t.bytes_received_duplicate);
    set(out, "segments_sent", t.segments_sent);
    set(out, "segments_received", t.segments_received);
    set(out, "segments_retransmitted", t.segments_retransmitted);
    set(out, "segments_out_of_order", t.segments_out_of_order);
    set(out, "timeouts", t.timeouts);
    set(out, "probes", t.probes);
    set(out, "fast_recoveries", t.fast_recoveries);
    set(out, "spurious_recoveries", t.spurious_recoveries);
    set(out, "marks_received", t.marks_received);
    set(out, "marks_answered", t.marks_answered);
    return out;
}

static uint64_t counter_of_all(struct run_threads *threads, unsigned index) {
    const struct engine *engine;
    uint64_t sum = 0, value;
    for (unsigned n = 0; (engine = run_threads_engine(threads, n)) != NULL; n++)
        if (braid_stack_counter(engine_stack(engine), index, &value) != NULL) sum += value;
    return sum;
}

static json_t *counters_json(struct run_threads *threads) {
    const struct braid_stack *stack = engine_stack(run_threads_engine(threads, 0));
    json_t *out = json_array();
    const char *name;
    uint64_t value;
    for (unsigned i = 0; (name = braid_stack_counter(stack, i, &value)) != NULL; i++) {
        json_t *counter = json_object();
        json_object_set_new(counter, "name", json_string(name));
        set(counter, "value", counter_of_all(threads, i));
        json_object_set_new(counter, "meaning", json_string(braid_stack_counter_meaning(stack, i)));
        json_array_append_new(out, counter);
    }
    return out;
}

int run_statistics_write(struct run_statistics *statistics, struct run_threads *threads) {
    struct engine_uplink_info uplink;
    const struct engine *engine = run_threads_engine(threads, 0);
    if (statistics->file == NULL) return 0;
    json_t *whole = json_object(), *uplinks = json_array();
    for (size_t i = 0; engine_uplink_info(engine, i, &uplink); i++)
        json_array_append_new(uplinks, uplink_json(threads, &uplink));
    json_object_set_new(whole, "seconds", json_real((double)(host_now() - statistics->began) / 1e9));
    json_object_set_new(whole, "uplinks", uplinks);
    json_object_set_new(whole, "counters", counters_json(threads));
    errno = EIO;
    int error = json_dumpf(whole, statistics->file, JSON_INDENT(1)) == 0 && fputc('\n', statistics->file) != EOF ? 0 : -errno;
    json_decref(whole);
    if (fclose(statistics->file) != 0 && error == 0) error = -errno;
    statistics->file = NULL;
    return error;
}
