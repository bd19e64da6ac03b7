/* One end of a connection over braid's host API, the other being the kernel's sockets (ends.c) or another of
 * these.
 *
 *     braid_peer [OPTION]... serve PORT HOW
 *     braid_peer [OPTION]... connect ADDRESS PORT HOW
 *
 * HOW is as in ends.c: closes_first, closes_last, both_close, resets, is_reset, small_writes, refuses,
 * is_unreachable. Prints what it saw as JSON; exit status 0 when all went as HOW says, 1 when not, 2 for what
 * cannot be done as asked.
 *
 *     --uplink IFACE[:backup]   may be given several times
 *     --handover                the others are backup
 *     --bytes N                 instead of a megabyte
 *     --announce-only ADDRESS   one of ours, by which connections do not join
 *     --checksum, --cookies (always), --announce, --trace FILE, --pcap FILE, --timeout SECONDS (60, for each wait) */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <braid/braid.h>

#define WRITES 10000u
#define WRITE_MAX_BYTES 1400u
#define PORTS 64
#define LINGER_NS (10 * BRAID_NS_PER_S)

static struct braid_uplink uplinks[8];
static const char *announced_only;
static uint64_t bytes_each_way = 1000000;
static braid_time patience_ns = 60 * BRAID_NS_PER_S;
static struct {
    uint64_t sent, received;
    struct braid_connection_info info;
    const char *problem;
    int error;
    unsigned paths; /* at one time, at the most */
    uint64_t cookies; /* that connections began with */
} seen;

static bool expect(bool holds, const char *what, int64_t result) {
    if (holds || seen.problem != NULL) return holds;
    seen.problem = what;
    seen.error = result < 0 ? (int)-result : 0;
    return false;
}

/* ---- the bytes: as in ends.c ---- */

static uint8_t byte_at(uint64_t i, bool of_server) {
    uint64_t x = (i / 251 + 1) * (of_server ? UINT64_C(0x9e3779b97f4a7c15) : UINT64_C(0xd1b54a32d192ed03));
    return (uint8_t)((x >> 32) + i);
}

static size_t write_size(unsigned i, bool of_server) {
    return 1 + (i * 2654435761u + (of_server ? 12345u : 0)) / 7 % WRITE_MAX_BYTES;
}

static uint64_t small_writes_bytes(bool of_server) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < WRITES; i++)
        bytes += write_size(i, of_server);
    return bytes;
}

static void note_paths(struct braid_stream *stream) {
    struct braid_connection_info info;
    braid_connection_info(braid_stream_connection(stream), &info);
    if (info.paths > seen.paths) seen.paths = info.paths;
}

/* ---- sending and taking, both at once where needed ---- */

struct half {
    bool of_server, small, ended;
    uint64_t done, total;
    unsigned writes;
    size_t write_left; /* of the small write under way */
};

static struct half half_of(bool of_server, bool small) {
    return (struct half){.of_server = of_server,
                         .small = small,
                         .total = small ? small_writes_bytes(of_server) : bytes_each_way};
}

static size_t next_write(struct half *half) {
    static const size_t block = 65536;
    if (half->small) {
        if (half->write_left == 0) half->write_left = write_size(half->writes++, half->of_server);
        return half->write_left;
    }
    return half->total - half->done < block ? (size_t)(half->total - half->done) : block;
}

/* One write and, when all is written, the end. False: it went wrong. */
static bool send_some(struct braid_stream *stream, struct half *half, braid_time timeout_ns) {
    uint8_t block[65536];
    if (half->ended) return true;
    if (half->done < half->total) {
        size_t length = next_write(half);
        for (size_t i = 0; i < length; i++)
            block[i] = byte_at(half->done + i, half->of_server);
        int64_t sent = braid_send(stream, block, length, timeout_ns);
        if (sent == -EAGAIN && timeout_ns == 0) return true;
        if (!expect(sent > 0, "sending failed", sent)) return false;
        half->done += (uint64_t)sent;
        if (half->small) half->write_left -= (size_t)sent;
        seen.sent = half->done;
        note_paths(stream);
    }
    if (half->done < half->total) return true;
    half->ended = true;
    int result = braid_shutdown(stream);
    return expect(result == 0, "ending our direction failed", result);
}

static bool take_some(struct braid_stream *stream, struct half *half, braid_time timeout_ns) {
    uint8_t block[65536];
    if (half->ended) return true;
    int64_t got = braid_recv(stream, block, sizeof(block), timeout_ns);
    if (got == -EAGAIN && timeout_ns == 0) return true;
    if (!expect(got >= 0, "the stream did not end as it should", got)) return false;
    half->ended = got == 0;
    for (int64_t i = 0; i < got; i++)
        if (!expect(block[i] == byte_at(half->done + (uint64_t)i, half->of_server),
                    "a byte that arrived is not the one sent", 0))
            return false;
    half->done += (uint64_t)got;
    seen.received = half->done;
    note_paths(stream);
    return !half->ended ||
           expect(half->done == half->total, "the stream does not have the length it should", 0);
}

static bool send_all(struct braid_stream *stream, struct half half) {
    while (!half.ended)
        if (!send_some(stream, &half, patience_ns)) return false;
    return true;
}

static bool take_all(struct braid_stream *stream, struct half half) {
    while (!half.ended)
        if (!take_some(stream, &half, patience_ns)) return false;
    return true;
}

static bool both_at_once(struct braid_host *host, struct braid_stream *stream, struct half ours,
                         struct half theirs) {
    struct braid_ready ready;
    while (!ours.ended || !theirs.ended) {
        uint64_t before = ours.done + theirs.done;
        if (!send_some(stream, &ours, 0) || !take_some(stream, &theirs, 0)) return false;
        bool moved = ours.done + theirs.done > before;
        if (!moved && !(ours.ended && theirs.ended) &&
            !expect(braid_wait(host, &ready, patience_ns), "nothing happened for too long", 0))
            return false;
    }
    return true;
}

/* ---- how ---- */

static bool reset(struct braid_stream *stream, bool server) {
    uint8_t some[1000];
    for (size_t i = 0; i < sizeof(some); i++)
        some[i] = byte_at(i, server);
    int64_t result = braid_send(stream, some, sizeof(some), patience_ns);
    if (!expect(result == sizeof(some), "sending failed", result)) return false;
    for (size_t have = 0; have < sizeof(some); have += (size_t)result) {
        result = braid_recv(stream, some, sizeof(some) - have, patience_ns);
        if (!expect(result > 0, "nothing came before the reset", result)) return false;
    }
    return true;
}

static bool expect_reset(struct braid_stream *stream, bool server) {
    uint8_t some[1000];
    int64_t result;
    for (size_t i = 0; i < sizeof(some); i++)
        some[i] = byte_at(i, server);
    result = braid_send(stream, some, sizeof(some), patience_ns);
    if (!expect(result == sizeof(some), "sending failed", result)) return false;
    while ((result = braid_recv(stream, some, sizeof(some), patience_ns)) > 0)
        continue;
    return expect(result == -ECONNRESET, "the connection ended otherwise than by a reset", result);
}

static bool converse(struct braid_host *host, struct braid_stream *stream, bool server, const char *how) {
    bool first = strcmp(how, "closes_first") == 0, last = strcmp(how, "closes_last") == 0;
    bool small = strcmp(how, "small_writes") == 0, went_well;
    struct half ours = half_of(server, small), theirs = half_of(!server, small);
    if (first || last) {
        if (first == server)
            went_well = send_all(stream, ours) && take_all(stream, theirs);
        else
            went_well = take_all(stream, theirs) && send_all(stream, ours);
    } else if (strcmp(how, "both_close") == 0 || small) {
        went_well = both_at_once(host, stream, ours, theirs);
    } else if ((strcmp(how, "resets") == 0) == server) {
        went_well = reset(stream, server);
        braid_connection_info(braid_stream_connection(stream), &seen.info);
        braid_abort(stream);
        return went_well;
    } else {
        went_well = expect_reset(stream, server);
    }
    braid_connection_info(braid_stream_connection(stream), &seen.info);
    if (went_well && ours.total > 0 && strcmp(how, "is_reset") != 0 && strcmp(how, "resets") != 0) {
        int result = braid_drain(stream, patience_ns);
        went_well = expect(result == 0, "not everything was acknowledged", result);
    }
    braid_close(stream);
    return went_well;
}

static bool serve(struct braid_host *host, const char *port, const char *how) {
    int error;
    struct braid_server *server = braid_listen(host, (uint16_t)atoi(port), &error);
    if (!expect(server != NULL, "cannot listen", error)) return false;
    fprintf(stderr, "listening\n");
    struct braid_stream *stream = braid_accept(server, patience_ns, &error);
    if (!expect(stream != NULL, "nobody connected", error)) return false;
    bool went_well = converse(host, stream, true, how);
    braid_server_close(server);
    return went_well;
}

/* Nothing is joined by it; the peer may join to it. */
static bool announce_only_one(struct braid_host *host) {
    struct braid_stack *stack = braid_host_stack(host);
    struct braid_address address = {.family = 4};
    const struct braid_address_terms terms = {0};
    struct timespec clock;
    int link = 0;
    if (announced_only == NULL) return true;
    if (inet_pton(AF_INET, announced_only, address.bytes) != 1) return false;
    clock_gettime(CLOCK_MONOTONIC, &clock); /* the host's */
    braid_time now = (braid_time)clock.tv_sec * BRAID_NS_PER_S + (braid_time)clock.tv_nsec;
    while (link < 8 && !braid_stack_address_terms(stack, link, &address, &terms)) link++;
    return braid_stack_endpoint_add(stack, link, &address, BRAID_ENDPOINT_SIGNAL, now);
}

static bool connect_to(struct braid_host *host, const char *address, const char *port, const char *how) {
    int error = 0;
    if (!expect(announce_only_one(host), "that address is not ours", 0)) return false;
    struct braid_stream *stream = braid_open(host, address, (uint16_t)atoi(port), patience_ns, &error);
    if (strcmp(how, "refuses") == 0)
        return expect(stream == NULL && error == -ECONNREFUSED, "connecting did not end in ECONNREFUSED",
                      error);
    if (strcmp(how, "is_unreachable") == 0)
        return expect(stream == NULL && (error == -EHOSTUNREACH || error == -ENETUNREACH),
                      "connecting did not end in unreachable", error);
    return expect(stream != NULL, "connecting failed", error) && converse(host, stream, false, how);
}

/* ---- the command line ---- */

static void add_uplink(struct braid_host_config *config, char *text) {
    char *colon = strchr(text, ':');
    if (config->uplink_count == sizeof(uplinks) / sizeof(uplinks[0])) return;
    if (colon != NULL) *colon = 0;
    uplinks[config->uplink_count++] = (struct braid_uplink){.interface = text, .backup = colon != NULL};
    config->uplinks = uplinks;
}

static bool take_options(int argc, char **argv, struct braid_host_config *config) {
    static const struct option options[] = {
        {"uplink", required_argument, NULL, 'u'},
        {"handover", no_argument, NULL, 'h'},
        {"bytes", required_argument, NULL, 'b'},
        {"checksum", no_argument, NULL, 'c'},
        {"cookies", no_argument, NULL, 'k'},
        {"announce", no_argument, NULL, 'a'},
        {"announce-only", required_argument, NULL, 'o'},
        {"trace", required_argument, NULL, 't'},
        {"timeout", required_argument, NULL, 's'},
        {"pcap", required_argument, NULL, 'p'},
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
        switch (option) {
        case 'u':
            add_uplink(config, optarg);
            break;
        case 'h':
            config->handover = true;
            break;
        case 'b':
            bytes_each_way = strtoull(optarg, NULL, 10);
            break;
        case 'c':
            config->checksum = true;
            break;
        case 'k':
            config->cookies = BRAID_COOKIES_ALWAYS;
            break;
        case 'a':
            config->announce = true;
            break;
        case 'o':
            announced_only = optarg;
            break;
        case 't':
            config->trace_path = optarg;
            break;
        case 'p':
            config->pcap_path = optarg;
            break;
        case 's':
            patience_ns = strtoull(optarg, NULL, 10) * BRAID_NS_PER_S;
            break;
        default:
            return false;
        }
    }
    return true;
}

static uint64_t counter(struct braid_host *host, const char *name) {
    uint64_t value;
    const char *found;
    for (unsigned i = 0; (found = braid_stack_counter(braid_host_stack(host), i, &value)) != NULL; i++)
        if (strcmp(found, name) == 0) return value;
    return 0;
}

static void print_what_was_seen(void) {
    printf("{\"ok\":%s,\"problem\":\"%s%s%s\",\"sent\":%llu,\"received\":%llu,\"multipath\":%s,"
           "\"fallback\":%s,\"checksum\":%s,\"paths\":%u,\"cookies\":%llu}\n",
           seen.problem == NULL ? "true" : "false", seen.problem != NULL ? seen.problem : "",
           seen.error != 0 ? ": " : "", seen.error != 0 ? strerror(seen.error) : "",
           (unsigned long long)seen.sent, (unsigned long long)seen.received,
           seen.info.multipath ? "true" : "false", seen.info.fallback ? "true" : "false",
           seen.info.checksum ? "true" : "false", seen.paths, (unsigned long long)seen.cookies);
}

int main(int argc, char **argv) {
    struct braid_host_config config = {0};
    char text[BRAID_TEXT_MAX];
    bool usable = take_options(argc, argv, &config);
    char **rest = argv + optind;
    int count = argc - optind;
    bool server = count == 3 && strcmp(rest[0], "serve") == 0;
    if (!usable || (!server && !(count == 4 && strcmp(rest[0], "connect") == 0))) {
        fprintf(stderr, "usage: braid_peer [OPTION]... serve PORT HOW | connect ADDRESS PORT HOW\n");
        return 2;
    }
    if (server) {
        config.port_first = (uint16_t)atoi(rest[1]);
        config.port_count = PORTS;
    }
    struct braid_host *host = braid_host_create(&config, text);
    if (host == NULL) {
        fprintf(stderr, "braid_peer: %s\n", text);
        return 2;
    }
    bool went_well = server ? serve(host, rest[1], rest[2]) : connect_to(host, rest[1], rest[2], rest[3]);
    seen.cookies = counter(host, "cookies_accepted");
    int error = braid_host_destroy(host, LINGER_NS);
    went_well &= expect(error == 0, "trace or capture could not be written", error);
    print_what_was_seen();
    return went_well ? 0 : 1;
}
