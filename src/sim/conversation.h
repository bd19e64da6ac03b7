/* A conversation's two sides and two streams, as they are kept. */
#ifndef CONVERSATION_H
#define CONVERSATION_H

#include <sim/conversation.h>
#include "sim_internal.h"

enum conversation_limit { SILENCES_MAX = 1024, SILENCE_MIN_NS = 5 * BRAID_NS_PER_MS };

/* What one side writes and the other reads. */
struct stream {
    struct sim_stream_config config;
    uint64_t written, read, wrong_bytes, messages;
    bool shut, ended;
    braid_time opened_at, first_at, last_at, ended_at, worst_message_ns;
    unsigned silence_count;
    braid_time silence_min_ns; /* shorter ones are not kept */
    struct {
        braid_time from, to;
    } silences[SILENCES_MAX];
    braid_time *message_ns; /* how long each took */
    uint64_t message_count; /* that there will be */
};

struct side {
    struct sim_conversation *c;
    struct sim_host *host;
    struct braid_connection *connection;
    enum sim_direction writes;
    struct stream out;
    struct sim_timer timer; /* the next message */
    bool connected, sent, paused, gone;
    enum braid_close_reason reason;
};

struct sim_conversation {
    struct sim_world *world;
    struct sim_conversation *next;
    struct sim_conversation_config config;
    uint64_t number;
    struct braid_listener *listener;
    struct side sides[2]; /* by what they write: the client, the server */
    braid_time started_at;
    bool aborted;
    const char *fault;
};

#endif
