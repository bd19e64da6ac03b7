/* Inside of netlink: a socket for requests and their answers. */
#ifndef HOST_NETLINK_SOCKET_H
#define HOST_NETLINK_SOCKET_H

#include <host/netlink.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

/* Room for a request, and for one batch of answers. */
#define NETLINK_REQUEST_BYTES 1024
#define NETLINK_ANSWER_BYTES 32768

struct netlink {
    struct mnl_socket *socket;
    uint32_t sequence;
    bool strict; /* the kernel filters dumps by what the request names */
};

/* Begins a request in `buffer` (of NETLINK_REQUEST_BYTES). */
struct nlmsghdr *netlink_begin(void *buffer, uint16_t type, uint16_t flags);
/* Sends it and hands every answer to `on_answer` (may be NULL). 0 or -errno; a dump the kernel's tables
 * changed under is asked for again, so answers may come twice. */
int netlink_request(struct netlink *netlink, struct nlmsghdr *request, mnl_cb_t on_answer,
                    void *context) MUST_USE;

int netlink_family(enum ip_family family); /* AF_INET or AF_INET6 */
uint16_t netlink_address_bytes(enum ip_family family);
/* The address in an attribute; family IP_NONE if its length fits no family. */
struct ip_address netlink_attribute_address(const struct nlattr *attribute);
void netlink_put_address(struct nlmsghdr *request, uint16_t type, const struct ip_address *address);

#endif
