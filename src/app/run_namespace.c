#define _GNU_SOURCE
#include "run_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/mount.h>
#include <unistd.h>
#include <host/netlink.h>
#include <host/netlink_watch.h>
#include <link/link_tun.h>
#include "mounts.h"
#include "resolver.h"

#define TUN_PATH "/dev/net/tun"
#define TUN_NAME "braid0"
#define INTERFACES_MAX 256
#define ADDRESSES_MAX 64

/* ---- addresses ---- */

/* 198.18.0.0/15 is for benchmarks (RFC 2544): no network anyone lives in has it. Whoever uses it all the same
 * gets another /24 of it. */
static struct ip_address v4_of(uint8_t third, uint8_t fourth) {
    return ip_address_v4((const uint8_t[]){198, 18, third, fourth});
}

static bool same_network(const struct ip_address *a, const struct netlink_address *b) {
    unsigned bits = b->prefix_length < 24 ? b->prefix_length : 24;
    if (b->address.family != IP_V4) return false;
    for (unsigned i = 0; i < bits; i++)
        if ((a->bytes[i / 8] ^ b->address.bytes[i / 8]) & (0x80 >> i % 8)) return false;
    return true;
}

static bool taken(const struct netlink_watch *networks, const struct ip_address *network) {
    for (uint32_t index = 1; index <= INTERFACES_MAX; index++) {
        struct netlink_address addresses[ADDRESSES_MAX];
        size_t count = netlink_watch_addresses(networks, index, addresses, ADDRESSES_MAX);
        for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++)
            if (same_network(network, &addresses[i])) return true;
    }
    return false;
}

void namespace_plan_addresses(struct namespace_plan *plan, const struct netlink_watch *networks) {
    /* A unique local address (RFC 4193) whose "random" part spells braid: it is never seen outside. */
    static const uint8_t v6[16] = {0xfd, 'b', 'r', 'a', 'i', 'd', [15] = 2};
    unsigned third = 0;
    while (third < 255) {
        struct ip_address network = v4_of((uint8_t)third, 0);
        if (!taken(networks, &network)) break;
        third++;
    }
    plan->address_v4 = v4_of((uint8_t)third, 2);
    plan->name_server = v4_of((uint8_t)third, 53);
    plan->prefix_v4 = 24;
    plan->address_v6 = ip_address_v6(v6);
    plan->prefix_v6 = 64;
}

/* ---- namespaces ---- */

static bool say(char text[NAMESPACE_TEXT_MAX], const char *what, int error) {
    snprintf(text, NAMESPACE_TEXT_MAX, "%s: %s", what, strerror(error < 0 ? -error : error));
    return false;
}

static int write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    int error = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    close(fd);
    return error;
}

/* The process keeps its user and group; nobody else exists in the new namespace (user_namespaces(7)). */
static int keep_identity(uid_t uid, gid_t gid) {
    char map[64];
    /* A program with file capabilities is not dumpable, and its own /proc files are root's. */
    prctl(PR_SET_DUMPABLE, 1);
    int error = write_text("/proc/self/setgroups", "deny");
    if (error != 0 && error != -ENOENT) return error;
    snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
    error = write_text("/proc/self/uid_map", map);
    if (error != 0) return error;
    snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
    return write_text("/proc/self/gid_map", map);
}

static bool unshare_all(char text[NAMESPACE_TEXT_MAX]) {
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0) return true;
    if (errno != EPERM) return say(text, "cannot make a network namespace", errno);
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0)
        return say(text, "cannot make a user namespace (root can do without)", errno);
    int error = keep_identity(uid, gid);
    return error == 0 ? true : say(text, "cannot keep the user in a user namespace", error);
}

/* ---- the network ---- */

static int default_route(struct netlink *netlink, uint32_t index, enum ip_family family) {
    struct netlink_route route = {.destination = {.family = family}, .interface_index = index};
    return netlink_route_add(netlink, &route);
}

static int configure(struct netlink *netlink, const struct namespace_plan *plan) {
    uint32_t loopback = if_nametoindex("lo"), tun = if_nametoindex(TUN_NAME);
    int error = netlink_link_set_up(netlink, loopback, true);
    if (error == 0) error = netlink_link_set_mtu(netlink, tun, plan->mtu);
    if (error == 0) error = netlink_link_set_up(netlink, tun, true);
    if (error == 0) error = netlink_address_add(netlink, tun, &plan->address_v4, plan->prefix_v4);
    if (error == 0) error = default_route(netlink, tun, IP_V4);
    if (error != 0 || !plan->with_v6) return error;
    error = netlink_address_add(netlink, tun, &plan->address_v6, plan->prefix_v6);
    return error == 0 ? default_route(netlink, tun, IP_V6) : error;
}

static bool make_tun(unsigned queues, int *fds, char text[NAMESPACE_TEXT_MAX]) {
    int error = tun_device_create_queues(TUN_PATH, TUN_NAME, queues, fds);
    if (error == 0) return true;
    if (error == -ENOENT || error == -ENODEV)
        return say(text, "no " TUN_PATH " (load the kernel's module \"tun\", or make the device available)",
                   error);
    if (error == -EACCES)
        return say(text, "may not open " TUN_PATH " (run as root, or: sudo chmod 666 " TUN_PATH ")", error);
    return say(text, "cannot make a TUN device", error);
}

bool namespace_enter(const struct namespace_plan *plan, int tun_fds[NAMESPACE_QUEUES_MAX],
                     char text[NAMESPACE_TEXT_MAX]) {
    struct netlink *netlink;
    if (!unshare_all(text) || !make_tun(plan->queues, tun_fds, text)) return false;
    int error = netlink_open(&netlink);
    if (error == 0) {
        error = configure(netlink, plan);
        netlink_close(netlink);
    }
    if (error != 0) return say(text, "cannot set up the command's network", error);
    /* Any user's ping works in there, as on most systems. Older kernels do without. */
    (void)write_text("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    if (plan->resolv_conf == NULL) return true;
    error = mounts_make(MS_SLAVE); /* what the host mounts later is seen here, too, but not the other way */
    if (error != 0) {
        snprintf(text, NAMESPACE_TEXT_MAX, "the command's mounts cannot be made its own: %s",
                 mounts_error_text(error));
        return false;
    }
    error = resolver_mount(plan->resolv_conf);
    return error == 0 ? true : say(text, "cannot put a resolv.conf of the command's own in place", error);
}
