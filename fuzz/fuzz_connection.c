/* A conversation between two stacks, over one path or two, and packets put in between that neither sent: real ones with
 * fields, options and lengths changed, those of one subflow said on another, and any bytes behind their ports, on any
 * subflow, in either direction, at any moment; and applications that stop, shut down and let go. Whatever the packets do to
 * the stream, they end no program: invariants hold after every step, the world comes to an end, and all memory comes
 * back. */
#include "packet_mutate.h"
#include <sim/phone.h>

enum { KEPT_MAX = 16, STEPS_MAX = 64 };

struct kept {
    uint32_t length;
    unsigned path;
    enum sim_direction direction;
    uint8_t bytes[MUTATED_BYTES_MAX];
};

static struct sim_phone phone;
static struct kept kept[KEPT_MAX]; /* packets that passed last */
static unsigned kept_count;
static struct mutate_secrets secrets;

static void learn_keys(const struct tcp_segment *s) {
    for (unsigned i = 0; i < s->options.mptcp_count; i++) {
        struct mptcp_option o;
        const struct tcp_raw_option *raw = &s->options.mptcp[i];
        if (mptcp_option_decode(raw->bytes, raw->length, &o) != MPTCP_DECODE_OK || o.subtype != MPTCP_MP_CAPABLE) continue;
        if (!o.as.mp_capable.has_receiver_key) continue;
        secrets.keys[0] = o.as.mp_capable.sender_key;
        secrets.keys[1] = o.as.mp_capable.receiver_key;
    }
}

static void on_packet(void *context, enum sim_moment moment, struct sim_host *host, int interface, struct sim_link *link,
                      const struct sim_packet *packet, braid_time now) {
    (void)context;
    (void)interface;
    (void)now;
    struct mutated m;
    if (moment != SIM_SENT || packet->length > MUTATED_BYTES_MAX || !mutate_open(packet->bytes, packet->length, &m)) return;
    if (secrets.keys[0] == 0) learn_keys(&m.segment);
    struct kept *k = &kept[kept_count++ % KEPT_MAX];
    k->length = packet->length;
    k->path = link == phone.links[0] ? 0 : 1;
    k->direction = host == phone.client ? SIM_UP : SIM_DOWN;
    memcpy(k->bytes, packet->bytes, packet->length);
}

static const struct kept *choose(struct feed *f) {
    unsigned most = kept_count < KEPT_MAX ? kept_count : KEPT_MAX;
    return &kept[(kept_count - 1 - feed_u8(f) % most) % KEPT_MAX];
}

static void inject(struct feed *f) {
    static struct mutated m;
    static uint8_t bytes[MUTATED_BYTES_MAX + 100];
    if (kept_count == 0) return;
    const struct kept *k = choose(f);
    unsigned path = k->path;
    enum sim_direction direction = k->direction;
    if (!mutate_open(k->bytes, k->length, &m)) return;
    for (unsigned changes = 1 + feed_u8(f) % 3; changes > 0; changes--) mutate(f, &m, &secrets);
    uint32_t length = mutate_close(&m, bytes);
    if (length > 0 && path < phone.path_count) sim_link_inject(phone.links[path], direction, bytes, length);
}

static void set_checksum(uint8_t *packet, const struct ip_header *ip) {
    uint8_t *tcp = packet + ip->header_length;
    tcp[16] = tcp[17] = 0;
    uint64_t sum = checksum_pseudo_header(&ip->source, &ip->destination, IP_PROTOCOL_TCP, ip->payload_length);
    tcp_checksum_set(tcp, checksum_finish(sum + checksum_sum(tcp, ip->payload_length)));
}

/* The flow of one packet, its place in it, and from the input whatever is behind the ports: all of the TCP header and
 * data, or only the options. */
static void inject_raw(struct feed *f, bool options_only) {
    static uint8_t bytes[MUTATED_BYTES_MAX];
    struct ip_header ip;
    if (kept_count == 0) return;
    const struct kept *k = choose(f);
    if (ip_decode(k->bytes, k->length, false, &ip) != IP_OK) return;
    memcpy(bytes, k->bytes, ip.header_length + 20);
    uint8_t *tcp = bytes + ip.header_length;
    size_t got, length = options_only ? feed_u8(f) % 11u * 4 : feed_u8(f);
    const uint8_t *given = feed_span(f, length, &got);
    if (options_only) {
        memset(tcp + 20, 1, length);
        if (got > 0) memcpy(tcp + 20, given, got);
        tcp[12] = (uint8_t)((20 + length) / 4 << 4);
        ip.payload_length = 20 + (uint32_t)length;
    } else {
        if (got > 0) memcpy(tcp + 4, given, got);
        ip.payload_length = got > 16 ? 4 + (uint32_t)got : 20;
    }
    ENSURE(ip_encode(&ip, bytes, ip.header_length) == ip.header_length);
    set_checksum(bytes, &ip);
    if (k->path < phone.path_count)
        sim_link_inject(phone.links[k->path], k->direction, bytes, ip.header_length + ip.payload_length);
}

/* What one subflow said, said on another (or at another moment): options and payload of one packet in the place of
 * another's. */
static void inject_crossed(struct feed *f) {
    static struct mutated m, other;
    static uint8_t bytes[MUTATED_BYTES_MAX + 100];
    if (kept_count == 0) return;
    const struct kept *k = choose(f), *from = choose(f);
    if (!mutate_open(k->bytes, k->length, &m) || !mutate_open(from->bytes, from->length, &other)) return;
    uint8_t what = feed_u8(f);
    m.segment.options = other.segment.options; /* whose bytes stay in `other` */
    if (what & 1) {
        m.segment.payload = other.segment.payload;
        m.segment.payload_length = other.segment.payload_length;
    }
    if (what & 2) m.segment.flags = other.segment.flags;
    uint32_t length = mutate_close(&m, bytes);
    if (length > 0 && k->path < phone.path_count) sim_link_inject(phone.links[k->path], k->direction, bytes, length);
}

static void step(struct feed *f, struct sim_conversation *c) {
    uint8_t what = feed_u8(f);
    enum sim_direction side = what & 128 ? SIM_DOWN : SIM_UP;
    switch (what % 16) {
    case 0: sim_world_run(phone.world, sim_world_now(phone.world) + feed_u8(f) * 4 * BRAID_NS_PER_MS); return;
    case 1: sim_conversation_pause_reading(c, side, what & 64); return;
    case 2: sim_conversation_shut(c, side); return;
    case 3:
        if (what & 64) sim_conversation_release(c, side);
        else if (what & 32) sim_conversation_abort(c, side);
        return;
    case 4: sim_path_down(&phone, phone.path_count - 1); return;
    case 5: sim_path_up(&phone, phone.path_count - 1); return;
    case 6: sim_path_renumber(&phone, phone.path_count - 1); return;
    case 7: sim_world_run(phone.world, sim_world_now(phone.world) + 35 * BRAID_NS_PER_MS); return;
    case 8: inject_raw(f, true); return;
    case 9: inject_raw(f, false); return;
    case 10: inject_crossed(f); return;
    default: inject(f); return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    uint8_t kind = feed_u8(&f);
    kept_count = 0;
    secrets = (struct mutate_secrets){.version_0 = (kind & 6) == 4};
    struct sim_phone_config config = {.world = {.seed = kind, .check_every = 1, .observer = {.packet = on_packet}},
                                      .paths = {sim_wifi, sim_cellular},
                                      .path_count = kind & 1 ? 2 : 1};
    config.client.checksum = (kind & 6) == 2;
    if ((kind & 6) == 4) config.client.versions = BRAID_VERSION_0;
    config.client.time_wait_ns = config.server.time_wait_ns = BRAID_NS_PER_S;
    config.client.receive_buffer_max_bytes = config.server.receive_buffer_max_bytes = 256 << 10;
    config.client.receive_buffer_initial_bytes = config.server.receive_buffer_initial_bytes = 64 << 10;
    sim_phone_init(&phone, &config);
    struct sim_conversation_config talk = {.plain_client = (kind & 24) == 24,
                                           .streams = {{.bytes = 8000, .write_bytes = 1000}, {.bytes = 8000, .write_bytes = 1000}}};
    talk.streams[0].message_bytes = talk.streams[1].message_bytes = 1000;
    talk.streams[0].interval_ns = talk.streams[1].interval_ns = 20 * BRAID_NS_PER_MS;
    struct sim_conversation *c = sim_phone_talk(&phone, &talk);
    sim_world_run(phone.world, BRAID_NS_PER_S + (kind >> 5) * 40 * BRAID_NS_PER_MS);
    for (unsigned i = 0; i < STEPS_MAX && feed_left(&f) > 0; i++) step(&f, c);
    sim_conversation_pause_reading(c, SIM_UP, false);
    sim_conversation_pause_reading(c, SIM_DOWN, false);
    sim_world_run(phone.world, sim_world_now(phone.world) + 2 * BRAID_NS_PER_S);
    sim_conversation_abort(c, SIM_UP);
    sim_conversation_abort(c, SIM_DOWN);
    sim_world_run(phone.world, sim_world_now(phone.world) + 5 * BRAID_NS_PER_S);
    ENSURE(sim_phone_deinit(&phone) == 0);
    return 0;
}
