/* Inside of the firewall: nf_tables messages of the netdev family, a batch at a time, over a socket of its
 * own. Spoken to directly, and not through libnftables, because that aborts the process when its socket's
 * number is 1024 or more (it uses select), exits or prints to stderr when netlink fails, and gives its
 * reasons as text only. */
#ifndef HOST_FIREWALL_MESSAGE_H
#define HOST_FIREWALL_MESSAGE_H

#include <base/ensure.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#define FIREWALL_BATCH_BYTES 4096

/* A transaction: all of its messages take effect or none. */
struct firewall_batch {
    struct mnl_nlmsg_batch *messages;
    uint32_t sequence;
    char buffer[2 * FIREWALL_BATCH_BYTES] __attribute__((aligned(8)));
};

void firewall_batch_begin(struct firewall_batch *batch);
void firewall_batch_add_table(struct firewall_batch *batch, const char *table, bool owned);
void firewall_batch_delete_table(struct firewall_batch *batch, const char *table);
/* A chain at the ingress hook of `interface` that lets everything pass that no rule drops. */
void firewall_batch_add_chain(struct firewall_batch *batch, const char *table, const char *chain,
                              const char *interface);
void firewall_batch_delete_chain(struct firewall_batch *batch, const char *table, const char *chain);
/* Drops TCP to a port in [port_first, port_last]; with `local_only`, only if addressed to this host. */
void firewall_batch_add_drop_rule(struct firewall_batch *batch, const char *table, const char *chain,
                                  uint16_t port_first, uint16_t port_last, bool local_only);
/* Sends the transaction. 0 or -errno of the first message that failed. */
int firewall_batch_commit(struct firewall_batch *batch, struct mnl_socket *socket) MUST_USE;

/* Calls back with the name of each table of the netdev family. 0 or -errno. */
int firewall_each_table(struct mnl_socket *socket, void (*on_table)(void *context, const char *table),
                        void *context) MUST_USE;

#endif
