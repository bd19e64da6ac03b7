/* Random walks: a whole world (paths, noise, middleboxes, conversations), and then things happen to it at any moment:
 * paths die and come back, addresses change, applications pause, shut down, abort. At last everything heals. Whatever
 * happened, what was read is what was written, nothing is acknowledged that was not received, no connection hangs, and all
 * memory comes back.
 *
 * What a walk is made of is data: a plan. One is drawn from a seed; or read from a text that a person wrote, or that a
 * walk which failed was shrunk to. The text says the same for ever, however draws may change. */
#ifndef SIM_WALK_H
#define SIM_WALK_H

#include <stdio.h>
#include <sim/middlebox.h>
#include <sim/phone.h>
#include <sim/world.h>

enum sim_walk_limit {
    SIM_WALK_TALKS_MAX = 4,
    SIM_WALK_BOXES_MAX = 2, /* of a path */
    SIM_WALK_EVENTS_MAX = 32,
    SIM_WALK_FAULT_MAX = 200,
    SIM_WALK_HEALED_S = 600, /* by then, after all is well again, everyone must be through */
};

enum sim_walk_box_kind {
    SIM_WALK_NO_BOX,
    SIM_WALK_NAT,
    SIM_WALK_SEQUENCE,
    SIM_WALK_SPLITTER,
    SIM_WALK_FIREWALL,
    SIM_WALK_WINDOW,
    SIM_WALK_OPTION,
    SIM_WALK_COALESCER,
    SIM_WALK_PROXY,
    SIM_WALK_SYN_DROPPER,
    SIM_WALK_SYN_PAYLOAD,
    SIM_WALK_MISDIRECTOR, /* to the twin: none without one */
    SIM_WALK_BOX_KINDS,
};
struct sim_walk_box {
    enum sim_walk_box_kind kind;
    struct sim_nat_config nat; /* its outside is the path's */
    struct sim_sequence_config sequence;
    struct sim_split_config split;
    struct sim_firewall_config firewall;
    struct sim_window_config window;
    struct sim_option_config option;
    struct sim_coalesce_config coalesce;
    struct sim_proxy_config proxy;
    uint64_t syns_dropped;
};

enum sim_walk_event_kind {
    SIM_WALK_PATH_DOWN, /* the first seven: of a path */
    SIM_WALK_PATH_UP,
    SIM_WALK_PATH_BLACKHOLE,
    SIM_WALK_PATH_RENUMBER,
    SIM_WALK_PATH_BACKUP,
    SIM_WALK_PATH_SHAPE,
    SIM_WALK_NAT_FORGETS,
    SIM_WALK_READER_PAUSES,
    SIM_WALK_READER_RESUMES,
    SIM_WALK_WRITER_SHUTS,
    SIM_WALK_APPLICATION_ABORTS,
    SIM_WALK_APPLICATION_RELEASES,
    SIM_WALK_APPLICATION_TUNES,
    SIM_WALK_EVENT_KINDS,
};
struct sim_walk_event {
    enum sim_walk_event_kind kind;
    braid_time at_ns;
    uint32_t path;             /* of an event of a path */
    unsigned ways;             /* that fall silent: enum sim_directions */
    bool backup;
    struct sim_path_config shape;
    uint32_t talk;             /* the others */
    enum sim_direction side;
    struct braid_tuning tuning;
};

struct sim_walk_stack {
    struct braid_stack_config config;
    uint64_t fails_at; /* this allocation, counted from 1, and all later ones until all heals; 0: none */
    uint64_t fails;    /* not all later ones, but so many in a row */
};
struct sim_walk_path {
    bool late; /* not there until an event, or healing, brings it up */
    struct sim_path_config config;
    bool noisy;
    struct sim_noise_config noise;
    struct sim_walk_box boxes[SIM_WALK_BOXES_MAX];
};
struct sim_walk_talk {
    bool there;
    struct sim_conversation_config config;
};

struct sim_walk_plan {
    uint64_t seed; /* of all that is drawn on the way: losses, keys, ports */
    bool checksums, ipv6, twin, announced, client_announces;
    uint32_t check_every, super_segment_bytes;
    struct sim_walk_stack client, server;
    struct sim_walk_path paths[SIM_PATHS_MAX];
    unsigned path_count;
    struct sim_walk_talk talks[SIM_WALK_TALKS_MAX];
    struct sim_walk_event events[SIM_WALK_EVENTS_MAX];
    unsigned event_count;
};

void sim_walk_draw(uint64_t seed, struct sim_walk_plan *out);

/* A line for each thing, NAME=VALUE for all that is not zero. */
void sim_walk_print(const struct sim_walk_plan *plan, FILE *file);
/* False: `complaint` says why, in one line. # begins a comment. */
bool sim_walk_read(FILE *file, struct sim_walk_plan *out, char *complaint, size_t room) MUST_USE;
/* What cannot be walked; NULL: it can. */
const char *sim_walk_wrong(const struct sim_walk_plan *plan);

/* --- a plan's numbers, one after the other, for whoever makes it smaller --- */

/* How many there are that are not zero. */
unsigned sim_walk_number_count(const struct sim_walk_plan *plan);
/* Makes the i-th of them simpler (smaller, or rounder); `how` counts the ways to do that, from 0 on, the boldest first. */
enum sim_walk_simpler { SIM_WALK_SIMPLER, SIM_WALK_AS_IT_WAS, SIM_WALK_NO_MORE_WAYS };
enum sim_walk_simpler sim_walk_number_simplify(struct sim_walk_plan *plan, unsigned index, unsigned how) MUST_USE;

/* --- walking --- */

struct sim_walk_hooks {
    FILE *log; /* what happens; NULL: silence */
    struct sim_observer observer;
    void (*trace)(void *context, const char *host, braid_time now, const char *event,
                  const struct braid_trace_field *fields, size_t count);
};
struct sim_walk_result {
    char fault[SIM_WALK_FAULT_MAX]; /* empty: all is well */
    uint64_t hash, packets;
    braid_time simulated_ns;
    uint64_t allocations[2]; /* of the client's and the server's stack */
};
void sim_walk(const struct sim_walk_plan *plan, const struct sim_walk_hooks *hooks, struct sim_walk_result *out);

#endif
