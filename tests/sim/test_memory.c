/* The memory of a connection with eight paths of different rates and round trips: bounded, and the receive
 * window becomes what the paths need, the sum of their rates times the worst round trip.
 *
 *     phone  == eight links ==  server
 *
 * What is counted is all that the stacks allocated. A sender has its bound, and what is not needed any more of
 * the buffers of 64 kB that its bytes are in: 1.6 times the bound at the most where it is 1 MB, more where it is
 * less. A receiver's packets are in the link's buffers; of it, it is the unread bytes that are compared with the
 * bound. */
#include "sim_test.h"

enum { PATHS = 8, TALKS = 40 };

static const struct {
    uint64_t rate_bps;
    braid_time rtt_ns;
} paths[PATHS] = {{20000000, 10 * MS}, {15000000, 20 * MS}, {10000000, 30 * MS}, {8000000, 40 * MS},
                  {6000000, 60 * MS},  {4000000, 80 * MS},  {3000000, 120 * MS}, {2000000, 150 * MS}};
#define SUM_BPS 68000000
#define CEILING_MBPS (68 * 1428.0 / 1500) /* without headers, timestamps and DSS */
#define NEEDED_BYTES ((double)SUM_BPS / 8 * 0.15)

struct bench {
    struct sim_world *world;
    struct sim_host *phone, *server;
    struct braid_address server_address;
    uint16_t next_port;
};

static void bench_init(struct bench *b, uint32_t buffer_bytes, double loss) {
    struct sim_world_config config = {.seed = 1};
    struct braid_stack_config stack = {.send_buffer_bytes = buffer_bytes,
                                       .receive_buffer_max_bytes = buffer_bytes};
    struct sim_interface_config interface = {.name = "eth"};
    if (buffer_bytes != 0 && buffer_bytes < 256 << 10) stack.receive_buffer_initial_bytes = buffer_bytes;
    *b = (struct bench){
        .world = sim_world_create(&config), .server_address = sim_address("10.9.0.1"), .next_port = 1000};
    b->phone = sim_host_add(b->world, "phone", &stack);
    b->server = sim_host_add(b->world, "server", &stack);
    sim_host_interface_add(b->server, &interface);
    sim_host_address_add(b->server, 0, &b->server_address, false, false);
    for (int i = 0; i < PATHS; i++) {
        struct braid_address address = {.family = 4, .bytes = {10, (uint8_t)(i + 1), 0, 2}};
        struct link_model_config model = {.rate_bps = paths[i].rate_bps,
                                          .delay_ns = paths[i].rtt_ns / 2,
                                          .queue_ns = 100 * MS,
                                          .loss = loss};
        int number = sim_host_interface_add(b->phone, &interface);
        sim_host_address_add(b->phone, number, &address, false, false);
        struct sim_link *link = sim_link_add(b->world, "link", (struct sim_link_end){b->phone, number},
                                             (struct sim_link_end){b->server, 0});
        sim_link_append(link, sim_wire(b->world, &model, &model));
    }
}

static struct sim_conversation *transfer(struct bench *b, enum sim_direction way) {
    struct sim_conversation_config talk = {
        .client = b->phone, .server = b->server, .remote = {b->server_address, b->next_port++}};
    talk.streams[way].bytes = UINT64_C(1) << 40;
    talk.streams[1 - way] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    return sim_conversation_start(b->world, &talk);
}

struct used {
    double mbps, window;     /* of what is needed, on average */
    double sender, receiver; /* most memory, of the bound */
    double unread;           /* most, of the bound, when nobody reads any more */
};

static struct used transfer_and_pause(uint32_t buffer_bytes, enum sim_direction way, double loss) {
    enum { SAMPLES = 100 };
    struct bench b;
    bench_init(&b, buffer_bytes, loss);
    struct sim_conversation *c = transfer(&b, way);
    struct sim_host *from = way == SIM_UP ? b.phone : b.server, *to = way == SIM_UP ? b.server : b.phone;
    struct sim_stream_result before, after;
    struct braid_connection_info info;
    struct used used = {0};
    sim_world_run(b.world, 10 * S);
    sim_conversation_result(c, way, &before);
    for (int i = 1; i <= SAMPLES; i++) {
        sim_world_run(b.world, 10 * S + i * 200 * MS);
        braid_connection_info(sim_conversation_connection(c, 1 - way), &info);
        used.window += info.receive_window_bytes / NEEDED_BYTES / SAMPLES;
    }
    assert_int_equal(info.paths, PATHS);
    sim_conversation_result(c, way, &after);
    used.mbps = (double)(after.read - before.read) * 8e3 / (20.0 * S);
    sim_conversation_pause_reading(c, 1 - way, true);
    sim_world_run(b.world, 40 * S);
    braid_connection_info(sim_conversation_connection(c, 1 - way), &info);
    sim_conversation_result(c, way, &after);
    used.unread = (double)(info.bytes_received - after.read) / buffer_bytes;
    used.sender = (double)sim_host_memory_peak(from) / buffer_bytes;
    used.receiver = (double)sim_host_memory_peak(to) / buffer_bytes;
    assert_int_equal(sim_world_destroy(b.world), 0);
    return used;
}

static void eight_paths_keep_to_the_bounds(void **state) {
    static const struct {
        uint32_t bound_bytes;
        double loss, mbps;
    } cases[] = {{500000, 0, 45},
                 {1000000, 0, 58},
                 {2000000, 0, 0.97 * CEILING_MBPS},
                 {8000000, 0, 0.97 * CEILING_MBPS},
                 {2000000, 0.002, 0.5 * CEILING_MBPS}};
    (void)state;
    for (int way = 0; way < 2; way++)
        for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
            struct used u = transfer_and_pause(cases[i].bound_bytes, way, cases[i].loss);
            print_message("%s, %u kB, %g %% loss: %.1f Mb/s, window %.2f of what is needed; of the bound: "
                          "sender %.2f, receiver %.2f, "
                          "unread %.2f\n",
                          way == SIM_UP ? "up" : "down", cases[i].bound_bytes / 1000, cases[i].loss * 100,
                          u.mbps, u.window, u.sender, u.receiver, u.unread);
            assert_true(u.unread <= 1);
            assert_true(u.sender <= (cases[i].bound_bytes < 1000000 ? 1.8 : 1.65) && u.receiver <= 0.25);
            assert_true(u.mbps >= cases[i].mbps);
            if (cases[i].bound_bytes >= NEEDED_BYTES && cases[i].loss == 0)
                assert_true(u.window > 1 && u.window < 1.5);
        }
}

/* Near and fast, and whatever is sent finds room in the queue: a window that followed the queue would be 8 MB, and no cache
 * would hold it. */
static void a_fast_and_near_peer_gets_a_megabyte_or_two_more_than_the_path(void **state) {
    enum { PRODUCT = 10000 / 8 * 100 }; /* 10 Gb/s, 100 us */
    (void)state;
    for (int plain = 0; plain < 2; plain++) {
        struct sim_phone_config config = {
            .world = {.seed = 1},
            .paths = {{.rate_bps = UINT64_C(10000000000), .rtt_ns = 100 * BRAID_NS_PER_US, .queue_ns = S}},
            .path_count = 1};
        struct sim_conversation_config talk = {.plain_client = plain, .streams[SIM_DOWN] = {.bytes = UINT64_C(1) << 40}};
        struct sim_phone phone;
        struct sim_stream_result before, after;
        struct braid_connection_info info;
        sim_phone_init(&phone, &config);
        struct sim_conversation *c = sim_phone_talk(&phone, &talk);
        braid_time began = sim_world_now(phone.world);
        sim_world_run(phone.world, began + 50 * MS);
        sim_conversation_result(c, SIM_DOWN, &before);
        sim_world_run(phone.world, began + 150 * MS);
        sim_conversation_result(c, SIM_DOWN, &after);
        braid_connection_info(sim_conversation_connection(c, SIM_UP), &info);
        double gbps = (double)(after.read - before.read) * 8 / (double)(100 * MS);
        print_message("%s: %.2f Gb/s of 10, a window of %u kB\n", plain ? "TCP" : "MPTCP", gbps, info.receive_window_bytes / 1000);
        assert_true(gbps > 9);
        assert_in_range(info.receive_window_bytes, 2 * PRODUCT, ((plain ? 1 : 2) << 20) + 4 * PRODUCT);
        phone_end(&phone);
    }
}

/* Whatever the number of connections, each keeps to its own. */
static void many_connections_have_as_many_bounds(void **state) {
    enum { BOUND = 200000 };
    (void)state;
    struct bench b;
    struct sim_conversation *c[TALKS];
    bench_init(&b, BOUND, 0);
    for (int i = 0; i < TALKS; i++)
        c[i] = transfer(&b, i % 2 == 0 ? SIM_UP : SIM_DOWN);
    sim_world_run(b.world, 10 * S);
    uint64_t read = 0;
    for (int i = 0; i < TALKS; i++) {
        struct sim_stream_result r;
        sim_conversation_result(c[i], i % 2 == 0 ? SIM_UP : SIM_DOWN, &r);
        read += r.read;
        sim_conversation_pause_reading(c[i], i % 2 == 0 ? SIM_DOWN : SIM_UP, true);
    }
    sim_world_run(b.world, 20 * S);
    /* Half of the connections send at either end; what a connection takes besides is much less than its
     * buffers. */
    double phone = (double)sim_host_memory_peak(b.phone) / (TALKS / 2 * BOUND);
    double server = (double)sim_host_memory_peak(b.server) / (TALKS / 2 * BOUND);
    print_message("%d connections: %.1f Mb/s both ways; of their bounds: phone %.2f, server %.2f\n", TALKS,
                  (double)read * 8e3 / (10.0 * S), phone, server);
    assert_true(phone <= 2.6 && server <= 2.6);
    assert_true((double)read * 8e3 / (10.0 * S) > CEILING_MBPS);
    assert_int_equal(sim_world_destroy(b.world), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_paths_keep_to_the_bounds),
        cmocka_unit_test(a_fast_and_near_peer_gets_a_megabyte_or_two_more_than_the_path),
        cmocka_unit_test(many_connections_have_as_many_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
