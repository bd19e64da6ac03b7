/* Any bytes as a TCP header: decoding stays within them, and what was understood survives encoding and decoding. */
#include "fuzz.h"
#include <wire/checksum.h>
#include <wire/ip.h>
#include <wire/tcp_segment.h>

static void options_must_equal(const struct tcp_options *a, const struct tcp_options *b) {
    ENSURE(a->has_mss == b->has_mss && a->mss == b->mss);
    ENSURE(a->has_window_scale == b->has_window_scale && a->window_scale == b->window_scale);
    ENSURE(a->sack_permitted == b->sack_permitted);
    ENSURE(a->has_timestamps == b->has_timestamps && a->timestamp_value == b->timestamp_value &&
           a->timestamp_echo == b->timestamp_echo);
    ENSURE(a->has_fast_open == b->has_fast_open && a->fast_open_length == b->fast_open_length);
    ENSURE(memcmp(a->fast_open_cookie, b->fast_open_cookie, a->fast_open_length) == 0);
    ENSURE(a->mptcp_count == b->mptcp_count);
    for (unsigned i = 0; i < a->mptcp_count; i++) {
        ENSURE(a->mptcp[i].length == b->mptcp[i].length);
        ENSURE(memcmp(a->mptcp[i].bytes, b->mptcp[i].bytes, a->mptcp[i].length) == 0);
    }
    ENSURE(b->sack_count <= a->sack_count); /* those that do not fit are left out */
    for (unsigned i = 0; i < b->sack_count; i++)
        ENSURE(seq32_eq(a->sack[i].start, b->sack[i].start) && seq32_eq(a->sack[i].end, b->sack[i].end));
}

static void within(const void *inner, size_t inner_length, const uint8_t *outer, size_t outer_length) {
    const uint8_t *start = inner;
    ENSURE(start >= outer && inner_length <= outer_length && start + inner_length <= outer + outer_length);
}

static void round_trip(const struct tcp_segment *s, const struct ip_address *source, const struct ip_address *destination) {
    uint8_t bytes[TCP_HEADER_BYTES + TCP_OPTIONS_MAX];
    uint32_t length = tcp_segment_encode(s, bytes, sizeof(bytes));
    if (length == 0) {
        ENSURE(tcp_options_length(&s->options) > TCP_OPTIONS_MAX); /* our padding may take more room than theirs */
        return;
    }
    ENSURE(length == TCP_HEADER_BYTES + tcp_options_length(&s->options));
    tcp_checksum_set(bytes, checksum_finish(checksum_sum(bytes, length) +
                                            checksum_pseudo_header(source, destination, IP_PROTOCOL_TCP, length)));
    struct tcp_segment again;
    ENSURE(tcp_segment_decode(bytes, length, source, destination, false, &again) == TCP_DECODE_OK);
    ENSURE(again.source_port == s->source_port && again.destination_port == s->destination_port);
    ENSURE(seq32_eq(again.seq, s->seq) && seq32_eq(again.ack, s->ack));
    ENSURE(again.flags == s->flags && again.window == s->window && again.urgent_pointer == s->urgent_pointer);
    options_must_equal(&s->options, &again.options);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct feed f = feed_of(bytes, length);
    uint8_t choice = feed_u8(&f);
    struct ip_address source = {.family = choice & 1 ? IP_V6 : IP_V4, .bytes = {10, 0, 0, 1}};
    struct ip_address destination = {.family = source.family, .bytes = {10, 0, 0, 2}};
    size_t got;
    const uint8_t *packet = feed_span(&f, 65535, &got);
    struct tcp_segment segment;
    if (tcp_segment_decode(packet, (uint32_t)got, &source, &destination, (choice & 2) == 0, &segment) != TCP_DECODE_OK)
        return 0;
    within(segment.payload, segment.payload_length, packet, got);
    ENSURE(segment.options.mptcp_count <= TCP_MPTCP_OPTIONS_MAX && segment.options.sack_count <= TCP_SACK_BLOCKS_MAX);
    for (unsigned i = 0; i < segment.options.mptcp_count; i++)
        within(segment.options.mptcp[i].bytes, segment.options.mptcp[i].length, packet, segment.header_length);
    round_trip(&segment, &source, &destination);
    return 0;
}
