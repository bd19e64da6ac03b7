#include <wire/tcp_in_udp.h>

#include <string.h>

enum { TCP_MIN_BYTES = 20, FLAG_URG = 0x20 };

size_t tcp_in_udp_encode(const uint8_t *tcp, size_t tcp_length, uint8_t *out) {
    ENSURE(tcp_length >= TCP_MIN_BYTES && tcp_length <= UDP_HEADER_BYTES + TCP_IN_UDP_HEADER_MAX);
    memcpy(out, tcp + 12, 4);    /* data offset, flags, window */
    memcpy(out + 4, tcp + 4, 8); /* sequence and acknowledgement numbers */
    out[1] &= (uint8_t)~FLAG_URG;
    memcpy(out + TCP_IN_UDP_FIXED_BYTES, tcp + TCP_MIN_BYTES, tcp_length - TCP_MIN_BYTES);
    return tcp_length - UDP_HEADER_BYTES;
}

size_t tcp_in_udp_header_length(const uint8_t *bytes, size_t length) {
    if (length < TCP_IN_UDP_FIXED_BYTES) return 0;
    size_t tcp_length = (size_t)(bytes[0] >> 4) * 4;
    if (tcp_length < TCP_MIN_BYTES || tcp_length - UDP_HEADER_BYTES > length) return 0;
    return bytes[1] & FLAG_URG ? 0 : tcp_length;
}

void tcp_in_udp_decode(const uint8_t *bytes, size_t tcp_length, uint16_t source_port, uint16_t destination_port, uint8_t *tcp) {
    uint8_t fixed[TCP_IN_UDP_FIXED_BYTES];
    ENSURE(tcp_length >= TCP_MIN_BYTES);
    memcpy(fixed, bytes, sizeof(fixed));
    memmove(tcp + TCP_MIN_BYTES, bytes + TCP_IN_UDP_FIXED_BYTES, tcp_length - TCP_MIN_BYTES);
    const uint8_t ports[] = {(uint8_t)(source_port >> 8), (uint8_t)source_port, (uint8_t)(destination_port >> 8),
                             (uint8_t)destination_port};
    memcpy(tcp, ports, sizeof(ports));
    memcpy(tcp + 4, fixed + 4, 8);
    memcpy(tcp + 12, fixed, 4);
    memset(tcp + 16, 0, 4); /* checksum, urgent pointer */
}
