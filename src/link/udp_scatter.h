/* Where the kernel puts the datagrams that it coalesced. Each begins with a TCP header, and the stack wants one header and
 * then payload only. A sender's super-segments are alike, so the next is expected to be like the last: its payload is
 * scattered to where it belongs, and the headers between to memory of their own. Where the guess was wrong, or what came does
 * not belong together, the bytes are put back into the order in which they came. */
#ifndef LINK_UDP_SCATTER_H
#define LINK_UDP_SCATTER_H

#include <stdbool.h>
#include <sys/uio.h>
#include <wire/tcp_in_udp.h>

enum {
    UDP_SCATTER_PIECES_MAX = 128,
    UDP_SCATTER_RUNS_MAX = 2 * UDP_SCATTER_PIECES_MAX + 2,
};

struct udp_scatter {
    uint32_t piece_bytes, header_bytes; /* of each datagram; 0: nothing is expected, the bytes stay in order */
    uint32_t pieces;                    /* so many have runs of their own */
    uint8_t *base;
    uint8_t headers[UDP_SCATTER_PIECES_MAX][TCP_IN_UDP_HEADER_MAX];
};

/* What the next message is expected to be like. */
void udp_scatter_expect(struct udp_scatter *s, uint32_t piece_bytes, uint32_t header_bytes);
/* The runs that receive `room_bytes` from `base` on. Returns how many. */
size_t udp_scatter_runs(struct udp_scatter *s, uint8_t *base, uint32_t room_bytes, struct iovec *runs);
/* Piece `index`, not the first, as it lies scattered: its header, and its payload. */
static inline const uint8_t *udp_scatter_header(const struct udp_scatter *s, uint32_t index) { return s->headers[index]; }
static inline uint8_t *udp_scatter_payload(const struct udp_scatter *s, uint32_t index) {
    return s->base + s->piece_bytes + (size_t)(index - 1) * (s->piece_bytes - s->header_bytes);
}
/* Puts the pieces from `index` on, of a message of `length` bytes, to where they would be in order. */
void udp_scatter_undo(struct udp_scatter *s, uint32_t index, uint32_t length);

#endif
