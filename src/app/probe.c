/* What `braid probe` is asked for. */
#define _GNU_SOURCE
#include "probe.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "one_line.h"
#include "probe_internal.h"

#define BAD_USE 2

static const char help[] =
    "usage: braid probe serve [--port PORT] [--mptcp] [--congestion NAME]\n"
    "       braid probe bulk HOST:PORT [--upload] [--bytes N | --for S] [--seed N] [--write-max N] [--mptcp] "
    "[--timeout S]\n"
    "       braid probe messages HOST:PORT [--rate N] [--size N] [--seconds N] [--mptcp]\n"
    "       braid probe receive [--port PORT] [--mptcp]\n"
    "       braid probe send HOST:PORT [--mptcp]\n"
    "\n"
    "Measures what an application sees of a TCP connection.\n"
    "\n"
    "  serve      answers bulk and messages\n"
    "  bulk       transfers bytes that are checked one by one; says as JSON how fast, and when nothing came\n"
    "  messages   sends messages at a steady rate and has them echoed; says as JSON how long that took, each "
    "counted\n"
    "             from when it should have been sent\n"
    "  receive    takes one connection and copies it to standard output\n"
    "  send       copies standard input to a connection, and waits until the other side has closed\n"
    "\n"
    "  --mptcp          the kernel's own MPTCP (IPPROTO_MPTCP) instead of TCP\n"
    "  --congestion N   the kernel's congestion control for it, as cubic or bbr (default: the kernel's own choice)\n"
    "  --receive-buffer N  the kernel's receive buffer for it, in bytes (SO_RCVBUF; default: the kernel tunes "
    "it)\n"
    "  --upload         from here to there; without it, from there to here\n"
    "  --bytes N        how many (100000000); --seed N: which (1)\n"
    "  --for S          for so many seconds in place of a number of bytes\n"
    "  --write-max N    the client writes pieces of random sizes up to N, each at once\n"
    "  --rate N         messages a second (50); --size N: bytes of each (200); --seconds N: for how long "
    "(10)\n"
    "  --timeout S      gives up after so long without a byte (60)\n"
    "\n"
    "Times in the JSON are seconds of CLOCK_MONOTONIC. Exit status 0: all was transferred and as it should "
    "be.\n";

static int bad_use(const char *what, const char *name) {
    fprintf(stderr, "braid: %s%s%s (see braid probe --help)\n", what, name[0] != '\0' ? ": " : "", name);
    return BAD_USE;
}

enum call { UPLOAD = 256, BYTES, SEED, WRITE_MAX, RATE, SIZE, SECONDS, TIMEOUT, PORT, MPTCP, CONGESTION, RECEIVE_BUFFER, FOR };
static const struct option options_known[] = {
    {"upload", no_argument, NULL, UPLOAD},
    {"bytes", required_argument, NULL, BYTES},
    {"seed", required_argument, NULL, SEED},
    {"write-max", required_argument, NULL, WRITE_MAX},
    {"rate", required_argument, NULL, RATE},
    {"size", required_argument, NULL, SIZE},
    {"seconds", required_argument, NULL, SECONDS},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"port", required_argument, NULL, PORT},
    {"mptcp", no_argument, NULL, MPTCP},
    {"congestion", required_argument, NULL, CONGESTION},
    {"receive-buffer", required_argument, NULL, RECEIVE_BUFFER},
    {"for", required_argument, NULL, FOR},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

/* False: it was said what the option wants. */
static bool parse_number(const char *name, double low, double high, double *out) {
    char *end, text[200];
    *out = strtod(optarg, &end);
    if (end != optarg && *end == '\0' && *out >= low && *out <= high) return true;
    snprintf(text, sizeof(text), "braid: %s wants a number from %.16g to %.16g, not %s", name, low, high, optarg);
    one_line(text);
    fprintf(stderr, "%s\n", text);
    return false;
}

static bool parse_port(const char *text) {
    char *end, line[200];
    unsigned long port = strtoul(text, &end, 10);
    if (end != text && *end == '\0' && text[0] != '-' && port >= 1 && port <= 65535) return true;
    snprintf(line, sizeof(line), "braid: a port is a number from 1 to 65535, not %s", text);
    one_line(line);
    fprintf(stderr, "%s\n", line);
    return false;
}

/* False: what is wrong was said. */
static bool take_option(struct probe_options *options, int option) {
    double number = 0;
    switch (option) {
    case UPLOAD:
        options->upload = true;
        return true;
    case MPTCP:
        options->mptcp = true;
        return true;
    case CONGESTION:
        options->congestion = optarg;
        return true;
    case PORT:
        options->port = optarg;
        return parse_port(optarg);
    case BYTES:
        if (!parse_number("--bytes", 1, 1e15, &number)) return false;
        options->bytes = (uint64_t)number;
        return true;
    case SEED:
        if (!parse_number("--seed", 0, 1e15, &number)) return false;
        options->seed = (uint64_t)number;
        return true;
    case WRITE_MAX:
        if (!parse_number("--write-max", 1, 1 << 20, &number)) return false;
        options->write_max = (uint32_t)number;
        return true;
    case SIZE:
        if (!parse_number("--size", 16, 65536, &number)) return false;
        options->size = (uint32_t)number;
        return true;
    case RECEIVE_BUFFER:
        if (!parse_number("--receive-buffer", 2048, 1 << 30, &number)) return false;
        options->receive_buffer_bytes = (int)number;
        return true;
    case FOR:
        return parse_number("--for", 0.01, 86400, &options->for_s);
    case RATE:
        return parse_number("--rate", 0.1, 100000, &options->rate);
    case SECONDS:
        return parse_number("--seconds", 0.01, 86400, &options->seconds);
    case TIMEOUT:
        return parse_number("--timeout", 0.01, 86400, &options->timeout_s);
    default:
        return false;
    }
}

/* HOST:PORT or [HOST]:PORT */
static bool take_server(struct probe_options *options, char *text) {
    char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text || colon[1] == '\0') return false;
    *colon = '\0';
    if (text[0] == '[' && colon[-1] == ']') {
        colon[-1] = '\0';
        text++;
    }
    options->host = text;
    options->port = colon + 1;
    return true;
}

static const struct kind {
    const char *name;
    bool client;
    int (*run)(const struct probe_options *options);
} kinds[] = {
    {"serve", false, probe_serve},     {"bulk", true, probe_bulk}, {"messages", true, probe_messages},
    {"receive", false, probe_receive}, {"send", true, probe_send},
};

/* The kind in argv[1..]; NULL: what is wrong was said, or help was given and *status is 0. */
static const struct kind *read_call(int argc, char **argv, struct probe_options *options, int *status) {
    *options = (struct probe_options){.port = "7000",
                                      .bytes = 100000000,
                                      .seed = 1,
                                      .rate = 50,
                                      .size = 200,
                                      .seconds = 10,
                                      .timeout_s = 60};
    *status = BAD_USE;
    optind = 0; /* from the start, also when another list was read before */
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, "h", options_known, NULL)) != -1;) {
        if (option == 'h') {
            fputs(help, stdout);
            *status = 0;
            return NULL;
        }
        if (option == '?' || option == ':') bad_use("not understood", argv[optind - 1]);
        if (!take_option(options, option)) return NULL;
    }
    if (optind >= argc) {
        bad_use("what shall it do? serve, bulk, messages, receive or send", "");
        return NULL;
    }
    const struct kind *kind = NULL;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(kinds[i].name, argv[optind]) == 0) kind = &kinds[i];
    if (kind == NULL) {
        bad_use("not understood", argv[optind]);
        return NULL;
    }
    int wanted = kind->client ? 2 : 1;
    if (argc - optind != wanted) {
        bad_use(kind->client ? "which HOST:PORT?" : "too much said", argv[argc - 1]);
        return NULL;
    }
    if (!kind->client) return kind;
    if (!take_server(options, argv[optind + 1])) {
        bad_use("not HOST:PORT", argv[optind + 1]);
        return NULL;
    }
    return parse_port(options->port) ? kind : NULL;
}

const char *probe_read_call(int argc, char **argv, struct probe_options *options) {
    int status;
    const struct kind *kind = read_call(argc, argv, options, &status);
    return kind != NULL ? kind->name : NULL;
}

int probe_main(int argc, char **argv) {
    struct probe_options options;
    int status;
    const struct kind *kind = read_call(argc, argv, &options, &status);
    if (kind == NULL) return status;
    signal(SIGPIPE, SIG_IGN);
    return kind->run(&options);
}
