/* A network of one's own for a test: a fresh network namespace with TUN and TAP devices in it. */
#ifndef TEST_NETWORK_H
#define TEST_NETWORK_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/buf.h>

#define WAIT_MS 2000 /* for what must come; a loaded machine may take its time */

/* ---- memory that counts ---- */

static size_t test_allocated;

static inline void *test_allocate(void *context, size_t size) {
    (void)context;
    void *memory = malloc(size);
    if (memory != NULL) test_allocated++;
    return memory;
}

static inline void test_release(void *context, void *memory, size_t size) {
    (void)context;
    (void)size;
    test_allocated--;
    free(memory);
}

static const struct braid_env test_env = {.allocate = test_allocate, .release = test_release};

/* ---- namespaces ---- */

static inline bool test_write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return written;
}

/* Puts the process into a user namespace of its own, where it is root, unless it is root already. False, with
 * the reason printed, where the system forbids it. */
static inline bool test_become_root(void) {
    if (geteuid() == 0) return true;
    char map[64];
    snprintf(map, sizeof(map), "0 %u 1\n", geteuid());
    if (unshare(CLONE_NEWUSER) != 0) {
        printf("skipped: this system allows no user namespace (%s)\n", strerror(errno));
        return false;
    }
    return test_write_file("/proc/self/setgroups", "deny") && test_write_file("/proc/self/uid_map", map);
}

/* Whether TUN devices can be made. False, with the reason printed, where the system forbids it. */
static inline bool test_can_make_tun(void) {
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd >= 0) {
        close(fd);
        return true;
    }
    printf("skipped: this system gives no TUN devices to this user (/dev/net/tun: %s)\n", strerror(errno));
    return false;
}

/* A fresh network namespace for this process. Leaves the one before, which vanishes with its last user. */
static inline int test_fresh_network(void **state) {
    (void)state;
    test_allocated = 0;
    if (unshare(CLONE_NEWNET) == 0) return 0;
    printf("no network namespace: %s\n", strerror(errno));
    return -1;
}

static inline int test_nothing_leaked(void **state) {
    (void)state;
    return test_allocated == 0 ? 0 : -1;
}

/* ---- interfaces ---- */

static inline struct ifreq test_request(const char *interface) {
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    return request;
}

static inline void test_control(unsigned long what, void *argument) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (ioctl(fd, what, argument) != 0) fail_msg("ioctl %#lx: %s", what, strerror(errno));
    close(fd);
}

static inline void test_link_set(const char *interface, bool up) {
    struct ifreq request = test_request(interface);
    test_control(SIOCGIFFLAGS, &request);
    request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    test_control(SIOCSIFFLAGS, &request);
}

static inline void test_link_set_mtu(const char *interface, int mtu) {
    struct ifreq request = test_request(interface);
    request.ifr_mtu = mtu;
    test_control(SIOCSIFMTU, &request);
}

/* Gives the interface an IPv4 address with a /24. */
static inline void test_address_v4(const char *interface, const char *address) {
    struct ifreq request = test_request(interface);
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)&request.ifr_addr;
    in->sin_family = AF_INET;
    assert_int_equal(inet_pton(AF_INET, address, &in->sin_addr), 1);
    test_control(SIOCSIFADDR, &request);
    assert_int_equal(inet_pton(AF_INET, "255.255.255.0", &in->sin_addr), 1);
    test_control(SIOCSIFNETMASK, &request);
}

/* Gives an interface that is up an IPv6 address with a /64, and waits until it is usable. */
static inline void test_address_v6(const char *interface, const char *address) {
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/accept_dad", interface);
    test_write_file(path, "0");
    struct in6_ifreq request = {.ifr6_prefixlen = 64, .ifr6_ifindex = (int)if_nametoindex(interface)};
    assert_int_equal(inet_pton(AF_INET6, address, &request.ifr6_addr), 1);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    if (ioctl(fd, SIOCSIFADDR, &request) != 0) fail_msg("%s: %s", address, strerror(errno));
    close(fd);
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = request.ifr6_addr};
    for (int i = 0; i < WAIT_MS; i++) {
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool usable = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
        close(fd);
        if (usable) return;
        poll(NULL, 0, 1);
    }
    fail_msg("%s does not become usable", address);
}

/* The wire's end of an interface: frames written to the descriptor arrive at the interface, frames sent out
 * of the interface can be read. `flags`: IFF_TAP for Ethernet, IFF_TUN for raw IP; with virtio headers. */
static inline int test_wire_create(const char *name, int flags, unsigned offloads) {
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) fail_msg("/dev/net/tun: %s", strerror(errno));
    struct ifreq request = test_request(name);
    request.ifr_flags = (short)(flags | IFF_NO_PI | IFF_VNET_HDR);
    if (ioctl(fd, TUNSETIFF, &request) != 0) fail_msg("TUNSETIFF: %s", strerror(errno));
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)offloads) != 0)
        fail_msg("TUNSETOFFLOAD: %s", strerror(errno));
    /* Without IPv6's own chatter, unless a test adds addresses. */
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/addr_gen_mode", name);
    test_write_file(path, "1");
    return fd;
}

#define TEST_OFFLOADS_ALL (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)

static inline bool test_readable(int fd, int timeout_ms) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    return poll(&poll_fd, 1, timeout_ms) == 1 && (poll_fd.revents & POLLIN) != 0;
}

#endif
