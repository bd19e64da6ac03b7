/* A TUN device: the way between braid and the programs it serves. Packets carry virtio headers, so that the
 * kernel hands over up to 64 KB at once without having computed a checksum, and takes the same. */
#ifndef LINK_LINK_TUN_H
#define LINK_LINK_TUN_H

#include <link/link.h>

#define TUN_DEVICE_NAME_MAX 16 /* IFNAMSIZ */

/* Makes a TUN device in the network namespace of the calling thread and returns a descriptor of it in `fd`,
 * to be given to link_tun_create() by whoever holds it then: the descriptor may be passed to another process,
 * in another namespace. The device vanishes with its last descriptor. `path` is usually "/dev/net/tun".
 * `name` is the device's wished name (at most 15 characters; "%d" counts up).
 *
 * 0, or -errno: -ENOENT no such path (the kernel has no TUN); -EACCES or -EPERM not allowed to; -EBUSY name
 * taken; -EINVAL name too long. */
int tun_device_create(const char *path, const char *name, int *fd) MUST_USE;

/* The same with `count` queues, a descriptor for each in `fds`; each becomes a link of its own. What the system sends by the
 * device it hands out by flow: to the queue that last took a packet of the flow, either way round, else to one by a hash that
 * is the same for both directions. Errors as above, and -EINVAL for no queue, -E2BIG for more than the kernel has (256). On an
 * error nothing is left open. */
int tun_device_create_queues(const char *path, const char *name, unsigned count, int *fds) MUST_USE;

/* The name of the device behind `fd`. 0 or -errno. */
int tun_device_name(int fd, char name[TUN_DEVICE_NAME_MAX]) MUST_USE;

/* A link over a descriptor made by tun_device_create(), which it owns from now on (on failure the caller
 * still does). `mtu` is what the device has been set to. 0, -ENOMEM, or -errno. */
int link_tun_create(const struct braid_env *env, int fd, uint32_t mtu, struct link **out) MUST_USE;

#endif
