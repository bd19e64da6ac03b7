#include "receive_buffers.h"

void receive_buffers_init(struct receive_buffers *buffers, const struct braid_env *env) {
    *buffers = (struct receive_buffers){.env = env};
}

void receive_buffers_deinit(struct receive_buffers *buffers) {
    for (size_t i = 0; i < LINK_BATCH_MAX; i++) {
        buf_release(buffers->bufs[i]);
        buffers->bufs[i] = NULL;
    }
}

size_t receive_buffers_prepare(struct receive_buffers *buffers, size_t count) {
    return receive_buffers_prepare_from(buffers, 0, count);
}

size_t receive_buffers_prepare_from(struct receive_buffers *buffers, size_t from, size_t count) {
    if (count > LINK_BATCH_MAX) count = LINK_BATCH_MAX;
    for (size_t i = from; i < count; i++) {
        struct braid_buf **buf = &buffers->bufs[i];
        if (*buf != NULL && (*buf)->references == 1) continue;
        buf_release(*buf);
        *buf = buf_create(buffers->env, RECEIVE_BUFFER_BYTES);
        if (*buf == NULL) return i;
    }
    return count;
}

struct braid_packet_in receive_buffers_packet(const struct receive_buffers *buffers, size_t index,
                                              uint32_t length) {
    struct braid_buf *buf = buffers->bufs[index];
    bool worth_keeping = length >= RECEIVE_BUFFER_BYTES / RECEIVE_BUFFER_WASTE_MAX;
    return (struct braid_packet_in){.buf = worth_keeping ? buf : NULL, .bytes = buf->bytes, .length = length};
}
