/* Transparent proxies that acknowledge early. The sender is told that its bytes have arrived as soon as they
 * are here; that they arrive is the proxy's affair from then on. So a subflow's ACK says nothing about the
 * connection: bytes may be freed only when a DATA_ACK comes (RFC 8684 §3.3.5). */
#include "middle_flow.h"

enum { OPTION_NOP = 1, OPTION_SACK = 5, OPTION_TIMESTAMPS = 8, TRIES_MAX = 200, WAIT_MOST_SHIFT = 5 };
#define WAIT_NS (200 * BRAID_NS_PER_MS)

struct proxied;

/* What the proxy does for the data that goes in one direction. */
struct half {
    struct proxied *flow;
    enum sim_direction direction;
    bool known;
    seq32 begin;              /* after the SYN */
    seq32 next;               /* promised to the sender */
    seq32 acked;              /* by the receiver */
    struct sim_packet *first; /* promised, not acknowledged by the receiver */
    uint32_t kept_bytes;
    struct sim_timer timer;
    unsigned tries;
    /* What the sender said last. */
    seq32 sender_ack;
    uint8_t sender_timestamps[8];
    /* What the receiver said last. */
    uint16_t window;
    uint8_t scale;
    uint8_t options[TCP_OPTIONS_MAX];
    uint32_t options_length;
    uint32_t timestamp;
};

struct proxied {
    struct middle_flow head;
    struct proxy *box;
    struct half halves[2];
};

struct proxy {
    struct sim_box box;
    struct sim_proxy_config config;
    struct middle_flows flows;
};

/* --- what is kept --- */

static void set_timer(struct half *half, braid_time now) {
    unsigned shift = half->tries < WAIT_MOST_SHIFT ? half->tries : WAIT_MOST_SHIFT;
    bool wait = half->first != NULL && half->tries < TRIES_MAX;
    sim_timer_set(half->flow->box->box.world, &half->timer, wait ? now + (WAIT_NS << shift) : BRAID_NEVER);
}

/* With the newest ACK and time of the sender's: with those it had, the receiver would take it for an old
 * duplicate. */
static struct sim_packet *renewed(const struct half *half) {
    struct sim_packet *packet = sim_packet_copy(half->first);
    struct sim_tcp_option option;
    struct sim_tcp tcp;
    ENSURE(sim_tcp_open(packet, &tcp));
    sim_tcp_set_ack(&tcp, half->sender_ack);
    for (uint32_t at = 0; sim_tcp_option_next(&tcp, at, &option); at += option.length)
        if (option.kind == OPTION_TIMESTAMPS) memcpy(tcp.options + at + 2, half->sender_timestamps, 8);
    sim_tcp_close(&tcp);
    return packet;
}

static void proxy_fire(struct sim_timer *timer, braid_time now) {
    struct half *half = CONTAINER_OF(timer, struct half, timer);
    half->tries++;
    set_timer(half, now);
    if (half->first != NULL) sim_box_pass(&half->flow->box->box, half->direction, renewed(half), now);
}

static void keep(struct half *half, const struct sim_tcp *tcp, braid_time now) {
    struct sim_packet **place = &half->first;
    bool alone = half->first == NULL;
    while (*place != NULL)
        place = &(*place)->next;
    *place = sim_packet_copy(tcp->packet);
    half->kept_bytes += tcp->payload_length;
    if (alone) set_timer(half, now);
}

static void let_go_first(struct half *half, uint32_t payload_bytes) {
    struct sim_packet *packet = half->first;
    half->first = packet->next;
    half->kept_bytes -= payload_bytes;
    packet->next = NULL;
    sim_packet_release(packet);
}

static void let_go_acknowledged(struct half *half, seq32 ack, braid_time now) {
    struct sim_tcp tcp;
    if (seq32_le(ack, half->acked)) return;
    half->acked = ack;
    while (half->first != NULL) {
        ENSURE(sim_tcp_open(half->first, &tcp));
        if (seq32_gt(seq32_add(tcp.segment.seq, tcp.payload_length), ack)) break;
        let_go_first(half, tcp.payload_length);
    }
    half->tries = 0;
    set_timer(half, now);
}

static void forget(struct half *half) {
    struct sim_tcp tcp;
    sim_timer_set(half->flow->box->box.world, &half->timer, BRAID_NEVER);
    while (half->first != NULL) {
        ENSURE(sim_tcp_open(half->first, &tcp));
        let_go_first(half, tcp.payload_length);
    }
}

/* --- what is said --- */

/* The receiver's window counts from what it acknowledged. */
static uint16_t window_of(const struct half *half) {
    uint32_t ahead = seq32_gt(half->next, half->acked) ? (uint32_t)seq32_diff(half->next, half->acked) : 0;
    uint32_t room = (uint32_t)half->window << half->scale;
    return (uint16_t)(room > ahead ? (room - ahead) >> half->scale : 0);
}

/* With timestamps if there are any, for an ACK without them would count as an old one; with the MPTCP options
 * of the receiver's last ACK, if the proxy makes its ACKs after that one. */
static void acknowledge(struct half *half, const struct sim_tcp *data, braid_time now) {
    struct proxy *box = half->flow->box;
    struct sim_packet *packet = sim_packet_copy(data->packet);
    struct sim_tcp tcp;
    uint8_t options[TCP_OPTIONS_MAX + 12] = {OPTION_NOP, OPTION_NOP, 8, 10};
    uint32_t length = 0;
    ENSURE(sim_tcp_open(packet, &tcp));
    if (data->segment.options.has_timestamps) {
        struct writer w = writer_of(options + 4, 8);
        write_u32(&w, half->timestamp);
        write_u32(&w, data->segment.options.timestamp_value);
        length = 12;
    }
    if (box->config.repeats_options && length + half->options_length <= TCP_OPTIONS_MAX) {
        memcpy(options + length, half->options, half->options_length);
        length += half->options_length;
    }
    struct ip_address source = data->ip.source, destination = data->ip.destination;
    sim_tcp_set_source(&tcp, &destination, data->segment.destination_port);
    sim_tcp_set_destination(&tcp, &source, data->segment.source_port);
    sim_tcp_set_seq(&tcp, data->segment.ack);
    sim_tcp_set_ack(&tcp, half->next);
    sim_tcp_set_flags(&tcp, TCP_ACK);
    sim_tcp_set_window(&tcp, window_of(half));
    sim_tcp_set_options(&tcp, options, length);
    sim_tcp_set_payload(&tcp, NULL, 0);
    sim_tcp_close(&tcp);
    sim_box_pass(&box->box, sim_back(half->direction), packet, now);
}

/* --- what comes --- */

static void remember_options(struct half *half, const struct sim_tcp *tcp) {
    half->options_length = 0;
    if (tcp->payload_length > 0) return; /* a mapping is said for its bytes only */
    for (unsigned i = 0; i < tcp->segment.options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &tcp->segment.options.mptcp[i];
        memcpy(half->options + half->options_length, raw->bytes, raw->length);
        half->options_length += raw->length;
    }
}

/* From the receiver of `half`: what it acknowledges is let go, and the sender hears no less than it was
 * promised. */
static void answered(struct half *half, struct sim_tcp *tcp, braid_time now) {
    struct sim_tcp_option option;
    if (!half->known || !(tcp->segment.flags & TCP_ACK)) return;
    let_go_acknowledged(half, tcp->segment.ack, now);
    half->window = tcp->segment.window;
    half->timestamp = tcp->segment.options.timestamp_value;
    remember_options(half, tcp);
    if (seq32_ge(tcp->segment.ack, half->next)) return;
    sim_tcp_set_ack(tcp, half->next);
    sim_tcp_set_window(tcp, window_of(half));
    for (uint32_t at = 0; sim_tcp_option_next(tcp, at, &option); at += option.length)
        if (option.kind == OPTION_SACK) memset(tcp->options + at, OPTION_NOP, option.length);
}

static void remember_sender(struct half *half, const struct sim_tcp *tcp) {
    struct writer w = writer_of(half->sender_timestamps, 8);
    half->sender_ack = tcp->segment.ack;
    write_u32(&w, tcp->segment.options.timestamp_value);
    write_u32(&w, tcp->segment.options.timestamp_echo);
}

/* From the sender of `half`; true: the segment goes on. */
static bool taken(struct half *half, const struct sim_tcp *tcp, braid_time now) {
    const struct proxy *box = half->flow->box;
    seq32 end = seq32_add(tcp->segment.seq, tcp->payload_length);
    bool wanted = half->known && (box->config.directions & 1u << half->direction) && tcp->payload_length > 0;
    remember_sender(half, tcp);
    if (!wanted || (tcp->segment.flags & TCP_FIN)) return true;
    bool is_new = seq32_gt(end, half->next);
    bool hole = seq32_gt(tcp->segment.seq, half->next);
    if (is_new && !hole && half->kept_bytes < box->config.buffer_bytes) {
        keep(half, tcp, now);
        half->next = end;
        acknowledge(half, tcp, now);
        return true;
    }
    acknowledge(half, tcp, now);
    return false;
}

/* A SYN that comes again, or late, begins nothing. */
static void begins(struct half *half, const struct sim_tcp *tcp) {
    seq32 begin = seq32_add(tcp->segment.seq, tcp_segment_length(&tcp->segment));
    if (half->known && seq32_eq(half->begin, begin)) return;
    half->known = true;
    half->begin = half->next = half->acked = begin;
}

static void proxy_syn(struct proxied *flow, enum sim_direction direction, const struct sim_tcp *tcp) {
    struct half *receiver = &flow->halves[sim_back(direction)];
    begins(&flow->halves[direction], tcp);
    receiver->window = tcp->segment.window;
    receiver->timestamp = tcp->segment.options.timestamp_value;
    receiver->scale = tcp->segment.options.has_window_scale ? tcp->segment.options.window_scale : 0;
}

static struct proxied *proxied_of(struct proxy *box, enum sim_direction direction,
                                  const struct sim_tcp *tcp) {
    struct flow flow = middle_flow_of(tcp, direction);
    struct proxied *known = middle_flow_find(&box->flows, &flow);
    if (known != NULL || sim_segment_kind(tcp) != SIM_SEGMENT_SYN) return known;
    known = middle_flow_add(&box->flows, box->box.world, &flow);
    known->box = box;
    for (int i = 0; i < 2; i++)
        known->halves[i] =
            (struct half){.flow = known, .direction = (enum sim_direction)i, .timer = {.fire = proxy_fire}};
    return known;
}

static void proxy_packet(struct sim_box *base, enum sim_direction direction, struct sim_packet *packet,
                         braid_time now) {
    struct proxy *box = (struct proxy *)base;
    struct sim_tcp tcp;
    struct proxied *flow = sim_tcp_open(packet, &tcp) ? proxied_of(box, direction, &tcp) : NULL;
    if (flow == NULL) {
        sim_box_pass(base, direction, packet, now);
        return;
    }
    if (tcp.segment.flags & TCP_RST) {
        for (int i = 0; i < 2; i++)
            forget(&flow->halves[i]);
        middle_flow_remove(&box->flows, base->world, &flow->head);
    } else if (tcp.segment.flags & TCP_SYN) {
        proxy_syn(flow, direction, &tcp);
    } else {
        answered(&flow->halves[sim_back(direction)], &tcp, now);
        sim_tcp_close(&tcp);
        ENSURE(sim_tcp_open(packet, &tcp));
        if (!taken(&flow->halves[direction], &tcp, now)) {
            sim_box_drop(base, direction, packet, "taken already, or too early");
            return;
        }
    }
    sim_box_pass(base, direction, packet, now);
}

static void proxy_destroy(struct sim_box *base) {
    struct proxy *box = (struct proxy *)base;
    for (struct middle_flow *flow = box->flows.first; flow != NULL; flow = flow->next)
        for (int i = 0; i < 2; i++)
            forget(&((struct proxied *)flow)->halves[i]);
    middle_flows_forget(&box->flows, base->world);
}

static const struct sim_box_ops proxy_ops = {
    .name = "proxy", .packet = proxy_packet, .destroy = proxy_destroy};

struct sim_box *sim_proxy(struct sim_world *world, const struct sim_proxy_config *config) {
    struct proxy *box = sim_box_create(world, &proxy_ops, sizeof(*box));
    box->config = *config;
    if (box->config.buffer_bytes == 0) box->config.buffer_bytes = 1 << 20;
    box->flows.size = sizeof(struct proxied);
    return &box->box;
}
