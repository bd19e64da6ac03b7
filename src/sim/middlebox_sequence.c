/* Middleboxes that rewrite sequence numbers (10 % of paths, IMC'11), windows, and payload. */
#include "middle_flow.h"

enum { OPTION_NOP = 1, OPTION_WINDOW_SCALE = 3, OPTION_SACK = 5 };

/* SACK blocks moved by `offset`. */
static void move_sack(struct sim_tcp *tcp, uint32_t offset) {
    struct sim_tcp_option option;
    for (uint32_t at = 0; sim_tcp_option_next(tcp, at, &option); at += option.length) {
        if (option.kind != OPTION_SACK) continue;
        for (uint32_t edge = at + 2; edge + 4 <= at + option.length; edge += 4) {
            struct reader r = reader_of(tcp->options + edge, 4);
            uint32_t value = read_u32(&r) + offset;
            struct writer w = writer_of(tcp->options + edge, 4);
            write_u32(&w, value);
        }
    }
}

/* --- initial sequence numbers drawn anew --- */

struct translation {
    struct middle_flow head;
    uint32_t offset[2]; /* added to what goes in each direction */
};

struct sequence_box {
    struct sim_box box;
    struct sim_sequence_config config;
    struct prng prng;
    struct middle_flows flows;
};

static void sequence_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                            braid_time now) {
    struct sequence_box *box = (struct sequence_box *)base;
    struct sim_tcp tcp;
    if (!sim_tcp_open(packet, &tcp)) {
        sim_box_pass(base, direction, packet, now);
        return;
    }
    struct flow flow = middle_flow_of(&tcp, direction);
    struct translation *known = middle_flow_find(&box->flows, &flow);
    if (known == NULL && sim_segment_kind(&tcp) == SIM_SEGMENT_SYN) {
        known = middle_flow_add(&box->flows, base->world, &flow);
        for (int i = 0; i < 2; i++)
            known->offset[i] = (uint32_t)prng_next(&box->prng);
    }
    if (known != NULL) {
        uint32_t back = known->offset[sim_back(direction)];
        sim_tcp_set_seq(&tcp, seq32_add(tcp.segment.seq, known->offset[direction]));
        if (tcp.segment.flags & TCP_ACK) sim_tcp_set_ack(&tcp, seq32_back(tcp.segment.ack, back));
        if (!box->config.leave_sack) move_sack(&tcp, 0u - back);
        sim_tcp_close(&tcp);
    }
    sim_box_pass(base, direction, packet, now);
}

static void sequence_destroy(struct sim_box *base) {
    middle_flows_forget(&((struct sequence_box *)base)->flows, base->world);
}

static const struct sim_box_ops sequence_ops = {
    .name = "sequence numbers", .packet = sequence_packet, .destroy = sequence_destroy};

struct sim_box *sim_sequence_box(struct sim_world *world, const struct sim_sequence_config *config) {
    struct sequence_box *box = sim_box_create(world, &sequence_ops, sizeof(*box));
    box->config = *config;
    box->flows.size = sizeof(struct translation);
    prng_seed(&box->prng, prng_next(&world->prng));
    return &box->box;
}

/* --- windows --- */

struct window_box {
    struct sim_box box;
    struct sim_window_config config;
};

static void strip_scale(struct sim_tcp *tcp) {
    struct sim_tcp_option option;
    for (uint32_t at = 0; sim_tcp_option_next(tcp, at, &option); at += option.length)
        if (option.kind == OPTION_WINDOW_SCALE) memset(tcp->options + at, OPTION_NOP, option.length);
}

static void window_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                          braid_time now) {
    const struct sim_window_config *config = &((struct window_box *)base)->config;
    struct sim_tcp tcp;
    if ((config->directions & 1u << direction) && sim_tcp_open(packet, &tcp)) {
        if (config->most != 0 && tcp.segment.window > config->most) sim_tcp_set_window(&tcp, config->most);
        if (config->strip_scale && (tcp.segment.flags & TCP_SYN)) strip_scale(&tcp);
        sim_tcp_close(&tcp);
    }
    sim_box_pass(base, direction, packet, now);
}

static const struct sim_box_ops window_ops = {.name = "windows", .packet = window_packet};

struct sim_box *sim_window_box(struct sim_world *world, const struct sim_window_config *config) {
    struct window_box *box = sim_box_create(world, &window_ops, sizeof(*box));
    box->config = *config;
    return &box->box;
}

/* --- payload that changes, and its length --- */

struct edited {
    struct middle_flow head;
    uint64_t data_segments;
    seq32 next; /* after the data segments counted */
    bool started, done;
    seq32 at; /* where the change was made, in the sender's numbers */
};

struct payload_box {
    struct sim_box box;
    struct sim_payload_config config;
    struct middle_flows flows;
};

static void edit(struct payload_box *box, struct sim_tcp *tcp) {
    uint8_t bytes[SIM_PACKET_ROOM];
    int32_t grow = box->config.grow;
    uint32_t length = tcp->payload_length;
    if (grow < 0 && (uint32_t)-grow > length) grow = -(int32_t)length;
    if (grow > 0) memset(bytes, 'x', (size_t)grow);
    uint32_t skip = grow < 0 ? (uint32_t)-grow : 0, add = grow > 0 ? (uint32_t)grow : 0;
    memcpy(bytes + add, tcp->payload + skip, length - skip);
    if (length > skip) bytes[add] ^= 0xff;
    sim_tcp_set_payload(tcp, bytes, length - skip + add);
}

/* From the sender: data up to the change pass as they are, the segment that was chosen is changed each time
 * it comes, what follows moves. */
static void edit_forth(struct payload_box *box, struct edited *flow, struct sim_tcp *tcp) {
    seq32 seq = tcp->segment.seq;
    if (tcp->payload_length > 0 && !flow->done && (!flow->started || seq32_ge(seq, flow->next))) {
        flow->started = true;
        flow->next = seq32_add(seq, tcp->payload_length);
        if (flow->data_segments++ == box->config.at) {
            flow->done = true;
            flow->at = seq;
        }
    }
    if (!flow->done) return;
    if (seq32_eq(seq, flow->at) && tcp->payload_length > 0)
        edit(box, tcp);
    else if (seq32_gt(seq, flow->at))
        sim_tcp_set_seq(tcp, seq32_add(seq, (uint32_t)box->config.grow));
}

static void edit_back(struct payload_box *box, struct edited *flow, struct sim_tcp *tcp) {
    if (!flow->done || !(tcp->segment.flags & TCP_ACK)) return;
    if (seq32_gt(tcp->segment.ack, flow->at))
        sim_tcp_set_ack(tcp, seq32_back(tcp->segment.ack, (uint32_t)box->config.grow));
    move_sack(tcp, 0u - (uint32_t)box->config.grow);
}

/* A segment that grew goes on as two, for the next link may not take it as one. */
static void pass_grown(struct payload_box *box, enum sim_direction direction, struct sim_packet *first,
                       uint32_t length, braid_time now) {
    struct sim_packet *rest = sim_packet_copy(first);
    struct sim_tcp tcp;
    ENSURE(sim_tcp_open(first, &tcp));
    sim_tcp_set_payload(&tcp, tcp.payload, length);
    sim_tcp_set_flags(&tcp, (uint8_t)(tcp.segment.flags & ~(TCP_FIN | TCP_PSH)));
    sim_tcp_close(&tcp);
    ENSURE(sim_tcp_open(rest, &tcp));
    sim_tcp_set_payload(&tcp, tcp.payload + length, tcp.payload_length - length);
    sim_tcp_set_seq(&tcp, seq32_add(tcp.segment.seq, length));
    sim_tcp_close(&tcp);
    sim_box_pass(&box->box, direction, first, now);
    sim_box_pass(&box->box, direction, rest, now);
}

static void payload_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                           braid_time now) {
    struct payload_box *box = (struct payload_box *)base;
    struct sim_tcp tcp;
    uint32_t length = 0;
    if (sim_tcp_open(packet, &tcp)) {
        length = tcp.payload_length;
        struct flow flow = middle_flow_of(&tcp, direction);
        struct edited *known = middle_flow_find(&box->flows, &flow);
        if (known == NULL) known = middle_flow_add(&box->flows, base->world, &flow);
        if (direction == box->config.direction)
            edit_forth(box, known, &tcp);
        else
            edit_back(box, known, &tcp);
        sim_tcp_close(&tcp);
        if (tcp.payload_length > length) {
            pass_grown(box, direction, packet, length, now);
            return;
        }
    }
    sim_box_pass(base, direction, packet, now);
}

static void payload_destroy(struct sim_box *base) {
    middle_flows_forget(&((struct payload_box *)base)->flows, base->world);
}

static const struct sim_box_ops payload_ops = {
    .name = "payload", .packet = payload_packet, .destroy = payload_destroy};

struct sim_box *sim_payload_box(struct sim_world *world, const struct sim_payload_config *config) {
    struct payload_box *box = sim_box_create(world, &payload_ops, sizeof(*box));
    box->config = *config;
    box->flows.size = sizeof(struct edited);
    if (config->grow > 0 && world->pool.room < SIM_PACKET_ROOM + (uint32_t)config->grow)
        world->pool.room = SIM_PACKET_ROOM + (uint32_t)config->grow;
    return &box->box;
}
