/* AF_PACKET with virtio headers and nothing above it: super-segments of one flow, as fast as they go. What the receiver took
 * counts, and is acknowledged by a number in memory that both see, so that no more is under way than its buffer has room for. */
#include "embed.h"

#include <base/buf.h>
#include <link/link_af_packet.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <host/environment.h>
#include <wire/ip.h>
#include <wire/tcp_segment.h>

#define PAYLOAD_BYTES 60816u /* 42 segments */
#define SEGMENT_BYTES 1448u
#define UNDER_WAY_BYTES_MAX (2u << 20)
#define GIVEN_UP_S 0.01 /* what is not there by then was lost */

static enum link_next_hop_state resolve(void *context, const struct ip_address *source, const struct ip_address *destination,
                                        uint8_t mac[6]) {
    (void)context, (void)source, (void)destination;
    memcpy(mac, (const uint8_t[]){2, 0, 0, 0, 0, 2}, 6); /* EMBED_SERVER_MAC */
    return LINK_NEXT_HOP_KNOWN;
}

static struct link *link_open(struct environment *environment, const char *interface) {
    struct link_af_packet_options options = {
        .interface = interface, .port_first = EMBED_PORT, .port_last = EMBED_PORT, .next_hop = {NULL, resolve}};
    struct link *link;
    environment_init(environment);
    embed_check(link_af_packet_open(&environment->env, &options, &link) == 0, "AF_PACKET");
    return link;
}

static void receive_batch(struct embed *e, struct link *link) {
    struct braid_packet_in in[LINK_BATCH_MAX];
    int got = link_receive(link, in, LINK_BATCH_MAX);
    for (int i = 0; i < got; i++) e->shared->bytes += in[i].length - 40; /* headers of IP and TCP */
}

static void serve(struct embed *e) {
    static struct environment environment;
    struct link *link = link_open(&environment, "there");
    double start = 0, last = 0;
    embed_check(write(e->ready, "r", 1) == 1, "ready");
    const volatile bool *over = &e->shared->over;
    while (!*over) {
        struct pollfd wait = {.fd = link_fd(link), .events = POLLIN};
        if (poll(&wait, 1, 10) == 0) continue;
        receive_batch(e, link);
        last = embed_seconds();
        if (start == 0) start = last;
    }
    e->shared->seconds = last - start;
}

/* Numbered one after the other, so that the link may make one of several. */
static struct braid_packet_out packet(struct braid_buf *payload, uint64_t at) {
    struct braid_packet_out packet = {.checksum_partial = true, .checksum_start = 20, .checksum_offset = 16};
    const uint8_t from[4] = {10, 8, 0, 1}, to[4] = {10, 8, 0, 2};
    struct ip_header ip = {.source = ip_address_v4(from),
                           .destination = ip_address_v4(to),
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .dont_fragment = true,
                           .payload_length = 20 + PAYLOAD_BYTES};
    struct tcp_segment tcp = {.source_port = 80, .destination_port = EMBED_PORT, .seq = seq32_of((uint32_t)at), .flags = TCP_ACK};
    packet.header_length = (uint16_t)ip_encode(&ip, packet.header, sizeof(packet.header));
    packet.header_length += (uint16_t)tcp_segment_encode(&tcp, packet.header + 20, sizeof(packet.header) - 20);
    packet.payload_length = PAYLOAD_BYTES;
    packet.segment_bytes = SEGMENT_BYTES;
    packet.slices[packet.slice_count++] = slice_of(payload, payload->bytes, PAYLOAD_BYTES);
    return packet;
}

static void wait_for_room(struct embed *e, uint64_t *sent) {
    const volatile uint64_t *arrived = &e->shared->bytes;
    double end = embed_seconds() + GIVEN_UP_S;
    while (*sent - *arrived > UNDER_WAY_BYTES_MAX && embed_seconds() < end) usleep(20);
    if (*sent - *arrived > UNDER_WAY_BYTES_MAX) *sent = *arrived;
}

static void use(struct embed *e) {
    static struct environment environment;
    static struct braid_packet_out packets[LINK_BATCH_MAX];
    struct link *link = link_open(&environment, "here");
    struct braid_buf *payload = buf_create(&environment.env, PAYLOAD_BYTES);
    embed_check(payload != NULL, "memory");
    memset(payload->bytes, 7, PAYLOAD_BYTES);
    uint64_t sent = 0, at = 0;
    for (double end = embed_seconds() + e->seconds; embed_seconds() < end;) {
        for (size_t i = 0; i < LINK_BATCH_MAX; i++) packets[i] = packet(payload, at + i * PAYLOAD_BYTES);
        int taken = link_send(link, packets, LINK_BATCH_MAX);
        embed_check(taken >= 0, "send");
        sent += (uint64_t)taken * PAYLOAD_BYTES;
        at += (uint64_t)taken * PAYLOAD_BYTES;
        for (int i = taken; i < LINK_BATCH_MAX; i++) braid_packet_out_release(&packets[i]);
        struct pollfd wait = {.fd = link_fd(link), .events = POLLOUT};
        if (taken < LINK_BATCH_MAX) poll(&wait, 1, 1);
        wait_for_room(e, &sent);
    }
    e->shared->over = true;
}

const struct embed_ends embed_bare = {serve, use};
