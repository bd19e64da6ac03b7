#include "run_options.h"

#include "byte_size.h"
#include "one_line.h"
#include "uplink_choice.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "Usage: braid run [OPTION]... [--] COMMAND [ARGUMENT]...\n"
    "\n"
    "Runs COMMAND in a network namespace whose only way out is braid: its TCP connections become Multipath "
    "TCP\n"
    "over all uplinks, and survive the loss of any of them. The command's exit status is braid's.\n"
    "\n"
    "  -u, --uplink IFACE[:...]     an interface to use, in order of preference; may be given several times\n"
    "                               (default: every interface that has a default route). With any of\n"
    "               :backup         only while no other works\n"
    "               :metered        it costs: only while no other works, be it a backup\n"
    "               :cap=SIZE       metered, and no more than SIZE bytes, both ways: 1M to 1024G\n"
    "               :weight=N       its turns under the scheduler round-robin: 1 to 255\n"
    "  -p, --policy handover        the first uplink carries everything, the others stand by (default)\n"
    "  -p, --policy aggregate       all uplinks carry at the same time, but those marked :backup or :metered\n"
    "  -t, --trace FILE             write what happens as JSON, one event a line\n"
    "  -c, --pcap FILE              write packets of uplinks and programs as pcapng, for Wireshark\n"
    "      --statistics FILE        write, at the end, totals of each uplink and all counters, as JSON\n"
    "  -l, --live                   show rate, round-trip time and state of each uplink on standard error\n"
    "      --checksum               ask servers for the checksum of RFC 8684 over data and mapping\n"
    "      --ecn                    ask servers for explicit congestion notification (RFC 3168)\n"
    "      --mptcp VERSIONS         versions of Multipath TCP (1: RFC 8684, 0: RFC 6824) that are spoken; none:\n"
    "                               plain TCP:\n%s"
    "      --congestion NAME        how much goes by each path:\n%s"
    "      --scheduler NAME         by which path the next bytes go (with a :metered uplink and without this\n"
    "                               option: cost-aware):\n%s"
    "      --path-manager NAME      which paths a connection has:\n%s"
    "      --limit NAME=N[,...]     of a connection: subflows beside the first (0 to %d, default %d),\n"
    "                               add_addr_accepted (0 to %d, default %d), and what the path manager\n"
    "                               ndiffports makes: ndiffports (1 to %d, default %d)\n"
    "      --memory SIZE            what all connections may hold together of data on its way: 1M to 1024G\n"
    "                               (default: no bound but each one's 12M)\n"
    "      --threads N              connections are shared out among so many threads: 1 to %d (default 1)\n"
    "      --receive-buffer SIZE    what one connection may hold at most of data that the command has not read:\n"
    "                               16K to 1G (default 8M)\n"
    "  -h, --help                   this text\n"
    "\n"
    "Needs CAP_NET_ADMIN and CAP_NET_RAW, as root has them.\n";

#define NAMES_MAX 512
enum { SUBFLOWS_DEFAULT = 7, NDIFFPORTS_DEFAULT = 2 }; /* what the stack does when nothing is said */

static const char *list_names(char text[NAMES_MAX], const char *(*name_of)(unsigned index)) {
    size_t length = 0;
    text[0] = 0;
    for (unsigned i = 0; name_of(i) != NULL && length < NAMES_MAX; i++)
        length += (size_t)snprintf(text + length, NAMES_MAX - length, "%s%s", i > 0 ? ", " : "", name_of(i));
    return text;
}

/* As lines of the help; the first is the default. */
static const char *list_lines(char text[NAMES_MAX], const char *(*name_of)(unsigned index)) {
    size_t length = 0;
    for (unsigned i = 0; name_of(i) != NULL && length < NAMES_MAX; i++) {
        const char *before = i % 4 == 0 ? "                               " : " ";
        const char *after = name_of(i + 1) == NULL ? "\n" : i % 4 == 3 ? ",\n" : ",";
        length += (size_t)snprintf(text + length, NAMES_MAX - length, "%s%s%s%s", before, name_of(i),
                                   i == 0 ? " (default)" : "", after);
    }
    return text;
}

static const char *mptcp_name(unsigned index) {
    if (braid_versions_name(index) != NULL) return braid_versions_name(index);
    return index == 0 || braid_versions_name(index - 1) != NULL ? "none" : NULL;
}

void run_options_help(void) {
    char versions[NAMES_MAX], congestion[NAMES_MAX], scheduler[NAMES_MAX], path_manager[NAMES_MAX];
    printf(help, list_lines(versions, mptcp_name), list_lines(congestion, braid_congestion_name), list_lines(scheduler, braid_scheduler_name),
           list_lines(path_manager, braid_path_manager_name), BRAID_SUBFLOWS_MAX, SUBFLOWS_DEFAULT,
           BRAID_ADD_ADDR_ACCEPTED_MAX, BRAID_ADD_ADDR_ACCEPTED_MAX, BRAID_NDIFFPORTS_MAX, NDIFFPORTS_DEFAULT,
           RUN_THREADS_MAX);
}

static bool complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static bool complain(const char *format, ...) {
    va_list arguments;
    char text[512];
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    one_line(text);
    fprintf(stderr, "braid run: %s\n", text);
    return false;
}

static bool take_uplink(struct run_options *out, char *text) {
    char problem[UPLINK_CHOICE_TEXT_MAX];
    if (out->uplink_count == BRAID_LINKS_MAX - 1)
        return complain("more than %d uplinks", BRAID_LINKS_MAX - 1);
    struct engine_uplink_choice *choice = &out->uplinks[out->uplink_count];
    if (!uplink_choice_parse(text, choice, problem)) return complain("%s", problem);
    for (size_t i = 0; i < out->uplink_count; i++)
        if (strcmp(out->uplinks[i].interface, text) == 0) return complain("uplink %s is named twice", text);
    out->uplink_count++;
    return true;
}

static bool take_policy(struct run_options *out, const char *text) {
    out->policy = ENGINE_POLICY_HANDOVER;
    if (strcmp(text, "handover") == 0) return true;
    out->policy = ENGINE_POLICY_AGGREGATE;
    if (strcmp(text, "aggregate") == 0) return true;
    return complain("policy %s is unknown; there are handover and aggregate", text);
}

static bool take_name(const char **out, const char *text, const char *what, const char *(*name_of)(unsigned index)) {
    char names[NAMES_MAX];
    *out = text;
    for (unsigned i = 0; name_of(i) != NULL; i++)
        if (strcmp(text, name_of(i)) == 0) return true;
    return complain("%s %s is unknown; there are %s", what, text, list_names(names, name_of));
}

static bool take_versions(struct run_options *out, const char *text) {
    const char *name;
    if (!take_name(&name, text, "choice of versions", mptcp_name)) return false;
    out->plain = true;
    for (unsigned i = 0; braid_versions_name(i) != NULL; i++) {
        if (strcmp(name, braid_versions_name(i)) != 0) continue;
        out->versions = (enum braid_versions)(i + 1);
        out->plain = false;
    }
    return true;
}

struct limit {
    const char *name;
    unsigned least, most;
    uint8_t *value;
};

static bool take_number(const char *text, size_t length, const struct limit *limit) {
    unsigned value = 0;
    bool good = length > 0;
    for (size_t i = 0; i < length && good; i++) {
        good = text[i] >= '0' && text[i] <= '9' && value <= limit->most;
        if (good) value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (!good || value < limit->least || value > limit->most)
        return complain("limit %s wants a number from %u to %u, not %.*s", limit->name, limit->least, limit->most,
                        (int)(length < 64 ? length : 64), text);
    *limit->value = (uint8_t)value;
    return true;
}

static bool take_limit(struct run_options *out, const char *text, size_t length) {
    const struct limit limits[] = {
        {"subflows", 0, BRAID_SUBFLOWS_MAX, &out->limits.subflows},
        {"add_addr_accepted", 0, BRAID_ADD_ADDR_ACCEPTED_MAX, &out->limits.add_addr_accepted},
        {"ndiffports", 1, BRAID_NDIFFPORTS_MAX, &out->limits.ndiffports},
    };
    out->limited = true;
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        size_t name = strlen(limits[i].name);
        if (length > name && text[name] == '=' && memcmp(text, limits[i].name, name) == 0)
            return take_number(text + name + 1, length - name - 1, &limits[i]);
    }
    return complain("limit %.*s is unknown; there are subflows=N, add_addr_accepted=N and ndiffports=N",
                    (int)(length < 64 ? length : 64), text);
}

static bool take_limits(struct run_options *out, const char *text) {
    for (;;) {
        size_t length = strcspn(text, ",");
        if (!take_limit(out, text, length)) return false;
        if (text[length] == 0) return true;
        text += length + 1;
    }
}

static bool take_memory(struct run_options *out, const char *text) {
    if (byte_size_parse(text, &out->memory_bytes)) return true;
    return complain("--memory wants a size from " BYTE_SIZE_RANGE ", such as 64M, not %.64s", text);
}

static bool take_receive_buffer(struct run_options *out, const char *text) {
    uint64_t bytes;
    if (!byte_size_parse_in(text, UINT64_C(16) << 10, UINT64_C(1) << 30, &bytes))
        return complain("--receive-buffer wants a size from 16K to 1G, such as 2M, not %.64s", text);
    out->receive_buffer_bytes = (uint32_t)bytes;
    return true;
}

static bool take_threads(struct run_options *out, const char *text) {
    size_t digits = strspn(text, "0123456789");
    unsigned value = 0;
    for (size_t i = 0; i < digits && value <= RUN_THREADS_MAX; i++) value = value * 10 + (unsigned)(text[i] - '0');
    if (digits == 0 || text[digits] != 0 || value < 1 || value > RUN_THREADS_MAX)
        return complain("--threads wants a number from 1 to %d, not %.64s", RUN_THREADS_MAX, text);
    out->threads = value;
    return true;
}

/* What each option alone cannot know. */
static bool fit_together(const struct run_options *out) {
    if (out->threads == 1) return true;
    if (out->memory_bytes != 0 && out->memory_bytes / out->threads < BYTE_SIZE_MIN)
        return complain("--memory is shared by the %u threads and wants 1M for each: %uM or more", out->threads, out->threads);
    for (size_t i = 0; i < out->uplink_count; i++)
        if (out->uplinks[i].terms.cap_bytes != 0)
            return complain("uplink %s: a cap cannot be kept by several threads; leave out --threads", out->uplinks[i].interface);
    return true;
}

enum {
    LONG_CHECKSUM = 256, LONG_CONGESTION, LONG_SCHEDULER, LONG_PATH_MANAGER, LONG_LIMIT, LONG_MPTCP, LONG_MEMORY, LONG_ECN,
    LONG_STATISTICS, LONG_THREADS, LONG_RECEIVE_BUFFER
};

static const struct option long_options[] = {
    {"uplink", required_argument, NULL, 'u'},
    {"policy", required_argument, NULL, 'p'},
    {"trace", required_argument, NULL, 't'},
    {"pcap", required_argument, NULL, 'c'},
    {"live", no_argument, NULL, 'l'},
    {"checksum", no_argument, NULL, LONG_CHECKSUM},
    {"help", no_argument, NULL, 'h'},
    {"congestion", required_argument, NULL, LONG_CONGESTION},
    {"scheduler", required_argument, NULL, LONG_SCHEDULER},
    {"path-manager", required_argument, NULL, LONG_PATH_MANAGER},
    {"limit", required_argument, NULL, LONG_LIMIT},
    {"mptcp", required_argument, NULL, LONG_MPTCP},
    {"memory", required_argument, NULL, LONG_MEMORY},
    {"ecn", no_argument, NULL, LONG_ECN},
    {"statistics", required_argument, NULL, LONG_STATISTICS},
    {"threads", required_argument, NULL, LONG_THREADS},
    {"receive-buffer", required_argument, NULL, LONG_RECEIVE_BUFFER},
    {0},
};

static bool take_option(struct run_options *out, int option, char **argv) {
    switch (option) {
    case 'u':
        return take_uplink(out, optarg);
    case 'p':
        return take_policy(out, optarg);
    case 't':
        out->trace_path = optarg;
        return true;
    case 'c':
        out->pcap_path = optarg;
        return true;
    case 'l':
        out->live = true;
        return true;
    case 'h':
        out->help = true;
        return true;
    case LONG_CHECKSUM:
        out->checksum = true;
        return true;
    case LONG_STATISTICS:
        out->statistics_path = optarg;
        return true;
    case LONG_ECN:
        out->ecn = true;
        return true;
    case LONG_CONGESTION:
        return take_name(&out->congestion, optarg, "congestion control", braid_congestion_name);
    case LONG_SCHEDULER:
        return take_name(&out->scheduler, optarg, "scheduler", braid_scheduler_name);
    case LONG_PATH_MANAGER:
        return take_name(&out->path_manager, optarg, "path manager", braid_path_manager_name);
    case LONG_MPTCP:
        return take_versions(out, optarg);
    case LONG_MEMORY:
        return take_memory(out, optarg);
    case LONG_THREADS:
        return take_threads(out, optarg);
    case LONG_RECEIVE_BUFFER:
        return take_receive_buffer(out, optarg);
    case LONG_LIMIT:
        return take_limits(out, optarg);
    case ':':
        return complain("%s wants a value; see braid run --help", argv[optind - 1]);
    default:
        break;
    }
    if (optopt != 0 && optopt < LONG_CHECKSUM)
        return complain("unknown option -%c; see braid run --help", optopt);
    return complain("unknown option %s; see braid run --help", argv[optind - 1]);
}

bool run_options_parse(int argc, char **argv, struct run_options *out) {
    int option;
    *out = (struct run_options){.policy = ENGINE_POLICY_HANDOVER,
                                .threads = 1,
                                .limits = {.subflows = SUBFLOWS_DEFAULT,
                                           .add_addr_accepted = BRAID_ADD_ADDR_ACCEPTED_MAX,
                                           .ndiffports = NDIFFPORTS_DEFAULT}};
    opterr = 0;
    optind = 0; /* begins anew, whatever was parsed before (getopt(3)) */
    /* "+": what follows the command's name is the command's. */
    while ((option = getopt_long(argc, argv, "+:u:p:t:c:lh", long_options, NULL)) != -1)
        if (!take_option(out, option, argv)) return false;
    out->command = argv + optind;
    if (out->help) return true;
    if (!fit_together(out)) return false;
    if (*out->command != NULL) return true;
    return complain("which command? Usage: braid run [OPTION]... [--] COMMAND [ARGUMENT]...");
}
