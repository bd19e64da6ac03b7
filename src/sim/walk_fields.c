/* The numbers a walk's plan is made of. */
#include "walk_fields.h"

#include <string.h>

#include "walk.h"

#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AS(name, record, field, type) \
    { name, type, offsetof(record, field), NULL }
#define CHOICE(name, record, field, names) \
    { name, WALK_CHOICE, offsetof(record, field), names }

static const struct walk_field world_fields[] = {
    AS("seed", struct sim_walk_plan, seed, WALK_U64),
    AS("checksums", struct sim_walk_plan, checksums, WALK_FLAG),
    AS("ipv6", struct sim_walk_plan, ipv6, WALK_FLAG),
    AS("twin", struct sim_walk_plan, twin, WALK_FLAG),
    AS("announced", struct sim_walk_plan, announced, WALK_FLAG),
    AS("client_announces", struct sim_walk_plan, client_announces, WALK_FLAG),
    AS("check_every", struct sim_walk_plan, check_every, WALK_U32),
    AS("super_segment", struct sim_walk_plan, super_segment_bytes, WALK_U32),
};

static const char *const cookies_names[] = {"", "always", "never", NULL};
static const char *const version_names[] = {"", "both", "discover", "1", "0", NULL};
#define STACK(name, field, type) AS(name, struct sim_walk_stack, field, type)
static const struct walk_field stack_fields[] = {
    STACK("fails_at", fails_at, WALK_U64),
    STACK("fails", fails, WALK_U64),
    STACK("connections_max", config.connections_max, WALK_U32),
    STACK("send_buffer", config.send_buffer_bytes, WALK_U32),
    STACK("receive_buffer_max", config.receive_buffer_max_bytes, WALK_U32),
    STACK("receive_buffer", config.receive_buffer_initial_bytes, WALK_U32),
    STACK("memory_max", config.memory_max_bytes, WALK_U64),
    CHOICE("cookies", struct sim_walk_stack, config.cookies, cookies_names),
    STACK("checksum", config.checksum, WALK_FLAG),
    STACK("join_to_clients", config.join_to_clients, WALK_FLAG),
    STACK("ecn", config.ecn, WALK_FLAG),
    CHOICE("versions", struct sim_walk_stack, config.versions, version_names),
    STACK("time_wait", config.time_wait_ns, WALK_TIME),
    STACK("connect_timeout", config.connect_timeout_ns, WALK_TIME),
    STACK("congestion", config.congestion, WALK_CONGESTION),
    STACK("scheduler", config.scheduler, WALK_SCHEDULER),
};

#define SHAPE(prefix, record, field)                                 \
    AS(prefix "rate", record, field.rate_bps, WALK_U64),             \
        AS(prefix "rate_up", record, field.rate_up_bps, WALK_U64),   \
        AS(prefix "rtt", record, field.rtt_ns, WALK_TIME),           \
        AS(prefix "queue", record, field.queue_ns, WALK_TIME),       \
        AS(prefix "queue_bytes", record, field.queue_bytes, WALK_U64), \
        AS(prefix "loss", record, field.loss, WALK_PART),            \
        AS(prefix "mtu", record, field.mtu_bytes, WALK_U32),         \
        AS(prefix "backup", record, field.backup, WALK_FLAG)
static const struct walk_field path_fields[] = {
    SHAPE("", struct sim_walk_path, config),
    AS("late", struct sim_walk_path, late, WALK_FLAG),
};

#define NOISE(name, field, type) AS(name, struct sim_noise_config, field, type)
static const struct walk_field noise_fields[] = {
    NOISE("reorder", reorder, WALK_PART),       NOISE("by", reorder_ns, WALK_TIME),
    NOISE("duplicate", duplicate, WALK_PART),   NOISE("corrupt", corrupt, WALK_PART),
    NOISE("mark", mark, WALK_PART),             NOISE("jitter", jitter_ns, WALK_TIME),
    NOISE("burst_begin", burst_begin, WALK_PART), NOISE("burst_end", burst_end, WALK_PART),
    NOISE("burst_loss", burst_loss, WALK_PART),
};

static const char *const box_names[] = {"", "nat", "sequence", "split", "firewall", "window", "option", "coalesce",
                                        "proxy", "drop-syn", "strip-syn-payload", "misdirect-join", NULL};
static const char *const action_names[] = {"strip", "nop", "eol", "mirror", NULL};
static const char *const way_names[] = {"none", "up", "down", "both", NULL};
#define BOX(name, field, type) AS(name, struct sim_walk_box, field, type)
static const struct walk_field box_fields[] = {
    CHOICE("kind", struct sim_walk_box, kind, box_names),
    BOX("nat.idle", nat.idle_ns, WALK_TIME),
    BOX("nat.strict", nat.strict, WALK_FLAG),
    BOX("nat.resets", nat.resets, WALK_FLAG),
    BOX("leave_sack", sequence.leave_sack, WALK_FLAG),
    CHOICE("split.directions", struct sim_walk_box, split.directions, way_names),
    BOX("split.bytes", split.payload_bytes, WALK_U32),
    BOX("options_once", split.options_once, WALK_FLAG),
    BOX("idle", firewall.idle_ns, WALK_TIME),
    BOX("resets", firewall.resets, WALK_FLAG),
    BOX("in_order", firewall.in_order, WALK_FLAG),
    BOX("no_unseen_ack", firewall.no_unseen_ack, WALK_FLAG),
    BOX("outward_only", firewall.outward_only, WALK_FLAG),
    CHOICE("window.directions", struct sim_walk_box, window.directions, way_names),
    BOX("most", window.most, WALK_U16),
    BOX("strip_scale", window.strip_scale, WALK_FLAG),
    CHOICE("action", struct sim_walk_box, option.action, action_names),
    BOX("segments", option.segments, WALK_U32),
    CHOICE("option.directions", struct sim_walk_box, option.directions, way_names),
    BOX("after", option.after, WALK_U64),
    BOX("option", option.kind, WALK_U8),
    CHOICE("coalesce.directions", struct sim_walk_box, coalesce.directions, way_names),
    BOX("coalesce.bytes", coalesce.payload_bytes, WALK_U32),
    BOX("wait", coalesce.wait_ns, WALK_TIME),
    BOX("last_options", coalesce.last_options, WALK_FLAG),
    CHOICE("proxy.directions", struct sim_walk_box, proxy.directions, way_names),
    BOX("buffer", proxy.buffer_bytes, WALK_U32),
    BOX("repeats_options", proxy.repeats_options, WALK_FLAG),
    BOX("syns", syns_dropped, WALK_U64),
};

#define TALK(name, field, type) AS(name, struct sim_walk_talk, config.field, type)
#define STREAM(prefix, way)                                             \
    TALK(prefix "bytes", streams[way].bytes, WALK_U64),                 \
        TALK(prefix "write", streams[way].write_bytes, WALK_U32),       \
        TALK(prefix "message", streams[way].message_bytes, WALK_U32),   \
        TALK(prefix "interval", streams[way].interval_ns, WALK_TIME),   \
        TALK(prefix "slices", streams[way].slices, WALK_FLAG),          \
        TALK(prefix "read", streams[way].read_bytes, WALK_U32)
static const struct walk_field talk_fields[] = {
    TALK("at", start_ns, WALK_TIME),
    STREAM("up.", SIM_UP),
    STREAM("down.", SIM_DOWN),
    TALK("plain_client", plain_client, WALK_FLAG),
    TALK("plain_server", plain_server, WALK_FLAG),
    TALK("fast_open", fast_open, WALK_FLAG),
    TALK("single_path", single_path, WALK_FLAG),
    TALK("no_delay", no_delay, WALK_FLAG),
    TALK("congestion", congestion, WALK_CONGESTION),
    TALK("scheduler", scheduler, WALK_SCHEDULER),
    TALK("deferred", deferred, WALK_FLAG),
    TALK("answer", answer_ns, WALK_TIME),
};

static const char *const event_names[] = {"path-down",     "path-up",        "path-blackhole", "path-renumber", "path-backup",
                                          "path-shape",    "nat-forgets",    "reader-pauses",  "reader-resumes",
                                          "writer-shuts",  "application-aborts", "application-releases",
                                          "application-tunes", NULL};
static const char *const side_names[] = {"client", "server", NULL};
#define EVENT(name, field, type) AS(name, struct sim_walk_event, field, type)
static const struct walk_field event_fields[] = {
    EVENT("at", at_ns, WALK_TIME),
    CHOICE("kind", struct sim_walk_event, kind, event_names),
    EVENT("path", path, WALK_U32),
    CHOICE("ways", struct sim_walk_event, ways, way_names),
    EVENT("becomes_backup", backup, WALK_FLAG),
    SHAPE("", struct sim_walk_event, shape),
    EVENT("talk", talk, WALK_U32),
    CHOICE("side", struct sim_walk_event, side, side_names),
    EVENT("no_delay", tuning.no_delay, WALK_FLAG),
    EVENT("cork", tuning.cork, WALK_FLAG),
    EVENT("user_timeout", tuning.user_timeout_ns, WALK_TIME),
    EVENT("keepalive_idle", tuning.keepalive_idle_ns, WALK_TIME),
    EVENT("keepalive_interval", tuning.keepalive_interval_ns, WALK_TIME),
    EVENT("keepalive_probes", tuning.keepalive_probes, WALK_U32),
};

#define RECORD(name, table) \
    { name, table, ARRAY_COUNT(table) }
const struct walk_record_kind walk_records[WALK_RECORDS] = {
    [WALK_WORLD] = RECORD("world", world_fields),  [WALK_CLIENT] = RECORD("client", stack_fields),
    [WALK_SERVER] = RECORD("server", stack_fields), [WALK_PATH] = RECORD("path", path_fields),
    [WALK_NOISE] = RECORD("noise", noise_fields),  [WALK_BOX] = RECORD("box", box_fields),
    [WALK_TALK] = RECORD("talk", talk_fields),     [WALK_EVENT] = RECORD("event", event_fields),
};

const char *walk_event_name(enum sim_walk_event_kind kind) { return event_names[kind]; }

void walk_each_record(struct sim_walk_plan *plan, walk_record_visit *visit, void *context) {
    visit(context, WALK_WORLD, plan, 0);
    visit(context, WALK_CLIENT, &plan->client, 0);
    visit(context, WALK_SERVER, &plan->server, 0);
    for (unsigned i = 0; i < plan->path_count; i++) {
        struct sim_walk_path *path = &plan->paths[i];
        visit(context, WALK_PATH, path, i);
        if (path->noisy) visit(context, WALK_NOISE, &path->noise, 0);
        for (unsigned k = 0; k < SIM_WALK_BOXES_MAX; k++)
            if (path->boxes[k].kind != SIM_WALK_NO_BOX) visit(context, WALK_BOX, &path->boxes[k], k);
    }
    for (unsigned i = 0; i < SIM_WALK_TALKS_MAX; i++)
        if (plan->talks[i].there) visit(context, WALK_TALK, &plan->talks[i], i);
    for (unsigned i = 0; i < plan->event_count; i++) visit(context, WALK_EVENT, &plan->events[i], i);
}

static size_t field_bytes(const struct walk_field *field) {
    switch (field->type) {
    case WALK_FLAG: return sizeof(bool);
    case WALK_U8: return sizeof(uint8_t);
    case WALK_U16: return sizeof(uint16_t);
    case WALK_U32:
    case WALK_CHOICE: return sizeof(uint32_t);
    case WALK_U64:
    case WALK_TIME:
    case WALK_PART: return sizeof(uint64_t);
    case WALK_CONGESTION:
    case WALK_SCHEDULER: break;
    }
    return sizeof(const char *);
}
_Static_assert(sizeof(enum sim_walk_box_kind) == 4 && sizeof(double) == 8 && sizeof(braid_time) == 8,
               "the sizes of fields");

bool walk_field_is_zero(const struct walk_field *field, const void *record) {
    static const uint8_t zeros[sizeof(uint64_t)];
    return memcmp((const char *)record + field->offset, zeros, field_bytes(field)) == 0;
}
