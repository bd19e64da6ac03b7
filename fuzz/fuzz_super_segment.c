/* Super-segments: what the stack sends as one packet is cut by a link, by the simulator or as UDP messages,
 * each as a network card would; both say the same. And what arrives in pieces is put together: cut up again,
 * it is the pieces that were taken. */
#include "fuzz.h"
#include <base/buf.h>
#include <sim/packet.h>
#include <wire/checksum.h>
#include <coalesce.h>
#include <udp_message.h>

enum { SEGMENT_MAX = 1900, PAYLOAD_MAX = 60000, PIECES_MAX = 512, FLAGS = 13, CHECKSUM = 16, TCP_LEAST = 20 };

static uint8_t payload[PAYLOAD_MAX];
static struct sim_packet *pieces[PIECES_MAX];
static uint32_t piece_count, ip_bytes, tcp_bytes;

/* --- a packet as the stack makes it --- */

static uint32_t draw_header(struct feed *f, uint32_t payload_bytes, uint8_t *out) {
    struct tcp_segment s = {.source_port = 80,
                            .destination_port = feed_u16(f),
                            .seq = seq32_of(feed_u32(f)),
                            .ack = seq32_of(feed_u32(f)),
                            .window = feed_u16(f)};
    struct ip_header ip = {.protocol = IP_PROTOCOL_TCP, .ttl = 64, .dont_fragment = true};
    uint8_t what = feed_u8(f);
    const uint8_t address[16] = {10, 0, 0, feed_u8(f)};
    ip.source = what & 1 ? ip_address_v6(address) : ip_address_v4(address);
    ip.destination = ip.source;
    ip.destination.bytes[0] = 11;
    s.flags = TCP_ACK | (what & 2 ? TCP_PSH : 0) | (what & 4 ? TCP_FIN : 0) | (what & 8 ? TCP_CWR : 0);
    if (what & 16) s.options.has_timestamps = true, s.options.timestamp_value = feed_u32(f);
    ip_bytes = what & 1 ? 40 : 20;
    tcp_bytes = tcp_segment_encode(&s, out + ip_bytes, 60);
    ENSURE(tcp_bytes >= TCP_LEAST);
    ip.payload_length = tcp_bytes + payload_bytes;
    ENSURE(ip_encode(&ip, out, ip_bytes) == ip_bytes);
    return ip_bytes + tcp_bytes;
}

static void draw_packet(struct feed *f, const struct braid_env *env, struct braid_packet_out *out) {
    uint32_t bytes = feed_u16(f) % PAYLOAD_MAX;
    *out = (struct braid_packet_out){
        .payload_length = bytes, .checksum_offset = CHECKSUM, .checksum_partial = true};
    out->segment_bytes = (uint16_t)(100 + feed_u16(f) % (SEGMENT_MAX - 100));
    if (bytes / out->segment_bytes + 1 >= PIECES_MAX) out->payload_length = bytes = out->segment_bytes * 4u;
    out->header_length = (uint16_t)draw_header(f, bytes, out->header);
    out->checksum_start = (uint16_t)ip_bytes;
    if (bytes <= out->segment_bytes) out->segment_bytes = 0;
    for (uint32_t at = 0; at < bytes;) {
        uint32_t length = out->slice_count == BRAID_PACKET_SLICES_MAX - 1 ? bytes : 1 + feed_u16(f) % 5000u;
        if (length > bytes - at) length = bytes - at;
        struct braid_slice slice = slice_copy(env, payload + at, length);
        ENSURE(slice.buf != NULL);
        out->slices[out->slice_count++] = slice;
        at += length;
    }
}

/* --- as UDP messages --- */

static void check_piece(const uint8_t *datagram, uint32_t length, uint32_t which) {
    uint8_t tcp[60];
    ENSURE(which < piece_count);
    const struct sim_packet *like = pieces[which];
    const uint8_t *wanted = like->bytes + ip_bytes;
    size_t header = tcp_in_udp_header_length(datagram, length);
    ENSURE(header == tcp_bytes);
    tcp_in_udp_decode(datagram, header, 80, (uint16_t)(wanted[2] << 8 | wanted[3]), tcp);
    ENSURE(memcmp(tcp, wanted, CHECKSUM) == 0);
    ENSURE(memcmp(tcp + TCP_LEAST, wanted + TCP_LEAST, tcp_bytes - TCP_LEAST) == 0);
    uint32_t data = length - (uint32_t)(header - UDP_HEADER_BYTES);
    ENSURE(data == like->length - ip_bytes - tcp_bytes);
    ENSURE(memcmp(datagram + header - UDP_HEADER_BYTES, wanted + tcp_bytes, data) == 0);
}

static void check_messages(struct feed *f, const struct braid_packet_out *out) {
    static struct udp_message message;
    static uint8_t bytes[2 * 65536];
    uint32_t at = 0, which = 0;
    do {
        uint32_t total = 0, took = udp_message_fill(&message, out, at, feed_u16(f) % 65507u);
        ENSURE(message.runs_count <= UDP_MESSAGE_RUNS_MAX);
        for (size_t i = 0; i < message.runs_count; i++) {
            ENSURE(total + message.runs[i].iov_len <= sizeof(bytes));
            memcpy(bytes + total, message.runs[i].iov_base, message.runs[i].iov_len);
            total += (uint32_t)message.runs[i].iov_len;
        }
        ENSURE(took > 0 || out->payload_length == 0);
        uint32_t each = message.segment_bytes == 0 ? total : message.segment_bytes;
        for (uint32_t from = 0; from < total; from += each)
            check_piece(bytes + from, total - from < each ? total - from : each, which++);
        at += took;
    } while (at < out->payload_length);
    ENSURE(at == out->payload_length && which == piece_count);
}

/* --- put together --- */

static uint32_t load32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* The `i`-th piece of what was put together is what was taken, but for its checksum, and for PSH, which all
 * may have had. */
static void check_cut(const struct braid_packet_in *whole, uint32_t offset, const struct sim_packet *taken) {
    const uint8_t *tcp = whole->bytes + ip_bytes, *wanted = taken->bytes + ip_bytes;
    uint32_t length = taken->length - ip_bytes - tcp_bytes;
    bool last = ip_bytes + tcp_bytes + offset + length == whole->length;
    ENSURE(offset + length <= whole->length - ip_bytes - tcp_bytes);
    ENSURE(memcmp(tcp, wanted, 4) == 0 && memcmp(tcp + 8, wanted + 8, 5) == 0);
    ENSURE((uint32_t)(load32(tcp + 4) + offset) == load32(wanted + 4));
    ENSURE((tcp[FLAGS] & ~TCP_PSH) == (wanted[FLAGS] & ~TCP_PSH));
    ENSURE(last ? (tcp[FLAGS] & TCP_PSH) == (wanted[FLAGS] & TCP_PSH) : !(wanted[FLAGS] & TCP_PSH));
    ENSURE(memcmp(tcp + 14, wanted + 14, 2) == 0);
    ENSURE(memcmp(tcp + TCP_LEAST, wanted + TCP_LEAST, tcp_bytes - TCP_LEAST) == 0);
    ENSURE(memcmp(tcp + tcp_bytes + offset, wanted + tcp_bytes, length) == 0);
}

static void spoil(struct feed *f, struct sim_packet *piece) {
    uint8_t what = feed_u8(f);
    if (what < 240) return;
    uint32_t at =
        4 + feed_u8(f) %
                (tcp_bytes - 4); /* never the ports: that is another flow, which is the caller's affair */
    if (at == 12) at = 13;       /* nor the header's length: the caller has read it */
    piece->bytes[ip_bytes + at] ^= feed_u8(f);
}

static void check_coalesced(struct feed *f) {
    static uint8_t room[1 << 17];
    struct coalesced c;
    uint32_t taken = 1, offset = 0, room_bytes = feed_u8(f) & 1 ? feed_u16(f) : 65535u;
    struct ip_header ip;
    spoil(f, pieces[0]);
    struct braid_packet_in whole = {.bytes = room, .length = pieces[0]->length, .checksum_verified = true};
    memcpy(room, pieces[0]->bytes, pieces[0]->length);
    coalesce_begin(&c, &whole, room, room_bytes, ip_bytes);
    for (uint32_t i = 1; i < piece_count; i++) {
        spoil(f, pieces[i]);
        const uint8_t *tcp = pieces[i]->bytes + ip_bytes;
        if (!coalesce_add(&c, tcp, tcp_bytes, tcp + tcp_bytes, pieces[i]->length - ip_bytes - tcp_bytes))
            break;
        taken++;
    }
    ENSURE(taken == 1 || whole.length <= room_bytes);
    ENSURE(ip_decode(room, whole.length, false, &ip) == IP_OK);
    ENSURE(ip.payload_length == whole.length - ip_bytes);
    ENSURE((whole.segment_bytes != 0) == (taken > 1));
    for (uint32_t i = 0; i < taken; i++) {
        uint32_t length = pieces[i]->length - ip_bytes - tcp_bytes;
        ENSURE(taken == 1 || (i + 1 < taken ? length == whole.segment_bytes : length <= whole.segment_bytes));
        check_cut(&whole, offset, pieces[i]);
        offset += length;
    }
    ENSURE(ip_bytes + tcp_bytes + offset == whole.length);
}

/* A second packet of the same contents, for flattening gives the first one back. */
static void copy_of(const struct braid_packet_out *out, struct braid_packet_out *copy) {
    *copy = *out;
    for (unsigned i = 0; i < out->slice_count; i++)
        copy->slices[i] = slice_part(&out->slices[i], 0, out->slices[i].length);
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    struct counted_memory memory;
    struct braid_packet_out out, copy;
    struct sim_pool pool;
    counted_memory_init(&memory, -1);
    for (uint32_t i = 0; i < PAYLOAD_MAX; i++)
        payload[i] = (uint8_t)(i * 7 + (i >> 8));
    sim_pool_init(&pool, &memory.env);
    draw_packet(&f, &memory.env, &out);
    copy_of(&out, &copy);
    piece_count = 0;
    for (struct sim_packet *p = sim_packet_flatten(&pool, &copy); p != NULL; p = p->next) {
        ENSURE(piece_count < PIECES_MAX);
        pieces[piece_count++] = p;
    }
    check_messages(&f, &out);
    check_coalesced(&f);
    braid_packet_out_release(&out);
    for (uint32_t i = 0; i < piece_count; i++)
        sim_packet_release(pieces[i]);
    sim_pool_deinit(&pool);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
