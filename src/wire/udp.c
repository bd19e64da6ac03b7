#include <wire/udp.h>
#include <wire/checksum.h>

#define HOP_LIMIT 64

bool udp_decode(const uint8_t *bytes, uint32_t length, const struct ip_address *source,
                const struct ip_address *destination, bool checksum_verified, struct udp_datagram *out) {
    struct reader r = reader_of(bytes, length);
    struct udp_datagram d = {0};
    d.source_port = read_u16(&r);
    d.destination_port = read_u16(&r);
    uint32_t udp_length = read_u16(&r);
    uint16_t checksum = read_u16(&r);
    if (r.failed || udp_length < UDP_HEADER_BYTES || udp_length > length) return false;
    bool without_checksum = checksum == 0 && source->family == IP_V4;
    if (!checksum_verified && !without_checksum) {
        /* RFC 8200 §8.1: over IPv6 a checksum of zero is not a valid one. */
        if (checksum == 0) return false;
        uint64_t sum = checksum_sum(bytes, udp_length) +
                       checksum_pseudo_header(source, destination, IP_PROTOCOL_UDP, udp_length);
        if (checksum_fold(sum) != 0xffff) return false;
    }
    d.payload = r.at;
    d.payload_length = udp_length - UDP_HEADER_BYTES;
    *out = d;
    return true;
}

uint32_t udp_packet_encode(const struct ip_address *source, const struct ip_address *destination,
                           uint16_t source_port, uint16_t destination_port, const void *payload,
                           uint32_t payload_length, uint8_t *out, size_t room) {
    uint32_t ip_header_length = source->family == IP_V4 ? 20 : 40;
    /* IPv4 counts its own header in its length field, IPv6 does not. */
    uint32_t udp_length_max = source->family == IP_V4 ? UINT16_MAX - ip_header_length : UINT16_MAX;
    if (payload_length > udp_length_max - UDP_HEADER_BYTES) return 0;
    uint32_t udp_length = UDP_HEADER_BYTES + payload_length;
    struct ip_header header = {.source = *source,
                               .destination = *destination,
                               .protocol = IP_PROTOCOL_UDP,
                               .ttl = HOP_LIMIT,
                               .payload_length = udp_length};
    if (room < ip_header_length + udp_length || ip_encode(&header, out, room) == 0) return 0;

    uint8_t *udp = out + ip_header_length;
    struct writer w = writer_of(udp, udp_length);
    write_u16(&w, source_port);
    write_u16(&w, destination_port);
    write_u16(&w, (uint16_t)udp_length);
    write_u16(&w, 0);
    write_bytes(&w, payload, payload_length);
    uint16_t checksum = checksum_finish(checksum_sum(udp, udp_length) +
                                        checksum_pseudo_header(source, destination, IP_PROTOCOL_UDP, udp_length));
    struct writer field = writer_of(udp + 6, 2);
    write_u16(&field, checksum == 0 ? 0xffff : checksum); /* zero would say that there is none */
    return ip_header_length + udp_length;
}
