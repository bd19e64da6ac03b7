/* Random walks, many or one:
 *
 *     sim_walk [--from SEED] [--count N] [--seconds N]   so many of them, from a seed on, until time is up
 *     sim_walk --seed SEED [--without MASK] [--trace]    one, told in full
 *     sim_walk --shrink SEED                             the same, made as small as it will still fail
 *     sim_walk --regressions FILE                        those of the file: lines of SEED MASK, # begins a comment
 *     sim_walk --memory [--from SEED] [--count N] [--seconds N]  walks in which the n-th allocation fails, for many n
 *
 * Says what it found as TAP. A walk that traps is told by its seed, too. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sim/packet_text.h>
#include <sim/walk.h>

static struct sim_walk_config now_walking;
static char *program;

static void tell_and_die(int number) {
    char line[300];
    int length = snprintf(line, sizeof(line),
                          "walk: signal %d; replay it: %s --seed %" PRIu64 " --without 0x%" PRIx64 " --client-memory %" PRId64
                          " --server-memory %" PRId64 "\n",
                          number, program, now_walking.seed, now_walking.without, now_walking.client_allocations,
                          now_walking.server_allocations);
    if (write(STDOUT_FILENO, line, (size_t)length) < 0) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static void say_packet(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                       struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    char text[SIM_PACKET_TEXT_MAX];
    (void)context;
    (void)interface;
    (void)link;
    printf("%.6f %s %s %s\n", (double)now / 1e9, sim_host_name(host), moment == SIM_SENT ? ">" : "<",
           sim_packet_text(packet, text, sizeof(text)));
}

static void say_event(void *context, const char *host, braid_time now, const char *event,
                      const struct braid_trace_field *fields, size_t count) {
    (void)context;
    printf("%.6f %s %s", (double)now / 1e9, host, event);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].type == BRAID_TRACE_STRING) printf(" %s=%s", fields[i].name, fields[i].value.text);
        else printf(" %s=%" PRId64, fields[i].name, fields[i].value.i64);
    }
    printf("\n");
}

static bool walk(const struct sim_walk_config *config, struct sim_walk_result *result) {
    now_walking = *config;
    sim_walk(config, result);
    return result->fault[0] == '\0';
}

static struct sim_walk_config plain(uint64_t seed) {
    return (struct sim_walk_config){.seed = seed, .client_allocations = -1, .server_allocations = -1};
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void say_failure(const struct sim_walk_config *config, const struct sim_walk_result *result) {
    printf("# seed %" PRIu64 ": %s\n#   replay it: %s --seed %" PRIu64, config->seed, result->fault, program, config->seed);
    if (config->without) printf(" --without 0x%" PRIx64, config->without);
    if (config->client_allocations >= 0) printf(" --client-memory %" PRId64, config->client_allocations);
    if (config->server_allocations >= 0) printf(" --server-memory %" PRId64, config->server_allocations);
    printf("\n");
    fflush(stdout);
}

static int walk_many(uint64_t from, uint64_t count, double limit_s) {
    double began = seconds();
    uint64_t done = 0, failed = 0, packets = 0;
    double simulated = 0;
    for (; done < count && seconds() - began < limit_s; done++) {
        struct sim_walk_config config = plain(from + done);
        struct sim_walk_result result, again;
        bool good = walk(&config, &result);
        if (good && done % 64 == 0) {
            (void)walk(&config, &again);
            if (again.hash != result.hash) {
                snprintf(result.fault, sizeof(result.fault), "not the same packets again");
                good = false;
            }
        }
        packets += result.packets;
        simulated += (double)result.simulated_ns / 1e9;
        if (good) continue;
        failed++;
        say_failure(&config, &result);
    }
    double took = seconds() - began;
    printf("# %" PRIu64 " walks, %" PRIu64 " packets, %.0f simulated seconds in %.1f s: %.0f walks a minute, %.0f simulated "
           "seconds a second\n", done, packets, simulated, took, (double)done * 60 / took, simulated / took);
    printf("1..1\n%sok 1 - %" PRIu64 " random walks end well\n", failed ? "not " : "", done);
    return failed != 0;
}

static int walk_one(const struct sim_walk_config *config, bool trace) {
    struct sim_walk_config told = *config;
    struct sim_walk_result result;
    told.log = stdout;
    if (trace) {
        told.world.observer.packet = say_packet;
        told.world.trace = say_event;
    }
    bool good = walk(&told, &result);
    printf("%s\nhash %016" PRIx64 ", %" PRIu64 " packets, %.3f simulated seconds\n", good ? "all is well" : result.fault,
           result.hash, result.packets, (double)result.simulated_ns / 1e9);
    return !good;
}

/* In a process of its own, so that a trap or an endless loop is only a fault like others. */
static bool walk_apart(const struct sim_walk_config *config, struct sim_walk_result *result) {
    int ends[2], status;
    *result = (struct sim_walk_result){.elements = UINT64_MAX};
    fflush(stdout);
    if (pipe(ends) != 0) return true;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGILL, SIG_DFL);
        alarm(20);
        signal(SIGALRM, SIG_DFL);
        struct sim_walk_result own;
        (void)walk(config, &own);
        _exit(write(ends[1], &own, sizeof(own)) == (ssize_t)sizeof(own) ? 0 : 1);
    }
    close(ends[1]);
    bool told = read(ends[0], result, sizeof(*result)) == (ssize_t)sizeof(*result);
    close(ends[0]);
    waitpid(child, &status, 0);
    if (!told) snprintf(result->fault, sizeof(result->fault), "signal %d", WTERMSIG(status));
    return result->fault[0] == '\0';
}

/* Leaves out one element after the other, for as long as the fault stays. */
static int shrink(struct sim_walk_config config) {
    struct sim_walk_result result, best;
    if (walk_apart(&config, &best)) {
        printf("seed %" PRIu64 " ends well\n", config.seed);
        return 0;
    }
    bool smaller = true;
    while (smaller) {
        smaller = false;
        for (int i = SIM_WALK_ELEMENTS - 1; i >= 0; i--) {
            if (!(best.elements >> i & 1) || (config.without >> i & 1)) continue;
            struct sim_walk_config less = config;
            less.without |= UINT64_C(1) << i;
            if (walk_apart(&less, &result)) continue;
            config = less;
            best = result;
            smaller = true;
        }
    }
    printf("a line for the regressions:\n%" PRIu64 " 0x%" PRIx64 " # %s\n", config.seed, config.without, best.fault);
    walk_one(&config, false);
    return 1;
}

static int walk_regressions(const char *path) {
    FILE *file = fopen(path, "r");
    char line[400];
    uint64_t number = 0;
    int failed = 0;
    if (file == NULL) {
        perror(path);
        return 2;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        struct sim_walk_config config = plain(0);
        struct sim_walk_result result;
        if (sscanf(line, "%" SCNu64 " %" SCNx64, &config.seed, &config.without) < 2) continue;
        bool good = walk(&config, &result);
        if (!good) say_failure(&config, &result);
        failed |= !good;
        char *comment = strchr(line, '#');
        printf("%sok %" PRIu64 " - walk %" PRIu64 " %s", good ? "" : "not ", ++number, config.seed,
               comment != NULL ? comment + 2 : "\n");
    }
    fclose(file);
    printf("1..%" PRIu64 "\n", number);
    return failed;
}

static int walk_memory(uint64_t from, uint64_t count, double limit_s) {
    double began = seconds();
    uint64_t done = 0, failed = 0;
    for (; done < count && seconds() - began < limit_s; done++) {
        struct sim_walk_config config = plain(from + done / 40);
        struct sim_walk_result result;
        int64_t nth = 1 + (int64_t)(done % 40) * (int64_t)(1 + done % 7) / 2;
        if (done % 2) config.client_allocations = nth;
        else config.server_allocations = nth;
        if (walk(&config, &result)) continue;
        failed++;
        say_failure(&config, &result);
    }
    double took = seconds() - began;
    printf("# %" PRIu64 " walks in %.1f s: %.0f walks a minute\n", done, took, (double)done * 60 / took);
    printf("1..1\n%sok 1 - %" PRIu64 " walks in which memory runs out end well\n", failed ? "not " : "", done);
    return failed != 0;
}

int main(int argc, char **argv) {
    struct sim_walk_config one = plain(0);
    uint64_t from = 1, count = UINT64_MAX;
    double limit_s = 1e9;
    bool single = false, trace = false, shrinking = false, memory = false;
    program = argv[0];
    const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGALRM};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) signal(signals[i], tell_and_die);
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "0";
        if (strcmp(argv[i], "--trace") == 0) trace = true;
        else if (strcmp(argv[i], "--memory") == 0) memory = true;
        else if (strcmp(argv[i], "--regressions") == 0) return walk_regressions(value);
        else if (strcmp(argv[i], "--seed") == 0) single = true, one.seed = strtoull(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--shrink") == 0) shrinking = true, one.seed = strtoull(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--without") == 0) one.without = strtoull(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--client-memory") == 0) one.client_allocations = strtoll(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--server-memory") == 0) one.server_allocations = strtoll(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--from") == 0) from = strtoull(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--count") == 0) count = strtoull(value, NULL, 0), i++;
        else if (strcmp(argv[i], "--seconds") == 0) limit_s = strtod(value, NULL), i++;
        else {
            fprintf(stderr, "%s: what is %s?\n", argv[0], argv[i]);
            return 2;
        }
    }
    if (shrinking) return shrink(one);
    if (single) return walk_one(&one, trace);
    return memory ? walk_memory(from, count, limit_s) : walk_many(from, count, limit_s);
}
