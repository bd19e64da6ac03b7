/* What the files of the engine share. */
#ifndef HOST_ENGINE_INTERNAL_H
#define HOST_ENGINE_INTERNAL_H

#include <host/engine.h>
#include <host/fd_watch.h>
#include <host/netlink_watch.h>
#include <host/rest.h>
#include <host/team.h>
#include <host/uplink.h>
#include "packet_queue.h"

enum engine_limit {
    ENGINE_ROUNDS_MAX = 8, /* batches taken from each link before the loop looks at the rest of the world */
    ENGINE_OUTPUT_BATCH = 64,
    ENGINE_ADDRESSES_MAX = 32, /* looked at on one interface */
    ENGINE_ROUTES_MAX = 64,
};

/* A link of the stack and the device behind it. */
struct engine_port {
    struct engine *engine;
    int number;
    struct link *device; /* NULL while there is none */
    struct fd_watch *watch;
    struct packet_queue queue;
    bool readable, blocked;
    bool (*intercept)(void *context, const struct braid_packet_in *packet);
    void *context;
};

enum { FAMILY_V4, FAMILY_V6, FAMILIES };

struct engine_uplink {
    struct engine_port port;
    char interface[NETLINK_NAME_MAX];
    bool backup_asked, backup;
    struct braid_link_terms terms;
    struct uplink *uplink; /* NULL while the interface is not there */
    struct fd_watch *neighbours;
    bool neighbours_ready;
    struct ip_address active[FAMILIES]; /* what the stack knows of; family IP_NONE: nothing */
    bool route_seen[FAMILIES];
    braid_time
        on_link_since[FAMILIES]; /* since when an address waits without a default route; 0: none does */
};

struct engine {
    struct environment environment;
    struct engine_application application;
    uv_loop_t loop;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_timer_t later;
    braid_time now;
    int timer_fd;
    struct fd_watch *timer;
    braid_time timer_set_for; /* BRAID_NEVER: not set */
    braid_time wake_at;       /* what engine_run_once() waits for at most */
    /* Only where the data ends here, and engine_run_once() waits. Behind `braid run` a third process waits for what is passed on,
     * and that costs more: down, 23 Gb/s in place of 31 on two cores. */
    bool may_rest;
    struct rest rest;

    struct braid_stack *stack;
    struct engine_port *ports[BRAID_LINKS_MAX]; /* by the stack's number */
    int port_count;

    struct netlink_watch *networks;
    struct fd_watch *networks_watch;
    bool networks_ready, uplinks_changed;
    struct uplinks *shared;
    struct engine_uplink *uplinks[BRAID_LINKS_MAX];
    size_t uplink_count;
    bool every_default_route, announce, starting;
    enum engine_policy policy;
    struct pcapng_file *capture;
    bool files_are_anothers; /* trace and capture are the first engine's */
    struct braid_team *team; /* NULL: none, or not joined */
    unsigned team_place;
    struct fd_watch *box_watch;
    bool box_ready;
    uint16_t udp_port_first, udp_port_last; /* where TCP goes in UDP; 0: it does not */
};

/* engine_port.c */
/* Makes the stack know the port. False: too many links. */
bool port_add(struct engine *engine, struct engine_port *port, const struct link_capabilities *capabilities,
              const struct braid_link_config *config) MUST_USE;
bool port_open(struct engine_port *port, struct link *device) MUST_USE;
/* Stops watching and drops what waits; closing the device is the owner's. */
void port_close(struct engine_port *port);
/* Takes one batch of packets. True: there may be more. */
bool port_receive(struct engine_port *port);
void port_flush(struct engine_port *port);

/* engine_team.c */
/* Takes the place and has the box watched. */
bool engine_team_join(struct engine *engine, const struct engine_options *options, char text[ENGINE_TEXT_MAX]) MUST_USE;
void engine_team_leave(struct engine *engine);
void engine_team_receive(struct engine *engine);

/* engine.c */
/* Tells the stack what a link is to be used for. */
void engine_terms(struct engine *engine, int link, const struct braid_link_terms *terms);

/* engine_udp.c */
bool udp_start(struct engine *engine, const struct engine_options *options, char text[ENGINE_TEXT_MAX]) MUST_USE;

/* engine_uplinks.c */
bool uplinks_start(struct engine *engine, const struct engine_options *options,
                   char text[ENGINE_TEXT_MAX]) MUST_USE;
void uplinks_end(struct engine *engine);
void uplinks_on_network(void *context, const struct netlink_event *event);
/* Looks again at those that wait for a route. */
void uplinks_look_again(struct engine *engine);

#endif
