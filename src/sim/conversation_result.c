/* What came of a conversation. */
#include "conversation.h"

void sim_conversation_result(const struct sim_conversation *c, enum sim_direction direction,
                             struct sim_stream_result *out) {
    const struct stream *stream = &c->sides[direction].out;
    *out = (struct sim_stream_result){.written = stream->written,
                                      .read = stream->read,
                                      .wrong_bytes = stream->wrong_bytes,
                                      .shut = stream->shut,
                                      .ended = stream->ended,
                                      .first_at = stream->first_at,
                                      .last_at = stream->last_at,
                                      .ended_at = stream->ended_at,
                                      .messages = stream->messages,
                                      .worst_message_ns = stream->worst_message_ns};
}

bool sim_conversation_finished(const struct sim_conversation *c) {
    /* A client that never got through has no server beside it. */
    const struct side *client = &c->sides[SIM_UP], *server = &c->sides[SIM_DOWN];
    return client->gone && (server->gone || server->connection == NULL);
}

enum braid_close_reason sim_conversation_close_reason(const struct sim_conversation *c, enum sim_direction writer) {
    return c->sides[writer].reason;
}

const char *sim_conversation_fault(const struct sim_conversation *c) { return c->fault; }

bool sim_conversation_complete(const struct sim_conversation *c) {
    for (int i = 0; i < 2; i++) {
        const struct stream *stream = &c->sides[i].out;
        bool wrote_all = stream->shut || stream->written == stream->config.bytes;
        if (!wrote_all || stream->read != stream->written) return false;
        if (stream->shut && !stream->ended) return false;
        if (!stream->shut && !stream->config.keep_open) return false;
    }
    return c->fault == NULL;
}

uint16_t sim_conversation_port(const struct sim_conversation *c) { return c->config.remote.port; }

bool sim_conversation_connected(const struct sim_conversation *c) { return c->sides[SIM_UP].connected; }

struct braid_connection *sim_conversation_connection(const struct sim_conversation *c, enum sim_direction writer) {
    return c->sides[writer].connection;
}

static void longest(braid_time *most, braid_time gap_from, braid_time gap_to, braid_time from, braid_time to) {
    if (gap_to < from || gap_from > to) return;
    if (gap_to - gap_from > *most) *most = gap_to - gap_from;
}

braid_time sim_conversation_silence_ns(const struct sim_conversation *c, enum sim_direction direction,
                                       braid_time from, braid_time to) {
    const struct stream *stream = &c->sides[direction].out;
    braid_time most = 0;
    for (unsigned i = 0; i < stream->silence_count; i++)
        longest(&most, stream->silences[i].from, stream->silences[i].to, from, to);
    if (!stream->ended && stream->read < stream->config.bytes)
        longest(&most, stream->read == 0 ? stream->opened_at : stream->last_at, c->world->now, from, to);
    return most;
}

static int compare_times(const void *a, const void *b) {
    const braid_time *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

braid_time sim_conversation_message_ns(const struct sim_conversation *c, enum sim_direction direction,
                                       braid_time from, braid_time to, double q) {
    const struct stream *stream = &c->sides[direction].out;
    if (stream->message_count == 0) return 0;
    braid_time *taken = malloc(stream->message_count * sizeof(taken[0]));
    ENSURE(taken != NULL);
    size_t count = 0;
    for (uint64_t i = 0; i < stream->message_count; i++) {
        braid_time due = c->started_at + i * stream->config.interval_ns;
        if (due > to || due > c->world->now) break;
        if (due < from) continue;
        taken[count++] = i < stream->messages ? stream->message_ns[i] : c->world->now - due;
    }
    qsort(taken, count, sizeof(taken[0]), compare_times);
    size_t place = (size_t)(q * (double)count);
    braid_time found = count == 0 ? 0 : taken[place < count ? place : count - 1];
    free(taken);
    return found;
}

bool sim_world_run_conversations(struct sim_world *world, braid_time limit) {
    for (;;) {
        bool finished = true;
        for (const struct sim_conversation *c = world->conversations; c != NULL && finished; c = c->next)
            finished = sim_conversation_finished(c);
        if (finished) return true;
        if (!sim_world_step(world, limit)) return false;
    }
}
