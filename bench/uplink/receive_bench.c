/* Two ways to receive from a packet socket: recvmmsg into our own buffers (what the link does), or a
 * memory-mapped ring (TPACKET_V2) that packets must be copied out of, since the stack keeps them. A second
 * process floods the interface. Prints one line a run: packets and bytes a second, and the receiver's CPU
 * time for each packet.
 *
 *   bench_uplink_receive recvmmsg|ring PAYLOAD_BYTES SECONDS      (payload over 1448: a super-segment) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <base/buf.h>
#include <errno.h>
#include <fcntl.h>
#include <host/netlink.h>
#include <link/link_af_packet.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <wire/ip.h>
#include <wire/tcp_segment.h>

#define PORT 20000
#define FRAME_BYTES 69632 /* a super-segment and the ring's own header, in whole pages */
#define FRAMES 128

static void *allocate(void *context, size_t size) {
    (void)context;
    return malloc(size);
}
static void release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    free(memory);
}
static const struct braid_env env = {.allocate = allocate, .release = release};

static void check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void up(const char *interface) {
    struct netlink *netlink;
    check(netlink_open(&netlink) == 0, "netlink");
    check(netlink_link_set_up(netlink, if_nametoindex(interface), true) == 0, "up");
    netlink_close(netlink);
}

/* ---- the flood ---- */

static uint8_t to_mac[6];

static enum link_next_hop_state resolve(void *context, const struct ip_address *source,
                                        const struct ip_address *destination, uint8_t mac[6]) {
    (void)context, (void)source, (void)destination;
    memcpy(mac, to_mac, 6);
    return LINK_NEXT_HOP_KNOWN;
}

static struct braid_packet_out flood_packet(struct braid_buf *payload, uint32_t length) {
    struct braid_packet_out packet = {.checksum_partial = true, .checksum_start = 20, .checksum_offset = 16};
    const uint8_t from[4] = {10, 0, 0, 2}, to[4] = {10, 0, 0, 1};
    struct ip_header ip = {.source = ip_address_v4(from),
                           .destination = ip_address_v4(to),
                           .protocol = IP_PROTOCOL_TCP,
                           .ttl = 64,
                           .dont_fragment = true,
                           .payload_length = 20 + length};
    struct tcp_segment tcp = {.source_port = 80, .destination_port = PORT, .flags = TCP_ACK};
    packet.header_length = (uint16_t)ip_encode(&ip, packet.header, sizeof(packet.header));
    packet.header_length +=
        (uint16_t)tcp_segment_encode(&tcp, packet.header + 20, sizeof(packet.header) - 20);
    packet.payload_length = length;
    packet.segment_bytes = length > 1448 ? 1448 : 0;
    packet.slices[packet.slice_count++] = slice_of(payload, payload->bytes, length);
    return packet;
}

static void flood(uint32_t length) {
    struct link_af_packet_options options = {
        .interface = "peer0", .port_first = 1, .port_last = 1, {NULL, resolve}};
    struct link *link;
    check(link_af_packet_open(&env, &options, &link) == 0, "flood");
    struct braid_buf *payload = buf_create(&env, 65536);
    static struct braid_packet_out packets[LINK_BATCH_MAX];
    for (;;) {
        for (size_t i = 0; i < LINK_BATCH_MAX; i++)
            packets[i] = flood_packet(payload, length);
        int taken = link_send(link, packets, LINK_BATCH_MAX);
        for (int i = taken < 0 ? 0 : taken; i < LINK_BATCH_MAX; i++)
            braid_packet_out_release(&packets[i]);
    }
}

/* ---- the receivers: each counts packets until `end` ---- */

struct count {
    uint64_t packets, bytes;
};

/* What the stack does with payload: keeps a reference for a while, or copies what is small. */
static void keep(struct braid_slice slice) {
    static struct braid_slice kept[64];
    static size_t next;
    slice_release(&kept[next]);
    kept[next] = slice;
    next = (next + 1) % 64;
}

static struct count receive_by_recvmmsg(double end) {
    struct link_af_packet_options options = {
        .interface = "wan0", .port_first = PORT, .port_last = PORT, .next_hop = {NULL, resolve}};
    struct link *link;
    struct count count = {0};
    check(link_af_packet_open(&env, &options, &link) == 0, "open");
    while (seconds(CLOCK_MONOTONIC) < end) {
        struct pollfd wait = {.fd = link_fd(link), .events = POLLIN};
        poll(&wait, 1, 100);
        struct braid_packet_in in[LINK_BATCH_MAX];
        int got = link_receive(link, in, LINK_BATCH_MAX);
        for (int i = 0; i < got; i++) {
            keep(in[i].buf != NULL ? slice_of(in[i].buf, in[i].bytes, in[i].length)
                                   : slice_copy(&env, in[i].bytes, in[i].length));
            count.packets++;
            count.bytes += in[i].length;
        }
    }
    return count;
}

static int open_ring(uint8_t **ring) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), version = TPACKET_V2, yes = 1;
    struct tpacket_req request = {FRAME_BYTES, FRAMES, FRAME_BYTES, FRAMES};
    check(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) == 0, "version");
    check(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) == 0, "virtio header");
    check(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) == 0, "ring");
    *ring = mmap(NULL, (size_t)FRAME_BYTES * FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    check(*ring != MAP_FAILED, "mmap");
    struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    at.sll_ifindex = (int)if_nametoindex("wan0");
    check(bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0, "bind");
    return fd;
}

static struct count receive_by_ring(double end) {
    uint8_t *ring;
    int fd = open_ring(&ring);
    struct count count = {0};
    size_t next = 0;
    while (seconds(CLOCK_MONOTONIC) < end) {
        struct tpacket2_hdr *frame = (void *)(ring + next * FRAME_BYTES);
        if ((__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) {
            struct pollfd wait = {.fd = fd, .events = POLLIN};
            poll(&wait, 1, 100);
            continue;
        }
        for (int batch = 0; batch < LINK_BATCH_MAX; batch++) {
            frame = (void *)(ring + next * FRAME_BYTES);
            if ((__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) == 0) break;
            keep(slice_copy(&env, (uint8_t *)frame + frame->tp_net, frame->tp_snaplen - 14));
            count.packets++;
            count.bytes += frame->tp_snaplen - 14;
            __atomic_store_n(&frame->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
            next = (next + 1) % FRAMES;
        }
    }
    return count;
}

int main(int argument_count, char **arguments) {
    if (argument_count < 4) {
        fprintf(stderr, "usage: %s recvmmsg|ring PAYLOAD_BYTES SECONDS\n", arguments[0]);
        return 2;
    }
    uint32_t length = (uint32_t)atoi(arguments[2]);
    check(unshare(CLONE_NEWNET) == 0, "unshare");
    struct netlink *netlink;
    check(netlink_open(&netlink) == 0 && netlink_veth_create(netlink, "wan0", "peer0", -1) == 0, "veth");
    netlink_close(netlink);
    up("wan0"), up("peer0");
    struct ifreq request = {.ifr_name = "wan0"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    check(ioctl(fd, SIOCGIFHWADDR, &request) == 0, "address");
    memcpy(to_mac, request.ifr_hwaddr.sa_data, 6);
    pid_t flooder = fork();
    if (flooder == 0) flood(length);
    double start = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID),
           end = start + atof(arguments[3]);
    struct count count = strcmp(arguments[1], "ring") == 0 ? receive_by_ring(end) : receive_by_recvmmsg(end);
    cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    double took = seconds(CLOCK_MONOTONIC) - start;
    kill(flooder, SIGKILL);
    waitpid(flooder, NULL, 0);
    printf("%-8s %5u bytes: %7.0f kpps %6.2f Gb/s, %6.0f ns a packet, receiver at %3.0f %%\n", arguments[1],
           length, (double)count.packets / took / 1e3, (double)count.bytes * 8 / took / 1e9,
           count.packets ? cpu * 1e9 / (double)count.packets : 0, cpu / took * 100);
    return 0;
}
