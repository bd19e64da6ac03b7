/* Keeps the kernel from seeing, and resetting, what is sent to our ports: a chain of nftables at the ingress
 * hook of each uplink drops the kernel's copy of TCP to them. AF_PACKET has taken ours by then.
 *
 * The table is owned by this process (NFT_TABLE_F_OWNER): nobody else changes it, and the kernel removes it
 * when the process ends, however it ends. Kernels before 5.12 know no owners; there the table's name says
 * which process made it, and firewall_create() of the next braid removes tables whose process is gone. */
#ifndef HOST_FIREWALL_H
#define HOST_FIREWALL_H

#include <base/ensure.h>
#include <stdbool.h>
#include <stdint.h>

struct firewall;

struct firewall_options {
    uint16_t port_first, port_last; /* ours, both included */
    bool without_owner;             /* as if the kernel knew no owners */
};

/* Makes the table, in the network namespace of the calling thread. 0, or -errno: -EPERM needs CAP_NET_ADMIN;
 * -EOPNOTSUPP the kernel has no nftables, or not for the netdev family; -ENOMEM. */
int firewall_create(const struct firewall_options *options, struct firewall **out) MUST_USE;
/* Removes the table with all its chains. NULL is fine. */
void firewall_destroy(struct firewall *firewall);

/* Begins, or ends, dropping on one interface. A chain outlives its interface going down and up. When an
 * interface was removed and is there again, guard it again. 0, or -errno: -ENODEV no such interface;
 * -EOPNOTSUPP no ingress hooks. */
int firewall_guard(struct firewall *firewall, const char *interface) MUST_USE;
void firewall_unguard(struct firewall *firewall, const char *interface);

const char *firewall_table(const struct firewall *firewall); /* its name */

#endif
