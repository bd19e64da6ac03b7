#define _GNU_SOURCE
#include "udp_forward.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <base/buf.h>
#include <base/hash_table.h>
#include <base/list.h>
#include <host/fd_watch.h>
#include <wire/icmp.h>
#include <wire/udp.h>
#include "icmp_echo.h"
#include "udp_socket.h"

#define MAPPINGS_MAX 1024
#define IDLE_NS (180 * BRAID_NS_PER_S)
#define SWEEP_MS 10000
#define RECEIVE_BATCHES 4 /* at one go from one socket */
/* What a mapping is about, where it is not the name server of that number. */
#define NO_SERVER (-1)
#define ECHO_REQUESTS (-2)

/* A program's port (or identifier of echo requests), and the socket that stands for it outside. */
struct mapping {
    struct hash_node node;
    struct list_node by_use; /* the one used last is last */
    struct udp_forward *forward;
    struct ip_address program;
    uint16_t port;
    enum ip_family outside; /* the socket's family */
    int server;             /* the name server this is about; NO_SERVER; ECHO_REQUESTS */
    int fd;
    struct fd_watch *watch;
    char interface[16]; /* it is bound to; empty: to none */
    int link;           /* the stack's, for its cap; -1: none is known */
    braid_time used;
};

struct udp_forward {
    struct engine *engine;
    struct resolver *resolver;
    const struct udp_homes *homes; /* NULL: this thread is every port's home */
    unsigned thread;
    struct fd_watch *box;
    int tun;
    uint64_t hash_key[2];
    struct hash_table mappings;
    struct list_node by_use;
    unsigned count;
    uv_timer_t *sweep;
    struct udp_batch *batch;
};

static void socket_close(struct mapping *mapping) {
    fd_watch_destroy(mapping->watch);
    mapping->watch = NULL;
    if (mapping->fd >= 0) close(mapping->fd);
    mapping->fd = -1;
}

/* A datagram with so much payload went by the uplink, which has a cap perhaps. False: that is used up. */
static bool spend(const struct mapping *mapping, uint32_t payload) {
    uint32_t headers = mapping->outside == IP_V4 ? 28 : 48;
    return mapping->link < 0 ||
           engine_uplink_spend(mapping->forward->engine, mapping->link, payload + headers);
}

/* ---- to the program ---- */

/* A whole IP packet of ours, on its way to the programs. Takes `buf` over. */
static void send_to_programs(struct udp_forward *forward, struct braid_buf *buf, uint32_t length) {
    struct braid_packet_out packet = {.link = (uint16_t)forward->tun};
    uint32_t head = length < BRAID_PACKET_HEADER_MAX ? length : BRAID_PACKET_HEADER_MAX;
    memcpy(packet.header, buf->bytes, head);
    packet.header_length = (uint16_t)head;
    if (length > head) {
        packet.slices[0] = slice_of(buf, buf->bytes + head, length - head);
        packet.slice_count = 1;
        packet.payload_length = length - head;
    }
    buf_release(buf);
    engine_send(forward->engine, &packet);
}

static void datagram_to_program(struct mapping *mapping, const struct ip_address *source,
                                uint16_t source_port, const uint8_t *payload, uint32_t length) {
    struct udp_forward *forward = mapping->forward;
    uint32_t room = length + 64;
    struct braid_buf *buf = buf_create(engine_env(forward->engine), room);
    if (buf == NULL) return;
    uint32_t packet = udp_packet_encode(source, &mapping->program, source_port, mapping->port, payload,
                                        length, buf->bytes, room);
    if (packet == 0)
        buf_release(buf);
    else
        send_to_programs(forward, buf, packet);
}

static void reply_to_program(struct mapping *mapping, const struct ip_address *source,
                             const uint8_t *received, uint32_t length) {
    struct udp_forward *forward = mapping->forward;
    uint32_t message_length = 0;
    const uint8_t *message =
        icmp_echo_reply(mapping->outside, received, length, mapping->port, &message_length);
    if (message == NULL) return;
    uint32_t room = message_length + 64;
    struct braid_buf *buf = buf_create(engine_env(forward->engine), room);
    if (buf == NULL) return;
    uint32_t packet = icmp_echo_packet(source, &mapping->program, message, message_length, buf->bytes, room);
    if (packet == 0)
        buf_release(buf);
    else
        send_to_programs(forward, buf, packet);
}

/* An ICMP error about a datagram the program sent to `destination`, quoting its start. */
static void error_to_program(struct mapping *mapping, const struct udp_error *error,
                             const struct ip_address *destination, uint16_t destination_port) {
    struct udp_forward *forward = mapping->forward;
    uint8_t quoted[1600];
    uint32_t quoted_length =
        udp_packet_encode(&mapping->program, destination, mapping->port, destination_port, error->payload,
                          error->payload_length, quoted, sizeof(quoted));
    struct braid_buf *buf = buf_create(engine_env(forward->engine), 256);
    if (buf == NULL) return;
    uint32_t length = error->kind == ICMP_PACKET_TOO_BIG
                          ? icmp_packet_too_big_encode(error->mtu, destination, &mapping->program, quoted,
                                                       quoted_length, buf->bytes, buf->capacity)
                          : icmp_error_encode(error->kind, destination, &mapping->program, quoted,
                                              quoted_length, buf->bytes, buf->capacity);
    if (length == 0)
        buf_release(buf);
    else
        send_to_programs(forward, buf, length);
}

/* As the program knows the far end: a name server by its stand-in. */
static void as_program_knows(const struct mapping *mapping, struct udp_peer *peer) {
    if (mapping->server < 0) return;
    peer->address = resolver_stand_in(mapping->forward->resolver, (unsigned)mapping->server);
    peer->port = RESOLVER_PORT;
}

static void take_errors(struct mapping *mapping) {
    struct udp_error error;
    while (udp_socket_take_error(mapping->fd, mapping->forward->batch, &error)) {
        as_program_knows(mapping, &error.destination);
        error_to_program(mapping, &error, &error.destination.address, error.destination.port);
    }
}

static void arrived(struct mapping *mapping, struct udp_arrived *datagram) {
    as_program_knows(mapping, &datagram->peer);
    if (mapping->server == ECHO_REQUESTS)
        reply_to_program(mapping, &datagram->peer.address, datagram->payload, datagram->length);
    else
        datagram_to_program(mapping, &datagram->peer.address, datagram->peer.port, datagram->payload,
                            datagram->length);
}

static void on_readable(void *context, int events) {
    struct mapping *mapping = context;
    struct udp_batch *batch = mapping->forward->batch;
    (void)events;
    mapping->used = host_now();
    bool may_go_on = true;
    for (int i = 0; i < RECEIVE_BATCHES; i++) {
        unsigned count = udp_socket_receive(mapping->fd, batch);
        for (unsigned d = 0; d < count; d++) {
            arrived(mapping, &batch->datagrams[d]);
            may_go_on &= spend(mapping, batch->datagrams[d].length);
        }
        if (count < UDP_BATCH_MAX) break;
    }
    take_errors(mapping);
    if (!may_go_on) socket_close(mapping); /* what still comes the kernel refuses */
}

/* ---- mappings ---- */

static void mapping_end(struct mapping *mapping) {
    struct udp_forward *forward = mapping->forward;
    socket_close(mapping);
    hash_table_remove(&forward->mappings, &mapping->node);
    list_remove(&mapping->by_use);
    forward->count--;
    free(mapping);
}

/* The first uplink that can carry the family now and is not used up: those that cost nothing before metered
 * ones, and of these regular ones before backups. False: there is none. */
static bool preferred_uplink(const struct udp_forward *forward, enum ip_family family,
                             struct engine_uplink_info *out) {
    struct engine_uplink_info uplink;
    unsigned best = UINT_MAX;
    for (size_t i = 0; engine_uplink_info(forward->engine, i, &uplink); i++) {
        const struct ip_address *address = family == IP_V4 ? &uplink.address_v4 : &uplink.address_v6;
        unsigned cost = (uplink.metered ? 2u : 0u) + uplink.backup;
        if (address->family == IP_NONE || uplink.used_up || cost >= best) continue;
        best = cost;
        *out = uplink;
    }
    return best != UINT_MAX;
}

/* Name servers are reached as the host reaches them: by no interface in particular. */
static bool socket_open(struct mapping *mapping) {
    const char *interface = NULL;
    struct engine_uplink_info uplink;
    mapping->link = -1;
    if (mapping->server < 0) {
        if (!preferred_uplink(mapping->forward, mapping->outside, &uplink)) return false;
        interface = uplink.interface;
        mapping->link = uplink.link;
    }
    mapping->fd = mapping->server == ECHO_REQUESTS ? icmp_echo_open(mapping->outside, interface)
                                                   : udp_socket_open(mapping->outside, interface);
    if (mapping->fd < 0) return false;
    strncpy(mapping->interface, interface != NULL ? interface : "", sizeof(mapping->interface) - 1);
    mapping->watch = fd_watch_create(engine_loop(mapping->forward->engine), mapping->fd, UV_READABLE,
                                     on_readable, mapping);
    if (mapping->watch != NULL) return true;
    socket_close(mapping);
    return false;
}

/* Whether there is a socket, by an uplink whose cap is not used up. */
static bool may_send(struct mapping *mapping) {
    if (mapping->fd >= 0 && mapping->link >= 0 &&
        !engine_uplink_spend(mapping->forward->engine, mapping->link, 0))
        socket_close(mapping);
    return mapping->fd >= 0 || socket_open(mapping);
}

static uint64_t mapping_hash(const struct udp_forward *forward, const struct ip_address *program,
                             uint16_t port, int server) {
    uint8_t key[20];
    memcpy(key, program->bytes, 16);
    key[16] = (uint8_t)program->family;
    key[17] = (uint8_t)(server - ECHO_REQUESTS);
    memcpy(key + 18, &port, 2);
    return hash_bytes(forward->hash_key, key, sizeof(key));
}

static struct mapping *mapping_find(const struct udp_forward *forward, uint64_t hash,
                                    const struct ip_address *program, uint16_t port, int server) {
    struct hash_node *node = hash_table_first(&forward->mappings, hash);
    for (; node != NULL; node = hash_table_next(node)) {
        struct mapping *mapping = CONTAINER_OF(node, struct mapping, node);
        if (mapping->port == port && mapping->server == server &&
            ip_address_equal(&mapping->program, program))
            return mapping;
    }
    return NULL;
}

/* The mapping of a program's port, made if there is none yet; the one unused for longest makes room. */
static struct mapping *mapping_for(struct udp_forward *forward, const struct ip_address *program,
                                   uint16_t port, int server) {
    uint64_t hash = mapping_hash(forward, program, port, server);
    struct mapping *mapping = mapping_find(forward, hash, program, port, server);
    if (mapping == NULL) {
        struct list_node *oldest = list_first(&forward->by_use);
        if (forward->count == MAPPINGS_MAX) mapping_end(LIST_ENTRY(oldest, struct mapping, by_use));
        mapping = calloc(1, sizeof(*mapping));
        if (mapping == NULL) return NULL;
        mapping->forward = forward;
        mapping->program = *program;
        mapping->port = port;
        mapping->server = server;
        mapping->outside = program->family;
        mapping->fd = -1;
        hash_table_insert(&forward->mappings, &mapping->node, hash);
        forward->count++;
    } else {
        list_remove(&mapping->by_use);
    }
    list_append(&forward->by_use, &mapping->by_use);
    mapping->used = engine_now(forward->engine);
    return mapping;
}

/* ---- from the program ---- */

static void unreachable(struct mapping *mapping, int error, const struct ip_address *destination,
                        const struct udp_datagram *datagram) {
    struct udp_error told = {.payload = datagram->payload,
                             .payload_length = datagram->payload_length < 64 ? datagram->payload_length : 64};
    switch (error) {
    case ENETUNREACH:
    case ENETDOWN:
        told.kind = ICMP_NET_UNREACHABLE;
        break;
    case EHOSTUNREACH:
        told.kind = ICMP_HOST_UNREACHABLE;
        break;
    case EACCES:
    case EPERM:
        told.kind = ICMP_PROHIBITED;
        break;
    default:
        return; /* a full queue loses datagrams, and so may we */
    }
    error_to_program(mapping, &told, destination, datagram->destination_port);
}

static void send_out(struct mapping *mapping, const struct sockaddr_storage *to, socklen_t to_length,
                     const struct ip_address *destination, const struct udp_datagram *datagram) {
    if (!may_send(mapping)) {
        unreachable(mapping, ENETUNREACH, destination, datagram);
        return;
    }
    for (int tries = 0; tries < 2; tries++) {
        ssize_t sent = sendto(mapping->fd, datagram->payload, datagram->payload_length,
                              MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, to_length);
        if (sent >= 0) {
            (void)spend(mapping, datagram->payload_length);
            return;
        }
        int error = errno;
        /* What an earlier datagram met with is told now, once. */
        take_errors(mapping);
        if (error == EMSGSIZE) return;
        if (tries == 1) unreachable(mapping, error, destination, datagram);
    }
}

static void to_name_server(struct udp_forward *forward, const struct ip_header *ip,
                           const struct udp_datagram *datagram, unsigned which) {
    struct sockaddr_storage server;
    if (datagram->destination_port != RESOLVER_PORT) return;
    resolver_refresh(forward->resolver);
    socklen_t length = resolver_server(forward->resolver, which, &server);
    struct mapping *mapping = mapping_for(forward, &ip->source, datagram->source_port, (int)which);
    if (mapping == NULL) return;
    enum ip_family outside = server.ss_family == AF_INET ? IP_V4 : IP_V6;
    if (outside != mapping->outside) socket_close(mapping);
    mapping->outside = outside;
    send_out(mapping, &server, length, &ip->destination, datagram);
}

static void forward_datagram(struct udp_forward *forward, const struct ip_header *ip,
                             const struct udp_datagram *datagram) {
    unsigned which;
    if (resolver_stands_in(forward->resolver, &ip->destination, &which)) {
        to_name_server(forward, ip, datagram, which);
        return;
    }
    struct mapping *mapping = mapping_for(forward, &ip->source, datagram->source_port, NO_SERVER);
    if (mapping == NULL) return;
    struct sockaddr_storage to;
    socklen_t length = udp_socket_address(&ip->destination, datagram->destination_port, &to);
    send_out(mapping, &to, length, &ip->destination, datagram);
}

/* What becomes of an echo request is known by its reply, or by none. */
static void forward_echo(struct udp_forward *forward, const struct ip_header *ip, const uint8_t *message,
                         uint16_t identifier) {
    struct mapping *mapping = mapping_for(forward, &ip->source, identifier, ECHO_REQUESTS);
    struct sockaddr_storage to;
    if (mapping == NULL || !may_send(mapping)) return;
    socklen_t length = udp_socket_address(&ip->destination, 0, &to);
    ssize_t sent = sendto(mapping->fd, message, ip->payload_length, MSG_DONTWAIT | MSG_NOSIGNAL,
                          (const struct sockaddr *)&to, length);
    if (sent >= 0) (void)spend(mapping, ip->payload_length);
}

static bool is_tcp(const struct braid_packet_in *packet) {
    bool v4 = packet->length > 9 && packet->bytes[0] >> 4 == 4;
    return packet->bytes[v4 ? 9 : 6] == IP_PROTOCOL_TCP;
}

/* True: the port is at home in another thread, which has the packet now. */
static bool hand_over(const struct udp_forward *forward, const struct ip_address *program, uint16_t port,
                      const struct braid_packet_in *packet) {
    if (forward->homes == NULL) return false;
    unsigned home = udp_homes_of(forward->homes, program, port);
    if (home == forward->thread) return false;
    packet_box_put(udp_homes_box(forward->homes, home), forward->tun, packet);
    return true;
}

bool udp_forward_intercept(void *context, const struct braid_packet_in *packet) {
    struct udp_forward *forward = context;
    struct ip_header ip;
    struct udp_datagram datagram;
    uint16_t identifier;
    if (packet->length < 20 || is_tcp(packet)) return false;
    if (ip_decode(packet->bytes, packet->length, false, &ip) != IP_OK) return false;
    const uint8_t *payload = packet->bytes + ip.header_length;
    bool echo = icmp_echo_is_request(&ip, payload, &identifier);
    if (ip.protocol != IP_PROTOCOL_UDP && !echo) return false;
    /* Neighbours on the uplink's own network are not the command's. */
    if (ip.is_fragment || ip_address_is_multicast(&ip.destination) ||
        ip_address_is_link_local(&ip.destination))
        return true;
    if (echo) {
        if (!hand_over(forward, &ip.source, identifier, packet))
            forward_echo(forward, &ip, payload, identifier);
    } else if (udp_decode(payload, ip.payload_length, &ip.source, &ip.destination, packet->checksum_verified,
                          &datagram)) {
        if (!hand_over(forward, &ip.source, datagram.source_port, packet))
            forward_datagram(forward, &ip, &datagram);
    }
    return true;
}

static void take_letter(void *context, int link, const struct braid_packet_in *packet) {
    (void)link;
    (void)udp_forward_intercept(context, packet);
}

static void on_box(void *context, int events) {
    struct udp_forward *forward = context;
    (void)events;
    packet_box_empty(udp_homes_box(forward->homes, forward->thread), take_letter, forward);
}

/* ---- all of them ---- */

void udp_forward_uplinks_changed(struct udp_forward *forward) {
    LIST_EACH(&forward->by_use, node, following) {
        struct mapping *mapping = LIST_ENTRY(node, struct mapping, by_use);
        if (mapping->server >= 0 || mapping->fd < 0) continue;
        struct engine_uplink_info wanted;
        bool any = preferred_uplink(forward, mapping->outside, &wanted);
        /* The next datagram opens another one. */
        if (!any || strcmp(wanted.interface, mapping->interface) != 0) socket_close(mapping);
    }
}

static void on_sweep(uv_timer_t *timer) {
    struct udp_forward *forward = timer->data;
    braid_time now = host_now();
    LIST_EACH(&forward->by_use, node, following) {
        struct mapping *mapping = LIST_ENTRY(node, struct mapping, by_use);
        if (now - mapping->used > IDLE_NS) mapping_end(mapping);
    }
}

static bool parts_create(struct udp_forward *forward) {
    const struct braid_env *env = engine_env(forward->engine);
    if (!env->random_secret(env->context, forward->hash_key, sizeof(forward->hash_key)) ||
        !hash_table_init(&forward->mappings, env))
        return false;
    forward->batch = udp_batch_create();
    if (forward->homes != NULL)
        forward->box = fd_watch_create(engine_loop(forward->engine),
                                       packet_box_fd(udp_homes_box(forward->homes, forward->thread)),
                                       UV_READABLE, on_box, forward);
    if (forward->batch != NULL && (forward->homes == NULL || forward->box != NULL)) return true;
    fd_watch_destroy(forward->box);
    udp_batch_destroy(forward->batch);
    hash_table_deinit(&forward->mappings);
    return false;
}

struct udp_forward *udp_forward_create(struct engine *engine, struct resolver *resolver,
                                       const struct udp_homes *homes, unsigned thread) {
    struct udp_forward *forward = calloc(1, sizeof(*forward));
    uv_timer_t *sweep = calloc(1, sizeof(*sweep));
    if (forward != NULL)
        *forward = (struct udp_forward){
            .engine = engine, .resolver = resolver, .homes = homes, .thread = thread, .sweep = sweep};
    if (forward == NULL || sweep == NULL || !parts_create(forward)) {
        free(sweep);
        free(forward);
        return NULL;
    }
    list_init(&forward->by_use);
    uv_timer_init(engine_loop(engine), forward->sweep);
    forward->sweep->data = forward;
    uv_timer_start(forward->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    return forward;
}

void udp_forward_set_tun(struct udp_forward *forward, int tun) {
    forward->tun = tun;
}

static void on_sweep_closed(uv_handle_t *sweep) {
    free(sweep);
}

void udp_forward_destroy(struct udp_forward *forward) {
    if (forward == NULL) return;
    LIST_EACH(&forward->by_use, node, following) mapping_end(LIST_ENTRY(node, struct mapping, by_use));
    fd_watch_destroy(forward->box);
    hash_table_deinit(&forward->mappings);
    uv_close((uv_handle_t *)forward->sweep, on_sweep_closed);
    udp_batch_destroy(forward->batch);
    free(forward);
}
