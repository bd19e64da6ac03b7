/* A packet to send as UDP messages: each the pieces of a super-segment, a header before each, that one sendmsg() hands to the
 * kernel with UDP_SEGMENT. */
#ifndef LINK_UDP_MESSAGE_H
#define LINK_UDP_MESSAGE_H

#include <sys/uio.h>
#include <link/link.h>
#include <wire/tcp_in_udp.h>

enum {
    UDP_MESSAGE_PIECES_MAX = 64, /* the kernel takes no more */
    UDP_MESSAGE_RUNS_MAX = 2 * UDP_MESSAGE_PIECES_MAX + BRAID_PACKET_SLICES_MAX,
};

struct udp_message {
    uint16_t segment_bytes; /* for UDP_SEGMENT, headers included; 0: one piece */
    size_t runs_count;
    struct iovec runs[UDP_MESSAGE_RUNS_MAX];
    uint8_t headers[UDP_MESSAGE_PIECES_MAX][TCP_IN_UDP_HEADER_MAX];
};

/* The part of `packet` from payload byte `offset` on that fits into one message of at most `limit_bytes`. Returns how many
 * bytes of payload it carries. */
uint32_t udp_message_fill(struct udp_message *message, const struct braid_packet_out *packet, uint32_t offset,
                          uint32_t limit_bytes);

#endif
