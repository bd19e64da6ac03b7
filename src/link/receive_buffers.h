/* Buffers a link receives into: each is used again, unless the stack has kept a reference to it. */
#ifndef LINK_RECEIVE_BUFFERS_H
#define LINK_RECEIVE_BUFFERS_H

#include <base/buf.h>
#include <link/link.h>

#define RECEIVE_BUFFER_BYTES 65536
/* A shorter packet is offered without its buffer: a kept reference may cost at most this many times its
 * bytes. */
#define RECEIVE_BUFFER_WASTE_MAX 4

struct receive_buffers {
    const struct braid_env *env;
    struct braid_buf *bufs[LINK_BATCH_MAX];
};

void receive_buffers_init(struct receive_buffers *buffers, const struct braid_env *env);
void receive_buffers_deinit(struct receive_buffers *buffers);
/* Makes the first `count` buffers ours alone. Returns how many are: fewer when memory is short. */
size_t receive_buffers_prepare(struct receive_buffers *buffers, size_t count) MUST_USE;
/* The same, but for the first `from`, which are in use. */
size_t receive_buffers_prepare_from(struct receive_buffers *buffers, size_t from, size_t count) MUST_USE;
/* Describes the packet of `length` bytes at the start of buffer `index`. */
struct braid_packet_in receive_buffers_packet(const struct receive_buffers *buffers, size_t index,
                                              uint32_t length);

#endif
