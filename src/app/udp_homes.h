/* Where a program's ports of UDP are at home, when several threads forward. The system shares datagrams of
 * one port out among the threads by where they go; outside, they must come from one socket all the same,
 * whatever it talks to (RFC 4787 §4.1: endpoint-independent mapping), or a program would be known by several
 * ports at once. So each port is at home in one thread, and what comes to another is put into that thread's
 * box. What the home answers tells the system where the flow is at home: it follows the queue that last sent.
 */
#ifndef APP_UDP_HOMES_H
#define APP_UDP_HOMES_H

#include <host/packet_box.h>
#include <wire/address.h>

struct udp_homes;

/* NULL: no memory, or no descriptors. */
struct udp_homes *udp_homes_create(unsigned threads);
/* After all that forward. NULL is fine. */
void udp_homes_destroy(struct udp_homes *homes);
/* The thread, from 0, of a program's port (or identifier of echo requests). From any thread. */
unsigned udp_homes_of(const struct udp_homes *homes, const struct ip_address *program, uint16_t port);
struct packet_box *udp_homes_box(const struct udp_homes *homes, unsigned thread);

#endif
