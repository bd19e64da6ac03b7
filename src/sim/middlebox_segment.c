/* Middleboxes that cut segments, or put them together, as offloading hardware and proxies do. */
#include "middle_flow.h"

/* --- cutting --- */

struct splitter {
    struct sim_box box;
    struct sim_split_config config;
};

/* The piece of `whole` from `offset` on. */
static struct sim_packet *piece_of(const struct splitter *box, struct sim_packet *whole, uint32_t offset) {
    struct sim_packet *packet = sim_packet_copy(whole);
    struct sim_tcp tcp;
    ENSURE(sim_tcp_open(packet, &tcp));
    uint32_t length = tcp.payload_length - offset;
    bool last = length <= box->config.payload_bytes;
    if (!last) length = box->config.payload_bytes;
    sim_tcp_set_payload(&tcp, tcp.payload + offset, length);
    sim_tcp_set_seq(&tcp, seq32_add(tcp.segment.seq, offset));
    if (!last) sim_tcp_set_flags(&tcp, (uint8_t)(tcp.segment.flags & ~(TCP_FIN | TCP_PSH)));
    if (box->config.options_once && offset > 0) sim_tcp_set_options(&tcp, NULL, 0);
    sim_tcp_close(&tcp);
    return packet;
}

static void splitter_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                            braid_time now) {
    struct splitter *box = (struct splitter *)base;
    struct sim_tcp tcp;
    if (!(box->config.directions & 1u << direction) || !sim_tcp_open(packet, &tcp) ||
        tcp.payload_length <= box->config.payload_bytes || (tcp.segment.flags & TCP_SYN)) {
        sim_box_pass(base, direction, packet, now);
        return;
    }
    uint32_t length = tcp.payload_length;
    for (uint32_t offset = 0; offset < length; offset += box->config.payload_bytes)
        sim_box_pass(base, direction, piece_of(box, packet, offset), now);
    sim_packet_release(packet);
}

static const struct sim_box_ops splitter_ops = {.name = "splitter", .packet = splitter_packet};

struct sim_box *sim_splitter(struct sim_world *world, const struct sim_split_config *config) {
    struct splitter *box = sim_box_create(world, &splitter_ops, sizeof(*box));
    box->config = *config;
    ENSURE(config->payload_bytes > 0);
    return &box->box;
}

/* --- putting together --- */

struct waiting {
    struct middle_flow head;
    struct coalescer *box;
    enum sim_direction direction;
    struct sim_packet *packet;
    struct sim_timer timer;
};

struct coalescer {
    struct sim_box box;
    struct sim_coalesce_config config;
    struct middle_flows flows[2]; /* by direction: struct waiting */
};

static void let_go(struct waiting *waiting, braid_time now) {
    struct sim_packet *packet = waiting->packet;
    waiting->packet = NULL;
    sim_timer_set(waiting->box->box.world, &waiting->timer, BRAID_NEVER);
    if (packet != NULL) sim_box_pass(&waiting->box->box, waiting->direction, packet, now);
}

static void coalescer_fire(struct sim_timer *timer, braid_time now) {
    let_go(CONTAINER_OF(timer, struct waiting, timer), now);
}

/* Appends the payload of `next` to the one that waits, if it follows it. */
static bool append(struct coalescer *box, struct sim_packet *first, const struct sim_tcp *next) {
    struct sim_tcp tcp;
    ENSURE(sim_tcp_open(first, &tcp));
    uint32_t length = tcp.payload_length + next->payload_length;
    if (!seq32_eq(seq32_add(tcp.segment.seq, tcp.payload_length), next->segment.seq)) return false;
    if (length > box->config.payload_bytes) return false;
    if ((size_t)(tcp.payload - first->bytes) + length + TCP_OPTIONS_MAX > sim_packet_room(first)) return false;
    if (box->config.last_options) sim_tcp_set_options(&tcp, next->options, next->options_length);
    memcpy(tcp.payload + tcp.payload_length, next->payload, next->payload_length);
    tcp.payload_length = length;
    sim_tcp_set_ack(&tcp, next->segment.ack);
    sim_tcp_set_window(&tcp, next->segment.window);
    sim_tcp_set_flags(&tcp, tcp.segment.flags | next->segment.flags);
    sim_tcp_close(&tcp);
    return true;
}

static struct waiting *waiting_of(struct coalescer *box, enum sim_direction direction, const struct sim_tcp *tcp) {
    struct flow flow = middle_flow_of(tcp, direction);
    struct waiting *waiting = middle_flow_find(&box->flows[direction], &flow);
    if (waiting != NULL) return waiting;
    waiting = middle_flow_add(&box->flows[direction], box->box.world, &flow);
    waiting->box = box;
    waiting->direction = direction;
    waiting->timer.fire = coalescer_fire;
    return waiting;
}

static void coalescer_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                             braid_time now) {
    struct coalescer *box = (struct coalescer *)base;
    struct sim_tcp tcp;
    if (!(box->config.directions & 1u << direction) || !sim_tcp_open(packet, &tcp)) {
        sim_box_pass(base, direction, packet, now);
        return;
    }
    struct waiting *waiting = waiting_of(box, direction, &tcp);
    bool plain = sim_segment_kind(&tcp) == SIM_SEGMENT_DATA && !(tcp.segment.flags & (TCP_RST | TCP_FIN));
    if (plain && waiting->packet != NULL && append(box, waiting->packet, &tcp)) {
        sim_packet_release(packet);
        return;
    }
    let_go(waiting, now);
    if (!plain) {
        sim_box_pass(base, direction, packet, now);
        return;
    }
    waiting->packet = packet;
    sim_timer_set(base->world, &waiting->timer, now + box->config.wait_ns);
}

static void coalescer_destroy(struct sim_box *base) {
    struct coalescer *box = (struct coalescer *)base;
    for (int i = 0; i < 2; i++) {
        for (struct middle_flow *flow = box->flows[i].first; flow != NULL; flow = flow->next) {
            struct waiting *waiting = (struct waiting *)flow;
            sim_timer_set(base->world, &waiting->timer, BRAID_NEVER);
            if (waiting->packet != NULL) sim_packet_release(waiting->packet);
        }
        middle_flows_forget(&box->flows[i], base->world);
    }
}

static const struct sim_box_ops coalescer_ops = {
    .name = "coalescer", .packet = coalescer_packet, .destroy = coalescer_destroy};

struct sim_box *sim_coalescer(struct sim_world *world, const struct sim_coalesce_config *config) {
    struct coalescer *box = sim_box_create(world, &coalescer_ops, sizeof(*box));
    box->config = *config;
    for (int i = 0; i < 2; i++) box->flows[i].size = sizeof(struct waiting);
    if (world->pool.room < config->payload_bytes + 200) world->pool.room = config->payload_bytes + 200;
    return &box->box;
}
