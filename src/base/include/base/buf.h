/* Reference-counted buffers and slices of them: how a byte travels without being copied. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <braid/env.h>
#include <braid/packet.h>
#include <base/ensure.h>

/* A buffer may keep notes: a number for each so many of its bytes, of who fills it for who reads it. */
#define BUF_NOTE_BYTES 4096u

struct braid_buf {
    const struct braid_env *env;
    uint32_t references;
    uint32_t capacity;
    uint16_t *notes; /* capacity / BUF_NOTE_BYTES of them, behind the bytes; or NULL */
    uint8_t bytes[];
};

/* A buffer of `capacity` bytes with one reference, or NULL when there is no memory. */
struct braid_buf *buf_create(const struct braid_env *env, uint32_t capacity) MUST_USE;
/* The same with notes, all 0; the capacity is even. One below BUF_NOTE_BYTES has none, but `notes` is not NULL. */
struct braid_buf *buf_create_noted(const struct braid_env *env, uint32_t capacity) MUST_USE;
struct braid_buf *buf_ref(struct braid_buf *buf);
void buf_release(struct braid_buf *buf); /* NULL is fine */

/* A slice of `buf`, taking a reference of its own. `bytes` must lie within the buffer. */
struct braid_slice slice_of(struct braid_buf *buf, const uint8_t *bytes, uint32_t length);
/* A slice with its own fresh buffer and a copy of `bytes`; .buf is NULL when there is no memory (or length is 0). */
struct braid_slice slice_copy(const struct braid_env *env, const void *bytes, uint32_t length) MUST_USE;
/* A second reference to a part of `slice`: `offset + length` must lie within it. */
struct braid_slice slice_part(const struct braid_slice *slice, uint32_t offset, uint32_t length);
/* Drops `count` bytes from the front, or all but `length` from the end. */
void slice_drop_front(struct braid_slice *slice, uint32_t count);
void slice_truncate(struct braid_slice *slice, uint32_t length);
/* Gives the reference back and empties the slice. An empty slice is fine. */
void slice_release(struct braid_slice *slice);

#endif
