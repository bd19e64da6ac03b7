/* From YAML to struct scenario: what a run transfers, and how a lab does that. */
#include <string.h>
#include <congestion/congestion.h>
#include <mptcp/scheduler.h>
#include "scenario_read.h"
#include "uplink_choice.h"

#define PORT 7000
#define MESSAGE_BYTES 200
#define MESSAGE_BYTES_MIN 16
#define MESSAGE_SECONDS 10
#define MESSAGES_MAX 1000000u

/* ---- the server ---- */

static bool host_has(const struct scenario *scenario, unsigned host, const struct ip_address *address) {
    for (size_t i = 0; i < 2 * scenario->link_count; i++) {
        const struct scenario_end *end = &scenario->links[i / 2].ends[i % 2];
        for (size_t k = 0; end->host == host && k < end->address_count; k++)
            if (ip_address_equal(&end->addresses[k].address, address)) return true;
    }
    return false;
}

/* The first address of the first link of it. */
static struct ip_address address_of(const struct scenario *scenario, unsigned host) {
    for (size_t i = 0; i < 2 * scenario->link_count; i++) {
        const struct scenario_end *end = &scenario->links[i / 2].ends[i % 2];
        if (end->host == host && end->address_count > 0) return end->addresses[0].address;
    }
    return (struct ip_address){.family = IP_NONE};
}

bool scenario_find_server(const struct scenario *scenario, const char *text, unsigned *host,
                          struct ip_address *address) {
    int named = scenario_find_host(scenario, text);
    if (named >= 0) {
        *host = (unsigned)named;
        *address = address_of(scenario, *host);
        return address->family != IP_NONE;
    }
    if (!ip_address_parse(text, address)) return false;
    for (unsigned i = 0; i < scenario->host_count; i++) {
        if (!host_has(scenario, i, address)) continue;
        *host = i;
        return true;
    }
    return false;
}

static void read_server(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_transfer *transfer = out;
    const char *text = yaml_text(source, value);
    if (!scenario_find_server(source->scenario, text, &transfer->server, &transfer->address))
        yaml_fail(source, value, "\"%s\" is neither a host with an address nor an address of one", text);
}

/* ---- what ---- */

static void read_download(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->bytes[SCENARIO_DOWN] = yaml_size_bytes(source, value);
}

static void read_upload(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->bytes[SCENARIO_UP] = yaml_size_bytes(source, value);
}

static void read_message_rate(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_messages *)out)->rate = (double)yaml_number(source, value, 100000);
}

static void read_message_bytes(struct yaml_source *source, yaml_node_t *value, void *out) {
    uint64_t bytes = yaml_size_bytes(source, value);
    if (bytes < MESSAGE_BYTES_MIN || bytes > 65536)
        yaml_fail(source, value, "a message has 16 to 65536 bytes");
    ((struct scenario_messages *)out)->bytes = (uint32_t)bytes;
}

static void read_message_time(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_messages *)out)->seconds = (double)yaml_time_ns(source, value) / 1e9;
}

static void read_messages(struct yaml_source *source, yaml_node_t *value, void *out) {
    static const struct yaml_key keys[] = {{"rate", read_message_rate, true},
                                           {"size", read_message_bytes, false},
                                           {"for", read_message_time, false}};
    struct scenario_messages *messages = &((struct scenario_transfer *)out)->messages;
    *messages = (struct scenario_messages){.bytes = MESSAGE_BYTES, .seconds = MESSAGE_SECONDS};
    YAML_READ_MAPPING(source, value, keys, messages);
    double count = messages->rate * messages->seconds;
    if (!source->failed && (count < 1 || count > MESSAGES_MAX))
        yaml_fail(source, value, "there must be at least one message, and at most %u", MESSAGES_MAX);
}

/* ---- by which way ---- */

static struct engine_uplink_choice read_uplink(struct yaml_source *source, yaml_node_t *node) {
    const char *text = yaml_text(source, node);
    size_t size = strlen(text) + 1;
    char *copy = arena_array(source->arena, size, 1), problem[UPLINK_CHOICE_TEXT_MAX];
    struct engine_uplink_choice choice;
    memcpy(copy, text, size);
    if (!uplink_choice_parse(copy, &choice, problem)) yaml_fail(source, node, "%s", problem);
    return choice;
}

static void read_uplinks(struct yaml_source *source, yaml_node_t *value, void *out) {
    struct scenario_transfer *transfer = out;
    transfer->uplink_count = yaml_item_count(source, value, "uplinks");
    transfer->uplinks = arena_array(source->arena, transfer->uplink_count, sizeof(*transfer->uplinks));
    for (size_t i = 0; i < transfer->uplink_count; i++)
        transfer->uplinks[i] = read_uplink(source, yaml_item(source, value, i));
}

static void read_policy(struct yaml_source *source, yaml_node_t *value, void *out) {
    const char *text = yaml_text(source, value);
    bool aggregate = strcmp(text, "aggregate") == 0;
    if (!aggregate && strcmp(text, "handover") != 0)
        yaml_fail(source, value, "\"%s\" is neither handover nor aggregate", text);
    ((struct scenario_transfer *)out)->aggregate = aggregate;
}

static void read_multipath(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->plain = !yaml_flag(source, value);
}

static void read_checksum(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->checksum = yaml_flag(source, value);
}

/* One of the names there are; else they are told. */
static const char *known_name(struct yaml_source *source, yaml_node_t *value, const char *what,
                              const char *(*name_of)(unsigned index)) {
    const char *name = yaml_text(source, value), *names = name_of(0);
    for (unsigned i = 0; name_of(i) != NULL; i++) {
        if (strcmp(name, name_of(i)) == 0) return name;
        if (i > 0) names = arena_format(source->arena, "%s, %s", names, name_of(i));
    }
    yaml_fail(source, value, "there is no %s \"%s\"; there are %s", what, name, names);
    return name;
}

static const char *known_congestion(struct yaml_source *source, yaml_node_t *value) {
    return known_name(source, value, "congestion control", congestion_name);
}

static void read_congestion(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->congestion = known_congestion(source, value);
}

static void read_server_congestion(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->server_congestion = known_congestion(source, value);
}

static const char *known_scheduler(struct yaml_source *source, yaml_node_t *value) {
    return known_name(source, value, "scheduler", scheduler_name);
}

static void read_scheduler(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->scheduler = known_scheduler(source, value);
}

static void read_server_scheduler(struct yaml_source *source, yaml_node_t *value, void *out) {
    ((struct scenario_transfer *)out)->server_scheduler = known_scheduler(source, value);
}

void scenario_read_transfer(struct yaml_source *source, yaml_node_t *value, struct scenario_run *run) {
    static const struct yaml_key keys[] = {
        {"server", read_server, true},          {"download", read_download, false},
        {"upload", read_upload, false},         {"messages", read_messages, false},
        {"uplinks", read_uplinks, false},       {"policy", read_policy, false},
        {"multipath", read_multipath, false},   {"checksum", read_checksum, false},
        {"congestion", read_congestion, false}, {"server_congestion", read_server_congestion, false},
        {"scheduler", read_scheduler, false},   {"server_scheduler", read_server_scheduler, false},
    };
    struct scenario_transfer *transfer = arena_array(source->arena, 1, sizeof(*transfer));
    transfer->place = yaml_place(source, value);
    YAML_READ_MAPPING(source, value, keys, transfer);
    if (!source->failed && transfer->bytes[0] + transfer->bytes[1] == 0 && transfer->messages.rate <= 0)
        yaml_fail(source, value, "a transfer needs \"download\", \"upload\" or \"messages\"");
    if (!source->failed && transfer->bytes[0] + transfer->bytes[1] != 0 && transfer->messages.rate > 0)
        yaml_fail(source, value, "either messages, or bytes: not both in one transfer");
    run->transfer = transfer;
}

/* ---- the command that does it ---- */

static const char *braid_run(struct yaml_source *source, const struct scenario_transfer *transfer) {
    struct arena *arena = source->arena;
    if (transfer->plain) return "exec";
    const char *text = transfer->aggregate ? "exec ${BRAID} run --policy aggregate" : "exec ${BRAID} run";
    if (transfer->checksum) text = arena_format(arena, "%s --checksum", text);
    if (transfer->congestion != NULL)
        text = arena_format(arena, "%s --congestion %s", text, transfer->congestion);
    if (transfer->scheduler != NULL) text = arena_format(arena, "%s --scheduler %s", text, transfer->scheduler);
    for (size_t i = 0; i < transfer->uplink_count; i++) {
        char uplink[UPLINK_CHOICE_TEXT_MAX];
        ENSURE(uplink_choice_format(&transfer->uplinks[i], uplink, sizeof(uplink)));
        text = arena_format(arena, "%s --uplink %s", text, uplink);
    }
    return arena_format(arena, "%s --", text);
}

static const char *probe(struct yaml_source *source, const struct scenario_transfer *transfer) {
    const struct scenario_messages *messages = &transfer->messages;
    char server[IP_ADDRESS_TEXT_MAX];
    ip_address_format(&transfer->address, server);
    bool v6 = transfer->address.family == IP_V6;
    const char *open = v6 ? "[" : "", *close = v6 ? "]" : "";
    if (messages->rate > 0)
        return arena_format(source->arena,
                            "${BRAID} probe messages %s%s%s:%d --rate %g --size %u --seconds %g", open,
                            server, close, PORT, messages->rate, messages->bytes, messages->seconds);
    bool up = transfer->bytes[SCENARIO_UP] != 0;
    return arena_format(source->arena, "${BRAID} probe bulk %s%s%s:%d%s --bytes %llu", open, server, close,
                        PORT, up ? " --upload" : "",
                        (unsigned long long)transfer->bytes[up ? SCENARIO_UP : SCENARIO_DOWN]);
}

static const char *service_command(struct yaml_source *source, const struct scenario_transfer *transfer) {
    const char *text = arena_format(source->arena, "exec ${BRAID} probe serve --port %d%s", PORT,
                                    transfer->plain ? "" : " --mptcp");
    if (transfer->server_congestion == NULL) return text;
    return arena_format(source->arena, "%s --congestion %s", text, transfer->server_congestion);
}

static void add_service(struct yaml_source *source, struct scenario_run *run) {
    struct scenario_service *services =
        arena_array(source->arena, run->service_count + 1, sizeof(*run->services));
    if (run->service_count > 0) memcpy(services, run->services, run->service_count * sizeof(*services));
    services[run->service_count++] =
        (struct scenario_service){.place = run->transfer->place,
                                  .name = "transfer",
                                  .host = run->transfer->server,
                                  .command = service_command(source, run->transfer),
                                  .ready = SCENARIO_READY_TCP,
                                  .ready_port = PORT,
                                  .timeout_ns = 10 * BRAID_NS_PER_S};
    run->services = services;
}

/* Where nothing has a gateway, braid run would find no uplink by itself: then all the host's interfaces are.
 */
static void name_uplinks(struct yaml_source *source, struct scenario_run *run) {
    const struct scenario *scenario = source->scenario;
    struct scenario_transfer *transfer = run->transfer;
    if (transfer->uplink_count > 0) return;
    transfer->uplinks = arena_array(source->arena, 2 * scenario->link_count, sizeof(*transfer->uplinks));
    size_t count = 0;
    for (size_t i = 0; i < 2 * scenario->link_count; i++) {
        const struct scenario_end *end = &scenario->links[i / 2].ends[i % 2];
        if (end->host != run->command.host) continue;
        if (end->gateway_count > 0) return;
        transfer->uplinks[count++] = (struct engine_uplink_choice){.interface = end->interface};
    }
    transfer->uplink_count = count;
}

void scenario_transfer_command(struct yaml_source *source, struct scenario_run *run) {
    const struct scenario_transfer *transfer = run->transfer;
    name_uplinks(source, run);
    run->command.place = transfer->place;
    if (transfer->bytes[0] != 0 && transfer->bytes[1] != 0) return;
    run->command.command =
        arena_format(source->arena, "%s %s", braid_run(source, transfer), probe(source, transfer));
    run->output = SCENARIO_OUTPUT_JSON;
    add_service(source, run);
}
