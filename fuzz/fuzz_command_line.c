/* Any words as a command line of braid's verbs: they are taken, or refused with one line and exit status 2. Of the verbs
 * that would go on to do something, with files that cannot be there. */
#define _GNU_SOURCE
#include "said.h"
#include <lab.h>
#include <probe_internal.h>
#include <report.h>
#include <run_options.h>
#include <sim.h>

enum { WORDS_MAX = 24 };

static void run_verb(int count, char **words) {
    static struct run_options options;
    memset(&options, 0, sizeof(options));
    listen_to_stderr();
    bool good = run_options_parse(count, words, &options);
    stop_listening();
    if (good) ENSURE(options.help || options.command != NULL);
    else ENSURE(said_one_line());
}

static void probe_verb(int count, char **words) {
    struct probe_options options;
    listen_to_stderr();
    const char *kind = probe_read_call(count, words, &options);
    stop_listening();
    if (kind == NULL) ENSURE(said[0] == '\0' || said_one_line()); /* nothing: help was asked for */
    else ENSURE(options.port != NULL && options.rate > 0 && options.size >= 16);
}

/* No such file, and nothing that listens: whatever is asked for ends with the reading of it. */
static bool leads_nowhere(const uint8_t *bytes, size_t length) {
    return memchr(bytes, '.', length) == NULL && memchr(bytes, '/', length) == NULL && memmem(bytes, length, "--t", 3) == NULL;
}

static void file_verb(int (*verb)(int, char **), int count, char **words) {
    listen_to_stderr();
    int status = verb(count, words);
    stop_listening();
    ENSURE(status == 0 || status == 2);
    if (status == 2) ENSURE(said_one_line());
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static char text[1024];
    char *words[WORDS_MAX + 1];
    if (length >= sizeof(text)) return 0;
    be_quiet();
    int count = words_of(text, bytes, length, words, WORDS_MAX);
    bool nowhere = leads_nowhere(bytes, length);
    if (strcmp(words[0], "run") == 0) run_verb(count, words);
    else if (strcmp(words[0], "probe") == 0) probe_verb(count, words);
    else if (strcmp(words[0], "sim") == 0 && nowhere) file_verb(sim_main, count, words);
    else if (strcmp(words[0], "lab") == 0 && nowhere) file_verb(lab_main, count, words);
    else if (strcmp(words[0], "report") == 0 && nowhere) file_verb(report_main, count, words);
    return 0;
}
