#include "virtio_header.h"

#define TCP_FLAGS_OFFSET 13
#define TCP_FLAG_CWR 0x80

static uint8_t gso_type_of(const struct braid_packet_out *packet) {
    uint8_t type = packet->header[0] >> 4 == 4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
    /* RFC 3168 §6.1.2: only the first segment may carry CWR, so the device must know. */
    if (packet->header[packet->checksum_start + TCP_FLAGS_OFFSET] & TCP_FLAG_CWR)
        type |= VIRTIO_NET_HDR_GSO_ECN;
    return type;
}

struct virtio_net_hdr virtio_header_encode(const struct braid_packet_out *packet, uint16_t offset) {
    struct virtio_net_hdr header = {.gso_type = VIRTIO_NET_HDR_GSO_NONE};
    if (packet->checksum_partial) {
        header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        header.csum_start = (uint16_t)(packet->checksum_start + offset);
        header.csum_offset = packet->checksum_offset;
    }
    if (packet->segment_bytes != 0 && packet->payload_length > packet->segment_bytes) {
        ENSURE(packet->checksum_partial && packet->checksum_start + TCP_FLAGS_OFFSET < packet->header_length);
        header.gso_type = gso_type_of(packet);
        header.gso_size = packet->segment_bytes;
        header.hdr_len = (uint16_t)(packet->header_length + offset);
    }
    return header;
}

bool virtio_header_decode(const struct virtio_net_hdr *header, struct braid_packet_in *packet) {
    /* A checksum still to be computed never crossed a wire; one marked valid was checked by the device. */
    packet->checksum_verified =
        (header->flags & (VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID)) != 0;
    switch (header->gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_NONE:
        packet->segment_bytes = 0;
        return true;
    case VIRTIO_NET_HDR_GSO_TCPV4:
    case VIRTIO_NET_HDR_GSO_TCPV6:
        packet->segment_bytes = header->gso_size;
        return header->gso_size != 0;
    default:
        return false;
    }
}
