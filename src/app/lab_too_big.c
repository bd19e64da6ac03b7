#include "lab_too_big.h"

#include <string.h>
#include <wire/icmp.h>
#include <wire/ip.h>

bool lab_is_too_big(const uint8_t *frame, uint32_t bytes, uint32_t path_mtu) {
    bool is_ip = bytes > LAB_ETHERNET_BYTES &&
                 ((frame[12] == 0x08 && frame[13] == 0x00) || (frame[12] == 0x86 && frame[13] == 0xdd));
    return path_mtu != 0 && is_ip && bytes - LAB_ETHERNET_BYTES > path_mtu;
}

uint32_t lab_too_big_answer(const uint8_t *frame, uint32_t bytes, uint32_t path_mtu,
                            const struct ip_address addresses[2], uint8_t out[LAB_TOO_BIG_BYTES_MAX]) {
    const uint8_t *packet = frame + LAB_ETHERNET_BYTES;
    struct ip_header ip;
    if (ip_decode(packet, bytes - LAB_ETHERNET_BYTES, false, &ip) != IP_OK) return 0;
    const struct ip_address *own = addresses[0].family == ip.source.family ? &addresses[0] : &addresses[1];
    if (own->family != ip.source.family) return 0;
    memcpy(out, frame + 6, 6);
    memcpy(out + 6, frame, 6);
    memcpy(out + 12, frame + 12, 2);
    uint32_t length =
        icmp_packet_too_big_encode(path_mtu, own, &ip.source, packet, bytes - LAB_ETHERNET_BYTES,
                                   out + LAB_ETHERNET_BYTES, LAB_TOO_BIG_BYTES_MAX - LAB_ETHERNET_BYTES);
    return length == 0 ? 0 : length + LAB_ETHERNET_BYTES;
}
