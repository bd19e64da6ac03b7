/* The TCP header and its options (RFC 9293 §3.1-3.2; 7323; 2018; 7413): bytes -> struct -> bytes. */
#ifndef WIRE_TCP_SEGMENT_H
#define WIRE_TCP_SEGMENT_H

#include <base/reader.h>
#include <base/seq.h>
#include <wire/address.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20
#define TCP_ECE 0x40
#define TCP_CWR 0x80

#define TCP_HEADER_BYTES 20
#define TCP_OPTIONS_MAX 40
#define TCP_SACK_BLOCKS_MAX 4
#define TCP_MPTCP_OPTIONS_MAX 8
#define TCP_OPTION_KIND_MPTCP 30

struct sack_block {
    seq32 start, end;
};

/* Where an option of kind 30 stands in the segment: its bytes, kind and length included. */
struct tcp_raw_option {
    const uint8_t *bytes;
    uint8_t length;
};

struct tcp_options {
    bool has_mss, has_window_scale, sack_permitted, has_timestamps, has_fast_open;
    uint16_t mss;
    uint8_t window_scale; /* as sent; above 14 counts as 14 (RFC 7323 §2.3) */
    uint32_t timestamp_value, timestamp_echo;
    uint8_t sack_count;
    struct sack_block sack[TCP_SACK_BLOCKS_MAX];
    uint8_t fast_open_length;
    uint8_t fast_open_cookie[16];
    uint8_t ignored;     /* options of a wrong length, or said twice, or too many: decoding counts them */
    uint8_t mptcp_count; /* in the order of the segment; more than TCP_MPTCP_OPTIONS_MAX are ignored */
    struct tcp_raw_option mptcp[TCP_MPTCP_OPTIONS_MAX];
};

struct tcp_segment {
    uint16_t source_port, destination_port;
    seq32 seq, ack;
    uint8_t flags;
    uint16_t window; /* as on the wire, unscaled */
    uint16_t urgent_pointer;
    uint32_t header_length;
    struct tcp_options options;
    const uint8_t *payload;
    uint32_t payload_length;
    uint16_t segment_bytes; /* of a super-segment: payload bytes of each piece; 0: one segment */
};

/* Length in sequence space: payload, SYN and FIN. */
static inline uint32_t tcp_segment_length(const struct tcp_segment *s) {
    return s->payload_length + ((s->flags & TCP_SYN) ? 1u : 0u) + ((s->flags & TCP_FIN) ? 1u : 0u);
}

enum tcp_decode_result {
    TCP_DECODE_OK,
    TCP_DECODE_TRUNCATED,
    TCP_DECODE_BAD_OFFSET,
    TCP_DECODE_BAD_CHECKSUM,
    TCP_DECODE_BAD_OPTION, /* an option's length is below 2 or runs over the header: the segment is dropped */
};
const char *tcp_decode_result_name(enum tcp_decode_result result);

/* Decodes the TCP header at `bytes`. The checksum is checked unless `checksum_verified`. `out` points into `bytes`.
 * An option of a known kind but the wrong length is skipped; unknown kinds are skipped. */
enum tcp_decode_result tcp_segment_decode(const uint8_t *bytes, uint32_t length, const struct ip_address *source,
                                          const struct ip_address *destination, bool checksum_verified,
                                          struct tcp_segment *out) MUST_USE;

/* Writes header and options; options->mptcp entries are copied as they are, and everything is padded with NOPs to
 * four bytes. SACK blocks that do not fit are left out. The checksum field is left 0. Returns the header's length, 0
 * if the options do not fit 40 bytes or `room` is too small. The payload is not written. */
uint32_t tcp_segment_encode(const struct tcp_segment *segment, uint8_t *out, size_t room);
/* Bytes the options take on the wire, padded: to know what is left of the 40. */
uint32_t tcp_options_length(const struct tcp_options *options);
/* Puts a checksum into an encoded header's field. */
void tcp_checksum_set(uint8_t *tcp_header, uint16_t checksum);

#endif
