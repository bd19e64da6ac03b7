/* Packets inside the simulator: flat bytes, one IP packet each, in buffers that are used again and again.
 *
 * A packet has one owner at a time: the host that made it, then each box of a link in turn, then the host it is
 * delivered to. Whoever lets go of it calls sim_packet_release(). */
#ifndef SIM_PACKET_H
#define SIM_PACKET_H

#include <braid/env.h>
#include <braid/packet.h>
#include <base/buf.h>
#include <wire/ip.h>
#include <wire/tcp_segment.h>

struct sim_pool;

struct sim_packet {
    struct sim_packet *next; /* for whoever owns it */
    struct sim_pool *pool;
    struct braid_buf *buf;
    uint8_t *bytes; /* of `buf`, from its start */
    uint32_t length;
    uint64_t number; /* counts the packets of a world, as they were made */
    /* The TCP checksum is not there (the sender left it to its link, and no wire spoilt it): the receiver need not
     * look at it. Whatever changes bytes of the packet completes it first. */
    bool checksum_partial;
};

/* Bytes a packet has room for at least. */
#define SIM_PACKET_ROOM 2048

struct sim_pool {
    const struct braid_env *env;
    uint32_t room;       /* of packets made from now on; grows with the MTUs in the world */
    struct sim_packet *free;
    uint64_t made;       /* packets handed out, ever */
    uint32_t in_use;     /* handed out and not given back */
};

void sim_pool_init(struct sim_pool *pool, const struct braid_env *env);
/* No packet may be in use. */
void sim_pool_deinit(struct sim_pool *pool);

/* An empty packet: fill in bytes and length. */
struct sim_packet *sim_packet_create(struct sim_pool *pool);
static inline uint32_t sim_packet_room(const struct sim_packet *packet) { return packet->buf->capacity; }
struct sim_packet *sim_packet_copy(const struct sim_packet *packet);
void sim_packet_release(struct sim_packet *packet);

/* The stack's packets as flat ones, super-segments cut into segments, in order, linked by `next`. Releases the payload
 * of `out`. */
struct sim_packet *sim_packet_flatten(struct sim_pool *pool, struct braid_packet_out *out);

/* --- reading and changing TCP packets, as routers and middleboxes do --- */

/* Where things stand in a TCP packet. */
struct sim_tcp {
    struct sim_packet *packet;
    struct ip_header ip;
    uint8_t *header;  /* of TCP */
    uint8_t *options; /* raw, `options_length` bytes */
    uint32_t options_length;
    uint8_t *payload;
    uint32_t payload_length;
    struct tcp_segment segment; /* decoded; its pointers lead into the packet */
};
/* False if it is not a whole TCP segment that decodes, checksum included: what was spoilt must not be made to look good.
 * Completes a partial checksum: the packet may be changed. */
bool sim_tcp_open(struct sim_packet *packet, struct sim_tcp *out) MUST_USE;
/* In place; sim_tcp_close() afterwards. */
void sim_tcp_set_seq(struct sim_tcp *tcp, seq32 seq);
void sim_tcp_set_ack(struct sim_tcp *tcp, seq32 ack);
void sim_tcp_set_flags(struct sim_tcp *tcp, uint8_t flags);
void sim_tcp_set_window(struct sim_tcp *tcp, uint16_t window);
void sim_tcp_set_source(struct sim_tcp *tcp, const struct ip_address *address, uint16_t port);
void sim_tcp_set_destination(struct sim_tcp *tcp, const struct ip_address *address, uint16_t port);
/* Replaces options (at most 40 bytes, padded with NOPs to four) or payload; both move what follows. `bytes` may lie in
 * the packet. */
void sim_tcp_set_options(struct sim_tcp *tcp, const uint8_t *bytes, uint32_t length);
void sim_tcp_set_payload(struct sim_tcp *tcp, const uint8_t *bytes, uint32_t length);
/* Makes lengths and checksums right again. `tcp` must be opened anew before more is read from it. */
void sim_tcp_close(struct sim_tcp *tcp);

/* The option at `offset`: its kind and length (1 for NOP; EOL takes all that is left). False at the end. */
struct sim_tcp_option {
    uint32_t offset, length;
    uint8_t kind;
};
bool sim_tcp_option_next(const struct sim_tcp *tcp, uint32_t offset, struct sim_tcp_option *out) MUST_USE;

/* Makes the transport checksum what it should be on a wire, if it is not there yet. */
void sim_packet_complete_checksum(struct sim_packet *packet);

#endif
