/* The sockets' clockwork: the stack underneath, its links, its packets, its events, and waiting. */
#include "sockets_internal.h"

#include <stdlib.h>

static void *default_allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}

static void default_release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}

/* The environment's context is ours; the hooks get their own. */
static void *env_allocate(void *context, size_t size) {
    const struct braid_sockets *net = context;
    return net->hooks.allocate(net->hooks.context, size);
}

static void env_release(void *context, void *memory, size_t size) {
    const struct braid_sockets *net = context;
    net->hooks.release(net->hooks.context, memory, size);
}

static bool env_random(void *context, void *out, size_t size) {
    struct braid_sockets *net = context;
    if (net->hooks.random) return net->hooks.random(net->hooks.context, out, size);
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)out)[i] = (uint8_t)(prng_next(&net->secret) >> 32);
    return true;
}

static void env_trace(void *context, braid_time now, const char *event,
                      const struct braid_trace_field *fields, size_t count) {
    const struct braid_sockets *net = context;
    net->hooks.trace(net->hooks.context, now, event, fields, count);
}

struct braid_sockets *braid_sockets_create(const struct braid_sockets_hooks *hooks,
                                           const struct braid_stack_config *config) {
    struct braid_sockets_hooks own = *hooks;
    if (!own.allocate || !own.release) {
        own.allocate = default_allocate;
        own.release = default_release;
    }
    struct braid_sockets *net = own.allocate(own.context, sizeof(*net));
    if (!net) return NULL;
    memset(net, 0, sizeof(*net));
    net->hooks = own;
    prng_seed(&net->secret, own.seed);
    prng_seed(&net->ports, own.seed + 1);
    net->env = (struct braid_env){.context = net,
                                  .allocate = env_allocate,
                                  .release = env_release,
                                  .random_secret = env_random,
                                  .jitter_seed = own.seed,
                                  .trace = own.trace ? env_trace : NULL};
    net->stack = braid_stack_create(&net->env, config);
    if (net->stack) return net;
    own.release(own.context, net, sizeof(*net));
    return NULL;
}

void braid_sockets_destroy(struct braid_sockets *net) {
    if (!net) return;
    for (size_t i = 0; i < net->capacity; i++)
        if (net->table[i]) socket_free(net->table[i]);
    braid_stack_destroy(net->stack);
    if (net->table) env_release(net, net->table, net->capacity * sizeof(*net->table));
    net->hooks.release(net->hooks.context, net, sizeof(*net));
}

braid_time sockets_now(const struct braid_sockets *net) {
    return net->hooks.now(net->hooks.context);
}

braid_time sockets_until(const struct braid_sockets *net, braid_time timeout_ns) {
    braid_time now = sockets_now(net);
    return timeout_ns == 0 || timeout_ns >= BRAID_NEVER - now ? BRAID_NEVER : now + timeout_ns;
}

/* --- packets --- */

static void transmit(struct braid_sockets *net, struct braid_packet_out *packet) {
    size_t length = packet->header_length;
    memcpy(net->packet, packet->header, length);
    for (unsigned i = 0; i < packet->slice_count; i++) {
        memcpy(net->packet + length, packet->slices[i].bytes, packet->slices[i].length);
        length += packet->slices[i].length;
    }
    int link = packet->link;
    braid_packet_out_release(packet);
    net->hooks.transmit(net->hooks.context, link, net->packet, length);
}

static void output(struct braid_sockets *net, braid_time now) {
    struct braid_packet_out packets[8];
    size_t count;
    do {
        memset(packets, 0, sizeof(packets));
        count = braid_stack_output(net->stack, packets, sizeof(packets) / sizeof(packets[0]), now);
        for (size_t i = 0; i < count; i++)
            transmit(net, &packets[i]);
    } while (count == sizeof(packets) / sizeof(packets[0]));
}

/* --- events --- */

static struct socket *listening_socket(const struct braid_sockets *net,
                                       const struct braid_listener *listener) {
    for (size_t i = 0; i < net->capacity; i++)
        if (net->table[i] && net->table[i]->listener == listener) return net->table[i];
    return NULL;
}

static struct socket *accepted(struct braid_sockets *net, const struct braid_event *event, braid_time now) {
    struct socket *listening = listening_socket(net, event->listener), *socket = NULL;
    if (listening && listening->waiting_count < listening->backlog)
        socket = socket_create(net, listening->domain);
    if (!socket) {
        braid_connection_abort(event->connection, now);
        braid_connection_release(event->connection, now);
        return NULL;
    }
    socket->multipath = listening->multipath;
    socket->options = listening->options;
    socket->connection = event->connection;
    socket->established = true;
    braid_connection_set_user(event->connection, socket);
    socket_tune(socket);
    list_append(&listening->waiting, &socket->waiting);
    listening->waiting_count++;
    return socket;
}

static void take_event(struct braid_sockets *net, const struct braid_event *event, braid_time now) {
    struct socket *socket = braid_connection_user(event->connection);
    if (!socket && (event->bits & BRAID_EVENT_ACCEPTED)) socket = accepted(net, event, now);
    if (!socket) return;
    if (event->bits & BRAID_EVENT_CONNECTED) socket->established = true;
    if (event->bits & BRAID_EVENT_SENT) socket->sent_all = true;
    if (event->bits & BRAID_EVENT_CLOSED) {
        socket->over = true;
        socket->error = socket_reason(socket);
    }
}

void sockets_settle(struct braid_sockets *net) {
    struct braid_event event;
    braid_time now = sockets_now(net);
    bool more = true;
    braid_stack_expire(net->stack, now);
    while (more) {
        output(net, now);
        for (more = false; braid_stack_next_event(net->stack, &event); more = true)
            take_event(net, &event, now);
    }
}

bool sockets_wait(struct braid_sockets *net, braid_time until) {
    if (!net->hooks.wait || until <= sockets_now(net)) return false;
    if (!net->hooks.wait(net->hooks.context, until)) return false;
    sockets_settle(net);
    return true;
}

/* --- the world around --- */

int braid_sockets_link_add(struct braid_sockets *net, const struct braid_link_config *config) {
    struct braid_link_config own = *config;
    if (own.mtu_bytes < 576 || own.mtu_bytes > 65535) return -EINVAL;
    own.super_segment_bytes = 0;
    own.checksum_offload = false;
    int link = braid_stack_link_add(net->stack, &own);
    if (link < 0) return -ENOSPC;
    net->links = link + 1;
    return link;
}

int braid_sockets_address_add(struct braid_sockets *net, int link, const struct braid_address *address,
                              bool backup, bool announce) {
    if (link < 0 || link >= net->links || (address->family != 4 && address->family != 6)) return -EINVAL;
    if (!braid_stack_address_add(net->stack, link, address, backup, announce, sockets_now(net)))
        return -ENOSPC;
    sockets_settle(net);
    return 0;
}

int braid_sockets_address_remove(struct braid_sockets *net, int link, const struct braid_address *address) {
    if (link < 0 || link >= net->links) return -EINVAL;
    braid_stack_address_remove(net->stack, link, address, sockets_now(net));
    sockets_settle(net);
    return 0;
}

int braid_sockets_packet_in(struct braid_sockets *net, int link, const uint8_t *packet, size_t length) {
    if (link < 0 || link >= net->links) return -EINVAL;
    if (length > UINT32_MAX) length = UINT32_MAX;
    struct braid_packet_in in = {.bytes = packet, .length = (uint32_t)length};
    braid_stack_input(net->stack, link, &in, 1, sockets_now(net));
    sockets_settle(net);
    return 0;
}

braid_time braid_sockets_deadline(const struct braid_sockets *net) {
    return braid_stack_deadline(net->stack);
}
void braid_sockets_tick(struct braid_sockets *net) {
    sockets_settle(net);
}
struct braid_stack *braid_sockets_stack(struct braid_sockets *net) {
    return net->stack;
}
