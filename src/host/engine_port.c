/* A link of the stack's and its device: packets in by batches, packets out by a queue. */
#include "engine_internal.h"

bool port_add(struct engine *engine, struct engine_port *port, const struct link_capabilities *capabilities,
              const struct braid_link_config *config) {
    struct braid_link_config complete = *config;
    complete.mtu_bytes = capabilities->mtu;
    complete.checksum_offload = capabilities->checksum_offload;
    if (capabilities->super_segment_bytes > BRAID_PACKET_HEADER_MAX)
        complete.super_segment_bytes = capabilities->super_segment_bytes - BRAID_PACKET_HEADER_MAX;
    port->engine = engine;
    port->number = braid_stack_link_add(engine->stack, &complete);
    if (port->number < 0) return false;
    engine->ports[port->number] = port;
    if (port->number >= engine->port_count) engine->port_count = port->number + 1;
    return true;
}

static void on_ready(void *context, int events) {
    struct engine_port *port = context;
    if (events & UV_READABLE) port->readable = true;
    if (events & UV_WRITABLE) port->blocked = false;
}

bool port_open(struct engine_port *port, struct link *device) {
    port->watch = fd_watch_create(&port->engine->loop, link_fd(device), UV_READABLE, on_ready, port);
    if (port->watch == NULL) return false;
    port->device = device;
    port->blocked = false;
    return true;
}

void port_close(struct engine_port *port) {
    fd_watch_destroy(port->watch);
    port->watch = NULL;
    port->device = NULL;
    port->readable = port->blocked = false;
    packet_queue_deinit(&port->queue);
}

/* Lets the application have what is its own. Returns how many are left for the stack. */
static size_t intercept(struct engine_port *port, struct braid_packet_in *packets, size_t count) {
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        if (!port->intercept(port->context, &packets[i])) packets[left++] = packets[i];
    return left;
}

bool port_receive(struct engine_port *port) {
    struct braid_packet_in packets[LINK_BATCH_MAX];
    if (port->device == NULL) return false;
    uint64_t before = port->device->statistics->bytes_in;
    int got = link_receive(port->device, packets, LINK_BATCH_MAX);
    if (got < 0) {
        /* The device is gone; netlink tells the rest. Its descriptor would be ready for ever. */
        fd_watch_set(port->watch, 0);
        return false;
    }
    uint64_t bytes = port->device->statistics->bytes_in - before;
    rest_count(&port->engine->rest, bytes);
    size_t count = (size_t)got;
    if (port->intercept != NULL) count = intercept(port, packets, count);
    if (port->engine->team != NULL) count = team_sort(port->engine->team, port->engine->team_place, port->number, packets, count);
    if (count > 0) braid_stack_input(port->engine->stack, port->number, packets, count, port->engine->now);
    return got == LINK_BATCH_MAX || bytes >= LINK_BATCH_BYTES;
}

void port_flush(struct engine_port *port) {
    if (port->device == NULL) {
        packet_queue_drop_all(&port->queue);
        return;
    }
    if (port->blocked || packet_queue_count(&port->queue) == 0) return;
    port->blocked = !packet_queue_flush(&port->queue, port->device);
    fd_watch_set(port->watch, UV_READABLE | (port->blocked ? UV_WRITABLE : 0));
}
