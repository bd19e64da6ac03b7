/* What two paths together are worth: docs/bonding.md is generated from what is measured here, and
 * docs/bonding.svg. Each figure is a bound from then on, less a tolerance, and what was asked for and kept
 * once must be kept.
 *
 *     sim_test_bonding            measures (of the drawn pairs the first PAIRS_CHECKED, of fairness nothing:
 * test_coupled.c looks after that), fails where something became worse; 30 s sim_test_bonding --write
 * measures all, writes both; two minutes
 *
 * bench/schedulers.c has the same for all schedulers, and single pairs to look at. */
#include "sim_test.h"
#include "town.h"

#include <math.h>
#include <mptcp/scheduler.h>

#define TABLE "docs/bonding.md"
#define PICTURE "docs/bonding.svg"
#define PAYLOAD (1428.0 / 1500.0) /* of a full packet, with headers, timestamps and DSS */

enum { SEEDS = 5, SEEDS_BOTTLENECKS = 40, PAIRS = 200, PAIRS_CHECKED = 30 };

/* --- what was asked for --- */

struct limit {
    const char *what;
    double bound, found;
    bool at_most;
};
static struct limit limits[16];
static unsigned limit_count;

static void limit_note(const char *what, double bound, double found, bool at_most) {
    ENSURE(limit_count < 16);
    limits[limit_count++] = (struct limit){what, bound, found, at_most};
}

static void write_limits(FILE *out) {
    fprintf(out, "\n## What was asked for\n\n| | bound | found | |\n|---|---|---|---|\n");
    for (unsigned i = 0; i < limit_count; i++) {
        const struct limit *l = &limits[i];
        double missing = l->at_most ? l->found - l->bound : l->bound - l->found;
        fprintf(out, "| %s | %s %g | %.2f |", l->what, l->at_most ? "at most" : "at least", l->bound,
                l->found);
        if (missing > 0.005)
            fprintf(out, " **missed** by %.2f |\n", missing);
        else
            fprintf(out, " kept |\n");
    }
}

/* --- one transfer --- */

struct run {
    struct sim_path_config paths[2],
        later; /* later: what becomes of path `degraded` after 6 s, if `degrades` */
    unsigned path_count, degraded;
    bool degrades, plain, up;
    uint32_t buffer_bytes;
    uint64_t seed;
    braid_time from, until; /* what counts */
};

struct outcome {
    double mbps, rtt_ms[2]; /* round trips of the paths, on average */
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

static void sample_rtts(const struct sim_conversation *c, enum sim_direction way, double sum_ms[2],
                        unsigned n[2]) {
    struct braid_connection *connection = sim_conversation_connection(c, way);
    struct braid_path_info path;
    for (unsigned i = 0; connection != NULL && i < 2 && braid_connection_path(connection, i, &path); i++) {
        sum_ms[i] += (double)path.rtt_us / 1e3;
        n[i]++;
    }
}

static struct outcome transfer(const struct run *run) {
    struct sim_phone phone;
    struct sim_phone_config config = {.world = {.seed = run->seed}, .path_count = run->path_count};
    memcpy(config.paths, run->paths, sizeof(run->paths));
    if (run->buffer_bytes > 0) {
        config.client.receive_buffer_max_bytes = config.client.receive_buffer_initial_bytes =
            run->buffer_bytes;
        config.server.receive_buffer_max_bytes = config.server.receive_buffer_initial_bytes =
            run->buffer_bytes;
    }
    sim_phone_init(&phone, &config);
    struct shaping shaping = {&phone, run};
    if (run->degrades) sim_world_at(phone.world, 6 * S, degrade, &shaping);
    struct sim_conversation_config talk = {.plain_client = run->plain};
    enum sim_direction way = run->up ? SIM_UP : SIM_DOWN;
    talk.streams[way].bytes = UINT64_C(1) << 40;
    talk.streams[1 - way] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    braid_time began = sim_world_now(phone.world);
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    struct sim_stream_result before, after;
    double sum_ms[2] = {0};
    unsigned n[2] = {0};
    sim_world_run(phone.world, began + run->from);
    sim_conversation_result(c, way, &before);
    for (braid_time at = began + run->from; at < began + run->until; at += S / 4) {
        sim_world_run(phone.world, at);
        sample_rtts(c, way, sum_ms, n);
    }
    sim_world_run(phone.world, began + run->until);
    sim_conversation_result(c, way, &after);
    struct outcome out = {.mbps =
                              (double)(after.read - before.read) * 8e3 / (double)(run->until - run->from)};
    for (int i = 0; i < 2; i++)
        out.rtt_ms[i] = n[i] > 0 ? sum_ms[i] / n[i] : 0;
    sim_phone_deinit(&phone);
    return out;
}

/* Over SEEDS seeds, with half the width of the mean's 95 % confidence interval (Student's t, 4 degrees of
 * freedom). */
struct mean {
    double mean, half;
    struct outcome outcome; /* of the first seed */
};

/* Where nothing is lost, a seed alone changes nothing: round trips and queues are up to a tenth shorter or
 * longer. */
static struct run varied(struct run run, uint64_t seed) {
    struct prng prng;
    prng_seed(&prng, seed * 104729);
    run.seed = seed;
    for (unsigned i = 0; i < 2; i++) {
        if (run.paths[i].queue_ns == 0) run.paths[i].queue_ns = 100 * MS;
        run.paths[i].rtt_ns = (braid_time)((double)run.paths[i].rtt_ns * (0.9 + 0.2 * prng_unit(&prng)));
        run.paths[i].queue_ns = (braid_time)((double)run.paths[i].queue_ns * (0.9 + 0.2 * prng_unit(&prng)));
    }
    return run;
}

static struct mean mean_of(struct run run) {
    struct mean m = {0};
    double squares = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct run one = varied(run, seed);
        struct outcome out = transfer(&one);
        if (seed == 1) m.outcome = out;
        m.mean += out.mbps / SEEDS;
        squares += out.mbps * out.mbps;
    }
    double variance = (squares - SEEDS * m.mean * m.mean) / (SEEDS - 1);
    m.half = variance > 0 ? 2.776 * sqrt(variance / SEEDS) : 0;
    return m;
}

/* --- 1: receive buffers --- */

static const uint32_t buffers_kb[] = {50, 100, 200, 350, 500, 700, 1000};
enum { BUFFERS = 7 };

static void write_buffers_row(FILE *out, bool both, bool up, double mbps[BUFFERS]) {
    static const struct sim_path_config fast = {.rate_bps = 8000000, .rtt_ns = 20 * MS};
    static const struct sim_path_config slow = {.rate_bps = 2000000, .rtt_ns = 150 * MS};
    fprintf(out, "| %s, %s |", up ? "upload" : "download", both ? "both" : "TCP on 8 Mb/s");
    double widest = 0;
    for (unsigned i = 0; i < BUFFERS; i++) {
        struct run run = {.paths = {fast, slow},
                          .path_count = both ? 2 : 1,
                          .plain = !both,
                          .up = up,
                          .buffer_bytes = buffers_kb[i] * 1000,
                          .from = 5 * S,
                          .until = 35 * S};
        struct mean m = mean_of(run);
        mbps[i] = m.mean;
        if (m.half > widest) widest = m.half;
        fprintf(out, " %.2f |", m.mean);
    }
    fprintf(out, " ±%.2f |\n", widest);
}

static void write_buffers(FILE *out) {
    double least[3] = {INFINITY, INFINITY, INFINITY};
    fprintf(out, "\n## Receive buffers: 8 Mb/s of 20 ms and 2 Mb/s of 150 ms (Mb/s)\n\n"
                 "Of both together 9.52 are possible. ± is the widest of the row.\n\n| kB |");
    for (unsigned i = 0; i < BUFFERS; i++)
        fprintf(out, " %u |", buffers_kb[i]);
    fprintf(out, " |\n|---|---|---|---|---|---|---|---|---|\n");
    for (int up = 0; up < 2; up++) {
        double alone[BUFFERS], both[BUFFERS];
        write_buffers_row(out, false, up, alone);
        write_buffers_row(out, true, up, both);
        for (unsigned i = 0; i < BUFFERS; i++)
            least[0] = fmin(least[0], both[i] / alone[i]);
        least[1] = fmin(least[1], both[2]);
        least[2] = fmin(least[2], both[3]);
    }
    limit_note("any receive buffer: of TCP on the better path alone", 0.98, least[0], false);
    limit_note("200 kB, Mb/s", 8.5, least[1], false);
    limit_note("350 kB, Mb/s", 9.2, least[2], false);
}

/* --- 2: how much of two paths --- */

static double write_pairs_row(FILE *out, const struct sim_path_config *a, const struct sim_path_config *b) {
    double ceiling = (double)(a->rate_bps + b->rate_bps) * 1e-6 * PAYLOAD, least = INFINITY;
    fprintf(out, "| %g and %g Mb/s, %g and %g ms |", (double)a->rate_bps * 1e-6, (double)b->rate_bps * 1e-6,
            ms_of(a->rtt_ns), ms_of(b->rtt_ns));
    for (int up = 0; up < 2; up++) {
        struct run run = {.paths = {*a, *b}, .path_count = 2, .up = up, .from = 5 * S, .until = 25 * S};
        struct mean m = mean_of(run);
        fprintf(out, " %.1f | ±%.1f | %.0f/%.0f |", 100 * m.mean / ceiling, 100 * m.half / ceiling,
                m.outcome.rtt_ms[0], m.outcome.rtt_ms[1]);
        least = fmin(least, m.mean / ceiling);
    }
    fprintf(out, "\n");
    return least;
}

static void write_sums(FILE *out) {
    static const struct sim_path_config unlike[][2] = {
        {{.rate_bps = 50000000, .rtt_ns = 30 * MS}, {.rate_bps = 20000000, .rtt_ns = 70 * MS}},
        {{.rate_bps = 50000000, .rtt_ns = 20 * MS}, {.rate_bps = 30000000, .rtt_ns = 300 * MS}}};
    static const uint64_t rates[][2] = {{10000000, 10000000}, {15000000, 5000000}};
    static const braid_time rtts[][2] = {{1 * MS, 1 * MS},   {1 * MS, 10 * MS},  {1 * MS, 25 * MS},
                                         {10 * MS, 25 * MS}, {25 * MS, 25 * MS}, {25 * MS, 1 * MS}};
    fprintf(out,
            "\n## How much of two paths (%% of what they can carry)\n\n"
            "With each path's round trip as it is under load, in ms, which is what a message beside the "
            "transfer waits; "
            "± is the 95 %%\nconfidence interval of %d seeds. Queues of 100 ms.\n\n"
            "| | download | | RTT | upload | | RTT |\n|---|---|---|---|---|---|---|\n",
            SEEDS);
    double least = INFINITY;
    for (unsigned i = 0; i < 2; i++)
        least = fmin(least, write_pairs_row(out, &unlike[i][0], &unlike[i][1]));
    for (unsigned r = 0; r < 2; r++)
        for (unsigned i = 0; i < sizeof(rtts) / sizeof(rtts[0]); i++) {
            struct sim_path_config a = {.rate_bps = rates[r][0], .rtt_ns = rtts[i][0]},
                                   b = {.rate_bps = rates[r][1], .rtt_ns = rtts[i][1]};
            least = fmin(least, write_pairs_row(out, &a, &b));
        }
    limit_note("two paths, nothing happens: of their ceiling", 0.95, least, false);
}

/* --- 3: pairs of which one gets worse --- */

static double log_uniform(struct prng *prng, double low, double high) {
    return low * pow(high / low, prng_unit(prng));
}

static struct sim_path_config draw_path(struct prng *prng) {
    return (struct sim_path_config){.rate_bps = (uint64_t)log_uniform(prng, 1e6, 30e6),
                                    .rtt_ns = (braid_time)log_uniform(prng, 10e6, 200e6),
                                    .queue_ns = (braid_time)log_uniform(prng, 30e6, 300e6)};
}

enum { LOSS, DEEP, FAR, SLOW, KINDS };
static const char *const kinds[KINDS] = {"1 to 30 % loss", "a queue of 2 s", "RTT x 10", "0.1 Mb/s"};

/* The same draws as in bench/schedulers.c. */
static struct run draw_pair(uint64_t seed, unsigned *kind) {
    struct run run = {.path_count = 2, .seed = seed, .until = 25 * S, .degrades = true};
    struct prng prng;
    prng_seed(&prng, seed * 7919);
    for (int i = 0; i < 2; i++)
        run.paths[i] = draw_path(&prng);
    run.degraded = (unsigned)prng_below(&prng, 2);
    run.later = run.paths[run.degraded];
    *kind = (unsigned)prng_below(&prng, KINDS);
    if (*kind == LOSS)
        run.later.loss = log_uniform(&prng, 0.01, 0.3);
    else if (*kind == DEEP)
        run.later.queue_ns = 2 * S;
    else if (*kind == FAR)
        run.later.rtt_ns *= 10;
    else
        run.later.rate_bps = 100000;
    return run;
}

static double alone(struct run run, unsigned path) {
    run.paths[0] = run.paths[path];
    run.path_count = 1;
    run.plain = true;
    run.degrades = path == run.degraded;
    run.degraded = 0;
    return transfer(&run).mbps;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct tally {
    unsigned count, harmed, better;
    double worst;
};

static void tally_write(FILE *out, const char *what, const struct tally *t) {
    fprintf(out, "| %s | %u | %.1f | %.2f | %.1f |\n", what, t->count,
            100.0 * (t->count - t->harmed) / t->count, t->worst, 100.0 * t->better / t->count);
}

static void tally_note(struct tally *t, double ratio) {
    if (t->count == 0 || ratio < t->worst) t->worst = ratio;
    t->count++;
    t->harmed += ratio < 0.95;
    t->better += ratio > 1.02;
}

static double benefits[PAIRS];

static void write_drawn(FILE *out, unsigned count) {
    struct tally all = {0}, first = {0}, by_kind[KINDS] = {{0}};
    for (uint64_t seed = 1; seed <= count; seed++) {
        unsigned kind;
        struct run run = draw_pair(seed, &kind);
        double single[2] = {alone(run, 0), alone(run, 1)}, both = transfer(&run).mbps;
        double best = single[0] > single[1] ? single[0] : single[1], sum = single[0] + single[1];
        benefits[seed - 1] = both >= best ? (both - best) / (sum - best) : (both - best) / best;
        tally_note(&all, both / best);
        tally_note(&by_kind[kind], both / best);
        if (seed <= PAIRS_CHECKED) tally_note(&first, both / best);
    }
    qsort(benefits, count, sizeof(benefits[0]), by_size);
    fprintf(out, "\n## One path gets worse (drawn pairs)\n\n"
                 "Two paths of 1 to 30 Mb/s, 10 to 200 ms, queues of 30 to 300 ms; after 6 of 25 s one gets "
                 "worse. Against TCP on "
                 "the path alone\non which it gets most.\n\n"
                 "| what happens to it | pairs | at least 0.95, %% | worst | above 1.02, %% "
                 "|\n|---|---|---|---|---|\n");
    tally_write(out, "the first pairs", &first);
    if (count < PAIRS) return;
    for (int kind = 0; kind < KINDS; kind++)
        tally_write(out, kinds[kind], &by_kind[kind]);
    tally_write(out, "all of it", &all);
    limit_note("one path gets worse: the worst of 200 pairs, of the better path alone", 0.95, all.worst,
               false);
    limit_note("one path gets worse: how many of 200 pairs are below that", 0, all.harmed, true);
    fprintf(out,
            "\nExperimental aggregation benefit (-1: nothing arrives, 0: as the better path alone, 1: all of "
            "both): 5th "
            "percentile %.2f,\nmedian %.2f, 95th %.2f.\n\n![Distribution of the benefit](bonding.svg)\n",
            benefits[count / 20], benefits[count / 2], benefits[count - 1 - count / 20]);
}

/* The benefits, lowest first: how many pairs have no more than this. */
static void draw_picture(FILE *out) {
    enum { WIDTH = 480, HEIGHT = 240, LEFT = 55, TOP = 40 };
    double low = -0.5, high = 1.25;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 560 330\" "
                 "font-family=\"sans-serif\" font-size=\"12\">\n"
                 "<rect width=\"560\" height=\"330\" fill=\"white\"/>\n<g stroke=\"#bbb\">\n");
    for (int i = 0; i <= 4; i++)
        fprintf(out, "<path d=\"M%d %dh%d\"/>\n", LEFT, TOP + HEIGHT * i / 4, WIDTH);
    for (int i = 0; i <= 1; i++)
        fprintf(out, "<path d=\"M%.0f %dv%d\"/>\n", LEFT + WIDTH * (i - low) / (high - low), TOP, HEIGHT);
    fprintf(
        out,
        "</g>\n<g text-anchor=\"middle\">\n"
        "<text x=\"295\" y=\"22\" font-size=\"14\">Pairs of paths, one of which gets worse: share with no "
        "more benefit than this</text>\n");
    for (double x = low; x <= high; x += 0.25)
        fprintf(out, "<text x=\"%.0f\" y=\"298\">%.2f</text>\n", LEFT + WIDTH * (x - low) / (high - low), x);
    fprintf(out, "<text x=\"295\" y=\"319\">benefit: 0 is the better path alone, 1 all of "
                 "both; beyond 1.25 is drawn there</text>\n</g>\n<g text-anchor=\"end\">\n");
    for (int i = 0; i <= 4; i++)
        fprintf(out, "<text x=\"%d\" y=\"%d\">%d %%</text>\n", LEFT - 5, TOP + 4 + HEIGHT * i / 4,
                100 - 25 * i);
    fprintf(out, "</g>\n<path fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" d=\"");
    for (unsigned i = 0; i < PAIRS; i++) {
        double b = benefits[i] < low ? low : benefits[i] > high ? high : benefits[i];
        fprintf(out, "%c%.1f %.1f", i == 0 ? 'M' : 'L', LEFT + WIDTH * (b - low) / (high - low),
                TOP + HEIGHT * (1 - (i + 1.0) / PAIRS));
    }
    fprintf(out, "\"/>\n</svg>\n");
}

/* --- 4: messages --- */

enum { QUANTILES = 4 };

struct latency {
    double ms[QUANTILES], slow_percent, twice_percent;
};

/* What each subflow has sent, also those that are gone: a path on which one segment was lost several times is given up, and
 * joined anew. */
enum { SUBFLOWS = 64 }; /* in a minute, one after the other */
struct sent {
    uint64_t bytes[SUBFLOWS]; /* by number */
    bool slow[SUBFLOWS];
};

static void note_sent(struct sent *sent, struct sim_conversation *c) {
    struct braid_connection *connection = sim_conversation_connection(c, SIM_UP);
    struct braid_path_info path;
    for (unsigned i = 0; connection != NULL && braid_connection_path(connection, i, &path); i++) {
        assert_true(path.number < SUBFLOWS);
        sent->bytes[path.number] = path.bytes_sent;
        sent->slow[path.number] = path.link == 1;
    }
}

static struct latency messages(const char *scheduler, bool lossy, uint64_t seed) {
    static const double quantiles[QUANTILES] = {0.5, 0.9, 0.99, 1};
    struct sim_phone phone;
    struct sim_phone_config config = {
        .world = {.seed = seed}, .paths = {sim_wifi, sim_cellular}, .path_count = 2};
    config.client.scheduler = config.server.scheduler = scheduler;
    config.paths[0].loss = lossy ? 0.02 : 0;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {0};
    talk.streams[SIM_UP] =
        (struct sim_stream_config){.bytes = 200 * 50 * 60, .message_bytes = 200, .interval_ns = 20 * MS};
    talk.streams[SIM_DOWN] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    braid_time began = sim_world_now(phone.world), from = began + 2 * S, until = began + 58 * S;
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    struct sent by = {0};
    for (unsigned tenths = 1; tenths <= 590; tenths++) {
        sim_world_run(phone.world, began + tenths * (S / 10));
        note_sent(&by, c);
    }
    struct braid_connection_info info;
    uint64_t sent = 0, slow = 0;
    braid_connection_info(sim_conversation_connection(c, SIM_UP), &info);
    for (unsigned i = 0; i < SUBFLOWS; i++) {
        sent += by.bytes[i];
        if (by.slow[i]) slow += by.bytes[i];
    }
    assert_true(sent >= info.bytes_acknowledged);
    struct latency l = {.slow_percent = 100.0 * (double)slow / (double)sent,
                        .twice_percent = 100.0 * (double)(sent - info.bytes_acknowledged) /
                                         (double)info.bytes_acknowledged};
    for (int i = 0; i < QUANTILES; i++)
        l.ms[i] = (double)sim_conversation_message_ns(c, SIM_UP, from, until, quantiles[i]) / 1e6;
    sim_phone_deinit(&phone);
    return l;
}

static void write_messages_row(FILE *out, unsigned scheduler, bool lossy) {
    struct latency sum = {0};
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct latency l = messages(scheduler_name(scheduler), lossy, seed);
        for (int i = 0; i < QUANTILES; i++)
            sum.ms[i] += l.ms[i] / SEEDS;
        sum.slow_percent += l.slow_percent / SEEDS;
        sum.twice_percent += l.twice_percent / SEEDS;
    }
    fprintf(out, "| %s%s |", scheduler_name(scheduler), lossy ? ", 2 % loss" : "");
    for (int i = 0; i < QUANTILES; i++)
        fprintf(out, " %.1f |", sum.ms[i]);
    fprintf(out, " %.1f | %.1f |\n", sum.slow_percent, sum.twice_percent);
    if (!lossy && scheduler == 0)
        limit_note("both paths idle: messages by the slow one, default scheduler, %", 0, sum.slow_percent,
                   true);
}

static void write_messages(FILE *out) {
    fprintf(out,
            "\n## Messages of 200 bytes, 50 a second: latency (ms, less is better)\n\n"
            "Up, over 50 Mb/s of 30 ms and 20 Mb/s of 70 ms, for 56 s; then with 2 %% loss on the first. The "
            "first scheduler is "
            "the default.\nOf each seed's messages the quantiles; means of %d seeds.\n\n"
            "| | median | 90th | 99th | worst | by the slow path, %% | spent twice, %% "
            "|\n|---|---|---|---|---|---|---|\n",
            SEEDS);
    for (int lossy = 0; lossy < 2; lossy++)
        for (unsigned n = 0; scheduler_name(n) != NULL; n++)
            write_messages_row(out, n, lossy);
}

/* --- 5: fairness --- */

/* Mean and half the width of its 95 % confidence interval. */
static void confidence(const double *values, unsigned count, double *mean, double *half) {
    double squares = 0;
    *mean = 0;
    for (unsigned i = 0; i < count; i++)
        *mean += values[i] / count;
    for (unsigned i = 0; i < count; i++)
        squares += (values[i] - *mean) * (values[i] - *mean);
    *half = (count == 5 ? 2.776 : 2.262) * sqrt(squares / (count - 1) / count);
}

static double write_share(FILE *out, const char *congestion, const char *tcp) {
    double tcps[SEEDS], phones[SEEDS], mean, half, other, other_half;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        double mbps[2];
        town_share(congestion, tcp, 4, seed, mbps);
        tcps[seed - 1] = mbps[0];
        phones[seed - 1] = mbps[1];
    }
    confidence(tcps, SEEDS, &mean, &half);
    confidence(phones, SEEDS, &other, &other_half);
    fprintf(out, "| four subflows by %s beside a TCP by %s | %.1f | ±%.1f | %.1f | ±%.1f |\n", congestion,
            tcp, mean, half, other, other_half);
    return mean;
}

static void write_shares(FILE *out) {
    static const char *const names[][2] = {{"lia", "newreno"},     {"olia", "newreno"}, {"balia", "newreno"},
                                           {"newreno", "newreno"}, {"lia", "cubic"},    {"olia", "cubic"},
                                           {"balia", "cubic"},     {"cubic", "cubic"}};
    static const char *const asked[] = {"TCP beside four subflows by LIA, Mb/s of 20",
                                        "TCP beside four subflows by OLIA, Mb/s of 20",
                                        "TCP beside four subflows by BALIA, Mb/s of 20"};
    fprintf(out,
            "\n## One bottleneck of 20 Mb/s, one TCP (Mb/s)\n\n"
            "Four subflows of one connection join a TCP on 20 Mb/s, 40 ms, a queue of 60 ms, for 60 s. "
            "Headers leave 19.1. What a "
            "fair share\nis: coupled, as much as the TCP, 9.5 each; uncoupled, four of five, and 3.8 for the "
            "TCP. %d seeds.\n\n"
            "| | the TCP | | the four | |\n|---|---|---|---|---|\n",
            SEEDS);
    for (unsigned i = 0; i < 8; i++) {
        double mean = write_share(out, names[i][0], names[i][1]);
        if (i < 3) limit_note(asked[i], 9.5, mean, false);
    }
}

static void write_phases(FILE *out, const char *congestion, const char *tcp, double means[5]) {
    double mbps[5][SEEDS_BOTTLENECKS], widest = 0;
    for (uint64_t seed = 1; seed <= SEEDS_BOTTLENECKS; seed++) {
        double once[5];
        town_bottlenecks(congestion, tcp, seed, once);
        for (int i = 0; i < 5; i++)
            mbps[i][seed - 1] = once[i];
    }
    fprintf(out, "| two subflows by %s beside TCPs by %s |", congestion, tcp);
    for (int i = 0; i < 5; i++) {
        double half;
        confidence(mbps[i], SEEDS_BOTTLENECKS, &means[i], &half);
        if (half > widest) widest = half;
        fprintf(out, " %.1f |", means[i]);
    }
    fprintf(out, " ±%.1f |\n", widest);
}

static void write_bottlenecks(FILE *out) {
    static const char *const names[][2] = {{"cubic", "cubic"},
                                           {"newreno", "newreno"},
                                           {"lia", "newreno"},
                                           {"olia", "newreno"},
                                           {"balia", "newreno"}};
    static const char *const asked[] = {"two bottlenecks, CUBIC: the worst phase, of its fair share",
                                        "two bottlenecks, NewReno: the worst phase, of its fair share"};
    static const double fair[5] = {38.1, 28.6, 19.0, 28.6, 38.1};
    fprintf(
        out,
        "\n## Two bottlenecks of 20 Mb/s, TCPs that come and go (Mb/s)\n\n"
        "A subflow through each; after 30 s a TCP joins on the first, after 60 s another on the second, "
        "after 90 s that one "
        "leaves, after\n120 s the first. What the connection gets in the last 20 of each 30 s; %d seeds, ± "
        "is the widest of "
        "the row. On the wire\nfair are 40, 30, 20, 30, 40; headers leave what the rows of theory say.\n\n"
        "| | alone | one | two | one | alone | |\n|---|---|---|---|---|---|---|\n"
        "| theory, uncoupled | 38.1 | 28.6 | 19.0 | 28.6 | 38.1 | |\n",
        SEEDS_BOTTLENECKS);
    for (unsigned i = 0; i < 5; i++) {
        double means[5], least = INFINITY;
        if (i == 2) fprintf(out, "| theory, LIA | 38.1 | 24.7 | 12.7 | 24.7 | 38.1 | |\n");
        if (i == 3) fprintf(out, "| theory, OLIA | 38.1 | 19.4 | 12.7 | 19.4 | 38.1 | |\n");
        if (i == 4) fprintf(out, "| theory, BALIA | 38.1 | 23.7 | 12.7 | 23.7 | 38.1 | |\n");
        write_phases(out, names[i][0], names[i][1], means);
        for (int k = 0; k < 5; k++)
            least = fmin(least, means[k] / fair[k]);
        if (i < 2) limit_note(asked[i], 0.95, least, false);
    }
    fprintf(
        out,
        "\n"
        "Why coupled ones get less, and should. Let C be what a bottleneck carries, T the connection's rate "
        "over both, and p the loss\n"
        "rate where a TCP is. A TCP gets y = sqrt(2/p)/RTT; all three algorithms are made to get, over all "
        "paths, what a TCP would get on\n"
        "the best of them (RFC 6356 §1, goals 1 and 2).\n\n"
        "- Two TCPs: both paths are alike, so T is one TCP's y, half of it on each path. y + y/2 = C, so T = "
        "2C/3 = 12.7, and the TCPs keep\n"
        "  two thirds of their links. An uncoupled connection takes half of each, C.\n"
        "- One TCP: the other path is ours, C of it. LIA's windows go as 1/p: on the path with the TCP we "
        "have C/s², s being the ratio of T\n"
        "  to y. With T = C + C/s² and y = C - C/s² that is s³ = s² + s + 1, s = 1.84, and T = 1.30 C = "
        "24.7. BALIA's increase,\n"
        "  (1+a)(4+a)/10 with a = C over our rate beside the TCP, and its decrease of three quarters give "
        "(4+a)(a-1)² = 15(a+1), a = 4.08,\n"
        "  and T = 23.7. OLIA leaves the path that is worse but for a segment or two a round trip: 19.4. It "
        "has more here: a path that we "
        "keep\n  from losing anything is not seen to be so much better.\n"
        "- Alone: nothing is lost in a queue that is kept short (decision "
        "[0011](decisions/0011-whose-queue.md)), both paths are full.\n");
}

/* --- the page --- */

static void write_page(FILE *out, bool whole) {
    fprintf(out,
            "# What two paths together are worth\n\n"
            "Measured in virtual time by tests/sim/test_bonding.c, which writes this file and its picture "
            "(`sim_test_bonding "
            "--write`) and\nfails when a figure became worse than it stands here. Goodput, CUBIC, the "
            "default scheduler; means of "
            "%d seeds, with round\ntrips and queues up to a tenth shorter or longer. A full packet of 1500 "
            "bytes carries 1428. The kernel beside it, in the\nlab: [figures.md](figures.md).\n",
            SEEDS);
    write_buffers(out);
    write_sums(out);
    write_drawn(out, whole ? PAIRS : PAIRS_CHECKED);
    write_messages(out);
    if (whole) {
        write_shares(out);
        write_bottlenecks(out);
    }
    write_limits(out);
}

/* Rows, told by what stands in their first cell. */
struct figures {
    struct {
        char name[80];
        double cells[8];
        unsigned count;
        bool lower; /* is better */
    } rows[80];
    unsigned count;
};

static void figures_read(struct figures *f, FILE *in) {
    char line[1024];
    bool lower = false;
    f->count = 0;
    while (fgets(line, sizeof(line), in) != NULL && f->count < 80) {
        if (strncmp(line, "## ", 3) == 0) lower = strstr(line, "less is better") != NULL;
        if (strncmp(line, "| ", 2) != 0) continue;
        unsigned n = 0;
        char *cell = strtok(line + 2, "|\n");
        snprintf(f->rows[f->count].name, sizeof(f->rows[0].name), "%s", cell);
        while (n < 8 && (cell = strtok(NULL, "|\n")) != NULL) {
            char *end;
            double value = strtod(cell, &end);
            if (strstr(cell, "kept") != NULL || strstr(cell, "missed") != NULL)
                value = strstr(cell, "kept") != NULL, end++;
            f->rows[f->count].cells[n++] =
                end != cell && *end != '/' ? value : NAN; /* ± and round trips are no bounds */
        }
        f->rows[f->count].count = n;
        f->rows[f->count++].lower = lower;
    }
}

static unsigned row_compare(const struct figures *was, unsigned i, const struct figures *is) {
    unsigned k = 0, faults = 0;
    while (k < is->count && strcmp(is->rows[k].name, was->rows[i].name) != 0)
        k++;
    if (k == is->count) return 0; /* of all pairs */
    for (unsigned cell = 0; cell < is->rows[k].count; cell++) {
        double before = was->rows[i].cells[cell], now = is->rows[k].cells[cell];
        bool worse = was->rows[i].lower ? now > before * 1.1 + 1 : now < before * 0.975 - 0.02;
        if (!worse) continue;
        faults++;
        printf("FAULT: %s column %u was %g, is %g\n", was->rows[i].name, cell + 1, before, now);
    }
    return faults;
}

static int compare(FILE *page) {
    static struct figures was, is;
    unsigned faults = 0;
    FILE *file = fopen(TABLE, "r");
    if (file == NULL) return perror(TABLE), 1;
    figures_read(&was, file);
    fclose(file);
    rewind(page);
    figures_read(&is, page);
    for (unsigned i = 0; i < was.count; i++)
        faults += row_compare(&was, i, &is);
    if (is.count < 30 || was.count < is.count) faults++, printf("FAULT: rows are missing in %s\n", TABLE);
    printf("%u faults\n", faults);
    return faults > 0;
}

int main(int argc, char **argv) {
    bool write = argc == 2 && strcmp(argv[1], "--write") == 0;
    if (argc > 1 && !write) return fprintf(stderr, "usage: sim_test_bonding [--write]\n"), 2;
    FILE *page = write ? fopen(TABLE, "w") : tmpfile();
    if (page == NULL) return perror(TABLE), 1;
    write_page(page, write);
    int result = write ? 0 : compare(page);
    if (fclose(page) != 0) return perror(TABLE), 1;
    if (!write) return result;
    FILE *picture = fopen(PICTURE, "w");
    if (picture == NULL) return perror(PICTURE), 1;
    draw_picture(picture);
    return fclose(picture) != 0;
}
