/* Network address translators, at home and at carriers: flows from inside go out from one address, each by a port of
 * its own. And a load balancer that knows nothing of joins. */
#include "middle_flow.h"

enum { FIRST_PORT = 20000, PORTS = 40000 };

struct mapping {
    struct middle_flow head;
    uint16_t outside_port;
};

struct nat {
    struct sim_box box;
    struct sim_nat_config config;
    struct ip_address outside;
    struct middle_flows mappings;
    uint32_t next_port;
};

static struct ip_address ip_of(const struct braid_address *address) {
    return address->family == 4 ? ip_address_v4(address->bytes) : ip_address_v6(address->bytes);
}

static bool expired(const struct nat *nat, const struct mapping *mapping) {
    return nat->config.idle_ns != 0 && nat->box.world->now - mapping->head.used_at > nat->config.idle_ns;
}

static struct mapping *use(struct nat *nat, struct mapping *mapping) {
    if (mapping == NULL) return NULL;
    if (expired(nat, mapping)) {
        middle_flow_remove(&nat->mappings, nat->box.world, &mapping->head);
        return NULL;
    }
    mapping->head.used_at = nat->box.world->now;
    return mapping;
}

static struct mapping *mapping_from_inside(struct nat *nat, const struct sim_tcp *tcp) {
    struct flow flow = middle_flow_of(tcp, SIM_UP);
    struct mapping *mapping = use(nat, middle_flow_find(&nat->mappings, &flow));
    if (mapping != NULL) return mapping;
    bool syn = (tcp->segment.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    if ((nat->config.strict && !syn) || (tcp->segment.flags & TCP_RST)) return NULL;
    mapping = middle_flow_add(&nat->mappings, nat->box.world, &flow);
    mapping->outside_port = (uint16_t)(FIRST_PORT + nat->next_port++ % PORTS);
    return mapping;
}

static struct mapping *mapping_from_outside(struct nat *nat, const struct sim_tcp *tcp) {
    for (struct middle_flow *known = nat->mappings.first; known != NULL; known = known->next) {
        struct mapping *mapping = (struct mapping *)known;
        if (mapping->outside_port == tcp->segment.destination_port &&
            known->flow.remote_port == tcp->segment.source_port &&
            ip_address_equal(&known->flow.remote, &tcp->ip.source))
            return use(nat, mapping);
    }
    return NULL;
}

static void refuse(struct nat *nat, enum sim_direction direction, struct sim_tcp *tcp, braid_time now) {
    struct sim_packet *reset = nat->config.resets ? middle_reset_for(tcp) : NULL;
    if (reset != NULL) sim_box_pass(&nat->box, sim_back(direction), reset, now);
    sim_box_drop(&nat->box, direction, tcp->packet, "no mapping");
}

static void nat_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet, braid_time now) {
    struct nat *nat = (struct nat *)box;
    struct sim_tcp tcp;
    if (!sim_tcp_open(packet, &tcp)) {
        sim_box_drop(box, direction, packet, "not TCP");
        return;
    }
    bool up = direction == SIM_UP;
    struct mapping *mapping = up ? mapping_from_inside(nat, &tcp) : mapping_from_outside(nat, &tcp);
    if (mapping == NULL) {
        refuse(nat, direction, &tcp, now);
        return;
    }
    if (up) sim_tcp_set_source(&tcp, &nat->outside, mapping->outside_port);
    else sim_tcp_set_destination(&tcp, &mapping->head.flow.local, mapping->head.flow.local_port);
    sim_tcp_close(&tcp);
    sim_box_pass(box, direction, packet, now);
}

static void nat_destroy(struct sim_box *box) { middle_flows_forget(&((struct nat *)box)->mappings, box->world); }

static const struct sim_box_ops nat_ops = {.name = "NAT", .packet = nat_packet, .destroy = nat_destroy};

struct sim_box *sim_nat(struct sim_world *world, const struct sim_nat_config *config) {
    struct nat *nat = sim_box_create(world, &nat_ops, sizeof(*nat));
    nat->config = *config;
    nat->outside = ip_of(&config->outside);
    nat->mappings.size = sizeof(struct mapping);
    return &nat->box;
}

void sim_nat_forget(struct sim_box *box) {
    ENSURE(box->ops == &nat_ops);
    middle_flows_forget(&((struct nat *)box)->mappings, box->world);
}

/* --- joins misdirected --- */

struct misdirected {
    struct middle_flow head;
    struct ip_address meant;
};

struct misdirector {
    struct sim_box box;
    struct ip_address elsewhere;
    struct middle_flows flows; /* as they look beyond the box */
};

static bool is_join_syn(const struct sim_tcp *tcp) {
    if ((tcp->segment.flags & (TCP_SYN | TCP_ACK)) != TCP_SYN) return false;
    for (unsigned i = 0; i < tcp->segment.options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &tcp->segment.options.mptcp[i];
        if (raw->length > 2 && raw->bytes[2] >> 4 == 1) return true;
    }
    return false;
}

static void misdirector_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                               braid_time now) {
    struct misdirector *box = (struct misdirector *)base;
    struct sim_tcp tcp;
    if (sim_tcp_open(packet, &tcp)) {
        struct flow flow = middle_flow_of(&tcp, direction);
        struct ip_address meant = flow.remote;
        if (direction == SIM_UP) flow.remote = box->elsewhere;
        struct misdirected *known = middle_flow_find(&box->flows, &flow);
        if (known == NULL && direction == SIM_UP && is_join_syn(&tcp)) {
            known = middle_flow_add(&box->flows, base->world, &flow);
            known->meant = meant;
        }
        if (known != NULL && direction == SIM_UP)
            sim_tcp_set_destination(&tcp, &box->elsewhere, tcp.segment.destination_port);
        else if (known != NULL)
            sim_tcp_set_source(&tcp, &known->meant, tcp.segment.source_port);
        sim_tcp_close(&tcp);
    }
    sim_box_pass(base, direction, packet, now);
}

static void misdirector_destroy(struct sim_box *base) {
    middle_flows_forget(&((struct misdirector *)base)->flows, base->world);
}

static const struct sim_box_ops misdirector_ops = {
    .name = "join misdirector", .packet = misdirector_packet, .destroy = misdirector_destroy};

struct sim_box *sim_join_misdirector(struct sim_world *world, const struct braid_address *elsewhere) {
    struct misdirector *box = sim_box_create(world, &misdirector_ops, sizeof(*box));
    box->elsewhere = ip_of(elsewhere);
    box->flows.size = sizeof(struct misdirected);
    return &box->box;
}
