/* The host API at both ends, over AF_PACKET or over UDP. It always asks for MPTCP: a plain TCP connection is opened on the host's
 * stack. */
#include "embed.h"

#include <braid/braid.h>
#include <host/environment.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PORTS 16u /* and as many again as there are connections, each of which rests for a while */

static struct braid_host *host_create(const struct embed *e, bool server) {
    char text[BRAID_TEXT_MAX] = "";
    struct braid_udp_link udp = {.address = server ? EMBED_SERVER_ADDRESS : EMBED_CLIENT_ADDRESS};
    struct braid_uplink uplink = {.interface = server ? "there" : "here"};
    unsigned ports = PORTS + (e->what == EMBED_CONNECTIONS ? e->wanted : 0);
    struct braid_host_config config = {.port_first = server ? EMBED_PORT : 0, .port_count = server ? 1 : (uint16_t)ports};
    if (e->udp) config.udp = &udp, config.udp_count = 1;
    else config.uplinks = &uplink, config.uplink_count = 1;
    struct braid_host *host = braid_host_create(&config, text);
    embed_check(host != NULL, text);
    return host;
}

/* Lets the host run, and if there is nothing to do, until there is. */
static void turn(struct braid_host *host, bool idle) {
    struct braid_ready news;
    braid_time timeout = braid_host_timeout(host);
    struct pollfd wait = {.fd = braid_host_fd(host), .events = POLLIN};
    if (idle) poll(&wait, 1, timeout > BRAID_NS_PER_S ? 1000 : (int)((timeout + 999999) / 1000000));
    while (braid_wait(host, &news, 0)) continue;
}

/* With BENCH_COUNTERS: what the stack counted, on standard error. */
static void counters_tell(struct braid_host *host, const char *who) {
    uint64_t value;
    const char *name;
    if (getenv("BENCH_COUNTERS") == NULL) return;
    for (unsigned i = 0; (name = braid_stack_counter(braid_host_stack(host), i, &value)) != NULL; i++)
        if (value != 0) fprintf(stderr, "%s %s %llu\n", who, name, (unsigned long long)value);
}

/* ---- the server ---- */

static void stream_take(struct embed *e, struct braid_stream *stream) {
    int64_t got;
    double start = embed_seconds();
    while ((got = braid_recv(stream, embed_chunk, sizeof(embed_chunk), BRAID_NEVER)) > 0) e->shared->bytes += (uint64_t)got;
    e->shared->seconds = embed_seconds() - start;
    braid_close(stream);
}

static void answer(struct braid_stream *stream) {
    char byte;
    int64_t got;
    while ((got = braid_recv(stream, &byte, 1, 0)) == 1)
        embed_check(braid_send(stream, &byte, 1, BRAID_NEVER) == 1, "answer");
    if (got != -EAGAIN) braid_close(stream);
}

static void answer_all(struct embed *e, struct braid_host *host, struct braid_server *server) {
    struct braid_ready news;
    struct braid_stream *stream;
    const volatile bool *over = &e->shared->over;
    int error;
    while (!*over) {
        if (!braid_wait(host, &news, 10 * BRAID_NS_PER_MS)) continue;
        if (news.stream != NULL) answer(news.stream);
        while (news.server != NULL && (stream = braid_accept(server, 0, &error)) != NULL) answer(stream);
    }
}

static void serve(struct embed *e) {
    int error;
    struct braid_host *host = host_create(e, true);
    struct braid_server *server = braid_listen(host, EMBED_PORT, &error);
    embed_check(server != NULL && write(e->ready, "r", 1) == 1, "listen");
    if (e->what == EMBED_STREAM) {
        struct braid_stream *stream = braid_accept(server, BRAID_NEVER, &error);
        embed_check(stream != NULL, "accept");
        stream_take(e, stream);
    } else {
        answer_all(e, host, server);
    }
    counters_tell(host, "server");
    braid_host_destroy(host, BRAID_NS_PER_S);
}

/* ---- the client: a stream of the host API, or a connection of its stack ---- */

struct talk {
    struct braid_host *host;
    struct braid_stream *stream; /* NULL: plain TCP */
    struct braid_connection *connection;
};

static void plain_open(struct talk *talk, const struct embed *e) {
    struct braid_connect_config config = {.remote = {.address = {.family = 4, .bytes = {10, 8, 0, 2}}, .port = EMBED_PORT},
                                          .no_delay = e->what != EMBED_STREAM};
    struct braid_connection_info info = {0};
    enum braid_connect_error problem;
    talk->connection = braid_stack_connect(braid_host_stack(talk->host), &config, host_now(), &problem);
    embed_check(talk->connection != NULL, "connect");
    for (bool idle = false; !info.established; idle = true) {
        turn(talk->host, idle);
        embed_check(braid_connection_close_reason(talk->connection) == BRAID_OPEN, "connect");
        braid_connection_info(talk->connection, &info);
    }
}

static void talk_open(struct talk *talk, const struct embed *e) {
    int error;
    talk->stream = NULL;
    if (e->multipath) {
        talk->stream = braid_open(talk->host, EMBED_SERVER_ADDRESS, EMBED_PORT, BRAID_NEVER, &error);
        embed_check(talk->stream != NULL, "open");
    } else {
        plain_open(talk, e);
    }
}

static void talk_close(struct talk *talk) {
    if (talk->stream != NULL) {
        braid_close(talk->stream);
        return;
    }
    braid_connection_shutdown(talk->connection, host_now());
    braid_connection_release(talk->connection, host_now());
}

static void talk_send(struct talk *talk, const void *bytes, uint32_t length) {
    if (talk->stream != NULL) {
        embed_check(braid_send(talk->stream, bytes, length, BRAID_NEVER) == (int64_t)length, "send");
        return;
    }
    for (uint32_t done = 0; done < length;) {
        uint32_t taken = braid_connection_write(talk->connection, (const uint8_t *)bytes + done, length - done, host_now());
        embed_check(braid_connection_close_reason(talk->connection) == BRAID_OPEN, "send");
        turn(talk->host, taken == 0);
        done += taken;
    }
}

static void talk_receive_byte(struct talk *talk) {
    char byte;
    if (talk->stream != NULL) {
        embed_check(braid_recv(talk->stream, &byte, 1, BRAID_NEVER) == 1, "receive");
        return;
    }
    while (braid_connection_read(talk->connection, &byte, 1, host_now()) == 0) {
        embed_check(braid_connection_close_reason(talk->connection) == BRAID_OPEN, "receive");
        turn(talk->host, true);
    }
}

static void stream_give(struct talk *talk, const struct embed *e) {
    talk_open(talk, e);
    for (double end = embed_seconds() + e->seconds; embed_seconds() < end;) talk_send(talk, embed_chunk, EMBED_WRITE_BYTES);
    talk_close(talk);
}

static void exchange(struct talk *talk, struct embed *e) {
    bool anew = e->what == EMBED_CONNECTIONS;
    if (!anew) talk_open(talk, e);
    while (e->count < e->wanted) {
        double start = embed_seconds();
        if (anew) talk_open(talk, e);
        talk_send(talk, "x", 1);
        talk_receive_byte(talk);
        if (anew) talk_close(talk);
        embed_sample(e, embed_seconds() - start);
    }
    if (!anew) talk_close(talk);
}

static void use(struct embed *e) {
    struct talk talk = {.host = host_create(e, false)};
    if (e->what == EMBED_STREAM) stream_give(&talk, e);
    else exchange(&talk, e);
    for (double end = embed_seconds() + 5; embed_seconds() < end && braid_stack_connections(braid_host_stack(talk.host)) > 0;)
        turn(talk.host, true);
    e->shared->over = true;
    counters_tell(talk.host, "client");
    braid_host_destroy(talk.host, BRAID_NS_PER_S);
}

const struct embed_ends embed_braid = {serve, use};
