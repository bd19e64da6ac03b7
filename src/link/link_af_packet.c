#define _GNU_SOURCE
#include "af_packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coalesce_packets.h"
#include "packet_filter.h"

#ifndef ARPHRD_RAWIP
#define ARPHRD_RAWIP 519
#endif

/* The kernel doubles both, for its own overhead. What waits in a slow device's queue cannot be recalled when
 * a better path appears, so there is room for a few super-segments, no more; a burst that arrives must not be
 * lost. */
#define SEND_BUFFER_BYTES_DEFAULT (256u << 10)
#define RECEIVE_BUFFER_BYTES_DEFAULT (4u << 20)

/* Single packets taken from the kernel in one batch, where they become a few super-segments. */
#define SINGLES_MAX 128

/* Where packets are as large as this, so many are taken in one batch. */
#define WIDE_BYTES (LINK_PACKET_MAX / 2)
#define WIDE_ASKED (LINK_BATCH_BYTES / LINK_PACKET_MAX + 1)

static uint32_t prefix_bytes(const struct link_af_packet *self) {
    return (self->virtio_headers ? (uint32_t)sizeof(struct virtio_net_hdr) : 0) +
           (self->ethernet ? (uint32_t)sizeof(struct ether_header) : 0);
}

static void prepare_receive(struct link_af_packet *self, size_t from, size_t count) {
    for (size_t i = from; i < count; i++) {
        struct af_packet_prefix *prefix = &self->prefixes[i];
        void *start = self->virtio_headers ? (void *)prefix : (void *)&prefix->ethernet;
        self->runs[i][0] = (struct iovec){start, prefix_bytes(self)};
        self->runs[i][1] = (struct iovec){self->buffers.bufs[i]->bytes, RECEIVE_BUFFER_BYTES};
        self->messages[i].msg_hdr = (struct msghdr){.msg_iov = self->runs[i], .msg_iovlen = 2};
    }
}

/* False: the packet is dropped. */
static bool take_packet(struct link_af_packet *self, size_t index, struct braid_packet_in *packet) {
    uint32_t length = self->messages[index].msg_len;
    if (length <= prefix_bytes(self) || self->messages[index].msg_hdr.msg_flags & MSG_TRUNC) return false;
    *packet = receive_buffers_packet(&self->buffers, index, length - prefix_bytes(self));
    if (packet->length > LINK_PACKET_MAX) return false;
    return !self->virtio_headers || virtio_header_decode(&self->prefixes[index].virtio, packet);
}

static void buffers_swap(struct link_af_packet *self, size_t a, size_t b) {
    struct braid_buf *buf = self->buffers.bufs[a];
    self->buffers.bufs[a] = self->buffers.bufs[b];
    self->buffers.bufs[b] = buf;
}

/* Takes messages from `count` on, `got` of them, behind `count` packets. What arrived together and belongs together becomes one
 * super-segment, in the buffer of its first packet; buffers of packets come first, for those behind them are free again.
 * Returns how many packets there are. */
static size_t take_batch(struct link_af_packet *self, struct coalesced_packets *coalesced, size_t count, size_t got,
                         struct braid_packet_in *packets) {
    for (size_t i = count, end = count + got; i < end; i++) {
        struct braid_packet_in *packet = &packets[count];
        if (!take_packet(self, i, packet)) {
            self->statistics.dropped_in++;
            continue;
        }
        self->statistics.packets_in++;
        self->statistics.bytes_in += packet->length;
        if (packet->segment_bytes != 0) self->statistics.super_segments_in++;
        if (coalesce_packet(coalesced, packet, self->buffers.bufs[i]->bytes, RECEIVE_BUFFER_BYTES)) {
            packet--;
            packet->buf = receive_buffers_packet(&self->buffers, count - 1, packet->length).buf;
        } else buffers_swap(self, i, count++);
    }
    return count;
}

static bool interface_exists(const struct link_af_packet *self) {
    struct ifreq request = {.ifr_ifindex = self->interface_index};
    return ioctl(self->link.fd, SIOCGIFNAME, &request) == 0;
}

/* As many messages as there is room for behind `from`, or -errno. */
static int messages_read(struct link_af_packet *self, size_t from, size_t room) {
    int got;
    prepare_receive(self, from, room);
    do
        got = recvmmsg(self->link.fd, self->messages + from, (unsigned)(room - from), MSG_DONTWAIT, NULL);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

static int af_packet_receive(struct link *link, struct braid_packet_in *packets, size_t max) {
    struct link_af_packet *self = af_packet_of(link);
    struct coalesced_packets coalesced = {.bytes = NULL};
    size_t room = receive_buffers_prepare(&self->buffers, max), count = 0, all = 0;
    bool more = true;
    uint64_t before = self->statistics.bytes_in;
    int got = self->receive_error;
    if (room == 0) return 0;
    self->receive_error = 0;
    while (got >= 0 && more) {
        size_t asked = self->wide && room - count > WIDE_ASKED ? WIDE_ASKED : room - count;
        got = messages_read(self, count, count + asked);
        if (got <= 0) break;
        count = take_batch(self, &coalesced, count, (size_t)got, packets);
        all += (size_t)got;
        self->wide = self->statistics.bytes_in - before >= all * WIDE_BYTES;
        more = (size_t)got == asked && count <= room / 2 && all < SINGLES_MAX && !self->wide;
    }
    if (got >= 0) return (int)count;
    if (count > 0) self->receive_error = got == -EAGAIN ? 0 : got; /* it is told once: kept for the next call */
    if (count > 0) return (int)count;
    /* ENETDOWN is told once when the interface goes down or away; a socket whose interface only went down
     * works again when it comes up. */
    return got == -ENETDOWN && !interface_exists(self) ? -ENODEV : 0;
}

static void af_packet_close(struct link *link) {
    struct link_af_packet *self = af_packet_of(link);
    close(self->link.fd);
    af_packet_release_held(self);
    receive_buffers_deinit(&self->buffers);
    self->env->release(self->env->context, self, sizeof(*self));
}

static const struct link_ops af_packet_ops = {af_packet_receive, af_packet_send, af_packet_close};

/* Learns what the interface is like now. 0 or -errno. */
static int read_interface(struct link_af_packet *self) {
    struct ifreq request = {.ifr_ifindex = self->interface_index};
    if (ioctl(self->link.fd, SIOCGIFNAME, &request) < 0) return -errno;
    if (ioctl(self->link.fd, SIOCGIFMTU, &request) < 0) return -errno;
    self->capabilities.mtu = (uint32_t)request.ifr_mtu;
    if (ioctl(self->link.fd, SIOCGIFFLAGS, &request) < 0) return -errno;
    self->no_next_hop = (request.ifr_flags & IFF_NOARP) != 0;
    if (ioctl(self->link.fd, SIOCGIFHWADDR, &request) < 0) return -errno;
    memcpy(self->own_mac, request.ifr_hwaddr.sa_data, sizeof(self->own_mac));
    switch (request.ifr_hwaddr.sa_family) {
    case ARPHRD_ETHER:
        self->ethernet = true;
        return 0;
    case ARPHRD_NONE:
    case ARPHRD_RAWIP:
    case ARPHRD_PPP:
        self->ethernet = false;
        return 0;
    default:
        return -EPFNOSUPPORT;
    }
}

bool link_af_packet_needs_next_hop(const struct link *link) {
    const struct link_af_packet *self = (const void *)link; /* its first member */
    return self->ethernet && !self->no_next_hop;
}

void link_af_packet_refresh(struct link *link) {
    /* An interface that is gone shows in receive and send; nothing to do about it here. */
    (void)!read_interface(af_packet_of(link));
}

static void set_buffer_bytes(int fd, int forced, int plain, uint32_t bytes) {
    int value = (int)bytes;
    if (setsockopt(fd, SOL_SOCKET, forced, &value, sizeof(value)) == 0) return;
    /* Without CAP_NET_ADMIN the system's limit holds; the link then works with a shorter queue. */
    (void)!setsockopt(fd, SOL_SOCKET, plain, &value, sizeof(value));
}

static int attach_filter(const struct link_af_packet *self, const struct link_af_packet_options *options) {
    struct packet_filter filter;
    packet_filter_build(&filter, self->ethernet ? sizeof(struct ether_header) : 0, options->port_first,
                        options->port_last);
    struct sock_fprog program = {filter.length, filter.code};
    return setsockopt(self->link.fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno
                                                                                                  : 0;
}

/* Everything is set before the socket is bound: until then it receives nothing, so nothing passes unfiltered.
 */
static int configure(struct link_af_packet *self, const struct link_af_packet_options *options) {
    int error = read_interface(self);
    if (error != 0) return error;
    int yes = 1;
    self->virtio_headers = setsockopt(self->link.fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) == 0;
    if (self->virtio_headers) {
        self->capabilities.super_segment_bytes = LINK_PACKET_MAX;
        self->capabilities.checksum_offload = true;
    }
    /* Kernels before 4.20 do not know it; there the filter sees what goes out, as not to this host. */
    (void)!setsockopt(self->link.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
    set_buffer_bytes(self->link.fd, SO_SNDBUFFORCE, SO_SNDBUF,
                     options->send_buffer_bytes ? options->send_buffer_bytes : SEND_BUFFER_BYTES_DEFAULT);
    set_buffer_bytes(self->link.fd, SO_RCVBUFFORCE, SO_RCVBUF,
                     options->receive_buffer_bytes ? options->receive_buffer_bytes
                                                   : RECEIVE_BUFFER_BYTES_DEFAULT);
    error = attach_filter(self, options);
    if (error != 0) return error;

    struct sockaddr_ll address = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = self->interface_index};
    if (bind(self->link.fd, (struct sockaddr *)&address, sizeof(address)) < 0 && errno != ENETDOWN)
        return -errno;
    address.sll_protocol = htons(ETH_P_IP);
    self->address_v4 = address;
    address.sll_protocol = htons(ETH_P_IPV6);
    self->address_v6 = address;
    return 0;
}

int link_af_packet_open(const struct braid_env *env, const struct link_af_packet_options *options,
                        struct link **out) {
    unsigned interface_index = if_nametoindex(options->interface);
    if (interface_index == 0) return -ENODEV;
    struct link_af_packet *self = env->allocate(env->context, sizeof(*self));
    if (self == NULL) return -ENOMEM;
    memset(self, 0, sizeof(*self));
    self->env = env;
    self->interface_index = (int)interface_index;
    self->next_hop = options->next_hop;
    self->link = (struct link){&af_packet_ops, &self->capabilities, &self->statistics, -1};
    receive_buffers_init(&self->buffers, env);

    int error = 0;
    self->link.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (self->link.fd < 0) error = -errno;
    if (error == 0) error = configure(self, options);
    if (error != 0) {
        if (self->link.fd >= 0) close(self->link.fd);
        env->release(env->context, self, sizeof(*self));
        return error;
    }
    *out = &self->link;
    return 0;
}
