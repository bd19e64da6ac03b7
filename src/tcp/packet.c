/* Putting a packet together: options, payload by reference, headers, checksum. */
#include <wire/checksum.h>
#include <wire/ip.h>

#include "tcp_internal.h"

#define HOP_LIMIT 64
#define TCP_CHECKSUM_OFFSET 16

/* --- options --- */

/* A duplicate within a stretch is told beside that stretch (RFC 2883 §4), which is then not told again. */
/* [R-2018-4-1] [R-2018-4-2] [R-2018-4-3] [R-2018-4-6] [R-2018-4-7] [R-2018-8-2] [R-2883-4-2] */
static void fill_sack(const struct tcp *t, struct tcp_options *o) {
    struct sack_block around, blocks[TCP_SACK_BLOCKS_MAX];
    bool within = false;
    uint8_t count = 0;
    if (!t->sack_permitted) return;
    if (t->acks.dsack_count > 0) {
        o->sack[count++] = t->acks.dsacks[0];
        within = seq32_ge(o->sack[0].start, t->rcv_nxt) && reassembly_block_of(&t->reassembly, o->sack[0].start, &around);
    }
    if (within) o->sack[count++] = around;
    uint32_t stretches = reassembly_blocks(&t->reassembly, blocks, TCP_SACK_BLOCKS_MAX);
    for (uint32_t i = 0; i < stretches && count < TCP_SACK_BLOCKS_MAX; i++) {
        if (!within || !seq32_eq(blocks[i].start, around.start)) o->sack[count++] = blocks[i];
    }
    o->sack_count = count;
}

static void fill_own_options(const struct tcp *t, uint8_t flags, struct tcp_options *o, braid_time now) {
    /* [R-7323-3.2-4] [R-7323-3.2-5] [R-7323-5.2-4] */
    o->has_timestamps = t->timestamps.enabled;
    o->timestamp_value = timestamps_value(t, now);
    /* [R-7323-3.2-1] [R-7323-3.2-2] */
    o->timestamp_echo = (flags & TCP_ACK) ? t->timestamps.recent : 0;
    if (flags & TCP_RST) {
        o->has_timestamps &= t->timestamps.recent_at > 0; /* not when our SYN has only offered them */
        return;
    }
    if (flags & TCP_SYN) { /* [MUST-65] [SHLD-5] */
        o->has_mss = true;
        o->mss = (uint16_t)mss_to_announce(t);
        /* [R-2018-2-1] */
        o->sack_permitted = t->sack_permitted;
        /* [R-7323-2.2-1] [R-7323-2.3-1] */
        o->has_window_scale = t->scaling;
        o->window_scale = t->receive_scale;
        early_options(t, flags, o);
    } else {
        fill_sack(t, o);
    }
}

/* RFC 7323 wants timestamps in every segment; but an option that fits in no other way would never be said. Linux does the
 * same, and no peer needs the timestamp of an ACK that acknowledges nothing new. */
static void make_room(const struct tcp *t, const struct outgoing *o, struct tcp_options *options) {
    bool pure_ack = o->limit_bytes == 0 && (o->flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0;
    if (pure_ack && t->config.ops->needs_whole_room && t->config.ops->needs_whole_room(t->config.owner))
        options->has_timestamps = false;
}

/* Room for the owner: all but ours, and of SACK only the first block is sure of its place. */
static size_t room_for_owner(struct tcp_options *o) {
    uint8_t blocks = o->sack_count;
    if (o->sack_count > 1) o->sack_count = 1;
    size_t room = TCP_OPTIONS_MAX - tcp_options_length(o);
    o->sack_count = blocks;
    return room;
}

/* The owner writes whole options one after another; the encoder wants them one by one. */
static void split_owner_options(const uint8_t *bytes, size_t length, struct tcp_options *o) {
    size_t at = 0;
    while (at < length) {
        ENSURE(length - at >= 2 && bytes[at + 1] >= 2 && bytes[at + 1] <= length - at);
        ENSURE(o->mptcp_count < TCP_MPTCP_OPTIONS_MAX);
        o->mptcp[o->mptcp_count++] = (struct tcp_raw_option){bytes + at, bytes[at + 1]};
        at += bytes[at + 1];
    }
}

/* --- payload --- */

static uint32_t super_segment_bytes(const struct tcp *t) {
    uint32_t most = t->config.super_segment_bytes;
    return most < TCP_SUPER_SEGMENT_MAX ? most : TCP_SUPER_SEGMENT_MAX;
}

/* Drops slices, and the end of the last one, beyond `length`. */
static void cut_slices(struct braid_packet_out *out, uint32_t length) {
    uint32_t at = 0;
    uint16_t count = 0;
    while (count < out->slice_count && at < length) {
        struct braid_slice *slice = &out->slices[count++];
        if (slice->length > length - at) slice_truncate(slice, length - at);
        at += slice->length;
    }
    for (uint16_t i = count; i < out->slice_count; i++) slice_release(&out->slices[i]);
    out->slice_count = count;
}

static void fill_payload(struct tcp *t, struct outgoing *o, struct braid_packet_out *out) {
    uint32_t piece = o->piece_bytes;
    uint32_t most = super_segment_bytes(t) > piece ? super_segment_bytes(t) : piece;
    uint32_t length = o->limit_bytes < most ? o->limit_bytes : most;
    bool whole = o->cut || length < o->limit_bytes;
    if (whole && length > piece) length -= length % piece;

    struct slice_queue *queue = (o->flags & TCP_SYN) ? &t->early->data : &t->queue;
    uint64_t offset = (o->flags & TCP_SYN) ? 0 : (uint64_t)(uint32_t)seq32_diff(o->seq, t->queue_start);
    out->slice_count = (uint16_t)slice_queue_gather(queue, offset, length, out->slices, BRAID_PACKET_SLICES_MAX);
    uint32_t gathered = 0;
    for (uint16_t i = 0; i < out->slice_count; i++) gathered += out->slices[i].length;
    if (gathered < length) {
        length = gathered > piece ? gathered - gathered % piece : gathered;
        cut_slices(out, length);
    }
    o->payload_bytes = length;
    out->payload_length = length;
    out->segment_bytes = length > piece ? (uint16_t)piece : 0;
}

static uint8_t flags_at_end(const struct tcp *t, const struct outgoing *o) {
    seq32 end = seq32_add(o->seq, o->payload_bytes);
    if (o->payload_bytes == 0 || (o->flags & TCP_SYN) || !seq32_eq(end, tcp_send_queue_end(t))) return 0;
    return o->fin_allowed ? TCP_PSH | TCP_FIN : TCP_PSH; /* [MUST-60] [MUST-61] */
}

/* --- the whole --- */

bool packet_build(struct tcp *t, struct outgoing *o, struct braid_packet_out *out, braid_time now) {
    struct tcp_segment segment = {
        .source_port = t->config.flow.local_port,
        .destination_port = t->config.flow.remote_port,
        .seq = o->seq,
        .ack = (o->flags & TCP_ACK) ? t->rcv_nxt : seq32_of(0),
    };
    uint8_t owner_bytes[TCP_OPTIONS_MAX];
    const struct tcp_outgoing asked = {o->seq, o->flags, o->limit_bytes, o->retransmission};
    fill_own_options(t, o->flags, &segment.options, now);
    make_room(t, o, &segment.options);
    size_t room = room_for_owner(&segment.options);
    split_owner_options(owner_bytes, owner_write_options(t, &asked, owner_bytes, room), &segment.options);

    uint32_t own = t->timestamps.enabled ? 12 : 0; /* not part of mss_bytes any more */
    /* [R-6691-2-2] */
    o->piece_bytes = (o->probe_mss_bytes > 0 ? o->probe_mss_bytes : t->mss_bytes) + own - tcp_options_length(&segment.options);
    out->link = t->config.link;
    out->slice_count = 0;
    out->payload_length = 0;
    out->segment_bytes = 0;
    o->payload_bytes = 0;
    if (o->limit_bytes > 0) {
        fill_payload(t, o, out);
        o->flags |= flags_at_end(t, o);
    }
    /* [R-3168-5.2-1] [R-3168-6.1-8] [R-3168-6.1.4-1] [R-3168-6.1.5-1] [R-3168-6.1.6-1] */
    bool fresh = o->payload_bytes > 0 && !o->retransmission;
    segment.flags = o->flags | ecn_flags(t, o->flags); /* [R-3.3.1-5] */
    /* [R-3168-6.1.2-3] [R-3168-6.1.2-4] */
    if (fresh && t->ecn.cwr_due) segment.flags |= TCP_CWR;
    if (!(o->flags & TCP_RST)) segment.window = window_field(t, (o->flags & TCP_SYN) != 0);
    uint8_t ecn = fresh ? ecn_of_data(t) : 0;
    if (!packet_headers(&t->config.flow, t->config.checksum_offload, packet_service(t, ecn), &segment, out)) {
        braid_packet_out_release(out);
        return false;
    }
    if (fresh) t->ecn.cwr_due = false;
    if (segment.options.sack_count > 0 && t->acks.dsack_count > 0) {
        t->acks.dsack_count--;
        for (uint32_t i = 0; i < t->acks.dsack_count; i++) t->acks.dsacks[i] = t->acks.dsacks[i + 1];
    }
    return true;
}

/* --- headers --- */

static uint16_t full_checksum(uint64_t pseudo, const uint8_t *header, uint32_t header_length,
                              const struct braid_packet_out *out) {
    uint64_t sum = pseudo + checksum_sum(header, header_length);
    size_t preceding = header_length;
    for (uint16_t i = 0; i < out->slice_count; i++) {
        sum += checksum_shift(checksum_sum(out->slices[i].bytes, out->slices[i].length), preceding);
        preceding += out->slices[i].length;
    }
    return checksum_finish(sum);
}

/* [MUST-48] [MUST-49] */
struct service packet_service(const struct tcp *t, uint8_t ecn) {
    /* [SHLD-21] [SHLD-22] */
    return (struct service){.ecn = ecn, .dscp = t->tuning.dscp & 0x3f, .hop_limit = t->tuning.hop_limit};
}

bool packet_headers(const struct flow *flow, bool checksum_offload, struct service service,
                    const struct tcp_segment *segment, struct braid_packet_out *out) {
    uint32_t ip_length = flow->local.family == IP_V6 ? 40 : 20;
    uint8_t *tcp_header = out->header + ip_length;
    uint32_t tcp_length = tcp_segment_encode(segment, tcp_header, sizeof(out->header) - ip_length);
    if (tcp_length == 0) return false;
    const struct ip_header ip = {
        .source = flow->local,
        .destination = flow->remote,
        .protocol = IP_PROTOCOL_TCP,
        /* [R-1122-3.2.1-5] */
        .ttl = service.hop_limit > 0 ? service.hop_limit : HOP_LIMIT,
        .ecn = service.ecn,
        .traffic_class = service.dscp,
        .dont_fragment = true,
        .payload_length = tcp_length + out->payload_length,
    };
    if (ip_encode(&ip, out->header, sizeof(out->header)) != ip_length) return false;
    uint64_t pseudo = checksum_pseudo_header(&flow->local, &flow->remote, IP_PROTOCOL_TCP, ip.payload_length);
    tcp_checksum_set(tcp_header, checksum_offload ? checksum_fold(pseudo) /* [MUST-2] */
                                                  : full_checksum(pseudo, tcp_header, tcp_length, out));
    out->header_length = (uint16_t)(ip_length + tcp_length);
    out->checksum_partial = checksum_offload;
    out->checksum_start = (uint16_t)ip_length;
    out->checksum_offset = TCP_CHECKSUM_OFFSET;
    return true;
}
