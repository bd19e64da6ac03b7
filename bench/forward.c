/* The limit of the way in and out: runs a command in a network namespace of its own, as `braid run` does, but
 * only moves its packets between its TUN and the interface. The command's kernel plays the part of braid's
 * TCP: it has the interface's address, and ports of those that the machine's kernel leaves alone. IPv4 and
 * TCP.
 *
 *     bench_forward INTERFACE ADDRESS COMMAND... */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/buf.h>
#include <host/environment.h>
#include <host/netlink.h>
#include <host/uplink.h>
#include <link/link_tun.h>

static struct environment environment;

static void check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench_forward: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
    close(fd);
}

static void configure_tun(const char *text) {
    struct netlink *netlink;
    struct ip_address address;
    uint32_t index = if_nametoindex("tun0");
    check(ip_address_parse(text, &address), text);
    check(netlink_open(&netlink) == 0, "netlink");
    check(netlink_link_set_up(netlink, index, true) == 0, "up");
    check(netlink_address_add(netlink, index, &address, 32) == 0, "address");
    struct netlink_route route = {.destination.family = IP_V4, .interface_index = index};
    check(netlink_route_add(netlink, &route) == 0, "route");
    netlink_close(netlink);
}

/* The command's side: a namespace with a TUN, and our ports. */
static struct link *make_program_side(const char *address, const struct uplinks *uplinks, int *namespace) {
    int fd, own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    struct link *link;
    char range[32];
    check(own >= 0 && unshare(CLONE_NEWNET) == 0, "namespace");
    *namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    check(tun_device_create("/dev/net/tun", "tun0", &fd) == 0, "TUN");
    check(link_tun_create(&environment.env, fd, 1500, &link) == 0, "TUN");
    configure_tun(address);
    snprintf(range, sizeof(range), "%u %u", uplinks_port_first(uplinks), uplinks_port_last(uplinks));
    write_text("/proc/sys/net/ipv4/ip_local_port_range", range);
    check(setns(own, CLONE_NEWNET) == 0, "namespace");
    close(own);
    return link;
}

/* As the stack would: headers by copy, payload by reference where the link offers one. */
static void turn_around(const struct braid_packet_in *in, struct braid_packet_out *out) {
    uint32_t ip_length = (in->bytes[0] & 15u) * 4;
    uint32_t header_length = ip_length + (uint32_t)(in->bytes[ip_length + 12] >> 4) * 4;
    const uint8_t *payload = in->bytes + header_length;
    *out = (struct braid_packet_out){.header_length = (uint16_t)header_length,
                                     .payload_length = in->length - header_length,
                                     .segment_bytes = in->segment_bytes,
                                     .checksum_partial = in->checksum_verified,
                                     .checksum_start = (uint16_t)ip_length,
                                     .checksum_offset = 16};
    memcpy(out->header, in->bytes, header_length);
    if (out->payload_length == 0) return;
    out->slice_count = 1;
    out->slices[0] = in->buf != NULL ? slice_of(in->buf, payload, out->payload_length)
                                     : slice_copy(&environment.env, payload, out->payload_length);
}

static bool is_tcp(const struct braid_packet_in *packet) {
    return packet->length >= 40 && packet->bytes[0] >> 4 == 4 && packet->bytes[9] == 6 &&
           packet->length >= (packet->bytes[0] & 15u) * 4 + 20;
}

static void send_all(struct link *to, struct braid_packet_out *packets, int count) {
    for (int sent = 0; sent < count;) {
        int taken = link_send(to, packets + sent, (size_t)(count - sent));
        check(taken >= 0, "send");
        sent += taken;
        struct pollfd wait = {.fd = link_fd(to), .events = POLLOUT};
        if (sent < count) poll(&wait, 1, 10);
    }
}

static void move(struct link *from, struct link *to) {
    static struct braid_packet_out out[LINK_BATCH_MAX];
    struct braid_packet_in in[LINK_BATCH_MAX];
    int count = link_receive(from, in, LINK_BATCH_MAX), good = 0;
    for (int i = 0; i < count; i++)
        if (is_tcp(&in[i])) turn_around(&in[i], &out[good++]);
    send_all(to, out, good);
}

static int forward_until_end_of(pid_t command, struct link *program, struct uplink *uplink) {
    int status;
    while (waitpid(command, &status, WNOHANG) == 0) {
        struct pollfd fds[] = {{link_fd(program), POLLIN, 0},
                               {link_fd(uplink_link(uplink)), POLLIN, 0},
                               {uplink_fd(uplink), POLLIN, 0}};
        poll(fds, 3, 100);
        if (fds[2].revents) uplink_dispatch(uplink);
        if (fds[0].revents) move(program, uplink_link(uplink));
        if (fds[1].revents) move(uplink_link(uplink), program);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int count, char **arguments) {
    struct uplinks *uplinks;
    struct uplink *uplink;
    int namespace;
    if (count < 4) {
        fprintf(stderr, "usage: bench_forward INTERFACE ADDRESS COMMAND...\n");
        return 2;
    }
    environment_init(&environment);
    check(uplinks_create(&environment.env, 512, &uplinks).problem == UPLINK_OK, "uplinks");
    check(uplink_open(uplinks, arguments[1], &uplink).problem == UPLINK_OK, "uplink");
    struct link *program = make_program_side(arguments[2], uplinks, &namespace);
    pid_t command = fork();
    check(command >= 0, "fork");
    if (command == 0) {
        check(setns(namespace, CLONE_NEWNET) == 0, "namespace");
        execvp(arguments[3], arguments + 3);
        check(false, arguments[3]);
    }
    return forward_until_end_of(command, program, uplink);
}
