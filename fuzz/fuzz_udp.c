/* Any bytes as a UDP datagram; and any payload as a packet of ours, which must be read as what it was made from. */
#include "fuzz.h"
#include <wire/udp.h>

static void encode_any(struct feed *f, const struct ip_address *source, const struct ip_address *destination) {
    static uint8_t out[70000];
    uint16_t source_port = feed_u16(f), destination_port = feed_u16(f);
    size_t room = feed_u8(f) & 1 ? feed_u16(f) : sizeof(out), got;
    const uint8_t *payload = feed_span(f, 65535, &got);
    uint32_t length = udp_packet_encode(source, destination, source_port, destination_port, payload, (uint32_t)got, out,
                                        room);
    if (length == 0) return;
    ENSURE(length <= room);
    struct ip_header header;
    struct udp_datagram datagram;
    ENSURE(ip_decode(out, length, false, &header) == IP_OK && header.protocol == IP_PROTOCOL_UDP);
    ENSURE(udp_decode(out + header.header_length, header.payload_length, &header.source, &header.destination, false,
                      &datagram));
    ENSURE(datagram.source_port == source_port && datagram.destination_port == destination_port);
    ENSURE(datagram.payload_length == got && (got == 0 || memcmp(datagram.payload, payload, got) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    uint8_t choice = feed_u8(&f);
    struct ip_address source = {.family = choice & 1 ? IP_V6 : IP_V4, .bytes = {10, 0, 0, 1}};
    struct ip_address destination = {.family = source.family, .bytes = {10, 0, 0, 2}};
    if (choice & 2) {
        encode_any(&f, &source, &destination);
        return 0;
    }
    struct udp_datagram datagram;
    if (udp_decode(f.at, (uint32_t)feed_left(&f), &source, &destination, choice & 4, &datagram)) {
        ENSURE(datagram.payload >= f.at && datagram.payload_length <= (size_t)(f.end - datagram.payload));
    }
    return 0;
}
