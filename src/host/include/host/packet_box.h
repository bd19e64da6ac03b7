/* A box of packets that change threads: put in by any thread, taken out by the one it belongs to. */
#ifndef HOST_PACKET_BOX_H
#define HOST_PACKET_BOX_H

#include <braid/packet.h>
#include <base/ensure.h>

struct packet_box;

/* NULL: no memory, or no descriptor. */
struct packet_box *packet_box_create(void);
void packet_box_destroy(struct packet_box *box); /* NULL is fine */

/* Puts a copy in, which came by `link`. What does not fit (8 MiB) is dropped, as a queue of a link would. */
void packet_box_put(struct packet_box *box, int link, const struct braid_packet_in *packet);

/* Readable when there is something in it. */
int packet_box_fd(const struct packet_box *box);
/* Gives all that is in it to `take`, in order; the bytes are valid during the call. */
void packet_box_empty(struct packet_box *box,
                      void (*take)(void *context, int link, const struct braid_packet_in *packet),
                      void *context);

struct packet_box_counts {
    uint64_t taken_in, dropped;
};
struct packet_box_counts packet_box_counts(struct packet_box *box);

#endif
