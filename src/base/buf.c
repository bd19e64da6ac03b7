#include <base/buf.h>

#include <string.h>

static size_t notes_size(uint32_t capacity) { return capacity / BUF_NOTE_BYTES * sizeof(uint16_t); }

static struct braid_buf *create(const struct braid_env *env, uint32_t capacity, size_t notes) {
    struct braid_buf *buf = env->allocate(env->context, sizeof(struct braid_buf) + capacity + notes);
    if (buf == NULL) return NULL;
    buf->env = env;
    buf->references = 1;
    buf->capacity = capacity;
    buf->notes = NULL;
    return buf;
}

struct braid_buf *buf_create(const struct braid_env *env, uint32_t capacity) { return create(env, capacity, 0); }

struct braid_buf *buf_create_noted(const struct braid_env *env, uint32_t capacity) {
    ENSURE(capacity % _Alignof(uint16_t) == 0);
    struct braid_buf *buf = create(env, capacity, notes_size(capacity));
    if (buf == NULL) return NULL;
    buf->notes = (void *)(buf->bytes + capacity);
    memset(buf->notes, 0, notes_size(capacity));
    return buf;
}

struct braid_buf *buf_ref(struct braid_buf *buf) {
    ENSURE(buf->references > 0 && buf->references < UINT32_MAX);
    buf->references++;
    return buf;
}

void buf_release(struct braid_buf *buf) {
    if (buf == NULL) return;
    ENSURE(buf->references > 0);
    if (--buf->references > 0) return;
    size_t notes = buf->notes != NULL ? notes_size(buf->capacity) : 0;
    buf->env->release(buf->env->context, buf, sizeof(struct braid_buf) + buf->capacity + notes);
}

struct braid_slice slice_of(struct braid_buf *buf, const uint8_t *bytes, uint32_t length) {
    ENSURE(bytes >= buf->bytes && length <= buf->capacity);
    ENSURE((size_t)(bytes - buf->bytes) <= buf->capacity - length);
    return (struct braid_slice){.buf = buf_ref(buf), .bytes = bytes, .length = length};
}

struct braid_slice slice_copy(const struct braid_env *env, const void *bytes, uint32_t length) {
    struct braid_buf *buf = length > 0 ? buf_create(env, length) : NULL;
    if (buf == NULL) return (struct braid_slice){0};
    memcpy(buf->bytes, bytes, length);
    return (struct braid_slice){.buf = buf, .bytes = buf->bytes, .length = length};
}

struct braid_slice slice_part(const struct braid_slice *slice, uint32_t offset, uint32_t length) {
    ENSURE(length <= slice->length && offset <= slice->length - length);
    if (slice->buf == NULL) return (struct braid_slice){0};
    return (struct braid_slice){.buf = buf_ref(slice->buf), .bytes = slice->bytes + offset, .length = length};
}

void slice_drop_front(struct braid_slice *slice, uint32_t count) {
    ENSURE(count <= slice->length);
    if (count == 0) return;
    slice->bytes += count;
    slice->length -= count;
}

void slice_truncate(struct braid_slice *slice, uint32_t length) {
    ENSURE(length <= slice->length);
    slice->length = length;
}

void slice_release(struct braid_slice *slice) {
    buf_release(slice->buf);
    *slice = (struct braid_slice){0};
}
