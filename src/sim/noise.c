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
    struct prng prng;
    struct noise_model models[2]; /* by direction */
    struct held *held;
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

static void hold(struct noise *noise, enum sim_direction direction, struct sim_packet *packet,
                 braid_time until) {
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

static void noise_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet,
                         braid_time now) {
    struct noise *noise = (struct noise *)box;
    struct noise_fate fate;
    noise_model_judge(&noise->models[direction], packet->length, now, &fate);
    if (fate.lost) {
        sim_box_drop(box, direction, packet, "burst");
        return;
    }
    if (fate.copied) hold(noise, direction, sim_packet_copy(packet), fate.copy_ns);
    if (fate.flip_count > 0) {
        sim_packet_complete_checksum(packet);
        noise_flip(packet->bytes, &fate);
    }
    if (fate.marked) noise_mark(packet->bytes, packet->length);
    if (fate.waits)
        hold(noise, direction, packet, fate.pass_ns);
    else
        sim_box_pass(box, direction, packet, now);
}

static void noise_destroy(struct sim_box *box) {
    struct noise *noise = (struct noise *)box;
    while (noise->held != NULL) {
        sim_packet_release(noise->held->packet);
        sim_timer_set(box->world, &noise->held->timer, BRAID_NEVER);
        held_forget(noise->held);
    }
}

static const struct sim_box_ops noise_ops = {
    .name = "noise", .packet = noise_packet, .destroy = noise_destroy};

struct sim_box *sim_noise_each_way(struct sim_world *world, const struct sim_noise_config *up,
                                   const struct sim_noise_config *down) {
    struct noise *noise = sim_box_create(world, &noise_ops, sizeof(*noise));
    prng_seed(&noise->prng, prng_next(&world->prng));
    for (int i = 0; i < 2; i++)
        noise->models[i] = (struct noise_model){.config = i == SIM_UP ? *up : *down, .prng = &noise->prng};
    return &noise->box;
}

struct sim_box *sim_noise(struct sim_world *world, const struct sim_noise_config *config) {
    return sim_noise_each_way(world, config, config);
}

void sim_noise_configure_way(struct sim_box *box, enum sim_direction direction,
                             const struct sim_noise_config *config) {
    ENSURE(box->ops == &noise_ops);
    ((struct noise *)box)->models[direction].config = *config;
}

void sim_noise_configure(struct sim_box *box, const struct sim_noise_config *config) {
    sim_noise_configure_way(box, SIM_UP, config);
    sim_noise_configure_way(box, SIM_DOWN, config);
}
