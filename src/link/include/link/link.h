/* How packets get in and out: one interface over TUN, AF_PACKET, and wrappers that capture.
 *
 * A link moves whole IP packets, in batches, and never blocks. Where the device carries super-segments, so
 * does the link, in both directions; it says so in its capabilities. IP may lose packets, and so may a link:
 * a packet the device refused (it is down, its queue dropped it, the next hop does not answer) counts as
 * taken, and is counted in the statistics. */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include <braid/env.h>
#include <braid/packet.h>
#include <base/ensure.h>

/* Most packets one call of receive or send moves; asking for more is fine and gives no more. */
#define LINK_BATCH_MAX 32
/* A batch of received super-segments ends once it has so many bytes, so that they still lie in the processor's caches when they go
 * on, and what they cause is not late. */
#define LINK_BATCH_BYTES (256u << 10)
/* The largest packet any link hands in or takes. */
#define LINK_PACKET_MAX 65535

struct link;

struct link_capabilities {
    uint32_t mtu; /* largest IP packet of one piece */
    uint32_t
        super_segment_bytes; /* largest IP packet, headers included, to be cut into segments; 0: takes none */
    bool checksum_offload;   /* takes packets with checksum_partial; a super-segment always is one */
};

struct link_statistics {
    uint64_t packets_in, bytes_in, super_segments_in;
    uint64_t packets_out, bytes_out, super_segments_out;
    uint64_t dropped_in;         /* too large, or a header the device should not have given */
    uint64_t dropped_out;        /* refused by the device: down, gone, queue full */
    uint64_t dropped_unresolved; /* the next hop did not answer */
};

struct link_ops {
    int (*receive)(struct link *link, struct braid_packet_in *packets, size_t max);
    int (*send)(struct link *link, struct braid_packet_out *packets, size_t count);
    void (*close)(struct link *link);
};

/* The head of every kind of link. A wrapper shares the capabilities and statistics of the link it wraps. */
struct link {
    const struct link_ops *ops;
    const struct link_capabilities *capabilities; /* may change while the link lives: the MTU does */
    const struct link_statistics *statistics;
    int fd; /* -1 for a link without one */
};

/* Takes what has arrived, at most `max` packets, and of super-segments not many more than LINK_BATCH_BYTES. Returns
 * how many; 0 when nothing waits; -errno when the device is gone for good (-ENODEV) and the link should be closed. The bytes belong to the link until its
 * next receive or close. A packet whose `buf` is set may be kept without copying, by a reference of one's own
 * (buf_ref); small packets come without `buf`, because keeping one would keep the whole 64 KB buffer it lies
 * in. */
MUST_USE static inline int link_receive(struct link *link, struct braid_packet_in *packets, size_t max) {
    return link->ops->receive(link, packets, max);
}

/* Hands over packets in order. Returns how many were taken; their payload is released. Fewer than `count`
 * means the device's queue is full: wait until fd is writable and offer the rest again. -ENODEV: as for
 * receive; nothing was taken. */
MUST_USE static inline int link_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    return link->ops->send(link, packets, count);
}

/* What to poll: readable when packets wait, writable when there is room. -1 for a link without one. */
static inline int link_fd(const struct link *link) {
    return link->fd;
}

/* Closes the link and frees it. Packets it handed in are no longer valid, except where a reference was taken.
 */
static inline void link_close(struct link *link) {
    if (link != NULL) link->ops->close(link);
}

#endif
