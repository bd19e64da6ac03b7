#include "sim_measure.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/ensure.h>

#define WINDOW_BEFORE_NS (200 * BRAID_NS_PER_MS)
#define WINDOW_AFTER_NS (5 * BRAID_NS_PER_S)

/* ---- samples ---- */

/* What the application waits for: what comes down, unless it only sends. */
static enum sim_direction measured(const struct sim_measurement *m) {
    return m->transfer->messages.rate > 0 || m->transfer->bytes[SCENARIO_DOWN] > 0 ? SIM_DOWN : SIM_UP;
}

static struct sim_stream_result stream_of(const struct sim_measurement *m, enum sim_direction direction) {
    struct sim_stream_result result;
    sim_conversation_result(m->talk, direction, &result);
    return result;
}

static void grow(struct sim_measurement *m, struct sim_samples *samples) {
    samples->values = realloc(samples->values, m->sample_capacity * sizeof(samples->values[0]));
    ENSURE(samples->values != NULL);
}

static void note(struct sim_measurement *m, struct sim_samples *samples, uint64_t counter) {
    samples->values[m->sample_count] = counter - samples->last;
    samples->last = counter;
}

static size_t link_count(const struct sim_measurement *m) {
    return m->network->scenario->link_count;
}

static void make_room(struct sim_measurement *m) {
    if (m->sample_count < m->sample_capacity) return;
    m->sample_capacity = 2 * m->sample_capacity + 256;
    grow(m, &m->stream);
    for (size_t i = 0; i < link_count(m); i++)
        for (unsigned way = 0; way < 2; way++)
            grow(m, &m->paths[i][way]);
}

static void sample(struct sim_timer *timer, braid_time now) {
    struct sim_measurement *m = CONTAINER_OF(timer, struct sim_measurement, timer);
    make_room(m);
    note(m, &m->stream, stream_of(m, measured(m)).read);
    for (unsigned i = 0; i < link_count(m); i++) {
        uint64_t bytes[2];
        sim_network_carried(m->network, i, bytes);
        for (unsigned way = 0; way < 2; way++)
            note(m, &m->paths[i][way], bytes[way]);
    }
    m->sample_count++;
    sim_timer_set(m->network->world, timer, now + SIM_SAMPLE_NS);
}

void sim_measure_start(struct sim_measurement *m) {
    m->timer = (struct sim_timer){.fire = sample};
    m->started_ns = sim_world_now(m->network->world);
    sim_timer_set(m->network->world, &m->timer, m->started_ns + SIM_SAMPLE_NS);
}

void sim_measure_end(struct sim_measurement *m) {
    free(m->stream.values);
    for (size_t i = 0; i < SIM_LINKS_MAX; i++)
        for (unsigned way = 0; way < 2; way++)
            free(m->paths[i][way].values);
}

/* ---- JSON ---- */

static double milliseconds(braid_time ns) {
    return (double)(ns / 10000) / 100;
}
static double seconds(braid_time ns) {
    return (double)(ns / 10000) / 100000;
}
static json_t *rounded(double value, double step) {
    return json_real((double)(int64_t)(value / step + 0.5) * step);
}

static void set_integer(json_t *object, const char *key, uint64_t value) {
    json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *series(const struct sim_measurement *m, const struct sim_samples *samples) {
    json_t *array = json_array();
    for (size_t i = 0; i < m->sample_count; i++)
        json_array_append_new(array, json_integer((json_int_t)samples->values[i]));
    return array;
}

static json_t *paths_json(const struct sim_measurement *m) {
    const struct scenario *scenario = m->network->scenario;
    json_t *paths = json_array();
    for (unsigned i = 0; i < scenario->link_count; i++) {
        const struct scenario_link *link = &scenario->links[i];
        uint64_t bytes[2];
        if (!link->path) continue;
        sim_network_carried(m->network, i, bytes);
        json_t *path =
            json_pack("{s:s, s:s, s:s}", "name", link->name, "from", scenario->hosts[link->ends[0].host].name,
                      "to", scenario->hosts[link->ends[1].host].name);
        set_integer(path, "up_total_bytes", bytes[SCENARIO_UP]);
        json_object_set_new(path, "up_bytes", series(m, &m->paths[i][SCENARIO_UP]));
        set_integer(path, "down_total_bytes", bytes[SCENARIO_DOWN]);
        json_object_set_new(path, "down_bytes", series(m, &m->paths[i][SCENARIO_DOWN]));
        json_array_append_new(paths, path);
    }
    return paths;
}

/* ---- events ---- */

struct window {
    braid_time from, to;
};

/* As the lab has it: from a little before the event to the next one, or to some seconds later. */
static struct window window_of(const struct sim_measurement *m, size_t event) {
    const struct scenario_timeline *timeline = &m->run->timeline;
    braid_time at = m->started_ns + timeline->events[event].at_ns;
    struct window window = {at - WINDOW_BEFORE_NS, at + WINDOW_AFTER_NS};
    if (window.from < m->started_ns) window.from = m->started_ns;
    for (size_t i = event + 1; i < timeline->count; i++) {
        braid_time next = m->started_ns + timeline->events[i].at_ns;
        if (next <= at) continue;
        if (next < window.to) window.to = next;
        break;
    }
    return window;
}

static braid_time silence_in(const struct sim_measurement *m, struct window window) {
    braid_time up = sim_conversation_silence_ns(m->talk, SIM_UP, window.from, window.to);
    braid_time down = sim_conversation_silence_ns(m->talk, SIM_DOWN, window.from, window.to);
    if (m->transfer->bytes[SCENARIO_UP] == 0) up = 0;
    if (measured(m) == SIM_UP) down = 0;
    return up > down ? up : down;
}

static bool is_over(const struct sim_measurement *m, braid_time at) {
    struct sim_stream_result up = stream_of(m, SIM_UP), down = stream_of(m, SIM_DOWN);
    bool up_over = m->transfer->bytes[SCENARIO_UP] == 0 || (up.ended && up.last_at < at);
    bool down_over = measured(m) == SIM_UP || (down.ended && down.last_at < at);
    return up_over && down_over;
}

static json_t *event_json(const struct sim_measurement *m, size_t number, json_t *silences) {
    const struct scenario_event *event = &m->run->timeline.events[number];
    char text[256];
    scenario_event_text(m->network->scenario, event, text, sizeof(text));
    json_t *object =
        json_pack("{s:s, s:s, s:f}", "name", event->name, "what", text, "at_s", seconds(event->at_ns));
    if (event->action == SCENARIO_EXEC) return object;
    struct window window = window_of(m, number);
    braid_time silence = is_over(m, m->started_ns + event->at_ns) ? 0 : silence_in(m, window);
    json_object_set_new(object, "link", json_string(m->network->scenario->links[event->link].name));
    json_object_set_new(silences, event->name, silence > 0 ? json_real(milliseconds(silence)) : json_null());
    if (m->transfer->messages.rate > 0)
        json_object_set_new(object, "worst_message_ms",
                            json_real(milliseconds(
                                sim_conversation_message_ns(m->talk, SIM_DOWN, window.from, window.to, 1))));
    return object;
}

static void add_events(const struct sim_measurement *m, json_t *result) {
    json_t *events = json_array(), *silences = json_object();
    for (size_t i = 0; i < m->run->timeline.count; i++)
        if (m->started_ns + m->run->timeline.events[i].at_ns <= m->ended_ns)
            json_array_append_new(events, event_json(m, i, silences));
    json_object_set_new(result, "silence_ms", silences);
    json_object_set_new(result, "events", events);
}

/* ---- what the application saw ---- */

static json_t *goodput(const struct sim_measurement *m, enum sim_direction direction) {
    struct sim_stream_result stream = stream_of(m, direction);
    if (stream.read == 0) return json_null();
    return rounded((double)stream.read * 8e3 / (double)(stream.last_at - m->started_ns), 0.001);
}

static json_t *messages_json(const struct sim_measurement *m) {
    static const struct {
        const char *name;
        double q;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    json_t *latency = json_object();
    for (size_t i = 0; i < ARRAY_COUNT(quantiles); i++)
        json_object_set_new(latency, quantiles[i].name,
                            json_real(milliseconds(sim_conversation_message_ns(
                                m->talk, SIM_DOWN, m->started_ns, m->ended_ns, quantiles[i].q))));
    return json_pack("{s:I, s:I, s:o}", "messages",
                     (json_int_t)(m->transfer->messages.rate * m->transfer->messages.seconds), "echoed",
                     (json_int_t)stream_of(m, SIM_DOWN).messages, "latency_ms", latency);
}

static void add_transfer(const struct sim_measurement *m, json_t *result) {
    struct sim_stream_result stream = stream_of(m, measured(m));
    set_integer(result, "bytes", stream.read);
    json_object_set_new(result, "seconds", json_real(seconds(m->ended_ns - m->started_ns)));
    if (m->transfer->messages.rate > 0) {
        json_object_set_new(result, "output", messages_json(m));
        return;
    }
    json_object_set_new(result, "goodput_mbps", goodput(m, measured(m)));
    if (measured(m) == SIM_DOWN && m->transfer->bytes[SCENARIO_UP] != 0)
        json_object_set_new(result, "upload_goodput_mbps", goodput(m, SIM_UP));
    if (stream.first_at != 0)
        json_object_set_new(result, "first_byte_ms",
                            json_real(milliseconds(stream.first_at - m->started_ns)));
}

static json_t *sim_json(const struct sim_measurement *m) {
    char hash[17];
    double simulated = (double)(m->ended_ns - m->started_ns) / 1e9;
    snprintf(hash, sizeof(hash), "%016" PRIx64, m->hash);
    json_t *object = json_object();
    set_integer(object, "seed", m->seed);
    json_object_set_new(object, "hash", json_string(hash));
    set_integer(object, "packets", m->packets);
    json_object_set_new(object, "simulated_seconds", rounded(simulated, 0.00001));
    json_object_set_new(object, "processor_seconds", rounded(m->processor_seconds, 0.0001));
    json_object_set_new(object, "simulated_seconds_per_second",
                        rounded(m->processor_seconds > 0 ? simulated / m->processor_seconds : 0, 0.1));
    return object;
}

json_t *sim_measure_result(const struct sim_measurement *m) {
    json_t *result = json_object();
    bool completed = m->finished && sim_conversation_complete(m->talk);
    const char *fault = sim_conversation_fault(m->talk);
    int status = completed ? 0 : 1;
    json_object_set_new(result, "title", json_string(m->run->title));
    json_object_set_new(result, "completed", json_boolean(completed));
    add_transfer(m, result);
    add_events(m, result);
    json_object_set_new(result, "started_s", json_real((double)m->started_ns / 1e9));
    json_object_set_new(result, "exit_status", json_integer(status));
    json_object_set_new(result, "timed_out", json_boolean(!m->finished));
    if (fault != NULL) json_object_set_new(result, "fault", json_string(fault));
    json_object_set_new(
        result, "as_expected",
        json_boolean(fault == NULL && (!m->run->expects_exit || m->run->expected_exit == status)));
    set_integer(result, "sample_ms", SIM_SAMPLE_NS / BRAID_NS_PER_MS);
    if (m->transfer->messages.rate <= 0) json_object_set_new(result, "stream_bytes", series(m, &m->stream));
    json_object_set_new(result, "paths", paths_json(m));
    json_object_set_new(result, "sim", sim_json(m));
    return result;
}
