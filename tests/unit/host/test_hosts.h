/* Two hosts on a wire for tests: ours, with the interface "wan0", and a peer with "peer0", each in its own
 * network namespace, made over netlink. */
#ifndef TEST_HOSTS_H
#define TEST_HOSTS_H

#include "../link/test_packets.h"

#include <host/netlink.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>

#define US_V4 "10.7.0.1"
#define PEER_V4 "10.7.0.2"
#define US_V6 "fd07::1"
#define PEER_V6 "fd07::2"

struct hosts {
    int us, peer;            /* descriptors of the namespaces */
    struct netlink *netlink; /* ours */
    struct netlink *peer_netlink;
    uint32_t wan; /* index of wan0 */
    uint32_t peer_interface;
};

static inline int test_this_namespace(void) {
    int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static inline void test_enter(int namespace) {
    assert_int_equal(setns(namespace, CLONE_NEWNET), 0);
}

/* Waits until an interface is operational, which comes a moment after it was set up. */
static inline void test_wait_running(const char *interface) {
    struct ifreq request = test_request(interface);
    for (int i = 0; i < WAIT_MS; i++) {
        test_control(SIOCGIFFLAGS, &request);
        if ((request.ifr_flags & IFF_RUNNING) != 0) return;
        poll(NULL, 0, 1);
    }
    fail_msg("%s does not come up", interface);
}

/* Wires both hosts together; wan0 gets our addresses, peer0 the peer's, if `addresses`. */
static inline void hosts_wire(struct hosts *hosts, bool addresses) {
    assert_int_equal(netlink_veth_create(hosts->netlink, "wan0", "peer0", hosts->peer), 0);
    hosts->wan = if_nametoindex("wan0");
    test_write_file("/proc/sys/net/ipv6/conf/wan0/addr_gen_mode", "1");
    test_enter(hosts->peer);
    hosts->peer_interface = if_nametoindex("peer0");
    test_write_file("/proc/sys/net/ipv6/conf/peer0/addr_gen_mode", "1");
    test_enter(hosts->us);
    assert_true(hosts->wan != 0 && hosts->peer_interface != 0);
    if (addresses) {
        struct ip_address us4 = test_ip(US_V4), us6 = test_ip(US_V6), peer4 = test_ip(PEER_V4),
                          peer6 = test_ip(PEER_V6);
        assert_int_equal(netlink_address_add(hosts->netlink, hosts->wan, &us4, 24), 0);
        assert_int_equal(netlink_address_add(hosts->netlink, hosts->wan, &us6, 64), 0);
        assert_int_equal(netlink_address_add(hosts->peer_netlink, hosts->peer_interface, &peer4, 24), 0);
        assert_int_equal(netlink_address_add(hosts->peer_netlink, hosts->peer_interface, &peer6, 64), 0);
    }
    assert_int_equal(netlink_link_set_up(hosts->peer_netlink, hosts->peer_interface, true), 0);
    assert_int_equal(netlink_link_set_up(hosts->netlink, hosts->wan, true), 0);
    test_wait_running("wan0");
}

static inline struct hosts hosts_create(bool addresses) {
    struct hosts hosts = {.us = test_this_namespace()};
    assert_int_equal(netlink_open(&hosts.netlink), 0);
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    hosts.peer = test_this_namespace();
    assert_int_equal(netlink_open(&hosts.peer_netlink), 0);
    test_enter(hosts.us);
    hosts_wire(&hosts, addresses);
    return hosts;
}

/* As every real interface has them: neighbour discovery asks from these. */
static inline void hosts_add_link_local(const struct hosts *hosts) {
    struct ip_address us = test_ip("fe80::1"), peer = test_ip("fe80::2");
    assert_int_equal(netlink_address_add(hosts->netlink, hosts->wan, &us, 64), 0);
    assert_int_equal(netlink_address_add(hosts->peer_netlink, hosts->peer_interface, &peer, 64), 0);
}

static inline void hosts_destroy(struct hosts *hosts) {
    netlink_close(hosts->netlink);
    netlink_close(hosts->peer_netlink);
    close(hosts->us);
    close(hosts->peer);
}

static inline struct netlink_route test_default_route(const char *gateway, uint32_t interface_index,
                                                      uint32_t metric) {
    struct netlink_route route = {
        .gateway = test_ip(gateway), .interface_index = interface_index, .metric = metric};
    route.destination.family = route.gateway.family;
    return route;
}

static inline socklen_t test_socket_address(const char *text, uint16_t port, struct sockaddr_storage *out) {
    struct ip_address address = test_ip(text);
    memset(out, 0, sizeof(*out));
    if (address.family == IP_V6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)out;
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        memcpy(&v6->sin6_addr, address.bytes, 16);
        return sizeof(*v6);
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)out;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    memcpy(&v4->sin_addr, address.bytes, 4);
    return sizeof(*v4);
}

/* A TCP socket made in `namespace` that has begun to connect. */
static inline int test_begin_connect(const struct hosts *hosts, int namespace, const char *address,
                                     uint16_t port) {
    struct sockaddr_storage to;
    socklen_t length = test_socket_address(address, port, &to);
    test_enter(namespace);
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    test_enter(hosts->us);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, length), -1);
    assert_int_equal(errno, EINPROGRESS);
    return fd;
}

/* How connecting ended: 0, an errno, or EINPROGRESS if it has not within `timeout_ms`. */
static inline int test_connect_result(int fd, int timeout_ms) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
    if (poll(&poll_fd, 1, timeout_ms) == 0) return EINPROGRESS;
    int error = 0;
    socklen_t length = sizeof(error);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    return error;
}

/* Whether our kernel answers a connection of the peer's to `port`, where nobody listens, with a reset. The
 * wire keeps the order, so once a later connection, to a port of the kernel's, was reset, no answer to the
 * first will come. */
static inline bool test_kernel_resets(const struct hosts *hosts, const char *address, uint16_t port) {
    int probe = test_begin_connect(hosts, hosts->peer, address, port);
    int later = test_begin_connect(hosts, hosts->peer, address, 9);
    assert_int_equal(test_connect_result(later, WAIT_MS), ECONNREFUSED);
    int result = test_connect_result(probe, 0);
    close(probe);
    close(later);
    assert_true(result == ECONNREFUSED || result == EINPROGRESS);
    return result == ECONNREFUSED;
}

/* A listening TCP socket of the peer's kernel. */
static inline int test_peer_listen(const struct hosts *hosts, const char *address, uint16_t port) {
    struct sockaddr_storage at;
    socklen_t length = test_socket_address(address, port, &at);
    test_enter(hosts->peer);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    test_enter(hosts->us);
    int yes = 1;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
    assert_int_equal(listen(fd, 8), 0);
    return fd;
}

/* Runs `work` in a child that then waits to be killed; returns when `work` is done. */
static inline pid_t test_child(void (*work)(const void *argument), const void *argument) {
    int ready[2];
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    fflush(stdout);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ready[0]);
        work(argument);
        if (write(ready[1], "x", 1) != 1) _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    char byte;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return child;
}

static inline void test_kill(pid_t child) {
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

#endif
