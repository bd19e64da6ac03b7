/* Two ways for packets to leave a machine beside its kernel's TCP, measured against each other:
 *   af_packet   a packet socket on the interface itself (what braid does);
 *   masquerade  a TUN device with an address, forwarded and masqueraded by the kernel.
 *
 *   program's namespace        braid's machine                               server's namespace
 *   kernel TCP -- TUN =======> forwarder ==af_packet=============> wan0 ----- peer0 -- kernel TCP
 *                              forwarder => TUN => kernel, NAT ==> wan0
 *
 * The forwarder only moves super-segments from one link to the other, so what is measured is the way out
 * itself. Each run is a fresh set of namespaces. Prints one line a run.
 *
 *   bench_uplink af_packet|masquerade up|down SECONDS [drop]     (drop: FORWARD has policy drop, as Docker
 * leaves it) */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <base/buf.h>
#include <errno.h>
#include <fcntl.h>
#include <host/netlink.h>
#include <host/uplink.h>
#include <link/link_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER_ADDRESS "10.1.0.2"
#define WAN_ADDRESS "10.1.0.1"
#define TUN_ADDRESS "10.2.0.1"     /* of the masqueraded TUN */
#define PROGRAM_ADDRESS "10.2.0.2" /* of the program behind it */
#define PORT 5001

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

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    check(fd >= 0 && write(fd, text, strlen(text)) > 0, path);
    close(fd);
}

static void run_nft(const char *command) {
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    check(nft != NULL && nft_run_cmd_from_buffer(nft, command) == 0, "nftables");
    nft_ctx_free(nft);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- the topology ---- */

static int namespaces[3];
enum { MACHINE, PROGRAM, SERVER };

static void enter(int which) {
    check(setns(namespaces[which], CLONE_NEWNET) == 0, "setns");
}

static void make_namespaces(void) {
    for (int i = 0; i < 3; i++) {
        check(unshare(CLONE_NEWNET) == 0, "unshare");
        namespaces[i] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        check(namespaces[i] >= 0, "namespace");
    }
}

static struct ip_address ip(const char *text) {
    struct ip_address address;
    check(ip_address_parse(text, &address), text);
    return address;
}

static void configure(int which, const char *interface, const char *address, const char *gateway,
                      bool default_route) {
    enter(which);
    struct netlink *netlink;
    check(netlink_open(&netlink) == 0, "netlink");
    uint32_t index = if_nametoindex(interface);
    struct ip_address own = ip(address);
    check(netlink_address_add(netlink, index, &own, 24) == 0, "address");
    check(netlink_link_set_queue_length(netlink, index, 1000) == 0, "queue length");
    check(netlink_link_set_up(netlink, index, true) == 0, "up");
    if (default_route) {
        struct netlink_route route = {.destination.family = IP_V4, .interface_index = index};
        if (gateway != NULL) route.gateway = ip(gateway);
        check(netlink_route_add(netlink, &route) == 0, "route");
    }
    netlink_close(netlink);
}

static struct link *make_tun(int which, const char *name) {
    enter(which);
    int fd;
    struct link *link;
    check(tun_device_create("/dev/net/tun", name, &fd) == 0, "TUN");
    check(link_tun_create(&env, fd, 1500, &link) == 0, "TUN");
    return link;
}

/* ---- the forwarder ---- */

/* As the stack would: headers by copy, payload by reference where the link offers one. */
static void turn_around(const struct braid_packet_in *in, struct braid_packet_out *out) {
    uint32_t ip_length = in->bytes[0] >> 4 == 4 ? (in->bytes[0] & 15u) * 4 : 40;
    uint32_t header_length = ip_length + (uint32_t)(in->bytes[ip_length + 12] >> 4) * 4;
    out->header_length = (uint16_t)header_length;
    out->payload_length = in->length - header_length;
    out->segment_bytes = in->segment_bytes;
    out->checksum_partial = in->checksum_verified;
    out->checksum_start = (uint16_t)ip_length;
    out->checksum_offset = 16;
    out->slice_count = 0;
    memcpy(out->header, in->bytes, header_length);
    if (out->payload_length == 0) return;
    out->slices[out->slice_count++] = in->buf != NULL
                                          ? slice_of(in->buf, in->bytes + header_length, out->payload_length)
                                          : slice_copy(&env, in->bytes + header_length, out->payload_length);
}

static void move(struct link *from, struct link *to) {
    struct braid_packet_in in[LINK_BATCH_MAX];
    static struct braid_packet_out out[LINK_BATCH_MAX];
    int count = link_receive(from, in, LINK_BATCH_MAX), good = 0;
    for (int i = 0; i < count; i++) {
        uint32_t ip_length = (in[i].bytes[0] & 15u) * 4;
        bool tcp = in[i].length >= 40 && in[i].bytes[0] >> 4 == 4 && in[i].bytes[9] == 6;
        if (tcp && in[i].length >= ip_length + 20) turn_around(&in[i], &out[good++]);
    }
    for (int sent = 0; sent < good;) {
        int taken = link_send(to, out + sent, (size_t)(good - sent));
        if (taken < 0) exit(1);
        sent += taken;
        if (sent == good) break;
        struct pollfd wait = {.fd = link_fd(to), .events = POLLOUT};
        poll(&wait, 1, 10);
    }
}

static void forward(struct link *program, struct link *out, struct uplink *uplink) {
    for (;;) {
        struct pollfd fds[3] = {{link_fd(program), POLLIN, 0},
                                {link_fd(out), POLLIN, 0},
                                {uplink != NULL ? uplink_fd(uplink) : -1, POLLIN, 0}};
        poll(fds, 3, -1);
        if (uplink != NULL && fds[2].revents) uplink_dispatch(uplink);
        if (fds[0].revents) move(program, out);
        if (fds[1].revents) move(out, program);
    }
}

/* ---- traffic ---- */

static struct shared {
    volatile uint64_t bytes;
    volatile bool connected;
    char port_range[32];
} * shared;

static void set_congestion_control(int fd) {
    (void)!setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5); /* else what the system has */
}

static void transfer(int fd, bool sends) {
    static char bytes[1 << 16];
    for (;;) {
        ssize_t length = sends ? write(fd, bytes, sizeof(bytes)) : read(fd, bytes, sizeof(bytes));
        if (length <= 0) exit(0);
        if (!sends) shared->bytes += (uint64_t)length;
    }
}

static void serve(bool sends) {
    enter(SERVER);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 1) == 0, "listen");
    int fd = accept(listener, NULL, NULL);
    set_congestion_control(fd);
    transfer(fd, sends);
}

static void use(bool sends) {
    enter(PROGRAM);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    inet_pton(AF_INET, SERVER_ADDRESS, &to.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_congestion_control(fd);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) exit(0);
    shared->connected = true;
    transfer(fd, sends);
}

/* ---- the two ways ---- */

static void forward_by_af_packet(void) {
    struct link *program = make_tun(PROGRAM, "tun0");
    configure(PROGRAM, "tun0", WAN_ADDRESS, NULL, true);
    enter(MACHINE);
    struct uplinks *uplinks;
    struct uplink *uplink;
    check(uplinks_create(&env, 512, &uplinks).problem == UPLINK_OK, "uplinks");
    check(uplink_open(uplinks, "wan0", &uplink).problem == UPLINK_OK, "uplink");
    /* The program's kernel plays the part of braid's own TCP: it uses our address and our ports. */
    char range[32];
    snprintf(range, sizeof(range), "%u %u", uplinks_port_first(uplinks), uplinks_port_last(uplinks));
    enter(PROGRAM);
    write_file("/proc/sys/net/ipv4/ip_local_port_range", range);
    snprintf(shared->port_range, sizeof(shared->port_range), "%s", range);
    forward(program, uplink_link(uplink), uplink);
}

static void forward_by_masquerade(void) {
    struct link *program = make_tun(PROGRAM, "tun0"), *out = make_tun(MACHINE, "up0");
    configure(PROGRAM, "tun0", PROGRAM_ADDRESS, NULL, true);
    configure(MACHINE, "up0", TUN_ADDRESS, NULL, false);
    write_file("/proc/sys/net/ipv4/ip_forward", "1");
    run_nft(
        "table ip nat { chain post { type nat hook postrouting priority 100; oif \"wan0\" masquerade; }; }");
    snprintf(shared->port_range, sizeof(shared->port_range), "any");
    forward(program, out, NULL);
}

static pid_t child(void) {
    fflush(stdout);
    pid_t pid = fork();
    check(pid >= 0, "fork");
    return pid;
}

static double cpu_seconds_of(pid_t pid) {
    clockid_t clock;
    return clock_getcpuclockid(pid, &clock) == 0 ? seconds(clock) : 0;
}

int main(int count, char **arguments) {
    bool good =
        count >= 4 && (strcmp(arguments[1], "af_packet") == 0 || strcmp(arguments[1], "masquerade") == 0);
    if (!good) {
        fprintf(stderr, "usage: %s af_packet|masquerade up|down SECONDS [drop]\n", arguments[0]);
        return 2;
    }
    bool af_packet = strcmp(arguments[1], "af_packet") == 0, up = strcmp(arguments[2], "up") == 0,
         drop = count > 4;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make_namespaces();
    enter(MACHINE);
    struct netlink *netlink;
    check(netlink_open(&netlink) == 0, "netlink");
    check(netlink_veth_create(netlink, "wan0", "peer0", namespaces[SERVER]) == 0, "veth");
    configure(MACHINE, "wan0", WAN_ADDRESS, SERVER_ADDRESS, true);
    configure(SERVER, "peer0", SERVER_ADDRESS, NULL, false);
    enter(MACHINE);
    if (drop) run_nft("table inet filter { chain f { type filter hook forward priority 0; policy drop; }; }");

    pid_t server = child();
    if (server == 0) serve(!up);
    pid_t forwarder = child();
    if (forwarder == 0) af_packet ? forward_by_af_packet() : forward_by_masquerade();
    while (shared->port_range[0] == 0 && waitpid(forwarder, NULL, WNOHANG) == 0)
        usleep(1000);
    pid_t program = child();
    if (program == 0) use(up);
    sleep(1); /* the start is not measured */
    uint64_t bytes = shared->bytes;
    double start = seconds(CLOCK_MONOTONIC), cpu = cpu_seconds_of(forwarder), length = atof(arguments[3]);
    usleep((useconds_t)(length * 1e6));
    double took = seconds(CLOCK_MONOTONIC) - start;
    printf("%-10s %-4s %-4s %s  %6.2f Gb/s  forwarder at %3.0f %% of a core\n", arguments[1], arguments[2],
           drop ? "drop" : "", shared->connected ? "connected    " : "NOT CONNECTED",
           (double)(shared->bytes - bytes) * 8 / took / 1e9, (cpu_seconds_of(forwarder) - cpu) / took * 100);
    const pid_t children[] = {program, forwarder, server};
    for (size_t i = 0; i < 3; i++)
        kill(children[i], SIGKILL), waitpid(children[i], NULL, 0);

    /* What a killed forwarder leaves behind on the machine. */
    enter(MACHINE);
    int fd = open("/proc/sys/net/ipv4/ip_forward", O_RDONLY | O_CLOEXEC);
    char forwards = '?';
    (void)!read(fd, &forwards, 1);
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    nft_ctx_buffer_output(nft);
    (void)!nft_run_cmd_from_buffer(nft, "list tables");
    char *tables = strdup(nft_ctx_get_output_buffer(nft));
    for (char *at = tables; *at != 0; at++)
        if (*at == '\n') *at = ';';
    printf("    left after kill -9: ip_forward=%c tables: %s\n", forwards, tables[0] != 0 ? tables : "none");
    return 0;
}
