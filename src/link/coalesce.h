/* Receive coalescing: segments of one flow that follow each other and say the same become one super-segment, so that the
 * stack looks at one header instead of dozens.
 *
 * Only what cutting the super-segment up again would give back is merged: addresses, ports, acknowledgement, window and
 * options are the same to the byte (so the MPTCP mapping is one and the same, and timestamps are), sequence numbers follow,
 * flags are ACK alone, with PSH on the last, and every segment but the last carries as much as the first. Nothing is held
 * back for it: who calls merges what has arrived together. */
#ifndef LINK_COALESCE_H
#define LINK_COALESCE_H

#include <base/seq.h>
#include <link/link.h>

struct coalesced {
    struct braid_packet_in *packet; /* NULL: nothing can be added */
    uint8_t *bytes;                 /* of the packet, for writing: what is merged must be the link's alone */
    uint32_t room_bytes;            /* from `bytes` on */
    uint32_t ip_length, tcp_length; /* of its headers */
    uint32_t segment_bytes;
    seq32 next_seq;
};

/* Begins with `packet`, an IP packet whose TCP checksum holds (or is vouched for) and which starts at `bytes`, where its
 * link may write `room_bytes`. The IP header is `ip_length` bytes long. */
void coalesce_begin(struct coalesced *c, struct braid_packet_in *packet, uint8_t *bytes, uint32_t room_bytes,
                    uint32_t ip_length);
/* Adds a segment of the same addresses, whose checksum holds: its TCP header, and what follows it, which may lie in the same
 * memory behind the packet. False: it does not continue what is there, and nothing was changed. */
bool coalesce_add(struct coalesced *c, const uint8_t *tcp, uint32_t tcp_length, const uint8_t *payload, uint32_t length);

#endif
