/* Changing TCP packets on their way. */
#include <sim/packet.h>

#include <string.h>
#include <wire/checksum.h>

enum {
    SOURCE_PORT_AT = 0,
    DESTINATION_PORT_AT = 2,
    SEQ_AT = 4,
    ACK_AT = 8,
    DATA_OFFSET_AT = 12,
    FLAGS_AT = 13,
    WINDOW_AT = 14,
    OPTION_END = 0,
    OPTION_NOP = 1,
};

static void put_u16(uint8_t *at, uint16_t value) {
    struct writer w = writer_of(at, 2);
    write_u16(&w, value);
}

static void put_u32(uint8_t *at, uint32_t value) {
    struct writer w = writer_of(at, 4);
    write_u32(&w, value);
}

bool sim_tcp_open(struct sim_packet *packet, struct sim_tcp *out) {
    sim_packet_complete_checksum(packet);
    if (ip_decode(packet->bytes, packet->length, false, &out->ip) != IP_OK) return false;
    if (out->ip.protocol != IP_PROTOCOL_TCP || out->ip.is_fragment) return false;
    out->packet = packet;
    out->header = packet->bytes + out->ip.header_length;
    if (tcp_segment_decode(out->header, out->ip.payload_length, &out->ip.source, &out->ip.destination, false,
                           &out->segment) != TCP_DECODE_OK)
        return false;
    out->options = out->header + TCP_HEADER_BYTES;
    out->options_length = out->segment.header_length - TCP_HEADER_BYTES;
    out->payload = out->options + out->options_length;
    out->payload_length = out->segment.payload_length;
    return true;
}

void sim_tcp_set_seq(struct sim_tcp *tcp, seq32 seq) { put_u32(tcp->header + SEQ_AT, seq.value); }
void sim_tcp_set_ack(struct sim_tcp *tcp, seq32 ack) { put_u32(tcp->header + ACK_AT, ack.value); }
void sim_tcp_set_flags(struct sim_tcp *tcp, uint8_t flags) { tcp->header[FLAGS_AT] = flags; }
void sim_tcp_set_window(struct sim_tcp *tcp, uint16_t window) { put_u16(tcp->header + WINDOW_AT, window); }

static void set_address(struct sim_tcp *tcp, bool source, const struct ip_address *address) {
    ENSURE(address->family == tcp->ip.source.family);
    uint32_t size = address->family == IP_V4 ? 4 : 16;
    uint8_t *at = tcp->packet->bytes + (address->family == IP_V4 ? 12 : 8);
    memcpy(source ? at : at + size, address->bytes, size);
    *(source ? &tcp->ip.source : &tcp->ip.destination) = *address;
}

void sim_tcp_set_source(struct sim_tcp *tcp, const struct ip_address *address, uint16_t port) {
    set_address(tcp, true, address);
    put_u16(tcp->header + SOURCE_PORT_AT, port);
}

void sim_tcp_set_destination(struct sim_tcp *tcp, const struct ip_address *address, uint16_t port) {
    set_address(tcp, false, address);
    put_u16(tcp->header + DESTINATION_PORT_AT, port);
}

void sim_tcp_set_options(struct sim_tcp *tcp, const uint8_t *bytes, uint32_t length) {
    uint8_t options[TCP_OPTIONS_MAX];
    ENSURE(length <= TCP_OPTIONS_MAX);
    if (length > 0) memcpy(options, bytes, length);
    while (length % 4 != 0) options[length++] = OPTION_NOP;
    memmove(tcp->options + length, tcp->payload, tcp->payload_length);
    memcpy(tcp->options, options, length);
    tcp->options_length = length;
    tcp->payload = tcp->options + length;
    tcp->header[DATA_OFFSET_AT] = (uint8_t)((TCP_HEADER_BYTES + length) / 4 << 4 | (tcp->header[DATA_OFFSET_AT] & 0xf));
}

void sim_tcp_set_payload(struct sim_tcp *tcp, const uint8_t *bytes, uint32_t length) {
    ENSURE((size_t)(tcp->payload - tcp->packet->bytes) + length <= sim_packet_room(tcp->packet));
    if (length > 0) memmove(tcp->payload, bytes, length);
    tcp->payload_length = length;
}

void sim_tcp_close(struct sim_tcp *tcp) {
    struct sim_packet *packet = tcp->packet;
    uint8_t *ip = packet->bytes;
    packet->length = (uint32_t)(tcp->payload - packet->bytes) + tcp->payload_length;
    ENSURE(packet->length <= sim_packet_room(packet));
    if (ip[0] >> 4 == 6) {
        put_u16(ip + 4, (uint16_t)(packet->length - 40));
    } else {
        put_u16(ip + 2, (uint16_t)packet->length);
        put_u16(ip + 10, 0);
        put_u16(ip + 10, checksum_finish(checksum_sum(ip, tcp->ip.header_length)));
    }
    packet->checksum_partial = true;
    sim_packet_complete_checksum(packet);
}

bool sim_tcp_option_next(const struct sim_tcp *tcp, uint32_t offset, struct sim_tcp_option *out) {
    if (offset >= tcp->options_length) return false;
    *out = (struct sim_tcp_option){.offset = offset, .length = 1, .kind = tcp->options[offset]};
    if (out->kind == OPTION_NOP) return true;
    if (out->kind == OPTION_END) { /* nothing after it means anything */
        out->length = tcp->options_length - offset;
        return true;
    }
    out->length = tcp->options[offset + 1]; /* the decoder has seen that it is there and fits */
    return true;
}
