/* Uplinks: interfaces that braid speaks TCP on, beside the kernel. Setting one up reserves ports (once for
 * all of them), keeps the kernel from answering what comes to these, opens the interface for packets, and
 * follows the kernel's routes and neighbours. Nothing of it outlives the process. */
#ifndef HOST_UPLINK_H
#define HOST_UPLINK_H

#include <braid/env.h>
#include <link/link.h>
#include <link/pcapng.h>

enum uplink_problem {
    UPLINK_OK,
    UPLINK_NO_SUCH_INTERFACE,
    UPLINK_NONE_FOUND,       /* no interface has a default route */
    UPLINK_NOT_PERMITTED,    /* CAP_NET_ADMIN or CAP_NET_RAW is missing */
    UPLINK_KIND_UNSUPPORTED, /* neither like Ethernet nor raw IP */
    UPLINK_NO_NFTABLES,      /* the kernel lacks nftables, or its ingress hook */
    UPLINK_NO_PORTS,         /* no free range of ports */
    UPLINK_NO_DESCRIPTORS,   /* RLIMIT_NOFILE is too low for the ports */
    UPLINK_NO_MEMORY,
    UPLINK_FAILED, /* anything else: the errno tells */
};

struct uplink_result {
    enum uplink_problem problem;
    int error; /* errno behind it, positive; 0 if none */
};

#define UPLINK_TEXT_MAX 256
/* One line, without a newline, saying what is wrong and what to do. `interface` may be NULL. Returns `text`.
 */
const char *uplink_explain(struct uplink_result result, const char *interface, char text[UPLINK_TEXT_MAX]);

struct uplinks;

/* What all uplinks share: `port_count` ports (0: PORTS_COUNT_DEFAULT; see ports.h about descriptors) and a
 * firewall table, in the network namespace of the calling thread. */
struct uplink_result uplinks_create(const struct braid_env *env, uint16_t port_count,
                                    struct uplinks **out) MUST_USE;
/* The same with ports of one's own choice, for those who listen: `port_first` and those that follow it. */
struct uplink_result uplinks_create_at(const struct braid_env *env, uint16_t port_first, uint16_t port_count,
                                       struct uplinks **out) MUST_USE;
/* Every uplink must be closed. NULL is fine. */
void uplinks_destroy(struct uplinks *uplinks);
uint16_t uplinks_port_first(const struct uplinks *uplinks);
uint16_t uplinks_port_last(const struct uplinks *uplinks);

struct uplink;

/* Sets the interface up as an uplink. It may be down. An uplink outlives its interface going down and up;
 * when the interface is removed, close it, and open it again when it is back. Opening and closing take some
 * 10 to 50 ms, in which the kernel waits for all of its processors: first do what is urgent. */
struct uplink_result uplink_open(struct uplinks *uplinks, const char *interface,
                                 struct uplink **out) MUST_USE;
void uplink_close(struct uplink *uplink); /* NULL is fine */

/* Its link: owned by the uplink. */
struct link *uplink_link(const struct uplink *uplink);
const char *uplink_interface(const struct uplink *uplink);
uint32_t uplink_interface_index(const struct uplink *uplink);
/* From now on its packets are written to `file`, which must outlive it; uplink_link() is another one
 * afterwards. 0 or -ENOMEM. */
int uplink_capture(struct uplink *uplink, struct pcapng_file *file) MUST_USE;

/* Readable when there is news of neighbours or routes, which uplink_dispatch() takes in (and sends packets
 * that waited for it). -1 for an interface that has no neighbours. */
int uplink_fd(const struct uplink *uplink);
void uplink_dispatch(struct uplink *uplink);
/* To be called when the watch tells NETLINK_LINK_CHANGED or NETLINK_LINK_UP of the interface. */
void uplink_refresh(struct uplink *uplink);

#endif
