/* What `braid sim` is asked for, and its way from the scenario to the result. */
#define _GNU_SOURCE
#include "sim.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <base/ensure.h>
#include "report.h"
#include "sim_capture.h"
#include "sim_job.h"
#include "sim_measure.h"

#define BAD_USE 2
#define RUNS_MAX 64
#define PORT 5001

static const char help[] =
    "usage: braid sim SCENARIO [--run NAME]... [--seed N] [--json] [--trace FILE] [--pcap FILE]\n"
    "\n"
    "Does in virtual time what the scenario, a YAML file as of braid lab, says: its hosts are whole stacks "
    "of braid,\n"
    "its links are simulated, its timeline is played, and of each run that is a transfer over braid it is "
    "told what\n"
    "the application saw. The same seed gives the same packets at the same nanoseconds, and so the same "
    "hash.\n"
    "\n"
    "  --run NAME     only this run (may be repeated); without it, all that can be simulated\n"
    "  --seed N       the seed of all that is drawn by chance (1)\n"
    "  --json         the result as JSON instead of a table; braid report shows it as a table and as a "
    "picture\n"
    "  --trace FILE   write what happens in the stacks as JSON, one event a line, as braid run does\n"
    "  --pcap FILE    write the packets that the run's host sends and gets as pcapng, for Wireshark\n"
    "  --quiet        do not say what of the scenario is left out\n"
    "\n"
    "Only what braid itself does is simulated: a run with \"transfer\", or one whose command is\n"
    "${BRAID} run ... -- ${BRAID} probe bulk or messages. Runs of other programs, services, files, sysctls "
    "and commands\n"
    "in a timeline are left out, and that is said. The exit status is 0, or 1 if a run was not as the "
    "scenario expects,\n"
    "or 2 if the scenario or the call is no good.\n";

struct request {
    const char *scenario_file, *trace_path, *pcap_path;
    const char *runs[RUNS_MAX];
    size_t run_count;
    uint64_t seed;
    bool json, quiet;
    struct scenario *scenario;
};

static int bad_use(const char *what, const char *name) {
    fputs("braid: ", stderr);
    fprintf(stderr, what, name);
    fputc('\n', stderr);
    return BAD_USE;
}

/* ---- reading the call ---- */

static const struct option options[] = {
    {"run", required_argument, NULL, 'r'},  {"seed", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},       {"trace", required_argument, NULL, 't'},
    {"pcap", required_argument, NULL, 'p'}, {"quiet", no_argument, NULL, 'q'},
    {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
};

static bool read_seed(struct request *request) {
    char *end;
    errno = 0;
    request->seed = strtoull(optarg, &end, 0);
    return errno == 0 && end != optarg && *end == '\0' && optarg[0] != '-';
}
#define SEED_WANTED "--seed wants a number from 0 to 18446744073709551615, not \"%s\""

static bool take_option(struct request *request, int option) {
    switch (option) {
    case 'r':
        if (request->run_count == RUNS_MAX) return false;
        request->runs[request->run_count++] = optarg;
        return true;
    case 's':
        return read_seed(request);
    case 'j':
        request->json = true;
        return true;
    case 't':
        request->trace_path = optarg;
        return true;
    case 'p':
        request->pcap_path = optarg;
        return true;
    case 'q':
        request->quiet = true;
        return true;
    default:
        return false;
    }
}

/* -1: go on; else the exit status. */
static int read_call(struct request *request, int argc, char **argv) {
    optind = 0;
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "-h", options, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 1 && request->scenario_file == NULL)
            request->scenario_file = optarg;
        else if (option == 1)
            return bad_use("one scenario at a time; what is \"%s\"?", optarg);
        else if (option == 's' && !read_seed(request))
            return bad_use(SEED_WANTED, optarg);
        else if (!take_option(request, option))
            return bad_use("braid sim does not understand \"%s\" here (see braid sim --help)",
                           argv[optind - 1]);
    }
    return request->scenario_file == NULL ? bad_use("which scenario? (see braid sim --help)%s", "") : -1;
}

/* ---- what is left out ---- */

__attribute__((format(printf, 3, 4))) static void note(const struct request *request,
                                                       struct scenario_place place, const char *format, ...) {
    va_list arguments;
    if (request->quiet) return;
    fprintf(stderr, "%s:%u: ", place.file, place.line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

static void note_hosts(const struct request *request) {
    for (size_t i = 0; i < request->scenario->host_count; i++) {
        const struct scenario_host *host = &request->scenario->hosts[i];
        if (host->sysctl_count > 0)
            note(request, host->place,
                 "host %s: sysctls are left out: it is braid that is simulated, not the kernel", host->name);
    }
}

static void note_run(const struct request *request, const struct scenario_run *run) {
    if (run->before_count > 0)
        note(request, run->place, "run %s: the commands before it are left out in virtual time", run->name);
    for (size_t i = 0; i < run->timeline.count; i++) {
        const struct scenario_event *event = &run->timeline.events[i];
        if (event->action == SCENARIO_EXEC)
            note(request, event->place, "run %s: event %s is left out: there are no commands in virtual time",
                 run->name, event->name);
    }
}

/* ---- one run ---- */

struct simulation {
    struct sim_network network;
    struct sim_capture capture;
    struct sim_measurement measurement;
    struct scenario_transfer transfer;
};

struct play {
    struct sim_network *network;
    const struct scenario_event *event;
};

static void play(void *context, braid_time now) {
    struct play *play = context;
    (void)now;
    sim_network_apply(play->network, play->event);
}

static struct sim_conversation_config talk_of(const struct simulation *simulation,
                                              const struct scenario_run *run) {
    const struct scenario_transfer *transfer = &simulation->transfer;
    const struct scenario_messages *messages = &transfer->messages;
    struct sim_conversation_config talk = {
        .client = simulation->network.hosts[run->command.host],
        .server = simulation->network.hosts[transfer->server],
        .remote = {.port = PORT},
        .plain_client = transfer->plain,
        .streams = {{.bytes = transfer->bytes[SCENARIO_UP]}, {.bytes = transfer->bytes[SCENARIO_DOWN]}}};
    talk.remote.address.family = (uint8_t)transfer->address.family;
    memcpy(talk.remote.address.bytes, transfer->address.bytes, sizeof(talk.remote.address.bytes));
    if (messages->rate <= 0) return talk;
    struct sim_stream_config stream = {.bytes =
                                           (uint64_t)(messages->rate * messages->seconds) * messages->bytes,
                                       .message_bytes = messages->bytes,
                                       .interval_ns = (braid_time)(1e9 / messages->rate)};
    talk.no_delay = true;
    talk.streams[SIM_UP] = talk.streams[SIM_DOWN] = stream;
    talk.streams[SIM_DOWN].echo = true;
    return talk;
}

/* Of this process: what other programs do meanwhile does not count. */
static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void simulate(struct simulation *simulation, const struct scenario_run *run, struct play *plays) {
    struct sim_world *world = simulation->network.world;
    struct sim_measurement *m = &simulation->measurement;
    struct sim_conversation_config talk = talk_of(simulation, run);
    double began = processor_seconds();
    m->talk = sim_conversation_start(world, &talk);
    sim_measure_start(m);
    for (size_t i = 0; i < run->timeline.count; i++) {
        plays[i] = (struct play){&simulation->network, &run->timeline.events[i]};
        sim_world_at(world, m->started_ns + run->timeline.events[i].at_ns, play, &plays[i]);
    }
    m->finished = sim_world_run_conversations(world, m->started_ns + run->limit_ns);
    m->ended_ns = sim_world_now(world);
    m->hash = sim_world_hash(world);
    m->packets = sim_world_packets(world);
    m->processor_seconds = processor_seconds() - began;
}

/* The run's result; NULL: what is wrong was said. */
static json_t *make_run(const struct request *request, const struct scenario_run *run,
                        const struct scenario_transfer *transfer) {
    struct simulation *simulation = calloc(1, sizeof(*simulation));
    struct play *plays = calloc(run->timeline.count + 1, sizeof(*plays));
    ENSURE(simulation != NULL && plays != NULL);
    simulation->transfer = *transfer;
    struct sim_network_config config = {.scenario = request->scenario,
                                        .run = run,
                                        .transfer = &simulation->transfer,
                                        .world = {.seed = request->seed}};
    json_t *result = NULL;
    const char *host = request->scenario->hosts[run->command.host].name;
    if (sim_capture_open(&simulation->capture, request->trace_path, request->pcap_path, host,
                         &config.world)) {
        if (sim_network_init(&simulation->network, &config)) {
            simulation->measurement = (struct sim_measurement){.run = run,
                                                               .transfer = &simulation->transfer,
                                                               .network = &simulation->network,
                                                               .seed = request->seed};
            simulate(simulation, run, plays);
            result = sim_measure_result(&simulation->measurement);
            sim_measure_end(&simulation->measurement);
            sim_network_deinit(&simulation->network);
        }
        if (!sim_capture_close(&simulation->capture)) {
            json_decref(result);
            result = NULL;
        }
    }
    free(plays);
    free(simulation);
    return result;
}

/* ---- all of them ---- */

static bool wanted(const struct request *request, const char *name) {
    for (size_t i = 0; i < request->run_count; i++)
        if (strcmp(request->runs[i], name) == 0) return true;
    return request->run_count == 0;
}

static void print_paths(const json_t *run) {
    size_t index;
    json_t *path;
    json_array_foreach(json_object_get(run, "paths"), index, path)
        printf("%s%s %.2f MB up, %.2f MB down", index == 0 ? "  by path: " : "; ",
               json_string_value(json_object_get(path, "name")),
               json_number_value(json_object_get(path, "up_total_bytes")) / 1e6,
               json_number_value(json_object_get(path, "down_total_bytes")) / 1e6);
    printf("\n");
}

/* What the table has no room for. */
static void print_more(const json_t *results, const json_t *runs) {
    size_t index;
    json_t *name;
    json_array_foreach(runs, index, name) {
        const json_t *run = json_object_get(results, json_string_value(name)),
                     *sim = json_object_get(run, "sim");
        const json_t *up = json_object_get(run, "upload_goodput_mbps");
        printf("%s\n", json_string_value(name));
        print_paths(run);
        if (up != NULL) printf("  upload at the same time: %.1f Mb/s\n", json_number_value(up));
        if (json_object_get(run, "fault") != NULL)
            printf("  FAULT: %s\n", json_string_value(json_object_get(run, "fault")));
        printf("  seed %lld, hash %s, %lld packets, %.0f simulated seconds a second of processor time\n",
               (long long)json_integer_value(json_object_get(sim, "seed")),
               json_string_value(json_object_get(sim, "hash")),
               (long long)json_integer_value(json_object_get(sim, "packets")),
               json_number_value(json_object_get(sim, "simulated_seconds_per_second")));
    }
}

static void say_left_out(const struct request *request, const struct scenario_run *run, const char *reason) {
    fprintf(stderr, "%s:%u: run %s is left out: %s\n", request->scenario->file, run->place.line, run->name,
            reason);
}

/* Adds the run to the results. Returns an exit status; `left_out`: it cannot be simulated. */
static int add_run(const struct request *request, const struct scenario_run *run, json_t *results,
                   json_t *names, bool *left_out) {
    struct scenario_transfer transfer;
    const char *reason;
    *left_out = false;
    switch (sim_job_of(request->scenario, run, &transfer, &reason)) {
    case SIM_JOB_READY:
        break;
    case SIM_JOB_NOT_OURS:
        *left_out = true;
        if (!request->quiet || request->run_count > 0) say_left_out(request, run, reason);
        return 0;
    case SIM_JOB_BAD:
        return BAD_USE;
    }
    note_run(request, run);
    json_t *result = make_run(request, run, &transfer);
    if (result == NULL) return BAD_USE;
    bool expected = json_is_true(json_object_get(result, "as_expected"));
    json_object_set_new(results, run->name, result);
    json_array_append_new(names, json_string(run->name));
    return expected ? 0 : 1;
}

static void write_results(const struct request *request, json_t *results, const json_t *names) {
    if (request->json) {
        json_dumpf(results, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
        putchar('\n');
        return;
    }
    report_table(results, stdout);
    print_more(results, names);
}

/* How many of the runs asked for can be simulated. */
static size_t count_runs(const struct request *request) {
    size_t count = 0;
    for (size_t i = 0; i < request->scenario->run_count; i++) {
        struct scenario_transfer transfer;
        const char *reason;
        const struct scenario_run *run = &request->scenario->runs[i];
        if (wanted(request, run->name))
            count += sim_job_of(request->scenario, run, &transfer, &reason) == SIM_JOB_READY;
    }
    return count;
}

static int make_runs(const struct request *request) {
    const struct scenario *scenario = request->scenario;
    json_t *results = json_object(), *names = json_array();
    json_t *lab =
        json_pack("{s:s, s:s, s:o}", "title", scenario->title, "scenario", scenario->file, "runs", names);
    int worst = 0;
    note_hosts(request);
    for (size_t i = 0; i < scenario->run_count && worst < BAD_USE; i++) {
        bool left_out;
        if (!wanted(request, scenario->runs[i].name)) continue;
        int status = add_run(request, &scenario->runs[i], results, names, &left_out);
        if (left_out && request->run_count > 0) status = BAD_USE;
        worst = status > worst ? status : worst;
    }
    json_object_set_new(results, "lab", lab);
    if (worst < BAD_USE && json_array_size(names) > 0)
        write_results(request, results, names);
    else if (worst < BAD_USE)
        worst = bad_use("%s has no run that can be simulated", scenario->file);
    json_decref(results);
    return worst;
}

static int no_such_run(const struct scenario *scenario, const char *name) {
    char there[512];
    scenario_run_names(scenario, there, sizeof(there));
    fprintf(stderr, "braid: the scenario has no run \"%s\"; there are %s\n", name, there);
    return BAD_USE;
}

static int perform(struct request *request) {
    for (size_t i = 0; i < request->run_count; i++)
        if (scenario_find_run(request->scenario, request->runs[i]) < 0)
            return no_such_run(request->scenario, request->runs[i]);
    if ((request->trace_path != NULL || request->pcap_path != NULL) && count_runs(request) > 1)
        return bad_use("a trace or a capture is of one run: which one of %s? (--run NAME)",
                       request->scenario->file);
    return make_runs(request);
}

int sim_main(int argc, char **argv) {
    struct request request = {.seed = 1};
    int status = read_call(&request, argc, argv);
    if (status >= 0) return status;
    request.scenario = scenario_read(request.scenario_file);
    if (request.scenario == NULL) return BAD_USE;
    status = perform(&request);
    scenario_free(request.scenario);
    return status;
}
