/* As early.c, over braid's host API:
 *
 *     braid_early UPLINK serve PORT COUNT
 *     braid_early UPLINK connect ADDRESS PORT COUNT
 *
 * Prints {"early": N, "multipath": M}: of how many the request went with the SYN and was taken, and how many had Multipath
 * TCP. What went by is kept in the file that the environment's BRAID_PCAP names. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <braid/braid.h>

#define REQUEST_BYTES 200
#define ANSWER_BYTES 300
#define PATIENCE_NS (20 * BRAID_NS_PER_S)

static void expect(bool holds, const char *what, int64_t result) {
    if (holds) return;
    fprintf(stderr, "braid_early: %s (%s)\n", what, result < 0 ? strerror((int)-result) : "");
    exit(1);
}

static void fill(char *bytes, size_t length, int seed) {
    for (size_t i = 0; i < length; i++) bytes[i] = (char)(i * 7 + (size_t)seed);
}

static void take(struct braid_stream *stream, size_t length, int seed) {
    char got[ANSWER_BYTES], right[ANSWER_BYTES];
    fill(right, length, seed);
    for (size_t have = 0; have < length;) {
        int64_t result = braid_recv(stream, got + have, length - have, PATIENCE_NS);
        expect(result > 0, "too few bytes came", result);
        have += (size_t)result;
    }
    expect(memcmp(got, right, length) == 0, "other bytes came than were sent", 0);
}

static bool multipath(struct braid_stream *stream) {
    struct braid_connection_info info;
    braid_connection_info(braid_stream_connection(stream), &info);
    return info.multipath && !info.fallback;
}

static int serve(struct braid_host *host, const char *port, int count) {
    int error = 0, with_multipath = 0;
    struct braid_server *server = braid_listen(host, (uint16_t)atoi(port), &error);
    expect(server != NULL, "cannot listen", error);
    fprintf(stderr, "listening\n");
    for (int i = 0; i < count; i++) {
        char answer[ANSWER_BYTES];
        struct braid_stream *stream = braid_accept(server, PATIENCE_NS, &error);
        expect(stream != NULL, "nobody connected", error);
        take(stream, REQUEST_BYTES, i);
        fill(answer, sizeof(answer), i + 1);
        expect(braid_send(stream, answer, sizeof(answer), PATIENCE_NS) == sizeof(answer), "sending failed", 0);
        int64_t end = braid_recv(stream, answer, 1, PATIENCE_NS);
        expect(end == 0, "the client did not end as it should", end);
        with_multipath += multipath(stream);
        braid_close(stream);
    }
    return with_multipath;
}

static int connect_to(struct braid_host *host, const char *address, const char *port, int count) {
    int error = 0, with_multipath = 0;
    for (int i = 0; i < count; i++) {
        char request[REQUEST_BYTES], end;
        fill(request, sizeof(request), i);
        struct braid_stream *stream =
            braid_open_with(host, address, (uint16_t)atoi(port),
                            &(struct braid_open_config){.early = request, .early_length = sizeof(request)}, PATIENCE_NS,
                            &error);
        expect(stream != NULL, "connecting failed", error);
        take(stream, ANSWER_BYTES, i + 1);
        with_multipath += multipath(stream);
        braid_shutdown(stream);
        int64_t result = braid_recv(stream, &end, 1, PATIENCE_NS);
        expect(result == 0, "the server did not end as it should", result);
        braid_close(stream);
    }
    return with_multipath;
}

static unsigned counter(struct braid_host *host, const char *name) {
    uint64_t value;
    const char *found;
    for (unsigned i = 0; (found = braid_stack_counter(braid_host_stack(host), i, &value)) != NULL; i++)
        if (strcmp(found, name) == 0) return (unsigned)value;
    return 0;
}

int main(int argc, char **argv) {
    char text[BRAID_TEXT_MAX];
    bool server = argc == 5 && strcmp(argv[2], "serve") == 0;
    if (!server && !(argc == 6 && strcmp(argv[2], "connect") == 0)) {
        fprintf(stderr, "usage: braid_early UPLINK serve PORT COUNT | UPLINK connect ADDRESS PORT COUNT\n");
        return 2;
    }
    struct braid_uplink uplink = {.interface = argv[1]};
    struct braid_host_config config = {.uplinks = &uplink, .uplink_count = 1, .fast_open_pending_max = 16,
                                      .pcap_path = getenv("BRAID_PCAP")};
    if (server) config.port_first = (uint16_t)atoi(argv[3]);
    if (server) config.port_count = 64;
    struct braid_host *host = braid_host_create(&config, text);
    if (host == NULL) {
        fprintf(stderr, "braid_early: %s\n", text);
        return 2;
    }
    int with_multipath = server ? serve(host, argv[3], atoi(argv[4])) : connect_to(host, argv[3], argv[4], atoi(argv[5]));
    printf("{\"early\":%u,\"multipath\":%d}\n", counter(host, server ? "fast_open_accepted" : "fast_open_taken"), with_multipath);
    return braid_host_destroy(host, PATIENCE_NS) == 0 ? 0 : 1;
}
