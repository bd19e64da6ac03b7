#include "name_tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <base/buf.h>
#include <base/ensure.h>
#include <host/fd_watch.h>
#include "relay.h"

#define BUFFER_BYTES 16384 /* each way; DNS messages are small */

struct flow_buffer {
    uint8_t bytes[BUFFER_BYTES];
    uint32_t start, end;
    bool ended, passed; /* the source has ended; that was passed on */
};

struct name_tcp {
    struct connection_owner owner;
    struct engine *engine;
    struct braid_connection *program;
    int fd;
    struct fd_watch *watch;
    bool connected;
    struct flow_buffer to_server, to_program;
};

static void end(struct name_tcp *self, braid_time now, bool reset) {
    fd_watch_destroy(self->watch);
    close(self->fd);
    if (reset) braid_connection_abort(self->program, now);
    braid_connection_set_user(self->program, NULL);
    braid_connection_release(self->program, now);
    free(self);
}

static uint32_t room(struct flow_buffer *buffer) {
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
    return BUFFER_BYTES - buffer->end;
}

/* False: the server's side is broken. */
static bool to_server(struct name_tcp *self, braid_time now) {
    struct flow_buffer *buffer = &self->to_server;
    for (;;) {
        if (room(buffer) > 0)
            buffer->end +=
                braid_connection_read(self->program, buffer->bytes + buffer->end, room(buffer), now);
        if (buffer->start == buffer->end) break;
        ssize_t sent = send(self->fd, buffer->bytes + buffer->start, buffer->end - buffer->start,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN;
        buffer->start += (uint32_t)sent;
    }
    if (!buffer->passed && braid_connection_at_end(self->program)) {
        buffer->passed = true;
        shutdown(self->fd, SHUT_WR);
    }
    return true;
}

static bool to_program(struct name_tcp *self, braid_time now) {
    struct flow_buffer *buffer = &self->to_program;
    for (;;) {
        if (buffer->start < buffer->end) {
            uint32_t written = braid_connection_write(self->program, buffer->bytes + buffer->start,
                                                      buffer->end - buffer->start, now);
            buffer->start += written;
            if (buffer->start < buffer->end) return true;
        }
        if (buffer->ended) break;
        uint32_t space = room(buffer);
        ssize_t got = recv(self->fd, buffer->bytes + buffer->end, space, MSG_DONTWAIT);
        if (got < 0) return errno == EAGAIN;
        buffer->ended = got == 0;
        buffer->end += (uint32_t)got;
    }
    if (!buffer->passed) braid_connection_shutdown(self->program, now);
    buffer->passed = true;
    return true;
}

static void watch_what_matters(struct name_tcp *self) {
    bool sending = !self->connected || self->to_server.start < self->to_server.end;
    bool receiving =
        self->connected && !self->to_program.ended && self->to_program.start == self->to_program.end;
    fd_watch_set(self->watch, (sending ? UV_WRITABLE : 0) | (receiving ? UV_READABLE : 0));
}

static void progress(struct name_tcp *self, braid_time now) {
    if (!to_server(self, now) || !to_program(self, now)) {
        end(self, now, true);
        return;
    }
    if (self->to_server.passed && self->to_program.passed) {
        end(self, now, false);
        return;
    }
    watch_what_matters(self);
}

static enum braid_refusal refusal_of(int error) {
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
        return BRAID_REFUSE_RESET;
    case ENETUNREACH:
        return BRAID_REFUSE_NET_UNREACHABLE;
    case EHOSTUNREACH:
        return BRAID_REFUSE_HOST_UNREACHABLE;
    default:
        return BRAID_REFUSE_SILENT;
    }
}

static void connected(struct name_tcp *self, braid_time now) {
    int error = 0;
    socklen_t length = sizeof(error);
    getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error == 0) {
        self->connected = true;
        braid_connection_accept(self->program, now);
        watch_what_matters(self);
        return;
    }
    fd_watch_destroy(self->watch);
    close(self->fd);
    braid_connection_set_user(self->program, NULL);
    braid_connection_refuse(self->program, refusal_of(error), now);
    free(self);
}

static void on_socket(void *context, int events) {
    struct name_tcp *self = context;
    (void)events;
    if (self->connected)
        progress(self, host_now());
    else
        connected(self, host_now());
}

static void on_event(struct connection_owner *owner, const struct braid_event *event, braid_time now) {
    struct name_tcp *self = CONTAINER_OF(owner, struct name_tcp, owner);
    if ((event->bits & BRAID_EVENT_CLOSED) &&
        (!self->connected || braid_connection_close_reason(self->program) != BRAID_CLOSED_NORMALLY))
        end(self, now, false);
    else if (self->connected)
        progress(self, now);
}

void name_tcp_serve(struct engine *engine, struct resolver *resolver, unsigned which,
                    struct braid_connection *connection, braid_time now) {
    struct sockaddr_storage server;
    resolver_refresh(resolver);
    socklen_t length = resolver_server(resolver, which, &server);
    struct name_tcp *self = calloc(1, sizeof(*self));
    int fd = socket(server.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = errno;
    bool started = fd >= 0 && connect(fd, (struct sockaddr *)&server, length) == 0;
    if (fd >= 0 && !started) error = errno;
    if (self != NULL && fd >= 0 && (started || error == EINPROGRESS)) {
        *self = (struct name_tcp){.owner = {on_event}, .engine = engine, .program = connection, .fd = fd};
        self->watch = fd_watch_create(engine_loop(engine), fd, UV_WRITABLE, on_socket, self);
        if (self->watch != NULL) {
            braid_connection_set_user(connection, &self->owner);
            return;
        }
    }
    if (fd >= 0) close(fd);
    free(self);
    braid_connection_refuse(connection, refusal_of(error), now);
}
