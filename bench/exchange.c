/* Short conversations over the system's sockets, so that the kernel and what runs under braid are measured
 * alike.
 *
 *     bench_exchange serve PORT [mptcp]             answers each byte with a byte
 *     bench_exchange connections ADDRESS PORT COUNT [mptcp]    open, a byte each way, close; and again
 *     bench_exchange round_trips ADDRESS PORT COUNT [mptcp]    a byte each way, again and again
 *
 * Prints one line of JSON. IPv4. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define OPEN_MAX 1024

static void check(bool good, const char *what) {
    if (good) return;
    fprintf(stderr, "bench_exchange: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int new_socket(bool mptcp) {
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, mptcp ? IPPROTO_MPTCP : 0);
    check(fd >= 0, "socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    return fd;
}

static struct sockaddr_in address_of(const char *host, const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    check(inet_pton(AF_INET, host, &address.sin_addr) == 1, host);
    return address;
}

/* --- the server --- */

static bool answer(int fd) {
    char byte;
    return read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1;
}

_Noreturn static void serve(const char *port, bool mptcp) {
    struct sockaddr_in at = address_of("0.0.0.0", port);
    static struct pollfd fds[OPEN_MAX];
    int yes = 1, listener = new_socket(mptcp), count = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    check(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 1024) == 0, "listen");
    fds[0] = (struct pollfd){listener, POLLIN, 0};
    for (;;) {
        check(poll(fds, (nfds_t)count, -1) >= 0, "poll");
        for (int i = count - 1; i > 0; i--) {
            if (fds[i].revents == 0 || answer(fds[i].fd)) continue;
            close(fds[i].fd);
            fds[i] = fds[--count];
        }
        if (fds[0].revents == 0 || count == OPEN_MAX) continue;
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0) fds[count++] = (struct pollfd){fd, POLLIN, 0};
    }
}

/* --- the client --- */

static int open_to(const struct sockaddr_in *to, bool mptcp) {
    int fd = new_socket(mptcp);
    check(connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0, "connect");
    return fd;
}

static void exchange(int fd) {
    char byte = 'x';
    check(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1, "exchange");
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int report(const char *what, float *samples, unsigned count, double took_us) {
    check(count > 0, "nothing measured");
    qsort(samples, count, sizeof(*samples), compare);
    printf("{\"what\": \"%s\", \"per_second\": %.0f, \"median_us\": %.1f, \"p99_us\": %.1f, \"worst_us\": "
           "%.1f}\n",
           what, count / took_us * 1e6, (double)samples[count / 2],
           (double)samples[(uint64_t)count * 99 / 100], (double)samples[count - 1]);
    return 0;
}

static int measure(const struct sockaddr_in *to, unsigned wanted, bool mptcp, bool anew) {
    float *samples = malloc((wanted + 1) * sizeof(*samples));
    unsigned count = 0;
    check(samples != NULL, "memory");
    int fd = open_to(to, mptcp);
    exchange(fd);
    double start = now_us(), at = start;
    while (count < wanted) {
        if (anew) {
            close(fd);
            fd = open_to(to, mptcp);
        }
        exchange(fd);
        double then = now_us();
        samples[count++] = (float)(then - at);
        at = then;
    }
    close(fd);
    return report(anew ? "connections" : "round_trips", samples, count, at - start);
}

int main(int count, char **arguments) {
    bool mptcp = count > 3 && strcmp(arguments[count - 1], "mptcp") == 0;
    if (count >= 3 && strcmp(arguments[1], "serve") == 0) serve(arguments[2], mptcp);
    if (count < 5) {
        fprintf(stderr, "usage: bench_exchange serve PORT [mptcp]\n"
                        "       bench_exchange connections|round_trips ADDRESS PORT COUNT [mptcp]\n");
        return 2;
    }
    struct sockaddr_in to = address_of(arguments[2], arguments[3]);
    return measure(&to, (unsigned)atoi(arguments[4]), mptcp, strcmp(arguments[1], "connections") == 0);
}
