/* HyStart++ (RFC 9406): leaving slow start when round-trip times rise, before the queue overflows; and by how fast the
 * acknowledgements of a round follow each other, which tells what the path carries before there is a queue. */
#ifndef CONGESTION_HYSTART_H
#define CONGESTION_HYSTART_H

#include <congestion/congestion.h>

enum hystart_phase { HYSTART_SLOW_START, HYSTART_CONSERVATIVE, HYSTART_DONE };

struct hystart {
    enum hystart_phase phase;
    uint32_t samples;       /* round-trip times taken this round */
    uint32_t rounds_left;   /* of conservative slow start */
    bool risen;             /* this round */
    /* BRAID_NEVER: none */
    braid_time last_min_rtt_ns, current_min_rtt_ns; /* of a round */
    braid_time group_min_rtt_ns;                    /* of the samples since the last judgement */
    braid_time baseline_min_rtt_ns;                 /* what it had risen from */
    braid_time round_at;                            /* when the first acknowledgement of this round came */
    uint32_t round_acked_bytes;                     /* since */
};

void hystart_init(struct hystart *h);
/* Looks at one acknowledgement in slow start; returns how much of `acked_bytes` the window may grow by. When phase
 * becomes HYSTART_DONE, slow start is over. */
uint32_t hystart_on_ack(struct hystart *h, const struct congestion_ack *ack, uint32_t cwnd_bytes, uint32_t acked_bytes);

#endif
