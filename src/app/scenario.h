/* A lab's scenario, as read from its YAML file: hosts, links, files, services, and runs with their timelines.
 */
#ifndef APP_SCENARIO_H
#define APP_SCENARIO_H

#include <braid/env.h>
#include <braid/stack.h>
#include <host/engine.h>
#include <sim/link_model.h>
#include <sim/noise_model.h>
#include <wire/address.h>

/* Where in the file something was said, for those who find out later that it does not work. */
struct scenario_place {
    const char *file;
    unsigned line;
};

struct scenario_prefix {
    struct ip_address address;
    uint8_t length;
};

struct scenario_route {
    struct scenario_place place;
    struct scenario_prefix to; /* length 0: the default route */
    struct ip_address via;     /* family IP_NONE: on link, by `interface` */
    const char *interface;     /* NULL: the one that reaches `via` */
    uint32_t metric;
};

struct scenario_sysctl {
    struct scenario_place place;
    const char *name, *value;
};

struct scenario_host {
    struct scenario_place place;
    const char *name;
    bool forwarding;
    const char *nameserver; /* NULL: as outside */
    struct scenario_sysctl *sysctls;
    size_t sysctl_count;
    struct scenario_route *routes;
    size_t route_count;
};

/* One end of a link: an interface of a host. */
struct scenario_end {
    struct scenario_place place;
    unsigned host; /* index */
    const char *interface;
    struct scenario_prefix *addresses;
    size_t address_count;
    /* A default route by this interface for each family that has one. */
    struct ip_address gateways[2];
    size_t gateway_count;
    uint32_t metric;
};

/* What is emulated, by direction. */
enum scenario_direction { SCENARIO_UP, SCENARIO_DOWN }; /* from ends[0] to ends[1], and back */
struct scenario_shape {
    uint64_t rate_bps; /* 0: unlimited */
    braid_time delay_ns;
    uint64_t queue_bytes;
    braid_time queue_ns;
    double loss;
    const struct link_trace *trace; /* not NULL: delivery opportunities instead of a rate */
    struct sim_noise_config noise;
};

/* Takes over what `bits` name. */
void scenario_shape_change(struct scenario_shape *shape, const struct scenario_shape *wanted, unsigned bits);

/* As the link model takes it; `begins_ns`: when a trace begins. */
struct link_model_config scenario_shape_model(const struct scenario_shape *shape, braid_time begins_ns);

struct scenario_box;

struct scenario_link {
    struct scenario_place place;
    const char *name;
    struct scenario_end ends[2];
    bool direct; /* nothing between the ends but a wire, offloads on */
    bool path;   /* its bytes are measured and shown */
    uint32_t mtu;
    struct scenario_shape shape[2];
    uint32_t path_mtu;    /* what passes in the middle of it; 0: all that its ends can send */
    bool path_mtu_silent; /* and what is larger is lost without a word */
    struct scenario_box *boxes; /* see scenario_box.h; from ends[0] to ends[1] */
    size_t box_count;
};

/* Which fields of a shape an event changes. */
enum scenario_shape_bits {
    SCENARIO_RATE = 1,
    SCENARIO_DELAY = 2,
    SCENARIO_QUEUE = 4,
    SCENARIO_LOSS = 8,
    SCENARIO_TRACE = 16,
    SCENARIO_JITTER = 32,
    SCENARIO_BURST = 64,
    SCENARIO_REORDER = 128,
    SCENARIO_DUPLICATE = 256,
    SCENARIO_CORRUPT = 512,
    SCENARIO_NOISE = SCENARIO_JITTER | SCENARIO_BURST | SCENARIO_REORDER | SCENARIO_DUPLICATE | SCENARIO_CORRUPT,
};

enum scenario_action {
    SCENARIO_LINK_DOWN,      /* ends[0]'s interface is set down, as `ip link set down` does */
    SCENARIO_LINK_BLACKHOLE, /* nothing passes, nobody is told */
    SCENARIO_LINK_UNPLUG,    /* ends[0]'s interface loses its carrier */
    SCENARIO_LINK_UP,        /* undoes these, with addresses and routes as in the beginning */
    SCENARIO_LINK_SHAPE,     /* rate, delay, queue or loss change, or what else is in a shape */
    SCENARIO_LINK_RENUMBER,  /* ends[0]'s address of that family gives way to another */
    SCENARIO_LINK_FORGET,    /* its middleboxes forget what they know of flows */
    SCENARIO_EXEC,           /* a command runs on a host */
};

struct scenario_event {
    struct scenario_place place;
    braid_time at_ns; /* since the run's command started */
    const char *name; /* what results call it; unique in a timeline */
    enum scenario_action action;
    unsigned link;                  /* of all but EXEC */
    unsigned shape_bits[2];         /* of SHAPE: what changes, by direction */
    struct scenario_shape shape[2]; /* of SHAPE */
    unsigned directions;            /* of BLACKHOLE, bits: 1 up, 2 down */
    struct scenario_prefix address; /* of RENUMBER */
    unsigned host;                  /* of EXEC */
    const char *command;            /* of EXEC */
};

struct scenario_timeline {
    struct scenario_event *events; /* in order of time */
    size_t count;
};

struct scenario_file {
    struct scenario_place place;
    const char *path; /* under the lab's temporary folder */
    const char *text; /* NULL: `bytes` pseudo-random bytes from `seed` */
    uint64_t bytes, seed;
};

enum scenario_ready {
    SCENARIO_READY_AT_ONCE,
    SCENARIO_READY_TCP,
    SCENARIO_READY_UDP,
    SCENARIO_READY_COMMAND
};
struct scenario_service {
    struct scenario_place place;
    const char *name;
    unsigned host;
    const char *command;
    enum scenario_ready ready;
    uint16_t ready_port;       /* of TCP and UDP: something listens there, or is bound to it */
    const char *ready_command; /* of COMMAND: has exit status 0 */
    braid_time timeout_ns;
};

struct scenario_command {
    struct scenario_place place;
    unsigned host;
    const char *command;
};

/* What a run transfers, said without a command: between its host and a server, over braid. */
struct scenario_messages {
    double rate, seconds; /* so many a second, for so long; rate 0: no messages */
    uint32_t bytes;       /* of each; the server sends every one of them back */
};
struct scenario_transfer {
    struct scenario_place place;
    unsigned server;              /* the host */
    struct ip_address address;    /* of the server */
    uint64_t bytes[2];            /* by direction: the run's host uploads, the server is downloaded from */
    struct scenario_messages messages;
    struct engine_uplink_choice *uplinks; /* in order of preference; NULL: as braid run chooses by itself */
    size_t uplink_count;
    bool aggregate;               /* braid run's policy */
    bool checksum;
    enum braid_versions versions; /* of MPTCP */
    const char *congestion;       /* of the run's host; NULL: braid run's own choice */
    const char *server_congestion; /* NULL: the server's own choice */
    const char *scheduler, *server_scheduler; /* the same; only where the server is braid's, as in braid sim */
    bool plain;                   /* TCP instead of Multipath TCP */
};

enum scenario_output {
    SCENARIO_OUTPUT_STREAM, /* bytes to be timed and hashed */
    SCENARIO_OUTPUT_JSON,   /* a result, which goes into ours */
};

struct scenario_run {
    struct scenario_place place;
    const char *name;
    const char *title;
    struct scenario_command *before; /* one after the other, each must succeed */
    size_t before_count;
    struct scenario_service *services; /* of this run alone */
    size_t service_count;
    struct scenario_command command;      /* .command NULL: no command does what `transfer` says */
    struct scenario_transfer *transfer;   /* NULL: only the command says what the run does */
    const char *measure; /* the service of this run whose output is measured; NULL: the command's own */
    enum scenario_output output;
    const char *same_as; /* file whose SHA-256 the output should have; NULL: none */
    braid_time limit_ns;
    struct scenario_timeline timeline;
    /* What makes the lab exit with 0. */
    bool expects_exit, expects_same;
    int expected_exit;
};

struct scenario {
    const char *file, *title;
    struct scenario_host *hosts;
    size_t host_count;
    struct scenario_link *links;
    size_t link_count;
    struct scenario_file *files;
    size_t file_count;
    struct scenario_service *services;
    size_t service_count;
    struct scenario_run *runs;
    size_t run_count;
    struct scenario_timeline timeline; /* of runs that say nothing else */
    void *arena;
};

/* Reads the file. NULL when it cannot be used: then one line, "file:line: reason", was written to standard
 * error. */
struct scenario *scenario_read(const char *file);
void scenario_free(struct scenario *scenario);

/* One event, as said in a timeline but without `at`: "down: wlan0". It is the scenario's. NULL: as above. */
const struct scenario_event *scenario_parse_event(struct scenario *scenario, const char *text);

/* "wlan0 down": what an event does, for people. */
void scenario_event_text(const struct scenario *scenario, const struct scenario_event *event, char *text, size_t size);

/* The host of that name and its first address, or the host that has this address. */
bool scenario_find_server(const struct scenario *scenario, const char *text, unsigned *host,
                          struct ip_address *address);

/* -1 when there is none of that name. */
int scenario_find_host(const struct scenario *scenario, const char *name);
int scenario_find_link(const struct scenario *scenario, const char *name);
int scenario_find_run(const struct scenario *scenario, const char *name);
/* The names there are, for a complaint, with commas; at most as many as there is room for. */
void scenario_run_names(const struct scenario *scenario, char *text, size_t room);
void scenario_host_names(const struct scenario *scenario, char *text, size_t room);

#endif
