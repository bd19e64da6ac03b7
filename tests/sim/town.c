/* A phone, others, and one bottleneck or two. */
#include "town.h"

#include "sim_test.h"

enum { OTHERS_MAX = 2 };

struct town {
    struct sim_world *world;
    struct sim_host *phone, *others[OTHERS_MAX], *router[2], *server[2];
    struct braid_address server_address[2];
    unsigned bottlenecks;
};

static struct ip_address prefix_of(const struct braid_address *address) {
    return ip_address_v4(address->bytes);
}

static struct braid_address address_of(unsigned network, unsigned host) {
    return (struct braid_address){.family = 4, .bytes = {10, (uint8_t)network, 0, (uint8_t)host}};
}

static struct sim_link *wire_between(struct town *town, struct sim_host *a, int at_a, struct sim_host *b,
                                     int at_b, uint64_t rate_bps, braid_time delay_ns, braid_time queue_ns) {
    struct sim_link *link =
        sim_link_add(town->world, "link", (struct sim_link_end){a, at_a}, (struct sim_link_end){b, at_b});
    struct link_model_config model = {.rate_bps = rate_bps, .delay_ns = delay_ns, .queue_ns = queue_ns};
    sim_link_append(link, sim_wire(town->world, &model, &model));
    return link;
}

/* A host with a link to the router of its bottleneck. */
static void connect_host(struct town *town, struct sim_host *host, unsigned network, unsigned bottleneck) {
    struct sim_interface_config config = {.name = "eth"};
    struct braid_address address = address_of(network, 2);
    int interface = sim_host_interface_add(host, &config),
        there = sim_host_interface_add(town->router[bottleneck], &config);
    sim_host_address_add(host, interface, &address, false, false);
    wire_between(town, host, interface, town->router[bottleneck], there, 1000000000, 5 * MS, 100 * MS);
}

/* One server with an address behind each bottleneck; path i goes through bottleneck i modulo their number. */
static void town_init(struct town *town, uint64_t seed, unsigned bottlenecks, unsigned paths) {
    struct sim_world_config config = {.seed = seed};
    struct braid_stack_config stack = {.send_buffer_bytes = 4 << 20};
    struct sim_interface_config interface = {.name = "eth"};
    *town = (struct town){.bottlenecks = bottlenecks, .world = sim_world_create(&config)};
    town->phone = sim_host_add(town->world, "phone", &stack);
    town->server[0] = sim_host_add(town->world, "server", &stack);
    for (unsigned i = 0; i < OTHERS_MAX; i++)
        town->others[i] = sim_host_add(town->world, "other", &stack);
    for (unsigned i = 0; i < bottlenecks; i++) {
        town->router[i] = sim_router_add(town->world, "router");
        int out = sim_host_interface_add(town->router[i], &interface);
        int in = sim_host_interface_add(town->server[0], &interface);
        town->server_address[i] = address_of(200 + i, 1);
        sim_host_address_add(town->server[0], in, &town->server_address[i], false, false);
        struct sim_link *link =
            wire_between(town, town->router[i], out, town->server[0], in, 20000000, 15 * MS, 60 * MS);
        struct ip_address prefix = prefix_of(&town->server_address[0]);
        sim_host_route_add(town->router[i], &prefix, 16, link);
        prefix = prefix_of(&town->server_address[i]);
        sim_host_route_add(town->router[i], &prefix, 16, link);
    }
    for (unsigned i = 0; i < paths; i++)
        connect_host(town, town->phone, 1 + i, i % bottlenecks);
    for (unsigned i = 0; i < bottlenecks; i++)
        connect_host(town, town->others[i], 100 + i, i);
}

static struct sim_conversation *upload(struct town *town, struct sim_host *from, uint16_t port,
                                       const char *congestion, bool plain, braid_time start, uint64_t bytes) {
    struct sim_conversation_config talk = {
        .client = from,
        .server = town->server[0],
        .remote = {town->server_address[0], port},
        .congestion = congestion,
        .plain_client = plain,
        .start_ns = sim_world_now(town->world) + start,
        .streams = {[SIM_UP] = {.bytes = bytes}, [SIM_DOWN] = {.bytes = 1, .keep_open = true}}};
    return sim_conversation_start(town->world, &talk);
}

static uint64_t read_of(const struct sim_conversation *c) {
    struct sim_stream_result r;
    sim_conversation_result(c, SIM_UP, &r);
    return r.read;
}

#define FOR_EVER (UINT64_C(1) << 40)

void town_share(const char *congestion, const char *tcp, unsigned subflows, uint64_t seed, double mbps[2]) {
    struct town town;
    struct sim_conversation *c[2];
    town_init(&town, seed, 1, subflows);
    c[0] = upload(&town, town.others[0], 1001, tcp, true, 0, FOR_EVER);
    c[1] = upload(&town, town.phone, 1000, congestion, false, 3 * S + seed * 37 * MS, FOR_EVER);
    uint64_t before[2];
    braid_time began = sim_world_now(town.world);
    sim_world_run(town.world, began + 20 * S);
    for (int i = 0; i < 2; i++)
        before[i] = read_of(c[i]);
    sim_world_run(town.world, began + 80 * S);
    for (int i = 0; i < 2; i++)
        mbps[i] = (double)(read_of(c[i]) - before[i]) * 8e3 / (double)(60 * S);
    struct braid_connection_info info;
    braid_connection_info(sim_conversation_connection(c[1], SIM_UP), &info);
    ENSURE(info.paths == subflows);
    ENSURE(sim_world_destroy(town.world) == 0);
}

void town_bottlenecks(const char *congestion, const char *tcp, uint64_t seed, double mbps[5]) {
    struct town town;
    town_init(&town, seed, 2, 2);
    struct sim_conversation *c = upload(&town, town.phone, 1000, congestion, false, 0, FOR_EVER), *others[2];
    braid_time began = sim_world_now(town.world);
    for (unsigned phase = 0; phase < 5; phase++) {
        braid_time at = began + phase * 30 * S;
        if (phase == 1 || phase == 2) {
            uint16_t port = (uint16_t)(1000 + phase);
            others[phase - 1] =
                upload(&town, town.others[phase - 1], port, tcp, true, seed * 37 * MS, FOR_EVER);
        }
        if (phase == 3 || phase == 4) sim_conversation_abort(others[4 - phase], SIM_UP);
        sim_world_run(town.world, at + 10 * S);
        uint64_t before = read_of(c);
        sim_world_run(town.world, at + 30 * S);
        mbps[phase] = (double)(read_of(c) - before) * 8e3 / (double)(20 * S);
    }
    ENSURE(sim_world_destroy(town.world) == 0);
}
