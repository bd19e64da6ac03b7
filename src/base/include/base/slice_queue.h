/* A queue of bytes made of slices: what is to be sent, what was received. Bytes are addressed by their offset from
 * the front. Appending and dropping are O(1) amortised; reaching an offset walks, from a remembered place. */
#ifndef BASE_SLICE_QUEUE_H
#define BASE_SLICE_QUEUE_H

#include <base/buf.h>

/* Copies `length` bytes to `offset` of a buffer with notes, and notes what it likes of them. */
typedef void slice_queue_copier(struct braid_buf *buf, uint32_t offset, const uint8_t *bytes, uint32_t length);

struct slice_queue {
    const struct braid_env *env;
    struct braid_slice *ring; /* capacity is a power of two */
    uint32_t capacity;
    uint32_t head; /* index of the first slice, masked on use */
    uint32_t count;
    /* Where the last search ended: slice number from the front, and the offset of its first byte. */
    uint32_t cursor_index;
    uint64_t cursor_offset;
    uint64_t length; /* bytes in all */
    /* The buffer the last slice lies in, if append_copy made it and may go on filling it; else NULL. It is kept
     * alive by that slice. */
    struct braid_buf *tail;
    uint32_t tail_used;
};

void slice_queue_init(struct slice_queue *queue, const struct braid_env *env);
void slice_queue_deinit(struct slice_queue *queue);

/* Takes over the reference of `slice` on success. False when there is no memory: the caller still owns it. */
bool slice_queue_append(struct slice_queue *queue, struct braid_slice slice) MUST_USE;
/* Appends a copy; small writes are packed together into shared buffers. False: nothing was appended. */
bool slice_queue_append_copy(struct slice_queue *queue, const void *bytes, uint32_t length) MUST_USE;
/* The same by `copier`, into buffers with notes; NULL is plain copying, into buffers without. */
bool slice_queue_append_copy_by(struct slice_queue *queue, slice_queue_copier *copier, const void *bytes, uint32_t length) MUST_USE;
/* Drops `count` bytes from the front; count <= length. */
void slice_queue_drop(struct slice_queue *queue, uint64_t count);
/* Copies `length` bytes from `offset` to `out`; the range must lie within the queue. */
void slice_queue_peek(struct slice_queue *queue, uint64_t offset, void *out, uint32_t length);
/* References [offset, offset + length) as at most `max` slices. Returns how many were written; their lengths sum
 * to less than `length` only if `max` ran out. Each is a reference of its own. */
size_t slice_queue_gather(struct slice_queue *queue, uint64_t offset, uint32_t length, struct braid_slice *out,
                          size_t max);
/* Of the first `length` bytes, what is less than an eighth of the buffer that it lies in gets a buffer of its own: others may hold on
 * to the rest of it no longer. Without memory it stays as it is. */
void slice_queue_compact(struct slice_queue *queue, uint64_t length);
/* Takes the first slice out of the queue (the reference passes to the caller). Empty slice when there is none. */
struct braid_slice slice_queue_pop(struct slice_queue *queue);

#endif
