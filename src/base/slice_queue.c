#include <base/slice_queue.h>

#include <string.h>

/* Of the queues of an idle connection, most have held one slice. */
#define RING_MIN 2
#define RING_FAST_MAX 128 /* up to here it grows fourfold */
#define RING_IDLE_MAX 8   /* and so much is kept when it is empty */
/* Copies go to buffers of at most this size, so that one acknowledged byte frees memory soon. */
#define COPY_BUFFER_MAX 65536u
#define COPY_BUFFER_MIN 2048u

void slice_queue_init(struct slice_queue *queue, const struct braid_env *env) {
    *queue = (struct slice_queue){.env = env};
}

static struct braid_slice *slice_at(const struct slice_queue *queue, uint32_t index) {
    return &queue->ring[(queue->head + index) & (queue->capacity - 1)];
}

static void ring_release(struct slice_queue *queue) {
    if (queue->ring != NULL)
        queue->env->release(queue->env->context, queue->ring, queue->capacity * sizeof(queue->ring[0]));
    queue->ring = NULL;
    queue->capacity = queue->head = 0;
}

void slice_queue_deinit(struct slice_queue *queue) {
    for (uint32_t i = 0; i < queue->count; i++) slice_release(slice_at(queue, i));
    ring_release(queue);
    slice_queue_init(queue, queue->env);
}

/* Makes room for `more` slices behind the last one. */
static bool ring_reserve(struct slice_queue *queue, uint32_t more) {
    if (more <= queue->capacity - queue->count) return true;
    if (more > UINT32_MAX / 4 - queue->count) return false;
    uint32_t capacity = queue->capacity > 0 ? queue->capacity : RING_MIN;
    while (capacity - queue->count < more) capacity *= capacity < RING_FAST_MAX ? 4 : 2;
    struct braid_slice *ring = queue->env->allocate(queue->env->context, capacity * sizeof(ring[0]));
    if (ring == NULL) return false;
    for (uint32_t i = 0; i < queue->count; i++) ring[i] = *slice_at(queue, i);
    ring_release(queue);
    queue->ring = ring;
    queue->capacity = capacity;
    return true;
}

static struct braid_slice *last_slice(const struct slice_queue *queue) {
    return queue->count > 0 ? slice_at(queue, queue->count - 1) : NULL;
}

bool slice_queue_append(struct slice_queue *queue, struct braid_slice slice) {
    if (slice.length == 0) {
        slice_release(&slice);
        return true;
    }
    struct braid_slice *last = last_slice(queue);
    if (last != NULL && last->buf == slice.buf && last->bytes + last->length == slice.bytes &&
        slice.length <= UINT32_MAX - last->length) {
        /* It continues the last one: segments cut from one buffer become one slice again. */
        last->length += slice.length;
        queue->length += slice.length;
        buf_release(slice.buf);
    } else {
        if (!ring_reserve(queue, 1)) return false;
        *slice_at(queue, queue->count++) = slice;
        queue->length += slice.length;
    }
    queue->tail = NULL;
    return true;
}

/* A longer queue gets larger buffers: an idle connection's few bytes should not hold 64 KiB. */
static uint32_t copy_buffer_capacity(const struct slice_queue *queue, uint32_t length) {
    uint32_t capacity = COPY_BUFFER_MIN;
    while (capacity < COPY_BUFFER_MAX && (capacity < length || capacity < queue->length)) capacity *= 2;
    return capacity;
}

/* Creates the buffers for `length` bytes behind the last slice, each with its final length but nothing in it yet
 * and not counted yet. Returns how many, 0 when there is no memory. */
static uint32_t copy_buffers_create(struct slice_queue *queue, uint32_t length, bool noted) {
    uint32_t pieces = (length - 1) / COPY_BUFFER_MAX + 1;
    if (!ring_reserve(queue, pieces)) return 0;
    for (uint32_t i = 0; i < pieces; i++) {
        uint32_t piece = length < COPY_BUFFER_MAX ? length : COPY_BUFFER_MAX;
        uint32_t capacity = copy_buffer_capacity(queue, piece);
        struct braid_buf *buf = noted ? buf_create_noted(queue->env, capacity) : buf_create(queue->env, capacity);
        if (buf == NULL) {
            while (i-- > 0) slice_release(slice_at(queue, queue->count + i));
            return 0;
        }
        *slice_at(queue, queue->count + i) = (struct braid_slice){buf, buf->bytes, piece};
        length -= piece;
    }
    return pieces;
}

static void plain_copy(struct braid_buf *buf, uint32_t offset, const uint8_t *bytes, uint32_t length) {
    memcpy(buf->bytes + offset, bytes, length);
}

/* How many of `length` bytes go into the tail: none if it has notes that nobody writes any more, or the other way. */
static uint32_t tail_takes(const struct slice_queue *queue, uint32_t length, bool noted) {
    if (queue->tail == NULL || (queue->tail->notes != NULL) != noted) return 0;
    uint32_t room = queue->tail->capacity - queue->tail_used;
    return room < length ? room : length;
}

/* Fills up the tail buffer. Packets in flight may refer to it, but only to bytes before its used length, and those
 * stay as they are. */
static void tail_extend(struct slice_queue *queue, slice_queue_copier *copy, const uint8_t *bytes, uint32_t length) {
    if (length == 0) return;
    copy(queue->tail, queue->tail_used, bytes, length);
    queue->tail_used += length;
    last_slice(queue)->length += length;
    queue->length += length;
}

bool slice_queue_append_copy(struct slice_queue *queue, const void *bytes, uint32_t length) {
    return slice_queue_append_copy_by(queue, NULL, bytes, length);
}

bool slice_queue_append_copy_by(struct slice_queue *queue, slice_queue_copier *copier, const void *bytes, uint32_t length) {
    bool noted = copier != NULL;
    slice_queue_copier *copy = noted ? copier : plain_copy;
    uint32_t into_tail = tail_takes(queue, length, noted);
    uint32_t rest = length - into_tail;
    uint32_t pieces = rest > 0 ? copy_buffers_create(queue, rest, noted) : 0;
    if (rest > 0 && pieces == 0) return false;

    const uint8_t *from = bytes;
    tail_extend(queue, copy, from, into_tail);
    from += into_tail;
    for (uint32_t i = 0; i < pieces; i++) {
        struct braid_slice *slice = slice_at(queue, queue->count++);
        copy(slice->buf, 0, from, slice->length);
        from += slice->length;
        queue->length += slice->length;
        queue->tail = slice->buf;
        queue->tail_used = slice->length;
    }
    return true;
}

/* Takes the first slice out of the ring, the reference with it. */
static struct braid_slice shift(struct slice_queue *queue) {
    struct braid_slice first = *slice_at(queue, 0);
    queue->head = (queue->head + 1) & (queue->capacity - 1);
    queue->count--;
    queue->length -= first.length;
    if (queue->cursor_index > 0) {
        queue->cursor_index--;
        queue->cursor_offset -= first.length;
    }
    if (queue->cursor_index == 0) queue->cursor_offset = 0;
    if (queue->count == 0) {
        queue->tail = NULL;
        if (queue->capacity > RING_IDLE_MAX) ring_release(queue);
    }
    return first;
}

void slice_queue_drop(struct slice_queue *queue, uint64_t count) {
    ENSURE(count <= queue->length);
    while (count > 0) {
        struct braid_slice *first = slice_at(queue, 0);
        if (count < first->length) {
            slice_drop_front(first, (uint32_t)count);
            queue->length -= count;
            if (queue->cursor_index > 0) queue->cursor_offset -= count;
            return;
        }
        struct braid_slice dropped = shift(queue);
        count -= dropped.length;
        slice_release(&dropped);
    }
}

/* Moves the cursor to the slice that holds `offset`, from whichever of front, end and cursor is nearest. */
static void seek(struct slice_queue *queue, uint64_t offset) {
    ENSURE(offset < queue->length);
    uint64_t from_cursor = offset > queue->cursor_offset ? offset - queue->cursor_offset : queue->cursor_offset - offset;
    uint64_t from_end = queue->length - offset;
    if (offset < from_cursor) {
        queue->cursor_index = 0;
        queue->cursor_offset = 0;
    } else if (from_end < from_cursor) {
        queue->cursor_index = queue->count - 1;
        queue->cursor_offset = queue->length - last_slice(queue)->length;
    }
    while (offset < queue->cursor_offset) {
        queue->cursor_index--;
        queue->cursor_offset -= slice_at(queue, queue->cursor_index)->length;
    }
    while (offset - queue->cursor_offset >= slice_at(queue, queue->cursor_index)->length) {
        queue->cursor_offset += slice_at(queue, queue->cursor_index)->length;
        queue->cursor_index++;
    }
}

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }

void slice_queue_peek(struct slice_queue *queue, uint64_t offset, void *out, uint32_t length) {
    ENSURE(offset <= queue->length && length <= queue->length - offset);
    uint8_t *to = out;
    while (length > 0) {
        seek(queue, offset);
        const struct braid_slice *slice = slice_at(queue, queue->cursor_index);
        uint32_t skipped = (uint32_t)(offset - queue->cursor_offset);
        uint32_t part = min_u32(length, slice->length - skipped);
        memcpy(to, slice->bytes + skipped, part);
        to += part;
        offset += part;
        length -= part;
    }
}

size_t slice_queue_gather(struct slice_queue *queue, uint64_t offset, uint32_t length, struct braid_slice *out,
                          size_t max) {
    ENSURE(offset <= queue->length && length <= queue->length - offset);
    size_t count = 0;
    while (length > 0 && count < max) {
        seek(queue, offset);
        const struct braid_slice *slice = slice_at(queue, queue->cursor_index);
        uint32_t skipped = (uint32_t)(offset - queue->cursor_offset);
        uint32_t part = min_u32(length, slice->length - skipped);
        out[count++] = slice_part(slice, skipped, part);
        offset += part;
        length -= part;
    }
    return count;
}

enum { CRUMB_PART = 8 };

void slice_queue_compact(struct slice_queue *queue, uint64_t length) {
    for (uint32_t i = 0; i < queue->count && length > 0; i++) {
        struct braid_slice *slice = slice_at(queue, i);
        length -= length < slice->length ? length : slice->length;
        if (slice->buf == NULL || slice->length >= slice->buf->capacity / CRUMB_PART || slice->buf == queue->tail) continue;
        struct braid_slice own = slice_copy(queue->env, slice->bytes, slice->length);
        if (own.buf == NULL) return;
        slice_release(slice);
        *slice = own;
    }
}

struct braid_slice slice_queue_pop(struct slice_queue *queue) {
    return queue->count > 0 ? shift(queue) : (struct braid_slice){0};
}
