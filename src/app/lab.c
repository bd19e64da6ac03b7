/* What `braid lab` is asked for, and its way from the scenario to the result. */
#define _GNU_SOURCE
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lab_internal.h"
#include "report.h"
#include "scenario_box.h"

#define BAD_USE 2
#define TUN "/dev/net/tun"

static const char help[] =
    "usage: braid lab SCENARIO [--run NAME]... [--out FOLDER] [--json]\n"
    "       braid lab SCENARIO [--events] [--on HOST COMMAND]... -- HOST COMMAND [ARGUMENT]...\n"
    "       braid lab SCENARIO --shell HOST\n"
    "       braid lab SCENARIO --list\n"
    "       braid lab --tell EVENT\n"
    "\n"
    "Builds the hosts and links that the scenario (a YAML file) describes, in network namespaces that nobody "
    "else\n"
    "sees, and does there what the scenario says: each of its runs in a fresh lab, its timeline played, its "
    "output\n"
    "and its paths measured. When it ends, however it ends, nothing stays.\n"
    "\n"
    "  --run NAME          only this run (may be repeated); without it, all of them in their order\n"
    "  --out FOLDER        result.json and the logs go there\n"
    "  --json              the result on standard output instead of a table\n"
    "  --seed N            other losses, jitter and reordering than usual: those of N (0)\n"
    "  --quiet             no lines about what is going on\n"
    "  --shell HOST        no run: a shell on that host\n"
    "  -- HOST COMMAND     no run: this one command on that host; its exit status is the lab's\n"
    "  --on HOST COMMAND   beside the one command, this other (for sh -c); ended when the one command ends\n"
    "  --events            the scenario's timeline is played for the one command too\n"
    "  --list              the runs, hosts and links of the scenario\n"
    "  --tell EVENT        for commands on a lab's host: makes something happen in that lab now, as a "
    "timeline would,\n"
    "                      for example --tell 'down: wlan0' or --tell 'change: wlan0, rate: 5Mbit, loss: "
    "1%'\n"
    "\n"
    "Commands find ${BRAID} (this program), ${TMP} (a folder all hosts of the lab share, gone when it ends), "
    "${OUT}\n"
    "(the results' folder) and ${LAB_HOST} in their environment. The hosts know each other by name. The exit "
    "status is\n"
    "0, or 1 if a run was not as the scenario expects, or 2 if the scenario or the call is no good.\n"
    "\n"
    "The silence around an event is the longest gap in the output that overlaps the time from 0.2 s before "
    "the event\n"
    "to the next event, or to 5 s after it.\n";

struct request {
    struct lab_options options;
    const char *scenario_file, *shell, *out, *tell;
    char *out_path; /* of `out`, absolute */
    const char *runs[64];
    size_t run_count;
    bool json, list;
    char **command; /* HOST COMMAND..., NULL: none */
    struct lab_on on[64];
    const char *on_hosts[64];
    size_t on_count;
};

static int bad_use(const char *what, const char *name) {
    lab_say(what, name);
    return BAD_USE;
}

/* ---- reading the call ---- */

enum call { RUN = 256, OUT, JSON, SEED, QUIET, SHELL, ON, EVENTS, LIST, TELL, HELP };
static const struct option options[] = {
    {"run", required_argument, NULL, RUN},
    {"out", required_argument, NULL, OUT},
    {"json", no_argument, NULL, JSON},
    {"seed", required_argument, NULL, SEED},
    {"quiet", no_argument, NULL, QUIET},
    {"shell", required_argument, NULL, SHELL},
    {"on", required_argument, NULL, ON},
    {"events", no_argument, NULL, EVENTS},
    {"list", no_argument, NULL, LIST},
    {"tell", required_argument, NULL, TELL},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static bool read_seed(struct request *request) {
    char *end;
    errno = 0;
    unsigned long seed = strtoul(optarg, &end, 10);
    if (errno != 0 || end == optarg || *end != '\0' || *optarg == '-' || seed > UINT32_MAX) return false;
    request->options.seed = (uint32_t)seed;
    return true;
}

static bool take_option(struct request *request, int option, int argc, char **argv) {
    switch (option) {
    case RUN:
        if (request->run_count == ARRAY_COUNT(request->runs)) return false;
        request->runs[request->run_count++] = optarg;
        return true;
    case OUT:
        request->out = optarg;
        return true;
    case JSON:
        request->json = true;
        return true;
    case SEED:
        return read_seed(request);
    case QUIET:
        request->options.quiet = true;
        return true;
    case SHELL:
        request->shell = optarg;
        return true;
    case EVENTS:
        request->options.play_events = true;
        return true;
    case LIST:
        request->list = true;
        return true;
    case TELL:
        request->tell = optarg;
        return true;
    case ON: /* has two arguments, which getopt does not know */
        if (request->on_count == ARRAY_COUNT(request->on) || optind >= argc) return false;
        request->on_hosts[request->on_count] = optarg;
        request->on[request->on_count++].command = argv[optind++];
        return true;
    default:
        return false;
    }
}

/* -1: go on; else the exit status. */
static int read_call(struct request *request, int argc, char **argv) {
    int limit = argc; /* what comes after "--" is not ours to read */
    for (int i = 1; i < argc && limit == argc; i++)
        if (strcmp(argv[i], "--") == 0) limit = i;
    if (limit < argc) {
        request->command = argv + limit + 1;
        if (limit + 3 > argc) return bad_use("after -- a host and a command are wanted%s", "");
    }
    optind = 1;
    opterr = 0;
    for (int option; (option = getopt_long(limit, argv, "-h", options, NULL)) != -1;) {
        if (option == HELP || option == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (option == 1 && request->scenario_file == NULL)
            request->scenario_file = optarg;
        else if (option == 1)
            return bad_use("one scenario at a time; what is \"%s\"?", optarg);
        else if (!take_option(request, option, limit, argv))
            return bad_use("braid lab does not understand \"%s\" here (see braid lab --help)",
                           argv[optind - 1]);
    }
    if (request->tell != NULL) return lab_tell(request->tell);
    if (request->scenario_file == NULL) return bad_use("which scenario? (see braid lab --help)%s", "");
    return -1;
}

static void no_such_host(const struct scenario *scenario, const char *name) {
    char there[512];
    scenario_host_names(scenario, there, sizeof(there));
    lab_say("there is no host \"%s\" in %s; there are %s", name, scenario->file, there);
}

static bool find_hosts(struct request *request, int *host) {
    const struct scenario *scenario = request->options.scenario;
    const char *wanted = request->shell != NULL     ? request->shell
                         : request->command != NULL ? request->command[0]
                                                    : NULL;
    *host = -1;
    for (size_t i = 0; i < request->on_count; i++) {
        int found = scenario_find_host(scenario, request->on_hosts[i]);
        if (found < 0) {
            no_such_host(scenario, request->on_hosts[i]);
            return false;
        }
        request->on[i].host = (unsigned)found;
    }
    if (wanted != NULL && (*host = scenario_find_host(scenario, wanted)) < 0) {
        no_such_host(scenario, wanted);
        return false;
    }
    return true;
}

static char *own_path(void) {
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length < 0) return strdup("braid");
    path[length] = '\0';
    return strdup(path);
}

static bool make_out(struct request *request) {
    if (request->out == NULL) return true;
    char *absolute = mkdir(request->out, 0755) == 0 || errno == EEXIST ? realpath(request->out, NULL) : NULL;
    int folder =
        absolute != NULL && access(absolute, W_OK) == 0 ? open(absolute, O_DIRECTORY | O_CLOEXEC) : -1;
    if (folder < 0) {
        lab_say("the folder %s cannot be written to: %s", request->out, strerror(errno));
        free(absolute);
        return false;
    }
    close(folder);
    request->options.out = request->out_path = absolute;
    return true;
}

static void list(const struct scenario *scenario) {
    printf("%s\n", scenario->title);
    for (size_t i = 0; i < scenario->run_count; i++)
        printf("run   %-16s %s\n", scenario->runs[i].name, scenario->runs[i].title);
    for (size_t i = 0; i < scenario->host_count; i++)
        printf("host  %s\n", scenario->hosts[i].name);
    for (size_t i = 0; i < scenario->link_count; i++) {
        const struct scenario_link *link = &scenario->links[i];
        printf("link  %-16s %s %s - %s %s%s\n", link->name, scenario->hosts[link->ends[0].host].name,
               link->ends[0].interface, scenario->hosts[link->ends[1].host].name, link->ends[1].interface,
               link->direct ? ", direct" : "");
    }
}

/* ---- one command ---- */

struct job {
    struct request *request;
    int host;
    unsigned run;
    int result_fd;
};

static int inside_for_command(void *context, int lifeline) {
    struct job *job = context;
    struct lab lab = {0};
    const char *shell = getenv("SHELL");
    char *interactive[] = {strdup(shell != NULL ? shell : "/bin/sh"), NULL};
    if (!lab_set_up(&lab, &job->request->options, lifeline)) return lab.ending != 0 ? 128 + lab.ending : 1;
    bool wants_shell = job->request->shell != NULL;
    return lab_command(&lab, (unsigned)job->host, wants_shell ? interactive : job->request->command + 1);
}

/* ---- runs ---- */

static int inside_for_run(void *context, int lifeline) {
    struct job *job = context;
    struct lab lab = {0};
    if (!lab_set_up(&lab, &job->request->options, lifeline)) return lab.ending != 0 ? 128 + lab.ending : 1;
    return lab_run(&lab, job->run, job->result_fd);
}

static bool wanted(const struct request *request, const char *name) {
    for (size_t i = 0; i < request->run_count; i++)
        if (strcmp(request->runs[i], name) == 0) return true;
    return request->run_count == 0;
}

static void announce(const struct request *request, const struct scenario_run *run) {
    if (request->options.quiet) return;
    size_t length = strcspn(run->command.command, "\n");
    bool more = run->command.command[length] == '\n' && run->command.command[length + 1] != '\0';
    fprintf(stderr, "%s: %.*s%s\n", run->title, (int)length, run->command.command, more ? " ..." : "");
}

/* Programs under `braid run` need a TUN device, and this system may keep it for root. */
static bool tun_is_missing(const struct request *request) {
    const struct scenario *scenario = request->options.scenario;
    for (size_t i = 0; i < scenario->run_count; i++) {
        const struct scenario_run *run = &scenario->runs[i];
        if (!wanted(request, run->name) || run->command.command == NULL || strstr(run->command.command, "${BRAID} run") == NULL) continue;
        if (access(TUN, R_OK | W_OK) == 0 || errno != EACCES) continue;
        lab_say("run %s needs " TUN ", which this system keeps for root: try it with sudo", run->name);
        return true;
    }
    return false;
}

static bool runs_are_possible(const struct request *request) {
    const struct scenario *scenario = request->options.scenario;
    for (size_t i = 0; i < scenario->run_count; i++) {
        const struct scenario_run *run = &scenario->runs[i];
        if (!wanted(request, run->name) || run->command.command != NULL) continue;
        lab_say_at(run->place, "run %s: both directions at once are transferred in virtual time only (braid sim)",
                   run->name);
        return false;
    }
    return !tun_is_missing(request);
}

/* Runs one run in a lab of its own; its result, or NULL and the exit status. */
static json_t *make_run(struct request *request, unsigned number, int *status) {
    struct job job = {.request = request, .run = number};
    job.result_fd = memfd_create("result", MFD_CLOEXEC);
    if (job.result_fd < 0) {
        *status = 1;
        lab_say("no memory for a result: %s", strerror(errno));
        return NULL;
    }
    announce(request, &request->options.scenario->runs[number]);
    *status = lab_spawn(inside_for_run, &job, false);
    json_t *result = NULL;
    if (*status == 0 && lseek(job.result_fd, 0, SEEK_SET) == 0) result = json_loadfd(job.result_fd, 0, NULL);
    if (*status == 0 && result == NULL) *status = 1;
    close(job.result_fd);
    return result;
}

static json_t *describe_lab(const struct scenario *scenario) {
    json_t *runs = json_array();
    json_t *lab = json_object();
    json_object_set_new(lab, "title", json_string(scenario->title));
    json_object_set_new(lab, "scenario", json_string(scenario->file));
    json_object_set_new(lab, "runs", runs);
    return lab;
}

/* One line for each thing that is said of a run: easy to read, and to compare. */
static void write_object(FILE *stream, json_t *object, unsigned depth) {
    const char *key, *comma = "";
    json_t *value;
    fprintf(stream, "{");
    json_object_foreach(object, key, value) {
        fprintf(stream, "%s\n%*s\"%s\": ", comma, (int)depth, "", key); /* names of ours need no escapes */
        comma = ",";
        if (depth == 1 && json_is_object(value))
            write_object(stream, value, depth + 1);
        else
            json_dumpf(value, stream, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    }
    fprintf(stream, "\n%*s}", (int)depth - 1, "");
}

static bool write_results(const struct request *request, json_t *results) {
    char path[PATH_MAX];
    if (request->options.out == NULL) return true;
    snprintf(path, sizeof(path), "%s/result.json", request->options.out);
    FILE *stream = fopen(path, "we");
    if (stream != NULL) {
        write_object(stream, results, 1);
        fputc('\n', stream);
        bool good = !ferror(stream);
        if (fclose(stream) == 0 && good) return true;
    }
    lab_say("%s cannot be written: %s", path, strerror(errno));
    return false;
}

static int make_runs(struct request *request) {
    const struct scenario *scenario = request->options.scenario;
    json_t *results = json_object(), *lab = describe_lab(scenario);
    int worst = 0;
    if (!runs_are_possible(request)) worst = BAD_USE;
    for (unsigned i = 0; i < scenario->run_count && worst < 2; i++) {
        int status;
        if (!wanted(request, scenario->runs[i].name)) continue;
        json_t *result = make_run(request, i, &status);
        if (result == NULL) {
            worst = status > worst ? status : worst;
            continue;
        }
        if (!json_is_true(json_object_get(result, "as_expected")) && worst == 0) worst = 1;
        json_object_set_new(results, scenario->runs[i].name, result);
        json_array_append_new(json_object_get(lab, "runs"), json_string(scenario->runs[i].name));
    }
    json_object_set_new(results, "lab", lab);
    if (worst < 128 && json_object_size(results) > 1) {
        if (!write_results(request, results)) worst = 1;
        if (request->json) {
            write_object(stdout, results, 1);
            putchar('\n');
        } else {
            report_table(results, stdout);
        }
    }
    json_decref(results);
    return worst;
}

static bool links_are_possible(const struct scenario *scenario) {
    for (size_t i = 0; i < scenario->link_count; i++) {
        const struct scenario_link *link = &scenario->links[i];
        if (link->box_count == 0) continue;
        lab_say_at(link->boxes[0].place, "link %s: middleboxes are there in virtual time only (braid sim)", link->name);
        return false;
    }
    return true;
}

static int no_such_run(const struct scenario *scenario, const char *name) {
    char there[512];
    scenario_run_names(scenario, there, sizeof(there));
    lab_say("the scenario has no run \"%s\"; there are %s", name, there);
    return BAD_USE;
}

/* What was asked for, with the scenario read. */
static int perform(struct request *request) {
    const struct scenario *scenario = request->options.scenario;
    int host;
    if (request->list) {
        list(scenario);
        return 0;
    }
    for (size_t i = 0; i < request->run_count; i++)
        if (scenario_find_run(scenario, request->runs[i]) < 0)
            return no_such_run(scenario, request->runs[i]);
    if (!links_are_possible(scenario) || !find_hosts(request, &host) || !make_out(request)) return BAD_USE;
    struct job job = {.request = request, .host = host};
    if (host >= 0) return lab_spawn(inside_for_command, &job, true);
    if (scenario->run_count == 0)
        return bad_use("%s has no runs: name a command (-- HOST COMMAND)", scenario->file);
    return make_runs(request);
}

int lab_main(int argc, char **argv) {
    struct request request = {0};
    int status = read_call(&request, argc, argv);
    if (status >= 0) return status;
    request.options.scenario = scenario_read(request.scenario_file);
    if (request.options.scenario == NULL) return BAD_USE;
    char *braid = own_path(), *folder = get_current_dir_name();
    request.options.braid = braid != NULL ? braid : "braid";
    request.options.folder = folder;
    request.options.on = request.on;
    request.options.on_count = request.on_count;
    status = perform(&request);
    free(braid);
    free(folder);
    free(request.out_path);
    scenario_free(request.options.scenario);
    return status;
}
