/* Any bytes as an IP packet: decoding stays within them, and what was understood survives encoding and decoding. */
#include "fuzz.h"
#include <wire/ip.h>

static void round_trip(struct ip_header *h) {
    uint8_t bytes[40 + 2048] = {0};
    if (h->payload_length > 2048) h->payload_length = 2048;
    uint32_t length = ip_encode(h, bytes, sizeof(bytes));
    ENSURE(length == (h->source.family == IP_V4 ? 20u : 40u));
    struct ip_header again;
    /* Without its extension headers an IPv6 payload may itself look like one, and a bad one. */
    enum ip_decode_result result = ip_decode(bytes, length + h->payload_length, false, &again);
    if (h->source.family == IP_V6 && result != IP_OK) return;
    ENSURE(result == IP_OK);
    ENSURE(ip_address_equal(&again.source, &h->source) && ip_address_equal(&again.destination, &h->destination));
    ENSURE(again.ttl == h->ttl && again.ecn == h->ecn && again.traffic_class == h->traffic_class);
    if (h->source.family == IP_V6) return;
    ENSURE(again.protocol == h->protocol && again.payload_length == h->payload_length);
    ENSURE(again.dont_fragment == h->dont_fragment && !again.is_fragment);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    uint8_t form = feed_u8(&f) % 3;
    size_t got;
    const uint8_t *packet = feed_span(&f, 65535 + 40, &got);
    struct ip_header header;
    enum ip_decode_result result = form == 2 ? ip_decode_quoted(packet, (uint32_t)got, &header)
                                             : ip_decode(packet, (uint32_t)got, form == 1, &header);
    ENSURE(ip_decode_result_name(result) != NULL);
    if (result != IP_OK) return 0;
    ENSURE(header.header_length >= 20 && (uint64_t)header.header_length + header.payload_length <= got);
    ENSURE(header.source.family == header.destination.family && header.source.family != IP_NONE);
    char text[IP_ADDRESS_TEXT_MAX];
    struct ip_address parsed;
    ENSURE(ip_address_parse(ip_address_format(&header.source, text), &parsed));
    ENSURE(ip_address_equal(&parsed, &header.source));
    round_trip(&header);
    return 0;
}
