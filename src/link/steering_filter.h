/* A socket filter that reckons a flow's home as struct braid_steering_home has it, of UDP packets that come to sockets which
 * share a port: its result is the place of the socket (SO_ATTACH_REUSEPORT_CBPF). */
#ifndef LINK_STEERING_FILTER_H
#define LINK_STEERING_FILTER_H

#include <stdbool.h>
#include <braid/steering.h>
#include <linux/filter.h>

#define STEERING_FILTER_MAX 48

/* The number of instructions. */
unsigned steering_filter(const struct braid_steering_home *home, bool v6, struct sock_filter out[STEERING_FILTER_MAX]);

#endif
