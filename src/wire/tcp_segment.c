#include <wire/tcp_segment.h>
#include <wire/checksum.h>
#include <wire/ip.h>

#include <string.h>

enum tcp_option_kind {
    TCP_OPTION_END = 0,
    TCP_OPTION_NOP = 1,
    TCP_OPTION_MSS = 2,
    TCP_OPTION_WINDOW_SCALE = 3,
    TCP_OPTION_SACK_PERMITTED = 4,
    TCP_OPTION_SACK = 5,
    TCP_OPTION_TIMESTAMPS = 8,
    TCP_OPTION_FAST_OPEN = 34,
};

#define MSS_BYTES 4
#define WINDOW_SCALE_BYTES 3
#define SACK_PERMITTED_BYTES 2
#define SACK_BLOCK_BYTES 8
#define TIMESTAMPS_BYTES 10
#define CHECKSUM_OFFSET 16

const char *tcp_decode_result_name(enum tcp_decode_result result) {
    switch (result) {
    case TCP_DECODE_OK: return "ok";
    case TCP_DECODE_TRUNCATED: return "TCP header truncated";
    case TCP_DECODE_BAD_OFFSET: return "bad TCP data offset";
    case TCP_DECODE_BAD_CHECKSUM: return "bad TCP checksum";
    case TCP_DECODE_BAD_OPTION: return "bad TCP option length";
    }
    return "?";
}

static bool decode_sack(struct reader *r, struct tcp_options *o) {
    if (o->sack_count > 0) return false;
    while (reader_left(r) > 0 && o->sack_count < TCP_SACK_BLOCKS_MAX) {
        struct sack_block *block = &o->sack[o->sack_count++];
        block->start = seq32_of(read_u32(r));
        block->end = seq32_of(read_u32(r));
    }
    return true;
}

/* RFC 7413 §4.1.1: a request without a cookie, or an even number of 4 to 16 bytes. */
static bool decode_fast_open(struct reader *r, struct tcp_options *o) {
    size_t length = reader_left(r);
    if (length != 0 && (length < 4 || length > sizeof(o->fast_open_cookie) || length % 2 != 0)) return false;
    o->has_fast_open = true;
    o->fast_open_length = (uint8_t)length;
    read_bytes(r, o->fast_open_cookie, length);
    return true;
}

/* [MUST-5] [MUST-6] [MUST-68] */
/* `bytes` has `length` >= 2 bytes, kind and length included. Of options that may stand only once the first counts. False:
 * it is one that we know, and of no use. */
static bool decode_option(const uint8_t *bytes, uint8_t length, struct tcp_options *o) {
    struct reader r = reader_of(bytes + 2, length - 2u);
    switch (bytes[0]) {
    case TCP_OPTION_MSS:
        if (length != MSS_BYTES || o->has_mss) return false;
        o->has_mss = true;
        o->mss = read_u16(&r);
        return true;
    case TCP_OPTION_WINDOW_SCALE:
        if (length != WINDOW_SCALE_BYTES || o->has_window_scale) return false;
        o->has_window_scale = true;
        o->window_scale = read_u8(&r);
        return true;
    case TCP_OPTION_SACK_PERMITTED:
        if (length != SACK_PERMITTED_BYTES || o->sack_permitted) return false;
        o->sack_permitted = true;
        return true;
    case TCP_OPTION_SACK:
        return length > 2 && (length - 2) % SACK_BLOCK_BYTES == 0 && decode_sack(&r, o);
    case TCP_OPTION_TIMESTAMPS:
        if (length != TIMESTAMPS_BYTES || o->has_timestamps) return false;
        o->has_timestamps = true;
        o->timestamp_value = read_u32(&r);
        o->timestamp_echo = read_u32(&r);
        return true;
    case TCP_OPTION_FAST_OPEN:
        return !o->has_fast_open && decode_fast_open(&r, o);
    case TCP_OPTION_KIND_MPTCP:
        if (o->mptcp_count == TCP_MPTCP_OPTIONS_MAX) return false;
        o->mptcp[o->mptcp_count++] = (struct tcp_raw_option){.bytes = bytes, .length = length};
        return true;
    /* [R-5482-3.1-1] */
    default: return true;
    }
}

static bool decode_options(const uint8_t *bytes, size_t length, struct tcp_options *o) {
    struct reader r = reader_of(bytes, length);
    while (reader_left(&r) > 0) {
        const uint8_t *option = r.at;
        uint8_t kind = read_u8(&r);
        if (kind == TCP_OPTION_END) return true;
        if (kind == TCP_OPTION_NOP) continue; /* [MUST-4] [MUST-64] */
        uint8_t option_length = read_u8(&r);
        if (option_length < 2 || read_span(&r, option_length - 2u) == NULL) return false;
        if (!decode_option(option, option_length, o)) o->ignored++;
    }
    return true;
}

enum tcp_decode_result tcp_segment_decode(const uint8_t *bytes, uint32_t length, const struct ip_address *source,
                                          const struct ip_address *destination, bool checksum_verified,
                                          struct tcp_segment *out) {
    if (length < TCP_HEADER_BYTES) return TCP_DECODE_TRUNCATED;
    struct reader r = reader_of(bytes, length);
    memset(out, 0, sizeof(*out));
    out->source_port = read_u16(&r);
    out->destination_port = read_u16(&r);
    out->seq = seq32_of(read_u32(&r));
    out->ack = seq32_of(read_u32(&r));
    out->header_length = (read_u8(&r) >> 4) * 4u;
    out->flags = read_u8(&r);
    out->window = read_u16(&r);
    (void)read_u16(&r); /* checksum */
    out->urgent_pointer = read_u16(&r);

    if (out->header_length < TCP_HEADER_BYTES || out->header_length > length) return TCP_DECODE_BAD_OFFSET;
    if (!checksum_verified) {
        uint64_t sum = checksum_sum(bytes, length) +
                       checksum_pseudo_header(source, destination, IP_PROTOCOL_TCP, length);
        if (checksum_fold(sum) != 0xffff) return TCP_DECODE_BAD_CHECKSUM; /* [MUST-3] */
    }
    /* [MUST-7] */
    if (!decode_options(r.at, out->header_length - TCP_HEADER_BYTES, &out->options)) return TCP_DECODE_BAD_OPTION;
    out->payload = bytes + out->header_length;
    out->payload_length = length - out->header_length;
    return TCP_DECODE_OK;
}

static uint32_t padded(uint32_t length) { return (length + 3) & ~UINT32_C(3); }

static uint32_t mptcp_options_length(const struct tcp_options *o) {
    uint32_t length = 0;
    for (uint32_t i = 0; i < o->mptcp_count; i++) length += o->mptcp[i].length;
    return length;
}

/* All but SACK, which gets what is left. Each group is padded to four bytes, so that what follows is aligned:
 * receivers have a fast path for timestamps that are. */
static uint32_t fixed_options_length(const struct tcp_options *o) {
    uint32_t length = 0;
    if (o->has_mss) length += MSS_BYTES;
    length += padded((o->sack_permitted ? SACK_PERMITTED_BYTES : 0u) + (o->has_timestamps ? TIMESTAMPS_BYTES : 0u));
    if (o->has_window_scale) length += padded(WINDOW_SCALE_BYTES);
    if (o->has_fast_open) length += padded(2u + o->fast_open_length);
    return length + padded(mptcp_options_length(o));
}

static uint32_t sack_blocks_that_fit(const struct tcp_options *o, uint32_t fixed_length) {
    if (fixed_length + padded(2 + SACK_BLOCK_BYTES) > TCP_OPTIONS_MAX) return 0;
    uint32_t room = (TCP_OPTIONS_MAX - fixed_length - 4) / SACK_BLOCK_BYTES;
    return o->sack_count < room ? o->sack_count : room;
}

uint32_t tcp_options_length(const struct tcp_options *options) {
    uint32_t length = fixed_options_length(options);
    uint32_t blocks = sack_blocks_that_fit(options, length);
    return length + (blocks > 0 ? padded(2 + blocks * SACK_BLOCK_BYTES) : 0);
}

/* NOPs that make the `length` bytes to come end on a multiple of four. */
static void write_padding(struct writer *w, uint32_t length) {
    for (uint32_t i = length; i < padded(length); i++) write_u8(w, TCP_OPTION_NOP);
}

static void write_timestamps(struct writer *w, const struct tcp_options *o) {
    write_u8(w, TCP_OPTION_TIMESTAMPS);
    write_u8(w, TIMESTAMPS_BYTES);
    write_u32(w, o->timestamp_value);
    write_u32(w, o->timestamp_echo);
}

static void write_sack(struct writer *w, const struct tcp_options *o, uint32_t blocks) {
    if (blocks == 0) return;
    uint32_t length = 2 + blocks * SACK_BLOCK_BYTES;
    write_padding(w, length);
    write_u8(w, TCP_OPTION_SACK);
    write_u8(w, (uint8_t)length);
    for (uint32_t i = 0; i < blocks; i++) {
        write_u32(w, o->sack[i].start.value);
        write_u32(w, o->sack[i].end.value);
    }
}

static void write_options(struct writer *w, const struct tcp_options *o) {
    if (o->has_mss) {
        write_u8(w, TCP_OPTION_MSS);
        write_u8(w, MSS_BYTES);
        write_u16(w, o->mss);
    }
    if (o->sack_permitted != o->has_timestamps) write_padding(w, SACK_PERMITTED_BYTES); /* 2 or 10: 2 NOPs */
    if (o->sack_permitted) {
        write_u8(w, TCP_OPTION_SACK_PERMITTED);
        write_u8(w, SACK_PERMITTED_BYTES);
    }
    if (o->has_timestamps) write_timestamps(w, o);
    if (o->has_window_scale) {
        write_padding(w, WINDOW_SCALE_BYTES);
        write_u8(w, TCP_OPTION_WINDOW_SCALE);
        write_u8(w, WINDOW_SCALE_BYTES);
        write_u8(w, o->window_scale);
    }
    if (o->has_fast_open) {
        write_padding(w, 2u + o->fast_open_length);
        write_u8(w, TCP_OPTION_FAST_OPEN);
        write_u8(w, (uint8_t)(2 + o->fast_open_length));
        write_bytes(w, o->fast_open_cookie, o->fast_open_length);
    }
    write_padding(w, mptcp_options_length(o));
    for (uint32_t i = 0; i < o->mptcp_count; i++) write_bytes(w, o->mptcp[i].bytes, o->mptcp[i].length);
    write_sack(w, o, sack_blocks_that_fit(o, fixed_options_length(o)));
}

uint32_t tcp_segment_encode(const struct tcp_segment *segment, uint8_t *out, size_t room) {
    const struct tcp_options *o = &segment->options;
    ENSURE(o->mptcp_count <= TCP_MPTCP_OPTIONS_MAX && o->sack_count <= TCP_SACK_BLOCKS_MAX);
    ENSURE(o->fast_open_length <= sizeof(o->fast_open_cookie));
    uint32_t options_length = tcp_options_length(o);
    if (options_length > TCP_OPTIONS_MAX) return 0;
    uint32_t header_length = TCP_HEADER_BYTES + options_length;

    struct writer w = writer_of(out, room);
    write_u16(&w, segment->source_port);
    write_u16(&w, segment->destination_port);
    write_u32(&w, segment->seq.value);
    write_u32(&w, segment->ack.value);
    write_u8(&w, (uint8_t)(header_length / 4 << 4));
    write_u8(&w, segment->flags);
    write_u16(&w, segment->window);
    write_u16(&w, 0);
    write_u16(&w, segment->urgent_pointer);
    write_options(&w, o);
    return w.failed ? 0 : header_length;
}

void tcp_checksum_set(uint8_t *tcp_header, uint16_t checksum) {
    struct writer w = writer_of(tcp_header + CHECKSUM_OFFSET, 2);
    write_u16(&w, checksum);
}
