/* A wire: a link model each way, its packets waiting for their time. */
#include "sim_internal.h"

struct wire_way {
    struct link_model model;
    struct sim_timer timer;
    struct wire *wire;
};

struct wire {
    struct sim_box box;
    uint32_t overhead_bytes;
    struct wire_way ways[2];
};

static enum sim_direction direction_of(const struct wire_way *way) {
    return way == &way->wire->ways[SIM_UP] ? SIM_UP : SIM_DOWN;
}

static struct sim_packet *packet_of(uint64_t tag) { return (struct sim_packet *)(uintptr_t)tag; }

static void set_timer(struct wire_way *way) {
    sim_timer_set(way->wire->box.world, &way->timer, link_model_deadline(&way->model));
}

static void wire_fire(struct sim_timer *timer, braid_time now) {
    struct wire_way *way = CONTAINER_OF(timer, struct wire_way, timer);
    struct link_model_packet done;
    while (link_model_take(&way->model, now, &done)) {
        struct sim_packet *packet = packet_of(done.tag);
        if (done.fate == LINK_PASSED) sim_box_pass(&way->wire->box, direction_of(way), packet, now);
        else sim_box_drop(&way->wire->box, direction_of(way), packet, link_fate_name(done.fate));
    }
    set_timer(way);
}

static void wire_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet,
                        braid_time now) {
    struct wire *wire = (struct wire *)box;
    struct wire_way *way = &wire->ways[direction];
    uint32_t bytes = packet->length + wire->overhead_bytes;
    enum link_fate fate = link_model_offer(&way->model, bytes, (uint64_t)(uintptr_t)packet, now);
    if (fate != LINK_PASSED) {
        sim_box_drop(box, direction, packet, link_fate_name(fate));
        return;
    }
    if (way->timer.node.place == 0) set_timer(way);
}

static void wire_destroy(struct sim_box *box) {
    struct wire *wire = (struct wire *)box;
    for (int i = 0; i < 2; i++) {
        struct wire_way *way = &wire->ways[i];
        struct link_model_packet done;
        link_model_set_state(&way->model, LINK_MODEL_DOWN, box->world->now);
        while (link_model_take(&way->model, box->world->now, &done)) sim_packet_release(packet_of(done.tag));
        sim_timer_set(box->world, &way->timer, BRAID_NEVER);
        link_model_deinit(&way->model);
    }
}

static const struct sim_box_ops wire_ops = {.name = "wire", .packet = wire_packet, .destroy = wire_destroy};

struct sim_box *sim_wire(struct sim_world *world, const struct link_model_config *up,
                         const struct link_model_config *down) {
    struct wire *wire = sim_box_create(world, &wire_ops, sizeof(*wire));
    for (int i = 0; i < 2; i++) {
        struct wire_way *way = &wire->ways[i];
        way->wire = wire;
        way->timer.fire = wire_fire;
        link_model_init(&way->model, &world->env, i == SIM_UP ? up : down, prng_next(&world->prng));
    }
    return &wire->box;
}

static struct wire_way *way_of(struct sim_box *box, enum sim_direction direction) {
    ENSURE(box->ops == &wire_ops);
    return &((struct wire *)box)->ways[direction];
}

void sim_wire_set_overhead(struct sim_box *box, uint32_t bytes) {
    ENSURE(box->ops == &wire_ops);
    ((struct wire *)box)->overhead_bytes = bytes;
}

void sim_wire_configure(struct sim_box *box, enum sim_direction direction, const struct link_model_config *config) {
    struct wire_way *way = way_of(box, direction);
    link_model_configure(&way->model, config, box->world->now);
    set_timer(way);
}

void sim_wire_set_state(struct sim_box *box, enum sim_direction direction, enum link_model_state state) {
    struct wire_way *way = way_of(box, direction);
    link_model_set_state(&way->model, state, box->world->now);
    set_timer(way);
}

const struct link_model *sim_wire_model(const struct sim_box *box, enum sim_direction direction) {
    ENSURE(box->ops == &wire_ops);
    return &((const struct wire *)box)->ways[direction].model;
}
