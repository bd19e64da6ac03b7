/* One case of the matrix: a phone with two paths, both ends write and read, the box comes, and what then. */
#include "matrix.h"

#include <string.h>
#include <sim/packet_text.h>
#include <wire/mptcp_option.h>

enum { BYTES = 1000000, WARM_UP_BYTES = 100 };
#define MS BRAID_NS_PER_MS
#define S BRAID_NS_PER_S
#define LIMIT (2000 * S) /* whoever has not heard of the other for so long has given up */

struct run {
    const struct matrix_case *which;
    struct sim_phone phone;
    struct sim_conversation *talk;
    struct sim_box *boxes[2];
    bool fell_back;
    struct matrix_outcome outcome;
};

/* --- what goes over the wires --- */

static void see_reset(struct matrix_outcome *outcome, const struct tcp_segment *segment) {
    for (unsigned i = 0; i < segment->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &segment->options.mptcp[i];
        struct mptcp_option option;
        if (mptcp_option_decode(raw->bytes, raw->length, &option) == MPTCP_DECODE_OK &&
            option.subtype == MPTCP_MP_TCPRST)
            outcome->reasons |= (uint16_t)(1u << (option.as.mp_tcprst.reason & 15));
    }
}

static void tell_packet(enum sim_moment moment, const struct sim_host *host, const struct sim_link *link,
                        const struct sim_packet *packet, braid_time now) {
    char text[SIM_PACKET_TEXT_MAX];
    printf("%10.3f ms %s %s by %s: %s\n", (double)now / 1e6, sim_host_name(host),
           moment == SIM_SENT ? "sends" : "gets", sim_link_name(link),
           sim_packet_text(packet, text, sizeof(text)));
}

static void see_event(void *context, const char *host, braid_time now, const char *event,
                      const struct braid_trace_field *fields, size_t count) {
    struct run *run = context;
    if (strcmp(event, "connection_fallback") == 0) run->fell_back = true;
    if (!run->which->told) return;
    printf("%10.3f ms %s %s", (double)now / 1e6, host, event);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type == BRAID_TRACE_STRING)
            printf(" %s=%s", fields[i].name, fields[i].value.text);
        else
            printf(" %s=%llu", fields[i].name, (unsigned long long)fields[i].value.u64);
    }
    printf("\n");
}

static void see_packet(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                       struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    struct run *run = context;
    struct ip_header ip;
    struct tcp_segment segment;
    (void)interface;
    if (run->which->told && sim_host_stack(host) != NULL) tell_packet(moment, host, link, packet, now);
    if (moment != SIM_SENT || sim_host_stack(host) == NULL) return;
    if (ip_decode(packet->bytes, packet->length, false, &ip) != IP_OK || ip.protocol != IP_PROTOCOL_TCP)
        return;
    if (tcp_segment_decode(packet->bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination,
                           true, &segment) != TCP_DECODE_OK)
        return;
    if (segment.flags & TCP_RST) see_reset(&run->outcome, &segment);
}

/* --- the world --- */

/* A second wire behind the first, so that boxes stand in the middle. */
static void lengthen(struct run *run, unsigned path) {
    struct link_model_config far = {.delay_ns = 5 * MS, .loss = run->which->box->lossy ? 0.01 : 0};
    sim_link_append(run->phone.links[path], sim_wire(run->phone.world, &far, &far));
}

static void manner_of_world(enum matrix_manner manner, struct sim_phone_config *config) {
    if (manner == MATRIX_VERSION_0) config->client.versions = config->server.versions = BRAID_VERSION_0;
    if (manner == MATRIX_COOKIES) config->server.cookies = BRAID_COOKIES_ALWAYS;
    config->paths[1].backup = manner == MATRIX_PRIORITIES;
    config->announced = manner == MATRIX_ADDRESSES;
    config->twin = manner != MATRIX_ADDRESSES; /* the simulator has the one or the other */
    config->ipv6 = manner == MATRIX_IPV6;
}

/* By the first of two connections to a server the client gets its cookie. */
static void warm_up(struct run *run) {
    struct sim_stream_config stream = {.bytes = WARM_UP_BYTES};
    struct sim_conversation_config talk = {.streams = {stream, stream}, .plain_client = run->which->plain, .fast_open = true};
    talk.local = run->phone.addresses[0];
    talk.single_path = true;
    sim_phone_talk(&run->phone, &talk);
    ENSURE(sim_world_run_conversations(run->phone.world, sim_world_now(run->phone.world) + LIMIT));
    run->fell_back = false;
    run->outcome = (struct matrix_outcome){0};
}

static void world_init(struct run *run) {
    const struct matrix_box *box = run->which->box;
    struct sim_phone_config config = {
        .world = {.seed = 1,
                  .check_every = 256,
                  .observer = {.context = run, .packet = see_packet},
                  .trace_context = run,
                  .trace = see_event},
        .paths = {{.rate_bps = 20000000, .rtt_ns = 10 * MS}, {.rate_bps = 10000000, .rtt_ns = 25 * MS}},
        .path_count = 2};
    for (unsigned i = 0; i < 2 && box->lossy; i++)
        config.paths[i].loss = 0.01;
    config.client.time_wait_ns = config.server.time_wait_ns = 2 * S;
    config.client.checksum = config.server.checksum = run->which->checksum;
    manner_of_world(run->which->manner, &config);
    sim_phone_init(&run->phone, &config);
    for (unsigned i = 0; i < 2; i++)
        lengthen(run, i);
    if (run->which->manner == MATRIX_EARLY) warm_up(run);
}

static void talk_begin(struct run *run) {
    struct sim_stream_config stream = {.bytes = BYTES, .keep_open = true};
    struct sim_conversation_config talk = {.streams = {stream, stream}, .plain_client = run->which->plain};
    talk.local = run->phone.addresses[0];
    talk.single_path = run->which->path == MATRIX_ONLY;
    talk.fast_open = run->which->manner == MATRIX_EARLY;
    run->talk = sim_phone_talk(&run->phone, &talk);
    if (run->phone.twin == NULL) return;
    struct braid_listen_config listen = {.link = -1, .local = {.port = run->phone.next_port - 1u}, .multipath = true};
    ENSURE(braid_stack_listen(sim_host_stack(run->phone.twin), &listen) != NULL);
}

static bool is_on(const struct run *run, unsigned path) {
    enum matrix_path where = run->which->path;
    return where == MATRIX_BOTH || (where == MATRIX_SECOND) == (path == 1);
}

static unsigned directions_of(enum matrix_way way) {
    return way == MATRIX_UP ? SIM_ONLY_UP : way == MATRIX_DOWN ? SIM_ONLY_DOWN : SIM_BOTH;
}

static void put(struct run *run) {
    for (unsigned path = 0; path < 2; path++) {
        struct matrix_place place = {&run->phone, path, directions_of(run->which->way)};
        if (is_on(run, path)) run->boxes[path] = run->which->box->put(&place);
    }
}

static void manner_at_middle(struct run *run) {
    if (run->which->manner == MATRIX_PRIORITIES) {
        sim_path_set_backup(&run->phone, 1, false);
        sim_path_set_backup(&run->phone, 0, true);
    }
    if (run->which->manner == MATRIX_ADDRESSES) sim_path_renumber(&run->phone, 1);
}

/* The moment is there, if it is that one. */
static void moment(struct run *run, enum matrix_moment now) {
    const struct matrix_box *box = run->which->box;
    if (now != run->which->moment) return;
    if (box->strike == NULL) put(run);
    for (unsigned path = 0; path < 2 && box->strike != NULL; path++)
        if (run->boxes[path] != NULL) box->strike(run->boxes[path]);
}

/* --- the course of things --- */

static bool bytes_read(const struct run *run, uint64_t count) {
    struct sim_stream_result up, down;
    sim_conversation_result(run->talk, SIM_UP, &up);
    sim_conversation_result(run->talk, SIM_DOWN, &down);
    return up.read >= count && down.read >= count;
}

static bool connected(const struct run *run, uint64_t count) {
    (void)count;
    return sim_conversation_connected(run->talk);
}

/* Until it is so; false: it never comes to that. */
static bool until(struct run *run, bool (*so)(const struct run *, uint64_t), uint64_t count) {
    while (!so(run, count))
        if (sim_conversation_finished(run->talk) || !sim_world_step(run->phone.world, LIMIT)) return false;
    return true;
}

static void let_it_run(struct run *run) {
    struct sim_world *world = run->phone.world;
    bool strikes = run->which->box->strike != NULL;
    if (strikes) put(run);
    if (strikes && run->which->moment == MATRIX_BEGIN)
        sim_world_run(world, sim_world_now(world) + 12 * MS); /* the SYN/ACK has passed it */
    moment(run, MATRIX_BEGIN);
    if (!until(run, connected, 0)) return;
    moment(run, MATRIX_JOIN);
    if (!until(run, bytes_read, BYTES / 3)) return;
    manner_at_middle(run);
    moment(run, MATRIX_MIDDLE);
    int32_t grow = run->which->box->grow;
    if (!until(run, bytes_read, (uint64_t)(BYTES + (grow < 0 ? grow : 0)))) return;
    if (run->which->box->idle) sim_world_run(world, sim_world_now(world) + 5 * S);
    moment(run, MATRIX_END);
    for (int side = 0; side < 2; side++)
        sim_conversation_shut(run->talk, (enum sim_direction)side);
    sim_world_run_conversations(world, LIMIT);
    for (int i = 0; i < 2 && run->which->told; i++) {
        struct sim_stream_result r;
        sim_conversation_result(run->talk, (enum sim_direction)i, &r);
        printf("%s: written %llu, read %llu (wrong %llu), ended %d, closed %s\n", i == SIM_UP ? "up" : "down",
               (unsigned long long)r.written, (unsigned long long)r.read, (unsigned long long)r.wrong_bytes,
               r.ended,
               braid_close_reason_name(sim_conversation_close_reason(run->talk, (enum sim_direction)i)));
    }
}

/* --- what came of it --- */

/* Both ends were seen, and nothing but that one change. */
static bool is_altered(const struct run *run) {
    const struct matrix_box *box = run->which->box;
    if (!box->changes_payload || !run->which->checksum || !run->fell_back) return false;
    for (int stream = 0; stream < 2; stream++) {
        struct sim_stream_result r;
        bool changed = (stream == SIM_UP) == (run->which->way == MATRIX_UP);
        sim_conversation_result(run->talk, (enum sim_direction)stream, &r);
        if (!r.ended || r.read != r.written + (uint64_t)(int64_t)(changed ? box->grow : 0)) return false;
        if (!changed && r.wrong_bytes != 0) return false;
        if (changed && box->grow == 0 && r.wrong_bytes != 1) return false;
    }
    return sim_conversation_finished(run->talk);
}

static enum matrix_kind kind_of(const struct run *run) {
    enum braid_close_reason up = sim_conversation_close_reason(run->talk, SIM_UP);
    enum braid_close_reason down = sim_conversation_close_reason(run->talk, SIM_DOWN);
    if (is_altered(run)) return MATRIX_ALTERED;
    if (sim_conversation_fault(run->talk) != NULL) return MATRIX_WRONG;
    if (sim_conversation_complete(run->talk) && sim_conversation_finished(run->talk))
        return run->fell_back || run->which->plain ? MATRIX_TCP : MATRIX_MPTCP;
    if (!sim_conversation_finished(run->talk)) return MATRIX_SILENT;
    if (up == BRAID_CLOSED_RESET || down == BRAID_CLOSED_RESET || up == BRAID_CLOSED_PROTOCOL_ERROR ||
        down == BRAID_CLOSED_PROTOCOL_ERROR)
        return MATRIX_RESET;
    return MATRIX_GIVEN_UP;
}

static bool counted(const struct sim_host *host, const char *name) { return sim_host_counter(host, name) > 0; }

/* Of a connection that no box disturbs. */
static bool manner_was_used(const struct run *run) {
    const struct sim_host *client = run->phone.client, *server = run->phone.server;
    switch (run->which->manner) {
    case MATRIX_EARLY: return counted(client, "fast_open_taken");
    case MATRIX_COOKIES: return counted(server, "cookies_accepted");
    case MATRIX_PRIORITIES: return counted(server, "mptcp_mp_prio_received");
    case MATRIX_ADDRESSES: return counted(server, "mptcp_remove_addr_received") && counted(client, "mptcp_add_addr_received");
    default: return true;
    }
}

struct matrix_outcome matrix_run(const struct matrix_case *which) {
    static struct run run;
    run = (struct run){.which = which};
    world_init(&run);
    talk_begin(&run);
    let_it_run(&run);
    run.outcome.used = manner_was_used(&run);
    run.outcome.kind = kind_of(&run);
    run.outcome.fault = sim_conversation_fault(run.talk);
    run.outcome.joined = sim_host_counter(run.phone.client, "mptcp_join_established") > 0;
    run.outcome.leaked_bytes = sim_phone_deinit(&run.phone);
    return run.outcome;
}

/* The second path begins with its join. */
bool matrix_makes_sense(const struct matrix_case *which) {
    static const char ways[] = "udb";
    if (which->path == MATRIX_SECOND && which->moment == MATRIX_BEGIN) return false;
    if (which->plain && which->path != MATRIX_FIRST) return false;
    if (which->box->needs_twin && which->manner == MATRIX_ADDRESSES) return false;
    if (which->box->ways == NULL) return which->way == MATRIX_EACH_WAY;
    return strchr(which->box->ways, ways[which->way]) != NULL;
}

bool matrix_is_widest(const struct matrix_case *which) {
    const char *ways = which->box->ways;
    if (ways == NULL || strchr(ways, 'b') != NULL) return which->way == MATRIX_EACH_WAY;
    return true;
}
