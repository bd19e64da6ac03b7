/* What two paths together are worth: docs/bonding.md is generated from what is measured here, and docs/bonding.svg. Each
 * figure is a bound from then on, less a tolerance.
 *
 *     sim_test_bonding            measures (of the drawn pairs the first PAIRS_CHECKED), fails where something became worse
 *     sim_test_bonding --write    measures all, writes both
 *
 * bench/schedulers.c has the same for all schedulers, and single pairs to look at. */
#include "sim_test.h"

#include <math.h>
#include <mptcp/scheduler.h>

#define TABLE "docs/bonding.md"
#define PICTURE "docs/bonding.svg"
#define PAYLOAD (1428.0 / 1500.0) /* of a full packet, with headers, timestamps and DSS */

enum { SEEDS = 5, PAIRS = 200, PAIRS_CHECKED = 30 };

/* --- one transfer --- */

struct run {
    struct sim_path_config paths[2], later; /* later: what becomes of path `degraded` after 6 s, if `degrades` */
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

static void sample_rtts(const struct sim_conversation *c, enum sim_direction way, double sum_ms[2], unsigned n[2]) {
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
        config.client.receive_buffer_max_bytes = config.client.receive_buffer_initial_bytes = run->buffer_bytes;
        config.server.receive_buffer_max_bytes = config.server.receive_buffer_initial_bytes = run->buffer_bytes;
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
    struct outcome out = {.mbps = (double)(after.read - before.read) * 8e3 / (double)(run->until - run->from)};
    for (int i = 0; i < 2; i++) out.rtt_ms[i] = n[i] > 0 ? sum_ms[i] / n[i] : 0;
    sim_phone_deinit(&phone);
    return out;
}

/* Over SEEDS seeds, with half the width of the mean's 95 % confidence interval (Student's t, 4 degrees of freedom). */
struct mean {
    double mean, half;
    struct outcome outcome; /* of the first seed */
};

static struct mean mean_of(struct run run) {
    struct mean m = {0};
    double squares = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        run.seed = seed;
        run.from += 7 * MS; /* nor always the same phase */
        run.until += 7 * MS;
        struct outcome out = transfer(&run);
        if (seed == 1) m.outcome = out;
        m.mean += out.mbps / SEEDS;
        squares += out.mbps * out.mbps;
    }
    double variance = (squares - SEEDS * m.mean * m.mean) / (SEEDS - 1);
    m.half = variance > 0 ? 2.776 * sqrt(variance / SEEDS) : 0;
    return m;
}

/* --- 1: receive buffers --- */

static void write_buffers(FILE *out) {
    static const uint32_t sizes[] = {50, 100, 200, 350, 500, 700, 1000};
    const struct sim_path_config fast = {.rate_bps = 8000000, .rtt_ns = 20 * MS}, slow = {.rate_bps = 2000000, .rtt_ns = 150 * MS};
    fprintf(out, "\n## Receive buffers: 8 Mb/s of 20 ms and 2 Mb/s of 150 ms (Mb/s)\n\n"
                 "Asked for: never below 0.98 of TCP on the better path alone, 8.5 with 200 kB, 9.2 with 350 kB.\n\n"
                 "| kB |");
    for (unsigned i = 0; i < 7; i++) fprintf(out, " %u |", sizes[i]);
    fprintf(out, "\n|---|---|---|---|---|---|---|---|\n");
    for (int row = 0; row < 4; row++) {
        bool alone = row % 2 == 0, up = row >= 2;
        fprintf(out, "| %s, %s |", up ? "upload" : "download", alone ? "TCP on 8 Mb/s" : "both");
        for (unsigned i = 0; i < 7; i++) {
            struct run run = {.paths = {fast, slow}, .path_count = alone ? 1 : 2, .plain = alone, .up = up,
                              .buffer_bytes = sizes[i] * 1000, .from = 5 * S, .until = 35 * S};
            fprintf(out, " %.2f |", mean_of(run).mean);
        }
        fprintf(out, "\n");
    }
}

/* --- 2: how much of two paths --- */

static void write_pairs_row(FILE *out, const struct sim_path_config *a, const struct sim_path_config *b) {
    double ceiling = (double)(a->rate_bps + b->rate_bps) * 1e-6 * PAYLOAD;
    fprintf(out, "| %g and %g Mb/s, %g and %g ms |", (double)a->rate_bps * 1e-6, (double)b->rate_bps * 1e-6, ms_of(a->rtt_ns),
            ms_of(b->rtt_ns));
    for (int up = 0; up < 2; up++) {
        struct run run = {.paths = {*a, *b}, .path_count = 2, .up = up, .from = 5 * S, .until = 25 * S};
        struct mean m = mean_of(run);
        fprintf(out, " %.1f | ±%.1f | %.0f/%.0f |", 100 * m.mean / ceiling, 100 * m.half / ceiling, m.outcome.rtt_ms[0],
                m.outcome.rtt_ms[1]);
    }
    fprintf(out, "\n");
}

static void write_sums(FILE *out) {
    static const struct sim_path_config unlike[][2] = {
        {{.rate_bps = 50000000, .rtt_ns = 30 * MS}, {.rate_bps = 20000000, .rtt_ns = 70 * MS}},
        {{.rate_bps = 50000000, .rtt_ns = 20 * MS}, {.rate_bps = 30000000, .rtt_ns = 300 * MS}}};
    static const uint64_t rates[][2] = {{10000000, 10000000}, {15000000, 5000000}};
    static const braid_time rtts[][2] = {{1 * MS, 1 * MS}, {1 * MS, 10 * MS}, {1 * MS, 25 * MS}, {10 * MS, 25 * MS}, {25 * MS, 25 * MS}, {25 * MS, 1 * MS}};
    fprintf(out, "\n## How much of two paths (%% of what they can carry)\n\n"
                 "Asked for: 95. With each path's round trip as it is under load, in ms; ± is the 95 %% confidence interval of "
                 "%d seeds. Queues\nof 100 ms.\n\n"
                 "| | download | | RTT | upload | | RTT |\n|---|---|---|---|---|---|---|\n", SEEDS);
    for (unsigned i = 0; i < 2; i++) write_pairs_row(out, &unlike[i][0], &unlike[i][1]);
    for (unsigned r = 0; r < 2; r++)
        for (unsigned i = 0; i < sizeof(rtts) / sizeof(rtts[0]); i++) {
            struct sim_path_config a = {.rate_bps = rates[r][0], .rtt_ns = rtts[i][0]}, b = {.rate_bps = rates[r][1], .rtt_ns = rtts[i][1]};
            write_pairs_row(out, &a, &b);
        }
}

/* --- 3: pairs of which one gets worse --- */

static double log_uniform(struct prng *prng, double low, double high) { return low * pow(high / low, prng_unit(prng)); }

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
    for (int i = 0; i < 2; i++) run.paths[i] = draw_path(&prng);
    run.degraded = (unsigned)prng_below(&prng, 2);
    run.later = run.paths[run.degraded];
    *kind = (unsigned)prng_below(&prng, KINDS);
    if (*kind == LOSS) run.later.loss = log_uniform(&prng, 0.01, 0.3);
    else if (*kind == DEEP) run.later.queue_ns = 2 * S;
    else if (*kind == FAR) run.later.rtt_ns *= 10;
    else run.later.rate_bps = 100000;
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
    fprintf(out, "| %s | %u | %.1f | %.2f | %.1f |\n", what, t->count, 100.0 * (t->count - t->harmed) / t->count, t->worst,
            100.0 * t->better / t->count);
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
                 "Two paths of 1 to 30 Mb/s, 10 to 200 ms, queues of 30 to 300 ms; after 6 of 25 s one gets worse. Against TCP on "
                 "the path alone\non which it gets most. Asked for: never below 0.95 of that.\n\n"
                 "| what happens to it | pairs | at least 0.95, %% | worst | above 1.02, %% |\n|---|---|---|---|---|\n");
    tally_write(out, "the first pairs", &first);
    if (count < PAIRS) return;
    for (int kind = 0; kind < KINDS; kind++) tally_write(out, kinds[kind], &by_kind[kind]);
    tally_write(out, "all of it", &all);
    fprintf(out, "\nExperimental aggregation benefit (-1: nothing arrives, 0: as the better path alone, 1: all of both): 5th "
                 "percentile %.2f,\nmedian %.2f, 95th %.2f.\n\n![Distribution of the benefit](bonding.svg)\n",
            benefits[count / 20], benefits[count / 2], benefits[count - 1 - count / 20]);
}

/* The benefits, lowest first: how many pairs have no more than this. */
static void draw_picture(FILE *out) {
    enum { WIDTH = 480, HEIGHT = 240, LEFT = 50, TOP = 15 };
    double low = -0.5, high = 1.25;
    fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 560 300\" font-family=\"sans-serif\" font-size=\"12\">\n"
                 "<rect width=\"560\" height=\"300\" fill=\"white\"/>\n<g stroke=\"#bbb\">\n");
    for (int i = 0; i <= 4; i++)
        fprintf(out, "<path d=\"M%d %dh%d\"/>\n", LEFT, TOP + HEIGHT * i / 4, WIDTH);
    fprintf(out, "</g>\n<g text-anchor=\"middle\">\n");
    for (double x = low; x <= high; x += 0.25)
        fprintf(out, "<text x=\"%.0f\" y=\"272\">%.2f</text>\n", LEFT + WIDTH * (x - low) / (high - low), x);
    fprintf(out, "<text x=\"290\" y=\"292\">benefit: 0 is the better path alone, 1 all of both</text>\n</g>\n<g text-anchor=\"end\">\n");
    for (int i = 0; i <= 4; i++)
        fprintf(out, "<text x=\"%d\" y=\"%d\">%d %%</text>\n", LEFT - 5, TOP + 4 + HEIGHT * i / 4, 100 - 25 * i);
    fprintf(out, "</g>\n<path fill=\"none\" stroke=\"#06c\" stroke-width=\"2\" d=\"");
    for (unsigned i = 0; i < PAIRS; i++) {
        double b = benefits[i] < low ? low : benefits[i] > high ? high : benefits[i];
        fprintf(out, "%c%.1f %.1f", i == 0 ? 'M' : 'L', LEFT + WIDTH * (b - low) / (high - low), TOP + HEIGHT * (1 - (i + 1.0) / PAIRS));
    }
    fprintf(out, "\"/>\n</svg>\n");
}

/* --- 4: messages --- */

static void write_messages_of(FILE *out, const char *scheduler, bool lossy) {
    struct sim_phone phone;
    struct sim_phone_config config = {.world = {.seed = 3}, .paths = {sim_wifi, sim_cellular}, .path_count = 2};
    config.client.scheduler = config.server.scheduler = scheduler;
    config.paths[0].loss = lossy ? 0.02 : 0;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {0};
    talk.streams[SIM_UP] = (struct sim_stream_config){.bytes = 200 * 50 * 60, .message_bytes = 200, .interval_ns = 20 * MS};
    talk.streams[SIM_DOWN] = (struct sim_stream_config){.bytes = 1, .keep_open = true};
    braid_time began = sim_world_now(phone.world), from = began + 2 * S, until = began + 58 * S;
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, began + 59 * S);
    struct braid_connection *connection = sim_conversation_connection(c, SIM_UP);
    struct braid_connection_info info;
    struct braid_path_info path = {0};
    uint64_t sent = 0, slow = 0;
    braid_connection_info(connection, &info);
    for (unsigned i = 0; braid_connection_path(connection, i, &path); i++) {
        sent += path.bytes_sent;
        if (path.link == 1) slow += path.bytes_sent;
    }
    fprintf(out, "| %s%s |", scheduler, lossy ? ", 2 % loss" : "");
    for (int i = 0; i < 4; i++) {
        static const double quantiles[] = {0.5, 0.9, 0.99, 1};
        fprintf(out, " %.1f |", (double)sim_conversation_message_ns(c, SIM_UP, from, until, quantiles[i]) / 1e6);
    }
    fprintf(out, " %.1f | %.1f |\n", 100.0 * (double)slow / (double)sent,
            100.0 * (double)(sent - info.bytes_acknowledged) / (double)info.bytes_acknowledged);
    sim_phone_deinit(&phone);
}

static void write_messages(FILE *out) {
    fprintf(out, "\n## Messages of 200 bytes, 50 a second: latency (ms, less is better)\n\n"
                 "Up, over 50 Mb/s of 30 ms and 20 Mb/s of 70 ms, for 56 s; then with 2 %% loss on the first. Asked for: with both idle "
                 "none takes\nthe slow path under the default scheduler, which is the first.\n\n"
                 "| | median | 90th | 99th | worst | by the slow path, %% | spent twice, %% |\n|---|---|---|---|---|---|---|\n");
    for (int lossy = 0; lossy < 2; lossy++)
        for (unsigned n = 0; scheduler_name(n) != NULL; n++) write_messages_of(out, scheduler_name(n), lossy);
}

/* --- the page --- */

static void write_page(FILE *out, bool whole) {
    fprintf(out, "# What two paths together are worth\n\n"
                 "Measured in virtual time by tests/sim/test_bonding.c, which writes this file and its picture (`sim_test_bonding "
                 "--write`) and\nfails when a figure became worse than it stands here. Goodput, CUBIC, the default scheduler; means of "
                 "%d seeds. A full packet\nof 1500 bytes carries 1428. The kernel beside it, in the lab: [figures.md](figures.md).\n",
            SEEDS);
    write_buffers(out);
    write_sums(out);
    write_drawn(out, whole ? PAIRS : PAIRS_CHECKED);
    write_messages(out);
    /*TEXT*/
}

/* Rows, told by what stands in their first cell. */
struct figures {
    struct {
        char name[80];
        double cells[8];
        unsigned count;
        bool lower; /* is better */
    } rows[64];
    unsigned count;
};

static void figures_read(struct figures *f, FILE *in) {
    char line[1024];
    bool lower = false;
    f->count = 0;
    while (fgets(line, sizeof(line), in) != NULL && f->count < 64) {
        if (strncmp(line, "## ", 3) == 0) lower = strstr(line, "less is better") != NULL;
        if (strncmp(line, "| ", 2) != 0) continue;
        unsigned n = 0;
        char *cell = strtok(line + 2, "|\n");
        snprintf(f->rows[f->count].name, sizeof(f->rows[0].name), "%s", cell);
        while (n < 8 && (cell = strtok(NULL, "|\n")) != NULL) {
            char *end;
            double value = strtod(cell, &end);
            f->rows[f->count].cells[n++] = end != cell && *end != '/' ? value : NAN; /* ± and round trips are no bounds */
        }
        f->rows[f->count].count = n;
        f->rows[f->count++].lower = lower;
    }
}

static unsigned row_compare(const struct figures *was, unsigned i, const struct figures *is) {
    unsigned k = 0, faults = 0;
    while (k < is->count && strcmp(is->rows[k].name, was->rows[i].name) != 0) k++;
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
    for (unsigned i = 0; i < was.count; i++) faults += row_compare(&was, i, &is);
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
