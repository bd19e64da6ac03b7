/* Any bytes as what follows a UDP header: what is taken for TCP stays within them, and comes back as it was. */
#include "fuzz.h"
#include <string.h>
#include <wire/tcp_in_udp.h>
#include <wire/tcp_segment.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    uint16_t source_port = feed_u8(&f), destination_port = feed_u8(&f);
    size_t got;
    const uint8_t *message = feed_span(&f, 2048, &got);
    size_t tcp_length = tcp_in_udp_header_length(message, got);
    if (tcp_length == 0) return 0;
    ENSURE(tcp_length >= 20 && tcp_length <= 60 && tcp_length <= got + UDP_HEADER_BYTES);
    uint8_t packet[UDP_HEADER_BYTES + 2048], again[TCP_IN_UDP_HEADER_MAX];
    memcpy(packet + UDP_HEADER_BYTES, message, got);
    tcp_in_udp_decode(packet + UDP_HEADER_BYTES, tcp_length, source_port, destination_port, packet);
    ENSURE(memcmp(packet + tcp_length, message + tcp_length - UDP_HEADER_BYTES, got + UDP_HEADER_BYTES - tcp_length) == 0);
    ENSURE(tcp_in_udp_encode(packet, tcp_length, again) == tcp_length - UDP_HEADER_BYTES);
    ENSURE(memcmp(again, message, tcp_length - UDP_HEADER_BYTES) == 0);
    struct ip_address none = {.family = IP_V4};
    struct tcp_segment segment;
    enum tcp_decode_result result =
        tcp_segment_decode(packet, (uint32_t)(got + UDP_HEADER_BYTES), &none, &none, true, &segment);
    ENSURE(result == TCP_DECODE_OK || result == TCP_DECODE_BAD_OPTION);
    if (result != TCP_DECODE_OK) return 0;
    ENSURE(segment.header_length == tcp_length && segment.source_port == source_port);
    ENSURE(segment.destination_port == destination_port && segment.urgent_pointer == 0);
    return 0;
}
