#include "sim_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "probe_internal.h"
#include "run_options.h"
#include "scenario_yaml.h"

#define WORDS_MAX 64
#define MESSAGES_MAX 1e6
#define NOT_OURS "it is not known as a transfer over braid (see \"transfer\" in lab/README.md)"

/* ---- the words of a command ---- */

struct words {
    char *text;
    char *list[WORDS_MAX + 1];
    int count;
};

/* As a shell would split it, if it is as plain as that. */
static bool split(struct words *words, struct arena *arena, const char *command) {
    const char *copy = arena_text(arena, command);
    char *end = NULL;
    words->count = 0;
    words->text = arena_array(arena, strlen(copy) + 1, 1);
    memcpy(words->text, copy, strlen(copy));
    if (strpbrk(command, "'\"\\|&;<>()`*?") != NULL) return false;
    for (char *word = strtok_r(words->text, " \t\n", &end); word != NULL;
         word = strtok_r(NULL, " \t\n", &end)) {
        if (words->count == WORDS_MAX) return false;
        words->list[words->count++] = word;
    }
    words->list[words->count] = NULL;
    return true;
}

static bool is_braid(const char *word) {
    return word != NULL && (strcmp(word, "${BRAID}") == 0 || strcmp(word, "$BRAID") == 0);
}

static bool is_word(const char *word, const char *wanted) {
    return word != NULL && strcmp(word, wanted) == 0;
}

/* ---- what they say ---- */

static bool take_run(struct scenario_transfer *out, struct arena *arena, const struct run_options *options) {
    out->aggregate = options->policy == ENGINE_POLICY_AGGREGATE;
    out->checksum = options->checksum;
    out->plain = options->plain;
    out->versions = options->versions;
    out->congestion = options->congestion;
    out->scheduler = options->scheduler;
    out->uplink_count = options->uplink_count;
    out->uplinks = arena_array(arena, options->uplink_count, sizeof(*out->uplinks));
    for (size_t i = 0; i < options->uplink_count; i++)
        out->uplinks[i] = options->uplinks[i];
    return true;
}

static bool say(const struct scenario_run *run, const char *what, const char *name) {
    fprintf(stderr, "%s:%u: run %s: %s%s\n", run->command.place.file, run->command.place.line, run->name,
            what, name);
    return false;
}

static bool take_probe(const struct scenario *scenario, const struct scenario_run *run,
                       struct scenario_transfer *out, const char *kind, const struct probe_options *options) {
    if (!scenario_find_server(scenario, options->host, &out->server, &out->address))
        return say(run, "no host is, or has the address, ", options->host);
    if (strcmp(kind, "messages") == 0 && options->rate * options->seconds > MESSAGES_MAX)
        return say(run, "more messages than virtual time takes down: ", "a million");
    if (strcmp(kind, "messages") == 0)
        out->messages = (struct scenario_messages){options->rate, options->seconds, options->size};
    else
        out->bytes[options->upload ? SCENARIO_UP : SCENARIO_DOWN] = options->bytes;
    return true;
}

/* `braid run` before whatever command, and what is in it if that is a probe's. */
static enum sim_job_verdict read_command(const struct scenario *scenario, const struct scenario_run *run,
                                         struct scenario_transfer *out, const char **kind) {
    struct words words = {0};
    struct run_options options;
    struct probe_options probe;
    *kind = NULL;
    if (run->command.command == NULL || !split(&words, scenario->arena, run->command.command))
        return SIM_JOB_NOT_OURS;
    int first = is_word(words.list[0], "exec") ? 1 : 0;
    if (!is_braid(words.list[first]) || !is_word(words.list[first + 1], "run")) return SIM_JOB_NOT_OURS;
    first++;
    if (!run_options_parse(words.count - first, words.list + first, &options)) return SIM_JOB_BAD;
    if (options.help || !take_run(out, scenario->arena, &options)) return SIM_JOB_NOT_OURS;
    char **inner = options.command;
    int count = 0;
    while (inner[count] != NULL)
        count++;
    if (!is_braid(inner[0]) || !is_word(inner[1], "probe")) return SIM_JOB_READY;
    const char *wanted = probe_read_call(count - 1, inner + 1, &probe);
    if (wanted == NULL) return SIM_JOB_BAD;
    if (strcmp(wanted, "bulk") != 0 && strcmp(wanted, "messages") != 0) return SIM_JOB_READY;
    *kind = wanted;
    return take_probe(scenario, run, out, wanted, &probe) ? SIM_JOB_READY : SIM_JOB_BAD;
}

enum sim_job_verdict sim_job_of(const struct scenario *scenario, const struct scenario_run *run,
                                struct scenario_transfer *out, const char **reason) {
    struct scenario_transfer said = {.place = run->command.place};
    const char *kind;
    enum sim_job_verdict verdict = read_command(scenario, run, &said, &kind);
    *reason = NOT_OURS;
    if (verdict == SIM_JOB_BAD) return verdict;
    if (run->transfer != NULL) {
        *out = *run->transfer;
        /* `braid run` in the command says by which way, unless the transfer does. */
        if (verdict == SIM_JOB_READY && out->uplink_count == 0) {
            out->uplinks = said.uplinks;
            out->uplink_count = said.uplink_count;
            out->aggregate = said.aggregate;
        }
        if (out->congestion == NULL) out->congestion = said.congestion;
        if (out->scheduler == NULL) out->scheduler = said.scheduler;
        out->checksum = out->checksum || said.checksum;
        out->plain = out->plain || said.plain;
        out->versions = said.versions;
        return SIM_JOB_READY;
    }
    *out = said;
    return verdict == SIM_JOB_READY && kind != NULL ? SIM_JOB_READY : SIM_JOB_NOT_OURS;
}
