#include "coalesce_packets.h"

#include <string.h>
#include <wire/checksum.h>
#include <wire/ip.h>

enum { IPV4_BYTES = 20, IPV6_BYTES = 40, TCP_MIN_BYTES = 20, PROTOCOL_TCP = 6 };

/* Of a packet that is one whole TCP segment behind a plain IP header, and no more; else 0. */
static uint32_t plain_ip_length(const struct braid_packet_in *packet) {
    const uint8_t *ip = packet->bytes;
    if (packet->length < IPV4_BYTES + TCP_MIN_BYTES || packet->segment_bytes != 0) return 0;
    if (ip[0] == 0x45) {
        bool fragment = (ip[6] & 0x3f) != 0 || ip[7] != 0;
        bool whole = ((uint32_t)ip[2] << 8 | ip[3]) == packet->length;
        bool good = checksum_fold(checksum_sum(ip, IPV4_BYTES)) == 0xffff;
        return ip[9] == PROTOCOL_TCP && !fragment && whole && good ? IPV4_BYTES : 0;
    }
    if (ip[0] >> 4 != 6 || packet->length < IPV6_BYTES + TCP_MIN_BYTES || ip[6] != PROTOCOL_TCP) return 0;
    return ((uint32_t)ip[4] << 8 | ip[5]) + IPV6_BYTES == packet->length ? IPV6_BYTES : 0;
}

/* All but lengths, identification and checksum: what a router or the sender says by the rest, it says of each. */
static bool same_ip(const uint8_t *a, const uint8_t *b, uint32_t ip_length) {
    if (ip_length == IPV6_BYTES) return memcmp(a, b, 4) == 0 && memcmp(a + 6, b + 6, IPV6_BYTES - 6) == 0;
    return memcmp(a, b, 2) == 0 && memcmp(a + 6, b + 6, 4) == 0 && memcmp(a + 12, b + 12, IPV4_BYTES - 12) == 0;
}

static bool checksum_holds(struct braid_packet_in *packet, uint32_t ip_length) {
    struct ip_address source, destination;
    const uint8_t *ip = packet->bytes;
    uint32_t length = packet->length - ip_length;
    if (packet->checksum_verified) return true;
    source = ip_length == IPV4_BYTES ? ip_address_v4(ip + 12) : ip_address_v6(ip + 8);
    destination = ip_length == IPV4_BYTES ? ip_address_v4(ip + 16) : ip_address_v6(ip + 24);
    uint64_t sum = checksum_sum(ip + ip_length, length) +
                   checksum_pseudo_header(&source, &destination, PROTOCOL_TCP, length);
    packet->checksum_verified = checksum_fold(sum) == 0xffff;
    return packet->checksum_verified;
}

static bool continues(struct coalesced_packets *c, const struct braid_packet_in *packet, uint32_t ip_length) {
    const uint8_t *tcp = packet->bytes + ip_length;
    uint32_t tcp_length = (uint32_t)(tcp[12] >> 4) * 4;
    if (c->tcp.packet == NULL || ip_length != c->ip_length || !same_ip(c->bytes, packet->bytes, ip_length)) return false;
    if (tcp_length < TCP_MIN_BYTES || packet->length <= ip_length + tcp_length) return false;
    return coalesce_add(&c->tcp, tcp, tcp_length, tcp + tcp_length, packet->length - ip_length - tcp_length);
}

bool coalesce_packet(struct coalesced_packets *c, struct braid_packet_in *packet, uint8_t *bytes, uint32_t room_bytes) {
    uint32_t ip_length = plain_ip_length(packet);
    if (ip_length == 0 || !checksum_holds(packet, ip_length)) {
        c->tcp.packet = NULL;
        return false;
    }
    if (continues(c, packet, ip_length)) return true;
    coalesce_begin(&c->tcp, packet, bytes, room_bytes, ip_length);
    c->bytes = bytes;
    c->ip_length = ip_length;
    return false;
}
