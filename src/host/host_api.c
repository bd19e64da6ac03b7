/* The host API: blocking and waiting calls over the engine. */
#include <braid/braid.h>

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <base/list.h>
#include <host/engine.h>
#include <netinet/in.h>
#include "host_choices.h"

/* A program that reads or writes without ever having to wait gets its packets moved each time so much has passed. What is
 * read was acknowledged when it came, and has time. */
#define UNSETTLED_WRITTEN_MAX (256u << 10)
#define UNSETTLED_READ_MAX (1u << 20)

struct braid_host {
    struct engine *engine;
    struct list_node streams, servers, news;
    size_t unsettled_bytes;
    uint16_t port_first, port_last;
    struct host_choices choices;
};

struct braid_stream {
    struct braid_host *host;
    struct list_node node, news, waiting; /* waiting: in a server's queue */
    struct braid_connection *connection;
    void *user;
    unsigned bits; /* news not told yet */
    bool connected, over;
    bool sent_all;     /* BRAID_EVENT_SENT came */
    bool shut, let_go; /* let_go: only kept until all is delivered */
};

struct braid_server {
    struct braid_host *host;
    struct list_node node, news;
    struct list_node waiting;
    struct braid_listener *listener;
    uint16_t port;
};

static braid_time now_of(const struct braid_host *host) {
    return engine_now(host->engine);
}
static struct braid_stack *stack_of(const struct braid_host *host) {
    return engine_stack(host->engine);
}

/* ---- time ---- */

static braid_time end_of(braid_time timeout_ns) {
    braid_time now = host_now();
    return timeout_ns < BRAID_NEVER - now ? now + timeout_ns : BRAID_NEVER;
}

/* Runs the host until something happened or `end` has come. False: `end` has. */
static bool run_until(struct braid_host *host, braid_time end) {
    braid_time now = host_now();
    host->unsettled_bytes = 0;
    engine_run_once(host->engine, end == BRAID_NEVER ? BRAID_NEVER : end > now ? end - now : 0);
    return end > now;
}

static void moved(struct braid_host *host, size_t bytes, size_t most) {
    host->unsettled_bytes += bytes;
    if (host->unsettled_bytes >= most) run_until(host, 0);
}

/* ---- streams, inside ---- */

static struct braid_stream *stream_create(struct braid_host *host, struct braid_connection *connection) {
    struct braid_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) return NULL;
    stream->host = host;
    stream->connection = connection;
    list_append(&host->streams, &stream->node);
    braid_connection_set_user(connection, stream);
    return stream;
}

static void stream_free(struct braid_stream *stream) {
    braid_connection_set_user(stream->connection, NULL);
    braid_connection_release(stream->connection, now_of(stream->host));
    list_remove(&stream->node);
    list_remove(&stream->news);
    list_remove(&stream->waiting);
    free(stream);
}

static void tell(struct braid_stream *stream, unsigned bits) {
    stream->bits |= bits;
    bool known = !stream->let_go && !list_linked(&stream->waiting);
    if (stream->bits != 0 && known && !list_linked(&stream->news))
        list_append(&stream->host->news, &stream->news);
}

/* What ICMP said. A port that nobody listens to is refused, whoever says so. */
static int unreachable(enum braid_refusal why) {
    if (why == BRAID_REFUSE_RESET) return -ECONNREFUSED;
    return why == BRAID_REFUSE_NET_UNREACHABLE ? -ENETUNREACH : -EHOSTUNREACH;
}

static int error_of(const struct braid_stream *stream) {
    switch (braid_connection_close_reason(stream->connection)) {
    case BRAID_OPEN:
    case BRAID_CLOSED_NORMALLY:
        return 0;
    case BRAID_CLOSED_REFUSED:
        return -ECONNREFUSED;
    case BRAID_CLOSED_RESET:
        return -ECONNRESET;
    case BRAID_CLOSED_TIMED_OUT:
        return -ETIMEDOUT;
    case BRAID_CLOSED_UNREACHABLE:
        return unreachable(braid_connection_refusal(stream->connection));
    case BRAID_CLOSED_NO_MEMORY:
        return -ENOMEM;
    case BRAID_CLOSED_ABORTED:
    case BRAID_CLOSED_PROTOCOL_ERROR:
        break;
    }
    return -ECONNABORTED;
}

/* ---- events ---- */

static struct braid_server *server_of(const struct braid_host *host, const struct braid_listener *listener) {
    LIST_EACH(&host->servers, node, following) {
        struct braid_server *server = LIST_ENTRY(node, struct braid_server, node);
        if (server->listener == listener) return server;
    }
    return NULL;
}

static struct braid_stream *accepted(struct braid_host *host, const struct braid_event *event,
                                     braid_time now) {
    struct braid_server *server = server_of(host, event->listener);
    struct braid_stream *stream = server != NULL ? stream_create(host, event->connection) : NULL;
    if (stream == NULL) {
        braid_connection_abort(event->connection, now);
        braid_connection_release(event->connection, now);
        return NULL;
    }
    stream->connected = true;
    list_append(&server->waiting, &stream->waiting);
    if (!list_linked(&server->news)) list_append(&host->news, &server->news);
    return stream;
}

static void on_event(void *context, const struct braid_event *event, braid_time now) {
    static const struct {
        unsigned event, ready;
    } bits[] = {
        {BRAID_EVENT_CONNECTED, BRAID_READY_CONNECTED}, {BRAID_EVENT_READABLE, BRAID_READY_READABLE},
        {BRAID_EVENT_WRITABLE, BRAID_READY_WRITABLE},   {BRAID_EVENT_PATHS, BRAID_READY_PATHS},
        {BRAID_EVENT_CLOSED, BRAID_READY_CLOSED},       {BRAID_EVENT_SENT, BRAID_READY_SENT},
    };
    struct braid_host *host = context;
    struct braid_stream *stream = braid_connection_user(event->connection);
    if (stream == NULL && (event->bits & BRAID_EVENT_ACCEPTED)) stream = accepted(host, event, now);
    if (stream == NULL) return;
    if (event->bits & BRAID_EVENT_CONNECTED) stream->connected = true;
    if (event->bits & BRAID_EVENT_CLOSED) stream->over = true;
    if (event->bits & BRAID_EVENT_SENT) stream->sent_all = true;
    if (stream->let_go && (stream->over || stream->sent_all)) {
        stream_free(stream);
        return;
    }
    unsigned news = 0;
    for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        if (event->bits & bits[i].event) news |= bits[i].ready;
    tell(stream, news);
}

bool braid_wait(struct braid_host *host, struct braid_ready *ready, braid_time timeout_ns) {
    braid_time end = end_of(timeout_ns);
    bool in_time = true;
    while (list_empty(&host->news)) {
        if (!in_time) return false;
        in_time = run_until(host, end);
    }
    struct list_node *first = list_first(&host->news);
    list_remove(first);
    LIST_EACH(&host->servers, node, following) {
        struct braid_server *server = LIST_ENTRY(node, struct braid_server, node);
        if (first != &server->news) continue;
        *ready = (struct braid_ready){.server = server, .bits = BRAID_READY_ACCEPT};
        return true;
    }
    struct braid_stream *stream = LIST_ENTRY(first, struct braid_stream, news);
    *ready = (struct braid_ready){.stream = stream, .bits = stream->bits};
    stream->bits = 0;
    return true;
}

/* ---- the host ---- */

static bool engine_start(struct braid_host *host, const struct braid_host_config *config, char *text) {
    const struct braid_choices *chosen = &config->choices;
    struct engine_uplink_choice choices[BRAID_LINKS_MAX];
    unsigned count = config->uplink_count < BRAID_LINKS_MAX ? config->uplink_count : BRAID_LINKS_MAX;
    for (unsigned i = 0; i < count; i++)
        choices[i] = (struct engine_uplink_choice){config->uplinks[i].interface, config->uplinks[i].backup, config->uplinks[i].terms};
    struct engine_udp_choice udp[BRAID_LINKS_MAX];
    unsigned udp_count = config->udp_count < BRAID_LINKS_MAX ? config->udp_count : BRAID_LINKS_MAX;
    for (unsigned i = 0; i < udp_count; i++)
        udp[i] = (struct engine_udp_choice){config->udp[i].address, config->udp[i].mtu_bytes, config->udp[i].backup, config->udp[i].terms};
    struct engine_options options = {
        .udp = udp,
        .udp_count = udp_count,
        .uplinks = choices,
        .uplink_count = count,
        .policy = config->handover ? ENGINE_POLICY_HANDOVER : ENGINE_POLICY_AGGREGATE,
        .announce = config->announce,
        .port_first = config->port_first,
        .port_count = config->port_count,
        .stack = {.checksum = config->checksum,
                  .cookies = config->cookies,
                  .memory_max_bytes = config->memory_max_bytes,
                  .ecn = config->ecn,
                  .congestion = chosen->congestion,
                  .scheduler = chosen->scheduler,
                  .path_manager = chosen->path_manager,
                  .path_limits = chosen->path_limits,
                  .versions = chosen->versions},
        .trace_path = config->trace_path,
        .pcap_path = config->pcap_path,
        .application = {.context = host, .on_event = on_event},
        .team = config->team,
        .team_place = config->team_place,
    };
    return engine_create(&options, text, &host->engine);
}

struct braid_host *braid_host_create(const struct braid_host_config *config, char *text) {
    _Static_assert(BRAID_TEXT_MAX >= ENGINE_TEXT_MAX, "no room for what the engine says");
    struct braid_host *host = calloc(1, sizeof(*host));
    if (host == NULL) {
        snprintf(text, BRAID_TEXT_MAX, "out of memory");
        return NULL;
    }
    list_init(&host->streams);
    list_init(&host->servers);
    list_init(&host->news);
    host->choices.fast_open_pending_max = config->fast_open_pending_max;
    host->choices.plain = config->choices.multipath == BRAID_MULTIPATH_OFF;
    if (choices_in_range(config, text) && engine_start(host, config, text)) {
        engine_ports(host->engine, &host->port_first, &host->port_last);
        return host;
    }
    free(host);
    return NULL;
}

static bool anything_undelivered(const struct braid_host *host) {
    LIST_EACH(&host->streams, node, following) {
        const struct braid_stream *stream = LIST_ENTRY(node, struct braid_stream, node);
        if (stream->let_go) return true;
    }
    return false;
}

int braid_host_destroy(struct braid_host *host, braid_time timeout_ns) {
    if (host == NULL) return 0;
    braid_time end = end_of(timeout_ns);
    while (anything_undelivered(host) && run_until(host, end))
        continue;
    LIST_EACH(&host->streams, node, following)
    braid_abort(LIST_ENTRY(node, struct braid_stream, node));
    LIST_EACH(&host->servers, node, following)
    braid_server_close(LIST_ENTRY(node, struct braid_server, node));
    engine_settle(host->engine);
    int error = engine_destroy(host->engine);
    free(host);
    return error;
}

int braid_host_fd(const struct braid_host *host) {
    return uv_backend_fd(engine_loop(host->engine));
}

braid_time braid_host_timeout(const struct braid_host *host) {
    braid_time deadline = braid_stack_deadline(stack_of(host)), now = host_now();
    if (!list_empty(&host->news)) return 0;
    if (deadline == BRAID_NEVER) return BRAID_NEVER;
    return deadline > now ? deadline - now : 0;
}

struct braid_stack *braid_host_stack(struct braid_host *host) {
    return stack_of(host);
}

/* ---- streams ---- */

static bool endpoint_of(const struct addrinfo *info, uint16_t port, struct braid_endpoint *out) {
    *out = (struct braid_endpoint){.port = port};
    if (info->ai_family == AF_INET) {
        out->address.family = 4;
        memcpy(out->address.bytes, &((const struct sockaddr_in *)(const void *)info->ai_addr)->sin_addr, 4);
    } else if (info->ai_family == AF_INET6) {
        out->address.family = 6;
        memcpy(out->address.bytes, &((const struct sockaddr_in6 *)(const void *)info->ai_addr)->sin6_addr,
               16);
    }
    return out->address.family != 0;
}

enum braid_config_fault braid_host_fault(const struct braid_host *host) {
    return host->choices.fault;
}
const char *braid_host_fault_text(const struct braid_host *host) {
    return host->choices.fault_text;
}

static struct braid_stream *begin(struct braid_host *host, const struct braid_endpoint *remote,
                                  const struct braid_open_config *open, int *error) {
    struct braid_connect_config config;
    enum braid_connect_error problem;
    if ((*error = choices_of_open(&host->choices, open, &config)) != 0) return NULL;
    config.remote = *remote;
    struct braid_connection *connection = braid_stack_connect(stack_of(host), &config, host_now(), &problem);
    *error = choices_connect_error(&host->choices, problem);
    if (connection == NULL) return NULL;
    struct braid_stream *stream = stream_create(host, connection);
    if (stream == NULL) {
        *error = -ENOMEM;
        braid_connection_release(connection, host_now());
        return NULL;
    }
    if (open->early == NULL) return stream;
    uint32_t length = open->early_length < UINT32_MAX ? (uint32_t)open->early_length : UINT32_MAX;
    if (braid_connection_write(connection, open->early, length, host_now()) == open->early_length) return stream;
    *error = -EMSGSIZE;
    stream_free(stream);
    return NULL;
}

/* Waits for the answer to a SYN. NULL, with the stream gone, if it is no. */
static struct braid_stream *await(struct braid_stream *stream, braid_time end, int *error) {
    while (!stream->connected && !stream->over)
        if (!run_until(stream->host, end)) break;
    if (stream->connected) return stream;
    *error = stream->over ? error_of(stream) : -EAGAIN;
    if (*error == 0) *error = -ECONNABORTED;
    stream_free(stream);
    return NULL;
}

struct braid_stream *braid_open_with(struct braid_host *host, const char *name, uint16_t port,
                                     const struct braid_open_config *config, braid_time timeout_ns, int *error) {
    static const struct braid_open_config plainly;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    struct braid_stream *stream = NULL;
    braid_time end = end_of(timeout_ns);
    *error = -EADDRNOTAVAIL;
    if (getaddrinfo(name, NULL, &hints, &found) != 0) return NULL;
    for (const struct addrinfo *info = found; info != NULL && stream == NULL; info = info->ai_next) {
        struct braid_endpoint remote;
        if (!endpoint_of(info, port, &remote)) continue;
        stream = begin(host, &remote, config != NULL ? config : &plainly, error);
        if (stream == NULL && *error == -EINVAL) break;
        if (stream == NULL) continue;
        if (timeout_ns == 0) break;
        stream = await(stream, end, error);
        if (stream == NULL && *error == -EAGAIN) break;
    }
    freeaddrinfo(found);
    return stream;
}

struct braid_stream *braid_open(struct braid_host *host, const char *name, uint16_t port,
                                braid_time timeout_ns, int *error) {
    return braid_open_with(host, name, port, NULL, timeout_ns, error);
}

int64_t braid_send(struct braid_stream *stream, const void *bytes, size_t length, braid_time timeout_ns) {
    const uint8_t *from = bytes;
    size_t done = 0;
    braid_time end = end_of(timeout_ns);
    for (bool in_time = true;; in_time = run_until(stream->host, end)) {
        if (stream->shut) return -EPIPE;
        if (stream->over) return error_of(stream) != 0 ? error_of(stream) : -EPIPE;
        uint32_t part = length - done < UINT32_MAX ? (uint32_t)(length - done) : UINT32_MAX;
        uint32_t taken = braid_connection_write(stream->connection, from + done, part, host_now());
        done += taken;
        if (taken > 0) engine_settle(stream->host->engine);
        if (done == length || !in_time) break;
    }
    moved(stream->host, done, UNSETTLED_WRITTEN_MAX);
    return done > 0 || length == 0 ? (int64_t)done : -EAGAIN;
}

int64_t braid_recv(struct braid_stream *stream, void *bytes, size_t length, braid_time timeout_ns) {
    braid_time end = end_of(timeout_ns);
    uint32_t room = length < UINT32_MAX ? (uint32_t)length : UINT32_MAX;
    for (bool in_time = true;; in_time = run_until(stream->host, end)) {
        uint32_t got = braid_connection_read(stream->connection, bytes, room, host_now());
        if (got > 0) {
            moved(stream->host, got, UNSETTLED_READ_MAX);
            return got;
        }
        if (braid_connection_at_end(stream->connection)) return 0;
        if (stream->over) return error_of(stream);
        if (!in_time) return -EAGAIN;
    }
}

int braid_shutdown(struct braid_stream *stream) {
    stream->shut = true;
    braid_connection_shutdown(stream->connection, host_now());
    run_until(stream->host, 0);
    return stream->over ? error_of(stream) : 0;
}

static bool drained(const struct braid_stream *stream) {
    struct braid_connection_info info;
    if (stream->shut) return stream->sent_all;
    braid_connection_info(stream->connection, &info);
    return info.bytes_acknowledged >= info.bytes_written;
}

int braid_drain(struct braid_stream *stream, braid_time timeout_ns) {
    braid_time end = end_of(timeout_ns);
    while (!drained(stream)) {
        if (stream->over) return error_of(stream);
        if (!run_until(stream->host, end)) return drained(stream) ? 0 : -EAGAIN;
    }
    return 0;
}

void braid_close(struct braid_stream *stream) {
    stream->shut = stream->let_go = true;
    list_remove(&stream->news);
    if (stream->over || stream->sent_all || !stream->connected) {
        stream_free(stream);
        return;
    }
    braid_connection_shutdown(stream->connection, host_now());
}

void braid_abort(struct braid_stream *stream) {
    braid_connection_abort(stream->connection, host_now());
    stream_free(stream);
}

struct braid_connection *braid_stream_connection(struct braid_stream *stream) {
    return stream->connection;
}
void braid_stream_set_user(struct braid_stream *stream, void *user) {
    stream->user = user;
}
void *braid_stream_user(const struct braid_stream *stream) {
    return stream->user;
}

/* ---- servers ---- */

static struct braid_listener *listen_on(struct braid_host *host, const struct braid_listen_config *config, int *error) {
    enum braid_config_fault fault = braid_listen_config_check(stack_of(host), config);
    *error = fault == BRAID_CONFIG_OK ? -ENOMEM : fault == BRAID_CONFIG_LISTENED_TO ? -EADDRINUSE : choices_refuse(&host->choices, fault);
    return fault == BRAID_CONFIG_OK ? braid_stack_listen(stack_of(host), config) : NULL;
}

struct braid_server *braid_listen(struct braid_host *host, uint16_t port, int *error) {
    return braid_listen_with(host, port, NULL, error);
}

struct braid_server *braid_listen_with(struct braid_host *host, uint16_t port, const struct braid_server_config *config,
                                       int *error) {
    static const struct braid_server_config plainly;
    struct braid_listen_config listen;
    if (port == 0) port = host->port_first;
    *error = -EADDRNOTAVAIL;
    if (port < host->port_first || port > host->port_last) return NULL;
    if ((*error = choices_of_listen(&host->choices, config != NULL ? config : &plainly, &listen)) != 0) return NULL;
    listen.local.port = port;
    *error = -ENOMEM;
    struct braid_server *server = calloc(1, sizeof(*server));
    if (server == NULL) return NULL;
    server->listener = listen_on(host, &listen, error);
    if (server->listener == NULL) {
        free(server);
        return NULL;
    }
    server->host = host;
    server->port = port;
    list_init(&server->waiting);
    list_append(&host->servers, &server->node);
    return server;
}

uint16_t braid_server_port(const struct braid_server *server) {
    return server->port;
}

struct braid_stream *braid_accept(struct braid_server *server, braid_time timeout_ns, int *error) {
    braid_time end = end_of(timeout_ns);
    bool in_time = true;
    while (list_empty(&server->waiting)) {
        *error = -EAGAIN;
        if (!in_time) return NULL;
        in_time = run_until(server->host, end);
    }
    struct list_node *first = list_first(&server->waiting);
    struct braid_stream *stream = LIST_ENTRY(first, struct braid_stream, waiting);
    list_remove(first);
    tell(stream, 0); /* what came while nobody knew of it */
    return stream;
}

void braid_server_close(struct braid_server *server) {
    LIST_EACH(&server->waiting, node, following)
    braid_abort(LIST_ENTRY(node, struct braid_stream, waiting));
    braid_listener_close(server->listener, host_now());
    list_remove(&server->node);
    list_remove(&server->news);
    free(server);
}
