/* From YAML to struct scenario: what is emulated of a link, by direction. */
#include <string.h>
#include "scenario_read.h"

#define REORDER_NS (10 * BRAID_NS_PER_MS)

static void set_rate(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->rate_bps = yaml_rate_bps(source, value);
}

static void set_delay(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->delay_ns = yaml_time_ns(source, value);
}

static void set_queue(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->queue_ns = shape->queue_bytes = 0;
    if (yaml_ends_like_time(source, value))
        shape->queue_ns = yaml_time_ns(source, value);
    else
        shape->queue_bytes = yaml_size_bytes(source, value);
}

static void set_loss(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->loss = yaml_probability(source, value);
}

static void set_trace(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->trace = scenario_read_trace(source, value);
}

static void set_jitter(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->noise.jitter_ns = yaml_time_ns(source, value);
}

static void set_duplicate(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->noise.duplicate = yaml_probability(source, value);
}

static void set_corrupt(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    shape->noise.corrupt = yaml_probability(source, value);
}

/* ---- those that are mappings ---- */

static void read_burst_begin(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct sim_noise_config *)out)->burst_begin = yaml_probability(source, value);
}

static void read_burst_end(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct sim_noise_config *)out)->burst_end = yaml_probability(source, value);
}

static void read_burst_loss(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct sim_noise_config *)out)->burst_loss = yaml_probability(source, value);
}

static void set_burst(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    static const struct yaml_key keys[] = {
        {"begin", read_burst_begin, true}, {"end", read_burst_end, true}, {"loss", read_burst_loss, false}};
    shape->noise.burst_loss = 1;
    YAML_READ_MAPPING(source, value, keys, &shape->noise);
}

static void read_reorder_chance(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct sim_noise_config *)out)->reorder = yaml_probability(source, value);
}

static void read_reorder_by(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct sim_noise_config *)out)->reorder_ns = yaml_time_ns(source, value);
}

static void set_reorder(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape) {
    static const struct yaml_key keys[] = {{"chance", read_reorder_chance, true},
                                           {"by", read_reorder_by, false}};
    if (yaml_is_mapping(value))
        YAML_READ_MAPPING(source, value, keys, &shape->noise);
    else
        read_reorder_chance(source, value, &shape->noise);
}

/* ---- all of them ---- */

typedef void set_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape *shape);

static set_shape *setter_of(unsigned which) {
    switch ((enum scenario_shape_bits)which) {
    case SCENARIO_RATE:
        return set_rate;
    case SCENARIO_DELAY:
        return set_delay;
    case SCENARIO_QUEUE:
        return set_queue;
    case SCENARIO_LOSS:
        return set_loss;
    case SCENARIO_TRACE:
        return set_trace;
    case SCENARIO_JITTER:
        return set_jitter;
    case SCENARIO_BURST:
        return set_burst;
    case SCENARIO_REORDER:
        return set_reorder;
    case SCENARIO_DUPLICATE:
        return set_duplicate;
    case SCENARIO_CORRUPT:
        return set_corrupt;
    case SCENARIO_NOISE:
        break;
    }
    return NULL;
}

/* Whether a mapping says something of each direction, and not of one thing in detail. */
static bool has_directions(struct yaml_source *source, yaml_node_t *value, unsigned which) {
    if (!yaml_is_mapping(value)) return false;
    bool may_be_mapping = (which & (SCENARIO_BURST | SCENARIO_REORDER)) != 0;
    return !may_be_mapping || yaml_value_of(source, value, "up") != NULL ||
           yaml_value_of(source, value, "down") != NULL;
}

unsigned scenario_read_shape(struct yaml_source *source, yaml_node_t *value, struct scenario_shape shape[2],
                             unsigned which) {
    set_shape *set = setter_of(which);
    for (unsigned way = 0; way < 2; way++)
        if (shape[way].noise.reorder_ns == 0) shape[way].noise.reorder_ns = REORDER_NS;
    if (!has_directions(source, value, which)) {
        set(source, value, &shape[SCENARIO_UP]);
        set(source, value, &shape[SCENARIO_DOWN]);
        return 3;
    }
    unsigned said = 0;
    for (size_t i = 0; i < yaml_pair_count(source, value, "this"); i++) {
        yaml_node_t *key, *setting = yaml_pair(source, value, i, &key);
        const char *direction = yaml_text(source, key);
        bool up = strcmp(direction, "up") == 0;
        if (!up && strcmp(direction, "down") != 0)
            yaml_fail(source, key, "\"%s\" is no direction: up (from -> to) or down (to -> from)", direction);
        set(source, setting, &shape[up ? SCENARIO_UP : SCENARIO_DOWN]);
        said |= 1u << (up ? SCENARIO_UP : SCENARIO_DOWN);
    }
    return said;
}

bool scenario_is_shaped(const struct scenario_shape *shape) {
    return shape->rate_bps != 0 || shape->delay_ns != 0 || shape->queue_bytes != 0 || shape->queue_ns != 0 ||
           shape->loss != 0 || shape->trace != NULL || !sim_noise_is_none(&shape->noise);
}

static void change_noise(struct sim_noise_config *noise, const struct sim_noise_config *wanted,
                         unsigned bits) {
    if (bits & SCENARIO_JITTER) noise->jitter_ns = wanted->jitter_ns;
    if (bits & SCENARIO_DUPLICATE) noise->duplicate = wanted->duplicate;
    if (bits & SCENARIO_CORRUPT) noise->corrupt = wanted->corrupt;
    if (bits & SCENARIO_REORDER) noise->reorder = wanted->reorder;
    if (bits & (SCENARIO_REORDER | SCENARIO_DUPLICATE)) noise->reorder_ns = wanted->reorder_ns;
    if (!(bits & SCENARIO_BURST)) return;
    noise->burst_begin = wanted->burst_begin;
    noise->burst_end = wanted->burst_end;
    noise->burst_loss = wanted->burst_loss;
}

void scenario_shape_change(struct scenario_shape *shape, const struct scenario_shape *wanted, unsigned bits) {
    if (bits & (SCENARIO_RATE | SCENARIO_TRACE)) {
        shape->rate_bps = wanted->rate_bps;
        shape->trace = wanted->trace;
    }
    if (bits & SCENARIO_DELAY) shape->delay_ns = wanted->delay_ns;
    if (bits & SCENARIO_LOSS) shape->loss = wanted->loss;
    if (bits & SCENARIO_QUEUE) {
        shape->queue_bytes = wanted->queue_bytes;
        shape->queue_ns = wanted->queue_ns;
    }
    change_noise(&shape->noise, &wanted->noise, bits);
}

struct link_model_config scenario_shape_model(const struct scenario_shape *shape, braid_time begins_ns) {
    return (struct link_model_config){.rate_bps = shape->rate_bps,
                                      .delay_ns = shape->delay_ns,
                                      .queue_bytes = shape->queue_bytes,
                                      .queue_ns = shape->queue_ns,
                                      .loss = shape->loss,
                                      .trace = shape->trace,
                                      .trace_begins_ns = begins_ns};
}
