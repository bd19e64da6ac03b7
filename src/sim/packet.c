/* Packets and their pool, and how a stack's packets become flat ones. */
#include <sim/packet.h>

#include <string.h>
#include <wire/checksum.h>

enum { TCP_CHECKSUM_OFFSET = 16, TCP_FLAGS_OFFSET = 13, TCP_SEQ_OFFSET = 4 };

void sim_pool_init(struct sim_pool *pool, const struct braid_env *env) {
    *pool = (struct sim_pool){.env = env, .room = SIM_PACKET_ROOM};
}

void sim_pool_deinit(struct sim_pool *pool) {
    ENSURE(pool->in_use == 0);
    while (pool->free != NULL) {
        struct sim_packet *packet = pool->free;
        pool->free = packet->next;
        buf_release(packet->buf);
        pool->env->release(pool->env->context, packet, sizeof(*packet));
    }
}

/* A receiver may have kept a reference to the bytes: then the packet gets others. */
static void packet_renew_buf(struct sim_packet *packet) {
    uint32_t room = packet->pool->room;
    if (packet->buf != NULL && packet->buf->references == 1 && packet->buf->capacity >= room) return;
    buf_release(packet->buf);
    packet->buf = buf_create(packet->pool->env, room);
    ENSURE(packet->buf != NULL);
}

struct sim_packet *sim_packet_create(struct sim_pool *pool) {
    struct sim_packet *packet = pool->free;
    if (packet != NULL) {
        pool->free = packet->next;
    } else {
        packet = pool->env->allocate(pool->env->context, sizeof(*packet));
        ENSURE(packet != NULL);
        packet->pool = pool;
        packet->buf = NULL;
    }
    packet_renew_buf(packet);
    packet->next = NULL;
    packet->bytes = packet->buf->bytes;
    packet->length = 0;
    packet->number = pool->made++;
    packet->checksum_partial = false;
    pool->in_use++;
    return packet;
}

struct sim_packet *sim_packet_copy(const struct sim_packet *packet) {
    struct sim_packet *copy = sim_packet_create(packet->pool);
    ENSURE(packet->length <= sim_packet_room(copy));
    memcpy(copy->bytes, packet->bytes, packet->length);
    copy->length = packet->length;
    copy->checksum_partial = packet->checksum_partial;
    return copy;
}

void sim_packet_release(struct sim_packet *packet) {
    struct sim_pool *pool = packet->pool;
    ENSURE(pool->in_use > 0);
    pool->in_use--;
    packet->next = pool->free;
    pool->free = packet;
}

/* --- from the stack --- */

/* Reads a packet's payload, slice by slice. */
struct payload_cursor {
    const struct braid_packet_out *out;
    unsigned slice;
    uint32_t offset;
};

static void payload_read(struct payload_cursor *cursor, uint8_t *to, uint32_t length) {
    while (length > 0) {
        ENSURE(cursor->slice < cursor->out->slice_count);
        const struct braid_slice *slice = &cursor->out->slices[cursor->slice];
        uint32_t piece = slice->length - cursor->offset;
        if (piece > length) piece = length;
        memcpy(to, slice->bytes + cursor->offset, piece);
        to += piece;
        length -= piece;
        cursor->offset += piece;
        if (cursor->offset == slice->length) {
            cursor->slice++;
            cursor->offset = 0;
        }
    }
}

static void put_u16(uint8_t *at, uint16_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put_u32(uint8_t *at, uint32_t value) {
    put_u16(at, (uint16_t)(value >> 16));
    put_u16(at + 2, (uint16_t)value);
}

static void ip_length_set(uint8_t *ip, uint32_t length) {
    if (ip[0] >> 4 == 6) {
        put_u16(ip + 4, (uint16_t)(length - 40));
        return;
    }
    put_u16(ip + 2, (uint16_t)length);
    put_u16(ip + 10, 0);
    put_u16(ip + 10, checksum_finish(checksum_sum(ip, (ip[0] & 0xfu) * 4)));
}

/* One segment of a super-segment: the `index`-th of those that start at payload byte `offset`. */
static void segment_fit(struct sim_packet *packet, const struct braid_packet_out *out, uint32_t offset, bool last) {
    uint8_t *tcp = packet->bytes + out->checksum_start;
    put_u32(tcp + TCP_SEQ_OFFSET, seq32_add(seq32_of(get_u32(tcp + TCP_SEQ_OFFSET)), offset).value);
    if (!last) tcp[TCP_FLAGS_OFFSET] &= (uint8_t)~(TCP_FIN | TCP_PSH);
    if (offset > 0) tcp[TCP_FLAGS_OFFSET] &= (uint8_t)~TCP_CWR;
    ip_length_set(packet->bytes, packet->length);
}

struct sim_packet *sim_packet_flatten(struct sim_pool *pool, struct braid_packet_out *out) {
    struct sim_packet *first = NULL, **link = &first;
    struct payload_cursor cursor = {.out = out};
    uint32_t offset = 0;
    do {
        uint32_t piece = out->payload_length - offset;
        if (out->segment_bytes != 0 && piece > out->segment_bytes) piece = out->segment_bytes;
        struct sim_packet *packet = sim_packet_create(pool);
        ENSURE(out->header_length + piece <= sim_packet_room(packet)); /* no link is that wide */
        memcpy(packet->bytes, out->header, out->header_length);
        payload_read(&cursor, packet->bytes + out->header_length, piece);
        packet->length = out->header_length + piece;
        packet->checksum_partial = out->checksum_partial || out->segment_bytes != 0;
        if (out->segment_bytes != 0) segment_fit(packet, out, offset, offset + piece == out->payload_length);
        offset += piece;
        *link = packet;
        link = &packet->next;
    } while (offset < out->payload_length);
    ENSURE(cursor.slice == out->slice_count); /* the slices hold just what payload_length says */
    braid_packet_out_release(out);
    return first;
}

void sim_packet_complete_checksum(struct sim_packet *packet) {
    struct ip_header ip;
    if (!packet->checksum_partial) return;
    packet->checksum_partial = false;
    if (ip_decode(packet->bytes, packet->length, false, &ip) != IP_OK) return;
    if (ip.protocol != IP_PROTOCOL_TCP || ip.payload_length < TCP_HEADER_BYTES) return;
    uint8_t *tcp = packet->bytes + ip.header_length;
    put_u16(tcp + TCP_CHECKSUM_OFFSET, 0);
    uint64_t sum = checksum_sum(tcp, ip.payload_length) +
                   checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_length);
    put_u16(tcp + TCP_CHECKSUM_OFFSET, checksum_finish(sum));
}
