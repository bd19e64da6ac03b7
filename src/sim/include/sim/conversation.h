/* What applications do in a world: a client connects to a server, both write, both read, and every byte read is
 * compared with the one that was written. */
#ifndef SIM_CONVERSATION_H
#define SIM_CONVERSATION_H

#include <sim/world.h>

/* What one side writes. */
struct sim_stream_config {
    uint64_t bytes;           /* in all; 0: the side only shuts down */
    uint32_t write_bytes;     /* most in one call; 0: 64 KiB */
    uint32_t message_bytes;   /* not 0: messages of this size, one every interval, from the start on */
    braid_time interval_ns;
    bool echo;                /* of the server: it writes as many bytes as it has read, when it has read them */
    bool slices;              /* written by reference */
    bool keep_open;           /* no end of stream after the last byte */
    uint32_t read_bytes;      /* the other side's reading: most in one call; 0: by reference, all there is */
};

struct sim_conversation_config {
    struct sim_host *client, *server;
    struct braid_endpoint remote;      /* the server's address and port: one conversation a port */
    struct braid_address local;        /* of the first subflow; family 0: the stack's choice */
    bool plain_client, plain_server;   /* no MPTCP there */
    bool single_path;
    bool fast_open;                    /* at both ends; at once eight may be pending */
    uint32_t fast_open_pending_max;    /* other than that */
    bool no_delay;
    const char *congestion;            /* of both sides; NULL: the stacks' */
    const char *scheduler;             /* of both sides; NULL: the stacks' */
    bool deferred;                     /* the server's application answers each SYN, answer_ns later */
    braid_time answer_ns;
    braid_time start_ns;               /* of the world's time; 0: now */
    struct sim_stream_config streams[2]; /* SIM_UP: what the client writes; SIM_DOWN: what the server writes */
};

struct sim_conversation;

/* The conversation lives as long as the world. */
struct sim_conversation *sim_conversation_start(struct sim_world *world, const struct sim_conversation_config *config);

struct sim_stream_result {
    uint64_t written, read;
    uint64_t wrong_bytes;        /* read, but other than written */
    bool shut;                   /* the writer has ended it */
    bool ended;                  /* the reader has seen the end */
    braid_time first_at, last_at, ended_at; /* of reading; 0: not yet */
    uint64_t messages;           /* read whole */
    braid_time worst_message_ns;
};
void sim_conversation_result(const struct sim_conversation *c, enum sim_direction stream,
                             struct sim_stream_result *out);
/* Both sides are through: closed and let go, whatever the reason. */
bool sim_conversation_finished(const struct sim_conversation *c);
/* How a side was closed, as its application was told; BRAID_OPEN: not yet, or let go before. */
enum braid_close_reason sim_conversation_close_reason(const struct sim_conversation *c, enum sim_direction writer);
/* Something that must never be: bytes that were not written, an end that was not reached. NULL: nothing of the kind. */
const char *sim_conversation_fault(const struct sim_conversation *c);
/* Both streams arrived whole, and both ends were seen. */
bool sim_conversation_complete(const struct sim_conversation *c);
bool sim_conversation_connected(const struct sim_conversation *c);
/* NULL: not there yet, or let go. */
struct braid_connection *sim_conversation_connection(const struct sim_conversation *c, enum sim_direction writer);

/* The server's. */
uint16_t sim_conversation_port(const struct sim_conversation *c);
/* Are these the bytes of the stream from `offset` on? */
bool sim_conversation_wrote(const struct sim_conversation *c, enum sim_direction stream, uint64_t offset,
                            const uint8_t *bytes, uint32_t length);

/* The longest time without a byte for the reader that falls into [from, to] in part. One that still lasts counts. */
braid_time sim_conversation_silence_ns(const struct sim_conversation *c, enum sim_direction stream, braid_time from,
                                       braid_time to);
/* The slowest of the messages due in [from, to], from when it was due until it was read whole, and the q-quantile
 * (0..1). One that is not there yet counts as if it came now. */
braid_time sim_conversation_message_ns(const struct sim_conversation *c, enum sim_direction stream, braid_time from,
                                       braid_time to, double q);

/* What applications do at odd moments; each is harmless when it does not apply. `side`: who, named by what it writes. */
void sim_conversation_pause_reading(struct sim_conversation *c, enum sim_direction side, bool paused);
void sim_conversation_shut(struct sim_conversation *c, enum sim_direction side);
void sim_conversation_abort(struct sim_conversation *c, enum sim_direction side);
void sim_conversation_release(struct sim_conversation *c, enum sim_direction side);

/* Runs until all conversations are finished, or until `limit`: false. */
bool sim_world_run_conversations(struct sim_world *world, braid_time limit);

#endif
