/* One stack, and a peer that is the fuzzer: it opens, joins, says data, announces and closes as the input has
 * it, with the keys in hand, so that it gets as deep as it likes, and with any field changed on the way;
 * while the application calls what it may call, addresses come and go, and memory may run out. Invariants
 * hold after every step, and in the end all memory is back. */
#include "packet_mutate.h"
#include <base/buf.h>
#include <base/prng.h>
#include <braid/stack.h>

enum { LINKS = 2, SLOTS = 12, TALKS = 6, HELD_MAX = 24, WAITING_MAX = 8, STEPS_MAX = 160, SAID_MAX = 1400 };

/* What the peer knows of a connection, and of each of its subflows. */
struct talk {
    uint64_t keys[2]; /* the peer's, the stack's; 0: not known yet */
    uint64_t dsn, data_ack;
    uint32_t tokens[2];
};
struct slot {
    bool used, joined;
    unsigned talk;
    int link;
    struct ip_address here, there; /* the peer's, the stack's */
    uint16_t port, their_port;
    uint32_t seq, ack, first_seq;
    uint32_t nonces[2];
};

static struct braid_stack *stack;
static struct braid_listener *listeners[3];
static struct counted_memory memory;
static struct prng secrets_of_stack;
static braid_time now;
static struct talk talks[TALKS];
static struct slot slots[SLOTS];
static struct braid_connection *held[HELD_MAX];       /* by the application, until it lets go */
static struct braid_connection *waiting[WAITING_MAX]; /* for an answer of the application */
static unsigned held_count, waiting_count, next_talk, next_slot;
static const struct braid_address addresses[LINKS] = {{4, {10, 0, 0, 1}}, {4, {10, 0, 1, 1}}};

static bool random_secret(void *context, void *out, size_t size) {
    uint8_t *bytes = out;
    (void)context;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)prng_next(&secrets_of_stack);
    return true;
}

/* --- what the peer hears --- */

static struct slot *slot_new(void) {
    for (unsigned i = 0; i < SLOTS; i++)
        if (!slots[i].used) return &slots[i];
    return &slots[next_slot++ % SLOTS];
}

static unsigned talk_new(void) {
    unsigned i = next_talk++ % TALKS;
    talks[i] = (struct talk){.keys = {0x1122334455667788u + next_talk, 0}};
    mptcp_key_derive(talks[i].keys[0], &talks[i].tokens[0], &talks[i].dsn);
    talks[i].dsn++;
    return i;
}

static struct slot *slot_of(const struct ip_header *ip, const struct tcp_segment *s, int link) {
    for (unsigned i = 0; i < SLOTS; i++) {
        struct slot *slot = &slots[i];
        if (slot->used && slot->port == s->destination_port && slot->their_port == s->source_port &&
            ip_address_equal(&slot->here, &ip->destination))
            return slot;
    }
    if (s->flags != TCP_SYN) return NULL;
    struct slot *slot = slot_new();
    *slot = (struct slot){.used = true,
                          .talk = TALKS,
                          .link = link,
                          .here = ip->destination,
                          .there = ip->source,
                          .port = s->destination_port,
                          .their_port = s->source_port,
                          .seq = 5000,
                          .first_seq = 5000};
    return slot;
}

static void hear_option(struct slot *slot, const struct mptcp_option *o) {
    if (o->subtype == MPTCP_MP_JOIN && o->as.mp_join.form == MP_JOIN_SYN) {
        slot->joined = true;
        slot->nonces[1] = o->as.mp_join.nonce;
        for (unsigned i = 0; i < TALKS; i++)
            if (talks[i].tokens[0] == o->as.mp_join.token) slot->talk = i;
    }
    if (slot->talk >= TALKS) return;
    struct talk *talk = &talks[slot->talk];
    if (o->subtype == MPTCP_MP_JOIN && o->as.mp_join.form == MP_JOIN_SYN_ACK)
        slot->nonces[1] = o->as.mp_join.nonce;
    if (o->subtype == MPTCP_MP_CAPABLE && o->as.mp_capable.has_sender_key) {
        if (talk->keys[1] == 0) {
            mptcp_key_derive(o->as.mp_capable.sender_key, &talk->tokens[1], &talk->data_ack);
            talk->data_ack++;
        }
        talk->keys[1] = o->as.mp_capable.sender_key;
    }
    if (o->subtype == MPTCP_DSS && o->as.dss.has_mapping && o->as.dss.dsn_64)
        talk->data_ack = o->as.dss.dsn + o->as.dss.data_length;
}

static void hear(const uint8_t *bytes, uint32_t length, int link) {
    struct ip_header ip;
    struct tcp_segment s;
    if (ip_decode(bytes, length, true, &ip) != IP_OK || ip.protocol != IP_PROTOCOL_TCP) return;
    ENSURE(tcp_segment_decode(bytes + ip.header_length, ip.payload_length, &ip.source, &ip.destination, true,
                              &s) == TCP_DECODE_OK);
    struct slot *slot = slot_of(&ip, &s, link);
    if (slot == NULL) return;
    if (s.flags & TCP_RST) {
        slot->used = false;
        return;
    }
    slot->ack = s.seq.value + tcp_segment_length(&s);
    for (unsigned i = 0; i < s.options.mptcp_count; i++) {
        struct mptcp_option o;
        const struct tcp_raw_option *raw = &s.options.mptcp[i];
        if (mptcp_option_decode(raw->bytes, raw->length, &o) == MPTCP_DECODE_OK) hear_option(slot, &o);
    }
}

static void take_output(void) {
    static struct braid_packet_out packets[8];
    static uint8_t flat[BRAID_PACKET_HEADER_MAX + 65536];
    size_t count;
    do {
        count = braid_stack_output(stack, packets, 8, now);
        for (size_t i = 0; i < count; i++) {
            uint32_t length = packets[i].header_length;
            memcpy(flat, packets[i].header, length);
            for (unsigned k = 0; k < packets[i].slice_count; k++) {
                memcpy(flat + length, packets[i].slices[k].bytes, packets[i].slices[k].length);
                length += packets[i].slices[k].length;
            }
            ENSURE(length == packets[i].header_length + packets[i].payload_length);
            hear(flat, length, packets[i].link);
            braid_packet_out_release(&packets[i]);
        }
    } while (count == 8);
}

/* --- what it says --- */

static void say(struct feed *f, struct slot *slot, struct mutated *m, uint8_t changes) {
    static uint8_t bytes[MUTATED_BYTES_MAX + 100];
    struct mutate_secrets secrets = {0};
    if (slot->talk < TALKS) memcpy(secrets.keys, talks[slot->talk].keys, sizeof(secrets.keys));
    m->ip = (struct ip_header){
        .source = slot->here, .destination = slot->there, .protocol = IP_PROTOCOL_TCP, .ttl = 64};
    m->segment.source_port = slot->port;
    m->segment.destination_port = slot->their_port;
    m->segment.payload = m->payload;
    for (; changes > 0; changes--)
        mutate(f, m, &secrets);
    uint32_t length = mutate_close(m, bytes);
    if (length == 0) return;
    struct braid_packet_in packet = {.bytes = bytes, .length = length};
    braid_stack_input(stack, slot->link, &packet, 1, now);
    take_output();
}

static struct mutated *segment(const struct slot *slot, uint8_t flags) {
    static struct mutated m;
    m.segment = (struct tcp_segment){.seq = seq32_of(slot->seq),
                                     .ack = seq32_of(flags & TCP_ACK ? slot->ack : 0),
                                     .flags = flags,
                                     .window = 60000};
    return &m;
}

static void with(struct mutated *m, const struct mptcp_option *o) {
    struct tcp_options *options = &m->segment.options;
    uint8_t *bytes = m->options[options->mptcp_count];
    uint32_t length = mptcp_option_encode(o, bytes, MPTCP_OPTION_MAX);
    ENSURE(length > 0);
    options->mptcp[options->mptcp_count++] = (struct tcp_raw_option){bytes, (uint8_t)length};
}

static void with_syn_options(struct mutated *m, uint8_t what) {
    m->segment.options.has_mss = true;
    m->segment.options.mss = what & 1 ? 536 : 1460;
    m->segment.options.sack_permitted = what & 2;
    m->segment.options.has_window_scale = what & 4;
    m->segment.options.window_scale = 7;
}

static struct mptcp_option capable(const struct talk *talk, bool sender, bool receiver) {
    return (struct mptcp_option){.subtype = MPTCP_MP_CAPABLE,
                                 .as.mp_capable = {.version = 1,
                                                   .hmac_sha256 = true,
                                                   .has_sender_key = sender,
                                                   .has_receiver_key = receiver,
                                                   .sender_key = talk->keys[0],
                                                   .receiver_key = talk->keys[1]}};
}

static void say_open(struct feed *f, uint8_t what, uint8_t changes) {
    struct slot *slot = slot_new();
    unsigned talk = talk_new();
    *slot = (struct slot){.used = true,
                          .talk = talk,
                          .link = what & 1,
                          .seq = feed_u16(f) * 0x10001u,
                          .port = (uint16_t)(1000 + feed_u8(f) % 8),
                          .their_port = (uint16_t)(80 + (what >> 1) % 3)};
    const uint8_t here[4] = {10, 9, 0, 9};
    slot->here = ip_address_v4(here);
    slot->there = ip_address_v4(addresses[what & 1].bytes);
    slot->first_seq = slot->seq;
    struct mutated *m = segment(slot, TCP_SYN);
    with_syn_options(m, what >> 3);
    if (!(what & 128)) {
        struct mptcp_option o = capable(&talks[talk], false, false);
        with(m, &o);
    }
    slot->seq++;
    say(f, slot, m, changes);
}

static void say_join(struct feed *f, struct slot *from, uint8_t what, uint8_t changes) {
    if (from->talk >= TALKS) return;
    unsigned talk = from->talk;
    struct slot *slot = slot_new();
    *slot = (struct slot){.used = true,
                          .joined = true,
                          .talk = talk,
                          .link = what & 1,
                          .seq = feed_u8(f),
                          .port = (uint16_t)(2000 + feed_u8(f) % 8),
                          .their_port = from->their_port,
                          .nonces = {0x5eed0001, 0}};
    const uint8_t here[4] = {10, 9, 1, 9};
    slot->here = ip_address_v4(here);
    slot->there = ip_address_v4(addresses[what & 1].bytes);
    slot->first_seq = slot->seq;
    struct mutated *m = segment(slot, TCP_SYN);
    struct mptcp_option o = {.subtype = MPTCP_MP_JOIN,
                             .as.mp_join = {.form = MP_JOIN_SYN,
                                            .backup = what & 2,
                                            .address_id = 3,
                                            .token = talks[talk].tokens[1],
                                            .nonce = slot->nonces[0]}};
    with_syn_options(m, what >> 3);
    with(m, &o);
    slot->seq++;
    say(f, slot, m, changes);
}

/* The answer to a SYN of the stack's. */
static void say_syn_ack(struct feed *f, struct slot *slot, uint8_t what, uint8_t changes) {
    struct mutated *m = segment(slot, TCP_SYN | TCP_ACK);
    with_syn_options(m, what);
    if (slot->talk >= TALKS) slot->talk = talk_new();
    struct talk *talk = &talks[slot->talk];
    struct mptcp_option o = capable(talk, true, false);
    if (slot->joined) {
        uint8_t hmac[20];
        slot->nonces[0] = 0x5eed0002;
        mptcp_join_hmac(talk->keys[0], talk->keys[1], slot->nonces[0], slot->nonces[1], hmac);
        o = (struct mptcp_option){
            .subtype = MPTCP_MP_JOIN,
            .as.mp_join = {.form = MP_JOIN_SYN_ACK, .address_id = 4, .nonce = slot->nonces[0]}};
        for (unsigned i = 0; i < 8; i++)
            o.as.mp_join.hmac64 = o.as.mp_join.hmac64 << 8 | hmac[i];
    }
    if (!(what & 64)) with(m, &o);
    m->segment.seq = seq32_of(slot->first_seq);
    slot->seq = slot->first_seq + 1;
    say(f, slot, m, changes);
}

/* The third ACK, with what it should bear. */
static void say_third(struct feed *f, struct slot *slot, uint8_t changes) {
    if (slot->talk >= TALKS) return;
    struct mutated *m = segment(slot, TCP_ACK);
    struct talk *talk = &talks[slot->talk];
    struct mptcp_option o = capable(talk, true, true);
    if (slot->joined) {
        o = (struct mptcp_option){.subtype = MPTCP_MP_JOIN, .as.mp_join.form = MP_JOIN_ACK};
        mptcp_join_hmac(talk->keys[0], talk->keys[1], slot->nonces[0], slot->nonces[1], o.as.mp_join.hmac160);
    }
    with(m, &o);
    say(f, slot, m, changes);
}

static void say_data(struct feed *f, struct slot *slot, uint8_t what, uint8_t changes) {
    if (slot->talk >= TALKS) return;
    struct talk *talk = &talks[slot->talk];
    uint32_t length = what & 1 ? 0 : 1 + feed_u16(f) % SAID_MAX;
    struct mutated *m =
        segment(slot, (uint8_t)(TCP_ACK | (what & 2 ? TCP_PSH : 0) | (what & 4 ? TCP_FIN : 0)));
    struct mptcp_option o = {
        .subtype = MPTCP_DSS,
        .as.dss = {.has_data_ack = true, .data_ack_64 = true, .data_ack = talk->data_ack}};
    o.as.dss.data_fin = (what & 24) == 24;
    if (length > 0 || o.as.dss.data_fin) {
        o.as.dss.has_mapping = o.as.dss.dsn_64 = true;
        o.as.dss.dsn = talk->dsn;
        o.as.dss.subflow_seq = length > 0 ? slot->seq - slot->first_seq : 0;
        o.as.dss.data_length = (uint16_t)(length + o.as.dss.data_fin);
        talk->dsn += o.as.dss.data_length;
    }
    for (uint32_t i = 0; i < length; i++)
        m->payload[i] = (uint8_t)i;
    m->segment.payload_length = length;
    if (!(what & 128)) with(m, &o);
    slot->seq += length + (what & 4 ? 1 : 0);
    say(f, slot, m, changes);
}

/* An ACK, or a RST, with any options. */
static void say_signal(struct feed *f, struct slot *slot, uint8_t what) {
    struct mutated *m = segment(slot, what & 64 ? TCP_RST | TCP_ACK : TCP_ACK);
    struct mutate_secrets secrets = {0};
    if (slot->talk < TALKS) memcpy(secrets.keys, talks[slot->talk].keys, sizeof(secrets.keys));
    for (unsigned i = 0; i <= (what & 1); i++)
        mutate_add_option(f, m, &secrets);
    say(f, slot, m, 0);
}

static void peer_step(struct feed *f, uint8_t what) {
    struct slot *slot = &slots[feed_u8(f) % SLOTS];
    uint8_t how = feed_u8(f), changes = what & 64 ? feed_u8(f) % 4 : 0;
    if (what % 8 == 0) say_open(f, how, changes);
    if (!slot->used) return;
    switch (what % 8) {
    case 0:
        return;
    case 1:
        say_third(f, slot, changes);
        return;
    case 2:
        say_join(f, slot, how, changes);
        return;
    case 3:
        say_syn_ack(f, slot, how, changes);
        return;
    case 4:
        say_signal(f, slot, how);
        return;
    default:
        say_data(f, slot, how, changes);
        return;
    }
}

/* --- what the application does --- */

static void hold(struct braid_connection *c) {
    if (held_count < HELD_MAX)
        held[held_count++] = c;
    else
        braid_connection_release(c, now);
}

/* Who asks to be let in (a deferred listener) is let in, refused, or waits for the next answer. */
static void answer(uint8_t how) {
    while (waiting_count > 0 && !(how & 1)) {
        struct braid_connection *c = waiting[--waiting_count];
        if (how & 2) {
            braid_connection_refuse(c, (enum braid_refusal)((how >> 2) % (BRAID_REFUSE_SILENT + 1)), now);
            continue;
        }
        braid_connection_accept(c, now);
        hold(c);
    }
}

static bool is_known(const struct braid_connection *c) {
    for (unsigned i = 0; i < held_count; i++)
        if (held[i] == c) return true;
    for (unsigned i = 0; i < waiting_count; i++)
        if (waiting[i] == c) return true;
    return false;
}

static void take_events(void) {
    struct braid_event event;
    while (braid_stack_next_event(stack, &event)) {
        if (is_known(event.connection)) continue;
        ENSURE(event.bits & (BRAID_EVENT_INCOMING | BRAID_EVENT_ACCEPTED));
        if (!(event.bits & BRAID_EVENT_INCOMING))
            hold(event.connection);
        else if (waiting_count < WAITING_MAX)
            waiting[waiting_count++] = event.connection;
        else
            braid_connection_refuse(event.connection, BRAID_REFUSE_RESET, now);
    }
}

static void let_go(unsigned i) {
    held[i] = held[--held_count];
}

static void connect_out(struct feed *f) {
    static const char *const managers[] = {NULL, "none", "ndiffports", "backup", "interactive"};
    enum braid_connect_error error;
    uint8_t what = feed_u8(f);
    struct braid_connect_config config = {.remote = {.address = {4, {10, 9, 2, 9}}, .port = 443},
                                          .multipath = !(what & 1),
                                          .path_manager = managers[(what >> 1) % 5]};
    if (what & 128) config.local = addresses[what >> 4 & 1];
    if (held_count == HELD_MAX) return;
    struct braid_connection *c = braid_stack_connect(stack, &config, now, &error);
    ENSURE((c != NULL) == (error == BRAID_CONNECT_OK));
    if (c != NULL) held[held_count++] = c;
}

static void paths_of_program(struct feed *f, struct braid_connection *c, uint8_t how) {
    struct braid_endpoint remote = {.address = {4, {10, 9, 3, feed_u8(f)}}, .port = 443};
    struct braid_path_info path;
    uint64_t number = 0;
    if (braid_connection_path(c, how >> 4, &path)) number = path.number;
    switch (how % 4) {
    case 0:
        (void)braid_connection_path_add(c, how >> 2 & 1, &addresses[how >> 3 & 1], how & 16 ? &remote : NULL,
                                        how & 32, &number, now);
        return;
    case 1:
        (void)braid_connection_path_remove(c, number, now);
        return;
    case 2:
        (void)braid_connection_path_set_backup(c, number, how & 4, now);
        return;
    default:
        (void)braid_connection_address_use(c, how >> 2 & 1, &addresses[how >> 2 & 1], how & 8, now);
        return;
    }
}

static void call(struct feed *f, uint8_t what) {
    static uint8_t bytes[8192];
    if (held_count == 0) return;
    unsigned i = feed_u8(f) % held_count;
    struct braid_connection *c = held[i];
    uint8_t how = feed_u8(f);
    switch (what % 8) {
    case 0:
        (void)braid_connection_write(c, bytes, feed_u16(f) % sizeof(bytes), now);
        return;
    case 1:
        (void)braid_connection_read(c, bytes, feed_u16(f) % sizeof(bytes), now);
        return;
    case 2:
        braid_connection_shutdown(c, now);
        return;
    case 3:
        braid_connection_abort(c, now);
        return;
    case 4:
        let_go(i), braid_connection_release(c, now);
        return;
    case 5:
        paths_of_program(f, c, how);
        return;
    case 6: {
        struct braid_tuning tuning;
        braid_connection_tuning(c, &tuning);
        tuning.cork = how & 1;
        tuning.no_delay = how & 2;
        tuning.keepalive_idle_ns = how & 4 ? BRAID_NS_PER_S : 0;
        tuning.user_timeout_ns = how & 8 ? 3 * BRAID_NS_PER_S : 0;
        braid_connection_tune(c, &tuning, now);
        return;
    }
    default: {
        struct braid_slice slice = braid_connection_read_slice(c, now);
        slice_release(&slice);
        return;
    }
    }
}

static void network_step(struct feed *f) {
    uint8_t what = feed_u8(f);
    int link = what & 1;
    switch (what >> 1 & 3) {
    case 0:
        braid_stack_address_remove(stack, link, &addresses[link], now);
        return;
    case 1:
        (void)braid_stack_address_add(stack, link, &addresses[link], what & 8, what & 16, now);
        return;
    case 2:
        braid_stack_link_set_mtu(stack, link, what & 8 ? 1500 : 576, now);
        return;
    default:
        if (listeners[what % 3] != NULL) braid_listener_close(listeners[what % 3], now);
        listeners[what % 3] = NULL;
        return;
    }
}

static void pass_time(braid_time duration) {
    braid_time end = now + duration;
    for (unsigned i = 0; i < 200; i++) {
        braid_time at = braid_stack_deadline(stack);
        if (at > end) break;
        if (at > now) now = at;
        braid_stack_expire(stack, now);
        take_output();
    }
    if (now < end) now = end;
}

static void step(struct feed *f) {
    uint8_t what = feed_u8(f);
    switch (what >> 3 & 7) {
    case 0:
    case 1:
    case 2:
    case 3:
        peer_step(f, what);
        break;
    case 4:
    case 5:
        call(f, what);
        break;
    case 6:
        what & 4 ? answer(feed_u8(f)) : what & 2 ? connect_out(f) : network_step(f);
        break;
    default:
        pass_time(feed_u8(f) * (what & 1 ? 50 : 2) * BRAID_NS_PER_MS);
        break;
    }
    take_output();
    take_events();
    braid_stack_check_invariants(stack);
}

static void begin(uint8_t kind, uint8_t shortage) {
    counted_memory_init(&memory, -1);
    memory.env.random_secret = random_secret;
    prng_seed(&secrets_of_stack, kind);
    now = BRAID_NS_PER_S;
    held_count = waiting_count = next_talk = next_slot = 0;
    memset(slots, 0, sizeof(slots));
    struct braid_stack_config config = {.connections_max = 16,
                                        .half_open_max = 4,
                                        .send_buffer_bytes = 32 << 10,
                                        .receive_buffer_max_bytes = 64 << 10,
                                        .receive_buffer_initial_bytes = 16 << 10,
                                        .checksum = kind & 1,
                                        .no_join_to_source = kind & 2,
                                        .fastclose_by_ack = kind & 4,
                                        .time_wait_ns = BRAID_NS_PER_S};
    stack = braid_stack_create(&memory.env, &config);
    ENSURE(stack != NULL);
    for (int i = 0; i < LINKS; i++) {
        struct braid_link_config link = {
            .mtu_bytes = 1500, .uplink = true, .super_segment_bytes = kind & 8 ? 20000 : 0};
        ENSURE(braid_stack_link_add(stack, &link) == i);
        ENSURE(braid_stack_address_add(stack, i, &addresses[i], i == 1 && kind & 16, i == 1, now));
    }
    for (uint16_t i = 0; i < 3; i++) {
        struct braid_listen_config listen = {
            .link = -1, .local.port = (uint16_t)(80 + i), .multipath = i != 2, .deferred = i == 1};
        listeners[i] = braid_stack_listen(stack, &listen);
        ENSURE(listeners[i] != NULL);
    }
    if (shortage < 64) memory.allocations_left = shortage * 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t length) {
    struct feed f = feed_of(input, length);
    uint8_t kind = feed_u8(&f), shortage = feed_u8(&f);
    begin(kind, shortage);
    for (unsigned i = 0; i < STEPS_MAX && feed_left(&f) > 0; i++)
        step(&f);
    answer(2);
    while (held_count > 0)
        braid_connection_release(held[--held_count], now);
    pass_time(10 * BRAID_NS_PER_S);
    braid_stack_check_invariants(stack);
    braid_stack_destroy(stack);
    ENSURE(memory.live_bytes == 0);
    return 0;
}
