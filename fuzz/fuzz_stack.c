/* One stack, and a peer that is the fuzzer: it opens, joins, says data, announces and closes as the input has
 * it, with the keys in hand, so that it gets as deep as it likes, and with any field changed on the way;
 * while the application calls what it may call, addresses come and go, and memory may run out. Invariants
 * hold after every step, and in the end all memory is back. */
#include "peer.h"
#include <base/buf.h>
#include <base/prng.h>

enum { HELD_MAX = 24, WAITING_MAX = 8, STEPS_MAX = 160 };

static struct braid_listener *listeners[3];
static struct counted_memory memory;
static struct prng secrets_of_stack;
static struct braid_connection *held[HELD_MAX];       /* by the application, until it lets go */
static struct braid_connection *waiting[WAITING_MAX]; /* for an answer of the application */
static unsigned held_count, waiting_count;

static bool random_secret(void *context, void *out, size_t size) {
    uint8_t *bytes = out;
    (void)context;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)prng_next(&secrets_of_stack);
    return true;
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
    config.versions = (enum braid_versions)((what >> 4) % (BRAID_VERSION_0 + 1));
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
    version_0 = kind & 32;
    now = BRAID_NS_PER_S;
    held_count = waiting_count = next_talk = next_slot = 0;
    memset(slots, 0, sizeof(slots));
    memset(talks, 0, sizeof(talks));
    struct braid_stack_config config = {.connections_max = 16,
                                        .half_open_max = 4,
                                        .send_buffer_bytes = 32 << 10,
                                        .receive_buffer_max_bytes = 64 << 10,
                                        .receive_buffer_initial_bytes = 16 << 10,
                                        .checksum = kind & 1,
                                        .no_join_to_source = kind & 2,
                                        .join_to_clients = kind & 2,
                                        .fastclose_by_ack = kind & 4,
                                        .versions =
                                            kind & 64 ? BRAID_VERSIONS_DISCOVER : BRAID_VERSIONS_DEFAULT,
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
