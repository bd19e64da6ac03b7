/* A packet to send as the list of memory runs the kernel gathers it from: header and payload, nothing copied.
 */
#ifndef LINK_PACKET_GATHER_H
#define LINK_PACKET_GATHER_H

#include <sys/uio.h>
#include <link/link.h>

#define PACKET_GATHER_MAX (BRAID_PACKET_SLICES_MAX + 1)

/* Fills `runs` (room for PACKET_GATHER_MAX). Returns how many. */
static inline size_t packet_gather(const struct braid_packet_out *packet, struct iovec *runs) {
    size_t count = 0;
    runs[count++] = (struct iovec){(void *)(uintptr_t)packet->header, packet->header_length};
    for (size_t i = 0; i < packet->slice_count; i++)
        runs[count++] = (struct iovec){(void *)(uintptr_t)packet->slices[i].bytes, packet->slices[i].length};
    return count;
}

#endif
