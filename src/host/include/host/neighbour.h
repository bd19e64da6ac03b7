/* The link-layer addresses packets must be sent to, on one interface: the kernel's routes say which next hop
 * leads to a destination, the kernel's neighbour table says where that hop is. Both are remembered here, and
 * forgotten when the kernel tells that they changed. The kernel does the resolving and the confirming (ARP,
 * neighbour discovery): it is asked to, as if it had packets of its own to send. */
#ifndef HOST_NEIGHBOUR_H
#define HOST_NEIGHBOUR_H

#include <braid/env.h>
#include <link/link_af_packet.h>

struct neighbours;

/* `on_change` (may be NULL) is called from neighbours_dispatch() when resolving a next hop has ended, well or
 * not. To be called in the interface's network namespace. 0, or -errno: -EPERM needs CAP_NET_ADMIN. */
int neighbours_create(const struct braid_env *env, uint32_t interface_index, void (*on_change)(void *context),
                      void *context, struct neighbours **out) MUST_USE;
void neighbours_destroy(struct neighbours *neighbours); /* NULL is fine */
int neighbours_fd(const struct neighbours *neighbours); /* readable when there is news */
void neighbours_dispatch(struct neighbours *neighbours);

/* The answer for struct link_next_hop_resolver; `neighbours` is its context. A destination that no route
 * leads to is unreachable, and so is a next hop that does not answer; it is asked again after a second. */
enum link_next_hop_state neighbours_resolve(void *neighbours, const struct ip_address *source,
                                            const struct ip_address *destination, uint8_t mac[6]);

#endif
