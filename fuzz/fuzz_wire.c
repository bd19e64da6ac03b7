/* Two stacks with a wire between them that changes packets on their way: fields, options, payload, lost, doubled, late.
 * Invariants hold, nothing goes round in circles, and when the wire is well again both sides come to an end. */
#include "packet_mutate.h"
#include <sim/phone.h>

struct mutating_box {
    struct sim_box box;
    struct feed *feed;
};

static struct sim_phone phone;
static struct mutate_secrets secrets;

static void resend(struct sim_box *box, enum sim_direction direction, const uint8_t *bytes, uint32_t length, braid_time now,
                   const struct sim_packet *like) {
    struct sim_packet *packet = sim_packet_copy(like);
    ENSURE(length <= sim_packet_room(packet));
    memcpy(packet->bytes, bytes, length);
    packet->length = length;
    packet->checksum_partial = false;
    sim_box_pass(box, direction, packet, now);
}

static void box_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, braid_time now) {
    static struct mutated m;
    static uint8_t bytes[MUTATED_BYTES_MAX + 100];
    struct feed *f = ((struct mutating_box *)box)->feed;
    uint8_t what = feed_left(f) > 0 ? feed_u8(f) : 255;
    if (what >= 160) {
        sim_box_pass(box, direction, packet, now);
    } else if (what >= 144) {
        sim_box_drop(box, direction, packet, "fuzz");
    } else if (!mutate_open(packet->bytes, packet->length, &m)) {
        sim_box_pass(box, direction, packet, now);
    } else {
        for (unsigned changes = 1 + what % 3; changes > 0; changes--) mutate(f, &m, &secrets);
        uint32_t length = mutate_close(&m, bytes);
        if (length > 0) resend(box, direction, bytes, length, now, packet);
        if (what & 8) sim_box_pass(box, direction, packet, now); /* the real one too, behind it */
        else sim_box_drop(box, direction, packet, "fuzz");
    }
}

static const struct sim_box_ops ops = {.name = "mutating", .packet = box_packet};

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    uint8_t kind = feed_u8(&f);
    struct sim_phone_config config = {
        .world = {.seed = kind, .check_every = 1}, .paths = {sim_wifi, sim_cellular}, .path_count = kind & 1 ? 2 : 1};
    config.client.checksum = (kind & 2) != 0;
    config.client.time_wait_ns = config.server.time_wait_ns = BRAID_NS_PER_S;
    config.client.connect_timeout_ns = config.server.connect_timeout_ns = 10 * BRAID_NS_PER_S;
    sim_phone_init(&phone, &config);
    for (unsigned i = 0; i < phone.path_count; i++) {
        struct mutating_box *box = sim_box_create(phone.world, &ops, sizeof(*box));
        box->feed = &f;
        sim_link_append(phone.links[i], &box->box);
    }
    struct sim_conversation_config talk = {.streams = {{.bytes = 20000}, {.bytes = 20000}}};
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, 20 * BRAID_NS_PER_S);
    sim_conversation_abort(c, SIM_UP);
    sim_conversation_abort(c, SIM_DOWN);
    sim_world_run(phone.world, 40 * BRAID_NS_PER_S);
    ENSURE(sim_phone_deinit(&phone) == 0);
    return 0;
}
