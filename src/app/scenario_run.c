/* From YAML to struct scenario: timelines and runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scenario_read.h"

/* ---- events ---- */

/* An event as it is being read: one action, and what belongs to it. */
struct event_reader {
    struct scenario_event event;
    unsigned actions;
    bool has_host;
    braid_time every_ns;
    uint64_t times;
};

static void link_action(struct yaml_source *source, yaml_node_t *value, struct event_reader *reader,
                        enum scenario_action action) {
    const char *name = yaml_text(source, value);
    int link = scenario_find_link(source->scenario, name);
    if (link < 0)
        yaml_fail(source, value, "there is no link \"%s\"", name);
    else
        reader->event.link = (unsigned)link;
    reader->event.action = action;
    reader->actions++;
}

static void refuse_direct(struct yaml_source *source, yaml_node_t *value, const struct event_reader *reader) {
    if (!source->failed && source->scenario->links[reader->event.link].direct)
        yaml_fail(source, value, "nothing emulates a direct link: it only goes down and up");
}

static void read_at(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct event_reader *)out)->event.at_ns = yaml_time_ns(source, value);
}

static void read_event_name(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct event_reader *)out)->event.name = scenario_read_name(source, value);
}

static void read_down(struct yaml_source *source, yaml_node_t *value, void *out) {
    link_action(source, value, out, SCENARIO_LINK_DOWN);
}

static void read_up(struct yaml_source *source, yaml_node_t *value, void *out) {
    link_action(source, value, out, SCENARIO_LINK_UP);
}

static void read_blackhole(struct yaml_source *source, yaml_node_t *value, void *out) {
    link_action(source, value, out, SCENARIO_LINK_BLACKHOLE);
    refuse_direct(source, value, out);
}

static void read_unplug(struct yaml_source *source, yaml_node_t *value, void *out) {
    link_action(source, value, out, SCENARIO_LINK_UNPLUG);
}

static void read_change(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct event_reader *reader = out;
    link_action(source, value, reader, SCENARIO_LINK_SHAPE);
    refuse_direct(source, value, reader);
}

static void read_event_shape(struct yaml_source *source, yaml_node_t *value, void *out, unsigned which) {
    struct scenario_event *event = &((struct event_reader *)out)->event;
    unsigned said = scenario_read_shape(source, value, event->shape, which);
    for (unsigned direction = 0; direction < 2; direction++)
        if (said & (1u << direction)) event->shape_bits[direction] |= which;
}

static void read_only(struct yaml_source *source, yaml_node_t *value, void *out) {
    const char *direction = yaml_text(source, value);
    bool up = strcmp(direction, "up") == 0;
    if (!up && strcmp(direction, "down") != 0)
        yaml_fail(source, value, "\"%s\" is no direction: up (from -> to) or down (to -> from)", direction);
    ((struct event_reader *)out)->event.directions = up ? 1 : 2;
}

static void read_forget(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct event_reader *reader = out;
    link_action(source, value, reader, SCENARIO_LINK_FORGET);
    if (!source->failed && source->scenario->links[reader->event.link].box_count == 0)
        yaml_fail(source, value, "this link has no middleboxes that could forget");
}

static void read_renumber(struct yaml_source *source, yaml_node_t *value, void *out) {
    link_action(source, value, out, SCENARIO_LINK_RENUMBER);
}

static void read_address(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct event_reader *)out)->event.address = yaml_prefix(source, value, true);
}

static void read_exec(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct event_reader *reader = out;
    reader->event.action = SCENARIO_EXEC;
    reader->event.command = yaml_text(source, value);
    reader->actions++;
}

static void read_event_host(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct event_reader *reader = out;
    reader->event.host = scenario_read_host_name(source, value);
    reader->has_host = true;
}

static void read_every(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct event_reader *)out)->every_ns = yaml_time_ns(source, value);
}

static void read_times(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct event_reader *reader = out;
    reader->times = yaml_number(source, value, 10000);
    if (reader->times == 0) yaml_fail(source, value, "an event happens at least once");
}

static const char *default_name(const struct scenario_event *event) {
    switch (event->action) {
    case SCENARIO_LINK_DOWN:
        return "down";
    case SCENARIO_LINK_UP:
        return "up";
    case SCENARIO_LINK_BLACKHOLE:
        return "blackhole";
    case SCENARIO_LINK_UNPLUG:
        return "unplug";
    case SCENARIO_LINK_SHAPE:
        return "change";
    case SCENARIO_LINK_RENUMBER:
        return "renumber";
    case SCENARIO_LINK_FORGET:
        return "forget";
    case SCENARIO_EXEC:
        return "exec";
    }
    return "event";
}

void scenario_event_text(const struct scenario *scenario, const struct scenario_event *event, char *text,
                         size_t size) {
    const char *link = scenario->links[event->link].name;
    switch (event->action) {
    case SCENARIO_LINK_DOWN:
        snprintf(text, size, "%s down", link);
        break;
    case SCENARIO_LINK_UP:
        snprintf(text, size, "%s up", link);
        break;
    case SCENARIO_LINK_BLACKHOLE:
        snprintf(text, size, "%s silent%s", link,
                 event->directions == 3 ? "" : event->directions == 1 ? " upwards" : " downwards");
        break;
    case SCENARIO_LINK_UNPLUG:
        snprintf(text, size, "%s unplugged", link);
        break;
    case SCENARIO_LINK_SHAPE:
        snprintf(text, size, "%s changes", link);
        break;
    case SCENARIO_LINK_RENUMBER:
        snprintf(text, size, "%s renumbered", link);
        break;
    case SCENARIO_LINK_FORGET:
        snprintf(text, size, "%s forgets", link);
        break;
    case SCENARIO_EXEC:
        snprintf(text, size, "%s: %s", scenario->hosts[event->host].name, event->command);
        break;
    }
}

static void check_event(struct yaml_source *source, yaml_node_t *item, const struct event_reader *reader) {
    const struct scenario_event *event = &reader->event;
    if (reader->actions != 1)
        yaml_fail(source, item,
                  "an event has exactly one of down, up, blackhole, unplug, change, renumber, forget, exec");
    else if ((event->action == SCENARIO_EXEC) != reader->has_host)
        yaml_fail(source, item, "\"exec\" and \"host\" belong together");
    else if ((event->action == SCENARIO_LINK_SHAPE) != ((event->shape_bits[0] | event->shape_bits[1]) != 0))
        yaml_fail(source, item, "\"change\" goes with rate, delay, queue, loss or what else is in a link's shape");
    else if ((event->action == SCENARIO_LINK_RENUMBER) != (event->address.address.family != IP_NONE))
        yaml_fail(source, item, "\"renumber\" and \"address\" belong together");
    else if (event->directions != 0 && event->action != SCENARIO_LINK_BLACKHOLE)
        yaml_fail(source, item, "\"only\" goes with \"blackhole\"");
    else if ((reader->every_ns != 0) != (reader->times != 0))
        yaml_fail(source, item, "\"every\" and \"times\" belong together");
}

static void read_event(struct yaml_source *source, yaml_node_t *item, struct event_reader *reader) {
    static const struct yaml_key keys[] = {
        {"at", read_at, true},
        {"name", read_event_name, false},
        {"down", read_down, false},
        {"up", read_up, false},
        {"blackhole", read_blackhole, false},
        {"unplug", read_unplug, false},
        {"change", read_change, false},
        {"only", read_only, false},
        {"renumber", read_renumber, false},
        {"address", read_address, false},
        {"forget", read_forget, false},
        SCENARIO_SHAPE_KEYS(read_event_shape),
        {"host", read_event_host, false},
        {"exec", read_exec, false},
        {"every", read_every, false},
        {"times", read_times, false},
    };
    *reader = (struct event_reader){.event.place = yaml_place(source, item)};
    YAML_READ_MAPPING(source, item, keys, reader);
    check_event(source, item, reader);
    if (reader->event.name == NULL) reader->event.name = default_name(&reader->event);
    if (reader->event.directions == 0) reader->event.directions = 3;
    if (reader->times == 0) reader->times = 1;
}

static int by_time(const void *a, const void *b) {
    const struct scenario_event *x = a, *y = b;
    if (x->at_ns != y->at_ns) return x->at_ns < y->at_ns ? -1 : 1;
    return x->place.line < y->place.line ? -1 : x->place.line > y->place.line;
}

/* The second "down" is "down_2", and so on. */
static void number_names(struct yaml_source *source, struct scenario_timeline *timeline) {
    for (size_t i = timeline->count; i-- > 0;) {
        unsigned before = 0;
        for (size_t k = 0; k < i; k++)
            before += strcmp(timeline->events[k].name, timeline->events[i].name) == 0;
        if (before > 0)
            timeline->events[i].name =
                arena_format(source->arena, "%s_%u", timeline->events[i].name, before + 1);
    }
}

void scenario_read_timeline(struct yaml_source *source, yaml_node_t *node,
                            struct scenario_timeline *timeline) {
    size_t items = yaml_item_count(source, node, "events");
    struct event_reader *readers = arena_array(source->arena, items, sizeof(*readers));
    *timeline = (struct scenario_timeline){0};
    size_t count = 0;
    for (size_t i = 0; i < items && !source->failed; i++) {
        read_event(source, yaml_item(source, node, i), &readers[i]);
        count += readers[i].times;
    }
    if (source->failed) return;
    timeline->events = arena_array(source->arena, count, sizeof(*timeline->events));
    for (size_t i = 0; i < items; i++) {
        for (uint64_t k = 0; k < readers[i].times; k++) {
            struct scenario_event *event = &timeline->events[timeline->count++];
            *event = readers[i].event;
            event->at_ns += k * readers[i].every_ns;
        }
    }
    qsort(timeline->events, timeline->count, sizeof(*timeline->events), by_time);
    number_names(source, timeline);
}

/* ---- runs ---- */

static void read_title(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_run *)out)->title = yaml_text(source, value);
}

static void read_run_host(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_run *)out)->command.host = scenario_read_host_name(source, value);
}

static void read_run_command(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_run *)out)->command.place = yaml_place(source, value);
    ((struct scenario_run *)out)->command.command = yaml_text(source, value);
}

/* A list of {HOST: COMMAND}. */
static void read_before(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_run *run = out;
    run->before_count = yaml_item_count(source, value, "before");
    run->before = arena_array(source->arena, run->before_count, sizeof(*run->before));
    for (size_t i = 0; i < run->before_count; i++) {
        yaml_node_t *item = yaml_item(source, value, i), *key;
        if (yaml_pair_count(source, item, "each of these") != 1) {
            yaml_fail(source, item, "write it as \"- HOST: COMMAND\"");
            return;
        }
        yaml_node_t *command = yaml_pair(source, item, 0, &key);
        run->before[i] = (struct scenario_command){
            yaml_place(source, item), scenario_read_host_name(source, key), yaml_text(source, command)};
    }
}

static void read_run_services(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_run *run = out;
    run->services = scenario_read_services(source, value, &run->service_count);
}

static void read_measure(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_run *)out)->measure = yaml_text(source, value);
}

static void read_output(struct yaml_source *source, yaml_node_t *value, void *out) {
    const char *text = yaml_text(source, value);
    bool json = strcmp(text, "json") == 0;
    if (!json && strcmp(text, "stream") != 0)
        yaml_fail(source, value, "\"%s\" is neither stream nor json", text);
    ((struct scenario_run *)out)->output = json ? SCENARIO_OUTPUT_JSON : SCENARIO_OUTPUT_STREAM;
}

static void read_same_as(struct yaml_source *source, yaml_node_t *value, void *out) {
    const char *path = yaml_text(source, value);
    for (size_t i = 0; i < source->scenario->file_count; i++) {
        if (strcmp(source->scenario->files[i].path, path) != 0) continue;
        ((struct scenario_run *)out)->same_as = path;
        return;
    }
    yaml_fail(source, value, "there is no file \"%s\"", path);
}

static void read_limit(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_run *)out)->limit_ns = yaml_time_ns(source, value);
}

static void read_events(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_timeline(source, value, &((struct scenario_run *)out)->timeline);
}

static void read_expect_exit(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_run *run = out;
    run->expects_exit = true;
    run->expected_exit = (int)yaml_number(source, value, 255);
}

static void read_expect_same(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_run *)out)->expects_same = yaml_flag(source, value);
}

static void read_expect(struct yaml_source *source, yaml_node_t *value, void *out) {
    static const struct yaml_key keys[] = {{"exit", read_expect_exit, false},
                                           {"same", read_expect_same, false}};
    YAML_READ_MAPPING(source, value, keys, out);
}

static void read_transfer(struct yaml_source *source, yaml_node_t *value, void *out) {
    scenario_read_transfer(source, value, out);
}

static void check_run(struct yaml_source *source, yaml_node_t *node, const struct scenario_run *run) {
    bool found = run->measure == NULL;
    if (run->command.command == NULL && run->transfer == NULL)
        yaml_fail(source, node, "a run needs \"command\" or \"transfer\"");
    for (size_t i = 0; i < run->service_count; i++)
        found = found || strcmp(run->services[i].name, run->measure) == 0;
    if (strcmp(run->name, "lab") == 0) yaml_fail(source, node, "\"lab\" is what results call the lab itself");
    if (!found) yaml_fail(source, node, "\"measure\" names no service of this run: \"%s\"", run->measure);
    if (run->expects_same && run->same_as == NULL)
        yaml_fail(source, node, "\"expect: same\" needs \"same_as\"");
}

void scenario_read_runs(struct yaml_source *source, yaml_node_t *node) {
    static const struct yaml_key keys[] = {
        {"title", read_title, false},           {"host", read_run_host, true},
        {"command", read_run_command, false},   {"before", read_before, false},
        {"services", read_run_services, false}, {"measure", read_measure, false},
        {"output", read_output, false},         {"same_as", read_same_as, false},
        {"limit", read_limit, false},           {"events", read_events, false},
        {"expect", read_expect, false},         {"transfer", read_transfer, false},
    };
    struct scenario *scenario = source->scenario;
    size_t count = yaml_pair_count(source, node, "runs");
    scenario->runs = arena_array(source->arena, count, sizeof(*scenario->runs));
    for (size_t i = 0; i < count && !source->failed; i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        struct scenario_run *run = &scenario->runs[i];
        run->place = yaml_place(source, key);
        run->name = run->title = scenario_read_name(source, key);
        if (scenario_find_run(scenario, run->name) >= 0)
            yaml_fail(source, key, "there are two runs \"%s\"", run->name);
        run->limit_ns = 60 * BRAID_NS_PER_S;
        run->timeline = scenario->timeline;
        YAML_READ_MAPPING(source, value, keys, run);
        if (!source->failed) check_run(source, key, run);
        if (!source->failed && run->command.command == NULL) scenario_transfer_command(source, run);
        scenario->run_count++;
    }
}
