/* Random walks, many or one:
 *
 *     sim_walk [--from SEED] [--count N] [--seconds N]   so many of them, from a seed on, until time is up
 *     sim_walk --seed SEED [--trace]                     one, told in full
 *     sim_walk --file FILE [--trace]                     the walk a file describes, told in full
 *     sim_walk --print SEED                              what it is made of, as a file has it
 *     sim_walk --shrink SEED|FILE [--to FILE]            one that fails, made as small as it will still fail, as a file
 *     sim_walk --regressions FOLDER                      those of the folder's files
 *     sim_walk --allocations FILE [--thin N]  the walk of a file once for each of its allocations (of each N-th), which fails:
 *                                             alone, or with all that follow until all heals
 *     sim_walk --memory [--from SEED] [--count N] [--seconds N]  walks in which the n-th allocation fails, for many n
 *
 * A seed's walk may be given memory that runs out: --client-fails-at N, --server-fails-at N. Says what it found as TAP. A walk
 * that traps is told by its seed, too. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sim/packet_text.h>
#include "walk_tool.h"

/* What a person is told to type to see it again. */
struct named_walk {
    char name[300];
    struct sim_walk_plan plan;
};
static struct named_walk now_walking;
static char *program;

static void tell_and_die(int number) {
    char line[700];
    int length = snprintf(line, sizeof(line), "walk: signal %d; replay it: %s %s\n", number, program, now_walking.name);
    if (write(STDOUT_FILENO, line, (size_t)length) < 0) _exit(2);
    signal(number, SIG_DFL);
    raise(number);
}

static void draw(struct named_walk *walk, uint64_t seed, uint64_t client_fails_at, uint64_t server_fails_at) {
    sim_walk_draw(seed, &walk->plan);
    walk->plan.client.fails_at = client_fails_at;
    walk->plan.server.fails_at = server_fails_at;
    int length = snprintf(walk->name, sizeof(walk->name), "--seed %" PRIu64, seed);
    if (client_fails_at)
        length += snprintf(walk->name + length, sizeof(walk->name) - (size_t)length, " --client-fails-at %" PRIu64, client_fails_at);
    if (server_fails_at)
        snprintf(walk->name + length, sizeof(walk->name) - (size_t)length, " --server-fails-at %" PRIu64, server_fails_at);
}

/* False, and a word why, if the file is no good. */
static bool read_file(struct named_walk *walk, const char *path) {
    char complaint[200];
    FILE *file = fopen(path, "r");
    snprintf(walk->name, sizeof(walk->name), "--file %s", path);
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program, path, strerror(errno));
        return false;
    }
    bool good = sim_walk_read(file, &walk->plan, complaint, sizeof(complaint));
    fclose(file);
    if (!good) fprintf(stderr, "%s: %s: %s\n", program, path, complaint);
    return good;
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

static bool walk(const struct named_walk *one, struct sim_walk_result *result) {
    now_walking = *one;
    sim_walk(&one->plan, NULL, result);
    return result->fault[0] == '\0';
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void say_failure(const struct named_walk *one, const struct sim_walk_result *result) {
    printf("# %s: %s\n#   replay it: %s %s\n", one->name, result->fault, program, one->name);
    fflush(stdout);
}

static int walk_many(uint64_t from, uint64_t count, double limit_s) {
    double began = seconds();
    uint64_t done = 0, failed = 0, packets = 0;
    double simulated = 0;
    for (; done < count && seconds() - began < limit_s; done++) {
        static struct named_walk one;
        struct sim_walk_result result, again;
        draw(&one, from + done, 0, 0);
        bool good = walk(&one, &result);
        if (good && done % 64 == 0) {
            (void)walk(&one, &again);
            if (again.hash != result.hash) {
                snprintf(result.fault, sizeof(result.fault), "not the same packets again");
                good = false;
            }
        }
        packets += result.packets;
        simulated += (double)result.simulated_ns / 1e9;
        if (good) continue;
        failed++;
        say_failure(&one, &result);
    }
    double took = seconds() - began;
    printf("# %" PRIu64 " walks, %" PRIu64 " packets, %.0f simulated seconds in %.1f s: %.0f walks a minute, %.0f simulated "
           "seconds a second\n", done, packets, simulated, took, (double)done * 60 / took, simulated / took);
    printf("1..1\n%sok 1 - %" PRIu64 " random walks end well\n", failed ? "not " : "", done);
    return failed != 0;
}

static int walk_one(const struct named_walk *one, bool trace) {
    struct sim_walk_hooks hooks = {.log = stdout};
    struct sim_walk_result result;
    sim_walk_print(&one->plan, stdout);
    if (trace) {
        hooks.observer.packet = say_packet;
        hooks.trace = say_event;
    }
    now_walking = *one;
    sim_walk(&one->plan, &hooks, &result);
    bool good = result.fault[0] == '\0';
    printf("%s\nhash %016" PRIx64 ", %" PRIu64 " packets, %.3f simulated seconds, allocations %" PRIu64 " %" PRIu64 "\n",
           good ? "all is well" : result.fault, result.hash, result.packets, (double)result.simulated_ns / 1e9,
           result.allocations[0], result.allocations[1]);
    return !good;
}

bool walk_apart(const struct sim_walk_plan *plan, struct sim_walk_result *result) {
    int ends[2], status;
    *result = (struct sim_walk_result){0};
    fflush(stdout);
    if (pipe(ends) != 0) return true;
    pid_t child = fork();
    if (child == 0) {
        const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGALRM};
        for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) signal(signals[i], SIG_DFL);
        alarm(20);
        struct sim_walk_result own;
        sim_walk(plan, NULL, &own);
        _exit(write(ends[1], &own, sizeof(own)) == (ssize_t)sizeof(own) ? 0 : 1);
    }
    close(ends[1]);
    bool told = read(ends[0], result, sizeof(*result)) == (ssize_t)sizeof(*result);
    close(ends[0]);
    waitpid(child, &status, 0);
    if (!told) snprintf(result->fault, sizeof(result->fault), "%s", strsignal(WTERMSIG(status)));
    return result->fault[0] == '\0';
}

static int shrink(struct named_walk *one, const char *to) {
    struct sim_walk_result best;
    FILE *file = to != NULL ? fopen(to, "w") : stdout;
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program, to, strerror(errno));
        return 2;
    }
    bool well = walk_apart(&one->plan, &best);
    if (well) printf("%s ends well\n", one->name);
    else {
        walk_shrink(&one->plan, &best);
        fprintf(file, "# %s\n# From %s.\n", best.fault, one->name);
        sim_walk_print(&one->plan, file);
    }
    if (file != stdout) fclose(file);
    return !well;
}

static int is_walk(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return end != NULL && strcmp(end, ".walk") == 0;
}

static int walk_regressions(const char *folder) {
    struct dirent **names;
    int count = scandir(folder, &names, is_walk, alphasort), failed = count <= 0;
    if (count < 0) fprintf(stderr, "%s: %s: %s\n", program, folder, strerror(errno));
    for (int i = 0; i < count; i++) {
        static struct named_walk one;
        char path[4096];
        struct sim_walk_result result;
        int length = snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
        bool readable = (size_t)length < sizeof(path) && read_file(&one, path), good = readable && walk(&one, &result);
        if (readable && !good) say_failure(&one, &result);
        failed |= !good;
        printf("%sok %d - %s\n", good ? "" : "not ", i + 1, names[i]->d_name);
        free(names[i]);
    }
    if (count >= 0) free(names);
    printf("1..%d\n", count);
    return failed;
}

static int walk_memory(uint64_t from, uint64_t count, double limit_s) {
    double began = seconds();
    uint64_t done = 0, failed = 0;
    for (; done < count && seconds() - began < limit_s; done++) {
        static struct named_walk one;
        struct sim_walk_result result;
        uint64_t nth = 2 + done % 40 * (1 + done % 7) / 2;
        draw(&one, from + done / 40, done % 2 ? nth : 0, done % 2 ? 0 : nth);
        if (walk(&one, &result)) continue;
        failed++;
        say_failure(&one, &result);
    }
    double took = seconds() - began;
    printf("# %" PRIu64 " walks in %.1f s: %.0f walks a minute\n", done, took, (double)done * 60 / took);
    printf("1..1\n%sok 1 - %" PRIu64 " walks in which memory runs out end well\n", failed ? "not " : "", done);
    return failed != 0;
}

/* --- every allocation --- */

enum { FAIL_ALONE, FAIL_ON, WAYS_TO_FAIL };
static const char *const sides[2] = {"client", "server"}, *const ways_to_fail[WAYS_TO_FAIL] = {"alone", "and all that follow"};

static void fail_nth(struct sim_walk_plan *plan, int side, int way, uint64_t nth) {
    struct sim_walk_stack *stack = side == 0 ? &plan->client : &plan->server;
    stack->fails_at = nth;
    stack->fails = way == FAIL_ALONE ? 1 : 0;
}

/* How many of them ended badly. */
static uint64_t fail_each(const struct named_walk *whole, int side, int way, uint64_t count, uint64_t thin) {
    uint64_t failed = 0;
    for (uint64_t nth = 1; nth <= count; nth += thin) {
        static struct named_walk one;
        struct sim_walk_result result;
        one = *whole;
        fail_nth(&one.plan, side, way, nth);
        snprintf(one.name, sizeof(one.name), "%.200s with %s fails_at=%" PRIu64 "%s", whole->name, sides[side], nth,
                 way == FAIL_ALONE ? " fails=1" : "");
        if (walk(&one, &result)) continue;
        failed++;
        say_failure(&one, &result);
    }
    return failed;
}

static int walk_allocations(const char *path, uint64_t thin) {
    static struct named_walk whole;
    struct sim_walk_result result;
    int number = 0, bad = 0;
    if (!read_file(&whole, path)) return 2;
    bool good = walk(&whole, &result);
    bad += !good;
    if (!good) say_failure(&whole, &result);
    printf("%sok %d - a whole life, with all the memory it wants\n", good ? "" : "not ", ++number);
    for (int side = 0; side < 2; side++) {
        for (int way = 0; way < WAYS_TO_FAIL; way++) {
            uint64_t failed = fail_each(&whole, side, way, result.allocations[side], thin);
            printf("%sok %d - each of %" PRIu64 " allocations of the %s fails, %s%s\n", failed ? "not " : "", ++number,
                   result.allocations[side], sides[side], ways_to_fail[way], thin > 1 ? " (thinned)" : "");
            bad += failed != 0;
        }
    }
    printf("1..%d\n", number);
    return bad != 0;
}

/* --- what is asked for --- */

struct request {
    enum { MANY, MEMORY, ONE, PRINT, SHRINK, REGRESSIONS, ALLOCATIONS } what;
    const char *from_file, *to_file;
    uint64_t seed, thin, client_fails_at, server_fails_at, from, count;
    double limit_s;
    bool trace;
};

/* A walk is named by its seed, or by its file. */
static void name_walk(struct request *request, const char *value) {
    char *end;
    request->seed = strtoull(value, &end, 0);
    request->from_file = *end == '\0' && end != value ? NULL : value;
}

/* False: there is no such option. */
static bool take_option(struct request *request, const char *option, const char *value) {
    if (strcmp(option, "--seed") == 0) request->what = ONE, name_walk(request, value);
    else if (strcmp(option, "--file") == 0) request->what = ONE, request->from_file = value;
    else if (strcmp(option, "--print") == 0) request->what = PRINT, name_walk(request, value);
    else if (strcmp(option, "--shrink") == 0) request->what = SHRINK, name_walk(request, value);
    else if (strcmp(option, "--to") == 0) request->to_file = value;
    else if (strcmp(option, "--regressions") == 0) request->what = REGRESSIONS, request->from_file = value;
    else if (strcmp(option, "--allocations") == 0) request->what = ALLOCATIONS, request->from_file = value;
    else if (strcmp(option, "--thin") == 0) request->thin = strtoull(value, NULL, 0);
    else if (strcmp(option, "--client-fails-at") == 0) request->client_fails_at = strtoull(value, NULL, 0);
    else if (strcmp(option, "--server-fails-at") == 0) request->server_fails_at = strtoull(value, NULL, 0);
    else if (strcmp(option, "--from") == 0) request->from = strtoull(value, NULL, 0);
    else if (strcmp(option, "--count") == 0) request->count = strtoull(value, NULL, 0);
    else if (strcmp(option, "--seconds") == 0) request->limit_s = strtod(value, NULL);
    else return false;
    return true;
}

static bool take_flag(struct request *request, const char *option) {
    if (strcmp(option, "--trace") == 0) request->trace = true;
    else if (strcmp(option, "--memory") == 0) request->what = MEMORY;
    else return false;
    return true;
}

static int perform(const struct request *request) {
    static struct named_walk one;
    switch (request->what) {
    case MANY: return walk_many(request->from, request->count, request->limit_s);
    case MEMORY: return walk_memory(request->from, request->count, request->limit_s);
    case ALLOCATIONS: return walk_allocations(request->from_file, request->thin);
    case REGRESSIONS: return walk_regressions(request->from_file);
    default: break;
    }
    if (request->from_file == NULL) draw(&one, request->seed, request->client_fails_at, request->server_fails_at);
    else if (!read_file(&one, request->from_file)) return 2;
    if (request->what == SHRINK) return shrink(&one, request->to_file);
    if (request->what == ONE) return walk_one(&one, request->trace);
    sim_walk_print(&one.plan, stdout);
    return 0;
}

int main(int argc, char **argv) {
    struct request request = {.thin = 1, .from = 1, .count = UINT64_MAX, .limit_s = 1e9};
    const int signals[] = {SIGILL, SIGTRAP, SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGALRM};
    program = argv[0];
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) signal(signals[i], tell_and_die);
    for (int i = 1; i < argc; i++) {
        if (take_flag(&request, argv[i])) continue;
        if (i + 1 < argc && take_option(&request, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        fprintf(stderr, "%s: what is %s?\n", argv[0], argv[i]);
        return 2;
    }
    return perform(&request);
}
