#include "crowd.h"

#include <stdlib.h>

#define PORT_FIRST 1024
#define PORTS 60000u /* of the client, for each port of the server */
#define OPENING_AT_ONCE 500u
#define ROUNDS_MAX 200
#define ROUNDS_QUIET 3000

void crowd_init(struct crowd *crowd, unsigned count, unsigned paths) {
    *crowd = (struct crowd){.count = count, .paths = paths};
    crowd->ours = calloc(count, sizeof(*crowd->ours));
    crowd->theirs = calloc(count, sizeof(*crowd->theirs));
    pair_check(crowd->ours != NULL && crowd->theirs != NULL, "no memory");
    struct pair_config config = {.stack = {.connections_max = count + 1, .half_open_max = count + 1},
                                 .client_links = paths > 0 ? paths : 1,
                                 .mtu_bytes = 1500,
                                 .round_bytes = UINT64_C(1) << 40,
                                 .port_first = PORT_FIRST};
    struct braid_listen_config listen = {.link = -1, .multipath = true};
    pair_init(&crowd->pair, &config);
    pair_check(braid_stack_listen(crowd->pair.server.stack, &listen) != NULL, "no listener");
    crowd->client_before = crowd->pair.client.memory.bytes;
    crowd->server_before = crowd->pair.server.memory.bytes;
}

void crowd_take_events(struct crowd *crowd) {
    struct braid_event event;
    static uint8_t bytes[65536];
    while (braid_stack_next_event(crowd->pair.client.stack, &event))
        if (event.bits & BRAID_EVENT_CLOSED) crowd->closed++;
    while (braid_stack_next_event(crowd->pair.server.stack, &event)) {
        if (event.bits & BRAID_EVENT_ACCEPTED) crowd->theirs[crowd->accepted++] = event.connection;
        if (event.bits & BRAID_EVENT_READABLE)
            while (braid_connection_read(event.connection, bytes, sizeof(bytes), crowd->pair.now) > 0) {
            }
    }
}

static void open_one(struct crowd *crowd, unsigned index) {
    struct braid_connect_config connect = {.remote = pair_server_endpoint((uint16_t)(1 + index / PORTS)),
                                           .multipath = crowd->paths > 0,
                                           .local = pair_client_address(0)};
    enum braid_connect_error error;
    double start = pair_seconds();
    crowd->ours[index] = braid_stack_connect(crowd->pair.client.stack, &connect, crowd->pair.now, &error);
    double took_us = (pair_seconds() - start) * 1e6;
    if (took_us > crowd->worst_open_us) crowd->worst_open_us = took_us;
    pair_check(crowd->ours[index] != NULL, "no connection");
    pair_check(braid_connection_write(crowd->ours[index], "x", 1, crowd->pair.now) == 1,
               "no room for a byte");
}

static bool all_there(const struct crowd *crowd, unsigned count) {
    struct braid_connection_info info;
    if (crowd->accepted < count) return false;
    braid_connection_info(crowd->ours[count - 1], &info);
    return info.bytes_acknowledged == 1 && (crowd->paths == 0 || info.paths == crowd->paths);
}

static void be_quiet(struct crowd *crowd) {
    for (int i = 0; i < ROUNDS_QUIET; i++) { /* what is delayed is said, so that all is quiet */
        pair_round(&crowd->pair);
        crowd_take_events(crowd);
    }
}

void crowd_open(struct crowd *crowd) {
    for (unsigned opened = 0; opened < crowd->count;) {
        for (unsigned i = 0; i < OPENING_AT_ONCE && opened < crowd->count; i++)
            open_one(crowd, opened++);
        int rounds = 0;
        while (!all_there(crowd, opened)) {
            pair_round(&crowd->pair);
            crowd_take_events(crowd);
            pair_check(rounds++ < ROUNDS_MAX, "not every connection opened");
        }
    }
    be_quiet(crowd);
}

void crowd_say(struct crowd *crowd, uint32_t length) {
    static uint8_t bytes[16384];
    for (unsigned i = 0; i < crowd->count; i++) {
        for (uint32_t said = 0; said < length;) {
            size_t part = length - said < sizeof(bytes) ? length - said : sizeof(bytes);
            said += (uint32_t)braid_connection_write(crowd->ours[i], bytes, part, crowd->pair.now);
            pair_round(&crowd->pair);
            crowd_take_events(crowd);
        }
    }
    be_quiet(crowd);
}
