/* What one thread of `braid run` has of its own: an engine with its stack, its sockets on every uplink and
 * its range of ports, a queue of the TUN device, and the relays of the connections that programs open there.
 */
#ifndef APP_RUN_THREAD_H
#define APP_RUN_THREAD_H

#include <host/engine.h>
#include "relay.h"
#include "resolver.h"
#include "run_options.h"
#include "run_paths.h"
#include "udp_forward.h"

struct netlink;

struct run_thread {
    unsigned number;
    bool plain;            /* no Multipath TCP */
    struct engine *engine; /* NULL: not made */
    struct resolver resolver;
    struct relays *relays;
    struct udp_forward *udp;
    struct netlink *routes;
};

/* Makes the engine. `first`: the first thread's; NULL for itself. False: `text` says in one line what is
 * wrong. */
bool run_thread_create(struct run_thread *thread, const struct run_options *options, unsigned number,
                       const struct engine *first, char text[ENGINE_TEXT_MAX]) MUST_USE;
/* Begins to serve programs by a queue of the TUN device, which it takes over, and whose `mtu` is set.
 * `homes`: NULL if there is one thread. */
bool run_thread_serve(struct run_thread *thread, const struct resolver *resolver,
                      const struct udp_homes *homes, int tun_fd, uint32_t mtu,
                      char text[ENGINE_TEXT_MAX]) MUST_USE;
/* Resets what is still open. */
void run_thread_reset(struct run_thread *thread);
/* 0, or the first error met in writing trace or capture, as -errno. */
int run_thread_destroy(struct run_thread *thread);

#endif
