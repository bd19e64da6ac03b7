/* A descriptor watched by a libuv loop. Destroying it is immediate for its owner: the callback does not come
 * again, and the descriptor may be closed at once; libuv's part goes by itself in the loop's next round. */
#ifndef HOST_FD_WATCH_H
#define HOST_FD_WATCH_H

#include <uv.h>
#include <base/ensure.h>

struct fd_watch;

/* `events`: UV_READABLE, UV_WRITABLE. `on_ready` gets those that are there; an error of the descriptor shows
 * as all that was watched for. NULL: no memory, or not a descriptor that can be polled. */
struct fd_watch *fd_watch_create(uv_loop_t *loop, int fd, int events,
                                 void (*on_ready)(void *context, int events), void *context) MUST_USE;
void fd_watch_set(struct fd_watch *watch, int events);
void fd_watch_destroy(struct fd_watch *watch); /* NULL is fine */

#endif
