/* Ports of our own on this machine. A range is held by sockets of the kernel's that are bound, one to each
 * port, and never used: so the kernel gives these ports to nobody else, another braid takes another range,
 * and however this process ends, they are free again. */
#ifndef HOST_PORTS_H
#define HOST_PORTS_H

#include <base/ensure.h>
#include <stdint.h>

struct port_reservation;

#define PORTS_COUNT_DEFAULT 1024

/* Reserves `count` (1 to 16384) consecutive TCP ports, of IPv4 and IPv6 alike, in the network namespace of
 * the calling thread. Takes a descriptor for each, and raises the process's soft limit of descriptors
 * (RLIMIT_NOFILE) as far as that needs: programs started later should get the old one back. 0, or -errno:
 * -EADDRINUSE no such range is free; -EMFILE the hard limit of descriptors is too low; -EINVAL. */
int ports_reserve(uint16_t count, struct port_reservation **out) MUST_USE;
/* The same for a range of one's own choice, for those who listen. -EADDRINUSE if one of them is taken. */
int ports_reserve_range(uint16_t first, uint16_t count, struct port_reservation **out) MUST_USE;
void ports_release(struct port_reservation *ports); /* NULL is fine */
uint16_t ports_first(const struct port_reservation *ports);
uint16_t ports_last(const struct port_reservation *ports);

#endif
