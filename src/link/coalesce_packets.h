/* Receive coalescing of whole IP packets, where the device brings them one by one. */
#ifndef LINK_COALESCE_PACKETS_H
#define LINK_COALESCE_PACKETS_H

#include "coalesce.h"

/* A packet that those after it may be added to, each in memory of its own. All zero at first. */
struct coalesced_packets {
    struct coalesced tcp;
    uint8_t *bytes;     /* of the IP packet that it began with */
    uint32_t ip_length;
};

/* True: `packet` went into the one before it, whose length and segment_bytes have grown, and is to be forgotten. False: it
 * stands by itself, and the next one may go into it: for that it must stay where it is, at `bytes`, of which `room_bytes`
 * are the link's to write. Checksums that nobody vouched for are verified for it. */
bool coalesce_packet(struct coalesced_packets *c, struct braid_packet_in *packet, uint8_t *bytes, uint32_t room_bytes);

#endif
