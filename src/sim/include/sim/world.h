/* A world in virtual time: hosts with whole stacks in them, and links that join them.
 *
 * Time stands still while something happens and then leaps to the next thing that will. A world is made from a seed;
 * the same seed and the same calls give the same packets at the same nanoseconds, and so the same sim_world_hash().
 *
 *     world = sim_world_create(&config);
 *     host = sim_host_add(world, ...)            and links between hosts, see <sim/link.h>
 *     conversations                              see <sim/conversation.h>
 *     sim_world_run(world, until)
 *     leaked = sim_world_destroy(world)
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <braid/env.h>
#include <braid/stack.h>
#include <base/heap.h>
#include <base/prng.h>
#include <sim/packet.h>

struct sim_world;
struct sim_host;
struct sim_link;

enum sim_direction { SIM_UP, SIM_DOWN }; /* along a link: from its first end to its second, and back */

/* Whoever looks on sees every packet twice at most: when a host sends it, and when a host gets it. */
enum sim_moment { SIM_SENT, SIM_DELIVERED };
struct sim_observer {
    void *context;
    /* `host` sent or got `packet` by its interface, over `link`. */
    void (*packet)(void *context, enum sim_moment moment, struct sim_host *host, int interface, struct sim_link *link,
                   const struct sim_packet *packet, braid_time now);
};

struct sim_world_config {
    uint64_t seed;
    /* Stacks fill in and check every checksum. False: only where a box touched the packet, which is much faster. */
    bool checksums;
    /* Check the invariants of the stacks concerned after every so many steps; 0: never. */
    uint32_t check_every;
    struct sim_observer observer; /* .packet NULL: nobody */
    /* As in struct braid_env, with the host's name: what happens in the stacks. NULL: nobody. */
    void *trace_context;
    void (*trace)(void *context, const char *host, braid_time now, const char *event,
                  const struct braid_trace_field *fields, size_t count);
};

struct sim_world *sim_world_create(const struct sim_world_config *config);
/* Ends everything. Returns how many bytes the stacks did not give back. */
uint64_t sim_world_destroy(struct sim_world *world);

braid_time sim_world_now(const struct sim_world *world);
/* Draws that decide what happens: from the world's seed. */
struct prng *sim_world_prng(struct sim_world *world);
/* Lets happen what happens next, if it does not come after `until`. Else sets the time to `until`: false. */
bool sim_world_step(struct sim_world *world, braid_time until);
void sim_world_run(struct sim_world *world, braid_time until);
/* Of all packets sent and delivered so far: when, where, and their headers. */
uint64_t sim_world_hash(const struct sim_world *world);
uint64_t sim_world_steps(const struct sim_world *world);
uint64_t sim_world_packets(const struct sim_world *world);

/* --- things that happen later --- */

struct sim_timer {
    struct heap_node node;
    void (*fire)(struct sim_timer *timer, braid_time now);
};
/* `timer->fire` is called at `at` (now, if that has passed); BRAID_NEVER takes it back. The timer must not move. */
void sim_timer_set(struct sim_world *world, struct sim_timer *timer, braid_time at);
/* Calls `call` at `at`, once. */
void sim_world_at(struct sim_world *world, braid_time at, void (*call)(void *context, braid_time now), void *context);

/* Memory of the simulation itself, never NULL. */
void *sim_allocate(struct sim_world *world, size_t size);
void sim_release(struct sim_world *world, void *memory, size_t size);
const struct braid_env *sim_world_env(struct sim_world *world);

/* --- hosts --- */

#define SIM_INTERFACES_MAX 8
#define SIM_ADDRESSES_MAX 4 /* of one interface */

/* A host with a stack in it, of the given configuration (its strings are kept by reference). */
struct sim_host *sim_host_add(struct sim_world *world, const char *name, const struct braid_stack_config *config);
/* A host that only forwards packets. */
struct sim_host *sim_router_add(struct sim_world *world, const char *name);
const char *sim_host_name(const struct sim_host *host);
struct braid_stack *sim_host_stack(const struct sim_host *host);

struct sim_interface_config {
    const char *name;
    uint32_t mtu_bytes;           /* 0: 1500 */
    uint32_t super_segment_bytes; /* 0: none */
};
/* The interface's number, from 0: the same as that of the stack's link. */
int sim_host_interface_add(struct sim_host *host, const struct sim_interface_config *config);
const char *sim_host_interface_name(const struct sim_host *host, int interface);
/* An address is there (told to the stack at once), or its flags change. */
void sim_host_address_add(struct sim_host *host, int interface, const struct braid_address *address, bool backup,
                          bool announce);
void sim_host_address_remove(struct sim_host *host, int interface, const struct braid_address *address);
/* The interface's addresses of that family give way to this one, which has the flags of the first of them. Nothing happens
 * if there are none. */
void sim_host_address_replace(struct sim_host *host, int interface, const struct braid_address *address);
/* The interface goes down, as the host sees it: its addresses are gone from the stack; or is up again, with them. */
void sim_host_interface_set(struct sim_host *host, int interface, bool up);

/* Where packets for a prefix go, `length` in bits; a longer prefix wins. Besides, a host answers by the link a source
 * was last heard from. */
void sim_host_route_add(struct sim_host *host, const struct ip_address *prefix, unsigned length, struct sim_link *link);

/* After calls to its stack from outside: what it has to send and to say goes out before time moves on. */
void sim_host_touch(struct sim_host *host);

/* Events of the host's stack go to whoever takes them. */
struct sim_listener {
    void *context;
    void (*event)(void *context, struct sim_host *host, const struct braid_event *event, braid_time now);
};
void sim_host_set_listener(struct sim_host *host, struct sim_listener listener);

/* Memory of the host's stack: how much there is now, the most there ever was, and after how many more allocations none
 * succeeds (-1: no limit), or only the next `count` of them do not. */
uint64_t sim_host_memory(const struct sim_host *host);
uint64_t sim_host_memory_peak(const struct sim_host *host);
void sim_host_fail_allocations_after(struct sim_host *host, int64_t after);
void sim_host_fail_some_allocations_after(struct sim_host *host, int64_t after, uint64_t count);
uint64_t sim_host_allocations(const struct sim_host *host);
uint64_t sim_host_counter(const struct sim_host *host, const char *name);

struct braid_address sim_address(const char *text);

#endif
