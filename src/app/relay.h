/* Relays: each connection that a program opens is answered the way its real destination answers braid, and
 * from then on everything one side says is passed on to the other: bytes (by reference), the end of a
 * direction, a reset. Each side is read only as fast as the other one takes it. */
#ifndef APP_RELAY_H
#define APP_RELAY_H

#include <host/engine.h>

struct relays;

/* Who a connection of the stack belongs to: what braid_connection_user() points at. */
struct connection_owner {
    void (*on_event)(struct connection_owner *owner, const struct braid_event *event, braid_time now);
};

/* How to get to a destination, as the host sees it. */
struct relay_route {
    bool reachable; /* false: refuse by `refusal` */
    enum braid_refusal refusal;
    struct braid_address local; /* the first subflow must start here; family 0: the stack chooses */
};
struct relay_hooks {
    void *context;
    /* A destination that is served otherwise: takes the connection over and returns true. */
    bool (*serve)(void *context, struct braid_connection *connection,
                  const struct braid_endpoint *destination, braid_time now);
    struct relay_route (*route)(void *context, const struct braid_address *destination);
    bool plain; /* destinations are not asked for Multipath TCP */
};

/* NULL: no memory. */
struct relays *relays_create(struct engine *engine, const struct relay_hooks *hooks);
/* Resets what is still open. */
void relays_destroy(struct relays *relays);

/* An event of the stack. */
void relays_event(struct relays *relays, const struct braid_event *event, braid_time now);

/* Relays whose program has said all it will, while not everything has been delivered yet. `programs_gone`: no
 * program is left to say more, so that the end of each relay is on its way. *arrived_bytes: how much of what
 * they passed on has arrived. */
unsigned relays_undelivered(const struct relays *relays, bool programs_gone, uint64_t *arrived_bytes);
unsigned relays_count(const struct relays *relays);
/* Calls `each` with the network side's connection of every relay. */
void relays_each(const struct relays *relays,
                 void (*each)(void *context, struct braid_connection *connection), void *context);

#endif
