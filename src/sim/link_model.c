#include <sim/link_model.h>

#include <string.h>

#define FIRST_CAPACITY 64

struct link_model_record {
    uint64_t tag;
    braid_time arrival_ns; /* once it is on the wire */
    uint32_t bytes;
    enum link_fate fate; /* so far */
};

const char *link_fate_name(enum link_fate fate) {
    switch (fate) {
    case LINK_PASSED:
        return "passed";
    case LINK_DROPPED_QUEUE_FULL:
        return "queue_full";
    case LINK_DROPPED_LOSS:
        return "loss";
    case LINK_DROPPED_DOWN:
        return "down";
    case LINK_DROPPED_BLACKHOLE:
        return "blackhole";
    case LINK_DROPPED_NO_MEMORY:
        return "no_memory";
    }
    return "unknown";
}

static braid_time period_ns(const struct link_trace *trace) {
    return trace->at_ms[trace->count - 1] * BRAID_NS_PER_MS;
}

/* Of a trace: all in all. */
static uint64_t mean_rate_bps(const struct link_model_config *config) {
    if (config->trace == NULL) return config->rate_bps;
    uint64_t bits = (uint64_t)config->trace->count * config->trace->bytes * 8;
    return (uint64_t)((__uint128_t)bits * BRAID_NS_PER_S / period_ns(config->trace));
}

static void set_config(struct link_model *model, const struct link_model_config *config) {
    if (model->config.trace != config->trace) model->opportunity = model->opportunity_bytes = 0;
    model->config = *config;
    uint64_t limit = config->queue_bytes != 0 ? config->queue_bytes : UINT64_MAX;
    uint64_t rate_bps = mean_rate_bps(config);
    if (config->queue_ns != 0 && rate_bps != 0) {
        uint64_t bytes = (uint64_t)((__uint128_t)config->queue_ns * rate_bps / (8 * BRAID_NS_PER_S));
        if (bytes < limit) limit = bytes;
    }
    model->queue_limit_bytes = limit;
}

void link_model_init(struct link_model *model, const struct braid_env *env,
                     const struct link_model_config *config, uint64_t seed) {
    *model = (struct link_model){.env = env};
    prng_seed(&model->prng, seed);
    set_config(model, config);
}

void link_model_deinit(struct link_model *model) {
    if (model->records == NULL) return;
    model->env->release(model->env->context, model->records, model->capacity * sizeof(*model->records));
    model->records = NULL;
}

/* ---- the ring ---- */

static uint32_t held(const struct link_model *model) {
    return model->flushed + model->on_wire + model->queued;
}

static struct link_model_record *record_at(const struct link_model *model, uint32_t index) {
    return &model->records[(model->head + index) & (model->capacity - 1)];
}

static struct link_model_record *first_queued(const struct link_model *model) {
    return record_at(model, model->flushed + model->on_wire);
}

/* Room for one more record. */
static bool grow(struct link_model *model) {
    if (held(model) < model->capacity) return true;
    uint32_t capacity = model->capacity == 0 ? FIRST_CAPACITY : 2 * model->capacity;
    if (capacity < model->capacity) return false;
    const struct braid_env *env = model->env;
    struct link_model_record *records = env->allocate(env->context, capacity * sizeof(*records));
    if (records == NULL) return false;
    for (uint32_t i = 0; i < held(model); i++)
        records[i] = *record_at(model, i);
    link_model_deinit(model);
    model->records = records;
    model->capacity = capacity;
    model->head = 0;
    return true;
}

/* ---- time ---- */

static braid_time sending_time_ns(const struct link_model *model, uint64_t bytes) {
    uint64_t rate_bps = mean_rate_bps(&model->config);
    if (rate_bps == 0) return 0;
    if (bytes < (1u << 31)) return bytes * 8 * BRAID_NS_PER_S / rate_bps; /* as always */
    return (braid_time)((__uint128_t)bytes * 8 * BRAID_NS_PER_S / rate_bps);
}

static braid_time opportunity_ns(const struct link_model *model, uint64_t number) {
    const struct link_trace *trace = model->config.trace;
    return model->config.trace_begins_ns + number / trace->count * period_ns(trace) +
           trace->at_ms[number % trace->count] * BRAID_NS_PER_MS;
}

/* The first one that is not before `from`. */
static uint64_t opportunity_after(const struct link_model *model, braid_time from) {
    const struct link_trace *trace = model->config.trace;
    braid_time since = from > model->config.trace_begins_ns ? from - model->config.trace_begins_ns : 0;
    braid_time rest = since % period_ns(trace);
    uint32_t low = 0, high = trace->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (trace->at_ms[middle] * BRAID_NS_PER_MS < rest) low = middle + 1;
        else high = middle;
    }
    uint64_t number = since / period_ns(trace) * trace->count + low;
    while (number > 0 && opportunity_ns(model, number - 1) >= from) number--; /* the end of the last round */
    return number;
}

/* When the last bit leaves of a packet whose first may leave at `from`. Takes what it needs of the trace. */
static braid_time sent_time_ns(struct link_model *model, uint64_t bytes, braid_time from) {
    const struct link_trace *trace = model->config.trace;
    if (trace == NULL) return from + sending_time_ns(model, bytes);
    if (model->opportunity_bytes == 0 || opportunity_ns(model, model->opportunity) < from) {
        model->opportunity = opportunity_after(model, from);
        model->opportunity_bytes = trace->bytes;
    }
    while (bytes > model->opportunity_bytes) {
        bytes -= model->opportunity_bytes;
        model->opportunity++;
        model->opportunity_bytes = trace->bytes;
    }
    braid_time at = opportunity_ns(model, model->opportunity);
    model->opportunity_bytes -= (uint32_t)bytes;
    if (model->opportunity_bytes == 0) {
        model->opportunity++;
        model->opportunity_bytes = trace->bytes;
    }
    return at > from ? at : from;
}

static braid_time arrival_of(const struct link_model *model, braid_time sent_at_ns) {
    braid_time arrival = sent_at_ns + model->config.delay_ns;
    return arrival > model->last_arrival_ns ? arrival : model->last_arrival_ns;
}

/* Puts onto the wire what has been sent by now. */
static void advance(struct link_model *model, braid_time now) {
    while (model->queued > 0 && model->sent_at_ns <= now) {
        struct link_model_record *record = first_queued(model);
        record->arrival_ns = model->last_arrival_ns = arrival_of(model, model->sent_at_ns);
        model->queued_bytes -= record->bytes;
        model->queued--;
        model->on_wire++;
        if (model->queued > 0)
            model->sent_at_ns = sent_time_ns(model, first_queued(model)->bytes, model->sent_at_ns);
    }
}

/* ---- packets ---- */

static void count(struct link_model *model, uint32_t bytes, enum link_fate fate) {
    model->counters.packets[fate]++;
    model->counters.bytes[fate] += bytes;
}

static enum link_fate fate_of_offer(struct link_model *model, uint32_t bytes) {
    switch (model->state) {
    case LINK_MODEL_UP:
        break;
    case LINK_MODEL_DOWN:
        return LINK_DROPPED_DOWN;
    case LINK_MODEL_BLACKHOLE:
        return LINK_DROPPED_BLACKHOLE;
    }
    if (model->queued > 0 && model->queued_bytes + bytes > model->queue_limit_bytes)
        return LINK_DROPPED_QUEUE_FULL;
    return grow(model) ? LINK_PASSED : LINK_DROPPED_NO_MEMORY;
}

enum link_fate link_model_offer(struct link_model *model, uint32_t bytes, uint64_t tag, braid_time now) {
    advance(model, now);
    model->counters.offered_packets++;
    model->counters.offered_bytes += bytes;
    enum link_fate fate = fate_of_offer(model, bytes);
    if (fate != LINK_PASSED) {
        count(model, bytes, fate);
        return fate;
    }
    /* Drawn for every packet, so that a change of the loss does not shift the fates of those after it. */
    bool lost = prng_unit(&model->prng) < model->config.loss;
    *record_at(model, held(model)) = (struct link_model_record){
        .tag = tag, .bytes = bytes, .fate = lost ? LINK_DROPPED_LOSS : LINK_PASSED};
    if (model->queued == 0) model->sent_at_ns = sent_time_ns(model, bytes, now);
    model->queued++;
    model->queued_bytes += bytes;
    if (model->queued_bytes > model->counters.queue_peak_bytes)
        model->counters.queue_peak_bytes = model->queued_bytes;
    return LINK_PASSED;
}

bool link_model_take(struct link_model *model, braid_time now, struct link_model_packet *out) {
    advance(model, now);
    if (held(model) == 0) return false;
    struct link_model_record *record = record_at(model, 0);
    if (model->flushed > 0)
        model->flushed--;
    else if (model->on_wire > 0 && record->arrival_ns <= now)
        model->on_wire--;
    else
        return false;
    *out = (struct link_model_packet){
        .tag = record->tag, .bytes = record->bytes, .fate = record->fate, .due_ns = record->arrival_ns};
    model->head = (model->head + 1) & (model->capacity - 1);
    count(model, out->bytes, out->fate);
    return true;
}

braid_time link_model_deadline(const struct link_model *model) {
    if (model->flushed > 0) return 0;
    if (model->on_wire > 0) return record_at(model, 0)->arrival_ns;
    if (model->queued > 0) return arrival_of(model, model->sent_at_ns);
    return BRAID_NEVER;
}

/* ---- changes ---- */

void link_model_configure(struct link_model *model, const struct link_model_config *config, braid_time now) {
    advance(model, now);
    uint64_t old_rate_bps = model->config.rate_bps;
    const struct link_trace *old_trace = model->config.trace;
    set_config(model, config);
    if (model->queued == 0 || (config->trace != NULL && config->trace == old_trace)) return;
    if (config->trace != NULL || old_trace != NULL) { /* the one being sent begins again */
        model->sent_at_ns = sent_time_ns(model, first_queued(model)->bytes, now);
        return;
    }
    /* With no rate before, nothing would still wait; without one from now on, nothing need wait. */
    uint64_t left_ns = model->sent_at_ns - now;
    if (config->rate_bps == 0)
        left_ns = 0;
    else if (config->rate_bps != old_rate_bps)
        left_ns = (uint64_t)((__uint128_t)left_ns * old_rate_bps / config->rate_bps);
    model->sent_at_ns = now + left_ns;
}

void link_model_set_state(struct link_model *model, enum link_model_state state, braid_time now) {
    advance(model, now);
    model->state = state;
    if (state == LINK_MODEL_UP) return;
    enum link_fate fate = state == LINK_MODEL_DOWN ? LINK_DROPPED_DOWN : LINK_DROPPED_BLACKHOLE;
    for (uint32_t i = model->flushed; i < held(model); i++) {
        record_at(model, i)->fate = fate;
        record_at(model, i)->arrival_ns = 0;
    }
    model->flushed = held(model);
    model->on_wire = model->queued = 0;
    model->queued_bytes = 0;
    model->last_arrival_ns = 0;
}

braid_time link_model_queue_delay_ns(const struct link_model *model, braid_time now) {
    if (model->queued == 0) return 0;
    /* What waits behind the packet being sent, and what is left of that one (which may have been sent by now,
     * if nobody has asked since). */
    uint64_t behind = model->queued_bytes - first_queued(model)->bytes;
    braid_time done = model->sent_at_ns + sending_time_ns(model, behind);
    return done > now ? done - now : 0;
}
