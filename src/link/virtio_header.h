/* The virtio header that TUN and AF_PACKET put before a packet: checksums left to the other side,
 * super-segments. */
#ifndef LINK_VIRTIO_HEADER_H
#define LINK_VIRTIO_HEADER_H

#include <linux/virtio_net.h>
#include <link/link.h>

/* The header for `packet`, whose IP header comes `offset` bytes after the virtio header. */
struct virtio_net_hdr virtio_header_encode(const struct braid_packet_out *packet, uint16_t offset);
/* Puts what the header says into `packet`. False: a kind of super-segment that we did not ask for. */
bool virtio_header_decode(const struct virtio_net_hdr *header, struct braid_packet_in *packet) MUST_USE;

#endif
