/* Several server stacks of one host and a client with two addresses, in rounds of virtual time. In each round every stack
 * works, all at once in threads of their own or one after the other; what was sent in a round arrives in the next. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <braid/stack.h>
#include <braid/steering.h>
#include <base/prng.h>

enum { STACKS = 3, CONNECTIONS = 30, BYTES = 20000, MAIL_MAX = 4096, PACKET_MAX = 1600, BATCH = 16, PORT = 80, ROUNDS_MAX = 3000 };
#define ROUND_NS BRAID_NS_PER_MS

struct letter {
    int link;
    uint32_t length;
    uint8_t bytes[PACKET_MAX];
};
struct mail {
    struct letter *letters;
    size_t count;
};

struct side {
    struct braid_env env;
    struct prng secret;
    struct braid_stack *stack;
    struct mail in, next; /* `next` is written in this round, and is `in` of the next */
    unsigned accepted;
    uint64_t echoed;
};

static struct host {
    struct braid_steering *steering;
    struct side servers[STACKS], client;
    struct mail out[STACKS]; /* of each server, for the client */
    braid_time now;
    struct braid_connection *connections[CONNECTIONS];
    uint64_t written[CONNECTIONS], read[CONNECTIONS];
    bool done;
    pthread_barrier_t begin, end;
} host;

static void *allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

static bool random_secret(void *context, void *out, size_t size) {
    struct prng *prng = context;
    for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = (uint8_t)prng_next(prng);
    return true;
}

static struct braid_address address_of(uint8_t net, uint8_t number) {
    struct braid_address address = {.family = 4, .bytes = {10, net, 0, number}};
    return address;
}

static struct mail mail_create(void) { return (struct mail){.letters = calloc(MAIL_MAX, sizeof(struct letter))}; }

static void side_init(struct side *side, uint64_t seed, struct braid_stack_config config) {
    *side = (struct side){.in = mail_create(), .next = mail_create()};
    prng_seed(&side->secret, seed);
    side->env = (struct braid_env){.context = &side->secret,
                                   .allocate = allocate,
                                   .release = release,
                                   .random_secret = random_secret,
                                   .jitter_seed = seed};
    config.time_wait_ns = 20 * BRAID_NS_PER_MS;
    side->stack = braid_stack_create(&side->env, &config);
    assert_non_null(side->stack);
}

static void side_deinit(struct side *side) {
    braid_stack_destroy(side->stack);
    free(side->in.letters);
    free(side->next.letters);
}

static void link_add(struct side *side, uint8_t net, uint8_t number) {
    struct braid_link_config link = {.mtu_bytes = 1500, .uplink = true};
    struct braid_address address = address_of(net, number);
    int index = braid_stack_link_add(side->stack, &link);
    assert_true(index >= 0 && braid_stack_address_add(side->stack, index, &address, false, false, host.now));
}

static void host_init(uint64_t seed) {
    struct braid_listen_config listen = {.link = -1, .local = {.port = PORT}, .multipath = true};
    memset(&host, 0, sizeof(host));
    host.now = BRAID_NS_PER_S;
    side_init(&host.client, seed, (struct braid_stack_config){0});
    link_add(&host.client, 1, 2);
    link_add(&host.client, 2, 2);
    host.steering = braid_steering_create(&host.client.env, STACKS, 4 * CONNECTIONS);
    assert_non_null(host.steering);
    for (unsigned i = 0; i < STACKS; i++) {
        side_init(&host.servers[i], 1000 * seed + i,
                  (struct braid_stack_config){.steering = host.steering, .steering_place = i});
        link_add(&host.servers[i], 9, 1);
        assert_non_null(braid_stack_listen(host.servers[i].stack, &listen));
        host.out[i] = mail_create();
    }
}

static void host_deinit(void) {
    for (unsigned i = 0; i < STACKS; i++) {
        side_deinit(&host.servers[i]);
        free(host.out[i].letters);
    }
    braid_steering_destroy(host.steering);
    side_deinit(&host.client);
}

static void post(struct mail *mail, int link, const struct braid_packet_out *packet) {
    assert_true(mail->count < MAIL_MAX && packet->header_length + packet->payload_length <= PACKET_MAX);
    struct letter *letter = &mail->letters[mail->count++];
    letter->link = link;
    letter->length = packet->header_length;
    memcpy(letter->bytes, packet->header, packet->header_length);
    for (unsigned i = 0; i < packet->slice_count; i++) {
        memcpy(letter->bytes + letter->length, packet->slices[i].bytes, packet->slices[i].length);
        letter->length += packet->slices[i].length;
    }
}

static void take_mail(struct side *side, const struct mail *mail) {
    for (size_t i = 0; i < mail->count; i++) {
        struct braid_packet_in packet = {.bytes = mail->letters[i].bytes, .length = mail->letters[i].length};
        braid_stack_input(side->stack, mail->letters[i].link, &packet, 1, host.now);
    }
    if (braid_stack_deadline(side->stack) <= host.now) braid_stack_expire(side->stack, host.now);
}

/* What comes is said back. */
static void serve(struct side *side) {
    struct braid_event event;
    uint8_t bytes[4096];
    uint32_t got;
    while (braid_stack_next_event(side->stack, &event)) {
        if (event.bits & BRAID_EVENT_ACCEPTED) side->accepted++;
        while ((got = braid_connection_read(event.connection, bytes, sizeof(bytes), host.now)) > 0) {
            assert_int_equal(braid_connection_write(event.connection, bytes, got, host.now), got);
            side->echoed += got;
        }
        if (braid_connection_at_end(event.connection)) braid_connection_shutdown(event.connection, host.now);
        if (event.bits & BRAID_EVENT_CLOSED) braid_connection_release(event.connection, host.now);
    }
}

static void server_round(unsigned place) {
    struct side *side = &host.servers[place];
    struct braid_packet_out packets[BATCH];
    size_t count;
    take_mail(side, &side->in);
    serve(side);
    do {
        count = braid_stack_output(side->stack, packets, BATCH, host.now);
        for (size_t i = 0; i < count; i++) {
            post(&host.out[place], packets[i].header[17] - 1, &packets[i]); /* by the client's address */
            braid_packet_out_release(&packets[i]);
        }
    } while (count == BATCH);
}

/* The client's packets are steered while the servers work. */
static void client_round(void) {
    struct braid_packet_out packets[BATCH];
    size_t count;
    do {
        count = braid_stack_output(host.client.stack, packets, BATCH, host.now);
        for (size_t i = 0; i < count; i++) {
            struct letter flat;
            struct mail one = {.letters = &flat};
            post(&one, 0, &packets[i]);
            braid_packet_out_release(&packets[i]);
            struct braid_packet_in in = {.bytes = flat.bytes, .length = flat.length};
            struct mail *to = &host.servers[braid_steering_stack(host.steering, &in)].next;
            assert_true(to->count < MAIL_MAX);
            to->letters[to->count++] = flat;
        }
    } while (count == BATCH);
}

static void *server_thread(void *argument) {
    unsigned place = (unsigned)((struct side *)argument - host.servers);
    for (;;) {
        pthread_barrier_wait(&host.begin);
        if (host.done) return NULL;
        server_round(place);
        pthread_barrier_wait(&host.end);
    }
}

static void swap_mail(void) {
    for (unsigned i = 0; i < STACKS; i++) {
        struct side *side = &host.servers[i];
        struct mail old = side->in;
        side->in = side->next;
        side->next = (struct mail){.letters = old.letters};
        take_mail(&host.client, &host.out[i]);
        host.out[i].count = 0;
    }
    host.now += ROUND_NS;
}

static void round_of_all(bool threads) {
    if (threads) pthread_barrier_wait(&host.begin);
    else
        for (unsigned i = 0; i < STACKS; i++) server_round(i);
    client_round();
    if (threads) pthread_barrier_wait(&host.end);
    swap_mail();
}

/* --- the conversation --- */

static void speak_and_listen(unsigned i) {
    static uint8_t bytes[4096];
    uint32_t part = BYTES - (uint32_t)host.written[i];
    if (part > sizeof(bytes)) part = sizeof(bytes);
    host.written[i] += braid_connection_write(host.connections[i], bytes, part, host.now);
    host.read[i] += braid_connection_read(host.connections[i], bytes, sizeof(bytes), host.now);
}

static unsigned paths_of(const struct braid_connection *c) {
    struct braid_connection_info info;
    braid_connection_info(c, &info);
    return info.paths;
}

static bool all_have(bool (*what)(unsigned i)) {
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (!what(i)) return false;
    return true;
}

static bool heard_all(unsigned i) { return host.read[i] == BYTES; }
static bool joined(unsigned i) { return paths_of(host.connections[i]) == 2; }

static uint64_t counter(const struct braid_stack *stack, const char *name) {
    const char *found;
    uint64_t value;
    for (unsigned i = 0; (found = braid_stack_counter(stack, i, &value)); i++)
        if (strcmp(found, name) == 0) return value;
    fail_msg("no counter %s", name);
    return 0;
}

static void nobody_was_asked_in_vain(void) {
    for (unsigned i = 0; i < STACKS; i++) {
        assert_int_equal(counter(host.servers[i].stack, "join_unknown_token"), 0);
        assert_int_equal(counter(host.servers[i].stack, "tcp_no_flow"), 0);
        assert_true(host.servers[i].accepted > 0);
        assert_int_equal(host.servers[i].echoed, (uint64_t)host.servers[i].accepted * BYTES);
    }
}

static bool nothing_left(void) {
    for (unsigned i = 0; i < STACKS; i++)
        if (braid_stack_connections(host.servers[i].stack) > 0) return false;
    return braid_stack_connections(host.client.stack) == 0;
}

static void converse(bool threads) {
    struct braid_connect_config config = {.remote = {address_of(9, 1), PORT}, .multipath = true};
    enum braid_connect_error error;
    struct braid_event event;
    int rounds = 0;
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        host.connections[i] = braid_stack_connect(host.client.stack, &config, host.now, &error);
        assert_non_null(host.connections[i]);
    }
    while (!all_have(heard_all) || !all_have(joined)) {
        assert_true(rounds++ < ROUNDS_MAX);
        for (unsigned i = 0; i < CONNECTIONS; i++) speak_and_listen(i);
        round_of_all(threads);
        while (braid_stack_next_event(host.client.stack, &event)) continue;
    }
    assert_true(braid_steering_guests(host.steering) > 0);
    nobody_was_asked_in_vain();
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        braid_connection_shutdown(host.connections[i], host.now);
        braid_connection_release(host.connections[i], host.now);
    }
    while (!nothing_left()) {
        assert_true(rounds++ < ROUNDS_MAX);
        round_of_all(threads);
    }
    assert_int_equal(braid_steering_guests(host.steering), 0);
}

static void every_join_finds_the_stack_of_its_connection(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        host_init(seed);
        converse(false);
        host_deinit();
    }
}

static void stacks_in_threads_share_nothing_but_the_table(void **state) {
    (void)state;
    pthread_t threads[STACKS];
    host_init(7);
    assert_int_equal(pthread_barrier_init(&host.begin, NULL, STACKS + 1), 0);
    assert_int_equal(pthread_barrier_init(&host.end, NULL, STACKS + 1), 0);
    for (unsigned i = 0; i < STACKS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, server_thread, &host.servers[i]), 0);
    converse(true);
    host.done = true;
    pthread_barrier_wait(&host.begin);
    for (unsigned i = 0; i < STACKS; i++) pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&host.begin);
    pthread_barrier_destroy(&host.end);
    host_deinit();
}

/* The other way round: answers to what a stack of several opened come back to it, for it chose the port so. */
static void what_a_stack_opens_is_at_home_there(void **state) {
    (void)state;
    struct braid_connect_config config = {.remote = {address_of(9, 7), PORT}, .multipath = true};
    enum braid_connect_error error;
    struct braid_packet_out packet;
    host_init(3);
    for (unsigned k = 0; k < 60; k++) {
        struct braid_stack *stack = host.servers[k % STACKS].stack;
        struct braid_connection *c = braid_stack_connect(stack, &config, host.now, &error);
        assert_non_null(c);
        assert_int_equal(braid_stack_output(stack, &packet, 1, host.now), 1);
        uint8_t answer[128];
        memcpy(answer, packet.header, packet.header_length);
        memcpy(answer + 12, packet.header + 16, 4); /* addresses and ports change places; the IP checksum stays right */
        memcpy(answer + 16, packet.header + 12, 4);
        memcpy(answer + 20, packet.header + 22, 2);
        memcpy(answer + 22, packet.header + 20, 2);
        answer[33] = 0x12; /* SYN, ACK */
        struct braid_packet_in in = {.bytes = answer, .length = packet.header_length};
        assert_int_equal(braid_steering_stack(host.steering, &in), k % STACKS);
        braid_packet_out_release(&packet);
        braid_connection_abort(c, host.now);
        braid_connection_release(c, host.now);
    }
    assert_int_equal(braid_steering_guests(host.steering), 0);
    host_deinit();
}

static void what_is_for_nobody_goes_to_the_first(void **state) {
    (void)state;
    static const uint8_t rubbish[] = {0x45, 0, 0, 3};
    struct braid_packet_in in = {.bytes = rubbish, .length = sizeof(rubbish)};
    host_init(4);
    assert_int_equal(braid_steering_stack(host.steering, &in), 0);
    host_deinit();
}

static void a_place_out_of_range_is_refused(void **state) {
    (void)state;
    host_init(5);
    struct braid_stack_config config = {.steering = host.steering, .steering_place = STACKS};
    assert_null(braid_stack_create(&host.client.env, &config));
    assert_null(braid_steering_create(&host.client.env, 0, 10));
    assert_null(braid_steering_create(&host.client.env, BRAID_STEERING_STACKS_MAX + 1, 10));
    host_deinit();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_join_finds_the_stack_of_its_connection),
        cmocka_unit_test(stacks_in_threads_share_nothing_but_the_table),
        cmocka_unit_test(what_a_stack_opens_is_at_home_there),
        cmocka_unit_test(what_is_for_nobody_goes_to_the_first),
        cmocka_unit_test(a_place_out_of_range_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
