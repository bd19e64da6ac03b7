#include <host/fd_watch.h>

#include <stdlib.h>

struct fd_watch {
    uv_poll_t poll;
    int events;
    void (*on_ready)(void *context, int events);
    void *context;
};

/* libuv stops watching a descriptor that shows an error, such as a packet socket whose interface went down: it is
 * watched again, for the owner takes the error off it by its next read, or ends the watch itself. */
static void on_poll(uv_poll_t *poll, int status, int events) {
    struct fd_watch *watch = poll->data;
    if (status < 0) {
        events = watch->events;
        uv_poll_start(&watch->poll, events, on_poll);
    }
    watch->on_ready(watch->context, events);
}

struct fd_watch *fd_watch_create(uv_loop_t *loop, int fd, int events, void (*on_ready)(void *context, int events),
                                 void *context) {
    struct fd_watch *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) return NULL;
    if (uv_poll_init(loop, &watch->poll, fd) != 0) {
        free(watch);
        return NULL;
    }
    watch->poll.data = watch;
    watch->on_ready = on_ready;
    watch->context = context;
    fd_watch_set(watch, events);
    return watch;
}

void fd_watch_set(struct fd_watch *watch, int events) {
    if (events == watch->events) return;
    watch->events = events;
    if (events == 0)
        uv_poll_stop(&watch->poll);
    else
        uv_poll_start(&watch->poll, events, on_poll);
}

static void on_closed(uv_handle_t *handle) { free(handle->data); }

void fd_watch_destroy(struct fd_watch *watch) {
    if (watch == NULL) return;
    uv_poll_stop(&watch->poll);
    uv_close((uv_handle_t *)&watch->poll, on_closed);
}
