/* A hop with a small MTU, and what it says to those who send more. */
#include "sim_internal.h"

#include <wire/icmp.h>

struct mtu {
    struct sim_box box;
    uint32_t bytes;
    struct ip_address addresses[2][2]; /* by the packet's direction, of IPv4 and IPv6 */
};

static void complain(struct mtu *mtu, enum sim_direction direction, const struct sim_packet *packet,
                     braid_time now) {
    struct ip_header ip;
    if (ip_decode(packet->bytes, packet->length, false, &ip) != IP_OK) return;
    const struct ip_address *own = &mtu->addresses[direction][ip.source.family == IP_V6];
    if (own->family == IP_NONE) return;
    struct sim_packet *answer = sim_packet_create(&mtu->box.world->pool);
    answer->length = icmp_packet_too_big_encode(mtu->bytes, own, &ip.source, packet->bytes, packet->length,
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
    sim_mtu_answer_from(&mtu->box, SIM_UP, address);
    sim_mtu_answer_from(&mtu->box, SIM_DOWN, address);
    return &mtu->box;
}

void sim_mtu_answer_from(struct sim_box *box, enum sim_direction direction, const struct ip_address *address) {
    ENSURE(box->ops == &mtu_ops);
    if (address->family != IP_NONE) ((struct mtu *)box)->addresses[direction][address->family == IP_V6] = *address;
}
