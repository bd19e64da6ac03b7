/* The engine: one stack, its links, the kernel's news of its networks, and a libuv loop that drives them.
 *
 * Each time the loop wakes, news of the networks come first, then packets, then what the stack wants to tell
 * and send, until there is nothing more; packets leave in batches for each link. One engine belongs to one
 * thread. */
#ifndef HOST_ENGINE_H
#define HOST_ENGINE_H

#include <braid/stack.h>
#include <host/environment.h>
#include <link/link.h>
#include <wire/address.h>
#include <uv.h>

struct engine;
struct netlink_watch;
struct braid_team;

enum engine_policy {
    ENGINE_POLICY_HANDOVER,  /* the first uplink carries everything, the others are backup */
    ENGINE_POLICY_AGGREGATE, /* all carry, but those that are asked to be backup */
};

struct engine_uplink_choice {
    const char *interface;
    bool backup;
    struct braid_link_terms terms; /* of the interface, whatever its addresses; a cap makes it metered */
};

/* TCP in UDP from an address of this host, instead of uplinks. */
struct engine_udp_choice {
    const char *address; /* in text */
    uint32_t mtu_bytes;  /* of the way; 0: 1500 */
    bool backup;
    struct braid_link_terms terms;
};
/* With the policy handover the one of least cost carries, the first of them; it costs most to be metered. */
static inline unsigned engine_cost(bool backup, const struct braid_link_terms *terms) {
    return (terms->metered || terms->cap_bytes > 0 ? 2u : 0u) + backup;
}
/* The scheduler to have when none is named: NULL, the stack's own; or, if anything is metered, cost-aware. */
const char *engine_scheduler(const char *named, bool metered);

struct engine_application {
    void *context;
    /* May call the stack, but must not destroy the engine. */
    void (*on_event)(void *context, const struct braid_event *event, braid_time now);
    /* Addresses of uplinks came or went. May be NULL. */
    void (*on_uplinks)(void *context, braid_time now);
};

struct engine_options {
    const struct engine_uplink_choice *uplinks; /* in order of preference */
    size_t uplink_count; /* 0: every interface with a default route, now and as they come, by metric */
    const struct engine_udp_choice *udp; /* if there are any, there are no uplinks, and no privilege is needed */
    size_t udp_count;
    enum engine_policy policy;
    bool announce;                   /* tell peers of the uplinks' addresses */
    uint16_t port_first, port_count; /* ports of our own; 0: any range that is free, of the usual size */
    struct braid_stack_config stack; /* no scheduler: cost-aware if anything is metered, else the stack's own choice */
    const char *trace_path, *pcap_path; /* NULL: none */
    struct braid_team *team; /* by UDP only; NULL: on its own */
    unsigned team_place;
    /* One of `threads` engines of this process, each in a thread of its own; 0: it is alone. Trace events then bear the number
     * `thread`. Those after the first write to its trace and capture, and are destroyed before it. */
    unsigned threads, thread;
    const struct engine *first;
    struct engine_application application;
};

#define ENGINE_TEXT_MAX 320
/* False: `text` says in one line what is wrong and what to do. Works in the network namespace of the calling
 * thread; nothing it sets up outlives the process. */
bool engine_create(const struct engine_options *options, char text[ENGINE_TEXT_MAX],
                   struct engine **out) MUST_USE;
/* Connections end without a word. Returns the first error met in writing trace or capture, as -errno. */
int engine_destroy(struct engine *engine);

uv_loop_t *engine_loop(const struct engine *engine);
struct braid_stack *engine_stack(const struct engine *engine);
const struct braid_env *engine_env(const struct engine *engine);
const struct netlink_watch *engine_networks(const struct engine *engine);
/* The moment the engine last woke; what every call of the stack should be given. */
braid_time engine_now(const struct engine *engine);
/* Writes an event of the application's own to the trace, if there is one. */
void engine_trace(struct engine *engine, const char *event, const struct braid_trace_field *fields,
                  size_t count);
bool engine_traces(const struct engine *engine);

/* The range of ports of our own. */
void engine_ports(const struct engine *engine, uint16_t *first, uint16_t *last);

/* Runs until engine_stop(). */
void engine_run(struct engine *engine);
void engine_stop(struct engine *engine);
/* Runs one round, waiting for something to happen at most `timeout_ns` (BRAID_NEVER: without end). */
void engine_run_once(struct engine *engine, braid_time timeout_ns);
/* Sends what waits and delivers events, at once: after calls of the stack from outside the loop. */
void engine_settle(struct engine *engine);

/* ---- links beside the uplinks ---- */

/* Adds a TUN device, the programs' side; takes `fd` over. `intercept` sees each packet first and returns true
 * for those the stack should not see. Returns the stack's number of the link, or -errno. */
int engine_add_tun(struct engine *engine, int fd, uint32_t mtu,
                   bool (*intercept)(void *context, const struct braid_packet_in *packet), void *context);
/* Puts a packet of the application's own on its link (packet->link), together with the stack's. Takes its
 * references. */
void engine_send(struct engine *engine, const struct braid_packet_out *packet);

/* ---- uplinks ---- */

struct engine_uplink_info {
    const char *interface;
    uint32_t interface_index;
    int link; /* the stack's number of it */
    bool backup;
    bool present;                             /* the interface is there and able to carry packets */
    struct ip_address address_v4, address_v6; /* in use; family IP_NONE: none */
    uint32_t mtu_bytes;
    uint64_t bytes_in, bytes_out;
    bool metered, used_up;
    uint64_t used_bytes, cap_bytes; /* of the cap; 0: there is none */
};
/* In order of preference. False when there are fewer. */
bool engine_uplink_info(const struct engine *engine, size_t index, struct engine_uplink_info *out);
/* The application itself sent or got so many bytes by an uplink, headers included. False: its cap is used up, and it should not
 * go on. */
bool engine_uplink_spend(struct engine *engine, int link, uint64_t bytes);

#endif
