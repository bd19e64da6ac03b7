#include <link/link_tun.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "packet_gather.h"
#include "receive_buffers.h"
#include "virtio_header.h"

struct link_tun {
    struct link link;
    const struct braid_env *env;
    struct link_capabilities capabilities;
    struct link_statistics statistics;
    struct receive_buffers buffers;
};

static struct link_tun *tun_of(struct link *link) {
    return CONTAINER_OF(link, struct link_tun, link);
}

static bool device_gone(int error) {
    return error == EBADFD || error == ENODEV || error == ENXIO;
}

/* 1: a packet is in buffer `index`; 0: none waits (or one came that is not for us to have); -errno. */
static int tun_read(struct link_tun *tun, size_t index, struct braid_packet_in *packet) {
    struct virtio_net_hdr header;
    struct iovec runs[2] = {{&header, sizeof(header)},
                            {tun->buffers.bufs[index]->bytes, RECEIVE_BUFFER_BYTES}};
    ssize_t length;
    do
        length = readv(tun->link.fd, runs, 2);
    while (length < 0 && errno == EINTR);
    if (length < 0) return device_gone(errno) ? -ENODEV : 0;
    if (length <= (ssize_t)sizeof(header)) {
        tun->statistics.dropped_in++;
        return 0;
    }
    *packet = receive_buffers_packet(&tun->buffers, index, (uint32_t)length - (uint32_t)sizeof(header));
    if (!virtio_header_decode(&header, packet)) {
        tun->statistics.dropped_in++;
        return 0;
    }
    return 1;
}

static int tun_receive(struct link *link, struct braid_packet_in *packets, size_t max) {
    struct link_tun *tun = tun_of(link);
    size_t room = receive_buffers_prepare(&tun->buffers, max), count = 0, bytes = 0;
    while (count < room && bytes < LINK_BATCH_BYTES) {
        int result = tun_read(tun, count, &packets[count]);
        if (result < 0 && count == 0) return result;
        if (result <= 0) break;
        tun->statistics.packets_in++;
        bytes += packets[count].length;
        if (packets[count].segment_bytes != 0) tun->statistics.super_segments_in++;
        count++;
    }
    tun->statistics.bytes_in += bytes;
    return (int)count;
}

/* 1: taken; 0: no room now; -errno. */
static int tun_write(struct link_tun *tun, struct braid_packet_out *packet) {
    struct virtio_net_hdr header = virtio_header_encode(packet, 0);
    struct iovec runs[1 + PACKET_GATHER_MAX];
    runs[0] = (struct iovec){&header, sizeof(header)};
    size_t count = 1 + packet_gather(packet, runs + 1);
    ssize_t length;
    do
        length = writev(tun->link.fd, runs, (int)count);
    while (length < 0 && errno == EINTR);
    if (length < 0) {
        if (errno == EAGAIN) return 0;
        if (device_gone(errno)) return -ENODEV;
        tun->statistics.dropped_out++;
        return 1;
    }
    tun->statistics.packets_out++;
    tun->statistics.bytes_out += packet->header_length + packet->payload_length;
    if (header.gso_size != 0) tun->statistics.super_segments_out++;
    return 1;
}

static int tun_send(struct link *link, struct braid_packet_out *packets, size_t count) {
    struct link_tun *tun = tun_of(link);
    if (count > LINK_BATCH_MAX) count = LINK_BATCH_MAX;
    size_t taken = 0;
    while (taken < count) {
        int result = tun_write(tun, &packets[taken]);
        if (result < 0 && taken == 0) return result;
        if (result <= 0) break;
        braid_packet_out_release(&packets[taken]);
        taken++;
    }
    return (int)taken;
}

static void tun_close(struct link *link) {
    struct link_tun *tun = tun_of(link);
    close(tun->link.fd);
    receive_buffers_deinit(&tun->buffers);
    tun->env->release(tun->env->context, tun, sizeof(*tun));
}

static const struct link_ops tun_ops = {tun_receive, tun_send, tun_close};

static int tun_configure(int fd, const char *name, short more_flags) {
    struct ifreq request = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | more_flags)};
    size_t length = strlen(name);
    if (length >= sizeof(request.ifr_name)) return -EINVAL;
    memcpy(request.ifr_name, name, length);
    if (ioctl(fd, TUNSETIFF, &request) < 0) return -errno;
    int header_bytes = sizeof(struct virtio_net_hdr);
    if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0) return -errno;
    unsigned long offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (ioctl(fd, TUNSETOFFLOAD, offloads) < 0) return -errno;
    return 0;
}

static int tun_open(const char *path, const char *name, short more_flags, int *fd) {
    int device = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (device < 0) return -errno;
    int error = tun_configure(device, name, more_flags);
    if (error != 0) {
        close(device);
        return error;
    }
    *fd = device;
    return 0;
}

int tun_device_create(const char *path, const char *name, int *fd) {
    return tun_open(path, name, 0, fd);
}

int tun_device_create_queues(const char *path, const char *name, unsigned count, int *fds) {
    char made[TUN_DEVICE_NAME_MAX];
    unsigned opened = 0;
    if (count == 0) return -EINVAL;
    if (count == 1) return tun_open(path, name, 0, fds);
    int error = tun_open(path, name, IFF_MULTI_QUEUE, &fds[opened]);
    if (error != 0) return error;
    opened++;
    error = tun_device_name(fds[0], made);
    while (error == 0 && opened < count) {
        error = tun_open(path, made, IFF_MULTI_QUEUE, &fds[opened]);
        if (error == 0) opened++;
    }
    if (error == 0) return 0;
    while (opened > 0) close(fds[--opened]);
    return error;
}

int tun_device_name(int fd, char name[TUN_DEVICE_NAME_MAX]) {
    struct ifreq request = {0};
    if (ioctl(fd, TUNGETIFF, &request) < 0) return -errno;
    memcpy(name, request.ifr_name, TUN_DEVICE_NAME_MAX);
    name[TUN_DEVICE_NAME_MAX - 1] = 0;
    return 0;
}

int link_tun_create(const struct braid_env *env, int fd, uint32_t mtu, struct link **out) {
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    struct link_tun *tun = env->allocate(env->context, sizeof(*tun));
    if (tun == NULL) return -ENOMEM;
    *tun = (struct link_tun){.env = env};
    tun->capabilities = (struct link_capabilities){mtu, LINK_PACKET_MAX, true};
    tun->link = (struct link){&tun_ops, &tun->capabilities, &tun->statistics, fd};
    receive_buffers_init(&tun->buffers, env);
    *out = &tun->link;
    return 0;
}
