#include "middle_flow.h"

unsigned sim_segment_kind(const struct sim_tcp *tcp) {
    uint8_t flags = tcp->segment.flags;
    if (flags & TCP_SYN) return flags & TCP_ACK ? SIM_SEGMENT_SYN_ACK : SIM_SEGMENT_SYN;
    return tcp->payload_length > 0 ? SIM_SEGMENT_DATA : SIM_SEGMENT_EMPTY;
}

void *middle_flow_find(struct middle_flows *flows, const struct flow *flow) {
    struct middle_flow *known = flows->first;
    while (known != NULL && !flow_equal(&known->flow, flow)) known = known->next;
    return known;
}

void *middle_flow_add(struct middle_flows *flows, struct sim_world *world, const struct flow *flow) {
    struct middle_flow *added = sim_allocate(world, flows->size);
    added->flow = *flow;
    added->used_at = world->now;
    added->next = flows->first;
    flows->first = added;
    return added;
}

void middle_flow_remove(struct middle_flows *flows, struct sim_world *world, struct middle_flow *which) {
    struct middle_flow **link = &flows->first;
    while (*link != which) link = &(*link)->next;
    *link = which->next;
    sim_release(world, which, flows->size);
}

void middle_flows_forget(struct middle_flows *flows, struct sim_world *world) {
    while (flows->first != NULL) middle_flow_remove(flows, world, flows->first);
}

struct sim_packet *middle_reset_for(const struct sim_tcp *tcp) {
    const struct tcp_segment *s = &tcp->segment;
    if (s->flags & TCP_RST) return NULL;
    bool acked = (s->flags & TCP_ACK) != 0;
    struct tcp_segment reset = {.source_port = s->destination_port,
                                .destination_port = s->source_port,
                                .seq = acked ? s->ack : seq32_of(0),
                                .ack = acked ? seq32_of(0) : seq32_add(s->seq, tcp_segment_length(s)),
                                .flags = acked ? TCP_RST : TCP_RST | TCP_ACK};
    struct ip_header ip = {.source = tcp->ip.destination,
                           .destination = tcp->ip.source,
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .payload_length = TCP_HEADER_BYTES};
    struct sim_packet *packet = sim_packet_create(tcp->packet->pool);
    uint32_t length = ip_encode(&ip, packet->bytes, sim_packet_room(packet));
    length += tcp_segment_encode(&reset, packet->bytes + length, sim_packet_room(packet) - length);
    packet->length = length;
    packet->checksum_partial = true;
    sim_packet_complete_checksum(packet);
    return packet;
}
