/* What schedulers are worth, in virtual time: the same seeds give the same figures.
 *
 *     bench_schedulers messages             200 bytes, 50 a second, over two idle paths: latency, and bytes spent twice
 *     bench_schedulers buffers [up]         8 Mb/s of 20 ms and 2 Mb/s of 150 ms, by receive buffer: goodput
 *     bench_schedulers draw [COUNT [FROM]]  these pairs as JSON, one a line: Mb/s, ms, and what befalls one of them
 *     bench_schedulers pairs [COUNT [FROM]] drawn pairs of paths, one of them degraded, against the better one alone
 *     bench_schedulers pair SEED            one of those, with every scheduler
 * A scheduler's name after these: only that one. In the environment SAMPLES=1 shows how the paths do, EVENTS=1 what happens
 * in the stacks. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <mptcp/scheduler.h>
#include <sim/phone.h>

#define MS BRAID_NS_PER_MS
#define S BRAID_NS_PER_S

static const char *only;

static bool chosen(const char *name) { return only == NULL || strcmp(only, name) == 0; }

struct run {
    struct sim_path_config paths[2];
    unsigned path_count;
    struct sim_path_config later;  /* of path `degraded`, from degrade_at on; 0: never */
    unsigned degraded;
    braid_time degrade_at;
    uint32_t buffer_bytes;
    const char *scheduler;
    uint64_t seed;
    bool up, plain;
    braid_time from, until;        /* what counts */
};

struct outcome {
    double mbps;
    uint64_t twice, carried;
};

struct shaping {
    struct sim_phone *phone;
    const struct run *run;
};

static void degrade(void *context, braid_time now) {
    const struct shaping *s = context;
    (void)now;
    sim_path_shape(s->phone, s->run->degraded, &s->run->later);
}

/* SAMPLES=1 in the environment: how the paths do, twice a second. */
static void sample(struct sim_world *world, struct sim_conversation *c, enum sim_direction way, braid_time at) {
    struct sim_stream_result r;
    struct braid_connection_info info;
    struct braid_path_info path;
    sim_world_run(world, at);
    struct braid_connection *connection = sim_conversation_connection(c, way);
    if (connection == NULL) return;
    sim_conversation_result(c, way, &r);
    braid_connection_info(connection, &info);
    printf("  %5.1f s read %6.2f MB window %u", (double)at / 1e9, (double)r.read / 1e6, info.send_window_bytes);
    for (unsigned i = 0; braid_connection_path(connection, i, &path); i++)
        printf(" | %u: sent %.2f again %.2f srtt %.0f min %.0f cwnd %u flight %u rate %.2f status %d", (unsigned)path.number,
               (double)path.bytes_sent / 1e6, (double)path.bytes_retransmitted / 1e6, (double)path.rtt_us / 1e3,
               (double)path.min_rtt_us / 1e3, path.cwnd_bytes, path.in_flight_bytes,
               (double)path.delivery_bytes_per_s * 8e-6, (int)path.status);
    printf("\n");
}

/* EVENTS=1: what the stacks say of it. */
static void event(void *context, const char *host, braid_time now, const char *name, const struct braid_trace_field *fields,
                  size_t count) {
    (void)context;
    printf("  %8.4f s %s: %s", (double)now / 1e9, host, name);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type == BRAID_TRACE_STRING) printf(" %s=%s", fields[i].name, fields[i].value.text);
        else printf(" %s=%" PRIu64, fields[i].name, fields[i].value.u64);
    }
    printf("\n");
}

static struct outcome transfer(const struct run *run) {
    struct sim_phone phone;
    struct sim_phone_config config = {.world = {.seed = run->seed}, .path_count = run->path_count};
    memcpy(config.paths, run->paths, sizeof(run->paths));
    if (getenv("EVENTS") != NULL) config.world.trace = event;
    config.client.scheduler = config.server.scheduler = run->scheduler;
    if (run->buffer_bytes > 0) {
        config.client.receive_buffer_max_bytes = config.client.receive_buffer_initial_bytes = run->buffer_bytes;
        config.server.receive_buffer_max_bytes = config.server.receive_buffer_initial_bytes = run->buffer_bytes;
    }
    sim_phone_init(&phone, &config);
    struct shaping shaping = {&phone, run};
    if (run->degrade_at > 0) sim_world_at(phone.world, run->degrade_at, degrade, &shaping);
    struct sim_conversation_config talk = {.plain_client = run->plain};
    enum sim_direction way = run->up ? SIM_UP : SIM_DOWN;
    talk.streams[way].bytes = UINT64_C(1) << 40;
    talk.streams[1 - way] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    braid_time began = sim_world_now(phone.world);
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    struct sim_stream_result before, after;
    sim_world_run(phone.world, began + run->from);
    sim_conversation_result(c, way, &before);
    for (braid_time at = began + run->from; getenv("SAMPLES") != NULL && at < began + run->until; at += S / 2)
        sample(phone.world, c, way, at);
    sim_world_run(phone.world, began + run->until);
    sim_conversation_result(c, way, &after);
    struct outcome out = {.mbps = (double)(after.read - before.read) * 8e3 / (double)(run->until - run->from)};
    struct braid_connection *connection = sim_conversation_connection(c, way);
    struct braid_connection_info info = {0};
    if (connection != NULL) braid_connection_info(connection, &info);
    out.twice = info.bytes_reinjected + info.bytes_copied;
    out.carried = info.bytes_acknowledged;
    sim_phone_deinit(&phone);
    return out;
}

/* --- receive buffers --- */

static void buffers(bool up) {
    static const uint32_t sizes[] = {50, 100, 200, 350, 500, 700, 1000};
    static const struct sim_path_config fast = {.rate_bps = 8000000, .rtt_ns = 20 * MS},
                                        slow = {.rate_bps = 2000000, .rtt_ns = 150 * MS};
    printf("8 Mb/s 20 ms and 2 Mb/s 150 ms, %s: Mb/s by receive buffer in kB (in brackets: %% spent twice)\n",
           up ? "upload" : "download");
    printf("%-16s", "");
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) printf("%14u", sizes[i]);
    printf("\n%-16s", "TCP, fast path");
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct run run = {.paths = {fast}, .path_count = 1, .plain = true, .up = up, .seed = 1, .from = 5 * S, .until = 65 * S};
        run.buffer_bytes = sizes[i] * 1000;
        printf("%14.2f", transfer(&run).mbps);
    }
    printf("\n");
    for (unsigned n = 0; scheduler_name(n) != NULL; n++) {
        if (!chosen(scheduler_name(n))) continue;
        printf("%-16s", scheduler_name(n));
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            struct run run = {.paths = {fast, slow}, .path_count = 2, .up = up, .seed = 1, .from = 5 * S, .until = 65 * S};
            run.buffer_bytes = sizes[i] * 1000;
            run.scheduler = scheduler_name(n);
            struct outcome out = transfer(&run);
            printf("%6.2f (%4.1f%%)", out.mbps, 100.0 * (double)out.twice / (double)out.carried);
            fflush(stdout);
        }
        printf("\n");
    }
}

/* --- messages --- */

static void messages_of(const char *scheduler, const struct sim_path_config *fast, const struct sim_path_config *slow) {
    struct sim_phone phone;
    struct sim_phone_config config = {.world = {.seed = 3}, .paths = {*fast, *slow}, .path_count = 2};
    config.client.scheduler = config.server.scheduler = scheduler;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {0};
    talk.streams[SIM_UP] = (struct sim_stream_config){.bytes = 200 * 50 * 60, .message_bytes = 200, .interval_ns = 20 * MS};
    talk.streams[SIM_DOWN] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    braid_time began = sim_world_now(phone.world);
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, began + 59 * S);
    braid_time from = began + 2 * S, until = began + 58 * S;
    struct braid_connection *connection = sim_conversation_connection(c, SIM_UP);
    struct braid_connection_info info;
    struct braid_path_info path = {0};
    uint64_t sent = 0, on_slow = 0;
    braid_connection_info(connection, &info);
    for (unsigned i = 0; braid_connection_path(connection, i, &path); i++) {
        sent += path.bytes_sent;
        if (path.link == 1) on_slow += path.bytes_sent;
    }
    printf("%-16s %8.1f %8.1f %8.1f %8.1f %10.1f%% %10.1f%%\n", scheduler,
           (double)sim_conversation_message_ns(c, SIM_UP, from, until, 0.5) / 1e6,
           (double)sim_conversation_message_ns(c, SIM_UP, from, until, 0.9) / 1e6,
           (double)sim_conversation_message_ns(c, SIM_UP, from, until, 0.99) / 1e6,
           (double)sim_conversation_message_ns(c, SIM_UP, from, until, 1.0) / 1e6,
           100.0 * (double)on_slow / (double)sent,
           100.0 * (double)(sent - info.bytes_acknowledged) / (double)info.bytes_acknowledged);
    sim_phone_deinit(&phone);
}

static void messages(void) {
    for (int lossy = 0; lossy < 2; lossy++) {
        struct sim_path_config fast = sim_wifi, slow = sim_cellular;
        fast.loss = lossy ? 0.02 : 0;
        printf("messages of 200 bytes, 50 a second, over 30 ms%s and 70 ms: ms\n", lossy ? " with 2 % loss" : "");
        printf("%-16s %8s %8s %8s %8s %11s %11s\n", "", "median", "p90", "p99", "worst", "slow path", "spent twice");
        for (unsigned n = 0; scheduler_name(n) != NULL; n++)
            if (chosen(scheduler_name(n))) messages_of(scheduler_name(n), &fast, &slow);
    }
}

/* --- pairs of paths --- */

static double log_uniform(struct prng *prng, double low, double high) { return low * pow(high / low, prng_unit(prng)); }

static struct sim_path_config draw_path(struct prng *prng) {
    return (struct sim_path_config){.rate_bps = (uint64_t)log_uniform(prng, 1e6, 30e6),
                                    .rtt_ns = (braid_time)log_uniform(prng, 10e6, 200e6),
                                    .queue_ns = (braid_time)log_uniform(prng, 30e6, 300e6)};
}

static const char *degrade_path(struct sim_path_config *path, struct prng *prng) {
    switch (prng_below(prng, 4)) {
    case 0: path->loss = log_uniform(prng, 0.01, 0.3); return "loss";
    case 1: path->queue_ns = 2 * S; return "queue of 2 s";
    case 2: path->rtt_ns *= 10; return "RTT x 10";
    default: path->rate_bps = 100000; return "0.1 Mb/s";
    }
}

struct pair {
    struct run run;
    const char *what;
};

static struct pair draw_pair(uint64_t seed) {
    struct pair pair = {.run = {.path_count = 2, .seed = seed, .from = 0, .until = 25 * S, .degrade_at = 6 * S}};
    struct prng prng;
    prng_seed(&prng, seed * 7919);
    for (int i = 0; i < 2; i++) pair.run.paths[i] = draw_path(&prng);
    pair.run.degraded = (unsigned)prng_below(&prng, 2);
    pair.run.later = pair.run.paths[pair.run.degraded];
    pair.what = degrade_path(&pair.run.later, &prng);
    return pair;
}

static double alone(const struct pair *pair, unsigned path) {
    struct run run = pair->run;
    run.paths[0] = run.paths[path];
    run.path_count = 1;
    run.plain = true;
    if (path != run.degraded) run.degrade_at = 0;
    run.degraded = 0;
    return transfer(&run).mbps;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void pairs(uint64_t count, uint64_t from) {
    double *ratios = calloc(count, sizeof(*ratios)), *benefits = calloc(count, sizeof(*benefits));
    for (unsigned n = 0; scheduler_name(n) != NULL; n++) {
        const char *name = scheduler_name(n);
        if (!chosen(name) || (only == NULL && n > 0)) continue;
        unsigned worse = 0, better = 0;
        for (uint64_t seed = from; seed < from + count; seed++) {
            struct pair pair = draw_pair(seed);
            double single[2] = {alone(&pair, 0), alone(&pair, 1)};
            double best = single[0] > single[1] ? single[0] : single[1], sum = single[0] + single[1];
            pair.run.scheduler = name;
            double both = transfer(&pair.run).mbps;
            ratios[seed - from] = both / best;
            /* -1: nothing at all; 0: as the better one; 1: both together (experimental aggregation benefit) */
            benefits[seed - from] = both >= best ? (both - best) / (sum - best) : (both - best) / best;
            worse += both < 0.95 * best;
            better += both > 1.02 * best;
            if (both < 0.95 * best)
                printf("  seed %" PRIu64 ": %.1f Mb/s %.0f ms, %.1f Mb/s %.0f ms; path %u gets %s: alone %.2f, %.2f; both "
                       "%.2f Mb/s, %.2f of the better\n", seed, (double)pair.run.paths[0].rate_bps / 1e6,
                       (double)pair.run.paths[0].rtt_ns / 1e6, (double)pair.run.paths[1].rate_bps / 1e6,
                       (double)pair.run.paths[1].rtt_ns / 1e6, pair.run.degraded, pair.what, single[0], single[1], both,
                       both / best);
        }
        qsort(ratios, count, sizeof(*ratios), by_size);
        qsort(benefits, count, sizeof(*benefits), by_size);
        printf("%s: %u of %" PRIu64 " below 0.95 of the better path alone, worst %.2f; %u above 1.02; benefit: 5 %% %.2f, "
               "median %.2f, 95 %% %.2f\n", name, worse, count, ratios[0], better, benefits[count / 20],
               benefits[count / 2], benefits[count - 1 - count / 20]);
    }
    free(ratios);
    free(benefits);
}

static void draw(uint64_t count, uint64_t from) {
    for (uint64_t seed = from; seed < from + count; seed++) {
        struct pair pair = draw_pair(seed);
        printf("{\"seed\": %" PRIu64 ", \"paths\": [", seed);
        for (unsigned i = 0; i < 3; i++) {
            const struct sim_path_config *path = i < 2 ? &pair.run.paths[i] : &pair.run.later;
            printf("%s{\"mbps\": %.3f, \"rtt_ms\": %.3f, \"queue_ms\": %.3f, \"loss\": %.4f}", i == 1 ? ", " : i == 2 ? "], \"later\": " : "",
                   (double)path->rate_bps / 1e6, (double)path->rtt_ns / 1e6, (double)path->queue_ns / 1e6, path->loss);
        }
        printf(", \"degraded\": %u, \"what\": \"%s\", \"at_s\": 6, \"seconds\": 25}\n", pair.run.degraded, pair.what);
    }
}

static void one_pair(uint64_t seed) {
    struct pair pair = draw_pair(seed);
    printf("path 0: %.1f Mb/s %.0f ms queue %.0f; path 1: %.1f Mb/s %.0f ms queue %.0f; path %u gets %s\n",
           (double)pair.run.paths[0].rate_bps / 1e6, (double)pair.run.paths[0].rtt_ns / 1e6,
           (double)pair.run.paths[0].queue_ns / 1e6, (double)pair.run.paths[1].rate_bps / 1e6,
           (double)pair.run.paths[1].rtt_ns / 1e6, (double)pair.run.paths[1].queue_ns / 1e6, pair.run.degraded, pair.what);
    printf("alone: %.2f and %.2f Mb/s\n", alone(&pair, 0), alone(&pair, 1));
    for (unsigned n = 0; scheduler_name(n) != NULL; n++) {
        if (!chosen(scheduler_name(n))) continue;
        pair.run.scheduler = scheduler_name(n);
        struct outcome out = transfer(&pair.run);
        printf("%-16s %.2f Mb/s, twice %.2f MB\n", scheduler_name(n), out.mbps, (double)out.twice / 1e6);
    }
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (argc > 2 && scheduler_find(argv[argc - 1]) != NULL) only = argv[--argc];
    if (strcmp(what, "messages") == 0) messages();
    else if (strcmp(what, "buffers") == 0) buffers(argc > 2 && strcmp(argv[2], "up") == 0);
    else if (strcmp(what, "draw") == 0) draw(argc > 2 ? strtoull(argv[2], NULL, 10) : 200, argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    else if (strcmp(what, "pairs") == 0) {
        pairs(argc > 2 ? strtoull(argv[2], NULL, 10) : 200, argc > 3 ? strtoull(argv[3], NULL, 10) : 1);
    }
    else if (strcmp(what, "pair") == 0 && argc > 2) one_pair(strtoull(argv[2], NULL, 10));
    else return fprintf(stderr, "usage: bench_schedulers messages | buffers [up] | draw [COUNT [FROM]] | pairs [COUNT [FROM]] | pair SEED, [SCHEDULER]\n"), 2;
    return 0;
}
