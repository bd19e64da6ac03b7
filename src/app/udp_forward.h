/* UDP for programs behind braid: datagrams that come by the TUN device go out by sockets of the kernel's on
 * the preferred uplink, and what comes back to these goes to the program. One socket for each of a program's
 * ports, whatever it talks to (RFC 4787's endpoint-independent mapping); it goes after three minutes of
 * silence, and moves when its uplink goes away. Datagrams for a name server's stand-in go to the real one,
 * from the host's own network. */
#ifndef APP_UDP_FORWARD_H
#define APP_UDP_FORWARD_H

#include <host/engine.h>
#include "resolver.h"
#include "udp_homes.h"

struct udp_forward;

/* `homes`: those of the threads that forward, of which this is number `thread`; NULL: there is one alone.
 * NULL: no memory. */
struct udp_forward *udp_forward_create(struct engine *engine, struct resolver *resolver,
                                       const struct udp_homes *homes, unsigned thread);
void udp_forward_destroy(struct udp_forward *forward); /* NULL is fine */
/* `tun`: the stack's number of the link that programs are behind. */
void udp_forward_set_tun(struct udp_forward *forward, int tun);

/* Takes a packet if it is UDP, or an echo request of ICMP's. For engine_add_tun(). */
bool udp_forward_intercept(void *forward, const struct braid_packet_in *packet);
/* Addresses of uplinks came or went. */
void udp_forward_uplinks_changed(struct udp_forward *forward);

#endif
