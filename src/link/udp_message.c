#include "udp_message.h"

#include <string.h>

enum { FLAGS = 1, SEQ = 4, FLAG_FIN = 0x01, FLAG_PSH = 0x08, FLAG_CWR = 0x80 };

/* The header of the piece at payload byte `offset`: as a network card would have it. */
static void header_adapt(uint8_t *header, uint32_t offset, bool last) {
    uint32_t seq = (uint32_t)header[SEQ] << 24 | (uint32_t)header[SEQ + 1] << 16 | (uint32_t)header[SEQ + 2] << 8 | header[SEQ + 3];
    seq = (uint32_t)((uint64_t)seq + offset);
    for (int i = 0; i < 4; i++) header[SEQ + i] = (uint8_t)(seq >> (24 - 8 * i));
    if (!last) header[FLAGS] &= (uint8_t)~(FLAG_FIN | FLAG_PSH);
    if (offset > 0) header[FLAGS] &= (uint8_t)~FLAG_CWR;
}

struct cursor {
    const struct braid_packet_out *packet;
    uint16_t slice;
    uint32_t at; /* within it */
};

static struct cursor cursor_at(const struct braid_packet_out *packet, uint32_t offset) {
    struct cursor c = {.packet = packet, .at = offset};
    while (c.slice < packet->slice_count && c.at >= packet->slices[c.slice].length) c.at -= packet->slices[c.slice++].length;
    return c;
}

static void payload_add(struct udp_message *message, struct cursor *c, uint32_t length) {
    while (length > 0) {
        const struct braid_slice *slice = &c->packet->slices[c->slice];
        uint32_t left = slice->length - c->at, part = left < length ? left : length;
        message->runs[message->runs_count++] = (struct iovec){(void *)(uintptr_t)(slice->bytes + c->at), part};
        c->at += part;
        length -= part;
        if (part == left) c->slice++, c->at = 0;
    }
}

uint32_t udp_message_fill(struct udp_message *message, const struct braid_packet_out *packet, uint32_t offset,
                          uint32_t limit_bytes) {
    const uint8_t *tcp = packet->header + packet->checksum_start;
    uint32_t tcp_length = (uint32_t)packet->header_length - packet->checksum_start;
    uint32_t header_bytes = tcp_length - UDP_HEADER_BYTES, end = offset, pieces = 0;
    uint32_t piece = packet->segment_bytes != 0 ? packet->segment_bytes : packet->payload_length;
    struct cursor cursor = cursor_at(packet, offset);
    message->runs_count = 0;
    do {
        uint32_t left = packet->payload_length - end, length = left < piece ? left : piece;
        uint8_t *header = message->headers[pieces];
        size_t written = tcp_in_udp_encode(tcp, tcp_length, header);
        header_adapt(header, end, length == left);
        message->runs[message->runs_count++] = (struct iovec){header, written};
        payload_add(message, &cursor, length);
        end += length;
        pieces++;
    } while (end < packet->payload_length && pieces < UDP_MESSAGE_PIECES_MAX &&
             (pieces + 1) * (header_bytes + piece) <= limit_bytes);
    message->segment_bytes = pieces > 1 ? (uint16_t)(header_bytes + piece) : 0;
    return end - offset;
}
