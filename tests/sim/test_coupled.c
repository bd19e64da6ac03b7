/* Coupled congestion control in virtual time: several subflows through one bottleneck take about as much as one TCP, and
 * where paths differ they move to the better one.
 *
 *     phone  == a link for each path ==  router  -- bottleneck(s) --  server
 *     other  ----- one link each ------                                            */
#include "sim_test.h"

enum { PATHS_MAX = 4, OTHERS_MAX = 2, SEEDS = 5, SEEDS_BOTTLENECKS = 10 };

struct town {
    struct sim_world *world;
    struct sim_host *phone, *others[OTHERS_MAX], *router[2], *server[2];
    struct braid_address server_address[2];
    unsigned bottlenecks;
};

static struct ip_address prefix_of(const struct braid_address *address) { return ip_address_v4(address->bytes); }

static struct braid_address address_of(unsigned network, unsigned host) {
    return (struct braid_address){.family = 4, .bytes = {10, (uint8_t)network, 0, (uint8_t)host}};
}

static struct sim_link *wire_between(struct town *town, struct sim_host *a, int at_a, struct sim_host *b, int at_b,
                                     uint64_t rate_bps, braid_time delay_ns, braid_time queue_ns) {
    struct sim_link *link = sim_link_add(town->world, "link", (struct sim_link_end){a, at_a}, (struct sim_link_end){b, at_b});
    struct link_model_config model = {.rate_bps = rate_bps, .delay_ns = delay_ns, .queue_ns = queue_ns};
    sim_link_append(link, sim_wire(town->world, &model, &model));
    return link;
}

/* A host with a link to the router of its bottleneck. */
static void connect_host(struct town *town, struct sim_host *host, unsigned network, unsigned bottleneck) {
    struct sim_interface_config config = {.name = "eth"};
    struct braid_address address = address_of(network, 2);
    int interface = sim_host_interface_add(host, &config), there = sim_host_interface_add(town->router[bottleneck], &config);
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
    for (unsigned i = 0; i < OTHERS_MAX; i++) town->others[i] = sim_host_add(town->world, "other", &stack);
    for (unsigned i = 0; i < bottlenecks; i++) {
        town->router[i] = sim_router_add(town->world, "router");
        int out = sim_host_interface_add(town->router[i], &interface);
        int in = sim_host_interface_add(town->server[0], &interface);
        town->server_address[i] = address_of(200 + i, 1);
        sim_host_address_add(town->server[0], in, &town->server_address[i], false, false);
        struct sim_link *link = wire_between(town, town->router[i], out, town->server[0], in, 20000000, 15 * MS, 60 * MS);
        struct ip_address prefix = prefix_of(&town->server_address[0]);
        sim_host_route_add(town->router[i], &prefix, 16, link);
        prefix = prefix_of(&town->server_address[i]);
        sim_host_route_add(town->router[i], &prefix, 16, link);
    }
    for (unsigned i = 0; i < paths; i++) connect_host(town, town->phone, 1 + i, i % bottlenecks);
    for (unsigned i = 0; i < bottlenecks; i++) connect_host(town, town->others[i], 100 + i, i);
}

static struct sim_conversation *upload(struct town *town, struct sim_host *from, uint16_t port, const char *congestion,
                                       bool plain, braid_time start, uint64_t bytes) {
    struct sim_conversation_config talk = {.client = from,
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

/* What TCP and the phone get of 20 Mb/s. */
static void share(const char *congestion, const char *tcp, unsigned subflows, uint64_t seed, double mbps[2]) {
    struct town town;
    struct sim_conversation *c[2];
    town_init(&town, seed, 1, subflows);
    c[0] = upload(&town, town.others[0], 1001, tcp, true, 0, FOR_EVER);
    c[1] = upload(&town, town.phone, 1000, congestion, false, 3 * S + seed * 37 * MS, FOR_EVER);
    uint64_t before[2];
    braid_time began = sim_world_now(town.world);
    sim_world_run(town.world, began + 20 * S);
    for (int i = 0; i < 2; i++) before[i] = read_of(c[i]);
    sim_world_run(town.world, began + 80 * S);
    for (int i = 0; i < 2; i++) mbps[i] = (double)(read_of(c[i]) - before[i]) * 8e3 / (double)(60 * S);
    struct braid_connection_info info;
    braid_connection_info(sim_conversation_connection(c[1], SIM_UP), &info);
    assert_int_equal(info.paths, subflows);
    assert_int_equal(sim_world_destroy(town.world), 0);
}

static const char *const coupled[] = {"lia", "olia", "balia"};

static void four_coupled_subflows_leave_a_tcp_its_share(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        double sum[2] = {0};
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            double mbps[2];
            share(coupled[i], "newreno", 4, seed, mbps);
            for (int k = 0; k < 2; k++) sum[k] += mbps[k] / SEEDS;
            assert_true(mbps[0] > 8.3 && mbps[0] + mbps[1] > 18.5);
        }
        print_message("20 Mb/s: TCP %.1f, four subflows by %s %.1f\n", sum[0], coupled[i], sum[1]);
        assert_true(sum[0] >= 9.5); /* headers leave 19.1 for both */
        assert_true(sum[1] > 6);
    }
}

static void four_uncoupled_subflows_take_four_shares(void **state) {
    (void)state;
    double mbps[2];
    share("newreno", "newreno", 4, 1, mbps);
    print_message("20 Mb/s: TCP %.1f, four subflows by newreno %.1f\n", mbps[0], mbps[1]);
    assert_true(mbps[0] > 2.5 && mbps[0] < 7);
}

static void one_subflow_is_a_tcp(void **state) {
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        double mbps[2];
        share(coupled[i], "newreno", 1, 1, mbps);
        print_message("20 Mb/s: TCP %.1f, one subflow by %s %.1f\n", mbps[0], coupled[i], mbps[1]);
        assert_true(mbps[0] > 7 && mbps[1] > 7);
    }
}

/* Two bottlenecks, a path through each; a TCP joins on the first, another on the second, and they leave again. */
static void two_bottlenecks(const char *congestion, const char *tcp, uint64_t seed, double mbps[5]) {
    struct town town;
    town_init(&town, seed, 2, 2);
    struct sim_conversation *c = upload(&town, town.phone, 1000, congestion, false, 0, FOR_EVER), *others[2];
    braid_time began = sim_world_now(town.world);
    for (unsigned phase = 0; phase < 5; phase++) {
        braid_time at = began + phase * 30 * S;
        if (phase == 1 || phase == 2) {
            uint16_t port = (uint16_t)(1000 + phase);
            others[phase - 1] = upload(&town, town.others[phase - 1], port, tcp, true, seed * 37 * MS, FOR_EVER);
        }
        if (phase == 3 || phase == 4) sim_conversation_abort(others[4 - phase], SIM_UP);
        sim_world_run(town.world, at + 10 * S);
        uint64_t before = read_of(c);
        sim_world_run(town.world, at + 30 * S);
        mbps[phase] += (double)(read_of(c) - before) * 8e3 / (double)(20 * S) / SEEDS_BOTTLENECKS;
    }
    sim_world_destroy(town.world);
}

/* Headers leave 38.0 of 40. Fair are 28.5 beside one TCP and 19.0 beside two, of which 5 % may be missing. Coupled, fair is less: together as much as one TCP on the better path, which is 12.7 beside two. */
#define ALL 36.5

static void two_bottlenecks_are_shared_while_others_are_there(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"cubic", "cubic"}, {"newreno", "newreno"}, {"lia", "newreno"}, {"olia", "newreno"}, {"balia", "newreno"}};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        double mbps[5] = {0};
        for (uint64_t seed = 1; seed <= SEEDS_BOTTLENECKS; seed++)
            two_bottlenecks(names[i][0], names[i][1], seed, mbps);
        print_message("two bottlenecks, %s beside %s: %.1f, %.1f, %.1f, %.1f, %.1f Mb/s\n", names[i][0], names[i][1], mbps[0],
                      mbps[1], mbps[2], mbps[3], mbps[4]);
        bool linked = i >= 2, slow_to_return = strcmp(names[i][0], "olia") == 0;
        assert_true(mbps[0] > ALL);
        assert_true(mbps[4] > (slow_to_return ? 26 : ALL)); /* without losses OLIA sees no reason to leave its best path */
        assert_true(mbps[1] > (linked ? 20.5 : 26.8) && mbps[1] < 30);
        assert_true(mbps[3] > (linked ? 20.5 : 26.8) && mbps[3] < 30);
        assert_true(mbps[2] > (linked ? 10 : 17.8) && mbps[2] < 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_coupled_subflows_leave_a_tcp_its_share),
        cmocka_unit_test(four_uncoupled_subflows_take_four_shares),
        cmocka_unit_test(one_subflow_is_a_tcp),
        cmocka_unit_test(two_bottlenecks_are_shared_while_others_are_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
