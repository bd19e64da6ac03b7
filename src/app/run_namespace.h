/* The command's own network: made by the process that will become the command. */
#ifndef APP_RUN_NAMESPACE_H
#define APP_RUN_NAMESPACE_H

#include <stdbool.h>
#include <stdint.h>
#include <wire/address.h>

struct netlink_watch;

struct namespace_plan {
    struct ip_address address_v4, address_v6; /* the command's own */
    uint8_t prefix_v4, prefix_v6;
    bool with_v6;
    uint32_t mtu;
    unsigned queues;               /* of the TUN device, 1..NAMESPACE_QUEUES_MAX */
    struct ip_address name_server; /* the first address that may stand in for one */
    const char *resolv_conf;       /* what it shall hold; NULL: it stays as it is */
};

/* Chooses addresses that none of the host's networks has. */
void namespace_plan_addresses(struct namespace_plan *plan, const struct netlink_watch *networks);

#define NAMESPACE_TEXT_MAX 256
#define NAMESPACE_QUEUES_MAX 16
/* Moves the calling process, which must have one thread, into new network and mount namespaces, in a new user
 * namespace only if it may not do so otherwise; it keeps its user and group. Sets up the loopback and a TUN
 * device with the plan's addresses and default routes, a descriptor for each of its queues. False: `text`
 * says in one line what is wrong. */
bool namespace_enter(const struct namespace_plan *plan, int tun_fds[NAMESPACE_QUEUES_MAX],
                     char text[NAMESPACE_TEXT_MAX]);

#endif
