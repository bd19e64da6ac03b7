/* Noise: reordering, duplication, corruption, jitter, and loss in bursts. */
#include "sim_internal.h"

/* A packet that waits here. */
struct held {
    struct sim_timer timer;
    struct noise *noise;
    struct held *next, **place;
    enum sim_direction direction;
    struct sim_packet *packet;
};

struct noise {
    struct sim_box box;
    struct sim_noise_config config;
    struct prng prng;
    struct held *held;
    bool burst[2];
    braid_time free_at[2]; /* jitter keeps the order: none leaves before the one ahead of it */
};

static void held_forget(struct held *held) {
    *held->place = held->next;
    if (held->next != NULL) held->next->place = held->place;
    sim_release(held->noise->box.world, held, sizeof(*held));
}

static void held_fire(struct sim_timer *timer, braid_time now) {
    struct held *held = CONTAINER_OF(timer, struct held, timer);
    struct noise *noise = held->noise;
    struct sim_packet *packet = held->packet;
    enum sim_direction direction = held->direction;
    held_forget(held);
    sim_box_pass(&noise->box, direction, packet, now);
}

static void hold(struct noise *noise, enum sim_direction direction, struct sim_packet *packet, braid_time until) {
    struct held *held = sim_allocate(noise->box.world, sizeof(*held));
    *held = (struct held){.timer = {.fire = held_fire},
                          .noise = noise,
                          .next = noise->held,
                          .place = &noise->held,
                          .direction = direction,
                          .packet = packet};
    if (held->next != NULL) held->next->place = &held->next;
    noise->held = held;
    sim_timer_set(noise->box.world, &held->timer, until);
}

static bool happens(struct noise *noise, double probability) {
    return probability > 0 && prng_unit(&noise->prng) < probability;
}

static bool lost_in_burst(struct noise *noise, enum sim_direction direction) {
    const struct sim_noise_config *config = &noise->config;
    if (happens(noise, noise->burst[direction] ? config->burst_end : config->burst_begin))
        noise->burst[direction] = !noise->burst[direction];
    return noise->burst[direction] && happens(noise, config->burst_loss);
}

/* Bits that stand together: flips far apart may cancel in TCP's checksum, and then nobody could tell. */
static void corrupt(struct noise *noise, struct sim_packet *packet) {
    sim_packet_complete_checksum(packet);
    uint64_t first = prng_below(&noise->prng, (uint64_t)packet->length * 8 - 2);
    for (uint64_t bit = first; bit <= first + prng_below(&noise->prng, 3); bit++)
        packet->bytes[bit / 8] ^= (uint8_t)(0x80u >> bit % 8);
}

static braid_time up_to(struct noise *noise, braid_time most) { return prng_below(&noise->prng, most + 1); }

static void let_pass(struct noise *noise, enum sim_direction direction, struct sim_packet *packet, braid_time now) {
    const struct sim_noise_config *config = &noise->config;
    if (happens(noise, config->reorder)) {
        hold(noise, direction, packet, now + up_to(noise, config->reorder_ns));
        return;
    }
    if (config->jitter_ns == 0 && noise->free_at[direction] <= now) {
        sim_box_pass(&noise->box, direction, packet, now);
        return;
    }
    /* One nanosecond apart, so that they leave in order. */
    braid_time leave = now + up_to(noise, config->jitter_ns);
    if (leave <= noise->free_at[direction]) leave = noise->free_at[direction] + 1;
    noise->free_at[direction] = leave;
    hold(noise, direction, packet, leave);
}

static void noise_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet,
                         braid_time now) {
    struct noise *noise = (struct noise *)box;
    const struct sim_noise_config *config = &noise->config;
    if (lost_in_burst(noise, direction)) {
        sim_box_drop(box, direction, packet, "burst");
        return;
    }
    if (happens(noise, config->duplicate))
        hold(noise, direction, sim_packet_copy(packet), now + up_to(noise, config->reorder_ns));
    if (happens(noise, config->corrupt)) corrupt(noise, packet);
    let_pass(noise, direction, packet, now);
}

static void noise_destroy(struct sim_box *box) {
    struct noise *noise = (struct noise *)box;
    while (noise->held != NULL) {
        sim_packet_release(noise->held->packet);
        sim_timer_set(box->world, &noise->held->timer, BRAID_NEVER);
        held_forget(noise->held);
    }
}

static const struct sim_box_ops noise_ops = {.name = "noise", .packet = noise_packet, .destroy = noise_destroy};

struct sim_box *sim_noise(struct sim_world *world, const struct sim_noise_config *config) {
    struct noise *noise = sim_box_create(world, &noise_ops, sizeof(*noise));
    noise->config = *config;
    prng_seed(&noise->prng, prng_next(&world->prng));
    return &noise->box;
}

void sim_noise_configure(struct sim_box *box, const struct sim_noise_config *config) {
    ENSURE(box->ops == &noise_ops);
    ((struct noise *)box)->config = *config;
}
