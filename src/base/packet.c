#include <braid/packet.h>
#include <base/buf.h>

void braid_packet_out_release(struct braid_packet_out *packet) {
    ENSURE(packet->slice_count <= BRAID_PACKET_SLICES_MAX);
    for (uint16_t i = 0; i < packet->slice_count; i++) slice_release(&packet->slices[i]);
    packet->slice_count = 0;
    packet->payload_length = 0;
}
