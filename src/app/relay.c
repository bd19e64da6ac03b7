#include "relay.h"

#include <stdlib.h>
#include <string.h>
#include <base/buf.h>
#include <base/list.h>

/* A destination that has not answered by then is tried by another uplink as well: the first one may be dead
 * without anyone knowing yet. */
#define SECOND_ATTEMPT_MS 700
/* What one side had said before it reset may still reach the other, which a reset would overtake; not for
 * ever. */
#define RESET_GRACE_NS (2 * BRAID_NS_PER_S)
#define TICK_MS 50

struct side {
    struct braid_connection *connection; /* NULL: let go of */
    struct braid_slice pending;          /* read here, not yet taken by the other side */
    bool shut;                           /* our direction towards it was ended */
    bool closed;                         /* it is over; what was read of it may not be */
    bool delivered;                      /* all we wrote, the end included, has arrived */
};

struct relay {
    struct connection_owner owner;
    struct list_node node;
    struct relays *relays;
    struct side program, network;
    struct braid_connection *second; /* another attempt, by another uplink */
    struct braid_endpoint destination;
    struct braid_address first_local; /* of the first attempt */
    bool tried_again, accepted;
    braid_time began;
    braid_time reset_since; /* one side was reset; 0: none */
};

struct relays {
    struct engine *engine;
    struct braid_stack *stack;
    struct relay_hooks hooks;
    struct list_node all;
    unsigned count;
    uv_timer_t *tick;
};

/* The tick only runs while something waits for time to pass. */
static void on_tick(uv_timer_t *timer);

static void start_ticking(struct relays *relays) {
    if (!uv_is_active((uv_handle_t *)relays->tick)) uv_timer_start(relays->tick, on_tick, TICK_MS, TICK_MS);
}

/* ---- life ---- */

static void let_go(struct side *side, braid_time now) {
    slice_release(&side->pending);
    if (side->connection == NULL) return;
    braid_connection_set_user(side->connection, NULL);
    braid_connection_release(side->connection, now);
    side->connection = NULL;
}

static void cut(struct side *side, braid_time now) {
    if (side->connection != NULL && !side->closed) braid_connection_abort(side->connection, now);
    let_go(side, now);
}

static void forget_second(struct relay *relay, braid_time now) {
    struct side second = {.connection = relay->second};
    relay->second = NULL;
    cut(&second, now);
}

static void relay_end(struct relay *relay, braid_time now) {
    forget_second(relay, now);
    let_go(&relay->program, now);
    let_go(&relay->network, now);
    list_remove(&relay->node);
    relay->relays->count--;
    free(relay);
}

/* ---- opening ---- */

/* The program hears what the network said. */
static void refuse(struct relay *relay, enum braid_refusal how, braid_time now) {
    braid_connection_set_user(relay->program.connection, NULL);
    braid_connection_refuse(relay->program.connection, how, now);
    relay->program.connection = NULL;
    relay_end(relay, now);
}

static void accept_program(struct relay *relay, braid_time now) {
    relay->accepted = true;
    braid_connection_accept(relay->program.connection, now);
}

static struct braid_connection *connect_from(struct relay *relay, const struct braid_address *local,
                                             braid_time now, enum braid_connect_error *error) {
    struct braid_connect_config config = {
        .remote = relay->destination, .local = *local, .multipath = !relay->relays->hooks.plain, .no_delay = true};
    struct braid_connection *connection = braid_stack_connect(relay->relays->stack, &config, now, error);
    if (connection != NULL) braid_connection_set_user(connection, &relay->owner);
    return connection;
}

static enum braid_refusal refusal_for(enum braid_connect_error error) {
    switch (error) {
    case BRAID_CONNECT_NO_PATH:
        return BRAID_REFUSE_NET_UNREACHABLE;
    case BRAID_CONNECT_NO_PORT:
        return BRAID_REFUSE_HOST_UNREACHABLE;
    case BRAID_CONNECT_OK:
    case BRAID_CONNECT_NO_MEMORY:
    case BRAID_CONNECT_UNKNOWN_CONGESTION:
    case BRAID_CONNECT_UNKNOWN_SCHEDULER:
    case BRAID_CONNECT_UNKNOWN_PATH_MANAGER:
    case BRAID_CONNECT_BAD_LIMITS:
    case BRAID_CONNECT_BAD_VERSIONS:
        break;
    }
    return BRAID_REFUSE_SILENT; /* the program's kernel tries again */
}

static bool same_address(const struct braid_address *a, const struct ip_address *b) {
    return a->family == (uint8_t)b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Tries the first uplink that the first attempt did not go by. */
static struct braid_connection *attempt_again(struct relay *relay, braid_time now) {
    struct engine_uplink_info uplink;
    struct braid_connection *connection = NULL;
    relay->tried_again = true;
    for (size_t i = 0; connection == NULL && engine_uplink_info(relay->relays->engine, i, &uplink); i++) {
        const struct ip_address *address =
            relay->destination.address.family == 4 ? &uplink.address_v4 : &uplink.address_v6;
        enum braid_connect_error error;
        if (address->family == IP_NONE || same_address(&relay->first_local, address)) continue;
        struct braid_address local = {.family = (uint8_t)address->family};
        memcpy(local.bytes, address->bytes, sizeof(local.bytes));
        connection = connect_from(relay, &local, now, &error);
    }
    return connection;
}

/* An attempt failed. If somebody at the far end said no, that is the answer. A way that leads nowhere is
 * none, while there may be another. */
static void attempt_failed(struct relay *relay, struct braid_connection *failed, braid_time now) {
    enum braid_close_reason reason = braid_connection_close_reason(failed);
    enum braid_refusal refusal = braid_connection_refusal(failed);
    struct braid_connection *other = failed == relay->second ? relay->network.connection : relay->second;
    bool said_no = reason == BRAID_CLOSED_REFUSED || reason == BRAID_CLOSED_RESET;
    struct side gone = {.connection = failed, .closed = true};
    let_go(&gone, now);
    if (other == NULL && !said_no && !relay->tried_again) other = attempt_again(relay, now);
    relay->network.connection = other;
    relay->second = NULL;
    if (other != NULL && !said_no) return;
    cut(&relay->network, now);
    refuse(relay, refusal, now);
}

static void attempt_event(struct relay *relay, const struct braid_event *event, braid_time now) {
    if (event->bits & BRAID_EVENT_CLOSED) {
        attempt_failed(relay, event->connection, now);
        return;
    }
    if (!(event->bits & BRAID_EVENT_CONNECTED)) return;
    if (event->connection == relay->second) {
        relay->second = relay->network.connection;
        relay->network.connection = event->connection;
    }
    forget_second(relay, now);
    accept_program(relay, now);
}

/* ---- passing on ---- */

/* Everything that `from` has, as far as `to` takes it. */
static void pump(struct side *from, struct side *to, braid_time now) {
    if (from->connection == NULL || to->connection == NULL || to->shut || to->closed) return;
    for (;;) {
        if (from->pending.length == 0) from->pending = braid_connection_read_slice(from->connection, now);
        if (from->pending.length == 0) break;
        if (!braid_connection_write_slice(to->connection, from->pending, now))
            return; /* WRITABLE will come */
        from->pending = (struct braid_slice){0};
    }
    if (!braid_connection_at_end(from->connection)) return;
    braid_connection_shutdown(to->connection, now);
    to->shut = true;
}

static bool was_reset(const struct side *side) {
    return side->closed && side->connection != NULL &&
           braid_connection_close_reason(side->connection) != BRAID_CLOSED_NORMALLY;
}

static bool all_arrived(const struct side *side) {
    struct braid_connection_info info;
    braid_connection_info(side->connection, &info);
    return info.bytes_acknowledged >= info.bytes_written;
}

/* One side was reset: so is the other, as soon as what was said before has reached it. */
static void pass_reset_on(struct relay *relay, struct side *reset, struct side *other, braid_time now) {
    if (relay->reset_since == 0) relay->reset_since = now;
    start_ticking(relay->relays);
    bool in_time = now - relay->reset_since < RESET_GRACE_NS;
    if (in_time && !other->closed && (reset->pending.length > 0 || !all_arrived(other))) return;
    cut(other, now);
    relay_end(relay, now);
}

static void progress(struct relay *relay, braid_time now) {
    struct side *program = &relay->program, *network = &relay->network;
    pump(program, network, now);
    pump(network, program, now);
    if (was_reset(program))
        pass_reset_on(relay, program, network, now);
    else if (was_reset(network))
        pass_reset_on(relay, network, program, now);
    else if (program->closed && network->closed)
        relay_end(relay, now);
}

/* ---- events ---- */

static void on_event(struct connection_owner *owner, const struct braid_event *event, braid_time now) {
    struct relay *relay = CONTAINER_OF(owner, struct relay, owner);
    bool of_program = event->connection == relay->program.connection;
    if (!relay->accepted && !of_program) {
        attempt_event(relay, event, now);
        return;
    }
    struct side *side = of_program ? &relay->program : &relay->network;
    if (event->bits & BRAID_EVENT_CLOSED) side->closed = true;
    if (event->bits & BRAID_EVENT_SENT) side->delivered = true;
    if (relay->accepted) {
        progress(relay, now);
    } else if (side->closed) { /* the program did not wait */
        cut(&relay->network, now);
        relay_end(relay, now);
    }
}

static bool served_otherwise(struct relays *relays, struct braid_connection *connection,
                             const struct braid_endpoint *destination, braid_time now) {
    return relays->hooks.serve != NULL &&
           relays->hooks.serve(relays->hooks.context, connection, destination, now);
}

static void incoming(struct relays *relays, struct braid_connection *connection, braid_time now) {
    struct braid_endpoint destination, program;
    struct relay_route route = {.reachable = true};
    enum braid_connect_error error;
    braid_connection_endpoints(connection, &destination, &program);
    if (served_otherwise(relays, connection, &destination, now)) return;
    if (relays->hooks.route != NULL) route = relays->hooks.route(relays->hooks.context, &destination.address);
    struct relay *relay = route.reachable ? calloc(1, sizeof(*relay)) : NULL;
    if (relay == NULL) {
        braid_connection_refuse(connection, route.reachable ? BRAID_REFUSE_SILENT : route.refusal, now);
        return;
    }
    relay->owner.on_event = on_event;
    relay->relays = relays;
    relay->destination = destination;
    relay->began = now;
    relay->program.connection = connection;
    braid_connection_set_user(connection, &relay->owner);
    list_append(&relays->all, &relay->node);
    relays->count++;
    start_ticking(relays);
    relay->network.connection = connect_from(relay, &route.local, now, &error);
    if (relay->network.connection == NULL) {
        refuse(relay, refusal_for(error), now);
        return;
    }
    struct braid_endpoint local, remote;
    braid_connection_endpoints(relay->network.connection, &local, &remote);
    relay->first_local = local.address;
}

void relays_event(struct relays *relays, const struct braid_event *event, braid_time now) {
    struct connection_owner *owner = braid_connection_user(event->connection);
    struct braid_event rest = *event;
    if (event->bits & BRAID_EVENT_INCOMING) {
        /* A program that gave up in the same moment is told no all the same; nobody listens. */
        if (event->bits & BRAID_EVENT_CLOSED)
            braid_connection_refuse(event->connection, BRAID_REFUSE_SILENT, now);
        else
            incoming(relays, event->connection, now);
        return;
    }
    if (owner != NULL) owner->on_event(owner, &rest, now);
}

static void on_tick(uv_timer_t *timer) {
    struct relays *relays = timer->data;
    braid_time now = host_now();
    bool waiting = false;
    LIST_EACH(&relays->all, node, following) {
        struct relay *relay = LIST_ENTRY(node, struct relay, node);
        if (relay->accepted && relay->reset_since == 0) continue;
        waiting = true;
        if (relay->reset_since != 0)
            progress(relay, now);
        else if (!relay->tried_again && now - relay->began >= SECOND_ATTEMPT_MS * BRAID_NS_PER_MS)
            relay->second = attempt_again(relay, now);
    }
    if (!waiting) uv_timer_stop(timer);
}

/* ---- all of them ---- */

struct relays *relays_create(struct engine *engine, const struct relay_hooks *hooks) {
    struct relays *relays = calloc(1, sizeof(*relays));
    uv_timer_t *tick = calloc(1, sizeof(*tick));
    if (relays == NULL || tick == NULL) {
        free(relays);
        free(tick);
        return NULL;
    }
    *relays = (struct relays){.engine = engine, .stack = engine_stack(engine), .hooks = *hooks, .tick = tick};
    list_init(&relays->all);
    uv_timer_init(engine_loop(engine), tick);
    tick->data = relays;
    return relays;
}

static void on_tick_closed(uv_handle_t *tick) {
    free(tick);
}

void relays_destroy(struct relays *relays) {
    if (relays == NULL) return;
    braid_time now = host_now();
    LIST_EACH(&relays->all, node, following) {
        struct relay *relay = LIST_ENTRY(node, struct relay, node);
        cut(&relay->program, now);
        cut(&relay->network, now);
        relay_end(relay, now);
    }
    uv_close((uv_handle_t *)relays->tick, on_tick_closed);
    free(relays);
}

/* The program's end has come, by its end of stream or by a reset that is being passed on. */
static bool program_ended(const struct relay *relay) {
    return relay->program.closed || relay->network.shut || relay->reset_since != 0 ||
           braid_connection_at_end(relay->program.connection);
}

unsigned relays_undelivered(const struct relays *relays, bool programs_gone, uint64_t *arrived_bytes) {
    unsigned count = 0;
    *arrived_bytes = 0;
    LIST_EACH(&relays->all, node, following) {
        const struct relay *relay = LIST_ENTRY(node, struct relay, node);
        struct braid_connection_info info;
        if (!relay->accepted || relay->network.delivered || relay->network.closed) continue;
        if (!programs_gone && !program_ended(relay)) continue;
        count++;
        braid_connection_info(relay->network.connection, &info);
        *arrived_bytes += info.bytes_acknowledged;
    }
    return count;
}

unsigned relays_count(const struct relays *relays) {
    return relays->count;
}

void relays_each(const struct relays *relays,
                 void (*each)(void *context, struct braid_connection *connection), void *context) {
    LIST_EACH(&relays->all, node, following) {
        const struct relay *relay = LIST_ENTRY(node, struct relay, node);
        if (relay->network.connection != NULL) each(context, relay->network.connection);
    }
}
