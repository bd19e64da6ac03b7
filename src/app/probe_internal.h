/* Inside of the probe.
 *
 * A client says in one line what it wants, "download BYTES SEED", "upload BYTES SEED" or "echo SIZE", each
 * with a new line behind it. After an upload the server answers with one line of JSON: what it saw. */
#ifndef APP_PROBE_INTERNAL_H
#define APP_PROBE_INTERNAL_H

#include <jansson.h>
#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct probe_options {
    const char *host, *port; /* of the server */
    bool mptcp;              /* the kernel's, by IPPROTO_MPTCP */
    const char *congestion;  /* NULL: what the kernel takes */
    int receive_buffer_bytes; /* SO_RCVBUF; 0: the kernel tunes it */
    bool upload;
    uint64_t bytes, seed;
    double for_s; /* not 0: for so long, in place of bytes */
    uint32_t write_max; /* not 0: writes of random sizes up to this */
    double rate, seconds, timeout_s;
    uint32_t size; /* of a message */
};

/* What `braid probe ARGUMENT...` (argv[0] is "probe") asks for: "bulk", "messages", ... NULL: what is wrong was said. The
 * texts in `options` are argv's, which is changed. */
const char *probe_read_call(int argc, char **argv, struct probe_options *options);

double probe_now(void); /* seconds on CLOCK_MONOTONIC, which all hosts of a lab share */

/* ---- probe_socket.c: -1 after having said why ---- */

int probe_connect(const struct probe_options *options);
int probe_listen(const struct probe_options *options);
bool probe_write_all(int fd, const void *bytes, size_t length);
/* Up to and with the new line, which is taken off. False at the end of the stream, or if it is longer than
 * `size`. */
bool probe_read_line(int fd, char *line, size_t size);
void probe_set_timeout(int fd, double seconds);
void probe_no_delay(int fd);

/* ---- probe_stream.c: bytes that can be told from any others ---- */

/* A block that repeats; its size is a prime, so that bytes out of place do not fit by chance. */
#define PROBE_PATTERN_BYTES 1048573
struct probe_pattern {
    uint8_t *bytes; /* the block twice, so that any offset has one block of bytes behind it */
    uint64_t seed;
};
bool probe_pattern_init(struct probe_pattern *pattern, uint64_t seed);
void probe_pattern_deinit(struct probe_pattern *pattern);

/* What a receiver saw. */
struct probe_seen {
    uint64_t bytes;
    bool as_sent;
    int error; /* errno of a stream that broke */
    double first_s, last_s;
    double gaps[512][2]; /* the longest pauses between two reads */
    size_t gap_count;
    double longest_gap_s;
};
/* Sends so many bytes of the pattern, or until `end_s` by probe_now() if that is not 0. 0 or an errno value. */
int probe_send_stream(int fd, const struct probe_pattern *pattern, uint64_t bytes, double end_s, uint32_t write_max);
/* Receives to the end of the stream, until `bytes` have come, or until `end_s` if that is not 0. */
void probe_receive_stream(int fd, const struct probe_pattern *pattern, uint64_t bytes, double end_s,
                          struct probe_seen *seen);
json_t *probe_seen_json(const struct probe_seen *seen);

/* ---- what there is to run ---- */

int probe_serve(const struct probe_options *options);
int probe_bulk(const struct probe_options *options);
int probe_messages(const struct probe_options *options);
int probe_receive(const struct probe_options *options);
int probe_send(const struct probe_options *options);

#endif
