/* Any bytes as an ICMP message, its checksum made right so that the fuzzer gets past it; and any bytes quoted in an
 * error of ours, which must then be read as that error. */
#include "fuzz.h"
#include <wire/checksum.h>
#include <wire/icmp.h>

static void decode_any(const uint8_t *bytes, size_t length, enum ip_family family) {
    static uint8_t message[4096];
    if (length < 4 || length > sizeof(message)) return;
    memcpy(message, bytes, length);
    struct ip_header header = {.protocol = family == IP_V4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6};
    header.source.family = header.destination.family = family;
    message[2] = message[3] = 0;
    uint64_t sum = checksum_sum(message, length);
    if (family == IP_V6)
        sum += checksum_pseudo_header(&header.source, &header.destination, IP_PROTOCOL_ICMPV6, (uint32_t)length);
    uint16_t checksum = checksum_finish(sum);
    message[2] = (uint8_t)(checksum >> 8);
    message[3] = (uint8_t)checksum;
    struct icmp_error error;
    if (!icmp_error_decode(&header, message, (uint32_t)length, &error)) return;
    ENSURE(error.flow.local.family == family && error.flow.remote.family == family);
    ENSURE(error.protocol == IP_PROTOCOL_TCP || error.protocol == IP_PROTOCOL_UDP);
}

static void encode_any(struct feed *f, enum ip_family family) {
    static const enum icmp_error_kind kinds[] = {ICMP_NET_UNREACHABLE, ICMP_HOST_UNREACHABLE, ICMP_PORT_UNREACHABLE,
                                                 ICMP_PROHIBITED,      ICMP_PACKET_TOO_BIG,   ICMP_TIME_EXCEEDED,
                                                 ICMP_OTHER};
    enum icmp_error_kind kind = kinds[feed_u8(f) % ARRAY_COUNT(kinds)];
    struct ip_address source = {.family = family, .bytes = {1}}, destination = {.family = family, .bytes = {2}};
    uint8_t out[256];
    size_t got, room = feed_u8(f);
    const uint8_t *quoted = feed_span(f, 2000, &got);
    uint32_t length = icmp_error_encode(kind, &source, &destination, quoted, (uint32_t)got, out, room);
    if (length == 0) return;
    ENSURE(length <= room);
    struct ip_header header, quoted_header;
    ENSURE(ip_decode(out, length, false, &header) == IP_OK);
    struct icmp_error error;
    if (icmp_error_decode(&header, out + header.header_length, header.payload_length, &error)) {
        if (family == IP_V4 || kind != ICMP_NET_UNREACHABLE) ENSURE(error.kind == kind);
        ENSURE(ip_decode_quoted(quoted, (uint32_t)(got < 128 ? got : 128), &quoted_header) == IP_OK);
        ENSURE(ip_address_equal(&quoted_header.source, &error.flow.local));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    uint8_t choice = feed_u8(&f);
    enum ip_family family = choice & 1 ? IP_V6 : IP_V4;
    if (choice & 2) encode_any(&f, family);
    else decode_any(f.at, feed_left(&f), family);
    return 0;
}
