/* A packet's way in: IP, TCP or ICMP, then to the connection it belongs to. */
#include "stack_internal.h"

static void drop(struct braid_stack *stack, uint64_t *counter, int link, const char *reason, braid_time now) {
    (*counter)++;
    TRACE(stack->env, now, packet_dropped, .link = (uint64_t)link, .reason = reason);
}

/* [MUST-57] [MUST-63] RFC 1122 §4.2.3.10: nothing to or from an address that cannot be one host's. */
/* [R-1122-3.2.1-4] */
static bool addresses_sane(const struct ip_header *ip) {
    return !ip_address_is_multicast(&ip->source) && !ip_address_is_unspecified(&ip->source) &&
           !ip_address_is_multicast(&ip->destination) && !ip_address_is_unspecified(&ip->destination);
}

static void segment_without_flow(struct braid_stack *stack, uint16_t link, const struct flow *flow,
                                 const struct tcp_segment *segment, const struct braid_packet_in *packet,
                                 uint8_t ecn, braid_time now) {
    struct time_wait *wait = time_wait_find(stack, link, flow);
    if (wait && time_wait_input(stack, wait, segment, now)) return;
    if ((segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN && stack_link_closed(stack, link)) {
        stack->counters.cap_syn_refused++;
        stack_send_reset(stack, link, flow, segment, NULL);
        return;
    }
    if ((segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
        stack_syn_arrived(stack, link, flow, segment, packet, now);
        return;
    }
    if ((segment->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_ACK &&
        stack_cookie_arrived(stack, link, flow, segment, packet, ecn, now))
        return;
    stack->counters.tcp_no_flow++;
    stack_send_reset(stack, link, flow, segment, NULL);
}

/* A connection in TIME-WAIT that the application has not let go of yet must not keep a new one out. */
static struct flow_entry *syn_for_flow(struct braid_stack *stack, struct flow_entry *found, uint16_t link,
                                       const struct flow *flow, braid_time now) {
    struct entry *entry = entry_of(found->connection);
    if (!entry) return found;
    stack->rest_forced = true;
    connection_rest(found->connection, now);
    stack->rest_forced = false;
    entry_touch(entry);
    return stack_flow_find(stack, link, flow);
}

static void tcp_arrived(struct braid_stack *stack, uint16_t link, const struct braid_packet_in *packet,
                        const struct ip_header *ip, braid_time now) {
    struct tcp_segment segment;
    enum tcp_decode_result result = tcp_segment_decode(packet->bytes + ip->header_length, ip->payload_length,
                                                       &ip->source, &ip->destination, packet->checksum_verified,
                                                       &segment);
    if (result != TCP_DECODE_OK) {
        uint64_t *counter = result == TCP_DECODE_BAD_CHECKSUM ? &stack->counters.tcp_bad_checksum
                                                              : &stack->counters.tcp_malformed;
        drop(stack, counter, link, tcp_decode_result_name(result), now);
        return;
    }
    if (segment.options.ignored > 0) stack->counters.tcp_option_ignored += segment.options.ignored;
    segment.segment_bytes = packet->segment_bytes;
    struct flow flow = {.local = ip->destination,
                        .remote = ip->source,
                        .local_port = segment.destination_port,
                        .remote_port = segment.source_port};
    struct flow_entry *found = stack_flow_of_packet(stack, link, &flow);
    if (found && (segment.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) found = syn_for_flow(stack, found, link, &flow, now);
    if (!found) {
        segment_without_flow(stack, link, &flow, &segment, packet, ip->ecn, now);
        return;
    }
    struct entry *entry = entry_of(found->connection);
    connection_input(found->connection, found->subflow, &segment, packet->buf, ip->ecn, now);
    entry_touch(entry);
}

static void icmp_arrived(struct braid_stack *stack, uint16_t link, const struct braid_packet_in *packet,
                         const struct ip_header *ip, braid_time now) {
    struct icmp_error error;
    struct flow_entry *found = NULL;
    /* [R-1122-3.2.2-1] */
    if (icmp_error_decode(ip, packet->bytes + ip->header_length, ip->payload_length, &error) &&
        error.protocol == IP_PROTOCOL_TCP)
        found = stack_flow_find(stack, link, &error.flow);
    if (!found) {
        stack->counters.icmp_ignored++;
        return;
    }
    struct entry *entry = entry_of(found->connection);
    connection_icmp(found->connection, found->subflow, &error, now);
    entry_touch(entry);
}

/* As it crossed the network, where a super-segment was several. */
static uint64_t bytes_of(const struct braid_packet_in *packet) {
    uint64_t further = packet->segment_bytes > 0 ? packet->length / packet->segment_bytes : 0;
    return packet->length + further * BRAID_PACKET_HEADER_MAX;
}

static void packet_arrived(struct braid_stack *stack, int link, const struct braid_packet_in *packet,
                           braid_time now) {
    struct ip_header ip;
    stack->counters.packets_in++;
    stack->links[link].meter.used_bytes += bytes_of(packet);
    enum ip_decode_result result = ip_decode(packet->bytes, packet->length, packet->segment_bytes != 0, &ip);
    if (result != IP_OK) {
        drop(stack, &stack->counters.ip_malformed, link, ip_decode_result_name(result), now);
    } else if (ip.is_fragment) {
        drop(stack, &stack->counters.ip_fragment, link, "fragment", now);
    } else if (!addresses_sane(&ip)) {
        drop(stack, &stack->counters.ip_bad_source, link, "address of no one host", now);
    } else if (ip.protocol == IP_PROTOCOL_TCP) {
        tcp_arrived(stack, (uint16_t)link, packet, &ip, now);
    } else if (ip.protocol == IP_PROTOCOL_ICMP || ip.protocol == IP_PROTOCOL_ICMPV6) {
        icmp_arrived(stack, (uint16_t)link, packet, &ip, now);
    } else {
        stack->counters.ip_other_protocol++;
    }
}

void braid_stack_input(struct braid_stack *stack, int link, const struct braid_packet_in *packets, size_t count,
                       braid_time now) {
    if (link < 0 || link >= stack->link_count) {
        stack->counters.unknown_link += count;
        return;
    }
    stack->seen_at = now;
    for (size_t i = 0; i < count; i++) packet_arrived(stack, link, &packets[i], now);
}
