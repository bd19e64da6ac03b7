/* The other end of the wire, packet by packet: what it sends is said field by field, what it gets is looked
 * at the same way. Our end is 10.0.0.1 (and 10.0.1.1), the peer 10.0.0.2. */
#ifndef PEER_H
#define PEER_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <base/prng.h>
#include <crypto/mptcp_keys.h>
#include <wire/checksum.h>
#include <wire/ip.h>
#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>

enum { PEER_PACKET_BYTES = 2048 };

static inline struct ip_address peer_address(const char *text) {
    struct ip_address a;
    if (!ip_address_parse(text, &a)) fail_msg("not an address: %s", text);
    return a;
}

/* A segment from the peer. Only what is said is in it. */
struct peer_segment {
    uint8_t flags;
    uint32_t seq, ack;
    uint16_t window; /* 0: 65535 */
    uint16_t mss;    /* 0: no option */
    uint16_t urgent; /* pointer */
    const struct mptcp_option *mptcp;
    const char *data;
};

struct peer {
    struct ip_address here, there; /* the peer's own, and ours */
    uint16_t port, their_port;
};

static inline size_t peer_encode(const struct peer *p, const struct peer_segment *what, uint8_t *out) {
    uint8_t option[MPTCP_OPTION_MAX];
    size_t data = what->data ? strlen(what->data) : 0;
    struct tcp_segment s = {.source_port = p->port,
                            .destination_port = p->their_port,
                            .seq = seq32_of(what->seq),
                            .ack = seq32_of(what->ack),
                            .flags = what->flags,
                            .urgent_pointer = what->urgent,
                            .window = what->window ? what->window : 65535};
    if (what->mss) {
        s.options.has_mss = true;
        s.options.mss = what->mss;
    }
    if (what->mptcp) {
        uint32_t length = mptcp_option_encode(what->mptcp, option, sizeof(option));
        assert_true(length > 0);
        s.options.mptcp[s.options.mptcp_count++] = (struct tcp_raw_option){option, (uint8_t)length};
    }
    uint32_t header = tcp_segment_encode(&s, out + 20, PEER_PACKET_BYTES - 20);
    assert_true(header > 0 && 20 + header + data <= PEER_PACKET_BYTES);
    if (data > 0) memcpy(out + 20 + header, what->data, data);
    struct ip_header ip = {.source = p->here,
                           .destination = p->there,
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .payload_length = header + (uint32_t)data};
    assert_int_equal(ip_encode(&ip, out, 20), 20);
    uint64_t sum = checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_length);
    tcp_checksum_set(out + 20, checksum_finish(sum + checksum_sum(out + 20, ip.payload_length)));
    return 20 + ip.payload_length;
}

/* A packet of ours, its checksums looked at. */
static inline struct tcp_segment peer_decode(const uint8_t *bytes, size_t length, struct ip_header *ip) {
    struct tcp_segment s;
    assert_int_equal(ip_decode(bytes, (uint32_t)length, false, ip), IP_OK);
    assert_int_equal(ip->protocol, IP_PROTOCOL_TCP);
    assert_int_equal(tcp_segment_decode(bytes + ip->header_length, ip->payload_length, &ip->source,
                                        &ip->destination, false, &s),
                     TCP_DECODE_OK);
    return s;
}

/* The segment's option of a subtype; fails if it has none. */
static inline struct mptcp_option peer_mptcp(const struct tcp_segment *s, enum mptcp_subtype subtype) {
    struct mptcp_option option;
    for (unsigned i = 0; i < s->options.mptcp_count; i++)
        if (mptcp_option_decode(s->options.mptcp[i].bytes, s->options.mptcp[i].length, &option) ==
                MPTCP_DECODE_OK &&
            option.subtype == subtype)
            return option;
    fail_msg("no option %s", mptcp_subtype_name(subtype));
    return option;
}

static inline bool peer_has_mptcp(const struct tcp_segment *s, enum mptcp_subtype subtype) {
    for (unsigned i = 0; i < s->options.mptcp_count; i++)
        if (s->options.mptcp[i].bytes[2] >> 4 == subtype) return true;
    return false;
}

#endif
