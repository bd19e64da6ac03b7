/* What the ends of bench_embed share. */
#ifndef BENCH_EMBED_H
#define BENCH_EMBED_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define EMBED_CLIENT_ADDRESS "10.8.0.1"
#define EMBED_SERVER_ADDRESS "10.8.0.2"
#define EMBED_SERVER_MAC "02:00:00:00:00:02"
#define EMBED_PORT 5001
#define EMBED_CHUNK_BYTES (256u << 10)
#define EMBED_WRITE_BYTES (64u << 10)

enum embed_what { EMBED_STREAM, EMBED_CONNECTIONS, EMBED_ROUND_TRIPS };

struct embed {
    enum embed_what what;
    const struct embed_ends *ends;
    bool multipath, udp;
    double seconds;         /* of a stream */
    unsigned wanted, count; /* conversations, and how many there were */
    float *samples;         /* microseconds each */
    int ready;              /* the server writes a byte to it when it can be spoken to */
    struct embed_shared {   /* by both processes */
        uint64_t bytes;     /* of a stream: the receiver's */
        double seconds, server_used_s;
        bool over;          /* the client has all it wants */
    } *shared;
};

struct embed_ends {
    void (*serve)(struct embed *e); /* each in a process and a namespace of its own */
    void (*use)(struct embed *e);
};
extern const struct embed_ends embed_braid, embed_sockets, embed_bare;

extern uint8_t embed_chunk[EMBED_CHUNK_BYTES];
void embed_check(bool good, const char *what);
double embed_seconds(void);
/* One more conversation, and how long it took. */
void embed_sample(struct embed *e, double took_s);

#endif
