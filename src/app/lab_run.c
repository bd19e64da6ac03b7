/* One run: its command, its timeline, what is measured; and the one command of `braid lab FILE -- HOST
 * COMMAND`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lab_measure.h"

#define PIPE_BYTES (1 << 20)
#define DRAIN_NS (2 * BRAID_NS_PER_S) /* for output that comes after the command's end */
#define LOG_LINES 10
#define FAILED 1

/* ---- set-up ---- */

static bool watch_signals(struct lab *lab) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGCHLD);
    sigaddset(&wanted, SIGTERM);
    sigaddset(&wanted, SIGHUP);
    sigaddset(&wanted, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &wanted, NULL) == 0)
        lab->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return lab->signals >= 0;
}

bool lab_set_up(struct lab *lab, const struct lab_options *options, int lifeline) {
    lab->options = options;
    lab->scenario = options->scenario;
    lab->lifeline = lifeline;
    lab->signals = lab->requests = -1;
    lab->log_folder = options->out != NULL ? options->out : LAB_TEMPORARY;
    if (!watch_signals(lab)) {
        lab_say("signals cannot be watched: %s", strerror(errno));
        return false;
    }
    /* The emulator has what priority there is; nothing else shall. */
    lab->emulator = emulator_create();
    sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
    if (lab->emulator == NULL) {
        lab_say("the emulator does not start: %s", strerror(errno));
        return false;
    }
    if (!lab_prepare(lab) || !lab_create_hosts(lab) || !lab_connect_links(lab) || !lab_add_routes(lab) ||
        !lab_make_files(lab))
        return false;
    lab_listen(lab);
    return lab_start_services(lab, lab->scenario->services, lab->scenario->service_count, NULL, -1);
}

/* ---- the timeline ---- */

static void play(struct lab *lab, const struct scenario_event *event) {
    if (event->action != SCENARIO_EXEC) {
        lab_apply(lab, event);
        return;
    }
    int log = lab_open_log(lab, "events");
    struct lab_start start = {
        .host = event->host, .shell = event->command, .in = -1, .out = log, .err = log, .own_group = true};
    if (log < 0) return;
    lab_start(lab, &start);
    close(log);
}

/* ---- a run ---- */

struct running {
    struct lab *lab;
    const struct scenario_run *run;
    struct lab_measurement measurement;
    struct lab_live live;
    int output; /* -1 once it has ended */
    pid_t pid;
    bool ended;
    int status;
    braid_time drain_until_ns;
    size_t next_event;
};

/* The measured output's pipe: our end, and the command's (or the service's). */
static bool open_output(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC) != 0) return false;
    fcntl(ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    return fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

static bool start_run(struct running *running) {
    struct lab *lab = running->lab;
    const struct scenario_run *run = running->run;
    int ends[2];
    if (!open_output(ends)) {
        lab_say("no pipe: %s", strerror(errno));
        return false;
    }
    running->output = ends[0];
    int log = lab_open_log(lab, run->name);
    bool good = log >= 0 &&
                lab_start_services(lab, run->services, run->service_count, run->measure, ends[1]) &&
                lab_run_before(lab, run) && lab_measurement_init(&running->measurement, lab, run);
    if (good) {
        struct lab_start start = {.host = run->command.host,
                                  .shell = run->command.command,
                                  .in = -1,
                                  .out = run->measure == NULL ? ends[1] : log,
                                  .err = log,
                                  .own_group = true};
        running->measurement.started_ns = emulator_now();
        running->pid = lab_start(lab, &start);
        good = running->pid > 0;
    }
    close(ends[1]);
    if (log >= 0) close(log);
    return good;
}

static braid_time since_start(const struct running *running) {
    return emulator_now() - running->measurement.started_ns;
}

static braid_time earliest(braid_time a, braid_time b) {
    return a < b ? a : b;
}

static braid_time next_deadline(const struct running *running) {
    const struct lab_measurement *measurement = &running->measurement;
    const struct scenario_timeline *timeline = &running->run->timeline;
    braid_time next = measurement->started_ns + (measurement->sample_count + 1) * LAB_SAMPLE_NS;
    if (running->next_event < timeline->count)
        next = earliest(next, measurement->started_ns + timeline->events[running->next_event].at_ns);
    return earliest(next, measurement->started_ns + running->run->limit_ns);
}

static void do_what_is_due(struct running *running) {
    struct lab_measurement *measurement = &running->measurement;
    const struct scenario_timeline *timeline = &running->run->timeline;
    while (running->next_event < timeline->count &&
           timeline->events[running->next_event].at_ns <= since_start(running)) {
        const struct scenario_event *event = &timeline->events[running->next_event++];
        lab_measure_event(measurement, event);
        play(running->lab, event);
    }
    while ((measurement->sample_count + 1) * LAB_SAMPLE_NS <= since_start(running))
        lab_measure_sample(measurement, running->lab);
    if (!running->lab->options->quiet && emulator_now() >= running->live.next_ns)
        lab_live_draw(&running->live, measurement, running->lab, emulator_now());
}

static bool is_over(struct running *running) {
    if (!running->ended && lab_ended(running->lab, running->pid, &running->status)) {
        running->ended = true;
        running->drain_until_ns = emulator_now() + DRAIN_NS;
    }
    if (running->ended && (running->output < 0 || emulator_now() >= running->drain_until_ns)) return true;
    if (since_start(running) >= running->run->limit_ns) running->measurement.timed_out = !running->ended;
    return since_start(running) >= running->run->limit_ns || running->lab->ending != 0;
}

static void play_run(struct running *running) {
    while (!is_over(running)) {
        if (lab_poll(running->lab, running->output, next_deadline(running)) &&
            !lab_measure_read(&running->measurement, running->output)) {
            close(running->output);
            running->output = -1;
        }
        do_what_is_due(running);
    }
    running->measurement.ended_ns = emulator_now();
    lab_kill_group(running->lab, running->pid);
    running->measurement.exit_status = running->ended ? lab_exit_status(running->status) : 128 + SIGKILL;
    running->measurement.completed = running->ended && running->measurement.exit_status == 0;
}

static bool write_result(struct running *running, int result_fd) {
    json_t *result = lab_measure_result(&running->measurement, running->lab);
    bool written = result != NULL && json_dumpfd(result, result_fd, JSON_COMPACT) == 0;
    if (!written) lab_say("the result of run %s cannot be written", running->run->name);
    json_decref(result);
    return written;
}

int lab_run(struct lab *lab, unsigned number, int result_fd) {
    struct running running = {.lab = lab, .run = &lab->scenario->runs[number], .output = -1};
    if (!start_run(&running)) return lab->ending != 0 ? 128 + lab->ending : FAILED;
    lab_live_start(&running.live, &running.measurement, running.measurement.started_ns);
    play_run(&running);
    if (!lab->options->quiet) lab_live_end(&running.live);
    if (lab->ending != 0) return 128 + lab->ending;
    if (!running.measurement.completed && !running.measurement.timed_out && !running.run->expects_exit) {
        lab_say_at(running.run->command.place, "run %s: exit status %d", running.run->name,
                   running.measurement.exit_status);
        lab_show_log(lab, running.run->name, LOG_LINES);
    }
    bool written = write_result(&running, result_fd);
    lab_measurement_deinit(&running.measurement);
    return written ? 0 : FAILED;
}

/* ---- one command ---- */

static bool start_background(struct lab *lab) {
    for (size_t i = 0; i < lab->options->on_count; i++) {
        const struct lab_on *on = &lab->options->on[i];
        struct lab_start start = {
            .host = on->host, .shell = on->command, .in = -1, .out = -1, .err = -1, .own_group = true};
        if (lab_start(lab, &start) < 0) return false;
    }
    return true;
}

int lab_command(struct lab *lab, unsigned host, char *const *arguments) {
    const struct scenario_timeline none = {0};
    const struct scenario_timeline *timeline = lab->options->play_events ? &lab->scenario->timeline : &none;
    lab->deaf = true;
    if (!start_background(lab)) return FAILED;
    struct lab_start start = {.host = host, .arguments = arguments, .in = STDIN_FILENO, .out = -1, .err = -1};
    pid_t pid = lab_start(lab, &start);
    braid_time started = emulator_now();
    int status = 0;
    for (size_t next = 0; pid > 0 && lab->ending == 0;) {
        if (lab_ended(lab, pid, &status)) return lab_exit_status(status);
        bool more = next < timeline->count;
        lab_poll(lab, -1, more ? started + timeline->events[next].at_ns : BRAID_NEVER);
        for (; next < timeline->count && started + timeline->events[next].at_ns <= emulator_now(); next++)
            play(lab, &timeline->events[next]);
    }
    return lab->ending != 0 ? 128 + lab->ending : FAILED;
}
