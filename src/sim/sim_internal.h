/* What the files of the simulator share. */
#ifndef SIM_INTERNAL_H
#define SIM_INTERNAL_H

#include <stdlib.h>
#include <string.h>
#include <sim/link.h>
#include <sim/world.h>

enum sim_limit {
    SIM_HOST_LINKS_MAX = 16,
    SIM_ROUTES_MAX = 32,
    SIM_HEARD_MAX = 128,           /* sources whose link a host remembers */
    SIM_DROP_REASONS_MAX = 24,     /* by link */
    SIM_OUTPUT_BATCH = 32,
    SIM_STEPS_WITHOUT_TIME = 2000000, /* more at one moment: something goes round in circles */
};

struct sim_world {
    struct sim_world_config config;
    struct braid_env env;
    uint64_t live_bytes;
    struct prng prng;
    braid_time now;
    struct heap timers;
    struct sim_pool pool;
    struct sim_host *hosts;
    struct sim_link *links;
    struct sim_host *touched, **touched_end;
    struct sim_conversation *conversations;
    unsigned host_count, link_count;
    uint64_t hash, steps, packets, steps_at_now;
};

struct sim_interface {
    const char *name;
    uint32_t mtu_bytes;
    bool up;
    struct {
        struct braid_address address;
        bool used, backup, announce;
    } addresses[SIM_ADDRESSES_MAX];
};

struct sim_route {
    struct ip_address prefix;
    unsigned length;
    struct sim_link *link;
};

struct sim_host {
    struct sim_world *world;
    struct sim_host *next, *next_touched;
    const char *name;
    struct braid_stack *stack; /* NULL: a router */
    struct braid_env env;
    struct prng secret;
    uint64_t live_bytes, peak_bytes, allocations;
    int64_t allocations_left; /* below 0: no limit */
    uint64_t failures_left;   /* once there are none */
    bool touched;
    struct sim_timer timer;
    struct sim_listener listener;
    struct sim_interface interfaces[SIM_INTERFACES_MAX];
    int interface_count;
    struct {
        struct sim_link *link;
        unsigned end;
    } links[SIM_HOST_LINKS_MAX];
    unsigned link_count;
    struct sim_route routes[SIM_ROUTES_MAX];
    unsigned route_count;
    struct {
        struct ip_address address;
        struct sim_link *link;
    } heard[SIM_HEARD_MAX];
    unsigned heard_count, heard_next;
    uint64_t packets_without_route;
};

struct sim_link {
    struct sim_world *world;
    struct sim_link *next;
    const char *name;
    unsigned number;
    struct sim_link_end ends[2];
    struct sim_box *boxes[SIM_BOXES_MAX];
    unsigned box_count;
    struct {
        const char *reason;
        uint64_t count;
    } drops[SIM_DROP_REASONS_MAX];
    uint64_t dropped;
};

/* world.c */
void world_saw(struct sim_world *world, enum sim_moment moment, struct sim_host *host, int interface,
               struct sim_link *link, const struct sim_packet *packet);

/* host.c */
struct sim_host *host_create(struct sim_world *world, const char *name);
void host_destroy(struct sim_host *host);
/* Everything it has to send and to say, until there is no more. */
void host_settle(struct sim_host *host);
/* A packet from `link` has come to the host; it is the host's now. */
void host_packet(struct sim_host *host, int interface, struct sim_link *link, struct sim_packet *packet);

/* link.c */
/* A packet enters the link at `end`; it is the link's now. */
void link_packet(struct sim_link *link, unsigned end, struct sim_packet *packet, braid_time now);
void link_destroy(struct sim_link *link);

/* conversation.c */
void conversations_destroy(struct sim_world *world);

#endif
