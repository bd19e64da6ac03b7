/* Whether a file is what braid lab and braid sim write: whoever draws it may then rely on names being there and on numbers
 * being such that scales can be made of them. */
#include "report_check.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define NUMBER_MAX 1e15
#define SAMPLE_MS_MIN 0.001

static bool numbers_are_sane(const json_t *value) {
    size_t index;
    const char *key;
    json_t *inner;
    if (json_is_number(value)) return fabs(json_number_value(value)) <= NUMBER_MAX;
    json_array_foreach(value, index, inner) if (!numbers_are_sane(inner)) return false;
    json_object_foreach((json_t *)(uintptr_t)value, key, inner) if (!numbers_are_sane(inner)) return false;
    return true;
}

static const char *check_events(const json_t *events) {
    size_t index;
    json_t *event;
    if (events != NULL && !json_is_array(events)) return "the events of a run are no list";
    json_array_foreach(events, index, event) {
        if (!json_is_string(json_object_get(event, "name"))) return "an event has no name";
        if (!json_is_string(json_object_get(event, "what"))) return "an event does not say what happened";
    }
    return NULL;
}

static const char *check_run(const json_t *run) {
    const json_t *sample_ms = json_object_get(run, "sample_ms");
    if (!json_is_object(run)) return "one of the runs it names is not in it";
    bool samples = json_object_get(run, "paths") != NULL || json_object_get(run, "stream_bytes") != NULL;
    if ((samples || sample_ms != NULL) && !(json_number_value(sample_ms) >= SAMPLE_MS_MIN))
        return "a run does not say how long a sample is";
    return check_events(json_object_get(run, "events"));
}

const char *report_check(const json_t *result) {
    const json_t *runs = json_object_get(json_object_get(result, "lab"), "runs");
    size_t index;
    json_t *name;
    if (!json_is_array(runs)) return "it has no \"lab\" with \"runs\"";
    if (!numbers_are_sane(result)) return "a number in it is beyond all measure";
    json_array_foreach(runs, index, name) {
        const char *wrong = json_is_string(name) ? check_run(json_object_get(result, json_string_value(name)))
                                                 : "the name of a run is no text";
        if (wrong != NULL) return wrong;
    }
    return NULL;
}
