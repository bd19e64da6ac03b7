/* Packets as they pass between the stack and its links: IP packets, single or coalesced into super-segments. */
#ifndef BRAID_PACKET_H
#define BRAID_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory shared by reference. Made by buf_create() of the base floor; whoever holds a reference may read `bytes`,
 * and only the one who made it may write, before anyone else holds it. */
struct braid_buf;

/* A run of bytes inside a buffer, holding one reference to it. An empty slice has buf NULL and length 0. */
struct braid_slice {
    struct braid_buf *buf;
    const uint8_t *bytes;
    uint32_t length;
};

/* A packet that arrived. `bytes` starts at the IP header and belongs to the caller for the time of the call.
 * If `buf` is not NULL, `bytes` lies within it, and the stack may keep a reference to it instead of copying. */
struct braid_packet_in {
    struct braid_buf *buf;
    const uint8_t *bytes;
    uint32_t length;          /* of the whole packet; a super-segment may exceed 65535 nowhere */
    uint16_t segment_bytes;   /* payload bytes of each segment coalesced in here; 0: this is one plain packet */
    bool checksum_verified;   /* the link vouches for the transport checksum (or it never crossed a wire) */
};

/* Enough for an IPv6 header and a full TCP header. */
#define BRAID_PACKET_HEADER_MAX 100
#define BRAID_PACKET_SLICES_MAX 20

/* A packet to send: IP and TCP header in `header`, payload by reference. The receiver of the packet releases the
 * payload with braid_packet_out_release(). */
struct braid_packet_out {
    uint16_t link;            /* the link it must leave by, as numbered by braid_stack_link_add() */
    uint16_t header_length;
    uint16_t slice_count;
    uint16_t segment_bytes;   /* not 0: a super-segment, to be cut into segments of so many payload bytes */
    uint32_t payload_length;
    bool checksum_partial;    /* the TCP checksum field holds only the pseudo-header's sum; the link completes it */
    uint16_t checksum_start;  /* where the TCP header starts in `header` (for virtio headers) */
    uint16_t checksum_offset; /* where in the TCP header the checksum stands: 16 */
    uint8_t header[BRAID_PACKET_HEADER_MAX];
    struct braid_slice slices[BRAID_PACKET_SLICES_MAX];
};

/* Gives back the payload references of a packet. The packet may then be reused. */
void braid_packet_out_release(struct braid_packet_out *packet);

#endif
