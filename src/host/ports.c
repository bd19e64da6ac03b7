#include <host/ports.h>

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Above the ports Linux hands out by default (32768 to 60999), and within what stateless firewalls let
 * answers reach. */
#define HIGH_FIRST 61000
#define HIGH_LAST 65535
/* Below the ports any system hands out by default, above most well-known services. A machine that forwards
 * for others may translate their connections to their own source ports, which other systems choose from 49152
 * up. */
#define LOW_FIRST 10000
#define LOW_LAST 29999

/* Descriptors to be left for everything else. */
#define DESCRIPTORS_TO_SPARE 512
#define COUNT_MAX 16384

struct port_reservation {
    uint16_t first, count;
    int sockets[];
};

static int hold(uint16_t port) {
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool v6 = fd >= 0;
    if (!v6 && errno == EAFNOSUPPORT) fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int no = 0, error = 0;
    struct sockaddr_in6 any_v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in any_v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)) < 0) error = -errno;
    if (error == 0 && v6 && bind(fd, (struct sockaddr *)&any_v6, sizeof(any_v6)) < 0) error = -errno;
    if (error == 0 && !v6 && bind(fd, (struct sockaddr *)&any_v4, sizeof(any_v4)) < 0) error = -errno;
    if (error == 0) return fd;
    close(fd);
    return error;
}

static void let_go(struct port_reservation *ports, uint16_t held) {
    for (uint16_t i = 0; i < held; i++)
        close(ports->sockets[i]);
}

/* All of the range or nothing. 0 or -errno. */
static int hold_range(struct port_reservation *ports, uint16_t first) {
    for (uint16_t i = 0; i < ports->count; i++) {
        int fd = hold((uint16_t)(first + i));
        if (fd < 0) {
            let_go(ports, i);
            return fd;
        }
        ports->sockets[i] = fd;
    }
    ports->first = first;
    return 0;
}

/* Tries the ranges of `count` ports between `first` and `last`, highest first. */
static int hold_between(struct port_reservation *ports, uint32_t first, uint32_t last) {
    for (uint32_t end = last + 1; end >= first + ports->count; end -= ports->count) {
        int error = hold_range(ports, (uint16_t)(end - ports->count));
        if (error != -EADDRINUSE) return error;
    }
    return -EADDRINUSE;
}

static bool forwards_for_others(void) {
    FILE *file = fopen("/proc/sys/net/ipv4/ip_forward", "re");
    if (file == NULL) return false;
    int value = fgetc(file);
    fclose(file);
    return value == '1';
}

static int raise_descriptor_limit(uint16_t count) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    rlim_t wanted = (rlim_t)count + DESCRIPTORS_TO_SPARE;
    if (limit.rlim_cur >= wanted) return 0;
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) wanted = limit.rlim_max;
    limit.rlim_cur = wanted;
    return setrlimit(RLIMIT_NOFILE, &limit) < 0 ? -errno : 0;
}

static int reservation_create(uint16_t count, struct port_reservation **out) {
    if (count == 0 || count > COUNT_MAX) return -EINVAL;
    int error = raise_descriptor_limit(count);
    if (error != 0) return error;
    *out = malloc(sizeof(**out) + count * sizeof((*out)->sockets[0]));
    if (*out == NULL) return -ENOMEM;
    (*out)->count = count;
    return 0;
}

int ports_reserve(uint16_t count, struct port_reservation **out) {
    struct port_reservation *ports;
    int error = reservation_create(count, &ports);
    if (error != 0) return error;
    bool low_first = forwards_for_others();
    error =
        low_first ? hold_between(ports, LOW_FIRST, LOW_LAST) : hold_between(ports, HIGH_FIRST, HIGH_LAST);
    if (error == -EADDRINUSE)
        error = low_first ? hold_between(ports, HIGH_FIRST, HIGH_LAST)
                          : hold_between(ports, LOW_FIRST, LOW_LAST);
    if (error == -EADDRINUSE) error = hold_between(ports, LOW_LAST + 1, HIGH_FIRST - 1);
    if (error != 0) {
        free(ports);
        return error;
    }
    *out = ports;
    return 0;
}

int ports_reserve_range(uint16_t first, uint16_t count, struct port_reservation **out) {
    struct port_reservation *ports;
    if (first == 0 || first + (uint32_t)count > 65536) return -EINVAL;
    int error = reservation_create(count, &ports);
    if (error != 0) return error;
    error = hold_range(ports, first);
    if (error != 0) {
        free(ports);
        return error;
    }
    *out = ports;
    return 0;
}

void ports_release(struct port_reservation *ports) {
    if (ports == NULL) return;
    let_go(ports, ports->count);
    free(ports);
}

uint16_t ports_first(const struct port_reservation *ports) {
    return ports->first;
}

uint16_t ports_last(const struct port_reservation *ports) {
    return (uint16_t)(ports->first + ports->count - 1);
}
