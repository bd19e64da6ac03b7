/* The world most is tried in: a phone with a path or more (WiFi, cellular) to one server. Path i is the phone's
 * interface i, with an address of its own; the server has one interface, reached by all of them. */
#ifndef SIM_PHONE_H
#define SIM_PHONE_H

#include <sim/conversation.h>
#include <sim/link.h>
#include <sim/world.h>

#define SIM_PATHS_MAX 4

struct sim_path_config {
    uint64_t rate_bps;       /* 0: unlimited */
    uint64_t rate_up_bps;    /* 0: the same */
    braid_time rtt_ns;       /* half of it each way */
    braid_time queue_ns;     /* 0: 100 ms */
    uint64_t queue_bytes;    /* 0: no bound in bytes */
    double loss;
    uint32_t mtu_bytes;      /* 0: 1500 */
    bool backup;
};

struct sim_phone_config {
    struct sim_world_config world;
    struct braid_stack_config client, server;
    struct sim_path_config paths[SIM_PATHS_MAX];
    unsigned path_count;
    bool ipv6;
    uint32_t super_segment_bytes;
    bool announced; /* the server has a second address, and says so; not beside a twin */
    bool client_announces; /* all its addresses */
    bool twin; /* beside the server, behind the same router, stands another one, of the same configuration */
};

struct sim_phone {
    struct sim_world *world;
    struct sim_host *client, *server;
    struct sim_host *router, *twin; /* NULL without a twin */
    struct sim_link *links[SIM_PATHS_MAX];
    struct sim_box *wires[SIM_PATHS_MAX]; /* the first box of each link */
    struct sim_path_config paths[SIM_PATHS_MAX];
    struct braid_address addresses[SIM_PATHS_MAX], server_address, twin_address;
    unsigned path_count;
    bool client_announces;
    uint16_t next_port;
};

/* WiFi of 50 Mb/s and 30 ms, cellular of 20 Mb/s and 70 ms. */
extern const struct sim_path_config sim_wifi, sim_cellular;

void sim_phone_init(struct sim_phone *phone, const struct sim_phone_config *config);
/* Returns what sim_world_destroy() says. */
uint64_t sim_phone_deinit(struct sim_phone *phone);

/* A conversation of the phone with the server, on a port of its own; client, server and remote are filled in. */
struct sim_conversation *sim_phone_talk(struct sim_phone *phone, const struct sim_conversation_config *config);

/* What befalls a path. */
void sim_path_down(struct sim_phone *phone, unsigned path);      /* and the phone sees it */
void sim_path_up(struct sim_phone *phone, unsigned path);        /* after any of the others: all is well again */
void sim_path_blackhole(struct sim_phone *phone, unsigned path, bool up, bool down); /* and nobody is told */
void sim_path_shape(struct sim_phone *phone, unsigned path, const struct sim_path_config *config);
/* The phone's address on it changes, as DHCP may have it: the old one is gone. */
void sim_path_renumber(struct sim_phone *phone, unsigned path);
void sim_path_set_backup(struct sim_phone *phone, unsigned path, bool backup);

#endif
