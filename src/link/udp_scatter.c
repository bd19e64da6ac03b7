#include "udp_scatter.h"

#include <string.h>

void udp_scatter_expect(struct udp_scatter *s, uint32_t piece_bytes, uint32_t header_bytes) {
    ENSURE(header_bytes <= TCP_IN_UDP_HEADER_MAX && header_bytes < piece_bytes);
    s->piece_bytes = piece_bytes;
    s->header_bytes = header_bytes;
}

size_t udp_scatter_runs(struct udp_scatter *s, uint8_t *base, uint32_t room_bytes, struct iovec *runs) {
    size_t count = 0;
    s->base = base;
    s->pieces = s->piece_bytes > 0 ? room_bytes / s->piece_bytes : 0;
    if (s->pieces > UDP_SCATTER_PIECES_MAX) s->pieces = UDP_SCATTER_PIECES_MAX;
    if (s->pieces < 2) s->pieces = 0;
    uint8_t *at = base;
    for (uint32_t i = 0; i < s->pieces; i++) {
        uint32_t header = i > 0 ? s->header_bytes : 0, payload = s->piece_bytes - header;
        if (i > 0) runs[count++] = (struct iovec){s->headers[i], header};
        runs[count++] = (struct iovec){at, payload};
        at += payload;
    }
    runs[count++] = (struct iovec){at, room_bytes - (size_t)(at - base)}; /* what is longer than was thought */
    return count;
}

/* From the end on: each piece moves back, over where those after it were. */
void udp_scatter_undo(struct udp_scatter *s, uint32_t index, uint32_t length) {
    uint32_t expected = s->pieces * s->piece_bytes;
    if (s->pieces == 0 || length <= s->piece_bytes) return;
    if (length > expected)
        memmove(s->base + expected, udp_scatter_payload(s, s->pieces), length - expected);
    uint32_t within = length < expected ? length : expected, count = (within + s->piece_bytes - 1) / s->piece_bytes;
    for (uint32_t i = count; i-- > index && i > 0;) {
        uint32_t start = i * s->piece_bytes, bytes = within - start < s->piece_bytes ? within - start : s->piece_bytes;
        uint32_t header = bytes < s->header_bytes ? bytes : s->header_bytes;
        memmove(s->base + start + header, udp_scatter_payload(s, i), bytes - header);
        memcpy(s->base + start, s->headers[i], header);
    }
}
