/* The command line of `braid run`. */
#ifndef APP_RUN_OPTIONS_H
#define APP_RUN_OPTIONS_H

#include <host/engine.h>

#define RUN_THREADS_MAX 16

struct run_options {
    struct engine_uplink_choice uplinks[BRAID_LINKS_MAX];
    size_t uplink_count;
    enum engine_policy policy;
    const char *trace_path, *pcap_path, *statistics_path;
    const char *congestion;
    const char *scheduler;
    const char *path_manager;
    struct braid_path_limits limits;
    bool limited;
    enum braid_versions versions;
    uint64_t memory_bytes; /* of all connections together; 0: no bound but each one's */
    uint32_t receive_buffer_bytes; /* of one connection; 0: what the stack takes */
    bool plain; /* no Multipath TCP */
    unsigned threads; /* 1..RUN_THREADS_MAX */
    bool checksum, ecn, live;
    bool help;
    char **command; /* ends with NULL */
};

/* False: what is wrong was said on standard error, in one line. argv is changed. */
bool run_options_parse(int argc, char **argv, struct run_options *out);
void run_options_help(void);

#endif
