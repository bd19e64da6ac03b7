/* A hop with a small MTU, and what it says to those who send more. */
#include "sim_internal.h"

#include <wire/icmp.h>

struct mtu {
    struct sim_box box;
    uint32_t bytes;
    struct ip_address address;
};

static void complain(struct mtu *mtu, enum sim_direction direction, const struct sim_packet *packet,
                     braid_time now) {
    struct ip_header ip;
    if (ip_decode(packet->bytes, packet->length, false, &ip) != IP_OK) return;
    if (ip.source.family != mtu->address.family) return;
    struct sim_packet *answer = sim_packet_create(&mtu->box.world->pool);
    answer->length = icmp_packet_too_big_encode(mtu->bytes, &mtu->address, &ip.source, packet->bytes, packet->length,
                                                answer->bytes, sim_packet_room(answer));
    if (answer->length == 0) sim_packet_release(answer);
    else sim_box_pass(&mtu->box, sim_back(direction), answer, now);
}

static void mtu_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, braid_time now) {
    struct mtu *mtu = (struct mtu *)box;
    if (packet->length <= mtu->bytes) {
        sim_box_pass(box, direction, packet, now);
        return;
    }
    complain(mtu, direction, packet, now);
    sim_box_drop(box, direction, packet, "too big");
}

static const struct sim_box_ops mtu_ops = {.name = "mtu", .packet = mtu_packet};

struct sim_box *sim_mtu(struct sim_world *world, uint32_t mtu_bytes, const struct ip_address *address) {
    struct mtu *mtu = sim_box_create(world, &mtu_ops, sizeof(*mtu));
    mtu->bytes = mtu_bytes;
    mtu->address = *address;
    return &mtu->box;
}
