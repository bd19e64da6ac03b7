/* packetdrill's entry points: the table of functions it asks a shared object for (--so_filename), over the
 * sockets of <braid/sockets.h> in virtual time.
 *
 * Time stands still but where packetdrill lets it pass: by usleep(), by asking for the time (a microsecond
 * each, for it spins until an event's time has come), and by waiting for a packet, which takes as long as the
 * next timer needs. So a script runs as fast as the machine can and gives the same packets at every run.
 *
 * packetdrill makes calls that block from a second thread while the first feeds packets in. One lock guards
 * everything; a call that blocks sleeps on the condition that something happened. */
#include "packetdrill.h"

#include "sockets_internal.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#define RECEIVE_WAIT_NS (3600 * BRAID_NS_PER_S) /* of virtual time: then there will be no packet */
#define MTU_MIN 576
#define MTU_MAX 65535

struct packet {
    struct packet *next;
    size_t length;
    braid_time at;
    uint8_t bytes[];
};

struct drill {
    pthread_mutex_t lock;
    pthread_cond_t happened;
    bool ending;
    unsigned blocked; /* calls asleep */
    braid_time now;
    struct braid_sockets *net;
    struct packet *first, **last;
};

/* --- the hooks --- */

static braid_time hook_now(void *context) {
    const struct drill *d = context;
    return d->now;
}

static void hook_transmit(void *context, int link, const uint8_t *bytes, size_t length) {
    struct drill *d = context;
    struct packet *packet = malloc(sizeof(*packet) + length);
    (void)link;
    if (!packet) return; /* lost, as packets are */
    *packet = (struct packet){.length = length, .at = d->now};
    memcpy(packet->bytes, bytes, length);
    *d->last = packet;
    d->last = &packet->next;
}

static bool hook_wait(void *context, braid_time until) {
    struct drill *d = context;
    (void)until; /* whoever moves the time wakes everyone */
    if (d->ending) return false;
    d->blocked++;
    pthread_cond_wait(&d->happened, &d->lock);
    d->blocked--;
    if (d->ending) pthread_cond_broadcast(&d->happened);
    return !d->ending;
}

/* --- time --- */

static void pass_until(struct drill *d, braid_time until, bool stop_at_packet) {
    while (!(stop_at_packet && d->first) && d->now < until) {
        braid_time next = braid_sockets_deadline(d->net);
        if (next > until) next = until;
        if (next > d->now) d->now = next;
        braid_sockets_tick(d->net);
    }
    pthread_cond_broadcast(&d->happened);
}

static struct drill *enter(void *userdata) {
    struct drill *d = userdata;
    if (d) pthread_mutex_lock(&d->lock);
    return d;
}

/* As the system's calls have it: -1 and errno. */
static ssize_t leave(struct drill *d, ssize_t result) {
    pthread_cond_broadcast(&d->happened);
    pthread_mutex_unlock(&d->lock);
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
}

static int refuse(int error) {
    errno = error;
    return -1;
}

/* --- socket calls --- */

#define CALL(call)                     \
    struct drill *d = enter(userdata); \
    return d ? leave(d, (call)) : refuse(EINVAL) /* the flags were not understood */
#define CALL_INT(call)                 \
    struct drill *d = enter(userdata); \
    return d ? (int)leave(d, (call)) : refuse(EINVAL)

static int drill_socket(void *userdata, int domain, int type, int protocol) {
    CALL_INT(braid_sockets_socket(d->net, domain, type, protocol));
}
static int drill_bind(void *userdata, int fd, const struct sockaddr *address, socklen_t length) {
    CALL_INT(braid_sockets_bind(d->net, fd, address, length));
}
static int drill_listen(void *userdata, int fd, int backlog) {
    CALL_INT(braid_sockets_listen(d->net, fd, backlog));
}
static int drill_accept(void *userdata, int fd, struct sockaddr *address, socklen_t *length) {
    CALL_INT(braid_sockets_accept(d->net, fd, address, length, 0));
}
static int drill_connect(void *userdata, int fd, const struct sockaddr *address, socklen_t length) {
    CALL_INT(braid_sockets_connect(d->net, fd, address, length));
}
static int drill_close(void *userdata, int fd) {
    CALL_INT(braid_sockets_close(d->net, fd));
}
static int drill_shutdown(void *userdata, int fd, int how) {
    CALL_INT(braid_sockets_shutdown(d->net, fd, how));
}
static int drill_getsockopt(void *userdata, int fd, int level, int option, void *value, socklen_t *length) {
    CALL_INT(braid_sockets_getsockopt(d->net, fd, level, option, value, length));
}
static int drill_setsockopt(void *userdata, int fd, int level, int option, const void *value,
                            socklen_t length) {
    CALL_INT(braid_sockets_setsockopt(d->net, fd, level, option, value, length));
}
static int drill_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms) {
    CALL_INT(braid_sockets_poll(d->net, fds, count, timeout_ms));
}

static ssize_t drill_read(void *userdata, int fd, void *bytes, size_t length) {
    CALL(braid_sockets_read(d->net, fd, bytes, length));
}
static ssize_t drill_readv(void *userdata, int fd, const struct iovec *vectors, int count) {
    CALL(braid_sockets_readv(d->net, fd, vectors, count));
}
static ssize_t drill_recv(void *userdata, int fd, void *bytes, size_t length, int flags) {
    CALL(braid_sockets_recv(d->net, fd, bytes, length, flags));
}
/* A stream has no addresses to tell of. */
static ssize_t drill_recvfrom(void *userdata, int fd, void *bytes, size_t length, int flags,
                              struct sockaddr *from, socklen_t *from_length) {
    (void)from;
    if (from_length) *from_length = 0;
    CALL(braid_sockets_recv(d->net, fd, bytes, length, flags));
}
static ssize_t drill_recvmsg(void *userdata, int fd, struct msghdr *message, int flags) {
    message->msg_flags = 0;
    message->msg_namelen = 0;
    message->msg_controllen = 0;
    CALL(flags ? -EOPNOTSUPP : braid_sockets_readv(d->net, fd, message->msg_iov, (int)message->msg_iovlen));
}
static ssize_t drill_write(void *userdata, int fd, const void *bytes, size_t length) {
    CALL(braid_sockets_write(d->net, fd, bytes, length));
}
static ssize_t drill_writev(void *userdata, int fd, const struct iovec *vectors, int count) {
    CALL(braid_sockets_writev(d->net, fd, vectors, count));
}
static ssize_t drill_send(void *userdata, int fd, const void *bytes, size_t length, int flags) {
    CALL(braid_sockets_send(d->net, fd, bytes, length, flags));
}
static ssize_t drill_sendto(void *userdata, int fd, const void *bytes, size_t length, int flags,
                            const struct sockaddr *to, socklen_t to_length) {
    CALL(braid_sockets_sendto(d->net, fd, bytes, length, flags, to, to_length));
}
static ssize_t drill_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags) {
    CALL(flags & ~MSG_NOSIGNAL
             ? -EOPNOTSUPP
             : braid_sockets_writev(d->net, fd, message->msg_iov, (int)message->msg_iovlen));
}

static int control_flags(struct braid_sockets *net, int fd, int command, int flags) {
    int nonblocking = braid_sockets_nonblocking(net, fd);
    if (nonblocking < 0) return nonblocking;
    if (command == F_GETFL) return O_RDWR | (nonblocking ? O_NONBLOCK : 0);
    if (command == F_SETFL) return braid_sockets_set_nonblocking(net, fd, (flags & O_NONBLOCK) != 0);
    return command == F_GETFD || command == F_SETFD ? 0 : -EINVAL;
}

static int drill_fcntl(void *userdata, int fd, int command, ...) {
    va_list arguments;
    va_start(arguments, command);
    int flags = command == F_SETFL ? va_arg(arguments, int) : 0;
    va_end(arguments);
    CALL_INT(control_flags(d->net, fd, command, flags));
}

static int drill_ioctl(void *userdata, int fd, unsigned long request, ...) {
    va_list arguments;
    va_start(arguments, request);
    int *out = va_arg(arguments, int *);
    va_end(arguments);
    struct drill *d = enter(userdata);
    if (!d) return refuse(EINVAL);
    int result = request == FIONREAD   ? braid_sockets_readable(d->net, fd)
                 : request == SIOCOUTQ ? braid_sockets_unacknowledged(d->net, fd)
                                       : -ENOTTY;
    if (result >= 0) *out = result;
    return (int)leave(d, result < 0 ? result : 0);
}

/* --- the wire and the clock --- */

static int drill_netdev_send(void *userdata, const void *bytes, size_t length) {
    CALL_INT(braid_sockets_packet_in(d->net, 0, bytes, length));
}

static int drill_netdev_receive(void *userdata, void *bytes, size_t *length, long long *time_us) {
    struct drill *d = enter(userdata);
    size_t room = *length;
    *length = 0;
    if (!d) return refuse(EINVAL);
    pass_until(d, d->now + RECEIVE_WAIT_NS, true);
    struct packet *packet = d->first;
    if (!packet) return (int)leave(d, 0);
    d->first = packet->next;
    if (!d->first) d->last = &d->first;
    *length = packet->length < room ? packet->length : room;
    memcpy(bytes, packet->bytes, *length);
    *time_us = (long long)(packet->at / BRAID_NS_PER_US);
    free(packet);
    return (int)leave(d, 0);
}

static int drill_usleep(void *userdata, useconds_t us) {
    struct drill *d = enter(userdata);
    if (!d) return refuse(EINVAL);
    pass_until(d, d->now + us * BRAID_NS_PER_US, false);
    return (int)leave(d, 0);
}

static int drill_gettimeofday(void *userdata, struct timeval *time, struct timezone *zone) {
    struct drill *d = enter(userdata);
    (void)zone;
    if (!d) return refuse(EINVAL);
    pass_until(d, d->now + BRAID_NS_PER_US, false);
    *time = (struct timeval){.tv_sec = (time_t)(d->now / BRAID_NS_PER_S),
                             .tv_usec = (suseconds_t)(d->now % BRAID_NS_PER_S / BRAID_NS_PER_US)};
    return (int)leave(d, 0);
}

/* --- what there is not --- */

static int drill_epoll_create(void *userdata, int size) {
    (void)userdata, (void)size;
    return refuse(ENOSYS);
}
static int drill_epoll_ctl(void *userdata, int epoll, int operation, int fd, struct epoll_event *event) {
    (void)userdata, (void)epoll, (void)operation, (void)fd, (void)event;
    return refuse(ENOSYS);
}
static int drill_epoll_wait(void *userdata, int epoll, struct epoll_event *events, int count,
                            int timeout_ms) {
    (void)userdata, (void)epoll, (void)events, (void)count, (void)timeout_ms;
    return refuse(ENOSYS);
}
static int drill_pipe(void *userdata, int fds[2]) {
    (void)userdata, (void)fds;
    return refuse(ENOSYS);
}
static int drill_splice(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t length,
                        unsigned flags) {
    (void)userdata, (void)in, (void)in_at, (void)out, (void)out_at, (void)length, (void)flags;
    return refuse(ENOSYS);
}

/* --- beginning and end --- */

static void packets_free(struct drill *d) {
    while (d->first) {
        struct packet *packet = d->first;
        d->first = packet->next;
        free(packet);
    }
}

/* Calls that are still asleep are woken, and end with EAGAIN. */
static void drill_free(void *userdata) {
    struct drill *d = enter(userdata);
    if (!d) return;
    d->ending = true;
    pthread_cond_broadcast(&d->happened);
    while (d->blocked > 0)
        pthread_cond_wait(&d->happened, &d->lock);
    braid_sockets_destroy(d->net);
    packets_free(d);
    pthread_mutex_unlock(&d->lock);
    pthread_cond_destroy(&d->happened);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct drill_flags {
    struct braid_stack_config stack;
    struct braid_address addresses[BRAID_ADDRESSES_MAX];
    bool backup[BRAID_ADDRESSES_MAX];
    unsigned address_count;
    unsigned long mtu_bytes, seed;
    char congestion[32], scheduler[32];
};

static bool take_address(struct drill_flags *flags, char *text) {
    static const char suffix[] = "+backup";
    struct braid_address *address = &flags->addresses[flags->address_count];
    size_t length = strlen(text), tail = sizeof(suffix) - 1;
    bool backup = length > tail && strcmp(text + length - tail, suffix) == 0;
    if (flags->address_count == BRAID_ADDRESSES_MAX) return false;
    if (backup) text[length - tail] = 0;
    *address = (struct braid_address){0};
    if (inet_pton(AF_INET, text, address->bytes) == 1)
        address->family = 4;
    else if (inet_pton(AF_INET6, text, address->bytes) == 1)
        address->family = 6;
    else
        return false;
    flags->backup[flags->address_count++] = backup;
    return true;
}

static bool take_number(const char *text, unsigned long least, unsigned long most, unsigned long *out) {
    char *end;
    errno = 0;
    *out = strtoul(text, &end, 10);
    return *text >= '0' && *text <= '9' && *end == 0 && errno == 0 && *out >= least && *out <= most;
}

static bool take_name(const char *text, char out[32], const char **name) {
    if (strlen(text) >= 32) return false;
    memcpy(out, text, strlen(text) + 1);
    *name = out;
    return true;
}

static bool take_flag(struct drill_flags *flags, char *flag) {
    char *value = strchr(flag, '=');
    if (strcmp(flag, "checksum") == 0) return flags->stack.checksum = true;
    if (strcmp(flag, "ecn") == 0) return flags->stack.ecn = true;
    if (strcmp(flag, "fastclose_by_ack") == 0) return flags->stack.fastclose_by_ack = true;
    if (!value) return false;
    *value++ = 0;
    if (strcmp(flag, "local") == 0) return take_address(flags, value);
    if (strcmp(flag, "mtu") == 0) return take_number(value, MTU_MIN, MTU_MAX, &flags->mtu_bytes);
    if (strcmp(flag, "seed") == 0) return take_number(value, 0, UINT32_MAX, &flags->seed);
    if (strcmp(flag, "congestion") == 0) return take_name(value, flags->congestion, &flags->stack.congestion);
    if (strcmp(flag, "scheduler") == 0) return take_name(value, flags->scheduler, &flags->stack.scheduler);
    return false;
}

/* Names and values with commas between; packetdrill's own defaults where there are none. */
static bool flags_read(struct drill_flags *flags, const char *text) {
    char copy[1024], *rest = copy, *flag;
    char usual[2][24] = {"192.168.0.1", "fd3d:fa7b:d17d::1"};
    *flags = (struct drill_flags){.mtu_bytes = 1500};
    snprintf(copy, sizeof(copy), "%s", text ? text : "");
    while ((flag = strsep(&rest, ",")) != NULL) {
        char said[64];
        snprintf(said, sizeof(said), "%s", flag);
        if (*flag == 0 || take_flag(flags, flag)) continue;
        fprintf(stderr,
                "braid: flag '%s' is none of local=ADDRESS[+backup], mtu=%d..%d, seed=N, congestion=NAME, "
                "scheduler=NAME, checksum, ecn, fastclose_by_ack\n",
                said, MTU_MIN, MTU_MAX);
        return false;
    }
    if (flags->address_count > 0) return true;
    return take_address(flags, usual[0]) && take_address(flags, usual[1]);
}

static struct drill *drill_create(const struct drill_flags *flags) {
    struct drill *d = calloc(1, sizeof(*d));
    if (!d) return NULL;
    d->now = BRAID_NS_PER_S;
    d->last = &d->first;
    struct braid_sockets_hooks hooks = {
        .context = d, .now = hook_now, .transmit = hook_transmit, .wait = hook_wait, .seed = flags->seed};
    d->net = braid_sockets_create(&hooks, &flags->stack);
    if (!d->net) {
        enum braid_config_fault fault = braid_stack_config_check(&flags->stack);
        fprintf(stderr, "braid: %s\n", fault == BRAID_CONFIG_OK ? "no memory" : braid_config_fault_text(fault));
        for (unsigned i = 0; braid_config_takes(fault, i) != NULL; i++)
            fprintf(stderr, "braid: possible is %s\n", braid_config_takes(fault, i));
        free(d);
        return NULL;
    }
    struct braid_link_config link = {.mtu_bytes = (uint32_t)flags->mtu_bytes, .uplink = true};
    (void)braid_sockets_link_add(d->net, &link);
    for (unsigned i = 0; i < flags->address_count; i++)
        (void)braid_sockets_address_add(d->net, 0, &flags->addresses[i], flags->backup[i], false);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->happened, NULL);
    return d;
}

static const struct packetdrill_interface entries = {
    .free = drill_free,
    .socket = drill_socket,
    .bind = drill_bind,
    .listen = drill_listen,
    .accept = drill_accept,
    .connect = drill_connect,
    .read = drill_read,
    .readv = drill_readv,
    .recv = drill_recv,
    .recvfrom = drill_recvfrom,
    .recvmsg = drill_recvmsg,
    .write = drill_write,
    .writev = drill_writev,
    .send = drill_send,
    .sendto = drill_sendto,
    .sendmsg = drill_sendmsg,
    .fcntl = drill_fcntl,
    .ioctl = drill_ioctl,
    .close = drill_close,
    .shutdown = drill_shutdown,
    .getsockopt = drill_getsockopt,
    .setsockopt = drill_setsockopt,
    .poll = drill_poll,
    .netdev_send = drill_netdev_send,
    .netdev_receive = drill_netdev_receive,
    .usleep = drill_usleep,
    .gettimeofday = drill_gettimeofday,
    .epoll_create = drill_epoll_create,
    .epoll_ctl = drill_epoll_ctl,
    .epoll_wait = drill_epoll_wait,
    .pipe = drill_pipe,
    .splice = drill_splice,
};

/* When the flags make no sense it says so, and every call fails with EINVAL. */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *table) {
    struct drill_flags read;
    *table = entries;
    table->userdata = flags_read(&read, flags) ? drill_create(&read) : NULL;
}
