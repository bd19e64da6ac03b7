/* An attacker beside the phone and its server. It has a host of its own, with a link to the server and no
 * stack: what it is sent is counted and lost. It can put any packet on any link, as if it came from there.
 * What it may know of a connection is what an observer wrote down of the packets that passed: how much of it
 * a test uses says where the attacker stands (off the path it knows addresses and ports; on the path
 * everything). */
#ifndef ATTACKER_H
#define ATTACKER_H

#include "sim_test.h"
#include <base/reader.h>
#include <crypto/mptcp_keys.h>
#include <wire/checksum.h>
#include <wire/icmp.h>
#include <wire/ip.h>
#include <wire/mptcp_option.h>
#include <wire/tcp_segment.h>

enum { WATCHED_MAX = 64, TAPED_MAX = 64, TAPED_BYTES = 200 };

/* A flow as an observer sees it. Both sides are described from the client's point of view: `up` is what the
 * client sent last. */
struct watched {
    struct flow flow; /* local: the client's end */
    struct {
        bool any;
        seq32 next, ack; /* behind its last byte; what it acknowledged */
        uint16_t window;
        uint32_t timestamp;
        uint64_t packets;
    } sides[2];
};

/* A whole small packet, kept to be played again. */
struct taped {
    uint32_t length;
    uint8_t bytes[TAPED_BYTES];
};

struct attack {
    struct sim_phone phone;
    struct sim_host *attacker;
    struct sim_link *link; /* the attacker's: its end is the first */
    struct watched flows[WATCHED_MAX];
    unsigned flow_count;
    uint64_t keys[2]; /* the client's and the server's, seen in an MP_CAPABLE */
    uint32_t token;   /* of the server, seen in an MP_JOIN */
    uint64_t to_attacker, to_attacker_bytes, to_attacker_syn_acks, to_attacker_resets, to_attacker_payload;
    struct tcp_segment last_to_attacker;
    struct mptcp_option last_join; /* in a SYN/ACK to the attacker */
    /* Packets of the client that a test wants to see again: those with such a subtype. */
    int tape_subtype; /* below 0: none */
    struct taped tape[TAPED_MAX];
    unsigned taped;
    uint64_t client_syns; /* sent by the phone */
    seq32 client_isn;     /* of its first SYN */
};

static struct attack attack;
static struct prng dice; /* of the attacker */

/* --- watching --- */

static inline bool find_option(const struct tcp_segment *s, enum mptcp_subtype subtype,
                               struct mptcp_option *out) {
    for (unsigned i = 0; i < s->options.mptcp_count; i++) {
        const struct tcp_raw_option *raw = &s->options.mptcp[i];
        if (mptcp_option_decode(raw->bytes, raw->length, out) == MPTCP_DECODE_OK && out->subtype == subtype)
            return true;
    }
    return false;
}

static inline bool open_packet(const struct sim_packet *packet, struct ip_header *ip, struct tcp_segment *s) {
    if (ip_decode(packet->bytes, packet->length, false, ip) != IP_OK || ip->protocol != IP_PROTOCOL_TCP)
        return false;
    return tcp_segment_decode(packet->bytes + ip->header_length, ip->payload_length, &ip->source,
                              &ip->destination, true, s) == TCP_DECODE_OK;
}

static inline struct watched *watch_flow(struct attack *a, const struct flow *flow) {
    for (unsigned i = 0; i < a->flow_count; i++)
        if (flow_equal(&a->flows[i].flow, flow)) return &a->flows[i];
    if (a->flow_count == WATCHED_MAX) return NULL;
    a->flows[a->flow_count].flow = *flow;
    return &a->flows[a->flow_count++];
}

static inline void watch_keys(struct attack *a, const struct tcp_segment *s) {
    struct mptcp_option option;
    if (find_option(s, MPTCP_MP_CAPABLE, &option) && option.as.mp_capable.has_receiver_key) {
        a->keys[0] = option.as.mp_capable.sender_key;
        a->keys[1] = option.as.mp_capable.receiver_key;
    }
    if (find_option(s, MPTCP_MP_JOIN, &option) && option.as.mp_join.form == MP_JOIN_SYN)
        a->token = option.as.mp_join.token;
}

static inline void tape(struct attack *a, const struct sim_packet *packet, const struct tcp_segment *s) {
    struct mptcp_option option;
    if (a->tape_subtype < 0 || a->taped == TAPED_MAX || packet->length > TAPED_BYTES) return;
    if (!find_option(s, (enum mptcp_subtype)a->tape_subtype, &option)) return;
    a->tape[a->taped].length = packet->length;
    memcpy(a->tape[a->taped++].bytes, packet->bytes, packet->length);
}

static inline void watch_attacker(struct attack *a, const struct tcp_segment *s, uint32_t length) {
    a->to_attacker++;
    a->to_attacker_bytes += length;
    a->to_attacker_payload += s->payload_length;
    if ((s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK)) {
        a->to_attacker_syn_acks++;
        (void)find_option(s, MPTCP_MP_JOIN, &a->last_join);
    }
    if (s->flags & TCP_RST) a->to_attacker_resets++;
    a->last_to_attacker = *s;
}

static inline void watch(void *context, enum sim_moment moment, struct sim_host *host, int interface,
                         struct sim_link *link, const struct sim_packet *packet, braid_time now) {
    struct attack *a = context;
    struct ip_header ip;
    struct tcp_segment s;
    (void)interface;
    (void)link;
    (void)now;
    if (!open_packet(packet, &ip, &s)) return;
    if (moment == SIM_DELIVERED) {
        if (host == a->attacker) watch_attacker(a, &s, packet->length);
        return;
    }
    if (host == a->attacker) return;
    bool up = host == a->phone.client;
    struct flow flow = up ? (struct flow){ip.source, ip.destination, s.source_port, s.destination_port}
                          : (struct flow){ip.destination, ip.source, s.destination_port, s.source_port};
    if (up && (s.flags & TCP_SYN) && a->client_syns++ == 0) a->client_isn = s.seq;
    watch_keys(a, &s);
    if (up) tape(a, packet, &s);
    struct watched *w = watch_flow(a, &flow);
    if (w == NULL) return;
    seq32 next = seq32_add(s.seq, tcp_segment_length(&s));
    if (!w->sides[!up].any || seq32_gt(next, w->sides[!up].next)) w->sides[!up].next = next;
    if (s.flags & TCP_ACK) w->sides[!up].ack = s.ack;
    w->sides[!up].any = true;
    w->sides[!up].window = s.window;
    w->sides[!up].timestamp = s.options.timestamp_value;
    w->sides[!up].packets++;
}

/* --- the world --- */

static inline struct ip_address ip_of(const struct braid_address *address) {
    return address->family == 4 ? ip_address_v4(address->bytes) : ip_address_v6(address->bytes);
}

/* At the phone's end of a link: what goes to anybody but the server leads nowhere. */
static inline void fence_packet(struct sim_box *box, enum sim_direction direction, struct sim_packet *packet,
                                braid_time now) {
    struct ip_header ip;
    struct ip_address server = ip_of(&attack.phone.server_address);
    if (direction == SIM_UP && ip_decode(packet->bytes, packet->length, false, &ip) == IP_OK &&
        !ip_address_equal(&ip.destination, &server))
        sim_box_drop(box, direction, packet, "not for the server");
    else
        sim_box_pass(box, direction, packet, now);
}
static const struct sim_box_ops fence_ops = {.name = "fence", .packet = fence_packet};

static inline struct ip_address stranger(uint32_t number) {
    const uint8_t bytes[4] = {172, (uint8_t)(16 + (number >> 16) % 16), (uint8_t)(number >> 8),
                              (uint8_t)number};
    return ip_address_v4(bytes);
}

static inline void attack_begin(uint64_t seed, const struct braid_stack_config *server) {
    attack = (struct attack){.tape_subtype = -1};
    prng_seed(&dice, seed ^ 0xa77ac4);
    struct sim_phone_config config = {.world = {.seed = seed,
                                                .checksums = true,
                                                .check_every = 16,
                                                .observer = {.context = &attack, .packet = watch}},
                                      .paths = {sim_wifi, sim_cellular},
                                      .path_count = 2};
    if (server != NULL) config.server = *server;
    sim_phone_init(&attack.phone, &config);
    struct sim_world *world = attack.phone.world;
    attack.attacker = sim_router_add(world, "attacker");
    int interface = sim_host_interface_add(attack.attacker, &(struct sim_interface_config){.name = "evil0"});
    attack.link = sim_link_add(world, "evil", (struct sim_link_end){attack.attacker, interface},
                               (struct sim_link_end){attack.phone.server, 0});
    struct link_model_config model = {.delay_ns = 5 * MS};
    sim_link_append(attack.link, sim_wire(world, &model, &model));
    /* Whoever spoofs an address does not get what is sent to it. */
    for (unsigned i = 0; i < attack.phone.path_count; i++) {
        struct ip_address address = ip_of(&attack.phone.addresses[i]);
        sim_host_route_add(attack.phone.server, &address, 32, attack.phone.links[i]);
        sim_link_append(attack.phone.links[i], sim_box_create(world, &fence_ops, sizeof(struct sim_box)));
    }
    struct ip_address any = stranger(0);
    memset(any.bytes, 0, sizeof(any.bytes));
    sim_host_route_add(attack.phone.server, &any, 0, attack.link);
}

static inline void attack_end(void) {
    phone_end(&attack.phone);
}

static inline void run_for(braid_time duration) {
    sim_world_run(attack.phone.world, sim_world_now(attack.phone.world) + duration);
}

/* --- forging --- */

struct forged {
    struct flow flow; /* local: the pretended sender */
    seq32 seq, ack;
    uint8_t flags;
    uint16_t window;
    struct tcp_options options;
    const void *payload;
    uint32_t payload_length;
};

static inline uint32_t forge(const struct forged *f, uint8_t out[2048]) {
    struct tcp_segment s = {.source_port = f->flow.local_port,
                            .destination_port = f->flow.remote_port,
                            .seq = f->seq,
                            .ack = f->ack,
                            .flags = f->flags,
                            .window = f->window,
                            .options = f->options};
    uint32_t header = tcp_segment_encode(&s, out + 20, 60);
    assert_true(header > 0);
    if (f->payload_length > 0) memcpy(out + 20 + header, f->payload, f->payload_length);
    uint32_t length = header + f->payload_length;
    struct ip_header ip = {.source = f->flow.local,
                           .destination = f->flow.remote,
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .payload_length = length};
    assert_int_equal(ip_encode(&ip, out, 20), 20);
    uint64_t sum = checksum_pseudo_header(&ip.source, &ip.destination, IP_PROTOCOL_TCP, length);
    tcp_checksum_set(out + 20, checksum_finish(sum + checksum_sum(out + 20, length)));
    return 20 + length;
}

static inline void inject(struct sim_link *link, enum sim_direction direction, const struct forged *f) {
    uint8_t bytes[2048];
    uint32_t length = forge(f, bytes);
    sim_link_inject(link, direction, bytes, length);
}

/* By the attacker's own link. */
static inline void send_to_server(const struct forged *f) {
    inject(attack.link, SIM_UP, f);
}

/* As if one end of a flow had said it, by the path of that flow; with numbers that are exactly right. The
 * options are the test's to fill in. */
static inline struct forged pretend(const struct watched *w, bool client) {
    return (struct forged){.flow = client ? w->flow
                                          : (struct flow){w->flow.remote, w->flow.local, w->flow.remote_port,
                                                          w->flow.local_port},
                           .seq = w->sides[client ? 1 : 0].ack,
                           .ack = w->sides[client ? 0 : 1].ack,
                           .flags = TCP_ACK,
                           .window = w->sides[client ? 0 : 1].window};
}

static inline unsigned path_of_flow(const struct watched *w) {
    for (unsigned i = 0; i < attack.phone.path_count; i++) {
        struct ip_address address = ip_of(&attack.phone.addresses[i]);
        if (ip_address_equal(&address, &w->flow.local)) return i;
    }
    fail_msg("not a flow of the phone");
    return 0;
}

static inline void say_as(const struct watched *w, bool client, const struct forged *f) {
    inject(attack.phone.links[path_of_flow(w)], client ? SIM_UP : SIM_DOWN, f);
}

/* Adds one MPTCP option; the bytes are kept until as many more have been added as there are places. */
static inline void add_option(struct forged *f, const struct mptcp_option *option) {
    static uint8_t kept[16][MPTCP_OPTION_MAX];
    static unsigned next;
    uint8_t *bytes = kept[next++ % 16];
    uint32_t length = mptcp_option_encode(option, bytes, MPTCP_OPTION_MAX);
    assert_true(length > 0);
    f->options.mptcp[f->options.mptcp_count++] = (struct tcp_raw_option){bytes, (uint8_t)length};
}

static inline seq32 random_seq(void) {
    return seq32_of((uint32_t)prng_next(&dice));
}

/* A SYN as stacks send them. */
static inline struct forged syn_from(const struct ip_address *source, uint16_t port, uint16_t server_port) {
    return (struct forged){.flow = {*source, ip_of(&attack.phone.server_address), port, server_port},
                           .seq = random_seq(),
                           .flags = TCP_SYN,
                           .window = 65535,
                           .options = {.has_mss = true,
                                       .mss = 1460,
                                       .sack_permitted = true,
                                       .has_window_scale = true,
                                       .window_scale = 7}};
}

/* --- what it looks like from inside --- */

static inline unsigned paths_of(const struct sim_conversation *c, enum sim_direction side) {
    struct braid_connection *connection = sim_conversation_connection(c, side);
    struct braid_path_info path;
    unsigned active = 0;
    if (connection == NULL) return 0;
    for (unsigned i = 0; braid_connection_path(connection, i, &path); i++)
        active += path.status == BRAID_PATH_ACTIVE;
    return active;
}

static inline uint64_t server_counter(const char *name) {
    return sim_host_counter(attack.phone.server, name);
}
static inline uint64_t client_counter(const char *name) {
    return sim_host_counter(attack.phone.client, name);
}

/* A message both ways every 200 ms for `seconds`, so that there are moments when nothing is under way. */
static inline struct sim_conversation *chat(unsigned seconds) {
    struct sim_stream_config stream = {
        .bytes = (uint64_t)seconds * 5 * 100, .message_bytes = 100, .interval_ns = 200 * MS};
    struct sim_conversation_config talk = {.streams = {stream, stream}};
    return sim_phone_talk(&attack.phone, &talk);
}

/* Until the middle between two messages of a chat that began at 1 s. */
static inline void run_to_silence(void) {
    braid_time now = sim_world_now(attack.phone.world), phase = now % (200 * MS);
    run_for((phase < 120 * MS ? 120 * MS : 320 * MS) - phase);
}

static inline void end_chat(struct sim_conversation *c) {
    bool finished =
        sim_world_run_conversations(attack.phone.world, sim_world_now(attack.phone.world) + 300 * S);
    assert_whole(c);
    assert_true(finished);
    attack_end();
}

#endif
