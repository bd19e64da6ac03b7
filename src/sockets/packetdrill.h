/* The table that packetdrill (github.com/google/packetdrill) fills itself with from a shared object: it loads
 * the object named by --so_filename, calls packetdrill_interface_init() with what --so_flags says (NULL
 * without it), and makes every system call of a script through the table, `userdata` first; otherwise they
 * are as the system's. Order and types are the interface; the order is packetdrill's. */
#ifndef SOCKETS_PACKETDRILL_H
#define SOCKETS_PACKETDRILL_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata);
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *address, socklen_t *length);
    int (*connect)(void *userdata, int fd, const struct sockaddr *address, socklen_t length);
    ssize_t (*read)(void *userdata, int fd, void *bytes, size_t length);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *vectors, int count);
    ssize_t (*recv)(void *userdata, int fd, void *bytes, size_t length, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *bytes, size_t length, int flags, struct sockaddr *from,
                        socklen_t *from_length);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *message, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *bytes, size_t length);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *vectors, int count);
    ssize_t (*send)(void *userdata, int fd, const void *bytes, size_t length, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *bytes, size_t length, int flags,
                      const struct sockaddr *to, socklen_t to_length);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *message, int flags);
    int (*fcntl)(void *userdata, int fd, int command, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int option, void *value, socklen_t *length);
    int (*setsockopt)(void *userdata, int fd, int level, int option, const void *value, socklen_t length);
    int (*poll)(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms);
    /* A packet for us: 0, or -1. */
    int (*netdev_send)(void *userdata, const void *packet, size_t length);
    /* The next packet of ours, cut off to *length, which then says how long it is (0: there is none), and the
     * time at which it left. 0, or -1. */
    int (*netdev_receive)(void *userdata, void *packet, size_t *length, long long *time_us);
    int (*usleep)(void *userdata, useconds_t us);
    int (*gettimeofday)(void *userdata, struct timeval *time, struct timezone *zone);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epoll, int operation, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epoll, struct epoll_event *events, int count, int timeout_ms);
    int (*pipe)(void *userdata, int fds[2]);
    int (*splice)(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t length,
                  unsigned flags);
};

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table);

#endif
