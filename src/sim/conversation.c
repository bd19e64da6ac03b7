/* Applications: what they write and read, and what they make of what the stack tells them. */
#include "conversation.h"

#include <pthread.h>
#include <base/buf.h>

/* --- the pattern --- */

/* A prime number of bytes, so that a stream put together wrongly does not look right. */
enum { PATTERN_BYTES = 262147, PATTERN_SALT = 100003, READ_BYTES_MAX = 65536, WRITE_BYTES = 65536 };

/* The same for all worlds, and never changed. */
static uint8_t pattern[PATTERN_BYTES];

static void pattern_fill(void) {
    struct prng prng;
    prng_seed(&prng, PATTERN_SALT);
    for (size_t i = 0; i + 8 <= PATTERN_BYTES; i += 8) {
        uint64_t word = prng_next(&prng);
        memcpy(pattern + i, &word, 8);
    }
}

/* The bytes of the stream from `offset` on, and how many of them are in one piece. */
static const uint8_t *pattern_at(const struct sim_conversation *c, enum sim_direction stream, uint64_t offset,
                                 uint32_t *run) {
    uint64_t place = (offset + (uint64_t)PATTERN_SALT * (2 * c->number + (uint64_t)stream)) % PATTERN_BYTES;
    *run = (uint32_t)(PATTERN_BYTES - place);
    return pattern + place;
}

bool sim_conversation_wrote(const struct sim_conversation *c, enum sim_direction stream, uint64_t offset,
                            const uint8_t *bytes, uint32_t length) {
    if (offset + length > c->sides[stream].out.written) return false;
    while (length > 0) {
        uint32_t run;
        const uint8_t *expected = pattern_at(c, stream, offset, &run);
        if (run > length) run = length;
        if (memcmp(bytes, expected, run) != 0) return false;
        offset += run, bytes += run, length -= run;
    }
    return true;
}

/* --- faults --- */

static void fault(struct sim_conversation *c, const char *what) {
    if (c->fault == NULL) c->fault = what;
}

/* --- writing --- */

static void side_shut(struct side *side, braid_time now) {
    if (side->out.shut || side->connection == NULL) return;
    side->out.shut = true;
    braid_connection_shutdown(side->connection, now);
}

/* How far it may write by now. */
static uint64_t due_bytes(const struct side *side, braid_time now) {
    const struct sim_stream_config *config = &side->out.config;
    if (config->echo) return side->c->sides[1 - side->writes].out.read;
    if (config->message_bytes == 0) return config->bytes;
    uint64_t due = (1 + (now - side->c->started_at) / config->interval_ns) * config->message_bytes;
    return due < config->bytes ? due : config->bytes;
}

static void set_message_timer(struct side *side) {
    const struct sim_stream_config *config = &side->out.config;
    if (config->message_bytes == 0 || config->echo || side->out.shut) return;
    uint64_t next = side->out.written / config->message_bytes;
    if (side->out.written < config->bytes)
        sim_timer_set(side->c->world, &side->timer, side->c->started_at + next * config->interval_ns);
}

static uint32_t write_slice(struct side *side, const uint8_t *bytes, uint32_t length, braid_time now) {
    struct braid_slice slice = slice_copy(&side->c->world->env, bytes, length);
    ENSURE(slice.length == length);
    if (braid_connection_write_slice(side->connection, slice, now)) return length;
    slice_release(&slice);
    return 0;
}

static void side_write(struct side *side, braid_time now) {
    const struct sim_stream_config *config = &side->out.config;
    uint32_t most = config->write_bytes != 0 ? config->write_bytes : WRITE_BYTES;
    if (side->connection == NULL || side->out.shut) return;
    uint64_t due = due_bytes(side, now);
    bool full = false;
    while (side->out.written < due && !full) {
        uint32_t run, want = most;
        const uint8_t *bytes = pattern_at(side->c, side->writes, side->out.written, &run);
        if (want > due - side->out.written) want = (uint32_t)(due - side->out.written);
        if (want > run) want = run;
        uint32_t taken = config->slices ? write_slice(side, bytes, want, now)
                                        : braid_connection_write(side->connection, bytes, want, now);
        if (taken > want) fault(side->c, "more was taken than was written");
        side->out.written += taken;
        full = taken < want;
    }
    if (side->out.written == config->bytes && !config->keep_open) side_shut(side, now);
    if (!full) set_message_timer(side);
}

static void message_timer_fire(struct sim_timer *timer, braid_time now) {
    struct side *side = CONTAINER_OF(timer, struct side, timer);
    side_write(side, now);
    sim_host_touch(side->host);
}

/* --- reading --- */

/* No room for more: the shorter ones are of less interest, from now on too. */
static void forget_short_silences(struct stream *in) {
    unsigned kept = 0;
    in->silence_min_ns *= 2;
    for (unsigned i = 0; i < in->silence_count; i++)
        if (in->silences[i].to - in->silences[i].from >= in->silence_min_ns) in->silences[kept++] = in->silences[i];
    in->silence_count = kept;
}

static void note_silence(struct stream *in, braid_time now) {
    braid_time from = in->read == 0 ? in->opened_at : in->last_at;
    while (in->silence_count == SILENCES_MAX) forget_short_silences(in);
    if (now - from < in->silence_min_ns) return;
    in->silences[in->silence_count].from = from;
    in->silences[in->silence_count++].to = now;
}

static void note_messages(struct side *reader, struct stream *in, uint32_t length, braid_time now) {
    const struct sim_stream_config *config = &in->config;
    if (config->message_bytes == 0) return;
    uint64_t whole = (in->read + length) / config->message_bytes;
    for (; in->messages < whole; in->messages++) {
        braid_time took = now - (reader->c->started_at + in->messages * config->interval_ns);
        if (took > in->worst_message_ns) in->worst_message_ns = took;
        if (in->messages < in->message_count) in->message_ns[in->messages] = took;
    }
}

static void wrong_bytes(struct sim_conversation *c, struct stream *in, const uint8_t *bytes, const uint8_t *expected,
                        uint32_t length) {
    fault(c, "other bytes were read than were written");
    for (uint32_t i = 0; i < length; i++) in->wrong_bytes += bytes[i] != expected[i];
}

/* `length` bytes came for `side` to read. */
static void take_bytes(struct side *side, const uint8_t *bytes, uint32_t length, braid_time now) {
    struct side *writer = &side->c->sides[1 - side->writes];
    struct stream *in = &writer->out;
    note_silence(in, now);
    note_messages(side, in, length, now);
    if (in->first_at == 0) in->first_at = now;
    in->last_at = now;
    if (in->read + length > in->written) fault(side->c, "more was read than was written");
    while (length > 0) {
        uint32_t run;
        const uint8_t *expected = pattern_at(side->c, writer->writes, in->read, &run);
        if (run > length) run = length;
        if (memcmp(bytes, expected, run) != 0) wrong_bytes(side->c, in, bytes, expected, run);
        in->read += run;
        bytes += run;
        length -= run;
    }
}

static void read_copies(struct side *side, uint32_t most, braid_time now) {
    static uint8_t bytes[READ_BYTES_MAX];
    uint32_t length;
    if (most > READ_BYTES_MAX) most = READ_BYTES_MAX;
    while ((length = braid_connection_read(side->connection, bytes, most, now)) > 0)
        take_bytes(side, bytes, length, now);
}

static void read_references(struct side *side, braid_time now) {
    struct braid_slice slice;
    while ((slice = braid_connection_read_slice(side->connection, now)).length > 0) {
        take_bytes(side, slice.bytes, slice.length, now);
        slice_release(&slice);
    }
}

static void side_read(struct side *side, braid_time now) {
    if (side->connection == NULL || side->paused) return;
    struct stream *in = &side->c->sides[1 - side->writes].out;
    if (in->config.read_bytes != 0) read_copies(side, in->config.read_bytes, now);
    else read_references(side, now);
    if (in->ended || !braid_connection_at_end(side->connection)) return;
    in->ended = true;
    in->ended_at = now;
    if (!in->shut || in->read != in->written) fault(side->c, "the stream ended before its end");
}

/* --- life --- */

static void side_let_go(struct side *side, braid_time now) {
    if (side->connection == NULL) return;
    struct braid_connection *connection = side->connection;
    side->connection = NULL;
    side->gone = true;
    sim_timer_set(side->c->world, &side->timer, BRAID_NEVER);
    braid_connection_release(connection, now);
    sim_host_touch(side->host);
}

/* An application is through when it has read the end and all it wrote has arrived, or when it is told that all is over
 * and has read what there was. */
static void side_maybe_leave(struct side *side, unsigned bits, braid_time now) {
    const struct stream *in = &side->c->sides[1 - side->writes].out;
    if (side->connection == NULL) return;
    if (bits & BRAID_EVENT_SENT && side->out.shut) side->sent = true;
    if (bits & BRAID_EVENT_CLOSED) {
        side->reason = braid_connection_close_reason(side->connection);
        if (side->reason == BRAID_OPEN) fault(side->c, "closed without a reason");
    }
    if (side->reason != BRAID_OPEN) {
        if (side->paused) return; /* there may be more to read */
        if (side->reason == BRAID_CLOSED_NORMALLY && !in->ended)
            fault(side->c, "closed normally without the end of the stream");
        side_let_go(side, now);
    } else if (side->sent && in->ended) {
        side->reason = BRAID_CLOSED_NORMALLY;
        side_let_go(side, now);
    }
}

static void side_take(struct side *side, struct braid_connection *connection, braid_time now) {
    side->connection = connection;
    braid_connection_set_user(connection, side);
    side->c->sides[1 - side->writes].out.opened_at = now;
}

static void answer(void *context, braid_time now) {
    struct side *side = context;
    if (side->connection == NULL) return;
    braid_connection_accept(side->connection, now);
    sim_host_touch(side->host);
}

static struct sim_conversation *conversation_of(struct sim_world *world, const struct braid_listener *listener) {
    struct sim_conversation *c = world->conversations;
    while (c != NULL && c->listener != listener) c = c->next;
    return c;
}

/* A connection no side knows: the server's, just come. */
static struct side *newcomer(struct sim_world *world, const struct braid_event *event, braid_time now) {
    struct sim_conversation *c = event->listener != NULL ? conversation_of(world, event->listener) : NULL;
    if (c == NULL || c->sides[SIM_DOWN].connection != NULL || c->sides[SIM_DOWN].gone) return NULL;
    side_take(&c->sides[SIM_DOWN], event->connection, now);
    if (event->bits & BRAID_EVENT_INCOMING)
        sim_world_at(world, now + c->config.answer_ns, answer, &c->sides[SIM_DOWN]);
    return &c->sides[SIM_DOWN];
}

static void conversation_event(void *context, struct sim_host *host, const struct braid_event *event,
                               braid_time now) {
    struct sim_world *world = context;
    struct side *side = braid_connection_user(event->connection);
    (void)host;
    if (side == NULL) side = newcomer(world, event, now);
    if (side == NULL) {
        /* One connection too many, as a duplicated SYN can make it. */
        braid_connection_abort(event->connection, now);
        braid_connection_release(event->connection, now);
        return;
    }
    if (event->bits & (BRAID_EVENT_CONNECTED | BRAID_EVENT_ACCEPTED)) side->connected = true;
    if (event->bits & (BRAID_EVENT_READABLE | BRAID_EVENT_CLOSED)) side_read(side, now);
    bool echo = side->out.config.echo && event->bits & BRAID_EVENT_READABLE;
    if (echo || event->bits & (BRAID_EVENT_WRITABLE | BRAID_EVENT_CONNECTED | BRAID_EVENT_ACCEPTED)) side_write(side, now);
    side_maybe_leave(side, event->bits, now);
    sim_host_touch(side->host);
}

static void conversation_begin(void *context, braid_time now) {
    struct sim_conversation *c = context;
    struct side *client = &c->sides[SIM_UP];
    struct braid_connect_config config = {.remote = c->config.remote,
                                          .local = c->config.local,
                                          .multipath = !c->config.plain_client,
                                          .single_path = c->config.single_path,
                                          .no_delay = c->config.no_delay,
                                          .fast_open = c->config.fast_open,
                                          .congestion = c->config.congestion,
                                          .scheduler = c->config.scheduler};
    enum braid_connect_error error;
    c->started_at = now;
    struct braid_connection *connection = braid_stack_connect(sim_host_stack(client->host), &config, now, &error);
    if (connection == NULL) {
        client->gone = true;
        client->reason = BRAID_CLOSED_UNREACHABLE;
        return;
    }
    side_take(client, connection, now);
    side_write(client, now);
    sim_host_touch(client->host);
}

static void side_init(struct sim_conversation *c, enum sim_direction writes, struct sim_host *host) {
    struct side *side = &c->sides[writes];
    *side = (struct side){.c = c,
                          .host = host,
                          .writes = writes,
                          .timer = {.fire = message_timer_fire},
                          .out = {.config = c->config.streams[writes],
                                  .opened_at = c->world->now,
                                  .silence_min_ns = SILENCE_MIN_NS}};
    if (side->out.config.message_bytes != 0) {
        side->out.message_count = side->out.config.bytes / side->out.config.message_bytes;
        side->out.message_ns = sim_allocate(c->world, (side->out.message_count + 1) * sizeof(braid_time));
    }
    sim_host_set_listener(host, (struct sim_listener){.context = c->world, .event = conversation_event});
}

struct sim_conversation *sim_conversation_start(struct sim_world *world,
                                                const struct sim_conversation_config *config) {
    static pthread_once_t filled = PTHREAD_ONCE_INIT;
    struct sim_conversation *c = sim_allocate(world, sizeof(*c));
    pthread_once(&filled, pattern_fill);
    c->world = world;
    c->config = *config;
    c->number = world->conversations != NULL ? world->conversations->number + 1 : 0;
    c->next = world->conversations;
    world->conversations = c;
    side_init(c, SIM_UP, config->client);
    side_init(c, SIM_DOWN, config->server);
    struct braid_listen_config listen = {.link = -1,
                                         .congestion = config->congestion,
                                         .scheduler = config->scheduler,
                                         .local = {.port = config->remote.port},
                                         .multipath = !config->plain_server,
                                         .deferred = config->deferred};
    if (config->fast_open) listen.fast_open_pending_max = config->fast_open_pending_max > 0 ? config->fast_open_pending_max : 8;
    c->listener = braid_stack_listen(sim_host_stack(config->server), &listen);
    if (c->listener == NULL) c->sides[SIM_DOWN].gone = true; /* no memory: clients will be refused */
    sim_world_at(world, config->start_ns, conversation_begin, c);
    return c;
}

void conversations_destroy(struct sim_world *world) {
    while (world->conversations != NULL) {
        struct sim_conversation *c = world->conversations;
        world->conversations = c->next;
        for (int i = 0; i < 2; i++) {
            struct stream *out = &c->sides[i].out;
            sim_timer_set(world, &c->sides[i].timer, BRAID_NEVER);
            if (out->message_ns != NULL)
                sim_release(world, out->message_ns, (out->message_count + 1) * sizeof(braid_time));
        }
        sim_release(world, c, sizeof(*c));
    }
}

/* --- odd moments --- */

void sim_conversation_pause_reading(struct sim_conversation *c, enum sim_direction side, bool paused) {
    c->sides[side].paused = paused;
    if (paused) return;
    side_read(&c->sides[side], c->world->now);
    side_maybe_leave(&c->sides[side], 0, c->world->now);
    sim_host_touch(c->sides[side].host);
}

void sim_conversation_shut(struct sim_conversation *c, enum sim_direction side) {
    side_shut(&c->sides[side], c->world->now);
    sim_host_touch(c->sides[side].host);
}

void sim_conversation_abort(struct sim_conversation *c, enum sim_direction side) {
    if (c->sides[side].connection == NULL) return;
    c->aborted = true;
    braid_connection_abort(c->sides[side].connection, c->world->now);
    sim_host_touch(c->sides[side].host);
}

void sim_conversation_release(struct sim_conversation *c, enum sim_direction side) {
    if (c->sides[side].connection == NULL) return;
    c->sides[side].out.shut = true;
    side_let_go(&c->sides[side], c->world->now);
}
