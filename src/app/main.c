/* braid: what people run. Each verb is a file of its own. */
#include <stdio.h>
#include <string.h>

#include "run.h"
#if __has_include("lab.h")
#include "lab.h"
#define HAVE_LAB
#endif
#if __has_include("sim.h")
#include "sim.h"
#define HAVE_SIM
#endif
#if __has_include("report.h")
#include "report.h"
#define HAVE_REPORT
#endif
#if __has_include("probe.h")
#include "probe.h"
#define HAVE_PROBE
#endif

#define BRAID_VERSION "0.1.0"
#define EXIT_USAGE 2

static const struct verb {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *what;
} verbs[] = {
    {"run", run_main, "run a command whose connections survive the loss of a network"},
#ifdef HAVE_LAB
    {"lab", lab_main, "networks with rate, delay, loss and a timeline, to try things in"},
#endif
#ifdef HAVE_SIM
    {"sim", sim_main, "the same networks in virtual time, from a seed"},
#endif
#ifdef HAVE_REPORT
    {"report", report_main, "the figures of a lab run, as a table and as a picture"},
#endif
#ifdef HAVE_PROBE
    {"probe", probe_main, "measure what an application would see"},
#endif
};

static void help(void) {
    puts("braid: Multipath TCP in user space.\n\nUsage: braid VERB ...; braid VERB --help tells more\n");
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        printf("  %-8s %s\n", verbs[i].name, verbs[i].what);
    puts("\n  --version, --help");
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fputs("braid: which verb? See braid --help\n", stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("braid " BRAID_VERSION);
        return 0;
    }
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(argv[1], verbs[i].name) == 0) return verbs[i].main(argc - 1, argv + 1);
    fprintf(stderr, "braid: unknown verb %s; see braid --help\n", argv[1]);
    return EXIT_USAGE;
}
