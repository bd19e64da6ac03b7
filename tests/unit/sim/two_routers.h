/* A link between two routers that forward nothing: what is put in at one end is caught at the other. */
#ifndef TWO_ROUTERS_H
#define TWO_ROUTERS_H

#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sim/link.h>
#include <sim/middlebox.h>
#include <wire/checksum.h>

enum { CAUGHT_MAX = 64, CAUGHT_BYTES_MAX = 4096 };
#define MS BRAID_NS_PER_MS
#define S BRAID_NS_PER_S

/* A packet that came out, at which end, when; decoded, its checksum found right. */
struct caught {
    int end;
    braid_time at;
    uint8_t bytes[CAUGHT_BYTES_MAX];
    uint32_t length;
    struct ip_header ip;
    struct tcp_segment tcp;
    bool good;
};

struct two_routers {
    struct sim_world *world;
    struct sim_host *hosts[2];
    struct sim_link *link;
    struct caught caught[CAUGHT_MAX];
    unsigned count;
};

static void catch_packet(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                         struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    struct two_routers *t = context;
    (void)interface;
    (void)link;
    if (moment != SIM_DELIVERED) return;
    assert_true(t->count < CAUGHT_MAX && packet->length <= CAUGHT_BYTES_MAX);
    struct caught *c = &t->caught[t->count++];
    memset(c, 0, sizeof(*c));
    c->end = host == t->hosts[0] ? 0 : 1;
    c->at = now;
    memcpy(c->bytes, packet->bytes, packet->length);
    c->length = packet->length;
    c->good = ip_decode(c->bytes, c->length, false, &c->ip) == IP_OK && c->ip.protocol == IP_PROTOCOL_TCP &&
              tcp_segment_decode(c->bytes + c->ip.header_length, c->ip.payload_length, &c->ip.source,
                                 &c->ip.destination, false, &c->tcp) == TCP_DECODE_OK;
}

static void two_routers_init(struct two_routers *t, uint64_t seed) {
    memset(t, 0, sizeof(*t));
    struct sim_world_config config = {
        .seed = seed, .checksums = true, .observer = {.context = t, .packet = catch_packet}};
    struct sim_interface_config interface = {.name = "eth0"};
    t->world = sim_world_create(&config);
    for (int i = 0; i < 2; i++) {
        t->hosts[i] = sim_router_add(t->world, i == 0 ? "inside" : "outside");
        sim_host_interface_add(t->hosts[i], &interface);
    }
    t->link = sim_link_add(t->world, "link", (struct sim_link_end){t->hosts[0], 0},
                           (struct sim_link_end){t->hosts[1], 0});
}

static void two_routers_deinit(struct two_routers *t) { assert_int_equal(sim_world_destroy(t->world), 0); }

static void let_pass(struct two_routers *t, braid_time duration) {
    sim_world_run(t->world, sim_world_now(t->world) + duration);
}

/* A segment between 10.0.0.1:1000 inside and 10.9.0.1:80 outside, sent in the given direction. */
struct sent_segment {
    uint32_t seq, ack;
    uint8_t flags;
    const char *payload;
    uint32_t payload_length; /* of `payload`; 0: as long as the text */
    struct tcp_options options;
    uint16_t window;
    bool spoilt; /* its checksum is wrong */
};

static void send_segment(struct two_routers *t, enum sim_direction direction, const struct sent_segment *s) {
    uint8_t bytes[2000];
    const uint8_t inside[4] = {10, 0, 0, 1}, outside[4] = {10, 9, 0, 1};
    bool up = direction == SIM_UP;
    struct tcp_segment segment = {.source_port = up ? 1000 : 80,
                                  .destination_port = up ? 80 : 1000,
                                  .seq = seq32_of(s->seq),
                                  .ack = seq32_of(s->ack),
                                  .flags = s->flags,
                                  .window = s->window != 0 ? s->window : 1000,
                                  .options = s->options};
    uint32_t payload_length = s->payload_length;
    if (s->payload != NULL && payload_length == 0) payload_length = (uint32_t)strlen(s->payload);
    uint32_t header = 20 + TCP_HEADER_BYTES + tcp_options_length(&s->options);
    struct ip_header ip = {.source = ip_address_v4(up ? inside : outside),
                           .destination = ip_address_v4(up ? outside : inside),
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .payload_length = header - 20 + payload_length};
    assert_int_equal(ip_encode(&ip, bytes, sizeof(bytes)), 20);
    assert_int_equal(tcp_segment_encode(&segment, bytes + 20, sizeof(bytes) - 20), header - 20);
    if (payload_length > 0) memcpy(bytes + header, s->payload, payload_length);
    uint64_t sum = checksum_sum(bytes + 20, ip.payload_length) +
                   checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_length);
    tcp_checksum_set(bytes + 20, (uint16_t)(checksum_finish(sum) ^ (s->spoilt ? 0x1234 : 0)));
    sim_link_inject(t->link, direction, bytes, 20 + ip.payload_length);
}

static void assert_payload(const struct caught *c, const char *text) {
    assert_true(c->good);
    assert_int_equal(c->tcp.payload_length, strlen(text));
    assert_memory_equal(c->tcp.payload, text, strlen(text));
}

#endif
