/* From YAML to struct scenario: hosts, links, files and services. Runs and their timelines are in
 * scenario_run.c. */
#include "scenario.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "scenario_read.h"

#define NAME_MAX_BYTES 63

/* Names become host names, result keys and file names. */
const char *scenario_read_name(struct yaml_source *source, yaml_node_t *node) {
    const char *name = yaml_text(source, node);
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    if (name[0] == '\0' || name[0] == '.' || name[0] == '-' || strlen(name) > NAME_MAX_BYTES ||
        name[strspn(name, allowed)] != '\0')
        yaml_fail(source, node, "\"%s\" is no good as a name: letters, digits, _ - . only", name);
    return name;
}

unsigned scenario_read_host_name(struct yaml_source *source, yaml_node_t *node) {
    const char *name = yaml_text(source, node);
    int host = scenario_find_host(source->scenario, name);
    if (host < 0) yaml_fail(source, node, "there is no host \"%s\"", name);
    return host < 0 ? 0 : (unsigned)host;
}

/* ---- hosts ---- */

static void read_forwarding(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_host *)out)->forwarding = yaml_flag(source, value);
}

static void read_nameserver(struct yaml_source *source, yaml_node_t *value, void *out) {
    yaml_address(source, value);
    ((struct scenario_host *)out)->nameserver = yaml_text(source, value);
}

static void read_sysctls(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_host *host = out;
    host->sysctl_count = yaml_pair_count(source, value, "sysctls");
    host->sysctls = arena_array(source->arena, host->sysctl_count, sizeof(*host->sysctls));
    for (size_t i = 0; i < host->sysctl_count; i++) {
        yaml_node_t *key, *setting = yaml_pair(source, value, i, &key);
        struct scenario_sysctl *sysctl = &host->sysctls[i];
        *sysctl = (struct scenario_sysctl){yaml_place(source, key), yaml_text(source, key),
                                           yaml_text(source, setting)};
        if (strstr(sysctl->name, "..") != NULL || strchr(sysctl->name, '/') != NULL)
            yaml_fail(source, key, "\"%s\" is no name of a sysctl", sysctl->name);
    }
}

static void read_route_to(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_route *)out)->to = yaml_prefix(source, value, false);
}

static void read_route_via(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_route *)out)->via = yaml_address(source, value);
}

static void read_route_interface(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_route *)out)->interface = yaml_text(source, value);
}

static void read_route_metric(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_route *)out)->metric = (uint32_t)yaml_number(source, value, UINT32_MAX);
}

static void read_routes(struct yaml_source *source, yaml_node_t *value, void *out) {
    static const struct yaml_key keys[] = {
        {"to", read_route_to, true},
        {"via", read_route_via, false},
        {"interface", read_route_interface, false},
        {"metric", read_route_metric, false},
    };
    struct scenario_host *host = out;
    host->route_count = yaml_item_count(source, value, "routes");
    host->routes = arena_array(source->arena, host->route_count, sizeof(*host->routes));
    for (size_t i = 0; i < host->route_count; i++) {
        yaml_node_t *item = yaml_item(source, value, i);
        struct scenario_route *route = &host->routes[i];
        route->place = yaml_place(source, item);
        YAML_READ_MAPPING(source, item, keys, route);
        if (route->via.family == IP_NONE && route->interface == NULL)
            yaml_fail(source, item, "a route needs \"via\" or \"interface\"");
    }
}

static void read_hosts(struct yaml_source *source, yaml_node_t *node) {
    static const struct yaml_key keys[] = {
        {"forwarding", read_forwarding, false},
        {"nameserver", read_nameserver, false},
        {"sysctls", read_sysctls, false},
        {"routes", read_routes, false},
    };
    struct scenario *scenario = source->scenario;
    size_t count = yaml_pair_count(source, node, "hosts");
    scenario->hosts = arena_array(source->arena, count, sizeof(*scenario->hosts));
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        struct scenario_host *host = &scenario->hosts[i];
        host->place = yaml_place(source, key);
        host->name = scenario_read_name(source, key);
        if (scenario_find_host(scenario, host->name) >= 0)
            yaml_fail(source, key, "there are two hosts \"%s\"", host->name);
        YAML_READ_MAPPING(source, value, keys, host);
        scenario->host_count++;
    }
    if (count == 0) yaml_fail(source, node, "there are no hosts");
}

/* ---- files ---- */

static void read_file_size(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_file *)out)->bytes = yaml_size_bytes(source, value);
}

static void read_file_seed(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_file *)out)->seed = yaml_number(source, value, UINT64_MAX);
}

static void read_file_text(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_file *)out)->text = yaml_text(source, value);
}

static void read_files(struct yaml_source *source, yaml_node_t *node) {
    static const struct yaml_key keys[] = {
        {"size", read_file_size, false}, {"seed", read_file_seed, false}, {"text", read_file_text, false}};
    struct scenario *scenario = source->scenario;
    scenario->file_count = yaml_pair_count(source, node, "files");
    scenario->files = arena_array(source->arena, scenario->file_count, sizeof(*scenario->files));
    for (size_t i = 0; i < scenario->file_count; i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        struct scenario_file *file = &scenario->files[i];
        file->place = yaml_place(source, key);
        file->path = yaml_text(source, key);
        if (file->path[0] == '/' || file->path[0] == '\0' || strstr(file->path, "..") != NULL)
            yaml_fail(source, key, "\"%s\" is not a path below the lab's temporary folder", file->path);
        YAML_READ_MAPPING(source, value, keys, file);
        if (yaml_value_of(source, value, "size") == NULL && file->text == NULL)
            yaml_fail(source, key, "a file needs \"size\" or \"text\"");
    }
}

/* ---- services ---- */

static void read_service_host(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_service *)out)->host = scenario_read_host_name(source, value);
}

static void read_service_command(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_service *)out)->command = yaml_text(source, value);
}

static void read_ready_tcp(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_service *service = out;
    service->ready = SCENARIO_READY_TCP;
    service->ready_port = (uint16_t)yaml_number(source, value, UINT16_MAX);
}

static void read_ready_udp(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_service *service = out;
    service->ready = SCENARIO_READY_UDP;
    service->ready_port = (uint16_t)yaml_number(source, value, UINT16_MAX);
}

static void read_ready_command(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_service *service = out;
    service->ready = SCENARIO_READY_COMMAND;
    service->ready_command = yaml_text(source, value);
}

static void read_ready(struct yaml_source *source, yaml_node_t *value, void *out) {
    static const struct yaml_key keys[] = {{"tcp", read_ready_tcp, false},
                                           {"udp", read_ready_udp, false},
                                           {"command", read_ready_command, false}};
    YAML_READ_MAPPING(source, value, keys, out);
}

static void read_timeout(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_service *)out)->timeout_ns = yaml_time_ns(source, value);
}

struct scenario_service *scenario_read_services(struct yaml_source *source, yaml_node_t *node,
                                                size_t *count) {
    static const struct yaml_key keys[] = {
        {"host", read_service_host, true},
        {"command", read_service_command, true},
        {"ready", read_ready, false},
        {"timeout", read_timeout, false},
    };
    *count = yaml_pair_count(source, node, "services");
    struct scenario_service *services = arena_array(source->arena, *count, sizeof(*services));
    for (size_t i = 0; i < *count; i++) {
        yaml_node_t *key, *value = yaml_pair(source, node, i, &key);
        services[i].place = yaml_place(source, key);
        services[i].name = scenario_read_name(source, key);
        services[i].timeout_ns = 10 * BRAID_NS_PER_S;
        YAML_READ_MAPPING(source, value, keys, &services[i]);
    }
    return services;
}

/* ---- the whole ---- */

static void read_sections(struct yaml_source *source, yaml_node_t *root) {
    struct scenario *scenario = source->scenario;
    static const char *const sections[] = {"title", "hosts", "links", "files", "services", "events", "runs"};
    size_t count = yaml_pair_count(source, root, "a scenario");
    for (size_t i = 0; i < count; i++) {
        yaml_node_t *key;
        yaml_pair(source, root, i, &key);
        bool known = false;
        for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++)
            known = known || strcmp(yaml_text(source, key), sections[s]) == 0;
        if (!known)
            yaml_fail(source, key,
                      "unknown section \"%s\" (known: title, hosts, links, files, services, events, runs)",
                      yaml_text(source, key));
    }
    /* In this order, whatever the file's: the later ones name what the earlier ones define. */
    yaml_node_t *part;
    if ((part = yaml_value_of(source, root, "title")) != NULL) scenario->title = yaml_text(source, part);
    if ((part = yaml_value_of(source, root, "hosts")) == NULL)
        yaml_fail(source, root, "there are no hosts");
    else
        read_hosts(source, part);
    if (!source->failed && (part = yaml_value_of(source, root, "links")) != NULL)
        scenario_read_links(source, part);
    if (!source->failed && (part = yaml_value_of(source, root, "files")) != NULL) read_files(source, part);
    if (!source->failed && (part = yaml_value_of(source, root, "services")) != NULL)
        scenario->services = scenario_read_services(source, part, &scenario->service_count);
    if (!source->failed && (part = yaml_value_of(source, root, "events")) != NULL)
        scenario_read_timeline(source, part, &scenario->timeline);
    if (!source->failed && (part = yaml_value_of(source, root, "runs")) != NULL)
        scenario_read_runs(source, part);
}

/* From `text`, or else from `stream`. */
static bool load(struct yaml_source *source, FILE *stream, const char *text) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return false;
    if (text != NULL)
        yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    else
        yaml_parser_set_input_file(&parser, stream);
    bool loaded = yaml_parser_load(&parser, &source->document);
    if (!loaded) {
        size_t line = parser.problem_mark.line + 1;
        fprintf(stderr, "%s:%zu: this is not YAML: %s%s%s\n", source->file, line,
                parser.problem != NULL ? parser.problem : "it cannot be read",
                parser.context != NULL ? ", " : "", parser.context != NULL ? parser.context : "");
    }
    yaml_parser_delete(&parser);
    return loaded;
}

struct scenario *scenario_read(const char *file) {
    FILE *stream = fopen(file, "re");
    if (stream == NULL) {
        fprintf(stderr, "braid: the scenario %s cannot be read: %s\n", file, strerror(errno));
        return NULL;
    }
    struct arena *arena = arena_create();
    struct scenario *scenario = arena_array(arena, 1, sizeof(*scenario));
    scenario->arena = arena;
    scenario->file = arena_text(arena, file);
    scenario->title = scenario->file;
    struct yaml_source source = {.file = scenario->file, .arena = arena, .scenario = scenario};
    bool loaded = load(&source, stream, NULL);
    fclose(stream);
    if (loaded) {
        yaml_node_t *root = yaml_document_get_root_node(&source.document);
        if (root == NULL)
            yaml_fail(&source, NULL, "the scenario is empty");
        else
            read_sections(&source, root);
        yaml_document_delete(&source.document);
    }
    if (loaded && !source.failed) return scenario;
    arena_destroy(arena);
    return NULL;
}

void scenario_free(struct scenario *scenario) {
    if (scenario != NULL) arena_destroy(scenario->arena);
}

const struct scenario_event *scenario_parse_event(struct scenario *scenario, const char *text) {
    struct yaml_source source = {.file = "event", .arena = scenario->arena, .scenario = scenario};
    struct scenario_timeline timeline;
    if (!load(&source, NULL, arena_format(scenario->arena, "[{at: 0s, %s}]", text))) return NULL;
    yaml_node_t *root = yaml_document_get_root_node(&source.document);
    scenario_read_timeline(&source, root, &timeline);
    yaml_document_delete(&source.document);
    return source.failed || timeline.count != 1 ? NULL : timeline.events;
}

int scenario_find_host(const struct scenario *scenario, const char *name) {
    for (size_t i = 0; i < scenario->host_count; i++)
        if (strcmp(scenario->hosts[i].name, name) == 0) return (int)i;
    return -1;
}

int scenario_find_link(const struct scenario *scenario, const char *name) {
    for (size_t i = 0; i < scenario->link_count; i++)
        if (strcmp(scenario->links[i].name, name) == 0) return (int)i;
    return -1;
}

int scenario_find_run(const struct scenario *scenario, const char *name) {
    for (size_t i = 0; i < scenario->run_count; i++)
        if (strcmp(scenario->runs[i].name, name) == 0) return (int)i;
    return -1;
}

/* One more of a list with commas, as far as there is room. */
static void name_add(char *text, size_t room, const char *name) {
    size_t length = strlen(text);
    snprintf(text + length, room - length, "%s%s", length > 0 ? ", " : "", name);
}

void scenario_run_names(const struct scenario *scenario, char *text, size_t room) {
    text[0] = '\0';
    for (size_t i = 0; i < scenario->run_count; i++)
        name_add(text, room, scenario->runs[i].name);
    if (text[0] == '\0') name_add(text, room, "none");
}

void scenario_host_names(const struct scenario *scenario, char *text, size_t room) {
    text[0] = '\0';
    for (size_t i = 0; i < scenario->host_count; i++)
        name_add(text, room, scenario->hosts[i].name);
}
