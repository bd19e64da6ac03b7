/* Stateful firewalls: they know flows by their SYNs, and some have opinions on what may follow. */
#include "middle_flow.h"

struct guarded {
    struct middle_flow head;
    struct {
        bool known;
        seq32 next; /* after the data that passed in order */
        seq32 most; /* after all that passed */
    } way[2];
};

struct firewall {
    struct sim_box box;
    struct sim_firewall_config config;
    struct middle_flows flows;
};

static struct guarded *flow_of(struct firewall *box, enum sim_direction direction, const struct sim_tcp *tcp) {
    struct flow flow = middle_flow_of(tcp, direction);
    struct guarded *known = middle_flow_find(&box->flows, &flow);
    braid_time now = box->box.world->now;
    if (known != NULL && box->config.idle_ns != 0 && now - known->head.used_at > box->config.idle_ns) {
        middle_flow_remove(&box->flows, box->box.world, &known->head);
        known = NULL;
    }
    bool opens = sim_segment_kind(tcp) == SIM_SEGMENT_SYN && (direction == SIM_UP || !box->config.outward_only);
    if (known == NULL && opens) known = middle_flow_add(&box->flows, box->box.world, &flow);
    if (known != NULL) known->head.used_at = now;
    return known;
}

/* Why the segment may not pass; NULL: it may. */
static const char *objection(struct firewall *box, struct guarded *flow, enum sim_direction direction,
                             const struct sim_tcp *tcp) {
    const struct tcp_segment *s = &tcp->segment;
    uint32_t length = tcp_segment_length(s);
    seq32 end = seq32_add(s->seq, length);
    if (s->flags & TCP_SYN) {
        flow->way[direction].known = true;
        flow->way[direction].next = flow->way[direction].most = end;
        return NULL;
    }
    bool back = flow->way[sim_back(direction)].known;
    if (box->config.no_unseen_ack && back && (s->flags & TCP_ACK) &&
        seq32_gt(s->ack, flow->way[sim_back(direction)].most))
        return "ACK of unseen data";
    if (!flow->way[direction].known || length == 0) return NULL;
    bool hole = seq32_gt(s->seq, flow->way[direction].next);
    if (hole && box->config.in_order) return "data after a hole";
    if (!hole) flow->way[direction].next = seq32_max(flow->way[direction].next, end);
    flow->way[direction].most = seq32_max(flow->way[direction].most, end);
    return NULL;
}

static void firewall_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                            braid_time now) {
    struct firewall *box = (struct firewall *)base;
    struct sim_tcp tcp;
    if (!sim_tcp_open(packet, &tcp)) {
        sim_box_pass(base, direction, packet, now);
        return;
    }
    struct guarded *flow = flow_of(box, direction, &tcp);
    if (flow == NULL) {
        struct sim_packet *reset = box->config.resets ? middle_reset_for(&tcp) : NULL;
        if (reset != NULL) sim_box_pass(base, sim_back(direction), reset, now);
        sim_box_drop(base, direction, packet, "no SYN seen");
        return;
    }
    const char *why = objection(box, flow, direction, &tcp);
    if (why != NULL) sim_box_drop(base, direction, packet, why);
    else sim_box_pass(base, direction, packet, now);
}

static void firewall_destroy(struct sim_box *base) {
    middle_flows_forget(&((struct firewall *)base)->flows, base->world);
}

static const struct sim_box_ops firewall_ops = {
    .name = "firewall", .packet = firewall_packet, .destroy = firewall_destroy};

struct sim_box *sim_firewall(struct sim_world *world, const struct sim_firewall_config *config) {
    struct firewall *box = sim_box_create(world, &firewall_ops, sizeof(*box));
    box->config = *config;
    box->flows.size = sizeof(struct guarded);
    return &box->box;
}

void sim_firewall_forget(struct sim_box *box) {
    ENSURE(box->ops == &firewall_ops);
    middle_flows_forget(&((struct firewall *)box)->flows, box->world);
}
