#include "coalesce.h"

#include <string.h>

enum {
    TCP_SEQ = 4,
    TCP_ACK_NUMBER = 8,
    TCP_FLAGS = 13,
    TCP_WINDOW = 14,
    TCP_OPTIONS = 20,
    FLAG_PSH = 0x08,
    FLAG_ACK = 0x10,
};

static uint32_t load32(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void store16(uint8_t *bytes, uint32_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

void coalesce_begin(struct coalesced *c, struct braid_packet_in *packet, uint8_t *bytes, uint32_t room_bytes,
                    uint32_t ip_length) {
    *c = (struct coalesced){.bytes = bytes, .room_bytes = room_bytes, .ip_length = ip_length};
    if (packet->segment_bytes != 0 || packet->length < ip_length + TCP_OPTIONS) return;
    const uint8_t *tcp = bytes + ip_length;
    c->tcp_length = (uint32_t)(tcp[12] >> 4) * 4;
    if (c->tcp_length < TCP_OPTIONS || packet->length <= ip_length + c->tcp_length || tcp[TCP_FLAGS] != FLAG_ACK) return;
    c->segment_bytes = packet->length - ip_length - c->tcp_length;
    c->next_seq = seq32_add(seq32_of(load32(tcp + TCP_SEQ)), c->segment_bytes);
    c->packet = packet;
}

static bool says_the_same(const uint8_t *a, const uint8_t *b, uint32_t tcp_length) {
    return memcmp(a, b, TCP_SEQ) == 0 && memcmp(a + TCP_ACK_NUMBER, b + TCP_ACK_NUMBER, 5) == 0 &&
           ((a[TCP_FLAGS] ^ b[TCP_FLAGS]) & ~FLAG_PSH) == 0 && memcmp(a + TCP_WINDOW, b + TCP_WINDOW, 2) == 0 &&
           memcmp(a + TCP_OPTIONS, b + TCP_OPTIONS, tcp_length - TCP_OPTIONS) == 0;
}

/* The IP header's own account of the length, and the checksum over it. */
static void ip_length_set(uint8_t *ip, uint32_t length) {
    if (ip[0] >> 4 == 6) {
        store16(ip + 4, length - 40);
        return;
    }
    uint32_t before = (uint32_t)ip[2] << 8 | ip[3], sum = (uint32_t)ip[10] << 8 | ip[11];
    sum = (~sum & 0xffff) + (~before & 0xffff) + length; /* RFC 1624, (3) */
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store16(ip + 2, length);
    store16(ip + 10, ~sum & 0xffff);
}

bool coalesce_add(struct coalesced *c, const uint8_t *tcp, uint32_t tcp_length, const uint8_t *payload, uint32_t length) {
    if (c->packet == NULL || tcp_length != c->tcp_length || length == 0 || length > c->segment_bytes) return false;
    uint8_t *head = c->bytes + c->ip_length;
    uint32_t total = c->packet->length + length;
    if (!seq32_eq(seq32_of(load32(tcp + TCP_SEQ)), c->next_seq) || !says_the_same(head, tcp, tcp_length)) return false;
    if (total > LINK_PACKET_MAX || total > c->room_bytes) return false;
    if (payload != c->bytes + c->packet->length) memmove(c->bytes + c->packet->length, payload, length);
    c->packet->length = total;
    c->packet->segment_bytes = (uint16_t)c->segment_bytes;
    c->packet->checksum_verified = true;
    c->next_seq = seq32_add(c->next_seq, length);
    head[TCP_FLAGS] |= tcp[TCP_FLAGS] & FLAG_PSH;
    ip_length_set(c->bytes, total);
    if (length < c->segment_bytes || tcp[TCP_FLAGS] & FLAG_PSH) c->packet = NULL;
    return true;
}
